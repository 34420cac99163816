//! The interval map: a value for every index of `0..len`, kept as few runs of equal values as possible.
//!
//! Knows nothing of what the values mean; coherence and ordering are built on it.
//!
//! Invariant: the runs cover `0..len` without gap or overlap, none is empty, and neighbours differ.

use crate::span::Span;

/// How many runs a block holds at most.
const MOST: usize = 32;

/// A map from every index of `0..len` to a value, stored as runs.
///
/// The runs are kept in blocks of bounded size, as in the leaves of a B-tree. Finding a run costs two binary searches;
/// changing a span costs the runs that it touches and a few moves within their blocks, however many runs there are; that a
/// block is cut in two or emptied is rare. Once the storage has grown to the largest number of runs seen, no operation
/// allocates for itself.
///
/// ```
/// use divvy::Span;
/// use divvy::interval::IntervalMap;
///
/// let mut map = IntervalMap::new(100, "host");
/// map.insert(Span::new(20, 50), "gpu");
/// map.update(Span::new(40, 60), |_, value| *value = "both");
/// let runs: Vec<_> = map.overlapping(Span::new(10, 55)).collect();
/// assert_eq!(runs[0], (Span::new(10, 20), &"host"));
/// assert_eq!(runs[1], (Span::new(20, 40), &"gpu"));
/// assert_eq!(runs[2], (Span::new(40, 55), &"both"));
/// ```
#[derive(Clone, Debug)]
pub struct IntervalMap<V> {
    len: u64,
    /// Each run's start and value; it ends where the next begins. No block is empty.
    blocks: Vec<Vec<(u64, V)>>,
    /// Where each block begins, side by side for the search.
    firsts: Vec<u64>,
    /// The block that was changed last: the next change is most often near it.
    near: usize,
    /// Blocks that were emptied, for their storage.
    spare: Vec<Vec<(u64, V)>>,
}

/// The place of a run: its block, and its place in it.
type Place = (usize, usize);

impl<V: PartialEq> PartialEq for IntervalMap<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len
            && self
                .blocks
                .iter()
                .flatten()
                .eq(other.blocks.iter().flatten())
    }
}

impl<V: Eq> Eq for IntervalMap<V> {}

impl<V: Clone + PartialEq> IntervalMap<V> {
    /// A map of `0..len` in which every index has `value`.
    pub fn new(len: u64, value: V) -> Self {
        let mut map = Self {
            len,
            blocks: Vec::new(),
            firsts: Vec::new(),
            near: 0,
            spare: Vec::new(),
        };
        if len > 0 {
            let mut block = map.block();
            block.push((0, value));
            map.blocks.push(block);
            map.firsts.push(0);
        }
        map
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
        self.blocks.iter().map(Vec::len).sum()
    }

    /// The value of all indices, if the map is stored as one run.
    pub fn only(&self) -> Option<&V> {
        match self.blocks.as_slice() {
            [block] if block.len() == 1 => Some(&block[0].1),
            _ => None,
        }
    }

