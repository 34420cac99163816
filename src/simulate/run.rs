//! The loop that plays devices and clock to the queue's state.
//!
//! Takes what is ready, says when it has ended, in the order of virtual time; who gets what is decided by the state, as it
//! is for devices that exist.
//!
//! Invariant: the clock goes from one end of a command to the next, and at every end the state is told of what ended then.

use super::machine::Random;
use super::oracle::{alone, best_split};
use super::outcome::{Dispatched, Simulated};
use super::stream::Stream;
use super::{Load, Machine, Program, Step, Use};
use crate::buffer::Storage;
use crate::device::{DeviceError, Home, Timing};
use crate::error::Result;
use crate::id::{BufferId, CommandId, DeviceId};
use crate::kernel::{Facts, Kernel, Word};
use crate::plan::{Action, Touch};
use crate::profile::Profile;
use crate::queue::{
    Clock, Completion, Dispatch, Hold, LONGEST_RUN_SECONDS, Report, Request, Resolved, State,
};
use crate::range::{Chunk, Range};
use crate::span::Span;
use crate::split::Policy;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Bytes of an element of every buffer.
const ELEMENT_BYTES: u64 = 4;
const EMPTY: &str = "@compute @workgroup_size(64) fn main() {}";

/// What is decided by whoever runs a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How dispatches are split.
    pub policy: Policy,
    /// How long a run on a device with a memory of its own may be predicted to take.
    pub longest_run_seconds: f64,
}

impl Default for Settings {
    /// As a runtime does it that is told nothing.
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            longest_run_seconds: LONGEST_RUN_SECONDS,
        }
    }
}

/// Runs a program on a machine, from what a profile knows of it.
///
/// # Errors
///
/// If every device is lost, or a policy names a device that isn't there.
pub fn simulate(
    machine: &Machine,
    program: &Program,
    profile: Profile,
    settings: &Settings,
) -> Result<Simulated> {
    let mut simulation = Simulation::new(machine, program, profile, settings)?;
    let mut dispatches = Vec::new();
    for step in &program.steps {
        match step {
            Step::Dispatch { load, uses } => dispatches.push(simulation.dispatch(*load, uses)?),
            Step::Write(buffer) => simulation.access(*buffer, Request::Write)?,
            Step::Read(buffer) => simulation.access(*buffer, Request::Read)?,
        }
    }
    Ok(Simulated {
        dispatches,
        seconds: simulation.state.clock.seconds(),
        profile: simulation.state.profile,
    })
}

/// When the command under way on a device ends; ordered by time, then by when it was begun.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    /// The bits of the seconds, which order as the seconds do: none is negative.
    at: u64,
    turn: u64,
    device: usize,
}

pub(super) struct Simulation<'a> {
    pub(super) machine: &'a Machine,
    pub(super) program: &'a Program,
    kernel: Kernel,
    pub(super) facts: Vec<Arc<Facts>>,
    policy: Resolved,
    pub(super) state: State,
    buffers: Vec<Arc<Hold>>,
    pub(super) streams: Vec<Stream>,
    events: BinaryHeap<Reverse<Event>>,
    turn: u64,
    pub(super) random: Random,
    woken: Vec<DeviceId>,
    ready: Vec<CommandId>,
    /// Which chunks the dispatch under way was run in.
    ran: Vec<(DeviceId, Span)>,
    /// When each device ended its last run of the dispatch under way.
    ends: Vec<f64>,
}

