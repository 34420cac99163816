//! Files of plain bytes, laid out as WGSL lays the binding out.

use super::{Data, Slot};
use crate::failure::{Failure, Outcome};
use std::fs;
use std::path::Path;

pub(super) fn read(slot: &Slot, path: &Path) -> Outcome<Data> {
    if may_never_end(path) {
        return Err(Failure::Unfit {
            path: path.to_owned(),
            name: slot.name().to_owned(),
            why: "it is a device, which may never end".to_owned(),
            hint: "give a file or a pipe, or zeros or random:SEED",
        });
    }
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

/// Whether it is a device such as `/dev/zero`.
#[cfg(unix)]
fn may_never_end(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|found| found.file_type().is_char_device())
}

#[cfg(not(unix))]
fn may_never_end(_: &Path) -> bool {
    false
}
