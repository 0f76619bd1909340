//! Errors of specifications, plans, stores and executors.
//!
//! `Display` gives the cause; [`Error::remedy`] says how to fix it. A run that fails is not an error: it has a record.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A spec that is not valid TOML, or has an unknown key or a value of the wrong type.
    #[error("{origin}:{line}: {}{cause}", key.as_ref().map(|k| format!("{k}: ")).unwrap_or_default())]
    Syntax {
        /// Path of the file, or `flags`.
        origin: String,
        /// Line, counted from 1.
        line: usize,
        /// Key on that line, prefixed by its table.
        key: Option<String>,
        /// What is wrong.
        cause: String,
        /// How to fix it.
        remedy: Option<String>,
    },
    /// A spec with an invalid value.
    #[error("{key}: {cause}")]
    Invalid {
        /// Key, prefixed by its table.
        key: String,
        /// What is wrong.
        cause: String,
        /// How to fix it.
        remedy: String,
    },
    /// A tokenizer, corpus or task that the resolver rejected.
    #[error("{cause}")]
    Refused {
        /// Key of the spec that names it.
        key: String,
        /// What is wrong.
        cause: String,
        /// How to fix it.
        remedy: Option<String>,
    },
    /// A file operation that failed.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// `read`, `write`, `create` ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        cause: io::Error,
    },
    /// A name that cannot be part of a path.
    #[error("invalid {what} {name:?}")]
    Name {
        /// `run key`, `name of a fitted vocabulary` ...
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A record that JSON cannot represent, or whose key does not match its run.
    #[error("cannot store the record of run {key}: {cause}")]
    InvalidRecord {
        /// First digits of the key.
        key: String,
        /// Why.
        cause: String,
    },
    /// An invalid line in a file of records.
    #[error("{}:{line}: {cause}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        cause: String,
        /// How to fix it.
        remedy: String,
    },
    /// The program that executes runs could not be started.
    #[error("cannot start {}: {cause}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Error of the operating system.
        cause: io::Error,
    },
    /// Runs that depend on each other.
    #[error("cyclic dependency: run {key} depends on itself")]
    Cycle {
        /// First digits of the key.
        key: String,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// How to fix the error, printed as `help:`.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Error::Syntax { remedy, .. } | Error::Refused { remedy, .. } => remedy.clone(),
            Error::Invalid { remedy, .. } | Error::Line { remedy, .. } => Some(remedy.clone()),
            Error::Io { cause, path, .. } => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(format!(
                    "free disk space for {}; finished runs are kept and not computed again",
                    path.display()
                )),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("use a writable folder, e.g. with --store".to_owned())
                }
                io::ErrorKind::NotFound => Some("check the path".to_owned()),
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    Some("the path is a file, but a folder is required; use another path".to_owned())
                }
                _ => None,
            },
            Error::Name { what: "run key", .. } => {
                Some("a run key has 64 hexadecimal digits; \"tokbench plan\" shows them".to_owned())
            }
            Error::Name { .. } => Some("use letters, digits, '.', '_' and '-'".to_owned()),
            Error::InvalidRecord { .. } => {
                Some("this is a bug in the program that wrote the record; please report it".to_owned())
            }
            Error::Spawn { cause, .. } if cause.kind() == io::ErrorKind::WouldBlock => {
                Some("raise the process limit (ulimit -u, or that of the container), or reduce --workers".to_owned())
            }
            Error::Spawn { .. } => Some("check that the program exists and is executable".to_owned()),
            Error::Cycle { .. } => None,
        }
    }

    /// Adds action and path to an I/O error.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |cause| Error::Io { action, path: path.to_owned(), cause }
    }

    /// A record that cannot be stored; `key`: the first digits of its key.
    pub(crate) fn invalid_record(key: &str, cause: &dyn std::fmt::Display) -> Error {
        Error::InvalidRecord { key: key.to_owned(), cause: cause.to_string() }
    }

    pub(crate) fn invalid(key: &str, cause: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Invalid { key: key.to_owned(), cause: cause.into(), remedy: remedy.into() }
    }
}
