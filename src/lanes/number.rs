//! Numbers of all kinds, whatever words hold them.
//!
//! Numbers of 32 bits are words, those of 16 bits are words that are brought back to 16 bits after each operation, those
//! of 64 bits are two words. What functions compute is the affair of `math`.
//!
//! Invariant: a number of 16 bits has a value that 16 bits can hold.

use super::Unsupported;
use super::lower::Lowering;
use super::op::{Code, Reg};
use super::shape::Kind;
use super::wide::{Half, WideOp};
use naga::{Expression, Handle};

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    pub(super) kind: Kind,
    pub(super) word: Reg,
    /// Of those that take two words.
    pub(super) high: Option<Reg>,
}

impl Number {
    pub(super) fn new(kind: Kind, word: Reg) -> Self {
        Self {
            kind,
            word,
            high: None,
        }
    }

    /// Numbers of a kind that has two words for each, or one.
    pub(super) fn all(kind: Kind, words: &[Reg]) -> Vec<Self> {
        if kind.is_wide() {
            words
                .chunks_exact(2)
                .map(|pair| Self {
                    kind,
                    word: pair[0],
                    high: Some(pair[1]),
                })
                .collect()
        } else {
            words.iter().map(|word| Self::new(kind, *word)).collect()
        }
    }

    pub(super) fn words(numbers: &[Self]) -> Vec<Reg> {
        let both = |number: &Self| [Some(number.word), number.high];
        numbers.iter().flat_map(both).flatten().collect()
    }
}

