//! From submitted operations to commands.
//!
//! Plans in the order of submission, as soon as it is known where the newest elements will be; who gets what is the affair
//! of `choice`, which copies that takes the planner's.
//!
//! Invariant: nothing is planned on top of a dispatch whose chunks aren't all planned.

use super::choice::Choice;
use super::operation::{Dispatch, Half, Request};
use super::state::{Private, State};
use crate::buffer::Storage;
use crate::error::Error;
use crate::id::{DeviceId, OperationId};
use crate::plan::{Action, Placed, Plan};
use crate::split::Handout;
use smallvec::SmallVec;
use std::sync::Arc;

impl State {
    /// Plans what can be planned, in the order of submission.
    pub(super) fn advance(&mut self) {
        while let Some(id) = self.waiting.front().copied() {
            if self.recovering || self.waits_for_chunks(id) {
                return;
            }
            self.waiting.pop_front();
            if let Err(error) = self.plan_operation(id) {
                self.fail(id, error);
            }
            self.finish_if_done(id);
        }
    }

    /// Whether a dispatch whose chunks aren't all planned touches a buffer of the operation: where that will leave the
    /// newest elements isn't known yet.
    fn waits_for_chunks(&self, id: OperationId) -> bool {
        let Some(operation) = self.operations.get(&id) else {
            return false;
        };
        let mut unplanned = self
            .operations
            .values()
            .filter(|other| other.handout.is_some());
        unplanned.any(|other| match &other.request {
            Request::Dispatch(dispatch) => dispatch
                .touches
                .iter()
                .any(|touch| operation.request.touches(touch.buffer)),
            _ => false,
        })
    }

    fn plan_operation(&mut self, id: OperationId) -> Result<(), Error> {
        let Some(operation) = self.operations.get(&id) else {
            return Ok(());
        };
        let (buffer, span, writes) = match &operation.request {
            Request::Dispatch(_) => return self.plan_dispatch(id),
            Request::Read(hold, span) => (hold.storage.id(), *span, false),
            Request::Write(hold, span) => (hold.storage.id(), *span, true),
        };
        let mut plan = std::mem::take(&mut self.plan);
        plan.clear();
        let engine = &self.engine;
        let is_unfinished = |command| engine.is_unfinished(command);
        let planned = if writes {
            self.planner
                .host_write(id, buffer, span, &is_unfinished, &mut plan);
            Ok(())
        } else {
            self.planner
                .host_read(id, buffer, span, &is_unfinished, &mut plan)
        };
        let access = plan.commands().last().map(|command| command.id);
        self.enqueue(id, &plan);
        self.plan = plan;
        if let Some(operation) = self.operations.get_mut(&id) {
            operation.access = access;
        }
        planned.map_err(|lost| self.lost_error(lost))
    }

