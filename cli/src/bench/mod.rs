//! `divvy bench`: kernels on each device alone, on all together, and split by hand.

mod measure;
mod page;
mod plot;
mod scale;
mod suite;
mod table;
mod timeline;
mod tracks;

use crate::failure::{Failure, Outcome};
use crate::kernel::{Given, load, part, range};
use crate::output::{Files, check_writable, print, tell, the_file};
use crate::report::pretty;
use clap::{Args, ValueHint};
use divvy::{Policy, Range, Runtime};
use measure::Row;
use serde::Serialize;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  The kernels that come with the program (saxpy, mandelbrot, nbody, heat, matmul), on all devices:
    divvy bench suite --devices all --html bench.html

  A kernel of your own over three sizes, as numbers for another program:
    divvy bench saxpy.wgsl --range 65536 --range 1048576 --range 16777216 \\
      --bind x=random:1 --bind y=random:2 --value a=0.001 --json saxpy.json

  A quick look at whether everything works:
    divvy bench suite --quick

Each device alone, all together as measurement splits it, and 21 fixed splits take turns; a time is the median, as the caller \
sees it, of runs whose data is where it is needed. What the devices compute is compared first. The fixed splits give the first \
device 0 to 100 %. In the table, `best split` is the \
fastest of them and the first device's share in it, `possible` is the sum of the devices' rates over the largest, `speedup` what was won over the best device \
alone, `efficiency` \
`speedup` over `possible`. Leave the machine alone meanwhile.";

/// Measures kernels: each device alone, all together, and fixed splits
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Bench {
    /// The kernel's WGSL, or `suite` for those that come with the program
    #[arg(value_name = "KERNEL.wgsl|suite", default_value = "suite", value_hint = ValueHint::FilePath)]
    what: PathBuf,
    /// Which entry point to run, if the kernel has several
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
    /// A range to run over; may be given several times
    #[arg(long, value_name = "RANGE", value_parser = range, allow_negative_numbers = true)]
    range: Vec<Range>,
    #[command(flatten)]
    given: Given,
    /// Devices to use: cpu, gpu, gpu0, all, or part of a name; several with commas
    #[arg(long, value_name = "NAMES")]
    devices: Option<String>,
    /// Which part of the numbers may differ between devices, for a kernel that magnifies how they round
    #[arg(long, value_name = "PART", default_value_t = 0.0, value_parser = part, allow_negative_numbers = true)]
    apart: f64,
    /// How many times each is timed
    #[arg(long, value_name = "N", default_value_t = 5, conflicts_with = "quick", value_parser = clap::value_parser!(u16).range(1..), allow_negative_numbers = true)]
    rounds: u16,
    /// Small ranges of the suite, and each only once
    #[arg(long)]
    quick: bool,
    /// Write all numbers as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    json: Option<PathBuf>,
    /// Write a page with plots and tables, which needs nothing but itself
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Results {
    version: &'static str,
    /// Names and drivers, in the order of shares and timelines.
    devices: Vec<String>,
    rounds: usize,
    rows: Vec<Row>,
}

pub(crate) fn bench(options: &Bench) -> Outcome {
    check_files(options)?;
    let workloads = if options.what == Path::new("suite") {
        check_suite(options)?;
        suite::suite(options.quick)?
    } else {
        let path = &options.what;
        let kernel = options
            .given
            .complete(load(path)?, path, options.entry.as_deref())?;
        suite::own(path, kernel, &options.given, &options.range, options.apart)?
    };
    let rounds = match options.quick {
        true => 1,
        false => usize::from(options.rounds),
    };
    // A split or a check that the environment asks for is not what is measured here.
    let builder = || {
        let builder = Runtime::builder().split(Policy::Measured).checked(false);
        match &options.devices {
            Some(names) => builder.devices(names),
            None => builder,
        }
    };
    let mut results = Results {
        version: env!("CARGO_PKG_VERSION"),
        devices: measure::names(&builder)?,
        rounds,
        rows: Vec::new(),
    };
    for workload in &workloads {
        tell(format!(
            "measuring {} over {}\n",
            workload.name, workload.range
        ));
        match measure::measure(workload, &builder, rounds) {
            Ok(row) => results.rows.push(row),
            // What was measured until then is not lost.
            Err(error) if !results.rows.is_empty() => {
                print(table::table(&results.rows))?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    print(table::table(&results.rows))?;
    let mut files = Files::default();
    if let Some(path) = &options.json {
        files.add(path, pretty(&results).as_bytes())?;
    }
    if let Some(path) = &options.html {
        files.add(path, page::page(&results).as_bytes())?;
    }
    files.finish()
}

/// Refuses files that can't be written, before there is anything to write.
fn check_files(options: &Bench) -> Outcome {
    if let (Some(json), Some(html)) = (&options.json, &options.html)
        && the_file(json) == the_file(html)
        && !json.metadata().is_ok_and(|found| !found.is_file())
    {
        return Err(Failure::SameFile {
            first: "--json".to_owned(),
            second: "--html".to_owned(),
            path: html.clone(),
        });
    }
    let mut paths = options.json.iter().chain(&options.html);
    paths.try_for_each(|path| check_writable(path))
}

/// Refuses what is said of a kernel where the suite's are measured.
fn check_suite(options: &Bench) -> Outcome {
    let said = [
        ("--entry", options.entry.is_some()),
        ("--range", !options.range.is_empty()),
        ("--bind", !options.given.bind.is_empty()),
        ("--value", !options.given.value.is_empty()),
        ("--constant", !options.given.constant.is_empty()),
        ("--apart", options.apart > 0.0),
    ];
    match said.into_iter().find(|(_, is_said)| *is_said) {
        Some((option, _)) => Err(Failure::OfSuite { option }),
        None => Ok(()),
    }
}
