//! The index space of a dispatch, and the chunk of it that one device runs.
//!
//! Knows dimensions, grains and units; what the indices mean to a buffer is `kernel::access`'s affair.
//!
//! Invariant: a range has one to three dimensions and no extent is zero (an empty range is refused at bind time).

use crate::span::Span;
use std::fmt;

/// An index space of one, two or three dimensions, counted in invocations, `x` first.
///
/// As everywhere in WebGPU the kernel runs in whole workgroups: where an extent is no multiple of the workgroup's, the
/// last workgroup has invocations past it, and the kernel returns early in those.
///
/// ```
/// use divvy::Range;
/// assert_eq!(Range::from(1000_usize).invocations(), 1000);
/// assert_eq!(Range::from([64, 32]).to_string(), "64 x 32");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// Invocations along x, y and z; 1 in dimensions that the range doesn't have.
    extents: [u64; 3],
    dimensions: u8,
}

impl Range {
    /// Invocations along x, y and z; 1 in dimensions that the range doesn't have.
    #[must_use]
    pub fn extents(&self) -> [u64; 3] {
        self.extents
    }

    /// How many dimensions the range was given with: 1, 2 or 3.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        usize::from(self.dimensions)
    }

    /// Invocations in all.
    #[must_use]
    pub fn invocations(&self) -> u64 {
        self.extents
            .iter()
            .fold(1, |product, &extent| product.saturating_mul(extent))
    }

    /// The dimension that a dispatch is split along: the last one, not counting trailing dimensions in which both the
    /// range and the workgroup are one invocation thick.
    #[must_use]
    pub fn slowest(&self, workgroup: [u32; 3]) -> usize {
        let mut slowest = self.dimensions() - 1;
        while slowest > 0 && self.extents[slowest] == 1 && workgroup[slowest] == 1 {
            slowest -= 1;
        }
        slowest
    }

    /// Workgroups along x, y and z, the last of each dimension possibly ragged.
    #[must_use]
    pub fn workgroups(&self, workgroup: [u32; 3]) -> [u64; 3] {
        std::array::from_fn(|d| self.extents[d].div_ceil(u64::from(workgroup[d])))
    }
}

macro_rules! range_from {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Range {
            fn from(x: $integer) -> Self {
                Self { extents: [x as u64, 1, 1], dimensions: 1 }
            }
        }
        impl From<[$integer; 1]> for Range {
            fn from([x]: [$integer; 1]) -> Self {
                Self { extents: [x as u64, 1, 1], dimensions: 1 }
            }
        }
        impl From<[$integer; 2]> for Range {
            fn from([x, y]: [$integer; 2]) -> Self {
                Self { extents: [x as u64, y as u64, 1], dimensions: 2 }
            }
        }
        impl From<[$integer; 3]> for Range {
            fn from([x, y, z]: [$integer; 3]) -> Self {
                Self { extents: [x as u64, y as u64, z as u64], dimensions: 3 }
            }
        }
    )*};
}
range_from!(u32, u64, usize);

impl From<i32> for Range {
    /// For integer literals. A negative number is the empty range, which a dispatch refuses.
    fn from(x: i32) -> Self {
        Self::from(x.max(0) as u64)
    }
}

impl From<[i32; 1]> for Range {
    fn from(extents: [i32; 1]) -> Self {
        Self::from(extents.map(|extent| extent.max(0) as u64))
    }
}

impl From<[i32; 2]> for Range {
    fn from(extents: [i32; 2]) -> Self {
        Self::from(extents.map(|extent| extent.max(0) as u64))
    }
}

impl From<[i32; 3]> for Range {
    fn from(extents: [i32; 3]) -> Self {
        Self::from(extents.map(|extent| extent.max(0) as u64))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.extents[0])?;
        for extent in &self.extents[1..self.dimensions()] {
            write!(f, " x {extent}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Range({self})")
    }
}

/// The part of a dispatch that one device runs: whole layers of the range along its slowest dimension.
///
/// ```
/// use divvy::{Chunk, Range, Span};
///
/// // The second half of an image of 640 x 480, computed in workgroups of 8 x 8.
/// let whole = Chunk::whole(Range::from([640, 480]), [8, 8, 1]);
/// let half = Chunk { units: Span::new(240, 480), ..whole };
/// assert_eq!(half.invocations(), 640 * 240);
/// assert_eq!(half.first_workgroup([8, 8, 1]), [0, 30, 0]);
/// assert_eq!(half.workgroups([8, 8, 1]), [80, 30, 1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The undivided range.
    pub range: Range,
    /// The dimension that the range is split along.
    pub slowest: usize,
    /// Which units of the slowest dimension are in the chunk. Starts on a workgroup boundary; ends on one, or at the
    /// range's end.
    pub units: Span,
}

impl Chunk {
    /// The whole range as one chunk, for a kernel with these workgroups.
    #[must_use]
    pub fn whole(range: Range, workgroup: [u32; 3]) -> Self {
        let slowest = range.slowest(workgroup);
        Self {
            range,
            slowest,
            units: Span::new(0, range.extents()[slowest]),
        }
    }

    /// Invocations of the range inside the chunk.
    #[must_use]
    pub fn invocations(&self) -> u64 {
        self.units.len() * self.invocations_per_unit()
    }

    /// Invocations of the range in one unit of the slowest dimension.
    #[must_use]
    pub fn invocations_per_unit(&self) -> u64 {
        self.range.invocations() / self.range.extents()[self.slowest]
    }

    /// The chunk's first workgroup in the undivided dispatch.
    #[must_use]
    pub fn first_workgroup(&self, workgroup: [u32; 3]) -> [u64; 3] {
        let mut first = [0; 3];
        first[self.slowest] = self.units.start / u64::from(workgroup[self.slowest]);
        first
    }

    /// How many workgroups the chunk has along x, y and z.
    #[must_use]
    pub fn workgroups(&self, workgroup: [u32; 3]) -> [u64; 3] {
        let mut count = self.range.workgroups(workgroup);
        let size = u64::from(workgroup[self.slowest]);
        count[self.slowest] = self.units.end.div_ceil(size) - self.units.start / size;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_any_dimensions_are_ranges() {
        assert_eq!(Range::from([64]), Range::from(64));
        assert_eq!(Range::from([64]).dimensions(), 1);
        assert_eq!(Range::from([-1]).invocations(), 0);
    }

    #[test]
    fn trailing_ones_do_not_hide_the_dimension_to_split() {
        assert_eq!(Range::from([100, 1, 1]).slowest([64, 1, 1]), 0);
        assert_eq!(Range::from([100, 1]).slowest([16, 16, 1]), 1);
        assert_eq!(Range::from([100, 5, 1]).slowest([8, 8, 1]), 1);
    }

    #[test]
    fn chunks_count_the_ragged_workgroup() {
        let chunk = Chunk {
            range: Range::from([10, 100]),
            slowest: 1,
            units: Span::new(64, 100),
        };
        assert_eq!(chunk.workgroups([8, 16, 1]), [2, 3, 1]);
        assert_eq!(chunk.first_workgroup([8, 16, 1]), [0, 4, 0]);
        assert_eq!(chunk.invocations(), 360);
    }
}
