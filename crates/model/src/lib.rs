//! model

pub mod device;
pub mod encoder;
pub mod frontend;
pub mod fused;
pub mod head;
pub mod layers;
pub mod network;
pub mod noise;
pub mod position;
pub mod weights;

// Training, scoring, fine-tuning.
pub mod batch;
pub mod checkpoint;
pub mod controls;
mod error;
pub mod execute;
pub mod finetune;
pub mod metrics;
pub mod optimize;
pub mod pretrain;
pub mod score;
mod watch;

pub use error::Error;
pub use watch::{Progress, Watch};
