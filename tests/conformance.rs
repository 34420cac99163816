//! One list of cases, run on every device found and split among all of them.
//!
//! A case is a kernel in WGSL, its buffers, and what must come out. With no GPU its GPU runs are ignored; with
//! `DIVVY_REQUIRE_GPU=1` they fail.

use divvy::device::gpu::find_gpus;
use divvy::device::virtual_device::Script;
use divvy::device::{DeviceKind, Home, VirtualDevice};
use divvy::{Access, Buffer, DispatchBuilder, Kernel, Policy, Runtime};
use libtest_mimic::{Arguments, Failed, Trial};
use std::error::Error;

type Outcome = Result<(), Box<dyn Error>>;

/// A dispatch of which it is known for every buffer which elements a part of the range touches, with nothing declared.
trait Splittable: Sized {
    fn splittable(self) -> Result<Self, Box<dyn Error>>;
}

impl Splittable for DispatchBuilder<'_> {
    fn splittable(self) -> Result<Self, Box<dyn Error>> {
        let patterns = self.patterns()?;
        match patterns.iter().find(|pattern| pattern.access.is_none()) {
            Some(unknown) => Err(format!("it can't be split: {unknown:?}").into()),
            None => Ok(self),
        }
    }
}

/// Fails unless the buffer holds exactly these elements.
fn expect<T>(runtime: &Runtime, buffer: &Buffer<T>, expected: &[T]) -> Outcome
where
    T: bytemuck::Pod + PartialEq + std::fmt::Debug,
{
    let found = runtime.read(buffer)?;
    match found
        .iter()
        .zip(expected)
        .position(|(found, expected)| found != expected)
    {
        Some(i) => Err(format!("element {i} is {:?}, not {:?}", found[i], expected[i]).into()),
        None if found.len() == expected.len() => Ok(()),
        None => Err(format!("{} elements, not {}", found.len(), expected.len()).into()),
    }
}

/// `y = a x + y` at lengths that divide by nothing. The products and sums are exact in `f32`, so no rounding differs.
fn saxpy(runtime: &Runtime) -> Outcome {
    let saxpy = Kernel::from_wgsl(
        "@group(0) @binding(0) var<uniform> a: f32;
         @group(0) @binding(1) var<storage, read> x: array<f32>;
         @group(0) @binding(2) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size(64)
         fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&y) { y[id.x] = a * x[id.x] + y[id.x]; }
         }",
    )?;
    for n in [1_usize, 2, 63, 64, 65, 997, 4096] {
        let x = runtime.buffer_from(&(0..n).map(|i| i as f32).collect::<Vec<_>>())?;
        let y = runtime.buffer_from(&vec![1.0_f32; n])?;
        for _ in 0..3 {
            runtime
                .dispatch(&saxpy, n)
                .value("a", 2.0_f32)
                .bind("x", &x)
                .bind("y", &y)
                .splittable()?
                .run()?;
        }
        expect(
            runtime,
            &y,
            &(0..n).map(|i| 6.0 * i as f32 + 1.0).collect::<Vec<_>>(),
        )?;
    }
    Ok(())
}

const IDS: &str = "
    struct Ids {
        @builtin(workgroup_id) group: vec3<u32>,
        @builtin(num_workgroups) groups: vec3<u32>,
    }
    @group(0) @binding(0) var<storage, read_write> seen: array<vec4<u32>>;
    @group(1) @binding(3) var<uniform> extent: vec3<u32>;
    @compute @workgroup_size(WX, WY, WZ)
    fn ids(ids: Ids, @builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>,
           @builtin(local_invocation_index) index: u32) {
        if any(id >= extent) { return; }
        let place = (id.z * extent.y + id.y) * extent.x + id.x;
        let group = (ids.group.z * ids.groups.y + ids.group.y) * ids.groups.x + ids.group.x;
        let again = ids.group * vec3(WX, WY, WZ) + local;
        seen[place] = vec4(place + u32(any(again != id)) * 1000000u, group, index, arrayLength(&seen));
    }";

