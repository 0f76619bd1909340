//! Loading a finished run, or any trained model by its name: tokenizer and weights.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use dataset::Corpus;
use experiment::record::{Outcome, Record};
use experiment::run::{Pretrain, Work};
use model::config::ModelConfig;
use model::network::Model;
use model::published::Checkpoint;
use model::trained::Trained;
use protocol::Fitted;
use protocol::weights::Weights;
use tokenize::Recipe;
use tokenize::families::file;

use crate::error::{Error, ErrorKind, Result};
use crate::workspace::Workspace;
use crate::{fitting, run};

/// A trained model with its tokenizer.
#[derive(Debug)]
pub struct Loaded {
    /// The fitted tokenizer.
    pub fitted: Fitted,
    /// The network with trained weights.
    pub model: Model,
    /// The record of the run.
    pub record: Record,
    device: String,
}

/// The pretraining of a record, if it has a result.
fn pretraining(record: &Record) -> Option<&Pretrain> {
    match (&record.run.work, &record.outcome) {
        (Work::Pretrain(pretrain), Outcome::Pretrained(_)) => Some(pretrain),
        _ => None,
    }
}

/// The first finished pretraining run of a tokenizer (canonical name) on a corpus in the store.
///
/// # Errors
/// If the store cannot be read.
pub fn find(workspace: &Workspace, tokenizer: &str, corpus: &Corpus) -> Result<Option<Record>> {
    if !workspace.store.exists() {
        return Ok(None);
    }
    let of = |p: &Pretrain| !p.is_trial() && p.tokenizer == tokenizer && p.corpus.hash == corpus.hash();
    Ok(workspace.store()?.records()?.0.into_iter().find(|record| pretraining(record).is_some_and(of)))
}

/// Loads a finished pretraining run on a device (`cpu` ...). Its corpus is opened where the run found it.
///
/// # Errors
/// As [`load_with_corpus`], and if the corpus cannot be opened.
pub fn load(workspace: &Workspace, record: Record, device: &str) -> Result<Loaded> {
    let sources = run::sources(&workspace.store()?, &record.key)?;
    let wanted = pretraining(&record).map(|pretrain| pretrain.corpus.clone()).ok_or_else(|| unfinished(&record))?;
    let corpus = run::open_corpus(&wanted, &sources, workspace)?;
    load_with_corpus(workspace, record, &corpus, device)
}

fn unfinished(record: &Record) -> Error {
    Error::new(
        ErrorKind::Usage,
        format!("run {} is not a finished pretraining run", record.key.short()),
        "load a pretraining run; \"tokbench plan --json\" shows keys",
    )
}

/// As [`load`], with the corpus of the run, which its vocabulary was learned on.
///
/// # Errors
/// If the run is not a finished pretraining, the corpus is another one, the weights are not in the store, or the device is not
/// available.
pub fn load_with_corpus(workspace: &Workspace, record: Record, corpus: &Corpus, device: &str) -> Result<Loaded> {
    let pretrain = pretraining(&record).ok_or_else(|| unfinished(&record))?;
    if corpus.hash() != pretrain.corpus.hash {
        return Err(Error::new(
            ErrorKind::Data,
            format!("run {} was not trained on the corpus {}", record.key.short(), corpus.name()),
            format!("open the corpus {}", pretrain.corpus.name),
        ));
    }
    let store = workspace.store()?;
    let place = model::device::open(device)?;
    let data = run::sources(&store, &record.key)?;
    let recipe = fitting::recipe(&workspace.builtin.tokenizers, &pretrain.tokenizer, data.tokenizer.as_deref())?;
    let fitted = fitting::fit(&store, &recipe, corpus, pretrain.masking.span, pretrain.prior, &mut |_| {})?;
    let model = model::load(&record.run, &store.folder(&record.key), &fitted, &place)?;
    Ok(Loaded { fitted, model, record, device: device.to_owned() })
}

impl Loaded {
    /// Number of training bases.
    #[must_use]
    pub fn training_bases(&self) -> u64 {
        pretraining(&self.record).map_or(0, |pretrain| pretrain.training.bases)
    }

    /// The learned segmentation of a sequence, as ranges of bases.
    ///
    /// # Errors
    /// If the device is not available.
    pub fn segment(&self, bases: &[u8]) -> Result<Vec<Range<usize>>> {
        let device = model::device::open(&self.device)?;
        Ok(model::segmentation::segment(&self.model, &self.fitted, bases, &device))
    }
}

/// Masked span of a published model, in bases.
const SPAN: usize = 12;
/// Longest span of a prior that is read from a file.
const MOST_SPAN: usize = 48;
/// Settings of the segmentation prior of an exported run.
pub const PRIOR: &str = "prior.json";

/// What `prior.json` holds of the prior.
#[derive(serde::Deserialize)]
struct Prior {
    span: usize,
    weights: Weights,
}

impl Default for Prior {
    fn default() -> Prior {
        Prior { span: SPAN, weights: Weights::uniform() }
    }
}

