//! Data and values for kernels of which nothing is said.
//!
//! Guesses by names and types, and keeps what it guessed so that it can be told.

use crate::data::{Data, Slot, random_below};
use crate::failure::Outcome;
use crate::kernel::Invent;
use crate::numbers;
use divvy::Range;
use divvy::kernel::{BindingKind, Leaf, Number, Usage};

/// Whole numbers are below this, and below the number of elements, so that those which are indices stay inside.
const BELOW: u64 = 64;
/// What a whole number is that has no telling name: how many times to do something, as likely as not.
const FEW: u64 = 4;

/// Guesses, and says what it guessed.
#[derive(Debug, Default)]
pub(super) struct Guess {
    pub(super) told: Vec<String>,
}

impl Invent for Guess {
    fn number(&mut self, path: &str, leaf: &Leaf, range: Range) -> Option<String> {
        let value = match leaf.number {
            Number::Float(_) => "0.5".to_owned(),
            _ => whole(path, range).to_string(),
        };
        self.told.push(format!("{path} = {value}"));
        Some(value)
    }

    fn buffer(&mut self, slot: &Slot, range: Range) -> Outcome<Option<Data>> {
        if slot.binding.kind == BindingKind::Storage(Usage::Write) {
            return Ok(None);
        }
        let mut data = slot.zeros(range)?;
        let count = slot.count(data.bytes.len() as u64);
        let below = BELOW.min(count).max(2) as f64;
        let mut n = 0;
        let mut bytes = std::mem::take(&mut data.bytes);
        slot.each_number(bytes.len() as u64, |at, number| {
            let below = match number {
                Number::Float(_) => None,
                _ => Some(below),
            };
            let value = random_below(number, u64::from(slot.binding.binding), n, below);
            numbers::write(number, value, &mut bytes[at..]);
            n += 1;
        });
        data.bytes = bytes;
        let name = slot.name();
        self.told.push(format!("{name} = {count} random elements"));
        Ok(Some(data))
    }
}

/// What a whole number of this name may be.
fn whole(path: &str, range: Range) -> u64 {
    let [x, y, z] = range.extents();
    let name = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match name.as_str() {
        "x" | "w" | "nx" => x,
        "y" | "h" | "ny" => y,
        "z" | "d" | "nz" => z,
        "n" | "m" | "k" => x,
        _ if has(&["width", "col", "stride", "pitch"]) => x,
        _ if has(&["height", "row"]) => y,
        _ if has(&["depth", "layer"]) => z,
        _ if has(&["count", "len", "size", "num", "total"]) => match range.dimensions() {
            1 => range.invocations(),
            _ => x,
        },
        _ => FEW,
    }
}
