//! The twelve workloads: what they are given, which dispatches one iteration of them is, and which elements a chunk of
//! each kernel touches.
//!
//! Nine are those of the `lanes` bench, kernel and data; what they come to is the affair of `reference`.

use super::lanes::workloads::{self as lanes, Bound, Pass, bits, one, unit};
use super::reference;
use divvy::Kernel;

use Bound::{Buffer, Value};

const LANES_ENTRY: &str = "main";
const BLUR: &str = include_str!("blur.wgsl");
const BLUR_RADIUS: usize = 30;

/// How large the workloads are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As little as compiles everything there is to compile.
    Tiny,
    /// For a continuous integration.
    Small,
    /// Small enough for the cores to do the work of all virtual devices in a part of the scripted time.
    Scripted,
    /// For processors that take the time they take.
    Real,
}

/// A workload, as data: who runs it decides how.
pub struct Workload {
    pub name: &'static str,
    pub kernels: Vec<Kernel>,
    /// Words of a buffer's elements, and what it begins with.
    pub buffers: Vec<(usize, Vec<u32>)>,
    pub values: Vec<Vec<u32>>,
    /// Iterations take the turns one after the other, and from the first again.
    pub turns: Vec<Turn>,
    /// Whether the answer is floats.
    pub is_float: bool,
    pub shape: Shape,
}

/// The dispatches of an iteration, and where it leaves the answer.
pub struct Turn {
    pub passes: Vec<Pass>,
    pub answer: usize,
}

/// What the reference is told of the size.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub width: usize,
    pub height: usize,
}

/// The names of all, in the order of the table.
pub const NAMES: [&str; 12] = [
    "saxpy",
    "matmul",
    "blur",
    "binomial",
    "n-body",
    "mandelbrot",
    "ray",
    "heat",
    "gray-scott",
    "life",
    "reduction",
    "histogram",
];

