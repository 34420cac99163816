//! The figures of a bench as a file: what was measured, when, and on which machine.
//!
//! Every bench takes `--json FILE` and writes the same shape, whose `rows` are its own: `{bench, date, is_small, machine, rows}`, a
//! row a line. What is in `benches/results` is what README.md and RESULTS.md show; `tests/tables.rs` puts it there.

mod machine;

use machine::Machine;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a bench was asked for.
#[derive(Debug)]
pub struct Asked(pico_args::Arguments);

impl Asked {
    /// The command line of this process.
    pub fn new() -> Self {
        let mut arguments = pico_args::Arguments::from_env();
        // What cargo says to every bench.
        let _ = arguments.contains("--bench");
        Self(arguments)
    }

    /// The file of an option, if it is given.
    pub fn path(&mut self, option: &'static str) -> Result<Option<PathBuf>, Box<dyn Error>> {
        Ok(self.0.opt_value_from_str(option)?)
    }

    /// Whether an option is given.
    #[allow(dead_code, reason = "not every bench has one")]
    pub fn flag(&mut self, option: &'static str) -> bool {
        self.0.contains(option)
    }

    /// The words that are left, which pick rows.
    ///
    /// # Errors
    ///
    /// If one is an option that nobody asked for.
    pub fn words(self) -> Result<Vec<String>, Box<dyn Error>> {
        let words = self.0.finish().into_iter();
        let words: Vec<String> = words
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        match words.iter().find(|word| word.starts_with('-')) {
            Some(word) => Err(format!("`{word}` is no option of this bench").into()),
            None => Ok(words),
        }
    }
}

/// Whether a row's name has all the words in it.
pub fn is_wanted(words: &[String], name: &str) -> bool {
    words.iter().all(|word| name.contains(word.as_str()))
}

/// Whether small sizes are asked for, whose times mean nothing.
pub fn is_small() -> bool {
    std::env::var_os("DIVVY_BENCH_SMALL").is_some()
}

/// What a bench measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record<Row> {
    pub bench: String,
    /// The day in UTC, as in `2026-01-31`.
    pub date: String,
    /// Whether sizes were small, so that times mean nothing.
    pub is_small: bool,
    pub machine: Machine,
    pub rows: Vec<Row>,
}

impl<Row: Serialize> Record<Row> {
    /// What was measured just now.
    pub fn new(bench: &str, rows: Vec<Row>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            bench: bench.to_owned(),
            date: day(now.map_or(0, |now| now.as_secs() / 86_400)),
            is_small: is_small(),
            machine: Machine::here(),
            rows,
        }
    }

    /// Writes the file that was asked for, if one was.
    pub fn write(&self, file: Option<&Path>) -> Result<(), Box<dyn Error>> {
        let Some(file) = file else { return Ok(()) };
        let told = |error| format!("`{}` can't be written: {error}", file.display());
        Ok(std::fs::write(file, self.json()?).map_err(told)?)
    }

    /// A row a line, so that a difference shows which changed.
    fn json(&self) -> serde_json::Result<String> {
        let head = Record::<()> {
            bench: self.bench.clone(),
            date: self.date.clone(),
            is_small: self.is_small,
            machine: self.machine.clone(),
            rows: Vec::new(),
        };
        let head = serde_json::to_string_pretty(&head)?;
        let rows = self.rows.iter().map(serde_json::to_string);
        let rows = rows.collect::<Result<Vec<_>, _>>()?.join(",\n    ");
        let head = head.trim_end_matches("[]\n}");
        Ok(format!("{head}[\n    {rows}\n  ]\n}}\n"))
    }
}

impl<Row> Record<Row> {
    /// Where and when, as a line.
    #[allow(dead_code, reason = "not every bench has a table of its own")]
    pub fn origin(&self) -> String {
        format!("{}; {}.", self.machine, self.date)
    }
}

/// What is in a file of JSON.
///
/// # Errors
///
/// If it isn't there, or is something else; the error names it.
#[allow(dead_code, reason = "not every bench reads files")]
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Box<dyn Error>> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("`{name}` can't be read: {error}"))?;
    let told = |error| format!("`{name}` isn't what a bench writes: {error}");
    Ok(serde_json::from_str(&text).map_err(told)?)
}

/// The date of a day since 1970, by Hinnant's `civil_from_days` ("chrono-Compatible Low-Level Date Algorithms").
fn day(since_1970: u64) -> String {
    let days = since_1970 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// A row of a table in Markdown.
#[allow(dead_code, reason = "not every bench has a table of its own")]
pub fn line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let cells = cells.into_iter();
    cells.fold("|".to_owned(), |line, cell| {
        line + " " + cell.as_ref() + " |"
    }) + "\n"
}

/// The head of a table in Markdown, and the line below it.
#[allow(dead_code, reason = "not every bench has a table of its own")]
pub fn head(cells: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let line = line(cells);
    let columns = line.matches(" | ").count() + 1;
    format!("{line}|{}\n", "---|".repeat(columns))
}

/// The geometric mean of at least one number.
#[allow(dead_code, reason = "not every bench has means")]
pub fn geometric_mean(numbers: &[f64]) -> Option<f64> {
    let logarithms: f64 = numbers.iter().map(|number| number.ln()).sum();
    (!numbers.is_empty()).then(|| (logarithms / numbers.len() as f64).exp())
}
