//! Which unfinished commands touch which elements of a buffer.
//!
//! Answers "what must have ended before this command may start"; when it ends is the queue's affair. Order is kept by
//! the elements and not by the memory they lie in: a command that writes waits for everyone who reads the elements or
//! wrote them, on every device. So the inputs of unfinished work stay whole in every memory that holds them, and the work
//! can be done again elsewhere when a device is lost.
//!
//! Invariant: between the last writer of an element and any later command that touches it there is a path of
//! dependencies, and so there is from every reader to the next writer.

use crate::id::{CommandId, DeviceId, MemoryId};
use crate::interval::IntervalMap;
use crate::span::Span;
use smallvec::SmallVec;

/// The unfinished commands on some elements since they were written last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Touched {
    /// The command that brought the newest value to each memory: the writer, or a copy.
    arrivals: SmallVec<[(MemoryId, CommandId); 2]>,
    /// The last reader of each stream; a stream is in order, so the last stands for those before it. Readers without a
    /// stream, such as the host's, are all kept.
    readers: SmallVec<[(Option<DeviceId>, CommandId); 2]>,
}

impl Clone for Touched {
    /// By copying: cutting a run in two clones, and cloned one by one the few items would cost more than finding the run.
    fn clone(&self) -> Self {
        Self {
            arrivals: SmallVec::from_slice(&self.arrivals),
            readers: SmallVec::from_slice(&self.readers),
        }
    }
}

impl Touched {
    fn forget(&mut self, is_unfinished: &dyn Fn(CommandId) -> bool) {
        self.arrivals.retain(|(_, command)| is_unfinished(*command));
        self.readers.retain(|(_, command)| is_unfinished(*command));
    }

    /// The command reads the elements in `memory`; appends what it must wait for.
    fn read(
        &mut self,
        by: Toucher,
        memory: MemoryId,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        depends_on: &mut Vec<CommandId>,
    ) {
        self.forget(is_unfinished);
        let arrived = self.arrivals.iter().filter(|(to, _)| *to == memory);
        depends_on.extend(arrived.map(|(_, command)| *command));
        let of_stream = |(stream, _): &&mut (Option<DeviceId>, CommandId)| {
            stream.is_some() && *stream == by.stream
        };
        match self.readers.iter_mut().find(of_stream) {
            Some(earlier) => earlier.1 = by.command,
            None => self.readers.push((by.stream, by.command)),
        }
    }
}

/// The order of the commands that touch one buffer.
#[derive(Clone, Debug)]
pub struct Order {
    touched: IntervalMap<Touched>,
}

/// A command and where it runs.
#[derive(Clone, Copy, Debug)]
pub struct Toucher {
    /// The command.
    pub command: CommandId,
    /// Its stream; none for the host's own accesses, which are in no order among themselves.
    pub stream: Option<DeviceId>,
}

impl Order {
    /// Of a buffer with `len` elements that no command touches.
    #[must_use]
    pub fn new(len: u64) -> Self {
        Self {
            touched: IntervalMap::new(len, Touched::default()),
        }
    }

    /// The command reads `span` in `memory`; appends what it must wait for.
    pub fn read(
        &mut self,
        by: Toucher,
        memory: MemoryId,
        span: Span,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        depends_on: &mut Vec<CommandId>,
    ) {
        self.touched.update(span, |_, touched| {
            touched.read(by, memory, is_unfinished, depends_on);
        });
    }

    /// The command copies `span` from one memory to another; appends what it must wait for.
    pub fn copy(
        &mut self,
        by: Toucher,
        from: MemoryId,
        to: MemoryId,
        span: Span,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        depends_on: &mut Vec<CommandId>,
    ) {
        // Nobody uses the old bytes that it overwrites: who read them had ended before the newest were written.
        self.touched.update(span, |_, touched| {
            touched.read(by, from, is_unfinished, depends_on);
            touched.arrivals.retain(|(memory, _)| *memory != to);
            touched.arrivals.push((to, by.command));
        });
    }

