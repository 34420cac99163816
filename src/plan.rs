//! From a bound dispatch and its chunks to commands: what is copied where, what runs, what is combined.
//!
//! Pure: it keeps the books of what every buffer will look like once all that is planned has been done, and touches no
//! device and no byte. When the commands start is the queue's affair, how large the chunks are the split's.
//!
//! Invariant: doing the commands of all plans in any order that their dependencies allow leaves the same bytes as doing
//! the dispatches whole, one after another.

use crate::buffer::coherence::{LostSpan, MissingSpan};
use crate::buffer::order::Toucher;
use crate::buffer::{Coherence, Order};
use crate::id::{BufferId, CommandId, DeviceId, IdMap, MemoryId, OperationId};
use crate::kernel::{Access, Combine, Word};
use crate::span::Span;
use crate::system::System;
use std::fmt::Write as _;

/// What a dispatch does with one of its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The buffer.
    pub buffer: BufferId,
    /// Whether it is written.
    pub writes: bool,
    /// How chunks map to elements; nothing where that isn't known, and then there is one chunk.
    pub access: Option<Access>,
    /// What its elements are made of, where they are accumulated.
    pub word: Option<Word>,
}

impl Touch {
    /// Whether values are combined into it.
    pub(crate) fn accumulates(&self) -> bool {
        matches!(self.access, Some(Access::Accumulate(_)))
    }

    /// How values are combined in a private copy for each chunk, if chunks have such copies.
    fn in_private(&self, private: bool) -> Option<(Combine, Word)> {
        match self.access {
            Some(Access::Accumulate(combine)) if private => self.word.map(|word| (combine, word)),
            _ => None,
        }
    }
}

/// A chunk of a dispatch and who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The device.
    pub device: DeviceId,
    /// Units of the range's slowest dimension.
    pub units: Span,
}

/// One command of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command {
    /// Its id; ids grow in the order of planning.
    pub id: CommandId,
    /// The operation it is part of.
    pub operation: OperationId,
    /// The device that does it; none for the host's own access, which the calling thread does.
    pub device: Option<DeviceId>,
    /// What it does.
    pub action: Action,
    /// Where in [`Plan::depends_on`] the commands stand that must have ended before.
    depends_on: (u32, u32),
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Copies elements of a buffer from one memory to another, one of which is the host's.
    Copy {
        /// The buffer.
        buffer: BufferId,
        /// Where the newest elements are.
        from: MemoryId,
        /// Where they are needed.
        to: MemoryId,
        /// Which elements.
        span: Span,
    },
    /// Runs a chunk of the operation's kernel.
    Run {
        /// Units of the range's slowest dimension.
        units: Span,
        /// The private copies that it accumulates in, if it does.
        group: Option<BufferId>,
    },
    /// Makes a private copy of a buffer that starts at the identity of the operation.
    Fill {
        /// The private copy, an id of its own.
        private: BufferId,
        /// The chunk's private copies go by the id of the first.
        group: BufferId,
        /// The buffer it is a copy of.
        of: BufferId,
        /// What it is combined with the buffer by.
        combine: Combine,
        /// On what type.
        word: Word,
    },
    /// Combines the private copies of a chunk, which are in the device's memory, into the buffers in the host's: all of
    /// them or, if the device fails, none.
    Accumulate {
        /// The chunk's private copies.
        group: BufferId,
        /// Units of the chunk.
        units: Span,
    },
    /// The calling thread reads elements in the host's memory.
    HostRead {
        /// The buffer.
        buffer: BufferId,
        /// Which elements.
        span: Span,
    },
    /// The calling thread writes elements in the host's memory.
    HostWrite {
        /// The buffer.
        buffer: BufferId,
        /// Which elements.
        span: Span,
    },
}

/// The commands of one operation. Kept and filled again, a plan allocates nothing once it has grown.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    commands: Vec<Command>,
    depends_on: Vec<CommandId>,
}

