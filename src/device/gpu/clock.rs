//! The device's own clock, and when to look at it.
//!
//! Reading a clock makes the GPU write, copy and hand over a few more bytes, which takes longer than a small kernel runs;
//! so it is read always for kernels that take long, and now and then for those that don't. What the seconds are used
//! for is the queue's affair.
//!
//! Invariant: a run that isn't timed is estimated from one of the same kernel over nearly the same part of a range.

use crate::range::Chunk;
use rustc_hash::FxHashMap;
use wgpu::{
    Buffer, BufferDescriptor, BufferUsages, CommandEncoder, ComputePassTimestampWrites, Device,
    Features, QuerySet, QuerySetDescriptor, QueryType, Queue,
};

/// Runs of one submission, each with two timestamps.
pub(super) const MOST_RUNS: u32 = 64;
/// What reading the clock takes, about: a copy, a mapping, and a turn of the driver's threads.
const CLOCK_SECONDS: f64 = 150e-6;
/// The part of the runs' own time that it may take.
const CLOCK_PART: f64 = 0.005;
/// Runs of a chunk that are timed before any isn't.
const FIRST_RUNS: u32 = 8;
/// The least part of two chunks together that both of them have where one says what the other takes: cost may vary along
/// a range.
const ALIKE: f64 = 0.9;
/// Chunks of a kernel whose paces are kept.
const MOST_PACES: usize = 8;
/// One in so many is timed however short they are.
const LONGEST_PERIOD: f64 = 32.0;

/// The device's own clock.
#[derive(Debug)]
pub(super) struct Clock {
    queries: QuerySet,
    resolved: Buffer,
    pub(super) readback: Buffer,
    /// Seconds of a tick.
    period: f64,
    /// Of each kernel, by its key, the chunks that were timed last.
    paces: FxHashMap<u128, Vec<Pace>>,
}

/// How fast a kernel has run a part of a range.
#[derive(Clone, Copy, Debug)]
struct Pace {
    chunk: Chunk,
    seconds_per_invocation: f64,
    timed: u32,
    /// Since it was last timed.
    untimed: u32,
}

impl Clock {
    /// The clock, if the device has one.
    pub(super) fn new(device: &Device, queue: &Queue) -> Option<Self> {
        if !device.features().contains(Features::TIMESTAMP_QUERY) {
            return None;
        }
        let buffer = |usage| {
            device.create_buffer(&BufferDescriptor {
                label: Some("clock"),
                size: bytes(MOST_RUNS),
                usage,
                mapped_at_creation: false,
            })
        };
        let descriptor = QuerySetDescriptor {
            label: Some("clock"),
            ty: QueryType::Timestamp,
            count: MOST_RUNS * 2,
        };
        Some(Self {
            queries: device.create_query_set(&descriptor),
            resolved: buffer(BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            readback: buffer(BufferUsages::COPY_DST | BufferUsages::MAP_READ),
            period: f64::from(queue.get_timestamp_period()) * 1e-9,
            paces: FxHashMap::default(),
        })
    }

    /// Seconds that the run is expected to take, if it needn't be timed.
    pub(super) fn estimate(&mut self, kernel: u128, chunk: &Chunk) -> Option<f64> {
        let mut paces = self.paces.get_mut(&kernel)?.iter_mut();
        paces.find(|pace| pace.is_like(chunk))?.estimate(chunk)
    }

    /// A run has been timed.
    pub(super) fn timed(&mut self, kernel: u128, chunk: Chunk, seconds: f64) {
        let paces = self.paces.entry(kernel).or_default();
        let known = paces.iter().position(|pace| pace.is_like(&chunk));
        let timed = known.map_or(0, |place| paces.remove(place).timed);
        paces.truncate(MOST_PACES - 1);
        paces.insert(
            0,
            Pace {
                chunk,
                seconds_per_invocation: seconds / chunk.invocations().max(1) as f64,
                timed: timed.saturating_add(1),
                untimed: 0,
            },
        );
    }

    /// Runs of the kernel have taken longer than was estimated: the next are timed.
    pub(super) fn doubt(&mut self, kernel: u128) {
        self.paces.remove(&kernel);
    }

    /// Where a pass is to write when it begins and ends. `place` counts the timed runs of the submission.
    pub(super) fn writes(&self, place: u32) -> ComputePassTimestampWrites<'_> {
        ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(place * 2),
            end_of_pass_write_index: Some(place * 2 + 1),
        }
    }

    /// Records that the host is to be given the times of so many runs.
    pub(super) fn hand_over(&self, encoder: &mut CommandEncoder, runs: u32) {
        encoder.resolve_query_set(&self.queries, 0..runs * 2, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.readback, 0, bytes(runs));
    }

    /// The seconds of each of so many runs, once the buffer is mapped.
    pub(super) fn read(&self, runs: u32) -> Result<Vec<f64>, String> {
        let view = self.readback.get_mapped_range(0..bytes(runs));
        let view = view.map_err(|error| error.to_string())?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view[..]);
        drop(view);
        self.readback.unmap();
        let seconds = |pair: &[u64]| pair[1].saturating_sub(pair[0]) as f64 * self.period;
        Ok(ticks.chunks_exact(2).map(seconds).collect())
    }
}

