//! Which memory holds the newest bytes of a buffer.
//!
//! Answers "what must be copied before this chunk may start"; it does not copy, allocate or wait.
//!
//! Invariant: every element of a buffer is fresh, current in at least one memory, or lost, and never two of these.

use crate::id::MemoryId;
use crate::interval::IntervalMap;
use crate::span::Span;
use smallvec::SmallVec;

/// Where the newest value of some elements lies.
#[derive(Debug, PartialEq, Eq)]
enum Newest {
    /// Never written. Memories hand out zeroed buffers, so every one of them holds the newest value: zero.
    Fresh,
    /// In these memories, sorted by id. Four fit without an allocation: a chunk, its halo's readers and the host.
    In(SmallVec<[MemoryId; 4]>),
    /// Nowhere: the only memory that had it is gone, or the work that wrote it failed.
    Lost,
}

impl Clone for Newest {
    /// By copying the list as a whole: cutting a run in two clones.
    fn clone(&self) -> Self {
        match self {
            Self::Fresh => Self::Fresh,
            Self::In(memories) => Self::In(SmallVec::from_slice(memories)),
            Self::Lost => Self::Lost,
        }
    }
}

/// A copy that must happen before some work may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingSpan {
    /// The memory to copy from.
    pub source: MemoryId,
    /// The elements to copy.
    pub span: Span,
}

/// Elements whose newest value is in no memory any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostSpan(
    /// The first such elements that were met.
    pub Span,
);

/// The coherence of one buffer: for each element, the memories that hold its newest value.
///
/// ```
/// use divvy::Span;
/// use divvy::buffer::Coherence;
/// use divvy::id::MemoryId;
///
/// let gpu = MemoryId(1);
/// let mut rows = Coherence::fresh(100);
/// rows.written(MemoryId::HOST, Span::new(0, 60));
/// rows.written(gpu, Span::new(60, 100));
///
/// // A chunk of the GPU from row 60 on, which reads a row on either side, lacks one of them.
/// let mut missing = Vec::new();
/// rows.missing(gpu, Span::new(59, 100), &mut missing).expect("nothing is lost");
/// assert_eq!((missing[0].source, missing[0].span), (MemoryId::HOST, Span::new(59, 60)));
/// rows.copied(gpu, Span::new(59, 60));
/// assert_eq!(rows.count_missing(gpu, Span::new(59, 100)), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coherence {
    newest: IntervalMap<Newest>,
    /// Whether some elements may be lost: where none are, nobody has to look for them.
    may_have_lost: bool,
}

impl Coherence {
    /// Of a buffer with `len` elements, all zero, that nobody has written yet: current in every memory.
    #[must_use]
    pub fn fresh(len: u64) -> Self {
        Self {
            newest: IntervalMap::new(len, Newest::Fresh),
            may_have_lost: false,
        }
    }

