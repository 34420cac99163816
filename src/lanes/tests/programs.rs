//! Kernels as people write them.

use super::harness::{bits, each, run};

#[test]
fn a_compare_and_exchange_loop_adds_floats_of_all_lanes() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> sum: array<atomic<u32>, 3>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let at = &sum[id.x % 3u];
            var old = atomicLoad(at);
            loop {
                let new_sum = bitcast<u32>(bitcast<f32>(old) + f32(id.x));
                let result = atomicCompareExchangeWeak(at, old, new_sum);
                if result.exchanged { break; }
                old = result.old_value;
            }
        }";
    let found = run(wgsl, &[vec![0; 3]], [3, 1, 1]).remove(0);
    assert_eq!(found, bits(&[84.0, 92.0, 100.0]));
}

#[test]
fn workgroup_memory_may_be_sized_by_an_override_and_hold_truth_values() {
    let wgsl = "override tile = 4u;
        struct Cell { full: bool, more: vec2<bool>, n: u32 }
        var<workgroup> cells: array<Cell, 8>;
        var<workgroup> flags: array<bool, tile * 2>;
        var<workgroup> done: bool;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(tile * 2)
        fn main(@builtin(local_invocation_index) i: u32) {
            flags[i] = i % 3u == 0u;
            cells[i].full = i > 2u;
            cells[i].more.y = i > 5u;
            cells[i].n = i;
            if i == 7u { done = true; }
            workgroupBarrier();
            let other = cells[7u - i];
            out[i] = u32(flags[7u - i]) + u32(other.full) * 10u + u32(other.more.y) * 100u
                + u32(other.more.x) * 1000u + other.n * 10000u + u32(done) * 100000u;
        }";
    let found = run(wgsl, &[vec![0; 8]], [1, 1, 1]).remove(0);
    let right: Vec<u32> = (0..8)
        .map(|i| {
            let j = 7 - i;
            let flag = |is_so| u32::from(is_so);
            flag(j % 3 == 0) + flag(j > 2) * 10 + flag(j > 5) * 100 + j * 10_000 + 100_000
        })
        .collect();
    assert_eq!(found, right);
}

#[test]
fn a_tiled_product_of_matrices_is_right() {
    let wgsl = "const N = 16u;
        @group(0) @binding(0) var<storage, read> a: array<f32>;
        @group(0) @binding(1) var<storage, read> b: array<f32>;
        @group(0) @binding(2) var<storage, read_write> c: array<f32>;
        var<workgroup> left: array<array<f32, 4>, 4>;
        var<workgroup> right: array<array<f32, 4>, 4>;
        struct In {
            @builtin(local_invocation_id) local: vec3<u32>,
            @builtin(global_invocation_id) global: vec3<u32>,
        }
        @compute @workgroup_size(4, 4)
        fn main(in: In, @builtin(num_workgroups) groups: vec3<u32>) {
            let x = in.local.x;
            let y = in.local.y;
            var sum = 0.0;
            for (var tile = 0u; tile < groups.x; tile++) {
                left[y][x] = a[in.global.y * N + tile * 4u + x];
                right[y][x] = b[(tile * 4u + y) * N + in.global.x];
                workgroupBarrier();
                for (var k = 0u; k < 4u; k++) { sum += left[y][k] * right[k][x]; }
                workgroupBarrier();
            }
            c[in.global.y * N + in.global.x] = sum;
        }";
    let n = 16;
    let a: Vec<f32> = (0..n * n).map(|i| (i % 7) as f32).collect();
    let b: Vec<f32> = (0..n * n).map(|i| (i % 5) as f32 - 2.0).collect();
    let right: Vec<f32> = (0..n * n)
        .map(|i| (0..n).map(|k| a[i / n * n + k] * b[k * n + i % n]).sum())
        .collect();
    let found = run(wgsl, &[bits(&a), bits(&b), vec![0; n * n]], [4, 4, 1]).remove(2);
    assert_eq!(found, bits(&right));
}

#[test]
fn a_reduction_in_a_tree_sums_its_workgroup() {
    let wgsl = "var<workgroup> part: array<u32, 32>;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(32)
        fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) group: vec3<u32>) {
            part[i] = i * i + group.x;
            workgroupBarrier();
            for (var width = 16u; width > 0u; width /= 2u) {
                if i < width { part[i] += part[i + width]; }
                workgroupBarrier();
            }
            if i == 0u { out[group.x] = part[0]; }
        }";
    let found = run(wgsl, &[vec![0; 3]], [3, 1, 1]).remove(0);
    assert_eq!(found, [10416, 10448, 10480]);
}

