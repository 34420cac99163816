//! A dispatch in many chunks, handed out as devices ask for more.
//!
//! For kernels whose speed isn't known yet, and for what is left of a dispatch when a device was lost. Measures nothing
//! itself; whoever runs the chunks says how long they took.
//!
//! Invariant: every unit is handed out exactly once, unless it is given back.

use crate::span::Span;

/// The share of the fair rest that a device is given at once: the `k` of the formula below.
const PACE: f64 = 2.0;
/// The first chunk of a device whose rate isn't known: this part of an even share.
const FIRST: u64 = 32;
/// How much larger than its last chunk a device's next one may be, while its rate is young.
const GROWTH: u64 = 4;

/// Hands a range out in chunks that grow with what is known of the devices and shrink towards the end.
///
/// The size is that of HGuided (EngineCL, arXiv 2010.12607): `max(m, G * P_i / (k * sum P))`, with `G` the units left,
/// `P_i` the device's rate and `m` the grain. The last device takes from the end of the range, all others from the start,
/// so that of two devices each ends up with neighbouring elements.
#[derive(Clone, Debug)]
pub struct Guided {
    /// What is left, in order.
    left: Vec<Span>,
    grain: u64,
    paces: Vec<Pace>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// Units per second, if known.
    rate: Option<f64>,
    /// Units of its last chunk; zero before its first.
    last: u64,
}

impl Guided {
    /// Of the units `left`, in order and apart, for devices with these rates in units per second, where they are known.
    /// Chunks begin where a span of `left` does, or on a multiple of `grain`.
    #[must_use]
    pub fn new(left: Vec<Span>, grain: u64, rates: &[Option<f64>]) -> Self {
        let paces = rates
            .iter()
            .map(|rate| Pace {
                rate: *rate,
                last: 0,
            })
            .collect();
        Self {
            left,
            grain: grain.max(1),
            paces,
        }
    }

    /// The next chunk of a device, or nothing when all has been handed out.
    pub fn next(&mut self, device: usize) -> Option<Span> {
        let left: u64 = self.left.iter().map(|span| span.len()).sum();
        if left == 0 {
            return None;
        }
        let size = self.size(device, left).next_multiple_of(self.grain);
        let chunk = if device + 1 == self.paces.len() && device > 0 {
            self.take_last(size)
        } else {
            self.take_first(size)
        };
        self.paces[device].last = chunk.len();
        Some(chunk)
    }

    fn size(&self, device: usize, left: u64) -> u64 {
        let pace = self.paces[device];
        let even = left / self.paces.len() as u64;
        let Some(rate) = pace.rate else {
            return (even / FIRST).max(1);
        };
        // A device that hasn't finished a chunk yet counts as an average one.
        let known: Vec<f64> = self.paces.iter().filter_map(|pace| pace.rate).collect();
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let sum: f64 = self
            .paces
            .iter()
            .map(|pace| pace.rate.unwrap_or(mean))
            .sum();
        let fair = (left as f64 * rate / (PACE * sum)) as u64;
        let most = if pace.last == 0 {
            u64::MAX
        } else {
            pace.last.saturating_mul(GROWTH)
        };
        fair.min(most).max(1)
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

    /// Learns how fast a device ran a chunk.
    pub fn completed(&mut self, device: usize, units: u64, seconds: f64) {
        if seconds > 0.0 && units > 0 {
            self.paces[device].rate = Some(units as f64 / seconds);
        }
    }

    /// Whether everything has been handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_unknown_device_starts_small_and_grows() {
        let mut guided = Guided::new(vec![Span::new(0, 64_000)], 64, &[None, None]);
        let first = guided.next(0).expect("there is work");
        assert_eq!(first, 0..1024);
        guided.completed(0, first.len(), 1e-3);
        let second = guided.next(0).expect("there is work");
        assert!(second.len() > first.len() && second.len() <= first.len() * GROWTH);
    }

    #[test]
    fn the_last_device_takes_from_the_end() {
        let mut guided = Guided::new(vec![Span::new(0, 1000)], 64, &[Some(1.0), Some(1.0)]);
        assert_eq!(guided.next(1).map(|chunk| chunk.end), Some(1000));
        assert_eq!(guided.next(0).map(|chunk| chunk.start), Some(0));
    }

    proptest! {
        #[test]
        fn every_unit_is_handed_out_once_and_grains_stay_whole(
            extent in 1_u64..5_000,
            grain in 1_u64..70,
            hole in (0_u64..70, 0_u64..70),
            asks in prop::collection::vec((0_usize..3, 1e-6_f64..1.0), 1..40),
        ) {
            // What is left after a loss: spans that begin and end on grains.
            let cut = |grains: u64| (grains * grain).min(extent);
            let (low, high) = (cut(hole.0.min(hole.1)), cut(hole.0.max(hole.1)));
            let left: Vec<Span> =
                [Span::new(0, low), Span::new(high, extent)].into_iter().filter(|span| !span.is_empty()).collect();
            let mut seen = vec![false; extent as usize];
            let mut guided = Guided::new(left.clone(), grain, &[None, None, Some(1e6)]);
            for (device, seconds) in asks.into_iter().cycle() {
                let Some(chunk) = guided.next(device) else { break };
                prop_assert!(!chunk.is_empty());
                prop_assert!(chunk.start.is_multiple_of(grain));
                prop_assert!(chunk.end.is_multiple_of(grain) || chunk.end == extent);
                for unit in chunk.indices() {
                    prop_assert!(!std::mem::replace(&mut seen[unit], true));
                }
                guided.completed(device, chunk.len(), seconds);
            }
            prop_assert!(guided.is_empty());
            prop_assert_eq!(seen.iter().filter(|seen| **seen).count() as u64, left.iter().map(|s| s.len()).sum::<u64>());
        }
    }
}
