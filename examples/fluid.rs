//! Vortices leave a cylinder in a channel: a lattice Boltzmann fluid.
//!
//! The flow is benchmark 2D-2 of Schäfer and Turek, "Benchmark computations of laminar flow around a cylinder" (1996), in a
//! shorter channel. By the mean speed and the diameter its Reynolds number is 100 and its Strouhal number 0.295 to 0.305.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Example, Outcome, Picture, TIDE, grey, mix};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Channel {
    width: u32,
    height: u32,
    cylinder: f32,
    speed: f32,
    even: f32,
    odd: f32,
}

const SPEED: f32 = 0.08;
/// Steps from one look at the forces to the next.
const EVERY: usize = 16;

fn main() -> Outcome {
    let about = "A vortex street behind a cylinder in a channel, at a Reynolds number of 100.";
    let mut show = Example::new("fluid", about)
        .size(20, 14..=800, "cells across the cylinder")
        .steps(9000, "time steps: each vortex takes 42 times the size")
        .draws(0.1) // devices round differently, and vortices come a little earlier or later
        .open()?;
    let (runtime, diameter) = (show.runtime.clone(), show.options.size as f32);
    let source = Kernel::from_wgsl(include_str!("../shaders/fluid.wgsl"))?;
    let kernel = |entry: &str| source.clone().entry(entry);
    let (begin, step) = (kernel("begin")?, kernel("stream_and_collide")?);
    let (push, turn) = (kernel("push_cylinder")?, kernel("turning")?);
    let (width, height) = (18 * show.options.size, (4.1 * diameter).round() as usize);
    // Relaxation times less a half: of the even parts by the viscosity, and 3/16 over it of the odd ones.
    let even = 3.0 * SPEED * diameter / 100.0;
    let channel = Channel {
        width: width as u32,
        height: height as u32,
        cylinder: diameter,
        speed: SPEED,
        even: 1.0 / (even + 0.5),
        odd: 1.0 / (3.0 / 16.0 / even + 0.5),
    };
    let a = runtime.buffer::<f32>(9 * width * height)?;
    let b = runtime.buffer::<f32>(9 * width * height)?;
    let (mut old, mut next) = (&a, &b);
    let gained = runtime.buffer::<f32>(2 * height)?;
    let (pushes, turns) = (runtime.buffer(height)?, runtime.buffer(width * height)?);
    let of = |kernel| {
        let dispatch = runtime.dispatch(kernel, [width, height]);
        dispatch.value("channel", channel)
    };
    let picture = |old| -> Outcome<Picture> {
        of(&turn).bind("old", old).bind("turn", &turns).run()?;
        Ok(draw(&runtime.read(&turns)?, width, diameter))
    };

    show.submit(of(&begin).bind("next", old))?;
    let start = sum(&runtime.read(old)?);
    let mut lift: Vec<f32> = Vec::new();
    for i in show.steps() {
        show.frame(i, || picture(old))?;
        let dispatch = of(&step).bind("old", old).bind("next", next);
        show.submit(dispatch.bind("gained", &gained))?;
        std::mem::swap(&mut old, &mut next);
        if i % EVERY == EVERY - 1 {
            let dispatch = runtime.dispatch(&push, height).value("channel", channel);
            show.submit(dispatch.bind("old", old).bind("push", &pushes))?;
            let rows = runtime.read::<[f32; 2]>(&pushes)?;
            lift.push(rows.iter().map(|[_, up]| up).sum());
        }
    }
    show.wait()?;

    // Sums of single precision, one a step, lose that much.
    let kept = sum(&runtime.read(old)?) - start - sum(&runtime.read(&gained)?);
    let through = f64::from(SPEED) * (height * show.options.steps) as f64;
    let kept = kept.abs() / through;
    show.within("mass from nowhere, of what passed through", kept, 1e-4);
    if show.options.steps >= 400 * show.options.size {
        let period = period(&lift[lift.len() / 2..]).unwrap_or(f64::NAN);
        let strouhal = f64::from(diameter / SPEED) / period;
        show.number("Strouhal number", (1e4 * strouhal).round() / 1e4);
        // The cylinder has stairs for a surface.
        let off = (strouhal / 0.3 - 1.0).abs();
        show.within("Strouhal number, in parts off 0.3", off, 0.03);
    } else {
        show.say(format_args!("too few steps to count vortices"));
    }
    show.picture(picture(old)?)?;
    show.end()
}

/// Steps that the lift takes to come back, if it does often enough.
fn period(lift: &[f32]) -> Option<f64> {
    let mean = lift.iter().sum::<f32>() / lift.len() as f32;
    let lift: Vec<f32> = lift.iter().map(|lift| lift - mean).collect();
    let rises = (1..lift.len()).filter(|&i| lift[i - 1] < 0.0 && lift[i] >= 0.0);
    let times = rises.map(|i| i as f64 - f64::from(lift[i] / (lift[i] - lift[i - 1])));
    let times: Vec<f64> = times.collect();
    let (first, last) = (times.first()?, times.last()?);
    (times.len() > 3).then(|| EVERY as f64 * (last - first) / (times.len() - 1) as f64)
}

fn sum(parts: &[f32]) -> f64 {
    parts.iter().map(|part| f64::from(*part)).sum()
}

fn draw(turns: &[f32], width: usize, diameter: f32) -> Picture {
    let zoom = 640_usize.div_ceil(width);
    Picture::between(turns, width, zoom, |turn, x, y| {
        let [x, y] = [x, y].map(|at| at - 2.0 * diameter);
        let around = x.hypot(y) - diameter / 2.0;
        match around < 0.0 {
            true => grey(0.6 - 0.02 * around),
            false => mix(TIDE, 0.5 + 0.5 * (16.0 * turn).tanh()),
        }
    })
}
