//! Branches, loops, and what leaves them.
//!
//! Where lanes go different ways, each way is walked with the lanes that go it; those that leave early are gathered where
//! they come back.
//!
//! Invariant: after a statement the mask is what was in it before, less the lanes that have left what is around it.

use super::super::Unsupported;
use super::super::op::{Class, Code, Input, Reg};
use super::implied::Node;
use super::{Exit, LoopMark, Lowering, Mask};
use naga::{AddressSpace, Block, Expression, Function, Handle, Literal, Statement, SwitchValue};

impl<'m> Lowering<'m> {
    /// The lanes that take part, as a register.
    pub(in crate::lanes) fn mask_register(&mut self) -> Reg {
        self.register_of(self.mask)
    }

    /// The mask as a register.
    pub(super) fn register_of(&mut self, mask: Mask) -> Reg {
        match mask {
            Mask::Full => self.builder.input(Input::Live),
            Mask::Some(mask) => mask,
            Mask::Dead => self.builder.constant(0),
        }
    }

    /// Adds the present lanes to a register.
    pub(super) fn add_lanes(&mut self, to: Reg) {
        let mask = self.mask_register();
        self.builder.add_lanes(to, mask);
    }

    /// The lanes of the mask that have, or haven't, the condition.
    pub(super) fn lanes(&mut self, mask: Mask, condition: Reg, has: bool) -> Reg {
        let all = self.register_of(mask);
        let code = if has { Code::And } else { Code::AndNot };
        self.builder.op(code, &[all, condition])
    }

    pub(super) fn varying_if(
        &mut self,
        condition: Reg,
        accept: &'m Block,
        reject: &'m Block,
    ) -> Result<(), Unsupported> {
        if self.short_circuit(condition, accept, reject)? {
            return Ok(());
        }
        let outer = self.mask;
        let mut ways = Vec::new();
        for (block, has) in [(accept, true), (reject, false)] {
            let lanes = self.lanes(outer, condition, has);
            if block.is_empty() {
                ways.push((Mask::Some(lanes), lanes, false));
                continue;
            }
            if self.is_light(block) {
                self.mask = Mask::Some(lanes);
                self.frame().diverged += 1;
                self.within(block)?;
                self.frame().diverged -= 1;
                ways.push((self.mask, lanes, false));
                continue;
            }
            let after = self.builder.label();
            // Where a jump arrives, the lanes are those from before.
            let kept = self.builder.cell(Class::Bits);
            self.builder.set(kept, lanes);
            self.builder.jump(Code::JumpIfNone, &[lanes], after);
            self.mask = Mask::Some(lanes);
            self.frame().diverged += 1;
            self.within(block)?;
            self.frame().diverged -= 1;
            let end = self.mask;
            let has_changed = end != Mask::Some(lanes);
            if has_changed && let Mask::Some(end) = end {
                self.builder.set(kept, end);
            }
            self.builder.place(after);
            let left = if has_changed { kept } else { lanes };
            ways.push((end, left, has_changed));
        }
        self.mask = if ways.iter().any(|(_, _, has_changed)| *has_changed) {
            let left: Vec<Reg> = ways
                .iter()
                .filter(|(end, _, _)| *end != Mask::Dead)
                .map(|(_, left, _)| *left)
                .collect();
            match left[..] {
                [] => Mask::Dead,
                [one] => Mask::Some(one),
                _ => Mask::Some(self.builder.op(Code::Or, &left)),
            }
        } else {
            outer
        };
        if let Mask::Some(mask) = self.mask
            && self.mask != outer
            && self.frame().depth == 0
        {
            let end = self.frame().end;
            self.builder.jump(Code::JumpIfNone, &[mask], end);
        }
        Ok(())
    }

