//! Runs the compute shaders of other projects: every `.wgsl` file below the folder that `DIVVY_FOREIGN` names, in a folder
//! for each project.
//!
//! Each entry point is run on the CPU compiled, on the CPU interpreted, and on the first GPU, by processes that are ended
//! when they take too long. `DIVVY_FOREIGN_ONLY` picks files by a part of their path. The file `known` in the folder
//! lists, as `PATH ENTRY WHY...`, the kernels whose results may differ.
//!
//! Invariant: it fails if a kernel panics or crashes, or differs between devices in a way that isn't known.

mod data;
mod settings;
mod worker;

use data::{ROUNDS, filled};
use libtest_mimic::{Arguments, Failed, Trial};
use settings::Settings;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const FOLDER: &str = "DIVVY_FOREIGN";
const DEVICES: &str = "DIVVY_FOREIGN_DEVICES";
/// A kernel that takes longer is taken for one that doesn't end.
const PATIENCE: Duration = Duration::from_secs(40);

/// A process that runs kernels.
struct Worker {
    devices: &'static str,
    /// A variable of its environment.
    variable: Option<(&'static str, &'static str)>,
    process: Option<(Child, ChildStdin, Receiver<String>)>,
}

impl Worker {
    fn new(devices: &'static str, variable: Option<(&'static str, &'static str)>) -> Self {
        Self {
            devices,
            variable,
            process: None,
        }
    }

    fn start(&self) -> std::io::Result<(Child, ChildStdin, Receiver<String>)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(DEVICES, self.devices);
        command.envs(self.variable);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(std::io::Error::other("a process without pipes"));
        };
        let (lines, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(answer) = line.strip_prefix("=>") {
                    let _ = lines.send(answer.to_owned());
                }
            }
        });
        Ok((child, input, answers))
    }

    /// What kind of answer a request gets, and its words.
    fn ask(&mut self, request: &str) -> (String, String) {
        let answer = self.try_ask(request);
        let answer = answer.unwrap_or_else(|error| format!("crashed\t{error}"));
        match answer.split_once('\t') {
            Some((kind, words)) => (kind.to_owned(), words.to_owned()),
            None => (answer, String::new()),
        }
    }

    fn try_ask(&mut self, request: &str) -> std::io::Result<String> {
        let (mut child, mut input, answers) = match self.process.take() {
            Some(process) => process,
            None => self.start()?,
        };
        writeln!(input, "{request}")?;
        match answers.recv_timeout(PATIENCE) {
            Ok(answer) => {
                self.process = Some((child, input, answers));
                Ok(answer)
            }
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                Ok("endless".to_owned())
            }
            Err(RecvTimeoutError::Disconnected) => Ok(format!("crashed\t{}", child.wait()?)),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some((mut child, input, _)) = self.process.take() {
            drop(input);
            let _ = child.wait();
        }
    }
}

