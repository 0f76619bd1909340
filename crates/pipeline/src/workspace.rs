//! The workspace of an experiment: built-in names, data folder and store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dataset::{Corpus, CorpusSpec, Noise, Task, TaskSpec};
use experiment::{Spec, Store};
use tokenize::families::file;
use tokenize::{FrontendConfig, Recipe};

use crate::builtin::Builtin;
use crate::error::{Error, ErrorKind, Result};
use crate::{spelling, text};

/// Built-in names, data folder and store.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Built-in names.
    pub builtin: Arc<Builtin>,
    /// Folder to which paths in corpora and tasks are relative.
    pub data: PathBuf,
    /// Folder of the store.
    pub store: PathBuf,
}

impl Default for Workspace {
    /// No built-in corpora and tasks; data in the current folder, runs in `.tokbench`.
    fn default() -> Workspace {
        Workspace { builtin: Arc::default(), data: PathBuf::from("."), store: PathBuf::from(".tokbench") }
    }
}

/// An open corpus.
#[derive(Debug)]
pub struct OpenCorpus {
    /// The corpus.
    pub corpus: Corpus,
    /// Its specification.
    pub spec: CorpusSpec,
}

impl OpenCorpus {
    /// Remarks: counts and changed letters, and leakage between splits.
    #[must_use]
    pub fn remarks(&self) -> [String; 2] {
        [self.corpus.to_string(), self.corpus.leaks().to_string()]
    }
}

impl Workspace {
    /// The recipe of a tokenizer by name, or by the path of a `tokenizer.json`, which is read: relative to the current folder or, if there is
    /// no such file, to the data folder, so that a committed experiment can name a public tokenizer.
    ///
    /// # Errors
    /// If the name is unknown (with the most similar known one), or the file is invalid.
    pub fn recipe(&self, name: &str) -> Result<Recipe> {
        let tokenizers = &self.builtin.tokenizers;
        let path = tokenizers.path_in(name).map(Path::new).filter(|path| path.is_relative() && !path.exists());
        if let Some(found) = path.map(|path| self.data.join(path)).filter(|path| path.is_file())
            && let Some(found) = found.to_str()
        {
            return Ok(tokenizers.parse(&format!("{}{found}", file::PREFIX))?);
        }
        let recipe = tokenizers.parse(name)?;
        if let FrontendConfig::Own(own) = &recipe.frontend {
            let explain =
                |fault| Error::new(ErrorKind::Usage, format!("{name}: {fault}"), "see docs/adding/tokenizer.md");
            model::frontend::own::check(own).map_err(explain)?;
        }
        Ok(recipe)
    }

    /// Opens a corpus: a built-in name, a corpus file (TOML), or a sequence file.
    ///
    /// # Errors
    /// If it does not exist, or its files are invalid.
    pub fn open_corpus(&self, name: &str) -> Result<OpenCorpus> {
        let path = Path::new(name);
        if let Some((noise, original)) = Noise::split(name).filter(|_| !path.exists()) {
            let spec = CorpusSpec { noise: Some(noise), ..self.open_corpus(original)?.spec };
            let corpus = Corpus::open(&spec, &self.data).map_err(|error| self.explain(&error))?;
            return Ok(OpenCorpus { corpus, spec });
        }
        let spec = if !path.exists() || path.is_dir() {
            let found = self.builtin.catalog.corpus(name);
            found.map_err(|error| spelling::not_found("corpus", name, &error, &self.builtin.catalog))?
        } else if is_toml(path) {
            let text = text::read(path)?;
            CorpusSpec::from_toml(&text).map_err(|error| in_file(path, &error))?
        } else {
            let (spec, corpus) = Corpus::from_fasta(path).map_err(|error| spelling::wrong_format(&error))?;
            return Ok(OpenCorpus { corpus, spec });
        };
        let corpus = Corpus::open(&spec, &self.data).map_err(|error| self.explain(&error))?;
        Ok(OpenCorpus { corpus, spec })
    }

