//! Reads as a machine might deliver them, and the plainest way to align them.

use bytemuck::{Pod, Zeroable};

pub const READ: usize = 128;
pub const WINDOW: usize = 192;

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct Best {
    pub score: i32,
    pub end: u32,
}

/// A read and its window, in bases of two bits, and where in the window the read ends, if it is from there.
pub struct Pair {
    pub read: Vec<u8>,
    pub window: Vec<u8>,
    pub end: Option<u32>,
}

/// A read as a machine might deliver it: one base in twenty is wrong, one in a hundred missing or made up; and one read
/// in ten is of something else.
pub fn draw(genome: &[u8], random: &mut fastrand::Rng) -> Pair {
    let begin = random.usize(0..genome.len() - WINDOW);
    let window = genome[begin..begin + WINDOW].to_vec();
    if random.u8(0..10) == 0 {
        let read = (0..READ).map(|_| random.u8(0..4)).collect();
        return Pair {
            read,
            window,
            end: None,
        };
    }
    let (mut at, mut read) = (random.usize(8..WINDOW - READ - 8), Vec::with_capacity(READ));
    while read.len() < READ {
        match random.u8(0..200) {
            0 => at += 1,
            1 => read.push(random.u8(0..4)),
            chance => {
                let wrong = if chance < 12 { random.u8(1..4) } else { 0 };
                read.push((window[at.min(WINDOW - 1)] + wrong) % 4);
                at += 1;
            }
        }
    }
    Pair {
        read,
        window,
        end: Some(at as u32 - 1),
    }
}

pub fn packed<'a>(sequences: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u32> {
    let word = |bases: &[u8]| {
        bases
            .iter()
            .rev()
            .fold(0, |word, &base| word << 2 | u32::from(base))
    };
    sequences
        .flat_map(|sequence| sequence.chunks(16).map(word).collect::<Vec<_>>())
        .collect()
}

/// The whole matrix, as the recurrence is written: the best score that ends at each pair of bases, in any way, with a gap
/// in the window, and with one in the read.
pub fn by_the_book(read: &[u8], window: &[u8]) -> Best {
    const NEVER: i32 = -1000;
    let mut best = Best { score: 0, end: 0 };
    let mut last = vec![[0, NEVER, NEVER]; read.len() + 1];
    for (j, there) in window.iter().enumerate() {
        let mut column = vec![[0, NEVER, NEVER]];
        for (i, here) in read.iter().enumerate() {
            let (left, up, corner) = (last[i + 1], column[i], last[i]);
            let met = corner[0] + if here == there { 2 } else { -3 };
            let in_window = (up[0] - 5).max(up[1] - 1);
            let in_read = (left[0] - 5).max(left[2] - 1);
            let score = met.max(in_window).max(in_read).max(0);
            column.push([score, in_window, in_read]);
            if score > best.score {
                best = Best {
                    score,
                    end: j as u32,
                };
            }
        }
        last = column;
    }
    best
}
