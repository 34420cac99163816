//! Gives values registers, and puts the instructions of a stretch.
//!
//! One walk from front to back: a value is brought into a register when an instruction needs it there, and the one that is
//! needed last makes room. Nothing is stored that isn't needed beyond the stretch, unless registers run out.
//!
//! Invariant: a value is in a register, in its home, or needed no longer.

use super::assembler::{Assembler, Mark, Operand, at, indexed};
use super::frame::{BITS, CONSTANTS, LANE, Layout, REGISTERS, TABLE};
use super::looped::{Carried, Exit};
use super::micro::{Bank, Home, Kind, Micro, Value, Width};
use super::select::Selection;
use iced_x86::{Code as X86, MemoryOperand, Register};
use std::collections::HashMap;

/// The registers of one kind.
pub(super) struct File {
    bank: Bank,
    pub(super) owners: Vec<Option<Value>>,
    /// Those that aren't given to others.
    pub(super) is_pinned: Vec<bool>,
}

impl File {
    pub(super) fn new(bank: Bank) -> Self {
        let count = match bank {
            Bank::Vector => 32,
            Bank::Mask => 8,
        };
        let mut is_pinned = vec![false; count];
        // The first mask register means no mask at all.
        is_pinned[0] = bank == Bank::Mask;
        Self {
            bank,
            owners: vec![None; count],
            is_pinned,
        }
    }

    pub(super) fn register(&self, index: usize) -> Register {
        match self.bank {
            Bank::Vector => vector(index, Width::Whole),
            Bank::Mask => Register::K0 + index as u32,
        }
    }
}

pub(super) fn vector(index: usize, width: Width) -> Register {
    match width {
        Width::Whole => Register::ZMM0 + index as u32,
        Width::Half => Register::YMM0 + index as u32,
    }
}

/// The general registers that pointers are in, while they last.
pub(super) const POINTERS: [Register; 5] = [
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
];

/// A pointer of a stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) at: HeldAt,
    /// The bytes from one word to the next of what it points to.
    pub(super) word_bytes: i64,
    /// Whether it points to what is bound, which may not be in any cache.
    pub(super) is_bound: bool,
    /// Where on the stack it says, in a word, whether chunks are stored past the caches.
    pub(super) passes: Option<u32>,
}

/// Where it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeldAt {
    Register(Register),
    /// So many bytes from the stack's end.
    Stack(u32),
}

/// Registers that an access needs for itself.
#[derive(Clone, Copy)]
pub(super) struct Scratch {
    pub(super) vectors: [usize; 2],
    pub(super) mask: usize,
}

/// The walk through the instructions of one list.
pub(super) struct Assign<'a> {
    pub(super) asm: &'a mut Assembler,
    pub(super) layout: &'a Layout,
    pub(super) homes: Vec<Option<Home>>,
    /// What has its home in memory from the start, by home.
    pub(super) at_home: HashMap<Home, Vec<Value>>,
    pub(super) banks: &'a [Bank],
    pub(super) places: Vec<Option<usize>>,
    pub(super) vectors: File,
    pub(super) masks: File,
    /// Whether a value is still to be kept at its home.
    pub(super) is_to_come: Vec<bool>,
    /// Where each value is used from here on, the last first.
    pub(super) uses: Vec<Vec<usize>>,
    pub(super) now: usize,
    /// Registers that the present instruction needs, by bank and number.
    pub(super) locked: Vec<(Bank, usize)>,
    pub(super) pointers: &'a [Held],
    /// Of a loop: what is handed on from round to round, and what becomes what at its end; where chunks leave; the registers
    /// of what has one for good; and where a round begins.
    pub(super) carried: Vec<Carried>,
    pub(super) turns: HashMap<Value, Value>,
    pub(super) exits: Vec<Exit>,
    pub(super) pins: HashMap<Value, usize>,
    pub(super) round: Option<Mark>,
    /// Where the next chunk is begun.
    pub(super) next: Option<Mark>,
    /// The bytes of the stack that are taken.
    pub(super) stack: u32,
}

/// Leaves out what computes something that nobody uses.
pub(super) fn without_unused(micros: Vec<Micro>, values: usize) -> Vec<Micro> {
    let mut is_used = vec![false; values];
    let mut kept = Vec::with_capacity(micros.len());
    for micro in micros.into_iter().rev() {
        let is_kept = matches!(micro.kind, Kind::Keep(_));
        if !is_kept && micro.dst.is_some_and(|dst| !is_used[dst.0 as usize]) {
            continue;
        }
        for source in &micro.sources {
            is_used[source.0 as usize] = true;
        }
        kept.push(micro);
    }
    kept.reverse();
    kept
}

