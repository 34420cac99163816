//! Two substances react and spread, and patterns grow out of a few drops: Gray and Scott's model, on a torus.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::{Kernel, Runtime};
use show::{Example, Outcome, Picture, Show, mix};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Dish {
    width: u32,
    height: u32,
    feed: f32,
    range: f32,
    decay: f32,
}

/// How much there is of each substance at each place.
type Substances = [Vec<f32>; 2];

const INK: &[show::Colour] = &[
    [0.02, 0.04, 0.10],
    [0.05, 0.25, 0.36],
    [0.30, 0.60, 0.48],
    [0.86, 0.83, 0.52],
    [0.99, 0.97, 0.90],
];

fn main() -> Outcome {
    let about = "Patterns grow out of drops in a dish where two substances react; food is scarcer in its middle.";
    let mut show = Example::new("reaction", about)
        .size(
            320,
            16,
            "columns of the dish; it has three quarters as many rows",
        )
        .steps(10_000, "time steps")
        .seed(1)
        .draws(1.0) // devices round differently, and patterns take that up slowly
        .open()?;
    let runtime = show.runtime.clone();
    let kernel = Kernel::from_wgsl(include_str!("../shaders/reaction.wgsl"))?;

    // Against plain Rust, on a small dish.
    let small = dish(40);
    let mut right = drops(&small, show.options.seed);
    let found = grow(&mut show, &runtime, &kernel, small, 0..200)?;
    (0..200).for_each(|_| right = react(&small, &right));
    let apart = |side: usize| {
        right[side]
            .iter()
            .zip(&found[side])
            .map(|(a, b)| (a - b).abs())
    };
    let most = apart(0).chain(apart(1)).fold(0.0, f32::max);
    show.within(
        "difference from plain Rust after 200 steps",
        most.into(),
        1e-4,
    );

    let large = dish(show.options.size);
    let steps = show.steps();
    let [u, v] = grow(&mut show, &runtime, &kernel, large, steps)?;
    let bounded = u.iter().chain(&v).all(|part| (0.0..=1.0).contains(part));
    show.check(
        "of no substance there is less than nothing or more than can be",
        bounded,
    );
    let covered = v.iter().filter(|part| **part > 0.15).count() as f64 / v.len() as f64;
    show.number("part of the dish that is covered", covered);
    show.picture(draw(&v, large.width as usize))?;
    show.end()
}

fn dish(width: usize) -> Dish {
    Dish {
        width: width as u32,
        height: (width * 3 / 4) as u32,
        feed: 0.040,
        range: 0.036,
        decay: 0.0605,
    }
}

/// Steps on all devices, from the drops on.
fn grow(
    show: &mut Show,
    runtime: &Runtime,
    kernel: &Kernel,
    dish: Dish,
    steps: impl Iterator<Item = usize>,
) -> Outcome<Substances> {
    let (width, height) = (dish.width as usize, dish.height as usize);
    let [u, v] = drops(&dish, show.options.seed);
    let (mut u, mut v) = (runtime.buffer_from(&u)?, runtime.buffer_from(&v)?);
    let mut u_next = runtime.buffer::<f32>(width * height)?;
    let mut v_next = runtime.buffer::<f32>(width * height)?;
    for step in steps {
        show.frame(step, || Ok(draw(&runtime.read(&v)?, width)))?;
        let dispatch = runtime
            .dispatch(kernel, [width, height])
            .value("dish", dish);
        let dispatch = dispatch.bind("u", &u).bind("v", &v);
        show.submit(dispatch.bind("u_next", &u_next).bind("v_next", &v_next))?;
        std::mem::swap(&mut u, &mut u_next);
        std::mem::swap(&mut v, &mut v_next);
    }
    show.wait()?;
    Ok([runtime.read(&u)?, runtime.read(&v)?])
}

/// Only u but for some drops of v.
fn drops(dish: &Dish, seed: u64) -> Substances {
    let (width, height) = (dish.width as usize, dish.height as usize);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut u, mut v) = (vec![1.0; width * height], vec![0.0; width * height]);
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
fn react(dish: &Dish, [u, v]: &Substances) -> Substances {
    let (width, height) = (dish.width as usize, dish.height as usize);
    let next = |i: usize| {
        let (x, y) = (i % width, i / width);
        let sum = |of: &[f32], places: [(usize, usize); 4]| -> f32 {
            places
                .map(|(dx, dy)| {
                    of[(y + height + dy - 1) % height * width + (x + width + dx - 1) % width]
                })
                .iter()
                .sum()
        };
        let (beside, across) = (
            [(0, 1), (2, 1), (1, 0), (1, 2)],
            [(0, 0), (2, 0), (0, 2), (2, 2)],
        );
        let spread = |of: &[f32]| 0.2 * sum(of, beside) + 0.05 * sum(of, across) - of[i];
        let (middle, reacts) = (0.5 * width as f32, u[i] * v[i] * v[i]);
        let feed = dish.feed + dish.range * ((x as f32 - middle).abs() / middle - 0.5);
        (
            u[i] + spread(u) - reacts + feed * (1.0 - u[i]),
            v[i] + 0.5 * spread(v) + reacts - (feed + dish.decay) * v[i],
        )
    };
    let (u, v) = (0..width * height).map(next).unzip();
    [u, v]
}

fn draw(v: &[f32], width: usize) -> Picture {
    Picture::between(v, width, 640_usize.div_ceil(width), |v, _, _| {
        mix(INK, 2.4 * v)
    })
}
