//! The threads that keep the devices busy.
//!
//! They take what is ready from the state, have the device do it, and say what became of it: one for each device, and
//! whoever waits, for a device that would otherwise have to be woken. The only place that calls devices.
//!
//! Invariant: one thread at a time drives a device, and the lock on the state is not held while it works or the host
//! copies.

use super::clock::Clock;
use super::operation::{Completion, Request};
use super::report::Report;
use super::state::{Private, State};
use crate::buffer::Storage;
use crate::device::cpu::combine;
use crate::device::{Bound, Device, DeviceError, Home, Run, Task, Timing, said};
use crate::error::Result;
use crate::id::{BufferId, CommandId, DeviceId, MemoryId};
use crate::patience::{Patience, lock};
use crate::plan::Action;
use crate::profile::Profile;
use crate::prompt::Prompt;
use crate::range::Chunk;
use crate::span::Span;
use crate::trace::Recorder;
use smallvec::SmallVec;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// How often a thread that has woken others lets them go first: once is mostly enough.
const YIELDS: usize = 2;

/// The devices and what they have to do.
#[derive(Debug)]
pub(crate) struct Queue {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    devices: Vec<Arc<dyn Device>>,
    inner: Mutex<Inner>,
    /// One for each device.
    bells: Vec<Bell>,
    /// What those are like who wait for the end of a dispatch that they took part in.
    patience: Patience,
    /// Something has ended: a host access may be ready.
    changed: Condvar,
    abandoned: Arc<Mutex<Vec<BufferId>>>,
    trace: Option<Recorder>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    /// Devices that a thread is having work at the moment.
    busy: Vec<bool>,
    /// What the threads of devices do that have nothing to do; none for those that have.
    rests: Vec<Option<Rest>>,
    /// Threads that wait for something to change.
    waiting: usize,
    stopping: bool,
}

/// What a device's thread is called by when there is something for it to do.
#[derive(Debug, Default)]
struct Bell {
    has_rung: AtomicBool,
    /// For a thread that sleeps.
    wake: Condvar,
    patience: Patience,
}

/// How a device's thread waits for something to do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rest {
    Awake,
    Asleep,
}

/// Something the device is told to do, and what it is part of.
struct Step {
    task: Task,
    name: String,
    /// The command that ends with this task.
    ends: Option<CommandId>,
    /// What the host combines when the task has ended.
    combines: Vec<(Private, Arc<Storage>)>,
}

impl Bell {
    fn ring(&self, rest: Rest) {
        self.has_rung.store(true, Ordering::Relaxed);
        if rest == Rest::Asleep {
            self.wake.notify_one();
        }
    }
}

impl Inner {
    /// Which devices have nothing to do: what they have to do after the next submission is that one's.
    fn idle(&self) -> SmallVec<[bool; 8]> {
        let is_idle =
            |(i, is_busy): (usize, &bool)| !is_busy && !self.state.has_work(DeviceId(i as u32));
        self.busy.iter().enumerate().map(is_idle).collect()
    }
}

/// What a device may do at one time.
struct Work {
    steps: Vec<Step>,
    frees: Vec<BufferId>,
}

/// Gives a device back when whoever drove it has done, or panics.
struct GiveBack<'a>(&'a Shared, usize);

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        self.0.lock().busy[self.1] = false;
    }
}

