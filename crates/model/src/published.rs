//! Published DNABERT-2 checkpoints: folders with `config.json`, weights and tokenizer files, under the names of the original release
//! or of multimolecule.
//!
//! [`Checkpoint::read`] takes either layout, whole or sharded, as safetensors or as `pytorch_model.bin`, in any float type, with or without
//! the tied output layer, the masked-language-model head and the pooler. Every tensor is compared with the shapes that the configuration
//! gives; what is missing, unexpected, misshaped or not tied is named as the file names it. [`Checkpoint::write`] writes either layout as
//! safetensors. Values keep their type, so that a conversion there and back restores every tensor.

mod config;
mod names;
mod parts;
mod tokenizer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use experiment::config::{EncoderConfig, Position};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

pub use config::Config;
pub use names::Names;
use parts::{Part, Presence, parts};

use crate::config::ModelConfig;
use crate::frontend::Frontend;
use crate::layers::{LayerNorm, Linear};
use crate::network::Model;
use crate::weights::{Error, Weights, read_file};

/// Files in which weights are looked for, in this order.
const WEIGHTS: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

/// A published checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Sizes and hyperparameters.
    pub config: Config,
    /// The layout that it was read from.
    pub names: Names,
    /// Values by part of the model: name under multimolecule, with queries, keys and values in one tensor.
    tensors: BTreeMap<String, TensorData>,
    /// The content of `tokenizer.json`, with the special tokens as in the layout that it was read from.
    tokenizer: Option<serde_json::Value>,
    /// Other keys of the `config.json` that it was read from.
    other: serde_json::Map<String, serde_json::Value>,
    /// Where it comes from: sentences for the model card.
    pub origin: Option<String>,
}

