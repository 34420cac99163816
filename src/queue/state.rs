//! The state of the queue: what is submitted, planned, running, learned.
//!
//! Moves when something is submitted or a command ends; starts no thread, takes no lock and calls no device, so that
//! every turn of it can be tested.
//!
//! Invariant: `committed` is what the memories hold, counting only commands that have ended; the planner's account is
//! what they will hold once every planned command has.

use super::clock::Clock;
use super::engine::Engine;
use super::habit::Habit;
use super::operation::{Completion, Dispatch, Operation, Request};
use crate::buffer::{Coherence, Storage};
use crate::device::{DeviceError, DeviceInfo, Home, Timing};
use crate::id::{BufferId, CommandId, DeviceId, IdMap, OperationId};
use crate::kernel::{Combine, Word};
use crate::plan::{Command, Placed, Plan, Planner};
use crate::profile::{Key, Profile};
use crate::range::Range;
use crate::span::Span;
use crate::split::{Decider, Estimate};
use crate::system::System;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How long a run may be predicted to take unless something else is asked for. Windows ends those of two seconds.
pub(crate) const LONGEST_RUN_SECONDS: f64 = 0.5;

/// A buffer that the queue knows.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) storage: Arc<Storage>,
    pub(super) element_bytes: u64,
    pub(super) type_name: &'static str,
    pub(super) committed: Coherence,
    /// Which devices have used memory of theirs for it.
    pub(super) in_use: Vec<bool>,
    /// What spoiled elements of it, for the error of whoever needs them.
    pub(super) cause: Option<String>,
}

/// What is known of a device for one dispatch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Whether it can take part.
    pub(super) is_able: bool,
    /// Invocations per second, if it was measured.
    pub(super) rate: Option<f64>,
    /// How many samples that goes by.
    pub(super) samples: usize,
    pub(super) estimate: Estimate,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) info: DeviceInfo,
    /// Its name, for reports.
    pub(super) name: Arc<str>,
    /// What its samples go by.
    pub(super) key: String,
    /// Why it is gone.
    pub(super) lost: Option<String>,
    /// Buffers whose memory it is to give up.
    pub(super) frees: Vec<BufferId>,
    /// When its last command ended, by the queue's clock: the next in its stream begins no sooner.
    free_since: f64,
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
    pub(crate) clock: Clock,
    pub(crate) engine: Engine,
    pub(super) planner: Planner,
    pub(super) plan: Plan,
    pub(super) buffers: IdMap<BufferId, Registered>,
    /// The private copies of each chunk that accumulates, by the chunk's group.
    pub(super) privates: IdMap<BufferId, Vec<Private>>,
    pub(super) commands: IdMap<CommandId, Command>,
    /// When each command that is under way was handed out.
    handed_out: IdMap<CommandId, f64>,
    pub(super) operations: BTreeMap<OperationId, Box<Operation>>,
    /// Submitted and not planned, in order.
    pub(super) waiting: VecDeque<OperationId>,
    pub(super) members: Vec<Member>,
    pub(crate) profile: Profile,
    pub(super) habits: FxHashMap<(u128, Range), Habit>,
    /// How long a run on a device with a memory of its own may be predicted to take: drivers end runs that take too long.
    pub(crate) longest_run_seconds: f64,
    /// Kernels and devices whose first sample has been thrown away.
    pub(super) warm: FxHashSet<(u128, usize)>,
    /// Kernels of a size and devices that have been measured here: what is known of others is of another time.
    pub(super) seen: FxHashSet<(Key, usize)>,
    pub(super) decider: Decider,
    pub(super) estimates: Vec<Known>,
    pub(super) whole_missing: Vec<u64>,
    /// For each device, seconds that any chunk takes besides; empty where none takes any.
    pub(super) standing: Vec<f64>,
    pub(super) alone: Vec<f64>,
    pub(super) recovering: bool,
    pub(super) next_operation: u64,
    pub(super) next_buffer: u64,
    /// Kept to be called again without an allocation.
    pub(super) placed: Vec<Placed>,
    pub(super) chunks: Vec<Span>,
}

impl State {
    pub(crate) fn new(infos: &[&DeviceInfo], profile: Profile, clock: Clock) -> Self {
        let homes: Vec<bool> = infos.iter().map(|info| info.home == Home::Host).collect();
        let member = |info: &&DeviceInfo| Member {
            info: (*info).clone(),
            name: info.name.as_str().into(),
            key: info.key(),
            lost: None,
            frees: Vec::new(),
            free_since: 0.0,
        };
        Self {
            clock,
            engine: Engine::new(infos.len()),
            planner: Planner::new(System::new(&homes)),
            plan: Plan::default(),
            buffers: IdMap::default(),
            privates: IdMap::default(),
            commands: IdMap::default(),
            handed_out: IdMap::default(),
            operations: BTreeMap::new(),
            waiting: VecDeque::new(),
            members: infos.iter().map(member).collect(),
            profile,
            habits: FxHashMap::default(),
            longest_run_seconds: LONGEST_RUN_SECONDS,
            warm: FxHashSet::default(),
            seen: FxHashSet::default(),
            decider: Decider::default(),
            estimates: Vec::new(),
            whole_missing: Vec::new(),
            standing: Vec::new(),
            alone: Vec::new(),
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
            in_use: vec![false; self.members.len()],
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
        self.operations.insert(id, Box::new(operation));
        self.waiting.push_back(id);
        self.settle();
        (id, completion)
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

    /// A command was handed to who does it. A device may be at those before it for long.
    pub(crate) fn begun(&mut self, id: CommandId) {
        self.handed_out.insert(id, self.clock.seconds());
    }

    /// A command has ended.
    pub(crate) fn ended(&mut self, id: CommandId, result: Result<Timing, DeviceError>) {
        let handed_out = self.handed_out.remove(&id);
        let Some(command) = self.commands.remove(&id) else {
            return;
        };
        if let Some(handed_out) = handed_out {
            self.date(&command, handed_out);
        }
        match result {
            Ok(timing) => {
                self.engine.complete(id);
                self.commit(&command, timing);
            }
            // It has been done; who waits for it is told what was found.
            Err(DeviceError::Checked(findings)) => {
                self.engine.complete(id);
                if let Some(operation) = self.operations.get_mut(&command.operation) {
                    operation.findings = Some(findings);
                }
                self.commit(&command, Timing::default());
            }
            Err(error) => {
                self.engine.fail(id);
                self.failed(&command, &error);
            }
        }
        self.settle();
    }

    /// Notes when a command that has ended began, as that of its operation if none began before.
    fn date(&mut self, command: &Command, handed_out: f64) {
        let mut began = handed_out;
        if let Some(device) = command.device {
            let free_since = &mut self.members[device.0 as usize].free_since;
            began = began.max(*free_since);
            *free_since = self.clock.seconds();
        }
        if let Some(operation) = self.operations.get_mut(&command.operation) {
            operation.started = Some(operation.started.map_or(began, |first| first.min(began)));
        }
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
