//! Values given on the command line for uniforms: one number, several, a member, JSON.
//!
//! Fills the numbers of a binding by their paths, and remembers which have been; which data a buffer holds is another
//! file's affair.
//!
//! Invariant: a number is set only to a value that its type has.

use crate::data::Slot;
use crate::failure::{Failure, Outcome};
use crate::numbers;
use divvy::Range;
use divvy::kernel::Leaf;
use serde_json::Value as Json;

/// The bytes of a value that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    slot: &'a Slot,
    leaves: Vec<Leaf>,
    is_set: Vec<bool>,
    bytes: Vec<u8>,
}

impl<'a> Values<'a> {
    /// Of zeros, none of which has been set; nothing for a binding without a fixed number of numbers.
    pub(crate) fn new(slot: &'a Slot) -> Option<Self> {
        let mut leaves = slot.shape.fixed.clone();
        if let Some(repeated) = &slot.shape.repeated {
            for i in 0..repeated.count? {
                leaves.extend(repeated.element.iter().map(|leaf| {
                    let mut leaf = leaf.clone();
                    let rest = match leaf.path.as_str() {
                        "" => String::new(),
                        path if path.starts_with('[') => path.to_owned(),
                        path => format!(".{path}"),
                    };
                    leaf.path = format!("{}[{i}]{rest}", repeated.path);
                    leaf.offset += repeated.offset + i * repeated.stride;
                    leaf
                }));
            }
        }
        let bytes = slot.binding.layout.least_bytes.next_multiple_of(4);
        Some(Self {
            slot,
            is_set: vec![false; leaves.len()],
            leaves,
            bytes: vec![0; bytes as usize],
        })
    }

    /// How a user would name a number, binding and all.
    fn named(&self, path: &str) -> String {
        let name = self.slot.name();
        match path {
            "" => name.to_owned(),
            path if path.starts_with('[') => format!("{name}{path}"),
            path => format!("{name}.{path}"),
        }
    }

    /// The numbers at this path or below it.
    fn below(&self, path: &str) -> Vec<usize> {
        let is_below = |leaf: &Leaf| {
            let rest = leaf.path.strip_prefix(path);
            path.is_empty()
                || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let places = self.leaves.iter().enumerate();
        places
            .filter(|(_, leaf)| is_below(leaf))
            .map(|(place, _)| place)
            .collect()
    }

    /// Sets what is at a path to what a text says.
    pub(crate) fn set(&mut self, path: &str, text: &str, range: Range) -> Outcome {
        let trimmed = text.trim();
        if trimmed.starts_with(['{', '[']) {
            let json = serde_json::from_str(trimmed).map_err(|error| Failure::Value {
                path: self.named(path),
                expected: format!("given JSON that can't be read ({error})"),
                text: text.to_owned(),
            })?;
            return self.set_json(path, &json, range);
        }
        let texts: Vec<&str> = trimmed.split(',').collect();
        let places = self.below(path);
        if places.is_empty() {
            return Err(self.unknown(path));
        }
        if texts.len() != places.len() {
            return Err(Failure::ValueCount {
                path: self.named(path),
                expected: places.len(),
                actual: texts.len(),
            });
        }
        for (place, text) in places.into_iter().zip(texts) {
            self.set_number(place, text, range)?;
        }
        Ok(())
    }

    fn set_json(&mut self, path: &str, json: &Json, range: Range) -> Outcome {
        match json {
            Json::Object(members) => {
                for (name, member) in members {
                    let path = match path {
                        "" => name.clone(),
                        path => format!("{path}.{name}"),
                    };
                    self.set_json(&path, member, range)?;
                }
                Ok(())
            }
            Json::Array(elements) => {
                let is_flat = elements
                    .iter()
                    .all(|element| !element.is_array() && !element.is_object());
                if is_flat {
                    let texts: Vec<_> = elements.iter().map(plain).collect();
                    return self.set(path, &texts.join(","), range);
                }
                for (i, element) in elements.iter().enumerate() {
                    self.set_json(&format!("{path}[{i}]"), element, range)?;
                }
                Ok(())
            }
            other => self.set(path, &plain(other), range),
        }
    }

    fn unknown(&self, path: &str) -> Failure {
        const MOST_TOLD: usize = 20;
        Failure::UnknownName {
            what: "value",
            name: self.named(path),
            found: self
                .leaves
                .iter()
                .take(MOST_TOLD)
                .map(|leaf| self.named(&leaf.path))
                .collect(),
        }
    }

    pub(crate) fn set_number(&mut self, place: usize, text: &str, range: Range) -> Outcome {
        let leaf = &self.leaves[place];
        let of_range = extent(text.trim(), range).map(|extent| extent.to_string());
        let spelled = of_range.as_deref().unwrap_or(text);
        let value = numbers::parse(leaf.number, spelled).ok_or_else(|| Failure::Value {
            path: self.named(&leaf.path),
            expected: format!("a number of type {}", leaf.number),
            text: text.to_owned(),
        })?;
        let at = leaf.offset as usize;
        numbers::write(leaf.number, value, &mut self.bytes[at..]);
        self.is_set[place] = true;
        Ok(())
    }

    /// The numbers that haven't been set, each with its place and what a user would call it.
    pub(crate) fn unset(&self) -> Vec<(usize, Leaf, String)> {
        let places = self.leaves.iter().enumerate();
        places
            .filter(|(place, _)| !self.is_set[*place])
            .map(|(place, leaf)| (place, leaf.clone(), self.named(&leaf.path)))
            .collect()
    }

    /// The bytes, if every number was set.
    pub(crate) fn bytes(self) -> Outcome<Vec<u8>> {
        let unset = self.unset();
        if unset.is_empty() {
            return Ok(self.bytes);
        }
        let paths = unset.into_iter().map(|(_, _, named)| named).collect();
        Err(Failure::NoValue { paths })
    }
}

fn plain(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What `range.x` and its like stand for.
fn extent(text: &str, range: Range) -> Option<u64> {
    let [x, y, z] = range.extents();
    match text {
        "range.x" => Some(x),
        "range.y" => Some(y),
        "range.z" => Some(z),
        "range.count" => Some(range.invocations()),
        _ => None,
    }
}
