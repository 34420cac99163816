use super::*;
use crate::buffer::Storage;
use crate::device::{Bound, Run};
use crate::id::BufferId;
use crate::kernel::{Access, Combine};
use crate::range::{Chunk, Range};
use crate::span::Span;
use std::sync::Arc;

const BLUR: &str = "
    @group(0) @binding(0) var<storage, read> old: array<u32>;
    @group(0) @binding(1) var<storage, read_write> next: array<u32>;
    @group(0) @binding(2) var<storage, read_write> sum: array<atomic<u32>>;
    @group(0) @binding(3) var<uniform> gain: u32;
    @compute @workgroup_size(4)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        next[id.x] = old[id.x] * gain;
        atomicAdd(&sum[id.x % 2u], 1u);
    }";

fn buffer(id: u64, words: &[u32]) -> Arc<Storage> {
    let storage = Arc::new(Storage::new(BufferId(id), words.len() as u64 * 4));
    storage.allocate().expect("it is small");
    write(&storage, words);
    storage
}

#[expect(unsafe_code, reason = "the tests are the only users of their buffers")]
fn write(storage: &Storage, words: &[u32]) {
    // SAFETY: the test runs nothing meanwhile.
    unsafe { storage.write(Span::new(0, storage.bytes())) }
        .copy_from_slice(bytemuck::cast_slice(words));
}

#[expect(unsafe_code, reason = "the tests are the only users of their buffers")]
fn words(storage: &Storage) -> Vec<u32> {
    // SAFETY: the test runs nothing meanwhile.
    bytemuck::cast_slice(unsafe { storage.read(Span::new(0, storage.bytes())) }).to_vec()
}

/// The sum of a unit and its neighbours, times `gain`; and how many even and odd units there are.
fn blur() -> Kernel {
    let kernel = Kernel::from_wgsl(BLUR).expect("it is valid");
    let kernel = kernel
        .access("old", Access::Neighborhood(1))
        .expect("it is read");
    let kernel = kernel
        .access("next", Access::OneToOne)
        .expect("it is written");
    let kernel = kernel
        .access("sum", Access::Accumulate(Combine::Add))
        .expect("it is added to");
    kernel.native(|body| {
        let (old, gain) = (body.read::<u32>("old"), body.value::<u32>("gain"));
        let (mut next, mut sum) = (body.write::<u32>("next"), body.write::<u32>("sum"));
        for i in body.units() {
            let (low, high) = (
                i.max(1) - 1,
                (i + 1).min(body.range().invocations() as usize - 1),
            );
            next[i] = (low..=high).map(|i| old[i]).sum::<u32>() * gain;
            sum[i % 2] += 1;
        }
    })
}

fn accesses(kernel: &Kernel) -> Arc<[Option<Access>]> {
    let facts = kernel.facts().expect("it is complete");
    facts.declared.clone().into()
}

fn run(kernel: &Kernel, units: Span, n: u64, buffers: &[&Arc<Storage>]) -> Task {
    let mut bound: Vec<_> = buffers
        .iter()
        .map(|buffer| Bound::Buffer((*buffer).clone()))
        .collect();
    bound.push(Bound::Value(bytemuck::bytes_of(&2_u32).into()));
    let chunk = Chunk {
        range: Range::from(n),
        slowest: 0,
        units,
    };
    Task::Run(Run {
        kernel: kernel.clone(),
        chunk,
        bound: bound.into(),
        accesses: accesses(kernel),
    })
}

fn execute(device: &dyn Device, tasks: &[Task]) -> Vec<Result<Timing, DeviceError>> {
    let mut results = Vec::new();
    device.execute(tasks, &mut |i, result| {
        assert_eq!(i, results.len(), "tasks end in order");
        results.push(result);
    });
    results
}

