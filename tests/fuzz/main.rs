//! Random kernels, run as lanes and on every GPU, against an interpreter that knows nothing of either.
//!
//! `DIVVY_FUZZ_KERNELS` says how many, `DIVVY_FUZZ_SEED` where the seeds begin. A kernel that fails is cut down and printed.
//! With no GPU the GPU's kernels are ignored; with `DIVVY_REQUIRE_GPU=1` they fail.

mod generate;
mod oracle;
mod print;
mod random;
mod shrink;
mod tree;

use divvy::device::VirtualDevice;
use divvy::device::gpu::{FoundGpu, find_gpus};
use divvy::device::virtual_device::Script;
use divvy::{Kernel, Policy, Runtime};
use libtest_mimic::{Arguments, Failed, Trial};
use oracle::Memory;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tree::Program;

/// Kernels for the CPU, of which so many go to each GPU as well: there each has to be compiled for long.
const KERNELS: u64 = 800;
const PER_GPU_KERNEL: u64 = 8;
/// How long a kernel may take, and the cutting of one that fails: far longer than any does.
const LONGEST: Duration = Duration::from_secs(300);
/// Trials that run at the same time.
const SHARDS: u64 = 8;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Runs a program on the runtime's only device.
fn run(runtime: &Runtime, program: &Program) -> Result<Memory, String> {
    let said = |error: divvy::Error| error.to_string();
    let before = Memory::before(program);
    let kernel = Kernel::from_wgsl(&print::wgsl(program)).map_err(|error| error.to_string())?;
    let input = runtime.buffer_from(&program.input).map_err(said)?;
    let words: &[i32] = bytemuck::cast_slice(&before.out);
    let out = runtime.buffer_from(words).map_err(said)?;
    let sums = runtime.buffer_from(&before.sums).map_err(said)?;
    let own = runtime.buffer_from(&before.own).map_err(said)?;
    let wide = runtime.buffer_from(&before.wide).map_err(said)?;
    let wide_own = runtime.buffer_from(&before.wide_own).map_err(said)?;
    let (a, b, c) = program.parameters;
    let dispatch = runtime
        .dispatch(&kernel, program.extents)
        .value("parameters", [a as u32, b, (c as f32).to_bits()]);
    let dispatch = dispatch.bind("input", &input).bind("out", &out);
    let mut dispatch = dispatch.bind("sums", &sums).bind("own", &own);
    if program.uses_wide {
        dispatch = dispatch.bind("wide", &wide).bind("wide_own", &wide_own);
    }
    dispatch.run().map_err(said)?;
    Ok(Memory {
        out: bytemuck::cast_vec(runtime.read(&out).map_err(said)?),
        sums: runtime.read(&sums).map_err(said)?,
        own: runtime.read(&own).map_err(said)?,
        wide: runtime.read(&wide).map_err(said)?,
        wide_own: runtime.read(&wide_own).map_err(said)?,
    })
}

/// What differs between a device and the interpreter, if anything does.
fn difference(runtime: &Runtime, program: &Program) -> Option<String> {
    let right = match oracle::run(program) {
        Ok(right) => right,
        Err(error) => return Some(format!("the interpreter: {error}")),
    };
    let found = match run(runtime, program) {
        Ok(found) => found,
        Err(error) => return Some(error),
    };
    let first = |name: &str, found: &[u32], right: &[u32]| {
        let at = (0..right.len()).find(|i| found[*i] != right[*i])?;
        let (found, right) = (found[at] as i32, right[at] as i32);
        Some(format!("`{name}[{at}]` is {found}, not {right}"))
    };
    let first_wide = |name: &str, found: &[u64], right: &[u64]| {
        let at = (0..right.len()).find(|i| found[*i] != right[*i])?;
        let (found, right) = (found[at], right[at]);
        Some(format!("`{name}[{at}]` is {found:#x}, not {right:#x}"))
    };
    first("out", &found.out, &right.out)
        .or_else(|| first("sums", &found.sums, &right.sums))
        .or_else(|| first("own", &found.own, &right.own))
        .or_else(|| first_wide("wide", &found.wide, &right.wide))
        .or_else(|| first_wide("wide_own", &found.wide_own, &right.wide_own))
}

