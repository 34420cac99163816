//! From a stretch of operations to instructions on values.
//!
//! What is one word for all lanes is computed once, before the chunks; all else for each chunk. Which operations stand in a
//! stretch is the affair of `stretch`, which registers hold the values that of `assign`.
//!
//! Invariant: after a stretch each register that is needed later is in its place.

use super::super::op::{Class, Code, Held, Memory, Op, Reg};
use super::super::place::Places;
use super::frame::Pool;
use super::micro::{Area, Bank, Home, Kind, Micro, Pattern, Signs, Value, Width};
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
    pub(super) lanes: usize,
}

/// The start of a run of words that a stretch accesses, to be checked and kept before its chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pointer {
    pub(super) area: Area,
    /// Where the index of the first lane is.
    pub(super) index: Home,
    /// What is added to it, if anything, and the words besides.
    pub(super) more: Option<Home>,
    pub(super) offset: u32,
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
}

/// Makes the instructions of one stretch.
pub(super) struct Select<'a> {
    pub(super) known: Known<'a>,
    pub(super) found: Selection,
    /// The pool of constants, for all stretches.
    pub(super) constants: &'a mut Pool,
    /// What registers hold at present.
    current: HashMap<Reg, Value>,
    by_home: HashMap<(Bank, Home), Value>,
    /// Whether what is made now is done once.
    is_before: bool,
    /// Stack slots of what is computed once for the chunks.
    adjusted: HashMap<(Option<Reg>, u32), Value>,
    lengths: HashMap<Area, Value>,
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
            last_writes,
            end,
        }
    }

    fn class(&self, reg: Reg) -> Class {
        self.known.held[reg.0 as usize].class()
    }

    pub(super) fn is_one_word(&self, reg: Reg) -> bool {
        matches!(self.class(reg), Class::Uniform | Class::Run(_))
    }

    fn known_word(&self, reg: Reg) -> Option<u32> {
        match self.known.held[reg.0 as usize] {
            Held::Constant(word) => Some(word),
            _ => None,
        }
    }

    fn at(&self, reg: Reg) -> u32 {
        self.known.places.at[reg.0 as usize] as u32
    }

    // Values.

    fn value(&mut self, bank: Bank, home: Option<Home>) -> Value {
        self.found.homes.push(home);
        self.found.banks.push(bank);
        Value(self.found.homes.len() as u32 - 1)
    }

    fn at_home(&mut self, bank: Bank, home: Home) -> Value {
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

    fn numbers(&mut self) -> Value {
        self.at_home(Bank::Vector, Home::Numbers)
    }

    /// The value of a register, as words.
    fn words(&mut self, reg: Reg) -> Value {
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
    fn bits(&mut self, reg: Reg) -> Value {
        if self.is_one_word(reg) {
            return self.at_home(Bank::Mask, Home::UniformBits(self.at(reg)));
        }
        if let Some(value) = self.current.get(&reg) {
            return *value;
        }
        self.at_home(Bank::Mask, Home::Bits(self.at(reg)))
    }

    // Instructions.

    fn push(&mut self, kind: Kind, dst: Option<Value>, sources: &[Value]) {
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

    fn plain(&mut self, code: X86, immediate: Option<u8>, bank: Bank, sources: &[Value]) -> Value {
        let dst = self.value(bank, None);
        let kind = Kind::Plain {
            code,
            immediate,
            widths: [Width::Whole; 3],
            may_read_memory: true,
            is_masked: false,
        };
        self.push(kind, Some(dst), sources);
        dst
    }

    /// An instruction on vectors.
    pub(super) fn vector(&mut self, code: X86, sources: &[Value]) -> Value {
        self.plain(code, None, Bank::Vector, sources)
    }

    pub(super) fn vector_by(&mut self, code: X86, immediate: u8, sources: &[Value]) -> Value {
        self.plain(code, Some(immediate), Bank::Vector, sources)
    }

    /// An instruction from vectors to a mask.
    pub(super) fn test(&mut self, code: X86, immediate: Option<u8>, sources: &[Value]) -> Value {
        self.plain(code, immediate, Bank::Mask, sources)
    }

    /// An instruction on masks.
    pub(super) fn logic(&mut self, code: X86, sources: &[Value]) -> Value {
        let dst = self.value(Bank::Mask, None);
        let kind = Kind::Plain {
            code,
            immediate: None,
            widths: [Width::Whole; 3],
            may_read_memory: false,
            is_masked: false,
        };
        self.push(kind, Some(dst), sources);
        dst
    }

    fn spread_mask(&mut self, mask: Value) -> Value {
        let dst = self.value(Bank::Vector, None);
        let kind = Kind::Plain {
            code: X86::EVEX_Vpmovm2d_zmm_kr,
            immediate: None,
            widths: [Width::Whole; 3],
            may_read_memory: false,
            is_masked: false,
        };
        self.push(kind, Some(dst), &[mask]);
        dst
    }

    /// An instruction on a half, or to one.
    fn half(
        &mut self,
        code: X86,
        immediate: Option<u8>,
        widths: [Width; 3],
        sources: &[Value],
    ) -> Value {
        let dst = self.value(Bank::Vector, None);
        let kind = Kind::Plain {
            code,
            immediate,
            widths,
            may_read_memory: false,
            is_masked: false,
        };
        self.push(kind, Some(dst), sources);
        dst
    }

    /// An instruction with zeros where the mask isn't.
    pub(super) fn masked(
        &mut self,
        code: X86,
        immediate: Option<u8>,
        mask: Value,
        sources: &[Value],
    ) -> Value {
        let dst = self.value(Bank::Vector, None);
        let mut all = vec![mask];
        all.extend(sources);
        let kind = Kind::Plain {
            code,
            immediate,
            widths: [Width::Whole; 3],
            may_read_memory: true,
            is_masked: true,
        };
        self.push(kind, Some(dst), &all);
        dst
    }

    /// `mask ? yes : no`.
    pub(super) fn choose(&mut self, mask: Value, yes: Value, no: Value) -> Value {
        let dst = self.value(Bank::Vector, None);
        let kind = Kind::Plain {
            code: X86::EVEX_Vpblendmd_zmm_k1z_zmm_zmmm512b32,
            immediate: None,
            widths: [Width::Whole; 3],
            may_read_memory: true,
            is_masked: true,
        };
        self.push(kind, Some(dst), &[mask, no, yes]);
        dst
    }

    pub(super) fn fused(&mut self, signs: Signs, a: Value, b: Value, c: Value) -> Value {
        let dst = self.value(Bank::Vector, None);
        self.push(Kind::Fused(signs), Some(dst), &[a, b, c]);
        dst
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

    fn operation(&mut self, place: usize) {
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
        self.current.insert(dst, value);
        let lives_on =
            self.known.places.lives[dst.0 as usize].is_some_and(|life| life.end >= self.end);
        let is_last = self.last_writes.contains(&place);
        let at = self.at(dst);
        if self.is_one_word(dst) {
            // Chunks read it there.
            let home = Home::Uniform(at);
            let kept = self.value(Bank::Vector, Some(home));
            self.push(Kind::Keep(home), Some(kept), &[value]);
            self.by_home.insert((Bank::Vector, home), kept);
            self.current.insert(dst, kept);
            self.by_home.remove(&(Bank::Mask, Home::UniformBits(at)));
        } else if lives_on && is_last {
            let home = match self.class(dst) {
                Class::Bits => Home::Bits(at),
                _ => Home::Lanes(at),
            };
            self.push(Kind::Keep(home), None, &[value]);
        }
    }

    /// An operation with bits as its result.
    fn truth(&mut self, op: &Op) -> Value {
        let [a, b, c, _] = op.operands;
        let mut bits =
            |reg: Option<Reg>| reg.map(|reg| self.bits(reg)).expect("it has that operand");
        match op.code {
            Code::CopyB => bits(a),
            Code::NotB => {
                let a = bits(a);
                self.logic(X86::VEX_Knotw_kr_kr, &[a])
            }
            Code::AndB => {
                let both = [bits(a), bits(b)];
                self.logic(X86::VEX_Kandw_kr_kr_kr, &both)
            }
            Code::OrB => {
                let both = [bits(a), bits(b)];
                self.logic(X86::VEX_Korw_kr_kr_kr, &both)
            }
            Code::XorB => {
                let both = [bits(a), bits(b)];
                self.logic(X86::VEX_Kxorw_kr_kr_kr, &both)
            }
            Code::AndNotB => {
                // The instruction inverts its first operand.
                let both = [bits(b), bits(a)];
                self.logic(X86::VEX_Kandnw_kr_kr_kr, &both)
            }
            Code::SelectB => {
                let known = |reg: Option<Reg>| reg.and_then(|reg| self.known_word(reg));
                let (yes_is, no_is) = (known(a), known(b));
                let (yes, no, mask) = (
                    self.bits(op.operands[0].expect("it is there")),
                    b,
                    self.bits(c.expect("it is there")),
                );
                if yes_is == Some(0) {
                    let no = self.bits(no.expect("it is there"));
                    return self.logic(X86::VEX_Kandnw_kr_kr_kr, &[mask, no]);
                }
                let kept = if no_is == Some(0) {
                    None
                } else {
                    let no = self.bits(no.expect("it is there"));
                    if yes_is == Some(u32::MAX) {
                        return self.logic(X86::VEX_Korw_kr_kr_kr, &[mask, no]);
                    }
                    Some(self.logic(X86::VEX_Kandnw_kr_kr_kr, &[mask, no]))
                };
                let taken = if yes_is == Some(u32::MAX) {
                    mask
                } else {
                    self.logic(X86::VEX_Kandw_kr_kr_kr, &[mask, yes])
                };
                match kept {
                    Some(kept) => self.logic(X86::VEX_Korw_kr_kr_kr, &[taken, kept]),
                    None => taken,
                }
            }
            _ => {
                let (a, b) = self.two(op);
                self.comparison(op.code, a, b)
            }
        }
    }

    fn comparison(&mut self, code: Code, a: Value, b: Value) -> Value {
        use X86::{
            EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae as Floats,
            EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8 as Signed,
            EVEX_Vpcmpud_kr_k1_zmm_zmmm512b32_imm8 as Unsigned,
        };
        let (instruction, how) = match code {
            Code::EqF => (Floats, 0),
            Code::LtF => (Floats, 1),
            Code::LeF => (Floats, 2),
            Code::NeF => (Floats, 4),
            Code::Eq => (Signed, 0),
            Code::LtS => (Signed, 1),
            Code::LeS => (Signed, 2),
            Code::Ne => (Signed, 4),
            Code::LtU => (Unsigned, 1),
            _ => (Unsigned, 2),
        };
        self.test(instruction, Some(how), &[a, b])
    }

    fn one(&mut self, op: &Op) -> Value {
        self.words(op.operands[0].expect("it has an operand"))
    }

    fn two(&mut self, op: &Op) -> (Value, Value) {
        let a = self.one(op);
        (a, self.words(op.operands[1].expect("it has two operands")))
    }

    /// An operation with words as its result.
    fn word(&mut self, op: &Op) -> Value {
        use X86::*;
        let binary = |code: Code| {
            Some(match code {
                Code::AddF => EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er,
                Code::SubF => EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er,
                Code::MulF => EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er,
                Code::DivF => EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er,
                Code::Add => EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32,
                Code::Sub => EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32,
                Code::Mul => EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32,
                Code::And => EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32,
                Code::Or => EVEX_Vpord_zmm_k1z_zmm_zmmm512b32,
                Code::Xor => EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
                Code::MinS => EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32,
                Code::MaxS => EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32,
                Code::MinU => EVEX_Vpminud_zmm_k1z_zmm_zmmm512b32,
                Code::MaxU => EVEX_Vpmaxud_zmm_k1z_zmm_zmmm512b32,
                _ => return None,
            })
        };
        if let Some(code) = binary(op.code) {
            let (a, b) = self.two(op);
            return self.vector(code, &[a, b]);
        }
        match op.code {
            Code::Load => self.load(op),
            Code::Copy => self.one(op),
            Code::Count => {
                let numbers = self.numbers();
                let scaled = match op.offset {
                    1 => numbers,
                    by if by.is_power_of_two() => {
                        let shift = by.trailing_zeros() as u8;
                        self.vector_by(EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8, shift, &[numbers])
                    }
                    by => {
                        let by = self.constant(by);
                        self.vector(EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32, &[numbers, by])
                    }
                };
                let first = self.one(op);
                self.vector(EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, &[scaled, first])
            }
            Code::Select => {
                let (yes, no) = self.two(op);
                let condition = op.operands[2].expect("it has three operands");
                let mask = if self.is_before {
                    let words = self.words(condition);
                    self.test(EVEX_Vptestmd_kr_k1_zmm_zmmm512b32, None, &[words, words])
                } else {
                    self.bits(condition)
                };
                self.choose(mask, yes, no)
            }
            Code::MulAddF | Code::MulSubF | Code::NegMulAddF => {
                let (a, b) = self.two(op);
                let c = self.words(op.operands[2].expect("it has three operands"));
                let signs = match op.code {
                    Code::MulAddF => Signs::Add,
                    Code::MulSubF => Signs::Subtract,
                    _ => Signs::From,
                };
                self.fused(signs, a, b, c)
            }
            Code::MinF | Code::MaxF => {
                let (a, b) = self.two(op);
                let how = if op.code == Code::MinF {
                    0b0100
                } else {
                    0b0101
                };
                self.vector_by(EVEX_Vrangeps_zmm_k1z_zmm_zmmm512b32_imm8_sae, how, &[a, b])
            }
            Code::RemF => {
                let (a, b) = self.two(op);
                let parts = self.vector(EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er, &[a, b]);
                let whole = self.round(0x0b, parts);
                self.fused(Signs::From, whole, b, a)
            }
            Code::NegF => {
                let a = self.one(op);
                let sign = self.constant(1 << 31);
                self.vector(EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, &[a, sign])
            }
            Code::AbsF => {
                let a = self.one(op);
                let rest = self.constant(u32::MAX >> 1);
                self.vector(EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, &[a, rest])
            }
            Code::RoundF => {
                let a = self.one(op);
                self.round(0x08, a)
            }
            Code::FloorF => {
                let a = self.one(op);
                self.round(0x09, a)
            }
            Code::CeilF => {
                let a = self.one(op);
                self.round(0x0a, a)
            }
            Code::TruncF => {
                let a = self.one(op);
                self.round(0x0b, a)
            }
            Code::FractF => {
                let a = self.one(op);
                let floor = self.round(0x09, a);
                self.sub(a, floor)
            }
            Code::SqrtF => {
                let a = self.one(op);
                self.vector(EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er, &[a])
            }
            Code::SignF => {
                let a = self.one(op);
                let zero = self.constant(0);
                let (one, minus_one) = (self.float(1.0), self.float(-1.0));
                let above = self.less(zero, a);
                let below = self.less(a, zero);
                let sign =
                    self.masked(EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, None, above, &[one, one]);
                self.choose(below, minus_one, sign)
            }
            Code::Neg => {
                let a = self.one(op);
                let zero = self.constant(0);
                self.vector(EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32, &[zero, a])
            }
            Code::AbsS => {
                let a = self.one(op);
                self.vector(EVEX_Vpabsd_zmm_k1z_zmmm512b32, &[a])
            }
            Code::SignS => {
                let a = self.one(op);
                let (one, minus_one) = (self.constant(1), self.constant(u32::MAX));
                let low = self.vector(EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32, &[a, one]);
                self.vector(EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32, &[low, minus_one])
            }
            Code::Not => {
                let a = self.one(op);
                let all = self.constant(u32::MAX);
                self.vector(EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, &[a, all])
            }
            Code::AndNot => {
                let (a, b) = self.two(op);
                self.vector(EVEX_Vpandnd_zmm_k1z_zmm_zmmm512b32, &[b, a])
            }
            Code::Shl | Code::ShrS | Code::ShrU => self.shift(op),
            Code::LeadingZeros => {
                let a = self.one(op);
                self.vector(EVEX_Vplzcntd_zmm_k1z_zmmm512b32, &[a])
            }
            Code::CountOnes => {
                let a = self.one(op);
                self.vector(EVEX_Vpopcntd_zmm_k1z_zmmm512b32, &[a])
            }
            Code::StoF => {
                let a = self.one(op);
                self.vector(EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er, &[a])
            }
            Code::UtoF => {
                let a = self.one(op);
                self.vector(EVEX_Vcvtudq2ps_zmm_k1z_zmmm512b32_er, &[a])
            }
            Code::FtoS => {
                let a = self.one(op);
                let is_number =
                    self.test(EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, Some(7), &[a, a]);
                let words = self.masked(
                    EVEX_Vcvttps2dq_zmm_k1z_zmmm512b32_sae,
                    None,
                    is_number,
                    &[a],
                );
                let limit = self.float(2_147_483_648.0);
                let is_above = self.test(
                    EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae,
                    Some(13),
                    &[a, limit],
                );
                let most = self.constant(i32::MAX as u32);
                self.choose(is_above, most, words)
            }
            Code::FtoU => {
                let a = self.one(op);
                let zero = self.constant(0);
                // Of no number and zero the second is taken.
                let a = self.vector(EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae, &[a, zero]);
                self.vector(EVEX_Vcvttps2udq_zmm_k1z_zmmm512b32_sae, &[a])
            }
            Code::DivU | Code::RemU | Code::DivS | Code::RemS => self.division(op),
            Code::ExtractS | Code::ExtractU => {
                let known = |i: usize| op.operands[i].and_then(|reg| self.known_word(reg));
                let (from, count) = (known(1).unwrap_or(0).min(32), known(2).unwrap_or(0));
                let count = count.min(32 - from);
                let a = self.one(op);
                if count == 0 {
                    return self.constant(0);
                }
                let up = (32 - from - count) as u8;
                let high = self.vector_by(EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8, up, &[a]);
                let down = (32 - count) as u8;
                let code = if op.code == Code::ExtractS {
                    EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8
                } else {
                    EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8
                };
                self.vector_by(code, down, &[high])
            }
            Code::InverseSqrtF
            | Code::ExpF
            | Code::Exp2F
            | Code::LogF
            | Code::Log2F
            | Code::SinF
            | Code::CosF
            | Code::TanF => {
                let a = self.one(op);
                self.function(op.code, a)
            }
            Code::PowF => {
                let (a, b) = self.two(op);
                let log = self.function(Code::Log2F, a);
                let product = self.mul(b, log);
                self.function(Code::Exp2F, product)
            }
            // Comparisons of what is the same for all lanes.
            code => {
                let (a, b) = self.two(op);
                let mask = self.comparison(code, a, b);
                self.spread_mask(mask)
            }
        }
    }

    fn shift(&mut self, op: &Op) -> Value {
        use X86::*;
        let a = self.one(op);
        let by = op.operands[1].expect("it has two operands");
        if let Some(by) = self.known_word(by) {
            let code = match op.code {
                Code::Shl => EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8,
                Code::ShrS => EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8,
                _ => EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8,
            };
            return self.vector_by(code, (by & 31) as u8, &[a]);
        }
        let by = self.words(by);
        let most = self.constant(31);
        let by = self.vector(EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, &[by, most]);
        let code = match op.code {
            Code::Shl => EVEX_Vpsllvd_zmm_k1z_zmm_zmmm512b32,
            Code::ShrS => EVEX_Vpsravd_zmm_k1z_zmm_zmmm512b32,
            _ => EVEX_Vpsrlvd_zmm_k1z_zmm_zmmm512b32,
        };
        self.vector(code, &[a, by])
    }

    /// Quotients and remainders, by way of numbers with 53 bits, in which they are exact.
    fn division(&mut self, op: &Op) -> Value {
        use X86::*;
        let is_signed = matches!(op.code, Code::DivS | Code::RemS);
        let is_quotient = matches!(op.code, Code::DivS | Code::DivU);
        let (a, b) = self.two(op);
        if let Some(by) = op.operands[1].and_then(|reg| self.known_word(reg))
            && by.is_power_of_two()
            && !is_signed
        {
            if is_quotient {
                let shift = by.trailing_zeros() as u8;
                return self.vector_by(EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8, shift, &[a]);
            }
            let rest = self.constant(by - 1);
            return self.vector(EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, &[a, rest]);
        }
        let (wide, narrow) = if is_signed {
            (
                EVEX_Vcvtdq2pd_zmm_k1z_ymmm256b32_er,
                EVEX_Vcvttpd2dq_ymm_k1z_zmmm512b64_sae,
            )
        } else {
            (
                EVEX_Vcvtudq2pd_zmm_k1z_ymmm256b32_er,
                EVEX_Vcvttpd2udq_ymm_k1z_zmmm512b64_sae,
            )
        };
        let (whole, half) = (Width::Whole, Width::Half);
        let mut halves = [a; 2];
        for (i, quotient) in halves.iter_mut().enumerate() {
            let [a, b] = [a, b].map(|value| {
                let part = if i == 0 {
                    value
                } else {
                    self.half(
                        EVEX_Vextracti64x4_ymmm256_k1z_zmm_imm8,
                        Some(1),
                        [half, whole, whole],
                        &[value],
                    )
                };
                self.half(wide, None, [whole, half, whole], &[part])
            });
            let found = self.half(
                EVEX_Vdivpd_zmm_k1z_zmm_zmmm512b64_er,
                None,
                [whole; 3],
                &[a, b],
            );
            *quotient = self.half(narrow, None, [half, whole, whole], &[found]);
        }
        let quotient = self.half(
            EVEX_Vinserti64x4_zmm_k1z_zmm_ymmm256_imm8,
            Some(1),
            [whole, whole, half],
            &halves,
        );
        let zero = self.constant(0);
        let is_some = self.test(EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, Some(4), &[b, zero]);
        if is_quotient {
            return self.choose(is_some, quotient, a);
        }
        let product = self.vector(EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32, &[quotient, b]);
        self.masked(
            EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32,
            None,
            is_some,
            &[a, product],
        )
    }

    // Memory.

    fn area(op: &Op) -> Area {
        Area {
            memory: op.memory,
            first: op.region.0,
            words: op.region.1,
        }
    }

    fn home(&mut self, reg: Reg) -> Home {
        match self.known_word(reg) {
            Some(word) => {
                let value = self.constant(word);
                self.found.homes[value.0 as usize].expect("constants have a home")
            }
            None => Home::Uniform(self.at(reg)),
        }
    }

    fn pointer(&mut self, op: &Op, place: Reg, more: Option<Reg>) -> usize {
        let pointer = Pointer {
            area: Self::area(op),
            index: self.home(place),
            more: more.map(|more| self.home(more)),
            offset: op.offset.wrapping_sub(op.region.0),
        };
        let pointers = &mut self.found.pointers;
        pointers
            .iter()
            .position(|one| *one == pointer)
            .unwrap_or_else(|| {
                pointers.push(pointer);
                pointers.len() - 1
            })
    }

    /// What is added to the place of an access, computed once.
    fn adjustment(&mut self, op: &Op, more: Option<Reg>) -> Option<Value> {
        let offset = op.offset.wrapping_sub(op.region.0);
        let Some(more) = more else {
            return (offset != 0).then(|| self.constant(offset));
        };
        if offset == 0 {
            return Some(self.words(more));
        }
        if let Some(value) = self.adjusted.get(&(Some(more), offset)) {
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
        self.adjusted.insert((Some(more), offset), kept);
        Some(kept)
    }

    /// Keeps what was computed once for the chunks.
    fn on_stack(&mut self, value: Value) -> Value {
        let home = Home::Stack(self.found.stack);
        self.found.stack += 64;
        let kept = self.at_home(Bank::Vector, home);
        self.push(Kind::Keep(home), Some(kept), &[value]);
        kept
    }

    /// The index of each lane, from the start of the area.
    fn index(&mut self, op: &Op, place: Reg, more: Option<Reg>) -> Value {
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

    fn pattern(&self, place: Reg) -> Pattern {
        match self.known.strides.of(place) {
            Some(0) => Pattern::Same,
            Some(1) => Pattern::Next,
            Some(step) => Pattern::Perhaps(step),
            None => Pattern::Perhaps(self.known.strides.guess(place)),
        }
    }

    /// Makes the length of an area known to the chunks.
    fn length(&mut self, area: Area) -> Value {
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

    fn load(&mut self, op: &Op) -> Value {
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
            let pointer = self.pointer(op, place, more);
            self.push(Kind::Load { pointer }, Some(dst), &[]);
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
    fn own_index(&mut self, index: Value, length: Value) -> [Value; 2] {
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

    fn store(&mut self, op: &Op) {
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
            let pointer = self.pointer(op, place, more);
            self.push(Kind::Store { pointer }, None, &sources);
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
