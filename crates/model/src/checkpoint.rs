//! Work saved so that a run stopped and resumed equals the run never stopped.
//!
//! `checkpoint/<step>/{model.bpk, optimizer.bpk, state.json}` under the run's folder, and `best.bpk` where a fine-tuning keeps
//! the best model so far. A checkpoint is written under another name, flushed to disk and renamed, so it is there whole
//! or not at all; then older ones are removed. Random numbers need no saving: every step draws from streams named by its
//! number.

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

/// What a loop must remember beside parameters and optimizer state.
pub trait Progressed: Serialize + DeserializeOwned {
    /// Steps done.
    fn step(&self) -> u64;
}

/// What pretraining must remember.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Bases seen.
    pub bases: u64,
    /// Bases in planned spans.
    pub planned: u64,
    /// Bases hidden.
    pub hidden: u64,
    /// The curve so far.
    pub curve: Vec<CurvePoint>,
    /// Sum of step losses since the last point of the curve.
    pub loss: f64,
    /// Steps in that sum.
    pub loss_steps: u64,
    /// Seconds of training over all sittings.
    pub seconds: f64,
    /// Times resumed.
    pub resumed: u32,
}

impl Progressed for State {
    fn step(&self) -> u64 {
        self.step
    }
}

/// A checkpoint that was read (no `Debug`: burn's optimizer has none).
pub struct Loaded<M, S> {
    /// Parameters.
    pub model: M,
    /// Optimizer and its moments.
    pub optimizer: ModuleOptimizer,
    /// The model kept as the best so far, where one was saved.
    pub best: Option<M>,
    /// What the loop counted.
    pub state: S,
}

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const BEST: &str = "best.bpk";
const STATE: &str = "state.json";

fn failed(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::File { path: path.to_owned(), reason: reason.to_string() }
}

/// Saves a checkpoint in `folder`; `best` is the model kept as the best so far.
///
/// # Errors
/// If a file cannot be written.
pub fn save<M: Module, S: Progressed>(
    folder: &Path,
    model: &M,
    optimizer: &ModuleOptimizer,
    best: Option<&M>,
    state: &S,
) -> Result<(), Error> {
    let all = folder.join("checkpoint");
    // The process number keeps two processes that answer the same run out of each other's way.
    let new = all.join(format!("{:012}.new-{}", state.step(), std::process::id()));
    let done = all.join(format!("{:012}", state.step()));
    let _ = fs::remove_dir_all(&new);
    if let Err(error) = write(&new, model, optimizer, best, state) {
        // Half a checkpoint is none, and where it could not be written there may be no room for it.
        let _ = fs::remove_dir_all(&new);
        return Err(error);
    }
    let _ = fs::remove_dir_all(&done);
    if let Err(error) = fs::rename(&new, &done) {
        let _ = fs::remove_dir_all(&new);
        // Another process has just saved the same step: equal by construction.
        if !done.join(STATE).exists() {
            return Err(failed(&done, error));
        }
    }
    // The folder may be gone if another process has finished the run meanwhile.
    let _ = File::open(&all).and_then(|folder| folder.sync_all());
    for old in list(&all).into_iter().filter(|old| *old != done) {
        let _ = fs::remove_dir_all(old);
    }
    Ok(())
}

/// The files of a checkpoint in the folder `new`, all on the disk.
fn write<M: Module, S: Progressed>(
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
    let mut sums = BTreeMap::new();
    for name in [MODEL, OPTIMIZER].into_iter().chain(best.map(|_| BEST)) {
        sums.insert(name.to_owned(), sum(&new.join(name))?);
    }
    let text = serde_json::to_vec(&Kept { sums: sums.clone(), state }).map_err(|error| failed(new, error))?;
    io(new, fs::write(new.join(STATE), text))?;
    for name in sums.keys().map(String::as_str).chain([STATE]) {
        io(new, File::open(new.join(name)).and_then(|file| file.sync_all()))?;
    }
    Ok(())
}

/// `state.json`: the state, and the BLAKE3 of the files beside it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept<S> {
    sums: BTreeMap<String, String>,
    state: S,
}

fn sum(path: &Path) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|error| failed(path, error))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// The bytes of a file whose BLAKE3 is known. Read whole: burn would read on while another process removes the file.
fn checked(path: &Path, expected: &str) -> Result<Bytes, Error> {
    let bytes = fs::read(path).map_err(|error| failed(path, error))?;
    if blake3::hash(&bytes).to_hex().as_str() != expected.trim() {
        return Err(failed(path, "the checksum does not fit"));
    }
    Ok(Bytes::from_bytes_vec(bytes))
}

