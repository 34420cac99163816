//! Whether boundaries are left to be found while a dispatch runs, and how far; and whether chunks are cut.
//!
//! Weighs what devices would wait for each other against what it costs to have them take more chunks; how the chunks are
//! taken is the split's affair.
//!
//! Invariant: what accumulates isn't left open, since each of its chunks is combined by itself; it may be cut all the same, where
//! a run would take longer than it may.

use super::choice::{key, place};
use super::operation::Dispatch;
use super::state::{Known, State};
use crate::plan::Touch;
use crate::span::Span;
use crate::split::{Pace, Slices, Tail, Taker};

/// How far off the prediction is taken to be of a dispatch that was measured only once or twice.
const UNKNOWN: f64 = 0.2;
/// How far off it is at least before it was put to the proof.
const LEAST_DEVIATION: f64 = 0.02;
/// How much longer than what predictions are off by the tail of a dispatch is.
const REACH: f64 = 2.0;
/// The most of a chunk that is left to be found on either side.
const MOST_REACH: f64 = 0.4;
/// What devices would wait for each other is so many overheads at least where a tail is worth its chunks.
const TAIL_WORTH: f64 = 20.0;
/// The least part of a dispatch that a chunk of its tail takes.
const TAIL_CHUNK: f64 = 0.005;
/// How many times its overhead it takes at least.
const TAIL_OVERHEADS: f64 = 5.0;
/// The most that copies for open boundaries may take, as a part of the dispatch.
const TAIL_COPIES: f64 = 0.02;

impl State {
    /// The partition with its boundaries left open, if what devices would wait for each other is more than what that costs;
    /// or with its chunks cut, if one would take longer than it may.
    pub(super) fn tail(&self, dispatch: &Dispatch, chunks: &[Span], seconds: f64) -> Option<Tail> {
        let (extent, density) = (dispatch.extent(), self.profile.density(key(dispatch)));
        let mut parts = chunks.iter().enumerate();
        let is_cut = parts.any(|(device, chunk)| self.is_too_long(dispatch, device, *chunk));
        let reach = self.reach(dispatch, chunks, seconds);
        if reach == 0.0 && !is_cut {
            return None;
        }
        let fetch_bytes = self.bytes_per_unit(dispatch) as f64;
        let takers = self.estimates.iter().enumerate().map(|(device, known)| {
            let estimate = known.estimate;
            Taker {
                rate: estimate.units_per_second,
                least_seconds: (TAIL_CHUNK * seconds)
                    .max(TAIL_OVERHEADS * estimate.overhead_seconds),
                longest_seconds: self.longest_seconds(device),
                fetch_seconds: fetch_bytes / estimate.bytes_per_second,
            }
        });
        let takers: Vec<Taker> = takers.collect();
        let open = |reach| {
            let grain = dispatch.grain();
            Tail::new(chunks, extent, grain, density.clone(), reach, &takers)
        };
        let tail = open(reach);
        if self.opening_seconds(dispatch, chunks, &tail) < TAIL_COPIES * seconds {
            return Some(tail);
        }
        is_cut.then(|| open(0.0))
    }

    /// Chunks that are kept to, in slices, if one would take longer than a run of its device may, or nobody knows.
    pub(super) fn slices(&self, dispatch: &Dispatch, chunks: &[Span]) -> Option<Slices> {
        let accumulates = dispatch.touches.iter().any(Touch::accumulates);
        let is_cut = |(device, chunk): (usize, &Span)| {
            let can_be = self.estimates[device].rate.is_some() || !accumulates;
            can_be && self.is_too_long(dispatch, device, *chunk)
        };
        chunks.iter().enumerate().any(is_cut).then(|| {
            let paces = (0..chunks.len()).map(|device| self.pace(dispatch, device));
            let density = self.profile.density(key(dispatch)).clone();
            let (extent, grain) = (dispatch.extent(), dispatch.grain());
            Slices::new(chunks, extent, grain, density, paces.collect())
        })
    }

    /// Whether a chunk would take longer than a run of its device may, as one does that nobody knows the speed of.
    fn is_too_long(&self, dispatch: &Dispatch, device: usize, chunk: Span) -> bool {
        let density = self.profile.density(key(dispatch));
        let longest = self.longest_seconds(device);
        let rate = self.estimates[device].estimate.units_per_second;
        longest.is_finite() && density.weight(chunk, dispatch.extent()) > rate * longest
    }

    /// What is known of a device before it is given anything.
    pub(super) fn pace(&self, dispatch: &Dispatch, device: usize) -> Pace {
        let Known { rate, estimate, .. } = self.estimates[device];
        Pace {
            rate: rate.map(|rate| rate / dispatch.per_unit() as f64),
            overhead_seconds: estimate.overhead_seconds,
            longest_seconds: self.longest_seconds(device),
        }
    }

    /// How far off the prediction for a dispatch is taken to be: as far as the last ones were, or as the rates that it is
    /// made of are apart.
    pub(super) fn deviation(&self, dispatch: &Dispatch) -> f64 {
        let habit = self.habits.get(&place(dispatch));
        if let Some(deviation) = habit.and_then(|habit| habit.deviation) {
            return deviation;
        }
        let key = key(dispatch);
        let able = self.members.iter().zip(&self.estimates);
        able.filter(|(_, known)| known.is_able)
            .map(|(member, _)| self.profile.spread(key, &member.key).unwrap_or(UNKNOWN))
            .fold(LEAST_DEVIATION, f64::max)
    }

    /// Which part of each chunk is left to be found on either side of a boundary; none if that isn't worth it.
    fn reach(&self, dispatch: &Dispatch, chunks: &[Span], seconds: f64) -> f64 {
        let taking_part = || (0..chunks.len()).filter(|device| !chunks[*device].is_empty());
        if taking_part().count() < 2 || dispatch.touches.iter().any(Touch::accumulates) {
            return 0.0;
        }
        let deviation = self.deviation(dispatch);
        let overhead = taking_part()
            .map(|device| self.estimates[device].estimate.overhead_seconds)
            .fold(0.0, f64::max);
        if deviation * seconds < TAIL_WORTH * overhead {
            return 0.0;
        }
        (REACH * deviation).min(MOST_REACH)
    }

    /// Seconds of the copies that it takes to leave the boundaries open.
    fn opening_seconds(&self, dispatch: &Dispatch, chunks: &[Span], tail: &Tail) -> f64 {
        if self.whole_missing.is_empty() {
            return 0.0;
        }
        let more_seconds = |device: usize, widest: Span| {
            let bytes = self
                .missing_bytes(dispatch, device, widest)
                .saturating_sub(self.missing_bytes(dispatch, device, chunks[device]));
            bytes as f64 / self.estimates[device].estimate.bytes_per_second
        };
        tail.zones()
            .map(|(zone, [before, after])| {
                more_seconds(before, Span::new(chunks[before].start, zone.end))
                    + more_seconds(after, Span::new(zone.start, chunks[after].end))
            })
            .sum()
    }
}
