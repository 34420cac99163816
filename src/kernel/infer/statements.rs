//! Functions and their statements, one after another.
//!
//! What follows from a condition is the affair of `branches`, what holds in every round of a loop that of `loops`.
//!
//! Invariant: a statement that isn't followed ends the run as lost.

use super::machine::{Frame, Lost, Machine, State};
use super::path::Facts;
use super::sites::Does;
use super::value::{Root, Value};
use crate::kernel::Combine;
use naga::valid::FunctionInfo;
use naga::{
    AddressSpace, AtomicFunction, Block, Expression, Function, Handle, ScalarKind, Statement, Type,
    TypeInner,
};

/// Calls deeper than this are given up: without recursion nobody writes them.
const DEEPEST: usize = 40;

impl<'a> Machine<'a> {
    /// Runs a function; the value that it returns.
    pub(super) fn call(
        &mut self,
        function: &'a Function,
        info: &'a FunctionInfo,
        arguments: Vec<Value>,
        state: &mut State,
        depth: usize,
    ) -> Value {
        if depth > DEEPEST {
            self.lose(Lost::TooComplex);
            return Value::Unknown;
        }
        let base = state.variables.len();
        let mut frame = Frame {
            function,
            info,
            values: vec![None; function.expressions.len()],
            arguments,
            base,
            depth,
            mark: state.path.assumed.len(),
            returns: Vec::new(),
        };
        self.types.truncate(base);
        for (_, variable) in function.local_variables.iter() {
            self.types.push(variable.ty);
            let value = match variable.init {
                Some(init) => self.get(&mut frame, init, state),
                None => self.zero(variable.ty),
            };
            state.variables.push(value);
        }
        let before = state.path.clone();
        let exits = std::mem::take(&mut self.exits);
        // What the function leaves in variables outside of it, wherever it returns.
        let mut inside = state.clone();
        let falls = self.block(&mut frame, &function.body, &mut inside);
        self.exits = exits;
        let outer = self.ends.iter().take_while(|(d, _)| *d < depth).count();
        let mine = self.ends.split_off(outer);
        let mut states: Vec<State> = mine.into_iter().map(|(_, state)| state).collect();
        if falls {
            states.push(inside);
        }
        let returned = std::mem::take(&mut frame.returns);
        let mark = frame.mark;
        *state = match states.len() {
            0 => {
                state.path.is_dead = true;
                state.clone()
            }
            _ => self.join(&before, mark, states, None),
        };
        // Whoever called comes back, from one place or another.
        state.path.is_exact = before.is_exact;
        state.variables.truncate(base);
        self.types.truncate(base);
        let mut values = returned.into_iter();
        match (values.len(), values.next()) {
            (1, Some((_, value))) => value,
            (_, Some((facts, value))) => {
                let all = std::iter::once((facts, value))
                    .chain(values)
                    .collect::<Vec<_>>();
                self.joined_value(&all, &state.path.clone(), None)
            }
            _ => Value::Unknown,
        }
    }

    /// Runs a block; whether its end is reached.
    pub(super) fn block(
        &mut self,
        frame: &mut Frame<'a>,
        block: &'a Block,
        state: &mut State,
    ) -> bool {
        for (statement, span) in block.span_iter() {
            if self.lost.is_some() || state.path.is_dead {
                return false;
            }
            self.burn(1);
            self.place = *span;
            if !self.statement(frame, statement, state) {
                return false;
            }
        }
        !state.path.is_dead
    }

