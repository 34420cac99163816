//! What a user would write by hand: scalar Rust, parallel over rows or chunks with rayon. Where a kernel shares workgroup
//! memory, the algorithm is the one that suits a CPU.

use super::workloads::{Workload, mixed, noise};
use rayon::prelude::*;

/// Elements of a chunk where there are no rows.
const CHUNK: usize = 1 << 14;

/// A workload in plain Rust, with its data.
pub struct Plain {
    name: &'static str,
    buffers: Vec<Vec<u32>>,
    floats: Vec<Vec<f32>>,
    values: Vec<Vec<u32>>,
}

impl Plain {
    pub fn new(workload: &Workload) -> Self {
        let words = |(_, words): &(usize, Vec<u32>)| words.clone();
        let buffers: Vec<Vec<u32>> = workload.buffers.iter().map(words).collect();
        let floats = |words: &Vec<u32>| words.iter().map(|word| f32::from_bits(*word)).collect();
        Self {
            name: workload.name,
            floats: buffers.iter().map(floats).collect(),
            buffers,
            values: workload.values.clone(),
        }
    }

    /// The words that the workload's kernels would leave in the buffer of the answer, as numbers.
    pub fn answer(&self, at: usize, is_float: bool) -> Vec<f32> {
        if is_float {
            self.floats[at].clone()
        } else {
            self.buffers[at].iter().map(|word| *word as f32).collect()
        }
    }

    pub fn run(&mut self) {
        let value = self.values[0].clone();
        let size = value[0] as usize;
        let real = |i: usize| f32::from_bits(value[i]);
        let (floats, buffers) = (&mut self.floats[..], &mut self.buffers[..]);
        match (self.name, floats) {
            ("saxpy", [x, y]) => {
                let a = real(1);
                let chunks = y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
                chunks.for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x));
            }
            ("mandelbrot", _) => mandelbrot(&mut buffers[0], &value),
            ("n-body", [places, pulls]) => pull(places, pulls),
            ("heat", [a, b]) => repeat(a, b, |from, to| heat(from, to, size, real(2))),
            ("matmul, naive", [a, b, c]) => {
                c.par_chunks_mut(size).enumerate().for_each(|(y, row)| {
                    for (x, c) in row.iter_mut().enumerate() {
                        *c = (0..size).map(|k| a[y * size + k] * b[k * size + x]).sum();
                    }
                });
            }
            ("matmul, tiled", [a, b, c]) => {
                c.par_chunks_mut(size).enumerate().for_each(|(y, row)| {
                    row.fill(0.0);
                    for (a, b) in a[y * size..][..size].iter().zip(b.chunks(size)) {
                        row.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
                    }
                });
            }
            ("reduce", [x, sums]) => {
                let blocks = sums.par_iter_mut().zip(x.par_chunks(4096));
                blocks.for_each(|(sum, x)| {
                    let mut parts = [0.0; 16];
                    for x in x.chunks_exact(16) {
                        parts.iter_mut().zip(x).for_each(|(part, x)| *part += x);
                    }
                    *sum = parts.iter().sum();
                });
            }
            ("black-scholes", [s, x, t, call, put]) => {
                let market = (real(1), real(2));
                let given = s.par_iter().zip(x.par_iter()).zip(t.par_iter());
                let found = call.par_iter_mut().zip(put.par_iter_mut());
                given.zip(found).for_each(|(((s, x), t), (call, put))| {
                    (*call, *put) = price(*s, *x, *t, market);
                });
            }
            ("histogram", _) => {
                let count = |x: &[u32]| {
                    let mut bins = vec![0; 256];
                    x.iter().for_each(|x| bins[(x & 255) as usize] += 1);
                    bins
                };
                let add = |mut a: Vec<u32>, b: Vec<u32>| {
                    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                    a
                };
                let bins = buffers[0].par_chunks(1 << 18).map(count);
                let bins = bins.reduce(|| vec![0; 256], add);
                buffers[1] = bins;
            }
            ("gray-scott", [a, b]) => {
                let rates = [2, 3, 4, 5].map(real);
                repeat(a, b, |from, to| react(from, to, size, rates));
            }
            ("life", _) => {
                let (a, b) = buffers.split_at_mut(1);
                repeat(&mut a[0], &mut b[0], |from, to| live(from, to, size));
            }
            ("scan", _) => scan(buffers),
            ("monte-carlo", [payoff]) => {
                let (steps, drift, vol) = (value[1], real(2), real(3));
                payoff
                    .par_iter_mut()
                    .enumerate()
                    .for_each(|(i, payoff)| *payoff = path(i, steps, drift, vol));
            }
            (name, _) => panic!("{name} isn't written in plain Rust"),
        }
    }
}

/// Twenty steps, from `a` to `b` and back.
fn repeat<T>(a: &mut Vec<T>, b: &mut Vec<T>, step: impl Fn(&[T], &mut [T])) {
    for _ in 0..20 {
        step(a, b);
        std::mem::swap(a, b);
    }
}

