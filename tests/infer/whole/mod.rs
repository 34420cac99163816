//! Every kernel of the examples, of the benches and of the command line is split with nothing declared.
//!
//! The lists say what each is run on, and which elements of its buffers a part of the range touches. A compute entry point
//! in a `.wgsl` file that is in no list fails.

mod benches;
mod examples;

use crate::{cpu, told};
use divvy::kernel::{Grounds, Pattern};
use divvy::{Access, Kernel, Range, Runtime};
use std::fs;
use std::path::Path;

/// Every element is that of one unit of the range.
const ONE: &str = "OneToOne";
/// All of it goes to every device.
const ALL: &str = "All";
const ADD: &str = "Accumulate(Add)";

/// Where there are kernels that are run, and not only looked at by tests of the library.
const FOLDERS: [&str; 5] = ["shaders", "examples", "benches", "cli", "conformance"];

/// A kernel of a file, what it is run on, and the patterns.
#[derive(Clone)]
struct Whole {
    file: &'static str,
    entry: &'static str,
    range: Range,
    constants: Vec<(&'static str, f64)>,
    values: Vec<(&'static str, Vec<u32>)>,
    /// Names, how many elements there are, and the pattern.
    buffers: Vec<(&'static str, usize, &'static str)>,
}

impl Whole {
    fn new(file: &'static str, entry: &'static str, range: impl Into<Range>) -> Self {
        Self {
            file,
            entry,
            range: range.into(),
            constants: Vec::new(),
            values: Vec::new(),
            buffers: Vec::new(),
        }
    }

    /// Sets an `override`.
    fn constant(mut self, name: &'static str, value: f64) -> Self {
        self.constants.push((name, value));
        self
    }

    /// Gives a uniform its words.
    fn value(mut self, name: &'static str, words: &[u32]) -> Self {
        self.values.push((name, words.to_vec()));
        self
    }

    /// Binds a buffer of `len` elements, of which the dispatch has this pattern.
    fn buffer(mut self, name: &'static str, len: usize, pattern: &'static str) -> Self {
        self.buffers.push((name, len, pattern));
        self
    }

    fn kernel(&self) -> Kernel {
        let kernel =
            Kernel::from_wgsl(&text(self.file)).and_then(|kernel| kernel.entry(self.entry));
        let set = |kernel: Kernel, (name, value): &(&str, f64)| kernel.constant(name, *value);
        let kernel = kernel.and_then(|kernel| self.constants.iter().try_fold(kernel, set));
        kernel.unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    fn patterns(&self, runtime: &Runtime) -> Vec<Pattern> {
        let kernel = self.kernel();
        let facts = kernel.facts().expect("it is complete");
        let mut dispatch = runtime.dispatch(&kernel, self.range);
        for (name, words) in &self.values {
            dispatch = dispatch.value_raw(name, bytemuck::cast_slice(words));
        }
        for (name, len, _) in &self.buffers {
            let place = facts
                .find(name)
                .unwrap_or_else(|error| panic!("{self}: {error}"));
            let stride = facts.bindings[place].layout.element.stride as usize;
            let buffer = runtime.raw_buffer(stride, *len).expect("there is room");
            dispatch = dispatch.bind_raw(name, &buffer);
        }
        let patterns = dispatch.patterns();
        patterns.unwrap_or_else(|error| panic!("{self}: {error}"))
    }
}

impl std::fmt::Display for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of {}", self.entry, self.file)
    }
}

/// The word that a float is in a uniform.
fn bits(float: f32) -> u32 {
    float.to_bits()
}

fn all() -> Vec<Whole> {
    [examples::all(), benches::all()].concat()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The files with this extension in a folder and in those in it, each with its path below the root.
fn sources(folder: &Path, extension: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            sources(&path, extension, found);
        } else if path.extension().is_some_and(|its| its == extension) {
            let file = path.strip_prefix(root()).expect("it was found below");
            found.push(file.to_string_lossy().replace('\\', "/"));
        }
    }
}

#[test]
fn every_kernel_is_split_with_nothing_declared() {
    let runtime = cpu();
    let mut wrong = String::new();
    for whole in all() {
        let patterns = whole.patterns(&runtime);
        assert_eq!(patterns.len(), whole.buffers.len(), "{whole}: {patterns:?}");
        for (name, _, expected) in &whole.buffers {
            let pattern = patterns.iter().find(|pattern| pattern.binding == *name);
            let pattern = pattern.expect("it is bound");
            // What is only read may go to every device; all else has to be proven.
            let is_known = match pattern.access {
                None => false,
                Some(Access::All) => *expected == ALL,
                Some(_) => pattern.grounds == Grounds::Proven,
            };
            if told(pattern.access) != *expected || !is_known {
                wrong += &format!("{whole}: {pattern:?} instead of {expected}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_kernel_is_left_out() {
    let listed = all();
    let mut files = Vec::new();
    for folder in FOLDERS {
        sources(&root().join(folder), "wgsl", &mut files);
    }
    let mut entries = 0;
    for file in files {
        let kernel = Kernel::from_wgsl(&text(&file));
        let kernel = kernel.unwrap_or_else(|error| panic!("{file}: {error}"));
        for entry in kernel.entries() {
            entries += 1;
            let is_it = |whole: &Whole| whole.file == file && whole.entry == entry;
            assert!(
                listed.iter().any(is_it),
                "`{entry}` of {file} is in no list"
            );
        }
    }
    assert!(entries > 0, "nothing was found below {}", root().display());
}

#[test]
fn no_example_declares_a_pattern_but_of_what_a_body_reads() {
    let mut files = Vec::new();
    sources(&root().join("examples"), "rs", &mut files);
    let mut declaring: Vec<_> = files
        .iter()
        .filter(|file| text(file).contains(".access("))
        .collect();
    // What a body written in Rust reads, no proof of the WGSL can tell.
    declaring.retain(|file| !text(file).contains(".native("));
    assert!(!files.is_empty() && declaring.is_empty(), "{declaring:?}");
}