/// Whether a cut program still is one, and still fails.
fn fails(runtime: &Runtime, program: &Program) -> bool {
    oracle::run(program).is_ok()
        && Kernel::from_wgsl(&print::wgsl(program)).is_ok()
        && difference(runtime, program).is_some()
}

fn check(runtime: &Runtime, seed: u64, has_wide: bool) -> Result<(), Failed> {
    let program = generate::program(seed);
    if program.uses_wide && !has_wide {
        return Ok(());
    }
    let Some(difference_of_all) = difference(runtime, &program) else {
        return Ok(());
    };
    let small = shrink::shrunk(&program, &mut |program| fails(runtime, program));
    let text = format!(
        "seed {seed}: {difference_of_all}\n\nCut down: {}\n\nover {:?}, {:?}, input {:?}\n\n{}",
        difference(runtime, &small).unwrap_or_default(),
        small.extents,
        small.parameters,
        small.input,
        print::wgsl(&small)
    );
    Err(text.into())
}

/// The kernels of a shard on the device of this name, which may have no atomics of 64 bits, and on so many virtual ones.
fn shard(
    (devices, virtuals): (&str, usize),
    has_wide: bool,
    first: u64,
    count: u64,
    shard: u64,
) -> Result<(), Failed> {
    let mut builder = Runtime::builder()
        .devices(devices)
        .threads(1)
        .without_profile_dir();
    if virtuals > 0 {
        builder = builder.split(Policy::Fixed(vec![1.0; virtuals + 1]));
    }
    for i in 0..virtuals {
        let device = VirtualDevice::new(&format!("virtual{i}"), Script::default());
        builder = builder.device(device);
    }
    let build = builder.build();
    let runtime = build.map_err(|error| error.to_string())?;
    let (ended, ends) = mpsc::channel();
    let seeds = (shard..count).step_by(SHARDS as usize).map(|i| first + i);
    let watched: Vec<u64> = seeds.clone().collect();
    std::thread::spawn(move || watch(&watched, &ends));
    for seed in seeds {
        check(&runtime, seed, has_wide)?;
        let _ = ended.send(());
    }
    Ok(())
}

/// Prints a kernel that doesn't end, and gives up: nothing can stop it.
fn watch(seeds: &[u64], ends: &mpsc::Receiver<()>) {
    for seed in seeds {
        match ends.recv_timeout(LONGEST) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let wgsl = print::wgsl(&generate::program(*seed));
                eprintln!("seed {seed} doesn't end\n\n{wgsl}");
                std::process::exit(1);
            }
        }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let found = find_gpus();
    let gpus = found.len();
    let is_required = std::env::var("DIVVY_REQUIRE_GPU").is_ok_and(|required| required == "1");
    let (first, count) = (
        number("DIVVY_FUZZ_SEED", 1),
        number("DIVVY_FUZZ_KERNELS", KERNELS),
    );
    let mut trials = Vec::new();
    for i in 0..SHARDS {
        trials.push(Trial::test(format!("kernels{i}::cpu"), move || {
            shard(("cpu", 0), true, first, count, i)
        }));
        // What is proven of a kernel lets it be split; of most nothing is, and they run whole.
        trials.push(Trial::test(format!("kernels{i}::split"), move || {
            shard(("cpu", 2), true, first, count, i)
        }));
        for gpu in 0..gpus.max(1) {
            let has_wide = found.get(gpu).is_some_and(FoundGpu::has_wide_atomics);
            let test = move || {
                if gpus == 0 {
                    return Err("there is no GPU, and DIVVY_REQUIRE_GPU asks for one".into());
                }
                shard(
                    (&format!("gpu{gpu}"), 0),
                    has_wide,
                    first,
                    count / PER_GPU_KERNEL,
                    i,
                )
            };
            let trial = Trial::test(format!("kernels{i}::gpu{gpu}"), test);
            trials.push(trial.with_ignored_flag(match found.get(gpu) {
                Some(gpu) => !gpu.keeps_integer_rules(),
                None => !is_required,
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
