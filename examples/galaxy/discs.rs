//! Two discs of bodies on their way into each other, and what they keep.

use std::f32::consts::TAU;

/// The distance below which bodies stop pulling harder.
pub const SOFTENING: f32 = 0.1;

/// Position with the mass, and velocity, of a body of two discs on their way into each other.
pub fn body(i: usize, bodies: usize, random: &mut fastrand::Rng) -> ([f32; 4], [f32; 4]) {
    // Most of a galaxy's mass is in its core, so that its disc is stable until the other one comes.
    let (core, disc, edge) = (0.4_f32, 0.1_f32, 0.9_f32);
    let mass = disc / (bodies as f32 / 2.0 - 1.0).max(1.0);
    let side = if i.is_multiple_of(2) { -1.0 } else { 1.0 };
    let (moves, centre) = ([-side * 0.38, side * 0.12], [side * 1.5, side * 0.45]);
    if i < 2 {
        return (
            [centre[0], centre[1], 0.0, core],
            [moves[0], moves[1], 0.0, 0.0],
        );
    }
    let radius = 0.15 + (edge - 0.15) * random.f32().sqrt();
    let (sin, cos) = (random.f32() * TAU).sin_cos();
    let height = 0.04 * (random.f32() - 0.5);
    // A body circles what lies within its radius; the core's pull is softened.
    let softened = radius * radius + SOFTENING * SOFTENING;
    let pull = core * radius * radius / softened.powf(1.5) + disc * radius / (edge * edge);
    let speed = pull.sqrt();
    // One disc lies in the plane of the picture, the other is tilted.
    let tilt = |[x, y, z]: [f32; 3]| match side < 0.0 {
        true => [x, y, z],
        false => [x, 0.5 * y - 0.866 * z, 0.866 * y + 0.5 * z],
    };
    let place = tilt([radius * cos, radius * sin, height]);
    let turns = tilt([-speed * sin, speed * cos, 0.0]);
    (
        [centre[0] + place[0], centre[1] + place[1], place[2], mass],
        [moves[0] + turns[0], moves[1] + turns[1], turns[2], 0.0],
    )
}

pub fn energy(position: &[[f32; 4]], velocity: &[[f32; 4]]) -> f64 {
    let square = |vector: [f32; 3]| {
        vector
            .map(|part| f64::from(part).powi(2))
            .iter()
            .sum::<f64>()
    };
    let mut sum = 0.0;
    for (i, (a, v)) in position.iter().zip(velocity).enumerate() {
        let pulls = position[..i].iter().map(|b| {
            let apart = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
            f64::from(b[3]) / (square(apart) + f64::from(SOFTENING).powi(2)).sqrt()
        });
        sum += f64::from(a[3]) * (0.5 * square([v[0], v[1], v[2]]) - pulls.sum::<f64>());
    }
    sum
}

pub fn momentum(position: &[[f32; 4]], velocity: &[[f32; 4]]) -> [f64; 3] {
    let of = |(p, v): (&[f32; 4], &[f32; 4])| [0, 1, 2].map(|axis| f64::from(p[3] * v[axis]));
    let pairs = position.iter().zip(velocity).map(of);
    pairs.fold([0.0; 3], |sum, one| {
        [0, 1, 2].map(|axis| sum[axis] + one[axis])
    })
}
