//! What was measured of a workload on a machine in a mode, and the field's numbers for it.
//!
//! Arithmetic only; medians are taken before.

use divvy::Report;
use serde::{Deserialize, Serialize};

/// How a workload is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Once, by a runtime that has never run the kernels.
    Cold,
    /// Once, by a runtime that finds their rates in its profile.
    Warm,
    /// Many times, beginning cold.
    Repeated,
}

impl Mode {
    pub const ALL: [Mode; 3] = [Mode::Cold, Mode::Warm, Mode::Repeated];

    pub fn name(self) -> &'static str {
        match self {
            Mode::Cold => "cold",
            Mode::Warm => "warm",
            Mode::Repeated => "repeated",
        }
    }
}

/// A device alone, and its part of the split.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Alone {
    pub device: String,
    /// Seconds of an iteration, this device alone through this runtime.
    pub seconds: f64,
    /// The same while all others do the same, where they get into each other's way.
    pub busy_seconds: Option<f64>,
    /// Its share of the longest dispatch of the last iteration.
    pub share: f64,
}

/// Seconds of an iteration with fixed shares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fixed {
    pub shares: Vec<f64>,
    pub seconds: f64,
}

/// A row of the table. Seconds are those of an iteration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub machine: String,
    pub workload: String,
    pub mode: Mode,
    /// Units of the slowest dimension, and iterations that were run.
    pub extent: usize,
    pub iterations: usize,
    pub devices: Vec<Alone>,
    /// All iterations from the first to the answer, by their number.
    pub split_seconds: f64,
    /// The best device alone, counted as the split is.
    pub best_single_seconds: f64,
    /// Once nothing is learned any more: the split, and the best device alone.
    pub settled_seconds: Option<[f64; 2]>,
    /// The least over the most seconds that devices were busy, where more than one was.
    pub balance: Option<f64>,
    /// Iterations that one device ran whole.
    pub whole_iterations: usize,
    pub bytes_moved: u64,
    /// The fixed shares that were run again, in turn with the split.
    pub fixed: Vec<Fixed>,
    /// The split in that comparison.
    pub beside_fixed_seconds: f64,
    /// All that were tried, in order.
    pub sweep: Vec<Fixed>,
    /// What no split of scripted devices falls below.
    pub model_seconds: Option<f64>,
    /// What a device alone takes more than by its script, or than a GPU that is driven by hand; a part of that.
    pub overhead: Option<f64>,
    /// The part of their time that scripted devices took longer than by their scripts.
    pub late: f64,
    /// The report of the longest dispatch of the last iteration.
    pub report: String,
}

impl Row {
    pub fn best_single(&self) -> &Alone {
        self.devices
            .iter()
            .min_by(|a, b| a.seconds.total_cmp(&b.seconds))
            .expect("a machine has devices")
    }

    pub fn speedup(&self) -> f64 {
        self.best_single_seconds / self.split_seconds
    }

    pub fn settled_speedup(&self) -> Option<f64> {
        self.settled_seconds.map(|[split, single]| single / split)
    }

    /// The sum of the devices' rates over the largest: with all of them busy where that was measured.
    pub fn s_max(&self) -> f64 {
        let best = self.best_single().seconds;
        let rate = |alone: &Alone| alone.busy_seconds.unwrap_or(alone.seconds).recip();
        // What gets into each other's way can be worth less than one alone, which is the best split then.
        (best * self.devices.iter().map(rate).sum::<f64>()).max(1.0)
    }

    pub fn efficiency(&self) -> f64 {
        self.speedup() / self.s_max()
    }

    pub fn settled_efficiency(&self) -> Option<f64> {
        self.settled_speedup().map(|speedup| speedup / self.s_max())
    }

    pub fn best_fixed(&self) -> Option<&Fixed> {
        let fixed = self.fixed.iter();
        fixed.min_by(|a, b| a.seconds.total_cmp(&b.seconds))
    }

    /// What the split takes over what the best fixed shares take.
    pub fn regret(&self) -> Option<f64> {
        Some(self.beside_fixed_seconds / self.best_fixed()?.seconds)
    }

    /// What the split takes over what the model says that knows the scripts.
    pub fn over_model(&self) -> Option<f64> {
        Some(self.beside_fixed_seconds / self.model_seconds?)
    }
}

/// What the reports of an iteration say, put together.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub balance: Option<f64>,
    pub is_whole: bool,
    pub bytes_moved: u64,
    pub shares: Vec<f64>,
    pub report: String,
}

impl Summary {
    /// Of the dispatches of an iteration.
    pub fn of(reports: &[Report]) -> Self {
        let devices = |report: &Report| report.devices.iter().filter(|one| one.chunks > 0).count();
        let (mut balanced, mut weights) = (0.0, 0.0);
        for report in reports.iter().filter(|report| devices(report) > 1) {
            balanced += report.balance() * report.seconds;
            weights += report.seconds;
        }
        let longest = reports
            .iter()
            .max_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let shares = longest.iter().flat_map(|report| &report.devices);
        Self {
            balance: (weights > 0.0).then(|| balanced / weights),
            is_whole: weights == 0.0,
            bytes_moved: reports.iter().map(Report::bytes_moved).sum(),
            shares: shares.map(|device| device.share).collect(),
            report: longest.map(Report::to_string).unwrap_or_default(),
        }
    }
}

/// The middle one, or nothing of nothing.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
