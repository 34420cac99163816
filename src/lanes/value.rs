//! From naga's expressions to operations on words.
//!
//! A value is the words that its type comes apart into; vectors and matrices are computed word by word. The functions of
//! WGSL's library are the affair of `math`.
//!
//! Invariant: an expression has as many words as its type has leaves.

use super::Unsupported;
use super::check::Deed;
use super::lower::{Lowering, Pointer, Value};
use super::number::Number;
use super::op::{Code, Reg};
use super::shape::{self, Kind};
use naga::{
    BinaryOperator, Expression, Handle, Literal, RelationalFunction, ScalarKind, TypeInner,
    UnaryOperator,
};

impl<'m> Lowering<'m> {
    /// The value of an expression that has been emitted, or needs no emitting.
    pub(super) fn value(&mut self, handle: Handle<Expression>) -> Result<Value, Unsupported> {
        if let Some(value) = self.frame().values.get(&handle) {
            return Ok(value.clone());
        }
        // What has no place in the order of statements isn't kept: registers of one branch mean nothing in another.
        self.expression(handle)
    }

    pub(super) fn words(&mut self, handle: Handle<Expression>) -> Result<Vec<Reg>, Unsupported> {
        match self.value(handle)? {
            Value::Words(words) => Ok(words),
            Value::Pointer(_) => Err(Unsupported::new("a pointer as a value".to_owned())),
        }
    }

    pub(super) fn word(&mut self, handle: Handle<Expression>) -> Result<Reg, Unsupported> {
        let words = self.words(handle)?;
        words
            .first()
            .copied()
            .ok_or_else(|| Unsupported::new("a value without words".to_owned()))
    }

    pub(super) fn pointer(&mut self, handle: Handle<Expression>) -> Result<Pointer, Unsupported> {
        match self.value(handle)? {
            Value::Pointer(pointer) => Ok(pointer),
            Value::Words(_) => Err(Unsupported::new("a value as a pointer".to_owned())),
        }
    }

