//! What is run: kernels as what they cost, and dispatches of them in order.
//!
//! Data; nothing of it is computed.
//!
//! Invariant: a buffer has a whole number of elements for each unit of every range that uses it.

use crate::kernel::Access;
use crate::split::Density;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What a kernel costs over a range of one dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// A name for people; samples go by it.
    pub name: String,
    /// Invocations of the range.
    pub extent: u64,
    /// Invocations of a workgroup.
    pub workgroup: u32,
    /// How the cost varies along the range.
    pub density: Density,
    /// For each device, the multiple of its speed at which it runs this kernel; 1 where there is none.
    pub favors: Vec<f64>,
}

impl Load {
    /// A kernel whose invocations all cost the same, in workgroups of 64.
    #[must_use]
    pub fn new(extent: u64) -> Self {
        Self {
            name: "kernel".to_owned(),
            extent,
            workgroup: 64,
            density: Density::flat(),
            favors: Vec::new(),
        }
    }

    /// The same kernel with a cost that varies along the range.
    #[must_use]
    pub fn with_density(mut self, density: Density) -> Self {
        self.density = density;
        self
    }

    /// The same kernel with workgroups of so many invocations.
    #[must_use]
    pub fn with_workgroup(mut self, invocations: u32) -> Self {
        self.workgroup = invocations;
        self
    }

    /// What its samples in a profile go by, for [`Key::new`](crate::profile::Key::new).
    #[must_use]
    pub fn key(&self) -> u128 {
        let mut hasher = DefaultHasher::new();
        (&self.name, self.workgroup).hash(&mut hasher);
        u128::from(hasher.finish())
    }

    pub(super) fn favor(&self, device: usize) -> f64 {
        self.favors.get(device).copied().unwrap_or(1.0)
    }
}

/// How a dispatch uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its place among the program's buffers.
    pub buffer: usize,
    /// Whether it is written.
    pub writes: bool,
    /// Which of its elements a chunk touches; none where that isn't known.
    pub access: Option<Access>,
}

/// One thing that a program does, awaited before the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A dispatch of a kernel, by its place among the program's loads.
    Dispatch {
        /// The kernel.
        load: usize,
        /// The buffers.
        uses: Vec<Use>,
    },
    /// The host writes the whole of a buffer.
    Write(usize),
    /// The host reads the whole of a buffer.
    Read(usize),
}

/// Kernels, buffers and what is done with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// The kernels.
    pub loads: Vec<Load>,
    /// The buffers, in elements of four bytes.
    pub buffers: Vec<u64>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

fn uses(buffer: usize, access: Access) -> Use {
    Use {
        buffer,
        writes: false,
        access: Some(access),
    }
}

fn overwrites(buffer: usize) -> Use {
    Use {
        writes: true,
        ..uses(buffer, Access::OneToOne)
    }
}

impl Program {
    /// One kernel over and over on one buffer that stays where it is computed.
    #[must_use]
    pub fn repeated(load: Load, dispatches: usize) -> Self {
        let step = Step::Dispatch {
            load: 0,
            uses: vec![overwrites(0)],
        };
        Self {
            buffers: vec![load.extent],
            loads: vec![load],
            steps: vec![step; dispatches],
        }
    }

    /// One kernel over and over on what the host has written, the first time only or before each dispatch.
    #[must_use]
    pub fn uploaded(load: Load, dispatches: usize, each_time: bool) -> Self {
        let step = Step::Dispatch {
            load: 0,
            uses: vec![uses(0, Access::OneToOne), overwrites(1)],
        };
        let mut steps = vec![Step::Write(0)];
        for i in 0..dispatches {
            if each_time && i > 0 {
                steps.push(Step::Write(0));
            }
            steps.push(step.clone());
        }
        Self {
            buffers: vec![load.extent; 2],
            loads: vec![load],
            steps,
        }
    }

    /// A stencil that goes back and forth between two buffers, with a halo of so many units, of a field that the host has
    /// written.
    #[must_use]
    pub fn stencil(load: Load, steps: usize, elements_per_unit: u64, halo: u64) -> Self {
        let turn = |i: usize| Step::Dispatch {
            load: 0,
            uses: vec![
                uses(i % 2, Access::Neighborhood(halo)),
                overwrites((i + 1) % 2),
            ],
        };
        let mut all = vec![Step::Write(0)];
        all.extend((0..steps).map(turn));
        Self {
            buffers: vec![load.extent * elements_per_unit; 2],
            loads: vec![load],
            steps: all,
        }
    }

    /// Two kernels in turn, each of which reads what the other has written.
    #[must_use]
    pub fn alternating(first: Load, second: Load, turns: usize, elements_per_unit: u64) -> Self {
        let turn = |i: usize| Step::Dispatch {
            load: i % 2,
            uses: vec![uses(i % 2, Access::OneToOne), overwrites((i + 1) % 2)],
        };
        Self {
            buffers: vec![first.extent * elements_per_unit; 2],
            loads: vec![first, second],
            steps: (0..turns * 2).map(turn).collect(),
        }
    }
}
