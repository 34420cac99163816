//! Invocations of a subgroup find together what they should, and those that are away have no say.

use super::harness::run;

/// What `count` words are after workgroups of 40 invocations; `i` is the index in the workgroup, `lane` in the subgroup.
fn words(preamble: &str, body: &str) -> Vec<u32> {
    let wgsl = format!(
        "{preamble}
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(40)
        fn main(@builtin(local_invocation_index) i: u32, @builtin(subgroup_invocation_id) lane: u32,
                @builtin(subgroup_id) group: u32, @builtin(subgroup_size) size: u32,
                @builtin(num_subgroups) groups: u32) {{
            {body}
        }}"
    );
    run(&wgsl, &[vec![0; 40]], [1, 1, 1]).remove(0)
}

fn expect(f: impl Fn(u32) -> u32) -> Vec<u32> {
    (0..40).map(f).collect()
}

/// The indices of the invocation's subgroup.
fn mates(i: u32) -> std::ops::Range<u32> {
    if i < 32 { 0..32 } else { 32..40 }
}

#[test]
fn a_subgroup_is_thirty_two_neighbours() {
    let body = "out[i] = lane + group * 100u + size * 1000u + groups * 100000u;";
    assert_eq!(words("", body), expect(|i| i % 32 + i / 32 * 100 + 232_000));
}

#[test]
fn numbers_are_combined_over_those_that_take_part() {
    let body = "if i % 3u == 0u { return; }
        let v = subgroupAdd(vec2<u32>(i, 1u));
        out[i] = v.x + v.y * 10000u + subgroupMax(i) * 1000000u;";
    let right = |i| {
        let some = mates(i).filter(|i| i % 3 != 0);
        let sum: u32 = some.clone().sum();
        let most = some.clone().max().unwrap_or(0);
        sum + some.count() as u32 * 10_000 + most * 1_000_000
    };
    assert_eq!(
        words("", body),
        expect(|i| if i % 3 == 0 { 0 } else { right(i) })
    );
}

#[test]
fn every_combination_is_what_its_name_says() {
    let body = "let f = f32(lane) - 3.0;
        let ok = array<bool, 9>(
            subgroupAdd(f) == select(20.0 - 16.0, 400.0, group == 0u),
            subgroupMul(select(1.0, 2.0, lane < 3u)) == 8.0,
            subgroupMin(f) == -3.0,
            subgroupMax(i32(lane) - 40i) == select(-33i, -9i, group == 0u),
            subgroupMin(i32(lane) - 40i) == -40i,
            subgroupAnd(lane | 64u) == 64u,
            subgroupOr(lane) == select(7u, 31u, group == 0u),
            subgroupXor(1u << lane) == select(255u, 0xffffffffu, group == 0u),
            subgroupMul(select(1i, -1i, lane == 2u)) == -1i,
        );
        for (var k = 0u; k < 9u; k++) { if !ok[k] { out[i] |= 1u << k; } }
        if subgroupAll(lane < 32u) { out[i] |= 1u << 10u; }
        if subgroupAll(lane < 8u) { out[i] |= 1u << 11u; }
        if subgroupAny(lane == 20u) { out[i] |= 1u << 12u; }";
    let right = |i| 1 << 10 | if i < 32 { 1 << 12 } else { 1 << 11 };
    assert_eq!(words("", body), expect(right));
}

#[test]
fn scans_go_from_the_first_to_the_last() {
    let body = "if lane % 2u == 1u { return; }
        out[i] = subgroupExclusiveAdd(lane) + subgroupInclusiveAdd(1u) * 1000u
            + u32(subgroupInclusiveMul(select(1.0, 2.0, lane < 6u))) * 100000u
            + subgroupExclusiveMul(select(1u, 3u, lane == 0u)) * 10000000u;";
    let right = |i: u32| {
        let lane = i % 32;
        if lane % 2 == 1 {
            return 0;
        }
        let before: u32 = (0..lane).step_by(2).sum();
        let power = 1 << (lane / 2 + 1).min(3);
        let three = if lane > 0 { 3 } else { 1 };
        before + (lane / 2 + 1) * 1000 + power * 100_000 + three * 10_000_000
    };
    assert_eq!(words("", body), expect(right));
}

