//! From a stretch of operations to instructions on values.
//!
//! What is one word for all lanes is computed once, before the chunks; all else for each chunk. Which operations stand in a
//! stretch is the affair of `stretch`, which registers hold the values that of `assign`.
//!
//! Invariant: after a stretch each register that is needed later is in its place.

use super::super::op::{Class, Code, Held, Op, Reg};
use super::super::place::Places;
use super::frame::Pool;
use super::looped::{Carried, Exit};
use super::micro::{Area, Bank, Home, Kind, Micro, Signs, Value, Width};
use super::strides::Strides;
use iced_x86::Code as X86;
use std::collections::{HashMap, HashSet};

/// What is known of the program that a stretch is of.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) ops: &'a [Op],
    pub(super) held: &'a [Held],
    pub(super) places: &'a Places,
    pub(super) strides: &'a Strides,
    /// By number: what is bound and only written.
    pub(super) only_written: &'a HashSet<u32>,
    pub(super) lanes: usize,
}

/// The start of runs of words that a stretch accesses, to be checked and kept before its chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) area: Area,
    pub(super) index: First,
    /// What is added to it, if anything, and the words besides.
    pub(super) more: Option<Home>,
    pub(super) offset: u32,
    /// The most words by which runs begin before that, and after it.
    pub(super) before: u32,
    pub(super) after: u32,
    /// Of what is only written: whether a whole chunk may be stored past the caches.
    pub(super) may_pass: bool,
}

impl Pointer {
    /// One to a single run.
    pub(super) fn new(area: Area, index: First, more: Option<Home>, offset: u32) -> Self {
        Self {
            area,
            index,
            more,
            offset,
            before: 0,
            after: 0,
            may_pass: false,
        }
    }

    /// Takes in a run of the same index that begins not far away; the words from the pointer to it.
    pub(super) fn take_in(&mut self, other: &Self) -> Option<i32> {
        let is_alike = (self.area, self.index, self.more) == (other.area, other.index, other.more);
        let distance = other.offset.wrapping_sub(self.offset) as i32;
        if !is_alike || distance.unsigned_abs() > MOST_DISTANCE {
            return None;
        }
        self.before = self.before.max(0.max(-distance) as u32);
        self.after = self.after.max(0.max(distance) as u32);
        Some(distance)
    }
}

/// The most words from a pointer to a run of it: what is written into instructions stays a small number of bytes, of the
/// lanes' own words too.
const MOST_DISTANCE: u32 = 1 << 12;

/// Where the index of the first lane comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum First {
    /// All chunks go on from this one.
    Home(Home),
    /// Each chunk has one of its own, from registers that are the same for all blocks: so many words from there on, with
    /// the largest of them known by this number.
    Each { largest: u32, words: u32 },
}

/// The instructions of a stretch.
#[derive(Default)]
pub(super) struct Selection {
    /// Done once.
    pub(super) before: Vec<Micro>,
    /// Done for each chunk.
    pub(super) each: Vec<Micro>,
    pub(super) pointers: Vec<Pointer>,
    /// Where each value is kept, if it is in memory from the start.
    pub(super) homes: Vec<Option<Home>>,
    pub(super) banks: Vec<Bank>,
    /// The bytes of the stack that were given away.
    pub(super) stack: u32,
    /// Of a loop: what is handed on from round to round, and where chunks leave.
    pub(super) carried: Vec<Carried>,
    pub(super) exits: Vec<Exit>,
    /// Words for all lanes, by place, and where on the stack they are copied before the first chunk. What a chunk makes of
    /// them is kept behind the copy.
    pub(super) copied: Vec<(u32, u32)>,
}

/// Makes the instructions of one stretch.
pub(super) struct Select<'a> {
    pub(super) known: Known<'a>,
    pub(super) found: Selection,
    /// The pool of constants, for all stretches.
    pub(super) constants: &'a mut Pool,
    /// What registers hold at present.
    pub(super) current: HashMap<Reg, Value>,
    pub(super) by_home: HashMap<(Bank, Home), Value>,
    /// Whether what is made now is done once.
    pub(super) is_before: bool,
    /// Stack slots of what is computed once for the chunks.
    pub(super) adjusted: HashMap<(Reg, u32), Value>,
    pub(super) lengths: HashMap<Area, Value>,
    /// Whether it is a loop that each chunk goes round by itself.
    pub(super) is_round: bool,
    /// What rounds begin with.
    pub(super) started: HashSet<Value>,
    /// Where registers are written that aren't written again.
    last_writes: HashSet<usize>,
    end: usize,
}

