//! The results as a page that needs nothing but itself: style, pictures and tables in one file.
//!
//! Chooses what is shown; how it is drawn is the affair of `plot`.
//!
//! Invariant: the page asks nobody for anything.

use super::Results;
use super::measure::Row;
use super::plot::{self, Bar, Series};
use super::table::{cells, heads, short};
use super::timeline::{Kind, Span};
use crate::report::seconds;
use std::fmt::Write;

const STYLE: &str = "\
:root { color-scheme: light dark; --back: #fff; --text: #1d2330; --faint: #5d6675; --grid: #dfe3ea;
  --c0: #1f6fd6; --c1: #d9480f; --c2: #2b8a3e; --c3: #9c36b5; --c4: #b08900; --c5: #7b8494; }
@media (prefers-color-scheme: dark) { :root { --back: #12151c; --text: #e6e9ef; --faint: #9aa4b5; --grid: #2b313d;
  --c0: #6ea8fe; --c1: #ff8a5c; --c2: #69db7c; --c3: #da77f2; --c4: #ffd43b; --c5: #8892a4; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 66rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, li { color: var(--faint); margin: .25rem 0; }
figure { margin: 0; } .pair { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
svg { display: block; width: 100%; max-width: 36rem; height: auto; }
svg text { font: 10.5px system-ui, sans-serif; fill: var(--faint); } svg .label { fill: var(--text); }
.grid { stroke: var(--grid); }
.key { font-size: .85rem; } .key span { margin-right: 1rem; display: inline-block; }
.key i { display: inline-block; width: .75em; height: .75em; margin-right: .35em; border-radius: 2px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th { color: var(--faint); font-weight: 600; }
summary { cursor: pointer; font-size: .9rem; color: var(--faint); }
";

/// The text with what HTML takes for marks written as entities.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

fn colours() -> String {
    let rule = |i| {
        format!(
            ".l{i} {{ fill: none; stroke: var(--c{i}); stroke-width: 1.6; }} .f{i} {{ fill: var(--c{i}); }} \
             .b{i} {{ background: var(--c{i}); }}\n"
        )
    };
    (0..plot::COLOURS).map(rule).collect()
}

fn table(heads: &[String], lines: impl Iterator<Item = Vec<String>>) -> String {
    let row = |cells: &[String], tag: &str| {
        let cells: String = cells
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)))
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let lines: String = lines.map(|line| row(&line, "td")).collect();
    format!(
        "<div class=\"scroll\"><table>\n<thead>{}</thead>\n<tbody>\n{lines}</tbody></table></div>\n",
        row(heads, "th")
    )
}

/// A table that is there for who wants it.
fn folded(heads: &[String], lines: impl Iterator<Item = Vec<String>>) -> String {
    format!(
        "<details><summary>Numbers</summary>\n{}</details>\n",
        table(heads, lines)
    )
}

fn owned<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

pub(super) fn page(results: &Results) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>Divvy benchmark</title>\n\
         <style>\n{STYLE}{}</style>\n</head>\n<body>\n<h1>Divvy benchmark</h1>\n",
        colours()
    );
    let rounds = results.rounds;
    _ = writeln!(
        page,
        "<p>Wall times, medians of {rounds} {}, data where it is needed. Devices:</p>\n<ul>",
        if rounds == 1 {
            "run"
        } else {
            "runs that took turns"
        }
    );
    for device in &results.devices {
        _ = writeln!(page, "<li>{}</li>", escaped(device));
    }
    page.push_str("</ul>\n<h2>All</h2>\n");
    page.push_str(&table(
        &heads(&results.rows),
        results.rows.iter().map(cells),
    ));
    let mut rest = results.rows.as_slice();
    while let Some(first) = rest.first() {
        let is_other = |row: &Row| row.kernel != first.kernel;
        let count = rest.iter().position(is_other).unwrap_or(rest.len());
        let (own, others) = rest.split_at(count);
        kernel(&mut page, own);
        rest = others;
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn kernel(page: &mut String, rows: &[Row]) {
    let name = &rows[0].kernel;
    _ = writeln!(page, "<h2>{}</h2>\n<figure>", escaped(name));
    let mut series = vec![Series {
        name: "all together".to_owned(),
        points: rows
            .iter()
            .map(|row| (row.invocations as f64, row.together.seconds))
            .collect(),
    }];
    for (i, alone) in rows[0].alone.iter().enumerate() {
        let time = |row: &Row| Some((row.invocations as f64, row.alone.get(i)?.seconds?));
        series.push(Series {
            name: format!("{} alone", alone.device),
            points: rows.iter().filter_map(time).collect(),
        });
    }
    page.push_str(&plot::times(
        &format!("{name}: time by device and size"),
        &series,
    ));
    let heads = std::iter::once("range".to_owned())
        .chain(series.iter().map(|series| series.name.clone()))
        .collect::<Vec<_>>();
    let line = |row: &Row| {
        let alone = row.alone.iter().map(|alone| alone.seconds);
        let times = std::iter::once(Some(row.together.seconds)).chain(alone);
        let times = times.map(|time| time.map_or("-".to_owned(), seconds));
        std::iter::once(row.range.clone()).chain(times).collect()
    };
    page.push_str(&table(&heads, rows.iter().map(line)));
    page.push_str("</figure>\n");
    for row in rows {
        _ = writeln!(
            page,
            "<h3>{} over {}</h3>\n<div class=\"pair\">",
            escaped(name),
            escaped(&row.range)
        );
        sweep(page, row);
        timeline(page, row);
        page.push_str("</div>\n");
    }
}

fn sweep(page: &mut String, row: &Row) {
    let (Some(first), false) = (row.alone.first(), row.sweep.is_empty()) else {
        return;
    };
    let points: Vec<_> = row
        .sweep
        .iter()
        .map(|point| (point.share * 100.0, point.seconds))
        .collect();
    let share = row.together.shares.first().copied().unwrap_or(0.0) * 100.0;
    let title = format!("{} over {}: time by split", row.kernel, row.range);
    page.push_str("<figure>\n");
    let chosen = (share, row.together.seconds);
    page.push_str(&plot::sweep(&title, short(&first.device), &points, chosen));
    let heads = [
        format!("share of {}", short(&first.device)),
        "time".to_owned(),
    ];
    let lines = points
        .iter()
        .map(|(share, time)| vec![format!("{share:.0} %"), seconds(*time)]);
    let measured = vec![
        format!("{share:.1} %, as measurement splits it"),
        seconds(row.together.seconds),
    ];
    page.push_str(&folded(&heads, lines.chain([measured])));
    page.push_str("</figure>\n");
}

fn timeline(page: &mut String, row: &Row) {
    if row.timeline.is_empty() {
        return;
    }
    let mut kinds: Vec<(usize, &str)> = Vec::new();
    let mut bars = Vec::new();
    for span in &row.timeline {
        let kind = kind(span);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        bars.push(Bar {
            row: span.device,
            colour: kind.0,
            start: span.start_seconds,
            seconds: span.seconds,
            what: format!("{}: {}", span.what, seconds(span.seconds)),
        });
    }
    let devices: Vec<&str> = row.alone.iter().map(|alone| short(&alone.device)).collect();
    let title = format!(
        "{} over {}: who did what in three dispatches",
        row.kernel, row.range
    );
    page.push_str("<figure>\n");
    page.push_str(&plot::timeline(&title, &devices, &bars, &kinds));
    let lines = row.timeline.iter().map(|span| {
        let device = devices.get(span.device).copied().unwrap_or_default();
        vec![
            device.to_owned(),
            span.what.clone(),
            seconds(span.start_seconds),
            seconds(span.seconds),
        ]
    });
    page.push_str(&folded(
        &owned(["device", "what", "begins at", "takes"]),
        lines,
    ));
    page.push_str("</figure>\n");
}

/// What a device does, in words, and its colour.
fn kind(span: &Span) -> (usize, &str) {
    match span.kind {
        Kind::ToDevice => (2, "copied to the device"),
        Kind::FromDevice => (4, "copied from the device"),
        Kind::Run => (3, span.what.split_whitespace().next().unwrap_or_default()),
        Kind::Other => (5, "other"),
    }
}
