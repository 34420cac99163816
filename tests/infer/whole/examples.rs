//! The kernels of the examples, at the sizes that the examples begin with.

use super::{ADD, ALL, ONE, Whole, bits};

pub(super) fn all() -> Vec<Whole> {
    [
        simple(),
        analytics(),
        climate(),
        fluid(),
        galaxy(),
        learn(),
        lidar(),
        payments(),
        quantum(),
    ]
    .concat()
}

/// Those with an entry point each.
fn simple() -> Vec<Whole> {
    let n = 1 << 20;
    let pixels = 640 * 360;
    let cells = 640 * 426;
    let dish = 400 * 300;
    let view = [960, 600, 4000, 4001, bits(3e-12)];
    vec![
        Whole::new("shaders/saxpy.wgsl", "saxpy", n)
            .value("a", &[bits(3.0)])
            .buffer("x", n, ONE)
            .buffer("y", n, ONE),
        Whole::new("shaders/native.wgsl", "medians", n)
            .buffer("noisy", n, "Neighborhood(3)")
            .buffer("smoothed", n, ONE),
        Whole::new("shaders/genome.wgsl", "align", 16_384)
            .buffer("reads", 16_384 * 8, ONE)
            .buffer("windows", 16_384 * 12, ONE)
            .buffer("best", 16_384, ONE),
        Whole::new("shaders/options.wgsl", "price", 64 * 64)
            .value("plan", &[128, 1])
            .buffer("options", 64, "Strided(64, 1, 0, 1)")
            .buffer("payoffs", 64, "Strided(64, 1, 0, 1)"),
        Whole::new("shaders/mandelbrot.wgsl", "mandelbrot", [640, 480])
            .value("view", &[640, 480, 512])
            .buffer("steps", 640 * 480, ONE),
        Whole::new("shaders/zoom.wgsl", "zoom", [960, 600])
            .value("view", &view)
            .buffer("orbit", 4001, ALL)
            .buffer("steps", 960 * 600, ONE)
            .buffer("smoothed", 960 * 600, ONE),
        Whole::new("shaders/ray.wgsl", "trace", [640, 360])
            .value("camera", &[640, 360, 0, 1, 60, 0])
            .buffer("spheres", 60, ALL)
            .buffer("light", pixels, ONE),
        Whole::new("shaders/heat.wgsl", "heat", [1024, 1024])
            .value("plate", &[1024, 1024, bits(0.2)])
            .buffer("old", n, "Neighborhood(1)")
            .buffer("next", n, ONE),
        Whole::new("shaders/life.wgsl", "live", [640, 426])
            .value("board", &[640, 426])
            .buffer("old", cells, "Wrapped(1)")
            .buffer("next", cells, ONE),
        Whole::new("shaders/reaction.wgsl", "react", [400, 300])
            .constant("FEED", 0.040)
            .constant("RANGE", 0.036)
            .constant("DECAY", 0.0605)
            .value("dish", &[400, 300])
            .buffer("u", dish, "Wrapped(1)")
            .buffer("v", dish, "Wrapped(1)")
            .buffer("u_next", dish, ONE)
            .buffer("v_next", dish, ONE),
    ]
}

/// Rows of a table, 64 an invocation, summed by the store.
fn analytics() -> Vec<Whole> {
    let (rows, stores) = (1 << 24, 512);
    vec![
        Whole::new("shaders/analytics.wgsl", "aggregate", rows / 64)
            .buffer("stores", rows, "Strided(256, 16384, 0, 16384)")
            .buffer("cents", rows, "Strided(256, 16384, 0, 16384)")
            .buffer("totals", 3 * stores, ADD)
            .buffer("least", stores, "Accumulate(Min)")
            .buffer("most", stores, "Accumulate(Max)"),
    ]
}

fn climate() -> Vec<Whole> {
    let (width, height, side) = (288, 108, 640);
    let state = 3 * width * height;
    let floats = [10_158.0, 75.0, 139_000.0, 61_777.0, 3e4, 0.2618, 0.009_696].map(bits);
    let world = [&[width as u32, height as u32][..], &floats, &[side as u32]].concat();
    vec![
        Whole::new("shaders/climate.wgsl", "stage", [width, height])
            .value("world", &world)
            .buffer("latitudes", height, "Neighborhood(1)")
            .buffer("now", state, "Neighborhood(1)")
            .buffer("base", state, ONE)
            .buffer("next", state, ONE),
        Whole::new("shaders/climate.wgsl", "look", [side, side])
            .value("world", &world)
            .buffer("latitudes", height, ALL)
            .buffer("now", state, ALL)
            .buffer("seen", side * side, ONE),
    ]
}

fn fluid() -> Vec<Whole> {
    let (file, width, height) = ("shaders/fluid.wgsl", 360, 82);
    let cells = width * height;
    let floats = [20.0, 0.08, 1.824_817, 0.226_415].map(bits);
    let channel = [&[width as u32, height as u32][..], &floats].concat();
    vec![
        Whole::new(file, "begin", [width, height])
            .value("channel", &channel)
            .buffer("next", 9 * cells, ONE),
        Whole::new(file, "stream_and_collide", [width, height])
            .value("channel", &channel)
            .buffer("old", 9 * cells, "Neighborhood(1)")
            .buffer("next", 9 * cells, ONE)
            .buffer("gained", 2 * height, ONE),
        Whole::new(file, "push_cylinder", height)
            .value("channel", &channel)
            .buffer("old", 9 * cells, ONE)
            .buffer("push", height, ONE),
        Whole::new(file, "turning", [width, height])
            .value("channel", &channel)
            .buffer("old", 9 * cells, "Neighborhood(1)")
            .buffer("turn", cells, ONE),
    ]
}

