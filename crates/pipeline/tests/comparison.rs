//! A comparison from Rust, without the command line.

use std::path::Path;

use experiment::{Encoders, Scheduler, Spec};
use pipeline::{Experiment, InProcess, Workspace};

/// A repeat of five bases with random substitutions, which a model can learn.
fn write_genome(path: &Path) {
    let mut text = String::from(">genome\n");
    let mut state = 7u32;
    for at in 0..40_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push(if state >> 28 == 0 { 'A' } else { b"ACGGT"[at % 5] as char });
        if at % 80 == 79 {
            text.push('\n');
        }
    }
    std::fs::write(path, text).unwrap();
}

fn spec(corpus: &Path) -> Spec {
    let text = format!(
        "tokenizers = ['base', 'bpe64']\ncorpus = '{}'\nseeds = 2\nexploratory = true\nencoder = {{ from = 'tiny', layers = 1 }}\n\
         [training]\nbases = 4000\nwindow = 120\nbatch = 4\n[scoring]\nbases = 1200\n",
        corpus.display()
    );
    Spec::from_toml(&text, "test", &Encoders::default()).unwrap()
}

#[test]
fn a_comparison_runs_from_rust_and_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("genome.fa");
    write_genome(&corpus);
    let workspace = Workspace { store: folder.path().join("runs"), ..Workspace::default() };
    let run = || {
        let experiment = Experiment::open(spec(&corpus), &workspace).unwrap();
        experiment.plan().unwrap().execute(&mut InProcess::new(&workspace), &mut ()).unwrap()
    };
    let first = run();
    assert_eq!((first.summary.done.len(), first.summary.skipped.len()), (4, 0));
    let again = run();
    assert_eq!((again.summary.done.len(), again.summary.skipped.len()), (0, 4));
    assert_eq!(first.records, again.records);

    // Running one run of the store by its key gives the same record.
    let record = &first.records[0];
    assert_eq!(&pipeline::run(&workspace, &record.key, &mut model::Watch::silent()).unwrap(), record);

    // A finished run can be loaded with tokenizer and weights.
    let open = workspace.open_corpus(&corpus.display().to_string()).unwrap();
    let found = pipeline::load::find(&workspace, "bpe64", &open.corpus).unwrap().unwrap();
    let loaded = pipeline::load(&workspace, found.clone(), "cpu").unwrap();
    assert_eq!(loaded.training_bases(), 4000);
    let other = folder.path().join("other.fa");
    std::fs::write(&other, format!(">other\n{}\n", "ACGTTGCAAC".repeat(4_000))).unwrap();
    let other = workspace.open_corpus(&other.display().to_string()).unwrap();
    let error = pipeline::load::load_with_corpus(&workspace, found, &other.corpus, "cpu").unwrap_err();
    assert!(error.message.contains("was not trained on the corpus"), "{error}");

    let conclusion = first.conclude().unwrap();
    assert!(conclusion.sentence.contains("bpe64"), "{}", conclusion.sentence);
    let files = conclusion.write(&folder.path().join("results")).unwrap();
    assert!(files.iter().all(|file| file.exists()) && !files.is_empty());
}

#[test]
fn an_interrupted_comparison_has_no_conclusion() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = folder.path().join("genome.fa");
    write_genome(&corpus);
    let workspace = Workspace { store: folder.path().join("runs"), ..Workspace::default() };
    let mut planned = Experiment::open(spec(&corpus), &workspace).unwrap().plan().unwrap();
    planned.scheduler = Scheduler::default();
    planned.scheduler.stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let executed = planned.execute(&mut InProcess::new(&workspace), &mut ()).unwrap();
    assert!(executed.summary.interrupted);
    assert_eq!(executed.summary.pending.len(), 4);
    let error = executed.conclude().unwrap_err();
    assert_eq!(error.message, "no run has a result");
}
