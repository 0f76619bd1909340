//! Files written whole or not at all, by several processes without a lock: the one place where the program writes files.
//!
//! Temporary name in the same folder, fsync, rename, fsync of the folder: after a crash at any point the final name holds
//! the old content or the new one, never a part. A symbolic link keeps pointing to its file, whose content is replaced; a
//! device, a pipe, or what a process has open (`/dev/fd/N`) is written to as it is. A file is replaced, not changed: its
//! other hard links keep the old content, and it belongs to whoever writes.
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

/// First letters of every temporary name. The whole name is short, so that it fits wherever the final one does.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Temporary files younger than this may belong to a living process.
pub(crate) const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Symbolic links that are followed one after the other; the same bound as Linux has.
const LINKS: usize = 40;

/// Temporary names of this process that are in use.
static DRAFTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn drafts() -> MutexGuard<'static, Vec<PathBuf>> {
    DRAFTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file in the making. Dropped before [`Draft::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    file: File,
    /// Where it lies and what it will be called; `None`: a device or a pipe that has its name already.
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
    /// Begins the file that will be called `path`. The permissions of a file that has this name already are kept.
    ///
    /// # Errors
    /// If the folder is not there or cannot be written to, `path` is a folder, or a file there is write-protected.
    pub fn create(path: &Path) -> io::Result<Draft> {
        let path = target(path)?;
        if in_place(&path) {
            // Behind what others wrote there.
            return Ok(Draft { file: OpenOptions::new().append(true).open(path)?, names: None });
        }
        let present = fs::metadata(&path).ok();
        if present.is_some() {
            // Opening tells whether it may be written; nothing is changed by it.
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

    /// Gives the file its name, on the disk for good.
    ///
    /// # Errors
    /// If the system cannot write what is left or rename; then nothing is left behind.
    pub fn finish(self) -> io::Result<()> {
        finish_all([self])
    }
}

/// Gives files that belong together their names: all are on the disk before the first is renamed.
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
        // Whoever ends the process waits until all have their names.
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

/// Whether a path is written to as it is, and not replaced: a device, a pipe, or what a process has open.
#[must_use]
pub fn in_place(path: &Path) -> bool {
    let own = ["/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"].iter().any(|open| path.starts_with(open));
    let open = own || path.starts_with("/proc") && path.components().any(|part| part.as_os_str() == "fd");
    open || fs::metadata(path).is_ok_and(|present| !present.is_file() && !present.is_dir())
}

/// An error without the temporary name, which says nothing to a person.
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
    // Of others the system's own words say more than their kind.
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

/// Replaces the file at `path` by `bytes`.
///
/// # Errors
/// If it cannot be written; then the old content is still there.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut draft = Draft::create(path)?;
    draft.write_all(bytes.as_ref())?;
    draft.finish()
}

/// As [`write`], with an error that names the file.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes).map_err(Error::io("write", path))
}

/// Removes every file in the making, for a process that is about to end: no other can be begun any more.
pub fn abandon() {
    let known = drafts();
    for draft in known.iter() {
        let _ = fs::remove_file(draft);
    }
    std::mem::forget(known);
}

/// The file that `path` names in the end, symbolic links followed, also one that points to nothing yet.
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

/// The folder that a file lies in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a rename last. Some systems cannot open a folder: the rename is atomic all the same.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// The content, `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path)(e)),
    }
}

/// Renames a damaged file to `<name>.corrupt-<n>`, the first free n; `None` if another process already took it away.
pub(crate) fn set_aside(path: &Path) -> Result<Option<PathBuf>> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    for n in 1_u64.. {
        let target = path.with_file_name(format!("{name}.corrupt-{n}"));
        // Creating the name first reserves it: nothing set aside earlier is ever overwritten.
        match OpenOptions::new().write(true).create_new(true).open(&target) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(Error::io("set aside to", &target)(e)),
        }
        return match fs::rename(path, &target) {
            Ok(()) => Ok(Some(target)),
            Err(e) => {
                let _ = fs::remove_file(&target);
                if e.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(Error::io("set aside", path)(e)) }
            }
        };
    }
    Ok(None)
}

/// Removes temporary files in `folder` that are older than [`STALE`]; what cannot be looked at stays.
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
    fn nothing_is_left_of_what_is_not_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, "old").unwrap();
        let mut draft = Draft::create(&path).unwrap();
        draft.write_all(b"new").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(draft);
        assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"old".to_vec()));
        assert!(Draft::create(folder.path()).is_err(), "a folder is no file");
        assert!(Draft::create(&folder.path().join("none/x")).is_err());
    }

    #[test]
    fn the_longest_name_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a".repeat(255));
        write(&path, "x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
        assert_eq!(names(folder.path()).len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_behind_a_symbolic_link_is_written() {
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
    fn files_that_belong_together_get_their_names_together() {
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
    fn what_is_open_is_written_as_it_is() {
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
    fn permissions_are_kept_and_new_files_are_as_any_other() {
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