impl<'a> Assign<'a> {
    pub(super) fn new(
        asm: &'a mut Assembler,
        layout: &'a Layout,
        selection: &'a Selection,
        micros: &[Micro],
        pointers: &'a [Held],
        stack: u32,
    ) -> Self {
        let count = selection.homes.len();
        let mut at_home: HashMap<Home, Vec<Value>> = HashMap::new();
        for (home, i) in selection.homes.iter().zip(0..) {
            if let Some(home) = home {
                at_home.entry(*home).or_default().push(Value(i));
            }
        }
        let mut uses = vec![Vec::new(); count];
        let mut is_to_come = vec![false; count];
        for (place, micro) in micros.iter().enumerate().rev() {
            if let (Kind::Keep(_), Some(after)) = (micro.kind, micro.dst) {
                is_to_come[after.0 as usize] = true;
            }
            for source in &micro.sources {
                uses[source.0 as usize].push(place);
            }
        }
        Self {
            asm,
            layout,
            homes: selection.homes.clone(),
            at_home,
            banks: &selection.banks,
            places: vec![None; count],
            vectors: File::new(Bank::Vector),
            masks: File::new(Bank::Mask),
            is_to_come,
            uses,
            now: 0,
            locked: Vec::new(),
            pointers,
            carried: Vec::new(),
            turns: HashMap::new(),
            exits: Vec::new(),
            pins: HashMap::new(),
            round: None,
            next: None,
            stack,
        }
    }

    /// Loads what all chunks use, as far as there are registers that they don't need otherwise.
    pub(super) fn pin(&mut self, micros: &[Micro]) {
        let mut shared: Vec<Value> = (0..self.homes.len())
            .filter(|i| self.banks[*i] == Bank::Vector && !self.uses[*i].is_empty())
            .filter(|i| self.homes[*i].is_some_and(Home::is_for_all_chunks))
            .map(|i| Value(i as u32))
            .collect();
        let most = self.pressure(micros, &shared);
        let free = 32_usize.saturating_sub(most + 3);
        shared.sort_by_key(|value| std::cmp::Reverse(self.uses[value.0 as usize].len()));
        for value in shared.into_iter().take(free) {
            self.register(value);
            if let Some(index) = self.places[value.0 as usize] {
                self.vectors.is_pinned[index] = true;
            }
        }
        self.locked.clear();
    }

    /// The most vectors that are needed at a time, beside these.
    pub(super) fn pressure(&self, micros: &[Micro], beside: &[Value]) -> usize {
        let mut is_beside = vec![false; self.homes.len()];
        beside
            .iter()
            .for_each(|value| is_beside[value.0 as usize] = true);
        let mut born = vec![usize::MAX; self.homes.len()];
        let mut changes = vec![0_isize; micros.len() + 2];
        for (place, micro) in micros.iter().enumerate() {
            for value in micro.sources.iter().chain(&micro.dst) {
                let first = &mut born[value.0 as usize];
                *first = (*first).min(place);
            }
        }
        for (i, first) in born.iter().enumerate() {
            let is_one = *first != usize::MAX && self.banks[i] == Bank::Vector && !is_beside[i];
            if is_one {
                let last = self.uses[i].first().copied().unwrap_or(*first);
                changes[*first] += 1;
                changes[last + 1] -= 1;
            }
        }
        let mut now = 0;
        let mut most = 0;
        for change in changes {
            now += change;
            most = most.max(now);
        }
        most.unsigned_abs()
    }

    /// A mark at the next instruction.
    pub(super) fn mark_here(&mut self) -> Mark {
        let mark = self.asm.mark();
        self.asm.place(mark);
        mark
    }

    pub(super) fn new_mark(&mut self) -> Mark {
        self.asm.mark()
    }

    /// Where the next chunk will be begun.
    pub(super) fn next_mark(&mut self) -> Mark {
        *self.next.get_or_insert_with(|| self.asm.mark())
    }

