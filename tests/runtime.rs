//! The whole path with no GPU: the CPU and virtual devices, any split, any loss.

use divvy::device::virtual_device::Script;
use divvy::device::{Home, VirtualDevice};
use divvy::kernel::Strided;
use divvy::trace::Trace;
use divvy::{
    Access, Buffer, Builder, Combine, DispatchBuilder, Error, Kernel, KernelError, Policy, Range,
    Report, Runtime,
};
use proptest::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};

const STEP: &str = "
    @group(0) @binding(0) var<storage, read> old: array<u32>;
    @group(0) @binding(1) var<storage, read_write> next: array<u32>;
    @group(0) @binding(2) var<storage, read_write> bins: array<atomic<u32>>;
    @group(0) @binding(3) var<uniform> halo: u32;
    @compute @workgroup_size(4)
    fn step(@builtin(global_invocation_id) id: vec3<u32>) {
        let last = arrayLength(&old) - 1u;
        if id.x > last { return; }
        var sum = next[id.x];
        for (var i = max(id.x, halo) - halo; i <= min(id.x + halo, last); i++) { sum = sum * 3u + old[i]; }
        next[id.x] = sum;
        atomicAdd(&bins[sum % arrayLength(&bins)], id.x);
    }";

/// Adds to every element of `next` the sum of the elements of `old` around it, and sorts units into bins.
fn step(halo: u64) -> Kernel {
    let kernel = Kernel::from_wgsl(STEP).expect("it is valid");
    let kernel = kernel
        .access("old", Access::Neighborhood(halo))
        .expect("it is read");
    let kernel = kernel
        .access("next", Access::OneToOne)
        .expect("it is written");
    kernel
        .access("bins", Access::Accumulate(Combine::Add))
        .expect("it is added to")
}

/// The same, undivided and by hand.
fn reference(halo: usize, old: &[u32], next: &mut [u32], bins: &mut [u32]) {
    let last = old.len() - 1;
    for (i, next) in next.iter_mut().enumerate() {
        let near = &old[i.saturating_sub(halo)..=(i + halo).min(last)];
        *next = near
            .iter()
            .fold(*next, |sum, old| sum.wrapping_mul(3).wrapping_add(*old));
        let bin = *next as usize % bins.len();
        bins[bin] = bins[bin].wrapping_add(i as u32);
    }
}

fn machine(virtuals: &[Script]) -> Runtime {
    let mut builder = Runtime::builder()
        .without_profile_dir()
        .devices("cpu")
        .threads(2);
    for (i, script) in virtuals.iter().enumerate() {
        builder = builder.device(VirtualDevice::new(&format!("virtual{i}"), script.clone()));
    }
    builder.build().expect("the devices are there")
}

/// A dispatch of [`step`] over all of `old`.
fn dispatch_step<'a>(
    runtime: &'a Runtime,
    kernel: &'a Kernel,
    [old, next, bins]: [&'a Buffer<u32>; 3],
    halo: u32,
) -> DispatchBuilder<'a> {
    let dispatch = runtime.dispatch(kernel, old.len());
    let dispatch = dispatch.bind("old", old).bind("next", next);
    dispatch.bind("bins", bins).value("halo", halo)
}

/// Runs three dependent steps, submitted ahead, and returns what is in the three buffers.
fn three_steps(
    runtime: &Runtime,
    n: usize,
    halo: u64,
    policy: &Policy,
) -> Result<[Vec<u32>; 3], Error> {
    let kernel = step(halo);
    let a = runtime.buffer_from(&(0..n as u32).collect::<Vec<_>>())?;
    let (b, bins) = (
        runtime.buffer::<u32>(n)?,
        runtime.buffer_from(&[7_u32, 8, 9])?,
    );
    let mut events = Vec::new();
    for (old, next) in [(&a, &b), (&b, &a), (&a, &b)] {
        let dispatch = dispatch_step(runtime, &kernel, [old, next, &bins], halo as u32);
        events.push(dispatch.split(policy.clone()).submit()?);
    }
    let read = [runtime.read(&a)?, runtime.read(&b)?, runtime.read(&bins)?];
    events
        .iter()
        .try_for_each(|event| event.wait().map(|_| ()))?;
    Ok(read)
}

fn expected(n: usize, halo: u64) -> [Vec<u32>; 3] {
    let (mut a, mut b, mut bins) = ((0..n as u32).collect::<Vec<_>>(), vec![0; n], vec![7, 8, 9]);
    let halo = halo as usize;
    reference(halo, &a.clone(), &mut b, &mut bins);
    reference(halo, &b.clone(), &mut a, &mut bins);
    reference(halo, &a.clone(), &mut b, &mut bins);
    [a, b, bins]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_among_any_devices_gives_the_same_bytes(
        n in 1_usize..300,
        halo in 0_u64..5,
        shares in prop::collection::vec(0.0_f64..1.0, 1..5),
    ) {
        let runtime = machine(&vec![Script::default(); shares.len() - 1]);
        let policy = Policy::Fixed(shares);
        prop_assume!(policy.is_sound());
        prop_assert_eq!(three_steps(&runtime, n, halo, &policy).expect("no device fails"), expected(n, halo));
    }
}

/// Mixes every row, plane or element of `old` with those around it, in units of the slowest dimension. The body by hand does
/// that; of the WGSL nobody knows what it touches, so what is declared is trusted.
const PLANES: &str = "
    @group(0) @binding(0) var<storage, read> old: array<u32>;
    @group(0) @binding(1) var<storage, read_write> next: array<u32>;
    @group(0) @binding(2) var<storage, read> table: array<u32>;
    @compute @workgroup_size(WX, WY, WZ)
    fn mix() {
        next[table[0]] = old[table[1]];
    }";

fn planes(workgroup: [usize; 3], per_unit: usize, halo: usize, units: usize) -> Kernel {
    let wgsl = ["WX", "WY", "WZ"]
        .iter()
        .zip(workgroup)
        .fold(PLANES.to_owned(), |wgsl, (name, size)| {
            wgsl.replace(name, &size.to_string())
        });
    let kernel = Kernel::from_wgsl(&wgsl).expect("it is valid");
    let kernel = kernel
        .access("old", Access::Neighborhood(halo as u64))
        .expect("it is read");
    let kernel = kernel
        .access("next", Access::OneToOne)
        .expect("it is written");
    kernel.native(move |body| {
        let (old, table) = (body.read::<u32>("old"), body.read::<u32>("table"));
        let mut next = body.write::<u32>("next");
        for unit in body.units() {
            for i in 0..per_unit {
                let near = unit.saturating_sub(halo)..=(unit + halo).min(units - 1);
                let sum = near.fold(0, |sum: u32, near| {
                    sum.wrapping_mul(5).wrapping_add(old[near * per_unit + i])
                });
                next[unit * per_unit + i] = sum.wrapping_add(table[sum as usize % table.len()]);
            }
        }
    })
}

