//! Large kernels are lowered in time that grows as they do, or are refused.

use super::harness::{each, kernel, program, refusal};
use std::fmt::Write;

/// How often the kernel is walked through.
fn walks(body: &str) -> u32 {
    let program = program(&kernel(body), false);
    program.unwrap_or_else(|error| panic!("{error}")).walks
}

#[test]
fn chains_of_variables_that_differ_late_take_few_walks() {
    // Each takes in one round what the one behind it had.
    let mut body = String::new();
    for n in 0..200 {
        let _ = write!(body, "var v{n} = 0u;");
    }
    body += "for (var k = 0u; k < 300u; k++) {";
    for n in 0..199 {
        let _ = write!(body, "v{n} = v{};", n + 1);
    }
    body += "v199 = i; } out[i] = v0;";
    assert!(walks(&body) <= 3, "{}", walks(&body));
    assert_eq!(each("", &body), (0..40).collect::<Vec<u32>>());
}

#[test]
fn chains_of_conditions_take_few_walks() {
    // What one variable decides makes the one before it differ.
    let mut body = String::new();
    for n in 0..100 {
        let _ = write!(body, "var v{n} = 0u;");
    }
    body += "for (var k = 0u; k < 120u; k++) {";
    for n in 0..99 {
        let _ = write!(body, "if v{} > 2u {{ v{n} = 3u; }}", n + 1);
    }
    body += "if i > 20u { v99 = 3u; } } out[i] = v0;";
    assert!(walks(&body) <= 3, "{}", walks(&body));
    let right: Vec<u32> = (0..40).map(|i| if i > 20 { 3 } else { 0 }).collect();
    assert_eq!(each("", &body), right);
}

#[test]
fn nested_loops_that_end_each_other_take_few_walks() {
    // The bound of each loop is what the next one counted.
    let depth = 40;
    let mut body = String::new();
    for n in 0..depth {
        let _ = write!(body, "var c{n} = 0u;");
    }
    body += "var rounds = 0u;";
    for n in 0..depth {
        let _ = write!(body, "loop {{ if c{n} > 0u {{ break; }}");
    }
    let _ = write!(body, "rounds += 1u; c{} = i + 1u;", depth - 1);
    for n in (0..depth).rev() {
        let last = n.max(1);
        let _ = write!(body, "c{} = c{n}; }}", last - 1);
    }
    body += "out[i] = rounds;";
    assert!(walks(&body) <= 4, "{}", walks(&body));
    assert_eq!(each("", &body), [1; 40]);
}

#[test]
fn chains_of_arrays_take_few_walks() {
    let mut body = String::new();
    for n in 0..60 {
        let _ = write!(body, "var a{n} = array<u32, 4>(0u, 1u, 2u, 3u);");
    }
    body += "var x = i % 4u;";
    for n in 0..60 {
        let _ = write!(body, "x = a{n}[x];");
    }
    body += "out[i] = x;";
    assert!(walks(&body) <= 3, "{}", walks(&body));
    assert_eq!(
        each("", &body),
        (0..40).map(|i| i % 4).collect::<Vec<u32>>()
    );
}

#[test]
fn calls_from_which_some_return_early_take_few_walks() {
    let mut preamble = String::new();
    let _ = write!(preamble, "fn f0(n: u32) -> u32 {{ return n; }}");
    for n in 1..30 {
        let _ = write!(
            preamble,
            "fn f{n}(n: u32) -> u32 {{ if f{}(n) > {n}u {{ return n - 1u; }} return n; }}",
            n - 1
        );
    }
    let body = "out[i] = f29(i);";
    let right = |i: u32| {
        let mut found = i;
        for n in 1..30 {
            found = if found > n { i - 1 } else { i };
        }
        found
    };
    assert_eq!(
        each(&preamble, body),
        (0..40).map(right).collect::<Vec<u32>>()
    );
    let wgsl = format!("{preamble}{}", kernel(body));
    let program = program(&wgsl, false).unwrap_or_else(|error| panic!("{error}"));
    assert!(program.walks <= 3, "{}", program.walks);
}

#[test]
fn ten_thousand_statements_are_lowered_in_one_walk_or_two() {
    let mut body = "var a = i; var b = 0u;".to_owned();
    for n in 0..2_500 {
        let _ = write!(body, "if a > {n}u {{ b += {n}u; }} a = a ^ b; out[a] = b;");
    }
    let program = program(&kernel(&body), false).unwrap_or_else(|error| panic!("{error}"));
    assert!(program.walks <= 2, "{}", program.walks);
    // Nor does what is done grow faster than what is written.
    assert!(program.steps.len() < 40_000, "{}", program.steps.len());
}

