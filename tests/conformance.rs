//! One list of cases, run on every device found and split among all of them.
//!
//! A case is a kernel in WGSL with its native body, its buffers, and what must come out. With no GPU its GPU runs are
//! ignored; with `DIVVY_REQUIRE_GPU=1` they fail.

use divvy::device::gpu::find_gpus;
use divvy::device::virtual_device::Script;
use divvy::device::{Home, VirtualDevice};
use divvy::{Access, Body, Buffer, Combine, Kernel, Policy, Runtime};
use libtest_mimic::{Arguments, Failed, Trial};
use std::cell::Cell;
use std::error::Error;

type Outcome = Result<(), Box<dyn Error>>;

thread_local! {
    /// Whether kernels are made without their native bodies: the CPU runs their WGSL then.
    static IS_WGSL_ALONE: Cell<bool> = const { Cell::new(false) };
}

/// A kernel with a native body that does the same.
fn kernel(
    wgsl: &str,
    patterns: &[(&str, Access)],
    body: impl Fn(&Body<'_>) + Send + Sync + 'static,
) -> Result<Kernel, divvy::KernelError> {
    let mut kernel = Kernel::from_wgsl(wgsl)?;
    for (name, access) in patterns {
        kernel = kernel.access(name, *access)?;
    }
    Ok(if IS_WGSL_ALONE.get() {
        kernel
    } else {
        kernel.native(body)
    })
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
    let saxpy = kernel(
        "@group(0) @binding(0) var<uniform> a: f32;
         @group(0) @binding(1) var<storage, read> x: array<f32>;
         @group(0) @binding(2) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size(64)
         fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&y) { y[id.x] = a * x[id.x] + y[id.x]; }
         }",
        &[("x", Access::OneToOne), ("y", Access::OneToOne)],
        |body| {
            let (a, x, mut y) = (
                body.value::<f32>("a"),
                body.read::<f32>("x"),
                body.write::<f32>("y"),
            );
            body.units().for_each(|i| y[i] += a * x[i]);
        },
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
        let ids = kernel(&wgsl, &[("seen", Access::OneToOne)], move |body| {
            let mut seen = body.write::<[u32; 4]>("seen");
            let first = seen.first() as u32;
            seen.iter_mut()
                .zip(first..)
                .for_each(|(seen, place)| *seen = at(place));
        })?;
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
            .run()?;
        expect(runtime, &seen, &(0..total).map(at).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// More workgroups than a dimension of a dispatch may have.
fn many_workgroups(runtime: &Runtime) -> Outcome {
    let count = kernel(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(1)
         fn count(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
             x[id.x] += id.x ^ n.x;
         }",
        &[("x", Access::OneToOne)],
        |body| {
            let n = body.range().invocations() as u32;
            let mut x = body.write::<u32>("x");
            body.units().for_each(|i| x[i] += i as u32 ^ n);
        },
    )?;
    let n = 200_003_u32;
    let x = runtime.buffer::<u32>(n as usize)?;
    runtime.dispatch(&count, n).bind("x", &x).run()?;
    expect(runtime, &x, &(0..n).map(|i| i ^ n).collect::<Vec<_>>())
}

/// A stencil over rows, iterated: halos arrive where they are needed.
fn stencil(runtime: &Runtime) -> Outcome {
    let blur = kernel(
        "struct Size { width: u32, height: u32 }
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
         }",
        &[("old", Access::Neighborhood(2)), ("next", Access::OneToOne)],
        |body| {
            let [width, height, _] = body.range().extents().map(|extent| extent as usize);
            let (old, mut next) = (body.read::<u32>("old"), body.write::<u32>("next"));
            for y in body.units() {
                for x in 0..width {
                    let at = |y: usize| old[y * width + x];
                    let sum = at(y.max(2) - 2).wrapping_mul(3).wrapping_add(at(y));
                    next[y * width + x] = sum.wrapping_add(at((y + 2).min(height - 1)).wrapping_mul(5));
                }
            }
        },
    )?;
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
    let spread = kernel(
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
        &[("old", Access::Neighborhood(1)), ("next", Access::OneToOne)],
        |body| {
            let (old, mut next) = (body.read::<u32>("old"), body.write::<u32>("next"));
            let last = body.range().extents()[1] as usize - 1;
            for y in body.units() {
                for x in 0..WIDTH {
                    let at = |y: usize| old[y * WIDTH + x];
                    let sum = at(y.saturating_sub(1)).wrapping_add(at((y + 1).min(last)));
                    next[y * WIDTH + x] = at(y).wrapping_mul(3).wrapping_add(sum);
                }
            }
        },
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
    let sort = kernel(
        "@group(0) @binding(0) var<storage, read> x: array<i32>;
         @group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>, 16>;
         @group(0) @binding(2) var<storage, read_write> least: array<atomic<i32>>;
         @compute @workgroup_size(64)
         fn sort(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&x) { return; }
             atomicAdd(&bins[u32(x[id.x]) & 15u], 1u);
             atomicMin(&least[0], x[id.x]);
         }",
        &[
            ("x", Access::OneToOne),
            ("bins", Access::Accumulate(Combine::Add)),
            ("least", Access::Accumulate(Combine::Min)),
        ],
        |body| {
            let (x, mut bins, mut least) = (
                body.read::<i32>("x"),
                body.write::<u32>("bins"),
                body.write::<i32>("least"),
            );
            for i in body.units() {
                bins[x[i] as u32 as usize & 15] += 1;
                least[0] = least[0].min(x[i]);
            }
        },
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
    let reduce = kernel(
        "@group(0) @binding(0) var<storage, read> x: array<u32>;
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
         }",
        &[("x", Access::OneToOne), ("total", Access::Accumulate(Combine::Add))],
        |body| {
            let (x, mut total) = (body.read::<u32>("x"), body.write::<u32>("total"));
            total[0] = body.units().fold(total[0], |sum, i| sum.wrapping_add(x[i]));
        },
    )?;
    let values: Vec<u32> = (0..10_007)
        .map(|i: u32| i.wrapping_mul(2_654_435_761))
        .collect();
    let (x, total) = (runtime.buffer_from(&values)?, runtime.buffer::<u32>(1)?);
    runtime
        .dispatch(&reduce, values.len())
        .bind("x", &x)
        .bind("total", &total)
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
    let scale = kernel(
        "struct Scale { offset: vec3<u32>, factor: u32, odd: vec2<u32> }
         override SHIFT: u32;
         @group(2) @binding(1) var<uniform> scale: Scale;
         @group(0) @binding(7) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(32) fn other() {}
         @compute @workgroup_size(32)
         fn apply(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&x) { return; }
             x[id.x] = (x[id.x] + scale.offset[id.x % 3u]) * scale.factor + scale.odd.y * (id.x & 1u) + (1u << SHIFT);
         }",
        &[],
        |body| {
            let (scale, mut x) = (body.value::<Scale>("scale"), body.write::<u32>("x"));
            for i in body.units() {
                x[i] = (x[i] + scale.offset[i % 3]) * scale.factor + scale.odd[1] * (i as u32 & 1) + (1 << 5);
            }
        },
    )?;
    let scale = scale
        .entry("apply")?
        .constant("SHIFT", 5)?
        .access("x", Access::OneToOne)?;
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
        .run()?;
    let expected = |i: u32| (i + value.offset[i as usize % 3]) * 10 + 7 * (i & 1) + 32;
    expect(runtime, &x, &(0..500).map(expected).collect::<Vec<_>>())
}

