//! The host's memory of a buffer.
//!
//! Hands out bytes by span; who may touch which span when is decided by the plan and kept by the queue.
//!
//! Invariant: a block is zero until it is written, never moves, and lives as long as anyone who holds it.

#![expect(
    unsafe_code,
    reason = "devices write disjoint spans of one allocation at the same time"
)]

use super::pages::LARGE_PAGE;
use crate::id::BufferId;
use crate::span::Span;
use memmap2::MmapMut;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::OnceLock;

/// The alignment of every block: a cache line, and enough for any vector and any `Pod` type.
pub const ALIGNMENT: usize = 64;

/// A buffer's identity and size, and its bytes in host memory once somebody needs them there.
#[derive(Debug)]
pub struct Storage {
    id: BufferId,
    bytes: u64,
    host: OnceLock<Option<Block>>,
}

/// The host has no room for a buffer.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host has no memory for a buffer of {bytes} bytes; use smaller buffers, or drop some")]
pub struct OutOfHostMemory {
    /// The size that was asked for.
    pub bytes: u64,
}

debug_is_message!(OutOfHostMemory);

impl Storage {
    /// A buffer of `bytes` zero bytes, without memory so far.
    #[must_use]
    pub fn new(id: BufferId, bytes: u64) -> Self {
        Self {
            id,
            bytes,
            host: OnceLock::new(),
        }
    }

    /// The buffer's id.
    #[must_use]
    pub fn id(&self) -> BufferId {
        self.id
    }

    /// The buffer's size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes sure that the buffer has host memory; the first call allocates it, zeroed.
    ///
    /// # Errors
    ///
    /// If there is no room. Asking again doesn't help: the answer is kept.
    pub fn allocate(&self) -> Result<(), OutOfHostMemory> {
        match self.host.get_or_init(|| Block::zeroed(self.bytes)) {
            Some(_) => Ok(()),
            None => Err(OutOfHostMemory { bytes: self.bytes }),
        }
    }

    /// The bytes of `span`, to read.
    ///
    /// # Safety
    ///
    /// While the slice lives, nobody writes a byte of the span.
    ///
    /// # Panics
    ///
    /// If the span reaches past the buffer, or [`Storage::allocate`] failed.
    #[must_use]
    pub unsafe fn read(&self, span: Span) -> &[u8] {
        let start = self.pointer(span);
        // SAFETY: `pointer` checked that the span lies in the block, which lives as long as `self`; the caller
        // promises that nobody writes it.
        unsafe { std::slice::from_raw_parts(start, span.len() as usize) }
    }

    /// The bytes of `span`, to write.
    ///
    /// # Safety
    ///
    /// While the slice lives, nobody else reads or writes a byte of the span.
    ///
    /// # Panics
    ///
    /// If the span reaches past the buffer, or [`Storage::allocate`] failed.
    #[must_use]
    #[expect(
        clippy::mut_from_ref,
        reason = "the block is shared, its spans are exclusive by the contract above"
    )]
    pub unsafe fn write(&self, span: Span) -> &mut [u8] {
        let start = self.pointer(span);
        // SAFETY: `pointer` checked that the span lies in the block, which lives as long as `self`; the caller
        // promises that the span is theirs alone.
        unsafe { std::slice::from_raw_parts_mut(start, span.len() as usize) }
    }

    /// All bytes, allocated and zeroed if they weren't yet, for whoever is the only one to hold the buffer.
    ///
    /// ```
    /// use divvy::buffer::Storage;
    /// use divvy::id::BufferId;
    ///
    /// // A device's own memory of a buffer may be a `Storage` as well.
    /// let mut own = Storage::new(BufferId(7), 16);
    /// own.bytes_mut()?[..4].copy_from_slice(&1_u32.to_le_bytes());
    /// assert_eq!(own.bytes_mut()?[..5], [1, 0, 0, 0, 0]);
    /// # Ok::<(), divvy::buffer::OutOfHostMemory>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Storage::allocate`].
    pub fn bytes_mut(&mut self) -> Result<&mut [u8], OutOfHostMemory> {
        self.allocate()?;
        let all = Span::new(0, self.bytes);
        // SAFETY: `self` is borrowed exclusively for as long as the slice lives, so nobody else has the bytes.
        Ok(unsafe { self.write(all) })
    }

    /// The address of the span's first byte. Whoever goes by it keeps to the rules of [`Storage::read`] and
    /// [`Storage::write`].
    pub(crate) fn pointer(&self, span: Span) -> *mut u8 {
        assert!(
            span.end <= self.bytes,
            "{span} reaches past {}, a buffer of {} bytes",
            self.id,
            self.bytes
        );
        let block = self.host.get_or_init(|| Block::zeroed(self.bytes)).as_ref();
        let block = block.expect(
            "the host memory of a buffer is allocated, or refused, before anyone touches it",
        );
        // SAFETY: the offset is at most the size of the block, checked above.
        unsafe { block.start.as_ptr().add(span.start as usize) }
    }
}

