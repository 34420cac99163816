//! Buffers of elements whose size is known only when the program runs.
//!
//! A hold on a buffer of the queue and the size of its elements; where they lie is kept by the rooms above.
//!
//! Invariant: what the queue takes for an element is a multiple of four bytes, so that no write of one can touch a part of
//! another's word. Of elements that aren't, it takes two for one.

#![expect(
    unsafe_code,
    reason = "copies between the user's bytes and the host's memory of a buffer"
)]

use super::{Runtime, zeroed};
use crate::error::{Error, Result};
use crate::queue::{Hold, Queue, Request};
use crate::span::Span;
use std::fmt;
use std::sync::Arc;

/// A buffer of elements of so many bytes, for programs that learn the type of a variable from the kernel; where the type is
/// known when the program is written, [`Buffer`](crate::Buffer) is the safer one.
///
/// A cheap handle: clones are the same buffer. When the last one goes, the memory is given back.
///
/// ```
/// use divvy::{Kernel, Runtime};
///
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// let double = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
///      @group(0) @binding(1) var<uniform> factor: u32;
///      @compute @workgroup_size(64)
///      fn double(@builtin(global_invocation_id) id: vec3<u32>) {
///          if id.x < arrayLength(&x) { x[id.x] *= factor; }
///      }",
/// )?;
/// let stride = double.facts()?.bindings[0].layout.element.stride;
/// let x = runtime.raw_buffer(stride as usize, 2)?;
/// runtime.write_raw(&x, &[3, 0, 0, 0, 4, 0, 0, 0])?;
/// runtime.dispatch(&double, 2).bind_raw("x", &x).value_raw("factor", &2_u32.to_le_bytes()).run()?;
/// assert_eq!(runtime.read_raw(&x)?, [6, 0, 0, 0, 8, 0, 0, 0]);
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Clone)]
pub struct RawBuffer {
    hold: Arc<Hold>,
    len: usize,
    element_bytes: usize,
    type_name: &'static str,
}

impl fmt::Debug for RawBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Buffer<{}>({}, {} elements)",
            self.type_name,
            self.hold.storage.id(),
            self.len
        )
    }
}

impl RawBuffer {
    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes from one element to the next.
    #[must_use]
    pub fn element_bytes(&self) -> usize {
        self.element_bytes
    }

    pub(super) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    pub(super) fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// How many elements the queue takes for one.
    pub(super) fn together(&self) -> u64 {
        if self.element_bytes.is_multiple_of(4) {
            1
        } else {
            2
        }
    }

    pub(super) fn new(
        queue: &Queue,
        element_bytes: usize,
        type_name: &'static str,
        len: usize,
    ) -> Result<Self> {
        let bytes = element_bytes;
        if bytes == 0 || !bytes.is_multiple_of(2) {
            return Err(Error::ElementSize { type_name, bytes });
        }
        let is_beyond = |len: usize| {
            let all = len.checked_mul(bytes);
            all.is_none_or(|all| isize::try_from(all).is_err())
        };
        // Two of its elements may be one of the queue's, even where there is none.
        if is_beyond(len.max(2)) {
            return Err(Error::TooLong { len, bytes });
        }
        let together = if bytes.is_multiple_of(4) { 1 } else { 2 };
        let whole = in_words(Span::new(0, len as u64), bytes, together, type_name)?;
        let storage = queue.add_buffer(whole.end, bytes as u64 * together, type_name);
        let hold = Arc::new(Hold {
            storage,
            abandoned: queue.abandoned(),
        });
        Ok(Self {
            hold,
            len,
            element_bytes,
            type_name,
        })
    }