impl<'a> Simulation<'a> {
    fn new(
        machine: &'a Machine,
        program: &'a Program,
        profile: Profile,
        settings: &Settings,
    ) -> Result<Self> {
        let infos: Vec<_> = machine.processors.iter().map(|one| one.info()).collect();
        let names = infos.iter().map(|info| info.name.as_str());
        let policy = Resolved::new(&settings.policy, &names.collect::<Vec<_>>())?;
        let infos: Vec<_> = infos.iter().collect();
        let mut state = State::new(&infos, profile, Clock::Set(0.0));
        state.longest_run_seconds = settings.longest_run_seconds;
        let abandoned: Arc<Mutex<Vec<BufferId>>> = Arc::default();
        let hold = |len: &u64| {
            let storage: Arc<Storage> = state.add_buffer(*len, ELEMENT_BYTES, "f32");
            let abandoned = abandoned.clone();
            Arc::new(Hold { storage, abandoned })
        };
        let buffers = program.buffers.iter().map(hold).collect();
        let kernel = Kernel::from_wgsl(EMPTY)?;
        let facts = |load: &Load| -> Result<Arc<Facts>> {
            let mut facts = Facts::clone(kernel.facts()?);
            facts.entry.clone_from(&load.name);
            facts.workgroup = [load.workgroup, 1, 1];
            facts.key = load.key();
            Ok(Arc::new(facts))
        };
        let facts = program.loads.iter().map(facts).collect::<Result<_>>()?;
        let devices = machine.processors.len();
        Ok(Self {
            machine,
            program,
            kernel,
            facts,
            policy,
            state,
            buffers,
            streams: (0..devices).map(|_| Stream::default()).collect(),
            events: BinaryHeap::new(),
            turn: 0,
            random: Random::new(machine.seed),
            woken: Vec::new(),
            ready: Vec::new(),
            ran: Vec::new(),
            ends: vec![0.0; devices],
        })
    }

    fn dispatch(&mut self, load: usize, uses: &[Use]) -> Result<Dispatched> {
        let facts = self.facts[load].clone();
        let load = &self.program.loads[load];
        let touch = |one: &Use| Touch {
            buffer: self.buffers[one.buffer].storage.id(),
            writes: one.writes,
            access: one.access,
            word: Some(Word::F32),
        };
        let mut touches: Vec<Touch> = uses.iter().map(touch).collect();
        touches.sort_by_key(|touch| touch.buffer);
        let dispatch = Dispatch {
            kernel: self.kernel.clone(),
            chunk: Chunk::whole(Range::from(load.extent), facts.workgroup),
            facts,
            bound: Vec::new().into(),
            accesses: Vec::new().into(),
            proof: Arc::default(),
            touches,
            policy: self.policy.clone(),
            left_out: vec![None; self.streams.len()],
            holds: uses
                .iter()
                .map(|one| self.buffers[one.buffer].clone())
                .collect(),
        };
        let start = self.state.clock.seconds();
        self.ran.clear();
        self.ends.fill(start);
        let begun = Instant::now();
        let (_, completion) = self.state.submit(Request::Dispatch(Box::new(dispatch)));
        let planning_seconds = begun.elapsed().as_secs_f64();
        let report = self.wait(&completion)?;
        Ok(self.told(load, start, planning_seconds, report))
    }

    fn told(
        &mut self,
        load: &Load,
        start: f64,
        planning_seconds: f64,
        report: Report,
    ) -> Dispatched {
        let single = alone(self.machine, load, start);
        let mut busy = vec![false; self.streams.len()];
        self.ran
            .iter()
            .for_each(|(device, _)| busy[device.0 as usize] = true);
        let ends = || self.ends.iter().zip(&busy).filter(|(_, busy)| **busy);
        let seconds = |end: &f64| end - start;
        let last = ends().map(|(end, _)| seconds(end)).fold(0.0, f64::max);
        let first = ends()
            .map(|(end, _)| seconds(end))
            .fold(f64::INFINITY, f64::min);
        Dispatched {
            start,
            seconds: self.state.clock.seconds() - start,
            oracle_seconds: best_split(self.machine, load, start).0,
            alone: single,
            balance: if last > 0.0 { first / last } else { 1.0 },
            bytes_moved: report.bytes_moved(),
            shares: report.devices.iter().map(|device| device.share).collect(),
            chunks: report.devices.iter().map(|device| device.chunks).sum(),
            longest_gpu_run_seconds: report
                .devices
                .iter()
                .zip(&self.machine.processors)
                .filter(|(_, processor)| processor.home == Home::Own)
                .map(|(device, _)| device.longest_seconds)
                .fold(0.0, f64::max),
            planning_seconds,
        }
    }

