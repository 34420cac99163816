//! Typed buffers.
//!
//! A hold on a buffer of the queue and the type of its elements; where they lie is kept by the rooms above.
//!
//! Invariant: what the queue takes for an element is a multiple of four bytes, so that no write of one can touch a part of
//! another's word. Of elements that aren't, it takes two for one.

#![expect(
    unsafe_code,
    reason = "copies between the user's slices and the host's memory of a buffer"
)]

use crate::error::{Error, Result};
use crate::queue::{Hold, Queue, Request};
use crate::span::Span;
use bytemuck::Pod;
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// Elements that live wherever they were computed last, and are copied only where they are needed.
///
/// A cheap handle: clones are the same buffer. When the last one goes, the memory is given back.
///
/// ```
/// use divvy::Runtime;
///
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// let x = runtime.buffer_from(&[1_u32, 2, 3, 4])?;
/// let same = x.clone();
/// runtime.write_range(&same, 2, &[30, 40])?;
/// assert_eq!(runtime.read_range(&x, 1..4)?, [2, 30, 40]);
///
/// let mut all = [0; 4];
/// runtime.read_into(&x, &mut all)?;
/// assert_eq!(all, [1, 2, 30, 40]);
/// # Ok::<(), divvy::Error>(())
/// ```
pub struct Buffer<T> {
    hold: Arc<Hold>,
    len: usize,
    elements: PhantomData<fn() -> T>,
}

impl<T> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self {
            hold: self.hold.clone(),
            len: self.len,
            elements: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Buffer<{}>({}, {} elements)",
            type_name::<T>(),
            self.hold.storage.id(),
            self.len
        )
    }
}

impl<T> Buffer<T> {
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

    pub(super) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }
}

impl<T: Pod> Buffer<T> {
    /// How many elements the queue takes for one.
    pub(super) const TOGETHER: u64 = if size_of::<T>().is_multiple_of(4) {
        1
    } else {
        2
    };

    /// Elements as the queue counts them, if they don't begin or end within one of its own.
    fn in_words(span: Span) -> Result<Span> {
        let is_whole = |place: u64| place.is_multiple_of(Self::TOGETHER);
        if !is_whole(span.start) || !is_whole(span.end) {
            return Err(Error::HalfWord {
                span,
                type_name: type_name::<T>(),
                bytes: size_of::<T>(),
            });
        }
        Ok(Span::new(
            span.start / Self::TOGETHER,
            span.end / Self::TOGETHER,
        ))
    }

    pub(super) fn new(queue: &Queue, len: usize) -> Result<Self> {
        let bytes = size_of::<T>();
        if bytes == 0 || !bytes.is_multiple_of(2) {
            return Err(Error::ElementSize {
                type_name: type_name::<T>(),
                bytes,
            });
        }
        if len
            .checked_mul(bytes)
            .is_none_or(|bytes| isize::try_from(bytes).is_err())
        {
            return Err(Error::TooLong { len, bytes });
        }
        let whole = Self::in_words(Span::new(0, len as u64))?;
        let bytes = bytes as u64 * Self::TOGETHER;
        let storage = queue.add_buffer(whole.end, bytes, type_name::<T>());
        let hold = Arc::new(Hold {
            storage,
            abandoned: queue.abandoned(),
        });
        Ok(Self {
            hold,
            len,
            elements: PhantomData,
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

    pub(super) fn read(&self, queue: &Queue, span: Span, elements: &mut [T]) -> Result<()> {
        let storage = &self.hold.storage;
        storage.allocate()?;
        let around = Span::new(
            span.start / Self::TOGETHER,
            span.end.div_ceil(Self::TOGETHER),
        );
        queue.access(Request::Read(self.hold.clone(), around), || {
            // SAFETY: the queue calls this when the span is current in the host's memory, and lets nobody write it
            // until this has returned.
            let bytes = unsafe { storage.read(span.scaled(size_of::<T>() as u64)) };
            bytemuck::cast_slice_mut(elements).copy_from_slice(bytes);
        })?;
        Ok(())
    }

    pub(super) fn write(&self, queue: &Queue, span: Span, elements: &[T]) -> Result<()> {
        let storage = &self.hold.storage;
        let words = Self::in_words(span)?;
        storage.allocate()?;
        queue.access(Request::Write(self.hold.clone(), words), || {
            // SAFETY: the queue calls this when everyone who reads or writes the span has ended, and lets nobody else
            // touch it until this has returned.
            let bytes = unsafe { storage.write(span.scaled(size_of::<T>() as u64)) };
            bytes.copy_from_slice(bytemuck::cast_slice(elements));
        })?;
        Ok(())
    }
}
