//! Tokenizer files written by hand: they are followed exactly, or refused.

use crate::house::House;

/// A file by hand: its vocabulary, numbered from 0, and whatever else is set in it.
fn by_hand(tokens: &[&str], set: impl FnOnce(&mut serde_json::Value)) -> String {
    let vocab: serde_json::Map<String, serde_json::Value> =
        (0..).zip(tokens).map(|(id, t)| ((*t).to_owned(), u32::into(id))).collect();
    let mut file = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocab, "merges": []},
    });
    set(&mut file);
    file.to_string()
}

fn added(id: u32, content: &str, special: bool) -> serde_json::Value {
    serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                       "normalized": false, "special": special})
}

#[test]
fn letters_without_an_id_are_neither_dropped_nor_move_others() {
    let house = House::new();
    house.write("t.json", by_hand(&["A", "C", "G", "T"], |_| ()));
    house.write("n.fa", ">x\nACGNNTA\n");
    house.write("plain.fa", ">x\nACGTA\n");
    for format in [&["text"][..], &["bed"], &["npy", "-o", "x.npy"], &["parquet", "-o", "x.parquet"]] {
        let encode = [&["tokenizer", "encode", "-t", "t.json", "n.fa", "--format"], format].concat();
        house.run(&encode).failed(3, &["record \"x\", base 4: N has no token in t.json", "unk_token"]);
    }
    assert!(!house.names().iter().any(|name| name.starts_with("x.")));
    assert_eq!(house.run(&["tokenizer", "encode", "-t", "t.json", "plain.fa"]).well().out, "0 1 2 3 0\n");
    // For a model N is [UNK], and the following tokens keep their positions.
    let look = house.run(&["look", "-t", "base,file:t.json", "--sequence", "ACGNNTACGT", "--json"]).well().out;
    let look: serde_json::Value = serde_json::from_str(&look).unwrap();
    let spans: Vec<String> = look["cuts"].as_array().unwrap().iter().map(|row| row["spans"].to_string()).collect();
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0], spans[1]);
    // A normalizer that leaves letters out, and an unknown token that takes bases with it.
    let replace = serde_json::json!({"type": "Replace", "pattern": {"String": "N"}, "content": ""});
    house.write("out.json", by_hand(&["A", "C", "G", "T"], |file| file["normalizer"] = replace));
    house
        .run(&["tokenizer", "encode", "-t", "out.json", "n.fa"])
        .failed(3, &["base 4: the normalizer or the pre-tokenizer of out.json removes N"]);
}

#[test]
fn unknown_letters_come_back_where_special_tokens_are_absent() {
    let house = House::new();
    house.write("n.fa", ">x\nACGNNTA\n");
    let tokens = ["[UNK]", "[PAD]", "A", "C", "G", "T"];
    house.write("t.json", by_hand(&tokens, |file| file["model"]["unk_token"] = "[UNK]".into()));
    house.run(&["tokenizer", "encode", "-t", "t.json", "n.fa", "-o", "ids"]).well();
    assert_eq!(std::fs::read_to_string(house.path("ids")).unwrap(), "2 3 4 0 0 5 2\n");
    assert_eq!(house.run(&["tokenizer", "decode", "-t", "t.json", "ids"]).well().out, "ACGNNTA\n");
    let inspected = house.run(&["tokenizer", "inspect", "t.json"]).well().out;
    assert!(inspected.contains("  6 entries: 2 special, 4 of A, C, G, T\n"), "{inspected}");
    house.write("bare.json", by_hand(&["A", "C", "G", "T"], |_| ()));
    let inspected = house.run(&["tokenizer", "inspect", "bare.json", "--json"]).well().out;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!((&inspected["entries"], &inspected["special"]), (&4.into(), &0.into()));
}

