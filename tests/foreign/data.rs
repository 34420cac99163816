//! What the kernels of others are given, and how what they wrote is compared.
//!
//! Finds the scalars in the type of each binding and fills them by number; what a kernel is for it can't know.
//!
//! Invariant: the same source, entry point and round give the same bytes in every process.

use divvy::Kernel;
use divvy::kernel::{Binding, BindingKind, Usage};
use half::f16;
use naga::{ArraySize, Handle, Module, Scalar, ScalarKind, Type, TypeInner};
use std::error::Error;

/// Elements of a runtime-sized array, unless that is more than so many bytes.
const ELEMENTS: u64 = 4096;
const MOST_BYTES: u64 = 4 << 20;

/// How often a kernel is run, each time with other numbers.
pub(crate) const ROUNDS: u32 = 3;
/// Whole numbers are below this, in each round.
const WHOLE: [u64; ROUNDS as usize] = [8, 64, 1024];
/// Floats are below this, in each round.
const FLOAT: [f64; ROUNDS as usize] = [1.0, 4.0, 256.0];

/// How near floats must be.
#[derive(Clone, Copy)]
pub(crate) enum Nearness {
    /// The same number.
    Same,
    /// Within what a chain of operations of WGSL's accuracy may part by.
    Accuracy,
}

/// A binding with its bytes.
pub(crate) struct Filled {
    pub(crate) binding: Binding,
    pub(crate) bytes: Vec<u8>,
    /// Where its scalars are.
    leaves: Vec<(usize, Scalar)>,
}

impl Filled {
    pub(crate) fn is_written(&self) -> bool {
        matches!(self.binding.kind, BindingKind::Storage(usage) if usage.writes())
    }

    pub(crate) fn is_read(&self) -> bool {
        matches!(self.binding.kind, BindingKind::Storage(usage) if usage != Usage::Write)
    }

    /// Compares bytes that two devices wrote: the first difference in words.
    pub(crate) fn difference(
        &self,
        one: &[u8],
        other: &[u8],
        nearness: Nearness,
    ) -> Option<String> {
        let parted = |(at, scalar): &&(usize, Scalar)| {
            let (one, other) = (number(*scalar, one, *at), number(*scalar, other, *at));
            !is_like(*scalar, one, other, nearness)
        };
        let count = self.leaves.iter().filter(parted).count();
        let (at, scalar) = self.leaves.iter().find(parted)?;
        let (one, other) = (number(*scalar, one, *at), number(*scalar, other, *at));
        let begun = number(*scalar, &self.bytes, *at);
        let (name, of) = (&self.binding.name, self.leaves.len());
        Some(format!(
            "{name}: {count} of {of}, first at byte {at}: {one:?}, not {other:?} (it was {begun:?})"
        ))
    }

    /// How many of its scalars are no longer what they were.
    pub(crate) fn changed(&self, bytes: &[u8]) -> usize {
        let is_changed = |(at, scalar): &&(usize, Scalar)| {
            let end = at + usize::from(scalar.width);
            bytes[*at..end] != self.bytes[*at..end]
        };
        self.leaves.iter().filter(is_changed).count()
    }
}

/// A scalar's value.
#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(u64),
    Float(f64),
}

fn number(scalar: Scalar, bytes: &[u8], at: usize) -> Number {
    let word = &bytes[at..at + usize::from(scalar.width)];
    let mut long = [0; 8];
    long[..word.len()].copy_from_slice(word);
    let bits = u64::from_le_bytes(long);
    match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 2) => Number::Float(f16::from_bits(bits as u16).into()),
        (ScalarKind::Float, 4) => Number::Float(f32::from_bits(bits as u32).into()),
        (ScalarKind::Float, _) => Number::Float(f64::from_bits(bits)),
        _ => Number::Whole(bits),
    }
}

/// Whole numbers are equal; floats are as near as they must be.
fn is_like(scalar: Scalar, one: Number, other: Number, nearness: Nearness) -> bool {
    match (one, other) {
        (Number::Whole(one), Number::Whole(other)) => one == other,
        (Number::Float(one), Number::Float(other)) => {
            let relative = match (nearness, scalar.width) {
                (Nearness::Same, _) => 0.0,
                (Nearness::Accuracy, 2) => 1e-2,
                (Nearness::Accuracy, _) => 1e-4,
            };
            one == other
                || (one.is_nan() && other.is_nan())
                || (one - other).abs() <= relative * one.abs().max(other.abs()) + relative * 0.1
        }
        _ => false,
    }
}

