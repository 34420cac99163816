//! Runs a kernel's hand-written body over a chunk.
//!
//! Lends each sub-chunk the elements that its patterns allow; the pool it runs in is the caller's.
//!
//! Invariant: sub-chunks that run at the same time are lent disjoint elements of what they write.

#![expect(
    unsafe_code,
    reason = "sub-chunks write disjoint spans of one buffer at the same time"
)]

use crate::buffer::Storage;
use crate::device::{Bound, DeviceError, Run, allocate, said};
use crate::id::BufferId;
use crate::kernel::{Access, BindingKind, Body, Combine, Facts, Slot, Usage, Word};
use crate::range::Chunk;
use crate::span::Span;
use rayon::prelude::*;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Sub-chunks for each thread: enough that uneven ones even out, few enough that a call for each costs nothing.
const SUB_CHUNKS_PER_THREAD: u64 = 8;

/// Runs the chunk on the threads of the pool that this is called in.
pub(super) fn run_native(device: &str, run: &Run) -> Result<(), DeviceError> {
    let refused = |reason: String| DeviceError::Refused {
        device: device.to_owned(),
        reason,
    };
    let facts = run
        .kernel
        .facts()
        .map_err(|error| refused(error.to_string()))?;
    let native = run
        .kernel
        .native_body()
        .ok_or_else(|| refused("it has no native body".to_owned()))?;
    for buffer in run.bound.iter().filter_map(Bound::buffer) {
        allocate(buffer, device)?;
    }
    let lender = Lender { facts, run };
    let sub_chunks = lender.sub_chunks();
    let call = |chunk: Chunk, private: &Accumulators| {
        native(&Body::new(facts, chunk, lender.slots(chunk, private)))
    };
    surviving(&facts.entry, || {
        let accumulates = run
            .accesses
            .iter()
            .any(|pattern| matches!(pattern, Some(Access::Accumulate(_))));
        if !accumulates {
            let none = Accumulators(Vec::new());
            sub_chunks
                .into_par_iter()
                .for_each(|chunk| call(chunk, &none));
            return;
        }
        let total = sub_chunks
            .into_par_iter()
            .fold(
                || lender.private(),
                |private, chunk| {
                    call(chunk, &private);
                    private
                },
            )
            .reduce_with(|a, b| {
                a.0.iter()
                    .zip(&b.0)
                    .for_each(|(into, from)| into.combine(from));
                a
            });
        lender.add_to_bound(&total.unwrap_or(Accumulators(Vec::new())));
    })
}

/// Runs a kernel's work, on this thread and others; a panic of it becomes an error.
pub(crate) fn surviving<T>(entry: &str, work: impl FnOnce() -> T) -> Result<T, DeviceError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| DeviceError::Panicked {
        entry: entry.to_owned(),
        message: said(&*payload),
    })
}

/// Sets every word of a buffer that nobody else touches meanwhile.
pub(crate) fn fill(storage: &Storage, word: u32) {
    // SAFETY: the queue gives a buffer that is to be filled to nobody else until the task has ended.
    let bytes = unsafe { storage.write(Span::new(0, storage.bytes())) };
    bytemuck::cast_slice_mut::<u8, u32>(bytes).fill(word);
}

/// Copies the bytes of `span` from one memory of a buffer to another; nobody else touches them meanwhile.
pub(crate) fn copy(from: &Storage, to: &Storage, span: Span) {
    // SAFETY: the queue lets nobody write the source or touch the target of a copy until it has ended.
    unsafe { to.write(span).copy_from_slice(from.read(span)) }
}

/// Combines every word of `from` into `into`; nobody else touches the two meanwhile.
pub(crate) fn combine(combine: Combine, word: Word, from: &Storage, into: &Storage) {
    // SAFETY: the queue gives the buffers that are combined to nobody else until that is done.
    let (from, into) = unsafe {
        (
            from.read(Span::new(0, from.bytes())),
            into.write(Span::new(0, into.bytes())),
        )
    };
    let (from, into): (&[u32], &mut [u32]) =
        (bytemuck::cast_slice(from), bytemuck::cast_slice_mut(into));
    for (into, from) in into.iter_mut().zip(from) {
        *into = combine.apply(word, *into, *from);
    }
}

