//! The instructions of each step, once its values have registers.
//!
//! Invariant: all ways through the instructions of one step leave the same values in the same registers.

use super::access::Target;
use super::assembler::Operand;
use super::assign::{Assign, vector};
use super::micro::{Bank, Home, Kind, Micro, Pattern, Signs, Value, Width};
use iced_x86::{Code as X86, Register};

impl Assign<'_> {
    pub(super) fn micro(&mut self, micro: &Micro) {
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
                let mask = micro.sources[0];
                match (self.places[mask.0 as usize], self.homes[mask.0 as usize]) {
                    (None, Some(home)) => {
                        let memory = self.memory(home);
                        self.asm.put(X86::Cmp_rm16_imm8, &[memory.into(), 0.into()]);
                    }
                    _ => {
                        let index = self.register(mask);
                        let k = self.k(index);
                        self.asm.put(X86::VEX_Kortestw_kr_kr, &[k, k]);
                    }
                }
                if let Some(next) = self.next {
                    self.asm.branch(X86::Je_rel32_64, next);
                }
            }
            Kind::Leave { exit, ask } => self.leave(micro, exit, ask),
            Kind::Turn => self.turn(),
            Kind::Keep(home) => self.keep(micro.sources[0], home, micro.dst),
            Kind::Load { pointed } => {
                let Some(dst) = micro.dst else { return };
                let index = self.result(dst);
                let from = self.run_of(pointed);
                let dst = self.zmm(index);
                self.asm
                    .put(X86::EVEX_Vmovdqu32_zmm_k1z_zmmm512, &[dst, from.into()]);
            }
            Kind::Store { pointed } => {
                let words = self.register(micro.sources[0]);
                let to = Target {
                    memory: self.run_of(pointed),
                    passes: self.passes(pointed),
                };
                match micro.sources.get(1) {
                    Some(mask) => self.store_where(to, words, *mask),
                    None => self.store(to, words, None),
                }
            }
            Kind::LoadFrom {
                pointed,
                place,
                pattern,
            } => {
                let Some(dst) = micro.dst else { return };
                let index = self.result(dst);
                let from = self.run_from(pointed, place);
                let code = match pattern {
                    Pattern::Same => X86::EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
                    _ => X86::EVEX_Vmovdqu32_zmm_k1z_zmmm512,
                };
                let dst = self.zmm(index);
                self.asm.put(code, &[dst, from.into()]);
            }
            Kind::StoreFrom { pointed, place } => {
                let words = self.register(micro.sources[0]);
                let to = Target::through_caches(self.run_from(pointed, place));
                match micro.sources.get(1) {
                    Some(mask) => self.store_where(to, words, *mask),
                    None => self.store(to, words, None),
                }
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

    pub(super) fn fused(&mut self, signs: Signs, micro: &Micro) {
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
            (this.dies(value) || this.becomes(value, dst))
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
    pub(super) fn keep(&mut self, value: Value, home: Home, after: Option<Value>) {
        if self.homes[value.0 as usize] == Some(home) {
            if let Some(after) = after {
                self.is_to_come[after.0 as usize] = false;
            }
            return;
        }
        let index = self.register(value);
        // What was there until now and is needed still goes elsewhere.
        for other in self.at_home.get(&home).cloned().unwrap_or_default() {
            let i = other.0 as usize;
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
}
