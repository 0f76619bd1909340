//! The inputs of an experiment, opened once: tokenizers, corpus and tasks, and their properties for the plan.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dataset::{Corpus, LongestRow, Split, Task, TaskSpec};
use experiment::config::{FixedUnits, Masking, Position};
use experiment::rates::{Choice, macs_per_base};
use experiment::record::{Outcome, Record};
use experiment::run::{DataRef, Key, Work};
use experiment::{CorpusInfo, Encoders, Refusal, Resolver, Spec, TaskInfo, TokenizerInfo};
use model::frontend::pool::fixed_units;
use tokenize::families::file;
use tokenize::{Quantity, Recipe};

use crate::builtin::Builtin;
use crate::error::{Error, ErrorKind, Result};
use crate::workspace::{OpenCorpus, Workspace};

/// Training bases per vocabulary entry that are certainly sufficient (byte-pair encoding needs about 40).
const BASES_PER_ENTRY: u64 = 100;

/// The resolved inputs of a spec.
#[derive(Debug)]
pub(crate) struct Inputs {
    builtin: Arc<Builtin>,
    tokenizers: HashMap<String, Recipe>,
    /// The corpus, then those of the noise arms.
    corpora: Vec<(String, OpenCorpus, CorpusInfo)>,
    tasks: HashMap<String, TaskInfo>,
    /// The longest row of each task, by task name.
    longest: HashMap<String, LongestRow>,
    /// Selected learning rates.
    chosen: BTreeMap<Choice, f64>,
    /// Multiply-accumulates per base, by canonical tokenizer name and position encoding.
    macs_per_base: BTreeMap<(String, String), f64>,
    /// Units of the controls of finished runs with learned units.
    fixed_units: BTreeMap<(Key, Quantity), FixedUnits>,
    /// Remarks about the data.
    pub(crate) remarks: Vec<String>,
}

/// How much text each species has and how often each budget reads it, one line per species; then region classes, where known.
fn texts(corpus: &Corpus, budgets: &[u64]) -> Vec<String> {
    let line = |size: dataset::SpeciesSize| {
        let read = |budget: &u64| {
            let times = size.epochs(*budget)?;
            Some(format!("{times:.2} times by {} bases", experiment::describe::magnitude(*budget as f64)))
        };
        let read: Vec<String> = budgets.iter().filter_map(read).collect();
        if read.is_empty() { size.to_string() } else { format!("{size}, read {}", read.join(", ")) }
    };
    let regions = corpus.species().iter().filter_map(|species| Some((&species.name, species.regions.as_ref()?)));
    let regions = regions.map(|(name, regions)| format!("{name}: {}", regions.summary()));
    corpus.sizes().into_iter().map(line).chain(regions).collect()
}

impl Inputs {
    /// Opens the inputs of a spec.
    pub(crate) fn open(spec: &Spec, workspace: &Workspace) -> Result<Inputs> {
        let mut tokenizers = HashMap::new();
        for name in &spec.tokenizers {
            let recipe = workspace.recipe(name)?;
            recipe.check_span(spec.masking.span)?;
            if let Some(path) = &recipe.location {
                located(name, path)?;
            }
            tokenizers.insert(name.clone(), recipe);
        }
        let specs = workspace.task_specs(&spec.tasks)?;
        let mut corpora = Vec::new();
        for name in spec.corpora() {
            let corpus = workspace.open_corpus(&name)?;
            let info = CorpusInfo {
                data: DataRef { name: corpus.corpus.name().to_owned(), hash: corpus.corpus.hash().to_owned() },
                location: located(&name, corpus.spec.clone())?,
                species: corpus.corpus.trained().count(),
                held_out: corpus.corpus.species().len() - corpus.corpus.trained().count(),
            };
            corpora.push((name, corpus, info));
        }
        let mut inputs = Inputs {
            builtin: Arc::clone(&workspace.builtin),
            tokenizers,
            remarks: [&corpora[0].1.remarks()[..], &texts(&corpora[0].1.corpus, &spec.budgets())].concat(),
            corpora,
            tasks: HashMap::new(),
            longest: HashMap::new(),
            chosen: BTreeMap::new(),
            macs_per_base: BTreeMap::new(),
            fixed_units: BTreeMap::new(),
        };
        for (name, task) in spec.tasks.iter().zip(&specs) {
            inputs.add_task(name, task, workspace)?;
        }
        Ok(inputs)
    }

