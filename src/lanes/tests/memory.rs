//! Pointers, indices and atomics reach what they name.

use super::harness::{bits, each, each_with, once, run};

fn expect(f: impl Fn(u32) -> u32) -> Vec<u32> {
    (0..40).map(f).collect()
}

#[test]
fn pointers_to_parts_may_be_passed_whatever_space_they_are_in() {
    let preamble = "struct Item { a: u32, b: vec3<u32>, c: array<u32, 4> }
        var<private> own: array<Item, 2>;
        fn bump_own(p: ptr<private, Item>, at: u32) { (*p).b[at] += 2u; p.c[at] += 3u; }
        fn bump_word(p: ptr<function, u32>) -> u32 { *p += 5u; return *p; }
        ";
    let body = "var local = array<u32, 3>(1u, 2u, 3u);
        let a = bump_word(&local[i % 3u]);
        bump_own(&own[i % 2u], i % 3u);
        out[i] = a + local[i % 3u] * 100u + own[i % 2u].b[i % 3u] * 10000u + own[1].c[i % 3u] * 100000u;";
    let right = |i| {
        let a = i % 3 + 6;
        a + a * 100 + 20_000 + if i % 2 == 1 { 300_000 } else { 0 }
    };
    assert_eq!(each(preamble, body), expect(right));
}

#[test]
fn pointers_to_workgroup_memory_may_be_kept() {
    let wgsl = "struct Cell { n: atomic<u32>, v: array<vec2<u32>, 2> }
        var<workgroup> cells: array<Cell, 4>;
        var<workgroup> words: array<u32, 16>;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(16)
        fn main(@builtin(local_invocation_index) i: u32) {
            let cell = &cells[i % 4u];
            atomicAdd(&cell.n, i);
            if i < 8u {
                let v = &cells[i / 2u].v[i % 2u];
                v.y = i + 1u;
            }
            words[15u - i] = i * 2u;
            workgroupBarrier();
            out[i] = atomicLoad(&cell.n) + cell.v[i / 8u].y * 100u + words[i] * 10000u;
        }";
    let found = run(wgsl, &[vec![0; 16]], [1, 1, 1]);
    let right: Vec<u32> = (0..16)
        .map(|i| {
            let k = i % 4;
            (4 * k + 24) + (2 * k + i / 8 + 1) * 100 + (15 - i) * 20_000
        })
        .collect();
    assert_eq!(found[0], right);
}

#[test]
fn parts_of_what_is_bound_lie_where_wgsl_says() {
    let wgsl = "struct Item { a: u32, b: vec3<u32>, c: array<u32, 4> }
        @group(0) @binding(0) var<storage, read_write> items: array<Item>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let at = id.x;
            let p = &items[at];
            p.b[at % 3u] += at;
            (*p).c[at] = p.a + 1u;
        }";
    let items: Vec<u32> = (0..4 * 12)
        .map(|word| if word % 12 == 0 { 4 } else { 0 })
        .collect();
    let found = run(wgsl, &[items], [1, 1, 1]).remove(0);
    // A vector of three is followed by what fits behind it.
    assert_eq!(found[2 * 12..3 * 12], [4, 0, 0, 0, 0, 0, 2, 0, 0, 5, 0, 0]);
}

#[test]
fn workgroup_memory_begins_as_zeros_in_every_workgroup() {
    let wgsl = "var<workgroup> seen: array<atomic<u32>, 3>;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(4)
        fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) i: u32) {
            atomicAdd(&seen[i % 3u], 1u);
            workgroupBarrier();
            if i == 0u { out[group.x] = atomicLoad(&seen[0]) * 100u + atomicLoad(&seen[1]) * 10u + atomicLoad(&seen[2]); }
        }";
    assert_eq!(run(wgsl, &[vec![0; 3]], [3, 1, 1])[0], [211, 211, 211]);
}

