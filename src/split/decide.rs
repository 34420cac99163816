//! The partition of a dispatch whose kernel is known.
//!
//! Weighs rates, overheads and the bytes that would have to move; where those come from is the caller's affair.
//!
//! Invariant: no partition is chosen that is predicted to be slower than the best device alone.

use super::{Candidate, Density, partition, partition_within, water_fill};
use crate::span::Span;

/// What whole grains may cost over shares that could be cut anywhere before other boundaries are looked for, and how
/// closely the best ones are found.
const ROUNDED: f64 = 0.005;

/// What is known of one device for one kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Units of the slowest dimension, of average cost, per second; zero for a device that sits out.
    pub units_per_second: f64,
    /// Seconds around each chunk.
    pub overhead_seconds: f64,
    /// Bytes per second to its memory.
    pub bytes_per_second: f64,
}

/// What is expected of a partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Seconds until the last device is done, with its part of what moves.
    pub seconds: f64,
    /// Seconds of the best device alone, with its part of what would move.
    pub best_single_seconds: f64,
    /// Which device that is.
    pub best_single: usize,
    /// The sum of the devices' rates over the largest of them: the most that any split could win.
    pub s_max: f64,
}

/// What is to be shared.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// Units of the slowest dimension.
    pub extent: u64,
    /// The smallest uncut number of units.
    pub grain: u64,
    /// How the cost of the units varies.
    pub density: &'a Density,
    /// For each device, the bytes that it would have to be sent for the whole; empty where nobody would be sent any.
    pub whole_missing: &'a [u64],
    /// For each device, the bytes for each unit that it has to be sent at every dispatch; empty where nobody has to.
    pub recurring: &'a [f64],
    /// For each device, seconds that any chunk takes besides; empty where none takes any.
    pub standing: &'a [f64],
    /// For each device, its units per second while the others are idle, where that is more; empty where nothing is known of
    /// it.
    pub alone: &'a [f64],
    /// Over how many dispatches the rest of what moves is of use: what moving it costs is shared among them.
    pub horizon: f64,
    /// What a split must save against the best device alone to be worth it, as a part of that.
    pub worth: f64,
    /// The seconds that it must save besides: those that take part are woken, and the last of them is waited for.
    pub worth_seconds: f64,
    /// What a new partition must save against the one before, as a part of that: below it, boundaries stay where they are.
    pub dead_band: f64,
}

/// Seconds of a partition: until its last device is done.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    /// With each device's part of what moves.
    seconds: f64,
    /// If nothing moved.
    steady_seconds: f64,
    /// If nothing moved but what moves at every dispatch.
    lasting_seconds: f64,
}

impl Cost {
    /// Adds a device: what it computes for, what it takes besides for any chunk, and what it is sent.
    fn add(&mut self, steady: f64, standing: f64, sending: Sending) {
        let lasting = steady + standing + sending.again;
        self.seconds = self.seconds.max(lasting + sending.once);
        self.steady_seconds = self.steady_seconds.max(steady);
        self.lasting_seconds = self.lasting_seconds.max(lasting);
    }
}

/// Seconds of a dispatch's part of what a device has to be sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sending {
    /// At every dispatch.
    again: f64,
    /// Now, and not again.
    once: f64,
}

impl Sending {
    fn seconds(self) -> f64 {
        self.again + self.once
    }
}

/// What there is to weigh partitions by.
struct Scales<'a> {
    demand: &'a Demand<'a>,
    estimates: &'a [Estimate],
    missing_bytes: &'a mut dyn FnMut(usize, Span) -> u64,
    /// The second least of the devices' overheads: of two that exchange something, one takes so long at least.
    least_sending: f64,
}

impl<'a> Scales<'a> {
    fn new(
        demand: &'a Demand<'a>,
        estimates: &'a [Estimate],
        missing_bytes: &'a mut dyn FnMut(usize, Span) -> u64,
    ) -> Self {
        let (mut least, mut second) = (f64::INFINITY, f64::INFINITY);
        for estimate in estimates.iter().filter(|one| one.units_per_second > 0.0) {
            let seconds = estimate.overhead_seconds;
            second = second.min(seconds.max(least));
            least = least.min(seconds);
        }
        Self {
            demand,
            estimates,
            missing_bytes,
            least_sending: if second.is_finite() { second } else { 0.0 },
        }
    }
    fn is_able(&self, device: usize) -> bool {
        self.estimates[device].units_per_second > 0.0
    }

