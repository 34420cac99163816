//! What the library warns of, on the standard error output.
//!
//! Invariant: a warning is one line that begins with `warning:`, and what other libraries log isn't shown.

use crate::output::tell;
use log::{LevelFilter, Log, Metadata, Record};

struct Warnings;

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().split("::").next() == Some("divvy")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            warn(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Shows one.
pub(crate) fn warn(text: &str) {
    tell(format!("warning: {text}\n"));
}

/// Shows warnings from now on.
pub(crate) fn show_warnings() {
    // Only a logger that is there already refuses, and then somebody else shows them.
    if log::set_logger(&Warnings).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}
