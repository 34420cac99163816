//! What is too large, too deep or too much for a device is refused with an error, and the runtime goes on.

use divvy::device::virtual_device::Script;
use divvy::device::{DeviceKind, VirtualDevice};
use divvy::{Error, Kernel, KernelError, Policy, Report, Runtime};

/// Every device there is, software GPUs too.
fn everything() -> Runtime {
    let builder = Runtime::builder().devices("all").without_profile_dir();
    builder.build().expect("the devices are there")
}

fn cpu() -> Runtime {
    let builder = Runtime::builder().devices("cpu").without_profile_dir();
    builder.build().expect("there is one")
}

fn kernel(wgsl: &str) -> Kernel {
    Kernel::from_wgsl(wgsl).expect("it is valid")
}

/// The names of the GPUs.
fn gpus(runtime: &Runtime) -> Vec<String> {
    let gpus = runtime
        .devices()
        .filter(|info| info.kind != DeviceKind::Cpu);
    gpus.map(|info| info.name.clone()).collect()
}

/// Why each GPU was left out of a dispatch.
fn left_out(report: &Report) -> Vec<&str> {
    let gpus = report
        .devices
        .iter()
        .filter(|device| &*device.device != "cpu");
    gpus.map(|device| device.left_out.as_deref().unwrap_or_default())
        .collect()
}

/// That all devices do what they are told, after what has been.
fn assert_usable(runtime: &Runtime) {
    let count = kernel(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(64)
         fn count(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] = id.x; }",
    );
    for device in runtime.devices() {
        let x = runtime.buffer::<u32>(64).expect("small");
        let dispatch = runtime.dispatch(&count, 64).bind("x", &x);
        let ran = dispatch.split(Policy::Only(device.name.clone())).run();
        ran.unwrap_or_else(|error| panic!("`{}`: {error}", device.name));
        let x = runtime.read(&x).expect("it was written");
        assert!(x.iter().copied().eq(0..64), "`{}`", device.name);
    }
}

#[test]
fn a_gpu_whose_compiler_panics_is_left_out() {
    let runtime = everything();
    // Naga can't write a pointer to a part of a variable as an argument.
    let parts = kernel(
        "struct Pair { first: u32, second: u32 }
         @group(0) @binding(0) var<storage, read_write> x: array<u32>;
         fn put(place: ptr<function, u32>, to: u32) { *place = to; }
         @compute @workgroup_size(64)
         fn parts(@builtin(global_invocation_id) id: vec3<u32>) {
             var pair = Pair(1u, 2u);
             var list = array<u32, 3>(3u, 4u, 5u);
             put(&pair.second, id.x);
             put(&list[id.x % 3u], 7u);
             x[id.x] = pair.first + pair.second + list[0];
         }",
    );
    let x = runtime.buffer::<u32>(64).expect("small");
    let report = runtime.dispatch(&parts, 64).bind("x", &x).run();
    let report = report.expect("the CPU runs it");
    for why in left_out(&report) {
        assert!(why.contains("the compiler panicked"), "{why}");
    }
    let expected = (0..64).map(|i| 1 + i + if i % 3 == 0 { 7 } else { 3 });
    assert!(
        runtime
            .read(&x)
            .expect("it was written")
            .into_iter()
            .eq(expected)
    );
    assert_usable(&runtime);
}

#[test]
fn whole_numbers_are_widened_to_the_other_sign_rightly() {
    let runtime = everything();
    // In one step, which not every GPU gets right, and in two.
    let steps = ["i64(x[0])", "i64(u64(x[0]))"].into_iter();
    for (signed, unsigned) in steps.zip(["u64(bitcast<i32>(x[0]))", "u64(i64(bitcast<i32>(x[0])))"])
    {
        let widen = kernel(&format!(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
             @compute @workgroup_size(1)
             fn widen() {{
                 let from_unsigned = {signed};
                 let from_signed = {unsigned};
                 x[1] = u32(u64(from_unsigned) >> 32u);
                 x[2] = u32(from_signed >> 32u);
             }}"
        ));
        for device in runtime.devices() {
            let x = runtime.buffer_from(&[u32::MAX - 1, 7, 7]).expect("small");
            let dispatch = runtime.dispatch(&widen, 1).bind("x", &x);
            match dispatch.split(Policy::Only(device.name.clone())).run() {
                Ok(_) => {
                    let found = runtime.read(&x).expect("it was written");
                    assert_eq!(found, [u32::MAX - 1, 0, u32::MAX], "`{}`", device.name);
                }
                Err(error) => {
                    let error = error.to_string();
                    let is_told = error.contains("converts u32 to i64; write i64(u64(x))");
                    assert!(is_told && !signed.contains("u64"), "{error}");
                }
            }
        }
    }
    assert_usable(&runtime);
}

