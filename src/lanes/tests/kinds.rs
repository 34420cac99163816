//! Numbers of 16 and of 64 bits.

use super::harness::{each_with, once, run};
use half::f16;

fn pair(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// Each expression of type u64, i64 or f64, with its bits; `one` is 1 but nobody knows.
fn wide(ty: &str, pairs: &[(&str, u64)]) {
    let preamble = format!("@group(0) @binding(2) var<storage, read_write> wide: array<{ty}>;");
    let mut body = String::new();
    for (place, (expression, _)) in pairs.iter().enumerate() {
        body += &format!("wide[{place}] = {expression};\n");
    }
    let wgsl = format!(
        "{preamble}
        @group(0) @binding(1) var<storage, read_write> ones: array<u32>;
        @compute @workgroup_size(1)
        fn main() {{
            let one = ones[0];
            let u = u64(one);
            let s = i64(one);
            let x = f64(one);
            {body}
        }}"
    );
    let found = run(&wgsl, &[vec![1], vec![0; pairs.len() * 2]], [1, 1, 1]).remove(1);
    for ((expression, right), found) in pairs.iter().zip(found.chunks(2)) {
        assert_eq!(found, pair(*right), "{expression}");
    }
}

#[test]
fn integers_of_64_bits_wrap_and_never_trap() {
    wide(
        "u64",
        &[
            ("(u << 32u) + 5lu", (1 << 32) + 5),
            ("0xfffffffffffffffflu * 3lu * u", u64::MAX - 2),
            ("u - 2lu", u64::MAX),
            ("(u << 63u) / 3lu", (1 << 63) / 3),
            ("u / (u - 1lu)", 1),
            ("u % (u - 1lu)", 0),
            ("(u << 63u) >> 60u", 8),
            ("u << (64u + one)", 2),
            ("~u", !1),
            ("((u << 40u) | 6lu) ^ 3lu", (1 << 40) | 5),
            ("((u << 40u) | 7lu) & (u << 40u)", 1 << 40),
            (
                "min(u << 40u, 7lu) + max(u << 40u, 7lu) * 2lu",
                7 + (2 << 40),
            ),
            ("clamp(u << 40u, 1lu, 9lu)", 9),
            ("select(u << 40u, 3lu, one == 2u)", 1 << 40),
            ("countOneBits((u << 40u) - 1lu)", 40),
            ("countLeadingZeros(u << 40u)", 23),
            ("countTrailingZeros(u << 40u)", 40),
            ("firstLeadingBit(u << 40u)", 40),
            ("firstTrailingBit(u << 40u)", 40),
            ("firstTrailingBit(u - 1lu)", u64::MAX),
            ("reverseBits(u)", 1 << 63),
            ("u64(one == 1u) + u64(-1i * i32(one))", 0),
            ("u64(-2.5 * f32(one)) + u64(5e9 * f32(one))", 5_000_000_000),
            ("u64(u32((u << 32u) + 9lu))", 9),
            (
                "u64(u32((u << 33u) > 7lu)) + u64(u32((u << 33u) == 0lu)) * 2lu",
                1,
            ),
        ],
    );
    wide(
        "i64",
        &[
            ("-(s << 63u)", 1 << 63),
            ("(s << 63u) / -s", 1 << 63),
            ("(s << 63u) % -s", 0),
            ("(s - 8li) / 2li", -3_i64 as u64),
            ("(s - 8li) % 4li", -3_i64 as u64),
            ("(s - 9li) >> 1u", -4_i64 as u64),
            ("abs(s - 9li) + sign(s - 9li)", 7),
            ("min(s - 2li, 4li) + max(s - 2li, 4li)", 3),
            ("i64(-1e30 * f32(one))", 1 << 63),
            ("i64(-7i * i32(one))", -7_i64 as u64),
            ("i64(i32((s << 31u)))", -0x8000_0000_i64 as u64),
            ("firstLeadingBit(s - 2li)", u64::MAX),
            (
                "i64(u32(s - 2li < 0li)) + i64(u32(s - 2li >= -1li)) * 2li",
                3,
            ),
            (
                "dot(vec2<i64>(s, 2li), vec2<i64>(3li, -4li))",
                -5_i64 as u64,
            ),
        ],
    );
}

#[test]
fn floats_of_64_bits_keep_all_their_digits() {
    let float = f64::to_bits;
    wide(
        "f64",
        &[
            ("x / 3.0lf", float(1.0 / 3.0)),
            ("x * 0.1lf + 0.2lf", float(0.1 + 0.2)),
            ("-x - 1e-15lf", float(-1.0 - 1e-15)),
            ("7.5lf % (x * 2.0lf)", float(1.5)),
            ("sqrt(x * 2.0lf)", float(2.0_f64.sqrt())),
            ("sin(x) + cos(x)", float(1.0_f64.sin() + 1.0_f64.cos())),
            (
                "exp(x) - log(x * 3.0lf)",
                float(1.0_f64.exp() - 3.0_f64.ln()),
            ),
            ("pow(x * 3.0lf, 0.5lf)", float(3.0_f64.powf(0.5))),
            (
                "floor(x * 2.7lf) + ceil(x * 2.2lf) + round(x * 2.5lf) + trunc(-x * 1.5lf)",
                float(6.0),
            ),
            ("fract(x * 2.25lf)", float(0.25)),
            (
                "abs(-x) + sign(-x * 3.0lf) + min(x, 2.0lf) + max(x, 2.0lf)",
                float(3.0),
            ),
            ("mix(x, 5.0lf, 0.25lf) + step(0.5lf, x)", float(3.0)),
            (
                "clamp(x * 5.0lf, 1.0lf, 2.0lf) + saturate(x * 3.0lf)",
                float(3.0),
            ),
            ("smoothstep(0.0lf, 4.0lf, x)", float(0.15625)),
            ("fma(x, 2.0lf, 3.0lf)", float(5.0)),
            ("length(vec3<f64>(x * 3.0lf, 0.0lf, 4.0lf))", float(5.0)),
            (
                "dot(vec2<f64>(x, 2.0lf), vec2<f64>(3.0lf, 4.0lf))",
                float(11.0),
            ),
            (
                "normalize(vec2<f64>(x * 3.0lf, 4.0lf)).y",
                float(4.0 * (1.0 / 5.0)),
            ),
            (
                "f64(4294967295u * one) + f64(-1i * i32(one)) + f64(0.5f * f32(one))",
                float(4_294_967_294.5),
            ),
            (
                "f64(u << 60u) + f64(s - 2li)",
                float((1_u64 << 60) as f64 - 1.0),
            ),
            (
                "f64(u64(x * 1e19lf) >> 1u) + f64(i64(-x * 1e30lf))",
                float(5e18 - 9_223_372_036_854_775_808.0),
            ),
            ("f64(f32(x / 3.0lf))", float(f64::from(1.0_f32 / 3.0))),
            (
                "f64(i32(-x * 1e10lf)) + f64(u32(x * 1e10lf))",
                float(-2_147_483_648.0 + 4_294_967_295.0),
            ),
            ("select(x, 3.0lf, x < 2.0lf && x != 4.0lf)", float(3.0)),
            (
                "(mat2x2<f64>(x, 2.0lf, 3.0lf, 4.0lf) * vec2<f64>(1.0lf, 2.0lf)).y",
                float(10.0),
            ),
            (
                "determinant(mat2x2<f64>(x, 2.0lf, 3.0lf, 4.0lf))",
                float(-2.0),
            ),
            (
                "ldexp(x, 70i) + frexp(x * 10.0lf).fract",
                float(2.0_f64.powi(70) + 0.625),
            ),
            (
                "modf(x * 3.25lf).fract + f64(frexp(x * 10.0lf).exp)",
                float(4.25),
            ),
        ],
    );
}

#[test]
fn wide_numbers_lie_in_structs_arrays_and_variables() {
    let wgsl = "struct Item { a: u32, b: u64, v: vec3<f64>, c: array<i64, 2> }
        var<private> own: array<u64, 3>;
        var<workgroup> ours: array<Item, 2>;
        const table = array<u64, 2>(5lu, 0x500000006lu);
        @group(0) @binding(0) var<storage, read_write> items: array<Item>;
        @group(0) @binding(1) var<uniform> scale: u64;
        fn twice(n: ptr<function, u64>) -> u64 { *n *= 2lu; return *n; }
        @compute @workgroup_size(2)
        fn main(@builtin(local_invocation_index) i: u32) {
            ours[i].v.y = f64(i) + 0.5lf;
            ours[1u - i].c[i] = -5li;
            own[i] = u64(i) + scale;
            workgroupBarrier();
            var n = own[i];
            let m = twice(&n);
            items[i].b = m + table[i];
            items[i].v = ours[i].v;
            items[i].v[i] += 1.0lf;
            items[i].c[i] = ours[i].c[1u - i];
        }";
    let scale = 1_u64 << 33;
    // The vector is aligned to 32 bytes, so that an item takes 96.
    let words = run(wgsl, &[vec![0; 2 * 24], pair(scale).to_vec()], [1, 1, 1]).remove(0);
    assert_eq!(words[2..4], pair(scale * 2 + 5));
    assert_eq!(words[24 + 2..24 + 4], pair((scale + 1) * 2 + 0x5_0000_0006));
    let float = |number: f64| pair(number.to_bits());
    assert_eq!(words[8..10], float(1.0));
    assert_eq!(words[10..12], float(0.5));
    assert_eq!(words[24 + 10..24 + 12], float(2.5));
    assert_eq!(words[14..16], pair(-5_i64 as u64));
    assert_eq!(words[24 + 16..24 + 18], pair(-5_i64 as u64));
}

/// Two halves a word.
fn halves(floats: &[f32]) -> Vec<u32> {
    floats
        .chunks(2)
        .map(|pair| {
            let half = |i: usize| {
                let float = pair.get(i).copied().unwrap_or(0.0);
                u32::from(f16::from_f32(float).to_bits())
            };
            half(0) | half(1) << 16
        })
        .collect()
}

#[test]
fn elements_of_two_bytes_are_read_and_written_alone() {
    let wgsl = "enable f16;
        @group(0) @binding(0) var<storage, read> x: array<f16>;
        @group(0) @binding(1) var<storage, read_write> y: array<f16>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            if i >= arrayLength(&x) || i % 3u == 0u { return; }
            y[i] = x[i] * 2.0h + y[i] + f16(arrayLength(&y));
        }";
    let x: Vec<f32> = (0..20).map(|i| i as f32 * 0.5).collect();
    let found = run(wgsl, &[halves(&x), halves(&[100.0; 30])], [3, 1, 1]).remove(1);
    let right: Vec<f32> = (0..30)
        .map(|i| {
            let is_written = i < 20 && i % 3 != 0;
            100.0 + if is_written { i as f32 + 30.0 } else { 0.0 }
        })
        .collect();
    assert_eq!(found, halves(&right));
}

