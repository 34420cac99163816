//! WGSL's library of functions, in operations on words.
//!
//! What has no operation of its own is composed of those that have; formulas are those of the WGSL specification.
//!
//! Invariant: a function of vectors is computed component by component unless it says otherwise.

use super::Unsupported;
use super::lower::Lowering;
use super::number::Number;
use super::op::{Code, Reg};
use super::shape::Kind;
use naga::{Expression, Handle, MathFunction, TypeInner};

impl Lowering<'_> {
    pub(super) fn math(
        &mut self,
        function: MathFunction,
        arguments: &[Handle<Expression>],
    ) -> Result<Vec<Reg>, Unsupported> {
        let kind = self.kind(arguments[0])?;
        let mut all = Vec::new();
        for argument in arguments {
            all.push(self.numbers(*argument)?);
        }
        if let Some(code) = component_wise(function, kind) {
            let operands: Vec<&[Number]> = all.iter().map(Vec::as_slice).collect();
            return Ok(Number::words(&self.each(code, &operands)));
        }
        let result = self.composed(function, arguments, &all)?;
        Ok(Number::words(&result))
    }

    /// What has no operation of its own.
    fn composed(
        &mut self,
        function: MathFunction,
        arguments: &[Handle<Expression>],
        all: &[Vec<Number>],
    ) -> Result<Vec<Number>, Unsupported> {
        use MathFunction as F;
        let a = all[0].clone();
        let kind = a[0].kind;
        let b = all.get(1).cloned().unwrap_or_default();
        let c = all.get(2).cloned().unwrap_or_default();
        let d = all.get(3).cloned().unwrap_or_default();
        let (least, most) = (
            kind.pick(Code::MinF, Code::MinS, Code::MinU),
            kind.pick(Code::MaxF, Code::MaxS, Code::MaxU),
        );
        Ok(match function {
            F::Abs => a,
            F::Sign => {
                let one = [self.number_of(kind, 1.0)];
                self.each(least, &[&a, &one])
            }
            F::Clamp => {
                let above = self.each(most, &[&a, &b]);
                self.each(least, &[&above, &c])
            }
            F::Saturate => {
                let (zero, one) = ([self.number_of(kind, 0.0)], [self.number_of(kind, 1.0)]);
                let above = self.each(Code::MaxF, &[&a, &zero]);
                self.each(Code::MinF, &[&above, &one])
            }
            F::Radians | F::Degrees => {
                let factor = if function == F::Radians {
                    std::f64::consts::PI / 180.0
                } else {
                    180.0 / std::f64::consts::PI
                };
                let factor = [self.number_of(kind, factor)];
                self.each(Code::MulF, &[&a, &factor])
            }
            F::Modf => {
                let whole = self.each(Code::TruncF, &[&a]);
                let mut parts = self.each(Code::SubF, &[&a, &whole]);
                parts.extend(whole);
                parts
            }
            F::Frexp => {
                let mut parts = self.each(Code::FrexpFractionF, &[&a]);
                // The exponent is an integer of the same size.
                let to = if kind.is_wide() { Kind::I64 } else { Kind::I32 };
                for exponent in self.each(Code::FrexpExponentF, &[&a]) {
                    parts.push(self.convert(exponent, to));
                }
                parts
            }
            F::Dot => vec![self.dot(&a, &b)],
            F::Cross => [(1, 2), (2, 0), (0, 1)]
                .into_iter()
                .map(|(i, j)| {
                    let back = self.number(Code::MulF, &[a[j], b[i]]);
                    let forth = self.number(Code::MulF, &[a[i], b[j]]);
                    self.number(Code::SubF, &[forth, back])
                })
                .collect(),
            F::Outer => {
                let mut product = Vec::new();
                for right in &b {
                    product.extend(self.each(Code::MulF, &[&a, &[*right]]));
                }
                product
            }
            F::Length => vec![self.length(&a)],
            F::Distance => {
                let apart = self.each(Code::SubF, &[&a, &b]);
                vec![self.length(&apart)]
            }
            F::Normalize => {
                let square = self.dot(&a, &a);
                let scale = [self.number(Code::InverseSqrtF, &[square])];
                self.each(Code::MulF, &[&a, &scale])
            }
            F::FaceForward => {
                let along = self.dot(&b, &c);
                let zero = self.number_of(kind, 0.0);
                let is_back = [self.number(Code::LtF, &[along, zero])];
                let opposite = self.each(Code::NegF, &[&a]);
                self.each(Code::Select, &[&a, &opposite, &is_back])
            }
            F::Reflect => {
                let along = self.dot(&b, &a);
                let twice = [self.number(Code::AddF, &[along, along])];
                let back = self.each(Code::MulF, &[&b, &twice]);
                self.each(Code::SubF, &[&a, &back])
            }
            F::Refract => self.refract(&a, &b, c[0]),
            F::Mix => {
                let one = [self.number_of(kind, 1.0)];
                let rest = self.each(Code::SubF, &[&one, &c]);
                let first = self.each(Code::MulF, &[&a, &rest]);
                let second = self.each(Code::MulF, &[&b, &c]);
                self.each(Code::AddF, &[&first, &second])
            }
            F::Step => {
                let reached = self.each(Code::LeF, &[&a, &b]);
                let (zero, one) = ([self.number_of(kind, 0.0)], [self.number_of(kind, 1.0)]);
                self.each(Code::Select, &[&one, &zero, &reached])
            }
            F::SmoothStep => {
                let (zero, one) = ([self.number_of(kind, 0.0)], [self.number_of(kind, 1.0)]);
                let along = self.each(Code::SubF, &[&c, &a]);
                let all = self.each(Code::SubF, &[&b, &a]);
                let part = self.each(Code::DivF, &[&along, &all]);
                let above = self.each(Code::MaxF, &[&part, &zero]);
                let t = self.each(Code::MinF, &[&above, &one]);
                let square = self.each(Code::MulF, &[&t, &t]);
                let (two, three) = ([self.number_of(kind, 2.0)], [self.number_of(kind, 3.0)]);
                let twice = self.each(Code::MulF, &[&two, &t]);
                let rest = self.each(Code::SubF, &[&three, &twice]);
                self.each(Code::MulF, &[&square, &rest])
            }
            F::Transpose => match self.inner(arguments[0]) {
                TypeInner::Matrix { columns, rows, .. } => {
                    let (columns, rows) = (*columns as usize, *rows as usize);
                    (0..rows)
                        .flat_map(|row| (0..columns).map(move |column| column * rows + row))
                        .map(|i| a[i])
                        .collect()
                }
                other => return Err(Unsupported::new(format!("transpose of {other:?}"))),
            },
            F::Determinant => {
                let size = (a.len() as f64).sqrt() as usize;
                vec![self.determinant(&a, size)]
            }
            F::InsertBits => self.insert(&a, &b, c[0], d[0]),
            F::Dot4I8Packed | F::Dot4U8Packed => {
                let extract = if function == F::Dot4I8Packed {
                    Code::ExtractS
                } else {
                    Code::ExtractU
                };
                let products: Vec<Number> = (0..4)
                    .map(|i| {
                        let [a, b] = [a[0], b[0]].map(|word| self.bits(extract, word, i * 8, 8));
                        self.number(Code::Mul, &[a, b])
                    })
                    .collect();
                vec![self.fold(Code::Add, &products)]
            }
            F::Pack4x8snorm => vec![self.pack(&a, 8, -1.0, 127.0)],
            F::Pack4x8unorm => vec![self.pack(&a, 8, 0.0, 255.0)],
            F::Pack2x16snorm => vec![self.pack(&a, 16, -1.0, 32767.0)],
            F::Pack2x16unorm => vec![self.pack(&a, 16, 0.0, 65535.0)],
            F::Pack2x16float => vec![self.number(Code::PackHalf, &[a[0], a[1]])],
            F::Pack4xI8 | F::Pack4xU8 => vec![self.join(&a, 8)],
            F::Pack4xI8Clamp => {
                let (low, high) = (
                    [self.number_of(kind, -128.0)],
                    [self.number_of(kind, 127.0)],
                );
                let above = self.each(Code::MaxS, &[&a, &low]);
                let clamped = self.each(Code::MinS, &[&above, &high]);
                vec![self.join(&clamped, 8)]
            }
            F::Pack4xU8Clamp => {
                let high = [self.number_of(kind, 255.0)];
                let clamped = self.each(Code::MinU, &[&a, &high]);
                vec![self.join(&clamped, 8)]
            }
            F::Unpack4x8snorm => self.unpack(a[0], 8, Code::ExtractS, Some((-1.0, 127.0))),
            F::Unpack4x8unorm => self.unpack(a[0], 8, Code::ExtractU, Some((0.0, 255.0))),
            F::Unpack2x16snorm => self.unpack(a[0], 16, Code::ExtractS, Some((-1.0, 32767.0))),
            F::Unpack2x16unorm => self.unpack(a[0], 16, Code::ExtractU, Some((0.0, 65535.0))),
            F::Unpack2x16float => vec![
                self.number(Code::UnpackHalfLow, &[a[0]]),
                self.number(Code::UnpackHalfHigh, &[a[0]]),
            ],
            F::Unpack4xI8 => self.unpack(a[0], 8, Code::ExtractS, None),
            F::Unpack4xU8 => self.unpack(a[0], 8, Code::ExtractU, None),
            other => return Err(Unsupported::new(format!("the function {other:?}"))),
        })
    }

    fn dot(&mut self, a: &[Number], b: &[Number]) -> Number {
        let (multiply, add) = if a[0].kind.is_float() {
            (Code::MulF, Code::AddF)
        } else {
            (Code::Mul, Code::Add)
        };
        let products = self.each(multiply, &[a, b]);
        self.fold(add, &products)
    }

    fn length(&mut self, a: &[Number]) -> Number {
        if let [one] = a {
            return self.number(Code::AbsF, &[*one]);
        }
        let square = self.dot(a, a);
        self.number(Code::SqrtF, &[square])
    }

    fn refract(&mut self, incident: &[Number], normal: &[Number], ratio: Number) -> Vec<Number> {
        let kind = ratio.kind;
        let (zero, one) = (self.number_of(kind, 0.0), self.number_of(kind, 1.0));
        let along = self.dot(normal, incident);
        let square = self.number(Code::MulF, &[along, along]);
        let rest = self.number(Code::SubF, &[one, square]);
        let ratio_square = self.number(Code::MulF, &[ratio, ratio]);
        let bent = self.number(Code::MulF, &[ratio_square, rest]);
        let k = self.number(Code::SubF, &[one, bent]);
        let root = self.number(Code::SqrtF, &[k]);
        let scaled = self.number(Code::MulF, &[ratio, along]);
        let sum = [self.number(Code::AddF, &[scaled, root])];
        let first = self.each(Code::MulF, &[incident, &[ratio]]);
        let second = self.each(Code::MulF, &[normal, &sum]);
        let through = self.each(Code::SubF, &[&first, &second]);
        let is_total = [self.number(Code::LtF, &[k, zero])];
        self.each(Code::Select, &[&[zero], &through, &is_total])
    }

    /// By the first column.
    fn determinant(&mut self, a: &[Number], size: usize) -> Number {
        if size == 1 {
            return a[0];
        }
        let mut terms = Vec::new();
        for row in 0..size {
            let minor: Vec<Number> = (1..size)
                .flat_map(|column| {
                    (0..size)
                        .filter(move |other| *other != row)
                        .map(move |other| column * size + other)
                })
                .map(|i| a[i])
                .collect();
            let inner = self.determinant(&minor, size - 1);
            let term = self.number(Code::MulF, &[a[row], inner]);
            terms.push(if row % 2 == 0 {
                term
            } else {
                self.number(Code::NegF, &[term])
            });
        }
        self.fold(Code::AddF, &terms)
    }

    fn bits(&mut self, extract: Code, word: Number, first: u32, count: u32) -> Number {
        let [first, count] = [first, count].map(|n| self.number_of(Kind::U32, f64::from(n)));
        self.number(extract, &[word, first, count])
    }

    /// `insertBits`: offset and count are cut to what a number has.
    fn insert(
        &mut self,
        base: &[Number],
        bits: &[Number],
        first: Number,
        count: Number,
    ) -> Vec<Number> {
        let kind = base[0].kind;
        let bits_of = if kind.is_wide() {
            64.0
        } else if kind.is_half() {
            16.0
        } else {
            32.0
        };
        let width = self.number_of(Kind::U32, bits_of);
        let first = self.number(Code::MinU, &[first, width]);
        let room = self.number(Code::Sub, &[width, first]);
        let count = self.number(Code::MinU, &[count, room]);
        let (all, zero) = (self.number_of(kind, 0.0), self.number_of(Kind::U32, 0.0));
        let all = self.number(Code::Not, &[all]);
        let ones = self.number(Code::ExtractU, &[all, zero, count]);
        // A shift by all bits is one by 0, but then there are no ones to shift.
        let mask = [self.number(Code::Shl, &[ones, first])];
        let moved = self.each(Code::Shl, &[bits, &[first]]);
        let taken = self.each(Code::And, &[&moved, &mask]);
        let kept = self.each(Code::AndNot, &[base, &mask]);
        self.each(Code::Or, &[&taken, &kept])
    }

    /// The low bits of each word, the first lowest.
    fn join(&mut self, words: &[Number], width: u32) -> Number {
        let parts: Vec<Number> = words
            .iter()
            .enumerate()
            .map(|(i, word)| {
                let part = self.bits(Code::ExtractU, *word, 0, width);
                let shift = self.number_of(Kind::U32, f64::from(i as u32 * width));
                self.number(Code::Shl, &[part, shift])
            })
            .collect();
        self.fold(Code::Or, &parts)
    }

    fn pack(&mut self, a: &[Number], width: u32, low: f64, scale: f64) -> Number {
        let kind = Kind::F32;
        let [low, one, scale, half] = [low, 1.0, scale, 0.5].map(|x| [self.number_of(kind, x)]);
        let above = self.each(Code::MaxF, &[a, &low]);
        let clamped = self.each(Code::MinF, &[&above, &one]);
        let scaled = self.each(Code::MulF, &[&clamped, &scale]);
        let up = self.each(Code::AddF, &[&scaled, &half]);
        let whole = self.each(Code::FloorF, &[&up]);
        let integers: Vec<Number> = whole
            .into_iter()
            .map(|number| self.convert(number, Kind::I32))
            .collect();
        self.join(&integers, width)
    }

    fn unpack(
        &mut self,
        word: Number,
        width: u32,
        extract: Code,
        normal: Option<(f64, f64)>,
    ) -> Vec<Number> {
        let kind = if extract == Code::ExtractS {
            Kind::I32
        } else {
            Kind::U32
        };
        let word = self.cast(word, kind);
        let parts: Vec<Number> = (0..32 / width)
            .map(|i| self.bits(extract, word, i * width, width))
            .collect();
        let Some((low, scale)) = normal else {
            return parts;
        };
        let (low, scale) = (
            [self.number_of(Kind::F32, low)],
            [self.number_of(Kind::F32, scale)],
        );
        let floats: Vec<Number> = parts
            .into_iter()
            .map(|part| self.convert(part, Kind::F32))
            .collect();
        let scaled = self.each(Code::DivF, &[&floats, &scale]);
        self.each(Code::MaxF, &[&scaled, &low])
    }
}

