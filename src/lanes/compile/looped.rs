//! Loops that each chunk goes round by itself.
//!
//! Where lanes need nothing of each other and no memory, sixteen of them go round until they have left, and only then the
//! next sixteen: what a round leaves for the next stays in registers. Which loops these are is found here, their instructions
//! are chosen, and put.
//!
//! Invariant: each chunk begins with what all registers had before the loop, and leaves what they have after it.

use super::super::op::{Class, Code, Held, Label, Op, Reg};
use super::super::place::Places;
use super::assembler::at;
use super::assign::{Assign, without_unused};
use super::frame::REGISTERS;
use super::making::Making;
use super::micro::{Bank, Home, Kind, Micro, Value};
use super::select::Select;
use super::stretch::{Jumps, MOST, Way};
use iced_x86::{Code as X86, Register};
use std::collections::HashSet;

/// A loop of a program.
#[derive(Debug)]
pub(super) struct Looped {
    /// What is done in each round, with the jumps that leave it.
    pub(super) each: Vec<usize>,
    /// The jump back.
    pub(super) last: usize,
    /// Registers that it sets and that are needed in the next round or after the loop, and whether after it.
    lasting: Vec<(Reg, bool)>,
}

/// A register that is set in a loop and has to be known after a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    /// What a round begins with, and what it leaves for the next.
    pub(super) start: Value,
    pub(super) end: Value,
}

/// Where a chunk leaves a loop.
#[derive(Clone, Debug, Default)]
pub(super) struct Exit {
    /// What is needed after the loop, and where it is kept.
    pub(super) kept: Vec<(Value, Home)>,
}

/// How it is asked whether a chunk leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whether a mask has no lane.
    Mask,
    /// Whether a word is zero.
    Word,
}

/// The loop with its head at a label, if each chunk can go round it by itself.
pub(super) fn looped(
    jumps: &Jumps,
    ops: &[Op],
    held: &[Held],
    places: &Places,
    head: usize,
    is_known: impl Fn(&Op) -> bool,
) -> Option<Looped> {
    let mut each = Vec::new();
    let mut exit: Option<Label> = None;
    let mut is_narrowed = false;
    let mut last = None;
    for (place, op) in ops.iter().enumerate().skip(head + 1) {
        let is_nowhere = jumps.ways[place] == Way::Nowhere;
        match op.code {
            Code::Label if jumps.is_target(op.label) => return None,
            Code::Label => {}
            Code::Jump if op.label == ops[head].label => {
                last = Some(place);
                break;
            }
            Code::Jump | Code::JumpIfNone if is_nowhere => {}
            Code::JumpUnless | Code::JumpIfNone | Code::Narrow => {
                is_narrowed |= op.code == Code::Narrow;
                if jumps.ways[place] != Way::Elsewhere || *exit.get_or_insert(op.label) != op.label
                {
                    return None;
                }
                each.push(place);
            }
            Code::Load | Code::Store => return None,
            _ if is_known(op) => each.push(place),
            _ => return None,
        }
        if each.len() > MOST {
            return None;
        }
    }
    let (last, exit) = (last?, exit?);
    ops[last + 1..]
        .iter()
        .take_while(|op| op.code == Code::Label)
        .find(|op| op.label == exit)?;
    if jumps.count(ops[head].label) != 1 {
        return None;
    }
    let lasting = lasting(ops, places, &each, last);
    // Words that are one for all lanes go through all rounds together, so that no chunk may leave before others.
    let is_one_word = |(reg, _): &(Reg, bool)| held[reg.0 as usize].class().is_one_word();
    if is_narrowed && lasting.iter().any(is_one_word) {
        return None;
    }
    Some(Looped {
        each,
        last,
        lasting,
    })
}

