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
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{NamedTempFile, TempDir};

/// The exit code of a program that an interrupt ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// Drafts and folders that an interrupt has to remove.
static DRAFTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn drafts() -> MutexGuard<'static, Vec<PathBuf>> {
    DRAFTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes an interrupt leave no drafts behind.
pub(crate) fn clean_up_when_interrupted() {
    let handled = ctrlc::set_handler(|| {
        for draft in drafts().drain(..) {
            let _ = match draft.is_dir() {
                true => fs::remove_dir_all(draft),
                false => fs::remove_file(draft),
            };
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

/// Where a file is to be written, once its name has been followed to what it stands for.
///
/// # Errors
///
/// If it is there and says that it isn't to be written.
fn target(path: &Path) -> Outcome<(PathBuf, Option<fs::Metadata>)> {
    // A link is followed, so that it is the file behind it that is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let found = fs::metadata(&target).ok();
    let refused = match &found {
        Some(found) if found.is_dir() => Some(io::ErrorKind::IsADirectory),
        Some(found) if found.is_file() && found.permissions().readonly() => {
            Some(io::ErrorKind::PermissionDenied)
        }
        _ => None,
    };
    match refused {
        Some(kind) => Err(Failure::Write {
            path: path.to_owned(),
            source: kind.into(),
        }),
        None => Ok((target, found)),
    }
}

/// The folder that a file is in, or is to be.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A draft beside its target.
fn draft(target: &Path, found: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    let folder = folder_of(target);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".divvy-").suffix(".part");
    let permissions = found.map(fs::Metadata::permissions).or_else(usual);
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    // The name of the draft, which stands in the error, is no affair of the user's.
    builder.tempfile_in(folder).map_err(|error| {
        let missing = fs::metadata(folder).err();
        missing.unwrap_or_else(|| error.kind().into())
    })
}

/// Fails as writing would, as far as that can be known, so that nobody computes for hours what has no place.
pub(crate) fn check_writable(path: &Path) -> Outcome {
    let (target, found) = target(path)?;
    if found.as_ref().is_some_and(|found| !found.is_file()) {
        return Ok(());
    }
    let tried = draft(&target, found.as_ref());
    tried.map(drop).map_err(|source| Failure::Write {
        path: path.to_owned(),
        source,
    })
}

/// A folder for what only the program itself reads, which goes with it.
pub(crate) fn scratch() -> Outcome<TempDir> {
    let folder = tempfile::tempdir().map_err(|source| Failure::Write {
        path: std::env::temp_dir(),
        source,
    })?;
    drafts().push(folder.path().to_owned());
    Ok(folder)
}

impl Files {
    /// Adds a file with these bytes.
    pub(crate) fn add(&mut self, path: &Path, bytes: &[u8]) -> Outcome {
        let failed = |source| Failure::Write {
            path: path.to_owned(),
            source,
        };
        let (target, found) = target(path)?;
        // What is no file, a terminal say, can only be written to.
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
        let mut draft = draft(&target, found.as_ref()).map_err(failed)?;
        drafts().push(draft.path().to_owned());
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
        drafts().retain(|draft| draft.is_dir());
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

/// The one name of a file that may have several, whether it is there yet or not.
pub(crate) fn the_file(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    match (folder_of(path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
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
