//! What a checked program checks: where each check stands in the source, and what it has to know.
//!
//! Adds checks to a program while it is lowered; `watch` does them. A program that isn't checked has none, and pays
//! for none.
//!
//! Invariant: the checks of an access stand together, those of its indices first.

mod names;

use super::Unsupported;
use super::build::Region;
use super::lower::{Base, Lowering, Pointer, Value};
use super::op::{Memory, Reg};
use super::shape;
use crate::check::Does;
use crate::kernel::Combine;
use naga::{
    AddressSpace, AtomicFunction, Barrier, Expression, GlobalVariable, Handle, Span, StorageAccess,
    TypeInner,
};
use names::Shape;
use std::collections::HashMap;

/// The checks of a program, by number.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) checks: Vec<Check>,
    pub(super) sites: Vec<Site>,
    pub(super) variables: Vec<Watched>,
    /// The number of each site, and of each variable.
    known: HashMap<Site, u32>,
    of: Vec<Handle<GlobalVariable>>,
    /// The calls around what is lowered.
    calls: Vec<(String, u32)>,
    /// Of the statement that is lowered.
    statement: Span,
}

/// One check. Its operation has up to three operands, and the mask as its fourth.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) what: What,
    /// Which of the sites.
    pub(super) site: u32,
    /// Whether it is the first of an access.
    pub(super) begins: bool,
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Site {
    pub(super) bytes: (u32, u32),
    /// What is called, and where the call begins.
    pub(super) calls: Vec<(String, u32)>,
}

/// What is checked.
#[derive(Debug)]
pub(super) enum What {
    /// The first operand is an index, below the second.
    Index { of: Called, is_signed: bool },
    /// The first operand is the place of a number in words, but for `first`, the third that in halves of words, but for
    /// `half`; the second is what is read or written, of which there are so many halves.
    Touch {
        variable: u32,
        first: u32,
        half: u32,
        halves: u32,
        does: Does,
        update: Option<Update>,
    },
    /// All invocations are to come.
    Barrier {
        name: &'static str,
        orders: Orders,
        /// Whether it was checked just before that they do.
        is_second: bool,
    },
    /// The first operand, the place of a word but for `first`, is to be the same for all.
    Uniform { variable: u32, first: u32 },
}

/// What something is called.
#[derive(Clone, Debug)]
pub(super) enum Called {
    Name(String),
    /// As these bytes of the source say.
    Bytes(u32, u32),
}

/// Which memory a barrier orders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders {
    pub(super) workgroup: bool,
    pub(super) storage: bool,
}

/// What an atomic operation does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    pub(super) by: By,
    /// Whether what was there is used.
    pub(super) uses_old: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Combine(Combine),
    Xor,
    Exchange,
    /// A part of a loop that may combine in any way.
    CompareExchange,
}

/// A variable that invocations share.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) name: String,
    pub(super) region: Region,
    pub(super) shape: Shape,
    /// Whether numbers of it are halves of words.
    pub(super) has_halves: bool,
}

/// How a pointer came to point where it does.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    root: Option<Handle<GlobalVariable>>,
    indices: Vec<Indexed>,
}

