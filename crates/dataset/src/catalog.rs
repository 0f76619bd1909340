//! Built-in corpora and tasks: names with their specifications (TOML), supplied by the program.
//!
//! ```
//! use dataset::Catalog;
//! let order1 = "name = 'order1'\n[synthetic]\nkind = 'markov'\norder = 1\n";
//! let motif = "name = 'synthetic/motif'\n[synthetic]\nkind = 'motif'\n";
//! let catalog = Catalog::new([("order1", order1)], [("synthetic/motif", motif)]);
//! assert_eq!(catalog.task("motif")?.name, "synthetic/motif");
//! let error = catalog.corpus("ordre1").unwrap_err();
//! assert!(error.remedy().unwrap().starts_with("did you mean \"order1\"?"));
//! # Ok::<(), dataset::Error>(())
//! ```

use crate::corpus::CorpusSpec;
use crate::error::{Error, Result};
use crate::suggest::distance;
use crate::task::TaskSpec;

/// Built-in corpora and tasks by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    corpora: Vec<Entry>,
    tasks: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    toml: String,
}

fn entries<N: Into<String>, T: Into<String>>(list: impl IntoIterator<Item = (N, T)>) -> Vec<Entry> {
    list.into_iter().map(|(name, toml)| Entry { name: name.into(), toml: toml.into() }).collect()
}

impl Catalog {
    /// A catalog of corpora and tasks, each a name and its specification in TOML, listed in this order. A specification is
    /// parsed only when it is looked up.
    pub fn new<N: Into<String>, T: Into<String>>(
        corpora: impl IntoIterator<Item = (N, T)>,
        tasks: impl IntoIterator<Item = (N, T)>,
    ) -> Catalog {
        Catalog { corpora: entries(corpora), tasks: entries(tasks) }
    }

    /// Looks up a corpus.
    ///
    /// # Errors
    /// [`Error::UnknownName`], with the most similar known name.
    pub fn corpus(&self, name: &str) -> Result<CorpusSpec> {
        CorpusSpec::from_toml(find("corpus", name, &self.corpora)?)
    }

    /// Looks up a task by its full name (`gue/tf/2`) or its short name (`tf/2`, the part after the first slash).
    ///
    /// # Errors
    /// [`Error::UnknownName`], with the most similar known name.
    pub fn task(&self, name: &str) -> Result<TaskSpec> {
        TaskSpec::from_toml(find("task", name, &self.tasks)?)
    }

    /// Names of the corpora, in the order of the catalog.
    pub fn corpora(&self) -> impl Iterator<Item = &str> {
        self.corpora.iter().map(|entry| entry.name.as_str())
    }

    /// Names of the tasks, in the order of the catalog.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|entry| entry.name.as_str())
    }
}

/// `tf/2` of `gue/tf/2`; a name without a slash is its own short form.
fn short(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

fn find<'a>(kind: &'static str, name: &str, list: &'a [Entry]) -> Result<&'a str> {
    if let Some(entry) = list.iter().find(|entry| entry.name == name || short(&entry.name) == name) {
        return Ok(&entry.toml);
    }
    let all: Vec<String> = list.iter().map(|entry| entry.name.clone()).collect();
    let far = |known: &&String| distance(known, name).min(distance(short(known), name));
    let nearest = all.iter().min_by_key(far).cloned().unwrap_or_default();
    Err(Error::UnknownName { kind, name: name.to_owned(), nearest, all })
}
