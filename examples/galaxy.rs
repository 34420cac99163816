//! Two disc galaxies collide: every body pulls at every other, on all the processors of the machine.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Options, Outcome, Picture};
use std::path::{Path, PathBuf};

const HELP: &str = "Two disc galaxies collide, by direct summation over all pairs.

  --bodies N    how many bodies (6000)
  --steps N     how many time steps (500)
  --seed N      where the bodies start (1)
  --devices X   which devices: cpu, gpu, gpu0, all, or part of a name
  --out FILE    the picture (galaxy.png); with --animate also FILE with .gif
  --like FILE   fail unless the picture agrees with this one, made elsewhere";

/// What the kernel calls `Step`: the step in units of time, and the distance below which bodies stop pulling harder.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Step {
    seconds: f32,
    softening: f32,
}

/// Positions, with the mass in the fourth component, and velocities.
type Bodies = (Vec<[f32; 4]>, Vec<[f32; 4]>);

const STEP: f32 = 0.01;
const SOFTENING: f32 = 0.1;

fn main() -> Outcome {
    let mut options = Options::parse(HELP);
    let (bodies, steps) = (
        options.number("--bodies", 6000_usize)?.max(4),
        options.number("--steps", 500_usize)?,
    );
    let (seed, animate) = (options.number("--seed", 1_u64)?, options.flag("--animate"));
    let out = PathBuf::from(
        options
            .text("--out")?
            .unwrap_or_else(|| "galaxy.png".to_owned()),
    );
    let like = options.text("--like")?;
    let runtime = options.runtime()?;

    let source = Kernel::from_wgsl(include_str!("../shaders/galaxy.wgsl"))?;
    let kick = source.clone().entry("kick")?;
    let drift = source.entry("drift")?;

    let (start_position, start_velocity) = two_galaxies(bodies, seed);
    let position = runtime.buffer_from(&start_position)?;
    let velocity = runtime.buffer_from(&start_velocity)?;
    // Half a kick, then a drift and a kick in turn: velocities are half a step ahead until the last, half, kick.
    let kick_for = |seconds| {
        let step = Step {
            seconds,
            softening: SOFTENING,
        };
        let dispatch = runtime
            .dispatch(&kick, bodies)
            .value("step", step)
            .bind("velocity", &velocity);
        dispatch
            .bind("sources", &position)
            .bind("here", &position)
            .run()
    };
    let drift_for = |seconds| {
        let step = Step {
            seconds,
            softening: SOFTENING,
        };
        runtime
            .dispatch(&drift, bodies)
            .value("step", step)
            .bind("velocity", &velocity)
            .bind("position", &position)
            .run()
    };
    let progress = show::progress(steps as u64);
    let mut frames = Vec::new();
    let mut report = kick_for(STEP / 2.0)?;
    let mut kicked = vec![0; report.devices.len()];
    for step in 0..steps {
        if animate && step % 4 == 0 {
            frames.push(picture(&runtime.read(&position)?, 256));
        }
        drift_for(STEP)?;
        report = kick_for(if step + 1 == steps { STEP / 2.0 } else { STEP })?;
        for (kicked, device) in kicked.iter_mut().zip(&report.devices) {
            *kicked += device.invocations;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();

    let (end_position, end_velocity) = (runtime.read(&position)?, runtime.read(&velocity)?);
    println!("the last step: {report}");
    let total: u64 = kicked.iter().sum();
    for (kicked, device) in kicked.iter().zip(&report.devices) {
        let share = 100.0 * *kicked as f64 / total.max(1) as f64;
        println!("all steps: {share:.1} % by {}", device.device);
    }
    if animate {
        show::write_gif(&out.with_extension("gif"), frames)?;
    }
    let last = picture(&end_position, 512);
    last.write_png(&out)?;
    if let Some(like) = like {
        last.agree_with(&Picture::read_png(Path::new(&like))?)?;
    }
    check(&[
        (start_position, start_velocity),
        (end_position, end_velocity),
    ])
}

/// Two discs on their way into each other.
fn two_galaxies(bodies: usize, seed: u64) -> Bodies {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        // xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1 << 24) as f32
    };
    // Most of a galaxy's mass is in its core, so that its disc is stable until the other one comes.
    let (core, disc, edge) = (0.4_f32, 0.1_f32, 0.9_f32);
    let mass = disc / (bodies as f32 / 2.0 - 1.0).max(1.0);
    let mut body = |i: usize| {
        let side = if i.is_multiple_of(2) { -1.0 } else { 1.0 };
        let moves = [-side * 0.38, side * 0.12, 0.0];
        let centre = [side * 1.5, side * 0.45, 0.0];
        if i < 2 {
            return (
                [centre[0], centre[1], 0.0, core],
                [moves[0], moves[1], 0.0, 0.0],
            );
        }
        let (radius, angle) = (
            0.15 + (edge - 0.15) * random().sqrt(),
            random() * std::f32::consts::TAU,
        );
        let height = 0.04 * (random() - 0.5);
        // A body circles what lies within its radius; the core's pull is softened.
        let softened = radius * radius + SOFTENING * SOFTENING;
        let speed =
            (core * radius * radius / softened.powf(1.5) + disc * radius / (edge * edge)).sqrt();
        let (sin, cos) = angle.sin_cos();
        // One disc lies in the plane of the picture, the other is tilted.
        let tilt = |[x, y, z]: [f32; 3]| {
            if side < 0.0 {
                [x, y, z]
            } else {
                [x, 0.5 * y - 0.866 * z, 0.866 * y + 0.5 * z]
            }
        };
        let place = tilt([radius * cos, radius * sin, height]);
        let turns = tilt([-speed * sin, speed * cos, 0.0]);
        let position: [f32; 3] = std::array::from_fn(|axis| centre[axis] + place[axis]);
        let velocity: [f32; 3] = std::array::from_fn(|axis| moves[axis] + turns[axis]);
        (
            [position[0], position[1], position[2], mass],
            [velocity[0], velocity[1], velocity[2], 0.0],
        )
    };
    (0..bodies).map(&mut body).unzip()
}

/// How many bodies are seen through each pixel, each galaxy in a colour of its own.
fn picture(position: &[[f32; 4]], size: usize) -> Picture {
    let mut light = vec![[0.0_f32; 3]; size * size];
    let scale = size as f32 / 512.0;
    let brightness = 2200.0 / position.len() as f32;
    for (i, position) in position.iter().enumerate() {
        let [x, y] = [0, 1].map(|axis| (position[axis] / 5.0 + 0.5) * size as f32);
        let colour = if i.is_multiple_of(2) {
            [1.0, 0.5, 0.2]
        } else {
            [0.25, 0.55, 1.0]
        };
        // A body glows over the pixels around it, a core further than a star.
        let glow = if i < 2 { 6.0 * scale } else { 1.1 * scale };
        let reach = (3.0 * glow).ceil() as i32;
        for (dx, dy) in (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy))) {
            let (px, py) = (x as i32 + dx, y as i32 + dy);
            if (0..size as i32).contains(&px) && (0..size as i32).contains(&py) {
                let square = (px as f32 + 0.5 - x).powi(2) + (py as f32 + 0.5 - y).powi(2);
                let shine = brightness
                    * (-0.5 * square / (glow * glow)).exp()
                    * if i < 2 { 8.0 } else { 1.0 };
                let place = py as usize * size + px as usize;
                (0..3).for_each(|channel| light[place][channel] += colour[channel] * shine);
            }
        }
    }
    let tone = |light: &f32| (255.0 * (1.0 - (-light).exp()).powf(0.6)) as u8;
    Picture {
        width: size,
        height: size,
        rgb: light.iter().flatten().map(tone).collect(),
    }
}

