//! A body written by hand: on the CPU it replaces the kernel's WGSL, here because the standard library selects faster.

mod show;

use divvy::{Access, Kernel};
use show::{Example, Outcome};

const REACH: usize = 3;

fn main() -> Outcome {
    let mut show = Example::new(
        "native",
        "Running medians, by a body written in Rust on the CPU.",
    )
    .size(1 << 20, 1..=1 << 28, "elements of the signal")
    .open()?;
    let (runtime, n) = (show.runtime.clone(), show.options.size);
    let medians = Kernel::from_wgsl(include_str!("../shaders/native.wgsl"))?
        .access("noisy", Access::Neighborhood(REACH as u64))? // nobody can know it of what the body reads
        .native(|body| {
            let (noisy, mut smooth) = (body.read::<f32>("noisy"), body.write::<f32>("smoothed"));
            let last = body.range().extents()[0] as usize - 1;
            // A part of the range, and what the patterns say that it needs.
            for i in body.units() {
                smooth[i] = median(|j| noisy[(i + j).saturating_sub(REACH).min(last)]);
            }
        });
    let noise = |i: usize| (i as f32 / 1e4).sin() + f32::from(u8::from(i.is_multiple_of(13)));
    let signal: Vec<f32> = (0..n).map(noise).collect();
    let noisy = runtime.buffer_from(&signal)?;
    let smooth = runtime.buffer::<f32>(n)?;

    let dispatch = runtime.dispatch(&medians, n).bind("noisy", &noisy);
    show.submit(dispatch.bind("smoothed", &smooth))?;
    show.wait()?;

    let right = |i: usize| median(|j| signal[(i + j).saturating_sub(REACH).min(n - 1)]);
    let found = runtime.read(&smooth)?;
    let all = (0..n).all(|i| found[i] == right(i));
    show.check("every element is the median of those around it", all);
    show.end()
}

/// The middle one of the values around an element.
fn median(value: impl Fn(usize) -> f32) -> f32 {
    let mut values: [f32; 2 * REACH + 1] = std::array::from_fn(value);
    *values.select_nth_unstable_by(REACH, f32::total_cmp).1
}
