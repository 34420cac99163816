//! The public face: a runtime, its buffers, its dispatches.
//!
//! Checks what the user hands over and passes it on; everything that happens to it then happens in the rooms above.
//!
//! Invariant: whatever a user hands over wrongly is refused with an error, and the runtime stays usable.

mod buffer;
mod builder;
mod dispatch;
mod raw;

pub use buffer::Buffer;
pub use builder::Builder;
pub use dispatch::{DispatchBuilder, Event};
pub use raw::RawBuffer;

use crate::buffer::{OutOfHostMemory, wish_large};
use crate::device::DeviceInfo;
use crate::error::Result;
use crate::kernel::Kernel;
use crate::queue::Queue;
use crate::range::Range;
use crate::split::Policy;
use bytemuck::Pod;
use bytemuck::allocation::try_zeroed_vec;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The devices of the machine, ready to run kernels.
///
/// A cheap handle: clones share everything. When the last one goes, work that hasn't begun is dropped and its events
/// say so; work under way is waited for.
///
/// ```
/// use divvy::{Kernel, Runtime};
///
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// let square = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
///      @compute @workgroup_size(64)
///      fn square(@builtin(global_invocation_id) id: vec3<u32>) {
///          if id.x < arrayLength(&x) { x[id.x] *= x[id.x]; }
///      }",
/// )?;
/// let x = runtime.buffer_from(&[1.0_f32, 2.0, 3.0])?;
/// runtime.dispatch(&square, 3).bind("x", &x).run()?;
/// assert_eq!(runtime.read(&x)?, [1.0, 4.0, 9.0]);
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Runtime {
    inner: Arc<Inner>,
}

/// For each device, why it can't run a kernel.
type Refusals = Arc<[Option<String>]>;

#[derive(Debug)]
struct Inner {
    queue: Queue,
    policy: Policy,
    profile_folder: Option<PathBuf>,
    /// Whether kernels run checked.
    is_checked: bool,
    /// For each kernel, by its key and whether it has a native body, why a device can't run it.
    accepted: Mutex<HashMap<(u128, bool), Refusals>>,
}

