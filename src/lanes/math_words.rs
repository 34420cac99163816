//! Functions of single words that the standard library lacks.

/// The largest numbers that both a float and an integer can be: conversions end there, as WGSL has it, not at the largest
/// integer.
pub(super) const MOST_I32: f32 = 2_147_483_520.0;
pub(super) const MOST_U32: f32 = 4_294_967_040.0;

/// The smaller one; what is no number stays that.
pub(super) fn at_most<T: PartialOrd>(x: T, most: T) -> T {
    if x > most { most } else { x }
}

/// `x * 2^exponent`, rounded once.
pub(super) fn ldexp(x: f32, exponent: i32) -> f32 {
    // Exact in f64 for every exponent that doesn't send any f32 to zero or infinity.
    let exponent = exponent.clamp(-400, 400);
    (f64::from(x) * f64::from_bits(((1023 + i64::from(exponent)) as u64) << 52)) as f32
}

/// The fraction, in [0.5, 1), and the exponent.
pub(super) fn frexp(x: f32) -> (f32, i32) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let wide = f64::from(x).to_bits();
    let exponent = ((wide >> 52) & 0x7ff) as i32 - 1022;
    let fraction = f64::from_bits((wide & !(0x7ff << 52)) | (1022 << 52));
    (fraction as f32, exponent)
}

/// The place of the highest bit, or all ones if there is none.
pub(super) fn first_leading(word: u32) -> u32 {
    31_u32.wrapping_sub(word.leading_zeros())
}

/// `extractBits`: offset and count are cut to what a word has.
pub(super) fn extract(word: u32, offset: u32, count: u32, is_signed: bool) -> u32 {
    let offset = offset.min(32);
    let count = count.min(32 - offset);
    if count == 0 {
        return 0;
    }
    let up = word << (32 - offset - count);
    if is_signed {
        ((up as i32) >> (32 - count)) as u32
    } else {
        up >> (32 - count)
    }
}
