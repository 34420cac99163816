//! A device that follows a script: how fast it is, when it fails.
//!
//! Computes on the cores, in a memory of its own, so that a copy that was forgotten shows as a wrong result and everything
//! that can happen to a GPU can happen in a test. Whether its times are only told, or taken as well, is the script's choice.
//!
//! Invariant: after a scripted loss nothing is done any more, and every task ends with an error.

use super::cpu::{Cores, MOST_BINDING_BYTES};
use super::{
    Bound, Device, DeviceError, DeviceInfo, DeviceKind, Home, Run, Task, Timing, in_order,
};
use crate::buffer::Storage;
use crate::id::BufferId;
use crate::kernel::Kernel;
use crate::range::Chunk;
use crate::span::Span;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long before a time the thread that waits for it wakes up: the system wakes threads that sleep late, by less than
/// this where it isn't busy.
const EARLY: Duration = Duration::from_micros(120);

/// A run that takes so many times as long leaves time for others to begin theirs before it is computed.
const LONG_TO_EARLY: f64 = 10.0;

/// What the times of a script are to the clock on the wall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// The device says them and goes on: for tests, which wait for nothing.
    #[default]
    Told,
    /// Each task takes its time, and the device sleeps for what its cores leave of it: for measuring.
    ///
    /// A few devices on a few cores are then as many processors of the scripted speeds, as long as the cores do the work
    /// of all in less than the scripted time. [`VirtualDevice::late`] says whether they did.
    Kept,
}

/// What a virtual device is like and what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Where it computes. In the host's memory nothing is copied, as for the CPU.
    pub home: Home,
    /// What its times are to the clock on the wall.
    pub pace: Pace,
    /// Invocations of cost 1 that it runs in a second.
    pub items_per_second: f64,
    /// The task, counted from zero over its life, from which on it runs at a multiple of that; none if it never does.
    pub changes_at: Option<(usize, f64)>,
    /// What an invocation costs, by the kernel's entry point: a number for each of as many even parts of the range's
    /// slowest dimension as there are numbers. 1 for kernels that aren't named.
    pub costs: Vec<(String, Arc<[f64]>)>,
    /// Bytes that it copies in a second.
    pub bytes_per_second: f64,
    /// Seconds that each task takes besides.
    pub overhead_seconds: f64,
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// The largest buffer that a kernel can be given, in bytes; no larger than what the cores can be given.
    pub most_binding_bytes: u64,
    /// The task, counted from zero over its life, at which it is lost; none if it isn't.
    pub lost_at: Option<usize>,
    /// Whether a loss at a run happens after the run has spoiled half of what it writes.
    pub spoils: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            home: Home::Own,
            pace: Pace::Told,
            items_per_second: 1e9,
            changes_at: None,
            costs: Vec::new(),
            bytes_per_second: 1e10,
            overhead_seconds: 1e-5,
            memory_bytes: u64::MAX,
            most_binding_bytes: u64::MAX,
            lost_at: None,
            spoils: false,
        }
    }
}

impl Script {
    /// What the invocations of a chunk of the kernel cost, all told.
    fn cost(&self, entry: &str, chunk: &Chunk) -> f64 {
        let Some((_, costs)) = self.costs.iter().find(|(name, _)| name == entry) else {
            return chunk.invocations() as f64;
        };
        let parts_per_unit = costs.len() as f64 / chunk.range.extents()[chunk.slowest] as f64;
        let [start, end] =
            [chunk.units.start, chunk.units.end].map(|unit| unit as f64 * parts_per_unit);
        let last = (end.ceil() as usize).min(costs.len());
        let part = |i: usize| {
            let inside = end.min(i as f64 + 1.0) - start.max(i as f64);
            costs[i] * inside
        };
        let sum: f64 = (start as usize..last).map(part).sum();
        sum / parts_per_unit * chunk.invocations_per_unit() as f64
    }
}

