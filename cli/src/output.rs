//! Files that are whole or not there at all, and a standard output that may go away.
//!
//! A file is written beside its target under another name, and takes the target's name when it is complete; an interrupt
//! removes what isn't.
//!
//! Invariant: a file of the target's name is the one that was there, or the new one, whole.

use crate::failure::{Failure, Outcome};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tempfile::NamedTempFile;

/// The exit code of a program that an interrupt ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// Drafts that an interrupt has to remove.
static DRAFTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Makes an interrupt leave no drafts behind.
pub(crate) fn clean_up_when_interrupted() {
    let handled = ctrlc::set_handler(|| {
        for draft in DRAFTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            let _ = fs::remove_file(draft);
        }
        std::process::exit(INTERRUPTED);
    });
    // Without a handler an interrupt still ends the program; a draft may then be left, and the target is never touched.
    drop(handled);
}

/// Writes files that take their names together, once all are complete.
#[derive(Debug, Default)]
pub(crate) struct Files {
    drafts: Vec<(NamedTempFile, PathBuf)>,
}

impl Files {
    /// Adds a file with these bytes.
    pub(crate) fn add(&mut self, path: &Path, bytes: &[u8]) -> Outcome {
        let failed = |source| Failure::Write {
            path: path.to_owned(),
            source,
        };
        // A link is followed, so that it is the file behind it that is replaced. What is no file, a terminal say, can only be
        // written to.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let found = fs::metadata(&target).ok();
        if found.as_ref().is_some_and(|found| !found.is_file()) {
            let mut open = fs::OpenOptions::new()
                .write(true)
                .open(&target)
                .map_err(failed)?;
            return open
                .write_all(bytes)
                .and_then(|()| open.flush())
                .map_err(failed);
        }
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".divvy-").suffix(".part");
        let permissions = found.map(|found| found.permissions()).or_else(usual);
        if let Some(permissions) = &permissions {
            builder.permissions(permissions.clone());
        }
        let mut draft = builder.tempfile_in(folder).map_err(failed)?;
        DRAFTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(draft.path().to_owned());
        draft.write_all(bytes).map_err(failed)?;
        // Some file systems say only now that there is no room.
        draft.as_file().sync_all().map_err(failed)?;
        self.drafts.push((draft, target));
        Ok(())
    }

    /// Gives every file its name.
    pub(crate) fn finish(self) -> Outcome {
        for (draft, path) in self.drafts {
            draft.persist(&path).map_err(|error| Failure::Write {
                path,
                source: error.error,
            })?;
        }
        DRAFTS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        Ok(())
    }
}

/// The permissions of a file that nobody has restricted, before the user's mask.
#[cfg(unix)]
fn usual() -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn usual() -> Option<fs::Permissions> {
    None
}

/// Writes one file.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Outcome {
    let mut files = Files::default();
    files.add(path, bytes)?;
    files.finish()
}

/// Writes to the standard output.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())
        .and_then(|()| out.flush())
        .map_err(Failure::Stdout)
}

/// Writes to the standard error output, where it doesn't matter whether anyone reads it.
pub(crate) fn tell(text: impl AsRef<[u8]>) {
    let mut err = io::stderr().lock();
    let told = err.write_all(text.as_ref());
    drop(told);
}
