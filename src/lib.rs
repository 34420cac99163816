//! Write a compute kernel once, in WGSL; Divvy runs every dispatch of it on all the processors of the machine at once,
//! the CPU cores and every GPU, each taking the share that its measured throughput earns.
//!
//! ```
//! use divvy::{Kernel, Runtime};
//!
//! fn main() -> divvy::Result<()> {
//!     let n = 1 << 16;
//!     let runtime = Runtime::new()?; // the CPU and every GPU found
//!     let saxpy = Kernel::from_wgsl(
//!         "@group(0) @binding(0) var<uniform> a: f32;
//!          @group(0) @binding(1) var<storage, read> x: array<f32>;
//!          @group(0) @binding(2) var<storage, read_write> y: array<f32>;
//!
//!          @compute @workgroup_size(256)
//!          fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
//!              if id.x < arrayLength(&y) { y[id.x] = a * x[id.x] + y[id.x]; }
//!          }",
//!     )?;
//!     let x = runtime.buffer_from(&vec![1.0_f32; n])?;
//!     let y = runtime.buffer_from(&vec![2.0_f32; n])?;
//!
//!     let dispatch = runtime.dispatch(&saxpy, n).value("a", 3.0_f32);
//!     let report = dispatch.bind("x", &x).bind("y", &y).run()?;
//!
//!     assert!(runtime.read(&y)?.iter().all(|&y| y == 5.0));
//!     println!("{report}"); // a line for each device: share, time, rate, bytes moved
//!     Ok(())
//! }
//! ```
//!
//! # Where to go on
//!
//! - [A first kernel](guide::first_kernel): a crate from nothing, step by step.
//! - [How a dispatch is split](guide::splitting), and what a [`Report`] says of it.
//! - [Access patterns](guide::patterns): what is proven from the code, and what to do where the proof stops.
//! - [Checked mode](guide::checked_mode): indices out of bounds, data races and divergent barriers, each with its line.
//! - [Performance](guide::performance): what is fast, what isn't, and where the time goes.
//! - [A device of one's own](guide::own_device), beside the CPU and the GPUs.
//! - [Architecture](guide::architecture): the rooms of the library, and the way of a dispatch through them.
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
pub mod guide;
pub mod id;
pub mod interval;
pub mod kernel;
mod lanes;
mod patience;
pub mod plan;
pub mod profile;
mod prompt;
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
pub use runtime::{Buffer, Builder, DispatchBuilder, Event, RawBuffer, Runtime};
pub use span::Span;
pub use split::Policy;