#[test]
fn a_body_sees_its_halo_and_writes_its_own_elements() {
    let device = CpuDevice::new(2).expect("two threads");
    for n in [1_u64, 3, 4, 5, 64, 997] {
        let values: Vec<u32> = (0..n as u32).collect();
        let (old, next, sum) = (
            buffer(1, &values),
            buffer(2, &vec![7; n as usize]),
            buffer(3, &[100, 200]),
        );
        let middle = (n / 2).next_multiple_of(4).min(n);
        let results = execute(
            &device,
            &[run(&blur(), Span::new(middle, n), n, &[&old, &next, &sum])],
        );
        assert!(results[0].is_ok(), "{results:?}");
        let expected = |i: usize| {
            let neighbours = i.max(1) - 1..=(i + 1).min(n as usize - 1);
            if (i as u64) < middle {
                7
            } else {
                neighbours.map(|i| values[i]).sum::<u32>() * 2
            }
        };
        assert_eq!(
            words(&next),
            (0..n as usize).map(expected).collect::<Vec<_>>()
        );
        let odd = (middle..n).filter(|i| i % 2 == 1).count() as u32;
        assert_eq!(words(&sum), [100 + (n - middle) as u32 - odd, 200 + odd]);
    }
}

#[test]
fn a_panic_in_a_body_is_an_error_and_the_device_stays_usable() {
    let device = CpuDevice::new(2).expect("two threads");
    let broken = blur().native(|body| {
        let _ = body.read::<u32>("olt");
    });
    let buffers = [buffer(1, &[1; 64]), buffer(2, &[0; 64]), buffer(3, &[0; 2])];
    let [old, next, sum] = &buffers;
    let tasks =
        [&broken, &blur()].map(|kernel| run(kernel, Span::new(0, 64), 64, &[old, next, sum]));
    let results = execute(&device, &tasks);
    let error = results[0].clone().unwrap_err();
    assert!(
        matches!(&error, DeviceError::Panicked { message, .. } if message.contains("olt")),
        "{error}"
    );
    assert_eq!(results[1], Err(DeviceError::NotBegun));
    assert!(execute(&device, &tasks[1..])[0].is_ok());
}

#[test]
fn a_body_that_takes_something_for_another_type_panics() {
    let device = CpuDevice::new(1).expect("a thread");
    let buffers = [buffer(1, &[1; 64]), buffer(2, &[0; 64]), buffer(3, &[0; 2])];
    let [old, next, sum] = &buffers;
    let panics = |kernel: Kernel, said: &str| {
        let task = run(&kernel, Span::new(0, 64), 64, &[old, next, sum]);
        let error = execute(&device, &[task])[0].clone().unwrap_err();
        assert!(
            matches!(&error, DeviceError::Panicked { message, .. } if message.contains(said)),
            "{error}"
        );
    };
    let read = blur().native(|body| assert_eq!(body.read::<f32>("old").first(), 0));
    panics(
        read,
        "`old` is made of `u32`, of 4 bytes an element, not of `f32`",
    );
    let pairs = blur().native(|body| assert_eq!(body.read::<[u32; 2]>("old").first(), 0));
    panics(pairs, "not of `[u32; 2]`");
    let bytes = blur().native(|body| assert_eq!(body.write::<u8>("next").first(), 0));
    panics(bytes, "not of `u8`");
    let atomic = blur().native(|body| assert_eq!(body.write::<i32>("sum").first(), 0));
    panics(atomic, "`sum` is made of `atomic<u32>`");
    let float = blur().native(|body| assert!(body.value::<f32>("gain") > 0.0));
    panics(float, "`gain` is a `u32`, but the value is a `f32`");
    let half = blur().native(|body| assert_eq!(body.value::<u16>("gain"), 2));
    panics(half, "`gain` is a `u32`, but the value is a `u16`");
    let wide = blur().native(|body| assert_eq!(body.value::<u64>("gain"), 2));
    panics(wide, "`gain` has 4 bytes, fewer than a `u64`");
}

