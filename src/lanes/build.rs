//! Makes registers and operations.
//!
//! Knows which registers are the same for all lanes or go up from lane to lane, computes what is known already, finds what
//! was computed before, and puts what depends on nothing but the block before the program. What the kernel means is the
//! affair of `lower`.
//!
//! Invariant: a register that is held once for all lanes is never written from one that differs between them.

use super::op::{Class, Code, Held, Input, Label, Memory, Op, Reg};
use super::wide::Half;
use super::wide_atomic::WideAtomic;
use std::collections::HashMap;

/// When an operation's operands are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Before the first block.
    Dispatch,
    /// Before the block.
    Block,
    /// Where it stands.
    Here,
}

/// A program in the making.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// What is done once, before the first block.
    pub(crate) once: Vec<Op>,
    /// What is done before each block.
    pub(crate) first: Vec<Op>,
    pub(crate) ops: Vec<Op>,
    pub(crate) held: Vec<Held>,
    levels: Vec<Level>,
    /// Written more than once.
    cells: Vec<bool>,
    constants: HashMap<u32, Reg>,
    inputs: HashMap<Input, Reg>,
    /// What was computed before the program, and since the last label.
    hoisted: HashMap<Key, Reg>,
    local: HashMap<Key, Reg>,
    /// What cells hold, as far as is known since the last label.
    current: HashMap<Reg, Reg>,
    /// What cells hold until they are released, whatever labels there are.
    fixed: HashMap<Reg, Reg>,
    sums: HashMap<Reg, Sum>,
    /// What truth values are the opposite of.
    negated: HashMap<Reg, Reg>,
    /// Loops around what is built.
    pub(crate) loops: u32,
    /// By number of the binding: whether nobody writes it while the kernel runs.
    settled: Vec<bool>,
    labels: u32,
}

/// What makes operations the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    code: Code,
    operands: [Option<Reg>; 4],
    memory: Memory,
    offset: u32,
    region: (u32, Option<u32>),
}

/// A place in memory: what may differ between lanes, what is uniform, and what is known.
#[derive(Clone, Copy, Debug)]
struct Sum {
    place: Reg,
    more: Option<Reg>,
    offset: u32,
}

/// The words of memory that an access may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) memory: Memory,
    pub(crate) first: u32,
    /// All that there are if it isn't said.
    pub(crate) words: Option<u32>,
}

impl Builder {
    pub(crate) fn new(settled: Vec<bool>) -> Self {
        Self {
            settled,
            ..Self::default()
        }
    }

    fn register(&mut self, held: Held, level: Level) -> Reg {
        self.held.push(held);
        self.levels.push(level);
        self.cells.push(false);
        Reg(self.held.len() as u32 - 1)
    }

    pub(crate) fn constant(&mut self, word: u32) -> Reg {
        if let Some(reg) = self.constants.get(&word) {
            return *reg;
        }
        let reg = self.register(Held::Constant(word), Level::Dispatch);
        self.constants.insert(word, reg);
        reg
    }

    pub(crate) fn float(&mut self, value: f32) -> Reg {
        self.constant(value.to_bits())
    }

    pub(crate) fn input(&mut self, input: Input) -> Reg {
        if let Some(reg) = self.inputs.get(&input) {
            return *reg;
        }
        let level = if input.is_settled() {
            Level::Dispatch
        } else {
            Level::Block
        };
        let reg = self.register(Held::Input(input), level);
        self.inputs.insert(input, reg);
        reg
    }

    /// The word of a register that is known already.
    pub(crate) fn known(&self, reg: Reg) -> Option<u32> {
        match self.held[reg.0 as usize] {
            Held::Constant(word) => Some(word),
            _ => None,
        }
    }

    pub(crate) fn class(&self, reg: Reg) -> Class {
        self.held[reg.0 as usize].class()
    }

    /// Whether lanes may have different words.
    pub(crate) fn differs(&self, reg: Reg) -> bool {
        self.class(reg) != Class::Uniform
    }

    fn fresh(&mut self, class: Class) -> Reg {
        self.register(Held::Class(class), Level::Here)
    }

    /// A register that is written more than once.
    pub(crate) fn cell(&mut self, class: Class) -> Reg {
        let reg = self.fresh(class);
        self.cells[reg.0 as usize] = true;
        reg
    }

