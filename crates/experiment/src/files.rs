//! Files written at once or not at all, by several processes without a lock.
//!
//! Temporary name in the same folder, fsync, rename, fsync of the folder: after a crash at any point the final name holds
//! the old content or the new one, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};

/// First letters of every temporary name.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// Temporary files younger than this may belong to a living process.
pub(crate) const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Replaces the file at `path` by `bytes`.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (mut file, temporary) = temporary(folder).map_err(Error::io("write", path))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    let written = written.and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(Error::io("write", path))?;
    sync_folder(folder);
    Ok(())
}

/// A new file that nobody else has: the name holds process, counter and time, and must not exist.
fn temporary(folder: &Path) -> io::Result<(File, PathBuf)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |t| t.subsec_nanos());
        let path = folder.join(format!("{TEMPORARY}{}-{count}-{nanos}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
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
