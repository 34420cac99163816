//! Who did what and when, of a few dispatches after the first: read from the trace of a runtime of their own.

use super::suite::Workload;
use crate::buffers::{Buffers, Inputs};
use crate::failure::{Failure, Outcome};
use divvy::Builder;
use divvy::trace::{Activity, ActivityKind, Trace};
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// How many dispatches are shown.
pub(super) const SHOWN: usize = 3;

/// Something that a device did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Span {
    /// The device's place among those that take part.
    pub(super) device: usize,
    /// Which of the dispatches that are shown it is part of, from 0 on.
    pub(super) dispatch: usize,
    pub(super) what: String,
    #[serde(skip)]
    pub(super) kind: Kind,
    /// From the first thing shown on.
    pub(super) start_seconds: f64,
    pub(super) seconds: f64,
}

/// What a span is, as far as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Run,
    ToDevice,
    FromDevice,
    Other,
}

impl Kind {
    fn of(done: &Activity) -> Self {
        match done.kind() {
            ActivityKind::Run { .. } => Kind::Run,
            ActivityKind::ToDevice => Kind::ToDevice,
            ActivityKind::FromDevice => Kind::FromDevice,
            _ => Kind::Other,
        }
    }
}

/// Runs the dispatch a few times with what the profile in the folder knows.
pub(super) fn record(
    workload: &Workload,
    inputs: &Inputs,
    builder: &dyn Fn() -> Builder,
    profile: &Path,
) -> Outcome<Vec<Span>> {
    let file = profile.join("trace.json");
    let begun = {
        let runtime = builder().profile_dir(profile).trace(&file).build()?;
        let start = Instant::now();
        let buffers = Buffers::new(&runtime, &workload.kernel, workload.range, inputs)?;
        // The first compiles the kernel and takes the data to where it is needed.
        buffers.dispatch().run()?;
        let begun = start.elapsed().as_secs_f64();
        for _ in 0..SHOWN {
            buffers.dispatch().run()?;
        }
        begun
    };
    let text = fs::read_to_string(&file).map_err(|source| Failure::Read { path: file, source })?;
    let trace = Trace::read(&text).map_err(Failure::Trace)?;
    Ok(shown(trace.activities, begun))
}

/// What was going on after this time, in seconds, counted from the first of it on.
fn shown(activities: Vec<Activity>, begun: f64) -> Vec<Span> {
    let mut kept: Vec<_> = activities
        .into_iter()
        .filter(|done| done.start_seconds + done.seconds / 2.0 > begun)
        .collect();
    kept.sort_by(|one, other| one.end_seconds().total_cmp(&other.end_seconds()));
    // A dispatch has run once all of its range has, and each has the same.
    let units = |done: &Activity| match done.kind() {
        ActivityKind::Run { units, .. } => units,
        _ => 0,
    };
    let each = kept.iter().map(units).sum::<u64>() / SHOWN as u64;
    let starts = kept.iter().map(|done| done.start_seconds);
    let first = starts.reduce(f64::min).unwrap_or(0.0);
    let mut ran = 0;
    let span = |done: Activity| {
        let dispatch = (ran / each.max(1)).min(SHOWN as u64 - 1);
        ran += units(&done);
        Span {
            device: done.track,
            dispatch: dispatch as usize,
            kind: Kind::of(&done),
            what: done.name,
            start_seconds: done.start_seconds - first,
            seconds: done.seconds,
        }
    };
    let mut spans: Vec<_> = kept.into_iter().map(span).collect();
    spans.sort_by(|one, other| one.start_seconds.total_cmp(&other.start_seconds));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(name: &str, start: f64, end: f64) -> Activity {
        Activity {
            track: 1,
            name: name.to_owned(),
            start_seconds: start,
            seconds: end - start,
        }
    }

    #[test]
    fn what_happened_before_is_left_out_and_time_begins_with_the_rest() {
        let activities = vec![
            done("run 0..9", 10.0, 90.0),
            done("run 0..9", 130.0, 150.0),
            done("run 0..9", 110.0, 120.0),
        ];
        let spans = shown(activities, 100.0);
        let times: Vec<_> = spans.iter().map(|span| span.start_seconds).collect();
        assert_eq!(times, [0.0, 20.0]);
    }

    #[test]
    fn a_dispatch_ends_with_the_last_of_its_range_and_copies_belong_to_what_follows() {
        let activities = vec![
            done("run 0..6", 1.0, 2.0),
            done("run 6..8", 1.5, 2.5),
            done("to device B1 0..4", 2.5, 2.6),
            done("run 0..8", 2.6, 3.0),
            done("run 0..8", 3.0, 4.0),
        ];
        let spans = shown(activities, 0.0);
        let dispatches: Vec<_> = spans.iter().map(|span| span.dispatch).collect();
        assert_eq!(dispatches, [0, 0, 1, 1, 2]);
    }
}
