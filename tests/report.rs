//! `report`: from the records alone, even if the files of the experiment are gone.

use crate::dir::{TestDir, small};

/// Two files of one name, a third, and a sequence.
fn files() -> TestDir {
    let dir = TestDir::new();
    for (name, file) in
        [("kmer2-nonoverlap", "one/words.json"), ("kmer4-nonoverlap", "two/words.json"), ("base", "letters.json")]
    {
        std::fs::create_dir_all(dir.path(file).parent().unwrap()).unwrap();
        dir.run(&["tokenizer", "convert", name, "--output", file]).success();
    }
    dir.write("my.fa", format!(">one\n{}\n", "ACGTTGCAGT".repeat(2_000)));
    dir
}

#[test]
fn records_alone_are_enough() {
    let dir = files();
    // A file is named by its path, with "file:" before it or without.
    let names = "'base', 'file:letters.json', './one/words.json'";
    let spec = format!("reference = 'file:letters.json'\n{}", small(names, "my.fa", 1_000, 2));
    dir.write("q.toml", &spec);
    dir.run(&["compare", "q.toml", "--mock", "--output", "out"]).success();
    dir.write("away.toml", &spec);
    std::fs::copy(dir.path("out/records.jsonl"), dir.path("away.jsonl")).unwrap();
    let before = dir.run(&["report", "away.jsonl", "--json"]).success().out;
    for gone in ["letters.json", "one/words.json", "my.fa"] {
        std::fs::remove_file(dir.path(gone)).unwrap();
    }
    // The experiment beside the records names the files; nothing of what it says is lost with them.
    assert_eq!(dir.run(&["report", "away.jsonl", "--json"]).success().out, before);
    let json: serde_json::Value = serde_json::from_str(&before).unwrap();
    let reference = json["groups"][0]["reference"].as_str().unwrap_or_default().to_owned();
    assert!(reference.starts_with("file:letters@"), "{reference}");
    std::fs::remove_file(dir.path("away.toml")).unwrap();
    for name in ["file:letters.json", "file:elsewhere/letters.json", "letters.json", "./letters.json", &reference] {
        let args = ["report", "away.jsonl", "--json", "-t", "base,file:words.json", "--reference", name];
        let json: serde_json::Value = serde_json::from_str(&dir.run(&args).success().out).unwrap();
        assert_eq!(json["groups"][0]["reference"], reference.as_str(), "{name}");
    }
    dir.run(&["report", "away.jsonl", "--reference", "file:wrods.json"])
        .failed(2, &["contain no tokenizer file:wrods.json", "file:letters@", "file:words@"]);
}

#[test]
fn files_with_the_same_name_are_distinguished_or_refused() {
    let dir = files();
    dir.write("p.toml", small("'base', 'file:one/words.json', 'file:two/words.json'", "my.fa", 1_000, 2));
    dir.run(&["compare", "p.toml", "--mock", "--output", "out"]).success();
    let reference = |name: &str| dir.run(&["report", "out/records.jsonl", "--json", "--reference", name]);
    let one = reference("file:one/words.json").success().out;
    assert_ne!(one, reference("file:two/words.json").success().out, "the content tells them apart");
    std::fs::remove_file(dir.path("one/words.json")).unwrap();
    reference("file:one/words.json").failed(2, &["is ambiguous: 2 tokenizers of the records match", "file:words@"]);
}
