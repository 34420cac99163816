//! Whole kernels: layouts, workgroup memory, builtins, indices beyond the end.

use bytemuck::Pod;
use divvy::{Kernel, Runtime};
use std::error::Error;

type Run = fn(&Whole, &Runtime) -> Result<Vec<u32>, Box<dyn Error>>;

/// What a GPU may lack that a kernel needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Needs {
    Nothing,
    WideAtomics,
    FloatAtomics,
}

/// A kernel that binds `input` and `output`, over a range, and what is in the output then.
pub struct Whole {
    pub name: &'static str,
    pub wgsl: &'static str,
    pub range: [u32; 3],
    pub input: Vec<u32>,
    pub right: Vec<u32>,
    /// With elements of as many words as the kernel's.
    pub run: Run,
    pub needs: Needs,
}

pub fn whole(
    name: &'static str,
    range: [u32; 3],
    input: Vec<u32>,
    right: Vec<u32>,
    wgsl: &'static str,
) -> Whole {
    Whole {
        name,
        wgsl,
        range,
        input,
        right,
        run: run::<1, 1>,
        needs: Needs::Nothing,
    }
}

/// Runs a kernel whose input is made of elements of so many words, and its output too.
pub fn run<const I: usize, const O: usize>(
    whole: &Whole,
    runtime: &Runtime,
) -> Result<Vec<u32>, Box<dyn Error>>
where
    [u32; I]: Pod,
    [u32; O]: Pod,
{
    let kernel = Kernel::from_wgsl(whole.wgsl)?;
    let input = runtime.buffer_from::<[u32; I]>(bytemuck::cast_slice(&whole.input))?;
    let output = runtime.buffer::<[u32; O]>(whole.right.len() / O)?;
    let dispatch = runtime.dispatch(&kernel, whole.range);
    dispatch
        .bind("input", &input)
        .bind("output", &output)
        .run()?;
    Ok(bytemuck::cast_slice(&runtime.read(&output)?).to_vec())
}

/// So many words that differ from each other.
pub fn words(count: u32) -> Vec<u32> {
    (0..count)
        .map(|i| i.wrapping_mul(2_654_435_761) ^ 0x55)
        .collect()
}

pub fn wholes() -> Vec<Whole> {
    let mut all = layouts();
    all.push(short_row());
    all.extend(workgroups());
    all
}

/// A single invocation in a row that has room for many: what is computed for those that aren't there is anything, and keeps
/// no loop going.
fn short_row() -> Whole {
    whole(
        "loops_end_in_a_row_of_one_invocation",
        [1, 1, 1],
        vec![1],
        vec![1, 0],
        "@group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> output: array<atomic<u32>>;
         @compute @workgroup_size(1)
         fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
             let m = id.x;
             var n = 0u;
             loop {
                 if n >= 2u { break; }
                 n++;
                 atomicMin(&output[m + 1u], 1u);
                 continuing { break if select(true, group[0] > 1u, 1i > 1i); }
             }
             if 1u <= group[0] {
             } else {
                 switch 1u {
                     default: {
                         for (var i = 0u; i < 1u % 3u; i++) { for (var j = 0u; j < 1u % 2u; j++) { } }
                     }
                 }
             }
             atomicXor(&output[m], input[0]);
         }",
    )
}