/// With nothing declared a dispatch runs whole, on whichever device, and computes the same.
fn undeclared(runtime: &Runtime) -> Outcome {
    let reverse = kernel(
        "@group(0) @binding(0) var<storage, read> x: array<u32>;
         @group(0) @binding(1) var<storage, read_write> y: array<u32>;
         @compute @workgroup_size(64)
         fn reverse(@builtin(global_invocation_id) id: vec3<u32>) {
             let last = arrayLength(&x) - 1u;
             if id.x <= last { y[last - id.x] = x[id.x]; }
         }",
        &[],
        |body| {
            let (x, mut y) = (body.read::<u32>("x"), body.write::<u32>("y"));
            let last = x.len() - 1;
            body.units().for_each(|i| y[last - i] = x[i]);
        },
    )?;
    let x = runtime.buffer_from(&(0..777).collect::<Vec<u32>>())?;
    let y = runtime.buffer::<u32>(777)?;
    let z = runtime.buffer::<u32>(777)?;
    for _ in 0..3 {
        runtime
            .dispatch(&reverse, 777)
            .bind("x", &x)
            .bind("y", &y)
            .run()?;
        runtime
            .dispatch(&reverse, 777)
            .bind("x", &y)
            .bind("y", &z)
            .run()?;
    }
    expect(runtime, &z, &(0..777).collect::<Vec<_>>())?;
    expect(runtime, &y, &(0..777).rev().collect::<Vec<_>>())
}