/// What came of the kernels of a project.
#[derive(Default)]
struct Tally {
    files: u32,
    /// Files that have entry points for compute, and those that naga refuses.
    compute: u32,
    invalid: u32,
    entries: u32,
    lowered: u32,
    refused: BTreeMap<String, u32>,
    undrivable: BTreeMap<String, u32>,
    driven: u32,
    /// Of those, the ones that changed something.
    effective: u32,
    equal: u32,
    no_gpu: u32,
    known: u32,
    different: u32,
    compiled_differs: u32,
    broken: u32,
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

struct Workers {
    compiled: Worker,
    interpreted: Worker,
    checked: Worker,
    gpu: Worker,
    known: Vec<(String, String)>,
    scratch: PathBuf,
}

impl Workers {
    /// Runs an entry point everywhere and counts what comes of it.
    fn drive(&mut self, file: &Path, name: &str, entry: &str, tally: &mut Tally) {
        tally.entries += 1;
        let say = |what: &str| println!("{name} {entry}: {what}");
        let mut is_effective = false;
        let mut on_gpu = Ok(());
        let mut compiled_differs = None;
        for round in 0..ROUNDS {
            let ask = |worker: &mut Worker, place: &str| {
                let out = self.scratch.join(place);
                let (file, out_name) = (file.display(), out.display());
                let (kind, words) =
                    worker.ask(&format!("run\t{file}\t{entry}\t{round}\t{out_name}"));
                (kind, words, out)
            };
            let (kind, words, compiled) = ask(&mut self.compiled, "compiled");
            match kind.as_str() {
                "ran" => {}
                "refused" => {
                    *tally.refused.entry(reason(&words)).or_default() += 1;
                    return say(&format!("refused: {words}"));
                }
                "undrivable" => {
                    tally.lowered += 1;
                    *tally.undrivable.entry(reason(&words)).or_default() += 1;
                    return say(&format!("can't be driven: {words}"));
                }
                "endless" => {
                    tally.lowered += 1;
                    *tally.undrivable.entry("endless".to_owned()).or_default() += 1;
                    return say(&format!("doesn't end in round {round}"));
                }
                _ => {
                    tally.broken += 1;
                    return say(&format!("BROKEN: {kind} in round {round}: {words}"));
                }
            }
            let all = match filled_for(file, entry, round) {
                Ok(all) => all,
                Err(error) => return say(&format!("can't be compared: {error}")),
            };
            let (kind, words, interpreted) = ask(&mut self.interpreted, "interpreted");
            let found = match kind.as_str() {
                "ran" => difference(&all, &compiled, &interpreted),
                _ => Some(format!("{kind}: {words}")),
            };
            if let Some(found) = found {
                compiled_differs.get_or_insert(format!("in round {round}: {found}"));
            }
            is_effective |= changed(&all, &compiled) > 0;
            if on_gpu.is_ok() {
                let (kind, words, gpu) = ask(&mut self.gpu, "gpu");
                on_gpu = match kind.as_str() {
                    "ran" => difference(&all, &compiled, &gpu).map_or(Ok(()), |found| {
                        Err((true, format!("in round {round}: {found}")))
                    }),
                    "refused" => Err((false, words)),
                    _ => Err((true, format!("on the GPU in round {round}: {kind} {words}"))),
                };
            }
        }
        tally.lowered += 1;
        tally.driven += 1;
        tally.effective += u32::from(is_effective);
        let is_known = |(path, known): &&(String, String)| {
            path == name && known.split_whitespace().next() == Some(entry)
        };
        let known = self.known.iter().find(is_known);
        if let Some(found) = compiled_differs {
            match known {
                Some((_, why)) => say(&format!("compiled, it differs {found}; known: {why}")),
                None => {
                    tally.compiled_differs += 1;
                    say(&format!("COMPILED, IT DIFFERS {found}"));
                }
            }
        }
        match (on_gpu, known) {
            (Ok(()), _) => tally.equal += 1,
            (Err((false, words)), _) => {
                tally.no_gpu += 1;
                say(&format!("the GPU refuses it: {words}"));
            }
            (Err((true, found)), Some((_, why))) => {
                tally.known += 1;
                say(&format!("differs {found}; known: {why}"));
            }
            (Err((true, found)), None) => {
                tally.different += 1;
                say(&format!("DIFFERS {found}"));
            }
        }
    }
}

fn filled_for(
    file: &Path,
    entry: &str,
    round: u32,
) -> Result<Vec<data::Filled>, Box<dyn std::error::Error>> {
    let settings = Settings::of(file);
    let kernel = worker::kernel(&fs::read_to_string(file)?, entry, &settings)?;
    let mut all = filled(&kernel, round)?;
    settings.apply(&mut all);
    Ok(all)
}

/// What is in a file of bytes that were written, for each of the bindings that are.
fn written<'a>(
    all: &'a [data::Filled],
    bytes: &'a [u8],
) -> impl Iterator<Item = (&'a data::Filled, &'a [u8])> {
    let mut left = bytes;
    all.iter().filter(|one| one.is_written()).map(move |one| {
        let (these, rest) = left.split_at(one.bytes.len());
        left = rest;
        (one, these)
    })
}

