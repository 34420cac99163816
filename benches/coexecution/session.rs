//! A workload in a runtime: kernels compiled, data bound, one iteration after the other.
//!
//! Knows no clock but that of a one-shot; who compares what is the affair of `measure`.

use super::lanes::workloads::{Bound, Pass};
use super::machine::{Devices, Setup};
use super::workloads::{Size, Workload};
use divvy::{Buffer, DispatchBuilder, Policy, Report, Runtime};
use std::path::Path;
use std::time::Instant;

/// Elements that may differ, of a thousand: where a rounding decides, as at the rim of the Mandelbrot set.
const DIFFERENT_PER_MILLE: usize = 5;
/// How much an element may differ, as a part of the largest.
const TOLERANCE: f32 = 1e-3;

/// A buffer by the words of its elements.
enum Held {
    One(Buffer<[u32; 1]>),
    Two(Buffer<[u32; 2]>),
    Four(Buffer<[u32; 4]>),
    Eight(Buffer<[u32; 8]>),
}

impl Held {
    fn new(runtime: &Runtime, (width, words): &(usize, Vec<u32>)) -> divvy::Result<Self> {
        Ok(match width {
            1 => Held::One(runtime.buffer_from(bytemuck::cast_slice(words))?),
            2 => Held::Two(runtime.buffer_from(bytemuck::cast_slice(words))?),
            4 => Held::Four(runtime.buffer_from(bytemuck::cast_slice(words))?),
            _ => Held::Eight(runtime.buffer_from(bytemuck::cast_slice(words))?),
        })
    }

    fn read(&self, runtime: &Runtime) -> divvy::Result<Vec<u32>> {
        Ok(match self {
            Held::One(buffer) => bytemuck::cast_slice(&runtime.read(buffer)?).to_vec(),
            Held::Two(buffer) => bytemuck::cast_slice(&runtime.read(buffer)?).to_vec(),
            Held::Four(buffer) => bytemuck::cast_slice(&runtime.read(buffer)?).to_vec(),
            Held::Eight(buffer) => bytemuck::cast_slice(&runtime.read(buffer)?).to_vec(),
        })
    }
}

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

    /// An iteration from data in the host's memory to an answer in the host's memory.
    pub fn one_shot(&self, policy: Option<&Policy>) -> (f64, Vec<Report>, Vec<f32>) {
        let mut data = self.data();
        let start = Instant::now();
        let reports = data.iterate(policy);
        let words = data.words();
        let seconds = start.elapsed().as_secs_f64();
        (seconds, reports, numbers(&words, self.workload.is_float))
    }
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
        let run = |pass| {
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
        let mut dispatch = self.runtime.dispatch(kernel, pass.range);
        for (name, bound) in &pass.bound {
            dispatch = match *bound {
                Bound::Buffer(at) => match &self.buffers[at] {
                    Held::One(buffer) => dispatch.bind(name, buffer),
                    Held::Two(buffer) => dispatch.bind(name, buffer),
                    Held::Four(buffer) => dispatch.bind(name, buffer),
                    Held::Eight(buffer) => dispatch.bind(name, buffer),
                },
                Bound::Value(at) => match self.workload.values[at][..] {
                    [a] => dispatch.value(name, [a]),
                    [a, b] => dispatch.value(name, [a, b]),
                    [a, b, c] => dispatch.value(name, [a, b, c]),
                    [a, b, c, d, e, f] => dispatch.value(name, [a, b, c, d, e, f]),
                    _ => panic!("a value of that size isn't foreseen"),
                },
            };
        }
        dispatch
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

pub fn numbers(words: &[u32], is_float: bool) -> Vec<f32> {
    let number = |word: &u32| match is_float {
        true => f32::from_bits(*word),
        false => *word as f32,
    };
    words.iter().map(number).collect()
}

/// Panics if an answer isn't what it is to be.
pub fn check(at: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{at}");
    let largest = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    // What is no number is like nothing.
    let is_like =
        |(found, expected): &(&f32, &f32)| (*found - *expected).abs() <= TOLERANCE * largest;
    let different = expected.len() - found.iter().zip(expected).filter(is_like).count();
    assert!(
        different * 1000 <= expected.len() * DIFFERENT_PER_MILLE,
        "{at}: {different} of {} elements are wrong",
        expected.len()
    );
}
