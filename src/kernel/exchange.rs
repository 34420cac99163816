//! Floats that are combined through the bits of an atomic integer, by compare and exchange.
//!
//! Finds where the code does that to a variable; what follows from it is for others to say.
//!
//! Invariant: nothing is taken for the bits of a float that the code doesn't make of one. Values that are handed to a
//! function as arguments, or go through memory, are taken for integers.

use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    AtomicFunction, Block, Expression, Function, GlobalVariable, Handle, LocalVariable, Module,
    ScalarKind, Span, Statement, TypeInner,
};

/// Where the entry point with this index, or a function that it reaches, sets the variable by compare and exchange to the
/// bits of a float.
pub(super) fn of_floats(
    module: &Module,
    info: &ModuleInfo,
    entry: usize,
    variable: Handle<GlobalVariable>,
) -> Option<Span> {
    let search = Search { module, info };
    let mut reached = search.reached(entry).into_iter();
    reached.find_map(|one| search.exchange(one, variable))
}

/// Looks through the code of a module.
pub(super) struct Search<'a> {
    pub(super) module: &'a Module,
    pub(super) info: &'a ModuleInfo,
}

/// A function, and what naga knows of it.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) function: &'a Function,
    pub(super) info: &'a FunctionInfo,
}

impl<'a> Search<'a> {
    fn entry(&self, place: usize) -> Known<'a> {
        Known {
            function: &self.module.entry_points[place].function,
            info: self.info.get_entry_point(place),
        }
    }

    fn function(&self, handle: Handle<Function>) -> Known<'a> {
        Known {
            function: &self.module.functions[handle],
            info: &self.info[handle],
        }
    }

    /// The entry point and the functions that it reaches.
    pub(super) fn reached(&self, entry: usize) -> Vec<Known<'a>> {
        let mut reached = vec![self.entry(entry)];
        let mut called = Vec::new();
        let mut next = 0;
        while let Some(one) = reached.get(next).copied() {
            next += 1;
            each(&one.function.body, &mut |statement, _| {
                if let Statement::Call { function, .. } = statement
                    && !called.contains(function)
                {
                    called.push(*function);
                    reached.push(self.function(*function));
                }
            });
        }
        reached
    }

    fn exchange(&self, one: Known<'a>, variable: Handle<GlobalVariable>) -> Option<Span> {
        let mut found = None;
        each(&one.function.body, &mut |statement, span| {
            if let Statement::Atomic {
                pointer,
                fun: AtomicFunction::Exchange { compare: Some(_) },
                value,
                ..
            } = statement
                && leads_to(one.function, *pointer, variable)
                && self.is_bits(one, *value, &mut Vec::new())
            {
                found.get_or_insert(*span);
            }
        });
        found
    }

    /// Whether a value is the bits of a float. `seen` are the function's variables that were looked into.
    fn is_bits(
        &self,
        one: Known<'a>,
        value: Handle<Expression>,
        seen: &mut Vec<Handle<LocalVariable>>,
    ) -> bool {
        match one.function.expressions[value] {
            Expression::As {
                expr,
                convert: None,
                ..
            } => matches!(
                *one.info[expr].ty.inner_with(&self.module.types),
                TypeInner::Scalar(scalar) if scalar.kind == ScalarKind::Float
            ),
            Expression::Select { accept, reject, .. } => {
                self.is_bits(one, accept, seen) || self.is_bits(one, reject, seen)
            }
            Expression::Load { pointer } => {
                let Expression::LocalVariable(local) = one.function.expressions[pointer] else {
                    return false;
                };
                if seen.contains(&local) {
                    return false;
                }
                seen.push(local);
                let mut stored = Vec::new();
                each(&one.function.body, &mut |statement, _| {
                    if let Statement::Store { pointer: to, value } = statement
                        && one.function.expressions[*to] == Expression::LocalVariable(local)
                    {
                        stored.push(*value);
                    }
                });
                let init = one.function.local_variables[local].init;
                let mut stored = stored.into_iter().chain(init);
                stored.any(|value| self.is_bits(one, value, seen))
            }
            Expression::CallResult(callee) => {
                let callee = self.function(callee);
                let mut does = false;
                each(&callee.function.body, &mut |statement, _| {
                    if let Statement::Return { value: Some(value) } = statement {
                        does |= self.is_bits(callee, *value, &mut Vec::new());
                    }
                });
                does
            }
            _ => false,
        }
    }
}

/// Whether a pointer is to the variable or a part of it. None to what is bound can be an argument.
fn leads_to(
    function: &Function,
    mut pointer: Handle<Expression>,
    variable: Handle<GlobalVariable>,
) -> bool {
    loop {
        pointer = match function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => base,
            Expression::GlobalVariable(found) => return found == variable,
            _ => return false,
        };
    }
}

/// Shows each statement of a block, and of the blocks in it.
fn each<'a>(block: &'a Block, show: &mut impl FnMut(&'a Statement, &Span)) {
    // Blocks that are still to be looked at, rather than a call for each level.
    let mut blocks = vec![block];
    while let Some(block) = blocks.pop() {
        for (statement, span) in block.span_iter() {
            show(statement, span);
            match statement {
                Statement::Block(inner) => blocks.push(inner),
                Statement::If { accept, reject, .. } => blocks.extend([accept, reject]),
                Statement::Loop {
                    body, continuing, ..
                } => blocks.extend([body, continuing]),
                Statement::Switch { cases, .. } => {
                    blocks.extend(cases.iter().map(|case| &case.body));
                }
                _ => {}
            }
        }
    }
}