#[test]
fn a_panic_while_lanes_run_is_an_error_and_the_device_stays_usable() {
    let (device, checked) = (CpuDevice::new(2).expect("threads"), CheckedCpu::default());
    let devices: [&dyn Device; 2] = [&device, &checked];
    let kernel = Kernel::from_wgsl(BLUR).expect("it is valid");
    let buffers = [buffer(1, &[1; 64]), buffer(2, &[0; 64]), buffer(3, &[0; 2])];
    let [old, next, sum] = &buffers;
    // What no validation lets through: a binding that nothing is bound to.
    let tasks = [&[old, next][..], &[old, next, sum]]
        .map(|bound| run(&kernel, Span::new(0, 64), 64, bound));
    for device in devices {
        let results = execute(device, &tasks);
        assert!(
            matches!(&results[0], Err(DeviceError::Panicked { entry, .. }) if entry == "main"),
            "{results:?}"
        );
        assert_eq!(results[1], Err(DeviceError::NotBegun));
        assert!(execute(device, &tasks[1..])[0].is_ok());
    }
}

#[test]
fn a_kernel_that_lanes_cannot_run_is_refused_with_a_way_out() {
    let device = CpuDevice::new(1).expect("a thread");
    let blur = Kernel::from_wgsl(BLUR).expect("it is valid");
    assert_eq!(device.accepts(&blur), Ok(()));
    let large = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32, 100000>;
         @compute @workgroup_size(1) fn main() { let all = x; x[1] = all[0]; }",
    );
    let error = device.accepts(&large.expect("it is valid")).unwrap_err();
    assert!(error.to_string().contains(".native(closure)"), "{error}");
    assert!(error.to_string().contains("wgsl:2:"), "{error}");
}

#[test]
fn workgroups_of_few_invocations_run_whole() {
    let device = CpuDevice::new(1).expect("a thread");
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> next: array<u32>;
         var<workgroup> shared_ids: array<u32, 4>;
         @compute @workgroup_size(4)
         fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
             shared_ids[i] = id.x;
             workgroupBarrier();
             next[id.x] = shared_ids[3u - i];
         }",
    );
    let next = buffer(1, &[0; 12]);
    let kernel = kernel.expect("it is valid");
    let task = Task::Run(Run {
        accesses: accesses(&kernel),
        kernel,
        chunk: Chunk {
            range: Range::from(12),
            slowest: 0,
            units: Span::new(0, 12),
        },
        bound: [Bound::Buffer(next.clone())].into(),
    });
    assert!(execute(&device, &[task])[0].is_ok());
    assert_eq!(words(&next), [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8]);
}

/// Atomics of 64 bits between workgroups that run at the same time, on more threads than most machines have cores.
mod contended {
    use super::*;

    const THREADS: usize = 4;

    /// Runs a kernel with these buffers over so many invocations.
    fn run(wgsl: &str, invocations: u64, buffers: &[&Arc<Storage>]) {
        let device = CpuDevice::new(THREADS).expect("four threads");
        let kernel = Kernel::from_wgsl(wgsl).unwrap_or_else(|error| panic!("{error}"));
        let bound = buffers.iter().map(|one| Bound::Buffer(Arc::clone(one)));
        let task = Task::Run(Run {
            chunk: Chunk::whole(
                Range::from(invocations),
                kernel.facts().expect("it is complete").workgroup,
            ),
            accesses: accesses(&kernel),
            kernel,
            bound: bound.collect(),
        });
        let results = execute(&device, &[task]);
        assert!(results[0].is_ok(), "{results:?}");
    }

    fn numbers(storage: &Storage) -> Vec<u64> {
        let number = |pair: &[u32]| u64::from(pair[0]) | u64::from(pair[1]) << 32;
        words(storage).chunks_exact(2).map(number).collect()
    }

