//! Operators and functions give what the specification says.

use super::harness::{bits, each, once};

fn expect(f: impl Fn(u32) -> u32) -> Vec<u32> {
    (0..40).map(f).collect()
}

/// Each expression of type u32, with what it is; `one` is 1 and `i` 3 but nobody knows.
fn check(preamble: &str, pairs: &[(&str, u32)]) {
    let mut body = String::new();
    for (place, (expression, _)) in pairs.iter().enumerate() {
        body += &format!("out[{place}] = {expression};\n");
    }
    let right: Vec<u32> = pairs.iter().map(|(_, right)| *right).collect();
    let found = once(preamble, &format!("let i = one * 3u;\n{body}"), pairs.len());
    for ((expression, right), found) in pairs.iter().zip(found) {
        assert_eq!(found, *right, "{expression}: {found:#x} isn't {right:#x}");
    }
    assert_eq!(right.len(), pairs.len());
}

/// Each expression of type f32, with what it is, within a few units in the last place.
fn near(preamble: &str, pairs: &[(&str, f32)]) {
    let mut body = String::new();
    for (place, (expression, _)) in pairs.iter().enumerate() {
        body += &format!("out[{place}] = bitcast<u32>({expression});\n");
    }
    let found = once(preamble, &format!("let x = f32(one);\n{body}"), pairs.len());
    for ((expression, right), found) in pairs.iter().zip(found) {
        let found = f32::from_bits(found);
        let is_near = found == *right
            || (found.is_nan() && right.is_nan())
            || (found - right).abs() <= 4e-6 * right.abs().max(1e-3);
        assert!(is_near, "{expression}: {found} isn't {right}");
    }
}

const LEAST: u32 = 0x8000_0000;

#[test]
fn integers_wrap_and_division_never_traps() {
    check(
        "",
        &[
            ("i / (one - 1u)", 3),
            ("i % (one - 1u)", 0),
            ("bitcast<u32>(i32(i) / i32(one - 1u))", 3),
            ("bitcast<u32>(i32(i) % i32(one - 1u))", 0),
            ("bitcast<u32>((i32(one) << 31u) / -i32(one))", LEAST),
            ("bitcast<u32>((i32(one) << 31u) % -i32(one))", 0),
            ("bitcast<u32>(-7i * i32(one) / 2i)", -3_i32 as u32),
            ("bitcast<u32>(-7i * i32(one) % 2i)", -1_i32 as u32),
            ("one - 2u", u32::MAX),
            ("0xffffffffu * (one + 2u)", 0xffff_fffd),
            ("bitcast<u32>(-(i32(one) << 31u))", LEAST),
            ("bitcast<u32>(abs(i32(one) << 31u))", LEAST),
            ("one << (32u + one)", 2),
            (
                "bitcast<u32>((-8i * i32(one)) >> (32u + one))",
                -4_i32 as u32,
            ),
            ("(0x80000000u * one) >> 31u", 1),
            ("~one", !1),
            ("bitcast<u32>(sign(-5i * i32(one)))", u32::MAX),
            ("sign(one - 2u) + sign(one - 1u) * 2u", 1),
            ("u32(i32(one) - 2i < 0i) + u32(one - 2u < 1u) * 2u", 1),
        ],
    );
}

#[test]
fn conversions_saturate_and_bitcasts_keep_bits() {
    check(
        "",
        &[
            ("u32(-3.7 * f32(one))", 0),
            ("u32(1e20 * f32(one))", 4_294_967_040),
            ("bitcast<u32>(i32(1e20 * f32(one)))", 2_147_483_520),
            ("bitcast<u32>(i32(2147483520.0 * f32(one)))", 2_147_483_520),
            ("bitcast<u32>(i32(-1e20 * f32(one)))", LEAST),
            ("bitcast<u32>(i32(-3.7 * f32(one)))", -3_i32 as u32),
            ("bitcast<u32>(f32(i32(one) - 3i))", (-2.0_f32).to_bits()),
            (
                "bitcast<u32>(f32(4294967295u * one))",
                4_294_967_296.0_f32.to_bits(),
            ),
            (
                "u32(bool(i)) + u32(bool(f32(one) * 0.0)) * 2u + u32(bool(-0.0 * f32(one)))",
                1,
            ),
            (
                "bitcast<vec2<u32>>(vec2<f32>(1.0, f32(one) * 2.0)).y",
                0x4000_0000,
            ),
            ("bitcast<u32>(bitcast<vec3<i32>>(vec3(one, 2u, 3u)).z)", 3),
            (
                "bitcast<u32>(vec2<f32>(vec2(true, one == 2u)).x)",
                0x3f80_0000,
            ),
            ("vec3<u32>(vec3(true, false, one == 1u)).z", 1),
            ("vec2<u32>(vec2<i32>(-1, 2) * i32(one)).x", u32::MAX),
        ],
    );
}