proptest! {
    #[test]
    fn any_range_of_any_dimensions_gives_the_same_bytes(
        extents in prop::collection::vec(1_usize..14, 1..4),
        workgroup in prop::array::uniform3(1_usize..5),
        elements in 1_usize..3,
        halo in 0_usize..4,
        shares in prop::collection::vec(0.0_f64..1.0, 2..5),
    ) {
        let policy = Policy::Fixed(shares.clone());
        prop_assume!(policy.is_sound());
        let range: Range = match extents[..] {
            [x] => x.into(),
            [x, y] => [x, y].into(),
            [x, y, z] => [x, y, z].into(),
            _ => unreachable!("one to three"),
        };
        let slowest = range.slowest(workgroup.map(|size| size as u32));
        let units = range.extents()[slowest] as usize;
        let per_unit = range.invocations() as usize / units * elements;
        let runtime = machine(&vec![Script::default(); shares.len() - 1]);
        let kernel = planes(workgroup, per_unit, halo, units);
        let mut truth: Vec<u32> = (0..(units * per_unit) as u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
        let table: Vec<u32> = (0..7).map(|i| i * i + 1).collect();
        let buffers = [runtime.buffer_from(&truth).expect("there is room"), runtime.buffer(truth.len()).expect("there is room")];
        let shared = runtime.buffer_from(&table).expect("there is room");
        for turn in 0..3 {
            let dispatch = runtime.dispatch(&kernel, range).bind("old", &buffers[turn % 2]).bind("next", &buffers[(turn + 1) % 2]);
            dispatch.bind("table", &shared).split(policy.clone()).submit().expect("it is sound");
            let at = |place: usize| {
                let (unit, i) = (place / per_unit, place % per_unit);
                let near = unit.saturating_sub(halo)..=(unit + halo).min(units - 1);
                let sum = near.fold(0, |sum: u32, near| sum.wrapping_mul(5).wrapping_add(truth[near * per_unit + i]));
                sum.wrapping_add(table[sum as usize % table.len()])
            };
            truth = (0..truth.len()).map(at).collect();
        }
        prop_assert_eq!(runtime.read(&buffers[1]).expect("nothing is lost"), truth);
    }
}

#[test]
fn measured_and_guided_splits_give_the_same_bytes() {
    for policy in [
        Policy::Measured,
        Policy::Guided,
        Policy::Only("virtual1".to_owned()),
    ] {
        let runtime = machine(&[
            Script::default(),
            Script {
                items_per_second: 1e7,
                ..Script::default()
            },
        ]);
        for _ in 0..5 {
            let read = three_steps(&runtime, 1000, 2, &policy).expect("no device fails");
            assert_eq!(read, expected(1000, 2), "{policy}");
        }
    }
}

#[test]
fn a_loss_at_any_task_gives_the_right_result_or_names_what_is_lost() {
    let shares = Policy::Fixed(vec![1.0, 1.0, 1.0]);
    let (mut right, mut lost) = (0, 0);
    for spoils in [false, true] {
        for lost_at in 0.. {
            let script = Script {
                lost_at: Some(lost_at),
                spoils,
                ..Script::default()
            };
            let runtime = machine(&[script, Script::default()]);
            match three_steps(&runtime, 100, 1, &shares) {
                Ok(read) => {
                    assert_eq!(read, expected(100, 1), "lost at task {lost_at}");
                    right += 1;
                }
                Err(Error::Lost { buffer, cause, .. }) => {
                    assert!(
                        buffer.starts_with('B') && cause.contains("virtual0"),
                        "{buffer}: {cause}"
                    );
                    lost += 1;
                }
                Err(error) => panic!("lost at task {lost_at}: {error}"),
            }
            // The runtime stays usable; by the second time the device is lost for sure.
            let _ = three_steps(&runtime, 50, 1, &shares);
            let again = three_steps(&runtime, 50, 1, &shares).expect("two devices are left");
            assert_eq!(again, expected(50, 1));
            if lost_at > 40 {
                break;
            }
        }
    }
    assert!(right > 10 && lost > 0, "{right} right, {lost} lost");
}

#[test]
fn a_loss_while_the_inputs_are_elsewhere_loses_nothing() {
    for lost_at in 0..8 {
        let runtime = machine(&[Script {
            lost_at: Some(lost_at),
            spoils: true,
            ..Script::default()
        }]);
        let kernel = step(1);
        let old = runtime
            .buffer_from(&(0..64).collect::<Vec<u32>>())
            .expect("it is small");
        let (next, bins) = (
            runtime.buffer::<u32>(64).expect("small"),
            runtime.buffer::<u32>(3).expect("small"),
        );
        let dispatch = dispatch_step(&runtime, &kernel, [&old, &next, &bins], 1);
        let report = dispatch
            .split(Policy::Fixed(vec![1.0, 1.0]))
            .run()
            .expect("the CPU takes over");
        // The last task that the dispatch needs of the device is the download of what it accumulated.
        let is_lost = report.devices[0]
            .left_out
            .as_ref()
            .is_some_and(|reason| reason.contains("lost"));
        assert_eq!(is_lost, lost_at < 4, "{report}");
        let (mut want, mut want_bins) = (vec![0; 64], vec![0; 3]);
        reference(1, &(0..64).collect::<Vec<_>>(), &mut want, &mut want_bins);
        assert_eq!(
            runtime.read(&bins).expect("it is there"),
            want_bins,
            "lost at task {lost_at}"
        );
        match runtime.read(&next) {
            Ok(next) => assert_eq!(next, want, "lost at task {lost_at}"),
            Err(error) => assert!(
                lost_at >= 4 && matches!(error, Error::Lost { .. }),
                "lost at {lost_at}: {error}"
            ),
        }
    }
}

#[test]
fn a_device_without_room_sits_out_and_the_report_says_so() {
    let runtime = machine(&[Script {
        memory_bytes: 100,
        ..Script::default()
    }]);
    assert_eq!(
        three_steps(&runtime, 100, 1, &Policy::Fixed(vec![1.0, 1.0])).expect("the CPU has room"),
        expected(100, 1)
    );
    let runtime = machine(&[Script {
        most_binding_bytes: 100,
        ..Script::default()
    }]);
    let (old, next) = (
        runtime.buffer::<u32>(64).expect("small"),
        runtime.buffer::<u32>(64).expect("small"),
    );
    let bins = runtime.buffer::<u32>(1).expect("small");
    let kernel = step(0);
    let dispatch = dispatch_step(&runtime, &kernel, [&old, &next, &bins], 0);
    let report = dispatch.run().expect("the CPU binds it");
    let reason = report.devices[0].left_out.clone().expect("it is too small");
    assert!(
        reason.contains("256 bytes") && reason.contains("at most 100: use several smaller"),
        "{reason}"
    );
    // Both that are too large have the same size: one of them is named.
    assert!(reason.contains("`old`"), "{reason}");
}

#[test]
fn a_steady_stencil_moves_exactly_its_halo() {
    let runtime = machine(&[Script::default()]);
    let (width, height) = (32_usize, 64_usize);
    let heat = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> u: array<f32>;
         @group(0) @binding(1) var<storage, read_write> v: array<f32>;
         @compute @workgroup_size(8, 8)
         fn heat(@builtin(global_invocation_id) id: vec3<u32>) {
             let up = (max(id.y, 1u) - 1u) * 32u + id.x;
             let down = min(id.y + 1u, 63u) * 32u + id.x;
             v[id.y * 32u + id.x] = 0.5 * u[id.y * 32u + id.x] + 0.25 * (u[up] + u[down]);
         }",
    )
    .and_then(|kernel| kernel.access("u", Access::Neighborhood(1)))
    .and_then(|kernel| kernel.access("v", Access::OneToOne))
    .expect("it is valid");
    let u = runtime
        .buffer_from(&vec![1.0_f32; width * height])
        .expect("small");
    let v = runtime.buffer::<f32>(width * height).expect("small");
    let (mut old, mut next) = (&u, &v);
    for i in 0..10 {
        let dispatch = runtime
            .dispatch(&heat, [width, height])
            .bind("u", old)
            .bind("v", next);
        let report = dispatch
            .split(Policy::Fixed(vec![0.5, 0.5]))
            .run()
            .expect("it runs");
        let row = (width * size_of::<f32>()) as u64;
        if i > 0 {
            let device = &report.devices[0];
            assert_eq!(
                (device.bytes_to_device, device.bytes_from_device),
                (row, row),
                "step {i}"
            );
        }
        std::mem::swap(&mut old, &mut next);
    }
    assert!(
        runtime
            .read(old)
            .expect("it is there")
            .iter()
            .all(|value| *value == 1.0)
    );
}

