//! Whole kernels: atomic operations, on words, on numbers of 64 bits and on floats.

use super::memory::{Needs, Whole, run, whole, words};

pub fn wholes() -> Vec<Whole> {
    let mut all = atomics();
    all.extend(wide());
    all.push(floats());
    all
}

fn atomics() -> Vec<Whole> {
    let n = 70_u32;
    let w = words(n);
    let fold = |start: u32, f: fn(u32, u32) -> u32| w.iter().fold(start, |all, x| f(all, *x));
    let signed = |start: i32, f: fn(i32, i32) -> i32| {
        w.iter().fold(start, |all, x| f(all, *x as i32)) as u32
    };
    let mut all = vec![
        whole(
            "atomics_in_any_order",
            [n, 1, 1],
            w.clone(),
            vec![
                fold(0, u32::wrapping_add),
                fold(0, u32::wrapping_sub),
                fold(0, u32::max),
                // Nothing is less than what is there.
                0,
                fold(0, |a, b| a | b),
                fold(0, |a, b| a ^ b),
                signed(0, i32::min),
                signed(0, i32::max),
                n,
            ],
            "@group(0) @binding(0) var<storage, read> input: array<u32>;
             struct All { add: atomic<u32>, sub: atomic<u32>, most: atomic<u32>, least: atomic<u32>, any: atomic<u32>,
                 odd: atomic<u32>, least_signed: atomic<i32>, most_signed: atomic<i32>, count: atomic<u32> }
             @group(0) @binding(1) var<storage, read_write> output: All;
             @compute @workgroup_size(64)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                 if id.x >= arrayLength(&input) { return; }
                 let x = input[id.x];
                 atomicAdd(&output.add, x); atomicSub(&output.sub, x); atomicMax(&output.most, x);
                 atomicMin(&output.least, x); atomicOr(&output.any, x); atomicXor(&output.odd, x);
                 atomicMin(&output.least_signed, bitcast<i32>(x)); atomicMax(&output.most_signed, bitcast<i32>(x));
                 atomicAdd(&output.count, 1u);
             }",
        ),
        // Each on a word of its own: what was there is returned, and what was put is there.
        whole(
            "atomics_return_what_was_there",
            [n, 1, 1],
            w.clone(),
            w.iter()
                .flat_map(|x| {
                    let half = *x / 2;
                    let [a, b] = [x.wrapping_add(5), x.wrapping_add(5) & half];
                    [b | 3, a ^ b.wrapping_mul(3) ^ (b | 3).wrapping_mul(5)]
                })
                .collect(),
            "@group(0) @binding(0) var<storage, read> input: array<u32>;
             @group(0) @binding(1) var<storage, read_write> output: array<atomic<u32>>;
             @compute @workgroup_size(32)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                 if id.x >= arrayLength(&input) { return; }
                 let at = id.x * 2u; let x = input[id.x];
                 atomicStore(&output[at], x);
                 atomicAdd(&output[at], 5u);
                 let a = atomicAnd(&output[at], x / 2u);
                 let b = atomicOr(&output[at], 3u);
                 let c = atomicLoad(&output[at]);
                 atomicStore(&output[at + 1u], a ^ (b * 3u) ^ (c * 5u));
             }",
        ),
        // A comparison that fails changes nothing. One that holds may fail all the same, so it is tried again.
        whole(
            "exchanges_compare_first",
            [n, 1, 1],
            w.clone(),
            w.iter()
                .map(|x| {
                    let before = x.wrapping_add(1);
                    before.wrapping_mul(31).wrapping_add(*x).wrapping_add(2)
                })
                .collect(),
            "@group(0) @binding(0) var<storage, read> input: array<u32>;
             @group(0) @binding(1) var<storage, read_write> output: array<atomic<u32>>;
             @compute @workgroup_size(32)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                 if id.x >= arrayLength(&input) { return; }
                 let x = input[id.x];
                 let zero = atomicExchange(&output[id.x], x);
                 let no = atomicCompareExchangeWeak(&output[id.x], x + 7u, 99u);
                 var tries = 0u;
                 loop {
                     let yes = atomicCompareExchangeWeak(&output[id.x], x, x + 1u);
                     tries++;
                     if yes.exchanged || tries > 1000u { break; }
                 }
                 let now = atomicLoad(&output[id.x]);
                 atomicStore(&output[id.x], now * 31u + no.old_value + zero + select(2u, 0u, no.exchanged));
             }",
        ),
    ];
    all[0].run = run::<1, 9>;
    all
}

fn pair(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// So many numbers that differ from each other, in both words.
fn numbers(count: u64) -> Vec<u64> {
    (0..count)
        .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xff_0000_ffff)
        .collect()
}

