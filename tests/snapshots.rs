//! Help texts, and errors with their remedies, as committed under `tests/snapshots`. After a wanted change, write them again with
//! `INSTA_UPDATE=always cargo test --release --workspace --test tests -- snapshots::` and read the difference.

use crate::dir::TestDir;

/// Commands whose help is recorded.
const COMMANDS: [&[&str]; 19] = [
    &[],
    &["compare"],
    &["plan"],
    &["run"],
    &["report"],
    &["look"],
    &["audit"],
    &["list"],
    &["tokenizer"],
    &["tokenizer", "train"],
    &["tokenizer", "encode"],
    &["tokenizer", "decode"],
    &["tokenizer", "inspect"],
    &["tokenizer", "convert"],
    &["model"],
    &["model", "convert"],
    &["model", "export"],
    &["completions"],
    &["man"],
];

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn help_is_as_committed() {
    let dir = TestDir::new();
    for command in COMMANDS {
        let name = ["help"].iter().chain(command).copied().collect::<Vec<_>>().join("-");
        let output = dir.run(&[command, &["--help"]].concat()).success();
        settings().bind(|| insta::assert_snapshot!(name, output.out));
    }
}

#[test]
fn errors_are_as_committed() {
    let dir = TestDir::new();
    dir.write("empty.fa", "");
    dir.write("letters.fa", ">a\nACGT\nAC!T\n");
    dir.write("unknown.toml", "tokenizers = ['base']\ncorpus = 'order1'\nseed = 3\n");
    for (name, line) in [
        ("unknown-tokenizer", "compare -t kmr6"),
        ("unknown-corpus", "compare -t base --corpus ordre1"),
        ("unknown-key", "plan unknown.toml"),
        ("span-not-divisible", "plan -t kmer5,base --corpus order1"),
        ("missing-file", "plan -t base --corpus nowhere.fa"),
        ("empty-file", "plan -t base --corpus empty.fa"),
        ("invalid-letter", "plan -t base --corpus letters.fa"),
        ("invalid-key", "run 1234"),
        ("untrained-vocabulary", "tokenizer encode -t bpe4096 letters.fa"),
        ("invalid-sequence", "look -t base --sequence ACQT!"),
    ] {
        let output = dir.run(&line.split(' ').collect::<Vec<_>>());
        settings().bind(|| insta::assert_snapshot!(format!("error-{name}"), output.err));
    }
}