    /// The sequence files of a corpus, and its files of regions.
    #[must_use]
    pub fn files_of(&self, corpus: &OpenCorpus) -> Vec<PathBuf> {
        let files = corpus.spec.species.iter().flat_map(|species| species.files.iter().chain(&species.regions));
        files.map(|file| self.data.join(file)).collect()
    }

    /// Looks up tasks: built-in names, task files (TOML), or tables, which get unique names ([`dataset::naming`]).
    ///
    /// # Errors
    /// If a task does not exist, or its file is invalid.
    pub fn task_specs(&self, names: &[String]) -> Result<Vec<TaskSpec>> {
        let mut specs = names.iter().map(|name| self.task_spec(name)).collect::<Result<Vec<_>>>()?;
        let tables: Vec<usize> = (0..names.len()).filter(|&at| is_table(Path::new(&names[at]))).collect();
        let paths: Vec<&Path> = tables.iter().map(|&at| Path::new(&names[at])).collect();
        let others = specs.iter().enumerate().filter(|(at, _)| !tables.contains(at));
        let taken: Vec<String> = others.map(|(_, spec)| spec.name.clone()).collect();
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        for (&at, name) in tables.iter().zip(dataset::naming::distinguish(&paths, &taken)) {
            specs[at].name = name;
        }
        Ok(specs)
    }

    /// Opens a task.
    ///
    /// # Errors
    /// If its files are invalid.
    pub fn open_task(&self, spec: &TaskSpec) -> Result<Task> {
        Task::open(spec, &self.data).map_err(|error| self.explain(&error))
    }

    /// Opens the store, creating its folder.
    ///
    /// # Errors
    /// If the folder cannot be created or written to.
    pub fn store(&self) -> Result<Store> {
        Ok(Store::open(&self.store)?)
    }

    /// Looks up a task by name or file.
    fn task_spec(&self, name: &str) -> Result<TaskSpec> {
        let path = Path::new(name);
        if !path.exists() || path.is_dir() {
            let found = self.builtin.catalog.task(name);
            return found.map_err(|error| spelling::not_found("task", name, &error, &self.builtin.catalog));
        }
        if is_toml(path) {
            let text = text::read(path)?;
            return TaskSpec::from_toml(&text).map_err(|error| in_file(path, &error));
        }
        Ok(TaskSpec::from_csv(path)?)
    }

    /// Adds a remedy for a missing file, whose most frequent cause is an unset data folder.
    fn explain(&self, error: &dataset::Error) -> Error {
        let missing = match error {
            dataset::Error::Missing { .. } => true,
            dataset::Error::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            _ => false,
        };
        let mut explained = spelling::wrong_format(error);
        if missing {
            explained.remedy = Some(format!(
                "paths are relative to {}; set --data or TOKBENCH_DATA to the data folder",
                self.data.display()
            ));
        }
        explained
    }
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

/// Whether the path is a table and not a task file.
fn is_table(path: &Path) -> bool {
    path.exists() && !path.is_dir() && !is_toml(path)
}

fn in_file(path: &Path, error: &dataset::Error) -> Error {
    Error { kind: ErrorKind::Usage, message: format!("{}: {error}", path.display()), remedy: error.remedy() }
}

/// Whether a file can be read only once: a pipe or an open file descriptor.
fn is_pipe(name: &str) -> bool {
    let path = Path::new(name);
    let own = ["/dev/fd/", "/dev/stdin", "/proc/self/"].iter().any(|start| name.starts_with(start));
    path.exists() && !path.is_dir() && (own || !path.is_file())
}

/// Rejects pipes as data, because runs are separate processes that read the data again.
///
/// # Errors
/// If an input is a pipe.
pub fn refuse_pipes(spec: &Spec) -> Result<()> {
    std::iter::once(&spec.corpus).chain(&spec.tasks).try_for_each(|name| refuse_pipe(name))
}

/// Rejects a pipe.
///
/// # Errors
/// If the name is a pipe.
pub fn refuse_pipe(name: &str) -> Result<()> {
    if !is_pipe(name) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Usage,
        format!("{name}: a pipe can be read only once, and every run reads its data again"),
        "save it to a file first",
    ))
}
