//! A checkpoint as a network.
//!
//! | multimolecule | original release | here |
//! |---|---|---|
//! | `model.embeddings.word_embeddings.weight` | `bert.embeddings.word_embeddings.weight` | `frontend.embedding.weight` |
//! | `model.embeddings.token_type_embeddings.weight` | the same under `bert.` | row 0: `frontend.segment` |
//! | `model.embeddings.layer_norm.*` | `bert.embeddings.LayerNorm.*` | `encoder.norm.*` |
//! | `...layer.N.attention.self.{query,key,value}.*` | `...attention.self.Wqkv.*` | `encoder.layers.N.qkv.*` |
//! | `...layer.N.attention.output.{dense,layer_norm}.*` | `...attention.output.{dense,LayerNorm}.*` | `...N.{output,attention_norm}.*` |
//! | `...layer.N.mlp.{up_proj,down_proj,layer_norm}.*` | `...mlp.{gated_layers,wo,layernorm}.*` | `...N.{up,down,norm}.*` |
//! | `lm_head.transform.{dense,layer_norm}.*` | `cls.predictions.transform.{dense,LayerNorm}.*` | `head.{dense,norm}.*` |
//! | `lm_head.bias` | `cls.predictions.decoder.bias` | `head.bias` |
//! | `lm_head.decoder.*`, tied | `cls.predictions.decoder.weight`, tied | verified to be tied |
//! | `model.pooler.dense.*`, optional | `bert.pooler.dense.*` | `classifier.pooler.*` |
//! | `sequence_head.decoder.*`, optional | `classifier.*` | `classifier.linear.*` |
//!
//! Matrices are `[out, in]` in the files and `[in, out]` here. f16 and bf16 values are converted to f32.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use experiment::config::{EncoderConfig, Position};

use super::parts::{CLASSIFIER, EMBEDDINGS, HEAD, POOLER, layer};
use crate::files::{Error, set, values};
use crate::frontend::Frontend;
use crate::layers::{LayerNorm, Linear};
use crate::network::Model;

/// Sets the parameters of `model` to the tensors of a checkpoint, which have been checked to be there with their shapes. Without a
/// masked-language-model head or a classifier in the checkpoint, that of the model keeps its initial values.
pub(super) fn place(tensors: &BTreeMap<String, TensorData>, mut model: Model) -> Result<Model, Error> {
    let source = Source(tensors);
    let Frontend::Lookup(lookup) = &mut model.frontend else { return Err(Error::Frontend) };
    source.parameter(&mut lookup.embedding.weight, &format!("{EMBEDDINGS}.word_embeddings.weight"))?;
    let hidden = lookup.embedding.weight.dims()[1];
    let types = source.values(&format!("{EMBEDDINGS}.token_type_embeddings.weight"))?;
    let device = lookup.embedding.weight.device();
    let row = TensorData::new(types[..hidden].to_vec(), [hidden]);
    let mut segment = Param::from_tensor(Tensor::from_data(row, &device));
    segment.id = crate::layers::identity("frontend.segment");
    lookup.segment = Some(segment);
    source.norm(&mut model.encoder.norm, &format!("{EMBEDDINGS}.layer_norm"))?;
    for (number, own) in model.encoder.layers.iter_mut().enumerate() {
        let prefix = layer(number);
        source.linear(&mut own.qkv, &format!("{prefix}.attention.self.qkv"))?;
        source.linear(&mut own.output, &format!("{prefix}.attention.output.dense"))?;
        source.norm(&mut own.attention_norm, &format!("{prefix}.attention.output.layer_norm"))?;
        source.linear(&mut own.up, &format!("{prefix}.mlp.up_proj"))?;
        source.linear(&mut own.down, &format!("{prefix}.mlp.down_proj"))?;
        source.norm(&mut own.norm, &format!("{prefix}.mlp.layer_norm"))?;
    }
    if tensors.contains_key(&format!("{HEAD}.bias")) {
        source.linear(&mut model.head.dense, &format!("{HEAD}.transform.dense"))?;
        source.norm(&mut model.head.norm, &format!("{HEAD}.transform.layer_norm"))?;
        source.parameter(&mut model.head.bias, &format!("{HEAD}.bias"))?;
    }
    if let Some(classifier) = &mut model.classifier {
        source.linear(&mut classifier.pooler, POOLER)?;
        if tensors.contains_key(&format!("{CLASSIFIER}.weight")) {
            source.linear(&mut classifier.linear, CLASSIFIER)?;
        }
    }
    Ok(model)
}