#[test]
fn vectors_and_matrices_may_be_indexed_dynamically_wherever_they_are() {
    let body = "var v = vec4<u32>(1u, 2u, 3u, 4u);
        v[i % 4u] = 9u;
        var m = mat3x2<f32>(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
        m[i % 3u][i % 2u] = 7.0;
        m[(i + 1u) % 3u] = vec2(8.0, 9.0);
        let value = vec3<u32>(i, i + 1u, i + 2u);
        out[i] = v[i % 3u] + v[3] * 10u + value[i % 3u] * 100u
            + u32(m[i % 3u][i % 2u]) * 10000u + u32(m[(i + 1u) % 3u][(i + 1u) % 2u]) * 100000u;";
    let right = |i: u32| {
        let mut v = [1, 2, 3, 4];
        v[i as usize % 4] = 9;
        let other = if i.is_multiple_of(2) { 9 } else { 8 };
        v[i as usize % 3] + v[3] * 10 + (i + i % 3) * 100 + 70_000 + other * 100_000
    };
    assert_eq!(each("", body), expect(right));
}

#[test]
fn values_of_nested_types_may_be_indexed_dynamically() {
    let preamble = "struct In { v: vec2<u32>, b: bool, a: array<u32, 2> }
        struct Out { x: u32, items: array<In, 3> }
        const table = array<array<u32, 3>, 2>(array(1u, 2u, 3u), array(4u, 5u, 6u));
        fn make(i: u32) -> Out {
            return Out(i, array(In(vec2(i, 1u), true, array(3u, 4u)), In(vec2(5u), false, array(i, 6u)), In()));
        }";
    let body = "let value = make(i);
        let item = value.items[i % 3u];
        let flags = array<bool, 2>(i > 9u, i > 19u);
        out[i] = item.v[i % 2u] + item.a[i % 2u] * 100u + u32(item.b) * 10000u
            + table[i % 2u][i % 3u] * 100000u + u32(flags[i % 2u]) * 1000000u;";
    let right = |i: u32| {
        let items = [
            ([i, 1], 1, [3, 4]),
            ([5, 5], 0, [i, 6]),
            ([0, 0], 0, [0, 0]),
        ];
        let table = [[1, 2, 3], [4, 5, 6]];
        let (two, three) = (i as usize % 2, i as usize % 3);
        let (v, b, a) = items[three];
        let flag = u32::from([i > 9, i > 19][two]);
        v[two] + a[two] * 100 + b * 10_000 + table[two][three] * 100_000 + flag * 1_000_000
    };
    assert_eq!(each(preamble, body), expect(right));
}

#[test]
fn a_large_constant_array_may_be_indexed_dynamically() {
    let list: Vec<String> = (0..200).map(|i| format!("{}u", i * i)).collect();
    let preamble = format!("const table = array<u32, 200>({});", list.join(","));
    let found = each(&preamble, "out[i] = table[i * 5u] + table[199u - i];");
    assert_eq!(found, expect(|i| (i * 5).pow(2) + (199 - i).pow(2)));
}

#[test]
fn components_of_what_is_bound_may_be_stored_alone() {
    let wgsl = "struct Item { m: mat2x3<f32>, v: vec4<f32> }
        @group(0) @binding(0) var<storage, read_write> items: array<Item>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            items[i].m[i % 2u][i % 3u] = 1.0;
            items[i].v[i % 4u] = 2.0;
            items[i].v.z += 0.5;
        }";
    let found = run(wgsl, &[vec![0; 48]], [1, 1, 1]).remove(0);
    let mut right = vec![0.0; 48];
    for i in 0..4 {
        right[i * 12 + i % 2 * 4 + i % 3] = 1.0;
        right[i * 12 + 8 + i % 4] = 2.0;
        right[i * 12 + 10] += 0.5;
    }
    assert_eq!(found, bits(&right));
}

#[test]
fn indices_beyond_what_there_is_touch_nothing_else() {
    let preamble = "var<private> guard: array<u32, 4> = array(1u, 1u, 1u, 1u);";
    let body = "var list = array<u32, 4>(5u, 6u, 7u, 8u); // has faults
        list[i * 3u + 100u] = 77u;
        var v = vec2<u32>(1u, 2u);
        v[i + 2u] = 77u;
        out[1000u + i] = 77u;
        let value = array<u32, 2>(i, i + 1u);
        let any = list[i + 4u] + value[i + 2u] + out[i + 4000u];
        out[i] = select(list[0] + list[3], 0u, any == 12345678u) + guard[i % 4u];";
    assert_eq!(each(preamble, body), vec![14; 40]);
}

