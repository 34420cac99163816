//! What a dispatch could take at best, by who knows the scripts.
//!
//! Of partitions into one chunk for each device, in order, with the data in place; what the scheduler does is not looked
//! at.
//!
//! Invariant: no partition into whole units, in device order, ends sooner than the one found here, but for rounding.

use super::{Load, Machine};
use crate::span::Span;
use crate::split::{self, Candidate, partition_within};

/// How closely the time of the best partition is found.
const PRECISE: f64 = 1e-6;

/// The devices of a machine alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alone {
    /// Seconds of the one that ends first, its data in place.
    pub seconds: f64,
    /// Which one that is.
    pub device: usize,
    /// The sum of the devices' rates over the largest of them: the most that any split could win.
    pub s_max: f64,
}

/// Seconds of a chunk on a device of the machine as it is at a time, its data in place.
pub(super) fn chunk_seconds(
    machine: &Machine,
    load: &Load,
    device: usize,
    chunk: Span,
    at: f64,
) -> f64 {
    let processor = &machine.processors[device];
    if chunk.is_empty() {
        return 0.0;
    }
    let rate = processor.items_per_second * load.favor(device) * processor.speed_at(at);
    processor.overhead_seconds + load.density.weight(chunk, load.extent) / rate
}

fn is_there(machine: &Machine, device: usize, at: f64) -> bool {
    let lost_at = machine.processors[device].lost_at;
    lost_at.is_none_or(|lost_at| at < lost_at)
}

/// What the devices would take alone for the whole range, as the machine is at a time.
#[must_use]
pub fn alone(machine: &Machine, load: &Load, at: f64) -> Alone {
    let whole = Span::new(0, load.extent);
    let (mut seconds, mut device, mut rates) = (f64::INFINITY, 0, 0.0);
    for i in (0..machine.processors.len()).filter(|i| is_there(machine, *i, at)) {
        let own = chunk_seconds(machine, load, i, whole, at);
        rates += own.recip();
        if own < seconds {
            (seconds, device) = (own, i);
        }
    }
    Alone {
        seconds,
        device,
        s_max: rates * seconds,
    }
}

/// The partition that ends first, and its seconds, as the machine is at a time.
///
/// Found by halving: within a time, each device in order takes as many whole workgroups as it can do, and the time is enough
/// if nothing is left.
///
/// ```
/// use divvy::simulate::{Load, Machine, Processor, alone, best_split};
///
/// let machine = Machine::new([Processor::cpu("cpu", 1e9), Processor::gpu("gpu", 3e9)]);
/// let load = Load::new(1 << 24);
/// let (seconds, chunks) = best_split(&machine, &load, 0.0);
/// assert!((chunks[1].len() as f64 / load.extent as f64 - 0.75).abs() < 0.01);
/// assert!(alone(&machine, &load, 0.0).seconds / seconds > 1.3);
/// ```
#[must_use]
pub fn best_split(machine: &Machine, load: &Load, at: f64) -> (f64, Vec<Span>) {
    let candidate = |i: usize| {
        let processor = &machine.processors[i];
        let rate = processor.items_per_second * load.favor(i) * processor.speed_at(at);
        Candidate {
            fixed_seconds: processor.overhead_seconds,
            seconds_per_item: if is_there(machine, i, at) {
                rate.recip()
            } else {
                f64::INFINITY
            },
        }
    };
    let candidates: Vec<Candidate> = (0..machine.processors.len()).map(candidate).collect();
    let single = alone(machine, load, at);
    let mut best = vec![Span::default(); candidates.len()];
    split::single(single.device, load.extent, &mut best);
    let grain = u64::from(load.workgroup);
    let (mut low, mut high) = (0.0, single.seconds);
    let mut chunks = Vec::new();
    while high - low > PRECISE * high {
        let middle = f64::midpoint(low, high);
        let (extent, density) = (load.extent, &load.density);
        if partition_within(middle, extent, grain, density, &candidates, &mut chunks) {
            high = middle;
            std::mem::swap(&mut best, &mut chunks);
        } else {
            low = middle;
        }
    }
    let ends = best.iter().enumerate();
    let ends = ends.map(|(i, chunk)| chunk_seconds(machine, load, i, *chunk, at));
    (ends.fold(0.0, f64::max), best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Processor;
    use crate::split::Density;

    #[test]
    fn no_swept_boundary_is_better_than_the_oracles() {
        let machine = Machine::new([Processor::cpu("cpu", 1e6), Processor::gpu("gpu", 7e6)]);
        for density in [
            Density::flat(),
            Density::new(vec![1.0, 5.0, 2.0, 9.0]),
            Density::sampled(64, |x| (8.0 * x).sin() + 1.2),
        ] {
            let load = Load::new(100_000).with_workgroup(1).with_density(density);
            let (best, _) = best_split(&machine, &load, 0.0);
            let swept = (0..=load.extent)
                .map(|cut| {
                    let low = chunk_seconds(&machine, &load, 0, Span::new(0, cut), 0.0);
                    let high = chunk_seconds(&machine, &load, 1, Span::new(cut, load.extent), 0.0);
                    low.max(high)
                })
                .fold(f64::INFINITY, f64::min);
            assert!((best / swept - 1.0).abs() < 1e-3, "{best} {swept}");
        }
    }

    #[test]
    fn a_lost_device_gets_nothing() {
        let mut machine = Machine::new([Processor::cpu("cpu", 1e6), Processor::gpu("gpu", 7e6)]);
        machine.processors[1].lost_at = Some(1.0);
        let load = Load::new(1 << 20);
        assert!(!best_split(&machine, &load, 0.5).1[1].is_empty());
        assert!(best_split(&machine, &load, 1.5).1[1].is_empty());
    }
}