#[test]
fn lengths_that_divide_by_nothing_are_fine() {
    let runtime = machine(&[Script::default()]);
    for n in [1, 2, 3, 4, 5, 7, 63, 64, 65, 997] {
        let read =
            three_steps(&runtime, n, 1, &Policy::Fixed(vec![1.0, 1.0])).expect("no device fails");
        assert_eq!(read, expected(n, 1), "{n}");
    }
    let empty = runtime
        .buffer_from::<u32>(&[])
        .expect("an empty buffer is one");
    assert!(runtime.read(&empty).expect("it reads").is_empty());
}

#[test]
fn parts_of_buffers_are_read_and_written() {
    let runtime = machine(&[]);
    let x = runtime.buffer::<f32>(10).expect("small");
    runtime.write_range(&x, 4, &[1.0, 2.0]).expect("it fits");
    assert_eq!(
        runtime.read_range(&x, 3..7).expect("it is there"),
        [0.0, 1.0, 2.0, 0.0]
    );
    let mut first = [9.0; 5];
    runtime.read_into(&x, &mut first).expect("it is there");
    assert_eq!(first, [0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn writes_that_nothing_is_proven_of_run_whole_and_the_report_names_the_line() {
    let runtime = machine(&[Script::default()]);
    let scatter = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> old: array<u32>;
        @group(0) @binding(1) var<storage, read_write> next: array<u32>;
        @compute @workgroup_size(4)
        fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x >= arrayLength(&next) || old[id.x] >= arrayLength(&next) { return; }
            next[old[id.x]] = id.x + 1u;
        }",
    );
    let scatter = scatter.expect("it is valid");
    let places: Vec<u32> = (0..64).map(|i| i * 5 % 64).collect();
    let old = runtime.buffer_from(&places).expect("small");
    let next = runtime.buffer::<u32>(64).expect("small");
    for _ in 0..3 {
        let dispatch = runtime.dispatch(&scatter, 64).bind("old", &old);
        let report = dispatch.bind("next", &next).run().expect("it runs");
        let busy = report.devices.iter().filter(|device| device.chunks > 0);
        assert_eq!(busy.count(), 1);
        let tells = |note: &String| {
            note.contains("`next` is written in line 6") && note.contains("next[old[id.x]] = id.x")
        };
        assert!(report.notes.iter().any(tells), "{report}");
    }
    let mut truth = vec![0; 64];
    for (i, place) in (1..).zip(places) {
        truth[place as usize] = i;
    }
    assert_eq!(runtime.read(&next).expect("it is there"), truth);
}

#[test]
fn a_kernel_with_nothing_declared_is_split_where_all_is_proven() {
    let runtime = machine(&[Script::default(), Script::default()]);
    let kernel = Kernel::from_wgsl(STEP).expect("it is valid");
    let policy = Policy::Fixed(vec![1.0; 3]);
    for (n, halo) in [(64, 0), (1000, 2), (997, 5)] {
        let values: Vec<u32> = (0..n as u32).map(|i| i * i).collect();
        let (old, next) = (
            runtime.buffer_from(&values).expect("small"),
            runtime.buffer::<u32>(n).expect("small"),
        );
        let bins = runtime.buffer::<u32>(3).expect("small");
        let dispatch = dispatch_step(&runtime, &kernel, [&old, &next, &bins], halo);
        let patterns = dispatch.patterns().expect("all is bound");
        let halo_of = patterns.iter().find(|pattern| pattern.binding == "old");
        let access = match halo {
            0 => Access::OneToOne,
            halo => Access::Neighborhood(halo.into()),
        };
        assert_eq!(halo_of.and_then(|pattern| pattern.access), Some(access));
        let report = dispatch.split(policy.clone()).run().expect("it runs");
        assert!(
            report.devices.iter().all(|device| device.chunks == 1),
            "{report}"
        );
        let (mut wanted, mut sorted) = (vec![0; n], vec![0; 3]);
        reference(halo as usize, &values, &mut wanted, &mut sorted);
        assert_eq!(runtime.read(&next).expect("it is there"), wanted);
        assert_eq!(runtime.read(&bins).expect("it is there"), sorted);
    }
}

#[test]
fn a_declaration_that_the_code_contradicts_is_refused_with_the_line() {
    let runtime = machine(&[Script::default()]);
    let shift = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(4)
        fn shift(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x + 1u >= arrayLength(&y) { return; }
            y[id.x + 1u] = id.x;
        }",
    );
    let shift = shift.and_then(|kernel| kernel.access("y", Access::OneToOne));
    let y = runtime.buffer::<u32>(64).expect("small");
    let error = runtime
        .dispatch(&shift.expect("it may be"), 64)
        .bind("y", &y)
        .run();
    let Err(Error::Kernel(KernelError::Contradicted(found))) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (found.name.as_str(), found.line, found.writes),
        ("y", 5, true)
    );
    let text = found.to_string();
    assert!(
        text.contains("invocation (3, 0, 0) writes element 4")
            && text.contains("y[id.x + 1u] = id.x"),
        "{text}"
    );
    assert_eq!(runtime.read(&y).expect("nothing ran"), [0; 64]);
}

#[test]
fn one_to_one_of_a_buffer_longer_than_the_range_is_refused_with_the_shares() {
    let runtime = machine(&[Script::default()]);
    let number = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(4)
        fn number(@builtin(global_invocation_id) id: vec3<u32>) { y[id.x] = id.x; }",
    );
    let number = number.expect("it is valid");
    let y = runtime.buffer::<u32>(64).expect("small");
    let run = |kernel: &Kernel| runtime.dispatch(kernel, 16).bind("y", &y).run();
    let declared = number.clone().access("y", Access::OneToOne);
    let error = run(&declared.expect("it is written")).expect_err("units have more elements");
    let text = error.to_string();
    assert!(
        text.contains(
            "each of the range's 16 units has 4 of the 64 elements, but invocation (4, 0, 0)"
        ),
        "{text}"
    );
    run(&number).expect("it is proven");
    let expected = (0..16).chain([0; 48]);
    assert!(
        runtime
            .read(&y)
            .expect("it was written")
            .into_iter()
            .eq(expected)
    );
}

