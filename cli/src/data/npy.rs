//! NumPy's `.npy` files.
//!
//! Arrays are in C order, so that the last dimension of a shape is x; vectors of WGSL add a dimension of their own. Which
//! dtype a binding takes is decided by its WGSL type alone: nothing is converted.
//!
//! Invariant: what is read has the padding that WGSL gives its elements, and what is written has none.

use super::{Data, Slot};
use crate::failure::{Failure, Outcome};
use divvy::kernel::{Leaf, Number};
use npyz::{DType, Endianness, NpyFile, Order, TypeChar, WriterBuilder};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// What numpy calls the type.
fn numpy_name(number: Number) -> String {
    let kind = match number {
        Number::Float(_) => "float",
        Number::Signed(_) => "int",
        _ => "uint",
    };
    format!("{kind}{}", u32::from(number.bytes()) * 8)
}

/// The dtype as numpy writes it in a header: `<f4`.
fn dtype(number: Number) -> String {
    let kind = match number {
        Number::Float(_) => 'f',
        Number::Signed(_) => 'i',
        _ => 'u',
    };
    format!("<{kind}{}", number.bytes())
}

fn number_of(dtype: &DType) -> Option<(Number, Endianness)> {
    let DType::Plain(ty) = dtype else {
        return None;
    };
    let width = u8::try_from(ty.size_field()).ok()?;
    let number = match ty.type_char() {
        TypeChar::Float => Number::Float(width),
        TypeChar::Int => Number::Signed(width),
        TypeChar::Uint => Number::Unsigned(width),
        _ => return None,
    };
    Some((number, ty.endianness()))
}

pub(super) fn read(slot: &Slot, path: &Path) -> Outcome<Data> {
    let malformed = |why: String| Failure::Malformed {
        path: path.to_owned(),
        format: ".npy",
        why,
    };
    let unfit = |why: String, hint: &'static str| Failure::Unfit {
        path: path.to_owned(),
        name: slot.name().to_owned(),
        why,
        hint,
    };
    let type_name = &slot.binding.layout.element.type_name;
    let Some((number, leaves, stride)) = slot.plain() else {
        let why = format!("`{type_name}` is made of several kinds of numbers");
        return Err(unfit(
            why,
            "give its bytes in a raw file, as in --bind NAME=data.bin",
        ));
    };
    let file = File::open(path).map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })?;
    let npy = NpyFile::new(BufReader::new(file)).map_err(|error| malformed(error.to_string()))?;
    let (found, shape) = (npy.dtype(), npy.shape().to_vec());
    let endianness = match number_of(&found) {
        Some((found, endianness)) if found == number => endianness,
        _ => {
            let why = format!(
                "its dtype is {}, and `{type_name}` takes {}",
                found.descr(),
                numpy_name(number)
            );
            return Err(unfit(
                why,
                "convert it in Python, as in x.astype(np.float32)",
            ));
        }
    };
    if npy.order() == Order::Fortran && shape.len() > 1 {
        let hint = "save np.ascontiguousarray(x)";
        return Err(unfit("it is in Fortran order".to_owned(), hint));
    }
    let mut packed = Vec::new();
    npy.into_inner()
        .read_to_end(&mut packed)
        .map_err(|error| malformed(error.to_string()))?;
    let width = usize::from(number.bytes());
    let told = shape
        .iter()
        .try_fold(width as u64, |bytes, extent| bytes.checked_mul(*extent));
    if told != Some(packed.len() as u64) {
        let why = format!(
            "its shape {shape:?} needs another length than its {} bytes",
            packed.len()
        );
        return Err(malformed(why));
    }
    if endianness == Endianness::Big {
        packed.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    let numbers = packed.len() / width;
    if !numbers.is_multiple_of(leaves.len()) {
        let why = format!(
            "its shape {shape:?} has {numbers} numbers, no whole number of `{type_name}`, of {} each",
            leaves.len()
        );
        return Err(unfit(why, ""));
    }
    let count = numbers / leaves.len();
    slot.check_count(count as u64, path)?;
    let mut extents: Vec<u64> = shape.iter().rev().copied().collect();
    if leaves.len() > 1 {
        // The last dimension is that of the vector, if it is one of its own.
        if extents.first() == Some(&(leaves.len() as u64)) {
            extents.remove(0);
        } else {
            extents = vec![count as u64];
        }
    }
    if extents.is_empty() || extents.len() > 3 {
        extents = vec![count as u64];
    }
    let stride = stride as usize;
    let mut bytes = vec![0; slot.bytes(count as u64).unwrap_or(0) as usize];
    for (i, element) in packed.chunks_exact(width * leaves.len()).enumerate() {
        for (leaf, value) in leaves.iter().zip(element.chunks_exact(width)) {
            let at = i * stride + leaf.offset as usize;
            let Some(place) = bytes.get_mut(at..at + width) else {
                let why = format!(
                    "`{}` has room for one element",
                    slot.binding.layout.type_name
                );
                return Err(unfit(why, ""));
            };
            place.copy_from_slice(value);
        }
    }
    Ok(Data { bytes, extents })
}

fn unshown(slot: &Slot, why: String) -> Failure {
    Failure::Unshown {
        name: slot.name().to_owned(),
        format: ".npy",
        why,
    }
}

/// The numbers that there would be.
pub(super) fn shown(slot: &Slot) -> Outcome<(Number, &[Leaf], u64)> {
    slot.plain().ok_or_else(|| {
        let type_name = &slot.binding.layout.element.type_name;
        let why = "is made of several kinds of numbers; write a .bin, or text";
        unshown(slot, format!("`{type_name}` {why}"))
    })
}

pub(super) fn write(slot: &Slot, data: &Data, out: &mut Vec<u8>) -> Outcome {
    let unshown = |why: String| unshown(slot, why);
    let (number, leaves, stride) = shown(slot)?;
    let mut shape: Vec<u64> = data.extents.iter().rev().copied().collect();
    if leaves.len() > 1 {
        shape.push(leaves.len() as u64);
    }
    let dtype = dtype(number).parse();
    let dtype = dtype.map_err(|error: npyz::ParseTypeStrError| unshown(error.to_string()))?;
    npyz::WriteOptions::new_header_only()
        .dtype(DType::Plain(dtype))
        .shape(&shape)
        .writer(&mut *out)
        .write_header_only()
        .map_err(|error| unshown(error.to_string()))?;
    let width = usize::from(number.bytes());
    for i in 0..slot.count(data.bytes.len() as u64) {
        for leaf in leaves {
            let at = (i * stride + leaf.offset) as usize;
            out.extend_from_slice(&data.bytes[at..at + width]);
        }
    }
    Ok(())
}
