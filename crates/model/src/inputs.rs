//! Inputs of a run: data, tokenizer, folders and device.

use std::path::Path;

use burn::tensor::Device;
use dataset::{Corpus, Task};
use experiment::Record;
use protocol::Fitted;

use crate::error::Error;

/// Inputs of a run; those that its kind of work does not need are `None`.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Corpus for pretraining.
    pub corpus: Option<&'a Corpus>,
    /// Labeled task for fine-tuning.
    pub task: Option<&'a Task>,
    /// The fitted tokenizer.
    pub fitted: Option<&'a Fitted>,
    /// Folder of the run, for checkpoints and weights.
    pub folder: &'a Path,
    /// Folder of the pretraining run that fine-tuning starts from.
    pub parent: Option<&'a Path>,
    /// The finished trial of a pretraining run: its folder and its record. The trained model is taken over.
    pub trial: Option<(&'a Path, &'a Record)>,
    /// Device of the computation, without autodiff.
    pub device: &'a Device,
}

impl<'a> Inputs<'a> {
    pub(crate) fn corpus(&self) -> Result<&'a Corpus, Error> {
        self.corpus.ok_or_else(|| Error::Missing("missing input: this run needs a corpus".to_owned()))
    }

    pub(crate) fn task(&self) -> Result<&'a Task, Error> {
        self.task.ok_or_else(|| Error::Missing("missing input: this run needs a labeled task".to_owned()))
    }

    pub(crate) fn fitted(&self) -> Result<&'a Fitted, Error> {
        self.fitted.ok_or_else(|| Error::Missing("missing input: this run needs a fitted tokenizer".to_owned()))
    }
}
