//! WGSL on the CPU: the same kernels as lanes, on a software GPU, and as plain scalar Rust under rayon, on the same cores.
//!
//! Ends with a table of medians and ratios. `cargo bench --bench lanes -- heat` runs what has that in its name, and `--json FILE`
//! writes the figures. `DIVVY_BENCH_SMALL=1` runs small sizes, to see that all come to the same answers, and
//! `DIVVY_BENCH_ALONE=1` times the lanes alone.
//!
//! `--peers FILE` puts other runtimes that ran the same kernels on the same machine beside them, as columns of the table. The
//! file is a list, `[{"peer": "PoCL 3.1", "workload": "saxpy", "milliseconds": 4.59}, ...]`; workloads are named as here.

mod held;
mod plain;
#[path = "../record/mod.rs"]
mod record;
mod table;
#[path = "../workload/mod.rs"]
mod workload;
mod workloads;

use divvy::{DispatchBuilder, Kernel, Runtime};
use held::{Held, numbers};
use plain::Plain;
use rayon::prelude::*;
use record::{Asked, Record, is_wanted};
use std::error::Error;
use std::time::Instant;
use table::{GPU, LANES, PLAIN, Row};
use workload::raw::Raw;
use workload::{Candidate, Times, Turn};
use workloads::{Bound, Pass, Workload};

const MEMORY: &str = "triad";
/// Elements of each array of the triad.
const TRIAD: usize = 1 << 24;

/// A workload in a runtime that has the CPU alone.
struct Lanes<'a> {
    runtime: &'a Runtime,
    workload: &'a Workload,
    kernels: Vec<Kernel>,
    buffers: Vec<Held>,
}

impl<'a> Lanes<'a> {
    fn new(runtime: &'a Runtime, workload: &'a Workload) -> divvy::Result<Self> {
        let buffers = workload.buffers.iter();
        Ok(Self {
            runtime,
            workload,
            kernels: kernels(workload, "")?,
            buffers: buffers
                .map(|one| Held::new(runtime, one))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Seconds from WGSL that was never seen before to the end of the first dispatch, the median of some.
    fn first(&mut self) -> divvy::Result<f64> {
        let mut samples = Vec::new();
        for turn in 0..21 {
            let start = Instant::now();
            self.kernels = kernels(self.workload, &format!("// {turn}"))?;
            self.pass(&self.workload.passes[0]).run()?;
            samples.push(start.elapsed().as_secs_f64());
        }
        samples.sort_by(f64::total_cmp);
        Ok(samples[samples.len() / 2])
    }

    fn run(&self) -> divvy::Result<()> {
        if let Some(Held::One(buffer)) = self.workload.cleared.map(|at| &self.buffers[at]) {
            self.runtime.write(buffer, &vec![[0]; buffer.len()])?;
        }
        let mut events = Vec::new();
        for pass in &self.workload.passes {
            events.push(self.pass(pass).submit()?);
        }
        events.iter().try_for_each(|event| event.wait().map(drop))
    }

    fn pass(&self, pass: &Pass) -> DispatchBuilder<'_> {
        let (kernel, values) = (&self.kernels[pass.kernel], &self.workload.values);
        held::dispatch(self.runtime, kernel, pass, &self.buffers, values)
    }
}

/// The kernels of a workload, with a line more.
fn kernels(workload: &Workload, more: &str) -> divvy::Result<Vec<Kernel>> {
    let kernel = |wgsl: &&str| Ok(Kernel::from_wgsl(&format!("{wgsl}\n{more}"))?);
    workload.kernels.iter().map(kernel).collect()
}

fn lanes<'a>(runtime: &'a Runtime, workload: &'a Workload) -> Candidate<'a> {
    let lanes = Lanes::new(runtime, workload).expect("the kernels are valid");
    let (at, is_float) = workload.answer;
    let work = move |turn| {
        lanes.run().expect("it runs");
        asked(turn, || {
            let words = lanes.buffers[at].read(runtime);
            numbers(&words.expect("it is there"), is_float)
        })
    };
    (LANES.to_owned(), Box::new(work))
}

fn software_gpu<'a>(raw: &'a Raw, workload: &'a Workload) -> Candidate<'a> {
    let buffer = |(_, words): &(usize, Vec<u32>)| raw.buffer(bytemuck::cast_slice(words), false);
    let buffers: Vec<_> = workload.buffers.iter().map(buffer).collect();
    let value = |words: &Vec<u32>| raw.buffer(bytemuck::cast_slice(words), true);
    let values: Vec<_> = workload.values.iter().map(value).collect();
    let prepare = |pass: &Pass| {
        let bound = pass
            .bound
            .iter()
            .zip(0..)
            .map(|((_, bound), binding)| match bound {
                Bound::Buffer(at) => (binding, &buffers[*at]),
                Bound::Value(at) => (binding, &values[*at]),
            });
        let wgsl = workload.kernels[pass.kernel];
        raw.prepare(wgsl, "main", &[bound.collect()], groups(pass))
    };
    let passes: Vec<_> = workload.passes.iter().map(prepare).collect();
    let (at, is_float) = workload.answer;
    let work = move |turn| {
        let cleared = workload.cleared.map(|at| &buffers[at]);
        raw.run_all(cleared, &passes.iter().collect::<Vec<_>>(), 0);
        asked(turn, || {
            let words: Vec<u32> = bytemuck::pod_collect_to_vec(&raw.read(&buffers[at]));
            numbers(&words, is_float)
        })
    };
    (GPU.to_owned(), Box::new(work))
}

/// Workgroups: 16 x 16 invocations if there are two dimensions, 256 otherwise; those that a dimension has no room for go
/// to a second one.
fn groups(pass: &Pass) -> [u32; 3] {
    let [x, y, _] = pass.range.map(|extent| extent as u32);
    if y > 1 {
        return [x.div_ceil(16), y.div_ceil(16), 1];
    }
    let all = x.div_ceil(256);
    if all <= 32_768 {
        [all, 1, 1]
    } else {
        [32_768, all.div_ceil(32_768), 1]
    }
}

fn plain<'a>(workload: &'a Workload) -> Candidate<'a> {
    let mut plain = Plain::new(workload);
    let (at, is_float) = workload.answer;
    let work = move |turn| {
        plain.run();
        asked(turn, || plain.answer(at, is_float))
    };
    (PLAIN.to_owned(), Box::new(work))
}

