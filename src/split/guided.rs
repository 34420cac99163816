//! A dispatch in many chunks, handed out as devices ask for more.
//!
//! For kernels whose speed isn't known yet, and for what is left of a dispatch when a device was lost. Measures nothing
//! itself; whoever runs the chunks says how long they took.
//!
//! Invariant: every unit is handed out exactly once, and as long as some are left, the fastest of the devices that are still
//! at it takes more when it asks.

use crate::span::Span;

/// The share of the fair rest that a device is given at once: the `k` of the formula below. Of what is known of the cost
/// nothing holds for units that nobody has run: where they cost four times as much, a chunk still ends with the rest.
const PACE: f64 = 4.0;
/// The first chunk of a device whose rate isn't known: this part of an even share.
const FIRST: u64 = 128;
/// How much larger than its last chunk a device's next one may be, while its rate is young.
const GROWTH: u64 = 4;
/// What a chunk takes at least, in overheads of its device.
const OVERHEADS: f64 = 2.0;
/// A device that turns out to be this much slower than was thought changes what others should do.
const SLOWED: f64 = 0.8;

/// What is known of a device when the first chunks are handed out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Units per second, if known.
    pub rate: Option<f64>,
    /// Seconds around each chunk.
    pub overhead_seconds: f64,
    /// Seconds that no chunk is to take longer than, as far as rates are known.
    pub longest_seconds: f64,
}

#[derive(Clone, Copy, Debug)]
struct Runner {
    pace: Pace,
    /// Units of its last chunk; zero before its first.
    last: u64,
    /// Whether it takes more.
    is_at_it: bool,
    /// Whether it did, and left the rest to others.
    has_left: bool,
    takes_from_end: bool,
}

/// Hands a range out in chunks that grow with what is known of the devices and shrink towards the end.
///
/// The size is that of HGuided (EngineCL, arXiv 2010.12607): `max(m, G * P_i / (k * sum P))`, with `G` the units left,
/// `P_i` the device's rate and `m` what is worth a chunk of that device. The first half of the devices takes from the
/// start of the range and the other half from its end, so that the boundary between them is where they meet; and a device
/// for which what is left is too little leaves it to a faster one.
#[derive(Clone, Debug)]
pub struct Guided {
    /// What is left, in order.
    left: Vec<Span>,
    left_units: u64,
    grain: u64,
    runners: Vec<Runner>,
    at_it: usize,
    /// The sum of the rates that are known, and how many are.
    known: (f64, usize),
    /// A device that was the fastest when somebody looked.
    fastest: usize,
}

impl Guided {
    /// Of the units `left`, in order and apart, for these devices; none for one that takes no part. Chunks begin where a
    /// span of `left` does, or on a multiple of `grain`.
    #[must_use]
    pub fn new(left: Vec<Span>, grain: u64, paces: &[Option<Pace>]) -> Self {
        let count = paces.iter().flatten().count();
        let mut place = 0;
        let runner = |pace: &Option<Pace>| {
            place += usize::from(pace.is_some());
            Runner {
                pace: pace.unwrap_or(Pace {
                    rate: None,
                    overhead_seconds: 0.0,
                    longest_seconds: f64::INFINITY,
                }),
                last: 0,
                is_at_it: pace.is_some(),
                has_left: false,
                takes_from_end: place > count.div_ceil(2),
            }
        };
        let rates = || paces.iter().flatten().filter_map(|pace| pace.rate);
        Self {
            left_units: left.iter().map(|span| span.len()).sum(),
            left,
            grain: grain.max(1),
            runners: paces.iter().map(runner).collect(),
            at_it: count,
            known: (rates().sum(), rates().count()),
            fastest: 0,
        }
    }

    /// The next chunk of a device, or nothing when there is none for it.
    pub fn next(&mut self, device: usize) -> Option<Span> {
        if self.left_units == 0 || !self.runners[device].is_at_it {
            return None;
        }
        let Some(size) = self.size(device) else {
            self.leave(device);
            return None;
        };
        let chunk = if self.runners[device].takes_from_end {
            self.take_last(size)
        } else {
            self.take_first(size)
        };
        self.left_units -= chunk.len();
        self.runners[device].last = chunk.len();
        Some(chunk)
    }

