//! The measured tables of README.md and benches/RESULTS.md are what the figures in benches/results come to.
//!
//! A table stands between `<!-- NAME: from ... -->` and `<!-- end -->`, each on a line of its own, and is made of
//! `benches/results/NAME.json`, which the bench of that name writes; `lanes.svg` beside it shows the same. With `DIVVY_TABLES=write`
//! in the environment they are made anew instead of compared; what is written by hand around them stays.

#[path = "../benches/coexecution/row.rs"]
#[allow(dead_code, reason = "only its table is asked for here")]
mod row;

#[path = "../benches/coexecution/table.rs"]
mod coexecution;
#[path = "../benches/kernels/table.rs"]
mod kernels;
#[path = "../benches/lanes/table.rs"]
mod lanes;
#[path = "../benches/lanes/plot.rs"]
mod lanes_plot;
#[path = "../benches/overhead/table.rs"]
mod overhead;
#[path = "../benches/record/mod.rs"]
#[allow(dead_code, reason = "nothing is measured here")]
mod record;
#[path = "../benches/coexecution/recovery/table.rs"]
mod recovery;
#[path = "../benches/coexecution/sizes/table.rs"]
mod sizes;

use record::{Record, read};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const END: &str = "<!-- end -->";
const PICTURE: &str = "benches/results/lanes.svg";
const HOW: &str = "`DIVVY_TABLES=write cargo test --test tables`";

/// A table: the file that shows it, the bench that it is from, and what makes it.
type Table = (
    &'static str,
    &'static str,
    fn() -> Result<String, Box<dyn Error>>,
);

const TABLES: [Table; 7] = [
    ("README.md", "lanes", || {
        Ok(lanes::summary(&figures("lanes")?, &peers()?))
    }),
    ("benches/RESULTS.md", "lanes", || {
        Ok(lanes::table(&figures("lanes")?, &peers()?))
    }),
    ("benches/RESULTS.md", "kernels", || {
        Ok(kernels::table(&figures("kernels")?))
    }),
    ("benches/RESULTS.md", "coexecution", || {
        Ok(coexecution::summary(&figures("coexecution")?))
    }),
    ("benches/RESULTS.md", "sizes", || {
        let record = figures("sizes")?;
        Ok(record.origin() + "\n" + &sizes::table(&record.rows))
    }),
    ("benches/RESULTS.md", "recovery", || {
        let record = figures("recovery")?;
        Ok(record.origin() + "\n\n" + &recovery::table(&record.rows))
    }),
    ("benches/RESULTS.md", "overhead", || {
        Ok(overhead::table(&figures("overhead")?))
    }),
];

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// What a bench measured.
fn figures<Row: DeserializeOwned>(bench: &str) -> Result<Record<Row>, Box<dyn Error>> {
    let file = path(&format!("benches/results/{bench}.json"));
    let record: Record<Row> = read(&file)?;
    if record.bench != bench || record.is_small {
        let (by, size) = (
            &record.bench,
            if record.is_small { "small" } else { "full" },
        );
        let file = file.display();
        return Err(format!(
            "`{file}` has figures of `{by}` at {size} sizes, not of `{bench}` at full ones"
        )
        .into());
    }
    Ok(record)
}

/// What others took for the kernels of the lanes.
fn peers() -> Result<Vec<lanes::Peer>, Box<dyn Error>> {
    let file = path("benches/results/peers.json");
    if file.exists() {
        read(&file)
    } else {
        Ok(Vec::new())
    }
}

/// The bench that a line begins the table of.
fn begun(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("<!-- ")?.split_once(": from ")?;
    Some(name)
}

/// The text with other tables, each given by the bench that it is from.
fn replaced(
    text: &str,
    table: impl Fn(&str) -> Result<String, Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let mut new = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        new += &format!("{line}\n");
        if line.trim() == END {
            return Err(format!("a `{END}` ends no table").into());
        }
        if let Some(name) = begun(line) {
            let mut old = lines.by_ref().take_while(|line| begun(line).is_none());
            if !old.any(|line| line == END) {
                return Err(format!("the table of `{name}` has no `{END}`").into());
            }
            new += &format!("\n{}\n\n{END}\n", table(name)?.trim());
        }
    }
    Ok(new)
}

