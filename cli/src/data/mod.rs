//! The data of a binding: its bytes as the kernel sees them, and what counts as one element of it.
//!
//! Chooses between generators and the formats of files; each of those has a file of its own.
//!
//! Invariant: the bytes are as long as a whole number of elements, padding of WGSL included.

mod generate;
mod npy;
mod picture;
mod raw;
mod text;

pub(crate) use generate::random_below;
pub(crate) use text::write_text;

use crate::failure::{Failure, Outcome};
use divvy::Range;
use divvy::kernel::{Binding, Facts, Leaf, Number, Repeated, Shape};
use generate::Generator;
use std::path::Path;

/// Ends of names of files that hold pictures or arrays otherwise than is known here.
const FOREIGN: [&str; 11] = [
    "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "exr", "hdr", "npz", "h5",
];

/// A binding and how its numbers lie.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) binding: Binding,
    pub(crate) shape: Shape,
}

/// What a binding holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Data {
    pub(crate) bytes: Vec<u8>,
    /// Elements along x, y and z, as far as that is known of them.
    pub(crate) extents: Vec<u64>,
}

impl Slot {
    pub(crate) fn new(facts: &Facts, place: usize) -> Self {
        Self {
            binding: facts.bindings[place].clone(),
            shape: facts.shape(place),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.binding.name
    }

    /// Bytes of an element of the buffer that is bound.
    pub(crate) fn element_bytes(&self) -> u64 {
        match &self.shape.repeated {
            Some(repeated) if repeated.path.is_empty() => repeated.stride,
            Some(_) => 4,
            None => self.binding.layout.element.stride,
        }
    }

    /// Bytes of a buffer with so many elements in its array.
    pub(crate) fn bytes(&self, count: u64) -> Option<u64> {
        let array = match &self.shape.repeated {
            Some(repeated) => repeated
                .stride
                .checked_mul(count)?
                .checked_add(repeated.offset)?,
            None => 0,
        };
        let least = array.max(self.binding.layout.least_bytes);
        least.checked_next_multiple_of(self.element_bytes().max(1))
    }

    /// How many elements the array has, in a buffer of so many bytes; one for what is no array.
    pub(crate) fn count(&self, bytes: u64) -> u64 {
        match &self.shape.repeated {
            Some(repeated) => bytes.saturating_sub(repeated.offset) / repeated.stride.max(1),
            None => 1,
        }
    }

    /// The array, where the binding is nothing else.
    fn array(&self) -> Option<&Repeated> {
        let whole = self.shape.repeated.as_ref();
        whole.filter(|repeated| repeated.path.is_empty())
    }

    /// The numbers of one element and the bytes from one element to the next, for what is an array or a single value.
    pub(crate) fn element(&self) -> Option<(&[Leaf], u64)> {
        match (&self.shape.repeated, self.array()) {
            (Some(_), Some(array)) => Some((&array.element, array.stride)),
            (None, _) => Some((&self.shape.fixed, self.binding.layout.least_bytes)),
            _ => None,
        }
    }

    /// As [`Slot::element`], for elements made of one kind of number.
    fn plain(&self) -> Option<(Number, &[Leaf], u64)> {
        let (leaves, stride) = self.element()?;
        let number = leaves.first()?.number;
        let is_plain = leaves.iter().all(|leaf| leaf.number == number);
        is_plain.then_some((number, leaves, stride))
    }

    /// Calls `each` with every number of the data in turn: its place in the bytes and its kind.
    pub(crate) fn each_number(&self, bytes: u64, mut each: impl FnMut(usize, Number)) {
        for leaf in &self.shape.fixed {
            each(leaf.offset as usize, leaf.number);
        }
        let Some(repeated) = &self.shape.repeated else {
            return;
        };
        for i in 0..self.count(bytes) {
            let start = repeated.offset + i * repeated.stride;
            for leaf in &repeated.element {
                each((start + leaf.offset) as usize, leaf.number);
            }
        }
    }

    /// How WGSL would call the number at this place in the bytes.
    pub(crate) fn path_of(&self, at: u64) -> String {
        let name = self.name();
        let joined = |base: String, leaf: Option<&Leaf>| match leaf.map(|leaf| leaf.path.as_str()) {
            None | Some("") => base,
            Some(path) if path.starts_with('[') => format!("{base}{path}"),
            Some(path) => format!("{base}.{path}"),
        };
        if let Some(repeated) = &self.shape.repeated
            && at >= repeated.offset
        {
            let i = (at - repeated.offset) / repeated.stride.max(1);
            let within = (at - repeated.offset) % repeated.stride.max(1);
            let leaf = repeated.element.iter().find(|leaf| leaf.offset == within);
            let member = if repeated.path.is_empty() {
                String::new()
            } else {
                format!(".{}", repeated.path)
            };
            return joined(format!("{name}{member}[{i}]"), leaf);
        }
        let leaf = self.shape.fixed.iter().find(|leaf| leaf.offset == at);
        joined(name.to_owned(), leaf)
    }

    /// Zeros for as many elements as the range has invocations, or as the type fixes.
    pub(crate) fn zeros(&self, range: Range) -> Outcome<Data> {
        self.zeros_of(None, range)
    }

    /// How many elements there are, if the type says so.
    pub(crate) fn fixed_count(&self) -> Option<u64> {
        match &self.shape.repeated {
            Some(repeated) => repeated.count,
            None => Some(1),
        }
    }

    /// Zeros for these elements along x, y and z.
    fn zeros_of(&self, extents: Option<&[u64]>, range: Range) -> Outcome<Data> {
        let fixed = self.fixed_count();
        let of_range = || range.extents()[..range.dimensions()].to_vec();
        let extents = match (extents, fixed) {
            (Some(extents), _) => extents.to_vec(),
            (None, Some(count)) if count == range.invocations() => of_range(),
            (None, Some(count)) => vec![count],
            (None, None) => of_range(),
        };
        let too_large = || Failure::Source {
            name: self.name().to_owned(),
            source_text: told(&extents),
            why: "it has more bytes than any memory".to_owned(),
        };
        let count = extents
            .iter()
            .try_fold(1_u64, |count, extent| count.checked_mul(*extent));
        let bytes = count
            .and_then(|count| self.bytes(count))
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| *bytes < isize::MAX as usize)
            .ok_or_else(too_large)?;
        let mut zeros = Vec::new();
        zeros
            .try_reserve_exact(bytes)
            .map_err(|_| divvy::Error::TooLong {
                len: count.unwrap_or(0) as usize,
                bytes: self.element_bytes() as usize,
            })?;
        zeros.resize(bytes, 0);
        Ok(Data {
            bytes: zeros,
            extents,
        })
    }

