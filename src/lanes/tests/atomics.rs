//! Atomic operations on numbers of 64 bits, wherever they lie and whoever takes part.

use super::harness::run;

fn pair(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

fn words(numbers: &[u64]) -> Vec<u32> {
    numbers.iter().flat_map(|number| pair(*number)).collect()
}

fn numbers(words: &[u32]) -> Vec<u64> {
    let number = |pair: &[u32]| u64::from(pair[0]) | u64::from(pair[1]) << 32;
    words.chunks_exact(2).map(number).collect()
}

const MANY: u64 = 0x7654_3210_ffff_fff0;
const LEAST: u64 = 1 << 63;

/// Operations, with what they make of a number and another.
type Rule = fn(u64, u64) -> u64;
const UNSIGNED: [(&str, Rule); 8] = [
    ("atomicAdd", u64::wrapping_add),
    ("atomicSub", u64::wrapping_sub),
    ("atomicAnd", |a, b| a & b),
    ("atomicOr", |a, b| a | b),
    ("atomicXor", |a, b| a ^ b),
    ("atomicMin", |a, b| a.min(b)),
    ("atomicMax", |a, b| a.max(b)),
    ("atomicExchange", |_, b| b),
];

fn rules(is_signed: bool) -> Vec<(&'static str, Rule)> {
    let signed = |(name, rule): (&'static str, Rule)| match name {
        "atomicMin" => (name, (|a, b| (a as i64).min(b as i64) as u64) as Rule),
        "atomicMax" => (name, (|a, b| (a as i64).max(b as i64) as u64) as Rule),
        _ => (name, rule),
    };
    UNSIGNED
        .into_iter()
        .map(|one| if is_signed { signed(one) } else { one })
        .collect()
}

/// Each operation on a number of each lane's own, in storage and in workgroup memory, with its result used or not.
#[test]
fn each_operation_gives_what_was_there_and_leaves_what_it_should() {
    let before = [0, 1, MANY, LEAST, u64::MAX, 1 << 32, 0xffff_ffff, 7];
    let by = [
        u64::MAX,
        0xffff_ffff,
        MANY + 3,
        LEAST + 9,
        LEAST,
        1 << 32,
        5,
        MANY,
    ];
    for (ty, is_signed) in [("u64", false), ("i64", true)] {
        for (name, rule) in rules(is_signed) {
            let wgsl = format!(
                "@group(0) @binding(0) var<storage, read_write> there: array<atomic<{ty}>>;
                @group(0) @binding(1) var<storage, read_write> old: array<{ty}>;
                @group(0) @binding(2) var<storage, read_write> by: array<{ty}>;
                var<workgroup> ours: array<atomic<{ty}>, 8>;
                @compute @workgroup_size(8)
                fn main(@builtin(local_invocation_index) i: u32) {{
                    atomicStore(&ours[i], atomicLoad(&there[i]));
                    workgroupBarrier();
                    old[i] = {name}(&there[i], by[i]);
                    let mine = {name}(&ours[i], by[i]);
                    workgroupBarrier();
                    if mine != old[i] {{ old[i] = {ty}(77); }}
                    // Without what was there.
                    let unused = {name}(&ours[i], by[i]);
                    let nor_this = {name}(&there[i + 8u], by[i]);
                    atomicStore(&there[i + 16u], atomicLoad(&ours[i]));
                }}"
            );
            let start = words(&[before, before, [3; 8]].concat());
            let found = run(&wgsl, &[start, vec![9; 16], words(&by)], [1, 1, 1]);
            let once: Vec<u64> = before.iter().zip(by).map(|(a, b)| rule(*a, b)).collect();
            let twice: Vec<u64> = once.iter().zip(by).map(|(a, b)| rule(*a, b)).collect();
            let right = [once.clone(), once, twice].concat();
            assert_eq!(numbers(&found[0]), right, "{name} of {ty}");
            assert_eq!(numbers(&found[1]), before, "{name} of {ty}");
        }
    }
}

#[test]
fn an_unused_result_needs_no_name() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> n: array<atomic<u64>, 5>;
        @group(0) @binding(1) var<storage, read_write> s: array<atomic<i64>, 2>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let x = u64(id.x) << 31u;
            atomicAdd(&n[0], x); atomicSub(&n[1], x); atomicMax(&n[2], x); atomicMin(&n[3], x + 5lu);
            atomicXor(&n[4], x);
            atomicMin(&s[0], -i64(x)); atomicMax(&s[1], i64(x) - (1li << 40u));
        }";
    let found = run(
        wgsl,
        &[words(&[0, 0, 0, 99, 0]), words(&[0, LEAST])],
        [5, 1, 1],
    );
    let all = || (0..40_u64).map(|i| i << 31);
    let sum: u64 = all().sum();
    let odd = all().fold(0, |a, b| a ^ b);
    assert_eq!(
        numbers(&found[0]),
        [sum, sum.wrapping_neg(), 39 << 31, 5, odd]
    );
    let signed = [-(39_i64 << 31), (39 << 31) - (1 << 40)].map(|n| n as u64);
    assert_eq!(numbers(&found[1]), signed);
}