#[test]
fn a_count_of_64_bits_is_kept_by_one_device() {
    let runtime = machine(&[Script::default(), Script::default()]);
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> x: array<u64>;
         @group(0) @binding(1) var<storage, read_write> sums: array<atomic<u64>, 2>;
         @compute @workgroup_size(8)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= arrayLength(&x) { return; }
             atomicAdd(&sums[0], x[id.x]); atomicMax(&sums[1], x[id.x]);
         }",
    );
    let kernel = kernel.expect("it is valid");
    let kernel = kernel.access("x", Access::OneToOne).expect("it is read");
    let numbers: Vec<u64> = (0..1000_u64).map(|i| i * 0x1_2345_6789).collect();
    let x = runtime.buffer_from(&numbers).expect("small");
    let sums = runtime.buffer::<u64>(2).expect("small");
    let sum: u64 = numbers.iter().sum();
    for turn in 1..4 {
        // Even a split that is asked for.
        let dispatch = runtime.dispatch(&kernel, 1000).bind("x", &x);
        let dispatch = dispatch.bind("sums", &sums);
        let policy = Policy::Fixed(vec![1.0, 1.0, 1.0]);
        let report = dispatch.split(policy).run().expect("it runs");
        let takers = report.devices.iter().filter(|device| device.chunks > 0);
        assert_eq!(takers.count(), 1, "{report}");
        let says = |note: &String| note.contains("`sums` is written");
        assert!(report.notes.iter().any(says), "{report}");
        let found = runtime.read(&sums).expect("it is there");
        assert_eq!(found, [sum * turn, 999 * 0x1_2345_6789]);
    }
}

#[test]
fn blocks_that_a_chunk_would_cut_are_refused() {
    let runtime = machine(&[]);
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(4)
        fn put(@builtin(global_invocation_id) id: vec3<u32>) { y[y[id.x]] = 1u; }",
    );
    let kernel = kernel.expect("it is valid");
    let y = runtime.buffer::<u32>(64).expect("small");
    let run = |units| {
        let blocks = Access::Strided(Strided {
            units,
            stride: units as i64,
            from: 0,
            to: units as i64,
        });
        let kernel = kernel
            .clone()
            .access("y", blocks)
            .expect("blocks don't meet");
        runtime.dispatch(&kernel, 64).bind("y", &y).run()
    };
    assert!(run(4).is_ok() && run(2).is_ok());
    for units in [0, 3, 8] {
        let error = run(units).expect_err("a chunk may end within a block");
        assert!(
            matches!(
                error,
                Error::Kernel(KernelError::CutBlocks { workgroup: 4, .. })
            ),
            "{error}"
        );
    }
}

#[test]
fn a_panic_in_a_native_body_surfaces_and_spoils_only_its_outputs() {
    let runtime = machine(&[]);
    let kernel = step(0).native(|_| panic!("on purpose"));
    let old = runtime.buffer_from(&[1_u32; 64]).expect("small");
    let (next, bins) = (
        runtime.buffer::<u32>(64).expect("small"),
        runtime.buffer::<u32>(1).expect("small"),
    );
    let dispatch = dispatch_step(&runtime, &kernel, [&old, &next, &bins], 0);
    let error = dispatch.run().expect_err("it panics").to_string();
    assert!(
        error.contains("on purpose") && error.contains("`step`"),
        "{error}"
    );
    assert_eq!(runtime.read(&old).expect("it was only read"), [1; 64]);
    let error = runtime.read(&next).expect_err("nobody knows what is in it");
    assert!(
        matches!(&error, Error::Lost { cause, .. } if cause.contains("on purpose")),
        "{error}"
    );
    runtime
        .write(&next, &[3; 64])
        .expect("it can be written again");
    assert_eq!(runtime.read(&next).expect("it is whole again"), [3; 64]);
}

#[test]
fn seconds_leave_out_what_a_device_does_for_earlier_dispatches() {
    let script = Script {
        items_per_second: 1e6,
        ..Script::default()
    };
    let runtime = Runtime::builder()
        .without_profile_dir()
        .device(VirtualDevice::new("virtual", script))
        .split(Policy::Only("virtual".to_owned()))
        .build()
        .expect("the device is there");
    let (kernel, n) = (increment(), 2048);
    let x = runtime.buffer::<u32>(n).expect("small");
    let submit = |_| runtime.dispatch(&kernel, n).bind("x", &x).submit();
    let start = Instant::now();
    let events: Vec<_> = (0..10).map(submit).collect();
    let seconds = events.into_iter().map(|event| {
        let report = event.expect("it is sound").wait();
        report.expect("no device fails").seconds
    });
    // One device does one at a time, so together they take no longer than has passed.
    let seconds: f64 = seconds.sum();
    let passed = start.elapsed().as_secs_f64();
    assert!(seconds <= passed, "{seconds} of {passed}");
}

#[test]
fn dropping_a_runtime_with_work_in_flight_ends_everything() {
    for _ in 0..20 {
        let runtime = machine(&[Script::default()]);
        let kernel = step(1);
        let old = runtime.buffer_from(&vec![1_u32; 10_000]).expect("small");
        let (next, bins) = (
            runtime.buffer::<u32>(10_000).expect("small"),
            runtime.buffer::<u32>(3).expect("small"),
        );
        let submit = || {
            let dispatch = runtime
                .dispatch(&kernel, 10_000)
                .bind("old", &old)
                .bind("next", &next);
            dispatch
                .bind("bins", &bins)
                .value("halo", 1_u32)
                .submit()
                .expect("it is sound")
        };
        let events: Vec<_> = (0..10).map(|_| submit()).collect();
        drop(runtime);
        for event in events {
            assert!(matches!(event.wait(), Ok(_) | Err(Error::Dropped)));
        }
    }
}

#[test]
fn several_threads_share_a_runtime() {
    let runtime = machine(&[Script::default()]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let runtime = runtime.clone();
            scope.spawn(move || {
                for n in [50, 300] {
                    let read =
                        three_steps(&runtime, n, 1, &Policy::Measured).expect("no device fails");
                    assert_eq!(read, expected(n, 1));
                }
            });
        }
    });
}

