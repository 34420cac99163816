//! One entry point, run everywhere.
//!
//! Asks the processes, compares what they wrote, and has a difference looked at in checked mode; counting is left to the
//! caller.
//!
//! Invariant: a difference is blamed on the kernel only if checked mode finds a fault in it that can reach what differs.

use crate::data::{Filled, Nearness, ROUNDS, filled};
use crate::process::{Answer, Process};
use crate::settings::Settings;
use crate::worker;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// What came of an entry point.
pub(crate) enum Outcome {
    /// The runtime refuses it, and says why.
    Refused(String),
    /// It can't be run from here, or doesn't end.
    Undrivable(String),
    /// It panicked, or ended the process.
    Broken(String),
    /// It ran.
    Driven {
        /// Whether anything is other than it was before.
        is_effective: bool,
        /// How the GPU's results compare.
        gpu: Comparison,
        /// How those of the interpreted program do.
        interpreted: Comparison,
    },
}

/// How results compare with those of the CPU.
pub(crate) enum Comparison {
    Equal,
    /// There are none, for this reason.
    None(String),
    /// They differ, and checked mode finds these faults in the kernel, which can reach all that differs.
    Faulty(String, String),
    /// They differ.
    Different(String),
}

/// The processes that kernels run in.
pub(crate) struct Processes {
    pub(crate) compiled: Process,
    interpreted: Process,
    checked: Process,
    gpu: Process,
    scratch: PathBuf,
}

impl Processes {
    pub(crate) fn new(scratch: &Path) -> Self {
        Self {
            compiled: Process::new("cpu", None),
            interpreted: Process::new("cpu", Some(("DIVVY_SIMD", "v4"))),
            checked: Process::new("cpu", Some(("DIVVY_CHECKED", "1"))),
            gpu: Process::new("gpu0", None),
            scratch: scratch.to_owned(),
        }
    }

    /// Runs an entry point in every round.
    pub(crate) fn drive(&mut self, file: &Path, entry: &str) -> Outcome {
        let mut is_effective = false;
        let (mut gpu, mut interpreted) = (Comparison::Equal, Comparison::Equal);
        for round in 0..ROUNDS {
            let out = self.scratch.join("compiled");
            match self.compiled.run(file, entry, round, &out) {
                Answer::Endless => {
                    return Outcome::Undrivable("takes too long".to_owned());
                }
                Answer::Crashed(how) => return Outcome::Broken(format!("round {round}: {how}")),
                Answer::Said(word, words) => match word.as_str() {
                    "ran" => {}
                    "refused" => return Outcome::Refused(words),
                    "undrivable" => return Outcome::Undrivable(words),
                    _ => return Outcome::Broken(format!("round {round}: {word}: {words}")),
                },
            }
            let prepared = prepared(file, entry, round).and_then(|all| Ok((all, fs::read(&out)?)));
            let (all, written) = match prepared {
                Ok(prepared) => prepared,
                Err(error) => return Outcome::Broken(error.to_string()),
            };
            is_effective |= parts(&all, &written).any(|(one, bytes)| one.changed(bytes) > 0);
            let run = Run {
                file,
                entry,
                round,
                all: &all,
                written: &written,
            };
            if let Comparison::Equal = interpreted {
                interpreted = self.compare(&run, Nearness::Same, |of| &mut of.interpreted);
            }
            if let Comparison::Equal = gpu {
                gpu = self.compare(&run, Nearness::Accuracy, |of| &mut of.gpu);
            }
        }
        Outcome::Driven {
            is_effective,
            gpu,
            interpreted,
        }
    }

    /// Runs it in another process too.
    fn compare(
        &mut self,
        run: &Run<'_>,
        nearness: Nearness,
        other: fn(&mut Self) -> &mut Process,
    ) -> Comparison {
        let out = self.scratch.join("other");
        let round = |found: String| format!("round {}: {found}", run.round);
        let found = match other(self).run(run.file, run.entry, run.round, &out) {
            Answer::Endless => return Comparison::None("takes too long".to_owned()),
            // No fault of a kernel may end a process.
            Answer::Crashed(how) => return Comparison::Different(round(how)),
            Answer::Said(word, words) => match word.as_str() {
                "ran" => match fs::read(&out) {
                    Ok(bytes) => run.differences(&bytes, nearness),
                    Err(error) => return Comparison::Different(round(error.to_string())),
                },
                "refused" => return Comparison::None(words),
                // Of no binding: only what can reach all of them can have done it.
                _ => vec![(String::new(), format!("{word}: {words}"))],
            },
        };
        if found.is_empty() {
            return Comparison::Equal;
        }
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        let text = round(texts.join("; "));
        match self.checked.run(run.file, run.entry, run.round, &out) {
            Answer::Said(word, faults) if word == "faulty" => {
                let (reached, faults) = faults.split_once('\t').unwrap_or(("", &faults));
                let is_reached = |(name, _): &(String, String)| {
                    reached
                        .split(' ')
                        .any(|other| other == "*" || other == name)
                };
                if found.iter().all(is_reached) {
                    Comparison::Faulty(text, faults.to_owned())
                } else {
                    Comparison::Different(format!("{text}; faults reach only {reached}: {faults}"))
                }
            }
            _ => Comparison::Different(text),
        }
    }
}

/// A run on the CPU, and what it wrote.
struct Run<'a> {
    file: &'a Path,
    entry: &'a str,
    round: u32,
    all: &'a [Filled],
    written: &'a [u8],
}

impl Run<'_> {
    /// The bindings in which what another run wrote differs, and how.
    fn differences(&self, other: &[u8], nearness: Nearness) -> Vec<(String, String)> {
        let pairs = parts(self.all, self.written).zip(parts(self.all, other));
        let differing = pairs.filter_map(|((one, bytes), (_, other))| {
            let text = one.difference(bytes, other, nearness)?;
            Some((one.binding.name.clone(), text))
        });
        differing.collect()
    }
}

fn prepared(file: &Path, entry: &str, round: u32) -> Result<Vec<Filled>, Box<dyn Error>> {
    let settings = Settings::of(file);
    let kernel = worker::kernel(&fs::read_to_string(file)?, entry, &settings)?;
    let mut all = filled(&kernel, round)?;
    settings.apply(&mut all);
    Ok(all)
}

/// What was written, for each of the bindings that are.
fn parts<'a>(all: &'a [Filled], written: &'a [u8]) -> impl Iterator<Item = (&'a Filled, &'a [u8])> {
    let mut left = written;
    all.iter().filter(|one| one.is_written()).map(move |one| {
        let (these, rest) = left.split_at(one.bytes.len());
        left = rest;
        (one, these)
    })
}
