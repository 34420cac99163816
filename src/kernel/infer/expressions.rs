//! What expressions can be.
//!
//! Takes naga's expressions apart; what the operations come to is the affair of `arithmetic`.
//!
//! Invariant: an expression that isn't followed is anything of its type.

use super::form::Form;
use super::machine::{Change, Frame, Lost, Machine, State};
use super::path::Path;
use super::sites::Does;
use super::value::{Cond, Int, Order, Place, Root, Step, Value};
use naga::{
    AddressSpace, BinaryOperator, Expression, GlobalVariable, Handle, Literal, MathFunction,
    RelationalFunction, ScalarKind, Type, TypeInner, UnaryOperator,
};
use smallvec::SmallVec;
use std::rc::Rc;

impl<'a> Machine<'a> {
    /// What an expression is that was evaluated, or that needn't be.
    pub(super) fn get(
        &mut self,
        frame: &mut Frame<'a>,
        handle: Handle<Expression>,
        state: &State,
    ) -> Value {
        if let Some(value) = &frame.values[handle.index()] {
            return value.clone();
        }
        let value = self.evaluate(frame, handle, state);
        frame.values[handle.index()] = Some(value.clone());
        value
    }

    /// An expression of the module, which is constant.
    pub(super) fn constant(&mut self, handle: Handle<Expression>) -> Value {
        match &self.module.global_expressions[handle] {
            Expression::Literal(literal) => of_literal(*literal),
            Expression::Constant(constant) => self.constant(self.module.constants[*constant].init),
            Expression::ZeroValue(ty) => self.zero(*ty),
            Expression::Compose { ty, components } => {
                let parts = components.iter().map(|part| self.constant(*part)).collect();
                self.composed(*ty, parts)
            }
            Expression::Splat { size, value } => {
                let value = self.constant(*value);
                Value::parts(vec![value; *size as usize])
            }
            _ => Value::Unknown,
        }
    }

    fn composed(&mut self, ty: Handle<Type>, parts: Vec<Value>) -> Value {
        match self.module.types[ty].inner {
            TypeInner::Struct { .. } => Value::parts(parts),
            TypeInner::Vector { .. } => {
                let mut flat = Vec::with_capacity(4);
                for part in parts {
                    match part {
                        Value::Parts(inner) => flat.extend(inner.iter().cloned()),
                        // Of a vector nobody knows how many there are.
                        Value::Unknown => return Value::Unknown,
                        other => flat.push(other),
                    }
                }
                Value::parts(flat)
            }
            _ => Value::Unknown,
        }
    }

    /// Works an expression out anew.
    pub(super) fn evaluate(
        &mut self,
        frame: &mut Frame<'a>,
        handle: Handle<Expression>,
        state: &State,
    ) -> Value {
        let value = self.computed(frame, handle, state);
        if value != Value::Unknown {
            return value;
        }
        let ty = frame.info[handle].ty.inner_with(&self.module.types).clone();
        self.unknown(&ty)
    }