#[test]
fn a_group_or_a_number_beyond_the_last_is_refused_by_gpus() {
    let runtime = everything();
    let far = |group: u32, number: u32| {
        let far = kernel(&format!(
            "@group({group}) @binding({number}) var<storage, read_write> x: array<u32>;
             @compute @workgroup_size(1) fn far() {{ x[0] = 1u; }}"
        ));
        let x = runtime.buffer::<u32>(1).expect("small");
        let report = runtime.dispatch(&far, 1).bind("x", &x).run();
        assert_eq!(runtime.read(&x).expect("it was written"), [1]);
        report.expect("the CPU runs it")
    };
    let report = far(4_000_000_000, 0);
    for why in left_out(&report) {
        let is_told = why.contains("`x` is in `@group(4000000000)`, and the last that");
        assert!(is_told, "{why}");
    }
    let report = far(0, u32::MAX);
    for why in left_out(&report) {
        assert!(why.contains("4294967295"), "{why}");
    }
    assert_usable(&runtime);
}

#[test]
fn workgroup_memory_beyond_what_there_is_is_refused_with_the_limit() {
    let runtime = everything();
    let wide = kernel(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         var<workgroup> shared_words: array<u32, 100000000>;
         @compute @workgroup_size(1)
         fn wide() { shared_words[x[0]] = 1u; x[0] = shared_words[x[1]]; }",
    );
    let x = runtime.buffer::<u32>(2).expect("small");
    let error = runtime.dispatch(&wide, 1).bind("x", &x).run();
    let error = error.expect_err("nobody has so much").to_string();
    assert!(error.contains("more than 4194304 words"), "{error}");
    let told = "`var<workgroup>` takes 400000000 bytes, and it has ";
    assert_eq!(error.matches(told).count(), gpus(&runtime).len(), "{error}");
    assert_usable(&runtime);
}

#[test]
fn a_buffer_beyond_what_the_cpu_binds_is_refused_with_the_limit() {
    let runtime = cpu();
    let last = kernel(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(1) fn last() { x[arrayLength(&x) - 1u] += 1u; }",
    );
    // No memory is taken for it.
    for words in [1_usize << 31, 1 << 32, 1 << 40] {
        let x = runtime
            .buffer::<u32>(words)
            .expect("a length costs nothing");
        let error = runtime.dispatch(&last, 1).bind("x", &x).run();
        let error = error.expect_err("it is too large").to_string();
        assert!(
            error.contains("the buffer bound to `x`")
                && error.contains("at most 8589934588: use several smaller buffers"),
            "{error}"
        );
    }
    assert_usable(&runtime);
}

#[test]
fn the_last_words_of_the_largest_buffer_are_reached_like_all_others() {
    let runtime = cpu();
    // Places that depend on what is read are gathered.
    let mirror = kernel(
        "@group(0) @binding(0) var<storage, read> place: array<u32>;
         @group(0) @binding(1) var<storage, read_write> x: array<u32>;
         @group(0) @binding(2) var<storage, read_write> len: array<u32>;
         @compute @workgroup_size(64)
         fn mirror(@builtin(global_invocation_id) id: vec3<u32>) {
             x[place[id.x]] += id.x;
             x[place[id.x]] *= 2u;
             len[id.x] = arrayLength(&x);
         }",
    );
    let words = (1_usize << 31) - 1;
    let places: Vec<u32> = (0..64).map(|i| words as u32 - 1 - i * i).collect();
    let place = runtime.buffer_from(&places).expect("small");
    let x = runtime
        .buffer::<u32>(words)
        .expect("a length costs nothing");
    let len = runtime.buffer::<u32>(64).expect("small");
    let dispatch = runtime.dispatch(&mirror, 64).bind("place", &place);
    match dispatch.bind("x", &x).bind("len", &len).run() {
        Ok(_) => {}
        // Only pages that are touched are taken, but some systems count all.
        Err(Error::NoDevice { .. } | Error::OutOfHostMemory(_)) => return,
        Err(error) => panic!("{error}"),
    }
    for (i, place) in (0..).zip(&places) {
        let at = *place as usize;
        let found = runtime.read_range(&x, at..at + 1);
        assert_eq!(found.expect("it was written"), [2 * i], "{place}");
    }
    assert!(
        runtime
            .read(&len)
            .expect("it was written")
            .iter()
            .all(|len| *len as usize == words)
    );
}

