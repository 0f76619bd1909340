//! The published model of MxDNA: its tokenization module inside the transformer that it was published with (Qiao et al., NeurIPS 2024),
//! to load and write the released weights.
//!
//! Nucleotide embedding, layers on nucleotides, [`Tokenization`], layers on tokens, LayerNorm; then the decoder back to nucleotides with a
//! masked-language-model head, or a classifier on \[CLS\]. The layers are pre-LayerNorm with rotary position embedding and SwiGLU, unlike those
//! of the shared encoder of comparisons, in front of which the module stands as the tokenizer `mxdna`.

mod slots;
mod weights;

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, activation, s};
use serde::{Deserialize, Serialize};
use tokenize::{Layout, MxDnaConfig};

use crate::frontend::experts::{EPSILON, groups};
use crate::frontend::tokenization::Tokenization;
use crate::frontend::upsampling::{UpsamplingDecoder, rotary_attention};
use crate::head::MlmHead;
use crate::layers::{Embedding, Init, LayerNorm, Linear, swiglu};
use crate::noise::Noise;

/// Sizes of the published model; the defaults are those of the released one with 100,090,895 parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Number of ids: \[PAD\] \[UNK\] \[CLS\] \[SEP\] \[MASK\] A T C G.
    pub vocabulary: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Width of the gated feed-forward block.
    pub intermediate: usize,
    /// Layers on tokens.
    pub token_layers: usize,
    /// The tokenization module, and the number of layers on nucleotides before it.
    pub module: MxDnaConfig,
    /// Number of classes; `None`: a masked-language model.
    pub classes: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            vocabulary: 9,
            hidden: 512,
            heads: 16,
            intermediate: 2048,
            token_layers: 16,
            module: MxDnaConfig { nucleotide_layers: 4, layout: Layout::InPlace, ..MxDnaConfig::default() },
            classes: None,
        }
    }
}

impl Config {
    /// Number of parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let (h, i, experts) = (self.hidden, self.intermediate, &self.module.kernel_sizes);
        let layer = 4 * h * h + 3 * h * i + 4 * h;
        let expert = |&size: &usize| 3 * h * h + 2 * h + size * h * h / groups(h, size);
        let taps = self.module.deformable;
        let deformable = 2 * h + 2 * (h * taps * taps + taps) + h * h * taps;
        let module = 2 * h + h * experts.len() + experts.iter().map(expert).sum::<usize>() + deformable + h;
        let head = match self.classes {
            Some(classes) => 2 * h + h * h + h + h * classes + classes,
            None => layer + 2 * h + h * h + h + 2 * h + self.vocabulary * (h + 1),
        };
        self.vocabulary * h + (self.module.nucleotide_layers + self.token_layers) * layer + module + 2 * h + head
    }
}

/// One layer: self-attention and gated feed-forward block, each behind its LayerNorm.
#[derive(Module, Debug)]
pub struct NativeLayer {
    /// LayerNorm before attention.
    pub attention_norm: LayerNorm,
    /// `[hidden, 3 hidden]`, without bias: queries, keys, values.
    pub qkv: Linear,
    /// `[hidden, hidden]`, without bias.
    pub output: Linear,
    /// LayerNorm before the feed-forward block.
    pub norm: LayerNorm,
    /// `[hidden, 2 intermediate]`, without bias: gate, then values.
    pub up: Linear,
    /// `[intermediate, hidden]`, without bias.
    pub down: Linear,
    #[module(skip)]
    heads: usize,
}

impl NativeLayer {
    fn new(init: &Init, name: &str, config: &Config) -> NativeLayer {
        let (hidden, inner) = (config.hidden, config.intermediate);
        let linear = |part: &str, from, to| Linear::new(init, &format!("{name}.{part}"), from, to, false);
        let norm = |part: &str| LayerNorm::new(init, &format!("{name}.{part}"), hidden, EPSILON);
        NativeLayer {
            attention_norm: norm("attention_norm"),
            qkv: linear("qkv", hidden, 3 * hidden),
            output: linear("output", hidden, hidden),
            norm: norm("norm"),
            up: linear("up", hidden, 2 * inner),
            down: linear("down", inner, hidden),
            heads: config.heads,
        }
    }

    /// States `[batch * positions, hidden]` to the same shape. `coordinates[row]` has one coordinate per real position; the rest is
    /// padding.
    fn forward(&self, states: Tensor<2>, coordinates: &[Vec<usize>]) -> Tensor<2> {
        let ([rows, hidden], batch) = (states.dims(), coordinates.len());
        let qkv = self.qkv.forward(self.attention_norm.forward(states.clone()));
        let (query, key_value) = (qkv.clone().slice(s![.., ..hidden]), qkv.slice(s![.., hidden..]));
        let padded = |row: &Vec<usize>| row.iter().copied().chain(std::iter::repeat(0)).take(rows / batch).collect();
        let places: Vec<Vec<usize>> = coordinates.iter().map(padded).collect();
        let context = rotary_attention(query, key_value, self.heads, &places, coordinates);
        let states = states + self.output.forward(context);
        let up = self.up.forward(self.norm.forward(states.clone()));
        states + self.down.forward(swiglu(up))
    }
}

/// The published model.
#[derive(Module, Debug)]
pub struct Native {
    /// Embedding of nucleotides.
    pub embedding: Embedding,
    /// Layers on nucleotides.
    pub nucleotide_layers: Vec<NativeLayer>,
    /// The tokenization module.
    pub tokenization: Tokenization,
    /// A vector that the published code has and never uses.
    pub unused: Param<Tensor<1>>,
    /// Layers on tokens.
    pub token_layers: Vec<NativeLayer>,
    /// LayerNorm after them.
    pub norm: LayerNorm,
    /// The head.
    pub head: NativeHead,
    #[module(skip)]
    config: Config,
}

