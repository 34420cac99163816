//! The queue: commands in, devices kept busy.
//!
//! What the commands are is the plan's decision; this room decides when each starts.
//!
//! Invariant: a command starts after everything it depends on has completed.

mod choice;
mod clock;
mod commit;
mod edges;
mod engine;
mod executor;
mod habit;
mod known;
mod open;
mod operation;
mod outcome;
mod planning;
mod probe;
mod recovery;
mod report;
mod state;
mod trial;

pub(crate) use clock::Clock;
pub use engine::Engine;
pub(crate) use executor::Queue;
pub(crate) use operation::{Completion, Dispatch, Hold, Request, Resolved};
pub use report::{Comparison, DeviceReport, Report};
pub(crate) use state::{LONGEST_RUN_SECONDS, State};
