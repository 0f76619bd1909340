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
    /// Dynamic chunking: nucleotide layers, routing, and a way back by smoothing and decoder layers.
    #[serde(rename = "hnet")]
    HNet(HNetConfig),
    /// Soft blocks of several sizes at a fixed rate, and an upsampling decoder.
    Gbst(GbstConfig),
    /// Merging of similar neighbours in local windows, and an upsampling decoder.
    Merge(MergeConfig),
    /// A pooling of another crate between the same nucleotide layers and decoder.
    Own(OwnConfig),
    /// Fixed pooling between the same nucleotide layers and decoder.
    Pool(PoolConfig),
    /// The same nucleotide layers and decoder without pooling.
    Unpooled(UnpooledConfig),
}

impl FrontendConfig {
    // No wildcard arms: a new front end must answer each question.

    /// Whether the units that the encoder sees are learned by the model, so that only its weights determine their boundaries, or what they
    /// are made of.
    #[must_use]
    pub fn learns_units(&self) -> bool {
        match self {
            FrontendConfig::Lookup | FrontendConfig::Pool(_) | FrontendConfig::Unpooled(_) => false,
            FrontendConfig::MxDna(_)
            | FrontendConfig::HNet(_)
            | FrontendConfig::Gbst(_)
            | FrontendConfig::Merge(_)
            | FrontendConfig::Own(_) => true,
        }
    }

    /// Number of layers of the encoder's type that run on single nucleotides, including the decoder; 0: none.
    #[must_use]
    pub fn nucleotide_layers(&self) -> usize {
        match self {
            FrontendConfig::Lookup => 0,
            FrontendConfig::MxDna(config) => config.nucleotide_layers + 1,
            FrontendConfig::HNet(config) => config.nucleotide_layers + config.decoder_layers,
            FrontendConfig::Gbst(config) => config.nucleotide_layers + 1,
            FrontendConfig::Merge(config) => config.nucleotide_layers + 1,
            FrontendConfig::Own(config) => config.nucleotide_layers + 1,
            FrontendConfig::Pool(config) => config.nucleotide_layers + 1,
            FrontendConfig::Unpooled(config) => config.nucleotide_layers + 1,
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
            FrontendConfig::HNet(config) => Some(format!(
                "{} nucleotide layer(s), routing towards units of {} bases, smoothing, {} decoder layer(s)",
                config.nucleotide_layers, config.bases, config.decoder_layers
            )),
            FrontendConfig::Gbst(config) => Some(format!(
                "{} nucleotide layer(s), soft blocks of 1 to {} bases, one unit for {} bases, upsampling decoder",
                config.nucleotide_layers, config.sizes, config.bases
            )),
            FrontendConfig::Merge(config) => Some(format!(
                "{} nucleotide layer(s), merging in windows of {} bases, one unit for {} bases, upsampling decoder",
                config.nucleotide_layers, config.window, config.bases
            )),
            FrontendConfig::Own(config) => Some(format!(
                "{} nucleotide layer(s), {}, upsampling decoder",
                config.nucleotide_layers, config.summary
            )),
            FrontendConfig::Pool(config) => Some(match &config.equal {
                Some(equal) => format!(
                    "{} nucleotide layer(s), fixed pooling and a feed-forward block with as many {} as {}, upsampling decoder",
                    config.nucleotide_layers,
                    equal.quantity.words(),
                    equal.to
                ),
                None => format!(
                    "{} nucleotide layer(s), fixed pooling of {} bases, upsampling decoder",
                    config.nucleotide_layers, config.bases
                ),
            }),
            FrontendConfig::Unpooled(config) => {
                Some(format!("{} nucleotide layer(s), upsampling decoder", config.nucleotide_layers))
            }
        }
    }

    /// Whether the encoder sees fewer vectors than the tokenizer has tokens.
    #[must_use]
    pub fn pools(&self) -> bool {
        match self {
            FrontendConfig::Lookup | FrontendConfig::Unpooled(_) => false,
            FrontendConfig::MxDna(_)
            | FrontendConfig::HNet(_)
            | FrontendConfig::Gbst(_)
            | FrontendConfig::Merge(_)
            | FrontendConfig::Own(_)
            | FrontendConfig::Pool(_) => true,
        }
    }

    /// The learned front end that this one is as large as, if it is a control of that kind.
    #[must_use]
    pub fn equal(&self) -> Option<&Equal> {
        match self {
            FrontendConfig::Lookup
            | FrontendConfig::MxDna(_)
            | FrontendConfig::HNet(_)
            | FrontendConfig::Gbst(_)
            | FrontendConfig::Merge(_)
            | FrontendConfig::Own(_)
            | FrontendConfig::Unpooled(_) => None,
            FrontendConfig::Pool(config) => config.equal.as_ref(),
        }
    }
}

