//! What the workloads come to, in plain Rust, and what that costs from row to row.
//!
//! Written for being read, not for speed; it is never timed.

use super::lanes::plain;
use super::workloads::Workload;
use rayon::prelude::*;
use std::sync::Arc;

/// The answer of a workload after so many iterations.
pub fn after(workload: &Workload, iterations: usize) -> Vec<f32> {
    let floats = |at: usize| -> Vec<f32> { bytemuck::pod_collect_to_vec(&workload.buffers[at].1) };
    let words = |at: usize| workload.buffers[at].1.clone();
    let value = workload.values.first().cloned().unwrap_or_default();
    let real = |i: usize| f32::from_bits(value[i]);
    let (width, height) = (workload.shape.width, workload.shape.height);
    let numbers = |words: Vec<u32>| words.into_iter().map(|word| word as f32).collect();
    match workload.name {
        "saxpy" => {
            let (x, mut y) = (floats(0), floats(1));
            for _ in 0..iterations {
                y.iter_mut().zip(&x).for_each(|(y, x)| *y += real(1) * x);
            }
            y
        }
        "matmul" => product(&floats(0), &floats(1), width),
        "blur" => {
            let (weights, mut image) = (floats(0), floats(1));
            for _ in 0..iterations {
                image = blurred(&image, &weights, width, [1, 0]);
                image = blurred(&image, &weights, width, [0, 1]);
            }
            image
        }
        "binomial" => {
            let options = workload.buffers[0].1.par_chunks(4);
            let price = |option: &[u32]| {
                let [spot, strike, years] = [0, 1, 2].map(|i| f32::from_bits(option[i]));
                call(spot, strike, years, real(0), real(1))
            };
            options.map(price).collect()
        }
        "n-body" => {
            let (mut places, mut velocities) = (floats(0), floats(1));
            for _ in 0..iterations {
                leap(&mut places, &mut velocities, real(0), real(1));
            }
            places
        }
        "mandelbrot" => {
            let mut counts = words(0);
            plain::mandelbrot(&mut counts, &value);
            numbers(counts)
        }
        "ray" => image(&floats(0), width, height).concat(),
        "heat" => steps(floats(0), iterations, |from, to| {
            plain::heat(from, to, width, real(2));
        }),
        "gray-scott" => steps(floats(0), iterations, |from, to| {
            plain::react(from, to, width, [2, 3, 4, 5].map(real));
        }),
        "life" => numbers(steps(words(0), iterations, |from, to| {
            plain::live(from, to, width);
        })),
        "reduction" => floats(0)
            .chunks(width)
            .map(|row| row.iter().map(|x| f64::from(*x)).sum::<f64>() as f32)
            .collect(),
        "histogram" => {
            let mut bins = vec![0_u32; 256];
            words(0)
                .iter()
                .for_each(|x| bins[(x & 255) as usize] += iterations as u32);
            numbers(bins)
        }
        name => panic!("{name} isn't written in plain Rust"),
    }
}

/// What an invocation of each kernel costs, as a script has it: the numbers are worth something beside each other only.
pub fn costs(workload: &Workload) -> Vec<(String, Arc<[f64]>)> {
    let (width, height) = (workload.shape.width, workload.shape.height);
    let rows = |costs: Vec<f64>| vec![("main".to_owned(), costs.into())];
    match workload.name {
        "n-body" => vec![
            ("kick".to_owned(), [width as f64].into()),
            ("drift".to_owned(), [1.0].into()),
        ],
        "mandelbrot" => {
            let counts = after(workload, 1);
            let row = |row: &[f32]| row.iter().map(|n| f64::from(*n) + 1.0).sum::<f64>();
            rows(counts.chunks(width).map(row).collect())
        }
        "ray" => {
            let spheres: Vec<f32> = bytemuck::pod_collect_to_vec(&workload.buffers[0].1);
            let image = image(&spheres, width, height);
            let rays = |row: &Vec<f32>| row.iter().skip(3).step_by(4).copied().map(f64::from).sum();
            rows(image.iter().map(rays).collect())
        }
        _ => Vec::new(),
    }
}

