//! What is known of the devices for a dispatch.
//!
//! Looks rates, overheads and bandwidths up, and what each device lacks; what is made of it is the affair of `choice`.
//!
//! Invariant: a device that takes no part has a rate of zero.

use super::choice::key;
use super::operation::{Dispatch, Operation};
use super::state::{Known, Member, Registered, State};
use crate::device::Home;
use crate::id::DeviceId;
use crate::kernel::Access;
use crate::plan::{Placed, Touch};
use crate::span::Span;
use crate::split::Estimate;
use smallvec::SmallVec;

/// What a copy is taken to cost before one was measured.
const BYTES_PER_SECOND: f64 = 4e9;
/// What a submission to a device with a memory of its own is taken to cost before one was measured.
const OVERHEAD_SECONDS: f64 = 50e-6;
/// What giving a chunk to the CPU costs.
pub(super) const CPU_OVERHEAD_SECONDS: f64 = 10e-6;

impl State {
    /// Seconds around a chunk on a device.
    pub(super) fn overhead_seconds(&self, device: usize) -> f64 {
        let member = &self.members[device];
        match member.info.home {
            Home::Host => CPU_OVERHEAD_SECONDS,
            Home::Own => self
                .profile
                .overhead(&member.key)
                .unwrap_or(OVERHEAD_SECONDS),
        }
    }

    /// How long a run of the device may be predicted to take.
    pub(super) fn longest_seconds(&self, device: usize) -> f64 {
        match self.members[device].info.home {
            Home::Host => f64::INFINITY,
            Home::Own => self.longest_run_seconds,
        }
    }

    /// Looks up what is known of each device for the dispatch.
    pub(super) fn look(&mut self, dispatch: &Dispatch, operation: &Operation) {
        let mut estimates = std::mem::take(&mut self.estimates);
        estimates.clear();
        let (key, per_unit) = (key(dispatch), dispatch.per_unit() as f64);
        let touched = dispatch.touches.iter();
        let touched = touched.filter_map(|touch| self.buffers.get(&touch.buffer));
        let touched: SmallVec<[&Registered; 8]> = touched.collect();
        for (i, member) in self.members.iter().enumerate() {
            let sampled = self.profile.sampled_rate(key, &member.key);
            let rate = sampled.map(|(rate, _)| rate);
            let is_able = self
                .reason_against(dispatch, &operation.dropped, i)
                .is_none();
            let overhead_seconds = self.overhead_seconds(i);
            let bandwidth = if touched.iter().all(|buffer| buffer.in_use[i]) {
                self.profile.bandwidth(&member.key)
            } else {
                self.profile.first_bandwidth(&member.key)
            };
            let estimate = Estimate {
                units_per_second: if is_able {
                    rate.unwrap_or(0.0) / per_unit
                } else {
                    0.0
                },
                overhead_seconds,
                bytes_per_second: bandwidth.unwrap_or(BYTES_PER_SECOND),
            };
            estimates.push(Known {
                is_able,
                rate,
                samples: sampled.map_or(0, |(_, samples)| samples),
                estimate,
            });
        }
        self.estimates = estimates;
    }

    /// Bytes that a device would have to be sent before it could run the units.
    pub(super) fn missing_bytes(&self, dispatch: &Dispatch, device: usize, units: Span) -> u64 {
        let chunk = Placed {
            device: DeviceId(device as u32),
            units,
        };
        let mut bytes = 0;
        self.planner.count_missing(
            dispatch.extent(),
            &dispatch.touches,
            chunk,
            |touch, elements| {
                bytes += elements
                    * self
                        .buffers
                        .get(&touch.buffer)
                        .map_or(0, |buffer| buffer.element_bytes);
            },
        );
        bytes
    }

    /// For each device, the bytes that it would have to be sent for the whole; none if nobody would be sent any.
    pub(super) fn missing_whole(&self, dispatch: &Dispatch, bytes: &mut Vec<u64>) {
        let element_bytes = |touch: &Touch| {
            self.buffers
                .get(&touch.buffer)
                .map_or(0, |buffer| buffer.element_bytes)
        };
        let (extent, touches) = (dispatch.extent(), &dispatch.touches);
        self.planner
            .missing_whole(extent, touches, element_bytes, bytes);
        if bytes.iter().all(|bytes| *bytes == 0) {
            bytes.clear();
        }
    }

    /// For each device, the seconds that it takes for any chunk of the dispatch besides: a private copy is filled, and comes
    /// home. None if no device takes any.
    pub(super) fn standing_seconds(&self, dispatch: &Dispatch, seconds: &mut Vec<f64>) {
        let accumulated = dispatch.touches.iter().filter(|touch| touch.accumulates());
        let buffers = accumulated.filter_map(|touch| self.buffers.get(&touch.buffer));
        let bytes = |buffer: &Registered| 2 * buffer.committed.len() * buffer.element_bytes;
        let bytes = buffers.map(bytes).sum::<u64>() as f64;
        let of = |(device, member): (usize, &Member)| match member.info.home {
            Home::Host => 0.0,
            Home::Own => bytes / self.estimates[device].estimate.bytes_per_second,
        };
        seconds.clear();
        seconds.extend(self.members.iter().enumerate().map(of));
        if seconds.iter().all(|seconds| *seconds == 0.0) {
            seconds.clear();
        }
    }

    /// Seconds that it takes to send a device all that it lacks of the whole.
    pub(super) fn change_seconds(&self, device: usize) -> f64 {
        let bytes = self.whole_missing.get(device).copied().unwrap_or(0) as f64;
        bytes / self.estimates[device].estimate.bytes_per_second
    }

    /// Bytes that belong to a unit of the range, of all that a dispatch touches unit by unit.
    pub(super) fn bytes_per_unit(&self, dispatch: &Dispatch) -> u64 {
        let by_unit = dispatch.touches.iter().filter(|touch| {
            let access = touch.access;
            matches!(
                access,
                Some(
                    Access::OneToOne
                        | Access::Neighborhood(_)
                        | Access::Wrapped(_)
                        | Access::Strided(_)
                )
            )
        });
        by_unit
            .filter_map(|touch| self.buffers.get(&touch.buffer))
            .map(|buffer| buffer.committed.len() * buffer.element_bytes / dispatch.extent())
            .sum()
    }
}
