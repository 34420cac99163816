//! Operations on numbers of 64 bits.
//!
//! A number is two words, the lower first; an operation takes two numbers and gives one, of which a step keeps one half.
//! What needs a word beside a number has it in the place of the second number.
//!
//! Invariant: integers wrap, and nothing traps.

use super::math_words::at_most;
use super::op::Code;

/// Which word of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Half {
    Low,
    High,
}

impl Half {
    pub(super) fn of(self, number: u64) -> u32 {
        match self {
            Half::Low => number as u32,
            Half::High => (number >> 32) as u32,
        }
    }
}

/// The number of two words.
pub(super) fn number(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// What computes a number from two.
pub(super) type Function = fn(u64, u64) -> u64;

/// Operations: those that have the name of one on words, and those that haven't.
macro_rules! operations {
    ({ $($name:ident $function:expr;)* } { $($other:ident $other_function:expr;)* }) => {
        /// What is done with numbers of 64 bits.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum WideOp { $($name,)* $($other,)* }

        impl WideOp {
            /// What an operation on words is on numbers of 64 bits.
            pub(super) fn of(code: Code) -> Option<Self> {
                match code {
                    $(Code::$name => Some(Self::$name),)*
                    _ => None,
                }
            }

            pub(super) fn function(self) -> Function {
                match self {
                    $(Self::$name => $function,)*
                    $(Self::$other => $other_function,)*
                }
            }
        }
    };
}

fn float(word: u64) -> f64 {
    f64::from_bits(word)
}

fn is_so(condition: bool) -> u64 {
    u64::from(condition)
}

operations! {{
    AddF |a, b| (float(a) + float(b)).to_bits();
    SubF |a, b| (float(a) - float(b)).to_bits();
    MulF |a, b| (float(a) * float(b)).to_bits();
    DivF |a, b| (float(a) / float(b)).to_bits();
    RemF |a, b| (float(a) % float(b)).to_bits();
    MinF |a, b| float(a).min(float(b)).to_bits();
    MaxF |a, b| float(a).max(float(b)).to_bits();
    PowF |a, b| float(a).powf(float(b)).to_bits();
    Atan2F |a, b| float(a).atan2(float(b)).to_bits();
    LdexpF |a, b| ldexp(float(a), b as u32 as i32).to_bits();
    NegF |a, _| (-float(a)).to_bits();
    AbsF |a, _| float(a).abs().to_bits();
    FloorF |a, _| float(a).floor().to_bits();
    CeilF |a, _| float(a).ceil().to_bits();
    RoundF |a, _| float(a).round_ties_even().to_bits();
    TruncF |a, _| float(a).trunc().to_bits();
    FractF |a, _| (float(a) - float(a).floor()).to_bits();
    SqrtF |a, _| float(a).sqrt().to_bits();
    InverseSqrtF |a, _| (1.0 / float(a).sqrt()).to_bits();
    ExpF |a, _| float(a).exp().to_bits();
    Exp2F |a, _| float(a).exp2().to_bits();
    LogF |a, _| float(a).ln().to_bits();
    Log2F |a, _| float(a).log2().to_bits();
    SinF |a, _| float(a).sin().to_bits();
    CosF |a, _| float(a).cos().to_bits();
    TanF |a, _| float(a).tan().to_bits();
    AsinF |a, _| float(a).asin().to_bits();
    AcosF |a, _| float(a).acos().to_bits();
    AtanF |a, _| float(a).atan().to_bits();
    SinhF |a, _| float(a).sinh().to_bits();
    CoshF |a, _| float(a).cosh().to_bits();
    TanhF |a, _| float(a).tanh().to_bits();
    AsinhF |a, _| float(a).asinh().to_bits();
    AcoshF |a, _| float(a).acosh().to_bits();
    AtanhF |a, _| float(a).atanh().to_bits();
    SignF |a, _| sign(float(a)).to_bits();
    FrexpFractionF |a, _| frexp(float(a)).0.to_bits();
    FrexpExponentF |a, _| u64::from(frexp(float(a)).1 as u32);
    EqF |a, b| is_so(float(a) == float(b));
    NeF |a, b| is_so(float(a) != float(b));
    LtF |a, b| is_so(float(a) < float(b));
    LeF |a, b| is_so(float(a) <= float(b));
    Add |a, b| a.wrapping_add(b);
    Sub |a, b| a.wrapping_sub(b);
    Mul |a, b| a.wrapping_mul(b);
    DivS |a, b| if b == 0 { a } else { (a as i64).wrapping_div(b as i64) as u64 };
    DivU |a, b| a.checked_div(b).unwrap_or(a);
    RemS |a, b| if b == 0 { 0 } else { (a as i64).wrapping_rem(b as i64) as u64 };
    RemU |a, b| a.checked_rem(b).unwrap_or(0);
    Neg |a, _| a.wrapping_neg();
    AbsS |a, _| (a as i64).wrapping_abs() as u64;
    MinS |a, b| (a as i64).min(b as i64) as u64;
    MaxS |a, b| (a as i64).max(b as i64) as u64;
    MinU |a, b| a.min(b);
    MaxU |a, b| a.max(b);
    SignS |a, _| (a as i64).signum() as u64;
    Shl |a, b| a << (b & 63);
    ShrS |a, b| ((a as i64) >> (b & 63)) as u64;
    ShrU |a, b| a >> (b & 63);
    Eq |a, b| is_so(a == b);
    Ne |a, b| is_so(a != b);
    LtS |a, b| is_so((a as i64) < b as i64);
    LeS |a, b| is_so(a as i64 <= b as i64);
    LtU |a, b| is_so(a < b);
    LeU |a, b| is_so(a <= b);
    LeadingZeros |a, _| u64::from(a.leading_zeros());
    TrailingZeros |a, _| u64::from(a.trailing_zeros());
    CountOnes |a, _| u64::from(a.count_ones());
    ReverseBits |a, _| a.reverse_bits();
    FirstLeadingU |a, _| first_leading(a);
    FirstLeadingS |a, _| first_leading(if (a as i64) < 0 { !a } else { a });
    FirstTrailing |a, _| if a == 0 { u64::MAX } else { u64::from(a.trailing_zeros()) };
    // The offset in the lower word, the count in the higher one.
    ExtractS |a, b| extract(a, b as u32, (b >> 32) as u32, true);
    ExtractU |a, b| extract(a, b as u32, (b >> 32) as u32, false);
} {
    F64ToI64 |a, _| at_most(float(a), 9_223_372_036_854_774_784.0) as i64 as u64;
    F64ToU64 |a, _| at_most(float(a), 18_446_744_073_709_549_568.0) as u64;
    F64ToI32 |a, _| u64::from(float(a) as i32 as u32);
    F64ToU32 |a, _| u64::from(float(a) as u32);
    F64ToF32 |a, _| u64::from((float(a) as f32).to_bits());
    // The f32 of the nearest f16.
    F64ToF16 |a, _| u64::from(half::f16::from_f64(float(a)).to_f32().to_bits());
    F32ToF64 |a, _| f64::from(f32::from_bits(a as u32)).to_bits();
    F32ToI64 |a, _| at_most(f32::from_bits(a as u32), 9_223_371_487_098_961_920.0) as i64 as u64;
    F32ToU64 |a, _| at_most(f32::from_bits(a as u32), 18_446_742_974_197_923_840.0) as u64;
    I64ToF64 |a, _| (a as i64 as f64).to_bits();
    U64ToF64 |a, _| (a as f64).to_bits();
    I64ToF32 |a, _| u64::from((a as i64 as f32).to_bits());
    U64ToF32 |a, _| u64::from((a as f32).to_bits());
}}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// `x * 2^exponent`, rounded once.
fn ldexp(x: f64, exponent: i32) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    // Away from zero the first factors are exact; only the last, which brings it home, may round.
    let (fraction, own) = frexp(x);
    let exponent = exponent.saturating_add(own);
    let two_to = |n: i32| f64::from_bits(((1023 + i64::from(n)) as u64) << 52);
    match exponent {
        1025.. => f64::INFINITY.copysign(x),
        -1021..=1024 => fraction * 2.0 * two_to(exponent - 1),
        -1100..=-1022 => fraction * two_to(-1000) * two_to(exponent + 1000),
        _ => 0.0_f64.copysign(x),
    }
}

