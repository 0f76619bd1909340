//! Checkpoints: a run that is stopped and resumed gives the same result as an uninterrupted run.
//!
//! A checkpoint is `checkpoint/<step>/{model.bpk, optimizer.bpk, state.json}` in the run's folder; fine-tuning adds `best.bpk`,
//! the best model so far. It is written under a temporary name, flushed to disk and renamed, so it is either complete or
//! absent; older checkpoints are then removed. The state of random generators is not saved: every step draws from streams
//! named by its number.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use experiment::record::CurvePoint;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Counters of a training loop that are saved with parameters and optimizer state.
pub trait CheckpointState: Serialize + DeserializeOwned {
    /// Completed optimizer steps.
    fn step(&self) -> u64;
}

/// Counters of a pretraining run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// Completed optimizer steps.
    pub step: u64,
    /// Bases of the windows seen, masked or not.
    pub bases: u64,
    /// Bases in the spans of the masking plans.
    pub planned: u64,
    /// Masked bases.
    #[serde(rename = "hidden")]
    pub masked: u64,
    /// Validation curve so far.
    pub curve: Vec<CurvePoint>,
    /// Sum of step losses since the last point of the curve, in nats per masked base.
    pub loss: f64,
    /// Steps in that sum.
    pub loss_steps: u64,
    /// Seconds of training, summed over all sessions.
    pub seconds: f64,
    /// Number of resumptions.
    pub resumed: u32,
}

impl CheckpointState for TrainingState {
    fn step(&self) -> u64 {
        self.step
    }
}

/// A checkpoint read from disk (no `Debug`, because burn's optimizer does not implement it).
pub struct Loaded<M, S> {
    /// Parameters.
    pub model: M,
    /// Optimizer and its moments.
    pub optimizer: ModuleOptimizer,
    /// The best model so far, if the checkpoint contains one.
    pub best: Option<M>,
    /// Counters of the training loop.
    pub state: S,
}

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const BEST: &str = "best.bpk";
const STATE: &str = "state.json";

fn failed(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::File { path: path.to_owned(), reason: reason.to_string() }
}

/// Saves a checkpoint in `folder`; `best` is the best model so far.
///
/// # Errors
/// If a file cannot be written.
pub fn save<M: Module, S: CheckpointState>(
    folder: &Path,
    model: &M,
    optimizer: &ModuleOptimizer,
    best: Option<&M>,
    state: &S,
) -> Result<(), Error> {
    let all = folder.join("checkpoint");
    // The process id separates the files of two processes that execute the same run.
    let new = all.join(format!("{:012}.new-{}", state.step(), std::process::id()));
    let done = all.join(format!("{:012}", state.step()));
    let _ = fs::remove_dir_all(&new);
    if let Err(error) = write(&new, model, optimizer, best, state) {
        // An incomplete checkpoint is useless, and the disk may be full.
        let _ = fs::remove_dir_all(&new);
        return Err(error);
    }
    let _ = fs::remove_dir_all(&done);
    if let Err(error) = fs::rename(&new, &done) {
        let _ = fs::remove_dir_all(&new);
        // Another process has just saved the same step; the contents are equal by construction.
        if !done.join(STATE).exists() {
            return Err(failed(&done, error));
        }
    }
    // Another process may have finished the run and removed the folder.
    let _ = File::open(&all).and_then(|folder| folder.sync_all());
    for old in list(&all).into_iter().filter(|old| *old != done) {
        let _ = fs::remove_dir_all(old);
    }
    Ok(())
}

/// Writes the files of a checkpoint to the folder `new` and flushes them to disk.
fn write<M: Module, S: CheckpointState>(
    new: &Path,
    model: &M,
    optimizer: &ModuleOptimizer,
    best: Option<&M>,
    state: &S,
) -> Result<(), Error> {
    let io = |path: &Path, result: std::io::Result<()>| result.map_err(|error| failed(path, error));
    io(new, fs::create_dir_all(new))?;
    model.clone().save_file(new.join(MODEL)).map_err(|error| failed(new, error))?;
    optimizer.save(new.join(OPTIMIZER)).map_err(|error| failed(new, error))?;
    if let Some(best) = best {
        best.clone().save_file(new.join(BEST)).map_err(|error| failed(new, error))?;
    }
    let mut checksums = BTreeMap::new();
    for name in [MODEL, OPTIMIZER].into_iter().chain(best.map(|_| BEST)) {
        checksums.insert(name.to_owned(), checksum(&new.join(name))?);
    }
    let text =
        serde_json::to_vec(&StateFile { checksums: checksums.clone(), state }).map_err(|error| failed(new, error))?;
    io(new, fs::write(new.join(STATE), text))?;
    for name in checksums.keys().map(String::as_str).chain([STATE]) {
        io(new, File::open(new.join(name)).and_then(|file| file.sync_all()))?;
    }
    Ok(())
}

/// Contents of `state.json`: the counters, and the BLAKE3 checksums of the other files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile<S> {
    #[serde(rename = "sums")]
    checksums: BTreeMap<String, String>,
    state: S,
}

fn checksum(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|error| failed(path, error))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// The bytes of a file after verifying its BLAKE3 checksum. The file is read at once: burn reads lazily, and another process may
/// remove the file meanwhile.
fn checked(path: &Path, expected: &str) -> Result<Bytes, Error> {
    let bytes = fs::read(path).map_err(|error| failed(path, error))?;
    if blake3::hash(&bytes).to_hex().as_str() != expected.trim() {
        return Err(failed(path, "checksum mismatch"));
    }
    Ok(Bytes::from_bytes_vec(bytes))
}