#[test]
fn an_exchange_of_64_bits_compares_both_words() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> n: array<atomic<u64>>;
        @group(0) @binding(1) var<storage, read_write> out: array<u64>;
        var<workgroup> ours: array<atomic<u64>, 4>;
        @compute @workgroup_size(4)
        fn main(@builtin(local_invocation_index) i: u32) {
            let expected = 0x500000006lu;
            atomicStore(&ours[i], atomicLoad(&n[i]));
            let a = atomicCompareExchangeWeak(&n[i], expected, 0x900000001lu);
            let b = atomicCompareExchangeWeak(&ours[i], expected, 0x900000001lu);
            out[i] = a.old_value * 4lu + select(0lu, 2lu, a.exchanged) + select(0lu, 1lu, b.exchanged);
            if b.old_value != a.old_value || atomicLoad(&ours[i]) != atomicLoad(&n[i]) { out[i] = 0lu; }
        }";
    let before = [0x5_0000_0006, 0x5_0000_0007, 0x4_0000_0006, 6];
    let found = run(wgsl, &[words(&before), vec![9; 8]], [1, 1, 1]);
    let right = before.map(|n| n * 4 + if n == 0x5_0000_0006 { 3 } else { 0 });
    assert_eq!(numbers(&found[1]), right);
    assert_eq!(
        numbers(&found[0]),
        [0x9_0000_0001, 0x5_0000_0007, 0x4_0000_0006, 6]
    );
}

