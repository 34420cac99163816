//! What the invocations of a subgroup compute together.
//!
//! A subgroup is 32 invocations of a workgroup, neighbours by their index; the last of a workgroup may have fewer. What is
//! read of an invocation that takes no part is what its lane holds, as on GPUs, and zero beyond the subgroup.
//!
//! Invariant: only invocations that take part have a say in what is found.

use super::wide::WideOp;

/// Invocations of a subgroup.
pub(crate) const WIDTH: usize = 32;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SubgroupOp {
    /// All numbers as one.
    Reduce(Combine),
    /// All numbers up to the invocation's own, as one.
    Inclusive(Combine),
    /// All numbers before the invocation's own, as one.
    Exclusive(Combine),
    /// The number of another.
    Gather(From),
    /// A bit for each that has something else than zero.
    Ballot,
}

/// How two numbers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Combine {
    AddF,
    MulF,
    MinF,
    MaxF,
    Add,
    Mul,
    MinS,
    MaxS,
    MinU,
    MaxU,
    And,
    Or,
    Xor,
    Wide(WideOp),
}

/// Whose number it is. The index is an operand where one is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum From {
    First,
    Index,
    Below,
    Above,
    Across,
    /// Of four neighbours.
    Quad,
    /// Of four neighbours, the one whose place differs in these bits.
    QuadAcross(u8),
}

impl Combine {
    fn both(self, a: u64, b: u64) -> u64 {
        let float = |f: fn(f32, f32) -> f32| {
            let found = f(f32::from_bits(a as u32), f32::from_bits(b as u32));
            u64::from(found.to_bits())
        };
        let word = |f: fn(u32, u32) -> u32| u64::from(f(a as u32, b as u32));
        match self {
            Combine::AddF => float(|a, b| a + b),
            Combine::MulF => float(|a, b| a * b),
            Combine::MinF => float(f32::min),
            Combine::MaxF => float(f32::max),
            Combine::Add => word(u32::wrapping_add),
            Combine::Mul => word(u32::wrapping_mul),
            Combine::MinS => word(|a, b| (a as i32).min(b as i32) as u32),
            Combine::MaxS => word(|a, b| (a as i32).max(b as i32) as u32),
            Combine::MinU => word(u32::min),
            Combine::MaxU => word(u32::max),
            Combine::And => word(|a, b| a & b),
            Combine::Or => word(|a, b| a | b),
            Combine::Xor => word(|a, b| a ^ b),
            Combine::Wide(op) => op.function()(a, b),
        }
    }

    /// What changes no number that it is combined with.
    fn neutral(self) -> u64 {
        match self {
            Combine::MulF => u64::from(1.0_f32.to_bits()),
            Combine::Mul | Combine::Wide(WideOp::Mul) => 1,
            Combine::Wide(WideOp::MulF) => 1.0_f64.to_bits(),
            Combine::And => u64::MAX,
            _ => 0,
        }
    }
}

/// What each invocation finds. `active` has a bit for each that takes part.
pub(super) fn found(
    op: SubgroupOp,
    active: u32,
    numbers: &[u64; WIDTH],
    index: &[u32; WIDTH],
) -> [u64; WIDTH] {
    let is_active = |lane: usize| active >> lane & 1 != 0;
    let all = || (0..WIDTH).filter(|lane| is_active(*lane));
    match op {
        SubgroupOp::Reduce(combine) => {
            let combined = all()
                .map(|lane| numbers[lane])
                .reduce(|a, b| combine.both(a, b));
            [combined.unwrap_or(0); WIDTH]
        }
        SubgroupOp::Inclusive(combine) | SubgroupOp::Exclusive(combine) => {
            let mut before = combine.neutral();
            let mut found = [0; WIDTH];
            for lane in all() {
                let with = combine.both(before, numbers[lane]);
                let is_inclusive = matches!(op, SubgroupOp::Inclusive(_));
                found[lane] = if is_inclusive { with } else { before };
                before = with;
            }
            found
        }
        SubgroupOp::Gather(from) => {
            let first = active.trailing_zeros();
            std::array::from_fn(|lane| {
                let (own, index) = (lane as u32, index[lane]);
                let other = match from {
                    From::First => first,
                    From::Index => index,
                    From::Below => own.wrapping_sub(index),
                    From::Above => own.wrapping_add(index),
                    From::Across => own ^ index,
                    From::Quad => (own & !3) | (index & 3),
                    From::QuadAcross(bits) => own ^ u32::from(bits),
                } as usize;
                numbers.get(other).copied().unwrap_or(0)
            })
        }
        SubgroupOp::Ballot => {
            let bits = all()
                .filter(|lane| numbers[*lane] != 0)
                .fold(0, |bits, lane| bits | 1 << lane);
            [bits; WIDTH]
        }
    }
}