#[test]
fn arrays_go_through_functions_and_come_back() {
    let preamble = "alias Row = array<vec3<i32>, 3>;
        fn turned(row: Row, by: u32) -> Row {
            var result: Row;
            for (var k = 0u; k < 3u; k++) { result[(k + by) % 3u] = row[k].yzx; }
            return result;
        }
        fn at(row: Row, i: u32, j: u32) -> i32 { let copy = row; return copy[i][j]; }";
    let body = "var row = Row(vec3(1, 2, 3), vec3(4, 5, 6), vec3(7, 8, 9));
        row = turned(row, i);
        row[i % 3u] *= -1;
        _ = turned(row, 1u);
        out[i] = bitcast<u32>(at(row, i % 3u, i % 2u) * 100 + at(turned(row, 1u), 0u, 2u));";
    let right = |i: u32| {
        let by = i as usize;
        let row = [[1, 2, 3], [4, 5, 6], [7, 8, 9]];
        let turned = |row: [[i32; 3]; 3], by: usize| {
            let mut result = [[0; 3]; 3];
            for k in 0..3 {
                let [x, y, z] = row[k];
                result[(k + by) % 3] = [y, z, x];
            }
            result
        };
        let mut row = turned(row, by);
        row[by % 3] = row[by % 3].map(|n| -n);
        (row[by % 3][by % 2] * 100 + turned(row, 1)[0][2]) as u32
    };
    assert_eq!(
        each(preamble, body),
        (0..40).map(right).collect::<Vec<u32>>()
    );
}

#[test]
fn what_is_bound_may_be_nested_and_indexed_at_every_level() {
    let wgsl = "struct Body { m: mat2x2<f32>, p: array<array<vec3<f32>, 2>, 2>, tail: f32 }
        @group(0) @binding(0) var<storage, read_write> bodies: array<Body>;
        @group(0) @binding(1) var<uniform> places: array<vec4<u32>, 2>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            let k = places[i / 2u][i % 4u];
            let body = &bodies[i];
            body.p[k / 2u][k % 2u][k % 3u] += 1.0;
            body.m[k % 2u] = body.m * vec2(1.0, f32(i));
            body.tail = length(body.p[k / 2u][k % 2u]);
        }";
    // m at 0, p at 4 with vectors 4 apart, tail at 20; 24 words in all.
    let mut words = vec![0.0; 4 * 24];
    for i in 0..4 {
        words[i * 24..i * 24 + 4].copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    }
    let places = [3, 1, 9, 9, 9, 9, 2, 0];
    let found = run(wgsl, &[bits(&words), places.to_vec()], [1, 1, 1]).remove(0);
    for i in 0..4 {
        let k = [3, 1, 2, 0][i];
        let body = &mut words[i * 24..(i + 1) * 24];
        body[4 + k * 4 + k % 3] += 1.0;
        let column = k % 2 * 2;
        body[column..column + 2].copy_from_slice(&[1.0 + 3.0 * i as f32, 2.0 + 4.0 * i as f32]);
        body[20] = 1.0;
    }
    assert_eq!(found, bits(&words));
}

#[test]
fn a_stack_of_ones_own_walks_a_tree() {
    let preamble = "fn visit(start: u32) -> u32 {
            var stack: array<u32, 16>;
            var top = 1i;
            stack[0] = start;
            var seen = 0u;
            while top > 0i {
                top--;
                let node = stack[top];
                if node > 60u { continue; }
                seen += node;
                stack[top] = node * 2u + 1u;
                top++;
                if node % 3u == 0u { continue; }
                stack[top] = node * 2u + 2u;
                top += 1i;
            }
            return seen;
        }";
    fn visit(node: u32) -> u32 {
        if node > 60 {
            return 0;
        }
        let right = if node.is_multiple_of(3) {
            0
        } else {
            visit(node * 2 + 2)
        };
        node + visit(node * 2 + 1) + right
    }
    let found = each(preamble, "out[i] = visit(i);");
    assert_eq!(found, (0..40).map(visit).collect::<Vec<u32>>());
}
