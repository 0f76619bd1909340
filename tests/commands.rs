//! Commands that succeed.

use std::process::Stdio;

use crate::dir::{TestDir, small};

#[test]
fn compare_shows_everything_and_repeating_it_takes_seconds() {
    let dir = TestDir::new();
    dir.write("q.toml", small("'kmer3', 'bpe64', 'mxdna'", "order1", 6_000, 2));
    let first = dir.run(&["compare", "q.toml"]).success();
    for word in
        ["kmer3", "bpe64", "mxdna", "floor", "exploratory: no verdict", "tokbench-results/small/bits_per_base.svg"]
    {
        assert!(first.out.contains(word), "{word} is missing in {}", first.out);
    }
    assert!(first.err.contains("6 runs, 0 already finished"), "{}", first.err);
    for figure in ["bits_per_base", "parts", "curve", "cost", "lengths"] {
        for end in ["svg", "csv"] {
            assert!(dir.path(&format!("tokbench-results/small/{figure}.{end}")).exists(), "{figure}.{end}");
        }
    }
    let second = dir.run(&["compare", "q.toml"]).success();
    assert_eq!(first.out, second.out);
    assert!(second.err.contains("6 runs, 6 already finished"), "{}", second.err);
    assert!(!second.err.contains("of processor time left"), "nothing is computed again: {}", second.err);

    // From the records alone: the same table and the same figures, byte for byte.
    let records = dir.path("tokbench-results/small/records.jsonl");
    let records = records.to_str().unwrap();
    let report = dir.run(&["report", records, "--output", "again"]).success();
    for line in report.out.lines().filter(|line| !line.starts_with("figure")) {
        assert!(first.out.contains(line), "{line}");
    }
    for figure in ["bits_per_base.svg", "parts.svg", "curve.csv", "lengths.svg", "table.csv", "numbers.json"] {
        let read = |folder: &str| std::fs::read(dir.path(folder).join(figure)).unwrap();
        assert!(read("tokbench-results/small") == read("again"), "{figure}");
    }
    let json = dir.run(&["report", records, "--json"]).success().out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.is_object());
}

#[test]
fn own_data_in_one_line() {
    let dir = TestDir::new();
    let text: String =
        (0..30_000u32).map(|i| ['A', 'C', 'G', 'T'][(i.wrapping_mul(2_654_435_761) >> 13) as usize % 4]).collect();
    dir.write("my.fa", format!(">one\n{text}\n"));
    let rows = |from: usize, count: usize| -> String {
        (0..count).map(|i| format!("{},{}\n", &text[(from + i) * 40..(from + i) * 40 + 40], (from + i) % 2)).collect()
    };
    dir.write("my.csv", format!("sequence,label\n{}", rows(0, 200)));
    dir.write("q.toml", small("'base', 'kmer2'", "my.fa", 2_000, 1) + "[finetuning]\nepochs = 1.0\nevaluations = 2\n");
    let output = dir.run(&["compare", "q.toml", "--task", "my.csv", "--output", "out"]).success();
    assert!(output.out.contains("my"), "{}", output.out);
    assert_eq!(dir.records("out").len(), 4);
    assert!(dir.path("out/tasks.svg").exists());
}

#[test]
fn a_grid_of_learning_rates_is_chosen_on_the_validation_split() {
    let dir = TestDir::new();
    dir.write("q.toml", small("'base', 'kmer2'", "order1", 4_000, 1));
    let output = dir.run(&["compare", "q.toml", "--learning-rates", "1e-3,1e-6", "--output", "out"]).success();
    assert!(
        output.err.contains(
            "learning rates of base (alibi-directed-reach252-bases), selected per seed on the validation split"
        ),
        "{}",
        output.err
    );
    assert!(output.err.contains("6 runs"), "the cost of the grid is counted: {}", output.err);
    // All runs are published, 4 trials and 2 scored runs; the table shows the selected ones and the cost of the others.
    let grid = dir.records("out");
    assert_eq!(grid.len(), 6);
    let table = std::fs::read_to_string(dir.path("out/table.txt")).unwrap();
    for word in ["Learning rates 0.000001 and 0.001 were tried for every tokenizer", "2 runs at other rates took"] {
        assert!(table.split_whitespace().collect::<Vec<_>>().join(" ").contains(word), "{word}: {table}");
    }
    let again = dir.run(&["report", "out/records.jsonl"]).success();
    assert!(again.out.contains("were tried"), "{}", again.out);

    // Each run of its own, which trains and scores at once, gives the same records.
    for rate in ["1e-3", "1e-6"] {
        dir.run(&["compare", "q.toml", "--learning-rates", rate, "--store", "other", "--output", rate]).success();
    }
    let all = ["compare", "q.toml", "--learning-rates", "1e-3,1e-6", "--store", "other", "--output", "all"];
    let output = dir.run(&all).success();
    assert!(output.err.contains("6 runs, 6 already finished") && !output.err.contains("started"), "{}", output.err);
    let results = |records: &[experiment::Record]| records.iter().map(experiment::Record::result).collect::<Vec<_>>();
    assert_eq!(results(&dir.records("all")), results(&grid));
    // The memory of a run is that of its training, also where another process did it.
    for trial in grid.iter().filter(|record| record.run.is_trial()) {
        let scored = grid.iter().find(|record| record.run.trial().is_some_and(|run| run.key() == trial.key));
        assert!(scored.is_none_or(|scored| scored.timing.peak_mib >= trial.timing.peak_mib));
    }
    // And a file of scored runs alone stands for the trials.
    let files = ["--records", "1e-3/records.jsonl", "--records", "1e-6/records.jsonl", "--store", "third"];
    let output = dir.run(&[&all[..4], &files, &["--output", "third-out"]].concat()).success();
    assert!(output.err.contains("6 runs, 6 already finished"), "{}", output.err);
    assert_eq!(results(&dir.records("third-out")), results(&grid));
}