/// The registers that a loop sets and that are needed after a round, and whether they are after the loop.
fn lasting(ops: &[Op], places: &Places, each: &[usize], last: usize) -> Vec<(Reg, bool)> {
    let (mut read_first, mut set) = (HashSet::<Reg>::new(), HashSet::<Reg>::new());
    let mut found = Vec::new();
    for op in each.iter().map(|place| &ops[*place]) {
        read_first.extend(
            op.operands
                .iter()
                .flatten()
                .filter(|reg| !set.contains(*reg)),
        );
        if let Some(dst) = op.dst.filter(|dst| set.insert(*dst)) {
            let life = places.lives[dst.0 as usize];
            found.push((dst, life.is_none_or(|life| life.end > last)));
        }
    }
    found.retain(|(reg, is_needed_after)| *is_needed_after || read_first.contains(reg));
    found
}

impl Select<'_> {
    /// Chooses the instructions of a loop.
    pub(super) fn rounds(&mut self, one: &Looped) {
        self.is_round = true;
        let ops = self.known.ops;
        let mut carried: Vec<(Reg, Value)> = Vec::new();
        for &(dst, _) in &one.lasting {
            let home = match self.home_of(dst) {
                // Each chunk begins with the word from before the loop, which the first one replaces.
                Home::Uniform(at) => {
                    let copy = self.found.stack;
                    self.found.stack += 128;
                    self.found.copied.push((at, copy));
                    Home::Stack(copy + 64)
                }
                home => home,
            };
            let bank = match home {
                Home::Bits(_) => Bank::Mask,
                _ => Bank::Vector,
            };
            let start = self.value(bank, Some(home));
            self.started.insert(start);
            self.current.insert(dst, start);
            carried.push((dst, start));
        }
        let kept = one
            .lasting
            .iter()
            .filter(|(_, is_needed_after)| *is_needed_after);
        let kept: Vec<Reg> = kept.map(|(reg, _)| *reg).collect();
        for &place in &one.each {
            let op = ops[place];
            if op.code.jumps() {
                self.leave(&op, &kept);
            } else {
                self.each(place);
            }
        }
        // What nobody reads before it is set needn't be handed on.
        let read: HashSet<Value> = self
            .found
            .each
            .iter()
            .flat_map(|micro| micro.sources.iter().copied())
            .collect();
        let carried: Vec<Carried> = carried
            .into_iter()
            .filter(|(_, start)| read.contains(start))
            .map(|(reg, start)| Carried {
                start,
                end: self.current[&reg],
            })
            .collect();
        let ends: Vec<Value> = carried.iter().map(|one| one.end).collect();
        self.found.carried = carried;
        self.push(Kind::Turn, None, &ends);
    }

    /// Leaves the loop if no lane stays.
    fn leave(&mut self, op: &Op, kept: &[Reg]) {
        let Some(condition) = op.operands[0] else {
            return;
        };
        let (ask, condition) = match self.class(condition) {
            Class::Bits => (Ask::Mask, self.bits(condition)),
            _ => (Ask::Word, self.words(condition)),
        };
        let mut exit = Exit::default();
        let mut sources = vec![condition];
        for &reg in kept {
            let value = self.current[&reg];
            exit.kept.push((value, self.home_of(reg)));
            sources.push(value);
        }
        self.found.exits.push(exit);
        let exit = self.found.exits.len() - 1;
        self.push(Kind::Leave { exit, ask }, None, &sources);
    }
}