/// Every builtin is that of the undivided dispatch, in one, two and three dimensions.
fn builtins(runtime: &Runtime) -> Outcome {
    for (extents, workgroup) in [
        ([1000, 1, 1], [64, 1, 1]),
        ([37, 50, 1], [8, 4, 1]),
        ([5, 9, 23], [4, 2, 2]),
    ] {
        let [wx, wy, wz]: [u32; 3] = workgroup;
        let wgsl = IDS
            .replace("WX", &format!("{wx}u"))
            .replace("WY", &format!("{wy}u"))
            .replace("WZ", &format!("{wz}u"));
        let extent: [u32; 3] = extents;
        let total = extent.iter().product::<u32>();
        let groups: [u32; 3] = std::array::from_fn(|d| extent[d].div_ceil(workgroup[d]));
        let at = move |place: u32| {
            let id = [
                place % extent[0],
                place / extent[0] % extent[1],
                place / extent[0] / extent[1],
            ];
            let group: [u32; 3] = std::array::from_fn(|d| id[d] / workgroup[d]);
            let local: [u32; 3] = std::array::from_fn(|d| id[d] % workgroup[d]);
            let group = (group[2] * groups[1] + group[1]) * groups[0] + group[0];
            [
                place,
                group,
                (local[2] * wy + local[1]) * wx + local[0],
                total,
            ]
        };
        let ids = Kernel::from_wgsl(&wgsl)?;
        let seen = runtime.buffer::<[u32; 4]>(total as usize)?;
        let range: divvy::Range = match extent {
            [x, 1, 1] => x.into(),
            [x, y, 1] => [x, y].into(),
            all => all.into(),
        };
        let padded = [extent[0], extent[1], extent[2], 0];
        runtime
            .dispatch(&ids, range)
            .bind("seen", &seen)
            .value("extent", padded)
            .splittable()?
            .run()?;
        expect(runtime, &seen, &(0..total).map(at).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// More workgroups than a dimension of a dispatch may have.
fn many_workgroups(runtime: &Runtime) -> Outcome {
    let count = Kernel::from_wgsl("@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(1)
         fn count(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
             x[id.x] += id.x ^ n.x;
         }")?;
    let n = 200_003_u32;
    let x = runtime.buffer::<u32>(n as usize)?;
    runtime
        .dispatch(&count, n)
        .bind("x", &x)
        .splittable()?
        .run()?;
    expect(runtime, &x, &(0..n).map(|i| i ^ n).collect::<Vec<_>>())
}

/// A stencil over rows, iterated: halos arrive where they are needed.
fn stencil(runtime: &Runtime) -> Outcome {
    let blur = Kernel::from_wgsl("struct Size { width: u32, height: u32 }
         @group(0) @binding(0) var<uniform> size: Size;
         @group(0) @binding(1) var<storage, read> old: array<u32>;
         @group(0) @binding(2) var<storage, read_write> next: array<u32>;
         @compute @workgroup_size(8, 4)
         fn blur(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= size.width || id.y >= size.height { return; }
             let up = max(id.y, 2u) - 2u;
             let down = min(id.y + 2u, size.height - 1u);
             next[id.y * size.width + id.x] = old[up * size.width + id.x] * 3u + old[id.y * size.width + id.x]
                 + old[down * size.width + id.x] * 5u;
         }")?;
    let (width, height) = (19_usize, 61_usize);
    let mut truth: Vec<u32> = (0..width * height).map(|i| (i * i) as u32).collect();
    let (a, b) = (
        runtime.buffer_from(&truth)?,
        runtime.buffer::<u32>(width * height)?,
    );
    let (mut old, mut next) = (&a, &b);
    for _ in 0..7 {
        let size = [width as u32, height as u32];
        runtime
            .dispatch(&blur, [width, height])
            .value("size", size)
            .bind("old", old)
            .bind("next", next)
            .splittable()?
            .submit()?;
        std::mem::swap(&mut old, &mut next);
        let at = |y: usize, x: usize| truth[y * width + x];
        let place = |i: usize| {
            let (y, x) = (i / width, i % width);
            let sum = at(y.max(2) - 2, x).wrapping_mul(3).wrapping_add(at(y, x));
            sum.wrapping_add(at((y + 2).min(height - 1), x).wrapping_mul(5))
        };
        truth = (0..width * height).map(place).collect();
    }
    expect(runtime, old, &truth)
}

/// A steady stencil split evenly moves the rows at each boundary and nothing else, whoever the neighbours are.
fn halo(runtime: &Runtime) -> Outcome {
    const WIDTH: usize = 48;
    let spread = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> old: array<u32>;
         @group(0) @binding(1) var<storage, read_write> next: array<u32>;
         @compute @workgroup_size(16, 4)
         fn spread(@builtin(global_invocation_id) id: vec3<u32>) {
             let i = id.y * 48u + id.x;
             if i >= arrayLength(&next) { return; }
             let up = select(i, i - 48u, i >= 48u);
             let down = select(i, i + 48u, i + 48u < arrayLength(&old));
             next[i] = old[i] * 3u + old[up] + old[down];
         }",
    )?;
    let devices: Vec<_> = runtime.devices().collect();
    let height = 16 * devices.len();
    let mut values: Vec<u32> = (0..(WIDTH * height) as u32).map(|i| i * i).collect();
    let mut buffers = [
        runtime.buffer_from(&values)?,
        runtime.buffer(WIDTH * height)?,
    ];
    let row = (WIDTH * size_of::<u32>()) as u64;
    for step in 0..8 {
        let dispatch = runtime.dispatch(&spread, [WIDTH, height]);
        let dispatch = dispatch.split(Policy::Fixed(vec![1.0; devices.len()]));
        let report = dispatch
            .bind("old", &buffers[0])
            .bind("next", &buffers[1])
            .splittable()?
            .run()?;
        buffers.swap(0, 1);
        let at = |y: usize, x: usize| values[y * WIDTH + x];
        values = (0..WIDTH * height)
            .map(|i| {
                let (y, x) = (i / WIDTH, i % WIDTH);
                let sum = at(y.saturating_sub(1), x).wrapping_add(at((y + 1).min(height - 1), x));
                at(y, x).wrapping_mul(3).wrapping_add(sum)
            })
            .collect();
        for (i, (moved, device)) in report.devices.iter().zip(&devices).enumerate() {
            // In the first step everything is still in the host's memory; a device that computes there copies nothing.
            let neighbours = u64::from(i > 0) + u64::from(i + 1 < devices.len());
            let rows = if device.home == Home::Own {
                neighbours
            } else {
                0
            };
            let found = (moved.bytes_to_device, moved.bytes_from_device);
            if step > 0 && found != (rows * row, rows * row) {
                return Err(format!(
                    "step {step}: {found:?} bytes instead of {rows} rows of {row}\n{report}"
                )
                .into());
            }
        }
    }
    expect(runtime, &buffers[0], &values)
}

/// Counts that every device adds to its own copy, and extremes of signed numbers.
fn accumulate(runtime: &Runtime) -> Outcome {
    let sort = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> x: array<i32>;
         @group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>, 16>;
         @group(0) @binding(2) var<storage, read_write> least: array<atomic<i32>>;
         @compute @workgroup_size(64)
         fn sort(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&x) { return; }
             atomicAdd(&bins[u32(x[id.x]) & 15u], 1u);
             atomicMin(&least[0], x[id.x]);
         }",
    )?;
    let n = 5000_usize;
    let values: Vec<i32> = (0..n as i32)
        .map(|i| (i.wrapping_mul(7919) % 4001) - 2000)
        .collect();
    let (x, bins) = (
        runtime.buffer_from(&values)?,
        runtime.buffer_from(&[3_u32; 16])?,
    );
    let least = runtime.buffer_from(&[-5_i32])?;
    let mut expected = [3_u32; 16];
    for _ in 0..2 {
        runtime
            .dispatch(&sort, n)
            .bind("x", &x)
            .bind("bins", &bins)
            .bind("least", &least)
            .splittable()?
            .run()?;
        values
            .iter()
            .for_each(|value| expected[*value as u32 as usize & 15] += 1);
    }
    expect(runtime, &bins, &expected)?;
    expect(
        runtime,
        &least,
        &[values.iter().copied().min().unwrap_or(0).min(-5)],
    )
}

/// A tree reduction in workgroup memory: barriers, and one element for each workgroup of rows.
fn barriers(runtime: &Runtime) -> Outcome {
    let reduce = Kernel::from_wgsl("@group(0) @binding(0) var<storage, read> x: array<u32>;
         @group(0) @binding(1) var<storage, read_write> total: array<atomic<u32>>;
         var<workgroup> sums: array<u32, 64>;
         @compute @workgroup_size(64)
         fn reduce(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
             if id.x < arrayLength(&x) { sums[i] = x[id.x]; }
             workgroupBarrier();
             for (var step = 32u; step > 0u; step /= 2u) {
                 if i < step { sums[i] += sums[i + step]; }
                 workgroupBarrier();
             }
             if i == 0u { atomicAdd(&total[0], sums[0]); }
         }")?;
    let values: Vec<u32> = (0..10_007)
        .map(|i: u32| i.wrapping_mul(2_654_435_761))
        .collect();
    let (x, total) = (runtime.buffer_from(&values)?, runtime.buffer::<u32>(1)?);
    runtime
        .dispatch(&reduce, values.len())
        .bind("x", &x)
        .bind("total", &total)
        .splittable()?
        .run()?;
    expect(
        runtime,
        &total,
        &[values.iter().fold(0_u32, |sum, x| sum.wrapping_add(*x))],
    )
}

/// A structure of mixed members as a value, an override, an entry point chosen by name.
fn values(runtime: &Runtime) -> Outcome {
    #[repr(C)]
    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    struct Scale {
        offset: [u32; 3],
        factor: u32,
        odd: [u32; 2],
        pad: [u32; 2],
    }
    let scale = Kernel::from_wgsl("struct Scale { offset: vec3<u32>, factor: u32, odd: vec2<u32> }
         override SHIFT: u32;
         @group(2) @binding(1) var<uniform> scale: Scale;
         @group(0) @binding(7) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(32) fn other() {}
         @compute @workgroup_size(32)
         fn apply(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&x) { return; }
             x[id.x] = (x[id.x] + scale.offset[id.x % 3u]) * scale.factor + scale.odd.y * (id.x & 1u) + (1u << SHIFT);
         }")?;
    let scale = scale.entry("apply")?.constant("SHIFT", 5)?;
    let x = runtime.buffer_from(&(0..500).collect::<Vec<u32>>())?;
    let value = Scale {
        offset: [1, 2, 3],
        factor: 10,
        odd: [0, 7],
        pad: [0; 2],
    };
    runtime
        .dispatch(&scale, 500)
        .value("scale", value)
        .bind("x", &x)
        .splittable()?
        .run()?;
    let expected = |i: u32| (i + value.offset[i as usize % 3]) * 10 + 7 * (i & 1) + 32;
    expect(runtime, &x, &(0..500).map(expected).collect::<Vec<_>>())
}

/// A dispatch of which nothing can be proven runs whole, on whichever device, and computes the same.
fn scattered(runtime: &Runtime) -> Outcome {
    let scatter = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> place: array<u32>;
         @group(0) @binding(1) var<storage, read> x: array<u32>;
         @group(0) @binding(2) var<storage, read_write> y: array<u32>;
         @compute @workgroup_size(64)
         fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&x) { y[place[id.x]] = x[id.x]; }
         }",
    )?;
    let places: Vec<u32> = (0..777).map(|i| i * 100 % 777).collect();
    let place = runtime.buffer_from(&places)?;
    let x = runtime.buffer_from(&(0..777).collect::<Vec<u32>>())?;
    let y = runtime.buffer::<u32>(777)?;
    let z = runtime.buffer::<u32>(777)?;
    for _ in 0..3 {
        for (from, to) in [(&x, &y), (&y, &z)] {
            let dispatch = runtime.dispatch(&scatter, 777).bind("place", &place);
            let report = dispatch.bind("x", from).bind("y", to).run()?;
            if report
                .devices
                .iter()
                .filter(|device| device.chunks > 0)
                .count()
                != 1
            {
                return Err(format!("it was split\n{report}").into());
            }
        }
    }
    let mut once = vec![0; 777];
    (0..777).for_each(|i| once[places[i as usize] as usize] = i);
    let mut twice = vec![0; 777];
    (0..777).for_each(|i| twice[places[i] as usize] = once[i]);
    expect(runtime, &y, &once)?;
    expect(runtime, &z, &twice)
}

