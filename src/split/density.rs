//! How the cost of a kernel varies along its range.
//!
//! A relative cost for each of a number of equal parts of the range; how fast anybody works it off is the rates' affair.
//! Units become weight and weight becomes units here, so that whoever shares work shares what it costs and not how many
//! units it has.
//!
//! Invariant: the mean cost is one, so that the weight of the whole range is its number of units, and no cost is zero.

use crate::span::Span;

/// The least cost of a part beside the mean: what costs nothing would have no place for a boundary.
const LEAST: f64 = 1e-6;

/// How many parts are told apart where a density is learned.
const PARTS: usize = 64;
/// What of a deviation is learned at once.
const LEARNED: f64 = 0.7;
/// What two devices must say differently of a place before one of them is brought to the other: the rates that were
/// measured of it before are of no use then.
const LINKED: f64 = 0.3;
/// Deviations below this could be noise.
const NOISE: f64 = 0.06;

/// A device whose speed has changed by more than this, as a logarithm, from one dispatch to the next says nothing of the
/// cost along the range.
const STEADY: f64 = 0.4;
/// How much more or less of a chunk than was expected two chunks must differ by to say something: less could be noise.
const TELLING: f64 = 0.085;
/// The most that what is expected of a difference is believed to be off by.
const MOST: f64 = 4.0;

/// What a chunk took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The place of the device among the others.
    pub device: usize,
    /// The chunk.
    pub units: Span,
    /// Seconds that the device needed for it.
    pub seconds: f64,
}

/// What two chunks of one device say of the units that only one of them has.
#[derive(Clone, Copy, Debug)]
struct Difference {
    /// The chunk with fewer units.
    less: Measured,
    /// The units that only the other has, and what the device took for them.
    rest: Measured,
    /// Whether that is more or less than what noise could be.
    is_telling: bool,
    /// Whether fewer units took longer.
    is_disturbed: bool,
}

impl Difference {
    /// Of two chunks that share one end and no more.
    fn new(one: Measured, other: Measured, density: &Density, extent: u64) -> Option<Self> {
        let (less, more) = if one.units.len() < other.units.len() {
            (one, other)
        } else {
            (other, one)
        };
        let units = if less.units.start == more.units.start {
            Span::new(less.units.end, more.units.end)
        } else if less.units.end == more.units.end {
            Span::new(more.units.start, less.units.start)
        } else {
            return None;
        };
        if units.is_empty() {
            return None;
        }
        let [least, most, apart] =
            [less.units, more.units, units].map(|units| density.weight(units, extent));
        let speeds = (least / less.seconds) / (most / more.seconds);
        let expected = apart / most * more.seconds;
        let differ = more.seconds - less.seconds;
        let could_be_noise = |seconds: f64| seconds <= TELLING * more.seconds;
        Some(Self {
            less,
            rest: Measured {
                units,
                seconds: differ.clamp(expected / MOST, expected * MOST),
                ..more
            },
            is_telling: speeds.ln().abs() < STEADY && !could_be_noise((differ - expected).abs()),
            is_disturbed: !could_be_noise(-differ),
        })
    }

    /// Whether it says something, and no device that these units have come from or gone to was disturbed meanwhile: what slows
    /// one down often slows others. `all` are in the order of these units.
    fn counts(&self, all: &[Difference]) -> bool {
        let first = all.partition_point(|one| one.rest.units < self.rest.units);
        let same = all[first..].iter();
        let mut same = same.take_while(|one| one.rest.units == self.rest.units);
        self.is_telling && !same.any(|one| one.is_disturbed)
    }
}

/// What single chunks of the devices say of the cost along the range, after chunks with other ends `before`: for each device
/// that says something, the units of its two chunks, and those that only one of them has. `before` is in the order of devices.
#[must_use]
pub(crate) fn since(
    before: &[Measured],
    now: &[Measured],
    density: &Density,
    extent: u64,
) -> Vec<Measured> {
    let of = |one: &Measured| {
        let other = before.binary_search_by_key(&one.device, |other| other.device);
        Difference::new(*one, before[other.ok()?], density, extent)
    };
    let mut all: Vec<Difference> = now.iter().filter_map(of).collect();
    all.sort_unstable_by_key(|one| one.rest.units);
    let telling = all.iter().filter(|one| one.counts(&all));
    telling.flat_map(|one| [one.less, one.rest]).collect()
}

#[derive(Clone, Copy, Debug)]
struct Deviation {
    device: usize,
    units: Span,
    deviation: f64,
}

