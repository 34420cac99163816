//! How much a device can move and compute at most, measured with kernels that Divvy runs on it.
//!
//! Memory: the triad of STREAM, on arrays that caches don't hold, filled by the device itself so that every page is its
//! own. Arithmetic: chains of fused multiply-adds, each step of which waits for the one before, so many beside each other that the
//! device is always busy; how many that takes differs, so the best of a few counts is told.
//!
//! Invariant: what is measured is the device's own time, without copies, and a median.

use crate::failure::Outcome;
use crate::numbers::median;
use divvy::device::{DeviceInfo, DeviceKind};
use divvy::{DispatchBuilder, Error, Kernel, Policy, Runtime};

const MIB: u64 = 1 << 20;
/// Chains beside each other.
const CHAINS: [u32; 4] = [4, 8, 12, 16];
/// Steps of each chain in one round of the loop.
const STEPS: u32 = 8;
/// How long one run of the arithmetic takes at least.
const LONG_ENOUGH_SECONDS: f64 = 0.02;
const MOST_ROUNDS: u32 = 1 << 20;
const SAMPLES: usize = 7;

/// What was measured of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) bytes_per_second: Option<f64>,
    pub(super) operations_per_second: Option<f64>,
}

pub(super) fn measure(runtime: &Runtime, device: &DeviceInfo) -> Outcome<Measured> {
    Ok(Measured {
        bytes_per_second: able(bandwidth(runtime, device))?,
        operations_per_second: able(arithmetic(runtime, device))?,
    })
}

/// A device that can't run what measures it has no measure, which is no failure.
fn able(measured: divvy::Result<f64>) -> Outcome<Option<f64>> {
    match measured {
        Ok(rate) => Ok(Some(rate)),
        Err(Error::NoDevice { .. } | Error::OutOfHostMemory(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The device's own seconds of a dispatch.
fn seconds(dispatch: DispatchBuilder<'_>, device: &DeviceInfo) -> divvy::Result<f64> {
    let report = dispatch.split(Policy::Only(device.name.clone())).run()?;
    Ok(report.devices.iter().map(|device| device.seconds).sum())
}

fn bandwidth(runtime: &Runtime, device: &DeviceInfo) -> divvy::Result<f64> {
    let most = match device.kind {
        DeviceKind::Gpu => 256 * MIB,
        _ => 64 * MIB,
    };
    let bytes = most.min(device.most_binding_bytes);
    let len = bytes as usize / size_of::<[f32; 4]>();
    let source = Kernel::from_wgsl(include_str!("../../kernels/triad.wgsl"))?;
    let (fill, triad) = (source.clone().entry("fill")?, source.entry("triad")?);
    let [a, b, c] = [
        runtime.buffer::<[f32; 4]>(len)?,
        runtime.buffer::<[f32; 4]>(len)?,
        runtime.buffer::<[f32; 4]>(len)?,
    ];
    let fill = runtime
        .dispatch(&fill, len)
        .value("s", 0.5_f32)
        .bind("b", &b)
        .bind("c", &c);
    seconds(fill, device)?;
    let mut samples = Vec::new();
    // The first one puts a's pages in place.
    for sample in 0..=SAMPLES {
        let triad = runtime
            .dispatch(&triad, len)
            .value("s", 3.0_f32)
            .bind("a", &a)
            .bind("b", &b)
            .bind("c", &c);
        let seconds = seconds(triad, device)?;
        if sample > 0 {
            samples.push(seconds);
        }
    }
    Ok(3.0 * (len * size_of::<[f32; 4]>()) as f64 / median(&samples))
}

/// A kernel of so many chains.
fn chains(count: u32) -> String {
    let names: Vec<_> = (0..count).map(|i| format!("x{i}")).collect();
    let start: String = (0..count)
        .map(|i| format!("    var x{i} = f32(id.x + {i}u) * 1e-6;\n"))
        .collect();
    let step: String = names
        .iter()
        .map(|x| format!("        {x} = fma({x}, rounds.a, rounds.b);\n"))
        .collect();
    format!(
        "struct Rounds {{ count: u32, a: f32, b: f32 }}
@group(0) @binding(0) var<uniform> rounds: Rounds;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(256)
fn chains(@builtin(global_invocation_id) id: vec3<u32>) {{
{start}    for (var i = 0u; i < rounds.count; i++) {{
{}    }}
    if id.x < arrayLength(&sums) {{ sums[id.x] = {}; }}
}}
",
        step.repeat(STEPS as usize),
        names.join(" + ")
    )
}

fn arithmetic(runtime: &Runtime, device: &DeviceInfo) -> divvy::Result<f64> {
    let invocations: u32 = match device.kind {
        DeviceKind::Gpu => 1 << 20,
        _ => 1 << 16,
    };
    let mut best = 0.0_f64;
    for count in CHAINS {
        let kernel = Kernel::from_wgsl(&chains(count))?;
        let sums = runtime.buffer::<f32>(invocations as usize)?;
        let run = |rounds: u32| {
            // Goes to one, whatever it begins with: no number is ever so small that it slows a processor down.
            let (a, b) = (0.999_f32.to_bits(), 0.001_f32.to_bits());
            let dispatch = runtime
                .dispatch(&kernel, invocations)
                .value("rounds", [rounds, a, b])
                .bind("sums", &sums);
            seconds(dispatch, device)
        };
        let mut rounds = 16;
        run(rounds)?;
        while run(rounds)? < LONG_ENOUGH_SECONDS && rounds < MOST_ROUNDS {
            rounds *= 2;
        }
        let samples: Vec<f64> = (0..SAMPLES)
            .map(|_| run(rounds))
            .collect::<divvy::Result<_>>()?;
        let each = 2.0 * f64::from(count) * f64::from(STEPS) * f64::from(rounds);
        best = best.max(each * f64::from(invocations) / median(&samples));
    }
    Ok(best)
}
