//! Kernels with mistakes put in at random: what naga still takes is run or refused, and touches nothing but what it binds.
//!
//! `DIVVY_FUZZ_MUTANTS` says how many.

use super::super::{Bank, Block, Layout, Machine, Program};
use super::harness::Aligned;
use crate::kernel::{BindingKind, Facts, Given, Kernel};
use crate::range::{Chunk, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};

const SOURCES: &[&str] = &[
    include_str!("everything.wgsl"),
    include_str!("everything.wgsl"),
    include_str!("../../../shaders/saxpy.wgsl"),
    include_str!("../../../shaders/mandelbrot.wgsl"),
    include_str!("../../../shaders/heat.wgsl"),
    include_str!("../../../shaders/galaxy.wgsl"),
    include_str!("../../../shaders/native.wgsl"),
    include_str!("../../../benches/lanes/black_scholes.wgsl"),
    include_str!("../../../benches/lanes/histogram.wgsl"),
    include_str!("../../../benches/lanes/life.wgsl"),
    include_str!("../../../benches/lanes/matmul_tiled.wgsl"),
    include_str!("../../../benches/lanes/monte_carlo.wgsl"),
    include_str!("../../../benches/lanes/reduce.wgsl"),
    include_str!("../../../benches/lanes/scan.wgsl"),
];

/// Words of one kind, any of which may stand for another.
const ALIKE: &[&[&str]] = &[
    &["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"],
    &["<", "<=", ">", ">=", "==", "!="],
    &["&&", "||"],
    &[
        "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=",
    ],
    &["i32", "u32", "f32", "bool"],
    &["vec2", "vec3", "vec4"],
    &["mat2x2", "mat3x3", "mat4x4", "mat3x2"],
    &["x", "y", "z", "w", "xy", "zyx", "xxyy"],
    &[
        "0u",
        "1u",
        "2u",
        "3u",
        "31u",
        "32u",
        "4294967295u",
        "1000000u",
    ],
    &["0", "1", "2", "3", "7", "64", "1.5", "2147483647"],
    &["0.0", "1.0", "0.5", "-1.0", "1e30", "100.0"],
    &["break", "continue", "return"],
    &["if", "while"],
    &["min", "max", "pow", "atan2", "step", "dot", "distance"],
    &[
        "abs",
        "sqrt",
        "sin",
        "cos",
        "exp",
        "log",
        "floor",
        "sign",
        "fract",
        "normalize",
        "length",
        "countOneBits",
        "firstLeadingBit",
        "reverseBits",
        "countTrailingZeros",
        "tanh",
        "acosh",
    ],
    &[
        "atomicAdd",
        "atomicMax",
        "atomicXor",
        "atomicExchange",
        "atomicSub",
        "atomicMin",
    ],
    &["function", "private", "workgroup", "storage"],
    &["read", "read_write"],
    &["workgroupBarrier", "storageBarrier"],
];

struct Random(u64);

impl Random {
    /// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
    fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    fn below(&mut self, end: usize) -> usize {
        self.word() as usize % end.max(1)
    }
}

/// Words, numbers and signs, without what lies between.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = if is_word(first) {
                let is_number = first.is_numeric();
                rest.find(|c: char| !(is_word(c) || is_number && c == '.'))
                    .unwrap_or(rest.len())
            } else {
                let longest = ["<<=", ">>="].into_iter().chain([
                    "<<", ">>", "&&", "||", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=",
                    "&=", "|=", "^=", "++", "--", "->",
                ]);
                let sign = longest.into_iter().find(|sign| rest.starts_with(sign));
                sign.map_or(first.len_utf8(), str::len)
            };
            found.push(rest[..length].to_owned());
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// Where the statement around a token begins and ends.
fn statement(tokens: &[String], at: usize) -> (usize, usize) {
    let is_edge = |token: &String| matches!(token.as_str(), ";" | "{" | "}");
    let start = tokens[..at].iter().rposition(is_edge).map_or(0, |i| i + 1);
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(start) {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth <= 1 => return (start, if depth == 1 { i + 1 } else { i }),
            "}" => depth -= 1,
            ";" if depth == 0 => return (start, i + 1),
            _ => {}
        }
    }
    (start, tokens.len())
}

fn mutate(tokens: &mut Vec<String>, random: &mut Random) {
    if tokens.is_empty() {
        return;
    }
    let at = random.below(tokens.len());
    match random.below(10) {
        // One word for another of its kind.
        0..=5 => {
            for i in (at..tokens.len()).chain(0..at) {
                let kind = ALIKE.iter().find(|kind| kind.contains(&tokens[i].as_str()));
                if let Some(kind) = kind {
                    tokens[i] = kind[random.below(kind.len())].to_owned();
                    return;
                }
            }
        }
        6 => {
            let (start, end) = statement(tokens, at);
            tokens.drain(start..end);
        }
        7 => {
            let (start, end) = statement(tokens, at);
            let again = tokens[start..end].to_vec();
            tokens.splice(end..end, again);
        }
        8 => {
            let (start, end) = statement(tokens, at);
            let mut inside = vec![
                "if".to_owned(),
                "fuel % 3u == 1u".to_owned(),
                "{".to_owned(),
            ];
            inside.extend_from_slice(&tokens[start..end]);
            inside.push("}".to_owned());
            tokens.splice(start..end, inside);
        }
        _ => {
            // One name for another.
            let is_name = |token: &String| token.starts_with(|c: char| c.is_alphabetic());
            let other = random.below(tokens.len());
            if is_name(&tokens[at]) && is_name(&tokens[other]) {
                tokens[at] = tokens[other].clone();
            }
        }
    }
}