    /// Lowers `a && b` and `a || b`, which come as branches that set one variable, to logic where `b` costs little and may
    /// be computed for lanes that don't ask for it.
    fn short_circuit(
        &mut self,
        condition: Reg,
        accept: &'m Block,
        reject: &'m Block,
    ) -> Result<bool, Unsupported> {
        let function = self.frame().function;
        let (Some(yes), Some(no)) = (set_alone(function, accept), set_alone(function, reject))
        else {
            return Ok(false);
        };
        let known = |value: Handle<Expression>| match function.expressions[value] {
            Expression::Literal(Literal::Bool(value)) => Some(value),
            _ => None,
        };
        // What is looked at in checked programs is what lanes ask for.
        let can_be = yes.0 == no.0 && self.checks.is_none();
        let (block, place, value, (known, has)) = match (known(yes.1), known(no.1)) {
            (Some(known), None) => (reject, no.0, no.1, (known, true)),
            (None, Some(known)) => (accept, yes.0, yes.1, (known, false)),
            _ => return Ok(false),
        };
        if !can_be || !self.is_light(block) {
            return Ok(false);
        }
        for (statement, _) in block.span_iter() {
            if let Statement::Emit(_) = statement {
                self.statement(statement)?;
            }
        }
        let value = self.word(value)?;
        // Lanes that have this know the value already.
        let decided = if has {
            condition
        } else {
            self.builder.op(Code::Not, &[condition])
        };
        let word = if known {
            self.builder.op(Code::Or, &[decided, value])
        } else {
            self.builder.op(Code::AndNot, &[value, decided])
        };
        let pointer = self.pointer(place)?;
        self.write(&pointer, &[word])?;
        Ok(true)
    }

    pub(super) fn uniform_if(
        &mut self,
        condition: Reg,
        accept: &'m Block,
        reject: &'m Block,
    ) -> Result<(), Unsupported> {
        let outer = self.mask;
        let (other, after) = (self.builder.label(), self.builder.label());
        let kept = self.builder.cell(Class::Bits);
        self.builder.jump(Code::JumpUnless, &[condition], other);
        self.push_away(Node::Register(condition));
        let mut ends = [outer; 2];
        for (i, block) in [accept, reject].into_iter().enumerate() {
            self.mask = outer;
            self.within(block)?;
            ends[i] = self.mask;
            // Lanes that left for good without a jump: none of them goes on, but what comes after is reached.
            let have_gone = self.mask == Mask::Dead && !self.builder.ends_in_jump();
            if self.mask != Mask::Dead || have_gone {
                let lanes = self.register_of(self.mask);
                self.builder.set(kept, lanes);
            }
            if have_gone {
                ends[i] = Mask::Some(kept);
            }
            if i == 0 {
                if ends[i] != Mask::Dead {
                    self.builder.jump(Code::Jump, &[], after);
                }
                self.builder.place(other);
            }
        }
        self.builder.place(after);
        self.frame().away.pop();
        self.mask = match ends {
            [a, b] if a == b => a,
            [Mask::Dead, one] | [one, Mask::Dead] => one,
            _ => Mask::Some(kept),
        };
        Ok(())
    }

    pub(super) fn next_loop(&mut self) -> (usize, LoopMark) {
        let id = self.loops;
        self.loops += 1;
        if self.marks.loops.len() <= id {
            self.marks.loops.push(LoopMark::default());
        }
        (id, self.marks.loops[id])
    }

    /// Notes that lanes are away if this proves to be so, until it is popped.
    fn push_away(&mut self, reason: Node) {
        let before = self.frame().away.last().map(|(_, all)| *all);
        let all = self.implied.either(before, reason);
        self.frame().away.push((reason, all));
    }

    /// Notes what comes of a lane leaving while others are away for a reason behind the first ones.
    fn note_leaving(&mut self, first: usize, consequences: [Node; 2]) {
        let reasons: Vec<Node> = self.frame().away[first..]
            .iter()
            .map(|(reason, _)| *reason)
            .collect();
        for reason in reasons {
            for consequence in consequences {
                self.implied.note(reason, consequence);
            }
        }
    }

