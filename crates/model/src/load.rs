//! A trained model from what its run left behind.

use std::path::Path;

use burn::tensor::Device;
use experiment::run::{Pretrain, Run, Work};
use protocol::Fitted;

use crate::checkpoint;
use crate::config::ModelConfig;
use crate::error::Error;
use crate::network::Model;

/// The trained model of a finished pretraining run: its shapes from the run and its fitted tokenizer, its weights from the
/// run's folder in the store. `fitted` is what the run was given: the same tokenizer, fitted on the same training text.
///
/// With it, ids become states ([`Model::states`]), states logits ([`Model::logits`]), and a sequence is cut as the model cuts
/// it ([`crate::segmentation::cut`]).
///
/// # Errors
/// If the run is no pretraining, or its weights are absent, damaged (they are set aside) or of another shape.
pub fn load(run: &Run, folder: &Path, fitted: &Fitted, device: &Device) -> Result<Model, Error> {
    match &run.work {
        Work::Pretrain(pretrain) => pretrained(pretrain, folder, fitted, device),
        Work::Finetune(_) | Work::Control(_) => {
            Err(Error::Missing("only a pretraining run leaves weights behind".to_owned()))
        }
    }
}

/// The trained model of a pretraining.
pub(crate) fn pretrained(pretrain: &Pretrain, folder: &Path, fitted: &Fitted, device: &Device) -> Result<Model, Error> {
    // Whatever the initial values are, all of them are replaced.
    checkpoint::load_weights(folder, Model::new(&ModelConfig::of(pretrain, fitted), 0, device))
}
