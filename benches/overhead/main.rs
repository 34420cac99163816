//! What the runtime itself costs: planning, and dispatches that do nothing.
//!
//! `LP_NUM_THREADS=1 RAYON_NUM_THREADS=1` gives a software GPU and the CPU a core each. Ends with a table of medians, and
//! `--json FILE` writes the figures.

#[path = "../record/mod.rs"]
mod record;
mod table;
#[path = "../workload/mod.rs"]
mod workload;

use criterion::Criterion;
use divvy::device::gpu::find_gpus;
use divvy::device::virtual_device::Script;
use divvy::device::{Home, VirtualDevice};
use divvy::id::{BufferId, DeviceId, OperationId};
use divvy::plan::{Placed, Plan, Planner, Touch};
use divvy::split::{Decider, Demand, Density, Estimate, partition};
use divvy::system::System;
use divvy::{Access, Buffer, Event, Kernel, Policy, Runtime, Span};
use record::{Asked, Record, is_wanted};
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};
use table::{BY_HAND, DIVVY, Row};
use workload::raw::Raw;
use workload::{Candidate, Times};

/// The median of criterion's samples.
fn seconds<T>(criterion: &mut Criterion, name: &str, mut work: impl FnMut() -> T) -> f64 {
    const SAMPLES: usize = 20;
    let mut samples = Vec::new();
    let mut group = criterion.benchmark_group("planning");
    group
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let start = Instant::now();
            (0..times).for_each(|_| drop(black_box(work())));
            let elapsed = start.elapsed();
            samples.push(elapsed.as_secs_f64() / times as f64);
            elapsed
        });
    });
    // Those before them warmed it up.
    let mut last = samples.split_off(samples.len() - SAMPLES);
    last.sort_by(f64::total_cmp);
    last[SAMPLES / 2]
}

/// What the runtime takes where there is nothing to compare it with.
fn own(workload: String, seconds: f64) -> Row {
    Row {
        workload,
        seconds: BTreeMap::from([(DIVVY.to_owned(), seconds)]),
    }
}

/// A stencil that goes back and forth between two buffers, planned for so many devices.
fn planning() -> Vec<Row> {
    let mut criterion = Criterion::default();
    let mut rows = Vec::new();
    for devices in [2_usize, 16, 1_000] {
        let homes: Vec<bool> = (0..devices).map(|device| device == 0).collect();
        let mut planner = Planner::new(System::new(&homes));
        let (extent, buffers) = (devices as u64 * 64, [BufferId(1), BufferId(2)]);
        buffers
            .iter()
            .for_each(|buffer| planner.add(*buffer, extent * 16));
        let mut chunks = Vec::new();
        partition(
            extent,
            8,
            &Density::flat(),
            &vec![1.0; devices],
            &mut chunks,
        );
        let place = |(i, units): (usize, &Span)| Placed {
            device: DeviceId(i as u32),
            units: *units,
        };
        let placed: Vec<_> = chunks.iter().enumerate().map(place).collect();
        let (mut plan, mut turn) = (Plan::default(), 0);
        let step_name = format!("plan a stencil step for {devices} devices");
        let step = seconds(&mut criterion, &step_name, || {
            let (old, next) = (buffers[turn % 2], buffers[(turn + 1) % 2]);
            turn += 1;
            let read = Touch {
                buffer: old,
                writes: false,
                access: Some(Access::Neighborhood(1)),
                word: None,
            };
            let write = Touch {
                buffer: next,
                writes: true,
                access: Some(Access::OneToOne),
                word: None,
            };
            plan.clear();
            let operation = OperationId(turn as u64);
            planner
                .dispatch(
                    operation,
                    extent,
                    &[read, write],
                    &placed,
                    true,
                    &|_| false,
                    &mut plan,
                )
                .expect("nothing is lost");
        });
        rows.push(own(step_name, step));
        let estimate = |i: usize| Estimate {
            units_per_second: 1e6 * (1.0 + (i % 7) as f64),
            overhead_seconds: 1e-5,
            bytes_per_second: 1e9,
        };
        let mut decider = Decider::default();
        let partition_name = format!("partition for {devices} devices");
        let partition = seconds(&mut criterion, &partition_name, || {
            let demand = Demand {
                extent,
                grain: 8,
                density: &Density::flat(),
                whole_missing: &[],
                recurring: &[],
                standing: &[],
                alone: &[],
                horizon: 1.0,
                worth: 0.04,
                worth_seconds: 0.0,
                dead_band: 0.02,
            };
            decider.decide(
                &demand,
                (0..devices).map(estimate),
                &mut |_, _| 0,
                &mut chunks,
            )
        });
        rows.push(own(partition_name, partition));
    }
    rows
}

