//! `divvy profile`: what was measured in earlier runs, and what follows from it.
//!
//! Invariant: nothing is measured, and nothing but `clear` changes the folder.

use crate::failure::{Failure, Outcome};
use crate::kernel::{Given, KernelFile, load, range};
use crate::output::print;
use crate::report::{scaled, seconds};
use clap::{Args, Subcommand, ValueHint};
use divvy::Range;
use divvy::profile::{FILE, Key, LOCK, Profile, default_folder};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  divvy profile list
  divvy profile explain heat.wgsl --range 4096x4096
  divvy profile clear

Divvy measures each kernel on each device as it runs, and splits the next dispatch by that: the profile is what it remembers. \
It is kept in DIVVY_PROFILE_DIR, or else in a folder of the user's cache. Kernels go by a hash of their source, entry point \
and constants: change one, and it is another kernel.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  All sizes at which it was measured:
    divvy profile explain saxpy.wgsl

  How a dispatch over this range would be shared out by what is known:
    divvy profile explain heat.wgsl --range 4096x4096

  One entry point, with the constants that it was measured with:
    divvy profile explain blur.wgsl --entry rows --constant radius=5";

const LIST_EXAMPLES: &str = "\
Examples:
  divvy profile list
  divvy profile list --folder /tmp/profiles    # that of DIVVY_PROFILE_DIR=/tmp/profiles";

const CLEAR_EXAMPLES: &str = "\
Examples:
  divvy profile clear
  divvy profile clear --folder /tmp/profiles

Clear it after the machine has changed in a way that Divvy doesn't see; the next dispatches measure anew.";

/// Shows or clears what was measured in earlier runs, by which dispatches are split
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProfileCommand {
    #[command(subcommand)]
    action: Action,
    /// The folder, if it isn't the usual one
    #[arg(long, global = true, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Says where the profile is, and what it knows of which kernel and device
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// Says in words what is known of a kernel, and what follows
    Explain(Explain),
    /// Removes the profile, and says what it removed
    #[command(after_help = CLEAR_EXAMPLES)]
    Clear,
}

#[derive(Args, Debug)]
#[command(after_help = EXPLAIN_EXAMPLES)]
struct Explain {
    #[command(flatten)]
    file: KernelFile,
    /// Only this entry point
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
    /// Only at about this size, and how a dispatch over it would be shared out
    #[arg(long, value_name = "RANGE", value_parser = range, allow_negative_numbers = true)]
    range: Option<Range>,
    /// Value of a WGSL override
    #[arg(long, value_name = "NAME=NUMBER")]
    constant: Vec<crate::kernel::Named>,
}

pub(crate) fn profile(options: &ProfileCommand) -> Outcome {
    let folder = options.folder.clone().or_else(default_folder);
    let folder = folder.ok_or(Failure::NoFolder)?;
    match &options.action {
        Action::List => list(&folder),
        Action::Explain(explain) => explained(explain, &folder),
        Action::Clear => clear(&folder),
    }
}

/// The profile, once it is sure that the file is there and can be read.
fn stored(folder: &Path) -> Outcome<Option<Profile>> {
    let path = folder.join(FILE);
    match fs::read_to_string(&path) {
        Ok(_) => Ok(Some(Profile::load(folder))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Failure::Read { path, source }),
    }
}

fn nothing(folder: &Path) -> String {
    format!("{} holds no profile\n", folder.display())
}

/// The sizes of a class, in words.
fn size(key: Key) -> String {
    let least = 2_f64.powi(key.size_class as i32);
    format!(
        "{} to {} invocations",
        scaled(least).trim(),
        scaled(2.0 * least).trim()
    )
}

/// What a device was measured at with a kernel.
fn rate(profile: &Profile, key: Key, device: &str) -> String {
    let rate = profile.rate(key, device).unwrap_or(0.0);
    let spread = profile.spread(key, device);
    let apart = spread.map_or(String::new(), |spread| {
        format!(", samples within {:.0} %", spread * 100.0)
    });
    format!("{}invocations/s on {device}{apart}", scaled(rate))
}