    fn weight(&self, chunk: Span) -> f64 {
        self.demand.density.weight(chunk, self.demand.extent)
    }

    fn steady_seconds(&self, device: usize, chunk: Span) -> f64 {
        let estimate = self.estimates[device];
        estimate.overhead_seconds + self.weight(chunk) / estimate.units_per_second
    }

    /// What it takes to send a device what it lacks for a chunk; what it lacks at every dispatch takes a submission besides.
    fn sending(&mut self, device: usize, chunk: Span) -> Sending {
        let is_whole = chunk.len() == self.demand.extent;
        let bytes = if self.demand.whole_missing.is_empty() {
            0
        } else if is_whole {
            self.demand.whole_missing[device]
        } else {
            (self.missing_bytes)(device, chunk)
        };
        if bytes == 0 {
            return Sending::default();
        }
        let estimate = self.estimates[device];
        let bytes = bytes as f64;
        let each_unit = self.demand.recurring.get(device).copied().unwrap_or(0.0);
        let recurring = (each_unit * chunk.len() as f64).min(bytes);
        // Of the whole there are no neighbours to be sent anything by.
        let halos = if is_whole { bytes / 2.0 } else { 0.0 };
        let around = if recurring > halos {
            estimate.overhead_seconds.max(self.least_sending)
        } else {
            0.0
        };
        Sending {
            again: around + recurring / estimate.bytes_per_second,
            once: (bytes - recurring) / self.demand.horizon / estimate.bytes_per_second,
        }
    }

    fn standing_seconds(&self, device: usize) -> f64 {
        self.demand.standing.get(device).copied().unwrap_or(0.0)
    }

    fn cost(&mut self, chunks: &[Span]) -> Cost {
        let mut cost = Cost::default();
        for (device, chunk) in chunks.iter().enumerate() {
            if chunk.is_empty() {
                continue;
            }
            let steady = self.steady_seconds(device, *chunk);
            let sending = self.sending(device, *chunk);
            cost.add(steady, self.standing_seconds(device), sending);
        }
        cost
    }

    fn s_max(&self) -> f64 {
        let rates = self
            .estimates
            .iter()
            .map(|estimate| estimate.units_per_second);
        rates.clone().sum::<f64>() / rates.fold(0.0, f64::max)
    }

    /// The device that would end first alone, and what it would take.
    fn alone(&mut self) -> (usize, Cost) {
        let whole = Span::new(0, self.demand.extent);
        let mut best: Option<(usize, Cost)> = None;
        for device in 0..self.estimates.len() {
            if !self.is_able(device) {
                continue;
            }
            let estimate = self.estimates[device];
            let alone = self.demand.alone.get(device).copied().unwrap_or(0.0);
            let computing = self.weight(whole) / estimate.units_per_second.max(alone);
            let steady = estimate.overhead_seconds + computing;
            let sending = self.sending(device, whole);
            let mut cost = Cost::default();
            cost.add(steady, self.standing_seconds(device), sending);
            if best.is_none_or(|(_, best)| cost.seconds < best.seconds) {
                best = Some((device, cost));
            }
        }
        best.expect("at least one device takes part")
    }

    /// Whether a partition of an earlier dispatch can be followed again.
    fn is_possible(&self, chunks: &[Span]) -> bool {
        let takes_part = |(device, chunk): (usize, &Span)| chunk.is_empty() || self.is_able(device);
        chunks.len() == self.estimates.len()
            && chunks
                .last()
                .is_some_and(|last| last.end == self.demand.extent)
            && chunks.iter().enumerate().all(takes_part)
    }
}

/// Chooses partitions. Keeps its scratch, so that choosing again allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Decider {
    candidates: Vec<Candidate>,
    shares: Vec<f64>,
    order: Vec<usize>,
    proposal: Vec<Span>,
    rounded: Vec<Span>,
    /// Where the boundaries would be if nothing had to move.
    steady: Vec<Span>,
    /// For each device, seconds for each unit of weight that copies take.
    extra: Vec<f64>,
    estimates: Vec<Estimate>,
}