fn layouts() -> Vec<Whole> {
    let w = words(64);
    let mut layouts = Vec::new();
    // vec3 aligned as vec4, a scalar in its last word, arrays of vec3 with a stride of four words, matrices by columns,
    // a size and an alignment of one's own.
    layouts.push(whole(
        "structures_lie_as_the_specification_has_it",
        [2, 1, 1],
        w.clone(),
        (0..2_usize)
            .flat_map(|i| {
                let at = i * 32;
                [
                    w[at],
                    w[at + 4],
                    w[at + 6],
                    w[at + 7],
                    w[at + 8],
                    w[at + 9],
                    w[at + 16 + 2],
                    w[at + 20 + 3],
                    w[at + 20 + 2],
                    w[at + 24],
                    w[at + 28],
                ]
            })
            .collect(),
        "struct Inner { a: u32, b: u32 }
         struct Outer {
             x: u32,                      // 0
             v: vec3<u32>,                // 4..7
             y: u32,                      // 7
             inner: Inner,                // 8, 9
             list: array<vec3<u32>, 2>,   // 12, 16
             m: mat2x2<f32>,              // 20..24
             @size(16) z: u32,            // 24..28
             last: vec2<u32>,             // 28
         }
         @group(0) @binding(0) var<storage, read> input: array<Outer>;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         @compute @workgroup_size(1)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             let one = input[id.x];
             let at = id.x * 11u;
             output[at] = one.x;
             output[at + 1u] = one.v.x;
             output[at + 2u] = input[id.x].v.z;
             output[at + 3u] = one.y;
             output[at + 4u] = one.inner.a;
             output[at + 5u] = input[id.x].inner.b;
             output[at + 6u] = input[id.x].list[id.x / 2u + 1u].z;
             output[at + 7u] = bitcast<u32>(input[id.x].m[1][1]);
             output[at + 8u] = bitcast<u32>(one.m[1].x);
             output[at + 9u] = one.z;
             output[at + 10u] = one.last.x;
         }",
    ));
    layouts.push(whole(
        "structures_are_written_whole_and_in_parts",
        [4, 1, 1],
        w.clone(),
        (0..4_u32)
            .flat_map(|i| {
                let x = w[i as usize];
                let mut one = [x, 0, 0, 0, x, x.wrapping_add(1), x.wrapping_add(2), i];
                one[4 + (i as usize % 3)] = 77;
                if i % 2 == 1 {
                    one[0] = 9;
                }
                one
            })
            .collect(),
        "struct One { a: u32, v: vec3<u32>, n: u32 }
         @group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> output: array<One>;
         @compute @workgroup_size(4)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             let x = input[id.x];
             var one = One(x, vec3(x, x + 1u, x + 2u), id.x);
             output[id.x] = one;
             output[id.x].v[id.x % 3u] = 77u;
             if id.x % 2u == 1u { output[id.x].a = 9u; }
         }",
    ));
    layouts.push(whole(
        "a_length_follows_what_stands_before_the_array",
        [1, 1, 1],
        w.clone(),
        vec![7, w[4], w[8], w[4 + 3 * 8 + 4]],
        "struct Head { first: vec3<u32>, list: array<Pair> }
         struct Pair { a: vec2<u32>, b: vec4<u32> }
         @group(0) @binding(0) var<storage, read> input: Head;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         @compute @workgroup_size(1)
         fn main() {
             output[0] = arrayLength(&input.list);
             output[1] = input.list[0].a.x;
             output[2] = input.list[0].b.x;
             output[3] = input.list[3].b.x;
         }",
    ));
    // What lies outside is some element, or zero, and what is written there goes nowhere else.
    layouts.push(whole(
        "indices_beyond_the_end_touch_nothing_else",
        [64, 1, 1],
        words(4),
        vec![1; 64],
        "@group(0) @binding(0) var<storage, read> input: array<u32, 4>;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         var<private> own: array<u32, 3>;
         fn is_known(x: u32) -> bool {
             return x == 0u || x == input[0] || x == input[1] || x == input[2] || x == input[3];
         }
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             var list = array(input[0], input[1]);
             let far = id.x * 123456789u + 4u;
             var is_right = is_known(input[far]) && is_known(list[far]) && is_known(vec2(input[2], input[3])[far]);
             own[far] = 5u;
             is_right = is_right && (own[0] == 0u || own[0] == 5u) && (own[2] == 0u || own[2] == 5u);
             output[id.x] = u32(is_right);
         }",
    ));
    // A copy of an array stays as it was.
    layouts.push(whole(
        "arrays_are_values",
        [8, 1, 1],
        words(8),
        words(8)
            .iter()
            .enumerate()
            .map(|(i, x)| x.wrapping_mul(2).wrapping_add(i as u32 % 3))
            .collect(),
        "@group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         struct Box { list: array<u32, 3>, flag: bool }
         @compute @workgroup_size(8)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             var a = array(0u, 1u, 2u);
             let b = a;
             a[id.x % 3u] += input[id.x];
             var box: Box;
             box.list = a;
             box.flag = a[0] == b[0];
             let c = box;
             box.list[id.x % 3u] = 0u;
             output[id.x] = c.list[id.x % 3u] + input[id.x] + box.list[id.x % 3u];
         }",
    ));
    layouts[0].run = run::<32, 1>;
    layouts[1].run = run::<1, 8>;
    layouts
}

