//! The hand-written CPU body of a kernel, and what it gets to see.
//!
//! Typed views of bytes that somebody else owns; who lends them, and to how many threads, is the device's affair.
//!
//! Invariant: a body sees the elements that its access patterns allow and no others, and those it may write it sees alone.

use super::{Binding, Facts, Word};
use crate::range::{Chunk, Range};
use bytemuck::Pod;
use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut, Index, IndexMut};
use std::sync::Arc;

/// A closure that does for a part of the range what the kernel's WGSL does.
pub(crate) type Native = Arc<dyn Fn(&Body<'_>) + Send + Sync>;

/// What is bound to one variable of the kernel, as far as a part of the range may see it.
pub(crate) enum Slot<'a> {
    /// Elements to read, the first of which has this index in the buffer.
    Read(usize, &'a [u8]),
    /// Elements to read and write; taken by the first who asks.
    Write(Cell<Option<(usize, &'a mut [u8])>>),
    /// The bytes of a value.
    Value(&'a [u8]),
}

/// A part of a dispatch, as a hand-written body sees it.
///
/// The body of a kernel is called for many parts of the range, on many threads. It works on the units
/// [`Body::units`] of the range's slowest dimension and on all of the others.
///
/// ```
/// use divvy::{Access, Kernel, Runtime};
///
/// let blur = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<uniform> weight: u32;
///      @group(0) @binding(1) var<storage, read> old: array<u32>;
///      @group(0) @binding(2) var<storage, read_write> next: array<u32>;
///      @compute @workgroup_size(64)
///      fn blur(@builtin(global_invocation_id) id: vec3<u32>) {
///          let last = arrayLength(&old) - 1u;
///          if id.x > last { return; }
///          next[id.x] = weight * old[id.x] + old[min(id.x + 1u, last)];
///      }",
/// )?
/// .access("old", Access::Neighborhood(1))?
/// .native(|body| {
///     let weight: u32 = body.value("weight");
///     let (old, mut next) = (body.read::<u32>("old"), body.write::<u32>("next"));
///     let last = body.range().extents()[0] as usize - 1;
///     for i in body.units() {
///         next[i] = weight * old[i] + old[(i + 1).min(last)];
///     }
/// });
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// let old = runtime.buffer_from(&[1_u32, 2, 3])?;
/// let next = runtime.buffer::<u32>(3)?;
/// runtime.dispatch(&blur, 3).value("weight", 10_u32).bind("old", &old).bind("next", &next).run()?;
/// assert_eq!(runtime.read(&next)?, [12, 23, 33]);
/// # Ok::<(), divvy::Error>(())
/// ```
///
/// # Panics
///
/// Its methods panic when a name or a type isn't the kernel's; the panic comes back as the error of the dispatch.
pub struct Body<'a> {
    facts: &'a Facts,
    chunk: Chunk,
    slots: Vec<Slot<'a>>,
}

impl<'a> Body<'a> {
    /// Of the part `chunk`, with a slot for each binding.
    pub(crate) fn new(facts: &'a Facts, chunk: Chunk, slots: Vec<Slot<'a>>) -> Self {
        Self {
            facts,
            chunk,
            slots,
        }
    }

    /// Which units of the range's slowest dimension the body is to work on: the indices of a one-dimensional range, the
    /// rows of a two-dimensional one.
    #[must_use]
    pub fn units(&self) -> std::ops::Range<usize> {
        self.chunk.units.indices()
    }

    /// The undivided range.
    #[must_use]
    pub fn range(&self) -> Range {
        self.chunk.range
    }

    /// The value bound to a uniform.
    #[must_use]
    pub fn value<T: Pod>(&self, name: &str) -> T {
        let (binding, slot) = self.slot(name);
        let Slot::Value(bytes) = slot else {
            panic!("`{name}` is a buffer: call `read` or `write`");
        };
        let Some(bytes) = bytes.get(..size_of::<T>()) else {
            let (len, rust) = (bytes.len(), type_name::<T>());
            panic!("`{name}` has {len} bytes, fewer than a `{rust}`");
        };
        if let Err(error) = binding.check_value(bytes, type_name::<T>()) {
            panic!("{error}");
        }
        bytemuck::pod_read_unaligned(bytes)
    }

    /// The elements of a buffer that is only read.
    #[must_use]
    pub fn read<T: Pod>(&self, name: &str) -> View<'a, T> {
        let (binding, slot) = self.slot(name);
        match slot {
            Slot::Read(first, bytes) => {
                check::<T>(binding);
                View {
                    first: *first / size_of::<T>(),
                    elements: cast(name, bytes),
                }
            }
            Slot::Write(_) => panic!("the kernel writes `{name}`: call `write`"),
            Slot::Value(_) => panic!("`{name}` is a value: call `value`"),
        }
    }

    /// The elements of a buffer that the kernel writes. They can be taken once.
    #[must_use]
    pub fn write<T: Pod>(&self, name: &str) -> ViewMut<'a, T> {
        let (binding, slot) = self.slot(name);
        match slot {
            Slot::Write(taken) => match taken.take() {
                Some((first, bytes)) => {
                    check::<T>(binding);
                    ViewMut {
                        first: first / size_of::<T>(),
                        elements: cast_mut(name, bytes),
                    }
                }
                None => panic!("`{name}` has been taken already: keep the view that `write` gave"),
            },
            Slot::Read(..) => panic!("the kernel only reads `{name}`: call `read`"),
            Slot::Value(_) => panic!("`{name}` is a value: call `value`"),
        }
    }

    fn slot(&self, name: &str) -> (&Binding, &Slot<'a>) {
        match self.facts.find(name) {
            Ok(place) => (&self.facts.bindings[place], &self.slots[place]),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Panics if the binding isn't made of such elements, as a buffer of them couldn't be bound to it.
fn check<T: Pod>(binding: &Binding) {
    let Binding { name, layout, .. } = binding;
    let (wgsl, rust) = (&layout.element.type_name, type_name::<T>());
    assert!(
        layout.takes(Word::of::<T>(), size_of::<T>() as u64),
        "`{name}` is made of `{wgsl}`, of {} bytes an element, not of `{rust}`",
        layout.element.stride
    );
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("entry", &self.facts.entry)
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}

fn type_name<T>() -> &'static str {
    std::any::type_name::<T>()
}

fn cast<'a, T: Pod>(name: &str, bytes: &'a [u8]) -> &'a [T] {
    match bytemuck::try_cast_slice(bytes) {
        Ok(elements) => elements,
        Err(error) => panic!(
            "the elements of `{name}` can't be seen as {}: {error}",
            type_name::<T>()
        ),
    }
}

fn cast_mut<'a, T: Pod>(name: &str, bytes: &'a mut [u8]) -> &'a mut [T] {
    match bytemuck::try_cast_slice_mut(bytes) {
        Ok(elements) => elements,
        Err(error) => panic!(
            "the elements of `{name}` can't be seen as {}: {error}",
            type_name::<T>()
        ),
    }
}

