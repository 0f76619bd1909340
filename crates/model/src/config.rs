//! What fixes the shapes of a model.

use experiment::config::EncoderConfig;
use experiment::run::Pretrain;
use protocol::Fitted;

/// Everything that fixes the shapes of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Number of ids, specials included.
    pub vocabulary: usize,
    /// What stands before the encoder.
    pub frontend: tokenize::FrontendConfig,
    /// The shared encoder.
    pub encoder: EncoderConfig,
    /// Number of classes where a sequence is classified.
    pub classes: Option<usize>,
}

impl ModelConfig {
    /// The shapes of a run's model, whose tokenizer is `fitted`; without classes.
    #[must_use]
    pub fn of(pretrain: &Pretrain, fitted: &Fitted) -> ModelConfig {
        ModelConfig {
            vocabulary: fitted.tokenizer.vocabulary().len(),
            frontend: fitted.frontend.clone(),
            encoder: pretrain.encoder.clone(),
            classes: None,
        }
    }
}