    /// A register with what the operation computes.
    pub(crate) fn op(&mut self, code: Code, operands: &[Reg]) -> Reg {
        if let Some(reg) = self.folded(code, operands) {
            return reg;
        }
        let classes: Vec<Class> = operands.iter().map(|reg| self.class(*reg)).collect();
        if classes.contains(&Class::Bits)
            && let Some(reg) = self.on_bits(code, operands)
        {
            return reg;
        }
        if let Some(class) = self.run(code, operands, &classes) {
            let dst = self.pure(Op::new(code, None, operands), class);
            self.note_sum(code, operands, dst);
            return dst;
        }
        let operands: Vec<Reg> = operands.iter().map(|reg| self.spread(*reg)).collect();
        let class = if operands.iter().all(|reg| !self.differs(*reg)) {
            Class::Uniform
        } else if code.is_comparison() {
            Class::Bits
        } else {
            Class::Varying
        };
        let dst = self.pure(Op::new(code, None, &operands), class);
        self.note_sum(code, &operands, dst);
        dst
    }

    /// What needs no operation: integer arithmetic on constants, and operations that change nothing.
    fn folded(&mut self, code: Code, operands: &[Reg]) -> Option<Reg> {
        let known = |i: usize| operands.get(i).and_then(|reg| self.known(*reg));
        match (code, known(0), known(1)) {
            (Code::Add, Some(a), Some(b)) => Some(self.constant(a.wrapping_add(b))),
            (Code::Sub, Some(a), Some(b)) => Some(self.constant(a.wrapping_sub(b))),
            (Code::Mul, Some(a), Some(b)) => Some(self.constant(a.wrapping_mul(b))),
            (Code::MinU, Some(a), Some(b)) => Some(self.constant(a.min(b))),
            (Code::Not, Some(a), _) => Some(self.constant(!a)),
            (Code::Add | Code::Sub, _, Some(0)) | (Code::Mul, _, Some(1)) => Some(operands[0]),
            (Code::Add, Some(0), _) | (Code::Mul, Some(1), _) => Some(operands[1]),
            (Code::And, Some(u32::MAX), _) => Some(operands[1]),
            (Code::And, _, Some(u32::MAX)) => Some(operands[0]),
            _ => None,
        }
    }

    /// Logic on truth values that differ between lanes.
    fn on_bits(&mut self, code: Code, operands: &[Reg]) -> Option<Reg> {
        let code = match code {
            Code::And => Code::AndB,
            Code::Or => Code::OrB,
            Code::Xor | Code::Ne => Code::XorB,
            Code::AndNot => Code::AndNotB,
            Code::Not => {
                if let Some(reg) = self.negated.get(&operands[0]) {
                    return Some(*reg);
                }
                let dst = self.pure(Op::new(Code::NotB, None, operands), Class::Bits);
                if !self.cells[operands[0].0 as usize] {
                    self.negated.insert(dst, operands[0]);
                }
                return Some(dst);
            }
            Code::Eq => {
                let differ = self.pure(Op::new(Code::XorB, None, operands), Class::Bits);
                return Some(self.pure(Op::new(Code::NotB, None, &[differ]), Class::Bits));
            }
            _ => return None,
        };
        Some(self.pure(Op::new(code, None, operands), Class::Bits))
    }

    /// The class of a sum or product that goes up evenly from lane to lane.
    fn run(&self, code: Code, operands: &[Reg], classes: &[Class]) -> Option<Class> {
        let step = |class: &Class| match class {
            Class::Uniform => Some(0),
            Class::Run(step) => Some(*step),
            _ => None,
        };
        let steps: Option<Vec<u32>> = classes.iter().map(step).collect();
        let steps = steps?;
        if steps.iter().all(|step| *step == 0) {
            return None;
        }
        let known = |i: usize| self.known(operands[i]);
        let step = match code {
            Code::Copy => steps[0],
            Code::Add => steps[0].wrapping_add(steps[1]),
            Code::Sub => steps[0].wrapping_sub(steps[1]),
            Code::Mul if known(1).is_some() => steps[0].wrapping_mul(known(1)?),
            Code::Mul if known(0).is_some() => steps[1].wrapping_mul(known(0)?),
            Code::Shl if known(1).is_some_and(|by| by < 32) => steps[0] << known(1)?,
            _ => return None,
        };
        Some(if step == 0 {
            Class::Uniform
        } else {
            Class::Run(step)
        })
    }

