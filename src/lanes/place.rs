//! Gives registers their places.
//!
//! A place is used again when what was in it is needed no longer, so that all of a block's registers stay near the
//! processor; what is set before the first block keeps its place.
//!
//! Invariant: two registers that are needed at the same time never share a place.

use super::op::{Class, Code, Held, Op, Reg};
use std::collections::HashMap;

/// Bytes that hold what is one word for all lanes: the word, sixteen times.
pub(super) const UNIFORM_BYTES: usize = 64;

/// Where each register begins, in bytes, and how many there are in all.
pub(super) struct Places {
    pub(super) at: Vec<usize>,
    pub(super) bytes: usize,
    /// How long each register is needed; nothing for those that keep their place.
    pub(super) lives: Vec<Option<Life>>,
}

/// So many registers of bits have a place each.
const FEW_BITS: usize = 128;

/// The bytes that a register of the class takes.
pub(super) fn bytes(class: Class, lanes: usize) -> usize {
    match class {
        Class::Uniform | Class::Run(_) => UNIFORM_BYTES,
        Class::Varying => lanes * 4,
        Class::Pair => lanes * 8,
        Class::Bits => lanes.div_ceil(8).next_multiple_of(64),
    }
}

/// The first and last operation that a register is needed for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) start: usize,
    pub(super) end: usize,
    writes: u32,
}

/// Places for blocks of so many lanes. `once` runs before the first block, `ops` for each.
pub(super) fn places(once: &[Op], ops: &[Op], held: &[Held], lanes: usize) -> Places {
    let mut at = vec![usize::MAX; held.len()];
    let mut bytes_used = 0;
    let mut settle = |at: &mut Vec<usize>, reg: usize| {
        if at[reg] == usize::MAX {
            at[reg] = bytes_used;
            bytes_used += bytes(held[reg].class(), lanes);
        }
    };
    let named = |op: &Op| op.operands.into_iter().flatten().chain(op.dst);
    // Constants and inputs that something needs, and what is computed once.
    for op in once {
        named(op).for_each(|reg| settle(&mut at, reg.0 as usize));
    }
    for op in ops {
        named(op)
            .filter(|reg| !matches!(held[reg.0 as usize], Held::Class(_)))
            .for_each(|reg| settle(&mut at, reg.0 as usize));
    }
    let lives = lives(ops, held.len(), &at);
    let mut starts: Vec<usize> = (0..held.len())
        .filter(|reg| lives[*reg].is_some())
        .collect();
    starts.sort_by_key(|reg| lives[*reg].map_or(0, |life| life.start));
    // Places of one kind of register are used again by that kind alone: chunks that are computed one after the other then
    // never meet each other's.
    let mut free: HashMap<(u8, usize), Vec<usize>> = HashMap::new();
    let kind = |reg: usize| {
        let class = held[reg].class();
        let kind = match class {
            Class::Uniform | Class::Run(_) => 0,
            Class::Varying => 1,
            Class::Bits => 2,
            Class::Pair => 3,
        };
        (kind, bytes(class, lanes))
    };
    let bits = starts
        .iter()
        .filter(|reg| held[**reg].class() == Class::Bits);
    let has_few_bits = bits.count() <= FEW_BITS;
    let mut by_end = std::collections::BinaryHeap::new();
    for reg in starts {
        let Some(life) = lives[reg] else { continue };
        // What an operation reads keeps its place while it writes.
        while let Some(&std::cmp::Reverse((end, other))) = by_end.peek() {
            let other: usize = other;
            if end >= life.start {
                break;
            }
            by_end.pop();
            free.entry(kind(other)).or_default().push(at[other]);
        }
        let size = bytes(held[reg].class(), lanes);
        // Bits are small: while there are few, what is done with them can be done in another order.
        let is_shared = !has_few_bits || held[reg].class() != Class::Bits;
        let place = free
            .get_mut(&kind(reg))
            .filter(|_| is_shared)
            .and_then(Vec::pop);
        at[reg] = match place {
            Some(place) => place,
            None => {
                bytes_used += size;
                bytes_used - size
            }
        };
        by_end.push(std::cmp::Reverse((life.end, reg)));
    }
    Places {
        at,
        bytes: bytes_used,
        lives,
    }
}

