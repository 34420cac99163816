//! Lends the bytes of copies to a device that does one task after another.
//!
//! Devices that have several copies under way at once take the bytes from [`Storage`] themselves.
//!
//! Invariant: bytes are lent while their task is under way, and no longer.

#![expect(
    unsafe_code,
    reason = "copies are given the host's memory of buffers that others use elsewhere"
)]

use super::{DeviceError, Run, Task, Timing, allocate, in_order};
use crate::buffer::Storage;
use crate::id::BufferId;

/// A [`Task`] with the bytes that it copies.
#[derive(Debug)]
#[non_exhaustive]
pub enum Lent<'a> {
    /// Copy the bytes to the device's memory of the buffer.
    Upload {
        /// The buffer: which one it is, and how large.
        buffer: &'a Storage,
        /// Where in the buffer the bytes go, in bytes.
        at: usize,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Copy bytes from the device's memory of the buffer to these.
    Download {
        /// The buffer: which one it is, and how large.
        buffer: &'a Storage,
        /// Where in the buffer the bytes come from, in bytes.
        at: usize,
        /// What to overwrite, all of it.
        bytes: &'a mut [u8],
    },
    /// Set every four bytes of the device's memory of the buffer to a word.
    Fill {
        /// The buffer: which one it is, and how large.
        buffer: &'a Storage,
        /// The word.
        word: u32,
    },
    /// Run a chunk of a kernel. Its buffers are named by their ids; the device has its own memory of each.
    Run(&'a Run),
    /// Give up the memory of a buffer that nobody will name again.
    Free(BufferId),
}

/// Does tasks one after another with `one`, up to the first that fails, and lends it the bytes of copies: all of
/// [`Device::execute`](super::Device::execute) for a device with a memory of its own that has no better way.
///
/// It is for the tasks of the `execute` that it is called in, once, before any of them is answered: only then are the
/// bytes free to be lent.
///
/// See [`guide::own_device`](crate::guide::own_device) for a whole device by it, and `examples/own_device` for one that runs any
/// kernel.
pub fn lend_in_order(
    tasks: &[Task],
    done: &mut dyn FnMut(usize, Result<Timing, DeviceError>),
    mut one: impl FnMut(Lent<'_>) -> Result<Timing, DeviceError>,
) {
    in_order(tasks, done, |task| match task {
        Task::Upload(buffer, span) => {
            allocate(buffer, "the host")?;
            // SAFETY: the queue lets nobody write what an upload reads until it has been answered, which is after `one`
            // has returned and its loan with it.
            let bytes = unsafe { buffer.read(*span) };
            one(Lent::Upload {
                buffer,
                at: span.start as usize,
                bytes,
            })
        }
        Task::Download(buffer, span) => {
            allocate(buffer, "the host")?;
            // SAFETY: the queue lets nobody else touch what a download writes until it has been answered, as above.
            let bytes = unsafe { buffer.write(*span) };
            one(Lent::Download {
                buffer,
                at: span.start as usize,
                bytes,
            })
        }
        Task::Fill(buffer, word) => one(Lent::Fill {
            buffer,
            word: *word,
        }),
        Task::Run(run) => one(Lent::Run(run)),
        Task::Free(id) => one(Lent::Free(*id)),
    });
}