/// The tensors of a network under the names of a checkpoint.
#[derive(Default)]
pub(super) struct Taken(pub(super) BTreeMap<String, TensorData>);

impl Taken {
    /// The tensors of embeddings and encoder, in f32.
    ///
    /// # Errors
    /// If the layouts cannot express them: a learned front end, or another position encoding than `alibi`.
    pub(super) fn of(model: &Model, encoder: &EncoderConfig) -> Result<Taken, Error> {
        if encoder.position != Position::ALIBI {
            return Err(Error::Position(encoder.position.name()));
        }
        let Frontend::Lookup(lookup) = &model.frontend else { return Err(Error::Frontend) };
        let mut taken = Taken::default();
        let hidden = lookup.embedding.weight.dims()[1];
        taken.put(format!("{EMBEDDINGS}.word_embeddings.weight"), lookup.embedding.weight.val().into_data());
        // Single sequences use the first row.
        let device = lookup.embedding.weight.device();
        let zero = || Tensor::<1>::zeros([hidden], &device);
        let first = lookup.segment.as_ref().map_or_else(zero, Param::val);
        let types = Tensor::stack::<2>(vec![first, zero()], 0).into_data();
        taken.put(format!("{EMBEDDINGS}.token_type_embeddings.weight"), types);
        taken.norm(&format!("{EMBEDDINGS}.layer_norm"), &model.encoder.norm);
        for (number, own) in model.encoder.layers.iter().enumerate() {
            let prefix = layer(number);
            taken.linear(&format!("{prefix}.attention.self.qkv"), &own.qkv);
            taken.linear(&format!("{prefix}.attention.output.dense"), &own.output);
            taken.norm(&format!("{prefix}.attention.output.layer_norm"), &own.attention_norm);
            taken.linear(&format!("{prefix}.mlp.up_proj"), &own.up);
            taken.linear(&format!("{prefix}.mlp.down_proj"), &own.down);
            taken.norm(&format!("{prefix}.mlp.layer_norm"), &own.norm);
        }
        Ok(taken)
    }

    pub(super) fn put(&mut self, name: String, data: TensorData) {
        self.0.insert(name, data);
    }

    pub(super) fn norm(&mut self, name: &str, norm: &LayerNorm) {
        self.put(format!("{name}.weight"), norm.gamma.val().into_data());
        self.put(format!("{name}.bias"), norm.beta.val().into_data());
    }

    pub(super) fn linear(&mut self, name: &str, linear: &Linear) {
        self.put(format!("{name}.weight"), linear.weight.val().transpose().into_data());
        if let Some(bias) = &linear.bias {
            self.put(format!("{name}.bias"), bias.val().into_data());
        }
    }
}

/// The tensors of a checkpoint.
struct Source<'a>(&'a BTreeMap<String, TensorData>);

impl Source<'_> {
    fn values(&self, name: &str) -> Result<Vec<f32>, Error> {
        let data = self.0.get(name).ok_or_else(|| Error::Missing(name.to_owned()))?;
        values(name, data.clone())
    }

    fn parameter<const D: usize>(&self, parameter: &mut Param<Tensor<D>>, name: &str) -> Result<(), Error> {
        set(parameter, self.values(name)?);
        Ok(())
    }

    fn linear(&self, linear: &mut Linear, name: &str) -> Result<(), Error> {
        let values = self.values(&format!("{name}.weight"))?;
        let [inputs, outputs] = linear.weight.dims();
        let transposed = (0..inputs * outputs).map(|index| values[(index % outputs) * inputs + index / outputs]);
        set(&mut linear.weight, transposed.collect());
        match &mut linear.bias {
            Some(bias) => self.parameter(bias, &format!("{name}.bias")),
            None => Ok(()),
        }
    }

    fn norm(&self, norm: &mut LayerNorm, name: &str) -> Result<(), Error> {
        self.parameter(&mut norm.gamma, &format!("{name}.weight"))?;
        self.parameter(&mut norm.beta, &format!("{name}.bias"))
    }
}
