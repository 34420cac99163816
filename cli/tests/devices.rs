//! The smaller commands: what is here, what was measured, completions, help.

mod program;

use program::{Folder, SAXPY};

#[test]
fn devices_say_what_they_are_and_what_they_can_do() {
    let folder = Folder::new(&[]);
    let ended = folder.run("devices").well();
    for part in [
        "cpu (cpu)",
        "workgroup memory",
        "B/s, measured",
        "FLOP/s, measured",
    ] {
        assert!(ended.out.contains(part), "{part} in {}", ended.out);
    }
    let ended = folder.run("devices --json --no-measure").well();
    let told: serde_json::Value = serde_json::from_str(&ended.out).expect("it is JSON");
    assert_eq!(told["devices"][0]["kind"], "cpu");
    assert!(told["devices"][0]["memory_bytes_per_second"].is_null());
    assert_eq!(told["devices"][0]["limits"]["workgroup_invocations"], 4096);
}

#[test]
fn a_profile_is_listed_explained_and_cleared() {
    let folder = Folder::new(&[("saxpy.wgsl", SAXPY)]);
    let empty = folder.run("profile list").well();
    assert!(empty.out.contains("holds no profile"), "{}", empty.out);
    folder
        .run("run saxpy.wgsl --range 100000 --value a=3 --bind x=ones --bind y=ones --repeat 5")
        .well();
    let list = folder.run("profile list").well();
    assert!(list.out.contains("invocations/s on cpu"), "{}", list.out);
    let told = folder
        .run("profile explain saxpy.wgsl --range 100000")
        .well();
    assert!(told.out.contains("alone it takes"), "{}", told.out);
    let other = folder.run("profile explain saxpy.wgsl --range 10").well();
    assert!(other.out.contains("never measured"), "{}", other.out);
    let cleared = folder.run("profile clear").well();
    assert!(cleared.out.contains("profile.json") && cleared.out.contains("1 rates"));
    assert!(!folder.path("profile/profile.json").exists());
    let again = folder.run("profile clear").well();
    assert!(again.out.contains("holds no profile"), "{}", again.out);
}

#[test]
fn a_profile_that_cannot_be_read_is_no_crash() {
    let folder = Folder::new(&[]);
    std::fs::create_dir(folder.path("profile")).expect("a folder");
    std::fs::write(folder.path("profile/profile.json"), "{").expect("it can be written");
    let list = folder.run("profile list").well();
    assert!(
        list.out.contains("nothing that this version can use"),
        "{}",
        list.out
    );
}

#[test]
fn shells_get_their_completions() {
    let folder = Folder::new(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = folder.run(&format!("completions {shell}")).well();
        assert!(
            ended.out.contains("divvy") && ended.out.contains("range"),
            "{shell}"
        );
    }
    folder.run("completions csh").badly(2, &["bash"]);
}

#[test]
fn every_command_explains_itself_with_examples() {
    let folder = Folder::new(&[]);
    for command in [
        "",
        "devices",
        "run",
        "check",
        "bench",
        "profile",
        "profile list",
        "profile explain",
        "profile clear",
        "completions",
    ] {
        let ended = folder.run(&format!("{command} --help")).well();
        let examples = ended.out.split("Examples:").nth(1).unwrap_or_default();
        assert!(
            examples.matches("divvy ").count() >= 2,
            "{command}: {}",
            ended.out
        );
    }
    assert_eq!(folder.run("").code, 2);
}
