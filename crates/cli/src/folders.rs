//! Folders that results go into: made where there are none, the same for every command.

use std::io;
use std::path::Path;

use crate::failure::{Failure, USAGE};

/// Makes a folder, and those that it lies in.
pub(crate) fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| match folder.ancestors().find(|part| is_in_the_way(part)) {
        Some(file) => {
            let inside = if file == folder { String::new() } else { format!("{}: ", folder.display()) };
            let cause = format!("{inside}{} is a file, not a folder", file.display());
            Failure::new(USAGE, cause, "name a folder with --output; it is made where there is none")
        }
        None => failed(folder, &error),
    })
}

/// Makes the folder of a file.
pub(crate) fn make_for(file: &Path) -> Result<(), Failure> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => make(folder),
        _ => Ok(()),
    }
}

fn is_in_the_way(part: &Path) -> bool {
    part.exists() && !part.is_dir()
}

fn failed(folder: &Path, error: &io::Error) -> Failure {
    Failure { remedy: Some("choose another folder with --output".to_owned()), ..Failure::file(folder, error) }
}

/// Refuses an output that is one of the files read: it would take their place.
pub(crate) fn apart<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    // Of devices and pipes both ends may have one name.
    let own = output.canonicalize().ok().filter(|path| path.is_file() && output != Path::new("-"));
    let Some(own) = own else { return Ok(()) };
    if inputs.into_iter().all(|input| input.canonicalize().map_or(true, |input| input != own)) {
        return Ok(());
    }
    Err(Failure::new(
        USAGE,
        format!("{} is read, and would be replaced by what is written", output.display()),
        "name another file with --output",
    ))
}
