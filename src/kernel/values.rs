//! Values for uniforms, checked against the layout that WGSL gives them.
//!
//! Compares sizes and names the member at which they part; which Rust type it was is the caller's to say.
//!
//! Invariant: a value that passes differs from the uniform's type in nothing but padding at the end.

use super::{Binding, BindingKind};
use std::fmt;

/// Why a value can't be bound.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The variable takes a buffer.
    #[error("`{name}` is a `var<storage>`: bind a buffer to it with `.bind(\"{name}\", &buffer)`")]
    IsBuffer {
        /// The variable's name.
        name: String,
    },
    /// The variable takes a value.
    #[error("`{name}` is a `var<uniform>`: give it a value with `.value(\"{name}\", value)`")]
    IsValue {
        /// The variable's name.
        name: String,
    },
    /// The value's size isn't that of the WGSL type.
    #[error(
        "`{name}` is a `{wgsl}` of {expected} bytes, but the value, a `{rust}`, has {actual}{hint}"
    )]
    Size {
        /// The variable's name.
        name: String,
        /// Its type in WGSL.
        wgsl: String,
        /// The type of the value in Rust.
        rust: &'static str,
        /// Bytes of the WGSL type.
        expected: u64,
        /// Bytes of the value.
        actual: u64,
        /// Where the two part, and what to do.
        hint: String,
    },
}

/// The text, so that an error that ends a program, or an `unwrap`, can be read.
impl fmt::Debug for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Binding {
    /// Checks that `value`, whose Rust type is called `rust`, can be bound here.
    ///
    /// Padding behind the last member may be there or not; it is added, or cut, when the value is bound.
    ///
    /// # Errors
    ///
    /// If the variable is no uniform, or the sizes differ.
    pub fn check_value(&self, value: &[u8], rust: &'static str) -> Result<(), ValueError> {
        if self.kind != BindingKind::Uniform {
            return Err(ValueError::IsBuffer {
                name: self.name.clone(),
            });
        }
        let (expected, actual) = (self.layout.least_bytes, value.len() as u64);
        let members = &self.layout.element.members;
        let end = members
            .last()
            .map_or(expected, |last| last.offset + last.bytes);
        let padded = expected.next_multiple_of(self.layout.element.alignment);
        if actual == expected || actual == end || actual == padded {
            return Ok(());
        }
        Err(ValueError::Size {
            name: self.name.clone(),
            wgsl: self.layout.type_name.clone(),
            rust,
            expected,
            actual,
            hint: self.hint(actual),
        })
    }

    /// Names the member where a value of `actual` bytes ends, or the one that padding was forgotten before.
    fn hint(&self, actual: u64) -> String {
        let members = &self.layout.element.members;
        // Members packed without padding have this size in all: the mistake that a plain `repr(C)` struct makes.
        let packed: u64 = members.iter().map(|member| member.bytes).sum();
        let mut next = 0;
        for member in members {
            if packed == actual && member.offset != next {
                let gap = member.offset - next;
                return format!(
                    "; member `{}` (`{}`) begins at byte {}: put {gap} bytes of padding before it",
                    member.name, member.type_name, member.offset
                );
            }
            next = member.offset + member.bytes;
        }
        match members
            .iter()
            .find(|member| member.offset + member.bytes > actual)
        {
            Some(member) => format!(
                "; it ends before or inside member `{}` (`{}`, bytes {} to {})",
                member.name,
                member.type_name,
                member.offset,
                member.offset + member.bytes
            ),
            None => String::new(),
        }
    }
}
