//! Whole dispatches, data resident: each device alone, all together, and what a user would write by hand instead.
//!
//! `LP_NUM_THREADS=1 RAYON_NUM_THREADS=1` gives a software GPU and the CPU a core each. Ends with a table of medians; words
//! behind `--` pick the rows that have all of them in their names, and `--json FILE` writes the figures.

#[path = "../record/mod.rs"]
mod record;
mod table;
#[path = "../workload/mod.rs"]
mod workload;

use bytemuck::{Pod, Zeroable};
use divvy::device::gpu::find_gpus;
use divvy::{Kernel, Policy, Runtime};
use rayon::prelude::*;
use record::{Asked, Record, is_wanted};
use std::error::Error;
use table::Row;
use workload::raw::Raw;
use workload::{Candidate, Times, Turn};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct View {
    width: u32,
    height: u32,
    limit: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Plate {
    width: u32,
    height: u32,
    flow: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Step {
    seconds: f32,
    softening: f32,
}

const SAXPY: &str = include_str!("../../shaders/saxpy.wgsl");
const MANDELBROT: &str = include_str!("../../shaders/mandelbrot.wgsl");
const HEAT: &str = include_str!("../../shaders/heat.wgsl");
const GALAXY: &str = include_str!("../../shaders/galaxy.wgsl");

fn escape(x: usize, y: usize, view: View) -> u32 {
    let (cx, cy) = (
        x as f32 / view.width as f32 * 3.0 - 2.0,
        y as f32 / view.height as f32 * 2.0 - 1.0,
    );
    let (mut zx, mut zy, mut n) = (0.0_f32, 0.0_f32, 0);
    while n < view.limit && zx * zx + zy * zy <= 4.0 {
        (zx, zy) = (zx * zx - zy * zy + cx, 2.0 * zx * zy + cy);
        n += 1;
    }
    n
}

fn heat_row(old: &[f32], above: usize, y: usize, next: &mut [f32], plate: Plate) {
    let (width, height) = (plate.width as usize, plate.height as usize);
    let row = |y: usize| &old[(y - above) * width..][..width];
    next.copy_from_slice(row(y));
    if y == 0 || y == height - 1 {
        return;
    }
    let (up, here, down) = (row(y - 1), row(y), row(y + 1));
    for x in 1..width - 1 {
        let around = here[x - 1] + here[x + 1] + up[x] + down[x];
        next[x] = here[x] + plate.flow * (around - 4.0 * here[x]);
    }
}

/// Sixteen bodies at a time, so that the compiler finds vectors.
fn pull(sources: &[[f32; 4]], here: &[[f32; 4]], velocity: &mut [[f32; 4]], step: Step) {
    const LANES: usize = 16;
    for (here, velocity) in here.chunks(LANES).zip(velocity.chunks_mut(LANES)) {
        let (mut place, mut pull) = ([[0.0_f32; LANES]; 3], [[0.0_f32; LANES]; 3]);
        here.iter()
            .enumerate()
            .for_each(|(lane, here)| (0..3).for_each(|axis| place[axis][lane] = here[axis]));
        for other in sources {
            for lane in 0..LANES {
                let apart: [f32; 3] = std::array::from_fn(|axis| other[axis] - place[axis][lane]);
                let square = apart.iter().map(|apart| apart * apart).sum::<f32>()
                    + step.softening * step.softening;
                let scale = other[3] / (square * square.sqrt());
                (0..3).for_each(|axis| pull[axis][lane] += apart[axis] * scale);
            }
        }
        for (lane, velocity) in velocity.iter_mut().enumerate() {
            (0..3).for_each(|axis| velocity[axis] += pull[axis][lane] * step.seconds);
        }
    }
}

/// The kernel of an entry point.
fn kernel(wgsl: &str, entry: &str) -> Kernel {
    let kernel = Kernel::from_wgsl(wgsl).and_then(|kernel| kernel.entry(entry));
    kernel.expect("it is valid")
}

/// The runtimes to compare, by name: each device alone, then all.
fn runtimes() -> Vec<(String, Runtime)> {
    let build = |devices: &str| {
        let runtime = Runtime::builder()
            .devices(devices)
            .split(Policy::Measured)
            .without_profile_dir()
            .build();
        runtime.expect("the devices are there")
    };
    let gpus = find_gpus().len();
    let mut runtimes = vec![("cpu".to_owned(), build("cpu"))];
    runtimes.extend((0..gpus).map(|i| (format!("gpu{i}"), build(&format!("gpu{i}")))));
    if gpus > 0 {
        runtimes.push(("split".to_owned(), build("all")));
    }
    runtimes
}

/// What is compared: the runtimes by name, and a GPU driven by hand if there is one.
struct Field {
    runtimes: Vec<(String, Runtime)>,
    raw: Option<Raw>,
}

impl Field {
    /// One candidate for each runtime, made by `work`.
    fn runtimes<'a, W: FnMut(Turn) -> Vec<f32> + Send + 'a>(
        &'a self,
        work: impl Fn(&'a Runtime) -> W,
    ) -> Vec<Candidate<'a>> {
        let candidate = |(name, runtime): &'a (String, Runtime)| -> Candidate<'a> {
            (name.clone(), Box::new(work(runtime)))
        };
        self.runtimes.iter().map(candidate).collect()
    }

    /// A candidate in plain wgpu, bound as `lists` says.
    fn raw<'a>(
        &'a self,
        wgsl: &str,
        entry: &str,
        lists: impl Fn(&Raw) -> (Vec<Vec<(u32, wgpu::Buffer)>>, wgpu::Buffer),
        dispatch: [u32; 3],
        read: impl Fn(&[u8]) -> Vec<f32> + Send + 'a,
    ) -> Option<Candidate<'a>> {
        let raw = self.raw.as_ref()?;
        let (lists, answer) = lists(raw);
        let lists: Vec<Vec<_>> = lists
            .iter()
            .map(|list| {
                list.iter()
                    .map(|(binding, buffer)| (*binding, buffer))
                    .collect()
            })
            .collect();
        let prepared = raw.prepare(wgsl, entry, &lists, dispatch);
        let mut turn = 0;
        let work = move |ask| {
            raw.run(&prepared, turn);
            turn += 1;
            asked(ask, || read(&raw.read(&answer)))
        };
        Some(("raw wgpu".to_owned(), Box::new(work)))
    }
}