/// How long each register without a settled place is needed.
fn lives(ops: &[Op], registers: usize, at: &[usize]) -> Vec<Option<Life>> {
    let mut lives: Vec<Option<Life>> = vec![None; registers];
    let mut note = |reg: Reg, place: usize, is_write: bool| {
        if at[reg.0 as usize] != usize::MAX {
            return;
        }
        let life = lives[reg.0 as usize].get_or_insert(Life {
            start: place,
            end: place,
            writes: 0,
        });
        life.end = place;
        life.writes += u32::from(is_write);
    };
    let mut narrowed: Vec<(u32, Reg)> = Vec::new();
    for (place, op) in ops.iter().enumerate() {
        for reg in op.operands.into_iter().flatten() {
            note(reg, place, false);
        }
        if let Some(reg) = op.dst {
            note(reg, place, true);
        }
        // What narrows the lanes says which are computed until they are widened again.
        match (op.code, op.operands[0]) {
            (Code::Narrow, Some(mask)) => narrowed.push((op.offset, mask)),
            (Code::Widen, _) => {
                while let Some((_, mask)) = narrowed.pop_if(|(depth, _)| *depth > op.offset) {
                    note(mask, place, false);
                }
            }
            _ => {}
        }
    }
    let loops = Loops::new(ops);
    for life in lives.iter_mut().flatten() {
        if life.writes > 1 {
            // It may hold something from one round to the next, of any loop around.
            life.start = loops.outermost(life.start, |_| true).0.min(life.start);
            life.end = loops.outermost(life.end, |_| true).1.max(life.end);
        } else {
            let (start, end) = (life.start, life.end);
            let lacks_end = |(_, back): (usize, usize)| back < end;
            let lacks_start = |(head, _): (usize, usize)| head > start;
            life.start = loops.outermost(start, lacks_end).0.min(start);
            life.end = loops.outermost(end, lacks_start).1.max(end);
        }
    }
    lives
}

/// The loops of a program, each of which lies in others or beside them.
struct Loops {
    /// From where to where each goes; those inside others first.
    spans: Vec<(usize, usize)>,
    /// The next loop around each.
    around: Vec<Option<usize>>,
    /// The innermost loop that each operation is in.
    innermost: Vec<Option<usize>>,
}

impl Loops {
    fn new(ops: &[Op]) -> Self {
        let spans = loops(ops);
        let mut around = vec![None; spans.len()];
        let mut innermost = vec![None; ops.len()];
        let mut heads: Vec<usize> = (0..spans.len()).collect();
        // Of loops that begin at the same place, the one that ends last is around the others.
        heads.sort_by_key(|one| (spans[*one].0, std::cmp::Reverse(spans[*one].1)));
        let mut heads = heads.into_iter().peekable();
        let mut open: Vec<usize> = Vec::new();
        for (place, inside) in innermost.iter_mut().enumerate() {
            while open.last().is_some_and(|one| spans[*one].1 < place) {
                open.pop();
            }
            while let Some(one) = heads.next_if(|one| spans[*one].0 == place) {
                around[one] = open.last().copied();
                open.push(one);
            }
            *inside = open.last().copied();
        }
        Self {
            spans,
            around,
            innermost,
        }
    }

    /// The outermost of the loops around an operation that are so, from the innermost on, or else the operation alone.
    fn outermost(&self, place: usize, is_so: impl Fn((usize, usize)) -> bool) -> (usize, usize) {
        let mut found = (place, place);
        let mut next = self.innermost[place];
        while let Some(one) = next.filter(|one| is_so(self.spans[*one])) {
            found = self.spans[one];
            next = self.around[one];
        }
        found
    }
}

/// From where to where each loop goes; those inside others first.
pub(super) fn loops(ops: &[Op]) -> Vec<(usize, usize)> {
    let mut heads = HashMap::new();
    let mut found = Vec::new();
    for (place, op) in ops.iter().enumerate() {
        match op.code {
            Code::Label => {
                heads.insert(op.label, place);
            }
            Code::Jump => {
                if let Some(head) = heads.get(&op.label) {
                    found.push((*head, place));
                }
            }
            _ => {}
        }
    }
    found
}
