//! Every command of the program knows the tokenizers of this crate.

use std::path::Path;
use std::process::Command;

/// Runs the program in a folder; returns its exit code, standard output and standard error.
fn run(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_own-tokenizer"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .env_remove("TOKBENCH_DATA")
        .env_remove("TOKBENCH_STORE")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn list_help_look_and_audit_know_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let (code, list, _) = run(folder.path(), "list");
    assert!(code == Some(0) && list.contains("homopolymer runs"), "{list}");
    let (_, help, _) = run(folder.path(), "compare --help");
    assert!(help.contains("homopolymer runs"), "{help}");
    let (code, _, err) = run(folder.path(), "compare -t rusn");
    assert!(code == Some(2) && err.contains("did you mean \"runs\"?"), "{err}");
    let (code, seen, err) = run(folder.path(), "look -t runs,base --sequence AAAAACGGT --json");
    assert_eq!(code, Some(0), "{err}");
    let spans: String = seen.split_whitespace().collect();
    assert!(spans.contains("[0,4],[4,5],[5,6],[6,8],[8,9]"), "{seen}");
    let (code, table, err) = run(folder.path(), "audit -t runs,base --corpus order1 --bases 5k --probes 2");
    assert!(code == Some(0) && table.contains("runs"), "{table}{err}");
}

#[test]
fn a_comparison_trains_and_scores_it() {
    let folder = tempfile::tempdir().unwrap();
    let spec = "tokenizers = ['base', 'runs']\ncorpus = 'order1'\nseeds = 1\nexploratory = true\nencoder = { from = 'tiny', layers = 1 }\n\
                    [training]\nbases = 4000\nwindow = 120\nbatch = 4\n[scoring]\nbases = 1200\n";
    std::fs::write(folder.path().join("runs.toml"), spec).unwrap();
    let (code, table, err) = run(folder.path(), "compare runs.toml");
    assert_eq!(code, Some(0), "{err}");
    assert!(table.contains("runs") && table.contains("bits per masked base"), "{table}");
    let records = std::fs::read_to_string(folder.path().join("tokbench-results/comparison/records.jsonl")).unwrap();
    assert_eq!(records.lines().filter(|line| line.contains("\"tokenizer\":\"runs\"")).count(), 1);
}

/// The learned tokenizer: listed, trained, scored, beside its controls of equal size, and its units are shown.
#[test]
fn a_learned_tokenizer_of_this_crate_is_compared_with_its_controls() {
    let folder = tempfile::tempdir().unwrap();
    let (_, help, _) = run(folder.path(), "compare --help");
    assert!(help.contains("learned weights of the bases of units"), "{help}");
    let spec = "tokenizers = ['base', 'blocks6']\ncorpus = 'order1'\nseeds = 1\nexploratory = true\ncontrols = true\n\
                    encoder = { from = 'tiny', layers = 1 }\n[training]\nbases = 4000\nwindow = 120\nbatch = 4\n[scoring]\nbases = 1200\n";
    std::fs::write(folder.path().join("blocks.toml"), spec).unwrap();
    let (code, table, err) = run(folder.path(), "compare blocks.toml");
    assert_eq!(code, Some(0), "{err}");
    assert!(table.contains("blocks6-pool-macs (control)"), "{table}");
    let records = std::fs::read_to_string(folder.path().join("tokbench-results/comparison/records.jsonl")).unwrap();
    for name in ["blocks6", "blocks6-pool-macs", "blocks6-pool-parameters"] {
        let named = format!("\"tokenizer\":\"{name}\"");
        assert_eq!(records.lines().filter(|line| line.contains(&named)).count(), 1, "{name}");
    }
    let (code, seen, err) =
        run(folder.path(), "look -t blocks6 --corpus order1 --sequence ACGTACGTACGTACG --json --store .tokbench");
    assert_eq!(code, Some(0), "{err}");
    let spans: String = seen.split_whitespace().collect();
    assert!(spans.contains("[0,6],[6,12],[12,15]"), "{seen}");
    let (code, _, err) = run(folder.path(), "compare -t blocks99");
    assert!(code == Some(2) && err.contains("use \"blocks6\""), "{err}");
}
