//! Large kernels are lowered in time that grows as they do, or are refused.

use super::harness::{each, program};
use std::fmt::Write;

fn kernel(body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.x;
            {body}
        }}"
    )
}

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
