//! Checked mode: each kind of fault is found and told, and right kernels have none.
//!
//! Long for the texts that it keeps, word for word.

use divvy::check::{Between, Does, MOST_FINDINGS, Misuse};
use divvy::{Access, Combine, Error, Fault, Findings, Kernel, Policy, Range, Runtime};
use std::sync::Arc;

#[expect(dead_code, reason = "the benches need more of it")]
#[path = "../benches/lanes/workloads.rs"]
mod workloads;

fn checked() -> Runtime {
    let runtime = Runtime::builder().checked(true).build();
    runtime.expect("the CPU is there")
}

fn kernel(wgsl: &str) -> Kernel {
    Kernel::from_wgsl(wgsl).expect("it is valid")
}

/// A buffer or a value of words, by the size of what it is bound to.
macro_rules! sized {
    ($words:expr, $count:expr, |$elements:ident| $body:expr, [$($size:literal),*]) => {
        match $count {
            $($size => {
                let $elements: &[[u32; $size]] = bytemuck::cast_slice($words);
                $body
            })*
            other => panic!("elements of {other} words"),
        }
    };
}

/// Words for a value, whatever they mean.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
struct Bits<T>(T);

/// Runs a kernel over a range, with buffers and values of these words, and says what was found and what is in the first
/// buffer then.
fn run(
    runtime: &Runtime,
    kernel: &Kernel,
    range: impl Into<Range>,
    words: &[(&str, Vec<u32>)],
) -> (Option<Arc<Findings>>, Vec<u32>) {
    let facts = kernel.facts().expect("it is complete").clone();
    let mut dispatch = runtime.dispatch(kernel, range);
    let mut read: Vec<Box<dyn Fn() -> Vec<u32> + '_>> = Vec::new();
    for (name, words) in words {
        let binding = &facts.bindings[facts.find(name).expect("it is bound")];
        let count = binding.layout.element.stride / 4;
        dispatch = if binding.kind == divvy::kernel::BindingKind::Uniform {
            sized!(
                words,
                words.len(),
                |values| dispatch.value(name, Bits(values[0])),
                [1, 2, 3, 4, 5, 6, 8]
            )
        } else {
            sized!(
                words,
                count,
                |elements| {
                    let buffer = runtime.buffer_from(elements).expect("there is room");
                    let bound = dispatch.bind(name, &buffer);
                    read.push(Box::new(move || {
                        let found = runtime.read(&buffer).expect("nothing is lost");
                        bytemuck::cast_slice(&found).to_vec()
                    }));
                    bound
                },
                [1, 2, 4, 8]
            )
        };
    }
    let findings = match dispatch.run() {
        Ok(_) => None,
        Err(Error::Checked(findings)) => Some(findings),
        Err(other) => panic!("{other}"),
    };
    (findings, read.first().map_or_else(Vec::new, |read| read()))
}

fn found(
    kernel: &Kernel,
    range: impl Into<Range>,
    words: &[(&str, Vec<u32>)],
) -> Option<Arc<Findings>> {
    run(&checked(), kernel, range, words).0
}

/// What was found, as people read it.
fn told(kernel: &Kernel, range: impl Into<Range>, words: &[(&str, Vec<u32>)]) -> String {
    found(kernel, range, words).map_or_else(String::new, |findings| findings.to_string())
}

fn floats(floats: &[f32]) -> Vec<u32> {
    workloads::bits(floats)
}

fn zeros(count: usize) -> Vec<u32> {
    vec![0; count]
}

#[track_caller]
fn assert_text(found: &str, expected: &str) {
    assert!(
        found == expected,
        "this was found:\n{found}\n\nand this expected:\n{expected}"
    );
}

#[test]
fn an_index_past_a_buffer_is_told_with_its_place_and_its_invocation() {
    let shift = kernel(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn shift(@builtin(global_invocation_id) id: vec3<u32>) {
    y[id.x] = 2.0 * x[id.x + 1u];
}",
    );
    let text = told(&shift, 128, &[("x", zeros(128)), ("y", zeros(128))]);
    assert_text(
        &text,
        "checked mode found 1 fault in the kernel `shift`

index out of bounds
  ┌─ wgsl:5:21
  │
5 │     y[id.x] = 2.0 * x[id.x + 1u];
  │                     ^^^^^^^^^^^^ the index is 128, but `x` has 128 elements
  │
  = invocation (127, 0, 0): local id (63, 0, 0), workgroup id (1, 0, 0)",
    );
}

