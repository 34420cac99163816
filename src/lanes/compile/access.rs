//! The instructions that load and store words.
//!
//! Where lanes go is checked before it is gone there: words in a row are moved at once, others one by one.
//!
//! Invariant: no address outside of an area is touched.

use super::super::processor::CHUNK;
use super::assembler::{Mark, Operand, at, indexed};
use super::assign::{Assign, HeldAt, Scratch, vector};
use super::frame::{CONSTANTS, LANE, REGISTERS};
use super::micro::{Area, Bank, Home, Kind, Micro, Pattern, Pointed, Value, Width};
use iced_x86::{Code as X86, MemoryOperand, Register};
use std::collections::HashSet;

/// How far ahead of its loads what is bound is asked for. A block is short and the next one begins elsewhere, so that the
/// processor's own prediction starts late; half as far gained as much when it was measured, and less than that less.
const BYTES_AHEAD: i64 = 2048;

/// Where words are stored.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) memory: MemoryOperand,
    /// Where on the stack it says whether they pass the caches, if they may.
    pub(super) passes: Option<u32>,
}

impl Target {
    pub(super) fn through_caches(memory: MemoryOperand) -> Self {
        Self {
            memory,
            passes: None,
        }
    }
}

impl Assign<'_> {
    /// The chunk's part of a run.
    pub(super) fn run_of(&mut self, pointed: Pointed) -> MemoryOperand {
        let register = self.pointer_in(pointed.pointer, Register::RAX);
        indexed(register, LANE, 1, self.bytes_to(pointed))
    }

    /// Asks for what later chunks load of what is bound, once for each run.
    pub(super) fn fetch_ahead(&mut self, micros: &[Micro]) {
        let mut is_asked_for = HashSet::new();
        for micro in micros {
            let Kind::Load { pointed } = micro.kind else {
                continue;
            };
            if self.pointers[pointed.pointer].is_bound && is_asked_for.insert(pointed.pointer) {
                let register = self.pointer_in(pointed.pointer, Register::RAX);
                let ahead = self.bytes_to(pointed) + BYTES_AHEAD;
                let ahead = indexed(register, LANE, 1, ahead);
                self.asm.put(X86::Prefetcht0_m8, &[ahead.into()]);
            }
        }
    }

    /// As far from a pointer as the first word of a register's chunk says.
    pub(super) fn run_from(&mut self, pointed: Pointed, place: u32) -> MemoryOperand {
        let first = indexed(REGISTERS, LANE, 1, i64::from(place));
        self.asm
            .put(X86::Mov_r32_rm32, &[Register::EAX.into(), first.into()]);
        let register = self.pointer_in(pointed.pointer, Register::RCX);
        indexed(register, Register::RAX, 4, self.bytes_to(pointed))
    }

    /// The bytes from a pointer to what it is asked for.
    fn bytes_to(&self, pointed: Pointed) -> i64 {
        i64::from(pointed.words) * self.pointers[pointed.pointer].word_bytes
    }

    /// The register that a pointer is in; this one if it has to be brought there.
    fn pointer_in(&mut self, pointer: usize, or: Register) -> Register {
        match self.pointers[pointer].at {
            HeldAt::Register(register) => register,
            HeldAt::Stack(from) => {
                let memory = at(Register::RSP, i64::from(from));
                self.asm.put(X86::Mov_r64_rm64, &[or.into(), memory.into()]);
                or
            }
        }
    }

    /// Where it says whether a run is stored past the caches, if it may be: chunk by chunk, at multiples of their size.
    pub(super) fn passes(&self, pointed: Pointed) -> Option<u32> {
        let is_whole = pointed.words % CHUNK as i32 == 0;
        self.pointers[pointed.pointer].passes.filter(|_| is_whole)
    }

    /// Stores words where they are wanted.
    pub(super) fn store(&mut self, to: Target, words: usize, mask: Option<usize>) {
        let Some(mask) = mask else {
            self.store_all(to, words);
            return;
        };
        let all = self.asm.mark();
        self.store_some(to, words, mask, all);
    }

    /// Stores words for the lanes of a mask, which is looked at where it is.
    pub(super) fn store_where(&mut self, to: Target, words: usize, mask: Value) {
        let i = mask.0 as usize;
        let (None, Some(home)) = (self.places[i], self.homes[i]) else {
            let mask = self.register(mask);
            self.store(to, words, Some(mask));
            return;
        };
        let scratch = self.scratch(Bank::Mask);
        let memory = self.memory(home);
        let all = self.asm.mark();
        self.asm
            .put(X86::Cmp_rm16_imm8, &[memory.into(), (-1).into()]);
        self.asm.branch(X86::Je_rel32_64, all);
        let k = self.k(scratch);
        self.asm.put(X86::VEX_Kmovw_kr_km16, &[k, memory.into()]);
        self.store_some(to, words, scratch, all);
    }

    /// Stores words for the lanes of a mask; for all of them from the mark on, which is placed here.
    fn store_some(&mut self, to: Target, words: usize, mask: usize, all: Mark) {
        let done = self.asm.mark();
        let code = X86::EVEX_Vmovdqu32_zmmm512_k1z_zmm;
        let (k, from) = (self.k(mask), self.zmm(words));
        self.asm.put(X86::VEX_Kortestw_kr_kr, &[k, k]);
        self.asm.branch(X86::Je_rel32_64, done);
        self.asm.branch(X86::Jb_rel32_64, all);
        let mask = self.masks.register(mask);
        self.asm
            .put_masked(code, &[to.memory.into(), from], mask, false);
        self.asm.branch(X86::Jmp_rel32_64, done);
        self.asm.place(all);
        self.store_all(to, words);
        self.asm.place(done);
    }

    fn store_all(&mut self, to: Target, words: usize) {
        let words = self.zmm(words);
        let done = self.asm.mark();
        if let Some(passes) = to.passes {
            let near = self.asm.mark();
            let word = at(Register::RSP, i64::from(passes));
            self.asm.put(X86::Cmp_rm32_imm8, &[word.into(), 0.into()]);
            self.asm.branch(X86::Je_rel32_64, near);
            self.asm
                .put(X86::EVEX_Vmovntdq_m512_zmm, &[to.memory.into(), words]);
            self.asm.branch(X86::Jmp_rel32_64, done);
            self.asm.place(near);
        }
        let code = X86::EVEX_Vmovdqu32_zmmm512_k1z_zmm;
        self.asm.put(code, &[to.memory.into(), words]);
        self.asm.place(done);
    }

    /// The first word of an index, in `eax`.
    pub(super) fn index_word(&mut self, index: Value) {
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
    pub(super) fn there() -> MemoryOperand {
        indexed(Register::RCX, Register::RAX, 4, 0)
    }

    /// The word at `[rcx + 4 rax]`, in all lanes.
    pub(super) fn broadcast(&mut self, result: usize) {
        let result = self.zmm(result);
        self.asm.put(
            X86::EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
            &[result, Self::there().into()],
        );
    }

    pub(super) fn zero(&mut self, result: usize) {
        let result = self.zmm(result);
        self.asm.put(
            X86::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
            &[result, result, result],
        );
    }

    pub(super) fn gather_words(&mut self, result: usize, index: usize, mask: Operand) {
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

    pub(super) fn scatter_words(&mut self, words: usize, index: usize, mask: Operand) {
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
    pub(super) fn check_room(&mut self, words: u32, length: Value, elsewhere: Mark) {
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
    pub(super) fn check_steps(&mut self, index: usize, by: u32, scratch: Scratch, elsewhere: Mark) {
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

    pub(super) fn gather(&mut self, micro: &Micro, area: Area, pattern: Pattern) {
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
    pub(super) fn load_apart(&mut self, result: usize, by: u32, scratch: Scratch) {
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

    pub(super) fn scatter(&mut self, micro: &Micro, area: Area, pattern: Pattern) {
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
            self.store(Target::through_caches(Self::there()), words, mask);
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