/// Elements in the opposite order: each part of the range writes its share from the other end.
fn reversed(runtime: &Runtime) -> Outcome {
    let reverse = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> x: array<u32>;
         @group(0) @binding(1) var<storage, read_write> y: array<u32>;
         @compute @workgroup_size(64)
         fn reverse(@builtin(global_invocation_id) id: vec3<u32>) {
             let last = arrayLength(&x) - 1u;
             if id.x <= last { y[last - id.x] = x[id.x]; }
         }",
    )?;
    let x = runtime.buffer_from(&(0..777).collect::<Vec<u32>>())?;
    let y = runtime.buffer::<u32>(777)?;
    let z = runtime.buffer::<u32>(777)?;
    for _ in 0..3 {
        for (from, to) in [(&x, &y), (&y, &z)] {
            let dispatch = runtime.dispatch(&reverse, 777);
            dispatch.bind("x", from).bind("y", to).splittable()?.run()?;
        }
    }
    expect(runtime, &z, &(0..777).collect::<Vec<_>>())?;
    expect(runtime, &y, &(0..777).rev().collect::<Vec<_>>())
}

/// A pattern that was declared holds where nothing can be proven: here every place is taken by its own index.
fn declared(runtime: &Runtime) -> Outcome {
    let put = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> place: array<u32>;
         @group(0) @binding(1) var<storage, read_write> y: array<u32>;
         @compute @workgroup_size(64)
         fn put(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&place) { y[place[id.x]] = id.x * 3u; }
         }",
    )?;
    let put = put.access("y", Access::OneToOne)?;
    let place = runtime.buffer_from(&(0..500).collect::<Vec<u32>>())?;
    let y = runtime.buffer::<u32>(500)?;
    let dispatch = runtime.dispatch(&put, 500).bind("place", &place);
    dispatch.bind("y", &y).splittable()?.run()?;
    expect(runtime, &y, &(0..500).map(|i| i * 3).collect::<Vec<_>>())
}

