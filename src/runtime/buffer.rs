//! Typed buffers.
//!
//! A buffer of elements of a size, and the type that they have in Rust; all but the type is the affair of [`RawBuffer`].
//!
//! Invariant: an element of the buffer has as many bytes as the type.

use super::RawBuffer;
use crate::error::Result;
use crate::queue::Queue;
use crate::span::Span;
use bytemuck::Pod;
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

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
    raw: RawBuffer,
    elements: PhantomData<fn() -> T>,
}

impl<T> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self {
            raw: self.raw.clone(),
            elements: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.raw)
    }
}

impl<T> Buffer<T> {
    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    pub(super) fn raw(&self) -> &RawBuffer {
        &self.raw
    }
}

impl<T: Pod> Buffer<T> {
    pub(super) fn new(queue: &Queue, len: usize) -> Result<Self> {
        Ok(Self {
            raw: RawBuffer::new(queue, size_of::<T>(), type_name::<T>(), len)?,
            elements: PhantomData,
        })
    }

    /// The span of a range of elements, if they are there.
    pub(super) fn check(&self, queue: &Queue, range: std::ops::Range<usize>) -> Result<Span> {
        self.raw.check(queue, range)
    }

    pub(super) fn read(&self, queue: &Queue, span: Span, elements: &mut [T]) -> Result<()> {
        self.raw
            .read(queue, span, bytemuck::cast_slice_mut(elements))
    }

    pub(super) fn write(&self, queue: &Queue, span: Span, elements: &[T]) -> Result<()> {
        self.raw.write(queue, span, bytemuck::cast_slice(elements))
    }
}
