//! Half-open ranges of elements, bytes or units of an index space.
//!
//! Arithmetic only; what the numbers count is the user's affair and is said where a span is stored.
//!
//! Invariant: `start <= end`.

use std::fmt;

/// The half-open range `start..end`.
///
/// ```
/// use divvy::Span;
///
/// let rows = Span::new(20, 50);
/// assert_eq!(rows.grown(1, Span::new(0, 100)), 19..51); // with a halo
/// assert_eq!(rows.scaled(640), 12_800..32_000); // in elements
/// assert!(!rows.overlaps(Span::new(50, 60)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Span {
    /// The first index inside.
    pub start: u64,
    /// The first index past the end.
    pub end: u64,
}

impl Span {
    /// The span `start..end`.
    ///
    /// # Panics
    ///
    /// If `start > end`.
    #[must_use]
    pub const fn new(start: u64, end: u64) -> Self {
        assert!(start <= end, "a span ends at or after its start");
        Self { start, end }
    }

    /// How many indices lie inside.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether no index lies inside.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether every index of `other` lies inside.
    #[must_use]
    pub const fn contains(self, other: Span) -> bool {
        other.is_empty() || (self.start <= other.start && other.end <= self.end)
    }

    /// Whether the two share an index.
    #[must_use]
    pub fn overlaps(self, other: Span) -> bool {
        !self.intersection(other).is_empty()
    }

    /// The indices in both; empty, at the larger start, where there is none.
    #[must_use]
    pub fn intersection(self, other: Span) -> Span {
        let start = self.start.max(other.start);
        Span {
            start,
            end: self.end.min(other.end).max(start),
        }
    }

    /// Grown by `by` on both sides and cut to `bounds`.
    #[must_use]
    pub fn grown(self, by: u64, bounds: Span) -> Span {
        Span {
            start: self.start.saturating_sub(by).max(bounds.start),
            end: self.end.saturating_add(by).min(bounds.end),
        }
    }

    /// Every index times `factor`: units to elements, elements to bytes.
    #[must_use]
    pub const fn scaled(self, factor: u64) -> Span {
        Span {
            start: self.start * factor,
            end: self.end * factor,
        }
    }

    /// As a range for indexing.
    #[must_use]
    pub const fn indices(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl From<std::ops::Range<u64>> for Span {
    fn from(range: std::ops::Range<u64>) -> Self {
        Self::new(range.start, range.end)
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self::new(range.start as u64, range.end as u64)
    }
}

impl PartialEq<std::ops::Range<u64>> for Span {
    fn eq(&self, other: &std::ops::Range<u64>) -> bool {
        self.start == other.start && self.end == other.end
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersection_of_disjoint_spans_is_empty() {
        assert!(Span::new(0, 4).intersection(Span::new(6, 9)).is_empty());
        assert!(!Span::new(0, 4).overlaps(Span::new(4, 9)));
    }

    #[test]
    fn growth_stops_at_the_bounds() {
        assert_eq!(Span::new(2, 5).grown(3, Span::new(0, 7)), 0..7);
        assert_eq!(Span::new(2, 5).grown(u64::MAX, Span::new(1, 7)), 1..7);
    }
}
