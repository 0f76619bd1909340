//! Classification tasks, and what is refused before anything is computed.

use std::process::Stdio;

use crate::dir::{TestDir, small};

/// A table of random rows; `label` gives the class of a row.
fn table(seed: u32, rows: u32, bases: u32, label: impl Fn(u32) -> String) -> String {
    let letter = |i: u32| ['A', 'C', 'G', 'T'][(i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 13) as usize % 4];
    let row = |row: u32| -> String { (0..bases).map(|i| letter(row * bases + i)).collect() };
    let lines: String = (0..rows).map(|i| format!("{},{}\n", row(i), label(i))).collect();
    format!("sequence,label\n{lines}")
}

fn two(row: u32) -> String {
    (row % 2).to_string()
}

fn question(tokenizers: &str) -> String {
    small(tokenizers, "order1", 2_000, 1) + "[finetuning]\nepochs = 0.2\nevaluations = 2\n"
}

#[test]
fn tables_with_the_same_file_name_get_unique_names() {
    let dir = TestDir::new();
    for (folder, seed) in [("H3", 0), ("H4", 77_777)] {
        std::fs::create_dir(dir.path(folder)).unwrap();
        dir.write(&format!("{folder}/train.csv"), table(seed, 120, 40, two));
    }
    dir.write("q.toml", question("'base'"));
    let tasks = ["--task", "H3/train.csv", "--task", "H4/train.csv", "--output", "out"];
    let output = dir.run(&[&["compare", "q.toml"], &tasks[..]].concat()).success();
    assert!(output.out.contains("H3/train") && output.out.contains("H4/train"), "{}", output.out);
    let names: Vec<String> =
        dir.records("out").iter().filter_map(|record| Some(record.run.task()?.name.clone())).collect();
    assert_eq!(names, ["H3/train", "H4/train"]);
    // Alone it has its short name, and so has the name that nobody else has.
    let alone = dir.run(&["plan", "q.toml", "--task", "H3/train.csv"]).success();
    assert!(alone.out.contains(" train ") && !alone.out.contains("H3/"), "{}", alone.out);
}

#[test]
fn what_would_be_refused_at_the_end_is_refused_at_the_start() {
    let dir = TestDir::new();
    dir.write("a.csv", table(0, 120, 40, two));
    dir.write("b.csv", table(0, 120, 40, two));
    dir.write("one.toml", "name = 'x'\ntrain = 'a.csv'\n");
    dir.write("two.toml", "name = 'x'\ntrain = 'b.csv'\nmetric = 'f1'\n");
    dir.write("q.toml", question("'base'"));
    for command in ["plan", "compare"] {
        let run =
            |tasks: [&str; 2]| dir.run(&[command, "q.toml", "--data", ".", "--task", tasks[0], "--task", tasks[1]]);
        run(["a.csv", "b.csv"])
            .failed(2, &["\"b.csv\" contains the same rows in the same splits as \"a.csv\"", "list it once"]);
        run(["one.toml", "two.toml"]).failed(2, &["are both named \"x\"", "another name"]);
        assert!(!dir.path(".tokbench").exists(), "nothing is computed");
    }
    std::fs::create_dir_all(dir.path("out/table.csv")).unwrap();
    dir.run(&["compare", "q.toml", "--output", "out"])
        .failed(2, &["cannot write out/table.csv: it is a folder", "--output"]);
    assert!(!dir.path(".tokbench").exists(), "nothing is computed");
}

/// Stored records of tasks whose labels are numbers would be lost if this changed.
#[test]
fn hashes_of_tasks_with_numbers_stay() {
    let dir = TestDir::new();
    dir.write("a.csv", table(0, 120, 40, two));
    for (task, hash) in [
        ("a.csv", "c6d0bc3c94f6a8298341ea7651c5198cbf4522a0264165b8d90b51c5f163956d"),
        ("synthetic/motif", "9d4c0be1d6d04a130cac0e80e1e6b075e086fb0567d72abdfbc6e13550cf3777"),
    ] {
        let plan = dir.run(&["plan", "-t", "base", "--seeds", "1", "--task", task, "--json"]).success().out;
        assert!(plan.contains(hash), "{task}");
    }
}

