//! How long what a dispatch moves will be of use.
//!
//! A dispatch that is repeated is part of a chain, and what is sent to a device for one of its links needn't be sent for
//! the next. How long the chain will be nobody says; so it is taken to go on for as long as it has gone on, which never
//! costs more than twice what knowing it would have (as in the problem of renting skis). What has to be sent for every link
//! is told from what is sent once by looking at what a device lacks for the very chunk that it had the last time.
//!
//! Invariant: what was seen to be sent again and again is counted in full.

use crate::span::Span;

/// The longest chain that is hoped for.
const LONGEST: u32 = 64;
/// What is still believed, a dispatch later, of what a device that has no part at the moment would have to be sent.
const BELIEVED: f64 = 0.98;

/// What is known of the chain that a repeated dispatch is part of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Horizon {
    seen: u32,
    /// For each device, the bytes for each unit of a chunk that it has to be sent at every dispatch.
    recurring: Vec<f64>,
}

impl Horizon {
    /// Learns what each device lacks of what it had for its chunk of the dispatch before.
    pub fn observe(&mut self, partition: &[Span], lacking: impl Fn(usize, Span) -> u64) {
        self.recurring.resize(partition.len(), 0.0);
        for (device, (recurring, chunk)) in self.recurring.iter_mut().zip(partition).enumerate() {
            if chunk.is_empty() {
                *recurring *= BELIEVED;
            } else {
                *recurring = lacking(device, *chunk) as f64 / chunk.len() as f64;
            }
        }
    }

    /// The same where no device lacks anything.
    pub fn observe_nothing(&mut self) {
        self.recurring.clear();
    }

    /// Notes that one more dispatch of the chain has begun.
    pub fn goes_on(&mut self) {
        self.seen += 1;
    }

    /// Whether there was no dispatch yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.seen == 0
    }

    /// Over how many dispatches the cost of what is sent once is shared.
    #[must_use]
    pub fn dispatches(&self) -> f64 {
        f64::from(1 + self.seen.min(LONGEST))
    }

    /// For each device, the bytes for each unit of its chunk that it has to be sent at every dispatch; empty where nobody
    /// has to be sent any.
    #[must_use]
    pub fn recurring(&self) -> &[f64] {
        &self.recurring
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALVES: [Span; 2] = [Span::new(0, 50), Span::new(50, 100)];

    #[test]
    fn a_chain_is_taken_to_be_as_long_again_as_it_was() {
        let mut horizon = Horizon::default();
        for seen in 0..10 {
            assert_eq!(horizon.dispatches(), f64::from(1 + seen));
            horizon.goes_on();
        }
    }

    #[test]
    fn what_a_device_lacks_again_recurs_for_each_unit() {
        let mut horizon = Horizon::default();
        horizon.observe(&HALVES, |device, _| 200 * device as u64);
        assert_eq!(horizon.recurring(), [0.0, 4.0]);
        horizon.observe_nothing();
        assert!(horizon.recurring().is_empty());
    }

    #[test]
    fn what_a_device_had_to_be_sent_is_believed_for_a_while_after_it_has_no_part() {
        let mut horizon = Horizon::default();
        horizon.observe(&HALVES, |device, _| 200 * device as u64);
        let alone = [Span::new(0, 100), Span::new(100, 100)];
        for _ in 0..10 {
            horizon.observe(&alone, |_, _| 0);
        }
        assert!(horizon.recurring()[1] > 3.0);
        for _ in 0..200 {
            horizon.observe(&alone, |_, _| 0);
        }
        assert!(horizon.recurring()[1] < 0.1);
    }
}