fn fill<M: Module>(model: M, path: &Path, bytes: Bytes) -> Result<M, Error> {
    let record = ModuleRecord::from_bytes(bytes).map_err(|error| failed(path, error))?;
    model.try_load_record(record).map_err(|error| failed(path, error))
}

/// Renames a damaged file or folder instead of deleting it, and returns its new path.
fn set_aside(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let free = (1..).map(|i| path.with_file_name(format!("{name}.corrupt-{i}"))).find(|path| !path.exists());
    let to = free.unwrap_or_else(|| path.with_extension("corrupt"));
    let _ = fs::rename(path, &to);
    to
}

/// Entries of a folder; empty if it cannot be read.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
}

/// Complete checkpoints, sorted by step.
fn list(all: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = entries(all)
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().bytes().all(|b| b.is_ascii_digit())))
        .collect();
    found.sort();
    found
}

/// Loads the newest readable checkpoint of `folder` into copies of `model` and `optimizer`; `None` if there is none. A damaged
/// checkpoint is renamed and reported in `notes`.
pub fn load<M: Module, S: CheckpointState>(
    folder: &Path,
    model: &M,
    optimizer: impl Fn() -> ModuleOptimizer,
    notes: &mut Vec<String>,
) -> Option<Loaded<M, S>> {
    for path in list(&folder.join("checkpoint")).into_iter().rev() {
        match read(&path, model, optimizer()) {
            Ok(found) => return Some(found),
            // Another process finished the run and removed the checkpoint; it was not damaged.
            Err(_) if !path.exists() => {}
            Err(error) => {
                let aside = set_aside(&path);
                notes.push(format!("damaged checkpoint ({error}); moved to {}", aside.display()));
            }
        }
    }
    None
}

fn read<M: Module, S: CheckpointState>(
    path: &Path,
    model: &M,
    optimizer: ModuleOptimizer,
) -> Result<Loaded<M, S>, Error> {
    let text = fs::read(path.join(STATE)).map_err(|error| failed(path, error))?;
    let StateFile { checksums, state } =
        serde_json::from_slice::<StateFile<S>>(&text).map_err(|error| failed(path, error))?;
    let bytes = |name: &str| checked(&path.join(name), checksums.get(name).map_or("", String::as_str));
    // Read all files before unpacking any: another process may remove them at any moment.
    let (parameters, moments) = (bytes(MODEL)?, bytes(OPTIMIZER)?);
    let best = if checksums.contains_key(BEST) { Some(bytes(BEST)?) } else { None };
    Ok(Loaded {
        model: fill(model.clone(), path, parameters)?,
        optimizer: optimizer.from_bytes(moments).map_err(|error| failed(path, error))?,
        best: best.map(|bytes| fill(model.valid(), path, bytes)).transpose()?,
        state,
    })
}

/// Saves the final weights as `weights.bpk` in `folder`, atomically.
///
/// # Errors
/// If the file cannot be written.
pub fn save_weights<M: Module>(folder: &Path, model: &M) -> Result<(), Error> {
    let (new, done) = (folder.join(format!("weights.new-{}.bpk", std::process::id())), folder.join("weights.bpk"));
    let _ = fs::remove_file(&new);
    let written = model.clone().save_file(&new).map_err(|error| failed(&new, error));
    let written = written.and_then(|()| publish(&new, &done, folder));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// Renames written weights to their final name and writes their checksum.
fn publish(new: &Path, done: &Path, folder: &Path) -> Result<(), Error> {
    let io = |result: std::io::Result<()>| result.map_err(|error| failed(done, error));
    io(File::open(new).and_then(|file| file.sync_all()))?;
    // The checksum is written first: weights without a matching checksum are rejected.
    io(experiment::files::write(&folder.join("weights.b3"), checksum(new)?))?;
    io(fs::rename(new, done))
}

/// Whether a process may still be running. True on systems without `/proc`, where this is unknown.
fn is_alive(process: &str) -> bool {
    let all = Path::new("/proc");
    !all.join("self").exists() || all.join(process).exists()
}

/// Removes the checkpoints of a run whose record and final weights are saved.
pub fn clear(folder: &Path) {
    let all = folder.join("checkpoint");
    // Also incomplete checkpoints of killed processes.
    let abandoned = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split_once(".new-").is_some_and(|(_, process)| !is_alive(process))
    };
    for checkpoint in list(&all).into_iter().chain(entries(&all).filter(abandoned)) {
        let _ = fs::remove_dir_all(checkpoint);
    }
    // Fails, as intended, if the folder contains a renamed damaged checkpoint.
    let _ = fs::remove_dir(folder.join("checkpoint"));
}

/// Loads the final weights of `folder` into `model`. Damaged weights are renamed.
///
/// # Errors
/// If the weights are missing, damaged or of other shapes.
pub fn load_weights<M: Module>(folder: &Path, model: M) -> Result<M, Error> {
    let path = folder.join("weights.bpk");
    read_weights(folder, model).map_err(|error| {
        if !path.exists() {
            return error;
        }
        let aside = set_aside(&path);
        failed(&path, format!("{error}; moved to {}", aside.display()))
    })
}

/// As [`load_weights`], of a folder that is only read.
///
/// # Errors
/// If the weights are missing, damaged or of other shapes.
pub fn read_weights<M: Module>(folder: &Path, model: M) -> Result<M, Error> {
    let path = folder.join("weights.bpk");
    if !path.exists() {
        return Err(failed(&path, "no such file"));
    }
    let expected = fs::read_to_string(folder.join("weights.b3")).unwrap_or_default();
    checked(&path, &expected).and_then(|bytes| fill(model, &path, bytes))
}