#[test]
fn labels_may_be_class_names_and_the_metric_is_used() {
    let dir = TestDir::new();
    let word = |row: u32| if row.is_multiple_of(3) { "promoter" } else { "non-promoter" }.to_owned();
    dir.write("words.csv", table(0, 150, 40, word));
    dir.write("t.toml", "name = 'prom'\ntrain = 'words.csv'\nmetric = 'f1'\n");
    dir.write("q.toml", question("'base', 'kmer2'"));
    let output = dir.run(&["compare", "q.toml", "--data", ".", "--task", "t.toml", "--output", "out"]).success();
    assert!(output.err.contains("prom: classes 0 = non-promoter, 1 = promoter"), "{}", output.err);
    assert!(output.err.contains("prom: metric f1"), "{}", output.err);
    assert!(output.out.contains("tasks: macro F1 on the test split"), "{}", output.out);
    for record in dir.records("out").iter().filter(|record| record.run.task().is_some()) {
        let outcome = serde_json::to_value(&record.outcome).unwrap();
        assert_eq!(
            (&outcome["metric"], &outcome["names"]),
            (&"f1".into(), &serde_json::json!(["non-promoter", "promoter"]))
        );
    }
    dir.write("auc.toml", "name = 'prom'\ntrain = 'words.csv'\nmetric = 'auroc'\n");
    dir.run(&["plan", "q.toml", "--data", ".", "--task", "auc.toml"])
        .failed(2, &["auc.toml", "line 3", "`auroc`", "available: mcc, f1, accuracy"]);
}

#[test]
fn a_name_that_is_no_file_of_the_kind_is_called_what_it_is() {
    let dir = TestDir::new();
    dir.write("rows.csv", table(0, 20, 40, two));
    dir.write("rows.fa", ">a\nACGT\n");
    std::fs::create_dir(dir.path("folder")).unwrap();
    dir.write("folder/inside.csv", table(0, 20, 40, two));
    let plan = |flag: &str, name: &str| dir.run(&["plan", "-t", "base", flag, name]);
    for name in ["genome.FASTA", "g.fa.bz2", "data/genome", "rows.tsv", "x.parquet", "x.json", "g.FA.GZ", "~/g"] {
        plan("--corpus", name).failed(3, &[&format!("corpus file {name}: no such file"), "check the path"]);
        plan("--task", name).failed(3, &[&format!("task file {name}: no such file"), "check the path"]);
    }
    plan("--task", "tf/22").failed(2, &["unknown task \"tf/22\"", "did you mean \"gue/tf/2\"?"]);
    plan("--corpus", "ordr1").failed(2, &["did you mean \"order1\"?"]);
    plan("--task", "folder").failed(3, &["task folder: a folder, not a file", "the folder contains folder/inside.csv"]);
    plan("--corpus", ".").failed(3, &["corpus .: a folder, not a file", "FASTA or FASTQ", "rows.fa"]);
    plan("--corpus", "rows.csv").failed(3, &["rows.csv: a table, not FASTA or FASTQ", "--task rows.csv"]);
    plan("--task", "rows.fa")
        .failed(3, &["rows.fa: sequences (FASTA or FASTQ), not a table", "are a corpus: --corpus "]);
    // A folder with the name of a built-in corpus does not hide it.
    std::fs::create_dir(dir.path("order1")).unwrap();
    plan("--corpus", "order1").success();
}

#[test]
fn a_comma_in_the_path_of_a_tokenizer() {
    let dir = TestDir::new();
    std::fs::create_dir(dir.path("a,b")).unwrap();
    dir.run(&["tokenizer", "convert", "base", "-o", "a,b/t.json"]).success();
    let output = dir.run(&["look", "-t", "kmer2,file:a,b/t.json,base", "--sequence", "ACGT"]).success();
    assert_eq!(output.out.lines().filter(|line| line.ends_with("AcGt")).count(), 2, "{}", output.out);
}

