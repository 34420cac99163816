//! The command line of Divvy.
//!
//! Parses, passes on to the command, and turns what it returns into a message and an exit code.
//!
//! Invariant: a failure is one line that begins with `error:`, with a hint below it if there is one.
#![deny(unsafe_code)]
#![deny(
    missing_debug_implementations,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::dbg_macro,
    clippy::todo
)]

mod bench;
mod buffers;
mod check;
mod compare;
mod completions;
mod data;
mod devices;
mod failure;
mod kernel;
mod numbers;
mod output;
mod profile;
mod report;
mod run;
mod short;
mod values;
mod warning;

use clap::{CommandFactory, Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  What is here to compute with, and how fast it is:
    divvy devices

  A kernel over a million invocations; names are those of the WGSL:
    divvy run saxpy.wgsl --range 1000000 --value a=3 --bind x=ones --bind y=iota --out y=y.npy

  Whether a kernel has faults, and whether all devices compute the same:
    divvy check saxpy.wgsl

  What all devices together win, as a page with plots:
    divvy bench suite --html bench.html

A kernel is a compute shader in WGSL; its range is how many invocations of it there are. Each command says more with --help.

A software GPU, which only takes the CPU's own cores, is used when it is asked for: --devices all, or DIVVY_DEVICES=all.";

/// Runs, checks and measures WGSL compute kernels on all the processors of the machine at once
#[derive(Debug, Parser)]
#[command(name = "divvy", version, after_help = EXAMPLES, max_term_width = 110)]
struct Divvy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Devices(devices::Devices),
    Run(Box<run::Run>),
    Check(Box<check::Check>),
    Bench(Box<bench::Bench>),
    Profile(profile::ProfileCommand),
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let options = Divvy::parse();
    output::clean_up_when_interrupted();
    warning::show_warnings();
    let outcome = match &options.command {
        Command::Devices(options) => devices::devices(options).map(|()| ExitCode::SUCCESS),
        Command::Run(options) => run::run(options).map(|()| ExitCode::SUCCESS),
        Command::Check(options) => check::check(options).map(|verdict| match verdict {
            check::Verdict::Clean => ExitCode::SUCCESS,
            check::Verdict::Found => ExitCode::from(1),
        }),
        Command::Bench(options) => bench::bench(options).map(|()| ExitCode::SUCCESS),
        Command::Profile(options) => profile::profile(options).map(|()| ExitCode::SUCCESS),
        Command::Completions(options) => {
            completions::completions(options, Divvy::command()).map(|()| ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|failure| told(&failure))
}

/// Says what went wrong.
fn told(failure: &Failure) -> ExitCode {
    if failure.is_broken_pipe() {
        return ExitCode::SUCCESS;
    }
    output::tell(format!("error: {}\n", failure.message()));
    if let Some(hint) = failure.hint() {
        output::tell(format!("hint: {hint}\n"));
    }
    ExitCode::from(if failure.is_usage() { 2 } else { 1 })
}