mod bad_input {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        result.expect_err("it is refused").to_string()
    }

    fn dispatch_of(
        n: usize,
        bind: impl for<'a> Fn(&Runtime, divvy::DispatchBuilder<'a>) -> divvy::DispatchBuilder<'a>,
    ) -> Result<divvy::Report, Error> {
        let runtime = machine(&[Script::default()]);
        let result = bind(&runtime, runtime.dispatch(&step(0), n)).run();
        assert_eq!(
            three_steps(&runtime, 20, 1, &Policy::Measured).expect("it stays usable"),
            expected(20, 1)
        );
        result
    }

    #[test]
    fn an_error_that_ends_a_program_shows_its_message() {
        let error = Kernel::from_wgsl("fn main( {}").expect_err("it is no WGSL");
        assert!(error.to_string().contains("┌─ wgsl:1:10"), "{error}");
        assert_eq!(format!("{error:?}"), error.to_string());
        let error = Error::from(error);
        assert_eq!(format!("{error:?}"), error.to_string());
    }

    #[test]
    fn unbound_variables_are_listed() {
        let error = message(dispatch_of(4, |_, dispatch| dispatch.value("halo", 1_u32)));
        assert!(error.contains("`old`, `next`, `bins`"), "{error}");
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let error = message(dispatch_of(4, |_, dispatch| dispatch.value("hola", 1_u32)));
        assert!(
            error.contains("no `hola`") && error.contains("old, next, bins, halo"),
            "{error}"
        );
    }

    #[test]
    fn wrong_elements_are_named() {
        let bind = |runtime: &Runtime, dispatch: divvy::DispatchBuilder<'_>| -> String {
            let floats = runtime.buffer::<f32>(4).expect("small");
            message(dispatch.bind("old", &floats).run())
        };
        let runtime = machine(&[]);
        let error = bind(&runtime, runtime.dispatch(&step(0), 4));
        assert!(
            error.contains("`old`") && error.contains("`u32`") && error.contains("`f32`"),
            "{error}"
        );
        let wide = runtime.buffer::<[u32; 2]>(4).expect("small");
        let error = message(runtime.dispatch(&step(0), 4).bind("old", &wide).run());
        assert!(
            error.contains("of 4 bytes") && error.contains("has 8") || error.contains("of 8 bytes"),
            "{error}"
        );
    }

    #[test]
    fn elements_that_lack_padding_are_told_where_it_goes() {
        let runtime = machine(&[]);
        let refused =
            |element: &str, buffer: &dyn Fn(DispatchBuilder<'_>) -> Result<Report, Error>| {
                let kernel = Kernel::from_wgsl(&format!(
                    "struct Body {{ place: vec3<f32>, speed: vec3<f32> }}
                 struct Ray {{ start: vec3<f32>, mass: f32, size: vec2<f32> }}
                 @group(0) @binding(0) var<storage, read_write> x: array<{element}>;
                 @compute @workgroup_size(1) fn main() {{ x[0] = x[1]; }}"
                ));
                message(buffer(runtime.dispatch(&kernel.expect("it is valid"), 1)))
            };
        let threes = runtime.buffer::<[f32; 3]>(4).expect("small");
        let sixes = runtime.buffer::<[f32; 6]>(4).expect("small");
        let vector = refused("vec3<f32>", &|dispatch| dispatch.bind("x", &threes).run());
        assert!(
            vector.contains("a multiple of 16 bytes: hold `[f32; 4]`"),
            "{vector}"
        );
        let within = refused("Body", &|dispatch| dispatch.bind("x", &sixes).run());
        assert!(
            within.contains("member `speed`")
                && within.contains("put 4 bytes of padding before it"),
            "{within}"
        );
        let behind = refused("Ray", &|dispatch| dispatch.bind("x", &sixes).run());
        assert!(
            behind.contains("a multiple of 32 bytes: put 8 bytes of padding behind it"),
            "{behind}"
        );
        let short = refused("Ray", &|dispatch| dispatch.bind("x", &threes).run());
        assert!(short.contains("before or inside member `mass`"), "{short}");
    }

    #[test]
    fn uneven_and_short_buffers_are_named_with_their_numbers() {
        let runtime = machine(&[]);
        let short = runtime.buffer::<u32>(5).expect("small");
        let error = message(runtime.dispatch(&step(0), 4).bind("old", &short).run());
        assert!(
            error.contains("`old`") && error.contains("5 elements") && error.contains("4 units"),
            "{error}"
        );
        let empty = runtime.buffer::<u32>(0).expect("small");
        let error = message(runtime.dispatch(&step(0), 4).bind("bins", &empty).run());
        assert!(error.contains("`bins` needs at least 4 bytes"), "{error}");
    }

    #[test]
    fn one_buffer_behind_two_written_names_is_refused() {
        let runtime = machine(&[]);
        let x = runtime.buffer::<u32>(4).expect("small");
        let bins = runtime.buffer::<u32>(4).expect("small");
        let dispatch = runtime
            .dispatch(&step(0), 4)
            .bind("old", &x)
            .bind("next", &x)
            .bind("bins", &bins);
        let error = message(dispatch.value("halo", 0_u32).run());
        assert!(error.contains("`old` and `next`"), "{error}");
    }

    #[test]
    fn a_variable_that_is_bound_twice_is_refused() {
        let runtime = machine(&[]);
        let x = runtime.buffer::<u32>(4).expect("small");
        let dispatch = runtime.dispatch(&step(0), 4).bind("old", &x);
        let error = message(dispatch.bind("old", &x).run());
        assert!(error.contains("`old` is bound twice"), "{error}");
        let dispatch = runtime.dispatch(&step(0), 4).value("halo", 1_u32);
        let error = message(dispatch.value("halo", 2_u32).run());
        assert!(error.contains("`halo` is bound twice"), "{error}");
    }

    #[test]
    fn values_and_buffers_are_not_mixed_up() {
        let runtime = machine(&[]);
        let x = runtime.buffer::<u32>(4).expect("small");
        let error = message(runtime.dispatch(&step(0), 4).bind("halo", &x).run());
        assert!(error.contains(".value(\"halo\""), "{error}");
        let error = message(runtime.dispatch(&step(0), 4).value("old", 1_u32).run());
        assert!(error.contains(".bind(\"old\""), "{error}");
        let error = message(
            runtime
                .dispatch(&step(0), 4)
                .value("halo", [1_u32, 2])
                .run(),
        );
        assert!(
            error.contains("of 4 bytes") && error.contains("has 8"),
            "{error}"
        );
    }

    #[test]
    fn a_value_is_not_taken_for_the_bits_of_another_type() {
        let runtime = machine(&[]);
        let error = message(runtime.dispatch(&step(0), 4).value("halo", 1.0).run());
        assert!(
            error.contains("`f64`: give it `u32`, as in `1_u32`"),
            "{error}"
        );
    }

    #[test]
    fn empty_and_endless_ranges_are_refused() {
        let runtime = machine(&[]);
        assert!(message(runtime.dispatch(&step(0), 0).run()).contains("no invocation"));
        assert!(message(runtime.dispatch(&step(0), [4, 0]).run()).contains("4 x 0"));
        let error = message(runtime.dispatch(&step(0), 1_u64 << 33).run());
        assert!(
            error.contains("4294967295") && error.contains("along x"),
            "{error}"
        );
    }

    #[test]
    fn elements_of_odd_sizes_are_refused() {
        let runtime = machine(&[]);
        assert!(message(runtime.buffer::<u8>(4)).contains("`u8`, of 1 byte:"));
        assert!(message(runtime.buffer::<[u16; 3]>(3)).contains("of 6 bytes"));
        assert!(message(runtime.buffer_from::<u16>(&[1, 2, 3])).contains("word of 4 bytes"));
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        let runtime = machine(&[]);
        assert!(message(runtime.buffer::<u32>(usize::MAX)).contains("larger than any memory"));
        let huge = runtime
            .buffer::<u32>(1 << 60)
            .expect("nothing is allocated yet");
        assert!(message(runtime.read_range(&huge, 0..1)).contains("no memory"));
        assert_eq!(
            three_steps(&runtime, 20, 1, &Policy::Measured).expect("it stays usable"),
            expected(20, 1)
        );
    }

    #[test]
    fn elements_past_the_end_are_refused_with_the_length() {
        let runtime = machine(&[]);
        let x = runtime.buffer::<u32>(4).expect("small");
        assert!(message(runtime.read_range(&x, 2..5)).contains("2..5"));
        assert!(message(runtime.write_range(&x, 4, &[1])).contains("4 elements"));
        assert!(message(runtime.read_into(&x, &mut [0; 5])).contains("0..5"));
        assert!(message(runtime.write_range(&x, usize::MAX, &[1])).contains("4 elements"));
    }

    #[test]
    fn reversed_elements_are_called_so() {
        let runtime = machine(&[]);
        let x = runtime.buffer::<u32>(4).expect("small");
        #[expect(clippy::reversed_empty_ranges, reason = "it is what is refused")]
        let error = message(runtime.read_range(&x, 3..1));
        assert!(error.contains("3..1 is reversed"), "{error}");
    }

    #[test]
    fn a_buffer_of_another_runtime_is_refused() {
        let (runtime, other) = (machine(&[]), machine(&[]));
        let foreign = other.buffer::<u32>(4).expect("small");
        let error = message(runtime.read(&foreign));
        assert!(
            error.contains("another runtime") && !error.contains("bound"),
            "{error}"
        );
        assert!(
            message(runtime.dispatch(&step(0), 4).bind("old", &foreign).run()).contains("`old`")
        );
    }

    /// A kernel with no native body and numbers that the CPU's lanes don't have.
    fn too_large() -> Kernel {
        let kernel = Kernel::from_wgsl(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
             var<workgroup> all: u32;
             @compute @workgroup_size(64, 64, 2) fn main() { x[0] = workgroupUniformLoad(&all); }",
        );
        kernel.expect("it is valid")
    }

    #[test]
    fn a_kernel_that_no_device_can_run_is_an_error_with_reasons() {
        let runtime = machine(&[]);
        let x = runtime.buffer_from(&[7_u32; 4]).expect("small");
        let dispatch = runtime.dispatch(&too_large(), 1);
        let error = message(dispatch.bind("x", &x).run());
        assert!(
            error.contains("`cpu`") && error.contains(".native(closure)"),
            "{error}"
        );
    }

    #[test]
    fn a_dispatch_that_nobody_can_run_leaves_its_buffers_as_they_were() {
        let runtime = machine(&[]);
        let x = runtime.buffer_from(&[7_u32; 4]).expect("small");
        let dispatch = runtime.dispatch(&too_large(), 1);
        message(dispatch.bind("x", &x).run());
        assert_eq!(runtime.read(&x).expect("nothing touched it"), [7; 4]);
    }

    #[test]
    fn what_is_lost_is_told_with_its_first_cause() {
        let runtime = machine(&[]);
        let kernel = increment();
        let x = runtime.buffer::<u32>(64).expect("small");
        let faulty = kernel.clone().native(|_| panic!("on purpose"));
        let faulty = runtime.dispatch(&faulty, 64).bind("x", &x).submit();
        let later: Vec<_> = (0..20)
            .map(|_| runtime.dispatch(&kernel, 64).bind("x", &x).submit())
            .collect();
        message(faulty.and_then(|event| event.wait()));
        for event in later {
            let error = message(event.and_then(|event| event.wait()));
            assert_eq!(error.matches("lost elements").count(), 1, "{error}");
            assert!(error.contains("on purpose"), "{error}");
        }
    }

    #[test]
    fn devices_and_policies_that_do_not_exist_are_refused() {
        let error = message(Runtime::builder().devices("tpu").build());
        assert!(
            error.contains("`tpu`") && error.contains("`cpu`"),
            "{error}"
        );
        let runtime = machine(&[]);
        let error = message(
            runtime
                .dispatch(&step(0), 4)
                .split(Policy::Fixed(vec![-1.0]))
                .run(),
        );
        assert!(
            error.contains("fixed:-1") || error.contains("unbound") || error.contains("bound"),
            "{error}"
        );
        let error = message(
            Runtime::builder()
                .split(Policy::Fixed(vec![f64::NAN]))
                .build(),
        );
        assert!(error.contains("finite"), "{error}");
        let error = message(
            Runtime::builder()
                .devices("cpu")
                .split(Policy::Only("tpu".to_owned()))
                .build(),
        );
        assert!(error.contains("`tpu`"), "{error}");
    }

    #[test]
    fn what_cannot_be_written_is_refused_if_it_was_asked_for() {
        // The environment is set for a process of its own: that of this one is all tests'.
        let test = "bad_input::what_cannot_be_written_is_refused_if_it_was_asked_for";
        let builder = || Runtime::builder().devices("cpu");
        let refused = |builder: Builder, path: &Path| {
            let error = message(builder.build());
            let (text, path) = (error.as_str(), path.display().to_string());
            assert!(
                text.contains(&path) && text.contains("choose another place"),
                "{error}"
            );
        };
        if let Ok(below) = std::env::var("DIVVY_TEST_WITHIN") {
            match std::env::var("XDG_CACHE_HOME") {
                // The folder that nobody asked for.
                Ok(_) => drop(builder().build().expect("it does without")),
                Err(_) => refused(builder(), Path::new(&below)),
            }
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("it can be written");
        // No user can write below a file, whatever the rights.
        let below = file.join("below");
        refused(builder().without_profile_dir().trace(&below), &below);
        refused(builder().profile_dir(&below), &below);
        for variable in ["DIVVY_TRACE", "DIVVY_PROFILE_DIR", "XDG_CACHE_HOME"] {
            let program = std::env::current_exe().expect("it runs");
            let mut within = std::process::Command::new(program);
            within.args(["--exact", test]).env_remove("XDG_CACHE_HOME");
            within
                .env("DIVVY_TEST_WITHIN", &below)
                .env(variable, &below);
            let output = within.output().expect("it starts");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{variable}: {text}"
            );
        }
    }

    #[test]
    fn more_threads_than_there_is_a_use_for_are_refused() {
        let builder = Runtime::builder().devices("cpu").without_profile_dir();
        let error = message(builder.threads(1_000_000).build());
        assert!(
            error.contains("1000000 threads") && error.contains("one for each core"),
            "{error}"
        );
    }

    #[test]
    fn the_empty_name_is_no_device() {
        let runtime = Runtime::builder()
            .devices("cpu")
            .split(Policy::Only(String::new()));
        let error = message(runtime.build());
        assert!(error.contains("the name of a device"), "{error}");
    }
}

