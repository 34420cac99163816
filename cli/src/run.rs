//! `divvy run`: a dispatch of any kernel.
//!
//! Loads what is bound, runs, and writes what was asked for; a file is written only after everything has gone well.

use crate::buffers::{Buffers, Inputs};
use crate::data::{Slot, write_text};
use crate::failure::{Failure, Outcome};
use crate::kernel::{Given, KernelFile, Named, Nothing, Where, load, range};
use crate::output::{Files, check_writable, print, tell, the_file};
use crate::report;
use crate::short;
use clap::{Args, ValueEnum, ValueHint};
use divvy::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  Sixteen elements, the result as text:
    divvy run saxpy.wgsl --range 16 --value a=3 --bind x=ones --bind y=iota --out y=-

  A picture in, a picture out, on the CPU alone:
    divvy run blur.wgsl --range 1920x1080 --devices cpu \\
      --bind image=photo.png --out blurred=blurred.png

  NumPy arrays, a struct of values, and every access looked at:
    divvy run heat.wgsl --range 512x512 --bind old=plate.npy --value plate.width=range.x \\
      --value plate.height=range.y --value plate.flow=0.2 --out next=next.npy --checked

Buffers that the kernel only writes need no source: they begin as zeros, one element for each invocation of the range, or as \
many as the type fixes. --out writes all of a buffer, however long the range is. Files of --out are replaced only when the run has succeeded.

Exit codes: 0 if all went well, 1 if the run or a file failed, or --checked found something, 2 if the command line has to be \
changed.";

/// Runs a kernel over a range, on all processors at once
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    #[command(flatten)]
    file: KernelFile,
    /// Which entry point to run, if the kernel has several
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
    /// Invocations along x, y and z: 1000000, 1024x1024 or 64x64x64
    #[arg(long, value_name = "RANGE", value_parser = range, allow_negative_numbers = true)]
    range: Range,
    #[command(flatten)]
    given: Given,
    /// Where to write a buffer: .npy, .png, .txt, .csv, any other name for raw bytes, - for text on the standard output
    ///
    /// May be given several times. Text has a line for each element, or for each row of single numbers; several buffers on
    /// the standard output have a line with # and their name above them.
    #[arg(long, value_name = "NAME=FILE", value_hint = ValueHint::AnyPath)]
    out: Vec<Named>,
    #[command(flatten)]
    place: Where,
    /// Look at every access, on the CPU: out of bounds, data races, divergent barriers
    #[arg(long)]
    checked: bool,
    /// How many times to run; buffers keep what the last time left in them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    repeat: u32,
    /// How to report what each device did; it goes to the standard error output if --out writes to the standard one
    #[arg(long, value_name = "FORM", default_value = "text")]
    report: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Form {
    /// For people
    Text,
    /// For programs
    Json,
    /// Not at all
    None,
}

pub(crate) fn run(options: &Run) -> Outcome {
    let path = &options.file.kernel;
    let kernel = options
        .given
        .complete(load(path)?, path, options.entry.as_deref())?;
    let inputs = options.given.inputs(&kernel, options.range, &mut Nothing)?;
    let outputs = outputs(options, &inputs)?;
    let runtime = options.place.builder();
    let runtime = match options.checked {
        true => runtime.checked(true),
        false => runtime,
    };
    let runtime = runtime.build()?;
    short::warn(&runtime, &kernel, options.range, &inputs)?;
    let buffers = Buffers::new(&runtime, &kernel, options.range, &inputs)?;
    let mut seconds = Vec::new();
    let mut last = None;
    for _ in 0..options.repeat {
        let start = Instant::now();
        last = Some(buffers.dispatch().run()?);
        seconds.push(start.elapsed().as_secs_f64());
    }
    let mut files = Files::default();
    let mut shown = Vec::new();
    let several = outputs.iter().filter(|(_, target)| *target == "-").count() > 1;
    for (input, target) in outputs {
        let (slot, data) = (&inputs.bound[input].0, buffers.read(input)?);
        if target == "-" {
            if several {
                shown.extend_from_slice(format!("# {}\n", slot.name()).as_bytes());
            }
            write_text(slot, &data, " ", &mut shown);
        } else {
            let path = Path::new(target);
            files.add(path, &slot.encode(&data, path)?)?;
        }
    }
    files.finish()?;
    let is_shown = options.out.iter().any(|named| named.text == "-");
    if is_shown {
        print(&shown)?;
    }
    let Some(last) = last else { return Ok(()) };
    let text = match options.report {
        Form::Text => report::text(&last, &seconds),
        Form::Json => report::json(&last, &seconds),
        Form::None => return Ok(()),
    };
    if is_shown {
        tell(text);
        Ok(())
    } else {
        print(text)
    }
}

/// For each output the place of its buffer among the inputs, and where it goes.
fn outputs<'a>(options: &'a Run, inputs: &Inputs) -> Outcome<Vec<(usize, &'a str)>> {
    let slots: Vec<&Slot> = inputs.bound.iter().map(|(slot, _)| slot).collect();
    let place = |named: &'a Named| {
        let place = slots.iter().position(|slot| slot.name() == named.name);
        let place = place.ok_or_else(|| Failure::UnknownName {
            what: "binding",
            name: named.name.clone(),
            found: slots.iter().map(|slot| slot.name().to_owned()).collect(),
        })?;
        Ok((place, named.text.as_str()))
    };
    let outputs: Vec<_> = options.out.iter().map(place).collect::<Outcome<_>>()?;
    let mut files: Vec<(PathBuf, usize)> = Vec::new();
    for (input, target) in outputs.iter().filter(|(_, target)| *target != "-") {
        let path = Path::new(target);
        let file = the_file(path);
        // What is no file, a terminal say, takes any number of things.
        if file.metadata().is_ok_and(|found| !found.is_file()) {
            continue;
        }
        let is_taken = |(other, by): &&(PathBuf, usize)| *other == file && by != input;
        if let Some((_, by)) = files.iter().find(is_taken) {
            return Err(Failure::SameFile {
                first: slots[*by].name().to_owned(),
                second: slots[*input].name().to_owned(),
                path: path.to_owned(),
            });
        }
        files.push((file, *input));
    }
    for (input, target) in outputs.iter().filter(|(_, target)| *target != "-") {
        let (slot, data) = &inputs.bound[*input];
        slot.check_format(&data.extents, Path::new(target))?;
        check_writable(Path::new(target))?;
    }
    Ok(outputs)
}
