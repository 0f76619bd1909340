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

/// Refuses a folder that files of these names could not be written into: better told now than after hours of computing.
pub(crate) fn writable(folder: &Path, names: &[String]) -> Result<(), Failure> {
    if let Some(path) = names.iter().map(|name| folder.join(name)).find(|path| path.is_dir()) {
        let cause = format!("{} is a folder, where a file is to be written", path.display());
        return Err(Failure::new(USAGE, cause, "name another folder with --output"));
    }
    let probe = folder.join(format!(".tokbench-{}", std::process::id()));
    std::fs::write(&probe, "").map_err(|error| failed(folder, &error))?;
    std::fs::remove_file(&probe).map_err(|error| failed(folder, &error))
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
