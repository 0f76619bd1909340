//! The error of the program: kind, cause and remedy.

use std::fmt;
use std::io::Read;
use std::path::Path;

/// Kind of an error, from which the program derives its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Internal or system failure.
    Failed,
    /// Invalid arguments or specification.
    Usage,
    /// Invalid or corrupt data.
    Data,
    /// Some runs failed or are unfinished.
    SomeFailed,
    /// Interrupted; finished work is kept.
    Interrupted,
}

/// An error. `Display` gives the cause; [`Error::remedy`] says how to fix it.
#[derive(Debug)]
pub struct Error {
    /// The kind.
    pub kind: ErrorKind,
    /// Cause.
    pub message: String,
    /// How to fix it, if known.
    pub remedy: Option<String>,
}

/// `Result` with this crate's [`struct@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// An error with a remedy.
    pub fn new(kind: ErrorKind, message: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error { kind, message: message.into(), remedy: Some(remedy.into()) }
    }

    /// A file operation that failed.
    #[must_use]
    pub fn file(path: &Path, error: &std::io::Error) -> Error {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check the file permissions",
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => "free disk space",
            std::io::ErrorKind::FileTooLarge => "raise the file size limit (ulimit -f), or write less data",
            std::io::ErrorKind::InvalidFilename => "use a shorter name",
            _ => "check the file and the disk",
        };
        Error::new(ErrorKind::Data, format!("{}: {error}", path.display()), remedy)
    }

    /// The error for a file in a known unsupported format, which is more helpful than a parse error.
    #[must_use]
    pub fn unsupported_format(path: &Path) -> Option<Error> {
        let mut start = Vec::new();
        // Only a regular file can be read again.
        let file = path.is_file().then(|| std::fs::File::open(path).ok()).flatten()?;
        file.take(1024).read_to_end(&mut start).ok()?;
        let (name, remedy) = dataset::text::unsupported_format(&start)?;
        Some(Error::new(ErrorKind::Data, format!("{}: unsupported file format: {name}", path.display()), remedy))
    }
}

impl From<dataset::Error> for Error {
    fn from(error: dataset::Error) -> Error {
        Error { kind: ErrorKind::Data, message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<bpe::Error> for Error {
    fn from(error: bpe::Error) -> Error {
        tokenize::Error::from(error).into()
    }
}

impl From<tokenize::Error> for Error {
    fn from(error: tokenize::Error) -> Error {
        if let tokenize::Error::File { path, .. } = &error
            && let Some(unsupported) = Error::unsupported_format(Path::new(path))
        {
            return unsupported;
        }
        let kind = match error {
            tokenize::Error::Fit { .. } | tokenize::Error::File { .. } => ErrorKind::Data,
            _ => ErrorKind::Usage,
        };
        Error { kind, message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<experiment::Error> for Error {
    fn from(error: experiment::Error) -> Error {
        use experiment::Error as E;
        if let E::Line { path, .. } = &error
            && let Some(unsupported) = Error::unsupported_format(path)
        {
            return unsupported;
        }
        let kind = match error {
            E::Syntax { .. } | E::Invalid { .. } | E::Refused { .. } | E::Name { .. } => ErrorKind::Usage,
            E::Line { .. } => ErrorKind::Data,
            _ => ErrorKind::Failed,
        };
        Error { kind, message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<model::Error> for Error {
    fn from(error: model::Error) -> Error {
        let kind = match error {
            model::Error::Interrupted { .. } => ErrorKind::Interrupted,
            model::Error::Data(_) | model::Error::File { .. } => ErrorKind::Data,
            model::Error::Device(_) | model::Error::Tokenizer(_) => ErrorKind::Usage,
            _ => ErrorKind::Failed,
        };
        Error { kind, message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<model::device::Error> for Error {
    fn from(error: model::device::Error) -> Error {
        Error::from(model::Error::from(error))
    }
}

impl From<report::Error> for Error {
    fn from(error: report::Error) -> Error {
        let remedy = match &error {
            report::Error::Write { path, source } => Error::file(path, source).remedy,
            _ => error.remedy(),
        };
        Error { kind: ErrorKind::Data, message: error.to_string(), remedy }
    }
}