/// Energy and momentum at the start and at the end: what a right simulation keeps.
fn check(states: &[Bodies; 2]) -> Outcome {
    let [start, end] = [0, 1].map(|i| {
        (
            energy(&states[i].0, &states[i].1),
            momentum(&states[i].0, &states[i].1),
        )
    });
    let drift = ((end.0 - start.0) / start.0).abs();
    let pushed = (0..3)
        .map(|axis| (end.1[axis] - start.1[axis]).powi(2))
        .sum::<f64>()
        .sqrt();
    println!(
        "energy {:.6} to {:.6}: drift {:.2e}; momentum changed by {pushed:.1e}",
        start.0, end.0, drift
    );
    if drift > 0.02 || pushed > 1e-4 || !drift.is_finite() {
        return Err("energy or momentum is not kept: the simulation is wrong".into());
    }
    Ok(())
}

fn energy(position: &[[f32; 4]], velocity: &[[f32; 4]]) -> f64 {
    let motion = |(position, velocity): (&[f32; 4], &[f32; 4])| {
        0.5 * f64::from(position[3])
            * (0..3)
                .map(|axis| f64::from(velocity[axis]).powi(2))
                .sum::<f64>()
    };
    let mut sum = position.iter().zip(velocity).map(motion).sum::<f64>();
    for (i, a) in position.iter().enumerate() {
        for b in &position[..i] {
            let square = (0..3)
                .map(|axis| f64::from(a[axis] - b[axis]).powi(2))
                .sum::<f64>();
            sum -=
                f64::from(a[3]) * f64::from(b[3]) / (square + f64::from(SOFTENING).powi(2)).sqrt();
        }
    }
    sum
}

fn momentum(position: &[[f32; 4]], velocity: &[[f32; 4]]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        position
            .iter()
            .zip(velocity)
            .map(|(p, v)| f64::from(p[3]) * f64::from(v[axis]))
            .sum()
    })
}