/// The operation that a function is, component by component, if it has one of its own.
fn component_wise(function: MathFunction, kind: Kind) -> Option<Code> {
    use MathFunction as F;
    match function {
        F::Abs if kind.is_float() => Some(Code::AbsF),
        F::Abs if kind.is_signed() => Some(Code::AbsS),
        F::Min => Some(kind.pick(Code::MinF, Code::MinS, Code::MinU)),
        F::Max => Some(kind.pick(Code::MaxF, Code::MaxS, Code::MaxU)),
        F::Cos => Some(Code::CosF),
        F::Cosh => Some(Code::CoshF),
        F::Sin => Some(Code::SinF),
        F::Sinh => Some(Code::SinhF),
        F::Tan => Some(Code::TanF),
        F::Tanh => Some(Code::TanhF),
        F::Acos => Some(Code::AcosF),
        F::Asin => Some(Code::AsinF),
        F::Atan => Some(Code::AtanF),
        F::Atan2 => Some(Code::Atan2F),
        F::Asinh => Some(Code::AsinhF),
        F::Acosh => Some(Code::AcoshF),
        F::Atanh => Some(Code::AtanhF),
        F::Ceil => Some(Code::CeilF),
        F::Floor => Some(Code::FloorF),
        F::Round => Some(Code::RoundF),
        F::Fract => Some(Code::FractF),
        F::Trunc => Some(Code::TruncF),
        F::Ldexp => Some(Code::LdexpF),
        F::Exp => Some(Code::ExpF),
        F::Exp2 => Some(Code::Exp2F),
        F::Log => Some(Code::LogF),
        F::Log2 => Some(Code::Log2F),
        F::Pow => Some(Code::PowF),
        F::Sign if kind.is_float() => Some(Code::SignF),
        F::Sign if kind.is_signed() => Some(Code::SignS),
        F::Fma => Some(Code::MulAddF),
        F::Sqrt => Some(Code::SqrtF),
        F::InverseSqrt => Some(Code::InverseSqrtF),
        F::QuantizeToF16 => Some(Code::QuantizeF),
        F::CountTrailingZeros => Some(Code::TrailingZeros),
        F::CountLeadingZeros => Some(Code::LeadingZeros),
        F::CountOneBits => Some(Code::CountOnes),
        F::ReverseBits => Some(Code::ReverseBits),
        F::FirstTrailingBit => Some(Code::FirstTrailing),
        F::FirstLeadingBit if kind.is_signed() => Some(Code::FirstLeadingS),
        F::FirstLeadingBit => Some(Code::FirstLeadingU),
        F::ExtractBits if kind.is_signed() => Some(Code::ExtractS),
        F::ExtractBits => Some(Code::ExtractU),
        _ => None,
    }
}