    fn add_task(&mut self, name: &str, spec: &TaskSpec, workspace: &Workspace) -> Result<()> {
        let task = workspace.open_task(spec)?;
        self.remarks.extend(remarks(&task));
        let bases: usize = task.train.iter().map(|example| example.sequence.len()).sum();
        let info = TaskInfo {
            data: DataRef { name: task.name.clone(), hash: task.hash.clone() },
            location: located(name, spec.clone())?,
            rows: task.rows(Split::Train).len(),
            held_out: task.dev.len() + task.test.len(),
            bases: bases.div_ceil(task.train.len().max(1)),
            longest: task.longest.bases,
        };
        self.tasks.insert(name.to_owned(), info);
        self.longest.insert(task.name, task.longest);
        Ok(())
    }

    /// The corpus of the spec.
    pub(crate) fn corpus(&self) -> &OpenCorpus {
        &self.corpora[0].1
    }

    /// The corpus of a run.
    pub(crate) fn corpus_of(&self, data: &DataRef) -> Option<&Corpus> {
        self.corpora.iter().find(|(_, _, info)| info.data == *data).map(|(_, open, _)| &open.corpus)
    }

    /// The tokenizer of a canonical name, if the spec names it.
    pub(crate) fn canonical(&self, name: &str) -> Option<&Recipe> {
        self.tokenizers.values().find(|recipe| recipe.name == name)
    }

    /// The longest row of a task, by task name.
    pub(crate) fn longest(&self, task: &str) -> LongestRow {
        self.longest.get(task).cloned().unwrap_or_default()
    }

    /// Checks that every split has a window, and adds a remark if fewer bases can be scored than requested.
    pub(crate) fn check_windows(&mut self, spec: &Spec) -> Result<()> {
        let corpus = &self.corpora[0].1.corpus;
        let window = spec.training.window;
        corpus.sample_window(Split::Train, window, &mut dataset::stream(0, "check"))?;
        corpus.scoring_windows(Split::Valid, window, spec.scoring.bases)?;
        let windows = corpus.scoring_windows(Split::Test, window, spec.scoring.bases)?;
        let scored = windows.iter().filter(|window| !window.held_out).count() * window;
        // The request is rounded down to whole windows, equally many per species.
        let whole = corpus.trained().count() * window;
        if scored < spec.scoring.bases / whole * whole {
            self.remarks.push(format!(
                "scoring: {scored} of the {} requested bases; the test split has no more windows without N",
                spec.scoring.bases
            ));
        }
        Ok(())
    }

    /// Learns the vocabularies now if the training split may be too small for them, to fail before anything else is computed.
    pub(crate) fn check_vocabularies(&self, spec: &Spec) -> Result<()> {
        let corpus = &self.corpora[0].1.corpus;
        for recipe in spec.tokenizers.iter().filter_map(|name| self.tokenizers.get(name)) {
            let enough = BASES_PER_ENTRY * recipe.vocabulary as u64;
            if recipe.learned_vocabulary && corpus.bases(Split::Train) < enough {
                recipe.fit(&mut corpus.training_segments())?;
            }
        }
        Ok(())
    }

    /// Properties of a tokenizer for the plan.
    fn info(recipe: &Recipe, span: usize) -> TokenizerInfo {
        // The cost estimate is valid for vocabularies in this range.
        let bounded = |entries: usize| if recipe.is_exact() { entries } else { entries.clamp(64, 65_536) };
        TokenizerInfo {
            canonical: recipe.name.clone(),
            family: recipe.family.to_owned(),
            controls: recipe.controls.clone(),
            location: recipe.location.clone(),
            vocabulary: bounded(recipe.vocabulary),
            tokens_per_base: recipe.tokens_per_base,
            tokens_per_span: recipe.tokens_per_span(span),
            nucleotide_layers: recipe.frontend.nucleotide_layers(),
            equal: recipe.frontend.equal().cloned(),
        }
    }

