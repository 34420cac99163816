//! Reads of a genome, aligned with the places where they may come from: dynamic programming, a pair an invocation.

mod reads;
#[path = "../show/mod.rs"]
mod show;

use divvy::Kernel;
use reads::{Best, READ, WINDOW, by_the_book, draw, packed};
use show::{Example, Outcome};

/// Below it an alignment is taken for chance.
const MAPPED: i32 = 80;
/// One pair in so many is aligned again, in the plainest way.
const CHECKED: usize = 8;

fn main() -> Outcome {
    let about = "Reads with errors are aligned with a genome (Smith and Waterman, affine gaps).";
    let mut show = Example::new("genome", about)
        .size(16_384, 1..=1 << 21, "reads of 128 bases in each batch")
        .steps(4, "batches")
        .seed(1)
        .open()?;
    let (runtime, size) = (show.runtime.clone(), show.options.size);
    let kernel = Kernel::from_wgsl(include_str!("../../shaders/genome.wgsl"))?;

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
    let rate = (cells / show.seconds() / 1e7).round() / 100.0;
    show.number("billion cells a second", rate);
    let [[mapped, lost], [strange, other]] = counts;
    show.say(format_args!("                     mapped   not mapped"));
    show.say(format_args!("of the genome    {mapped:10} {lost:12}"));
    show.say(format_args!("of another one   {strange:10} {other:12}"));
    show.number("checked with the plainest program", checked);
    let rule = "scores and places are those of the plainest program";
    show.check(rule, same == checked);
    let part = |of: usize, all: usize| of as f64 / all.max(1) as f64;
    let rule = "part of the genome's reads that isn't mapped";
    show.within(rule, part(lost, mapped + lost), 0.02);
    let rule = "part of the others that is";
    show.within(rule, part(strange, strange + other), 0.001);
    let rule = "part of the mapped that isn't where it came from";
    show.within(rule, part(mapped - placed, mapped), 0.01);
    show.end()
}
