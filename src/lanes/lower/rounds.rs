//! Loops of a few known rounds, lowered one round after the other.
//!
//! The counter is then known in each round: what it indexes needs no address, small arrays stay registers, and sums stay in
//! the processor's registers from round to round. Which lanes are in a loop is the affair of `branches`; no lane leaves one of
//! these before the others.
//!
//! Invariant: a counter is the same in all lanes, and nothing but the loop's own step changes it.

use super::super::Unsupported;
use super::super::op::Reg;
use super::{Cells, Lowering, Mask};
use naga::{
    BinaryOperator, Block, Expression, Function, Handle, Literal, LocalVariable, ScalarKind,
    Statement, TypeInner,
};

/// The most rounds that are written out.
const MOST_ROUNDS: usize = 64;
/// The most expressions and statements of all rounds of a loop: what they become should fit one stretch of machine code.
const MOST_OF_LOOP: usize = 512;
/// The same for a kernel, so that its program stays of the size of its source.
const MOST_OF_KERNEL: usize = 1 << 14;
/// Rounds that a loop inside another is taken to have, as they aren't known yet.
const PRESUMED: usize = 8;

/// A loop whose rounds are known.
pub(super) struct Known {
    cell: Reg,
    /// The counter in each round.
    counts: Vec<u32>,
    /// Where in the body it is asked whether there is another round.
    guard: usize,
}

/// What the source says of a loop's counter.
struct Counter {
    local: Handle<LocalVariable>,
    guard: usize,
    /// The comparison that holds while there are rounds, with the counter on its left.
    operator: BinaryOperator,
    bound: Handle<Expression>,
    step: u32,
}

impl<'m> Lowering<'m> {
    /// The rounds of a loop, if they are known and few.
    pub(super) fn known_rounds(
        &mut self,
        body: &'m Block,
        continuing: &'m Block,
        break_if: Option<Handle<Expression>>,
    ) -> Option<Known> {
        if break_if.is_some() {
            return None;
        }
        let function = self.frame().function;
        let counter = counter(function, body, continuing)?;
        let ty = function.local_variables[counter.local].ty;
        let is_signed = match self.module.types[ty].inner {
            TypeInner::Scalar(scalar) if scalar.width == 4 => match scalar.kind {
                ScalarKind::Sint => true,
                ScalarKind::Uint => false,
                _ => return None,
            },
            _ => return None,
        };
        let bound = self.known_word(counter.bound)?;
        let index = *self.frame().locals.get(&counter.local)?;
        let Cells::Registers(cells) = &self.variables[index].cells else {
            return None;
        };
        let &[cell] = &cells[..] else { return None };
        let mut count = self.builder.known_in(cell)?;
        let mut counts = Vec::new();
        while holds(counter.operator, is_signed, count, bound) {
            if counts.len() == MOST_ROUNDS {
                return None;
            }
            counts.push(count);
            count = count.wrapping_add(counter.step);
        }
        let room = MOST_OF_LOOP.min(MOST_OF_KERNEL.saturating_sub(self.written_out));
        let mut weight = Weight {
            module: self.module,
            left: room / counts.len().max(1),
        };
        weight.block(body)?;
        self.written_out += room / counts.len().max(1) - weight.left;
        Some(Known {
            cell,
            counts,
            guard: counter.guard,
        })
    }

    /// Lowers a loop round by round.
    pub(super) fn rounds(
        &mut self,
        known: &Known,
        body: &'m Block,
        continuing: &'m Block,
    ) -> Result<(), Unsupported> {
        self.deeper()?;
        self.frame().depth += 1;
        for &count in &known.counts {
            let count = self.builder.constant(count);
            self.builder.fix(known.cell, count);
            for (i, (statement, place)) in body.span_iter().enumerate() {
                if i != known.guard && self.mask != Mask::Dead {
                    self.statement_at(statement, *place)?;
                }
            }
            self.builder.release(known.cell);
            self.block(continuing)?;
        }
        self.frame().depth -= 1;
        self.depth -= 1;
        Ok(())
    }

    /// The word of an expression, if it is known and was computed already or needs no computing.
    fn known_word(&mut self, handle: Handle<Expression>) -> Option<u32> {
        let function = self.frame().function;
        let needs_nothing = matches!(
            function.expressions[handle],
            Expression::Literal(_) | Expression::Constant(_)
        );
        if !needs_nothing && !self.frame().values.contains_key(&handle) {
            return None;
        }
        let word = self.word(handle).ok()?;
        self.builder.known(word)
    }
}

/// What the source says of the counter of a loop that has one, and that is left by its guard alone.
fn counter(function: &Function, body: &Block, continuing: &Block) -> Option<Counter> {
    let guard = body
        .iter()
        .position(|statement| !matches!(statement, Statement::Emit(_)))?;
    let Statement::If {
        condition,
        accept,
        reject,
    } = &body[guard]
    else {
        return None;
    };
    if !accept.is_empty() || !matches!(reject[..], [Statement::Break]) {
        return None;
    }
    let loaded = |handle: Handle<Expression>| match function.expressions[handle] {
        Expression::Load { pointer } => local(function, pointer),
        _ => None,
    };
    let Expression::Binary { op, left, right } = function.expressions[*condition] else {
        return None;
    };
    let (counter, operator, bound) = match (loaded(left), loaded(right)) {
        (Some(counter), None) => (counter, op, right),
        (None, Some(counter)) => (counter, turned(op)?, left),
        _ => return None,
    };
    let mut step = None;
    for statement in continuing.iter() {
        match *statement {
            Statement::Emit(_) => {}
            Statement::Store { pointer, value } if step.is_none() => {
                let Expression::Binary { op, left, right } = function.expressions[value] else {
                    return None;
                };
                let by = literal(function, right)?;
                if local(function, pointer) != Some(counter) || loaded(left) != Some(counter) {
                    return None;
                }
                step = Some(match op {
                    BinaryOperator::Add => by,
                    BinaryOperator::Subtract => by.wrapping_neg(),
                    _ => return None,
                });
            }
            _ => return None,
        }
    }
    let rest = &body[guard + 1..];
    let is_left_early = rest
        .iter()
        .any(|statement| leaves(statement, Around::TheLoop));
    let is_changed = rest
        .iter()
        .any(|statement| changes(function, counter, statement));
    (!is_left_early && !is_changed).then_some(Counter {
        local: counter,
        guard,
        operator,
        bound,
        step: step?,
    })
}

