//! Machines as scripts: what each device is like, and what becomes of it.
//!
//! Data and arithmetic on it; what the devices are given to do is the queue's decision.
//!
//! Invariant: two devices with the same script, seed and tasks take the same time.

use crate::device::{DeviceInfo, DeviceKind, Home};

/// A processor that follows a script.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
    /// Its name, which its samples in a profile go by.
    pub name: String,
    /// Where it computes: the host's memory, or one of its own that is copied to and from.
    pub home: Home,
    /// Invocations of average cost that it runs in a second.
    pub items_per_second: f64,
    /// Seconds around each run.
    pub overhead_seconds: f64,
    /// Seconds that the first run of a kernel takes besides: compilation, pages touched for the first time.
    pub first_seconds: f64,
    /// Bytes a second to its memory and from it.
    pub bytes_per_second: f64,
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// How much what a run takes varies: the standard deviation of its logarithm.
    pub noise: f64,
    /// From when on, in seconds, it runs at which multiple of its speed; in order of time.
    pub changes: Vec<(f64, f64)>,
    /// When it is lost, in seconds.
    pub lost_at: Option<f64>,
}

impl Processor {
    /// The cores of a machine, which compute in the host's memory and start within 10 us.
    #[must_use]
    pub fn cpu(name: &str, items_per_second: f64) -> Self {
        Self {
            name: name.to_owned(),
            home: Home::Host,
            items_per_second,
            overhead_seconds: 10e-6,
            first_seconds: 0.0,
            bytes_per_second: 10e9,
            memory_bytes: u64::MAX,
            noise: 0.0,
            changes: Vec::new(),
            lost_at: None,
        }
    }

    /// A GPU with a memory of its own behind a bus of 10 GB/s; a run costs it 50 us.
    #[must_use]
    pub fn gpu(name: &str, items_per_second: f64) -> Self {
        Self {
            home: Home::Own,
            overhead_seconds: 50e-6,
            ..Self::cpu(name, items_per_second)
        }
    }

    /// The multiple of its speed at which it runs at a time.
    #[must_use]
    pub fn speed_at(&self, seconds: f64) -> f64 {
        let since = self.changes.iter().rev().find(|(at, _)| *at <= seconds);
        since.map_or(1.0, |(_, speed)| *speed)
    }

    /// Seconds that work takes from a time on, if it takes so many at full speed.
    pub(super) fn takes(&self, start: f64, full_speed_seconds: f64) -> f64 {
        let (mut at, mut left) = (start, full_speed_seconds);
        for (change, _) in self.changes.iter().filter(|(change, _)| *change > start) {
            let speed = self.speed_at(at);
            let done = (change - at) * speed;
            if done >= left {
                break;
            }
            left -= done;
            at = *change;
        }
        at + left / self.speed_at(at) - start
    }

    /// What its samples in a profile go by.
    #[must_use]
    pub fn key(&self) -> String {
        self.info().key()
    }

    pub(super) fn info(&self) -> DeviceInfo {
        DeviceInfo {
            name: self.name.clone(),
            kind: DeviceKind::Virtual,
            detail: "simulated".to_owned(),
            home: self.home,
            most_binding_bytes: u64::MAX,
        }
    }
}

/// Processors, and the seed of what varies.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// In the order in which a range is shared.
    pub processors: Vec<Processor>,
    /// What the noise is drawn from.
    pub seed: u64,
}

impl Machine {
    /// Of these processors, with a seed of zero.
    #[must_use]
    pub fn new(processors: impl IntoIterator<Item = Processor>) -> Self {
        Self {
            processors: processors.into_iter().collect(),
            seed: 0,
        }
    }

    /// So many devices whose speeds lie anywhere between the slowest and so many powers of ten above it: a CPU first,
    /// then GPUs.
    #[must_use]
    pub fn random(devices: usize, slowest: f64, powers_of_ten: f64, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let processor = |i: usize| {
            let speed = slowest * 10_f64.powf(powers_of_ten * random.uniform());
            match i {
                0 => Processor::cpu("cpu", speed),
                i => Processor::gpu(&format!("gpu{}", i - 1), speed),
            }
        };
        Self {
            processors: (0..devices).map(processor).collect(),
            seed,
        }
    }

    /// The same machine with this much noise on every device.
    #[must_use]
    pub fn with_noise(mut self, noise: f64, seed: u64) -> Self {
        self.processors
            .iter_mut()
            .for_each(|processor| processor.noise = noise);
        self.seed = seed;
        self
    }
}

/// Numbers that look random: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between 0 and 1.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A factor whose logarithm is normal with this standard deviation.
    pub(super) fn factor(&mut self, deviation: f64) -> f64 {
        if deviation == 0.0 {
            return 1.0;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.uniform()).cos();
        (deviation * normal).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_spans_a_change_of_speed_takes_both_speeds() {
        let processor = Processor {
            changes: vec![(10.0, 0.5), (20.0, 2.0)],
            ..Processor::cpu("cpu", 1.0)
        };
        assert_eq!(processor.takes(0.0, 5.0), 5.0);
        assert_eq!(processor.takes(8.0, 4.0), 2.0 + 4.0);
        assert_eq!(processor.takes(8.0, 11.0), 2.0 + 10.0 + 2.0);
        assert_eq!(processor.takes(30.0, 2.0), 1.0);
    }

    #[test]
    fn noise_is_around_one_and_the_same_for_a_seed() {
        let draw = || {
            let mut random = Random::new(7);
            (0..10_000).map(move |_| random.factor(0.1))
        };
        let mean = draw().map(f64::ln).sum::<f64>() / 1e4;
        let square = draw().map(|factor| factor.ln().powi(2)).sum::<f64>() / 1e4;
        assert!(mean.abs() < 0.005, "{mean}");
        assert!((square.sqrt() - 0.1).abs() < 0.005, "{square}");
        assert!(draw().eq(draw()));
    }
}
