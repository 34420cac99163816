//! Constructs of WGSL one by one, run as lanes and on every GPU, against what the specification says.
//!
//! Integers agree exactly; floats as nearly as section 15.7.4 of the specification, "Floating point accuracy", asks of each
//! function. With no GPU its runs are ignored; with `DIVVY_REQUIRE_GPU=1` they fail.

mod atomics;
mod case;
mod control;
mod floats;
mod integers;
mod memory;
mod vectors;

use case::Case;
use divvy::device::gpu::{FoundGpu, find_gpus};
use divvy::{Kernel, Runtime};
use libtest_mimic::{Arguments, Failed, Trial};
use memory::{Needs, Whole};
use std::error::Error;
use std::sync::{Arc, OnceLock};

/// What a trial does with a device.
type Run = Arc<dyn Fn(&Runtime) -> Result<(), Box<dyn Error>> + Send + Sync>;

/// A device, opened by whoever needs it first.
#[derive(Clone)]
struct Lazy {
    name: String,
    runtime: Arc<OnceLock<Runtime>>,
}

impl Lazy {
    fn new(name: String) -> Self {
        Self {
            name,
            runtime: Arc::default(),
        }
    }

    fn open(&self) -> &Runtime {
        self.runtime.get_or_init(|| {
            let builder = Runtime::builder().devices(&self.name).without_profile_dir();
            builder.build().expect("the device is there")
        })
    }
}

/// How items are given to invocations.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Along x: neighbours have different ones.
    Varying,
    /// Along y, with one invocation in each row: what is computed of it is the same for all lanes of a block.
    Uniform,
}

/// The kernel of a case.
fn wgsl(case: &Case, form: Form) -> String {
    let (given, results) = (case.given.len(), case.results);
    let (workgroup, axis) = match form {
        Form::Varying => (64, "x"),
        Form::Uniform => (1, "y"),
    };
    format!(
        "@group(0) @binding(0) var<storage, read> input: array<u32>;
        @group(0) @binding(1) var<storage, read_write> output: array<u32>;
        var<private> item: u32;
        fn put(i: u32, word: u32) {{ output[item * {results}u + i] = word; }}
        fn put_f(i: u32, float: f32) {{ put(i, bitcast<u32>(float)); }}
        fn u(i: u32) -> u32 {{ return input[item * {given}u + i]; }}
        fn s(i: u32) -> i32 {{ return bitcast<i32>(u(i)); }}
        fn f(i: u32) -> f32 {{ return bitcast<f32>(u(i)); }}
        {}
        @compute @workgroup_size({workgroup})
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let items = arrayLength(&output) / {results}u;
            item = id.{axis};
            if item >= items {{ return; }}
            {}
        }}",
        case.module, case.code
    )
}

fn check(case: &Case, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    for form in [Form::Varying, Form::Uniform] {
        check_form(case, form, runtime).map_err(|error| format!("{form:?}: {error}"))?;
    }
    Ok(())
}

fn check_form(case: &Case, form: Form, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let words = case.input();
    let given = case.given.len();
    let items = words.len() / given;
    let range = match form {
        Form::Varying => [items, 1, 1],
        Form::Uniform => [1, items, 1],
    };
    let kernel = Kernel::from_wgsl(&wgsl(case, form))?;
    let input = runtime.buffer_from(&words)?;
    let output = runtime.buffer::<u32>(items * case.results)?;
    let dispatch = runtime.dispatch(&kernel, range);
    dispatch
        .bind("input", &input)
        .bind("output", &output)
        .run()?;
    let found = runtime.read(&output)?;
    for (item, found) in found.chunks(case.results).enumerate() {
        for (i, found) in found.iter().enumerate() {
            // Of a vector the components are those of the items that come next.
            let (of, result) = match (case.is_componentwise, i) {
                (true, 0) => (item, 0),
                (true, i) => ((item + i - 1) % items, 0),
                (false, i) => (item, i),
            };
            let words = &words[of * given..][..given];
            let right = (case.right)(words)[result];
            let flushed = (case.right)(&case::flushed(&case.given, words))[result];
            if !right.allows(*found) && !flushed.allows(*found) {
                let floats: Vec<f32> = words.iter().map(|word| f32::from_bits(*word)).collect();
                return Err(format!(
                    "result {i} of {words:x?} {floats:?} is {found:#x} {:?}, not {right:?}",
                    f32::from_bits(*found)
                )
                .into());
            }
        }
    }
    Ok(())
}

fn check_whole(whole: &Whole, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let found = (whole.run)(whole, runtime)?;
    match (0..found.len()).find(|i| found[*i] != whole.right[*i]) {
        Some(i) => Err(format!("word {i} is {:#x}, not {:#x}", found[i], whole.right[i]).into()),
        None => Ok(()),
    }
}

/// Whether a GPU has what a kernel needs.
fn has(gpu: &FoundGpu, needs: Needs) -> bool {
    match needs {
        Needs::Nothing => true,
        Needs::WideAtomics => gpu.has_wide_atomics(),
        Needs::FloatAtomics => gpu.has_float_atomics(),
    }
}

fn main() {
    let arguments = Arguments::from_args();
    // Where the rules for integers don't hold there is nothing to compare with.
    let found = find_gpus();
    let exact = (0..found.len()).filter(|i| found[*i].keeps_integer_rules());
    let mut gpus: Vec<(String, Option<&FoundGpu>)> = exact
        .map(|i| (format!("gpu{i}"), Some(&found[i])))
        .collect();
    if gpus.is_empty() {
        gpus.push(("gpu0".to_owned(), None));
    }
    let gpus: Vec<_> = gpus
        .into_iter()
        .map(|(name, gpu)| (Lazy::new(name), gpu))
        .collect();
    let is_required = std::env::var("DIVVY_REQUIRE_GPU").is_ok_and(|required| required == "1");
    let cpu = Lazy::new("cpu".to_owned());
    let mut trials = Vec::new();
    let mut add = |name: &str, needs: Needs, run: Run| {
        let on_cpu = run.clone();
        let cpu = cpu.clone();
        trials.push(Trial::test(format!("{name}::cpu"), move || {
            on_cpu(cpu.open()).map_err(|error| error.to_string().into())
        }));
        for (device, gpu) in &gpus {
            let (device, is_there, run) = (device.clone(), gpu.is_some(), run.clone());
            let name = format!("{name}::{}", device.name);
            let test = move || -> Result<(), Failed> {
                if !is_there {
                    return Err("there is no GPU, and DIVVY_REQUIRE_GPU asks for one".into());
                }
                run(device.open()).map_err(|error| error.to_string().into())
            };
            // What a GPU hasn't got it can't be required to do.
            let is_ignored = gpu.map_or(!is_required, |gpu| !has(gpu, needs));
            trials.push(Trial::test(name, test).with_ignored_flag(is_ignored));
        }
    };
    let cases = [
        floats::cases(),
        integers::cases(),
        vectors::cases(),
        control::cases(),
    ];
    for case in cases.into_iter().flatten() {
        let name = case.name.clone();
        let run = move |runtime: &Runtime| check(&case, runtime);
        add(&name, Needs::Nothing, Arc::new(run));
    }
    for whole in memory::wholes().into_iter().chain(atomics::wholes()) {
        let (name, needs) = (whole.name, whole.needs);
        let run = move |runtime: &Runtime| check_whole(&whole, runtime);
        add(name, needs, Arc::new(run));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