    /// The command writes `span` in `memory`; appends what it must wait for.
    pub fn write(
        &mut self,
        by: Toucher,
        memory: MemoryId,
        span: Span,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        depends_on: &mut Vec<CommandId>,
    ) {
        self.touched.update(span, |_, touched| {
            touched.forget(is_unfinished);
            depends_on.extend(touched.arrivals.iter().map(|(_, command)| *command));
            depends_on.extend(touched.readers.iter().map(|(_, command)| *command));
            touched.readers.clear();
            touched.arrivals.clear();
            touched.arrivals.push((memory, by.command));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: MemoryId = MemoryId::HOST;
    const GPU: MemoryId = MemoryId(1);
    const NOTHING: [u64; 0] = [];

    struct World {
        order: Order,
        commands: u64,
        finished: Vec<u64>,
    }

    impl World {
        fn new() -> Self {
            Self {
                order: Order::new(100),
                commands: 0,
                finished: Vec::new(),
            }
        }

        fn add(
            &mut self,
            stream: u32,
            act: impl FnOnce(&mut Order, Toucher, &dyn Fn(CommandId) -> bool, &mut Vec<CommandId>),
        ) -> Vec<u64> {
            self.commands += 1;
            let by = Toucher {
                command: CommandId(self.commands),
                stream: Some(DeviceId(stream)),
            };
            let mut depends_on = Vec::new();
            let finished = &self.finished;
            act(
                &mut self.order,
                by,
                &|command| !finished.contains(&command.0),
                &mut depends_on,
            );
            let mut ids: Vec<u64> = depends_on.iter().map(|command| command.0).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        }

        fn read(&mut self, stream: u32, memory: MemoryId, span: std::ops::Range<u64>) -> Vec<u64> {
            self.add(stream, |order, by, unfinished, out| {
                order.read(by, memory, span.into(), unfinished, out)
            })
        }

        fn write(&mut self, stream: u32, memory: MemoryId, span: std::ops::Range<u64>) -> Vec<u64> {
            self.add(stream, |order, by, unfinished, out| {
                order.write(by, memory, span.into(), unfinished, out)
            })
        }

        fn copy(
            &mut self,
            stream: u32,
            from: MemoryId,
            to: MemoryId,
            span: std::ops::Range<u64>,
        ) -> Vec<u64> {
            self.add(stream, |order, by, unfinished, out| {
                order.copy(by, from, to, span.into(), unfinished, out)
            })
        }
    }

    #[test]
    fn a_reader_waits_for_what_brought_the_bytes_to_its_memory() {
        let mut world = World::new();
        assert_eq!(world.write(0, HOST, 0..50), NOTHING);
        assert_eq!(world.copy(1, HOST, GPU, 20..50), [1]);
        assert_eq!(world.read(1, GPU, 0..100), [2]);
        assert_eq!(world.read(0, HOST, 0..100), [1]);
    }

    #[test]
    fn a_writer_waits_for_readers_on_every_device() {
        let mut world = World::new();
        world.write(0, HOST, 0..100);
        world.copy(1, HOST, GPU, 0..100);
        world.read(1, GPU, 0..100);
        assert_eq!(world.write(0, HOST, 0..50), [1, 2, 3]);
        assert_eq!(world.write(0, HOST, 0..50), [4]);
    }

    #[test]
    fn readers_do_not_wait_for_each_other() {
        let mut world = World::new();
        assert_eq!(world.read(0, HOST, 0..100), NOTHING);
        assert_eq!(world.read(1, HOST, 0..100), NOTHING);
    }

    #[test]
    fn disjoint_elements_are_in_no_order() {
        let mut world = World::new();
        world.write(0, HOST, 0..50);
        assert_eq!(world.write(1, GPU, 50..100), NOTHING);
    }

    #[test]
    fn finished_commands_are_forgotten_and_their_runs_join() {
        let mut world = World::new();
        for i in 0..10 {
            world.write(0, HOST, i * 10..i * 10 + 10);
        }
        world.finished.extend(1..=10);
        assert_eq!(world.read(0, HOST, 0..100), NOTHING);
        assert_eq!(world.order.touched.runs(), 1);
    }

    #[test]
    fn only_the_last_reader_of_a_stream_is_kept() {
        let mut world = World::new();
        for _ in 0..5 {
            world.read(0, HOST, 0..100);
        }
        assert_eq!(world.write(1, GPU, 0..100), [5]);
    }
}
