//! `tokbench model`: checkpoints in and out.

use std::path::Path;
use std::sync::Arc;

use dataset::policy::thousands;
use experiment::config::Position;
use experiment::run::Work;
use model::published::{Checkpoint, Names};
use model::tune::{self, TunedModel};
use pipeline::Builtin;
use pipeline::load::PRIOR;
use tokenize::Tokenizer;

use crate::args::{self, ModelCommand, TensorNames};
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::stdout::outln;
use crate::workspace::workspace;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Model) -> Result<u8, Failure> {
    match &args.command {
        ModelCommand::Convert(args) => convert(args),
        ModelCommand::Export(args) => export(builtin, args),
    }
}

fn convert(args: &args::ConvertModel) -> Result<u8, Failure> {
    let remedy = "a checkpoint is a folder with config.json and model.safetensors or pytorch_model.bin, under the names of the original release \
                  of DNABERT-2 or of multimolecule";
    let refused = |error: model::published::Error| Failure::new(DATA, error.in_folder(&args.input), remedy);
    if !args.input.is_dir() {
        return Err(Failure::new(DATA, format!("{} is not a folder", args.input.display()), remedy));
    }
    empty(&args.output)?;
    let mut checkpoint = Checkpoint::read(&args.input).map_err(refused)?;
    // An exported model has the settings of its prior beside it, without which its logits mean something else.
    let prior = args.input.join(PRIOR);
    let prior = if prior.exists() {
        checkpoint.origin = Some(
            "Converted from a model that tokbench exported; its settings of the prior are in prior.json.".to_owned(),
        );
        Some(std::fs::read(&prior).map_err(|error| Failure::file(&prior, &error))?)
    } else {
        None
    };
    let mut files = write(&checkpoint, &args.output, args.names)?;
    if let Some(prior) = prior {
        files.push(write_prior(&args.output, &prior)?);
    }
    outln!("read: {}, names of {}", args.input.display(), checkpoint.names.title());
    told(&checkpoint, &args.output, args.names, &files);
    Ok(0)
}

fn export(builtin: &Arc<Builtin>, args: &args::ExportModel) -> Result<u8, Failure> {
    empty(&args.output)?;
    let folder = Path::new(&args.run);
    if folder.join(tune::DESCRIPTION).is_file() {
        return export_tuned(builtin, folder, args);
    }
    let workspace = workspace(builtin, args.data.as_deref(), &args.store);
    let record = pipeline::load::finished(&workspace, &args.run)?;
    let Work::Pretrain(pretrain) = &record.run.work else {
        return Err(Failure::new(
            USAGE,
            format!("run {} is not a pretraining run", record.key.short()),
            "export the pretraining run of the same tokenizer and seed",
        ));
    };
    let (name, encoder, key) = (pretrain.tokenizer.clone(), pretrain.encoder.clone(), record.key.clone());
    let refused = |error: model::published::Error| {
        let remedy = "train with positions = [\"alibi\"] and a fixed tokenizer; other models stay in the store";
        Failure::new(USAGE, format!("{name} (run {}): {error}", key.short()), remedy)
    };
    // Before anything is opened that may be large.
    if encoder.position != Position::ALIBI {
        return Err(refused(model::published::Error::Position(encoder.position.name())));
    }
    let loaded = pipeline::load::load(&workspace, record, "cpu")?;
    let tokenizer = tokenizer_json(&name, loaded.fitted.tokenizer.as_ref())?;
    let mut checkpoint = Checkpoint::of(&loaded.model, &encoder, &tokenizer).map_err(refused)?;
    let prior = loaded.fitted.prior.as_ref();
    checkpoint.origin = Some(format!(
        "Pretrained with the tokenizer {name} on {} bases, run {}.{}",
        thousands(loaded.training_bases()),
        key.as_str(),
        match prior {
            Some(_) =>
                " In training and scoring the logarithm of a segmentation prior was added to the logits; its settings are in prior.json.",
            None => "",
        }
    ));
    let mut files = write(&checkpoint, &args.output, args.names)?;
    if let Some(prior) = prior {
        let json = serde_json::json!({
            "span": prior.span(),
            "weights": prior.weights(),
            "total": prior.total(),
            "meaning": "log prior(v) is added to the logits of every masked token in training and scoring: docs/protocol.md, Segmentation prior",
        });
        let text = serde_json::to_string_pretty(&json).unwrap_or_default() + "\n";
        files.push(write_prior(&args.output, text.as_bytes())?);
    }
    told(&checkpoint, &args.output, args.names, &files);
    if prior.is_some() {
        outln!("the layout has no segmentation prior: logits are those of the network alone, see {PRIOR}");
    }
    Ok(0)
}

