//! Which operations are compiled together.
//!
//! A stretch is done chunk by chunk, all its operations for sixteen lanes before the next sixteen: what it computes on the
//! way stays in the processor's registers. It ends where lanes wait for each other, where control goes elsewhere, and
//! where something has to be known for all lanes.
//!
//! Invariant: what a stretch does once, before its chunks, is nothing that its chunks do before it.

use super::super::op::{Class, Code, Held, Label, Op, Reg};
use super::super::place::Places;
use super::looped::{Looped, looped};
use std::collections::{HashMap, HashSet};

/// A part of a program.
#[derive(Debug)]
pub(super) enum Piece {
    /// Operations that are done together: those that are done once, and those that are done for each chunk.
    ///
    /// Where a jump stands among these, a chunk without a lane of its mask leaves out the rest.
    Stretch {
        range: (usize, usize),
        once: Vec<usize>,
        each: Vec<usize>,
    },
    /// A loop that each chunk goes round by itself.
    Loop(Looped),
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

/// The most operations of a stretch: what they keep at a time has to find room on a thread's stack.
pub(super) const MOST: usize = 512;

/// The parts of a program, in order.
pub(super) fn pieces(ops: &[Op], held: &[Held], places: &Places, features: Features) -> Vec<Piece> {
    let mut jumps = Jumps::new(ops, held, features);
    if let Some(pieces) = pieces_with(&jumps, ops, held, places, features) {
        return pieces;
    }
    // What chunks leave out has to be in one stretch with what they don't.
    jumps.by_block();
    pieces_with(&jumps, ops, held, places, features).unwrap_or_default()
}

fn pieces_with(
    jumps: &Jumps,
    ops: &[Op],
    held: &[Held],
    places: &Places,
    features: Features,
) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut open = Open::default();
    let mut done = 0;
    for (place, op) in ops.iter().enumerate() {
        if place < done {
            continue;
        }
        let is_label = op.code == Code::Label;
        if jumps.ways[place] == Way::Nowhere || (is_label && !jumps.is_target(op.label)) {
            continue;
        }
        if jumps.ways[place] == Way::ByChunk {
            open.each.push(place);
            open.leaves_out = true;
            continue;
        }
        let is_known = |op: &Op| is_known(op, held, features);
        if is_label && let Some(one) = looped(jumps, ops, held, places, place, is_known) {
            open.close(&mut pieces, false)?;
            done = one.last + 1;
            pieces.push(Piece::Loop(one));
            continue;
        }
        if is_label || op.code.jumps() || matches!(op.code, Code::Widen | Code::Barrier) {
            let ends = ops[place..]
                .iter()
                .all(|op| matches!(op.code, Code::Label | Code::Widen));
            open.close(&mut pieces, ends)?;
            pieces.push(Piece::Control(place));
            continue;
        }
        if !is_known(op) {
            open.close(&mut pieces, false)?;
            pieces.push(Piece::Step(place));
            continue;
        }
        if open.once.len() + open.each.len() >= MOST {
            open.close(&mut pieces, false)?;
        }
        let is_once = op
            .dst
            .is_some_and(|dst| held[dst.0 as usize].class().is_one_word());
        if is_once {
            let at = op.dst.map(|dst| places.at[dst.0 as usize]);
            let comes_too_late = at.is_some_and(|at| open.touched.contains(&at))
                || (op.code == Code::Load && open.has_stored);
            if comes_too_late {
                open.close(&mut pieces, false)?;
            }
            open.once.push(place);
        } else {
            let named = op.operands.into_iter().flatten().chain(op.dst);
            open.touched
                .extend(named.map(|reg| places.at[reg.0 as usize]));
            open.has_stored |= op.code == Code::Store;
            open.each.push(place);
        }
    }
    open.close(&mut pieces, true)?;
    Some(pieces)
}

/// A stretch that isn't whole yet.
#[derive(Default)]
struct Open {
    once: Vec<usize>,
    each: Vec<usize>,
    /// Places that its chunks read or write.
    touched: HashSet<usize>,
    has_stored: bool,
    /// Whether chunks may leave out what comes.
    leaves_out: bool,
}

