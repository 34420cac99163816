//! The street that is scanned, and its map made by one point after another.

use bytemuck::{Pod, Zeroable};

/// Cells of the map of a quarter of a metre, each way.
pub const SIDE: usize = 512;
/// The height of a cell without points.
pub const EMPTY: i32 = i32::MAX;
/// The shape of a tree's crown; a box is 0, a cylinder 1.
pub const CROWN: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Thing {
    centre: [f32; 3],
    pub shape: u32,
    half: [f32; 3],
    turned: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Point {
    pub place: [f32; 3],
    pub label: u32,
}

/// Houses, cars, lamps, trees and people along a road of 128 metres.
pub fn street(random: &mut fastrand::Rng) -> Vec<Thing> {
    let mut things = Vec::new();
    let mut put = |shape, [x, y]: [f32; 2], [half_x, half_y, from, to]: [f32; 4], turned| {
        let road = 0.5 * (0.06 * x).sin() - 0.015 * y.abs().min(5.0);
        let floor = road + if y.abs() > 5.5 { 0.12 } else { 0.0 };
        things.push(Thing {
            centre: [x, y, floor + (from + to) / 2.0],
            shape,
            half: [half_x, half_y, (to - from) / 2.0],
            turned,
        });
    };
    for side in [-1.0, 1.0] {
        let mut x = -64.0;
        while x < 64.0 {
            let (width, depth) = (6.0 + 10.0 * random.f32(), 5.0 + 4.0 * random.f32());
            let setback = 11.0 + 3.0 * random.f32();
            let house = [width / 2.0, depth, -2.0, 5.0 + 6.0 * random.f32()];
            put(0, [x + width / 2.0, side * (setback + depth)], house, 0.0);
            x += width + if random.u8(0..3) == 0 { 5.0 } else { 0.0 };
        }
        for lot in 0..18 {
            let x = -61.0 + 7.0 * lot as f32;
            if random.u8(0..3) > 0 {
                let y = side * (4.2 + 0.3 * random.f32());
                let turned = 0.08 * (random.f32() - 0.5);
                put(0, [x + random.f32(), y], [2.2, 0.9, 0.2, 0.8], turned);
                put(0, [x + random.f32() - 0.3, y], [1.1, 0.8, 0.8, 1.5], turned);
            }
            match lot % 3 {
                0 => put(1, [x, side * 6.2], [0.1, 0.1, 0.0, 6.0], 0.0),
                1 => {
                    put(1, [x, side * 7.5], [0.2, 0.2, 0.0, 3.5], 0.0);
                    put(CROWN, [x, side * 7.5], [1.8, 1.8, 2.8, 6.5], 0.0);
                }
                _ => {
                    let y = side * (6.5 + 3.5 * random.f32());
                    put(1, [x + 4.0 * random.f32(), y], [0.25, 0.25, 0.0, 1.75], 0.0);
                }
            }
        }
    }
    things
}

/// The lowest point of each cell, and how many there are.
pub fn one_after_another(points: &[Point]) -> (Vec<i32>, Vec<u32>) {
    let (mut least, mut counts) = (vec![EMPTY; SIDE * SIDE], vec![0; SIDE * SIDE]);
    for point in points.iter().filter(|point| point.label > 0) {
        let at = [0, 1].map(|axis| (point.place[axis] * 4.0).floor() as i64 + SIDE as i64 / 2);
        if at.iter().all(|at| (0..SIDE as i64).contains(at)) {
            let cell = at[1] as usize * SIDE + at[0] as usize;
            least[cell] = least[cell].min(ordered(point.place[2]));
            counts[cell] += 1;
        }
    }
    (least, counts)
}

/// Whole numbers in the order of what they stand for.
fn ordered(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    if bits < 0 { bits ^ i32::MAX } else { bits }
}
