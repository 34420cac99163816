//! What follows from finding that lanes differ.
//!
//! A walk notes what would come of it if a word differed between lanes, or lanes left a loop at different times, without
//! knowing whether it is so. What one walk finds out is followed through these notes, so that the next walk begins with all
//! that comes of it and is, but for rare cases, the last.
//!
//! Invariant: a note that is missing costs a walk, and one too many costs speed; neither makes a program wrong.

use super::super::build::Builder;
use super::super::op::{Class, Held, Op, Reg};
use super::{Cells, Marks, Variable};

/// Something that may prove to be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// The register differs between lanes.
    Register(Reg),
    /// The variable does.
    Variable(usize),
    /// Lanes leave the loop before others.
    Masked(usize),
    /// Lanes break out of it before others.
    Breaks(usize),
    /// Lanes go on to its next round before others.
    Continues(usize),
    /// Lanes return from the function before others.
    Frame(usize),
    /// Lanes are away, for any of several reasons.
    Away(usize),
}

/// The notes of a walk.
#[derive(Debug, Default)]
pub(super) struct Implied {
    edges: Vec<(Node, Node)>,
    aways: usize,
}

impl Implied {
    /// If the one, then the other.
    pub(super) fn note(&mut self, from: Node, to: Node) {
        self.edges.push((from, to));
    }

    /// What is so if either is.
    pub(super) fn either(&mut self, one: Option<Node>, other: Node) -> Node {
        let both = Node::Away(self.aways);
        self.aways += 1;
        if let Some(one) = one {
            self.note(one, both);
        }
        self.note(other, both);
        both
    }

    /// Marks all that follows from what is marked.
    pub(super) fn follow(self, builder: &Builder, variables: &[Variable], marks: &mut Marks) {
        let registers = builder.held.len();
        let loops = marks.loops.len();
        let first_loop = registers + marks.variables.len();
        let first_frame = first_loop + 3 * loops;
        let first_away = first_frame + marks.frames.len();
        let count = first_away + self.aways;
        let place = |node: Node| match node {
            Node::Register(reg) => reg.0 as usize,
            Node::Variable(id) => registers + id,
            Node::Masked(id) => first_loop + id,
            Node::Breaks(id) => first_loop + loops + id,
            Node::Continues(id) => first_loop + 2 * loops + id,
            Node::Frame(id) => first_frame + id,
            Node::Away(id) => first_away + id,
        };
        let mut edges: Vec<(usize, usize)> = self
            .edges
            .iter()
            .map(|(from, to)| (place(*from), place(*to)))
            .collect();
        let is_uniform = |reg: Reg| builder.held[reg.0 as usize] == Held::Class(Class::Uniform);
        let ops = [&builder.once, &builder.first, &builder.ops];
        for op in ops.into_iter().flatten() {
            let Op {
                dst: Some(dst),
                operands,
                ..
            } = op
            else {
                continue;
            };
            if is_uniform(*dst) {
                let operands = operands.iter().flatten();
                edges.extend(operands.map(|from| (from.0 as usize, dst.0 as usize)));
            }
        }
        for variable in variables {
            if let Cells::Registers(cells) = &variable.cells {
                for cell in cells {
                    edges.push((cell.0 as usize, registers + variable.id));
                    edges.push((registers + variable.id, cell.0 as usize));
                }
            }
        }
        edges.sort_unstable();
        let mut found = vec![false; count];
        let mut open: Vec<usize> = Vec::new();
        let mut mark = |place: usize, open: &mut Vec<usize>| {
            if !std::mem::replace(&mut found[place], true) {
                open.push(place);
            }
        };
        for (id, variable) in marks.variables.iter().enumerate() {
            if variable.differs || variable.is_indexed {
                mark(place(Node::Variable(id)), &mut open);
            }
        }
        for (id, one) in marks.loops.iter().enumerate() {
            let flags = [
                (one.is_masked, Node::Masked(id)),
                (one.breaks_diverge, Node::Breaks(id)),
                (one.continues_diverge, Node::Continues(id)),
            ];
            for (_, node) in flags.into_iter().filter(|(is_so, _)| *is_so) {
                mark(place(node), &mut open);
            }
        }
        for (id, _) in marks.frames.iter().enumerate().filter(|(_, is_so)| **is_so) {
            mark(place(Node::Frame(id)), &mut open);
        }
        while let Some(from) = open.pop() {
            let first = edges.partition_point(|(other, _)| *other < from);
            for (_, to) in edges[first..]
                .iter()
                .take_while(|(other, _)| *other == from)
            {
                mark(*to, &mut open);
            }
        }
        let is_found = |node: Node| found[place(node)];
        for (id, variable) in marks.variables.iter_mut().enumerate() {
            variable.differs |= is_found(Node::Variable(id));
        }
        for (id, one) in marks.loops.iter_mut().enumerate() {
            one.breaks_diverge |= is_found(Node::Breaks(id));
            one.continues_diverge |= is_found(Node::Continues(id));
            one.is_masked |= is_found(Node::Masked(id));
        }
        for (id, frame) in marks.frames.iter_mut().enumerate() {
            *frame |= is_found(Node::Frame(id));
        }
    }
}
