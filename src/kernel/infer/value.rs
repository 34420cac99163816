//! What an expression can be: integers as cases, conditions, and what they are put together to.
//!
//! Data, and how cases are combined; which cases there are is found by the interpreter.
//!
//! Invariant: an invocation that has a value has it in one of its cases whose facts hold for it, modulo 2^32.

use super::form::{Form, Symbol};
use super::path::Facts;
use naga::{GlobalVariable, Handle};
use smallvec::SmallVec;
use std::rc::Rc;

/// The most parts of a condition; of a larger one nothing is known.
const MOST_PARTS: usize = 48;

/// One of the things that an integer can be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    /// What holds where it is that.
    pub(super) facts: Facts,
    pub(super) form: Form,
}

/// A `u32` or an `i32`, modulo 2^32.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Int {
    pub(super) cases: Rc<SmallVec<[Case; 1]>>,
    pub(super) is_signed: bool,
    /// The words of uniforms that it depends on, a bit for each.
    pub(super) words: u64,
}

impl Int {
    pub(super) fn of(form: Form, is_signed: bool) -> Self {
        let facts = Facts::new();
        Self::cases(SmallVec::from_iter([Case { facts, form }]), is_signed, 0)
    }

    pub(super) fn number(number: i128, is_signed: bool) -> Self {
        Self::of(Form::number(number), is_signed)
    }

    pub(super) fn cases(cases: SmallVec<[Case; 1]>, is_signed: bool, words: u64) -> Self {
        Self {
            cases: Rc::new(cases),
            is_signed,
            words,
        }
    }

    /// The form, where there is one only.
    pub(super) fn form(&self) -> Option<&Form> {
        match self.cases.as_slice() {
            [only] if only.facts.is_empty() => Some(&only.form),
            _ => None,
        }
    }

    pub(super) fn as_signed(&self, is_signed: bool) -> Self {
        Self {
            is_signed,
            ..self.clone()
        }
    }

    /// The least and the largest value of the type.
    pub(super) fn limits(&self) -> (i128, i128) {
        limits(self.is_signed)
    }

    /// The value, where these are the values of the symbols.
    pub(super) fn value(&self, of: &dyn Fn(Symbol) -> Option<i128>) -> Option<i128> {
        for case in self.cases.iter() {
            let mut holds = true;
            for fact in &case.facts {
                holds &= fact.value(of)? <= 0;
            }
            if holds {
                let (low, _) = self.limits();
                return Some((case.form.value(of)? - low).rem_euclid(1 << 32) + low);
            }
        }
        None
    }
}

pub(super) fn limits(is_signed: bool) -> (i128, i128) {
    if is_signed {
        (i32::MIN.into(), i32::MAX.into())
    } else {
        (0, u32::MAX.into())
    }
}

/// How two integers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Equal,
}

/// A `bool`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cond {
    Known(bool),
    Unknown,
    Compare(Order, Int, Int),
    Not(Rc<Cond>),
    /// The second is looked at only if the first holds.
    Both(Rc<Cond>, Rc<Cond>),
    /// The second is looked at only if the first doesn't hold.
    Either(Rc<Cond>, Rc<Cond>),
}

impl Cond {
    pub(super) fn not(self: &Rc<Self>) -> Rc<Self> {
        match &**self {
            Cond::Known(known) => Rc::new(Cond::Known(!known)),
            Cond::Unknown => self.clone(),
            Cond::Not(inner) => inner.clone(),
            _ => Rc::new(Cond::Not(self.clone())),
        }
    }

    pub(super) fn both(self: &Rc<Self>, other: &Rc<Self>) -> Rc<Self> {
        match (&**self, &**other) {
            (Cond::Known(true), _) => other.clone(),
            (_, Cond::Known(true)) | (Cond::Known(false), _) => self.clone(),
            (_, Cond::Known(false)) => other.clone(),
            _ if !self.fits_with(other) => Rc::new(Cond::Unknown),
            _ => Rc::new(Cond::Both(self.clone(), other.clone())),
        }
    }

    pub(super) fn either(self: &Rc<Self>, other: &Rc<Self>) -> Rc<Self> {
        match (&**self, &**other) {
            (Cond::Known(false), _) => other.clone(),
            (_, Cond::Known(false)) | (Cond::Known(true), _) => self.clone(),
            (_, Cond::Known(true)) => other.clone(),
            _ if !self.fits_with(other) => Rc::new(Cond::Unknown),
            _ => Rc::new(Cond::Either(self.clone(), other.clone())),
        }
    }

    /// Whether a condition of the two is small enough to be walked through: what is shared is walked through each time.
    fn fits_with(&self, other: &Self) -> bool {
        self.size() + other.size() <= MOST_PARTS
    }

    fn size(&self) -> usize {
        match self {
            Cond::Known(_) | Cond::Unknown | Cond::Compare(..) => 1,
            Cond::Not(inner) => 1 + inner.size(),
            Cond::Both(a, b) | Cond::Either(a, b) => 1 + a.size() + b.size(),
        }
    }

    /// The words of uniforms that it depends on.
    pub(super) fn words(&self) -> u64 {
        match self {
            Cond::Known(_) | Cond::Unknown => 0,
            Cond::Compare(_, a, b) => a.words | b.words,
            Cond::Not(inner) => inner.words(),
            Cond::Both(a, b) | Cond::Either(a, b) => a.words() | b.words(),
        }
    }

    /// Whether it holds, where these are the values of the symbols.
    pub(super) fn value(&self, of: &dyn Fn(Symbol) -> Option<i128>) -> Option<bool> {
        Some(match self {
            Cond::Known(known) => *known,
            Cond::Unknown => return None,
            Cond::Compare(order, a, b) => {
                let (a, b) = (a.value(of)?, b.value(of)?);
                match order {
                    Order::Less => a < b,
                    Order::LessOrEqual => a <= b,
                    Order::Equal => a == b,
                }
            }
            Cond::Not(inner) => !inner.value(of)?,
            Cond::Both(a, b) => a.value(of)? && b.value(of)?,
            Cond::Either(a, b) => a.value(of)? || b.value(of)?,
        })
    }
}

/// Where a pointer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// A variable that only the invocation has.
    Own(usize),
    Storage(Handle<GlobalVariable>),
    Uniform(Handle<GlobalVariable>),
    /// Memory of the workgroup, or anything else whose contents aren't followed.
    Other,
}

/// One step into what a pointer points to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Member(u32),
    Index(Int),
}

/// What a pointer points to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) root: Root,
    pub(super) steps: SmallVec<[Step; 2]>,
}

/// What an expression can be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Anything of its type.
    Unknown,
    Int(Int),
    Bool(Rc<Cond>),
    /// A vector, or a struct.
    Parts(Rc<Vec<Value>>),
    Pointer(Rc<Place>),
}

impl Value {
    pub(super) fn parts(parts: Vec<Value>) -> Self {
        Value::Parts(Rc::new(parts))
    }

    pub(super) fn bool(cond: Cond) -> Self {
        Value::Bool(Rc::new(cond))
    }

    pub(super) fn part(&self, index: usize) -> Value {
        match self {
            Value::Parts(parts) => parts.get(index).cloned().unwrap_or(Value::Unknown),
            _ => Value::Unknown,
        }
    }
}
