//! What a stretch of operations does to one chunk, in instructions on values that have no registers yet.
//!
//! Data only. Made by `select` and `functions`, given registers by `assign`.
//!
//! Invariant: a value is set by one instruction at most, and before it is used.

use super::looped::Ask;
use iced_x86::Code as X86;

/// A value: a vector of sixteen words, or a bit for each of sixteen lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Value(pub(super) u32);

/// Which kind of register holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Bank {
    Vector,
    Mask,
}

/// Where a value is kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Home {
    /// A register that has words for each lane, by its place.
    Lanes(u32),
    /// A register that has one word for all.
    Uniform(u32),
    /// A register that has a bit for each lane.
    Bits(u32),
    /// A truth value for all lanes, taken as bits.
    UniformBits(u32),
    /// A word of the pool of constants.
    Constant(u32),
    /// Sixty-four bytes of the stack.
    Stack(u32),
    /// The numbers of the chunk's lanes.
    Numbers,
}

impl Home {
    /// Whether all chunks find the same there.
    pub(super) fn is_for_all_chunks(self) -> bool {
        matches!(self, Home::Uniform(_) | Home::Constant(_) | Home::Stack(_))
    }
}

/// Memory that an access goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Area {
    pub(super) memory: super::super::op::Memory,
    /// The words that may be touched: from here on, so many.
    pub(super) first: u32,
    pub(super) words: Option<u32>,
}

/// How words of memory that neighbouring lanes access lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// All lanes of a chunk have the same.
    Same,
    /// Each lane's is the next.
    Next,
    /// Perhaps so many words apart, perhaps not.
    Perhaps(u32),
}

/// Where a run of words is: so many words from a pointer of the stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointed {
    pub(super) pointer: usize,
    pub(super) words: i32,
}

/// How wide an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Whole,
    /// The lower half.
    Half,
}

/// The signs of `±(a * b) ± c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signs {
    /// `a * b + c`
    Add,
    /// `a * b - c`
    Subtract,
    /// `c - a * b`
    From,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// One instruction. The last source may be in memory where `may_read_memory`.
    Plain {
        code: X86,
        immediate: Option<u8>,
        /// Of the result, the first source and the second.
        widths: [Width; 3],
        may_read_memory: bool,
        /// Lanes that aren't in the mask are zero.
        is_masked: bool,
    },
    Fused(Signs),
    /// Goes on with the next chunk if the mask has no lane.
    LeaveIfNone,
    /// In a loop: goes on with the next chunk if no lane stays. Sources: what is asked, and what is kept on the way.
    Leave {
        exit: usize,
        ask: Ask,
    },
    /// The end of a round. Sources: what the next one begins with.
    Turn,
    /// Nothing but keeping the source where the home is.
    Keep(Home),
    /// The chunk that a pointer of the stretch points to.
    Load {
        pointed: Pointed,
    },
    /// Sources: the words and perhaps a mask.
    Store {
        pointed: Pointed,
    },
    /// Words, or one of them for all lanes, so far from a pointer as the first word of a register's chunk says.
    LoadFrom {
        pointed: Pointed,
        place: u32,
        pattern: Pattern,
    },
    /// Sources: the words and perhaps a mask.
    StoreFrom {
        pointed: Pointed,
        place: u32,
    },
    /// Sources: the index of each lane, from the start of the area.
    Gather {
        area: Area,
        pattern: Pattern,
    },
    /// Sources: the index of each lane, the words and perhaps a mask.
    Scatter {
        area: Area,
        pattern: Pattern,
    },
    /// Sources: the index within each lane's own words.
    GatherOwn {
        area: Area,
    },
    ScatterOwn {
        area: Area,
    },
    /// One word for all lanes. Source: its index.
    LoadOne {
        area: Area,
    },
    /// How many words an area has, for all lanes.
    Length {
        area: Area,
    },
}

impl Kind {
    /// An instruction on whole vectors, the last of which may be in memory.
    pub(super) fn plain(code: X86, immediate: Option<u8>) -> Self {
        Kind::Plain {
            code,
            immediate,
            widths: [Width::Whole; 3],
            may_read_memory: true,
            is_masked: false,
        }
    }

    /// One whose sources are in registers.
    pub(super) fn of_registers(code: X86, immediate: Option<u8>, widths: [Width; 3]) -> Self {
        Kind::Plain {
            code,
            immediate,
            widths,
            may_read_memory: false,
            is_masked: false,
        }
    }

    /// One for the lanes of its first source.
    pub(super) fn masked(code: X86) -> Self {
        Kind::Plain {
            code,
            immediate: None,
            widths: [Width::Whole; 3],
            may_read_memory: true,
            is_masked: true,
        }
    }
}

/// An instruction, or a few that stay together.
#[derive(Clone, Debug)]
pub(super) struct Micro {
    pub(super) kind: Kind,
    pub(super) dst: Option<Value>,
    pub(super) sources: Vec<Value>,
}
