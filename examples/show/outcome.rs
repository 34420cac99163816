//! An example while it runs and what it says at the end: progress, checks, numbers, pictures, and who did what.

use super::Outcome;
use super::options::{Example, Options};
use super::picture::{Picture, write_gif};
use divvy::kernel::{Pattern, Strided};
use divvy::{Access, DispatchBuilder, Event, Report, Runtime};
use indicatif::{ProgressBar, ProgressBarIter, ProgressFinish, ProgressIterator, ProgressStyle};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::fmt::Arguments;
use std::io::IsTerminal;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

/// The most dispatches that are submitted and not yet waited for.
const MOST_SUBMITTED: usize = 32;
/// The most pictures of an animation, and how wide they are.
const MOST_FRAMES: usize = 120;
const FRAME_WIDTH: usize = 320;

/// An example that runs.
pub struct Show {
    pub runtime: Runtime,
    pub options: Options,
    name: &'static str,
    tolerance: f64,
    bar: ProgressBar,
    submitted: VecDeque<Event>,
    began: Option<Instant>,
    seconds: f64,
    dispatches: usize,
    invocations: Vec<u64>,
    bytes_moved: u64,
    last: Option<Report>,
    patterns: Vec<Vec<Pattern>>,
    may_animate: bool,
    frames: Vec<Picture>,
    files: Vec<PathBuf>,
    numbers: Map<String, Value>,
    checks: Vec<Value>,
    failed: Vec<String>,
}

impl Show {
    pub(super) fn new(example: Example, options: Options, runtime: Runtime) -> Self {
        Self {
            name: example.name,
            tolerance: example.tolerance.unwrap_or(0.0),
            bar: ProgressBar::hidden(),
            invocations: vec![0; runtime.devices().count()],
            runtime,
            options,
            submitted: VecDeque::new(),
            began: None,
            seconds: 0.0,
            dispatches: 0,
            bytes_moved: 0,
            last: None,
            patterns: Vec::new(),
            may_animate: false,
            frames: Vec::new(),
            files: Vec::new(),
            numbers: Map::new(),
            checks: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// A line for people.
    pub fn say(&self, text: Arguments<'_>) {
        self.bar.suspend(|| {
            if self.options.json {
                eprintln!("{text}");
            } else {
                println!("{text}");
            }
        });
    }

    /// The steps that `--steps` asks for, with a bar on a terminal. An animation begins with them.
    pub fn steps(&mut self) -> ProgressBarIter<Range<usize>> {
        self.may_animate = self.options.animate;
        if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} steps, {eta} left");
            self.bar = ProgressBar::new(self.options.steps as u64)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_finish(ProgressFinish::AndClear);
        }
        (0..self.options.steps).progress_with(self.bar.clone())
    }

    /// Submits a dispatch, and waits for the oldest one where there are many.
    ///
    /// That it can be split is a check; its access patterns are said the first time that these buffers come together.
    pub fn submit(&mut self, dispatch: DispatchBuilder<'_>) -> Outcome {
        let patterns = dispatch.patterns()?;
        if let Some(whole) = patterns.iter().find(|pattern| pattern.access.is_none()) {
            self.check(&format!("can be split, but: {whole:?}"), false);
        } else if !self
            .patterns
            .iter()
            .any(|known| are_of_same(known, &patterns))
        {
            self.check(&format!("can be split: {}", in_words(&patterns)), true);
            self.patterns.push(patterns);
        }
        self.began.get_or_insert_with(Instant::now);
        self.submitted.push_back(dispatch.submit()?);
        if self.submitted.len() > MOST_SUBMITTED {
            self.wait_for_one()?;
        }
        Ok(())
    }

    /// Waits for all that was submitted. The time until the next dispatch doesn't count.
    pub fn wait(&mut self) -> Outcome {
        while !self.submitted.is_empty() {
            self.wait_for_one()?;
        }
        self.seconds += self
            .began
            .take()
            .map_or(0.0, |began| began.elapsed().as_secs_f64());
        Ok(())
    }

    /// Seconds in which dispatches were under way, up to the last wait.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// What the device of this name did of all dispatches that were waited for.
    pub fn invocations(&self, device: &str) -> u64 {
        let devices = self.runtime.devices().zip(&self.invocations);
        let own = devices.filter(|(info, _)| info.name == device);
        own.map(|(_, invocations)| invocations).sum()
    }

    fn wait_for_one(&mut self) -> Outcome {
        let Some(event) = self.submitted.pop_front() else {
            return Ok(());
        };
        let report = event.wait()?;
        self.dispatches += 1;
        self.bytes_moved += report.bytes_moved();
        for (sum, device) in self.invocations.iter_mut().zip(&report.devices) {
            *sum += device.invocations;
        }
        self.last = Some(report);
        Ok(())
    }

    /// A picture of the animation after this step, if one is asked for and due.
    pub fn frame(&mut self, step: usize, picture: impl FnOnce() -> Outcome<Picture>) -> Outcome {
        let every = self.options.steps.div_ceil(MOST_FRAMES);
        if self.may_animate && step.is_multiple_of(every) {
            self.wait()?;
            self.frames.push(picture()?.shrunk(FRAME_WIDTH));
        }
        Ok(())
    }

