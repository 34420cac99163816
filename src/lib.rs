//! Write a compute kernel once, in WGSL; Divvy runs every dispatch of it on all the processors of the machine at once,
//! the CPU cores and every GPU, each taking the share that its measured throughput earns.
#![deny(unsafe_code)]
#![deny(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    clippy::dbg_macro,
    clippy::todo
)]

#[macro_use]
mod message;

pub mod buffer;
pub mod check;
pub mod device;
pub mod error;
pub mod id;
pub mod interval;
pub mod kernel;
mod lanes;
pub mod plan;
pub mod profile;
pub mod queue;
pub mod range;
mod runtime;
pub mod simulate;
pub mod span;
pub mod split;
mod stack;
pub mod system;
pub mod trace;

pub use check::{Fault, Finding, Findings};
pub use error::{Error, Result};
pub use kernel::{Access, Body, Combine, Kernel, KernelError, View, ViewMut};
pub use queue::{Comparison, DeviceReport, Report};
pub use range::{Chunk, Range};
pub use runtime::{Buffer, Builder, DispatchBuilder, Event, Runtime};
pub use span::Span;
pub use split::Policy;
