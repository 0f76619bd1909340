//! Controls without the encoder (design section 4.7): what any comparison must be read against.

pub mod cnn;
pub mod logistic;
pub mod markov;
