//! When to doubt that a split isn't worth it.
//!
//! A device that is left out as too slow isn't measured any more: if it was believed to be slower than it is, or has become
//! faster, nobody would find out. So now and then a split that is predicted to save hardly anything is made all the same,
//! as long as it is predicted to cost nothing.
//!
//! Invariant: of what was measured here, what it makes of a prediction that is right is never slower by that prediction. Of a
//! device that wasn't it only says when; what `choice` then risks for it is more.

/// Dispatches in a row that a device is given something in: the first on a device isn't counted, as it pays for what comes
/// first, and two that agree are believed.
const LOOKS: u32 = 3;
/// Dispatches until the second time; from each time to the next it is twice as many, up to eight times.
const PERIOD: u32 = 256;

/// Of a dispatch that is repeated.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// Dispatches that are still to be split if it costs nothing.
    looks: u32,
    /// Dispatches on one device until that is done again.
    wait: u32,
    times: u32,
}

impl Default for Probe {
    fn default() -> Self {
        // What is known before the first dispatch is of another time.
        Self {
            looks: LOOKS,
            wait: PERIOD,
            times: 0,
        }
    }
}

impl Probe {
    /// Whether a split is made though it saves hardly anything.
    pub(super) fn is_due(&self) -> bool {
        self.looks > 0
    }

    /// What became of the decision.
    pub(super) fn decided(&mut self, is_split: bool) {
        match (self.looks, is_split) {
            (0, true) => {}
            (0, false) => {
                self.wait -= 1;
                if self.wait == 0 {
                    self.times += 1;
                    (self.looks, self.wait) = (LOOKS, PERIOD << self.times.min(3));
                }
            }
            (_, true) => self.looks -= 1,
            // It would cost something, now and in the next dispatch.
            (_, false) => self.looks = 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_of(dispatches: u32, can_split: bool) -> Vec<bool> {
        let mut probe = Probe::default();
        let mut step = |_| {
            let is_due = probe.is_due();
            probe.decided(is_due && can_split);
            is_due
        };
        (0..dispatches).map(&mut step).collect()
    }

    #[test]
    fn a_device_that_is_left_out_is_looked_at_more_and_more_rarely() {
        let due = due_of(20 * PERIOD, true);
        let starts: Vec<usize> = (1..due.len()).filter(|i| due[*i] && !due[i - 1]).collect();
        let (looks, period) = (LOOKS as usize, PERIOD as usize);
        assert!(due[..looks].iter().all(|is_due| *is_due));
        assert_eq!(starts[..2], [looks + period, 2 * looks + 3 * period]);
        assert_eq!(starts[2], 3 * looks + 7 * period);
    }

    #[test]
    fn where_it_would_cost_something_it_is_asked_once() {
        let due = due_of(PERIOD, false);
        assert_eq!(due.iter().filter(|is_due| **is_due).count(), 1);
    }
}