impl Lowering<'_> {
    /// The components of an expression whose components are all of one kind.
    pub(super) fn numbers(
        &mut self,
        handle: Handle<Expression>,
    ) -> Result<Vec<Number>, Unsupported> {
        let kind = self.kind(handle)?;
        Ok(Number::all(kind, &self.words(handle)?))
    }

    /// A constant of a kind.
    pub(super) fn number_of(&mut self, kind: Kind, value: f64) -> Number {
        match kind {
            Kind::F64 => self.wide_constant(kind, value.to_bits()),
            Kind::I64 => self.wide_constant(kind, value as i64 as u64),
            Kind::U64 => self.wide_constant(kind, value as u64),
            Kind::F32 | Kind::F16 => Number::new(kind, self.builder.float(value as f32)),
            _ => Number::new(kind, self.builder.constant(value as i64 as u32)),
        }
    }

    pub(super) fn wide_constant(&mut self, kind: Kind, number: u64) -> Number {
        Number {
            kind,
            word: self.builder.constant(number as u32),
            high: Some(self.builder.constant((number >> 32) as u32)),
        }
    }

    /// The operation on each; what is one is used for all.
    pub(super) fn each(&mut self, code: Code, operands: &[&[Number]]) -> Vec<Number> {
        let count = operands.iter().map(|all| all.len()).max().unwrap_or(0);
        (0..count)
            .map(|i| {
                let operands: Vec<Number> = operands
                    .iter()
                    .map(|all| all[if all.len() == 1 { 0 } else { i }])
                    .collect();
                self.number(code, &operands)
            })
            .collect()
    }

    /// One of many.
    pub(super) fn fold(&mut self, code: Code, numbers: &[Number]) -> Number {
        let mut all = numbers[0];
        for number in &numbers[1..] {
            all = self.number(code, &[all, *number]);
        }
        all
    }

    /// What an operation computes, of the kind of its first operand but for truth values and exponents.
    pub(super) fn number(&mut self, code: Code, operands: &[Number]) -> Number {
        let kind = operands[0].kind;
        if kind.is_wide() {
            return self.wide(code, operands);
        }
        match kind {
            Kind::I16 | Kind::U16 => return self.short(code, operands),
            _ => {}
        }
        let words: Vec<Reg> = operands.iter().map(|number| number.word).collect();
        let word = self.builder.op(code, &words);
        let kind = result_kind(code, kind);
        if kind == Kind::F16 && rounds(code) {
            return Number::new(kind, self.builder.op(Code::QuantizeF, &[word]));
        }
        Number::new(kind, word)
    }

    /// `condition ? yes : no`, whatever they are.
    pub(super) fn select(&mut self, yes: Number, no: Number, condition: Reg) -> Number {
        if yes.kind == Kind::Bool {
            return Number::new(
                yes.kind,
                self.chosen(yes.kind, yes.word, no.word, condition),
            );
        }
        let mut one = |yes, no| self.builder.op(Code::Select, &[yes, no, condition]);
        let word = one(yes.word, no.word);
        let high = yes.high.zip(no.high).map(|(yes, no)| one(yes, no));
        Number {
            kind: yes.kind,
            word,
            high,
        }
    }

    fn halves(&mut self, op: WideOp, words: &[Reg], kind: Kind) -> Number {
        let word = self.builder.op(Code::Wide(op, Half::Low), words);
        let high = kind
            .is_wide()
            .then(|| self.builder.op(Code::Wide(op, Half::High), words));
        Number { kind, word, high }
    }

    fn wide(&mut self, code: Code, operands: &[Number]) -> Number {
        let kind = operands[0].kind;
        match (code, operands) {
            (Code::MulAddF, [a, b, c]) => {
                let product = self.number(Code::MulF, &[*a, *b]);
                return self.number(Code::AddF, &[product, *c]);
            }
            (Code::Select, [yes, no, condition]) => return self.select(*yes, *no, condition.word),
            (Code::And | Code::Or | Code::Xor | Code::AndNot | Code::Not | Code::Copy, _) => {
                let words: Vec<Reg> = operands.iter().map(|number| number.word).collect();
                let word = self.builder.op(code, &words);
                let words: Vec<Reg> = operands.iter().filter_map(|number| number.high).collect();
                let high = Some(self.builder.op(code, &words));
                return Number { kind, word, high };
            }
            _ => {}
        }
        let Some(op) = WideOp::of(code) else {
            debug_assert!(false, "{code:?} has no meaning for 64 bits");
            return operands[0];
        };
        let zero = self.builder.constant(0);
        let words: Vec<Reg> = match operands {
            // The place and number of bits share the place of a number.
            [a, first, count] => vec![a.word, a.high.unwrap_or(zero), first.word, count.word],
            _ => operands
                .iter()
                .flat_map(|number| [number.word, number.high.unwrap_or(zero)])
                .collect(),
        };
        let found = self.halves(op, &words, result_kind(code, kind));
        if found.kind == Kind::Bool {
            let is_so = self.builder.op(Code::Ne, &[found.word, zero]);
            return Number::new(Kind::Bool, is_so);
        }
        found
    }

    /// On integers of 16 bits.
    fn short(&mut self, code: Code, operands: &[Number]) -> Number {
        let kind = operands[0].kind;
        let mut words: Vec<Reg> = operands.iter().map(|number| number.word).collect();
        let mut with = |code, word, by| {
            let by = self.builder.constant(by);
            self.builder.op(code, &[word, by])
        };
        match code {
            Code::Shl | Code::ShrS | Code::ShrU => words[1] = with(Code::And, words[1], 15),
            Code::CountOnes | Code::LeadingZeros => words[0] = with(Code::And, words[0], 0xffff),
            Code::TrailingZeros => words[0] = with(Code::Or, words[0], 1 << 16),
            Code::ReverseBits => words[0] = with(Code::Shl, words[0], 16),
            Code::ExtractS | Code::ExtractU => {
                let width = self.builder.constant(16);
                words[1] = self.builder.op(Code::MinU, &[words[1], width]);
                let room = self.builder.op(Code::Sub, &[width, words[1]]);
                words[2] = self.builder.op(Code::MinU, &[words[2], room]);
            }
            _ => {}
        }
        let mut word = self.builder.op(code, &words);
        if code == Code::LeadingZeros {
            let width = self.builder.constant(16);
            word = self.builder.op(Code::Sub, &[word, width]);
        }
        let kind = result_kind(code, kind);
        if kind == Kind::Bool {
            return Number::new(kind, word);
        }
        self.shortened(kind, word)
    }

    /// The low 16 bits of a word as a number.
    pub(super) fn shortened(&mut self, kind: Kind, word: Reg) -> Number {
        let extract = kind.pick(Code::ExtractU, Code::ExtractS, Code::ExtractU);
        let (first, count) = (self.builder.constant(0), self.builder.constant(16));
        Number::new(kind, self.builder.op(extract, &[word, first, count]))
    }

    /// The same bits as another kind of the same size.
    pub(super) fn cast(&mut self, number: Number, to: Kind) -> Number {
        match (number.kind, to) {
            (Kind::F16, Kind::I16 | Kind::U16) => {
                let zero = self.builder.constant(0);
                let bits = self.builder.op(Code::PackHalf, &[number.word, zero]);
                self.shortened(to, bits)
            }
            (Kind::I16 | Kind::U16, Kind::F16) => {
                Number::new(to, self.builder.op(Code::UnpackHalfLow, &[number.word]))
            }
            (Kind::I16 | Kind::U16, Kind::I16 | Kind::U16) => self.shortened(to, number.word),
            _ => Number { kind: to, ..number },
        }
    }

    /// The value as another kind: from floats the nearest that both kinds have, between integers wrapping.
    pub(super) fn convert(&mut self, number: Number, to: Kind) -> Number {
        use Kind::{Bool, F16, F32, F64, I16, I32, I64, U16, U32, U64};
        let from = number.kind;
        if from == to {
            return number;
        }
        let zero = self.builder.constant(0);
        let words = [number.word, number.high.unwrap_or(zero)];
        match (from, to) {
            (Bool, _) => {
                let (one, none) = (self.number_of(to, 1.0), self.number_of(to, 0.0));
                self.select(one, none, number.word)
            }
            (_, Bool) => {
                let none = self.number_of(from, 0.0);
                let differs = from.pick(Code::NeF, Code::Ne, Code::Ne);
                self.number(differs, &[number, none])
            }
            (F64, F16) => self.halves(WideOp::F64ToF16, &words, to),
            (_, F16) => {
                let near = self.convert(number, F32);
                Number::new(to, self.builder.op(Code::QuantizeF, &[near.word]))
            }
            (F32 | F16 | F64, I16 | U16) => {
                // The bounds are integers that 32 bits hold, whatever the sign.
                let (low, high) = if to == I16 {
                    (-32768.0, 32767.0)
                } else {
                    (0.0, 65535.0)
                };
                let (low, high) = (self.number_of(I32, low), self.number_of(I32, high));
                let whole = self.convert(number, I32);
                let above = self.number(Code::MaxS, &[whole, low]);
                let clamped = self.number(Code::MinS, &[above, high]);
                Number::new(to, clamped.word)
            }
            (_, I16 | U16) => self.shortened(to, number.word),
            (F16, F32) => Number::new(to, number.word),
            (F16, I32 | U32 | I64 | U64) => {
                // What isn't finite becomes the integer of the last number that is.
                let [least, most] = [-65504.0, 65504.0].map(|limit| self.number_of(F16, limit));
                let below = self.number(Code::MinF, &[number, most]);
                let inside = self.number(Code::MaxF, &[below, least]);
                self.convert(Number::new(F32, inside.word), to)
            }
            (F32, I32) => Number::new(to, self.builder.op(Code::FtoS, &[number.word])),
            (F32, U32) => Number::new(to, self.builder.op(Code::FtoU, &[number.word])),
            (F32 | F16, F64) => self.halves(WideOp::F32ToF64, &words, to),
            (F32, I64) => self.halves(WideOp::F32ToI64, &words, to),
            (F32, U64) => self.halves(WideOp::F32ToU64, &words, to),
            (F64, F32) => self.halves(WideOp::F64ToF32, &words, to),
            (F64, I32) => self.halves(WideOp::F64ToI32, &words, to),
            (F64, U32) => self.halves(WideOp::F64ToU32, &words, to),
            (F64, I64) => self.halves(WideOp::F64ToI64, &words, to),
            (F64, U64) => self.halves(WideOp::F64ToU64, &words, to),
            (I64, F32) => self.halves(WideOp::I64ToF32, &words, to),
            (U64, F32) => self.halves(WideOp::U64ToF32, &words, to),
            (I64, F64) => self.halves(WideOp::I64ToF64, &words, to),
            (U64, F64) => self.halves(WideOp::U64ToF64, &words, to),
            (I32 | I16, F32) => Number::new(to, self.builder.op(Code::StoF, &[number.word])),
            (U32 | U16, F32) => Number::new(to, self.builder.op(Code::UtoF, &[number.word])),
            (I32 | I16 | U32 | U16, F64) => {
                let wide = self.convert(number, I64);
                self.convert(wide, to)
            }
            (I32 | I16, I64 | U64) => {
                let places = self.builder.constant(31);
                let high = Some(self.builder.op(Code::ShrS, &[number.word, places]));
                Number {
                    kind: to,
                    word: number.word,
                    high,
                }
            }
            (U32 | U16, I64 | U64) => Number {
                kind: to,
                word: number.word,
                high: Some(zero),
            },
            (I64 | U64, I32 | U32) | (I32 | U32 | I16 | U16, I32 | U32) => {
                Number::new(to, number.word)
            }
            (I64 | U64, I64 | U64) => Number { kind: to, ..number },
            (F32, F32) | (F64, F64) => number,
        }
    }
}

/// What an operation on numbers of a kind gives.
fn result_kind(code: Code, kind: Kind) -> Kind {
    match code {
        _ if code.is_comparison() => Kind::Bool,
        Code::FrexpExponentF => Kind::I32,
        _ => kind,
    }
}

/// Whether a result of numbers that 16 bits hold may be one that they don't.
fn rounds(code: Code) -> bool {
    use Code::{
        AbsF, CeilF, Copy, FloorF, FrexpFractionF, MaxF, MinF, NegF, QuantizeF, RoundF, Select,
        SignF, TruncF,
    };
    !matches!(
        code,
        AbsF | CeilF
            | Copy
            | FloorF
            | FrexpFractionF
            | MaxF
            | MinF
            | NegF
            | QuantizeF
            | RoundF
            | Select
            | SignF
            | TruncF
    )
}
