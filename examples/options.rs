//! Options priced by Monte Carlo: random numbers that depend on nothing but where they are used.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Example, Outcome};

/// What prices are averaged over, as in the WGSL.
const DATES: f64 = 16.0;
/// The paths of an invocation in one step; 64 of them share an option.
const PATHS: u32 = 128;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Plan {
    paths: u32,
    seed: u32,
}

fn main() -> Outcome {
    let about = "European and Asian options priced by Monte Carlo, and checked against what is known exactly.";
    let example = Example::new("options", about)
        .size(64, 1..=1 << 20, "how many options")
        .steps(64, "how many times 8192 paths for each")
        .seed(1);
    let mut show = example.open()?;
    let runtime = show.runtime.clone();
    let kernel = Kernel::from_wgsl(include_str!("../shaders/options.wgsl"))?;
    let (size, steps) = (show.options.size, show.options.steps);
    // Strike, rate, volatility, years: from well in the money to well out of it, from months to two years.
    let kind = |i: usize| {
        let at = |i: usize, of: usize| (i % of) as f32 / (of - 1) as f32;
        [
            0.8 + 0.4 * at(i + i / 8, 8),
            0.03,
            0.2 + 0.2 * at(i / 8, 3),
            0.25 + 1.75 * at(i / 8, 8),
        ]
    };
    let kinds: Vec<[f32; 4]> = (0..size).map(kind).collect();
    let options = runtime.buffer_from(&kinds)?;
    let payoffs = runtime.buffer_from(&vec![[0.0_f32; 6]; size])?;

    let first = show.options.seed as u32;
    for step in show.steps() {
        let plan = Plan {
            paths: PATHS,
            seed: first.wrapping_mul(0x9e37_79b9).wrapping_add(step as u32),
        };
        let dispatch = runtime.dispatch(&kernel, 64 * size);
        let dispatch = dispatch.value("plan", plan).bind("options", &options);
        show.submit(dispatch.bind("payoffs", &payoffs))?;
    }
    show.wait()?;

    let paths = steps as f64 * f64::from(64 * PATHS);
    show.number("paths of each option", paths as u64);
    let rate = paths * size as f64 / show.seconds();
    show.number("million paths a second", (rate / 1e6).round());
    let mut worst = [0.0_f64; 2];
    let mut squares = 0.0;
    let mut is_more = true;
    show.say(format_args!(
        "strike  vol.  years | European     exact  in errors |    Asian (standard error)"
    ));
    for (i, (kind, sums)) in kinds.iter().zip(runtime.read(&payoffs)?).enumerate() {
        let [strike, rate, swing, years] = kind.map(f64::from);
        let estimate = |sum: f32, square: f32| {
            let (mean, square) = (f64::from(sum) / paths, f64::from(square) / paths);
            let discount = (-rate * years).exp();
            let error = ((square - mean * mean).max(0.0) / paths).sqrt();
            (discount * mean, discount * error.max(1e-7))
        };
        let (european, geometric) = (estimate(sums[0], sums[1]), estimate(sums[2], sums[3]));
        let difference = estimate(sums[4], sums[5]);
        // The mean and the variance of the price's logarithm at the end, and of the mean of its logarithms.
        let (drift, variance) = ((rate - swing * swing / 2.0) * years, swing * swing * years);
        let mean_of = (DATES + 1.0) / (2.0 * DATES);
        let spread_of = mean_of * (2.0 * DATES + 1.0) / (3.0 * DATES);
        let exact = call(strike, drift, variance, rate * years);
        let exact_geometric = call(strike, drift * mean_of, variance * spread_of, rate * years);
        let off = [
            (european.0 - exact) / european.1,
            (geometric.0 - exact_geometric) / geometric.1,
        ];
        worst = [0, 1].map(|one| worst[one].max(off[one].abs()));
        squares += off[0] * off[0] / size as f64;
        is_more &= difference.0 >= 0.0;
        if i % size.div_ceil(8) == 0 {
            // What is exact needs no paths: only the difference of the two means is left to chance.
            let asian = exact_geometric + difference.0;
            show.say(format_args!(
                "{strike:6.3} {swing:5.2} {years:6.2} | {:8.5} {exact:9.5} {:10.2} | {asian:8.5} ({:.6})",
                european.0, off[0], difference.1
            ));
        }
    }
    show.within("standard errors from Black and Scholes", worst[0], 4.0);
    show.within(
        "standard errors from the exact price of a geometric mean",
        worst[1],
        4.0,
    );
    show.check(
        "an arithmetic mean is worth no less than a geometric one",
        is_more,
    );
    // Errors that are as large as they are said to be have a mean square of one; 64 of them seldom leave 0.4 to 2.
    let is_honest = size < 32 || (0.4..2.0).contains(&squares);
    show.check("the standard errors are what they should be", is_honest);
    show.end()
}

/// A call on what has a logarithm of this mean and variance, today (F. Black and M. Scholes, 1973, for a price itself).
fn call(strike: f64, mean: f64, variance: f64, interest: f64) -> f64 {
    let d = (mean - strike.ln()) / variance.sqrt();
    let forward = (mean + variance / 2.0).exp();
    (-interest).exp() * (forward * below(d + variance.sqrt()) - strike * below(d))
}

/// The chance of a normal number below `x` (G. Marsaglia, "Evaluating the normal distribution", 2004).
fn below(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while f64::abs(term) > 1e-17 && k < 1000.0 {
        k += 2.0;
        term *= x * x / k;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}
