//! Output folders, created if needed, and checks of output paths, the same for every command.

use std::io;
use std::path::Path;

use crate::failure::{Failure, USAGE};

/// Creates a folder and its parents.
///
/// # Errors
/// If a file is in its place, or it cannot be created.
pub(crate) fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| match folder.ancestors().find(|part| is_in_the_way(part)) {
        Some(file) => {
            let inside = if file == folder { String::new() } else { format!("{}: ", folder.display()) };
            let cause = format!("{inside}{} is a file, not a folder", file.display());
            Failure::new(USAGE, cause, "name a folder with --output; it is created if needed")
        }
        None => failed(folder, &error),
    })
}

/// Refuses a folder into which files with these names could not be written: better now than after hours of computing.
pub(crate) fn writable(folder: &Path, names: &[String]) -> Result<(), Failure> {
    if let Some(path) = names.iter().map(|name| folder.join(name)).find(|path| path.is_dir()) {
        let cause = format!("cannot write {}: it is a folder", path.display());
        return Err(Failure::new(USAGE, cause, "name another folder with --output"));
    }
    let probe = folder.join(format!(".tokbench-{}", std::process::id()));
    std::fs::write(&probe, "").map_err(|error| failed(folder, &error))?;
    std::fs::remove_file(&probe).map_err(|error| failed(folder, &error))
}

/// Creates the folder of a file.
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

/// Refuses an output that is one of the input files, which it would overwrite.
pub(crate) fn apart<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    // Both ends of a device or a pipe may have the same name.
    let own = output.canonicalize().ok().filter(|path| path.is_file() && output != Path::new("-"));
    let Some(own) = own else { return Ok(()) };
    if inputs.into_iter().all(|input| input.canonicalize().map_or(true, |input| input != own)) {
        return Ok(());
    }
    Err(Failure::new(
        USAGE,
        format!("{} is an input, and the output would overwrite it", output.display()),
        "name another file with --output",
    ))
}
