//! Large pages for memory that others have given.
//!
//! A wish, no more: where the system has none, nothing changes but the time that the first touch takes.

#![expect(unsafe_code, reason = "advice goes by addresses")]

/// The size of the large pages of most processors.
pub(super) const LARGE_PAGE: usize = 2 << 20;

/// Asks the system to back bytes with large pages when they are touched for the first time. A copy into new memory
/// otherwise waits for the system at every small one: 64 MiB took 47 ms, and 20 with large pages.
pub(crate) fn wish_large(bytes: &mut [u8]) {
    let range = bytes.as_mut_ptr_range();
    let start = range.start.addr().next_multiple_of(LARGE_PAGE);
    let end = range.end.addr() / LARGE_PAGE * LARGE_PAGE;
    if start < end {
        advise(bytes, start - range.start.addr()..end - range.start.addr());
    }
}

#[cfg(target_os = "linux")]
fn advise(bytes: &mut [u8], part: std::ops::Range<usize>) {
    use rustix::mm::{Advice, madvise};
    let part = &mut bytes[part];
    // SAFETY: the part lies in a slice that is borrowed here, and this advice changes no byte of it.
    let _ = unsafe { madvise(part.as_mut_ptr().cast(), part.len(), Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_: &mut [u8], _: std::ops::Range<usize>) {}