/// Life on a torus: halos come from around the ends.
fn torus(runtime: &Runtime) -> Outcome {
    let life = Kernel::from_wgsl(
        "@group(0) @binding(0) var<uniform> size: vec2<u32>;
         @group(0) @binding(1) var<storage, read> old: array<u32>;
         @group(0) @binding(2) var<storage, read_write> next: array<u32>;
         fn at(x: u32, y: u32) -> u32 { return old[(y % size.y) * size.x + x % size.x]; }
         @compute @workgroup_size(8, 4)
         fn life(@builtin(global_invocation_id) id: vec3<u32>) {
             if any(id.xy >= size) { return; }
             let left = id.x + size.x - 1u;
             let up = id.y + size.y - 1u;
             let around = at(left, up) + at(id.x, up) + at(id.x + 1u, up) + at(left, id.y) + at(id.x + 1u, id.y)
                 + at(left, id.y + 1u) + at(id.x, id.y + 1u) + at(id.x + 1u, id.y + 1u);
             next[id.y * size.x + id.x] = u32(around == 3u || (around == 2u && at(id.x, id.y) == 1u));
         }",
    )?;
    let (width, height) = (21_usize, 53_usize);
    let mut truth: Vec<u32> = (0..width * height)
        .map(|i| u32::from(i * i % 7 < 3))
        .collect();
    let (a, b) = (
        runtime.buffer_from(&truth)?,
        runtime.buffer::<u32>(width * height)?,
    );
    let (mut old, mut next) = (&a, &b);
    for _ in 0..6 {
        let dispatch = runtime.dispatch(&life, [width, height]);
        let dispatch = dispatch.value("size", [width as u32, height as u32]);
        let dispatch = dispatch.bind("old", old).bind("next", next).splittable()?;
        let patterns = dispatch.patterns()?;
        if patterns[0].access != Some(Access::Wrapped(1)) {
            return Err(format!("{:?}", patterns[0]).into());
        }
        dispatch.run()?;
        std::mem::swap(&mut old, &mut next);
        let cell = |x: usize, y: usize| truth[y % height * width + x % width];
        let place = |i: usize| {
            let (x, y) = (i % width + width, i / width + height);
            let mut around = 0;
            for (dx, dy) in (0..9).map(|i| (i % 3, i / 3)).filter(|at| *at != (1, 1)) {
                around += cell(x + dx - 1, y + dy - 1);
            }
            u32::from(around == 3 || (around == 2 && cell(x, y) == 1))
        };
        truth = (0..width * height).map(place).collect();
    }
    expect(runtime, old, &truth)
}