/// Brings the deviations of devices that know nothing of each other together, so that they agree where chunks of two of
/// them meet, and takes out what could be noise. The deviations are in the order of their units.
fn link(found: &mut [Deviation]) {
    let devices = found.iter().map(|one| one.device + 1).max().unwrap_or(0);
    let mut shifts = vec![0.0; devices];
    // In the order of the range each device is brought to what the one before it says of the place where they meet first,
    // or that they have both seen; one that nobody was seen beside is left as it is.
    let mut is_linked = vec![false; devices];
    for pair in found.windows(2) {
        let (here, there) = (pair[0], pair[1]);
        is_linked[here.device] = true;
        let is_beside = here.units.end == there.units.start || here.units == there.units;
        if is_beside && !is_linked[there.device] {
            let apart = here.deviation + shifts[here.device] - there.deviation;
            if apart.abs() > LINKED {
                shifts[there.device] = apart;
            }
            is_linked[there.device] = true;
        }
    }
    for one in found {
        let deviation = one.deviation + shifts[one.device];
        one.deviation = if deviation.abs() > NOISE {
            deviation
        } else {
            0.0
        };
    }
}

/// The cost of the units of a range, relative to their mean.
///
/// ```
/// use divvy::split::Density;
/// use divvy::Span;
///
/// // The second half costs three times as much as the first.
/// let density = Density::new(vec![1.0, 3.0]);
/// assert_eq!(density.weight(Span::new(0, 50), 100), 25.0);
/// assert_eq!(density.unit_at(25.0, 100), 50.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Density {
    /// One for each part; none if every unit costs the same.
    costs: Vec<f64>,
    /// The part of the whole weight before each part of the range.
    before: Vec<f64>,
}

impl Density {
    /// Of a range in which every unit costs the same.
    #[must_use]
    pub const fn flat() -> Self {
        Self {
            costs: Vec::new(),
            before: Vec::new(),
        }
    }

    /// Of a range whose equal parts have these costs, in any measure. What is no positive number counts as next to nothing.
    #[must_use]
    pub fn new(costs: Vec<f64>) -> Self {
        let mut density = Self {
            costs,
            before: Vec::new(),
        };
        density.normalize();
        density
    }

    /// Of a range whose cost at each place, from 0 to 1, is what `cost` says, taken in the middle of so many parts.
    #[must_use]
    pub fn sampled(parts: usize, cost: impl Fn(f64) -> f64) -> Self {
        let middle = |part: usize| (part as f64 + 0.5) / parts as f64;
        Self::new((0..parts).map(|part| cost(middle(part))).collect())
    }

    /// The costs of the parts, beside a mean of one; none if every unit costs the same.
    #[must_use]
    pub fn costs(&self) -> &[f64] {
        &self.costs
    }

