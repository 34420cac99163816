//! Atomic operations on numbers of 64 bits.
//!
//! What becomes of a number, and of one that other threads change meanwhile. Where numbers are is the affair of `run`.
//!
//! Invariant: integers wrap, and what other threads see of a number is what was there before an operation or after it.

use super::op::AtomicOp;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is done to a number, at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WideAtomic {
    Load,
    Store,
    /// None of those on floats: WGSL has no atomic floats of 64 bits.
    Update(AtomicOp),
    CompareExchange,
}

impl WideAtomic {
    /// What is there afterwards.
    pub(super) fn after(self, old: u64, value: u64, expected: u64) -> u64 {
        match self {
            WideAtomic::Load => old,
            WideAtomic::Store => value,
            WideAtomic::Update(op) => updated(op, old, value),
            WideAtomic::CompareExchange if old == expected => value,
            WideAtomic::CompareExchange => old,
        }
    }

    /// Does it to a number that other threads may be at as well, and returns what was there; nothing of account for a
    /// store.
    pub(super) fn apply(self, number: &AtomicU64, value: u64, expected: u64) -> u64 {
        let order = Ordering::Relaxed;
        match self {
            WideAtomic::Load => number.load(order),
            WideAtomic::Store => {
                number.store(value, order);
                0
            }
            WideAtomic::CompareExchange => {
                match number.compare_exchange(expected, value, order, order) {
                    Ok(old) | Err(old) => old,
                }
            }
            // Those that processors have an instruction for: no thread has to try again.
            WideAtomic::Update(AtomicOp::Add) => number.fetch_add(value, order),
            WideAtomic::Update(AtomicOp::Sub) => number.fetch_sub(value, order),
            WideAtomic::Update(AtomicOp::And) => number.fetch_and(value, order),
            WideAtomic::Update(AtomicOp::Or) => number.fetch_or(value, order),
            WideAtomic::Update(AtomicOp::Xor) => number.fetch_xor(value, order),
            WideAtomic::Update(AtomicOp::Exchange) => number.swap(value, order),
            WideAtomic::Update(op) => {
                let new = |old| Some(updated(op, old, value));
                match number.fetch_update(order, order, new) {
                    Ok(old) | Err(old) => old,
                }
            }
        }
    }
}

/// What an operation makes of a number.
fn updated(op: AtomicOp, old: u64, value: u64) -> u64 {
    match op {
        AtomicOp::Add => old.wrapping_add(value),
        AtomicOp::Sub => old.wrapping_sub(value),
        AtomicOp::And => old & value,
        AtomicOp::Or => old | value,
        AtomicOp::Xor => old ^ value,
        AtomicOp::MinS => (old as i64).min(value as i64) as u64,
        AtomicOp::MaxS => (old as i64).max(value as i64) as u64,
        AtomicOp::MinU => old.min(value),
        AtomicOp::MaxU => old.max(value),
        AtomicOp::Exchange => value,
        AtomicOp::AddF | AtomicOp::SubF | AtomicOp::MinF | AtomicOp::MaxF => {
            unreachable!("naga lets no atomic be a float of 64 bits")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [WideAtomic; 13] = [
        WideAtomic::Load,
        WideAtomic::Store,
        WideAtomic::CompareExchange,
        WideAtomic::Update(AtomicOp::Add),
        WideAtomic::Update(AtomicOp::Sub),
        WideAtomic::Update(AtomicOp::And),
        WideAtomic::Update(AtomicOp::Or),
        WideAtomic::Update(AtomicOp::Xor),
        WideAtomic::Update(AtomicOp::MinS),
        WideAtomic::Update(AtomicOp::MaxS),
        WideAtomic::Update(AtomicOp::MinU),
        WideAtomic::Update(AtomicOp::MaxU),
        WideAtomic::Update(AtomicOp::Exchange),
    ];
    const EDGES: [u64; 6] = [
        0,
        1,
        u32::MAX as u64 + 1,
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
    ];

    #[test]
    fn what_is_shared_with_threads_becomes_what_is_not() {
        for op in ALL {
            for old in EDGES {
                for value in EDGES {
                    for expected in EDGES {
                        let number = AtomicU64::new(old);
                        let was = op.apply(&number, value, expected);
                        let is = number.into_inner();
                        assert_eq!(is, op.after(old, value, expected), "{op:?} {old} {value}");
                        assert!(was == old || op == WideAtomic::Store, "{op:?} {old}");
                    }
                }
            }
        }
    }
}
