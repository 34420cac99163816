//! The rows of the bench `overhead`, and their table.

use super::record::{Record, head, line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub const DIVVY: &str = "divvy";
pub const BY_HAND: &str = "by hand";

/// Something that ought to cost little.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub workload: String,
    /// Median seconds by who does it.
    pub seconds: BTreeMap<String, f64>,
}

/// Medians in microseconds.
pub fn table(record: &Record<Row>) -> String {
    let mut text = record.origin() + "\n\n" + &head(["microseconds", DIVVY, BY_HAND, "more"]);
    for row in &record.rows {
        let median = |name| row.seconds.get(name).copied();
        let more = median(DIVVY)
            .zip(median(BY_HAND))
            .map(|(own, other)| own - other);
        let cells = [median(DIVVY), median(BY_HAND), more];
        let cells = cells.map(|seconds| {
            seconds.map_or(String::new(), |seconds| format!("{:.1}", seconds * 1e6))
        });
        text += &line([row.workload.clone()].into_iter().chain(cells));
    }
    text
}