/// Memory that is given back and asked for again starts zeroed.
fn reused_memory(runtime: &Runtime) -> Outcome {
    let add = kernel(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(64)
         fn add(@builtin(global_invocation_id) id: vec3<u32>) { if id.x < arrayLength(&x) { x[id.x] += 9u; } }",
        &[("x", Access::OneToOne)],
        |body| body.write::<u32>("x").iter_mut().for_each(|x| *x += 9),
    )?;
    for _ in 0..10 {
        let x = runtime.buffer::<u32>(1000)?;
        runtime.dispatch(&add, 1000).bind("x", &x).run()?;
        expect(runtime, &x, &[9; 1000])?;
    }
    Ok(())
}

/// What the WGSL specification lets differ: a sine is within 2^-11 of the truth, an exponential and a root within a few
/// units in the last place, and products may be fused into sums.
fn floats(runtime: &Runtime) -> Outcome {
    let wave = kernel(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<vec2<f32>>;
         @compute @workgroup_size(32)
         fn wave(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&x) { return; }
             let x = x[id.x];
             y[id.x] = vec2(sin(x), sqrt(x) * exp(-x) / (1.0 + x * x));
         }",
        &[("x", Access::OneToOne), ("y", Access::OneToOne)],
        |body| {
            let (x, mut y) = (body.read::<f32>("x"), body.write::<[f32; 2]>("y"));
            for i in body.units() {
                let x = x[i];
                y[i] = [x.sin(), x.sqrt() * (-x).exp() / (1.0 + x * x)];
            }
        },
    )?;
    let xs: Vec<f32> = (0..1501).map(|i| i as f32 / 500.0).collect();
    let x = runtime.buffer_from(&xs)?;
    let y = runtime.buffer::<[f32; 2]>(xs.len())?;
    runtime
        .dispatch(&wave, xs.len())
        .bind("x", &x)
        .bind("y", &y)
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
    ("undeclared", undeclared),
    ("reused_memory", reused_memory),
    ("floats", floats),
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
        // The WGSL alone, on the CPU and split between it and the GPUs.
        for (name, devices, is_there) in [("wgsl", "cpu", true), ("wgsl_split", "all", gpus > 0)] {
            let policy = Policy::Fixed(vec![
                0.5;
                if devices == "all" { gpus.max(1) + 1 } else { 1 }
            ]);
            let run_alone = move |runtime: &Runtime| {
                IS_WGSL_ALONE.set(true);
                let outcome = run(runtime);
                IS_WGSL_ALONE.set(false);
                outcome
            };
            trials.push(trial(
                case,
                name,
                devices.to_owned(),
                policy,
                run_alone,
                is_there,
            ));
        }
        trials.push(Trial::test(format!("{case}::checked"), move || {
            let runtime = Runtime::builder().checked(true).build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            run(&runtime).map_err(|error| error.to_string().into())
        }));
        trials.push(Trial::test(format!("{case}::any_split"), move || {
            any_split(run, gpus)
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
