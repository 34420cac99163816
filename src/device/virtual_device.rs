//! A device that follows a script: how fast it says it is, when it fails.
//!
//! Computes on the cores, in a memory of its own, so that a copy that was forgotten shows as a wrong result and everything
//! that can happen to a GPU can happen in a test. How long that really takes is never looked at.
//!
//! Invariant: after a scripted loss nothing is done any more, and every task ends with an error.

use super::cpu::Cores;
use super::{
    Bound, Device, DeviceError, DeviceInfo, DeviceKind, Home, Run, Task, Timing, in_order,
};
use crate::buffer::Storage;
use crate::id::BufferId;
use crate::kernel::Kernel;
use crate::span::Span;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a virtual device is like and what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Invocations that it says to run in a second.
    pub items_per_second: f64,
    /// The task, counted from zero over its life, from which on it says to run at a multiple of that; none if it never
    /// does.
    pub changes_at: Option<(usize, f64)>,
    /// Bytes that it says to copy in a second.
    pub bytes_per_second: f64,
    /// Seconds that it says each task takes besides.
    pub overhead_seconds: f64,
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// The largest buffer that a kernel can be given, in bytes.
    pub most_binding_bytes: u64,
    /// The task, counted from zero over its life, at which it is lost; none if it isn't.
    pub lost_at: Option<usize>,
    /// Whether a loss at a run happens after the run has spoiled half of what it writes.
    pub spoils: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            items_per_second: 1e9,
            changes_at: None,
            bytes_per_second: 1e10,
            overhead_seconds: 1e-5,
            memory_bytes: u64::MAX,
            most_binding_bytes: u64::MAX,
            lost_at: None,
            spoils: false,
        }
    }
}

/// A device that follows a [`Script`].
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
            home: Home::Own,
            most_binding_bytes: script.most_binding_bytes,
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
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tasks
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
                self.run(state, run)?;
                let speed = match self.script.changes_at {
                    Some((task, multiple)) if index >= task => multiple,
                    _ => 1.0,
                };
                run.chunk.invocations() as f64 / (self.script.items_per_second * speed)
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
        self.cores.run(&self.info.name, &run)
    }

    /// The device's own memory of a buffer.
    fn own(&self, state: &mut State, host: &Storage) -> Result<Arc<Storage>, DeviceError> {
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
        in_order(tasks, done, |task| {
            self.one(
                &mut self.state.lock().unwrap_or_else(PoisonError::into_inner),
                task,
            )
        });
    }
}