/// Memory of one buffer.
#[derive(Debug)]
struct Block {
    start: NonNull<u8>,
    from: Source,
}

/// Where a block's memory is from, and how it is given back.
#[derive(Debug)]
enum Source {
    Allocator(Layout),
    /// Pages of its own, which go when this does.
    Pages {
        _pages: MmapMut,
    },
}

// SAFETY: a block is plain memory; every access to it goes through the unsafe methods of `Storage`, whose callers
// promise that no span is written by one thread while another one touches it.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// A zeroed block, or nothing where there is no room.
    fn zeroed(bytes: u64) -> Option<Self> {
        let bytes = usize::try_from(bytes).ok()?;
        if bytes >= LARGE_PAGE {
            // The smallest block that has pages of its own.
            return Self::pages(bytes);
        }
        // An allocation of size zero isn't allowed, so an empty buffer takes a byte.
        let layout = Layout::from_size_align(bytes.max(1), ALIGNMENT).ok()?;
        // SAFETY: the layout's size isn't zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self {
            start,
            from: Source::Allocator(layout),
        })
    }

    /// A large block, in pages that the system gives when they are first touched, and in large ones where it has these: a
    /// kernel that goes through memory then seldom waits for an address to be looked up.
    fn pages(bytes: usize) -> Option<Self> {
        // Room to begin where a large page does.
        let mut pages = MmapMut::map_anon(bytes.checked_add(LARGE_PAGE)?).ok()?;
        // It is a wish: small pages do as well, only slower.
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        let start = pages.as_mut_ptr();
        let before = start.addr().next_multiple_of(LARGE_PAGE) - start.addr();
        Some(Self {
            start: NonNull::new(start.wrapping_add(before))?,
            from: Source::Pages { _pages: pages },
        })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Source::Allocator(layout) = self.from {
            // SAFETY: `start` came from `alloc_zeroed` with this layout, and nobody holds the storage any more.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_buffer_is_zero_and_aligned() {
        let storage = Storage::new(BufferId(1), 1000);
        storage.allocate().expect("a kilobyte is there");
        // SAFETY: this test is the only user.
        let bytes = unsafe { storage.read(Span::new(0, 1000)) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        assert_eq!(bytes.as_ptr() as usize % ALIGNMENT, 0);
    }

    #[test]
    fn disjoint_spans_are_written_from_several_threads() {
        let storage = Storage::new(BufferId(1), 4 * 1024);
        std::thread::scope(|scope| {
            for i in 0..4_u64 {
                let storage = &storage;
                scope.spawn(move || {
                    // SAFETY: each thread has a span of its own.
                    let own = unsafe { storage.write(Span::new(i, i + 1).scaled(1024)) };
                    own.fill(i as u8 + 1);
                });
            }
        });
        // SAFETY: the threads have ended.
        let bytes = unsafe { storage.read(Span::new(0, 4096)) };
        assert!(
            bytes
                .iter()
                .enumerate()
                .all(|(i, byte)| usize::from(*byte) == i / 1024 + 1)
        );
    }

    #[test]
    fn an_empty_buffer_has_an_empty_span() {
        let storage = Storage::new(BufferId(1), 0);
        // SAFETY: this test is the only user.
        assert!(unsafe { storage.read(Span::new(0, 0)) }.is_empty());
    }

    #[test]
    fn a_buffer_that_no_host_can_hold_is_an_error_each_time() {
        let storage = Storage::new(BufferId(1), u64::MAX / 2);
        assert_eq!(
            storage.allocate(),
            Err(OutOfHostMemory {
                bytes: u64::MAX / 2
            })
        );
        assert!(storage.allocate().is_err());
    }

    #[test]
    #[should_panic(expected = "reaches past")]
    fn a_span_past_the_buffer_is_a_bug() {
        let storage = Storage::new(BufferId(1), 8);
        // SAFETY: this test is the only user.
        let _ = unsafe { storage.read(Span::new(4, 9)) };
    }
}
