//! Cases of kernels that read their neighbours: halos arrive where they are needed, and nothing else does.

use crate::expecting::{Known, Outcome, expect};
use divvy::Access::{Neighborhood, OneToOne, Wrapped};
use divvy::device::Home;
use divvy::{Kernel, Policy, Runtime};

/// A stencil over rows, iterated: halos arrive where they are needed.
pub(crate) fn stencil(runtime: &Runtime) -> Outcome {
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
            .proven(&[("old", Neighborhood(2)), ("next", OneToOne)])?
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
pub(crate) fn halo(runtime: &Runtime) -> Outcome {
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
            .proven(&[("old", Neighborhood(1)), ("next", OneToOne)])?
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

/// Life on a torus: halos come from around the ends.
pub(crate) fn torus(runtime: &Runtime) -> Outcome {
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
        let dispatch = dispatch
            .bind("old", old)
            .bind("next", next)
            .proven(&[("old", Wrapped(1)), ("next", OneToOne)])?;
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
