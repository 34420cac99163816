//! The smallest program: one kernel, split over every processor of the machine.

use divvy::{Kernel, Runtime};

fn main() -> divvy::Result<()> {
    let n = 1 << 24;
    let runtime = Runtime::new()?; // the CPU and every GPU found
    let saxpy = Kernel::from_wgsl(include_str!("../shaders/saxpy.wgsl"))?;
    let x = runtime.buffer_from(&vec![1.0_f32; n])?;
    let y = runtime.buffer_from(&vec![2.0_f32; n])?;

    let report = runtime
        .dispatch(&saxpy, n)
        .value("a", 3.0_f32)
        .bind("x", &x)
        .bind("y", &y)
        .run()?;

    assert!(runtime.read(&y)?.iter().all(|&y| y == 5.0));
    println!("{report}"); // a line for each device: share, time, rate, bytes moved
    Ok(())
}