/// A device that follows a [`Script`].
///
/// ```
/// use divvy::device::VirtualDevice;
/// use divvy::device::virtual_device::Script;
/// use divvy::{Kernel, Runtime};
///
/// // It is gone at the first thing that it is told to do.
/// let script = Script { lost_at: Some(0), ..Script::default() };
/// let runtime = Runtime::builder()
///     .device(VirtualDevice::new("frail", script))
///     .devices("cpu")
///     .without_profile_dir()
///     .build()?;
/// # let count = Kernel::from_wgsl(
/// #     "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
/// #      @compute @workgroup_size(64)
/// #      fn count(@builtin(global_invocation_id) id: vec3<u32>) {
/// #          if id.x < arrayLength(&x) { x[id.x] += id.x; }
/// #      }",
/// # )?;
/// let x = runtime.buffer::<u32>(10_000)?;
/// let report = runtime.dispatch(&count, 10_000).bind("x", &x).run()?;
/// assert!(report.devices[0].left_out.is_some());
/// assert!(runtime.read(&x)?.iter().enumerate().all(|(i, x)| *x as usize == i));
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Debug)]
pub struct VirtualDevice {
    info: DeviceInfo,
    script: Script,
    cores: Cores,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tasks: usize,
    late: Duration,
    lost: bool,
    memory: HashMap<BufferId, Arc<Storage>>,
}

impl VirtualDevice {
    /// A device of this name that follows the script.
    #[must_use]
    pub fn new(name: &str, script: Script) -> Self {
        let info = DeviceInfo {
            name: name.to_owned(),
            kind: DeviceKind::Virtual,
            detail: String::new(),
            home: script.home,
            most_binding_bytes: script.most_binding_bytes.min(MOST_BINDING_BYTES),
        };
        Self {
            info,
            script,
            cores: Cores::default(),
            state: Mutex::default(),
        }
    }

    /// How many tasks it was given so far.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.lock().tasks
    }

    /// How much later than by its script its tasks ended so far, all told; nothing where [`Pace::Told`].
    ///
    /// What it measured is the script's as long as this is little to the time that it was busy.
    #[must_use]
    pub fn late(&self) -> Duration {
        self.lock().late
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a task that began at `start` has taken the time of the script, and says how long it took; `start` is
    /// when the next one begins.
    fn keep(&self, mut timing: Timing, start: &mut Instant) -> Timing {
        // A time that can't be waited for is none.
        let takes = Duration::try_from_secs_f64(timing.seconds + timing.overhead_seconds);
        let due = takes.ok().and_then(|takes| start.checked_add(takes));
        let due = due.unwrap_or(*start);
        let late = Instant::now().saturating_duration_since(due);
        if late.is_zero() {
            wait_until(due);
        } else {
            self.lock().late += late;
            timing.seconds += late.as_secs_f64();
        }
        // By the schedule: waking up late, which the script knows nothing of, isn't carried on.
        *start = due + late;
        timing
    }

    fn one(&self, state: &mut State, task: &Task) -> Result<Timing, DeviceError> {
        let index = state.tasks;
        state.tasks += 1;
        let falls = !state.lost && self.script.lost_at == Some(index);
        if falls
            && self.script.spoils
            && let Task::Run(run) = task
        {
            let _ = self.run(state, run);
        }
        state.lost |= falls;
        if state.lost {
            state.memory.clear();
            let message = "the script says so".to_owned();
            return Err(DeviceError::Lost {
                device: self.info.name.clone(),
                message,
            });
        }
        let bytes_seconds = |span: &Span| span.len() as f64 / self.script.bytes_per_second;
        let seconds = match task {
            Task::Upload(..) | Task::Download(..) if self.script.home == Home::Host => 0.0,
            Task::Upload(host, span) => {
                let own = self.own(state, host)?;
                super::cpu::copy(host, &own, *span);
                bytes_seconds(span)
            }
            Task::Download(host, span) => {
                let own = self.own(state, host)?;
                super::allocate(host, &self.info.name)?;
                super::cpu::copy(&own, host, *span);
                bytes_seconds(span)
            }
            Task::Fill(host, word) => {
                let own = self.own(state, host)?;
                super::cpu::fill(&own, *word);
                own.bytes() as f64 / self.script.bytes_per_second
            }
            Task::Run(run) => {
                let cost = match run.kernel.facts() {
                    Ok(facts) => self.script.cost(&facts.entry, &run.chunk),
                    Err(_) => 0.0,
                };
                let speed = match self.script.changes_at {
                    Some((task, multiple)) if index >= task => multiple,
                    _ => 1.0,
                };
                let seconds = cost / (self.script.items_per_second * speed);
                if self.script.pace == Pace::Kept && seconds > LONG_TO_EARLY * EARLY.as_secs_f64() {
                    // Computing needs a core, a processor to begin with none: the others' threads come first.
                    thread::sleep(EARLY);
                }
                self.run(state, run)?;
                seconds
            }
            Task::Free(id) => {
                state.memory.remove(id);
                0.0
            }
        };
        Ok(Timing {
            seconds,
            overhead_seconds: self.script.overhead_seconds,
            is_estimate: false,
        })
    }

    fn run(&self, state: &mut State, run: &Run) -> Result<(), DeviceError> {
        let mut bound = Vec::with_capacity(run.bound.len());
        for one in run.bound.iter() {
            bound.push(match one {
                Bound::Buffer(host) => Bound::Buffer(self.own(state, host)?),
                Bound::Value(bytes) => Bound::Value(bytes.clone()),
            });
        }
        let run = Run {
            kernel: run.kernel.clone(),
            chunk: run.chunk,
            bound: bound.into(),
            accesses: run.accesses.clone(),
        };
        // Not on all cores, or another device would get none to begin with.
        self.cores.run(&self.info.name, None, &run)
    }

    /// The device's own memory of a buffer, or the host's if that is its own.
    fn own(&self, state: &mut State, host: &Arc<Storage>) -> Result<Arc<Storage>, DeviceError> {
        if self.script.home == Home::Host {
            super::allocate(host, &self.info.name)?;
            return Ok(host.clone());
        }
        if let Some(own) = state.memory.get(&host.id()) {
            return Ok(own.clone());
        }
        let used: u64 = state.memory.values().map(|storage| storage.bytes()).sum();
        let own = Arc::new(Storage::new(host.id(), host.bytes()));
        if used.saturating_add(host.bytes()) > self.script.memory_bytes || own.allocate().is_err() {
            return Err(self.no_room(host.bytes()));
        }
        state.memory.insert(host.id(), own.clone());
        Ok(own)
    }

    fn no_room(&self, bytes: u64) -> DeviceError {
        DeviceError::OutOfMemory {
            device: self.info.name.clone(),
            bytes,
        }
    }
}

