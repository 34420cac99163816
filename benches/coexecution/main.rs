//! Does the split pay? Twelve workloads on five machines, once cold, once warm, and many times over, each beside every
//! device alone and beside fixed shares.
//!
//! `cargo bench --bench coexecution` prints a table in markdown for each machine. Words behind `--` pick the rows that have
//! all of them in `machine/workload/mode`, as in `-- 1:4/ heat`; `--json FILE` writes all figures and `--plot FILE` an SVG.
//! `DIVVY_BENCH_SMALL=1` runs small sizes, to see that all rows run and all answers are right.
//!
//! **Machines.** `cpu+lavapipe` is the CPU with one thread and a software GPU with one, each kept on a core of its own (the
//! bench starts itself again with `LP_NUM_THREADS=1`); a hardware GPU makes a machine with the whole CPU. The others, such as
//! `1:4:16`, are scripted devices of these speeds: each works out its chunk on the cores and sleeps for what is left of the
//! scripted time, so that two cores can be any machine as long as they do the work of all in less. Where they took over 2 %
//! longer, the row says `late`. The fastest takes 20 ms (small: 4 ms) for an iteration; the cost of an invocation follows the
//! work of each row of the image where rows differ (`mandelbrot`, `ray`). The first device computes in the host's memory, as
//! a CPU does; the others are reached by links of 2 GB/s, and each run or copy of theirs takes 20 microseconds more.
//!
//! **Modes.** `cold` and `warm` are one iteration from data in the host's memory to an answer in the host's memory, which has
//! been touched before, with kernels compiled before, by a runtime that has never run them at this size or that finds their
//! rates in a profile.
//! `repeated` is 200 iterations or what takes about 6 s alone, 20 at least (small: 40 and 1 s), from cold to the answer in
//! the host's memory; milliseconds are for one. No kernel declares anything.
//!
//! **Sizes.** `--sizes` compares all devices with each of them alone at 2^8 to 2^24 invocations, once all has settled; on
//! scripted machines, of which there are two, up to 2^18, and the fastest takes four times what the cores take for the whole,
//! a millisecond at least.
//!
//! **Recovery.** `--recovery` counts the dispatches until a split is as good as the best fixed shares again, after a profile
//! that is wrong and after a device has changed its speed.
//!
//! **Figures.** *Speedup* is over the best device alone through this runtime, counted the same way. `S_max` is the sum of
//! the devices' rates over the largest; rates are those of each device alone; where processors share cores or memory and
//! the work is repeated, those with all of them busy, each with a whole problem of its own. *Efficiency* is speedup by
//! `S_max`; *settled* the same, of `repeated` once everything is learned. *Balance* is the least over the most time that
//! devices were busy. *Regret* is the split's time over the least with fixed shares, of which some twenty are tried, and the
//! best three again, in turn with the split: of two devices every twentieth, of three those of a model that knows the
//! scripts and others near them. *Over model* is it over what that model says, which no split falls below. *Whole* counts
//! iterations that one device did alone. *Overhead* is what the best device alone takes over its script, or a GPU over the same in
//! plain wgpu. *Moved* are bytes copied between memories in an iteration (`repeated`: the median of the later half), without
//! reading the answer.

#[path = "../workload/answers.rs"]
mod answers;
mod cores;
mod lanes;
mod machine;
mod measure;
mod model;
mod native;
mod plot;
#[path = "../workload/raw.rs"]
mod raw;
#[path = "../record/mod.rs"]
mod record;
mod recovery;
#[path = "recovery/table.rs"]
mod recovery_table;
mod reference;
mod row;
mod session;
#[path = "sizes/table.rs"]
mod size_table;
mod sizes;
mod sweep;
mod table;
mod turns;
mod workloads;

use divvy::device::gpu::find_gpus;
use machine::Machine;
use measure::{Bench, Effort};
use model::Costs;
use raw::Raw;
use record::{Asked, Record, is_wanted};
use row::{Mode, Row};
use std::error::Error;
use std::process::{Command, ExitCode};
use workloads::{NAMES, Size, Workload};

const LAVAPIPE_THREADS: &str = "LP_NUM_THREADS";

/// The scripted machines that sizes are compared on.
const SIZED: [&str; 2] = ["1:1", "1:4"];