#[test]
fn an_index_past_a_variable_is_told_whatever_it_indexes() {
    let look = kernel(
        "struct Body { place: vec3<f32>, mass: f32 }
@group(0) @binding(0) var<storage, read_write> bodies: array<Body>;
@group(0) @binding(1) var<uniform> table: array<vec4<f32>, 2>;
var<private> kept: array<u32, 3>;
@compute @workgroup_size(4)
fn look(@builtin(local_invocation_index) i: u32) {
    var list = array<i32, 4>(1, 2, 3, 4);
    let k = 1 - i32(i);
    let m = mat2x2<f32>(vec2(1.0, 2.0), vec2(3.0, f32(i)));
    let v = vec2(i, i);
    list[k + 1] = 5;
    kept[i] = 7u;
    bodies[i].mass = f32(list[k]) + m[i].x + f32(v[i]) + table[i].y;
    bodies[i].place[i] = 1.0;
    bodies[i / 3u + 3u].mass = f32(kept[0]);
}",
    );
    let text = told(&look, 4, &[("bodies", zeros(16)), ("table", zeros(8))]);
    assert_text(
        &text,
        "checked mode found 10 faults in the kernel `look`

index out of bounds
   ┌─ wgsl:11:5
   │
11 │     list[k + 1] = 5;
   │     ^^^^^^^^^^^ the index is -1, but `list` has 4 elements
   │
   = invocation (3, 0, 0): local id (3, 0, 0), workgroup id (0, 0, 0)

index out of bounds
   ┌─ wgsl:12:5
   │
12 │     kept[i] = 7u;
   │     ^^^^^^^ the index is 3, but `kept` has 3 elements
   │
   = invocation (3, 0, 0): local id (3, 0, 0), workgroup id (0, 0, 0)

index out of bounds
   ┌─ wgsl:13:26
   │
13 │     bodies[i].mass = f32(list[k]) + m[i].x + f32(v[i]) + table[i].y;
   │                          ^^^^^^^ the index is -1, but `list` has 4 elements
   │
   = invocation (2, 0, 0): local id (2, 0, 0), workgroup id (0, 0, 0)
   = 2 times; this is the first

index out of bounds
   ┌─ wgsl:13:37
   │
13 │     bodies[i].mass = f32(list[k]) + m[i].x + f32(v[i]) + table[i].y;
   │                                     ^^^^ the index is 2, but `m` has 2 elements
   │
   = invocation (2, 0, 0): local id (2, 0, 0), workgroup id (0, 0, 0)
   = 2 times; this is the first

index out of bounds
   ┌─ wgsl:13:50
   │
13 │     bodies[i].mass = f32(list[k]) + m[i].x + f32(v[i]) + table[i].y;
   │                                                  ^^^^ the index is 2, but `v` has 2 elements
   │
   = invocation (2, 0, 0): local id (2, 0, 0), workgroup id (0, 0, 0)
   = 2 times; this is the first

index out of bounds
   ┌─ wgsl:13:58
   │
13 │     bodies[i].mass = f32(list[k]) + m[i].x + f32(v[i]) + table[i].y;
   │                                                          ^^^^^^^^ the index is 2, but `table` has 2 elements
   │
   = invocation (2, 0, 0): local id (2, 0, 0), workgroup id (0, 0, 0)
   = 2 times; this is the first

index out of bounds
   ┌─ wgsl:14:5
   │
14 │     bodies[i].place[i] = 1.0;
   │     ^^^^^^^^^^^^^^^^^^ the index is 3, but `bodies[i].place` has 3 elements
   │
   = invocation (3, 0, 0): local id (3, 0, 0), workgroup id (0, 0, 0)

index out of bounds
   ┌─ wgsl:15:5
   │
15 │     bodies[i / 3u + 3u].mass = f32(kept[0]);
   │     ^^^^^^^^^^^^^^^^^^^ the index is 4, but `bodies` has 4 elements
   │
   = invocation (3, 0, 0): local id (3, 0, 0), workgroup id (0, 0, 0)

data race on `bodies[3].mass` between invocations of a workgroup
   ┌─ wgsl:13:5
   │
13 │     bodies[i].mass = f32(list[k]) + m[i].x + f32(v[i]) + table[i].y;
   │     ^^^^^^^^^^^^^^ invocation (3, 0, 0) writes 6.0
   ·
15 │     bodies[i / 3u + 3u].mass = f32(kept[0]);
   │     ^^^^^^^^^^^^^^^^^^^^^^^^ invocation (0, 0, 0) writes 7.0
   │
   = invocation (3, 0, 0): local id (3, 0, 0), workgroup id (0, 0, 0)
   = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
   = no `storageBarrier()` comes between the two: put one there, or use atomics
   = 3 times; this is the first

data race on `bodies[3].mass` between invocations of a workgroup
   ┌─ wgsl:15:5
   │
15 │     bodies[i / 3u + 3u].mass = f32(kept[0]);
   │     ^^^^^^^^^^^^^^^^^^^^^^^^ invocation (0, 0, 0) writes 7.0, invocation (1, 0, 0) writes 0.0
   │
   = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
   = invocation (1, 0, 0): local id (1, 0, 0), workgroup id (0, 0, 0)
   = nothing orders what invocations do in the same statement, and no barrier can: use atomics, or let one invocation do it for all
   = 2 times; this is the first",
    );
}

#[test]
fn a_fault_in_a_long_line_is_told_with_what_is_around_it() {
    let pad = "_ = 1u; ".repeat(200);
    let long = kernel(&format!(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(1) fn long() {{ {pad} y[y[0] + 7u] = 1u; {pad} }}"
    ));
    let text = told(&long, 1, &[("y", zeros(4))]);
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines.iter().all(|line| line.chars().count() < 200),
        "{text}"
    );
    let marked = lines
        .iter()
        .position(|line| line.contains("^^^ the index is 7"));
    let column = |line: &str, of: char| line.chars().position(|c| c == of);
    let marked = marked.expect("it is marked");
    assert_eq!(
        column(lines[marked], '^'),
        column(lines[marked - 1], 'y'),
        "{text}"
    );
}

#[test]
fn an_access_outside_of_a_neighborhood_is_told_with_what_would_be_enough() {
    let blur = kernel(
        "@group(0) @binding(0) var<storage, read> old: array<f32>;
@group(0) @binding(1) var<storage, read_write> next: array<f32>;
@compute @workgroup_size(8, 8)
fn blur(@builtin(global_invocation_id) id: vec3<u32>) {
    let up = select(id.y - 2u, 0u, id.y < 2u);
    next[id.y * 8u + id.x] = old[id.y * 8u + id.x] + old[up * 8u + id.x];
}",
    )
    .access("old", Access::Neighborhood(1))
    .and_then(|kernel| kernel.access("next", Access::OneToOne))
    .expect("it is read and written");
    let text = told(&blur, [8, 16], &[("old", zeros(128)), ("next", zeros(128))]);
    assert_text(
        &text,
        "checked mode found 1 fault in the kernel `blur`

`old` is accessed outside of its declared pattern, `Neighborhood(1)`
  ┌─ wgsl:6:54
  │
6 │     next[id.y * 8u + id.x] = old[id.y * 8u + id.x] + old[up * 8u + id.x];
  │                                                      ^^^^^^^^^^^^^^^^^^^ reads `old[48]`, but may touch only `old[56..128]`
  │
  = invocation (0, 8, 0): local id (0, 0, 0), workgroup id (0, 1, 0)
  = its workgroup has units 8..16 of the range's slowest dimension, and each unit has 8 elements
  = it is at most 2 units away: declare `Neighborhood(2)` or `All`
  = 8 times; this is the first",
    );
}

