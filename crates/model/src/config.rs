//! Configuration of a model: everything that determines its shapes.

use experiment::config::{EncoderConfig, FixedUnits};
use experiment::run::Pretrain;
use protocol::Fitted;
use tokenize::{FrontendConfig, PoolConfig};

/// Everything that determines the shapes of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Vocabulary size, special tokens included.
    pub vocabulary: usize,
    /// The front end and its hyperparameters.
    pub frontend: FrontendConfig,
    /// Hyperparameters of the shared encoder.
    pub encoder: EncoderConfig,
    /// Number of classes, if the model classifies sequences.
    pub classes: Option<usize>,
}

impl ModelConfig {
    /// The configuration of a pretraining run with the tokenizer `fitted`, without a classifier.
    #[must_use]
    pub fn of(pretrain: &Pretrain, fitted: &Fitted) -> ModelConfig {
        let frontend = match (fitted.frontend.clone(), pretrain.fixed_units) {
            (FrontendConfig::Pool(pool), Some(FixedUnits { bases, inner })) => {
                FrontendConfig::Pool(PoolConfig { bases, inner, ..pool })
            }
            (frontend, _) => frontend,
        };
        ModelConfig {
            vocabulary: fitted.tokenizer.vocabulary().len(),
            frontend,
            encoder: pretrain.encoder.clone(),
            classes: None,
        }
    }
}
