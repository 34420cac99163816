//! Which instructions load and store what an operation does.
//!
//! Invariant: an access is in the order of its lane's others.

use super::super::op::{Class, Code, Memory, Op, Reg};
use super::micro::{Area, Bank, Home, Kind, Pattern, Pointed, Value};
use super::select::{First, Pointer, Select};
use iced_x86::Code as X86;

impl Select<'_> {
    pub(super) fn area(op: &Op) -> Area {
        Area {
            memory: op.memory,
            first: op.region.0,
            words: op.region.1,
        }
    }

    pub(super) fn home(&mut self, reg: Reg) -> Home {
        match self.known_word(reg) {
            Some(word) => {
                let value = self.constant(word);
                self.found.homes[value.0 as usize].expect("constants have a home")
            }
            None => Home::Uniform(self.at(reg)),
        }
    }

    pub(super) fn pointed(&mut self, op: &Op, place: Reg, more: Option<Reg>) -> Pointed {
        let index = First::Home(self.home(place));
        let more = more.map(|more| self.home(more));
        let offset = op.offset.wrapping_sub(op.region.0);
        self.kept(Pointer::new(Self::area(op), index, more, offset))
    }

    /// The same for what each chunk has its own first index of, in a register that is the same for all blocks.
    fn settled(
        &mut self,
        op: &Op,
        place: Reg,
        more: Option<Reg>,
    ) -> Option<(Pointed, u32, Pattern)> {
        let reg = place.0 as usize;
        let is_settled =
            self.class(place) == Class::Varying && self.known.places.lives[reg].is_none();
        let pattern = self.pattern(place);
        let words = match pattern {
            Pattern::Same => 1,
            Pattern::Next => 16,
            Pattern::Perhaps(_) => return None,
        };
        if !is_settled || op.memory == Memory::Own {
            return None;
        }
        let at = self.known.places.at[reg] as u32;
        let largest = self.constants.largest(at);
        let index = First::Each { largest, words };
        let more = more.map(|more| self.home(more));
        let offset = op.offset.wrapping_sub(op.region.0);
        let pointed = self.kept(Pointer::new(Self::area(op), index, more, offset));
        Some((pointed, at, pattern))
    }

    fn kept(&mut self, wanted: Pointer) -> Pointed {
        let pointers = &mut self.found.pointers;
        for (pointer, one) in pointers.iter_mut().enumerate() {
            if let Some(words) = one.take_in(&wanted) {
                return Pointed { pointer, words };
            }
        }
        pointers.push(wanted);
        Pointed {
            pointer: pointers.len() - 1,
            words: 0,
        }
    }

    /// What is added to the place of an access, computed once.
    pub(super) fn adjustment(&mut self, op: &Op, more: Option<Reg>) -> Option<Value> {
        let offset = op.offset.wrapping_sub(op.region.0);
        let Some(more) = more else {
            return (offset != 0).then(|| self.constant(offset));
        };
        if offset == 0 {
            return Some(self.words(more));
        }
        if let Some(value) = self.adjusted.get(&(more, offset)) {
            return Some(*value);
        }
        let was_before = std::mem::replace(&mut self.is_before, true);
        let (more_words, offset_words) = (self.words(more), self.constant(offset));
        let sum = self.vector(
            X86::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32,
            &[offset_words, more_words],
        );
        let kept = self.on_stack(sum);
        self.is_before = was_before;
        self.adjusted.insert((more, offset), kept);
        Some(kept)
    }

    /// Keeps what was computed once for the chunks.
    pub(super) fn on_stack(&mut self, value: Value) -> Value {
        let home = Home::Stack(self.found.stack);
        self.found.stack += 64;
        let kept = self.at_home(Bank::Vector, home);
        self.push(Kind::Keep(home), Some(kept), &[value]);
        kept
    }

    /// The index of each lane, from the start of the area.
    pub(super) fn index(&mut self, op: &Op, place: Reg, more: Option<Reg>) -> Value {
        let adjustment = self.adjustment(op, more);
        let index = match self.class(place) {
            Class::Run(step) => {
                let mut count = Op::new(Code::Count, None, &[place]);
                count.offset = step;
                self.word(&count)
            }
            _ => self.words(place),
        };
        match adjustment {
            Some(more) => self.vector(X86::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, &[index, more]),
            None => index,
        }
    }

    pub(super) fn pattern(&self, place: Reg) -> Pattern {
        match self.known.strides.of(place) {
            Some(0) => Pattern::Same,
            Some(1) => Pattern::Next,
            Some(step) => Pattern::Perhaps(step),
            None => Pattern::Perhaps(self.known.strides.guess(place)),
        }
    }

    /// Makes the length of an area known to the chunks.
    pub(super) fn length(&mut self, area: Area) -> Value {
        if let Some(value) = self.lengths.get(&area) {
            return *value;
        }
        let was_before = std::mem::replace(&mut self.is_before, true);
        let length = self.value(Bank::Vector, None);
        self.push(Kind::Length { area }, Some(length), &[]);
        let kept = self.on_stack(length);
        self.is_before = was_before;
        self.lengths.insert(area, kept);
        kept
    }

    pub(super) fn load(&mut self, op: &Op) -> Value {
        let area = Self::area(op);
        let (place, more) = (op.operands[0].expect("loads have a place"), op.operands[1]);
        let is_own = op.memory == Memory::Own;
        let dst = self.value(Bank::Vector, None);
        if self.is_before {
            let index = self.index(op, place, more);
            self.push(Kind::LoadOne { area }, Some(dst), &[index]);
            return dst;
        }
        let address = self.class(place);
        if (is_own && address == Class::Uniform) || (!is_own && address == Class::Run(1)) {
            let pointed = self.pointed(op, place, more);
            self.push(Kind::Load { pointed }, Some(dst), &[]);
            return dst;
        }
        if let Some((pointed, place, pattern)) = self.settled(op, place, more) {
            let kind = Kind::LoadFrom {
                pointed,
                place,
                pattern,
            };
            self.push(kind, Some(dst), &[]);
            return dst;
        }
        let index = self.index(op, place, more);
        let length = self.length(area);
        if is_own {
            let index = self.own_index(index, length);
            self.push(Kind::GatherOwn { area }, Some(dst), &index);
        } else {
            let pattern = self.pattern(place);
            self.push(Kind::Gather { area, pattern }, Some(dst), &[index, length]);
        }
        dst
    }

    /// Where each lane's own word is, and which lanes have it.
    pub(super) fn own_index(&mut self, index: Value, length: Value) -> [Value; 2] {
        let is_inside = self.test(
            X86::EVEX_Vpcmpud_kr_k1_zmm_zmmm512b32_imm8,
            Some(1),
            &[index, length],
        );
        let lanes = self.constant(self.known.lanes as u32);
        let numbers = self.numbers();
        let row = self.vector(X86::EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32, &[index, lanes]);
        [
            self.vector(X86::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, &[row, numbers]),
            is_inside,
        ]
    }

    pub(super) fn store(&mut self, op: &Op) {
        let area = Self::area(op);
        let [value, place, mask, more] = op.operands;
        let (value, place) = (
            value.expect("stores have a value"),
            place.expect("and a place"),
        );
        let address = self.class(place);
        let is_own = op.memory == Memory::Own;
        let words = self.words(value);
        let mask = mask.map(|mask| self.bits(mask));
        let mut sources = vec![words];
        sources.extend(mask);
        if (is_own && address == Class::Uniform) || (!is_own && address == Class::Run(1)) {
            let pointed = self.pointed(op, place, more);
            if let Memory::Bound(bound) = op.memory {
                let is_only_written = self.known.only_written.contains(&bound);
                self.found.pointers[pointed.pointer].may_pass |= is_only_written;
            }
            self.push(Kind::Store { pointed }, None, &sources);
            return;
        }
        if self.pattern(place) == Pattern::Next
            && let Some((pointed, place, _)) = self.settled(op, place, more)
        {
            self.push(Kind::StoreFrom { pointed, place }, None, &sources);
            return;
        }
        let index = self.index(op, place, more);
        let length = self.length(area);
        if is_own {
            let [index, mut is_inside] = self.own_index(index, length);
            if let Some(mask) = mask {
                is_inside = self.logic(X86::VEX_Kandw_kr_kr_kr, &[is_inside, mask]);
            }
            self.push(Kind::ScatterOwn { area }, None, &[index, is_inside, words]);
        } else {
            let pattern = self.pattern(place);
            let mut all = vec![index, length, words];
            all.extend(mask);
            self.push(Kind::Scatter { area, pattern }, None, &all);
        }
    }
}
