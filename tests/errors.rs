//! Invalid input: a clear error, its remedy, its exit code.

use crate::dir::{TestDir, gzip, root, small};

#[test]
fn unknown_names_are_refused_with_the_nearest_one() {
    let dir = TestDir::new();
    dir.run(&["compare", "--tokenizers", "kmer6,kmr6"])
        .failed(2, &["unknown tokenizer \"kmr6\"", "did you mean \"kmer6\"?"]);
    dir.run(&["compare", "--tokenizers", "base", "--task", "tf/22"]).failed(2, &["tf/22", "help:"]);
    dir.run(&["compare", "--tokenizers", "base", "--corpus", "ordr1"]).failed(2, &["ordr1", "order1"]);
    dir.run(&["compare", "--tokenizers", "base", "--device", "gpu"]).failed(2, &["unknown device \"gpu\""]);
    dir.run(&["compare", "--tokenizers", "base", "--encoder", "tinny"]).failed(2, &["tinny", "help:"]);
    let nothing = dir.run(&["compaer"]);
    assert_eq!(nothing.code, 2);
}

#[test]
fn tokenizers_that_do_not_fit() {
    let dir = TestDir::new();
    let compare = |name: &str| dir.run(&["compare", "--tokenizers", name]);
    compare("kmer13").failed(2, &["K = 13", "4^K"]);
    compare("kmer5").failed(2, &["K = 5 does not divide", "masking.span = 60"]);
    compare("kmer6-stride4").failed(2, &["stride 4 does not divide K = 6"]);
    compare("bpe4").failed(2, &["smaller than the alphabet"]);
    compare("file:nowhere.json").failed(3, &["nowhere.json", "help:"]);
    dir.write("wrong.json", "{\"hello\": 1}");
    compare("file:wrong.json").failed(3, &["wrong.json", "missing \"model\""]);
    dir.run(&["compare", "--tokenizers", "kmer6,kmer6-stride1"]).failed(2, &["\"kmer6-stride1\" is an alias of kmer6"]);
}

#[test]
fn bad_sequence_files() {
    let dir = TestDir::new();
    let compare = |file: &str| dir.run(&["compare", "--tokenizers", "base", "--corpus", file]);
    compare("absent.fa").failed(3, &["absent.fa", "no such file"]);
    dir.write("empty.fa", "");
    compare("empty.fa").failed(3, &["empty.fa", "help:"]);
    dir.write("letters.fa", format!(">one\n{}\n>two\nACGT\nACXGT\n", "ACGT".repeat(300)));
    compare("letters.fa").failed(3, &["letters.fa", "two", "line 5", "'X'"]);
    let gzip = gzip(format!(">one\n{}\n", "ACGTTGCATT".repeat(5_000)).as_bytes());
    dir.write("cut.fa.gz", &gzip[..gzip.len() / 2]);
    compare("cut.fa.gz").failed(3, &["cut.fa.gz", "truncated"]);
    dir.write("short.fa", ">one\nACGT\n");
    compare("short.fa").failed(3, &["short", "252 bases", "help:"]);
}

#[test]
fn bad_labelled_files() {
    let dir = TestDir::new();
    let compare = |file: &str| dir.run(&["compare", "--tokenizers", "base", "--task", file]);
    compare("absent.csv").failed(3, &["absent.csv", "no such file"]);
    dir.write("label.csv", "sequence,label\nACGT,0\nACGA,1\nACGG,one\n");
    compare("label.csv").failed(3, &["label.csv", "line 4", "one"]);
    dir.write("column.csv", "sequence,class\nACGT,0\n");
    compare("column.csv").failed(3, &["column.csv", "line 1", "label"]);
    dir.write("letters.csv", "sequence,label\nACGT,0\nAC!T,1\n");
    compare("letters.csv").failed(3, &["letters.csv", "line 3", "'!'"]);
}