impl Open {
    /// Nothing if chunks leave out more than the stretch has.
    fn close(&mut self, pieces: &mut Vec<Piece>, is_last: bool) -> Option<()> {
        let Self {
            once,
            each,
            leaves_out,
            ..
        } = std::mem::take(self);
        if leaves_out && !is_last {
            return None;
        }
        let all = || once.iter().chain(&each).copied();
        if let (Some(first), Some(last)) = (all().min(), all().max()) {
            pieces.push(Piece::Stretch {
                range: (first, last + 1),
                once,
                each,
            });
        }
        Some(())
    }
}

/// How a jump is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As it stands.
    Elsewhere,
    /// Not at all: what it leaves out costs less than leaving it out, and does nothing for lanes that aren't there.
    Nowhere,
    /// Chunk by chunk: it leaves out the rest of the program.
    ByChunk,
}

/// The jumps of a program.
pub(super) struct Jumps {
    /// By operation; what isn't a jump goes as it stands.
    pub(super) ways: Vec<Way>,
    /// How many jumps go to each label.
    targets: HashMap<Label, u32>,
    /// Those that are made chunk by chunk, and where they go.
    by_chunk: Vec<(usize, Label)>,
}

/// What a jump has to leave out to be worth it.
const LIGHT: u32 = 16;

impl Jumps {
    fn new(ops: &[Op], held: &[Held], features: Features) -> Self {
        let mut found = Self {
            ways: vec![Way::Elsewhere; ops.len()],
            targets: HashMap::new(),
            by_chunk: Vec::new(),
        };
        let mut places = HashMap::new();
        for (place, op) in ops.iter().enumerate() {
            if op.code == Code::Label {
                places.insert(op.label, place);
            } else if op.code.jumps() {
                *found.targets.entry(op.label).or_default() += 1;
            }
        }
        let tail = ops
            .iter()
            .rposition(|op| !matches!(op.code, Code::Label | Code::Widen))
            .map_or(0, |last| last + 1);
        // The inner ones first, and again while that lets go of others.
        loop {
            let mut has_changed = false;
            for (place, op) in ops.iter().enumerate().rev() {
                let is_light = matches!(op.code, Code::Jump | Code::JumpIfNone);
                if !is_light || found.ways[place] != Way::Elsewhere {
                    continue;
                }
                let Some(&to) = places.get(&op.label).filter(|to| **to > place) else {
                    continue;
                };
                let Some(cost) = found.cost(&ops[place + 1..to], place + 1, held, features) else {
                    continue;
                };
                let way = if op.code == Code::Jump {
                    let is_next = ops[place + 1..to].iter().all(|op| op.code == Code::Label);
                    is_next.then_some(Way::Nowhere)
                } else if cost <= LIGHT {
                    Some(Way::Nowhere)
                } else {
                    (to >= tail).then_some(Way::ByChunk)
                };
                if let Some(way) = way {
                    found.ways[place] = way;
                    if way == Way::ByChunk {
                        found.by_chunk.push((place, op.label));
                    }
                    *found.targets.entry(op.label).or_default() -= 1;
                    has_changed = true;
                }
            }
            if !has_changed {
                return found;
            }
        }
    }

    pub(super) fn is_target(&self, label: Label) -> bool {
        self.targets.get(&label).is_some_and(|jumps| *jumps > 0)
    }

    /// How many jumps go to a label.
    pub(super) fn count(&self, label: Label) -> u32 {
        self.targets.get(&label).copied().unwrap_or(0)
    }

    /// Makes all jumps for whole blocks.
    fn by_block(&mut self) {
        for (place, label) in self.by_chunk.drain(..) {
            self.ways[place] = Way::Elsewhere;
            *self.targets.entry(label).or_default() += 1;
        }
    }

    /// What operations cost, in the time of an addition; nothing if they don't follow each other.
    fn cost(&self, ops: &[Op], first: usize, held: &[Held], features: Features) -> Option<u32> {
        let mut cost = 0_u32;
        for (op, place) in ops.iter().zip(first..) {
            cost += match op.code {
                Code::Label if self.is_target(op.label) => return None,
                Code::Label => 0,
                Code::Jump | Code::JumpIfNone if self.ways[place] != Way::Elsewhere => 0,
                Code::Widen | Code::Barrier => return None,
                code if code.jumps() || !is_known(op, held, features) => return None,
                Code::Load | Code::Store => {
                    let place = if op.code == Code::Load { 0 } else { 1 };
                    let class = op.operands[place].map(|reg| held[reg.0 as usize].class());
                    if class == Some(Class::Varying) { 8 } else { 2 }
                }
                code if code.is_cheap() || is_logic(code) => 1,
                _ => 4,
            };
            // Beyond this it makes no difference.
            if cost > 64 * LIGHT {
                return None;
            }
        }
        Some(cost)
    }
}

