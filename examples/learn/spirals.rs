//! Points of two spirals, and how well a network tells them apart.

use std::f32::consts::TAU;

/// A point of one of two spirals that turn around each other one and three quarter times, and which.
pub fn spiral(i: usize, random: &mut fastrand::Rng) -> [f32; 4] {
    let (kind, along) = ((i % 2) as f32, random.f32().sqrt());
    let (sin, cos) = (TAU * (1.75 * along + 0.5 * kind)).sin_cos();
    let mut noise = || 0.07 * (random.f32() + random.f32() - 1.0);
    [along * cos + noise(), along * sin + noise(), kind, 0.0]
}

/// The mean cross entropy, and the part that is judged right.
pub fn verdict(chances: &[f32], samples: &[[f32; 4]]) -> (f64, f64) {
    let (mut loss, mut right) = (0.0, 0.0);
    for (&chance, sample) in chances.iter().zip(samples) {
        let truth = match sample[2] > 0.5 {
            true => chance,
            false => 1.0 - chance,
        };
        loss -= f64::from(truth).max(1e-12).ln();
        right += f64::from(u8::from(truth > 0.5));
    }
    (loss / samples.len() as f64, right / samples.len() as f64)
}
