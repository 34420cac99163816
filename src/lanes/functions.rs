//! Functions of sixteen numbers at once, without branches.
//!
//! Polynomials of S. Moshier's Cephes library (single precision), with ranges reduced as there. What they leave out, large
//! angles and odd powers, goes to the standard library number by number.
//!
//! Invariant: errors stay below what the WGSL specification allows ("Accuracy of built-in functions").

use super::processor::{Floats, Processor, lanes};

/// `(e^r - 1 - r) / r^2`: a polynomial's coefficients, the highest power first.
pub(super) const EXPONENTIAL: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    0.166_666_65,
    0.5,
];
/// `(ln(1 + p) - p + p^2 / 2) / p^3`: a polynomial's coefficients, the highest power first.
pub(super) const LOGARITHM: [f32; 9] = [
    7.037_683_6e-2,
    -0.115_146_1,
    0.116_769_99,
    -0.124_201_41,
    0.142_493_23,
    -0.166_680_57,
    0.200_007_15,
    -0.249_999_94,
    0.333_333_3,
];
/// `(sin(r) - r) / r^3`, of the square: a polynomial's coefficients, the highest power first.
pub(super) const SINE: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -0.166_666_55];
/// `(cos(r) - 1 + r^2 / 2) / r^4`, of the square: a polynomial's coefficients, the highest power first.
pub(super) const COSINE: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];

/// `a * b + c`, rounded once where the processor can.
#[inline(always)]
fn fused<P: Processor>(a: Floats, b: Floats, c: Floats) -> Floats {
    lanes(|i| {
        if P::FUSES {
            a[i].mul_add(b[i], c[i])
        } else {
            a[i] * b[i] + c[i]
        }
    })
}

/// The polynomial with these coefficients, the highest power first.
#[inline(always)]
fn polynomial<P: Processor>(x: Floats, coefficients: &[f32]) -> Floats {
    let mut sum = [coefficients[0]; 16];
    for coefficient in &coefficients[1..] {
        sum = fused::<P>(sum, x, [*coefficient; 16]);
    }
    sum
}

/// Rounds to the nearest integer, for what is smaller than 2^22.
#[inline(always)]
fn rounded(x: Floats) -> Floats {
    const SHIFT: f32 = 12_582_912.0;
    lanes(|i| (x[i] + SHIFT) - SHIFT)
}

/// `e^r 2^n` for a small r and an integer n.
#[inline(always)]
fn power<P: Processor>(r: Floats, n: Floats) -> Floats {
    let p = polynomial::<P>(r, &EXPONENTIAL);
    let square = lanes(|i| r[i] * r[i]);
    let rest = fused::<P>(p, square, r);
    lanes(|i| {
        // In two steps, as either may leave the range of one.
        let n = n[i] as i32;
        let half = n >> 1;
        let two_to = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
        (rest[i] + 1.0) * two_to(half) * two_to(n - half)
    })
}

#[inline(always)]
pub(super) fn exp<P: Processor>(x: Floats) -> Floats {
    let near: Floats = lanes(|i| x[i].clamp(-104.0, 90.0));
    let n = rounded(lanes(|i| near[i] * std::f32::consts::LOG2_E));
    let r = fused::<P>(n, [-0.693_359_4; 16], near);
    let r = fused::<P>(n, [2.121_944_4e-4; 16], r);
    let found = power::<P>(r, n);
    lanes(|i| if x[i].is_nan() { x[i] } else { found[i] })
}

#[inline(always)]
pub(super) fn exp2<P: Processor>(x: Floats) -> Floats {
    let near: Floats = lanes(|i| x[i].clamp(-151.0, 129.0));
    let n = rounded(near);
    let r = lanes(|i| (near[i] - n[i]) * std::f32::consts::LN_2);
    let found = power::<P>(r, n);
    lanes(|i| if x[i].is_nan() { x[i] } else { found[i] })
}

/// The logarithm of the part of a number between the square roots of a half and of two, and the exponent.
#[inline(always)]
fn log_parts<P: Processor>(x: Floats) -> (Floats, Floats) {
    let scaled: Floats = lanes(|i| {
        if x[i] < f32::MIN_POSITIVE {
            x[i] * 8_388_608.0
        } else {
            x[i]
        }
    });
    // The exponent that leaves the rest between those roots.
    const ROOT: u32 = 0x3f35_04f3;
    let exponent: [i32; 16] = lanes(|i| (scaled[i].to_bits().wrapping_sub(ROOT) as i32) >> 23);
    let part: Floats = lanes(|i| {
        f32::from_bits(scaled[i].to_bits().wrapping_sub((exponent[i] << 23) as u32)) - 1.0
    });
    let p = polynomial::<P>(part, &LOGARITHM);
    let square: Floats = lanes(|i| part[i] * part[i]);
    let cube: Floats = lanes(|i| part[i] * square[i]);
    let rest = fused::<P>(square, [-0.5; 16], lanes(|i| cube[i] * p[i]));
    let log = lanes(|i| part[i] + rest[i]);
    let exponent = lanes(|i| {
        let less = if x[i] < f32::MIN_POSITIVE { 23 } else { 0 };
        (exponent[i] - less) as f32
    });
    (log, exponent)
}

