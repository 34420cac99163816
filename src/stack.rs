//! A stack that is deep enough, whatever the caller has left of its own.
//!
//! Expressions, blocks and types of a kernel are walked through by functions that call themselves, here, in naga and in
//! drivers: how deep that may go shall depend on the kernel alone.

use std::thread::{self, Builder};

/// The system gives it page by page, as it is used.
const BYTES: usize = 64 << 20;

/// Does the work on a thread of its own and waits for it, or on this one if the system gives no other.
///
/// # Panics
///
/// As the work does.
pub(crate) fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let mut work = Some(work);
    let mut done = None;
    thread::scope(|scope| {
        let thread = Builder::new().name("divvy-deep".to_owned());
        let thread = thread.stack_size(BYTES);
        let spawned = thread.spawn_scoped(scope, || done = work.take().map(|work| work()));
        if let Ok(Err(panic)) = spawned.map(thread::ScopedJoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    });
    match (done, work) {
        (Some(done), _) => done,
        (None, Some(work)) => work(),
        (None, None) => unreachable!("who took the work has done it or has panicked"),
    }
}

#[cfg(test)]
mod tests {
    use super::deep;

    #[test]
    fn what_calls_itself_often_has_room() {
        fn sum(depth: u64) -> u64 {
            let frame = std::hint::black_box([depth; 64]);
            if depth == 0 {
                0
            } else {
                frame[63] + sum(depth - 1)
            }
        }
        // Ten times as much as threads have by default.
        assert_eq!(deep(|| sum(20_000)), 200_010_000);
    }

    #[test]
    fn a_panic_is_the_callers() {
        let caught = std::panic::catch_unwind(|| deep(|| panic!("so it is")));
        let payload = caught.expect_err("it panicked");
        assert_eq!(payload.downcast_ref(), Some(&"so it is"));
    }
}