    fn computed(
        &mut self,
        frame: &mut Frame<'a>,
        handle: Handle<Expression>,
        state: &State,
    ) -> Value {
        let path = &state.path;
        match &frame.function.expressions[handle] {
            Expression::Literal(literal) => of_literal(*literal),
            Expression::Constant(constant) => self.constant(self.module.constants[*constant].init),
            Expression::ZeroValue(ty) => self.zero(*ty),
            Expression::Compose { ty, components } => {
                let parts = components
                    .iter()
                    .map(|part| self.get(frame, *part, state))
                    .collect();
                self.composed(*ty, parts)
            }
            Expression::Splat { size, value } => {
                let value = self.get(frame, *value, state);
                Value::parts(vec![value; *size as usize])
            }
            Expression::Swizzle {
                size,
                vector,
                pattern,
            } => {
                let vector = self.get(frame, *vector, state);
                let parts = pattern[..*size as usize]
                    .iter()
                    .map(|part| vector.part(*part as usize));
                Value::parts(parts.collect())
            }
            Expression::FunctionArgument(place) => frame
                .arguments
                .get(*place as usize)
                .cloned()
                .unwrap_or(Value::Unknown),
            Expression::LocalVariable(local) => Value::Pointer(Rc::new(Place {
                root: Root::Own(self.slot(frame, *local)),
                steps: SmallVec::new(),
            })),
            Expression::GlobalVariable(global) => self.global(*global),
            Expression::AccessIndex { base, index } => match self.get(frame, *base, state) {
                Value::Pointer(place) => stepped(&place, Step::Member(*index)),
                value => value.part(*index as usize),
            },
            Expression::Access { base, index } => {
                let index = self.get(frame, *index, state);
                match self.get(frame, *base, state) {
                    Value::Pointer(place) => match index {
                        Value::Int(index) => stepped(&place, Step::Index(index)),
                        _ => {
                            self.lose(Lost::Unsupported);
                            Value::Unknown
                        }
                    },
                    Value::Parts(parts) => {
                        let number = match &index {
                            Value::Int(index) => {
                                self.used |= index.words;
                                self.number(index)
                            }
                            _ => None,
                        };
                        let number = number.and_then(|number| usize::try_from(number).ok());
                        number
                            .and_then(|number| parts.get(number).cloned())
                            .unwrap_or(Value::Unknown)
                    }
                    _ => Value::Unknown,
                }
            }
            Expression::Load { pointer } => {
                let at = frame.function.expressions.get_span(*pointer);
                match self.get(frame, *pointer, state) {
                    Value::Pointer(place) => self.load(&place, at, state),
                    _ => {
                        self.lose(Lost::Unsupported);
                        Value::Unknown
                    }
                }
            }
            Expression::ArrayLength(pointer) => match self.get(frame, *pointer, state) {
                Value::Pointer(place) => match place.root {
                    Root::Storage(variable) => match self.inputs.length(self.module, variable) {
                        Some(length) => Value::Int(Int::number(length.into(), false)),
                        None => Value::Unknown,
                    },
                    _ => Value::Unknown,
                },
                _ => Value::Unknown,
            },
            Expression::Unary { op, expr } => {
                let value = self.get(frame, *expr, state);
                self.unary(*op, &value, path)
            }
            Expression::Binary { op, left, right } => {
                let (left, right) = (
                    self.get(frame, *left, state),
                    self.get(frame, *right, state),
                );
                self.binary(*op, &left, &right, path)
            }
            Expression::Select {
                condition,
                accept,
                reject,
            } => {
                let condition = self.get(frame, *condition, state);
                let (accept, reject) = (
                    self.get(frame, *accept, state),
                    self.get(frame, *reject, state),
                );
                self.selected(&condition, &accept, &reject, path)
            }
            Expression::Relational { fun, argument } => {
                let value = self.get(frame, *argument, state);
                let parts = match &value {
                    Value::Parts(parts) => parts.to_vec(),
                    other => vec![other.clone()],
                };
                let conds = parts.into_iter().map(|part| match part {
                    Value::Bool(cond) => cond,
                    _ => Rc::new(Cond::Unknown),
                });
                match fun {
                    RelationalFunction::All => conds.reduce(|a, b| a.both(&b)),
                    RelationalFunction::Any => conds.reduce(|a, b| a.either(&b)),
                    _ => None,
                }
                .map_or(Value::Unknown, Value::Bool)
            }
            Expression::Math {
                fun,
                arg,
                arg1,
                arg2,
                arg3: _,
            } => {
                let first = self.get(frame, *arg, state);
                let mut more = |arg: &Option<Handle<Expression>>| {
                    arg.map_or(Value::Unknown, |arg| self.get(frame, arg, state))
                };
                let (second, third) = (more(arg1), more(arg2));
                self.math(*fun, &first, &second, &third, path)
            }
            Expression::As {
                expr,
                kind,
                convert,
            } => {
                let value = self.get(frame, *expr, state);
                let ty = frame.info[*expr].ty.inner_with(&self.module.types);
                let is_float = ty.scalar_kind() == Some(ScalarKind::Float);
                self.converted(&value, *kind, *convert, is_float, path)
            }
            _ => Value::Unknown,
        }
    }

    fn global(&mut self, handle: Handle<GlobalVariable>) -> Value {
        let root = match self.module.global_variables[handle].space {
            AddressSpace::Storage { .. } => Root::Storage(handle),
            AddressSpace::Uniform => Root::Uniform(handle),
            AddressSpace::Private => match self.private(handle) {
                Some(slot) => Root::Own(slot),
                None => Root::Other,
            },
            _ => Root::Other,
        };
        Value::Pointer(Rc::new(Place {
            root,
            steps: SmallVec::new(),
        }))
    }

