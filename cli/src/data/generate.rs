//! Data that needs no file: zeros, ones, a count, random numbers.
//!
//! Invariant: the same words give the same numbers on every machine.

use super::{Slot, extents};
use crate::failure::{Failure, Outcome};
use crate::numbers::{self, Value};
use divvy::kernel::Number;

/// A rule for numbers, and for how many elements.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Generator {
    rule: Rule,
    pub(super) extents: Option<Vec<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Zeros,
    Ones,
    Iota,
    Random { seed: u64, below: Option<f64> },
}

impl Generator {
    /// The generator of this name, or nothing if the text must be a file's.
    pub(super) fn parse(name: &str, text: &str) -> Outcome<Option<Self>> {
        let mut parts = text.split(':');
        let word = parts.next().unwrap_or_default();
        if !["zeros", "ones", "iota", "random"].contains(&word) {
            return Ok(None);
        }
        let wrong = |why: &str| Failure::Source {
            name: name.to_owned(),
            source_text: text.to_owned(),
            why: why.to_owned(),
        };
        let seed = match (word, parts.clone().next()) {
            ("random", Some(text)) => {
                parts.next();
                let seed = text.parse();
                seed.map_err(|_| wrong("a seed is a whole number, as in random:1"))?
            }
            _ => 0,
        };
        let count = parts.next().map(|text| {
            let is_sound = |extents: &Vec<u64>| !extents.contains(&0);
            let count = extents(text).filter(is_sound);
            count.ok_or_else(|| wrong("a count is a number of elements, as 1000000 or 640x480"))
        });
        let below = match (word, parts.next()) {
            ("random", Some(text)) => {
                let below = text
                    .parse()
                    .ok()
                    .filter(|below: &f64| *below > 0.0 && below.is_finite());
                Some(below.ok_or_else(|| {
                    wrong("numbers are below one that is more than 0, and finite")
                })?)
            }
            (_, Some(_)) => return Err(wrong("there is a `:` too many")),
            (_, None) => None,
        };
        if parts.next().is_some() {
            return Err(wrong("there is a `:` too many"));
        }
        let rule = match word {
            "zeros" => Rule::Zeros,
            "ones" => Rule::Ones,
            "iota" => Rule::Iota,
            _ => Rule::Random { seed, below },
        };
        let extents = count.transpose()?;
        Ok(Some(Self { rule, extents }))
    }

    /// Writes every number of the data.
    pub(super) fn fill(&self, slot: &Slot, bytes: &mut [u8]) {
        if self.rule == Rule::Zeros {
            return;
        }
        let mut n = 0;
        slot.each_number(bytes.len() as u64, |at, number| {
            let value = match self.rule {
                Rule::Zeros => Value::Unsigned(0),
                Rule::Ones => Value::Unsigned(1),
                Rule::Iota => Value::Unsigned(n),
                Rule::Random { seed, below } => random_below(number, seed, n, below),
            };
            numbers::write(number, value, &mut bytes[at..]);
            n += 1;
        });
    }
}

/// Number `n` of a random sequence: floats from 0 to 1 and whole numbers of all bits, or else both below a bound.
pub(crate) fn random_below(number: Number, seed: u64, n: u64, below: Option<f64>) -> Value {
    let random = numbers::random(seed, n);
    let unit = (random >> 11) as f64 / (1_u64 << 53) as f64;
    match (number, below) {
        (Number::Float(width), below) => {
            // Rounding to few digits must not reach the bound.
            let digits = if width == 2 { 1 << 11 } else { 1 << 24 };
            let unit = (unit * f64::from(digits)).floor() / f64::from(digits);
            Value::Float(unit * below.unwrap_or(1.0))
        }
        (_, None) => Value::Unsigned(random),
        (_, Some(below)) => Value::Unsigned((unit * below) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_said_is_understood_and_nothing_else() {
        let parsed = |text| Generator::parse("x", text);
        let whole = parsed("random:7:640x480:256").expect("it can be said");
        assert_eq!(
            whole,
            Some(Generator {
                rule: Rule::Random {
                    seed: 7,
                    below: Some(256.0)
                },
                extents: Some(vec![640, 480]),
            })
        );
        assert_eq!(parsed("data.bin").expect("it is a file"), None);
        for wrong in [
            "zeros:many",
            "zeros:0",
            "random:x",
            "iota:3:4",
            "random:1:2:0",
            "random:1:2:inf",
            "ones:1:2",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn random_numbers_stay_below_their_bound() {
        for n in 0..1000 {
            let Value::Float(float) = random_below(Number::Float(4), 3, n, None) else {
                panic!("floats are asked for");
            };
            assert!((0.0..1.0).contains(&float));
            let whole = random_below(Number::Unsigned(4), 3, n, Some(10.0));
            assert!(matches!(whole, Value::Unsigned(value) if value < 10));
        }
    }
}
