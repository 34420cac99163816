//! Which command may start now.
//!
//! Keeps the graph of unfinished commands and hands out those that are ready, stream by stream; it does not know what a
//! command does, calls no device and takes no lock.
//!
//! Invariant: a stream is handed its commands in the order in which they were added, and a command only when everything
//! it depends on has completed or was handed to the same stream before it.

use crate::id::{CommandId, DeviceId, IdMap};
use smallvec::SmallVec;
use std::collections::VecDeque;

#[derive(Debug)]
struct Waiting {
    /// None for the host's own accesses, which start when their thread finds them ready.
    stream: Option<DeviceId>,
    /// Unfinished commands of other streams that this one waits for.
    unmet: usize,
}

/// The unfinished commands of all streams.
///
/// ```
/// use divvy::id::{CommandId, DeviceId};
/// use divvy::queue::Engine;
///
/// let (cpu, gpu) = (DeviceId(0), DeviceId(1));
/// let mut engine = Engine::new(2);
/// engine.add(CommandId(1), Some(cpu), &[]);
/// engine.add(CommandId(2), Some(gpu), &[CommandId(1)]);
/// let mut ready = Vec::new();
/// engine.take_ready(gpu, &mut ready);
/// assert!(ready.is_empty());
/// engine.take_ready(cpu, &mut ready);
/// engine.complete(CommandId(1));
/// engine.take_ready(gpu, &mut ready);
/// assert_eq!(ready, [CommandId(1), CommandId(2)]);
/// ```
#[derive(Debug)]
pub struct Engine {
    commands: IdMap<CommandId, Waiting>,
    /// For each unfinished command, those of other streams that wait for it.
    dependents: IdMap<CommandId, SmallVec<[CommandId; 4]>>,
    /// Per stream, the commands not handed out yet.
    queued: Vec<VecDeque<CommandId>>,
    /// The commands without a stream that haven't started.
    beside: Vec<CommandId>,
    in_flight: usize,
    /// Streams whose first command has become ready, each once.
    woken: Vec<DeviceId>,
    is_woken: Vec<bool>,
}

impl Engine {
    /// An engine for the streams of `devices` devices.
    #[must_use]
    pub fn new(devices: usize) -> Self {
        Self {
            commands: IdMap::default(),
            dependents: IdMap::default(),
            queued: (0..devices).map(|_| VecDeque::new()).collect(),
            beside: Vec::new(),
            in_flight: 0,
            woken: Vec::with_capacity(devices),
            is_woken: vec![false; devices],
        }
    }

    /// Puts a command at the end of its stream, or beside the streams if it has none. What it depends on and isn't known
    /// here has completed long ago.
    ///
    /// # Panics
    ///
    /// If the stream doesn't exist, or the id is in use.
    pub fn add(&mut self, command: CommandId, stream: Option<DeviceId>, depends_on: &[CommandId]) {
        let mut unmet = 0;
        for earlier in depends_on {
            // A stream runs its commands in order, so one on the same stream is no reason to wait.
            if self
                .commands
                .get(earlier)
                .is_some_and(|earlier| earlier.stream != stream)
            {
                let dependents = self.dependents.entry(*earlier).or_default();
                if dependents.last() != Some(&command) {
                    dependents.push(command);
                    unmet += 1;
                }
            }
        }
        let previous = self.commands.insert(command, Waiting { stream, unmet });
        assert!(previous.is_none(), "{command} is in the queue already");
        match stream {
            Some(stream) => {
                self.queued[stream.0 as usize].push_back(command);
                self.wake(stream);
            }
            None => self.beside.push(command),
        }
    }

    /// Notes that a stream has something to do, if it has.
    fn wake(&mut self, stream: DeviceId) {
        let index = stream.0 as usize;
        if !self.is_woken[index] && self.is_ready(stream) {
            self.is_woken[index] = true;
            self.woken.push(stream);
        }
    }

    /// Appends to `woken` the streams whose first command has become ready since this was asked last. So whoever drives
    /// many streams need not look at each whenever a command has ended.
    pub fn take_woken(&mut self, woken: &mut Vec<DeviceId>) {
        for stream in self.woken.drain(..) {
            self.is_woken[stream.0 as usize] = false;
            woken.push(stream);
        }
    }

