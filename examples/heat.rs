//! Heat spreads over a plate, step after step: data stays where it was computed and only halos move.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Options, Outcome, Picture};
use std::path::PathBuf;

const HELP: &str = "Heat spreads over a plate whose edge is held at its temperature.

  --size N      rows and columns of the plate (1024)
  --steps N     how many time steps (200)
  --devices X   which devices: cpu, gpu, gpu0, all, or part of a name
  --out FILE    the picture (heat.png); with --animate also FILE with .gif";

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Plate {
    width: u32,
    height: u32,
    flow: f32,
}

fn main() -> Outcome {
    let mut options = Options::parse(HELP);
    let (size, steps) = (
        options.number("--size", 1024_usize)?.max(3),
        options.number("--steps", 200_usize)?,
    );
    let animate = options.flag("--animate");
    let out = PathBuf::from(
        options
            .text("--out")?
            .unwrap_or_else(|| "heat.png".to_owned()),
    );
    let runtime = options.runtime()?;

    let heat = Kernel::from_wgsl(include_str!("../shaders/heat.wgsl"))?;
    let plate = Plate {
        width: size as u32,
        height: size as u32,
        flow: 0.24,
    };
    let start = hot_plate(size);
    let (a, b) = (
        runtime.buffer_from(&start)?,
        runtime.buffer::<f32>(size * size)?,
    );
    let (mut old, mut next) = (&a, &b);
    let progress = show::progress(steps as u64);
    let (mut last, mut frames) = (None, Vec::new());
    for step in 0..steps {
        if animate && step % 4 == 0 {
            frames.push(picture(&runtime.read(old)?, size));
        }
        let report = runtime
            .dispatch(&heat, [size, size])
            .value("plate", plate)
            .bind("old", old)
            .bind("next", next)
            .run()?;
        if step.is_power_of_two() || step == 0 || step + 1 == steps {
            progress.suspend(|| {
                println!(
                    "step {step}: {} bytes moved between memories",
                    report.bytes_moved()
                )
            });
        }
        last = Some(report);
        std::mem::swap(&mut old, &mut next);
        progress.inc(1);
    }
    progress.finish_and_clear();
    if let Some(report) = last {
        println!("the last step: {report}");
    }
    if animate {
        show::write_gif(&out.with_extension("gif"), frames)?;
    }
    let end = runtime.read(old)?;
    picture(&end, size).write_png(&out)?;
    check(&start, &end, size)
}

/// A cold plate with a hot left edge and three hot discs.
fn hot_plate(size: usize) -> Vec<f32> {
    let hot = |i: usize| {
        let (x, y) = (
            (i % size) as f32 / size as f32,
            (i / size) as f32 / size as f32,
        );
        let discs = [(0.3, 0.3, 0.12), (0.7, 0.45, 0.08), (0.45, 0.75, 0.15)];
        let is_hot =
            i.is_multiple_of(size) || discs.iter().any(|(cx, cy, r)| (x - cx).hypot(y - cy) < *r);
        f32::from(u8::from(is_hot))
    };
    (0..size * size).map(hot).collect()
}

/// The edge keeps its temperature, and by the maximum principle nothing gets hotter or colder than the start was.
fn check(start: &[f32], end: &[f32], size: usize) -> Outcome {
    let is_edge = |i: usize| {
        [i % size, i / size]
            .iter()
            .any(|at| *at == 0 || *at == size - 1)
    };
    if (0..start.len()).any(|i| is_edge(i) && start[i] != end[i]) {
        return Err("the edge changed its temperature".into());
    }
    if end.iter().any(|heat| !(-1e-6..=1.0 + 1e-6).contains(heat)) {
        return Err("a place got hotter or colder than any was before".into());
    }
    println!("the edge kept its temperature, and no place left the range it began with");
    Ok(())
}

fn picture(heat: &[f32], size: usize) -> Picture {
    let side = size.min(512);
    let colour = |i: usize| {
        let (x, y) = (i % side * size / side, i / side * size / side);
        let heat = heat[y * size + x].clamp(0.0, 1.0);
        [
            (heat * 3.0).min(1.0),
            (heat * 3.0 - 1.0).clamp(0.0, 1.0),
            (heat * 3.0 - 2.0).clamp(0.0, 1.0),
        ]
    };
    let rgb = (0..side * side)
        .flat_map(colour)
        .map(|light| (light * 255.0) as u8)
        .collect();
    Picture {
        width: side,
        height: side,
        rgb,
    }
}