/// Ends every loop after some rounds.
fn bounded(tokens: &[String]) -> String {
    let mut text = String::from("var<private> fuel: u32 = 60u;\n");
    let (mut is_loop, mut depth) = (false, 0);
    for token in tokens {
        text.push_str(token);
        text.push(if token == ";" || token == "}" || token == "{" {
            '\n'
        } else {
            ' '
        });
        match token.as_str() {
            "for" | "while" | "loop" => is_loop = true,
            "(" => depth += 1,
            ")" => depth -= 1,
            "{" if is_loop && depth == 0 => {
                text.push_str("if fuel == 0u { break; } fuel -= 1u;\n");
                is_loop = false;
            }
            _ => {}
        }
    }
    text
}

/// Words around a buffer that nobody may touch.
const GUARD: usize = 64;
const GUARDED: u32 = 0xdead_beef;

/// Runs the kernel of these facts on small buffers, as rows and as workgroups. Says what went wrong.
fn run(facts: &Facts, random: &mut Random) -> Result<(), String> {
    for is_short in [false, true] {
        let Ok(program) = Program::new(facts, is_short) else {
            // Refused, with a reason.
            continue;
        };
        let mut buffers = Vec::new();
        for binding in &facts.bindings {
            let more = binding.layout.element.stride * (random.below(40) as u64);
            let more = if binding.layout.count.is_some() {
                0
            } else {
                more
            };
            let words = (binding.layout.least_bytes + more).min(1 << 16) as usize / 4;
            let mut buffer = vec![GUARDED; GUARD];
            buffer.extend((0..words).map(|_| match random.below(3) {
                0 => random.word(),
                1 => random.word() % 8,
                _ => (random.below(64) as f32 - 20.0).to_bits(),
            }));
            buffer.extend([GUARDED; GUARD]);
            buffers.push(buffer);
        }
        // What can be proven of its indices is looked for too, for a range of some size.
        let given = buffers.iter().zip(&facts.bindings);
        let given: Vec<_> = given
            .map(|(buffer, binding)| match binding.kind {
                BindingKind::Uniform => Given::Value(bytemuck::cast_slice(&buffer[GUARD..])),
                BindingKind::Storage(_) => Given::Buffer((buffer.len() - 2 * GUARD) as u64 * 4),
            })
            .collect();
        let extents = [
            1 + random.below(300),
            1 + random.below(40),
            1 + random.below(3),
        ];
        let whole = Chunk::whole(Range::from(extents), facts.workgroup);
        let proof = facts.proof(&whole, &given);
        assert_eq!(proof.accesses.len(), facts.bindings.len());
        let before = buffers;
        let mut buffers: Vec<Aligned> = before.iter().map(|words| Aligned::new(words)).collect();
        let bank = |buffer: &mut Aligned| {
            let words = &mut buffer.words_mut()[GUARD..];
            Bank {
                words: words.as_mut_ptr(),
                len: words.len() - GUARD,
                passes_caches: true,
            }
        };
        let banks: Vec<Bank> = buffers.iter_mut().map(bank).collect();
        let mut machine = Machine::new(&program, &banks, [2, 2, 1]);
        let first = [1, 1, 0];
        let lanes = match program.layout {
            Layout::Workgroup => program.workgroup.iter().product::<u32>() as usize,
            Layout::Row => program.lanes.min(37),
        };
        machine.run(&Block {
            first: [0; 3],
            lanes,
        });
        machine.run(&Block { first, lanes });
        drop(machine);
        for ((after, before), binding) in buffers.iter().zip(&before).zip(&facts.bindings) {
            let after = after.words();
            let (low, high) = (&after[..GUARD], &after[after.len() - GUARD..]);
            if low.iter().chain(high).any(|word| *word != GUARDED) {
                return Err(format!("it wrote beyond `{}`", binding.name));
            }
            if !binding.writable && after != before {
                return Err(format!(
                    "it wrote to `{}`, which it only reads",
                    binding.name
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn mutants_are_run_or_refused_and_touch_nothing_else() {
    let number = std::env::var("DIVVY_FUZZ_MUTANTS").ok();
    let count = number.and_then(|text| text.parse().ok()).unwrap_or(500);
    let mut valid = 0;
    for seed in 0..count {
        let mut random =
            Random(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1).wrapping_mul(0x0101_0101_0101));
        (0..4).for_each(|_| _ = random.word());
        let mut tokens = tokens(SOURCES[seed % SOURCES.len()]);
        for _ in 0..1 + random.below(3) {
            mutate(&mut tokens, &mut random);
        }
        let wgsl = bounded(&tokens);
        let Ok(kernel) = Kernel::from_wgsl(&wgsl) else {
            continue;
        };
        for [is_fn, name] in tokens.array_windows() {
            if is_fn != "fn" {
                continue;
            }
            let Ok(kernel) = kernel.clone().entry(name) else {
                continue;
            };
            let Ok(facts) = kernel.facts() else { continue };
            valid += 1;
            let outcome = catch_unwind(AssertUnwindSafe(|| run(facts, &mut random)));
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(what)) => panic!("mutant {seed}, `{name}`: {what}\n{wgsl}"),
                Err(_) => panic!("mutant {seed}, `{name}` panicked\n{wgsl}"),
            }
        }
    }
    assert!(
        valid > count / 8,
        "only {valid} of {count} mutants are kernels"
    );
}
