//! What became of a simulated program.
//!
//! Numbers, their summary, and the summary as text; nothing is decided here.
//!
//! Invariant: all but the planning time is the same for the same machine, program, profile and seed.

use super::Alone;
use crate::profile::Profile;
use serde::Serialize;
use std::fmt::Write as _;

/// What became of one dispatch.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatched {
    /// When it was submitted, in virtual seconds.
    pub start: f64,
    /// Virtual seconds until it had ended, copies included.
    pub seconds: f64,
    /// What the best partition would have taken with the data in place.
    pub oracle_seconds: f64,
    /// What the devices would have taken alone.
    pub alone: Alone,
    /// The first device's end over the last's.
    pub balance: f64,
    /// Bytes copied between memories.
    pub bytes_moved: u64,
    /// Each device's part of the range.
    pub shares: Vec<f64>,
    /// How many chunks it was run in.
    pub chunks: usize,
    /// Virtual seconds of the longest run of a device with a memory of its own.
    pub longest_gpu_run_seconds: f64,
    /// Real seconds that deciding and planning took.
    pub planning_seconds: f64,
}

impl Dispatched {
    /// How many times as fast as the best device alone.
    #[must_use]
    pub fn speedup(&self) -> f64 {
        self.alone.seconds / self.seconds
    }

    /// Co-execution efficiency: what was won of what could be won at most.
    #[must_use]
    pub fn efficiency(&self) -> f64 {
        self.speedup() / self.alone.s_max
    }

    /// How much longer than the best partition it took, as a part of that.
    #[must_use]
    pub fn regret(&self) -> f64 {
        self.seconds / self.oracle_seconds - 1.0
    }

    /// A device's part of the range.
    #[must_use]
    pub fn share(&self, device: usize) -> f64 {
        self.shares[device]
    }
}

/// What became of a program.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Its dispatches.
    pub dispatches: Vec<Dispatched>,
    /// Virtual seconds of all of it.
    pub seconds: f64,
    /// What is known of the machine afterwards.
    pub profile: Profile,
}

/// The measures of a program's dispatches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// What was simulated.
    pub name: String,
    /// How many devices there were.
    pub devices: usize,
    /// How many dispatches.
    pub dispatches: usize,
    /// The most that a split could win, at the last dispatch.
    pub s_max: f64,
    /// Efficiency of the first dispatch.
    pub first_efficiency: f64,
    /// Efficiency of the last half of the dispatches, the median.
    pub efficiency: f64,
    /// Balance of the last half, the median.
    pub balance: f64,
    /// Regret of the last half, the median.
    pub regret: f64,
    /// The whole time over what it would have taken the oracle at every dispatch, less one.
    pub total_regret: f64,
    /// Dispatches before the first that is within 5 % of the oracle; none if there is no such one.
    pub converged_after: Option<usize>,
    /// Bytes moved by all dispatches.
    pub bytes_moved: u64,
    /// Chunks of a dispatch, on average.
    pub chunks: f64,
    /// Real seconds of deciding and planning a dispatch, the median.
    pub planning_seconds: f64,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Simulated {
    /// Dispatches, from `since` on, before the first whose regret is at most this; none if there is no such one.
    #[must_use]
    pub fn converged_after(&self, since: usize, regret: f64) -> Option<usize> {
        self.dispatches[since..]
            .iter()
            .position(|dispatched| dispatched.regret() <= regret)
    }

    /// The measures, under a name.
    #[must_use]
    pub fn summary(&self, name: &str) -> Summary {
        let all = &self.dispatches;
        let late = &all[all.len() / 2..];
        let of = |measure: &dyn Fn(&Dispatched) -> f64| median(late.iter().map(measure).collect());
        let sum = |measure: &dyn Fn(&Dispatched) -> f64| all.iter().map(measure).sum::<f64>();
        Summary {
            name: name.to_owned(),
            devices: all.first().map_or(0, |one| one.shares.len()),
            dispatches: all.len(),
            s_max: all.last().map_or(1.0, |one| one.alone.s_max),
            first_efficiency: all.first().map_or(f64::NAN, Dispatched::efficiency),
            efficiency: of(&Dispatched::efficiency),
            balance: of(&|one| one.balance),
            regret: of(&Dispatched::regret),
            total_regret: sum(&|one| one.seconds) / sum(&|one| one.oracle_seconds) - 1.0,
            converged_after: self.converged_after(0, 0.05),
            bytes_moved: all.iter().map(|one| one.bytes_moved).sum(),
            chunks: all.iter().map(|one| one.chunks).sum::<usize>() as f64 / all.len() as f64,
            planning_seconds: median(all.iter().map(|one| one.planning_seconds).collect()),
        }
    }
}

/// Summaries as a table in Markdown.
#[must_use]
pub fn table(summaries: &[Summary]) -> String {
    let mut text = String::from(
        "| | devices | S_max | first efficiency | efficiency | balance | regret | regret of all | within 5 % after | \
         chunks | MB moved | planning, us |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for one in summaries {
        let converged = one
            .converged_after
            .map_or_else(|| "-".to_owned(), |dispatches| dispatches.to_string());
        // Writing to a string never fails.
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} | {:.3} | {:.3} | {:.3} | {:.1} % | {:.1} % | {converged} | {:.1} | {:.2} | {:.1} |",
            one.name,
            one.devices,
            one.s_max,
            one.first_efficiency,
            one.efficiency,
            one.balance,
            one.regret * 100.0,
            one.total_regret * 100.0,
            one.chunks,
            one.bytes_moved as f64 / 1e6,
            one.planning_seconds * 1e6,
        );
    }
    text
}
