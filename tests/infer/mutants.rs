//! Kernels with mistakes put in at random: whatever is proven of them holds.
//!
//! `DIVVY_INFER_MUTANTS` says how many.

use crate::kernels::{CASES, Case, Setup};
use crate::{Random, dispatch};
use divvy::{Access, Error, Fault, Kernel, Runtime};

/// Words of one kind, any of which may stand for another.
const ALIKE: &[&[&str]] = &[
    &["+", "-", "*", "/", "%", "&", "|", "^", ">>", "<<"],
    &["<", "<=", ">", ">=", "==", "!="],
    &["&&", "||"],
    &["+=", "-=", "*=", "/=", "%=", "="],
    &[
        "0u",
        "1u",
        "2u",
        "3u",
        "5u",
        "63u",
        "64u",
        "65u",
        "u.a",
        "u.b",
        "u.c",
        "4294967295u",
    ],
    &["0", "1", "2", "-1", "3"],
    &[
        "id.x", "id.y", "local.x", "group.x", "index", "groups.x", "i", "x[id.x]",
    ],
    &["min", "max"],
    &["if", "while"],
    &["return", "break", "continue"],
    &[
        "atomicAdd",
        "atomicMax",
        "atomicMin",
        "atomicOr",
        "atomicXor",
        "atomicExchange",
    ],
];

fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let text: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect();
    let text = text.join(" ");
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let length = if is_word(first) {
            rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
        } else {
            let signs = [
                "<<", ">>", "&&", "||", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "++", "--",
                "->",
            ];
            let sign = signs.into_iter().find(|sign| rest.starts_with(sign));
            sign.map_or(first.len_utf8(), str::len)
        };
        found.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    found
}

/// The body with some words changed, every loop ended after some rounds.
fn mutated(case: &Case, random: &mut Random) -> String {
    let mut words = tokens(case.body);
    for _ in 0..random.between(1, 4) {
        let at = random.between(0, words.len() as u64) as usize;
        for i in (at..words.len()).chain(0..at) {
            let kind = ALIKE.iter().find(|kind| kind.contains(&words[i].as_str()));
            if let Some(kind) = kind {
                words[i] = kind[random.between(0, kind.len() as u64) as usize].to_owned();
                break;
            }
        }
    }
    let mut text = String::new();
    let (mut is_loop, mut depth) = (false, 0);
    for word in &words {
        text.push_str(word);
        text.push(' ');
        match word.as_str() {
            "for" | "while" | "loop" => is_loop = true,
            "(" => depth += 1,
            ")" => depth -= 1,
            "{" if is_loop && depth == 0 => {
                text.push_str("if fuel == 0u { break; } fuel -= 1u; ");
                is_loop = false;
            }
            _ => {}
        }
    }
    text
}

/// Whether a range can be split at all, of workgroups of as many units as a case has.
fn is_divided(setup: &Setup, case: &Case) -> bool {
    let sizes: Vec<u64> = case
        .workgroup
        .split(", ")
        .map(|size| size.parse().expect("a number"))
        .collect();
    let slowest = (0..3)
        .rev()
        .find(|axis| setup.range[*axis] > 1)
        .unwrap_or(0);
    setup.range[slowest] > sizes.get(slowest).copied().unwrap_or(1)
}

#[test]
fn nothing_false_is_proven_of_kernels_with_mistakes() {
    let number = std::env::var("DIVVY_INFER_MUTANTS").ok();
    let count: usize = number.and_then(|text| text.parse().ok()).unwrap_or(600);
    let runtime = Runtime::builder().checked(true).build();
    let runtime = runtime.expect("there is a CPU");
    let (mut valid, mut proven) = (0, 0);
    for seed in 0..count {
        let case = &CASES[seed % CASES.len()];
        let mut random =
            Random(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1).wrapping_mul(0x0101_0101_0101));
        (0..4).for_each(|_| _ = random.word());
        let before = format!("var<private> fuel: u32 = 200u; {}", case.before);
        let body = mutated(case, &mut random);
        let mutant = Case {
            name: case.name,
            workgroup: case.workgroup,
            types: case.types,
            before: Box::leak(before.into_boxed_str()),
            body: Box::leak(body.into_boxed_str()),
            setup: case.setup,
            x: "",
            y: "",
        };
        let wgsl = mutant.wgsl();
        let Ok(kernel) = Kernel::from_wgsl(&wgsl) else {
            continue;
        };
        valid += 1;
        let (n, m) = (random.between(1, 400), random.between(1, 70));
        let setup = (case.setup)(n, m);
        let buffers = random.buffers(&runtime, &mutant, &setup);
        let dispatch = dispatch(&runtime, &kernel, &setup, [&buffers[0], &buffers[1]]);
        let patterns = dispatch.patterns().expect("all is bound");
        // What is remembered holds for no other values than those that it was found for.
        let mut other = (case.setup)(n, m);
        let word = random.between(0, 4) as usize;
        other.u[word] = other.u[word]
            .wrapping_add(random.between(0, 4) as u32)
            .wrapping_sub(1);
        let again = |kernel: &Kernel, setup: &Setup| {
            let dispatch = crate::dispatch(&runtime, kernel, setup, [&buffers[0], &buffers[1]]);
            let patterns = dispatch.patterns().expect("all is bound");
            patterns
                .into_iter()
                .map(|pattern| pattern.access)
                .collect::<Vec<_>>()
        };
        let fresh = Kernel::from_wgsl(&wgsl).expect("it was valid before");
        assert_eq!(
            again(&kernel, &other),
            again(&fresh, &other),
            "mutant {seed}\n{wgsl}"
        );
        proven += usize::from(patterns.iter().all(|pattern| pattern.access.is_some()));
        let Err(Error::Checked(findings)) = dispatch.run() else {
            continue;
        };
        // What is out of bounds is nobody's own.
        let is_own = |name: &str| {
            patterns.iter().any(|pattern| {
                let is_apart = !matches!(
                    pattern.access,
                    None | Some(Access::All | Access::Accumulate(_))
                );
                pattern.binding == name && is_apart
            })
        };
        for finding in &findings.found {
            let is_outside = match &finding.fault {
                Fault::OutsidePattern { .. } | Fault::NotAccumulated { .. } => true,
                // One workgroup has all to itself.
                Fault::OutOfBounds { indexed, .. } => is_own(indexed) && is_divided(&setup, case),
                _ => false,
            };
            assert!(
                !is_outside,
                "mutant {seed} of {}, {n} and {m}: {finding}\n{patterns:?}\n{wgsl}",
                case.name
            );
        }
    }
    println!("{valid} mutants are valid, and all is proven of {proven}");
    assert!(
        valid > count / 4 && proven > count / 20,
        "{valid} valid, {proven} proven"
    );
}