#[test]
fn halves_lie_in_structs_vectors_and_matrices_as_wgsl_says() {
    let wgsl = "enable f16;
        struct Item { a: f16, b: f16, v: vec3<f16>, c: f16, m: mat2x3<f16>, list: array<f16, 3>, last: u32 }
        @group(0) @binding(0) var<storage, read_write> items: array<Item>;
        @compute @workgroup_size(2)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            items[i].b = 1.0h + f16(i);
            items[i].v = vec3<f16>(2.0h, 3.0h, 4.0h);
            items[i].v[i] += 0.5h;
            items[i].c = items[i].v.x;
            items[i].m[i][i + 1u] = 7.0h;
            items[i].list[2u - i] = items[i].b * 3.0h;
            items[i].last = 9u;
        }";
    // a, b at 0; v at 8; c at 14; m at 16, its columns 8 apart; list at 32; last at 40; 48 in all.
    let found = run(wgsl, &[vec![0; 24]], [1, 1, 1]).remove(0);
    let mut right = Vec::new();
    for i in 0..2_usize {
        let mut item = [0.0; 20];
        item[1] = 1.0 + i as f32;
        item[4..7].copy_from_slice(&[2.0, 3.0, 4.0]);
        item[4 + i] += 0.5;
        item[7] = item[4];
        item[8 + i * 4 + i + 1] = 7.0;
        item[16 + 2 - i] = item[1] * 3.0;
        right.extend(halves(&item));
        right.extend([9, 0]);
    }
    assert_eq!(found, right);
}