/// The file as it ought to be.
fn anew(file: &str, text: &str) -> Result<String, Box<dyn Error>> {
    let its: Vec<&Table> = TABLES.iter().filter(|(of, ..)| *of == file).collect();
    for (_, name, _) in &its {
        let begins = text
            .lines()
            .filter(|line| begun(line) == Some(name))
            .count();
        let has_figures = path(&format!("benches/results/{name}.json")).exists();
        if begins > 1 || (begins == 0 && has_figures) {
            return Err(
                format!("has {begins} lines `<!-- {name}: from ... -->` instead of 1").into(),
            );
        }
    }
    replaced(text, |name| {
        match its.iter().find(|(_, of, _)| *of == name) {
            Some((.., table)) => table(),
            None => Err(format!("no table here is of `{name}`").into()),
        }
    })
}

/// Compares a file with what it ought to be, or makes it that.
fn settle(
    file: &str,
    new: impl FnOnce(&str) -> Result<String, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let old = match fs::read_to_string(path(file)) {
        // What isn't there is made, unless it is text by hand, whose lines are missed then.
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let new = new(&old)?;
    if new == old {
        return Ok(());
    }
    if std::env::var("DIVVY_TABLES").is_ok_and(|what| what == "write") {
        return Ok(fs::write(path(file), new)?);
    }
    let mut lines = old.lines().zip(new.lines()).zip(1..);
    let at = lines.find_map(|((old, new), line)| (old != new).then(|| format!("line {line} ")));
    let at = at.unwrap_or_default();
    Err(format!("{at}isn't what benches/results comes to; {HOW} makes it so").into())
}

#[test]
fn tables_are_what_the_figures_come_to() -> Result<(), String> {
    let told = |file| move |error| format!("`{file}`: {error}");
    for file in ["README.md", "benches/RESULTS.md"] {
        settle(file, |text| anew(file, text)).map_err(told(file))?;
    }
    let picture = |_: &str| Ok(lanes_plot::svg(&figures("lanes")?, &peers()?));
    settle(PICTURE, picture).map_err(told(PICTURE))
}

const TEXT: &str = "By hand.\n<!-- a: from a.json -->\nold\n<!-- end -->\nBy hand too.\n";

fn shown(name: &str) -> Result<String, Box<dyn Error>> {
    Ok(format!("| {name} |"))
}

#[test]
fn what_is_written_by_hand_stays() {
    let new = replaced(TEXT, shown).expect("it is well-formed");
    let expected = "By hand.\n<!-- a: from a.json -->\n\n| a |\n\n<!-- end -->\nBy hand too.\n";
    assert_eq!(new, expected);
    assert_eq!(replaced(&new, shown).expect("it still is"), new);
}

#[test]
fn a_table_that_does_not_end_is_an_error_that_names_it() {
    let two = TEXT.replace(END, "") + &TEXT.replace("a: from", "b: from");
    for text in [TEXT.replace(END, ""), two] {
        let error = replaced(&text, shown).expect_err("it has no end");
        assert_eq!(error.to_string(), "the table of `a` has no `<!-- end -->`");
    }
}

#[test]
fn an_end_of_no_table_is_an_error() {
    let error = replaced(&(TEXT.to_owned() + END), shown).expect_err("it ends nothing");
    assert_eq!(error.to_string(), "a `<!-- end -->` ends no table");
}

#[test]
fn figures_without_their_place_and_places_without_figures_are_errors() {
    let error = anew("README.md", "").expect_err("there is no table of the lanes");
    assert!(error.to_string().contains("`<!-- lanes: from"), "{error}");
    let lanes = TEXT.replace("a: from", "lanes: from");
    let error = anew("README.md", &(lanes.clone() + TEXT)).expect_err("there is no such bench");
    assert_eq!(error.to_string(), "no table here is of `a`");
    let error = anew("README.md", &(lanes.clone() + &lanes)).expect_err("there are two");
    assert!(error.to_string().starts_with("has 2 lines"), "{error}");
}