impl Checkpoint {
    /// Reads a folder.
    ///
    /// # Errors
    /// If a file is missing, damaged or refused; if tensors are missing, unexpected, of another shape or type, or not tied.
    pub fn read(folder: &Path) -> Result<Checkpoint, Error> {
        let path = folder.join("config.json");
        let text = std::fs::read(&path).map_err(|error| fail(&path, error.to_string()))?;
        let config = Config::parse(&text).map_err(|reason| fail(&path, reason))?;
        let other = serde_json::from_slice(&text).unwrap_or_default();
        let mut file = BTreeMap::new();
        for path in weight_files(folder)? {
            for (name, data) in read_file(&path)? {
                if file.insert(name.clone(), data).is_some() {
                    return Err(fail(&path, format!("tensor {name} is also in another shard")));
                }
            }
        }
        let names = Names::of(file.keys().map(String::as_str));
        let file = prefixed(names, file);
        let tensors = checked(&config, names, file)?;
        let path = folder.join("tokenizer.json");
        let tokenizer = match std::fs::read(&path) {
            Ok(text) => Some(tokenizer::parse(&text, &config, names).map_err(|reason| fail(&path, reason))?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(fail(&path, error.to_string())),
        };
        let origin = Some("Converted from a published checkpoint, whose licence applies.".to_owned());
        Ok(Checkpoint { config, names, tensors, tokenizer, other, origin })
    }

    /// A trained model with a fixed tokenizer, as a checkpoint; `tokenizer` is the content of a `tokenizer.json` with the special tokens of
    /// the original release.
    ///
    /// # Errors
    /// If the layouts cannot express the model: a learned front end, or another position encoding than `alibi`; if the tokenizer has more
    /// entries than the model.
    pub fn of(model: &Model, encoder: &EncoderConfig, tokenizer: &[u8]) -> Result<Checkpoint, Error> {
        let Frontend::Lookup(lookup) = &model.frontend else { return Err(Error::Frontend) };
        if encoder.position != Position::ALIBI {
            return Err(Error::Position(encoder.position.name()));
        }
        let [vocabulary, hidden] = lookup.embedding.weight.dims();
        let config = Config::of(encoder, vocabulary);
        let mut tensors = BTreeMap::new();
        let mut put = |name: String, data: TensorData| drop(tensors.insert(name, data));
        let embeddings = "model.embeddings";
        put(format!("{embeddings}.word_embeddings.weight"), lookup.embedding.weight.val().into_data());
        // Single sequences use the first row.
        let device = lookup.embedding.weight.device();
        let zero = || Tensor::<1>::zeros([hidden], &device);
        let first = lookup.segment.as_ref().map_or_else(zero, Param::val);
        put(
            format!("{embeddings}.token_type_embeddings.weight"),
            Tensor::stack::<2>(vec![first, zero()], 0).into_data(),
        );
        let mut norm = |name: &str, norm: &LayerNorm| {
            put(format!("{name}.weight"), norm.gamma.val().into_data());
            put(format!("{name}.bias"), norm.beta.val().into_data());
        };
        norm(&format!("{embeddings}.layer_norm"), &model.encoder.norm);
        norm("lm_head.transform.layer_norm", &model.head.norm);
        for (number, layer) in model.encoder.layers.iter().enumerate() {
            let prefix = format!("model.encoder.layer.{number}");
            norm(&format!("{prefix}.attention.output.layer_norm"), &layer.attention_norm);
            norm(&format!("{prefix}.mlp.layer_norm"), &layer.norm);
        }
        // Matrices are [out, in] in files.
        let mut linear = |name: &str, linear: &Linear| {
            put(format!("{name}.weight"), linear.weight.val().transpose().into_data());
            if let Some(bias) = &linear.bias {
                put(format!("{name}.bias"), bias.val().into_data());
            }
        };
        for (number, layer) in model.encoder.layers.iter().enumerate() {
            let prefix = format!("model.encoder.layer.{number}");
            linear(&format!("{prefix}.attention.self.qkv"), &layer.qkv);
            linear(&format!("{prefix}.attention.output.dense"), &layer.output);
            linear(&format!("{prefix}.mlp.up_proj"), &layer.up);
            linear(&format!("{prefix}.mlp.down_proj"), &layer.down);
        }
        linear("lm_head.transform.dense", &model.head.dense);
        put("lm_head.bias".to_owned(), model.head.bias.val().into_data());
        let tokenizer = tokenizer::parse(tokenizer, &config, Names::Original)
            .map_err(|reason| fail(Path::new("tokenizer.json"), reason))?;
        Ok(Checkpoint {
            config,
            names: Names::Original,
            tensors,
            tokenizer: Some(tokenizer),
            other: serde_json::Map::new(),
            origin: None,
        })
    }

    /// The model in memory, on a device; without a masked-language-model head in the checkpoint, that head has initial values.
    ///
    /// # Errors
    /// If a value cannot be converted to f32.
    pub fn model(&self, device: &Device) -> Result<Model, Error> {
        let tensors = self.tensors(Names::Multimolecule);
        let weights = Weights::new(tensors).map_err(|reason| fail(Path::new(WEIGHTS[0]), reason))?;
        weights.load(Model::new(&self.model_config(), 0, device))
    }

    /// The sizes of the network.
    #[must_use]
    pub fn model_config(&self) -> ModelConfig {
        ModelConfig {
            vocabulary: self.config.vocabulary,
            frontend: tokenize::FrontendConfig::Lookup,
            encoder: self.config.encoder(),
            // The pooler is part of a classifier, whose output layer is drawn anew in fine-tuning.
            classes: self.tensors.contains_key("model.pooler.dense.weight").then_some(1),
        }
    }

    /// The content of its `tokenizer.json` with the special tokens of the original release, if it has one.
    #[must_use]
    pub fn tokenizer_json(&self) -> Option<Vec<u8>> {
        self.tokenizer.as_ref().map(|json| pretty(&tokenizer::renamed(json, self.names, Names::Original)))
    }

    /// Number of parameters; tied duplicates are not counted.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(|data| data.shape().num_elements()).sum()
    }

    /// Whether it has the masked-language-model head.
    #[must_use]
    pub fn has_head(&self) -> bool {
        self.tensors.contains_key("lm_head.bias")
    }

    /// Whether it has a tokenizer.
    #[must_use]
    pub fn has_tokenizer(&self) -> bool {
        self.tokenizer.is_some()
    }

