//! Loops whose rounds are known are written out, and do what they did.

use super::harness::{each, each_with, kernel, once, program, run};

/// What an invocation finds.
type Right = fn(u32) -> u32;

/// The jumps of a kernel's program, apart from what ends it.
fn loops(wgsl: &str) -> usize {
    let program = program(wgsl, false).unwrap_or_else(|error| panic!("{error}"));
    program.text.matches("Jump to").count()
}

#[test]
fn a_counter_goes_as_far_as_its_guard_lets_it() {
    let cases: [(&str, u32); 12] = [
        ("var k = 0u; k < 5u; k++", 5),
        ("var k = 0u; k <= 5u; k++", 6),
        ("var k = 5; k > 0; k--", 5),
        ("var k = 5; k >= 0; k--", 6),
        ("var k = -3; k <= 3; k += 2", 4),
        ("var k = 0u; 7u > k; k += 3u", 3),
        ("var k = 4; -4 <= k; k -= 4", 3),
        ("var k = 3u; k != 7u; k++", 4),
        ("var k = 2u; k == 2u; k++", 1),
        ("var k = 9u; k < 5u; k++", 0),
        ("var k = 4294967293u; k != 1u; k++", 4),
        ("var k = 2147483646; k > 0; k++", 2),
    ];
    for (head, rounds) in cases {
        let body = format!("var x = 0u; for ({head}) {{ x += 1u + i; }} out[i] = x;");
        let right: Vec<u32> = (0..40).map(|i| rounds * (1 + i)).collect();
        assert_eq!(each("", &body), right, "{head}");
        let plain = loops(&kernel("out[i] = 1u;"));
        assert_eq!(loops(&kernel(&body)), plain, "{head}");
    }
}

#[test]
fn the_counter_is_what_it_was_left_at() {
    let body = "var k = 1u;
        for (; k < 10u; k += 4u) { out[0] = k; }
        out[1] = k;
        for (; k < 20u; k += one) { out[2] = k; }
        out[3] = k;";
    assert_eq!(once("", body, 4), [9, 13, 19, 20]);
}

#[test]
fn a_loop_that_can_be_left_early_or_that_changes_its_counter_stays_a_loop() {
    let cases: [(&str, Right); 5] = [
        (
            "for (var k = 0u; k < 9u; k++) { if k + i > 11u { break; } x += 1u; }",
            |i| (0..9).filter(|k| k + i <= 11).count() as u32,
        ),
        (
            "for (var k = 0u; k < 9u; k++) { if (k + i) % 3u == 1u { continue; } x += k; }",
            |i| (0..9).filter(|k| (k + i) % 3 != 1).sum(),
        ),
        (
            "for (var k = 0u; k < 9u; k++) { if k == 4u { k = 7u; } x += k; }",
            |_| 1 + 2 + 3 + 7 + 8,
        ),
        (
            "for (var k = 0u; k < 9u; k++) { skip(&k); x += k; }",
            |_| 1 + 3 + 5 + 7 + 9,
        ),
        (
            "for (var k = 0u; k < 9u; k++) { switch k { case 2u: { continue; } default: {} } x += k; }",
            |_| 36 - 2,
        ),
    ];
    for (text, right) in cases {
        let preamble = "fn skip(k: ptr<function, u32>) { *k = *k + 1u; }";
        let body = format!("var x = 0u; {text} out[i] = x;");
        let right: Vec<u32> = (0..40).map(right).collect();
        assert_eq!(each(preamble, &body), right, "{text}");
    }
}

#[test]
fn loops_in_loops_are_written_out_with_branches_in_them() {
    let body = "var x = 0u;
        for (var y = 0u; y < 3u; y++) {
            if (i + y) % 2u == 0u { x += 100u; }
            for (var k = y; k < 3u; k++) {
                if i > k { x += y * 3u + k; } else { x += 1u; }
                var left = k;
                loop { if left == 0u { break; } left -= 1u; x += 1000u; }
            }
        }
        out[i] = x;";
    let right = |i: u32| {
        let mut x = 0;
        for y in 0..3 {
            x += if (i + y).is_multiple_of(2) { 100 } else { 0 };
            for k in y..3 {
                x += if i > k { y * 3 + k } else { 1 };
                x += 1000 * k;
            }
        }
        x
    };
    let right: Vec<u32> = (0..40).map(right).collect();
    assert_eq!(each("", body), right);
}

