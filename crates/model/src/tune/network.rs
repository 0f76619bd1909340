//! The network that is fine-tuned: a model with a head, and low-rank adapters.

use std::collections::BTreeMap;

use burn::module::{LoraAdapter, Module, Param, Reparameterizer};
use burn::tensor::{Device, Tensor, TensorData};
use dataset::targets::TargetKind;
use tokenize::{Token, Tokenizer};

use super::goal::Goal;
use super::options::{LoraOptions, Options};
use crate::error::Error;
use crate::files::to_safetensors;
use crate::finetune::{Encoded, Padded, encode};
use crate::fit::Classify;
use crate::head::{Classifier, ContactHead, TokenHead};
use crate::layers::Init;
use crate::network::Model;
use crate::noise::Noise;
use crate::position::Rows;
use crate::read_back;
use crate::trained::{Trained, batches};

/// Standard deviation of the initial weights of heads, as published.
const HEAD_STD: f64 = 0.02;

/// A sequence as the network reads it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Input {
    encoded: Encoded,
    tokens: Vec<Token>,
    pub(super) bases: usize,
}

impl Input {
    pub(super) fn new(tokenizer: &dyn Tokenizer, sequence: &[u8]) -> Input {
        let (encoded, tokens) = encode(tokenizer, sequence);
        Input { encoded, tokens, bases: sequence.len() }
    }

    /// Number of positions, \[CLS\] and \[SEP\] included.
    pub(super) fn positions(&self) -> usize {
        self.encoded.ids.len()
    }

    /// For each base the positions of the tokens that cover it; position 0 is \[CLS\].
    fn cover(&self) -> Vec<Vec<usize>> {
        let mut cover = vec![Vec::new(); self.bases];
        for (number, token) in self.tokens.iter().enumerate() {
            let covered = token.start as usize..(token.end as usize).min(self.bases);
            cover[covered].iter_mut().for_each(|positions| positions.push(number + 1));
        }
        cover
    }
}

/// A model with the head of a goal: its classifier for sequences, or a token or contact head on the mean states of the tokens that cover bases.
#[derive(Module, Debug)]
pub(super) struct Network {
    pub(super) model: Model,
    pub(super) bases: Option<TokenHead>,
    pub(super) contacts: Option<ContactHead>,
}

impl Network {
    /// The model of `trained` with a new head, for training.
    pub(super) fn new(trained: &Trained, goal: &Goal, options: &Options, seed: u64) -> Network {
        let device = trained.device().clone().autodiff();
        let mut model = trained.model().clone().to_device(&device).train();
        if let Some(lora) = options.lora {
            model = model.apply_reparameterization(Adapters { lora, init: Init::new(seed, 1.0, &device) });
        }
        Network::with_head(model, goal, options, &Init::new(seed, HEAD_STD, &device))
    }

    /// A model with a new head.
    pub(super) fn with_head(mut model: Model, goal: &Goal, options: &Options, init: &Init) -> Network {
        let hidden = model.frontend.embedding().dims()[1];
        let (mut bases, mut contacts) = (None, None);
        if goal.kind == TargetKind::Bases {
            bases = Some(TokenHead::new(init, hidden, goal.outputs()));
        } else if goal.kind == TargetKind::Contacts {
            contacts = Some(ContactHead::new(init, hidden, goal.outputs()));
        }
        if goal.kind == TargetKind::Bases || goal.kind == TargetKind::Contacts {
            model.classifier = None;
        } else {
            let mut classifier = Classifier::new(init, hidden, goal.outputs(), model.encoder.dropout());
            // A published pooler is kept.
            if let Some(published) = model.classifier.take() {
                classifier.pooler = published.pooler;
            }
            classifier.pooling = options.settings.pooling;
            model.classifier = Some(classifier);
        }
        Network { model, bases, contacts }
    }

