//! Ways through a kernel: where invocations part and meet again.
//!
//! Each shape is written once in WGSL and once in Rust.

use super::case::Case;
use super::case::Kind::{I32, U32};
use super::case::Right;

fn case(
    name: &str,
    module: &str,
    code: &str,
    right: impl Fn(&[u32]) -> u32 + Send + Sync + 'static,
) -> Case {
    Case::new(name, &[U32, U32], 1, code, move |w| {
        vec![Right::Word(right(w))]
    })
    .module(module)
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        case(
            "if_else_chain",
            "",
            "let x = u(0u); var r = 0u;
             if x % 3u == 0u { r = 1u; } else if x % 5u == 0u { r = 2u; if x > 9u { r += x; } } else { r = 3u; }
             put(0u, r);",
            |w| match w[0] {
                x if x % 3 == 0 => 1,
                x if x % 5 == 0 => if x > 9 { x.wrapping_add(2) } else { 2 },
                _ => 3,
            },
        ),
        case(
            "while_with_break_and_continue",
            "",
            "var n = u(0u) % 50u; var r = 0u;
             while n > 0u {
                 n -= 1u;
                 if n % 3u == u(1u) % 3u { continue; }
                 r += n;
                 if r > 200u { break; }
                 r *= 3u;
             }
             put(0u, r + n);",
            |w| {
                let (mut n, mut r) = (w[0] % 50, 0_u32);
                while n > 0 {
                    n -= 1;
                    if n % 3 == w[1] % 3 {
                        continue;
                    }
                    r += n;
                    if r > 200 {
                        break;
                    }
                    r *= 3;
                }
                r + n
            },
        ),
        case(
            "for_in_for_with_uniform_and_varying_ends",
            "",
            "var r = 0u;
             for (var i = 0u; i < 4u; i++) {
                 for (var j = i; j < u(0u) % 7u; j++) {
                     if j == u(1u) % 5u { break; }
                     r = r * 7u + j;
                 }
                 if r > 5000u { continue; }
                 r += 1u;
             }
             put(0u, r);",
            |w| {
                let mut r = 0_u32;
                for i in 0..4 {
                    for j in i..w[0] % 7 {
                        if j == w[1] % 5 {
                            break;
                        }
                        r = r.wrapping_mul(7).wrapping_add(j);
                    }
                    if r <= 5000 {
                        r += 1;
                    }
                }
                r
            },
        ),
        case(
            "loop_with_continuing_and_break_if",
            "",
            "var i = 0u; var r = 1u;
             loop {
                 if i % 2u == u(0u) % 2u { continue; }
                 r = r * 3u + i;
                 continuing { i += 1u; let stop = i + r % 2u; break if stop > u(1u) % 9u; }
             }
             put(0u, r + i);",
            |w| {
                let (mut i, mut r) = (0_u32, 1_u32);
                loop {
                    if i % 2 != w[0] % 2 {
                        r = r.wrapping_mul(3).wrapping_add(i);
                    }
                    i += 1;
                    if i + r % 2 > w[1] % 9 {
                        break;
                    }
                }
                r.wrapping_add(i)
            },
        ),
        case(
            "switch_with_several_selectors_and_default_in_the_middle",
            "",
            "var r = 0u;
             switch u(0u) % 8u {
                 case 1u, 2u: { r = 10u; }
                 case 3u: { if u(1u) > 100u { break; } r = 20u; }
                 default: { r = 30u; }
                 case 5u, 6u: { r = 40u; }
             }
             put(0u, r);",
            |w| match w[0] % 8 {
                1 | 2 => 10,
                3 => if w[1] > 100 { 0 } else { 20 },
                5 | 6 => 40,
                _ => 30,
            },
        ),
        // A `break` in one case must not take those along that have another.
        case(
            "break_first_thing_in_a_case",
            "",
            "var r = 1u;
             switch u(0u) & 3u { case 1u: { break; } default: { r = 2u; } }
             put(0u, r);",
            |w| if w[0] & 3 == 1 { 1 } else { 2 },
        ),
        case(
            "break_in_a_switch_that_all_enter_alike",
            "",
            "var r = 0u;
             switch arrayLength(&output) & 0u {
                 case 0u: { if u(0u) % 2u == 0u { r = 1u; break; } r = 5u; if u(1u) % 3u == 0u { break; } r += 1u; }
                 default: { r = 9u; }
             }
             put(0u, r);",
            |w| match (w[0] % 2, w[1] % 3) {
                (0, _) => 1,
                (_, 0) => 5,
                _ => 6,
            },
        ),
        case(
            "continue_out_of_a_switch_in_a_loop",
            "",
            "var r = 0u;
             for (var i = 0u; i < 6u; i++) {
                 switch (u(0u) + i) % 4u {
                     case 0u: { continue; }
                     case 1u: { r += 10u; break; }
                     case 2u: { if u(1u) % 2u == 0u { continue; } r += 100u; }
                     default: { if i == 4u { break; } r += 1000u; }
                 }
                 r += 1u;
             }
             put(0u, r);",
            |w| {
                let mut r = 0;
                for i in 0..6_u32 {
                    match w[0].wrapping_add(i) % 4 {
                        0 => continue,
                        1 => r += 10,
                        2 if w[1] % 2 == 0 => continue,
                        2 => r += 100,
                        _ if i == 4 => {}
                        _ => r += 1000,
                    }
                    r += 1;
                }
                r
            },
        ),
        case(
            "continue_then_break_of_the_rest",
            "",
            "var r = 0u; var i = 0u;
             loop {
                 i++;
                 if i > 5u { break; }
                 if u(0u) % 2u == i % 2u { continue; }
                 r += i;
                 break;
             }
             put(0u, r * 100u + i);",
            |w| {
                let (mut r, mut i) = (0, 0);
                loop {
                    i += 1;
                    if i > 5 {
                        break;
                    }
                    if w[0] % 2 == i % 2 {
                        continue;
                    }
                    r += i;
                    break;
                }
                r * 100 + i
            },
        ),
        // A branch that all present take alike, in one that not all take.
        case(
            "return_in_a_uniform_branch_of_a_varying_one",
            "fn way(x: u32) -> u32 {
                 if x % 2u == 0u { if arrayLength(&output) > 0u { return 7u; } }
                 return 9u;
             }",
            "put(0u, way(u(0u)));",
            |w| if w[0] % 2 == 0 { 7 } else { 9 },
        ),
        case(
            "continue_in_a_uniform_branch_of_a_varying_one",
            "",
            "var r = 0u;
             for (var i = 0u; i < 4u; i++) {
                 if (u(0u) + i) % 2u == 0u { if i != 2u { continue; } else { r += 50u; } }
                 r += 1u;
             }
             put(0u, r);",
            |w| {
                let mut r = 0;
                for i in 0..4_u32 {
                    if w[0].wrapping_add(i) % 2 == 0 {
                        if i != 2 {
                            continue;
                        }
                        r += 50;
                    }
                    r += 1;
                }
                r
            },
        ),
        case(
            "return_from_nested_loops",
            "fn find(x: u32, y: u32) -> u32 {
                 var r = 0u;
                 for (var i = 0u; i < 5u; i++) {
                     var j = 0u;
                     loop {
                         if i * j == x % 12u { return 1000u + i * 10u + j; }
                         if j > y % 6u { break; }
                         r += 1u;
                         continuing { j += 1u; }
                     }
                 }
                 return r;
             }",
            "put(0u, find(u(0u), u(1u)) + find(u(1u), u(0u)) * 7u);",
            |w| {
                fn find(x: u32, y: u32) -> u32 {
                    let mut r = 0;
                    for i in 0..5 {
                        for j in 0.. {
                            if i * j == x % 12 {
                                return 1000 + i * 10 + j;
                            }
                            if j > y % 6 {
                                break;
                            }
                            r += 1;
                        }
                    }
                    r
                }
                find(w[0], w[1]) + find(w[1], w[0]) * 7
            },
        ),
        case(
            "return_in_all_cases",
            "fn way(x: u32) -> u32 {
                 switch x % 4u { case 0u: { return 5u; } case 1u, 2u: { return x; } default: { return 8u; } }
             }",
            "var r = way(u(0u)); if u(1u) % 2u == 1u { r += way(u(1u)); } put(0u, r);",
            |w| {
                let way = |x: u32| match x % 4 {
                    0 => 5,
                    1 | 2 => x,
                    _ => 8,
                };
                let r = way(w[0]);
                if w[1] % 2 == 1 { r.wrapping_add(way(w[1])) } else { r }
            },
        ),
        // No lane comes to a second round, and yet the loop's lanes are those until it is left.
        case(
            "a_loop_that_all_leave_in_the_first_round",
            "fn way(x: u32) -> u32 {
                 var r = 1u;
                 for (var i = 0u; i < 1u; i++) {
                     if i < x % 3u {
                         var j = 0u;
                         while j < x % 5u { j++; }
                         r += j;
                         return r;
                     }
                     return 100u;
                 }
                 return 200u;
             }",
            "put(0u, way(u(0u)));",
            |w| {
                if w[0] % 3 > 0 {
                    1 + w[0] % 5
                } else {
                    100
                }
            },
        ),
        case(
            "variables_begin_anew_in_each_round",
            "",
            "var r = 0u;
             for (var i = 0u; i < 1u + u(0u) % 4u; i++) { var n: u32; var list: array<u32, 3>; n += i; list[n % 3u] += 1u; r = r * 4u + n + list[u(1u) % 3u]; }
             put(0u, r);",
            |w| {
                let mut r = 0;
                for i in 0..1 + w[0] % 4 {
                    r = r * 4 + i + u32::from(i % 3 == w[1] % 3);
                }
                r
            },
        ),
        case(
            "logic_skips_what_it_needs_not",
            "var<private> calls: u32;
             fn is_odd(x: u32, by: u32) -> bool { calls += by; return x % 2u == 1u; }",
            "let both = is_odd(u(0u), 1u) && is_odd(u(1u), 10u);
             let one = is_odd(u(0u), 100u) || is_odd(u(1u), 1000u);
             put(0u, calls * 4u + u32(both) * 2u + u32(one));",
            |w| {
                let [a, b] = [w[0] % 2 == 1, w[1] % 2 == 1];
                let calls = if a { 111 } else { 1101 };
                calls * 4 + u32::from(a && b) * 2 + u32::from(a || b)
            },
        ),
        case(
            "pointers_to_variables_of_the_caller",
            "fn swap(a: ptr<function, u32>, b: ptr<function, u32>) { let c = *a; *a = *b; *b = c; }
             fn add(list: ptr<function, array<u32, 4>>, at: u32, by: u32) -> u32 {
                 if by % 2u == 0u { return 0u; }
                 (*list)[at % 4u] += by;
                 return (*list)[(at + 1u) % 4u];
             }
             fn turn(v: ptr<function, vec3<u32>>) { (*v).x = (*v).y; (*v)[2] += 5u; }",
            "var a = u(0u); var b = u(1u);
             if a > b { swap(&a, &b); }
             var list = array(1u, 2u, 3u, 4u);
             let got = add(&list, a, b) + add(&list, b, a);
             var v = vec3(a, b, 1u);
             if got % 2u == 0u { turn(&v); }
             put(0u, a ^ (b * 3u) ^ (got * 5u) ^ (list[0] * 7u) ^ (list[3] * 11u) ^ (v.x + v.z));",
            |w| {
                let (a, b) = (w[0].min(w[1]), w[0].max(w[1]));
                let mut list = [1_u32, 2, 3, 4];
                let mut add = |at: u32, by: u32| {
                    if by.is_multiple_of(2) {
                        return 0;
                    }
                    let at = at as usize % 4;
                    list[at] = list[at].wrapping_add(by);
                    list[(at + 1) % 4]
                };
                let first = add(a, b);
                let got = first.wrapping_add(add(b, a));
                let v = if got % 2 == 0 { [b, 6] } else { [a, 1] };
                a ^ b.wrapping_mul(3)
                    ^ got.wrapping_mul(5)
                    ^ list[0].wrapping_mul(7)
                    ^ list[3].wrapping_mul(11)
                    ^ v[0].wrapping_add(v[1])
            },
        ),
    ];
    cases.push(Case::new(
        "switch_on_signed_numbers",
        &[I32],
        1,
        "var r = 0u;
         switch s(0u) { case -1: { r = 1u; } case -2147483648, 2147483647: { r = 2u; } case 0: { r = 3u; } default { r = 4u; } }
         put(0u, r);",
        |w| {
            vec![Right::Word(match w[0] as i32 {
                -1 => 1,
                i32::MIN | i32::MAX => 2,
                0 => 3,
                _ => 4,
            })]
        },
    ));
    cases
}