/// On numbers of 64 bits.
fn wide() -> Vec<Whole> {
    let n = 150_u32;
    let numbers = numbers(u64::from(n));
    let w = &numbers;
    let fold = |start: u64, f: fn(u64, u64) -> u64| w.iter().fold(start, |all, x| f(all, *x));
    let signed = |start: i64, f: fn(i64, i64) -> i64| {
        w.iter().fold(start, |all, x| f(all, *x as i64)) as u64
    };
    let input: Vec<u32> = w.iter().flat_map(|x| pair(*x)).collect();
    let wide = |name, right: Vec<u64>, wgsl| {
        let right = right.iter().flat_map(|x| pair(*x)).collect();
        let mut whole = whole(name, [n, 1, 1], input.clone(), right, wgsl);
        (whole.run, whole.needs) = (run::<2, 2>, Needs::WideAtomics);
        whole
    };
    let mut all = vec![
        wide(
            "wide_atomics_in_any_order",
            vec![
                fold(0, u64::wrapping_add),
                fold(0, u64::wrapping_sub),
                fold(0, u64::max),
                // Nothing is less than what is there.
                0,
                fold(0, |a, b| a | b),
                fold(0, |a, b| a ^ b),
                signed(0, i64::min),
                signed(0, i64::max),
                u64::from(n),
                fold(0, |a, b| a.wrapping_add(if b % 3 == 0 { b } else { 0 })),
                u64::from(n) << 33,
            ],
            "@group(0) @binding(0) var<storage, read> input: array<u64>;
             struct All { add: atomic<u64>, sub: atomic<u64>, most: atomic<u64>, least: atomic<u64>, any: atomic<u64>,
                 odd: atomic<u64>, least_signed: atomic<i64>, most_signed: atomic<i64>, count: atomic<u32>, none: u32,
                 some: atomic<u64>, tries: atomic<u64> }
             @group(0) @binding(1) var<storage, read_write> output: All;
             @compute @workgroup_size(32)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                 if id.x >= arrayLength(&input) { return; }
                 let x = input[id.x];
                 atomicAdd(&output.add, x); atomicSub(&output.sub, x); atomicMax(&output.most, x);
                 atomicMin(&output.least, x); atomicOr(&output.any, x); atomicXor(&output.odd, x);
                 atomicMin(&output.least_signed, i64(x)); atomicMax(&output.most_signed, i64(x));
                 atomicAdd(&output.count, 1u);
                 if x % 3lu == 0lu { atomicAdd(&output.some, x); }
                 var old = atomicLoad(&output.tries);
                 loop {
                     let now = atomicCompareExchangeWeak(&output.tries, old, old + (1lu << 33u));
                     if now.exchanged { break; }
                     old = now.old_value;
                 }
             }",
        ),
        // Each on a number of its own: what was there is returned, and what was put is there.
        wide(
            "wide_atomics_return_what_was_there",
            w.iter()
                .flat_map(|x| {
                    let half = *x / 2;
                    let a = x.wrapping_add(0xffff_ffff);
                    let b = a & half;
                    let c = b | 3;
                    let d = c.wrapping_sub(*x);
                    let e = d ^ 0x1_0000_0001;
                    let f = e.min(half);
                    let g = f.max(1 << 40);
                    let told = [*x, a, b, c, d, e, f, g];
                    let mixed = told.iter().fold(0_u64, |all, old| {
                        all.wrapping_mul(0x1_0000_001f).wrapping_add(*old)
                    });
                    [x.wrapping_sub(9), mixed]
                })
                .collect(),
            "@group(0) @binding(0) var<storage, read> input: array<u64>;
             @group(0) @binding(1) var<storage, read_write> output: array<atomic<u64>>;
             var<private> mixed: u64;
             fn mix(old: u64) { mixed = mixed * 0x10000001flu + old; }
             @compute @workgroup_size(32)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                 if id.x >= arrayLength(&input) { return; }
                 let at = id.x * 2u; let x = input[id.x];
                 atomicStore(&output[at], x);
                 mix(atomicAdd(&output[at], 0xfffffffflu));
                 mix(atomicAnd(&output[at], x / 2lu));
                 mix(atomicOr(&output[at], 3lu));
                 mix(atomicSub(&output[at], x));
                 mix(atomicXor(&output[at], 0x100000001lu));
                 mix(atomicMin(&output[at], x / 2lu));
                 mix(atomicMax(&output[at], 1lu << 40u));
                 mix(atomicExchange(&output[at], x - 9lu));
                 atomicStore(&output[at + 1u], mixed);
             }",
        ),
        wide(
            "wide_exchanges_compare_first",
            w.iter()
                .map(|x| {
                    let before = x.wrapping_add(1 << 32);
                    before.wrapping_mul(31).wrapping_add(*x).wrapping_add(2)
                })
                .collect(),
            "@group(0) @binding(0) var<storage, read> input: array<u64>;
             @group(0) @binding(1) var<storage, read_write> output: array<atomic<u64>>;
             @compute @workgroup_size(32)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                 if id.x >= arrayLength(&input) { return; }
                 let x = input[id.x];
                 let zero = atomicExchange(&output[id.x], x);
                 // What differs in the higher word alone differs.
                 let no = atomicCompareExchangeWeak(&output[id.x], x ^ (1lu << 35u), 99lu);
                 var tries = 0u;
                 loop {
                     let yes = atomicCompareExchangeWeak(&output[id.x], x, x + (1lu << 32u));
                     tries++;
                     if yes.exchanged || tries > 1000u { break; }
                 }
                 let now = atomicLoad(&output[id.x]);
                 atomicStore(&output[id.x], now * 31lu + no.old_value + zero + select(2lu, 0lu, no.exchanged));
             }",
        ),
        wide(
            "wide_atomics_of_a_workgroup",
            (0..5_usize)
                .flat_map(|group| {
                    let own = &w[group * 30..][..30];
                    let least = own.iter().map(|x| *x as i64).min().unwrap_or(0).min(0);
                    let sum = own.iter().fold(0_u64, |all, x| all.wrapping_add(*x));
                    [sum, least as u64, 30 << 32]
                })
                .collect(),
            "@group(0) @binding(0) var<storage, read> input: array<u64>;
             @group(0) @binding(1) var<storage, read_write> output: array<u64>;
             struct Ours { first: u32, sum: atomic<u64>, all: array<atomic<i64>, 2>, last: u32, tries: atomic<u64> }
             var<workgroup> ours: Ours;
             @compute @workgroup_size(30)
             fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>,
                     @builtin(local_invocation_index) i: u32) {
                 atomicAdd(&ours.sum, input[id.x]);
                 let least = atomicMin(&ours.all[1], i64(input[id.x]));
                 if i == 0u { ours.first = 7u; ours.last = 9u; }
                 var old = atomicLoad(&ours.tries);
                 loop {
                     let now = atomicCompareExchangeWeak(&ours.tries, old, old + (1lu << 32u));
                     if now.exchanged { break; }
                     old = now.old_value;
                 }
                 workgroupBarrier();
                 if i == 0u && ours.first + ours.last == 16u && atomicLoad(&ours.all[0]) == 0li && least < 1li {
                     output[group.x * 3u] = atomicLoad(&ours.sum);
                     output[group.x * 3u + 1u] = u64(atomicLoad(&ours.all[1]));
                     output[group.x * 3u + 2u] = atomicLoad(&ours.tries);
                 }
             }",
        ),
    ];
    all[0].run = run::<2, 22>;
    // Many workgroups at the same three numbers: a count, a sum with carries in a loop of exchanges, and one whose halves
    // are the same in all that is ever stored there.
    let many = 20_000_u64;
    let mut crowd = wide(
        "many_workgroups_at_one_wide_number",
        vec![many * 0x8000_0001, (0..many).map(|i| i << 20).sum(), 0, 0],
        "@group(0) @binding(0) var<storage, read> input: array<u64>;
         @group(0) @binding(1) var<storage, read_write> output: array<atomic<u64>, 4>;
         @compute @workgroup_size(32)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             atomicAdd(&output[0], 0x80000001lu);
             var old = input[0] & 0lu;
             loop {
                 let now = atomicCompareExchangeWeak(&output[1], old, old + (u64(id.x) << 20u));
                 if now.exchanged { break; }
                 old = now.old_value;
             }
             let x = u64(id.x);
             atomicStore(&output[2], x << 32u | x);
             let seen = atomicLoad(&output[2]);
             if (seen >> 32u) != (seen & 0xfffffffflu) { atomicAdd(&output[3], 1lu); }
             atomicStore(&output[2], 0lu);
         }",
    );
    crowd.range = [many as u32, 1, 1];
    all.push(crowd);
    all
}

