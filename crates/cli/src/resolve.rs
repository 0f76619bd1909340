//! From names to data: what a plan asks, answered from built-in names and from files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use dataset::{Corpus, CorpusSpec, Split, Task, TaskSpec, builtin};
use experiment::config::{Masking, Position};
use experiment::plan::{CorpusInfo, Refusal, Resolver, TaskInfo, TokenizerInfo};
use experiment::run::DataRef;
use serde_json::Value;
use tokenize::{Frontend, registry};

use crate::failure::{Failure, USAGE};
use crate::folders;
use crate::text;

/// Tokens per base of a byte-pair encoding of 4096 entries, for estimates only.
const BPE_TOKENS_PER_BASE: f64 = 0.21;

/// The data root: the flag, the environment, or the folder at hand.
pub(crate) fn data_root(given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A corpus by name or file.
pub(crate) fn corpus_spec(name: &str) -> Result<CorpusSpec, Failure> {
    let path = Path::new(name);
    if !path.exists() {
        // A built-in name, or something that looks like a path and is not there.
        if looks_like_path(name) {
            return Err(missing("corpus", name));
        }
        return builtin::corpus(name).map_err(|error| Failure { code: USAGE, ..Failure::from(error) });
    }
    if path.extension().is_some_and(|extension| extension == "toml") {
        let text = text::read(path)?;
        return CorpusSpec::from_toml(&text).map_err(|error| in_file(path, &error));
    }
    Ok(CorpusSpec::from_fasta(path)?)
}

/// A task by name or file.
pub(crate) fn task_spec(name: &str) -> Result<TaskSpec, Failure> {
    let path = Path::new(name);
    if !path.is_file() {
        if looks_like_path(name) {
            return Err(missing("task", name));
        }
        return builtin::task(name).map_err(|error| Failure { code: USAGE, ..Failure::from(error) });
    }
    if path.extension().is_some_and(|extension| extension == "toml") {
        let text = text::read(path)?;
        return TaskSpec::from_toml(&text).map_err(|error| in_file(path, &error));
    }
    Ok(TaskSpec::from_csv(path)?)
}

fn looks_like_path(name: &str) -> bool {
    let name = name.trim_end_matches(".gz");
    name.starts_with('.')
        || name.starts_with('/')
        || [".fa", ".fasta", ".fna", ".fq", ".fastq", ".csv", ".toml"].iter().any(|end| name.ends_with(end))
}

fn missing(what: &str, name: &str) -> Failure {
    Failure::new(
        crate::failure::DATA,
        format!("{what} file {name}: no such file"),
        "check the path; \"tokbench list\" shows built-in names",
    )
}

fn in_file(path: &Path, error: &dataset::Error) -> Failure {
    Failure { code: USAGE, message: format!("{}: {error}", path.display()), remedy: error.remedy() }
}

/// The path in the name of a tokenizer, with or without `file:` before it.
pub(crate) fn file_of(name: &str) -> &Path {
    let name = name.trim();
    Path::new(name.strip_prefix("file:").unwrap_or(name))
}

/// Refuses what cannot be read a second time: every run of a plan reads its inputs again.
pub(crate) fn again(path: &Path) -> Result<(), Failure> {
    if path.is_file() || path.is_dir() || !path.exists() {
        return Ok(());
    }
    Err(Failure::new(
        USAGE,
        format!("{} is a pipe or a device, and can be read only once", path.display()),
        "save it to a file and name that",
    ))
}

/// Answers a plan's questions; what was opened is kept.
pub(crate) struct Data {
    pub(crate) root: PathBuf,
    corpora: RefCell<HashMap<String, (Rc<Corpus>, CorpusSpec)>>,
    failure: RefCell<Option<Failure>>,
    chosen: RefCell<HashMap<(String, &'static str), f64>>,
    /// Sentences about what was read, for stderr.
    pub(crate) remarks: RefCell<Vec<String>>,
}

impl Data {
    pub(crate) fn new(root: PathBuf) -> Data {
        Data {
            root,
            corpora: RefCell::default(),
            failure: RefCell::default(),
            chosen: RefCell::default(),
            remarks: RefCell::default(),
        }
    }

    pub(crate) fn open_corpus(&self, name: &str) -> Result<(Rc<Corpus>, CorpusSpec), Failure> {
        if let Some(found) = self.corpora.borrow().get(name) {
            return Ok(found.clone());
        }
        let spec = corpus_spec(name)?;
        let corpus = Rc::new(Corpus::open(&spec, &self.root).map_err(|error| self.explain(Failure::from(error)))?);
        let leaks = corpus.leaks();
        self.remarks.borrow_mut().extend([corpus.to_string(), leaks.to_string()]);
        self.corpora.borrow_mut().insert(name.to_owned(), (Rc::clone(&corpus), spec.clone()));
        Ok((corpus, spec))
    }

    /// Refuses outputs that are files of a corpus or of tokenizers: results never take the place of what they come from.
    pub(crate) fn apart(&self, outputs: &[PathBuf], corpus: &str, tokenizers: &[String]) -> Result<(), Failure> {
        let (_, spec) = self.open_corpus(corpus)?;
        let files = spec.species.iter().flat_map(|species| &species.files).map(|file| self.root.join(file));
        let named = std::iter::once(corpus).chain(tokenizers.iter().map(String::as_str));
        let named = named.map(|name| file_of(name).to_owned());
        let inputs: Vec<PathBuf> = files.chain(named).collect();
        outputs.iter().try_for_each(|output| folders::apart(output, inputs.iter().map(PathBuf::as_path)))
    }

    /// Whether every split has a window, better told now than by every run; a remark if less text can be scored than was
    /// asked for.
    pub(crate) fn check_windows(&self, spec: &experiment::Spec) -> Result<(), Failure> {
        let (corpus, _) = self.open_corpus(&spec.corpus)?;
        let window = spec.training.window;
        corpus.sample_window(Split::Train, window, &mut dataset::stream(0, "check"))?;
        corpus.scoring_windows(Split::Valid, window, spec.scoring.bases)?;
        let scored = corpus.scoring_windows(Split::Test, window, spec.scoring.bases)?.len() * window;
        // Whole windows, equally many for every species, are what was asked for.
        let whole = corpus.species().len() * window;
        if scored < spec.scoring.bases / whole * whole {
            self.remarks.borrow_mut().push(format!(
                "scoring: {scored} of the {} bases asked for; the test split has no more windows without N",
                spec.scoring.bases
            ));
        }
        Ok(())
    }

    pub(crate) fn choose(&self, rates: impl IntoIterator<Item = ((String, &'static str), f64)>) {
        self.chosen.borrow_mut().extend(rates);
    }

    /// A file that a built-in name refers to and that is not there is most often a missing data root.
    fn explain(&self, mut failure: Failure) -> Failure {
        if failure.message.contains("No such file") || failure.message.contains("no such file") {
            failure.remedy = Some(format!(
                "files are looked for under {}; set --data or TOKBENCH_DATA to the data folder",
                self.root.display()
            ));
        }
        failure
    }

    fn refuse(&self, failure: Failure) -> Refusal {
        let refusal = Refusal { cause: failure.message.clone(), remedy: failure.remedy.clone() };
        *self.failure.borrow_mut() = Some(failure);
        refusal
    }

    /// The failure behind a refusal, with its own exit code and words.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.failure.borrow_mut().take()
    }
}

impl Resolver for Data {
    fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal> {
        let recipe = registry::parse(name).map_err(|error| self.refuse(error.into()))?;
        // A vocabulary that is not learned is there already; one that is has its size in its name.
        let fixed = (!recipe.learned_vocabulary).then(|| recipe.fit(&mut std::iter::empty()).ok()).flatten();
        let number: usize = match fixed {
            Some(tokenizer) => tokenizer.vocabulary().len(),
            None => recipe.name.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0),
        };
        let (vocabulary, tokens_per_base, tokens_per_span) = match recipe.reading {
            tokenize::Reading::Tiling(Some(k)) => (words(k), 1.0 / k as f64, span.div_ceil(k)),
            tokenize::Reading::Sliding { k, stride } => (words(k), 1.0 / stride as f64, span.div_ceil(k)),
            tokenize::Reading::Tiling(None) => (number.clamp(64, 65_536), BPE_TOKENS_PER_BASE, span.div_ceil(3)),
        };
        let nucleotide_layers = match &recipe.frontend {
            Frontend::Lookup => 0,
            Frontend::MxDna(knobs) => knobs.nucleotide_layers + 1,
            Frontend::Deep(knobs) => knobs.nucleotide_layers + 1,
        };
        let file = recipe.name.starts_with("file:").then(|| file_of(name));
        let location = match file {
            Some(path) => {
                std::path::absolute(path).map_or(Value::Null, |path| Value::String(path.to_string_lossy().into_owned()))
            }
            None => Value::Null,
        };
        Ok(TokenizerInfo {
            canonical: recipe.name,
            location,
            vocabulary,
            tokens_per_base,
            tokens_per_span,
            nucleotide_layers,
        })
    }

    fn corpus(&self, name: &str) -> Result<CorpusInfo, Refusal> {
        let (corpus, spec) = self.open_corpus(name).map_err(|failure| self.refuse(failure))?;
        Ok(CorpusInfo {
            data: DataRef { name: corpus.name().to_owned(), hash: corpus.hash().to_owned() },
            location: serde_json::to_value(&spec).unwrap_or_default(),
            species: corpus.species().len(),
        })
    }

    fn task(&self, name: &str) -> Result<TaskInfo, Refusal> {
        let open = || -> Result<(Task, TaskSpec), Failure> {
            let spec = task_spec(name)?;
            let task = Task::open(&spec, &self.root).map_err(|error| self.explain(Failure::from(error)))?;
            Ok((task, spec))
        };
        let (task, spec) = open().map_err(|failure| self.refuse(failure))?;
        self.remarks.borrow_mut().push(format!("{}: {}; {}", task.name, task.counts, task.leaks));
        if task.dropped_dev > 0 {
            self.remarks
                .borrow_mut()
                .push(format!("{}: {} dev rows that are also in train were dropped", task.name, task.dropped_dev));
        }
        let bases = task.train.iter().map(|example| example.sequence.len()).max().unwrap_or(0);
        Ok(TaskInfo {
            data: DataRef { name: task.name.clone(), hash: task.hash.clone() },
            location: serde_json::to_value(&spec).unwrap_or_default(),
            rows: task.rows(Split::Train).len(),
            held_out: task.dev.len() + task.test.len(),
            bases,
        })
    }

    fn check(&self, tokenizer: &str, masking: &Masking) -> Result<(), Refusal> {
        let recipe = registry::parse(tokenizer).map_err(|error| self.refuse(error.into()))?;
        recipe.check_span(masking.span).map_err(|error| self.refuse(error.into()))
    }

    fn chosen(&self, tokenizer: &str, position: Position) -> Option<f64> {
        self.chosen.borrow().get(&(tokenizer.to_owned(), position.name())).copied()
    }
}

/// Words of 1 to k bases, and the special ids.
fn words(k: usize) -> usize {
    (1..=k).map(|length| 1usize << (2 * length)).sum::<usize>() + 5
}