#[test]
fn special_ids_are_those_of_the_post_processor() {
    let house = House::new();
    house.write("n.fa", ">x\nACGT\n");
    let template = |single: &[&str], ids: &[(&str, u32)]| {
        let piece = |name: &&str| match *name {
            "$A" => serde_json::json!({"Sequence": {"id": "A", "type_id": 0}}),
            name => serde_json::json!({"SpecialToken": {"id": name, "type_id": 0}}),
        };
        let entries: serde_json::Map<String, serde_json::Value> = ids
            .iter()
            .map(|(name, id)| ((*name).to_owned(), serde_json::json!({"id": name, "ids": [id], "tokens": [name]})))
            .collect();
        let single: Vec<_> = single.iter().map(piece).collect();
        let pair =
            serde_json::json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]);
        serde_json::json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": entries})
    };
    let tokens = ["[CLS]", "[SEP]", "<s>", "</s>", "<unk>", "A", "C", "G", "T"];
    let encode = |post_processor: serde_json::Value| {
        house.write("t.json", by_hand(&tokens, |file| file["post_processor"] = post_processor));
        house.run(&["tokenizer", "encode", "--specials", "-t", "t.json", "n.fa", "-o", "ids"])
    };
    let ids = || std::fs::read_to_string(house.path("ids")).unwrap();
    encode(template(&["[CLS]", "$A"], &[("[CLS]", 0)])).well();
    assert_eq!(ids(), "0 5 6 7 8\n");
    encode(template(&["$A", "[SEP]", "[SEP]"], &[("[SEP]", 1)])).well();
    assert_eq!(ids(), "5 6 7 8 1 1\n");
    encode(serde_json::json!({"type": "BertProcessing", "cls": ["[CLS]", 0], "sep": ["[SEP]", 1]})).well();
    assert_eq!(ids(), "0 5 6 7 8 1\n");
    let bare = encode(serde_json::Value::Null).well();
    assert!(bare.err.contains("adds no special tokens"), "{}", bare.err);
    assert_eq!(ids(), "5 6 7 8\n");
    encode(template(&["<s>", "$A", "</s>"], &[("<s>", 2), ("</s>", 3)])).well();
    assert_eq!(ids(), "2 5 6 7 8 3\n");
    // Two names of one meaning are two tokens.
    assert_eq!(house.run(&["tokenizer", "decode", "-t", "t.json", "ids"]).well().out, "ACGT\n");
    let inspected = house.run(&["tokenizer", "inspect", "t.json"]).well().out;
    assert!(inspected.contains("  9 entries: 5 special, 4 of A, C, G, T\n"), "{inspected}");
    for format in ["npy", "parquet"] {
        let args = ["tokenizer", "encode", "--specials", "-t", "t.json", "n.fa", "--format", format, "-o", "x"];
        house.run(&args).well();
    }
    let array = std::fs::read(house.path("x.offsets.npy")).unwrap();
    assert_eq!(u64::from_le_bytes(array[array.len() - 8..].try_into().unwrap()), 6);
    // What cannot be followed.
    encode(template(&["<s>", "$A"], &[])).failed(3, &["post_processor", "\"<s>\"", "help:"]);
    encode(template(&["<s>", "$A"], &[("<s>", 5)])).failed(3, &["the id 5", "the letters \"A\" of a sequence"]);
    encode(template(&["<s>", "$A"], &[("<s>", 99)])).failed(3, &["the id 99", "no token of its vocabulary"]);
    encode(template(&["<s>", "$A", "$A"], &[("<s>", 2)])).failed(3, &["sequence A 2 times, not once"]);
    encode(template(&["<s>"], &[("<s>", 2)])).failed(3, &["sequence A 0 times, not once"]);
}

#[test]
fn special_tokens_that_are_spelled_in_letters_are_matched() {
    let house = House::new();
    house.write("n.fa", ">x\nACGNNTA\n");
    let tokens = ["[UNK]", "[CLS]", "A", "C", "G", "T"];
    house.write(
        "n.json",
        by_hand(&tokens, |file| {
            file["model"]["unk_token"] = "[UNK]".into();
            file["added_tokens"] = serde_json::json!([added(0, "[UNK]", true), added(6, "N", true)]);
        }),
    );
    let encoded = house.run(&["tokenizer", "encode", "-t", "n.json", "n.fa", "-o", "ids"]).well();
    assert!(encoded.err.contains("7 tokens"), "{}", encoded.err);
    assert_eq!(std::fs::read_to_string(house.path("ids")).unwrap(), "2 3 4 6 6 5 2\n");
    assert_eq!(house.run(&["tokenizer", "decode", "-t", "n.json", "ids"]).well().out, "ACGNNTA\n");
    house.write("wrong.json", by_hand(&tokens, |file| file["added_tokens"] = serde_json::json!([added(9, "N", true)])));
    house.run(&["tokenizer", "encode", "-t", "wrong.json", "n.fa"]).failed(3, &["\"N\"", "the id 9", "gives it 6"]);
}