fn workgroups() -> Vec<Whole> {
    let mut all = Vec::new();
    let w = words(96);
    // Each workgroup of 32 turns its words around, in two steps with a barrier between.
    all.push(whole(
        "workgroup_memory_is_seen_after_a_barrier",
        [96, 1, 1],
        w.clone(),
        (0..96).map(|i| w[i / 32 * 32 + 31 - i % 32].wrapping_add(w[i / 32 * 32])).collect(),
        "@group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         var<workgroup> tile: array<u32, 32>;
         var<workgroup> first: u32;
         @compute @workgroup_size(32)
         fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
             tile[i] = input[id.x];
             if i == 0u { first = input[id.x]; }
             let one = workgroupUniformLoad(&first);
             output[id.x] = tile[31u - i] + one;
         }",
    ));
    // It is zero at the start of each workgroup, and a loop over it has barriers in uniform flow.
    all.push(whole(
        "workgroup_memory_starts_zeroed_and_is_scanned",
        [4 * 16, 1, 1],
        words(64),
        {
            let w = words(64);
            (0..64_usize)
                .map(|i| (i / 16 * 16..=i).fold(0_u32, |sum, j| sum.wrapping_add(w[j])))
                .collect()
        },
        "@group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         var<workgroup> sums: array<u32, 16>;
         @compute @workgroup_size(16)
         fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
             sums[local.x] += input[id.x];
             for (var step = 1u; step < 16u; step *= 2u) {
                 workgroupBarrier();
                 var before = 0u;
                 if local.x >= step { before = sums[local.x - step]; }
                 workgroupBarrier();
                 sums[local.x] += before;
             }
             output[id.x] = sums[local.x];
         }",
    ));
    all.push(whole(
        "functions_use_workgroup_and_private_memory",
        [24, 1, 1],
        words(24),
        {
            let w = words(24);
            (0..24_usize)
                .map(|i| {
                    let sum = (i / 8 * 8..i / 8 * 8 + 8)
                        .fold(0_u32, |sum, j| sum.wrapping_add(w[j] & 0xffff));
                    sum.wrapping_add(3 * i as u32)
                })
                .collect()
        },
        "@group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         var<workgroup> total: atomic<u32>;
         var<private> mine: u32;
         fn add(x: u32) { atomicAdd(&total, x); }
         fn grow(x: ptr<private, u32>, by: u32) { *x = *x + by; }
         @compute @workgroup_size(8)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             add(input[id.x] & 0xffffu);
             for (var i = 0u; i < 3u; i++) { grow(&mine, id.x); }
             workgroupBarrier();
             output[id.x] = atomicLoad(&total) + mine;
         }",
    ));
    // In three dimensions every builtin says the same place.
    all.push(whole(
        "builtins_agree_in_three_dimensions",
        [6, 4, 4],
        vec![0],
        vec![1; 6 * 4 * 4],
        "@group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> output: array<u32>;
         var<workgroup> seen: array<atomic<u32>, 12>;
         @compute @workgroup_size(3, 2, 2)
         fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>,
                 @builtin(local_invocation_index) index: u32, @builtin(workgroup_id) group: vec3<u32>,
                 @builtin(num_workgroups) groups: vec3<u32>) {
             atomicAdd(&seen[index], 1u);
             workgroupBarrier();
             let is_right = all(id == group * vec3(3u, 2u, 2u) + local) && index == (local.z * 2u + local.y) * 3u + local.x
                 && all(groups == vec3(2u)) && atomicLoad(&seen[index]) == 1u && input[0] == 0u;
             output[(id.z * 4u + id.y) * 6u + id.x] = u32(is_right);
         }",
    ));
    all
}
