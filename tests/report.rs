//! `report`: from the records alone, even if the files of the experiment are gone.

use crate::house::{House, small};

/// Two files of one name, a third, and a sequence.
fn files() -> House {
    let house = House::new();
    for (name, file) in
        [("kmer2-nonoverlap", "one/words.json"), ("kmer4-nonoverlap", "two/words.json"), ("base", "letters.json")]
    {
        std::fs::create_dir_all(house.path(file).parent().unwrap()).unwrap();
        house.run(&["tokenizer", "convert", name, "--output", file]).well();
    }
    house.write("my.fa", format!(">one\n{}\n", "ACGTTGCAGT".repeat(2_000)));
    house
}

#[test]
fn records_alone_are_enough() {
    let house = files();
    // A file is named by its path, with "file:" before it or without.
    let names = "'base', 'file:letters.json', './one/words.json'";
    let spec = format!("reference = 'file:letters.json'\n{}", small(names, "my.fa", 1_000, 2));
    house.write("q.toml", &spec);
    house.run(&["compare", "q.toml", "--mock", "--output", "out"]).well();
    house.write("away.toml", &spec);
    std::fs::copy(house.path("out/records.jsonl"), house.path("away.jsonl")).unwrap();
    let before = house.run(&["report", "away.jsonl", "--json"]).well().out;
    for gone in ["letters.json", "one/words.json", "my.fa"] {
        std::fs::remove_file(house.path(gone)).unwrap();
    }
    // The experiment beside the records names the files; nothing of what it says is lost with them.
    assert_eq!(house.run(&["report", "away.jsonl", "--json"]).well().out, before);
    let json: serde_json::Value = serde_json::from_str(&before).unwrap();
    let reference = json["groups"][0]["reference"].as_str().unwrap_or_default().to_owned();
    assert!(reference.starts_with("file:letters@"), "{reference}");
    std::fs::remove_file(house.path("away.toml")).unwrap();
    for name in ["file:letters.json", "file:elsewhere/letters.json", "letters.json", "./letters.json", &reference] {
        let args = ["report", "away.jsonl", "--json", "-t", "base,file:words.json", "--reference", name];
        let json: serde_json::Value = serde_json::from_str(&house.run(&args).well().out).unwrap();
        assert_eq!(json["groups"][0]["reference"], reference.as_str(), "{name}");
    }
    house
        .run(&["report", "away.jsonl", "--reference", "file:wrods.json"])
        .failed(2, &["contain no tokenizer file:wrods.json", "file:letters@", "file:words@"]);
}

#[test]
fn files_with_the_same_name_are_distinguished_or_refused() {
    let house = files();
    house.write("p.toml", small("'base', 'file:one/words.json', 'file:two/words.json'", "my.fa", 1_000, 2));
    house.run(&["compare", "p.toml", "--mock", "--output", "out"]).well();
    let reference = |name: &str| house.run(&["report", "out/records.jsonl", "--json", "--reference", name]);
    let one = reference("file:one/words.json").well().out;
    assert_ne!(one, reference("file:two/words.json").well().out, "the content tells them apart");
    std::fs::remove_file(house.path("one/words.json")).unwrap();
    reference("file:one/words.json").failed(2, &["is ambiguous: 2 tokenizers of the records match", "file:words@"]);
}
