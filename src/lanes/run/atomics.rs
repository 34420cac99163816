//! Atomic operations, lane by lane.
//!
//! What is bound may be at other threads' hands too; the memory of a workgroup is one thread's alone.
//!
//! Invariant: lanes that aren't in the mask, and places outside of the memory, are left as they are.

#![expect(
    unsafe_code,
    reason = "memory is changed where a program says, after its place was checked"
)]

use super::super::op::{AtomicOp, Memory};
use super::super::wide::{self, Half};
use super::super::wide_atomic::WideAtomic;
use super::{CHUNK, Operand, Run, Step, Words, lanes};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

impl Run<'_, '_> {
    #[inline(always)]
    pub(super) unsafe fn atomic(&mut self, step: &Step, op: AtomicOp) {
        // SAFETY: the caller's promise; places are checked, and words are aligned.
        unsafe {
            if op == AtomicOp::Add {
                self.each_atomic(step, |at, is_shared, value, _| {
                    if is_shared {
                        AtomicU32::from_ptr(at).fetch_add(value, Ordering::Relaxed)
                    } else {
                        let old = at.read();
                        at.write(old.wrapping_add(value));
                        old
                    }
                });
            } else {
                self.each_atomic(step, |at, _, value, _| {
                    apply(op, AtomicU32::from_ptr(at), value)
                });
            }
        }
    }

    pub(super) unsafe fn compare_exchange(&mut self, step: &Step) {
        // SAFETY: as above.
        unsafe {
            self.each_atomic(step, |at, _, value, expected| {
                let order = Ordering::Relaxed;
                let word = AtomicU32::from_ptr(at);
                match word.compare_exchange(expected, value, order, order) {
                    Ok(old) | Err(old) => old,
                }
            });
        }
    }

    #[inline(always)]
    unsafe fn each_atomic(&mut self, step: &Step, op: impl Fn(*mut u32, bool, u32, u32) -> u32) {
        let bank = self.region(step);
        let [value, place, mask, other] = step.operands;
        let more = step.offset.wrapping_sub(step.first);
        let is_shared = matches!(step.memory, Memory::Bound(_));
        for chunk in self.window.0..self.window.1 {
            // SAFETY: registers by the caller's promise; memory is checked here.
            unsafe {
                let mut bits = self.bits(mask, chunk);
                if bits == 0 {
                    continue;
                }
                let (words, places) = (self.read(value, chunk), self.read(place, chunk));
                let other = self.read(other, chunk);
                let mut old = [0; CHUNK];
                while bits != 0 {
                    let i = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let at = places[i].wrapping_add(more) as usize;
                    if at < bank.len {
                        old[i] = op(bank.words.add(at), is_shared, words[i], other[i]);
                    }
                }
                if step.has_result {
                    self.write(step.dst, chunk, old);
                }
            }
        }
    }

    /// Pairs from words.
    pub(super) unsafe fn join(&mut self, step: &Step) {
        let [low, high, ..] = step.operands;
        for chunk in self.window.0..self.window.1 {
            // SAFETY: registers by the caller's promise.
            unsafe {
                let (low, high) = (self.read(low, chunk), self.read(high, chunk));
                self.write_pair(step.dst, chunk, low, high);
            }
        }
    }

    /// Words from pairs.
    pub(super) unsafe fn part(&mut self, step: &Step, half: Half) {
        for chunk in self.window.0..self.window.1 {
            // SAFETY: registers by the caller's promise.
            unsafe {
                let (low, high) = self.read_pair(step.operands[0], chunk);
                let part = match half {
                    Half::Low => low,
                    Half::High => high,
                };
                self.write(step.dst, chunk, part);
            }
        }
    }

