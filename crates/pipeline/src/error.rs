//! An error as a person needs it: its kind, its cause, what to do.

use std::fmt;
use std::io::Read;
use std::path::Path;

/// What kind of thing went wrong. A program turns it into its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something failed that should not.
    Failed,
    /// Wrong arguments, or an experiment that means nothing.
    Usage,
    /// Wrong or damaged data.
    Data,
    /// Some runs failed or are not finished.
    SomeFailed,
    /// Interrupted; what was done is kept.
    Interrupted,
}

/// Why something ends. `Display` is the cause; [`Error::remedy`] says what to do about it.
#[derive(Debug)]
pub struct Error {
    /// The kind.
    pub kind: ErrorKind,
    /// What is wrong.
    pub message: String,
    /// What to do, where there is something.
    pub remedy: Option<String>,
}

/// `Result` with this crate's [`enum@Error`].
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

    /// The system refused a file.
    #[must_use]
    pub fn file(path: &Path, error: &std::io::Error) -> Error {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check who may read and write there",
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => "free some space on the disk",
            std::io::ErrorKind::FileTooLarge => {
                "raise the limit on the size of files (ulimit -f), or write less at a time"
            }
            std::io::ErrorKind::InvalidFilename => "choose a shorter name",
            _ => "check the file and the disk",
        };
        Error::new(ErrorKind::Data, format!("{}: {error}", path.display()), remedy)
    }

    /// A file that cannot be read because it is of another kind: what it is says more than where its text went wrong.
    #[must_use]
    pub fn foreign(path: &Path) -> Option<Error> {
        let mut start = Vec::new();
        // Only a plain file can be looked at again.
        let file = path.is_file().then(|| std::fs::File::open(path).ok()).flatten()?;
        file.take(1024).read_to_end(&mut start).ok()?;
        let (name, remedy) = dataset::text::foreign(&start)?;
        Some(Error::new(ErrorKind::Data, format!("{}: this is {name}, which is not read here", path.display()), remedy))
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
            && let Some(foreign) = Error::foreign(Path::new(path))
        {
            return foreign;
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
            && let Some(foreign) = Error::foreign(path)
        {
            return foreign;
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