#[test]
fn converted_files_lose_nothing_or_are_refused() {
    let house = House::new();
    let listed = ["<unk>", "<s>", "A", "C", "G", "T", "ACG"];
    let scored: Vec<serde_json::Value> = listed.iter().map(|token| serde_json::json!([token, -1.5])).collect();
    house.write(
        "u.json",
        by_hand(&[], |file| {
            file["model"] =
                serde_json::json!({"type": "Unigram", "unk_id": 0, "vocab": scored, "byte_fallback": false});
            file["added_tokens"] = serde_json::json!([added(0, "<unk>", true), added(1, "<s>", true)]);
        }),
    );
    let text = house.run(&["tokenizer", "convert", "u.json", "--to", "text", "-o", "-"]).well();
    assert_eq!(text.out.lines().collect::<Vec<_>>(), listed);
    assert!(text.err.contains("7 entries"), "{}", text.err);
    let pair = |file: &str| house.run(&["tokenizer", "convert", file, "--to", "vocab-merges", "-o", "pair"]);
    pair("u.json").failed(2, &["no merges"]);
    let tokens = ["[UNK]", "A", "C", "G", "T", "N"];
    type Set = fn(&mut serde_json::Value);
    let settings: [(&str, Set); 5] = [
        ("fuse_unk", |file| file["model"]["fuse_unk"] = true.into()),
        ("unk_token", |file| file["model"]["unk_token"] = "N".into()),
        ("normalizer", |file| file["normalizer"] = serde_json::json!({"type": "NFC"})),
        ("pre_tokenizer", |file| {
            file["pre_tokenizer"] = serde_json::json!({"type": "Split", "pattern": {"String": "N"}, "behavior": "Isolated", "invert": false});
        }),
        ("added token", |file| file["added_tokens"] = serde_json::json!([added(5, "N", false)])),
    ];
    for (word, set) in settings {
        house.write(
            "b.json",
            by_hand(&tokens, |file| {
                file["model"]["unk_token"] = "[UNK]".into();
                set(file);
            }),
        );
        pair("b.json").failed(3, &["vocab.json and merges.txt cannot represent", word, "keep it as a tokenizer.json"]);
        assert!(!house.path("pair").exists(), "{word}");
    }
}

#[test]
fn settings_that_make_bases_depend_on_their_place_are_named() {
    let house = House::new();
    house.write("n.fa", ">x\nACGT\n");
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        house.write("t.json", by_hand(&["A", "C", "G", "T", "##A"], |file| file["model"][key] = "##".into()));
        house.run(&["tokenizer", "encode", "-t", "t.json", "n.fa"]).failed(3, &[key, "\"##\"", "help: train", "null"]);
    }
}

/// Where a file merges unknown letters, their number is lost in the ids: a note says so, and spans keep it.
#[test]
fn letters_that_a_file_joins_are_counted() {
    let house = House::new();
    house.write("n.fa", ">a\nACNNNGT\n>b\nNN\n");
    let file = |fuse: bool| {
        serde_json::json!({"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
            "post_processor": null, "decoder": null, "model": {"type": "BPE", "dropout": null, "unk_token": "?",
            "fuse_unk": fuse, "vocab": {"?": 0, "A": 1, "C": 2, "G": 3, "T": 4}, "merges": []}})
    };
    house.write("fused.json", file(true).to_string());
    house.write("apart.json", file(false).to_string());
    let encode = |name: &str, format: &str| house.run(&["tokenizer", "encode", "-t", name, "--format", format, "n.fa"]);
    let fused = encode("fused.json", "text").well();
    assert_eq!(fused.out, "1 2 0 3 4\n0\n");
    assert!(fused.err.contains("note: 3 letters share a token"), "{}", fused.err);
    house.write("ids.txt", &fused.out);
    let back = house.run(&["tokenizer", "decode", "-t", "fused.json", "ids.txt"]).well();
    assert_eq!(back.out, "ACNGT\nN\n");
    assert!(back.err.contains("note: 2 unknown tokens may stand for several letters"), "{}", back.err);
    assert!(encode("fused.json", "bed").well().out.contains("a\t2\t5\t0\n"));
    let apart = encode("apart.json", "text").well();
    assert_eq!(apart.out, "1 2 0 0 0 3 4\n0 0\n");
    assert!(!apart.err.contains("note:"), "{}", apart.err);
}