#[test]
fn bits_are_counted_found_and_moved() {
    check(
        "",
        &[
            ("countOneBits(0xf0f0u * one)", 8),
            ("countLeadingZeros(one)", 31),
            ("countLeadingZeros(one - 1u)", 32),
            ("countTrailingZeros(one * 8u)", 3),
            ("countTrailingZeros(one - 1u)", 32),
            ("reverseBits(one)", LEAST),
            ("firstLeadingBit(one * 9u)", 3),
            ("firstLeadingBit(one - 1u)", u32::MAX),
            ("bitcast<u32>(firstLeadingBit(-1i * i32(one)))", u32::MAX),
            ("bitcast<u32>(firstLeadingBit(-9i * i32(one)))", 3),
            ("bitcast<u32>(firstLeadingBit(i32(one) * 9i))", 3),
            ("firstTrailingBit(one * 24u)", 3),
            ("firstTrailingBit(one - 1u)", u32::MAX),
            ("extractBits(0xabcdu * one, 4u, 8u)", 0xbc),
            ("extractBits(0xabcdu * one, 4u, 0u)", 0),
            ("extractBits(0x80000000u * one, 31u, 5u)", 1),
            ("extractBits(0x80000000u * one, 40u, 5u)", 0),
            ("extractBits(0xabcdu * one, 0u, 32u)", 0xabcd),
            (
                "bitcast<u32>(extractBits(0xabcdi * i32(one), 4u, 8u))",
                0xffff_ffbc,
            ),
            ("bitcast<u32>(extractBits(-1i * i32(one), 32u, 8u))", 0),
            ("insertBits(0xffffffffu * one, 0u, 4u, 8u)", 0xffff_f00f),
            ("insertBits(0u, 0xffu * one, 28u, 8u)", 0xf000_0000),
            ("insertBits(5u, 0xffu * one, 32u, 8u)", 5),
            ("insertBits(5u, 0xffu * one, 3u, 0u)", 5),
            ("insertBits(5u, 0xabu * one, 0u, 32u)", 0xab),
            (
                "bitcast<u32>(insertBits(0i, -1i * i32(one), 31u, 1u))",
                LEAST,
            ),
        ],
    );
}