fn fill<M: Module>(model: M, path: &Path, bytes: Bytes) -> Result<M, Error> {
    let record = ModuleRecord::from_bytes(bytes).map_err(|error| failed(path, error))?;
    model.try_load_record(record).map_err(|error| failed(path, error))
}

/// Renames a damaged file or folder, never deletes it; gives its new name.
fn set_aside(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let free = (1..).map(|i| path.with_file_name(format!("{name}.corrupt-{i}"))).find(|path| !path.exists());
    let to = free.unwrap_or_else(|| path.with_extension("corrupt"));
    let _ = fs::rename(path, &to);
    to
}

/// What lies in a folder; nothing if it cannot be read.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path())
}

/// Checkpoints in order of their steps, unfinished ones left out.
fn list(all: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = entries(all)
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().bytes().all(|b| b.is_ascii_digit())))
        .collect();
    found.sort();
    found
}

/// The newest checkpoint in `folder` that can be read, put into `model` and `optimizer`; `None` if there is none. One that
/// cannot be read is left out of account and named in `notes`.
pub fn load<M: Module, S: Progressed>(
    folder: &Path,
    model: &M,
    optimizer: impl Fn() -> ModuleOptimizer,
    notes: &mut Vec<String>,
) -> Option<Loaded<M, S>> {
    for path in list(&folder.join("checkpoint")).into_iter().rev() {
        match read(&path, model, optimizer()) {
            Ok(found) => return Some(found),
            // Removed by a process that finished the run: nothing is damaged.
            Err(_) if !path.exists() => {}
            Err(error) => {
                let aside = set_aside(&path);
                notes.push(format!("a checkpoint was damaged ({error}) and set aside as {}", aside.display()));
            }
        }
    }
    None
}

fn read<M: Module, S: Progressed>(path: &Path, model: &M, optimizer: ModuleOptimizer) -> Result<Loaded<M, S>, Error> {
    let text = fs::read(path.join(STATE)).map_err(|error| failed(path, error))?;
    let Kept { sums, state } = serde_json::from_slice::<Kept<S>>(&text).map_err(|error| failed(path, error))?;
    let bytes = |name: &str| checked(&path.join(name), sums.get(name).map_or("", String::as_str));
    // All files before any is unpacked: another process may remove them at any moment.
    let (parameters, moments) = (bytes(MODEL)?, bytes(OPTIMIZER)?);
    let best = if sums.contains_key(BEST) { Some(bytes(BEST)?) } else { None };
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
    let written = written.and_then(|()| named(&new, &done, folder));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// Gives written weights their name, and their sum.
fn named(new: &Path, done: &Path, folder: &Path) -> Result<(), Error> {
    let io = |result: std::io::Result<()>| result.map_err(|error| failed(done, error));
    io(File::open(new).and_then(|file| file.sync_all()))?;
    // First the sum, then the file: weights without a fitting sum are not believed.
    io(experiment::files::write(&folder.join("weights.b3"), sum(new)?))?;
    io(fs::rename(new, done))
}

/// Whether a process may still be at work; without a list of processes (only Linux has one as files) it may.
fn is_alive(process: &str) -> bool {
    let all = Path::new("/proc");
    !all.join("self").exists() || all.join(process).exists()
}

/// Removes the checkpoints of a run whose record and weights are kept.
pub fn clear(folder: &Path) {
    let all = folder.join("checkpoint");
    // Also what a killed process had begun.
    let begun = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split_once(".new-").is_some_and(|(_, process)| !is_alive(process))
    };
    for checkpoint in list(&all).into_iter().chain(entries(&all).filter(begun)) {
        let _ = fs::remove_dir_all(checkpoint);
    }
    // Stays if something was set aside in it.
    let _ = fs::remove_dir(folder.join("checkpoint"));
}

/// Puts the final weights of `folder` into `model`. Damaged weights are set aside.
///
/// # Errors
/// If they are absent or do not fit.
pub fn load_weights<M: Module>(folder: &Path, model: M) -> Result<M, Error> {
    let path = folder.join("weights.bpk");
    if !path.exists() {
        return Err(failed(&path, "no such file"));
    }
    let expected = fs::read_to_string(folder.join("weights.b3")).unwrap_or_default();
    match checked(&path, &expected).and_then(|bytes| fill(model, &path, bytes)) {
        Ok(model) => Ok(model),
        Err(error) => {
            let aside = set_aside(&path);
            Err(failed(&path, format!("{error}; set aside as {}", aside.display())))
        }
    }
}
