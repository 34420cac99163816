//! How the words of registers go from lane to lane within a chunk.
//!
//! Sixteen lanes that are neighbours often access words that are neighbours, or the same: then one load serves them.
//!
//! Invariant: what is said of a register holds for every chunk of every block.

use super::super::op::{Class, Code, Held, Input, Op, Reg};
use super::super::processor::CHUNK;

/// What is known of each register.
#[derive(Debug)]
pub(super) struct Strides {
    steps: Vec<Option<Step>>,
    guesses: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    /// From lane to lane.
    by: u32,
    /// Whether the first lane of each chunk has a multiple of the chunk's lanes.
    is_aligned: bool,
}

impl Strides {
    pub(super) fn new(once: &[Op], ops: &[Op], held: &[Held], workgroup: [u32; 3]) -> Self {
        let mut writes = vec![0_u32; held.len()];
        for op in once.iter().chain(ops) {
            if let Some(dst) = op.dst {
                writes[dst.0 as usize] += 1;
            }
        }
        let chunk = CHUNK as u32;
        let of_held = |held: &Held| match *held {
            Held::Input(Input::Local(axis)) => match axis {
                0 if workgroup[0].is_multiple_of(chunk) => Some(Step {
                    by: 1,
                    is_aligned: true,
                }),
                0 => None,
                1 if workgroup[0].is_multiple_of(chunk) => Some(Step::SAME),
                2 if (workgroup[0] * workgroup[1]).is_multiple_of(chunk) => Some(Step::SAME),
                _ => None,
            },
            Held::Input(Input::Lane) => Some(Step {
                by: 1,
                is_aligned: true,
            }),
            other => match other.class() {
                Class::Uniform => Some(Step::SAME),
                Class::Run(by) => Some(Step {
                    by,
                    is_aligned: false,
                }),
                _ => None,
            },
        };
        let mut found = Self {
            steps: held.iter().map(of_held).collect(),
            guesses: vec![1; held.len()],
        };
        for op in once.iter().chain(ops) {
            let Some(dst) = op.dst else { continue };
            let dst = dst.0 as usize;
            if held[dst].class() != Class::Varying || writes[dst] != 1 {
                continue;
            }
            found.steps[dst] = found.step(op, held);
            found.guesses[dst] = found.guessed(op, held);
        }
        found
    }

    /// How much each lane of a chunk has more than the one before it, if that is known.
    pub(super) fn of(&self, reg: Reg) -> Option<u32> {
        self.steps[reg.0 as usize].map(|step| step.by)
    }

    /// How much it may be.
    pub(super) fn guess(&self, reg: Reg) -> u32 {
        self.guesses[reg.0 as usize]
    }

    fn step(&self, op: &Op, held: &[Held]) -> Option<Step> {
        let of = |i: usize| op.operands[i].and_then(|reg| self.steps[reg.0 as usize]);
        let known = |i: usize| match held[op.operands[i]?.0 as usize] {
            Held::Constant(word) => Some(word),
            _ => None,
        };
        let chunk = CHUNK as u32;
        let by = |by: u32| Step {
            by,
            is_aligned: false,
        };
        match op.code {
            Code::Copy => of(0),
            Code::Count => Some(Step {
                by: op.offset,
                is_aligned: op.offset == 1 && of(0)?.is_aligned,
            }),
            Code::Add => Some(by(of(0)?.by.wrapping_add(of(1)?.by))),
            Code::Sub => Some(by(of(0)?.by.wrapping_sub(of(1)?.by))),
            Code::Mul => match (of(0)?.by, of(1)?.by) {
                (0, 0) => Some(Step::SAME),
                (step, 0) => Some(by(step.wrapping_mul(known(1)?))),
                (0, step) => Some(by(step.wrapping_mul(known(0)?))),
                _ => None,
            },
            Code::Shl => Some(by(of(0)?.by.wrapping_shl(known(1)?))),
            Code::RemU | Code::DivU | Code::And | Code::ShrU
                if of(0)?.by == 1 && of(0)?.is_aligned =>
            {
                let is_quotient = matches!(op.code, Code::DivU | Code::ShrU);
                let divisor = match op.code {
                    Code::And => known(1)?.checked_add(1)?,
                    Code::ShrU => 1_u32.checked_shl(known(1)?)?,
                    _ => known(1)?,
                };
                let is_clean = divisor >= chunk
                    && divisor.is_multiple_of(chunk)
                    && (op.code != Code::And || divisor.is_power_of_two());
                match (is_clean, is_quotient) {
                    (false, _) => None,
                    (true, true) => Some(Step::SAME),
                    (true, false) => of(0),
                }
            }
            Code::RemU
            | Code::DivU
            | Code::And
            | Code::Or
            | Code::Xor
            | Code::ShrU
            | Code::MinU
            | Code::MaxU => (of(0)?.by == 0 && of(1)?.by == 0).then_some(Step::SAME),
            _ => None,
        }
    }

    /// A place that is something times a number goes up by that number more often than not.
    fn guessed(&self, op: &Op, held: &[Held]) -> u32 {
        let guess = |i: usize| op.operands[i].map_or(1, |reg| self.guesses[reg.0 as usize]);
        let known = |i: usize| match op.operands[i].map(|reg| held[reg.0 as usize]) {
            Some(Held::Constant(word)) => Some(word),
            _ => None,
        };
        match op.code {
            Code::Mul => known(0).or(known(1)).unwrap_or(1),
            Code::Shl => known(1).map_or(1, |by| 1_u32.wrapping_shl(by)),
            Code::Add | Code::Sub => guess(0).max(guess(1)),
            Code::Copy => guess(0),
            _ => 1,
        }
    }
}

impl Step {
    const SAME: Self = Self {
        by: 0,
        is_aligned: false,
    };
}
