//! What can go wrong when an experiment is asked, planned, stored or executed.
//!
//! `Display` is the cause only; [`Error::remedy`] is what to do about it. A run that fails is not an error but a record.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A spec that is not TOML, or holds a key or a type that no spec has.
    #[error("{origin}:{line}: {}{cause}", key.as_ref().map(|k| format!("{k}: ")).unwrap_or_default())]
    Syntax {
        /// File, or `flags`.
        origin: String,
        /// Line, counted from 1.
        line: usize,
        /// Key on that line, with its table.
        key: Option<String>,
        /// What is wrong.
        cause: String,
        /// What to do.
        remedy: Option<String>,
    },
    /// A spec that reads well but means nothing.
    #[error("{key}: {cause}")]
    Invalid {
        /// Key, with its table.
        key: String,
        /// What is wrong.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// The resolver refused a tokenizer, corpus or task.
    #[error("{cause}")]
    Refused {
        /// Key of the spec that named it.
        key: String,
        /// What is wrong.
        cause: String,
        /// What to do.
        remedy: Option<String>,
    },
    /// The system refused a file operation.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// `read`, `write`, `create` ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// A name that may not become part of a path.
    #[error("{name:?} is no {what}")]
    Name {
        /// `run key`, `name of a fitted vocabulary` ...
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A record that JSON cannot hold, or whose key is not that of its run.
    #[error("the record of run {key} cannot be kept: {cause}")]
    Unkeepable {
        /// First digits of the key.
        key: String,
        /// Why.
        cause: String,
    },
    /// A damaged line in a file of records.
    #[error("{}:{line}: {cause}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// The program that answers runs could not be started.
    #[error("cannot start {}: {cause}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Runs that wait for each other.
    #[error("run {key} waits for itself")]
    Cycle {
        /// First digits of the key.
        key: String,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Error::Syntax { remedy, .. } | Error::Refused { remedy, .. } => remedy.clone(),
            Error::Invalid { remedy, .. } | Error::Line { remedy, .. } => Some(remedy.clone()),
            Error::Io { cause, path, .. } => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(format!(
                    "free some space on the disk of {}; finished runs are safe and are not computed again",
                    path.display()
                )),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("choose a folder that you may write to, e.g. with --store".to_owned())
                }
                io::ErrorKind::NotFound => Some("check the path".to_owned()),
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    Some("a file stands where a folder is needed: choose another one".to_owned())
                }
                _ => None,
            },
            Error::Name { what: "run key", .. } => {
                Some("a run key has 64 hexadecimal digits; \"tokbench plan\" shows them".to_owned())
            }
            Error::Name { .. } => Some("use letters, digits, '.', '_' and '-'".to_owned()),
            Error::Unkeepable { .. } => {
                Some("this is a fault of the program that made the record: please report it".to_owned())
            }
            Error::Spawn { cause, .. } if cause.kind() == io::ErrorKind::WouldBlock => Some(
                "raise the limit on processes (ulimit -u, or that of the container), or lower --workers".to_owned(),
            ),
            Error::Spawn { .. } => Some("check that the program exists and may be executed".to_owned()),
            Error::Cycle { .. } => None,
        }
    }

    /// Turns an I/O error into one that names the file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |cause| Error::Io { action, path: path.to_owned(), cause }
    }

    /// The record of a run that cannot be kept; the first digits of its key.
    pub(crate) fn unkeepable(key: &str, cause: &dyn std::fmt::Display) -> Error {
        Error::Unkeepable { key: key.to_owned(), cause: cause.to_string() }
    }

    pub(crate) fn invalid(key: &str, cause: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Invalid { key: key.to_owned(), cause: cause.into(), remedy: remedy.into() }
    }
}