    fn statement(
        &mut self,
        frame: &mut Frame<'a>,
        statement: &'a Statement,
        state: &mut State,
    ) -> bool {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    self.burn(1);
                    let value = self.evaluate(frame, handle, state);
                    frame.values[handle.index()] = Some(value);
                }
                true
            }
            Statement::Block(block) => self.block(frame, block, state),
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                let cond = self.condition(frame, *condition, state);
                self.branch(frame, &cond, accept, reject, state)
            }
            Statement::Switch { selector, cases } => {
                let selector = self.get(frame, *selector, state);
                self.switch(frame, &selector, cases, state)
            }
            Statement::Loop {
                body,
                continuing,
                break_if,
            } => self.repeat(frame, body, continuing, *break_if, state),
            Statement::Break => {
                if let Some(exit) = self.exits.last_mut() {
                    exit.breaks.push(state.clone());
                }
                false
            }
            Statement::Continue => {
                let exit = self.exits.iter_mut().rev().find(|exit| exit.is_loop);
                if let Some(exit) = exit {
                    exit.continues.push(state.clone());
                }
                false
            }
            Statement::Return { value } => {
                if let Some(value) = value {
                    let value = self.get(frame, *value, state);
                    let facts =
                        Facts::from_iter(state.path.assumed.iter().skip(frame.mark).cloned());
                    frame.returns.push((facts, value));
                }
                self.ends.push((frame.depth, state.clone()));
                false
            }
            Statement::Kill => false,
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => true,
            Statement::Store { pointer, value } => {
                let value = self.get(frame, *value, state);
                let at = frame.function.expressions.get_span(*pointer);
                match self.get(frame, *pointer, state) {
                    Value::Pointer(place) => self.store(&place, value, at, state),
                    _ => self.lose(Lost::Unsupported),
                }
                true
            }
            Statement::Atomic {
                pointer,
                fun,
                value: _,
                result,
            } => {
                let is_used = result.is_some_and(|result| frame.info[result].ref_count > 0);
                let does = Does::Atomic(combined(fun).filter(|_| !is_used));
                let at = frame.function.expressions.get_span(*pointer);
                match self.get(frame, *pointer, state) {
                    Value::Pointer(place) => match place.root {
                        Root::Storage(variable) => self.note(variable, &place, does, at, state),
                        Root::Own(_) | Root::Uniform(_) => self.lose(Lost::Unsupported),
                        Root::Other => {}
                    },
                    _ => self.lose(Lost::Unsupported),
                }
                if let Some(result) = result {
                    self.forget(frame, *result);
                }
                true
            }
            Statement::WorkGroupUniformLoad { result, .. } => {
                self.forget(frame, *result);
                true
            }
            Statement::Call {
                function,
                arguments,
                result,
            } => {
                let info = &self.info[*function];
                let callee = &self.module.functions[*function];
                if self.is_inert(callee, info) {
                    if let Some(result) = result {
                        self.forget(frame, *result);
                    }
                    return true;
                }
                let arguments = arguments
                    .iter()
                    .map(|argument| self.get(frame, *argument, state));
                let arguments = arguments.collect();
                let value = self.call(callee, info, arguments, state, frame.depth + 1);
                if let Some(result) = result {
                    frame.values[result.index()] = Some(value);
                    if frame.values[result.index()] == Some(Value::Unknown) {
                        self.forget(frame, *result);
                    }
                }
                true
            }
            Statement::SubgroupBallot { result, .. }
            | Statement::SubgroupGather { result, .. }
            | Statement::SubgroupCollectiveOperation { result, .. } => {
                self.forget(frame, *result);
                true
            }
            Statement::ImageStore { .. }
            | Statement::ImageAtomic { .. }
            | Statement::RayQuery { .. }
            | Statement::RayPipelineFunction(_)
            | Statement::CooperativeStore { .. } => {
                self.lose(Lost::Unsupported);
                true
            }
        }
    }

    /// Sets a result to anything of its type.
    fn forget(&mut self, frame: &mut Frame<'a>, result: Handle<Expression>) {
        let ty = frame.info[result].ty.inner_with(&self.module.types).clone();
        frame.values[result.index()] = Some(self.unknown(&ty));
    }

    /// Whether a function touches nothing, and returns nothing that an index could be made of.
    fn is_inert(&self, function: &Function, info: &FunctionInfo) -> bool {
        let is_plain = |ty: Handle<Type>| matches!(self.module.types[ty].inner, TypeInner::Scalar(scalar) | TypeInner::Vector { scalar, .. } if scalar.kind == ScalarKind::Float);
        let has_pointers = function.arguments.iter().any(|argument| {
            self.module.types[argument.ty]
                .inner
                .pointer_space()
                .is_some()
        });
        let touches = self
            .module
            .global_variables
            .iter()
            .any(|(handle, variable)| {
                let space = variable.space;
                !info[handle].is_empty()
                    && (matches!(space, AddressSpace::Storage { .. } | AddressSpace::Private))
            });
        !has_pointers
            && !touches
            && function
                .result
                .as_ref()
                .is_none_or(|result| is_plain(result.ty))
    }
}

/// The operation that an atomic function combines with, if it can be done in any order.
fn combined(fun: &AtomicFunction) -> Option<Combine> {
    match fun {
        AtomicFunction::Add | AtomicFunction::Subtract => Some(Combine::Add),
        AtomicFunction::Min => Some(Combine::Min),
        AtomicFunction::Max => Some(Combine::Max),
        AtomicFunction::InclusiveOr => Some(Combine::Or),
        AtomicFunction::And => Some(Combine::And),
        AtomicFunction::ExclusiveOr | AtomicFunction::Exchange { .. } => None,
    }
}
