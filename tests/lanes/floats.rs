//! Floats: every operator and function of scalars, and of vectors component by component.
//!
//! The bounds are those of the WGSL specification. What it derives from other functions ("inherited from") is off by as much
//! as those are, which is computed beside the result.

use super::case::Kind::{self, Angle, Bool, F32, I32, Middling, Positive, U32, Unit};
use super::case::{Case, Right, exactly, float, near, rounded, truth, unit, units, wide};

/// Sine and cosine, from -pi to pi.
const TURN: f64 = 1.0 / 2048.0;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, given: &[Kind], expression: &str, right: fn(&[u32]) -> Right| {
        let name = format!("{name}_f32");
        cases.push(Case::each(&name, given, F32, expression, right));
    };
    let (one, two, three) = ([F32], [F32; 2], [F32; 3]);

    // Correctly rounded.
    add("add", &two, "x + y", |w| rounded(wide(w[0]) + wide(w[1])));
    add("sub", &two, "x - y", |w| rounded(wide(w[0]) - wide(w[1])));
    add("mul", &two, "x * y", |w| rounded(wide(w[0]) * wide(w[1])));
    add("negate", &one, "-x", |w| exactly(-float(w[0])));
    add("abs", &one, "abs(x)", |w| exactly(float(w[0]).abs()));
    add("sign", &one, "sign(x)", |w| match float(w[0]) {
        x if x > 0.0 => exactly(1.0),
        x if x < 0.0 => exactly(-1.0),
        _ => exactly(0.0),
    });
    add("floor", &one, "floor(x)", |w| exactly(float(w[0]).floor()));
    add("ceil", &one, "ceil(x)", |w| exactly(float(w[0]).ceil()));
    add("trunc", &one, "trunc(x)", |w| exactly(float(w[0]).trunc()));
    // Halves to the even one.
    add("round", &one, "round(x)", |w| {
        exactly(float(w[0]).round_ties_even())
    });
    add("min", &two, "min(x, y)", |w| {
        exactly(float(w[0]).min(float(w[1])))
    });
    add("max", &two, "max(x, y)", |w| {
        exactly(float(w[0]).max(float(w[1])))
    });
    add("clamp", &three, "clamp(x, min(y, z), max(y, z))", |w| {
        let [x, y, z] = [float(w[0]), float(w[1]), float(w[2])];
        exactly(x.max(y.min(z)).min(y.max(z)))
    });
    add("saturate", &one, "saturate(x)", |w| {
        exactly(float(w[0]).clamp(0.0, 1.0))
    });
    add("step", &two, "step(x, y)", |w| {
        exactly(f32::from(u8::from(float(w[0]) <= float(w[1]))))
    });
    add("select", &[F32, F32, Bool], "select(x, y, z)", |w| {
        exactly(float(w[usize::from(w[2] != 0)]))
    });
    add("fract", &[Middling], "fract(x)", |w| {
        rounded(wide(w[0]) - wide(w[0]).floor())
    });
    // f16 has 11 bits; beyond its range anything, and below it zero.
    add("quantize_to_f16", &one, "quantizeToF16(x)", |w| {
        let x = wide(w[0]);
        if x.abs() > 65504.0 {
            return Right::Anything;
        }
        let step = 2.0_f64.powi((x.abs().max(6.104e-5).log2().floor() as i32) - 10);
        let half = (x / step).round_ties_even() * step;
        let tolerance = if x.abs() < 6.104e-5 { 6.104e-5 } else { step };
        near(half, tolerance)
    });

    // 2.5 units; of divisors beyond 2^126 nothing is said.
    add("div", &two, "x / y", |w| {
        let (x, y) = (wide(w[0]), wide(w[1]));
        if !is_normal(y) {
            return Right::Anything;
        }
        units(x / y, 2.5)
    });
    // Inherited from `x - y * trunc(x / y)`: where the quotient is next to an integer, it may be that one.
    add("rem", &[Middling; 2], "x % y", |w| {
        let (x, y) = (wide(w[0]), wide(w[1]));
        if !is_normal(y) || y.abs() < 1e-2 {
            return Right::Anything;
        }
        let quotient = x / y;
        if (quotient - quotient.round()).abs() <= 2.5 * unit(quotient) {
            return near(0.0, y.abs() * 1.001);
        }
        near(
            x - y * quotient.trunc(),
            unit(x) + unit(y * quotient.trunc()),
        )
    });
    add("fma", &[Middling; 3], "fma(x, y, z)", |w| {
        let product = wide(w[0]) * wide(w[1]);
        let sum = product + wide(w[2]);
        near(sum, unit(product) + unit(sum))
    });
    add("mix", &[Middling; 3], "mix(x, y, z)", |w| {
        let [x, y, z] = [wide(w[0]), wide(w[1]), wide(w[2])];
        let right = x * (1.0 - z) + y * z;
        // Each of the two formulas that are allowed rounds four times at most.
        let size = x.abs() * (1.0 + z.abs()) + y.abs() * z.abs() + (y - x).abs() * z.abs();
        near(right, 4.0 * unit(size))
    });
    add("smoothstep", &[Middling; 3], "smoothstep(x, y, z)", |w| {
        let [low, high, x] = [wide(w[0]), wide(w[1]), wide(w[2])];
        if low >= high {
            return Right::Anything;
        }
        let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
        // The difference of nearly equal edges is exact enough, that to `x` is too.
        let off = (unit(x) + unit(low) + unit(high)) / (high - low) + 4.0 * unit(1.0);
        near(t * t * (3.0 - 2.0 * t), 2.0 * off + 8.0 * unit(1.0))
    });
    add("degrees", &[Middling], "degrees(x)", |w| {
        units(wide(w[0]).to_degrees(), 2.0)
    });
    add("radians", &[Middling], "radians(x)", |w| {
        units(wide(w[0]).to_radians(), 2.0)
    });

    // Inherited from `1.0 / inverseSqrt(x)`, of which the parts are 2 and 2.5 units.
    add("sqrt", &[Positive], "sqrt(x)", |w| {
        units(wide(w[0]).sqrt(), 4.5)
    });
    add("inverse_sqrt", &[Positive], "inverseSqrt(x)", |w| {
        units(1.0 / wide(w[0]).sqrt(), 2.0)
    });

    // 3 + 2 |x| units.
    add("exp", &[Middling], "exp(x)", |w| {
        units(wide(w[0]).exp(), 3.0 + 2.0 * wide(w[0]).abs())
    });
    add("exp2", &[Middling], "exp2(x)", |w| {
        units(wide(w[0]).exp2(), 3.0 + 2.0 * wide(w[0]).abs())
    });
    // 2^-21 between a half and two, 3 units elsewhere.
    add("log", &[Positive], "log(x)", |w| {
        near(wide(w[0]).ln(), log_error(wide(w[0]), f64::ln))
    });
    add("log2", &[Positive], "log2(x)", |w| {
        near(wide(w[0]).log2(), log_error(wide(w[0]), f64::log2))
    });
    // Inherited from `exp2(y * log2(x))`.
    add("pow", &[Positive, Middling], "pow(x, y)", |w| {
        let (x, y) = (wide(w[0]), wide(w[1]));
        let power = y * x.log2();
        let off = y.abs() * log_error(x, f64::log2) + unit(power);
        let right = x.powf(y);
        let relative = (off * std::f64::consts::LN_2).exp() - 1.0;
        near(
            right,
            right * relative + unit(right) * (3.0 + 2.0 * power.abs()),
        )
    });

    add("sin", &[Angle], "sin(x)", |w| near(wide(w[0]).sin(), TURN));
    add("cos", &[Angle], "cos(x)", |w| near(wide(w[0]).cos(), TURN));
    // Inherited from `sin(x) / cos(x)`.
    add("tan", &[Angle], "tan(x)", |w| {
        let (sine, cosine) = (wide(w[0]).sin(), wide(w[0]).cos());
        if cosine.abs() <= 2.0 * TURN {
            return Right::Anything;
        }
        let off = (sine.abs() + TURN) / (cosine.abs() - TURN) - (sine / cosine).abs();
        near(sine / cosine, off + 2.5 * unit(sine / cosine))
    });
    add("asin", &[Unit], "asin(x)", |w| {
        // 6.81e-5, or what `atan2(x, sqrt(1 - x * x))` is off by if that is more.
        near(
            wide(w[0]).asin(),
            6.81e-5_f64.max(4096.0 * unit(wide(w[0]).asin())),
        )
    });
    add("acos", &[Unit], "acos(x)", |w| {
        near(
            wide(w[0]).acos(),
            6.77e-5_f64.max(4096.0 * unit(wide(w[0]).acos())),
        )
    });
    add("atan", &[Middling], "atan(x)", |w| {
        units(wide(w[0]).atan(), 4096.0)
    });
    add("atan2", &[Middling; 2], "atan2(y, x)", |w| {
        let (x, y) = (wide(w[0]), wide(w[1]));
        if !is_normal(x) || !is_normal(y) {
            return Right::Anything;
        }
        units(y.atan2(x), 4096.0)
    });
    // Inherited from exponentials, differences of them, and logarithms.
    add("sinh", &[Angle], "sinh(x)", |w| {
        let x = wide(w[0]);
        near(x.sinh(), exps_error(x))
    });
    add("cosh", &[Angle], "cosh(x)", |w| {
        near(wide(w[0]).cosh(), exps_error(wide(w[0])))
    });
    add("tanh", &[Middling], "tanh(x)", |w| {
        near(wide(w[0]).tanh(), 1e-5)
    });
    add("asinh", &[Middling], "asinh(x)", |w| {
        // Of `x + sqrt(x * x + 1)` little is left if `x` is far below zero.
        let x = wide(w[0]);
        let root = (x * x + 1.0).sqrt();
        let inner = x + root;
        let off = (7.0 * unit(root) + unit(x)) / inner;
        if off > 0.3 {
            Right::Anything
        } else {
            near(x.asinh(), 2.0 * off + log_error(inner, f64::ln))
        }
    });
    add("acosh", &[Positive], "acosh(x)", |w| {
        let x = wide(w[0]);
        if !(1.0..1e15).contains(&x) {
            return Right::Anything;
        }
        let root = (x * x - 1.0).sqrt();
        // Next to one the root is of a difference that has lost its digits.
        let off = unit(x * x) / root.max(1e-4) + 7.0 * unit(root.max(1e-3)) + unit(x);
        near(
            x.acosh(),
            2.0 * off + log_error(x + root, f64::ln) + unit(1.0),
        )
    });
    add("atanh", &[Unit], "atanh(x)", |w| {
        let x = wide(w[0]);
        if x.abs() > 0.999_9 {
            return Right::Anything;
        }
        let inner = (1.0 + x) / (1.0 - x);
        let off = 4.5 * unit(inner) / inner + unit(1.0) / (1.0 - x.abs());
        near(x.atanh(), off + log_error(inner, f64::ln))
    });
    for (name, op, right) in [
        ("equal", "==", (|a, b| a == b) as fn(f32, f32) -> bool),
        ("not_equal", "!=", |a, b| a != b),
        ("less", "<", |a, b| a < b),
        ("less_equal", "<=", |a, b| a <= b),
        ("greater", ">", |a, b| a > b),
        ("greater_equal", ">=", |a, b| a >= b),
    ] {
        let (name, expression) = (format!("{name}_f32"), format!("x {op} y"));
        cases.push(Case::each(&name, &two, Bool, &expression, move |w| {
            truth(right(float(w[0]), float(w[1])))
        }));
    }
    cases.push(Case::each(
        "ldexp_f32",
        &[F32, I32],
        F32,
        "ldexp(x, y)",
        |w| {
            let (x, exponent) = (wide(w[0]), w[1] as i32);
            // Exponents beyond 128 may give anything, those below -126 - 24 or so may give zero.
            if exponent > 128 {
                return Right::Anything;
            }
            let right = x * 2.0_f64.powi(exponent.max(-400));
            near(
                right,
                if right.abs() < 1e-37 {
                    1e-37
                } else {
                    unit(right)
                },
            )
        },
    ));
    cases.extend(parts());
    cases
}