/// A copy of what one binding accumulates, for one thread at a time.
struct Accumulator {
    place: usize,
    combine: Combine,
    word: Word,
    storage: Storage,
}

impl Accumulator {
    fn combine(&self, other: &Accumulator) {
        combine(self.combine, self.word, &other.storage, &self.storage);
    }
}

/// The accumulators of all bindings that have one.
struct Accumulators(Vec<Accumulator>);

struct Lender<'a> {
    facts: &'a Facts,
    run: &'a Run,
}

impl Lender<'_> {
    /// The chunk in parts, cut at workgroup boundaries; in one part if the kernel can't be divided.
    fn sub_chunks(&self) -> Vec<Chunk> {
        let Chunk {
            range,
            slowest,
            units,
        } = self.run.chunk;
        if !self.run.is_divisible() {
            return vec![self.run.chunk];
        }
        let grain = u64::from(self.facts.workgroup[slowest]);
        let parts = rayon::current_num_threads() as u64 * SUB_CHUNKS_PER_THREAD;
        let step = units
            .len()
            .div_ceil(parts)
            .next_multiple_of(grain)
            .max(grain);
        let starts = (units.start..units.end).step_by(step as usize);
        let part = |start| Chunk {
            range,
            slowest,
            units: Span::new(start, (start + step).min(units.end)),
        };
        starts.map(part).collect()
    }

    fn private(&self) -> Accumulators {
        let accumulator = |(place, pattern): (usize, &Option<Access>)| {
            let &Some(Access::Accumulate(combine)) = pattern else {
                return None;
            };
            let word = self.facts.bindings[place].layout.element.word?;
            let storage = Storage::new(BufferId(0), self.run.bound[place].buffer()?.bytes());
            fill(&storage, combine.identity(word));
            Some(Accumulator {
                place,
                combine,
                word,
                storage,
            })
        };
        Accumulators(
            self.run
                .accesses
                .iter()
                .enumerate()
                .filter_map(accumulator)
                .collect(),
        )
    }

    fn add_to_bound(&self, private: &Accumulators) {
        for accumulator in &private.0 {
            if let Bound::Buffer(target) = &self.run.bound[accumulator.place] {
                combine(
                    accumulator.combine,
                    accumulator.word,
                    &accumulator.storage,
                    target,
                );
            }
        }
    }

    /// What the sub-chunk may see of each binding.
    fn slots<'b>(&'b self, chunk: Chunk, private: &'b Accumulators) -> Vec<Slot<'b>> {
        let slot = |(place, bound): (usize, &'b Bound)| {
            let binding = &self.facts.bindings[place];
            let storage: &'b Arc<Storage> = match bound {
                Bound::Value(bytes) => return Slot::Value(bytes),
                Bound::Buffer(storage) => storage,
            };
            let whole = Span::new(0, storage.bytes());
            if let Some(accumulator) = private
                .0
                .iter()
                .find(|accumulator| accumulator.place == place)
            {
                // SAFETY: a private copy is lent to one sub-chunk at a time.
                return Slot::Write(Cell::new(Some((0, unsafe {
                    accumulator.storage.write(whole)
                }))));
            }
            let pieces = self.run.touched(self.facts, place, &chunk);
            let span = match (pieces.first(), pieces.last()) {
                (Some(first), Some(last)) => Span::new(first.start, last.end),
                _ => Span::new(0, 0),
            };
            let first = span.start as usize;
            if binding.kind == BindingKind::Storage(Usage::Read) {
                // SAFETY: the queue lets nobody write what a chunk reads until the chunk has ended, and the sub-chunks
                // of this one don't: no buffer is bound both to be read and to be written.
                Slot::Read(first, unsafe { storage.read(span) })
            } else {
                // SAFETY: the queue lets nobody else touch what a chunk writes until the chunk has ended. A kernel that
                // is divided writes by patterns whose spans are disjoint for sub-chunks that share no workgroup.
                Slot::Write(Cell::new(Some((first, unsafe { storage.write(span) }))))
            }
        };
        self.run.bound.iter().enumerate().map(slot).collect()
    }
}
