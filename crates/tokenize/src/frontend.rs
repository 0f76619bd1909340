//! The knobs of the front ends: what stands between token ids and the shared encoder. Plain data, no tensors.
//!
//! Fixed tokenizers use [`Frontend::Lookup`]. A learned tokenizer keeps its knobs here and its layers in the crate
//! `model`, under `frontend/`.

use serde::{Deserialize, Serialize};

/// What stands between token ids and the shared encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Frontend {
    /// One embedding row per token id.
    Lookup,
    /// MxDNA: nucleotide layers, then a learned tokenization module and its way back.
    MxDna(MxDna),
    /// The control of MxDNA: the same nucleotide layers and the same way back, no module.
    Deep(Deep),
}

impl Frontend {
    // Without wildcards: whoever adds a front end is asked.

    /// Whether the units of the encoder are learned inside the model, so that only its weights tell where they lie.
    #[must_use]
    pub fn learns_units(&self) -> bool {
        match self {
            Frontend::Lookup | Frontend::Deep(_) => false,
            Frontend::MxDna(_) => true,
        }
    }

    /// Layers of the encoder's kind that run on single bases, the way back being one of them; 0: none.
    #[must_use]
    pub fn nucleotide_layers(&self) -> usize {
        match self {
            Frontend::Lookup => 0,
            Frontend::MxDna(knobs) => knobs.nucleotide_layers + 1,
            Frontend::Deep(knobs) => knobs.nucleotide_layers + 1,
        }
    }

    /// What stands around the encoder, in one line; `None`: nothing but a table.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        match self {
            Frontend::Lookup => None,
            Frontend::MxDna(knobs) => {
                Some(format!("{} nucleotide layer(s), module, way back", knobs.nucleotide_layers))
            }
            Frontend::Deep(knobs) => Some(format!("{} nucleotide layer(s), way back", knobs.nucleotide_layers)),
        }
    }
}

/// Knobs of the MxDNA module (Qiao et al., NeurIPS 2024).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MxDna {
    /// Layers on single nucleotides before the module (of the encoder's own kind); at least one, see
    /// `docs/protocol.md#learned-front-ends`.
    pub nucleotide_layers: usize,
    /// Kernel size of each convolution expert, in bases.
    pub kernel_sizes: Vec<usize>,
    /// Taps of the deformable convolution; odd.
    pub deformable: usize,
    /// Half-width of the multiplicative noise on the router's input in training.
    pub jitter: f64,
    /// Weight of the balancing loss.
    pub balance: f64,
}

impl Default for MxDna {
    fn default() -> Self {
        MxDna { nucleotide_layers: 1, kernel_sizes: (1..=10).collect(), deformable: 3, jitter: 0.01, balance: 0.01 }
    }
}

/// Knobs of the control without the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deep {
    /// Layers on single nucleotides before the shared encoder.
    pub nucleotide_layers: usize,
}

impl Default for Deep {
    fn default() -> Self {
        Deep { nucleotide_layers: MxDna::default().nucleotide_layers }
    }
}
