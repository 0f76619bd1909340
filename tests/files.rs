//! Tokenizer files written by hand: they are followed exactly, or refused.

use crate::dir::TestDir;

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
    let dir = TestDir::new();
    dir.write("t.json", by_hand(&["A", "C", "G", "T"], |_| ()));
    dir.write("n.fa", ">x\nACGNNTA\n");
    dir.write("plain.fa", ">x\nACGTA\n");
    for format in [&["text"][..], &["bed"], &["npy", "-o", "x.npy"], &["parquet", "-o", "x.parquet"]] {
        let encode = [&["tokenizer", "encode", "-t", "t.json", "n.fa", "--format"], format].concat();
        dir.run(&encode).failed(3, &["record \"x\", base 4: N has no token in t.json", "unk_token"]);
    }
    assert!(!dir.names().iter().any(|name| name.starts_with("x.")));
    assert_eq!(dir.run(&["tokenizer", "encode", "-t", "t.json", "plain.fa"]).success().out, "0 1 2 3 0\n");
    // For a model N is [UNK], and the following tokens keep their positions.
    let look = dir.run(&["look", "-t", "base,file:t.json", "--sequence", "ACGNNTACGT", "--json"]).success().out;
    let look: serde_json::Value = serde_json::from_str(&look).unwrap();
    let spans: Vec<String> = look["cuts"].as_array().unwrap().iter().map(|row| row["spans"].to_string()).collect();
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0], spans[1]);
    // A normalizer that leaves letters out, and an unknown token that takes bases with it.
    let replace = serde_json::json!({"type": "Replace", "pattern": {"String": "N"}, "content": ""});
    dir.write("out.json", by_hand(&["A", "C", "G", "T"], |file| file["normalizer"] = replace));
    dir.run(&["tokenizer", "encode", "-t", "out.json", "n.fa"])
        .failed(3, &["base 4: the normalizer or the pre-tokenizer of out.json removes N"]);
}

#[test]
fn unknown_letters_come_back_where_special_tokens_are_absent() {
    let dir = TestDir::new();
    dir.write("n.fa", ">x\nACGNNTA\n");
    let tokens = ["[UNK]", "[PAD]", "A", "C", "G", "T"];
    dir.write("t.json", by_hand(&tokens, |file| file["model"]["unk_token"] = "[UNK]".into()));
    dir.run(&["tokenizer", "encode", "-t", "t.json", "n.fa", "-o", "ids"]).success();
    assert_eq!(std::fs::read_to_string(dir.path("ids")).unwrap(), "2 3 4 0 0 5 2\n");
    assert_eq!(dir.run(&["tokenizer", "decode", "-t", "t.json", "ids"]).success().out, "ACGNNTA\n");
    let inspected = dir.run(&["tokenizer", "inspect", "t.json"]).success().out;
    assert!(inspected.contains("  6 entries: 2 special, 4 of A, C, G, T\n"), "{inspected}");
    dir.write("bare.json", by_hand(&["A", "C", "G", "T"], |_| ()));
    let inspected = dir.run(&["tokenizer", "inspect", "bare.json", "--json"]).success().out;
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!((&inspected["entries"], &inspected["special"]), (&4.into(), &0.into()));
}

#[test]
fn special_ids_are_those_of_the_post_processor() {
    let dir = TestDir::new();
    dir.write("n.fa", ">x\nACGT\n");
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
        dir.write("t.json", by_hand(&tokens, |file| file["post_processor"] = post_processor));
        dir.run(&["tokenizer", "encode", "--specials", "-t", "t.json", "n.fa", "-o", "ids"])
    };
    let ids = || std::fs::read_to_string(dir.path("ids")).unwrap();
    encode(template(&["[CLS]", "$A"], &[("[CLS]", 0)])).success();
    assert_eq!(ids(), "0 5 6 7 8\n");
    encode(template(&["$A", "[SEP]", "[SEP]"], &[("[SEP]", 1)])).success();
    assert_eq!(ids(), "5 6 7 8 1 1\n");
    encode(serde_json::json!({"type": "BertProcessing", "cls": ["[CLS]", 0], "sep": ["[SEP]", 1]})).success();
    assert_eq!(ids(), "0 5 6 7 8 1\n");
    let bare = encode(serde_json::Value::Null).success();
    assert!(bare.err.contains("adds no special tokens"), "{}", bare.err);
    assert_eq!(ids(), "5 6 7 8\n");
    encode(template(&["<s>", "$A", "</s>"], &[("<s>", 2), ("</s>", 3)])).success();
    assert_eq!(ids(), "2 5 6 7 8 3\n");
    // Two names of one meaning are two tokens.
    assert_eq!(dir.run(&["tokenizer", "decode", "-t", "t.json", "ids"]).success().out, "ACGT\n");
    let inspected = dir.run(&["tokenizer", "inspect", "t.json"]).success().out;
    assert!(inspected.contains("  9 entries: 5 special, 4 of A, C, G, T\n"), "{inspected}");
    for format in ["npy", "parquet"] {
        let args = ["tokenizer", "encode", "--specials", "-t", "t.json", "n.fa", "--format", format, "-o", "x"];
        dir.run(&args).success();
    }
    let array = std::fs::read(dir.path("x.offsets.npy")).unwrap();
    assert_eq!(u64::from_le_bytes(array[array.len() - 8..].try_into().unwrap()), 6);
    // What cannot be followed.
    encode(template(&["<s>", "$A"], &[])).failed(3, &["post_processor", "\"<s>\"", "help:"]);
    encode(template(&["<s>", "$A"], &[("<s>", 5)])).failed(3, &["the id 5", "the token of the letters \"A\""]);
    encode(template(&["<s>", "$A"], &[("<s>", 99)])).failed(3, &["the id 99", "which is not in its vocabulary"]);
    encode(template(&["<s>", "$A", "$A"], &[("<s>", 2)])).failed(3, &["sequence A 2 times, not once"]);
    encode(template(&["<s>"], &[("<s>", 2)])).failed(3, &["sequence A 0 times, not once"]);
}