impl Making<'_> {
    /// A loop, chunk by chunk.
    pub(super) fn looped(&mut self, one: &Looped) {
        let known = self.known;
        let mut select = Select::new(known, &mut self.pool, &[], 0);
        select.rounds(one);
        let mut found = select.found;
        let micros = without_unused(std::mem::take(&mut found.each), found.homes.len());
        let zmm = Register::ZMM0.into();
        let (load, store) = (
            X86::EVEX_Vmovdqu32_zmm_k1z_zmmm512,
            X86::EVEX_Vmovdqu32_zmmm512_k1z_zmm,
        );
        for (from, to) in &found.copied {
            let from = at(REGISTERS, i64::from(*from));
            let to = at(Register::RSP, i64::from(*to));
            self.asm.put(load, &[zmm, from.into()]);
            self.asm.put(store, &[to.into(), zmm]);
        }
        self.first_chunk();
        let keeps_bits = found.exits.iter().any(|exit| {
            exit.kept
                .iter()
                .any(|(_, home)| matches!(home, Home::Bits(_)))
        });
        let mut assign = Assign::new(
            &mut self.asm,
            &self.layout,
            &found,
            &micros,
            &[],
            found.stack,
        );
        let at_start = assign.pin_rounds(&micros, &found);
        let (head, next) = (assign.mark_here(), assign.next_mark());
        if let Some((_, mask)) = self.masks.last().filter(|_| !keeps_bits) {
            assign.leave_out(known.places.at[mask.0 as usize] as u32, next);
        }
        for (_, copy) in &found.copied {
            let [from, to] = [0, 64].map(|by| at(Register::RSP, i64::from(copy + by)));
            let index = assign.take(Bank::Vector);
            let zmm = assign.zmm(index);
            assign.put(load, &[zmm, from.into()]);
            assign.put(store, &[to.into(), zmm]);
        }
        assign.load_pinned(&at_start);
        assign.round = Some(assign.mark_here());
        assign.run(&micros);
        self.stack = self.stack.max(assign.stack);
        self.next_chunk(head, next);
    }
}

/// The most masks that stay in registers from round to round: instructions want some for themselves.
const MOST_MASKS: usize = 3;

