//! What an experiment is made of, opened once: tokenizers, corpus and tasks, and what a plan must know of them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use dataset::{Longest, Split, Task, TaskSpec};
use experiment::config::{Masking, Position};
use experiment::run::DataRef;
use experiment::{CorpusInfo, Encoders, Refusal, Resolver, Spec, TaskInfo, TokenizerInfo};
use tokenize::registry::{self, Recipe};
use tokenize::{Frontend, Reading};

use crate::error::{Error, Kind, Result};
use crate::workspace::{OpenCorpus, Workspace};

/// Tokens per base of a byte-pair encoding of 4096 entries, for estimates only.
const BPE_TOKENS_PER_BASE: f64 = 0.21;

/// Bases of training text that are certain to give an entry of a vocabulary: a byte-pair encoding takes about 40.
const BASES_AN_ENTRY: u64 = 100;

/// A tokenizer of the experiment.
#[derive(Debug)]
struct Named {
    recipe: Recipe,
    /// Where its file lies, as it is kept with the runs.
    location: Option<PathBuf>,
}

/// Everything that the names of a spec stand for.
#[derive(Debug)]
pub(crate) struct Inputs {
    encoders: Encoders,
    tokenizers: HashMap<String, Named>,
    pub(crate) corpus: OpenCorpus,
    corpus_info: CorpusInfo,
    tasks: HashMap<String, TaskInfo>,
    /// The longest row of each task, by the task's name.
    longest: HashMap<String, Longest>,
    /// Learning rates that were chosen, by canonical tokenizer name and position code.
    pub(crate) chosen: BTreeMap<(String, &'static str), f64>,
    /// Sentences about what was read.
    pub(crate) remarks: Vec<String>,
}

impl Inputs {
    /// Opens what a spec names.
    pub(crate) fn open(spec: &Spec, workspace: &Workspace) -> Result<Inputs> {
        let mut tokenizers = HashMap::new();
        for name in &spec.tokenizers {
            let recipe = workspace.recipe(name)?;
            recipe.check_span(spec.masking.span)?;
            let location = match registry::path_in(name).map(Path::new) {
                Some(path) => Some(located(name, std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))?),
                None => None,
            };
            tokenizers.insert(name.clone(), Named { recipe, location });
        }
        let specs = workspace.task_specs(&spec.tasks)?;
        let corpus = workspace.open_corpus(&spec.corpus)?;
        let corpus_info = CorpusInfo {
            data: DataRef { name: corpus.corpus.name().to_owned(), hash: corpus.corpus.hash().to_owned() },
            location: located(&spec.corpus, corpus.spec.clone())?,
            species: corpus.corpus.species().len(),
        };
        let remarks = corpus.remarks().to_vec();
        let (tasks, longest, chosen) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        let encoders = workspace.builtin.encoders.clone();
        let mut inputs = Inputs { encoders, tokenizers, corpus, corpus_info, tasks, longest, chosen, remarks };
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

    /// The longest row of a task, by the task's name.
    pub(crate) fn longest(&self, task: &str) -> Longest {
        self.longest.get(task).cloned().unwrap_or_default()
    }

    /// Whether every split has a window, better told now than by every run; a remark if less text can be scored than was
    /// asked for.
    pub(crate) fn check_windows(&mut self, spec: &Spec) -> Result<()> {
        let corpus = &self.corpus.corpus;
        let window = spec.training.window;
        corpus.sample_window(Split::Train, window, &mut dataset::stream(0, "check"))?;
        corpus.scoring_windows(Split::Valid, window, spec.scoring.bases)?;
        let scored = corpus.scoring_windows(Split::Test, window, spec.scoring.bases)?.len() * window;
        // Whole windows, equally many for every species, are what was asked for.
        let whole = corpus.species().len() * window;
        if scored < spec.scoring.bases / whole * whole {
            self.remarks.push(format!(
                "scoring: {scored} of the {} bases asked for; the test split has no more windows without N",
                spec.scoring.bases
            ));
        }
        Ok(())
    }

    /// Refuses vocabularies that the training split cannot give, where it is so small that this may be: learned in a moment, and better
    /// told now than when everything else is done.
    pub(crate) fn check_vocabularies(&self, spec: &Spec) -> Result<()> {
        let corpus = &self.corpus.corpus;
        for recipe in spec.tokenizers.iter().filter_map(|name| Some(&self.tokenizers.get(name)?.recipe)) {
            let enough = BASES_AN_ENTRY * asked_entries(recipe) as u64;
            if recipe.learned_vocabulary && corpus.bases(Split::Train) < enough {
                recipe.fit(&mut corpus.training_pieces())?;
            }
        }
        Ok(())
    }

