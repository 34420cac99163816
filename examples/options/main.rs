//! Options priced by Monte Carlo: random numbers that depend on nothing but where they are used.

mod exact;
#[path = "../show/mod.rs"]
mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use exact::call;
use show::{Example, Outcome};

/// What prices are averaged over, as in the WGSL.
const DATES: f64 = 16.0;
/// The paths of an invocation in one step; 64 of them share an option.
const PATHS: u32 = 128;
/// The chance that a run without a fault fails.
const FALSE_ALARM: f64 = 1e-6;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Plan {
    paths: u32,
    seed: u32,
}

fn main() -> Outcome {
    let about = "European and Asian options priced by Monte Carlo, and checked against what is known exactly.";
    let mut show = Example::new("options", about)
        .size(64, 1..=1 << 20, "how many options")
        .steps(64, "how many times 8192 paths for each")
        .seed(1)
        .open()?;
    let runtime = show.runtime.clone();
    let kernel = Kernel::from_wgsl(include_str!("../../shaders/options.wgsl"))?;
    let (size, steps) = (show.options.size, show.options.steps);
    // Strike, rate, volatility, years: from well in the money to well out of it, from months to two years.
    let kind = |i: usize| {
        let at = |i: usize, of: usize| (i % of) as f32 / (of - 1) as f32;
        let (strike, swing) = (0.8 + 0.4 * at(i + i / 8, 8), 0.2 + 0.2 * at(i / 8, 3));
        [strike, 0.03, swing, 0.25 + 1.75 * at(i / 8, 8)]
    };
    let kinds: Vec<[f32; 4]> = (0..size).map(kind).collect();
    let options = runtime.buffer_from(&kinds)?;
    let payoffs = runtime.buffer_from(&vec![[0.0_f32; 6]; size])?;

    let first = show.options.seed as u32;
    for step in show.steps() {
        let seed = first.wrapping_mul(0x9e37_79b9).wrapping_add(step as u32);
        let plan = Plan { paths: PATHS, seed };
        let dispatch = runtime.dispatch(&kernel, 64 * size).value("plan", plan);
        let dispatch = dispatch.bind("options", &options);
        show.submit(dispatch.bind("payoffs", &payoffs))?;
    }
    show.wait()?;

    let paths = steps as f64 * f64::from(64 * PATHS);
    show.number("paths of each option", paths as u64);
    let rate = paths * size as f64 / show.seconds();
    show.number("million paths a second", (rate / 1e6) as u64);
    // Two prices of each option and the sum of squares may be too high or too low by chance, each as seldom as this:
    // exp(-rarity) (4 size + 2) is the chance that any is.
    let rarity = ((4 * size + 2) as f64 / FALSE_ALARM).ln();
    let (mut worst, mut squares, mut is_more) = ([0.0_f64; 2], 0.0, true);
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
        for (i, (found, exact)) in [(european, &exact), (geometric, &exact_geometric)]
            .into_iter()
            .enumerate()
        {
            let off = (found.0 - exact.price).abs() / exact.chance(paths, rarity);
            worst[i] = worst[i].max(off);
        }
        let off = (european.0 - exact.price) / european.1;
        squares += off * off;
        is_more &= difference.0 >= 0.0;
        if i % size.div_ceil(8) == 0 {
            // What is exact needs no paths: only the difference of the two means is left to chance.
            let asian = exact_geometric.price + difference.0;
            show.say(format_args!(
                "{strike:6.3} {swing:5.2} {years:6.2} | {:8.5} {:9.5} {off:10.2} | {asian:8.5} ({:.6})",
                european.0, exact.price, difference.1
            ));
        }
    }
    let rule = "difference from Black and Scholes, of what may be chance";
    show.within(rule, worst[0], 1.0);
    let rule = "difference from the exact price of a geometric mean, of what may be chance";
    show.within(rule, worst[1], 1.0);
    let rule = "an arithmetic mean is worth no less than a geometric one";
    show.check(rule, is_more);
    // The sum of the squares of so many normal numbers (B. Laurent and P. Massart, 2000).
    let swing = 2.0 * (size as f64 * rarity).sqrt();
    let sums = size as f64 - swing..=size as f64 + swing + 2.0 * rarity;
    let rule = "the standard errors are what they should be";
    show.check(rule, sums.contains(&squares));
    show.end()
}
