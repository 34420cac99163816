//! Whether a split that promises little keeps its promise.
//!
//! Rates are learned while devices work together, and devices that share a memory or a power budget are slower then: no
//! rate says how fast one of them would be alone. So a dispatch that is repeated runs alone now and then, and the faster
//! way is kept for a while. What a split promises is the decision's affair.
//!
//! Invariant: a trial takes a bounded part of the dispatches, and next to none if the promise is large and kept.

/// A split that is predicted to be so much faster than the best device alone promises enough for one look at the device
/// alone to tell, if it shows half of that.
const TELLING_SPEEDUP: f64 = 1.15;
/// One that is predicted to be so much faster promises so much that it is doubted late.
const LARGE_SPEEDUP: f64 = 1.3;
/// Dispatches before a large promise is doubted.
const LATE: usize = 32;
/// Dispatches before the first trial: boundaries have settled then.
const SETTLE: usize = 6;
/// Dispatches after which they have settled enough for what one took to be worth keeping.
const NEARLY: usize = 3;
/// One device alone must take less than this part of what the split takes to be kept: a verdict on few samples of a noisy
/// machine is worth no more.
const CLEARLY: f64 = 0.95;
/// Where it costs more than a dispatch to bring the data to one device, so many dispatches come before a trial for each that
/// it costs: it has to be done three times and more, and back. A verdict holds for longer in proportion.
const WORTH_CHANGE: f64 = 64.0;
/// Samples of either way that make a verdict in any case.
const SAMPLES: usize = 6;
/// Samples of either way that make one if all of one way are better than all of the other.
const FEW: usize = 3;
/// Dispatches that the first verdict holds for; each further one holds for twice as many, up to eight times.
const PERIOD: usize = 256;

/// What a repeated dispatch took, split and whole.
///
/// Both ways take turns of two dispatches, so that a machine whose speed drifts is fair to both; the first of a turn only
/// brings the data to where the second needs it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trial {
    seen: usize,
    /// How many had been seen when the doubt began.
    begun: Option<usize>,
    together: Vec<f64>,
    alone: Vec<f64>,
    /// What the first look at the device alone took at least, if its own clock says so: bringing the data isn't in it.
    least_alone: Option<f64>,
    was_alone: Option<bool>,
    verdicts: u32,
    verdict: Option<Verdict>,
    /// The dearest change so far, in dispatches.
    change: f64,
}

#[derive(Clone, Copy, Debug)]
struct Verdict {
    is_alone: bool,
    /// Dispatches that it still holds for.
    left: usize,
}

impl Trial {
    /// Whether the next dispatch is to run alone though a split is predicted to be this much faster.
    /// `change` is what it costs to bring the data together, beside the dispatch itself; infinite if now is no time for it.
    pub(super) fn prefers_alone(&mut self, predicted_speedup: f64, change: f64) -> bool {
        if let Some(verdict) = &mut self.verdict {
            verdict.left -= 1;
            let is_alone = verdict.is_alone;
            if verdict.left == 0 {
                *self = Self {
                    verdicts: self.verdicts + 1,
                    ..Self::default()
                };
            }
            return is_alone;
        }
        if change.is_infinite() {
            return false;
        }
        self.change = self.change.max(change);
        let half = 1.0 + (predicted_speedup - 1.0) / 2.0;
        let is_kept = predicted_speedup >= TELLING_SPEEDUP && self.shows(half);
        if let Some(is_alone) = is_kept.then_some(false).or_else(|| self.judge()) {
            self.verdict = Some(Verdict {
                is_alone,
                left: (PERIOD as f64 * self.change.max(1.0)) as usize * (1 << self.verdicts.min(3))
                    - 1,
            });
            return is_alone;
        }
        self.seen += 1;
        let is_large = predicted_speedup >= LARGE_SPEEDUP;
        let settle = if is_large { LATE } else { SETTLE };
        let settle = match self.change {
            ..=1.0 => settle,
            dear => settle.max((dear * WORTH_CHANGE) as usize),
        };
        if self.begun.is_none() && self.seen > settle {
            // What is promised may change meanwhile: turns go on as they have begun.
            self.begun = Some(self.seen);
        }
        let is_alone = |begun: usize| ((self.seen - begun) / 2).is_multiple_of(2);
        self.begun.is_some_and(is_alone)
    }

