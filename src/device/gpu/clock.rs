//! The device's own clock, and when to look at it.
//!
//! Reading a clock makes the GPU write, copy and hand over a few more bytes, which takes longer than a small kernel runs;
//! so it is read always for kernels that take long, and now and then for those that don't. What the seconds are used
//! for is the queue's affair.
//!
//! Invariant: a run that isn't timed is estimated from one of the same kernel that was.

use std::collections::HashMap;
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
/// Runs of a kernel that are timed before any isn't.
const FIRST_RUNS: u32 = 8;
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
    /// Of each kernel, by its key.
    paces: HashMap<u128, Pace>,
}

/// How fast a kernel has run.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
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
            paces: HashMap::new(),
        })
    }

    /// Seconds that the run is expected to take, if it needn't be timed.
    pub(super) fn estimate(&mut self, kernel: u128, invocations: u64) -> Option<f64> {
        let pace = self.paces.get_mut(&kernel)?;
        let seconds = pace.seconds_per_invocation * invocations as f64;
        let period = (CLOCK_SECONDS / (CLOCK_PART * seconds)).min(LONGEST_PERIOD) as u32;
        if pace.timed < FIRST_RUNS || pace.untimed + 1 >= period {
            return None;
        }
        pace.untimed += 1;
        Some(seconds)
    }

    /// A run has been timed.
    pub(super) fn timed(&mut self, kernel: u128, invocations: u64, seconds: f64) {
        let pace = self.paces.entry(kernel).or_default();
        pace.seconds_per_invocation = seconds / invocations.max(1) as f64;
        pace.timed = pace.timed.saturating_add(1);
        pace.untimed = 0;
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

/// Bytes of the times of so many runs.
pub(super) fn bytes(runs: u32) -> u64 {
    u64::from(runs) * 2 * u64::from(wgpu::QUERY_SIZE)
}
