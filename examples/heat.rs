//! Heat spreads over a plate, step after step: data stays where it was computed and only halos move.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{DUSK, Example, Outcome, Picture, mix};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Plate {
    width: u32,
    height: u32,
    flow: f32,
}

fn main() -> Outcome {
    let about = "Heat spreads over a plate whose edge is held at its temperature.";
    let mut show = Example::new("heat", about)
        .size(512, 3..=16_384, "rows and columns of the plate")
        .steps(4000, "time steps")
        .draws(0.1) // devices round differently, but nothing grows
        .open()?;
    let (runtime, size) = (show.runtime.clone(), show.options.size);
    let heat = Kernel::from_wgsl(include_str!("../shaders/heat.wgsl"))?;
    let plate = Plate {
        width: size as u32,
        height: size as u32,
        flow: 0.24,
    };
    let start: Vec<f32> = (0..size * size).map(|i| hot_plate(i, size)).collect();
    let a = runtime.buffer_from(&start)?;
    let b = runtime.buffer::<f32>(size * size)?;
    let (mut old, mut next) = (&a, &b);
    let picture = |heat: &[f32]| Picture::of(heat, size, |heat| mix(DUSK, heat));

    for step in show.steps() {
        show.frame(step, || Ok(picture(&runtime.read(old)?)))?;
        let dispatch = runtime.dispatch(&heat, [size, size]).value("plate", plate);
        show.submit(dispatch.bind("old", old).bind("next", next))?;
        std::mem::swap(&mut old, &mut next);
    }
    show.wait()?;

    let end = runtime.read(old)?;
    let is_edge = |i: usize| {
        [i % size, i / size]
            .iter()
            .any(|at| *at == 0 || *at == size - 1)
    };
    let kept = (0..start.len()).all(|i| !is_edge(i) || start[i] == end[i]);
    show.check("the edge keeps its temperature", kept);
    // The maximum principle.
    let within = end.iter().all(|heat| (-1e-6..=1.0 + 1e-6).contains(heat));
    show.check(
        "no place gets hotter or colder than any was at first",
        within,
    );
    show.picture(picture(&end))?;
    show.end()
}

/// A cold plate with a hot left edge and three hot discs.
fn hot_plate(i: usize, size: usize) -> f32 {
    let [x, y] = [i % size, i / size].map(|at| at as f32 / size as f32);
    let discs = [(0.3, 0.3, 0.12), (0.7, 0.45, 0.08), (0.45, 0.75, 0.15)];
    let mut discs = discs.iter();
    let is_hot =
        i.is_multiple_of(size) || discs.any(|(cx, cy, radius)| (x - cx).hypot(y - cy) < *radius);
    f32::from(u8::from(is_hot))
}
