//! Numbers of WGSL as bytes, as text, and beside each other.
//!
//! Invariant: what is printed of a number reads back as the same number.

use divvy::kernel::Number;
use half::f16;

/// A number whatever its width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Float(f64),
    Signed(i64),
    Unsigned(u64),
}

/// The number in these bytes.
pub(crate) fn read(number: Number, bytes: &[u8]) -> Value {
    let mut long = [0; 8];
    let width = usize::from(number.bytes());
    long[..width].copy_from_slice(&bytes[..width]);
    let bits = u64::from_le_bytes(long);
    match number {
        Number::Float(2) => Value::Float(f16::from_bits(bits as u16).into()),
        Number::Float(4) => Value::Float(f32::from_bits(bits as u32).into()),
        Number::Float(_) => Value::Float(f64::from_bits(bits)),
        Number::Signed(width) => {
            // Shifted up and down again, so that the sign fills what is above.
            let unused = 64 - 8 * u32::from(width);
            Value::Signed((bits << unused) as i64 >> unused)
        }
        _ => Value::Unsigned(bits),
    }
}

/// Puts a number into these bytes, rounded or cut to what they hold.
pub(crate) fn write(number: Number, value: Value, bytes: &mut [u8]) {
    let as_float = match value {
        Value::Float(value) => value,
        Value::Signed(value) => value as f64,
        Value::Unsigned(value) => value as f64,
    };
    let as_bits = match value {
        Value::Float(value) if value < 0.0 => value as i64 as u64,
        Value::Float(value) => value as u64,
        Value::Signed(value) => value as u64,
        Value::Unsigned(value) => value,
    };
    let bits = match number {
        Number::Float(2) => u64::from(f16::from_f64(as_float).to_bits()),
        Number::Float(4) => u64::from((as_float as f32).to_bits()),
        Number::Float(_) => as_float.to_bits(),
        _ => as_bits,
    };
    let width = usize::from(number.bytes());
    bytes[..width].copy_from_slice(&bits.to_le_bytes()[..width]);
}

/// The number that the text spells, if this kind has it: a float, or a whole number, in decimal or as 0x….
pub(crate) fn parse(number: Number, text: &str) -> Option<Value> {
    let text = text.trim();
    let bits = 8 * u32::from(number.bytes());
    match number {
        Number::Float(_) => {
            let value: f64 = text.parse().ok()?;
            // What the type has no room for is not meant to be infinite, unless it says so.
            let is_said = text.to_lowercase().contains("inf");
            let most = match bits {
                16 => f16::MAX.into(),
                32 => f32::MAX.into(),
                _ => f64::MAX,
            };
            (value.is_nan() || value.abs() <= most || is_said).then_some(Value::Float(value))
        }
        Number::Signed(_) => {
            let value: i64 = text.parse().ok()?;
            let most = i64::MAX >> (64 - bits);
            (-most - 1..=most)
                .contains(&value)
                .then_some(Value::Signed(value))
        }
        _ => {
            let value = match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok()?,
                None => text.parse().ok()?,
            };
            (value <= u64::MAX >> (64 - bits)).then_some(Value::Unsigned(value))
        }
    }
}

/// The shortest text that reads back as the same number.
pub(crate) fn text(number: Number, bytes: &[u8]) -> String {
    match (number, read(number, bytes)) {
        (Number::Float(2), Value::Float(value)) => f16::from_f64(value).to_string(),
        (Number::Float(4), Value::Float(value)) => format!("{:?}", value as f32),
        (_, Value::Float(value)) => format!("{value:?}"),
        (_, Value::Signed(value)) => value.to_string(),
        (_, Value::Unsigned(value)) => value.to_string(),
    }
}

/// The middle of some numbers, or the mean of the two in the middle; zero of none.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// The number `n` of a sequence that looks random and is the same everywhere.
///
/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) fn random(seed: u64, n: u64) -> u64 {
    let mut hash = seed
        .wrapping_mul(0xd134_2543_de82_ef95)
        .wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_as_the_same_number() {
        let kinds = [
            Number::Float(2),
            Number::Float(4),
            Number::Float(8),
            Number::Signed(4),
            Number::Signed(8),
            Number::Unsigned(4),
            Number::Unsigned(8),
        ];
        for number in kinds {
            for n in 0..500 {
                let bytes = random(1, n).to_le_bytes();
                let bytes = &bytes[..usize::from(number.bytes())];
                let mut again = vec![0; bytes.len()];
                let value = parse(number, &text(number, bytes)).expect("it was printed");
                write(number, value, &mut again);
                let is_nan = matches!(read(number, bytes), Value::Float(value) if value.is_nan());
                assert!(is_nan || again == bytes, "{number}: {bytes:?}, {again:?}");
            }
        }
    }

    #[test]
    fn a_number_that_the_kind_does_not_have_is_none() {
        assert_eq!(parse(Number::Unsigned(4), "-1"), None);
        assert_eq!(parse(Number::Float(4), "1e39"), None);
        assert_eq!(parse(Number::Float(8), "1e999"), None);
        let infinite = Some(Value::Float(f64::NEG_INFINITY));
        assert_eq!(parse(Number::Float(4), "-inf"), infinite);
        assert_eq!(parse(Number::Unsigned(4), "4294967296"), None);
        assert_eq!(parse(Number::Unsigned(4), "3.5"), None);
        assert_eq!(parse(Number::Signed(4), "2147483648"), None);
        assert_eq!(
            parse(Number::Signed(4), "-2147483648"),
            Some(Value::Signed(-2_147_483_648))
        );
        assert_eq!(
            parse(Number::Unsigned(4), "0xffffffff"),
            Some(Value::Unsigned(u64::from(u32::MAX)))
        );
    }
}
