//! Machines that were measured, as scripts.
//!
//! Takes speeds from a profile, or speeds as they changed from a trace; what is run on them is the caller's choice.
//!
//! Invariant: a device that was never measured is no part of the machine.

use super::{Machine, Processor};
use crate::device::Home;
use crate::profile::{Key, Profile};
use crate::trace::{ActivityKind, Trace};
use std::collections::BTreeMap;

/// Why a trace can't be replayed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It isn't in the Trace Event format.
    #[error("the trace can't be read: {0}; record one with `Builder::trace` or `DIVVY_TRACE`")]
    Format(#[from] serde_json::Error),
    /// Nothing in it says how fast anything ran.
    #[error("the trace has no run of `{kernel}`; its runs are of: {}", found.join(", "))]
    NoRuns {
        /// The kernel that was asked for.
        kernel: String,
        /// Those that there are.
        found: Vec<String>,
    },
}

debug_is_message!(ReplayError);

/// The devices that a profile knows for a kernel at a size, with their speeds. What it doesn't know of a device's overhead
/// and bandwidth is as in [`Processor::gpu`] or [`Processor::cpu`]; who is called `cpu` computes in the host's memory.
#[must_use]
pub fn from_profile(profile: &Profile, key: Key) -> Machine {
    let mut machine = Machine::new([]);
    for (device, items_per_second) in profile.rates(key) {
        let mut processor = made(device, items_per_second);
        if let Some(seconds) = profile.overhead(device) {
            processor.overhead_seconds = seconds;
        }
        if let Some(bytes_per_second) = profile.bandwidth(device) {
            processor.bytes_per_second = bytes_per_second;
        }
        machine.processors.push(processor);
    }
    machine
}

fn made(device: &str, items_per_second: f64) -> Processor {
    let is_cpu = device.to_lowercase().starts_with("cpu");
    let mut processor = if is_cpu {
        Processor::cpu(device, items_per_second)
    } else {
        Processor::gpu(device, items_per_second)
    };
    processor.home = if is_cpu { Home::Host } else { Home::Own };
    processor
}

/// The devices of a trace that ran a kernel, each as fast at every moment as it was: the speed of a run holds from the
/// run's start to the next one's. `per_unit` is how many invocations a unit of the range had.
///
/// # Errors
///
/// If the text is no trace, or no device ran the kernel.
pub fn from_trace(text: &str, kernel: &str, per_unit: u64) -> Result<Machine, ReplayError> {
    let trace = Trace::read(text)?;
    let mut runs: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    let mut found = Vec::new();
    for done in &trace.activities {
        match done.kind() {
            ActivityKind::Run { entry, .. } if entry != kernel => found.push(entry.to_owned()),
            ActivityKind::Run { units, .. } if done.seconds > 0.0 => {
                let rate = (units * per_unit) as f64 / done.seconds;
                let runs = runs.entry(done.track).or_default();
                runs.push((done.start_seconds, rate));
            }
            _ => {}
        }
    }
    if runs.is_empty() {
        found.sort();
        found.dedup();
        return Err(ReplayError::NoRuns {
            kernel: kernel.to_owned(),
            found,
        });
    }
    let mut machine = Machine::new([]);
    for (track, mut runs) in runs {
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let first = runs[0].1;
        let unnamed = format!("device {track}");
        let mut processor = made(trace.tracks.get(&track).unwrap_or(&unnamed), first);
        processor.changes = runs.iter().map(|(at, rate)| (*at, rate / first)).collect();
        machine.processors.push(processor);
    }
    Ok(machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_becomes_a_machine_of_the_devices_it_knows() {
        let mut profile = Profile::default();
        let key = Key::new(7, 1 << 20);
        profile.add_rate(key, "cpu (4 threads)", 1e8);
        profile.add_rate(key, "GPU", 1e9);
        profile.add_overhead("GPU", 3e-5);
        let machine = from_profile(&profile, key);
        let speeds: Vec<_> = machine
            .processors
            .iter()
            .map(|one| (one.name.as_str(), one.items_per_second, one.home))
            .collect();
        assert_eq!(
            speeds,
            [
                ("GPU", 1e9, Home::Own),
                ("cpu (4 threads)", 1e8, Home::Host)
            ]
        );
        assert_eq!(machine.processors[0].overhead_seconds, 3e-5);
        let other = Key::new(8, 1 << 20);
        assert!(from_profile(&profile, other).processors.is_empty());
    }

    #[test]
    fn a_trace_becomes_devices_whose_speed_changes_as_it_did() {
        let text = r#"[
            {"name":"thread_name","ph":"M","pid":1,"tid":0,"args":{"name":"cpu"}},
            {"name":"to device B1 0..100","ph":"X","pid":1,"tid":0,"ts":0.0,"dur":5.0},
            {"name":"main 0..100","ph":"X","pid":1,"tid":0,"ts":0.0,"dur":100.0},
            {"name":"main 0..100","ph":"X","pid":1,"tid":0,"ts":500.0,"dur":200.0}
        ]"#;
        let machine = from_trace(text, "main", 2).expect("it is a trace");
        let cpu = &machine.processors[0];
        assert_eq!(cpu.name, "cpu");
        assert!((cpu.items_per_second - 2e6).abs() < 1e-3, "{cpu:?}");
        assert_eq!([cpu.speed_at(1e-4), cpu.speed_at(6e-4)], [1.0, 0.5]);
        let error = from_trace(text, "other", 1).expect_err("nobody ran it");
        assert!(error.to_string().contains("main"), "{error}");
        assert!(from_trace("{", "main", 1).is_err());
    }
}