#[test]
fn a_workgroup_that_loads_its_tile_and_a_halo_together_keeps_to_its_pattern() {
    let blur = |radius: u32| {
        let blur = kernel(&format!(
            "@group(0) @binding(0) var<storage, read> old: array<f32>;
@group(0) @binding(1) var<storage, read_write> next: array<f32>;
const RADIUS = {radius}u;
var<workgroup> tile: array<f32, 16 + 2 * RADIUS>;
@compute @workgroup_size(16)
fn blur(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) i: u32) {{
    let first = group.x * 16u;
    let last = arrayLength(&old) - 1u;
    for (var k = i; k < 16u + 2u * RADIUS; k += 16u) {{
        tile[k] = old[min(max(first + k, RADIUS) - RADIUS, last)];
    }}
    workgroupBarrier();
    var sum = 0.0;
    for (var k = 0u; k <= 2u * RADIUS; k++) {{ sum += tile[i + k]; }}
    // The other way round: what an invocation writes is another's, but of the same workgroup.
    next[first + 15u - i] = sum;
}}"
        ));
        let blur = blur.access("old", Access::Neighborhood(2));
        blur.and_then(|kernel| kernel.access("next", Access::OneToOne))
            .expect("it is read and written")
    };
    let buffers = [("old", numbers(64)), ("next", zeros(64))];
    assert_text(&told(&blur(2), 64, &buffers), "");
    let text = told(&blur(3), 64, &buffers);
    assert!(
        text.contains("reads `old[18]`, but may touch only `old[0..18]`")
            && text.contains("declare `Neighborhood(3)`"),
        "{text}"
    );
}

#[test]
fn a_write_outside_of_one_to_one_is_told() {
    let reverse = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<vec2<u32>>;
@compute @workgroup_size(4)
fn reverse(@builtin(global_invocation_id) id: vec3<u32>) {
    y[7u - id.x].y = id.x;
}",
    )
    .access("y", Access::OneToOne)
    .expect("it is written");
    let text = told(&reverse, 8, &[("y", zeros(16))]);
    assert_text(
        &text,
        "checked mode found 1 fault in the kernel `reverse`

`y` is accessed outside of its declared pattern, `OneToOne`
  ┌─ wgsl:4:5
  │
4 │     y[7u - id.x].y = id.x;
  │     ^^^^^^^^^^^^^^ writes `y[7].y`, but may touch only `y[0..4]`
  │
  = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
  = its workgroup has units 0..4 of the range's slowest dimension, and each unit has 1 element
  = it is at most 4 units away: leave `y` undeclared, and the dispatch isn't split
  = 8 times; this is the first",
    );
}

#[test]
fn what_is_accumulated_otherwise_than_declared_is_told() {
    let sort = kernel(
        "@group(0) @binding(0) var<storage, read_write> count: array<atomic<u32>>;
@group(0) @binding(1) var<storage, read_write> most: array<atomic<u32>>;
@compute @workgroup_size(4)
fn sort(@builtin(global_invocation_id) id: vec3<u32>) {
    let slot = atomicAdd(&count[0], 1u);
    atomicMin(&most[0], slot);
    atomicStore(&most[1], 3u);
}",
    )
    .access("count", Access::Accumulate(Combine::Add))
    .and_then(|kernel| kernel.access("most", Access::Accumulate(Combine::Max)))
    .expect("they are atomics");
    let text = told(&sort, 4, &[("count", zeros(1)), ("most", zeros(2))]);
    assert_text(
        &text,
        "checked mode found 3 faults in the kernel `sort`

`count` isn't accumulated as declared, with `Accumulate(Add)`
  ┌─ wgsl:5:27
  │
5 │     let slot = atomicAdd(&count[0], 1u);
  │                           ^^^^^^^^ what was there is used
  │
  = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
  = each device has a copy of its own, and the copies are combined with addition
  = what is there before that depends on the split: leave `count` undeclared, and the dispatch isn't split
  = 4 times; this is the first

`most` isn't accumulated as declared, with `Accumulate(Max)`
  ┌─ wgsl:6:16
  │
6 │     atomicMin(&most[0], slot);
  │                ^^^^^^^ combines with the minimum
  │
  = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
  = each device has a copy of its own, and the copies are combined with the maximum
  = what else is done to a copy depends on the split: leave `most` undeclared, and the dispatch isn't split
  = 4 times; this is the first

`most` isn't accumulated as declared, with `Accumulate(Max)`
  ┌─ wgsl:7:18
  │
7 │     atomicStore(&most[1], 3u);
  │                  ^^^^^^^ sets a value, whatever was there
  │
  = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
  = each device has a copy of its own, and the copies are combined with the maximum
  = what else is done to a copy depends on the split: leave `most` undeclared, and the dispatch isn't split
  = 4 times; this is the first",
    );
}

