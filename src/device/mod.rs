//! The devices: whoever can copy bytes and run chunks of kernels.
//!
//! A device does as it is told, in order. What it is told, and when, is decided by the plan and the queue; what it may
//! touch was checked when the dispatch was bound.
//!
//! Invariant: a device touches only the bytes that its tasks name.

pub mod cpu;
pub mod gpu;
mod lend;
pub mod virtual_device;

pub(crate) use cpu::CheckedCpu;
pub use cpu::CpuDevice;
pub use gpu::GpuDevice;
pub use lend::{Lent, lend_in_order};
pub use virtual_device::VirtualDevice;

use crate::buffer::Storage;
use crate::check::Findings;
use crate::id::BufferId;
use crate::kernel::{Access, Facts, Kernel, Pieces};
use crate::range::Chunk;
use crate::span::Span;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What kind of processor a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceKind {
    /// The cores of the machine.
    Cpu,
    /// A GPU.
    Gpu,
    /// A GPU's programming interface, run by the cores of the machine: lavapipe, WARP, SwiftShader.
    SoftwareGpu,
    /// A device that follows a script, for tests and simulations.
    Virtual,
    /// A device that was written elsewhere and is none of these: an accelerator, a machine across the network.
    Other,
}

/// Where a device computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Home {
    /// In the host's memory: nothing is ever copied to it or from it.
    Host,
    /// In a memory of its own, which it copies from and to the host's.
    Own,
}

/// What is known of a device before it has done anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// A name for people, and for choosing devices: `cpu`, or what the driver says. No two devices of a runtime have the
    /// same.
    pub name: String,
    /// What kind of processor it is.
    pub kind: DeviceKind,
    /// What the speed of a kernel depends on besides the name: driver and version, the number of threads.
    pub detail: String,
    /// Where it computes.
    pub home: Home,
    /// The largest buffer that a kernel can be given, in bytes; on the CPU one that has no native body.
    pub most_binding_bytes: u64,
}

/// What kernels may ask of a device at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// The largest buffer, in bytes; nothing where only the memory bounds it.
    pub most_buffer_bytes: Option<u64>,
    /// The most bytes of a buffer that a kernel can be given; nothing where only the memory bounds it.
    pub most_binding_bytes: Option<u64>,
    /// Buffers that a kernel may bind; nothing where any number will do.
    pub most_buffers: Option<u32>,
    /// Invocations of a workgroup along x, y and z.
    pub most_workgroup: [u32; 3],
    /// Invocations of a workgroup in all.
    pub most_invocations: u32,
    /// Bytes of `var<workgroup>`.
    pub most_workgroup_bytes: u64,
}

impl DeviceInfo {
    /// What its samples in a profile go by.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} ({})", self.name, self.detail)
    }
}

/// A device of the runtime: copies bytes and runs chunks of kernels, as it is told.
///
/// A runtime takes any device, in this crate or elsewhere, by [`Builder::device`](crate::Builder::device). What follows is
/// all that is asked of one. Each rule in *italics* is a rule of the crate `divvy-conformance`, which checks it on any
/// device, and whose cases run kernels on it, alone and split with others. `examples/own_device` is a whole device on a
/// thread and in a memory of its own, without a line of unsafe code; [`VirtualDevice`] is one inside this crate.
///
/// # What a device can rely on
///
/// - **Tasks are valid.** Bindings, sizes, patterns and limits were checked when the dispatch was bound; a device that was
///   asked [`Device::accepts`] and said no is never given the kernel.
/// - **Its bytes are its own.** From the call of [`Device::execute`] until a task is answered, nobody writes what the task
///   reads, and nobody touches what it writes. Other devices may be at work on other bytes of the same buffers.
/// - **One call at a time.** [`Device::execute`] is never called while it runs, but from any thread: whoever waits for an
///   idle device drives it. [`Device::info`] and [`Device::accepts`] may be called from any thread at any time.
///
/// # What is asked of it
///
/// - *It says the same of itself always.* [`Device::info`] is the same from first to last, with a name. Where the device
///   says that it is at [`Home::Host`], kernels compute in the host's memory of a buffer ([`Storage::allocate`] it first),
///   and uploads, downloads and frees are nothing to do.
/// - *Every task is answered once and in order*, before [`Device::execute`] returns. An answer says that the task has
///   ended, not that it was queued: what was downloaded is in the host's memory, and what was uploaded is read no more.
///   A device that panics, or returns without an answer to each, is taken for lost.
/// - *A task sees what those before it did*, in the same call and in all before. What a run wrote stays in the device's
///   memory until it is overwritten or freed.
/// - *Any thread may drive it*, one at a time.
/// - *Copies touch the bytes that are named* and no others: those beside them may be newer, on either side.
/// - *Memory starts zeroed, and again after a free.* It is allocated when a task first names a buffer. The id of a buffer
///   is never used again, but its memory may be.
/// - *A fill sets every word* of the buffer.
/// - *A chunk is its own part of the whole.* A run does the invocations of [`Chunk::units`](crate::Chunk), and those past
///   the range that fill its last workgroup, each once. `global_invocation_id`, `workgroup_id`, `num_workgroups` and
///   `arrayLength` are those of the undivided dispatch; [`rebase`](crate::kernel::rebase) rewrites a module to have it so.
///   It may be cut further only where [`Run::is_divisible`].
/// - *What accumulates adds to what is there.* A buffer of the pattern [`Access::Accumulate`] is bound to a private copy, or
///   to the buffer itself: the device combines into it, and needn't know which.
/// - *Nothing is begun behind a failure.* After a task that fails, those behind it in the call are answered with
///   [`DeviceError::NotBegun`]. What the failed one was to write may be anything; all else stays. The next call is a new
///   beginning. [`in_order`] and [`lend_in_order`] do that for a device that does one task after another.
///
/// # When it fails
///
/// [`DeviceError::Lost`] says that the device and all that its memory held are gone: it is never called again, its chunks
/// are run elsewhere, and elements that only it had are lost to whoever asks for them. A lost device answers with it at
/// once and waits for nothing. After every other error the device goes on, only without the dispatch that failed:
/// [`DeviceError::OutOfMemory`], [`DeviceError::Refused`] at a run, and [`DeviceError::Failed`] for the rest.
/// [`DeviceError::Panicked`] ends the dispatch, as the kernel would do the same everywhere.
pub trait Device: fmt::Debug + Send + Sync {
    /// What is known of the device. **Must** be implemented, and never change.
    fn info(&self) -> &DeviceInfo;