    #[test]
    fn each_addition_finds_another_sum() {
        let count = 1 << 18;
        let step = 0x8000_0001;
        let (sum, found) = (buffer(1, &[0; 2]), buffer(2, &vec![0; count * 2]));
        let wgsl = "@group(0) @binding(0) var<storage, read_write> sum: atomic<u64>;
            @group(0) @binding(1) var<storage, read_write> found: array<u64>;
            @compute @workgroup_size(64)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                found[id.x] = atomicAdd(&sum, 0x80000001lu);
            }";
        run(wgsl, count as u64, &[&sum, &found]);
        let mut found = numbers(&found);
        found.sort_unstable();
        let right: Vec<u64> = (0..count as u64).map(|i| i * step).collect();
        assert!(found == right, "a sum was lost or seen twice");
        assert_eq!(numbers(&sum), [count as u64 * step]);
    }

    #[test]
    fn a_loop_of_exchanges_loses_nothing() {
        let count = 1 << 14;
        let (sum, most) = (buffer(1, &[0; 4]), buffer(2, &[0; 2]));
        // With a barrier, so that blocks are workgroups.
        let wgsl = "@group(0) @binding(0) var<storage, read_write> sum: array<atomic<u64>, 2>;
            @group(0) @binding(1) var<storage, read_write> most: atomic<i64>;
            var<workgroup> ours: atomic<u64>;
            @compute @workgroup_size(16)
            fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
                let x = u64(id.x) << 20u;
                loop {
                    let old = atomicLoad(&sum[0]);
                    if atomicCompareExchangeWeak(&sum[0], old, old + x).exchanged { break; }
                }
                atomicMax(&most, i64(x) - 5li);
                atomicAdd(&ours, x);
                workgroupBarrier();
                if i == 0u { atomicAdd(&sum[1], atomicLoad(&ours)); }
            }";
        run(wgsl, count, &[&sum, &most]);
        let all: u64 = (0..count).map(|i| i << 20).sum();
        assert_eq!(numbers(&sum), [all, all]);
        assert_eq!(numbers(&most), [((count - 1) << 20) - 5]);
    }

    #[test]
    fn a_load_never_sees_half_of_a_store() {
        let (few, torn) = (buffer(1, &[0; 6]), buffer(2, &[0; 1]));
        // In all that is ever stored both words are the same.
        let wgsl = "@group(0) @binding(0) var<storage, read_write> few: array<atomic<u64>, 3>;
            @group(0) @binding(1) var<storage, read_write> torn: atomic<u32>;
            @compute @workgroup_size(64)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                let x = u64(id.x);
                for (var i = 0u; i < 20u; i++) {
                    atomicStore(&few[id.x % 3u], (x << 32u) | x);
                    let seen = atomicLoad(&few[(id.x + i) % 3u]);
                    if u32(seen >> 32u) != u32(seen) { atomicAdd(&torn, 1u); }
                }
            }";
        run(wgsl, 1 << 16, &[&few, &torn]);
        assert_eq!(words(&torn), [0]);
    }
}

mod scripted {
    use super::*;
    use crate::device::Home;
    use crate::device::virtual_device::{Pace, Script, VirtualDevice};
    use std::time::{Duration, Instant};

    fn tasks(old: &Arc<Storage>, next: &Arc<Storage>, sum: &Arc<Storage>) -> [Task; 4] {
        let whole = Span::new(0, old.bytes());
        [
            Task::Upload(old.clone(), whole),
            Task::Fill(sum.clone(), 5),
            run(&blur(), Span::new(0, 8), 8, &[old, next, sum]),
            Task::Download(next.clone(), whole),
        ]
    }

    #[test]
    fn only_what_is_copied_crosses_between_memories() {
        let device = VirtualDevice::new("gpu", Script::default());
        let (old, next, sum) = (buffer(1, &[1; 8]), buffer(2, &[9; 8]), buffer(3, &[0, 0]));
        let results = execute(&device, &tasks(&old, &next, &sum));
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(words(&next), [4, 6, 6, 6, 6, 6, 6, 4]);
        assert_eq!(words(&sum), [0, 0], "nobody downloaded it");
        assert!(execute(&device, &[Task::Download(sum.clone(), Span::new(0, 8))])[0].is_ok());
        assert_eq!(words(&sum), [9, 9]);
    }