#[test]
fn a_run_must_be_allowed_to_take_some_time() {
    let builder = Runtime::builder().devices("cpu").without_profile_dir();
    let error = builder.longest_run(Duration::ZERO).build().err();
    let text = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(
        text.contains("longest run") && text.contains("0.25"),
        "{text}"
    );
}

#[test]
fn slices_of_a_long_dispatch_give_the_same_bytes() {
    let script = Script {
        items_per_second: 1e4,
        ..Script::default()
    };
    for devices in [1, 2] {
        let mut builder = Runtime::builder().without_profile_dir();
        builder = builder.longest_run(Duration::from_millis(50));
        for i in 0..devices {
            builder = builder.device(VirtualDevice::new(&i.to_string(), script.clone()));
        }
        let runtime = builder.build().expect("the devices are there");
        let (kernel, n) = (increment(), 5003);
        let x = runtime.buffer::<u32>(n).expect("there is room");
        for step in 1..=8 {
            let dispatch = runtime.dispatch(&kernel, n).bind("x", &x);
            let report = dispatch.run().expect("it runs");
            let values = runtime.read(&x).expect("it is there");
            assert!(values.iter().all(|x| *x == step), "{report}");
            let mut longest = report.devices.iter().map(|device| device.longest_seconds);
            assert!(longest.all(|longest| longest < 0.051), "{report}");
        }
    }
}

