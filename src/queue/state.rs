//! The state of the queue: what is submitted, planned, running, learned.
//!
//! Moves when something is submitted or a command ends; starts no thread, takes no lock and calls no device, so that
//! every turn of it can be tested.
//!
//! Invariant: `committed` is what the memories hold, counting only commands that have ended; the planner's account is
//! what they will hold once every planned command has.

use super::choice::{Choice, Known};
use super::engine::Engine;
use super::operation::{Completion, Dispatch, Half, Operation, Request};
use super::trial::Trial;
use crate::buffer::{Coherence, Storage};
use crate::device::{DeviceError, DeviceInfo, Home, Timing};
use crate::error::Error;
use crate::id::{BufferId, CommandId, DeviceId, MemoryId, OperationId};
use crate::kernel::{Access, Combine, Word};
use crate::plan::{Action, Command, Placed, Plan, Planner};
use crate::profile::Profile;
use crate::range::Range;
use crate::span::Span;
use crate::split::{Decider, Handout};
use crate::system::System;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// The least bytes of a copy that says something of the bandwidth.
const BANDWIDTH_SAMPLE_BYTES: u64 = 64 * 1024;

/// A buffer that the queue knows.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) storage: Arc<Storage>,
    pub(super) element_bytes: u64,
    pub(super) type_name: &'static str,
    pub(super) committed: Coherence,
    /// What spoiled elements of it, for the error of whoever needs them.
    pub(super) cause: Option<String>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) info: DeviceInfo,
    /// What its samples go by.
    pub(super) key: String,
    /// Why it is gone.
    pub(super) lost: Option<String>,
    /// Buffers whose memory it is to give up.
    pub(super) frees: Vec<BufferId>,
}

/// A private copy that a chunk accumulates in.
#[derive(Clone, Debug)]
pub(crate) struct Private {
    pub(crate) storage: Arc<Storage>,
    /// The buffer that it is combined into.
    pub(crate) of: BufferId,
    pub(crate) combine: Combine,
    pub(crate) word: Word,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(super) planner: Planner,
    pub(super) plan: Plan,
    pub(super) buffers: HashMap<BufferId, Registered>,
    /// The private copies of each chunk that accumulates, by the chunk's group.
    pub(super) privates: HashMap<BufferId, Vec<Private>>,
    pub(super) commands: HashMap<CommandId, Command>,
    pub(super) operations: BTreeMap<OperationId, Operation>,
    /// Submitted and not planned, in order.
    pub(super) waiting: VecDeque<OperationId>,
    pub(super) members: Vec<Member>,
    pub(crate) profile: Profile,
    pub(super) partitions: HashMap<(u128, Range), Vec<Span>>,
    pub(super) trials: HashMap<(u128, Range), Trial>,
    /// Kernels and devices whose first sample has been thrown away.
    pub(super) warm: HashSet<(u128, usize)>,
    pub(super) decider: Decider,
    pub(super) estimates: Vec<Known>,
    pub(super) recovering: bool,
    pub(super) next_operation: u64,
    pub(super) next_buffer: u64,
    /// Kept to be called again without an allocation.
    pub(super) placed: Vec<Placed>,
    pub(super) chunks: Vec<Span>,
}

impl State {
    pub(crate) fn new(infos: &[&DeviceInfo], profile: Profile) -> Self {
        let homes: Vec<bool> = infos.iter().map(|info| info.home == Home::Host).collect();
        let member = |info: &&DeviceInfo| Member {
            info: (*info).clone(),
            key: format!("{} ({})", info.name, info.detail),
            lost: None,
            frees: Vec::new(),
        };
        Self {
            engine: Engine::new(infos.len()),
            planner: Planner::new(System::new(&homes)),
            plan: Plan::default(),
            buffers: HashMap::new(),
            privates: HashMap::new(),
            commands: HashMap::new(),
            operations: BTreeMap::new(),
            waiting: VecDeque::new(),
            members: infos.iter().map(member).collect(),
            profile,
            partitions: HashMap::new(),
            trials: HashMap::new(),
            warm: HashSet::new(),
            decider: Decider::default(),
            estimates: Vec::new(),
            recovering: false,
            next_operation: 1,
            next_buffer: 1,
            placed: Vec::new(),
            chunks: Vec::new(),
        }
    }

    /// Registers a buffer of zeros.
    pub(crate) fn add_buffer(
        &mut self,
        len: u64,
        element_bytes: u64,
        type_name: &'static str,
    ) -> Arc<Storage> {
        let id = BufferId(self.next_buffer);
        self.next_buffer += 1;
        let storage = Arc::new(Storage::new(id, len * element_bytes));
        self.planner.add(id, len);
        let committed = Coherence::fresh(len);
        let registered = Registered {
            storage: storage.clone(),
            element_bytes,
            type_name,
            committed,
            cause: None,
        };
        self.buffers.insert(id, registered);
        storage
    }

