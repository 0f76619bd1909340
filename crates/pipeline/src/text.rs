//! Text files that people wrote.

use std::path::Path;

use dataset::text::decode;

use crate::error::{Error, ErrorKind, Result};

/// The text of a file that a person wrote: UTF-8, with or without a byte order mark.
///
/// # Errors
/// If it cannot be read, is of another kind, or is not UTF-8.
pub fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::file(path, &error))?;
    of(&bytes, path).map_err(|error| Error::foreign(path).unwrap_or(error))
}

/// As [`read`], of a file that was read already.
///
/// # Errors
/// If it is not UTF-8.
pub fn of(bytes: &[u8], path: &Path) -> Result<String> {
    let text = decode(bytes)
        .map_err(|error| Error::new(ErrorKind::Data, format!("{}: {error}", path.display()), error.remedy()));
    Ok(text?.to_owned())
}
