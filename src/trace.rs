//! What happened when, on which device: for people to look at.
//!
//! Records events and writes them in the Trace Event format that Perfetto and Chrome's tracing page open; what is worth
//! an event is the caller's choice.
//!
//! Invariant: recording never fails and never waits for the disk.

use serde::Serialize;
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

/// One entry of the Trace Event format; times are in microseconds.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    ph: &'a str,
    pid: u32,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Label<'a>>,
}

#[derive(Serialize)]
struct Label<'a> {
    name: &'a str,
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
            name: "thread_name",
            ph: "M",
            pid: 1,
            tid,
            ts: None,
            dur: None,
            args: Some(Label { name }),
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
            name: &event.name,
            ph: "X",
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
