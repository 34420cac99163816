//! A heap of spheres.

use crate::show::{Colour, mix};
use bytemuck::{Pod, Zeroable};
use std::f32::consts::TAU;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Sphere {
    centre: [f32; 3],
    radius: f32,
    pub colour: Colour,
    surface: f32,
}

const GLASS: f32 = 1.0;
const METAL: f32 = 2.0;
const CANDY: &[Colour] = &[
    [0.90, 0.30, 0.24],
    [0.95, 0.72, 0.30],
    [0.35, 0.68, 0.50],
    [0.22, 0.48, 0.75],
    [0.62, 0.36, 0.66],
    [0.90, 0.30, 0.24],
];

/// Three large spheres, and small ones around them like the seeds of a sunflower.
pub fn scene() -> Vec<Sphere> {
    let sphere = |centre, radius, colour, surface| Sphere {
        centre,
        radius,
        colour,
        surface,
    };
    let mut spheres = vec![
        sphere([-1.75, 1.0, 0.1], 1.0, [0.93, 0.93, 0.90], 0.0),
        sphere([0.2, 1.0, 0.9], 1.0, [1.0; 3], GLASS),
        sphere([2.1, 1.0, -0.3], 1.0, [0.95, 0.72, 0.45], METAL + 0.02),
    ];
    for i in 0..90 {
        let (angle, reach) = (TAU * 0.381_966 * i as f32, 0.5 * (i as f32 + 6.0).sqrt());
        let (sin, cos) = angle.sin_cos();
        let radius = 0.16 + 0.11 * (7.0 * angle).sin().abs();
        let centre = [reach * cos, radius, reach * sin];
        let is_free = |other: &Sphere| {
            let apart: f32 = (0..3)
                .map(|axis| (other.centre[axis] - centre[axis]).powi(2))
                .sum();
            apart.sqrt() > other.radius + radius
        };
        let surface = [0.0, 0.0, METAL + 0.15, 0.0, GLASS, 0.0, METAL][i % 7];
        let colour = mix(CANDY, (i as f32 * 0.137).fract()).map(|part| part.powi(2));
        if spheres.iter().all(is_free) {
            let colour = if surface == GLASS { [1.0; 3] } else { colour };
            spheres.push(sphere(centre, radius, colour, surface));
        }
    }
    spheres
}