    /// Takes over from finished runs what later runs depend on: selected learning rates, cost, units.
    pub(crate) fn follow(&mut self, records: &[Record], chosen: BTreeMap<Choice, f64>) {
        self.chosen = chosen;
        self.macs_per_base = macs_per_base(records);
        for record in records {
            let (Work::Pretrain(run), Outcome::Pretrained(result)) = (&record.run.work, &record.outcome) else {
                continue;
            };
            let Some((bases, recipe)) = result.unit_bases.zip(self.recipe(&run.tokenizer).ok()) else { continue };
            let (frontend, vocabulary) = (recipe.frontend.clone(), recipe.vocabulary);
            for quantity in [Quantity::Parameters, Quantity::Macs] {
                let missing = self.fixed_units.entry((record.key.clone(), quantity));
                missing.or_insert_with(|| {
                    fixed_units(&frontend, quantity, vocabulary, &run.encoder, run.training.window, bases)
                });
            }
        }
    }

    /// The recipe of a tokenizer of the spec, or of another name: a control, or an alias of the reference.
    fn recipe(&self, name: &str) -> Result<Cow<'_, Recipe>, Refusal> {
        match self.tokenizers.get(name) {
            Some(recipe) => Ok(Cow::Borrowed(recipe)),
            None => self.builtin.tokenizers.parse(name).map(Cow::Owned).map_err(|error| refusal(&error)),
        }
    }
}

impl Resolver for Inputs {
    fn encoders(&self) -> &Encoders {
        &self.builtin.encoders
    }

    fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal> {
        let recipe = self.recipe(name)?;
        Ok(Inputs::info(&recipe, span))
    }

    fn corpus(&self, name: &str) -> Result<CorpusInfo, Refusal> {
        let found = self.corpora.iter().find(|(known, _, _)| known == name);
        found.map(|(_, _, info)| info.clone()).ok_or_else(|| Refusal::from(format!("unknown corpus {name:?}")))
    }

    fn task(&self, name: &str) -> Result<TaskInfo, Refusal> {
        self.tasks.get(name).cloned().ok_or_else(|| Refusal::from(format!("unknown task {name:?}")))
    }

    fn check(&self, name: &str, masking: &Masking) -> Result<(), Refusal> {
        self.recipe(name)?.check_span(masking.span).map_err(|error| refusal(&error))
    }

    fn chosen(&self, choice: &Choice) -> Option<f64> {
        self.chosen.get(choice).copied()
    }

    fn fixed_units(&self, learned: &Key, quantity: Quantity) -> Option<FixedUnits> {
        self.fixed_units.get(&(learned.clone(), quantity)).copied()
    }

    fn macs_per_base(&self, tokenizer: &str, position: Position) -> Option<f64> {
        self.macs_per_base.get(&(tokenizer.to_owned(), position.name())).copied()
    }
}

fn refusal(error: &tokenize::Error) -> Refusal {
    Refusal { cause: error.to_string(), remedy: error.remedy() }
}

/// Remarks about a task: counts, leakage, classes, metric.
fn remarks(task: &Task) -> Vec<String> {
    let mut remarks = vec![format!("{}: {}; {}", task.name, task.counts, task.leaks)];
    if !task.names.is_empty() {
        let names = task.names.iter().enumerate().map(|(number, name)| format!("{number} = {name}"));
        let names = names.collect::<Vec<_>>().join(", ");
        remarks.push(format!("{}: classes {names}", task.name));
    }
    if task.metric != dataset::Metric::default() {
        remarks.push(format!("{}: metric {}", task.name, task.metric.name()));
    }
    if task.dropped_dev > 0 {
        remarks.push(format!(
            "{}: dropped {} validation rows that occur in the training split",
            task.name, task.dropped_dev
        ));
    }
    remarks
}

/// Checks that a data source can be stored with the runs: JSON cannot represent a path that is not UTF-8.
fn located<T: serde::Serialize>(name: &str, source: T) -> Result<T> {
    let stored = serde_json::to_value(&source);
    stored.map(|_| source).map_err(|_| {
        let whole = std::path::absolute(file::without_prefix(name)).unwrap_or_default();
        Error::new(
            ErrorKind::Data,
            format!("{}: the path is not valid UTF-8 and cannot be stored with the runs", whole.display()),
            "rename the folder, or use a symbolic link to it",
        )
    })
}
