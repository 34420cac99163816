//! Reads of a genome, aligned with the places where they may come from: dynamic programming, a pair an invocation.

mod show;

use bytemuck::{Pod, Zeroable};
use divvy::Kernel;
use show::{Example, Outcome};

const READ: usize = 128;
const WINDOW: usize = 192;
/// Below it an alignment is taken for chance.
const MAPPED: i32 = 80;
/// One pair in so many is aligned again, in the plainest way.
const CHECKED: usize = 8;

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
struct Best {
    score: i32,
    end: u32,
}

/// A read and its window, in bases of two bits, and where in the window the read ends, if it is from there.
struct Pair {
    read: Vec<u8>,
    window: Vec<u8>,
    end: Option<u32>,
}

fn main() -> Outcome {
    let about = "Reads with errors are aligned with a genome (Smith and Waterman, affine gaps).";
    let example = Example::new("genome", about)
        .size(16_384, 1..=1 << 21, "reads of 128 bases in each batch")
        .steps(4, "batches")
        .seed(1);
    let mut show = example.open()?;
    let (runtime, size) = (show.runtime.clone(), show.options.size);
    let kernel = Kernel::from_wgsl(include_str!("../shaders/genome.wgsl"))?;

    let mut random = fastrand::Rng::with_seed(show.options.seed);
    let genome: Vec<u8> = (0..1 << 20).map(|_| random.u8(0..4)).collect();
    let reads = runtime.buffer::<u32>(size * READ / 16)?;
    let windows = runtime.buffer::<u32>(size * WINDOW / 16)?;
    let best = runtime.buffer::<Best>(size)?;
    // Reads of the genome and of something else, mapped and not.
    let mut counts = [[0_usize; 2]; 2];
    let (mut placed, mut same, mut checked) = (0, 0, 0);
    for _ in show.steps() {
        let pairs: Vec<_> = (0..size).map(|_| draw(&genome, &mut random)).collect();
        runtime.write(&reads, &packed(pairs.iter().map(|pair| &pair.read)))?;
        runtime.write(&windows, &packed(pairs.iter().map(|pair| &pair.window)))?;
        let dispatch = runtime.dispatch(&kernel, size).bind("reads", &reads);
        show.submit(dispatch.bind("windows", &windows).bind("best", &best))?;
        show.wait()?;
        for (i, (pair, found)) in pairs.iter().zip(runtime.read(&best)?).enumerate() {
            let is_mapped = found.score >= MAPPED;
            counts[usize::from(pair.end.is_none())][usize::from(!is_mapped)] += 1;
            // Errors near the end of a read are better left out than aligned, and so the alignment ends before.
            let is_near = |end: u32| end.abs_diff(found.end) <= 16;
            placed += usize::from(is_mapped && pair.end.is_some_and(is_near));
            if i % CHECKED == 0 {
                checked += 1;
                same += usize::from(found == by_the_book(&pair.read, &pair.window));
            }
        }
    }
    let cells = (READ * WINDOW * size * show.options.steps) as f64;
    show.number(
        "billion cells a second",
        (cells / show.seconds() / 1e7).round() / 100.0,
    );
    show.say(format_args!("                     mapped   not mapped"));
    show.say(format_args!(
        "of the genome    {:10} {:12}",
        counts[0][0], counts[0][1]
    ));
    show.say(format_args!(
        "of another one   {:10} {:12}",
        counts[1][0], counts[1][1]
    ));
    show.number("checked with the plainest program", checked);
    show.check(
        "scores and places are those of the plainest program",
        same == checked,
    );
    let part = |of: usize, all: usize| of as f64 / all.max(1) as f64;
    let lost = part(counts[0][1], counts[0][0] + counts[0][1]);
    show.within("part of the genome's reads that isn't mapped", lost, 0.02);
    let strange = part(counts[1][0], counts[1][0] + counts[1][1]);
    show.within("part of the others that is", strange, 0.001);
    let misplaced = part(counts[0][0] - placed, counts[0][0]);
    show.within(
        "part of the mapped that isn't where it came from",
        misplaced,
        0.01,
    );
    show.end()
}

/// A read as a machine might deliver it: one base in twenty is wrong, one in a hundred missing or made up; and one read
/// in ten is of something else.
fn draw(genome: &[u8], random: &mut fastrand::Rng) -> Pair {
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

fn packed<'a>(sequences: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u32> {
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
fn by_the_book(read: &[u8], window: &[u8]) -> Best {
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
