//! Cases of what is computed, in which memory, and by which body.

use crate::expecting::{Known, Outcome, expect};
use divvy::Access::OneToOne;
use divvy::device::DeviceKind;
use divvy::{Kernel, Runtime};

/// Memory that is given back and asked for again starts zeroed.
pub(crate) fn reused_memory(runtime: &Runtime) -> Outcome {
    let add = Kernel::from_wgsl("@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(64)
         fn add(@builtin(global_invocation_id) id: vec3<u32>) { if id.x < arrayLength(&x) { x[id.x] += 9u; } }")?;
    for _ in 0..10 {
        let x = runtime.buffer::<u32>(1000)?;
        runtime
            .dispatch(&add, 1000)
            .bind("x", &x)
            .proven(&[("x", OneToOne)])?
            .run()?;
        expect(runtime, &x, &[9; 1000])?;
    }
    Ok(())
}

/// What the WGSL specification lets differ: a sine is within 2^-11 of the truth, an exponential and a root within a few
/// units in the last place, and products may be fused into sums.
pub(crate) fn floats(runtime: &Runtime) -> Outcome {
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
        .proven(&[("x", OneToOne), ("y", OneToOne)])?
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
pub(crate) fn native(runtime: &Runtime) -> Outcome {
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
        .proven(&[("x", OneToOne)])?
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
