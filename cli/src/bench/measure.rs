//! Measuring one kernel over one range: each device alone, all together, and fixed splits.
//!
//! What is compared takes turns, so that what slows the machine for a while slows all alike; each turn runs twice and times
//! the second, whose data is where it is needed. Answers are compared before anything is timed.
//!
//! Invariant: a time is a median of wall times as a caller sees them.

use super::suite::Workload;
use super::timeline::{self, Span};
use crate::buffers::{Buffers, Inputs};
use crate::compare::{TOLERANCE, difference, is_written};
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::numbers::median;
use crate::output::scratch;
use divvy::{Builder, Error, Policy, Report, Runtime};
use serde::Serialize;
use std::time::Instant;

/// Fixed splits that are tried: steps of a twentieth.
const POINTS: usize = 21;
/// Dispatches that the measured split has to settle.
const SETTLING: usize = 12;

/// What was measured of one kernel over one range.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) kernel: String,
    pub(super) range: String,
    pub(super) invocations: u64,
    /// Each device alone; no seconds where it can't run the kernel.
    pub(super) alone: Vec<Alone>,
    /// All devices, split by measurement.
    pub(super) together: Together,
    /// Fixed splits, from all for the last devices to all for the first.
    pub(super) sweep: Vec<Point>,
    /// Time of the best device alone over that of all together.
    pub(super) speedup: f64,
    /// The most that any split could win: the sum of the devices' rates over the largest.
    pub(super) most_speedup: f64,
    pub(super) efficiency: f64,
    /// Time of all together over that of the best split that was tried; nothing with one device.
    pub(super) regret: Option<f64>,
    pub(super) timeline: Vec<Span>,
    pub(super) notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Alone {
    pub(super) device: String,
    pub(super) seconds: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Together {
    pub(super) seconds: f64,
    /// One for each device, as of the last dispatch.
    pub(super) shares: Vec<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Point {
    /// The first device's.
    pub(super) share: f64,
    pub(super) seconds: f64,
}

/// A way to run the dispatch, and what it took so far.
struct Way {
    policy: Policy,
    seconds: Vec<f64>,
}

impl Way {
    fn new(policy: Policy) -> Self {
        Self {
            policy,
            seconds: Vec::new(),
        }
    }

    fn median(&self) -> f64 {
        median(&self.seconds)
    }
}

fn timed(buffers: &Buffers<'_>, policy: &Policy) -> divvy::Result<(f64, Report)> {
    let dispatch = buffers.dispatch().split(policy.clone());
    let start = Instant::now();
    let report = dispatch.run()?;
    Ok((start.elapsed().as_secs_f64(), report))
}

/// What the dispatch writes from what the buffers first hold.
fn answer(inputs: &Inputs, buffers: &Buffers<'_>, policy: &Policy) -> Outcome<Vec<Data>> {
    buffers.reset()?;
    buffers.dispatch().split(policy.clone()).run()?;
    (0..inputs.bound.len())
        .map(|input| buffers.read(input))
        .collect()
}

/// Which devices can run the kernel, after comparing what they compute.
fn agreed(
    inputs: &Inputs,
    buffers: &Buffers<'_>,
    names: &[String],
    apart: f64,
) -> Outcome<Vec<bool>> {
    let mut first: Option<(String, Vec<Data>)> = None;
    let mut able = Vec::new();
    let mut ways: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), Policy::Only(name.clone())))
        .collect();
    if names.len() > 1 {
        let even = Policy::Fixed(vec![1.0; names.len()]);
        ways.push(("all in even shares".to_owned(), even));
    }
    for (name, policy) in ways {
        let data = match answer(inputs, buffers, &policy) {
            Ok(data) => data,
            Err(Failure::Library(Error::NoDevice { .. })) => {
                able.push(false);
                continue;
            }
            Err(error) => return Err(error),
        };
        able.push(true);
        let Some((beside, expected)) = &first else {
            first = Some((name, data));
            continue;
        };
        for ((slot, _), (one, other)) in inputs.bound.iter().zip(expected.iter().zip(&data)) {
            if !is_written(slot) {
                continue;
            }
            let found = difference(slot, one, other, TOLERANCE);
            if let Some(found) = found.filter(|found| found.part() > apart) {
                return Err(Failure::Differs {
                    what: beside.clone(),
                    beside: name,
                    name: found.name.clone(),
                    difference: found.to_string(),
                });
            }
        }
    }
    able.truncate(names.len());
    Ok(able)
}