impl Decider {
    /// Sets `chunks` to one chunk for each device, some perhaps empty.
    ///
    /// `chunks` holds the partition of the dispatch before, if it has as many chunks as there are devices and ends at
    /// the extent. `missing_bytes` says how many bytes a device would have to be sent for a chunk. Costs `n log n` for
    /// `n` devices, and `missing_bytes` is asked a few times for each of them.
    ///
    /// # Panics
    ///
    /// If every device sits out.
    pub fn decide(
        &mut self,
        demand: &Demand<'_>,
        estimates: impl IntoIterator<Item = Estimate>,
        missing_bytes: &mut dyn FnMut(usize, Span) -> u64,
        chunks: &mut Vec<Span>,
    ) -> Prediction {
        let mut known = std::mem::take(&mut self.estimates);
        known.clear();
        known.extend(estimates);
        let mut scales = Scales::new(demand, &known, missing_bytes);
        let prediction = self.choose(&mut scales, chunks);
        self.estimates = known;
        prediction
    }

    fn choose(&mut self, scales: &mut Scales<'_>, chunks: &mut Vec<Span>) -> Prediction {
        let (best_single, alone) = scales.alone();
        let mut proposed = self.propose(scales);
        let Demand {
            worth,
            worth_seconds,
            ..
        } = *scales.demand;
        if proposed.seconds > alone.seconds * (1.0 - worth) - worth_seconds {
            single(best_single, scales.demand.extent, &mut self.proposal);
            proposed = alone;
        }
        let mut chosen = proposed;
        let stays = scales.is_possible(chunks) && {
            let stay = scales.cost(chunks);
            chosen = stay;
            // A split that has stopped being worth it isn't kept for being there.
            let parts = chunks.iter().filter(|chunk| !chunk.is_empty()).count();
            let least = alone.lasting_seconds * (1.0 - worth / 2.0) - worth_seconds / 2.0;
            let is_worth = parts == 1 || stay.lasting_seconds < least;
            is_worth && proposed.seconds > stay.seconds * (1.0 - scales.demand.dead_band)
        };
        if !stays {
            chosen = proposed;
            chunks.clear();
            chunks.extend_from_slice(&self.proposal);
        }
        Prediction {
            seconds: chosen.seconds,
            best_single_seconds: alone.seconds,
            best_single,
            s_max: scales.s_max(),
        }
    }

    /// Proposes the partition that lets all finish together: as if nothing had to move, or with what would have to,
    /// whichever ends sooner.
    fn propose(&mut self, scales: &mut Scales<'_>) -> Cost {
        self.extra.clear();
        self.extra.resize(scales.estimates.len(), 0.0);
        let steady = self.fill(scales);
        if steady.seconds <= steady.steady_seconds {
            return steady;
        }
        std::mem::swap(&mut self.steady, &mut self.proposal);
        let whole = Span::new(0, scales.demand.extent);
        for (device, extra) in self.extra.iter_mut().enumerate() {
            let chunk = match self.steady[device] {
                chunk if chunk.is_empty() => whole,
                chunk => chunk,
            };
            *extra = scales.sending(device, chunk).seconds() / scales.weight(chunk);
        }
        let mindful = self.fill(scales);
        if mindful.seconds <= steady.seconds {
            return mindful;
        }
        std::mem::swap(&mut self.steady, &mut self.proposal);
        steady
    }

    /// Proposes the partition that lets all finish together, as far as whole grains let them.
    fn fill(&mut self, scales: &mut Scales<'_>) -> Cost {
        let Demand {
            extent,
            grain,
            density,
            ..
        } = *scales.demand;
        self.candidates.clear();
        let standing = (0..scales.estimates.len()).map(|device| scales.standing_seconds(device));
        let candidate = |((estimate, extra), standing): ((&Estimate, &f64), f64)| Candidate {
            fixed_seconds: estimate.overhead_seconds + standing,
            // A device that sits out has no rate: infinite seconds for a unit.
            seconds_per_item: estimate.units_per_second.recip() + extra,
        };
        self.candidates.extend(
            scales
                .estimates
                .iter()
                .zip(&self.extra)
                .zip(standing)
                .map(candidate),
        );
        let level = water_fill(
            extent as f64,
            &self.candidates,
            &mut self.shares,
            &mut self.order,
        );
        partition(extent, grain, density, &self.shares, &mut self.proposal);
        // Rounding to the nearest grain is as good as any where grains are many; where they are few, the slowest may have
        // got one that lasts longer than all of the others' work.
        let (mut low, mut high) = (level, self.seconds(scales));
        while high - low > ROUNDED * level {
            let middle = f64::midpoint(low, high);
            let (candidates, rounded) = (&self.candidates, &mut self.rounded);
            if partition_within(middle, extent, grain, density, candidates, rounded) {
                high = middle;
                std::mem::swap(&mut self.proposal, &mut self.rounded);
            } else {
                low = middle;
            }
        }
        scales.cost(&self.proposal)
    }

