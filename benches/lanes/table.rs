//! The rows of the bench `lanes`, beside what others took, and their tables.

use super::record::{Record, geometric_mean, head, line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub const LANES: &str = "lanes";
pub const GPU: &str = "software GPU";
pub const PLAIN: &str = "rayon";

/// A workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub workload: String,
    /// Its name and its size, for readers.
    pub title: String,
    /// Whether invocations share memory; what is written by hand is another algorithm then.
    pub is_shared: bool,
    /// Median seconds of a run by who does it.
    pub seconds: BTreeMap<String, f64>,
    /// Bytes that a run has to move at least, if that is what bounds it, and what the memory gave in the same minutes.
    pub bytes: Option<usize>,
    pub triad_bytes_per_second: Option<f64>,
    /// From WGSL that was never seen before to the end of a first dispatch, at a small size.
    pub first_seconds: f64,
}

/// What another runtime took for a workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Peer {
    pub peer: String,
    pub workload: String,
    pub milliseconds: f64,
}

/// The table as it is to be read: who is compared, and what each took.
pub struct Compared<'a> {
    pub rows: &'a [Row],
    peers: &'a [Peer],
    /// All but the lanes that took part, in order.
    pub others: Vec<&'a str>,
}

impl<'a> Compared<'a> {
    pub fn new(record: &'a Record<Row>, peers: &'a [Peer]) -> Self {
        let took_part = |name: &&str| {
            record
                .rows
                .iter()
                .any(|row| row.seconds.contains_key(*name))
        };
        let mut others: Vec<&str> = [GPU, PLAIN].into_iter().filter(took_part).collect();
        for one in peers {
            let is_here = record.rows.iter().any(|row| row.workload == one.workload);
            if is_here && !others.contains(&one.peer.as_str()) {
                others.push(&one.peer);
            }
        }
        Self {
            rows: &record.rows,
            peers,
            others,
        }
    }

    fn milliseconds(&self, row: &Row, name: &str) -> Option<f64> {
        let own = row.seconds.get(name).map(|seconds| seconds * 1e3);
        let is_it = |one: &&Peer| one.peer == name && one.workload == row.workload;
        let theirs = self.peers.iter().find(is_it).map(|one| one.milliseconds);
        own.or(theirs)
    }

    /// How many times as long as the lanes another took.
    pub fn ratio(&self, row: &Row, other: &str) -> Option<f64> {
        Some(self.milliseconds(row, other)? / self.milliseconds(row, LANES)?)
    }

    /// The geometric mean of these, and how many there are: all, but for what is written by hand those that are the same
    /// algorithm.
    fn mean(&self, other: &str) -> Option<(f64, usize)> {
        let is_alike = |row: &&Row| other != PLAIN || !row.is_shared;
        let rows = self.rows.iter().filter(is_alike);
        let ratios: Vec<f64> = rows.filter_map(|row| self.ratio(row, other)).collect();
        Some((geometric_mean(&ratios)?, ratios.len()))
    }
}

/// Milliseconds of everybody, how many times as long as the lanes others took, what part of the memory's speed the lanes
/// reached, and the time to a first result.
pub fn table(record: &Record<Row>, peers: &[Peer]) -> String {
    let compared = Compared::new(record, peers);
    let others = &compared.others;
    let mut heads = vec!["milliseconds".to_owned(), LANES.to_owned()];
    heads.extend(others.iter().map(|other| other.to_string()));
    heads.extend(others.iter().map(|other| format!("over {other}")));
    heads.extend(["triad, GB/s", "part of it", "first result"].map(str::to_owned));
    let mut text = record.origin() + "\n\n" + &head(&heads);
    let cell = |number: Option<f64>| number.map_or("-".to_owned(), |number| figures(number, 3));
    for row in compared.rows {
        let milliseconds = |name: &&str| compared.milliseconds(row, name);
        let triad = row.triad_bytes_per_second;
        let part = (row.bytes.zip(triad).zip(row.seconds.get(LANES)))
            .map(|((bytes, triad), seconds)| bytes as f64 / seconds / triad);
        let ratios = others.iter().map(|other| compared.ratio(row, other));
        let numbers = [LANES].iter().chain(others).map(milliseconds).chain(ratios);
        let last = [
            triad.map(|triad| triad / 1e9),
            part,
            Some(row.first_seconds * 1e3),
        ];
        let cells = numbers.chain(last).map(cell);
        text += &line(std::iter::once(row.title.clone()).chain(cells));
    }
    let mean = |other: &&str| {
        let (mean, of) = compared.mean(other)?;
        Some(format!("{} over {other} ({of} kernels)", figures(mean, 2)))
    };
    let means: Vec<_> = others.iter().filter_map(mean).collect();
    if !means.is_empty() {
        text += &format!("\nGeometric means: {}.\n", means.join(", "));
    }
    text
}

/// The rows of the table for who reads it first, by workload.
const FIRST: [&str; 6] = [
    "mandelbrot",
    "n-body",
    "matmul, naive",
    "heat",
    "black-scholes",
    "saxpy",
];

/// Some of the rows with milliseconds alone, the least in bold, and the geometric means of all.
#[allow(dead_code, reason = "the bench prints the whole table")]
pub fn summary(record: &Record<Row>, peers: &[Peer]) -> String {
    let compared = Compared::new(record, peers);
    let columns: Vec<&str> = [LANES].iter().chain(&compared.others).copied().collect();
    let heads = columns.iter().map(|name| match *name {
        LANES => "Divvy",
        PLAIN => "rayon by hand",
        other => other,
    });
    let mut text = record.origin() + "\n\n" + &head(std::iter::once("milliseconds").chain(heads));
    for name in FIRST {
        for row in record.rows.iter().filter(|row| row.workload == name) {
            let numbers = columns.iter().map(|name| compared.milliseconds(row, name));
            let numbers: Vec<_> = numbers.collect();
            let least = numbers
                .iter()
                .flatten()
                .copied()
                .fold(f64::INFINITY, f64::min);
            let cell = |number: &Option<f64>| match number {
                Some(number) if figures(*number, 2) == figures(least, 2) => {
                    format!("**{}**", figures(*number, 2))
                }
                Some(number) => figures(*number, 2),
                None => "-".to_owned(),
            };
            text += &line(
                [row.title.clone()]
                    .into_iter()
                    .chain(numbers.iter().map(cell)),
            );
        }
    }
    let mean = |name: &&str| match *name {
        LANES => "1".to_owned(),
        // By hand some are other algorithms.
        PLAIN => String::new(),
        other => compared
            .mean(other)
            .map_or(String::new(), |(mean, _)| figures(mean, 2)),
    };
    let title = format!("geometric mean of {} kernels, Divvy = 1", record.rows.len());
    text + &line([title].into_iter().chain(columns.iter().map(mean)))
}

/// With so many figures at least, all of those before the point, and no more than two behind it.
fn figures(number: f64, least: i32) -> String {
    let before = number.abs().max(f64::MIN_POSITIVE).log10().floor() as i32 + 1;
    format!("{number:.*}", (least - before).clamp(0, 2) as usize)
}
