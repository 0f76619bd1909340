//! Controls without the encoder (`docs/protocol.md#baselines-and-controls`): what any comparison must be read against.

pub mod cnn;
pub mod logistic;
pub mod markov;