    /// The type of an expression, with what it points to for pointers.
    pub(super) fn inner(&mut self, handle: Handle<Expression>) -> &'m TypeInner {
        let module = self.module;
        self.frame().info[handle].ty.inner_with(&module.types)
    }

    /// What the words of an expression are, if they are all the same.
    pub(super) fn kind(&mut self, handle: Handle<Expression>) -> Result<Kind, Unsupported> {
        let inner = self.inner(handle);
        match inner.scalar() {
            Some(scalar) => Kind::of(scalar),
            None => Err(Unsupported::new(format!("arithmetic on {inner:?}"))),
        }
    }

    pub(super) fn zero(&mut self, ty: &TypeInner) -> Result<Vec<Reg>, Unsupported> {
        let count = shape::leaves(self.module, ty)?.len();
        Ok(vec![self.builder.constant(0); count])
    }

    fn literal(&mut self, literal: Literal) -> Result<Vec<Reg>, Unsupported> {
        let word = match literal {
            Literal::F32(value) => value.to_bits(),
            Literal::U32(value) => value,
            Literal::I32(value) => value as u32,
            Literal::Bool(value) => u32::from(value).wrapping_neg(),
            Literal::F16(value) => value.to_f32().to_bits(),
            Literal::I16(value) => i32::from(value) as u32,
            Literal::U16(value) => u32::from(value),
            Literal::F64(value) => return Ok(self.wide_literal(Kind::F64, value.to_bits())),
            Literal::I64(value) => return Ok(self.wide_literal(Kind::I64, value as u64)),
            Literal::U64(value) => return Ok(self.wide_literal(Kind::U64, value)),
            other => return Err(Unsupported::new(format!("the literal {other:?}"))),
        };
        Ok(vec![self.builder.constant(word)])
    }

    fn wide_literal(&mut self, kind: Kind, number: u64) -> Vec<Reg> {
        Number::words(&[self.wide_constant(kind, number)])
    }

    /// The words of an expression outside of functions.
    pub(super) fn constant_words(
        &mut self,
        handle: Handle<Expression>,
    ) -> Result<Vec<Reg>, Unsupported> {
        let module = self.module;
        match &module.global_expressions[handle] {
            Expression::Literal(literal) => self.literal(*literal),
            Expression::Constant(constant) => self.constant_words(module.constants[*constant].init),
            Expression::ZeroValue(ty) => self.zero(&module.types[*ty].inner),
            Expression::Compose { components, .. } => {
                let mut words = Vec::new();
                for component in components {
                    words.extend(self.constant_words(*component)?);
                }
                Ok(words)
            }
            Expression::Splat { size, value } => {
                let word = self.constant_words(*value)?;
                Ok(word.repeat(*size as usize))
            }
            other => Err(Unsupported::new(format!("the constant {other:?}"))),
        }
    }

    pub(super) fn expression(&mut self, handle: Handle<Expression>) -> Result<Value, Unsupported> {
        let (module, function) = (self.module, self.frame().function);
        let words = match &function.expressions[handle] {
            Expression::Literal(literal) => self.literal(*literal)?,
            Expression::Constant(constant) => {
                self.constant_words(module.constants[*constant].init)?
            }
            Expression::ZeroValue(ty) => self.zero(&module.types[*ty].inner)?,
            Expression::Compose { components, .. } => {
                let mut words = Vec::new();
                for component in components {
                    words.extend(self.words(*component)?);
                }
                words
            }
            Expression::Splat { size, value } => self.words(*value)?.repeat(*size as usize),
            Expression::Swizzle {
                size,
                vector,
                pattern,
            } => {
                let numbers = self.numbers(*vector)?;
                let from = pattern[..*size as usize].iter();
                Number::words(&from.map(|from| numbers[*from as usize]).collect::<Vec<_>>())
            }
            Expression::FunctionArgument(index) => {
                return Ok(self.frame().arguments[*index as usize].clone());
            }
            Expression::GlobalVariable(global) => return Ok(Value::Pointer(self.global(*global)?)),
            Expression::LocalVariable(local) => return Ok(Value::Pointer(self.local(*local))),
            Expression::Access { base, index } => {
                let word = self.word(*index)?;
                let value = self.access(*base, word)?;
                return self.indexed(handle, *base, Ok(*index), value);
            }
            Expression::AccessIndex { base, index } => {
                let value = self.member(*base, *index)?;
                return self.indexed(handle, *base, Err(*index), value);
            }
            Expression::Load { pointer } => {
                let place = self.pointer(*pointer)?;
                let words = self.read(&place)?;
                self.touched(*pointer, Some(handle), &place, Deed::Read, &words)?;
                words
            }
            Expression::Unary { op, expr } => {
                let numbers = self.numbers(*expr)?;
                let code = match op {
                    UnaryOperator::Negate if self.kind(*expr)?.is_float() => Code::NegF,
                    UnaryOperator::Negate => Code::Neg,
                    UnaryOperator::LogicalNot | UnaryOperator::BitwiseNot => Code::Not,
                };
                Number::words(&self.each(code, &[&numbers]))
            }
            Expression::Binary { op, left, right } => self.binary(*op, *left, *right)?,
            Expression::Select {
                condition,
                accept,
                reject,
            } => {
                let (accept, reject) = (self.numbers(*accept)?, self.numbers(*reject)?);
                let condition = self.words(*condition)?;
                let condition = |i: usize| condition[if condition.len() == 1 { 0 } else { i }];
                let chosen: Vec<Number> = (0..accept.len())
                    .map(|i| self.select(accept[i], reject[i], condition(i)))
                    .collect();
                Number::words(&chosen)
            }
            Expression::Relational { fun, argument } => {
                let numbers = self.numbers(*argument)?;
                let is_float = self.kind(*argument)?.is_float();
                let found = match fun {
                    RelationalFunction::All => vec![self.fold(Code::And, &numbers)],
                    RelationalFunction::Any => vec![self.fold(Code::Or, &numbers)],
                    RelationalFunction::IsNan if is_float => {
                        self.each(Code::NeF, &[&numbers, &numbers])
                    }
                    RelationalFunction::IsInf if is_float => {
                        let magnitude = self.each(Code::AbsF, &[&numbers]);
                        let infinity = [self.number_of(numbers[0].kind, f64::INFINITY)];
                        self.each(Code::EqF, &[&magnitude, &infinity])
                    }
                    other => return Err(Unsupported::new(format!("{other:?} of integers"))),
                };
                Number::words(&found)
            }
            Expression::Math {
                fun,
                arg,
                arg1,
                arg2,
                arg3,
            } => {
                let arguments: Vec<_> = [Some(*arg), *arg1, *arg2, *arg3]
                    .into_iter()
                    .flatten()
                    .collect();
                self.math(*fun, &arguments)?
            }
            Expression::As {
                expr,
                kind,
                convert,
            } => self.converted(*expr, *kind, *convert)?,
            Expression::ArrayLength(pointer) => {
                let pointer = self.pointer(*pointer)?;
                vec![self.length_of(&pointer)?]
            }
            other => {
                let text = format!("{other:?}");
                let name = text.split([' ', '(', '{']).next().unwrap_or_default();
                return Err(Unsupported::new(format!("the expression {name}")));
            }
        };
        Ok(Value::Words(words))
    }

    fn member(&mut self, base: Handle<Expression>, index: u32) -> Result<Value, Unsupported> {
        let module = self.module;
        match self.value(base)? {
            Value::Pointer(mut pointer) => {
                let part = shape::part(module, pointer.ty.inner(module), index)?;
                pointer.advance(if pointer.is_bound() {
                    part.offset
                } else {
                    part.first.saturating_mul(2)
                });
                pointer.ty = part.ty;
                Ok(Value::Pointer(pointer))
            }
            Value::Words(words) => {
                let part = shape::part(module, self.inner(base), index)?;
                let count = shape::count(module, part.ty.inner(module))? as usize;
                let first = part.first as usize;
                Ok(Value::Words(words[first..first + count].to_vec()))
            }
        }
    }

    fn access(&mut self, base: Handle<Expression>, index: Reg) -> Result<Value, Unsupported> {
        let module = self.module;
        match self.value(base)? {
            Value::Pointer(mut pointer) => {
                let elements = shape::elements(module, pointer.ty.inner(module))?;
                let step = if pointer.is_bound() {
                    elements.stride
                } else {
                    elements.words * 2
                };
                // Every load and store checks that it stays in its variable.
                pointer.ty = elements.ty;
                if let Some(known) = self.builder.known(index)
                    && elements.count.is_some_and(|count| known < count)
                {
                    pointer.advance(known * step);
                    return Ok(Value::Pointer(pointer));
                }
                let is_whole = step.is_multiple_of(2);
                let step = self
                    .builder
                    .constant(if is_whole { step / 2 } else { step });
                let away = self.builder.op(Code::Mul, &[index, step]);
                let place = if is_whole {
                    &mut pointer.dynamic
                } else {
                    &mut pointer.halves
                };
                *place = Some(match *place {
                    Some(before) => self.builder.op(Code::Add, &[before, away]),
                    None => away,
                });
                Ok(Value::Pointer(pointer))
            }
            Value::Words(words) => {
                let elements = shape::elements(module, self.inner(base))?;
                let width = elements.words as usize;
                let kinds = shape::leaves(module, elements.ty.inner(module))?;
                let count = words.len() / width;
                let mut chosen = words[(count - 1) * width..].to_vec();
                for i in (0..count - 1).rev() {
                    let number = self.builder.constant(i as u32);
                    let is_it = self.builder.op(Code::Eq, &[index, number]);
                    let here = words[i * width..(i + 1) * width].iter();
                    let pairs: Vec<(Reg, Reg)> = here.copied().zip(chosen).collect();
                    chosen = pairs
                        .into_iter()
                        .zip(&kinds)
                        .map(|((yes, no), leaf)| self.chosen(leaf.kind, yes, no, is_it))
                        .collect();
                }
                Ok(Value::Words(chosen))
            }
        }
    }

    /// One of two words, or of two truth values.
    pub(super) fn chosen(&mut self, kind: Kind, yes: Reg, no: Reg, condition: Reg) -> Reg {
        if kind != Kind::Bool {
            return self.builder.op(Code::Select, &[yes, no, condition]);
        }
        let yes = self.builder.op(Code::And, &[yes, condition]);
        let no = self.builder.op(Code::AndNot, &[no, condition]);
        self.builder.op(Code::Or, &[yes, no])
    }

    fn binary(
        &mut self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Result<Vec<Reg>, Unsupported> {
        let (a, b) = (self.numbers(left)?, self.numbers(right)?);
        let (left_type, right_type) = (self.inner(left), self.inner(right));
        let kind = self.kind(left)?;
        if op == BinaryOperator::Multiply {
            let shape = match (left_type, right_type) {
                (
                    TypeInner::Matrix { rows, columns, .. },
                    TypeInner::Vector { .. } | TypeInner::Matrix { .. },
                ) => Some((*rows as usize, *columns as usize)),
                (TypeInner::Vector { size, .. }, TypeInner::Matrix { .. }) => {
                    Some((1, *size as usize))
                }
                _ => None,
            };
            if let Some((rows, inner)) = shape {
                return Ok(Number::words(&self.product(&a, &b, rows, inner)));
            }
        }
        let pick = |float, signed, unsigned| kind.pick(float, signed, unsigned);
        let (code, swap) = match op {
            BinaryOperator::Add => (pick(Code::AddF, Code::Add, Code::Add), false),
            BinaryOperator::Subtract => (pick(Code::SubF, Code::Sub, Code::Sub), false),
            BinaryOperator::Multiply => (pick(Code::MulF, Code::Mul, Code::Mul), false),
            BinaryOperator::Divide => (pick(Code::DivF, Code::DivS, Code::DivU), false),
            BinaryOperator::Modulo => (pick(Code::RemF, Code::RemS, Code::RemU), false),
            BinaryOperator::Equal => (pick(Code::EqF, Code::Eq, Code::Eq), false),
            BinaryOperator::NotEqual => (pick(Code::NeF, Code::Ne, Code::Ne), false),
            BinaryOperator::Less => (pick(Code::LtF, Code::LtS, Code::LtU), false),
            BinaryOperator::LessEqual => (pick(Code::LeF, Code::LeS, Code::LeU), false),
            BinaryOperator::Greater => (pick(Code::LtF, Code::LtS, Code::LtU), true),
            BinaryOperator::GreaterEqual => (pick(Code::LeF, Code::LeS, Code::LeU), true),
            BinaryOperator::And | BinaryOperator::LogicalAnd => (Code::And, false),
            BinaryOperator::ExclusiveOr => (Code::Xor, false),
            BinaryOperator::InclusiveOr | BinaryOperator::LogicalOr => (Code::Or, false),
            BinaryOperator::ShiftLeft => (Code::Shl, false),
            BinaryOperator::ShiftRight => (pick(Code::ShrU, Code::ShrS, Code::ShrU), false),
        };
        let found = if swap {
            self.each(code, &[&b, &a])
        } else {
            self.each(code, &[&a, &b])
        };
        Ok(Number::words(&found))
    }

    /// The product of a matrix with `rows` rows and `inner` columns with one of `inner` rows, both column by column.
    fn product(&mut self, a: &[Number], b: &[Number], rows: usize, inner: usize) -> Vec<Number> {
        let mut numbers = Vec::new();
        for column in b.chunks(inner) {
            for row in 0..rows {
                let terms: Vec<Number> = (0..inner)
                    .map(|k| self.number(Code::MulF, &[a[k * rows + row], column[k]]))
                    .collect();
                numbers.push(self.fold(Code::AddF, &terms));
            }
        }
        numbers
    }

    fn converted(
        &mut self,
        expr: Handle<Expression>,
        kind: ScalarKind,
        convert: Option<u8>,
    ) -> Result<Vec<Reg>, Unsupported> {
        let numbers = self.numbers(expr)?;
        let width = match (convert, self.inner(expr).scalar()) {
            (Some(width), _) => width,
            (None, Some(scalar)) => scalar.width,
            (None, None) => 4,
        };
        let to = Kind::of(naga::Scalar { kind, width })?;
        let found: Vec<Number> = numbers
            .into_iter()
            .map(|number| match convert {
                Some(_) => self.convert(number, to),
                None => self.cast(number, to),
            })
            .collect();
        Ok(Number::words(&found))
    }
}
