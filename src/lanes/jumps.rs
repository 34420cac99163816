//! Takes out jumps that only lead to others, and what no jump reaches.
//!
//! Lowering makes a jump for each branch of the source without regard to what comes next. What lies between the labels that
//! remain can be tidied and compiled as one.
//!
//! Invariant: lanes do the same operations in the same order.

use super::op::{Code, Label, Op};
use std::collections::{HashMap, HashSet};

/// Straightens the jumps of a program.
pub(super) fn straighten(ops: &mut Vec<Op>) {
    lead_on(ops);
    drop_unreached(ops);
    drop_to_next(ops);
    drop_labels(ops);
    drop_widening(ops);
}

/// Jumps to where the jump goes that they lead to, unless that leads back: the jump at a loop's end stays the only one to its
/// head, as registers are needed from the one to the other.
fn lead_on(ops: &mut [Op]) {
    // From the back: where a label leads to that leads on is known by then, unless it leads back.
    let mut leads: HashMap<Label, Label> = HashMap::new();
    let mut below: HashSet<Label> = HashSet::new();
    let mut next: Option<Label> = None;
    for op in ops.iter().rev() {
        match op.code {
            Code::Jump => {
                let to = leads.get(&op.label).copied().unwrap_or(op.label);
                next = Some(to).filter(|to| below.contains(to));
            }
            Code::Label => {
                below.insert(op.label);
                if let Some(to) = next {
                    leads.insert(op.label, to);
                }
            }
            _ => next = None,
        }
    }
    for op in ops.iter_mut().filter(|op| op.code.jumps()) {
        if let Some(to) = leads.get(&op.label) {
            op.label = *to;
        }
    }
}

/// Takes out what comes after a jump and isn't gone to.
fn drop_unreached(ops: &mut Vec<Op>) {
    loop {
        let targets = targets(ops);
        let before = ops.len();
        let mut is_reached = true;
        ops.retain(|op| {
            if op.code == Code::Label && targets.contains_key(&op.label) {
                is_reached = true;
            }
            let is_kept = is_reached || op.code == Code::Label;
            if op.code == Code::Jump {
                is_reached = false;
            }
            is_kept
        });
        if ops.len() == before {
            return;
        }
    }
}

/// Takes out jumps to what comes next anyway.
fn drop_to_next(ops: &mut Vec<Op>) {
    let mut here: Vec<Label> = Vec::new();
    let mut kept = Vec::with_capacity(ops.len());
    for op in ops.drain(..).rev() {
        match op.code {
            Code::Label => here.push(op.label),
            Code::Jump | Code::JumpUnless | Code::JumpIfNone if here.contains(&op.label) => {
                continue;
            }
            _ => here.clear(),
        }
        kept.push(op);
    }
    kept.reverse();
    *ops = kept;
}

/// Takes out labels that nothing goes to.
fn drop_labels(ops: &mut Vec<Op>) {
    let targets = targets(ops);
    ops.retain(|op| op.code != Code::Label || targets.contains_key(&op.label));
}

/// Takes out what widens the lanes where nothing has narrowed them.
fn drop_widening(ops: &mut Vec<Op>) {
    let mut deepest = 0;
    // A return leaves several loops at once, so that it isn't enough to look at the last one.
    ops.retain(|op| {
        if op.code == Code::Narrow {
            deepest = deepest.max(op.offset);
        }
        op.code != Code::Widen || deepest > op.offset
    });
}

fn targets(ops: &[Op]) -> HashMap<Label, u32> {
    let mut targets = HashMap::new();
    for op in ops.iter().filter(|op| op.code.jumps()) {
        *targets.entry(op.label).or_default() += 1;
    }
    targets
}
