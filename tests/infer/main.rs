//! Access patterns are proven of the kernels that they hold for, and of no others.

mod kernels;
mod mutants;
mod whole;

use divvy::device::VirtualDevice;
use divvy::device::virtual_device::Script;
use divvy::kernel::{Grounds, Strided};
use divvy::{Access, Buffer, DispatchBuilder, Error, Fault, Kernel, Policy, Runtime};
use kernels::{CASES, Case, Setup};

/// A buffer with elements of any of the types that the kernels have.
pub enum Words {
    One(Buffer<u32>),
    Signed(Buffer<i32>),
    Four(Buffer<[u32; 4]>),
}

impl Words {
    fn new(runtime: &Runtime, ty: &str, len: u64, mut value: impl FnMut() -> u32) -> Self {
        let words: Vec<u32> = (0..len * if ty.contains('4') { 4 } else { 1 })
            .map(|_| value())
            .collect();
        let made = match ty {
            "vec4<u32>" | "array<u32, 4>" => {
                let quads: Vec<[u32; 4]> = bytemuck::pod_collect_to_vec(&words);
                runtime.buffer_from(&quads).map(Words::Four)
            }
            "atomic<i32>" => runtime
                .buffer_from(bytemuck::cast_slice::<_, i32>(&words))
                .map(Words::Signed),
            _ => runtime.buffer_from(&words).map(Words::One),
        };
        made.expect("there is room")
    }

    fn read(&self, runtime: &Runtime) -> Vec<u32> {
        match self {
            Words::One(buffer) => runtime.read(buffer).expect("it is there"),
            Words::Signed(buffer) => bytemuck::cast_vec(runtime.read(buffer).expect("it is there")),
            Words::Four(buffer) => {
                let quads = runtime.read(buffer).expect("it is there");
                bytemuck::pod_collect_to_vec(&quads)
            }
        }
    }

    fn bind<'a>(&self, dispatch: DispatchBuilder<'a>, name: &str) -> DispatchBuilder<'a> {
        match self {
            Words::One(buffer) => dispatch.bind(name, buffer),
            Words::Signed(buffer) => dispatch.bind(name, buffer),
            Words::Four(buffer) => dispatch.bind(name, buffer),
        }
    }
}

fn kernel(case: &Case) -> Kernel {
    Kernel::from_wgsl(&case.wgsl()).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// A runtime of one thread of the CPU.
fn cpu() -> Runtime {
    let built = Runtime::builder()
        .devices("cpu")
        .threads(1)
        .without_profile_dir()
        .build();
    built.expect("there is a CPU")
}

fn range(setup: &Setup) -> divvy::Range {
    match setup.range {
        [x, 1, 1] => x.into(),
        [x, y, 1] => [x, y].into(),
        all => all.into(),
    }
}

/// The dispatch of a case, with whatever it binds.
fn dispatch<'a>(
    runtime: &'a Runtime,
    kernel: &Kernel,
    setup: &Setup,
    [x, y]: [&Words; 2],
) -> DispatchBuilder<'a> {
    let facts = kernel.facts().expect("it is complete");
    let mut dispatch = runtime.dispatch(kernel, range(setup));
    for binding in &facts.bindings {
        dispatch = match binding.name.as_str() {
            "x" => x.bind(dispatch, "x"),
            "y" => y.bind(dispatch, "y"),
            _ => dispatch.value("u", setup.u),
        };
    }
    dispatch
}

fn told(access: Option<Access>) -> String {
    match access {
        None => "no".to_owned(),
        Some(Access::Strided(Strided {
            units,
            stride,
            from,
            to,
        })) => {
            format!("Strided({units}, {stride}, {from}, {to})")
        }
        Some(access) => access.to_string(),
    }
}

