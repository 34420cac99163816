//! What is learned from an operation that has ended, and told of it.
//!
//! Turns tallies into samples and reports; who reads them is somebody else's affair.
//!
//! Invariant: the first sample of a kernel on a device is thrown away: it pays for compilation and first touches.

use super::choice::{key, place};
use super::operation::{Dispatch, Operation, Request};
use super::report::{Comparison, DeviceReport, Report};
use super::state::State;
use crate::error::Error;
use crate::id::OperationId;
use crate::split::{Measured, since};
use smallvec::SmallVec;

/// Chunks below so many overheads of their device say nothing of what it costs where.
const TELLING_OVERHEADS: f64 = 4.0;

impl State {
    pub(super) fn finish_if_done(&mut self, id: OperationId) {
        let is_done = self.operations.get(&id).is_some_and(|operation| {
            // A chunk that failed is neither unfinished nor done until everything is planned anew.
            operation.unfinished == 0
                && operation.handout.is_none()
                && operation.is_covered()
                && !self.waiting.contains(&id)
        });
        if !is_done || (self.recovering && self.operations[&id].error.is_some()) {
            return;
        }
        let Some(operation) = self.operations.remove(&id) else {
            return;
        };
        let report = match &operation.request {
            Request::Dispatch(dispatch) => self.learn_and_report(dispatch, &operation),
            _ => self.tallied(&operation, 1, self.clock.seconds()),
        };
        let outcome = match operation.findings {
            Some(findings) => Err(Error::Checked(findings)),
            None => Ok(report),
        };
        operation.completion.set(outcome);
    }

    fn tallied(&self, operation: &Operation, per_unit: u64, now: f64) -> Report {
        let units: u64 = operation.tallies.iter().map(|tally| tally.units).sum();
        let devices = operation
            .tallies
            .iter()
            .zip(&self.members)
            .map(|(tally, member)| DeviceReport {
                device: member.name.clone(),
                chunks: tally.chunks,
                invocations: tally.units * per_unit,
                share: if units > 0 {
                    tally.units as f64 / units as f64
                } else {
                    0.0
                },
                seconds: tally.seconds,
                longest_seconds: tally.longest_seconds,
                bytes_to_device: tally.bytes_to_device,
                bytes_from_device: tally.bytes_from_device,
                copy_seconds: tally.copy_seconds,
                left_out: None,
            });
        Report {
            seconds: operation.started.map_or(0.0, |started| now - started),
            devices: devices.collect(),
            notes: operation.notes.clone(),
            ..Report::default()
        }
    }

    fn learn_and_report(&mut self, dispatch: &Dispatch, operation: &Operation) -> Report {
        let per_unit = dispatch.per_unit();
        let now = self.clock.seconds();
        let deviation = self.learn(dispatch, operation);
        let mut report = self.tallied(operation, per_unit, now);
        let mut added_seconds = report.seconds;
        if operation.prediction.is_some() {
            let took_part = operation.tallies.iter().filter(|tally| tally.chunks > 0);
            let chunks: usize = operation.tallies.iter().map(|tally| tally.chunks).sum();
            let busy = operation.measured.iter().map(|one| one.seconds);
            // Of a chunk that nobody measured it isn't known what it took.
            let busy = (operation.measured.len() == chunks).then(|| busy.sum());
            let habit = self.habits.entry(place(dispatch)).or_default();
            // From the first command to the last: copies and overheads count, whoever's clock they are on. Of two that
            // overlap, as devices run ahead of each other, the later one has only what it adds.
            let since_last = habit
                .ended
                .replace(now)
                .map_or(f64::INFINITY, |ended| now - ended);
            added_seconds = report.seconds.min(since_last);
            habit.trial.add(took_part.count(), added_seconds, busy);
            habit.deviated(deviation);
        }
        report.entry.clone_from(&dispatch.facts.entry);
        report.range = dispatch.chunk.range.to_string();
        for (i, device) in report.devices.iter_mut().enumerate() {
            device.left_out = self
                .reason_against(dispatch, &operation.dropped, i)
                .map(str::to_owned);
        }
        if let Some(prediction) = operation.prediction
            && added_seconds > 0.0
        {
            report.comparison = Some(Comparison {
                speedup: prediction.best_single_seconds / added_seconds,
                s_max: prediction.s_max,
            });
        }
        report
    }

    /// Learns how fast the devices are and how the cost varies along the range. Returns how far off rates were.
    fn learn(&mut self, dispatch: &Dispatch, operation: &Operation) -> f64 {
        let (key, extent, per_unit) = (key(dispatch), dispatch.extent(), dispatch.per_unit());
        // The first chunk pays for compilation and for pages touched the first time.
        let mut is_cold: SmallVec<[bool; 8]> = SmallVec::new();
        for (i, tally) in operation.tallies.iter().enumerate() {
            is_cold.push(tally.chunks > 0 && self.warm.insert((dispatch.facts.key, i)));
        }
        let counts = |one: &&Measured| !std::mem::take(&mut is_cold[one.device]);
        let measured = operation.measured.iter().filter(counts).copied();
        let measured: SmallVec<[Measured; 8]> = measured.collect();
        let is_single = measured
            .iter()
            .all(|one| operation.tallies[one.device].chunks == 1);
        let habit = self.habits.entry(place(dispatch)).or_default();
        if is_single {
            // A chunk for each device tells nothing, unless the boundaries have moved since the dispatch before.
            let density = self.profile.density(key);
            let telling = since(&habit.measured, &measured, density, extent);
            habit.measured.clear();
            habit.measured.extend_from_slice(&measured);
            habit.measured.sort_unstable_by_key(|one| one.device);
            self.profile.learn_density(key, &telling, extent);
        } else {
            habit.measured.clear();
            // What a device does in a moment it does slowly: the first of its lanes are done before the last have begun.
            let is_telling = |one: &&Measured| {
                one.seconds > TELLING_OVERHEADS * self.overhead_seconds(one.device)
            };
            let telling = measured.iter().filter(is_telling).copied();
            let telling: Vec<Measured> = telling.collect();
            self.profile.learn_density(key, &telling, extent);
        }
        let density = self.profile.density(key);
        let mut sums: SmallVec<[(f64, f64); 8]> = SmallVec::new();
        sums.resize(self.members.len(), (0.0, 0.0));
        for one in &measured {
            let sum = &mut sums[one.device];
            sum.0 += density.weight(one.units, extent);
            sum.1 += one.seconds;
        }
        let mut deviation = 0.0_f64;
        let took_part = operation.tallies.iter().filter(|tally| tally.chunks > 0);
        let is_alone = took_part.count() == 1;
        let habit = self.habits.get_mut(&place(dispatch));
        let is_comparable = habit.is_some_and(|habit| habit.follows_split(is_alone));
        for (device, (member, (weight, seconds))) in self.members.iter().zip(sums).enumerate() {
            if weight > 0.0 && seconds > 0.0 {
                let rate = weight * per_unit as f64 / seconds;
                if is_comparable {
                    self.profile.add_rate_alone(key, &member.key, rate);
                }
                if let Some(expected) = self.profile.rate(key, &member.key) {
                    deviation = deviation.max((rate / expected).ln().abs());
                }
                self.profile.add_rate(key, &member.key, rate);
                self.seen.insert((key, device));
            }
        }
        deviation
    }
}