impl Pace {
    fn is_like(&self, chunk: &Chunk) -> bool {
        let (own, other) = (self.chunk, *chunk);
        let both = own.units.intersection(other.units).len();
        let all = own.units.len() + other.units.len() - both;
        (own.range, own.slowest) == (other.range, other.slowest)
            && both as f64 >= ALIKE * all as f64
    }

    fn estimate(&mut self, chunk: &Chunk) -> Option<f64> {
        let seconds = self.seconds_per_invocation * chunk.invocations() as f64;
        let period = (CLOCK_SECONDS / (CLOCK_PART * seconds)).min(LONGEST_PERIOD) as u32;
        if self.timed < FIRST_RUNS || self.untimed + 1 >= period {
            return None;
        }
        self.untimed += 1;
        Some(seconds)
    }
}

/// Bytes of the times of so many runs.
pub(super) fn bytes(runs: u32) -> u64 {
    u64::from(runs) * 2 * u64::from(wgpu::QUERY_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Range;
    use crate::span::Span;

    fn chunk(units: std::ops::Range<u64>) -> Chunk {
        let whole = Chunk::whole(Range::from([64, 1000]), [8, 8, 1]);
        Chunk {
            units: Span::new(units.start, units.end),
            ..whole
        }
    }

    fn pace() -> Pace {
        Pace {
            chunk: chunk(0..1000),
            seconds_per_invocation: 1e-9,
            timed: FIRST_RUNS,
            untimed: 0,
        }
    }

    #[test]
    fn a_chunk_says_nothing_of_another_part_of_the_range() {
        assert!(pace().is_like(&chunk(0..1000)));
        assert!(pace().is_like(&chunk(0..960)));
        assert!(!pace().is_like(&chunk(0..800)));
        let last = Pace {
            chunk: chunk(984..1000),
            ..pace()
        };
        assert!(!last.is_like(&chunk(960..984)));
    }

    #[test]
    fn a_short_run_is_timed_now_and_then() {
        let mut pace = pace();
        let untimed = (0..100).take_while(|_| pace.estimate(&chunk(0..1000)).is_some());
        assert_eq!(untimed.count(), LONGEST_PERIOD as usize - 1);
        pace.seconds_per_invocation = 1e-3;
        assert_eq!(pace.estimate(&chunk(0..1000)), None);
    }

    #[test]
    fn the_first_runs_of_a_chunk_are_timed() {
        let mut pace = Pace {
            timed: FIRST_RUNS - 1,
            ..pace()
        };
        assert_eq!(pace.estimate(&chunk(0..1000)), None);
        pace.timed += 1;
        let expected = 64e-6;
        let estimate = pace.estimate(&chunk(0..1000)).expect("it is short");
        assert!((estimate - expected).abs() < 1e-12);
    }
}
