//! The lane program: operations on registers that hold one word for each lane, or one for all of them.
//!
//! Data only. Built by `lower`, tidied by `tidy`, given places by `place`, obeyed by `run`.
//!
//! Invariant: a jump goes to a label that the program has.

use super::subgroup::SubgroupOp;
use super::wide::{Half, WideOp};
use super::wide_atomic::WideAtomic;
use std::fmt;

/// A register; its class says what it holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reg(pub(crate) u32);

/// A place to jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label(pub(crate) u32);

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// One word for all lanes.
    Uniform,
    /// A word of which the first lane has this, and each lane so much more than the one before it. Held as one word.
    Run(u32),
    /// A word for each lane.
    Varying,
    /// A bit for each lane: masks, and truth values that differ.
    Bits,
    /// Two words for each lane: the lower ones of all lanes, then the higher ones.
    Pair,
}

impl Class {
    /// Whether it is held as one word, whatever the lanes make of it.
    pub(crate) fn is_one_word(self) -> bool {
        matches!(self, Class::Uniform | Class::Run(_))
    }
}

/// Where a register's content comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// From operations.
    Class(Class),
    /// Known when the kernel is lowered.
    Constant(u32),
    /// What the executor puts in before a block begins.
    Input(Input),
}

impl Held {
    pub(crate) fn class(self) -> Class {
        match self {
            Held::Class(class) => class,
            Held::Constant(_) => Class::Uniform,
            Held::Input(input) => input.class(),
        }
    }
}

/// What a block is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// The lanes that are invocations.
    Live,
    /// The number of the lane.
    Lane,
    /// `global_invocation_id` along an axis, of the first lane. Along x each lane has one more; only if the block is a row.
    Global(u8),
    /// `local_invocation_id` along an axis; differs between lanes. Only if the block is a workgroup.
    Local(u8),
    /// `workgroup_id` along an axis. Only if the block is a workgroup.
    Workgroup(u8),
    /// `num_workgroups` along an axis.
    Workgroups(u8),
    /// A word of something that isn't written while the kernel runs.
    Word(Memory, u32),
    /// Elements of a runtime-sized array: the words of a buffer from a word on, divided by the words of an element.
    Length {
        /// Which buffer.
        memory: Memory,
        /// Where the array begins, in words.
        first: u32,
        /// Words from element to element.
        stride: u32,
    },
}

impl Input {
    pub(crate) fn class(self) -> Class {
        match self {
            Input::Live => Class::Bits,
            Input::Lane | Input::Global(0) => Class::Run(1),
            Input::Local(_) => Class::Varying,
            _ => Class::Uniform,
        }
    }

    /// Whether it is the same for all blocks of a dispatch.
    pub(crate) fn is_settled(self) -> bool {
        !matches!(self, Input::Live | Input::Global(_) | Input::Workgroup(_))
    }
}

/// Something that is addressed by words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Memory {
    /// What is bound at a place of the kernel's bindings.
    Bound(u32),
    /// What the workgroup shares.
    Shared,
    /// What each lane has for itself: arrays that are indexed dynamically. Word `i` of all lanes is held together.
    Own,
}

/// What an operation does with its operands `a`, `b` and `c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    Copy,
    /// `c ? a : b`.
    Select,
    AddF,
    SubF,
    MulF,
    DivF,
    RemF,
    MinF,
    MaxF,
    PowF,
    Atan2F,
    LdexpF,
    /// `a * b + c`, rounded once where the processor can.
    MulAddF,
    /// `a * b - c`.
    MulSubF,
    /// `c - a * b`.
    NegMulAddF,
    NegF,
    AbsF,
    FloorF,
    CeilF,
    RoundF,
    TruncF,
    FractF,
    SqrtF,
    InverseSqrtF,
    ExpF,
    Exp2F,
    LogF,
    Log2F,
    SinF,
    CosF,
    TanF,
    AsinF,
    AcosF,
    AtanF,
    SinhF,
    CoshF,
    TanhF,
    AsinhF,
    AcoshF,
    AtanhF,
    SignF,
    FrexpFractionF,
    FrexpExponentF,
    QuantizeF,
    EqF,
    NeF,
    LtF,
    LeF,
    Add,
    Sub,
    Mul,
    DivS,
    DivU,
    RemS,
    RemU,
    Neg,
    AbsS,
    MinS,
    MaxS,
    MinU,
    MaxU,
    SignS,
    And,
    Or,
    Xor,
    AndNot,
    Not,
    Shl,
    ShrS,
    ShrU,
    Eq,
    Ne,
    LtS,
    LeS,
    LtU,
    LeU,
    LeadingZeros,
    TrailingZeros,
    CountOnes,
    ReverseBits,
    FirstLeadingS,
    FirstLeadingU,
    FirstTrailing,
    ExtractS,
    ExtractU,
    FtoS,
    FtoU,
    StoF,
    UtoF,
    /// Two f32 to the halves of a word.
    PackHalf,
    UnpackHalfLow,
    UnpackHalfHigh,
    /// The words of a run, lane by lane.
    Count,
    /// On bits.
    AndB,
    OrB,
    XorB,
    AndNotB,
    NotB,
    CopyB,
    /// `(a & c) | (b & !c)`.
    SelectB,
    /// `dst = memory[a + b + offset]`; `a` may differ between lanes, `b` is uniform or missing. Zero outside of the region.
    Load,
    /// `memory[b + d + offset] = a` for the lanes of the mask `c`; `d` is uniform or missing. Nothing outside of the region.
    Store,
    /// `dst`, if there is one, is what was there; `a` is the value, `b` the place, `c` the mask.
    Atomic(AtomicOp),
    /// As a load, of half a word: the place counts halves.
    LoadHalf,
    /// As a store, of the lower half of `a`: the place counts halves, and the other half stays as it is.
    StoreHalf,
    /// One word of an operation on numbers of 64 bits: `(a, b)` and `(c, d)`, the lower words first.
    Wide(WideOp, Half),
    /// What lanes find together with others of their subgroup: `a` is the number, `d` its higher word if it has one, `b` the
    /// mask, `c` the index if one is needed.
    Subgroup(SubgroupOp, Half),
    /// As an atomic with the mask `c`; the value to compare with is the operation's fourth operand.
    CompareExchange,
    /// A pair of the lower words `a` and the higher ones `b`.
    Join,
    /// One word of each of the pair `a`.
    Part(Half),
    /// As an atomic, or a load or store that is done at once, of a number of 64 bits: `dst`, `a` and `d` are pairs. Nothing
    /// outside of the region.
    AtomicWide(WideAtomic),
    Jump,
    /// If the uniform `a` is zero.
    JumpUnless,
    /// If no lane has `a`.
    JumpIfNone,
    /// From here on only lanes near those of `a` are computed, at a depth of `offset`; jumps if there are none.
    Narrow,
    /// From here on the lanes of the depth of `offset` are computed again.
    Widen,
    /// All lanes have done what stands before it, and see it, before any does what comes after; `a` are those that come here.
    Barrier,
    /// In a checked program: a look at the operands, for the lanes of the mask, the fourth. `offset` says which check.
    Check,
    Label,
}