/// Writes the settings of a prior beside the weights; returns the name of the file.
fn write_prior(folder: &Path, bytes: &[u8]) -> Result<&'static str, Failure> {
    let path = folder.join(PRIOR);
    experiment::files::write(&path, bytes).map_err(|error| Failure::file(&path, &error))?;
    Ok(PRIOR)
}

/// Exports a fine-tuned model.
fn export_tuned(builtin: &Arc<Builtin>, folder: &Path, args: &args::ExportModel) -> Result<u8, Failure> {
    let (tuned, _) = TunedModel::load(folder, &builtin.tokenizers, &model::device::open("cpu")?)?;
    let tokenizer = tokenizer_json(tuned.tokenizer().name(), tuned.tokenizer())?;
    let mut checkpoint = tuned.checkpoint(&tokenizer).map_err(|error| {
        let remedy = "fine-tune a model with positions = [\"alibi\"] and a fixed tokenizer with --pooling cls, on labels of whole sequences; \
                      \"tokbench predict\" takes every model";
        Failure::new(USAGE, format!("{}: {error}", folder.display()), remedy)
    })?;
    let both = "Predictions were averaged over both strands, which the layout does not say.";
    checkpoint.origin = Some(format!(
        "Fine-tuned with the tokenizer {}; if it began with a published checkpoint, whose licence applies.{}",
        tuned.tokenizer().name(),
        if tuned.options.reverse_complement { format!(" {both}") } else { String::new() }
    ));
    let files = write(&checkpoint, &args.output, args.names)?;
    told(&checkpoint, &args.output, args.names, &files);
    if tuned.options.reverse_complement {
        outln!("the layout has no average over both strands: predict both strands, and average the probabilities");
    }
    Ok(0)
}

/// A tokenizer as the content of a `tokenizer.json`.
fn tokenizer_json(name: &str, tokenizer: &dyn Tokenizer) -> Result<Vec<u8>, Failure> {
    if let Some(kmers) = tokenize::kmer::named(name) {
        return Ok(kmers.to_file()?.to_json());
    }
    let saved = tokenizer.save().filter(|bytes| {
        serde_json::from_slice::<serde_json::Value>(bytes)
            .is_ok_and(|json| json["model"]["vocab"] != serde_json::Value::Null)
    });
    saved.ok_or_else(|| {
        Failure::new(
            USAGE,
            format!("{name} cannot be written as a tokenizer.json"),
            "export base, non-overlapping k-mers, BPE, Unigram, WordPiece or a tokenizer file",
        )
    })
}

/// Refuses an output folder with files in it.
fn empty(folder: &Path) -> Result<(), Failure> {
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        let cause = format!("{} is not empty", folder.display());
        return Err(Failure::new(
            USAGE,
            cause,
            "name a new folder, so that no file of another checkpoint remains in it",
        ));
    }
    Ok(())
}

fn layout(names: TensorNames) -> Names {
    match names {
        TensorNames::Original => Names::Original,
        TensorNames::Multimolecule => Names::Multimolecule,
    }
}

fn write(checkpoint: &Checkpoint, folder: &Path, names: TensorNames) -> Result<Vec<&'static str>, Failure> {
    folders::make(folder)?;
    let written = checkpoint.write(folder, layout(names));
    written.map_err(|error| Failure::new(DATA, error.to_string(), "name another folder"))
}

fn told(checkpoint: &Checkpoint, folder: &Path, names: TensorNames, files: &[&str]) {
    let classifier = checkpoint.outputs.as_ref();
    let classifier =
        classifier.map_or_else(String::new, |outputs| format!(", a classifier of {} outputs", outputs.names.len()));
    outln!(
        "{} parameters, {} masked-language-model head{classifier}, {} tokenizer",
        thousands(checkpoint.parameters() as u64),
        if checkpoint.has_head() { "with" } else { "without" },
        if checkpoint.has_tokenizer() { "with" } else { "without" }
    );
    outln!("written: {}, names of {}: {}", folder.display(), layout(names).title(), files.join(", "));
}
