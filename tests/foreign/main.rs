//! Runs the compute shaders of other projects: every `.wgsl` file below the folder that `DIVVY_FOREIGN` names, in a folder
//! for each project.
//!
//! Each entry point is run on the CPU compiled, on the CPU interpreted, and on the first GPU, by processes that are ended
//! when they take too long. `DIVVY_FOREIGN_ONLY` picks files by a part of their path. The file `known` in the folder
//! lists, as `PATH ENTRY WHY...`, the kernels whose results may differ.
//!
//! Invariant: it fails if a kernel panics or crashes, or differs between devices with no fault of its own and no reason
//! that is known.

mod data;
mod drive;
mod process;
mod settings;
mod worker;

use drive::{Comparison, Outcome, Processes};
use libtest_mimic::{Arguments, Failed, Trial};
use process::Answer;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FOLDER: &str = "DIVVY_FOREIGN";

/// What came of the kernels of a project.
#[derive(Default)]
struct Tally {
    files: u32,
    /// Files that have entry points for compute, and those of them that naga refuses.
    compute: u32,
    invalid: u32,
    entries: u32,
    refused: BTreeMap<String, u32>,
    undrivable: BTreeMap<String, u32>,
    driven: u32,
    /// Of those that ran, the ones that changed something.
    effective: u32,
    equal: u32,
    no_gpu: u32,
    faulty: u32,
    known: u32,
    different: u32,
    interpreted_differs: u32,
    broken: u32,
}

impl Tally {
    /// Counts what came of an entry point, and says it where it isn't what it should be.
    fn count(&mut self, name: &str, outcome: Outcome, known: Option<&str>) {
        self.entries += 1;
        let say = |what: String| println!("{name}: {what}");
        match outcome {
            Outcome::Refused(words) => {
                *self.refused.entry(reason(&words)).or_default() += 1;
                say(format!("refused: {words}"));
            }
            Outcome::Undrivable(words) => {
                *self.undrivable.entry(reason(&words)).or_default() += 1;
                say(format!("not driven: {words}"));
            }
            Outcome::Broken(words) => {
                self.broken += 1;
                say(format!("BROKEN: {words}"));
            }
            Outcome::Driven {
                is_effective,
                gpu,
                interpreted,
            } => {
                self.driven += 1;
                self.effective += u32::from(is_effective);
                match (gpu, known) {
                    (Comparison::Equal, _) => self.equal += 1,
                    (Comparison::None(words), _) => {
                        self.no_gpu += 1;
                        say(format!("the GPU doesn't run it: {words}"));
                    }
                    (Comparison::Faulty(found, faults), _) => {
                        self.faulty += 1;
                        say(format!("faulty: {found}; {faults}"));
                    }
                    (Comparison::Different(found), Some(why)) => {
                        self.known += 1;
                        say(format!("differs as is known: {found}; {why}"));
                    }
                    (Comparison::Different(found), None) => {
                        self.different += 1;
                        say(format!("DIFFERS: {found}"));
                    }
                }
                match (interpreted, known) {
                    (Comparison::Equal, _) => {}
                    (Comparison::None(words), _) => say(format!("interpreted: {words}")),
                    (Comparison::Faulty(found, _), _) | (Comparison::Different(found), Some(_)) => {
                        say(format!("interpreted, it differs: {found}"));
                    }
                    (Comparison::Different(found), None) => {
                        self.interpreted_differs += 1;
                        say(format!("INTERPRETED, IT DIFFERS: {found}"));
                    }
                }
            }
        }
    }

    fn failures(&self) -> u32 {
        self.different + self.interpreted_differs + self.broken
    }
}

/// The reason of a refusal, short enough for a table.
fn reason(words: &str) -> String {
    let kinds = [
        ("texture", "textures"),
        ("sampler", "samplers"),
        ("acceleration_structure", "ray queries"),
        ("ray_query", "ray queries"),
        ("binding_array", "arrays of bindings"),
    ];
    let first = words.split(" | ").next().unwrap_or_default();
    if let Some((_, kind)) = kinds.iter().find(|(sign, _)| first.contains(sign)) {
        return (*kind).to_owned();
    }
    let short = first.split("the CPU can't run ").last().unwrap_or(first);
    short.split(" yet: ").next().unwrap_or(short).to_owned()
}

fn wgsl_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            wgsl_files(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "wgsl")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

fn run_all(folder: &Path) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let mut processes = Processes::new(scratch.path());
    let known = fs::read_to_string(folder.join("known")).unwrap_or_default();
    let only = std::env::var("DIVVY_FOREIGN_ONLY").unwrap_or_default();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut files = Vec::new();
    wgsl_files(folder, &mut files)?;
    for file in files {
        let path = file.strip_prefix(folder)?.display().to_string();
        if !path.contains(&only) {
            continue;
        }
        let project = path.split('/').next().unwrap_or_default().to_owned();
        let tally = tallies.entry(project).or_default();
        tally.files += 1;
        let is_compute = fs::read_to_string(&file)?.contains("@compute");
        tally.compute += u32::from(is_compute);
        match processes.compiled.list(&file) {
            Answer::Said(word, _) if word != "panicked" && !is_compute => {}
            Answer::Said(word, words) if word == "entries" => {
                for entry in words.split('\t') {
                    let name = format!("{path} {entry}");
                    let why = known
                        .lines()
                        .find_map(|line| line.strip_prefix(&format!("{name} ")));
                    tally.count(&name, processes.drive(&file, entry), why);
                }
            }
            Answer::Said(word, words) if word == "invalid" => {
                tally.invalid += 1;
                println!("{path}: not valid: {words}");
            }
            Answer::Said(_, words) | Answer::Crashed(words) => {
                tally.count(&path, Outcome::Broken(words), None);
            }
            Answer::Endless => tally.count(&path, Outcome::Broken("endless".to_owned()), None),
        }
    }
    print_table(&tallies);
    match tallies.values().map(Tally::failures).sum::<u32>() {
        0 => Ok(()),
        failures => Err(format!("{failures} kernels broke or differ").into()),
    }
}

fn print_table(tallies: &BTreeMap<String, Tally>) {
    println!(
        "| project | files | with compute | not valid | entry points | refused | not driven | driven | change something \
         | equal | not on the GPU | faulty | known | different | interpreted differs | broken |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (project, tally) in tallies {
        let counts = [
            tally.files,
            tally.compute,
            tally.invalid,
            tally.entries,
            tally.refused.values().sum(),
            tally.undrivable.values().sum(),
            tally.driven,
            tally.effective,
            tally.equal,
            tally.no_gpu,
            tally.faulty,
            tally.known,
            tally.different,
            tally.interpreted_differs,
            tally.broken,
        ];
        println!(
            "| {project} | {} |",
            counts.map(|n| n.to_string()).join(" | ")
        );
    }
    for (project, tally) in tallies {
        let listed = |reasons: &BTreeMap<String, u32>| -> String {
            let each = reasons
                .iter()
                .map(|(reason, count)| format!("{count} {reason}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let (refused, undrivable) = (listed(&tally.refused), listed(&tally.undrivable));
        println!("{project}: refused: {refused}; not driven: {undrivable}");
    }
}

fn main() {
    if let Ok(devices) = std::env::var(worker::DEVICES) {
        return worker::serve(&devices);
    }
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    let is_named = folder.is_some();
    let test = move || match &folder {
        Some(folder) => run_all(folder),
        None => Err(format!("{FOLDER} names no folder").into()),
    };
    let trial = Trial::test("kernels_of_others_do_on_lanes_what_they_do_on_a_gpu", test);
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(!is_named)]).exit();
}