/// On floats that are so small that sums are exact.
fn floats() -> Whole {
    let n = 100_u32;
    let bits = |float: f32| float.to_bits();
    let mut floats = whole(
        "atomics_of_floats",
        [n, 1, 1],
        (0..n).map(|i| bits(i as f32 - 20.0)).collect(),
        vec![
            bits((0..n).map(|i| i as f32 - 20.0).sum()),
            bits(n as f32 * -0.5),
            bits(4950.0 - 2000.0),
            n,
        ],
        "@group(0) @binding(0) var<storage, read> input: array<f32>;
         struct All { sum: atomic<f32>, less: atomic<f32>, moved: atomic<f32>, right: atomic<u32> }
         @group(0) @binding(1) var<storage, read_write> output: All;
         @compute @workgroup_size(32)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&input) { return; }
             let before = atomicAdd(&output.sum, input[id.x]);
             atomicSub(&output.less, 0.5);
             // What each takes out it puts back, with its own.
             let taken = atomicExchange(&output.moved, 0.0);
             atomicAdd(&output.moved, taken + input[id.x]);
             if before >= -210.0 && before <= 3160.0 && atomicLoad(&output.less) < 0.0 { atomicAdd(&output.right, 1u); }
         }",
    );
    floats.run = run::<1, 4>;
    floats.needs = Needs::FloatAtomics;
    floats
}
