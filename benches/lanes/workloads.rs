//! The thirteen workloads: what they are given, and which dispatches one run of them is.

/// What a kernel is bound to.
#[derive(Clone, Copy)]
pub enum Bound {
    /// One of the workload's buffers.
    Buffer(usize),
    /// The workload's uniform value of this number.
    Value(usize),
}

use Bound::{Buffer, Value};

/// One dispatch of a run.
pub struct Pass {
    pub kernel: usize,
    /// By binding number, with the names that WGSL has for them.
    pub bound: Vec<(&'static str, Bound)>,
    /// Invocations.
    pub range: [usize; 3],
}

/// A workload, as data: who runs it decides how.
pub struct Workload {
    pub name: &'static str,
    /// Its name and its size, for readers.
    pub title: String,
    pub kernels: Vec<&'static str>,
    /// Words of a buffer's elements, and what it begins with.
    pub buffers: Vec<(usize, Vec<u32>)>,
    pub values: Vec<Vec<u32>>,
    pub passes: Vec<Pass>,
    /// A buffer that is zeroed before each run.
    pub cleared: Option<usize>,
    /// Where the answer is, and whether it is floats.
    pub answer: (usize, bool),
    /// Bytes that a run has to move at least, if that is what bounds it.
    pub bytes: Option<usize>,
    /// Whether invocations share memory and wait for each other.
    pub is_shared: bool,
}

pub fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|x| x.to_bits()).collect()
}

/// What PCG-RXS-M-XS-32 makes of its state (O'Neill, "PCG: a family of simple fast space-efficient statistically good
/// algorithms for random number generation", 2014).
pub fn mixed(state: u32) -> u32 {
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (word >> 22) ^ word
}

/// Numbers that look random and are the same each time.
pub fn noise(i: usize) -> u32 {
    mixed(
        (i as u32)
            .wrapping_mul(747_796_405)
            .wrapping_add(2_891_336_453),
    )
}

pub fn unit(i: usize) -> f32 {
    (noise(i) >> 8) as f32 / (1 << 24) as f32
}

