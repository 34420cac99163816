//! Into the Mandelbrot set, many thousand times deeper than single precision sees by itself.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Colour, Example, Outcome, Picture, mix};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct View {
    width: u32,
    height: u32,
    limit: u32,
    points: u32,
    pixel: f32,
}

/// A spiral in the valley of the sea horses.
const CENTRE: [f64; 2] = [-0.743_643_887_037_158_7, 0.131_825_904_205_311_97];
/// Where the view begins: the width of the whole set.
const WIDEST: f64 = 3.2;

const SEA: &[Colour] = &[
    [0.02, 0.03, 0.10],
    [0.08, 0.22, 0.50],
    [0.45, 0.74, 0.89],
    [0.98, 0.97, 0.90],
    [0.96, 0.70, 0.24],
    [0.56, 0.19, 0.12],
    [0.02, 0.03, 0.10],
];

fn main() -> Outcome {
    let about = "A zoom into the Mandelbrot set, drawn where it ends; --animate draws all of it.";
    let mut show = Example::new("mandelbrot", about)
        .size(960, 16..=16_384, "columns, with five eighths as many rows")
        .steps(1, "views on the way, each nearer by the same factor")
        .option("--deep", "X how much nearer the last view is (1e9)")
        .option("--limit", "N the most steps of a point (4000)")
        .draws(2.0) // orbits beside the set part by any rounding
        .open()?;
    let (runtime, width) = (show.runtime.clone(), show.options.size);
    let height = width * 5 / 8;
    let deep = show.options.more("--deep")?.unwrap_or(1e9_f64);
    let limit = show.options.more("--limit")?.unwrap_or(4000_u32);
    let zoom = Kernel::from_wgsl(include_str!("../shaders/zoom.wgsl"))?;

    // The centre's orbit, as far as it's of use.
    let near = orbit(CENTRE).take(limit as usize + 1);
    let near = near.take_while(|[x, y]| x * x + y * y <= 1e6);
    let near: Vec<[f32; 2]> = near.map(|z| z.map(|part| part as f32)).collect();
    let points = runtime.buffer_from(&near)?;
    let counts = runtime.buffer::<u32>(width * height)?;
    let smoothed = runtime.buffer::<f32>(width * height)?;
    let mut pixel = 0.0;
    let picture = || Ok(draw(&runtime.read(&smoothed)?, width, limit));
    for step in show.steps() {
        pixel = WIDEST / width as f64 / deep.powf((step + 1) as f64 / show.options.steps as f64);
        let view = View {
            width: width as u32,
            height: height as u32,
            limit,
            points: points.len() as u32,
            pixel: pixel as f32,
        };
        let dispatch = runtime.dispatch(&zoom, [width, height]).value("view", view);
        let dispatch = dispatch.bind("orbit", &points).bind("steps", &counts);
        show.submit(dispatch.bind("smoothed", &smoothed))?;
        show.frame(step, picture)?;
    }
    show.wait()?;

    // Some of the pixels again in double precision. Beside the set each step enlarges what single precision rounds, so that
    // a pixel may have the count of any point in it, or of one that lies a little further.
    let counts = runtime.read(&counts)?;
    let is_wrong = |i: &usize| {
        let [x, y] = [(i % width) as f64, (i / width) as f64];
        let around = (0..25).map(|k| {
            let across = x + f64::from(k % 5) / 4.0 - 0.5 * width as f64;
            let up = 0.5 * height as f64 - y - f64::from(k / 5) / 4.0;
            leaves([CENTRE[0] + across * pixel, CENTRE[1] + up * pixel], limit)
        });
        let (least, most) = around.fold((limit, 0), |(a, b), n| (a.min(n), b.max(n)));
        !(least.saturating_sub(1)..=most + 1).contains(&counts[*i])
    };
    let some = || (0..counts.len()).step_by((counts.len() / 2000).max(1));
    let wrong = some().filter(is_wrong).count() as f64 / some().count() as f64;
    let rule = "part of the pixels that no point of theirs agrees with";
    show.within(rule, wrong, 0.03);
    let inside = counts.iter().filter(|count| **count == limit).count();
    show.number("points that never leave", inside);
    let mean = counts.iter().map(|count| f64::from(*count)).sum::<f64>() / counts.len() as f64;
    show.number("steps a point", mean as u64);
    show.picture(picture()?)?;
    show.end()
}

/// The orbit of a point, from zero on.
fn orbit(c: [f64; 2]) -> impl Iterator<Item = [f64; 2]> {
    let next = move |[x, y]: &[f64; 2]| Some([x * x - y * y + c[0], 2.0 * x * y + c[1]]);
    std::iter::successors(Some([0.0, 0.0]), next)
}

/// Steps of a point to leave.
fn leaves(c: [f64; 2], limit: u32) -> u32 {
    let near = orbit(c).take_while(|[x, y]| x * x + y * y <= 256.0);
    near.take(limit as usize).count() as u32
}

fn draw(smoothed: &[f32], width: usize, limit: u32) -> Picture {
    let least = smoothed.iter().copied().fold(f32::INFINITY, f32::min);
    Picture::of(smoothed, width, |steps| match steps < limit as f32 {
        true => mix(SEA, (1.6 * (steps / least.max(1.0)).ln() + 0.05).fract()),
        false => [0.0, 0.0, 0.02],
    })
}
