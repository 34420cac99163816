//! What happens when a task fails or a device is lost.
//!
//! Nothing new is begun, what is under way ends, and then everything unfinished is planned anew from what the memories
//! really hold.
//!
//! Invariant: no chunk that has ended is done twice, and none is left out.

use super::commit::{Accumulated, for_written};
use super::operation::Request;
use super::state::State;
use crate::device::DeviceError;
use crate::error::Error;
use crate::id::{DeviceId, MemoryId, OperationId};
use crate::plan::{Action, Command, LostInput};
use crate::span::Span;
use std::collections::HashSet;

impl State {
    pub(super) fn failed(&mut self, command: &Command, error: &DeviceError) {
        let device = command.device.map_or(0, |device| device.0 as usize);
        self.recovering = true;
        if *error == DeviceError::NotBegun {
            if let Some(operation) = self.operations.get_mut(&command.operation) {
                operation.unfinished -= 1;
            }
            return;
        }
        if matches!(error, DeviceError::Lost { .. }) && self.members[device].lost.is_none() {
            log::warn!("{error}");
            self.members[device].lost = Some(error.to_string());
            self.members[device].frees.clear();
        }
        let cause = error.to_string();
        let Some(operation) = self.operations.get_mut(&command.operation) else {
            return;
        };
        operation.unfinished -= 1;
        operation.dropped[device].get_or_insert_with(|| cause.clone());
        // A body that panics does so on every device; and what can't be fetched from a device can't be done again.
        let is_final = matches!(command.action, Action::Accumulate { .. })
            && !matches!(error, DeviceError::Lost { .. });
        if is_final || matches!(error, DeviceError::Panicked { .. }) {
            operation.error.get_or_insert_with(|| error.clone().into());
        }
        // What a run that failed was to write may be half written in the memory of its device.
        if let (Action::Run { units, group }, Request::Dispatch(dispatch)) =
            (command.action, &operation.request)
        {
            let memory = self.planner.system().memory(DeviceId(device as u32));
            let accumulated = match group {
                Some(_) => Accumulated::InPrivate,
                None => Accumulated::InPlace,
            };
            for_written(
                &mut self.buffers,
                dispatch,
                units,
                accumulated,
                |buffer, span| {
                    buffer.committed.dirtied(memory, span);
                    buffer.cause.get_or_insert_with(|| cause.clone());
                },
            );
        }
    }

    /// Plans everything that hasn't ended anew, from what the memories really hold. Nothing is running.
    pub(super) fn recover(&mut self) {
        self.recovering = false;
        self.engine.clear_queued();
        self.commands.clear();
        for (i, member) in self
            .members
            .iter()
            .enumerate()
            .filter(|(_, member)| member.lost.is_some())
        {
            let memory = self.planner.system().memory(DeviceId(i as u32));
            if memory == MemoryId::HOST {
                continue;
            }
            for buffer in self.buffers.values_mut() {
                if !buffer.committed.drop_memory(memory).is_empty() {
                    buffer
                        .cause
                        .get_or_insert_with(|| member.lost.clone().unwrap_or_default());
                }
            }
        }
        for (id, buffer) in &self.buffers {
            self.planner.reset(*id, buffer.committed.clone());
        }
        let mut failed = Vec::new();
        let mut kept = HashSet::new();
        self.waiting.clear();
        for (id, operation) in &mut self.operations {
            // A chunk whose private copies are lost has to be run again, as one that never ran.
            operation
                .halves
                .retain(|half| self.members[half.chunk.device.0 as usize].lost.is_none());
            kept.extend(operation.halves.iter().map(|half| half.group));
            operation.unfinished = 0;
            operation.handout = None;
            operation.access = None;
            operation
                .tallies
                .iter_mut()
                .for_each(|tally| tally.in_flight = 0);
            match operation.error.take() {
                Some(error) => failed.push((*id, error)),
                None => self.waiting.push_back(*id),
            }
        }
        let dropped: Vec<_> = self
            .privates
            .extract_if(|group, _| !kept.contains(group))
            .collect();
        for private in dropped.into_iter().flat_map(|(_, privates)| privates) {
            self.free(private.storage.id());
        }
        // In order: what a failed operation was to write is spoiled before those after it are planned.
        for (id, error) in failed {
            self.fail(id, error);
        }
    }

    /// Ends an operation that can't be done. What it was to write can't be relied on.
    pub(super) fn fail(&mut self, id: OperationId, error: Error) {
        let Some(mut operation) = self.operations.remove(&id) else {
            return;
        };
        operation.handout = None;
        if operation.unfinished > 0 {
            // Its last commands are still under way: it ends with them, when everything is planned anew.
            operation.error = Some(error);
            self.operations.insert(id, operation);
            self.recovering = true;
            return;
        }
        if let Request::Dispatch(dispatch) = &operation.request {
            for touch in dispatch.touches.iter().filter(|touch| touch.writes) {
                let Some(registered) = self.buffers.get_mut(&touch.buffer) else {
                    continue;
                };
                let all = Span::new(0, registered.committed.len());
                registered.committed.spoiled(all);
                // The first cause, however long the chain of those that needed what was lost.
                registered.cause = Some(match &error {
                    Error::Lost { cause, .. } => cause.clone(),
                    other => other.to_string(),
                });
                self.planner
                    .reset(touch.buffer, registered.committed.clone());
            }
        }
        operation.completion.set(Err(error));
    }

    pub(super) fn lost_error(&self, lost: LostInput) -> Error {
        let (buffer, cause) = match self.buffers.get(&lost.buffer) {
            Some(buffer) => (
                format!(
                    "{} ({} of `{}`)",
                    lost.buffer,
                    buffer.committed.len(),
                    buffer.type_name
                ),
                buffer.cause.clone().unwrap_or_default(),
            ),
            None => (lost.buffer.to_string(), String::new()),
        };
        Error::Lost {
            buffer,
            span: lost.span,
            cause,
        }
    }

    /// Ends everything that hasn't begun: the runtime is going.
    pub(crate) fn cancel(&mut self) {
        self.waiting.clear();
        self.engine.clear_queued();
        for operation in std::mem::take(&mut self.operations).into_values() {
            operation.completion.set(Err(Error::Dropped));
        }
    }
}
