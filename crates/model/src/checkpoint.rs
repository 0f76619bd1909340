//! Work saved so that a run stopped and resumed equals the run never stopped.
//!
//! `checkpoint/<step>/{model.bpk, optimizer.bpk, state.json}` under the run's folder. A checkpoint is written under another
//! name, flushed to disk and renamed, so it is there whole or not at all; then older ones are removed. Random numbers need
//! no saving: every step draws from streams named by its number.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use experiment::record::CurvePoint;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What a training loop must remember beside parameters and optimizer state.
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

fn failed(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::File { path: path.to_owned(), reason: reason.to_string() }
}

/// Saves a checkpoint in `folder`.
///
/// # Errors
/// If a file cannot be written.
pub fn save<M: Module>(folder: &Path, model: &M, optimizer: &ModuleOptimizer, state: &State) -> Result<(), Error> {
    let all = folder.join("checkpoint");
    let (new, done) = (all.join(format!("{:012}.new", state.step)), all.join(format!("{:012}", state.step)));
    let io = |path: &Path, result: std::io::Result<()>| result.map_err(|error| failed(path, error));
    let _ = fs::remove_dir_all(&new);
    io(&new, fs::create_dir_all(&new))?;
    model.clone().save_file(new.join("model.bpk")).map_err(|error| failed(&new, error))?;
    optimizer.save(new.join("optimizer.bpk")).map_err(|error| failed(&new, error))?;
    let text = serde_json::to_vec(state).map_err(|error| failed(&new, error))?;
    io(&new, fs::write(new.join("state.json"), text))?;
    for name in ["model.bpk", "optimizer.bpk", "state.json"] {
        io(&new, File::open(new.join(name)).and_then(|file| file.sync_all()))?;
    }
    let _ = fs::remove_dir_all(&done);
    io(&done, fs::rename(&new, &done))?;
    io(&all, File::open(&all).and_then(|folder| folder.sync_all()))?;
    for old in list(&all).into_iter().filter(|old| *old != done) {
        let _ = fs::remove_dir_all(old);
    }
    Ok(())
}

/// Checkpoints in order of their steps, unfinished ones left out.
fn list(all: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(all)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().bytes().all(|b| b.is_ascii_digit())))
        .collect();
    found.sort();
    found
}

/// The newest checkpoint in `folder` that can be read, put into `model` and `optimizer`; `None` if there is none. One that
/// cannot be read is left out of account and named in `notes`.
pub fn load<M: Module>(
    folder: &Path,
    model: &M,
    optimizer: impl Fn() -> ModuleOptimizer,
    notes: &mut Vec<String>,
) -> Option<(M, ModuleOptimizer, State)> {
    for path in list(&folder.join("checkpoint")).into_iter().rev() {
        match read(&path, model.clone(), optimizer()) {
            Ok(found) => return Some(found),
            Err(error) => notes.push(format!("checkpoint set aside: {error}")),
        }
    }
    None
}

fn read<M: Module>(path: &Path, model: M, optimizer: ModuleOptimizer) -> Result<(M, ModuleOptimizer, State), Error> {
    let text = fs::read(path.join("state.json")).map_err(|error| failed(path, error))?;
    let state = serde_json::from_slice(&text).map_err(|error| failed(path, error))?;
    let model = model.try_load_file(path.join("model.bpk")).map_err(|error| failed(path, error))?;
    let optimizer = optimizer.load(path.join("optimizer.bpk")).map_err(|error| failed(path, error))?;
    Ok((model, optimizer, state))
}

/// Saves the final weights as `weights.bpk` in `folder`, atomically.
///
/// # Errors
/// If the file cannot be written.
pub fn save_weights<M: Module>(folder: &Path, model: &M) -> Result<(), Error> {
    let (new, done) = (folder.join("weights.new.bpk"), folder.join("weights.bpk"));
    let _ = fs::remove_file(&new);
    model.clone().save_file(&new).map_err(|error| failed(&new, error))?;
    let io = |result: std::io::Result<()>| result.map_err(|error| failed(&done, error));
    io(File::open(&new).and_then(|file| file.sync_all()))?;
    io(fs::rename(&new, &done))?;
    let _ = fs::remove_dir_all(folder.join("checkpoint"));
    Ok(())
}

/// Puts the final weights of `folder` into `model`.
///
/// # Errors
/// If they are absent or do not fit.
pub fn load_weights<M: Module>(folder: &Path, model: M) -> Result<M, Error> {
    let path = folder.join("weights.bpk");
    if !path.exists() {
        return Err(failed(&path, "no such file"));
    }
    model.try_load_file(&path).map_err(|error| failed(&path, error))
}
