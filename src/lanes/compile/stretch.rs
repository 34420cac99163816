//! Which operations are compiled together.
//!
//! A stretch is done chunk by chunk, all its operations for sixteen lanes before the next sixteen: what it computes on the
//! way stays in the processor's registers. It ends where lanes wait for each other, where control goes elsewhere, and
//! where something has to be known for all lanes.
//!
//! Invariant: what a stretch does once, before its chunks, is nothing that its chunks do before it.

use super::super::op::{Class, Code, Held, Op, Reg};
use super::super::place::Places;
use std::collections::HashSet;

/// A part of a program.
#[derive(Debug)]
pub(super) enum Piece {
    /// Operations that are done together: those that are done once, and those that are done for each chunk.
    Stretch {
        range: (usize, usize),
        once: Vec<usize>,
        each: Vec<usize>,
    },
    /// An operation that the interpreter does.
    Step(usize),
    /// One that goes elsewhere, or is gone to.
    Control(usize),
}

/// What of the processor is known beyond what all of them have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Features {
    pub(super) counts_bits: bool,
}

pub(super) fn pieces(ops: &[Op], held: &[Held], places: &Places, features: Features) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut open = Open::default();
    for (place, op) in ops.iter().enumerate() {
        if op.code.jumps() || matches!(op.code, Code::Label | Code::Widen | Code::Barrier) {
            open.close(&mut pieces);
            pieces.push(Piece::Control(place));
            continue;
        }
        if !is_known(op, held, features) {
            open.close(&mut pieces);
            pieces.push(Piece::Step(place));
            continue;
        }
        let is_once = op.dst.is_some_and(|dst| {
            matches!(held[dst.0 as usize].class(), Class::Uniform | Class::Run(_))
        });
        if is_once {
            let at = op.dst.map(|dst| places.at[dst.0 as usize]);
            let comes_too_late = at.is_some_and(|at| open.touched.contains(&at))
                || (op.code == Code::Load && open.has_stored);
            if comes_too_late {
                open.close(&mut pieces);
            }
            open.once.push(place);
        } else {
            let named = op.operands.into_iter().flatten().chain(op.dst);
            open.touched.extend(named.map(|reg| places.at[reg.0 as usize]));
            open.has_stored |= op.code == Code::Store;
            open.each.push(place);
        }
    }
    open.close(&mut pieces);
    pieces
}

/// A stretch that isn't whole yet.
#[derive(Default)]
struct Open {
    once: Vec<usize>,
    each: Vec<usize>,
    /// Places that its chunks read or write.
    touched: HashSet<usize>,
    has_stored: bool,
}

impl Open {
    fn close(&mut self, pieces: &mut Vec<Piece>) {
        let Self { once, each, .. } = std::mem::take(self);
        let all = || once.iter().chain(&each).copied();
        if let (Some(first), Some(last)) = (all().min(), all().max()) {
            pieces.push(Piece::Stretch {
                range: (first, last + 1),
                once,
                each,
            });
        }
    }
}

/// Whether there are instructions for it.
fn is_known(op: &Op, held: &[Held], features: Features) -> bool {
    use Code::*;
    let constant = |reg: Option<Reg>| reg.is_some_and(|reg| matches!(held[reg.0 as usize], Held::Constant(_)));
    match op.code {
        ExtractS | ExtractU => constant(op.operands[1]) && constant(op.operands[2]),
        CountOnes => features.counts_bits,
        Copy | Select | AddF | SubF | MulF | DivF | RemF | MinF | MaxF | PowF | MulAddF | MulSubF
        | NegMulAddF | NegF | AbsF | FloorF | CeilF | RoundF | TruncF | FractF | SqrtF
        | InverseSqrtF | ExpF | Exp2F | LogF | Log2F | SinF | CosF | TanF | SignF | EqF | NeF
        | LtF | LeF | Add | Sub | Mul | DivS | DivU | RemS | RemU | Neg | AbsS | MinS | MaxS
        | MinU | MaxU | SignS | And | Or | Xor | AndNot | Not | Shl | ShrS | ShrU | Eq | Ne | LtS
        | LeS | LtU | LeU | LeadingZeros | FtoS | FtoU | StoF | UtoF | Count | AndB | OrB | XorB
        | AndNotB | NotB | CopyB | SelectB | Load | Store => true,
        _ => false,
    }
}

/// Whether it works on bits alone.
pub(super) fn is_logic(code: Code) -> bool {
    use Code::{AndB, AndNotB, CopyB, NotB, OrB, SelectB, XorB};
    matches!(code, AndB | AndNotB | CopyB | NotB | OrB | SelectB | XorB)
}