/// The kernel's bindings with numbers for the round.
pub(crate) fn filled(kernel: &Kernel, round: u32) -> Result<Vec<Filled>, Box<dyn Error>> {
    let module = naga::front::wgsl::parse_str(kernel.source())?;
    let mut all = Vec::new();
    for (place, binding) in kernel.facts()?.bindings.iter().enumerate() {
        let is_it = |variable: &&naga::GlobalVariable| {
            variable.name.as_ref() == Some(&binding.name) && variable.binding.is_some()
        };
        let mut variables = module.global_variables.iter().map(|(_, variable)| variable);
        let variable = variables.find(is_it).ok_or("a binding without a name")?;
        let (tail, stride) = tail(&module, variable.ty);
        let most = (MOST_BYTES / stride.max(1)).clamp(1, ELEMENTS);
        let bytes = match stride {
            0 => binding.layout.least_bytes,
            _ => tail + stride * most,
        };
        let mut leaves = Vec::new();
        find_leaves(&module, variable.ty, 0, most as usize, &mut leaves);
        let mut bytes = vec![0; bytes as usize];
        for (i, (at, scalar)) in leaves.iter().enumerate() {
            fill(
                &mut bytes,
                *at,
                *scalar,
                (place as u64) << 32 | i as u64,
                round,
            );
        }
        all.push(Filled {
            binding: binding.clone(),
            bytes,
            leaves,
        });
    }
    Ok(all)
}

/// Where the runtime-sized array of a type begins, and bytes from one of its elements to the next; zero without one.
fn tail(module: &Module, ty: Handle<Type>) -> (u64, u64) {
    match &module.types[ty].inner {
        TypeInner::Array {
            size: ArraySize::Dynamic,
            stride,
            ..
        } => (0, u64::from(*stride)),
        TypeInner::Struct { members, .. } => members.last().map_or((0, 0), |last| {
            let (at, stride) = tail(module, last.ty);
            (u64::from(last.offset) + at, stride)
        }),
        _ => (0, 0),
    }
}

fn find_leaves(
    module: &Module,
    ty: Handle<Type>,
    at: usize,
    most: usize,
    leaves: &mut Vec<(usize, Scalar)>,
) {
    match module.types[ty].inner {
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => leaves.push((at, scalar)),
        TypeInner::Vector { size, scalar } => {
            leaves.extend((0..size as usize).map(|i| (at + i * usize::from(scalar.width), scalar)));
        }
        TypeInner::Matrix {
            columns,
            rows,
            scalar,
        } => {
            let width = usize::from(scalar.width);
            let column = if rows == naga::VectorSize::Bi { 2 } else { 4 } * width;
            for i in 0..columns as usize {
                leaves.extend((0..rows as usize).map(|j| (at + i * column + j * width, scalar)));
            }
        }
        TypeInner::Array { base, size, stride } => {
            let count = match size {
                ArraySize::Constant(count) => count.get() as usize,
                _ => most,
            };
            for i in 0..count {
                find_leaves(module, base, at + i * stride as usize, most, leaves);
            }
        }
        TypeInner::Struct { ref members, .. } => {
            for member in members {
                find_leaves(module, member.ty, at + member.offset as usize, most, leaves);
            }
        }
        _ => {}
    }
}

fn fill(bytes: &mut [u8], at: usize, scalar: Scalar, place: u64, round: u32) {
    // SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
    let mut hash = place
        .wrapping_add(u64::from(round) << 56)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    let whole = hash % WHOLE[round as usize];
    let float = (hash >> 40) as f64 / f64::from(1 << 24) * FLOAT[round as usize];
    let bits = match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 2) => u64::from(f16::from_f64(float).to_bits()),
        (ScalarKind::Float, 4) => u64::from((float as f32).to_bits()),
        (ScalarKind::Float, _) => float.to_bits(),
        _ => whole,
    };
    let width = usize::from(scalar.width);
    bytes[at..at + width].copy_from_slice(&bits.to_le_bytes()[..width]);
}