    /// A run as words of lanes; all else as it is.
    pub(crate) fn spread(&mut self, reg: Reg) -> Reg {
        let Class::Run(step) = self.class(reg) else {
            return reg;
        };
        let mut op = Op::new(Code::Count, None, &[reg]);
        op.offset = step;
        self.pure(op, Class::Varying)
    }

    /// Truth values as words of zeros or ones; all else as words too.
    pub(crate) fn worded(&mut self, reg: Reg) -> Reg {
        if self.class(reg) == Class::Bits {
            let (none, all) = (self.constant(0), self.constant(u32::MAX));
            return self.op(Code::Select, &[all, none, reg]);
        }
        self.spread(reg)
    }

    /// The register of an operation that depends on its operands alone: where it is computed already, before the program
    /// if it can be, or here.
    fn pure(&mut self, mut op: Op, class: Class) -> Reg {
        let key = Key {
            code: op.code,
            operands: op.operands,
            memory: op.memory,
            offset: op.offset,
            region: op.region,
        };
        if let Some(reg) = self.hoisted.get(&key).or_else(|| self.local.get(&key)) {
            return *reg;
        }
        let operands = || op.operands.iter().flatten().map(|reg| reg.0 as usize);
        let level = operands().map(|i| self.levels[i]).max();
        let level = level.unwrap_or(Level::Dispatch);
        let has_cells = operands().any(|i| self.cells[i]);
        let is_one_word = class.is_one_word();
        let goes_before = match level {
            Level::Dispatch => true,
            Level::Block => is_one_word || (self.loops > 0 && op.code.is_cheap()),
            Level::Here => false,
        };
        let dst = self.fresh(class);
        op.dst = Some(dst);
        if goes_before {
            self.levels[dst.0 as usize] = level;
            self.hoisted.insert(key, dst);
            if level == Level::Dispatch {
                self.once.push(op);
            } else {
                self.first.push(op);
            }
        } else {
            if !has_cells {
                self.local.insert(key, dst);
            }
            self.ops.push(op);
        }
        dst
    }

    /// Remembers what was added, so that accesses can add it themselves.
    fn note_sum(&mut self, code: Code, operands: &[Reg], dst: Reg) {
        if operands.iter().any(|reg| self.cells[reg.0 as usize]) {
            return;
        }
        let sum = match (code, operands) {
            (Code::Add, [a, b]) => match (self.known(*a), self.known(*b)) {
                (_, Some(known)) => self.sum(*a).plus(known),
                (Some(known), _) => self.sum(*b).plus(known),
                _ => {
                    let (place, more) = if self.differs(*a) { (*a, *b) } else { (*b, *a) };
                    if !self.differs(place) || self.differs(more) {
                        return;
                    }
                    let (place, more) = (self.sum(place), self.sum(more));
                    if place.more.is_some() || more.more.is_some() {
                        return;
                    }
                    Sum {
                        place: place.place,
                        more: Some(more.place),
                        offset: place.offset.wrapping_add(more.offset),
                    }
                }
            },
            (Code::Sub, [a, b]) => match self.known(*b) {
                Some(known) => self.sum(*a).plus(known.wrapping_neg()),
                None => return,
            },
            _ => return,
        };
        self.sums.insert(dst, sum);
    }

    fn sum(&self, place: Reg) -> Sum {
        let own = Sum {
            place,
            more: None,
            offset: 0,
        };
        self.sums.get(&place).copied().unwrap_or(own)
    }

    /// The parts of a place, with what is known in the offset.
    fn parts(&mut self, place: Reg, offset: u32) -> Sum {
        let mut sum = self.sum(place).plus(offset);
        if let Some(known) = self.known(sum.place) {
            sum = sum.plus(known);
            sum.place = self.constant(0);
        }
        sum
    }

    /// The word that a cell holds, if it is known here.
    pub(crate) fn known_in(&self, cell: Reg) -> Option<u32> {
        let held = self.fixed.get(&cell).or_else(|| self.current.get(&cell));
        self.known(*held?)
    }

    /// Takes a cell to hold this, which it does, until it is released.
    pub(crate) fn fix(&mut self, cell: Reg, held: Reg) {
        self.fixed.insert(cell, held);
    }