#[test]
fn lanes_that_take_no_part_change_nothing() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> n: array<atomic<u64>>;
        @group(0) @binding(1) var<storage, read_write> out: array<u64>;
        var<workgroup> ours: array<atomic<i64>, 3>;
        fn up(at: u32, by: i64) -> i64 { return atomicAdd(&ours[at], by); }
        @compute @workgroup_size(40)
        fn main(@builtin(local_invocation_index) i: u32) {
            var last = 1000lu + u64(i);
            if i % 3u == 1u { last = atomicAdd(&n[i], 1lu << 32u); }
            for (var k = 0u; k < i % 5u; k++) {
                if k == 3u { continue; }
                last += atomicMax(&n[40u + i % 2u], u64(i)) & 0lu;
                switch i % 4u {
                    case 0: { atomicStore(&n[42u + i], u64(k) << 40u); }
                    case 1: { atomicSub(&n[42u + i], 1lu); }
                    default: { last += u64(up(i % 3u, 1li << 33u) >> 63u); }
                }
            }
            workgroupBarrier();
            if i >= 37u { return; }
            out[i] = last + select(0lu, u64(atomicLoad(&ours[i % 3u])), i < 3u);
        }";
    let start = vec![5; 82 * 2];
    let found = run(wgsl, &[start, vec![7; 80]], [1, 1, 1]);
    let five = 0x5_0000_0005_u64;
    let mut n = vec![five; 82];
    let mut ours = [0_u64; 3];
    let mut last: Vec<u64> = (0..40).map(|i| 1000 + i).collect();
    for i in 0..40_usize {
        if i % 3 == 1 {
            last[i] = n[i];
            n[i] += 1 << 32;
        }
        for k in (0..i % 5).filter(|k| *k != 3) {
            n[40 + i % 2] = n[40 + i % 2].max(i as u64);
            match i % 4 {
                0 => n[42 + i] = (k as u64) << 40,
                1 => n[42 + i] -= 1,
                _ => ours[i % 3] += 1 << 33,
            }
        }
    }
    let right: Vec<u64> = (0..40)
        .map(|i| match i {
            0..3 => last[i] + ours[i],
            3..37 => last[i],
            _ => 0x7_0000_0007,
        })
        .collect();
    assert_eq!(numbers(&found[0])[..42], n[..42]);
    assert_eq!(numbers(&found[0]), n);
    assert_eq!(numbers(&found[1]), right);
}

#[test]
fn numbers_of_64_bits_lie_in_structs_at_any_word() {
    let wgsl = "struct Item { a: u32, n: atomic<u64>, b: u32, all: array<atomic<i64>, 2> }
        @group(0) @binding(0) var<storage, read_write> items: array<Item, 3>;
        @group(0) @binding(1) var<storage, read_write> out: array<u64>;
        var<workgroup> ours: array<Item, 3>;
        @compute @workgroup_size(6)
        fn main(@builtin(local_invocation_index) i: u32) {
            let item = &ours[i % 3u];
            if i < 3u { item.a = i + 1u; item.b = i + 2u; }
            workgroupBarrier();
            atomicAdd(&item.n, 0xffffffffffflu);
            let old = atomicAdd(&items[i % 3u].n, 0xffffffffflu);
            atomicSub(&item.all[i % 2u], 1li << 35u);
            atomicMin(&items[i % 3u].all[i % 2u], -i64(i) << 35u);
            workgroupBarrier();
            if i < 3u {
                out[i] = atomicLoad(&item.n) + u64(item.a * 1000u + item.b * 100000u);
                out[i + 3u] = u64(atomicLoad(&item.all[0])) + u64(atomicLoad(&item.all[1]));
                items[i].a = u32(old & 1lu);
            }
        }";
    let found = run(wgsl, &[vec![0; 3 * 10], vec![9; 12]], [1, 1, 1]);
    let right: Vec<u64> = (0..3_u64)
        .map(|i| 2 * 0xfff_ffff_ffff + (i + 1) * 1000 + (i + 2) * 100_000)
        .chain([(-2_i64 << 35) as u64; 3])
        .collect();
    assert_eq!(numbers(&found[1]), right);
    for (i, item) in found[0].chunks(10).enumerate() {
        let least = |half: usize| {
            let other = if i % 2 == half { i } else { i + 3 };
            (-(other as i64) << 35) as u64
        };
        assert_eq!(numbers(&item[2..4]), [2 * 0xf_ffff_ffff]);
        assert_eq!(numbers(&item[6..]), [least(0), least(1)], "{i}");
        assert_eq!([item[1], item[4], item[5]], [0; 3], "what lies between");
    }
}

