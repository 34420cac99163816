//! Cases of elements that several invocations share, or that an invocation finds elsewhere than at its own index.

use crate::expecting::{Known, Outcome, expect};
use divvy::Access::{Accumulate, OneToOne};
use divvy::kernel::{Grounds, Strided};
use divvy::{Access, Combine, Kernel, Runtime};

/// Counts that every device adds to its own copy, and extremes of signed numbers.
pub(crate) fn accumulate(runtime: &Runtime) -> Outcome {
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
            .proven(&[
                ("x", OneToOne),
                ("bins", Accumulate(Combine::Add)),
                ("least", Accumulate(Combine::Min)),
            ])?
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
pub(crate) fn barriers(runtime: &Runtime) -> Outcome {
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
        .proven(&[("x", OneToOne), ("total", Accumulate(Combine::Add))])?
        .run()?;
    expect(
        runtime,
        &total,
        &[values.iter().fold(0_u32, |sum, x| sum.wrapping_add(*x))],
    )
}

/// A dispatch of which nothing can be proven runs whole, on whichever device, and computes the same.
pub(crate) fn scattered(runtime: &Runtime) -> Outcome {
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
            let dispatch = dispatch.bind("x", from).bind("y", to);
            let report = dispatch.unproven(&scatter, "y", "y[place[id.x]]")?.run()?;
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
pub(crate) fn reversed(runtime: &Runtime) -> Outcome {
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
            let dispatch = dispatch.bind("x", from).bind("y", to);
            let turned = Strided {
                units: 64,
                stride: -64,
                from: 777 - 64,
                to: 777,
            };
            dispatch
                .proven(&[("x", OneToOne), ("y", Access::Strided(turned))])?
                .run()?;
        }
    }
    expect(runtime, &z, &(0..777).collect::<Vec<_>>())?;
    expect(runtime, &y, &(0..777).rev().collect::<Vec<_>>())
}

/// A pattern that was declared holds where nothing can be proven: here every place is taken by its own index.
pub(crate) fn declared(runtime: &Runtime) -> Outcome {
    let put = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> place: array<u32>;
         @group(0) @binding(1) var<storage, read_write> y: array<u32>;
         @compute @workgroup_size(64)
         fn put(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&place) { y[place[id.x]] = id.x * 3u; }
         }",
    )?;
    let put = put.access("y", OneToOne)?;
    let place = runtime.buffer_from(&(0..500).collect::<Vec<u32>>())?;
    let y = runtime.buffer::<u32>(500)?;
    let dispatch = runtime.dispatch(&put, 500).bind("place", &place);
    let dispatch = dispatch.bind("y", &y);
    let patterns = dispatch.patterns()?;
    if patterns[1].access != Some(OneToOne) || patterns[1].grounds != Grounds::Declared {
        return Err(format!("{:?}", patterns[1]).into());
    }
    dispatch.run()?;
    expect(runtime, &y, &(0..500).map(|i| i * 3).collect::<Vec<_>>())
}