impl Assign<'_> {
    /// Gives registers, for the whole loop, to what rounds leave for the next and to what all of them read; loads what is
    /// the same for all chunks. What each chunk has for itself is returned, to be loaded when it begins.
    fn pin_rounds(&mut self, micros: &[Micro], found: &super::select::Selection) -> Vec<Value> {
        let starts: HashSet<Value> = found.carried.iter().map(|one| one.start).collect();
        let is_read = |this: &Self, value: &Value| !this.uses[value.0 as usize].is_empty();
        let of_bank = |this: &Self, bank: Bank| -> Vec<Value> {
            let all = (0..this.homes.len()).filter(|i| this.banks[*i] == bank);
            all.filter(|i| this.homes[*i].is_some())
                .map(|i| Value(i as u32))
                .filter(|value| is_read(this, value))
                .collect()
        };
        let mut vectors = of_bank(self, Bank::Vector);
        let free = 32_usize.saturating_sub(self.pressure(micros, &vectors) + 3);
        let uses = |this: &Self, value: &Value| this.uses[value.0 as usize].len();
        let rank = |this: &Self, value: &Value| {
            let is_start = starts.contains(value);
            (!is_start, std::cmp::Reverse(uses(this, value)))
        };
        vectors.sort_by_key(|value| rank(self, value));
        vectors.truncate(free);
        let mut masks = of_bank(self, Bank::Mask);
        masks.retain(|value| starts.contains(value));
        masks.sort_by_key(|value| rank(self, value));
        masks.truncate(MOST_MASKS);
        let is_for_all = |this: &Self, value: &Value| {
            let home = this.homes[value.0 as usize];
            !starts.contains(value) && home.is_some_and(Home::is_for_all_chunks)
        };
        let (before, each): (Vec<Value>, Vec<Value>) = vectors
            .into_iter()
            .chain(masks)
            .partition(|value| is_for_all(self, value));
        self.load_pinned(&before);
        self.turns = found
            .carried
            .iter()
            .map(|one| (one.end, one.start))
            .collect();
        self.carried.clone_from(&found.carried);
        self.exits.clone_from(&found.exits);
        // Their registers are chosen now, so that nothing else is in them.
        for value in &each {
            self.pin_in_register(*value);
        }
        each
    }

    /// The register that a value has from now on.
    fn pin_in_register(&mut self, value: Value) -> usize {
        if let Some(index) = self.pins.get(&value) {
            return *index;
        }
        let bank = self.banks[value.0 as usize];
        let index = self.take(bank);
        self.own(value, index);
        self.locked.clear();
        self.file(bank).is_pinned[index] = true;
        self.pins.insert(value, index);
        index
    }

    /// Loads values for good.
    fn load_pinned(&mut self, values: &[Value]) {
        for value in values {
            let index = self.pin_in_register(*value);
            let i = value.0 as usize;
            if let Some(home) = self.homes[i] {
                self.read(self.banks[i], index, home);
            }
        }
    }

    /// Goes on with the next chunk if none of this one's lanes stays in the loop.
    pub(super) fn leave(&mut self, micro: &Micro, exit: usize, ask: Ask) {
        let Some(next) = self.next else { return };
        let condition = micro.sources[0];
        let i = condition.0 as usize;
        match (ask, self.places[i], self.homes[i]) {
            (Ask::Mask, None, Some(home)) => {
                let memory = self.memory(home);
                self.asm.put(X86::Cmp_rm16_imm8, &[memory.into(), 0.into()]);
            }
            (Ask::Mask, ..) => {
                let index = self.register(condition);
                let k = self.k(index);
                self.asm.put(X86::VEX_Kortestw_kr_kr, &[k, k]);
            }
            (Ask::Word, ..) => {
                self.index_word(condition);
                let eax = Register::EAX.into();
                self.asm.put(X86::Test_rm32_r32, &[eax, eax]);
            }
        }
        let kept = std::mem::take(&mut self.exits[exit].kept);
        if kept.is_empty() {
            self.asm.branch(X86::Je_rel32_64, next);
            return;
        }
        let stay = self.asm.mark();
        self.asm.branch(X86::Jne_rel32_64, stay);
        // What is moved on the way out is where it was for those that stay.
        let places = self.places.clone();
        let homes = self.homes.clone();
        let owners = [self.vectors.owners.clone(), self.masks.owners.clone()];
        for (value, home) in kept {
            self.locked.clear();
            if self.homes[value.0 as usize] == Some(home) && self.places[value.0 as usize].is_none()
            {
                continue;
            }
            let index = self.register(value);
            self.write(self.banks[value.0 as usize], index, home);
        }
        self.locked.clear();
        self.places = places;
        self.homes = homes;
        [self.vectors.owners, self.masks.owners] = owners;
        self.asm.branch(X86::Jmp_rel32_64, next);
        self.asm.place(stay);
    }

    /// Puts what a round leaves where the next one begins with it, and begins it.
    pub(super) fn turn(&mut self) {
        for Carried { start, end } in std::mem::take(&mut self.carried) {
            self.locked.clear();
            if start == end {
                continue;
            }
            let bank = self.banks[start.0 as usize];
            let pinned = self.pins.get(&start).copied();
            match (
                pinned,
                self.places[end.0 as usize],
                self.homes[end.0 as usize],
            ) {
                (Some(to), Some(from), _) if to == from => {}
                (Some(to), Some(from), _) => {
                    let (code, to, from) = match bank {
                        Bank::Vector => (
                            X86::EVEX_Vmovdqa32_zmm_k1z_zmmm512,
                            self.zmm(to),
                            self.zmm(from),
                        ),
                        Bank::Mask => (X86::VEX_Kmovw_kr_km16, self.k(to), self.k(from)),
                    };
                    self.asm.put(code, &[to, from]);
                }
                (Some(to), None, Some(home)) => self.read(bank, to, home),
                (Some(_), None, None) => {}
                (None, ..) => {
                    let index = self.register(end);
                    if let Some(home) = self.homes[start.0 as usize] {
                        self.write(bank, index, home);
                    }
                }
            }
        }
        if let Some(round) = self.round {
            self.asm.branch(X86::Jmp_rel32_64, round);
        }
    }
}
