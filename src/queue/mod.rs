//! The queue: commands in, devices kept busy.
//!
//! What the commands are is the plan's decision; this room decides when each starts.
//!
//! Invariant: a command starts after everything it depends on has completed.

mod engine;

pub use engine::Engine;
