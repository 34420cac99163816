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

/// The bytes that a register of the class takes.
pub(super) fn bytes(class: Class, lanes: usize) -> usize {
    match class {
        Class::Uniform | Class::Run(_) => UNIFORM_BYTES,
        Class::Varying => lanes * 4,
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
        };
        (kind, bytes(class, lanes))
    };
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
        at[reg] = match free.get_mut(&kind(reg)).and_then(Vec::pop) {
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
    for (place, op) in ops.iter().enumerate() {
        for reg in op.operands.into_iter().flatten() {
            note(reg, place, false);
        }
        if let Some(reg) = op.dst {
            note(reg, place, true);
        }
    }
    let loops = loops(ops);
    for life in lives.iter_mut().flatten() {
        // Outer loops come after the ones inside them.
        for &(head, back) in &loops {
            let overlaps = life.start <= back && life.end >= head;
            let is_inside = life.start >= head && life.end <= back;
            if overlaps && (!is_inside || life.writes > 1) {
                life.start = life.start.min(head);
                life.end = life.end.max(back);
            }
        }
    }
    lives
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
