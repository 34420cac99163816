//! Access patterns proven from a kernel's code.
//!
//! Follows the indices of a kernel as sums of its ids, for one range, one set of buffers and the values of its uniforms,
//! and says which elements a chunk touches, or which line stood in the way. What a pattern is good for is the plan's
//! affair.
//!
//! Invariant: a pattern that is proven covers all that the kernel does with the buffer, for every chunk of the range that
//! is cut between workgroups. Where in doubt nothing is proven.

mod arithmetic;
mod branches;
mod decide;
mod expressions;
mod form;
mod loops;
mod machine;
mod path;
mod sites;
mod statements;
mod value;

use super::access::Access;
use super::reflect::BindingKind;
use super::{Facts, KernelError, excerpt};
use crate::range::Chunk;
use crate::span::Span;
use crate::stack::deep;
use decide::Touched;
use machine::Machine;
use naga::{Handle, TypeInner};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The most proofs that are remembered of a kernel.
const MOST_REMEMBERED: usize = 256;

/// What is known of how a dispatch accesses one buffer.
///
/// ```
/// use divvy::kernel::Grounds;
/// use divvy::{Access, Kernel, Runtime};
///
/// # fn main() -> divvy::Result<()> {
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// let blur = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read> old: array<f32>;
///      @group(0) @binding(1) var<storage, read_write> next: array<f32>;
///
///      @compute @workgroup_size(64)
///      fn blur(@builtin(global_invocation_id) id: vec3<u32>) {
///          let last = arrayLength(&old) - 1u;
///          if id.x > last { return; }
///          next[id.x] = 0.5 * (old[max(id.x, 1u) - 1u] + old[min(id.x + 1u, last)]);
///      }",
/// )?;
/// let (old, next) = (runtime.buffer::<f32>(1000)?, runtime.buffer::<f32>(1000)?);
/// let dispatch = runtime.dispatch(&blur, 1000).bind("old", &old).bind("next", &next);
/// let patterns = dispatch.patterns()?;
/// assert_eq!(patterns[0].access, Some(Access::Neighborhood(1)));
/// assert_eq!(patterns[1].access, Some(Access::OneToOne));
/// assert_eq!(patterns[1].grounds, Grounds::Proven);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pattern {
    /// The variable's name.
    pub binding: String,
    /// The pattern; nothing for a buffer that is written nobody knows where, so that the dispatch isn't split.
    pub access: Option<Access>,
    /// How that is known.
    pub grounds: Grounds,
}

/// How an access pattern is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grounds {
    /// Declared by [`Kernel::access`](crate::Kernel::access), and trusted.
    Declared,
    /// Proven from the code.
    Proven,
    /// Nothing could be proven: all of a buffer that is only read goes to every device, and one that is written to one.
    Unproven(Obstacle),
}

/// What stood in the way of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obstacle {
    /// What is the matter.
    pub why: Why,
    /// The line of the source, from one; zero if there is none to name.
    pub line: u32,
    /// The column, from one.
    pub column: u32,
    /// The lines of the source around it.
    pub excerpt: String,
}

/// Why it isn't known which elements a chunk touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The index may be outside of the buffer, and which element that touches is up to the device.
    Outside {
        /// The least that it may be.
        low: i64,
        /// The most.
        high: i64,
        /// How many elements there are.
        len: u64,
    },
    /// The index depends on what the kernel reads or computes.
    Unknown,
    /// Workgroups touch elements that others touch as well.
    Shared,
    /// It isn't an element of an array that is touched.
    NotAnElement,
    /// The atomic operation isn't one that can be done in any order, or its result is used, or it is mixed with others.
    NotCombined,
    /// The kernel has a body written by hand, and nobody knows what that reads.
    Native,
    /// The kernel is too large, or does something that isn't followed.
    TooComplex,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // All that the type has: nothing is known of it, and a guard alone doesn't say which one it is.
            Why::Outside { low, high, len }
                if high.checked_sub(*low) >= Some(u32::MAX.into()) =>
            {
                write!(
                    f,
                    "the index depends on what the kernel reads or computes: it may be {low} to {high}, and there are {len} \
                     elements"
                )
            }
            Why::Outside { low, high, len } => write!(
                f,
                "the index may be {low} to {high}, and there are {len} elements; a guard like \
                 `if i < arrayLength(&buffer)` would settle it"
            ),
            Why::Unknown => f.write_str("the index depends on what the kernel reads or computes"),
            Why::Shared => f.write_str("workgroups far apart may touch the same elements"),
            Why::NotAnElement => f.write_str("it isn't one element of an array that is touched"),
            Why::NotCombined => f.write_str(
                "atomic operations can be split where all are `atomicAdd`, `atomicMin`, `atomicMax`, `atomicOr` or \
                 `atomicAnd`, and none of their results is used",
            ),
            Why::Native => f.write_str("the kernel has a body written by hand, and nobody knows what that reads"),
            Why::TooComplex => f.write_str("the kernel is too large, or does something that can't be followed"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.why)?;
        if self.line > 0 {
            write!(f, "\n{}", self.excerpt)?;
        }
        Ok(())
    }
}