    /// Knows of a cell that was fixed only what is known of others.
    pub(crate) fn release(&mut self, cell: Reg) {
        if let Some(held) = self.fixed.remove(&cell) {
            self.current.insert(cell, held);
        }
    }

    /// What a cell holds, as a register that stays what it is.
    pub(crate) fn read(&mut self, cell: Reg) -> Reg {
        if let Some(reg) = self.fixed.get(&cell).or_else(|| self.current.get(&cell)) {
            return *reg;
        }
        let class = self.class(cell);
        let dst = self.fresh(class);
        self.ops.push(Op::new(copy(class), Some(dst), &[cell]));
        self.current.insert(cell, dst);
        dst
    }

    /// Sets a cell.
    pub(crate) fn set(&mut self, dst: Reg, value: Reg) {
        let value = self.spread(value);
        let code = copy(self.class(dst));
        self.ops.push(Op::new(code, Some(dst), &[value]));
        if self.cells[value.0 as usize] || self.class(value) != self.class(dst) {
            self.current.remove(&dst);
        } else {
            self.current.insert(dst, value);
        }
    }

    /// Sets it in the lanes of a mask.
    pub(crate) fn set_where(&mut self, mask: Reg, dst: Reg, value: Reg) {
        let value = self.spread(value);
        let code = if self.class(dst) == Class::Bits {
            Code::SelectB
        } else {
            Code::Select
        };
        self.ops.push(Op::new(code, Some(dst), &[value, dst, mask]));
        self.current.remove(&dst);
    }

    /// Adds lanes to a mask that is a cell.
    pub(crate) fn add_lanes(&mut self, to: Reg, lanes: Reg) {
        self.ops.push(Op::new(Code::OrB, Some(to), &[to, lanes]));
        self.current.remove(&to);
    }

    fn is_settled(&self, memory: Memory) -> bool {
        matches!(memory, Memory::Bound(at) if self.settled.get(at as usize) == Some(&true))
    }

    pub(crate) fn load(&mut self, region: Region, offset: u32, place: Reg) -> Reg {
        self.load_as(Code::Load, region, offset, place)
    }

    /// A load of words or of halves, in which its place is then.
    pub(crate) fn load_as(&mut self, code: Code, region: Region, offset: u32, place: Reg) -> Reg {
        let sum = self.parts(place, offset);
        let is_settled = self.is_settled(region.memory);
        if code == Code::Load && is_settled && self.known(sum.place).is_some() && sum.more.is_none()
        {
            return self.input(Input::Word(region.memory, sum.offset));
        }
        let class = if self.differs(sum.place) || region.memory == Memory::Own {
            Class::Varying
        } else {
            Class::Uniform
        };
        let mut op = Op::new(code, None, &[sum.place]);
        op.operands[1] = sum.more;
        (op.memory, op.offset) = (region.memory, sum.offset);
        op.region = (region.first, region.words);
        if is_settled {
            return self.pure(op, class);
        }
        let dst = self.fresh(class);
        op.dst = Some(dst);
        self.ops.push(op);
        dst
    }

    pub(crate) fn store(
        &mut self,
        region: Region,
        offset: u32,
        place: Reg,
        word: Reg,
        mask: Option<Reg>,
    ) {
        self.store_as(Code::Store, region, offset, place, word, mask);
    }

    /// A store of words or of halves, in which its place is then.
    pub(crate) fn store_as(
        &mut self,
        code: Code,
        region: Region,
        offset: u32,
        place: Reg,
        word: Reg,
        mask: Option<Reg>,
    ) {
        let word = self.worded(word);
        let sum = self.parts(place, offset);
        let mut op = Op::new(code, None, &[word, sum.place]);
        (op.operands[2], op.operands[3]) = (mask, sum.more);
        (op.memory, op.offset) = (region.memory, sum.offset);
        op.region = (region.first, region.words);
        self.ops.push(op);
    }

    /// An atomic operation; returns what was there.
    pub(crate) fn atomic(
        &mut self,
        code: Code,
        region: Region,
        offset: u32,
        place: Reg,
        operands: (Reg, Option<Reg>),
        mask: Option<Reg>,
    ) -> Reg {
        let (word, place) = (self.spread(operands.0), self.spread(place));
        let old = self.fresh(Class::Varying);
        let mut op = Op::new(code, Some(old), &[word, place]);
        op.operands[2] = mask;
        op.operands[3] = operands.1.map(|expected| self.spread(expected));
        (op.memory, op.offset) = (region.memory, offset);
        op.region = (region.first, region.words);
        self.ops.push(op);
        old
    }