    /// Whether every unit costs the same.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.costs.is_empty()
    }

    /// Restores the invariant after costs have changed.
    fn normalize(&mut self) {
        for cost in &mut self.costs {
            if !(cost.is_finite() && *cost > 0.0) {
                *cost = 0.0;
            }
        }
        let parts = self.costs.len() as f64;
        let mean = self.costs.iter().sum::<f64>() / parts;
        self.before.clear();
        let mut before = 0.0;
        for cost in &mut self.costs {
            *cost = if mean > 0.0 {
                (*cost / mean).max(LEAST)
            } else {
                1.0
            };
            self.before.push(before / parts);
            before += *cost;
        }
        // What was raised to the least has raised the sum a little.
        let scale = parts / before;
        self.costs.iter_mut().for_each(|cost| *cost *= scale);
        self.before.iter_mut().for_each(|before| *before *= scale);
    }

    /// Learns from what chunks took: of each, the device, the units and the seconds, in any order. Returns whether anything
    /// was learned.
    ///
    /// Only how a device's chunks compare with each other says something, and where chunks of two devices meet, how these
    /// compare: how fast the devices are is not known here, and may change from one dispatch to the next. What noise could
    /// be is left alone.
    pub fn learn(&mut self, measured: &[Measured], extent: u64) -> bool {
        let mut found = self.deviations(measured, extent);
        found.sort_unstable_by_key(|one| one.units);
        link(&mut found);
        if found.iter().all(|one| one.deviation == 0.0) {
            return false;
        }
        if self.is_flat() {
            self.costs.resize(PARTS, 1.0);
            self.normalize();
        }
        let parts = self.costs.len() as f64;
        for (part, cost) in self.costs.iter_mut().enumerate() {
            let start = part as f64 / parts * extent as f64;
            let end = (part + 1) as f64 / parts * extent as f64;
            let first = found.partition_point(|one| one.units.end as f64 <= start);
            let (mut sum, mut seen) = (0.0, 0.0);
            for one in &found[first..] {
                if one.units.start as f64 >= end {
                    break;
                }
                let inside = (one.units.end as f64).min(end) - (one.units.start as f64).max(start);
                sum += inside * one.deviation;
                seen += inside;
            }
            // Of a part that was seen only here and there, the rest is what it was.
            *cost *= (LEARNED * sum / (end - start).max(seen)).exp();
        }
        self.normalize();
        true
    }

    /// How much more than was expected each chunk took, beside the others of its device: the logarithm of the ratio.
    fn deviations(&self, measured: &[Measured], extent: u64) -> Vec<Deviation> {
        let devices = measured.iter().map(|one| one.device + 1).max().unwrap_or(0);
        let mut totals = vec![(0.0, 0.0, 0); devices];
        for one in measured {
            let total = &mut totals[one.device];
            total.0 += self.weight(one.units, extent);
            total.1 += one.seconds;
            total.2 += 1;
        }
        let of = |one: &Measured| {
            let (weight, seconds, chunks) = totals[one.device];
            let expected = self.weight(one.units, extent) / weight * seconds;
            (chunks > 1 && expected > 0.0 && one.seconds > 0.0).then(|| Deviation {
                device: one.device,
                units: one.units,
                deviation: (one.seconds / expected).ln(),
            })
        };
        measured.iter().filter_map(of).collect()
    }

    /// The weight of the units before `unit`, of `extent` in all.
    #[must_use]
    pub fn weight_before(&self, unit: f64, extent: u64) -> f64 {
        if self.is_flat() || extent == 0 {
            return unit;
        }
        let (parts, extent) = (self.costs.len(), extent as f64);
        let place = unit / extent * parts as f64;
        let part = (place as usize).min(parts - 1);
        let inside = (place - part as f64) / parts as f64;
        (self.before[part] + inside * self.costs[part]) * extent
    }

    /// The weight of a chunk: the number of average units that cost as much.
    #[must_use]
    pub fn weight(&self, units: Span, extent: u64) -> f64 {
        if self.is_flat() {
            return units.len() as f64;
        }
        self.weight_before(units.end as f64, extent)
            - self.weight_before(units.start as f64, extent)
    }

    /// The place in units before which there is so much weight: the way back from [`Density::weight_before`].
    #[must_use]
    pub fn unit_at(&self, weight: f64, extent: u64) -> f64 {
        if self.is_flat() || extent == 0 {
            return weight;
        }
        let (parts, extent) = (self.costs.len(), extent as f64);
        let part = self
            .before
            .partition_point(|before| before * extent <= weight)
            .max(1)
            - 1;
        let inside = (weight / extent - self.before[part]) / self.costs[part];
        ((part as f64 / parts as f64 + inside) * extent).clamp(0.0, extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_flat_range_weighs_what_it_has_units() {
        let density = Density::flat();
        assert_eq!(density.weight(Span::new(3, 10), 100), 7.0);
        assert_eq!(density.unit_at(42.0, 100), 42.0);
    }

    #[test]
    fn costs_that_are_no_numbers_weigh_next_to_nothing() {
        let density = Density::new(vec![f64::NAN, 1.0, -3.0, 1.0]);
        assert!(density.weight(Span::new(0, 25), 100) < 1e-3);
        assert!((density.weight(Span::new(0, 100), 100) - 100.0).abs() < 1e-9);
        let density = Density::new(vec![0.0; 4]);
        assert_eq!(density.weight(Span::new(0, 25), 100), 25.0);
    }

    /// Measures chunks of a range of the true cost on devices of these speeds.
    fn measured(truth: &Density, speeds: &[f64], chunks: &[(usize, Span)]) -> Vec<Measured> {
        let of = |(device, units): &(usize, Span)| Measured {
            device: *device,
            units: *units,
            seconds: truth.weight(*units, 6400) / speeds[*device],
        };
        chunks.iter().map(of).collect()
    }

    #[test]
    fn a_cost_is_learned_from_chunks_of_several_devices_whatever_their_speeds() {
        let truth = Density::sampled(64, |x| 1.0 + 9.0 * x);
        let mut chunks: Vec<(usize, Span)> = (0..40)
            .map(|i| (0, Span::new(i * 100, (i + 1) * 100)))
            .collect();
        chunks.extend((40..64).map(|i| (1, Span::new(i * 100, (i + 1) * 100))));
        let mut learned = Density::flat();
        for _ in 0..8 {
            learned.learn(&measured(&truth, &[3.0, 70.0], &chunks), 6400);
        }
        for (learned, truth) in learned.costs().iter().zip(truth.costs()) {
            // How the two devices compare is known as far as it has to be.
            assert!((learned / truth).ln().abs() < LINKED, "{learned} {truth}");
        }
    }

    #[test]
    fn a_device_that_nobody_was_seen_beside_says_nothing_of_the_others() {
        let truth = Density::new(vec![1.0, 1.0, 1.0, 8.0]);
        let chunks: Vec<(usize, Span)> = [(0, 0..3000), (1, 3200..4800), (1, 4800..6400)]
            .map(|(device, units)| (device, Span::new(units.start, units.end)))
            .to_vec();
        let mut learned = Density::flat();
        learned.learn(&measured(&truth, &[3.0, 70.0], &chunks), 6400);
        // What the second device says of its second half, it says beside the first.
        let costs = learned.costs();
        let ratio = costs[63] / costs[33];
        assert!(ratio > 3.0, "{ratio}");
        let beside = f64::midpoint(costs[33], costs[63]) / costs[0];
        assert!((0.8..1.2).contains(&beside), "{costs:?}");
    }

    #[test]
    fn what_could_be_noise_is_not_learned() {
        let chunks: Vec<(usize, Span)> = (0..64)
            .map(|i| (0, Span::new(i * 100, (i + 1) * 100)))
            .collect();
        let truth = Density::sampled(64, |x| 1.0 + 0.05 * (x * 50.0).sin());
        let mut density = Density::flat();
        assert!(!density.learn(&measured(&truth, &[1.0], &chunks), 6400));
        assert!(density.is_flat());
    }

    /// What is said by two partitions between two devices, the first of which has 200 units more in the second: its seconds
    /// and the other's, each 3000 before.
    fn since_moved(now: [f64; 2]) -> Vec<Measured> {
        let chunk = |device: usize, units: std::ops::Range<u64>, seconds: f64| Measured {
            device,
            units: Span::new(units.start, units.end),
            seconds,
        };
        let before = [chunk(0, 0..3000, 3000.0), chunk(1, 3000..6000, 3000.0)];
        let now = [chunk(0, 0..3200, now[0]), chunk(1, 3200..6000, now[1])];
        since(&before, &now, &Density::flat(), 6000)
    }

    #[test]
    fn units_that_change_hands_say_what_they_cost() {
        assert!(since_moved([3200.0, 2800.0]).is_empty());
        let said = since_moved([3600.0, 2800.0]);
        assert_eq!(
            said.iter().map(|one| one.device).collect::<Vec<_>>(),
            [0, 0]
        );
        assert_eq!(
            (said[1].units, said[1].seconds),
            (Span::new(3000, 3200), 600.0)
        );
        assert_eq!(since_moved([3600.0, 2200.0]).len(), 4);
    }

    #[test]
    fn where_fewer_units_took_longer_neither_device_says_anything() {
        assert!(since_moved([4500.0, 4000.0]).is_empty());
        assert!(since_moved([2500.0, 1800.0]).is_empty());
        let could_be_noise = since_moved([3600.0, 3100.0]);
        assert!(!could_be_noise.is_empty());
    }

    #[test]
    fn one_chunk_of_each_device_says_nothing() {
        let chunks = [(0, Span::new(0, 3000)), (1, Span::new(3000, 6400))];
        let truth = Density::sampled(64, |x| 1.0 + 9.0 * x);
        assert!(!Density::flat().learn(&measured(&truth, &[1.0, 1.0], &chunks), 6400));
    }

    proptest! {
        #[test]
        fn weight_adds_up_and_leads_back_to_the_unit(
            costs in prop::collection::vec(0.0_f64..100.0, 1..20),
            extent in 1_u64..10_000,
            cut in 0.0_f64..1.0,
        ) {
            let density = Density::new(costs);
            let unit = (cut * extent as f64) as u64;
            let [low, high] = [Span::new(0, unit), Span::new(unit, extent)]
                .map(|units| density.weight(units, extent));
            prop_assert!((low + high - extent as f64).abs() < 1e-6 * extent as f64);
            prop_assert!(low >= 0.0 && high >= -1e-9);
            prop_assert!((density.unit_at(low, extent) - unit as f64).abs() < 1e-3 * extent as f64);
        }
    }
}
