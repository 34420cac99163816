//! Vectors and matrices: functions that mix components, products, packing.
//!
//! Most are given small integers, of which all sums and products are exact, so that the order in which a device adds doesn't
//! matter.

use super::case::Kind::{I32, Middling, Small, U32, Unit};
use super::case::{Case, Right, exactly, float, near, unit, wide};

fn floats(words: &[u32]) -> Vec<f64> {
    words.iter().map(|word| wide(*word)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new(
            "dot_f32",
            &[Small; 8],
            3,
            "let a = vec4(f(0u), f(1u), f(2u), f(3u)); let b = vec4(f(4u), f(5u), f(6u), f(7u));
             put_f(0u, dot(a, b)); put_f(1u, dot(a.xyz, b.yzw)); put_f(2u, dot(a.wx, b.yy));",
            |w| {
                let v = floats(w);
                [
                    dot(&v[..4], &v[4..]),
                    dot(&v[..3], &v[5..]),
                    v[3] * v[5] + v[0] * v[5],
                ]
                .map(|x| near(x, 0.0))
                .to_vec()
            },
        ),
        Case::new(
            "dot_i32_u32",
            &[I32; 6],
            2,
            "put(0u, u32(dot(vec3(s(0u), s(1u), s(2u)), vec3(s(3u), s(4u), s(5u)))));
             put(1u, dot(vec2(u(0u), u(1u)), vec2(u(4u), u(5u))));",
            |w| {
                let product = |i: usize, j: usize| w[i].wrapping_mul(w[j]);
                let three = product(0, 3).wrapping_add(product(1, 4)).wrapping_add(product(2, 5));
                let two = product(0, 4).wrapping_add(product(1, 5));
                vec![Right::Word(three), Right::Word(two)]
            },
        ),
        Case::new(
            "cross_f32",
            &[Small; 6],
            3,
            "let c = cross(vec3(f(0u), f(1u), f(2u)), vec3(f(3u), f(4u), f(5u)));
             put_f(0u, c.x); put_f(1u, c.y); put_f(2u, c.z);",
            |w| {
                let v = floats(w);
                (0..3)
                    .map(|i| {
                        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
                        near(v[j] * v[3 + k] - v[k] * v[3 + j], 0.0)
                    })
                    .collect()
            },
        ),
        // Inherited from `sqrt(dot(x, x))`: the sum is off by a few units, the root by 4.5.
        Case::new(
            "length_distance_f32",
            &[Middling; 4],
            4,
            "let v = vec4(f(0u), f(1u), f(2u), f(3u));
             put_f(0u, length(v)); put_f(1u, distance(v.xy, v.zw)); put_f(2u, length(v.x));
             put_f(3u, distance(v.x, v.y));",
            |w| {
                let v = floats(w);
                let length = dot(&v, &v).sqrt();
                let apart = (v[0] - v[2]).hypot(v[1] - v[3]);
                let size = v.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
                vec![
                    near(length, 7.0 * unit(length)),
                    near(apart, 7.0 * unit(apart) + 2.0 * unit(size)),
                    near(v[0].abs(), 7.0 * unit(v[0])),
                    near((v[0] - v[1]).abs(), 7.0 * unit(v[0] - v[1])),
                ]
            },
        ),
        // Inherited from `x / length(x)`.
        Case::new(
            "normalize_f32",
            &[Middling; 3],
            3,
            "let n = normalize(vec3(f(0u), f(1u), f(2u))); put_f(0u, n.x); put_f(1u, n.y); put_f(2u, n.z);",
            |w| {
                let v = floats(w);
                let length = dot(&v, &v).sqrt();
                if length < 1e-6 {
                    return vec![Right::Anything; 3];
                }
                v.iter().map(|x| near(x / length, 12.0 * unit(x / length))).collect()
            },
        ),
        Case::new(
            "reflect_faceforward_f32",
            &[Small; 6],
            6,
            "let e = vec3(f(0u), f(1u), f(2u)); let n = vec3(f(3u), f(4u), f(5u));
             let r = reflect(e, n); put_f(0u, r.x); put_f(1u, r.y); put_f(2u, r.z);
             let g = faceForward(e, n, n.zxy); put_f(3u, g.x); put_f(4u, g.y); put_f(5u, g.z);",
            |w| {
                let v = floats(w);
                let (e, n) = (&v[..3], &v[3..]);
                let along = dot(e, n);
                let facing = dot(n, &[n[2], n[0], n[1]]);
                let mut right: Vec<Right> = (0..3).map(|i| near(e[i] - 2.0 * along * n[i], 0.0)).collect();
                right.extend((0..3).map(|i| near(if facing < 0.0 { e[i] } else { -e[i] }, 0.0)));
                right
            },
        ),
        // Inherited from a formula with a root of a difference: near total reflection the digits are lost.
        Case::new(
            "refract_f32",
            &[Unit; 3],
            2,
            "let r = refract(vec2(f(0u), f(1u)), vec2(0.0, 1.0), f(2u)); put_f(0u, r.x); put_f(1u, r.y);",
            |w| {
                let v = floats(w);
                let k = 1.0 - v[2] * v[2] * (1.0 - v[1] * v[1]);
                if k < 1e-3 {
                    return vec![if k < -1e-3 { exactly(0.0) } else { Right::Anything }; 2];
                }
                let down = v[2] * v[1] - (v[2] * v[1] + k.sqrt());
                vec![near(v[2] * v[0], 4.0 * unit(1.0)), near(down, 2e-5)]
            },
        ),
        Case::new(
            "matrix_products_f32",
            &[Small; 9],
            9 + 3 + 3 + 4,
            "let m = mat3x3(f(0u), f(1u), f(2u), f(3u), f(4u), f(5u), f(6u), f(7u), f(8u));
             let p = m * m;
             for (var c = 0u; c < 3u; c++) { for (var r = 0u; r < 3u; r++) { put_f(c * 3u + r, p[c][r]); } }
             let v = vec3(f(8u), f(1u), f(5u));
             let a = m * v; let b = v * m;
             put_f(9u, a.x); put_f(10u, a.y); put_f(11u, a.z); put_f(12u, b.x); put_f(13u, b.y); put_f(14u, b.z);
             let wide = mat2x3(f(0u), f(1u), f(2u), f(3u), f(4u), f(5u));
             let tall = mat3x2(f(3u), f(4u), f(5u), f(6u), f(7u), f(8u));
             let q = tall * wide;
             put_f(15u, q[0].x); put_f(16u, q[0].y); put_f(17u, q[1].x); put_f(18u, q[1].y);",
            |w| {
                let m = floats(w);
                // A column of a product of matrices with so many rows.
                let product = |a: &[f64], b: &[f64], rows: usize, inner: usize| -> Vec<f64> {
                    let mut all = Vec::new();
                    for column in b.chunks(inner) {
                        for row in 0..rows {
                            all.push((0..inner).map(|k| a[k * rows + row] * column[k]).sum());
                        }
                    }
                    all
                };
                let v = [m[8], m[1], m[5]];
                let mut right = product(&m, &m, 3, 3);
                right.extend(product(&m, &v, 3, 3));
                right.extend(product(&v, &m, 1, 3));
                right.extend(product(&m[3..], &m[..6], 2, 3));
                right.into_iter().map(|x| near(x, 0.0)).collect()
            },
        ),
        Case::new(
            "matrix_functions_f32",
            &[Small; 9],
            1 + 1 + 9 + 2 + 6,
            "var m = mat3x3(f(0u), f(1u), f(2u), f(3u), f(4u), f(5u), f(6u), f(7u), f(8u));
             put_f(0u, determinant(m)); put_f(1u, determinant(mat2x2(f(0u), f(1u), f(2u), f(3u))));
             let t = transpose(m);
             for (var i = 0u; i < 9u; i++) { put_f(2u + i, t[i / 3u][i % 3u]); }
             m[1] = vec3(1.0, 2.0, 3.0); m[2][0] = 7.0; m[u(0u) % 3u].y = 9.0;
             put_f(11u, m[1].x + m[2].x); put_f(12u, m[0].y + m[1].y + m[2].y);
             let s = (m + m) * 2.0 - m;
             for (var i = 0u; i < 3u; i++) { put_f(13u + i, s[2][i]); put_f(16u + i, (-1.0 * m)[0][i]); }",
            |w| {
                let m = floats(w);
                let minor = |a: usize, b: usize, c: usize, d: usize| m[a] * m[d] - m[b] * m[c];
                let whole = m[0] * minor(4, 7, 5, 8) - m[3] * minor(1, 7, 2, 8) + m[6] * minor(1, 4, 2, 5);
                let mut right = vec![whole, m[0] * m[3] - m[1] * m[2]];
                right.extend((0..9).map(|i| m[i % 3 * 3 + i / 3]));
                let mut n = m.clone();
                n[3..6].copy_from_slice(&[1.0, 2.0, 3.0]);
                n[6] = 7.0;
                n[(w[0] % 3) as usize * 3 + 1] = 9.0;
                right.extend([n[3] + n[6], n[1] + n[4] + n[7]]);
                right.extend((0..3).map(|i| n[6 + i] * 3.0));
                right.extend((0..3).map(|i| -n[i]));
                right.into_iter().map(|x| near(x, 0.0)).collect()
            },
        ),
        Case::new(
            "determinant_mat4x4_f32",
            &[Small; 8],
            1,
            "let m = mat4x4(f(0u), f(1u), f(2u), f(3u), 1.0, f(4u), 0.0, 2.0, f(5u), 1.0, f(6u), 0.0, 3.0, 0.0, 1.0, f(7u));
             put_f(0u, determinant(m));",
            |w| {
                let v = floats(w);
                let m = [
                    v[0], v[1], v[2], v[3], 1.0, v[4], 0.0, 2.0, v[5], 1.0, v[6], 0.0, 3.0, 0.0, 1.0, v[7],
                ];
                vec![near(determinant(&m, 4), 0.0)]
            },
        ),
        Case::new(
            "swizzles_and_components",
            &[U32; 5],
            12,
            "var v = vec4(u(0u), u(1u), u(2u), u(3u));
             let w = v.wzyx; let d = v.bgra; let n = u(4u) % 4u;
             put(0u, w.x); put(1u, w.w); put(2u, d.x); put(3u, d.a); put(4u, v.xxyy.z); put(5u, v[n]);
             v[n] = 7u; v.z += 1u; v[(n + 1u) % 4u] *= 3u;
             put(6u, v.x); put(7u, v.y); put(8u, v.z); put(9u, v.w);
             let parts = array(v.xy, v.zw); put(10u, parts[n % 2u][n / 2u]);
             put(11u, vec4(w.xy, d.zw)[n]);",
            |w| {
                let mut v = [w[0], w[1], w[2], w[3]];
                let n = (w[4] % 4) as usize;
                let reversed = [v[3], v[2], v[1], v[0]];
                let colours = [v[2], v[1], v[0], v[3]];
                let mut right = vec![v[3], v[0], v[2], v[3], v[1], v[n]];
                v[n] = 7;
                v[2] = v[2].wrapping_add(1);
                v[(n + 1) % 4] = v[(n + 1) % 4].wrapping_mul(3);
                right.extend(v);
                right.push(v[n % 2 * 2 + n / 2]);
                right.push([reversed[0], reversed[1], colours[2], colours[3]][n]);
                right.into_iter().map(Right::Word).collect()
            },
        ),
    ];
    cases.extend(packing());
    cases
}