impl Trail {
    pub(super) fn of(root: Handle<GlobalVariable>) -> Self {
        Self {
            root: Some(root),
            indices: Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
struct Indexed {
    index: Reg,
    len: Reg,
    of: Called,
    is_signed: bool,
    site: u32,
}

fn bytes(span: Span) -> (u32, u32) {
    span.to_range()
        .map_or((0, 0), |range| (range.start as u32, range.end as u32))
}

impl Checks {
    fn site(&mut self, span: Span) -> u32 {
        let span = if span.is_defined() {
            span
        } else {
            self.statement
        };
        let site = Site {
            bytes: bytes(span),
            calls: self.calls.clone(),
        };
        if let Some(number) = self.known.get(&site) {
            return *number;
        }
        let number = self.sites.len() as u32;
        self.known.insert(site.clone(), number);
        self.sites.push(site);
        number
    }
}

impl<'m> Lowering<'m> {
    /// Adds a check of operands, for the lanes that take part.
    fn check(&mut self, what: What, operands: &[Reg], site: u32, begins: bool) {
        let mask = self.mask_register();
        let Some(checks) = &mut self.checks else {
            return;
        };
        let number = checks.checks.len() as u32;
        checks.checks.push(Check { what, site, begins });
        self.builder.check(number, operands, mask);
    }

    /// From here on this is the statement that is lowered.
    pub(super) fn begin_statement(&mut self, span: Span) {
        if let Some(checks) = &mut self.checks {
            checks.statement = span;
        }
    }

    /// From here on, until it is left, what is lowered is called from the present statement.
    pub(super) fn enter_call(&mut self, function: Option<&str>) {
        if let Some(checks) = &mut self.checks {
            let start = bytes(checks.statement).0;
            checks
                .calls
                .push((function.unwrap_or_default().to_owned(), start));
        }
    }

    pub(super) fn leave_call(&mut self) {
        if let Some(checks) = &mut self.checks {
            checks.calls.pop();
        }
    }

    fn span(&mut self, handle: Handle<Expression>) -> Span {
        self.frame().function.expressions.get_span(handle)
    }

    /// What the source calls an expression.
    fn called(&mut self, handle: Handle<Expression>) -> Called {
        let (module, function) = (self.module, self.frame().function);
        let name = match function.expressions[handle] {
            Expression::LocalVariable(local) => function.local_variables[local].name.clone(),
            Expression::GlobalVariable(global) => module.global_variables[global].name.clone(),
            Expression::FunctionArgument(index) => function.arguments[index as usize].name.clone(),
            _ => function.named_expressions.get(&handle).cloned(),
        };
        name.map_or_else(
            || {
                let (start, end) = bytes(self.span(handle));
                Called::Bytes(start, end)
            },
            Called::Name,
        )
    }

    /// Notes an index of a pointer, to be checked when it is used, or checks it now for a value. `index` is missing if it
    /// is known, and valid unless only the buffer can tell.
    pub(super) fn indexed(
        &mut self,
        handle: Handle<Expression>,
        base: Handle<Expression>,
        index: Result<Handle<Expression>, u32>,
        value: Value,
    ) -> Result<Value, Unsupported> {
        if self.checks.is_none() {
            return Ok(value);
        }
        let module = self.module;
        let base_value = self.value(base)?;
        let elements = match &base_value {
            Value::Pointer(pointer) => match pointer.ty.inner(module) {
                TypeInner::Struct { .. } => return Ok(value),
                inner => shape::elements(module, inner)?,
            },
            Value::Words(_) => match (index, self.inner(base)) {
                (Err(_), _) | (_, TypeInner::Struct { .. }) => return Ok(value),
                (_, inner) => shape::elements(module, inner)?,
            },
        };
        let (index, is_signed) = match index {
            Ok(index) => (self.word(index)?, self.kind(index)?.is_signed()),
            Err(known) => (self.builder.constant(known), false),
        };
        let is_inside = |count: u32| self.builder.known(index).is_some_and(|known| known < count);
        if elements.count.is_some_and(is_inside) {
            return Ok(value);
        }
        let len = match (elements.count, &base_value) {
            (Some(count), _) => self.builder.constant(count),
            (None, Value::Pointer(pointer)) => self.length_of(pointer)?,
            _ => return Ok(value),
        };
        let (span, of) = (self.span(handle), self.called(base));
        let Some(checks) = &mut self.checks else {
            return Ok(value);
        };
        let site = checks.site(span);
        Ok(match value {
            Value::Pointer(mut pointer) => {
                pointer.trail.indices.push(Indexed {
                    index,
                    len,
                    of,
                    is_signed,
                    site,
                });
                Value::Pointer(pointer)
            }
            Value::Words(words) => {
                let what = What::Index { of, is_signed };
                self.check(what, &[index, len], site, true);
                Value::Words(words)
            }
        })
    }

    /// Checks the indices of a pointer that is about to be used, and that what it points to may be touched. `values` are
    /// what is read or written, word by word; `by` is the expression that does it, if it isn't the statement.
    pub(super) fn touched(
        &mut self,
        handle: Handle<Expression>,
        by: Option<Handle<Expression>>,
        pointer: &Pointer,
        deed: Deed,
        values: &[Reg],
    ) -> Result<(), Unsupported> {
        if self.checks.is_none() {
            return Ok(());
        }
        let mut begins = true;
        for indexed in &pointer.trail.indices {
            let what = What::Index {
                of: indexed.of.clone(),
                is_signed: indexed.is_signed,
            };
            self.check(what, &[indexed.index, indexed.len], indexed.site, begins);
            begins = false;
        }
        let Some(variable) = self.watched(pointer) else {
            return Ok(());
        };
        let module = self.module;
        let site = self.site_of(handle, by);
        let inner = pointer.ty.inner(module);
        let is_atomic = matches!(inner, TypeInner::Atomic(_));
        let does = match (deed, is_atomic) {
            (Deed::Read, false) => Does::Read,
            (Deed::Read, true) => Does::AtomicRead,
            (Deed::Write, false) => Does::Write,
            (Deed::Write, true) => Does::AtomicWrite,
            (Deed::Update(_), _) => Does::AtomicUpdate,
        };
        let update = match deed {
            Deed::Update(update) => Some(update),
            _ => None,
        };
        let zero = self.builder.constant(0);
        let place = pointer.dynamic.unwrap_or(zero);
        let more = pointer.halves.unwrap_or(zero);
        let leaves = shape::leaves(module, inner)?;
        for ((leaf, value), i) in leaves.iter().zip(values).zip(0..) {
            let is_half = pointer.is_bound() && leaf.kind.is_half();
            let what = What::Touch {
                variable,
                first: pointer.first,
                half: if pointer.is_bound() {
                    pointer.half + leaf.offset
                } else {
                    2 * i
                },
                halves: if is_half { 1 } else { 2 },
                does,
                update,
            };
            self.check(what, &[place, *value, more], site, begins);
            begins = false;
        }
        Ok(())
    }

    /// Where the source names what is touched; or what touches it, where the name was given elsewhere.
    fn site_of(&mut self, handle: Handle<Expression>, by: Option<Handle<Expression>>) -> u32 {
        let function = self.frame().function;
        let is_elsewhere = function.named_expressions.contains_key(&handle)
            || matches!(
                function.expressions[handle],
                Expression::FunctionArgument(_)
            );
        let span = match (is_elsewhere, by) {
            (false, _) => self.span(handle),
            (true, Some(by)) => self.span(by),
            (true, None) => Span::UNDEFINED,
        };
        self.checks.as_mut().map_or(0, |checks| checks.site(span))
    }

    /// The number of the variable that a pointer points into, if invocations share it and some write to it.
    fn watched(&mut self, pointer: &Pointer) -> Option<u32> {
        let root = pointer.trail.root?;
        let Base::Memory(region) = pointer.base else {
            return None;
        };
        let module = self.module;
        let variable = &module.global_variables[root];
        let is_shared = match variable.space {
            AddressSpace::WorkGroup => true,
            AddressSpace::Storage { access } => access.contains(StorageAccess::LOAD),
            _ => false,
        };
        if !is_shared || region.memory == Memory::Own {
            return None;
        }
        let is_bound = pointer.is_bound();
        let checks = self.checks.as_mut()?;
        let known = checks.of.iter().position(|of| *of == root);
        Some(known.unwrap_or_else(|| {
            checks.of.push(root);
            checks.variables.push(Watched {
                name: variable.name.clone().unwrap_or_default(),
                region,
                shape: Shape::of(module, &module.types[variable.ty].inner, is_bound, 0),
                has_halves: is_bound
                    && Shape::has_halves(module, &module.types[variable.ty].inner, 0),
            });
            checks.of.len() - 1
        }) as u32)
    }

    /// Checks that all invocations come to a barrier.
    pub(super) fn check_barrier(&mut self, name: &'static str, flags: Barrier, is_second: bool) {
        let Some(checks) = &mut self.checks else {
            return;
        };
        if flags == Barrier::SUB_GROUP {
            return;
        }
        let site = checks.site(checks.statement);
        let what = What::Barrier {
            name,
            orders: Orders {
                workgroup: flags.contains(Barrier::WORK_GROUP),
                storage: flags.contains(Barrier::STORAGE),
            },
            is_second,
        };
        self.check(what, &[], site, true);
    }

    /// Checks that all invocations mean the same.
    pub(super) fn check_uniform(&mut self, pointer: &Pointer) {
        let (Some(place), Some(variable)) = (pointer.dynamic, self.watched(pointer)) else {
            return;
        };
        let Some(checks) = &mut self.checks else {
            return;
        };
        let site = checks.site(checks.statement);
        let what = What::Uniform {
            variable,
            first: pointer.first,
        };
        self.check(what, &[place], site, true);
    }
}

/// What is done with what a pointer points to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Read,
    Write,
    Update(Update),
}

impl Update {
    pub(super) fn of(fun: &AtomicFunction, uses_old: bool) -> Self {
        let by = match fun {
            AtomicFunction::Add | AtomicFunction::Subtract => By::Combine(Combine::Add),
            AtomicFunction::And => By::Combine(Combine::And),
            AtomicFunction::InclusiveOr => By::Combine(Combine::Or),
            AtomicFunction::ExclusiveOr => By::Xor,
            AtomicFunction::Min => By::Combine(Combine::Min),
            AtomicFunction::Max => By::Combine(Combine::Max),
            AtomicFunction::Exchange { compare: None } => By::Exchange,
            AtomicFunction::Exchange { compare: Some(_) } => By::CompareExchange,
        };
        Self { by, uses_old }
    }
}

/// The name that WGSL has for a barrier.
pub(super) fn barrier_name(flags: Barrier) -> &'static str {
    if flags.contains(Barrier::STORAGE) {
        "storageBarrier"
    } else if flags.contains(Barrier::TEXTURE) {
        "textureBarrier"
    } else {
        "workgroupBarrier"
    }
}
