//! Loads published DNABERT-2 weights: `model.safetensors` of multimolecule, or the original release as safetensors or
//! `pytorch_model.bin`.
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
//! | `lm_head.decoder.*`, tied | `cls.predictions.decoder.weight`, tied | verified to be tied, then dropped |
//! | `model.pooler.dense.*`, optional | `bert.pooler.dense.*` | `classifier.pooler.*`, if the model has one |
//!
//! Matrices are `[out, in]` in the files and `[in, out]` here. f16 and bf16 values are converted to f32.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{DType, Tensor, TensorData};
use burn_store::pytorch_reader::{PickleValue, PytorchReader};
use safetensors::{Dtype, SafeTensors};
use thiserror::Error;

use crate::frontend::Frontend;
use crate::layers::{LayerNorm, Linear};
use crate::network::Model;

/// Errors of loading weights; each names the file or the tensor.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read or has an unknown format.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Error of the reader.
        reason: String,
    },
    /// The file lacks a tensor of the model.
    #[error("missing tensor {0}")]
    Missing(String),
    /// The file contains tensors that the model does not have.
    #[error("unexpected tensors: {}", .0.join(", "))]
    Unexpected(Vec<String>),
    /// A tensor has another shape than the model's.
    #[error("tensor {name}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Name of the tensor in multimolecule's convention.
        name: String,
        /// Shape in the model.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// The output layer in the file is not tied to the embedding matrix.
    #[error(
        "tensor {0} is not tied to the embedding (or bias) that it duplicates: models with an untied output layer are not supported"
    )]
    NotTied(String),
    /// The parts of a tensor have different types.
    #[error("tensor {name}: its parts have the types {types}")]
    Types {
        /// Name of the tensor or of its first part.
        name: String,
        /// The types.
        types: String,
    },
    /// The published layouts have symmetric ALiBi over tokens only.
    #[error("position encoding {0}: the published layouts can express \"alibi\" alone")]
    Position(String),
    /// A learned front end has no published DNABERT-2 weights.
    #[error("DNABERT-2 weights require a fixed tokenizer (lookup front end)")]
    Frontend,
}

impl Error {
    /// The message with the folder of the checkpoint, which errors about tensors do not name.
    #[must_use]
    pub fn in_folder(&self, folder: &Path) -> String {
        match self {
            Error::File { .. } => self.to_string(),
            _ => format!("{}: {self}", folder.display()),
        }
    }
}

/// One tensor of a file, in f32.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// The tensors of a file under multimolecule's names.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    entries: BTreeMap<String, Entry>,
}

impl Weights {
    /// Reads `*.safetensors`, or (any other extension) a PyTorch file.
    ///
    /// # Errors
    /// A file that cannot be read, or a tensor that is not of floats.
    pub fn read(path: &Path) -> Result<Weights, Error> {
        let fail = |reason: String| Error::File { path: path.to_owned(), reason };
        Weights::new(read_file(path)?).map_err(fail)
    }

    /// Weights from named tensors, in either naming convention.
    ///
    /// # Errors
    /// If a tensor cannot be converted to f32; names the tensor.
    pub fn new(tensors: impl IntoIterator<Item = (String, TensorData)>) -> Result<Weights, String> {
        let mut weights = Weights { entries: BTreeMap::new() };
        for (name, data) in tensors {
            let shape = data.shape().to_vec();
            let values =
                data.convert::<f32>().try_to_vec::<f32>().map_err(|error| format!("tensor {name}: {error:?}"))?;
            weights.entries.insert(canonical(&name), Entry { shape, values });
        }
        weights.join_qkv();
        Ok(weights)
    }

