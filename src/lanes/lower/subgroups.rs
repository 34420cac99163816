//! What the invocations of a subgroup do together.
//!
//! Invariant: lanes that aren't in the mask take no part.

use super::super::Unsupported;
use super::super::number::Number;
use super::super::op::{Code, Input, Reg};
use super::super::shape::Kind;
use super::super::subgroup::{Combine, From, SubgroupOp, WIDTH};
use super::super::wide::{Half, WideOp};
use super::{Lowering, Value};
use naga::{CollectiveOperation, Direction, Expression, GatherMode, Handle, SubgroupOperation};

impl Lowering<'_> {
    pub(super) fn ballot(
        &mut self,
        predicate: Option<Handle<Expression>>,
        result: Handle<Expression>,
    ) -> Result<(), Unsupported> {
        let predicate = match predicate {
            Some(predicate) => self.word(predicate)?,
            None => self.builder.constant(u32::MAX),
        };
        let predicate = Number::new(Kind::Bool, predicate);
        let bits = self.together(SubgroupOp::Ballot, predicate, None);
        let mut words = vec![bits.word];
        words.resize(4, self.builder.constant(0));
        self.frame().values.insert(result, Value::Words(words));
        Ok(())
    }

    pub(super) fn collective(
        &mut self,
        operation: SubgroupOperation,
        collective: CollectiveOperation,
        argument: Handle<Expression>,
        result: Handle<Expression>,
    ) -> Result<(), Unsupported> {
        let numbers = self.numbers(argument)?;
        let mut found = Vec::new();
        for number in numbers {
            let combine = combination(operation, number.kind)?;
            let op = match collective {
                CollectiveOperation::Reduce => SubgroupOp::Reduce(combine),
                CollectiveOperation::InclusiveScan => SubgroupOp::Inclusive(combine),
                CollectiveOperation::ExclusiveScan => SubgroupOp::Exclusive(combine),
            };
            let number = match (combine, number.high) {
                // Bits are words, however many.
                (Combine::And | Combine::Or | Combine::Xor, Some(high)) => {
                    let low = self.together(op, Number::new(Kind::U32, number.word), None);
                    let high = self.together(op, Number::new(Kind::U32, high), None);
                    Number {
                        kind: number.kind,
                        word: low.word,
                        high: Some(high.word),
                    }
                }
                _ => self.together(op, number, None),
            };
            found.push(match number.kind {
                Kind::F16 => {
                    Number::new(Kind::F16, self.builder.op(Code::QuantizeF, &[number.word]))
                }
                Kind::I16 | Kind::U16 => self.shortened(number.kind, number.word),
                _ => number,
            });
        }
        let words = Number::words(&found);
        self.frame().values.insert(result, Value::Words(words));
        Ok(())
    }

    pub(super) fn gather(
        &mut self,
        mode: &GatherMode,
        argument: Handle<Expression>,
        result: Handle<Expression>,
    ) -> Result<(), Unsupported> {
        let (from, index) = match mode {
            GatherMode::BroadcastFirst => (From::First, None),
            GatherMode::Broadcast(index) | GatherMode::Shuffle(index) => (From::Index, Some(index)),
            GatherMode::ShuffleDown(index) => (From::Above, Some(index)),
            GatherMode::ShuffleUp(index) => (From::Below, Some(index)),
            GatherMode::ShuffleXor(index) => (From::Across, Some(index)),
            GatherMode::QuadBroadcast(index) => (From::Quad, Some(index)),
            GatherMode::QuadSwap(Direction::X) => (From::QuadAcross(1), None),
            GatherMode::QuadSwap(Direction::Y) => (From::QuadAcross(2), None),
            GatherMode::QuadSwap(Direction::Diagonal) => (From::QuadAcross(3), None),
        };
        let index = index.map(|index| self.word(*index)).transpose()?;
        let numbers = self.numbers(argument)?;
        let found: Vec<Number> = numbers
            .into_iter()
            .map(|number| self.together(SubgroupOp::Gather(from), number, index))
            .collect();
        let words = Number::words(&found);
        self.frame().values.insert(result, Value::Words(words));
        Ok(())
    }

    fn together(&mut self, op: SubgroupOp, number: Number, index: Option<Reg>) -> Number {
        let mask = self.mask_register();
        let mut half = |half| {
            let code = Code::Subgroup(op, half);
            self.builder
                .subgroup(code, number.word, mask, index, number.high)
        };
        let word = half(Half::Low);
        let high = number.high.map(|_| half(Half::High));
        if number.kind == Kind::Bool && op != SubgroupOp::Ballot {
            let zero = self.builder.constant(0);
            let is_so = self.builder.op(Code::Ne, &[word, zero]);
            return Number::new(Kind::Bool, is_so);
        }
        Number {
            kind: number.kind,
            word,
            high,
        }
    }

    pub(super) fn subgroup_invocation_id(&mut self) -> Reg {
        let lane = self.builder.input(Input::Lane);
        let all = self.builder.constant(WIDTH as u32 - 1);
        self.builder.op(Code::And, &[lane, all])
    }

    pub(super) fn subgroup_id(&mut self) -> Reg {
        let lane = self.builder.input(Input::Lane);
        let places = self.builder.constant(WIDTH.ilog2());
        self.builder.op(Code::ShrU, &[lane, places])
    }

    pub(super) fn num_subgroups(&mut self) -> Reg {
        let invocations: u32 = self.workgroup.iter().product();
        self.builder.constant(invocations.div_ceil(WIDTH as u32))
    }
}

fn combination(operation: SubgroupOperation, kind: Kind) -> Result<Combine, Unsupported> {
    use SubgroupOperation as S;
    if kind.is_wide() {
        let code = match operation {
            S::Add => kind.pick(Code::AddF, Code::Add, Code::Add),
            S::Mul => kind.pick(Code::MulF, Code::Mul, Code::Mul),
            S::Min => kind.pick(Code::MinF, Code::MinS, Code::MinU),
            S::Max => kind.pick(Code::MaxF, Code::MaxS, Code::MaxU),
            S::And | S::All => return Ok(Combine::And),
            S::Or | S::Any => return Ok(Combine::Or),
            S::Xor => return Ok(Combine::Xor),
        };
        let op = WideOp::of(code);
        return op.map(Combine::Wide).ok_or_else(|| {
            Unsupported::new(format!("the subgroup operation {operation:?} of 64 bits"))
        });
    }
    Ok(match operation {
        S::All | S::And => Combine::And,
        S::Any | S::Or => Combine::Or,
        S::Xor => Combine::Xor,
        S::Add => kind.pick(Combine::AddF, Combine::Add, Combine::Add),
        S::Mul => kind.pick(Combine::MulF, Combine::Mul, Combine::Mul),
        S::Min => kind.pick(Combine::MinF, Combine::MinS, Combine::MinU),
        S::Max => kind.pick(Combine::MaxF, Combine::MaxS, Combine::MaxU),
    })
}