pub fn mandelbrot(counts: &mut [u32], value: &[u32]) {
    let (width, height, limit) = (value[0] as usize, value[1], value[2]);
    let rows = counts.par_chunks_mut(width).enumerate();
    rows.for_each(|(row, counts)| {
        for (column, count) in counts.iter_mut().enumerate() {
            let cx = column as f32 / width as f32 * 3.0 - 2.0;
            let cy = row as f32 / height as f32 * 2.0 - 1.0;
            let (mut x, mut y, mut n) = (0.0_f32, 0.0_f32, 0);
            while n < limit && x * x + y * y <= 4.0 {
                (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
                n += 1;
            }
            *count = n;
        }
    });
}

fn pull(places: &[f32], pulls: &mut [f32]) {
    let all = pulls.par_chunks_mut(4).zip(places.par_chunks(4));
    all.with_min_len(64).for_each(|(pull, me)| {
        let mut sum = [0.0_f32; 3];
        for other in places.chunks_exact(4) {
            let d: [f32; 3] = std::array::from_fn(|axis| other[axis] - me[axis]);
            let inverse = 1.0 / (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 1e-3).sqrt();
            let scale = other[3] * inverse * inverse * inverse;
            (0..3).for_each(|axis| sum[axis] += d[axis] * scale);
        }
        pull[..3].copy_from_slice(&sum);
    });
}

pub fn heat(from: &[f32], to: &mut [f32], width: usize, alpha: f32) {
    let last = from.len() / width - 1;
    to.par_chunks_mut(width).enumerate().for_each(|(y, next)| {
        let row = |y: usize| &from[y * width..][..width];
        next.copy_from_slice(row(y));
        if y == 0 || y == last {
            return;
        }
        let (up, here, down) = (row(y - 1), row(y), row(y + 1));
        for x in 1..width - 1 {
            let around = here[x - 1] + here[x + 1] + up[x] + down[x];
            next[x] = here[x] + alpha * (around - 4.0 * here[x]);
        }
    });
}

fn normal(d: f32) -> f32 {
    let k = 1.0 / (1.0 + 0.231_641_9 * d.abs());
    let inner = 1.781_477_9 + k * (-1.821_256 + k * 1.330_274_5);
    let polynomial = k * (0.319_381_54 + k * (-0.356_563_78 + k * inner));
    let below = 0.398_942_3 * (-0.5 * d * d).exp() * polynomial;
    if d > 0.0 { 1.0 - below } else { below }
}

fn price(s: f32, x: f32, t: f32, (r, v): (f32, f32)) -> (f32, f32) {
    let root = t.sqrt();
    let d1 = ((s / x).ln() + (r + 0.5 * v * v) * t) / (v * root);
    let (n1, n2) = (normal(d1), normal(d1 - v * root));
    let e = x * (-r * t).exp();
    (s * n1 - e * n2, e * (1.0 - n2) - s * (1.0 - n1))
}

pub fn react(from: &[f32], to: &mut [f32], width: usize, [du, dv, f, k]: [f32; 4]) {
    let height = from.len() / (2 * width);
    to.par_chunks_mut(2 * width)
        .enumerate()
        .for_each(|(y, next)| {
            let row = |y: usize| &from[y * 2 * width..][..2 * width];
            let (up, here, down) = (
                row((y + height - 1) % height),
                row(y),
                row((y + 1) % height),
            );
            for x in 0..width {
                let left = if x == 0 { width - 1 } else { x - 1 };
                let right = if x == width - 1 { 0 } else { x + 1 };
                let lap = |part: usize| {
                    let at = |x: usize| 2 * x + part;
                    let around = here[at(left)] + here[at(right)] + up[at(x)] + down[at(x)];
                    around - 4.0 * here[at(x)]
                };
                let (u, v) = (here[2 * x], here[2 * x + 1]);
                let q = u * v * v;
                next[2 * x] = u + (du * lap(0) - q + f * (1.0 - u));
                next[2 * x + 1] = v + (dv * lap(1) + q - (f + k) * v);
            }
        });
}

pub fn live(from: &[u32], to: &mut [u32], width: usize) {
    let height = from.len() / width;
    to.par_chunks_mut(width).enumerate().for_each(|(y, next)| {
        let row = |y: usize| &from[y * width..][..width];
        let (up, here, down) = (
            row((y + height - 1) % height),
            row(y),
            row((y + 1) % height),
        );
        for x in 0..width {
            let left = if x == 0 { width - 1 } else { x - 1 };
            let right = if x == width - 1 { 0 } else { x + 1 };
            let sides = here[left] + here[right];
            let around = sides + up[left] + up[x] + up[right] + down[left] + down[x] + down[right];
            next[x] = u32::from(around == 3 || (around == 2 && here[x] == 1));
        }
    });
}

/// Sums of parts, then each part from the sum of those before it.
fn scan(buffers: &mut [Vec<u32>]) {
    let (given, found) = buffers.split_at_mut(1);
    let (x, y) = (&given[0], &mut found[0]);
    let part = x.len() / (8 * rayon::current_num_threads()) + 1;
    let sums: Vec<u32> = x.par_chunks(part).map(|x| x.iter().sum()).collect();
    let before: Vec<u32> = sums
        .iter()
        .scan(0, |sum, part| Some(std::mem::replace(sum, *sum + part)))
        .collect();
    let parts = y.par_chunks_mut(part).zip(x.par_chunks(part)).zip(before);
    parts.for_each(|((y, x), mut sum)| {
        for (y, x) in y.iter_mut().zip(x) {
            sum += x;
            *y = sum;
        }
    });
}

fn path(i: usize, steps: u32, drift: f32, vol: f32) -> f32 {
    let mut state = noise(i);
    let mut next = || {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        mixed(state)
    };
    let (mut x, mut sum) = (0.0_f32, 0.0_f32);
    for _ in 0..steps {
        let (a, b) = (next(), next());
        let u1 = ((a >> 8) as f32 + 1.0) / 16_777_216.0;
        let u2 = (b >> 8) as f32 / 16_777_216.0;
        let z = (-2.0 * u1.ln()).sqrt() * (std::f32::consts::TAU * u2).cos();
        x += drift + vol * z;
        sum += x.exp();
    }
    (100.0 * sum / steps as f32 - 100.0).max(0.0)
}