#[test]
fn the_last_member_of_a_struct_knows_its_length() {
    let wgsl = "struct Item { a: vec3<f32>, b: f32, c: f32 }
        struct All { count: u32, more: vec2<u32>, items: array<Item> }
        @group(0) @binding(0) var<storage, read_write> all: All;
        @compute @workgroup_size(1)
        fn main() {
            all.count = arrayLength(&all.items);
            let items = &all.items;
            all.more.y = arrayLength(items);
            all.items[1].c = 5.0;
        }";
    let found = run(wgsl, &[vec![0; 4 + 8 * 3 + 7]], [1, 1, 1]).remove(0);
    assert_eq!((found[0], found[3]), (3, 3));
    assert_eq!(found[4 + 8 + 4], 5.0_f32.to_bits());
}

#[test]
fn atomics_lie_in_structs_and_arrays_and_say_what_was_there() {
    let wgsl = "struct Count { pad: u32, up: atomic<u32>, down: array<atomic<i32>, 2> }
        @group(0) @binding(0) var<storage, read_write> counts: array<Count, 2>;
        @group(0) @binding(1) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            let old = atomicAdd(&counts[i % 2u].up, 1u);
            atomicSub(&counts[1].down[i % 2u], i32(i));
            atomicMax(&counts[0].down[0], i32(i) - 4i);
            atomicMin(&counts[0].down[1], i32(i) - 4i);
            out[i] = old;
        }";
    let found = run(wgsl, &[vec![0; 8], vec![9; 8]], [1, 1, 1]);
    assert_eq!(
        found[0],
        [0, 4, 3, -4_i32 as u32, 0, 4, -12_i32 as u32, -16_i32 as u32]
    );
    let mut even: Vec<u32> = found[1].iter().copied().step_by(2).collect();
    even.sort_unstable();
    assert_eq!(even, [0, 1, 2, 3]);
}

#[test]
fn an_exchange_happens_where_the_comparison_holds() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> words: array<atomic<u32>>;
        @group(0) @binding(1) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            if i == 3u { return; }
            let result = atomicCompareExchangeWeak(&words[i], i * 2u, 50u);
            let swapped = atomicExchange(&words[i + 4u], i);
            out[i] = result.old_value + u32(result.exchanged) * 100u + swapped * 1000u;
        }";
    let found = run(wgsl, &[vec![0, 2, 5, 7, 1, 2, 3, 4], vec![9; 4]], [1, 1, 1]);
    assert_eq!(found[1], [1100, 2102, 3005, 9]);
    assert_eq!(found[0], [50, 50, 5, 7, 0, 1, 2, 4]);
}

#[test]
fn atomics_of_floats_add_and_exchange() {
    let wgsl = "@group(0) @binding(0) var<storage, read_write> sum: array<atomic<f32>>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            atomicAdd(&sum[0], f32(id.x));
            atomicSub(&sum[1], 0.5);
            if id.x == 2u { let old = atomicExchange(&sum[2], 7.0); }
        }";
    let found = run(wgsl, &[vec![0; 3]], [1, 1, 1]).remove(0);
    assert_eq!(found, bits(&[28.0, -4.0, 7.0]));
}

#[test]
fn a_uniform_load_waits_and_gives_all_the_same() {
    let wgsl = "struct Two { a: u32, b: vec2<u32> }
        var<workgroup> shared_two: Two;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(4)
        fn main(@builtin(local_invocation_index) i: u32) {
            if i == 2u { shared_two = Two(3u, vec2(4u, 5u)); }
            let two = workgroupUniformLoad(&shared_two);
            out[i] = two.a + two.b.y * 10u + i * 100u;
        }";
    assert_eq!(run(wgsl, &[vec![0; 4]], [1, 1, 1])[0], [53, 153, 253, 353]);
}