#[test]
fn shares_that_have_no_sum_are_followed() {
    let other = VirtualDevice::new("other", Script::default());
    let builder = Runtime::builder().device(other).devices("cpu");
    let runtime = builder.without_profile_dir().build();
    let runtime = runtime.expect("the devices are there");
    let count = kernel(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(64)
         fn count(@builtin(global_invocation_id) id: vec3<u32>) { x[id.x] = id.x; }",
    );
    let x = runtime.buffer::<u32>(6_400).expect("small");
    for shares in [[f64::MAX, f64::MAX], [f64::MIN_POSITIVE, f64::MIN_POSITIVE]] {
        let dispatch = runtime.dispatch(&count, 6_400).bind("x", &x);
        let report = dispatch.split(Policy::Fixed(shares.to_vec())).run();
        let report = report.expect("both run it");
        let found: Vec<_> = report.devices.iter().map(|device| device.share).collect();
        assert_eq!(found, [0.5, 0.5], "{shares:?}");
    }
}

#[test]
fn what_is_read_beyond_the_hosts_memory_is_refused() {
    let runtime = cpu();
    // Below the largest length that there is, and beyond what any system has addresses for.
    let words = 1_usize << 60;
    let x = runtime
        .buffer::<u32>(words)
        .expect("a length costs nothing");
    let raw = runtime.raw_buffer(4, words).expect("as above");
    let errors = [
        runtime.read(&x).expect_err("nobody has so much"),
        runtime.read_range(&x, 1..words).expect_err("as above"),
        runtime.read_raw(&raw).expect_err("as above"),
    ];
    for error in errors {
        assert!(matches!(error, Error::OutOfHostMemory(_)), "{error}");
    }
    assert_usable(&runtime);
}

#[test]
fn elements_larger_than_any_memory_are_refused_even_where_there_are_none() {
    let runtime = cpu();
    for bytes in [usize::MAX - 1, usize::MAX - 3, 1 << 63, (1 << 62) + 2] {
        for len in [0, 1, 2, 3, usize::MAX] {
            let error = runtime.raw_buffer(bytes, len).expect_err("it is too large");
            let is_told = matches!(error, Error::TooLong { .. } | Error::HalfWord { .. });
            assert!(is_told, "{len} of {bytes} bytes: {error}");
        }
    }
    assert_usable(&runtime);
}

/// Runs the work on a thread with the stack that threads have, which is less than that of the main one.
fn on_a_small_stack(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let thread = thread.spawn_scoped(scope, work).expect("it starts");
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Kernels that nest so deep in one way each, and what they make of `x[0]`.
fn nested(depth: usize) -> [(&'static str, String, u32); 3] {
    let body = |body: String| {
        format!(
            "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
             @compute @workgroup_size(1) fn main() {{ {body} }}"
        )
    };
    let terms = format!("x[0] = {};", vec!["x[0]"; depth].join(" + "));
    let chain: Vec<_> = (0..depth)
        .map(|i| format!("if x[0] == {}u {{ x[0] = {i}u; }}", i + 2))
        .collect();
    let blocks = "{".repeat(60) + "x[0] = 7u;" + &"}".repeat(60);
    [
        ("terms", body(terms), depth as u32),
        ("chain", body(chain.join(" else ")), 1),
        ("blocks", body(blocks), 7),
    ]
}

#[test]
fn what_nests_deep_runs_whatever_the_stack() {
    let runtime = everything();
    // The CPU runs blocks and calls within each other up to 500.
    for (name, wgsl, expected) in nested(450) {
        on_a_small_stack(|| {
            let deep = kernel(&wgsl);
            for device in runtime.devices() {
                let x = runtime.buffer_from(&[1_u32]).expect("small");
                let dispatch = runtime.dispatch(&deep, 1).bind("x", &x);
                let ran = dispatch.split(Policy::Only(device.name.clone())).run();
                ran.unwrap_or_else(|error| panic!("{name} on `{}`: {error}", device.name));
                let found = runtime.read(&x).expect("it was written");
                assert_eq!(found, [expected], "{name} on `{}`", device.name);
            }
        });
    }
}

#[test]
fn what_may_just_be_parsed_is_run_or_refused_by_the_cpu() {
    let runtime = cpu();
    for (name, wgsl, expected) in nested(1_600) {
        on_a_small_stack(|| {
            let deep = kernel(&wgsl);
            let x = runtime.buffer_from(&[1_u32]).expect("small");
            match runtime.dispatch(&deep, 1).bind("x", &x).run() {
                Ok(_) => assert_eq!(runtime.read(&x).expect("it was written"), [expected]),
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("more than 500 blocks"), "{name}: {text}");
                }
            }
        });
    }
}

#[test]
fn what_nests_too_deep_is_refused() {
    on_a_small_stack(|| {
        for (name, wgsl, _) in &nested(1_000_000)[..2] {
            let error = Kernel::from_wgsl(wgsl).expect_err("it is too deep");
            assert!(
                matches!(error, KernelError::TooDeep { .. }),
                "{name}: {error}"
            );
        }
    });
}
