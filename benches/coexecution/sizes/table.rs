//! What sizes come to as a table.

use super::record::{head, line};
use serde::{Deserialize, Serialize};

/// A workload of one size on a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sized {
    pub machine: String,
    pub workload: String,
    /// Invocations of its largest dispatch.
    pub invocations: usize,
    /// Seconds of an iteration: all devices, and each of them alone.
    pub together_seconds: f64,
    pub alone_seconds: Vec<f64>,
}

impl Sized {
    /// All devices over the best one alone; above 1 something was lost.
    pub fn over_best(&self) -> f64 {
        let best = self.alone_seconds.iter().copied();
        self.together_seconds / best.fold(f64::INFINITY, f64::min)
    }
}

/// A table for each machine.
#[allow(dead_code, reason = "the bench prints each when its machine is done")]
pub fn table(rows: &[Sized]) -> String {
    let machines = rows.chunk_by(|a, b| a.machine == b.machine);
    machines.map(of_machine).collect()
}

/// Of a machine: a row for each workload and a column for each size.
pub fn of_machine(found: &[Sized]) -> String {
    let mut sizes: Vec<_> = found.iter().map(|one| one.invocations).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let heads = sizes.iter().map(|size| format!("2^{}", size.ilog2()));
    let heads = std::iter::once("invocations".to_owned()).chain(heads);
    let mut text = format!(
        "\n### {}, settled: all devices over the best one alone\n\n",
        found[0].machine
    );
    text += &head(heads);
    for rows in found.chunk_by(|a, b| a.workload == b.workload) {
        let cell = |size: &usize| {
            let one = rows.iter().find(|one| one.invocations == *size);
            one.map_or("-".to_owned(), |one| format!("{:.2}", one.over_best()))
        };
        let cells = sizes.iter().map(cell);
        text += &line(std::iter::once(rows[0].workload.clone()).chain(cells));
    }
    text
}