#[test]
fn a_barrier_that_not_all_come_to_is_told_with_the_call() {
    let wait = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
fn wait() {
    workgroupBarrier();
}
@compute @workgroup_size(8, 2)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    if id.x >= 12u { return; }
    wait();
    y[id.y * 12u + id.x] = i;
}",
    );
    let text = told(&wait, [12, 2], &[("y", zeros(24))]);
    assert_text(
        &text,
        "checked mode found 1 fault in the kernel `main`

`workgroupBarrier` in divergent control flow
  ┌─ wgsl:3:5
  │
3 │     workgroupBarrier();
  │     ^^^^^^^^^^^^^^^^ 8 of the workgroup's 16 invocations come here
  │
  = invocation (8, 0, 0) comes: local id (0, 0, 0), workgroup id (1, 0, 0)
  = invocation (12, 0, 0) doesn't: local id (4, 0, 0), workgroup id (1, 0, 0)
  = every invocation of a workgroup has to come to a barrier: a GPU may hang or go on without waiting
  = in `wait`, called at 8:5",
    );
}

#[test]
fn a_uniform_load_of_different_variables_is_told() {
    let load = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
var<workgroup> limits: array<u32, 4>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) i: u32) {
    y[i] = workgroupUniformLoad(&limits[i / 4u]);
}",
    );
    let text = told(&load, 8, &[("y", zeros(8))]);
    assert_text(
        &text,
        "checked mode found 1 fault in the kernel `main`

`workgroupUniformLoad` of something that isn't uniform
  ┌─ wgsl:5:12
  │
5 │     y[i] = workgroupUniformLoad(&limits[i / 4u]);
  │            ^^^^^^^^^^^^^^^^^^^^ invocation (0, 0, 0) loads `limits[0]`
  │
  = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
  = invocation (4, 0, 0): local id (4, 0, 0), workgroup id (0, 0, 0)
  = invocation (4, 0, 0) loads `limits[1]`
  = all invocations of a workgroup have to load the same",
    );
}

/// Each invocation takes what its neighbour has put in workgroup memory.
fn exchange(barrier: &str) -> Kernel {
    kernel(&format!(
        "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
var<workgroup> tile: array<f32, 64>;
@compute @workgroup_size(64)
fn exchange(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {{
    tile[i] = x[id.x];
    {barrier}
    x[id.x] = tile[i ^ 1u];
}}",
    ))
}

fn numbers(count: usize) -> Vec<u32> {
    floats(&(0..count).map(|i| i as f32).collect::<Vec<_>>())
}

#[test]
fn a_race_of_a_workgroup_is_told_with_both_accesses() {
    let text = told(&exchange(""), 128, &[("x", numbers(128))]);
    assert_text(
        &text,
        "checked mode found 1 fault in the kernel `exchange`

data race on `tile[1]` between invocations of a workgroup
  ┌─ wgsl:5:5
  │
5 │     tile[i] = x[id.x];
  │     ^^^^^^^ invocation (1, 0, 0) writes 1.0
  ·
7 │     x[id.x] = tile[i ^ 1u];
  │               ^^^^^^^^^^^^ invocation (0, 0, 0) reads 1.0
  │
  = invocation (1, 0, 0): local id (1, 0, 0), workgroup id (0, 0, 0)
  = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
  = no `workgroupBarrier()` comes between the two
  = 128 times; this is the first",
    );
}

#[test]
fn a_race_that_no_barrier_mends_is_told_to_use_atomics() {
    let race = |statement: &str| {
        let race = kernel(&format!(
            "@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
    {statement}
}}"
        ));
        let words = [("y", zeros(4)), ("x", numbers(4))];
        told(
            &race,
            4,
            &words[..1 + usize::from(statement.contains("x["))],
        )
    };
    let (mended, ordered) = ("no barrier can: use atomics", "no `storageBarrier()` comes");
    for statement in [
        "y[id.x / 2u] += x[id.x];",
        "y[id.x / 2u] = y[id.x / 2u] + x[id.x];",
        "y[0] = x[id.x];",
    ] {
        let text = race(statement);
        assert!(
            text.contains(mended) && !text.contains(ordered),
            "{statement}: {text}"
        );
    }
    // A barrier before the write would do.
    let text = race("y[id.x] = y[id.x ^ 1u];");
    assert!(
        text.contains(ordered) && !text.contains("atomics"),
        "{text}"
    );
    let text = race("if id.x == 0u { y[0] = 1u; } else { if id.x == 1u { y[0] = 2u; } }");
    assert!(text.contains("put one there, or use atomics"), "{text}");
}

#[test]
fn a_barrier_that_orders_other_memory_is_told_as_the_readme_shows() {
    let text = told(&exchange("storageBarrier();"), 128, &[("x", numbers(128))]);
    assert!(
        text.contains("a `storageBarrier()` comes between the two, but only a `workgroupBarrier()` orders this memory"),
        "{text}"
    );
    assert!(include_str!("../README.md").contains(&text), "{text}");
}

#[test]
fn a_barrier_orders_what_comes_before_and_after_it() {
    let (findings, words) = run(
        &checked(),
        &exchange("workgroupBarrier();"),
        128,
        &[("x", numbers(128))],
    );
    assert_eq!(findings, None);
    let exchanged: Vec<f32> = (0..128).map(|i| (i ^ 1) as f32).collect();
    assert_eq!(words, floats(&exchanged));
}

