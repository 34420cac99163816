//! Every dispatch of a case says which access patterns are proven of it, or which expression is in the way.

use std::fs;
use std::path::Path;

#[test]
fn no_case_dispatches_a_kernel_without_saying_what_is_proven_of_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut dispatches = 0;
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("its entries can be read").path();
        let text = fs::read_to_string(&path).expect("sources are text");
        let said = [".proven(", ".unproven(", "Grounds::Declared"];
        let said: usize = said.map(|word| text.matches(word).count()).iter().sum();
        let found = text.matches(".dispatch(").count();
        assert_eq!(said, found, "in {}", path.display());
        dispatches += found;
    }
    assert!(dispatches > 0, "cases dispatch nothing");
}