    pub(super) fn mark_loop(&mut self, id: usize, mark: impl FnOnce(&mut LoopMark)) {
        let before = self.marks.loops[id];
        mark(&mut self.marks.loops[id]);
        let after = self.marks.loops[id];
        self.marks.has_changed |= before.is_masked != after.is_masked
            || before.breaks_diverge != after.breaks_diverge
            || before.continues_diverge != after.continues_diverge;
    }

    /// A register for lanes, with none in it.
    pub(super) fn no_lanes(&mut self) -> Reg {
        let none = self.builder.constant(0);
        let lanes = self.builder.cell(Class::Bits);
        self.builder.set(lanes, none);
        lanes
    }

    pub(super) fn repeat(
        &mut self,
        body: &'m Block,
        continuing: &'m Block,
        break_if: Option<Handle<Expression>>,
    ) -> Result<(), Unsupported> {
        let (id, mark) = self.next_loop();
        let outer = self.mask;
        let (head, next, exit) = (
            self.builder.label(),
            self.builder.label(),
            self.builder.label(),
        );
        // The lanes that are in the loop, and those that have left it.
        let inside = self.builder.cell(Class::Bits);
        let left = self.no_lanes();
        let lanes = self.register_of(outer);
        self.builder.set(inside, lanes);
        self.builder.place(head);
        self.builder.loops += 1;
        let arrived = self.no_lanes();
        if mark.is_masked {
            self.windows += 1;
            self.builder.narrow(inside, self.windows, exit);
            self.mask = Mask::Some(inside);
        }
        let (breaks, continues) = (
            u32::from(mark.breaks_diverge),
            u32::from(mark.continues_diverge),
        );
        self.frame().diverged += breaks + continues;
        self.push_away(Node::Breaks(id));
        self.push_away(Node::Continues(id));
        let away = self.frame().away.len();
        let exit_of = Exit {
            id,
            diverged: self.frame().diverged - continues,
            continues,
            away: [away - 1, away],
            label: exit,
            is_masked: mark.is_masked,
            left,
            next: Some((next, arrived)),
        };
        self.frame().exits.push(exit_of);
        self.within(body)?;
        self.frame().diverged -= continues;
        self.frame().away.pop();
        let goes_on = continues_in(body);
        if mark.is_masked && goes_on && self.mask != Mask::Dead {
            self.add_lanes(arrived);
        }
        self.builder.place(next);
        if goes_on {
            self.mask = if mark.is_masked {
                Mask::Some(arrived)
            } else {
                outer
            };
        }
        if self.mask != Mask::Dead {
            self.within(continuing)?;
            if let Some(condition) = break_if {
                let condition = self.word(condition)?;
                if self.builder.differs(condition) {
                    self.mark_loop(id, |mark| {
                        mark.is_masked = true;
                        mark.breaks_diverge = true;
                    });
                    let all = self.mask;
                    let leaving = self.lanes(all, condition, true);
                    let staying = self.lanes(all, condition, false);
                    self.mask = Mask::Some(leaving);
                    self.add_lanes(left);
                    self.mask = Mask::Some(staying);
                } else {
                    for to in [Node::Masked(id), Node::Breaks(id)] {
                        self.implied.note(Node::Register(condition), to);
                    }
                    let stay = self.builder.label();
                    self.builder.jump(Code::JumpUnless, &[condition], stay);
                    if mark.is_masked {
                        self.add_lanes(left);
                    }
                    self.builder.jump(Code::Jump, &[], exit);
                    self.builder.place(stay);
                }
            }
            if mark.is_masked {
                let lanes = self.register_of(self.mask);
                self.builder.set(inside, lanes);
            }
            self.builder.jump(Code::Jump, &[], head);
        }
        self.builder.place(exit);
        self.builder.loops -= 1;
        if mark.is_masked {
            self.windows -= 1;
            self.builder.widen(self.windows);
        }
        self.frame().exits.pop();
        self.frame().away.pop();
        self.frame().diverged -= breaks;
        self.mask = if mark.is_masked {
            Mask::Some(left)
        } else {
            outer
        };
        Ok(())
    }

