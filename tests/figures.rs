//! Committed figures are what committed records give, byte for byte.

use std::path::Path;

use crate::dir::{TestDir, root};

fn check(name: &str, dir: &TestDir) {
    let records = root().join("experiments").join(format!("{name}.jsonl"));
    assert!(records.with_extension("toml").exists(), "the experiment beside its records");
    let out = dir.path(name);
    let args = ["report", records.to_str().unwrap(), "--output", out.to_str().unwrap()];
    dir.run(&args).success();
    let committed = root().join("figures").join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&committed).unwrap_or_else(|e| panic!("{}: {e}", committed.display())) {
        let path = entry.unwrap().path();
        let file = path.file_name().map(Path::new).unwrap();
        let same = std::fs::read(&path).unwrap() == std::fs::read(out.join(file)).unwrap();
        assert!(same, "{} is not what the records give: draw it again", path.display());
        count += 1;
    }
    assert!(count > 4, "{name}: {count} files");
}

#[test]
fn committed_figures_equal_what_committed_records_give() {
    let dir = TestDir::new();
    let mut checked = 0;
    for entry in std::fs::read_dir(root().join("experiments")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            check(&path.file_stem().unwrap().to_string_lossy(), &dir);
            checked += 1;
        }
    }
    assert!(checked > 0, "no committed records");
}

#[test]
fn the_sentences_in_the_readme_are_those_of_the_records() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let fewer = "fewer bits per masked base than";
    for name in ["noise", "genomes", "genomes_5m"] {
        let table = std::fs::read_to_string(root().join("figures").join(name).join("table.txt")).unwrap();
        let sentence = table.lines().rfind(|line| line.contains(fewer)).unwrap_or_else(|| panic!("{name}: {table}"));
        assert!(readme.contains(&format!("> {sentence}\n")), "{name}: {sentence}");
    }
}

/// Records of the first protocol are still read, each file alone.
#[test]
fn records_of_protocol_1_are_still_read() {
    let dir = TestDir::new();
    let mut files = 0;
    for entry in std::fs::read_dir(root().join("experiments/protocol1")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            dir.run(&["report", path.to_str().unwrap(), "--output", "old"]).success();
            files += 1;
        }
    }
    assert_eq!(files, 7);
    let new = root().join("experiments/noise.jsonl");
    let old = root().join("experiments/protocol1/genomes.jsonl");
    let both = std::fs::read_to_string(old).unwrap() + &std::fs::read_to_string(new).unwrap();
    dir.write("both.jsonl", both);
    dir.run(&["report", "both.jsonl", "--output", "both"]).failed(3, &["protocols"]);
}

/// The table "protocol 1 against protocol 2" is made of the records beside it.
#[test]
fn the_table_of_both_protocols_is_that_of_its_records() {
    let folder = root().join("experiments/protocol1");
    let dir = TestDir::new();
    let groups = |protocol: u32| -> serde_json::Value {
        let (records, spec) = (folder.join(format!("protocols-{protocol}.jsonl")), folder.join("protocols.toml"));
        let (records, spec) = (records.to_str().unwrap(), spec.to_str().unwrap());
        let output = dir.run(&["report", records, "--spec", spec, "--json"]).success();
        serde_json::from_str::<serde_json::Value>(&output.out).unwrap()["groups"].take()
    };
    let [first, second] = [groups(1), groups(2)];
    let of = |groups: &serde_json::Value, corpus: &str, name: &str| -> (String, String) {
        let setting =
            |group: &&serde_json::Value| group["setting"].as_str().unwrap().starts_with(&format!("{corpus},"));
        let group = groups.as_array().unwrap().iter().find(setting).unwrap();
        let subject = group["subjects"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap();
        let bits = &subject["bits"];
        let number = |value: &serde_json::Value| format!("{:.3}", value.as_f64().unwrap());
        (number(&bits["total"]["mean"]), number(&bits["bias_only"]))
    };
    let text = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for (corpus, title) in [("uniform", "uniform DNA"), ("order2", "order-2 text"), ("five_genomes", "five genomes")] {
        for name in ["base", "kmer6", "bpe4096"] {
            let ((old, old_null), (new, new_null)) = (of(&first, corpus, name), of(&second, corpus, name));
            let row = text.lines().find(|l| l.starts_with(&format!("| {title} |")) && l.contains(&format!("`{name}`")));
            let row = row.unwrap_or_else(|| panic!("no row of {name} on {title}"));
            assert!(row.ends_with(&format!("| {old} | {new} | {old_null} | {new_null} |")), "{row}: {old} {new}");
            assert!(name == "bpe4096" || old == new);
        }
    }
}

/// One locus of the default corpus, segmented by each tokenizer.
#[test]
fn the_committed_locus_is_what_look_draws() {
    let dir = TestDir::new();
    dir.run(&["look", "--output", "locus.svg"]).success();
    for file in ["locus.svg", "locus.csv"] {
        let committed = std::fs::read(root().join("figures/locus").join(file)).unwrap();
        assert!(committed == std::fs::read(dir.path(file)).unwrap(), "{file}: draw it again with tokbench look");
    }
}

/// The audit of the README, from the genomes and the public tokenizer under `TOKBENCH_DATA`.
#[test]
#[ignore = "needs TOKBENCH_DATA: genomes and public tokenizers"]
fn the_committed_audit_is_what_the_genomes_give() {
    let data = crate::dir::data();
    let dir = TestDir::new();
    let names = format!(
        "base,kmer6,kmer6-nonoverlap,bpe512,bpe4096,unigram4096,wordpiece4096,file:{}",
        data.join("tokenizers/dnabert2_bpe4096.json").display()
    );
    dir.run(&["audit", "--corpus", "five_genomes", "--data", data.to_str().unwrap(), "-t", &names, "-o", "out"])
        .success();
    for file in ["audit.svg", "audit.csv", "audit_lengths.svg", "audit_lengths.csv", "audit_all.csv"] {
        let committed = std::fs::read(root().join("figures/audit").join(file)).unwrap();
        assert!(
            committed == std::fs::read(dir.path("out").join(file)).unwrap(),
            "{file}: draw it again with tokbench audit"
        );
    }
}
