//! Gives values registers, and puts the instructions of a stretch.
//!
//! One walk from front to back: a value is brought into a register when an instruction needs it there, and the one that is
//! needed last makes room. Nothing is stored that isn't needed beyond the stretch, unless registers run out.
//!
//! Invariant: a value is in a register, in its home, or needed no longer.

use super::assembler::{Assembler, Mark, Operand, at, indexed};
use super::frame::{BITS, CONSTANTS, LANE, Layout, REGISTERS, TABLE};
use super::micro::{Area, Bank, Home, Kind, Micro, Pattern, Signs, Value, Width};
use super::select::Selection;
use iced_x86::{Code as X86, MemoryOperand, Register};

/// The registers of one kind.
struct File {
    bank: Bank,
    owners: Vec<Option<Value>>,
    /// Those that aren't given to others.
    is_pinned: Vec<bool>,
}

impl File {
    fn new(bank: Bank) -> Self {
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

    fn register(&self, index: usize) -> Register {
        match self.bank {
            Bank::Vector => vector(index, Width::Whole),
            Bank::Mask => Register::K0 + index as u32,
        }
    }
}

fn vector(index: usize, width: Width) -> Register {
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

/// Where the pointers of a stretch are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    Register(Register),
    /// So many bytes from the stack's end.
    Stack(u32),
}

/// Registers that an access needs for itself.
#[derive(Clone, Copy)]
struct Scratch {
    vectors: [usize; 2],
    mask: usize,
}

/// The walk through the instructions of one list.
pub(super) struct Assign<'a> {
    asm: &'a mut Assembler,
    layout: &'a Layout,
    homes: Vec<Option<Home>>,
    banks: &'a [Bank],
    places: Vec<Option<usize>>,
    vectors: File,
    masks: File,
    /// Whether a value is still to be kept at its home.
    is_to_come: Vec<bool>,
    /// Where each value is used from here on, the last first.
    uses: Vec<Vec<usize>>,
    now: usize,
    /// Registers that the present instruction needs, by bank and number.
    locked: Vec<(Bank, usize)>,
    pointers: &'a [Held],
    /// Where the next chunk is begun.
    next: Option<Mark>,
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
            banks: &selection.banks,
            places: vec![None; count],
            vectors: File::new(Bank::Vector),
            masks: File::new(Bank::Mask),
            is_to_come,
            uses,
            now: 0,
            locked: Vec::new(),
            pointers,
            next: None,
            stack,
        }
    }

    /// Loads what all chunks use, as far as there are registers that they don't need otherwise.
    pub(super) fn pin(&mut self, micros: &[Micro]) {
        let is_shared =
            |home: &Home| matches!(home, Home::Uniform(_) | Home::Constant(_) | Home::Stack(_));
        let mut shared: Vec<Value> = (0..self.homes.len())
            .filter(|i| self.banks[*i] == Bank::Vector && !self.uses[*i].is_empty())
            .filter(|i| self.homes[*i].as_ref().is_some_and(is_shared))
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
    fn pressure(&self, micros: &[Micro], beside: &[Value]) -> usize {
        let mut born = vec![usize::MAX; self.homes.len()];
        let mut changes = vec![0_isize; micros.len() + 2];
        for (place, micro) in micros.iter().enumerate() {
            for value in micro.sources.iter().chain(&micro.dst) {
                let first = &mut born[value.0 as usize];
                *first = (*first).min(place);
            }
        }
        for (i, first) in born.iter().enumerate() {
            let is_one = *first != usize::MAX
                && self.banks[i] == Bank::Vector
                && !beside.contains(&Value(i as u32));
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
    fn release(&mut self, value: Value) {
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
    fn dies(&self, value: Value) -> bool {
        let i = value.0 as usize;
        let is_pinned = self.places[i]
            .is_some_and(|index| self.banks[i] == Bank::Vector && self.vectors.is_pinned[index]);
        !is_pinned && self.uses[i].iter().all(|place| *place <= self.now)
    }

    fn file(&mut self, bank: Bank) -> &mut File {
        match bank {
            Bank::Vector => &mut self.vectors,
            Bank::Mask => &mut self.masks,
        }
    }

    /// A register that nobody needs, made free if it has to be.
    fn take(&mut self, bank: Bank) -> usize {
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

    fn evict(&mut self, value: Value, index: usize) {
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

    fn lock(&mut self, bank: Bank, index: usize) {
        self.locked.push((bank, index));
    }

    fn own(&mut self, value: Value, index: usize) {
        let bank = self.banks[value.0 as usize];
        self.file(bank).owners[index] = Some(value);
        self.places[value.0 as usize] = Some(index);
        self.lock(bank, index);
    }

    /// The register of a value, which is brought there.
    fn register(&mut self, value: Value) -> usize {
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
    fn result(&mut self, value: Value) -> usize {
        let index = self.take(self.banks[value.0 as usize]);
        self.own(value, index);
        index
    }

    /// A register for what is needed within the present instruction.
    fn scratch(&mut self, bank: Bank) -> usize {
        let index = self.take(bank);
        self.lock(bank, index);
        index
    }

    /// The same for what has several ways: all of them find the registers alike.
    fn scratches(&mut self) -> Scratch {
        Scratch {
            vectors: [self.scratch(Bank::Vector), self.scratch(Bank::Vector)],
            mask: self.scratch(Bank::Mask),
        }
    }

    fn memory(&self, home: Home) -> MemoryOperand {
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
    fn word(&self, home: Home) -> MemoryOperand {
        match home {
            Home::Constant(index) => at(CONSTANTS, i64::from(index) * 4),
            other => self.memory(other),
        }
    }

    fn read(&mut self, bank: Bank, index: usize, home: Home) {
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

    fn write(&mut self, bank: Bank, index: usize, home: Home) {
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

    fn zmm(&self, index: usize) -> Operand {
        self.vectors.register(index).into()
    }

    fn k(&self, index: usize) -> Operand {
        self.masks.register(index).into()
    }

    /// The last source of an instruction: in memory if that saves a register.
    fn last(&mut self, value: Value, may_read_memory: bool, width: Width) -> Operand {
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

    fn micro(&mut self, micro: &Micro) {
        match micro.kind {
            Kind::Plain {
                code,
                immediate,
                widths,
                may_read_memory,
                is_masked,
            } => {
                let mut sources = micro.sources.clone();
                let mask = if is_masked {
                    let index = self.register(sources.remove(0));
                    self.masks.register(index)
                } else {
                    Register::None
                };
                let mut operands = Vec::with_capacity(4);
                let count = sources.len();
                if count == 2 {
                    let index = self.register(sources[0]);
                    operands.push(match self.banks[sources[0].0 as usize] {
                        Bank::Vector => Operand::Register(vector(index, widths[1])),
                        Bank::Mask => self.k(index),
                    });
                }
                let width = widths[count];
                operands.push(self.last(sources[count - 1], may_read_memory, width));
                // What is needed no longer may give its register to the result.
                self.locked.clear();
                for source in &micro.sources {
                    self.let_go(*source);
                }
                let Some(dst) = micro.dst else { return };
                for source in &micro.sources {
                    if let Some(index) = self.places[source.0 as usize] {
                        let bank = self.banks[source.0 as usize];
                        self.lock(bank, index);
                    }
                }
                let index = self.result(dst);
                let result = match self.banks[dst.0 as usize] {
                    Bank::Vector => Operand::Register(vector(index, widths[0])),
                    Bank::Mask => self.k(index),
                };
                operands.insert(0, result);
                if let Some(immediate) = immediate {
                    operands.push(Operand::Number(i32::from(immediate)));
                }
                // A blend takes the mask for what it chooses, all else for what is zero.
                let zeroes = is_masked && code != X86::EVEX_Vpblendmd_zmm_k1z_zmm_zmmm512b32;
                self.asm.put_masked(code, &operands, mask, zeroes);
            }
            Kind::Fused(signs) => self.fused(signs, micro),
            Kind::LeaveIfNone => {
                let index = self.register(micro.sources[0]);
                let k = self.k(index);
                self.asm.put(X86::VEX_Kortestw_kr_kr, &[k, k]);
                if let Some(next) = self.next {
                    self.asm.branch(X86::Je_rel32_64, next);
                }
            }
            Kind::Keep(home) => self.keep(micro.sources[0], home, micro.dst),
            Kind::Load { pointer } => {
                let Some(dst) = micro.dst else { return };
                let index = self.result(dst);
                let from = self.pointed(pointer);
                let dst = self.zmm(index);
                self.asm
                    .put(X86::EVEX_Vmovdqu32_zmm_k1z_zmmm512, &[dst, from.into()]);
            }
            Kind::Store { pointer } => {
                let words = self.register(micro.sources[0]);
                let mask = micro.sources.get(1).map(|mask| self.register(*mask));
                let to = self.pointed(pointer);
                self.store(to, words, mask);
            }
            Kind::Gather { area, pattern } => self.gather(micro, area, pattern),
            Kind::Scatter { area, pattern } => self.scatter(micro, area, pattern),
            Kind::GatherOwn { area } => {
                let Some(dst) = micro.dst else { return };
                let index = self.register(micro.sources[0]);
                let inside = self.register(micro.sources[1]);
                let mask = self.scratch(Bank::Mask);
                let result = self.result(dst);
                let (mask, inside) = (self.k(mask), self.k(inside));
                self.asm.put(X86::VEX_Kmovw_kr_km16, &[mask, inside]);
                self.area_pointer(area);
                self.gather_words(result, index, mask);
            }
            Kind::ScatterOwn { area } => {
                let index = self.register(micro.sources[0]);
                let inside = self.register(micro.sources[1]);
                let words = self.register(micro.sources[2]);
                let mask = self.scratch(Bank::Mask);
                let (mask, inside) = (self.k(mask), self.k(inside));
                self.asm.put(X86::VEX_Kmovw_kr_km16, &[mask, inside]);
                self.area_pointer(area);
                self.scatter_words(words, index, mask);
            }
            Kind::LoadOne { area } => {
                let Some(dst) = micro.dst else { return };
                self.index_word(micro.sources[0]);
                let result = self.result(dst);
                self.area_length(area);
                let (none, done) = (self.asm.mark(), self.asm.mark());
                self.asm.put(
                    X86::Cmp_r64_rm64,
                    &[Register::RAX.into(), Register::RDX.into()],
                );
                self.asm.branch(X86::Jae_rel32_64, none);
                self.area_pointer(area);
                self.broadcast(result);
                self.asm.branch(X86::Jmp_rel32_64, done);
                self.asm.place(none);
                self.zero(result);
                self.asm.place(done);
            }
            Kind::Length { area } => {
                let Some(dst) = micro.dst else { return };
                let result = self.result(dst);
                self.area_length(area);
                let dst = self.zmm(result);
                self.asm.put(
                    X86::EVEX_Vpbroadcastd_zmm_k1z_r32,
                    &[dst, Register::EDX.into()],
                );
            }
        }
    }

    /// Frees the register of what dies in the present instruction.
    fn let_go(&mut self, value: Value) {
        let i = value.0 as usize;
        if self.dies(value)
            && let Some(index) = self.places[i]
        {
            let bank = self.banks[i];
            self.file(bank).owners[index] = None;
            self.places[i] = None;
        }
    }

    fn fused(&mut self, signs: Signs, micro: &Micro) {
        let [a, b, c] = micro.sources[..] else { return };
        let Some(dst) = micro.dst else { return };
        let (by_addend, by_factor) = match signs {
            Signs::Add => (
                X86::EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er,
                X86::EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er,
            ),
            Signs::Subtract => (
                X86::EVEX_Vfmsub231ps_zmm_k1z_zmm_zmmm512b32_er,
                X86::EVEX_Vfmsub213ps_zmm_k1z_zmm_zmmm512b32_er,
            ),
            Signs::From => (
                X86::EVEX_Vfnmadd231ps_zmm_k1z_zmm_zmmm512b32_er,
                X86::EVEX_Vfnmadd213ps_zmm_k1z_zmm_zmmm512b32_er,
            ),
        };
        let is_here = |this: &Self, value: Value| {
            this.dies(value)
                && (this.places[value.0 as usize].is_some()
                    || matches!(this.homes[value.0 as usize], Some(Home::Constant(_))))
        };
        let has_place = |this: &Self, value: Value| this.places[value.0 as usize].is_some();
        let (code, target, first, second) = if is_here(self, c) && has_place(self, c) {
            (by_addend, c, a, b)
        } else if is_here(self, a) && a != b {
            (by_factor, a, b, c)
        } else if is_here(self, b) && a != b {
            (by_factor, b, a, c)
        } else {
            // The addend is copied.
            let addend = self.places[c.0 as usize];
            if let Some(index) = addend {
                self.lock(Bank::Vector, index);
            }
            for factor in [a, b] {
                if let Some(index) = self.places[factor.0 as usize] {
                    self.lock(Bank::Vector, index);
                }
            }
            let index = self.take(Bank::Vector);
            self.lock(Bank::Vector, index);
            match (addend, self.homes[c.0 as usize]) {
                (Some(from), _) => {
                    let (to, from) = (self.zmm(index), self.zmm(from));
                    self.asm
                        .put(X86::EVEX_Vmovdqa32_zmm_k1z_zmmm512, &[to, from]);
                }
                (None, Some(home)) => self.read(Bank::Vector, index, home),
                (None, None) => {}
            }
            let first = self.register(a);
            let last = self.last(b, true, Width::Whole);
            let (to, first) = (self.zmm(index), self.zmm(first));
            self.asm.put(by_addend, &[to, first, last]);
            self.own(dst, index);
            return;
        };
        let index = self.register(target);
        let first = self.register(first);
        let last = self.last(second, true, Width::Whole);
        let (to, first) = (self.zmm(index), self.zmm(first));
        self.asm.put(code, &[to, first, last]);
        // The register changes hands.
        self.places[target.0 as usize] = None;
        self.own(dst, index);
    }

    /// Keeps a value at home, where `after` is found from then on.
    fn keep(&mut self, value: Value, home: Home, after: Option<Value>) {
        if self.homes[value.0 as usize] == Some(home) {
            if let Some(after) = after {
                self.is_to_come[after.0 as usize] = false;
            }
            return;
        }
        let index = self.register(value);
        // What was there until now and is needed still goes elsewhere.
        for i in 0..self.homes.len() {
            let other = Value(i as u32);
            let is_there = self.homes[i] == Some(home) && other != value && !self.is_to_come[i];
            if is_there && self.uses[i].last().is_some_and(|next| *next > self.now) {
                self.register(other);
                self.homes[i] = None;
            }
        }
        self.write(self.banks[value.0 as usize], index, home);
        if let Some(after) = after {
            self.is_to_come[after.0 as usize] = false;
            if self.dies(value) {
                self.places[value.0 as usize] = None;
                self.own(after, index);
            }
        }
    }

    fn pointed(&mut self, pointer: usize) -> MemoryOperand {
        let register = match self.pointers[pointer] {
            Held::Register(register) => register,
            Held::Stack(from) => {
                let memory = at(Register::RSP, i64::from(from));
                self.asm
                    .put(X86::Mov_r64_rm64, &[Register::RAX.into(), memory.into()]);
                Register::RAX
            }
        };
        indexed(register, LANE, 1, 0)
    }

    /// Stores words where they are wanted.
    fn store(&mut self, to: MemoryOperand, words: usize, mask: Option<usize>) {
        let words = self.zmm(words);
        let code = X86::EVEX_Vmovdqu32_zmmm512_k1z_zmm;
        let Some(mask) = mask else {
            self.asm.put(code, &[to.into(), words]);
            return;
        };
        let (all, done) = (self.asm.mark(), self.asm.mark());
        let k = self.k(mask);
        self.asm.put(X86::VEX_Kortestw_kr_kr, &[k, k]);
        self.asm.branch(X86::Jb_rel32_64, all);
        let mask = self.masks.register(mask);
        self.asm.put_masked(code, &[to.into(), words], mask, false);
        self.asm.branch(X86::Jmp_rel32_64, done);
        self.asm.place(all);
        self.asm.put(code, &[to.into(), words]);
        self.asm.place(done);
    }

    /// The first word of an index, in `eax`.
    fn index_word(&mut self, index: Value) {
        let i = index.0 as usize;
        match (self.places[i], self.homes[i]) {
            (None, Some(home)) => {
                let memory = self.word(home);
                self.asm
                    .put(X86::Mov_r32_rm32, &[Register::EAX.into(), memory.into()]);
            }
            _ => {
                let index = self.register(index);
                let xmm = Register::XMM0 + index as u32;
                self.asm.put(
                    X86::EVEX_Vmovd_rm32_xmm,
                    &[Register::EAX.into(), xmm.into()],
                );
            }
        }
    }

    /// `[rcx + 4 rax]`
    fn there() -> MemoryOperand {
        indexed(Register::RCX, Register::RAX, 4, 0)
    }

    /// The word at `[rcx + 4 rax]`, in all lanes.
    fn broadcast(&mut self, result: usize) {
        let result = self.zmm(result);
        self.asm.put(
            X86::EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
            &[result, Self::there().into()],
        );
    }

    fn zero(&mut self, result: usize) {
        let result = self.zmm(result);
        self.asm.put(
            X86::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
            &[result, result, result],
        );
    }

    fn gather_words(&mut self, result: usize, index: usize, mask: Operand) {
        self.zero(result);
        let from = indexed(Register::RCX, vector(index, Width::Whole), 4, 0);
        let Operand::Register(mask) = mask else {
            return;
        };
        let result = self.zmm(result);
        self.asm.put_masked(
            X86::EVEX_Vpgatherdd_zmm_k1_vm32z,
            &[result, from.into()],
            mask,
            false,
        );
    }

    fn scatter_words(&mut self, words: usize, index: usize, mask: Operand) {
        let to = indexed(Register::RCX, vector(index, Width::Whole), 4, 0);
        let Operand::Register(mask) = mask else {
            return;
        };
        let words = self.zmm(words);
        self.asm.put_masked(
            X86::EVEX_Vpscatterdd_vm32z_k1_zmm,
            &[to.into(), words],
            mask,
            false,
        );
    }

    /// Goes elsewhere unless the words from the index in `eax` on, so many, are in the area. Wants `eax` below 2^32.
    fn check_room(&mut self, words: u32, length: Value, elsewhere: Mark) {
        self.asm.put(
            X86::Lea_r64_m,
            &[
                Register::RDX.into(),
                at(Register::RAX, i64::from(words)).into(),
            ],
        );
        let home = self.homes[length.0 as usize];
        let memory = self.word(home.unwrap_or(Home::Stack(0)));
        self.asm
            .put(X86::Mov_r32_rm32, &[Register::ECX.into(), memory.into()]);
        self.asm.put(
            X86::Cmp_r64_rm64,
            &[Register::RDX.into(), Register::RCX.into()],
        );
        self.asm.branch(X86::Ja_rel32_64, elsewhere);
    }

    /// Goes elsewhere unless each lane's index is so much more than the one before it.
    fn check_steps(&mut self, index: usize, by: u32, scratch: Scratch, elsewhere: Mark) {
        let [expected, _] = scratch.vectors;
        let (expected, mask, words) = (self.zmm(expected), self.k(scratch.mask), self.zmm(index));
        let xmm = Register::XMM0 + index as u32;
        self.asm.put(
            X86::EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
            &[expected, xmm.into()],
        );
        let steps = at(CONSTANTS, self.layout.steps(by));
        self.asm.put(
            X86::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32,
            &[expected, expected, steps.into()],
        );
        self.asm.put(
            X86::EVEX_Vpcmpeqd_kr_k1_zmm_zmmm512b32,
            &[mask, expected, words],
        );
        self.asm.put(X86::VEX_Kortestw_kr_kr, &[mask, mask]);
        self.asm.branch(X86::Jae_rel32_64, elsewhere);
    }

    fn gather(&mut self, micro: &Micro, area: Area, pattern: Pattern) {
        let Some(dst) = micro.dst else { return };
        let [place, length] = micro.sources[..] else {
            return;
        };
        let index = self.register(place);
        let result = self.result(dst);
        let scratch = self.scratches();
        let (general, done) = (self.asm.mark(), self.asm.mark());
        let is_direct = match pattern {
            Pattern::Same => {
                self.index_word(place);
                self.check_room(1, length, general);
                self.area_pointer(area);
                self.broadcast(result);
                true
            }
            Pattern::Next | Pattern::Perhaps(1 | 2 | 4) => {
                let by = match pattern {
                    Pattern::Perhaps(by) => by,
                    _ => 1,
                };
                if let Pattern::Perhaps(_) = pattern {
                    self.check_steps(index, by, scratch, general);
                }
                self.index_word(place);
                self.check_room(16 * by, length, general);
                self.area_pointer(area);
                self.load_apart(result, by, scratch);
                true
            }
            Pattern::Perhaps(_) => false,
        };
        if is_direct {
            self.asm.branch(X86::Jmp_rel32_64, done);
            self.asm.place(general);
        }
        let mask = self.k(scratch.mask);
        let words = self.zmm(index);
        let memory = self.homes[length.0 as usize].unwrap_or(Home::Stack(0));
        let memory = self.memory(memory);
        self.asm.put(
            X86::EVEX_Vpcmpud_kr_k1_zmm_zmmm512b32_imm8,
            &[mask, words, memory.into(), Operand::Number(1)],
        );
        self.area_pointer(area);
        self.gather_words(result, index, mask);
        self.asm.place(done);
    }

    /// Words that are so far apart, from `[rcx + 4 rax]` on.
    fn load_apart(&mut self, result: usize, by: u32, scratch: Scratch) {
        let from = |i: i64| indexed(Register::RCX, Register::RAX, 4, i * 64);
        let load = X86::EVEX_Vmovdqu32_zmm_k1z_zmmm512;
        let choose = X86::EVEX_Vpermi2d_zmm_k1z_zmm_zmmm512b32;
        let whole = self.zmm(result);
        let words = at(CONSTANTS, self.layout.steps(by));
        match by {
            1 => self.asm.put(load, &[whole, from(0).into()]),
            2 => {
                let low = self.zmm(scratch.vectors[0]);
                self.asm.put(load, &[low, from(0).into()]);
                self.asm.put(load, &[whole, words.into()]);
                self.asm.put(choose, &[whole, low, from(1).into()]);
            }
            _ => {
                let [low, high] = scratch.vectors;
                let half = Operand::Register(vector(high, Width::Half));
                let (low, high) = (self.zmm(low), self.zmm(high));
                self.asm.put(load, &[low, from(0).into()]);
                self.asm.put(load, &[whole, words.into()]);
                self.asm.put(choose, &[whole, low, from(1).into()]);
                self.asm.put(load, &[low, from(2).into()]);
                self.asm.put(load, &[high, words.into()]);
                self.asm.put(choose, &[high, low, from(3).into()]);
                self.asm.put(
                    X86::EVEX_Vinserti64x4_zmm_k1z_zmm_ymmm256_imm8,
                    &[whole, whole, half, Operand::Number(1)],
                );
            }
        }
    }

    fn scatter(&mut self, micro: &Micro, area: Area, pattern: Pattern) {
        let [place, length, words] = micro.sources[..3] else {
            return;
        };
        let index = self.register(place);
        let words = self.register(words);
        let mask = micro.sources.get(3).map(|mask| self.register(*mask));
        let scratch = self.scratches();
        let (general, done) = (self.asm.mark(), self.asm.mark());
        let is_direct = matches!(pattern, Pattern::Next | Pattern::Perhaps(1));
        if is_direct {
            if let Pattern::Perhaps(_) = pattern {
                self.check_steps(index, 1, scratch, general);
            }
            self.index_word(place);
            self.check_room(16, length, general);
            self.area_pointer(area);
            self.store(Self::there(), words, mask);
            self.asm.branch(X86::Jmp_rel32_64, done);
            self.asm.place(general);
        }
        let inside = self.k(scratch.mask);
        let places = self.zmm(index);
        let memory = self.homes[length.0 as usize].unwrap_or(Home::Stack(0));
        let memory = self.memory(memory);
        let mask = mask.map_or(Register::None, |mask| self.masks.register(mask));
        self.asm.put_masked(
            X86::EVEX_Vpcmpud_kr_k1_zmm_zmmm512b32_imm8,
            &[inside, places, memory.into(), Operand::Number(1)],
            mask,
            false,
        );
        self.area_pointer(area);
        self.scatter_words(words, index, inside);
        self.asm.place(done);
    }

    /// Where an area begins, in `rcx`.
    pub(super) fn area_pointer(&mut self, area: Area) {
        self.layout.area_pointer(self.asm, area);
    }

    /// How many words it has, in `rdx`.
    pub(super) fn area_length(&mut self, area: Area) {
        self.layout.area_length(self.asm, area);
    }
}