/// What the model predicts.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one value per model
pub enum NativeHead {
    /// Masked nucleotides.
    MaskedLm(MaskedLm),
    /// Classes of sequences.
    Classes(Classes),
}

/// The decoder back to nucleotides, and the masked-language-model head.
#[derive(Module, Debug)]
pub struct MaskedLm {
    /// The decoder, with its last LayerNorm.
    pub decoder: UpsamplingDecoder,
    /// Dense layer, GELU, LayerNorm, and the bias of the output layer.
    pub head: MlmHead,
    /// The output layer, `[vocabulary, hidden]`, not tied to the embedding.
    pub output: Param<Tensor<2>>,
}

/// The classifier: LayerNorm of \[CLS\], dense layer, tanh, linear layer.
#[derive(Module, Debug)]
pub struct Classes {
    /// The second LayerNorm.
    pub norm: LayerNorm,
    /// `[hidden, hidden]`
    pub dense: Linear,
    /// `[hidden, classes]`
    pub linear: Linear,
}

/// Result of a forward pass of the trunk.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// States entering the module, `[batch, positions, hidden]`.
    pub nucleotides: Tensor<3>,
    /// Token states after the LayerNorm, `[batch, tokens, hidden]`; undefined at padding.
    pub tokens: Tensor<3>,
    /// Coordinates of the tokens of each row, as rotary position embedding sees them: indices of tokens, or in place of nucleotides.
    pub coordinates: Vec<Vec<usize>>,
    /// The load-balancing loss `[1]`, without its weight.
    pub balance: Option<Tensor<1>>,
}

impl Native {
    /// A model with initial weights.
    #[must_use]
    pub fn new(init: &Init, config: &Config) -> Native {
        let hidden = config.hidden;
        let layers = |name: &str, count: usize| {
            (0..count).map(|number| NativeLayer::new(init, &format!("native.{name}.{number}"), config)).collect()
        };
        let norm = |name: &str| LayerNorm::new(init, name, hidden, EPSILON);
        let mut tokenization = Tokenization::new(init, hidden, &config.module);
        // As published: the last token of a sequence depends on the padding of its batch.
        tokenization.deformable.faithful = true;
        let head = match config.classes {
            Some(classes) => NativeHead::Classes(Classes {
                norm: norm("native.classifier.norm"),
                dense: Linear::new(init, "native.classifier.dense", hidden, hidden, true),
                linear: Linear::new(init, "native.classifier.linear", hidden, classes, true),
            }),
            None => NativeHead::MaskedLm(MaskedLm {
                decoder: UpsamplingDecoder::new(init, hidden, config.heads, config.intermediate),
                head: MlmHead::new(init, hidden, config.vocabulary, EPSILON),
                output: init.normal("native.output", [config.vocabulary, hidden]),
            }),
        };
        Native {
            embedding: Embedding::new(init, "native.embedding", config.vocabulary, hidden),
            nucleotide_layers: layers("nucleotide_layers", config.module.nucleotide_layers),
            tokenization,
            unused: init.constant("native.unused", [hidden], 0.0),
            token_layers: layers("token_layers", config.token_layers),
            norm: norm("native.norm"),
            head,
            config: config.clone(),
        }
    }

    /// Its sizes.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Ids `[batch, positions]`, of which `lengths[row]` are real, \[CLS\] first and \[SEP\] last, to states of nucleotides and tokens.
    /// Jitter only with noise.
    #[must_use]
    pub fn trunk(&self, ids: Tensor<2, Int>, lengths: &[usize], noise: Option<&Noise>) -> Trunk {
        let [batch, positions] = ids.dims();
        let hidden = self.config.hidden;
        let everywhere: Vec<Vec<usize>> = lengths.iter().map(|&length| (0..length).collect()).collect();
        let flat = self.embedding.forward(ids).reshape([batch * positions, hidden]);
        let flat = self.nucleotide_layers.iter().fold(flat, |states, layer| layer.forward(states, &everywhere));
        let nucleotides = flat.reshape([batch, positions, hidden]);
        let made = self.tokenization.forward(nucleotides.clone(), lengths, noise);
        let coordinates: Vec<Vec<usize>> = match self.config.module.layout {
            Layout::Compact => made.lengths.iter().map(|&length| (0..length).collect()).collect(),
            Layout::InPlace => made.places(lengths),
        };
        let [_, tokens, _] = made.tokens.dims();
        let flat = made.tokens.reshape([batch * tokens, hidden]);
        let flat = self.token_layers.iter().fold(flat, |states, layer| layer.forward(states, &coordinates));
        let tokens = self.norm.forward(flat).reshape([batch, tokens, hidden]);
        Trunk { nucleotides, tokens, coordinates, balance: made.balance }
    }

    /// The outputs of the head: logits of all positions `[batch * positions, vocabulary]`, or of classes `[batch, classes]`.
    #[must_use]
    pub fn outputs(&self, trunk: &Trunk) -> Tensor<2> {
        let [batch, positions, hidden] = trunk.nucleotides.dims();
        match &self.head {
            NativeHead::MaskedLm(MaskedLm { decoder, head, output }) => {
                let states = decoder.forward(trunk.nucleotides.clone(), trunk.tokens.clone(), &trunk.coordinates);
                head.forward(states.reshape([batch * positions, hidden]), output.val(), 0..self.config.vocabulary)
            }
            NativeHead::Classes(Classes { norm, dense, linear }) => {
                let cls = trunk.tokens.clone().slice(s![.., 0..1, ..]).reshape([batch, hidden]);
                linear.forward(activation::tanh(dense.forward(norm.forward(cls))))
            }
        }
    }
}
