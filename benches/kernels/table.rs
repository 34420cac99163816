//! The rows of the bench `kernels`, and their table.

use super::record::{Record, head, line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A workload of a size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub workload: String,
    /// Median seconds of a run by who does it.
    pub seconds: BTreeMap<String, f64>,
    /// Runs that the devices end in a second, all told, each busy with whole problems of its own.
    pub runs_per_second_at_once: f64,
}

/// Whether it is a device alone.
pub fn is_device(name: &str) -> bool {
    name == "cpu" || name.starts_with("gpu")
}

/// Medians in milliseconds, and what the split won: speedup over the best device alone, the most that could be won
/// (`S_max`), and their ratio, the co-execution efficiency. The last two once more with the rates that the devices have
/// while all of them are busy, each with a whole problem of its own.
pub fn table(record: &Record<Row>) -> String {
    let names = record.rows.iter().flat_map(|row| row.seconds.keys());
    let mut columns: Vec<&str> = names
        .map(String::as_str)
        .filter(|name| is_device(name))
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns.extend(["split", "raw wgpu", "rayon"]);
    let won = [
        "speedup",
        "S_max",
        "efficiency",
        "S_max, all busy",
        "efficiency, all busy",
    ];
    let heads = ["milliseconds"].iter().chain(&columns).chain(&won);
    let mut text = record.origin() + "\n\n" + &head(heads.copied());
    for row in &record.rows {
        let median = |name: &&str| row.seconds.get(*name).copied();
        let milliseconds =
            |name| median(name).map_or("-".to_owned(), |seconds| format!("{:.3}", seconds * 1e3));
        let rates = row.seconds.iter().filter(|(name, _)| is_device(name));
        let rates: Vec<f64> = rates.map(|(_, seconds)| seconds.recip()).collect();
        let best = rates.iter().copied().fold(0.0, f64::max);
        let speedup = median(&"split").map(|split| 1.0 / split / best);
        let (alone, busy) = (
            rates.iter().sum::<f64>() / best,
            row.runs_per_second_at_once / best,
        );
        let won = [
            speedup,
            speedup.map(|_| alone),
            speedup.map(|speedup| speedup / alone),
            speedup.map(|_| busy),
            speedup.map(|speedup| speedup / busy),
        ];
        let won = won.map(|won| won.map_or("-".to_owned(), |won| format!("{won:.2}")));
        let cells = std::iter::once(row.workload.clone());
        text += &line(cells.chain(columns.iter().map(milliseconds)).chain(won));
    }
    text
}