#[cfg(unix)]
#[test]
fn what_is_read_once_may_be_a_pipe() {
    let dir = TestDir::new();
    let text: String = table(0, 1, 20_000, two).lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    dir.write("g.fa", format!(">one\n{text}\n"));
    dir.write("t.csv", table(0, 120, 40, two));
    dir.write("q.toml", small("'base'", "order1", 2_000, 1));
    let shell = |line: &str| {
        let mut command = dir.command(&[]);
        let program = command.get_program().to_owned();
        let mut bash = std::process::Command::new("bash");
        bash.args(["-c", line]).env("TB", program).current_dir(dir.path("")).stdin(Stdio::null());
        command = bash;
        let output = command.output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), err)
    };
    for line in [
        "$TB look -t base --corpus <(cat g.fa)",
        "$TB audit -t base --corpus <(cat g.fa) --bases 2000 --window 100 --probes 2",
        "$TB plan q.toml --corpus <(cat g.fa)",
        "$TB plan q.toml --task <(cat t.csv)",
    ] {
        let (code, out, err) = shell(line);
        assert_eq!(code, Some(0), "{line}: {err}");
        assert!(!out.is_empty());
        let warned =
            err.contains("\"compare\" cannot execute this experiment") && err.contains("a pipe can be read only once");
        assert_eq!(warned, line.contains(" plan "), "{line}: {err}");
    }
    for line in ["$TB compare q.toml --corpus <(cat g.fa)", "$TB compare q.toml --task <(cat t.csv)"] {
        let (code, _, err) = shell(line);
        assert_eq!(code, Some(2), "{line}: {err}");
        assert!(err.contains("a pipe can be read only once") && err.contains("save it to a file first"), "{err}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_whose_name_is_not_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let dir = TestDir::new();
    let folder = dir.path("").join(std::ffi::OsStr::from_bytes(b"bad\xff"));
    std::fs::create_dir(&folder).unwrap();
    let text: String = table(0, 1, 20_000, two).lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    std::fs::write(folder.join("g.fa"), format!(">one\n{text}\n")).unwrap();
    std::fs::write(folder.join("t.csv"), table(0, 120, 40, two)).unwrap();
    std::fs::write(folder.join("q.toml"), question("'base'")).unwrap();
    let run = |args: &[&str]| {
        let mut command = dir.command(args);
        command.current_dir(&folder);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&["tokenizer", "convert", "base", "-o", "t.json"]).0, Some(0));
    for args in [["--corpus", "g.fa"], ["--task", "t.csv"], ["-t", "file:t.json"]] {
        for command in ["plan", "compare"] {
            let (code, err) = run(&[&[command, "q.toml"], &args[..]].concat());
            assert_eq!(code, Some(3), "{err}");
            assert!(
                err.contains("the path is not valid UTF-8 and cannot be stored with the runs")
                    && err.contains("help: "),
                "{err}"
            );
        }
    }
    // What is not kept with runs is no trouble: store, results, data root, tokenizer files that are only applied.
    for args in [
        &["compare", "q.toml", "--output", "out"][..],
        &["look", "-t", "file:t.json", "--corpus", "g.fa", "-o", "x.svg"],
        &["tokenizer", "encode", "-t", "t.json", "g.fa", "-o", "ids"],
    ] {
        let (code, err) = run(args);
        assert_eq!(code, Some(0), "{args:?}: {err}");
    }
    assert!(folder.join("out/records.jsonl").exists() && folder.join("ids").exists());
}

/// `plan` says about what a run then takes.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_estimated_within_a_factor_of_two_at_short_and_long_rows() {
    let dir = TestDir::new();
    let spec = "name = 'memory'\ntokenizers = ['base', 'kmer6-nonoverlap']\nseeds = 1\nexploratory = true\ncorpus = 'order1'\ncontrols = true\n\
                [training]\nbases = 2_000\n[scoring]\nbases = 300\ncurve_points = 1\ncurve_windows = 1\n\
                [finetuning]\nsteps = 1\nepochs = 0.01\nevaluations = 1\n";
    dir.write("q.toml", spec);
    dir.write("short.csv", table(0, 100, 100, two));
    dir.write("long.csv", table(5, 100, 1_500, two));
    let question = ["q.toml", "--task", "short.csv", "--task", "long.csv"];
    let plan = dir.run(&[&["plan", "--json"], &question[..]].concat()).success();
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    dir.run(&[&["compare", "--workers", "1", "--output", "out"], &question[..]].concat()).success();
    let mut spread: Vec<f64> = Vec::new();
    for record in dir.records("out") {
        let job = plan["jobs"].as_array().unwrap().iter().find(|job| job["key"] == record.key.as_str()).unwrap();
        let ratio = job["estimate"]["mib"].as_f64().unwrap() / record.timing.peak_mib;
        let what = format!("{} on {:?}: {ratio}", record.run.subject(), record.run.task().map(|task| &task.name));
        // Of the Markov chains nothing is estimated; they take what the corpus and their contexts take.
        let text = matches!(&record.run.work, experiment::run::Work::Control(control) if control.text().is_some());
        if !text {
            assert!((0.5..=2.0).contains(&ratio), "{what}");
            spread.push(record.timing.peak_mib);
        }
    }
    let (least, most) = spread.iter().fold((f64::MAX, 0.0_f64), |(least, most), &mib| (least.min(mib), most.max(mib)));
    assert!(most > 10.0 * least, "the rows are short and long: {least} and {most} MiB");
}

