//! What is measured: the kernels that come with the program, or the user's own.
//!
//! Kernels with their data in the words of the command line, and the ranges to run them over.

use crate::buffers::Inputs;
use crate::failure::{Failure, Outcome};
use crate::kernel::{Given, Named, Nothing};
use divvy::{Kernel, Range};
use std::path::Path;

/// One kernel over one range.
///
/// Its data is made when it is asked for, so that only what is being measured takes memory.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) kernel: Kernel,
    pub(super) range: Range,
    given: Given,
    /// The part of the numbers that may differ between devices, where a kernel magnifies how they round.
    pub(super) apart: f64,
}

impl Workload {
    /// What its bindings hold.
    pub(super) fn inputs(&self) -> Outcome<Inputs> {
        self.given.inputs(&self.kernel, self.range, &mut Nothing)
    }
}

/// A kernel that comes with the program.
struct Own {
    name: &'static str,
    source: &'static str,
    bind: &'static [(&'static str, &'static str)],
    value: &'static [(&'static str, &'static str)],
    ranges: &'static [&'static [u64]],
    quick: &'static [u64],
    apart: f64,
}

const SUITE: [Own; 5] = [
    Own {
        name: "saxpy",
        source: include_str!("../../../shaders/saxpy.wgsl"),
        bind: &[("x", "random:1"), ("y", "random:2")],
        value: &[("a", "0.001")],
        ranges: &[&[1 << 16], &[1 << 20], &[1 << 24]],
        quick: &[1 << 16],
        apart: 0.0,
    },
    Own {
        name: "mandelbrot",
        source: include_str!("../../../shaders/mandelbrot.wgsl"),
        bind: &[],
        value: &[
            ("view.width", "range.x"),
            ("view.height", "range.y"),
            ("view.limit", "256"),
        ],
        ranges: &[&[256, 256], &[1024, 1024], &[2048, 2048]],
        quick: &[128, 128],
        // Near the edge of the set a last digit decides about a step.
        apart: 0.02,
    },
    Own {
        name: "nbody",
        source: include_str!("../../kernels/nbody.wgsl"),
        bind: &[("bodies", "random:1")],
        value: &[("softening", "0.001")],
        ranges: &[&[1024], &[4096], &[16384]],
        quick: &[512],
        apart: 0.0,
    },
    Own {
        name: "heat",
        source: include_str!("../../../shaders/heat.wgsl"),
        bind: &[("old", "random:1")],
        value: &[
            ("plate.width", "range.x"),
            ("plate.height", "range.y"),
            ("plate.flow", "0.2"),
        ],
        ranges: &[&[256, 256], &[1024, 1024], &[4096, 4096]],
        quick: &[128, 128],
        apart: 0.0,
    },
    Own {
        name: "matmul",
        source: include_str!("../../kernels/matmul.wgsl"),
        bind: &[("a", "random:1"), ("b", "random:2")],
        value: &[("n", "range.x")],
        ranges: &[&[128, 128], &[512, 512], &[1024, 1024]],
        quick: &[64, 64],
        apart: 0.0,
    },
];

fn range_of(extents: &[u64]) -> Range {
    match *extents {
        [x, y] => Range::from([x, y]),
        [x, y, z] => Range::from([x, y, z]),
        _ => Range::from(extents.first().copied().unwrap_or(1)),
    }
}

fn named(pairs: &[(&str, &str)]) -> Vec<Named> {
    let named = pairs.iter().map(|(name, text)| Named {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    });
    named.collect()
}

/// The kernels that come with the program, each over a few ranges, or over a small one only.
pub(super) fn suite(is_quick: bool) -> Outcome<Vec<Workload>> {
    let mut workloads = Vec::new();
    for own in &SUITE {
        let given = Given {
            bind: named(own.bind),
            value: named(own.value),
            constant: Vec::new(),
        };
        let kernel = Kernel::from_wgsl(own.source).map_err(divvy::Error::from)?;
        let ranges: &[&[u64]] = if is_quick { &[own.quick] } else { own.ranges };
        for extents in ranges {
            let range = range_of(extents);
            workloads.push(Workload {
                name: own.name.to_owned(),
                kernel: kernel.clone(),
                range,
                given: given.clone(),
                apart: own.apart,
            });
        }
    }
    Ok(workloads)
}

/// The user's kernel over the ranges that were asked for.
pub(super) fn own(
    path: &Path,
    kernel: Kernel,
    given: &Given,
    ranges: &[Range],
    apart: f64,
) -> Outcome<Vec<Workload>> {
    if ranges.is_empty() {
        return Err(Failure::NoRange);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let workload = |range: &Range| Workload {
        name: name.clone().into_owned(),
        kernel: kernel.clone(),
        range: *range,
        given: given.clone(),
        apart,
    };
    Ok(ranges.iter().map(workload).collect())
}