    fn load(&mut self, place: &Place, at: naga::Span, state: &State) -> Value {
        match place.root {
            Root::Own(slot) => {
                self.depend_on(&place.steps);
                let mut value = state.variables.get(slot).cloned().unwrap_or(Value::Unknown);
                for step in &place.steps {
                    value = match step {
                        Step::Member(member) => value.part(*member as usize),
                        Step::Index(index) => {
                            let number = self.number(index);
                            let number = number.and_then(|number| usize::try_from(number).ok());
                            number.map_or(Value::Unknown, |number| value.part(number))
                        }
                    };
                }
                value
            }
            Root::Storage(variable) => {
                self.note(variable, place, Does::Read, at, state);
                Value::Unknown
            }
            Root::Uniform(variable) => self.uniform(variable, place),
            Root::Other => Value::Unknown,
        }
    }

    /// What was bound to a uniform, as far as a pointer leads to it.
    fn uniform(&mut self, variable: Handle<GlobalVariable>, place: &Place) -> Value {
        let module = self.module;
        let (mut ty, mut offset) = (module.global_variables[variable].ty, 0_u64);
        for step in &place.steps {
            let number = match step {
                Step::Member(member) => Some(i128::from(*member)),
                Step::Index(index) => {
                    self.used |= index.words;
                    self.number(index)
                }
            };
            let Some(number) = number.and_then(|number| u64::try_from(number).ok()) else {
                return Value::Unknown;
            };
            match &module.types[ty].inner {
                TypeInner::Struct { members, .. } => match members.get(number as usize) {
                    Some(member) => {
                        ty = member.ty;
                        offset += u64::from(member.offset);
                    }
                    None => return Value::Unknown,
                },
                TypeInner::Array {
                    base,
                    stride,
                    size: naga::ArraySize::Constant(count),
                } if number < u64::from(count.get()) => {
                    ty = *base;
                    offset += number * u64::from(*stride);
                }
                TypeInner::Vector { size, scalar } if number < *size as u64 => {
                    return self.uniform_scalar(
                        variable,
                        offset + number * u64::from(scalar.width),
                        *scalar,
                    );
                }
                _ => return Value::Unknown,
            }
        }
        self.uniform_at(variable, offset, ty)
    }

    fn uniform_at(
        &mut self,
        variable: Handle<GlobalVariable>,
        offset: u64,
        ty: Handle<Type>,
    ) -> Value {
        match &self.module.types[ty].inner {
            TypeInner::Scalar(scalar) => self.uniform_scalar(variable, offset, *scalar),
            TypeInner::Vector { size, scalar } => {
                let at = |part: u64| offset + part * u64::from(scalar.width);
                let parts =
                    (0..*size as u64).map(|part| self.uniform_scalar(variable, at(part), *scalar));
                Value::parts(parts.collect())
            }
            TypeInner::Struct { members, .. } => {
                let parts = members.iter();
                let parts = parts.map(|member| {
                    self.uniform_at(variable, offset + u64::from(member.offset), member.ty)
                });
                Value::parts(parts.collect())
            }
            _ => Value::Unknown,
        }
    }

    fn uniform_scalar(
        &mut self,
        variable: Handle<GlobalVariable>,
        offset: u64,
        scalar: naga::Scalar,
    ) -> Value {
        let is_signed = match (scalar.kind, scalar.width) {
            (ScalarKind::Uint, 4) => false,
            (ScalarKind::Sint, 4) => true,
            _ => return Value::Unknown,
        };
        let Some((place, word)) = self.inputs.word(variable, offset) else {
            return Value::Unknown;
        };
        let at = (place, offset as u32);
        let known = self.words.iter().position(|other| *other == at);
        let bit = known.unwrap_or_else(|| {
            self.words.push(at);
            self.words.len() - 1
        });
        // Those that no bit is left for share the last, which is always used.
        let words = 1 << bit.min(63);
        if bit >= 63 {
            self.used |= words;
        }
        let number = if is_signed {
            i128::from(word as i32)
        } else {
            i128::from(word)
        };
        Value::Int(Int {
            words,
            ..Int::number(number, is_signed)
        })
    }

