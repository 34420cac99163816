//! What time the queue takes it to be.
//!
//! Wall time while threads drive devices, or a time that whoever drives the queue sets: what is decided with it is the
//! same, so a whole run can be simulated.
//!
//! Invariant: time never goes back.

use std::time::Instant;

/// Where the queue reads the time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock {
    /// The machine's own, counted from here.
    Wall(Instant),
    /// Seconds that were set.
    Set(f64),
}

impl Clock {
    /// The machine's own.
    pub(crate) fn wall() -> Self {
        Self::Wall(Instant::now())
    }

    /// Seconds since the clock was made.
    pub(crate) fn seconds(&self) -> f64 {
        match self {
            Self::Wall(epoch) => epoch.elapsed().as_secs_f64(),
            Self::Set(seconds) => *seconds,
        }
    }
}
