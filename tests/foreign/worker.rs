//! A process that runs kernels for another, which may end it at any time.
//!
//! Reads requests line by line and answers each in a line; what a kernel wrote goes to a file.
//!
//! Invariant: each request is answered by one line that begins with `=>`, whatever the kernel does.

use crate::data::{Filled, filled};
use crate::settings::Settings;
use bytemuck::Pod;
use divvy::check::{Does, Findings, Memory};
use divvy::kernel::BindingKind;
use divvy::{Buffer, DispatchBuilder, Fault, Kernel, KernelError, Runtime};
use std::error::Error;
use std::fs;
use std::io::BufRead;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

/// The variable that makes a process a worker: the devices that it runs kernels on.
pub(crate) const DEVICES: &str = "DIVVY_FOREIGN_DEVICES";

/// The last panic's words.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Answers requests until there are no more, on the devices named.
pub(crate) fn serve(devices: &str) {
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = PANIC.lock() {
            *last = info.to_string();
        }
    }));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split('\t').collect();
        let answer = catch_unwind(AssertUnwindSafe(|| match words.as_slice() {
            ["list", file] => list(Path::new(file)),
            ["run", file, entry, round, out] => {
                let round = round.parse().unwrap_or(0);
                run(devices, Path::new(file), entry, round, Path::new(out))
                    .unwrap_or_else(|error| format!("undrivable\t{error}"))
            }
            _ => "undrivable\tno such request".to_owned(),
        }));
        let answer = answer.unwrap_or_else(|_| {
            let words = PANIC.lock().map(|last| last.clone());
            format!("panicked\t{}", words.unwrap_or_default())
        });
        println!("=>{}", answer.replace('\n', " | "));
    }
}

/// The compute entry points of a file.
fn list(file: &Path) -> String {
    let Ok(source) = fs::read_to_string(file) else {
        return "invalid\tit isn't text".to_owned();
    };
    match Kernel::from_wgsl(&source) {
        Err(KernelError::NoEntry) => "entries".to_owned(),
        Err(error @ KernelError::Wgsl { .. }) => format!("invalid\t{error}"),
        Ok(kernel) => match kernel.facts() {
            Ok(facts) => format!("entries\t{}", facts.entry),
            Err(KernelError::SeveralEntries { found }) => format!("entries\t{}", found.join("\t")),
            Err(_) => "entries\t".to_owned(),
        },
        // It has just one.
        Err(_) => "entries\t".to_owned(),
    }
}

/// The kernel of an entry point, with a value for each constant that has none. No name is the only entry point.
pub(crate) fn kernel(
    source: &str,
    entry: &str,
    settings: &Settings,
) -> Result<Kernel, KernelError> {
    let mut kernel = Kernel::from_wgsl(source)?;
    if !entry.is_empty() {
        kernel = kernel.entry(entry)?;
    }
    for (name, value) in &settings.constants {
        kernel = match kernel.clone().constant(name, *value) {
            Err(KernelError::UnknownConstant { .. }) => kernel,
            other => other?,
        };
    }
    while let Err(KernelError::MissingConstant { name }) = kernel.facts() {
        let name = name.clone();
        kernel = kernel.constant(&name, 8)?;
    }
    Ok(kernel)
}

fn run(
    devices: &str,
    file: &Path,
    entry: &str,
    round: u32,
    out: &Path,
) -> Result<String, Box<dyn Error>> {
    let source = fs::read_to_string(file)?;
    let settings = Settings::of(file);
    let kernel = match kernel(&source, entry, &settings) {
        Ok(kernel) => kernel,
        Err(error) => return Ok(format!("refused\t{error}")),
    };
    let workgroup = kernel.facts()?.workgroup;
    let groups = settings.groups.unwrap_or_else(|| {
        let many = |size: u32| if size > 1 { 2 } else { 1 };
        [4, many(workgroup[1]), many(workgroup[2])]
    });
    let range: [u32; 3] = std::array::from_fn(|i| groups[i] * workgroup[i]);
    let runtime = Runtime::builder()
        .devices(devices)
        // One thread, so that a kernel whose workgroups depend on their order does the same each time.
        .threads(1)
        .without_profile_dir()
        .build()?;
    let mut all = filled(&kernel, round)?;
    settings.apply(&mut all);
    let mut dispatch = runtime.dispatch(&kernel, range);
    let mut reads: Vec<Box<dyn Fn() -> divvy::Result<Vec<u8>>>> = Vec::new();
    for one in &all {
        let (next, read) = bound(&runtime, dispatch, one)?;
        dispatch = next;
        reads.extend(read.filter(|_| one.is_written()));
    }
    match dispatch.run() {
        Ok(_) => {}
        Err(divvy::Error::NoDevice { reasons }) => {
            return Ok(format!("refused\t{}", reasons.join("; ")));
        }
        Err(divvy::Error::Checked(findings)) => {
            let reached = reached(&findings, &all).map_or("*".to_owned(), |names| names.join(" "));
            return Ok(format!("faulty\t{reached}\t{findings}"));
        }
        Err(error) => return Ok(format!("failed\t{error}")),
    }
    let mut written = Vec::new();
    for read in reads {
        written.extend(read()?);
    }
    fs::write(out, written)?;
    Ok("ran".to_owned())
}

