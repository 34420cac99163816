//! Bars in rows, a name above each: times of devices, speedups, timelines.
//!
//! Invariant: as in `plot`; a name that has no room is cut, and whole in the row's title.

use super::page::escaped;
use super::plot::{COLOURS, RIGHT, TOP, WIDTH, count_tick, seconds_tick};
use super::scale::Scale;
use std::fmt::Write;

const LEFT: f64 = 8.0;
const BOTTOM: f64 = 42.0;
/// A row with the name above its bars.
const ROW: f64 = 36.0;
const NAME: f64 = 15.0;
/// How many letters of a name have room.
const LETTERS: usize = 52;
/// Room above the first row for what bands are called.
const BAND: f64 = 14.0;

/// What a bar is as long as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Times,
}

/// Bars of one row.
pub(super) struct Track {
    pub(super) name: String,
    pub(super) bars: Vec<Bar>,
    /// A place that is marked with a line across the row, and what it is.
    pub(super) mark: Option<(f64, String)>,
}

/// A bar: which colour, from where and how long, and what it is.
pub(super) struct Bar {
    pub(super) colour: usize,
    pub(super) start: f64,
    pub(super) length: f64,
    pub(super) what: String,
}

/// A stretch of the axis that is shaded in every row.
pub(super) struct Band {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) name: String,
}

/// Rows of bars over one axis from zero on.
pub(super) fn tracks(
    title: &str,
    label: &str,
    unit: Unit,
    tracks: &[Track],
    bands: &[Band],
) -> String {
    let ends = tracks.iter().flat_map(|track| {
        let bars = track.bars.iter().map(|bar| bar.start + bar.length);
        bars.chain(track.mark.as_ref().map(|(at, _)| *at))
    });
    let scale = Scale::from_zero(ends);
    let across = |number: f64| LEFT + scale.place(number) * (WIDTH - LEFT - RIGHT);
    let top = TOP + if bands.is_empty() { 0.0 } else { BAND };
    let bottom = top + ROW * tracks.len() as f64;
    let height = bottom + BOTTOM;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n",
        escaped(title)
    );
    for band in bands {
        let (from, to) = (across(band.from), across(band.to));
        _ = writeln!(
            svg,
            "<rect class=\"band\" x=\"{from:.2}\" y=\"{top:.1}\" width=\"{:.2}\" height=\"{:.1}\"/>\
             <text x=\"{:.2}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            (to - from).max(0.7),
            bottom - top,
            f64::midpoint(from, to),
            top - 5.0,
            escaped(&band.name)
        );
    }
    for tick in scale.ticks() {
        let at = across(tick);
        let text = match unit {
            Unit::Seconds => seconds_tick(tick),
            Unit::Times => times_tick(tick),
        };
        _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{top:.1}\" x2=\"{at:.1}\" y2=\"{bottom:.1}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            bottom + 15.0
        );
    }
    _ = writeln!(
        svg,
        "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        height - 8.0,
        escaped(label)
    );
    for (i, track) in tracks.iter().enumerate() {
        let (start, middle) = (top + ROW * i as f64, top + ROW * i as f64 + NAME);
        let mut name: String = track.name.chars().take(LETTERS).collect();
        if name.len() < track.name.len() {
            name.push('…');
        }
        _ = writeln!(
            svg,
            "<text class=\"label name\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>",
            start + 11.0,
            escaped(&name)
        );
        for bar in &track.bars {
            let (from, to) = (across(bar.start), across(bar.start + bar.length));
            // What is too short to be seen is drawn all the same.
            let wide = (to - from).max(0.7);
            _ = writeln!(
                svg,
                "<rect class=\"f{}\" x=\"{from:.2}\" y=\"{middle:.1}\" width=\"{wide:.2}\" height=\"{:.1}\"><title>{}</title></rect>",
                bar.colour % COLOURS,
                ROW - NAME - 5.0,
                escaped(&bar.what)
            );
        }
        if let Some((at, what)) = &track.mark {
            let at = across(*at);
            _ = writeln!(
                svg,
                "<line class=\"mark\" x1=\"{at:.2}\" y1=\"{:.1}\" x2=\"{at:.2}\" y2=\"{:.1}\"><title>{}</title></line>",
                middle - 2.0,
                start + ROW - 3.0,
                escaped(what)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn times_tick(number: f64) -> String {
    if number >= 1000.0 {
        return count_tick(number);
    }
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_has_no_room_is_cut_and_marks_stay_text() {
        let track = |name: &str| Track {
            name: name.to_owned(),
            bars: Vec::new(),
            mark: None,
        };
        let long = "<".repeat(LETTERS + 1);
        let svg = tracks("", "", Unit::Times, &[track(&long), track("cpu")], &[]);
        assert!(svg.contains(&format!("{}…<", "&lt;".repeat(LETTERS))));
        assert!(svg.contains(">cpu<"));
    }
}
