//! What became of a dispatch, for people and for programs.

use crate::numbers::median;
use divvy::Report;
use serde::Serialize;

#[derive(Serialize)]
struct Told<'a> {
    entry: &'a str,
    range: &'a str,
    /// Wall time of each run, as the caller sees it.
    wall_seconds: &'a [f64],
    median_wall_seconds: f64,
    /// Of the last run, from its first command to the end of its last.
    seconds: f64,
    devices: Vec<Device<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Device<'a> {
    name: &'a str,
    share: f64,
    chunks: usize,
    invocations: u64,
    seconds: f64,
    bytes_to_device: u64,
    bytes_from_device: u64,
    copy_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a str>,
}

#[derive(Serialize)]
struct Comparison {
    speedup: f64,
    most_speedup: f64,
    efficiency: f64,
}

/// Seconds with a unit that suits them.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        long if long >= 1.0 => format!("{long:.2} s"),
        middle if middle >= 1e-3 => format!("{:.2} ms", middle * 1e3),
        short => format!("{:.1} us", short * 1e6),
    }
}

/// A number with a decimal prefix, to be followed by its unit.
pub(crate) fn scaled(number: f64) -> String {
    for (scale, prefix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if number >= scale {
            return format!("{:.2} {prefix}", number / scale);
        }
    }
    format!("{number:.0} ")
}

pub(crate) fn text(report: &Report, wall: &[f64]) -> String {
    let mut text = report.to_string();
    if wall.len() > 1 {
        let least = wall.iter().copied().fold(f64::INFINITY, f64::min);
        text += &format!(
            "  {} runs: median {}, fastest {}; the lines above are of the last\n",
            wall.len(),
            seconds(median(wall)),
            seconds(least)
        );
    }
    text
}

pub(crate) fn json(report: &Report, wall: &[f64]) -> String {
    let devices = report.devices.iter().map(|device| Device {
        name: &device.device,
        share: device.share,
        chunks: device.chunks,
        invocations: device.invocations,
        seconds: device.seconds,
        bytes_to_device: device.bytes_to_device,
        bytes_from_device: device.bytes_from_device,
        copy_seconds: device.copy_seconds,
        left_out: device.left_out.as_deref(),
    });
    let told = Told {
        entry: &report.entry,
        range: &report.range,
        wall_seconds: wall,
        median_wall_seconds: median(wall),
        seconds: report.seconds,
        devices: devices.collect(),
        comparison: report.comparison.map(|comparison| Comparison {
            speedup: comparison.speedup,
            most_speedup: comparison.s_max,
            efficiency: comparison.efficiency(),
        }),
        notes: &report.notes,
    };
    pretty(&told)
}

/// JSON with a line's end. What these programs tell has nothing in it that JSON can't.
pub(crate) fn pretty(told: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(told).unwrap_or_default();
    text.push('\n');
    text
}
