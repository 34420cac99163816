//! Plots as SVG that stands in a page: colours and letters are those of the page's style.
//!
//! A frame with axes, and what is drawn into it; which numbers are worth drawing is the page's affair.
//!
//! Invariant: everything drawn lies within the picture, whatever the numbers.

use super::page::escaped;
use super::scale::Scale;
use crate::report::scaled;
use std::fmt::Write;

/// The picture's size. It is as wide as the narrowest window, so that letters stay readable there.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// The height of a device's row in a timeline.
const ROW: f64 = 34.0;

/// An axis: its scale, its label and how its ticks are written.
struct Axis {
    scale: Scale,
    label: String,
    tick: fn(f64) -> String,
}

/// Some points that belong together.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

fn across(axis: &Axis, number: f64) -> f64 {
    LEFT + axis.scale.place(number) * (WIDTH - LEFT - RIGHT)
}

fn up(axis: &Axis, number: f64) -> f64 {
    HEIGHT - BOTTOM - axis.scale.place(number) * (HEIGHT - TOP - BOTTOM)
}

fn count_tick(number: f64) -> String {
    let text = scaled(number);
    text.replace(".00", "").trim_end().to_owned()
}

fn seconds_tick(number: f64) -> String {
    let (scaled, unit) = match number {
        0.0 => return "0".to_owned(),
        long if long >= 0.9995 => (long, "s"),
        middle if middle >= 0.9995e-3 => (middle * 1e3, "ms"),
        short => (short * 1e6, "us"),
    };
    let text = format!("{scaled:.2}");
    format!(
        "{} {unit}",
        text.trim_end_matches('0').trim_end_matches('.')
    )
}

fn percent_tick(number: f64) -> String {
    format!("{number:.0}")
}

/// The picture's head and its axes.
fn framed(title: &str, x: &Axis, y: Option<&Axis>, height: f64) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n",
        escaped(title)
    );
    let (bottom, right) = (height - BOTTOM, WIDTH - RIGHT);
    for tick in x.scale.ticks() {
        let at = across(x, tick);
        _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 14.0,
            (x.tick)(tick)
        );
    }
    _ = writeln!(
        svg,
        "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(LEFT, right),
        height - 8.0,
        escaped(&x.label)
    );
    if let Some(y) = y {
        for tick in y.scale.ticks() {
            let at = up(y, tick);
            _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 5.0,
                at + 3.5,
                (y.tick)(tick)
            );
        }
        let middle = f64::midpoint(TOP, bottom);
        _ = writeln!(
            svg,
            "<text class=\"label\" transform=\"translate(11 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escaped(&y.label)
        );
    }
    svg
}

/// A picture's end, with the colours of what is in it and what they stand for: as text of the page, where it may take several
/// lines.
fn with_key(mut svg: String, key: &[(usize, &str)]) -> String {
    svg.push_str("</svg>\n<p class=\"key\">");
    for (colour, name) in key {
        _ = write!(
            svg,
            "<span><i class=\"b{}\"></i>{}</span> ",
            colour % COLOURS,
            escaped(name)
        );
    }
    svg.push_str("</p>\n");
    svg
}

/// How many colours the style has.
pub(super) const COLOURS: usize = 6;
/// That of all devices together, wherever they are shown; those of devices alone follow it.
pub(super) const TOGETHER: usize = 0;
const FIXED: usize = 5;

/// Time over size, both in decades.
pub(super) fn times(title: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| series.points.iter());
    let x = Axis {
        scale: Scale::decades(points().map(|(x, _)| *x)),
        label: "invocations".to_owned(),
        tick: count_tick,
    };
    let y = Axis {
        scale: Scale::decades(points().map(|(_, y)| *y)),
        label: "time".to_owned(),
        tick: seconds_tick,
    };
    let mut svg = framed(title, &x, Some(&y), HEIGHT);
    for (i, series) in series.iter().enumerate() {
        let places: Vec<_> = series
            .points
            .iter()
            .map(|(at, time)| (across(&x, *at), up(&y, *time)))
            .collect();
        line(&mut svg, i, &places);
        for (at, time) in places {
            _ = writeln!(
                svg,
                "<circle class=\"f{}\" cx=\"{at:.1}\" cy=\"{time:.1}\" r=\"3\"/>",
                i % COLOURS
            );
        }
    }
    let key: Vec<_> = series
        .iter()
        .enumerate()
        .map(|(i, series)| (i, series.name.as_str()))
        .collect();
    with_key(svg, &key)
}

