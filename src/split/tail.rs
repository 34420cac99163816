//! A partition whose boundaries are found at the end, not predicted.
//!
//! No rate is so well known that two devices end together by it. So each gets most of its chunk at once, and the rest of
//! two neighbours is one zone between them that both eat into, each from its own side, until they meet. What was predicted
//! decides how long the zone is; measures nothing itself.
//!
//! Invariant: every unit is handed out exactly once, and each device's units are one span in the end.

use crate::span::Span;

/// The part of each chunk that is left to be found on either side of a boundary.
const ZONE: f64 = 0.2;
/// The part of its fair share of a zone that a device takes at once.
const PACE: f64 = 0.5;

/// Hands out a partition: first most of every chunk, then what lies between neighbours.
#[derive(Clone, Debug)]
pub struct Tail {
    /// What each device begins with; empty once it has been handed out.
    first: Vec<Span>,
    zones: Vec<Zone>,
    grain: u64,
    paces: Vec<Pace>,
}

/// What is left between two devices.
#[derive(Clone, Copy, Debug)]
struct Zone {
    left: Span,
    before: usize,
    after: usize,
    /// The only device that still takes of it, once the other has left the rest to it.
    owner: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Units per second.
    rate: f64,
    /// Units that are worth a chunk of their own.
    least: u64,
    units: u64,
    seconds: f64,
}