impl Queue {
    pub(crate) fn new(
        devices: Vec<Arc<dyn Device>>,
        profile: Profile,
        trace: Option<Recorder>,
        longest_run_seconds: f64,
    ) -> Result<Self> {
        let infos: Vec<_> = devices.iter().map(|device| device.info()).collect();
        let mut state = State::new(&infos, profile, Clock::wall());
        state.longest_run_seconds = longest_run_seconds;
        let inner = Mutex::new(Inner {
            state,
            busy: vec![false; infos.len()],
            rests: vec![None; infos.len()],
            waiting: 0,
            stopping: false,
        });
        let bells = devices.iter().map(|_| Bell::default()).collect();
        let shared = Arc::new(Shared {
            devices,
            inner,
            bells,
            patience: Patience::default(),
            changed: Condvar::new(),
            abandoned: Arc::default(),
            trace,
        });
        let mut queue = Self {
            shared: shared.clone(),
            threads: Vec::new(),
        };
        for i in 0..shared.devices.len() {
            let (shared, name) = (shared.clone(), format!("divvy-stream-{i}"));
            let thread = thread::Builder::new()
                .name(name)
                .spawn(move || shared.stream(i));
            queue
                .threads
                .push(thread.map_err(|error| DeviceError::Failed {
                    device: queue.shared.devices[i].info().name.clone(),
                    message: format!("the system gives no thread for it: {error}"),
                })?);
        }
        Ok(queue)
    }

    pub(crate) fn devices(&self) -> &[Arc<dyn Device>] {
        &self.shared.devices
    }

    /// Where a buffer is to be listed when nobody holds it any more.
    pub(crate) fn abandoned(&self) -> Arc<Mutex<Vec<BufferId>>> {
        self.shared.abandoned.clone()
    }

    pub(crate) fn add_buffer(
        &self,
        len: u64,
        element_bytes: u64,
        type_name: &'static str,
    ) -> Arc<Storage> {
        self.shared
            .lock()
            .state
            .add_buffer(len, element_bytes, type_name)
    }

    /// Submits a dispatch; its outcome will be in what is returned.
    pub(crate) fn submit(&self, request: Request) -> Arc<Completion> {
        let mut inner = self.shared.lock();
        let (_, completion) = inner.state.submit(request);
        self.shared.notify(&mut inner);
        completion
    }

    /// Submits a dispatch and waits for its outcome. A device that was idle is driven by the calling thread: waking
    /// another for it would cost more than a small dispatch does.
    pub(crate) fn run(&self, request: Request) -> Result<Report> {
        let mut inner = self.shared.lock();
        let idle = inner.idle();
        let (_, completion) = inner.state.submit(request);
        let Some((index, mut work)) = self.shared.take_one_of(&mut inner, &idle) else {
            self.shared.notify(&mut inner);
            drop(inner);
            return completion.wait();
        };
        loop {
            self.shared.drive(inner, index, work);
            inner = self.shared.lock();
            if completion.is_set() {
                break;
            }
            match self.shared.take(&mut inner, index) {
                Some(more) => work = more,
                None => break,
            }
        }
        self.shared.notify(&mut inner);
        drop(inner);
        // Those that took part have about as much to do as each other.
        let (is_done, sleep) = (|| completion.is_set(), || completion.block());
        self.shared.patience.wait(is_done, sleep);
        completion.wait()
    }

    /// Waits until the calling thread may access the host's memory as the request says, lets it, and ends the access.
    pub(crate) fn access(&self, request: Request, access: impl FnOnce()) -> Result<Report> {
        let mut inner = self.shared.lock();
        let mut idle = inner.idle();
        let (id, completion) = inner.state.submit(request);
        let command = loop {
            if let Some(outcome) = completion.get() {
                // It can't be done; or it had nothing to wait for and nothing to do.
                return outcome;
            }
            if let Some(command) = inner.state.start_access(id) {
                break command;
            }
            match self.shared.take_one_of(&mut inner, &idle) {
                Some((index, work)) => {
                    // What it will have to do next may be somebody else's.
                    idle[index] = false;
                    self.shared.drive(inner, index, work);
                    inner = self.shared.lock();
                }
                None => {
                    self.shared.notify(&mut inner);
                    inner.waiting += 1;
                    inner = self
                        .shared
                        .changed
                        .wait(inner)
                        .unwrap_or_else(PoisonError::into_inner);
                    inner.waiting -= 1;
                }
            }
        };
        self.shared.notify(&mut inner);
        drop(inner);
        access();
        let mut inner = self.shared.lock();
        inner.state.ended(command, Ok(Timing::default()));
        self.shared.notify(&mut inner);
        drop(inner);
        completion.wait()
    }

