//! The lane program: operations on registers that hold one word for each lane, or one for all of them.
//!
//! Data only. Built by `lower`, put in its last form by `allocate`, obeyed by `run`.
//!
//! Invariant: a jump goes to a label that the program has.

use std::fmt;

/// A register: a word for each lane, or one word for all lanes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Reg(pub(crate) u32);

/// A place to jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label(pub(crate) u32);

/// How a register is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The same word for all lanes.
    Uniform,
    /// A word for each lane.
    Varying,
    /// The same word for all lanes, known when the kernel is lowered.
    Constant(u32),
    /// What the executor puts in before a block begins.
    Input(Input),
}

/// What a block is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// `global_invocation_id` along an axis. Along x it differs between lanes if the block is a row.
    Global(u8),
    /// `local_invocation_id` along an axis; differs between lanes. Only if the block is a workgroup.
    Local(u8),
    /// `workgroup_id` along an axis. Only if the block is a workgroup.
    Workgroup(u8),
    /// `num_workgroups` along an axis.
    Workgroups(u8),
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
    /// `a * b + c`.
    MulAddF,
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
    /// `dst = memory[a + offset]`; `a` may differ between lanes. Zero past the end.
    Load,
    /// `memory[b + offset] = a` for the lanes of the mask `c`. Nothing past the end.
    Store,
    /// `dst` is what was there; `a` is the value, `b` the place, `c` the mask.
    Atomic(AtomicOp),
    /// As an atomic with the mask `c`; the value to compare with is the operation's fourth operand.
    CompareExchange,
    Jump,
    /// If the uniform `a` is zero.
    JumpUnless,
    /// If no lane has `a`.
    JumpIfNone,
    Label,
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
    /// Words to add to an address.
    pub(crate) offset: u32,
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
            label: Label(0),
        }
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}
