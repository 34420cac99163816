//! Places of a grid whose edges meet.

/// The numbers of the nine places from one step up and left of place `i` to one step down and right of it, by rows.
pub fn around([width, height]: [usize; 2], i: usize) -> [usize; 9] {
    std::array::from_fn(|k| {
        let x = i % width + width + k % 3 - 1;
        let y = i / width + height + k / 3 - 1;
        y % height * width + x % width
    })
}
