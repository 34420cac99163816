//! Takes out of a program what it does for nothing.
//!
//! Copies that are read before what they were copied from changes, results that are moved at once, products that are only
//! added, what is overwritten, and what nobody reads. Works on stretches without labels, which are walked from front to back.
//!
//! Invariant: what is stored, and in which order, stays as it was.

use super::op::{Code, Held, Op, Reg};
use std::collections::{BTreeSet, HashSet};

/// Tidies what is done before the first block, and for each block.
pub(super) fn tidy(once: &mut Vec<Op>, ops: &mut Vec<Op>, held: &[Held]) {
    Stretches::new(ops, held).forward_copies();
    Stretches::new(ops, held).retarget();
    Stretches::new(ops, held).fuse();
    Stretches::new(ops, held).drop_overwritten();
    drop_unread(once, ops, held.len());
}

/// A program with what is known of its registers.
struct Stretches<'a> {
    ops: &'a mut Vec<Op>,
    held: &'a [Held],
    /// The number of the stretch that each operation is in.
    stretch: Vec<u32>,
    /// How many jumps there are before each operation.
    jumps: Vec<u32>,
    /// Where each register is read, and where it is written, in order.
    reads: BTreeSet<(Reg, usize)>,
    writes: Vec<Vec<usize>>,
    dead: Vec<bool>,
    /// What says which lanes are in a loop.
    loop_masks: HashSet<Reg>,
}

impl<'a> Stretches<'a> {
    fn new(ops: &'a mut Vec<Op>, held: &'a [Held]) -> Self {
        let (mut reads, mut writes) = (Vec::new(), vec![Vec::new(); held.len()]);
        let (mut stretch, mut jumps) = (Vec::new(), Vec::new());
        let (mut labels, mut jumped) = (0, 0);
        for (place, op) in ops.iter().enumerate() {
            labels += u32::from(op.code == Code::Label);
            stretch.push(labels);
            jumps.push(jumped);
            jumped += u32::from(op.code.jumps() || op.code == Code::Widen);
            for reg in op.operands.iter().flatten() {
                reads.push((*reg, place));
            }
            if let Some(reg) = op.dst {
                writes[reg.0 as usize].push(place);
            }
        }
        let loop_masks = ops
            .iter()
            .filter(|op| op.code == Code::Narrow)
            .filter_map(|op| op.operands[0])
            .collect();
        Self {
            loop_masks,
            dead: vec![false; ops.len()],
            ops,
            held,
            stretch,
            jumps,
            reads: reads.into_iter().collect(),
            writes,
        }
    }

    fn class_is_same(&self, a: Reg, b: Reg) -> bool {
        self.held[a.0 as usize].class() == self.held[b.0 as usize].class()
    }

    /// Where the register is written next after a place.
    fn next_write(&self, reg: Reg, place: usize) -> usize {
        let writes = &self.writes[reg.0 as usize];
        let next = writes.partition_point(|write| *write <= place);
        writes.get(next).copied().unwrap_or(usize::MAX)
    }

    /// Whether the register is read or written between two places, both excluded.
    fn is_touched(&self, reg: Reg, from: usize, to: usize) -> bool {
        let mut reads = self.reads.range((reg, from + 1)..(reg, to));
        reads.next().is_some() || self.next_write(reg, from) < to
    }

    /// Where the register is read, in order.
    fn reads_of(&self, reg: Reg) -> impl Iterator<Item = usize> {
        let reads = self.reads.range((reg, 0)..=(reg, usize::MAX));
        reads.map(|(_, place)| *place)
    }

    /// Reads one register wherever the other was read.
    fn replace(&mut self, old: Reg, new: Reg) {
        let reads: Vec<usize> = self.reads_of(old).collect();
        for read in reads {
            self.reads.remove(&(old, read));
            self.reads.insert((new, read));
            for operand in self.ops[read].operands.iter_mut().flatten() {
                if *operand == old {
                    *operand = new;
                }
            }
        }
    }

    fn is_copy(op: &Op) -> Option<(Reg, Reg)> {
        match (op.code, op.dst, op.operands[0]) {
            (Code::Copy | Code::CopyB, Some(dst), Some(from)) => Some((dst, from)),
            _ => None,
        }
    }

    /// Reads what was copied instead of the copy, where it is still the same.
    fn forward_copies(mut self) {
        for place in 0..self.ops.len() {
            let Some((dst, from)) = Self::is_copy(&self.ops[place]) else {
                continue;
            };
            if self.writes[dst.0 as usize].len() != 1 || !self.class_is_same(dst, from) {
                continue;
            }
            let until = self.next_write(from, place);
            let stretch = self.stretch[place];
            let is_near =
                |read: &usize| *read > place && *read <= until && self.stretch[*read] == stretch;
            if self.reads_of(dst).all(|read| is_near(&read)) {
                self.replace(dst, from);
                self.dead[place] = true;
            }
        }
        self.sweep();
    }

