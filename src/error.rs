//! The errors of the public face.
//!
//! Each room has its own; here they come together, with those that are found when a dispatch is bound.
//!
//! Invariant: an error names the thing, the limit and the way out, and leaves the runtime usable.

use crate::buffer::OutOfHostMemory;
use crate::check::Findings;
use crate::device::DeviceError;
use crate::kernel::{KernelError, Uneven, ValueError};
use crate::span::Span;
use std::path::PathBuf;
use std::sync::Arc;

/// The result of a fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A kernel could not be made, or isn't complete.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A value doesn't fit its uniform.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A device failed and no other could take over.
    #[error(transparent)]
    Device(DeviceError),
    /// The kernel has faults, found by checked mode. It ran to its end: its buffers hold what it wrote.
    #[error("{0}")]
    Checked(Arc<Findings>),
    /// There is no room for a buffer in the host's memory.
    #[error(transparent)]
    OutOfHostMemory(#[from] OutOfHostMemory),
    /// Buffers hold elements of a size that WGSL can't address.
    #[error(
        "buffers can't hold `{type_name}`, of {bytes} {}: WGSL has no elements of such a size; \
         use u32, i32, f32, f16, or arrays and structs of a multiple of 2 bytes",
        if *bytes == 1 { "byte" } else { "bytes" }
    )]
    ElementSize {
        /// The Rust type.
        type_name: &'static str,
        /// Its size.
        bytes: usize,
    },
    /// Elements of 2 bytes, or of an odd multiple of it, don't fill the words of 4 bytes that devices copy.
    #[error(
        "elements {span} of `{type_name}`, of {bytes} bytes, begin or end within a word of 4 bytes, which devices share \
         with nobody; use an even number of elements, from an even place on"
    )]
    HalfWord {
        /// The elements.
        span: Span,
        /// The Rust type.
        type_name: &'static str,
        /// Its size.
        bytes: usize,
    },
    /// Bytes for a buffer that end within one of its elements.
    #[error(
        "{bytes} bytes end within an element of {element}; write a multiple of {element} bytes"
    )]
    PartOfElement {
        /// How many bytes were given.
        bytes: usize,
        /// Bytes of an element.
        element: usize,
    },
    /// A buffer's length in bytes is beyond all bounds.
    #[error("a buffer of {len} elements of {bytes} bytes is larger than any memory")]
    TooLong {
        /// How many elements were asked for.
        len: usize,
        /// Bytes of one.
        bytes: usize,
    },
    /// Variables of the kernel were left unbound.
    #[error(
        "the kernel needs {} bound: use `.bind(name, &buffer)` for buffers and `.value(name, value)` for values",
        listed(names)
    )]
    Unbound {
        /// Their names.
        names: Vec<String>,
    },
    /// A buffer's elements aren't those of the variable.
    #[error(
        "`{name}` is made of `{wgsl}`, of {expected} bytes an element, but the buffer holds `{rust}`, of {actual} bytes{hint}"
    )]
    WrongElement {
        /// The variable's name.
        name: String,
        /// Its element type in WGSL.
        wgsl: String,
        /// Bytes from one element to the next in WGSL.
        expected: u64,
        /// The buffer's element type in Rust.
        rust: &'static str,
        /// Bytes of one.
        actual: u64,
        /// Where the two part, and what to do.
        hint: String,
    },
    /// A buffer is shorter than the variable.
    #[error(
        "`{name}` needs at least {least} bytes, but the buffer has {actual}; bind a longer one"
    )]
    TooShort {
        /// The variable's name.
        name: String,
        /// Bytes that the variable needs.
        least: u64,
        /// Bytes that the buffer has.
        actual: u64,
    },
    /// A buffer can't be shared among the units of the range as the access pattern says.
    #[error("`{name}`: {source}")]
    Uneven {
        /// The variable's name.
        name: String,
        /// The two numbers.
        source: Uneven,
    },
    /// One buffer is bound to two variables, one of which is written.
    #[error(
        "`{first}` and `{second}` are bound to the same buffer, and the kernel writes to it: use two buffers"
    )]
    BoundTwice {
        /// The name of one variable.
        first: String,
        /// The name of the other.
        second: String,
    },
    /// One variable was given two buffers or values.
    #[error("`{name}` is bound twice in one dispatch: bind it once, or begin a dispatch for each")]
    GivenTwice {
        /// The variable's name.
        name: String,
    },
    /// A buffer belongs to another runtime.
    #[error(
        "the buffer bound to `{name}` belongs to another runtime: read it there and make one here"
    )]
    ForeignBuffer {
        /// The variable's name.
        name: String,
    },
    /// A buffer that is to be read or written belongs to another runtime.
    #[error("{buffer} belongs to another runtime, and only that one reads and writes it")]
    ForeignAccess {
        /// The buffer.
        buffer: String,
    },
    /// A dispatch over no invocations.
    #[error("the range {range} holds no invocation: give each dimension at least 1")]
    EmptyRange {
        /// The range.
        range: String,
    },
    /// A dispatch that no id of WGSL can count.
    #[error("the range {range} is too large: {why}; split it into several dispatches")]
    RangeTooLarge {
        /// The range.
        range: String,
        /// Which limit it breaks.
        why: String,
    },
    /// Elements that end before they begin.
    #[error(
        "the range of elements {start}..{end} is reversed: it ends before it begins; \
         give the smaller number first"
    )]
    ReversedElements {
        /// Where they begin.
        start: u64,
        /// Where they end, before that.
        end: u64,
    },
    /// Elements past the end of a buffer.
    #[error("elements {span} reach past a buffer of {len} elements")]
    OutOfBounds {
        /// The elements that were asked for.
        span: Span,
        /// How many there are.
        len: u64,
    },
    /// No device of the runtime can run the dispatch.
    #[error("no device can run the dispatch: {}", reasons.join("; "))]
    NoDevice {
        /// One reason for each device.
        reasons: Vec<String>,
    },
    /// No device goes by that name.
    #[error("no device is called `{name}`; there are {}", listed(found))]
    UnknownDevice {
        /// What was asked for.
        name: String,
        /// The names there are.
        found: Vec<String>,
    },
    /// A setting can't be understood.
    #[error("{setting} is `{text}`: {expected}")]
    Setting {
        /// The environment variable or builder method.
        setting: &'static str,
        /// What it says.
        text: String,
        /// What it should say.
        expected: String,
    },
    /// A file or folder that was asked for can't be written.
    #[error(
        "the {what} {} can't be written: {why}; choose another place with {setting}",
        path.display()
    )]
    Unwritable {
        /// What would be written there.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system says.
        why: String,
        /// The builder method and the environment variable that choose the place.
        setting: &'static str,
    },
    /// The newest elements of a buffer are in no memory any more.
    #[error(
        "{buffer} lost elements {span}: {cause}; write them again, or run again what computed them"
    )]
    Lost {
        /// The buffer.
        buffer: String,
        /// The first of the lost elements.
        span: Span,
        /// What lost them.
        cause: String,
    },
    /// The runtime was dropped before the work had begun.
    #[error("the runtime was dropped before the work had ended: wait for it first")]
    Dropped,
}

debug_is_message!(Error);

impl From<DeviceError> for Error {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Checked(findings) => Self::Checked(findings),
            other => Self::Device(other),
        }
    }
}

impl Error {
    /// Of devices by name, each with why it can't run the dispatch, if that is known.
    pub(crate) fn no_device<'a>(devices: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let told = |(name, reason): (&str, Option<&str>)| Some(format!("`{name}`: {}", reason?));
        Self::NoDevice {
            reasons: devices.filter_map(told).collect(),
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