#[test]
fn special_tokens_that_are_spelled_in_letters_are_matched() {
    let dir = TestDir::new();
    dir.write("n.fa", ">x\nACGNNTA\n");
    let tokens = ["[UNK]", "[CLS]", "A", "C", "G", "T"];
    dir.write(
        "n.json",
        by_hand(&tokens, |file| {
            file["model"]["unk_token"] = "[UNK]".into();
            file["added_tokens"] = serde_json::json!([added(0, "[UNK]", true), added(6, "N", true)]);
        }),
    );
    let encoded = dir.run(&["tokenizer", "encode", "-t", "n.json", "n.fa", "-o", "ids"]).success();
    assert!(encoded.err.contains("7 tokens"), "{}", encoded.err);
    assert_eq!(std::fs::read_to_string(dir.path("ids")).unwrap(), "2 3 4 6 6 5 2\n");
    assert_eq!(dir.run(&["tokenizer", "decode", "-t", "n.json", "ids"]).success().out, "ACGNNTA\n");
    dir.write("wrong.json", by_hand(&tokens, |file| file["added_tokens"] = serde_json::json!([added(9, "N", true)])));
    dir.run(&["tokenizer", "encode", "-t", "wrong.json", "n.fa"]).failed(3, &["\"N\"", "the id 9", "gives it 6"]);
}

#[test]
fn converted_files_lose_nothing_or_are_refused() {
    let dir = TestDir::new();
    let listed = ["<unk>", "<s>", "A", "C", "G", "T", "ACG"];
    let scored: Vec<serde_json::Value> = listed.iter().map(|token| serde_json::json!([token, -1.5])).collect();
    dir.write(
        "u.json",
        by_hand(&[], |file| {
            file["model"] =
                serde_json::json!({"type": "Unigram", "unk_id": 0, "vocab": scored, "byte_fallback": false});
            file["added_tokens"] = serde_json::json!([added(0, "<unk>", true), added(1, "<s>", true)]);
        }),
    );
    let text = dir.run(&["tokenizer", "convert", "u.json", "--to", "text", "-o", "-"]).success();
    assert_eq!(text.out.lines().collect::<Vec<_>>(), listed);
    assert!(text.err.contains("7 entries"), "{}", text.err);
    let pair = |file: &str| dir.run(&["tokenizer", "convert", file, "--to", "vocab-merges", "-o", "pair"]);
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
        dir.write(
            "b.json",
            by_hand(&tokens, |file| {
                file["model"]["unk_token"] = "[UNK]".into();
                set(file);
            }),
        );
        pair("b.json").failed(3, &["vocab.json and merges.txt cannot represent", word, "keep it as a tokenizer.json"]);
        assert!(!dir.path("pair").exists(), "{word}");
    }
}

#[test]
fn settings_that_make_bases_depend_on_their_place_are_named() {
    let dir = TestDir::new();
    dir.write("n.fa", ">x\nACGT\n");
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        dir.write("t.json", by_hand(&["A", "C", "G", "T", "##A"], |file| file["model"][key] = "##".into()));
        dir.run(&["tokenizer", "encode", "-t", "t.json", "n.fa"]).failed(3, &[key, "\"##\"", "help: train", "null"]);
    }
}

/// Where a file merges unknown letters, their number is lost in the ids: a note says so, and spans keep it.
#[test]
fn letters_that_a_file_joins_are_counted() {
    let dir = TestDir::new();
    dir.write("n.fa", ">a\nACNNNGT\n>b\nNN\n");
    let file = |fuse: bool| {
        serde_json::json!({"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
            "post_processor": null, "decoder": null, "model": {"type": "BPE", "dropout": null, "unk_token": "?",
            "fuse_unk": fuse, "vocab": {"?": 0, "A": 1, "C": 2, "G": 3, "T": 4}, "merges": []}})
    };
    dir.write("fused.json", file(true).to_string());
    dir.write("apart.json", file(false).to_string());
    let encode = |name: &str, format: &str| dir.run(&["tokenizer", "encode", "-t", name, "--format", format, "n.fa"]);
    let fused = encode("fused.json", "text").success();
    assert_eq!(fused.out, "1 2 0 3 4\n0\n");
    assert!(fused.err.contains("note: 3 letters share a token"), "{}", fused.err);
    dir.write("ids.txt", &fused.out);
    let back = dir.run(&["tokenizer", "decode", "-t", "fused.json", "ids.txt"]).success();
    assert_eq!(back.out, "ACNGT\nN\n");
    assert!(back.err.contains("note: 2 unknown tokens may stand for several letters"), "{}", back.err);
    assert!(encode("fused.json", "bed").success().out.contains("a\t2\t5\t0\n"));
    let apart = encode("apart.json", "text").success();
    assert_eq!(apart.out, "1 2 0 0 0 3 4\n0 0\n");
    assert!(!apart.err.contains("note:"), "{}", apart.err);
}