/// A declared pattern, and an invocation that touches what it doesn't give to the invocation's workgroup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is declared `{access}`{}, but invocation ({}, {}, {}) {} element {element}, and the elements of its \
     workgroup are {allowed}; declare another pattern, or none, so that one is proven\n{excerpt}",
    shares(*access, *units, *elements), invocation[0], invocation[1], invocation[2], if *writes { "writes" } else { "reads" }
)]
#[non_exhaustive]
pub struct Contradicted {
    /// The variable's name.
    pub name: String,
    /// The pattern that was declared.
    pub access: Access,
    /// Whether the invocation writes the element, or only reads it.
    pub writes: bool,
    /// The invocation's `global_invocation_id`.
    pub invocation: [u64; 3],
    /// The element that it touches.
    pub element: u64,
    /// The elements that the pattern gives to its workgroup.
    pub allowed: Span,
    /// The extent of the range's slowest dimension.
    pub units: u64,
    /// How many elements there are for these.
    pub elements: u64,
    /// The line that does it, from one.
    pub line: u32,
    /// The lines of the source around it.
    pub excerpt: String,
}

/// An invocation that touches what a declared pattern doesn't give it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contradiction {
    pub(crate) span: naga::Span,
    pub(crate) writes: bool,
    pub(crate) invocation: [u64; 3],
    pub(crate) element: u64,
    pub(crate) allowed: Span,
    pub(crate) units: u64,
    pub(crate) elements: u64,
}

/// How a pattern shares elements among units, where each gets several: a range may be shorter than was thought.
fn shares(access: Access, units: u64, elements: u64) -> String {
    match access {
        Access::OneToOne | Access::Neighborhood(_) | Access::Wrapped(_) if elements > units => {
            let each = elements / units.max(1);
            format!(
                ", by which each of the range's {units} units has {each} of the {elements} elements"
            )
        }
        _ => String::new(),
    }
}

/// What is bound to a variable, as far as indices depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    /// A buffer of so many bytes.
    Buffer(u64),
    /// The bytes of a value.
    Value(&'a [u8]),
}

/// What is known of a dispatch when it is bound.
#[derive(Debug)]
pub(super) struct Inputs<'a> {
    extents: [u64; 3],
    workgroup: [u32; 3],
    slowest: usize,
    given: &'a [Given<'a>],
    /// The binding of each variable of the module.
    places: Vec<Option<usize>>,
    facts: &'a Facts,
}