/// Memory that is given back and asked for again starts zeroed.
fn reused_memory(runtime: &Runtime) -> Outcome {
    let add = Kernel::from_wgsl("@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(64)
         fn add(@builtin(global_invocation_id) id: vec3<u32>) { if id.x < arrayLength(&x) { x[id.x] += 9u; } }")?;
    for _ in 0..10 {
        let x = runtime.buffer::<u32>(1000)?;
        runtime
            .dispatch(&add, 1000)
            .bind("x", &x)
            .splittable()?
            .run()?;
        expect(runtime, &x, &[9; 1000])?;
    }
    Ok(())
}

/// What the WGSL specification lets differ: a sine is within 2^-11 of the truth, an exponential and a root within a few
/// units in the last place, and products may be fused into sums.
fn floats(runtime: &Runtime) -> Outcome {
    let wave = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<vec2<f32>>;
         @compute @workgroup_size(32)
         fn wave(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&x) { return; }
             let x = x[id.x];
             y[id.x] = vec2(sin(x), sqrt(x) * exp(-x) / (1.0 + x * x));
         }",
    )?;
    let xs: Vec<f32> = (0..1501).map(|i| i as f32 / 500.0).collect();
    let x = runtime.buffer_from(&xs)?;
    let y = runtime.buffer::<[f32; 2]>(xs.len())?;
    runtime
        .dispatch(&wave, xs.len())
        .bind("x", &x)
        .bind("y", &y)
        .splittable()?
        .run()?;
    for (x, [sine, damped]) in xs.iter().zip(runtime.read(&y)?) {
        let x = f64::from(*x);
        let truth = x.sqrt() * (-x).exp() / (1.0 + x * x);
        let (off, far) = (
            (f64::from(sine) - x.sin()).abs(),
            (f64::from(damped) - truth).abs(),
        );
        if off > 2.0_f64.powi(-11) || far > 1e-7 + 5e-6 * truth {
            return Err(format!("at {x}: {sine} is off by {off}, {damped} by {far}").into());
        }
    }
    Ok(())
}

