//! The interval map: a value for every index of `0..len`, kept as few runs of equal values as possible.
//!
//! Knows nothing of what the values mean; coherence and ordering are built on it.
//!
//! Invariant: the runs cover `0..len` without gap or overlap, none is empty, and neighbours differ.

use crate::span::Span;

/// A map from the indices `0..len` to values, stored as runs.
///
/// Finding a run costs a binary search; changing a span costs the runs it touches plus a shift of those behind it. Once
/// the storage has grown to the largest number of runs seen, no operation allocates for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntervalMap<V> {
    len: u64,
    /// Each run's start and value; it ends where the next begins.
    runs: Vec<(u64, V)>,
}

impl<V: Clone + PartialEq> IntervalMap<V> {
    /// A map of `0..len` in which every index has `value`.
    pub fn new(len: u64, value: V) -> Self {
        let runs = if len == 0 {
            Vec::new()
        } else {
            vec![(0, value)]
        };
        Self { len, runs }
    }

    /// How many indices the map covers.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the map covers nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many runs the map is stored as.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The runs that touch `span`, cut to it, in order.
    ///
    /// # Panics
    ///
    /// If `span` reaches past the map.
    pub fn overlapping(&self, span: Span) -> impl Iterator<Item = (Span, &V)> {
        self.check(span);
        let first = if span.is_empty() {
            self.runs.len()
        } else {
            self.run_at(span.start)
        };
        self.runs[first..]
            .iter()
            .enumerate()
            .take_while(move |(_, (start, _))| *start < span.end)
            .map(move |(i, (start, value))| {
                let run = Span::new(*start, self.end_of(first + i));
                (run.intersection(span), value)
            })
    }

    /// Gives every index of `span` the value `value`.
    ///
    /// # Panics
    ///
    /// If `span` reaches past the map.
    pub fn insert(&mut self, span: Span, value: V) {
        self.check(span);
        if span.is_empty() {
            return;
        }
        let (first, last) = self.cut(span);
        self.runs[first].1 = value;
        self.runs.drain(first + 1..last);
        self.merge(first, first + 1);
    }

    /// Changes the value of every run in `span`, cut to it, with `change`.
    ///
    /// # Panics
    ///
    /// If `span` reaches past the map.
    pub fn update(&mut self, span: Span, mut change: impl FnMut(Span, &mut V)) {
        self.check(span);
        if span.is_empty() {
            return;
        }
        let (first, last) = self.cut(span);
        for i in first..last {
            let run = Span::new(self.runs[i].0, self.end_of(i));
            change(run, &mut self.runs[i].1);
        }
        self.merge(first, last);
    }

    fn check(&self, span: Span) {
        assert!(
            span.end <= self.len,
            "{span} reaches past an interval map of {} indices",
            self.len
        );
    }

    fn run_at(&self, index: u64) -> usize {
        self.runs.partition_point(|(start, _)| *start <= index) - 1
    }

    fn end_of(&self, run: usize) -> u64 {
        self.runs.get(run + 1).map_or(self.len, |(start, _)| *start)
    }

    /// Makes `span` begin and end at run boundaries and returns the runs inside, half-open.
    fn cut(&mut self, span: Span) -> (usize, usize) {
        let first = self.cut_at(span.start);
        let last = if span.end == self.len {
            self.runs.len()
        } else {
            self.cut_at(span.end)
        };
        (first, last)
    }

    fn cut_at(&mut self, index: u64) -> usize {
        let run = self.run_at(index);
        if self.runs[run].0 == index {
            return run;
        }
        let value = self.runs[run].1.clone();
        self.runs.insert(run + 1, (index, value));
        run + 1
    }

    /// Joins equal neighbours among the runs `first..last` and the one on either side.
    fn merge(&mut self, first: usize, last: usize) {
        let from = first.saturating_sub(1);
        let to = (last + 1).min(self.runs.len());
        let mut kept = from;
        for i in from + 1..to {
            if self.runs[kept].1 != self.runs[i].1 {
                kept += 1;
                self.runs.swap(kept, i);
            }
        }
        self.runs.drain(kept + 1..to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listed(map: &IntervalMap<u8>) -> Vec<(Span, u8)> {
        map.overlapping(Span::new(0, map.len()))
            .map(|(span, value)| (span, *value))
            .collect()
    }

    #[test]
    fn equal_neighbours_become_one_run() {
        let mut map = IntervalMap::new(10, 0_u8);
        map.insert(Span::new(2, 4), 1);
        map.insert(Span::new(4, 6), 1);
        assert_eq!(
            listed(&map),
            [
                (Span::new(0, 2), 0),
                (Span::new(2, 6), 1),
                (Span::new(6, 10), 0)
            ]
        );
        map.insert(Span::new(2, 6), 0);
        assert_eq!(map.runs(), 1);
    }

    #[test]
    fn an_empty_map_has_no_runs() {
        let mut map = IntervalMap::new(0, 7_u8);
        map.insert(Span::new(0, 0), 3);
        assert!(map.is_empty());
        assert!(listed(&map).is_empty());
    }

    #[test]
    fn an_empty_span_overlaps_nothing() {
        let map = IntervalMap::new(5, 1_u8);
        assert_eq!(map.overlapping(Span::new(2, 2)).count(), 0);
        assert_eq!(map.overlapping(Span::new(5, 5)).count(), 0);
    }

    #[test]
    #[should_panic(expected = "reaches past")]
    fn a_span_past_the_end_is_a_bug() {
        IntervalMap::new(5, 1_u8).insert(Span::new(3, 6), 2);
    }

    proptest! {
        #[test]
        fn behaves_as_an_array_and_stays_minimal(
            len in 1_u64..40,
            changes in prop::collection::vec((0_u64..40, 0_u64..40, 0_u8..3, any::<bool>()), 0..40),
        ) {
            let mut map = IntervalMap::new(len, 0_u8);
            let mut array = vec![0_u8; len as usize];
            for (a, b, value, insert) in changes {
                let span = Span::new(a.min(b).min(len), a.max(b).min(len));
                if insert {
                    map.insert(span, value);
                    array[span.indices()].fill(value);
                } else {
                    map.update(span, |_, old| *old = (*old + value) % 3);
                    array[span.indices()].iter_mut().for_each(|old| *old = (*old + value) % 3);
                }
                let flat: Vec<u8> =
                    listed(&map).iter().flat_map(|(span, value)| vec![*value; span.len() as usize]).collect();
                prop_assert_eq!(&flat, &array);
                let boundaries = array.windows(2).filter(|pair| pair[0] != pair[1]).count();
                prop_assert_eq!(map.runs(), boundaries + 1);
            }
        }
    }
}