    fn unary(&mut self, op: UnaryOperator, value: &Value, path: &Path) -> Value {
        match (op, value) {
            (_, Value::Parts(parts)) => Value::parts(
                parts
                    .iter()
                    .map(|part| self.unary(op, part, path))
                    .collect(),
            ),
            (UnaryOperator::LogicalNot, Value::Bool(cond)) => Value::Bool(cond.not()),
            (UnaryOperator::Negate, Value::Int(int)) => Value::Int(self.negate(int, path)),
            (UnaryOperator::BitwiseNot, Value::Int(int)) => {
                // -1 - x
                let minus_one = Int::number(-1, int.is_signed);
                Value::Int(self.subtract(&minus_one, int, path))
            }
            _ => Value::Unknown,
        }
    }

    fn binary(&mut self, op: BinaryOperator, left: &Value, right: &Value, path: &Path) -> Value {
        use BinaryOperator as Op;
        match (left, right) {
            (Value::Parts(a), Value::Parts(b)) if a.len() == b.len() => {
                let pairs = a.iter().zip(b.iter());
                Value::parts(pairs.map(|(a, b)| self.binary(op, a, b, path)).collect())
            }
            (Value::Parts(a), b @ (Value::Int(_) | Value::Unknown)) => {
                Value::parts(a.iter().map(|a| self.binary(op, a, b, path)).collect())
            }
            (a @ (Value::Int(_) | Value::Unknown), Value::Parts(b)) => {
                Value::parts(b.iter().map(|b| self.binary(op, a, b, path)).collect())
            }
            (Value::Bool(a), Value::Bool(b)) => Value::Bool(match op {
                Op::And | Op::LogicalAnd => a.both(b),
                Op::InclusiveOr | Op::LogicalOr => a.either(b),
                Op::Equal => a.both(b).either(&a.not().both(&b.not())),
                Op::NotEqual => a.both(&b.not()).either(&a.not().both(b)),
                _ => return Value::Unknown,
            }),
            (Value::Int(a), Value::Int(b)) => {
                let compare =
                    |order, a: &Int, b: &Int| Rc::new(Cond::Compare(order, a.clone(), b.clone()));
                match op {
                    Op::Add => Value::Int(self.add(a, b, path)),
                    Op::Subtract => Value::Int(self.subtract(a, b, path)),
                    Op::Multiply => Value::Int(self.multiply(a, b, path)),
                    Op::Divide => Value::Int(self.divide(a, b, path)),
                    Op::Modulo => Value::Int(self.modulo(a, b, path)),
                    Op::And => Value::Int(self.and(a, b, path)),
                    Op::InclusiveOr => Value::Int(self.or(a, b, Change::Set, path)),
                    Op::ExclusiveOr => Value::Int(self.or(a, b, Change::Turn, path)),
                    Op::ShiftLeft => Value::Int(self.shift_left(a, b, path)),
                    Op::ShiftRight => Value::Int(self.shift_right(a, b, path)),
                    Op::Less => Value::Bool(compare(Order::Less, a, b)),
                    Op::LessEqual => Value::Bool(compare(Order::LessOrEqual, a, b)),
                    Op::Greater => Value::Bool(compare(Order::Less, b, a)),
                    Op::GreaterEqual => Value::Bool(compare(Order::LessOrEqual, b, a)),
                    Op::Equal => Value::Bool(compare(Order::Equal, a, b)),
                    Op::NotEqual => Value::Bool(compare(Order::Equal, a, b).not()),
                    _ => Value::Unknown,
                }
            }
            _ => Value::Unknown,
        }
    }

    fn selected(
        &mut self,
        condition: &Value,
        accept: &Value,
        reject: &Value,
        path: &Path,
    ) -> Value {
        match (condition, accept, reject) {
            (_, Value::Parts(a), Value::Parts(b)) if a.len() == b.len() => {
                let parts = a.iter().zip(b.iter()).enumerate().map(|(i, (a, b))| {
                    let condition = match condition {
                        Value::Parts(parts) => parts.get(i).cloned().unwrap_or(Value::Unknown),
                        other => other.clone(),
                    };
                    self.selected(&condition, a, b, path)
                });
                Value::parts(parts.collect())
            }
            (_, Value::Int(accept), Value::Int(reject)) => {
                let unknown = Rc::new(Cond::Unknown);
                let cond = match condition {
                    Value::Bool(cond) => cond,
                    _ => &unknown,
                };
                Value::Int(self.select(cond, accept, reject, path))
            }
            (Value::Bool(cond), Value::Bool(accept), Value::Bool(reject)) => {
                let accepted = cond.both(accept);
                Value::Bool(accepted.either(&cond.not().both(reject)))
            }
            _ => Value::Unknown,
        }
    }

