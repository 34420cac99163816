//! Colours for numbers: maps whose steps look equally large.
//!
//! Mixed in Oklab (Ottosson, "A perceptual color space for image processing", 2020), where lightness is an axis of its own.

/// Red, green and blue as screens have them (sRGB), each from 0 to 1.
pub type Colour = [f32; 3];

/// From black through violet and orange to a pale yellow, as light as the number is large: for 0 to 1.
pub const DUSK: &[Colour] = &[
    [0.01, 0.01, 0.04],
    [0.18, 0.11, 0.42],
    [0.52, 0.16, 0.53],
    [0.84, 0.30, 0.36],
    [0.97, 0.60, 0.24],
    [0.99, 0.95, 0.70],
];

/// From light blue through dark to light orange, as light as the number is far from one half: for what has a sign.
pub const TIDE: &[Colour] = &[
    [0.86, 0.97, 1.00],
    [0.25, 0.66, 0.93],
    [0.10, 0.27, 0.53],
    [0.04, 0.04, 0.07],
    [0.50, 0.15, 0.12],
    [0.93, 0.45, 0.15],
    [1.00, 0.93, 0.75],
];

/// The colour at `place` of a map whose colours stand at equal distances from 0 to 1.
pub fn mix(map: &[Colour], place: f32) -> Colour {
    let place = if place.is_nan() { 0.0 } else { place };
    let along = place.clamp(0.0, 1.0) * (map.len() - 1) as f32;
    let first = (along as usize).min(map.len() - 2);
    let (a, b) = (to_oklab(map[first]), to_oklab(map[first + 1]));
    let part = along - first as f32;
    from_oklab([0, 1, 2].map(|axis| a[axis] + (b[axis] - a[axis]) * part))
}

/// A grey of this lightness.
pub fn grey(lightness: f32) -> Colour {
    from_oklab([lightness, 0.0, 0.0])
}

/// What the light of a screen is, from the number that stands for it.
pub fn to_light(value: f32) -> f32 {
    if value <= 0.040_45 {
        value / 12.92
    } else {
        ((value + 0.055) / 1.055).powf(2.4)
    }
}

/// The number that stands for the light of a screen.
pub fn from_light(light: f32) -> f32 {
    if light <= 0.003_130_8 {
        light.max(0.0) * 12.92
    } else {
        1.055 * light.min(1.0).powf(1.0 / 2.4) - 0.055
    }
}

fn times(matrix: [[f32; 3]; 3], vector: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
}

fn to_oklab(colour: Colour) -> [f32; 3] {
    let cones = times(
        [
            [0.412_221_46, 0.536_332_55, 0.051_445_995],
            [0.211_903_5, 0.680_699_5, 0.107_396_96],
            [0.088_302_46, 0.281_718_85, 0.629_978_7],
        ],
        colour.map(to_light),
    );
    times(
        [
            [0.210_454_26, 0.793_617_8, -0.004_072_047],
            [1.977_998_5, -2.428_592_2, 0.450_593_7],
            [0.025_904_037, 0.782_771_77, -0.808_675_77],
        ],
        cones.map(f32::cbrt),
    )
}

fn from_oklab(lab: [f32; 3]) -> Colour {
    let roots = times(
        [
            [1.0, 0.396_337_78, 0.215_803_76],
            [1.0, -0.105_561_346, -0.063_854_17],
            [1.0, -0.089_484_18, -1.291_485_5],
        ],
        lab,
    );
    let light = times(
        [
            [4.076_741_7, -3.307_711_6, 0.230_969_94],
            [-1.268_438, 2.609_757_4, -0.341_319_38],
            [-0.004_196_086_3, -0.703_418_6, 1.707_614_7],
        ],
        roots.map(|root| root.powi(3)),
    );
    light.map(from_light)
}