impl<'a> Inputs<'a> {
    fn new(facts: &'a Facts, chunk: &Chunk, given: &'a [Given<'a>]) -> Self {
        let place = |variable: &naga::GlobalVariable| {
            let at = variable.binding?;
            facts
                .bindings
                .iter()
                .position(|binding| (binding.group, binding.binding) == (at.group, at.binding))
        };
        let variables = facts.module().global_variables.iter();
        Self {
            extents: chunk.range.extents(),
            workgroup: facts.workgroup,
            slowest: chunk.slowest,
            given,
            places: variables.map(|(_, variable)| place(variable)).collect(),
            facts,
        }
    }

    /// Workgroups along an axis.
    fn groups(&self, axis: usize) -> u64 {
        self.extents[axis].div_ceil(u64::from(self.workgroup[axis]))
    }

    fn place(&self, variable: Handle<naga::GlobalVariable>) -> Option<usize> {
        self.places[variable.index()]
    }

    fn bytes(&self, place: usize) -> u64 {
        match self.given[place] {
            Given::Buffer(bytes) => bytes,
            Given::Value(_) => 0,
        }
    }

    /// Elements that the variable has as the kernel sees it; zero if it isn't made of elements.
    fn elements(&self, variable: Handle<naga::GlobalVariable>) -> u64 {
        let Some(place) = self.place(variable) else {
            return 0;
        };
        let layout = &self.facts.bindings[place].layout;
        match layout.count {
            Some(count) => count,
            None if layout.type_name == layout.element.type_name => 0,
            None => self.bytes(place) / layout.element.stride.max(1),
        }
    }

    /// What `arrayLength` says of the variable, or of the array that ends it.
    fn length(&self, module: &naga::Module, variable: Handle<naga::GlobalVariable>) -> Option<u64> {
        let place = self.place(variable)?;
        let mut offset = 0;
        let mut ty = module.global_variables[variable].ty;
        if let TypeInner::Struct { members, .. } = &module.types[ty].inner {
            let last = members.last()?;
            (offset, ty) = (u64::from(last.offset), last.ty);
        }
        let TypeInner::Array { stride, .. } = module.types[ty].inner else {
            return None;
        };
        let bytes = self.bytes(place).checked_sub(offset)?;
        Some(bytes / u64::from(stride.max(1)))
    }

    /// A word of a value.
    fn word(&self, variable: Handle<naga::GlobalVariable>, offset: u64) -> Option<(usize, u32)> {
        let place = self.place(variable)?;
        Some((place, word(self.given[place], offset)?))
    }
}

fn word(given: Given<'_>, offset: u64) -> Option<u32> {
    let Given::Value(bytes) = given else {
        return None;
    };
    let bytes = bytes.get(offset as usize..offset as usize + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// What was found out of a dispatch. Empty if it binds nothing.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// The pattern of each binding: as declared, or proven, or what holds without; nothing for values and for buffers that
    /// are written nobody knows where.
    pub(crate) accesses: Arc<[Option<Access>]>,
    /// What stood in the way, for each binding.
    obstacles: Vec<Option<(naga::Span, Why)>>,
    /// The first declaration that the code contradicts.
    pub(crate) contradiction: Option<(usize, Access, Contradiction)>,
}

/// A proof, and for what dispatches it holds.
#[derive(Debug)]
struct Remembered {
    extents: [u64; 3],
    slowest: usize,
    bytes: Vec<u64>,
    /// Words of values that it depends on: the binding, the place in bytes, and the word.
    words: Vec<(usize, u32, u32)>,
    proof: Arc<Proof>,
}

impl Remembered {
    fn holds_for(&self, chunk: &Chunk, given: &[Given<'_>]) -> bool {
        let is_same = |(given, bytes): (&Given<'_>, &u64)| match given {
            Given::Buffer(other) => other == bytes,
            Given::Value(_) => true,
        };
        self.extents == chunk.range.extents()
            && self.slowest == chunk.slowest
            && given.iter().zip(&self.bytes).all(is_same)
            && self.words.iter().all(|(place, offset, value)| {
                word(given[*place], u64::from(*offset)) == Some(*value)
            })
    }
}

/// The proofs of a kernel, the last used first.
#[derive(Debug, Default)]
pub(super) struct Proofs(Mutex<Vec<Remembered>>);

impl Facts {
    /// What is known of how a dispatch accesses its buffers. Worked out once for dispatches that differ in nothing that an
    /// index depends on.
    pub(crate) fn proof(&self, chunk: &Chunk, given: &[Given<'_>]) -> Arc<Proof> {
        let mut remembered = self.proofs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = remembered
            .iter()
            .position(|one| one.holds_for(chunk, given))
        {
            let proof = remembered[found].proof.clone();
            // Dispatches that take turns swap places; all others stay where they are.
            remembered.swap(0, found);
            return proof;
        }
        let (proof, words) = deep(|| prove(self, chunk, given));
        let proof = Arc::new(proof);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.pop();
        }
        let bytes = given.iter().map(|given| match given {
            Given::Buffer(bytes) => *bytes,
            Given::Value(_) => 0,
        });
        let newest = Remembered {
            extents: chunk.range.extents(),
            slowest: chunk.slowest,
            bytes: bytes.collect(),
            words,
            proof: proof.clone(),
        };
        remembered.insert(0, newest);
        proof
    }

    /// The proof in words, for each buffer.
    pub(crate) fn patterns(&self, proof: &Proof) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for (place, binding) in self.bindings.iter().enumerate() {
            if binding.kind == BindingKind::Uniform {
                continue;
            }
            let grounds = match (self.declared[place], &proof.obstacles[place]) {
                (Some(_), _) => Grounds::Declared,
                (None, None) => Grounds::Proven,
                (None, Some((span, why))) => Grounds::Unproven(self.obstacle(*span, *why)),
            };
            patterns.push(Pattern {
                binding: binding.name.clone(),
                access: proof.accesses[place],
                grounds,
            });
        }
        patterns
    }

    /// The error of a declaration that the code contradicts.
    pub(crate) fn contradicted(
        &self,
        place: usize,
        declared: Access,
        found: &Contradiction,
    ) -> KernelError {
        let (line, _, text) = self.place(found.span);
        KernelError::Contradicted(Box::new(Contradicted {
            name: self.bindings[place].name.clone(),
            access: declared,
            writes: found.writes,
            invocation: found.invocation,
            element: found.element,
            allowed: found.allowed,
            units: found.units,
            elements: found.elements,
            line,
            excerpt: text,
        }))
    }

    /// What stood in the way of the first buffer that keeps a dispatch whole: its name, and the obstacle.
    pub(crate) fn obstacle_of(&self, proof: &Proof) -> Option<(&str, Obstacle)> {
        let unknown =
            |place: &usize| proof.accesses[*place].is_none() && proof.obstacles[*place].is_some();
        let place = (0..self.bindings.len()).find(unknown)?;
        let (span, why) = proof.obstacles[place]?;
        Some((&self.bindings[place].name, self.obstacle(span, why)))
    }

    fn obstacle(&self, span: naga::Span, why: Why) -> Obstacle {
        let (line, column, text) = self.place(span);
        Obstacle {
            why,
            line,
            column,
            excerpt: text,
        }
    }

    /// The line and the column of a place in the source, and the lines around it.
    pub(crate) fn place(&self, span: naga::Span) -> (u32, u32, String) {
        let is_inside = |range: std::ops::Range<usize>| self.source.get(range).is_some();
        if !span.to_range().is_some_and(is_inside) {
            return (0, 0, String::new());
        }
        let at = span.location(&self.source);
        (
            at.line_number,
            at.line_position,
            excerpt(&self.source, span),
        )
    }
}

/// Follows the kernel, and decides. Returns the words of values that it depended on too.
fn prove(facts: &Facts, chunk: &Chunk, given: &[Given<'_>]) -> (Proof, Vec<(usize, u32, u32)>) {
    let inputs = Inputs::new(facts, chunk, given);
    let mut machine = Machine::new(facts.module(), facts.info(), &inputs);
    machine.run(facts.entry_index());
    let sites = std::mem::take(&mut machine.sites);
    let count = facts.bindings.len();
    let mut accesses = vec![None; count];
    let mut obstacles = vec![None; count];
    let mut contradiction = None;
    for (place, binding) in facts.bindings.iter().enumerate() {
        let BindingKind::Storage(usage) = binding.kind else {
            continue;
        };
        let is_it = |site: &&sites::Site| inputs.place(site.variable) == Some(place);
        let touched = Touched {
            sites: sites.iter().filter(is_it).collect(),
            len: inputs.bytes(place) / binding.layout.element.stride.max(1),
            is_written: usage.writes(),
            word: binding.layout.element.word,
        };
        if let Some(declared) = facts.declared[place] {
            accesses[place] = Some(declared);
            if contradiction.is_none() && machine.lost.is_none() {
                let found = machine.contradiction(declared, &touched);
                contradiction = found.map(|found| (place, declared, found));
            }
            continue;
        }
        if facts.has_native && !usage.writes() {
            accesses[place] = Some(Access::All);
            obstacles[place] = Some((naga::Span::UNDEFINED, Why::Native));
            continue;
        }
        match machine.decide(&touched) {
            Ok(access) => accesses[place] = Some(access),
            Err((access, span, why)) => {
                accesses[place] = access;
                obstacles[place] = Some((span, why));
            }
        }
    }
    let words = machine.words.iter().enumerate();
    let used = words.filter(|(bit, _)| machine.used >> (*bit).min(63) & 1 == 1);
    let used = used.filter_map(|(_, (place, offset))| {
        Some((*place, *offset, word(given[*place], u64::from(*offset))?))
    });
    let words = used.collect();
    let proof = Proof {
        accesses: accesses.into(),
        obstacles,
        contradiction,
    };
    (proof, words)
}

#[cfg(test)]
mod tests;
