//! What a laser scanner sees of a street, and a map of it: ground, and what stands in the way.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Colour, DUSK, Example, Outcome, Picture, grey, mix};

/// Cells of a quarter of a metre, each way.
const SIDE: usize = 512;
/// Those that are drawn, across the street.
const ROWS: usize = 200;
/// The shape of a tree's crown; a box is 0, a cylinder 1.
const CROWN: u32 = 2;
const EMPTY: i32 = i32::MAX;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Turn {
    scanner: [f32; 3],
    rays: u32,
    first: u32,
    seed: u32,
    padding: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Thing {
    centre: [f32; 3],
    shape: u32,
    half: [f32; 3],
    turned: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Point {
    place: [f32; 3],
    label: u32,
}

fn main() -> Outcome {
    let about = "A laser scanner drives through a street, and a map of what it sees is made.";
    let example = Example::new("lidar", about)
        .size(2048, 64..=1 << 20, "angles of a turn, with 64 rays each")
        .steps(16, "turns of the scanner")
        .seed(1)
        .draws(1.0); // devices round differently, so that a few points change their cells
    let mut show = example.open()?;
    let (runtime, steps) = (show.runtime.clone(), show.options.steps);
    let wgsl = Kernel::from_wgsl(include_str!("../shaders/lidar.wgsl"))?;
    let kernel = |entry: &str| wgsl.clone().entry(entry);
    let (scan, gather) = (kernel("scan")?, kernel("gather")?);

    let street = street(&mut fastrand::Rng::with_seed(show.options.seed));
    let (rays, cells) = (64 * show.options.size, SIDE * SIDE);
    let things = runtime.buffer_from(&street)?;
    let points = runtime.buffer::<Point>(rays * steps)?;
    let lowest = runtime.buffer_from(&vec![EMPTY; cells])?;
    let counts = runtime.buffer::<u32>(cells)?;
    for step in show.steps() {
        let x = 50.0 * ((step as f32 + 0.5) / steps as f32 - 0.5);
        let turn = Turn {
            scanner: [x, -1.6, 0.5 * (0.06 * x).sin() + 1.8],
            rays: rays as u32,
            first: (step * rays) as u32,
            seed: show.options.seed as u32,
            padding: [0; 2],
        };
        let dispatch = runtime.dispatch(&scan, rays).value("turn", turn);
        show.submit(dispatch.bind("things", &things).bind("points", &points))?;
        let grid = [SIDE as u32, turn.first, turn.rays];
        let dispatch = runtime.dispatch(&gather, rays).value("grid", grid);
        let dispatch = dispatch.bind("seen", &points).bind("lowest", &lowest);
        show.submit(dispatch.bind("counts", &counts))?;
    }
    let grid = [SIDE as u32, 0, (rays * steps) as u32];
    let (least, level) = (runtime.buffer::<i32>(cells)?, runtime.buffer::<i32>(cells)?);
    for (entry, before, after) in [("erode", &lowest, &least), ("dilate", &least, &level)] {
        let kernel = kernel(entry)?;
        let dispatch = runtime.dispatch(&kernel, [SIDE, SIDE]).value("grid", grid);
        show.submit(dispatch.bind("before", before).bind("after", after))?;
    }
    let heights = runtime.buffer_from(&vec![i32::MIN; cells])?;
    let tally = runtime.buffer::<u32>(2 * (street.len() + 2))?;
    let classify = kernel("classify")?;
    let dispatch = runtime
        .dispatch(&classify, rays * steps)
        .value("grid", grid);
    let dispatch = dispatch.bind("seen", &points).bind("level", &level);
    show.submit(dispatch.bind("heights", &heights).bind("tally", &tally))?;
    show.wait()?;

    // The same with one point after another.
    let (mut least, mut most) = (vec![EMPTY; cells], vec![0_u32; cells]);
    for point in runtime
        .read(&points)?
        .iter()
        .filter(|point| point.label > 0)
    {
        let at = [0, 1].map(|axis| (point.place[axis] * 4.0).floor() as i64 + SIDE as i64 / 2);
        if at.iter().all(|at| (0..SIDE as i64).contains(at)) {
            let cell = at[1] as usize * SIDE + at[0] as usize;
            least[cell] = least[cell].min(ordered(point.place[2]));
            most[cell] += 1;
        }
    }
    let (lowest, counts) = (runtime.read(&lowest)?, runtime.read(&counts)?);
    let (heights, tally) = (runtime.read(&heights)?, runtime.read(&tally)?);
    let total = counts.iter().sum::<u32>();
    show.number("points in the map", total);
    show.check(
        "cells are those of one point after another",
        lowest == least && counts == most,
    );
    show.check(
        "each point is ground or thing",
        tally.iter().sum::<u32>() == total,
    );
    let taken = |label: usize| [tally[2 * label], tally[2 * label + 1]].map(f64::from);
    let [right, lost] = taken(1);
    let wrong: f64 = (2..street.len() + 2).map(|label| taken(label)[0]).sum();
    show.within(
        "part of what is taken for ground that isn't",
        wrong / (right + wrong),
        0.06,
    );
    show.within(
        "part of the ground that isn't taken for it",
        lost / (right + lost),
        0.02,
    );
    // Crowns of trees hang over what isn't seen from afar, so nothing says how high they are.
    let stands = |label: &usize| street[label - 2].shape != CROWN;
    let seen = (2..street.len() + 2).filter(stands).map(taken);
    let seen: Vec<_> = seen.filter(|[low, high]| low + high >= 200.0).collect();
    let found = seen.iter().filter(|[low, high]| high > low).count();
    show.number(
        "things that stand there and of which 200 points or more are seen",
        seen.len(),
    );
    show.check("all of them are found", found == seen.len());

    // The street from above, at two pixels a cell.
    let colour = |x: usize, y: usize| -> Colour {
        let cell = (SIDE / 2 + ROWS / 2 - 1 - y / 2) * SIDE + x / 2;
        match (heights[cell], counts[cell]) {
            (i32::MIN, 0) => grey(0.12),
            (i32::MIN, seen) => grey(0.3 + 0.03 * (seen as f32).log2()),
            (height, _) => mix(DUSK, 0.45 + 0.2 * f32::from_bits(height as u32)),
        }
    };
    show.picture(Picture::new(2 * SIDE, 2 * ROWS, colour))?;
    show.end()
}

/// Whole numbers in the order of what they stand for.
fn ordered(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    if bits < 0 { bits ^ i32::MAX } else { bits }
}

/// Houses, cars, lamps, trees and people along a road of 128 metres.
fn street(random: &mut fastrand::Rng) -> Vec<Thing> {
    let mut things = Vec::new();
    let mut put = |shape, [x, y]: [f32; 2], [half_x, half_y, from, to]: [f32; 4], turned| {
        let road = 0.5 * (0.06 * x).sin() - 0.015 * y.abs().min(5.0);
        let floor = road + if y.abs() > 5.5 { 0.12 } else { 0.0 };
        things.push(Thing {
            centre: [x, y, floor + (from + to) / 2.0],
            shape,
            half: [half_x, half_y, (to - from) / 2.0],
            turned,
        });
    };
    for side in [-1.0, 1.0] {
        let mut x = -64.0;
        while x < 64.0 {
            let (width, depth) = (6.0 + 10.0 * random.f32(), 5.0 + 4.0 * random.f32());
            let setback = 11.0 + 3.0 * random.f32();
            let house = [width / 2.0, depth, -2.0, 5.0 + 6.0 * random.f32()];
            put(0, [x + width / 2.0, side * (setback + depth)], house, 0.0);
            x += width + if random.u8(0..3) == 0 { 5.0 } else { 0.0 };
        }
        for lot in 0..18 {
            let x = -61.0 + 7.0 * lot as f32;
            if random.u8(0..3) > 0 {
                let y = side * (4.2 + 0.3 * random.f32());
                let turned = 0.08 * (random.f32() - 0.5);
                put(0, [x + random.f32(), y], [2.2, 0.9, 0.2, 0.8], turned);
                put(0, [x + random.f32() - 0.3, y], [1.1, 0.8, 0.8, 1.5], turned);
            }
            match lot % 3 {
                0 => put(1, [x, side * 6.2], [0.1, 0.1, 0.0, 6.0], 0.0),
                1 => {
                    put(1, [x, side * 7.5], [0.2, 0.2, 0.0, 3.5], 0.0);
                    put(CROWN, [x, side * 7.5], [1.8, 1.8, 2.8, 6.5], 0.0);
                }
                _ => {
                    let y = side * (6.5 + 3.5 * random.f32());
                    put(1, [x + 4.0 * random.f32(), y], [0.25, 0.25, 0.0, 1.75], 0.0);
                }
            }
        }
    }
    things
}