#[test]
fn published_records_are_reused() {
    let dir = TestDir::new();
    dir.write("q.toml", small("'base', 'kmer2'", "order1", 4_000, 1));
    dir.run(&["compare", "q.toml", "--output", "one"]).success();
    let more =
        ["compare", "q.toml", "--seeds", "2", "--store", "other", "--records", "one/records.jsonl", "--output", "two"];
    let output = dir.run(&more).success();
    assert!(output.err.contains("2 finished runs reused, 0 records of other runs ignored"), "{}", output.err);
    assert!(output.err.contains("4 runs, 2 already finished"), "{}", output.err);
    assert_eq!(dir.records("two").len(), 4);
    dir.run(&["compare", "q.toml", "--records", "nowhere.jsonl"]).failed(3, &["nowhere.jsonl"]);
}

#[test]
fn plan_estimates_cost_and_power() {
    let dir = TestDir::new();
    let output = dir.run(&["plan", "--tokenizers", "kmer6,bpe4096,mxdna"]).success();
    for word in ["44 runs", "* 14 runs follow from others", "0.0313 (2 comparisons with kmer6, 7 seeds)", "MiB"] {
        assert!(output.out.contains(word), "{word}: {}", output.out);
    }
    let six = ["plan", "--tokenizers", "kmer6,bpe4096,mxdna", "--seeds", "6"];
    dir.run(&six).failed(2, &["6 seeds cannot decide 2 comparisons", "use at least 7", "--exploratory"]);
    let six = dir.run(&[&six[..], &["--exploratory"]].concat()).success();
    assert!(six.out.contains("0.0625"), "{}", six.out);
    let json: serde_json::Value =
        serde_json::from_str(&dir.run(&["plan", "--tokenizers", "base,kmer6", "--json"]).success().out).unwrap();
    // Seven seeds of two tokenizers, and the two Markov predictors.
    assert_eq!(json["jobs"].as_array().unwrap().len(), 16);
    assert!(!dir.path(".tokbench").exists(), "planning leaves nothing behind");
}

#[test]
fn look_aligns_every_segmentation_under_the_bases() {
    let dir = TestDir::new();
    let output = dir
        .run(&[
            "look",
            "--tokenizers",
            "kmer3,kmer3-nonoverlap,bpe64",
            "--sequence",
            "ACGTNACGTACG",
            "--output",
            "locus.svg",
        ])
        .success();
    assert!(output.out.lines().next().unwrap().ends_with("ACGTNACGTACG"), "{}", output.out);
    let row = output.out.lines().find(|line| line.starts_with("kmer3-nonoverlap")).unwrap();
    assert!(row.ends_with("ACGtNacgTACg"), "{row}");
    assert!(dir.path("locus.svg").exists() && dir.path("locus.csv").exists());
    dir.run(&["look", "--tokenizers", "mxdna"]).failed(3, &["no finished run", "help: run"]);
}

#[test]
fn list_and_completions() {
    let dir = TestDir::new();
    let output = dir.run(&["list"]).success();
    for word in ["bpe<V>", "gue/tf/2", "order1", "tiny", "cpu", "bits_per_base"] {
        assert!(output.out.contains(word), "{word}");
    }
    serde_json::from_str::<serde_json::Value>(&dir.run(&["list", "--json"]).success().out).unwrap();
    for shell in ["bash", "zsh", "fish"] {
        assert!(dir.run(&["completions", shell]).success().out.contains("tokbench"));
    }
    let help = dir.run(&["compare", "--help"]).success().out;
    assert!(help.contains("--tokenizers") && help.contains("FASTA"), "{help}");
}

