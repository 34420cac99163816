//! How much the processor's caches hold.
//!
//! Asked once, of the processor itself; it decides nothing but how memory is written.
//!
//! Invariant: never zero.

use std::sync::OnceLock;

/// What is taken where the processor doesn't say.
const USUAL_BYTES: u64 = 32 << 20;

/// The bytes of the largest cache that a core has, or shares with others.
pub(crate) fn cache_bytes() -> u64 {
    static BYTES: OnceLock<u64> = OnceLock::new();
    *BYTES.get_or_init(|| largest().unwrap_or(USUAL_BYTES))
}

#[cfg(target_arch = "x86_64")]
fn largest() -> Option<u64> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    // Leaves that describe one cache after the other: AMD's, and Intel's. Both are laid out alike (Intel's manual, volume 2A,
    // CPUID; AMD's, volume 3, appendix E).
    let leaves = [0x8000_001d, 4];
    let describe = |leaf: u32| {
        let last = __cpuid(leaf & 0x8000_0000).eax;
        let described = (0..8).map(move |i| __cpuid_count(leaf, i));
        let caches = described.take_while(|cache| cache.eax & 0x1f != 0);
        let bytes = caches.map(|cache| {
            let ways = u64::from(cache.ebx >> 22) + 1;
            let partitions = u64::from(cache.ebx >> 12 & 0x3ff) + 1;
            let line = u64::from(cache.ebx & 0xfff) + 1;
            ways * partitions * line * (u64::from(cache.ecx) + 1)
        });
        (leaf <= last).then(|| bytes.max()).flatten()
    };
    leaves.into_iter().find_map(describe)
}

#[cfg(not(target_arch = "x86_64"))]
fn largest() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cache_has_some_size_that_caches_have() {
        let bytes = super::cache_bytes();
        assert!((1 << 14..1 << 34).contains(&bytes), "{bytes}");
    }
}
