//! Whether two devices computed the same.
//!
//! Whole numbers are the same or not; floats may part as far as a tolerance says, because devices round differently. Of a sum
//! that comes out near zero the roundings of what was summed are left, so a part of what a buffer's numbers are like is
//! allowed everywhere.

use crate::data::{Data, Slot};
use crate::numbers::{self, Value};
use divvy::kernel::{BindingKind, Number};
use std::fmt;

/// How far floats may part, of themselves.
pub(crate) const TOLERANCE: f64 = 1e-4;
/// What has so few digits parts further.
const TOLERANCE_OF_HALVES: f64 = 1e-2;
/// Near zero it is this part of the tolerance that counts, of the median size of the buffer's numbers.
const AT_ZERO: f64 = 0.1;
/// How many numbers the median is taken of.
const SAMPLED: u64 = 1 << 16;
/// How many elements are shown.
const SHOWN: usize = 3;

/// Numbers in which two devices don't agree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) name: String,
    differing: u64,
    of: u64,
    /// The first of them: what they are called, and what either device has.
    first: Vec<[String; 3]>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} numbers differ: ", self.differing, self.of)?;
        for (i, [path, one, other]) in self.first.iter().enumerate() {
            let mark = if i > 0 { ", " } else { "" };
            write!(f, "{mark}{path} is {one} and {other}")?;
        }
        if self.differing > self.first.len() as u64 {
            write!(f, ", …")?;
        }
        Ok(())
    }
}

impl Difference {
    /// The part of all numbers that differ.
    pub(crate) fn part(&self) -> f64 {
        self.differing as f64 / self.of as f64
    }
}

/// Whether the kernel may write what the slot binds.
pub(crate) fn is_written(slot: &Slot) -> bool {
    matches!(slot.binding.kind, BindingKind::Storage(usage) if usage.writes())
}

/// Where two devices don't agree on what they wrote.
pub(crate) fn difference(
    slot: &Slot,
    one: &Data,
    other: &Data,
    tolerance: f64,
) -> Option<Difference> {
    let mut found = Difference {
        name: slot.name().to_owned(),
        differing: 0,
        of: 0,
        first: Vec::new(),
    };
    let size = median_size(slot, one);
    slot.each_number(one.bytes.len() as u64, |at, number| {
        found.of += 1;
        let (one, other) = (&one.bytes[at..], &other.bytes[at..]);
        if is_like(number, one, other, tolerance, size) {
            return;
        }
        found.differing += 1;
        if found.first.len() < SHOWN {
            let [one, other] = [one, other].map(|bytes| numbers::text(number, bytes));
            found.first.push([slot.path_of(at as u64), one, other]);
        }
    });
    (found.differing > 0).then_some(found)
}

/// The median of the sizes of the floats, or of as many as tell; zero without any.
fn median_size(slot: &Slot, data: &Data) -> f64 {
    let bytes = data.bytes.len() as u64;
    let step = slot.count(bytes) / SAMPLED + 1;
    let mut sizes = Vec::new();
    let mut n = 0;
    slot.each_number(bytes, |at, number| {
        n += 1;
        if n % step == 0
            && let Value::Float(value) = numbers::read(number, &data.bytes[at..])
            && value.is_finite()
        {
            sizes.push(value.abs());
        }
    });
    numbers::median(&sizes)
}

fn is_like(number: Number, one: &[u8], other: &[u8], tolerance: f64, size: f64) -> bool {
    match (numbers::read(number, one), numbers::read(number, other)) {
        (Value::Float(one), Value::Float(other)) => {
            let tolerance = match number {
                Number::Float(2) => tolerance.max(TOLERANCE_OF_HALVES),
                _ => tolerance,
            };
            one == other
                || (one.is_nan() && other.is_nan())
                || (one - other).abs()
                    <= tolerance * (one.abs().max(other.abs()).min(f64::MAX) + AT_ZERO * size)
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(one: f32, other: f32) -> bool {
        let [one, other] = [one, other].map(f32::to_le_bytes);
        is_like(Number::Float(4), &one, &other, TOLERANCE, 1.0)
    }

    #[test]
    fn floats_may_part_by_the_tolerance_and_no_further() {
        assert!(like(1.0, 1.000_09) && like(1e6, 1e6 + 50.0) && like(0.0, 9e-6));
        assert!(!like(1.0, 1.001) && !like(0.0, 2e-5) && !like(1.0, -1.0));
    }

    #[test]
    fn what_is_no_number_is_like_nothing_else() {
        assert!(like(f32::NAN, f32::NAN) && like(f32::INFINITY, f32::INFINITY));
        assert!(!like(f32::NAN, 1.0) && !like(f32::INFINITY, 1.0));
        assert!(!like(f32::INFINITY, f32::NEG_INFINITY));
    }
}
