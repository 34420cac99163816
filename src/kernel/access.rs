//! Access patterns: how the indices of a chunk map to the elements of a buffer.
//!
//! Arithmetic on declarations; proving a pattern from the code is another file's affair.
//!
//! Invariant: two disjoint chunks never map to a common element of a binding that is written, but for `Accumulate`.

use crate::span::Span;
use std::fmt;

/// Which elements of a buffer a chunk touches.
///
/// A buffer belongs to a range as rows belong to an image: its length divided by the extent of the range's slowest
/// dimension is the number of elements that one unit of that dimension owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Each unit of the slowest dimension touches the elements it owns and no others. May be read and written.
    OneToOne,
    /// Each unit reads the elements it owns and those of this many units on either side, as far as there are any: the
    /// halo of a stencil. Read only.
    Neighborhood(u64),
    /// Every invocation may read every element. Read only.
    All,
    /// Every invocation may combine a value into every element, with an operation whose order doesn't matter, and
    /// doesn't use what it finds there. Each device gets a private copy that starts at the operation's identity; the
    /// runtime combines the copies into what was there.
    Accumulate(Combine),
}

/// The operations that [`Access::Accumulate`] combines values with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combine {
    /// The sum; wrapping for integers.
    Add,
    /// The smaller value.
    Min,
    /// The larger value.
    Max,
    /// Bitwise or. Integers only.
    Or,
    /// Bitwise and. Integers only.
    And,
}

/// The scalar types of WGSL that values are combined in, all four bytes wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// `u32`
    U32,
    /// `i32`
    I32,
    /// `f32`
    F32,
}

/// A buffer whose elements can't be shared evenly among the units of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{elements} elements can't be shared evenly among {units} units of the range's slowest dimension; \
     give the buffer a multiple of {units} elements, or declare the binding `Access::All`"
)]
pub struct Uneven {
    /// How many elements the buffer has.
    pub elements: u64,
    /// The extent of the range's slowest dimension.
    pub units: u64,
}

impl Access {
    /// The elements that a chunk of `units` touches in a buffer of `elements`, in a range whose slowest dimension has
    /// `extent` units.
    ///
    /// # Errors
    ///
    /// If the pattern needs the elements to be shared evenly among the units, and they aren't.
    pub fn elements(self, units: Span, extent: u64, elements: u64) -> Result<Span, Uneven> {
        let halo = match self {
            Access::OneToOne => 0,
            Access::Neighborhood(halo) => halo,
            Access::All | Access::Accumulate(_) => return Ok(Span::new(0, elements)),
        };
        if extent == 0 || !elements.is_multiple_of(extent) {
            return Err(Uneven {
                elements,
                units: extent,
            });
        }
        let touched = if units.is_empty() {
            units
        } else {
            units.grown(halo, Span::new(0, extent))
        };
        Ok(touched.scaled(elements / extent))
    }
}

impl Combine {
    /// Whether the operation exists for the type.
    #[must_use]
    pub fn suits(self, word: Word) -> bool {
        word != Word::F32 || !matches!(self, Combine::Or | Combine::And)
    }

    /// The bits of the value that changes nothing when it is combined.
    #[must_use]
    pub fn identity(self, word: Word) -> u32 {
        match (self, word) {
            // Minus zero: plus zero would turn a sum of minus zeros around.
            (Combine::Add, Word::F32) => (-0.0_f32).to_bits(),
            (Combine::Min, Word::F32) => f32::INFINITY.to_bits(),
            (Combine::Max, Word::F32) => f32::NEG_INFINITY.to_bits(),
            (Combine::Min, Word::I32) => i32::MAX as u32,
            (Combine::Max, Word::I32) => i32::MIN as u32,
            (Combine::Min | Combine::And, _) => u32::MAX,
            (Combine::Add | Combine::Max | Combine::Or, _) => 0,
        }
    }