impl Runtime {
    /// A runtime with the CPU and every GPU found, or what the environment says; see [`Runtime::builder`].
    ///
    /// # Errors
    ///
    /// If the environment asks for something that isn't there or can't be written, or the system gives no threads.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Chooses devices, threads, the split policy, the profile's folder and a trace.
    ///
    /// What isn't chosen is taken from the environment: `DIVVY_DEVICES`, `DIVVY_SPLIT`, `DIVVY_PROFILE_DIR`,
    /// `DIVVY_TRACE`, `DIVVY_LONGEST_RUN` and `DIVVY_CHECKED` spell the same choices.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The devices, in the order in which reports list them.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceInfo> {
        self.inner
            .queue
            .devices()
            .iter()
            .map(|device| device.info())
    }

    /// A buffer of `len` zeros.
    ///
    /// No memory is taken until the buffer is used.
    ///
    /// # Errors
    ///
    /// [`Error::ElementSize`](crate::Error::ElementSize) for elements that aren't a multiple of two bytes,
    /// [`Error::HalfWord`](crate::Error::HalfWord) for an odd number of elements that aren't one of four, and
    /// [`Error::TooLong`](crate::Error::TooLong) for a length that no memory could hold.
    pub fn buffer<T: Pod>(&self, len: usize) -> Result<Buffer<T>> {
        Buffer::new(&self.inner.queue, len)
    }

    /// A buffer with these elements.
    ///
    /// # Errors
    ///
    /// As [`Runtime::buffer`], and if the host's memory is full.
    pub fn buffer_from<T: Pod>(&self, elements: &[T]) -> Result<Buffer<T>> {
        let buffer = self.buffer(elements.len())?;
        self.write(&buffer, elements)?;
        Ok(buffer)
    }

    /// The elements of a buffer, after all that was submitted before.
    ///
    /// # Errors
    ///
    /// If a device that held some of them was lost, the work that computed them failed, or the host's memory is full.
    pub fn read<T: Pod>(&self, buffer: &Buffer<T>) -> Result<Vec<T>> {
        self.read_range(buffer, 0..buffer.len())
    }

    /// Some of the elements of a buffer. Only what isn't in the host's memory already is copied there.
    ///
    /// # Errors
    ///
    /// As [`Runtime::read`], and if the range reaches past the buffer.
    pub fn read_range<T: Pod>(
        &self,
        buffer: &Buffer<T>,
        range: std::ops::Range<usize>,
    ) -> Result<Vec<T>> {
        let span = buffer.check(&self.inner.queue, range)?;
        let mut elements = zeroed(span.len() as usize)?;
        buffer.read(&self.inner.queue, span, &mut elements)?;
        Ok(elements)
    }

    /// Fills `elements` with the buffer's from the first on.
    ///
    /// # Errors
    ///
    /// As [`Runtime::read`], and if `elements` is longer than the buffer.
    pub fn read_into<T: Pod>(&self, buffer: &Buffer<T>, elements: &mut [T]) -> Result<()> {
        let span = buffer.check(&self.inner.queue, 0..elements.len())?;
        buffer.read(&self.inner.queue, span, elements)
    }

    /// Overwrites the first elements of a buffer, once all that was submitted before is done with them.
    ///
    /// # Errors
    ///
    /// If `elements` is longer than the buffer, or the host's memory is full.
    pub fn write<T: Pod>(&self, buffer: &Buffer<T>, elements: &[T]) -> Result<()> {
        self.write_range(buffer, 0, elements)
    }

    /// Overwrites the elements of a buffer from `first` on.
    ///
    /// # Errors
    ///
    /// As [`Runtime::write`].
    pub fn write_range<T: Pod>(
        &self,
        buffer: &Buffer<T>,
        first: usize,
        elements: &[T],
    ) -> Result<()> {
        let span = buffer.check(
            &self.inner.queue,
            first..first.saturating_add(elements.len()),
        )?;
        buffer.write(&self.inner.queue, span, elements)
    }

    /// Begins a dispatch of a kernel over a range, in invocations: a number, or an array of up to three, `x` first.
    #[must_use = "a dispatch does nothing until it is run or submitted"]
    pub fn dispatch(&self, kernel: &Kernel, range: impl Into<Range>) -> DispatchBuilder<'_> {
        DispatchBuilder::new(self, kernel.clone(), range.into())
    }

    /// Stores what was measured so far in the profile's folder, if there is one. Happens by itself when the runtime goes.
    pub fn save_profile(&self) {
        self.inner.save_profile();
    }

    /// For each device, why it can't run the kernel.
    fn refusals(&self, kernel: &Kernel, key: u128) -> Refusals {
        let place = (key, kernel.native_body().is_some());
        let known = self
            .inner
            .accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&place)
            .cloned();
        known.unwrap_or_else(|| {
            let asked = self.inner.queue.devices().iter();
            let refusals: Refusals = asked
                .map(|device| device.accepts(kernel).err().map(|error| error.to_string()))
                .collect();
            let mut accepted = self
                .inner
                .accepted
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            accepted.entry(place).or_insert(refusals).clone()
        })
    }
}

impl Inner {
    fn save_profile(&self) {
        let Some(folder) = &self.profile_folder else {
            return;
        };
        if let Err(error) = self.queue.with_profile(|profile| profile.save(folder)) {
            log::warn!("the profile in {} is not stored: {error}", folder.display());
        }
    }
}

/// So many zeroed elements, if the host has room for them.
fn zeroed<T: Pod>(len: usize) -> Result<Vec<T>> {
    let mut elements = try_zeroed_vec(len).map_err(|()| OutOfHostMemory {
        bytes: len.saturating_mul(size_of::<T>()) as u64,
    })?;
    wish_large(bytemuck::cast_slice_mut(&mut elements));
    Ok(elements)
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.save_profile();
    }
}