    /// The tensors under the names of a layout, in the order of the names.
    #[must_use]
    pub fn tensors(&self, names: Names) -> BTreeMap<String, TensorData> {
        let mut out = BTreeMap::new();
        for part in parts(&self.config) {
            let source = if let Presence::Tied(of) = &part.presence { of } else { part.name() };
            let Some(data) = self.tensors.get(source) else { continue };
            // multimolecule drops tied duplicates, the original release keeps them.
            let tied = matches!(part.presence, Presence::Tied(_));
            if tied && (names == Names::Multimolecule || !self.has_head()) {
                continue;
            }
            // No targets: a duplicate that this layout does not have.
            let targets = part.names(names);
            for (target, data) in targets.iter().zip(split(data, targets.len().max(1))) {
                out.insert(target.clone(), data);
            }
        }
        out
    }

    /// Writes `model.safetensors`, `config.json`, a model card and, if there is a tokenizer, `tokenizer.json` and
    /// `tokenizer_config.json` to a folder, under the names of a layout. Returns the names of the files.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path, names: Names) -> Result<Vec<&'static str>, Error> {
        let tensors = self.tensors(names);
        let views = tensors.iter().map(|(name, data)| {
            let view = TensorView::new(kind(data), data.shape().to_vec(), data.as_bytes());
            (name.as_str(), view.expect("a tensor has as many bytes as its shape and type say"))
        });
        let metadata = Some([("format".to_owned(), "pt".to_owned())].into_iter().collect());
        let weights = folder.join(WEIGHTS[0]);
        let bytes = safetensors::serialize(views, metadata).map_err(|error| fail(&weights, error.to_string()))?;
        let mut files = vec![(WEIGHTS[0], bytes)];
        let mut config = self.config.json(names, self.has_head());
        if names == self.names
            && let serde_json::Value::Object(config) = &mut config
        {
            for (key, value) in &self.other {
                config.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        files.push(("config.json", pretty(&config)));
        files.push(("README.md", self.card(names).into_bytes()));
        if let Some(tokenizer) = &self.tokenizer {
            let renamed = tokenizer::renamed(tokenizer, self.names, names);
            files.push(("tokenizer.json", pretty(&renamed)));
            files.push(("tokenizer_config.json", pretty(&tokenizer::config(names))));
        }
        for (name, bytes) in &files {
            let path = folder.join(name);
            experiment::files::write(&path, bytes).map_err(|error| fail(&path, error.to_string()))?;
        }
        Ok(files.into_iter().map(|(name, _)| name).collect())
    }

    /// The model card.
    fn card(&self, names: Names) -> String {
        let Config { layers, hidden, heads, vocabulary, .. } = self.config;
        let tokenizer = if self.has_tokenizer() { "" } else { "There was no tokenizer.json beside the weights.\n\n" };
        let head = if self.has_head() { "with" } else { "without" };
        format!(
            "---\ntags:\n- dna\n- dnabert2\n---\n\n# DNABERT-2 encoder, {layers} layers of width {hidden}\n\n\
             {} parameters, {heads} heads, {vocabulary} vocabulary entries, {head} masked-language-model head. Tensors have the names of {}. \
             Sequences are [CLS] tokens [SEP] with symmetric ALiBi over tokens; the padding id is 3, and an attention mask must be given.\n\n\
             {tokenizer}Written by tokbench {}.{}\n",
            self.parameters(),
            names.title(),
            env!("CARGO_PKG_VERSION"),
            self.origin.as_deref().map_or_else(String::new, |origin| format!(" {origin}")),
        )
    }
}

fn fail(path: &Path, reason: String) -> Error {
    Error::File { path: path.to_owned(), reason }
}

/// A file of the encoder alone may name its tensors without the prefix that they have in the whole model.
fn prefixed(names: Names, file: BTreeMap<String, TensorData>) -> BTreeMap<String, TensorData> {
    let bare = |name: &str| ["embeddings.", "encoder.", "pooler."].iter().any(|part| name.starts_with(part));
    if !file.keys().all(|name| bare(name)) {
        return file;
    }
    file.into_iter().map(|(name, data)| (format!("{}{name}", names.prefix()), data)).collect()
}

/// The files that hold the weights of a folder.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let Some(found) = WEIGHTS.map(|name| folder.join(name)).into_iter().find(|path| path.exists()) else {
        return Err(fail(folder, format!("no weights: none of {}", WEIGHTS.join(", "))));
    };
    if found.extension().is_none_or(|extension| extension != "json") {
        return Ok(vec![found]);
    }
    let text = std::fs::read(&found).map_err(|error| fail(&found, error.to_string()))?;
    let index: serde_json::Value = serde_json::from_slice(&text).map_err(|error| fail(&found, error.to_string()))?;
    let map = index["weight_map"].as_object().ok_or_else(|| fail(&found, "no weight_map".to_owned()))?;
    let mut files = BTreeSet::new();
    for (tensor, file) in map {
        // A shard lies beside its index.
        let plain = file.as_str().filter(|name| Path::new(name).file_name().is_some_and(|own| own == *name));
        let name = plain.ok_or_else(|| fail(&found, format!("tensor {tensor}: {file} is not the name of a file")))?;
        files.insert(folder.join(name));
    }
    Ok(files.into_iter().collect())
}