    /// Loads the weights into `model`. On an error the model is dropped, so that no partly loaded model remains.
    ///
    /// # Errors
    /// If tensors are missing, unexpected, of another shape or not tied.
    pub fn load(mut self, mut model: Model) -> Result<Model, Error> {
        self.untie()?;
        let Frontend::Lookup(lookup) = &mut model.frontend else { return Err(Error::Frontend) };
        let embeddings = "model.embeddings";
        self.place(&mut lookup.embedding.weight, &format!("{embeddings}.word_embeddings.weight"))?;
        let name = format!("{embeddings}.token_type_embeddings.weight");
        if let Some(types) = self.entries.remove(&name) {
            let hidden = lookup.embedding.weight.dims()[1];
            if types.shape.len() != 2 || types.shape[0] == 0 || types.shape[1] != hidden {
                return Err(Error::Shape { name, expected: vec![2, hidden], found: types.shape });
            }
            let device = lookup.embedding.weight.device();
            let row = TensorData::new(types.values[..hidden].to_vec(), [hidden]);
            let mut segment = Param::from_tensor(Tensor::from_data(row, &device));
            segment.id = crate::layers::identity("frontend.segment");
            lookup.segment = Some(segment);
        }
        self.place_norm(&mut model.encoder.norm, &format!("{embeddings}.layer_norm"))?;
        for (number, layer) in model.encoder.layers.iter_mut().enumerate() {
            let prefix = format!("model.encoder.layer.{number}");
            self.place_linear(&mut layer.qkv, &format!("{prefix}.attention.self.qkv"))?;
            self.place_linear(&mut layer.output, &format!("{prefix}.attention.output.dense"))?;
            self.place_norm(&mut layer.attention_norm, &format!("{prefix}.attention.output.layer_norm"))?;
            self.place_linear(&mut layer.up, &format!("{prefix}.mlp.up_proj"))?;
            self.place_linear(&mut layer.down, &format!("{prefix}.mlp.down_proj"))?;
            self.place_norm(&mut layer.norm, &format!("{prefix}.mlp.layer_norm"))?;
        }
        // Files of the encoder alone are also published; the head then keeps its initial values.
        if self.entries.keys().any(|name| name.starts_with("lm_head.")) {
            self.place_linear(&mut model.head.dense, "lm_head.transform.dense")?;
            self.place_norm(&mut model.head.norm, "lm_head.transform.layer_norm")?;
            self.place(&mut model.head.bias, "lm_head.bias")?;
        }
        let pooler = "model.pooler.dense";
        match &mut model.classifier {
            Some(classifier) if self.entries.contains_key(&format!("{pooler}.weight")) => {
                self.place_linear(&mut classifier.pooler, pooler)?;
            }
            _ => self.entries.retain(|name, _| !name.starts_with(pooler)),
        }
        if self.entries.is_empty() { Ok(model) } else { Err(Error::Unexpected(self.entries.into_keys().collect())) }
    }

    /// Concatenates query, key and value to `qkv`, as the original release stores them.
    fn join_qkv(&mut self) {
        let parts: Vec<String> =
            self.entries.keys().filter(|name| name.contains(".attention.self.query.")).cloned().collect();
        for query in parts {
            let names = ["query", "key", "value"].map(|part| query.replace(".query.", &format!(".{part}.")));
            let Some(found) = names.iter().map(|name| self.entries.get(name)).collect::<Option<Vec<_>>>() else {
                continue;
            };
            // Unequal parts stay apart, and are then missing under the joint name.
            if found[0].shape.is_empty() || found.iter().any(|part| part.shape != found[0].shape) {
                continue;
            }
            let mut shape = found[0].shape.clone();
            shape[0] = found.iter().map(|entry| entry.shape[0]).sum();
            let values = found.iter().flat_map(|entry| entry.values.iter().copied()).collect();
            for name in &names {
                self.entries.remove(name);
            }
            self.entries.insert(query.replace(".query.", ".qkv."), Entry { shape, values });
        }
    }

