//! A quantum computer finds the factors of a number (P. Shor, 1994): gates as kernels over the amplitudes of all states.
//!
//! Every gate is split: `turn` and `observe` keep to their own states, `hadamard` reads as far around them as the two of a
//! pair are apart, which for the highest qubit is everything, and `mirror` reads everything.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::{Buffer, Kernel, Runtime};
use show::{DUSK, Example, Outcome, Picture, Show, grey, mix};
use std::f64::consts::PI;

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
struct Gate {
    place: u32,
    control: u32,
    turn: [f32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Power {
    base: u32,
    modulus: u32,
    seen: u32,
    scale: f32,
}

/// Numbers that few bases don't factor: two primes, of which one less has different powers of two in it.
const NUMBERS: [u64; 6] = [1819, 901, 221, 85, 51, 15];

fn main() -> Outcome {
    let about =
        "A quantum computer is simulated state by state, and factors a number by Shor's algorithm.";
    let mut show = Example::new("quantum", about)
        .size(22, 8..=28, "qubits")
        .steps(8, "the most bases that are tried")
        .seed(1)
        .option(
            "--number",
            "N what is factored: odd, no power, its square at most 2^qubits (1819, or less for fewer)",
        )
        .draws(0.1)
        .open()?;
    let states = 1_u64 << show.options.size;
    let fits = |number: &u64| number * number <= states;
    let number = show.options.more("--number")?;
    let number = number.or(NUMBERS.into_iter().find(fits)).unwrap_or(15);
    if number < 6 || !fits(&number) {
        return Err(format!("so many qubits factor numbers from 6 to {}", states.isqrt()).into());
    }
    let mut computer = Computer::new(&show)?;
    let mut random = fastrand::Rng::with_seed(show.options.seed);
    let (mut factors, mut probabilities) = (None, Vec::new());
    for _ in show.steps() {
        let base = random.u64(2..number);
        if common(base, number) > 1 || factors.is_some() {
            continue; // a common factor would be luck, and no work for a quantum computer
        }
        // All states alike; then those are left whose power of the base is what was measured of it.
        computer.clear()?;
        for qubit in 0..show.options.size {
            computer.hadamard(&mut show, qubit)?;
        }
        let first = random.u64(0..states);
        let period = (1..number)
            .find(|&one| power(base, one, number) == 1)
            .unwrap_or(1);
        let left = (states - first % period).div_ceil(period);
        let power = Power {
            base: base as u32,
            modulus: number as u32,
            seen: power(base, first, number) as u32,
            scale: (states as f64 / left as f64).sqrt() as f32,
        };
        computer.observe(&mut show, power)?;
        let before = computer.probability(&mut show)?;
        computer.fourier(&mut show)?;
        let after = computer.probability(&mut show)?;

        let name =
            |rule: &str| format!("base {base}, whose powers have a period of {period}: {rule}");
        show.within(
            &name("what probabilities lack of one before"),
            (before - 1.0).abs(),
            1e-4,
        );
        show.within(
            &name("and after the Fourier transform"),
            (after - 1.0).abs(),
            1e-4,
        );
        probabilities = computer.probabilities()?;
        let exact = (0..states).map(|state| comb(state, period, left, states));
        let apart = probabilities
            .iter()
            .zip(exact)
            .map(|(found, exact)| (found - exact).abs());
        show.within(
            &name("what probabilities are off by in all"),
            apart.sum(),
            1e-3,
        );
        // A measurement finds a state by its probability. It may tell too little, so a few are made.
        for _ in 0..8 {
            let mut rest = random.f64() * after;
            let is_it = |probability: &f64| {
                rest -= probability;
                rest < 0.0
            };
            let measured = probabilities.iter().position(is_it).unwrap_or(0) as u64;
            let found = period_of(measured, states, base, number);
            let period = found.map_or("it tells no period".to_owned(), |found| {
                format!("a period of {found}")
            });
            show.say(format_args!("measured {measured} of {states}: {period}"));
            factors = factors.or(found.and_then(|period| split(base, period, number)));
            if found.is_some() {
                break;
            }
        }
    }
    let (a, b) = factors.unwrap_or((1, number));
    let is_factored = a > 1 && b > 1 && a * b == number;
    show.check(
        &format!("{number} = {a} * {b}, neither of them one"),
        is_factored,
    );
    show.picture(picture(&probabilities))?;
    show.end()
}

/// The amplitudes of all states, before a gate and after, and the kernels that are gates.
struct Computer {
    runtime: Runtime,
    qubits: usize,
    state: Buffer<[f32; 2]>,
    next: Buffer<[f32; 2]>,
    sums: Buffer<f32>,
    hadamard: Kernel,
    turn: Kernel,
    mirror: Kernel,
    observe: Kernel,
    weigh: Kernel,
}

impl Computer {
    fn new(show: &Show) -> divvy::Result<Self> {
        let wgsl = Kernel::from_wgsl(include_str!("../shaders/quantum.wgsl"))?;
        let kernel = |entry: &str| wgsl.clone().entry(entry);
        let (runtime, states) = (show.runtime.clone(), 1 << show.options.size);
        Ok(Self {
            qubits: show.options.size,
            state: runtime.buffer(states)?,
            next: runtime.buffer(states)?,
            sums: runtime.buffer(states.div_ceil(256))?,
            hadamard: kernel("hadamard")?,
            turn: kernel("turn")?,
            mirror: kernel("mirror")?,
            observe: kernel("observe")?,
            weigh: kernel("weigh")?,
            runtime,
        })
    }

    /// All qubits are zero.
    fn clear(&self) -> divvy::Result<()> {
        self.runtime
            .write(&self.state, &vec![[0.0; 2]; self.state.len()])?;
        self.runtime.write_range(&self.state, 0, &[[1.0, 0.0]])
    }

    /// Runs a gate that needs another buffer for what it makes.
    fn out_of_place(&mut self, show: &mut Show, kernel: &Kernel, gate: Gate) -> Outcome {
        let dispatch = self
            .runtime
            .dispatch(kernel, self.state.len())
            .value("gate", gate);
        show.submit(dispatch.bind("old", &self.state).bind("next", &self.next))?;
        std::mem::swap(&mut self.state, &mut self.next);
        Ok(())
    }

    fn hadamard(&mut self, show: &mut Show, qubit: usize) -> Outcome {
        let place = 1 << qubit;
        self.out_of_place(
            show,
            &self.hadamard.clone(),
            Gate {
                place,
                ..Gate::default()
            },
        )
    }

    fn observe(&self, show: &mut Show, power: Power) -> Outcome {
        let dispatch = self.runtime.dispatch(&self.observe, self.state.len());
        show.submit(dispatch.value("power", power).bind("state", &self.state))
    }

    /// The Fourier transform of the amplitudes, gate by gate.
    fn fourier(&mut self, show: &mut Show) -> Outcome {
        for qubit in (0..self.qubits).rev() {
            self.hadamard(show, qubit)?;
            for control in 0..qubit {
                let angle = PI / (1_u64 << (qubit - control)) as f64;
                let gate = Gate {
                    place: 1 << qubit,
                    control: 1 << control,
                    turn: [angle.cos() as f32, angle.sin() as f32],
                };
                let dispatch = self.runtime.dispatch(&self.turn, self.state.len());
                show.submit(dispatch.value("gate", gate).bind("state", &self.state))?;
            }
        }
        let place = 32 - self.qubits as u32;
        self.out_of_place(
            show,
            &self.mirror.clone(),
            Gate {
                place,
                ..Gate::default()
            },
        )
    }

    /// The probability of all states together.
    fn probability(&self, show: &mut Show) -> Outcome<f64> {
        let dispatch = self.runtime.dispatch(&self.weigh, self.state.len());
        show.submit(dispatch.bind("old", &self.state).bind("sums", &self.sums))?;
        show.wait()?;
        Ok(self
            .runtime
            .read(&self.sums)?
            .into_iter()
            .map(f64::from)
            .sum())
    }

    fn probabilities(&self) -> divvy::Result<Vec<f64>> {
        let square = |[x, y]: [f32; 2]| f64::from(x).powi(2) + f64::from(y).powi(2);
        Ok(self
            .runtime
            .read(&self.state)?
            .into_iter()
            .map(square)
            .collect())
    }
}

/// The probability of a state after the Fourier transform of `left` states, `period` apart and alike.
fn comb(state: u64, period: u64, left: u64, states: u64) -> f64 {
    // Whole turns are taken off first, while numbers are whole.
    let sine = |steps: u64| (PI * (steps % (2 * states)) as f64 / states as f64).sin();
    let step = state * period % states;
    let ratio = if step == 0 {
        left as f64
    } else {
        sine(step * left) / sine(step)
    };
    ratio * ratio / (left as f64 * states as f64)
}

/// A period of the powers of `base`, if the measured state is near enough to a multiple of `states` over it: denominators
/// of continued fractions, and small multiples of them, are tried.
fn period_of(measured: u64, states: u64, base: u64, number: u64) -> Option<u64> {
    let (mut a, mut b) = (measured, states);
    let (mut before, mut denominator) = (0, 1);
    while a > 0 && denominator < number {
        (before, denominator) = (denominator, b / a * denominator + before);
        (a, b) = (b % a, a);
        let mut multiples = (1..=8).map(|times| times * denominator);
        if let Some(found) = multiples.find(|&one| power(base, one, number) == 1) {
            return Some(found);
        }
    }
    None
}

/// Factors by a root of one that is neither one nor minus one.
fn split(base: u64, period: u64, number: u64) -> Option<(u64, u64)> {
    let factor = common(power(base, period / 2, number) + 1, number);
    let is_proper = period.is_multiple_of(2) && factor > 1 && factor < number;
    is_proper.then_some((factor, number / factor))
}

fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    match exponent {
        0 => 1,
        _ => {
            let half = power(base, exponent / 2, modulus);
            half * half % modulus * if exponent % 2 == 1 { base } else { 1 } % modulus
        }
    }
}

fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}

/// How probable states are: all of them above, the first part of them below.
fn picture(probabilities: &[f64]) -> Picture {
    const WIDTH: usize = 800;
    const HEIGHT: usize = 150;
    let most = probabilities.iter().copied().fold(0.0, f64::max);
    let bars = |states: &[f64]| -> Vec<f32> {
        let own = |x: usize| x * states.len() / WIDTH..((x + 1) * states.len()).div_ceil(WIDTH);
        let bar = |x: usize| states[own(x)].iter().copied().fold(0.0, f64::max) / most;
        (0..WIDTH).map(|x| bar(x) as f32).collect()
    };
    let parts = [
        bars(probabilities),
        bars(&probabilities[..probabilities.len().div_ceil(16)]),
    ];
    Picture::new(WIDTH, 2 * HEIGHT, |x, y| {
        let up = 1.1 * (HEIGHT - y % HEIGHT) as f32 / HEIGHT as f32;
        let is_bar = up <= parts[y / HEIGHT][x];
        if is_bar {
            mix(DUSK, 0.25 + 0.65 * up)
        } else {
            grey(0.15)
        }
    })
}
