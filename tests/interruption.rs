//! `kill -9` at any moment, then the same command: nothing finished is repeated, what was interrupted resumes, and the
//! records equal those of an undisturbed execution.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::dir::{TestDir, small};

/// Numbers that look random and never change.
fn number(i: u64) -> f64 {
    let mut x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66;
    x ^= x >> 29;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 32;
    (x >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn killed_twenty_times_gives_the_same_records() {
    // A small genome, so that a start takes little and most kills fall into training, scoring and writing.
    let spec = small("'kmer3', 'bpe64', 'mxdna'", "my.fa", 40_000, 2).replacen("seeds", "tasks = ['motif']\nseeds", 1)
        + "[finetuning]\nepochs = 0.01\nsteps = 60\nbatch = 8\nevaluations = 3\n";
    let text: String = (0..60_000).map(|i| ['A', 'C', 'G', 'T'][(number(i) * 4.0) as usize]).collect();
    let genome = format!(">one\n{text}\n");
    // A checkpoint after every step, so that many kills fall into the writing of one.
    let args = ["compare", "q.toml", "--output", "out", "--checkpoint-seconds", "0", "--workers", "2"];
    let calm = TestDir::new();
    calm.write("q.toml", &spec);
    calm.write("my.fa", &genome);
    let began = Instant::now();
    calm.run(&args).success();
    let whole = began.elapsed();
    let expected: Vec<_> = calm.records("out").iter().map(experiment::Record::result).collect();

    let dir = TestDir::new();
    dir.write("q.toml", &spec);
    dir.write("my.fa", &genome);
    let (mut kills, mut finished, mut groups) = (0, 0, Vec::new());
    // Twenty times, and on a slow machine until a fine-tuning was met.
    let met = || {
        std::fs::read_dir(dir.path(".tokbench")).into_iter().flatten().filter_map(Result::ok).any(|entry| {
            let run = std::fs::read_to_string(entry.path().join("run.json")).unwrap_or_default();
            let saved = std::fs::read_dir(entry.path().join("checkpoint")).into_iter().flatten().next().is_some();
            run.contains("\"finetune\"") && saved && !entry.path().join("record.json").exists()
        })
    };
    for i in 0..80 {
        if i >= 20 && met() {
            break;
        }
        let mut command = dir.command(&args);
        let mut child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        // Early enough that the work is not done before the twentieth kill, late enough to be in the middle of it.
        std::thread::sleep(Duration::from_millis(60) + whole.mul_f64(0.04 * number(i)));
        match child.try_wait().expect("a child") {
            None => kills += 1,
            Some(_) => finished += 1,
        }
        // Half of the times everything at once, runs in the middle of a write included; half of the times the parent alone:
        // its runs see that it is gone and end by themselves while the next call is already at work.
        groups.push(format!("-{}", child.id()));
        let target = if i % 2 == 0 { format!("-{}", child.id()) } else { child.id().to_string() };
        Command::new("kill").args(["-9", "--", &target]).stderr(Stdio::null()).status().expect("kill");
        child.wait().expect("a child");
    }
    assert!(kills >= 15 && kills >= 3 * finished, "{kills} kills, {finished} times it had ended before");
    // Runs whose parent was killed end by themselves; until then they may still write a record.
    let alive = |group: &String| {
        let status = Command::new("kill").args(["-0", "--", group]).stderr(Stdio::null()).status();
        status.expect("kill").success()
    };
    while groups.iter().any(alive) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let records = |store: &str| {
        std::fs::read_dir(dir.path(store))
            .map(|entries| entries.filter_map(Result::ok).filter(|e| e.path().join("record.json").exists()).count())
            .unwrap_or(0)
    };
    let before = records(".tokbench");
    let output = dir.run(&args).success();
    assert!(output.err.contains(&format!("12 runs, {before} already finished")), "{before}: {}", output.err);
    let found = dir.records("out");
    let answers: Vec<_> = found.iter().map(experiment::Record::result).collect();
    assert_eq!(answers, expected);
    let resumed = |task: bool| -> u32 {
        let of_kind = found.iter().filter(|record| record.run.task().is_some() == task);
        of_kind.map(|record| record.provenance.resumed).sum()
    };
    let (pretraining, finetuning) = (resumed(false), resumed(true));
    println!(
        "undisturbed {whole:?}; {kills} kills, {before} runs finished under them; resumed: pretraining {pretraining}, \
         fine-tuning {finetuning}"
    );
    assert!(pretraining >= 3 && finetuning >= 1, "resumed {pretraining} and {finetuning}");
}

#[test]
fn the_number_of_threads_and_workers_does_not_matter() {
    let spec = small("'kmer3', 'bpe64', 'mxdna'", "order1", 4_000, 1);
    let answers = |threads: &str, workers: &str| {
        let dir = TestDir::new();
        dir.write("q.toml", &spec);
        dir.run(&["compare", "q.toml", "--output", "out", "--threads", threads, "--workers", workers]).success();
        dir.records("out").iter().map(experiment::Record::result).collect::<Vec<_>>()
    };
    let one = answers("1", "1");
    assert_eq!(one, answers("1", "1"));
    assert_eq!(one, answers("4", "1"));
    assert_eq!(one, answers("2", "2"));
}