    /// The profile as it is now.
    pub(crate) fn with_profile<T>(&self, look: impl FnOnce(&mut Profile) -> T) -> T {
        look(&mut self.shared.lock().state.profile)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.stopping = true;
        inner.state.cancel();
        for bell in &self.shared.bells {
            bell.ring(Rest::Asleep);
        }
        drop(inner);
        self.shared.changed.notify_all();
        // The last handle may have been in a native body, and gone with it on a stream, which can't wait for itself.
        let own = thread::current().id();
        for thread in self.threads.drain(..) {
            if thread.thread().id() != own {
                // A stream that panicked has said so already.
                let _ = thread.join();
            }
        }
        if let Some(trace) = &self.shared.trace {
            trace.write();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = lock(&self.inner);
        let mut abandoned = lock(&self.abandoned);
        if !abandoned.is_empty() {
            inner.state.forget(&mut abandoned);
        }
        drop(abandoned);
        inner
    }

    /// Calls whoever may have something to do, and says whether a device's thread was woken. Whoever drives a device looks
    /// again before it leaves it.
    fn notify(&self, inner: &mut Inner) -> bool {
        let mut wakes = false;
        for (i, bell) in self.bells.iter().enumerate() {
            let Some(rest) = inner.rests[i] else { continue };
            if !inner.busy[i] && inner.state.has_work(DeviceId(i as u32)) {
                inner.rests[i] = None;
                bell.ring(rest);
                wakes |= rest == Rest::Asleep;
            }
        }
        if inner.waiting > 0 {
            self.changed.notify_all();
        }
        wakes
    }

    /// Lets go of the state and has a device do what was taken for it, after whoever else has something to do.
    fn drive(&self, mut inner: MutexGuard<'_, Inner>, index: usize, work: Work) {
        let wakes = self.notify(&mut inner);
        drop(inner);
        if wakes {
            // The system may have put them on this very core, where they would wait until this work is done.
            (0..YIELDS).for_each(|_| thread::yield_now());
        }
        self.have_done(index, work);
    }

    /// What a device may do now, if nobody is having it do something already. It is the caller's then.
    fn take(&self, inner: &mut Inner, index: usize) -> Option<Work> {
        let device = DeviceId(index as u32);
        if inner.busy[index] || !inner.state.has_work(device) {
            return None;
        }
        let mut ready = Vec::new();
        inner.state.take_ready(device, &mut ready);
        let frees = inner.state.take_frees(device);
        if ready.is_empty() && frees.is_empty() {
            return None;
        }
        inner.busy[index] = true;
        let steps = self.steps(&mut inner.state, &ready);
        Some(Work { steps, frees })
    }

    /// The first of these devices that has something to do and nobody to drive it.
    fn take_one_of(&self, inner: &mut Inner, devices: &[bool]) -> Option<(usize, Work)> {
        let asked = devices
            .iter()
            .enumerate()
            .filter(|(_, is_asked)| **is_asked);
        asked
            .map(|(i, _)| i)
            .find_map(|i| Some((i, self.take(inner, i)?)))
    }

    /// Has a device do what was taken for it, and gives the device back.
    fn have_done(&self, index: usize, work: Work) {
        let _back = GiveBack(self, index);
        let frees: Vec<_> = work.frees.into_iter().map(Task::Free).collect();
        if !frees.is_empty() {
            // What it says to that changes nothing; if it panics it will be told so by the next task.
            let device = &self.devices[index];
            let _ = catch_unwind(AssertUnwindSafe(|| {
                device.execute(&frees, &mut |_, _| ());
            }));
        }
        self.execute(index, work.steps);
    }

    /// The life of a device's thread.
    fn stream(&self, index: usize) {
        // A device with a memory of its own has processors of its own.
        let is_apart = self.devices[index].info().home == Home::Own;
        let _prompt = is_apart.then(Prompt::begin);
        let mut inner = self.lock();
        while !inner.stopping {
            match self.take(&mut inner, index) {
                Some(work) => {
                    drop(inner);
                    self.have_done(index, work);
                    inner = self.lock();
                }
                None => {
                    self.rest(index, inner);
                    inner = self.lock();
                }
            }
        }
    }

    /// Lets go of the state and waits for something that the device's thread may have to do.
    fn rest(&self, index: usize, mut inner: MutexGuard<'_, Inner>) {
        let bell = &self.bells[index];
        bell.has_rung.store(false, Ordering::Relaxed);
        inner.rests[index] = Some(Rest::Awake);
        drop(inner);
        bell.patience.wait(
            || bell.has_rung.load(Ordering::Relaxed),
            || {
                let mut inner = self.lock();
                // It is rung by those who hold the lock.
                while !bell.has_rung.load(Ordering::Relaxed) && !inner.stopping {
                    inner.rests[index] = Some(Rest::Asleep);
                    inner = bell
                        .wake
                        .wait(inner)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            },
        );
    }

    /// A name for the trace, if there is one.
    fn named(&self, name: fmt::Arguments<'_>) -> String {
        match &self.trace {
            Some(_) => name.to_string(),
            None => String::new(),
        }
    }

    /// What the device is to be told for the commands.
    fn steps(&self, state: &mut State, ready: &[CommandId]) -> Vec<Step> {
        let mut steps = Vec::with_capacity(ready.len());
        for id in ready {
            state.begun(*id);
            let command = *state.command(*id);
            let mut step = |task, name: String| {
                steps.push(Step {
                    task,
                    name,
                    ends: Some(*id),
                    combines: Vec::new(),
                })
            };
            match command.action {
                Action::Copy {
                    buffer,
                    from,
                    to: _,
                    span,
                } => {
                    let (storage, element_bytes) = state.storage(buffer);
                    let bytes = span.scaled(element_bytes);
                    if from == MemoryId::HOST {
                        step(
                            Task::Upload(storage, bytes),
                            self.named(format_args!("to device {buffer} {span}")),
                        );
                    } else {
                        step(
                            Task::Download(storage, bytes),
                            self.named(format_args!("from device {buffer} {span}")),
                        );
                    }
                }
                Action::Fill {
                    private,
                    group,
                    combine,
                    word,
                    ..
                } => {
                    let copies = state.privates(group).iter();
                    let storage = copies
                        .map(|copy| &copy.storage)
                        .find(|storage| storage.id() == private);
                    let storage = storage
                        .expect("a private copy lives until it is combined")
                        .clone();
                    step(
                        Task::Fill(storage, combine.identity(word)),
                        self.named(format_args!("fill {private}")),
                    );
                }
                Action::Run { units, group } => {
                    let privates = group.map_or(&[][..], |group| state.privates(group));
                    let dispatch = state
                        .dispatch(&command)
                        .expect("a run is part of a dispatch");
                    let chunk = Chunk {
                        units,
                        ..dispatch.chunk
                    };
                    let name = self.named(format_args!("{} {units}", dispatch.facts.entry));
                    let bound = bound(&dispatch.bound, privates);
                    step(
                        Task::Run(Run {
                            kernel: dispatch.kernel.clone(),
                            chunk,
                            bound,
                            accesses: dispatch.accesses.clone(),
                        }),
                        name,
                    );
                }
                Action::Accumulate { group, .. } => {
                    // All copies come home before the first is combined: a loss in between leaves none combined.
                    let privates = state.privates(group).to_vec();
                    let last = privates.len() - 1;
                    let targets: Vec<_> = privates
                        .iter()
                        .map(|private| state.storage(private.of).0)
                        .collect();
                    for (i, private) in privates.iter().enumerate() {
                        let whole = Span::new(0, private.storage.bytes());
                        let ends = (i == last).then_some(*id);
                        let combines = match i == last {
                            true => privates
                                .iter()
                                .cloned()
                                .zip(targets.iter().cloned())
                                .collect(),
                            false => Vec::new(),
                        };
                        let task = Task::Download(private.storage.clone(), whole);
                        steps.push(Step {
                            task,
                            name: self.named(format_args!("accumulate {}", private.of)),
                            ends,
                            combines,
                        });
                    }
                }
                Action::HostRead { .. } | Action::HostWrite { .. } => {
                    unreachable!("the host's accesses are in no device's stream")
                }
            }
        }
        steps
    }

    /// Has the device do the steps and says what became of each.
    fn execute(&self, index: usize, mut steps: Vec<Step>) {
        let device = &self.devices[index];
        while !steps.is_empty() {
            // What the host combines may be uploaded next: the device must not look at it before.
            let cut = steps
                .iter()
                .position(|step| !step.combines.is_empty())
                .map_or(steps.len(), |i| i + 1);
            let rest = steps.split_off(cut);
            let tasks: Vec<Task> = steps.iter().map(|step| step.task.clone()).collect();
            let mut error: Option<DeviceError> = None;
            let mut has_failed = false;
            let mut answered = 0;
            let mut answer = |i: usize, result: Result<Timing, DeviceError>| {
                // An answer that comes before its time can't be true.
                if i != answered {
                    return;
                }
                answered += 1;
                let step = &steps[i];
                let result = result.map(Timing::believed);
                if let (Some(trace), Ok(timing)) = (&self.trace, &result) {
                    trace.add(index, &step.name, Instant::now(), timing.seconds);
                }
                if let Err(failure) = &result
                    && (error.is_none() || *failure != DeviceError::NotBegun)
                {
                    error.get_or_insert_with(|| failure.clone());
                }
                // A part of a command that failed fails the command, which ends with its last part.
                let Some(command) = step.ends else { return };
                let result = match error.take() {
                    Some(failure) => Err(failure),
                    None => result.inspect(|_| {
                        for (private, target) in &step.combines {
                            combine(private.combine, private.word, &private.storage, target);
                        }
                    }),
                };
                has_failed |= !matches!(result, Ok(_) | Err(DeviceError::Checked(_)));
                let mut inner = self.lock();
                inner.state.ended(command, result);
                self.notify(&mut inner);
            };
            // Devices are written elsewhere, too: one that breaks its word must not leave anyone waiting.
            let worked = catch_unwind(AssertUnwindSafe(|| device.execute(&tasks, &mut answer)));
            if answered < tasks.len() {
                self.silent(index, &steps, worked);
                has_failed = true;
            }
            if has_failed {
                // What came after the cut isn't begun either.
                for command in rest.iter().filter_map(|step| step.ends) {
                    self.lock().state.ended(command, Err(DeviceError::NotBegun));
                }
                self.notify(&mut self.lock());
                return;
            }
            steps = rest;
        }
    }

    /// Ends the commands that a device came back from without an answer. It is taken for lost: nobody knows what it did.
    fn silent(&self, index: usize, steps: &[Step], worked: thread::Result<()>) {
        let message = match worked {
            Ok(()) => "it came back with tasks that it hadn't answered".to_owned(),
            Err(payload) => format!("it panicked: {}", said(&*payload)),
        };
        let lost = DeviceError::Lost {
            device: self.devices[index].info().name.clone(),
            message,
        };
        let mut inner = self.lock();
        for command in steps.iter().filter_map(|step| step.ends) {
            // Those that were answered have ended, and stay what they are.
            inner.state.ended(command, Err(lost.clone()));
        }
        self.notify(&mut inner);
    }
}

/// What is bound, with private copies in place of the buffers they stand for.
fn bound(bound: &Arc<[Bound]>, privates: &[Private]) -> Arc<[Bound]> {
    if privates.is_empty() {
        return bound.clone();
    }
    let replaced = bound.iter().map(|one| {
        let id = one.buffer().map(|buffer| buffer.id());
        match privates.iter().find(|private| Some(private.of) == id) {
            Some(private) => Bound::Buffer(private.storage.clone()),
            None => one.clone(),
        }
    });
    replaced.collect()
}