    /// The runs that touch `span`, cut to it, in order.
    ///
    /// # Panics
    ///
    /// If `span` reaches past the map.
    pub fn overlapping(&self, span: Span) -> impl Iterator<Item = (Span, &V)> {
        self.check(span);
        let mut place = (!span.is_empty()).then(|| self.find(span.start));
        std::iter::from_fn(move || {
            let at = place?;
            count(1);
            let (start, value) = &self.blocks[at.0][at.1];
            place = self.after(at);
            let end = place.map_or(self.len, |next| self.start(next));
            if end >= span.end {
                place = None;
            }
            Some((Span::new(*start, end).intersection(span), value))
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
        self.cut_at(span.end);
        let first = self.cut_at(span.start);
        self.blocks[first.0][first.1].1 = value;
        while let Some(next) = self.after(first) {
            if self.start(next) >= span.end {
                break;
            }
            let block = &self.blocks[next.0];
            // A block that lies inside as a whole goes as a whole.
            if next.1 == 0 && block[block.len() - 1].0 < span.end {
                self.drop_block(next.0);
            } else {
                self.remove(next);
            }
        }
        self.merge(first, span.end);
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
        self.cut_at(span.end);
        let first = self.cut_at(span.start);
        let mut place = first;
        loop {
            count(1);
            let next = self.after(place);
            let end = next.map_or(self.len, |next| self.start(next));
            let (start, value) = &mut self.blocks[place.0][place.1];
            change(Span::new(*start, end), value);
            match next {
                Some(next) if end < span.end => place = next,
                _ => break,
            }
        }
        self.merge(first, span.end);
    }

    fn check(&self, span: Span) {
        assert!(
            span.end <= self.len,
            "{span} reaches past an interval map of {} indices",
            self.len
        );
    }

    fn start(&self, place: Place) -> u64 {
        self.blocks[place.0][place.1].0
    }

    /// The run that has an index.
    fn find(&self, index: u64) -> Place {
        let is_in = |block: &usize| {
            let next = self.firsts.get(block + 1);
            self.firsts.get(*block).is_some_and(|first| *first <= index)
                && next.is_none_or(|next| index < *next)
        };
        let near = [self.near, self.near + 1].into_iter().find(is_in);
        let block =
            near.unwrap_or_else(|| self.firsts.partition_point(|first| *first <= index) - 1);
        let run = self.blocks[block].partition_point(|(start, _)| *start <= index) - 1;
        (block, run)
    }

    fn after(&self, (block, run): Place) -> Option<Place> {
        if run + 1 < self.blocks[block].len() {
            Some((block, run + 1))
        } else {
            (block + 1 < self.blocks.len()).then_some((block + 1, 0))
        }
    }

    fn before(&self, (block, run): Place) -> Option<Place> {
        if run > 0 {
            Some((block, run - 1))
        } else {
            (block > 0).then(|| (block - 1, self.blocks[block - 1].len() - 1))
        }
    }

    /// Makes a run begin at an index, if the map has it, and returns its place.
    fn cut_at(&mut self, index: u64) -> Place {
        if index == self.len {
            return (self.blocks.len(), 0);
        }
        let (block, run) = self.find(index);
        self.near = block;
        let (start, value) = &self.blocks[block][run];
        if *start == index {
            return (block, run);
        }
        let cut = (index, value.clone());
        count(self.blocks[block].len() - run);
        self.blocks[block].insert(run + 1, cut);
        if self.blocks[block].len() <= MOST {
            return (block, run + 1);
        }
        let mut upper = self.block();
        upper.extend(self.blocks[block].drain(MOST / 2..));
        count(MOST / 2 + self.blocks.len() - block);
        self.firsts.insert(block + 1, upper[0].0);
        self.blocks.insert(block + 1, upper);
        if run + 1 < MOST / 2 {
            (block, run + 1)
        } else {
            (block + 1, run + 1 - MOST / 2)
        }
    }

    /// Joins equal neighbours among the run at `first`, those after it that begin up to `end`, and the one before it.
    fn merge(&mut self, first: Place, end: u64) {
        let mut place = self.before(first).unwrap_or(first);
        while let Some(next) = self.after(place) {
            count(1);
            if self.start(next) > end {
                break;
            }
            if self.blocks[place.0][place.1].1 == self.blocks[next.0][next.1].1 {
                self.remove(next);
            } else {
                place = next;
            }
        }
    }

    fn remove(&mut self, (block, run): Place) {
        count(self.blocks[block].len() - run);
        if self.blocks[block].len() == 1 {
            self.drop_block(block);
        } else {
            self.blocks[block].remove(run);
            self.firsts[block] = self.blocks[block][0].0;
        }
    }

    fn drop_block(&mut self, block: usize) {
        count(self.blocks.len() - block);
        self.firsts.remove(block);
        let mut block = self.blocks.remove(block);
        block.clear();
        self.spare.push(block);
    }

    /// An empty block with room for all that a block may hold.
    fn block(&mut self) -> Vec<(u64, V)> {
        let spare = self.spare.pop();
        spare.unwrap_or_else(|| Vec::with_capacity(MOST + 1))
    }
}

/// Notes that so many runs or blocks were looked at or moved.
#[cfg(not(test))]
fn count(_: usize) {}

#[cfg(test)]
thread_local! {
    /// Runs and blocks that were looked at or moved on this thread.
    pub(crate) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn count(steps: usize) {
    STEPS.set(STEPS.get() + steps);
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

    #[test]
    fn a_change_costs_the_same_however_many_runs_there_are() {
        let steps = |runs: u64| {
            let mut map = IntervalMap::new(runs * 10, 0_u64);
            (0..runs).for_each(|i| map.insert(Span::new(i * 10, i * 10 + 10), i));
            let before = STEPS.get();
            for i in 0..runs {
                let place = i * 7919 % runs * 10;
                map.insert(Span::new(place + 3, place + 6), runs + i);
                map.insert(Span::new(place, place + 10), i);
            }
            (STEPS.get() - before) as f64 / runs as f64
        };
        let (few, many) = (steps(1_000), steps(30_000));
        assert!(many < few * 1.5, "{few} {many}");
    }

    proptest! {
        #[test]
        fn behaves_as_an_array_and_stays_minimal(
            len in prop_oneof![1_u64..40, 1_u64..400],
            changes in prop::collection::vec((0_u64..400, 0_u64..400, 0_u8..3, any::<bool>()), 0..400),
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
                prop_assert!(map.blocks.iter().all(|block| (1..=MOST).contains(&block.len())));
                let flat: Vec<u8> =
                    listed(&map).iter().flat_map(|(span, value)| vec![*value; span.len() as usize]).collect();
                prop_assert_eq!(&flat, &array);
                let boundaries = array.windows(2).filter(|pair| pair[0] != pair[1]).count();
                prop_assert_eq!(map.runs(), boundaries + 1);
            }
        }
    }
}