/// Steps from one buffer to another and back.
fn steps<T: Clone + Default>(
    mut from: Vec<T>,
    iterations: usize,
    step: impl Fn(&[T], &mut [T]),
) -> Vec<T> {
    let mut to = vec![T::default(); from.len()];
    for _ in 0..iterations {
        step(&from, &mut to);
        std::mem::swap(&mut from, &mut to);
    }
    from
}

/// Rows of `n` times a square matrix.
fn product(a: &[f32], b: &[f32], n: usize) -> Vec<f32> {
    let mut c = vec![0.0; a.len()];
    c.par_chunks_mut(n).zip(a.par_chunks(n)).for_each(|(c, a)| {
        for (a, b) in a.iter().zip(b.chunks(n)) {
            c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
        }
    });
    c
}

/// An image blurred along x or y.
fn blurred(image: &[f32], weights: &[f32], width: usize, way: [i64; 2]) -> Vec<f32> {
    let height = image.len() / width;
    let radius = (weights.len() / 2) as i64;
    let mut blurred = vec![0.0; image.len()];
    let rows = blurred.par_chunks_mut(width).enumerate();
    rows.for_each(|(y, row)| {
        for (x, pixel) in row.iter_mut().enumerate() {
            let at = |k: usize| {
                let away = k as i64 - radius;
                let clamped = |at: usize, way: i64, end: usize| {
                    (at as i64 + way * away).clamp(0, end as i64 - 1) as usize
                };
                image[clamped(y, way[1], height) * width + clamped(x, way[0], width)]
            };
            let taps = weights.iter().enumerate();
            *pixel = taps.map(|(k, weight)| weight * at(k)).sum();
        }
    });
    blurred
}

/// A European call, by the tree of Cox, Ross and Rubinstein with 255 steps.
fn call(spot: f32, strike: f32, years: f32, rate: f32, volatility: f32) -> f32 {
    const STEPS: usize = 255;
    let years = years / STEPS as f32;
    let step = volatility * years.sqrt();
    let (up, down) = (step.exp(), (-step).exp());
    let chance = ((rate * years).exp() - down) / (up - down);
    let discount = (-rate * years).exp();
    let (rise, fall) = (discount * chance, discount * (1.0 - chance));
    let leaf = |i: usize| {
        let height = 2.0 * i as f32 - STEPS as f32;
        (spot * (step * height).exp() - strike).max(0.0)
    };
    let mut values: Vec<f32> = (0..=STEPS).map(leaf).collect();
    for left in (1..=STEPS).rev() {
        for i in 0..left {
            values[i] = rise * values[i + 1] + fall * values[i];
        }
    }
    values[0]
}

/// A kick and a drift of all bodies, which have their mass in the fourth number.
fn leap(places: &mut [f32], velocities: &mut [f32], seconds: f32, softening: f32) {
    let sources = places.to_vec();
    let bodies = places.par_chunks_mut(4).zip(velocities.par_chunks_mut(4));
    bodies.for_each(|(place, velocity)| {
        let mut pull = [0.0_f32; 3];
        for other in sources.chunks_exact(4) {
            let apart: [f32; 3] = std::array::from_fn(|axis| other[axis] - place[axis]);
            let square = apart.iter().map(|x| x * x).sum::<f32>() + softening * softening;
            let scale = other[3] / (square * square.sqrt());
            (0..3).for_each(|axis| pull[axis] += apart[axis] * scale);
        }
        (0..3).for_each(|axis| velocity[axis] += pull[axis] * seconds);
        (0..4).for_each(|axis| place[axis] += velocity[axis] * seconds);
    });
}

type Vector = [f32; 3];

const LIGHT: Vector = [0.48, 0.8, -0.36];
const SPHERES: usize = 32;

