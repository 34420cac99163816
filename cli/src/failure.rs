//! What can go wrong on the command line, in words that name the way out.
//!
//! Messages and exit codes; what is an error is for each command to say.
//!
//! Invariant: a message is one line, but for what a compiler or checked mode has to show of the source.

use divvy::KernelError;
use std::io;
use std::path::PathBuf;

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("can't read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("can't write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is no kernel: it has more than {most} bytes", path.display())]
    Endless { path: PathBuf, most: u64 },
    #[error("`{first}` and `{second}` are both to be written to {}", path.display())]
    SameFile {
        first: String,
        second: String,
        path: PathBuf,
    },
    #[error("can't write to the terminal or pipe: {0}")]
    Stdout(io::Error),
    #[error("{}: {source}", path.display())]
    Kernel {
        path: PathBuf,
        source: Box<KernelError>,
    },
    #[error(transparent)]
    Library(#[from] divvy::Error),
    #[error("the kernel has no {what} `{name}`; it has {}", listed(found))]
    UnknownName {
        what: &'static str,
        name: String,
        found: Vec<String>,
    },
    #[error("`{name}` is a {is}, which `{option}` can't set")]
    WrongOption {
        name: String,
        is: &'static str,
        option: &'static str,
        instead: String,
    },
    #[error("nothing says what is in {}", listed(names))]
    Unbound { names: Vec<String> },
    #[error("nothing says what {} is", listed(paths))]
    NoValue { paths: Vec<String> },
    #[error("`{path}` is {expected}, which `{text}` is not")]
    Value {
        path: String,
        expected: String,
        text: String,
    },
    #[error("`{path}` is made of {expected} numbers, but {actual} are given")]
    ValueCount {
        path: String,
        expected: usize,
        actual: usize,
    },
    #[error("`{source_text}` is no source of data for `{name}`: {why}")]
    Source {
        name: String,
        source_text: String,
        why: String,
    },
    #[error("{} doesn't fit `{name}`: {why}", path.display())]
    Unfit {
        path: PathBuf,
        name: String,
        why: String,
        hint: &'static str,
    },
    #[error(
        "`{name}` has {count} elements of {bytes} bytes, which is no whole number of words of 4 bytes"
    )]
    Odd {
        name: String,
        count: usize,
        bytes: usize,
    },
    #[error("`{option}` is for a kernel of your own, and the suite has its own")]
    OfSuite { option: &'static str },
    #[error("{} has a format that can neither be read nor written", path.display())]
    Format { path: PathBuf },
    #[error("{} is no {format} file that can be read: {why}", path.display())]
    Malformed {
        path: PathBuf,
        format: &'static str,
        why: String,
    },
    #[error("`{name}` can't be written as {format}: {why}")]
    Unshown {
        name: String,
        format: &'static str,
        why: String,
    },
    #[error("nothing says which range to run over")]
    NoRange,
    #[error("there is no folder for profiles on this system")]
    NoFolder,
    #[error("{what} and {beside} don't agree on `{name}`: {difference}")]
    Differs {
        what: String,
        beside: String,
        name: String,
        difference: String,
    },
    #[error("what the program made can't be read back: {0}")]
    Trace(serde_json::Error),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

impl Failure {
    /// Whether the command line has to be changed, and not the kernel, a file or the machine.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Failure::UnknownName { .. }
            | Failure::NoRange
            | Failure::WrongOption { .. }
            | Failure::Unbound { .. }
            | Failure::NoValue { .. }
            | Failure::Value { .. }
            | Failure::ValueCount { .. }
            | Failure::Format { .. }
            | Failure::SameFile { .. }
            | Failure::Odd { .. }
            | Failure::OfSuite { .. }
            | Failure::Source { .. } => true,
            Failure::Kernel { source, .. } => matches!(
                **source,
                KernelError::SeveralEntries { .. }
                    | KernelError::UnknownEntry { .. }
                    | KernelError::UnknownConstant { .. }
                    | KernelError::MissingConstant { .. }
                    | KernelError::ConstantValue { .. }
                    | KernelError::Constants { .. }
            ),
            Failure::Library(error) => matches!(
                error,
                divvy::Error::UnknownDevice { .. }
                    | divvy::Error::Setting { .. }
                    | divvy::Error::EmptyRange { .. }
                    | divvy::Error::RangeTooLarge { .. }
            ),
            _ => false,
        }
    }

    /// Whether whoever was to read what is printed has gone, which is no news to anyone.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Failure::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message. Where the library speaks of its methods, this speaks of options.
    pub(crate) fn message(&self) -> String {
        match self {
            Failure::Kernel { path, source } => {
                let path = path.display();
                match &**source {
                    KernelError::SeveralEntries { found } => {
                        format!("{path} has several entry points: {}", listed(found))
                    }
                    KernelError::MissingConstant { name } => {
                        format!("{path}: `override {name}` has no default")
                    }
                    // The parser's own message is the message.
                    KernelError::Wgsl { excerpt } => {
                        let excerpt = excerpt.trim();
                        format!(
                            "{path}: {}",
                            excerpt.strip_prefix("error: ").unwrap_or(excerpt)
                        )
                    }
                    _ => self.to_string(),
                }
            }
            _ => self.to_string(),
        }
    }

    /// What would help.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Failure::Kernel { source, .. } => match &**source {
                KernelError::SeveralEntries { found } => {
                    format!("choose one, as with --entry {}", found.first()?)
                }
                KernelError::MissingConstant { name } => {
                    format!("give it a value with --constant {name}=VALUE")
                }
                _ => return None,
            },
            Failure::NoRange => "give one or more, as --range 65536 --range 1048576".to_owned(),
            Failure::WrongOption { instead, .. } => instead.clone(),
            Failure::Unbound { names } => {
                let name = names.first()?;
                format!("give it data, as --bind {name}=FILE.npy, --bind {name}=zeros or --bind {name}=random:1")
            }
            Failure::NoValue { paths } => {
                format!("give it a value, as --value {}=1", paths.first()?)
            }
            Failure::ValueCount { path, .. } => {
                format!("numbers are set apart by commas, as --value {path}=1,2,3")
            }
            Failure::Source { .. } => {
                "use a file (.npy, .png, or raw bytes), zeros, ones, iota or random:SEED, each with :COUNT behind it if the \
                 range doesn't say it"
                    .to_owned()
            }
            Failure::Format { .. } => {
                "use .npy for arrays, .png for pictures, .raw for bytes".to_owned()
            }
            Failure::Unfit { hint, .. } if !hint.is_empty() => (*hint).to_owned(),
            Failure::SameFile { .. } => "give each a file of its own".to_owned(),
            Failure::Odd { name, count, .. } => {
                let even = count + 1;
                format!("use an even number, as --bind {name}=zeros:{even}")
            }
            Failure::OfSuite { .. } => {
                "name the kernel's file, as divvy bench saxpy.wgsl --range 65536".to_owned()
            }
            Failure::NoFolder => "name one in DIVVY_PROFILE_DIR".to_owned(),
            _ => return None,
        };
        Some(hint)
    }
}