#[test]
fn manual_pages() {
    let dir = TestDir::new();
    let output = dir.run(&["man", "--output", "share/man1"]).success();
    let mut names: Vec<String> = std::fs::read_dir(dir.path("share/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(output.err.contains(&format!("{} pages in share/man1", names.len())), "{}", output.err);
    for name in ["tokbench.1", "tokbench-compare.1", "tokbench-man.1", "tokbench-tokenizer-encode.1"] {
        assert!(names.iter().any(|other| other == name), "{names:?}");
    }
    let printed = dir.run(&["man"]).success().out;
    for name in names {
        let page = std::fs::read_to_string(dir.path("share/man1").join(&name)).unwrap();
        assert!(printed.contains(&page), "{name}");
    }
    dir.write("file", "");
    dir.run(&["man", "--output", "file"]).failed(2, &["file is a file, not a folder", "help:"]);
}

/// `tokbench ... | head`: the reader may close the pipe, and the program succeeds.
#[test]
fn a_closed_pipe_is_no_error() {
    let dir = TestDir::new();
    for args in [
        &["list"][..],
        &["plan", "--tokenizers", "base"],
        &["look"],
        &["completions", "bash"],
        &["man"],
        &["list", "--json"],
    ] {
        let mut command = dir.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(0) && !err.contains("panicked"), "{args:?}: {:?} {err}", output.status);
    }
}

#[test]
fn impossible_requests_are_refused_before_anything_is_computed() {
    let dir = TestDir::new();
    dir.write("q.toml", small("'base'", "order1", 4_000, 1));
    dir.write("short.fa", format!(">one\n{}\n", "ACGT".repeat(80)));
    dir.write("file", "");
    dir.run(&["plan", "q.toml", "--corpus", "short.fa"]).failed(3, &["short", "120 bases", "help:"]);
    dir.run(&["compare", "q.toml", "--output", "file/x"])
        .failed(2, &["file/x: file is a file, not a folder", "name a folder with --output"]);
    let output = dir.run(&["plan", "q.toml", "--scoring-bases", "1G"]).success();
    assert!(output.err.contains("of the 1000000000 requested bases; the test split has no more"), "{}", output.err);
    dir.run(&["compare", "q.toml", "--threads", "0"]).failed(2, &["must be an integer from 1 to 1024"]);
    dir.run(&["compare", "q.toml", "--learning-rates", "-1"]).failed(2, &["must be > 0, got -1"]);
    dir.run(&["look", "--output", "locus.png"]).failed(2, &["locus.png", ".svg"]);
    dir.write("c.toml", "name = 'x'\nspecie = []\n");
    dir.run(&["plan", "q.toml", "--corpus", "c.toml"]).failed(2, &["c.toml", "line 2", "did you mean \"species\"?"]);
}

/// Every command creates missing output folders, and names a file that is in their place.
#[test]
fn folders_of_results() {
    let dir = TestDir::new();
    dir.write("f.fa", ">a\nACGTACGTAA\n");
    dir.write("file", "");
    dir.write("noise.toml", "name = 'noise'\nsplit = { by = 'block', block = 5_000, valid = 0.2, test = 0.2 }\nsynthetic = { kind = 'uniform', bases = 50_000, seed = 3 }\n");
    let audit = ["audit", "-t", "base", "--corpus", "noise.toml", "--probes", "2", "-o"];
    let look = ["look", "-t", "base", "-o"];
    let encode = ["tokenizer", "encode", "-t", "base", "f.fa", "-o"];
    let convert = ["tokenizer", "convert", "base", "-o"];
    let list = ["tokenizer", "convert", "base", "--to", "text", "-o"];
    let results: [(&[&str], &str, &str); 5] = [
        (&audit, "", "/audit.svg"),
        (&look, "/x.svg", ""),
        (&encode, "/ids", ""),
        (&convert, "/t.json", ""),
        (&list, "/t.txt", ""),
    ];
    for (number, (args, name, made)) in results.into_iter().enumerate() {
        let output = format!("new{number}/deep{name}");
        dir.run(&[args, &[&output]].concat()).success();
        assert!(dir.path(&format!("{output}{made}")).exists(), "{output}");
        let output = format!("file{name}");
        let output = dir.run(&[args, &[&output]].concat());
        output.failed(2, &["file is a file, not a folder", "help: name a folder with --output"]);
    }
}
