//! A fine-tuned model: prediction, and its folder.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use dataset::{Metric, TargetKind};
use dna::reverse_complement;
use experiment::config::{Finetuning, Pooling};
use serde::{Deserialize, Serialize};
use tokenize::families::{exec, file};
use tokenize::{FrontendConfig, Registry, Tokenizer};

use super::goal::Goal;
use super::network::{Input, Network};
use super::options::Options;
use super::report::Report;
use crate::checkpoint;
use crate::config::ModelConfig;
use crate::error::Error;
use crate::frontend::Frontend;
use crate::layers::Init;
use crate::network::Model;
use crate::published::{self, Checkpoint, Outputs};
use crate::trained::Trained;

/// The description of a fine-tuned model in its folder.
pub const DESCRIPTION: &str = "finetuned.json";
/// What the tokenizer saved of itself.
const TOKENIZER: &str = "tokenizer.saved";
/// The low-rank adapters alone, with their description, as Hugging Face's PEFT names them.
const ADAPTERS: [&str; 2] = ["adapter_model.safetensors", "adapter_config.json"];
/// Version of the folder.
const VERSION: u32 = 1;

/// A fine-tuned model.
#[derive(Debug)]
pub struct TunedModel {
    /// What it predicts.
    pub goal: Goal,
    /// How it was fine-tuned.
    pub options: Options,
    config: ModelConfig,
    tokenizer: Arc<dyn Tokenizer>,
    network: Network,
    device: Device,
    adapters: Option<Vec<u8>>,
    base_hash: String,
}

/// `finetuned.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    program: String,
    /// The model that was fine-tuned, as it was named.
    base: String,
    /// BLAKE3 hash of its parameters.
    base_hash: String,
    tokenizer: String,
    /// Whether the tokenizer is a tokenizer.json.
    file: bool,
    vocabulary: usize,
    frontend: FrontendConfig,
    encoder: experiment::config::EncoderConfig,
    /// Whether the model has the token types of a published checkpoint.
    token_types: bool,
    goal: Goal,
    options: Options,
    report: Report,
}

impl TunedModel {
    pub(super) fn of(
        trained: &Trained,
        goal: Goal,
        options: &Options,
        network: &Network,
        adapters: Option<Vec<u8>>,
    ) -> TunedModel {
        TunedModel {
            goal,
            options: options.clone(),
            config: trained.config.clone(),
            tokenizer: Arc::clone(&trained.fitted.tokenizer),
            network: network.valid(),
            device: trained.device().clone(),
            adapters,
            base_hash: trained.hash(),
        }
    }

    /// The sequence classifier of a published checkpoint, which pools \[CLS\]; `None` if it has none.
    #[must_use]
    pub fn published(trained: &Trained) -> Option<TunedModel> {
        let outputs = trained.outputs.clone()?;
        let numbers = outputs.kind == TargetKind::Numbers;
        let goal = Goal {
            kind: outputs.kind,
            scale: if numbers { vec![[0.0, 1.0]; outputs.names.len()] } else { Vec::new() },
            names: outputs.names,
        };
        let options = Options {
            labels: goal.kind,
            settings: Finetuning { pooling: Pooling::Cls, ..Finetuning::default() },
            seed: 0,
            lora: None,
            class_weights: false,
            reverse_complement: false,
            restarts: 0,
            metric: Metric::Mcc,
        };
        let network = Network { model: trained.model().clone(), bases: None, contacts: None };
        Some(TunedModel::of(trained, goal, &options, &network, None))
    }

    /// As a published checkpoint, with the content of its tokenizer as a `tokenizer.json`.
    ///
    /// # Errors
    /// If the published layouts cannot express it: a learned front end, another position encoding than `alibi`, another pooling than
    /// \[CLS\], predictions of bases or contacts.
    pub fn checkpoint(&self, tokenizer: &[u8]) -> Result<Checkpoint, published::Error> {
        let refused = match (self.goal.kind, self.options.settings.pooling) {
            (TargetKind::Bases | TargetKind::Contacts, _) => Some("it predicts bases or contacts"),
            (_, Pooling::Mean) => Some("it pools the mean of all tokens (--pooling mean)"),
            (_, Pooling::Cls) => None,
        };
        if let Some(reason) = refused {
            return Err(published::Error::Classifier(reason.to_owned()));
        }
        let outputs = Outputs { kind: self.goal.kind, names: self.goal.names.clone() };
        Checkpoint::of_classifier(&self.network.model, &self.config.encoder, tokenizer, outputs, &self.goal.scale)
    }