    /// The span of a range of elements, if they are there.
    pub(super) fn check(&self, queue: &Queue, range: std::ops::Range<usize>) -> Result<Span> {
        if !Arc::ptr_eq(&self.hold.abandoned, &queue.abandoned()) {
            return Err(Error::ForeignAccess {
                buffer: format!("{self:?}"),
            });
        }
        let (start, end) = (range.start as u64, range.end as u64);
        if start > end {
            return Err(Error::ReversedElements { start, end });
        }
        if range.end > self.len {
            return Err(Error::OutOfBounds {
                span: Span { start, end },
                len: self.len as u64,
            });
        }
        Ok(range.into())
    }

    /// Fills `bytes` with the elements of a span that [`RawBuffer::check`] gave.
    pub(super) fn read(&self, queue: &Queue, span: Span, bytes: &mut [u8]) -> Result<()> {
        let storage = &self.hold.storage;
        storage.allocate()?;
        let together = self.together();
        let around = Span::new(span.start / together, span.end.div_ceil(together));
        queue.access(Request::Read(self.hold.clone(), around), || {
            // SAFETY: the queue calls this when the span is current in the host's memory, and lets nobody write it
            // until this has returned.
            let current = unsafe { storage.read(span.scaled(self.element_bytes as u64)) };
            bytes.copy_from_slice(current);
        })?;
        Ok(())
    }

    /// Overwrites the elements of a span that [`RawBuffer::check`] gave.
    pub(super) fn write(&self, queue: &Queue, span: Span, bytes: &[u8]) -> Result<()> {
        let storage = &self.hold.storage;
        let words = in_words(span, self.element_bytes, self.together(), self.type_name)?;
        storage.allocate()?;
        queue.access(Request::Write(self.hold.clone(), words), || {
            // SAFETY: the queue calls this when everyone who reads or writes the span has ended, and lets nobody else
            // touch it until this has returned.
            let place = unsafe { storage.write(span.scaled(self.element_bytes as u64)) };
            place.copy_from_slice(bytes);
        })?;
        Ok(())
    }
}

/// Elements as the queue counts them, if they don't begin or end within one of its own.
fn in_words(span: Span, bytes: usize, together: u64, type_name: &'static str) -> Result<Span> {
    let is_whole = |place: u64| place.is_multiple_of(together);
    if !is_whole(span.start) || !is_whole(span.end) {
        return Err(Error::HalfWord {
            span,
            type_name,
            bytes,
        });
    }
    Ok(Span::new(span.start / together, span.end / together))
}

impl Runtime {
    /// A buffer of `len` zeroed elements of so many bytes: the `stride` of the variable's
    /// [`Element`](crate::kernel::Element), or 4 for a struct that ends in a runtime-sized array.
    ///
    /// # Errors
    ///
    /// As [`Runtime::buffer`].
    pub fn raw_buffer(&self, element_bytes: usize, len: usize) -> Result<RawBuffer> {
        RawBuffer::new(&self.inner.queue, element_bytes, "raw bytes", len)
    }

    /// The bytes of a buffer, after all that was submitted before.
    ///
    /// # Errors
    ///
    /// As [`Runtime::read`].
    pub fn read_raw(&self, buffer: &RawBuffer) -> Result<Vec<u8>> {
        let span = buffer.check(&self.inner.queue, 0..buffer.len)?;
        let mut bytes = zeroed(buffer.len * buffer.element_bytes)?;
        buffer.read(&self.inner.queue, span, &mut bytes)?;
        Ok(bytes)
    }

    /// Overwrites the first elements of a buffer, as many as the bytes are.
    ///
    /// # Errors
    ///
    /// As [`Runtime::write`], and if the bytes end within an element.
    pub fn write_raw(&self, buffer: &RawBuffer, bytes: &[u8]) -> Result<()> {
        let element = buffer.element_bytes;
        if !bytes.len().is_multiple_of(element) {
            return Err(Error::PartOfElement {
                bytes: bytes.len(),
                element,
            });
        }
        let span = buffer.check(&self.inner.queue, 0..bytes.len() / element)?;
        buffer.write(&self.inner.queue, span, bytes)
    }
}