    /// Removes duplicates of tied tensors after verifying that they are equal.
    fn untie(&mut self) -> Result<(), Error> {
        let (bias, weight) = ("lm_head.decoder.bias", "lm_head.decoder.weight");
        if let Some(copy) = self.entries.remove(bias) {
            match self.entries.get("lm_head.bias") {
                None => drop(self.entries.insert("lm_head.bias".to_owned(), copy)),
                Some(first) if *first == copy => {}
                Some(_) => return Err(Error::NotTied(bias.to_owned())),
            }
        }
        match self.entries.remove(weight) {
            Some(copy) if self.entries.get("model.embeddings.word_embeddings.weight") != Some(&copy) => {
                Err(Error::NotTied(weight.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn place<const D: usize>(&mut self, parameter: &mut Param<Tensor<D>>, name: &str) -> Result<(), Error> {
        let entry = self.entries.remove(name).ok_or_else(|| Error::Missing(name.to_owned()))?;
        let expected = parameter.dims();
        if entry.shape != expected {
            return Err(Error::Shape { name: name.to_owned(), expected: expected.to_vec(), found: entry.shape });
        }
        set(parameter, TensorData::new(entry.values, expected));
        Ok(())
    }

    fn place_linear(&mut self, linear: &mut Linear, name: &str) -> Result<(), Error> {
        let weight = format!("{name}.weight");
        let entry = self.entries.remove(&weight).ok_or_else(|| Error::Missing(weight.clone()))?;
        let [inputs, outputs] = linear.weight.dims();
        if entry.shape != [outputs, inputs] {
            return Err(Error::Shape { name: weight, expected: vec![outputs, inputs], found: entry.shape });
        }
        let transposed = (0..inputs * outputs).map(|index| entry.values[(index % outputs) * inputs + index / outputs]);
        set(&mut linear.weight, TensorData::new(transposed.collect::<Vec<f32>>(), [inputs, outputs]));
        match &mut linear.bias {
            Some(bias) => self.place(bias, &format!("{name}.bias")),
            None => Ok(()),
        }
    }

    fn place_norm(&mut self, norm: &mut LayerNorm, name: &str) -> Result<(), Error> {
        self.place(&mut norm.gamma, &format!("{name}.weight"))?;
        self.place(&mut norm.beta, &format!("{name}.bias"))
    }
}

/// Loads published weights from a file into `model`; names as in the table above.
///
/// # Errors
/// If the file cannot be read, or tensors are missing, unexpected, of another shape or not tied.
pub fn load(model: Model, path: &Path) -> Result<Model, Error> {
    Weights::read(path)?.load(model)
}

fn set<const D: usize>(parameter: &mut Param<Tensor<D>>, data: TensorData) {
    let device = parameter.device();
    let value = Tensor::from_data(data, &device).set_require_grad(parameter.is_require_grad());
    *parameter = parameter.clone().map(|_| value);
}

/// Converts a name of the original release to multimolecule's convention; multimolecule's names are unchanged.
fn canonical(name: &str) -> String {
    let name = name.strip_prefix("bert.").map_or_else(|| name.to_owned(), |rest| format!("model.{rest}"));
    name.replace("cls.predictions.", "lm_head.")
        .replace("LayerNorm", "layer_norm")
        .replace(".layernorm.", ".layer_norm.")
        .replace(".gated_layers.", ".up_proj.")
        .replace(".mlp.wo.", ".mlp.down_proj.")
        .replace(".Wqkv.", ".qkv.")
}

/// The tensors of a file by name, in their own types.
///
/// # Errors
/// A file that cannot be read, or a tensor that is not of floats.
pub(crate) fn read_file(path: &Path) -> Result<Vec<(String, TensorData)>, Error> {
    let safetensors = path.extension().is_some_and(|extension| extension == "safetensors");
    let raw = if safetensors { read_safetensors(path) } else { read_pytorch(path) };
    raw.map_err(|reason| Error::File { path: path.to_owned(), reason })
}

fn read_safetensors(path: &Path) -> Result<Vec<(String, TensorData)>, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| error.to_string())?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        let kind = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            other => return Err(format!("tensor {name} has type {other:?}, expected a float type")),
        };
        tensors.push((name, TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), kind)));
    }
    Ok(tensors)
}

/// Refuses a pickle with entries that are no tensors: such a file is more than weights, and what it is would be lost.
fn refuse_other_entries(path: &Path, tensors: &BTreeSet<&str>) -> Result<(), String> {
    let PickleValue::Dict(entries) = PytorchReader::read_pickle_data(path, None).map_err(|error| error.to_string())?
    else {
        return Err("not a dictionary of tensors".to_owned());
    };
    let mut others: Vec<String> = entries.into_keys().filter(|name| !tensors.contains(name.as_str())).collect();
    others.sort();
    match others.first() {
        None => Ok(()),
        Some(name) => Err(format!("entry {name:?} is no tensor: a file of weights has only tensors")),
    }
}

