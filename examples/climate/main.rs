//! A jet around a planet breaks into eddies: shallow water on a rotating sphere.
//!
//! The jet is that of Galewsky, Scott and Polvani, "An initial-value problem for testing numerical models of the global
//! shallow-water equations" (2004), here between walls at 15 and 75 degrees, where the air is at rest.

mod planet;
#[path = "../show/mod.rs"]
mod show;

use divvy::{Buffer, Kernel};
use planet::World;
use show::{Example, Outcome, Picture, Show, TIDE, mix};

/// Pixels of the picture, each way.
const SIDE: usize = 640;

fn main() -> Outcome {
    let about = "A jet around a planet breaks into eddies, seen from above the pole.";
    let mut show = Example::new("climate", about)
        .size(288, 64..=16_384, "columns, with three eighths as many rows")
        .steps(7200, "time steps: four for each column are a day")
        .draws(0.2) // devices round differently, and the jet is unstable
        .open()?;
    let (width, height) = (show.options.size, show.options.size * 3 / 8);
    let world = World::new(width, height, SIDE);
    let runtime = show.runtime.clone();
    let source = Kernel::from_wgsl(include_str!("../../shaders/climate.wgsl"))?;
    let (stage, look) = (source.clone().entry("stage")?, source.entry("look")?);
    let latitudes = runtime.buffer_from(&world.latitudes())?;
    let [a, b, c] = [(); 3].map(|()| runtime.buffer::<f32>(3 * width * height));
    let (mut base, mut last, between) = (a?, b?, c?);
    let seen = runtime.buffer::<f32>(SIDE * SIDE)?;
    // A step in the three stages of Wicker and Skamarock (2002).
    let advance = |show: &mut Show, base: &Buffer<f32>, last: &Buffer<f32>| -> Outcome {
        let stages = [
            (3.0, base, last),
            (2.0, last, &between),
            (1.0, &between, last),
        ];
        for (part, now, next) in stages {
            let dispatch = runtime.dispatch(&stage, [width, height]);
            let dispatch = dispatch.value("world", world.slower(part));
            let dispatch = dispatch.bind("latitudes", &latitudes).bind("base", base);
            show.submit(dispatch.bind("now", now).bind("next", next))?;
        }
        Ok(())
    };
    let picture = |state: &Buffer<f32>| {
        let dispatch = runtime.dispatch(&look, [SIDE, SIDE]).value("world", world);
        let dispatch = dispatch.bind("latitudes", &latitudes).bind("now", state);
        dispatch.bind("seen", &seen).run()?;
        Ok(draw(&runtime.read(&seen)?))
    };

    // Undisturbed, the jet is in balance with the pressure and stays as it is.
    runtime.write(&base, &world.jet(0.0))?;
    for _ in 0..200 {
        advance(&mut show, &base, &last)?;
        std::mem::swap(&mut base, &mut last);
    }
    let calm = runtime.read(&base)?;
    let crosswise = calm.chunks(width).skip(2).step_by(3).flatten();
    let most = crosswise.fold(0.0, |most: f32, v| most.max(v.abs()));
    // The grid errs by the square of its spacing.
    let limit = 0.02 * (320.0 / width as f64).powi(2);
    show.within("metres a second across the calm jet", most.into(), limit);

    let start = world.jet(120.0);
    runtime.write(&base, &start)?;
    for step in show.steps() {
        show.frame(step, || picture(&base))?;
        advance(&mut show, &base, &last)?;
        std::mem::swap(&mut base, &mut last);
    }
    show.wait()?;

    let (before, after) = (world.sums(&start), world.sums(&runtime.read(&base)?));
    let mass = (after.mass / before.mass - 1.0).abs();
    show.within("mass won or lost, in parts", mass, 1e-7);
    // Viscosity takes some of the energy and spin, the more the longer.
    let long = (show.options.steps as f64 / (25 * width) as f64).max(1.0);
    let energy = (after.energy / before.energy - 1.0).abs();
    show.within("energy won or lost, in parts", energy, 0.08 * long);
    // What spin the eddies take from the jet, the air that they carry north or south gives to it.
    let spin = (after.spin - before.spin).abs() / before.jet;
    show.within("spin won or lost, in parts of the jet's", spin, 1e-3 * long);
    show.picture(picture(&base)?)?;
    show.end()
}

fn draw(seen: &[f32]) -> Picture {
    Picture::between(seen, SIDE, 1, |turn, x, y| {
        let [x, y] = [x, y].map(|at| 2.0 * at / SIDE as f32 - 1.0);
        // As if the sun stood above the pole.
        let shade = (1.0 - x * x - y * y).max(0.0).sqrt();
        let shade = if shade > 0.0 { 0.4 + 0.6 * shade } else { 0.0 };
        mix(TIDE, 0.5 + 0.5 * (turn * 1.2e4).tanh()).map(|part| part * shade)
    })
}
