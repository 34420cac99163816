//! The kernels of the examples and of the benches are split with nothing declared.

use crate::{cpu, told};
use divvy::{Access, Kernel};

/// A kernel of a file, and what it is run on.
struct Whole {
    wgsl: &'static str,
    entry: &'static str,
    range: [u64; 2],
    /// Names of buffers, the bytes of their elements, how many there are, and the pattern.
    buffers: &'static [(&'static str, u64, u64, &'static str)],
    /// The uniform, and its words.
    value: Option<(&'static str, &'static [u32])>,
}

macro_rules! wgsl {
    ($file:literal) => {
        include_str!(concat!("../../", $file))
    };
}

const ONE: &str = "OneToOne";

const ALL: &[Whole] = &[
    Whole {
        wgsl: wgsl!("shaders/saxpy.wgsl"),
        entry: "saxpy",
        range: [1 << 20, 1],
        buffers: &[("x", 4, 1 << 20, ONE), ("y", 4, 1 << 20, ONE)],
        value: Some(("a", &[0])),
    },
    Whole {
        wgsl: wgsl!("shaders/mandelbrot.wgsl"),
        entry: "mandelbrot",
        range: [640, 480],
        buffers: &[("steps", 4, 640 * 480, ONE)],
        value: Some(("view", &[640, 480, 512])),
    },
    Whole {
        wgsl: wgsl!("shaders/heat.wgsl"),
        entry: "heat",
        range: [1024, 1024],
        buffers: &[
            ("old", 4, 1 << 20, "Neighborhood(1)"),
            ("next", 4, 1 << 20, ONE),
        ],
        value: Some(("plate", &[1024, 1024, 0])),
    },
    Whole {
        wgsl: wgsl!("shaders/galaxy.wgsl"),
        entry: "kick",
        range: [6000, 1],
        buffers: &[
            ("sources", 16, 6000, "All"),
            ("here", 16, 6000, ONE),
            ("velocity", 16, 6000, ONE),
        ],
        value: Some(("step", &[0, 0])),
    },
    Whole {
        wgsl: wgsl!("shaders/galaxy.wgsl"),
        entry: "drift",
        range: [6000, 1],
        buffers: &[("velocity", 16, 6000, ONE), ("position", 16, 6000, ONE)],
        value: Some(("step", &[0, 0])),
    },
    Whole {
        wgsl: wgsl!("shaders/native.wgsl"),
        entry: "medians",
        range: [1 << 20, 1],
        buffers: &[
            ("noisy", 4, 1 << 20, "Neighborhood(3)"),
            ("smoothed", 4, 1 << 20, ONE),
        ],
        value: None,
    },
    Whole {
        wgsl: wgsl!("benches/lanes/black_scholes.wgsl"),
        entry: "main",
        range: [5000, 1],
        buffers: &[
            ("s", 4, 5000, ONE),
            ("x", 4, 5000, ONE),
            ("t", 4, 5000, ONE),
            ("call", 4, 5000, ONE),
            ("put", 4, 5000, ONE),
        ],
        value: Some(("p", &[5000, 0, 0])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/gray_scott.wgsl"),
        entry: "main",
        range: [100, 80],
        buffers: &[("a", 8, 8000, "Wrapped(1)"), ("b", 8, 8000, ONE)],
        value: Some(("p", &[100, 80, 0, 0, 0, 0])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/histogram.wgsl"),
        entry: "main",
        range: [256 * 25, 1],
        buffers: &[
            ("x", 4, 100_000, "Strided(256, 4096, 0, 4096)"),
            ("bins", 4, 256, "Accumulate(Add)"),
        ],
        value: Some(("p", &[100_000])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/life.wgsl"),
        entry: "main",
        range: [64, 96],
        buffers: &[("a", 4, 64 * 96, "Wrapped(1)"), ("b", 4, 64 * 96, ONE)],
        value: Some(("p", &[64, 96])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/matmul_naive.wgsl"),
        entry: "main",
        range: [100, 100],
        buffers: &[
            ("a", 4, 10_000, ONE),
            ("b", 4, 10_000, "All"),
            ("c", 4, 10_000, ONE),
        ],
        value: Some(("p", &[100])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/matmul_tiled.wgsl"),
        entry: "main",
        range: [128, 128],
        buffers: &[
            ("a", 4, 1 << 14, ONE),
            ("b", 4, 1 << 14, "All"),
            ("c", 4, 1 << 14, ONE),
        ],
        value: Some(("p", &[128])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/monte_carlo.wgsl"),
        entry: "main",
        range: [5000, 1],
        buffers: &[("payoff", 4, 5000, ONE)],
        value: Some(("p", &[5000, 100, 0, 0])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/nbody.wgsl"),
        entry: "main",
        range: [5000, 1],
        buffers: &[("pos", 16, 5000, "All"), ("acc", 16, 5000, ONE)],
        value: Some(("p", &[5000])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/reduce.wgsl"),
        entry: "main",
        range: [256 * 25, 1],
        buffers: &[
            ("x", 4, 100_000, "Strided(256, 4096, 0, 4096)"),
            ("partial", 4, 25, "Strided(256, 1, 0, 1)"),
        ],
        value: Some(("p", &[100_000])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/saxpy.wgsl"),
        entry: "main",
        range: [10_000, 1],
        buffers: &[("x", 4, 10_000, ONE), ("y", 4, 10_000, ONE)],
        value: Some(("p", &[10_000, 0])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/scan.wgsl"),
        entry: "main",
        range: [10_000, 1],
        buffers: &[
            ("x", 4, 10_000, ONE),
            ("y", 4, 10_000, ONE),
            ("sums", 4, 40, "Strided(256, 1, 0, 1)"),
        ],
        value: Some(("p", &[10_000])),
    },
    Whole {
        wgsl: wgsl!("benches/lanes/scan_add.wgsl"),
        entry: "main",
        range: [10_000, 1],
        buffers: &[
            ("sums", 4, 40, "Strided(256, 1, -1, 0)"),
            ("y", 4, 10_000, ONE),
        ],
        value: Some(("p", &[10_000])),
    },
];

#[test]
fn the_kernels_of_examples_and_benches_are_split_with_nothing_declared() {
    let runtime = cpu();
    let mut wrong = String::new();
    for whole in ALL {
        let kernel = Kernel::from_wgsl(whole.wgsl).and_then(|kernel| kernel.entry(whole.entry));
        let kernel = kernel.expect("it is valid");
        let facts = kernel.facts().expect("it is complete");
        let range: divvy::Range = match whole.range {
            [x, 1] => x.into(),
            both => both.into(),
        };
        let mut dispatch = runtime.dispatch(&kernel, range);
        for (name, bytes, len, _) in whole.buffers {
            let len = *len as usize;
            let word = &facts.bindings[facts.find(name).expect("it is bound")]
                .layout
                .element
                .type_name;
            dispatch = match (bytes, word.contains("f32")) {
                (4, true) => {
                    dispatch.bind(name, &runtime.buffer::<f32>(len).expect("there is room"))
                }
                (4, false) => {
                    dispatch.bind(name, &runtime.buffer::<u32>(len).expect("there is room"))
                }
                (8, _) => dispatch.bind(
                    name,
                    &runtime.buffer::<[f32; 2]>(len).expect("there is room"),
                ),
                _ => dispatch.bind(
                    name,
                    &runtime.buffer::<[f32; 4]>(len).expect("there is room"),
                ),
            };
        }
        if let Some((name, words)) = whole.value
            && facts.find(name).is_ok()
        {
            dispatch = match *words {
                [a] => dispatch.value(name, [a]),
                [a, b] => dispatch.value(name, [a, b]),
                [a, b, c] => dispatch.value(name, [a, b, c]),
                [a, b, c, d] => dispatch.value(name, [a, b, c, d]),
                [a, b, c, d, e, f] => dispatch.value(name, [a, b, c, d, e, f]),
                _ => panic!("a uniform of another size"),
            };
        }
        let start = std::time::Instant::now();
        let patterns = dispatch.patterns().expect("all is bound");
        println!("{} in {:?}", whole.entry, start.elapsed());
        for (name, _, _, expected) in whole.buffers {
            let found = patterns.iter().find(|pattern| pattern.binding == *name);
            let found = found.expect("it is bound");
            if told(found.access) != *expected {
                wrong += &format!("{}: {found:?} instead of {expected}\n", &whole.wgsl[..40]);
            }
            assert!(found.access != Some(Access::All) || *expected == "All");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