/// A body written by hand runs in place of the WGSL on whatever computes with the cores, on its own parts of the range;
/// GPUs run the WGSL. Here the body marks what it wrote, so that it shows who did.
fn native(runtime: &Runtime) -> Outcome {
    let count = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(64)
         fn count(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&x) { x[id.x] += id.x; }
         }",
    )?;
    let count = count.native(|body| {
        let mut x = body.write::<u32>("x");
        body.units().for_each(|i| x[i] += i as u32 + 1_000_000);
    });
    let n = 1003_usize;
    let x = runtime.buffer::<u32>(n)?;
    let report = runtime
        .dispatch(&count, n)
        .bind("x", &x)
        .splittable()?
        .run()?;
    let found = runtime.read(&x)?;
    if (0..n).any(|i| found[i] % 1_000_000 != i as u32) {
        return Err("the body and the WGSL left something undone, or did it twice".into());
    }
    let by_hand = found.iter().filter(|x| **x >= 1_000_000).count() as u64;
    let is_core = |name: &str| {
        let device = runtime.devices().find(|device| device.name == name);
        device.is_some_and(|device| matches!(device.kind, DeviceKind::Cpu | DeviceKind::Virtual))
    };
    let on_cores = report.devices.iter().filter(|one| is_core(&one.device));
    let on_cores: u64 = on_cores.map(|one| one.invocations).sum();
    if by_hand != on_cores {
        let text = format!("the body wrote {by_hand} elements, the cores had {on_cores}\n{report}");
        return Err(text.into());
    }
    Ok(())
}

