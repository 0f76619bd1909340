//! The store: a folder with all runs and records, shared by processes without locks.
//!
//! ```text
//! <store>/<key>/run.json       the specification of the run; its hash is the name of the folder
//! <store>/<key>/record.json    {"blake3": checksum of the record, "record": the record}
//! <store>/<key>/data.json      data sources on this machine (not part of the key)
//! <store>/<key>/log.jsonl      output of the run
//! <store>/<key>/checkpoint/    checkpoint, written by the model
//! <store>/fitted/<key>/<name>  fitted vocabularies, each with its checksum in <name>.b3
//! ```
//! Every file is verified when it is read. A corrupt file is renamed to `<name>.corrupt-<n>` and reported, never used or deleted.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::canonical;
use crate::error::{Error, Result};
use crate::files;
use crate::record::{Outcome, Record};
use crate::run::{Key, Run};
use crate::sources::Sources;

/// Result of reading a file of the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<T> {
    /// The file exists and is valid.
    Done(T),
    /// The file does not exist.
    Missing,
    /// The file was corrupt and has been renamed; its content must be recomputed.
    SetAside {
        /// Why it is invalid.
        reason: String,
        /// New path of the corrupt file.
        moved_to: PathBuf,
    },
}

impl<T> Found<T> {
    /// The value, if the file is valid.
    pub fn done(self) -> Option<T> {
        match self {
            Found::Done(value) => Some(value),
            _ => None,
        }
    }
}

