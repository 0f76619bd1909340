//! Controls without the encoder (`docs/protocol.md#baselines-and-controls`): reference points of every comparison.

pub mod cnn;
pub mod logistic;
pub mod text;