impl Workload {
    /// The workload of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn new(name: &str, size: Size) -> Self {
        let of = |tiny: usize, small: usize, scripted: usize, real: usize| match size {
            Size::Tiny => tiny,
            Size::Small => small,
            Size::Scripted => scripted,
            Size::Real => real,
        };
        // Rows are as long when tiny as when large, for short ones are another program. Scripted images are narrow and
        // tall: of chunks that begin at workgroups, the slowest of three devices has six to twelve then.
        let image = |scripted: [usize; 2], real: [usize; 2]| {
            let of = |i: usize, tiny, small| of(tiny, small, scripted[i], real[i]);
            [of(0, scripted[0], scripted[0]), of(1, 16, scripted[1] / 4)]
        };
        match name {
            "saxpy" => from_lanes(
                lanes::saxpy(of(1 << 12, 1 << 18, 1 << 19, 1 << 24)),
                "saxpy",
            ),
            "matmul" => from_lanes(lanes::matmul(image([256, 2048], [512; 2])), "matmul"),
            "blur" => blur(image([64, 2048], [1024; 2])),
            "binomial" => binomial(of(4, 16, 64, 1024)),
            "n-body" => bodies(of(64, 1024, 4096, 8192)),
            "mandelbrot" => from_lanes(
                lanes::mandelbrot(image([64, 2048], [1024; 2])),
                "mandelbrot",
            ),
            "ray" => ray(image([32, 2048], [1024; 2])),
            "heat" => from_lanes(lanes::heat(image([64, 4096], [2048; 2])), "heat"),
            "gray-scott" => from_lanes(
                lanes::gray_scott(image([64, 4096], [1024; 2])),
                "gray-scott",
            ),
            "life" => from_lanes(lanes::life(image([64, 4096], [2048; 2])), "life"),
            "reduction" => row_sums(of(2, 64, 512, 4096)),
            "histogram" => from_lanes(
                lanes::histogram(of(1 << 12, 1 << 18, 1 << 21, 1 << 24)),
                "histogram",
            ),
            _ => panic!("there is no workload {name}"),
        }
    }

    /// The workload of this name with so many invocations, a power of four; none where that would be too many.
    pub fn of_size(name: &str, invocations: usize) -> Option<Self> {
        let side = invocations.isqrt();
        Some(match name {
            "saxpy" => from_lanes(lanes::saxpy(invocations), "saxpy"),
            "heat" => from_lanes(lanes::heat([side; 2]), "heat"),
            "gray-scott" => from_lanes(lanes::gray_scott([side; 2]), "gray-scott"),
            "life" => from_lanes(lanes::life([side; 2]), "life"),
            "blur" if side <= 2048 => blur([side; 2]),
            "ray" if side <= 1024 => ray([side; 2]),
            "mandelbrot" if side <= 2048 => from_lanes(lanes::mandelbrot([side; 2]), "mandelbrot"),
            "matmul" if side <= 1024 => from_lanes(lanes::matmul([side; 2]), "matmul"),
            "n-body" if invocations <= 1 << 14 => bodies(invocations),
            "binomial" if invocations <= 1 << 18 => binomial(invocations / 256),
            "reduction" if invocations <= 1 << 20 => row_sums(invocations / 256),
            "histogram" if invocations <= 1 << 20 => {
                from_lanes(lanes::histogram(16 * invocations), "histogram")
            }
            _ => return None,
        })
    }

    /// Those of the longest dispatch.
    pub fn invocations(&self) -> usize {
        let passes = self.turns[0].passes.iter();
        let of = |pass: &Pass| pass.range.iter().product();
        passes.map(of).max().unwrap_or(0)
    }

    /// How many units of the slowest dimension a dispatch has.
    pub fn extent(&self) -> usize {
        let [x, y, _] = self.turns[0].passes[0].range;
        if y > 1 { y } else { x }
    }

    /// What the answer is after so many iterations.
    pub fn expected(&self, iterations: usize) -> Vec<f32> {
        reference::after(self, iterations)
    }

    /// Where the answer is after so many iterations.
    pub fn answer(&self, iterations: usize) -> usize {
        self.turns[(iterations - 1) % self.turns.len()].answer
    }
}

fn kernel(wgsl: &str, entry: &str) -> Kernel {
    let kernel = Kernel::from_wgsl(wgsl).and_then(|kernel| kernel.entry(entry));
    kernel.expect("it is valid")
}

/// The dispatches of another bench: two that go back and forth are two turns, more of them are the same again.
fn from_lanes(workload: lanes::Workload, name: &'static str) -> Workload {
    let kernel = |wgsl: &&str| kernel(wgsl, LANES_ENTRY);
    let is_alternating = workload.passes.len() > 1;
    let (at, is_float) = workload.answer;
    let [width, height, _] = workload.passes[0].range;
    let passes = workload.passes.into_iter().take(2).enumerate();
    let turn = |(i, pass): (usize, Pass)| Turn {
        passes: vec![pass],
        answer: if is_alternating { 1 - i } else { at },
    };
    Workload {
        name,
        kernels: workload.kernels.iter().map(kernel).collect(),
        buffers: workload.buffers,
        values: workload.values,
        turns: passes.map(turn).collect(),
        is_float,
        shape: Shape { width, height },
    }
}

fn blur([width, height]: [usize; 2]) -> Workload {
    let image: Vec<f32> = (0..width * height).map(unit).collect();
    let bell = |i: usize| (-0.5 * ((i as f32 - BLUR_RADIUS as f32) / 10.0).powi(2)).exp();
    let weights: Vec<f32> = (0..=2 * BLUR_RADIUS).map(bell).collect();
    let sum: f32 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|weight| weight / sum).collect();
    let pass = |kernel, from, to| {
        let bound = [
            ("p", Value(0)),
            ("weights", Buffer(0)),
            ("image", Buffer(from)),
            ("blurred", Buffer(to)),
        ];
        one(kernel, &bound, [width, height, 1])
    };
    Workload {
        name: "blur",
        kernels: ["rows", "columns"].map(|entry| kernel(BLUR, entry)).into(),
        buffers: vec![
            (1, bits(&weights)),
            (1, bits(&image)),
            (1, vec![0; width * height]),
        ],
        values: vec![vec![width as u32, height as u32]],
        turns: vec![Turn {
            passes: vec![pass(0, 1, 2), pass(1, 2, 1)],
            answer: 1,
        }],
        is_float: true,
        shape: Shape { width, height },
    }
}