    /// Units of a device's next chunk, a multiple of the grain; none if it leaves the rest to others.
    fn size(&mut self, device: usize) -> Option<u64> {
        let Runner { pace, last, .. } = self.runners[device];
        let left = self.left_units as f64;
        let Some(rate) = pace.rate else {
            let first = (self.left_units / self.at_it as u64 / FIRST).max(1);
            return Some(first.next_multiple_of(self.grain));
        };
        // A device that hasn't finished a chunk yet counts as an average one.
        let (sum, count) = self.known;
        let sum = sum / count as f64 * self.at_it as f64;
        // The last that is at it needs to leave nothing to others.
        let pace_of_all = if self.at_it == 1 { 1.0 } else { PACE };
        let fair = left * rate / (pace_of_all * sum);
        let most = match last {
            0 => f64::INFINITY,
            last => last.saturating_mul(GROWTH) as f64,
        };
        let units = fair
            .max(rate * OVERHEADS * pace.overhead_seconds)
            .min(most)
            .min(rate * pace.longest_seconds);
        let size = ((units / self.grain as f64).round() as u64).max(1) * self.grain;
        // How fast those are that haven't finished a chunk is no reason to give up.
        let seconds = pace.overhead_seconds + (size as f64).min(left) / rate;
        let is_late = seconds > left / self.known.0;
        if is_late && self.is_outrun(device) {
            return None;
        }
        Some(size)
    }

    /// Whether another device that is still at it is faster.
    fn is_outrun(&mut self, device: usize) -> bool {
        let own = self.runners[device].pace.rate;
        let is_faster = |other: &Runner| other.is_at_it && other.pace.rate > own;
        if !is_faster(&self.runners[self.fastest]) {
            let at_it = (0..self.runners.len()).filter(|i| self.runners[*i].is_at_it);
            let rate = |i: &usize| self.runners[*i].pace.rate.unwrap_or(0.0);
            // The first of those that are as fast: two that wait for each other would leave the rest to nobody.
            let fastest = at_it.max_by(|a, b| rate(a).total_cmp(&rate(b)).then(b.cmp(a)));
            self.fastest = fastest.unwrap_or(device);
        }
        self.fastest != device
    }

    /// A device takes no more, unless others turn out to be slower than was thought: what is left is for them.
    fn leave(&mut self, device: usize) {
        let runner = &mut self.runners[device];
        (runner.is_at_it, runner.has_left) = (false, true);
        self.at_it -= 1;
        if let Some(rate) = runner.pace.rate {
            self.known = (self.known.0 - rate, self.known.1 - 1);
        }
    }

    fn take_first(&mut self, size: u64) -> Span {
        let span = self.left[0];
        // Down to a multiple of the grain, unless it's all there is.
        let end = (span.start / self.grain * self.grain + size).min(span.end);
        self.left[0].start = end;
        self.left.retain(|span| !span.is_empty());
        Span::new(span.start, end)
    }

    fn take_last(&mut self, size: u64) -> Span {
        let last = self.left.len() - 1;
        let span = self.left[last];
        let start = (span.end.next_multiple_of(self.grain).saturating_sub(size)).max(span.start);
        self.left[last].end = start;
        self.left.retain(|span| !span.is_empty());
        Span::new(start, span.end)
    }

    /// Learns how fast a device ran a chunk. Returns whether those that have left should ask again.
    pub fn completed(&mut self, device: usize, units: u64, seconds: f64) -> bool {
        if !(seconds > 0.0 && units > 0) {
            return false;
        }
        let rate = units as f64 / seconds;
        let before = self.runners[device].pace.rate.replace(rate);
        match before {
            Some(before) => self.known.0 += rate - before,
            None => self.known = (self.known.0 + rate, self.known.1 + 1),
        }
        let has_slowed = before.is_some_and(|before| rate < before * SLOWED);
        has_slowed && self.left_units > 0 && self.come_back()
    }

    /// Lets those that have left take part again; returns whether there were any.
    fn come_back(&mut self) -> bool {
        let at_it = self.at_it;
        for runner in self.runners.iter_mut().filter(|runner| runner.has_left) {
            (runner.is_at_it, runner.has_left) = (true, false);
            self.at_it += 1;
            if let Some(rate) = runner.pace.rate {
                self.known = (self.known.0 + rate, self.known.1 + 1);
            }
        }
        self.at_it > at_it
    }

