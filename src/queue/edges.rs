//! Which part of a chunk can begin before its halos have come.
//!
//! What a neighbour computes on a GPU has to be asked for, and takes as long to come as a submission takes. The inside of a
//! chunk needs nothing of it: on a device that computes in the host's memory, where a run costs next to nothing, it runs in
//! the meantime, and the edges after it. Who gets which chunk is the affair of `choice`.
//!
//! Invariant: the pieces of a chunk are all of it, each once.

use super::known::CPU_OVERHEAD_SECONDS;
use super::operation::Dispatch;
use super::state::State;
use crate::device::Home;
use crate::id::DeviceId;
use crate::plan::{Placed, Touch};
use crate::span::Span;

/// Pieces that a chunk is cut into at most: the inside and two edges.
const PIECES: f64 = 3.0;
/// The grains that an edge may have.
const WIDTHS: [u64; 3] = [1, 2, 4];
/// The least grains of a chunk that is cut.
const LEAST_GRAINS: u64 = 16;

impl State {
    /// Places chunks, one for each device, and those that wait for halos in pieces.
    pub(super) fn place(&self, dispatch: &Dispatch, chunks: &[Span], placed: &mut Vec<Placed>) {
        let waits_for = |other: usize| match self.members[other].info.home {
            Home::Own if !chunks[other].is_empty() => self.overhead_seconds(other),
            _ => 0.0,
        };
        let waits = (0..chunks.len()).map(waits_for).fold(0.0, f64::max);
        let is_worth = waits >= PIECES * CPU_OVERHEAD_SECONDS
            && !dispatch.touches.iter().any(Touch::accumulates);
        for (i, units) in chunks.iter().enumerate() {
            let device = DeviceId(i as u32);
            let inside = is_worth.then(|| self.inside(dispatch, i, *units));
            let inside = inside.flatten().unwrap_or(*units);
            let before = Span::new(units.start, inside.start);
            let after = Span::new(inside.end, units.end);
            let edges = [before, after].into_iter().filter(|edge| !edge.is_empty());
            let pieces = [inside].into_iter().chain(edges);
            placed.extend(pieces.map(|units| Placed { device, units }));
        }
    }

    /// What a device can begin with while the rest of its chunk waits for halos, if there is any such thing.
    fn inside(&self, dispatch: &Dispatch, device: usize, units: Span) -> Option<Span> {
        let grain = dispatch.grain();
        let has_all = |units: Span| self.missing_bytes(dispatch, device, units) == 0;
        let is_cheap = self.members[device].info.home == Home::Host;
        if !is_cheap || units.len() < LEAST_GRAINS * grain || has_all(units) {
            return None;
        }
        // From the edge that most chunks share with another to both: the ends of the range may be neighbours, too.
        let mut insides = WIDTHS.iter().flat_map(|width| {
            let start = units.start + width * grain;
            let end = units.end.next_multiple_of(grain) - width * grain;
            let ends = [(units.start, end), (start, units.end), (start, end)];
            ends.map(|(start, end)| Span::new(start, end))
        });
        insides.find(|inside| has_all(*inside))
    }
}
