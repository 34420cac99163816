//! A jet around a planet breaks into eddies: shallow water on a rotating sphere.
//!
//! The jet is that of Galewsky, Scott and Polvani, "An initial-value problem for testing numerical models of the global
//! shallow-water equations" (2004), here between walls at 15 and 75 degrees, where the air is at rest.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
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
}

const RADIUS: f64 = 6.371_22e6;
const SPIN: f64 = 7.292e-5;
const GRAVITY: f64 = 9.806_16;
const SOUTH: f64 = 15.0 * PI / 180.0;
const NORTH: f64 = 75.0 * PI / 180.0;

fn main() -> Outcome {
    let about = "A jet around a planet breaks into eddies, seen from above the pole.";
    let mut show = Example::new("climate", about)
        .size(
            320,
            32,
            "columns around the planet; it has three eighths as many rows",
        )
        .steps(8000, "time steps: four for each column are a day")
        .draws(1.0) // devices round differently, and the jet is unstable
        .open()?;
    let kernel = Kernel::from_wgsl(include_str!("../shaders/climate.wgsl"))?;
    let (width, height) = (show.options.size, show.options.size * 3 / 8);
    let world = World {
        width: width as u32,
        height: height as u32,
        depth: 10_000.0,
        step: 86.4 * 256.0 / width as f32,
        east: (TAU * RADIUS / width as f64) as f32,
        north: ((NORTH - SOUTH) * RADIUS / height as f64) as f32,
        viscosity: 3e4,
    };

    // Undisturbed, the jet is in balance with the pressure and stays as it is.
    let calm = jet(&world, 0.0);
    let later = flow(&mut show, &kernel, world, &calm, 0..200)?;
    let crosswise = later.chunks(width).skip(2).step_by(3).flatten();
    let most = crosswise.fold(0.0, |most: f32, v| most.max(v.abs()));
    show.within(
        "metres a second across the jet while nothing disturbs it",
        most.into(),
        0.1,
    );

    let start = jet(&world, 120.0);
    let steps = show.steps();
    let end = flow(&mut show, &kernel, world, &start, steps)?;
    let ([mass, energy], [mass_later, energy_later]) = (sums(&world, &start), sums(&world, &end));
    show.within(
        "mass that is lost or won, in parts",
        (mass_later / mass - 1.0).abs(),
        1e-7,
    );
    show.within(
        "energy that is lost or won, in parts",
        (energy_later / energy - 1.0).abs(),
        0.08, // what viscosity takes
    );
    show.picture(draw(&world, &end))?;
    show.end()
}

/// Steps on all devices, each in the three stages of Wicker and Skamarock (2002).
fn flow(
    show: &mut Show,
    kernel: &Kernel,
    world: World,
    start: &[f32],
    steps: impl Iterator<Item = usize>,
) -> Outcome<Vec<f32>> {
    let runtime = show.runtime.clone();
    let rows: Vec<_> = (0..world.height).map(|row| latitude(&world, row)).collect();
    let latitudes = runtime.buffer_from(&rows)?;
    let (mut base, mut last) = (runtime.buffer_from(start)?, runtime.buffer_from(start)?);
    let between = runtime.buffer_from(start)?;
    for step in steps {
        show.frame(step, || Ok(draw(&world, &runtime.read(&base)?)))?;
        for (part, now, next) in [
            (3.0, &base, &last),
            (2.0, &last, &between),
            (1.0, &between, &last),
        ] {
            let world = World {
                step: world.step / part,
                ..world
            };
            let dispatch = runtime.dispatch(kernel, [world.width as usize, world.height as usize]);
            let dispatch = dispatch.value("world", world).bind("latitudes", &latitudes);
            show.submit(
                dispatch
                    .bind("now", now)
                    .bind("base", &base)
                    .bind("next", next),
            )?;
        }
        std::mem::swap(&mut base, &mut last);
    }
    show.wait()?;
    Ok(runtime.read(&base)?)
}

/// Latitudes from the southern wall on, in rows.
fn north_of(world: &World, rows: f64) -> f64 {
    SOUTH + (NORTH - SOUTH) * rows / f64::from(world.height)
}

/// What the kernel calls `Latitude`.
fn latitude(world: &World, row: u32) -> [f32; 5] {
    let [south, middle, north] = [0.0, 0.5, 1.0].map(|part| north_of(world, f64::from(row) + part));
    let of_spin = |latitude: f64| 2.0 * SPIN * latitude.sin();
    [
        middle.cos(),
        south.cos(),
        north.cos(),
        of_spin(south),
        of_spin(north),
    ]
    .map(|number| number as f32)
}