fn rayon<'a>(work: impl FnMut(Turn) -> Vec<f32> + Send + 'a) -> Candidate<'a> {
    ("rayon".to_owned(), Box::new(work))
}

/// The answer, if it is asked for.
fn asked(turn: Turn, answer: impl FnOnce() -> Vec<f32>) -> Vec<f32> {
    match turn {
        Turn::Run => Vec::new(),
        Turn::Answer => answer(),
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(bytes)
}

fn counts(bytes: &[u8]) -> Vec<f32> {
    let counts: Vec<u32> = bytemuck::pod_collect_to_vec(bytes);
    counts.into_iter().map(|count| count as f32).collect()
}

/// Temperatures that differ from point to point.
fn warmth(size: usize) -> Vec<f32> {
    (0..size * size).map(|i| (i * 7 % 101) as f32).collect()
}

fn saxpy_of<'a>(field: &'a Field, kernel: &'a Kernel, n: usize) -> Vec<Candidate<'a>> {
    let mut candidates = field.runtimes(|runtime| {
        let x = runtime
            .buffer_from(&vec![1.0_f32; n])
            .expect("there is room");
        let y = runtime.buffer::<f32>(n).expect("there is room");
        move |turn| {
            let dispatch = runtime
                .dispatch(kernel, n)
                .value("a", 1e-9_f32)
                .bind("x", &x)
                .bind("y", &y);
            dispatch.run().expect("it runs");
            asked(turn, || runtime.read(&y).expect("it is there"))
        }
    });
    let groups = (n as u32).div_ceil(256);
    // More workgroups than a dimension takes need a second one, and a kernel that knows.
    if groups <= 65_535 {
        let lists = |raw: &Raw| {
            let [x, y] = [1.0_f32, 0.0]
                .map(|value| raw.buffer(bytemuck::cast_slice(&vec![value; n]), false));
            let list = vec![
                (0, raw.buffer(bytemuck::bytes_of(&1e-9_f32), true)),
                (1, x),
                (2, y.clone()),
            ];
            (vec![list], y)
        };
        candidates.extend(field.raw(SAXPY, "saxpy", lists, [groups, 1, 1], floats));
    }
    let (x, mut y) = (vec![1.0_f32; n], vec![0.0_f32; n]);
    candidates.push(rayon(move |turn| {
        let chunks = y.par_chunks_mut(1 << 14).zip(x.par_chunks(1 << 14));
        chunks.for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y += 1e-9 * x));
        asked(turn, || y.clone())
    }));
    candidates
}