/// Functions that return two things.
fn parts() -> Vec<Case> {
    vec![
        Case::new(
            "modf_f32",
            &[Middling],
            4,
            "let all = modf(f(0u)); put_f(0u, all.fract); put_f(1u, all.whole);
             let pair = modf(vec2(f(0u), -f(0u))); put_f(2u, pair.fract.y); put_f(3u, pair.whole.y);",
            |w| {
                let x = float(w[0]);
                [x - x.trunc(), x.trunc(), -(x - x.trunc()), -x.trunc()].map(exactly).to_vec()
            },
        ),
        Case::new(
            "frexp_f32",
            &[F32],
            4,
            "let all = frexp(f(0u)); put_f(0u, all.fract); put(1u, u32(all.exp));
             let pair = frexp(vec2(f(0u), 8.0)); put_f(2u, pair.fract.x); put(3u, u32(pair.exp.y));",
            |w| {
                let x = wide(w[0]);
                if x != 0.0 && !is_normal(x) {
                    return vec![Right::Anything, Right::Anything, Right::Anything, Right::Word(4)];
                }
                let exponent = if x == 0.0 { 0 } else { x.abs().log2().floor() as i32 + 1 };
                let fraction = near(x / 2.0_f64.powi(exponent), 0.0);
                vec![fraction, Right::Word(exponent as u32), fraction, Right::Word(4)]
            },
        ),
        Case::new(
            "increments_and_mixed_vectors",
            &[Kind::Small, Kind::Small, U32],
            5,
            "var v = vec3(f(0u), f(1u), 1.0); v *= 2.0; v += vec3(1.0); v.y -= f(0u);
             var n = u(2u); n++; n += 3u; n--; n <<= 1u;
             put_f(0u, v.x); put_f(1u, v.y); put_f(2u, (v / 2.0).z); put(3u, n); put_f(4u, (3.0 - v).x);",
            |w| {
                let [x, y] = [float(w[0]), float(w[1])];
                let n = w[2].wrapping_add(3) << 1;
                vec![
                    exactly(2.0 * x + 1.0),
                    exactly(2.0 * y + 1.0 - x),
                    exactly(1.5),
                    Right::Word(n),
                    exactly(2.0 - 2.0 * x),
                ]
            },
        ),
    ]
}

fn is_normal(x: f64) -> bool {
    (2.0_f64.powi(-126)..=2.0_f64.powi(126)).contains(&x.abs())
}

fn log_error(x: f64, log: fn(f64) -> f64) -> f64 {
    if (0.5..=2.0).contains(&x) {
        2.0_f64.powi(-21)
    } else {
        3.0 * unit(log(x))
    }
}

/// Of half the sum or the difference of two exponentials.
fn exps_error(x: f64) -> f64 {
    let one = |x: f64| unit(x.exp()) * (3.0 + 2.0 * x.abs());
    0.5 * (one(x) + one(-x)) + unit(x.abs().exp())
}
