//! Atomic file writes, safe for concurrent processes without locks. All files of the program are written here.
//!
//! Temporary file in the same folder, fsync, rename, fsync of the folder: after a crash at any point, the path has the old
//! content or the new one, never a part. Symbolic links are followed. A device, a pipe or an open file descriptor
//! (`/dev/fd/N`) is written in place. A file is replaced, not modified: other hard links keep the old content, and the new
//! file belongs to the writing user.
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("numbers.csv");
//! use std::io::Write;
//! let mut draft = experiment::files::Draft::create(&path).unwrap();
//! writeln!(draft, "name,value").unwrap();
//! assert!(!path.exists());
//! draft.finish().unwrap();
//! assert_eq!(std::fs::read(&path).unwrap(), b"name,value\n");
//! ```

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempPath;

use crate::error::{Error, Result};

/// Prefix of temporary names, which are short, so that they fit wherever the final name does.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Temporary files younger than this may belong to a running process.
pub(crate) const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum length of a chain of symbolic links; the same limit as in Linux.
const LINKS: usize = 40;

/// Temporary files of this process.
static DRAFTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn drafts() -> MutexGuard<'static, Vec<PathBuf>> {
    DRAFTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is being written. If it is dropped before [`Draft::finish`], nothing remains.
#[derive(Debug)]
pub struct Draft {
    file: File,
    /// Temporary and final path; `None` for a device or a pipe, which is written in place.
    names: Option<Names>,
}

#[derive(Debug)]
struct Names {
    temporary: TempPath,
    path: PathBuf,
}

impl Drop for Names {
    fn drop(&mut self) {
        drafts().retain(|draft| *draft != *self.temporary);
    }
}

impl Draft {
    /// Starts writing the file `path`. The permissions of an existing file are kept.
    ///
    /// # Errors
    /// If the folder does not exist or is not writable, `path` is a folder, or an existing file is write-protected.
    pub fn create(path: &Path) -> io::Result<Draft> {
        let path = target(path)?;
        if in_place(&path) {
            // Append to what others have written.
            return Ok(Draft { file: OpenOptions::new().append(true).open(path)?, names: None });
        }
        let present = fs::metadata(&path).ok();
        if present.is_some() {
            // Checks for write permission without changing the file.
            OpenOptions::new().write(true).open(&path)?;
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
        let mut known = drafts();
        let (file, temporary) = builder.tempfile_in(folder(&path)).map_err(plain)?.into_parts();
        known.push(temporary.to_path_buf());
        drop(known);
        let draft = Draft { file, names: Some(Names { temporary, path }) };
        if let Some(present) = present {
            draft.file.set_permissions(present.permissions())?;
        }
        Ok(draft)
    }

    /// Flushes the file to disk and renames it to its final path.
    ///
    /// # Errors
    /// If flushing or renaming fails; then no temporary file remains.
    pub fn finish(self) -> io::Result<()> {
        finish_all([self])
    }
}

/// Finishes several files together: all are flushed to disk before the first is renamed.
///
/// # Errors
/// As [`Draft::finish`].
pub fn finish_all(drafts: impl IntoIterator<Item = Draft>) -> io::Result<()> {
    let mut all = Vec::new();
    for Draft { file, names } in drafts {
        let Some(names) = names else { continue };
        file.sync_all()?;
        all.push(names);
    }
    {
        // Holding the lock delays `abandon` until all files are renamed.
        let _known = self::drafts();
        for names in &all {
            fs::rename(&names.temporary, &names.path)?;
        }
    }
    for names in &all {
        sync_folder(folder(&names.path));
    }
    Ok(())
}

/// Whether a path is written in place instead of being replaced: a device, a pipe, or an open file descriptor.
#[must_use]
pub fn in_place(path: &Path) -> bool {
    let own = ["/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"].iter().any(|open| path.starts_with(open));
    let open = own || path.starts_with("/proc") && path.components().any(|part| part.as_os_str() == "fd");
    open || fs::metadata(path).is_ok_and(|present| !present.is_file() && !present.is_dir())
}

/// Removes the temporary name from an error message.
fn plain(error: io::Error) -> io::Error {
    use io::ErrorKind as E;
    let known = [
        E::NotFound,
        E::PermissionDenied,
        E::NotADirectory,
        E::StorageFull,
        E::QuotaExceeded,
        E::FileTooLarge,
        E::InvalidFilename,
        E::ReadOnlyFilesystem,
    ];
    // For other kinds, the message of the operating system is more specific.
    if known.contains(&error.kind()) { error.kind().into() } else { error }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Draft {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.file.seek(place)
    }
}

/// Replaces the content of `path` by `bytes`.
///
/// # Errors
/// If it cannot be written; then the old content is kept.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut draft = Draft::create(path)?;
    draft.write_all(bytes.as_ref())?;
    draft.finish()
}

