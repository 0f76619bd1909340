//! What a run needs beside its own description.

use std::path::Path;

use burn::tensor::Device;
use dataset::{Corpus, Task};
use protocol::Fitted;

use crate::error::Error;

/// What a run needs beside its own description; absent where its kind does not need it.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The corpus.
    pub corpus: Option<&'a Corpus>,
    /// The labelled task.
    pub task: Option<&'a Task>,
    /// The tokenizer, fitted.
    pub fitted: Option<&'a Fitted>,
    /// The run's own folder: checkpoints and weights.
    pub folder: &'a Path,
    /// The folder of the run it starts from.
    pub parent: Option<&'a Path>,
    /// Where to compute; no tape.
    pub device: &'a Device,
}

impl<'a> Inputs<'a> {
    pub(crate) fn corpus(&self) -> Result<&'a Corpus, Error> {
        self.corpus.ok_or_else(|| Error::Missing("this run needs a corpus".to_owned()))
    }

    pub(crate) fn task(&self) -> Result<&'a Task, Error> {
        self.task.ok_or_else(|| Error::Missing("this run needs a labelled task".to_owned()))
    }

    pub(crate) fn fitted(&self) -> Result<&'a Fitted, Error> {
        self.fitted.ok_or_else(|| Error::Missing("this run needs a tokenizer".to_owned()))
    }
}