pub fn one(kernel: usize, bound: &[(&'static str, Bound)], range: [usize; 3]) -> Pass {
    Pass {
        kernel,
        bound: bound.to_vec(),
        range,
    }
}

/// Steps of those that go from one buffer to the other and back.
const STEPS: usize = 20;

fn steps([width, height]: [usize; 2], names: [&'static str; 2]) -> Vec<Pass> {
    (0..STEPS)
        .map(|i| {
            let (from, to) = (i % 2, 1 - i % 2);
            let bound = [
                ("p", Value(0)),
                (names[0], Buffer(from)),
                (names[1], Buffer(to)),
            ];
            one(0, &bound, [width, height, 1])
        })
        .collect()
}

fn stepped(name: &str, [width, height]: [usize; 2]) -> String {
    format!("{name} {width}x{height}, {STEPS} steps")
}

/// A power of two as one.
fn power(n: usize) -> String {
    format!("2^{}", n.ilog2())
}

impl Workload {
    fn new(name: &'static str, wgsl: &'static str, title: String) -> Self {
        Self {
            name,
            title,
            kernels: vec![wgsl],
            buffers: Vec::new(),
            values: Vec::new(),
            passes: Vec::new(),
            cleared: None,
            answer: (0, true),
            bytes: None,
            is_shared: false,
        }
    }

    /// With the matrices of a product: so many rows of `n`, and `n` times `n`.
    fn with_matrices(self, n: usize, rows: usize) -> Self {
        let matrix = |first: usize, elements: usize| {
            let numbers = (first..first + elements).map(|i| unit(i) - 0.5);
            (1, bits(&numbers.collect::<Vec<_>>()))
        };
        let bound = [
            ("p", Value(0)),
            ("a", Buffer(0)),
            ("b", Buffer(1)),
            ("c", Buffer(2)),
        ];
        Self {
            buffers: vec![
                matrix(0, rows * n),
                matrix(rows * n, n * n),
                (1, vec![0; rows * n]),
            ],
            passes: vec![one(0, &bound, [n, rows, 1])],
            answer: (2, true),
            ..self
        }
    }
}

/// All of them, at the sizes that their results are stated for, or much smaller.
pub fn all(is_small: bool) -> Vec<Workload> {
    let size = |large: usize, small: usize| if is_small { small } else { large };
    vec![
        saxpy(size(1 << 24, 1 << 14)),
        mandelbrot([size(2048, 64), size(1024, 32)]),
        bodies(size(16_384, 512)),
        heat([size(4096, 64); 2]),
        matmul([size(1024, 64); 2]),
        tiled_matmul(size(1024, 64)),
        reduce(size(1 << 24, 1 << 14)),
        black_scholes(size(1 << 22, 1 << 12)),
        histogram(size(1 << 24, 1 << 14)),
        gray_scott([size(2048, 64); 2]),
        life([size(4096, 64); 2]),
        scan(size(1 << 22, 1 << 16)),
        monte_carlo(size(1 << 16, 1 << 8), 256),
    ]
}

pub fn saxpy(n: usize) -> Workload {
    let x = (0..n).map(unit).collect::<Vec<_>>();
    Workload {
        values: vec![vec![n as u32, 1.5_f32.to_bits()]],
        buffers: vec![(1, bits(&x)), (1, bits(&vec![1.0; n]))],
        passes: vec![one(
            0,
            &[("p", Value(0)), ("x", Buffer(0)), ("y", Buffer(1))],
            [n, 1, 1],
        )],
        answer: (1, true),
        bytes: Some(12 * n),
        ..Workload::new(
            "saxpy",
            include_str!("saxpy.wgsl"),
            format!("saxpy, {}", power(n)),
        )
    }
}

pub fn mandelbrot([width, height]: [usize; 2]) -> Workload {
    const ROUNDS: u32 = 512;
    Workload {
        values: vec![vec![width as u32, height as u32, ROUNDS]],
        buffers: vec![(1, vec![0; width * height])],
        passes: vec![one(
            0,
            &[("p", Value(0)), ("counts", Buffer(0))],
            [width, height, 1],
        )],
        answer: (0, false),
        ..Workload::new(
            "mandelbrot",
            include_str!("mandelbrot.wgsl"),
            format!("Mandelbrot {width}x{height}, {ROUNDS} steps"),
        )
    }
}

fn bodies(n: usize) -> Workload {
    let places: Vec<f32> = (0..n * 4)
        .map(|i| if i % 4 == 3 { 1.0 / n as f32 } else { unit(i) })
        .collect();
    Workload {
        values: vec![vec![n as u32]],
        buffers: vec![(4, bits(&places)), (4, vec![0; n * 4])],
        passes: vec![one(
            0,
            &[("p", Value(0)), ("pos", Buffer(0)), ("acc", Buffer(1))],
            [n, 1, 1],
        )],
        answer: (1, true),
        ..Workload::new(
            "n-body",
            include_str!("nbody.wgsl"),
            format!("n-body, {n} bodies"),
        )
    }
}

pub fn heat(size: [usize; 2]) -> Workload {
    let [width, height] = size;
    let warmth: Vec<f32> = (0..width * height).map(unit).collect();
    Workload {
        values: vec![vec![width as u32, height as u32, 0.2_f32.to_bits()]],
        buffers: vec![(1, bits(&warmth)), (1, vec![0; width * height])],
        passes: steps(size, ["u", "v"]),
        bytes: Some(STEPS * 8 * width * height),
        ..Workload::new("heat", include_str!("heat2d.wgsl"), stepped("heat", size))
    }
}

/// So many rows times a square matrix.
pub fn matmul([n, rows]: [usize; 2]) -> Workload {
    Workload {
        values: vec![vec![n as u32, rows as u32]],
        ..Workload::new(
            "matmul, naive",
            include_str!("matmul_naive.wgsl"),
            format!("matrix product {rows}x{n}, naive"),
        )
    }
    .with_matrices(n, rows)
}

fn tiled_matmul(n: usize) -> Workload {
    Workload {
        values: vec![vec![n as u32]],
        is_shared: true,
        ..Workload::new(
            "matmul, tiled",
            include_str!("matmul_tiled.wgsl"),
            format!("matrix product {n}x{n}, tiled"),
        )
    }
    .with_matrices(n, n)
}

fn reduce(n: usize) -> Workload {
    let x: Vec<f32> = (0..n).map(unit).collect();
    Workload {
        values: vec![vec![n as u32]],
        buffers: vec![(1, bits(&x)), (1, vec![0; n / 4096])],
        passes: vec![one(
            0,
            &[("p", Value(0)), ("x", Buffer(0)), ("partial", Buffer(1))],
            [n / 16, 1, 1],
        )],
        answer: (1, true),
        bytes: Some(4 * n),
        is_shared: true,
        ..Workload::new(
            "reduce",
            include_str!("reduce.wgsl"),
            format!("reduction, {}", power(n)),
        )
    }
}

fn black_scholes(n: usize) -> Workload {
    let column = |first: f32, more: f32, from: usize| {
        let numbers: Vec<f32> = (0..n).map(|i| first + more * unit(from + i)).collect();
        (1, bits(&numbers))
    };
    let bound = [
        ("p", Value(0)),
        ("s", Buffer(0)),
        ("x", Buffer(1)),
        ("t", Buffer(2)),
        ("call", Buffer(3)),
        ("put", Buffer(4)),
    ];
    Workload {
        values: vec![vec![n as u32, 0.02_f32.to_bits(), 0.3_f32.to_bits()]],
        buffers: vec![
            column(5.0, 25.0, 0),
            column(1.0, 99.0, n),
            column(0.25, 9.75, 2 * n),
            (1, vec![0; n]),
            (1, vec![0; n]),
        ],
        passes: vec![one(0, &bound, [n, 1, 1])],
        answer: (3, true),
        ..Workload::new(
            "black-scholes",
            include_str!("black_scholes.wgsl"),
            format!("Black-Scholes, {} options", power(n)),
        )
    }
}

pub fn histogram(n: usize) -> Workload {
    Workload {
        values: vec![vec![n as u32]],
        buffers: vec![(1, (0..n).map(noise).collect()), (1, vec![0; 256])],
        passes: vec![one(
            0,
            &[("p", Value(0)), ("x", Buffer(0)), ("bins", Buffer(1))],
            [n / 16, 1, 1],
        )],
        cleared: Some(1),
        answer: (1, false),
        bytes: Some(4 * n),
        is_shared: true,
        ..Workload::new(
            "histogram",
            include_str!("histogram.wgsl"),
            format!("histogram, {}", power(n)),
        )
    }
}

pub fn gray_scott(size: [usize; 2]) -> Workload {
    let [width, height] = size;
    let middle = |i: usize, of: usize| i.abs_diff(of / 2) < of / 8;
    let start: Vec<f32> = (0..width * height)
        .flat_map(|i| {
            if middle(i % width, width) && middle(i / width, height) {
                [0.5 + 0.1 * unit(i), 0.25]
            } else {
                [1.0, 0.0]
            }
        })
        .collect();
    let rates = bits(&[0.16, 0.08, 0.035, 0.065]);
    Workload {
        values: vec![[size.map(|n| n as u32).to_vec(), rates].concat()],
        buffers: vec![(2, bits(&start)), (2, vec![0; 2 * width * height])],
        passes: steps(size, ["a", "b"]),
        ..Workload::new(
            "gray-scott",
            include_str!("gray_scott.wgsl"),
            stepped("Gray-Scott", size),
        )
    }
}

pub fn life(size: [usize; 2]) -> Workload {
    let [width, height] = size;
    let cells = (0..width * height).map(|i| noise(i) & 1).collect();
    Workload {
        values: vec![size.map(|n| n as u32).to_vec()],
        buffers: vec![(1, cells), (1, vec![0; width * height])],
        passes: steps(size, ["a", "b"]),
        answer: (0, false),
        ..Workload::new("life", include_str!("life.wgsl"), stepped("life", size))
    }
}

fn scan(n: usize) -> Workload {
    let (first, second) = (n / 256, n / 65_536);
    let (all, sums) = (n as u32, first as u32);
    Workload {
        kernels: vec![include_str!("scan.wgsl"), include_str!("scan_add.wgsl")],
        values: vec![vec![all], vec![sums], vec![second as u32]],
        buffers: vec![
            (1, (0..n).map(|i| noise(i) & 255).collect()),
            (1, vec![0; n]),
            (1, vec![0; first]),
            (1, vec![0; first]),
            (1, vec![0; second]),
            (1, vec![0; second]),
            (1, vec![0; 1]),
        ],
        // Blocks of 256, their sums, the sums of those; then back: each block gets what all before it came to.
        passes: vec![
            one(
                0,
                &[
                    ("p", Value(0)),
                    ("x", Buffer(0)),
                    ("y", Buffer(1)),
                    ("sums", Buffer(2)),
                ],
                [n, 1, 1],
            ),
            one(
                0,
                &[
                    ("p", Value(1)),
                    ("x", Buffer(2)),
                    ("y", Buffer(3)),
                    ("sums", Buffer(4)),
                ],
                [first, 1, 1],
            ),
            one(
                0,
                &[
                    ("p", Value(2)),
                    ("x", Buffer(4)),
                    ("y", Buffer(5)),
                    ("sums", Buffer(6)),
                ],
                [second, 1, 1],
            ),
            one(
                1,
                &[("p", Value(1)), ("sums", Buffer(5)), ("y", Buffer(3))],
                [first, 1, 1],
            ),
            one(
                1,
                &[("p", Value(0)), ("sums", Buffer(3)), ("y", Buffer(1))],
                [n, 1, 1],
            ),
        ],
        answer: (1, false),
        is_shared: true,
        ..Workload::new(
            "scan",
            include_str!("scan.wgsl"),
            format!("scan, {}", power(n)),
        )
    }
}

fn monte_carlo(n: usize, steps: usize) -> Workload {
    // A year in so many steps, at an interest of 5 % and a volatility of 20 %.
    let years = 1.0 / steps as f32;
    let (drift, vol) = ((0.05 - 0.5 * 0.2 * 0.2) * years, 0.2 * years.sqrt());
    let value = vec![n as u32, steps as u32, drift.to_bits(), vol.to_bits()];
    Workload {
        values: vec![value],
        buffers: vec![(1, vec![0; n])],
        passes: vec![one(0, &[("p", Value(0)), ("payoff", Buffer(0))], [n, 1, 1])],
        ..Workload::new(
            "monte-carlo",
            include_str!("monte_carlo.wgsl"),
            format!("Monte Carlo, {} x {steps} steps", power(n)),
        )
    }
}