const FULL: Effort = Effort {
    rounds: 7,
    most_iterations: 200,
    iterating: 6.0,
    least_iterations: 20,
    scripted_seconds: 20e-3,
};
const SMALL: Effort = Effort {
    rounds: 3,
    most_iterations: 40,
    iterating: 1.0,
    least_iterations: 20,
    scripted_seconds: 4e-3,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if std::env::var_os(LAVAPIPE_THREADS).is_none() {
        // The driver looks at it when it is loaded, before anything of this process could be told.
        let mut again = Command::new(std::env::current_exe()?);
        again.args(std::env::args_os().skip(1));
        let status = again.env(LAVAPIPE_THREADS, "1").status()?;
        return Ok(if status.success() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let mut asked = Asked::new();
    let (json, plot) = (asked.path("--json")?, asked.path("--plot")?);
    let (by_size, mending) = (asked.flag("--sizes"), asked.flag("--recovery"));
    let words = asked.words()?;
    let is_small = record::is_small();
    let effort = if is_small { SMALL } else { FULL };
    let machines = machine::all();
    if by_size {
        let rows = sizes(&words, &machines, is_small);
        Record::new("sizes", rows).write(json.as_deref())?;
        return Ok(ExitCode::SUCCESS);
    }
    if mending {
        let rows = recovery(&words, &machines, is_small, effort.scripted_seconds);
        Record::new("recovery", rows).write(json.as_deref())?;
        return Ok(ExitCode::SUCCESS);
    }
    let raw = Raw::open().filter(|_| find_gpus().len() == 1);
    let mut rows: Vec<Row> = Vec::new();
    for machine in &machines {
        let first = rows.len();
        for name in NAMES {
            let wanted: Vec<_> = Mode::ALL
                .into_iter()
                .filter(|mode| wants(&words, machine, name, *mode))
                .collect();
            if !wanted.is_empty() {
                let size = match (is_small, machine.is_real) {
                    (true, _) => Size::Small,
                    (false, false) => Size::Scripted,
                    (false, true) => Size::Real,
                };
                let workload = Workload::new(name, size);
                let raw = raw.as_ref().filter(|_| machine.is_real);
                rows.extend(run(machine, &workload, &wanted, effort, raw));
            }
        }
        if rows.len() > first {
            println!("{}", table::of_machine(&rows[first..]));
        }
    }
    let record = Record::new("coexecution", rows);
    record.write(json.as_deref())?;
    if let Some(file) = &plot {
        let names: Vec<_> = machines
            .iter()
            .map(|machine| machine.name.clone())
            .collect();
        plot::write(file, &names, &record.rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a row is wanted.
fn wants(words: &[String], machine: &Machine, workload: &str, mode: Mode) -> bool {
    is_wanted(
        words,
        &format!("{}/{workload}/{}", machine.name, mode.name()),
    )
}

/// Every workload at every size, on the machines that are wanted.
fn sizes(words: &[String], machines: &[Machine], is_small: bool) -> Vec<size_table::Sized> {
    let mut rows = Vec::new();
    let sized = machines.iter();
    for machine in sized.filter(|one| one.is_real || SIZED.contains(&one.name.as_str())) {
        let most = match (is_small, machine.is_real) {
            (true, _) => 12,
            (false, false) => 18,
            (false, true) => 24,
        };
        let mut found = Vec::new();
        for name in NAMES {
            if !wants(words, machine, name, Mode::Repeated) {
                continue;
            }
            for power in (8..=most).step_by(2) {
                let workload = Workload::of_size(name, 1 << power);
                found.extend(workload.map(|workload| sizes::measure(machine, &workload)));
            }
        }
        if !found.is_empty() {
            println!("{}", size_table::of_machine(&found));
        }
        rows.append(&mut found);
    }
    rows
}

/// What becomes of a wrong profile, and of a device that changes its speed.
fn recovery(
    words: &[String],
    machines: &[Machine],
    is_small: bool,
    seconds: f64,
) -> Vec<recovery_table::Recovery> {
    let size = if is_small {
        Size::Small
    } else {
        Size::Scripted
    };
    let mut found = Vec::new();
    for machine in machines.iter().filter(|machine| !machine.is_real) {
        let wanted = ["n-body", "mandelbrot", "heat"].into_iter();
        for name in wanted.filter(|name| wants(words, machine, name, Mode::Repeated)) {
            found.extend(recovery::measure(
                machine,
                &Workload::new(name, size),
                seconds,
            ));
        }
    }
    println!("{}", recovery_table::table(&found));
    found
}

/// The wanted modes of a workload on a machine.
fn run(
    machine: &Machine,
    workload: &Workload,
    wanted: &[Mode],
    effort: Effort,
    raw: Option<&Raw>,
) -> Vec<Row> {
    let costs = Costs::new(workload);
    let patterns = session::patterns(workload);
    // Set up for each measurement, so that it is told how late its own devices were.
    let measured = |measure: &dyn Fn(&Bench<'_>) -> Vec<Row>| {
        let setup = machine.setup(workload, &costs, effort.scripted_seconds);
        measure(&Bench {
            machine: &machine.name,
            is_real: machine.is_real,
            setup: &setup,
            workload,
            costs: &costs,
            patterns: &patterns,
            effort,
            raw,
        })
    };
    let mut rows = Vec::new();
    if wanted.iter().any(|mode| *mode != Mode::Repeated) {
        let both = measured(&|bench| bench.one_shots());
        rows.extend(both.into_iter().filter(|row| wanted.contains(&row.mode)));
    }
    if wanted.contains(&Mode::Repeated) {
        rows.extend(measured(&|bench| vec![bench.repeated()]));
    }
    // The table comes when the machine is done.
    for row in &rows {
        eprintln!(
            "{}/{}/{}: efficiency {:.2}",
            row.machine,
            row.workload,
            row.mode.name(),
            row.efficiency()
        );
    }
    rows
}
