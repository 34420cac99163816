//! The state of the queue: what is submitted, planned, running, learned.
//!
//! Moves when something is submitted or a command ends; starts no thread, takes no lock and calls no device, so that
//! every turn of it can be tested.
//!
//! Invariant: `committed` is what the memories hold, counting only commands that have ended; the planner's account is
//! what they will hold once every planned command has.

use super::engine::Engine;
use super::operation::{Completion, Dispatch, Half, Operation, Request, Resolved};
use super::report::{Comparison, DeviceReport, Report};
use crate::buffer::{Coherence, Storage};
use crate::device::{DeviceError, DeviceInfo, Home, Timing};
use crate::error::Error;
use crate::id::{BufferId, CommandId, DeviceId, MemoryId, OperationId};
use crate::kernel::{Access, BindingKind, Combine, Word};
use crate::plan::{Action, Command, LostInput, Placed, Plan, Planner};
use crate::profile::{Key, Profile};
use crate::range::Range;
use crate::span::Span;
use crate::split::{Decider, Estimate, Guided, Prediction, partition};
use crate::system::System;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// What a copy is taken to cost before one was measured.
const BYTES_PER_SECOND: f64 = 4e9;
/// What a submission to a device with a memory of its own is taken to cost before one was measured.
const OVERHEAD_SECONDS: f64 = 50e-6;
/// What giving a chunk to the CPU costs.
const CPU_OVERHEAD_SECONDS: f64 = 10e-6;
/// The least bytes of a copy that says something of the bandwidth.
const BANDWIDTH_SAMPLE_BYTES: u64 = 64 * 1024;

/// A buffer that the queue knows.
#[derive(Debug)]
struct Registered {
    storage: Arc<Storage>,
    element_bytes: u64,
    type_name: &'static str,
    committed: Coherence,
    /// What spoiled elements of it, for the error of whoever needs them.
    cause: Option<String>,
}

