//! What the folder says of how a kernel is to be run: `NAME.wgsl.set` beside `NAME.wgsl`.
//!
//! A line each: `constant NAME VALUE`, `groups X Y Z`, `words BINDING WORD...` for the first words of a binding,
//! and `all BINDING WORD` for all of them.
//!
//! Invariant: without a file nothing is said.

use crate::data::Filled;
use std::fs;
use std::path::Path;

/// What is said of one file.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) constants: Vec<(String, f64)>,
    pub(crate) groups: Option<[u32; 3]>,
    words: Vec<(String, Vec<u32>)>,
    all: Vec<(String, u32)>,
}

impl Settings {
    pub(crate) fn of(file: &Path) -> Self {
        let text = fs::read_to_string(file.with_added_extension("set")).unwrap_or_default();
        let mut settings = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["constant", name, value] => {
                    let value = value.parse().expect("a constant is a number");
                    settings.constants.push(((*name).to_owned(), value));
                }
                ["groups", x, y, z] => {
                    let groups = [x, y, z].map(|n| n.parse().expect("groups are counted"));
                    settings.groups = Some(groups);
                }
                ["words", name, words @ ..] => {
                    let words = words.iter().map(|text| word(text));
                    settings.words.push(((*name).to_owned(), words.collect()));
                }
                ["all", name, text] => {
                    settings.all.push(((*name).to_owned(), word(text)));
                }
                [] => {}
                _ => panic!("{} says `{line}`, which means nothing", file.display()),
            }
        }
        settings
    }

    /// Puts the words into the bindings.
    pub(crate) fn apply(&self, all: &mut [Filled]) {
        for (name, word) in &self.all {
            for one in all.iter_mut().filter(|one| one.binding.name == *name) {
                for bytes in one.bytes.chunks_exact_mut(4) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
            }
        }
        for (name, words) in &self.words {
            for one in all.iter_mut().filter(|one| one.binding.name == *name) {
                for (bytes, word) in one.bytes.chunks_exact_mut(4).zip(words) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
            }
        }
    }
}

/// A number with a point is a float.
fn word(text: &str) -> u32 {
    if text.contains('.') {
        text.parse::<f32>().expect("a float").to_bits()
    } else {
        text.parse().expect("a whole number")
    }
}