    pub(super) fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &'m [naga::SwitchCase],
    ) -> Result<(), Unsupported> {
        let selector = self.word(selector)?;
        let differs = self.builder.differs(selector);
        let (id, mark) = self.next_loop();
        let is_masked = differs || mark.is_masked;
        let outer = self.mask;
        let exit = self.builder.label();
        let left = self.no_lanes();
        // Where lanes take different cases, one that leaves doesn't end it for the others.
        let breaks = u32::from(mark.breaks_diverge && !differs);
        self.frame().diverged += u32::from(differs) + breaks;
        self.push_away(Node::Breaks(id));
        let away = self.frame().away.len();
        self.push_away(Node::Register(selector));
        let exit_of = Exit {
            id,
            diverged: self.frame().diverged - u32::from(differs),
            continues: 0,
            away: [away; 2],
            label: exit,
            is_masked,
            left,
            next: None,
        };
        self.frame().exits.push(exit_of);
        let mut rest = outer;
        let (mut values, mut has_default) = (Vec::new(), false);
        let mut default = None;
        for case in cases {
            match case.value {
                SwitchValue::I32(value) => values.push(value as u32),
                SwitchValue::U32(value) => values.push(value),
                SwitchValue::Default => has_default = true,
            }
            if case.fall_through {
                if case.body.is_empty() {
                    continue;
                }
                return Err(Unsupported::new("a case that falls through".to_owned()));
            }
            let values = std::mem::take(&mut values);
            if std::mem::take(&mut has_default) {
                default = Some(&case.body);
                continue;
            }
            let mut matches: Option<Reg> = None;
            for value in values {
                let value = self.builder.constant(value);
                let one = self.builder.op(Code::Eq, &[selector, value]);
                matches = Some(match matches {
                    Some(others) => self.builder.op(Code::Or, &[others, one]),
                    None => one,
                });
            }
            let Some(matches) = matches else { continue };
            let after = self.builder.label();
            if differs {
                let lanes = self.lanes(rest, matches, true);
                let others = self.lanes(rest, matches, false);
                rest = Mask::Some(others);
                self.builder.jump(Code::JumpIfNone, &[lanes], after);
                self.mask = Mask::Some(lanes);
            } else {
                self.builder.jump(Code::JumpUnless, &[matches], after);
                self.mask = outer;
            }
            self.case(id, &case.body, outer, is_masked, left)?;
            if !differs {
                self.builder.jump(Code::Jump, &[], exit);
            }
            self.builder.place(after);
        }
        if let Some(body) = default {
            self.mask = rest;
            self.case(id, body, outer, is_masked, left)?;
        }
        self.builder.place(exit);
        self.frame().exits.pop();
        self.frame().away.truncate(away - 1);
        self.frame().diverged -= u32::from(differs) + breaks;
        self.mask = if is_masked { Mask::Some(left) } else { outer };
        Ok(())
    }

    pub(super) fn case(
        &mut self,
        id: usize,
        body: &'m Block,
        outer: Mask,
        is_masked: bool,
        left: Reg,
    ) -> Result<(), Unsupported> {
        self.within(body)?;
        if self.mask == Mask::Dead {
            // Lanes that left for good without a jump are gone after the switch.
            if !is_masked && !self.builder.ends_in_jump() {
                self.mark_loop(id, |mark| mark.is_masked = true);
            }
            return Ok(());
        }
        if is_masked {
            self.add_lanes(left);
        } else if self.mask != outer {
            self.mark_loop(id, |mark| mark.is_masked = true);
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        let diverged = self.frame().diverged;
        let Some(exit) = self.frame().exits.last().copied() else {
            return;
        };
        self.note_leaving(exit.away[0], [Node::Masked(exit.id), Node::Breaks(exit.id)]);
        if exit.is_masked {
            self.add_lanes(exit.left);
        }
        if diverged > exit.diverged {
            self.mark_loop(exit.id, |mark| {
                mark.is_masked = true;
                mark.breaks_diverge = true;
            });
        } else {
            self.builder.jump(Code::Jump, &[], exit.label);
        }
        self.mask = Mask::Dead;
    }

    pub(super) fn go_on(&mut self) {
        let diverged = self.frame().diverged;
        let mut exits = self.frame().exits.clone();
        // A switch that `continue` leaves is left by these lanes for good.
        while exits.last().is_some_and(|exit| exit.next.is_none()) {
            exits.pop();
        }
        let Some((exit, (next, arrived))) = exits.last().and_then(|exit| Some((exit, exit.next?)))
        else {
            return;
        };
        self.note_leaving(
            exit.away[1],
            [Node::Masked(exit.id), Node::Continues(exit.id)],
        );
        if exit.is_masked {
            self.add_lanes(arrived);
        }
        if diverged > exit.diverged + exit.continues {
            self.mark_loop(exit.id, |mark| {
                mark.is_masked = true;
                mark.continues_diverge = true;
            });
        } else {
            self.builder.jump(Code::Jump, &[], next);
        }
        self.mask = Mask::Dead;
    }

    pub(super) fn give_back(&mut self) {
        let frame = self.frame();
        let (id, end, diverged) = (frame.id, frame.end, frame.diverged > 0);
        let (exits, away) = (frame.exits.clone(), frame.away.last().copied());
        if let Some((_, away)) = away {
            self.implied.note(away, Node::Frame(id));
            for exit in &exits {
                self.implied.note(away, Node::Masked(exit.id));
            }
        }
        if diverged {
            for exit in exits {
                self.mark_loop(exit.id, |mark| mark.is_masked = true);
            }
            if !self.marks.frames[id] {
                self.marks.frames[id] = true;
                self.marks.has_changed = true;
            }
        } else {
            self.builder.jump(Code::Jump, &[], end);
        }
        self.mask = Mask::Dead;
    }
}