#[test]
fn what_no_machine_can_hold_is_refused_with_its_row() {
    let dir = TestDir::new();
    let rows = table(0, 100, 100, two);
    let long: String = "ACGTTGCA".repeat(250_000);
    dir.write("long.csv", format!("{rows}{long},0\n"));
    dir.write("short.csv", &rows);
    let run = |command: &str, task: &str, more: &[&str]| {
        dir.run(
            &[&[command, "-t", "base,kmer6", "--exploratory", "--seeds", "1", "--bases", "10k", "--task", task], more]
                .concat(),
        )
    };
    for command in ["plan", "compare"] {
        run(command, "long.csv", &["--memory", "16G"]).failed(
            3,
            &[
                "task long: a run of",
                "--memory allows 15259 MiB",
                "row 101 of ",
                "long.csv (line 102) has 2000000 bases",
                "help:",
            ],
        );
        run(command, "short.csv", &["--memory", "50M"]).failed(3, &["task short: a run of", "--memory allows 48 MiB"]);
        // A window is a row of pretraining.
        let window = ["--window", "4800", "--batch", "8", "--scoring-bases", "9600"];
        let all = [&[command, "-t", "base", "--corpus", "order1", "--memory", "100M"], &window[..]].concat();
        dir.run(&all).failed(2, &["pretraining: a run of base needs about", "--window"]);
    }
    let runs = std::fs::read_dir(dir.path(".tokbench")).unwrap().filter_map(Result::ok);
    assert_eq!(runs.filter(|entry| entry.file_name().len() == 64).count(), 0, "no run is begun");
    run("plan", "long.csv", &["--memory", "100000G"]).success();
    run("plan", "short.csv", &[]).success();
}

/// The limit that a shell sets is seen without being told.
#[cfg(target_os = "linux")]
#[test]
fn the_limit_of_the_shell_is_seen() {
    let dir = TestDir::new();
    dir.write("long.csv", format!("{}{},0\n", table(0, 100, 100, two), "ACGTTGCA".repeat(3_000)));
    let program = dir.command(&[]).get_program().to_owned();
    let mut bash = std::process::Command::new("bash");
    let line = "ulimit -v 3000000; $TB compare -t base --seeds 1 --bases 10k --task long.csv";
    bash.args(["-c", line]).env("TB", program).current_dir(dir.path("")).stdin(Stdio::null());
    let output = bash.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains("\"ulimit -v\" allows 2930 MiB") && err.contains("has 24000 bases"), "{err}");
}

/// A vocabulary that the text cannot give is refused by `plan`, as it is by `compare`.
#[test]
fn a_vocabulary_that_the_text_cannot_give_is_refused_at_the_start() {
    let dir = TestDir::new();
    let bases: String = (0..30_000u64).map(|at| ['A', 'C', 'G', 'T'][(at * at / 7 % 4) as usize]).collect();
    dir.write("small.fa", format!(">one\n{bases}\n"));
    for command in ["plan", "compare"] {
        let ask = |tokenizers: &str| {
            dir.run(&[
                command,
                "-t",
                tokenizers,
                "--corpus",
                "small.fa",
                "--exploratory",
                "--seeds",
                "1",
                "--bases",
                "2k",
                "--scoring-bases",
                "600",
            ])
        };
        ask("base,bpe4096").failed(3, &["cannot learn \"bpe4096\"", "smaller vocabulary"]);
    }
    dir.run(&["plan", "-t", "base,bpe32", "--corpus", "small.fa", "--scoring-bases", "600"]).success();
}