#[test]
fn words_are_packed_and_unpacked() {
    check(
        "",
        &[
            (
                "pack4x8snorm(vec4(1.0, -1.0, 0.5, -2.0) * f32(one))",
                0x8140_817f,
            ),
            (
                "pack4x8unorm(vec4(1.0, -1.0, 0.5, 2.0) * f32(one))",
                0xff80_00ff,
            ),
            ("pack2x16snorm(vec2(1.0, -1.0) * f32(one))", 0x8001_7fff),
            ("pack2x16unorm(vec2(1.0, 0.5) * f32(one))", 0x8000_ffff),
            ("pack2x16float(vec2(1.0, -2.0) * f32(one))", 0xc000_3c00),
            ("pack4xI8(vec4(-1i, 2i, -3i, 260i) * i32(one))", 0x04fd_02ff),
            ("pack4xU8(vec4(1u, 2u, 3u, 260u) * one)", 0x0403_0201),
            (
                "pack4xI8Clamp(vec4(-1i, 200i, -300i, 4i) * i32(one))",
                0x0480_7fff,
            ),
            ("pack4xU8Clamp(vec4(1u, 200u, 300u, 4u) * one)", 0x04ff_c801),
            (
                "bitcast<u32>(unpack4xI8(0x80ff0102u * one).w)",
                -128_i32 as u32,
            ),
            ("unpack4xU8(0x80ff0102u * one).z", 255),
            (
                "bitcast<u32>(unpack4x8snorm(0x8081007fu * one).w)",
                (-1.0_f32).to_bits(),
            ),
            (
                "bitcast<u32>(unpack4x8unorm(0xff000033u * one).x)",
                (51.0_f32 / 255.0).to_bits(),
            ),
            (
                "bitcast<u32>(unpack2x16snorm(0x80017fffu * one).y)",
                (-1.0_f32).to_bits(),
            ),
            (
                "bitcast<u32>(unpack2x16unorm(0xffff0000u * one).y)",
                1.0_f32.to_bits(),
            ),
            (
                "bitcast<u32>(unpack2x16float(0xc0003c00u * one).y)",
                (-2.0_f32).to_bits(),
            ),
            (
                "bitcast<u32>(dot4I8Packed(0xff020304u * one, 0x02010101u))",
                7,
            ),
            ("dot4U8Packed(0xff020304u * one, 0x02010101u)", 519),
        ],
    );
}

#[test]
fn functions_of_floats_give_what_mathematics_says() {
    near(
        "",
        &[
            ("sin(x)", 1.0_f32.sin()),
            ("cos(x)", 1.0_f32.cos()),
            ("tan(x)", 1.0_f32.tan()),
            ("asin(x * 0.5)", 0.5_f32.asin()),
            ("acos(x * 0.5)", 0.5_f32.acos()),
            ("atan(x * 2.0)", 2.0_f32.atan()),
            ("atan2(x, -x * 2.0)", 1.0_f32.atan2(-2.0)),
            ("sinh(x)", 1.0_f32.sinh()),
            ("cosh(x)", 1.0_f32.cosh()),
            ("tanh(x)", 1.0_f32.tanh()),
            ("asinh(x)", 1.0_f32.asinh()),
            ("acosh(x * 2.0)", 2.0_f32.acosh()),
            ("atanh(x * 0.5)", 0.5_f32.atanh()),
            ("radians(x * 90.0)", std::f32::consts::FRAC_PI_2),
            ("degrees(x)", 1.0_f32.to_degrees()),
            ("ceil(x * 1.2) + floor(-x * 1.2) * 10.0", -18.0),
            ("round(x * 2.5) + round(x * 3.5) * 10.0", 42.0),
            ("trunc(-x * 1.7)", -1.0),
            ("fract(-x * 1.25)", 0.75),
            ("exp(x) + exp2(x * 3.0)", std::f32::consts::E + 8.0),
            ("log(x * 5.0) + log2(x * 8.0)", 5.0_f32.ln() + 3.0),
            ("pow(x * 3.0, 2.5)", 3.0_f32.powf(2.5)),
            ("sqrt(x * 2.0) + inverseSqrt(x * 4.0)", 2.0_f32.sqrt() + 0.5),
            ("ldexp(x * 1.5, -3i) + ldexp(x, 4i)", 16.1875),
            (
                "modf(x * -3.25).fract * 100.0 + modf(x * -3.25).whole",
                -28.0,
            ),
            (
                "frexp(x * 10.0).fract + f32(frexp(x * 10.0).exp) * 10.0",
                40.625,
            ),
            ("clamp(x * 5.0, 1.0, 2.0) + saturate(x * 3.0) * 10.0", 12.0),
            ("mix(x, 5.0, 0.25)", 2.0),
            ("step(x, 0.5) + step(0.5, x) * 2.0", 2.0),
            ("smoothstep(0.0, 4.0, x)", 0.15625),
            ("fma(x, 2.0, 3.0)", 5.0),
            ("sign(-x) + sign(x * 0.0) * 10.0", -1.0),
            ("abs(-x) + min(x, 2.0) * 10.0 + max(x, 2.0) * 100.0", 211.0),
            ("quantizeToF16(x * 1.0001)", 1.0),
            ("-7.5 % (x * 2.0)", -1.5),
            ("dot(vec3(x, 2.0, 3.0), vec3(4.0, 5.0, 6.0))", 32.0),
            (
                "f32(dot(vec2<i32>(2, -3) * i32(one), vec2<i32>(4, 5)))",
                -7.0,
            ),
            (
                "length(vec2(x * 3.0, 4.0)) + distance(vec2(x, 1.0), vec2(4.0, 5.0))",
                10.0,
            ),
            ("cross(vec3(x, 2.0, 3.0), vec3(4.0, 5.0, 7.0)).y", 5.0),
            ("normalize(vec3(x * 3.0, 0.0, 4.0)).z", 0.8),
            (
                "faceForward(vec2(x, 2.0), vec2(1.0, 0.0), vec2(1.0, 0.0)).y",
                -2.0,
            ),
            ("reflect(vec2(x, -1.0), vec2(0.0, 1.0)).y", 1.0),
            (
                "refract(vec2(x, -1.0) / sqrt(2.0), vec2(0.0, 1.0), 0.5).y",
                -0.935_414_3,
            ),
            (
                "refract(vec2(x, -1.0) / sqrt(2.0), vec2(0.0, 1.0), 2.0).x",
                0.0,
            ),
            ("length(-x * 3.0) + distance(x, 4.0)", 6.0),
        ],
    );
}

