//! The partition of a dispatch whose kernel is known.
//!
//! Weighs rates, overheads and the bytes that would have to move; where those come from is the caller's affair.
//!
//! Invariant: no partition is chosen that is predicted to be slower than the best device alone.

use super::{Candidate, partition, water_fill};
use crate::span::Span;

/// What a split must save against the best device alone to be worth it. Predictions are no better than this, not least
/// because processors at work together share memory and heat.
const WORTH: f64 = 0.10;
/// What a new partition must save against the one before; below it, boundaries stay where they are.
const DEAD_BAND: f64 = 0.02;
/// Over how many dispatches to come the cost of moving bytes is spread.
const HORIZON: f64 = 10.0;

/// What is known of one device for one kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Units of the slowest dimension per second; zero for a device that sits out.
    pub units_per_second: f64,
    /// Seconds around each chunk.
    pub overhead_seconds: f64,
    /// Bytes per second to its memory.
    pub bytes_per_second: f64,
}

impl Estimate {
    fn seconds(&self, chunk: Span) -> f64 {
        if chunk.is_empty() {
            0.0
        } else {
            self.overhead_seconds + chunk.len() as f64 / self.units_per_second
        }
    }
}

/// What is expected of a partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Seconds until the last device is done, copies included.
    pub seconds: f64,
    /// Seconds of the best device alone, its copies included.
    pub best_single_seconds: f64,
    /// Which device that is.
    pub best_single: usize,
}

/// Chooses partitions. Keeps its scratch, so that choosing again allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Decider {
    candidates: Vec<Candidate>,
    shares: Vec<f64>,
    order: Vec<usize>,
    proposal: Vec<Span>,
    first: Vec<Span>,
    estimates: Vec<Estimate>,
}

impl Decider {
    /// Sets `chunks` to one chunk for each device, some perhaps empty.
    ///
    /// `chunks` holds the partition of the dispatch before, if it has as many chunks as there are devices and ends at
    /// `extent`. `missing_bytes` says how many bytes a device would have to be sent for a chunk.
    ///
    /// # Panics
    ///
    /// If every device sits out.
    pub fn decide(
        &mut self,
        extent: u64,
        grain: u64,
        estimates: impl IntoIterator<Item = Estimate>,
        missing_bytes: &mut dyn FnMut(usize, Span) -> u64,
        chunks: &mut Vec<Span>,
    ) -> Prediction {
        let mut known = std::mem::take(&mut self.estimates);
        known.clear();
        known.extend(estimates);
        let prediction = self.choose(extent, grain, &known, missing_bytes, chunks);
        self.estimates = known;
        prediction
    }