fn read_pytorch(path: &Path) -> Result<Vec<(String, TensorData)>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    let file = PytorchReader::new(path).map_err(|error| error.to_string())?;
    let all: Vec<_> = file.into_tensors().into_iter().collect();
    refuse_other_entries(path, &all.iter().map(|(name, _)| name.as_str()).collect())?;
    // Before anything is read. The tied output matrix shares its storage, so that a file may claim its embedding twice.
    let claimed = all.iter().try_fold(0_u64, |sum, (_, tensor)| {
        let elements = tensor.shape().iter().try_fold(1_u64, |product, &n| product.checked_mul(n as u64))?;
        sum.checked_add(elements.checked_mul(2)?)
    });
    if claimed.is_none_or(|claimed| claimed > 2 * size + (1 << 16)) {
        return Err(format!("its tensors claim more values than a file of {size} bytes can hold"));
    }
    let mut tensors = Vec::new();
    for (name, tensor) in all {
        let kind = format!("{:?}", tensor.dtype());
        let kind = match kind.as_str() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            "F64" => DType::F64,
            _ => return Err(format!("tensor {name} has type {kind}, expected a float type")),
        };
        let bytes = tensor.read().map_err(|error| error.to_string())?;
        tensors.push((name, TensorData::from_bytes_vec(bytes, tensor.shape().to_vec(), kind)));
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use experiment::config::EncoderConfig;

    fn model(layers: usize) -> Model {
        let encoder = EncoderConfig { hidden: 4, layers, heads: 2, intermediate: 6, ..EncoderConfig::default() };
        let config = ModelConfig { vocabulary: 7, frontend: tokenize::FrontendConfig::Lookup, encoder, classes: None };
        Model::new(&config, 1, &crate::device::open("cpu").unwrap())
    }

    /// Tensors of a one-layer model under the names of the original release, without the tied output layer.
    fn tensors() -> BTreeMap<String, TensorData> {
        let layer = "bert.encoder.layer.0";
        let shapes: [(String, &[usize]); 22] = [
            ("bert.embeddings.word_embeddings.weight".into(), &[7, 4]),
            ("bert.embeddings.token_type_embeddings.weight".into(), &[2, 4]),
            ("bert.embeddings.LayerNorm.weight".into(), &[4]),
            ("bert.embeddings.LayerNorm.bias".into(), &[4]),
            (format!("{layer}.attention.self.Wqkv.weight"), &[12, 4]),
            (format!("{layer}.attention.self.Wqkv.bias"), &[12]),
            (format!("{layer}.attention.output.dense.weight"), &[4, 4]),
            (format!("{layer}.attention.output.dense.bias"), &[4]),
            (format!("{layer}.attention.output.LayerNorm.weight"), &[4]),
            (format!("{layer}.attention.output.LayerNorm.bias"), &[4]),
            (format!("{layer}.mlp.gated_layers.weight"), &[12, 4]),
            (format!("{layer}.mlp.wo.weight"), &[4, 6]),
            (format!("{layer}.mlp.wo.bias"), &[4]),
            (format!("{layer}.mlp.layernorm.weight"), &[4]),
            (format!("{layer}.mlp.layernorm.bias"), &[4]),
            ("cls.predictions.transform.dense.weight".into(), &[4, 4]),
            ("cls.predictions.transform.dense.bias".into(), &[4]),
            ("cls.predictions.transform.LayerNorm.weight".into(), &[4]),
            ("cls.predictions.transform.LayerNorm.bias".into(), &[4]),
            ("cls.predictions.decoder.bias".into(), &[7]),
            ("bert.pooler.dense.weight".into(), &[4, 4]),
            ("bert.pooler.dense.bias".into(), &[4]),
        ];
        let ramp = |shape: &[usize]| (0..shape.iter().product()).map(|index: usize| index as f32).collect::<Vec<_>>();
        shapes.into_iter().map(|(name, shape)| (name, TensorData::new(ramp(shape), shape.to_vec()))).collect()
    }

    fn loaded(tensors: BTreeMap<String, TensorData>, layers: usize) -> Result<Model, String> {
        Weights::new(tensors).unwrap().load(model(layers)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_output_layer_must_be_tied_to_the_embedding() {
        let first = |model: &Model| model.encoder.layers[0].down.weight.val().try_into_vec_as::<f32>().unwrap();
        let without = loaded(tensors(), 1).unwrap();
        // [out, in] in the file, [in, out] here.
        assert_eq!(first(&without)[..5], [0.0, 6.0, 12.0, 18.0, 1.0]);
        let mut with = tensors();
        with.insert("cls.predictions.decoder.weight".into(), with["bert.embeddings.word_embeddings.weight"].clone());
        assert_eq!(first(&loaded(with.clone(), 1).unwrap()), first(&without));
        with.insert("cls.predictions.decoder.weight".into(), TensorData::new(vec![1.0_f32; 28], [7, 4]));
        assert!(loaded(with, 1).unwrap_err().contains("lm_head.decoder.weight is not tied"));
    }

    #[test]
    fn errors_name_the_tensor() {
        let error = loaded(tensors(), 2).unwrap_err();
        assert_eq!(error, "missing tensor model.encoder.layer.1.attention.self.qkv.weight");
        let mut extra = tensors();
        extra.insert("bert.encoder.layer.1.mlp.wo.bias".into(), TensorData::new(vec![0.0_f32; 4], [4]));
        assert_eq!(loaded(extra, 1).unwrap_err(), "unexpected tensors: model.encoder.layer.1.mlp.down_proj.bias");
        let mut misshapen = tensors();
        misshapen.insert("cls.predictions.decoder.bias".into(), TensorData::new(vec![0.0_f32; 8], [8]));
        assert_eq!(loaded(misshapen, 1).unwrap_err(), "tensor lm_head.bias: expected shape [7], found [8]");
        assert!(load(model(1), Path::new("/no/such.safetensors")).unwrap_err().to_string().starts_with("/no/such"));
    }
}