    /// Appends to `ready` the commands that may be given to the stream now, in order. They count as in flight until
    /// they complete or fail.
    pub fn take_ready(&mut self, stream: DeviceId, ready: &mut Vec<CommandId>) {
        let queued = &mut self.queued[stream.0 as usize];
        while let Some(first) = queued.front() {
            if self.commands[first].unmet > 0 {
                break;
            }
            ready.push(*first);
            queued.pop_front();
            self.in_flight += 1;
        }
    }

    /// Starts a command without a stream if it is ready; it counts as in flight from then on.
    pub fn start(&mut self, command: CommandId) -> bool {
        let Some(place) = self.beside.iter().position(|waiting| *waiting == command) else {
            return false;
        };
        if self.commands[&command].unmet > 0 {
            return false;
        }
        self.beside.swap_remove(place);
        self.in_flight += 1;
        true
    }

    /// Whether a stream has a command that may start now.
    #[must_use]
    pub fn is_ready(&self, stream: DeviceId) -> bool {
        self.queued[stream.0 as usize]
            .front()
            .is_some_and(|first| self.commands[first].unmet == 0)
    }

    /// Whether the command hasn't ended.
    #[must_use]
    pub fn is_unfinished(&self, command: CommandId) -> bool {
        self.commands.contains_key(&command)
    }

    /// Records that a command in flight has ended well. Commands of other streams may be ready now.
    ///
    /// # Panics
    ///
    /// If the command isn't in the queue.
    pub fn complete(&mut self, command: CommandId) {
        self.retire(command);
        for dependent in self.dependents.remove(&command).unwrap_or_default() {
            let Some(waiting) = self.commands.get_mut(&dependent) else {
                continue;
            };
            waiting.unmet -= 1;
            if let (0, Some(stream)) = (waiting.unmet, waiting.stream) {
                self.wake(stream);
            }
        }
    }

    /// Records that a command in flight has failed. What waits for it is never handed out: the caller plans anew.
    ///
    /// # Panics
    ///
    /// If the command isn't in the queue.
    pub fn fail(&mut self, command: CommandId) {
        self.retire(command);
        self.dependents.remove(&command);
    }

    fn retire(&mut self, command: CommandId) {
        let known = self.commands.remove(&command);
        assert!(known.is_some(), "{command} is not in the queue");
        self.in_flight -= 1;
    }

