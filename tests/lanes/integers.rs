//! Integers and truth values: every operator and function, exact.

use super::case::Kind::{self, Bits, Bool, F32, I32, U32};
use super::case::{Case, Right, float, truth, wide};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add =
        |name: &str, given: &[Kind], result: Kind, expression: &str, right: fn(&[u32]) -> u32| {
            cases.push(Case::each(name, given, result, expression, move |words| {
                Right::Word(right(words))
            }));
        };
    let (ii, uu, i, u) = ([I32; 2], [U32; 2], [I32], [U32]);
    add("add_i32", &ii, I32, "x + y", |w| w[0].wrapping_add(w[1]));
    add("sub_i32", &ii, I32, "x - y", |w| w[0].wrapping_sub(w[1]));
    add("mul_i32", &ii, I32, "x * y", |w| w[0].wrapping_mul(w[1]));
    add("add_u32", &uu, U32, "x + y", |w| w[0].wrapping_add(w[1]));
    add("sub_u32", &uu, U32, "x - y", |w| w[0].wrapping_sub(w[1]));
    add("mul_u32", &uu, U32, "x * y", |w| w[0].wrapping_mul(w[1]));
    // By zero: the dividend, and no remainder. The least number by -1: itself, and no remainder.
    add("div_i32", &ii, I32, "x / y", |w| match w[1] as i32 {
        0 => w[0],
        y => (w[0] as i32).wrapping_div(y) as u32,
    });
    add("rem_i32", &ii, I32, "x % y", |w| match w[1] as i32 {
        0 => 0,
        y => (w[0] as i32).wrapping_rem(y) as u32,
    });
    add("div_u32", &uu, U32, "x / y", |w| {
        w[0].checked_div(w[1]).unwrap_or(w[0])
    });
    add("rem_u32", &uu, U32, "x % y", |w| {
        w[0].checked_rem(w[1]).unwrap_or(0)
    });
    add("negate_i32", &i, I32, "-x", |w| w[0].wrapping_neg());
    add("not_i32", &i, I32, "~x", |w| !w[0]);
    add("not_u32", &u, U32, "~x", |w| !w[0]);
    add("and_i32", &ii, I32, "x & y", |w| w[0] & w[1]);
    add("or_i32", &ii, I32, "x | y", |w| w[0] | w[1]);
    add("xor_i32", &ii, I32, "x ^ y", |w| w[0] ^ w[1]);
    add("and_u32", &uu, U32, "x & y", |w| w[0] & w[1]);
    add("or_u32", &uu, U32, "x | y", |w| w[0] | w[1]);
    add("xor_u32", &uu, U32, "x ^ y", |w| w[0] ^ w[1]);
    // Modulo the width.
    add("shl_i32", &[I32, Bits], I32, "x << y", |w| {
        w[0] << (w[1] % 32)
    });
    add("shl_u32", &[U32, Bits], U32, "x << y", |w| {
        w[0] << (w[1] % 32)
    });
    add("shr_u32", &[U32, Bits], U32, "x >> y", |w| {
        w[0] >> (w[1] % 32)
    });
    add("shr_i32", &[I32, Bits], I32, "x >> y", |w| {
        ((w[0] as i32) >> (w[1] % 32)) as u32
    });
    for (name, op, signed, unsigned) in [
        (
            "equal",
            "==",
            (|a, b| a == b) as fn(i32, i32) -> bool,
            (|a, b| a == b) as fn(u32, u32) -> bool,
        ),
        ("not_equal", "!=", |a, b| a != b, |a, b| a != b),
        ("less", "<", |a, b| a < b, |a, b| a < b),
        ("less_equal", "<=", |a, b| a <= b, |a, b| a <= b),
        ("greater", ">", |a, b| a > b, |a, b| a > b),
        ("greater_equal", ">=", |a, b| a >= b, |a, b| a >= b),
    ] {
        let expression = format!("x {op} y");
        cases.push(Case::each(
            &format!("{name}_i32"),
            &ii,
            Bool,
            &expression,
            move |w| truth(signed(w[0] as i32, w[1] as i32)),
        ));
        cases.push(Case::each(
            &format!("{name}_u32"),
            &uu,
            Bool,
            &expression,
            move |w| truth(unsigned(w[0], w[1])),
        ));
    }
    let mut add =
        |name: &str, given: &[Kind], result: Kind, expression: &str, right: fn(&[u32]) -> u32| {
            cases.push(Case::each(name, given, result, expression, move |words| {
                Right::Word(right(words))
            }));
        };
    add("min_i32", &ii, I32, "min(x, y)", |w| {
        (w[0] as i32).min(w[1] as i32) as u32
    });
    add("max_i32", &ii, I32, "max(x, y)", |w| {
        (w[0] as i32).max(w[1] as i32) as u32
    });
    add("min_u32", &uu, U32, "min(x, y)", |w| w[0].min(w[1]));
    add("max_u32", &uu, U32, "max(x, y)", |w| w[0].max(w[1]));
    add("abs_i32", &i, I32, "abs(x)", |w| {
        (w[0] as i32).wrapping_abs() as u32
    });
    add("abs_u32", &u, U32, "abs(x)", |w| w[0]);
    add("sign_i32", &i, I32, "sign(x)", |w| {
        (w[0] as i32).signum() as u32
    });
    // Bounds in order, as devices differ where they aren't.
    add(
        "clamp_i32",
        &[I32; 3],
        I32,
        "clamp(x, min(y, z), max(y, z))",
        |w| {
            let [x, y, z] = [w[0] as i32, w[1] as i32, w[2] as i32];
            x.clamp(y.min(z), y.max(z)) as u32
        },
    );
    add(
        "clamp_u32",
        &[U32; 3],
        U32,
        "clamp(x, min(y, z), max(y, z))",
        |w| w[0].clamp(w[1].min(w[2]), w[1].max(w[2])),
    );
    add(
        "select_i32",
        &[I32, I32, Bool],
        I32,
        "select(x, y, z)",
        |w| w[usize::from(w[2] != 0)],
    );
    add("select_bool", &[Bool; 3], Bool, "select(x, y, z)", |w| {
        w[usize::from(w[2] != 0)]
    });
    add("count_ones_u32", &u, U32, "countOneBits(x)", |w| {
        w[0].count_ones()
    });
    add("count_ones_i32", &i, I32, "countOneBits(x)", |w| {
        w[0].count_ones()
    });
    add("leading_zeros_u32", &u, U32, "countLeadingZeros(x)", |w| {
        w[0].leading_zeros()
    });
    add("leading_zeros_i32", &i, I32, "countLeadingZeros(x)", |w| {
        w[0].leading_zeros()
    });
    add(
        "trailing_zeros_u32",
        &u,
        U32,
        "countTrailingZeros(x)",
        |w| w[0].trailing_zeros(),
    );
    add(
        "trailing_zeros_i32",
        &i,
        I32,
        "countTrailingZeros(x)",
        |w| w[0].trailing_zeros(),
    );
    add("first_leading_u32", &u, U32, "firstLeadingBit(x)", |w| {
        first_leading(w[0])
    });
    // Of negative numbers the first bit that isn't the sign's.
    add("first_leading_i32", &i, I32, "firstLeadingBit(x)", |w| {
        first_leading(if (w[0] as i32) < 0 { !w[0] } else { w[0] })
    });
    add("first_trailing_u32", &u, U32, "firstTrailingBit(x)", |w| {
        first_trailing(w[0])
    });
    add("first_trailing_i32", &i, I32, "firstTrailingBit(x)", |w| {
        first_trailing(w[0])
    });
    add("reverse_bits_u32", &u, U32, "reverseBits(x)", |w| {
        w[0].reverse_bits()
    });
    add("reverse_bits_i32", &i, I32, "reverseBits(x)", |w| {
        w[0].reverse_bits()
    });
    // Offset and count are scalars even for vectors.
    for (name, kind) in [("extract_bits_u32", U32), ("extract_bits_i32", I32)] {
        let (read, write) = if kind == I32 {
            ("s(0u)", "bitcast<u32>")
        } else {
            ("u(0u)", "")
        };
        let code = format!(
            "put(0u, {write}(extractBits({read}, u(1u), u(2u))));
             let all = extractBits(vec2({read}, {read}), u(1u), u(2u));
             put(1u, {write}(all.x)); put(2u, {write}(all.y));"
        );
        cases.push(Case::new(name, &[kind, Bits, Bits], 3, &code, move |w| {
            vec![Right::Word(extract(w[0], w[1], w[2], kind == I32)); 3]
        }));
    }
    for (name, kind) in [("insert_bits_u32", U32), ("insert_bits_i32", I32)] {
        let (a, b, write) = if kind == I32 {
            ("s(0u)", "s(1u)", "bitcast<u32>")
        } else {
            ("u(0u)", "u(1u)", "")
        };
        let code = format!(
            "put(0u, {write}(insertBits({a}, {b}, u(2u), u(3u))));
             let all = insertBits(vec2({a}, {b}), vec2({b}, {a}), u(2u), u(3u));
             put(1u, {write}(all.x)); put(2u, {write}(all.y));"
        );
        cases.push(Case::new(name, &[kind, kind, Bits, Bits], 3, &code, |w| {
            let (there, back) = (
                insert(w[0], w[1], w[2], w[3]),
                insert(w[1], w[0], w[2], w[3]),
            );
            [there, there, back].map(Right::Word).to_vec()
        }));
    }
    let mut add =
        |name: &str, given: &[Kind], result: Kind, expression: &str, right: fn(&[u32]) -> u32| {
            cases.push(Case::each(name, given, result, expression, move |words| {
                Right::Word(right(words))
            }));
        };
    // Truth values.
    add("not_bool", &[Bool], Bool, "!x", |w| 1 - w[0]);
    add("and_bool", &[Bool; 2], Bool, "x & y", |w| w[0] & w[1]);
    add("or_bool", &[Bool; 2], Bool, "x | y", |w| w[0] | w[1]);
    add("equal_bool", &[Bool; 2], Bool, "x == y", |w| {
        u32::from(w[0] == w[1])
    });
    add("not_equal_bool", &[Bool; 2], Bool, "x != y", |w| {
        u32::from(w[0] != w[1])
    });
    cases.push(Case::new(
        "logic_all_any",
        &[Bool; 4],
        8,
        "let a = u(0u) != 0u; let b = u(1u) != 0u; let c = u(2u) != 0u; let d = u(3u) != 0u;
         put(0u, u32(a && b)); put(1u, u32(a || b)); put(2u, u32(all(vec4(a, b, c, d))));
         put(3u, u32(any(vec4(a, b, c, d)))); put(4u, u32(all(vec2(a, b)))); put(5u, u32(any(vec3(a, b, c))));
         put(6u, u32(all(a))); put(7u, u32(any(vec4(a, b, c, d) == vec4(d, c, b, a))));",
        |w| {
            let [a, b, c, d] = [w[0] != 0, w[1] != 0, w[2] != 0, w[3] != 0];
            let any_same = a == d || b == c;
            [a && b, a || b, a && b && c && d, a || b || c || d, a && b, a || b || c, a, any_same]
                .map(truth)
                .to_vec()
        },
    ));
    let mut add = |name: &str,
                   given: &[Kind],
                   result: Kind,
                   (scalar, vector): (&str, &str),
                   right: fn(&[u32]) -> Right| {
        // The type has to be named for scalars and for vectors.
        let case = Case::each(name, given, result, "CONVERT", right);
        let code = case
            .code
            .replacen("CONVERT", &format!("{scalar}(x)"), 1)
            .replacen("CONVERT", &format!("{vector}(x)"), 1);
        cases.push(Case { code, ..case });
    };
    add("i32_of_u32", &u, I32, ("i32", "vec3<i32>"), |w| {
        Right::Word(w[0])
    });
    add("u32_of_i32", &i, U32, ("u32", "vec3<u32>"), |w| {
        Right::Word(w[0])
    });
    add("bool_of_i32", &i, Bool, ("bool", "vec3<bool>"), |w| {
        truth(w[0] != 0)
    });
    add("bool_of_u32", &u, Bool, ("bool", "vec3<bool>"), |w| {
        truth(w[0] != 0)
    });
    add("bool_of_f32", &[F32], Bool, ("bool", "vec3<bool>"), |w| {
        truth(float(w[0]) != 0.0)
    });
    add("i32_of_bool", &[Bool], I32, ("i32", "vec3<i32>"), |w| {
        Right::Word(w[0])
    });
    add("u32_of_bool", &[Bool], U32, ("u32", "vec3<u32>"), |w| {
        Right::Word(w[0])
    });
    add("f32_of_bool", &[Bool], F32, ("f32", "vec3<f32>"), |w| {
        Right::Word((w[0] as f32).to_bits())
    });
    // Cut, and held within the range of the type.
    add("i32_of_f32", &[F32], I32, ("i32", "vec3<i32>"), |w| {
        of_float(w[0], wide(w[0]) as i32 as u32, 31)
    });
    add("u32_of_f32", &[F32], U32, ("u32", "vec3<u32>"), |w| {
        of_float(w[0], wide(w[0]) as u32, 32)
    });
    // Exact up to 2^24, and else one of the two floats around it.
    add("f32_of_i32", &i, F32, ("f32", "vec3<f32>"), |w| {
        super::case::rounded(f64::from(w[0] as i32))
    });
    add("f32_of_u32", &u, F32, ("f32", "vec3<f32>"), |w| {
        super::case::rounded(f64::from(w[0]))
    });
    add(
        "bitcast_f32_u32",
        &[F32],
        U32,
        ("bitcast<u32>", "bitcast<vec3<u32>>"),
        |w| Right::Word(w[0]),
    );
    add(
        "bitcast_i32_f32",
        &i,
        F32,
        ("bitcast<f32>", "bitcast<vec3<f32>>"),
        |w| {
            // What isn't a number, and subnormals, need not keep their bits.
            if float(w[0]).is_normal() {
                Right::Word(w[0])
            } else {
                Right::Anything
            }
        },
    );
    cases
}

