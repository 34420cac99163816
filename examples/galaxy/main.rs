//! Two disc galaxies collide: every body pulls at every other, on all the processors of the machine.

mod discs;
#[path = "../show/mod.rs"]
mod show;

use bytemuck::{Pod, Zeroable};
use discs::{SOFTENING, body, energy, momentum};
use divvy::Kernel;
use show::{Example, Outcome, Picture};

/// What the kernel calls `Step`: the step in units of time, and the distance below which bodies stop pulling harder.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Step {
    seconds: f32,
    softening: f32,
}

const STEP: f32 = 0.01;

fn main() -> Outcome {
    let about = "Two disc galaxies collide, by direct summation over all pairs.";
    let mut show = Example::new("galaxy", about)
        .size(6000, 4..=1 << 24, "bodies")
        .option("--bodies", "N the same")
        .steps(500, "time steps")
        .seed(1)
        .draws(1.0) // devices round differently, so that orbits part slowly
        .open()?;
    let runtime = show.runtime.clone();
    let bodies = show.options.more("--bodies")?;
    let bodies = bodies.unwrap_or(show.options.size);
    if !(4..=1 << 24).contains(&bodies) {
        return Err(format!("--bodies {bodies}: it takes at least 4 and at most 16777216").into());
    }
    show.options.size = bodies;
    let source = Kernel::from_wgsl(include_str!("../../shaders/galaxy.wgsl"))?;
    let kick = source.clone().entry("kick")?;
    let drift = source.entry("drift")?;

    let mut random = fastrand::Rng::with_seed(show.options.seed);
    let start: Vec<_> = (0..bodies).map(|i| body(i, bodies, &mut random)).collect();
    let (start_position, start_velocity): (Vec<_>, Vec<_>) = start.into_iter().unzip();
    let position = runtime.buffer_from(&start_position)?;
    let velocity = runtime.buffer_from(&start_velocity)?;

    // Half a kick, then a drift and a kick in turn: velocities are half a step ahead until the last, half, kick.
    let softening = SOFTENING;
    let kick_for = |seconds| {
        let step = Step { seconds, softening };
        let dispatch = runtime.dispatch(&kick, bodies).value("step", step);
        let dispatch = dispatch.bind("sources", &position).bind("here", &position);
        dispatch.bind("velocity", &velocity)
    };
    let drift_for = |seconds| {
        let step = Step { seconds, softening };
        let dispatch = runtime.dispatch(&drift, bodies).value("step", step);
        let dispatch = dispatch.bind("velocity", &velocity);
        dispatch.bind("position", &position)
    };
    show.submit(kick_for(STEP / 2.0))?;
    for step in show.steps() {
        show.frame(step, || Ok(picture(&runtime.read(&position)?, 256)))?;
        show.submit(drift_for(STEP))?;
        let is_last = step + 1 == show.options.steps;
        show.submit(kick_for(if is_last { STEP / 2.0 } else { STEP }))?;
    }
    show.wait()?;

    let (end_position, end_velocity) = (runtime.read(&position)?, runtime.read(&velocity)?);
    let before = energy(&start_position, &start_velocity);
    let drifted = (energy(&end_position, &end_velocity) - before) / before;
    show.within("energy drifts, in parts", drifted.abs(), 0.02);
    let before = momentum(&start_position, &start_velocity);
    let after = momentum(&end_position, &end_velocity);
    let pushed = (0..3).map(|axis| (after[axis] - before[axis]).powi(2));
    show.within("momentum changes", pushed.sum::<f64>().sqrt(), 1e-4);
    show.picture(picture(&end_position, 512))?;
    show.end()
}

/// How many bodies are seen through each pixel, each galaxy in a colour of its own.
fn picture(position: &[[f32; 4]], size: usize) -> Picture {
    let mut light = vec![[0.0_f32; 3]; size * size];
    let (scale, brightness) = (size as f32 / 512.0, 2200.0 / position.len() as f32);
    for (i, position) in position.iter().enumerate() {
        let [x, y] = [0, 1].map(|axis| (position[axis] / 5.0 + 0.5) * size as f32);
        let colour = [[1.0, 0.5, 0.2], [0.25, 0.55, 1.0]][i % 2];
        // A body glows over the pixels around it, a core further and brighter than a star.
        let (glow, bright) = if i < 2 { (6.0, 8.0) } else { (1.1, 1.0) };
        let (glow, bright) = (glow * scale, bright * brightness);
        let reach = (3.0 * glow).ceil() as i32;
        for (dx, dy) in (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy))) {
            let (px, py) = (x as i32 + dx, y as i32 + dy);
            if (0..size as i32).contains(&px) && (0..size as i32).contains(&py) {
                let square = (px as f32 + 0.5 - x).powi(2) + (py as f32 + 0.5 - y).powi(2);
                let shine = bright * (-0.5 * square / (glow * glow)).exp();
                let pixel = &mut light[py as usize * size + px as usize];
                (0..3).for_each(|part| pixel[part] += colour[part] * shine);
            }
        }
    }
    let tone = |light: f32| (1.0 - (-light).exp()).powf(0.6);
    Picture::new(size, size, |x, y| light[y * size + x].map(tone))
}
