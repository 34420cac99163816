//! Lane programs as machine code, for processors with AVX-512.
//!
//! Stretches of operations become loops over chunks whose values stay in registers; what there are no instructions for
//! is left to the interpreter, operation by operation. Programs mean the same either way, but for the last bits of
//! functions.
//!
//! Invariant: code touches no address that the interpreter would not.

#![expect(
    unsafe_code,
    reason = "code that was made here is called; its addresses are checked as the interpreter's are"
)]

mod access;
mod arithmetic;
mod assembler;
mod assign;
mod frame;
mod functions;
mod looped;
mod making;
mod memory;
mod micro;
mod put;
mod select;
mod stretch;
mod strides;

pub(crate) use frame::Frame;

use super::op::{Code, Held, Input, Memory, Op};
use super::place::{Places, bytes};
use super::processor::Level;
use super::run::Line;
use assembler::Assembler;
use frame::{Layout, Pool};
use making::Making;
use memmap2::Mmap;
use select::Known;
use std::collections::{HashMap, HashSet};
use stretch::{Features, Piece};
use strides::Strides;

/// A program's code.
#[derive(Debug)]
pub(super) struct Compiled {
    code: Mmap,
    constants: Vec<Line>,
    numbers: Vec<Line>,
    settled: Vec<u32>,
}

/// What code is made from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) once: &'a [Op],
    pub(super) ops: &'a [Op],
    pub(super) held: &'a [Held],
    pub(super) places: &'a Places,
    pub(super) lanes: usize,
    pub(super) workgroup: [u32; 3],
    pub(super) shared_words: u32,
    pub(super) own_words: u32,
}

/// What this processor has, if it can run code at all and nobody asked for less.
fn features() -> Option<Features> {
    (Level::chosen() == Level::Compiled).then(|| Features {
        counts_bits: is_x86_feature_detected!("avx512vpopcntdq"),
    })
}

impl Compiled {
    /// The code of a program, where there can be any.
    pub(super) fn new(source: &Source<'_>) -> Option<Self> {
        let features = features()?;
        // Offsets within what code goes to are numbers of 32 bits.
        let own_bytes = source.own_words as usize * source.lanes * 4;
        if own_bytes.max(source.places.bytes) > i32::MAX as usize {
            return None;
        }
        let strides = Strides::new(source.once, source.ops, source.held, source.workgroup);
        let only_written = only_written(source.ops);
        let mut making = Making {
            known: Known {
                ops: source.ops,
                held: source.held,
                places: source.places,
                strides: &strides,
                only_written: &only_written,
                lanes: source.lanes,
            },
            layout: Layout {
                lanes: source.lanes,
                shared_words: source.shared_words,
                own_words: source.own_words,
            },
            asm: Assembler::default(),
            pool: Pool::new(),
            labels: HashMap::new(),
            steps: step_numbers(source.ops),
            live: source
                .held
                .iter()
                .position(|held| *held == Held::Input(Input::Live))
                .map(|live| source.places.at[live])
                .filter(|place| *place != usize::MAX),
            masks: Vec::new(),
            aside: Vec::new(),
            stack: 0,
        };
        making.whole(stretch::pieces(
            source.ops,
            source.held,
            source.places,
            features,
        ));
        Some(Self {
            code: making.asm.assemble()?,
            constants: Line::of(&making.pool.words),
            settled: making.pool.settled,
            numbers: Line::of(&(0..source.lanes as u32).collect::<Vec<_>>()),
        })
    }

    /// The instructions, for people.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.code
    }

    pub(super) fn constants(&self) -> *const u32 {
        self.constants.as_ptr().cast()
    }

    pub(super) fn numbers(&self) -> *const u32 {
        self.numbers.as_ptr().cast()
    }

    /// Places of registers, the same for all blocks, of whose chunks it asks the largest first word.
    pub(super) fn settled(&self) -> &[u32] {
        &self.settled
    }

    /// Runs a block.
    ///
    /// # Safety
    ///
    /// The frame is that of a machine for the program.
    pub(super) unsafe fn run(&self, frame: &mut Frame) {
        // SAFETY: the memory holds a function of this type, made for a processor that has what this one has.
        unsafe {
            let code: unsafe extern "sysv64" fn(*mut Frame) =
                std::mem::transmute(self.code.as_ptr());
            code(frame);
        }
    }
}

/// The bytes of registers that code goes to memory for; nothing where there is no code.
pub(super) fn bytes_between_stretches(
    ops: &[Op],
    held: &[Held],
    places: &Places,
    lanes: usize,
) -> Option<usize> {
    let mut of_op = vec![usize::MAX; ops.len()];
    let pieces = stretch::pieces(ops, held, places, features()?);
    for (number, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Stretch { once, each, .. } => {
                once.iter().chain(each).for_each(|op| of_op[*op] = number);
            }
            Piece::Loop(one) => one.each.iter().for_each(|op| of_op[*op] = number),
            Piece::Step(_) | Piece::Control(_) => {}
        }
    }
    let mut found: Vec<(usize, usize)> = places
        .lives
        .iter()
        .enumerate()
        .filter_map(|(reg, life)| Some((reg, (*life)?)))
        .filter(|(_, life)| of_op[life.start] == usize::MAX || of_op[life.start] != of_op[life.end])
        .map(|(reg, _)| (places.at[reg], bytes(held[reg].class(), lanes)))
        .collect();
    found.sort_unstable();
    found.dedup();
    Some(found.into_iter().map(|(_, bytes)| bytes).sum())
}

/// What is bound, by number, and no operation reads.
fn only_written(ops: &[Op]) -> HashSet<u32> {
    let bound = |op: &Op| match op.memory {
        Memory::Bound(bound) => Some(bound),
        _ => None,
    };
    let is_store = |op: &&Op| op.code == Code::Store;
    let mut found: HashSet<u32> = ops.iter().filter(is_store).filter_map(bound).collect();
    for op in ops.iter().filter(|op| !is_store(op)) {
        if let Some(bound) = bound(op) {
            found.remove(&bound);
        }
    }
    found
}

/// The number that the interpreter knows each operation by: labels have none.
fn step_numbers(ops: &[Op]) -> Vec<usize> {
    let mut next = 0;
    ops.iter()
        .map(|op| {
            let number = next;
            next += usize::from(op.code != Code::Label);
            number
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::kernel::Kernel;
    use crate::lanes::Program;

    #[test]
    fn every_bench_kernel_is_compiled() {
        if super::features().is_none() {
            return;
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/lanes");
        for entry in std::fs::read_dir(folder).expect("it is there") {
            let file = entry.expect("it can be read").path();
            if file.extension().is_some_and(|name| name == "wgsl") {
                let wgsl = std::fs::read_to_string(&file).expect("it is text");
                let kernel = Kernel::from_wgsl(&wgsl).expect("it is valid");
                let program = Program::new(kernel.facts().expect("it is whole"), false);
                let program = program.expect("lanes run it");
                assert!(program.compiled.is_some(), "{}", file.display());
            }
        }
    }
}
