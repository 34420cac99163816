//! The code of a whole program: stretches, and what goes from one to another.
//!
//! Invariant: between stretches all that is needed later is in its place in memory.

use super::super::op::{Class, Code, Memory, Op, Reg};
use super::super::place::bytes;
use super::assembler::{Assembler, Mark, Operand, at, indexed};
use super::assign::{Assign, Held, HeldAt, POINTERS, without_unused};
use super::frame::{BITS, CONSTANTS, END, FRAME, Frame, LANE, Layout, Pool, REGISTERS, TABLE};
use super::micro::{Home, Micro};
use super::select::{First, Known, Pointer, Select, Selection};
use super::stretch::{self, Parts, Piece};
use iced_x86::{Code as X86, Register};
use std::collections::HashMap;

/// Code on the way.
pub(super) struct Making<'a> {
    pub(super) known: Known<'a>,
    pub(super) layout: Layout,
    pub(super) asm: Assembler,
    pub(super) pool: Pool,
    pub(super) labels: HashMap<u32, Mark>,
    pub(super) steps: Vec<usize>,
    /// Where the lanes are that a block has, if anything asks.
    pub(super) live: Option<usize>,
    /// By depth: the lanes that a loop is for.
    pub(super) masks: Vec<(u32, Reg)>,
    /// What is put behind the rest.
    pub(super) aside: Vec<Aside>,
    /// The most of the stack that a stretch needs.
    pub(super) stack: u32,
}

/// Code that is seldom run.
pub(super) enum Aside {
    /// The chunk has no lane: only bits are brought up to date.
    Skip {
        each: Vec<usize>,
        start: Mark,
        back: Mark,
    },
    /// The interpreter does the chunks.
    Slow {
        range: (usize, usize),
        start: Mark,
        back: Mark,
    },
}