#[test]
fn a_race_between_workgroups_is_told_though_a_barrier_stands_between() {
    let race = kernel(
        "@group(0) @binding(0) var<storage, read_write> total: u32;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3<u32>) {
    total = total + group.x + 1u;
    storageBarrier();
}",
    );
    let text = told(&race, 3, &[("total", zeros(1))]);
    assert_text(
        &text,
        "checked mode found 2 faults in the kernel `main`

data race on `total` between workgroups
  ┌─ wgsl:4:5
  │
4 │     total = total + group.x + 1u;
  │     ^^^^^ invocation (0, 0, 0) writes 1
  │             ^^^^^ invocation (1, 0, 0) reads 1
  │
  = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
  = invocation (1, 0, 0): local id (0, 0, 0), workgroup id (1, 0, 0)
  = nothing orders workgroups within a dispatch: use atomics, or two dispatches
  = 2 times; this is the first

data race on `total` between workgroups
  ┌─ wgsl:4:5
  │
4 │     total = total + group.x + 1u;
  │     ^^^^^ invocation (0, 0, 0) writes 1, invocation (1, 0, 0) writes 3
  │
  = invocation (0, 0, 0): local id (0, 0, 0), workgroup id (0, 0, 0)
  = invocation (1, 0, 0): local id (0, 0, 0), workgroup id (1, 0, 0)
  = nothing orders workgroups within a dispatch: use atomics, or two dispatches
  = 2 times; this is the first",
    );
}

#[test]
fn a_race_is_found_through_calls_and_pointers() {
    let race = kernel(
        "var<workgroup> total: u32;
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
fn bump(by: u32) {
    total += by;
}
@compute @workgroup_size(2)
fn main(@builtin(local_invocation_index) i: u32) {
    bump(i);
    let kept = &total;
    *kept = i;
    workgroupBarrier();
    y[i] = total;
}",
    );
    let findings = found(&race, 2, &[("y", zeros(2))]).expect("both write");
    let lines: Vec<_> = findings
        .found
        .iter()
        .map(|finding| finding.place.line)
        .collect();
    assert_eq!(lines, [4, 4], "{findings}");
    let Fault::Race { other_place, .. } = &findings.found[1].fault else {
        panic!("{findings}")
    };
    assert_eq!(other_place.text.trim(), "*kept = i;");
    let Fault::Race { touched, .. } = &findings.found[0].fault else {
        panic!("{findings}")
    };
    assert_eq!(touched, "total");
    assert_eq!(findings.found[0].place.calls[0].function, "bump");
}

/// What two invocations do to one number, and whether that is a race.
#[test]
fn only_accesses_of_which_one_writes_and_one_is_not_atomic_race() {
    for (first, second, races) in [
        ("_ = atomicLoad(&a)", "_ = atomicLoad(&a)", false),
        ("atomicStore(&a, one)", "_ = atomicLoad(&a)", false),
        ("atomicAdd(&a, one)", "atomicMax(&a, one)", false),
        (
            "_ = atomicCompareExchangeWeak(&a, one, one)",
            "_ = atomicExchange(&a, one)",
            false,
        ),
        ("_ = p", "_ = p", false),
        ("p = one", "_ = p", true),
        ("_ = p", "p = one", true),
        ("p = one", "p = one", true),
    ] {
        for (ty, memory) in [
            ("u32", "workgroup"),
            ("u32", "storage"),
            ("u64", "workgroup"),
            ("i64", "storage"),
        ] {
            let declared = match memory {
                "workgroup" => format!(
                    "var<workgroup> a: atomic<{ty}>; var<workgroup> p: {ty};
                    @group(0) @binding(0) var<storage, read_write> y: u32;"
                ),
                _ => format!(
                    "@group(0) @binding(0) var<storage, read_write> y: u32;
                    @group(0) @binding(1) var<storage, read_write> a: atomic<{ty}>;
                    @group(0) @binding(2) var<storage, read_write> p: {ty};"
                ),
            };
            let kernel = kernel(&format!(
                "{declared}
                const one = {ty}(1);
                @compute @workgroup_size(2)
                fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                    if id.x == 0u {{ {first}; }}
                    if id.x == 1u {{ {second}; }}
                    if id.x == 0u {{ y = 1u; atomicAdd(&a, {ty}(0)); }}
                    if id.x == 5u {{ p = one; }}
                }}"
            ));
            let mut words = vec![("y", zeros(1))];
            if memory == "storage" {
                let count = if ty == "u32" { 1 } else { 2 };
                words.extend([("a", zeros(count)), ("p", zeros(count))]);
            }
            let findings = found(&kernel, 2, &words);
            assert_eq!(
                findings.is_some(),
                races,
                "{first} and {second} of {ty} in {memory} memory: {findings:?}"
            );
        }
    }
}

#[test]
fn atomics_of_64_bits_order_what_many_workgroups_do() {
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> n: array<atomic<u64>>;
        @group(0) @binding(1) var<storage, read_write> taken: array<u32>;
        var<workgroup> ours: atomic<i64>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
            let x = u64(id.x) << 30u;
            atomicSub(&ours, i64(x));
            var old = atomicLoad(&n[0]);
            loop {
                let now = atomicCompareExchangeWeak(&n[0], old, old + x);
                if now.exchanged { break; }
                old = now.old_value;
            }
            // A place of its own for each, in whatever order they come.
            let place = u32(atomicAdd(&n[1], 1lu << 32u) >> 32u);
            taken[place] = id.x;
            atomicStore(&n[3], 5lu);
            workgroupBarrier();
            if i == 0u { atomicAdd(&n[2], u64(-atomicLoad(&ours))); }
        }",
    );
    let (findings, words) = run(
        &checked(),
        &kernel,
        40,
        &[("n", zeros(8)), ("taken", zeros(40))],
    );
    assert_eq!(findings, None);
    let sum = (0..40_u64).map(|i| i << 30).sum::<u64>();
    let [low, high] = [sum as u32, (sum >> 32) as u32];
    assert_eq!(words, [low, high, 0, 40, low, high, 5, 0]);
}