/// Two devices that share every dispatch evenly.
fn even_pair() -> Runtime {
    let mut builder = Runtime::builder().without_profile_dir();
    for name in ["first", "second"] {
        builder = builder.device(VirtualDevice::new(name, Script::default()));
    }
    let built = builder.split(Policy::Fixed(vec![1.0, 1.0])).build();
    built.expect("the devices are there")
}

#[test]
fn a_range_of_one_row_is_split_along_it_by_what_is_declared() {
    let runtime = even_pair();
    let kernel = increment().access("x", Access::OneToOne);
    let kernel = kernel.expect("it has the binding");
    let x = runtime.buffer::<u32>(256).expect("there is room");
    let ranges = [Range::from(256), [256, 1].into(), [256, 1, 1].into()];
    for (step, range) in (1..).zip(ranges) {
        let report = runtime.dispatch(&kernel, range).bind("x", &x).run();
        let report = report.expect("it runs");
        assert!(
            report
                .devices
                .iter()
                .all(|device| device.invocations == 128),
            "{report}"
        );
        assert_eq!(runtime.read(&x).expect("it is there"), [step; 256]);
    }
}

#[test]
fn what_is_declared_of_rows_holds_for_a_range_of_one() {
    let runtime = even_pair();
    let sums = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> x: array<u32>;
         @group(0) @binding(1) var<storage, read_write> sums: array<u32>;
         var<workgroup> parts: array<u32, 64>;
         @compute @workgroup_size(64)
         fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) group: vec3<u32>) {
             parts[i] = x[group.y * 64u + i]; workgroupBarrier();
             if i > 0u { return; }
             for (var k = 0u; k < 64u; k++) { sums[group.y] += parts[k]; }
         }",
    );
    let sums = sums.and_then(|kernel| kernel.access("x", Access::OneToOne));
    let sums = sums.and_then(|kernel| kernel.access("sums", Access::OneToOne));
    let sums = sums.expect("it has the bindings");
    for rows in [1, 2, 5] {
        let x = runtime.buffer_from(&vec![3_u32; 64 * rows]);
        let x = x.expect("there is room");
        let y = runtime.buffer::<u32>(rows).expect("there is room");
        let dispatch = runtime.dispatch(&sums, [64, rows]);
        let report = dispatch.bind("x", &x).bind("sums", &y).run();
        let report = report.unwrap_or_else(|error| panic!("{rows} rows: {error}"));
        assert_eq!(
            runtime.read(&y).expect("it is there"),
            vec![192; rows],
            "{report}"
        );
    }
}

#[test]
fn what_is_declared_of_rows_may_be_more_than_an_element_of_one() {
    let runtime = even_pair();
    // Every element of a row is the last of the row.
    let last = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> x: array<u32>;
         @group(0) @binding(1) var<storage, read_write> y: array<u32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) { y[id.y * 256u + id.x] = x[id.y * 256u + 255u]; }",
    );
    let last = last.and_then(|kernel| kernel.access("x", Access::OneToOne));
    let last = last.expect("it has the binding");
    for rows in [1, 3] {
        let x: Vec<u32> = (0..256 * rows).collect();
        let x = runtime.buffer_from(&x).expect("there is room");
        let y = runtime
            .buffer::<u32>(256 * rows as usize)
            .expect("there is room");
        let dispatch = runtime.dispatch(&last, [256, rows]);
        let run = dispatch.bind("x", &x).bind("y", &y).run();
        run.unwrap_or_else(|error| panic!("{rows} rows: {error}"));
        let values = runtime.read(&y).expect("it is there");
        assert!((0..).zip(&values).all(|(i, y)| *y == i / 256 * 256 + 255));
    }
}

#[test]
fn fixed_shares_of_a_long_dispatch_are_run_in_slices() {
    let script = Script {
        items_per_second: 1e4,
        ..Script::default()
    };
    let mut builder = Runtime::builder().without_profile_dir();
    builder = builder.longest_run(Duration::from_millis(50));
    for name in ["first", "second"] {
        builder = builder.device(VirtualDevice::new(name, script.clone()));
    }
    let shares = Policy::Fixed(vec![0.25, 0.75]);
    let runtime = builder
        .split(shares)
        .build()
        .expect("the devices are there");
    let (kernel, n) = (increment(), 6400);
    let x = runtime.buffer::<u32>(n).expect("there is room");
    for step in 1..=4 {
        let report = runtime.dispatch(&kernel, n).bind("x", &x).run();
        let report = report.expect("it runs");
        let values = runtime.read(&x).expect("it is there");
        assert!(values.iter().all(|x| *x == step), "{report}");
        // Nobody takes from another's share.
        let items: Vec<_> = report
            .devices
            .iter()
            .map(|device| device.invocations)
            .collect();
        assert_eq!(items, [1600, 4800], "{report}");
        let mut longest = report.devices.iter().map(|device| device.longest_seconds);
        assert!(longest.all(|longest| longest < 0.051), "{report}");
    }
}

#[test]
fn a_second_process_starts_at_the_split_that_the_first_came_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        // Both follow a script, so that no noise of the machine is in what is measured.
        let scripted = |name, items_per_second| {
            let script = Script {
                items_per_second,
                ..Script::default()
            };
            VirtualDevice::new(name, script)
        };
        let builder = Runtime::builder().profile_dir(folder.path());
        let builder = builder.device(scripted("slow", 2e6));
        let builder = builder.device(scripted("fast", 3e6));
        builder.build().expect("the devices are there")
    };
    let kernel = increment();
    let run = |runtime: &Runtime, x: &Buffer<u32>| {
        let dispatch = runtime.dispatch(&kernel, 2000).bind("x", x);
        dispatch.run().expect("it runs")
    };
    let first = open();
    let x = first.buffer::<u32>(2000).expect("there is room");
    let calibration = run(&first, &x);
    assert!(calibration.devices.iter().any(|device| device.chunks > 1));
    let mut last = calibration;
    for _ in 0..20 {
        last = run(&first, &x);
    }
    drop((first, x));
    let second = open();
    let x = second.buffer::<u32>(2000).expect("there is room");
    let report = run(&second, &x);
    for (before, after) in last.devices.iter().zip(&report.devices) {
        // What isn't sure yet in a new process is left to be found at the end.
        assert!((before.share - after.share).abs() < 0.1, "{last}\n{report}");
    }
}

