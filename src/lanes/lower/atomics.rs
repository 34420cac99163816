//! Atomic operations.
//!
//! Numbers of 32 bits are loaded and stored as all others are: a word is never seen in halves. Those of 64 bits are words
//! apart, and what is bound may be at other threads' hands meanwhile, so that their loads and stores are operations too.
//!
//! Invariant: lanes that aren't in the mask change nothing, and what they are told was there is of no account.

use super::super::Unsupported;
use super::super::build::Region;
use super::super::check::{Deed, Update};
use super::super::number::Number;
use super::super::op::{AtomicOp, Code, Reg};
use super::super::shape::Kind;
use super::super::wide_atomic::WideAtomic;
use super::{Base, Lowering, Pointer, Value};
use naga::{AtomicFunction, Expression, Handle, TypeInner};

impl Lowering<'_> {
    pub(super) fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: &AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
    ) -> Result<(), Unsupported> {
        let kind = self.kind(value)?;
        let words = self.words(value)?;
        let handle = pointer;
        let pointer = self.pointer(handle)?;
        let Base::Memory(region) = pointer.base else {
            return Err(Unsupported::new("an atomic outside of memory".to_owned()));
        };
        let expected = match fun {
            AtomicFunction::Exchange {
                compare: Some(compare),
            } => Some(self.words(*compare)?),
            _ => None,
        };
        let uses_old = result.is_some_and(|result| self.frame().info[result].ref_count > 0);
        let deed = Deed::Update(Update::of(fun, uses_old));
        self.touched(handle, None, &pointer, deed, &words)?;
        let number = |words: &[Reg]| Number::all(kind, words).first().copied();
        let Some(value) = number(&words) else {
            return Err(Unsupported::new("a value without words".to_owned()));
        };
        let expected = expected.and_then(|words| number(&words));
        let op = operation(fun, kind);
        let old = match value.high {
            None => {
                let place = pointer.dynamic.unwrap_or_else(|| self.builder.constant(0));
                let code = match expected {
                    None => Code::Atomic(op),
                    Some(_) => Code::CompareExchange,
                };
                let operands = (value.word, expected.map(|expected| expected.word));
                let mask = Some(self.mask_register());
                let first = pointer.first;
                let old = self
                    .builder
                    .atomic(code, region, first, place, operands, mask);
                Number::new(kind, old)
            }
            Some(_) => {
                let op = match expected {
                    None => WideAtomic::Update(op),
                    Some(_) => WideAtomic::CompareExchange,
                };
                let words = self.at_once(op, region, &pointer, [Some(value), expected]);
                Number::all(kind, &words)[0]
            }
        };
        if let Some(result) = result {
            let mut found = vec![old];
            if let Some(expected) = expected {
                found.push(self.number(Code::Eq, &[old, expected]));
            }
            let words = Number::words(&found);
            self.frame().values.insert(result, Value::Words(words));
        }
        Ok(())
    }

    /// Whether words that are loaded or stored one by one may be those of different numbers.
    pub(super) fn is_torn(&self, pointer: &Pointer) -> bool {
        matches!(pointer.ty.inner(self.module), TypeInner::Atomic(scalar) if scalar.width == 8)
            && pointer.is_bound()
    }

    pub(super) fn load_at_once(&mut self, region: Region, pointer: &Pointer) -> Vec<Reg> {
        self.at_once(WideAtomic::Load, region, pointer, [None, None])
    }

    pub(super) fn store_at_once(&mut self, region: Region, pointer: &Pointer, words: &[Reg]) {
        let value = Number::all(Kind::U64, words).first().copied();
        self.at_once(WideAtomic::Store, region, pointer, [value, None]);
    }

    /// The words of what was there.
    fn at_once(
        &mut self,
        op: WideAtomic,
        region: Region,
        pointer: &Pointer,
        operands: [Option<Number>; 2],
    ) -> Vec<Reg> {
        let place = pointer.dynamic.unwrap_or_else(|| self.builder.constant(0));
        let mask = self.mask_register();
        let words = |number: Number| Some((number.word, number.high?));
        let operands = operands.map(|number| number.and_then(words));
        let old = self
            .builder
            .atomic_wide(op, region, pointer.first, place, operands, mask);
        old.map_or_else(Vec::new, |(low, high)| vec![low, high])
    }
}

/// What is done with what is there, whatever else it is compared with.
fn operation(fun: &AtomicFunction, kind: Kind) -> AtomicOp {
    match fun {
        AtomicFunction::Add => kind.pick(AtomicOp::AddF, AtomicOp::Add, AtomicOp::Add),
        AtomicFunction::Subtract => kind.pick(AtomicOp::SubF, AtomicOp::Sub, AtomicOp::Sub),
        AtomicFunction::And => AtomicOp::And,
        AtomicFunction::InclusiveOr => AtomicOp::Or,
        AtomicFunction::ExclusiveOr => AtomicOp::Xor,
        AtomicFunction::Min => kind.pick(AtomicOp::MinF, AtomicOp::MinS, AtomicOp::MinU),
        AtomicFunction::Max => kind.pick(AtomicOp::MaxF, AtomicOp::MaxS, AtomicOp::MaxU),
        AtomicFunction::Exchange { .. } => AtomicOp::Exchange,
    }
}
