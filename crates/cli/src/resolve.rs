//! From names to data: what a plan asks, answered from built-in names and from files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use dataset::{Corpus, CorpusSpec, Longest, Split, Task, TaskSpec, builtin};
use experiment::config::{Masking, Position};
use experiment::memory::Memory;
use experiment::plan::{CorpusInfo, Job, Plan, Refusal, Resolver, TaskInfo, TokenizerInfo};
use experiment::run::{DataRef, Key};
use serde_json::Value;
use tokenize::{Frontend, registry};

use crate::failure::{DATA, Failure, USAGE};
use crate::{folders, spelling, text};

/// Tokens per base of a byte-pair encoding of 4096 entries, for estimates only.
const BPE_TOKENS_PER_BASE: f64 = 0.21;

/// Bases of training text that are certain to give an entry of a vocabulary: a byte-pair encoding takes about 40.
const BASES_AN_ENTRY: u64 = 100;

/// The data root: the flag, the environment, or the folder at hand.
pub(crate) fn data_root(given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A corpus by name or file, and its text where that had to be read.
fn corpus_spec(name: &str) -> Result<(CorpusSpec, Option<Corpus>), Failure> {
    let path = Path::new(name);
    if !path.exists() || path.is_dir() {
        return match builtin::corpus(name) {
            Ok(spec) => Ok((spec, None)),
            Err(error) => Err(spelling::nothing_there("corpus", name, &error)),
        };
    }
    if is_toml(path) {
        let text = text::read(path)?;
        return Ok((CorpusSpec::from_toml(&text).map_err(|error| in_file(path, &error))?, None));
    }
    let (spec, corpus) = Corpus::from_fasta(path).map_err(|error| spelling::another_kind(&error))?;
    Ok((spec, Some(corpus)))
}

/// A task by name or file.
fn task_spec(name: &str) -> Result<TaskSpec, Failure> {
    let path = Path::new(name);
    if !path.exists() || path.is_dir() {
        return builtin::task(name).map_err(|error| spelling::nothing_there("task", name, &error));
    }
    if is_toml(path) {
        let text = text::read(path)?;
        return TaskSpec::from_toml(&text).map_err(|error| in_file(path, &error));
    }
    Ok(TaskSpec::from_csv(path)?)
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

/// Whether a file can be read only once: a pipe, or one that only this process has open.
fn passing(name: &str) -> bool {
    let path = Path::new(name);
    let own = ["/dev/fd/", "/dev/stdin", "/proc/self/"].iter().any(|start| name.starts_with(start));
    path.exists() && !path.is_dir() && (own || !path.is_file())
}

/// Runs are processes of their own, which read their data again.
pub(crate) fn refuse_pipes(spec: &experiment::Spec) -> Result<(), Failure> {
    std::iter::once(&spec.corpus).chain(&spec.tasks).try_for_each(|name| refuse_pipe(name))
}

/// Refuses what cannot be read a second time.
pub(crate) fn refuse_pipe(name: &str) -> Result<(), Failure> {
    if !passing(name) {
        return Ok(());
    }
    Err(Failure::new(
        USAGE,
        format!("{name}: a pipe can be read only once, and every run reads its data again"),
        "save it to a file first",
    ))
}

/// Whether the path is that of a table, and not of a task file.
fn is_table(path: &Path) -> bool {
    path.exists() && !path.is_dir() && !is_toml(path)
}

fn in_file(path: &Path, error: &dataset::Error) -> Failure {
    Failure { code: USAGE, message: format!("{}: {error}", path.display()), remedy: error.remedy() }
}

/// The path in the name of a tokenizer, with or without `file:` before it.
pub(crate) fn file_of(name: &str) -> &Path {
    let name = name.trim();
    Path::new(name.strip_prefix("file:").unwrap_or(name))
}

/// Answers a plan's questions; what was opened is kept.
pub(crate) struct Data {
    pub(crate) root: PathBuf,
    corpora: RefCell<HashMap<String, (Rc<Corpus>, CorpusSpec)>>,
    /// The tasks of the question by the names they were asked by, see [`Data::name_tasks`].
    tasks: RefCell<HashMap<String, TaskSpec>>,
    /// The longest row of each task, by its name in the plan.
    longest: RefCell<HashMap<String, Longest>>,
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
            tasks: RefCell::default(),
            longest: RefCell::default(),
            failure: RefCell::default(),
            chosen: RefCell::default(),
            remarks: RefCell::default(),
        }
    }

    pub(crate) fn open_corpus(&self, name: &str) -> Result<(Rc<Corpus>, CorpusSpec), Failure> {
        if let Some(found) = self.corpora.borrow().get(name) {
            return Ok(found.clone());
        }
        let (spec, corpus) = match corpus_spec(name)? {
            (spec, Some(corpus)) => (spec, corpus),
            (spec, None) => {
                let corpus = Corpus::open(&spec, &self.root).map_err(|error| self.explain(Failure::from(error)))?;
                (spec, corpus)
            }
        };
        let corpus = Rc::new(corpus);
        let leaks = corpus.leaks();
        self.remarks.borrow_mut().extend([corpus.to_string(), leaks.to_string()]);
        self.corpora.borrow_mut().insert(name.to_owned(), (Rc::clone(&corpus), spec.clone()));
        Ok((corpus, spec))
    }

    /// Looks up tasks, and names those that are tables so that no two are alike ([`dataset::naming`]).
    pub(crate) fn name_tasks(&self, asked: &[String]) -> Result<(), Failure> {
        let mut specs = asked.iter().map(|name| task_spec(name)).collect::<Result<Vec<_>, _>>()?;
        let tables: Vec<usize> = (0..asked.len()).filter(|&at| is_table(Path::new(&asked[at]))).collect();
        let paths: Vec<&Path> = tables.iter().map(|&at| Path::new(&asked[at])).collect();
        let others = specs.iter().enumerate().filter(|(at, _)| !tables.contains(at));
        let taken: Vec<String> = others.map(|(_, spec)| spec.name.clone()).collect();
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        for (&at, name) in tables.iter().zip(dataset::naming::tell_apart(&paths, &taken)) {
            specs[at].name = name;
        }
        self.tasks.borrow_mut().extend(asked.iter().cloned().zip(specs));
        Ok(())
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

    /// Refuses vocabularies that the training split cannot give, where it is so small that this may be: learned in a moment, and better
    /// told now than when everything else is done.
    pub(crate) fn check_vocabularies(&self, spec: &experiment::Spec) -> Result<(), Failure> {
        let (corpus, _) = self.open_corpus(&spec.corpus)?;
        for name in &spec.tokenizers {
            let recipe = registry::parse(name)?;
            let enough = BASES_AN_ENTRY * asked_entries(&recipe) as u64;
            if recipe.learned_vocabulary && corpus.bases(Split::Train) < enough {
                recipe.fit(&mut corpus.training_pieces())?;
            }
        }
        Ok(())
    }

    /// Refuses a plan with a run that needs more memory than there is. `known`: finished runs, which need none.
    pub(crate) fn check_memory(
        &self,
        plan: &Plan,
        memory: Option<&Memory>,
        known: impl Fn(&Key) -> bool,
    ) -> Result<(), Failure> {
        let Some(memory) = memory else { return Ok(()) };
        // A GPU has its own.
        let here = |job: &&Job| job.run.device.ends_with("cpu") && !known(&job.key);
        let needy = plan.jobs.iter().filter(here).max_by(|a, b| a.estimate.mib.total_cmp(&b.estimate.mib));
        let Some(job) = needy.filter(|job| job.estimate.mib > memory.mib) else { return Ok(()) };
        let lead = |what: &str| {
            format!("{what}: a run of {} needs about {:.0} MiB, and {memory}", job.run.subject(), job.estimate.mib)
        };
        let Some(task) = job.run.task() else {
            return Err(Failure::new(
                USAGE,
                lead("pretraining"),
                "use a shorter --window, a smaller --batch or --encoder; --memory if there is more",
            ));
        };
        let longest = self.longest.borrow().get(&task.name).cloned().unwrap_or_default();
        let row = match &longest.path {
            Some(path) => format!("row {} of {} (line {})", longest.row, path.display(), longest.line),
            None => "the longest row".to_owned(),
        };
        Err(Failure::new(
            DATA,
            format!(
                "{}; {row} has {} bases, and rows are trained on whole, in batches",
                lead(&format!("task {}", task.name)),
                longest.bases
            ),
            "shorten or leave out long rows; or write a smaller batch under [finetuning] in an experiment file, or use a smaller \
             --encoder; --memory if there is more",
        ))
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

    /// Where something lies, as it is kept with the runs: as JSON, which has no place for a path that is not UTF-8.
    fn location(&self, name: &str, place: &impl serde::Serialize) -> Result<Value, Refusal> {
        serde_json::to_value(place).map_err(|_| {
            let whole = std::path::absolute(name.trim_start_matches("file:")).unwrap_or_default();
            self.refuse(Failure::new(
                DATA,
                format!("{}: the path is not UTF-8, and cannot be kept with the runs", whole.display()),
                "rename the folder, or give the path of a symbolic link to it",
            ))
        })
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
            None => asked_entries(&recipe),
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
            Some(path) => self.location(name, &std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))?,
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
            location: self.location(name, &spec)?,
            species: corpus.species().len(),
        })
    }

    fn task(&self, name: &str) -> Result<TaskInfo, Refusal> {
        let open = || -> Result<(Task, TaskSpec), Failure> {
            let named = self.tasks.borrow().get(name).cloned();
            let spec = named.map_or_else(|| task_spec(name), Ok)?;
            let task = Task::open(&spec, &self.root);
            let task = task.map_err(|error| self.explain(spelling::another_kind(&error)))?;
            Ok((task, spec))
        };
        let (task, spec) = open().map_err(|failure| self.refuse(failure))?;
        self.remarks.borrow_mut().push(format!("{}: {}; {}", task.name, task.counts, task.leaks));
        if !task.names.is_empty() {
            let names = task.names.iter().enumerate().map(|(number, name)| format!("{number} = {name}"));
            let names = names.collect::<Vec<_>>().join(", ");
            self.remarks.borrow_mut().push(format!("{}: classes {names}", task.name));
        }
        if task.metric != dataset::Metric::default() {
            self.remarks.borrow_mut().push(format!("{}: judged by {}", task.name, task.metric.name()));
        }
        if task.dropped_dev > 0 {
            self.remarks
                .borrow_mut()
                .push(format!("{}: {} dev rows that are also in train were dropped", task.name, task.dropped_dev));
        }
        let bases: usize = task.train.iter().map(|example| example.sequence.len()).sum();
        self.longest.borrow_mut().insert(task.name.clone(), task.longest.clone());
        Ok(TaskInfo {
            data: DataRef { name: task.name.clone(), hash: task.hash.clone() },
            location: self.location(name, &spec)?,
            rows: task.rows(Split::Train).len(),
            held_out: task.dev.len() + task.test.len(),
            bases: bases.div_ceil(task.train.len().max(1)),
            longest: task.longest.bases,
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

/// Entries of a vocabulary that is still to be learned: the number in its name.
fn asked_entries(recipe: &registry::Recipe) -> usize {
    recipe.name.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// Words of 1 to k bases, and the special ids.
fn words(k: usize) -> usize {
    (1..=k).map(|length| 1usize << (2 * length)).sum::<usize>() + 5
}
