//! What is known of a dispatch that is repeated: the same kernel over the same range.
//!
//! Puts together what each of several purposes remembers; what is done with it is the affair of `choice`.
//!
//! Invariant: nothing in it is needed to be right, only to be fast: a dispatch that nothing is remembered of is done all the
//! same.

use super::probe::Probe;
use super::trial::Trial;
use crate::span::Span;
use crate::split::{Horizon, Measured, Prediction};
use smallvec::SmallVec;

/// What a dispatch takes at most that isn't decided anew each time: the decision would be a part of it that counts.
const SHORT_SECONDS: f64 = 100e-6;
/// How many such dispatches follow a decision.
const FOLLOWING: u32 = 31;
/// One that was so far off is decided anew.
const DEPARTED: f64 = 0.3;
/// Where predictions are off by this, a split isn't doubted for so many dispatches: it is about to become a better one.
pub(super) const UNSETTLED: f64 = 0.15;
const SETTLING: u32 = 5;
/// What of the last dispatches' deviation is still expected at the next.
const KEPT: f64 = 0.5;
/// What is off by more is as if it were off by this: nobody does anything else then.
const MOST_OFF: f64 = 0.2;

/// Dispatches of one device alone after a split that are compared with it: later ones are of another time.
const COMPARABLE: u32 = 2;

/// That a short dispatch is one device's.
#[derive(Clone, Copy, Debug)]
struct Settled {
    device: usize,
    prediction: Prediction,
    /// Dispatches that it still holds for.
    left: u32,
}

/// What is remembered of a repeated dispatch.
#[derive(Clone, Debug, Default)]
pub(super) struct Habit {
    /// The partition of the dispatch before.
    pub(super) partition: Vec<Span>,
    /// Whether the dispatch before was done by it, and not by one device to try that.
    pub(super) was_followed: bool,
    /// When the last one ended.
    pub(super) ended: Option<f64>,
    /// Whether a split keeps its promise.
    pub(super) trial: Trial,
    /// Devices that hadn't been measured here when the dispatch came up first.
    pub(super) unseen: SmallVec<[usize; 8]>,
    /// Whether it is made though it promises hardly anything.
    pub(super) probe: Probe,
    /// How long what is moved for it is of use.
    pub(super) horizon: Horizon,
    /// What each device's chunk of the dispatch before took, if it had one, in the order of devices.
    pub(super) measured: Vec<Measured>,
    /// How many dispatches one device has done alone since the last that was split, if there was one.
    since_split: Option<u32>,
    /// How many dispatches were handed out in chunks because some device's speed wasn't known.
    pub(super) unknown: u32,
    /// What was decided of a short dispatch.
    settled: Option<Settled>,
    /// How far off predictions are, once there were some: the largest part by which a device's chunks took longer or shorter
    /// lately.
    pub(super) deviation: Option<f64>,
    /// Dispatches in which a split isn't doubted.
    settling: u32,
}

impl Habit {
    /// Notes that the dispatch was left to one device which lacked nothing for it, or that it was split.
    pub(super) fn decided(&mut self, alone: Option<usize>, prediction: Prediction) {
        let alone = alone.filter(|_| prediction.seconds < SHORT_SECONDS && !self.probe.is_due());
        self.settled = alone.map(|device| Settled {
            device,
            prediction,
            left: FOLLOWING,
        });
    }

    /// Who does a short dispatch, if that was decided a short time ago.
    pub(super) fn settled(&mut self) -> Option<(usize, Prediction)> {
        let settled = self.settled.as_mut()?;
        let followed = (settled.device, settled.prediction);
        settled.left -= 1;
        self.probe.decided(false);
        if settled.left == 0 || self.probe.is_due() {
            self.settled = None;
        }
        Some(followed)
    }

    /// Notes whether one device has done the dispatch alone. Returns whether that is worth comparing with the split before.
    pub(super) fn follows_split(&mut self, is_alone: bool) -> bool {
        self.since_split = match self.since_split {
            _ if !is_alone => Some(0),
            since => since.map(|since| since.saturating_add(1)),
        };
        is_alone && self.since_split.is_some_and(|since| since <= COMPARABLE)
    }

    /// Whether it is some time since a prediction was far off.
    pub(super) fn is_settled(&self) -> bool {
        self.settling == 0
    }

    /// Learns how far off a prediction was: at once if it was further off than was expected, slowly if it was better.
    pub(super) fn deviated(&mut self, deviation: f64) {
        if deviation > DEPARTED {
            self.settled = None;
        }
        self.settling = match deviation > UNSETTLED {
            true => SETTLING,
            false => self.settling.saturating_sub(1),
        };
        let before = self.deviation.unwrap_or(0.0);
        self.deviation = Some(deviation.min(MOST_OFF).max(before * KEPT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Prediction = Prediction {
        seconds: 5e-6,
        best_single_seconds: 5e-6,
        best_single: 1,
        s_max: 1.1,
    };

    /// One that is asked for nothing else.
    fn known() -> Habit {
        let mut habit = Habit::default();
        while habit.probe.is_due() {
            habit.probe.decided(false);
        }
        habit
    }

    #[test]
    fn a_short_dispatch_of_one_device_is_decided_now_and_then() {
        let mut habit = known();
        habit.decided(Some(1), ALONE);
        let followed = (0..100).take_while(|_| habit.settled().is_some()).count();
        assert_eq!(followed, FOLLOWING as usize);
    }

    #[test]
    fn what_is_split_or_long_or_due_to_be_probed_is_decided_each_time() {
        let mut habit = known();
        habit.decided(None, ALONE);
        assert_eq!(habit.settled(), None);
        let long = Prediction {
            seconds: 2.0 * SHORT_SECONDS,
            ..ALONE
        };
        habit.decided(Some(1), long);
        assert_eq!(habit.settled(), None);
        let mut fresh = Habit::default();
        fresh.decided(Some(1), ALONE);
        assert_eq!(fresh.settled(), None);
    }

    #[test]
    fn one_device_alone_is_compared_with_a_split_just_before() {
        let mut habit = Habit::default();
        assert!(!habit.follows_split(true));
        assert!(!habit.follows_split(false));
        assert_eq!(
            [true; 3].map(|alone| habit.follows_split(alone)),
            [true, true, false]
        );
    }

    #[test]
    fn a_surprise_ends_what_was_decided() {
        let mut habit = known();
        habit.decided(Some(1), ALONE);
        assert_eq!(habit.settled(), Some((1, ALONE)));
        habit.deviated(2.0 * DEPARTED);
        assert_eq!(habit.settled(), None);
    }

    #[test]
    fn a_surprise_is_expected_again_and_soon_forgotten() {
        let mut habit = Habit::default();
        (0..20).for_each(|_| habit.deviated(0.01));
        assert_eq!(habit.deviation, Some(0.01));
        habit.deviated(2.0 * MOST_OFF);
        assert_eq!(habit.deviation, Some(MOST_OFF));
        habit.deviated(0.0);
        assert_eq!(habit.deviation, Some(KEPT * MOST_OFF));
    }
}