#[test]
fn functions_take_vectors_component_by_component() {
    near(
        "",
        &[
            ("mix(vec2(x, 2.0), vec2(3.0, 4.0), 0.5).y", 3.0),
            ("mix(vec2(x, 2.0), vec2(3.0, 4.0), vec2(0.0, 1.0)).y", 4.0),
            ("clamp(vec3(x, 5.0, -5.0), vec3(0.0), vec3(2.0)).y", 2.0),
            (
                "select(vec2(x, 2.0), vec2(3.0, 4.0), vec2(true, x > 2.0)).x",
                3.0,
            ),
            ("select(vec2(x, 2.0), vec2(3.0, 4.0), x > 2.0).y", 2.0),
            (
                "modf(vec2(x * 1.5, -2.25)).fract.y + modf(vec2(x * 1.5, -2.25)).whole.x * 10.0",
                9.75,
            ),
            (
                "frexp(vec2(x * 8.0, 0.0)).fract.x + f32(frexp(vec2(x * 8.0, 0.0)).exp.x)",
                4.5,
            ),
            ("ldexp(vec2(x, 3.0), vec2<i32>(1, 2)).y", 12.0),
            ("max(vec2(x, 3.0), vec2(2.0, 1.0)).x", 2.0),
            ("pow(vec2(x * 2.0, 3.0), vec2(3.0, 2.0)).x", 8.0),
            ("(vec3(x, 2.0, 3.0).zyx * vec3(1.0, 10.0, 100.0)).y", 20.0),
            ("(2.0 / vec2(x, 4.0)).y + (vec2(x, 4.0) - 1.0).y", 3.5),
            (
                "f32(all(vec2(true, x > 0.0))) + f32(any(vec2(false, x < 0.0))) * 2.0",
                1.0,
            ),
            (
                "f32(all(vec2(x, 2.0) == vec2(1.0, 2.0))) + f32(any(vec2(x, 2.0) < vec2(1.0, 2.0)))",
                1.0,
            ),
            (
                "f32((vec2(true, false) | vec2(x > 2.0, x > 0.0)).y) + f32(!(x > 0.0 & true))",
                1.0,
            ),
        ],
    );
}

