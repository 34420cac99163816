//! A jet around a planet breaks into eddies: shallow water on a rotating sphere.
//!
//! The jet is that of Galewsky, Scott and Polvani, "An initial-value problem for testing numerical models of the global
//! shallow-water equations" (2004), here between walls at 15 and 75 degrees, where the air is at rest.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::{Buffer, Kernel};
use show::{Example, Outcome, Picture, Show, TIDE, mix};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI, TAU};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct World {
    width: u32,
    height: u32,
    depth: f32,
    step: f32,
    east: f32,
    north: f32,
    viscosity: f32,
    south: f32,
    across: f32,
    side: u32,
}

const RADIUS: f64 = 6.371_22e6;
const SPIN: f64 = 7.292e-5;
const GRAVITY: f64 = 9.806_16;
const SOUTH: f64 = PI / 12.0;
const NORTH: f64 = PI / 2.4;
/// Pixels of the picture.
const SIDE: usize = 640;

fn main() -> Outcome {
    let about = "A jet around a planet breaks into eddies, seen from above the pole.";
    let mut show = Example::new("climate", about)
        .size(320, 64..=16_384, "columns, with three eighths as many rows")
        .steps(8000, "time steps: four for each column are a day")
        .draws(0.2) // devices round differently, and the jet is unstable
        .open()?;
    let (width, height) = (show.options.size, show.options.size * 3 / 8);
    let across = (NORTH - SOUTH) / height as f64;
    let world = World {
        width: width as u32,
        height: height as u32,
        depth: 10_158.0, // at the southern wall, with which the mean on a whole sphere is 10,000
        step: 86_400.0 / (4 * width) as f32,
        east: (TAU * RADIUS / width as f64) as f32,
        north: (across * RADIUS) as f32,
        viscosity: 3e4,
        south: SOUTH as f32,
        across: across as f32,
        side: SIDE as u32,
    };

    let runtime = show.runtime.clone();
    let source = Kernel::from_wgsl(include_str!("../shaders/climate.wgsl"))?;
    let (stage, look) = (source.clone().entry("stage")?, source.entry("look")?);
    let rows: Vec<_> = (0..height)
        .map(|row| latitude(row as f64, across))
        .collect();
    let latitudes = runtime.buffer_from(&rows)?;
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
            let step = world.step / part;
            let dispatch = runtime
                .dispatch(&stage, [width, height])
                .value("world", World { step, ..world });
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
    runtime.write(&base, &jet(&world, 0.0))?;
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

    let start = jet(&world, 120.0);
    runtime.write(&base, &start)?;
    for step in show.steps() {
        show.frame(step, || picture(&base))?;
        advance(&mut show, &base, &last)?;
        std::mem::swap(&mut base, &mut last);
    }
    show.wait()?;

    let (before, after) = (sums(&world, &start), sums(&world, &runtime.read(&base)?));
    let part = |sum: usize, of: f64| (after[sum] - before[sum]).abs() / of;
    // Viscosity takes some of the energy and spin, the more the longer.
    let long = (show.options.steps as f64 / (25 * width) as f64).max(1.0);
    show.within("mass won or lost, in parts", part(0, before[0]), 1e-7);
    show.within(
        "energy won or lost, in parts",
        part(1, before[1]),
        0.08 * long,
    );
    // What spin the eddies take from the jet, the air that they carry north or south gives to it.
    let spin = part(2, before[2] - before[3]);
    show.within("spin won or lost, in parts of the jet's", spin, 1e-3 * long);
    show.picture(picture(&base)?)?;
    show.end()
}

/// What the kernel calls `Latitude`, of rows that are so many radians wide.
fn latitude(row: f64, across: f64) -> [f32; 5] {
    let [south, middle, north] = [0.0, 0.5, 1.0].map(|part| SOUTH + (row + part) * across);
    let spin = |latitude: f64| 2.0 * SPIN * latitude.sin();
    [
        middle.cos(),
        south.cos(),
        north.cos(),
        spin(south),
        spin(north),
    ]
    .map(|number| number as f32)
}

/// The jet, the heights that balance it, and a bump of `metres` on it.
fn jet(world: &World, metres: f64) -> Vec<f32> {
    let (width, across) = (world.width as usize, f64::from(world.north) / RADIUS);
    let (from, to) = (PI / 7.0, FRAC_PI_2 - PI / 7.0);
    let speed = |at: f64| {
        let shape = 1.0 / ((at - from) * (at - to)) + 4.0 / (to - from).powi(2);
        if at > from && at < to {
            80.0 * shape.exp()
        } else {
            0.0
        }
    };
    let mut height = 0.0;
    let mut state = Vec::new();
    for row in 0..world.height {
        let at = SOUTH + (f64::from(row) + 0.5) * across;
        let bump = |east: f64| {
            at.cos() * (-(3.0 * east).powi(2) - (15.0 * (FRAC_PI_4 - at)).powi(2)).exp()
        };
        let bumps =
            (0..width).map(|column| bump(TAU * ((column as f64 + 0.5) / width as f64 - 0.5)));
        state.extend(bumps.map(|bump| (height + metres * bump) as f32));
        state.extend(std::iter::repeat_n(speed(at) as f32, width));
        state.extend(std::iter::repeat_n(0.0, width));
        // To the middle of the next row, in a hundred steps of the midpoint rule.
        for i in 0..100 {
            let at = at + (f64::from(i) + 0.5) / 100.0 * across;
            let turns = 2.0 * SPIN * RADIUS * at.sin() + speed(at) * at.tan();
            height -= speed(at) * turns / GRAVITY * across / 100.0;
        }
    }
    state
}

/// Mass, energy but for what the depth has at rest, spin, and spin that is the planet's.
fn sums(world: &World, state: &[f32]) -> [f64; 4] {
    let (width, across) = (world.width as usize, f64::from(world.north) / RADIUS);
    let mut sums = [0.0; 4];
    for (row, numbers) in state.chunks(3 * width).enumerate() {
        let cosine = (SOUTH + (row as f64 + 0.5) * across).cos();
        let turns = SPIN * RADIUS * cosine;
        for column in 0..width {
            let [above, u, v] = [0, 1, 2].map(|k| f64::from(numbers[k * width + column]));
            let mass = cosine * (f64::from(world.depth) + above);
            sums[0] += mass;
            sums[1] += 0.5 * (mass * (u * u + v * v) + cosine * GRAVITY * above * above);
            sums[2] += mass * cosine * (turns + u);
            sums[3] += mass * cosine * turns;
        }
    }
    sums
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
