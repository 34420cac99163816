//! Runs kernels on lanes and nothing else.

use super::super::{Bank, Block, Layout, Machine, Program, Unsupported, Watch};
use crate::kernel::Kernel;
use crate::range::{Chunk, Range};

/// The program of a kernel, as workgroups or, where that is possible, as rows.
pub(super) fn program(wgsl: &str, is_short: bool) -> Result<Program, Unsupported> {
    let kernel = Kernel::from_wgsl(wgsl).unwrap_or_else(|error| panic!("{error}"));
    let facts = kernel.facts().expect("nothing is left open").clone();
    Program::new(&facts, is_short)
}

/// Words that begin where numbers of 64 bits do.
pub(super) struct Aligned {
    numbers: Vec<u64>,
    len: usize,
}

impl Aligned {
    pub(super) fn new(words: &[u32]) -> Self {
        let mut padded = words.to_vec();
        padded.resize(words.len().next_multiple_of(2), 0);
        Self {
            numbers: bytemuck::pod_collect_to_vec(&padded),
            len: words.len(),
        }
    }

    pub(super) fn words(&self) -> &[u32] {
        &bytemuck::cast_slice(&self.numbers)[..self.len]
    }

    pub(super) fn words_mut(&mut self) -> &mut [u32] {
        &mut bytemuck::cast_slice_mut(&mut self.numbers)[..self.len]
    }

    fn bank(&mut self) -> Bank {
        let words = self.words_mut();
        Bank {
            words: words.as_mut_ptr(),
            len: words.len(),
            passes_caches: true,
        }
    }
}

/// Buffers as they are to be, and what they hold in the end.
fn aligned(buffers: &[Vec<u32>]) -> Vec<Aligned> {
    buffers.iter().map(|words| Aligned::new(words)).collect()
}

fn all_words(buffers: &[Aligned]) -> Vec<Vec<u32>> {
    buffers
        .iter()
        .map(|buffer| buffer.words().to_vec())
        .collect()
}

fn run_as(wgsl: &str, buffers: &[Vec<u32>], workgroups: [u32; 3], is_short: bool) -> Vec<Vec<u32>> {
    let program = program(wgsl, is_short).unwrap_or_else(|error| panic!("{error}"));
    let mut buffers = aligned(buffers);
    let banks: Vec<Bank> = buffers.iter_mut().map(Aligned::bank).collect();
    let mut machine = Machine::new(&program, &banks, workgroups);
    let [x, y, z] = program.workgroup;
    match program.layout {
        Layout::Workgroup => {
            for index in 0..workgroups.iter().product() {
                let first = [
                    index % workgroups[0],
                    index / workgroups[0] % workgroups[1],
                    index / workgroups[0] / workgroups[1],
                ];
                let lanes = (x * y * z) as usize;
                machine.run(&Block { first, lanes });
            }
        }
        Layout::Row => {
            let length = (workgroups[0] * x) as usize;
            for row in 0..workgroups[1] * y * workgroups[2] * z {
                let rows = workgroups[1] * y;
                for start in (0..length).step_by(program.lanes) {
                    machine.run(&Block {
                        first: [start as u32, row % rows, row / rows],
                        lanes: program.lanes.min(length - start),
                    });
                }
            }
        }
    }
    drop(machine);
    all_words(&buffers)
}

/// What a kernel says, in a comment, that has faults.
const FAULTY: &str = "has faults";

/// As workgroups that are checked.
fn run_checked(wgsl: &str, buffers: &[Vec<u32>], workgroups: [u32; 3]) -> Vec<Vec<u32>> {
    let kernel = Kernel::from_wgsl(wgsl).unwrap_or_else(|error| panic!("{error}"));
    let facts = kernel.facts().expect("nothing is left open").clone();
    let program = Program::checked(&facts).unwrap_or_else(|error| panic!("{error}"));
    let mut buffers = aligned(buffers);
    let banks: Vec<Bank> = buffers.iter_mut().map(Aligned::bank).collect();
    let extents: [u32; 3] = std::array::from_fn(|i| workgroups[i] * facts.workgroup[i]);
    let chunk = Chunk::whole(Range::from(extents), facts.workgroup);
    let mut watch =
        Watch::new(&program, &facts, &facts.declared, wgsl, chunk, &banks).expect("it is checked");
    let mut machine = Machine::new(&program, &banks, workgroups);
    for index in 0..workgroups.iter().product() {
        let [x, y, _] = workgroups;
        let block = Block {
            first: [index % x, index / x % y, index / x / y],
            lanes: facts.workgroup.iter().product::<u32>() as usize,
        };
        watch.enter(&block);
        machine.run_watched(&block, Some(&mut watch));
    }
    drop(machine);
    let findings = watch.findings();
    assert_eq!(findings.is_some(), wgsl.contains(FAULTY), "{findings:?}");
    all_words(&buffers)
}

/// What the buffers hold after a dispatch of so many workgroups, the same as rows, as workgroups, and checked.
pub(super) fn run(wgsl: &str, buffers: &[Vec<u32>], workgroups: [u32; 3]) -> Vec<Vec<u32>> {
    let rows = run_as(wgsl, buffers, workgroups, false);
    let groups = run_as(wgsl, buffers, workgroups, true);
    assert_eq!(rows, groups, "rows and workgroups differ");
    let checked = run_checked(wgsl, buffers, workgroups);
    assert_eq!(rows, checked, "a checked run differs");
    rows
}

/// A kernel of which each invocation does `body`; `i` is its index, and `out` an array.
pub(super) fn kernel(body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.x;
            {body}
        }}"
    )
}

/// The words that a kernel writes to `out` when each of `count` invocations does `body`; `i` is its index.
pub(super) fn each_with(preamble: &str, body: &str, count: usize, words: usize) -> Vec<u32> {
    let wgsl = format!("{preamble}\n{}", kernel(body));
    let workgroups = [count.div_ceil(8) as u32, 1, 1];
    run(&wgsl, &[vec![0; words]], workgroups).remove(0)
}

/// As above, with a word for each of 40 invocations.
pub(super) fn each(preamble: &str, body: &str) -> Vec<u32> {
    each_with(preamble, body, 40, 40)
}

/// The words that one invocation writes when it does `body`, in which `one` is 1 but nobody knows.
pub(super) fn once(preamble: &str, body: &str, words: usize) -> Vec<u32> {
    let preamble = format!(
        "{preamble}
        @group(0) @binding(1) var<storage, read_write> ones: array<u32>;"
    );
    let wgsl = format!(
        "{preamble}
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(1)
        fn main() {{
            let one = ones[0];
            {body}
        }}"
    );
    run(&wgsl, &[vec![0; words], vec![1; 4]], [1, 1, 1]).remove(0)
}

/// Floats as words.
pub(super) fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|float| float.to_bits()).collect()
}

/// Why lanes can't run a kernel, with the lines of its source.
pub(super) fn refusal(wgsl: &str) -> String {
    match program(wgsl, false) {
        Ok(_) => panic!("lanes run it"),
        Err(error) => error.in_source(wgsl),
    }
}
