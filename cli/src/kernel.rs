//! What every command needs of a kernel on the command line: its file, its entry point, its data, where it runs.
//!
//! Options and what they make; what is made of the data in a runtime is another file's affair.
//!
//! Invariant: a kernel that is loaded is complete, and every binding of it has data or a value.

use crate::buffers::Inputs;
use crate::data::{Data, Slot, extents};
use crate::failure::{Failure, Outcome};
use crate::values::Values;
use clap::{Args, ValueHint};
use divvy::kernel::{BindingKind, Usage};
use divvy::{Kernel, Policy, Range, Runtime};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A name and what it is given, as in `NAME=TEXT`.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((_, "")) => Err("nothing stands behind the `=`".to_owned()),
            Some((name, text)) if !name.trim().is_empty() => Ok(Self {
                name: name.trim().to_owned(),
                text: text.to_owned(),
            }),
            _ => Err("write NAME=…".to_owned()),
        }
    }
}

/// Parses a range as `1024` or `1024x1024`.
pub(crate) fn range(text: &str) -> Result<Range, String> {
    let way_out = "give 1 to 3 numbers, x first, as 1000000, 1920x1080 or 64x64x64";
    match extents(text).as_deref() {
        Some(found) if found.contains(&0) => {
            Err(format!("each dimension needs at least 1; {way_out}"))
        }
        Some([x]) => Ok(Range::from(*x)),
        Some([x, y]) => Ok(Range::from([*x, *y])),
        Some([x, y, z]) => Ok(Range::from([*x, *y, *z])),
        _ => Err(way_out.to_owned()),
    }
}

/// Parses how far or how often things may differ.
pub(crate) fn part(text: &str) -> Result<f64, String> {
    let part: f64 = text
        .trim()
        .parse()
        .map_err(|_| "give a number".to_owned())?;
    // Not a number is in no range.
    if (0.0..=f64::MAX).contains(&part) {
        Ok(part)
    } else {
        Err("give a number from 0 on, as 0.001".to_owned())
    }
}

/// Which devices run, and who gets what.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Where {
    /// Devices to use: cpu, gpu, gpu0, all, or part of a name; several with commas
    ///
    /// Without it DIVVY_DEVICES says so, or it is the CPU and every GPU that isn't run in software.
    #[arg(long, value_name = "NAMES")]
    pub(crate) devices: Option<String>,
    /// How the range is split: measured, guided, fixed:0.25,0.75 (a share for each device) or only:NAME
    ///
    /// measured, the usual one, gives each device what its speed in earlier runs earns; guided hands out small chunks as devices
    /// ask for them; only:NAME runs all on one device.
    #[arg(long, value_name = "POLICY")]
    pub(crate) split: Option<Policy>,
}

impl Where {
    pub(crate) fn builder(&self) -> divvy::Builder {
        let mut builder = Runtime::builder();
        if let Some(devices) = &self.devices {
            builder = builder.devices(devices);
        }
        if let Some(policy) = &self.split {
            builder = builder.split(policy.clone());
        }
        builder
    }
}

/// Constants and data of a kernel.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Given {
    /// Data of a buffer: a file (.npy, .png, or raw bytes) or zeros, ones, iota, random:SEED
    ///
    /// NAME is the variable's in the WGSL; give the option once for each buffer. Behind a generator comes a number of elements, if the range doesn't say it: zeros:1000000, iota:640x480,
    /// random:1:1000000. Random floats are from 0 to 1, whole numbers have all their bits; random:SEED:COUNT:BELOW is
    /// below a bound. A .npy must have the dtype of the WGSL type; vectors are a last dimension. Of a .png, u32 takes
    /// pixels as pack4x8unorm packs them, f32 their brightness from 0 to 1, vec4<f32> red, green, blue and alpha.
    /// Raw bytes are laid out as in WGSL, padding and all.
    #[arg(long, value_name = "NAME=SOURCE", value_hint = ValueHint::AnyPath)]
    pub(crate) bind: Vec<Named>,
    /// Value of a uniform: a number, several with commas, a member (params.dt=0.1), or JSON
    ///
    /// NAME is the variable's in the WGSL; give the option once for each. range.x, range.y, range.z and range.count stand for the extents of the range.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) value: Vec<Named>,
    /// Value of a WGSL override, for those without a default or to have another
    #[arg(long, value_name = "NAME=NUMBER")]
    pub(crate) constant: Vec<Named>,
}

/// Bytes of the largest file that is taken for a kernel; some devices are files that never end.
const MOST_SOURCE_BYTES: u64 = 1 << 28;

