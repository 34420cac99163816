//! The rows of each machine as markdown, and their geometric means.

use super::record::{Record, geometric_mean, head, line};
use super::row::{Mode, Row};

/// Less than this can be won is too little to say how well it was won.
const WORTH_SPLITTING: f64 = 1.2;
/// Scripted devices that were later than this say little.
const LATE: f64 = 0.02;

const HEADS: [&str; 18] = [
    "workload",
    "mode",
    "n",
    "best alone",
    "ms",
    "split, ms",
    "speedup",
    "S_max",
    "efficiency",
    "settled",
    "balance",
    "regret",
    "over model",
    "best fixed",
    "shares",
    "whole",
    "overhead",
    "moved",
];

const SUMMARY: [&str; 12] = [
    "machine",
    "mode",
    "workloads",
    "speedup",
    "S_max",
    "efficiency",
    "the least",
    "settled",
    "balance",
    "regret",
    "the most",
    "over model",
];

/// A row for each machine and mode.
#[allow(dead_code, reason = "the bench prints every row")]
pub fn summary(record: &Record<Row>) -> String {
    let mut text = format!("{}\n\n{}", record.origin(), head(SUMMARY));
    for rows in record.rows.chunk_by(|a, b| a.machine == b.machine) {
        for mode in Mode::ALL {
            let means = Means::of(rows, mode);
            if means.0.is_empty() {
                continue;
            }
            let least = means
                .all(&|row| Some(row.efficiency()))
                .fold(f64::INFINITY, f64::min);
            let most = means.all(&Row::regret).fold(0.0, f64::max);
            text += &line([
                rows[0].machine.clone(),
                mode.name().to_owned(),
                means.0.len().to_string(),
                means.of_all(&|row| Some(row.speedup())),
                means.of_all(&|row| Some(row.s_max())),
                means.of_all(&|row| Some(row.efficiency())),
                format!("{least:.2}"),
                means.of_all(&Row::settled_efficiency),
                means.of_all(&|row| row.balance),
                means.of_all(&Row::regret),
                format!("{most:.2}"),
                means.of_all(&Row::over_model),
            ]);
        }
    }
    text
}

/// The rows of a mode that are worth splitting.
struct Means<'a>(Vec<&'a Row>);

impl<'a> Means<'a> {
    fn of(rows: &'a [Row], mode: Mode) -> Self {
        let rows = rows.iter().filter(|row| row.mode == mode);
        Self(rows.filter(|row| row.s_max() >= WORTH_SPLITTING).collect())
    }

    fn all(&self, number: &dyn Fn(&Row) -> Option<f64>) -> impl Iterator<Item = f64> {
        self.0.iter().filter_map(|row| number(row))
    }

    /// The geometric mean.
    fn of_all(&self, number: &dyn Fn(&Row) -> Option<f64>) -> String {
        ratio(geometric_mean(&self.all(number).collect::<Vec<_>>()))
    }
}

/// The table of one machine, which has rows.
#[allow(dead_code, reason = "for people who run the bench")]
pub fn of_machine(rows: &[Row]) -> String {
    let mut text = format!("\n### {}\n\n{}", rows[0].machine, head(HEADS));
    for row in rows {
        let best = row.best_single();
        let mark = if row.late > LATE { " (late)" } else { "" };
        let own: Vec<_> = row.devices.iter().map(|device| device.share).collect();
        let fixed = row.best_fixed().map(|fixed| shares(&fixed.shares));
        let overhead = row.overhead.map(|part| format!("{:.1} %", part * 100.0));
        let none = || "-".to_owned();
        text += &line([
            format!("{}{mark}", row.workload),
            row.mode.name().to_owned(),
            row.iterations.to_string(),
            short(&best.device).to_owned(),
            format!("{:.2}", row.best_single_seconds * 1e3),
            format!("{:.2}", row.split_seconds * 1e3),
            format!("{:.2}", row.speedup()),
            format!("{:.2}", row.s_max()),
            format!("{:.2}", row.efficiency()),
            ratio(row.settled_efficiency()),
            ratio(row.balance),
            ratio(row.regret()),
            ratio(row.over_model()),
            fixed.unwrap_or_else(none),
            shares(&own),
            row.whole_iterations.to_string(),
            overhead.unwrap_or_else(none),
            bytes(row.bytes_moved),
        ]);
    }
    text.push('\n');
    for mode in Mode::ALL {
        let means = Means::of(rows, mode);
        text += &format!(
            "- {}, {} workloads with S_max of {WORTH_SPLITTING} at least: speedup {}, S_max {}, efficiency {}, settled {}, \
             balance {}, regret {}, over model {}\n",
            mode.name(),
            means.0.len(),
            means.of_all(&|row| Some(row.speedup())),
            means.of_all(&|row| Some(row.s_max())),
            means.of_all(&|row| Some(row.efficiency())),
            means.of_all(&Row::settled_efficiency),
            means.of_all(&|row| row.balance),
            means.of_all(&Row::regret),
            means.of_all(&Row::over_model),
        );
    }
    text
}

/// The first word of a device's name.
fn short(device: &str) -> &str {
    device.split_whitespace().next().unwrap_or(device)
}

fn ratio(number: Option<f64>) -> String {
    number.map_or("-".to_owned(), |number| format!("{number:.2}"))
}

/// In hundredths.
fn shares(shares: &[f64]) -> String {
    let sum: f64 = shares.iter().sum();
    let hundredths = shares
        .iter()
        .map(|share| format!("{:.0}", share / sum * 100.0));
    hundredths.collect::<Vec<_>>().join(":")
}

fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        bytes if bytes >= 1e3 => format!("{:.1} kB", bytes / 1e3),
        bytes => format!("{bytes} B"),
    }
}