impl Device for VirtualDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError> {
        self.cores.accept(&self.info.name, kernel)
    }

    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>)) {
        let mut start = Instant::now();
        in_order(tasks, done, |task| {
            let timing = self.one(&mut self.lock(), task)?;
            Ok(match self.script.pace {
                Pace::Told => timing,
                Pace::Kept => self.keep(timing, &mut start),
            })
        });
    }
}

/// Sleeps, and stays awake for the last moment: nobody is woken to the microsecond.
fn wait_until(time: Instant) {
    let left = time.saturating_duration_since(Instant::now());
    thread::sleep(left.saturating_sub(EARLY));
    while Instant::now() < time {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Range;

    fn script(costs: &[f64]) -> Script {
        Script {
            costs: vec![("main".to_owned(), costs.into())],
            ..Script::default()
        }
    }

    fn rows(start: u64, end: u64) -> Chunk {
        Chunk {
            range: Range::from([10, 6]),
            slowest: 1,
            units: Span::new(start, end),
        }
    }

    #[test]
    fn an_invocation_costs_one_unless_the_script_says_otherwise() {
        assert_eq!(script(&[3.0]).cost("other", &rows(1, 3)), 20.0);
        assert_eq!(script(&[3.0]).cost("main", &rows(1, 3)), 60.0);
    }

    #[test]
    fn a_chunk_costs_what_its_parts_of_the_range_do() {
        let script = script(&[1.0, 5.0, 2.0]);
        let cost = |start, end| script.cost("main", &rows(start, end));
        assert_eq!(cost(0, 2), 20.0);
        assert_eq!(cost(2, 3), 50.0);
        assert_eq!(cost(1, 5), 10.0 + 100.0 + 20.0);
    }

    #[test]
    fn chunks_cost_together_what_the_whole_does() {
        let script = script(&[1.0, 5.0, 2.0, 0.5]);
        let whole = script.cost("main", &rows(0, 6));
        assert!((whole - 60.0 * 8.5 / 4.0).abs() < 1e-9);
        for cut in 0..=6 {
            let parts = script.cost("main", &rows(0, cut)) + script.cost("main", &rows(cut, 6));
            assert!((parts - whole).abs() < 1e-9, "cut at {cut}");
        }
    }
}
