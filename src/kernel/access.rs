//! Access patterns: how the indices of a chunk map to the elements of a buffer.
//!
//! Arithmetic on declarations; proving a pattern from the code is another file's affair.
//!
//! Invariant: two disjoint chunks never map to a common element of a binding that is written, but for `Accumulate`.

use crate::span::Span;
use smallvec::SmallVec;
use std::any::TypeId;
use std::fmt;

/// Which elements of a buffer a chunk touches.
///
/// A buffer belongs to a range as rows belong to an image: its length divided by the extent of the range's slowest
/// dimension is the number of elements that one unit of that dimension owns.
///
/// [`guide::patterns`](crate::guide::patterns) has a kernel for each.
///
/// ```
/// use divvy::{Access, Span};
///
/// // Of an image of 100 rows with 640 pixels each, rows 20 to 50 and one on either side.
/// let rows = Access::Neighborhood(1).elements(Span::new(20, 50), 100, 100 * 640)?;
/// assert_eq!(rows, 19 * 640..51 * 640);
/// # Ok::<(), divvy::kernel::Uneven>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Each unit of the slowest dimension touches the elements it owns and no others. May be read and written.
    ///
    /// In a range that is shorter than the buffer a unit owns several elements, so that a kernel that leaves the rest of the
    /// buffer alone isn't `OneToOne`: declare nothing for it.
    OneToOne,
    /// Each unit reads the elements it owns and those of this many units on either side, as far as there are any: the
    /// halo of a stencil. Read only.
    Neighborhood(u64),
    /// As [`Access::Neighborhood`], but the first unit and the last are neighbours too: the halo of a stencil on a ring or
    /// on a torus. Read only.
    Wrapped(u64),
    /// Each block of units touches elements at a distance of its own: one for each workgroup, rows with a halo that is no
    /// whole unit, elements that several invocations share. May be read, and written where no two blocks meet.
    Strided(Strided),
    /// Every invocation may read every element. Read only.
    All,
    /// Every invocation may combine a value into every element, with an operation whose order doesn't matter, and
    /// doesn't use what it finds there. Each device gets a private copy that starts at the operation's identity; the
    /// runtime combines the copies into what was there.
    ///
    /// They are combined as what they are declared in the WGSL. Floats that are kept as the bits of an `atomic<u32>` would be
    /// combined as integers: that is refused for [`Combine::Add`] where the code shows it, in a loop of
    /// `atomicCompareExchangeWeak` with a `bitcast`, and wrong where it doesn't. The least and the greatest of such bits are
    /// right for floats that aren't negative.
    Accumulate(Combine),
}

/// Elements of blocks of units: block `b` touches the elements from `stride * b + from` to before `stride * b + to`, as far
/// as the buffer has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strided {
    /// Units of the range's slowest dimension in a block. Chunks are cut between blocks, so the workgroup is a multiple of
    /// this many units. What is proven of a binding that is only read may have blocks of several workgroups: a chunk that
    /// ends within one reads all of it.
    pub units: u64,
    /// Elements from those of one block to those of the next; negative if they come the other way around.
    pub stride: i64,
    /// Where the elements of the first block begin.
    pub from: i64,
    /// Where they end.
    pub to: i64,
}

impl Strided {
    /// Whether no two blocks touch a common element, so that it may be written.
    #[must_use]
    pub fn is_disjoint(&self) -> bool {
        i128::from(self.to) - i128::from(self.from) <= i128::from(self.stride).abs()
    }

    /// The elements that the blocks of `units` touch in a buffer of `elements`.
    fn elements(&self, units: Span, elements: u64) -> Span {
        if units.is_empty() || self.units == 0 {
            return Span::new(0, 0);
        }
        let (stride, len) = (i128::from(self.stride), i128::from(elements));
        let first = stride * i128::from(units.start / self.units);
        let last = stride * i128::from((units.end - 1) / self.units);
        let start = (first.min(last) + i128::from(self.from)).clamp(0, len);
        let end = (first.max(last) + i128::from(self.to)).clamp(start, len);
        Span::new(start as u64, end as u64)
    }

    /// The pattern where so many elements are counted as one, if it can be said in those.
    pub(crate) fn in_groups_of(&self, together: u64) -> Option<Self> {
        let together = together as i64;
        let divided = |number: i64| (number % together == 0).then(|| number / together);
        Some(Self {
            units: self.units,
            stride: divided(self.stride)?,
            from: divided(self.from)?,
            to: divided(self.to)?,
        })
    }
}

/// The elements that a chunk touches: one span, or two where a halo goes around the end.
pub type Pieces = SmallVec<[Span; 2]>;

/// The operations that [`Access::Accumulate`] combines values with.
///
/// ```
/// use divvy::{Access, Combine, Kernel};
///
/// let kernel = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> least: array<atomic<u32>>;
///      @compute @workgroup_size(64)
///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { atomicMin(&least[0], id.x); }",
/// )?;
/// // What is declared here would be proven as well.
/// kernel.access("least", Access::Accumulate(Combine::Min))?;
/// # Ok::<(), divvy::KernelError>(())
/// ```
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
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{elements} elements can't be shared evenly among {units} units of the range's slowest dimension; \
     give the buffer a multiple of {units} elements, or declare another pattern, or none, so that one is proven"
)]
pub struct Uneven {
    /// How many elements the buffer has.
    pub elements: u64,
    /// The extent of the range's slowest dimension.
    pub units: u64,
}

debug_is_message!(Uneven);

