//! What the examples share: options, progress, pictures.

use divvy::Runtime;
use divvy::device::DeviceKind;
use divvy::device::gpu::find_gpus;
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, IsTerminal};
use std::path::Path;

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The options of an example, taken one by one from the command line.
pub struct Options(pico_args::Arguments);

impl Options {
    /// Prints `help` and ends if it is asked for.
    pub fn parse(help: &str) -> Self {
        let mut arguments = pico_args::Arguments::from_env();
        if arguments.contains(["-h", "--help"]) {
            println!("{help}");
            std::process::exit(0);
        }
        Self(arguments)
    }

    pub fn number<T>(&mut self, name: &'static str, default: T) -> Outcome<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let value = self.0.opt_value_from_str(name);
        Ok(value
            .map_err(|error| format!("{name}: {error}"))?
            .unwrap_or(default))
    }

    pub fn text(&mut self, name: &'static str) -> Outcome<Option<String>> {
        Ok(self
            .0
            .opt_value_from_str(name)
            .map_err(|error| format!("{name}: {error}"))?)
    }

    pub fn flag(&mut self, name: &'static str) -> bool {
        self.0.contains(name)
    }

    /// The runtime that `--devices` and the environment ask for, once every option has been taken.
    pub fn runtime(mut self) -> Outcome<Runtime> {
        let devices = self.text("--devices")?;
        if let Some(unknown) = self.0.finish().first() {
            return Err(format!("unknown option {}; try --help", unknown.to_string_lossy()).into());
        }
        let builder = Runtime::builder();
        let asks = devices.is_some()
            || std::env::var("DIVVY_DEVICES").is_ok_and(|names| !names.trim().is_empty());
        let runtime = match devices {
            Some(devices) => builder.devices(&devices),
            None => builder,
        }
        .build()?;
        let names: Vec<_> = runtime
            .devices()
            .map(|info| format!("{} ({})", info.name, info.detail))
            .collect();
        println!("running on {}", names.join(" and "));
        let is_gpu = |kind| kind == DeviceKind::Gpu || kind == DeviceKind::SoftwareGpu;
        if !runtime.devices().any(|info| is_gpu(info.kind)) {
            println!("no GPU is used: {}", why_none(asks));
        }
        Ok(runtime)
    }
}

/// Why a runtime has no GPU, by whether the user chose its devices.
fn why_none(asks: bool) -> String {
    if asks {
        return "none was asked for".to_owned();
    }
    let found = find_gpus();
    match found
        .iter()
        .find(|gpu| gpu.kind() == DeviceKind::SoftwareGpu)
    {
        Some(gpu) => format!(
            "`{}` runs on the cores of the CPU and would take them from it; DIVVY_DEVICES=all uses it all the same",
            gpu.name()
        ),
        None => "there is none that can be opened".to_owned(),
    }
}

/// A bar on a terminal, nothing elsewhere.
pub fn progress(steps: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} steps, {eta} left");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A picture of `width` by `height` pixels, three bytes each.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Picture {
    pub fn write_png(&self, path: &Path) -> Outcome {
        let mut encoder = png::Encoder::new(
            BufWriter::new(File::create(path)?),
            self.width as u32,
            self.height as u32,
        );
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(&self.rgb)?;
        println!("wrote {}", path.display());
        Ok(())
    }
}

/// For `examples/galaxy`, whose devices round differently, so that orbits part slowly.
#[allow(dead_code, reason = "not every example compares pictures")]
impl Picture {
    /// Steps of brightness, of 255, that two pictures of one thing differ by on average at most.
    const TOLERANCE: f64 = 1.0;

    pub fn read_png(path: &Path) -> Outcome<Self> {
        let mut reader = png::Decoder::new(BufReader::new(File::open(path)?)).read_info()?;
        let (width, height) = (reader.info().width as usize, reader.info().height as usize);
        let mut rgb = vec![0; reader.output_buffer_size().unwrap_or(0)];
        let frame = reader.next_frame(&mut rgb)?;
        if frame.color_type != png::ColorType::Rgb || frame.bit_depth != png::BitDepth::Eight {
            return Err(format!("{} is no picture of an example", path.display()).into());
        }
        Ok(Self { width, height, rgb })
    }

    pub fn agree_with(&self, other: &Self) -> Outcome {
        if self.rgb.len() != other.rgb.len() {
            return Err("the pictures differ in size".into());
        }
        let apart = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b));
        let sum: f64 = self.rgb.iter().zip(&other.rgb).map(apart).sum();
        let mean = sum / self.rgb.len() as f64;
        println!("the pictures differ by {mean:.4} steps of 255 on average");
        if mean > Self::TOLERANCE {
            return Err(format!("that is more than {}", Self::TOLERANCE).into());
        }
        Ok(())
    }
}

/// Pictures, one after another, as an animated GIF that starts again when it ends.
pub fn write_gif(path: &Path, pictures: Vec<Picture>) -> Outcome {
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
    println!("wrote {}", path.display());
    Ok(())
}
