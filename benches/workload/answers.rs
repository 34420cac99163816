//! Whether two answers are the same.

/// Elements that may differ, of a thousand: where a rounding decides, as at the rim of the Mandelbrot set.
const DIFFERENT_PER_MILLE: usize = 5;
/// How much an element may differ, as a part of the largest.
const TOLERANCE: f32 = 1e-3;

/// Panics if an answer isn't what it is to be; `at` says whose it is.
pub fn check(at: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{at}");
    let largest = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    // What is no number is like nothing.
    let is_like =
        |(found, expected): &(&f32, &f32)| (*found - *expected).abs() <= TOLERANCE * largest;
    let different = expected.len() - found.iter().zip(expected).filter(is_like).count();
    assert!(
        different * 1000 <= expected.len() * DIFFERENT_PER_MILLE,
        "{at}: {different} of {} elements differ",
        expected.len()
    );
}