/// Where the tokens of MxDNA stand when they are assembled. Both were published, and they are not equivalent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Side by side: the deformable convolution moves along tokens. As in the paper's text.
    #[default]
    Compact,
    /// At the nucleotide that is the centre of their unit, with everything else set to zero: the deformable convolution moves along
    /// nucleotides. As in the code of the released weights.
    InPlace,
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
    /// Where tokens stand when they are assembled.
    #[serde(skip_serializing_if = "is_default")]
    pub layout: Layout,
}

/// Whether a field has its default and is left out, as before the field existed.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for MxDnaConfig {
    fn default() -> Self {
        MxDnaConfig {
            nucleotide_layers: 1,
            kernel_sizes: (1..=10).collect(),
            deformable: 3,
            jitter: 0.01,
            balance: 0.01,
            layout: Layout::Compact,
        }
    }
}

/// Hyperparameters of dynamic chunking (H-Net, 2025; bidirectional as in LDARNet, 2026).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HNetConfig {
    /// Number of layers on single nucleotides before the routing (of the encoder's type); at least one.
    pub nucleotide_layers: usize,
    /// Number of such layers after the smoothing.
    pub decoder_layers: usize,
    /// Mean bases per unit that the ratio loss pulls towards; above 1.
    pub bases: f64,
    /// Weight of the ratio loss.
    pub weight: f64,
    /// Fewest units per sequence, or all its bases if it has fewer.
    pub floor: usize,
}

impl Default for HNetConfig {
    fn default() -> Self {
        let nucleotide_layers = MxDnaConfig::default().nucleotide_layers;
        HNetConfig { nucleotide_layers, decoder_layers: 1, bases: 4.0, weight: 0.03, floor: 4 }
    }
}

/// Hyperparameters of soft blocks (GBST of Charformer, ICLR 2022).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GbstConfig {
    /// Number of layers on single nucleotides before the blocks (of the encoder's type); at least one.
    pub nucleotide_layers: usize,
    /// Largest block in bases; candidates have the sizes 1 to this.
    pub sizes: usize,
    /// Bases per unit that the encoder sees.
    pub bases: usize,
}

impl Default for GbstConfig {
    fn default() -> Self {
        GbstConfig { nucleotide_layers: MxDnaConfig::default().nucleotide_layers, sizes: 4, bases: 4 }
    }
}

/// Hyperparameters of merging by similarity (local encoder of MergeDNA, 2025).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MergeConfig {
    /// Number of layers on single nucleotides before the merging (of the encoder's type); at least one.
    pub nucleotide_layers: usize,
    /// Bases of a window; no unit is in two.
    pub window: usize,
    /// Bases per unit that the encoder sees.
    pub bases: usize,
    /// Most pairs that are merged in one round.
    pub pairs: usize,
    /// Width of the projection for similarities.
    pub projection: usize,
}

impl Default for MergeConfig {
    fn default() -> Self {
        let nucleotide_layers = MxDnaConfig::default().nucleotide_layers;
        MergeConfig { nucleotide_layers, window: 16, bases: 4, pairs: 2, projection: 64 }
    }
}

/// A pooling of another crate, with its hyperparameters (trait `Pooling` of the crate `model`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnConfig {
    /// Name under which the pooling is registered in the program.
    pub pooling: String,
    /// Its hyperparameters. The name of the tokenizer must determine them: it is what enters the key of a run.
    pub settings: Vec<u64>,
    /// Number of layers on single nucleotides before it (of the encoder's type); at least one.
    pub nucleotide_layers: usize,
    /// What it does, in a few words, for lists.
    pub summary: String,
}

/// Hyperparameters of fixed pooling: a unit is the mean of its nucleotides, to which a feed-forward block is added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// Number of layers on single nucleotides before the pooling.
    pub nucleotide_layers: usize,
    /// Mean bases per unit; the units of a sequence differ by at most one base.
    pub bases: f64,
    /// Width of the feed-forward block of a unit; 0: none.
    pub inner: usize,
    /// Where `bases` and `inner` come from, if this is a control: a run of a learned front end.
    pub equal: Option<Equal>,
}

impl Default for PoolConfig {
    fn default() -> Self {
        let nucleotide_layers = MxDnaConfig::default().nucleotide_layers;
        PoolConfig { nucleotide_layers, bases: 8.0, inner: 0, equal: None }
    }
}

/// What a control has in common with a learned front end, besides the mean length of its units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equal {
    /// Canonical name of the tokenizer with the learned front end.
    pub to: String,
    /// The quantity that is equal.
    pub quantity: Quantity,
}

/// A size of a front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// Number of parameters.
    Parameters,
    /// Multiply-accumulates of a forward pass.
    Macs,
}

impl Quantity {
    /// For sentences.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Quantity::Parameters => "parameters",
            Quantity::Macs => "multiply-accumulates",
        }
    }
}

/// Hyperparameters of the layers around a learned front end without pooling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnpooledConfig {
    /// Number of layers on single nucleotides before the shared encoder.
    pub nucleotide_layers: usize,
}

impl Default for UnpooledConfig {
    fn default() -> Self {
        UnpooledConfig { nucleotide_layers: MxDnaConfig::default().nucleotide_layers }
    }
}