    fn math(&mut self, fun: MathFunction, a: &Value, b: &Value, c: &Value, path: &Path) -> Value {
        use MathFunction as Fun;
        match (fun, a, b) {
            (Fun::Dot, Value::Parts(a), Value::Parts(b)) => {
                let mut sum: Option<Int> = None;
                for (a, b) in a.iter().zip(b.iter()) {
                    let (Value::Int(a), Value::Int(b)) = (a, b) else {
                        return Value::Unknown;
                    };
                    let product = self.multiply(a, b, path);
                    sum = Some(match sum {
                        Some(sum) => self.add(&sum, &product, path),
                        None => product,
                    });
                }
                sum.map_or(Value::Unknown, Value::Int)
            }
            (Fun::Min | Fun::Max | Fun::Clamp | Fun::Abs, Value::Parts(parts), _) => {
                let part = |value: &Value, place: usize| match value {
                    Value::Parts(_) => value.part(place),
                    other => other.clone(),
                };
                let parts = parts.iter().enumerate();
                let parts = parts.map(|(i, a)| self.math(fun, a, &part(b, i), &part(c, i), path));
                Value::parts(parts.collect())
            }
            (Fun::Min, Value::Int(a), Value::Int(b)) => Value::Int(self.least(a, b, path)),
            (Fun::Max, Value::Int(a), Value::Int(b)) => Value::Int(self.largest(a, b, path)),
            (Fun::Clamp, Value::Int(a), Value::Int(low)) => match c {
                // WGSL: `min(max(e, low), high)`.
                Value::Int(high) => {
                    let least = self.largest(a, low, path);
                    Value::Int(self.least(&least, high, path))
                }
                _ => Value::Unknown,
            },
            (Fun::Abs, Value::Int(a), _) if a.is_signed => {
                let zero = Int::number(0, true);
                let is_negative = Cond::Compare(Order::Less, a.clone(), zero);
                let negative = self.negate(a, path);
                Value::Int(self.select(&is_negative, &negative, a, path))
            }
            (Fun::Abs, Value::Int(a), _) => Value::Int(a.clone()),
            (
                Fun::CountOneBits | Fun::CountLeadingZeros | Fun::CountTrailingZeros,
                Value::Int(a),
                _,
            ) => Value::Int(self.between(0, 32, a.is_signed, a.words)),
            _ => Value::Unknown,
        }
    }

    fn converted(
        &mut self,
        value: &Value,
        kind: ScalarKind,
        convert: Option<u8>,
        is_float: bool,
        path: &Path,
    ) -> Value {
        let is_signed = match kind {
            ScalarKind::Uint => false,
            ScalarKind::Sint => true,
            ScalarKind::Bool => {
                return match value {
                    Value::Int(int) => {
                        let is_zero =
                            Cond::Compare(Order::Equal, int.clone(), Int::number(0, int.is_signed));
                        Value::Bool(Rc::new(is_zero).not())
                    }
                    Value::Bool(_) => value.clone(),
                    _ => Value::Unknown,
                };
            }
            _ => return Value::Unknown,
        };
        if is_float || convert.is_some_and(|bytes| bytes != 4) {
            return Value::Unknown;
        }
        match value {
            // The same bits either way, and the bits are what cases are about.
            Value::Int(int) => Value::Int(int.as_signed(is_signed)),
            Value::Bool(cond) if convert.is_some() => {
                let (one, zero) = (Int::number(1, is_signed), Int::number(0, is_signed));
                Value::Int(self.select(cond, &one, &zero, path))
            }
            Value::Parts(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.converted(part, kind, convert, false, path));
                Value::parts(parts.collect())
            }
            _ => Value::Unknown,
        }
    }
}

fn of_literal(literal: Literal) -> Value {
    match literal {
        Literal::U32(value) => {
            // The shorter way around the circle, so that adding 2^32 - 1 is subtracting 1.
            Value::Int(Int::of(Form::number((value as i32).into()), false))
        }
        Literal::I32(value) => Value::Int(Int::number(value.into(), true)),
        Literal::Bool(value) => Value::bool(Cond::Known(value)),
        _ => Value::Unknown,
    }
}

fn stepped(place: &Place, step: Step) -> Value {
    let mut steps = place.steps.clone();
    steps.push(step);
    Value::Pointer(Rc::new(Place {
        root: place.root,
        steps,
    }))
}
