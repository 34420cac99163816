//! Shares to whole grains.
//!
//! Rounds, to the nearest grain or so that nobody takes longer than a time; how large the shares are, or how long it may
//! take, is decided before.
//!
//! Invariant: the chunks cover the extent exactly, in order, and never cut a grain.

use super::{Candidate, Density};
use crate::span::Span;

/// Cuts `0..extent` into one chunk for each share, in order, each of which weighs its part of the sum of shares.
///
/// Every boundary but the last falls on the nearest multiple of `grain`, so that no workgroup is cut in two. A share too
/// small for one grain may get an empty chunk.
///
/// # Panics
///
/// If `grain` is zero, or if no share is positive: who takes part is the caller's decision.
pub fn partition(
    extent: u64,
    grain: u64,
    density: &Density,
    shares: &[f64],
    chunks: &mut Vec<Span>,
) {
    assert!(grain > 0, "a grain holds at least one unit");
    let sum: f64 = shares.iter().sum();
    assert!(sum > 0.0, "at least one share is positive");
    chunks.clear();
    // Sum first, round after: rounding each share would let errors pile onto the last device.
    let (mut start, mut before) = (0, 0.0);
    let last = shares.iter().rposition(|share| *share > 0.0);
    for (i, share) in shares.iter().enumerate() {
        before += share;
        let ideal = density.unit_at(before / sum * extent as f64, extent);
        let nearest = (ideal / grain as f64).round() as u64;
        // Past the last positive share everything has been given away, whatever the rounding of the sum says.
        let end = if last <= Some(i) {
            extent
        } else {
            nearest.saturating_mul(grain).clamp(start, extent)
        };
        chunks.push(Span::new(start, end));
        start = end;
    }
}

/// The grain that a device without a chunk could be given: the first of the next chunk's, or the last of the one before if
/// there is none after it. Nothing if that would leave none of it.
pub(crate) fn spare_grain(device: usize, grain: u64, chunks: &[Span]) -> Option<Span> {
    let (before, after) = (&chunks[..device], &chunks[device + 1..]);
    let has_some = |chunk: &&Span| !chunk.is_empty();
    let keeps_some = |chunk: &&Span| chunk.len() > grain;
    match after.iter().find(has_some) {
        Some(next) => {
            let next = Some(next).filter(keeps_some)?;
            Some(Span::new(next.start, next.start + grain))
        }
        None => {
            let last = before.iter().rfind(has_some).filter(keeps_some)?;
            Some(Span::new((last.end - 1) / grain * grain, last.end))
        }
    }
}

/// Gives a device a part of what those beside it have; they keep the rest.
pub(crate) fn give(device: usize, part: Span, chunks: &mut [Span]) {
    for chunk in &mut chunks[..device] {
        *chunk = Span::new(chunk.start.min(part.start), chunk.end.min(part.start));
    }
    for chunk in &mut chunks[device + 1..] {
        *chunk = Span::new(chunk.start.max(part.end), chunk.end.max(part.end));
    }
    chunks[device] = part;
}

