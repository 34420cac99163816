//! What a case expects, and what it says when that isn't so.

use divvy::{Buffer, DispatchBuilder, Runtime};
use std::error::Error;

/// What became of a case or a rule: nothing, or what is wrong.
pub type Outcome = Result<(), Box<dyn Error>>;

/// A dispatch of which it is known for every buffer which elements a part of the range touches, with nothing declared.
pub(crate) trait Splittable: Sized {
    fn splittable(self) -> Result<Self, Box<dyn Error>>;
}

impl Splittable for DispatchBuilder<'_> {
    fn splittable(self) -> Result<Self, Box<dyn Error>> {
        let patterns = self.patterns()?;
        match patterns.iter().find(|pattern| pattern.access.is_none()) {
            Some(unknown) => Err(format!("it can't be split: {unknown:?}").into()),
            None => Ok(self),
        }
    }
}

/// Fails unless the buffer holds exactly these elements.
pub(crate) fn expect<T>(runtime: &Runtime, buffer: &Buffer<T>, expected: &[T]) -> Outcome
where
    T: bytemuck::Pod + PartialEq + std::fmt::Debug,
{
    let found = runtime.read(buffer)?;
    match found
        .iter()
        .zip(expected)
        .position(|(found, expected)| found != expected)
    {
        Some(i) => Err(format!("element {i} is {:?}, not {:?}", found[i], expected[i]).into()),
        None if found.len() == expected.len() => Ok(()),
        None => Err(format!("{} elements, not {}", found.len(), expected.len()).into()),
    }
}
