//! Buffers of which only the size of the elements is known do what typed ones do.

use divvy::device::VirtualDevice;
use divvy::device::virtual_device::Script;
use divvy::{Error, Kernel, Policy, Runtime};

/// Turns the three numbers of each element; an element has 12 bytes here, and no scalar of Rust is like it.
const TURN: &str = "
    struct Three { x: u32, y: u32, z: u32 }
    @group(0) @binding(0) var<storage, read> old: array<Three>;
    @group(0) @binding(1) var<storage, read_write> next: array<Three>;
    @compute @workgroup_size(8)
    fn turn(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < arrayLength(&next) && id.x < arrayLength(&old) {
            let three = old[id.x];
            next[id.x] = Three(three.y, three.z, three.x);
        }
    }";

fn two_devices() -> Runtime {
    let builder = Runtime::builder().without_profile_dir();
    let builder = builder.device(VirtualDevice::new("one", Script::default()));
    let builder = builder.device(VirtualDevice::new("other", Script::default()));
    builder.build().expect("they are there")
}

#[test]
fn raw_buffers_are_split_and_read_like_typed_ones() {
    let runtime = two_devices();
    let turn = Kernel::from_wgsl(TURN).expect("it is valid");
    let numbers: Vec<u32> = (0..300).collect();
    let raw = [(); 2].map(|()| runtime.raw_buffer(12, 100).expect("it is small"));
    runtime
        .write_raw(&raw[0], bytemuck::cast_slice(&numbers))
        .expect("it fits");
    let dispatch = runtime
        .dispatch(&turn, 100)
        .bind_raw("old", &raw[0])
        .bind_raw("next", &raw[1])
        .split(Policy::Fixed(vec![1.0, 1.0]));
    let report = dispatch.run().expect("no device fails");
    let shares = report.devices.iter().map(|device| device.invocations);
    assert_eq!(shares.collect::<Vec<_>>(), [48, 52]);

    let threes: &[[u32; 3]] = bytemuck::cast_slice(&numbers);
    let old = runtime.buffer_from(threes).expect("it fits");
    let next = runtime.buffer::<[u32; 3]>(100).expect("it is small");
    let dispatch = runtime
        .dispatch(&turn, 100)
        .bind("old", &old)
        .bind("next", &next);
    dispatch.run().expect("no device fails");
    let expected = runtime.read(&next).expect("it is there");
    let found = runtime.read_raw(&raw[1]).expect("it is there");
    assert_eq!(bytemuck::cast_slice::<_, u8>(&expected), found);
    assert_eq!(expected[1], [4, 5, 3]);
}

#[test]
fn bytes_that_end_within_an_element_are_refused() {
    let runtime = two_devices();
    let buffer = runtime.raw_buffer(12, 4).expect("it is small");
    let error = runtime
        .write_raw(&buffer, &[0; 20])
        .expect_err("20 is no multiple of 12");
    assert!(
        matches!(
            error,
            Error::PartOfElement {
                bytes: 20,
                element: 12
            }
        ),
        "{error}"
    );
    let error = runtime
        .write_raw(&buffer, &[0; 60])
        .expect_err("there are 48");
    assert!(matches!(error, Error::OutOfBounds { .. }), "{error}");
    runtime
        .write_raw(&buffer, &[0; 24])
        .expect("two of four elements");
}

#[test]
fn elements_of_another_size_than_the_kernels_are_refused() {
    let runtime = two_devices();
    let turn = Kernel::from_wgsl(TURN).expect("it is valid");
    let buffers = [12, 16].map(|bytes| runtime.raw_buffer(bytes, 4).expect("it is small"));
    let dispatch = runtime
        .dispatch(&turn, 4)
        .bind_raw("old", &buffers[0])
        .bind_raw("next", &buffers[1]);
    let error = dispatch.run().expect_err("16 is not 12");
    assert!(
        matches!(
            error,
            Error::WrongElement {
                expected: 12,
                actual: 16,
                ..
            }
        ),
        "{error}"
    );
    let error = runtime.raw_buffer(3, 4).expect_err("3 is odd");
    assert!(
        matches!(error, Error::ElementSize { bytes: 3, .. }),
        "{error}"
    );
}
