//! Which instructions compute what an operation does.
//!
//! Invariant: results are those of the interpreter, but for the last bits of functions.

use super::super::math_words as math;
use super::super::op::{Code, Op, Reg};
use super::micro::{Signs, Value, Width};
use super::select::Select;
use iced_x86::Code as X86;

impl Select<'_> {
    /// An operation with bits as its result.
    pub(super) fn truth(&mut self, op: &Op) -> Value {
        let [a, b, c, _] = op.operands;
        let mut bits =
            |reg: Option<Reg>| reg.map(|reg| self.bits(reg)).expect("it has that operand");
        match op.code {
            Code::CopyB => bits(a),
            Code::NotB => {
                let a = bits(a);
                self.logic(X86::VEX_Knotw_kr_kr, &[a])
            }
            Code::AndB => {
                let both = [bits(a), bits(b)];
                self.logic(X86::VEX_Kandw_kr_kr_kr, &both)
            }
            Code::OrB => {
                let both = [bits(a), bits(b)];
                self.logic(X86::VEX_Korw_kr_kr_kr, &both)
            }
            Code::XorB => {
                let both = [bits(a), bits(b)];
                self.logic(X86::VEX_Kxorw_kr_kr_kr, &both)
            }
            Code::AndNotB => {
                // The instruction inverts its first operand.
                let both = [bits(b), bits(a)];
                self.logic(X86::VEX_Kandnw_kr_kr_kr, &both)
            }
            Code::SelectB => {
                let known = |reg: Option<Reg>| reg.and_then(|reg| self.known_word(reg));
                let (yes_is, no_is) = (known(a), known(b));
                let (yes, no, mask) = (
                    self.bits(op.operands[0].expect("it is there")),
                    b,
                    self.bits(c.expect("it is there")),
                );
                if yes_is == Some(0) {
                    let no = self.bits(no.expect("it is there"));
                    return self.logic(X86::VEX_Kandnw_kr_kr_kr, &[mask, no]);
                }
                let kept = if no_is == Some(0) {
                    None
                } else {
                    let no = self.bits(no.expect("it is there"));
                    if yes_is == Some(u32::MAX) {
                        return self.logic(X86::VEX_Korw_kr_kr_kr, &[mask, no]);
                    }
                    Some(self.logic(X86::VEX_Kandnw_kr_kr_kr, &[mask, no]))
                };
                let taken = if yes_is == Some(u32::MAX) {
                    mask
                } else {
                    self.logic(X86::VEX_Kandw_kr_kr_kr, &[mask, yes])
                };
                match kept {
                    Some(kept) => self.logic(X86::VEX_Korw_kr_kr_kr, &[taken, kept]),
                    None => taken,
                }
            }
            _ => {
                let (a, b) = self.two(op);
                self.comparison(op.code, a, b)
            }
        }
    }

    pub(super) fn comparison(&mut self, code: Code, a: Value, b: Value) -> Value {
        use X86::{
            EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae as Floats,
            EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8 as Signed,
            EVEX_Vpcmpud_kr_k1_zmm_zmmm512b32_imm8 as Unsigned,
        };
        let (instruction, how) = match code {
            Code::EqF => (Floats, 0),
            Code::LtF => (Floats, 1),
            Code::LeF => (Floats, 2),
            Code::NeF => (Floats, 4),
            Code::Eq => (Signed, 0),
            Code::LtS => (Signed, 1),
            Code::LeS => (Signed, 2),
            Code::Ne => (Signed, 4),
            Code::LtU => (Unsigned, 1),
            _ => (Unsigned, 2),
        };
        self.test(instruction, Some(how), &[a, b])
    }

    pub(super) fn one(&mut self, op: &Op) -> Value {
        self.words(op.operands[0].expect("it has an operand"))
    }

    pub(super) fn two(&mut self, op: &Op) -> (Value, Value) {
        let a = self.one(op);
        (a, self.words(op.operands[1].expect("it has two operands")))
    }

    /// An operation with words as its result.
    pub(super) fn word(&mut self, op: &Op) -> Value {
        use X86::*;
        let binary = |code: Code| {
            Some(match code {
                Code::AddF => EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er,
                Code::SubF => EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er,
                Code::MulF => EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er,
                Code::DivF => EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er,
                Code::Add => EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32,
                Code::Sub => EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32,
                Code::Mul => EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32,
                Code::And => EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32,
                Code::Or => EVEX_Vpord_zmm_k1z_zmm_zmmm512b32,
                Code::Xor => EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
                Code::MinS => EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32,
                Code::MaxS => EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32,
                Code::MinU => EVEX_Vpminud_zmm_k1z_zmm_zmmm512b32,
                Code::MaxU => EVEX_Vpmaxud_zmm_k1z_zmm_zmmm512b32,
                _ => return None,
            })
        };
        if let Some(code) = binary(op.code) {
            let (a, b) = self.two(op);
            return self.vector(code, &[a, b]);
        }
        match op.code {
            Code::Load => self.load(op),
            Code::Copy => self.one(op),
            Code::Count => {
                let numbers = self.numbers();
                let scaled = match op.offset {
                    1 => numbers,
                    by if by.is_power_of_two() => {
                        let shift = by.trailing_zeros() as u8;
                        self.vector_by(EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8, shift, &[numbers])
                    }
                    by => {
                        let by = self.constant(by);
                        self.vector(EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32, &[numbers, by])
                    }
                };
                let first = self.one(op);
                self.vector(EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, &[scaled, first])
            }
            Code::Select => {
                let (yes, no) = self.two(op);
                let condition = op.operands[2].expect("it has three operands");
                let mask = if self.is_before {
                    let words = self.words(condition);
                    self.test(EVEX_Vptestmd_kr_k1_zmm_zmmm512b32, None, &[words, words])
                } else {
                    self.bits(condition)
                };
                self.choose(mask, yes, no)
            }
            Code::MulAddF | Code::MulSubF | Code::NegMulAddF => {
                let (a, b) = self.two(op);
                let c = self.words(op.operands[2].expect("it has three operands"));
                let signs = match op.code {
                    Code::MulAddF => Signs::Add,
                    Code::MulSubF => Signs::Subtract,
                    _ => Signs::From,
                };
                self.fused(signs, a, b, c)
            }
            Code::MinF | Code::MaxF => {
                let (a, b) = self.two(op);
                let how = if op.code == Code::MinF {
                    0b0100
                } else {
                    0b0101
                };
                self.vector_by(EVEX_Vrangeps_zmm_k1z_zmm_zmmm512b32_imm8_sae, how, &[a, b])
            }
            Code::RemF => {
                let (a, b) = self.two(op);
                let parts = self.vector(EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er, &[a, b]);
                let whole = self.round(0x0b, parts);
                self.fused(Signs::From, whole, b, a)
            }
            Code::NegF => {
                let a = self.one(op);
                let sign = self.constant(1 << 31);
                self.vector(EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, &[a, sign])
            }
            Code::AbsF => {
                let a = self.one(op);
                let rest = self.constant(u32::MAX >> 1);
                self.vector(EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, &[a, rest])
            }
            Code::RoundF => {
                let a = self.one(op);
                self.round(0x08, a)
            }
            Code::FloorF => {
                let a = self.one(op);
                self.round(0x09, a)
            }
            Code::CeilF => {
                let a = self.one(op);
                self.round(0x0a, a)
            }
            Code::TruncF => {
                let a = self.one(op);
                self.round(0x0b, a)
            }
            Code::FractF => {
                let a = self.one(op);
                let floor = self.round(0x09, a);
                self.sub(a, floor)
            }
            Code::SqrtF => {
                let a = self.one(op);
                self.vector(EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er, &[a])
            }
            Code::SignF => {
                let a = self.one(op);
                let zero = self.constant(0);
                let (one, minus_one) = (self.float(1.0), self.float(-1.0));
                let above = self.less(zero, a);
                let below = self.less(a, zero);
                let sign = self.masked(EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, above, &[one, one]);
                self.choose(below, minus_one, sign)
            }
            Code::Neg => {
                let a = self.one(op);
                let zero = self.constant(0);
                self.vector(EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32, &[zero, a])
            }
            Code::AbsS => {
                let a = self.one(op);
                self.vector(EVEX_Vpabsd_zmm_k1z_zmmm512b32, &[a])
            }
            Code::SignS => {
                let a = self.one(op);
                let (one, minus_one) = (self.constant(1), self.constant(u32::MAX));
                let low = self.vector(EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32, &[a, one]);
                self.vector(EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32, &[low, minus_one])
            }
            Code::Not => {
                let a = self.one(op);
                let all = self.constant(u32::MAX);
                self.vector(EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, &[a, all])
            }
            Code::AndNot => {
                let (a, b) = self.two(op);
                self.vector(EVEX_Vpandnd_zmm_k1z_zmm_zmmm512b32, &[b, a])
            }
            Code::Shl | Code::ShrS | Code::ShrU => self.shift(op),
            Code::LeadingZeros => {
                let a = self.one(op);
                self.vector(EVEX_Vplzcntd_zmm_k1z_zmmm512b32, &[a])
            }
            Code::CountOnes => {
                let a = self.one(op);
                self.vector(EVEX_Vpopcntd_zmm_k1z_zmmm512b32, &[a])
            }
            Code::StoF => {
                let a = self.one(op);
                self.vector(EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er, &[a])
            }
            Code::UtoF => {
                let a = self.one(op);
                self.vector(EVEX_Vcvtudq2ps_zmm_k1z_zmmm512b32_er, &[a])
            }
            Code::FtoS => {
                let a = self.one(op);
                let is_number =
                    self.test(EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, Some(7), &[a, a]);
                let most = self.float(math::MOST_I32);
                let a = self.vector(EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae, &[a, most]);
                self.masked(EVEX_Vcvttps2dq_zmm_k1z_zmmm512b32_sae, is_number, &[a])
            }
            Code::FtoU => {
                let a = self.one(op);
                let zero = self.constant(0);
                // Of no number and zero the second is taken.
                let a = self.vector(EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae, &[a, zero]);
                let most = self.float(math::MOST_U32);
                let a = self.vector(EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae, &[a, most]);
                self.vector(EVEX_Vcvttps2udq_zmm_k1z_zmmm512b32_sae, &[a])
            }
            Code::DivU | Code::RemU | Code::DivS | Code::RemS => self.division(op),
            Code::ExtractS | Code::ExtractU => {
                let known = |i: usize| op.operands[i].and_then(|reg| self.known_word(reg));
                let (from, count) = (known(1).unwrap_or(0).min(32), known(2).unwrap_or(0));
                let count = count.min(32 - from);
                let a = self.one(op);
                if count == 0 {
                    return self.constant(0);
                }
                let up = (32 - from - count) as u8;
                let high = self.vector_by(EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8, up, &[a]);
                let down = (32 - count) as u8;
                let code = if op.code == Code::ExtractS {
                    EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8
                } else {
                    EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8
                };
                self.vector_by(code, down, &[high])
            }
            Code::InverseSqrtF
            | Code::ExpF
            | Code::Exp2F
            | Code::LogF
            | Code::Log2F
            | Code::SinF
            | Code::CosF
            | Code::TanF => {
                let a = self.one(op);
                self.function(op.code, a)
            }
            Code::PowF => {
                let (a, b) = self.two(op);
                let log = self.function(Code::Log2F, a);
                let product = self.mul(b, log);
                self.function(Code::Exp2F, product)
            }
            // Comparisons of what is the same for all lanes.
            code => {
                let (a, b) = self.two(op);
                let mask = self.comparison(code, a, b);
                self.spread_mask(mask)
            }
        }
    }

    pub(super) fn shift(&mut self, op: &Op) -> Value {
        use X86::*;
        let a = self.one(op);
        let by = op.operands[1].expect("it has two operands");
        if let Some(by) = self.known_word(by) {
            let code = match op.code {
                Code::Shl => EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8,
                Code::ShrS => EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8,
                _ => EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8,
            };
            return self.vector_by(code, (by & 31) as u8, &[a]);
        }
        let by = self.words(by);
        let most = self.constant(31);
        let by = self.vector(EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, &[by, most]);
        let code = match op.code {
            Code::Shl => EVEX_Vpsllvd_zmm_k1z_zmm_zmmm512b32,
            Code::ShrS => EVEX_Vpsravd_zmm_k1z_zmm_zmmm512b32,
            _ => EVEX_Vpsrlvd_zmm_k1z_zmm_zmmm512b32,
        };
        self.vector(code, &[a, by])
    }

    /// Quotients and remainders, by way of numbers with 53 bits, in which they are exact.
    pub(super) fn division(&mut self, op: &Op) -> Value {
        use X86::*;
        let is_signed = matches!(op.code, Code::DivS | Code::RemS);
        let is_quotient = matches!(op.code, Code::DivS | Code::DivU);
        let (a, b) = self.two(op);
        if let Some(by) = op.operands[1].and_then(|reg| self.known_word(reg))
            && by.is_power_of_two()
            && !is_signed
        {
            if is_quotient {
                let shift = by.trailing_zeros() as u8;
                return self.vector_by(EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8, shift, &[a]);
            }
            let rest = self.constant(by - 1);
            return self.vector(EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, &[a, rest]);
        }
        let (wide, narrow) = if is_signed {
            (
                EVEX_Vcvtdq2pd_zmm_k1z_ymmm256b32_er,
                EVEX_Vcvttpd2dq_ymm_k1z_zmmm512b64_sae,
            )
        } else {
            (
                EVEX_Vcvtudq2pd_zmm_k1z_ymmm256b32_er,
                EVEX_Vcvttpd2udq_ymm_k1z_zmmm512b64_sae,
            )
        };
        let (whole, half) = (Width::Whole, Width::Half);
        let mut halves = [a; 2];
        for (i, quotient) in halves.iter_mut().enumerate() {
            let [a, b] = [a, b].map(|value| {
                let part = if i == 0 {
                    value
                } else {
                    self.half(
                        EVEX_Vextracti64x4_ymmm256_k1z_zmm_imm8,
                        Some(1),
                        [half, whole, whole],
                        &[value],
                    )
                };
                self.half(wide, None, [whole, half, whole], &[part])
            });
            let found = self.half(
                EVEX_Vdivpd_zmm_k1z_zmm_zmmm512b64_er,
                None,
                [whole; 3],
                &[a, b],
            );
            *quotient = self.half(narrow, None, [half, whole, whole], &[found]);
        }
        let quotient = self.half(
            EVEX_Vinserti64x4_zmm_k1z_zmm_ymmm256_imm8,
            Some(1),
            [whole, whole, half],
            &halves,
        );
        let zero = self.constant(0);
        let is_some = self.test(EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, Some(4), &[b, zero]);
        if is_quotient {
            return self.choose(is_some, quotient, a);
        }
        let product = self.vector(EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32, &[quotient, b]);
        self.masked(EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32, is_some, &[a, product])
    }
}
