//! What a command that has ended leaves.
//!
//! Brings the account of what the memories hold up to date, counts what was done, and hands out more chunks; what is
//! learned once the whole operation has ended is the affair of `outcome`.
//!
//! Invariant: an output becomes current only when the command that wrote it has ended.

use super::operation::{Dispatch, Half, Operation, Request};
use super::state::{Registered, State};
use crate::device::{Home, Timing};
use crate::id::{BufferId, DeviceId, IdMap, MemoryId};
use crate::kernel::Access;
use crate::plan::{Action, Command, Placed};
use crate::span::Span;
use crate::split::Measured;

/// The least bytes of a copy that says something of the bandwidth.
const BANDWIDTH_SAMPLE_BYTES: u64 = 64 * 1024;

impl State {
    pub(super) fn commit(&mut self, command: &Command, timing: Timing) {
        let Some(mut operation) = self.operations.remove(&command.operation) else {
            return;
        };
        operation.unfinished -= 1;
        let (mut fed, mut ask_all) = (None, false);
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
                    let is_in_use = |device: DeviceId| registered.in_use[device.0 as usize];
                    let is_first = from == MemoryId::HOST && !command.device.is_none_or(is_in_use);
                    self.count_copy(&mut operation, command, from, (bytes, is_first), timing);
                }
            }
            Action::Run { units, group } => {
                let device = command.device.map_or(0, |device| device.0 as usize);
                self.note_use(&operation, device);
                if group.is_none() {
                    let device = DeviceId(device as u32);
                    self.commit_writes(&operation, device, units, Accumulated::InPlace);
                }
                if self.members[device].info.home == Home::Own && !timing.is_estimate {
                    self.profile
                        .add_overhead(&self.members[device].key, timing.overhead_seconds);
                }
                let tally = &mut operation.tallies[device];
                tally.chunks = if operation.is_cut {
                    1
                } else {
                    tally.chunks + 1
                };
                tally.units += units.len();
                tally.seconds += timing.seconds;
                tally.longest_seconds = tally.longest_seconds.max(timing.seconds);
                tally.in_flight -= 1;
                if !timing.is_estimate {
                    operation.add_measured(Measured {
                        device,
                        units,
                        seconds: timing.seconds,
                    });
                }
                if let Some(handout) = &mut operation.handout {
                    ask_all = handout.completed(device, units, timing.seconds);
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
        {
            // Those that wait come first: who was slower than was thought may leave the rest to them.
            let asked = if ask_all { self.members.len() } else { 0 };
            let mut fed = (0..asked).filter(|other| *other != device).chain([device]);
            if let Err(error) = fed.try_for_each(|device| self.feed(command.operation, device)) {
                self.fail(command.operation, error);
            }
        }
        self.finish_if_done(command.operation);
    }

    /// Notes that a device has used its memory for all that an operation touches.
    fn note_use(&mut self, operation: &Operation, device: usize) {
        if let Request::Dispatch(dispatch) = &operation.request
            && self.members[device].info.home == Home::Own
        {
            for touch in &dispatch.touches {
                if let Some(registered) = self.buffers.get_mut(&touch.buffer) {
                    registered.in_use[device] = true;
                }
            }
        }
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
        (bytes, is_first): (u64, bool),
        timing: Timing,
    ) {
        let Some(device) = command.device.map(|device| device.0 as usize) else {
            return;
        };
        let tally = &mut operation.tallies[device];
        tally.copy_seconds += timing.seconds;
        if from == MemoryId::HOST {
            tally.bytes_to_device += bytes;
        } else {
            tally.bytes_from_device += bytes;
        }
        if bytes >= BANDWIDTH_SAMPLE_BYTES && timing.seconds > 0.0 {
            let (key, bandwidth) = (&self.members[device].key, bytes as f64 / timing.seconds);
            if is_first {
                self.profile.add_first_bandwidth(key, bandwidth);
            } else {
                self.profile.add_bandwidth(key, bandwidth);
            }
        }
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
    buffers: &mut IdMap<BufferId, Registered>,
    dispatch: &Dispatch,
    units: Span,
    accumulated: Accumulated,
    mut act: impl FnMut(&mut Registered, Span),
) {
    for touch in dispatch.touches.iter().filter(|touch| touch.writes) {
        if let Some(buffer) = buffers.get_mut(&touch.buffer)
            && !(touch.accumulates() && accumulated == Accumulated::InPrivate)
        {
            let len = buffer.committed.len();
            let span = elements(touch.access, units, dispatch.extent(), len);
            if !span.is_empty() {
                act(buffer, span);
            }
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
