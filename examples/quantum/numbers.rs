//! What Shor's algorithm leaves to an ordinary computer, and what the quantum computer ought to find.

use std::f64::consts::PI;

/// Numbers that few bases don't factor: two primes, of which one less has different powers of two in it.
pub const NUMBERS: [u64; 6] = [1819, 901, 221, 85, 51, 15];

/// The probability of a state after the Fourier transform of `left` states, `period` apart and alike.
pub fn comb(state: u64, period: u64, left: u64, states: u64) -> f64 {
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
pub fn period_of(measured: u64, states: u64, base: u64, number: u64) -> Option<u64> {
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
pub fn split(base: u64, period: u64, number: u64) -> Option<(u64, u64)> {
    let factor = common(power(base, period / 2, number) + 1, number);
    let is_proper = period.is_multiple_of(2) && factor > 1 && factor < number;
    is_proper.then_some((factor, number / factor))
}

/// `base` to the `exponent`, less all multiples of `modulus`.
pub fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    match exponent {
        0 => 1,
        _ => {
            let half = power(base, exponent / 2, modulus);
            half * half % modulus * if exponent % 2 == 1 { base } else { 1 } % modulus
        }
    }
}

/// The greatest common divisor.
pub fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}