    /// Goes elsewhere with a chunk that has no lane of the mask at a place.
    pub(super) fn leave_out(&mut self, mask: u32, to: Mark) {
        let bits = self.memory(Home::Bits(mask));
        self.put(X86::Cmp_rm16_imm8, &[bits.into(), 0.into()]);
        self.branch(X86::Je_rel32_64, to);
    }

    pub(super) fn put(&mut self, code: X86, operands: &[Operand]) {
        self.asm.put(code, operands);
    }

    pub(super) fn branch(&mut self, code: X86, to: Mark) {
        self.asm.branch(code, to);
    }

    pub(super) fn run(&mut self, micros: &[Micro]) {
        for (place, micro) in micros.iter().enumerate() {
            self.now = place;
            self.locked.clear();
            self.micro(micro);
            for source in &micro.sources {
                self.release(*source);
            }
            if let Some(dst) = micro.dst {
                self.release(dst);
            }
        }
    }

    /// Lets go of what is needed no longer.
    pub(super) fn release(&mut self, value: Value) {
        let i = value.0 as usize;
        while self.uses[i].last().is_some_and(|next| *next <= self.now) {
            self.uses[i].pop();
        }
        if self.uses[i].is_empty()
            && let Some(index) = self.places[i]
        {
            let file = self.file(self.banks[i]);
            if !file.is_pinned[index] {
                file.owners[index] = None;
                self.places[i] = None;
            }
        }
    }

    /// Whether the present instruction is the last that needs it.
    pub(super) fn dies(&self, value: Value) -> bool {
        let i = value.0 as usize;
        let file = match self.banks[i] {
            Bank::Vector => &self.vectors,
            Bank::Mask => &self.masks,
        };
        let is_pinned = self.places[i].is_some_and(|index| file.is_pinned[index]);
        !is_pinned && self.uses[i].iter().all(|place| *place <= self.now)
    }

    /// Whether the present instruction is the last that needs what a round begins with, and gives what the next one does.
    pub(super) fn becomes(&self, value: Value, result: Value) -> bool {
        self.turns.get(&result) == Some(&value)
            && self.uses[value.0 as usize]
                .iter()
                .all(|place| *place <= self.now)
    }

    pub(super) fn file(&mut self, bank: Bank) -> &mut File {
        match bank {
            Bank::Vector => &mut self.vectors,
            Bank::Mask => &mut self.masks,
        }
    }

    /// A register that nobody needs, made free if it has to be.
    pub(super) fn take(&mut self, bank: Bank) -> usize {
        let locked = self.locked.clone();
        let is_open = |index: &usize| !locked.contains(&(bank, *index));
        let file = self.file(bank);
        let count = file.owners.len();
        let free = (0..count)
            .filter(|index| !file.is_pinned[*index] && file.owners[*index].is_none())
            .find(is_open);
        if let Some(index) = free {
            return index;
        }
        let candidates: Vec<usize> = (0..count)
            .filter(|index| !file.is_pinned[*index])
            .filter(is_open)
            .collect();
        let owners: Vec<Option<Value>> = file.owners.clone();
        let next_use = |index: &usize| {
            let value = owners[*index].map_or(0, |value| value.0 as usize);
            self.uses[value].last().copied().unwrap_or(usize::MAX)
        };
        let index = candidates
            .into_iter()
            .max_by_key(next_use)
            .unwrap_or(count - 1);
        if let Some(value) = owners[index] {
            self.evict(value, index);
        }
        index
    }

    pub(super) fn evict(&mut self, value: Value, index: usize) {
        let i = value.0 as usize;
        let is_needed = self.uses[i].last().is_some_and(|next| *next >= self.now);
        if self.homes[i].is_none() && is_needed {
            let home = Home::Stack(self.stack);
            self.stack += 64;
            self.homes[i] = Some(home);
            self.write(self.banks[i], index, home);
        }
        self.places[i] = None;
        let bank = self.banks[i];
        self.file(bank).owners[index] = None;
    }

    pub(super) fn lock(&mut self, bank: Bank, index: usize) {
        self.locked.push((bank, index));
    }

    pub(super) fn own(&mut self, value: Value, index: usize) {
        let bank = self.banks[value.0 as usize];
        self.file(bank).owners[index] = Some(value);
        self.places[value.0 as usize] = Some(index);
        self.lock(bank, index);
    }

    /// The register of a value, which is brought there.
    pub(super) fn register(&mut self, value: Value) -> usize {
        let i = value.0 as usize;
        let bank = self.banks[i];
        if let Some(index) = self.places[i] {
            self.lock(bank, index);
            return index;
        }
        let index = self.take(bank);
        if let Some(home) = self.homes[i] {
            self.read(bank, index, home);
        }
        self.own(value, index);
        index
    }

