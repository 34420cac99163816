//! The rooms of the crate use only what stands above them, and each outside crate is named in one place.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up. A room may use those before it.
const ROOMS: &[&str] = &[
    "message", "stack", "prompt", "patience", "id", "span", "range", "interval", "system", "trace",
    "kernel", "check", "lanes", "buffer", "split", "profile", "device", "plan", "error", "queue",
    "simulate", "runtime", "guide",
];

/// Outside crates, and the only folders that may name them.
const CONFINED: &[(&str, &[&str])] = &[
    ("wgpu", &["device/gpu"]),
    ("rayon", &["device/cpu"]),
    ("naga", &["kernel", "lanes"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source folder can be listed") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The sources, each with its path below `src`, without comments.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let strip = |text: String| -> String {
        text.lines()
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let name = |path: &Path| {
        path.strip_prefix(&root)
            .expect("found below it")
            .to_string_lossy()
            .replace('\\', "/")
    };
    found
        .iter()
        .map(|path| {
            (
                name(path),
                strip(fs::read_to_string(path).expect("sources are text")),
            )
        })
        .collect()
}

fn room(file: &str) -> &str {
    file.split('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".rs")
}

/// Every `crate::NAME` in the text.
fn used(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).map(|rest| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or("")
    })
}

fn names(text: &str, outside: &str) -> bool {
    text.match_indices(&format!("{outside}::")).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn a_room_uses_only_the_rooms_above_it() {
    for (file, text) in code() {
        let own = room(&file);
        if own == "lib" {
            continue;
        }
        let place = ROOMS.iter().position(|room| *room == own);
        let place =
            place.unwrap_or_else(|| panic!("{file}: the room `{own}` is not on the list of rooms"));
        for other in used(&text) {
            let Some(above) = ROOMS.iter().position(|room| *room == other) else {
                panic!("{file} uses `crate::{other}`: name the room it comes from");
            };
            assert!(
                above <= place,
                "{file}: the room `{own}` uses `{other}`, which stands below it"
            );
        }
    }
}

#[test]
fn outside_crates_are_named_in_one_place() {
    for (file, text) in code() {
        for (outside, folders) in CONFINED {
            let allowed = folders
                .iter()
                .any(|folder| file.starts_with(&format!("{folder}/")));
            assert!(
                allowed || !names(&text, outside),
                "{file} names `{outside}`, which belongs to {folders:?}"
            );
        }
    }
}

#[test]
fn the_check_sees_a_crate_but_not_a_name_that_ends_like_one() {
    assert!(names("use wgpu::Device;", "wgpu"));
    assert!(!names("my_wgpu::Device", "wgpu"));
    assert_eq!(
        used("use crate::span::Span; crate::id::X").collect::<Vec<_>>(),
        ["span", "id"]
    );
}