/// The fraction, in [0.5, 1), and the exponent.
fn frexp(x: f64) -> (f64, i32) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    // What is too small to be normal is so after a product that changes the exponent alone.
    let (x, less) = if x.abs() < f64::MIN_POSITIVE {
        (x * 18_014_398_509_481_984.0, 54)
    } else {
        (x, 0)
    };
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1022;
    let fraction = f64::from_bits((x.to_bits() & !(0x7ff << 52)) | (1022 << 52));
    (fraction, exponent - less)
}

fn first_leading(word: u64) -> u64 {
    63_u64.wrapping_sub(u64::from(word.leading_zeros()))
}

fn extract(word: u64, offset: u32, count: u32, is_signed: bool) -> u64 {
    let offset = offset.min(64);
    let count = count.min(64 - offset);
    if count == 0 {
        return 0;
    }
    let up = word << (64 - offset - count);
    if is_signed {
        ((up as i64) >> (64 - count)) as u64
    } else {
        up >> (64 - count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponent_is_added_with_one_rounding() {
        assert_eq!(ldexp(1.5, 3), 12.0);
        assert_eq!(ldexp(-1.5, -1074), -f64::from_bits(2));
        assert_eq!(ldexp(f64::from_bits(1), 1074 + 1023), 2.0_f64.powi(1023));
        assert_eq!(ldexp(1.0, 1024), f64::INFINITY);
        assert_eq!(ldexp(1.0, i32::MIN), 0.0);
        assert_eq!(ldexp(f64::MAX, 0), f64::MAX);
        assert_eq!(ldexp(3.0, -1075), f64::from_bits(2));
    }

    #[test]
    fn a_fraction_and_its_exponent_make_the_number() {
        for x in [1.0, -0.3, 1e300, 5e-324, f64::MIN_POSITIVE, 0.0] {
            let (fraction, exponent) = frexp(x);
            assert!(x == 0.0 || (0.5..1.0).contains(&fraction.abs()));
            assert_eq!(ldexp(fraction, exponent), x);
        }
    }
}