#[derive(Debug)]
struct Member {
    info: DeviceInfo,
    /// What its samples go by.
    key: String,
    /// Why it is gone.
    lost: Option<String>,
    /// Buffers whose memory it is to give up.
    frees: Vec<BufferId>,
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
    planner: Planner,
    plan: Plan,
    buffers: HashMap<BufferId, Registered>,
    /// The private copies of each chunk that accumulates, by the chunk's group.
    privates: HashMap<BufferId, Vec<Private>>,
    commands: HashMap<CommandId, Command>,
    operations: BTreeMap<OperationId, Operation>,
    /// Submitted and not planned, in order.
    waiting: VecDeque<OperationId>,
    members: Vec<Member>,
    pub(crate) profile: Profile,
    partitions: HashMap<(u128, Range), Vec<Span>>,
    /// Kernels and devices whose first sample has been thrown away.
    warm: HashSet<(u128, usize)>,
    decider: Decider,
    estimates: Vec<Estimate>,
    recovering: bool,
    next_operation: u64,
    next_buffer: u64,
    /// Kept to be called again without an allocation.
    placed: Vec<Placed>,
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
            warm: HashSet::new(),
            decider: Decider::default(),
            estimates: Vec::new(),
            recovering: false,
            next_operation: 1,
            next_buffer: 1,
            placed: Vec::new(),
        }
    }

    // --- buffers -------------------------------------------------------------------------------------------------

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

    fn free(&mut self, id: BufferId) {
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

    // --- submission ----------------------------------------------------------------------------------------------

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
            .filter(|other| other.guided.is_some());
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
            Ok(Choice::Guided(guided)) => {
                operation.guided = Some(guided);
                Ok(())
            }
        };
        self.placed = placed;
        let is_guided = operation.guided.is_some();
        self.operations.insert(id, operation);
        result?;
        if is_guided {
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

    fn plan_chunks(
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

    fn add_commands(&mut self, plan: &Plan) {
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
        if let (Request::Dispatch(dispatch), Some(guided)) =
            (&operation.request, &mut operation.guided)
            && operation.tallies[device].in_flight == 0
            && self
                .reason_against(dispatch, &operation.dropped, device)
                .is_none()
            && let Some(units) = guided.next(device)
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
        if operation.guided.as_ref().is_some_and(Guided::is_empty) {
            operation.guided = None;
        }
        self.operations.insert(id, operation);
        result
    }

    // --- the choice ----------------------------------------------------------------------------------------------

    /// Why a device can't take part.
    fn reason_against(
        &self,
        dispatch: &Dispatch,
        dropped: &[Option<String>],
        device: usize,
    ) -> Option<String> {
        let lost = self.members[device].lost.as_ref();
        lost.or(dispatch.left_out[device].as_ref())
            .or(dropped[device].as_ref())
            .cloned()
    }

    fn choose(
        &mut self,
        dispatch: &Dispatch,
        operation: &Operation,
        placed: &mut Vec<Placed>,
    ) -> Result<Choice, Error> {
        let devices = self.members.len();
        let able: Vec<bool> = (0..devices)
            .map(|i| {
                self.reason_against(dispatch, &operation.dropped, i)
                    .is_none()
            })
            .collect();
        let no_device = || {
            let reason = |i: usize| self.reason_against(dispatch, &operation.dropped, i);
            let reasons = (0..devices)
                .filter_map(|i| Some(format!("`{}`: {}", self.members[i].info.name, reason(i)?)));
            Error::NoDevice {
                reasons: reasons.collect(),
            }
        };
        let count = able.iter().filter(|able| **able).count();
        if count == 0 {
            return Err(no_device());
        }
        let (extent, grain) = (dispatch.extent(), dispatch.grain());
        let mut alone = |device: usize, note: Option<String>| {
            placed.push(Placed {
                device: DeviceId(device as u32),
                units: Span::new(0, extent),
            });
            Ok(Choice::Chunks {
                prediction: None,
                note,
            })
        };
        if let Resolved::Only(device) = dispatch.policy {
            return if able[device] {
                alone(device, None)
            } else {
                Err(no_device())
            };
        }
        let rates: Vec<Option<f64>> = (0..devices).map(|i| self.rate(dispatch, i)).collect();
        if dispatch.facts.is_divisible()
            && !(operation.done.is_empty() && operation.halves.is_empty())
        {
            if operation.left(extent).is_empty() {
                return Ok(Choice::Chunks {
                    prediction: None,
                    note: None,
                });
            }
            let per_unit = dispatch.per_unit() as f64;
            let rates: Vec<_> = rates
                .iter()
                .map(|rate| rate.map(|rate| rate / per_unit))
                .collect();
            return Ok(Choice::Guided(Guided::new(
                operation.left(extent),
                grain,
                &rates,
            )));
        }
        if !dispatch.facts.is_divisible() || count == 1 {
            let note = (count > 1).then(|| self.why_whole(dispatch));
            let device = match &dispatch.policy {
                Resolved::Fixed(shares) => {
                    let share = |i: &usize| shares.get(*i).copied().unwrap_or(0.0);
                    (0..devices)
                        .filter(|i| able[*i])
                        .max_by(|a, b| share(a).total_cmp(&share(b)).then(b.cmp(a)))
                }
                _ => self.fastest(dispatch, &able, &rates),
            };
            return alone(device.unwrap_or(0), note);
        }
        let mut chunks = Vec::new();
        let mut prediction = None;
        match &dispatch.policy {
            Resolved::Fixed(shares) => {
                let share = |i: usize| {
                    if able[i] {
                        shares.get(i).copied().unwrap_or(0.0)
                    } else {
                        0.0
                    }
                };
                let mut shares: Vec<f64> = (0..devices).map(share).collect();
                if shares.iter().sum::<f64>() <= 0.0 {
                    // All who were to have a share are gone: the others do it evenly.
                    shares = able.iter().map(|able| f64::from(u8::from(*able))).collect();
                }
                partition(extent, grain, &shares, &mut chunks);
            }
            Resolved::Measured if (0..devices).all(|i| !able[i] || rates[i].is_some()) => {
                prediction = Some(self.decide(dispatch, &able, &rates, &mut chunks));
            }
            _ => {
                let per_unit = dispatch.per_unit() as f64;
                let rates: Vec<_> = rates
                    .iter()
                    .map(|rate| rate.map(|rate| rate / per_unit))
                    .collect();
                return Ok(Choice::Guided(Guided::new(
                    vec![Span::new(0, extent)],
                    grain,
                    &rates,
                )));
            }
        }
        let place = |(i, units): (usize, &Span)| Placed {
            device: DeviceId(i as u32),
            units: *units,
        };
        placed.extend(chunks.iter().enumerate().map(place));
        Ok(Choice::Chunks {
            prediction,
            note: None,
        })
    }

    /// The partition of a kernel whose rates are known on every device.
    fn decide(
        &mut self,
        dispatch: &Dispatch,
        able: &[bool],
        rates: &[Option<f64>],
        chunks: &mut Vec<Span>,
    ) -> Prediction {
        let per_unit = dispatch.per_unit() as f64;
        self.estimates.clear();
        for (i, member) in self.members.iter().enumerate() {
            let overhead = match member.info.home {
                Home::Host => CPU_OVERHEAD_SECONDS,
                Home::Own => self
                    .profile
                    .overhead(&member.key)
                    .unwrap_or(OVERHEAD_SECONDS),
            };
            self.estimates.push(Estimate {
                units_per_second: if able[i] {
                    rates[i].unwrap_or(0.0) / per_unit
                } else {
                    0.0
                },
                overhead_seconds: overhead,
                bytes_per_second: self
                    .profile
                    .bandwidth(&member.key)
                    .unwrap_or(BYTES_PER_SECOND),
            });
        }
        let place = (dispatch.facts.key, dispatch.chunk.range);
        *chunks = self.partitions.remove(&place).unwrap_or_default();
        let (planner, buffers) = (&self.planner, &self.buffers);
        let mut missing_bytes = |device: usize, units: Span| {
            let mut bytes = 0;
            let chunk = Placed {
                device: DeviceId(device as u32),
                units,
            };
            planner.count_missing(
                dispatch.extent(),
                &dispatch.touches,
                chunk,
                |touch, elements| {
                    bytes += elements
                        * buffers
                            .get(&touch.buffer)
                            .map_or(0, |buffer| buffer.element_bytes);
                },
            );
            bytes
        };
        let (extent, grain) = (dispatch.extent(), dispatch.grain());
        let prediction =
            self.decider
                .decide(extent, grain, &self.estimates, &mut missing_bytes, chunks);
        self.partitions.insert(place, chunks.clone());
        prediction
    }

    /// The device that is expected to do the whole soonest; one that was never measured first, to learn its rate.
    fn fastest(&self, dispatch: &Dispatch, able: &[bool], rates: &[Option<f64>]) -> Option<usize> {
        let candidates = || (0..self.members.len()).filter(|i| able[*i]);
        let seconds = |i: usize| {
            let chunk = Placed {
                device: DeviceId(i as u32),
                units: dispatch.chunk.units,
            };
            let mut bytes = 0;
            self.planner.count_missing(
                dispatch.extent(),
                &dispatch.touches,
                chunk,
                |touch, elements| {
                    bytes += elements
                        * self
                            .buffers
                            .get(&touch.buffer)
                            .map_or(0, |buffer| buffer.element_bytes);
                },
            );
            let bandwidth = self
                .profile
                .bandwidth(&self.members[i].key)
                .unwrap_or(BYTES_PER_SECOND);
            dispatch.chunk.invocations() as f64 / rates[i].unwrap_or(1.0) + bytes as f64 / bandwidth
        };
        candidates()
            .find(|i| rates[*i].is_none())
            .or_else(|| candidates().min_by(|a, b| seconds(*a).total_cmp(&seconds(*b))))
    }

    fn why_whole(&self, dispatch: &Dispatch) -> String {
        let facts = &dispatch.facts;
        let undeclared = facts
            .bindings
            .iter()
            .zip(&facts.patterns)
            .find(|(binding, pattern)| {
                pattern.is_none() && matches!(binding.kind, BindingKind::Storage(_))
            });
        let name = undeclared.map_or("", |(binding, _)| binding.name.as_str());
        format!(
            "not split: `{name}` is written and nothing says where; declare it with `.access(\"{name}\", ...)`"
        )
    }

    fn key(&self, dispatch: &Dispatch, device: usize) -> Key {
        Key {
            kernel: dispatch.facts.key,
            device: self.members[device].key.clone(),
            size_class: Key::size_class_of(dispatch.chunk.invocations()),
        }
    }

    fn rate(&self, dispatch: &Dispatch, device: usize) -> Option<f64> {
        self.profile.rate(&self.key(dispatch, device))
    }

    // --- commands ------------------------------------------------------------------------------------------------

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
    fn settle(&mut self) {
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
                    self.commit_writes(&operation, DeviceId(device as u32), units);
                }
                if self.members[device].info.home == Home::Own {
                    self.profile
                        .add_overhead(&self.members[device].key, timing.overhead_seconds);
                }
                let tally = &mut operation.tallies[device];
                tally.chunks += 1;
                tally.units += units.len();
                tally.seconds += timing.seconds;
                tally.in_flight -= 1;
                if tally.chunks == 1 {
                    tally.first = (units.len(), timing.seconds);
                }
                if let Some(guided) = &mut operation.guided {
                    guided.completed(device, units.len(), timing.seconds);
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
                self.commit_writes(&operation, command.device.unwrap_or(DeviceId(0)), units);
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

    /// What a chunk wrote in its device's memory is the newest now. What it accumulated in private copies isn't there.
    fn commit_writes(&mut self, operation: &Operation, device: DeviceId, units: Span) {
        let Request::Dispatch(dispatch) = &operation.request else {
            return;
        };
        let memory = self.planner.system().memory(device);
        let is_split = operation
            .halves
            .iter()
            .any(|half| half.chunk.device == device && half.chunk.units == units);
        for touch in dispatch.touches.iter().filter(|touch| touch.writes) {
            let accumulates = matches!(touch.access, Some(Access::Accumulate(_)));
            if let Some(registered) = self.buffers.get_mut(&touch.buffer)
                && !(is_split && accumulates)
            {
                let span = elements(
                    touch.access,
                    units,
                    dispatch.extent(),
                    registered.committed.len(),
                );
                registered.committed.written(memory, span);
            }
        }
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

    // --- failure and recovery ------------------------------------------------------------------------------------

    fn failed(&mut self, command: &Command, error: &DeviceError) {
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
            for touch in dispatch.touches.iter().filter(|touch| touch.writes) {
                let accumulates = matches!(touch.access, Some(Access::Accumulate(_)));
                if let Some(registered) = self.buffers.get_mut(&touch.buffer)
                    && !(group.is_some() && accumulates)
                {
                    let span = elements(
                        touch.access,
                        units,
                        dispatch.extent(),
                        registered.committed.len(),
                    );
                    registered.committed.dirtied(memory, span);
                    registered.cause.get_or_insert_with(|| cause.clone());
                }
            }
        }
    }

    /// Plans everything that hasn't ended anew, from what the memories really hold. Nothing is running.
    fn recover(&mut self) {
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
            operation.guided = None;
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
    fn fail(&mut self, id: OperationId, error: Error) {
        let Some(mut operation) = self.operations.remove(&id) else {
            return;
        };
        operation.guided = None;
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
                registered.cause = Some(error.to_string());
                self.planner
                    .reset(touch.buffer, registered.committed.clone());
            }
        }
        operation.completion.set(Err(error));
    }

    fn lost_error(&self, lost: LostInput) -> Error {
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

    // --- host accesses -------------------------------------------------------------------------------------------

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

    // --- completion ----------------------------------------------------------------------------------------------

    fn finish_if_done(&mut self, id: OperationId) {
        let is_done = self.operations.get(&id).is_some_and(|operation| {
            operation.unfinished == 0 && operation.guided.is_none() && !self.waiting.contains(&id)
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
        operation.completion.set(Ok(report));
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
            if units > 0 && seconds > 0.0 {
                let key = self.key(dispatch, i);
                self.profile
                    .add_rate(&key, (units * per_unit) as f64 / seconds);
            }
        }
        let mut report = self.tallied(operation, per_unit);
        report.entry.clone_from(&dispatch.facts.entry);
        report.range = dispatch.chunk.range.to_string();
        for (i, device) in report.devices.iter_mut().enumerate() {
            device.left_out = self.reason_against(dispatch, &operation.dropped, i);
        }
        let rates: Vec<f64> = (0..self.members.len())
            .filter(|i| report.devices[*i].left_out.is_none())
            .filter_map(|i| self.rate(dispatch, i))
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

/// What was chosen for a dispatch.
enum Choice {
    /// These chunks, and no more.
    Chunks {
        prediction: Option<Prediction>,
        note: Option<String>,
    },
    /// Chunks as devices ask for them.
    Guided(Guided),
}

fn elements(access: Option<Access>, units: Span, extent: u64, len: u64) -> Span {
    let all = Span::new(0, len);
    access.map_or(all, |access| {
        access.elements(units, extent, len).unwrap_or(all)
    })
}
