//! The built-in corpora and tasks of `configs/`.

use dataset::{Catalog, Corpus, Split, Task, TaskSpec};
use std::path::{Path, PathBuf};

/// The files of `configs/` by the `name` in each file.
fn catalog() -> Catalog {
    let list = |folder: &str| {
        let mut list = Vec::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let text = std::fs::read_to_string(path).unwrap();
                    let table: toml::Table = text.parse().unwrap();
                    list.push((table["name"].as_str().unwrap().to_owned(), text));
                }
            }
        }
        list.sort();
        list
    };
    Catalog::new(list("corpus"), list("task"))
}

/// The data folder, needed by ignored tests only.
fn data() -> PathBuf {
    let root = PathBuf::from(std::env::var_os("TOKBENCH_DATA").expect("TOKBENCH_DATA is set"));
    assert!(root.join("gue").is_dir(), "no data in {} (set TOKBENCH_DATA)", root.display());
    root
}

#[test]
fn every_name_resolves() {
    let catalog = catalog();
    assert_eq!((catalog.corpora().count(), catalog.tasks().count()), (10, 16));
    for name in catalog.corpora() {
        assert_eq!(catalog.corpus(name).unwrap().name, name);
    }
    for name in catalog.tasks() {
        assert_eq!(catalog.task(name).unwrap().name, name);
        let short = name.split_once('/').unwrap().1;
        assert_eq!(catalog.task(short).unwrap().name, name);
    }
}

#[test]
fn unknown_names_suggest_the_most_similar() {
    let catalog = catalog();
    for (name, nearest) in [("tf/22", "gue/tf/2"), ("prom_core_tat", "gue/prom_core_tata"), ("mouse2", "gue/mouse/2")] {
        let error = catalog.task(name).unwrap_err();
        assert_eq!(error.to_string(), format!("unknown task \"{name}\""));
        assert!(error.remedy().unwrap().contains(&format!("did you mean \"{nearest}\"?")), "{name}");
    }
}

#[test]
fn synthetic_corpora_have_their_entropy() {
    let catalog = catalog();
    for (name, low, high) in
        [("order1", 1.24, 1.28), ("order2", 1.55, 1.59), ("variable6", 1.5, 1.75), ("uniform", 2.0, 2.0)]
    {
        let opened = Corpus::open(&catalog.corpus(name).unwrap(), Path::new("")).unwrap();
        let entropy = opened.source_of("synthetic").unwrap().entropy();
        assert!((low..=high).contains(&entropy), "{name} {entropy}");
        assert!((950_000..1_050_000).contains(&opened.bases(Split::Train)), "{opened}");
        let again = Corpus::open(&catalog.corpus(name).unwrap(), Path::new("elsewhere")).unwrap();
        assert_eq!(opened.hash(), again.hash());
    }
    let satellites = Corpus::open(&catalog.corpus("satellites").unwrap(), Path::new("")).unwrap();
    assert!(satellites.source_of("satellites").is_none());
    let rich = Corpus::open(&catalog.corpus("rich").unwrap(), Path::new("")).unwrap();
    assert!(rich.source_of("coding").is_none());
    assert_eq!(rich.species().len(), 3);
}

#[test]
fn the_hashes_of_default_corpora_are_fixed() {
    // Published records contain this hash. A change here changes the benchmark: increment PROTOCOL.
    let hash = |name: &str| Corpus::open(&catalog().corpus(name).unwrap(), Path::new("")).unwrap().hash().to_owned();
    assert_eq!(hash("satellites"), "89dc1e997a03092f499fa9200bfdaed679103f28ce411dff771c3d28a54c371e");
    assert_eq!(hash("order1"), "94a577166a4baf3deb575166d2fc8ec4d8f386121c9c93b9a8b587822cf48e41");
}

#[test]
fn synthetic_tasks_open() {
    let catalog = catalog();
    for name in catalog.tasks().filter(|name| name.starts_with("synthetic/")) {
        let task = Task::open(&catalog.task(name).unwrap(), Path::new("")).unwrap();
        assert_eq!((task.classes, task.train.len()), (2, 2000));
        assert!(task.leaks.splits_are_clean(), "{}", task.leaks);
    }
}

#[test]
#[ignore = "needs TOKBENCH_DATA: genomes and GUE"]
fn gue_has_the_published_row_counts() {
    let catalog = catalog();
    let root = data();
    let published = std::fs::read_to_string(root.join("PUBLISHED_COUNTS.tsv")).unwrap();
    let mut checked = 0;
    for name in catalog.tasks().filter(|name| name.starts_with("gue/")) {
        let spec = catalog.task(name).unwrap();
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
fn tf_4_has_the_published_leakage() {
    let root = data();
    let spec = TaskSpec { drop_leaking_dev: false, ..catalog().task("tf/4").unwrap() };
    let task = Task::open(&spec, &root).unwrap();
    assert_eq!((task.leaks.dev_in_train.exact, task.leaks.repeated_in_train), (358, 3789));
    assert_eq!(task.leaks.test_in_train.exact, 0);
}

#[test]
#[ignore = "needs TOKBENCH_DATA: genomes and GUE"]
fn genomes_have_scoring_windows() {
    let catalog = catalog();
    let root = data();
    for (name, species) in [("four_genomes", 4), ("five_genomes", 5), ("six_genomes", 6)] {
        let opened = Corpus::open(&catalog.corpus(name).unwrap(), &root).unwrap();
        println!("{opened}\n{}", opened.leaks());
        assert_eq!(opened.species().len(), species);
        let total: u64 = Split::ALL.iter().map(|split| opened.bases(*split)).sum();
        // Of a species held out of training, the test split alone is a part of the corpus.
        assert_eq!(total == opened.counts().bases, opened.species().iter().all(|species| !species.held_out));
        let windows = opened.scoring_windows(Split::Test, 504, 200_000).unwrap();
        let trained = opened.species().iter().filter(|species| !species.held_out).count();
        assert_eq!(windows.len(), 200_000 / trained / 504 * species);
    }
}

#[test]
fn scoring_windows_cover_many_blocks() {
    let spec = catalog().corpus("order1").unwrap();
    let corpus = Corpus::open(&spec, Path::new("")).unwrap();
    let windows = corpus.scoring_windows(Split::Test, 252, 16 * 252).unwrap();
    assert_eq!(windows.len(), 16);
    let blocks: std::collections::BTreeSet<_> = windows.iter().map(|w| w.block).collect();
    assert!(blocks.len() >= 15, "{blocks:?}");
    assert_eq!(windows, corpus.scoring_windows(Split::Test, 252, 16 * 252 + 251).unwrap());
}