    /// The host reads or writes the whole of a buffer, which takes it no time.
    fn access(
        &mut self,
        buffer: usize,
        request: impl FnOnce(Arc<Hold>, Span) -> Request,
    ) -> Result<()> {
        let hold = self.buffers[buffer].clone();
        let span = Span::new(0, self.program.buffers[buffer]);
        let (id, completion) = self.state.submit(request(hold, span));
        loop {
            if let Some(outcome) = completion.get() {
                return outcome.map(|_| ());
            }
            match self.state.start_access(id) {
                Some(command) => self.state.ended(command, Ok(Timing::default())),
                None => self.advance(),
            }
        }
    }

    fn wait(&mut self, completion: &Completion) -> Result<Report> {
        loop {
            if let Some(outcome) = completion.get() {
                return outcome;
            }
            self.advance();
        }
    }

    /// Begins what can begin, and goes on to the next end of a command.
    ///
    /// # Panics
    ///
    /// If something is waited for and nothing is under way: a real queue would hang.
    fn advance(&mut self) {
        let mut woken = std::mem::take(&mut self.woken);
        self.state.engine.take_woken(&mut woken);
        for device in woken.drain(..) {
            self.give(device);
        }
        self.woken = woken;
        let Some(Reverse(event)) = self.events.pop() else {
            unreachable!("what is waited for is ready on some device");
        };
        self.state.clock = Clock::Set(f64::from_bits(event.at));
        let stream = &mut self.streams[event.device];
        let (ended, result) = (stream.given.pop_front(), stream.end.take());
        let (Some(ended), Some(result)) = (ended, result) else {
            unreachable!("a device ends what it has begun");
        };
        if let Action::Run { units, .. } = self.state.command(ended).action
            && result.is_ok()
        {
            self.ran.push((DeviceId(event.device as u32), units));
            self.ends[event.device] = f64::from_bits(event.at);
        }
        let has_failed = result.is_err();
        self.state.ended(ended, result);
        if has_failed {
            let rest = std::mem::take(&mut self.streams[event.device].given);
            for command in rest {
                self.state.ended(command, Err(DeviceError::NotBegun));
            }
        }
        if self.streams[event.device].given.is_empty() {
            self.give(DeviceId(event.device as u32));
        } else {
            self.begin(event.device);
        }
    }

    /// Gives a device what is ready for it, unless it is at something.
    fn give(&mut self, device: DeviceId) {
        let index = device.0 as usize;
        if !self.streams[index].given.is_empty() {
            return;
        }
        for buffer in self.state.take_frees(device) {
            let stream = &mut self.streams[index];
            stream.resident_bytes -= stream.resident.remove(&buffer).unwrap_or(0);
        }
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        self.state.take_ready(device, &mut ready);
        ready.iter().for_each(|command| self.state.begun(*command));
        self.streams[index].given.extend(&ready);
        self.ready = ready;
        if !self.streams[index].given.is_empty() {
            self.begin(index);
        }
    }

    /// Begins the first of what a device was given.
    fn begin(&mut self, device: usize) {
        let now = self.state.clock.seconds();
        let command = self.streams[device].given[0];
        let (lasts, result) = self.becomes(device, command, now);
        let lost_at = self.machine.processors[device].lost_at;
        let (lasts, result) = match lost_at {
            Some(lost_at) if now + lasts > lost_at => {
                let error = DeviceError::Lost {
                    device: self.machine.processors[device].name.clone(),
                    message: "the script says so".to_owned(),
                };
                ((lost_at - now).max(0.0), Err(error))
            }
            _ => (lasts, result),
        };
        self.streams[device].end = Some(result);
        self.turn += 1;
        self.events.push(Reverse(Event {
            at: (now + lasts).to_bits(),
            turn: self.turn,
            device,
        }));
    }
}
