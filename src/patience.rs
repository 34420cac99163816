//! How a thread waits for what may come in a moment.
//!
//! A thread that sleeps is woken late, by 5 to 50 microseconds: where what it waits for mostly comes sooner, it had better
//! stay awake. Goes by the waits before this one; what is waited for, and how one sleeps, is the affair of who waits.
//!
//! Invariant: nobody stays awake for longer than a short wait, nor where there is one core only, which others need.

use std::hint::spin_loop;
use std::num::NonZero;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait that is short: some times what it takes to wake a thread.
const SHORT: Duration = Duration::from_micros(100);
/// Of the last eight waits, so many at least were short where the next is taken to be.
const MOSTLY: u32 = 6;
/// Looks in a row, before others are let go first and the time is looked at.
const LOOKS: usize = 64;
/// Times that a lock is tried before its thread sleeps for it.
const TRIES: usize = 100;

/// What the last waits for the same thing were like.
#[derive(Debug)]
pub(crate) struct Patience {
    /// One bit for each of the last eight, the last one lowest: whether it was short.
    short: AtomicU8,
    has_cores: bool,
}

impl Default for Patience {
    /// With no waits so far. The cores are those of the calling thread; who waits may be kept on one of them.
    fn default() -> Self {
        Self {
            short: AtomicU8::new(0),
            has_cores: thread::available_parallelism().map_or(1, NonZero::get) > 1,
        }
    }
}

impl Patience {
    /// Waits until it has come: awake if it mostly came soon, then as `sleep` does, which returns once it has.
    pub(crate) fn wait(&self, has_come: impl Fn() -> bool, sleep: impl FnOnce()) {
        let start = Instant::now();
        let is_patient = self.short.load(Relaxed).count_ones() >= MOSTLY && self.has_cores;
        if !(is_patient && watch(start, has_come)) {
            sleep();
        }
        let before = self.short.load(Relaxed);
        let is_short = start.elapsed() < SHORT;
        self.short.store(before << 1 | u8::from(is_short), Relaxed);
    }
}

/// Stays awake for a short wait's time, and says whether it has come.
fn watch(start: Instant, has_come: impl Fn() -> bool) -> bool {
    while start.elapsed() < SHORT {
        for _ in 0..LOOKS {
            if has_come() {
                return true;
            }
            pause();
        }
        thread::yield_now();
    }
    has_come()
}

/// Locks what others hold for moments.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    for _ in 0..TRIES {
        match mutex.try_lock() {
            Ok(guard) => return guard,
            Err(TryLockError::Poisoned(error)) => return error.into_inner(),
            Err(TryLockError::WouldBlock) => pause(),
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// About 0.1 microseconds, so that looking disturbs nobody who writes.
fn pause() {
    (0..8).for_each(|_| spin_loop());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Waits for what comes after so many looks, or while asleep if it never does; says whether the thread slept.
    fn sleeps(patience: &Patience, looks: Option<usize>) -> bool {
        let (looked, slept) = (Cell::new(0), Cell::new(false));
        let has_come = || {
            looked.set(looked.get() + 1);
            looks.is_some_and(|looks| looked.get() > looks)
        };
        patience.wait(has_come, || slept.set(true));
        slept.get()
    }

    fn after(short: u8, has_cores: bool) -> Patience {
        Patience {
            short: AtomicU8::new(short),
            has_cores,
        }
    }

    #[test]
    fn a_first_wait_is_slept_through() {
        assert!(sleeps(&Patience::default(), Some(0)));
    }

    #[test]
    fn after_short_waits_a_thread_stays_awake_unless_others_need_its_core() {
        assert!(!sleeps(&after(0b0111_1110, true), Some(3)));
        assert!(sleeps(&after(0b0111_1110, false), Some(3)));
    }

    #[test]
    fn after_long_waits_it_sleeps_at_once() {
        let patience = after(u8::MAX, true);
        // Whoever stays awake in vain has waited for longer than a short wait.
        for _ in 0..3 {
            patience.wait(|| false, || thread::sleep(SHORT));
        }
        assert!(sleeps(&patience, Some(0)));
    }

    #[test]
    fn what_was_locked_by_one_that_panicked_is_locked_all_the_same() {
        let mutex = Mutex::new(1);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = mutex.lock();
            panic!("on purpose");
        }));
        assert_eq!(*lock(&mutex), 1);
    }
}