/// Elements of a buffer to read.
///
/// Indexing takes the element's index in the whole buffer, as in the WGSL; the view dereferences to the slice of the
/// elements it shows, which starts at [`View::first`].
///
/// ```
/// use divvy::{Kernel, Runtime};
///
/// let copy = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read> x: array<u32>;
///      @group(0) @binding(1) var<storage, read_write> y: array<u32>;
///      @compute @workgroup_size(64)
///      fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
///          if id.x < arrayLength(&y) { y[id.x] = x[id.x]; }
///      }",
/// )?
/// .native(|body| {
///     let (x, mut y) = (body.read::<u32>("x"), body.write::<u32>("y"));
///     // The part of `y` that this call is to write, as a slice; `x` is there in full.
///     let own = y.first()..y.first() + y.len();
///     y.copy_from_slice(&x.as_slice()[own]);
/// });
/// let runtime = Runtime::builder().devices("cpu").build()?;
/// let (x, y) = (runtime.buffer_from(&[5_u32; 1000])?, runtime.buffer::<u32>(1000)?);
/// runtime.dispatch(&copy, 1000).bind("x", &x).bind("y", &y).run()?;
/// assert_eq!(runtime.read(&y)?, [5; 1000]);
/// # Ok::<(), divvy::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    first: usize,
    elements: &'a [T],
}

impl<T> View<'_, T> {
    /// The index in the buffer of the first element that is shown.
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }
}

impl<'a, T> View<'a, T> {
    /// The elements that are shown.
    #[must_use]
    pub fn as_slice(&self) -> &'a [T] {
        self.elements
    }
}

impl<T> Deref for View<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.elements
    }
}

impl<T> Index<usize> for View<'_, T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        &self.elements[index.wrapping_sub(self.first)]
    }
}

/// Elements of a buffer to read and write; indexed as a [`View`] is.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    first: usize,
    elements: &'a mut [T],
}

impl<T> ViewMut<'_, T> {
    /// The index in the buffer of the first element that is shown.
    #[must_use]
    pub fn first(&self) -> usize {
        self.first
    }
}

impl<T> Deref for ViewMut<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.elements
    }
}

impl<T> DerefMut for ViewMut<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.elements
    }
}

impl<T> Index<usize> for ViewMut<'_, T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        &self.elements[index.wrapping_sub(self.first)]
    }
}

impl<T> IndexMut<usize> for ViewMut<'_, T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.elements[index.wrapping_sub(self.first)]
    }
}

impl super::Kernel {
    /// Gives the kernel a hand-written CPU body.
    ///
    /// The closure is called for parts of the range, on several threads at once; see [`Body`]. It must do what the WGSL
    /// does, for exactly the invocations of the part: workgroups that reach past the range are cut. What it reads is up to
    /// it, so a buffer that is only read is there in full unless a pattern is declared; one that is written is there as far
    /// as the WGSL writes it, if that can be proven.
    ///
    /// A body computes and waits for nothing: one that runs a dispatch of the runtime that calls it, or reads a buffer that
    /// this runtime is writing, waits for itself and never ends.
    ///
    /// ```
    /// use divvy::Kernel;
    ///
    /// let double = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read_write> x: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    ///          if id.x < arrayLength(&x) { x[id.x] *= 2.0; }
    ///      }",
    /// )?
    /// .native(|body| {
    ///     for x in body.write::<f32>("x").iter_mut() {
    ///         *x *= 2.0;
    ///     }
    /// });
    /// # Ok::<(), divvy::KernelError>(())
    /// ```
    #[must_use]
    pub fn native(mut self, body: impl Fn(&Body<'_>) + Send + Sync + 'static) -> Self {
        self.native = Some(Arc::new(body));
        if let Ok(facts) = &mut self.facts {
            // What was proven of the WGSL needn't hold for what the body reads.
            let mut known = Facts::clone(facts);
            (known.has_native, known.proofs) = (true, Arc::default());
            *facts = Arc::new(known);
        }
        self
    }

    /// The hand-written CPU body, if there is one.
    pub(crate) fn native_body(&self) -> Option<&Native> {
        self.native.as_ref()
    }
}
