//! What is known exactly of a call's payoff, and how far from it the mean of many paths may be by chance.

use std::f64::consts::TAU;

/// A payoff as it is worth today: its mean, which is the price, its standard deviation and its skewness.
pub struct Payoff {
    pub price: f64,
    pub deviation: f64,
    pub skewness: f64,
}

/// A call on what has a logarithm of this mean and variance (F. Black and M. Scholes, 1973, for a price itself).
pub fn call(strike: f64, mean: f64, variance: f64, interest: f64) -> Payoff {
    let (swing, discount) = (variance.sqrt(), (-interest).exp());
    let d = (mean - strike.ln()) / swing;
    // The moments of what ends above the strike, and by them those of what it is above it.
    let moment = |n: f64| (n * mean + n * n * variance / 2.0).exp() * below(d + n * swing);
    let [m0, m1, m2, m3] = [0.0, 1.0, 2.0, 3.0].map(moment);
    let first = m1 - strike * m0;
    let second = m2 - strike * (2.0 * m1 - strike * m0);
    let third = m3 - strike * (3.0 * m2 - strike * (3.0 * m1 - strike * m0));
    let deviation = (second - first * first).sqrt();
    let central = third - first * (3.0 * second - 2.0 * first * first);
    Payoff {
        price: discount * first,
        deviation: discount * deviation,
        skewness: central / deviation.powi(3),
    }
}

impl Payoff {
    /// The mean of so many paths is this far off, either way, with a chance of at most `2 exp(-rarity)`: Bernstein's
    /// inequality, with a tail as long as the skewness says.
    pub fn chance(&self, paths: f64, rarity: f64) -> f64 {
        let errors = (2.0 * rarity).sqrt() + self.skewness * rarity / (3.0 * paths.sqrt());
        errors * self.deviation / paths.sqrt()
    }
}

/// The chance of a normal number below `x` (G. Marsaglia, "Evaluating the normal distribution", 2004).
fn below(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (x, x, 1.0);
    while f64::abs(term) > 1e-17 && k < 1000.0 {
        k += 2.0;
        term *= x * x / k;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / TAU.sqrt()
}
