//! Atomic operations.
//!
//! Invariant: lanes that aren't in the mask change nothing, and what they are told was there is of no account.

use super::super::Unsupported;
use super::super::check::{Deed, Update};
use super::super::op::{AtomicOp, Code};
use super::super::shape::Kind;
use super::{Base, Lowering, Value};
use naga::{AtomicFunction, Expression, Handle};

impl Lowering<'_> {
    pub(super) fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: &AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
    ) -> Result<(), Unsupported> {
        let kind = self.kind(value)?;
        if kind.is_wide() {
            return Err(Unsupported::new("atomics of 64 bits".to_owned()));
        }
        let word = self.word(value)?;
        let handle = pointer;
        let pointer = self.pointer(handle)?;
        let Base::Memory(region) = pointer.base else {
            return Err(Unsupported::new("an atomic outside of memory".to_owned()));
        };
        let place = pointer.dynamic.unwrap_or_else(|| self.builder.constant(0));
        let code = match (fun, kind) {
            (AtomicFunction::Add, Kind::F32) => AtomicOp::AddF,
            (AtomicFunction::Subtract, Kind::F32) => AtomicOp::SubF,
            (AtomicFunction::Min, Kind::F32) => AtomicOp::MinF,
            (AtomicFunction::Max, Kind::F32) => AtomicOp::MaxF,
            (AtomicFunction::Add, _) => AtomicOp::Add,
            (AtomicFunction::Subtract, _) => AtomicOp::Sub,
            (AtomicFunction::And, _) => AtomicOp::And,
            (AtomicFunction::InclusiveOr, _) => AtomicOp::Or,
            (AtomicFunction::ExclusiveOr, _) => AtomicOp::Xor,
            (AtomicFunction::Min, Kind::I32) => AtomicOp::MinS,
            (AtomicFunction::Max, Kind::I32) => AtomicOp::MaxS,
            (AtomicFunction::Min, _) => AtomicOp::MinU,
            (AtomicFunction::Max, _) => AtomicOp::MaxU,
            (AtomicFunction::Exchange { .. }, _) => AtomicOp::Exchange,
        };
        let mut code = Code::Atomic(code);
        let mut expected = None;
        if let AtomicFunction::Exchange {
            compare: Some(compare),
        } = fun
        {
            code = Code::CompareExchange;
            expected = Some(self.word(*compare)?);
        }
        let uses_old = result.is_some_and(|result| self.frame().info[result].ref_count > 0);
        let deed = Deed::Update(Update::of(fun, uses_old));
        self.touched(handle, None, &pointer, deed, &[word])?;
        let mask = Some(self.mask_register());
        let operands = (word, expected);
        let old = self
            .builder
            .atomic(code, region, pointer.first, place, operands, mask);
        if let Some(result) = result {
            let mut words = vec![old];
            if let Some(expected) = expected {
                words.push(self.builder.op(Code::Eq, &[old, expected]));
            }
            self.frame().values.insert(result, Value::Words(words));
        }
        Ok(())
    }
}
