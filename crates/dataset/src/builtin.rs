//! Built-in corpora and tasks: the TOML files of `configs/`, embedded. A new one is a file and a line here.
//!
//! ```
//! use dataset::builtin;
//! assert_eq!(builtin::task("tf/2").unwrap().name, "gue/tf/2");
//! let error = builtin::corpus("ordre1").unwrap_err();
//! assert!(error.remedy().unwrap().starts_with("did you mean \"order1\"?"));
//! ```

use strsim::damerau_levenshtein;

use crate::corpus::CorpusSpec;
use crate::error::{Error, Result};
use crate::task::TaskSpec;

macro_rules! configs {
    ($($name:literal => $file:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../configs/", $file, ".toml")))),*]
    };
}

/// Name and text of every built-in corpus. The first is the default of `compare`.
pub const CORPORA: &[(&str, &str)] = configs! {
    "order1" => "corpus/order1",
    "order2" => "corpus/order2",
    "variable6" => "corpus/variable6",
    "uniform" => "corpus/uniform",
    "rich" => "corpus/rich",
    "four_genomes" => "corpus/four_genomes",
    "five_genomes" => "corpus/five_genomes",
};

/// Name and text of every built-in task. The part after the first slash is accepted as well.
pub const TASKS: &[(&str, &str)] = configs! {
    "gue/prom_core_tata" => "task/gue/prom_core_tata",
    "gue/prom_core_notata" => "task/gue/prom_core_notata",
    "gue/prom_core_all" => "task/gue/prom_core_all",
    "gue/prom_300_tata" => "task/gue/prom_300_tata",
    "gue/mouse/0" => "task/gue/mouse_0",
    "gue/mouse/2" => "task/gue/mouse_2",
    "gue/mouse/3" => "task/gue/mouse_3",
    "gue/mouse/4" => "task/gue/mouse_4",
    "gue/tf/0" => "task/gue/tf_0",
    "gue/tf/1" => "task/gue/tf_1",
    "gue/tf/2" => "task/gue/tf_2",
    "gue/tf/3" => "task/gue/tf_3",
    "gue/tf/4" => "task/gue/tf_4",
    "synthetic/motif" => "task/synthetic/motif",
    "synthetic/periodic" => "task/synthetic/periodic",
    "synthetic/order" => "task/synthetic/order",
};

/// The built-in corpus of that name.
///
/// # Errors
/// [`Error::UnknownName`] with the nearest name.
pub fn corpus(name: &str) -> Result<CorpusSpec> {
    CorpusSpec::from_toml(find("corpus", name, CORPORA)?)
}

/// The built-in task of that name: `gue/tf/2`, or `tf/2` for short.
///
/// # Errors
/// [`Error::UnknownName`] with the nearest name.
pub fn task(name: &str) -> Result<TaskSpec> {
    TaskSpec::from_toml(find("task", name, TASKS)?)
}

/// `tf/2` of `gue/tf/2`; a name without a slash is its own short form.
fn short(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

fn find(kind: &'static str, name: &str, list: &'static [(&str, &str)]) -> Result<&'static str> {
    if let Some((_, text)) = list.iter().find(|(known, _)| *known == name || short(known) == name) {
        return Ok(text);
    }
    let far = |known: &str| damerau_levenshtein(known, name).min(damerau_levenshtein(short(known), name));
    let nearest = list.iter().map(|(known, _)| *known).min_by_key(|known| far(known)).unwrap_or_default();
    let all = list.iter().map(|(known, _)| *known).collect();
    Err(Error::UnknownName { kind, name: name.to_owned(), nearest: nearest.to_owned(), all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Corpus, Split, Task};
    use std::path::{Path, PathBuf};

    /// The data pack; only ignored tests ask for it.
    fn data() -> PathBuf {
        let root = std::env::var_os("TOKBENCH_DATA")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
        assert!(root.join("gue").is_dir(), "no data pack in {} (set TOKBENCH_DATA)", root.display());
        root
    }

    #[test]
    fn every_name_parses_and_is_its_own() {
        for (name, _) in CORPORA {
            assert_eq!(corpus(name).unwrap().name, *name);
        }
        for (name, _) in TASKS {
            assert_eq!(task(name).unwrap().name, *name);
            assert_eq!(task(short(name)).unwrap().name, *name);
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        for (asked, nearest) in
            [("tf/22", "gue/tf/2"), ("prom_core_tat", "gue/prom_core_tata"), ("mouse2", "gue/mouse/2")]
        {
            let error = task(asked).unwrap_err();
            assert_eq!(error.to_string(), format!("unknown task \"{asked}\""));
            assert!(error.remedy().unwrap().contains(&format!("did you mean \"{nearest}\"?")), "{asked}");
        }
    }

    #[test]
    fn synthetic_corpora_have_the_entropy_they_claim() {
        for (name, low, high) in
            [("order1", 1.24, 1.28), ("order2", 1.55, 1.59), ("variable6", 1.5, 1.75), ("uniform", 2.0, 2.0)]
        {
            let opened = Corpus::open(&corpus(name).unwrap(), Path::new("")).unwrap();
            let entropy = opened.source().unwrap().entropy();
            assert!((low..=high).contains(&entropy), "{name} {entropy}");
            assert!((950_000..1_050_000).contains(&opened.bases(Split::Train)), "{opened}");
            let again = Corpus::open(&corpus(name).unwrap(), Path::new("elsewhere")).unwrap();
            assert_eq!(opened.hash(), again.hash());
        }
        let rich = Corpus::open(&corpus("rich").unwrap(), Path::new("")).unwrap();
        assert!(rich.source().is_none());
        assert_eq!(rich.species().len(), 3);
    }

    #[test]
    fn the_default_corpus_is_the_same_everywhere() {
        // Published records name this hash. A change here is a change of the benchmark: raise PROTOCOL.
        let opened = Corpus::open(&corpus("order1").unwrap(), Path::new("")).unwrap();
        assert_eq!(opened.hash(), "94a577166a4baf3deb575166d2fc8ec4d8f386121c9c93b9a8b587822cf48e41");
    }

    #[test]
    fn synthetic_tasks_open() {
        for (name, _) in TASKS.iter().filter(|(name, _)| name.starts_with("synthetic/")) {
            let task = Task::open(&task(name).unwrap(), Path::new("")).unwrap();
            assert_eq!((task.classes, task.train.len()), (2, 2000));
            assert!(task.leaks.splits_are_clean(), "{}", task.leaks);
        }
    }

    #[test]
    #[ignore = "needs TOKBENCH_DATA: genomes and GUE"]
    fn gue_opens_with_its_published_counts() {
        let root = data();
        let published = std::fs::read_to_string(root.join("PUBLISHED_COUNTS.tsv")).unwrap();
        let mut checked = 0;
        for (name, _) in TASKS.iter().filter(|(name, _)| name.starts_with("gue/")) {
            let spec = task(name).unwrap();
            let task = Task::open(&spec, &root).unwrap();
            println!("{name}: {}; {}; dropped {}", task.counts, task.leaks, task.dropped_dev);
            let dataset = name.trim_start_matches("gue/").replace("prom_", "prom/prom_");
            let row = published.lines().find(|line| line.split('\t').next() == Some(&dataset)).unwrap();
            let fields: Vec<_> = row.split('\t').collect();
            let found = [task.train.len(), task.dev.len() + task.dropped_dev, task.test.len()];
            assert_eq!(found.map(|n| n.to_string()), fields[1..4], "{name}");
            assert_eq!(spec.drop_leaking_dev, task.dropped_dev > 0, "{name}");
            checked += 1;
        }
        assert_eq!(checked, 13);
    }

    #[test]
    #[ignore = "needs TOKBENCH_DATA: genomes and GUE"]
    fn tf_4_leaks_what_its_source_says() {
        let root = data();
        let spec = TaskSpec { drop_leaking_dev: false, ..task("tf/4").unwrap() };
        let task = Task::open(&spec, &root).unwrap();
        assert_eq!((task.leaks.dev_in_train.exact, task.leaks.repeated_in_train), (358, 3789));
        assert_eq!(task.leaks.test_in_train.exact, 0);
    }

    #[test]
    #[ignore = "needs TOKBENCH_DATA: genomes and GUE"]
    fn genomes_open_split_and_score() {
        let root = data();
        for (name, species) in [("four_genomes", 4), ("five_genomes", 5)] {
            let opened = Corpus::open(&corpus(name).unwrap(), &root).unwrap();
            println!("{opened}\n{}", opened.leaks());
            assert_eq!(opened.species().len(), species);
            let total: u64 = Split::ALL.iter().map(|split| opened.bases(*split)).sum();
            assert_eq!(total, opened.counts().bases);
            let windows = opened.scoring_windows(Split::Test, 504, 200_000).unwrap();
            assert_eq!(windows.len(), 200_000 / species / 504 * species);
        }
    }
}
