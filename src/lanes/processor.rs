//! What the instruction sets do differently.
//!
//! Sixteen words at a time: most operations are plain Rust that the compiler turns into vectors; here is what it doesn't
//! find by itself.
//!
//! Invariant: all implementations agree but for the last bit of a reciprocal square root and of what is fused.

#![expect(unsafe_code, reason = "intrinsics")]

use std::sync::OnceLock;

/// What lane programs are run with, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// The interpreter, for what every processor of the target has.
    V1,
    /// The interpreter, for x86-64-v3.
    V3,
    /// The interpreter, for x86-64-v4.
    V4,
    /// Machine code, for x86-64-v4.
    Compiled,
}

impl Level {
    /// The names of those that can be asked for, as in `DIVVY_SIMD`.
    pub(crate) const NAMES: [(&'static str, Level); 4] = [
        ("v1", Level::V1),
        ("v3", Level::V3),
        ("v4", Level::V4),
        ("compiled", Level::Compiled),
    ];

    /// The best that this processor has, and no better than what `DIVVY_SIMD` says. Found out once.
    pub(super) fn chosen() -> Self {
        static CHOSEN: OnceLock<Level> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let asked = std::env::var("DIVVY_SIMD").ok().and_then(|asked| {
                let found = Self::NAMES.iter().find(|(name, _)| *name == asked);
                found.map(|(_, level)| *level)
            });
            asked.unwrap_or(Level::Compiled).min(Self::best())
        })
    }

    #[cfg(target_arch = "x86_64")]
    fn best() -> Self {
        let has_v3 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("f16c");
        let has_v4 = has_v3
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (has_v3, has_v4) {
            (_, true) => Level::Compiled,
            (true, false) => Level::V3,
            (false, false) => Level::V1,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn best() -> Self {
        Level::V1
    }
}

/// Words that are computed at a time.
pub(crate) const CHUNK: usize = 16;

pub(super) type Words = [u32; CHUNK];
pub(super) type Floats = [f32; CHUNK];

/// Something for each lane. As `std::array::from_fn`, but always inlined, so that it becomes vectors.
#[inline(always)]
pub(super) fn lanes<T: Copy + Default>(f: impl Fn(usize) -> T) -> [T; CHUNK] {
    let mut all = [T::default(); CHUNK];
    for (i, one) in all.iter_mut().enumerate() {
        *one = f(i);
    }
    all
}

/// An instruction set.
pub(super) trait Processor {
    /// Whether a product and a sum can be rounded once.
    const FUSES: bool;

    /// The highest bit of each word.
    ///
    /// # Safety
    ///
    /// The processor has the instruction set, here and in all other functions.
    #[inline(always)]
    unsafe fn bits(words: Words) -> u16 {
        let mut bits = 0;
        for (i, word) in words.iter().enumerate() {
            bits |= (word >> 31 << i) as u16;
        }
        bits
    }

    /// All ones where the bit is set, zero elsewhere.
    #[inline(always)]
    unsafe fn words(bits: u16) -> Words {
        lanes(|i| (u32::from(bits) >> i & 1).wrapping_neg())
    }

    /// `from[index]` where the index is below `len`, zero elsewhere. So many words have to be there, and they are no more
    /// than [`MOST_BOUND_WORDS`](super::MOST_BOUND_WORDS).
    #[inline(always)]
    unsafe fn gather(from: *const u32, len: u32, index: Words) -> Words {
        lanes(|i| {
            if index[i] < len {
                // SAFETY: the caller's promise.
                unsafe { from.add(index[i] as usize).read() }
            } else {
                0
            }
        })
    }

    /// One over the square root, within two units in the last place.
    #[inline(always)]
    unsafe fn inverse_sqrt(x: Floats) -> Floats {
        lanes(|i| 1.0 / x[i].sqrt())
    }
}

/// What every processor of the target has.
pub(super) struct Least;

impl Processor for Least {
    const FUSES: bool = cfg!(target_arch = "aarch64");
}

/// x86-64-v3: AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
pub(super) struct V3;

#[cfg(target_arch = "x86_64")]
impl Processor for V3 {
    const FUSES: bool = true;

    #[inline(always)]
    unsafe fn bits(words: Words) -> u16 {
        use std::arch::x86_64::{__m256, _mm256_movemask_ps};
        // SAFETY: the caller's promise; two vectors are as large as the words.
        unsafe {
            let [low, high] = std::mem::transmute::<Words, [__m256; 2]>(words);
            (_mm256_movemask_ps(low) | _mm256_movemask_ps(high) << 8) as u16
        }
    }
}

/// x86-64-v4: AVX-512.
#[cfg(target_arch = "x86_64")]
pub(super) struct V4;

#[cfg(target_arch = "x86_64")]
impl Processor for V4 {
    const FUSES: bool = true;

    #[inline(always)]
    unsafe fn bits(words: Words) -> u16 {
        use std::arch::x86_64::{__m512i, _mm512_movepi32_mask};
        // SAFETY: the caller's promise; the vector is as large as the words.
        unsafe { _mm512_movepi32_mask(std::mem::transmute::<Words, __m512i>(words)) }
    }

    #[inline(always)]
    unsafe fn words(bits: u16) -> Words {
        use std::arch::x86_64::{__m512i, _mm512_movm_epi32};
        // SAFETY: as above.
        unsafe { std::mem::transmute::<__m512i, Words>(_mm512_movm_epi32(bits)) }
    }

    #[inline(always)]
    unsafe fn gather(from: *const u32, len: u32, index: Words) -> Words {
        use std::arch::x86_64::{
            __m512i, _mm512_cmplt_epu32_mask, _mm512_mask_i32gather_epi32, _mm512_set1_epi32,
            _mm512_setzero_si512,
        };
        // SAFETY: the caller's promise; what lies beyond isn't read, so that no index is negative to the instruction.
        unsafe {
            let index = std::mem::transmute::<Words, __m512i>(index);
            let is_inside = _mm512_cmplt_epu32_mask(index, _mm512_set1_epi32(len as i32));
            let words = _mm512_mask_i32gather_epi32::<4>(
                _mm512_setzero_si512(),
                is_inside,
                index,
                from.cast(),
            );
            std::mem::transmute::<__m512i, Words>(words)
        }
    }

    /// An estimate of 14 bits, and a step of Newton's.
    #[inline(always)]
    unsafe fn inverse_sqrt(x: Floats) -> Floats {
        use std::arch::x86_64::{
            __m512, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_fpclass_ps_mask, _mm512_mask_mov_ps,
            _mm512_mul_ps, _mm512_rsqrt14_ps, _mm512_set1_ps,
        };
        // SAFETY: as above.
        unsafe {
            let x = std::mem::transmute::<Floats, __m512>(x);
            let half = _mm512_set1_ps(0.5);
            let estimate = _mm512_rsqrt14_ps(x);
            let rest = _mm512_fnmadd_ps(
                _mm512_mul_ps(_mm512_mul_ps(half, x), estimate),
                estimate,
                half,
            );
            let better = _mm512_fmadd_ps(estimate, rest, estimate);
            // Of zeros and infinities the estimate is exact, and the step isn't a number.
            const EXACT: i32 = 0x02 | 0x04 | 0x08 | 0x10;
            let is_exact = _mm512_fpclass_ps_mask::<EXACT>(x);
            let found = _mm512_mask_mov_ps(better, is_exact, estimate);
            std::mem::transmute::<__m512, Floats>(found)
        }
    }
}