    /// Whether the first look at a device alone shows that it takes so many times as long.
    fn shows(&self, times: f64) -> bool {
        let longest = self.together.iter().copied().fold(0.0, f64::max);
        let mut alone = self.alone.first().into_iter().chain(&self.least_alone);
        longest > 0.0 && alone.any(|alone| *alone > longest * times)
    }

    /// Whether one device alone is faster, if there is enough to tell.
    fn judge(&mut self) -> Option<bool> {
        let least = self.alone.len().min(self.together.len());
        if least >= SAMPLES {
            return Some(median(&mut self.alone) < median(&mut self.together) * CLEARLY);
        }
        let most = |samples: &[f64]| samples.iter().copied().fold(0.0, f64::max);
        let fewest = |samples: &[f64]| samples.iter().copied().fold(f64::INFINITY, f64::min);
        if least >= FEW && most(&self.alone) < fewest(&self.together) * CLEARLY {
            return Some(true);
        }
        (least >= FEW && most(&self.together) < fewest(&self.alone)).then_some(false)
    }

    /// What a dispatch took that `devices` took part in, and what they were busy for, all told, where their clocks say so.
    pub(super) fn add(&mut self, devices: usize, seconds: f64, busy_seconds: Option<f64>) {
        if devices == 0 || self.verdict.is_some() {
            return;
        }
        let is_alone = devices == 1;
        let is_second = self.was_alone.replace(is_alone) == Some(is_alone);
        if is_alone && self.least_alone.is_none() {
            self.least_alone = busy_seconds;
        }
        if is_second && self.seen > NEARLY {
            let samples = if is_alone {
                &mut self.alone
            } else {
                &mut self.together
            };
            if samples.len() == SAMPLES {
                samples.remove(0);
            }
            samples.push(seconds);
        }
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dispatches until the first verdict at the latest.
    const TRIAL: usize = SETTLE + 4 * SAMPLES;
    /// Dispatches until the first verdict if both ways are always the same.
    const SHORT: usize = SETTLE + 4 * FEW - 2;

    /// Which of so many dispatches run alone, if they take this long split and alone; how fast the machine is at the
    /// time scales both.
    fn alone_of(
        dispatches: usize,
        together: f64,
        alone: f64,
        predicted_speedup: f64,
        slowness: impl Fn(usize) -> f64,
    ) -> Vec<bool> {
        let mut trial = Trial::default();
        let mut step = |i| {
            let is_alone = trial.prefers_alone(predicted_speedup, 0.1);
            let (devices, seconds) = if is_alone { (1, alone) } else { (2, together) };
            trial.add(devices, seconds * slowness(i), None);
            is_alone
        };
        (0..dispatches).map(&mut step).collect()
    }

    fn count(alone: &[bool]) -> usize {
        alone.iter().filter(|alone| **alone).count()
    }

    #[test]
    fn a_split_that_promises_little_and_keeps_it_is_doubted_a_few_times() {
        let alone = alone_of(SHORT + PERIOD, 1.0, 1.1, 1.1, |_| 1.0);
        assert_eq!(count(&alone), 2 * FEW);
        assert_eq!(count(&alone[SHORT..]), 0);
    }

    #[test]
    fn a_split_that_keeps_its_promise_is_doubted_once() {
        let alone = alone_of(SETTLE + PERIOD, 1.0, 1.2, 1.2, |_| 1.0);
        assert_eq!(count(&alone), 2);
    }

    #[test]
    fn a_device_whose_clock_says_enough_is_looked_at_once_and_not_believed_where_it_says_too_little()
     {
        let looks = |busy: f64| {
            let mut trial = Trial::default();
            let mut step = |_| {
                let is_alone = trial.prefers_alone(1.2, 0.1);
                match is_alone {
                    // Bringing the data takes long.
                    true => trial.add(1, 5.0, Some(busy)),
                    false => trial.add(2, 1.0, Some(2.0)),
                }
                is_alone
            };
            let alone: Vec<bool> = (0..SETTLE + 2).map(&mut step).collect();
            count(&alone)
        };
        assert_eq!(looks(1.15), 1);
        assert_eq!(looks(1.05), 2);
    }

    #[test]
    fn a_split_that_is_slower_than_one_device_is_tried_more_and_more_rarely() {
        let alone = alone_of(1 << 16, 1.0, 0.8, 1.2, |_| 1.0);
        assert!(alone[SHORT..][..PERIOD].iter().all(|alone| *alone));
        assert!(alone[SHORT + PERIOD..][..SETTLE].iter().all(|alone| !alone));
        let most = (1 << 16) / (8 * PERIOD) + 4;
        assert!(count(&alone) > (1 << 16) - most * (SETTLE + 2 * SAMPLES + 2));
    }

    #[test]
    fn a_machine_that_drifts_is_fair_to_both_ways() {
        let alone = alone_of(TRIAL + 1, 1.0, 1.1, 1.2, |i| 1.0 / (1.0 + 0.2 * i as f64));
        assert!(!alone[TRIAL]);
        let alone = alone_of(TRIAL + 1, 1.2, 1.0, 1.2, |i| 1.0 + 0.2 * i as f64);
        assert!(alone[TRIAL]);
    }

    #[test]
    fn a_split_is_doubted_the_later_the_more_the_doubt_costs() {
        let doubted = |change: f64| {
            let mut trial = Trial::default();
            let is_alone = |_: &usize| {
                let is_alone = trial.prefers_alone(1.2, change);
                trial.add(2, 1.0, None);
                is_alone
            };
            (0..10_000).find(is_alone)
        };
        assert_eq!(doubted(0.0), Some(SETTLE));
        assert_eq!(doubted(10.0), Some(10 * WORTH_CHANGE as usize));
        assert_eq!(doubted(f64::INFINITY), None);
    }

    #[test]
    fn turns_go_on_as_they_have_begun_whatever_is_promised_meanwhile() {
        let mut trial = Trial::default();
        let mut was_alone = false;
        let mut step = |_| {
            // Where the data is decides how much is promised.
            let promised = if was_alone { 1.08 } else { 1.33 };
            was_alone = trial.prefers_alone(promised, 0.0);
            let (devices, seconds) = if was_alone { (1, 0.5) } else { (2, 1.0) };
            trial.add(devices, seconds, None);
            was_alone
        };
        let alone: Vec<bool> = (0..LATE + TRIAL).map(&mut step).collect();
        assert!(
            alone[LATE + SHORT..].iter().all(|alone| *alone),
            "{alone:?}"
        );
    }

    #[test]
    fn a_verdict_that_was_dear_holds_for_long() {
        let mut trial = Trial::default();
        let mut step = |_| {
            let is_alone = trial.prefers_alone(1.2, 4.0);
            let (devices, seconds) = if is_alone { (1, 0.5) } else { (2, 1.0) };
            trial.add(devices, seconds, None);
            is_alone
        };
        let alone: Vec<bool> = (0..2_000).map(&mut step).collect();
        let begun = 4 * WORTH_CHANGE as usize + 4 * FEW;
        assert!(alone[begun..][..4 * PERIOD - 8].iter().all(|alone| *alone));
    }

    #[test]
    fn a_large_promise_that_is_kept_is_doubted_late_and_once_in_a_period() {
        let alone = alone_of(LATE + PERIOD, 1.0, 1.8, 1.9, |_| 1.0);
        assert_eq!(count(&alone[..LATE]), 0);
        assert_eq!(count(&alone), 2);
    }

    #[test]
    fn a_large_promise_that_is_not_kept_is_found_out() {
        let alone = alone_of(LATE + 4 * FEW + PERIOD, 1.0, 0.8, 1.9, |_| 1.0);
        assert_eq!(count(&alone[..LATE]), 0);
        assert!(
            alone[LATE + 4 * FEW..][..PERIOD - 4]
                .iter()
                .all(|alone| *alone)
        );
    }
}
