//! Pictures: made from numbers, made smaller, kept as PNG and GIF, compared.

use super::Outcome;
use super::colour::{Colour, from_light, to_light};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

/// A picture of `width` by `height` pixels, three bytes each, from the top left.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Picture {
    /// The pixel at each place, counted from the top left.
    pub fn new(width: usize, height: usize, colour: impl Fn(usize, usize) -> Colour) -> Self {
        let byte = |part: f32| (part * 255.0 + 0.5) as u8;
        let pixels = (0..width * height).flat_map(|i| colour(i % width, i / width).map(byte));
        Self {
            width,
            height,
            rgb: pixels.collect(),
        }
    }

    /// Numbers by rows, each in its colour, the first row on top.
    pub fn of(numbers: &[f32], width: usize, colour: impl Fn(f32) -> Colour) -> Self {
        let height = numbers.len() / width;
        Self::new(width, height, |x, y| colour(numbers[y * width + x]))
    }

    /// Numbers by rows, `times` as large in both directions, with what lies between them. The colour has the place too,
    /// counted in numbers from the top left.
    pub fn between(
        numbers: &[f32],
        width: usize,
        times: usize,
        colour: impl Fn(f32, f32, f32) -> Colour,
    ) -> Self {
        let height = numbers.len() / width;
        Self::new(width * times, height * times, |x, y| {
            let [x, y] = [x, y].map(|at| (at as f32 + 0.5) / times as f32);
            let near = |at: f32, count: usize| {
                let at = (at - 0.5).clamp(0.0, (count - 1) as f32);
                (at as usize, (at as usize + 1).min(count - 1), at.fract())
            };
            let ((left, right, across), (top, bottom, down)) = (near(x, width), near(y, height));
            let along = |row: usize| {
                let [a, b] = [left, right].map(|column| numbers[row * width + column]);
                a + (b - a) * across
            };
            let (a, b) = (along(top), along(bottom));
            colour(a + (b - a) * down, x, y)
        })
    }

    /// The picture at most `width` pixels wide: each pixel has the mean light of those that it covers.
    pub fn shrunk(self, width: usize) -> Self {
        if self.width <= width {
            return self;
        }
        let height = (self.height * width / self.width).max(1);
        let decoded: [f32; 256] = std::array::from_fn(|byte| to_light(byte as f32 / 255.0));
        // First along the rows, then along the columns.
        let (across, down) = (covers(self.width, width), covers(self.height, height));
        let mut wide = vec![[0.0_f32; 3]; width * self.height];
        for (i, pixel) in wide.iter_mut().enumerate() {
            for &(x, weight) in &across[i % width] {
                let from = 3 * (i / width * self.width + x);
                for (sum, byte) in pixel.iter_mut().zip(&self.rgb[from..]) {
                    *sum += weight * decoded[usize::from(*byte)];
                }
            }
        }
        Self::new(width, height, |x, y| {
            let rows = down[y].iter();
            let mean = rows.fold([0.0; 3], |sum: [f32; 3], &(row, weight)| {
                std::array::from_fn(|part| sum[part] + weight * wide[row * width + x][part])
            });
            mean.map(from_light)
        })
    }

    pub fn write_png(&self, path: &Path) -> Outcome {
        let mut encoder = self.encoder(path)?;
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(&self.rgb)?;
        Ok(())
    }

    /// A file that is a third as large or less, because there are no more than 256 colours.
    pub fn write_small_png(&self, path: &Path) -> Outcome {
        let (width, height) = (self.width as u16, self.height as u16);
        // An animation's frame has its colours chosen already. Sorted, neighbours have numbers that are near each other.
        let frame = gif::Frame::from_rgb_speed(width, height, &self.rgb, 1);
        let palette = frame.palette.unwrap_or_default();
        let colours: Vec<&[u8]> = palette.chunks_exact(3).collect();
        let mut order: Vec<usize> = (0..colours.len()).collect();
        order.sort_by_key(|i| colours[*i].iter().map(|part| u32::from(*part)).sum::<u32>());
        let mut places = vec![0; order.len()];
        (0_u8..)
            .zip(&order)
            .for_each(|(place, i)| places[*i] = place);
        let pixels: Vec<u8> = frame
            .buffer
            .iter()
            .map(|i| places[usize::from(*i)])
            .collect();
        let mut encoder = self.encoder(path)?;
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(
            order
                .iter()
                .flat_map(|i| colours[*i].to_vec())
                .collect::<Vec<u8>>(),
        );
        encoder.write_header()?.write_image_data(&pixels)?;
        Ok(())
    }

    fn encoder(&self, path: &Path) -> Outcome<png::Encoder<'static, BufWriter<File>>> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let (width, height) = (self.width as u32, self.height as u32);
        let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
        encoder.set_compression(png::Compression::High);
        Ok(encoder)
    }

    pub fn read_png(path: &Path) -> Outcome<Self> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
        let (width, height) = (reader.info().width as usize, reader.info().height as usize);
        let mut rgb = vec![0; reader.output_buffer_size().unwrap_or(0)];
        let frame = reader.next_frame(&mut rgb)?;
        if frame.color_type != png::ColorType::Rgb || frame.bit_depth != png::BitDepth::Eight {
            return Err(format!("{} is no picture of an example", path.display()).into());
        }
        Ok(Self { width, height, rgb })
    }

    /// Steps of brightness, of 255, that two pictures differ by on average.
    pub fn distance(&self, other: &Self) -> Outcome<f64> {
        if (self.width, self.height) != (other.width, other.height) {
            return Err("the pictures differ in size".into());
        }
        let apart = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b));
        let sum: f64 = self.rgb.iter().zip(&other.rgb).map(apart).sum();
        Ok(sum / self.rgb.len() as f64)
    }
}

/// For each of `to` pixels, those of `from` that it covers and how much of it each is.
fn covers(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let scale = from as f64 / to as f64;
    let pixel = |i: usize| {
        let (begin, end) = (i as f64 * scale, ((i + 1) as f64 * scale).min(from as f64));
        let part = |at: usize| (end.min(at as f64 + 1.0) - begin.max(at as f64)) / (end - begin);
        let covered = (begin as usize)..(end.ceil() as usize);
        covered.map(|at| (at, part(at) as f32)).collect()
    };
    (0..to).map(pixel).collect()
}

/// Pictures, one after another, as an animated GIF that starts again when it ends.
pub fn write_gif(path: &Path, pictures: &[Picture]) -> Outcome {
    let Some(first) = pictures.first() else {
        return Ok(());
    };
    let (width, height) = (first.width as u16, first.height as u16);
    let mut encoder = gif::Encoder::new(BufWriter::new(File::create(path)?), width, height, &[])?;
    encoder.set_repeat(gif::Repeat::Infinite)?;
    for picture in pictures {
        let mut frame = gif::Frame::from_rgb_speed(width, height, &picture.rgb, 10);
        frame.delay = 4; // hundredths of a second
        encoder.write_frame(&frame)?;
    }
    Ok(())
}