#[test]
fn arrays_of_structs_may_be_copied_whole() {
    let preamble = "struct Item { v: vec3<u32>, f: bool, w: array<u32, 2> }";
    let body = "var a: array<Item, 3>;
        a[i % 3u].v = vec3(i);
        a[i % 3u].f = true;
        a[i % 3u].w[i % 2u] = 7u;
        var b = a;
        b[0].w[0] += 1u;
        let c = b;
        out[i] = c[i % 3u].v.y + u32(c[i % 3u].f) * 100u + (b[0].w[0] - a[0].w[0]) * 1000u + c[i % 3u].w[i % 2u] * 10000u;";
    let right = |i: u32| {
        let w = 7 + u32::from(i.is_multiple_of(6));
        i + 100 + 1000 + w * 10_000
    };
    assert_eq!(each(preamble, body), expect(right));
}

#[test]
fn constants_of_all_shapes_have_their_values() {
    let preamble = "struct Item { a: vec2<f32>, b: array<i32, 2>, c: bool }
        const item = Item(vec2(1.5), array(-1, 2), true);
        const items = array(item, Item());
        const m = mat2x2<f32>(1.0, 2.0, 3.0, 4.0) * 2.0;
        const n = vec3<u32>(vec2(7u), 8u).zyx;
        override scale = 3u;
        override bigger = scale * 2u + n.x;
        var<private> start: array<Item, 2> = items;
        var<private> nothing: Item;";
    let body = "out[0] = u32(items[0].a.y * 2.0) + u32(items[one - 1u].c) * 10u;
        out[1] = bitcast<u32>(start[0].b[one]);
        out[2] = u32(m[1][0]) + u32((m * vec2(1.0, 1.0)).y) * 100u;
        out[3] = n.x + n.z * 10u + scale * 100u + bigger * 1000u;
        out[4] = u32(nothing.c) + u32(start[1].a.x);
        const_assert n.y == 7u;";
    assert_eq!(once(preamble, body, 5), [13, 2, 1206, 14378, 0]);
}

#[test]
fn uniforms_are_laid_out_as_wgsl_says() {
    let wgsl = "struct Inner { a: u32, @align(16) b: u32 }
        struct Settings { x: u32, v: vec3<f32>, y: f32, m: mat3x3<f32>, @size(32) inner: Inner, list: array<vec4<u32>, 2>, last: u32 }
        @group(0) @binding(1) var<uniform> settings: Settings;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            out[i * 4u] = u32(settings.m[i % 3u][i % 2u]);
            out[i * 4u + 1u] = settings.list[i % 2u][i];
            out[i * 4u + 2u] = settings.inner.b + settings.last * 1000u;
            out[i * 4u + 3u] = u32(settings.v.z + settings.y);
        }";
    // The place of each word, or what it means as a float where that is read as one.
    let mut settings: Vec<u32> = (0..40).collect();
    for word in &mut settings[4..20] {
        *word = (*word as f32).to_bits();
    }
    let found = run(wgsl, &[vec![0; 16], settings], [1, 1, 1]).remove(0);
    for i in 0..4 {
        let right = [
            8 + i % 3 * 4 + i % 2,
            28 + i % 2 * 4 + i,
            24 + 36_000,
            6 + 7,
        ];
        assert_eq!(found[i as usize * 4..][..4], right, "{i}");
    }
}

#[test]
fn private_memory_is_each_invocations_own() {
    let preamble = "var<private> seed: u32 = 7u;
        var<private> list: array<u32, 5>;
        fn next() -> u32 { seed = seed * 1664525u + 1013904223u; list[seed % 5u] += 1u; return seed; }";
    let body = "seed += i;
        for (var k = 0u; k < i % 4u; k++) { next(); }
        out[i * 2u] = seed;
        out[i * 2u + 1u] = list[0] + list[1] + list[2] + list[3] + list[4];";
    let found = each_with(preamble, body, 40, 80);
    for i in 0..40_u32 {
        let mut seed = 7 + i;
        for _ in 0..i % 4 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        }
        assert_eq!(found[i as usize * 2..][..2], [seed, i % 4]);
    }
}