/// What logarithms of numbers are that have none, and of the infinite.
#[inline(always)]
fn log_edges(x: Floats, found: Floats) -> Floats {
    // One at a time: a choice of several isn't made into vectors.
    let found: Floats = lanes(|i| if x[i] < f32::INFINITY { found[i] } else { x[i] });
    let found: Floats = lanes(|i| if x[i] < 0.0 { f32::NAN } else { found[i] });
    lanes(|i| {
        if x[i] == 0.0 {
            f32::NEG_INFINITY
        } else {
            found[i]
        }
    })
}

#[inline(always)]
pub(super) fn log<P: Processor>(x: Floats) -> Floats {
    let (log, exponent) = log_parts::<P>(x);
    let low = fused::<P>(exponent, [-2.121_944_4e-4; 16], log);
    log_edges(x, fused::<P>(exponent, [0.693_359_4; 16], low))
}

#[inline(always)]
pub(super) fn log2<P: Processor>(x: Floats) -> Floats {
    let (log, exponent) = log_parts::<P>(x);
    log_edges(x, fused::<P>(log, [std::f32::consts::LOG2_E; 16], exponent))
}

/// `x^y` as the specification defines it: there is none where `x` is below zero, or both are zero.
#[inline(always)]
pub(super) fn pow<P: Processor>(x: Floats, y: Floats) -> Floats {
    let log = log2::<P>(x);
    exp2::<P>(lanes(|i| y[i] * log[i]))
}

/// Angles beyond which a few words of pi aren't enough.
const FAR: f32 = 8192.0;

/// The sine and cosine of an angle below [`FAR`].
#[inline(always)]
fn near_angles<P: Processor>(x: Floats) -> (Floats, Floats) {
    let quarters = rounded(lanes(|i| x[i] * std::f32::consts::FRAC_2_PI));
    // Half of pi in parts of few bits, so that products with small integers are exact.
    let r = fused::<P>(quarters, [-1.570_312_5; 16], x);
    let r = fused::<P>(quarters, [-4.837_513e-4; 16], r);
    let r = fused::<P>(quarters, [-7.549_79e-8; 16], r);
    let square: Floats = lanes(|i| r[i] * r[i]);
    let s = polynomial::<P>(square, &SINE);
    let sine = fused::<P>(s, lanes(|i| square[i] * r[i]), r);
    let c = polynomial::<P>(square, &COSINE);
    let fourth = lanes(|i| square[i] * square[i]);
    let low = fused::<P>(square, [-0.5; 16], [1.0; 16]);
    let cosine = fused::<P>(c, fourth, low);
    let turn = |i: usize, quarter: i32, sine: f32, cosine: f32| {
        let quarter = (quarters[i] as i32).wrapping_add(quarter);
        let found = if quarter & 1 == 0 { sine } else { cosine };
        let sign = (quarter as u32 & 2) << 30;
        f32::from_bits(found.to_bits() ^ sign)
    };
    (
        lanes(|i| turn(i, 0, sine[i], cosine[i])),
        lanes(|i| turn(i, 1, sine[i], cosine[i])),
    )
}

#[inline(always)]
fn are_near(x: Floats) -> bool {
    x.iter().fold(true, |near, x| near & (x.abs() < FAR))
}

#[inline(always)]
pub(super) fn sin<P: Processor>(x: Floats) -> Floats {
    if are_near(x) {
        near_angles::<P>(x).0
    } else {
        scalar1(x, f32::sin)
    }
}

#[inline(always)]
pub(super) fn cos<P: Processor>(x: Floats) -> Floats {
    if are_near(x) {
        near_angles::<P>(x).1
    } else {
        scalar1(x, f32::cos)
    }
}

#[inline(always)]
pub(super) fn tan<P: Processor>(x: Floats) -> Floats {
    if are_near(x) {
        let (sine, cosine) = near_angles::<P>(x);
        lanes(|i| sine[i] / cosine[i])
    } else {
        scalar1(x, f32::tan)
    }
}

/// Number by number.
#[inline(never)]
fn scalar1(x: Floats, f: fn(f32) -> f32) -> Floats {
    x.map(f)
}

#[cfg(test)]
mod tests {
    use super::super::processor::Least;
    use super::*;

    /// One that rounds products and sums once.
    struct Fusing;

    impl Processor for Fusing {
        const FUSES: bool = true;
    }

    /// Units in the last place between what was found and what is right.
    fn error(found: f32, right: f64) -> f64 {
        if found == right as f32 || (found.is_nan() && right.is_nan()) {
            return 0.0;
        }
        let unit = f64::from(f32::from_bits((right.abs() as f32).to_bits() + 1))
            - f64::from(right.abs() as f32);
        (f64::from(found) - right).abs() / unit
    }