    fn choose(
        &mut self,
        extent: u64,
        grain: u64,
        estimates: &[Estimate],
        missing_bytes: &mut dyn FnMut(usize, Span) -> u64,
        chunks: &mut Vec<Span>,
    ) -> Prediction {
        let whole = Span::new(0, extent);
        let mut copy_seconds = |i: usize, chunk: Span| {
            if chunk.is_empty() {
                0.0
            } else {
                missing_bytes(i, chunk) as f64 / estimates[i].bytes_per_second
            }
        };
        let able = |i: &usize| estimates[*i].units_per_second > 0.0;
        let (best_single, best_single_seconds) = (0..estimates.len())
            .filter(able)
            .map(|i| (i, estimates[i].seconds(whole) + copy_seconds(i, whole)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("at least one device takes part");

        // First where the boundaries would be if nothing had to move, then with what would have to.
        self.fill(extent, grain, estimates, |_, _| 0.0);
        std::mem::swap(&mut self.first, &mut self.proposal);
        let first = std::mem::take(&mut self.first);
        self.fill(extent, grain, estimates, |i, _| match first[i].len() {
            0 => copy_seconds(i, whole) / extent as f64,
            units => copy_seconds(i, first[i]) / units as f64,
        });
        self.first = first;

        let cost = |chunks: &[Span], copy: &mut dyn FnMut(usize, Span) -> f64| {
            let one = |(i, chunk): (usize, &Span)| estimates[i].seconds(*chunk) + copy(i, *chunk);
            chunks.iter().enumerate().map(one).fold(0.0, f64::max)
        };
        let is_possible = |chunks: &[Span]| {
            chunks.len() == estimates.len()
                && chunks.last().is_some_and(|last| last.end == extent)
                && chunks
                    .iter()
                    .enumerate()
                    .all(|(i, chunk)| chunk.is_empty() || able(&i))
        };
        let mut free = |_: usize, _: Span| 0.0;
        let mut seconds = cost(&self.proposal, &mut copy_seconds);
        if seconds > best_single_seconds * (1.0 - WORTH) {
            single(best_single, extent, &mut self.proposal);
            seconds = best_single_seconds;
        }
        if is_possible(chunks) {
            let stay = cost(chunks, &mut copy_seconds);
            let (stay_steady, go_steady) =
                (cost(chunks, &mut free), cost(&self.proposal, &mut free));
            let won = (stay_steady - go_steady) * HORIZON;
            let moved = (seconds - go_steady) - (stay - stay_steady);
            // A split that has stopped being worth it isn't kept for being there.
            let parts = chunks.iter().filter(|chunk| !chunk.is_empty()).count();
            let alone = estimates[best_single].seconds(whole);
            let is_worth = parts == 1 || stay_steady < alone * (1.0 - WORTH / 2.0);
            if is_worth && (go_steady > stay_steady * (1.0 - DEAD_BAND) || won <= moved) {
                return Prediction {
                    seconds: stay,
                    best_single_seconds,
                    best_single,
                };
            }
        }
        chunks.clear();
        chunks.extend_from_slice(&self.proposal);
        Prediction {
            seconds,
            best_single_seconds,
            best_single,
        }
    }

    /// Proposes the partition that lets all finish together, with `extra` seconds for each unit of a device.
    fn fill(
        &mut self,
        extent: u64,
        grain: u64,
        estimates: &[Estimate],
        mut extra: impl FnMut(usize, u64) -> f64,
    ) {
        self.candidates.clear();
        self.candidates
            .extend(estimates.iter().enumerate().map(|(i, estimate)| Candidate {
                fixed_seconds: estimate.overhead_seconds,
                // A device that sits out has no rate: infinite seconds for a unit.
                seconds_per_item: estimate.units_per_second.recip() + extra(i, extent),
            }));
        water_fill(
            extent as f64,
            &self.candidates,
            &mut self.shares,
            &mut self.order,
        );
        partition(extent, grain, &self.shares, &mut self.proposal);
    }
}

/// The partition that gives everything to one device.
fn single(device: usize, extent: u64, chunks: &mut [Span]) {
    for (i, chunk) in chunks.iter_mut().enumerate() {
        *chunk = match i.cmp(&device) {
            std::cmp::Ordering::Less => Span::new(0, 0),
            std::cmp::Ordering::Equal => Span::new(0, extent),
            std::cmp::Ordering::Greater => Span::new(extent, extent),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_that_stops_being_worth_it_is_given_up() {
        let mut decider = Decider::default();
        let mut decide = |slow: f64, chunks: &mut Vec<Span>| {
            let estimates = [estimate(1000.0, 0.0), estimate(slow, 0.0)];
            decider.decide(1000, 1, estimates, &mut |_, _| 0, chunks);
        };
        let mut chunks = Vec::new();
        decide(250.0, &mut chunks);
        assert_eq!(chunks, [Span::new(0, 800), Span::new(800, 1000)]);
        decide(80.0, &mut chunks);
        decide(30.0, &mut chunks);
        assert_eq!(chunks, [Span::new(0, 1000), Span::new(1000, 1000)]);
    }

    fn estimate(units_per_second: f64, overhead_seconds: f64) -> Estimate {
        Estimate {
            units_per_second,
            overhead_seconds,
            bytes_per_second: 1e9,
        }
    }

    fn decide(
        estimates: &[Estimate],
        missing: impl FnMut(usize, Span) -> u64,
        chunks: &mut Vec<Span>,
    ) -> Prediction {
        let mut missing = missing;
        Decider::default().decide(10_000, 10, estimates.iter().copied(), &mut missing, chunks)
    }

    #[test]
    fn shares_follow_rates() {
        let mut chunks = Vec::new();
        let prediction = decide(
            &[estimate(1e6, 0.0), estimate(3e6, 0.0)],
            |_, _| 0,
            &mut chunks,
        );
        assert_eq!(chunks, [0..2_500, 2_500..10_000]);
        assert!((prediction.seconds - 2.5e-3).abs() < 1e-9);
        assert_eq!(prediction.best_single, 1);
    }

    #[test]
    fn a_device_that_sits_out_gets_nothing() {
        let mut chunks = Vec::new();
        decide(
            &[estimate(1e6, 0.0), estimate(0.0, 0.0)],
            |_, _| 0,
            &mut chunks,
        );
        assert_eq!(chunks, [0..10_000, 10_000..10_000]);
    }

    #[test]
    fn a_split_that_saves_too_little_is_left() {
        let mut chunks = Vec::new();
        decide(
            &[estimate(1e6, 0.0), estimate(2e4, 0.0)],
            |_, _| 0,
            &mut chunks,
        );
        assert_eq!(chunks, [0..10_000, 10_000..10_000]);
    }

    #[test]
    fn bytes_that_would_have_to_move_count() {
        // 10 ms for either alone; the second would have to be sent 1 kB, a microsecond, for each of its units.
        let mut chunks = Vec::new();
        let missing =
            |device: usize, chunk: Span| if device == 1 { chunk.len() * 1_000 } else { 0 };
        decide(
            &[estimate(1e6, 0.0), estimate(1e6, 0.0)],
            missing,
            &mut chunks,
        );
        assert!((chunks[1].len() as i64 - 3_333).abs() < 20, "{chunks:?}");
    }

    #[test]
    fn a_boundary_stays_within_the_dead_band() {
        let mut chunks = vec![Span::new(0, 5_000), Span::new(5_000, 10_000)];
        decide(
            &[estimate(1e6, 0.0), estimate(1.03e6, 0.0)],
            |_, _| 0,
            &mut chunks,
        );
        assert_eq!(chunks[0], 0..5_000);
        decide(
            &[estimate(1e6, 0.0), estimate(2e6, 0.0)],
            |_, _| 0,
            &mut chunks,
        );
        assert_eq!(chunks[0], 0..3_330);
    }

    #[test]
    fn a_boundary_stays_if_moving_costs_more_than_it_wins() {
        let mut chunks = vec![Span::new(0, 5_000), Span::new(5_000, 10_000)];
        let resident = [Span::new(0, 5_000), Span::new(5_000, 10_000)];
        let missing = |i: usize, chunk: Span| {
            (chunk.len() - chunk.intersection(resident[i]).len()) * 1_000_000
        };
        decide(
            &[estimate(1e6, 0.0), estimate(1.3e6, 0.0)],
            missing,
            &mut chunks,
        );
        assert_eq!(chunks[0], 0..5_000);
    }
}
