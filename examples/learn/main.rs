//! A neural network that learns to tell two spirals apart: forward and backward passes as kernels.

#[path = "../show/mod.rs"]
mod show;
mod spirals;

use bytemuck::{Pod, Zeroable};
use divvy::{Buffer, Kernel};
use show::{Example, Outcome, Picture, TIDE, mix};
use spirals::{spiral, verdict};

/// As in the WGSL.
const UNITS: usize = 32;
const ROWS: usize = 37;
const KEPT: usize = 132;
/// Pixels of the picture, each way.
const SIDE: usize = 480;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Step {
    rate: f32,
    mean_lack: f32,
    square_lack: f32,
}

fn main() -> Outcome {
    let about = "A neural network learns to tell two spirals apart.";
    let mut show = Example::new("learn", about)
        .size(1024, 256..=1 << 20, "samples to learn from")
        .steps(800, "steps of learning")
        .seed(1)
        .draws(8.0) // each step makes more of what devices round differently
        .open()?;
    let (runtime, size) = (show.runtime.clone(), show.options.size);
    let wgsl = Kernel::from_wgsl(include_str!("../../shaders/learn.wgsl"))?;
    let kernel = |entry: &str| wgsl.clone().entry(entry);
    let (propagate, learn, judge) = (kernel("propagate")?, kernel("learn")?, kernel("judge")?);

    let mut random = fastrand::Rng::with_seed(show.options.seed);
    let training: Vec<_> = (0..size).map(|i| spiral(i, &mut random)).collect();
    let unseen: Vec<_> = (0..4096).map(|i| spiral(i, &mut random)).collect();
    let pixel = |i: usize| {
        let [x, y] = [i % SIDE, i / SIDE].map(|at| 2.2 * (at as f32 + 0.5) / SIDE as f32 - 1.1);
        [x, -y, 0.0, 0.0]
    };
    let pixels: Vec<_> = (0..SIDE * SIDE).map(pixel).collect();
    // Small enough that no unit begins where it is flat; the first layer is to see fine detail.
    let spread = |row: usize| match row {
        0..3 => 4.0,
        _ => 1.0 / (UNITS as f32).sqrt(),
    };
    let weight = |i: usize| spread(i / UNITS) * (2.0 * random.f32() - 1.0) * 1.7;
    let start: Vec<f32> = (0..ROWS * UNITS).map(weight).collect();
    let weights = runtime.buffer_from(&start)?;
    let kept = runtime.buffer::<f32>(KEPT * size)?;
    let means = runtime.buffer_from(&vec![[0.0_f32; 2]; ROWS * UNITS])?;
    let samples = runtime.buffer_from(&training)?;
    let (exam, view) = (runtime.buffer_from(&unseen)?, runtime.buffer_from(&pixels)?);
    // The chances that the network gives to the second kind.
    let chances = |points: &Buffer<[f32; 4]>| {
        let chances = runtime.buffer::<f32>(points.len())?;
        let dispatch = runtime.dispatch(&judge, points.len());
        let dispatch = dispatch.bind("samples", points).bind("weights", &weights);
        dispatch.bind("chances", &chances).run()?;
        runtime.read(&chances)
    };

    let before = verdict(&chances(&exam)?, &unseen);
    for step in show.steps() {
        show.frame(step, || Ok(picture(&chances(&view)?, &training)))?;
        let dispatch = runtime.dispatch(&propagate, size).bind("samples", &samples);
        show.submit(dispatch.bind("weights", &weights).bind("kept", &kept))?;
        let progress = step as f32 / show.options.steps as f32;
        let lack = |keeps: f32| 1.0 - keeps.powi(step as i32 + 1);
        let step = Step {
            rate: 0.02 * (1.0 - progress) + 0.0005,
            mean_lack: lack(0.9),
            square_lack: lack(0.999),
        };
        let dispatch = runtime.dispatch(&learn, [UNITS, 8 * ROWS]);
        let dispatch = dispatch.value("step", step).bind("passed", &kept);
        show.submit(dispatch.bind("moved", &weights).bind("means", &means))?;
    }
    show.wait()?;

    let after = verdict(&chances(&exam)?, &unseen);
    show.say(format_args!(
        "loss of unseen samples: {:.4} at first, {:.4} at last; judged right: {:.1} %, {:.1} %",
        before.0,
        after.0,
        100.0 * before.1,
        100.0 * after.1
    ));
    show.within("loss of unseen samples", after.0, 0.1);
    show.within("part of them that is judged wrong", 1.0 - after.1, 0.03);
    show.picture(picture(&chances(&view)?, &training))?;
    show.end()
}

/// What the network makes of the plane, and the samples that it learnt from.
fn picture(chances: &[f32], samples: &[[f32; 4]]) -> Picture {
    let mut picture = Picture::of(chances, SIDE, |chance| mix(TIDE, 0.15 + 0.7 * chance));
    for sample in samples {
        let [x, y] = [sample[0], -sample[1]].map(|at| ((at + 1.1) / 2.2 * SIDE as f32) as usize);
        let colour = mix(TIDE, sample[2]).map(|part| (255.0 * part) as u8);
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let at = 3 * ((y + dy).min(SIDE - 1) * SIDE + (x + dx).min(SIDE - 1));
            picture.rgb[at..at + 3].copy_from_slice(&colour);
        }
    }
    picture
}