/// The scene: spheres on the floor, most of them small and in the middle; eight numbers each.
pub fn spheres() -> Vec<f32> {
    let sphere = |i: usize| {
        let number = |k: usize| super::lanes::workloads::unit(8 * i + k);
        let radius = 0.2 + 0.7 * number(0) * number(0);
        let (x, z) = (5.0 * number(1) - 2.5, 6.0 * number(2) - 1.0);
        let mirrors = 0.9 * number(3);
        [
            x,
            radius,
            z,
            radius,
            number(4),
            number(5),
            number(6),
            mirrors,
        ]
    };
    (0..SPHERES).flat_map(sphere).collect()
}

fn dot(a: Vector, b: Vector) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn along(from: Vector, way: Vector, far: f32) -> Vector {
    std::array::from_fn(|axis| from[axis] + way[axis] * far)
}

/// How far it is to what a ray meets first, and which sphere that is, if it is one; nothing if it meets nothing.
fn nearest(spheres: &[f32], origin: Vector, way: Vector) -> Option<(f32, Option<usize>)> {
    const NEAR: f32 = 1e-3;
    let floor = -origin[1] / way[1];
    let mut hit = (way[1] < 0.0 && floor > NEAR).then_some((floor, None));
    for (i, sphere) in spheres.chunks_exact(8).enumerate() {
        let apart = along(origin, [sphere[0], sphere[1], sphere[2]], -1.0);
        let b = dot(apart, way);
        let inside = b * b - dot(apart, apart) + sphere[3] * sphere[3];
        if inside > 0.0 {
            let at = -b - inside.sqrt();
            if at > NEAR && hit.is_none_or(|(nearest, _)| at < nearest) {
                hit = Some((at, Some(i)));
            }
        }
    }
    hit
}

/// The pixels of each row: their colour, and how many rays they took.
fn image(spheres: &[f32], width: usize, height: usize) -> Vec<Vec<f32>> {
    let row = |y: usize| {
        let pixel = |x: usize| {
            let right = (x as f32 + 0.5 - 0.5 * width as f32) / width as f32;
            let up = (0.5 * height as f32 - y as f32 - 0.5) / height as f32;
            traced(spheres, [1.4 * right, up, 1.0])
        };
        (0..width).flat_map(pixel).collect()
    };
    (0..height).into_par_iter().map(row).collect()
}

fn traced(spheres: &[f32], way: Vector) -> [f32; 4] {
    let length = dot(way, way).sqrt();
    let (mut origin, mut way) = ([0.0, 1.5, -6.0], way.map(|x| x / length));
    let (mut colour, mut weight, mut rays) = ([0.0_f32; 3], 1.0_f32, 0.0);
    for _ in 0..7 {
        rays += 1.0;
        let Some((far, what)) = nearest(spheres, origin, way) else {
            let high = way[1].max(0.0);
            let (low, top) = ([0.9, 0.95, 1.0], [0.2, 0.4, 0.9]);
            (0..3).for_each(|i| colour[i] += weight * (low[i] + (top[i] - low[i]) * high));
            break;
        };
        let place = along(origin, way, far);
        let (out, own, mirrors) = match what {
            None => {
                let is_dark = (place[0].floor() as i32 + place[2].floor() as i32) % 2 != 0;
                ([0.0, 1.0, 0.0], [if is_dark { 0.3 } else { 0.8 }; 3], 0.0)
            }
            Some(i) => {
                let sphere = &spheres[8 * i..][..8];
                let out = along(place, [sphere[0], sphere[1], sphere[2]], -1.0);
                let out = out.map(|x| x / sphere[3]);
                (out, [sphere[4], sphere[5], sphere[6]], sphere[7])
            }
        };
        let facing = dot(out, LIGHT).max(0.0);
        let mut lit = 0.1;
        if facing > 0.0 {
            rays += 1.0;
            if nearest(spheres, place, LIGHT).is_none() {
                lit += 0.9 * facing;
            }
        }
        (0..3).for_each(|i| colour[i] += weight * (1.0 - mirrors) * lit * own[i]);
        weight *= mirrors;
        if weight < 0.02 {
            break;
        }
        origin = place;
        way = along(way, out, -2.0 * dot(way, out));
    }
    [colour[0], colour[1], colour[2], rays]
}
