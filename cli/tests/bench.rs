//! `divvy bench` on the CPU: its table, its numbers, its page.

mod program;

use program::{Folder, SAXPY};

#[test]
fn the_suite_is_measured_and_told_in_three_ways() {
    let folder = Folder::new(&[]);
    let ended = folder
        .run("bench suite --quick --json b.json --html b.html")
        .well();
    let text = std::fs::read_to_string(folder.path("b.json")).expect("it is written");
    let results: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let rows = results["rows"].as_array().expect("there are rows");
    assert_eq!(rows.len(), 5);
    let page = std::fs::read_to_string(folder.path("b.html")).expect("it is written");
    for row in rows {
        let kernel = row["kernel"].as_str().expect("it has a name");
        assert!(ended.out.contains(kernel), "{}", ended.out);
        assert!(page.contains(&format!("<h2>{kernel}</h2>")));
        assert!(row["alone"][0]["seconds"].as_f64() > Some(0.0));
        assert!(row["together"]["seconds"].as_f64() > Some(0.0));
        assert!(
            row["timeline"]
                .as_array()
                .is_some_and(|spans| !spans.is_empty())
        );
    }
}

#[test]
fn the_page_asks_nobody_for_anything_and_is_well_formed() {
    let folder = Folder::new(&[("a&b.wgsl", SAXPY)]);
    folder
        .run("bench a&b.wgsl --range 100 --range 10000 --bind x=ones --bind y=ones --value a=0 --rounds 1 --html b.html")
        .well();
    let page = std::fs::read_to_string(folder.path("b.html")).expect("it is written");
    for asks in ["http://", "https://", "<script", "@import", "url(", "src="] {
        assert!(!page.contains(asks), "{asks}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"));
    assert!(page.contains("<h2>a&amp;b</h2>"), "names are no marks");
    let pictures = page.matches("<svg").count();
    assert_eq!(pictures, 3, "times by size, and a timeline of each size");
    assert_eq!(
        page.matches("A bar is one thing that a device did").count(),
        2
    );
    // Every mark that is opened is closed, in order.
    let mut open: Vec<&str> = Vec::new();
    for mark in page.split('<').skip(1) {
        let (mark, _) = mark.split_once('>').expect("it ends");
        let name = mark.split_whitespace().next().expect("it has a name");
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if mark.ends_with('/') || ["!DOCTYPE", "meta", "link"].contains(&name) => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn a_kernel_of_ones_own_needs_a_range() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY)]);
    folder
        .run("bench saxpy.wgsl --bind x=ones --bind y=ones --value a=0")
        .badly(2, &["--range 65536"]);
}