    /// How many commands were handed out and haven't ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether every command has ended.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.commands.is_empty()
    }

    /// Forgets every command that wasn't handed out: the first step of planning anew after a loss.
    pub fn clear_queued(&mut self) {
        let queued = self.queued.iter_mut().flat_map(|queued| queued.drain(..));
        for command in queued.chain(self.beside.drain(..)) {
            self.commands.remove(&command);
            self.dependents.remove(&command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const CPU: DeviceId = DeviceId(0);
    const GPU: DeviceId = DeviceId(1);

    fn ready(engine: &mut Engine, stream: DeviceId) -> Vec<u64> {
        let mut ready = Vec::new();
        engine.take_ready(stream, &mut ready);
        ready.iter().map(|command| command.0).collect()
    }

    #[test]
    fn a_chain_on_one_stream_is_handed_out_at_once() {
        let mut engine = Engine::new(1);
        engine.add(CommandId(1), Some(CPU), &[]);
        engine.add(CommandId(2), Some(CPU), &[CommandId(1)]);
        assert_eq!(ready(&mut engine, CPU), [1, 2]);
    }

    #[test]
    fn a_stream_is_woken_once_when_its_first_command_becomes_ready() {
        let mut engine = Engine::new(2);
        engine.add(CommandId(1), Some(CPU), &[]);
        engine.add(CommandId(2), Some(GPU), &[CommandId(1)]);
        engine.add(CommandId(3), Some(CPU), &[]);
        let mut woken = Vec::new();
        engine.take_woken(&mut woken);
        assert_eq!(woken, [CPU]);
        assert_eq!(ready(&mut engine, CPU), [1, 3]);
        engine.complete(CommandId(1));
        engine.take_woken(&mut woken);
        assert_eq!(woken, [CPU, GPU]);
    }

    #[test]
    fn another_stream_waits_for_completion() {
        let mut engine = Engine::new(2);
        engine.add(CommandId(1), Some(CPU), &[]);
        engine.add(CommandId(2), Some(GPU), &[CommandId(1), CommandId(1)]);
        assert_eq!(ready(&mut engine, CPU), [1]);
        assert!(ready(&mut engine, GPU).is_empty());
        engine.complete(CommandId(1));
        assert_eq!(ready(&mut engine, GPU), [2]);
    }

    #[test]
    fn a_dependency_that_ended_long_ago_is_met() {
        let mut engine = Engine::new(1);
        engine.add(CommandId(7), Some(CPU), &[CommandId::DONE, CommandId(3)]);
        assert_eq!(ready(&mut engine, CPU), [7]);
    }

    #[test]
    fn a_command_beside_the_streams_waits_for_all_it_depends_on_and_blocks_nobody() {
        let mut engine = Engine::new(1);
        engine.add(CommandId(1), Some(CPU), &[]);
        engine.add(CommandId(2), None, &[CommandId(1)]);
        engine.add(CommandId(3), None, &[]);
        assert!(!engine.start(CommandId(2)));
        assert!(engine.start(CommandId(3)) && !engine.start(CommandId(3)));
        assert_eq!(ready(&mut engine, CPU), [1]);
        engine.complete(CommandId(1));
        assert!(engine.start(CommandId(2)));
        assert_eq!(engine.in_flight(), 2);
    }

    #[test]
    fn what_waits_for_a_failure_never_starts_and_is_forgotten() {
        let mut engine = Engine::new(2);
        engine.add(CommandId(1), Some(GPU), &[]);
        engine.add(CommandId(2), Some(CPU), &[CommandId(1)]);
        assert_eq!(ready(&mut engine, GPU), [1]);
        engine.fail(CommandId(1));
        assert!(ready(&mut engine, CPU).is_empty());
        engine.clear_queued();
        assert!(engine.is_idle());
        assert_eq!(engine.in_flight(), 0);
    }

    #[test]
    fn work_in_flight_ends_normally_after_the_queue_was_cleared() {
        let mut engine = Engine::new(2);
        engine.add(CommandId(1), Some(CPU), &[]);
        engine.add(CommandId(2), Some(GPU), &[CommandId(1)]);
        assert_eq!(ready(&mut engine, CPU), [1]);
        engine.clear_queued();
        engine.complete(CommandId(1));
        assert!(engine.is_idle());
    }

    proptest! {
        #[test]
        fn every_command_runs_once_and_after_what_it_depends_on(
            graph in prop::collection::vec((0_u32..4, prop::collection::vec(1_u64..60, 0..4)), 1..60),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let mut engine = Engine::new(4);
            let mut needs = HashMap::new();
            for (i, (stream, depends_on)) in graph.iter().enumerate() {
                let id = CommandId(i as u64 + 1);
                let earlier: Vec<_> = depends_on.iter().copied().filter(|d| *d < id.0).map(CommandId).collect();
                engine.add(id, Some(DeviceId(*stream)), &earlier);
                needs.insert(id, earlier);
            }
            // Streams run in order, so of each stream only the first command in flight may end next.
            let mut running: Vec<VecDeque<CommandId>> = vec![VecDeque::new(); 4];
            let mut done = Vec::new();
            for pick in picks {
                for stream in 0..4 {
                    let mut ready = Vec::new();
                    engine.take_ready(DeviceId(stream), &mut ready);
                    running[stream as usize].extend(ready);
                }
                let busy: Vec<usize> = (0..4).filter(|s| !running[*s].is_empty()).collect();
                if busy.is_empty() {
                    break;
                }
                let next = running[busy[pick.index(busy.len())]].pop_front().expect("it is busy");
                prop_assert!(needs[&next].iter().all(|earlier| done.contains(earlier)));
                engine.complete(next);
                done.push(next);
            }
            prop_assert!(engine.is_idle());
            prop_assert_eq!(done.len(), graph.len());
        }
    }
}
