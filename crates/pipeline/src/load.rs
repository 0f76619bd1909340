//! Loading a finished run: tokenizer and weights.

use std::ops::Range;

use dataset::Corpus;
use experiment::record::{Outcome, Record};
use experiment::run::{Pretrain, Work};
use model::network::Model;
use protocol::Fitted;

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
    let of = |p: &Pretrain| p.tokenizer == tokenizer && p.corpus.hash == corpus.hash();
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