impl Tail {
    /// Of a partition with a chunk for each device, for rates in units per second. A chunk of the zones takes at least
    /// `least_seconds` of its device.
    ///
    /// # Panics
    ///
    /// If there isn't one rate and one time for each chunk.
    #[must_use]
    pub fn new(partition: &[Span], grain: u64, rates: &[f64], least_seconds: &[f64]) -> Self {
        assert_eq!(partition.len(), rates.len(), "each device has a rate");
        assert_eq!(
            partition.len(),
            least_seconds.len(),
            "each device has a time"
        );
        let mut first = partition.to_vec();
        let mut zones: Vec<Zone> = Vec::new();
        let taking_part: Vec<usize> = (0..partition.len())
            .filter(|i| !partition[*i].is_empty())
            .collect();
        let cut = |len: u64| (len as f64 * ZONE) as u64 / grain * grain;
        for pair in taking_part.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            let boundary = partition[before].end;
            // A first chunk keeps a grain at least, whatever is cut from its two ends.
            let left = Span::new(
                boundary - cut(partition[before].len()),
                boundary + cut(partition[after].len()),
            );
            first[before].end = left.start;
            first[after].start = left.end;
            zones.push(Zone {
                left,
                before,
                after,
                owner: None,
            });
        }
        let pace = |(rate, seconds): (&f64, &f64)| Pace {
            rate: *rate,
            least: ((rate * seconds) as u64).max(1).next_multiple_of(grain),
            units: 0,
            seconds: 0.0,
        };
        Self {
            first,
            zones,
            grain,
            paces: rates.iter().zip(least_seconds).map(pace).collect(),
        }
    }

    /// The units that are left to be found.
    pub fn zones(&self) -> impl Iterator<Item = (Span, [usize; 2])> {
        self.zones
            .iter()
            .map(|zone| (zone.left, [zone.before, zone.after]))
    }

    /// The next chunk of a device, or nothing when its neighbours will do the rest sooner.
    pub fn next(&mut self, device: usize) -> Option<Span> {
        let first = std::mem::take(&mut self.first[device]);
        if !first.is_empty() {
            return Some(first);
        }
        let is_its = |i: &usize| {
            let zone = &self.zones[*i];
            let is_neighbour = zone.before == device || zone.after == device;
            !zone.left.is_empty() && zone.owner.map_or(is_neighbour, |owner| owner == device)
        };
        // The longer of its two zones first.
        let mut its: Vec<usize> = (0..self.zones.len()).filter(is_its).collect();
        its.sort_by_key(|i| std::cmp::Reverse(self.zones[*i].left.len()));
        its.into_iter().find_map(|i| self.eat(i, device))
    }

    /// Takes a bite of a zone that the device is a neighbour of, unless it leaves the rest to the other one.
    fn eat(&mut self, zone: usize, device: usize) -> Option<Span> {
        let zone = &mut self.zones[zone];
        let other = if zone.before == device {
            zone.after
        } else {
            zone.before
        };
        let (here, there) = (self.paces[device], self.paces[other]);
        let fair = zone.left.len() as f64 * here.rate / (here.rate + there.rate);
        let is_last = zone.owner == Some(device) || here.rate >= there.rate;
        let units = if fair as u64 >= here.least {
            ((fair * PACE) as u64).max(here.least)
        } else if is_last {
            zone.left.len()
        } else {
            zone.owner = Some(other);
            return None;
        };
        // The rest is no chunk of its own if it is less than a grain.
        let units = units.next_multiple_of(self.grain).min(zone.left.len());
        let chunk = if zone.before == device {
            Span::new(zone.left.start, zone.left.start + units)
        } else {
            let start = (zone.left.end.next_multiple_of(self.grain) - units).max(zone.left.start);
            Span::new(start, zone.left.end)
        };
        if zone.before == device {
            zone.left.start = chunk.end;
        } else {
            zone.left.end = chunk.start;
        }
        Some(chunk)
    }

    /// Learns how fast a device ran a chunk of this dispatch.
    pub fn completed(&mut self, device: usize, units: u64, seconds: f64) {
        let pace = &mut self.paces[device];
        pace.units += units;
        pace.seconds += seconds;
        if pace.seconds > 0.0 && pace.units > 0 {
            pace.rate = pace.units as f64 / pace.seconds;
        }
    }

    /// Whether everything has been handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.iter().all(|span| span.is_empty())
            && self.zones.iter().all(|zone| zone.left.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs a partition made for the `predicted` rates on devices with the `actual` ones; returns when each device ended,
    /// the span it had and its chunks.
    fn simulate(
        partition: &[Span],
        grain: u64,
        predicted: &[f64],
        actual: &[f64],
        overhead: f64,
    ) -> Vec<(f64, Span, usize)> {
        let n = partition.len();
        let mut tail = Tail::new(partition, grain, predicted, &vec![10.0 * overhead; n]);
        let mut state = vec![(0.0_f64, Span::new(0, 0), 0); n];
        let mut busy: Vec<usize> = (0..n).collect();
        while let Some(at) =
            (0..busy.len()).min_by(|a, b| state[busy[*a]].0.total_cmp(&state[busy[*b]].0))
        {
            let device = busy[at];
            let Some(chunk) = tail.next(device) else {
                busy.swap_remove(at);
                continue;
            };
            let seconds = chunk.len() as f64 / actual[device];
            let (end, span, chunks) = &mut state[device];
            *end += seconds + overhead;
            *chunks += 1;
            *span = if span.is_empty() {
                chunk
            } else {
                assert!(
                    span.end == chunk.start || chunk.end == span.start,
                    "{span:?} {chunk:?}"
                );
                Span::new(span.start.min(chunk.start), span.end.max(chunk.end))
            };
            tail.completed(device, chunk.len(), seconds);
        }
        assert!(tail.is_empty());
        state
    }

    #[test]
    fn devices_end_together_though_one_is_slower_than_was_predicted() {
        let partition = [Span::new(0, 8_000), Span::new(8_000, 10_000)];
        for actual in [[8e3, 2e3], [8e3, 1.7e3], [7e3, 2e3], [8e3, 2.4e3]] {
            let ended = simulate(&partition, 10, &[8e3, 2e3], &actual, 1e-4);
            let best = 1e4 / (actual[0] + actual[1]);
            let last = ended[0].0.max(ended[1].0);
            assert!(last < best * 1.01, "{actual:?}: {last} for {best}");
            assert!(ended.iter().all(|(_, _, chunks)| *chunks < 12), "{ended:?}");
        }
    }

    #[test]
    fn a_slow_device_leaves_the_end_to_its_faster_neighbour() {
        let partition = [Span::new(0, 900), Span::new(900, 1_000)];
        let mut tail = Tail::new(&partition, 10, &[900.0, 100.0], &[0.1, 0.1]);
        assert_eq!(tail.next(1), Some(Span::new(920, 1_000)));
        assert_eq!(tail.next(0), Some(Span::new(0, 720)));
        while let Some(chunk) = tail.next(0) {
            assert!(chunk.end <= 920);
        }
        assert!(tail.is_empty());
        assert_eq!(tail.next(1), None);
    }

    #[test]
    fn a_range_of_few_grains_is_handed_out_as_it_was_split() {
        let partition = [Span::new(0, 64), Span::new(64, 100)];
        let mut tail = Tail::new(&partition, 64, &[1.0, 1.0], &[0.0, 0.0]);
        assert_eq!(
            [tail.next(0), tail.next(1)],
            [Some(partition[0]), Some(partition[1])]
        );
        assert!(tail.is_empty());
    }

    proptest! {
        #[test]
        fn every_unit_is_handed_out_once_and_spans_stay_whole(
            grains in prop::collection::vec(0_u64..40, 1..6),
            ragged in 0_u64..8,
            grain in 1_u64..9,
            rates in prop::collection::vec((1_f64..100.0, 1_f64..100.0), 6),
            overhead in 0.0_f64..1.0,
        ) {
            let mut end = 0;
            let mut partition: Vec<Span> = grains.iter().map(|grains| {
                let start = end;
                end += grains * grain;
                Span::new(start, end)
            }).collect();
            let extent = end + ragged % grain;
            if let Some(last) = partition.last_mut().filter(|last| !last.is_empty()) {
                last.end = extent;
            }
            let covered = partition.iter().map(|span| span.len()).sum::<u64>();
            let n = partition.len();
            let (predicted, actual): (Vec<f64>, Vec<f64>) = rates[..n].iter().copied().unzip();
            let ended = simulate(&partition, grain, &predicted, &actual, overhead);
            prop_assert_eq!(ended.iter().map(|(_, span, _)| span.len()).sum::<u64>(), covered);
            for (_, span, _) in ended.iter().filter(|(_, span, _)| !span.is_empty()) {
                prop_assert!(span.start.is_multiple_of(grain));
                prop_assert!(span.end.is_multiple_of(grain) || span.end == extent);
            }
        }
    }
}
