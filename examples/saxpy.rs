//! The smallest program: one kernel, split over every processor of the machine.

mod show;

use divvy::Kernel;
use show::{Example, Outcome};

fn main() -> Outcome {
    let mut show = Example::new("saxpy", "y becomes a x + y, for very many x and y.")
        .size(1 << 24, 1..=1 << 28, "how many")
        .open()?;
    let (runtime, n) = (show.runtime.clone(), show.options.size);
    let saxpy = Kernel::from_wgsl(include_str!("../shaders/saxpy.wgsl"))?;
    let x = runtime.buffer_from(&vec![1.0_f32; n])?;
    let y = runtime.buffer_from(&vec![2.0_f32; n])?;

    let dispatch = runtime.dispatch(&saxpy, n).value("a", 3.0_f32);
    show.submit(dispatch.bind("x", &x).bind("y", &y))?;
    show.wait()?;

    let found = runtime.read(&y)?;
    show.check("every y is 5", found.iter().all(|&y| y == 5.0));
    show.end()
}