    /// A register for a result.
    pub(super) fn result(&mut self, value: Value) -> usize {
        let index = self.take(self.banks[value.0 as usize]);
        self.own(value, index);
        index
    }

    /// A register for what is needed within the present instruction.
    pub(super) fn scratch(&mut self, bank: Bank) -> usize {
        let index = self.take(bank);
        self.lock(bank, index);
        index
    }

    /// The same for what has several ways: all of them find the registers alike.
    pub(super) fn scratches(&mut self) -> Scratch {
        Scratch {
            vectors: [self.scratch(Bank::Vector), self.scratch(Bank::Vector)],
            mask: self.scratch(Bank::Mask),
        }
    }

    pub(super) fn memory(&self, home: Home) -> MemoryOperand {
        match home {
            Home::Lanes(place) => indexed(REGISTERS, LANE, 1, i64::from(place)),
            Home::Uniform(place) | Home::UniformBits(place) => at(REGISTERS, i64::from(place)),
            Home::Bits(place) => indexed(REGISTERS, BITS, 1, i64::from(place)),
            Home::Constant(index) => MemoryOperand::with_base_displ_size_bcst_seg(
                CONSTANTS,
                i64::from(index) * 4,
                1,
                true,
                Register::None,
            ),
            Home::Stack(from) => at(Register::RSP, i64::from(from)),
            Home::Numbers => indexed(TABLE, LANE, 1, 0),
        }
    }

    /// The first word of a home.
    pub(super) fn word(&self, home: Home) -> MemoryOperand {
        match home {
            Home::Constant(index) => at(CONSTANTS, i64::from(index) * 4),
            other => self.memory(other),
        }
    }

    pub(super) fn read(&mut self, bank: Bank, index: usize, home: Home) {
        match (bank, home) {
            (Bank::Mask, _) => {
                let memory = self.memory(home);
                self.asm.put(
                    X86::VEX_Kmovw_kr_km16,
                    &[(Register::K0 + index as u32).into(), memory.into()],
                );
            }
            (Bank::Vector, Home::Constant(_)) => {
                let memory = self.word(home);
                self.asm.put(
                    X86::EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
                    &[vector(index, Width::Whole).into(), memory.into()],
                );
            }
            (Bank::Vector, _) => {
                let memory = self.memory(home);
                self.asm.put(
                    X86::EVEX_Vmovdqu32_zmm_k1z_zmmm512,
                    &[vector(index, Width::Whole).into(), memory.into()],
                );
            }
        }
    }

    pub(super) fn write(&mut self, bank: Bank, index: usize, home: Home) {
        let memory = self.memory(home);
        match bank {
            Bank::Mask => self.asm.put(
                X86::VEX_Kmovw_m16_kr,
                &[memory.into(), (Register::K0 + index as u32).into()],
            ),
            Bank::Vector => self.asm.put(
                X86::EVEX_Vmovdqu32_zmmm512_k1z_zmm,
                &[memory.into(), vector(index, Width::Whole).into()],
            ),
        }
    }

    pub(super) fn zmm(&self, index: usize) -> Operand {
        self.vectors.register(index).into()
    }

    pub(super) fn k(&self, index: usize) -> Operand {
        self.masks.register(index).into()
    }

    /// The last source of an instruction: in memory if that saves a register.
    pub(super) fn last(&mut self, value: Value, may_read_memory: bool, width: Width) -> Operand {
        let i = value.0 as usize;
        if let (None, Some(home), true) = (self.places[i], self.homes[i], may_read_memory)
            && self.banks[i] == Bank::Vector
            && (self.dies(value) || matches!(home, Home::Constant(_)))
        {
            return self.memory(home).into();
        }
        let index = self.register(value);
        match self.banks[i] {
            Bank::Vector => vector(index, width).into(),
            Bank::Mask => self.k(index),
        }
    }

    /// Frees the register of what dies in the present instruction.
    pub(super) fn let_go(&mut self, value: Value) {
        let i = value.0 as usize;
        if self.dies(value)
            && let Some(index) = self.places[i]
        {
            let bank = self.banks[i];
            self.file(bank).owners[index] = None;
            self.places[i] = None;
        }
    }
}