impl Plan {
    /// Forgets the commands and keeps the room they took.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.depends_on.clear();
    }

    /// The commands, in an order that their dependencies allow.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// What must have ended before the command may start.
    #[must_use]
    pub fn depends_on(&self, command: &Command) -> &[CommandId] {
        &self.depends_on[command.depends_on.0 as usize..command.depends_on.1 as usize]
    }

    /// The elements copied from one memory to another, in order.
    #[must_use]
    pub fn copies(&self, source: MemoryId, target: MemoryId) -> Vec<Span> {
        let copied = |command: &Command| match command.action {
            Action::Copy { from, to, span, .. } if from == source && to == target => Some(span),
            _ => None,
        };
        self.commands.iter().filter_map(copied).collect()
    }

    /// The plan as a graph in the DOT language of Graphviz.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph plan {\n  node [shape=box];\n");
        for command in &self.commands {
            let device = command
                .device
                .map_or_else(|| "host".to_owned(), |device| device.to_string());
            let what = match command.action {
                Action::Copy {
                    buffer,
                    from,
                    to,
                    span,
                } => format!("copy {buffer} {span}\\n{from} to {to}"),
                Action::Run { units, .. } => format!("run {units}"),
                Action::Fill {
                    private,
                    of,
                    combine,
                    ..
                } => format!("fill {private} for {of} ({combine:?})"),
                Action::Accumulate { units, .. } => format!("accumulate {units}"),
                Action::HostRead { buffer, span } => format!("read {buffer} {span}"),
                Action::HostWrite { buffer, span } => format!("write {buffer} {span}"),
            };
            // Writing to a string never fails.
            let _ = writeln!(dot, "  {0} [label=\"{0} {device}\\n{what}\"];", command.id);
            for earlier in self.depends_on(command) {
                let _ = writeln!(dot, "  {earlier} -> {};", command.id);
            }
        }
        dot.push_str("}\n");
        dot
    }
}

/// Elements of a buffer that an operation needs are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostInput {
    /// The buffer.
    pub buffer: BufferId,
    /// The first of the elements.
    pub span: Span,
}

/// What is known of one buffer once everything planned is done.
#[derive(Clone, Debug)]
struct Account {
    coherence: Coherence,
    order: Order,
}

/// Plans operations one after another.
#[derive(Clone, Debug)]
pub struct Planner {
    system: System,
    accounts: IdMap<BufferId, Account>,
    last_command: CommandId,
    /// Private copies count down from the top, so that they never meet a buffer's id.
    next_private: u64,
    missing: Vec<MissingSpan>,
    /// What goes from the host's memory to which other.
    outbound: Vec<(BufferId, MemoryId, Span)>,
}

impl Planner {
    /// Of a system without buffers.
    #[must_use]
    pub fn new(system: System) -> Self {
        Self {
            system,
            accounts: IdMap::default(),
            last_command: CommandId::DONE,
            next_private: u64::MAX,
            missing: Vec::new(),
            outbound: Vec::new(),
        }
    }

    /// The system it plans for.
    #[must_use]
    pub fn system(&self) -> &System {
        &self.system
    }

    /// Learns of a buffer of `len` elements, zero in every memory.
    pub fn add(&mut self, buffer: BufferId, len: u64) {
        self.accounts.insert(
            buffer,
            Account {
                coherence: Coherence::fresh(len),
                order: Order::new(len),
            },
        );
    }

    /// Forgets a buffer that nobody can name any more.
    pub fn remove(&mut self, buffer: BufferId) {
        self.accounts.remove(&buffer);
    }

    /// Sets what a buffer looks like, with no command on it unfinished: the first step of planning anew after a loss.
    pub fn reset(&mut self, buffer: BufferId, coherence: Coherence) {
        let order = Order::new(coherence.len());
        self.accounts.insert(buffer, Account { coherence, order });
    }

    /// What a buffer will look like once everything planned is done.
    ///
    /// # Panics
    ///
    /// If the buffer isn't known.
    #[must_use]
    pub fn coherence(&self, buffer: BufferId) -> &Coherence {
        &self.accounts[&buffer].coherence
    }