/// A trained model by its name: the folder of a published checkpoint with a tokenizer, the folder of a finished run in a store, or the key
/// of a finished run in the store of the workspace, or its beginning.
///
/// # Errors
/// If there is no such model, or it cannot be read.
pub fn trained(workspace: &Workspace, name: &str, device: &str) -> Result<Trained> {
    let folder = Path::new(name);
    if folder.join("config.json").is_file() {
        return published(folder, device);
    }
    let loaded = match of_store(folder) {
        Some((store, key)) => {
            let workspace = Workspace { store: store.to_owned(), ..workspace.clone() };
            load(&workspace, finished(&workspace, key)?, device)?
        }
        None if folder.join(model::tune::DESCRIPTION).is_file() => {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{name} is a fine-tuned model"),
                "use \"tokbench predict\", or name the model that was fine-tuned",
            ));
        }
        None if folder.is_dir() => {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{name} is neither a checkpoint (no config.json) nor a run of a store (no record.json)"),
                "name the folder of a published checkpoint, or the key of a finished run",
            ));
        }
        None => load(workspace, finished(workspace, name)?, device)?,
    };
    let Loaded { fitted, model, record, .. } = loaded;
    let pretrain = pretraining(&record).ok_or_else(|| unfinished(&record))?;
    let config = ModelConfig::of(pretrain, &fitted);
    Ok(Trained::new(&model, fitted, config, &model::device::open(device)?))
}

/// The store and the key of the folder of a run.
fn of_store(folder: &Path) -> Option<(&Path, &str)> {
    let found = folder.join("record.json").is_file() && folder.join("run.json").is_file();
    let key = folder.file_name()?.to_str()?;
    found.then_some((folder.parent()?, key))
}

/// The finished run of the store whose key begins with the given text.
///
/// # Errors
/// If there is none, or several.
pub fn finished(workspace: &Workspace, start: &str) -> Result<Record> {
    let store = &workspace.store;
    let (records, _) = if store.exists() { workspace.store()?.records()? } else { Default::default() };
    let named = |record: &Record| record.key.as_str().starts_with(start) && !start.is_empty();
    let mut found: Vec<Record> = records.into_iter().filter(named).collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::new(
            ErrorKind::Usage,
            format!("no finished run {start:?} in {}", store.display()),
            "give the key of a record, or its beginning; --store names the store",
        )),
        several => Err(Error::new(
            ErrorKind::Usage,
            format!("{several} finished runs begin with {start:?}"),
            "give more characters of the key",
        )),
    }
}

/// A published checkpoint with its tokenizer: a folder with `config.json`.
///
/// # Errors
/// If it cannot be read, or has no tokenizer.
pub fn published(folder: &Path, device: &str) -> Result<Trained> {
    let refused = |reason: String, remedy: &str| Error::new(ErrorKind::Data, reason, remedy);
    let checkpoint = Checkpoint::read(folder).map_err(|error| {
        refused(error.in_folder(folder), "name a folder with config.json and model.safetensors or pytorch_model.bin")
    })?;
    let path = folder.join("tokenizer.json");
    let shown = path.display().to_string();
    let json = checkpoint.tokenizer_json().ok_or_else(|| {
        refused(format!("{shown}: no such file"), "put the tokenizer.json of the model beside its weights")
    })?;
    let stem = folder.file_name().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let tokenizer = file::from_bytes(&stem, &json, &shown)?;
    // The rows of the embedding are the ids of the file.
    if !tokenizer.file_ids().iter().copied().eq((0..tokenizer.file_ids().len() as u32).map(Some)) {
        let reason = format!("{shown}: its ids are not 0, 1, 2 ... with the special tokens first");
        return Err(refused(reason, "use the tokenizer.json that the model was trained with"));
    }
    // A model of tokbench that was exported has the settings of its prior beside it.
    let path = folder.join(PRIOR);
    let prior = match std::fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice::<Prior>(&text).map_err(|error| {
            refused(
                format!("{}: {error}", path.display()),
                "export the run again, or remove the file for a model without a prior",
            )
        })?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::file(&path, &error)),
    };
    let exported = prior.is_some();
    let Prior { span, weights } = prior.unwrap_or_default();
    if !weights.is_valid() {
        let reason = format!("{}: weights must be finite and not negative, and not all 0", path.display());
        return Err(refused(reason, "export the run again, or remove the file for a model without a prior"));
    }
    let fitted = Fitted::without_text(&Recipe::fixed(Arc::new(tokenizer)), span.clamp(1, MOST_SPAN), weights)?;
    let device = model::device::open(device)?;
    let model = checkpoint.model(&device).map_err(|error| refused(error.to_string(), "see the message"))?;
    let mut trained = Trained::new(&model, fitted, checkpoint.model_config(), &device);
    (trained.published, trained.has_head) = (!exported, checkpoint.has_head());
    trained.outputs = checkpoint.outputs;
    Ok(trained)
}
