//! The data of a workload in a runtime, and the dispatches that bind it.

use super::workloads::{Bound, Pass};
use divvy::{Buffer, DispatchBuilder, Kernel, Runtime};

/// A buffer by the words of its elements.
pub enum Held {
    One(Buffer<[u32; 1]>),
    Two(Buffer<[u32; 2]>),
    Four(Buffer<[u32; 4]>),
    Eight(Buffer<[u32; 8]>),
}

impl Held {
    pub fn new(runtime: &Runtime, (width, words): &(usize, Vec<u32>)) -> divvy::Result<Self> {
        Ok(match width {
            1 => Held::One(runtime.buffer_from(bytemuck::cast_slice(words))?),
            2 => Held::Two(runtime.buffer_from(bytemuck::cast_slice(words))?),
            4 => Held::Four(runtime.buffer_from(bytemuck::cast_slice(words))?),
            _ => Held::Eight(runtime.buffer_from(bytemuck::cast_slice(words))?),
        })
    }

    /// Reads the words into memory that is there already.
    pub fn read_into(&self, runtime: &Runtime, words: &mut [u32]) -> divvy::Result<()> {
        match self {
            Held::One(buffer) => runtime.read_into(buffer, bytemuck::cast_slice_mut(words)),
            Held::Two(buffer) => runtime.read_into(buffer, bytemuck::cast_slice_mut(words)),
            Held::Four(buffer) => runtime.read_into(buffer, bytemuck::cast_slice_mut(words)),
            Held::Eight(buffer) => runtime.read_into(buffer, bytemuck::cast_slice_mut(words)),
        }
    }

    pub fn read(&self, runtime: &Runtime) -> divvy::Result<Vec<u32>> {
        let (len, width) = match self {
            Held::One(buffer) => (buffer.len(), 1),
            Held::Two(buffer) => (buffer.len(), 2),
            Held::Four(buffer) => (buffer.len(), 4),
            Held::Eight(buffer) => (buffer.len(), 8),
        };
        let mut words = vec![0; len * width];
        self.read_into(runtime, &mut words)?;
        Ok(words)
    }
}

/// The dispatch of a pass, with all that it binds.
pub fn dispatch<'a>(
    runtime: &'a Runtime,
    kernel: &Kernel,
    pass: &Pass,
    buffers: &[Held],
    values: &[Vec<u32>],
) -> DispatchBuilder<'a> {
    let mut dispatch = runtime.dispatch(kernel, pass.range);
    for (name, bound) in &pass.bound {
        dispatch = match *bound {
            Bound::Buffer(at) => match &buffers[at] {
                Held::One(buffer) => dispatch.bind(name, buffer),
                Held::Two(buffer) => dispatch.bind(name, buffer),
                Held::Four(buffer) => dispatch.bind(name, buffer),
                Held::Eight(buffer) => dispatch.bind(name, buffer),
            },
            Bound::Value(at) => match values[at][..] {
                [a] => dispatch.value(name, [a]),
                [a, b] => dispatch.value(name, [a, b]),
                [a, b, c] => dispatch.value(name, [a, b, c]),
                [a, b, c, d] => dispatch.value(name, [a, b, c, d]),
                [a, b, c, d, e, f] => dispatch.value(name, [a, b, c, d, e, f]),
                _ => panic!("a value of that size isn't foreseen"),
            },
        };
    }
    dispatch
}

/// Words as the numbers that they are.
pub fn numbers(words: &[u32], is_float: bool) -> Vec<f32> {
    let number = |word: &u32| match is_float {
        true => f32::from_bits(*word),
        false => *word as f32,
    };
    words.iter().map(number).collect()
}