    /// Writes the picture and the animation, and compares the picture if that is asked for.
    pub fn picture(&mut self, picture: Picture) -> Outcome {
        let picture = picture.shrunk(self.options.width);
        if self.options.small {
            picture.write_small_png(&self.options.out)?;
        } else {
            picture.write_png(&self.options.out)?;
        }
        self.files.push(self.options.out.clone());
        if !self.frames.is_empty() {
            let path = self.options.out.with_extension("gif");
            write_gif(&path, &self.frames)?;
            self.files.push(path);
        }
        if let Some(like) = &self.options.like {
            let distance = picture.distance(&Picture::read_png(like)?)?;
            let rule = format!("steps of 255 from {}", like.display());
            self.within(&rule, distance, self.tolerance);
        }
        Ok(())
    }

    /// Something found that has no right or wrong.
    pub fn number(&mut self, name: &str, number: impl Into<Value>) {
        let number = number.into();
        self.say(format_args!("{name}: {number}"));
        self.numbers.insert(name.to_owned(), number);
    }

    /// A rule that must hold, or the example fails.
    pub fn check(&mut self, rule: &str, holds: bool) {
        self.note(rule, rule, holds, Value::Null);
    }

    /// A number that must be between zero and `most`, or the example fails.
    pub fn within(&mut self, rule: &str, found: f64, most: f64) {
        let text = format!("{rule}: {}, at most {most}", short(found));
        let holds = (0.0..=most).contains(&found);
        self.note(rule, &text, holds, json!(found));
    }

    fn note(&mut self, rule: &str, text: &str, holds: bool, found: Value) {
        let verdict = if holds { "right" } else { "WRONG" };
        self.say(format_args!("{verdict}: {text}"));
        self.checks
            .push(json!({ "rule": rule, "holds": holds, "found": found }));
        if !holds {
            self.failed.push(text.to_owned());
        }
    }

    /// Says who did what, and fails if a check did.
    pub fn end(mut self) -> Outcome {
        self.wait()?;
        for file in &self.files {
            self.say(format_args!("wrote {}", file.display()));
        }
        let total: u64 = self.invocations.iter().sum();
        let rate = total as f64 / self.seconds.max(1e-9);
        if let Some(last) = &self.last {
            self.say(format_args!(
                "{} dispatch{} in {:.2} s, {:.1} million invocations a second; the last one: {}",
                self.dispatches,
                if self.dispatches == 1 { "" } else { "es" },
                self.seconds,
                rate / 1e6,
                last.to_string().trim_end()
            ));
        }
        let names: Vec<_> = self.runtime.devices().map(|info| &info.name).collect();
        let share = |invocations: &u64| *invocations as f64 / total.max(1) as f64;
        if self.dispatches > 1 {
            for (name, invocations) in names.iter().zip(&self.invocations) {
                let percent = 100.0 * share(invocations);
                self.say(format_args!("of all dispatches: {percent:.1} % by {name}"));
            }
        }
        if self.options.json {
            let devices = names
                .iter()
                .zip(&self.invocations)
                .map(|(name, n)| json!({ "device": name, "invocations": n, "share": share(n) }));
            let facts = json!({
                "example": self.name,
                "passed": self.failed.is_empty(),
                "size": self.options.size,
                "steps": self.options.steps,
                "seed": self.options.seed,
                "checks": self.checks,
                "numbers": self.numbers,
                "files": self.files,
                "dispatches": self.dispatches,
                "seconds": self.seconds,
                "invocations_per_second": rate,
                "bytes_moved": self.bytes_moved,
                "devices": devices.collect::<Vec<_>>(),
                "last_dispatch": self.last.as_ref().map(facts_of),
            });
            println!("{facts:#}");
        }
        if self.failed.is_empty() {
            return Ok(());
        }
        Err(format!("{} is wrong: {}", self.name, self.failed.join("; ")).into())
    }
}

/// A number with three digits that count.
fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size @ 1e-3..1e3 => {
            let decimals = 2 - size.log10().floor() as i32;
            format!("{number:.*}", decimals.max(0) as usize)
        }
        _ => format!("{number:.2e}"),
    }
}

/// Whether the patterns are of buffers with the same names.
fn are_of_same(a: &[Pattern], b: &[Pattern]) -> bool {
    let names = |of: &Pattern| of.binding.clone();
    a.iter().map(names).eq(b.iter().map(names))
}

fn in_words(patterns: &[Pattern]) -> String {
    let word = |pattern: &Pattern| {
        let access = pattern.access.map(|access| match access {
            Access::Strided(Strided {
                units,
                stride,
                from,
                to,
            }) => {
                format!("Strided({from}..{to} for {units} units, stride {stride})")
            }
            access => access.to_string(),
        });
        format!("{} {}", pattern.binding, access.unwrap_or_default())
    };
    patterns.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn facts_of(report: &Report) -> Value {
    let devices = report.devices.iter().map(|device| {
        json!({
            "device": *device.device,
            "chunks": device.chunks,
            "invocations": device.invocations,
            "share": device.share,
            "seconds": device.seconds,
            "bytes_to_device": device.bytes_to_device,
            "bytes_from_device": device.bytes_from_device,
            "copy_seconds": device.copy_seconds,
            "left_out": device.left_out,
        })
    });
    json!({
        "entry": report.entry,
        "range": report.range,
        "seconds": report.seconds,
        "balance": report.balance(),
        "devices": devices.collect::<Vec<_>>(),
        "speedup": report.comparison.map(|comparison| comparison.speedup),
        "s_max": report.comparison.map(|comparison| comparison.s_max),
        "notes": report.notes,
    })
}
