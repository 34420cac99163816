//! What compiled code is told, and where it finds it.
//!
//! Invariant: the frame that code is called with is laid out as the code believes.

use super::super::op::Memory;
use super::super::run::Bank;
use super::assembler::{Assembler, at};
use super::micro::Area;
use iced_x86::{Code as X86, MemoryOperand, Register};
use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::offset_of;

/// General registers that keep their meaning throughout.
pub(super) const REGISTERS: Register = Register::RBX;
pub(super) const FRAME: Register = Register::R12;
/// The bytes of a vector before the present chunk, and after the last.
pub(super) const LANE: Register = Register::R13;
pub(super) const END: Register = Register::R14;
/// The bytes of bits before the present chunk.
pub(super) const BITS: Register = Register::R15;
pub(super) const CONSTANTS: Register = Register::RBP;
/// The numbers of all lanes.
pub(super) const TABLE: Register = Register::R11;

/// Lets the interpreter do the operations from one to another; with those that are done once for all lanes, or without.
pub(crate) type Interpret = unsafe extern "sysv64" fn(*mut c_void, usize, usize, bool);

/// What code is called with.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) registers: *mut u8,
    pub(crate) banks: *const Bank,
    pub(crate) shared: *mut u32,
    pub(crate) own: *mut u32,
    pub(crate) constants: *const u32,
    pub(crate) numbers: *const u32,
    /// The largest first words of chunks, of the registers that code asks for.
    pub(crate) largest: *const u32,
    /// Bytes of a vector of all chunks.
    pub(crate) end: usize,
    pub(crate) interpret: Interpret,
    /// What the interpreter is called with.
    pub(crate) run: *mut c_void,
    /// The caller's stack, while the code runs.
    pub(crate) stack: usize,
}

/// Sizes that code is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) lanes: usize,
    pub(super) shared_words: u32,
    pub(super) own_words: u32,
}

/// Words that code reads: first how chunks go up by one, two and four, then constants.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) words: Vec<u32>,
    found: HashMap<u32, u32>,
    /// Registers whose largest first word is asked for, by place.
    pub(super) settled: Vec<u32>,
}

impl Pool {
    pub(super) fn new() -> Self {
        let steps = |by: u32| (0..16).map(move |i| i * by);
        Self {
            words: [1, 2, 4].into_iter().flat_map(steps).collect(),
            found: HashMap::new(),
            settled: Vec::new(),
        }
    }

    /// The number by which the largest first word of a register is known.
    pub(super) fn largest(&mut self, place: u32) -> u32 {
        let found = self.settled.iter().position(|one| *one == place);
        let number = found.unwrap_or_else(|| {
            self.settled.push(place);
            self.settled.len() - 1
        });
        number as u32
    }

    /// Where a word is.
    pub(super) fn index(&mut self, word: u32) -> u32 {
        let words = &mut self.words;
        *self.found.entry(word).or_insert_with(|| {
            words.push(word);
            words.len() as u32 - 1
        })
    }
}

impl Frame {
    pub(super) const REGISTERS: i64 = offset_of!(Frame, registers) as i64;
    pub(super) const CONSTANTS: i64 = offset_of!(Frame, constants) as i64;
    pub(super) const NUMBERS: i64 = offset_of!(Frame, numbers) as i64;
    pub(super) const LARGEST: i64 = offset_of!(Frame, largest) as i64;
    pub(super) const END: i64 = offset_of!(Frame, end) as i64;
    pub(super) const INTERPRET: i64 = offset_of!(Frame, interpret) as i64;
    pub(super) const RUN: i64 = offset_of!(Frame, run) as i64;
    pub(super) const STACK: i64 = offset_of!(Frame, stack) as i64;
}

impl Layout {
    /// Where it is written how a chunk goes up by one, two or four.
    pub(super) fn steps(self, by: u32) -> i64 {
        i64::from(by.trailing_zeros()) * 64
    }

    /// Where an area begins, in `rcx`.
    pub(super) fn area_pointer(self, asm: &mut Assembler, area: Area) {
        let rcx = Register::RCX;
        let (from, first) = match area.memory {
            Memory::Bound(bound) => {
                let banks = at(FRAME, offset_of!(Frame, banks) as i64);
                asm.put(X86::Mov_r64_rm64, &[rcx.into(), banks.into()]);
                let bank = i64::from(bound) * size_of::<Bank>() as i64;
                let words = at(rcx, bank + offset_of!(Bank, words) as i64);
                (words, area.first)
            }
            Memory::Shared => (at(FRAME, offset_of!(Frame, shared) as i64), area.first),
            Memory::Own => (
                at(FRAME, offset_of!(Frame, own) as i64),
                area.first * self.lanes as u32,
            ),
        };
        asm.put(X86::Mov_r64_rm64, &[rcx.into(), from.into()]);
        if first > 0 {
            asm.put(
                X86::Add_rm64_imm32,
                &[rcx.into(), (first as i32 * 4).into()],
            );
        }
    }

    /// Where it says whether what is only written goes past the caches. Changes `rax`.
    pub(super) fn passes_caches(self, asm: &mut Assembler, bound: u32) -> MemoryOperand {
        let rax = Register::RAX;
        let banks = at(FRAME, offset_of!(Frame, banks) as i64);
        asm.put(X86::Mov_r64_rm64, &[rax.into(), banks.into()]);
        let bank = i64::from(bound) * size_of::<Bank>() as i64;
        at(rax, bank + offset_of!(Bank, passes_caches) as i64)
    }

    /// How many words an area has, in `rdx`: no more than an `i32` can say, as machines are that take indices as such.
    pub(super) fn area_length(self, asm: &mut Assembler, area: Area) {
        let (rdx, rcx) = (Register::RDX, Register::RCX);
        let most = area.words.unwrap_or(u32::MAX).min(i32::MAX as u32);
        let fixed = match area.memory {
            Memory::Bound(bound) => {
                let banks = at(FRAME, offset_of!(Frame, banks) as i64);
                asm.put(X86::Mov_r64_rm64, &[rdx.into(), banks.into()]);
                let bank = i64::from(bound) * size_of::<Bank>() as i64;
                let len = at(rdx, bank + offset_of!(Bank, len) as i64);
                asm.put(X86::Mov_r64_rm64, &[rdx.into(), len.into()]);
                if area.first > 0 {
                    asm.put(
                        X86::Xor_r32_rm32,
                        &[Register::ECX.into(), Register::ECX.into()],
                    );
                    asm.put(
                        X86::Sub_rm64_imm32,
                        &[rdx.into(), (area.first as i32).into()],
                    );
                    asm.put(X86::Cmovb_r64_rm64, &[rdx.into(), rcx.into()]);
                }
                asm.put(
                    X86::Mov_r32_imm32,
                    &[Register::ECX.into(), (most as i32).into()],
                );
                asm.put(X86::Cmp_r64_rm64, &[rdx.into(), rcx.into()]);
                asm.put(X86::Cmova_r64_rm64, &[rdx.into(), rcx.into()]);
                return;
            }
            Memory::Shared => self.shared_words,
            Memory::Own => self.own_words,
        };
        let words = fixed.saturating_sub(area.first).min(most);
        asm.put(
            X86::Mov_r32_imm32,
            &[Register::EDX.into(), (words as i32).into()],
        );
    }
}
