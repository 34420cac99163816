//! What a laser scanner sees of a street, and a map of it: ground, and what stands in the way.

#[path = "../show/mod.rs"]
mod show;
mod street;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Colour, DUSK, Example, Outcome, Picture, grey, mix};
use street::{CROWN, EMPTY, Point, SIDE, one_after_another, street};

/// Cells that are drawn, across the street.
const ROWS: usize = 200;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Turn {
    scanner: [f32; 3],
    rays: u32,
    first: u32,
    seed: u32,
    padding: [u32; 2],
}

fn main() -> Outcome {
    let about = "A laser scanner drives through a street, and a map of what it sees is made.";
    let mut show = Example::new("lidar", about)
        .size(2048, 64..=1 << 20, "angles of a turn, with 64 rays each")
        .steps(16, "turns of the scanner")
        .seed(1)
        .draws(1.0) // devices round differently, so that a few points change their cells
        .open()?;
    let (runtime, steps) = (show.runtime.clone(), show.options.steps);
    let wgsl = Kernel::from_wgsl(include_str!("../../shaders/lidar.wgsl"))?;
    let kernel = |entry: &str| wgsl.clone().entry(entry);
    let (scan, gather, classify) = (kernel("scan")?, kernel("gather")?, kernel("classify")?);

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
    // The ground is as high as the lowest points around, but for what stands on it.
    let grid = [SIDE as u32, 0, (rays * steps) as u32];
    let (least, level) = (runtime.buffer::<i32>(cells)?, runtime.buffer::<i32>(cells)?);
    for (entry, before, after) in [("erode", &lowest, &least), ("dilate", &least, &level)] {
        let kernel = kernel(entry)?;
        let dispatch = runtime.dispatch(&kernel, [SIDE, SIDE]).value("grid", grid);
        show.submit(dispatch.bind("before", before).bind("after", after))?;
    }
    let heights = runtime.buffer_from(&vec![i32::MIN; cells])?;
    let tally = runtime.buffer::<u32>(2 * (street.len() + 2))?;
    let dispatch = runtime.dispatch(&classify, rays * steps);
    let dispatch = dispatch.value("grid", grid).bind("seen", &points);
    let dispatch = dispatch.bind("level", &level).bind("heights", &heights);
    show.submit(dispatch.bind("tally", &tally))?;
    show.wait()?;

    let (lowest, counts) = (runtime.read(&lowest)?, runtime.read(&counts)?);
    let (heights, tally) = (runtime.read(&heights)?, runtime.read(&tally)?);
    let total = counts.iter().sum::<u32>();
    show.number("points in the map", total);
    let is_same = (lowest, counts.clone()) == one_after_another(&runtime.read(&points)?);
    show.check("cells are those of one point after another", is_same);
    let is_each = tally.iter().sum::<u32>() == total;
    show.check("each point is ground or thing", is_each);
    // Of the points with a label, those that were taken for ground and the others.
    let taken = |label: usize| [tally[2 * label], tally[2 * label + 1]].map(f64::from);
    let labels = 2..street.len() + 2;
    let [right, lost] = taken(1);
    let wrong: f64 = labels.clone().map(|label| taken(label)[0]).sum();
    let wrong = wrong / (right + wrong);
    show.within("part of what is taken for ground that isn't", wrong, 0.06);
    let lost = lost / (right + lost);
    show.within("part of the ground that isn't taken for it", lost, 0.02);
    // Crowns of trees hang over what isn't seen from afar, so nothing says how high they are.
    let stands = |label: &usize| street[label - 2].shape != CROWN;
    let seen = labels.filter(stands).map(taken);
    let seen: Vec<_> = seen.filter(|[low, high]| low + high >= 200.0).collect();
    let found = seen.iter().filter(|[low, high]| high > low).count();
    show.number("things of which 200 points or more are seen", seen.len());
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
