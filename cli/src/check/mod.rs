//! `divvy check`: what is known of a kernel, whether devices agree on it, and whether checked mode finds faults.
//!
//! Runs each entry point on generated data; what nobody has said is guessed and told.
//!
//! Invariant: it ends well only if nothing was found.

mod invent;
mod told;

use crate::buffers::{Buffers, Inputs};
use crate::compare::{Difference, TOLERANCE, difference, is_written};
use crate::data::{Data, Slot};
use crate::failure::{Failure, Outcome};
use crate::kernel::{Given, KernelFile, Where, load, part, range};
use crate::output::print;
use clap::Args;
use divvy::device::DeviceKind;
use divvy::{Error, Kernel, Policy, Range, Runtime};
use invent::Guess;

const EXAMPLES: &str = "\
Examples:
  Everything that can be found without being told anything:
    divvy check heat.wgsl

  One entry point, on a range that is no multiple of its workgroups, against a software GPU:
    divvy check galaxy.wgsl --entry kick --range 1000 --devices all

  With the data and values that the kernel is meant for:
    divvy check heat.wgsl --range 512x512 --bind old=plate.npy \\
      --value plate.width=512 --value plate.height=512

Of each entry point it says what it binds, how a dispatch of it can be split between devices, or which line stands in the \
way; it runs it checked, which finds indices out of bounds, data races and divergent barriers; and it compares what the CPU \
and every GPU compute, alone and together. Whole numbers must be equal; floats may part by --tolerance of their size.

Exit codes: 0 if nothing was found, 1 if something was, or a file can't be read, 2 if the command line has to be changed.";

/// Says what is known of a kernel, and looks for faults and for devices that don't agree
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Check {
    #[command(flatten)]
    file: KernelFile,
    /// Which entry point to check; without it, all
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
    /// Invocations along x, y and z; without it, some thousands in whole workgroups
    #[arg(long, value_name = "RANGE", value_parser = range, allow_negative_numbers = true)]
    range: Option<Range>,
    #[command(flatten)]
    given: Given,
    /// Devices to compare with the CPU: gpu, gpu0, all, or part of a name; several with commas
    #[arg(long, value_name = "NAMES")]
    devices: Option<String>,
    /// How far floats may part, of their size; near zero, a tenth of that of the buffer's median size
    #[arg(long, value_name = "PART", default_value_t = TOLERANCE, value_parser = part, allow_negative_numbers = true)]
    tolerance: f64,
    /// Which part of the numbers may differ all the same, for a kernel that magnifies how devices round
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part, allow_negative_numbers = true)]
    apart: f64,
}

/// A part of the numbers that may differ for no worse reason than rounding.
const FEW: f64 = 0.05;

/// Whether something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Clean,
    Found,
}

pub(crate) fn check(options: &Check) -> Outcome<Verdict> {
    let path = &options.file.kernel;
    let kernel = load(path)?;
    let entries = match &options.entry {
        Some(entry) => vec![entry.clone()],
        None => kernel.entries(),
    };
    let complete = |entry: &String| {
        options
            .given
            .complete(kernel.clone(), path, Some(entry.as_str()))
    };
    let kernels: Vec<Kernel> = entries.iter().map(complete).collect::<Outcome<_>>()?;
    check_names(&options.given, &kernels)?;
    let place = Where {
        devices: options.devices.clone(),
        split: None,
    };
    let machine = Machine {
        cpu: Runtime::builder()
            .devices("cpu")
            .split(Policy::Measured)
            .checked(false)
            .without_profile_dir()
            .build()?,
        all: place
            .builder()
            .split(Policy::Measured)
            .checked(false)
            .without_profile_dir()
            .build()?,
        checked: Runtime::builder().checked(true).build()?,
    };
    let mut verdict = Verdict::Clean;
    for (i, kernel) in kernels.iter().enumerate() {
        if i > 0 {
            print("\n")?;
        }
        if check_entry(options, &machine, kernel)? == Verdict::Found {
            verdict = Verdict::Found;
        }
    }
    Ok(verdict)
}

struct Machine {
    cpu: Runtime,
    all: Runtime,
    checked: Runtime,
}

/// A name that no entry point has is a mistake; one that some have is for those.
fn check_names(given: &Given, kernels: &[Kernel]) -> Outcome {
    let mut found: Vec<String> = Vec::new();
    for kernel in kernels {
        let facts = kernel.facts().map_err(Error::from)?;
        found.extend(facts.bindings.iter().map(|binding| binding.name.clone()));
    }
    found.sort();
    found.dedup();
    let named = given.bind.iter().chain(&given.value);
    for named in named {
        let root = named.name.split(['.', '[']).next().unwrap_or_default();
        if !found.iter().any(|name| name == root) {
            return Err(Failure::UnknownName {
                what: "binding",
                name: root.to_owned(),
                found,
            });
        }
    }
    Ok(())
}

