//! Branches, loops and calls do for each invocation what they would do for it alone.

use super::harness::{each, once, run};

/// A word for each of 40 invocations.
fn expect(f: impl Fn(u32) -> u32) -> Vec<u32> {
    (0..40).map(f).collect()
}

#[test]
fn a_default_in_the_middle_takes_what_no_case_names() {
    let body = "var x = 0u;
        switch i % 7u {
            case 0u, 3u: { x = 10u; }
            default: { x = 20u; }
            case 4u: { x = 30u; }
            case 5u: { x = 40u; break; }
        }
        out[i] = x;";
    let right = |i| match i % 7 {
        0 | 3 => 10,
        4 => 30,
        5 => 40,
        _ => 20,
    };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn a_default_shares_its_block_with_other_selectors() {
    let body = "var x = 0i;
        switch i32(i % 5u) - 2i {
            case -2i, default, 1i: { x = 7i; }
            case -1i, 0i: { x = -3i; }
        }
        out[i] = bitcast<u32>(x);";
    let right = |i| match i % 5 {
        1 | 2 => -3_i32 as u32,
        _ => 7,
    };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn a_counter_outlives_the_loop_inside_its_own() {
    // What the inner loop needs for itself takes no place of what the outer one goes on with.
    let body = "var x = 0u;
        var a = one - 1u;
        loop {
            if a >= 3u { break; }
            a += one;
            var b = one - 1u;
            loop {
                if b >= 2u { break; }
                b += one;
                let c = ones[a] + b * 3u;
                let d = ones[b] * 7u + c;
                if ones[c % 2u] + d > 4u { x += c * 100u + d; }
            }
        }
        out[0] = x;";
    let mut right = 0;
    for a in 1..=3_u32 {
        for b in 1..=2 {
            let c = 1 + b * 3;
            let d = 7 + c;
            right += c * 100 + d;
            let _ = a;
        }
    }
    assert_eq!(once("", body, 1), [right]);
}

#[test]
fn a_uniform_selector_chooses_one_block() {
    let body = "var x = 0u;
        for (var k = 0u; k < 6u; k++) {
            switch k {
                default { x += 100u; }
                case 1u { x += 1u; }
                case 2u, 4u { if i % 2u == 0u { break; } x += 10u; }
            }
        }
        out[i] = x;";
    assert_eq!(each("", body), expect(|i| 301 + i % 2 * 20));
}

#[test]
fn break_in_a_switch_leaves_the_switch_and_continue_the_round() {
    let body = "var x = 0u;
        for (var k = 0u; k < 10u; k++) {
            switch (k + i) % 4u {
                case 0u: { continue; }
                case 1u: { break; }
                case 2u: { if k > 6u { continue; } x += 3u; }
                default: { x += 5u; }
            }
            x += 1u;
        }
        out[i] = x;";
    let right = |i| {
        let mut x = 0;
        for k in 0..10 {
            match (k + i) % 4 {
                0 => continue,
                1 => {}
                2 => {
                    if k > 6 {
                        continue;
                    }
                    x += 3;
                }
                _ => x += 5,
            }
            x += 1;
        }
        x
    };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn a_continuing_block_sees_what_the_body_declared() {
    let body = "var x = 0u;
        var k = 0u;
        loop {
            let step = k * 2u + 1u;
            if (k + i) % 3u == 0u { continue; }
            x += step;
            continuing {
                k += 1u;
                x += step & 1u;
                break if k > i % 9u;
            }
        }
        out[i] = x;";
    let right = |i| {
        let (mut x, mut k) = (0, 0);
        loop {
            let step = k * 2 + 1;
            if (k + i) % 3 != 0 {
                x += step;
            }
            k += 1;
            x += step & 1;
            if k > i % 9 {
                return x;
            }
        }
    };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn a_loop_within_a_continuing_block_may_be_left() {
    let body = "var x = 0u;
        var k = 0u;
        loop {
            if k == 3u { break; }
            continuing {
                k += 1u;
                for (var j = 0u; j < 8u; j++) {
                    if j > i % 4u { break; }
                    if (j & 1u) == 1u { continue; }
                    x += k + j;
                }
            }
        }
        out[i] = x;";
    let right = |i| {
        let mut x = 0;
        for k in 1..=3 {
            for j in (0..8).take_while(|j| *j <= i % 4).step_by(2) {
                x += k + j;
            }
        }
        x
    };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn a_break_that_some_lanes_miss_by_continuing_leaves_them_in_the_loop() {
    let body = "var x = 0u;
        var k = 0u;
        loop {
            k += 1u;
            if k <= i % 4u { continue; }
            x = k;
            if k < 100u { break; }
            x = 1000u;
        }
        out[i] = x + k * 100u;";
    assert_eq!(each("", body), expect(|i| (i % 4 + 1) * 101));
}

#[test]
fn a_uniform_break_in_a_round_that_some_have_ended_keeps_them() {
    let preamble = "@group(0) @binding(1) var<uniform> limit: u32;";
    let wgsl = format!(
        "{preamble}
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.x;
            var x = 0u;
            for (var k = 0u; k < 6u; k++) {{
                if (k + i) % 3u == 0u {{ continue; }}
                x += 1u;
                if k >= limit {{ break; }}
                x += 10u;
            }}
            out[i] = x;
        }}"
    );
    let found = super::harness::run(&wgsl, &[vec![0; 40], vec![3]], [5, 1, 1]).remove(0);
    let right = |i| {
        let mut x = 0;
        for k in 0..6 {
            if (k + i) % 3 == 0 {
                continue;
            }
            x += 1;
            if k >= 3 {
                break;
            }
            x += 10;
        }
        x
    };
    assert_eq!(found, expect(right));
}

const SEARCH: &str = "
    fn search(limit: u32, start: u32) -> u32 {
        var sum = 0u;
        for (var a = 0u; a < 6u; a++) {
            if a == limit { return sum + 1000u; }
            for (var b = start; b < 9u; b++) {
                sum += b;
                if sum > 20u + limit * 7u { return sum; }
                if b == a + 2u { break; }
            }
        }
        return sum + 5000u;
    }";

fn search(limit: u32, start: u32) -> u32 {
    let mut sum = 0;
    for a in 0..6 {
        if a == limit {
            return sum + 1000;
        }
        for b in start..9 {
            sum += b;
            if sum > 20 + limit * 7 {
                return sum;
            }
            if b == a + 2 {
                break;
            }
        }
    }
    sum + 5000
}

#[test]
fn return_leaves_nested_loops_of_some_lanes_and_not_of_others() {
    let body = "out[i] = search(i % 11u, i % 4u) + search(2u, i % 3u) * 3u;";
    let right = |i| search(i % 11, i % 4) + search(2, i % 3) * 3;
    assert_eq!(each(SEARCH, body), expect(right));
}

#[test]
fn return_within_a_switch_within_a_loop_ends_the_invocation() {
    let body = "for (var k = 0u; ; k++) {
            switch k {
                case 3u: { if i < 20u { out[i] = 3u; return; } }
                case 5u: { out[i] = k + i; return; }
                default: { out[i] = 1u; }
            }
        }";
    let right = |i| if i < 20 { 3 } else { 5 + i };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn a_variable_of_a_loop_begins_anew_in_each_round() {
    let body = "var sum = 0u;
        for (var k = 0u; k < 3u + i % 2u; k++) {
            var fresh: array<u32, 4>;
            fresh[(k + i) % 4u] += 1u;
            for (var j = 0u; j < 4u; j++) { sum += fresh[j]; }
            var plain: u32;
            plain += k;
            sum += plain * 10u;
        }
        out[i] = sum;";
    let right = |i| {
        let rounds = 3 + i % 2;
        (0..rounds).map(|k| 1 + k * 10).sum()
    };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn short_circuits_do_not_evaluate_what_they_skip() {
    let preamble = "var<private> calls: u32;
        fn called(value: bool) -> bool { calls += 1u; return value; }";
    let body = "let a = (i % 2u == 0u) && called(i % 3u == 0u);
        let b = (i % 5u == 0u) || called(false);
        out[i] = calls * 4u + u32(a) * 2u + u32(b);";
    let right = |i: u32| {
        let calls = u32::from(i.is_multiple_of(2)) + u32::from(!i.is_multiple_of(5));
        calls * 4 + u32::from(i.is_multiple_of(6)) * 2 + u32::from(i.is_multiple_of(5))
    };
    assert_eq!(each(preamble, body), expect(right));
}

#[test]
fn calls_in_divergent_flow_keep_what_absent_lanes_hold() {
    let preamble = "var<private> total: u32 = 100u;
        fn add(to: ptr<function, u32>, n: u32) -> u32 {
            total += n;
            if n > 2u { *to += 1u; return *to; }
            *to += 10u;
            return n;
        }";
    let body = "var own = i;
        var got = 0u;
        if i % 3u == 1u { got = add(&own, i % 5u); } else if i % 3u == 2u { got = add(&own, 1u); }
        out[i] = own + got * 1000u + total * 1000000u;";
    let right = |i| {
        let (mut own, mut got, mut total) = (i, 0, 100);
        let n = match i % 3 {
            1 => Some(i % 5),
            2 => Some(1),
            _ => None,
        };
        if let Some(n) = n {
            total += n;
            own += if n > 2 { 1 } else { 10 };
            got = if n > 2 { own } else { n };
        }
        own + got * 1000 + total * 1_000_000
    };
    assert_eq!(each(preamble, body), expect(right));
}

#[test]
fn a_function_may_return_a_struct_from_several_places() {
    let preamble = "struct Pair { a: vec2<u32>, b: array<u32, 3>, c: bool }
        fn make(n: u32) -> Pair {
            if n % 2u == 0u { return Pair(vec2(n, 1u), array(n, n + 1u, n + 2u), true); }
            var pair: Pair;
            pair.b[n % 3u] = 50u;
            for (var k = 0u; k < n; k++) { if k == 7u { pair.a.y = 9u; return pair; } }
            return pair;
        }";
    let body = "let p = make(i);
        var copy = p;
        out[i] = copy.a.x + copy.a.y * 100u + copy.b[i % 3u] * 1000u + u32(copy.c) * 1000000u;";
    let right = |i| {
        if i % 2 == 0 {
            i + 100 + (i + i % 3) * 1000 + 1_000_000
        } else {
            50_000 + if i > 7 { 900 } else { 0 }
        }
    };
    assert_eq!(each(preamble, body), expect(right));
}

#[test]
fn a_guard_that_is_done_first_leaves_what_others_still_need() {
    let wgsl = "@group(0) @binding(0) var<uniform> more: i32;
        @group(0) @binding(1) var<storage, read> input: array<u32>;
        @group(0) @binding(2) var<storage, read_write> out: array<i32>;
        @group(0) @binding(3) var<storage, read_write> sums: array<atomic<u32>, 14>;
        @group(0) @binding(4) var<storage, read_write> own: array<atomic<u32>>;
        @compute @workgroup_size(32, 1, 1)
        fn main(@builtin(global_invocation_id) g: vec3<u32>) {
            let m = (g.z * 1u + g.y) * 32u + g.x;
            if any(g >= vec3<u32>(1u, 1u, 2u)) { return; }
            out[m * 4u] = i32(input[m % arrayLength(&input)]) + more;
            atomicAdd(&own[m], m);
            atomicAdd(&sums[0], 1u);
            switch 1u {
                default: {
                    let v = insertBits(vec4<u32>(1u), vec4<u32>(1u), 1u, m).x;
                    out[m * 4u + 1u % 4u] ^= bitcast<i32>(v);
                }
            }
            if any((!vec2<bool>((1u < m)))) {
            }
        }";
    let lengths = [1, 25, 256, 14, 64];
    let buffers = lengths.map(|words| vec![0; words]);
    let out = run(wgsl, &buffers, [1, 1, 2]).remove(2);
    assert_eq!([out[1], out[129]], [1, 3]);
}