fn difference(all: &[data::Filled], one: &Path, other: &Path) -> Option<String> {
    let (one, other) = (fs::read(one).ok()?, fs::read(other).ok()?);
    let found = written(all, &one)
        .zip(written(all, &other))
        .filter_map(|((filled, one), (_, other))| filled.difference(one, other));
    let found: Vec<String> = found.collect();
    (!found.is_empty()).then(|| found.join("; "))
}

fn changed(all: &[data::Filled], out: &Path) -> usize {
    let bytes = fs::read(out).unwrap_or_default();
    written(all, &bytes)
        .map(|(filled, bytes)| filled.changed(bytes))
        .sum()
}

fn run_all(folder: &Path) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let known = fs::read_to_string(folder.join("known")).unwrap_or_default();
    let known = known.lines().filter_map(|line| line.split_once(' '));
    let mut workers = Workers {
        compiled: Worker::new("cpu", None),
        interpreted: Worker::new("cpu", Some(("DIVVY_NATIVE", "0"))),
        checked: Worker::new("cpu", Some(("DIVVY_CHECKED", "1"))),
        gpu: Worker::new("gpu0", None),
        known: known
            .map(|(path, rest)| (path.to_owned(), rest.to_owned()))
            .collect(),
        scratch: scratch.path().to_owned(),
    };
    let only = std::env::var("DIVVY_FOREIGN_ONLY").unwrap_or_default();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut files = Vec::new();
    wgsl_files(folder, &mut files)?;
    for file in files {
        let name = file.strip_prefix(folder)?.display().to_string();
        if !name.contains(&only) {
            continue;
        }
        let project = name.split('/').next().unwrap_or_default().to_owned();
        let tally = tallies.entry(project).or_default();
        tally.files += 1;
        let (kind, words) = workers.compiled.ask(&format!("list\t{}", file.display()));
        match kind.as_str() {
            "entries" if words.is_empty() && !is_compute(&file) => {}
            "entries" => {
                tally.compute += 1;
                for entry in words.split('\t') {
                    workers.drive(&file, &name, entry, tally);
                }
            }
            "invalid" => {
                let is_compute = is_compute(&file);
                tally.invalid += u32::from(is_compute);
                if is_compute {
                    println!("{name}: not valid: {words}");
                }
            }
            _ => {
                tally.broken += 1;
                println!("{name}: BROKEN: {kind}: {words}");
            }
        }
    }
    print_table(&tallies);
    let count = |of: fn(&Tally) -> u32| tallies.values().map(of).sum::<u32>();
    let bad = count(|t| t.broken) + count(|t| t.different) + count(|t| t.compiled_differs);
    match bad {
        0 => Ok(()),
        bad => Err(format!("{bad} kernels broke or differ").into()),
    }
}

fn is_compute(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains("@compute"))
}

fn print_table(tallies: &BTreeMap<String, Tally>) {
    println!(
        "| project | files | with compute | not valid | entry points | lowered | driven | change something | equal | no GPU | known | different | compiled differs | broken |"
    );
    for (project, t) in tallies {
        println!(
            "| {project} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            t.files,
            t.compute,
            t.invalid,
            t.entries,
            t.lowered,
            t.driven,
            t.effective,
            t.equal,
            t.no_gpu,
            t.known,
            t.different,
            t.compiled_differs,
            t.broken
        );
    }
    for (project, t) in tallies {
        let listed = |(reason, count): (&String, &u32)| format!("{count} {reason}");
        let refused: Vec<String> = t.refused.iter().map(listed).collect();
        let undrivable: Vec<String> = t.undrivable.iter().map(listed).collect();
        println!(
            "{project}: refused: {}; not driven: {}",
            refused.join(", "),
            undrivable.join(", ")
        );
    }
}

fn main() {
    if let Ok(devices) = std::env::var(DEVICES) {
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