fn mandelbrot_of<'a>(
    field: &'a Field,
    kernel: &'a Kernel,
    width: usize,
    height: usize,
) -> Vec<Candidate<'a>> {
    let view = View {
        width: width as u32,
        height: height as u32,
        limit: 512,
    };
    let mut candidates = field.runtimes(|runtime| {
        let steps = runtime
            .buffer::<u32>(width * height)
            .expect("there is room");
        move |turn| {
            let dispatch = runtime
                .dispatch(kernel, [width, height])
                .value("view", view);
            dispatch.bind("steps", &steps).run().expect("it runs");
            asked(turn, || {
                let steps = runtime.read(&steps).expect("it is there");
                steps.into_iter().map(|steps| steps as f32).collect()
            })
        }
    });
    let lists = |raw: &Raw| {
        let steps = raw.buffer(&vec![0; width * height * 4], false);
        let value = raw.buffer(bytemuck::bytes_of(&view), true);
        (vec![vec![(0, value), (1, steps.clone())]], steps)
    };
    let groups = [view.width.div_ceil(16), view.height.div_ceil(16), 1];
    candidates.extend(field.raw(MANDELBROT, "mandelbrot", lists, groups, counts));
    let mut steps = vec![0_u32; width * height];
    candidates.push(rayon(move |turn| {
        steps
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(y, row)| {
                row.iter_mut()
                    .enumerate()
                    .for_each(|(x, steps)| *steps = escape(x, y, view));
            });
        asked(turn, || steps.iter().map(|steps| *steps as f32).collect())
    }));
    candidates
}

fn bodies_of<'a>(field: &'a Field, kernel: &'a Kernel, bodies: usize) -> Vec<Candidate<'a>> {
    let step = Step {
        seconds: 1e-6,
        softening: 0.1,
    };
    let place = |i: usize| {
        [
            i as f32 * 0.618 % 1.0,
            i as f32 * 0.755 % 1.0,
            i as f32 * 0.57 % 1.0,
            1e-4,
        ]
    };
    let places: Vec<[f32; 4]> = (0..bodies).map(place).collect();
    let mut candidates = field.runtimes(|runtime| {
        let position = runtime.buffer_from(&places).expect("there is room");
        let velocity = runtime.buffer::<[f32; 4]>(bodies).expect("there is room");
        move |turn| {
            let dispatch = runtime
                .dispatch(kernel, bodies)
                .value("step", step)
                .bind("sources", &position);
            dispatch
                .bind("here", &position)
                .bind("velocity", &velocity)
                .run()
                .expect("it runs");
            asked(turn, || {
                runtime.read(&velocity).expect("it is there").concat()
            })
        }
    });
    let lists = |raw: &Raw| {
        let [sources, here] = [0, 1].map(|_| raw.buffer(bytemuck::cast_slice(&places), false));
        let velocity = raw.buffer(&vec![0; bodies * 16], false);
        let list = vec![
            (0, raw.buffer(bytemuck::bytes_of(&step), true)),
            (1, sources),
            (2, here),
            (3, velocity.clone()),
        ];
        (vec![list], velocity)
    };
    let groups = [(bodies as u32).div_ceil(64), 1, 1];
    candidates.extend(field.raw(GALAXY, "kick", lists, groups, floats));
    let mut velocity = vec![[0.0_f32; 4]; bodies];
    candidates.push(rayon(move |turn| {
        let chunks = velocity.par_chunks_mut(64).zip(places.par_chunks(64));
        chunks.for_each(|(velocity, here)| pull(&places, here, velocity, step));
        asked(turn, || velocity.concat())
    }));
    candidates
}

