//! A partition whose boundaries are found at the end, not predicted.
//!
//! No rate is so well known that two devices end together by it. So each gets most of its chunk at once, and the rest of
//! two neighbours is one zone between them that both eat into, each from its own side, until they meet. Whoever finds
//! nothing left on either side takes from the middle of the zone that would last longest. What was predicted decides how
//! long the zones are; measures nothing itself.
//!
//! Invariant: every unit is handed out exactly once; each device's units are one span in the end, but for what it took from
//! zones that aren't its own.

use super::Density;
use crate::span::Span;

/// The part of its fair share of a zone that a device takes at once.
const PACE: f64 = 0.5;

/// What is known of a device that takes part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taker {
    /// Units of average cost per second.
    pub rate: f64,
    /// Seconds that are worth a chunk of their own.
    pub least_seconds: f64,
    /// Seconds that no chunk is to be predicted to take longer than.
    pub longest_seconds: f64,
    /// Seconds that it takes to bring it what a unit needs that lies elsewhere.
    pub fetch_seconds: f64,
}

/// Hands out a partition: first most of every chunk, then what lies between neighbours.
#[derive(Clone, Debug)]
pub struct Tail {
    /// What each device begins with and hasn't been handed; empty once it has all of it.
    first: Vec<Span>,
    zones: Vec<Zone>,
    /// For each device, the places of the zones before it and after it.
    beside: Vec<[Option<usize>; 2]>,
    density: Density,
    extent: u64,
    grain: u64,
    paces: Vec<Pace>,
    left_units: u64,
    /// Devices that were given a chunk and haven't asked again, and the rate of those together.
    busy: usize,
    busy_rate: f64,
    /// What the units weigh that are left.
    left_weight: f64,
    /// No zone lasts longer than so many seconds.
    longest_zone: f64,
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
    taker: Taker,
    /// Whether it was given a part at first: who is too slow for one is too slow to steal.
    has_part: bool,
    is_busy: bool,
    weight: f64,
    seconds: f64,
}

