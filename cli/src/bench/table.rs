//! The rows of a benchmark as a table for the terminal.

use super::measure::Row;
use crate::report::seconds;
use std::fmt::Write;

/// The table of some rows of the same devices.
pub(super) fn table(rows: &[Row]) -> String {
    let mut lines = vec![heads(rows)];
    lines.extend(rows.iter().map(cells));
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let gap = if i == 0 { "" } else { "  " };
            // Names to the left, numbers to the right.
            _ = match i {
                0 | 1 => write!(text, "{gap}{cell:<width$}"),
                _ => write!(text, "{gap}{cell:>width$}"),
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for row in rows {
        for note in &row.notes {
            _ = writeln!(text, "{} over {}: {note}", row.kernel, row.range);
        }
    }
    text
}

/// What the columns hold.
pub(super) fn heads(rows: &[Row]) -> Vec<String> {
    let devices = rows.iter().take(1).flat_map(|row| &row.alone);
    let mut heads = vec!["kernel".to_owned(), "range".to_owned()];
    heads.extend(devices.map(|alone| format!("{} alone", short(&alone.device))));
    let rest = [
        "together",
        "shares",
        "best split",
        "speedup",
        "possible",
        "efficiency",
    ];
    heads.extend(rest.map(str::to_owned));
    heads
}

/// The part of a device's name before what is in brackets.
pub(super) fn short(device: &str) -> &str {
    device.split(" (").next().unwrap_or(device)
}

fn percent(share: f64) -> String {
    format!("{:.0}", share * 100.0)
}

/// What they hold for a row.
pub(super) fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.kernel.clone(), row.range.clone()];
    let none = || "-".to_owned();
    cells.extend(
        row.alone
            .iter()
            .map(|alone| alone.seconds.map_or_else(none, seconds)),
    );
    cells.push(seconds(row.together.seconds));
    let shares: Vec<_> = row.together.shares.iter().copied().map(percent).collect();
    cells.push(format!("{} %", shares.join("/")));
    let best = row
        .sweep
        .iter()
        .min_by(|one, other| one.seconds.total_cmp(&other.seconds));
    cells.push(best.map_or_else(none, |best| {
        format!("{} at {} %", seconds(best.seconds), percent(best.share))
    }));
    for number in [row.speedup, row.most_speedup, row.efficiency] {
        cells.push(format!("{number:.2}"));
    }
    cells
}