#[test]
fn neighbours_in_a_word_do_not_disturb_each_other() {
    let wgsl = "enable f16;
        @group(0) @binding(0) var<storage, read_write> y: array<f16>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x % 2u == 1u { y[id.x] = f16(id.x); }
            if id.x % 4u == 0u { y[id.x] = -f16(id.x); }
        }";
    let found = run(wgsl, &[halves(&[5.0; 128])], [2, 1, 1]).remove(0);
    let right: Vec<f32> = (0..128)
        .map(|i| match i % 4 {
            0 => -(i as f32),
            2 => 5.0,
            _ => i as f32,
        })
        .collect();
    assert_eq!(found, halves(&right));
}

#[test]
fn halves_are_rounded_after_every_operation() {
    let third = f16::from_f32(1.0 / 3.0).to_f32();
    let sum = f16::from_f32(2049.0).to_f32();
    let body = "let x = f16(one);
        out[0] = bitcast<u32>(f32(x / 3.0h));
        out[1] = bitcast<u32>(f32(x * 2048.0h + x));
        out[2] = bitcast<u32>(f32(x * 60000.0h + 60000.0h));
        out[3] = bitcast<u32>(f32((x * 0.1h) * 3.0h));
        out[4] = bitcast<u32>(f32(f16(f32(one) * 0.1)));
        out[5] = bitcast<u32>(f32(f16(70000i * i32(one))));
        out[6] = bitcast<u32>(i32(x * -3.5h));
        out[7] = bitcast<u32>(f32(sqrt(x * 2.0h)));
        out[8] = bitcast<u32>(f32(length(vec2<f16>(x * 3.0h, 4.0h))));
        out[9] = u32(x < 2.0h) + u32(max(x, 5.0h)) * 10u;
        out[10] = bitcast<u32>(f32((mat2x2<f16>(x, 2.0h, 3.0h, 4.0h) * vec2<f16>(x, 1.0h)).y));
        out[11] = bitcast<u32>(f32(select(x, 0.5h, one == 1u)));
        out[12] = u32(select(0u, 1u, x == 1.0h && -x != x));
        out[13] = bitcast<u32>(f32(mix(x, 3.0h, 0.5h) + clamp(x, 2.0h, 3.0h) + fract(x * 1.25h)));";
    let found = once("enable f16;", body, 14);
    let tenth = f16::from_f32(0.1);
    let right = [
        third.to_bits(),
        sum.to_bits(),
        f32::INFINITY.to_bits(),
        f16::from_f32(tenth.to_f32() * 3.0).to_f32().to_bits(),
        tenth.to_f32().to_bits(),
        f32::INFINITY.to_bits(),
        -3_i32 as u32,
        f16::from_f32(2.0_f32.sqrt()).to_f32().to_bits(),
        5.0_f32.to_bits(),
        51,
        6.0_f32.to_bits(),
        0.5_f32.to_bits(),
        1,
        4.25_f32.to_bits(),
    ];
    assert_eq!(found, right);
}