    fn info(recipe: &Recipe, location: Option<PathBuf>, span: usize) -> TokenizerInfo {
        // A vocabulary that is not learned is there already; one that is has its size in its name.
        let fixed = (!recipe.learned_vocabulary).then(|| recipe.fit(&mut std::iter::empty()).ok()).flatten();
        let number: usize = match fixed {
            Some(tokenizer) => tokenizer.vocabulary().len(),
            None => asked_entries(recipe),
        };
        let (vocabulary, tokens_per_base, tokens_per_span) = match recipe.reading {
            Reading::Tiling(Some(k)) => (words(k), 1.0 / k as f64, span.div_ceil(k)),
            Reading::Sliding { k, stride } => (words(k), 1.0 / stride as f64, span.div_ceil(k)),
            Reading::Tiling(None) => (number.clamp(64, 65_536), BPE_TOKENS_PER_BASE, span.div_ceil(3)),
        };
        let nucleotide_layers = match &recipe.frontend {
            Frontend::Lookup => 0,
            Frontend::MxDna(knobs) => knobs.nucleotide_layers + 1,
            Frontend::Deep(knobs) => knobs.nucleotide_layers + 1,
        };
        let canonical = recipe.name.clone();
        TokenizerInfo { canonical, location, vocabulary, tokens_per_base, tokens_per_span, nucleotide_layers }
    }
}

impl Resolver for Inputs {
    fn encoders(&self) -> &Encoders {
        &self.encoders
    }

    fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal> {
        match self.tokenizers.get(name) {
            Some(named) => Ok(Inputs::info(&named.recipe, named.location.clone(), span)),
            // A control, or another spelling of the reference.
            None => registry::parse(name).map(|recipe| Inputs::info(&recipe, None, span)).map_err(refusal),
        }
    }

    fn corpus(&self, _: &str) -> Result<CorpusInfo, Refusal> {
        Ok(self.corpus_info.clone())
    }

    fn task(&self, name: &str) -> Result<TaskInfo, Refusal> {
        self.tasks.get(name).cloned().ok_or_else(|| Refusal::from(format!("there is no task {name:?}")))
    }

    fn check(&self, name: &str, masking: &Masking) -> Result<(), Refusal> {
        match self.tokenizers.get(name) {
            Some(named) => named.recipe.check_span(masking.span).map_err(refusal),
            None => registry::parse(name).and_then(|recipe| recipe.check_span(masking.span)).map_err(refusal),
        }
    }

    fn chosen(&self, tokenizer: &str, position: Position) -> Option<f64> {
        self.chosen.get(&(tokenizer.to_owned(), position.name())).copied()
    }
}

fn refusal(error: tokenize::Error) -> Refusal {
    Refusal { cause: error.to_string(), remedy: error.remedy() }
}

/// What a person should know about a task.
fn remarks(task: &Task) -> Vec<String> {
    let mut remarks = vec![format!("{}: {}; {}", task.name, task.counts, task.leaks)];
    if !task.names.is_empty() {
        let names = task.names.iter().enumerate().map(|(number, name)| format!("{number} = {name}"));
        let names = names.collect::<Vec<_>>().join(", ");
        remarks.push(format!("{}: classes {names}", task.name));
    }
    if task.metric != dataset::Metric::default() {
        remarks.push(format!("{}: judged by {}", task.name, task.metric.name()));
    }
    if task.dropped_dev > 0 {
        remarks.push(format!("{}: {} dev rows that are also in train were dropped", task.name, task.dropped_dev));
    }
    remarks
}

/// Where something lies, as it is kept with the runs: as JSON, which has no place for a path that is not UTF-8.
fn located<T: serde::Serialize>(name: &str, place: T) -> Result<T> {
    let kept = serde_json::to_value(&place);
    kept.map(|_| place).map_err(|_| {
        let whole = std::path::absolute(name.trim_start_matches("file:")).unwrap_or_default();
        Error::new(
            Kind::Data,
            format!("{}: the path is not UTF-8, and cannot be kept with the runs", whole.display()),
            "rename the folder, or give the path of a symbolic link to it",
        )
    })
}

/// Entries of a vocabulary that is still to be learned: the number in its name.
fn asked_entries(recipe: &Recipe) -> usize {
    recipe.name.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// Words of 1 to k bases, and the special ids.
fn words(k: usize) -> usize {
    (1..=k).map(|length| 1usize << (2 * length)).sum::<usize>() + 5
}
