//! Buffers: how many elements, of what, and where the newest of them lie.
//!
//! Copying belongs to the devices and its ordering to the queue; this room only keeps account.
//!
//! Invariant: a buffer's length never changes.

pub mod coherence;
pub mod order;
mod pages;
mod storage;

pub use coherence::Coherence;
pub use order::Order;
pub(crate) use pages::wish_large;
pub use storage::{ALIGNMENT, OutOfHostMemory, Storage};
