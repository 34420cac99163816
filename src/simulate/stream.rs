//! What becomes of a command on a scripted device.
//!
//! How long it lasts, and whether it can be done at all; when it begins is the loop's affair.
//!
//! Invariant: a device never holds more bytes than its script has memory for.

use super::run::Simulation;
use crate::device::{DeviceError, Timing};
use crate::id::{BufferId, CommandId};
use crate::plan::{Action, Command};
use crate::span::Span;
use std::collections::{HashMap, HashSet, VecDeque};

/// What a device is at, and what its memory holds.
#[derive(Default)]
pub(super) struct Stream {
    /// What it was given; the first is under way.
    pub(super) given: VecDeque<CommandId>,
    /// What becomes of the first.
    pub(super) end: Option<std::result::Result<Timing, DeviceError>>,
    pub(super) resident: HashMap<BufferId, u64>,
    pub(super) resident_bytes: u64,
    /// Kernels that it has run.
    pub(super) warm: HashSet<u128>,
}

impl Simulation<'_> {
    /// How long a command lasts on a device from now on, and what becomes of it.
    pub(super) fn becomes(
        &mut self,
        device: usize,
        command: CommandId,
        now: f64,
    ) -> (f64, std::result::Result<Timing, DeviceError>) {
        let processor = &self.machine.processors[device];
        let command = *self.state.command(command);
        let copied = |bytes: u64| {
            let seconds = bytes as f64 / processor.bytes_per_second;
            let timing = Timing {
                seconds,
                ..Timing::default()
            };
            (seconds, Ok(timing))
        };
        match command.action {
            Action::Copy { buffer, span, .. } => {
                let (storage, element_bytes) = self.state.storage(buffer);
                match self.settle(device, storage.id(), storage.bytes()) {
                    Ok(()) => copied(span.len() * element_bytes),
                    Err(error) => (0.0, Err(error)),
                }
            }
            Action::Fill { private, group, .. } => {
                let copies = self.state.privates(group).iter();
                let bytes = copies
                    .map(|copy| &copy.storage)
                    .find(|storage| storage.id() == private)
                    .map_or(0, |storage| storage.bytes());
                match self.settle(device, private, bytes) {
                    Ok(()) => copied(bytes),
                    Err(error) => (0.0, Err(error)),
                }
            }
            Action::Accumulate { group, .. } => {
                let copies = self.state.privates(group).iter();
                copied(copies.map(|copy| copy.storage.bytes()).sum())
            }
            Action::Run { units, .. } => self.runs(device, &command, units, now),
            Action::HostRead { .. } | Action::HostWrite { .. } => {
                unreachable!("the host's accesses are in no device's stream")
            }
        }
    }

    fn runs(
        &mut self,
        device: usize,
        command: &Command,
        units: Span,
        now: f64,
    ) -> (f64, std::result::Result<Timing, DeviceError>) {
        let dispatch = self
            .state
            .dispatch(command)
            .expect("a run is part of a dispatch");
        let key = dispatch.facts.key;
        let buffers: Vec<BufferId> = dispatch.touches.iter().map(|touch| touch.buffer).collect();
        let place = self
            .facts
            .iter()
            .position(|facts| facts.key == key)
            .expect("it is the program's");
        for buffer in buffers {
            let (storage, _) = self.state.storage(buffer);
            if let Err(error) = self.settle(device, buffer, storage.bytes()) {
                return (0.0, Err(error));
            }
        }
        let (processor, load) = (&self.machine.processors[device], &self.program.loads[place]);
        let first = match self.streams[device].warm.insert(key) {
            true => processor.first_seconds,
            false => 0.0,
        };
        let rate = processor.items_per_second * load.favor(device);
        let work = load.density.weight(units, load.extent) / rate;
        let noise = self.random.factor(processor.noise);
        let start = now + processor.overhead_seconds;
        let seconds = first + processor.takes(start, work) * noise;
        let timing = Timing {
            seconds,
            overhead_seconds: processor.overhead_seconds,
            is_estimate: false,
        };
        (processor.overhead_seconds + seconds, Ok(timing))
    }

    /// Finds room for a buffer in a device's memory.
    fn settle(
        &mut self,
        device: usize,
        buffer: BufferId,
        bytes: u64,
    ) -> std::result::Result<(), DeviceError> {
        let processor = &self.machine.processors[device];
        let stream = &mut self.streams[device];
        if stream.resident.contains_key(&buffer) {
            return Ok(());
        }
        if stream.resident_bytes.saturating_add(bytes) > processor.memory_bytes {
            return Err(DeviceError::OutOfMemory {
                device: processor.name.clone(),
                bytes,
            });
        }
        stream.resident.insert(buffer, bytes);
        stream.resident_bytes += bytes;
        Ok(())
    }
}
