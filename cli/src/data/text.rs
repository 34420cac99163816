//! Numbers as text: a line for each element, or for each row of a picture of single numbers.

use super::{Data, Slot};
use crate::numbers;

/// Adds the text of the data, with `between` set between the numbers of a line.
pub(crate) fn write_text(slot: &Slot, data: &Data, between: &str, out: &mut Vec<u8>) {
    let per_element = slot.element().map_or(1, |(leaves, _)| leaves.len());
    let numbers: u64 = data.extents.iter().product::<u64>() * per_element as u64;
    // Rows of single numbers are lines; what has several numbers an element has a line for each.
    let per_line = match (data.extents.as_slice(), per_element) {
        ([width, _, ..], 1) => *width,
        _ => per_element as u64,
    };
    let is_whole = slot.element().is_some();
    let mut n = 0_u64;
    slot.each_number(data.bytes.len() as u64, |at, number| {
        if n > 0 {
            let is_new = !is_whole || n.is_multiple_of(per_line.max(1)) || n >= numbers;
            let mark = if is_new { "\n" } else { between };
            out.extend_from_slice(mark.as_bytes());
        }
        out.extend_from_slice(numbers::text(number, &data.bytes[at..]).as_bytes());
        n += 1;
    });
    if n > 0 {
        out.push(b'\n');
    }
}