    /// Its tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &dyn Tokenizer {
        &*self.tokenizer
    }

    /// Predictions of each sequence: a probability per class or label, numbers in their own units; if bases are predicted, the classes of
    /// the first base, then those of the second, and so on; if contacts are, the pairs (0, 1), (0, 2) ... (1, 2) .... Averaged over both
    /// strands if the model was fine-tuned so, or `both` is set.
    ///
    /// # Errors
    /// If predictions cannot be read from the device.
    pub fn predict(&self, sequences: &[&[u8]], both: bool) -> Result<Vec<Vec<f64>>, Error> {
        let input = |sequence: &[u8]| Input::new(&*self.tokenizer, sequence);
        let forward: Vec<Input> = sequences.iter().map(|sequence| input(sequence)).collect();
        let both = both || self.options.reverse_complement;
        let reverse = sequences.iter().filter(|_| both).map(|sequence| input(&reverse_complement(sequence)));
        let reverse: Vec<Input> = reverse.collect();
        let [forward, reverse] = [&forward, &reverse].map(|inputs| inputs.iter().collect::<Vec<&Input>>());
        self.network.probabilities(&forward, both.then_some(&reverse[..]), &self.goal, &self.device)
    }

    /// Saves it in a folder: description, tokenizer, weights with merged adapters, and the adapters alone. `base` names the model that was
    /// fine-tuned.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path, base: &str, report: &Report) -> Result<(), Error> {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            let written = experiment::files::write(&path, bytes);
            written.map_err(|error| Error::File { path, reason: error.to_string() })
        };
        checkpoint::save_weights(folder, &self.network)?;
        if let Some(bytes) = self.tokenizer.save() {
            write(TOKENIZER, &bytes)?;
        }
        if let (Some(bytes), Some(lora)) = (&self.adapters, self.options.lora) {
            let description = serde_json::json!({
                "peft_type": "LORA", "r": lora.rank, "lora_alpha": lora.alpha, "target_modules": ["Wqkv"],
                "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false, "base_model_name_or_path": base,
            });
            write(ADAPTERS[0], bytes)?;
            write(ADAPTERS[1], (serde_json::to_string_pretty(&description).unwrap_or_default() + "\n").as_bytes())?;
        }
        let description = Description {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            base: base.to_owned(),
            base_hash: self.base_hash.clone(),
            tokenizer: self.tokenizer.name().to_owned(),
            file: self.tokenizer.name().starts_with(file::PREFIX),
            vocabulary: self.config.vocabulary,
            frontend: self.config.frontend.clone(),
            encoder: self.config.encoder.clone(),
            token_types: matches!(&self.network.model.frontend, Frontend::Lookup(lookup) if lookup.segment.is_some()),
            goal: self.goal.clone(),
            options: self.options.clone(),
            report: report.clone(),
        };
        let text = serde_json::to_string_pretty(&description).unwrap_or_default() + "\n";
        // Last: a folder with a description is complete.
        write(DESCRIPTION, text.as_bytes())
    }

    /// Loads it from its folder.
    ///
    /// # Errors
    /// If a file is missing, damaged or of another version.
    pub fn load(folder: &Path, tokenizers: &Registry, device: &Device) -> Result<(TunedModel, Report), Error> {
        let failed = |name: &str, reason: String| Error::File { path: folder.join(name), reason };
        let text = std::fs::read(folder.join(DESCRIPTION)).map_err(|error| failed(DESCRIPTION, error.to_string()))?;
        let json: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| failed(DESCRIPTION, error.to_string()))?;
        if json["version"] != VERSION {
            let reason = format!("version {} of the folder, and this program reads {VERSION}", json["version"]);
            return Err(failed(DESCRIPTION, reason));
        }
        let found: Description =
            serde_json::from_value(json).map_err(|error| failed(DESCRIPTION, error.to_string()))?;
        let incomplete = "missing: the folder is incomplete, fine-tune again";
        let saved = || std::fs::read(folder.join(TOKENIZER)).map_err(|_| failed(TOKENIZER, incomplete.to_owned()));
        let tokenizer: Arc<dyn Tokenizer> = if exec::stem_of(&found.tokenizer).is_some() {
            let recipe = tokenizers.parse(&String::from_utf8_lossy(&saved()?))?;
            if recipe.name != found.tokenizer {
                return Err(failed(TOKENIZER, format!("the program has changed: it is now {}", recipe.name)));
            }
            recipe.fit(&mut std::iter::empty())?
        } else if found.file {
            let shown = folder.join(TOKENIZER).display().to_string();
            let stem = file::stem_of(&found.tokenizer).unwrap_or_default();
            Arc::new(file::from_bytes(stem, &saved()?, &shown)?)
        } else {
            let recipe = tokenizers.parse(&found.tokenizer)?;
            if recipe.learned_vocabulary { recipe.load(&saved()?)? } else { recipe.fit(&mut std::iter::empty())? }
        };
        let config = ModelConfig {
            vocabulary: found.vocabulary,
            frontend: found.frontend,
            encoder: found.encoder,
            classes: None,
        };
        let mut model = Model::new(&config, 0, device);
        let init = Init::new(0, 0.0, device);
        if let Frontend::Lookup(lookup) = &mut model.frontend {
            let types = || init.constant("frontend.segment", [config.encoder.hidden], 0.0);
            lookup.segment = found.token_types.then(types);
        }
        let network = Network::with_head(model, &found.goal, &found.options, &init);
        let network = checkpoint::read_weights(folder, network)?.valid();
        let (goal, options, device, base_hash) = (found.goal, found.options, device.clone(), found.base_hash);
        Ok((TunedModel { goal, options, config, tokenizer, network, device, adapters: None, base_hash }, found.report))
    }
}