#[test]
fn numbers_past_the_end_are_neither_read_nor_changed() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> n: array<atomic<u64>>;
        @group(0) @binding(1) var<storage, read_write> out: array<u64>;
        var<workgroup> ours: array<atomic<u64>, 4>;
        var<workgroup> after: array<u32, 8>;
        // It has faults.
        @compute @workgroup_size(8)
        fn main(@builtin(local_invocation_index) i: u32) {
            out[i] = atomicAdd(&n[i], 1lu) + atomicExchange(&ours[i], 3lu) + (u64(arrayLength(&n)) << 40u);
            atomicStore(&n[i + 4u], 77lu);
            atomicStore(&ours[i + 4u], 77lu);
            atomicStore(&n[i - 1u], atomicLoad(&n[i - 1u]) + (1lu << 32u));
            workgroupBarrier();
            out[i] += atomicLoad(&n[i + 1u]) * 1000lu + u64(after[i]);
            let last = atomicCompareExchangeWeak(&n[i * 0x20000000u + 4u], 0lu, 9lu);
            out[i] += select(100000lu, 0lu, last.old_value == 0lu);
        }";
    // Room for three numbers and a half.
    let found = run(
        wgsl,
        &[words(&[10, 20, 30, 40])[..7].to_vec(), vec![9; 16]],
        [1, 1, 1],
    );
    let n = [11 + (1 << 32), 21 + (1 << 32), 31 + (1 << 32)];
    assert_eq!(numbers(&found[0]), n);
    assert_eq!(found[0][6], 40, "half a number is none");
    let right: Vec<u64> = (0..8)
        .map(|i| {
            let old = if i < 3 { (i as u64 + 1) * 10 } else { 0 };
            let next = n.get(i + 1).copied().unwrap_or(0) * 1000;
            old + next + (3 << 40)
        })
        .collect();
    assert_eq!(numbers(&found[1]), right);
}

#[test]
fn an_operation_for_all_lanes_is_done_by_each() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> n: array<atomic<u64>>;
        @group(0) @binding(1) var<storage, read_write> out: array<u64>;
        var<workgroup> ours: atomic<u64>;
        @compute @workgroup_size(20)
        fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) group: vec3<u32>) {
            atomicAdd(&n[group.x], 0x80000001lu);
            atomicAdd(&ours, 0x80000001lu);
            atomicMax(&n[2], u64(group.x) << 50u);
            let both = workgroupUniformLoad(&ours);
            loop {
                let old = atomicLoad(&n[3]);
                if old >= (100lu << 32u) { break; }
                if atomicCompareExchangeWeak(&n[3], old, old + (1lu << 32u)).exchanged { break; }
            }
            out[group.x * 20u + i] = both;
        }";
    let found = run(wgsl, &[vec![0; 8], vec![9; 80]], [2, 1, 1]);
    let all = 20 * 0x8000_0001;
    assert_eq!(numbers(&found[0]), [all, all, 1 << 50, 40 << 32]);
    assert_eq!(numbers(&found[1]), [all; 40]);
}

#[test]
fn one_of_a_subgroup_adds_for_all_of_it() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> n: array<atomic<u64>>;
        @compute @workgroup_size(40)
        fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(subgroup_invocation_id) i: u32) {
            if id.x % 3u == 1u { return; }
            let x = u64(id.x) << 32u;
            let sum = subgroupAdd(x);
            let most = subgroupMax(x);
            if i == 0u { atomicAdd(&n[0], sum); }
            let first = subgroupBroadcastFirst(i);
            if i == first { atomicAdd(&n[1], sum); atomicMax(&n[2], most); }
        }";
    let found = run(wgsl, &[vec![0; 6]], [2, 1, 1]).remove(0);
    let all: Vec<u64> = (0..80).filter(|i| i % 3 != 1).collect();
    // Subgroups begin with the invocations 0, 32, 40 and 72.
    let first = |from: u64, to: u64| all.iter().filter(|i| (from..to).contains(*i)).sum::<u64>();
    let led: u64 = [(0, 32), (32, 40), (40, 72), (72, 80)]
        .iter()
        .filter(|(from, _)| from % 3 != 1)
        .map(|(from, to)| first(*from, *to))
        .sum();
    assert_eq!(
        numbers(&found),
        [led << 32, all.iter().sum::<u64>() << 32, 78 << 32]
    );
}