    /// Seconds of what is proposed, copies spread over the units.
    fn seconds(&self, scales: &Scales<'_>) -> f64 {
        let chunks = self.proposal.iter().zip(&self.candidates);
        let seconds = chunks.filter(|(chunk, _)| !chunk.is_empty());
        seconds
            .map(|(chunk, one)| one.fixed_seconds + scales.weight(*chunk) * one.seconds_per_item)
            .fold(0.0, f64::max)
    }
}

/// The partition that gives everything to one device.
pub(crate) fn single(device: usize, extent: u64, chunks: &mut [Span]) {
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
            decider.decide(&demand(1000, 1), estimates, &mut |_, _| 0, chunks);
        };
        let mut chunks = Vec::new();
        decide(250.0, &mut chunks);
        assert_eq!(chunks, [Span::new(0, 800), Span::new(800, 1000)]);
        decide(80.0, &mut chunks);
        decide(30.0, &mut chunks);
        assert_eq!(chunks, [Span::new(0, 1000), Span::new(1000, 1000)]);
    }

    #[test]
    fn what_a_split_sends_at_every_dispatch_counts_for_whether_it_is_kept() {
        // 109 us with a submission for the halos, 73 without; alone 110, and no halos.
        let estimates = [estimate(1e6, 10e-6), estimate(1e6, 36e-6)];
        let decide = |recurring: &[f64]| {
            let mut chunks = vec![Span::new(0, 63), Span::new(63, 100)];
            let demand = Demand {
                whole_missing: &[1000, 1000],
                recurring,
                horizon: 1e6,
                ..demand(100, 1)
            };
            let mut missing = |_: usize, chunk: Span| if chunk.len() == 100 { 1000 } else { 8 };
            Decider::default().decide(&demand, estimates, &mut missing, &mut chunks);
            chunks
        };
        assert_eq!(decide(&[0.0, 0.0]), [0..63, 63..100]);
        assert_eq!(decide(&[0.1, 0.1]), [0..100, 100..100]);
    }

    fn estimate(units_per_second: f64, overhead_seconds: f64) -> Estimate {
        Estimate {
            units_per_second,
            overhead_seconds,
            bytes_per_second: 1e9,
        }
    }

    fn demand(extent: u64, grain: u64) -> Demand<'static> {
        const FLAT: &Density = &Density::flat();
        Demand {
            extent,
            grain,
            density: FLAT,
            whole_missing: &[],
            recurring: &[],
            standing: &[],
            alone: &[],
            horizon: 1.0,
            worth: 0.04,
            worth_seconds: 0.0,
            dead_band: 0.02,
        }
    }

    fn decide(
        estimates: &[Estimate],
        missing: impl FnMut(usize, Span) -> u64,
        chunks: &mut Vec<Span>,
    ) -> Prediction {
        decide_for(1.0, estimates, missing, chunks)
    }

    fn decide_for(
        horizon: f64,
        estimates: &[Estimate],
        missing: impl FnMut(usize, Span) -> u64,
        chunks: &mut Vec<Span>,
    ) -> Prediction {
        let mut missing = missing;
        let whole = Span::new(0, 10_000);
        let whole_missing: Vec<u64> = (0..estimates.len()).map(|i| missing(i, whole)).collect();
        let demand = Demand {
            whole_missing: &whole_missing,
            horizon,
            ..demand(10_000, 10)
        };
        Decider::default().decide(&demand, estimates.iter().copied(), &mut missing, chunks)
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
    fn a_split_in_which_devices_slow_each_other_down_must_beat_one_that_is_left_alone() {
        // Together they would save a fifth of what the first takes beside the other, and it takes a third less alone.
        let estimates = [estimate(1e6, 0.0), estimate(2.5e5, 0.0)];
        let decide = |alone: &[f64]| {
            let mut chunks = Vec::new();
            let demand = Demand {
                alone,
                ..demand(10_000, 10)
            };
            let prediction =
                Decider::default().decide(&demand, estimates, &mut |_, _| 0, &mut chunks);
            (chunks, prediction)
        };
        assert_eq!(decide(&[]).0, [0..8_000, 8_000..10_000]);
        assert_eq!(decide(&[1.1e6, 0.0]).0, [0..8_000, 8_000..10_000]);
        let (chunks, prediction) = decide(&[1.5e6, 0.0]);
        assert_eq!(chunks, [0..10_000, 10_000..10_000]);
        assert!((prediction.best_single_seconds - 10e-3 / 1.5).abs() < 1e-9);
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
        let estimates = [estimate(1e6, 0.0), estimate(1.3e6, 0.0)];
        decide(&estimates, missing, &mut chunks);
        assert_eq!(chunks[0], 0..5_000);
        // Unless it is of use for long enough.
        decide_for(1e4, &estimates, missing, &mut chunks);
        assert!(chunks[0].len() < 4_500, "{chunks:?}");
    }

    #[test]
    fn a_device_that_has_to_be_sent_much_is_worth_it_if_much_is_to_come() {
        let estimates = [estimate(1e6, 0.0), estimate(1e7, 0.0)];
        let missing = |i: usize, chunk: Span| if i == 1 { chunk.len() * 10_000 } else { 0 };
        let mut chunks = Vec::new();
        decide_for(1.0, &estimates, missing, &mut chunks);
        assert!(chunks[0].len() > 8_000, "{chunks:?}");
        decide_for(100.0, &estimates, missing, &mut chunks);
        assert!(chunks[1].len() > 8_000, "{chunks:?}");
    }

    #[test]
    fn of_many_devices_each_is_asked_a_few_times_what_it_lacks() {
        for devices in [10_u64, 1_000, 10_000] {
            let mut asked = 0;
            let mut missing = |_: usize, chunk: Span| {
                asked += 1;
                chunk.len()
            };
            let extent = devices * 100;
            let demand = Demand {
                whole_missing: &vec![extent; devices as usize],
                ..demand(extent, 1)
            };
            let estimates = (0..devices).map(|i| estimate(1e6 + i as f64, 1e-6));
            let mut chunks = Vec::new();
            for _ in 0..2 {
                let estimates = estimates.clone();
                Decider::default().decide(&demand, estimates, &mut missing, &mut chunks);
            }
            assert!(asked <= 10 * devices, "{asked} of {devices}");
        }
    }

    #[test]
    fn of_few_grains_the_slow_devices_get_what_they_can_do_meanwhile() {
        // Shares of 3.0, 12.2 and 48.8 grains of 64: the nearest cuts are right. Of 32, the slowest would get 2 and last
        // for a quarter longer than all of the others.
        let estimates = [1.0, 4.0, 16.0].map(|rate| estimate(rate * 1e4, 0.0));
        for (grains, best) in [(64, 49.0 / 16.0), (32, 25.0 / 16.0), (16, 13.0 / 16.0)] {
            let extent = grains * 100;
            let mut chunks = Vec::new();
            let demand = demand(extent, 100);
            let prediction =
                Decider::default().decide(&demand, estimates, &mut |_, _| 0, &mut chunks);
            let best = best * 1e-2;
            assert!(
                prediction.seconds < best * 1.006,
                "{grains} {prediction:?} {chunks:?}"
            );
        }
    }

    #[test]
    fn boundaries_fall_where_the_time_is_equal() {
        let density = Density::new(vec![1.0, 3.0]);
        let demand = Demand {
            density: &density,
            ..demand(10_000, 1)
        };
        let estimates = [estimate(1e6, 0.0), estimate(1e6, 0.0)];
        let mut chunks = Vec::new();
        let prediction = Decider::default().decide(&demand, estimates, &mut |_, _| 0, &mut chunks);
        assert_eq!(chunks[0], 0..6_667);
        assert!((prediction.seconds - 5e-3).abs() < 1e-6, "{prediction:?}");
    }
}