/// The shares of a sweep's point: the first device's, and the rest for the others by their rates.
fn shares(first: f64, rates: &[f64]) -> Vec<f64> {
    let others: f64 = rates[1..].iter().sum();
    let rest = rates[1..].iter().map(|rate| match others {
        none if none <= 0.0 => 0.0,
        all => (1.0 - first) * rate / all,
    });
    std::iter::once(first).chain(rest).collect()
}

pub(super) fn measure(
    workload: &Workload,
    builder: &dyn Fn() -> Builder,
    rounds: usize,
) -> Outcome<Row> {
    let runtime = builder().without_profile_dir().build()?;
    let names: Vec<String> = runtime.devices().map(|info| info.name.clone()).collect();
    let inputs = workload.inputs()?;
    let buffers = Buffers::new(&runtime, &workload.kernel, workload.range, &inputs)?;
    let able = agreed(&inputs, &buffers, &names, workload.apart)?;
    let mut alone: Vec<Way> = names
        .iter()
        .map(|name| Way::new(Policy::Only(name.clone())))
        .collect();
    let mut rates = vec![0.0; names.len()];
    for (place, way) in alone.iter().enumerate().filter(|(place, _)| able[*place]) {
        timed(&buffers, &way.policy)?;
        rates[place] = 1.0 / timed(&buffers, &way.policy)?.0;
    }
    let points = (0..POINTS).map(|i| i as f64 / (POINTS - 1) as f64);
    let mut sweep: Vec<(f64, Way)> = match rates.iter().filter(|rate| **rate > 0.0).count() {
        0 | 1 => Vec::new(),
        _ if !able[0] => Vec::new(),
        _ => points
            .map(|first| (first, Way::new(Policy::Fixed(shares(first, &rates)))))
            .collect(),
    };
    // What the measured split learns and where its data is are its own.
    let folder = scratch()?;
    let own = builder().profile_dir(folder.path()).build()?;
    let own_buffers = Buffers::new(&own, &workload.kernel, workload.range, &inputs)?;
    let mut together = Way::new(Policy::Measured);
    let mut last = Report::default();
    for _ in 0..SETTLING {
        last = timed(&own_buffers, &together.policy)?.1;
    }
    for _ in 0..rounds {
        let able = alone
            .iter_mut()
            .zip(&able)
            .filter(|(_, able)| **able)
            .map(|(way, _)| way);
        for way in able.chain(sweep.iter_mut().map(|(_, way)| way)) {
            timed(&buffers, &way.policy)?;
            way.seconds.push(timed(&buffers, &way.policy)?.0);
        }
        timed(&own_buffers, &together.policy)?;
        let (seconds, report) = timed(&own_buffers, &together.policy)?;
        together.seconds.push(seconds);
        last = report;
    }
    drop((buffers, own_buffers));
    own.save_profile();
    let timeline = timeline::record(workload, &inputs, builder, folder.path())?;
    Ok(row(
        workload, &names, &alone, &together, &sweep, &last, timeline,
    ))
}

fn row(
    workload: &Workload,
    names: &[String],
    alone: &[Way],
    together: &Way,
    sweep: &[(f64, Way)],
    last: &Report,
    timeline: Vec<Span>,
) -> Row {
    let times: Vec<Option<f64>> = alone
        .iter()
        .map(|way| (!way.seconds.is_empty()).then(|| way.median()))
        .collect();
    let best = times
        .iter()
        .flatten()
        .copied()
        .fold(f64::INFINITY, f64::min);
    let most_speedup: f64 = times.iter().flatten().map(|seconds| best / seconds).sum();
    let seconds = together.median();
    let speedup = best / seconds;
    let sweep: Vec<_> = sweep
        .iter()
        .map(|(share, way)| Point {
            share: *share,
            seconds: way.median(),
        })
        .collect();
    let swept = sweep.iter().map(|point| point.seconds);
    let regret = swept.reduce(f64::min).map(|least| seconds / least);
    let alone = names.iter().zip(times).map(|(device, seconds)| Alone {
        device: device.clone(),
        seconds,
    });
    Row {
        kernel: workload.name.clone(),
        range: workload.range.to_string(),
        invocations: workload.range.invocations(),
        alone: alone.collect(),
        together: Together {
            seconds,
            shares: last.devices.iter().map(|device| device.share).collect(),
        },
        sweep,
        speedup,
        most_speedup,
        efficiency: speedup / most_speedup,
        regret,
        timeline,
        notes: last.notes.clone(),
    }
}

/// The names of the devices that take part.
pub(super) fn names(builder: &dyn Fn() -> Builder) -> Outcome<Vec<String>> {
    let runtime: Runtime = builder().without_profile_dir().build()?;
    let told = runtime.devices().map(divvy::device::DeviceInfo::key);
    Ok(told.collect())
}