impl Tail {
    /// Of a partition of `extent` units with a chunk for each device; `reach` is the part of each chunk that is left to be
    /// found on either side of a boundary.
    ///
    /// # Panics
    ///
    /// If there isn't one taker for each chunk.
    #[must_use]
    pub fn new(
        partition: &[Span],
        extent: u64,
        grain: u64,
        density: Density,
        reach: f64,
        takers: &[Taker],
    ) -> Self {
        assert_eq!(partition.len(), takers.len(), "each device has a rate");
        let mut first = partition.to_vec();
        let mut zones: Vec<Zone> = Vec::new();
        let mut beside = vec![[None; 2]; partition.len()];
        let taking_part: Vec<usize> = (0..partition.len())
            .filter(|i| !partition[*i].is_empty())
            .collect();
        let cut = |len: u64| (len as f64 * reach.min(0.5)) as u64 / grain * grain;
        for pair in taking_part.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            let boundary = partition[before].end;
            // A first chunk keeps a grain at least, whatever is cut from its two ends.
            let left = Span::new(
                boundary - cut(partition[before].len().saturating_sub(grain)),
                boundary + cut(partition[after].len().saturating_sub(grain)),
            );
            first[before].end = left.start;
            first[after].start = left.end;
            beside[before][1] = Some(zones.len());
            beside[after][0] = Some(zones.len());
            zones.push(Zone {
                left,
                before,
                after,
                owner: None,
            });
        }
        let pace = |(taker, part): (&Taker, &Span)| Pace {
            taker: *taker,
            has_part: !part.is_empty(),
            is_busy: false,
            weight: 0.0,
            seconds: 0.0,
        };
        let weight = |part: &Span| density.weight(*part, extent);
        Self {
            first,
            zones,
            beside,
            extent,
            grain,
            paces: takers.iter().zip(partition).map(pace).collect(),
            left_units: partition.iter().map(|span| span.len()).sum(),
            busy: 0,
            busy_rate: 0.0,
            left_weight: partition.iter().map(weight).sum(),
            density,
            longest_zone: f64::INFINITY,
        }
    }

    /// The units that are left to be found, and the two devices that they lie between.
    pub fn zones(&self) -> impl Iterator<Item = (Span, [usize; 2])> {
        self.zones
            .iter()
            .map(|zone| (zone.left, [zone.before, zone.after]))
    }

    /// The next chunk of a device, or nothing when others will do the rest sooner.
    pub fn next(&mut self, device: usize) -> Option<Span> {
        if self.left_units == 0 {
            return None;
        }
        if std::mem::take(&mut self.paces[device].is_busy) {
            self.busy -= 1;
            self.busy_rate -= self.rate(device);
        }
        let chunk = self
            .begin(device)
            .or_else(|| self.eat(device))
            .or_else(|| self.steal(device))
            .or_else(|| self.rest(device))?;
        self.paces[device].is_busy = true;
        self.busy += 1;
        self.busy_rate += self.rate(device);
        self.left_units -= chunk.len();
        self.left_weight -= self.weight(chunk);
        Some(chunk)
    }

    fn rate(&self, device: usize) -> f64 {
        self.paces[device].taker.rate
    }

    /// The first units of a span that weigh so much, at least a grain, up to a multiple of it.
    fn head(&self, span: Span, weight: f64) -> Span {
        let before = self.density.weight_before(span.start as f64, self.extent);
        let end = self.density.unit_at(before + weight, self.extent) as u64;
        let end = end.max(span.start + 1).next_multiple_of(self.grain);
        Span::new(span.start, end.min(span.end))
    }

    /// The last units of a span that weigh so much, at least a grain, down to a multiple of it.
    fn last(&self, span: Span, weight: f64) -> Span {
        let before = self.density.weight_before(span.end as f64, self.extent);
        let start = self
            .density
            .unit_at((before - weight).max(0.0), self.extent) as u64;
        let start = start.min(span.end - 1) / self.grain * self.grain;
        Span::new(start.max(span.start), span.end)
    }

    fn weight(&self, span: Span) -> f64 {
        self.density.weight(span, self.extent)
    }

    /// What a device begins with, or as much of it as it may run at once.
    fn begin(&mut self, device: usize) -> Option<Span> {
        let span = self.first[device];
        if span.is_empty() {
            return None;
        }
        let most = self.rate(device) * self.paces[device].taker.longest_seconds;
        let chunk = if self.weight(span) <= most {
            span
        } else {
            self.head(span, most)
        };
        self.first[device].start = chunk.end;
        Some(chunk)
    }

    /// A bite of the longer of a device's two zones, unless it leaves the rest to the other.
    fn eat(&mut self, device: usize) -> Option<Span> {
        let is_its = |zone: &usize| {
            let zone = &self.zones[*zone];
            !zone.left.is_empty() && zone.owner.is_none_or(|owner| owner == device)
        };
        let [mut one, mut other] = self.beside[device].map(|zone| zone.filter(is_its));
        let len = |zone: Option<usize>| zone.map_or(0, |zone| self.zones[zone].left.len());
        if len(other) > len(one) {
            std::mem::swap(&mut one, &mut other);
        }
        [one, other]
            .into_iter()
            .flatten()
            .find_map(|zone| self.bite(zone, device))
    }

    fn bite(&mut self, place: usize, device: usize) -> Option<Span> {
        let zone = self.zones[place];
        let other = if zone.before == device {
            zone.after
        } else {
            zone.before
        };
        let (here, there) = (self.rate(device), self.rate(other));
        let taker = self.paces[device].taker;
        let weight = self.weight(zone.left);
        let is_last = zone.owner == Some(device) || here >= there;
        // The other eats of a zone beyond, too, and may leave more of this one than it could have eaten.
        let fair_of_all = self.left_weight * here / (here + self.busy_rate);
        let fair = (weight * here / (here + there)).min(fair_of_all);
        let least = here * taker.least_seconds;
        let units = if fair >= least {
            (fair * PACE).max(least)
        } else if is_last {
            weight
        } else {
            self.zones[place].owner = Some(other);
            return None;
        };
        let units = units.min(here * taker.longest_seconds);
        let chunk = if zone.before == device {
            self.head(zone.left, units)
        } else {
            self.last(zone.left, units)
        };
        // A whole grain may be more than was wanted, and last longer than all of it would last the other.
        let seconds = self.weight(chunk) / here;
        let others = self.seconds_of_the_busy();
        if !is_last && seconds > others.min(weight / there) {
            self.zones[place].owner = Some(other);
            return None;
        }
        if zone.owner == Some(device) && seconds > others {
            // One of them is given it when it finds nothing of its own.
            self.longest_zone = f64::INFINITY;
            return None;
        }
        let left = &mut self.zones[place].left;
        if zone.before == device {
            left.start = chunk.end;
        } else {
            left.end = chunk.start;
        }
        Some(chunk)
    }

    /// What all that is left would take those who will ask again.
    fn seconds_of_the_busy(&self) -> f64 {
        match self.busy {
            0 => f64::INFINITY,
            _ => self.left_weight / self.busy_rate,
        }
    }

    /// The rate at which a zone is eaten.
    fn eaters(&self, zone: &Zone) -> f64 {
        match zone.owner {
            Some(owner) => self.rate(owner),
            None => self.rate(zone.before) + self.rate(zone.after),
        }
    }

    /// A part of what would take others longest, from the middle of it: what is left on either side stays beside those
    /// whose it was.
    fn steal(&mut self, device: usize) -> Option<Span> {
        let taker = self.paces[device].taker;
        let rate = (taker.rate.recip() + taker.fetch_seconds).recip();
        let least = taker
            .least_seconds
            .max(taker.fetch_seconds * self.grain as f64);
        if !self.paces[device].has_part || self.longest_zone < 2.0 * least {
            return None;
        }
        let mut longest: Option<(f64, Victim)> = None;
        let mut offer = |seconds: f64, victim: Victim| {
            if longest.is_none_or(|(most, _)| seconds > most) {
                longest = Some((seconds, victim));
            }
        };
        for (place, zone) in self.zones.iter().enumerate() {
            if !zone.left.is_empty() {
                offer(
                    self.weight(zone.left) / self.eaters(zone),
                    Victim::Zone(place),
                );
            }
        }
        for (other, first) in self.first.iter().enumerate() {
            if !first.is_empty() {
                offer(self.weight(*first) / self.rate(other), Victim::First(other));
            }
        }
        let (seconds, victim) = longest?;
        self.longest_zone = seconds;
        if seconds < 2.0 * least {
            return None;
        }
        let (span, others) = match victim {
            Victim::Zone(place) => (self.zones[place].left, self.eaters(&self.zones[place])),
            Victim::First(other) => (self.first[other], self.rate(other)),
        };
        let fair = self.weight(span) * rate / (rate + others);
        let units = (fair * PACE)
            .max((taker.rate * taker.least_seconds).min(fair))
            .min(taker.rate * taker.longest_seconds);
        // The same of what begins in the middle, wherever that will be.
        let grain = (self.grain as f64 * self.weight(span) / span.len() as f64).max(units);
        if grain / rate > seconds.min(self.seconds_of_the_busy()) {
            return None;
        }
        match victim {
            // What is begun from its start is stolen from at its end.
            Victim::First(other) => {
                let chunk = self.last(span, units);
                self.first[other].end = chunk.start;
                Some(chunk)
            }
            Victim::Zone(place) => self.steal_from(place, units),
        }
    }

    /// Takes units that weigh so much from a zone: from the far end if one device alone eats of it, else from
    /// where the two would meet.
    fn steal_from(&mut self, place: usize, weight: f64) -> Option<Span> {
        let Zone {
            left,
            before,
            after,
            owner,
        } = self.zones[place];
        if let Some(owner) = owner {
            let zone_left = if owner == before {
                let chunk = self.last(left, weight);
                (Span::new(left.start, chunk.start), chunk)
            } else {
                let chunk = self.head(left, weight);
                (Span::new(chunk.end, left.end), chunk)
            };
            self.zones[place].left = zone_left.0;
            return Some(zone_left.1);
        }
        let part = self.rate(before) / (self.rate(before) + self.rate(after));
        let lead = (self.weight(left) - weight) * part;
        let rest = Span::new(self.head(left, lead).end, left.end);
        if rest.is_empty() {
            return None;
        }
        let chunk = self.head(rest, weight);
        self.zones[place] = Zone {
            left: Span::new(left.start, chunk.start),
            before,
            after,
            owner: Some(before),
        };
        self.beside[after][0] = Some(self.zones.len());
        self.zones.push(Zone {
            left: Span::new(chunk.end, left.end),
            before,
            after,
            owner: Some(after),
        });
        Some(chunk)
    }

    /// What others have left to those who ask later, where nobody will.
    fn rest(&mut self, device: usize) -> Option<Span> {
        if self.busy > 0 || self.first.iter().any(|first| !first.is_empty()) {
            return None;
        }
        let zone = self.zones.iter().position(|zone| !zone.left.is_empty())?;
        let left = self.zones[zone].left;
        let most = self.rate(device) * self.paces[device].taker.longest_seconds;
        let chunk = self.head(left, most.min(self.weight(left)));
        self.zones[zone].left.start = chunk.end;
        Some(chunk)
    }

    /// Learns how fast a device ran a chunk of this dispatch.
    pub fn completed(&mut self, device: usize, chunk: Span, seconds: f64) {
        let weight = self.weight(chunk);
        let pace = &mut self.paces[device];
        pace.weight += weight;
        pace.seconds += seconds;
        if pace.seconds > 0.0 && pace.weight > 0.0 {
            let before = std::mem::replace(&mut pace.taker.rate, pace.weight / pace.seconds);
            if pace.is_busy {
                self.busy_rate += pace.taker.rate - before;
            }
            if pace.taker.rate < before {
                // What it has left lasts longer than was thought.
                self.longest_zone = f64::INFINITY;
            }
        }
    }

    /// Whether everything has been handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left_units == 0
    }
}

