//! Who did what and when, of a few dispatches after the first: read from the trace of a runtime of their own.

use super::suite::Workload;
use crate::buffers::Buffers;
use crate::failure::{Failure, Outcome};
use divvy::Builder;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::time::Instant;

/// How many dispatches are shown.
const SHOWN: usize = 3;

/// Something that a device did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Span {
    /// The device's place among those that take part.
    pub(super) device: usize,
    pub(super) what: String,
    /// From the first thing shown on.
    pub(super) start_seconds: f64,
    pub(super) seconds: f64,
}

/// What is read of an entry of the trace; times are in microseconds.
#[derive(Deserialize)]
struct Entry {
    name: String,
    ph: String,
    tid: usize,
    #[serde(default)]
    ts: f64,
    #[serde(default)]
    dur: f64,
}

/// Runs the dispatch a few times with what the profile in the folder knows.
pub(super) fn record(
    workload: &Workload,
    builder: &dyn Fn() -> Builder,
    profile: &Path,
) -> Outcome<Vec<Span>> {
    let file = profile.join("trace.json");
    let begun = {
        let runtime = builder().profile_dir(profile).trace(&file).build()?;
        let start = Instant::now();
        let buffers = Buffers::new(&runtime, &workload.kernel, workload.range, &workload.inputs)?;
        // The first compiles the kernel and takes the data to where it is needed.
        buffers.dispatch().run()?;
        let begun = start.elapsed().as_secs_f64();
        for _ in 0..SHOWN {
            buffers.dispatch().run()?;
        }
        begun
    };
    let text = fs::read(&file).map_err(|source| Failure::Read { path: file, source })?;
    let entries: Vec<Entry> = serde_json::from_slice(&text).map_err(Failure::Trace)?;
    Ok(shown(entries, begun * 1e6))
}

/// What ended after this time, in microseconds, counted from the first of it on.
fn shown(entries: Vec<Entry>, begun: f64) -> Vec<Span> {
    let mut kept: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.ph == "X" && entry.ts + entry.dur / 2.0 > begun)
        .collect();
    kept.sort_by(|one, other| one.ts.total_cmp(&other.ts));
    let first = kept.first().map_or(0.0, |entry| entry.ts);
    let span = |entry: Entry| Span {
        device: entry.tid,
        what: entry.name,
        start_seconds: (entry.ts - first) / 1e6,
        seconds: entry.dur / 1e6,
    };
    kept.into_iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_before_is_left_out_and_time_begins_with_the_rest() {
        let entry = |ph: &str, ts, dur| Entry {
            name: "run".to_owned(),
            ph: ph.to_owned(),
            tid: 1,
            ts,
            dur,
        };
        let entries = vec![
            entry("M", 0.0, 0.0),
            entry("X", 10.0, 80.0),
            entry("X", 130.0, 20.0),
            entry("X", 110.0, 10.0),
        ];
        let spans = shown(entries, 100.0);
        let times: Vec<_> = spans.iter().map(|span| span.start_seconds * 1e6).collect();
        assert_eq!(times, [0.0, 20.0]);
    }
}