#[test]
fn each_kernel_has_the_pattern_that_holds_for_it_or_the_line_that_is_in_the_way() {
    let runtime = cpu();
    let mut wrong = String::new();
    for case in CASES {
        let kernel = kernel(case);
        let setup = (case.setup)(1000, 48);
        let [x, y] = [(case.types[0], setup.x), (case.types[1], setup.y)]
            .map(|(ty, len)| Words::new(&runtime, ty, len, || 0));
        let patterns = dispatch(&runtime, &kernel, &setup, [&x, &y]).patterns();
        let patterns = patterns.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        for pattern in patterns {
            let (expected, mark) = match pattern.binding.as_str() {
                "x" => (case.x, "// read"),
                _ => (case.y, "// here"),
            };
            let found = told(pattern.access);
            let mut note = String::new();
            if found != expected {
                note = format!("is {found}, not {expected}: {:?}", pattern.grounds);
            }
            if let (Grounds::Unproven(obstacle), Some(line)) = (&pattern.grounds, case.marked(mark))
                && line != obstacle.line
            {
                note = format!("names line {}, not {line}: {obstacle}", obstacle.line);
            }
            if matches!(pattern.grounds, Grounds::Unproven(_)) != (found == "no" || found == "All")
            {
                note = format!("is {found}, by {:?}", pattern.grounds);
            }
            if !note.is_empty() {
                wrong += &format!("{}: `{}` {note}\n", case.name, pattern.binding);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn there_are_enough_kernels() {
    assert!(CASES.len() >= 60, "{}", CASES.len());
}

struct Random(u64);

impl Random {
    /// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled").
    fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + u64::from(self.word()) % (high - low)
    }

    /// Numbers for a case: of all sizes, and often around those of workgroups.
    fn numbers(&mut self) -> (u64, u64) {
        let n = match self.word() % 4 {
            0 => self.between(1, 9),
            1 => 64 * self.between(1, 9) + self.between(0, 3) - 1,
            2 => self.between(1, 300),
            _ => self.between(300, 3000),
        };
        (n, self.between(1, 70))
    }

    /// Buffers of a case, with numbers small and large.
    fn buffers(&mut self, runtime: &Runtime, case: &Case, setup: &Setup) -> [Words; 2] {
        let lens = [setup.x, setup.y];
        [0, 1].map(|i| {
            Words::new(runtime, case.types[i], lens[i], || match self.word() % 3 {
                0 => self.word(),
                1 => self.word() % 1000,
                _ => self.word() % 16,
            })
        })
    }
}

/// How many sizes and values each kernel is run with: `DIVVY_INFER_ROUNDS`.
fn rounds() -> u64 {
    let number = std::env::var("DIVVY_INFER_ROUNDS").ok();
    number.and_then(|text| text.parse().ok()).unwrap_or(4)
}

#[test]
fn checked_mode_finds_no_access_outside_of_a_pattern_that_was_proven() {
    let runtime = Runtime::builder().checked(true).build();
    let runtime = runtime.expect("there is a CPU");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for case in CASES {
        let kernel = kernel(case);
        for _ in 0..rounds() {
            let (n, m) = random.numbers();
            let setup = (case.setup)(n, m);
            let buffers = random.buffers(&runtime, case, &setup);
            let dispatch = dispatch(&runtime, &kernel, &setup, [&buffers[0], &buffers[1]]);
            let patterns = dispatch.patterns().expect("all is bound");
            let Err(error) = dispatch.run() else { continue };
            let Error::Checked(findings) = &error else {
                panic!("{}: {error}", case.name);
            };
            for finding in &findings.found {
                let is_outside = matches!(
                    finding.fault,
                    Fault::OutsidePattern { .. } | Fault::NotAccumulated { .. }
                );
                assert!(
                    !is_outside,
                    "{} for {n} and {m}: {finding}\n{patterns:?}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn what_is_proven_gives_the_same_bytes_however_it_is_split() {
    let mut random = Random(0x0123_4567_89ab_cdef);
    let whole = cpu();
    let (mut proven, mut parts) = (0, 0);
    for case in CASES {
        let kernel = kernel(case);
        for _ in 0..rounds() {
            let (n, m) = random.numbers();
            let setup = (case.setup)(n, m);
            let count = random.between(1, 5);
            let shares: Vec<f64> = (0..=count)
                .map(|_| f64::from(random.word() % 100) + 0.5)
                .collect();
            let mut builder = Runtime::builder()
                .devices("cpu")
                .threads(1)
                .split(Policy::Fixed(shares.clone()))
                .without_profile_dir();
            for i in 0..count {
                builder = builder.device(VirtualDevice::new(
                    &format!("virtual{i}"),
                    Script::default(),
                ));
            }
            let split = builder.build().expect("the devices are there");
            let seed = random.0;
            let mut results = Vec::new();
            for runtime in [&whole, &split] {
                random.0 = seed;
                let buffers = random.buffers(runtime, case, &setup);
                let with = || dispatch(runtime, &kernel, &setup, [&buffers[0], &buffers[1]]);
                let patterns = with().patterns().expect("all is bound");
                if patterns.iter().any(|pattern| pattern.access.is_none()) {
                    break;
                }
                // Twice, so that the second finds what the first left where it was computed.
                let mut last = with().run().expect("it runs");
                if case.y != "no" {
                    last = with().run().expect("it runs");
                }
                parts += last
                    .devices
                    .iter()
                    .filter(|device| device.chunks > 0)
                    .count();
                results.push((buffers[1].read(runtime), patterns, last));
            }
            if let [(right, ..), (found, patterns, report)] = results.as_slice() {
                proven += 1;
                assert_eq!(
                    found, right,
                    "{} for {n} and {m}, split by {shares:?}\n{patterns:?}\n{report}",
                    case.name
                );
            }
        }
    }
    assert!(
        proven > 100 && parts > 2 * proven,
        "only {proven} were proven, in {parts} parts"
    );
}
