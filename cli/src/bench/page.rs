//! The results as a page that needs nothing but itself: style, pictures and tables in one file.
//!
//! Chooses what is shown; how it is drawn is the affair of `plot` and `tracks`.
//!
//! Invariant: the page asks nobody for anything.

use super::Results;
use super::measure::Row;
use super::plot::{self, Series};
use super::table::{cells, heads, short};
use super::timeline::{Kind, SHOWN, Span};
use super::tracks::{Band, Bar, Track, Unit, tracks};
use crate::report;
use std::fmt::Write;

const STYLE: &str = "\
:root { color-scheme: light dark; --back: #fff; --text: #1d2330; --faint: #5d6675; --grid: #dfe3ea; --band: #f1f3f7;
  --c0: #1f6fd6; --c1: #d9480f; --c2: #2b8a3e; --c3: #9c36b5; --c4: #b08900; --c5: #7b8494;
  --c6: #0b7285; --c7: #e8590c; --c8: #5c940d; }
@media (prefers-color-scheme: dark) { :root { --back: #12151c; --text: #e6e9ef; --faint: #9aa4b5; --grid: #2b313d;
  --band: #1b202a; --c0: #6ea8fe; --c1: #ff8a5c; --c2: #69db7c; --c3: #da77f2; --c4: #ffd43b; --c5: #8892a4;
  --c6: #3bc9db; --c7: #ffa94d; --c8: #a9e34b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 66rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, li, dl { color: var(--faint); margin: .25rem 0; } a { color: var(--c0); }
nav a { margin-right: .75rem; } dt { color: var(--text); font-weight: 600; } dd { margin: 0 0 .4rem; } dl { font-size: .9rem; }
figure { margin: 0; min-width: 0; } figcaption { color: var(--faint); font-size: .9rem; margin: .25rem 0 .5rem; }
.pair { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
svg { display: block; width: 100%; max-width: 36rem; height: auto; }
svg text { font: 10.5px system-ui, sans-serif; fill: var(--faint); } svg .label { fill: var(--text); }
svg .name { paint-order: stroke; stroke: var(--back); stroke-width: 3px; }
.grid { stroke: var(--grid); } .band { fill: var(--band); } .mark { stroke: var(--text); stroke-width: 2; }
.key { font-size: .85rem; } .key span { margin-right: 1rem; display: inline-block; }
.key i { display: inline-block; width: .75em; height: .75em; margin-right: .35em; border-radius: 2px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th { color: var(--faint); font-weight: 600; }
summary { cursor: pointer; font-size: .9rem; color: var(--faint); margin: .25rem 0; }
@media (max-width: 44rem) {
  th, td { padding: .2rem .35rem; } th { white-space: normal; vertical-align: bottom; }
  table.wide, .wide tbody, .wide tr, .wide td { display: block; } .wide thead { display: none; }
  .wide tr { border: 1px solid var(--grid); border-radius: 6px; padding: .4rem .7rem; margin: .6rem 0; }
  .wide td { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem 0; }
  .wide td::before { content: attr(data-head); color: var(--faint); } .wide td:first-child { font-weight: 600; } }
";

/// Seconds with a unit that suits them.
fn seconds(seconds: f64) -> String {
    report::seconds(seconds).replace(" us", " µs")
}

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

/// Columns of the widest table that has room in a narrow window; of a wider one each row is a list there.
const MOST_COLUMNS: usize = 4;

fn table(heads: &[String], lines: impl Iterator<Item = Vec<String>>) -> String {
    let class = if heads.len() > MOST_COLUMNS {
        " class=\"wide\""
    } else {
        ""
    };
    let head: String = heads
        .iter()
        .map(|head| format!("<th>{}</th>", escaped(head)))
        .collect();
    let line = |line: Vec<String>| {
        let cell = |(head, cell): (&String, &String)| {
            format!("<td data-head=\"{}\">{}</td>", escaped(head), escaped(cell))
        };
        let cells: String = heads.iter().zip(&line).map(cell).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let lines: String = lines.map(line).collect();
    format!(
        "<div class=\"scroll\"><table{class}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody></table></div>\n"
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

/// What the columns of the summary say.
const COLUMNS: [(&str, &str); 6] = [
    (
        "together",
        "time of a dispatch that Divvy splits between the devices by what it has measured of them",
    ),
    (
        "shares",
        "the part of the range that each device got, in the devices' order",
    ),
    (
        "best split",
        "the fastest of the fixed splits, and the first device's share in it",
    ),
    (
        "speedup",
        "time of the fastest device alone over the time together",
    ),
    (
        "possible",
        "the most that any split could win: the sum of the devices' rates over the largest of them",
    ),
    (
        "efficiency",
        "speedup over possible; samples vary, so it may pass 1",
    ),
];

pub(super) fn page(results: &Results) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>Divvy benchmark</title>\n\
         <style>\n{STYLE}{}</style>\n</head>\n<body>\n<h1>Divvy benchmark</h1>\n",
        colours()
    );
    introduction(&mut page, results);
    let kernels: Vec<&[Row]> = results
        .rows
        .chunk_by(|one, other| one.kernel == other.kernel)
        .collect();
    if kernels.len() > 1 {
        page.push_str("<nav>");
        for (i, rows) in kernels.iter().enumerate() {
            _ = write!(page, "<a href=\"#k{i}\">{}</a> ", escaped(&rows[0].kernel));
        }
        page.push_str("</nav>\n");
    }
    page.push_str("<h2>Summary</h2>\n");
    speedups(&mut page, results);
    page.push_str(&table(
        &heads(&results.rows),
        results.rows.iter().map(summary),
    ));
    page.push_str("<details><summary>What the columns say</summary>\n<dl>\n");
    for (column, meaning) in COLUMNS {
        _ = writeln!(page, "<dt>{column}</dt><dd>{meaning}</dd>");
    }
    page.push_str("</dl>\n</details>\n");
    for (i, rows) in kernels.iter().enumerate() {
        _ = writeln!(page, "<section id=\"k{i}\">");
        kernel(&mut page, rows);
        page.push_str("</section>\n");
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// What was measured, how, and on what.
fn introduction(page: &mut String, results: &Results) {
    let what = match results.devices.len() {
        1 => "Each kernel on the one device there is.",
        _ => {
            "Each kernel on each device alone, on all of them as Divvy splits the range, and on fixed splits, in turns."
        }
    };
    let medians = match results.rounds {
        1 => "A time is that of one dispatch".to_owned(),
        rounds => format!("A time is the median of {rounds} dispatches"),
    };
    _ = writeln!(
        page,
        "<p>{what} {medians}, as its caller sees it, with the data where it is needed. Divvy {}. Devices:</p>\n<ul>",
        escaped(results.version)
    );
    for device in &results.devices {
        _ = writeln!(page, "<li>{}</li>", escaped(device));
    }
    page.push_str("</ul>\n");
}

/// A line of the summary.
fn summary(row: &Row) -> Vec<String> {
    let mut cells = cells(row);
    for cell in cells.iter_mut().skip(2) {
        *cell = cell.replace(" us", " µs");
    }
    cells
}

/// What was won by all devices together, of every kernel.
fn speedups(page: &mut String, results: &Results) {
    if results.devices.len() < 2 {
        return;
    }
    let track = |row: &Row| Track {
        name: format!(
            "{} over {}: {:.2} of {:.2}",
            row.kernel, row.range, row.speedup, row.most_speedup
        ),
        bars: vec![Bar {
            colour: plot::TOGETHER,
            start: 0.0,
            length: row.speedup,
            what: format!("speedup {:.2}", row.speedup),
        }],
        mark: Some((
            row.most_speedup,
            format!("possible {:.2}", row.most_speedup),
        )),
    };
    let all: Vec<Track> = results.rows.iter().map(track).collect();
    page.push_str("<figure>\n");
    page.push_str(&tracks(
        "speedup of all devices together",
        "speedup over the fastest device alone",
        Unit::Times,
        &all,
        &[],
    ));
    page.push_str(
        "<figcaption>Bars: what all devices together win over the fastest of them alone; below 1 they lose. Upright lines: the \
         most that any split could win. Where a dispatch is too short for two devices, Divvy gives it to one, and 1 is the best \
         there is.</figcaption>\n</figure>\n",
    );
}

fn kernel(page: &mut String, rows: &[Row]) {
    let name = &rows[0].kernel;
    let together = rows
        .iter()
        .map(|row| (row.invocations as f64, row.together.seconds));
    let mut series = vec![Series {
        name: "all together".to_owned(),
        points: together.collect(),
    }];
    for (i, alone) in rows[0].alone.iter().enumerate() {
        let time = |row: &Row| Some((row.invocations as f64, row.alone.get(i)?.seconds?));
        series.push(Series {
            name: format!("{} alone", short(&alone.device)),
            points: rows.iter().filter_map(time).collect(),
        });
    }
    _ = writeln!(
        page,
        "<h2>{}</h2>\n<div class=\"pair\">\n<figure>",
        escaped(name)
    );
    let title = format!("{name}: time of a dispatch by device");
    if rows.len() > 1 {
        page.push_str(&plot::times(&title, &series));
        page.push_str("<figcaption>Time by size; both axes are logarithmic.</figcaption>\n");
    } else {
        page.push_str(&tracks(
            &title,
            "time of a dispatch",
            Unit::Seconds,
            &bars(&series),
            &[],
        ));
    }
    page.push_str("</figure>\n");
    if rows.len() > 1 {
        page.push_str("<div>\n");
        page.push_str(&times(rows, &series));
        page.push_str("</div>\n");
    }
    page.push_str("</div>\n");
    for row in rows {
        _ = writeln!(
            page,
            "<h3>{} over {}</h3>",
            escaped(name),
            escaped(&row.range)
        );
        for note in &row.notes {
            _ = writeln!(page, "<p>{}</p>", escaped(note));
        }
        page.push_str("<div class=\"pair\">\n");
        sweep(page, row);
        timeline(page, row);
        page.push_str("</div>\n");
    }
}

/// Times of all sizes as a table.
fn times(rows: &[Row], series: &[Series]) -> String {
    let names = series.iter().map(|series| series.name.clone());
    let heads: Vec<String> = std::iter::once("range".to_owned()).chain(names).collect();
    let line = |row: &Row| {
        let alone = row.alone.iter().map(|alone| alone.seconds);
        let times = std::iter::once(Some(row.together.seconds)).chain(alone);
        let times = times.map(|time| time.map_or("-".to_owned(), seconds));
        std::iter::once(row.range.clone()).chain(times).collect()
    };
    table(&heads, rows.iter().map(line))
}

/// Times of one size as bars.
fn bars(series: &[Series]) -> Vec<Track> {
    let track = |(i, series): (usize, &Series)| {
        let time = series.points.first().map(|(_, time)| *time);
        let told = time.map_or("can't run it".to_owned(), seconds);
        let bar = time.map(|time| Bar {
            colour: plot::colour_of(i),
            start: 0.0,
            length: time,
            what: seconds(time),
        });
        Track {
            name: format!("{}: {told}", series.name),
            bars: bar.into_iter().collect(),
            mark: None,
        }
    };
    series.iter().enumerate().map(track).collect()
}

fn sweep(page: &mut String, row: &Row) {
    let best = row
        .sweep
        .iter()
        .min_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let (Some(first), Some(best)) = (row.alone.first(), best) else {
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
    let device = short(&first.device);
    page.push_str(&plot::sweep(&title, device, &points, chosen));
    let rest: Vec<&str> = row
        .alone
        .iter()
        .skip(1)
        .map(|alone| short(&alone.device))
        .collect();
    _ = writeln!(
        page,
        "<figcaption>What {} doesn't get goes to {}. The fastest fixed split gives it {:.0} % and takes {}; Divvy gives it {share:.0} % \
         and takes {}.</figcaption>",
        escaped(device),
        escaped(&rest.join(", ")),
        best.share * 100.0,
        seconds(best.seconds),
        seconds(row.together.seconds)
    );
    let heads = [format!("share of {device}"), "time".to_owned()];
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
    let devices: Vec<&str> = row.alone.iter().map(|alone| short(&alone.device)).collect();
    let mut rows: Vec<Track> = devices
        .iter()
        .map(|device| Track {
            name: (*device).to_owned(),
            bars: Vec::new(),
            mark: None,
        })
        .collect();
    let mut bands: Vec<Band> = Vec::new();
    for span in &row.timeline {
        let kind = kind(span);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        let end = span.start_seconds + span.seconds;
        let name = (span.dispatch + 1).to_string();
        match bands.iter_mut().find(|band| band.name == name) {
            Some(band) => band.to = band.to.max(end),
            None => bands.push(Band {
                from: span.start_seconds,
                to: end,
                name,
            }),
        }
        if let Some(track) = rows.get_mut(span.device) {
            track.bars.push(Bar {
                colour: kind.0,
                start: span.start_seconds,
                length: span.seconds,
                what: format!("{}: {}", span.what, seconds(span.seconds)),
            });
        }
    }
    let title = format!("{} over {}: who did what and when", row.kernel, row.range);
    page.push_str("<figure>\n");
    page.push_str(&tracks(
        &title,
        "time since the first began",
        Unit::Seconds,
        &rows,
        &bands,
    ));
    page.push_str(&plot::key(&kinds));
    _ = writeln!(
        page,
        "<figcaption>{SHOWN} dispatches one after another, shaded and numbered. A bar is one thing that a device did: a chunk of the \
         range that it ran, or a copy. Between bars it waits: for the other devices, or for the host to begin the next.\
         </figcaption>"
    );
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
fn kind(span: &Span) -> (usize, &'static str) {
    match span.kind {
        Kind::ToDevice => (plot::TO_DEVICE, "copied to the device"),
        Kind::FromDevice => (plot::FROM_DEVICE, "copied from the device"),
        Kind::Run => (plot::RUN, "chunk of the range run"),
        Kind::Other => (plot::FIXED, "other"),
    }
}
