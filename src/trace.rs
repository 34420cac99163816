//! What happened when, on which device: for people to look at.
//!
//! Records events, writes them in the Trace Event format that Perfetto and Chrome's tracing page open, and reads what it
//! wrote; what is worth an event is the caller's choice.
//!
//! Invariant: recording never fails and never waits for the disk.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Collects events until they are written.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    tracks: Vec<String>,
    epoch: Instant,
    events: Mutex<Vec<Event>>,
}

#[derive(Debug)]
struct Event {
    track: usize,
    name: String,
    /// Seconds since the epoch, if nothing on the track began before it had ended.
    start: f64,
    seconds: f64,
}

/// A trace that a [`Recorder`] wrote, read again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The devices' names, by their tracks.
    pub tracks: BTreeMap<usize, String>,
    /// What they did, in the order of the file.
    pub activities: Vec<Activity>,
}

/// Something that a device did.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Whose track it is on.
    pub track: usize,
    /// What was done, as `saxpy 0..100`, or `to device` and `from device` with the buffer for copies.
    pub name: String,
    /// When it began, in seconds since the recorder was made.
    pub start_seconds: f64,
    /// How long it took.
    pub seconds: f64,
}

impl Trace {
    /// Reads a trace; entries of other kinds than a recorder writes are passed over.
    ///
    /// # Errors
    ///
    /// If the text isn't in the Trace Event format.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let entries: Vec<Entry<'_>> = serde_json::from_str(text)?;
        let mut trace = Self::default();
        for entry in entries {
            match (&*entry.ph, entry.args) {
                ("M", Some(label)) if entry.name == TRACK_NAME => {
                    trace.tracks.insert(entry.tid, label.name.into_owned());
                }
                ("X", _) => trace.activities.push(Activity {
                    track: entry.tid,
                    name: entry.name.into_owned(),
                    start_seconds: entry.ts.unwrap_or(0.0) * 1e-6,
                    seconds: entry.dur.unwrap_or(0.0) * 1e-6,
                }),
                _ => {}
            }
        }
        Ok(trace)
    }
}

impl Activity {
    /// When it ended, in seconds since the recorder was made.
    #[must_use]
    pub fn end_seconds(&self) -> f64 {
        self.start_seconds + self.seconds
    }

    /// What kind of thing it was, by its name.
    #[must_use]
    pub fn kind(&self) -> ActivityKind<'_> {
        if self.name.starts_with("to device ") {
            return ActivityKind::ToDevice;
        }
        if self.name.starts_with("from device ") {
            return ActivityKind::FromDevice;
        }
        let run = || {
            let (entry, units) = self.name.rsplit_once(' ')?;
            let (start, end) = units.split_once("..")?;
            let units = end.parse::<u64>().ok()?.checked_sub(start.parse().ok()?)?;
            (units > 0).then_some(ActivityKind::Run { entry, units })
        };
        run().unwrap_or(ActivityKind::Other)
    }
}

/// What kind of thing a device did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivityKind<'a> {
    /// A run of a chunk.
    Run {
        /// The entry point.
        entry: &'a str,
        /// Units of the range's slowest dimension.
        units: u64,
    },
    /// A copy to the device's memory.
    ToDevice,
    /// A copy from the device's memory.
    FromDevice,
    /// Something else.
    Other,
}

/// What the entry that names a track is called.
const TRACK_NAME: &str = "thread_name";

/// One entry of the Trace Event format; times are in microseconds.
#[derive(Deserialize, Serialize)]
struct Entry<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    ph: Cow<'a, str>,
    #[serde(default)]
    pid: u32,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    args: Option<Label<'a>>,
}

#[derive(Deserialize, Serialize)]
struct Label<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
}

impl Recorder {
    /// Will write to `path`, with a track for each name. The file is made if it isn't there; what an earlier recorder wrote
    /// stays in it until [`Recorder::write`].
    ///
    /// # Errors
    ///
    /// If the system doesn't let the file be opened for writing.
    pub fn new(path: PathBuf, tracks: Vec<String>) -> io::Result<Self> {
        File::options().create(true).append(true).open(&path)?;
        Ok(Self {
            path,
            tracks,
            epoch: Instant::now(),
            events: Mutex::default(),
        })
    }