impl<'a> Select<'a> {
    pub(super) fn new(
        known: Known<'a>,
        constants: &'a mut Pool,
        each: &[usize],
        end: usize,
    ) -> Self {
        let mut last_writes = HashSet::new();
        let mut open = HashMap::new();
        for &place in each {
            match known.ops[place].dst {
                Some(dst) => {
                    open.insert(dst, place);
                }
                // Chunks that leave out the rest leave what they have.
                None if known.ops[place].code.jumps() => {
                    last_writes.extend(open.drain().map(|(_, place)| place));
                }
                None => {}
            }
        }
        last_writes.extend(open.into_values());
        Self {
            known,
            found: Selection::default(),
            constants,
            current: HashMap::new(),
            by_home: HashMap::new(),
            is_before: false,
            adjusted: HashMap::new(),
            lengths: HashMap::new(),
            is_round: false,
            started: HashSet::new(),
            last_writes,
            end,
        }
    }

    pub(super) fn class(&self, reg: Reg) -> Class {
        self.known.held[reg.0 as usize].class()
    }

    pub(super) fn is_one_word(&self, reg: Reg) -> bool {
        self.class(reg).is_one_word()
    }

    pub(super) fn known_word(&self, reg: Reg) -> Option<u32> {
        match self.known.held[reg.0 as usize] {
            Held::Constant(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn at(&self, reg: Reg) -> u32 {
        self.known.places.at[reg.0 as usize] as u32
    }

    // Values.

    pub(super) fn value(&mut self, bank: Bank, home: Option<Home>) -> Value {
        self.found.homes.push(home);
        self.found.banks.push(bank);
        Value(self.found.homes.len() as u32 - 1)
    }

    pub(super) fn at_home(&mut self, bank: Bank, home: Home) -> Value {
        if let Some(value) = self.by_home.get(&(bank, home)) {
            return *value;
        }
        let value = self.value(bank, Some(home));
        self.by_home.insert((bank, home), value);
        value
    }

    /// A word that is known, for all lanes.
    pub(super) fn constant(&mut self, word: u32) -> Value {
        let index = self.constants.index(word);
        self.at_home(Bank::Vector, Home::Constant(index))
    }

    pub(super) fn float(&mut self, value: f32) -> Value {
        self.constant(value.to_bits())
    }

    pub(super) fn numbers(&mut self) -> Value {
        self.at_home(Bank::Vector, Home::Numbers)
    }

    /// The value of a register, as words.
    pub(super) fn words(&mut self, reg: Reg) -> Value {
        if let Some(word) = self.known_word(reg) {
            return self.constant(word);
        }
        if let Some(value) = self.current.get(&reg) {
            return *value;
        }
        let home = if self.is_one_word(reg) {
            Home::Uniform(self.at(reg))
        } else {
            Home::Lanes(self.at(reg))
        };
        self.at_home(Bank::Vector, home)
    }

    /// The value of a register, as bits.
    pub(super) fn bits(&mut self, reg: Reg) -> Value {
        if self.is_one_word(reg) {
            return match self.current.get(&reg).copied().filter(|_| self.is_round) {
                Some(value) => self.test(
                    X86::EVEX_Vptestmd_kr_k1_zmm_zmmm512b32,
                    None,
                    &[value, value],
                ),
                None => self.at_home(Bank::Mask, Home::UniformBits(self.at(reg))),
            };
        }
        if let Some(value) = self.current.get(&reg) {
            return *value;
        }
        self.at_home(Bank::Mask, Home::Bits(self.at(reg)))
    }

    // Instructions.

    pub(super) fn push(&mut self, kind: Kind, dst: Option<Value>, sources: &[Value]) {
        let micro = Micro {
            kind,
            dst,
            sources: sources.to_vec(),
        };
        if self.is_before {
            self.found.before.push(micro);
        } else {
            self.found.each.push(micro);
        }
    }

    /// What an instruction gives.
    fn made(&mut self, bank: Bank, kind: Kind, sources: &[Value]) -> Value {
        let dst = self.value(bank, None);
        self.push(kind, Some(dst), sources);
        dst
    }

    /// An instruction on vectors.
    pub(super) fn vector(&mut self, code: X86, sources: &[Value]) -> Value {
        self.made(Bank::Vector, Kind::plain(code, None), sources)
    }

    pub(super) fn vector_by(&mut self, code: X86, immediate: u8, sources: &[Value]) -> Value {
        self.made(Bank::Vector, Kind::plain(code, Some(immediate)), sources)
    }

    /// An instruction from vectors to a mask.
    pub(super) fn test(&mut self, code: X86, immediate: Option<u8>, sources: &[Value]) -> Value {
        self.made(Bank::Mask, Kind::plain(code, immediate), sources)
    }

    /// An instruction on masks.
    pub(super) fn logic(&mut self, code: X86, sources: &[Value]) -> Value {
        let kind = Kind::of_registers(code, None, [Width::Whole; 3]);
        self.made(Bank::Mask, kind, sources)
    }

    pub(super) fn spread_mask(&mut self, mask: Value) -> Value {
        self.half(X86::EVEX_Vpmovm2d_zmm_kr, None, [Width::Whole; 3], &[mask])
    }

    /// An instruction to vectors of these widths, or halves of them.
    pub(super) fn half(
        &mut self,
        code: X86,
        immediate: Option<u8>,
        widths: [Width; 3],
        sources: &[Value],
    ) -> Value {
        let kind = Kind::of_registers(code, immediate, widths);
        self.made(Bank::Vector, kind, sources)
    }

    /// An instruction with zeros where the mask isn't.
    pub(super) fn masked(&mut self, code: X86, mask: Value, sources: &[Value]) -> Value {
        let mut all = vec![mask];
        all.extend(sources);
        self.made(Bank::Vector, Kind::masked(code), &all)
    }

    /// `mask ? yes : no`.
    pub(super) fn choose(&mut self, mask: Value, yes: Value, no: Value) -> Value {
        self.masked(X86::EVEX_Vpblendmd_zmm_k1z_zmm_zmmm512b32, mask, &[no, yes])
    }

    pub(super) fn fused(&mut self, signs: Signs, a: Value, b: Value, c: Value) -> Value {
        self.made(Bank::Vector, Kind::Fused(signs), &[a, b, c])
    }

    pub(super) fn add(&mut self, a: Value, b: Value) -> Value {
        self.vector(X86::EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er, &[a, b])
    }

    pub(super) fn sub(&mut self, a: Value, b: Value) -> Value {
        self.vector(X86::EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er, &[a, b])
    }

    pub(super) fn mul(&mut self, a: Value, b: Value) -> Value {
        self.vector(X86::EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er, &[a, b])
    }

    pub(super) fn round(&mut self, how: u8, a: Value) -> Value {
        self.vector_by(X86::EVEX_Vrndscaleps_zmm_k1z_zmmm512b32_imm8_sae, how, &[a])
    }

    pub(super) fn less(&mut self, a: Value, b: Value) -> Value {
        self.test(
            X86::EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae,
            Some(1),
            &[a, b],
        )
    }

    // Operations.

    /// What one operation does, once for all lanes.
    pub(super) fn once(&mut self, place: usize) {
        self.is_before = true;
        self.operation(place);
    }

    /// What one operation does for each chunk.
    pub(super) fn each(&mut self, place: usize) {
        self.is_before = false;
        self.operation(place);
    }

    /// What comparisons find in each chunk, all of it kept. What they compare isn't: its place may be another's still.
    pub(super) fn compare(&mut self, places: &[usize]) {
        for &place in places {
            self.each(place);
            let dst = self.known.ops[place].dst;
            if let Some(dst) = dst.filter(|dst| self.class(*dst) == Class::Bits)
                && let Some(value) = self.current.get(&dst).copied()
            {
                self.keep(dst, value);
            }
        }
    }

    pub(super) fn operation(&mut self, place: usize) {
        let op = self.known.ops[place];
        if op.code == Code::Store {
            self.store(&op);
            return;
        }
        if let (true, Some(mask)) = (op.code.jumps(), op.operands[0]) {
            let mask = self.bits(mask);
            self.push(Kind::LeaveIfNone, None, &[mask]);
            return;
        }
        let Some(dst) = op.dst else { return };
        let value = if self.class(dst) == Class::Bits {
            self.truth(&op)
        } else {
            self.word(&op)
        };
        if self.is_round {
            // What a round begins with changes at its end, when what was set to it in the round has to stay.
            let value = match (self.started.contains(&value), self.class(dst)) {
                (false, _) => value,
                (true, Class::Bits) => self.logic(X86::VEX_Kmovw_kr_km16, &[value]),
                (true, _) => self.vector(X86::EVEX_Vmovdqa32_zmm_k1z_zmmm512, &[value]),
            };
            self.current.insert(dst, value);
            return;
        }
        self.current.insert(dst, value);
        let lives_on =
            self.known.places.lives[dst.0 as usize].is_some_and(|life| life.end >= self.end);
        let is_last = self.last_writes.contains(&place);
        if self.is_one_word(dst) {
            // Chunks read it there.
            let at = self.at(dst);
            let home = Home::Uniform(at);
            let kept = self.value(Bank::Vector, Some(home));
            self.push(Kind::Keep(home), Some(kept), &[value]);
            self.by_home.insert((Bank::Vector, home), kept);
            self.current.insert(dst, kept);
            self.by_home.remove(&(Bank::Mask, Home::UniformBits(at)));
        } else if lives_on && is_last {
            self.keep(dst, value);
        }
    }

    /// The place of a register.
    pub(super) fn home_of(&self, reg: Reg) -> Home {
        let at = self.at(reg);
        match self.class(reg) {
            Class::Bits => Home::Bits(at),
            class if class.is_one_word() => Home::Uniform(at),
            _ => Home::Lanes(at),
        }
    }

    /// Keeps what a register has for each lane in its place.
    fn keep(&mut self, reg: Reg, value: Value) {
        let home = self.home_of(reg);
        self.push(Kind::Keep(home), None, &[value]);
    }
}
