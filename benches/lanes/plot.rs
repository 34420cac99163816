//! The table of the lanes as a picture: how many times as long as Divvy each of the others took.
//!
//! Colours and greys stand out from white and from black alike, and there is no background.

use super::lanes::{Compared, Peer, Row};
use super::record::Record;
use std::fmt::Write;

const COLOURS: [&str; 6] = [
    "#d9822b", "#2f9e63", "#9b6ddf", "#3b82f6", "#d6457a", "#12a1b5",
];
const GREY: &str = "#7d8590";
/// Pixels: of the whole, of the names on the left, of a row, and of what is above and below the rows.
const WIDTH: f64 = 760.0;
const NAMES: f64 = 250.0;
const RIGHT: f64 = 20.0;
const ROW: f64 = 22.0;
const ABOVE: f64 = 50.0;
const BELOW: f64 = 40.0;

/// An SVG: a row for each workload, a dot for each of the others, at a logarithmic scale.
pub fn svg(record: &Record<Row>, peers: &[Peer]) -> String {
    let compared = Compared::new(record, peers);
    let others = &compared.others;
    let rows: Vec<(&Row, Vec<Option<f64>>)> = compared
        .rows
        .iter()
        .map(|row| {
            let ratios = others.iter().map(|other| compared.ratio(row, other));
            (row, ratios.collect())
        })
        .collect();
    let ratios = rows.iter().flat_map(|(_, ratios)| ratios).flatten();
    let (least, most) = ratios.fold((1.0_f64, 1.0_f64), |(least, most), ratio| {
        (least.min(*ratio), most.max(*ratio))
    });
    // Whole decades, and at least one.
    let first = least.log10().floor() as i32;
    let last = (most.log10().ceil() as i32).max(first + 1);
    let x = |ratio: f64| {
        let part = (ratio.log10() - f64::from(first)) / f64::from(last - first);
        NAMES + part * (WIDTH - NAMES - RIGHT)
    };
    let bottom = ABOVE + rows.len() as f64 * ROW;
    let height = bottom + BELOW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"{GREY}\">\n"
    );
    let text = |svg: &mut String, x: f64, y: f64, anchor: &str, words: &str| {
        let words = words.replace('&', "&amp;").replace('<', "&lt;");
        // Writing to a string never fails.
        _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
        );
    };
    let dot = |svg: &mut String, x: f64, y: f64, colour: &str| {
        _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>"
        );
    };
    let columns = (WIDTH - RIGHT) / others.len().max(1) as f64;
    for (i, (other, colour)) in others.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let at = RIGHT + i as f64 * columns;
        dot(&mut svg, at, 20.0, colour);
        text(&mut svg, at + 10.0, 24.5, "start", other);
    }
    for decade in first..=last {
        let (at, wide) = (x(10_f64.powi(decade)), if decade == 0 { 2 } else { 1 });
        let faint = if decade == 0 { 1.0 } else { 0.3 };
        _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {:.1}V{bottom:.1}\" stroke=\"{GREY}\" stroke-width=\"{wide}\" opacity=\"{faint}\"/>",
            ABOVE - 10.0
        );
        let name = match decade {
            0 => "1 (Divvy)".to_owned(),
            _ => 10_f64.powi(decade).to_string(),
        };
        text(&mut svg, at, bottom + 16.0, "middle", &name);
    }
    for ((row, ratios), i) in rows.iter().zip(0..) {
        let y = ABOVE + (f64::from(i) + 0.5) * ROW;
        text(&mut svg, NAMES - 12.0, y + 4.5, "end", &row.title);
        for (ratio, colour) in ratios.iter().zip(COLOURS.iter().cycle()) {
            if let Some(ratio) = ratio {
                dot(&mut svg, x(*ratio), y, colour);
            }
        }
    }
    let middle = (NAMES + WIDTH - RIGHT) / 2.0;
    text(
        &mut svg,
        middle,
        bottom + 33.0,
        "middle",
        "times as long as Divvy",
    );
    svg + "</svg>\n"
}
