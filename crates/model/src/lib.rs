//! How a run is answered: front ends, the shared DNABERT-2 encoder, heads, training and scoring. The only crate that knows
//! burn.
//!
//! ```text
//! bases ─ tokenize ─► ids ─ Frontend::embed ─► tokens ─ Encoder ─► states ─ Frontend::restore ─► positions ─ head ─► logits
//!                         [batch, positions]   [batch, tokens, hidden]     [batch, positions, hidden]
//! ```
//!
//! # The idea in ten lines
//! A tokenizer has two halves. The pure half cuts bases into ids (crate `tokenize`). The other half is differentiable: a
//! [`frontend::Frontend`] turns ids into vectors, and states back into one per position. For fixed tokenizers that is a table
//! of embeddings and the identity; MxDNA learns which bases form a unit. Between the two stands one encoder, the same for all:
//! [`encoder::Encoder`], which never sees an id. [`pretrain`] trains on hidden spans, [`score`] pays for them in bits,
//! [`finetune`] classifies, [`controls`] do without the encoder, and [`execute::execute`] is the one door to all of it: a
//! run in, an outcome out.
//!
//! # Words
//! * **positions**: rows of the input, \[CLS\] and \[SEP\] included; **tokens**: what the encoder sees. Equal unless the
//!   front end learns its units.
//! * **padding** is on the right; a row never depends on its batch mates.
//! * **named stream**: random numbers keyed by the run's seed and a name ([`noise`], [`layers::Init`]), so no value depends
//!   on the order in which things are made, and a resumed run equals one never stopped.
//!
//! # The surprising case
//! Single nucleotides carry no direction: under symmetric ALiBi the encoder cannot tell left from right and `base` hardly
//! learns. [`position`] has the directed code that `compare` uses for all tokenizers alike.
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
pub mod fit;
pub mod inputs;
mod load;
pub mod optimize;
pub mod predict;
pub mod pretrain;
mod read_back;
pub mod score;
pub mod segmentation;
mod watch;

pub use error::Error;
pub use inputs::Inputs;
pub use load::load;
pub use watch::{Progress, Watch};
