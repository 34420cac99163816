//! Functions of sixteen numbers, as instructions.
//!
//! The polynomials are those of `lanes::functions`; exponents are taken and given by instructions made for that.
//!
//! Invariant: errors stay below what the WGSL specification allows ("Accuracy of built-in functions").

use super::super::functions::{COSINE, EXPONENTIAL, LOGARITHM, SINE};
use super::super::op::Code;
use super::micro::{Signs, Value};
use super::select::Select;
use iced_x86::Code as X86;

impl Select<'_> {
    pub(super) fn function(&mut self, code: Code, x: Value) -> Value {
        match code {
            Code::InverseSqrtF => self.inverse_sqrt(x),
            Code::ExpF => self.exp(x),
            Code::Exp2F => self.exp2(x),
            Code::LogF => self.log(x),
            Code::Log2F => self.log2(x),
            Code::SinF => self.angle(x).0,
            Code::CosF => self.angle(x).1,
            _ => {
                let (sine, cosine) = self.angle(x);
                self.vector(X86::EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er, &[sine, cosine])
            }
        }
    }

    /// The polynomial with these coefficients, the highest power first.
    fn polynomial(&mut self, x: Value, coefficients: &[f32]) -> Value {
        let mut sum = self.float(coefficients[0]);
        for coefficient in &coefficients[1..] {
            let coefficient = self.float(*coefficient);
            sum = self.fused(Signs::Add, sum, x, coefficient);
        }
        sum
    }

    /// An estimate of 14 bits, and a step of Newton's; the estimate alone where it is exact.
    fn inverse_sqrt(&mut self, x: Value) -> Value {
        let estimate = self.vector(X86::EVEX_Vrsqrt14ps_zmm_k1z_zmmm512b32, &[x]);
        let half = self.float(0.5);
        let half_x = self.mul(x, half);
        let product = self.mul(half_x, estimate);
        let rest = self.fused(Signs::From, product, estimate, half);
        let better = self.fused(Signs::Add, estimate, rest, estimate);
        // Zeros and infinities of either sign.
        let is_exact = self.test(X86::EVEX_Vfpclassps_kr_k1_zmmm512b32_imm8, Some(0x1e), &[x]);
        self.choose(is_exact, estimate, better)
    }

    /// `e^r 2^n` for a small r and an integer n.
    fn power(&mut self, r: Value, n: Value) -> Value {
        let p = self.polynomial(r, &EXPONENTIAL);
        let square = self.mul(r, r);
        let rest = self.fused(Signs::Add, p, square, r);
        let one = self.float(1.0);
        let sum = self.add(rest, one);
        self.vector(X86::EVEX_Vscalefps_zmm_k1z_zmm_zmmm512b32_er, &[sum, n])
    }

    fn exp(&mut self, x: Value) -> Value {
        let near = self.between(x, -104.0, 90.0);
        let log2_e = self.float(std::f32::consts::LOG2_E);
        let scaled = self.mul(near, log2_e);
        let n = self.round(0x08, scaled);
        let (high, low) = (self.float(0.693_359_4), self.float(-2.121_944_4e-4));
        let r = self.fused(Signs::From, n, high, near);
        let r = self.fused(Signs::From, n, low, r);
        self.power(r, n)
    }

    fn exp2(&mut self, x: Value) -> Value {
        let near = self.between(x, -151.0, 129.0);
        let n = self.round(0x08, near);
        let part = self.sub(near, n);
        let ln_2 = self.float(std::f32::consts::LN_2);
        let r = self.mul(part, ln_2);
        self.power(r, n)
    }

    /// Limits what is a number; what isn't stays as it is.
    fn between(&mut self, x: Value, low: f32, high: f32) -> Value {
        let (low, high) = (self.float(low), self.float(high));
        // Of no number and a limit these take the second operand.
        let above = self.vector(X86::EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae, &[low, x]);
        self.vector(X86::EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae, &[high, above])
    }

    /// The logarithm of the part of a number between the square roots of a half and of two, and the exponent.
    fn log_parts(&mut self, x: Value) -> (Value, Value) {
        let one = self.float(1.0);
        // From one to two, and no number for what is below zero.
        let part = self.vector_by(
            X86::EVEX_Vgetmantps_zmm_k1z_zmmm512b32_imm8_sae,
            0b1000,
            &[x],
        );
        let exponent = self.vector(X86::EVEX_Vgetexpps_zmm_k1z_zmmm512b32_sae, &[x]);
        let (root, half) = (self.float(std::f32::consts::SQRT_2), self.float(0.5));
        let is_high = self.less(root, part);
        let lower = self.mul(part, half);
        let part = self.choose(is_high, lower, part);
        let more = self.add(exponent, one);
        let exponent = self.choose(is_high, more, exponent);
        let part = self.sub(part, one);
        let p = self.polynomial(part, &LOGARITHM);
        let square = self.mul(part, part);
        let cube = self.mul(part, square);
        let high = self.mul(cube, p);
        let rest = self.fused(Signs::From, square, half, high);
        (self.add(part, rest), exponent)
    }

    fn log(&mut self, x: Value) -> Value {
        let (log, exponent) = self.log_parts(x);
        let (high, low) = (self.float(0.693_359_4), self.float(2.121_944_4e-4));
        let less = self.fused(Signs::From, exponent, low, log);
        let found = self.fused(Signs::Add, exponent, high, less);
        self.infinite(x, exponent, found)
    }

    fn log2(&mut self, x: Value) -> Value {
        let (log, exponent) = self.log_parts(x);
        let log2_e = self.float(std::f32::consts::LOG2_E);
        let found = self.fused(Signs::Add, log, log2_e, exponent);
        self.infinite(x, exponent, found)
    }

    /// The exponent itself for zeros and infinities, where the parts cancel each other.
    fn infinite(&mut self, x: Value, exponent: Value, found: Value) -> Value {
        // Zeros of either sign and positive infinity.
        let is_infinite = self.test(X86::EVEX_Vfpclassps_kr_k1_zmmm512b32_imm8, Some(0x0e), &[x]);
        self.choose(is_infinite, exponent, found)
    }

    /// The sine and cosine of an angle.
    fn angle(&mut self, x: Value) -> (Value, Value) {
        let per_quarter = self.float(std::f32::consts::FRAC_2_PI);
        let scaled = self.mul(x, per_quarter);
        let quarters = self.round(0x08, scaled);
        // Half of pi in three parts.
        let mut r = x;
        for part in [std::f32::consts::FRAC_PI_2, -4.371_139e-8, -1.715_124_5e-15] {
            let part = self.float(part);
            r = self.fused(Signs::From, quarters, part, r);
        }
        // Of angles beyond some millions nothing is known, but sines stay sines.
        let r = self.between(r, -0.8, 0.8);
        let square = self.mul(r, r);
        let s = self.polynomial(square, &SINE);
        let cube = self.mul(square, r);
        let sine = self.fused(Signs::Add, s, cube, r);
        let c = self.polynomial(square, &COSINE);
        let fourth = self.mul(square, square);
        let (half, one) = (self.float(0.5), self.float(1.0));
        let low = self.fused(Signs::From, square, half, one);
        let cosine = self.fused(Signs::Add, c, fourth, low);
        let quarter = self.vector(X86::EVEX_Vcvttps2dq_zmm_k1z_zmmm512b32_sae, &[quarters]);
        let (first, next) = (quarter, {
            let one = self.constant(1);
            self.vector(X86::EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, &[quarter, one])
        });
        (
            self.turned(first, sine, cosine),
            self.turned(next, sine, cosine),
        )
    }

    /// What a sine is in this quarter.
    fn turned(&mut self, quarter: Value, sine: Value, cosine: Value) -> Value {
        let (one, two) = (self.constant(1), self.constant(2));
        let is_odd = self.test(
            X86::EVEX_Vptestmd_kr_k1_zmm_zmmm512b32,
            None,
            &[quarter, one],
        );
        let found = self.choose(is_odd, cosine, sine);
        let half = self.vector(X86::EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, &[quarter, two]);
        let sign = self.vector_by(X86::EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8, 30, &[half]);
        self.vector(X86::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, &[found, sign])
    }
}