/// Chains and crowds of dispatches that compute next to nothing, submitted one after another and waited for at the end, on
/// two devices that take no time: what is left is the runtime's own. Seconds are for one of them.
fn many() -> Vec<Row> {
    const STENCIL: &str = "
        @group(0) @binding(0) var<storage, read> old: array<f32>;
        @group(0) @binding(1) var<storage, read_write> next: array<f32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let last = arrayLength(&old) - 1u;
            if id.x > last { return; }
            next[id.x] = old[max(id.x, 1u) - 1u] + old[min(id.x + 1u, last)];
        }";
    const LEN: usize = 1024;
    const STEPS: usize = 500;
    const CROWD: usize = 5000;
    const ROUNDS: usize = 21;
    let device = |name: &str, home| {
        let script = Script {
            home,
            overhead_seconds: 0.0,
            ..Script::default()
        };
        VirtualDevice::new(name, script)
    };
    let runtime = Runtime::builder()
        .without_profile_dir()
        .device(device("host", Home::Host))
        .device(device("own", Home::Own))
        .build()
        .expect("the devices are there");
    let stencil = Kernel::from_wgsl(STENCIL).expect("it is valid");
    let buffer = || runtime.buffer::<f32>(LEN).expect("there is room");
    let step = |old: &Buffer<f32>, next: &Buffer<f32>| {
        let dispatch = runtime.dispatch(&stencil, LEN);
        dispatch.bind("old", old).bind("next", next)
    };
    let wait = |events: Vec<Event>| {
        for event in events {
            event.wait().expect("it runs");
        }
    };
    let pair = [buffer(), buffer()];
    let halves = Policy::Fixed(vec![1.0, 1.0]);
    let chain = || {
        let submit = |i: usize| {
            let step = step(&pair[i % 2], &pair[(i + 1) % 2]);
            step.split(halves.clone()).submit().expect("it is sound")
        };
        wait((0..STEPS).map(submit).collect());
    };
    let pairs: Vec<_> = (0..CROWD).map(|_| [buffer(), buffer()]).collect();
    let crowd = || {
        let submit = |[old, next]: &[Buffer<f32>; 2]| step(old, next).submit();
        let submit = |pair| submit(pair).expect("it is sound");
        wait(pairs.iter().map(submit).collect());
    };
    let of_each = |workload: &str, count: usize, work: &dyn Fn()| {
        work();
        let round = |_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() / count as f64
        };
        let mut seconds: Vec<f64> = (0..ROUNDS).map(round).collect();
        seconds.sort_by(f64::total_cmp);
        own(workload.to_owned(), seconds[ROUNDS / 2])
    };
    vec![
        of_each(
            "step of a stencil of 500, split between 2 virtual devices",
            STEPS,
            &chain,
        ),
        of_each(
            "dispatch of 5,000 independent ones, 2 virtual devices",
            CROWD,
            &crowd,
        ),
    ]
}

/// A candidate whose answer is of no interest.
fn named<'a>(name: &str, mut work: impl FnMut() + Send + 'a) -> Candidate<'a> {
    let work = move |_| {
        work();
        Vec::new()
    };
    (name.to_owned(), Box::new(work))
}

/// Kernels that do nothing or next to it, through the runtime and by hand.
fn small() -> Vec<Row> {
    const EMPTY: &str = "@compute @workgroup_size(64) fn main() {}";
    const SAXPY: &str = include_str!("../../shaders/saxpy.wgsl");
    const LEN: usize = 256;
    const CPU: &str = "empty dispatch, CPU, to rayon's `install`";
    const GPU: &str = "empty dispatch, GPU, to raw wgpu";
    const SAXPY_GPU: &str = "saxpy of 256 elements, GPU, to raw wgpu";
    let empty = Kernel::from_wgsl(EMPTY)
        .expect("it is valid")
        .native(|_| ());
    let saxpy = Kernel::from_wgsl(SAXPY).expect("it is valid");
    let runtime = |devices: &str| {
        let builder = Runtime::builder().devices(devices).without_profile_dir();
        builder.build().expect("the devices are there")
    };
    let mut times = Times::default();

    let cpu = runtime("cpu");
    let pool = rayon::ThreadPoolBuilder::new().build().expect("threads");
    let by_divvy = named(DIVVY, || {
        cpu.dispatch(&empty, 64).run().expect("it runs");
    });
    let by_hand = named(BY_HAND, || pool.install(|| ()));
    times.compare(CPU, &mut [by_divvy, by_hand]);
    if let (true, Some(raw)) = (!find_gpus().is_empty(), Raw::open()) {
        let gpu = runtime("gpu0");
        let prepared = raw.prepare(EMPTY, "main", &[], [1, 1, 1]);
        let by_divvy = named(DIVVY, || {
            gpu.dispatch(&empty, 64).run().expect("it runs");
        });
        let by_hand = named(BY_HAND, || raw.run(&prepared, 0));
        times.compare(GPU, &mut [by_divvy, by_hand]);

        let [x, y] = [0, 1].map(|_| gpu.buffer_from(&[1.0_f32; LEN]).expect("there is room"));
        let by_divvy = named(DIVVY, || {
            let dispatch = gpu.dispatch(&saxpy, LEN).value("a", 1e-9_f32);
            dispatch.bind("x", &x).bind("y", &y).run().expect("it runs");
        });
        let value = raw.buffer(bytemuck::bytes_of(&1e-9_f32), true);
        let [x, y] = [0, 1].map(|_| raw.buffer(&[0; LEN * 4], false));
        let bound = vec![(0, &value), (1, &x), (2, &y)];
        let prepared = raw.prepare(SAXPY, "saxpy", &[bound], [1, 1, 1]);
        let by_hand = named(BY_HAND, || raw.run(&prepared, 0));
        times.compare(SAXPY_GPU, &mut [by_divvy, by_hand]);
    }
    let row = |workload: &str| Row {
        seconds: times.medians(workload),
        workload: workload.to_owned(),
    };
    let rows = [CPU, GPU, SAXPY_GPU].map(row);
    rows.into_iter()
        .filter(|row| !row.seconds.is_empty())
        .collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut asked = Asked::new();
    let (json, words) = (asked.path("--json")?, asked.words()?);
    let mut rows = [planning(), many(), small()].concat();
    rows.retain(|row| is_wanted(&words, &row.workload));
    let record = Record::new("overhead", rows);
    println!("{}", table::table(&record));
    record.write(json.as_deref())
}