const SAVED: [Register; 6] = [
    Register::RBX,
    Register::RBP,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

impl Making<'_> {
    pub(super) fn whole(&mut self, pieces: Vec<Piece>) {
        for register in SAVED {
            self.asm.put(X86::Push_r64, &[register.into()]);
        }
        let rsp = Register::RSP;
        self.asm
            .put(X86::Mov_r64_rm64, &[FRAME.into(), Register::RDI.into()]);
        self.asm.put(
            X86::Mov_rm64_r64,
            &[at(FRAME, Frame::STACK).into(), rsp.into()],
        );
        self.asm
            .put(X86::And_rm64_imm8, &[rsp.into(), (-64).into()]);
        let room = self.asm.len();
        self.asm
            .put(X86::Sub_rm64_imm32, &[rsp.into(), 0x7fff_ffc0.into()]);
        for (register, from) in [
            (REGISTERS, Frame::REGISTERS),
            (CONSTANTS, Frame::CONSTANTS),
            (END, Frame::END),
        ] {
            self.asm.put(
                X86::Mov_r64_rm64,
                &[register.into(), at(FRAME, from).into()],
            );
        }
        for piece in pieces {
            match piece {
                Piece::Stretch { range, once, each } => self.stretch(range, &once, each),
                Piece::Loop(one) => self.looped(&one),
                Piece::Step(place) => {
                    let step = self.steps[place];
                    self.interpret((step, step + 1), true);
                }
                Piece::Control(place) => self.control(place),
            }
        }
        let end = self.asm.mark();
        self.asm.branch(X86::Jmp_rel32_64, end);
        for aside in std::mem::take(&mut self.aside) {
            match aside {
                Aside::Skip { each, start, back } => {
                    self.asm.place(start);
                    self.skip(&each);
                    self.asm.branch(X86::Jmp_rel32_64, back);
                }
                Aside::Slow { range, start, back } => {
                    self.asm.place(start);
                    self.interpret((self.steps[range.0], self.steps[range.1 - 1] + 1), false);
                    self.asm.branch(X86::Jmp_rel32_64, back);
                }
            }
        }
        self.asm.place(end);
        self.asm.put(
            X86::Mov_r64_rm64,
            &[rsp.into(), at(FRAME, Frame::STACK).into()],
        );
        self.asm.put(X86::VEX_Vzeroupper, &[]);
        for register in SAVED.into_iter().rev() {
            self.asm.put(X86::Pop_r64, &[register.into()]);
        }
        self.asm.put(X86::Retnq, &[]);
        self.asm
            .set_number(room, self.stack.next_multiple_of(64) as i32);
    }

    fn interpret(&mut self, (from, to): (usize, usize), with_once: bool) {
        let (rdi, esi) = (Register::RDI, Register::ESI);
        self.asm.put(
            X86::Mov_r64_rm64,
            &[rdi.into(), at(FRAME, Frame::RUN).into()],
        );
        self.asm
            .put(X86::Mov_r32_imm32, &[esi.into(), (from as i32).into()]);
        self.asm.put(
            X86::Mov_r32_imm32,
            &[Register::EDX.into(), (to as i32).into()],
        );
        self.asm.put(
            X86::Mov_r32_imm32,
            &[Register::ECX.into(), i32::from(with_once).into()],
        );
        self.asm
            .put(X86::Call_rm64, &[at(FRAME, Frame::INTERPRET).into()]);
    }

    fn class(&self, reg: Reg) -> Class {
        self.known.held[reg.0 as usize].class()
    }

    fn place_of(&self, reg: Reg) -> i64 {
        self.known.places.at[reg.0 as usize] as i64
    }

    fn label(&mut self, op: &Op) -> Mark {
        let asm = &mut self.asm;
        *self.labels.entry(op.label.0).or_insert_with(|| asm.mark())
    }

    fn control(&mut self, place: usize) {
        let op = self.known.ops[place];
        match op.code {
            Code::Label => {
                let mark = self.label(&op);
                self.asm.place(mark);
            }
            Code::Jump => {
                let mark = self.label(&op);
                self.asm.branch(X86::Jmp_rel32_64, mark);
            }
            Code::JumpUnless => {
                let mark = self.label(&op);
                if let Some(condition) = op.operands[0] {
                    self.jump_unless(condition, mark);
                }
            }
            Code::JumpIfNone | Code::Narrow => {
                let mark = self.label(&op);
                let Some(mask) = op.operands[0] else { return };
                if op.code == Code::Narrow {
                    self.masks.retain(|(depth, _)| *depth < op.offset);
                    self.masks.push((op.offset, mask));
                }
                self.jump_if_none(mask, mark);
            }
            Code::Widen => self.masks.retain(|(depth, _)| *depth <= op.offset),
            _ => {}
        }
    }

    fn jump_unless(&mut self, condition: Reg, mark: Mark) {
        let word = at(REGISTERS, self.place_of(condition));
        self.asm.put(X86::Cmp_rm32_imm8, &[word.into(), 0.into()]);
        self.asm.branch(X86::Je_rel32_64, mark);
    }

    fn jump_if_none(&mut self, mask: Reg, mark: Mark) {
        if self.class(mask) != Class::Bits {
            self.jump_unless(mask, mark);
            return;
        }
        let [zmm, part] = [0, 1].map(|i| Operand::Register(Register::ZMM0 + i));
        let from = self.place_of(mask);
        // Bits of chunks that the block doesn't have are anything.
        for offset in (0..bytes(Class::Bits, self.known.lanes) as i64).step_by(64) {
            let into = if offset == 0 { zmm } else { part };
            let bits = at(REGISTERS, from + offset);
            self.asm
                .put(X86::EVEX_Vmovdqu32_zmm_k1z_zmmm512, &[into, bits.into()]);
            if let Some(live) = self.live {
                let live = at(REGISTERS, live as i64 + offset);
                self.asm.put(
                    X86::EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32,
                    &[into, into, live.into()],
                );
            }
            if offset > 0 {
                self.asm
                    .put(X86::EVEX_Vpord_zmm_k1z_zmm_zmmm512b32, &[zmm, zmm, part]);
            }
        }
        let k = Operand::Register(Register::K1);
        self.asm
            .put(X86::EVEX_Vptestmd_kr_k1_zmm_zmmm512b32, &[k, zmm, zmm]);
        self.asm.put(X86::VEX_Kortestw_kr_kr, &[k, k]);
        self.asm.branch(X86::Je_rel32_64, mark);
    }

    fn stretch(&mut self, range: (usize, usize), once: &[usize], each: Vec<usize>) {
        let Known {
            ops, held, places, ..
        } = self.known;
        let is_logic = each.iter().all(|place| stretch::is_logic(ops[*place].code));
        let parts = if is_logic || !self.masks.is_empty() {
            Parts {
                compared: Vec::new(),
                logic: if is_logic { each.clone() } else { Vec::new() },
                rest: if is_logic { Vec::new() } else { each },
            }
        } else {
            Parts::new(ops, held, places, each)
        };
        let mut select = Select::new(self.known, &mut self.pool, &parts.rest, range.1);
        for place in once {
            select.once(*place);
        }
        for place in &parts.rest {
            select.each(*place);
        }
        let mut found = select.found;
        let before = without_unused(std::mem::take(&mut found.before), found.homes.len());
        let micros = without_unused(std::mem::take(&mut found.each), found.homes.len());
        let mut stack = found.stack;
        let mut assign = Assign::new(&mut self.asm, &self.layout, &found, &before, &[], stack);
        assign.run(&before);
        stack = assign.stack;
        self.stack = self.stack.max(stack);
        let (slow, done) = (self.asm.mark(), self.asm.mark());
        let mut held = Vec::with_capacity(found.pointers.len());
        for (i, pointer) in found.pointers.iter().enumerate() {
            let at = match POINTERS.get(i) {
                Some(register) => HeldAt::Register(*register),
                None => {
                    stack += 8;
                    HeldAt::Stack(stack - 8)
                }
            };
            let word_bytes = match pointer.area.memory {
                Memory::Own => self.known.lanes as i64 * 4,
                _ => 4,
            };
            let passes = pointer.may_pass.then(|| {
                stack += 8;
                stack - 8
            });
            held.push(Held {
                at,
                word_bytes,
                is_bound: matches!(pointer.area.memory, Memory::Bound(_)),
                passes,
            });
        }
        stack = stack.next_multiple_of(64);
        // Before anything is done that the interpreter would do again.
        for (pointer, held) in found.pointers.iter().zip(&held) {
            self.pointer(pointer, *held, slow);
        }
        if !found.pointers.is_empty() {
            self.aside.push(Aside::Slow {
                range,
                start: slow,
                back: done,
            });
        }
        if !parts.compared.is_empty() {
            let end = usize::MAX;
            let mut select = Select::new(self.known, &mut self.pool, &parts.compared, end);
            select.compare(&parts.compared);
            let mut found = select.found;
            let micros = without_unused(std::mem::take(&mut found.each), found.homes.len());
            self.chunks(&found, &micros, &[], stack, &[]);
        }
        for place in &parts.logic {
            self.logic(*place);
        }
        if !micros.is_empty() {
            self.chunks(&found, &micros, &held, stack, &parts.rest);
        }
        self.asm.place(done);
    }

    /// Does the same for each chunk.
    fn chunks(
        &mut self,
        found: &Selection,
        micros: &[Micro],
        held: &[Held],
        stack: u32,
        each: &[usize],
    ) {
        self.first_chunk();
        let mut assign = Assign::new(&mut self.asm, &self.layout, found, micros, held, stack);
        assign.pin(micros);
        let (head, next) = (assign.mark_here(), assign.next_mark());
        if let Some((_, mask)) = self.masks.last() {
            let start = assign.new_mark();
            assign.leave_out(self.known.places.at[mask.0 as usize] as u32, start);
            self.aside.push(Aside::Skip {
                each: each.to_vec(),
                start,
                back: next,
            });
        }
        assign.fetch_ahead(micros);
        assign.run(micros);
        self.stack = self.stack.max(assign.stack);
        self.next_chunk(head, next);
    }

    /// Begins with the first chunk.
    pub(super) fn first_chunk(&mut self) {
        self.asm.put(
            X86::Mov_r64_rm64,
            &[TABLE.into(), at(FRAME, Frame::NUMBERS).into()],
        );
        for register in [Register::R13D, Register::R15D] {
            self.asm
                .put(X86::Xor_r32_rm32, &[register.into(), register.into()]);
        }
    }

    /// Goes on with the next chunk, if there is one, where chunks begin; `next` is where one ends.
    pub(super) fn next_chunk(&mut self, head: Mark, next: Mark) {
        self.asm.place(next);
        self.asm.put(X86::Add_rm64_imm8, &[LANE.into(), 64.into()]);
        self.asm.put(X86::Add_rm64_imm8, &[BITS.into(), 2.into()]);
        self.asm.put(X86::Cmp_r64_rm64, &[LANE.into(), END.into()]);
        self.asm.branch(X86::Jb_rel32_64, head);
    }

    /// Finds where runs of words begin, and goes elsewhere if not all of their chunks lie in the area.
    fn pointer(&mut self, pointer: &Pointer, held: Held, slow: Mark) {
        use Register::{EAX, RAX, RCX, RDX};
        let word = |home: Home| match home {
            Home::Constant(index) => at(CONSTANTS, i64::from(index) * 4),
            Home::Uniform(place) => at(REGISTERS, i64::from(place)),
            _ => at(REGISTERS, 0),
        };
        match pointer.index {
            First::Home(home) => self
                .asm
                .put(X86::Mov_r32_rm32, &[EAX.into(), word(home).into()]),
            First::Each { .. } => self.asm.put(X86::Xor_r32_rm32, &[EAX.into(), EAX.into()]),
        }
        if let Some(more) = pointer.more {
            self.asm
                .put(X86::Add_r32_rm32, &[EAX.into(), word(more).into()]);
        }
        // The first of the runs; after it all is counted in 64 bits, so that none of them begins anew at zero.
        let offset = pointer.offset.wrapping_sub(pointer.before);
        if offset != 0 {
            self.asm
                .put(X86::Add_rm32_imm32, &[EAX.into(), (offset as i32).into()]);
        }
        let spread = i64::from(pointer.before + pointer.after);
        let before = i64::from(pointer.before);
        self.layout.area_length(&mut self.asm, pointer.area);
        if pointer.area.memory == Memory::Own {
            self.asm
                .put(X86::Lea_r64_m, &[RCX.into(), at(RAX, spread).into()]);
            self.asm.put(X86::Cmp_r64_rm64, &[RCX.into(), RDX.into()]);
            self.asm.branch(X86::Jae_rel32_64, slow);
            let bytes = self.known.lanes as i32 * 4;
            self.asm
                .put(X86::Lea_r64_m, &[RAX.into(), at(RAX, before).into()]);
            self.asm.put(
                X86::Imul_r64_rm64_imm32,
                &[RAX.into(), RAX.into(), bytes.into()],
            );
        } else if let First::Each { largest, words } = pointer.index {
            let all = at(FRAME, Frame::LARGEST);
            self.asm.put(X86::Mov_r64_rm64, &[RCX.into(), all.into()]);
            let largest = at(RCX, i64::from(largest) * 4);
            self.asm
                .put(X86::Mov_r32_rm32, &[Register::ECX.into(), largest.into()]);
            let beyond = indexed(RCX, RAX, 1, spread + i64::from(words));
            self.asm.put(X86::Lea_r64_m, &[RCX.into(), beyond.into()]);
            self.asm.put(X86::Cmp_r64_rm64, &[RCX.into(), RDX.into()]);
            self.asm.branch(X86::Ja_rel32_64, slow);
            self.asm.put(X86::Shl_rm64_imm8, &[RAX.into(), 2.into()]);
        } else {
            self.asm.put(X86::Shl_rm64_imm8, &[RAX.into(), 2.into()]);
            self.asm.put(X86::Shl_rm64_imm8, &[RDX.into(), 2.into()]);
            let beyond = indexed(RAX, END, 1, spread * 4);
            self.asm.put(X86::Lea_r64_m, &[RCX.into(), beyond.into()]);
            self.asm.put(X86::Cmp_r64_rm64, &[RCX.into(), RDX.into()]);
            self.asm.branch(X86::Ja_rel32_64, slow);
        }
        self.layout.area_pointer(&mut self.asm, pointer.area);
        let start = match pointer.area.memory {
            Memory::Own => indexed(RCX, RAX, 1, 0),
            _ => indexed(RCX, RAX, 1, before * 4),
        };
        self.asm.put(X86::Lea_r64_m, &[RCX.into(), start.into()]);
        match held.at {
            HeldAt::Register(register) => {
                self.asm
                    .put(X86::Mov_r64_rm64, &[register.into(), RCX.into()]);
            }
            HeldAt::Stack(from) => self.asm.put(
                X86::Mov_rm64_r64,
                &[at(Register::RSP, i64::from(from)).into(), RCX.into()],
            ),
        }
        if let (Some(word), Memory::Bound(bound)) = (held.passes, pointer.area.memory) {
            self.passes(bound, word);
        }
    }

    /// Finds whether the chunks from the address in `rcx` on are stored past the caches: as a whole, at multiples of their
    /// size.
    fn passes(&mut self, bound: u32, word: u32) {
        let (eax, ecx) = (Register::EAX, Register::ECX);
        let done = self.asm.mark();
        let word = at(Register::RSP, i64::from(word));
        self.asm.put(X86::Mov_rm32_imm32, &[word.into(), 0.into()]);
        self.asm.put(X86::Test_rm32_imm32, &[ecx.into(), 63.into()]);
        self.asm.branch(X86::Jne_rel32_64, done);
        let flag = self.layout.passes_caches(&mut self.asm, bound);
        self.asm.put(X86::Movzx_r32_rm8, &[eax.into(), flag.into()]);
        self.asm.put(X86::Mov_rm32_r32, &[word.into(), eax.into()]);
        self.asm.place(done);
    }

    /// Logic on the bits of all lanes.
    fn logic(&mut self, place: usize) {
        let op = self.known.ops[place];
        let Some(dst) = op.dst else { return };
        let [zero, one, two] = [0, 1, 2].map(|i| Operand::Register(Register::ZMM0 + i));
        let load = X86::EVEX_Vmovdqu32_zmm_k1z_zmmm512;
        for from in (0..bytes(Class::Bits, self.known.lanes) as i64).step_by(64) {
            let memory = |this: &Self, i: usize| {
                let reg = op.operands[i].unwrap_or(dst);
                let offset = if this.class(reg) == Class::Bits {
                    from
                } else {
                    0
                };
                Operand::Memory(at(REGISTERS, this.place_of(reg) + offset))
            };
            let [a, b, c] = [0, 1, 2].map(|i| memory(self, i));
            let simple = match op.code {
                Code::AndB => Some(X86::EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32),
                Code::OrB => Some(X86::EVEX_Vpord_zmm_k1z_zmm_zmmm512b32),
                Code::XorB => Some(X86::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32),
                _ => None,
            };
            match (op.code, simple) {
                (_, Some(code)) => {
                    self.asm.put(load, &[zero, a]);
                    self.asm.put(code, &[zero, zero, b]);
                }
                (Code::AndNotB, _) => {
                    self.asm.put(load, &[zero, b]);
                    self.asm
                        .put(X86::EVEX_Vpandnd_zmm_k1z_zmm_zmmm512b32, &[zero, zero, a]);
                }
                (Code::NotB, _) => {
                    self.asm.put(load, &[zero, a]);
                    // The truth table of what isn't the third operand.
                    let not = Operand::Number(0x55);
                    self.asm.put(
                        X86::EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8,
                        &[zero, zero, zero, not],
                    );
                }
                (Code::SelectB, _) => {
                    self.asm.put(load, &[zero, c]);
                    self.asm.put(load, &[one, a]);
                    self.asm.put(load, &[two, b]);
                    // First ? second : third.
                    let choice = Operand::Number(0xca);
                    self.asm.put(
                        X86::EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8,
                        &[zero, one, two, choice],
                    );
                }
                _ => self.asm.put(load, &[zero, a]),
            }
            let to = at(REGISTERS, self.place_of(dst) + from);
            self.asm
                .put(X86::EVEX_Vmovdqu32_zmmm512_k1z_zmm, &[to.into(), zero]);
        }
    }

    /// The bits of a chunk that has no lane.
    fn skip(&mut self, each: &[usize]) {
        use Register::{EAX, ECX, EDX};
        for place in each {
            let op = self.known.ops[*place];
            let Some(dst) = op.dst.filter(|dst| self.class(*dst) == Class::Bits) else {
                continue;
            };
            let to = indexed(REGISTERS, BITS, 1, self.place_of(dst));
            if !stretch::is_logic(op.code) {
                self.asm.put(X86::Mov_rm16_imm16, &[to.into(), 0.into()]);
                continue;
            }
            let memory = |this: &Self, i: usize| {
                let reg = op.operands[i].unwrap_or(dst);
                let place = this.place_of(reg);
                Operand::Memory(match this.class(reg) {
                    Class::Bits => indexed(REGISTERS, BITS, 1, place),
                    _ => at(REGISTERS, place),
                })
            };
            let [a, b, c] = [0, 1, 2].map(|i| memory(self, i));
            let zero_extended = X86::Movzx_r32_rm16;
            let (eax, ecx, edx) = (EAX.into(), ECX.into(), EDX.into());
            self.asm.put(zero_extended, &[eax, a]);
            match op.code {
                Code::AndB | Code::OrB | Code::XorB | Code::AndNotB => {
                    self.asm.put(zero_extended, &[ecx, b]);
                    match op.code {
                        Code::AndB => self.asm.put(X86::And_r32_rm32, &[eax, ecx]),
                        Code::OrB => self.asm.put(X86::Or_r32_rm32, &[eax, ecx]),
                        Code::XorB => self.asm.put(X86::Xor_r32_rm32, &[eax, ecx]),
                        _ => {
                            self.asm.put(X86::Not_rm32, &[ecx]);
                            self.asm.put(X86::And_r32_rm32, &[eax, ecx]);
                        }
                    }
                }
                Code::NotB => self.asm.put(X86::Not_rm32, &[eax]),
                Code::SelectB => {
                    self.asm.put(zero_extended, &[ecx, b]);
                    self.asm.put(zero_extended, &[edx, c]);
                    self.asm.put(X86::And_r32_rm32, &[eax, edx]);
                    self.asm.put(X86::Not_rm32, &[edx]);
                    self.asm.put(X86::And_r32_rm32, &[ecx, edx]);
                    self.asm.put(X86::Or_r32_rm32, &[eax, ecx]);
                }
                _ => {}
            }
            self.asm
                .put(X86::Mov_rm16_r16, &[to.into(), Register::AX.into()]);
        }
    }
}