    fn worst(
        numbers: impl Iterator<Item = f32>,
        f: impl Fn(Floats) -> Floats,
        right: impl Fn(f64) -> f64,
        measure: impl Fn(f32, f32, f64) -> f64,
    ) -> f64 {
        numbers
            .map(|x| {
                let found = f([x; 16])[3];
                measure(x, found, right(f64::from(x)))
            })
            .fold(0.0, f64::max)
    }

    /// Numbers from one to the other, closely.
    fn between(low: f32, high: f32) -> impl Iterator<Item = f32> {
        let steps = 200_000;
        (0..=steps).map(move |i| low + (high - low) * (i as f32 / steps as f32))
    }

    fn units(_: f32, found: f32, right: f64) -> f64 {
        error(found, right)
    }

    #[test]
    fn exponentials_err_by_few_units() {
        for fuses in [false, true] {
            let exp = |x| {
                if fuses {
                    exp::<Fusing>(x)
                } else {
                    exp::<Least>(x)
                }
            };
            assert!(worst(between(-87.0, 88.7), exp, f64::exp, units) < 3.0);
            let exp2 = |x| {
                if fuses {
                    exp2::<Fusing>(x)
                } else {
                    exp2::<Least>(x)
                }
            };
            assert!(worst(between(-126.0, 127.9), exp2, f64::exp2, units) < 3.0);
        }
        for (x, right) in [
            (100.0, f32::INFINITY),
            (-200.0, 0.0),
            (f32::NEG_INFINITY, 0.0),
            (f32::INFINITY, f32::INFINITY),
        ] {
            assert_eq!(exp::<Fusing>([x; 16])[0], right);
        }
        assert!(exp::<Fusing>([f32::NAN; 16])[0].is_nan());
        assert!(exp2::<Fusing>([f32::NAN; 16])[0].is_nan());
    }

    #[test]
    fn logarithms_err_by_few_units_and_little_near_one() {
        let near_one = |x: f32, found: f32, right: f64| {
            if (0.5..=2.0).contains(&x) {
                (f64::from(found) - right).abs() * f64::from(1 << 21) * 3.0
            } else {
                error(found, right)
            }
        };
        let numbers = || {
            between(1e-3, 4.0)
                .chain(between(4.0, 1e6))
                .chain(between(1e-40, 1e-36))
        };
        assert!(worst(numbers(), log::<Fusing>, f64::ln, near_one) < 3.0);
        assert!(worst(numbers(), log::<Least>, f64::ln, near_one) < 3.0);
        assert!(worst(numbers(), log2::<Fusing>, f64::log2, near_one) < 3.0);
        assert_eq!(log::<Fusing>([0.0; 16])[0], f32::NEG_INFINITY);
        assert_eq!(log::<Fusing>([f32::INFINITY; 16])[0], f32::INFINITY);
        assert!(log::<Fusing>([-1.0; 16])[0].is_nan());
        assert!(log::<Fusing>([f32::NAN; 16])[0].is_nan());
    }

    #[test]
    fn sines_and_cosines_are_near_for_all_angles() {
        let apart = |_: f32, found: f32, right: f64| (f64::from(found) - right).abs();
        for (low, high) in [(-3.2, 3.2), (-100.0, 100.0), (8000.0, 9000.0)] {
            assert!(worst(between(low, high), sin::<Fusing>, f64::sin, apart) < 5e-7);
            assert!(worst(between(low, high), cos::<Fusing>, f64::cos, apart) < 5e-7);
            assert!(worst(between(low, high), sin::<Least>, f64::sin, apart) < 2e-6);
        }
        assert!(sin::<Fusing>([f32::INFINITY; 16])[0].is_nan());
        assert!(worst(between(-1.5, 1.5), tan::<Fusing>, f64::tan, units) < 8.0);
    }

    #[test]
    fn powers_are_near_and_there_are_none_of_what_is_below_zero() {
        let relative = |_: f32, found: f32, right: f64| (f64::from(found) / right - 1.0).abs();
        let cube = |x| pow::<Fusing>(x, [3.0; 16]);
        assert!(worst(between(0.01, 100.0), cube, |x| x.powi(3), relative) < 4e-6);
        assert_eq!(pow::<Fusing>([0.0; 16], [2.0; 16])[0], 0.0);
        // What one lane has is nothing to the others.
        let mut among_zeros = [0.0; 16];
        among_zeros[3] = 0.026_433_766;
        let [alone, beside] =
            [[0.026_433_766; 16], among_zeros].map(|x| pow::<Least>(x, [0.604_666_9; 16])[3]);
        assert_eq!(alone.to_bits(), beside.to_bits());
        assert!(pow::<Fusing>([-2.0; 16], [3.0; 16])[0].is_nan());
    }
}
