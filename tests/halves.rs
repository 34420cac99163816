//! Elements of two bytes, the whole path: the CPU, virtual devices, and GPUs that have them.

use divvy::device::gpu::{GpuDevice, find_gpus};
use divvy::device::virtual_device::Script;
use divvy::device::{Device, DeviceError, VirtualDevice};
use divvy::{Access, Error, Kernel, Policy, Range, Runtime};
use half::f16;

const SCALE: &str = "enable f16;
    @group(0) @binding(0) var<uniform> a: f16;
    @group(0) @binding(1) var<storage, read> x: array<f16>;
    @group(0) @binding(2) var<storage, read_write> y: array<f16>;
    @compute @workgroup_size(3)
    fn scale(@builtin(global_invocation_id) id: vec3<u32>) {
        let i = id.x + id.y * 6u;
        if i < arrayLength(&y) { y[i] += a * x[i]; }
    }";

fn scale() -> Kernel {
    let kernel = Kernel::from_wgsl(SCALE).expect("it is valid");
    let kernel = kernel.access("x", Access::OneToOne).expect("it is read");
    kernel.access("y", Access::OneToOne).expect("it is written")
}

fn cpu() -> Runtime {
    let builder = Runtime::builder()
        .without_profile_dir()
        .devices("cpu")
        .threads(2);
    builder.build().expect("the CPU is always there")
}

fn numbers(count: usize) -> Vec<f16> {
    (0..count).map(|i| f16::from_f32(i as f32 / 4.0)).collect()
}

#[test]
fn a_buffer_of_halves_is_bound_to_an_array_of_them() {
    let runtime = cpu();
    for count in [2, 50, 1002] {
        let x = runtime.buffer_from(&numbers(count)).expect("there is room");
        let y = runtime
            .buffer_from(&vec![f16::ONE; count])
            .expect("there is room");
        let dispatch = runtime
            .dispatch(&scale(), count)
            .bind("x", &x)
            .bind("y", &y);
        dispatch
            .value("a", f16::from_f32(2.0))
            .run()
            .expect("the CPU runs it");
        let found = runtime.read(&y).expect("it is there");
        for (i, found) in found.into_iter().enumerate() {
            assert_eq!(found, f16::from_f32(1.0 + i as f32 / 2.0), "{i} of {count}");
        }
    }
}

#[test]
fn an_odd_number_of_halves_is_refused_and_any_may_be_read() {
    let runtime = cpu();
    let error = runtime.buffer::<f16>(7).expect_err("half a word is left");
    assert!(matches!(error, Error::HalfWord { bytes: 2, .. }), "{error}");
    let x = runtime.buffer_from(&numbers(10)).expect("there is room");
    assert_eq!(
        runtime.read_range(&x, 3..6).expect("they are there"),
        numbers(6)[3..]
    );
    let error = runtime
        .write_range(&x, 3, &numbers(2))
        .expect_err("it begins within a word");
    assert!(matches!(error, Error::HalfWord { .. }), "{error}");
    runtime.write_range(&x, 4, &numbers(2)).expect("it doesn't");
    assert_eq!(
        runtime.read_range(&x, 4..6).expect("they are there"),
        numbers(2)
    );
}

fn two() -> Runtime {
    let builder = Runtime::builder()
        .without_profile_dir()
        .devices("cpu")
        .threads(2);
    let builder = builder.device(VirtualDevice::new("other", Script::default()));
    let builder = builder.split(Policy::Fixed(vec![0.5, 0.5]));
    builder.build().expect("both are there")
}

fn native() -> Kernel {
    scale().native(|body| {
        let (a, x) = (body.value::<f16>("a"), body.read::<f16>("x"));
        let mut y = body.write::<f16>("y");
        let width = body.range().extents()[0] as usize;
        for unit in body.units() {
            // A unit is a row, or an element where there is one row.
            let is_flat = body.range().extents()[1] == 1;
            let row = if is_flat {
                unit..unit + 1
            } else {
                unit * width..(unit + 1) * width
            };
            for i in row {
                y[i] = f16::from_f32(y[i].to_f32() + a.to_f32() * x[i].to_f32());
            }
        }
    })
}

#[test]
fn rows_of_whole_words_are_split_and_single_halves_are_not() {
    let runtime = two();
    let count = 6 * 40;
    let x = runtime.buffer_from(&numbers(count)).expect("there is room");
    let y = runtime
        .buffer_from(&vec![f16::ONE; count])
        .expect("there is room");
    let run = |range: Range| {
        let dispatch = runtime
            .dispatch(&native(), range)
            .bind("x", &x)
            .bind("y", &y);
        dispatch.value("a", f16::ONE).run().expect("both run it")
    };
    let takers = |report: divvy::Report| {
        let taken = |device: &&divvy::DeviceReport| device.invocations > 0;
        report.devices.iter().filter(taken).count()
    };
    assert_eq!(takers(run(Range::from([6, 40]))), 2);
    let report = run(Range::from(count));
    assert!(report.to_string().contains("two to a word"), "{report}");
    assert_eq!(takers(report), 1);
    let found = runtime.read(&y).expect("it is there");
    for (i, found) in found.into_iter().enumerate() {
        assert_eq!(found, f16::from_f32(1.0 + i as f32 / 2.0), "{i}");
    }
}

#[test]
fn a_gpu_without_halves_says_so() {
    for found in find_gpus() {
        let gpu = GpuDevice::open(&found).expect("it opens");
        match gpu.accepts(&scale()) {
            Ok(()) => {}
            Err(DeviceError::Refused { reason, .. }) => {
                assert!(
                    reason.to_lowercase().contains("float16") || reason.contains("f16"),
                    "{reason}"
                );
            }
            Err(other) => panic!("{other}"),
        }
    }
}
