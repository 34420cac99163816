//! A quantum computer finds the factors of a number (P. Shor, 1994): gates as kernels over the amplitudes of all states.
//!
//! Every gate is split: `turn` and `observe` keep to their own states, `hadamard` reads the blocks that have both of each
//! pair, of which the highest qubit has one, everything, and `mirror` reads everything.

mod computer;
mod numbers;
#[path = "../show/mod.rs"]
mod show;

use computer::{Computer, Power};
use numbers::{NUMBERS, comb, common, period_of, power, split};
use show::{DUSK, Example, Outcome, Picture, grey, mix};

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
    let (mut factors, mut last) = (None, (Vec::new(), 1));
    for _ in show.steps() {
        let base = random.u64(2..number);
        if common(base, number) > 1 || factors.is_some() {
            continue; // a common factor would be luck, and no work for a quantum computer
        }
        // All states alike; then those are left whose power of the base is what was measured of it.
        computer.mix(&mut show)?;
        let first = random.u64(0..states);
        let period = (1..number).find(|&one| power(base, one, number) == 1);
        let period = period.unwrap_or(1);
        let left = (states - first % period).div_ceil(period);
        let seen = Power {
            base: base as u32,
            modulus: number as u32,
            seen: power(base, first, number) as u32,
            scale: (states as f64 / left as f64).sqrt() as f32,
        };
        computer.observe(&mut show, seen)?;
        let before = computer.probability(&mut show)?;
        computer.fourier(&mut show)?;
        let after = computer.probability(&mut show)?;

        show.say(format_args!(
            "base {base}, whose powers have a period of {period}"
        ));
        let rule = |what: &str| format!("base {base}: {what}");
        let lack = (before - 1.0).abs();
        show.within(&rule("what probabilities lack of one before"), lack, 1e-4);
        let lack = (after - 1.0).abs();
        show.within(&rule("and after the Fourier transform"), lack, 1e-4);
        let probabilities = computer.probabilities(&show)?;
        let off = |(state, found): (u64, &f64)| (found - comb(state, period, left, states)).abs();
        let off = (0..).zip(&probabilities).map(off).sum();
        show.within(&rule("what probabilities are off by in all"), off, 1e-3);
        // A measurement finds a state by its probability. It may tell too little, so a few are made.
        for _ in 0..8 {
            let mut rest = random.f64() * after;
            let is_it = |probability: &f64| {
                rest -= probability;
                rest < 0.0
            };
            let measured = probabilities.iter().position(is_it).unwrap_or(0) as u64;
            let found = period_of(measured, states, base, number);
            let told = found.map_or("no period".to_owned(), |found| {
                format!("a period of {found}")
            });
            show.say(format_args!(
                "measured state {measured} of {states}: it tells {told}"
            ));
            if let Some(period) = found {
                factors = split(base, period, number);
                break;
            }
        }
        last = (probabilities, period);
    }
    let (a, b) = factors.unwrap_or((1, number));
    let is_factored = a > 1 && b > 1 && a * b == number;
    let rule = format!("{number} = {a} * {b}, neither of them one");
    show.check(&rule, is_factored);
    show.picture(picture(&last.0, last.1))?;
    show.end()
}

/// How probable states are, from the first to beyond a few dozen peaks; there are as many of those as the period is long.
fn picture(probabilities: &[f64], period: u64) -> Picture {
    const COLUMNS: usize = 320;
    const HEIGHT: usize = 240;
    let peaks = COLUMNS / 8;
    let states = &probabilities[..probabilities.len() * peaks / (period as usize).max(peaks)];
    let place = |x: usize| x * states.len() / COLUMNS;
    let own = |x: usize| &states[place(x)..place(x + 1).max((place(x) + 1).min(states.len()))];
    let highest = |states: &[f64]| states.iter().copied().fold(0.0, f64::max);
    let most = highest(states);
    let bar = |x: usize| (highest(own(x)) / most) as f32;
    let bars: Vec<f32> = (0..COLUMNS).map(bar).collect();
    Picture::new(2 * COLUMNS, HEIGHT, |x, y| {
        let up = 1.05 * (HEIGHT - y) as f32 / HEIGHT as f32;
        match up <= bars[x / 2] {
            true => mix(DUSK, 0.25 + 0.65 * up),
            false => grey(0.15),
        }
    })
}
