//! The program brings every file of `configs/` with it, under the name that the file gives itself.

use std::path::{Path, PathBuf};

use tokbench::{CORPORA, ENCODERS, TASKS};

/// Files of a folder and of those inside it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_file_is_embedded_under_its_own_name() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    for (folder, embedded) in [("corpus", CORPORA), ("task", TASKS), ("encoder", ENCODERS)] {
        let mut found: Vec<&str> = embedded.iter().map(|(_, text)| *text).collect();
        let files = files(&configs.join(folder));
        let mut expected: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        found.sort_unstable();
        expected.sort();
        assert_eq!(found, expected, "{folder}");
    }
    let builtin = tokbench::builtin(tokbench::registry::builtin()).unwrap();
    let catalog = &builtin.catalog;
    for name in catalog.corpora() {
        assert_eq!(catalog.corpus(name).unwrap().name, name);
    }
    for name in catalog.tasks() {
        assert_eq!(catalog.task(name).unwrap().name, name);
    }
    assert_eq!(builtin.encoders.names().count(), ENCODERS.len());
}
