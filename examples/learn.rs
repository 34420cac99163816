//! A neural network that learns to tell two spirals apart: forward and backward passes as kernels.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::{Buffer, Kernel, Runtime};
use show::{Example, Outcome, Picture, TIDE, mix};
use std::f32::consts::TAU;

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

/// A network and some points to be judged.
struct Judge {
    kernel: Kernel,
    points: Buffer<[f32; 4]>,
    chances: Buffer<f32>,
}

impl Judge {
    fn new(runtime: &Runtime, kernel: &Kernel, points: &[[f32; 4]]) -> divvy::Result<Self> {
        Ok(Self {
            kernel: kernel.clone(),
            points: runtime.buffer_from(points)?,
            chances: runtime.buffer(points.len())?,
        })
    }

    /// The chances that a network with these weights gives to the second kind.
    fn chances(&self, runtime: &Runtime, weights: &Buffer<f32>) -> divvy::Result<Vec<f32>> {
        let dispatch = runtime.dispatch(&self.kernel, self.points.len());
        let dispatch = dispatch
            .bind("samples", &self.points)
            .bind("weights", weights);
        dispatch.bind("chances", &self.chances).run()?;
        runtime.read(&self.chances)
    }
}

fn main() -> Outcome {
    let about = "A neural network learns to tell two spirals apart.";
    let example = Example::new("learn", about)
        .size(1024, 256..=1 << 20, "samples to learn from")
        .steps(800, "steps of learning")
        .seed(1)
        .draws(8.0); // each step makes more of what devices round differently
    let mut show = example.open()?;
    let (runtime, size) = (show.runtime.clone(), show.options.size);
    let wgsl = Kernel::from_wgsl(include_str!("../shaders/learn.wgsl"))?;
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
    let exam = Judge::new(&runtime, &judge, &unseen)?;
    let view = Judge::new(&runtime, &judge, &pixels)?;
    // Small enough that no unit begins where it is flat; the first layer is to see fine detail.
    let spread = |row: usize| {
        if row < 3 {
            4.0
        } else {
            1.0 / (UNITS as f32).sqrt()
        }
    };
    let weight = |i: usize| spread(i / UNITS) * (2.0 * random.f32() - 1.0) * 1.7;
    let start: Vec<f32> = (0..ROWS * UNITS).map(weight).collect();
    let weights = runtime.buffer_from(&start)?;
    let samples = runtime.buffer_from(&training)?;
    let kept = runtime.buffer::<f32>(KEPT * size)?;
    let means = runtime.buffer_from(&vec![[0.0_f32; 2]; ROWS * UNITS])?;

    let before = verdict(&exam.chances(&runtime, &weights)?, &unseen);
    for step in show.steps() {
        show.frame(step, || {
            picture(&view.chances(&runtime, &weights)?, &training)
        })?;
        let dispatch = runtime.dispatch(&propagate, size).bind("samples", &samples);
        show.submit(dispatch.bind("weights", &weights).bind("kept", &kept))?;
        let progress = step as f32 / show.options.steps as f32;
        let lack = |keeps: f32| 1.0 - keeps.powi(step as i32 + 1);
        let step = Step {
            rate: 0.02 * (1.0 - progress) + 0.0005,
            mean_lack: lack(0.9),
            square_lack: lack(0.999),
        };
        let dispatch = runtime
            .dispatch(&learn, [UNITS, 8 * ROWS])
            .value("step", step);
        let dispatch = dispatch.bind("passed", &kept).bind("moved", &weights);
        show.submit(dispatch.bind("means", &means))?;
    }
    show.wait()?;

    let after = verdict(&exam.chances(&runtime, &weights)?, &unseen);
    show.say(format_args!(
        "                          at first    at last"
    ));
    show.say(format_args!(
        "loss of unseen samples  {:10.4} {:10.4}",
        before.0, after.0
    ));
    show.say(format_args!(
        "of them judged right    {:8.1} % {:8.1} %",
        100.0 * before.1,
        100.0 * after.1
    ));
    show.within("loss of unseen samples", after.0, 0.1);
    show.within("part of them that is judged wrong", 1.0 - after.1, 0.03);
    show.picture(picture(&view.chances(&runtime, &weights)?, &training)?)?;
    show.end()
}

/// A point of one of two spirals that turn around each other one and three quarter times, and which.
fn spiral(i: usize, random: &mut fastrand::Rng) -> [f32; 4] {
    let (kind, along) = ((i % 2) as f32, random.f32().sqrt());
    let angle = TAU * (1.75 * along + 0.5 * kind);
    let mut noise = || 0.07 * (random.f32() + random.f32() - 1.0);
    [
        along * angle.cos() + noise(),
        along * angle.sin() + noise(),
        kind,
        0.0,
    ]
}

/// The mean cross entropy, and the part that is judged right.
fn verdict(chances: &[f32], samples: &[[f32; 4]]) -> (f64, f64) {
    let (mut loss, mut right) = (0.0, 0.0);
    for (&chance, sample) in chances.iter().zip(samples) {
        let truth = if sample[2] > 0.5 {
            chance
        } else {
            1.0 - chance
        };
        loss -= f64::from(truth).max(1e-12).ln();
        right += f64::from(u8::from(truth > 0.5));
    }
    (loss / samples.len() as f64, right / samples.len() as f64)
}

/// What the network makes of the plane, and the samples that it learnt from.
fn picture(chances: &[f32], samples: &[[f32; 4]]) -> Outcome<Picture> {
    let mut picture = Picture::of(chances, SIDE, |chance| mix(TIDE, 0.15 + 0.7 * chance));
    for sample in samples {
        let [x, y] = [sample[0], -sample[1]].map(|at| ((at + 1.1) / 2.2 * SIDE as f32) as usize);
        let colour = mix(TIDE, sample[2]).map(|part| (255.0 * part) as u8);
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let at = 3 * ((y + dy).min(SIDE - 1) * SIDE + (x + dx).min(SIDE - 1));
            picture.rgb[at..at + 3].copy_from_slice(&colour);
        }
    }
    Ok(picture)
}