#[test]
fn numbers_come_from_the_lane_that_is_named() {
    let body = "let v = i + 100u;
        out[i] = subgroupBroadcast(v, 2u);
        out[i] += subgroupBroadcastFirst(v) * 1000u;
        out[i] += u32(subgroupShuffle(vec2<f32>(f32(i)), lane ^ 5u).y) * 1000000u;";
    let right = |i: u32| {
        let first = i / 32 * 32;
        let other = first + ((i % 32) ^ 5);
        first + 102 + (first + 100) * 1000 + other * 1_000_000
    };
    assert_eq!(words("", body), expect(right));
    let body = "let up = subgroupShuffleUp(i, 3u);
        // What there is no invocation for is left open.
        let found = subgroupShuffleDown(i, 2u);
        let down = select(0u, found, lane < 30u && i < 38u);
        let across = subgroupShuffleXor(i, 4u);
        out[i] = up + down * 100u + across * 10000u;";
    let right = |i: u32| {
        let lane = i % 32;
        let up = if lane < 3 { 0 } else { i - 3 };
        let has_down = if i < 32 { lane < 30 } else { lane < 6 };
        let down = if has_down { i + 2 } else { 0 };
        up + down * 100 + (i ^ 4) * 10_000
    };
    assert_eq!(words("", body), expect(right));
}

#[test]
fn an_invocation_that_takes_no_part_can_be_read() {
    let body = "var found = 7u;
        if lane < 20u { found = subgroupShuffle(i, lane + 1u); }
        out[i] = found;";
    let right = |i: u32| if i % 32 < 20 && i < 39 { i + 1 } else { 7 };
    let found = words("", body);
    let expected = expect(right);
    // The last invocation of the workgroup reads one that isn't there.
    assert_eq!(found[..39], expected[..39]);
}

#[test]
fn quads_are_four_neighbours() {
    let body = "out[i] = quadBroadcast(i, 1u) + quadSwapX(i) * 100u + quadSwapY(i) * 10000u + quadSwapDiagonal(i) * 1000000u;";
    let right = |i: u32| (i & !3 | 1) + (i ^ 1) * 100 + (i ^ 2) * 10_000 + (i ^ 3) * 1_000_000;
    assert_eq!(words("", body), expect(right));
}

#[test]
fn a_ballot_has_a_bit_for_each_that_agrees() {
    let body = "if lane == 4u { out[i] = 7u; return; }
        subgroupBarrier();
        let votes = subgroupBallot(lane % 4u == 0u);
        out[i] = votes.x + votes.y + countOneBits(votes.w);";
    let right = |i: u32| match (i % 32, i < 32) {
        (4, _) => 7,
        (_, true) => 0x1111_1101,
        (_, false) => 1,
    };
    assert_eq!(words("", body), expect(right));
}

#[test]
fn loops_that_some_have_left_combine_the_rest() {
    let body = "var sum = 0u;
        for (var k = 0u; k < lane % 5u; k++) { sum += subgroupAdd(1u); }
        out[i] = sum;";
    let right = |i: u32| {
        let rounds = |k: u32| mates(i).filter(|i| i % 32 % 5 > k).count() as u32;
        (0..i % 32 % 5).map(rounds).sum()
    };
    assert_eq!(words("", body), expect(right));
}

#[test]
fn numbers_of_other_sizes_are_combined_too() {
    let preamble = "enable f16;";
    let body = "let h = subgroupAdd(f16(lane));
        let w = subgroupAdd(u64(lane) << 33u);
        let x = subgroupMax(f64(lane) + 0.5lf);
        let b = subgroupOr(1lu << (lane + 20u));
        let s = subgroupBroadcast(u64(i) << 32u, 1u);
        out[i] = u32(f32(h)) + u32(w >> 33u) * 1000u + u32(x * 2.0lf) * 1000000u;
        if b >> 20u != select(255lu, 0xfffffffflu, group == 0u) || s >> 32u != u64(group * 32u + 1u) { out[i] = 0u; }";
    let right = |i| {
        let last = if i < 32 { 31 } else { 7 };
        let sum = last * (last + 1) / 2;
        sum + sum * 1000 + (last * 2 + 1) * 1_000_000
    };
    assert_eq!(words(preamble, body), expect(right));
}