/// By the first column.
fn determinant(m: &[f64], size: usize) -> f64 {
    if size == 1 {
        return m[0];
    }
    (0..size)
        .map(|row| {
            let minor: Vec<f64> = (1..size)
                .flat_map(|column| (0..size).map(move |other| (column, other)))
                .filter(|(_, other)| *other != row)
                .map(|(column, other)| m[column * size + other])
                .collect();
            let sign = if row % 2 == 0 { 1.0 } else { -1.0 };
            sign * m[row] * determinant(&minor, size - 1)
        })
        .sum()
}

/// The integer at these bits of a word.
fn bits(word: u32, i: u32, width: u32, is_signed: bool) -> i64 {
    let part = i64::from(word >> (i * width)) & ((1 << width) - 1);
    if is_signed && part >> (width - 1) == 1 {
        part - (1 << width)
    } else {
        part
    }
}

fn packing() -> Vec<Case> {
    let mut cases = Vec::new();
    for (function, count, width, low, scale) in [
        ("pack4x8snorm", 4, 8, -1.0, 127.0),
        ("pack4x8unorm", 4, 8, 0.0, 255.0),
        ("pack2x16snorm", 2, 16, -1.0, 32767.0),
        ("pack2x16unorm", 2, 16, 0.0, 65535.0),
    ] {
        let list = ["f(0u)", "f(1u)", "f(2u)", "f(3u)"][..count].join(", ");
        let code = format!(
            "let word = {function}(vec{count}({list}));
             put(0u, word); for (var i = 1u; i < {count}u; i++) {{ put(i, word); }}"
        );
        // `floor(0.5 + scale * x)`: where that is next to an integer either will do, so that parts are seen one by one.
        let right = move |w: &[u32]| -> Vec<Right> {
            let mut word = 0_u32;
            for (i, x) in floats(w).iter().enumerate() {
                let scaled = 0.5 + x.clamp(low, 1.0) * scale;
                if (scaled - scaled.round()).abs() < 1e-2 {
                    return vec![Right::Anything; count];
                }
                word |= ((scaled.floor() as i64 & ((1 << width) - 1)) as u32) << (i * width);
            }
            vec![Right::Word(word); count]
        };
        cases.push(Case::new(function, &vec![Unit; count], count, &code, right));
    }
    for (function, count, width, is_signed, scale) in [
        ("unpack4x8snorm", 4_u32, 8_u32, true, 127.0),
        ("unpack4x8unorm", 4, 8, false, 255.0),
        ("unpack2x16snorm", 2, 16, true, 32767.0),
        ("unpack2x16unorm", 2, 16, false, 65535.0),
    ] {
        let code = format!(
            "let v = {function}(u(0u)); for (var i = 0u; i < {count}u; i++) {{ put_f(i, v[i]); }}"
        );
        // 3 units, as for a division.
        let right = move |w: &[u32]| -> Vec<Right> {
            (0..count)
                .map(|i| (bits(w[0], i, width, is_signed) as f64 / scale).max(-1.0))
                .map(|x| near(x, 3.0 * unit(x)))
                .collect()
        };
        cases.push(Case::new(function, &[U32], count as usize, &code, right));
    }
    cases.push(Case::new(
        "pack2x16float",
        &[Middling; 2],
        1,
        "put(0u, pack2x16float(vec2(f(0u), f(1u))));",
        |w| {
            // Rounded to the nearest or the one beside it: only what f16 has exactly is one word.
            let halves = [
                half::f16::from_f32(float(w[0])),
                half::f16::from_f32(float(w[1])),
            ];
            let is_exact = (0..2).all(|i| halves[i].to_f32() == float(w[i]));
            let word = u32::from(halves[0].to_bits()) | u32::from(halves[1].to_bits()) << 16;
            vec![if is_exact {
                Right::Word(word)
            } else {
                Right::Anything
            }]
        },
    ));
    cases.push(Case::new(
        "pack2x16float_rounds_to_a_neighbour",
        &[Middling],
        1,
        "put_f(0u, unpack2x16float(pack2x16float(vec2(0.0, f(0u)))).y);",
        |w| {
            let x = wide(w[0]);
            vec![near(x, x.abs() * 2.0_f64.powi(-10) + 6.2e-5)]
        },
    ));
    cases.push(Case::new(
        "unpack2x16float",
        &[U32],
        2,
        "let v = unpack2x16float(u(0u)); put_f(0u, v.x); put_f(1u, v.y);",
        |w| {
            [w[0] as u16, (w[0] >> 16) as u16]
                .map(half::f16::from_bits)
                .map(|half| {
                    if half.is_normal() || half.to_bits() << 1 == 0 {
                        exactly(half.to_f32())
                    } else {
                        Right::Anything
                    }
                })
                .to_vec()
        },
    ));
    for (function, is_signed, is_clamped) in [
        ("pack4xI8", true, false),
        ("pack4xU8", false, false),
        ("pack4xI8Clamp", true, true),
        ("pack4xU8Clamp", false, true),
    ] {
        let read = if is_signed { "s" } else { "u" };
        let code =
            format!("put(0u, {function}(vec4({read}(0u), {read}(1u), {read}(2u), {read}(3u))));");
        let right = move |w: &[u32]| -> Vec<Right> {
            let one = |word: u32| match (is_signed, is_clamped) {
                (_, false) => word & 0xff,
                (true, true) => (word as i32).clamp(-128, 127) as u32 & 0xff,
                (false, true) => word.min(255),
            };
            vec![Right::Word((0..4).map(|i| one(w[i]) << (8 * i)).sum())]
        };
        cases.push(Case::new(function, &[I32; 4], 1, &code, right));
    }
    for (function, is_signed) in [("unpack4xI8", true), ("unpack4xU8", false)] {
        let code = format!(
            "let v = {function}(u(0u)); for (var i = 0u; i < 4u; i++) {{ put(i, bitcast<u32>(v[i])); }}"
        );
        let right = move |w: &[u32]| -> Vec<Right> {
            (0..4)
                .map(|i| Right::Word(bits(w[0], i, 8, is_signed) as u32))
                .collect()
        };
        cases.push(Case::new(function, &[U32], 4, &code, right));
    }
    for (function, is_signed) in [("dot4I8Packed", true), ("dot4U8Packed", false)] {
        let write = if is_signed { "bitcast<u32>" } else { "" };
        let code = format!("put(0u, {write}({function}(u(0u), u(1u))));");
        let right = move |w: &[u32]| -> Vec<Right> {
            let product = |i| bits(w[0], i, 8, is_signed) * bits(w[1], i, 8, is_signed);
            vec![Right::Word((0..4).map(product).sum::<i64>() as u32)]
        };
        cases.push(Case::new(function, &[U32; 2], 1, &code, right));
    }
    cases
}
