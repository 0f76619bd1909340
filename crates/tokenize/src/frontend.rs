//! Hyperparameters of the front ends between token ids and the shared encoder. Plain data, no tensors.
//!
//! Fixed tokenizers use [`FrontendConfig::Lookup`]. The layers of learned front ends are in the crate `model`, under `frontend/`.

use serde::{Deserialize, Serialize};

/// A front end with its hyperparameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FrontendConfig {
    /// Embedding table, one row per token id.
    Lookup,
    /// MxDNA: nucleotide layers, the learned tokenization module, and an upsampling decoder.
    MxDna(MxDnaConfig),
    /// Control of MxDNA: the same nucleotide layers and decoder without the module.
    Deep(DeepConfig),
}

impl FrontendConfig {
    // No wildcard arms: a new front end must answer each question.

    /// Whether the units that the encoder sees are learned by the model, so that only its weights determine their boundaries.
    #[must_use]
    pub fn learns_units(&self) -> bool {
        match self {
            FrontendConfig::Lookup | FrontendConfig::Deep(_) => false,
            FrontendConfig::MxDna(_) => true,
        }
    }

    /// Number of layers of the encoder's type that run on single nucleotides, including the decoder; 0: none.
    #[must_use]
    pub fn nucleotide_layers(&self) -> usize {
        match self {
            FrontendConfig::Lookup => 0,
            FrontendConfig::MxDna(config) => config.nucleotide_layers + 1,
            FrontendConfig::Deep(config) => config.nucleotide_layers + 1,
        }
    }

    /// One-line description of the layers around the encoder; `None` for a lookup table.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        match self {
            FrontendConfig::Lookup => None,
            FrontendConfig::MxDna(config) => Some(format!(
                "{} nucleotide layer(s), tokenization module, upsampling decoder",
                config.nucleotide_layers
            )),
            FrontendConfig::Deep(config) => {
                Some(format!("{} nucleotide layer(s), upsampling decoder", config.nucleotide_layers))
            }
        }
    }
}

/// Hyperparameters of the MxDNA module (Qiao et al., NeurIPS 2024).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MxDnaConfig {
    /// Number of layers on single nucleotides before the module (of the encoder's type); at least one, see
    /// `docs/protocol.md#learned-front-ends`.
    pub nucleotide_layers: usize,
    /// Kernel size of each convolution expert, in bases.
    pub kernel_sizes: Vec<usize>,
    /// Number of taps of the deformable convolution; odd.
    pub deformable: usize,
    /// Half-width of the multiplicative noise on the input of the router in training.
    pub jitter: f64,
    /// Weight of the load-balancing loss.
    pub balance: f64,
}

impl Default for MxDnaConfig {
    fn default() -> Self {
        MxDnaConfig {
            nucleotide_layers: 1,
            kernel_sizes: (1..=10).collect(),
            deformable: 3,
            jitter: 0.01,
            balance: 0.01,
        }
    }
}

/// Hyperparameters of the control without the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeepConfig {
    /// Number of layers on single nucleotides before the shared encoder.
    pub nucleotide_layers: usize,
}

impl Default for DeepConfig {
    fn default() -> Self {
        DeepConfig { nucleotide_layers: MxDnaConfig::default().nucleotide_layers }
    }
}