#[test]
fn an_atomic_of_64_bits_past_the_end_is_told() {
    let count = kernel(
        "@group(0) @binding(0) var<storage, read_write> n: array<atomic<u64>>;
@compute @workgroup_size(4)
fn count(@builtin(global_invocation_id) id: vec3<u32>) {
    atomicMax(&n[id.x * 2u], 1lu);
}",
    );
    let text = told(&count, 4, &[("n", zeros(10))]);
    assert_text(
        &text,
        "checked mode found 1 fault in the kernel `count`

index out of bounds
  ┌─ wgsl:4:16
  │
4 │     atomicMax(&n[id.x * 2u], 1lu);
  │                ^^^^^^^^^^^^ the index is 6, but `n` has 5 elements
  │
  = invocation (3, 0, 0): local id (3, 0, 0), workgroup id (0, 0, 0)",
    );
}

#[test]
fn who_reads_before_another_writes_races_as_well() {
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(2)
        fn main(@builtin(local_invocation_index) i: u32) {
            let all = y[0] + y[1];
            y[i] = all;
        }",
    );
    let findings = found(&kernel, 2, &[("y", zeros(2))]).expect("one reads what the other writes");
    let Fault::Race {
        one,
        other,
        between,
        ..
    } = &findings.found[0].fault
    else {
        panic!("{findings}")
    };
    assert_eq!((one.does, other.does), (Does::Read, Does::Write));
    assert_eq!(*between, Between::Invocations);
}

#[test]
fn no_race_is_missed_among_many_accesses() {
    // Whoever reads first, in whatever workgroup and on whichever side of a barrier, the writer at the end is found.
    for reader in 0..8 {
        let kernel = kernel(&format!(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
            @group(0) @binding(1) var<storage, read_write> y: array<u32>;
            @compute @workgroup_size(4)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                if id.x == {reader}u {{ y[id.x] = x[0]; }}
                storageBarrier();
                if id.x == 7u {{ x[0] = 1u; }}
            }}"
        ));
        let races = found(&kernel, 8, &[("x", zeros(1)), ("y", zeros(8))]).is_some();
        assert_eq!(races, reader < 4, "{reader}");
    }
}

#[test]
fn several_faults_are_told_once_each_and_counted() {
    let mut lines = String::new();
    for i in 0..MOST_FINDINGS + 3 {
        lines.push_str(&format!("    y[id.x] = x[id.x + {}u];\n", 10 + i));
    }
    let kernel = kernel(&format!(
        "@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
{lines}}}"
    ));
    let findings = found(&kernel, 10, &[("x", zeros(10)), ("y", zeros(12))]).expect("all are past");
    assert_eq!(findings.found.len(), MOST_FINDINGS);
    assert!(findings.found.iter().all(|finding| finding.times == 12));
    assert_eq!(findings.more, 3 * 12);
    let text = findings.to_string();
    assert!(
        text.starts_with(
            "checked mode found more than 16 faults in the kernel `main`; the first 16 are\n"
        ),
        "{text}"
    );
    assert!(
        text.ends_with("and 36 more times, at other places"),
        "{text}"
    );
}

#[test]
fn the_report_is_the_same_each_time() {
    let race = exchange("");
    let first = told(&race, 128, &[("x", numbers(128))]);
    for threads in [1, 4] {
        let runtime = Runtime::builder().checked(true).threads(threads).build();
        let runtime = runtime.expect("the CPU is there");
        let again = run(&runtime, &race, 128, &[("x", numbers(128))]).0;
        assert_eq!(again.map(|found| found.to_string()), Some(first.clone()));
    }
}

#[test]
fn after_a_fault_buffers_hold_what_was_written_and_the_runtime_goes_on() {
    let runtime = checked();
    let shift = kernel(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @group(0) @binding(1) var<storage, read> y: array<u32>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] = y[id.x + 1u]; }",
    );
    let (x, y) = (
        runtime.buffer_from(&[9_u32; 4]).expect("there is room"),
        runtime
            .buffer_from(&[1_u32, 2, 3, 4])
            .expect("there is room"),
    );
    let dispatch = || runtime.dispatch(&shift, 4).bind("x", &x).bind("y", &y);
    let events = [(); 3].map(|()| dispatch().submit().expect("all is bound"));
    for event in events {
        assert!(matches!(event.wait(), Err(Error::Checked(_))));
    }
    assert_eq!(runtime.read(&x).expect("it is there"), [2, 3, 4, 0]);
    let right = exchange("workgroupBarrier();");
    assert_eq!(run(&runtime, &right, 64, &[("x", numbers(64))]).0, None);
}

#[test]
fn an_undeclared_pattern_is_not_checked() {
    let reverse = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) { y[7u - id.x] = id.x; }",
    );
    assert_eq!(found(&reverse, 8, &[("y", zeros(8))]), None);
}

#[test]
fn an_index_is_checked_only_where_it_is_used() {
    let guarded = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let place = &y[id.x];
            let is_in = id.x < arrayLength(&y);
            if is_in && *place == 0u { *place = 1u; }
            for (var i = id.x; i < arrayLength(&y); i += 4u) { y[i] += 1u; }
        }",
    );
    let (findings, words) = run(&checked(), &guarded, 4, &[("y", zeros(2))]);
    assert_eq!(findings, None);
    assert_eq!(words, [2, 2]);
}