    /// A pair of words for each lane.
    fn join(&mut self, (low, high): (Reg, Reg)) -> Reg {
        let words = [low, high].map(|word| self.spread(word));
        self.pure(Op::new(Code::Join, None, &words), Class::Pair)
    }

    /// An atomic operation on a number of 64 bits, of two words as all numbers are here; returns what was there, unless it is a
    /// store.
    pub(crate) fn atomic_wide(
        &mut self,
        op: WideAtomic,
        region: Region,
        offset: u32,
        place: Reg,
        operands: [Option<(Reg, Reg)>; 2],
        mask: Reg,
    ) -> Option<(Reg, Reg)> {
        let place = self.spread(place);
        let [value, expected] = operands.map(|words| words.map(|words| self.join(words)));
        let old = (op != WideAtomic::Store).then(|| self.fresh(Class::Pair));
        let mut step = Op::new(Code::AtomicWide(op), old, &[]);
        step.operands = [value, Some(place), Some(mask), expected];
        (step.memory, step.offset) = (region.memory, offset);
        step.region = (region.first, region.words);
        self.ops.push(step);
        let old = old?;
        let mut part = |half| self.pure(Op::new(Code::Part(half), None, &[old]), Class::Varying);
        Some((part(Half::Low), part(Half::High)))
    }

    /// What lanes find together; depends on which of them come here, so that it is done here and nowhere else.
    pub(crate) fn subgroup(
        &mut self,
        code: Code,
        word: Reg,
        mask: Reg,
        index: Option<Reg>,
        high: Option<Reg>,
    ) -> Reg {
        let word = self.worded(word);
        let dst = self.fresh(Class::Varying);
        let mut op = Op::new(code, Some(dst), &[word, mask]);
        op.operands[2] = index.map(|index| self.spread(index));
        op.operands[3] = high.map(|high| self.spread(high));
        self.ops.push(op);
        dst
    }

    pub(crate) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    pub(crate) fn place(&mut self, label: Label) {
        // Anew, as emptying one takes as long as it was ever large.
        self.local = HashMap::new();
        self.current = HashMap::new();
        let mut op = Op::new(Code::Label, None, &[]);
        op.label = label;
        self.ops.push(op);
    }

    /// Whether what is built next is reached by jumps alone.
    pub(crate) fn ends_in_jump(&self) -> bool {
        self.ops.last().is_some_and(|op| op.code == Code::Jump)
    }

    pub(crate) fn jump(&mut self, code: Code, condition: &[Reg], label: Label) {
        let mut op = Op::new(code, None, condition);
        op.label = label;
        self.ops.push(op);
    }

    /// Where the lanes of a workgroup wait for each other.
    pub(crate) fn barrier(&mut self, mask: Reg) {
        self.ops.push(Op::new(Code::Barrier, None, &[mask]));
    }

    /// A look at operands, for the lanes of the mask.
    pub(crate) fn check(&mut self, number: u32, operands: &[Reg], mask: Reg) {
        let operands: Vec<Reg> = operands.iter().map(|reg| self.worded(*reg)).collect();
        let mut op = Op::new(Code::Check, None, &operands);
        op.operands[3] = Some(mask);
        op.offset = number;
        self.ops.push(op);
    }

    /// From here on only lanes near these are computed, at this depth; jumps if there are none.
    pub(crate) fn narrow(&mut self, mask: Reg, depth: u32, label: Label) {
        self.jump(Code::Narrow, &[mask], label);
        if let Some(op) = self.ops.last_mut() {
            op.offset = depth;
        }
    }

    /// The lanes of this depth are computed again.
    pub(crate) fn widen(&mut self, depth: u32) {
        let mut op = Op::new(Code::Widen, None, &[]);
        op.offset = depth;
        self.ops.push(op);
    }
}

impl Sum {
    fn plus(mut self, words: u32) -> Self {
        self.offset = self.offset.wrapping_add(words);
        self
    }
}

fn copy(class: Class) -> Code {
    if class == Class::Bits {
        Code::CopyB
    } else {
        Code::Copy
    }
}