fn galaxy() -> Vec<Whole> {
    let bodies = 6000;
    let step = [1e-3, 0.05].map(bits);
    vec![
        Whole::new("shaders/galaxy.wgsl", "kick", bodies)
            .value("step", &step)
            .buffer("sources", bodies, ALL)
            .buffer("here", bodies, ONE)
            .buffer("velocity", bodies, ONE),
        Whole::new("shaders/galaxy.wgsl", "drift", bodies)
            .value("step", &step)
            .buffer("velocity", bodies, ONE)
            .buffer("position", bodies, ONE),
    ]
}

/// Samples, of each of which 132 numbers are kept, and 37 rows of 32 weights.
fn learn() -> Vec<Whole> {
    let (file, samples, weights) = ("shaders/learn.wgsl", 1024, 37 * 32);
    vec![
        Whole::new(file, "propagate", samples)
            .buffer("samples", samples, ONE)
            .buffer("weights", weights, ALL)
            .buffer("kept", 132 * samples, ONE),
        Whole::new(file, "judge", 480 * 480)
            .buffer("samples", 480 * 480, ONE)
            .buffer("weights", weights, ALL)
            .buffer("chances", 480 * 480, ONE),
        Whole::new(file, "learn", [32, 8 * 37])
            .value("step", &[0.02, 0.1, 0.001].map(bits))
            .buffer("passed", 132 * samples, ALL)
            .buffer("moved", weights, "Strided(8, 32, 0, 32)")
            .buffer("means", weights, "Strided(8, 32, 0, 32)"),
    ]
}

/// The third of 16 turns of the scanner, and the map.
fn lidar() -> Vec<Whole> {
    let (file, rays, side, things) = ("shaders/lidar.wgsl", 64 * 2048, 512, 60);
    let (points, cells) = (16 * rays, side * side);
    let first = 2 * rays as u32;
    let scanner = [-17.1875, -1.6, 1.375].map(bits);
    let turn = [&scanner[..], &[rays as u32, first, 1, 0, 0]].concat();
    let grid = [side as u32, 0, points as u32];
    vec![
        Whole::new(file, "scan", rays)
            .value("turn", &turn)
            .buffer("things", things, ALL)
            .buffer("points", points, "Strided(64, 64, 262144, 262208)"),
        Whole::new(file, "gather", rays)
            .value("grid", &[side as u32, first, rays as u32])
            .buffer("seen", points, "Strided(64, 64, 262144, 262208)")
            .buffer("lowest", cells, "Accumulate(Min)")
            .buffer("counts", cells, ADD),
        Whole::new(file, "erode", [side, side])
            .value("grid", &grid)
            .buffer("before", cells, "Neighborhood(7)")
            .buffer("after", cells, ONE),
        Whole::new(file, "dilate", [side, side])
            .value("grid", &grid)
            .buffer("before", cells, "Neighborhood(7)")
            .buffer("after", cells, ONE),
        Whole::new(file, "classify", points)
            .value("grid", &grid)
            .buffer("seen", points, ONE)
            .buffer("level", cells, ALL)
            .buffer("heights", cells, "Accumulate(Max)")
            .buffer("tally", 2 * (things + 2), ADD),
    ]
}

fn payments() -> Vec<Whole> {
    let (file, size) = ("shaders/payments.wgsl", 1 << 21);
    let accounts = size / 64;
    vec![
        Whole::new(file, "demand", size)
            .buffer("payments", size, ONE)
            .buffer("outgoing", 16 * accounts, ADD),
        Whole::new(file, "net", size)
            .buffer("payments", size, ONE)
            .buffer("limits", accounts, ALL)
            .buffer("incoming", accounts, ADD),
        Whole::new(file, "afford", accounts)
            .buffer("asked", 16 * accounts, ONE)
            .buffer("received", accounts, ONE)
            .buffer("limit", accounts, ONE)
            .buffer("balances", accounts, ONE)
            .buffer("lowered", 1, ADD),
        Whole::new(file, "settle", accounts)
            .buffer("asked", 16 * accounts, ONE)
            .buffer("received", accounts, ONE)
            .buffer("limit", accounts, ONE)
            .buffer("balances", accounts, ONE),
    ]
}

/// The first, a middle and the last of 22 qubits.
fn quantum() -> Vec<Whole> {
    let (file, states) = ("shaders/quantum.wgsl", 1 << 22);
    let hadamard = |qubit: u32, old| {
        Whole::new(file, "hadamard", states)
            .value("gate", &[1 << qubit, 0, 0, 0])
            .buffer("old", states, old)
            .buffer("next", states, ONE)
    };
    vec![
        hadamard(0, "Strided(256, 256, 0, 256)"),
        hadamard(12, "Strided(8192, 8192, 0, 8192)"),
        hadamard(21, ALL),
        Whole::new(file, "mirror", states)
            .value("gate", &[10, 0, 0, 0])
            .buffer("old", states, ALL)
            .buffer("next", states, ONE),
        Whole::new(file, "turn", states)
            .value("gate", &[1 << 12, 1 << 3, 0, 0])
            .buffer("state", states, ONE),
        Whole::new(file, "observe", states)
            .value("power", &[2, 1819, 16, bits(1.0)])
            .buffer("state", states, ONE),
        Whole::new(file, "weigh", states)
            .buffer("old", states, ONE)
            .buffer("sums", states / 256, "Strided(256, 1, 0, 1)"),
    ]
}