    /// Computes at once in the register that a result is moved to.
    fn retarget(mut self) {
        for place in 0..self.ops.len() {
            let Some((dst, from)) = Self::is_copy(&self.ops[place]) else {
                continue;
            };
            // Loops look at their lanes while these are in them.
            if self.loop_masks.contains(&dst) {
                continue;
            }
            let [made] = self.writes[from.0 as usize][..] else {
                continue;
            };
            let stretch = self.stretch[place];
            let can_move = made < place
                && self.stretch[made] == stretch
                && self.jumps[made] == self.jumps[place]
                && !self.ops[made].code.acts()
                && self.class_is_same(dst, from)
                && !self.is_touched(dst, made, place);
            if !can_move {
                continue;
            }
            let until = self.next_write(dst, place);
            let is_near = |read: &usize| *read <= until && self.stretch[*read] == stretch;
            if !self.reads_of(from).all(|read| is_near(&read)) {
                continue;
            }
            self.reads.remove(&(from, place));
            self.replace(from, dst);
            self.ops[made].dst = Some(dst);
            self.dead[place] = true;
            let writes = &mut self.writes[dst.0 as usize];
            if let Some(write) = writes.iter_mut().find(|write| **write == place) {
                *write = made;
            }
            writes.sort_unstable();
        }
        self.sweep();
    }

    /// Multiplies and adds in one operation where the product is needed nowhere else.
    fn fuse(mut self) {
        for place in 0..self.ops.len() {
            let op = self.ops[place];
            let [Some(a), Some(b), ..] = op.operands else {
                continue;
            };
            let ways = match op.code {
                Code::AddF => [(a, b, Code::MulAddF), (b, a, Code::MulAddF)],
                Code::SubF => [(a, b, Code::MulSubF), (b, a, Code::NegMulAddF)],
                _ => continue,
            };
            for (product, other, code) in ways {
                let [made] = self.writes[product.0 as usize][..] else {
                    continue;
                };
                let factors = self.ops[made].operands;
                let [Some(x), Some(y), ..] = factors else {
                    continue;
                };
                let is_alone = self.ops[made].code == Code::MulF
                    && made < place
                    && !self.dead[made]
                    && self.stretch[made] == self.stretch[place]
                    && self.reads_of(product).eq([place])
                    && a != b
                    && self.next_write(x, made) >= place
                    && self.next_write(y, made) >= place;
                if !is_alone {
                    continue;
                }
                let op = &mut self.ops[place];
                op.code = code;
                op.operands = [Some(x), Some(y), Some(other), None];
                self.dead[made] = true;
                for factor in [x, y] {
                    self.reads.remove(&(factor, made));
                    self.reads.insert((factor, place));
                }
                break;
            }
        }
        self.sweep();
    }

    /// Takes out what sets a register that is set again before anyone reads it.
    fn drop_overwritten(mut self) {
        for place in 0..self.ops.len() {
            let op = self.ops[place];
            let Some(dst) = op.dst.filter(|_| !op.code.acts()) else {
                continue;
            };
            let next = self.next_write(dst, place);
            let is_same_way = next != usize::MAX
                && self.stretch[next] == self.stretch[place]
                && self.jumps[next] == self.jumps[place];
            let mut reads = self.reads.range((dst, place + 1)..=(dst, next));
            if is_same_way && reads.next().is_none() && !self.loop_masks.contains(&dst) {
                self.dead[place] = true;
            }
        }
        self.sweep();
    }

    /// Takes out the dead.
    fn sweep(self) {
        let mut dead = self.dead.into_iter();
        self.ops.retain(|_| !dead.next().unwrap_or(false));
    }
}

/// Takes out what sets a register that nobody reads, and what was done for it alone.
fn drop_unread(once: &mut Vec<Op>, ops: &mut Vec<Op>, registers: usize) {
    let mut writes: Vec<Vec<usize>> = vec![Vec::new(); registers];
    let (mut needed, mut open) = (vec![false; once.len() + ops.len()], Vec::new());
    for (place, op) in once.iter().chain(ops.iter()).enumerate() {
        if let Some(dst) = op.dst {
            writes[dst.0 as usize].push(place);
        }
        if op.code.acts() {
            needed[place] = true;
            open.push(place);
        }
    }
    // What acts is needed, and all that sets what something needed reads.
    let mut is_read = vec![false; registers];
    let count = once.len();
    while let Some(place) = open.pop() {
        let op = if place < count {
            &once[place]
        } else {
            &ops[place - count]
        };
        for reg in op.operands.iter().flatten() {
            if std::mem::replace(&mut is_read[reg.0 as usize], true) {
                continue;
            }
            for &write in &writes[reg.0 as usize] {
                if !std::mem::replace(&mut needed[write], true) {
                    open.push(write);
                }
            }
        }
    }
    let mut needed = needed.into_iter();
    for list in [once, ops] {
        list.retain_mut(|op| {
            if op.dst.is_some_and(|dst| !is_read[dst.0 as usize]) {
                op.dst = None;
            }
            needed.next().unwrap_or(false)
        });
    }
}
