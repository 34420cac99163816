//! The ways in which a case is run: with which devices, split how.
//!
//! Builds runtimes around a device that the caller makes; what comes out is judged by the cases.

use crate::{Case, Outcome, cases, rules};
use divvy::device::virtual_device::Script;
use divvy::device::{Device, VirtualDevice};
use divvy::{Builder, Policy, Runtime};
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Machines that [`any_split`] runs a case on.
const MACHINES: usize = 24;

/// One rule or case in one setting.
pub struct Trial {
    /// `contract::RULE` or `CASE::SETTING`.
    pub name: String,
    run: Box<dyn Fn() -> Outcome + Send>,
}

impl Trial {
    fn new(name: String, run: impl Fn() -> Outcome + Send + 'static) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// With what is wrong. A panic of the device, on this thread, is one's own to catch.
    pub fn run(&self) -> Outcome {
        (self.run)()
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trial").field(&self.name).finish()
    }
}

/// Every rule on a device of one's own, and every case on it: `alone`; beside the CPU, split by each of [`policies`]; and
/// by [`any_split`].
///
/// `make` makes a new device each time. A kernel that it refuses fails a case only where the device is alone: who can't
/// run all of WGSL leaves those out, by their names.
pub fn trials<D: Device + 'static>(make: impl Fn() -> D + Send + Sync + 'static) -> Vec<Trial> {
    let make = Arc::new(make);
    let mut trials = Vec::new();
    for rule in rules() {
        let make = make.clone();
        let run = move || rule.run(&make());
        trials.push(Trial::new(format!("contract::{}", rule.name), run));
    }
    for case in cases() {
        let own = make.clone();
        let run = move || run_with(case, Runtime::builder().device(own()));
        trials.push(Trial::new(format!("{}::alone", case.name), run));
        for (name, policy) in policies(2) {
            let own = make.clone();
            let run = move || run_with(case, beside_the_cpu(own()).split(policy.clone()));
            trials.push(Trial::new(format!("{}::{name}", case.name), run));
        }
        let own = make.clone();
        let run = move || any_split(case, |_| (beside_the_cpu(own()), 2));
        trials.push(Trial::new(format!("{}::any_split", case.name), run));
    }
    trials
}

fn beside_the_cpu(device: impl Device + 'static) -> Builder {
    Runtime::builder().device(device).devices("cpu")
}

fn run_with(case: &Case, builder: Builder) -> Outcome {
    case.run(&builder.without_profile_dir().build()?)
}

/// The policies that cases are run with, for a runtime of so many devices: shares that are the same, shares that are not,
/// many chunks, and measured rates.
#[must_use]
pub fn policies(devices: usize) -> [(&'static str, Policy); 4] {
    let uneven = (0..devices).map(|i| 0.13 + i as f64).collect();
    [
        ("split", Policy::Fixed(vec![0.4; devices])),
        ("split_unevenly", Policy::Fixed(uneven)),
        ("guided", Policy::Guided),
        ("measured", Policy::Measured),
    ]
}

/// Runs a case on two dozen machines, each with one to four virtual devices more and with shares drawn at random, the same
/// in every run.
///
/// `machine` says for the number of a machine which other devices it has, and how many these are.
///
/// # Errors
///
/// With the shares of the first machine that the case fails on, and why.
pub fn any_split(case: &Case, machine: impl Fn(usize) -> (Builder, usize)) -> Outcome {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut share = || {
        // xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f64
    };
    for number in 0..MACHINES {
        let (mut builder, count) = machine(number);
        let virtuals = 1 + number % 4;
        for i in 0..virtuals {
            let device = VirtualDevice::new(&format!("virtual{i}"), Script::default());
            builder = builder.device(device);
        }
        let shares: Vec<f64> = (0..count + virtuals).map(|_| share()).collect();
        run_with(case, builder.split(Policy::Fixed(shares.clone())))
            .map_err(|error| format!("split by {shares:?}: {error}"))?;
    }
    Ok(())
}

/// Runs every trial whose name is wanted and says how many there were.
///
/// # Errors
///
/// With each trial that failed or panicked.
pub fn check<D: Device + 'static>(
    make: impl Fn() -> D + Send + Sync + 'static,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<usize, Failures> {
    let mut count = 0;
    let mut failures = Vec::new();
    for trial in trials(make) {
        if !is_wanted(&trial.name) {
            continue;
        }
        count += 1;
        match catch_unwind(AssertUnwindSafe(|| trial.run())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failures.push((trial.name, error.to_string())),
            Err(_) => failures.push((trial.name, "it panicked".to_owned())),
        }
    }
    if failures.is_empty() {
        Ok(count)
    } else {
        Err(Failures { count, failures })
    }
}

/// Trials that failed.
#[derive(Clone, Debug)]
pub struct Failures {
    /// How many trials were run.
    pub count: usize,
    /// The names of those that failed, each with what is wrong.
    pub failures: Vec<(String, String)>,
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} failed", self.failures.len(), self.count)?;
        for (name, why) in &self.failures {
            write!(f, "\n{name}: {why}")?;
        }
        Ok(())
    }
}

impl Error for Failures {}