/// As [`write`], with the path in the error.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes).map_err(Error::io("write", path))
}

/// Removes all temporary files before the process exits; no other file can be started afterwards.
pub fn abandon() {
    let known = drafts();
    for draft in known.iter() {
        let _ = fs::remove_file(draft);
    }
    std::mem::forget(known);
}

/// Resolves symbolic links, including dangling ones.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            _ if in_place(&path) => return Ok(path),
            Ok(link) => path = folder(&path).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links"))
}

/// The parent folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Flushes a rename to disk. Some systems cannot open folders; the rename is atomic anyway.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// The content of a file; `None` if it does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path)(e)),
    }
}

/// Renames a corrupt file to `<name>.corrupt-<n>` with the first free n; `None` if another process has already moved it.
pub(crate) fn set_aside(path: &Path) -> Result<Option<PathBuf>> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    for n in 1_u64.. {
        let target = path.with_file_name(format!("{name}.corrupt-{n}"));
        // Creating the target first reserves the name, so that no earlier file is overwritten.
        match OpenOptions::new().write(true).create_new(true).open(&target) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(Error::io("rename a corrupt file to", &target)(e)),
        }
        return match fs::rename(path, &target) {
            Ok(()) => Ok(Some(target)),
            Err(e) => {
                let _ = fs::remove_file(&target);
                if e.kind() == io::ErrorKind::NotFound {
                    Ok(None)
                } else {
                    Err(Error::io("rename the corrupt file", path)(e))
                }
            }
        };
    }
    Ok(None)
}

/// Removes temporary files in `folder` that are older than [`STALE`]; errors are ignored.
pub(crate) fn clean(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
        if age.is_some_and(|age| age > STALE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn unfinished_files_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, "old").unwrap();
        let mut draft = Draft::create(&path).unwrap();
        draft.write_all(b"new").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(draft);
        assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"old".to_vec()));
        assert!(Draft::create(folder.path()).is_err(), "a folder is not a file");
        assert!(Draft::create(&folder.path().join("none/x")).is_err());
    }

    #[test]
    fn file_names_of_maximum_length_work() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a".repeat(255));
        write(&path, "x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
        assert_eq!(names(folder.path()).len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_are_followed() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("deep")).unwrap();
        write(&path("deep/real"), "old").unwrap();
        symlink("deep/real", path("link")).unwrap();
        symlink("link", path("chain")).unwrap();
        symlink("deep/absent", path("dangling")).unwrap();
        symlink("b", path("a")).unwrap();
        symlink("a", path("b")).unwrap();
        write(&path("chain"), "new").unwrap();
        write(&path("dangling"), "made").unwrap();
        assert_eq!(fs::read(path("deep/real")).unwrap(), b"new");
        assert_eq!(fs::read(path("deep/absent")).unwrap(), b"made");
        for link in ["link", "chain", "dangling"] {
            assert!(fs::symlink_metadata(path(link)).unwrap().is_symlink(), "{link}");
        }
        assert!(write(&path("a"), "x").unwrap_err().to_string().contains("symbolic links"));
        assert_eq!(names(&path("deep")), ["absent", "real"]);
    }

    #[test]
    fn files_are_finished_together() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        write(&one, "old").unwrap();
        let drafts = [Draft::create(&one).unwrap(), Draft::create(&other).unwrap()];
        finish_all(drafts).unwrap();
        assert_eq!((fs::read(&one).unwrap(), fs::read(&other).unwrap()), (vec![], vec![]));
        assert_eq!(names(folder.path()), ["one", "other"]);
    }

    #[cfg(unix)]
    #[test]
    fn open_files_are_written_in_place() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "old ").unwrap();
        let open = OpenOptions::new().append(true).open(&path).unwrap();
        for name in [format!("/dev/fd/{}", open.as_raw_fd()), format!("/proc/self/fd/{}", open.as_raw_fd())] {
            if Path::new(&name).exists() {
                write(Path::new(&name), "new ").unwrap();
            }
        }
        assert!(fs::read_to_string(&path).unwrap().starts_with("old new "));
        assert_eq!(names(folder.path()), ["x"]);
        assert!(in_place(Path::new("/dev/null")) && !in_place(&path) && !in_place(folder.path()));
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_kept_and_new_files_have_the_default() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (ours, plain, script) = (folder.path().join("x"), folder.path().join("y"), folder.path().join("z"));
        write(&ours, "x").unwrap();
        fs::write(&plain, "x").unwrap();
        assert_eq!(mode(&ours), mode(&plain));
        fs::write(&script, "x").unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o751)).unwrap();
        write(&script, "y").unwrap();
        assert_eq!(mode(&script), 0o751);
    }
}