    /// How many elements the buffer has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.newest.len()
    }

    /// Whether the buffer has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// Appends to `missing` what `memory` lacks of `span`, in order; neighbours from one source become one copy.
    ///
    /// The source is the host where it is current there, since every memory can copy from the host directly; the memory
    /// with the lowest id otherwise.
    ///
    /// # Errors
    ///
    /// If some of the elements are lost. `missing` is then as it was.
    pub fn missing(
        &self,
        memory: MemoryId,
        span: Span,
        missing: &mut Vec<MissingSpan>,
    ) -> Result<(), LostSpan> {
        let before = missing.len();
        for (run, newest) in self.newest.overlapping(span) {
            let source = match newest {
                Newest::Fresh => continue,
                Newest::Lost => {
                    missing.truncate(before);
                    return Err(LostSpan(run));
                }
                Newest::In(memories) if memories.contains(&memory) => continue,
                Newest::In(memories) => memories[0],
            };
            match missing[before..].last_mut() {
                Some(last) if last.source == source && last.span.end == run.start => {
                    last.span.end = run.end
                }
                _ => missing.push(MissingSpan { source, span: run }),
            }
        }
        Ok(())
    }

    /// How many elements of `span` the memory would have to be sent. Lost elements count as missing.
    #[must_use]
    pub fn count_missing(&self, memory: MemoryId, span: Span) -> u64 {
        let lacks = |newest: &Newest| match newest {
            Newest::Fresh => false,
            Newest::In(memories) => !memories.contains(&memory),
            Newest::Lost => true,
        };
        self.newest
            .overlapping(span)
            .filter(|(_, newest)| lacks(newest))
            .map(|(run, _)| run.len())
            .sum()
    }

    /// Whether a glance shows that a memory lacks nothing: one that holds all may still be said not to.
    pub(crate) fn is_seen_to_be_held(&self, memory: MemoryId) -> bool {
        match self.newest.only() {
            Some(Newest::Fresh) => true,
            Some(Newest::In(memories)) => memories.contains(&memory),
            Some(Newest::Lost) | None => false,
        }
    }

    /// Calls `each` with how many elements of `span` the same memories hold, and those memories; none for lost elements.
    /// Fresh elements, which every memory holds, are left out.
    pub fn holders(&self, span: Span, mut each: impl FnMut(u64, &[MemoryId])) {
        for (run, newest) in self.newest.overlapping(span) {
            match newest {
                Newest::Fresh => {}
                Newest::In(memories) => each(run.len(), memories),
                Newest::Lost => each(run.len(), &[]),
            }
        }
    }

    /// The first lost elements of `span`.
    #[must_use]
    pub fn first_lost(&self, span: Span) -> Option<Span> {
        if !self.may_have_lost {
            return None;
        }
        self.newest
            .overlapping(span)
            .find(|(_, newest)| **newest == Newest::Lost)
            .map(|(run, _)| run)
    }

    /// Records that `memory` was sent `span` and now holds the newest value too.
    ///
    /// Fresh and lost elements stay what they are: there was nothing to send.
    pub fn copied(&mut self, memory: MemoryId, span: Span) {
        self.newest.update(span, |_, newest| {
            if let Newest::In(memories) = newest
                && let Err(place) = memories.binary_search(&memory)
            {
                memories.insert(place, memory);
            }
        });
    }

    /// Records that work in `memory` wrote `span`: every other memory's elements are old now.
    pub fn written(&mut self, memory: MemoryId, span: Span) {
        self.newest
            .insert(span, Newest::In(SmallVec::from_slice(&[memory])));
    }

    /// Records that `span` holds nothing that can be relied on, until it is written again.
    pub fn spoiled(&mut self, span: Span) {
        self.may_have_lost = true;
        self.newest.insert(span, Newest::Lost);
    }

    /// Records that work which failed may have changed `span` in `memory`: what no other memory holds is lost.
    pub fn dirtied(&mut self, memory: MemoryId, span: Span) {
        self.may_have_lost = true;
        self.newest.update(span, |_, newest| match newest {
            // The host still has the zeros. Others have too, but they can't all be listed here.
            Newest::Fresh if memory != MemoryId::HOST => {
                *newest = Newest::In(SmallVec::from_slice(&[MemoryId::HOST]))
            }
            Newest::Fresh => *newest = Newest::Lost,
            Newest::In(memories) => {
                memories.retain(|held| *held != memory);
                if memories.is_empty() {
                    *newest = Newest::Lost;
                }
            }
            Newest::Lost => {}
        });
    }

    /// Forgets `memory`, which is gone, and returns the spans that no other memory holds: they are lost.
    pub fn drop_memory(&mut self, memory: MemoryId) -> Vec<Span> {
        let mut lost = Vec::new();
        self.may_have_lost = true;
        self.newest.update(Span::new(0, self.len()), |run, newest| {
            let Newest::In(memories) = newest else { return };
            memories.retain(|held| *held != memory);
            if memories.is_empty() {
                *newest = Newest::Lost;
                lost.push(run);
            }
        });
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOST: MemoryId = MemoryId::HOST;
    const GPU: MemoryId = MemoryId(1);

    fn missing(
        coherence: &Coherence,
        memory: MemoryId,
        span: std::ops::Range<u64>,
    ) -> Vec<(MemoryId, Span)> {
        let mut missing = Vec::new();
        coherence
            .missing(memory, span.into(), &mut missing)
            .expect("nothing is lost here");
        missing
            .iter()
            .map(|missing| (missing.source, missing.span))
            .collect()
    }

    #[test]
    fn a_fresh_buffer_is_current_everywhere() {
        let coherence = Coherence::fresh(100);
        assert!(missing(&coherence, HOST, 0..100).is_empty());
        assert!(missing(&coherence, GPU, 0..100).is_empty());
    }

    #[test]
    fn only_what_is_missing_is_copied() {
        let mut coherence = Coherence::fresh(100);
        coherence.written(HOST, Span::new(0, 100));
        coherence.copied(GPU, Span::new(0, 60));
        assert_eq!(
            missing(&coherence, GPU, 40..80),
            [(HOST, Span::new(60, 80))]
        );
        assert_eq!(coherence.count_missing(GPU, Span::new(40, 80)), 20);
    }

    #[test]
    fn a_steady_stencil_moves_only_its_halo() {
        let mut field = Coherence::fresh(1_000);
        field.written(HOST, Span::new(0, 500));
        field.written(GPU, Span::new(500, 1_000));
        assert_eq!(missing(&field, HOST, 0..501), [(GPU, Span::new(500, 501))]);
        assert_eq!(
            missing(&field, GPU, 499..1_000),
            [(HOST, Span::new(499, 500))]
        );
    }

    #[test]
    fn a_write_makes_other_copies_old() {
        let mut coherence = Coherence::fresh(10);
        coherence.written(HOST, Span::new(0, 10));
        coherence.copied(GPU, Span::new(0, 10));
        coherence.written(GPU, Span::new(2, 4));
        assert_eq!(missing(&coherence, HOST, 0..10), [(GPU, Span::new(2, 4))]);
    }

    #[test]
    fn neighbours_from_one_source_are_one_copy() {
        let mut coherence = Coherence::fresh(10);
        coherence.written(HOST, Span::new(0, 10));
        coherence.copied(MemoryId(2), Span::new(3, 6));
        assert_eq!(missing(&coherence, GPU, 0..10), [(HOST, Span::new(0, 10))]);
    }

    #[test]
    fn a_lost_memory_loses_only_what_nobody_else_has() {
        let mut coherence = Coherence::fresh(10);
        coherence.written(GPU, Span::new(2, 8));
        coherence.copied(HOST, Span::new(2, 5));
        assert_eq!(coherence.drop_memory(GPU), [Span::new(5, 8)]);
        assert!(missing(&coherence, HOST, 0..5).is_empty());
        let error = coherence.missing(HOST, Span::new(0, 10), &mut Vec::new());
        assert_eq!(error, Err(LostSpan(Span::new(5, 8))));
    }

    #[test]
    fn failed_work_spoils_only_the_memory_it_ran_in() {
        let mut coherence = Coherence::fresh(10);
        coherence.written(HOST, Span::new(0, 4));
        coherence.copied(GPU, Span::new(0, 4));
        coherence.written(GPU, Span::new(4, 6));
        coherence.dirtied(GPU, Span::new(0, 10));
        assert_eq!(
            coherence.first_lost(Span::new(0, 10)),
            Some(Span::new(4, 6))
        );
        assert!(missing(&coherence, HOST, 0..4).is_empty());
        assert_eq!(missing(&coherence, GPU, 6..10), [(HOST, Span::new(6, 10))]);
    }

    #[test]
    fn a_lost_span_is_mended_by_a_write() {
        let mut coherence = Coherence::fresh(10);
        coherence.spoiled(Span::new(0, 10));
        coherence.written(HOST, Span::new(0, 10));
        assert_eq!(missing(&coherence, GPU, 0..10), [(HOST, Span::new(0, 10))]);
    }

    proptest! {
        /// Plays copies and writes on real arrays, one per memory, and demands that a memory which the map calls
        /// current holds the value written last.
        #[test]
        fn a_memory_called_current_holds_the_last_value(
            steps in prop::collection::vec((0_u32..3, 0_u64..24, 0_u64..24, any::<bool>()), 1..40),
        ) {
            let mut coherence = Coherence::fresh(24);
            let mut truth = [0_u32; 24];
            let mut memories = [[0_u32; 24]; 3];
            for (step, (memory, a, b, write)) in steps.into_iter().enumerate() {
                let span = Span::new(a.min(b), a.max(b));
                let id = MemoryId(memory);
                let mut copies = Vec::new();
                coherence.missing(id, span, &mut copies).expect("no memory is dropped");
                for copy in copies {
                    let source = memories[copy.source.0 as usize];
                    memories[memory as usize][copy.span.indices()].copy_from_slice(&source[copy.span.indices()]);
                    coherence.copied(id, copy.span);
                }
                prop_assert_eq!(&memories[memory as usize][span.indices()], &truth[span.indices()]);
                prop_assert_eq!(coherence.count_missing(id, span), 0);
                if write {
                    truth[span.indices()].fill(step as u32 + 1);
                    memories[memory as usize][span.indices()].fill(step as u32 + 1);
                    coherence.written(id, span);
                }
            }
        }
    }
}