#[test]
fn invalid_experiments() {
    let dir = TestDir::new();
    dir.run(&["compare", "absent.toml"]).failed(3, &["absent.toml"]);
    dir.write("key.toml", small("'base'", "order1", 10_000, 1) + "tokeniser = 'x'\n");
    dir.run(&["compare", "key.toml"]).failed(2, &["key.toml", "tokeniser"]);
    dir.write("window.toml", small("'base'", "order1", 10_000, 1).replace("window = 120", "window = 125"));
    dir.run(&["compare", "window.toml"]).failed(2, &["window", "help:"]);
    assert_eq!(dir.run(&["compare", "--tokenizers", "base", "--bases", "many"]).code, 2);
}

#[test]
fn damaged_store_entries_are_set_aside_and_computed_again() {
    let dir = TestDir::new();
    dir.write("q.toml", small("'base'", "order1", 2_000, 1));
    let compare = || dir.run(&["compare", "q.toml", "--output", "out"]);
    compare().success();
    let answer = dir.records("out")[0].result();
    let key = dir.records("out")[0].key.to_string();
    let record = dir.path(&format!(".tokbench/{key}/record.json"));
    let text = std::fs::read_to_string(&record).unwrap();
    for damaged in [text.replacen("\"bases\":", "\"bases\":1", 1), text[..text.len() / 2].to_owned(), String::new()] {
        std::fs::write(&record, damaged).unwrap();
        let output = compare().success();
        assert!(output.err.contains("damaged") && output.err.contains("corrupt"), "{}", output.err);
        assert_eq!(dir.records("out")[0].result(), answer);
    }
    let aside = std::fs::read_dir(record.parent().unwrap()).unwrap().filter_map(Result::ok);
    let aside = aside.filter(|entry| entry.file_name().to_string_lossy().contains("corrupt")).count();
    assert_eq!(aside, 3, "nothing is deleted");
}

#[test]
fn records_that_cannot_be_compared() {
    let dir = TestDir::new();
    dir.write("torn.jsonl", "{\"key\": \"a");
    dir.run(&["report", "torn.jsonl"]).failed(3, &["torn.jsonl", "1"]);
    let records = root().join("experiments/default.jsonl");
    for (cost, said) in [
        ("kmer6=1", "--cost has no cost for bpe4096"),
        ("kmer6=1,kmer6=2", "--cost has kmer6 twice"),
        ("kmer6=0", "is not a cost"),
        ("kmer3=1", "the records contain no kmer3"),
    ] {
        dir.run(&["report", records.to_str().unwrap(), "--cost", cost]).failed(2, &[said, "help:"]);
    }
    dir.run(&["report", "absent.jsonl"]).failed(3, &["absent.jsonl"]);
}

#[test]
fn damaged_weights_and_checkpoints_are_set_aside_and_made_again() {
    let dir = TestDir::new();
    let spec = small("'base', 'kmer2'", "order1", 2_000, 1)
        .replace("['base', 'kmer2']", "['base', 'kmer2']\ntasks = ['synthetic/motif']");
    dir.write("q.toml", spec + "[finetuning]\nepochs = 0.1\nevaluations = 1\n");
    let compare = || dir.run(&["compare", "q.toml", "--output", "out"]);
    compare().success();
    let answers = || dir.records("out").iter().map(experiment::Record::result).collect::<Vec<_>>();
    let before = answers();
    // Fine-tuning again, from weights in which one bit has flipped.
    for record in dir.records("out") {
        let folder = dir.path(&format!(".tokbench/{}", record.key));
        if record.run.task().is_some() {
            std::fs::remove_file(folder.join("record.json")).unwrap();
        } else {
            let path = folder.join("weights.bpk");
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let output = compare().success();
    assert_eq!(answers(), before, "{}", output.err);
    for record in dir.records("out").iter().filter(|record| record.run.task().is_none()) {
        let folder = dir.path(&format!(".tokbench/{}", record.key));
        assert!(folder.join("weights.bpk").exists() && folder.join("weights.bpk.corrupt-1").exists());
    }
}