/// Reads and parses a kernel.
pub(crate) fn load(path: &Path) -> Outcome<Kernel> {
    let mut source = String::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(MOST_SOURCE_BYTES + 1).read_to_string(&mut source));
    let bytes = read.map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })?;
    if bytes as u64 > MOST_SOURCE_BYTES {
        return Err(Failure::Endless {
            path: path.to_owned(),
            most: MOST_SOURCE_BYTES,
        });
    }
    Kernel::from_wgsl(&source).map_err(|source| Failure::Kernel {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

impl Given {
    /// The kernel with the entry point that is chosen and its constants set.
    pub(crate) fn complete(
        &self,
        kernel: Kernel,
        path: &Path,
        entry: Option<&str>,
    ) -> Outcome<Kernel> {
        let failed = |source| Failure::Kernel {
            path: path.to_owned(),
            source: Box::new(source),
        };
        let mut kernel = match entry {
            Some(entry) => kernel.entry(entry).map_err(failed)?,
            None => kernel,
        };
        for Named { name, text } in &self.constant {
            let value: f64 = match text.as_str() {
                "true" => 1.0,
                "false" => 0.0,
                text => text.trim().parse().map_err(|_| Failure::Value {
                    path: name.clone(),
                    expected: "set to a number".to_owned(),
                    text: text.to_owned(),
                })?,
            };
            kernel = kernel.constant(name, value).map_err(failed)?;
        }
        kernel.facts().map_err(failed)?;
        Ok(kernel)
    }

    /// What every binding holds; `invent` is asked for what nothing is said of.
    pub(crate) fn inputs(
        &self,
        kernel: &Kernel,
        range: Range,
        invent: &mut dyn Invent,
    ) -> Outcome<Inputs> {
        let facts = kernel.facts().map_err(divvy::Error::from)?;
        let slots: Vec<_> = (0..facts.bindings.len())
            .map(|place| Slot::new(facts, place))
            .collect();
        self.check_names(&slots)?;
        let mut bound = Vec::new();
        let mut unbound = Vec::new();
        for slot in slots {
            let mut sources = self.bind.iter().filter(|named| named.name == slot.name());
            let values: Vec<_> = self
                .value
                .iter()
                .filter(|named| root(&named.name) == slot.name())
                .collect();
            let is_uniform = slot.binding.kind == BindingKind::Uniform;
            let data = if let Some(source) = sources.next_back() {
                slot.load(&source.text, range)?
            } else if is_uniform || !values.is_empty() {
                self.value_of(&slot, &values, range, invent)?
            } else if let Some(data) = invent.buffer(&slot, range)? {
                data
            } else if slot.binding.kind == BindingKind::Storage(Usage::Write) {
                slot.zeros(range)?
            } else {
                unbound.push(slot.name().to_owned());
                continue;
            };
            bound.push((slot, data));
        }
        if !unbound.is_empty() {
            return Err(Failure::Unbound { names: unbound });
        }
        Ok(Inputs { bound })
    }

    fn value_of(
        &self,
        slot: &Slot,
        given: &[&Named],
        range: Range,
        invent: &mut dyn Invent,
    ) -> Outcome<Data> {
        let Some(mut values) = Values::new(slot) else {
            return Err(Failure::WrongOption {
                name: slot.name().to_owned(),
                is: "buffer",
                option: "--value",
                instead: format!("give it data, as --bind {}=FILE.npy", slot.name()),
            });
        };
        for named in given {
            let path = &named.name[slot.name().len()..];
            values.set(path.trim_start_matches('.'), &named.text, range)?;
        }
        for (place, leaf, path) in values.unset() {
            if let Some(text) = invent.number(&path, &leaf, range) {
                values.set_number(place, &text, range)?;
            }
        }
        let bytes = values.bytes()?;
        let extents = vec![slot.count(bytes.len() as u64)];
        Ok(Data { bytes, extents })
    }

    /// Whether all that is named is there and can be set so.
    fn check_names(&self, slots: &[Slot]) -> Outcome {
        let found = |name: &str, what: &'static str| {
            let slot = slots.iter().find(|slot| slot.name() == name);
            slot.ok_or_else(|| Failure::UnknownName {
                what,
                name: name.to_owned(),
                found: slots.iter().map(|slot| slot.name().to_owned()).collect(),
            })
        };
        for named in &self.bind {
            let slot = found(&named.name, "binding")?;
            if slot.binding.kind == BindingKind::Uniform {
                return Err(Failure::WrongOption {
                    name: named.name.clone(),
                    is: "uniform",
                    option: "--bind",
                    instead: format!("give it a value, as --value {}=1", named.name),
                });
            }
        }
        for named in &self.value {
            found(root(&named.name), "binding")?;
        }
        Ok(())
    }
}

/// The name of a binding in the path of a value.
fn root(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

/// Makes up what nothing is said of.
pub(crate) trait Invent {
    /// A value for a number of a uniform, as text.
    fn number(&mut self, path: &str, leaf: &divvy::kernel::Leaf, range: Range) -> Option<String>;
    /// What a buffer holds.
    fn buffer(&mut self, slot: &Slot, range: Range) -> Outcome<Option<Data>>;
}

/// Makes nothing up.
pub(crate) struct Nothing;

impl Invent for Nothing {
    fn number(&mut self, _: &str, _: &divvy::kernel::Leaf, _: Range) -> Option<String> {
        None
    }

    fn buffer(&mut self, _: &Slot, _: Range) -> Outcome<Option<Data>> {
        Ok(None)
    }
}

/// The kernel file of a command.
#[derive(Args, Clone, Debug)]
pub(crate) struct KernelFile {
    /// The kernel's WGSL
    #[arg(value_name = "KERNEL.wgsl", value_hint = ValueHint::FilePath)]
    pub(crate) kernel: PathBuf,
}
