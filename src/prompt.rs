//! Threads that get a core soon after they wake.
//!
//! Who drives a GPU works for moments and sleeps in between, on cores that compute all the time; a GPU that has to be given
//! its next chunk waits as long as its thread does. Schedulers that go by deadlines (Linux since 6.12) let a thread go
//! first that asks for short turns, and give it no more of the core for that: of 300 wakes on two cores that computed, the
//! slowest hundredth took 1.4 to 3.5 ms before, and 0.01 to 0.2 after.
//!
//! Invariant: a wish, no more: where the system knows nothing of it, or refuses, nothing changes.

#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "the C library has no function for it")
)]

/// The calling thread, and those that it starts, ask for short turns until this is dropped.
///
/// A thread that a driver starts in the meantime goes on asking for them.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// What was asked for before.
    before: Option<u64>,
}

impl Prompt {
    pub(crate) fn begin() -> Self {
        Self {
            before: turns::ask(turns::SHORT),
        }
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            turns::ask(before);
        }
    }
}

#[cfg(target_os = "linux")]
mod turns {
    use libc::{
        SCHED_BATCH, SCHED_OTHER, SYS_sched_getattr, SYS_sched_setattr, sched_attr, syscall,
    };

    /// Nanoseconds: the shortest turns that the system gives.
    pub(super) const SHORT: u64 = 100_000;

    /// Asks for turns of so many nanoseconds for the calling thread, zero for the usual ones. Returns what it asked for
    /// before; nothing if it can't ask.
    pub(super) fn ask(nanoseconds: u64) -> Option<u64> {
        const CALLER: i32 = 0;
        const NO_FLAGS: u32 = 0;
        let size = size_of::<sched_attr>() as u32;
        // SAFETY: zeros are a value of each field.
        let mut attributes: sched_attr = unsafe { std::mem::zeroed() };
        // SAFETY: the system writes as many bytes as it is told that there are.
        let read = unsafe {
            syscall(
                SYS_sched_getattr,
                CALLER,
                &raw mut attributes,
                size,
                NO_FLAGS,
            )
        };
        let policy = attributes.sched_policy as i32;
        if read != 0 || !matches!(policy, SCHED_OTHER | SCHED_BATCH) {
            return None;
        }
        let before = attributes.sched_runtime;
        attributes.size = size;
        attributes.sched_runtime = nanoseconds;
        // SAFETY: the system reads what it has just written, but for one number.
        let written =
            unsafe { syscall(SYS_sched_setattr, CALLER, &raw const attributes, NO_FLAGS) };
        (written == 0).then_some(before)
    }
}

#[cfg(not(target_os = "linux"))]
mod turns {
    pub(super) const SHORT: u64 = 0;

    pub(super) fn ask(_: u64) -> Option<u64> {
        None
    }
}
