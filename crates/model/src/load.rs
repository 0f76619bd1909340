//! Loads a trained model from the folder of its run.

use std::path::Path;

use burn::tensor::Device;
use experiment::run::{Pretrain, Run, Work};
use protocol::Fitted;

use crate::checkpoint;
use crate::config::ModelConfig;
use crate::error::Error;
use crate::network::Model;

/// Loads the trained model of a finished pretraining run: its shapes from the run and its fitted tokenizer, its weights from
/// the run's folder in the store. `fitted` must be the tokenizer of the run, fitted on the same training split.
///
/// [`Model::states`] maps ids to states, [`Model::logits`] states to logits, and [`crate::segmentation::segment`] gives the
/// segmentation of a sequence.
///
/// # Errors
/// If the run is not a pretraining run, or its weights are missing, damaged (they are renamed) or of other shapes.
pub fn load(run: &Run, folder: &Path, fitted: &Fitted, device: &Device) -> Result<Model, Error> {
    match &run.work {
        Work::Pretrain(pretrain) => pretrained(pretrain, folder, fitted, device),
        Work::Finetune(_) | Work::Control(_) => Err(Error::Missing("only pretraining runs save weights".to_owned())),
    }
}

/// As [`load`], for a pretraining run.
pub(crate) fn pretrained(pretrain: &Pretrain, folder: &Path, fitted: &Fitted, device: &Device) -> Result<Model, Error> {
    // The seed is irrelevant: all initial values are replaced.
    checkpoint::load_weights(folder, Model::new(&ModelConfig::of(pretrain, fitted), 0, device))
}