#[test]
fn lanes_that_are_away_have_no_part_in_the_rounds() {
    let body = "var x = i;
        if i % 3u == 0u {
            for (var k = 0u; k < 4u; k++) { x = x * 2u + k; }
        }
        for (var k = 0u; k < 3u; k++) { x += helper(i, k); }
        out[i] = x;";
    let preamble = "fn helper(i: u32, k: u32) -> u32 {
            if i % 4u == k { return 1000u; }
            var sum = 0u;
            for (var m = 0u; m < 2u; m++) { sum += m + k; }
            return sum;
        }";
    let right = |i: u32| {
        let mut x = i;
        if i.is_multiple_of(3) {
            x = (0..4).fold(x, |x, k| x * 2 + k);
        }
        x + (0..3)
            .map(|k| if i % 4 == k { 1000 } else { 1 + 2 * k })
            .sum::<u32>()
    };
    let right: Vec<u32> = (0..40).map(right).collect();
    assert_eq!(each(preamble, body), right);
}

#[test]
fn small_arrays_that_rounds_index_are_registers() {
    let body = "var taps: array<u32, 8>;
        for (var k = 0u; k < 8u; k++) { taps[k] = i * k; }
        var x = 0u;
        for (var k = 0u; k < 8u; k++) { x += taps[7u - k] << k; }
        out[i] = x;";
    let right: Vec<u32> = (0..40)
        .map(|i| (0..8).map(|k| (i * (7 - k)) << k).sum())
        .collect();
    assert_eq!(each("", body), right);
    let program = program(&kernel(body), false).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(program.own_words, 0);
}

#[test]
fn runs_near_each_other_are_checked_as_far_as_any_of_them_reaches() {
    // Each end of the buffer in turn: what lies outside is zero, or isn't written.
    for words in [1, 15, 16, 17, 31, 32, 33, 40, 41, 47, 48, 57] {
        let body = "var x = 0u;
            for (var k = 0u; k < 17u; k++) { x += out[i + k]; }
            for (var k = 1u; k < 9u; k++) { x += out[i - k]; }
            if i < arrayLength(&out) { out[i] = x + 1u; }";
        let wgsl = kernel(body).replace(
            "array<u32>;",
            "array<u32>;
            @group(0) @binding(1) var<storage, read> unused: array<u32>;",
        );
        let wgsl = wgsl
            .replace("out[i + k]", "unused[i + k]")
            .replace("out[i - k]", "unused[i - k]");
        let data: Vec<u32> = (0..words as u32).map(|i| i * i + 1).collect();
        let at = |i: u32| data.get(i as usize).copied().unwrap_or(0);
        let right: Vec<u32> = (0..words as u32)
            .map(|i| {
                let after: u32 = (0..17).map(|k| at(i + k)).sum();
                let before: u32 = (1..9).map(|k| at(i.wrapping_sub(k))).sum();
                if i < 40 { after + before + 1 } else { 0 }
            })
            .collect();
        let found = run(
            &format!("// has faults\n{wgsl}"),
            &[vec![0; words], data.clone()],
            [5, 1, 1],
        );
        assert_eq!(found[0], right, "{words}");
    }
}

#[test]
fn a_kernel_of_many_such_loops_stays_of_the_size_of_its_source() {
    let one = "for (var k = 0u; k < 60u; k++) { x = x * 3u + k; }\n";
    let body = format!("var x = i;\n{}out[i] = x;", one.repeat(400));
    let program = program(&kernel(&body), false).unwrap_or_else(|error| panic!("{error}"));
    assert!(program.text.lines().count() < 80_000);
    let mut right: Vec<u32> = (0..8).collect();
    for x in &mut right {
        for _ in 0..400 {
            *x = (0..60).fold(*x, |x, k| x.wrapping_mul(3).wrapping_add(k));
        }
    }
    assert_eq!(each_with("", &body, 8, 8), right);
}
