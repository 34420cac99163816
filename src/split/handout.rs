//! A dispatch whose chunks are handed out as devices ask for them.
//!
//! One face for all ways to do so; each of them decides on its own.
//!
//! Invariant: every unit is handed out exactly once.

use super::{Guided, Slices, Tail};
use crate::span::Span;

/// What is left to hand out of a dispatch, and how.
#[derive(Clone, Debug)]
pub enum Handout {
    /// For devices whose speed isn't known.
    Guided(Guided),
    /// A partition whose boundaries are found at the end.
    Tail(Tail),
    /// A partition that is kept to, in runs that aren't too long.
    Slices(Slices),
}

impl Handout {
    /// The next chunk of a device, or nothing when there is none for it.
    pub fn next(&mut self, device: usize) -> Option<Span> {
        match self {
            Self::Guided(guided) => guided.next(device),
            Self::Tail(tail) => tail.next(device),
            Self::Slices(slices) => slices.next(device),
        }
    }

    /// Learns how fast a device ran a chunk. Returns whether those for whom there was none should ask again.
    pub fn completed(&mut self, device: usize, chunk: Span, seconds: f64) -> bool {
        match self {
            Self::Guided(guided) => guided.completed(device, chunk.len(), seconds),
            Self::Tail(tail) => {
                tail.completed(device, chunk, seconds);
                false
            }
            Self::Slices(slices) => {
                slices.completed(device, chunk, seconds);
                false
            }
        }
    }

    /// Whether everything has been handed out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Guided(guided) => guided.is_empty(),
            Self::Tail(tail) => tail.is_empty(),
            Self::Slices(slices) => slices.is_empty(),
        }
    }
}