/// Cuts `0..extent` into one chunk for each candidate, in order, none of which takes longer than `seconds`; returns
/// whether there is such a cut, and leaves `chunks` undefined if there is none.
///
/// Each in turn gets as many whole grains as it can do in that time.
///
/// # Panics
///
/// If `grain` is zero.
pub fn partition_within(
    seconds: f64,
    extent: u64,
    grain: u64,
    density: &Density,
    candidates: &[Candidate],
    chunks: &mut Vec<Span>,
) -> bool {
    assert!(grain > 0, "a grain holds at least one unit");
    chunks.clear();
    let mut start = 0;
    for candidate in candidates {
        let weight = (seconds - candidate.fixed_seconds) / candidate.seconds_per_item;
        let mut end = start;
        if weight > 0.0 && weight.is_finite() && start < extent {
            let before = density.weight_before(start as f64, extent);
            // What is short of a grain by a rounding error is a grain.
            let most = density.unit_at(before + weight, extent) + 1e-6;
            end = if most >= extent as f64 {
                extent
            } else {
                (most as u64 / grain * grain).max(start)
            };
        }
        chunks.push(Span::new(start, end));
        start = end;
    }
    start == extent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(extent: u64, grain: u64, shares: &[f64]) -> Vec<Span> {
        let mut chunks = Vec::new();
        partition(extent, grain, &Density::flat(), shares, &mut chunks);
        chunks
    }

    fn candidate(seconds_per_item: f64) -> Candidate {
        Candidate {
            fixed_seconds: 1.0,
            seconds_per_item,
        }
    }

    #[test]
    fn a_device_without_a_chunk_is_given_a_grain_of_its_neighbours() {
        let spans = |ends: [u64; 4]| -> Vec<Span> {
            let starts = [0, ends[0], ends[1], ends[2]];
            starts
                .iter()
                .zip(ends)
                .map(|(start, end)| Span::new(*start, end))
                .collect()
        };
        let given = |ends: [u64; 4], device: usize| {
            let mut chunks = spans(ends);
            give(device, spare_grain(device, 8, &chunks)?, &mut chunks);
            Some(chunks)
        };
        assert_eq!(given([0, 0, 16, 60], 0), Some(spans([8, 8, 16, 60])));
        assert_eq!(given([16, 16, 16, 60], 1), Some(spans([16, 24, 24, 60])));
        assert_eq!(given([16, 60, 60, 60], 3), Some(spans([16, 56, 56, 60])));
        assert_eq!(given([0, 8, 8, 8], 0), None);
        assert_eq!(given([0, 8, 8, 8], 2), None);
    }

    #[test]
    fn within_a_time_each_gets_the_grains_that_it_can_do() {
        let candidates = [candidate(0.1), candidate(f64::INFINITY), candidate(0.02)];
        let mut chunks = Vec::new();
        let mut within = |seconds: f64| {
            let flat = Density::flat();
            partition_within(seconds, 100, 10, &flat, &candidates, &mut chunks)
                .then(|| chunks.clone())
        };
        assert_eq!(within(2.6), None);
        assert_eq!(
            within(2.9),
            Some(vec![
                Span::new(0, 10),
                Span::new(10, 10),
                Span::new(10, 100)
            ])
        );
        assert_eq!(
            within(9.0),
            Some(vec![
                Span::new(0, 80),
                Span::new(80, 80),
                Span::new(80, 100)
            ])
        );
    }

    #[test]
    fn boundaries_fall_on_the_grain() {
        assert_eq!(cut(1000, 64, &[1.0, 1.0]), [0..512, 512..1000]);
    }

    #[test]
    fn boundaries_fall_where_the_weight_is_equal() {
        let mut chunks = Vec::new();
        let density = Density::new(vec![1.0, 3.0]);
        partition(1000, 1, &density, &[1.0, 1.0], &mut chunks);
        // A quarter of the weight is in the first half, so the second device needs a third of the second half less.
        assert_eq!(chunks, [0..667, 667..1000]);
    }

    #[test]
    fn a_device_without_a_share_gets_an_empty_chunk() {
        assert_eq!(cut(100, 1, &[1.0, 0.0]), [0..100, 100..100]);
        assert_eq!(cut(100, 1, &[0.0, 1.0]), [0..0, 0..100]);
        assert_eq!(cut(100, 64, &[1e-9, 1.0]), [0..0, 0..100]);
    }

    #[test]
    fn chunks_cover_every_extent_exactly_and_in_order() {
        for extent in 1..70 {
            for grain in [1, 3, 8, 64] {
                for shares in [
                    &[1.0][..],
                    &[1.0, 3.0],
                    &[0.1, 0.2, 0.7],
                    &[5.0, 0.0, 1e-3, 2.0],
                ] {
                    let mut next = 0;
                    for chunk in cut(extent, grain, shares) {
                        assert_eq!(chunk.start, next);
                        assert!(chunk.end == extent || chunk.end.is_multiple_of(grain));
                        next = chunk.end;
                    }
                    assert_eq!(next, extent);
                }
            }
        }
    }
}