fn line(svg: &mut String, colour: usize, places: &[(f64, f64)]) {
    let places: Vec<_> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    _ = writeln!(
        svg,
        "<polyline class=\"l{}\" points=\"{}\"/>",
        colour % COLOURS,
        places.join(" ")
    );
}

/// Time over the first device's share in percent, and where measurement has put it.
pub(super) fn sweep(title: &str, first: &str, points: &[(f64, f64)], chosen: (f64, f64)) -> String {
    let all = points.iter().chain([&chosen]);
    let x = Axis {
        scale: Scale::Linear {
            from: 0.0,
            to: 100.0,
        },
        label: format!("share of {first} in percent"),
        tick: percent_tick,
    };
    let y = Axis {
        scale: Scale::from_zero(all.map(|(_, time)| *time)),
        label: "time".to_owned(),
        tick: seconds_tick,
    };
    let mut svg = framed(title, &x, Some(&y), HEIGHT);
    let place = |(share, time): (f64, f64)| (across(&x, share), up(&y, time));
    let places: Vec<_> = points.iter().copied().map(place).collect();
    line(&mut svg, FIXED, &places);
    for (at, time) in places {
        _ = writeln!(
            svg,
            "<circle class=\"f{FIXED}\" cx=\"{at:.1}\" cy=\"{time:.1}\" r=\"2.2\"/>"
        );
    }
    let (at, time) = place(chosen);
    _ = writeln!(
        svg,
        "<circle class=\"f{TOGETHER}\" cx=\"{at:.1}\" cy=\"{time:.1}\" r=\"5\"/>"
    );
    let key = [
        (FIXED, "fixed splits"),
        (TOGETHER, "as measurement splits it"),
    ];
    with_key(svg, &key)
}

/// A bar of a timeline: whose row, which colour, when and how long, in seconds.
pub(super) struct Bar {
    pub(super) row: usize,
    pub(super) colour: usize,
    pub(super) start: f64,
    pub(super) seconds: f64,
    pub(super) what: String,
}

/// Who did what and when.
pub(super) fn timeline(
    title: &str,
    rows: &[&str],
    bars: &[Bar],
    kinds: &[(usize, &str)],
) -> String {
    let ends = bars.iter().map(|bar| bar.start + bar.seconds);
    let x = Axis {
        scale: Scale::from_zero(ends),
        label: "time".to_owned(),
        tick: seconds_tick,
    };
    let height = TOP + ROW * rows.len() as f64 + BOTTOM;
    let mut svg = framed(title, &x, None, height);
    for (i, name) in rows.iter().enumerate() {
        // What of a name has no room is cut; the key of the page has all of it.
        let short: String = name.chars().take(9).collect();
        let middle = TOP + ROW * (i as f64 + 0.5);
        _ = writeln!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 5.0,
            middle + 3.5,
            escaped(&short)
        );
    }
    for bar in bars {
        let (from, to) = (across(&x, bar.start), across(&x, bar.start + bar.seconds));
        // What is too short to be seen is drawn all the same.
        let wide = (to - from).max(0.7);
        _ = writeln!(
            svg,
            "<rect class=\"f{}\" x=\"{from:.2}\" y=\"{:.1}\" width=\"{wide:.2}\" height=\"{:.1}\"><title>{}</title></rect>",
            bar.colour % COLOURS,
            TOP + ROW * bar.row as f64 + 4.0,
            ROW - 8.0,
            escaped(&bar.what)
        );
    }
    with_key(svg, kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_no_digits_that_say_nothing() {
        let ticks = [0.0, 0.5e-6, 20e-6, 1e-3, 1.5e-3, 0.25, 2.0].map(seconds_tick);
        let expected = ["0", "0.5 us", "20 us", "1 ms", "1.5 ms", "250 ms", "2 s"];
        assert_eq!(ticks, expected);
        assert_eq!([1000.0, 1e6].map(count_tick), ["1 k", "1 M"]);
    }
}
