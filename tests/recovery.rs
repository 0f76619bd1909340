//! Recovery of the words of a hidden vocabulary, by the code of `examples/recovery.rs`.

use std::sync::Arc;

use pipeline::Workspace;
use tokbench::registry;

#[path = "../examples/recovery.rs"]
#[allow(dead_code)] // its main
mod example;

/// Vocabularies that are learned from the text find its words, a fixed grid does not; kappa is 0 by chance and 1 for the words themselves.
#[test]
fn learned_vocabularies_find_the_words_of_a_text() {
    let builtin = Arc::new(tokbench::builtin(registry::builtin()).unwrap());
    let workspace = Workspace { builtin, ..Workspace::default() };
    let kappa = |name: &str| example::recovery(&workspace, "words", name, 0, 1e-3, 1).unwrap().0.kappa();
    let (grid, bpe, unigram) = (kappa("kmer6-nonoverlap"), kappa("bpe64"), kappa("unigram64"));
    assert!(grid.abs() < 0.03, "{grid}");
    assert!(bpe > 0.35 && unigram > bpe + 0.05, "{bpe} {unigram}");
}

/// Units that are learned inside the model are trained, loaded and measured in the same way; the docs have what longer training gives.
#[test]
fn learned_units_are_measured_too() {
    let folder = tempfile::tempdir().unwrap();
    let builtin = Arc::new(tokbench::builtin(registry::builtin()).unwrap());
    let workspace = Workspace { builtin, store: folder.path().to_owned(), ..Workspace::default() };
    for name in ["mxdna", "hnet", "merge"] {
        let (found, length) = example::recovery(&workspace, "words", name, 20_000, 1e-3, 1).unwrap();
        // Untrained units are at random places.
        assert!(found.kappa().abs() < 0.15 && (1.0..12.0).contains(&length), "{name}: {} {length}", found.kappa());
    }
}
