//! The computer: amplitudes of all states in buffers, and gates that are dispatches over them.

use crate::show::{Outcome, Show};
use bytemuck::{Pod, Zeroable};
use divvy::{Buffer, Kernel};
use std::f64::consts::PI;

#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
struct Gate {
    place: u32,
    control: u32,
    turn: [f32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Power {
    pub base: u32,
    pub modulus: u32,
    pub seen: u32,
    pub scale: f32,
}

/// The amplitudes before a gate and after, and the kernels that are gates.
pub struct Computer {
    qubits: usize,
    state: Buffer<[f32; 2]>,
    next: Buffer<[f32; 2]>,
    sums: Buffer<f32>,
    hadamard: Kernel,
    turn: Kernel,
    mirror: Kernel,
    observe: Kernel,
    weigh: Kernel,
}

impl Computer {
    pub fn new(show: &Show) -> divvy::Result<Self> {
        let wgsl = Kernel::from_wgsl(include_str!("../../shaders/quantum.wgsl"))?;
        let kernel = |entry: &str| wgsl.clone().entry(entry);
        let (runtime, states) = (&show.runtime, 1 << show.options.size);
        Ok(Self {
            qubits: show.options.size,
            state: runtime.buffer(states)?,
            next: runtime.buffer(states)?,
            sums: runtime.buffer(states.div_ceil(256))?,
            hadamard: kernel("hadamard")?,
            turn: kernel("turn")?,
            mirror: kernel("mirror")?,
            observe: kernel("observe")?,
            weigh: kernel("weigh")?,
        })
    }

    /// All states alike: each qubit is zero, and then as much zero as one.
    pub fn mix(&mut self, show: &mut Show) -> Outcome {
        let zeros = vec![[0.0; 2]; self.state.len()];
        show.runtime.write(&self.state, &zeros)?;
        show.runtime.write_range(&self.state, 0, &[[1.0, 0.0]])?;
        (0..self.qubits).try_for_each(|qubit| self.hadamard(show, qubit))
    }

    /// Leaves the states whose power of the base is the one that was seen.
    pub fn observe(&self, show: &mut Show, power: Power) -> Outcome {
        let runtime = show.runtime.clone();
        let dispatch = runtime.dispatch(&self.observe, self.state.len());
        show.submit(dispatch.value("power", power).bind("state", &self.state))
    }

    /// The Fourier transform of the amplitudes, gate by gate.
    pub fn fourier(&mut self, show: &mut Show) -> Outcome {
        let runtime = show.runtime.clone();
        for qubit in (0..self.qubits).rev() {
            self.hadamard(show, qubit)?;
            for control in 0..qubit {
                let angle = PI / (1_u64 << (qubit - control)) as f64;
                let gate = Gate {
                    place: 1 << qubit,
                    control: 1 << control,
                    turn: [angle.cos() as f32, angle.sin() as f32],
                };
                let dispatch = runtime.dispatch(&self.turn, self.state.len());
                show.submit(dispatch.value("gate", gate).bind("state", &self.state))?;
            }
        }
        self.out_of_place(show, &self.mirror.clone(), 32 - self.qubits as u32)
    }

    fn hadamard(&mut self, show: &mut Show, qubit: usize) -> Outcome {
        self.out_of_place(show, &self.hadamard.clone(), 1 << qubit)
    }

    /// Runs a gate that needs another buffer for what it makes.
    fn out_of_place(&mut self, show: &mut Show, kernel: &Kernel, place: u32) -> Outcome {
        let (runtime, gate) = (
            show.runtime.clone(),
            Gate {
                place,
                ..Gate::default()
            },
        );
        let dispatch = runtime.dispatch(kernel, self.state.len());
        let dispatch = dispatch.value("gate", gate).bind("old", &self.state);
        show.submit(dispatch.bind("next", &self.next))?;
        std::mem::swap(&mut self.state, &mut self.next);
        Ok(())
    }

    /// The probability of all states together.
    pub fn probability(&self, show: &mut Show) -> Outcome<f64> {
        let runtime = show.runtime.clone();
        let dispatch = runtime.dispatch(&self.weigh, self.state.len());
        show.submit(dispatch.bind("old", &self.state).bind("sums", &self.sums))?;
        show.wait()?;
        Ok(runtime.read(&self.sums)?.into_iter().map(f64::from).sum())
    }

    /// The probability of each state.
    pub fn probabilities(&self, show: &Show) -> divvy::Result<Vec<f64>> {
        let square = |[x, y]: [f32; 2]| f64::from(x).powi(2) + f64::from(y).powi(2);
        let amplitudes = show.runtime.read(&self.state)?;
        Ok(amplitudes.into_iter().map(square).collect())
    }
}