    /// Forgets buffers that nobody holds; no operation touches them any more, since operations hold theirs.
    pub(crate) fn forget(&mut self, abandoned: &mut Vec<BufferId>) {
        for id in abandoned.drain(..) {
            self.buffers.remove(&id);
            self.planner.remove(id);
            self.free(id);
        }
    }

    pub(super) fn free(&mut self, id: BufferId) {
        for member in self
            .members
            .iter_mut()
            .filter(|member| member.info.home == Home::Own && member.lost.is_none())
        {
            member.frees.push(id);
        }
    }

    /// Buffers whose memory a device is to give up now.
    pub(crate) fn take_frees(&mut self, device: DeviceId) -> Vec<BufferId> {
        std::mem::take(&mut self.members[device.0 as usize].frees)
    }

    /// Whether a device has something to do.
    pub(crate) fn has_work(&self, device: DeviceId) -> bool {
        self.engine.is_ready(device) || !self.members[device.0 as usize].frees.is_empty()
    }

    pub(crate) fn submit(&mut self, request: Request) -> (OperationId, Arc<Completion>) {
        let id = OperationId(self.next_operation);
        self.next_operation += 1;
        let operation = Operation::new(request, self.members.len());
        let completion = operation.completion.clone();
        self.operations.insert(id, operation);
        self.waiting.push_back(id);
        self.settle();
        (id, completion)
    }

