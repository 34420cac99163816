//! Two substances react and spread, and patterns grow out of a few drops: Gray and Scott's model, on a torus.

mod show;

use divvy::Kernel;
use show::{Colour, Example, Outcome, Picture, Show, around, mix};

/// Columns and rows.
type Dish = [usize; 2];
/// How much there is of each substance at each place.
type Substances = [Vec<f32>; 2];

const FEED: f32 = 0.040;
const RANGE: f32 = 0.036;
const DECAY: f32 = 0.0605;
const SMALL: Dish = [40, 30];

const INK: &[Colour] = &[
    [0.02, 0.04, 0.10],
    [0.05, 0.25, 0.36],
    [0.30, 0.60, 0.48],
    [0.86, 0.83, 0.52],
    [0.99, 0.97, 0.90],
];

fn main() -> Outcome {
    let about = "Patterns grow out of drops in a dish where two substances react.";
    let mut show = Example::new("reaction", about)
        .size(400, 16..=16_384, "columns, three quarters as many rows")
        .steps(10_000, "time steps")
        .seed(1)
        .draws(1.0) // devices round differently, and patterns take that up slowly
        .open()?;
    let kernel = Kernel::from_wgsl(include_str!("../shaders/reaction.wgsl"))?;
    let kernel = kernel.constant("FEED", FEED)?.constant("RANGE", RANGE)?;
    let kernel = kernel.constant("DECAY", DECAY)?;

    // Against plain Rust, on a small dish.
    let start = drops(SMALL, show.options.seed);
    let found = grow(&mut show, &kernel, SMALL, &start, 0..200)?.concat();
    let right = (0..200).fold(start, |substances, _| react(SMALL, &substances));
    let apart = right.concat().into_iter().zip(found);
    let most = apart.fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()));
    show.within("difference from plain Rust", most.into(), 1e-4);

    let dish = [show.options.size, show.options.size * 3 / 4];
    let (start, steps) = (drops(dish, show.options.seed), show.steps());
    let end = grow(&mut show, &kernel, dish, &start, steps)?;
    let mut all = end.iter().flatten();
    let is_bounded = all.all(|part| (0.0..=1.0).contains(part));
    show.check("there is from nothing to all of each substance", is_bounded);
    let covered = end[1].iter().filter(|part| **part > 0.15).count();
    show.number("places that are covered", covered);
    show.picture(draw(&end[1], dish[0]))?;
    show.end()
}

/// Steps on all devices.
fn grow(
    show: &mut Show,
    kernel: &Kernel,
    dish: Dish,
    start: &Substances,
    steps: impl Iterator<Item = usize>,
) -> Outcome<Substances> {
    let runtime = show.runtime.clone();
    let (mut u, mut v) = (
        runtime.buffer_from(&start[0])?,
        runtime.buffer_from(&start[1])?,
    );
    let (mut u_next, mut v_next) = (runtime.buffer(u.len())?, runtime.buffer(v.len())?);
    for step in steps {
        show.frame(step, || Ok(draw(&runtime.read(&v)?, dish[0])))?;
        let sides = dish.map(|side| side as u32);
        let dispatch = runtime.dispatch(kernel, dish).value("dish", sides);
        let dispatch = dispatch.bind("u", &u).bind("v", &v);
        show.submit(dispatch.bind("u_next", &u_next).bind("v_next", &v_next))?;
        std::mem::swap(&mut u, &mut u_next);
        std::mem::swap(&mut v, &mut v_next);
    }
    show.wait()?;
    Ok([runtime.read(&u)?, runtime.read(&v)?])
}

/// Only u but for some drops of v.
fn drops([width, height]: Dish, seed: u64) -> Substances {
    let mut random = fastrand::Rng::with_seed(seed);
    let [mut u, mut v] = [1.0, 0.0].map(|part| vec![part; width * height]);
    for _ in 0..(width * height / 1200).max(1) {
        let (left, top) = (random.usize(..width), random.usize(..height));
        for i in 0..36 {
            let place = (top + i / 6) % height * width + (left + i % 6) % width;
            (u[place], v[place]) = (0.5, 0.25 + 0.1 * random.f32());
        }
    }
    [u, v]
}

/// A step as the kernel does it.
fn react(dish: Dish, [u, v]: &Substances) -> Substances {
    let weights = [0.05, 0.2, 0.05, 0.2, -1.0, 0.2, 0.05, 0.2, 0.05];
    let (width, middle) = (dish[0], 0.5 * dish[0] as f32);
    let next = |i: usize| {
        let spread = |of: &[f32]| -> f32 {
            let parts = around(dish, i).into_iter().zip(weights);
            parts.map(|(place, weight)| weight * of[place]).sum()
        };
        let reacts = u[i] * v[i] * v[i];
        let feed = FEED + RANGE * (((i % width) as f32 - middle).abs() / middle - 0.5);
        let gain_u = spread(u) - reacts + feed * (1.0 - u[i]);
        let gain_v = 0.5 * spread(v) + reacts - (feed + DECAY) * v[i];
        (u[i] + gain_u, v[i] + gain_v)
    };
    let (u, v) = (0..u.len()).map(next).unzip();
    [u, v]
}

fn draw(v: &[f32], width: usize) -> Picture {
    let zoom = 640_usize.div_ceil(width);
    Picture::between(v, width, zoom, |v, _, _| mix(INK, 2.4 * v))
}