fn heat_of<'a>(field: &'a Field, kernel: &'a Kernel, size: usize) -> Vec<Candidate<'a>> {
    let plate = Plate {
        width: size as u32,
        height: size as u32,
        flow: 0.2,
    };
    let mut candidates = field.runtimes(|runtime| {
        let mut buffers =
            [0, 1].map(|_| runtime.buffer_from(&warmth(size)).expect("there is room"));
        move |turn| {
            let dispatch = runtime
                .dispatch(kernel, [size, size])
                .value("plate", plate)
                .bind("old", &buffers[0]);
            dispatch.bind("next", &buffers[1]).run().expect("it runs");
            buffers.swap(0, 1);
            asked(turn, || runtime.read(&buffers[0]).expect("it is there"))
        }
    });
    let lists = |raw: &Raw| {
        let [a, b] = [0, 1].map(|_| raw.buffer(bytemuck::cast_slice(&warmth(size)), false));
        let value = raw.buffer(bytemuck::bytes_of(&plate), true);
        let lists = vec![
            vec![(0, value.clone()), (1, a.clone()), (2, b.clone())],
            vec![(0, value), (1, b.clone()), (2, a)],
        ];
        (lists, b)
    };
    let groups = (size as u32).div_ceil(16);
    candidates.extend(field.raw(HEAT, "heat", lists, [groups, groups, 1], floats));
    let (mut a, mut b) = (warmth(size), warmth(size));
    candidates.push(rayon(move |turn| {
        b.par_chunks_mut(size)
            .enumerate()
            .for_each(|(y, next)| heat_row(&a, 0, y, next, plate));
        std::mem::swap(&mut a, &mut b);
        asked(turn, || a.clone())
    }));
    candidates
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut asked = Asked::new();
    let (json, words) = (asked.path("--json")?, asked.words()?);
    let mut times = Times::default();
    let field = Field {
        runtimes: runtimes(),
        raw: Raw::open(),
    };
    let saxpy = kernel(SAXPY, "saxpy");
    let mandelbrot = kernel(MANDELBROT, "mandelbrot");
    let kick = kernel(GALAXY, "kick");
    let heat = kernel(HEAT, "heat");
    let mut rows = Vec::new();
    let mut compare = |workload: String, candidates: &dyn Fn() -> Vec<_>| {
        if !is_wanted(&words, &workload) {
            return;
        }
        let mut candidates = candidates();
        times.compare(&workload, &mut candidates);
        rows.push(Row {
            seconds: times.medians(&workload),
            runs_per_second_at_once: Times::at_once(&mut candidates, table::is_device),
            workload,
        });
    };
    let sizes = |all: [usize; 4]| match record::is_small() {
        true => all[..1].to_vec(),
        false => all.to_vec(),
    };
    for n in sizes([1 << 16, 1 << 20, 1 << 22, 1 << 24]) {
        compare(format!("saxpy/{n}"), &|| saxpy_of(&field, &saxpy, n));
    }
    for width in sizes([128, 512, 1024, 2048]) {
        let height = width / 2;
        compare(format!("mandelbrot/{width}x{height}"), &|| {
            mandelbrot_of(&field, &mandelbrot, width, height)
        });
    }
    for bodies in sizes([1024, 4096, 8192, 16_384]) {
        compare(format!("n-body/{bodies}"), &|| {
            bodies_of(&field, &kick, bodies)
        });
    }
    for size in sizes([128, 512, 1024, 2048]) {
        compare(format!("heat/{size}x{size}"), &|| {
            heat_of(&field, &heat, size)
        });
    }
    let record = Record::new("kernels", rows);
    println!("{}", table::table(&record));
    record.write(json.as_deref())
}
