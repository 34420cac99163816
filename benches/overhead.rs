//! What the runtime itself costs: planning, and dispatches that do nothing.

mod workload;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use divvy::device::gpu::find_gpus;
use divvy::id::{BufferId, DeviceId, OperationId};
use divvy::plan::{Placed, Plan, Planner, Touch};
use divvy::split::{Decider, Demand, Density, Estimate, partition};
use divvy::system::System;
use divvy::{Access, Kernel, Runtime, Span};
use std::time::Duration;
use workload::raw::Raw;
use workload::{Candidate, Times};

/// A stencil that goes back and forth between two buffers, planned for so many devices.
fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("planning");
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
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
        group.bench_function(BenchmarkId::new("stencil step", devices), |bencher| {
            bencher.iter(|| {
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
        });
        let estimate = |i: usize| Estimate {
            units_per_second: 1e6 * (1.0 + (i % 7) as f64),
            overhead_seconds: 1e-5,
            bytes_per_second: 1e9,
        };
        let mut decider = Decider::default();
        group.bench_function(BenchmarkId::new("partition", devices), |bencher| {
            bencher.iter(|| {
                let demand = Demand {
                    extent,
                    grain: 8,
                    density: &Density::flat(),
                    whole_missing: &[],
                    recurring: &[],
                    horizon: 1.0,
                    worth: 0.04,
                    dead_band: 0.02,
                };
                decider.decide(
                    &demand,
                    (0..devices).map(estimate),
                    &mut |_, _| 0,
                    &mut chunks,
                )
            });
        });
    }
    group.finish();
}

/// Kernels that do nothing or next to it, through the runtime and by hand.
/// A candidate whose answer is of no interest.
fn named<'a>(name: &str, mut work: impl FnMut() + Send + 'a) -> Candidate<'a> {
    let work = move |_| {
        work();
        Vec::new()
    };
    (name.to_owned(), Box::new(work))
}

fn small(criterion: &mut Criterion) {
    const EMPTY: &str = "@compute @workgroup_size(64) fn main() {}";
    const SAXPY: &str = include_str!("../shaders/saxpy.wgsl");
    const LEN: usize = 256;
    let empty = Kernel::from_wgsl(EMPTY)
        .expect("it is valid")
        .native(|_| ());
    let saxpy = Kernel::from_wgsl(SAXPY).expect("it is valid");
    let runtime = |devices: &str| {
        let builder = Runtime::builder().devices(devices).without_profile_dir();
        builder.build().expect("the devices are there")
    };
    let mut group = criterion.benchmark_group("small dispatch");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_nanos(1))
        .measurement_time(Duration::from_nanos(1));
    let mut times = Times::default();

    let cpu = runtime("cpu");
    let pool = rayon::ThreadPoolBuilder::new().build().expect("threads");
    let by_divvy = named("divvy", || {
        cpu.dispatch(&empty, 64).run().expect("it runs");
    });
    let by_hand = named("by hand", || pool.install(|| ()));
    times.compare(&mut group, "empty, cpu", &mut [by_divvy, by_hand]);
    if let (true, Some(raw)) = (!find_gpus().is_empty(), Raw::open()) {
        let gpu = runtime("gpu0");
        let prepared = raw.prepare(EMPTY, "main", &[], [1, 1, 1]);
        let by_divvy = named("divvy", || {
            gpu.dispatch(&empty, 64).run().expect("it runs");
        });
        let by_hand = named("by hand", || raw.run(&prepared, 0));
        times.compare(&mut group, "empty, gpu0", &mut [by_divvy, by_hand]);

        let [x, y] = [0, 1].map(|_| gpu.buffer_from(&[1.0_f32; LEN]).expect("there is room"));
        let by_divvy = named("divvy", || {
            let dispatch = gpu.dispatch(&saxpy, LEN).value("a", 1e-9_f32);
            dispatch.bind("x", &x).bind("y", &y).run().expect("it runs");
        });
        let value = raw.buffer(bytemuck::bytes_of(&1e-9_f32), true);
        let [x, y] = [0, 1].map(|_| raw.buffer(&[0; LEN * 4], false));
        let bound = vec![(0, &value), (1, &x), (2, &y)];
        let prepared = raw.prepare(SAXPY, "saxpy", &[bound], [1, 1, 1]);
        let by_hand = named("by hand", || raw.run(&prepared, 0));
        times.compare(&mut group, "saxpy of 256, gpu0", &mut [by_divvy, by_hand]);
    }
    group.finish();
    println!("\n| microseconds, median | divvy | by hand | more |\n|---|---|---|---|");
    for at in ["empty, cpu", "empty, gpu0", "saxpy of 256, gpu0"] {
        if let (Some(own), Some(other)) = (times.median(at, "divvy"), times.median(at, "by hand")) {
            let more = own - other;
            let [own, other, more] = [own, other, more].map(|seconds| seconds * 1e6);
            println!("| {at} | {own:.1} | {other:.1} | {more:.1} |");
        }
    }
}

criterion_group!(benches, planning, small);
criterion_main!(benches);