    pub(super) unsafe fn atomic_wide(&mut self, step: &Step, op: WideAtomic) {
        let bank = self.region(step);
        let [value, place, mask, other] = step.operands;
        let more = step.offset.wrapping_sub(step.first);
        let at_number = match step.memory {
            Memory::Bound(_) => shared,
            _ => alone,
        };
        for chunk in self.window.0..self.window.1 {
            // SAFETY: registers by the caller's promise; memory is checked here.
            unsafe {
                let mut bits = self.bits(mask, chunk);
                if bits == 0 {
                    continue;
                }
                let places = self.read(place, chunk);
                let [value, other] = [value, other].map(|pair| self.read_pair(pair, chunk));
                let mut old = [0; CHUNK];
                while bits != 0 {
                    let i = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let at = places[i].wrapping_add(more) as usize;
                    if at + 1 < bank.len {
                        let [value, other] =
                            [value, other].map(|(low, high)| wide::number(low[i], high[i]));
                        old[i] = at_number(op, bank.words.add(at), value, other);
                    }
                }
                if step.has_result {
                    let [low, high] =
                        [Half::Low, Half::High].map(|half| lanes(|i| half.of(old[i])));
                    self.write_pair(step.dst, chunk, low, high);
                }
            }
        }
    }

    /// How far the higher words of a pair are from the lower ones, in bytes.
    #[inline(always)]
    fn between_halves(&self) -> u32 {
        (self.lanes * size_of::<u32>()) as u32
    }

    /// The words of a pair, or zeros if there is none.
    #[inline(always)]
    unsafe fn read_pair(&self, pair: Operand, chunk: usize) -> (Words, Words) {
        if !pair.is_there() {
            return ([0; CHUNK], [0; CHUNK]);
        }
        let high = Operand {
            at: pair.at + self.between_halves(),
            ..pair
        };
        // SAFETY: registers by the caller's promise.
        unsafe { (self.read(pair, chunk), self.read(high, chunk)) }
    }

    #[inline(always)]
    unsafe fn write_pair(&mut self, at: u32, chunk: usize, low: Words, high: Words) {
        // SAFETY: as above.
        unsafe {
            self.write(at, chunk, low);
            self.write(at + self.between_halves(), chunk, high);
        }
    }
}

/// What is done to the number that begins at a word; returns what was there.
///
/// # Safety
///
/// Both words are there, and nobody else has them but by atomic operations.
unsafe fn shared(op: WideAtomic, at: *mut u32, value: u64, expected: u64) -> u64 {
    let at = at.cast::<u64>();
    // WGSL puts numbers of 64 bits at multiples of their size, and a buffer begins at one: see `Bank`.
    debug_assert!(
        at.is_aligned(),
        "a number of 64 bits lies across two places"
    );
    if !at.is_aligned() {
        return 0;
    }
    // SAFETY: the caller's promise, and what was checked.
    unsafe { op.apply(AtomicU64::from_ptr(at), value, expected) }
}

/// The same of memory that no other thread has, wherever it begins.
///
/// # Safety
///
/// Both words are there, and nobody else has them.
unsafe fn alone(op: WideAtomic, at: *mut u32, value: u64, expected: u64) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        let old = wide::number(at.read(), at.add(1).read());
        let new = op.after(old, value, expected);
        at.write(Half::Low.of(new));
        at.add(1).write(Half::High.of(new));
        old
    }
}

fn apply(op: AtomicOp, word: &AtomicU32, value: u32) -> u32 {
    let order = Ordering::Relaxed;
    let float = |f: fn(f32, f32) -> f32| {
        let new = |old: u32| Some(f(f32::from_bits(old), f32::from_bits(value)).to_bits());
        match word.fetch_update(order, order, new) {
            Ok(old) | Err(old) => old,
        }
    };
    let signed = |f: fn(i32, i32) -> i32| {
        let new = |old: u32| Some(f(old as i32, value as i32) as u32);
        match word.fetch_update(order, order, new) {
            Ok(old) | Err(old) => old,
        }
    };
    match op {
        AtomicOp::Add => word.fetch_add(value, order),
        AtomicOp::Sub => word.fetch_sub(value, order),
        AtomicOp::And => word.fetch_and(value, order),
        AtomicOp::Or => word.fetch_or(value, order),
        AtomicOp::Xor => word.fetch_xor(value, order),
        AtomicOp::MinU => word.fetch_min(value, order),
        AtomicOp::MaxU => word.fetch_max(value, order),
        AtomicOp::MinS => signed(i32::min),
        AtomicOp::MaxS => signed(i32::max),
        AtomicOp::Exchange => word.swap(value, order),
        AtomicOp::AddF => float(|a, b| a + b),
        AtomicOp::SubF => float(|a, b| a - b),
        AtomicOp::MinF => float(f32::min),
        AtomicOp::MaxF => float(f32::max),
    }
}