    /// Combines the bits of two values.
    #[must_use]
    pub fn apply(self, word: Word, a: u32, b: u32) -> u32 {
        let floats = || (f32::from_bits(a), f32::from_bits(b));
        match (self, word) {
            (Combine::Add, Word::F32) => (floats().0 + floats().1).to_bits(),
            (Combine::Min, Word::F32) => floats().0.min(floats().1).to_bits(),
            (Combine::Max, Word::F32) => floats().0.max(floats().1).to_bits(),
            (Combine::Min, Word::I32) => (a as i32).min(b as i32) as u32,
            (Combine::Max, Word::I32) => (a as i32).max(b as i32) as u32,
            (Combine::Add, _) => a.wrapping_add(b),
            (Combine::Min, _) => a.min(b),
            (Combine::Max, _) => a.max(b),
            (Combine::Or, _) => a | b,
            (Combine::And, _) => a & b,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Word::U32 => "u32",
            Word::I32 => "i32",
            Word::F32 => "f32",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINES: [Combine; 5] = [
        Combine::Add,
        Combine::Min,
        Combine::Max,
        Combine::Or,
        Combine::And,
    ];
    const WORDS: [Word; 3] = [Word::U32, Word::I32, Word::F32];

    #[test]
    fn a_unit_owns_its_share_of_the_elements() {
        assert_eq!(
            Access::OneToOne.elements(Span::new(2, 5), 10, 40),
            Ok(Span::new(8, 20))
        );
    }

    #[test]
    fn a_halo_ends_at_the_ends_of_the_buffer() {
        let access = Access::Neighborhood(2);
        assert_eq!(
            access.elements(Span::new(0, 5), 10, 10),
            Ok(Span::new(0, 7))
        );
        assert_eq!(
            access.elements(Span::new(5, 10), 10, 10),
            Ok(Span::new(3, 10))
        );
    }

    #[test]
    fn an_empty_chunk_needs_no_halo() {
        let elements = Access::Neighborhood(1).elements(Span::new(5, 5), 10, 10);
        assert!(elements.is_ok_and(Span::is_empty));
    }

    #[test]
    fn an_uneven_share_is_refused_with_both_numbers() {
        let error = Access::OneToOne
            .elements(Span::new(0, 3), 10, 25)
            .unwrap_err();
        assert_eq!(
            error,
            Uneven {
                elements: 25,
                units: 10
            }
        );
        assert!(
            error.to_string().contains("25 elements") && error.to_string().contains("10 units")
        );
    }

    #[test]
    fn all_and_accumulate_touch_everything_whatever_the_length() {
        for access in [Access::All, Access::Accumulate(Combine::Add)] {
            assert_eq!(access.elements(Span::new(2, 3), 10, 7), Ok(Span::new(0, 7)));
        }
    }

    #[test]
    fn chunks_that_share_no_unit_share_no_element() {
        for extent in 1..12_u64 {
            for cut in 0..=extent {
                let own = |units| {
                    Access::OneToOne
                        .elements(units, extent, extent * 3)
                        .expect("it is even")
                };
                let (low, high) = (own(Span::new(0, cut)), own(Span::new(cut, extent)));
                assert!(!low.overlaps(high));
                assert_eq!(low.len() + high.len(), extent * 3);
            }
        }
    }

    #[test]
    fn the_identity_changes_nothing() {
        let values = [0_u32, 1, 7, i32::MAX as u32, i32::MIN as u32, u32::MAX];
        let floats = [0.0_f32, -0.0, 1.5, -3.0, f32::MAX, f32::INFINITY].map(f32::to_bits);
        for combine in COMBINES {
            for word in WORDS.into_iter().filter(|word| combine.suits(*word)) {
                for value in if word == Word::F32 { floats } else { values } {
                    assert_eq!(
                        combine.apply(word, combine.identity(word), value),
                        value,
                        "{combine:?} of {word}"
                    );
                }
            }
        }
    }

    #[test]
    fn signed_and_unsigned_words_compare_differently() {
        let minus_one = u32::MAX;
        assert_eq!(Combine::Max.apply(Word::U32, minus_one, 1), minus_one);
        assert_eq!(Combine::Max.apply(Word::I32, minus_one, 1), 1);
    }

    #[test]
    fn bitwise_operations_do_not_suit_floats() {
        assert!(!Combine::Or.suits(Word::F32) && !Combine::And.suits(Word::F32));
    }
}