fn list(folder: &Path) -> Outcome {
    let Some(profile) = stored(folder)? else {
        return print(nothing(folder));
    };
    let mut text = format!("{}\n", folder.join(FILE).display());
    if profile.devices().next().is_none() && profile.measured().next().is_none() {
        text += "  nothing that this version can use\n";
    }
    for device in profile.devices() {
        let overhead = profile.overhead(device);
        let overhead = overhead.map(|cost| format!("{} a submission", seconds(cost)));
        let bandwidth = profile.bandwidth(device);
        let bandwidth = bandwidth.map(|rate| format!("copies {}B/s", scaled(rate)));
        let known: Vec<_> = overhead.into_iter().chain(bandwidth).collect();
        _ = writeln!(text, "  device {device}: {}", known.join(", "));
    }
    let mut last = None;
    for (key, device) in profile.measured() {
        if last != Some(key) {
            _ = writeln!(text, "  kernel {:032x}, {}", key.kernel, size(key));
        }
        last = Some(key);
        _ = writeln!(text, "    {}", rate(&profile, key, device));
    }
    print(text)
}

fn explained(options: &Explain, folder: &Path) -> Outcome {
    let Some(profile) = stored(folder)? else {
        return print(nothing(folder));
    };
    let path = &options.file.kernel;
    let kernel = load(path)?;
    let entries = match &options.entry {
        Some(entry) => vec![entry.clone()],
        None => kernel.entries(),
    };
    let given = Given {
        constant: options.constant.clone(),
        ..Given::default()
    };
    let mut text = String::new();
    for entry in entries {
        let kernel = given.complete(kernel.clone(), path, Some(&entry))?;
        let hash = kernel.facts().map_err(divvy::Error::from)?.key;
        _ = writeln!(text, "{entry}, kernel {hash:032x}");
        let mut keys: BTreeMap<u32, Key> = BTreeMap::new();
        for (key, _) in profile.measured().filter(|(key, _)| key.kernel == hash) {
            keys.insert(key.size_class, key);
        }
        if let Some(range) = options.range {
            let asked = Key::new(hash, range.invocations());
            keys.retain(|class, _| *class == asked.size_class);
            if keys.is_empty() {
                _ = writeln!(
                    text,
                    "  was never measured at about {range}: its first dispatch is its own calibration"
                );
            }
        } else if keys.is_empty() {
            text += "  was never measured: its first dispatch is its own calibration\n";
        }
        for key in keys.values() {
            text += &one(&profile, *key, options.range);
        }
    }
    print(text)
}

/// What is known of a kernel at one size.
fn one(profile: &Profile, key: Key, range: Option<Range>) -> String {
    let mut text = format!("  at {}\n", size(key));
    let rates: Vec<_> = profile.rates(key).collect();
    let all: f64 = rates.iter().map(|(_, rate)| rate).sum();
    let most = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    for (device, own) in &rates {
        _ = writeln!(text, "    {}", rate(profile, key, device));
        if let Some(range) = range {
            let alone = seconds(range.invocations() as f64 / own);
            let cost = profile.overhead(device);
            let cost = cost.map_or(String::new(), |cost| {
                format!(", and {} a submission", seconds(cost))
            });
            _ = writeln!(
                text,
                "      alone it takes {alone} over {range}, besides copies{cost}"
            );
        }
    }
    if rates.len() > 1 && most > 0.0 {
        _ = writeln!(
            text,
            "    together they do at most {:.2} times what the fastest does; by rates alone the shares are",
            all / most
        );
        for (device, rate) in &rates {
            _ = writeln!(text, "      {:5.1} % {device}", rate / all * 100.0);
        }
    }
    let density = profile.density(key);
    if density.is_flat() {
        text += "    every place in the range costs about the same\n";
    } else {
        let costs = density.costs();
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        let dearest = costs.iter().copied().fold(0.0, f64::max);
        _ = writeln!(
            text,
            "    places in the range differ in cost: from {least:.2} to {dearest:.2} of the mean, so chunks at the end are \
             handed out as devices ask for them"
        );
    }
    text
}

fn clear(folder: &Path) -> Outcome {
    let known = stored(folder)?;
    let mut text = String::new();
    for name in [FILE, LOCK] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Ok(()) => _ = writeln!(text, "removed {}", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(Failure::Write { path, source }),
        }
    }
    match known {
        Some(profile) => {
            let rates = profile.measured().count();
            let mut kernels: Vec<_> = profile.measured().map(|(key, _)| key.kernel).collect();
            kernels.dedup();
            let devices = profile.devices().count();
            _ = writeln!(
                text,
                "it knew {rates} rates of {} kernels, and what submissions and copies cost on {devices} devices",
                kernels.len()
            );
        }
        None => text += &nothing(folder),
    }
    print(text)
}
