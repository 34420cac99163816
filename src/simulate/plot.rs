//! Series of numbers as a picture.
//!
//! Writes SVG by hand: axes, lines, names. What is shown is the caller's choice.
//!
//! Invariant: what is written is well-formed XML, whatever the names and numbers are.

use std::fmt::Write as _;

/// Numbers with a name, one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// The numbers; those that are none are left out.
    pub values: Vec<f64>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 200.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 40.0;
/// Colours that people who don't see all of them tell apart (Okabe and Ito, 2008).
const COLORS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Lines of the series over their places, from zero to `top`, as SVG.
#[must_use]
pub fn chart(title: &str, along: &str, top: f64, series: &[Series]) -> String {
    let places = series
        .iter()
        .map(|series| series.values.len())
        .max()
        .unwrap_or(0)
        .max(2);
    let across = |i: usize| LEFT + i as f64 / (places - 1) as f64 * (WIDTH - LEFT - RIGHT);
    let down =
        |value: f64| HEIGHT - BOTTOM - (value / top).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}</text>\n",
        escaped(title)
    );
    // Writing to a string never fails.
    for step in 0..=5 {
        let value = top * f64::from(step) / 5.0;
        let y = down(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.2}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    for i in [0, (places - 1) / 2, places - 1] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{i}</text>",
            across(i),
            HEIGHT - BOTTOM + 16.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 6.0,
        escaped(along)
    );
    for (i, one) in series.iter().enumerate() {
        let color = COLORS[i % COLORS.len()];
        let points: Vec<String> = one
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_finite())
            .map(|(i, value)| format!("{:.1},{:.1}", across(i), down(*value)))
            .collect();
        let y = TOP + 16.0 * i as f64;
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\" points=\"{}\"/>\n\
             <rect x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{color}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            points.join(" "),
            WIDTH - RIGHT + 12.0,
            y - 9.0,
            WIDTH - RIGHT + 28.0,
            y,
            escaped(&one.name)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_line_for_each_series_and_keeps_names_out_of_the_markup() {
        let series = [
            Series {
                name: "a < b & c".to_owned(),
                values: vec![0.0, f64::NAN, 2.0],
            },
            Series {
                name: "empty".to_owned(),
                values: Vec::new(),
            },
        ];
        let svg = chart("<title>", "dispatch", 1.0, &series);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("&lt;title&gt;"));
        assert!(!svg.contains("NaN"));
        // What is above the top is drawn at it.
        let high = format!("{TOP:.1}\"/>");
        assert!(svg.contains(&high), "{svg}");
    }
}