    /// Whether the device can run the kernel. **Must** be implemented; **may** compile the kernel, and should then keep
    /// the result, by [`Facts::key`](crate::kernel::Facts::key). Asked before the first chunk of each kernel, and answered
    /// the same each time.
    ///
    /// # Errors
    ///
    /// [`DeviceError::Refused`] with the reason, which the report shows.
    fn accepts(&self, kernel: &Kernel) -> Result<(), DeviceError>;

    /// Does the tasks, in order, and calls `done` with the index of each as it ends. **Must** be implemented.
    ///
    /// Tasks of one call **may** be submitted together, so long as each sees what those before it wrote; what waits for
    /// one of them goes on when it is answered, so an early answer is worth more than a batch.
    fn execute(&self, tasks: &[Task], done: &mut dyn FnMut(usize, Result<Timing, DeviceError>));
}

/// Something that a device is told to do.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few at a time, and most are runs"
)]
pub enum Task {
    /// Copy bytes from the host's memory to the device's, at the same place in the buffer.
    Upload(Arc<Storage>, Span),
    /// Copy bytes from the device's memory to the host's, at the same place in the buffer.
    Download(Arc<Storage>, Span),
    /// Set every four bytes of a buffer in the device's memory to a word.
    Fill(Arc<Storage>, u32),
    /// Run a chunk of a kernel.
    Run(Run),
    /// Give up the memory of a buffer that nobody will name again.
    Free(BufferId),
}

/// A chunk of a kernel with all it is bound to.
#[derive(Clone, Debug)]
pub struct Run {
    /// The kernel.
    pub kernel: Kernel,
    /// The chunk of its range.
    pub chunk: Chunk,
    /// What is bound, one for each binding of the kernel's facts.
    pub bound: Arc<[Bound]>,
    /// The access pattern of each of them in this dispatch; nothing for values, and for a buffer that is written nobody
    /// knows where, of which there is one chunk only.
    pub accesses: Arc<[Option<Access>]>,
}

impl Run {
    /// Whether the chunk may be cut further: everything that is written has a pattern that allows it.
    #[must_use]
    pub fn is_divisible(&self) -> bool {
        let pairs = self.bound.iter().zip(&*self.accesses);
        let mut buffers = pairs.filter(|(bound, _)| bound.buffer().is_some());
        buffers.all(|(_, access)| access.is_some())
    }

    /// The bytes that a chunk of it, or of a part of it, may touch of what is bound at a place, in as many spans as it
    /// takes; `facts` are the kernel's. None of a value.
    pub(crate) fn touched(&self, facts: &Facts, place: usize, chunk: &Chunk) -> Pieces {
        let Some(storage) = self.bound[place].buffer() else {
            return Pieces::new();
        };
        let whole = || Pieces::from_slice(&[Span::new(0, storage.bytes())]);
        let Some(pattern) = self.accesses[place] else {
            return whole();
        };
        let extent = chunk.range.extents()[chunk.slowest];
        let stride = facts.bindings[place].layout.element.stride;
        // Checked to be even when the dispatch was bound; whole elements, so that the stride divides.
        let pieces = pattern.pieces(chunk.units, extent, storage.bytes() / stride);
        pieces.map_or_else(
            |_| whole(),
            |pieces| pieces.iter().map(|piece| piece.scaled(stride)).collect(),
        )
    }
}

/// What is bound to one variable.
#[derive(Clone, Debug)]
pub enum Bound {
    /// A buffer, or a private copy of one to accumulate in.
    Buffer(Arc<Storage>),
    /// The bytes of a value, padded as WGSL has it.
    Value(Arc<[u8]>),
}