/// What lies beyond a type may come to its largest, or to the largest float that it holds.
fn of_float(given: u32, right: u32, bits: i32) -> Right {
    let limit = 2.0_f64.powi(bits);
    if wide(given) >= limit || (wide(given) < -limit && bits == 31) {
        let held = if wide(given) < 0.0 { -limit } else { limit };
        return match bits {
            31 if held < 0.0 => Right::Word(i32::MIN as u32),
            _ => Right::Anything,
        };
    }
    Right::Word(right)
}

fn first_leading(word: u32) -> u32 {
    (0..32)
        .rev()
        .find(|i| word >> i & 1 == 1)
        .unwrap_or(u32::MAX)
}

fn first_trailing(word: u32) -> u32 {
    (0..32).find(|i| word >> i & 1 == 1).unwrap_or(u32::MAX)
}

/// Offset and count are cut to what a word has.
fn extract(word: u32, first: u32, count: u32, is_signed: bool) -> u32 {
    let first = first.min(32);
    let count = count.min(32 - first);
    let bit = |i: u32| word >> i & 1;
    let mut found = 0;
    for i in 0..count {
        found |= bit(first + i) << i;
    }
    if is_signed && count > 0 && bit(first + count - 1) == 1 {
        for i in count..32 {
            found |= 1 << i;
        }
    }
    found
}

fn insert(base: u32, bits: u32, first: u32, count: u32) -> u32 {
    let first = first.min(32);
    let count = count.min(32 - first);
    let mut found = base;
    for i in 0..count {
        found = found & !(1 << (first + i)) | (bits >> i & 1) << (first + i);
    }
    found
}