    /// What a source given on the command line holds.
    pub(crate) fn load(&self, source: &str, range: Range) -> Outcome<Data> {
        if let Some(generator) = Generator::parse(self.name(), source)? {
            if let (Some(asked), Some(fixed)) = (&generator.extents, self.fixed_count())
                && asked
                    .iter()
                    .try_fold(1, |count: u64, extent| count.checked_mul(*extent))
                    != Some(fixed)
            {
                return Err(Failure::Source {
                    name: self.name().to_owned(),
                    source_text: source.to_owned(),
                    why: format!(
                        "`{}` has {fixed} elements, no more and no fewer",
                        self.binding.layout.type_name
                    ),
                });
            }
            let mut data = self.zeros_of(generator.extents.as_deref(), range)?;
            generator.fill(self, &mut data.bytes);
            return Ok(data);
        }
        let path = Path::new(source);
        let is_missing = !path.exists();
        if is_missing && !source.contains(['.', '/', '\\']) {
            return Err(Failure::Source {
                name: self.name().to_owned(),
                source_text: source.to_owned(),
                why: "there is no such file, and no such generator".to_owned(),
            });
        }
        known(path)?;
        let data = match extension(path).as_str() {
            "npy" => npy::read(self, path),
            "png" => picture::read(self, path),
            _ => raw::read(self, path),
        }?;
        // Raw bytes are as many as the type has, or else a file of another array would go unnoticed.
        let fixed = self.fixed_count().and_then(|count| self.bytes(count));
        let (given, layout) = (data.bytes.len() as u64, &self.binding.layout);
        let has = match fixed {
            Some(bytes) if given > bytes => format!("{bytes} bytes"),
            _ if given < layout.least_bytes => format!("at least {} bytes", layout.least_bytes),
            _ => return Ok(data),
        };
        let name = &layout.type_name;
        Err(Failure::Unfit {
            path: path.to_owned(),
            name: self.name().to_owned(),
            why: format!("`{name}` has {has}, and the file gives {given}"),
            hint: "",
        })
    }

    /// Refuses a file with another number of elements than the type fixes, or with none.
    fn check_count(&self, count: u64, path: &Path) -> Outcome {
        let why = match self.fixed_count() {
            Some(fixed) if fixed != count => {
                format!("it has {count} elements, and the type fixes {fixed}")
            }
            None if count == 0 => "it has no elements".to_owned(),
            _ => return Ok(()),
        };
        Err(Failure::Unfit {
            path: path.to_owned(),
            name: self.name().to_owned(),
            why,
            hint: "",
        })
    }

    /// Refuses a file of a format that can't show what the binding holds.
    pub(crate) fn check_format(&self, extents: &[u64], path: &Path) -> Outcome {
        known(path)?;
        match extension(path).as_str() {
            "npy" => npy::shown(self).map(drop),
            "png" => picture::shown(self, extents).map(drop),
            _ => Ok(()),
        }
    }

    /// The data as the bytes of a file of this name.
    pub(crate) fn encode(&self, data: &Data, path: &Path) -> Outcome<Vec<u8>> {
        let mut bytes = Vec::new();
        match extension(path).as_str() {
            "npy" => npy::write(self, data, &mut bytes)?,
            "png" => picture::write(self, data, &mut bytes)?,
            "txt" => text::write_text(self, data, " ", &mut bytes),
            "csv" => text::write_text(self, data, ",", &mut bytes),
            _ => bytes.clone_from(&data.bytes),
        }
        Ok(bytes)
    }
}

/// Refuses a file whose name says that it has a format that isn't known here: its bytes are no raw ones.
fn known(path: &Path) -> Outcome {
    if FOREIGN.contains(&extension(path).as_str()) {
        return Err(Failure::Format {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// The end of a file's name, in small letters; nothing without one.
fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

/// Extents as a user writes them.
pub(crate) fn told(extents: &[u64]) -> String {
    let numbers: Vec<_> = extents.iter().map(u64::to_string).collect();
    numbers.join("x")
}

/// One to three numbers with `x` between them.
pub(crate) fn extents(text: &str) -> Option<Vec<u64>> {
    let number = |part: &str| {
        let digits = part.trim().replace('_', "");
        digits.parse().ok()
    };
    let extents: Vec<u64> = text.split(['x', 'X']).map(number).collect::<Option<_>>()?;
    (extents.len() <= 3).then_some(extents)
}
