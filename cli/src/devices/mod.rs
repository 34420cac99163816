//! `divvy devices`: what is here, what it allows, what it is good for.

mod probe;

use crate::failure::Outcome;
use crate::output::print;
use crate::report::{pretty, scaled};
use clap::Args;
use divvy::device::gpu::{FoundGpu, find_gpus};
use divvy::device::{CpuDevice, DeviceInfo, DeviceKind, Home, Limits};
use divvy::{Policy, Runtime};
use probe::Measured;
use serde::Serialize;
use std::fmt::Write;

const EXAMPLES: &str = "\
Examples:
  divvy devices                       # the CPU, and every GPU that isn't run in software
  divvy devices --devices all         # software GPUs too
  divvy devices --json --no-measure   # for programs, and at once

Memory is measured by the triad a = b + s c, arithmetic by independent chains of fused multiply-adds of f32, of which each \
counts as two operations; both are kernels that Divvy runs on the device. Other programs that run meanwhile make it less.";

/// Says which devices there are, what they allow, and how fast they are
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Devices {
    /// Which devices: cpu, gpu, gpu0, all, or part of a name; several with commas
    #[arg(long, value_name = "NAMES")]
    devices: Option<String>,
    /// Don't measure how fast they are, which takes seconds
    #[arg(long)]
    no_measure: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    devices: Vec<Device>,
    skipped: Vec<Skipped>,
}

#[derive(Serialize)]
struct Device {
    name: String,
    kind: &'static str,
    detail: String,
    own_memory: bool,
    limits: Option<Allowed>,
    memory_bytes_per_second: Option<f64>,
    f32_operations_per_second: Option<f64>,
}

/// What kernels may ask for at most; null where only the memory bounds it.
#[derive(Serialize)]
struct Allowed {
    buffer_bytes: Option<u64>,
    binding_bytes: Option<u64>,
    buffers: Option<u32>,
    workgroup: [u32; 3],
    workgroup_invocations: u32,
    workgroup_memory_bytes: u64,
}

#[derive(Serialize)]
struct Skipped {
    name: String,
    kind: &'static str,
    use_with: &'static str,
}

fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Cpu => "cpu",
        DeviceKind::Gpu => "gpu",
        DeviceKind::SoftwareGpu => "software gpu",
        _ => "other",
    }
}

pub(crate) fn devices(options: &Devices) -> Outcome {
    let mut builder = Runtime::builder()
        .split(Policy::Measured)
        .checked(false)
        .without_profile_dir();
    if let Some(names) = &options.devices {
        builder = builder.devices(names);
    }
    let runtime = builder.build()?;
    let gpus = find_gpus();
    let mut told = Told {
        devices: Vec::new(),
        skipped: skipped(&gpus, &runtime),
    };
    let has_form = |text: String, wanted: bool| if wanted { print(text) } else { Ok(()) };
    for info in runtime.devices() {
        let measured = if options.no_measure {
            None
        } else {
            Some(probe::measure(&runtime, info)?)
        };
        let device = device(info, &gpus, measured);
        has_form(text(&device, options.no_measure), !options.json)?;
        told.devices.push(device);
    }
    for skipped in &told.skipped {
        let line = format!(
            "{} ({}) is here too, but isn't used unless you say so: {}\n",
            skipped.name, skipped.kind, skipped.use_with
        );
        has_form(line, !options.json)?;
    }
    has_form(pretty(&told), options.json)
}

fn skipped(gpus: &[FoundGpu], runtime: &Runtime) -> Vec<Skipped> {
    let is_used = |gpu: &&FoundGpu| runtime.devices().any(|info| is_same(info, gpu));
    gpus.iter()
        .filter(|gpu| !is_used(gpu))
        .map(|gpu| Skipped {
            name: gpu.name().to_owned(),
            kind: kind(gpu.kind()),
            use_with: "DIVVY_DEVICES=all, or --devices all",
        })
        .collect()
}

/// Whether a device of the runtime is this GPU, or its twin: those have a number behind the name.
fn is_same(info: &DeviceInfo, gpu: &FoundGpu) -> bool {
    let rest = info.name.strip_prefix(gpu.name());
    info.kind == gpu.kind() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" #"))
}

fn device(info: &DeviceInfo, gpus: &[FoundGpu], measured: Option<Measured>) -> Device {
    let limits = match info.kind {
        DeviceKind::Cpu => Some(CpuDevice::limits()),
        _ => gpus
            .iter()
            .find(|gpu| is_same(info, gpu))
            .map(FoundGpu::limits),
    };
    Device {
        name: info.name.clone(),
        kind: kind(info.kind),
        detail: info.detail.clone(),
        own_memory: info.home == Home::Own,
        limits: limits.map(|limits: Limits| Allowed {
            buffer_bytes: limits.most_buffer_bytes,
            binding_bytes: limits.most_binding_bytes,
            buffers: limits.most_buffers,
            workgroup: limits.most_workgroup,
            workgroup_invocations: limits.most_invocations,
            workgroup_memory_bytes: limits.most_workgroup_bytes,
        }),
        memory_bytes_per_second: measured.and_then(|measured| measured.bytes_per_second),
        f32_operations_per_second: measured.and_then(|measured| measured.operations_per_second),
    }
}

/// Bytes with a binary prefix, as memories are counted.
fn bytes(bytes: u64) -> String {
    for (scale, prefix) in [(30, "Gi"), (20, "Mi"), (10, "Ki")] {
        if bytes >= 1 << scale {
            let scaled = bytes as f64 / f64::from(1 << scale);
            let digits = if scaled.fract() == 0.0 { 0 } else { 1 };
            return format!("{scaled:.digits$} {prefix}B");
        }
    }
    format!("{bytes} B")
}

fn text(device: &Device, is_unmeasured: bool) -> String {
    let mut text = format!("{} ({}): {}\n", device.name, device.kind, device.detail);
    if let Some(limits) = &device.limits {
        let bound = |most: Option<u64>| most.map_or("what fits the memory".to_owned(), bytes);
        let [x, y, z] = limits.workgroup;
        let lines = [
            ("largest buffer", bound(limits.buffer_bytes)),
            ("largest binding", bound(limits.binding_bytes)),
            (
                "buffers a kernel binds",
                limits
                    .buffers
                    .map_or("any number".to_owned(), |most| most.to_string()),
            ),
            (
                "workgroup",
                format!(
                    "{x} x {y} x {z}, {} invocations",
                    limits.workgroup_invocations
                ),
            ),
            ("workgroup memory", bytes(limits.workgroup_memory_bytes)),
        ];
        for (what, most) in lines {
            _ = writeln!(text, "  {what:24}{most}");
        }
    }
    if is_unmeasured {
        return text;
    }
    let rate = |rate: Option<f64>, unit: &str| match rate {
        Some(rate) => format!("{}{unit}, measured", scaled(rate)),
        None => "can't be measured on it".to_owned(),
    };
    let memory = rate(device.memory_bytes_per_second, "B/s");
    let arithmetic = rate(device.f32_operations_per_second, "FLOP/s");
    _ = writeln!(text, "  {:24}{memory}", "memory bandwidth");
    _ = writeln!(text, "  {:24}{arithmetic}", "f32 multiply-adds");
    text
}
