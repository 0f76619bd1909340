//! Models of tokbench: front ends, the shared DNABERT-2 encoder, heads, training and scoring. The only crate that depends on
//! burn.
//!
//! ```text
//! bases ─ tokenize ─► ids ─ Frontend::embed ─► tokens ─ Encoder ─► states ─ Frontend::restore ─► positions ─ head ─► logits
//!                         [batch, positions]   [batch, tokens, hidden]     [batch, positions, hidden]
//! ```
//!
//! # Overview
//! A tokenizer has two parts. The first is a pure function from bases to token ids (crate `tokenize`). The second is
//! differentiable: a [`frontend::Frontend`] maps ids to vectors and encoder states back to positions. For fixed tokenizers
//! these are an embedding table and the identity; MxDNA learns which bases form a token. Between the two runs the same
//! encoder for every tokenizer, [`encoder::Encoder`], which never sees ids. [`pretrain`] trains on masked spans, [`score`]
//! computes their code length, [`finetune`] trains classifiers, [`controls`] need no encoder, and [`execute::execute`] is
//! the entry point to all of them: it takes a run and returns its outcome.
//!
//! # Terms
//! * **positions** are the input ids, \[CLS\] and \[SEP\] included; **tokens** are the inputs of the encoder. They are the
//!   same unless the front end learns its tokens.
//! * **padding** is on the right; a sequence never depends on the other sequences of its batch.
//! * **named stream**: random numbers keyed by the run's seed and a name ([`noise`], [`layers::Init`]). No value depends on
//!   the order of construction, and a resumed run gives the same result as an uninterrupted one.
//!
//! # Position encoding matters for single bases
//! Under symmetric ALiBi the encoder cannot distinguish left from right, so with single-base tokens (`base`) it hardly
//! learns. [`position`] defines the directed variant, which `compare` uses for all tokenizers.
//!
//! ```
//! use burn::tensor::{Int, Tensor};
//! use model::config::ModelConfig;
//! use model::network::Model;
//! let device = model::device::open("cpu").unwrap();
//! let encoder = experiment::config::EncoderConfig { hidden: 8, heads: 2, intermediate: 16, ..Default::default() };
//! let config = ModelConfig { vocabulary: 9, frontend: tokenize::FrontendConfig::Lookup, encoder, classes: None };
//! let model = Model::new(&config, 7, &device);
//! let ids = Tensor::<2, Int>::from_data([[1, 5, 4, 6, 2]], &device);
//! assert_eq!(model.states(ids, &[5], None).positions.dims(), [1, 5, 8]);
//! ```

pub mod config;
pub mod device;
pub mod encoder;
pub mod files;
pub mod frontend;
pub mod fused;
pub mod head;
pub mod layers;
pub mod native;
pub mod network;
pub mod noise;
pub mod position;
pub mod published;

// Training, scoring, fine-tuning.
pub mod batch;
pub mod checkpoint;
pub mod controls;
mod error;
pub mod execute;
pub mod finetune;
pub mod fit;
pub mod inputs;
mod load;
pub mod optimize;
pub mod predict;
pub mod pretrain;
mod read_back;
pub mod score;
pub mod segmentation;
pub mod trained;
pub mod tune;
mod watch;

pub use burn;
pub use error::Error;
pub use inputs::Inputs;
pub use load::load;
pub use watch::{Progress, Watch};