    /// Outputs of the head for some sequences, `[rows, outputs]`, and the auxiliary loss. If bases are predicted: one row per base, those in
    /// `scored` or all; if contacts are: one row per pair.
    pub(super) fn outputs(
        &self,
        inputs: &[&Input],
        scored: Option<&[Vec<usize>]>,
        noise: Option<&Noise>,
        device: &Device,
    ) -> (Tensor<2>, Option<Tensor<1>>) {
        let encoded: Vec<&Encoded> = inputs.iter().map(|input| &input.encoded).collect();
        if self.bases.is_none() && self.contacts.is_none() {
            return Classify::logits(&self.model, &encoded, noise, device);
        }
        let Padded { ids, lengths, centers } = Padded::new(&encoded, device);
        let states = self.model.states(ids, Rows { lengths: &lengths, centers: Some(&centers) }, noise);
        let means = base_states(states.positions, inputs, scored, device);
        let outputs = match (&self.bases, &self.contacts) {
            (Some(head), _) => head.forward(means),
            (None, Some(head)) => pairs(head, &means, inputs),
            (None, None) => means,
        };
        (outputs, states.auxiliary)
    }

    /// The loss of a batch in which nothing is scored: zero, with zero gradients.
    pub(super) fn no_loss(&self) -> Tensor<1> {
        self.model.encoder.norm.beta.val().sum().reshape([1]) * 0.0
            + match (&self.bases, &self.contacts) {
                (Some(TokenHead { linear }), _) | (None, Some(ContactHead { linear })) => {
                    linear.weight.val().sum().reshape([1]) * 0.0
                }
                (None, None) => self.model.head.bias.val().sum().reshape([1]) * 0.0,
            }
    }

    /// Probabilities (numbers in their own units) of each sequence, or of each of its bases or pairs in order; the mean over both strands, if
    /// the reverse complements are given.
    pub(super) fn probabilities(
        &self,
        forward: &[&Input],
        reverse: Option<&[&Input]>,
        goal: &Goal,
        device: &Device,
    ) -> Result<Vec<Vec<f64>>, Error> {
        let mut found = self.of_strand(forward, goal, device)?;
        if let Some(reverse) = reverse {
            for (own, other) in found.iter_mut().zip(self.of_strand(reverse, goal, device)?) {
                goal.average(own, &other);
            }
        }
        Ok(found)
    }

    fn of_strand(&self, inputs: &[&Input], goal: &Goal, device: &Device) -> Result<Vec<Vec<f64>>, Error> {
        let lengths: Vec<usize> = inputs.iter().map(|input| input.encoded.ids.len()).collect();
        let mut found = vec![Vec::new(); inputs.len()];
        for batch in batches(&lengths) {
            let own: Vec<&Input> = batch.iter().map(|&at| inputs[at]).collect();
            let rows = |input: &Input| match goal.kind {
                TargetKind::Bases => input.bases,
                TargetKind::Contacts => input.bases * input.bases.saturating_sub(1) / 2,
                TargetKind::Class | TargetKind::Labels | TargetKind::Numbers => 1,
            };
            if own.iter().all(|input| rows(input) == 0) {
                continue;
            }
            let (outputs, _) = self.outputs(&own, None, None, device);
            let mut values = read_back::rows(outputs, "predictions")?.into_iter().map(f64::from);
            for (input, &at) in own.iter().zip(&batch) {
                let mut row: Vec<f64> = values.by_ref().take(rows(input) * goal.outputs()).collect();
                goal.activate(&mut row);
                found[at] = row;
            }
        }
        Ok(found)
    }

    /// The low-rank adapters as a safetensors file under the names of Hugging Face's PEFT; `None` without adapters.
    pub(super) fn adapters(&self) -> Option<Vec<u8>> {
        let mut tensors: BTreeMap<String, TensorData> = BTreeMap::new();
        for (number, layer) in self.model.encoder.layers.iter().enumerate() {
            let adapter = layer.qkv.weight.adapter()?;
            let name = format!("base_model.model.bert.encoder.layer.{number}.attention.self.Wqkv");
            // [out, in] in files.
            for (part, factor) in [("lora_A", &adapter.a), ("lora_B", &adapter.b)] {
                tensors.insert(format!("{name}.{part}.weight"), factor.val().transpose().into_data());
            }
        }
        to_safetensors(&tensors, false).ok()
    }
}