    /// Plans chunks of a dispatch whose range has `extent` units in its slowest dimension, and appends the commands.
    ///
    /// `whole` says that the chunks are all there will be of the dispatch: then one alone accumulates in the buffer
    /// itself. `is_unfinished` says which of the commands of earlier
    /// plans haven't ended.
    ///
    /// # Errors
    ///
    /// If elements that a chunk needs are lost. Nothing is planned then.
    ///
    /// # Panics
    ///
    /// If a pattern doesn't divide a buffer evenly, or chunks are several though a written buffer has no pattern: both
    /// are refused when the dispatch is bound.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a fact of its own, and there is one caller"
    )]
    pub fn dispatch(
        &mut self,
        operation: OperationId,
        extent: u64,
        touches: &[Touch],
        chunks: &[Placed],
        whole: bool,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        plan: &mut Plan,
    ) -> Result<(), LostInput> {
        let before = self.last_command;
        let is_unfinished = &move |command: CommandId| command > before || is_unfinished(command);
        let private = !(whole
            && chunks
                .iter()
                .filter(|chunk| !chunk.units.is_empty())
                .count()
                <= 1);
        for chunk in chunks.iter().filter(|chunk| !chunk.units.is_empty()) {
            for touch in touches {
                for span in self.pieces_of(touch, chunk.units, extent) {
                    self.check_not_lost(touch.buffer, span)?;
                }
            }
        }
        // First everything comes home, then it goes where it is needed, then the chunks run: a stream works in order, and
        // one that had to run its chunk before it sent its neighbours their halos would have all of them wait for it.
        let mut outbound = std::mem::take(&mut self.outbound);
        outbound.clear();
        let mut home = Ok(());
        for chunk in chunks.iter().filter(|chunk| !chunk.units.is_empty()) {
            let memory = self.system.memory(chunk.device);
            for touch in touches
                .iter()
                .filter(|touch| touch.in_private(private).is_none())
            {
                let buffer = touch.buffer;
                for span in self.pieces_of(touch, chunk.units, extent) {
                    let brought = self.bring(operation, buffer, memory, span, is_unfinished, plan);
                    home = home.and(brought);
                    if memory != MemoryId::HOST {
                        let out = |missing: &MissingSpan| (buffer, memory, missing.span);
                        outbound.extend(self.missing.iter().map(out));
                    }
                }
            }
        }
        for (buffer, memory, span) in &outbound {
            let way = (MemoryId::HOST, *memory);
            self.copy(operation, *buffer, way, *span, is_unfinished, plan);
        }
        self.outbound = outbound;
        home?;
        for chunk in chunks.iter().filter(|chunk| !chunk.units.is_empty()) {
            self.chunk(
                operation,
                extent,
                touches,
                *chunk,
                private,
                is_unfinished,
                plan,
            )?;
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the inside of the function above"
    )]
    fn chunk(
        &mut self,
        operation: OperationId,
        extent: u64,
        touches: &[Touch],
        chunk: Placed,
        private: bool,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        plan: &mut Plan,
    ) -> Result<(), LostInput> {
        let memory = self.system.memory(chunk.device);
        let mut group = None;
        for touch in touches {
            if let Some((combine, word)) = touch.in_private(private) {
                let private = BufferId(self.next_private);
                self.next_private -= 1;
                let group = *group.get_or_insert(private);
                let action = Action::Fill {
                    private,
                    group,
                    of: touch.buffer,
                    combine,
                    word,
                };
                let by = self.next(Some(chunk.device));
                let none = plan.depends_on.len();
                plan.commands
                    .push(command(by, operation, action, none, none));
            }
        }

        let run = self.next(Some(chunk.device));
        let first = plan.depends_on.len();
        for touch in touches
            .iter()
            .filter(|touch| touch.in_private(private).is_none())
        {
            for span in self.pieces_of(touch, chunk.units, extent) {
                let account = self.account(touch.buffer);
                if touch.writes {
                    account
                        .order
                        .write(run, memory, span, is_unfinished, &mut plan.depends_on);
                    account.coherence.written(memory, span);
                } else {
                    account
                        .order
                        .read(run, memory, span, is_unfinished, &mut plan.depends_on);
                }
            }
        }
        let action = Action::Run {
            units: chunk.units,
            group,
        };
        plan.commands.push(command(
            run,
            operation,
            action,
            first,
            plan.depends_on.len(),
        ));

        match group {
            Some(group) => self.combine(
                operation,
                extent,
                touches,
                chunk,
                (group, run.command),
                is_unfinished,
                plan,
            ),
            None => Ok(()),
        }
    }

    /// Plans that the private copies of a chunk whose run has ended are combined: the second half of a chunk that
    /// accumulates, when it is planned anew.
    ///
    /// # Errors
    ///
    /// If elements that they are combined into are lost. Nothing is planned then.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a fact of its own, and there is one caller"
    )]
    pub fn accumulate(
        &mut self,
        operation: OperationId,
        extent: u64,
        touches: &[Touch],
        chunk: Placed,
        group: BufferId,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        plan: &mut Plan,
    ) -> Result<(), LostInput> {
        let before = self.last_command;
        let is_unfinished = &move |command: CommandId| command > before || is_unfinished(command);
        for touch in touches.iter().filter(|touch| touch.accumulates()) {
            let len = self.coherence(touch.buffer).len();
            self.check_not_lost(touch.buffer, Span::new(0, len))?;
        }
        self.combine(
            operation,
            extent,
            touches,
            chunk,
            (group, CommandId::DONE),
            is_unfinished,
            plan,
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the inside of the function above"
    )]
    fn combine(
        &mut self,
        operation: OperationId,
        extent: u64,
        touches: &[Touch],
        chunk: Placed,
        (group, run): (BufferId, CommandId),
        is_unfinished: &dyn Fn(CommandId) -> bool,
        plan: &mut Plan,
    ) -> Result<(), LostInput> {
        let combined = |touch: &&Touch| touch.accumulates();
        for touch in touches.iter().filter(combined) {
            let all = Span::new(0, self.coherence(touch.buffer).len());
            self.bring(
                operation,
                touch.buffer,
                MemoryId::HOST,
                all,
                is_unfinished,
                plan,
            )?;
        }
        let by = self.next(Some(chunk.device));
        let first = plan.depends_on.len();
        plan.depends_on.push(run);
        for touch in touches.iter().filter(combined) {
            let all = Span::new(0, self.coherence(touch.buffer).len());
            let account = self.account(touch.buffer);
            account
                .order
                .write(by, MemoryId::HOST, all, is_unfinished, &mut plan.depends_on);
            account.coherence.written(MemoryId::HOST, all);
        }
        // What the run wrote counts with what it accumulated: if a device is lost in between, neither does.
        let memory = self.system.memory(chunk.device);
        for touch in touches
            .iter()
            .filter(|touch| touch.writes && !combined(touch))
        {
            for span in self.pieces_of(touch, chunk.units, extent) {
                let account = self.account(touch.buffer);
                account
                    .order
                    .write(by, memory, span, is_unfinished, &mut plan.depends_on);
                account.coherence.written(memory, span);
            }
        }
        let action = Action::Accumulate {
            group,
            units: chunk.units,
        };
        plan.commands
            .push(command(by, operation, action, first, plan.depends_on.len()));
        Ok(())
    }

    /// Plans that the calling thread reads elements in the host's memory. The last command is the access itself.
    ///
    /// # Errors
    ///
    /// If some of the elements are lost. Nothing is planned then.
    pub fn host_read(
        &mut self,
        operation: OperationId,
        buffer: BufferId,
        span: Span,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        plan: &mut Plan,
    ) -> Result<(), LostInput> {
        let before = self.last_command;
        let is_unfinished = &move |command: CommandId| command > before || is_unfinished(command);
        self.bring(operation, buffer, MemoryId::HOST, span, is_unfinished, plan)?;
        let by = self.next(None);
        let first = plan.depends_on.len();
        self.account(buffer).order.read(
            by,
            MemoryId::HOST,
            span,
            is_unfinished,
            &mut plan.depends_on,
        );
        plan.commands.push(command(
            by,
            operation,
            Action::HostRead { buffer, span },
            first,
            plan.depends_on.len(),
        ));
        Ok(())
    }

    /// Plans that the calling thread writes elements in the host's memory: the last, and only, command.
    pub fn host_write(
        &mut self,
        operation: OperationId,
        buffer: BufferId,
        span: Span,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        plan: &mut Plan,
    ) {
        let by = self.next(None);
        let first = plan.depends_on.len();
        let account = self.account(buffer);
        account.order.write(
            by,
            MemoryId::HOST,
            span,
            is_unfinished,
            &mut plan.depends_on,
        );
        account.coherence.written(MemoryId::HOST, span);
        plan.commands.push(command(
            by,
            operation,
            Action::HostWrite { buffer, span },
            first,
            plan.depends_on.len(),
        ));
    }

    /// The elements of a chunk that a device would have to be sent before it could run it, buffer by buffer.
    pub fn count_missing(
        &self,
        extent: u64,
        touches: &[Touch],
        chunk: Placed,
        mut each: impl FnMut(&Touch, u64),
    ) {
        let memory = self.system.memory(chunk.device);
        for touch in touches.iter().filter(|touch| !touch.accumulates()) {
            let coherence = self.coherence(touch.buffer);
            let pieces = self.pieces_of(touch, chunk.units, extent);
            let missing = pieces
                .map(|span| coherence.count_missing(memory, span))
                .sum();
            each(touch, missing);
        }
    }

    /// Whether a glance shows that a device lacks nothing for any chunk.
    pub(crate) fn is_seen_to_lack_nothing(&self, touches: &[Touch], device: DeviceId) -> bool {
        let memory = self.system.memory(device);
        let mut touches = touches.iter();
        touches.all(|touch| self.coherence(touch.buffer).is_seen_to_be_held(memory))
    }

    /// Sets `bytes` to what each device would have to be sent before it could run the whole dispatch. For all devices at
    /// once: asked one by one, each would look at what all the others hold.
    pub fn missing_whole(
        &self,
        extent: u64,
        touches: &[Touch],
        element_bytes: impl Fn(&Touch) -> u64,
        bytes: &mut Vec<u64>,
    ) {
        let devices = self.system.devices();
        bytes.clear();
        bytes.resize(devices, 0);
        let (mut all, mut host) = (0, 0);
        for touch in touches.iter().filter(|touch| !touch.accumulates()) {
            let of_one = element_bytes(touch);
            let coherence = self.coherence(touch.buffer);
            for span in self.pieces_of(touch, Span::new(0, extent), extent) {
                coherence.holders(span, |elements, memories| {
                    all += elements * of_one;
                    for memory in memories {
                        match self.system.owner(*memory) {
                            Some(device) => bytes[device.0 as usize] += elements * of_one,
                            None => host += elements * of_one,
                        }
                    }
                });
            }
        }
        for (device, held) in bytes.iter_mut().enumerate() {
            *held = match self.system.memory(DeviceId(device as u32)) {
                MemoryId::HOST => all - host,
                _ => all - *held,
            };
        }
    }

    /// Plans the copies to the host's memory of what `memory` lacks of `span`: whatever goes anywhere goes through there.
    /// `missing` says what that is.
    fn bring(
        &mut self,
        operation: OperationId,
        buffer: BufferId,
        memory: MemoryId,
        span: Span,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        plan: &mut Plan,
    ) -> Result<(), LostInput> {
        let mut missing = std::mem::take(&mut self.missing);
        missing.clear();
        let found = self
            .account(buffer)
            .coherence
            .missing(memory, span, &mut missing);
        for MissingSpan { source, span } in &missing {
            if *source != MemoryId::HOST {
                let way = (*source, MemoryId::HOST);
                self.copy(operation, buffer, way, *span, is_unfinished, plan);
            }
        }
        self.missing = missing;
        found.map_err(|LostSpan(span)| LostInput { buffer, span })
    }

    fn copy(
        &mut self,
        operation: OperationId,
        buffer: BufferId,
        (from, to): (MemoryId, MemoryId),
        span: Span,
        is_unfinished: &dyn Fn(CommandId) -> bool,
        plan: &mut Plan,
    ) {
        let device = self.system.owner(from).or(self.system.owner(to));
        let by = self.next(device);
        let first = plan.depends_on.len();
        let account = self.account(buffer);
        account
            .order
            .copy(by, from, to, span, is_unfinished, &mut plan.depends_on);
        account.coherence.copied(to, span);
        let action = Action::Copy {
            buffer,
            from,
            to,
            span,
        };
        plan.commands
            .push(command(by, operation, action, first, plan.depends_on.len()));
    }

    fn next(&mut self, stream: Option<DeviceId>) -> Toucher {
        self.last_command.0 += 1;
        Toucher {
            command: self.last_command,
            stream,
        }
    }

    fn check_not_lost(&mut self, buffer: BufferId, span: Span) -> Result<(), LostInput> {
        match self.account(buffer).coherence.first_lost(span) {
            Some(span) => Err(LostInput { buffer, span }),
            None => Ok(()),
        }
    }

    /// The elements that a chunk touches.
    fn pieces_of(
        &self,
        touch: &Touch,
        units: Span,
        extent: u64,
    ) -> impl Iterator<Item = Span> + use<> {
        let len = self.coherence(touch.buffer).len();
        let access = touch.access.unwrap_or(Access::All);
        let pieces = access.pieces(units, extent, len);
        let pieces = pieces.expect("an uneven pattern is refused when the dispatch is bound");
        pieces.into_iter().filter(|piece| !piece.is_empty())
    }

    fn account(&mut self, buffer: BufferId) -> &mut Account {
        self.accounts
            .get_mut(&buffer)
            .expect("an operation touches buffers that are known")
    }
}

fn command(
    by: Toucher,
    operation: OperationId,
    action: Action,
    first: usize,
    last: usize,
) -> Command {
    let depends_on = (first as u32, last as u32);
    Command {
        id: by.command,
        operation,
        device: by.stream,
        action,
        depends_on,
    }
}

#[cfg(test)]
mod tests;
