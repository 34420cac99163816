//! What checked mode finds: faults of a kernel, each with its place in the WGSL, who did it, and the values involved.
//!
//! Data, and its text for people; finding faults is the affair of `lanes`.
//!
//! Told are: indices out of bounds, of buffers, arrays, vectors and matrices in any memory or value; accesses outside of a
//! declared [`Access`] pattern; barriers, and `workgroupUniformLoad`s, that not all invocations of a workgroup come to, or
//! come to with different variables; and data races, in a workgroup and between workgroups. Whether invocations race
//! doesn't depend on the order in which they happen to run: an access is compared with all that nothing orders before it.
//!
//! Not told, because a right kernel may do it and not use what comes of it, as in `select(0.0, sqrt(x), x > 0.0)`: functions
//! of numbers that they aren't defined for (roots and logarithms of negative ones, `normalize` of zero, `clamp` with its
//! bounds the wrong way round), divisions of floats by zero, infinities and NaN. Integers that wrap, divisions of integers by
//! zero, shifts by 32 and more, and conversions of floats that are too large have values that WGSL fixes. All memory starts
//! zeroed. What a pattern of `Access::Accumulate` allows is checked of atomic operations only, and not of `atomicLoad` and
//! `atomicCompareExchangeWeak`. Barriers of subgroups are taken to order nothing.
//!
//! Invariant: the findings of a dispatch are in the order in which they happened first, and no two have the same fault at
//! the same place.

mod render;

use crate::kernel::{Access, Combine};
use crate::span::Span;

/// The most findings of one dispatch that are told in full.
pub const MOST_FINDINGS: usize = 16;

/// What was found in one dispatch.
///
/// Its `Debug` is its text, so that an error that ends a program, or an `unwrap`, can be read.
///
/// ```
/// use divvy::{Error, Fault, Kernel, Runtime};
///
/// let everyone = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
///      @compute @workgroup_size(64)
///      fn everyone(@builtin(global_invocation_id) id: vec3<u32>) { x[0] = id.x; }",
/// )?;
/// let runtime = Runtime::builder().checked(true).build()?;
/// let x = runtime.buffer::<u32>(1)?;
/// let result = runtime.dispatch(&everyone, 64).bind("x", &x).run();
/// let Err(Error::Checked(findings)) = result else { panic!("all write one element") };
/// assert_eq!((findings.entry.as_str(), findings.found.len(), findings.more), ("everyone", 1, 0));
/// assert!(matches!(findings.found[0].fault, Fault::Race { .. }));
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Findings {
    /// The kernel's entry point.
    pub entry: String,
    /// The first [`MOST_FINDINGS`], in the order in which they happened first.
    pub found: Vec<Finding>,
    /// How many times something happened that isn't among those.
    pub more: u64,
}

/// One fault at one place in the source, however often it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong, as it was the first time.
    pub fault: Fault,
    /// Where the source says so.
    pub place: Place,
    /// Who did it the first time.
    pub invocation: Invocation,
    /// How many times it happened.
    pub times: u64,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An index past the end of what it indexes, or before its start.
    OutOfBounds {
        /// What is indexed, as the source spells it.
        indexed: String,
        /// The index.
        index: i64,
        /// How many elements there are.
        len: u32,
    },
    /// An access to an element that the declared pattern doesn't give to the invocation's workgroup.
    OutsidePattern {
        /// The binding's name.
        binding: String,
        /// The pattern that was declared.
        declared: Access,
        /// What the invocation does.
        does: Does,
        /// What it touches, as the source would call it.
        touched: String,
        /// The element that this is in.
        element: u64,
        /// The elements that it may touch.
        allowed: Span,
        /// The places of its workgroup along the slowest dimension of the range, which the pattern speaks of: chunks end
        /// between workgroups.
        units: Span,
        /// How many elements belong to each unit of that dimension.
        elements_per_unit: u64,
        /// How many units away the element is, at most, of all times that it happened.
        reach: u64,
        /// Whether the kernel writes the binding, here or elsewhere.
        is_written: bool,
    },
    /// An operation on a binding that accumulates which isn't the one that was declared.
    NotAccumulated {
        /// The binding's name.
        binding: String,
        /// The operation that was declared.
        declared: Combine,
        /// What is wrong with the operation.
        why: Misuse,
    },
    /// A barrier that some invocations of a workgroup come to and others don't.
    DivergentBarrier {
        /// What the barrier is called.
        barrier: &'static str,
        /// How many invocations came.
        came: u32,
        /// How many there are.
        of: u32,
        /// One that didn't come; the finding's own is one that did.
        absent: Invocation,
    },
    /// A `workgroupUniformLoad` of which the invocations of a workgroup name different variables.
    NotUniform {
        /// What the invocation loads.
        loads: String,
        /// What another one loads.
        other_loads: String,
        /// The other one.
        other: Invocation,
    },
    /// Two accesses of the same memory, one of them a write and not both atomic, with nothing that orders them.
    Race {
        /// What both touch.
        touched: String,
        /// Which invocations don't wait for each other.
        between: Between,
        /// The memory that it is in.
        memory: Memory,
        /// Whether a barrier comes between two invocations of a workgroup, but one that doesn't order this memory.
        is_other_barrier: bool,
        /// Of the two accesses that of the finding's own place and invocation: the first of the two in the source.
        one: Touch,
        /// The other access.
        other: Touch,
        /// The place of the other access.
        other_place: Place,
    },
}

