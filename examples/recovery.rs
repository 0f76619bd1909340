//! Which tokenizers find the words of a hidden vocabulary? Learned tokenizers are trained on the corpus `words`, fixed ones learn their vocabulary from
//! it, and the boundaries of all are compared with the true ones on new text of the same words.
//!
//! ```text
//! cargo run --release --example recovery -- words 1000000 1e-3 mxdna,hnet,merge,bpe64,unigram64
//! ```
//!
//! Arguments: corpus (`words`, or a file of that kind), bases of training, learning rate, tokenizers, seeds. Recall: fraction of the boundaries of words at which a token starts. Precision: the
//! reverse. Purity: fraction of the bases that are in the word of which their token has most bases. Each stands beside that of tokens of the same
//! lengths in random order; kappa is the agreement of the boundaries, corrected for chance by these.

use std::ops::Range;
use std::sync::Arc;

use dataset::stream;
use dataset::words::HiddenVocabulary;
use experiment::Spec;
use pipeline::{Error, Experiment, InProcess, Workspace};
use tokbench::registry;
use tokenize::audit::Recovery;

/// New text: windows, and bases of a window.
const WINDOWS: (usize, usize) = (100, 252);

/// From a text to its tokens.
type Segment = dyn Fn(&[u8]) -> Result<Vec<Range<usize>>, Error>;

/// The recovery of the words by a tokenizer that is trained on `bases` bases of the corpus `words`, and the mean length of its tokens.
///
/// # Errors
/// If the tokenizer is unknown, or a run fails.
pub fn recovery(
    workspace: &Workspace,
    corpus_name: &str,
    tokenizer: &str,
    bases: u64,
    rate: f64,
    seed: u64,
) -> Result<(Recovery, f64), Error> {
    let recipe = workspace.recipe(tokenizer)?;
    let open = workspace.open_corpus(corpus_name)?;
    let text = open.spec.synthetic.clone().unwrap_or_default();
    let vocabulary = HiddenVocabulary::of_corpus(text.seed, text.words);
    let corpus = open.corpus;
    let segment: Box<Segment> = if recipe.frontend.learns_units() {
        let name = corpus_name;
        let question = format!(
            "tokenizers = ['{tokenizer}']\ncorpus = '{name}'\nseeds = [{seed}]\nexploratory = true\n\
             [training]\nbases = {bases}\nbatch = 4\nlearning_rate = {rate}\n[masking]\nshare = 0.3\n"
        );
        let spec = Spec::from_toml(&question, "question", &workspace.builtin.encoders)?;
        let planned = Experiment::open(spec, workspace)?.plan()?;
        let executed = planned.execute(&mut InProcess::new(workspace), &mut ())?;
        let record = executed.records.into_iter().next().ok_or_else(|| {
            Error::new(
                pipeline::ErrorKind::SomeFailed,
                format!("{tokenizer} was not trained"),
                "see the messages above",
            )
        })?;
        let loaded = pipeline::load::load_with_corpus(workspace, record, &corpus, "cpu")?;
        Box::new(move |text| loaded.segment(text))
    } else {
        let fitted = recipe.fit(&mut corpus.training_segments())?;
        Box::new(move |text| {
            let mut tokens = Vec::new();
            fitted.encode(text, &mut tokens);
            Ok(tokens.iter().map(|token| token.start as usize..token.end as usize).collect())
        })
    };
    let (mut text, mut shuffles) = (stream(text.seed, "recovery/text"), stream(text.seed, "recovery/shuffles"));
    let (mut found, mut tokens) = (Recovery::default(), 0);
    for _ in 0..WINDOWS.0 {
        let (bases, words) = vocabulary.sample(WINDOWS.1, &mut text);
        let units = segment(&bases)?;
        tokens += units.len();
        found.add(bases.len(), &words, &units, &mut shuffles);
    }
    Ok((found, (WINDOWS.0 * WINDOWS.1) as f64 / tokens as f64))
}

#[allow(dead_code)] // the test of the project uses the function above
fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize, standard: &str| arguments.get(at).map_or(standard, String::as_str).to_owned();
    let corpus = argument(0, "words");
    let bases = argument(1, "1000000").parse().unwrap_or(1_000_000);
    let rate = argument(2, "1e-3").parse().unwrap_or(1e-3);
    let seeds = argument(4, "1").parse().unwrap_or(1);
    let builtin = Arc::new(tokbench::builtin(registry::builtin())?);
    let workspace = Workspace { store: std::env::temp_dir().join("tokbench-example"), builtin, ..Workspace::default() };
    println!("tokenizer        seed  bases/token  recall (chance)  precision  purity (chance)   kappa");
    for tokenizer in argument(3, "mxdna,hnet,merge,bpe64,unigram64").split(',') {
        for seed in 1..=seeds {
            let (found, length) = recovery(&workspace, &corpus, tokenizer, bases, rate, seed)?;
            println!(
                "{tokenizer:<16} {seed:>4} {length:>12.2} {:>7.3} ({:.3}) {:>10.3} {:>7.3} ({:.3}) {:>7.3}",
                found.recall(),
                found.chance_recall(),
                found.precision(),
                found.purity(),
                found.chance_purity(),
                found.kappa()
            );
        }
    }
    Ok(())
}
