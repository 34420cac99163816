//! A workload by hand, in plain wgpu: what the runtime's overhead on a GPU is measured against.

use super::lanes::workloads::{Bound, Pass};
use super::raw::{Prepared, Raw};
use super::workloads::Workload;

/// The iterations of a workload on the GPU that wgpu finds first.
pub struct Native<'a> {
    raw: &'a Raw,
    turns: Vec<Vec<Prepared>>,
    iterations: usize,
}

impl<'a> Native<'a> {
    pub fn new(raw: &'a Raw, workload: &Workload) -> Self {
        let buffer =
            |(_, words): &(usize, Vec<u32>)| raw.buffer(bytemuck::cast_slice(words), false);
        let buffers: Vec<_> = workload.buffers.iter().map(buffer).collect();
        let value = |words: &Vec<u32>| raw.buffer(bytemuck::cast_slice(words), true);
        let values: Vec<_> = workload.values.iter().map(value).collect();
        let prepare = |pass: &Pass| {
            let kernel = &workload.kernels[pass.kernel];
            let facts = kernel.facts().expect("it is complete");
            let bound = pass.bound.iter().map(|(name, bound)| {
                let place = facts.find(name).expect("it is bound by its name");
                let buffer = match *bound {
                    Bound::Buffer(at) => &buffers[at],
                    Bound::Value(at) => &values[at],
                };
                (facts.bindings[place].binding, buffer)
            });
            let list = bound.collect();
            let groups = workgroups(pass, facts.workgroup);
            raw.prepare(kernel.source(), &facts.entry, &[list], groups)
        };
        let turns = workload.turns.iter();
        Self {
            raw,
            turns: turns
                .map(|turn| turn.passes.iter().map(prepare).collect())
                .collect(),
            iterations: 0,
        }
    }

    /// Runs an iteration; its passes are one submission, as one writes by hand.
    pub fn iterate(&mut self) {
        let turn = &self.turns[self.iterations % self.turns.len()];
        self.iterations += 1;
        self.raw.run_all(None, &turn.iter().collect::<Vec<_>>(), 0);
    }
}

/// Those that x has no room for go to y, which the kernels of the lanes know.
fn workgroups(pass: &Pass, workgroup: [u32; 3]) -> [u32; 3] {
    const MOST: u32 = 65_535;
    const FOLD: u32 = 32_768;
    let counts: [u32; 3] = std::array::from_fn(|i| (pass.range[i] as u32).div_ceil(workgroup[i]));
    if counts[0] <= MOST {
        counts
    } else {
        [FOLD, counts[0].div_ceil(FOLD), 1]
    }
}