type Case = fn(&Runtime) -> Outcome;

const CASES: &[(&str, Case)] = &[
    ("saxpy", saxpy),
    ("builtins", builtins),
    ("many_workgroups", many_workgroups),
    ("stencil", stencil),
    ("halo", halo),
    ("accumulate", accumulate),
    ("barriers", barriers),
    ("values", values),
    ("scattered", scattered),
    ("reversed", reversed),
    ("declared", declared),
    ("torus", torus),
    ("reused_memory", reused_memory),
    ("floats", floats),
    ("native", native),
];

fn trial(
    case: &str,
    device: &str,
    devices: String,
    policy: Policy,
    run: impl Fn(&Runtime) -> Outcome + Send + 'static,
    is_there: bool,
) -> Trial {
    let test = move || -> Result<(), Failed> {
        if !is_there {
            return Err("there is no GPU, and DIVVY_REQUIRE_GPU asks for one".into());
        }
        let build = Runtime::builder()
            .devices(&devices)
            .split(policy)
            .without_profile_dir()
            .build();
        let runtime = build.map_err(|error| error.to_string())?;
        run(&runtime).map_err(|error| error.to_string().into())
    };
    let is_required = std::env::var("DIVVY_REQUIRE_GPU").is_ok_and(|required| required == "1");
    Trial::test(format!("{case}::{device}"), test).with_ignored_flag(!is_there && !is_required)
}

/// Machines of the CPU, sometimes the GPUs, and one to four virtual devices, each with shares drawn at random.
fn any_split(run: Case, gpus: usize) -> Result<(), Failed> {
    const MACHINES: usize = 24;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut share = || {
        // xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f64
    };
    for machine in 0..MACHINES {
        let virtuals = 1 + machine % 4;
        let with_gpus = machine % 3 == 0 && gpus > 0;
        let count = 1 + virtuals + if with_gpus { gpus } else { 0 };
        let shares: Vec<f64> = (0..count).map(|_| share()).collect();
        let mut builder = Runtime::builder()
            .devices(if with_gpus { "all" } else { "cpu" })
            .split(Policy::Fixed(shares.clone()))
            .without_profile_dir();
        for i in 0..virtuals {
            builder = builder.device(VirtualDevice::new(
                &format!("virtual{i}"),
                Script::default(),
            ));
        }
        let runtime = builder.build().map_err(|error| error.to_string())?;
        run(&runtime).map_err(|error| format!("split by {shares:?}: {error}"))?;
    }
    Ok(())
}

fn main() {
    let arguments = Arguments::from_args();
    let gpus = find_gpus().len();
    let mut trials = Vec::new();
    for &(case, run) in CASES {
        let mut add = |device: &str, devices: &str, policy, is_there| {
            trials.push(trial(
                case,
                device,
                devices.to_owned(),
                policy,
                run,
                is_there,
            ));
        };
        add("cpu", "cpu", Policy::Measured, true);
        for i in 0..gpus.max(1) {
            let name = format!("gpu{i}");
            add(&name, &name, Policy::Measured, i < gpus);
        }
        for (name, policy) in [
            ("split", Policy::Fixed(vec![0.4; gpus.max(1) + 1])),
            (
                "split_unevenly",
                Policy::Fixed((0..=gpus.max(1)).map(|i| 0.13 + i as f64).collect()),
            ),
            ("guided", Policy::Guided),
            ("measured", Policy::Measured),
        ] {
            add(name, "all", policy, gpus > 0);
        }
        // A checked runtime never runs what was written by hand.
        if case != "native" {
            trials.push(Trial::test(format!("{case}::checked"), move || {
                let runtime = Runtime::builder().checked(true).build();
                let runtime = runtime.map_err(|error| error.to_string())?;
                run(&runtime).map_err(|error| error.to_string().into())
            }));
        }
        trials.push(Trial::test(format!("{case}::any_split"), move || {
            any_split(run, gpus)
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
