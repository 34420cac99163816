//! Newtype ids, so that a device is never mistaken for a memory.
//!
//! Ids are handed out by the runtime, which owns their meaning; they are plain numbers here.
//!
//! Invariant: an id is never used again for another thing within one runtime.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    };
}

id!(
    /// A device of a runtime, numbered in the order in which the runtime found them.
    DeviceId(u32), "D"
);
id!(
    /// A memory: the host's, or one that belongs to a device.
    MemoryId(u32), "M"
);
id!(
    /// A buffer, or a private copy of one.
    BufferId(u64), "B"
);
id!(
    /// A command of the queue. Ids grow in the order of planning.
    CommandId(u64), "C"
);
id!(
    /// A dispatch, or another operation submitted to the queue, in the order of submission.
    OperationId(u64), "O"
);

/// A map by id.
pub(crate) use rustc_hash::FxHashMap as IdMap;

impl MemoryId {
    /// The memory of the host, which the CPU device computes in and every other memory copies from and to.
    pub const HOST: MemoryId = MemoryId(0);
}

impl CommandId {
    /// Stands for work that ended long ago: nothing needs to wait for it.
    pub const DONE: CommandId = CommandId(0);
}
