//! An error as a person sees it: cause, remedy, exit code.

use std::io::Read;
use std::path::Path;

/// Something failed that should not.
pub(crate) const FAILED: u8 = 1;
/// Wrong arguments or an experiment that means nothing.
pub(crate) const USAGE: u8 = 2;
/// Wrong or damaged data.
pub(crate) const DATA: u8 = 3;
/// Some runs failed.
pub(crate) const SOME_FAILED: u8 = 4;
/// Interrupted; what was done is kept.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why the program ends.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
    pub(crate) remedy: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>, remedy: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), remedy: Some(remedy.into()) }
    }

    pub(crate) fn file(path: &Path, error: &std::io::Error) -> Failure {
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
        Failure::new(DATA, format!("{}: {error}", path.display()), remedy)
    }
}

impl Failure {
    /// A file that cannot be read because it is of another kind: what it is says more than where its text went wrong.
    pub(crate) fn foreign(path: &Path) -> Option<Failure> {
        let mut start = Vec::new();
        // Only a plain file can be looked at again.
        let file = path.is_file().then(|| std::fs::File::open(path).ok()).flatten()?;
        file.take(1024).read_to_end(&mut start).ok()?;
        let (name, remedy) = dataset::text::foreign(&start)?;
        Some(Failure::new(DATA, format!("{}: this is {name}, which is not read here", path.display()), remedy))
    }
}

impl From<dataset::Error> for Failure {
    fn from(error: dataset::Error) -> Failure {
        Failure { code: DATA, message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<tokenize::Error> for Failure {
    fn from(error: tokenize::Error) -> Failure {
        if let tokenize::Error::File { path, .. } = &error
            && let Some(failure) = Failure::foreign(Path::new(path))
        {
            return failure;
        }
        let code = match error {
            tokenize::Error::Fit { .. } | tokenize::Error::File { .. } => DATA,
            _ => USAGE,
        };
        Failure { code, message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<experiment::Error> for Failure {
    fn from(error: experiment::Error) -> Failure {
        use experiment::Error as E;
        if let E::Line { path, .. } = &error
            && let Some(failure) = Failure::foreign(path)
        {
            return failure;
        }
        let code = match error {
            E::Syntax { .. } | E::Invalid { .. } | E::Refused { .. } | E::Name { .. } => USAGE,
            E::Line { .. } => DATA,
            _ => FAILED,
        };
        Failure { code, message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<model::Error> for Failure {
    fn from(error: model::Error) -> Failure {
        let code = match error {
            model::Error::Interrupted { .. } => INTERRUPTED,
            model::Error::Data(_) | model::Error::File { .. } => DATA,
            model::Error::Device(_) | model::Error::Tokenizer(_) => USAGE,
            _ => FAILED,
        };
        Failure { code, message: error.to_string(), remedy: error.remedy() }
    }
}

impl From<model::device::Error> for Failure {
    fn from(error: model::device::Error) -> Failure {
        Failure::from(model::Error::from(error))
    }
}

impl From<report::Error> for Failure {
    fn from(error: report::Error) -> Failure {
        let remedy = match &error {
            report::Error::Write { path, source } => Failure::file(path, source).remedy,
            report::Error::Duplicate { .. } => Some(
                "records of one experiment go into one report; tasks of different files need names of their own (name = ... in a \
                 task file)"
                    .to_owned(),
            ),
            _ => None,
        };
        Failure { code: DATA, message: error.to_string(), remedy }
    }
}
