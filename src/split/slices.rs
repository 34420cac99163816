//! A partition whose chunks are run in slices, none of which takes longer than its device may.
//!
//! Who gets what is settled; only how much of it at once is found here.
//!
//! Invariant: every unit is handed out exactly once, and to the device that the partition gives it to.

use super::{Density, Pace};
use crate::span::Span;

/// The first slice of a device whose rate isn't known: this part of its chunk.
const FIRST: f64 = 128.0;
/// How much larger than the slice before one may be, while the rate is young.
const GROWTH: f64 = 4.0;

/// Hands each device its chunk of a partition in slices.
#[derive(Clone, Debug)]
pub struct Slices {
    /// What is left of each chunk.
    left: Vec<Span>,
    extent: u64,
    grain: u64,
    density: Density,
    paces: Vec<Pace>,
    /// The most that the next slice of each device may weigh, by the slices before.
    most: Vec<f64>,
}

impl Slices {
    /// Of a range of `extent` units, by a partition with a chunk for each of the devices. Slices end on multiples of
    /// `grain`, or where their chunk does.
    ///
    /// # Panics
    ///
    /// If there aren't as many chunks as devices.
    #[must_use]
    pub fn new(
        partition: &[Span],
        extent: u64,
        grain: u64,
        density: Density,
        paces: Vec<Pace>,
    ) -> Self {
        assert_eq!(partition.len(), paces.len(), "each device has a chunk");
        let chunks = partition.iter().zip(&paces);
        let first = chunks.map(|(chunk, pace)| match pace.rate {
            None if pace.longest_seconds.is_finite() => density.weight(*chunk, extent) / FIRST,
            _ => f64::INFINITY,
        });
        Self {
            most: first.collect(),
            left: partition.to_vec(),
            extent,
            grain: grain.max(1),
            density,
            paces,
        }
    }

    /// The next slice of a device, or nothing when its chunk is done.
    pub fn next(&mut self, device: usize) -> Option<Span> {
        let left = self.left[device];
        if left.is_empty() {
            return None;
        }
        let Pace {
            rate,
            longest_seconds,
            ..
        } = self.paces[device];
        let longest = rate.map_or(f64::INFINITY, |rate| rate * longest_seconds);
        let weight = longest.min(self.most[device]);
        let end = if weight.is_finite() {
            let before = self.density.weight_before(left.start as f64, self.extent);
            let end = self.density.unit_at(before + weight, self.extent) as u64;
            let whole = end / self.grain * self.grain;
            // However slow the device is, it does a grain at a time.
            whole.max((left.start + 1).next_multiple_of(self.grain))
        } else {
            left.end
        };
        let slice = Span::new(left.start, end.min(left.end));
        self.left[device] = Span::new(slice.end, left.end);
        Some(slice)
    }

    /// Learns how fast a device ran a slice.
    pub fn completed(&mut self, device: usize, slice: Span, seconds: f64) {
        let weight = self.density.weight(slice, self.extent);
        if seconds > 0.0 {
            self.paces[device].rate = Some(weight / seconds);
        }
        if self.most[device].is_finite() {
            self.most[device] = self.most[device].max(weight * GROWTH);
        }
    }

    /// Whether everything has been handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left.iter().all(|left| left.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slices of each device, which runs so many units in a second.
    fn run(mut slices: Slices, rates: &[f64]) -> Vec<Vec<Span>> {
        let mut all = vec![Vec::new(); rates.len()];
        for (device, rate) in rates.iter().enumerate() {
            while let Some(slice) = slices.next(device) {
                slices.completed(device, slice, slice.len() as f64 / rate);
                all[device].push(slice);
            }
        }
        assert!(slices.is_empty());
        all
    }

    fn pace(rate: Option<f64>, longest_seconds: f64) -> Pace {
        Pace {
            rate,
            overhead_seconds: 0.0,
            longest_seconds,
        }
    }

    #[test]
    fn each_device_gets_its_chunk_in_order_and_nothing_else() {
        let chunks = [Span::new(0, 300), Span::new(300, 300), Span::new(300, 1003)];
        for grain in [1, 4, 64] {
            let paces = vec![pace(Some(1e3), 0.01); 3];
            let slices = Slices::new(&chunks, 1003, grain, Density::flat(), paces);
            let all = run(slices, &[1e3, 1e3, 5e2]);
            for (slices, chunk) in all.iter().zip(chunks) {
                let mut at = chunk.start;
                for slice in slices {
                    assert_eq!(slice.start, at);
                    assert!(slice.end == chunk.end || slice.end.is_multiple_of(grain));
                    at = slice.end;
                }
                assert_eq!(at, chunk.end);
            }
        }
    }

    #[test]
    fn no_slice_takes_longer_than_it_may() {
        let chunks = [Span::new(0, 5_000), Span::new(5_000, 10_000)];
        let paces = vec![pace(Some(1e4), 0.05), pace(Some(1e4), f64::INFINITY)];
        let slices = Slices::new(&chunks, 10_000, 1, Density::flat(), paces);
        let all = run(slices, &[1e4, 1e4]);
        assert_eq!(all[0].len(), 10);
        assert_eq!(all[1], [chunks[1]]);
    }

    #[test]
    fn a_device_that_is_unknown_begins_with_little() {
        let chunks = [Span::new(0, 12_800)];
        let paces = vec![pace(None, 0.1)];
        let slices = Slices::new(&chunks, 12_800, 1, Density::flat(), paces);
        let all = run(slices, &[1e4]);
        assert_eq!(all[0][0].len(), 100);
        assert_eq!(all[0][1].len(), 400);
        assert!(all[0].iter().all(|slice| slice.len() <= 1_000));
    }
}