/// The variable that a block sets, and to what, if that is all it does.
fn set_alone(
    function: &Function,
    block: &Block,
) -> Option<(Handle<Expression>, Handle<Expression>)> {
    let mut set = None;
    for statement in block.iter() {
        match *statement {
            Statement::Emit(_) => {}
            Statement::Store { pointer, value }
                if set.is_none()
                    && matches!(function.expressions[pointer], Expression::LocalVariable(_)) =>
            {
                set = Some((pointer, value));
            }
            _ => return None,
        }
    }
    set
}

/// Whether a loop's body has a `continue` of its own.
fn continues_in(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Continue => true,
        Statement::Block(block) => continues_in(block),
        Statement::If { accept, reject, .. } => continues_in(accept) || continues_in(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| continues_in(&case.body)),
        _ => false,
    })
}

/// The most expressions of a branch that is cheaper to compute for nothing than to jump over.
const LIGHT: usize = 12;

impl Lowering<'_> {
    /// Whether a branch only computes a little and sets variables.
    pub(super) fn is_light(&mut self, block: &Block) -> bool {
        let mut expressions = 0;
        for statement in block.iter() {
            match statement {
                Statement::Emit(range) => {
                    for handle in range.clone() {
                        let function = self.frame().function;
                        expressions += match function.expressions[handle] {
                            Expression::Math { .. } => LIGHT / 2,
                            Expression::Load { pointer } if self.is_memory(pointer) => LIGHT / 2,
                            _ => 1,
                        };
                    }
                }
                Statement::Store { pointer, .. } if !self.is_memory(*pointer) => {}
                _ => return false,
            }
        }
        expressions <= LIGHT
    }

    /// Whether it points to memory that others see.
    pub(super) fn is_memory(&mut self, pointer: Handle<Expression>) -> bool {
        let inner = self.inner(pointer);
        let space = inner.pointer_space();
        !matches!(space, Some(AddressSpace::Function | AddressSpace::Private))
    }
}
