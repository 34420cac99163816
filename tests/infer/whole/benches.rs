//! The kernels of the benches and of the command line.

use super::{ADD, ALL, ONE, Whole, bits};

pub(super) fn all() -> Vec<Whole> {
    [lanes(), shared(), coexecution(), command_line()].concat()
}

/// Those of the bench of the lanes in which each invocation is on its own.
fn lanes() -> Vec<Whole> {
    let (n, side, cells) = (5000, 100, 100 * 80);
    let plate = [100, 80, bits(0.2)];
    let rates = [0.16, 0.08, 0.035, 0.065].map(bits);
    vec![
        Whole::new("benches/lanes/black_scholes.wgsl", "main", n)
            .value("p", &[n as u32, bits(0.02), bits(0.3)])
            .buffer("s", n, ONE)
            .buffer("x", n, ONE)
            .buffer("t", n, ONE)
            .buffer("call", n, ONE)
            .buffer("put", n, ONE),
        Whole::new("benches/lanes/gray_scott.wgsl", "main", [100, 80])
            .value("p", &[&[100, 80][..], &rates].concat())
            .buffer("a", cells, "Wrapped(1)")
            .buffer("b", cells, ONE),
        Whole::new("benches/lanes/heat2d.wgsl", "main", [100, 80])
            .value("p", &plate)
            .buffer("u", cells, "Neighborhood(1)")
            .buffer("v", cells, ONE),
        Whole::new("benches/lanes/life.wgsl", "main", [100, 80])
            .value("p", &[100, 80])
            .buffer("a", cells, "Wrapped(1)")
            .buffer("b", cells, ONE),
        Whole::new("benches/lanes/mandelbrot.wgsl", "main", [100, 80])
            .value("p", &[100, 80, 512])
            .buffer("counts", cells, ONE),
        Whole::new("benches/lanes/matmul_naive.wgsl", "main", [side, 2 * side])
            .value("p", &[side as u32, 2 * side as u32])
            .buffer("a", 2 * side * side, ONE)
            .buffer("b", side * side, ALL)
            .buffer("c", 2 * side * side, ONE),
        Whole::new("benches/lanes/monte_carlo.wgsl", "main", n)
            .value("p", &[n as u32, 256, bits(1e-4), bits(0.0125)])
            .buffer("payoff", n, ONE),
        Whole::new("benches/lanes/nbody.wgsl", "main", n)
            .value("p", &[n as u32])
            .buffer("pos", n, ALL)
            .buffer("acc", n, ONE),
        Whole::new("benches/lanes/saxpy.wgsl", "main", n)
            .value("p", &[n as u32, bits(1.5)])
            .buffer("x", n, ONE)
            .buffer("y", n, ONE),
    ]
}

/// Those in which the invocations of a workgroup share memory.
fn shared() -> Vec<Whole> {
    // The last workgroup is short of elements.
    let (n, blocks, tiled) = (100_000, 25, 128);
    vec![
        Whole::new("benches/lanes/histogram.wgsl", "main", 256 * blocks)
            .value("p", &[n as u32])
            .buffer("x", n, "Strided(256, 4096, 0, 4096)")
            .buffer("bins", 256, ADD),
        Whole::new("benches/lanes/matmul_tiled.wgsl", "main", [tiled, tiled])
            .value("p", &[tiled as u32])
            .buffer("a", tiled * tiled, ONE)
            .buffer("b", tiled * tiled, ALL)
            .buffer("c", tiled * tiled, ONE),
        Whole::new("benches/lanes/reduce.wgsl", "main", 256 * blocks)
            .value("p", &[n as u32])
            .buffer("x", n, "Strided(256, 4096, 0, 4096)")
            .buffer("partial", blocks, "Strided(256, 1, 0, 1)"),
        Whole::new("benches/lanes/scan.wgsl", "main", 10_000)
            .value("p", &[10_000])
            .buffer("x", 10_000, ONE)
            .buffer("y", 10_000, ONE)
            .buffer("sums", 40, "Strided(256, 1, 0, 1)"),
        Whole::new("benches/lanes/scan_add.wgsl", "main", 10_000)
            .value("p", &[10_000])
            .buffer("sums", 40, "Strided(256, 1, -1, 0)")
            .buffer("y", 10_000, ONE),
    ]
}

/// Those that only the bench of co-execution has.
fn coexecution() -> Vec<Whole> {
    let (width, height, rows) = (128, 256, 64);
    let pixels = width * height;
    let blur = |entry, image| {
        Whole::new("benches/coexecution/blur.wgsl", entry, [width, height])
            .value("p", &[width as u32, height as u32])
            .buffer("weights", 61, ALL)
            .buffer("image", pixels, image)
            .buffer("blurred", pixels, ONE)
    };
    vec![
        Whole::new("benches/coexecution/binomial.wgsl", "main", [256, 1024])
            .value("p", &[0.02, 0.3].map(bits))
            .buffer("options", 1024, ONE)
            .buffer("price", 1024, ONE),
        blur("rows", ONE),
        blur("columns", "Neighborhood(30)"),
        Whole::new("benches/coexecution/ray.wgsl", "main", [width, height])
            .value("p", &[width as u32, height as u32, 32])
            .buffer("spheres", 32, ALL)
            .buffer("image", pixels, ONE),
        Whole::new("benches/coexecution/row_sums.wgsl", "main", [256, rows])
            .buffer("x", 4096 * rows, ONE)
            .buffer("sums", rows, ONE),
    ]
}

fn command_line() -> Vec<Whole> {
    let (n, bodies) = (256, 4096);
    let triad =
        |entry| Whole::new("cli/kernels/triad.wgsl", entry, 1 << 20).value("s", &[bits(3.0)]);
    vec![
        Whole::new("cli/kernels/matmul.wgsl", "matmul", [n, n])
            .value("n", &[n as u32])
            .buffer("a", n * n, ONE)
            .buffer("b", n * n, ALL)
            .buffer("c", n * n, ONE),
        Whole::new("cli/kernels/nbody.wgsl", "nbody", bodies)
            .value("softening", &[bits(1e-3)])
            .buffer("bodies", bodies, ALL)
            .buffer("pulls", bodies, ONE),
        triad("fill")
            .buffer("b", 1 << 20, ONE)
            .buffer("c", 1 << 20, ONE),
        triad("triad")
            .buffer("a", 1 << 20, ONE)
            .buffer("b", 1 << 20, ONE)
            .buffer("c", 1 << 20, ONE),
    ]
}