    /// Whether everything has been handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left_units == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paces<const N: usize>(rates: [Option<f64>; N]) -> [Option<Pace>; N] {
        rates.map(|rate| {
            Some(Pace {
                rate,
                overhead_seconds: 0.0,
                longest_seconds: f64::INFINITY,
            })
        })
    }

    #[test]
    fn an_unknown_device_starts_small_and_grows() {
        let mut guided = Guided::new(vec![Span::new(0, 64_000)], 64, &paces([None, None]));
        let first = guided.next(0).expect("there is work");
        assert_eq!(first, 0..256);
        guided.completed(0, first.len(), 1e-3);
        let second = guided.next(0).expect("there is work");
        assert!(second.len() > first.len() && second.len() <= first.len() * GROWTH);
    }

    #[test]
    fn devices_work_from_both_ends_towards_the_middle() {
        let whole = vec![Span::new(0, 1000)];
        let mut guided = Guided::new(whole, 64, &paces([Some(1.0), None, Some(1.0), Some(1.0)]));
        assert_eq!(guided.next(3).map(|chunk| chunk.end), Some(1000));
        assert_eq!(guided.next(0).map(|chunk| chunk.start), Some(0));
        assert!(guided.next(1).is_some_and(|chunk| chunk.start < 500));
        assert!(guided.next(2).is_some_and(|chunk| chunk.start > 500));
    }

    #[test]
    fn a_device_that_takes_no_part_gets_nothing_and_counts_for_nothing() {
        let mut paces = paces([Some(1.0), Some(100.0)]);
        paces[1] = None;
        let mut guided = Guided::new(vec![Span::new(0, 1000)], 1, &paces);
        assert_eq!(guided.next(1), None);
        assert_eq!(guided.next(0), Some(Span::new(0, 1000)));
    }

    #[test]
    fn no_chunk_is_expected_to_take_longer_than_it_may() {
        let mut paces = paces([Some(1e6), None]);
        paces
            .iter_mut()
            .flatten()
            .for_each(|pace| pace.longest_seconds = 1e-3);
        let mut guided = Guided::new(vec![Span::new(0, 1_000_000)], 1, &paces);
        assert_eq!(guided.next(0), Some(Span::new(0, 1000)));
    }

    #[test]
    fn a_device_that_has_left_the_rest_comes_back_if_others_turn_out_to_be_slower() {
        let mut paces = paces([Some(1e3), Some(1e6), Some(1e6)]);
        paces
            .iter_mut()
            .flatten()
            .for_each(|pace| pace.overhead_seconds = 1e-3);
        let mut guided = Guided::new(vec![Span::new(0, 10_000)], 10, &paces);
        assert_eq!(guided.next(0), None);
        let mut run = |device: usize, rate: f64| {
            let chunk = guided.next(device).expect("there is work");
            guided.completed(device, chunk.len(), chunk.len() as f64 / rate)
        };
        assert!(!run(1, 0.9e6));
        assert!(run(2, 1e3));
        run(1, 1e3);
        assert!(guided.next(0).is_some());
    }

    #[test]
    fn a_slow_device_leaves_the_rest_to_a_faster_one() {
        let mut paces = paces([Some(1e3), Some(1e6)]);
        paces
            .iter_mut()
            .flatten()
            .for_each(|pace| pace.overhead_seconds = 1e-3);
        let mut guided = Guided::new(vec![Span::new(0, 1000)], 10, &paces);
        assert_eq!(guided.next(0), None);
        assert_eq!(guided.next(1).map(|chunk| chunk.end), Some(1000));
        while guided.next(1).is_some() {}
        assert!(guided.is_empty());
    }

    proptest! {
        #[test]
        fn every_unit_is_handed_out_once_and_grains_stay_whole(
            extent in 1_u64..5_000,
            grain in 1_u64..70,
            hole in (0_u64..70, 0_u64..70),
            asks in prop::collection::vec((0_usize..3, 1e-6_f64..1.0), 1..40),
            overhead_seconds in 0.0_f64..1.0,
        ) {
            // What is left after a loss: spans that begin and end on grains.
            let cut = |grains: u64| (grains * grain).min(extent);
            let (low, high) = (cut(hole.0.min(hole.1)), cut(hole.0.max(hole.1)));
            let left: Vec<Span> =
                [Span::new(0, low), Span::new(high, extent)].into_iter().filter(|span| !span.is_empty()).collect();
            let mut seen = vec![false; extent as usize];
            let mut paces = paces([None, None, Some(1e6)]);
            paces.iter_mut().flatten().for_each(|pace| pace.overhead_seconds = overhead_seconds);
            let mut guided = Guided::new(left.clone(), grain, &paces);
            // Every device is at work at first; one that is given nothing is asked again when that is wanted.
            let mut at_work = vec![0, 1, 2];
            for (pick, seconds) in asks.into_iter().cycle() {
                if at_work.is_empty() {
                    break;
                }
                let pick = pick % at_work.len();
                let device = at_work[pick];
                let Some(chunk) = guided.next(device) else {
                    at_work.remove(pick);
                    continue;
                };
                prop_assert!(!chunk.is_empty());
                prop_assert!(chunk.start.is_multiple_of(grain));
                prop_assert!(chunk.end.is_multiple_of(grain) || chunk.end == extent);
                for unit in chunk.indices() {
                    prop_assert!(!std::mem::replace(&mut seen[unit], true));
                }
                if guided.completed(device, chunk.len(), seconds) {
                    at_work = vec![0, 1, 2];
                }
            }
            prop_assert!(guided.is_empty());
            prop_assert_eq!(seen.iter().filter(|seen| **seen).count() as u64, left.iter().map(|s| s.len()).sum::<u64>());
        }
    }
}