impl Access {
    /// The elements that a chunk of `units` touches in a buffer of `elements`, in a range whose slowest dimension has
    /// `extent` units.
    ///
    /// # Errors
    ///
    /// If the pattern needs the elements to be shared evenly among the units, and they aren't.
    pub fn elements(self, units: Span, extent: u64, elements: u64) -> Result<Span, Uneven> {
        let pieces = self.pieces(units, extent, elements)?;
        Ok(match pieces.as_slice() {
            [] => Span::new(0, 0),
            [only] => *only,
            [first, .., last] => Span::new(first.start, last.end),
        })
    }

    /// As [`Access::elements`], in as many spans as it takes to leave out what lies between. They don't overlap, and are in
    /// order.
    ///
    /// # Errors
    ///
    /// If the pattern needs the elements to be shared evenly among the units, and they aren't.
    pub fn pieces(self, units: Span, extent: u64, elements: u64) -> Result<Pieces, Uneven> {
        let halo = match self {
            Access::OneToOne => 0,
            Access::Neighborhood(halo) | Access::Wrapped(halo) => halo,
            Access::All | Access::Accumulate(_) => {
                return Ok(Pieces::from_slice(&[Span::new(0, elements)]));
            }
            Access::Strided(strided) => {
                return Ok(Pieces::from_slice(&[strided.elements(units, elements)]));
            }
        };
        if extent == 0 || !elements.is_multiple_of(extent) {
            return Err(Uneven {
                elements,
                units: extent,
            });
        }
        let all = Span::new(0, extent);
        let mut touched = Pieces::new();
        let is_around = matches!(self, Access::Wrapped(_));
        if units.is_empty() {
            touched.push(units);
        } else if is_around && halo.saturating_mul(2).saturating_add(units.len()) >= extent {
            touched.push(all);
        } else if is_around && units.start < halo {
            touched.push(Span::new(0, units.end + halo));
            touched.push(Span::new(units.start + extent - halo, extent));
        } else if is_around && units.end + halo > extent {
            touched.push(Span::new(0, units.end + halo - extent));
            touched.push(Span::new(units.start - halo, extent));
        } else {
            touched.push(units.grown(halo, all));
        }
        for piece in &mut touched {
            *piece = piece.scaled(elements / extent);
        }
        Ok(touched)
    }

    /// Whether a buffer that is written may have the pattern: no element is given to two chunks.
    #[must_use]
    pub fn may_be_written(self) -> bool {
        match self {
            Access::OneToOne | Access::Accumulate(_) => true,
            Access::Strided(strided) => strided.is_disjoint(),
            Access::Neighborhood(_) | Access::Wrapped(_) | Access::All => false,
        }
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

impl Word {
    /// The scalar that a Rust type is, if it is one.
    pub(crate) fn of<T: 'static>() -> Option<Self> {
        let known = [
            (TypeId::of::<u32>(), Word::U32),
            (TypeId::of::<i32>(), Word::I32),
            (TypeId::of::<f32>(), Word::F32),
        ];
        let found = known.iter().find(|(id, _)| *id == TypeId::of::<T>());
        found.map(|(_, word)| *word)
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
    fn a_halo_goes_around_the_end() {
        let pieces = |units: Span| {
            Access::Wrapped(2)
                .pieces(units, 10, 20)
                .map(Pieces::into_vec)
        };
        assert_eq!(
            pieces(Span::new(0, 3)),
            Ok(vec![Span::new(0, 10), Span::new(16, 20)])
        );
        assert_eq!(
            pieces(Span::new(7, 10)),
            Ok(vec![Span::new(0, 4), Span::new(10, 20)])
        );
        assert_eq!(pieces(Span::new(3, 6)), Ok(vec![Span::new(2, 16)]));
        assert_eq!(pieces(Span::new(1, 8)), Ok(vec![Span::new(0, 20)]));
        assert_eq!(
            Access::Wrapped(2).elements(Span::new(0, 3), 10, 20),
            Ok(Span::new(0, 20))
        );
    }

    #[test]
    fn blocks_touch_their_own_and_what_is_beside_it() {
        let sums = Strided {
            units: 64,
            stride: 1,
            from: 0,
            to: 1,
        };
        assert!(sums.is_disjoint());
        let elements = |strided, units| Access::Strided(strided).elements(units, 1000, 16);
        assert_eq!(elements(sums, Span::new(128, 256)), Ok(Span::new(2, 4)));
        assert_eq!(elements(sums, Span::new(960, 1000)), Ok(Span::new(15, 16)));
        let reversed = Strided {
            units: 500,
            stride: -8,
            from: 8,
            to: 16,
        };
        assert_eq!(elements(reversed, Span::new(0, 500)), Ok(Span::new(8, 16)));
        assert_eq!(
            elements(reversed, Span::new(500, 1000)),
            Ok(Span::new(0, 8))
        );
        let wide = Strided {
            units: 500,
            stride: 8,
            from: -1,
            to: 9,
        };
        assert!(!wide.is_disjoint());
        assert_eq!(elements(wide, Span::new(0, 500)), Ok(Span::new(0, 9)));
    }

    #[test]
    fn a_chunk_that_ends_within_a_block_touches_all_of_it() {
        let pairs = Access::Strided(Strided {
            units: 256,
            stride: 256,
            from: 0,
            to: 256,
        });
        let elements = |units| pairs.elements(units, 1024, 1024);
        assert_eq!(elements(Span::new(0, 256)), Ok(Span::new(0, 256)));
        assert_eq!(elements(Span::new(192, 320)), Ok(Span::new(0, 512)));
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
        // What is written can't be `All`.
        assert!(!error.to_string().contains("All"), "{error}");
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
