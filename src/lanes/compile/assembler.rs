//! Instructions with labels, and the memory that they run in.
//!
//! Invariant: memory that can be run can't be written.

use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Code, Instruction, InstructionBlock, MemoryOperand, Register,
};
use memmap2::{Mmap, MmapMut};

/// A place in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(usize);

/// Code in the making.
#[derive(Default)]
pub(super) struct Assembler {
    instructions: Vec<Instruction>,
    /// Where each mark is, in instructions.
    marks: Vec<Option<usize>>,
    /// Which instructions go to which mark.
    branches: Vec<(usize, Mark)>,
    /// Whether an instruction couldn't be made.
    has_failed: bool,
}

/// What an instruction works on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand {
    Register(Register),
    Memory(MemoryOperand),
    Number(i32),
}

impl From<Register> for Operand {
    fn from(register: Register) -> Self {
        Self::Register(register)
    }
}

impl From<MemoryOperand> for Operand {
    fn from(memory: MemoryOperand) -> Self {
        Self::Memory(memory)
    }
}

impl From<i32> for Operand {
    fn from(number: i32) -> Self {
        Self::Number(number)
    }
}

/// `[base + displacement]`
pub(super) fn at(base: Register, displacement: i64) -> MemoryOperand {
    MemoryOperand::with_base_displ(base, displacement)
}

/// `[base + index * scale + displacement]`
pub(super) fn indexed(
    base: Register,
    index: Register,
    scale: u32,
    displacement: i64,
) -> MemoryOperand {
    MemoryOperand::with_base_index_scale_displ_size(base, index, scale, displacement, 1)
}

impl Assembler {
    pub(super) fn mark(&mut self) -> Mark {
        self.marks.push(None);
        Mark(self.marks.len() - 1)
    }

    pub(super) fn place(&mut self, mark: Mark) {
        self.marks[mark.0] = Some(self.instructions.len());
    }

    /// How many instructions there are.
    pub(super) fn len(&self) -> usize {
        self.instructions.len()
    }

    pub(super) fn put(&mut self, code: Code, operands: &[Operand]) {
        self.put_masked(code, operands, Register::None, false);
    }

    /// An instruction for the lanes of a mask; zeros, or what was there, for the others.
    pub(super) fn put_masked(
        &mut self,
        code: Code,
        operands: &[Operand],
        mask: Register,
        zeroes: bool,
    ) {
        use Operand::{Memory as M, Number as N, Register as R};
        let made = match *operands {
            [] => Ok(Instruction::with(code)),
            [R(a)] => Instruction::with1(code, a),
            [M(a)] => Instruction::with1(code, a),
            [R(a), R(b)] => Instruction::with2(code, a, b),
            [R(a), M(b)] => Instruction::with2(code, a, b),
            [M(a), R(b)] => Instruction::with2(code, a, b),
            [R(a), N(b)] => Instruction::with2(code, a, b),
            [M(a), N(b)] => Instruction::with2(code, a, b),
            [R(a), R(b), R(c)] => Instruction::with3(code, a, b, c),
            [R(a), R(b), M(c)] => Instruction::with3(code, a, b, c),
            [R(a), R(b), N(c)] => Instruction::with3(code, a, b, c),
            [R(a), M(b), N(c)] => Instruction::with3(code, a, b, c),
            [R(a), R(b), R(c), N(d)] => Instruction::with4(code, a, b, c, d),
            [R(a), R(b), M(c), N(d)] => Instruction::with4(code, a, b, c, d),
            _ => {
                self.has_failed = true;
                return;
            }
        };
        match made {
            Ok(mut instruction) => {
                if mask != Register::None {
                    instruction.set_op_mask(mask);
                    instruction.set_zeroing_masking(zeroes);
                }
                self.instructions.push(instruction);
            }
            Err(_) => self.has_failed = true,
        }
    }

    pub(super) fn branch(&mut self, code: Code, to: Mark) {
        match Instruction::with_branch(code, 0) {
            Ok(instruction) => {
                self.branches.push((self.instructions.len(), to));
                self.instructions.push(instruction);
            }
            Err(_) => self.has_failed = true,
        }
    }

    /// Sets the number of an instruction that was put before.
    pub(super) fn set_number(&mut self, instruction: usize, number: i32) {
        self.instructions[instruction].set_immediate32(number as u32);
    }

    /// The code, in memory of its own. A mark has to be before an instruction.
    pub(super) fn assemble(mut self) -> Option<Mmap> {
        if self.has_failed {
            return None;
        }
        // Instructions are told apart by where they are; here by their number.
        for (place, instruction) in self.instructions.iter_mut().enumerate() {
            instruction.set_ip(place as u64 + 1);
        }
        for (place, to) in &self.branches {
            let target = self.marks[to.0]?;
            self.instructions[*place].set_near_branch64(target as u64 + 1);
        }
        let start = 0x1000_0000;
        let block = InstructionBlock::new(&self.instructions, start);
        let encoded = BlockEncoder::encode(64, block, BlockEncoderOptions::NONE).ok()?;
        let mut memory = MmapMut::map_anon(encoded.code_buffer.len()).ok()?;
        memory.copy_from_slice(&encoded.code_buffer);
        memory.make_exec().ok()
    }
}