fn binomial(options: usize) -> Workload {
    let option = |i: usize| {
        let more = |from: usize| unit(4 * i + from);
        [
            5.0 + 25.0 * more(0),
            1.0 + 99.0 * more(1),
            0.25 + 9.75 * more(2),
            0.0,
        ]
    };
    let given: Vec<f32> = (0..options).flat_map(option).collect();
    let bound = [
        ("p", Value(0)),
        ("options", Buffer(0)),
        ("price", Buffer(1)),
    ];
    Workload {
        name: "binomial",
        kernels: vec![kernel(include_str!("binomial.wgsl"), "main")],
        buffers: vec![(4, bits(&given)), (1, vec![0; options])],
        values: vec![bits(&[0.02, 0.3])],
        turns: vec![Turn {
            passes: vec![one(0, &bound, [256, options, 1])],
            answer: 1,
        }],
        is_float: true,
        shape: Shape {
            width: 256,
            height: options,
        },
    }
}

fn bodies(n: usize) -> Workload {
    let places: Vec<f32> = (0..n * 4)
        .map(|i| if i % 4 == 3 { 1.0 / n as f32 } else { unit(i) })
        .collect();
    let kick = [
        ("step", Value(0)),
        ("sources", Buffer(0)),
        ("here", Buffer(0)),
        ("velocity", Buffer(1)),
    ];
    let drift = [
        ("step", Value(0)),
        ("velocity", Buffer(1)),
        ("position", Buffer(0)),
    ];
    let wgsl = include_str!("../../shaders/galaxy.wgsl");
    Workload {
        name: "n-body",
        kernels: ["kick", "drift"].map(|entry| kernel(wgsl, entry)).into(),
        buffers: vec![(4, bits(&places)), (4, vec![0; n * 4])],
        values: vec![bits(&[1e-3, 0.05])],
        turns: vec![Turn {
            passes: vec![one(0, &kick, [n, 1, 1]), one(1, &drift, [n, 1, 1])],
            answer: 0,
        }],
        is_float: true,
        shape: Shape {
            width: n,
            height: 1,
        },
    }
}

fn ray([width, height]: [usize; 2]) -> Workload {
    let spheres = reference::spheres();
    let value = [width, height, spheres.len() / 8].map(|x| x as u32);
    let bound = [
        ("p", Value(0)),
        ("spheres", Buffer(0)),
        ("image", Buffer(1)),
    ];
    Workload {
        name: "ray",
        kernels: vec![kernel(include_str!("ray.wgsl"), "main")],
        buffers: vec![(8, bits(&spheres)), (4, vec![0; 4 * width * height])],
        values: vec![value.to_vec()],
        turns: vec![Turn {
            passes: vec![one(0, &bound, [width, height, 1])],
            answer: 1,
        }],
        is_float: true,
        shape: Shape { width, height },
    }
}

fn row_sums(rows: usize) -> Workload {
    let x: Vec<f32> = (0..rows * 4096).map(unit).collect();
    let bound = [("x", Buffer(0)), ("sums", Buffer(1))];
    Workload {
        name: "reduction",
        kernels: vec![kernel(include_str!("row_sums.wgsl"), "main")],
        buffers: vec![(1, bits(&x)), (1, vec![0; rows])],
        values: Vec::new(),
        turns: vec![Turn {
            passes: vec![one(0, &bound, [256, rows, 1])],
            answer: 1,
        }],
        is_float: true,
        shape: Shape {
            width: 4096,
            height: rows,
        },
    }
}
