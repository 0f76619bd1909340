//! Reading of text files written by users.

use std::path::Path;

use dataset::text::decode;

use crate::error::{Error, ErrorKind, Result};

/// Reads a UTF-8 text file, with or without byte order mark.
///
/// # Errors
/// If it cannot be read, has an unsupported format, or is not valid UTF-8.
pub fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::file(path, &error))?;
    of(&bytes, path).map_err(|error| Error::unsupported_format(path).unwrap_or(error))
}

/// As [`read`], for bytes that are already read.
///
/// # Errors
/// If they are not valid UTF-8.
pub fn of(bytes: &[u8], path: &Path) -> Result<String> {
    let text = decode(bytes)
        .map_err(|error| Error::new(ErrorKind::Data, format!("{}: {error}", path.display()), error.remedy()));
    Ok(text?.to_owned())
}