    /// Records something that ended at `end` and took so many seconds.
    pub fn add(&self, track: usize, name: &str, end: Instant, seconds: f64) {
        let start = (end.duration_since(self.epoch).as_secs_f64() - seconds).max(0.0);
        let event = Event {
            track,
            name: name.to_owned(),
            start,
            seconds,
        };
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    /// Writes what was recorded; if that fails it is said in the log, since no dispatch depends on it.
    pub fn write(&self) {
        let written = self
            .text()
            .map_err(io::Error::from)
            .and_then(|text| fs::write(&self.path, text));
        if let Err(error) = written {
            log::warn!("the trace {} is not written: {error}", self.path.display());
        }
    }

    fn text(&self) -> Result<String, serde_json::Error> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let tracks = self.tracks.iter().enumerate().map(|(tid, name)| Entry {
            name: TRACK_NAME.into(),
            ph: "M".into(),
            pid: 1,
            tid,
            ts: None,
            dur: None,
            args: Some(Label { name: name.into() }),
        });
        // A device does one thing after another but may say of several at once that they have ended: each began so long
        // before the next one did.
        let mut next = vec![f64::INFINITY; self.tracks.len()];
        let mut starts = vec![0.0; events.len()];
        for (event, start) in events.iter().zip(&mut starts).rev() {
            *start = event.start.min(next[event.track] - event.seconds).max(0.0);
            next[event.track] = *start;
        }
        let spans = events.iter().zip(starts).map(|(event, start)| Entry {
            name: event.name.as_str().into(),
            ph: "X".into(),
            pid: 1,
            tid: event.track,
            ts: Some(start * 1e6),
            dur: Some(event.seconds * 1e6),
            args: None,
        });
        serde_json::to_string(&tracks.chain(spans).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn recorder(path: &Path, tracks: [&str; 2]) -> Recorder {
        let opened = Recorder::new(path.to_owned(), tracks.map(str::to_owned).to_vec());
        opened.expect("it can be written")
    }

    #[test]
    fn a_trace_names_its_tracks_and_times_its_events() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace.json");
        let recorder = recorder(&path, ["cpu", "gpu"]);
        recorder.add(1, "run 0..10", Instant::now(), 0.5);
        recorder.write();
        let text = fs::read(&path).expect("it is written");
        let entries: serde_json::Value = serde_json::from_slice(&text).expect("it is JSON");
        assert_eq!(entries[1]["args"]["name"], "gpu");
        assert_eq!(
            (entries[2]["tid"].as_u64(), entries[2]["dur"].as_f64()),
            (Some(1), Some(500_000.0))
        );
    }

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let recorder = recorder(&folder.path().join("trace.json"), ["a \"cpu\"", "gpu"]);
        let end = recorder.epoch + std::time::Duration::from_secs(2);
        for (track, name) in [(1, "to device B1 0..9"), (1, "run 3..9"), (0, "run 0..3")] {
            recorder.add(track, name, end, 0.25);
        }
        let trace = Trace::read(&recorder.text().expect("it is JSON")).expect("it is a trace");
        assert_eq!(trace.tracks[&0], "a \"cpu\"");
        let told = trace.activities.iter();
        let told: Vec<_> = told
            .map(|done| (done.track, done.kind(), done.end_seconds()))
            .collect();
        let [six, three] = [6, 3].map(|units| ActivityKind::Run {
            entry: "run",
            units,
        });
        let copy = ActivityKind::ToDevice;
        assert_eq!(told, [(1, copy, 1.75), (1, six, 2.0), (0, three, 2.0)]);
    }

    #[test]
    fn entries_of_other_programs_are_passed_over() {
        let text = r#"[
            {"name":"process_name","ph":"M","tid":0,"args":{"name":"other"}},
            {"name":"mark","ph":"i","tid":0,"ts":1},
            {"name":"main 0..4","ph":"X","tid":7,"ts":1,"dur":2,"args":{"bytes":4}}
        ]"#;
        let trace = Trace::read(text).expect("it is a trace");
        assert!(trace.tracks.is_empty());
        assert_eq!(trace.activities.len(), 1);
        assert!(Trace::read("{").is_err());
    }

    #[test]
    fn what_ended_at_once_on_one_device_was_done_in_turn() {
        let folder = tempfile::tempdir().expect("a folder");
        let recorder = recorder(&folder.path().join("trace.json"), ["gpu", "cpu"]);
        let end = recorder.epoch + std::time::Duration::from_secs(10);
        for (track, seconds) in [(0, 1.0), (1, 4.0), (0, 2.0), (0, 3.0)] {
            recorder.add(track, "run", end, seconds);
        }
        let text = recorder.text().expect("it is JSON");
        let entries: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        let starts: Vec<_> = (2..6).map(|i| entries[i]["ts"].as_f64()).collect();
        assert_eq!(starts, [4e6, 6e6, 5e6, 7e6].map(Some));
    }
}
