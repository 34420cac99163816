//! What the bindings of a kernel hold, and the same in the buffers of a runtime.
//!
//! Invariant: buffers hold what the inputs say until a dispatch has run, and again after a reset.

use crate::data::{Data, Slot};
use crate::failure::{Failure, Outcome};
use divvy::kernel::BindingKind;
use divvy::{Kernel, Range, RawBuffer, Runtime};

/// What each binding of a kernel holds before a dispatch.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) bound: Vec<(Slot, Data)>,
}

/// Buffers are whole words.
const WORD: usize = 4;

/// The inputs in the buffers of a runtime.
#[derive(Debug)]
pub(crate) struct Buffers<'a> {
    runtime: &'a Runtime,
    kernel: &'a Kernel,
    range: Range,
    inputs: &'a Inputs,
    /// One for each input; nothing for a uniform.
    buffers: Vec<Option<RawBuffer>>,
}

impl<'a> Buffers<'a> {
    pub(crate) fn new(
        runtime: &'a Runtime,
        kernel: &'a Kernel,
        range: Range,
        inputs: &'a Inputs,
    ) -> Outcome<Self> {
        let mut buffers = Vec::new();
        for (slot, data) in &inputs.bound {
            if slot.binding.kind == BindingKind::Uniform {
                buffers.push(None);
                continue;
            }
            let element = slot.element_bytes() as usize;
            if !data.bytes.len().is_multiple_of(WORD) {
                return Err(Failure::Odd {
                    name: slot.name().to_owned(),
                    count: data.bytes.len() / element,
                    bytes: element,
                });
            }
            buffers.push(Some(
                runtime.raw_buffer(element, data.bytes.len() / element)?,
            ));
        }
        let bound = Self {
            runtime,
            kernel,
            range,
            inputs,
            buffers,
        };
        bound.reset()?;
        Ok(bound)
    }

    /// Puts back what the buffers held before any dispatch.
    pub(crate) fn reset(&self) -> Outcome {
        for ((_, data), buffer) in self.inputs.bound.iter().zip(&self.buffers) {
            if let Some(buffer) = buffer {
                self.runtime.write_raw(buffer, &data.bytes)?;
            }
        }
        Ok(())
    }

    pub(crate) fn dispatch(&self) -> divvy::DispatchBuilder<'a> {
        let mut dispatch = self.runtime.dispatch(self.kernel, self.range);
        for ((slot, data), buffer) in self.inputs.bound.iter().zip(&self.buffers) {
            dispatch = match buffer {
                Some(buffer) => dispatch.bind_raw(slot.name(), buffer),
                None => {
                    let least = slot.binding.layout.least_bytes as usize;
                    dispatch.value_raw(slot.name(), &data.bytes[..least])
                }
            };
        }
        dispatch
    }

    /// What a buffer holds now.
    pub(crate) fn read(&self, input: usize) -> Outcome<Data> {
        let (_, before) = &self.inputs.bound[input];
        let bytes = match &self.buffers[input] {
            Some(buffer) => self.runtime.read_raw(buffer)?,
            None => before.bytes.clone(),
        };
        Ok(Data {
            bytes,
            extents: before.extents.clone(),
        })
    }
}