#[test]
fn calls_that_double_with_each_function_are_refused() {
    let mut wgsl = "fn f0(n: u32) -> u32 { return n + 1u; }".to_owned();
    for n in 1..40 {
        let m = n - 1;
        let _ = writeln!(
            wgsl,
            "fn f{n}(n: u32) -> u32 {{ return f{m}(n) + f{m}(n + 1u); }}"
        );
    }
    wgsl += &kernel("out[i] = f39(i);");
    let error = refusal(&wgsl);
    assert!(error.contains("1048576 words and operations"), "{error}");
    assert!(error.contains(".native(closure)"), "{error}");
}

#[test]
fn a_chain_of_a_thousand_calls_is_refused() {
    let mut wgsl = "fn f0(n: u32) -> u32 { return n + 1u; }".to_owned();
    for n in 1..1000 {
        let _ = writeln!(
            wgsl,
            "fn f{n}(n: u32) -> u32 {{ return f{}(n) + 1u; }}",
            n - 1
        );
    }
    wgsl += &kernel("out[i] = f999(i);");
    let error = refusal(&wgsl);
    assert!(error.contains("more than 500 blocks and calls"), "{error}");
}

#[test]
fn a_chain_of_hundreds_of_calls_runs() {
    let mut preamble = "fn f0(n: u32) -> u32 { return n + 1u; }".to_owned();
    for n in 1..400 {
        let m = n - 1;
        let _ = writeln!(
            preamble,
            "fn f{n}(n: u32) -> u32 {{ if n == {n}u {{ return 7u; }} return f{m}(n) + 1u; }}"
        );
    }
    let found = each(&preamble, "out[i] = f399(i + 1000u);");
    assert_eq!(found, (0..40).map(|i| i + 1400).collect::<Vec<u32>>());
}

#[test]
fn blocks_as_deep_as_wgsl_allows_run() {
    let mut body = "var x = 0u;".to_owned();
    for n in 0..100 {
        let _ = write!(body, "if i + 1u > {}u {{ x += 1u;", n % 30);
    }
    body += &"}".repeat(100);
    body += "out[i] = x;";
    let found = each("", &body);
    assert_eq!((found[0], found[5], found[39]), (1, 6, 100));
}

#[test]
fn giant_variables_are_refused_with_their_place() {
    let shared = format!(
        "var<workgroup> big: array<f32, 100000000>;{}",
        kernel("big[i] = 1.0;")
    );
    let error = refusal(&shared);
    assert!(error.contains("words of workgroup memory"), "{error}");
    assert!(error.contains("wgsl:1:"), "{error}");
    let own = format!(
        "var<private> big: array<f32, 1000000>;\n{}",
        kernel("big[i] = 1.0;")
    );
    let error = refusal(&own);
    assert!(error.contains("an array of 1000000 elements"), "{error}");
    assert!(error.contains("wgsl:1:1"), "{error}");
    let mut many = String::new();
    for n in 0..20 {
        let _ = write!(many, "var b{n}: array<u32, 9000>; b{n}[i] = i;");
    }
    let error = refusal(&kernel(&many));
    assert!(error.contains("65536 words of one invocation"), "{error}");
}

#[test]
fn types_that_double_with_each_member_are_refused() {
    let mut wgsl = "struct S0 { a: u32, b: u32 }".to_owned();
    for n in 1..26 {
        let m = n - 1;
        let _ = writeln!(wgsl, "struct S{n} {{ a: S{m}, b: S{m} }}");
    }
    let body = "var s: S25; s.a.a.a = S22(); out[i] = s.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b;";
    wgsl += &kernel(body);
    let error = refusal(&wgsl);
    assert!(error.contains("65536 words"), "{error}");
}

#[test]
fn memory_of_functions_is_used_again_by_those_that_are_called_later() {
    let preamble = "fn sum(n: u32) -> u32 {
            var list: array<u32, 2000>;
            for (var k = 0u; k < 9u; k++) { list[(k * n) % 2000u] += 1u; }
            return list[n % 2000u] + list[0];
        }";
    let mut body = "var x = 0u;".to_owned();
    for n in 0..60 {
        let _ = write!(body, "x += sum(i + {n}u);");
    }
    body += "out[i] = x;";
    let sum = |n: u32| {
        let mut list = vec![0; 2000];
        (0..9).for_each(|k| list[(k * n) as usize % 2000] += 1);
        list[n as usize % 2000] + list[0]
    };
    let right = |i: u32| (0..60).map(|n| sum(i + n)).sum();
    assert_eq!(
        each(preamble, &body),
        (0..40).map(right).collect::<Vec<u32>>()
    );
}

#[test]
fn what_is_refused_is_shown_where_it_stands() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> x: array<u32, 100000>;
@compute @workgroup_size(1)
fn main() {
    x[0] = 1u;
    let all = x;
    x[1] = all[0];
}";
    let error = refusal(wgsl);
    assert!(error.contains("an array of 100000 elements"), "{error}");
    assert!(error.contains("wgsl:5:"), "{error}");
    assert!(error.contains("let all = x;"), "{error}");
}
