//! A workload in a runtime: kernels compiled, data bound, one iteration after the other.
//!
//! Knows no clock but that of a one-shot; who compares what is the affair of `measure`.

use super::answers::check;
use super::lanes::held::{self, Held, numbers};
use super::lanes::workloads::Pass;
use super::machine::{Devices, Setup};
use super::workloads::{Size, Workload};
use divvy::kernel::Pattern;
use divvy::{DispatchBuilder, Policy, Report, Runtime};
use std::path::Path;
use std::time::Instant;

/// A runtime that has compiled the kernels of a workload, and has never run them at its size.
pub struct Session<'a> {
    runtime: Runtime,
    workload: &'a Workload,
}

impl<'a> Session<'a> {
    pub fn new(
        setup: &Setup,
        devices: Devices,
        profile: Option<&Path>,
        workload: &'a Workload,
    ) -> Self {
        let runtime = setup.runtime(devices, profile);
        let tiny = Workload::new(workload.name, Size::Tiny);
        let names: Vec<_> = runtime.devices().map(|info| info.name.clone()).collect();
        for name in names {
            let mut data = Data::new(&runtime, &tiny);
            data.iterate(Some(&Policy::Only(name)));
        }
        Self { runtime, workload }
    }

    /// The workload's data, all of it in the host's memory.
    pub fn data(&self) -> Data<'_> {
        Data::new(&self.runtime, self.workload)
    }

    /// An iteration from data in the host's memory to an answer in the host's memory, which is there and has been written
    /// before: what the system takes to give memory depends on what the bench did just now.
    pub fn one_shot(&self, policy: Option<&Policy>) -> (f64, Vec<Report>, Vec<f32>) {
        let mut data = self.data();
        let answer = &self.workload.buffers[self.workload.answer(1)].1;
        let mut words = vec![1; answer.len()];
        let start = Instant::now();
        let reports = data.iterate(policy);
        data.read_into(&mut words);
        let seconds = start.elapsed().as_secs_f64();
        (seconds, reports, numbers(&words, self.workload.is_float))
    }
}

/// How each kernel of a workload accesses its buffers, in the dispatch that is its first.
pub fn patterns(workload: &Workload) -> Vec<Vec<Pattern>> {
    let runtime = Runtime::builder().devices("cpu").without_profile_dir();
    let runtime = runtime.build().expect("there is a CPU");
    let data = Data::new(&runtime, workload);
    let of = |kernel: usize| {
        let mut passes = workload.turns.iter().flat_map(|turn| &turn.passes);
        let pass = passes.find(|pass| pass.kernel == kernel);
        let dispatch = data.dispatch(pass.expect("each kernel is dispatched"));
        dispatch.patterns().expect("it is complete")
    };
    (0..workload.kernels.len()).map(of).collect()
}

/// The buffers of a workload.
pub struct Data<'a> {
    runtime: &'a Runtime,
    workload: &'a Workload,
    buffers: Vec<Held>,
    iterations: usize,
}

impl<'a> Data<'a> {
    fn new(runtime: &'a Runtime, workload: &'a Workload) -> Self {
        let buffers = workload.buffers.iter();
        let held = |one| Held::new(runtime, one).expect("there is room");
        Self {
            runtime,
            workload,
            buffers: buffers.map(held).collect(),
            iterations: 0,
        }
    }

    /// Runs an iteration, and returns a report for each of its dispatches.
    pub fn iterate(&mut self, policy: Option<&Policy>) -> Vec<Report> {
        let turn = &self.workload.turns[self.iterations % self.workload.turns.len()];
        self.iterations += 1;
        let run = |pass: &Pass| {
            let mut dispatch = self.dispatch(pass);
            if let Some(policy) = policy {
                dispatch = dispatch.split(policy.clone());
            }
            dispatch.run().expect("it runs")
        };
        turn.passes.iter().map(run).collect()
    }

    fn dispatch(&self, pass: &Pass) -> DispatchBuilder<'_> {
        let kernel = &self.workload.kernels[pass.kernel];
        let values = &self.workload.values;
        held::dispatch(self.runtime, kernel, pass, &self.buffers, values)
    }

    fn read_into(&self, words: &mut [u32]) {
        let held = &self.buffers[self.workload.answer(self.iterations)];
        held.read_into(self.runtime, words).expect("it is there");
    }

    /// The words of the answer.
    pub fn words(&self) -> Vec<u32> {
        let at = self.workload.answer(self.iterations);
        self.buffers[at].read(self.runtime).expect("it is there")
    }

    /// Whether the answer is the reference's, which is a panic if it isn't.
    pub fn check(&self, at: &str) {
        let found = numbers(&self.words(), self.workload.is_float);
        check(at, &found, &self.workload.expected(self.iterations));
    }
}
