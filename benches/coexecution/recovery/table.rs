//! How soon what was wrong is made up for, as a table.

use super::record::{head, line};
use serde::{Deserialize, Serialize};

/// What was found of a workload on a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recovery {
    pub machine: String,
    pub workload: String,
    pub what: String,
    /// Of each round, how many dispatches were off before the split was as good as the best; none if that took longer than
    /// anybody looked.
    pub dispatches: Vec<Option<usize>>,
    /// What a dispatch with the best fixed shares takes afterwards.
    pub best_seconds: f64,
    /// The dispatches of the last round, the first that is off first.
    pub seconds: Vec<f64>,
}

const HEADS: [&str; 7] = [
    "machine",
    "workload",
    "what is wrong",
    "dispatches until near the best",
    "the most",
    "best, ms",
    "first dispatches, ms",
];

/// A table.
pub fn table(found: &[Recovery]) -> String {
    let mut text = head(HEADS);
    for one in found {
        let number = |count: Option<usize>| match count {
            Some(count) => count.to_string(),
            None => "more".to_owned(),
        };
        let mut sorted = one.dispatches.clone();
        sorted.sort_by_key(|count| count.unwrap_or(usize::MAX));
        let first = one.seconds.iter().take(8);
        let first: Vec<_> = first.map(|one| format!("{:.1}", one * 1e3)).collect();
        text += &line([
            one.machine.clone(),
            one.workload.clone(),
            one.what.clone(),
            number(sorted[sorted.len() / 2]),
            number(sorted[sorted.len() - 1]),
            format!("{:.1}", one.best_seconds * 1e3),
            first.join(", "),
        ]);
    }
    text
}