/// The bindings that faults of a kernel can reach; nothing where that may be any.
///
/// Writes that race leave one of their values in what they write, and as long as the kernel doesn't read that, nothing
/// else can depend on it. Of all other faults there is a value that may flow on, or an element that isn't known.
fn reached(findings: &Findings, all: &[Filled]) -> Option<Vec<String>> {
    if findings.more > 0 {
        return None;
    }
    let only_writes = |does: Does| matches!(does, Does::Write | Does::AtomicWrite);
    let of = |fault: &Fault| match fault {
        Fault::Race {
            touched,
            memory: Memory::Storage,
            one,
            other,
            ..
        } if only_writes(one.does) && only_writes(other.does) => {
            let name = touched.split(['.', '[']).next()?;
            let binding = all.iter().find(|filled| filled.binding.name == name)?;
            (!binding.is_read()).then(|| name.to_owned())
        }
        _ => None,
    };
    findings.found.iter().map(|one| of(&one.fault)).collect()
}

type Read<'a> = Option<Box<dyn Fn() -> divvy::Result<Vec<u8>> + 'a>>;

/// Binds the bytes as elements of as many words as the variable's have.
fn bound<'a>(
    runtime: &'a Runtime,
    dispatch: DispatchBuilder<'a>,
    one: &Filled,
) -> Result<(DispatchBuilder<'a>, Read<'a>), Box<dyn Error>> {
    let layout = &one.binding.layout;
    let is_open = layout.count.is_none() && layout.type_name == layout.element.type_name;
    let bytes = match one.binding.kind {
        BindingKind::Uniform => one.bytes.len(),
        BindingKind::Storage(_) if is_open => 4,
        BindingKind::Storage(_) => layout.element.stride as usize,
    };
    macro_rules! of {
        ($element:ty) => {
            if size_of::<$element>() == bytes {
                return Ok(bound_as::<$element>(runtime, dispatch, one)?);
            }
        };
    }
    macro_rules! of_each {
        ($($n:literal)*) => { $(
            of!([u32; $n]);
            of!([[u32; 4]; $n]);
        )* };
    }
    macro_rules! of_more {
        ($($n:literal)*) => { $(
            of!([[u32; 16]; $n]);
            of!([[[u32; 4]; 32]; $n]);
        )* };
    }
    of_each!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        48 64 96 128 256 512 1024 2048 4096);
    of_more!(9 10 11 12 13 14 15 16 17 18 19 20 24 28 32 48 64 256);
    Err(format!("`{}` has elements of {bytes} bytes", one.binding.name).into())
}

/// Words for a value, whatever they mean.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
struct Bits<T>(T);

fn bound_as<'a, T: Pod>(
    runtime: &'a Runtime,
    dispatch: DispatchBuilder<'a>,
    one: &Filled,
) -> divvy::Result<(DispatchBuilder<'a>, Read<'a>)> {
    let name = &one.binding.name;
    let elements: Vec<T> = bytemuck::pod_collect_to_vec(&one.bytes);
    if one.binding.kind == BindingKind::Uniform {
        return Ok((dispatch.value(name, Bits(elements[0])), None));
    }
    let buffer: Buffer<T> = runtime.buffer_from(&elements)?;
    let dispatch = dispatch.bind(name, &buffer);
    let read = move || Ok(bytemuck::cast_slice(&runtime.read(&buffer)?).to_vec());
    Ok((dispatch, Some(Box::new(read))))
}
