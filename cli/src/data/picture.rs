//! `.png` pictures, one pixel an element.
//!
//! What a pixel is follows from the element's type: `u32` and `i32` are red, green, blue and alpha in one byte each, red the
//! lowest, as `pack4x8unorm` packs them; `f32` is its brightness from 0 to 1; `vec3<f32>` is red, green and blue and
//! `vec4<f32>` alpha besides, from 0 to 1. Nothing is done about gamma: numbers are those of the file.
//!
//! Invariant: a picture that is written and read again is the same to within half of one of its 255 steps.

use super::{Data, Slot, told};
use crate::failure::{Failure, Outcome};
use crate::numbers::{self, Value};
use divvy::kernel::{Leaf, Number};
use png::{BitDepth, ColorType, Decoder, Encoder, Transformations};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// How pixels become numbers.
#[derive(Clone, Copy, PartialEq)]
enum Pixel {
    Packed,
    Grey,
    Rgb,
    Rgba,
}

/// How much smaller deflate makes anything at most is a little over a thousand; alpha or a palette make four bytes of one, or
/// of a part of one.
const MOST_COMPRESSED: u64 = 1040 * 4 * 8;
const MOST_OVERHEAD: u64 = 1 << 16;

const TAKEN: &str = "pixels are u32, f32, vec3<f32> or vec4<f32>";

fn pixel(slot: &Slot) -> Option<(Pixel, &[Leaf], u64)> {
    let (number, leaves, stride) = slot.plain()?;
    let pixel = match (number, leaves.len()) {
        (Number::Unsigned(4) | Number::Signed(4), 1) => Pixel::Packed,
        (Number::Float(_), 1) => Pixel::Grey,
        (Number::Float(_), 3) => Pixel::Rgb,
        (Number::Float(_), 4) => Pixel::Rgba,
        _ => return None,
    };
    Some((pixel, leaves, stride))
}

pub(super) fn read(slot: &Slot, path: &Path) -> Outcome<Data> {
    let malformed = |error: png::DecodingError| Failure::Malformed {
        path: path.to_owned(),
        format: ".png",
        why: error.to_string(),
    };
    let Some((pixel, leaves, stride)) = pixel(slot) else {
        return Err(Failure::Unfit {
            path: path.to_owned(),
            name: slot.name().to_owned(),
            why: format!("it is made of `{}`", slot.binding.layout.element.type_name),
            hint: TAKEN,
        });
    };
    let file = File::open(path).map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })?;
    let stored = file.metadata().map_or(u64::MAX, |found| found.len());
    let mut decoder = Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
    let mut reader = decoder.read_info().map_err(malformed)?;
    // A few bytes may promise a picture that no memory holds; what is compressed best is this much smaller at most.
    let bytes = reader.output_buffer_size().unwrap_or(usize::MAX);
    let most = stored
        .saturating_mul(MOST_COMPRESSED)
        .saturating_add(MOST_OVERHEAD);
    if bytes as u64 > most {
        let (width, height) = reader.info().size();
        return Err(Failure::Malformed {
            path: path.to_owned(),
            format: ".png",
            why: format!(
                "its {stored} bytes can't hold the {width}x{height} pixels that it promises"
            ),
        });
    }
    let mut colours = vec![0; bytes];
    let frame = reader.next_frame(&mut colours).map_err(malformed)?;
    let channels = frame.color_type.samples();
    let count = u64::from(frame.width) * u64::from(frame.height);
    let extents = vec![u64::from(frame.width), u64::from(frame.height)];
    slot.check_count(count, path)?;
    let mut bytes = vec![0; slot.bytes(count).unwrap_or(0) as usize];
    if slot.count(bytes.len() as u64) < count {
        return Err(Failure::Unfit {
            path: path.to_owned(),
            name: slot.name().to_owned(),
            why: format!("it has {} pixels", told(&extents)),
            hint: "",
        });
    }
    for (i, colour) in colours.chunks_exact(channels).enumerate() {
        // Grey pictures have a channel and alpha, all others three and alpha.
        let rgba = match *colour {
            [grey, alpha] => [grey, grey, grey, alpha],
            [r, g, b, a] => [r, g, b, a],
            _ => [0, 0, 0, 255],
        };
        let at = i * stride as usize;
        let unit = |step: u8| Value::Float(f64::from(step) / 255.0);
        match pixel {
            Pixel::Packed => bytes[at..at + 4].copy_from_slice(&rgba),
            Pixel::Grey => {
                let [r, g, b, _] = rgba.map(f64::from);
                // The weights of Rec. 709, which add up to one.
                let grey = (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255.0;
                numbers::write(leaves[0].number, Value::Float(grey), &mut bytes[at..]);
            }
            Pixel::Rgb | Pixel::Rgba => {
                for (leaf, step) in leaves.iter().zip(rgba) {
                    let place = &mut bytes[at + leaf.offset as usize..];
                    numbers::write(leaf.number, unit(step), place);
                }
            }
        }
    }
    Ok(Data { bytes, extents })
}

fn unshown(slot: &Slot, why: String) -> Failure {
    Failure::Unshown {
        name: slot.name().to_owned(),
        format: ".png",
        why,
    }
}

/// How a binding is shown as a picture.
pub(super) struct Shown<'a> {
    pixel: Pixel,
    leaves: &'a [Leaf],
    stride: u64,
    width: u32,
    height: u32,
}

/// How the binding would be shown, with so many elements along x, y and z.
pub(super) fn shown<'a>(slot: &'a Slot, extents: &[u64]) -> Outcome<Shown<'a>> {
    let unshown = |why: String| unshown(slot, why);
    let Some((pixel, leaves, stride)) = pixel(slot) else {
        let type_name = &slot.binding.layout.element.type_name;
        return Err(unshown(format!("it is made of `{type_name}`, and {TAKEN}")));
    };
    let (width, height) = match extents {
        [width, height] | [width, height, 1] => (*width, *height),
        other => {
            return Err(unshown(format!(
                "nothing says how wide its {} pixels are; give a range or a source of two dimensions, as 640x480",
                told(other)
            )));
        }
    };
    let side = |extent: u64| {
        let most = "a side of a picture has at most 2^31 - 1 pixels".to_owned();
        u32::try_from(extent).map_err(|_| unshown(most))
    };
    Ok(Shown {
        pixel,
        leaves,
        stride,
        width: side(width)?,
        height: side(height)?,
    })
}

pub(super) fn write(slot: &Slot, data: &Data, out: &mut Vec<u8>) -> Outcome {
    let unshown = |why: String| unshown(slot, why);
    let Shown {
        pixel,
        leaves,
        stride,
        width,
        height,
    } = shown(slot, &data.extents)?;
    let colour = match pixel {
        Pixel::Packed | Pixel::Rgba => ColorType::Rgba,
        Pixel::Grey => ColorType::Grayscale,
        Pixel::Rgb => ColorType::Rgb,
    };
    let mut colours = Vec::new();
    for i in 0..u64::from(width) * u64::from(height) {
        let at = (i * stride) as usize;
        if pixel == Pixel::Packed {
            colours.extend_from_slice(&data.bytes[at..at + 4]);
            continue;
        }
        colours.extend(leaves.iter().map(|leaf| {
            match numbers::read(leaf.number, &data.bytes[at + leaf.offset as usize..]) {
                // What isn't a number is black.
                Value::Float(value) => (value.clamp(0.0, 1.0) * 255.0).round() as u8,
                _ => 0,
            }
        }));
    }
    let mut encoder = Encoder::new(out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    let encoded = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&colours)?;
        writer.finish()
    });
    encoded.map_err(|error| unshown(error.to_string()))
}
