//! Memory: the invocation's own variables, and the places where buffers are touched.
//!
//! Invariant: an index that may be outside of what it indexes leads anywhere.

use super::form::Form;
use super::machine::{Frame, Lost, Machine, State};
use super::path::Path;
use super::value::{Int, Place, Root, Step, Value};
use crate::kernel::Combine;
use naga::{GlobalVariable, Handle, LocalVariable, Span, TypeInner};

/// The most places that are noted.
const MOST_SITES: usize = 2_000;

/// What an invocation does at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Read,
    Write,
    /// Combines a value into what is there and doesn't look at it, with this operation; nothing if it does look, or does
    /// something else.
    Atomic(Option<Combine>),
}

/// Which elements a site touches.
#[derive(Clone, Debug)]
pub(super) enum Index {
    /// One of these, each with where it is that.
    Known(Vec<(Path, Form)>),
    /// Possibly any: the index may lie outside of this many elements.
    Outside(i128, i128, u64),
    /// Any of them.
    All,
}

/// A place where a buffer is touched.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) variable: Handle<GlobalVariable>,
    pub(super) does: Does,
    pub(super) index: Index,
    /// The index as it was, and the way here, for finding who certainly touches what.
    pub(super) exact: Option<(Int, Path)>,
    pub(super) span: Span,
}

impl<'a> Machine<'a> {
    pub(super) fn slot(&self, frame: &Frame<'a>, local: Handle<LocalVariable>) -> usize {
        frame.base + local.index()
    }

    pub(super) fn private(&self, global: Handle<GlobalVariable>) -> Option<usize> {
        self.privates.get(&global).copied()
    }

    pub(super) fn store(&mut self, place: &Place, value: Value, span: Span, state: &mut State) {
        match place.root {
            Root::Own(slot) => {
                self.depend_on(&place.steps);
                let Some(old) = state.variables.get(slot).cloned() else {
                    return self.lose(Lost::Unsupported);
                };
                state.variables[slot] = replaced(&old, &place.steps, value);
            }
            Root::Storage(variable) => self.note(variable, place, Does::Write, span, state),
            Root::Uniform(_) => self.lose(Lost::Unsupported),
            Root::Other => {}
        }
    }

    /// Which part of a variable is meant depends on these.
    pub(super) fn depend_on(&mut self, steps: &[Step]) {
        for step in steps {
            if let Step::Index(int) = step {
                self.used |= int.words;
            }
        }
    }

    /// Notes that a buffer is touched.
    pub(super) fn note(
        &mut self,
        variable: Handle<GlobalVariable>,
        place: &Place,
        does: Does,
        span: Span,
        state: &State,
    ) {
        if !self.is_noting || state.path.is_dead {
            return;
        }
        if self.sites.len() >= MOST_SITES {
            return self.lose(Lost::TooComplex);
        }
        let index = self.index(variable, place, &state.path);
        let exact = match place.steps.first() {
            Some(Step::Index(int)) if state.path.is_exact => {
                Some((int.clone(), state.path.clone()))
            }
            _ => None,
        };
        self.sites.push(Site {
            variable,
            does,
            index,
            exact,
            span,
        });
    }

    /// Which elements a pointer leads to.
    pub(super) fn index(
        &mut self,
        variable: Handle<GlobalVariable>,
        place: &Place,
        path: &Path,
    ) -> Index {
        let module = self.module;
        let mut ty = module.global_variables[variable].ty;
        let mut index = None;
        for (depth, step) in place.steps.iter().enumerate() {
            let len = match module.types[ty].inner {
                TypeInner::Array { base, size, .. } => {
                    ty = base;
                    match size {
                        naga::ArraySize::Constant(count) => u64::from(count.get()),
                        naga::ArraySize::Dynamic if depth == 0 => self.inputs.elements(variable),
                        _ => return Index::All,
                    }
                }
                TypeInner::Struct { ref members, .. } => {
                    match step {
                        Step::Member(member) if (*member as usize) < members.len() => {
                            ty = members[*member as usize].ty;
                        }
                        _ => return Index::All,
                    }
                    continue;
                }
                TypeInner::Vector { size, .. } if matches!(step, Step::Index(_)) => size as u64,
                // Validated where it is a number.
                _ if matches!(step, Step::Member(_)) => continue,
                _ => return Index::All,
            };
            let int = match step {
                Step::Member(member) => Int::number((*member).into(), false),
                Step::Index(int) => int.clone(),
            };
            self.used |= int.words;
            let mut known = Vec::new();
            for case in self.resolve(&int, path) {
                let path = path.with(&self.symbols, &case.facts);
                if path.is_dead {
                    continue;
                }
                self.burn(8);
                let (low, high) = path.bound(&self.symbols, &case.form);
                if low < 0 || high >= i128::from(len) {
                    return Index::Outside(low, high, len);
                }
                known.push((path, case.form));
            }
            if depth == 0 {
                index = Some(known);
            }
        }
        match (
            index,
            &module.types[module.global_variables[variable].ty].inner,
        ) {
            (Some(known), TypeInner::Array { .. }) => Index::Known(known),
            // One element, whatever it is made of.
            (_, inner)
                if !matches!(inner, TypeInner::Array { .. })
                    && self.inputs.elements(variable) == 1 =>
            {
                Index::Known(vec![(path.clone(), Form::default())])
            }
            _ => Index::All,
        }
    }
}

/// A value with a part of it replaced.
fn replaced(old: &Value, steps: &[Step], value: Value) -> Value {
    let Some((first, rest)) = steps.split_first() else {
        return value;
    };
    let place = match first {
        Step::Member(member) => Some(*member as usize),
        Step::Index(int) => {
            let number = int.form().and_then(Form::as_number);
            number.and_then(|number| usize::try_from(number).ok())
        }
    };
    match (old, place) {
        (Value::Parts(parts), Some(place)) if place < parts.len() => {
            let mut parts = parts.to_vec();
            parts[place] = replaced(&parts[place], rest, value);
            Value::parts(parts)
        }
        _ => Value::Unknown,
    }
}
