//! Makes registers and operations.
//!
//! Knows which registers are the same for all lanes, and computes what is known already; what the kernel means is the
//! affair of `lower`.
//!
//! Invariant: a register that is held once for all lanes is never written from one that differs between them.

use super::op::{Code, Held, Input, Label, Memory, Op, Reg};
use std::collections::HashMap;

/// A program in the making.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pub(crate) ops: Vec<Op>,
    pub(crate) held: Vec<Held>,
    constants: HashMap<u32, Reg>,
    inputs: HashMap<Input, Reg>,
    labels: u32,
}

impl Builder {
    pub(crate) fn register(&mut self, held: Held) -> Reg {
        self.held.push(held);
        Reg(self.held.len() as u32 - 1)
    }

    pub(crate) fn constant(&mut self, word: u32) -> Reg {
        if let Some(reg) = self.constants.get(&word) {
            return *reg;
        }
        let reg = self.register(Held::Constant(word));
        self.constants.insert(word, reg);
        reg
    }

    pub(crate) fn float(&mut self, value: f32) -> Reg {
        self.constant(value.to_bits())
    }

    pub(crate) fn input(&mut self, input: Input) -> Reg {
        if let Some(reg) = self.inputs.get(&input) {
            return *reg;
        }
        let reg = self.register(Held::Input(input));
        self.inputs.insert(input, reg);
        reg
    }

    /// The word of a register that is known already.
    pub(crate) fn known(&self, reg: Reg) -> Option<u32> {
        match self.held[reg.0 as usize] {
            Held::Constant(word) => Some(word),
            _ => None,
        }
    }

    /// Whether lanes may have different words.
    pub(crate) fn differs(&self, reg: Reg) -> bool {
        match self.held[reg.0 as usize] {
            Held::Varying => true,
            Held::Uniform | Held::Constant(_) => false,
            Held::Input(input) => input.differs(),
        }
    }

    pub(crate) fn fresh(&mut self, differs: bool) -> Reg {
        self.register(if differs {
            Held::Varying
        } else {
            Held::Uniform
        })
    }

    /// A new register with what the operation computes.
    pub(crate) fn op(&mut self, code: Code, operands: &[Reg]) -> Reg {
        if let Some(reg) = self.folded(code, operands) {
            return reg;
        }
        let differs = operands.iter().any(|reg| self.differs(*reg));
        let dst = self.fresh(differs);
        self.ops.push(Op::new(code, Some(dst), operands));
        dst
    }

    /// What needs no operation: integer arithmetic on constants, and operations that change nothing.
    fn folded(&mut self, code: Code, operands: &[Reg]) -> Option<Reg> {
        let known = |i: usize| operands.get(i).and_then(|reg| self.known(*reg));
        match (code, known(0), known(1)) {
            (Code::Add, Some(a), Some(b)) => Some(self.constant(a.wrapping_add(b))),
            (Code::Sub, Some(a), Some(b)) => Some(self.constant(a.wrapping_sub(b))),
            (Code::Mul, Some(a), Some(b)) => Some(self.constant(a.wrapping_mul(b))),
            (Code::MinU, Some(a), Some(b)) => Some(self.constant(a.min(b))),
            (Code::Not, Some(a), _) => Some(self.constant(!a)),
            (Code::Add, _, Some(0)) | (Code::Mul, _, Some(1)) => Some(operands[0]),
            (Code::Add, Some(0), _) | (Code::Mul, Some(1), _) => Some(operands[1]),
            (Code::And, Some(u32::MAX), _) => Some(operands[1]),
            (Code::And, _, Some(u32::MAX)) => Some(operands[0]),
            _ => None,
        }
    }

    /// Sets a register that is written more than once.
    pub(crate) fn set(&mut self, dst: Reg, value: Reg) {
        self.ops.push(Op::new(Code::Copy, Some(dst), &[value]));
    }

    /// Sets it in the lanes of a mask.
    pub(crate) fn set_where(&mut self, mask: Reg, dst: Reg, value: Reg) {
        self.ops
            .push(Op::new(Code::Select, Some(dst), &[value, dst, mask]));
    }

    pub(crate) fn load(&mut self, memory: Memory, offset: u32, place: Reg) -> Reg {
        let differs = self.differs(place) || memory == Memory::Own;
        let dst = self.fresh(differs);
        let mut op = Op::new(Code::Load, Some(dst), &[place]);
        (op.memory, op.offset) = (memory, offset);
        self.ops.push(op);
        dst
    }

    pub(crate) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    pub(crate) fn place(&mut self, label: Label) {
        let mut op = Op::new(Code::Label, None, &[]);
        op.label = label;
        self.ops.push(op);
    }

    pub(crate) fn jump(&mut self, code: Code, condition: &[Reg], label: Label) {
        let mut op = Op::new(code, None, condition);
        op.label = label;
        self.ops.push(op);
    }
}

impl Input {
    /// Whether lanes may have different words. Of `global_invocation_id`, only the x of a row is an input.
    pub(crate) fn differs(self) -> bool {
        matches!(self, Input::Local(_) | Input::Global(0))
    }
}
