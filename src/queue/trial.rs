//! Whether a split that promises little keeps its promise.
//!
//! Rates are learned while devices work together, and devices that share a memory or a power budget are slower then: no
//! rate says how fast one of them would be alone. So a dispatch that is repeated runs a few times alone too, and the
//! faster way is kept. What a split promises is the decision's affair.
//!
//! Invariant: a trial takes a bounded part of the dispatches, and none if the promise is large.

/// A split that is predicted to be so much faster than the best device alone isn't doubted: no contention eats that.
const CERTAIN_SPEEDUP: f64 = 1.5;
/// Samples of splits before one device is tried alone.
const TOGETHER: usize = 8;
/// Samples of one device alone.
const ALONE: usize = 5;
/// Dispatches that run alone before a split is tried again.
const PERIOD: usize = 256;

/// What a repeated dispatch took, split and whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Trial {
    together: Vec<f64>,
    alone: Vec<f64>,
    /// Dispatches that ran alone because that was found to be faster.
    kept_alone: usize,
}

impl Trial {
    /// Whether the next dispatch is to run alone though a split is predicted to be this much faster.
    pub(super) fn prefers_alone(&mut self, predicted_speedup: f64) -> bool {
        if predicted_speedup >= CERTAIN_SPEEDUP || self.together.len() < TOGETHER {
            return false;
        }
        if self.alone.len() < ALONE {
            return true;
        }
        if median(&self.alone) >= median(&self.together) {
            return false;
        }
        self.kept_alone += 1;
        if self.kept_alone > PERIOD {
            *self = Self::default();
            return false;
        }
        true
    }

    /// What a dispatch took that `devices` took part in, until the slowest of them was done.
    pub(super) fn add(&mut self, devices: usize, seconds: f64) {
        let (samples, most) = match devices {
            0 => return,
            1 => (&mut self.alone, ALONE),
            _ => (&mut self.together, TOGETHER),
        };
        if samples.len() == most {
            samples.remove(0);
        }
        samples.push(seconds);
    }
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many dispatches run alone, if they take this long split and alone.
    fn alone_of(dispatches: usize, together: f64, alone: f64, predicted_speedup: f64) -> usize {
        let mut trial = Trial::default();
        let mut count = 0;
        for _ in 0..dispatches {
            if trial.prefers_alone(predicted_speedup) {
                trial.add(1, alone);
                count += 1;
            } else {
                trial.add(2, together);
            }
        }
        count
    }

    #[test]
    fn a_split_that_keeps_its_promise_is_doubted_a_few_times() {
        assert_eq!(alone_of(1000, 1.0, 1.2, 1.2), ALONE);
    }

    #[test]
    fn a_split_that_is_slower_than_one_device_is_tried_now_and_then() {
        let rounds = 4;
        let round = TOGETHER + ALONE + PERIOD;
        assert_eq!(
            alone_of(rounds * round, 1.0, 0.9, 1.2) / rounds,
            ALONE + PERIOD
        );
    }

    #[test]
    fn a_large_promise_is_not_doubted() {
        assert_eq!(alone_of(1000, 1.0, 0.9, 1.9), 0);
    }
}