/// The tensors of a file by part, each with the shape that the configuration gives.
fn checked(
    config: &Config,
    names: Names,
    mut file: BTreeMap<String, TensorData>,
) -> Result<BTreeMap<String, TensorData>, Error> {
    let mut tensors: BTreeMap<String, TensorData> = BTreeMap::new();
    let all = parts(config);
    let given = |presence: &Presence, file: &BTreeMap<String, TensorData>| {
        let same = |part: &&Part| part.presence == *presence;
        all.iter().filter(same).any(|part| part.names(names).iter().any(|name| file.contains_key(name)))
    };
    let (head, pooler) = (given(&Presence::Head, &file), given(&Presence::Pooler, &file));
    for part in &all {
        let own = part.names(names);
        let wanted = match part.presence {
            Presence::Always => true,
            Presence::Head => head,
            Presence::Pooler => pooler,
            Presence::Tied(_) => own.iter().any(|name| file.contains_key(name)),
        };
        if !wanted {
            continue;
        }
        let mut shape = part.shape.clone();
        shape[0] /= own.len();
        let mut pieces = Vec::new();
        for name in own {
            let data = file.remove(name).ok_or_else(|| Error::Missing(name.clone()))?;
            if data.shape().to_vec() != shape {
                return Err(Error::Shape { name: name.clone(), expected: shape, found: data.shape().to_vec() });
            }
            pieces.push(data);
        }
        let data = joined(&pieces, &part.shape, &own[0])?;
        match &part.presence {
            Presence::Tied(of) if tensors.get(of) != Some(&data) => return Err(Error::NotTied(own[0].clone())),
            Presence::Tied(_) => {}
            _ => {
                tensors.insert(part.name().to_owned(), data);
            }
        }
    }
    if file.is_empty() { Ok(tensors) } else { Err(Error::Unexpected(file.into_keys().collect())) }
}

/// Joins pieces along the first dimension.
fn joined(pieces: &[TensorData], shape: &[usize], name: &str) -> Result<TensorData, Error> {
    let kind = pieces[0].dtype();
    if let Some(other) = pieces.iter().find(|piece| piece.dtype() != kind) {
        return Err(Error::Types { name: name.to_owned(), types: format!("{kind:?} and {:?}", other.dtype()) });
    }
    let bytes: Vec<u8> = pieces.iter().flat_map(TensorData::as_bytes).copied().collect();
    Ok(TensorData::from_bytes_vec(bytes, shape.to_vec(), kind))
}

/// Splits a tensor along the first dimension into equal parts.
fn split(data: &TensorData, parts: usize) -> Vec<TensorData> {
    let mut shape = data.shape().to_vec();
    shape[0] /= parts;
    let size = data.as_bytes().len() / parts;
    let part = |at: usize| data.as_bytes()[at * size..(at + 1) * size].to_vec();
    (0..parts).map(|at| TensorData::from_bytes_vec(part(at), shape.clone(), data.dtype())).collect()
}

fn kind(data: &TensorData) -> Dtype {
    match data.dtype() {
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F64 => Dtype::F64,
        _ => Dtype::F32,
    }
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