#[test]
fn a_constant_index_past_a_buffer_is_found() {
    let kernel = kernel(
        "struct List { count: u32, items: array<u32> }
        @group(0) @binding(0) var<storage, read_write> list: List;
        @compute @workgroup_size(1)
        fn main() { list.items[2] = 5u; list.items[3] = 5u; }",
    );
    let findings = found(&kernel, 1, &[("list", zeros(4))]).expect("there are three");
    assert_eq!(findings.found.len(), 1, "{findings}");
    let Fault::OutOfBounds {
        indexed,
        index,
        len,
    } = &findings.found[0].fault
    else {
        panic!("{findings}")
    };
    assert_eq!((indexed.as_str(), *index, *len), ("list.items", 3, 3));
}

#[test]
fn an_accumulation_as_declared_has_no_fault() {
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> sum: array<atomic<u32>>;
        @compute @workgroup_size(4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            atomicAdd(&sum[id.x % 2u], id.x);
            atomicSub(&sum[0], 1u);
        }",
    )
    .access("sum", Access::Accumulate(Combine::Add))
    .expect("it is atomic");
    assert_eq!(found(&kernel, 16, &[("sum", zeros(2))]), None);
}

#[test]
fn misuse_of_an_accumulation_says_how() {
    for (operation, why) in [
        ("atomicExchange(&sum, 1u)", Misuse::Overwrites),
        ("atomicXor(&sum, 1u)", Misuse::Combines("exclusive or")),
        ("y = atomicAdd(&sum, 1u)", Misuse::UsesOld),
    ] {
        let kernel = kernel(&format!(
            "@group(0) @binding(0) var<storage, read_write> sum: atomic<u32>;
            @group(0) @binding(1) var<storage, read_write> y: u32;
            @compute @workgroup_size(1)
            fn main() {{ y = 0u; {operation}; }}",
        ))
        .access("sum", Access::Accumulate(Combine::Add))
        .expect("it is atomic");
        let findings = found(&kernel, 1, &[("sum", zeros(1)), ("y", zeros(1))]);
        let findings = findings.expect("it is no addition");
        assert!(
            matches!(findings.found[0].fault, Fault::NotAccumulated { why: found, .. } if found == why),
            "{findings}"
        );
    }
}

#[test]
fn native_bodies_are_not_called() {
    let kernel = exchange("workgroupBarrier();").native(|_| panic!("it is called"));
    assert_eq!(found(&kernel, 64, &[("x", numbers(64))]), None);
}

#[test]
fn devices_and_policies_that_were_chosen_count_for_nothing() {
    let runtime = Runtime::builder()
        .checked(true)
        .devices("no such device")
        .split(Policy::Only("none".to_owned()))
        .build()
        .expect("the CPU is there");
    let names: Vec<_> = runtime
        .devices()
        .map(|device| (device.name.clone(), device.detail.clone()))
        .collect();
    assert_eq!(names, [("cpu".to_owned(), "checked".to_owned())]);
    let x = runtime.buffer::<f32>(64).expect("there is room");
    let kernel = exchange("workgroupBarrier();");
    let dispatch = runtime.dispatch(&kernel, 64).bind("x", &x);
    dispatch
        .split(Policy::Fixed(vec![0.5, 0.5]))
        .run()
        .expect("it has no fault");
}

#[test]
fn the_environment_asks_for_checks_and_the_builder_wins() {
    // Set for a process of its own: the environment of this one is all tests'.
    let test = "the_environment_asks_for_checks_and_the_builder_wins";
    let asked = std::env::var("DIVVY_CHECKED");
    if std::env::var("DIVVY_TEST_WITHIN").is_ok() {
        let is_checked = |runtime: Runtime| {
            let mut devices = runtime.devices();
            devices
                .next()
                .is_some_and(|device| device.detail == "checked")
        };
        let builder = || Runtime::builder().devices("cpu").without_profile_dir();
        let built = builder().build();
        match asked.as_deref() {
            Ok("yes") => assert!(matches!(
                built,
                Err(Error::Setting {
                    setting: "DIVVY_CHECKED",
                    ..
                })
            )),
            asked => assert_eq!(built.is_ok_and(is_checked), asked == Ok("1")),
        }
        assert!(!builder().checked(false).build().is_ok_and(is_checked));
        assert!(builder().checked(true).build().is_ok_and(is_checked));
        return;
    }
    for asked in ["1", "0", "yes"] {
        let own = std::env::current_exe().expect("this is running");
        let ended = std::process::Command::new(own)
            .args(["--exact", test])
            .env("DIVVY_TEST_WITHIN", "1")
            .env("DIVVY_CHECKED", asked)
            .output()
            .expect("it can be run again");
        assert!(
            ended.status.success(),
            "{asked}: {}",
            String::from_utf8_lossy(&ended.stdout)
        );
    }
}

#[test]
fn what_lanes_do_not_run_is_refused_without_mention_of_native_bodies() {
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(128, 33, 1)
        fn main() { y[0] = 1u; }",
    );
    let runtime = checked();
    let y = runtime.buffer::<u32>(1).expect("there is room");
    let error = runtime.dispatch(&kernel, 1).bind("y", &y).run();
    let text = error.expect_err("its workgroups are too large").to_string();
    assert!(
        text.contains("checked mode can't run workgroups of 4224"),
        "{text}"
    );
    assert!(!text.contains("native"), "{text}");
}

#[test]
fn the_kernels_of_the_benches_have_no_fault() {
    let runtime = checked();
    for workload in workloads::all(true) {
        let words: Vec<_> = workload.buffers.iter().map(|(_, words)| words).collect();
        for pass in workload.passes.iter().take(6) {
            let kernel = kernel(workload.kernels[pass.kernel]);
            let bound: Vec<_> = pass
                .bound
                .iter()
                .map(|(name, bound)| match bound {
                    workloads::Bound::Buffer(i) => (*name, words[*i].clone()),
                    workloads::Bound::Value(i) => (*name, workload.values[*i].clone()),
                })
                .collect();
            let findings = run(&runtime, &kernel, pass.range, &bound).0;
            assert!(
                findings.is_none(),
                "{}: {}",
                workload.name,
                findings.unwrap()
            );
        }
    }
}