impl Code {
    /// Whether it yields a truth value.
    pub(crate) fn is_comparison(self) -> bool {
        use Code::{Eq, EqF, LeF, LeS, LeU, LtF, LtS, LtU, Ne, NeF};
        matches!(
            self,
            EqF | NeF | LtF | LeF | Eq | Ne | LtS | LeS | LtU | LeU
        )
    }

    /// Whether it goes, or may go, elsewhere.
    pub(crate) fn jumps(self) -> bool {
        use Code::{Jump, JumpIfNone, JumpUnless, Narrow};
        matches!(self, Jump | JumpUnless | JumpIfNone | Narrow)
    }

    /// Whether it does something beside setting its register.
    pub(crate) fn acts(self) -> bool {
        use Code::{
            Atomic, AtomicWide, Barrier, Check, CompareExchange, Label, Store, StoreHalf, Widen,
        };
        self.jumps()
            || matches!(
                self,
                Atomic(_)
                    | AtomicWide(_)
                    | Barrier
                    | Check
                    | CompareExchange
                    | Label
                    | Store
                    | StoreHalf
                    | Widen
            )
    }

    /// Whether it costs so little that it may be done for nothing.
    pub(crate) fn is_cheap(self) -> bool {
        use Code::{
            AbsF, AbsS, Add, AddF, And, AndNot, Copy, Count, MaxF, MaxS, MaxU, MinF, MinS, MinU,
            Mul, MulF, Neg, NegF, Not, Or, Select, Shl, ShrS, ShrU, StoF, Sub, SubF, UtoF, Xor,
        };
        self.is_comparison()
            || matches!(
                self,
                AbsF | AbsS
                    | Add
                    | AddF
                    | And
                    | AndNot
                    | Copy
                    | Count
                    | MaxF
                    | MaxS
                    | MaxU
                    | MinF
                    | MinS
                    | MinU
                    | Mul
                    | MulF
                    | Neg
                    | NegF
                    | Not
                    | Or
                    | Select
                    | Shl
                    | ShrS
                    | ShrU
                    | StoF
                    | Sub
                    | SubF
                    | UtoF
                    | Xor
            )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AtomicOp {
    Add,
    Sub,
    And,
    Or,
    Xor,
    MinS,
    MaxS,
    MinU,
    MaxU,
    Exchange,
    AddF,
    SubF,
    MinF,
    MaxF,
}

/// One operation, before registers have places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) code: Code,
    pub(crate) dst: Option<Reg>,
    pub(crate) operands: [Option<Reg>; 4],
    pub(crate) memory: Memory,
    /// Words to add to an address, wrapping.
    pub(crate) offset: u32,
    /// The words of memory that may be touched: from here on, so many; all there are if none are said.
    pub(crate) region: (u32, Option<u32>),
    pub(crate) label: Label,
}

impl Op {
    pub(crate) fn new(code: Code, dst: Option<Reg>, operands: &[Reg]) -> Self {
        let mut list = [None; 4];
        for (into, from) in list.iter_mut().zip(operands) {
            *into = Some(*from);
        }
        Self {
            code,
            dst,
            operands: list,
            memory: Memory::Shared,
            offset: 0,
            region: (0, None),
            label: Label(0),
        }
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}