/// A store of runs and records; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Store {
    /// Opens a store, creating the folder, and removes temporary files older than a day.
    ///
    /// # Errors
    /// If the folder cannot be created or written to.
    pub fn open(root: impl Into<PathBuf>) -> Result<Store> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(Error::io("create the store", &root))?;
        let store = Store { root, warnings: Arc::default() };
        let fitted = store.root.join("fitted");
        for folder in [&store.root, &fitted] {
            files::clean(folder);
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    files::clean(&entry.path());
                }
            }
        }
        Ok(store)
    }

    /// Path of the store.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a run, which may not exist yet.
    #[must_use]
    pub fn folder(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Stores a run, unless it is stored already, and returns its key.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put_run(&self, run: &Run) -> Result<Key> {
        let key = run.key();
        if let Found::Done(_) = self.run(&key)? {
            return Ok(key);
        }
        let folder = self.create(self.folder(&key))?;
        let text = serde_json::to_string_pretty(run).map_err(|e| Error::invalid_record(key.short(), &e))?;
        files::write_atomic(&folder.join("run.json"), text.as_bytes())?;
        Ok(key)
    }

    /// Reads a run by its key.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn run(&self, key: &Key) -> Result<Found<Run>> {
        let path = self.folder(key).join("run.json");
        checked(&path, |bytes| {
            let run: Run = serde_json::from_slice(bytes).map_err(|e| format!("invalid run: {e}"))?;
            if run.key() == *key { Ok(run) } else { Err("the key of the run does not match its folder".to_owned()) }
        })
    }

    /// Stores a record and its run, replacing an earlier record. A computed result is never replaced by a failure or a simulated
    /// record.
    ///
    /// # Errors
    /// If the key of the record does not match its run, JSON cannot represent it, or it cannot be written.
    pub fn put_record(&self, record: &Record) -> Result<()> {
        let body = record.to_stored()?;
        self.put_run(&record.run)?;
        let weak = |r: &Record| matches!(r.outcome, Outcome::Failed { .. }) || r.is_simulated();
        if weak(record)
            && let Found::Done(earlier) = self.record(&record.key)?
            // Among simulated records and failures the later one counts.
            && !weak(&earlier)
        {
            return Ok(());
        }
        let text = format!("{{\"blake3\":\"{}\",\"record\":{}}}\n", canonical::hash(&body), canonical::json(&body));
        files::write_atomic(&self.folder(&record.key).join("record.json"), text.as_bytes())
    }

    /// Reads the record of a run. A corrupt record is renamed; a missing or corrupt `run.json` is restored from a valid record (see
    /// [`Store::take_warnings`]).
    ///
    /// # Errors
    /// If a file cannot be read or renamed.
    pub fn record(&self, key: &Key) -> Result<Found<Record>> {
        let path = self.folder(key).join("record.json");
        let found = checked(&path, |bytes| parse(bytes, key))?;
        if let Found::Done(record) = &found {
            match self.run(key)? {
                Found::Done(_) => {}
                Found::Missing => {
                    self.put_run(&record.run)?;
                }
                Found::SetAside { reason, moved_to } => {
                    self.put_run(&record.run)?;
                    let text = format!("run.json of {}: {reason}; renamed to {}", key.short(), moved_to.display());
                    self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                }
            }
        }
        Ok(found)
    }

    /// Renames a simulated record, so that the run is computed. Returns whether there was one.
    pub(crate) fn set_aside_simulated(&self, key: &Key) -> Result<bool> {
        let path = self.folder(key).join("record.json");
        let record = files::read(&path)?.and_then(|bytes| parse(&bytes, key).ok());
        Ok(record.is_some_and(|r| r.is_simulated()) && files::set_aside(&path)?.is_some())
    }

    /// Warnings about repaired files since the last call.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All valid records in the order of [`jsonl::sort`](crate::jsonl::sort), and a message for each corrupt one. No file is
    /// changed.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn records(&self) -> Result<(Vec<Record>, Vec<String>)> {
        let (mut records, mut corrupt) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.root).map_err(Error::io("read", &self.root))? {
            let entry = entry.map_err(Error::io("read", &self.root))?;
            let Ok(key) = entry.file_name().to_string_lossy().parse::<Key>() else { continue };
            let path = self.folder(&key).join("record.json");
            match files::read(&path)?.map(|bytes| parse(&bytes, &key)) {
                Some(Ok(record)) => records.push(record),
                Some(Err(reason)) => corrupt.push(format!("{}: {reason}", path.display())),
                None => {}
            }
        }
        crate::jsonl::sort(&mut records);
        corrupt.sort();
        Ok((records, corrupt))
    }

    /// Stores the data sources of a run on this machine.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put_data(&self, key: &Key, data: &Sources) -> Result<()> {
        let path = self.create(self.folder(key))?.join("data.json");
        // JSON cannot represent a path that is not UTF-8.
        let value = serde_json::to_value(data).map_err(|e| Error::io("write", &path)(e.into()))?;
        files::write_atomic(&path, canonical::json(&value).as_bytes())
    }

    /// The data sources of a run on this machine.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn data(&self, key: &Key) -> Result<Found<Sources>> {
        let path = self.folder(key).join("data.json");
        checked(&path, |bytes| serde_json::from_slice(bytes).map_err(|e| format!("invalid JSON: {e}")))
    }

    /// Appends one line to the log of a run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append_log(&self, key: &Key, line: &Value) -> Result<()> {
        let path = self.create(self.folder(key))?.join("log.jsonl");
        let text = format!("{}\n", canonical::json(line));
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io("write", &path))?;
        file.write_all(text.as_bytes()).map_err(Error::io("write", &path))
    }

    /// Stores a file of a fitted vocabulary.
    ///
    /// # Errors
    /// If a name cannot be part of a path, or it cannot be written.
    pub fn put_fitted(&self, key: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.fitted_path(key, name)?;
        self.create(self.root.join("fitted").join(key))?;
        files::write_atomic(&path, bytes)?;
        // The checksum is written last: a file without one counts as missing.
        files::write_atomic(&checksum_path(&path), blake3::hash(bytes).to_hex().as_bytes())
    }

    /// Reads a file of a fitted vocabulary and verifies its checksum.
    ///
    /// # Errors
    /// If a name cannot be part of a path, or a file cannot be read or renamed.
    pub fn fitted(&self, key: &str, name: &str) -> Result<Found<Vec<u8>>> {
        let path = self.fitted_path(key, name)?;
        let Some(sum) = files::read(&checksum_path(&path))? else { return Ok(Found::Missing) };
        let found = checked(&path, |bytes| {
            if blake3::hash(bytes).to_hex().as_bytes() == sum.trim_ascii() {
                Ok(bytes.to_vec())
            } else {
                Err("checksum mismatch".to_owned())
            }
        })?;
        if let Found::SetAside { .. } = found {
            files::set_aside(&checksum_path(&path))?;
        }
        Ok(found)
    }

    fn fitted_path(&self, key: &str, name: &str) -> Result<PathBuf> {
        for part in [key, name] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if part.is_empty() || part.starts_with('.') || !part.chars().all(plain) {
                return Err(Error::Name { what: "name of a fitted vocabulary", name: part.to_owned() });
            }
        }
        Ok(self.root.join("fitted").join(key).join(name))
    }

    fn create(&self, folder: PathBuf) -> Result<PathBuf> {
        if !folder.is_dir() {
            fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
            files::sync_folder(&self.root);
        }
        Ok(folder)
    }
}

fn checksum_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".b3");
    PathBuf::from(name)
}

/// Reads and checks a file, and renames it if the check fails.
fn checked<T>(path: &Path, check: impl FnOnce(&[u8]) -> Result<T, String>) -> Result<Found<T>> {
    let Some(bytes) = files::read(path)? else { return Ok(Found::Missing) };
    match check(&bytes) {
        Ok(value) => Ok(Found::Done(value)),
        Err(reason) => match files::set_aside(path)? {
            Some(moved_to) => Ok(Found::SetAside { reason, moved_to }),
            None => Ok(Found::Missing),
        },
    }
}

/// Parses and verifies `record.json`.
fn parse(bytes: &[u8], key: &Key) -> Result<Record, String> {
    let mut envelope: Value = serde_json::from_slice(bytes).map_err(|e| format!("invalid JSON: {e}"))?;
    let body = envelope.get_mut("record").map(Value::take).ok_or("missing field \"record\"")?;
    if envelope.get("blake3").and_then(Value::as_str) != Some(canonical::hash(&body).as_str()) {
        return Err("checksum mismatch".to_owned());
    }
    let record: Record = serde_json::from_value(body).map_err(|e| format!("invalid record: {e}"))?;
    if record.key != *key {
        return Err(format!("record of another run ({})", record.key.short()));
    }
    if record.run.key() != *key {
        return Err("the key of the record does not match its run".to_owned());
    }
    Ok(record)
}
