//! From naga's expressions to operations on words.
//!
//! A value is the words that its type comes apart into; vectors and matrices are computed word by word. The functions of
//! WGSL's library are the affair of `math`.
//!
//! Invariant: an expression has as many words as its type has leaves.

use super::Unsupported;
use super::build::Region;
use super::lower::{Base, Lowering, Pointer, Value};
use super::op::{Code, Input, Reg};
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

    fn literal(&mut self, literal: Literal) -> Result<Reg, Unsupported> {
        Ok(self.builder.constant(match literal {
            Literal::F32(value) => value.to_bits(),
            Literal::U32(value) => value,
            Literal::I32(value) => value as u32,
            Literal::Bool(value) => u32::from(value).wrapping_neg(),
            other => return Err(Unsupported::new(format!("the literal {other:?}"))),
        }))
    }

    /// The words of an expression outside of functions.
    pub(super) fn constant_words(
        &mut self,
        handle: Handle<Expression>,
    ) -> Result<Vec<Reg>, Unsupported> {
        let module = self.module;
        match &module.global_expressions[handle] {
            Expression::Literal(literal) => Ok(vec![self.literal(*literal)?]),
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
            Expression::Literal(literal) => vec![self.literal(*literal)?],
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
            Expression::Splat { size, value } => vec![self.word(*value)?; *size as usize],
            Expression::Swizzle {
                size,
                vector,
                pattern,
            } => {
                let words = self.words(*vector)?;
                pattern[..*size as usize]
                    .iter()
                    .map(|from| words[*from as usize])
                    .collect()
            }
            Expression::FunctionArgument(index) => {
                return Ok(self.frame().arguments[*index as usize].clone());
            }
            Expression::GlobalVariable(global) => return Ok(Value::Pointer(self.global(*global)?)),
            Expression::LocalVariable(local) => return Ok(Value::Pointer(self.local(*local))),
            Expression::Access { base, index } => {
                let index = self.word(*index)?;
                return self.access(*base, index);
            }
            Expression::AccessIndex { base, index } => return self.member(*base, *index),
            Expression::Load { pointer } => {
                let pointer = self.pointer(*pointer)?;
                self.read(&pointer)?
            }
            Expression::Unary { op, expr } => {
                let (kind, words) = (self.kind(*expr)?, self.words(*expr)?);
                let code = match (op, kind) {
                    (UnaryOperator::Negate, Kind::F32) => Code::NegF,
                    (UnaryOperator::Negate, _) => Code::Neg,
                    (UnaryOperator::LogicalNot | UnaryOperator::BitwiseNot, _) => Code::Not,
                };
                self.each(code, &[&words])
            }
            Expression::Binary { op, left, right } => self.binary(*op, *left, *right)?,
            Expression::Select {
                condition,
                accept,
                reject,
            } => {
                let kind = self.kind(*accept)?;
                let (accept, reject) = (self.words(*accept)?, self.words(*reject)?);
                let condition = self.words(*condition)?;
                let count = accept.len();
                let condition = |i: usize| condition[if condition.len() == 1 { 0 } else { i }];
                (0..count)
                    .map(|i| self.chosen(kind, accept[i], reject[i], condition(i)))
                    .collect()
            }
            Expression::Relational { fun, argument } => {
                let (kind, words) = (self.kind(*argument)?, self.words(*argument)?);
                match fun {
                    RelationalFunction::All => vec![self.fold(Code::And, &words)],
                    RelationalFunction::Any => vec![self.fold(Code::Or, &words)],
                    RelationalFunction::IsNan if kind == Kind::F32 => {
                        self.each(Code::NeF, &[&words, &words])
                    }
                    RelationalFunction::IsInf if kind == Kind::F32 => {
                        let magnitude = self.each(Code::AbsF, &[&words]);
                        let infinity = vec![self.builder.float(f32::INFINITY)];
                        self.each(Code::EqF, &[&magnitude, &infinity])
                    }
                    other => return Err(Unsupported::new(format!("{other:?} of integers"))),
                }
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
                let Base::Memory(Region { memory, .. }) = pointer.base else {
                    return Err(Unsupported::new("the length of a variable".to_owned()));
                };
                let elements = shape::elements(module, pointer.ty.inner(module))?;
                vec![self.builder.input(Input::Length {
                    memory,
                    first: pointer.first,
                    stride: elements.stride,
                })]
            }
            other => {
                let text = format!("{other:?}");
                let name = text.split([' ', '(', '{']).next().unwrap_or_default();
                return Err(Unsupported::new(format!("the expression {name}")));
            }
        };
        Ok(Value::Words(words))
    }

    /// The operation on each word; what has one word is used for all.
    pub(super) fn each(&mut self, code: Code, operands: &[&[Reg]]) -> Vec<Reg> {
        let count = operands.iter().map(|words| words.len()).max().unwrap_or(0);
        (0..count)
            .map(|i| {
                let operands: Vec<Reg> = operands
                    .iter()
                    .map(|words| words[if words.len() == 1 { 0 } else { i }])
                    .collect();
                self.builder.op(code, &operands)
            })
            .collect()
    }

    /// One word of many.
    pub(super) fn fold(&mut self, code: Code, words: &[Reg]) -> Reg {
        let mut all = words[0];
        for word in &words[1..] {
            all = self.builder.op(code, &[all, *word]);
        }
        all
    }

    fn member(&mut self, base: Handle<Expression>, index: u32) -> Result<Value, Unsupported> {
        let module = self.module;
        match self.value(base)? {
            Value::Pointer(mut pointer) => {
                let part = shape::part(module, pointer.ty.inner(module), index)?;
                pointer.first += match pointer.base {
                    Base::Variable(_) => part.first,
                    Base::Memory(_) => part.offset,
                };
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
                let step = match pointer.base {
                    Base::Variable(_) => elements.words,
                    Base::Memory(_) => elements.stride,
                };
                // Every load and store checks that it stays in its variable.
                pointer.ty = elements.ty;
                if let Some(known) = self.builder.known(index)
                    && elements.count.is_some_and(|count| known < count)
                {
                    pointer.first += known * step;
                    return Ok(Value::Pointer(pointer));
                }
                let step = self.builder.constant(step);
                let words = self.builder.op(Code::Mul, &[index, step]);
                pointer.dynamic = Some(match pointer.dynamic {
                    Some(dynamic) => self.builder.op(Code::Add, &[dynamic, words]),
                    None => words,
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
    fn chosen(&mut self, kind: Kind, yes: Reg, no: Reg, condition: Reg) -> Reg {
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
        let (a, b) = (self.words(left)?, self.words(right)?);
        let (left_type, right_type) = (self.inner(left), self.inner(right));
        let kind = self.kind(left)?;
        if op == BinaryOperator::Multiply {
            match (left_type, right_type) {
                (
                    TypeInner::Matrix { rows, columns, .. },
                    TypeInner::Vector { .. } | TypeInner::Matrix { .. },
                ) => {
                    let (rows, inner) = (*rows as usize, *columns as usize);
                    return Ok(self.product(&a, &b, rows, inner));
                }
                (TypeInner::Vector { size, .. }, TypeInner::Matrix { .. }) => {
                    return Ok(self.product(&a, &b, 1, *size as usize));
                }
                _ => {}
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
        Ok(if swap {
            self.each(code, &[&b, &a])
        } else {
            self.each(code, &[&a, &b])
        })
    }

    /// The product of a matrix with `rows` rows and `inner` columns with one of `inner` rows, both column by column.
    fn product(&mut self, a: &[Reg], b: &[Reg], rows: usize, inner: usize) -> Vec<Reg> {
        let mut words = Vec::new();
        for column in b.chunks(inner) {
            for row in 0..rows {
                let terms: Vec<Reg> = (0..inner)
                    .map(|k| self.builder.op(Code::MulF, &[a[k * rows + row], column[k]]))
                    .collect();
                words.push(self.fold(Code::AddF, &terms));
            }
        }
        words
    }

    fn converted(
        &mut self,
        expr: Handle<Expression>,
        kind: ScalarKind,
        convert: Option<u8>,
    ) -> Result<Vec<Reg>, Unsupported> {
        let (from, words) = (self.kind(expr)?, self.words(expr)?);
        let Some(width) = convert else {
            return Ok(words);
        };
        let to = Kind::of(naga::Scalar { kind, width })?;
        let code = match (from, to) {
            (Kind::F32, Kind::I32) => Code::FtoS,
            (Kind::F32, Kind::U32) => Code::FtoU,
            (Kind::I32, Kind::F32) => Code::StoF,
            (Kind::U32, Kind::F32) => Code::UtoF,
            (Kind::F32, Kind::Bool) => {
                let zero = vec![self.builder.constant(0)];
                return Ok(self.each(Code::NeF, &[&words, &zero]));
            }
            (Kind::I32 | Kind::U32, Kind::Bool) => {
                let zero = vec![self.builder.constant(0)];
                return Ok(self.each(Code::Ne, &[&words, &zero]));
            }
            (Kind::Bool, Kind::F32 | Kind::I32 | Kind::U32) => {
                let zero = vec![self.builder.constant(0)];
                let one = vec![if to == Kind::F32 {
                    self.builder.float(1.0)
                } else {
                    self.builder.constant(1)
                }];
                return Ok(self.each(Code::Select, &[&one, &zero, &words]));
            }
            _ => return Ok(words),
        };
        Ok(self.each(code, &[&words]))
    }
}