fn local(function: &Function, pointer: Handle<Expression>) -> Option<Handle<LocalVariable>> {
    match function.expressions[pointer] {
        Expression::LocalVariable(local) => Some(local),
        _ => None,
    }
}

fn literal(function: &Function, handle: Handle<Expression>) -> Option<u32> {
    match function.expressions[handle] {
        Expression::Literal(Literal::U32(value)) => Some(value),
        Expression::Literal(Literal::I32(value)) => Some(value as u32),
        _ => None,
    }
}

/// The comparison with its sides exchanged.
fn turned(operator: BinaryOperator) -> Option<BinaryOperator> {
    Some(match operator {
        BinaryOperator::Less => BinaryOperator::Greater,
        BinaryOperator::LessEqual => BinaryOperator::GreaterEqual,
        BinaryOperator::Greater => BinaryOperator::Less,
        BinaryOperator::GreaterEqual => BinaryOperator::LessEqual,
        BinaryOperator::Equal | BinaryOperator::NotEqual => operator,
        _ => return None,
    })
}

fn holds(operator: BinaryOperator, is_signed: bool, left: u32, right: u32) -> bool {
    let order = if is_signed {
        (left as i32).cmp(&(right as i32))
    } else {
        left.cmp(&right)
    };
    match operator {
        BinaryOperator::Less => order.is_lt(),
        BinaryOperator::LessEqual => order.is_le(),
        BinaryOperator::Greater => order.is_gt(),
        BinaryOperator::GreaterEqual => order.is_ge(),
        BinaryOperator::Equal => order.is_eq(),
        BinaryOperator::NotEqual => order.is_ne(),
        _ => false,
    }
}

/// What `break` and `continue` would leave.
#[derive(Clone, Copy)]
enum Around {
    TheLoop,
    Switch,
    Another,
}

/// Whether a statement may leave the loop, or its round, before the end.
fn leaves(statement: &Statement, around: Around) -> bool {
    let any = |block: &Block, around| block.iter().any(|one| leaves(one, around));
    match statement {
        Statement::Break => matches!(around, Around::TheLoop),
        Statement::Continue => !matches!(around, Around::Another),
        Statement::Return { .. } | Statement::Kill => true,
        Statement::Block(block) => any(block, around),
        Statement::If { accept, reject, .. } => any(accept, around) || any(reject, around),
        Statement::Switch { cases, .. } => {
            let around = match around {
                Around::TheLoop => Around::Switch,
                other => other,
            };
            cases.iter().any(|case| any(&case.body, around))
        }
        Statement::Loop {
            body, continuing, ..
        } => any(body, Around::Another) || any(continuing, Around::Another),
        _ => false,
    }
}

/// Whether a statement may change a variable.
fn changes(function: &Function, variable: Handle<LocalVariable>, statement: &Statement) -> bool {
    let any = |block: &Block| block.iter().any(|one| changes(function, variable, one));
    let is_it = |pointer: &Handle<Expression>| local(function, *pointer) == Some(variable);
    match statement {
        Statement::Store { pointer, .. } => is_it(pointer),
        Statement::Call { arguments, .. } => arguments.iter().any(is_it),
        Statement::Block(block) => any(block),
        Statement::If { accept, reject, .. } => any(accept) || any(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| any(&case.body)),
        Statement::Loop {
            body, continuing, ..
        } => any(body) || any(continuing),
        _ => false,
    }
}

/// How much is lowered for a block, as far as it is less than there is room for.
struct Weight<'m> {
    module: &'m naga::Module,
    left: usize,
}

impl Weight<'_> {
    fn take(&mut self, count: usize) -> Option<()> {
        self.left = self.left.checked_sub(count)?;
        Some(())
    }

    fn block(&mut self, block: &Block) -> Option<()> {
        for statement in block.iter() {
            self.take(1)?;
            match statement {
                Statement::Emit(range) => self.take(range.clone().count())?,
                Statement::Block(block) => self.block(block)?,
                Statement::If { accept, reject, .. } => {
                    self.block(accept)?;
                    self.block(reject)?;
                }
                Statement::Switch { cases, .. } => {
                    for case in cases {
                        self.block(&case.body)?;
                    }
                }
                Statement::Loop {
                    body, continuing, ..
                } => {
                    let before = self.left;
                    self.block(body)?;
                    self.block(continuing)?;
                    self.take((before - self.left) * (PRESUMED - 1))?;
                }
                Statement::Call {
                    function: called, ..
                } => {
                    let called = &self.module.functions[*called];
                    self.take(called.local_variables.len())?;
                    self.block(&called.body)?;
                }
                _ => {}
            }
        }
        Some(())
    }
}
