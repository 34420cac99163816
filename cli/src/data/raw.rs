//! Files of plain bytes, laid out as WGSL lays the binding out.

use super::{Data, Slot};
use crate::failure::{Failure, Outcome};
use std::fs;
use std::path::Path;

pub(super) fn read(slot: &Slot, path: &Path) -> Outcome<Data> {
    let bytes = fs::read(path).map_err(|source| Failure::Read {
        path: path.to_owned(),
        source,
    })?;
    let (len, element) = (bytes.len() as u64, slot.element_bytes());
    if !len.is_multiple_of(element) {
        return Err(Failure::Unfit {
            path: path.to_owned(),
            name: slot.name().to_owned(),
            why: format!(
                "its {len} bytes are no whole number of `{}`, of {element} bytes each",
                slot.binding.layout.element.type_name
            ),
            hint: "a file that is no .npy or .png is taken as raw bytes, with the padding of WGSL: a vec3 takes 16",
        });
    }
    let extents = vec![slot.count(len)];
    Ok(Data { bytes, extents })
}