/// Adds one to each element of `x`.
fn increment() -> Kernel {
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(1)
         fn add(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] += 1u; }",
    );
    kernel
        .and_then(|kernel| kernel.access("x", Access::OneToOne))
        .expect("it is valid")
}

#[test]
fn boundaries_are_found_at_the_end_of_a_dispatch_until_predictions_hold() {
    let rates = [2e4, 3e4, 5e4];
    let mut builder = Runtime::builder().without_profile_dir();
    for rate in rates {
        let script = Script {
            items_per_second: rate,
            ..Script::default()
        };
        builder = builder.device(VirtualDevice::new(&format!("{rate}"), script));
    }
    let runtime = builder.build().expect("the devices are there");
    let (kernel, n) = (increment(), 5003);
    let x = runtime.buffer::<u32>(n).expect("there is room");
    let mut reports = Vec::new();
    // Before the split is doubted: scripted devices only tell their times, so that one alone would be faster.
    for step in 1..=30 {
        let dispatch = runtime.dispatch(&kernel, n).bind("x", &x);
        let report = dispatch.run().expect("it runs");
        let values = runtime.read(&x).expect("it is there");
        assert!(values.iter().all(|x| *x == step), "{report}");
        reports.push(report);
    }
    let chunks = |report: &Report| report.devices.iter().map(|device| device.chunks).sum();
    let chunks: Vec<usize> = reports.iter().map(chunks).collect();
    assert!(chunks[0] > rates.len(), "{chunks:?}");
    assert_eq!(chunks[29], rates.len(), "{chunks:?}");
    for (device, rate) in reports[29].devices.iter().zip(rates) {
        assert!((device.share - rate / 1e5).abs() < 0.03, "{}", reports[29]);
    }
}

#[test]
fn a_trace_has_a_track_for_each_device_with_its_copies_and_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trace.json");
    let builder = Runtime::builder()
        .without_profile_dir()
        .devices("cpu")
        .trace(&file);
    let builder = builder.device(VirtualDevice::new("virtual", Script::default()));
    let runtime = builder.build().expect("the devices are there");
    three_steps(&runtime, 100, 1, &Policy::Fixed(vec![1.0, 1.0])).expect("no device fails");
    drop(runtime);
    let text = std::fs::read(&file).expect("it is written when the runtime goes");
    let events: Vec<serde_json::Value> = serde_json::from_slice(&text).expect("it is JSON");
    let on = |device: &str, what: &str| {
        let track = events
            .iter()
            .find(|event| event["ph"] == "M" && event["args"]["name"] == device)
            .expect("each device has a track");
        let is_one = |event: &&serde_json::Value| {
            let name = event["name"].as_str().unwrap_or_default();
            event["ph"] == "X" && event["tid"] == track["tid"] && name.starts_with(what)
        };
        events.iter().filter(is_one).count()
    };
    assert_eq!((on("cpu", "step "), on("virtual", "step ")), (3, 3));
    assert_eq!(on("cpu", "to device"), 0, "the CPU is sent nothing");
    assert!(on("virtual", "to device") > 0 && on("virtual", "from device") > 0);
}

#[test]
fn every_device_is_tried_with_a_range_of_one_workgroup_and_the_fastest_is_left_with_it() {
    let mut builder = Runtime::builder().without_profile_dir();
    for rate in [1e3, 2e3, 1e5] {
        let script = Script {
            items_per_second: rate,
            ..Script::default()
        };
        builder = builder.device(VirtualDevice::new(&format!("{rate}"), script));
    }
    let runtime = builder.build().expect("the devices are there");
    let x = runtime.buffer::<u32>(1).expect("there is room");
    let run = |_| {
        let dispatch = runtime.dispatch(&increment(), 1).bind("x", &x);
        dispatch.run().expect("it runs")
    };
    let reports: Vec<Report> = (0..20).map(run).collect();
    let did_it = |report: &Report| report.devices.iter().position(|device| device.chunks > 0);
    let devices: Vec<_> = reports.iter().map(did_it).collect();
    assert!((0..3).all(|i| devices.contains(&Some(i))), "{devices:?}");
    assert!(devices[12..].iter().all(|i| *i == Some(2)), "{devices:?}");
    assert_eq!(runtime.read(&x).expect("it is there"), [20]);
}

#[test]
fn the_inside_of_a_chunk_in_the_hosts_memory_does_not_wait_for_halos() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trace.json");
    let (n, steps) = (64 * 256_usize, 6);
    let script = |home| Script {
        home,
        overhead_seconds: 2e-4,
        ..Script::default()
    };
    let runtime = Runtime::builder()
        .without_profile_dir()
        .device(VirtualDevice::new("host", script(Home::Host)))
        .device(VirtualDevice::new("own", script(Home::Own)))
        .split(Policy::Fixed(vec![1.0, 1.0]))
        .trace(&file)
        .build()
        .expect("the devices are there");
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> old: array<u32>;
        @group(0) @binding(1) var<storage, read_write> next: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let last = arrayLength(&old) - 1u;
            if id.x > last { return; }
            next[id.x] = old[max(id.x, 1u) - 1u] + old[id.x] * 3u + old[min(id.x + 1u, last)];
        }",
    );
    let kernel = kernel.expect("it is valid");
    let mut expected: Vec<u32> = (0..n as u32).collect();
    let mut buffers = [
        runtime.buffer_from(&expected).expect("there is room"),
        runtime.buffer::<u32>(n).expect("there is room"),
    ];
    for step in 0..steps {
        let [old, next] = &buffers;
        let dispatch = runtime.dispatch(&kernel, n).bind("old", old);
        let report = dispatch.bind("next", next).run().expect("it runs");
        // Of the first nobody knows yet how long it takes.
        let mut chunks = report.devices.iter().map(|device| device.chunks);
        assert!(step == 0 || chunks.all(|chunks| chunks == 1), "{report}");
        buffers.swap(0, 1);
        let at = |i: usize| expected[i].wrapping_mul(3);
        let beside = |i: usize| expected[i.max(1) - 1].wrapping_add(expected[(i + 1).min(n - 1)]);
        expected = (0..n).map(|i| at(i).wrapping_add(beside(i))).collect();
    }
    assert_eq!(runtime.read(&buffers[0]).expect("it is there"), expected);
    drop(runtime);
    let text = std::fs::read_to_string(&file).expect("it was written");
    let trace = Trace::read(&text).expect("it is a trace");
    let runs_of = |name: &str| {
        trace
            .activities
            .iter()
            .filter(|one| one.name == name)
            .count()
    };
    // The first finds all of what it reads in the host's memory.
    let (half, inside) = (n / 2, n / 2 - 64);
    assert_eq!(runs_of(&format!("main 0..{half}")), 1);
    assert_eq!(runs_of(&format!("main 0..{inside}")), steps - 1);
    assert_eq!(runs_of(&format!("main {inside}..{half}")), steps - 1);
    assert_eq!(runs_of(&format!("main {half}..{n}")), steps - 1);
}