#[test]
fn the_kernels_of_the_examples_have_no_fault() {
    let (saxpy, heat) = (
        kernel(include_str!("../shaders/saxpy.wgsl")),
        kernel(include_str!("../shaders/heat.wgsl")),
    );
    let one_to_one = |kernel: Kernel, name: &str| {
        let kernel = kernel.access(name, Access::OneToOne);
        kernel.expect("each element belongs to one invocation")
    };
    let saxpy = one_to_one(one_to_one(saxpy, "x"), "y");
    let words = [
        ("a", floats(&[2.0])),
        ("x", numbers(300)),
        ("y", numbers(300)),
    ];
    assert_eq!(found(&saxpy, 300, &words), None);
    let heat = heat.access("old", Access::Neighborhood(1));
    let heat = one_to_one(heat.expect("it is read"), "next");
    let plate = [vec![20, 18], floats(&[0.2])].concat();
    let words = [
        ("plate", plate),
        ("old", numbers(360)),
        ("next", zeros(360)),
    ];
    assert_eq!(found(&heat, [20, 18], &words), None);
    let mandelbrot = kernel(include_str!("../shaders/mandelbrot.wgsl"));
    let mandelbrot = one_to_one(mandelbrot, "steps");
    let words = [("view", vec![20, 18, 50]), ("steps", zeros(360))];
    assert_eq!(found(&mandelbrot, [20, 18], &words), None);
    let galaxy = kernel(include_str!("../shaders/galaxy.wgsl"));
    let entry = |name: &str| galaxy.clone().entry(name).expect("it is there");
    let kick = one_to_one(one_to_one(entry("kick"), "here"), "velocity");
    let step = ("step", floats(&[0.1, 0.1]));
    let bodies = |name| (name, numbers(70 * 4));
    let words = [
        step.clone(),
        bodies("sources"),
        bodies("here"),
        bodies("velocity"),
    ];
    assert_eq!(found(&kick, 70, &words), None);
    let drift = one_to_one(one_to_one(entry("drift"), "velocity"), "position");
    let words = [step, bodies("velocity"), bodies("position")];
    assert_eq!(found(&drift, 70, &words), None);
}

#[test]
fn halves_of_one_word_are_told_apart() {
    for (other, races) in [("y", false), ("x", true)] {
        let kernel = kernel(&format!(
            "enable f16;
            @group(0) @binding(0) var<storage, read_write> v: array<vec2<f16>>;
            @compute @workgroup_size(2)
            fn main(@builtin(local_invocation_index) i: u32) {{
                if i == 0u {{ v[1].x = 1.5h; }} else {{ v[1].{other} = 2.5h; }}
            }}"
        ));
        let (findings, words) = run(&checked(), &kernel, 2, &[("v", zeros(2))]);
        let Some(findings) = findings else {
            assert!(!races);
            assert_eq!(words, [0, 0x4100_3e00]);
            continue;
        };
        assert!(races);
        let Fault::Race { touched, one, .. } = &findings.found[0].fault else {
            panic!("{findings}")
        };
        assert_eq!(
            (touched.as_str(), one.value.to_string().as_str()),
            ("v[1].x", "1.5")
        );
    }
}

#[test]
fn workgroup_memory_is_named_as_the_source_has_it() {
    let kernel = kernel(
        "struct Cell { place: vec3<f32>, marks: array<u32, 2> }
        var<workgroup> cells: array<Cell, 3>;
        @group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(2)
        fn main(@builtin(local_invocation_index) i: u32) {
            cells[2].marks[1] = i;
            workgroupBarrier();
            y[i] = cells[2].marks[1];
        }",
    );
    let findings = found(&kernel, 2, &[("y", zeros(2))]).expect("both write");
    let Fault::Race { touched, .. } = &findings.found[0].fault else {
        panic!("{findings}")
    };
    assert_eq!(touched, "cells[2].marks[1]");
}

#[test]
fn an_index_in_a_function_is_told_with_the_call_and_the_invocation_in_three_dimensions() {
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
fn pick(list: ptr<function, array<u32, 4>>, i: u32) -> u32 {
    return (*list)[i];
}
@compute @workgroup_size(2, 3, 2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var list = array<u32, 4>(1, 2, 3, 4);
    let i = (id.z * 6u + id.y) * 4u + id.x;
    y[i] = pick(&list, select(0u, 7u, i == 93u));
}",
    );
    let text = told(&kernel, [4, 6, 4], &[("y", zeros(96))]);
    assert_text(
        &text,
        "checked mode found 1 fault in the kernel `main`

index out of bounds
  ┌─ wgsl:3:12
  │
3 │     return (*list)[i];
  │            ^^^^^^^^^^ the index is 7, but `list` has 4 elements
  │
  = invocation (1, 5, 3): local id (1, 2, 1), workgroup id (0, 1, 1)
  = in `pick`, called at 9:12",
    );
}

#[test]
fn places_are_those_of_the_source_whatever_is_overridden() {
    let kernel = kernel(
        "override AHEAD: u32 = 1u;
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    // Wide characters: \u{e4}\u{2192}
    let i = id.x; /* \u{2192} */ y[i + AHEAD] = i;
}",
    )
    .constant("AHEAD", 3)
    .expect("it is there");
    let findings = found(&kernel, 4, &[("y", zeros(6))]).expect("the last one is past");
    let place = &findings.found[0].place;
    assert_eq!((place.line, place.column, place.width), (6, 27, 12));
    assert_eq!(findings.found[0].invocation.global, [3, 0, 0]);
}