/// A state for each base of each row, or for those in `scored`: the mean over the tokens that cover it, `[bases, hidden]`.
fn base_states(states: Tensor<3>, inputs: &[&Input], scored: Option<&[Vec<usize>]>, device: &Device) -> Tensor<2> {
    let [batch, positions, hidden] = states.dims();
    let mut covers: Vec<Vec<usize>> = Vec::new();
    for (row, input) in inputs.iter().enumerate() {
        let mut cover = input.cover();
        let mut take = |at: usize| {
            let of_row = std::mem::take(&mut cover[at]).into_iter().map(|position| row * positions + position);
            covers.push(of_row.collect());
        };
        match scored {
            Some(scored) => scored[row].iter().for_each(|&at| take(at)),
            None => (0..input.bases).for_each(&mut take),
        }
    }
    // A mean over as many states as the base with most tokens has; the others have weights of zero.
    let most = covers.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let (mut rows, mut weights) = (Vec::new(), Vec::new());
    for cover in &covers {
        let each = 1.0 / cover.len().max(1) as f32;
        rows.extend(cover.iter().map(|&at| at as i64));
        weights.extend(cover.iter().map(|_| each));
        rows.extend(std::iter::repeat_n(0, most - cover.len()));
        weights.extend(std::iter::repeat_n(0.0, most - cover.len()));
    }
    let count = rows.len();
    let flat = states.reshape([batch * positions, hidden]);
    let picked = flat.select(0, Tensor::from_data(TensorData::new(rows, [count]), device));
    let weights = Tensor::<2>::from_data(TensorData::new(weights, [count, 1]), device);
    (picked * weights).reshape([covers.len(), most, hidden]).sum_dim(1).reshape([covers.len(), hidden])
}

/// The contact head on all pairs of bases of each row, the left one first: `[pairs, outputs]`.
fn pairs(head: &ContactHead, means: &Tensor<2>, inputs: &[&Input]) -> Tensor<2> {
    let [_, hidden] = means.dims();
    let (mut from, mut all) = (0, Vec::new());
    for input in inputs {
        let bases = input.bases;
        let own = means.clone().narrow(0, from, bases).reshape([1, bases, hidden]);
        from += bases;
        let logits = head.forward(&own);
        let outputs = logits.dims()[3];
        let upper: Vec<i64> =
            (0..bases).flat_map(|one| (one + 1..bases).map(move |other| (one * bases + other) as i64)).collect();
        let count = upper.len();
        if count > 0 {
            let upper = Tensor::from_data(TensorData::new(upper, [count]), &means.device());
            all.push(logits.reshape([bases * bases, outputs]).select(0, upper));
        }
    }
    Tensor::cat(all, 0)
}

/// Attaches adapters to the fused query-key-value projections of the encoder, and freezes everything else. Their initial values come from the
/// named streams of a seed.
struct Adapters {
    lora: LoraOptions,
    init: Init,
}

impl Reparameterizer for Adapters {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        parameter: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        let frozen = parameter.set_require_grad(false);
        if D != 2 || !path.ends_with("qkv.weight") || !path.contains("encoder") {
            return (frozen, None);
        }
        let [inputs, outputs] = [0, 1].map(|side| frozen.shape()[side]);
        let LoraOptions { rank, alpha } = self.lora;
        let init = Init { std: 1.0 / rank as f64, ..self.init.clone() };
        let adapter = LoraAdapter {
            a: init.normal(&format!("lora.{path}.a"), [inputs, rank]),
            b: init.constant(&format!("lora.{path}.b"), [rank, outputs], 0.0),
            scale: alpha / rank as f64,
        };
        (frozen, Some(adapter))
    }
}