/// What an invocation does to a word of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Does {
    /// Reads it.
    Read,
    /// Writes it.
    Write,
    /// Reads it with `atomicLoad`.
    AtomicRead,
    /// Writes it with `atomicStore`.
    AtomicWrite,
    /// Changes it with another atomic operation.
    AtomicUpdate,
}

/// How an operation on a binding isn't what was declared of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misuse {
    /// It combines in another way.
    Combines(&'static str),
    /// It sets a value, whatever was there.
    Overwrites,
    /// It uses what was there, which is a partial result if the dispatch is split.
    UsesOld,
}

/// Which invocations a race is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Between {
    /// Two of one workgroup, with no barrier between the accesses that orders the memory.
    Invocations,
    /// Two of different workgroups, which nothing orders within a dispatch.
    Workgroups,
}

/// Memory that invocations share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Memory {
    /// `var<storage>`.
    Storage,
    /// `var<workgroup>`.
    Workgroup,
}

/// One access that takes part in a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// What it does.
    pub does: Does,
    /// Who does it.
    pub invocation: Invocation,
    /// What is read or written, or what an atomic operation is given.
    pub value: Value,
}

/// One invocation of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Invocation {
    /// Its `global_invocation_id`.
    pub global: [u32; 3],
    /// Its `local_invocation_id`.
    pub local: [u32; 3],
    /// Its `workgroup_id`.
    pub workgroup: [u32; 3],
}

/// A word with what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Value {
    /// The word.
    pub bits: u32,
    /// What it means.
    pub scalar: Scalar,
}

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scalar {
    /// `f32`
    F32,
    /// `i32`
    I32,
    /// `u32`
    U32,
    /// `bool`
    Bool,
    /// A part of something else.
    Bits,
}

/// A place in the source of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Place {
    /// The line, from one.
    pub line: u32,
    /// The column in characters, from one.
    pub column: u32,
    /// How many characters of the line it is.
    pub width: u32,
    /// The line's text.
    pub text: String,
    /// The functions that it was called through, outermost first: the line and column of each call, and what is called.
    pub calls: Vec<Call>,
}

/// A call on the way to a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Call {
    /// The function that is called.
    pub function: String,
    /// The line of the call, from one.
    pub line: u32,
    /// Its column in characters, from one.
    pub column: u32,
}

impl Does {
    /// Whether it is one of the atomic operations.
    #[must_use]
    pub fn is_atomic(self) -> bool {
        matches!(
            self,
            Does::AtomicRead | Does::AtomicWrite | Does::AtomicUpdate
        )
    }

    /// Whether it may change the word.
    #[must_use]
    pub fn writes(self) -> bool {
        !matches!(self, Does::Read | Does::AtomicRead)
    }

    /// Whether two accesses that nothing orders are a race.
    #[must_use]
    pub fn races_with(self, other: Does) -> bool {
        (self.writes() || other.writes()) && !(self.is_atomic() && other.is_atomic())
    }
}

impl Place {
    /// The place of some bytes of a source.
    pub(crate) fn new(source: &str, start: usize, end: usize, calls: Vec<Call>) -> Self {
        let start = start.min(source.len());
        let (line, column) = position(source, start);
        let first = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let text = source[first..].lines().next().unwrap_or_default();
        let inside = source[start..end.clamp(start, source.len())]
            .lines()
            .next()
            .unwrap_or_default();
        Self {
            line,
            column,
            width: (inside.trim_end().chars().count() as u32).max(1),
            text: text.to_owned(),
            calls,
        }
    }
}

impl Call {
    pub(crate) fn new(source: &str, start: usize, function: String) -> Self {
        let (line, column) = position(source, start.min(source.len()));
        Self {
            function,
            line,
            column,
        }
    }
}

/// The line and column of a byte, in characters, from one.
fn position(source: &str, at: usize) -> (u32, u32) {
    let before = &source[..at];
    let first = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() as u32 + 1,
        before[first..].chars().count() as u32 + 1,
    )
}
