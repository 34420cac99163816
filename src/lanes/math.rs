//! WGSL's library of functions, in operations on words.
//!
//! What has no operation of its own is composed of those that have; formulas are those of the WGSL specification.
//!
//! Invariant: a function of vectors is computed component by component unless it says otherwise.

use super::Unsupported;
use super::lower::Lowering;
use super::op::{Code, Reg};
use super::shape::Kind;
use naga::{Expression, Handle, MathFunction, TypeInner};

impl Lowering<'_> {
    pub(super) fn math(
        &mut self,
        function: MathFunction,
        arguments: &[Handle<Expression>],
    ) -> Result<Vec<Reg>, Unsupported> {
        use MathFunction as F;
        let kind = self.kind(arguments[0])?;
        let mut words = Vec::new();
        for argument in arguments {
            words.push(self.words(*argument)?);
        }
        let a = words[0].clone();
        let b = words.get(1).cloned().unwrap_or_default();
        let c = words.get(2).cloned().unwrap_or_default();
        let d = words.get(3).cloned().unwrap_or_default();
        let is_float = kind == Kind::F32;
        let is_signed = kind == Kind::I32;
        let (least, most) = (
            kind.pick(Code::MinF, Code::MinS, Code::MinU),
            kind.pick(Code::MaxF, Code::MaxS, Code::MaxU),
        );
        let simple = match function {
            F::Abs if is_float => Some(Code::AbsF),
            F::Abs if is_signed => Some(Code::AbsS),
            F::Min => Some(least),
            F::Max => Some(most),
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
            F::Sign if is_float => Some(Code::SignF),
            F::Sign => Some(Code::SignS),
            F::Fma => Some(Code::MulAddF),
            F::Sqrt => Some(Code::SqrtF),
            F::InverseSqrt => Some(Code::InverseSqrtF),
            F::QuantizeToF16 => Some(Code::QuantizeF),
            F::CountTrailingZeros => Some(Code::TrailingZeros),
            F::CountLeadingZeros => Some(Code::LeadingZeros),
            F::CountOneBits => Some(Code::CountOnes),
            F::ReverseBits => Some(Code::ReverseBits),
            F::FirstTrailingBit => Some(Code::FirstTrailing),
            F::FirstLeadingBit if is_signed => Some(Code::FirstLeadingS),
            F::FirstLeadingBit => Some(Code::FirstLeadingU),
            F::ExtractBits if is_signed => Some(Code::ExtractS),
            F::ExtractBits => Some(Code::ExtractU),
            _ => None,
        };
        if let Some(code) = simple {
            let operands: Vec<&[Reg]> = words.iter().map(Vec::as_slice).collect();
            return Ok(self.each(code, &operands));
        }
        Ok(match function {
            F::Abs => a,
            F::Clamp => {
                let above = self.each(most, &[&a, &b]);
                self.each(least, &[&above, &c])
            }
            F::Saturate => {
                let (zero, one) = ([self.builder.float(0.0)], [self.builder.float(1.0)]);
                let above = self.each(Code::MaxF, &[&a, &zero]);
                self.each(Code::MinF, &[&above, &one])
            }
            F::Radians | F::Degrees => {
                let factor = if function == F::Radians {
                    std::f32::consts::PI / 180.0
                } else {
                    180.0 / std::f32::consts::PI
                };
                let factor = [self.builder.float(factor)];
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
                parts.extend(self.each(Code::FrexpExponentF, &[&a]));
                parts
            }
            F::Dot => vec![self.dot(kind, &a, &b)],
            F::Cross => [(1, 2), (2, 0), (0, 1)]
                .into_iter()
                .map(|(i, j)| {
                    let back = self.builder.op(Code::MulF, &[a[j], b[i]]);
                    let forth = self.builder.op(Code::MulF, &[a[i], b[j]]);
                    self.builder.op(Code::SubF, &[forth, back])
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
                let square = self.dot(Kind::F32, &a, &a);
                let scale = [self.builder.op(Code::InverseSqrtF, &[square])];
                self.each(Code::MulF, &[&a, &scale])
            }
            F::FaceForward => {
                let along = self.dot(Kind::F32, &b, &c);
                let zero = self.builder.float(0.0);
                let is_back = [self.builder.op(Code::LtF, &[along, zero])];
                let opposite = self.each(Code::NegF, &[&a]);
                self.each(Code::Select, &[&a, &opposite, &is_back])
            }
            F::Reflect => {
                let along = self.dot(Kind::F32, &b, &a);
                let twice = [self.builder.op(Code::AddF, &[along, along])];
                let back = self.each(Code::MulF, &[&b, &twice]);
                self.each(Code::SubF, &[&a, &back])
            }
            F::Refract => self.refract(&a, &b, c[0]),
            F::Mix => {
                let one = [self.builder.float(1.0)];
                let rest = self.each(Code::SubF, &[&one, &c]);
                let first = self.each(Code::MulF, &[&a, &rest]);
                let second = self.each(Code::MulF, &[&b, &c]);
                self.each(Code::AddF, &[&first, &second])
            }
            F::Step => {
                let reached = self.each(Code::LeF, &[&a, &b]);
                let (zero, one) = ([self.builder.float(0.0)], [self.builder.float(1.0)]);
                self.each(Code::Select, &[&one, &zero, &reached])
            }
            F::SmoothStep => {
                let (zero, one) = ([self.builder.float(0.0)], [self.builder.float(1.0)]);
                let along = self.each(Code::SubF, &[&c, &a]);
                let all = self.each(Code::SubF, &[&b, &a]);
                let part = self.each(Code::DivF, &[&along, &all]);
                let above = self.each(Code::MaxF, &[&part, &zero]);
                let t = self.each(Code::MinF, &[&above, &one]);
                let square = self.each(Code::MulF, &[&t, &t]);
                let (two, three) = ([self.builder.float(2.0)], [self.builder.float(3.0)]);
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
                let products: Vec<Reg> = (0..4)
                    .map(|i| {
                        let [a, b] = [a[0], b[0]].map(|word| self.bits(extract, word, i * 8, 8));
                        self.builder.op(Code::Mul, &[a, b])
                    })
                    .collect();
                vec![self.fold(Code::Add, &products)]
            }
            F::Pack4x8snorm => vec![self.pack(&a, 8, -1.0, 127.0)],
            F::Pack4x8unorm => vec![self.pack(&a, 8, 0.0, 255.0)],
            F::Pack2x16snorm => vec![self.pack(&a, 16, -1.0, 32767.0)],
            F::Pack2x16unorm => vec![self.pack(&a, 16, 0.0, 65535.0)],
            F::Pack2x16float => vec![self.builder.op(Code::PackHalf, &[a[0], a[1]])],
            F::Pack4xI8 | F::Pack4xU8 => vec![self.join(&a, 8)],
            F::Pack4xI8Clamp => {
                let (low, high) = (
                    [self.builder.constant(-128_i32 as u32)],
                    [self.builder.constant(127)],
                );
                let above = self.each(Code::MaxS, &[&a, &low]);
                let clamped = self.each(Code::MinS, &[&above, &high]);
                vec![self.join(&clamped, 8)]
            }
            F::Pack4xU8Clamp => {
                let high = [self.builder.constant(255)];
                let clamped = self.each(Code::MinU, &[&a, &high]);
                vec![self.join(&clamped, 8)]
            }
            F::Unpack4x8snorm => self.unpack(a[0], 8, Code::ExtractS, Some((-1.0, 127.0))),
            F::Unpack4x8unorm => self.unpack(a[0], 8, Code::ExtractU, Some((0.0, 255.0))),
            F::Unpack2x16snorm => self.unpack(a[0], 16, Code::ExtractS, Some((-1.0, 32767.0))),
            F::Unpack2x16unorm => self.unpack(a[0], 16, Code::ExtractU, Some((0.0, 65535.0))),
            F::Unpack2x16float => vec![
                self.builder.op(Code::UnpackHalfLow, &[a[0]]),
                self.builder.op(Code::UnpackHalfHigh, &[a[0]]),
            ],
            F::Unpack4xI8 => self.unpack(a[0], 8, Code::ExtractS, None),
            F::Unpack4xU8 => self.unpack(a[0], 8, Code::ExtractU, None),
            other => return Err(Unsupported::new(format!("the function {other:?}"))),
        })
    }

    fn dot(&mut self, kind: Kind, a: &[Reg], b: &[Reg]) -> Reg {
        let (multiply, add) = if kind == Kind::F32 {
            (Code::MulF, Code::AddF)
        } else {
            (Code::Mul, Code::Add)
        };
        let products = self.each(multiply, &[a, b]);
        self.fold(add, &products)
    }

    fn length(&mut self, a: &[Reg]) -> Reg {
        if let [one] = a {
            return self.builder.op(Code::AbsF, &[*one]);
        }
        let square = self.dot(Kind::F32, a, a);
        self.builder.op(Code::SqrtF, &[square])
    }

    fn refract(&mut self, incident: &[Reg], normal: &[Reg], ratio: Reg) -> Vec<Reg> {
        let (zero, one) = (self.builder.float(0.0), self.builder.float(1.0));
        let along = self.dot(Kind::F32, normal, incident);
        let square = self.builder.op(Code::MulF, &[along, along]);
        let rest = self.builder.op(Code::SubF, &[one, square]);
        let ratio_square = self.builder.op(Code::MulF, &[ratio, ratio]);
        let bent = self.builder.op(Code::MulF, &[ratio_square, rest]);
        let k = self.builder.op(Code::SubF, &[one, bent]);
        let root = self.builder.op(Code::SqrtF, &[k]);
        let scaled = self.builder.op(Code::MulF, &[ratio, along]);
        let sum = [self.builder.op(Code::AddF, &[scaled, root])];
        let first = self.each(Code::MulF, &[incident, &[ratio]]);
        let second = self.each(Code::MulF, &[normal, &sum]);
        let through = self.each(Code::SubF, &[&first, &second]);
        let is_total = [self.builder.op(Code::LtF, &[k, zero])];
        self.each(Code::Select, &[&[zero], &through, &is_total])
    }

    /// By the first column.
    fn determinant(&mut self, a: &[Reg], size: usize) -> Reg {
        if size == 1 {
            return a[0];
        }
        let mut terms = Vec::new();
        for row in 0..size {
            let minor: Vec<Reg> = (1..size)
                .flat_map(|column| {
                    (0..size)
                        .filter(move |other| *other != row)
                        .map(move |other| column * size + other)
                })
                .map(|i| a[i])
                .collect();
            let inner = self.determinant(&minor, size - 1);
            let term = self.builder.op(Code::MulF, &[a[row], inner]);
            terms.push(if row % 2 == 0 {
                term
            } else {
                self.builder.op(Code::NegF, &[term])
            });
        }
        self.fold(Code::AddF, &terms)
    }

    fn bits(&mut self, extract: Code, word: Reg, first: u32, count: u32) -> Reg {
        let (first, count) = (self.builder.constant(first), self.builder.constant(count));
        self.builder.op(extract, &[word, first, count])
    }

    /// `insertBits`: offset and count are cut to what a word has.
    fn insert(&mut self, base: &[Reg], bits: &[Reg], first: Reg, count: Reg) -> Vec<Reg> {
        let (all, width) = (self.builder.constant(u32::MAX), self.builder.constant(32));
        let first = self.builder.op(Code::MinU, &[first, width]);
        let room = self.builder.op(Code::Sub, &[width, first]);
        let count = self.builder.op(Code::MinU, &[count, room]);
        let zero = self.builder.constant(0);
        let ones = self.builder.op(Code::ExtractU, &[all, zero, count]);
        // A shift by 32 is one by 0, but then there are no ones to shift.
        let mask = [self.builder.op(Code::Shl, &[ones, first])];
        let moved = self.each(Code::Shl, &[bits, &[first]]);
        let taken = self.each(Code::And, &[&moved, &mask]);
        let kept = self.each(Code::AndNot, &[base, &mask]);
        self.each(Code::Or, &[&taken, &kept])
    }

    /// The low bits of each word, the first lowest.
    fn join(&mut self, words: &[Reg], width: u32) -> Reg {
        let parts: Vec<Reg> = words
            .iter()
            .enumerate()
            .map(|(i, word)| {
                let part = self.bits(Code::ExtractU, *word, 0, width);
                let shift = self.builder.constant(i as u32 * width);
                self.builder.op(Code::Shl, &[part, shift])
            })
            .collect();
        self.fold(Code::Or, &parts)
    }

    fn pack(&mut self, a: &[Reg], width: u32, low: f32, scale: f32) -> Reg {
        let (low, one) = ([self.builder.float(low)], [self.builder.float(1.0)]);
        let (scale, half) = ([self.builder.float(scale)], [self.builder.float(0.5)]);
        let above = self.each(Code::MaxF, &[a, &low]);
        let clamped = self.each(Code::MinF, &[&above, &one]);
        let scaled = self.each(Code::MulF, &[&clamped, &scale]);
        let up = self.each(Code::AddF, &[&scaled, &half]);
        let whole = self.each(Code::FloorF, &[&up]);
        let integers = self.each(Code::FtoS, &[&whole]);
        self.join(&integers, width)
    }

    fn unpack(
        &mut self,
        word: Reg,
        width: u32,
        extract: Code,
        normal: Option<(f32, f32)>,
    ) -> Vec<Reg> {
        let parts: Vec<Reg> = (0..32 / width)
            .map(|i| self.bits(extract, word, i * width, width))
            .collect();
        let Some((low, scale)) = normal else {
            return parts;
        };
        let convert = if extract == Code::ExtractS {
            Code::StoF
        } else {
            Code::UtoF
        };
        let (low, scale) = ([self.builder.float(low)], [self.builder.float(scale)]);
        let floats = self.each(convert, &[&parts]);
        let scaled = self.each(Code::DivF, &[&floats, &scale]);
        self.each(Code::MaxF, &[&scaled, &low])
    }
}