/// Where units are taken from that somebody else would have done.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Zone(usize),
    First(usize),
}
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tail(partition: &[Span], grain: u64, rates: &[f64], least_seconds: f64) -> Tail {
        let taker = |rate: &f64| Taker {
            rate: *rate,
            least_seconds,
            longest_seconds: f64::INFINITY,
            fetch_seconds: 0.0,
        };
        let takers: Vec<Taker> = rates.iter().map(taker).collect();
        let extent = partition.last().map_or(0, |last| last.end);
        Tail::new(partition, extent, grain, Density::flat(), 0.2, &takers)
    }

    /// Runs a partition made for the `predicted` rates on devices with the `actual` ones; returns when each device ended,
    /// the spans it had and how many chunks.
    fn simulate(
        partition: &[Span],
        grain: u64,
        predicted: &[f64],
        actual: &[f64],
        overhead: f64,
    ) -> Vec<(f64, Vec<Span>, usize)> {
        let tail = tail(partition, grain, predicted, 10.0 * overhead);
        hand_out(tail, actual, overhead)
    }

    fn hand_out(mut tail: Tail, actual: &[f64], overhead: f64) -> Vec<(f64, Vec<Span>, usize)> {
        let n = actual.len();
        let mut state = vec![(0.0_f64, Vec::<Span>::new(), 0); n];
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
            let (end, spans, chunks) = &mut state[device];
            *end += seconds + overhead;
            *chunks += 1;
            match spans.last_mut() {
                Some(last) if last.end == chunk.start => last.end = chunk.end,
                Some(last) if chunk.end == last.start => last.start = chunk.start,
                _ => spans.push(chunk),
            }
            tail.completed(device, chunk, seconds);
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
    fn of_two_devices_each_has_one_span_in_the_end() {
        let partition = [Span::new(0, 8_000), Span::new(8_000, 10_000)];
        for actual in [[8e3, 2e3], [2e3, 8e3], [8e3, 2e2]] {
            let ended = simulate(&partition, 10, &[8e3, 2e3], &actual, 1e-4);
            assert!(
                ended.iter().all(|(_, spans, _)| spans.len() == 1),
                "{ended:?}"
            );
        }
    }

    #[test]
    fn a_slow_device_takes_no_more_of_wide_zones_than_it_can_do_in_time() {
        // In grains 12, 49 and 195 of 256, of which one takes the slowest a twelfth of the whole.
        let partition = [Span::new(0, 192), Span::new(192, 976), Span::new(976, 4096)];
        let rates = [0.8, 3.2, 12.8].map(|rate| rate * 16e3);
        let takers = rates.map(|rate| Taker {
            rate,
            least_seconds: 1e-4,
            longest_seconds: f64::INFINITY,
            fetch_seconds: 0.0,
        });
        for reach in [0.05, 0.1, 0.2, 0.3, 0.4] {
            let tail = Tail::new(&partition, 4096, 16, Density::flat(), reach, &takers);
            let ended = hand_out(tail, &rates, 2e-5);
            let best = 4096.0 / rates.iter().sum::<f64>();
            let last = ended.iter().map(|(end, ..)| *end).fold(0.0, f64::max);
            assert!(last < best * 1.03, "{last} for {best}: {ended:?}");
        }
    }

    #[test]
    fn a_device_that_falls_behind_is_helped_by_those_beyond_its_neighbours() {
        // Each of four was to have a quarter; the first turns out to be slow, and only the second is beside it.
        let partition: Vec<Span> = (0..4)
            .map(|i| Span::new(i * 1000, (i + 1) * 1000))
            .collect();
        let ended = simulate(&partition, 1, &[1e3; 4], &[8e2, 1e3, 1e3, 1e3], 1e-4);
        let best = 4e3 / 3.8e3;
        let last = ended.iter().map(|(end, ..)| *end).fold(0.0, f64::max);
        assert!(last < best * 1.01, "{last} for {best}: {ended:?}");
        assert!(ended[3].1.len() > 1, "{ended:?}");
    }

    #[test]
    fn no_chunk_is_predicted_to_take_longer_than_it_may_and_what_waits_is_stolen() {
        let partition = [Span::new(0, 1000), Span::new(1000, 2000)];
        let taker = Taker {
            rate: 1e3,
            least_seconds: 1e-3,
            longest_seconds: 0.1,
            fetch_seconds: 0.0,
        };
        let takers = [taker; 2];
        let mut tail = Tail::new(&partition, 2000, 1, Density::flat(), 0.0, &takers);
        assert_eq!(tail.next(0), Some(Span::new(0, 100)));
        // The first hasn't come back by the time that the second has done its part.
        let mut stolen = 0;
        while let Some(chunk) = tail.next(1) {
            assert!(chunk.len() <= 100, "{chunk}");
            tail.completed(1, chunk, chunk.len() as f64 / 1e3);
            stolen += Span::new(0, 1000).intersection(chunk).len();
        }
        assert!(stolen > 800, "{stolen}");
    }

    #[test]
    fn zones_are_shared_by_weight() {
        let partition = [Span::new(0, 500), Span::new(500, 1000)];
        let density = Density::new(vec![1.0, 1.0, 1.0, 3.0]);
        let taker = Taker {
            rate: 1e3,
            least_seconds: 0.0,
            longest_seconds: f64::INFINITY,
            fetch_seconds: 0.0,
        };
        let mut tail = Tail::new(&partition, 1000, 1, density, 0.4, &[taker; 2]);
        assert_eq!(tail.next(0), Some(Span::new(0, 301)));
        assert_eq!(tail.next(1), Some(Span::new(699, 1000)));
    }

    #[test]
    fn a_slow_device_leaves_the_end_to_its_faster_neighbour() {
        let partition = [Span::new(0, 900), Span::new(900, 1_000)];
        let mut tail = tail(&partition, 10, &[900.0, 100.0], 0.1);
        assert_eq!(tail.next(1), Some(Span::new(910, 1_000)));
        assert_eq!(tail.next(0), Some(Span::new(0, 730)));
        while let Some(chunk) = tail.next(0) {
            assert!(chunk.end <= 910);
        }
        assert!(tail.is_empty());
        assert_eq!(tail.next(1), None);
    }

    #[test]
    fn a_range_of_few_grains_is_handed_out_as_it_was_split() {
        let partition = [Span::new(0, 64), Span::new(64, 100)];
        let mut tail = tail(&partition, 64, &[1.0, 1.0], 0.0);
        assert_eq!(
            [tail.next(0), tail.next(1)],
            [Some(partition[0]), Some(partition[1])]
        );
        assert!(tail.is_empty());
    }

    proptest! {
        #[test]
        fn every_unit_is_handed_out_once_and_grains_stay_whole(
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
            let mut spans: Vec<Span> = ended.iter().flat_map(|(_, spans, _)| spans.clone()).collect();
            spans.sort_unstable();
            prop_assert_eq!(spans.iter().map(|span| span.len()).sum::<u64>(), covered);
            prop_assert!(spans.windows(2).all(|pair| !pair[0].overlaps(pair[1])));
            for span in spans {
                prop_assert!(span.start.is_multiple_of(grain));
                prop_assert!(span.end.is_multiple_of(grain) || span.end == extent);
            }
        }
    }
}