    /// Decides who gets what of a dispatch, and plans it.
    fn plan_dispatch(&mut self, id: OperationId) -> Result<(), Error> {
        let Some(mut operation) = self.operations.remove(&id) else {
            return Ok(());
        };
        let Request::Dispatch(dispatch) = &operation.request else {
            return Ok(());
        };
        match self.plan_halves(id, dispatch, &operation.halves) {
            Ok(count) => operation.unfinished += count,
            Err(error) => {
                self.operations.insert(id, operation);
                return Err(error);
            }
        }
        let mut placed = std::mem::take(&mut self.placed);
        placed.clear();
        let choice = self.choose(dispatch, &operation, &mut placed);
        let is_one = |pair: &[Placed]| pair[0].device == pair[1].device;
        operation.is_cut = placed.windows(2).any(is_one);
        let result = match choice {
            Err(error) => Err(error),
            Ok(Choice::Chunks { prediction, note }) => {
                operation.prediction = prediction;
                operation.notes.extend(note);
                let whole = operation.done.is_empty() && operation.halves.is_empty();
                let planned = self.plan_chunks(id, dispatch, &placed, whole);
                for chunk in placed.iter().filter(|chunk| !chunk.units.is_empty()) {
                    operation.tallies[chunk.device.0 as usize].in_flight += 1;
                }
                match planned {
                    Ok(count) => {
                        operation.unfinished += count;
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
            Ok(Choice::Handout {
                handout,
                prediction,
            }) => {
                operation.prediction = prediction;
                operation.handout = Some(handout);
                Ok(())
            }
        };
        self.placed = placed;
        let is_handed_out = operation.handout.is_some();
        self.operations.insert(id, operation);
        result?;
        if is_handed_out {
            // Where there aren't enough grains for all, those of whose speed the least is known show it.
            let mut order: SmallVec<[usize; 8]> = (0..self.members.len()).collect();
            order.sort_by_key(|device| self.estimates[*device].samples);
            for device in order {
                self.feed(id, device)?;
            }
        }
        Ok(())
    }

    /// Plans what is left to do of chunks that have run before everything was planned anew.
    fn plan_halves(
        &mut self,
        id: OperationId,
        dispatch: &Dispatch,
        halves: &[Half],
    ) -> Result<usize, Error> {
        let mut count = 0;
        for half in halves {
            let mut plan = std::mem::take(&mut self.plan);
            plan.clear();
            let engine = &self.engine;
            let is_unfinished = |command| engine.is_unfinished(command);
            let (extent, touches) = (dispatch.extent(), &dispatch.touches);
            let planned = self.planner.accumulate(
                id,
                extent,
                touches,
                half.chunk,
                half.group,
                &is_unfinished,
                &mut plan,
            );
            self.add_commands(&plan);
            count += plan.commands().len();
            self.plan = plan;
            planned.map_err(|lost| self.lost_error(lost))?;
        }
        Ok(count)
    }

    pub(super) fn plan_chunks(
        &mut self,
        id: OperationId,
        dispatch: &Dispatch,
        chunks: &[Placed],
        whole: bool,
    ) -> Result<usize, Error> {
        let mut plan = std::mem::take(&mut self.plan);
        plan.clear();
        let engine = &self.engine;
        let is_unfinished = |command| engine.is_unfinished(command);
        let planned = self.planner.dispatch(
            id,
            dispatch.extent(),
            &dispatch.touches,
            chunks,
            whole,
            &is_unfinished,
            &mut plan,
        );
        if planned.is_ok() {
            self.add_commands(&plan);
        }
        let count = plan.commands().len();
        self.plan = plan;
        planned
            .map(|()| count)
            .map_err(|lost| self.lost_error(lost))
    }

    fn enqueue(&mut self, id: OperationId, plan: &Plan) {
        self.add_commands(plan);
        if let Some(operation) = self.operations.get_mut(&id) {
            operation.unfinished += plan.commands().len();
        }
    }

    pub(super) fn add_commands(&mut self, plan: &Plan) {
        for command in plan.commands() {
            if let Action::Fill {
                private,
                group,
                of,
                combine,
                word,
            } = command.action
            {
                let bytes = self
                    .buffers
                    .get(&of)
                    .map_or(0, |buffer| buffer.storage.bytes());
                let storage = Arc::new(Storage::new(private, bytes));
                self.privates.entry(group).or_default().push(Private {
                    storage,
                    of,
                    combine,
                    word,
                });
            }
            self.engine
                .add(command.id, command.device, plan.depends_on(command));
            self.commands.insert(command.id, *command);
        }
    }

    /// Gives a device its next chunk of a dispatch that is handed out in chunks, if it has none.
    pub(super) fn feed(&mut self, id: OperationId, device: usize) -> Result<(), Error> {
        let Some(mut operation) = self.operations.remove(&id) else {
            return Ok(());
        };
        let mut result = Ok(());
        if let (Request::Dispatch(dispatch), Some(handout)) =
            (&operation.request, &mut operation.handout)
            && operation.tallies[device].in_flight == 0
            && self
                .reason_against(dispatch, &operation.dropped, device)
                .is_none()
            && let Some(units) = handout.next(device)
        {
            let chunk = [Placed {
                device: DeviceId(device as u32),
                units,
            }];
            match self.plan_chunks(id, dispatch, &chunk, false) {
                Ok(count) => {
                    operation.unfinished += count;
                    operation.tallies[device].in_flight += 1;
                }
                Err(error) => result = Err(error),
            }
        }
        if operation.handout.as_ref().is_some_and(Handout::is_empty) {
            operation.handout = None;
        }
        self.operations.insert(id, operation);
        result
    }
}