/// How long a task took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Seconds of the work itself, by the device's own clock where it has one.
    pub seconds: f64,
    /// Seconds that the device needed around it: submission and waiting.
    pub overhead_seconds: f64,
    /// Whether `seconds` is what the device expects rather than what it measured, because measuring would have taken
    /// longer than the task. Nothing is learned from it.
    pub is_estimate: bool,
}

impl Timing {
    /// What of it can be true. Of a time that no clock shows, as NaN or less than none, nothing is learned.
    pub(crate) fn believed(self) -> Self {
        // Rates of times beyond these, and sums of them, would leave the numbers that there are.
        let is_shown = |seconds: f64| seconds == 0.0 || (1e-12..=1e12).contains(&seconds);
        let or_none = |seconds: f64| if is_shown(seconds) { seconds } else { 0.0 };
        Self {
            seconds: or_none(self.seconds),
            overhead_seconds: or_none(self.overhead_seconds),
            is_estimate: self.is_estimate
                || !is_shown(self.seconds)
                || !is_shown(self.overhead_seconds),
        }
    }
}

/// Why a device did not do what it was told.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The device is gone, with all that its memory held.
    #[error("`{device}` is lost: {message}")]
    Lost {
        /// The device's name.
        device: String,
        /// What the driver says.
        message: String,
    },
    /// There is no room for a buffer in the device's memory.
    #[error(
        "`{device}` has no memory for a buffer of {bytes} bytes; use smaller buffers, or drop some"
    )]
    OutOfMemory {
        /// The device's name.
        device: String,
        /// The buffer's size.
        bytes: u64,
    },
    /// The device can't run the kernel.
    #[error("`{device}` can't run the kernel: {reason}")]
    Refused {
        /// The device's name.
        device: String,
        /// Why, and what would help.
        reason: String,
    },
    /// More threads than any machine like this one has a use for.
    #[error(
        "`{device}` can't have {asked} threads: {most} is the most on this machine; zero takes one for each core"
    )]
    TooManyThreads {
        /// The device's name.
        device: String,
        /// How many were asked for.
        asked: usize,
        /// The most there may be.
        most: usize,
    },
    /// The kernel's hand-written body panicked; or what runs its WGSL did, which is a bug of this library.
    #[error("the CPU's run of `{entry}` panicked: {message}")]
    Panicked {
        /// The kernel's entry point.
        entry: String,
        /// What it said.
        message: String,
    },
    /// The kernel ran to its end, checked, and has faults.
    #[error("{0}")]
    Checked(Arc<Findings>),
    /// The device didn't begin with it, because something before it failed.
    #[error("not begun, because what came before it failed")]
    NotBegun,
    /// The device failed in another way.
    #[error("`{device}` failed: {message}")]
    Failed {
        /// The device's name.
        device: String,
        /// What the driver says.
        message: String,
    },
}

debug_is_message!(DeviceError);

impl Bound {
    /// The buffer, where it is one.
    #[must_use]
    pub fn buffer(&self) -> Option<&Arc<Storage>> {
        match self {
            Bound::Buffer(storage) => Some(storage),
            Bound::Value(_) => None,
        }
    }
}

/// Allocates the host's memory of a buffer; if there is none, `device` is named as what has no room.
pub(crate) fn allocate(storage: &Storage, device: &str) -> Result<(), DeviceError> {
    storage.allocate().map_err(|_| DeviceError::OutOfMemory {
        device: device.to_owned(),
        bytes: storage.bytes(),
    })
}

/// What a panic said.
pub(crate) fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

/// Does tasks one after another with `one`, up to the first that fails: [`Device::execute`] for devices that have no
/// better way. [`lend_in_order`] lends the bytes of copies as well.
///
/// ```
/// use divvy::device::{DeviceError, Task, Timing, in_order};
/// use divvy::id::BufferId;
///
/// let tasks = [1, 2, 3].map(|id| Task::Free(BufferId(id)));
/// let mut answers = Vec::new();
/// in_order(
///     &tasks,
///     &mut |i, answer| answers.push((i, answer)),
///     |task| match task {
///         Task::Free(BufferId(2)) => {
///             let (device, message) = ("mine".to_owned(), "it sticks".to_owned());
///             Err(DeviceError::Failed { device, message })
///         }
///         _ => Ok(Timing::default()),
///     },
/// );
/// assert!(answers[0].1.is_ok() && answers[1].1.is_err());
/// assert_eq!(answers[2], (2, Err(DeviceError::NotBegun)));
/// ```
pub fn in_order(
    tasks: &[Task],
    done: &mut dyn FnMut(usize, Result<Timing, DeviceError>),
    mut one: impl FnMut(&Task) -> Result<Timing, DeviceError>,
) {
    let mut has_failed = false;
    for (i, task) in tasks.iter().enumerate() {
        let result = if has_failed {
            Err(DeviceError::NotBegun)
        } else {
            one(task)
        };
        // What was checked has been done, whatever was found.
        has_failed |= !matches!(result, Ok(_) | Err(DeviceError::Checked(_)));
        done(i, result);
    }
}