fn check_entry(options: &Check, machine: &Machine, kernel: &Kernel) -> Outcome<Verdict> {
    let facts = kernel.facts().map_err(Error::from)?;
    let slots: Vec<_> = (0..facts.bindings.len())
        .map(|place| Slot::new(facts, place))
        .collect();
    print(told::reflection(facts, &slots, &kernel.overrides()))?;
    let mut given = options.given.clone();
    let is_bound = |name: &str| {
        let root = name.split(['.', '[']).next().unwrap_or_default();
        slots.iter().any(|slot| slot.name() == root)
    };
    given.bind.retain(|named| is_bound(&named.name));
    given.value.retain(|named| is_bound(&named.name));
    let range = options.range.unwrap_or_else(|| some_range(facts.workgroup));
    let mut guess = Guess::default();
    let inputs = given.inputs(kernel, range, &mut guess)?;
    let said = match options.range {
        Some(_) => "",
        None => ", because --range says nothing",
    };
    print(format!("over {range}{said}\n"))?;
    for guessed in &guess.told {
        print(format!("  guessed: {guessed}\n"))?;
    }
    let buffers = Buffers::new(&machine.cpu, kernel, range, &inputs)?;
    print("access patterns\n")?;
    match buffers.dispatch().patterns() {
        Ok(patterns) => print(told::patterns(&patterns))?,
        Err(error) => print(format!("  {error}\n"))?,
    }
    let mut verdict = run_checked(machine, kernel, range, &inputs)?;
    if verdict == Verdict::Found && !guess.told.is_empty() {
        print(
            "  it ran on what was guessed above: --range, --bind and --value say what the kernel is meant for\n",
        )?;
    }
    if compare(options, machine, &buffers, &inputs, kernel, range)? == Verdict::Found {
        verdict = Verdict::Found;
    }
    Ok(verdict)
}

/// Whole workgroups in as many dimensions as they have, some thousands of invocations.
fn some_range(workgroup: [u32; 3]) -> Range {
    let side = |most: u32, size: u32| most.next_multiple_of(size.max(1));
    match workgroup {
        [x, 1, 1] => Range::from(side(4096, x)),
        [x, y, 1] => Range::from([side(128, x), side(128, y)]),
        [x, y, z] => Range::from([side(32, x), side(32, y), side(16, z)]),
    }
}

fn run_checked(
    machine: &Machine,
    kernel: &Kernel,
    range: Range,
    inputs: &Inputs,
) -> Outcome<Verdict> {
    print("checked run\n")?;
    let buffers = Buffers::new(&machine.checked, kernel, range, inputs)?;
    match buffers.dispatch().run() {
        Ok(_) => {
            print("  nothing found\n")?;
            Ok(Verdict::Clean)
        }
        Err(Error::Checked(findings)) => {
            for line in findings.to_string().lines() {
                print(format!("  {line}\n"))?;
            }
            Ok(Verdict::Found)
        }
        Err(Error::NoDevice { reasons }) => {
            print(format!("  can't be run checked: {}\n", reasons.join("; ")))?;
            Ok(Verdict::Clean)
        }
        Err(error) => Err(error.into()),
    }
}

/// Who runs a dispatch of a comparison.
fn parties(all: &Runtime) -> Vec<(String, Policy)> {
    let gpus = all.devices().filter(|info| info.kind != DeviceKind::Cpu);
    let mut parties: Vec<_> = gpus
        .map(|info| (info.name.clone(), Policy::Only(info.name.clone())))
        .collect();
    let count = all.devices().count();
    if count > 1 {
        let even = Policy::Fixed(vec![1.0; count]);
        parties.push(("all together, in even shares".to_owned(), even));
    }
    parties
}

fn compare(
    options: &Check,
    machine: &Machine,
    on_cpu: &Buffers<'_>,
    inputs: &Inputs,
    kernel: &Kernel,
    range: Range,
) -> Outcome<Verdict> {
    let parties = parties(&machine.all);
    print("beside the CPU\n")?;
    if parties.is_empty() {
        return print(format!("  {}\n", nobody())).map(|()| Verdict::Clean);
    }
    match on_cpu.dispatch().run() {
        Ok(_) => {}
        Err(Error::NoDevice { reasons }) => {
            return print(format!("  {}\n", reasons.join("; "))).map(|()| Verdict::Clean);
        }
        Err(error) => return Err(error.into()),
    }
    let on_cpu = written(on_cpu, inputs)?;
    let buffers = Buffers::new(&machine.all, kernel, range, inputs)?;
    let mut verdict = Verdict::Clean;
    for (name, policy) in parties {
        buffers.reset()?;
        match buffers.dispatch().split(policy).run() {
            Ok(_) => {}
            Err(Error::NoDevice { reasons }) => {
                print(format!("  {name}: left out, {}\n", reasons.join("; ")))?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let theirs = written(&buffers, inputs)?;
        let pairs = on_cpu.iter().zip(&theirs);
        let differences: Vec<Difference> = pairs
            .filter_map(|((slot, cpu), (_, other))| difference(slot, cpu, other, options.tolerance))
            .collect();
        if differences.is_empty() {
            print(format!(
                "  {name}: the same (whole numbers exactly, floats within {} of their size)\n",
                options.tolerance
            ))?;
        }
        for found in differences {
            let is_allowed = found.part() <= options.apart;
            if !is_allowed {
                verdict = Verdict::Found;
            }
            print(format!(
                "  {name}: `{}` is not what the CPU has{}: {found}\n",
                found.name,
                if is_allowed {
                    ", as --apart allows"
                } else {
                    ""
                }
            ))?;
            if !is_allowed && found.part() < FEW {
                let enough = found.part() * 1.1;
                print(format!(
                    "    these are few: if the kernel magnifies how devices round, --apart {enough:.1e} allows as many\n"
                ))?;
            }
        }
    }
    Ok(verdict)
}

fn nobody() -> String {
    let software = divvy::device::gpu::find_gpus();
    match software.first() {
        Some(gpu) => format!(
            "nothing to compare with; `{}` is there for --devices all",
            gpu.name()
        ),
        None => "nothing to compare with: there is no GPU".to_owned(),
    }
}

/// What the kernel may have written.
fn written<'a>(buffers: &Buffers<'_>, inputs: &'a Inputs) -> Outcome<Vec<(&'a Slot, Data)>> {
    let places = inputs.bound.iter().enumerate();
    places
        .filter(|(_, (slot, _))| is_written(slot))
        .map(|(place, (slot, _))| Ok((slot, buffers.read(place)?)))
        .collect()
}
