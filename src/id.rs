//! Newtype ids, so that a device is never mistaken for a memory.
//!
//! Ids are handed out by the runtime, which owns their meaning; they are plain numbers here.
//!
//! Invariant: an id is never used again for another thing within one runtime.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

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
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Hashes an id, which is a number that nobody chooses: one multiplication spreads those that follow each other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(32);
    }
}

impl MemoryId {
    /// The memory of the host, which the CPU device computes in and every other memory copies from and to.
    pub const HOST: MemoryId = MemoryId(0);
}

impl CommandId {
    /// Stands for work that ended long ago: nothing needs to wait for it.
    pub const DONE: CommandId = CommandId(0);
}
