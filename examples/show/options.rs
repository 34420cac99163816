//! What an example is called, what it can be told on the command line, and the runtime that is asked for.

use super::{Outcome, Show};
use divvy::device::DeviceKind;
use divvy::device::gpu::find_gpus;
use divvy::{Builder, Runtime};
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

/// An example before it begins: its options and their defaults.
pub struct Example {
    pub(super) name: &'static str,
    about: &'static str,
    size: Option<Number>,
    steps: Option<Number>,
    seed: Option<u64>,
    pub(super) tolerance: Option<f64>,
    more: Vec<(&'static str, &'static str)>,
}

struct Number {
    default: usize,
    allowed: RangeInclusive<usize>,
    about: &'static str,
}

/// What the command line says. Of what an example has no option for, the numbers are zero.
pub struct Options {
    pub size: usize,
    pub steps: usize,
    pub seed: u64,
    pub json: bool,
    pub out: PathBuf,
    /// The most pixels across.
    pub width: usize,
    pub small: bool,
    pub animate: bool,
    pub like: Option<PathBuf>,
    more: HashMap<&'static str, String>,
}

impl Example {
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            size: None,
            steps: None,
            seed: None,
            tolerance: None,
            more: Vec::new(),
        }
    }

    /// `--size`, and which there may be: `about` says of what.
    pub fn size(
        mut self,
        default: usize,
        allowed: RangeInclusive<usize>,
        about: &'static str,
    ) -> Self {
        self.size = Some(Number {
            default,
            allowed,
            about,
        });
        self
    }

    /// `--steps`, at least one; `about` says of what.
    pub fn steps(mut self, default: usize, about: &'static str) -> Self {
        self.steps = Some(Number {
            default,
            allowed: 1..=1 << 24,
            about,
        });
        self
    }

    pub fn seed(mut self, default: u64) -> Self {
        self.seed = Some(default);
        self
    }

    /// `--out` and what else a picture needs. Pictures of one thing made by different devices may differ by `tolerance`
    /// steps of brightness, of 255, on average.
    pub fn draws(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// One more option with a value: its name, and its line of the help, which begins with what stands for the value.
    pub fn option(mut self, name: &'static str, about: &'static str) -> Self {
        self.more.push((name, about));
        self
    }

    /// Takes the command line and opens the runtime; prints the help and ends if that is asked for.
    pub fn open(self) -> Outcome<Show> {
        self.open_as(Runtime::builder())
    }

    /// The same with a runtime that is set up in a way of its own, but for the devices that are asked for.
    pub fn open_as(self, builder: Builder) -> Outcome<Show> {
        let mut arguments = pico_args::Arguments::from_env();
        if arguments.contains(["-h", "--help"]) {
            println!("{}", self.help());
            std::process::exit(0);
        }
        let devices: Option<String> = arguments.opt_value_from_str("--devices")?;
        let options = self.options(arguments)?;
        let asks = devices.is_some()
            || std::env::var("DIVVY_DEVICES").is_ok_and(|names| !names.trim().is_empty());
        let builder = match devices {
            Some(devices) => builder.devices(&devices),
            None => builder,
        };
        let show = Show::new(self, options, builder.build()?);
        let names = show.runtime.devices();
        let names: Vec<_> = names
            .map(|info| format!("{} ({})", info.name, info.detail))
            .collect();
        show.say(format_args!("running on {}", names.join(" and ")));
        let has = |kind| show.runtime.devices().any(|info| info.kind == kind);
        if !has(DeviceKind::Gpu) && !has(DeviceKind::SoftwareGpu) {
            let asks = asks || has(DeviceKind::Other); // its devices were chosen by whoever wrote the example
            show.say(format_args!("no GPU is used: {}", why_none(asks)));
        }
        Ok(show)
    }

    fn options(&self, mut arguments: pico_args::Arguments) -> Outcome<Options> {
        let size = number(&mut arguments, "--size", self.size.as_ref())?;
        let steps = number(&mut arguments, "--steps", self.steps.as_ref())?;
        let mut more = HashMap::new();
        for (name, _) in &self.more {
            if let Some(text) = value::<String>(&mut arguments, name)? {
                more.insert(*name, text);
            }
        }
        let (mut out, mut width, mut like) = (None, None, None);
        let (mut small, mut animate) = (false, false);
        if self.tolerance.is_some() {
            out = value(&mut arguments, "--out")?;
            width = value(&mut arguments, "--width")?;
            small = arguments.contains("--small");
            animate = arguments.contains("--animate");
            like = value(&mut arguments, "--like")?;
        }
        let seed = match self.seed {
            Some(default) => value(&mut arguments, "--seed")?.unwrap_or(default),
            None => 0,
        };
        let json = arguments.contains("--json");
        if let Some(unknown) = arguments.finish().first() {
            return Err(format!("unknown option {}; try --help", unknown.to_string_lossy()).into());
        }
        Ok(Options {
            size,
            steps,
            seed,
            json,
            out: out.unwrap_or_else(|| PathBuf::from(format!("{}.png", self.name))),
            width: width.unwrap_or(640).max(1),
            small,
            animate,
            like,
            more,
        })
    }

    fn help(&self) -> String {
        let mut lines = Vec::new();
        for (name, number) in [("--size", &self.size), ("--steps", &self.steps)] {
            if let Some(number) = number {
                lines.push((
                    format!("{name} N"),
                    format!("{} ({})", number.about, number.default),
                ));
            }
        }
        if let Some(seed) = self.seed {
            let about = format!("where random numbers begin ({seed})");
            lines.push(("--seed N".to_owned(), about));
        }
        for (name, about) in &self.more {
            let (value, about) = about.split_once(' ').unwrap_or((about, ""));
            lines.push((format!("{name} {value}"), about.to_owned()));
        }
        let mut line = |name: &str, about: &str| lines.push((name.to_owned(), about.to_owned()));
        line(
            "--devices X",
            "which devices: cpu, gpu, gpu0, all, or part of a name",
        );
        if self.tolerance.is_some() {
            line("--out FILE", &format!("the picture ({}.png)", self.name));
            line("--width N", "the most pixels across that it has (640)");
            line("--small", "with 256 colours at most");
            line("--animate", "draw FILE with .gif too");
            line(
                "--like FILE",
                "fail unless the picture agrees with this one, made elsewhere",
            );
        }
        line(
            "--json",
            "say what was found as one JSON object on stdout, and all else on stderr",
        );
        let lines: Vec<_> = lines
            .iter()
            .map(|(name, about)| format!("  {name:14}{about}"))
            .collect();
        format!("{}\n\n{}", self.about, lines.join("\n"))
    }
}

impl Options {
    /// The value of one of the example's own options, if it was given.
    pub fn more<T: FromStr<Err: Display>>(&self, name: &str) -> Outcome<Option<T>> {
        let parsed = self.more.get(name).map(|text| text.parse());
        Ok(parsed
            .transpose()
            .map_err(|error| format!("{name}: {error}"))?)
    }
}

fn value<T: FromStr<Err: Display>>(
    arguments: &mut pico_args::Arguments,
    name: &'static str,
) -> Outcome<Option<T>> {
    let value = arguments.opt_value_from_str(name);
    Ok(value.map_err(|error| format!("{name}: {error}"))?)
}

fn number(
    arguments: &mut pico_args::Arguments,
    name: &'static str,
    number: Option<&Number>,
) -> Outcome<usize> {
    let Some(number) = number else {
        return Ok(0);
    };
    let value = value(arguments, name)?.unwrap_or(number.default);
    let (least, most) = (number.allowed.start(), number.allowed.end());
    if !number.allowed.contains(&value) {
        return Err(format!("{name} {value}: it takes at least {least} and at most {most}").into());
    }
    Ok(value)
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