/// The answer, if it is asked for.
fn asked(turn: Turn, answer: impl FnOnce() -> Vec<f32>) -> Vec<f32> {
    match turn {
        Turn::Run => Vec::new(),
        Turn::Answer => answer(),
    }
}

/// `a = b + 3 c` over arrays that no cache holds: what the memory gives, in the same minutes as the workload.
fn triad<'a>() -> Candidate<'a> {
    let (mut a, b, c) = (
        vec![0.0_f32; TRIAD],
        vec![1.0_f32; TRIAD],
        vec![2.0_f32; TRIAD],
    );
    let work = move |_| {
        let chunks = a
            .par_chunks_mut(1 << 16)
            .zip(b.par_chunks(1 << 16))
            .zip(c.par_chunks(1 << 16));
        chunks.for_each(|((a, b), c)| {
            a.iter_mut()
                .zip(b)
                .zip(c)
                .for_each(|((a, b), c)| *a = b + 3.0 * c);
        });
        Vec::new()
    };
    (MEMORY.to_owned(), Box::new(work))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut asked = Asked::new();
    let (json, peers) = (asked.path("--json")?, asked.path("--peers")?);
    let words = asked.words()?;
    let peers = match peers {
        Some(file) => record::read(&file)?,
        None => Vec::new(),
    };
    let is_alone = std::env::var_os("DIVVY_BENCH_ALONE").is_some();
    let runtime = Runtime::builder()
        .devices("cpu")
        .without_profile_dir()
        .build()?;
    let raw = Raw::open();
    let mut times = Times::default();
    let mut rows = Vec::new();
    for workload in workloads::all(record::is_small()) {
        if !is_wanted(&words, workload.name) {
            continue;
        }
        let mut candidates = vec![lanes(&runtime, &workload)];
        if !is_alone {
            candidates.extend(raw.as_ref().map(|raw| software_gpu(raw, &workload)));
            candidates.push(plain(&workload));
        }
        candidates.extend(workload.bytes.map(|_| triad()));
        times.compare(workload.name, &mut candidates);
        let mut seconds = times.medians(workload.name);
        let triad = seconds.remove(MEMORY);
        rows.push(Row {
            workload: workload.name.to_owned(),
            title: workload.title.clone(),
            is_shared: workload.is_shared,
            seconds,
            bytes: workload.bytes,
            triad_bytes_per_second: triad.map(|seconds| 12.0 * TRIAD as f64 / seconds),
            first_seconds: 0.0,
        });
    }
    let small = workloads::all(true).into_iter();
    let small = small.filter(|workload| is_wanted(&words, workload.name));
    for (row, workload) in rows.iter_mut().zip(small) {
        row.first_seconds = Lanes::new(&runtime, &workload)?.first()?;
    }
    let record = Record::new("lanes", rows);
    println!("{}", table::table(&record, &peers));
    record.write(json.as_deref())
}
