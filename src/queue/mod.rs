//! The queue: commands in, devices kept busy.
//!
//! What the commands are is the plan's decision; this room decides when each starts.
//!
//! Invariant: a command starts after everything it depends on has completed.

mod choice;
mod commit;
mod engine;
mod executor;
mod operation;
mod outcome;
mod planning;
mod recovery;
mod report;
mod state;
mod trial;

pub use engine::Engine;
pub(crate) use executor::Queue;
pub(crate) use operation::{Completion, Dispatch, Hold, Request, Resolved};
pub use report::{Comparison, DeviceReport, Report};