/// The jet, the heights that balance it, and a bump of `metres` on it.
fn jet(world: &World, metres: f64) -> Vec<f32> {
    let (width, height) = (world.width as usize, world.height as usize);
    let (from, to) = (PI / 7.0, FRAC_PI_2 - PI / 7.0);
    let speed = |at: f64| {
        let shape = 1.0 / ((at - from) * (at - to)) + 4.0 / (to - from).powi(2);
        if at > from && at < to {
            80.0 * shape.exp()
        } else {
            0.0
        }
    };
    let slope =
        |at: f64| -speed(at) * (2.0 * SPIN * RADIUS * at.sin() + speed(at) * at.tan()) / GRAVITY;
    // From row to row by the midpoint rule, in a hundred steps each.
    let fine = (NORTH - SOUTH) / (100 * height) as f64;
    let mut heights = vec![0.0];
    for row in 1..height {
        let below = (0..100)
            .map(|i| slope(north_of(world, row as f64 - 0.5) + (f64::from(i) + 0.5) * fine));
        heights.push(heights[row - 1] + below.sum::<f64>() * fine);
    }
    let weight = |row: usize| north_of(world, row as f64 + 0.5).cos();
    let mean = (0..height)
        .map(|row| heights[row] * weight(row))
        .sum::<f64>()
        / (0..height).map(weight).sum::<f64>();
    let cell = |i: usize| {
        let (row, k, column) = (i / width / 3, i / width % 3, i % width);
        let at = north_of(world, row as f64 + 0.5);
        let east = TAU * ((column as f64 + 0.5) / width as f64 - 0.5);
        let bump = at.cos() * (-(3.0 * east).powi(2) - (15.0 * (FRAC_PI_4 - at)).powi(2)).exp();
        [heights[row] - mean + metres * bump, speed(at), 0.0][k] as f32
    };
    (0..3 * width * height).map(cell).collect()
}

/// Mass and energy, but for what the mean depth has.
fn sums(world: &World, state: &[f32]) -> [f64; 2] {
    let width = world.width as usize;
    let mut sums = [0.0; 2];
    for (row, numbers) in state.chunks(3 * width).enumerate() {
        let weight = north_of(world, row as f64 + 0.5).cos();
        for column in 0..width {
            let [above, u, v] = [0, 1, 2].map(|k| f64::from(numbers[k * width + column]));
            let depth = f64::from(world.depth) + above;
            sums[0] += weight * depth;
            sums[1] += weight * 0.5 * (depth * (u * u + v * v) + GRAVITY * above * above);
        }
    }
    sums
}

/// Vorticity, from above the pole.
fn draw(world: &World, state: &[f32]) -> Picture {
    let (width, height) = (world.width as usize, world.height as usize);
    let turn = |row: usize, column: usize| {
        let row = row.clamp(1, height - 1);
        let number =
            |row: usize, k: usize, column: usize| state[(3 * row + k) * width + column % width];
        let [cosine, cosine_south] =
            [0.5, -0.5].map(|part| north_of(world, row as f64 + part).cos() as f32);
        let along = number(row, 2, column) - number(row, 2, column + width - 1);
        let across = cosine * number(row, 1, column) - cosine_south * number(row - 1, 1, column);
        along / world.east - across / world.north
    };
    Picture::new(640, 640, |x, y| {
        let [x, y] = [x, y].map(|at| (at as f64 + 0.5) / 320.0 - 1.0);
        // The planet from far above: a latitude is a circle as wide as its cosine.
        let (radius, angle) = (x.hypot(y), y.atan2(x) / TAU + 0.5);
        let row = (radius.min(1.0).acos() - SOUTH) / (NORTH - SOUTH) * height as f64;
        if radius > 1.0 {
            return [0.0; 3];
        }
        let shade = (1.0 - radius * radius).sqrt() as f32 * 0.6 + 0.4;
        if row < 0.0 || row >= height as f64 {
            return mix(TIDE, 0.5).map(|part| part * shade);
        }
        let (columns, row) = (angle * width as f64, row.max(0.0));
        let (column, part) = (columns as usize % width, columns.fract() as f32);
        let (below, up) = (row as usize, row.fract() as f32);
        let along = |row: usize| turn(row, column) * (1.0 - part) + turn(row, column + 1) * part;
        let turn = along(below) * (1.0 - up) + along(below + 1) * up;
        mix(TIDE, 0.5 + 0.5 * (turn * 1.2e4).tanh()).map(|part| part * shade)
    })
}