    #[test]
    fn a_device_at_home_in_the_hosts_memory_copies_nothing() {
        let script = Script {
            home: Home::Host,
            bytes_per_second: f64::MIN_POSITIVE,
            ..Script::default()
        };
        let device = VirtualDevice::new("cpu", script);
        let (old, next, sum) = (buffer(1, &[1; 8]), buffer(2, &[9; 8]), buffer(3, &[0, 0]));
        let tasks = tasks(&old, &next, &sum);
        let results = execute(&device, &[tasks[0].clone(), tasks[2].clone()]);
        let copied = results[0].as_ref().expect("it has nothing to do");
        assert_eq!(copied.seconds, 0.0);
        assert_eq!(words(&next), [4, 6, 6, 6, 6, 6, 6, 4]);
        assert_eq!(words(&sum), [4, 4], "nobody has to download it");
    }

    #[test]
    fn a_pace_that_is_kept_takes_the_time_of_the_script_and_says_if_it_took_more() {
        let script = Script {
            pace: Pace::Kept,
            items_per_second: 4e3,
            overhead_seconds: 1e-3,
            ..Script::default()
        };
        let device = VirtualDevice::new("gpu", script);
        let (old, next, sum) = (buffer(1, &[1; 8]), buffer(2, &[9; 8]), buffer(3, &[0, 0]));
        let start = Instant::now();
        let results = execute(&device, &tasks(&old, &next, &sum));
        assert!(start.elapsed() >= Duration::from_millis(6));
        let told = |timing: &Timing| timing.seconds + timing.overhead_seconds;
        let timings = results
            .iter()
            .map(|result| result.as_ref().expect("it runs"));
        let all: f64 = timings.map(told).sum();
        // The script's 32 bytes each way and the filled ones, a nanosecond at most each.
        let scripted = 6e-3 + device.late().as_secs_f64();
        assert!((all - scripted).abs() < 1e-7, "{all} and {scripted}");
    }

    #[test]
    fn a_loss_at_any_task_ends_all_later_ones() {
        for lost_at in 0..4 {
            let device = VirtualDevice::new(
                "gpu",
                Script {
                    lost_at: Some(lost_at),
                    ..Script::default()
                },
            );
            let (old, next, sum) = (buffer(1, &[1; 8]), buffer(2, &[9; 8]), buffer(3, &[0, 0]));
            let results = execute(&device, &tasks(&old, &next, &sum));
            for (i, result) in results.iter().enumerate() {
                assert_eq!(result.is_ok(), i < lost_at, "task {i}: {result:?}");
                let is_first = i == lost_at;
                assert_eq!(
                    matches!(result, Err(DeviceError::Lost { .. })),
                    is_first,
                    "task {i}: {result:?}"
                );
            }
            assert_eq!(words(&next), [9; 8]);
        }
    }

    #[test]
    fn a_full_memory_is_an_error_with_the_size() {
        let device = VirtualDevice::new(
            "gpu",
            Script {
                memory_bytes: 40,
                ..Script::default()
            },
        );
        let (old, next, sum) = (buffer(1, &[1; 8]), buffer(2, &[9; 8]), buffer(3, &[0, 0]));
        let results = execute(&device, &tasks(&old, &next, &sum));
        assert!(results[0].is_ok() && results[1].is_ok());
        assert_eq!(
            results[2],
            Err(DeviceError::OutOfMemory {
                device: "gpu".to_owned(),
                bytes: 32
            })
        );
        assert!(
            execute(
                &device,
                &[Task::Free(BufferId(1)), tasks(&old, &next, &sum)[3].clone()]
            )[1]
            .is_ok()
        );
    }
}
