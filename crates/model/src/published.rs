//! Published DNABERT-2 checkpoints: folders with `config.json`, weights and tokenizer files, under the names of the original release
//! or of multimolecule.
//!
//! [`Checkpoint::read`] takes either layout, whole or sharded, as safetensors or as `pytorch_model.bin`, in any float type, with or without
//! the tied output layer, the masked-language-model head, the pooler and a sequence classifier. Every tensor is compared with the shapes that the configuration
//! gives; what is missing, unexpected, misshaped or not tied is named as the file names it. [`Checkpoint::write`] writes either layout as
//! safetensors. Values keep their type, so that a conversion there and back restores every tensor.

mod config;
mod names;
mod outputs;
mod parts;
mod place;
mod tokenizer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use experiment::config::{EncoderConfig, Pooling};

use config::Architecture;
pub use config::Config;
pub use names::Names;
pub use outputs::Outputs;
use parts::{CLASSIFIER, EMBEDDINGS, HEAD, POOLER, Part, Presence, parts};
use place::{Taken, place};

use crate::config::ModelConfig;
pub use crate::files::Error;
use crate::files::{read_file, to_safetensors};
use crate::network::Model;

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
    /// What its sequence classifier predicts, if it has one.
    pub outputs: Option<Outputs>,
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
        let other: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&text).unwrap_or_default();
        let mut file = BTreeMap::new();
        for path in weight_files(folder)? {
            for (name, data) in read_file(&path)? {
                if file.insert(name.clone(), data).is_some() {
                    return Err(fail(&path, format!("tensor {name} is also in another shard")));
                }
            }
        }
        let mut checkpoint = Checkpoint::new(config, file)?;
        let names = checkpoint.names;
        if let Some(outputs) = &mut checkpoint.outputs {
            let read = Outputs::parse(&other, outputs.names.len(), names);
            *outputs = read.map_err(|reason| fail(&folder.join("config.json"), reason))?;
        }
        let path = folder.join("tokenizer.json");
        checkpoint.tokenizer = match std::fs::read(&path) {
            Ok(text) => Some(tokenizer::parse(&text, &config, names).map_err(|reason| fail(&path, reason))?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(fail(&path, error.to_string())),
        };
        checkpoint.other = other;
        checkpoint.origin = Some("Converted from a published checkpoint, whose licence applies.".to_owned());
        Ok(checkpoint)
    }

    /// A checkpoint of named tensors in either layout, without a tokenizer.
    ///
    /// # Errors
    /// If tensors are missing, unexpected, of another shape or type, or not tied.
    pub fn new(config: Config, tensors: BTreeMap<String, TensorData>) -> Result<Checkpoint, Error> {
        let names = Names::of(tensors.keys().map(String::as_str));
        let file = prefixed(names, tensors);
        let outputs = file.get(names.classifier()).and_then(|weight| weight.shape().first().copied());
        let tensors = checked(&config, outputs, names, file)?;
        let outputs = outputs.map(Outputs::unnamed);
        Ok(Checkpoint { config, names, outputs, tensors, tokenizer: None, other: Default::default(), origin: None })
    }

    /// A trained model with a fixed tokenizer, as a checkpoint; `tokenizer` is the content of a `tokenizer.json` with the special tokens of
    /// the original release.
    ///
    /// # Errors
    /// If the layouts cannot express the model: a learned front end, or another position encoding than `alibi`; if the tokenizer has more
    /// entries than the model.
    pub fn of(model: &Model, encoder: &EncoderConfig, tokenizer: &[u8]) -> Result<Checkpoint, Error> {
        let mut taken = Taken::of(model, encoder)?;
        taken.norm(&format!("{HEAD}.transform.layer_norm"), &model.head.norm);
        taken.linear(&format!("{HEAD}.transform.dense"), &model.head.dense);
        taken.put(format!("{HEAD}.bias"), model.head.bias.val().into_data());
        Checkpoint::taken(taken, encoder, tokenizer, None)
    }

    /// A fine-tuned sequence classifier as a checkpoint, without masked-language-model head; `tokenizer` as for [`Self::of`]. Outputs
    /// that are numbers are in their own units: value * scale + center for `scale = [center, scale]` of each output.
    ///
    /// # Errors
    /// As [`Self::of`], and if the model has no classifier on \[CLS\].
    pub fn of_classifier(
        model: &Model,
        encoder: &EncoderConfig,
        tokenizer: &[u8],
        outputs: Outputs,
        scale: &[[f64; 2]],
    ) -> Result<Checkpoint, Error> {
        let classifier = model.classifier.as_ref().filter(|classifier| classifier.pooling == Pooling::Cls);
        let classifier = classifier.ok_or_else(|| Error::Classifier("no classifier on [CLS]".to_owned()))?;
        let mut taken = Taken::of(model, encoder)?;
        taken.linear(POOLER, &classifier.pooler);
        let mut linear = classifier.linear.clone();
        if !scale.is_empty() {
            let device = linear.weight.device();
            let of = |at: usize| {
                let values: Vec<f32> = scale.iter().map(|scale| scale[at] as f32).collect();
                Tensor::<1>::from_data(TensorData::new(values, [scale.len()]), &device)
            };
            let (center, spread) = (of(0), of(1));
            linear.weight = linear.weight.map(|weight| weight * spread.clone().unsqueeze());
            linear.bias = linear.bias.map(|bias| bias.map(|bias| bias * spread + center));
        }
        taken.linear(CLASSIFIER, &linear);
        Checkpoint::taken(taken, encoder, tokenizer, Some(outputs))
    }

    fn taken(
        taken: Taken,
        encoder: &EncoderConfig,
        tokenizer: &[u8],
        outputs: Option<Outputs>,
    ) -> Result<Checkpoint, Error> {
        let Taken(tensors) = taken;
        let vocabulary = tensors[&format!("{EMBEDDINGS}.word_embeddings.weight")].shape()[0];
        let config = Config::of(encoder, vocabulary);
        let tokenizer = tokenizer::parse(tokenizer, &config, Names::Original)
            .map_err(|reason| fail(Path::new("tokenizer.json"), reason))?;
        Ok(Checkpoint {
            config,
            names: Names::Original,
            outputs,
            tensors,
            tokenizer: Some(tokenizer),
            other: serde_json::Map::new(),
            origin: None,
        })
    }

    /// The model in memory, on a device; without a masked-language-model head or a classifier in the checkpoint, that head has initial
    /// values.
    ///
    /// # Errors
    /// If a value cannot be converted to f32.
    pub fn model(&self, device: &Device) -> Result<Model, Error> {
        place(&self.tensors, Model::new(&self.model_config(), 0, device))
    }

    /// The sizes of the network.
    #[must_use]
    pub fn model_config(&self) -> ModelConfig {
        ModelConfig {
            vocabulary: self.config.vocabulary,
            frontend: tokenize::FrontendConfig::Lookup,
            encoder: self.config.encoder(),
            // A pooler alone is kept in fine-tuning, which draws the output layer.
            classes: match &self.outputs {
                Some(outputs) => Some(outputs.names.len()),
                None => self.tensors.contains_key(&format!("{POOLER}.weight")).then_some(1),
            },
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
        self.tensors.contains_key(&format!("{HEAD}.bias"))
    }

    /// Which model it is.
    fn architecture(&self) -> Architecture {
        match (&self.outputs, self.has_head()) {
            (Some(_), _) => Architecture::Classifier,
            (None, true) => Architecture::MaskedLm,
            (None, false) => Architecture::Encoder,
        }
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
        for part in parts(&self.config, self.outputs.as_ref().map(|outputs| outputs.names.len())) {
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
        let bytes = to_safetensors(&tensors, true).map_err(|reason| fail(&folder.join(WEIGHTS[0]), reason))?;
        let mut files = vec![(WEIGHTS[0], bytes)];
        let mut config = self.config.json(names, self.architecture());
        if let (Some(outputs), serde_json::Value::Object(config)) = (&self.outputs, &mut config)
            && let serde_json::Value::Object(more) = outputs.json(names)
        {
            config.extend(more);
        }
        if names == self.names
            && let serde_json::Value::Object(config) = &mut config
        {
            for (key, value) in &self.other {
                match (config.get_mut(key), value) {
                    (Some(serde_json::Value::Object(own)), serde_json::Value::Object(other)) if key == "head" => {
                        for (key, value) in other {
                            own.entry(key.clone()).or_insert_with(|| value.clone());
                        }
                    }
                    (Some(_), _) => {}
                    (None, _) => drop(config.insert(key.clone(), value.clone())),
                }
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
        let classifier = self.outputs.as_ref().map_or_else(String::new, |outputs| {
            format!("A sequence classifier on [CLS] predicts: {}.\n\n", outputs.names.join(", "))
        });
        format!(
            "---\ntags:\n- dna\n- dnabert2\n---\n\n# DNABERT-2 encoder, {layers} layers of width {hidden}\n\n\
             {} parameters, {heads} heads, {vocabulary} vocabulary entries, {head} masked-language-model head. Tensors have the names of {}. \
             Sequences are [CLS] tokens [SEP] with symmetric ALiBi over tokens; the padding id is 3, and an attention mask must be given.\n\n\
             {classifier}{tokenizer}Written by tokbench {}.{}\n",
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
    outputs: Option<usize>,
    names: Names,
    mut file: BTreeMap<String, TensorData>,
) -> Result<BTreeMap<String, TensorData>, Error> {
    let mut tensors: BTreeMap<String, TensorData> = BTreeMap::new();
    let all = parts(config, outputs);
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
            // A classifier reads the pooler.
            Presence::Pooler => pooler || outputs.is_some(),
            Presence::Classifier => outputs.is_some(),
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

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
