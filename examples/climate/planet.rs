//! The planet and its jet: what the kernels are told, how it starts, and what must be kept.

use bytemuck::{Pod, Zeroable};
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI, TAU};

const RADIUS: f64 = 6.371_22e6;
const SPIN: f64 = 7.292e-5;
const GRAVITY: f64 = 9.806_16;
/// The walls.
const SOUTH: f64 = PI / 12.0;
const NORTH: f64 = PI / 2.4;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct World {
    width: u32,
    height: u32,
    depth: f32,
    step: f32,
    east: f32,
    north: f32,
    viscosity: f32,
    south: f32,
    across: f32,
    side: u32,
}

/// What sums to the same at all times, but for what viscosity takes.
pub struct Sums {
    pub mass: f64,
    /// But for what the depth has at rest.
    pub energy: f64,
    pub spin: f64,
    /// The spin that isn't the planet's.
    pub jet: f64,
}

impl World {
    /// A grid of so many columns and rows, seen in a picture of `side` pixels each way.
    pub fn new(width: usize, height: usize, side: usize) -> Self {
        let across = (NORTH - SOUTH) / height as f64;
        Self {
            width: width as u32,
            height: height as u32,
            depth: 10_158.0, // at the southern wall, with which the mean on a whole sphere is 10,000
            step: 86_400.0 / (4 * width) as f32,
            east: (TAU * RADIUS / width as f64) as f32,
            north: (across * RADIUS) as f32,
            viscosity: 3e4,
            south: SOUTH as f32,
            across: across as f32,
            side: side as u32,
        }
    }

    /// The same with a step that is so many times shorter.
    pub fn slower(self, times: f32) -> Self {
        let step = self.step / times;
        Self { step, ..self }
    }

    fn across(&self) -> f64 {
        (NORTH - SOUTH) / f64::from(self.height)
    }

    /// What the kernels call `Latitude`, for each row.
    pub fn latitudes(&self) -> Vec<[f32; 5]> {
        let spin = |latitude: f64| 2.0 * SPIN * latitude.sin();
        let latitude = |row| {
            let at = |part| SOUTH + (f64::from(row) + part) * self.across();
            let (south, north) = (at(0.0), at(1.0));
            let cosines = [at(0.5), south, north].map(f64::cos);
            let [middle, below, above] = cosines;
            [middle, below, above, spin(south), spin(north)].map(|number| number as f32)
        };
        (0..self.height).map(latitude).collect()
    }

    /// The jet, the heights that balance it, and a bump of `metres` on it.
    pub fn jet(&self, metres: f64) -> Vec<f32> {
        let (width, across) = (self.width as usize, self.across());
        let (from, to) = (PI / 7.0, FRAC_PI_2 - PI / 7.0);
        let speed = |at: f64| {
            let shape = 1.0 / ((at - from) * (at - to)) + 4.0 / (to - from).powi(2);
            match at > from && at < to {
                true => 80.0 * shape.exp(),
                false => 0.0,
            }
        };
        let mut height = 0.0;
        let mut state = Vec::new();
        for row in 0..self.height {
            let at = SOUTH + (f64::from(row) + 0.5) * across;
            let bump = |column: usize| {
                let east = TAU * ((column as f64 + 0.5) / width as f64 - 0.5);
                let apart = (3.0 * east).powi(2) + (15.0 * (FRAC_PI_4 - at)).powi(2);
                (height + metres * at.cos() * (-apart).exp()) as f32
            };
            state.extend((0..width).map(bump));
            state.extend(std::iter::repeat_n(speed(at) as f32, width));
            state.extend(std::iter::repeat_n(0.0, width));
            // To the middle of the next row, in a hundred steps of the midpoint rule.
            for i in 0..100 {
                let at = at + (f64::from(i) + 0.5) / 100.0 * across;
                let turns = 2.0 * SPIN * RADIUS * at.sin() + speed(at) * at.tan();
                height -= speed(at) * turns / GRAVITY * across / 100.0;
            }
        }
        state
    }

    pub fn sums(&self, state: &[f32]) -> Sums {
        let width = self.width as usize;
        let [mut mass, mut energy, mut spin, mut jet] = [0.0; 4];
        for (row, numbers) in state.chunks(3 * width).enumerate() {
            let cosine = (SOUTH + (row as f64 + 0.5) * self.across()).cos();
            for column in 0..width {
                let [above, u, v] = [0, 1, 2].map(|k| f64::from(numbers[k * width + column]));
                let here = cosine * (f64::from(self.depth) + above);
                mass += here;
                energy += 0.5 * (here * (u * u + v * v) + cosine * GRAVITY * above * above);
                spin += here * cosine * (SPIN * RADIUS * cosine + u);
                jet += here * cosine * u;
            }
        }
        Sums {
            mass,
            energy,
            spin,
            jet,
        }
    }
}
