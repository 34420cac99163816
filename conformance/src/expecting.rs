//! What a case expects, and what it says when that isn't so.

use divvy::kernel::{Grounds, Pattern};
use divvy::{Access, Buffer, DispatchBuilder, Kernel, Runtime};
use std::error::Error;

/// What became of a case or a rule: nothing, or what is wrong.
pub type Outcome = Result<(), Box<dyn Error>>;

/// What is known of a dispatch that binds all it has to, with nothing declared.
pub(crate) trait Known: Sized {
    /// Fails unless these patterns are proven, of each buffer, so that the dispatch is split.
    fn proven(self, expected: &[(&str, Access)]) -> Result<Self, Box<dyn Error>>;

    /// Fails unless it isn't known which elements of this buffer are written where, and this expression of the kernel is
    /// named for it.
    fn unproven(self, kernel: &Kernel, name: &str, place: &str) -> Result<Self, Box<dyn Error>>;
}

impl Known for DispatchBuilder<'_> {
    fn proven(self, expected: &[(&str, Access)]) -> Result<Self, Box<dyn Error>> {
        let patterns = self.patterns()?;
        let is_it = |(found, (name, access)): (&Pattern, &(&str, Access))| {
            found.binding == *name
                && found.access == Some(*access)
                && found.grounds == Grounds::Proven
        };
        match patterns.len() == expected.len() && patterns.iter().zip(expected).all(is_it) {
            true => Ok(self),
            false => Err(format!("proven is {patterns:?} instead of {expected:?}").into()),
        }
    }

    fn unproven(self, kernel: &Kernel, name: &str, place: &str) -> Result<Self, Box<dyn Error>> {
        let patterns = self.patterns()?;
        let found = patterns.iter().find(|pattern| pattern.binding == name);
        let named = match found {
            Some(Pattern {
                access: None,
                grounds: Grounds::Unproven(obstacle),
                ..
            }) => {
                let line = kernel.source().lines().nth(obstacle.line as usize - 1);
                line.and_then(|line| line.get(obstacle.column as usize - 1..))
            }
            _ => None,
        };
        match named {
            Some(text) if text.starts_with(place) => Ok(self),
            _ => Err(format!("`{place}` isn't what is in the way: {found:?}").into()),
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