    /// Plans what can be planned, in the order of submission.
    fn advance(&mut self) {
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
            for device in 0..self.members.len() {
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
    fn feed(&mut self, id: OperationId, device: usize) -> Result<(), Error> {
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

    /// The commands that a device may do now, in order.
    pub(crate) fn take_ready(&mut self, device: DeviceId, ready: &mut Vec<CommandId>) {
        if !self.recovering {
            self.engine.take_ready(device, ready);
        }
    }

    pub(crate) fn command(&self, id: CommandId) -> &Command {
        &self.commands[&id]
    }

    /// The memory of a buffer, and the bytes of its elements.
    pub(crate) fn storage(&self, id: BufferId) -> (Arc<Storage>, u64) {
        let buffer = &self.buffers[&id];
        (buffer.storage.clone(), buffer.element_bytes)
    }

    /// The private copies of a chunk.
    pub(crate) fn privates(&self, group: BufferId) -> &[Private] {
        &self.privates[&group]
    }

    /// The dispatch that a command is part of.
    pub(crate) fn dispatch(&self, command: &Command) -> Option<&Dispatch> {
        match &self.operations.get(&command.operation)?.request {
            Request::Dispatch(dispatch) => Some(dispatch),
            _ => None,
        }
    }

    /// A command has begun.
    pub(crate) fn begun(&mut self, id: CommandId) {
        let operation = self.commands[&id].operation;
        if let Some(operation) = self.operations.get_mut(&operation) {
            operation.started.get_or_insert_with(Instant::now);
        }
    }

    /// A command has ended.
    pub(crate) fn ended(&mut self, id: CommandId, result: Result<Timing, DeviceError>) {
        let Some(command) = self.commands.remove(&id) else {
            return;
        };
        match result {
            Ok(timing) => {
                self.engine.complete(id);
                self.commit(&command, timing);
            }
            Err(error) => {
                self.engine.fail(id);
                self.failed(&command, &error);
            }
        }
        self.settle();
    }

    /// Recovers, if that is due and nothing is running, and plans what can be planned.
    pub(super) fn settle(&mut self) {
        loop {
            if self.recovering && self.engine.in_flight() == 0 {
                self.recover();
            }
            self.advance();
            // Planning may have met lost elements in the middle of a dispatch.
            if !(self.recovering && self.engine.in_flight() == 0) {
                return;
            }
        }
    }

    fn commit(&mut self, command: &Command, timing: Timing) {
        let Some(mut operation) = self.operations.remove(&command.operation) else {
            return;
        };
        operation.unfinished -= 1;
        let mut fed = None;
        match command.action {
            Action::Copy {
                buffer,
                from,
                to,
                span,
            } => {
                if let Some(registered) = self.buffers.get_mut(&buffer) {
                    registered.committed.copied(to, span);
                    let bytes = span.len() * registered.element_bytes;
                    self.count_copy(&mut operation, command, from, bytes, timing);
                }
            }
            Action::Run { units, group } => {
                let device = command.device.map_or(0, |device| device.0 as usize);
                if group.is_none() {
                    let device = DeviceId(device as u32);
                    self.commit_writes(&operation, device, units, Accumulated::InPlace);
                }
                if self.members[device].info.home == Home::Own && !timing.is_estimate {
                    self.profile
                        .add_overhead(&self.members[device].key, timing.overhead_seconds);
                }
                let tally = &mut operation.tallies[device];
                tally.chunks += 1;
                tally.units += units.len();
                tally.seconds += timing.seconds;
                tally.is_estimate |= timing.is_estimate;
                tally.in_flight -= 1;
                if tally.chunks == 1 {
                    tally.first = (units.len(), timing.seconds);
                }
                if let Some(handout) = &mut operation.handout {
                    handout.completed(device, units.len(), timing.seconds);
                    fed = Some(device);
                }
                match group {
                    None => operation.done.push(units),
                    // A chunk that accumulates is done once its private copies are combined.
                    Some(group) => {
                        let chunk = Placed {
                            device: DeviceId(device as u32),
                            units,
                        };
                        operation.halves.push(Half { chunk, group });
                    }
                }
            }
            Action::Accumulate { group, units } => {
                let device = command.device.unwrap_or(DeviceId(0));
                self.commit_writes(&operation, device, units, Accumulated::InPrivate);
                for private in self.privates.remove(&group).unwrap_or_default() {
                    self.free(private.storage.id());
                    if let Some(registered) = self.buffers.get_mut(&private.of) {
                        let all = Span::new(0, registered.committed.len());
                        registered.committed.written(MemoryId::HOST, all);
                    }
                }
                operation.halves.retain(|half| half.group != group);
                operation.done.push(units);
            }
            Action::HostWrite { buffer, span } => {
                if let Some(registered) = self.buffers.get_mut(&buffer) {
                    registered.committed.written(MemoryId::HOST, span);
                }
            }
            Action::HostRead { .. } | Action::Fill { .. } => {}
        }
        self.operations.insert(command.operation, operation);
        if let Some(device) = fed
            && !self.recovering
            && let Err(error) = self.feed(command.operation, device)
        {
            self.fail(command.operation, error);
        }
        self.finish_if_done(command.operation);
    }

    /// What a chunk wrote in its device's memory is the newest now.
    fn commit_writes(
        &mut self,
        operation: &Operation,
        device: DeviceId,
        units: Span,
        accumulated: Accumulated,
    ) {
        let Request::Dispatch(dispatch) = &operation.request else {
            return;
        };
        let memory = self.planner.system().memory(device);
        for_written(
            &mut self.buffers,
            dispatch,
            units,
            accumulated,
            |buffer, span| {
                buffer.committed.written(memory, span);
            },
        );
    }

    fn count_copy(
        &mut self,
        operation: &mut Operation,
        command: &Command,
        from: MemoryId,
        bytes: u64,
        timing: Timing,
    ) {
        let Some(device) = command.device.map(|device| device.0 as usize) else {
            return;
        };
        let tally = &mut operation.tallies[device];
        if from == MemoryId::HOST {
            tally.bytes_to_device += bytes;
        } else {
            tally.bytes_from_device += bytes;
        }
        if bytes >= BANDWIDTH_SAMPLE_BYTES && timing.seconds > 0.0 {
            self.profile
                .add_bandwidth(&self.members[device].key, bytes as f64 / timing.seconds);
        }
    }

    /// Begins the host's own access if everything it waits for has ended.
    pub(crate) fn start_access(&mut self, id: OperationId) -> Option<CommandId> {
        if self.recovering {
            return None;
        }
        let command = self.operations.get(&id)?.access?;
        self.engine.start(command).then(|| {
            self.begun(command);
            command
        })
    }
}

/// Where a chunk has put what it accumulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accumulated {
    InPlace,
    InPrivate,
}

/// Calls `act` with every buffer that a chunk writes and the elements that it writes there. What it accumulates in private
/// copies isn't in the buffer.
pub(super) fn for_written(
    buffers: &mut HashMap<BufferId, Registered>,
    dispatch: &Dispatch,
    units: Span,
    accumulated: Accumulated,
    mut act: impl FnMut(&mut Registered, Span),
) {
    for touch in dispatch.touches.iter().filter(|touch| touch.writes) {
        let accumulates = matches!(touch.access, Some(Access::Accumulate(_)));
        if let Some(buffer) = buffers.get_mut(&touch.buffer)
            && !(accumulates && accumulated == Accumulated::InPrivate)
        {
            let len = buffer.committed.len();
            act(
                buffer,
                elements(touch.access, units, dispatch.extent(), len),
            );
        }
    }
}

/// The elements of a buffer that a chunk touches.
pub(super) fn elements(access: Option<Access>, units: Span, extent: u64, len: u64) -> Span {
    let all = Span::new(0, len);
    access.map_or(all, |access| {
        access.elements(units, extent, len).unwrap_or(all)
    })
}
