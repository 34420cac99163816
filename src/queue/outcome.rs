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

impl State {
    pub(super) fn finish_if_done(&mut self, id: OperationId) {
        let is_done = self.operations.get(&id).is_some_and(|operation| {
            operation.unfinished == 0 && operation.handout.is_none() && !self.waiting.contains(&id)
        });
        if !is_done || (self.recovering && self.operations[&id].error.is_some()) {
            return;
        }
        let Some(operation) = self.operations.remove(&id) else {
            return;
        };
        let report = match &operation.request {
            Request::Dispatch(dispatch) => self.learn_and_report(dispatch, &operation),
            _ => self.tallied(&operation, 1),
        };
        let outcome = match operation.findings {
            Some(findings) => Err(Error::Checked(findings)),
            None => Ok(report),
        };
        operation.completion.set(outcome);
    }

    fn tallied(&self, operation: &Operation, per_unit: u64) -> Report {
        let units: u64 = operation.tallies.iter().map(|tally| tally.units).sum();
        let devices = operation
            .tallies
            .iter()
            .zip(&self.members)
            .map(|(tally, member)| DeviceReport {
                device: member.info.name.clone(),
                chunks: tally.chunks,
                invocations: tally.units * per_unit,
                share: if units > 0 {
                    tally.units as f64 / units as f64
                } else {
                    0.0
                },
                seconds: tally.seconds,
                bytes_to_device: tally.bytes_to_device,
                bytes_from_device: tally.bytes_from_device,
                left_out: None,
            });
        Report {
            seconds: operation
                .started
                .map_or(0.0, |started| started.elapsed().as_secs_f64()),
            devices: devices.collect(),
            notes: operation.notes.clone(),
            ..Report::default()
        }
    }

    fn learn_and_report(&mut self, dispatch: &Dispatch, operation: &Operation) -> Report {
        let per_unit = dispatch.per_unit();
        for (i, tally) in operation
            .tallies
            .iter()
            .enumerate()
            .filter(|(_, tally)| tally.chunks > 0)
        {
            let is_warm = !self.warm.insert((dispatch.facts.key, i));
            // The first chunk pays for compilation and for pages touched the first time.
            let (units, seconds) = if is_warm {
                (tally.units, tally.seconds)
            } else {
                (tally.units - tally.first.0, tally.seconds - tally.first.1)
            };
            if units > 0 && seconds > 0.0 && !tally.is_estimate {
                let device = &self.members[i].key;
                self.profile
                    .add_rate(key(dispatch), device, (units * per_unit) as f64 / seconds);
            }
        }
        let mut report = self.tallied(operation, per_unit);
        if operation.prediction.is_some() {
            let took_part = operation.tallies.iter().filter(|tally| tally.chunks > 0);
            let trial = self.trials.entry(place(dispatch)).or_default();
            // From the first command to the last: copies and overheads count, whoever's clock they are on.
            trial.add(took_part.count(), report.seconds);
        }
        report.entry.clone_from(&dispatch.facts.entry);
        report.range = dispatch.chunk.range.to_string();
        for (i, device) in report.devices.iter_mut().enumerate() {
            device.left_out = self
                .reason_against(dispatch, &operation.dropped, i)
                .map(str::to_owned);
        }
        let rates: Vec<f64> = (0..self.members.len())
            .filter(|i| report.devices[*i].left_out.is_none())
            .filter_map(|i| self.profile.rate(key(dispatch), &self.members[i].key))
            .collect();
        let best = rates.iter().copied().fold(0.0, f64::max);
        if let Some(prediction) = operation.prediction
            && best > 0.0
            && report.seconds > 0.0
        {
            let speedup = prediction.best_single_seconds / report.seconds;
            report.comparison = Some(Comparison {
                speedup,
                s_max: rates.iter().sum::<f64>() / best,
            });
        }
        report
    }
}
