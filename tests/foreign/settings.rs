//! What the folder says of how a kernel is to be run: `NAME.wgsl.set` beside `NAME.wgsl`.
//!
//! A line each: `constant NAME VALUE`, `groups X Y Z`, and `words BINDING WORD...` for the first words of a binding.
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
                    let words = words.iter().map(|word| match word.contains('.') {
                        true => word.parse::<f32>().expect("a float").to_bits(),
                        false => word.parse().expect("a whole number"),
                    });
                    settings.words.push(((*name).to_owned(), words.collect()));
                }
                [] => {}
                _ => panic!("{} says `{line}`, which means nothing", file.display()),
            }
        }
        settings
    }

    /// Puts the words into the bindings.
    pub(crate) fn apply(&self, all: &mut [Filled]) {
        for (name, words) in &self.words {
            for one in all.iter_mut().filter(|one| one.binding.name == *name) {
                for (bytes, word) in one.bytes.chunks_exact_mut(4).zip(words) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
            }
        }
    }
}