/// Whether there are instructions for it.
fn is_known(op: &Op, held: &[Held], features: Features) -> bool {
    use Code::*;
    let constant =
        |reg: Option<Reg>| reg.is_some_and(|reg| matches!(held[reg.0 as usize], Held::Constant(_)));
    match op.code {
        ExtractS | ExtractU => constant(op.operands[1]) && constant(op.operands[2]),
        CountOnes => features.counts_bits,
        Copy | Select | AddF | SubF | MulF | DivF | RemF | MinF | MaxF | PowF | MulAddF
        | MulSubF | NegMulAddF | NegF | AbsF | FloorF | CeilF | RoundF | TruncF | FractF
        | SqrtF | InverseSqrtF | ExpF | Exp2F | LogF | Log2F | SinF | CosF | TanF | SignF | EqF
        | NeF | LtF | LeF | Add | Sub | Mul | DivS | DivU | RemS | RemU | Neg | AbsS | MinS
        | MaxS | MinU | MaxU | SignS | And | Or | Xor | AndNot | Not | Shl | ShrS | ShrU | Eq
        | Ne | LtS | LeS | LtU | LeU | LeadingZeros | FtoS | FtoU | StoF | UtoF | Count | AndB
        | OrB | XorB | AndNotB | NotB | CopyB | SelectB | Load | Store => true,
        _ => false,
    }
}

/// Whether it works on bits alone.
pub(super) fn is_logic(code: Code) -> bool {
    use Code::{AndB, AndNotB, CopyB, NotB, OrB, SelectB, XorB};
    matches!(code, AndB | AndNotB | CopyB | NotB | OrB | SelectB | XorB)
}

/// A stretch by what is done for all chunks before the rest is done for any.
pub(super) struct Parts {
    /// Comparisons of what goes up evenly or is the same, and what they compare.
    pub(super) compared: Vec<usize>,
    /// Logic on these and on bits from before, done for many chunks at a time.
    pub(super) logic: Vec<usize>,
    pub(super) rest: Vec<usize>,
}

impl Parts {
    /// Guards such as `if id.x < width` cost next to nothing when they are done so.
    pub(super) fn new(ops: &[Op], held: &[Held], places: &Places, each: Vec<usize>) -> Self {
        let mut parts = Self {
            compared: Vec::new(),
            logic: Vec::new(),
            rest: Vec::new(),
        };
        let is_one = |reg: Reg| held[reg.0 as usize].class().is_one_word();
        let place_of = |reg: Reg| places.at[reg.0 as usize];
        let mut even: HashSet<Reg> = HashSet::new();
        // Registers that the rest sets, and places that it or the logic touches.
        let mut set: HashSet<Reg> = HashSet::new();
        let (mut by_rest, mut by_logic) = (HashSet::new(), HashSet::new());
        for &place in &each {
            let op = &ops[place];
            let operands = || op.operands.into_iter().flatten();
            let is_free = |reg: &Reg| is_one(*reg) || !set.contains(reg);
            let to = op.dst.map(place_of);
            let is_open = to.is_some_and(|to| !by_rest.contains(&to));
            let is_even = |reg: &Reg| is_one(*reg) || even.contains(reg);
            if op.code == Code::Count {
                even.extend(op.dst);
                parts.compared.push(place);
                parts.rest.push(place);
                continue;
            }
            let is_new = to.is_some_and(|to| !by_logic.contains(&to));
            if op.code.is_comparison() && is_open && is_new && operands().all(|reg| is_even(&reg)) {
                parts.compared.push(place);
                by_logic.extend(to);
                continue;
            }
            if is_logic(op.code) && is_open && operands().all(|reg| is_free(&reg)) {
                parts.logic.push(place);
                by_logic.extend(operands().chain(op.dst).map(place_of));
                continue;
            }
            by_rest.extend(operands().chain(op.dst).map(place_of));
            set.extend(op.dst);
            parts.rest.push(place);
        }
        if parts.logic.len() < WORTH {
            parts = Self {
                compared: Vec::new(),
                logic: Vec::new(),
                rest: each,
            };
        }
        parts
    }
}

/// The least logic that is worth going over the chunks twice.
const WORTH: usize = 4;
