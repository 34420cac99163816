//! Buffers with fewer elements than the invocations that each have one of their own.
//!
//! WGSL lets an index past the end go to some element inside, so that a file that is too short goes unnoticed. A table that all
//! look into may be as short as it likes, so the kernel is asked, by its access pattern, what it does with a buffer that is
//! long enough.

use crate::buffers::Inputs;
use crate::data::{Data, Slot, told};
use crate::failure::Outcome;
use crate::warning;
use divvy::kernel::BindingKind;
use divvy::{Access, Kernel, Range, Runtime};

/// How many times a range of one dimension the kernel is asked about.
const PROBED: u64 = 1024;

/// Warns of each such buffer.
pub(crate) fn warn(runtime: &Runtime, kernel: &Kernel, range: Range, inputs: &Inputs) -> Outcome {
    let invocations = range.invocations();
    let count = |slot: &Slot, data: &Data| slot.count(data.bytes.len() as u64);
    let is_short = |(slot, data): &&(Slot, Data)| {
        slot.binding.kind != BindingKind::Uniform
            && slot.fixed_count().is_none()
            && count(slot, data) < invocations
    };
    if !inputs.bound.iter().any(|bound| is_short(&bound)) {
        return Ok(());
    }
    // All of a single workgroup tells little of the kernel: it is asked about some more of the same.
    let probed = match range.dimensions() {
        1 => Range::from(invocations.saturating_mul(PROBED)),
        _ => range,
    };
    let mut buffers = Vec::new();
    for bound in &inputs.bound {
        let (slot, data) = bound;
        if slot.binding.kind == BindingKind::Uniform {
            buffers.push(None);
            continue;
        }
        let bytes = match slot.fixed_count() {
            None => {
                let count = count(slot, data).max(probed.invocations());
                slot.bytes(count).unwrap_or(u64::MAX)
            }
            Some(_) => data.bytes.len() as u64,
        };
        let element = slot.element_bytes();
        // What is too long to be had, nobody can be asked about. Nothing is written, so no memory is taken.
        match runtime.raw_buffer(element as usize, (bytes / element) as usize) {
            Ok(buffer) => buffers.push(Some(buffer)),
            Err(_) => return Ok(()),
        }
    }
    let mut dispatch = runtime.dispatch(kernel, probed);
    for ((slot, data), buffer) in inputs.bound.iter().zip(&buffers) {
        dispatch = match buffer {
            Some(buffer) => dispatch.bind_raw(slot.name(), buffer),
            None => {
                let least = slot.binding.layout.least_bytes as usize;
                dispatch.value_raw(slot.name(), &data.bytes[..least])
            }
        };
    }
    // What is wrong with the dispatch, running it will tell.
    let Ok(patterns) = dispatch.patterns() else {
        return Ok(());
    };
    for (slot, data) in inputs.bound.iter().filter(is_short) {
        let mut own = patterns.iter().filter(|own| own.binding == slot.name());
        let has_own = own.any(|own| match own.access {
            Some(Access::OneToOne | Access::Neighborhood(_) | Access::Wrapped(_)) => true,
            Some(Access::Strided(strided)) => {
                let blocks = i128::from(strided.stride) * i128::from(blocks(probed, strided.units));
                i128::from(strided.to) + blocks >= i128::from(probed.invocations())
            }
            _ => false,
        });
        if has_own {
            warning::warn(&format!(
                "`{}` has {} elements, and the kernel goes through {}: --checked says which access is the first past the end",
                slot.name(),
                told(&data.extents),
                told(&range.extents()[..range.dimensions()])
            ));
        }
    }
    Ok(())
}

/// How many blocks there are after the first.
fn blocks(range: Range, units: u64) -> u64 {
    let slowest = range.extents()[range.dimensions() - 1];
    slowest.div_ceil(units.max(1)).saturating_sub(1)
}