#[test]
fn matrices_multiply_in_all_shapes() {
    // Column c, row r of a is 10c + r + 1, of b 2c - r.
    let a = |c: usize, r: usize| (10 * c + r + 1) as f32;
    let b = |c: usize, r: usize| 2.0 * c as f32 - r as f32;
    let list = |columns: usize, rows: usize, f: &dyn Fn(usize, usize) -> f32| {
        let all: Vec<String> = (0..columns)
            .flat_map(|c| (0..rows).map(move |r| (c, r)))
            .map(|(c, r)| format!("{:?} * x", f(c, r)))
            .collect();
        all.join(", ")
    };
    for inner in 2..=4 {
        for rows in 2..=4 {
            for columns in 2..=4 {
                let (left, right) = (list(inner, rows, &a), list(columns, inner, &b));
                let body = format!(
                    "let x = f32(one);
                    let a = mat{inner}x{rows}<f32>({left});
                    let b = mat{columns}x{inner}<f32>({right});
                    let p = a * b;
                    let v = a * b[1];
                    let w = transpose(a)[1] * b;
                    let s = (a + a - a * 0.5) * 2.0;
                    for (var c = 0u; c < {columns}u; c++) {{
                        var copy = p;
                        for (var r = 0u; r < {rows}u; r++) {{ out[c * {rows}u + r] = bitcast<u32>(copy[c][r]); }}
                    }}
                    out[16] = bitcast<u32>(v[{rows}u - 1u]);
                    out[17] = bitcast<u32>(w[{columns}u - 1u]);
                    out[18] = bitcast<u32>(s[1][1]);"
                );
                let found = once("", &body, 19);
                let product =
                    |c: usize, r: usize| (0..inner).map(|k| a(k, r) * b(c, k)).sum::<f32>();
                let right: Vec<f32> = (0..columns)
                    .flat_map(|c| (0..rows).map(move |r| product(c, r)))
                    .collect();
                assert_eq!(found[..columns * rows], bits(&right));
                assert_eq!(
                    found[16..],
                    bits(&[product(1, rows - 1), product(columns - 1, 1), a(1, 1) * 3.0])
                );
            }
        }
    }
}

#[test]
fn determinants_are_signed_volumes() {
    near(
        "",
        &[
            ("determinant(mat2x2(x, 2.0, 3.0, 4.0))", -2.0),
            (
                "determinant(mat3x3(x * 2.0, 0.0, 1.0, 3.0, 5.0, 0.0, 1.0, 1.0, 1.0))",
                8.0,
            ),
            (
                "determinant(mat4x4(x, 0.0, 0.0, 2.0, 0.0, 3.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 4.0, 0.0, 1.0))",
                -13.0,
            ),
        ],
    );
}

#[test]
fn swizzles_and_component_stores_leave_the_rest() {
    let body = "var v = vec4<u32>(i, i + 1u, i + 2u, i + 3u);
        v.y = 100u;
        v.x += v.w;
        var w = v.wzyx;
        w[i % 4u] = 7u;
        let u = w.xxyz;
        out[i] = u.x + u.w * 100u + w.z * 10000u;";
    let right = |i: u32| {
        let mut w = [i + 3, i + 2, 100, 2 * i + 3];
        w[i as usize % 4] = 7;
        w[0] + w[2] * 100 + w[2] * 10_000
    };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn truth_values_are_values_like_others() {
    let preamble = "struct Flags { a: bool, b: vec2<bool> }
        var<private> seen: vec3<bool>;
        var<workgroup> any_seen: bool;
        fn flip(f: ptr<function, bool>) { *f = !*f; }";
    let body = "var f = Flags(i % 2u == 0u, vec2(i > 5u, true));
        flip(&f.a);
        f.b[i % 2u] = f.a != f.b.x;
        seen[i % 3u] = f.a;
        var g = array<bool, 3>(f.a, f.b.x, f.b.y);
        let h = g[i % 3u] == (i > 20u);
        out[i] = u32(f.a) + u32(f.b.x) * 2u + u32(f.b.y) * 4u + u32(seen[i % 3u]) * 8u + u32(h) * 16u
            + u32(select(f.a, h, f.b.x)) * 32u;";
    let right = |i: u32| {
        let a = !i.is_multiple_of(2);
        let mut b = [i > 5, true];
        b[i as usize % 2] = a != b[0];
        let h = [a, b[0], b[1]][i as usize % 3] == (i > 20);
        let chosen = if b[0] { h } else { a };
        [a, b[0], b[1], a, h, chosen]
            .iter()
            .rev()
            .fold(0, |bits, bit| bits * 2 + u32::from(*bit))
    };
    assert_eq!(each(preamble, body), expect(right));
}
