//! What every device of [Divvy](divvy) has to do, as cases that can be run on a device written elsewhere.
//!
//! A **rule** asks one thing of the [`Device`] trait, with a few tasks and no runtime: start with these. A **case** is a
//! kernel in WGSL, its buffers, and what must come out, whoever runs it: alone, beside the CPU by even and by uneven shares,
//! in many chunks, and on machines whose shares are drawn at random. Integers must be exactly right; floats may differ as
//! far as the WGSL specification lets them.
//!
//! The tests of Divvy itself run the same cases on the CPU, on every GPU found and on virtual devices.
//!
//! # Examples
//!
//! [`trials`] are for a harness that runs tests one by one, such as `libtest-mimic`. Without one, [`check`] runs them all:
//!
//! ```
//! use divvy::device::VirtualDevice;
//! use divvy::device::virtual_device::Script;
//!
//! // Here would be the device that you wrote.
//! let passed = divvy_conformance::check(
//!     || VirtualDevice::new("mine", Script::default()),
//!     |name| name.starts_with("saxpy::") || name.starts_with("contract::"),
//! );
//! assert!(passed.unwrap_or_else(|failures| panic!("{failures}")) > 10);
//! ```
//!
//! [`Device`]: divvy::device::Device
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub)]

mod computing;
mod contract;
mod expecting;
mod halos;
mod indices;
mod sharing;
mod tasks;
mod trials;

pub use contract::{Rule, rules};
pub use expecting::Outcome;
pub use trials::{Failures, Trial, any_split, check, policies, trials};

use divvy::Runtime;

/// A kernel, its buffers, and what must come out of it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    run: fn(&Runtime) -> Outcome,
}

impl Case {
    /// Runs it with all devices of the runtime.
    ///
    /// # Errors
    ///
    /// With what is wrong, or why the dispatch failed. A device that refuses the kernel is no fault of it while another one
    /// of the runtime takes it.
    pub fn run(&self, runtime: &Runtime) -> Outcome {
        (self.run)(runtime)
    }
}

/// All cases.
///
/// ```
/// use divvy::Runtime;
///
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// let halo = divvy_conformance::cases().iter().find(|case| case.name == "halo");
/// halo.expect("it is one of them").run(&runtime)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn cases() -> &'static [Case] {
    const fn case(name: &'static str, run: fn(&Runtime) -> Outcome) -> Case {
        Case { name, run }
    }
    const {
        &[
            case("saxpy", indices::saxpy),
            case("builtins", indices::builtins),
            case("many_workgroups", indices::many_workgroups),
            case("values", indices::values),
            case("stencil", halos::stencil),
            case("halo", halos::halo),
            case("torus", halos::torus),
            case("accumulate", sharing::accumulate),
            case("barriers", sharing::barriers),
            case("scattered", sharing::scattered),
            case("reversed", sharing::reversed),
            case("declared", sharing::declared),
            case("reused_memory", computing::reused_memory),
            case("floats", computing::floats),
            case("native", computing::native),
        ]
    }
}
