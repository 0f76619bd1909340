//! Standard input and output in the place of files.

use std::io::{self, Read};
use std::path::Path;

use crate::failure::{Failure, USAGE};

/// The name of a tokenizer that is read from standard input.
pub(crate) const STANDARD_INPUT: &str = "standard input";

pub(crate) fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| Failure::file(Path::new(STANDARD_INPUT), &error))?;
    Ok(bytes)
}

/// Refuses two inputs on standard input: the tokenizer, and the files that are read with it.
pub(crate) fn one_standard_input<'a>(tokenizer: &'a str, files: impl Iterator<Item = &'a Path>) -> Result<(), Failure> {
    if std::iter::once(Path::new(tokenizer)).chain(files).filter(|path| is_standard_input(path)).count() > 1 {
        let reason = "two inputs cannot both be standard input: it can be read only once";
        return Err(Failure::new(USAGE, reason, "name a file for one of them"));
    }
    Ok(())
}

/// Whether a path means standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

pub(crate) fn is_standard_input(path: &Path) -> bool {
    is_standard(path) || ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

/// Also under the names that the system has for it: a file that it was redirected to is appended to, not replaced.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    is_standard(path) || ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}
