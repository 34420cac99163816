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
pub(super) const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 58.0;
pub(super) const RIGHT: f64 = 20.0;
pub(super) const TOP: f64 = 12.0;
const BOTTOM: f64 = 42.0;

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

pub(super) fn count_tick(number: f64) -> String {
    let text = scaled(number);
    text.replace(".00", "").trim_end().to_owned()
}

pub(super) fn seconds_tick(number: f64) -> String {
    let (scaled, unit) = match number {
        0.0 => return "0".to_owned(),
        long if long >= 0.9995 => (long, "s"),
        middle if middle >= 0.9995e-3 => (middle * 1e3, "ms"),
        short => (short * 1e6, "µs"),
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
fn framed(title: &str, x: &Axis, y: &Axis) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        escaped(title)
    );
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for tick in x.scale.ticks() {
        let at = across(x, tick);
        _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            (x.tick)(tick)
        );
    }
    _ = writeln!(
        svg,
        "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(LEFT, right),
        HEIGHT - 8.0,
        escaped(&x.label)
    );
    for tick in y.scale.ticks() {
        let at = up(y, tick);
        _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 5.0,
            at + 3.5,
            (y.tick)(tick)
        );
    }
    _ = writeln!(
        svg,
        "<text class=\"label\" transform=\"translate(11 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        f64::midpoint(TOP, bottom),
        escaped(&y.label)
    );
    svg
}

/// Colours and what they stand for: as text of the page, where it may take several lines.
pub(super) fn key(key: &[(usize, &str)]) -> String {
    let item = |(colour, name): &(usize, &str)| {
        let (colour, name) = (colour % COLOURS, escaped(name));
        format!("<span><i class=\"b{colour}\"></i>{name}</span> ")
    };
    let items: String = key.iter().map(item).collect();
    format!("<p class=\"key\">{items}</p>\n")
}

/// How many colours the style has.
pub(super) const COLOURS: usize = 9;
/// That of all devices together, wherever they are shown.
pub(super) const TOGETHER: usize = 0;
/// That of fixed splits, and of what is neither a run nor a copy.
pub(super) const FIXED: usize = 5;
/// Those of what devices do.
pub(super) const RUN: usize = 6;
pub(super) const TO_DEVICE: usize = 7;
pub(super) const FROM_DEVICE: usize = 8;

/// That of a device alone.
pub(super) fn alone(device: usize) -> usize {
    1 + device % (FIXED - 1)
}

/// Time over size, both on logarithmic axes. The first series is of all devices together, the others are of each alone.
pub(super) fn times(title: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| series.points.iter());
    let x = Axis {
        scale: Scale::log(points().map(|(x, _)| *x)),
        label: "invocations".to_owned(),
        tick: count_tick,
    };
    let y = Axis {
        scale: Scale::log(points().map(|(_, y)| *y)),
        label: "time of a dispatch".to_owned(),
        tick: seconds_tick,
    };
    let mut svg = framed(title, &x, &y);
    for (i, series) in series.iter().enumerate() {
        let colour = colour_of(i);
        let place = |(at, time): &(f64, f64)| (across(&x, *at), up(&y, *time));
        line(
            &mut svg,
            colour,
            &series.points.iter().map(place).collect::<Vec<_>>(),
        );
        for point in &series.points {
            let what = format!(
                "{}, {} invocations: {}",
                series.name,
                point.0,
                seconds_tick(point.1)
            );
            dot(&mut svg, colour, 3.0, place(point), &what);
        }
    }
    let names = series.iter().enumerate();
    let names: Vec<_> = names
        .map(|(i, series)| (colour_of(i), series.name.as_str()))
        .collect();
    svg + "</svg>\n" + &key(&names)
}

/// The colour of a series by its place.
pub(super) fn colour_of(series: usize) -> usize {
    match series {
        0 => TOGETHER,
        device => alone(device - 1),
    }
}

fn dot(svg: &mut String, colour: usize, radius: f64, (x, y): (f64, f64), what: &str) {
    _ = writeln!(
        svg,
        "<circle class=\"f{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"><title>{}</title></circle>",
        escaped(what)
    );
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
        label: format!("share of {first}, in percent of the range"),
        tick: percent_tick,
    };
    let y = Axis {
        scale: Scale::from_zero(all.map(|(_, time)| *time)),
        label: "time of a dispatch".to_owned(),
        tick: seconds_tick,
    };
    let mut svg = framed(title, &x, &y);
    let place = |(share, time): (f64, f64)| (across(&x, share), up(&y, time));
    line(
        &mut svg,
        FIXED,
        &points.iter().copied().map(place).collect::<Vec<_>>(),
    );
    let what = |(share, time): (f64, f64)| format!("{share:.1} %: {}", seconds_tick(time));
    for point in points {
        dot(&mut svg, FIXED, 2.4, place(*point), &what(*point));
    }
    dot(&mut svg, TOGETHER, 5.5, place(chosen), &what(chosen));
    let keys = [
        (FIXED, "fixed splits"),
        (TOGETHER, "as measurement splits it"),
    ];
    svg + "</svg>\n" + &key(&keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_no_digits_that_say_nothing() {
        let ticks = [0.0, 0.5e-6, 20e-6, 1e-3, 1.5e-3, 0.25, 2.0].map(seconds_tick);
        let expected = ["0", "0.5 µs", "20 µs", "1 ms", "1.5 ms", "250 ms", "2 s"];
        assert_eq!(ticks, expected);
        assert_eq!([1000.0, 1e6].map(count_tick), ["1 k", "1 M"]);
    }
}
