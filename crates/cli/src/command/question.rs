//! From file and flags to a spec: flags are sugar for the same value.

use experiment::config::Position;
use experiment::{EncoderChoice, Memory, Spec};
use pipeline::Builtin;
use pipeline::workspace::refuse_pipe;
use tokenize::families::file;

use crate::args::Question;
use crate::failure::{Failure, USAGE};

/// The spec of a question.
pub(crate) fn spec(builtin: &Builtin, question: &Question) -> Result<Spec, Failure> {
    let mut spec = match &question.spec {
        Some(path) => {
            let text = pipeline::text::read(path)?;
            Spec::from_toml(&text, &path.to_string_lossy(), &builtin.encoders)?
        }
        None => builtin.question()?,
    };
    let own = question.spec.is_none();
    let tokenizers = question.tokenizers.iter().chain(&spec.tokenizers).chain(&question.reference);
    tokenizers.map(|name| file::without_prefix(name)).try_for_each(refuse_pipe)?;
    if !question.tokenizers.is_empty() {
        spec.tokenizers.clone_from(&question.tokenizers);
        // A reference of the file that is no longer compared means nothing.
        let name = |name: &String| builtin.tokenizers.parse(name).map_or_else(|_| name.clone(), |recipe| recipe.name);
        let named: Vec<String> = question.tokenizers.iter().map(name).collect();
        spec.reference = spec.reference.filter(|reference| named.contains(&name(reference)));
    }
    if let Some(reference) = &question.reference {
        spec.reference = Some(reference.clone());
    }
    if let Some(corpus) = &question.corpus {
        spec.corpus.clone_from(corpus);
        if own {
            spec.name = name_of(corpus);
        }
    }
    if !question.tasks.is_empty() {
        spec.tasks.clone_from(&question.tasks);
    }
    if let Some(seeds) = question.seeds {
        spec.set_seeds(seeds)?;
    }
    if let Some(encoder) = &question.encoder {
        spec.encoder = EncoderChoice::named(encoder);
    }
    if !question.positions.is_empty() {
        spec.positions = question.positions.iter().map(|name| position(name)).collect::<Result<_, _>>()?;
    }
    sizes(question, &mut spec);
    learning_rates(question, &mut spec);
    spec.controls |= question.controls;
    if let Some(device) = &question.device {
        spec.device.clone_from(device);
    }
    spec.validate(&builtin.encoders)?;
    Ok(spec)
}

/// How much is trained and scored, and in which portions.
fn sizes(question: &Question, spec: &mut Spec) {
    if let Some(bases) = question.bases {
        spec.training.bases = bases;
    }
    if let Some(window) = question.window {
        spec.training.window = window;
    }
    if let Some(batch) = question.batch {
        spec.training.batch = batch;
    }
    if let Some(span) = question.span {
        spec.masking.span = span;
    }
    if let Some(bases) = question.scoring_bases {
        spec.scoring.bases = usize::try_from(bases).unwrap_or(usize::MAX);
    }
}

/// One learning rate, or a grid of them.
fn learning_rates(question: &Question, spec: &mut Spec) {
    match question.learning_rates.as_slice() {
        [] => {}
        [rate] => {
            spec.training.learning_rate = *rate;
            spec.learning_rates.clear();
        }
        several => spec.learning_rates = several.to_vec(),
    }
}

fn position(name: &str) -> Result<Position, Failure> {
    [Position::AlibiDirected, Position::Alibi]
        .into_iter()
        .find(|position| position.name() == name)
        .ok_or_else(|| Failure::new(USAGE, format!("unknown position code {name:?}"), "use alibi-directed or alibi"))
}

/// A name for files, from the name or path of a corpus.
fn name_of(corpus: &str) -> String {
    let stem = corpus.rsplit('/').next().unwrap_or(corpus).split('.').next().unwrap_or(corpus);
    let clean: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if clean.is_empty() { "comparison".to_owned() } else { clean }
}

/// The memory that runs may take, as far as anybody knows.
pub(crate) fn memory(question: &Question) -> Option<Memory> {
    question.memory.map(Memory::asked).or_else(Memory::here)
}