#[test]
fn halves_may_be_shared_kept_and_given_to_functions() {
    let wgsl = "enable f16;
        var<workgroup> ours: array<vec2<f16>, 8>;
        var<private> own: array<f16, 4>;
        @group(0) @binding(0) var<storage, read_write> out: array<vec2<f16>>;
        @group(0) @binding(1) var<uniform> scale: vec4<f16>;
        fn add(p: ptr<function, vec2<f16>>, n: f16) { (*p).y += n; }
        @compute @workgroup_size(8)
        fn main(@builtin(local_invocation_index) i: u32) {
            ours[i] = vec2<f16>(f16(i), scale[i % 4u]);
            own[i % 4u] = scale.w;
            workgroupBarrier();
            var v = ours[7u - i];
            add(&v, own[i % 4u] + own[(i + 1u) % 4u]);
            out[i] = v;
        }";
    let scale = [0.5, 1.5, 2.5, 3.5];
    let found = run(wgsl, &[vec![0; 8], halves(&scale)], [1, 1, 1]).remove(0);
    let right: Vec<f32> = (0..8)
        .flat_map(|i| [7.0 - i as f32, scale[(7 - i) % 4] + 3.5])
        .collect();
    assert_eq!(found, halves(&right));
}

#[test]
fn integers_of_16_bits_wrap_at_16_bits() {
    let body = "let u = u16(one);
        let s = i16(one);
        out[0] = u32(u - u16(2u));
        out[1] = bitcast<u32>(i32(s * i16(300i) * i16(300i)));
        out[2] = u32(u << (16u + one));
        out[3] = bitcast<u32>(i32(i16(-70000i * i32(one))));
        out[4] = bitcast<u32>(i32(i16(1e9 * f32(one)))) + u32(u16(-5.0 * f32(one)));
        out[5] = u32(countLeadingZeros(u)) + u32(countOneBits(s - i16(2i))) * 100u;
        out[6] = u32(reverseBits(u)) + u32(firstLeadingBit(u << 9u)) * 100000u;
        out[7] = u32(u / (u - u)) + u32(u % (u - u)) * 10u + u32(countTrailingZeros(u - u)) * 100u;
        out[8] = bitcast<u32>(i32((s << 15u) >> 15u));
        out[9] = u32(bitcast<u16>(s - i16(2i)));";
    let found = once("enable wgpu_int16;", body, 10);
    let right = [
        65535,
        90_000_i32 as i16 as i32 as u32,
        2,
        -70_000_i32 as i16 as i32 as u32,
        32767,
        15 + 1600,
        32768 + 900_000,
        1 + 1600,
        u32::MAX,
        65535,
    ];
    assert_eq!(found, right);
}

#[test]
fn wide_numbers_differ_between_lanes() {
    let body = "var n = u64(i) * 0x100000001lu;
        for (var k = 0u; k < i % 3u; k++) { n += n << 1u; }
        if i % 2u == 1u { n = n ^ (1lu << 63u); }
        out[i * 2u] = u32(n);
        out[i * 2u + 1u] = u32(n >> 32u);";
    let found = each_with("", body, 40, 80);
    for i in 0..40_u64 {
        let mut n = i * 0x1_0000_0001;
        for _ in 0..i % 3 {
            n += n << 1;
        }
        n ^= (i % 2) << 63;
        assert_eq!(found[i as usize * 2..][..2], pair(n));
    }
}
