//! `tokbench tokenizer`: files in, files out.

use std::io::Write;
use std::process::Stdio;

use crate::dir::TestDir;

const FASTA: &str = ">a first\nACGTNNACG\nacgu\n>b\nACGTACGTAA\n";

/// A text with structure, so that merges exist.
fn genome() -> String {
    let unit = "ACGTTGCATTAGCCATAGGACCATTTACGCGCATATTAGGCCTTAACGT";
    let bases: String = (0..400).flat_map(|i| [&unit[i % 40..], &unit[..(i * 7) % 48]]).collect();
    format!(">one\n{bases}\n")
}

#[test]
fn a_trained_vocabulary_round_trips() {
    let dir = TestDir::new();
    dir.write("g.fa", genome());
    dir.write("f.fa", FASTA);
    let output = dir.run(&["tokenizer", "train", "--vocab-size", "60", "--output", "t.json", "g.fa"]).success();
    assert!(output.err.contains("60 entries learned from"), "{}", output.err);
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path("t.json")).unwrap()).unwrap();
    assert_eq!(file["model"]["merges"].as_array().unwrap().len(), 51);
    // The same file again, and a smaller vocabulary that is its beginning.
    let again = dir.run(&["tokenizer", "train", "--vocab-size", "60", "--output", "-", "g.fa"]).success();
    assert_eq!(again.out.as_bytes(), std::fs::read(dir.path("t.json")).unwrap());
    dir.run(&["tokenizer", "train", "--vocab-size", "30", "--output", "s.json", "g.fa"]).success();
    let small: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path("s.json")).unwrap()).unwrap();
    let merges = |file: &serde_json::Value| file["model"]["merges"].as_array().unwrap().clone();
    assert_eq!(merges(&small)[..], merges(&file)[..merges(&small).len()]);
    // What the tokenizers crate makes of the file.
    let theirs = dir.run(&["look", "--sequence", "ACGTTGCATTAGCC", "--tokenizers", "file:t.json", "--json"]).success();
    assert!(theirs.out.contains("\"spans\""));
    dir.run(&["tokenizer", "encode", "--tokenizer", "t.json", "--output", "ids.txt", "f.fa", "g.fa"]).success();
    let back = dir.run(&["tokenizer", "decode", "--tokenizer", "file:t.json", "ids.txt"]).success();
    let bases = genome().lines().nth(1).unwrap().to_owned();
    assert_eq!(back.out, format!("ACGTNNACGACGT\nACGTACGTAA\n{bases}\n"));
    let inspected = dir.run(&["tokenizer", "inspect", "t.json", "--json"]).success();
    let inspected: serde_json::Value = serde_json::from_str(&inspected.out).unwrap();
    assert_eq!((inspected["entries"].as_u64(), inspected["dna"].as_u64()), (Some(60), Some(55)));
    assert_eq!(dir.names(), ["f.fa", "g.fa", "ids.txt", "s.json", "t.json"]);
}

#[test]
fn both_strands_and_canonical_kmers() {
    let dir = TestDir::new();
    dir.write("f.fa", ">a\nGGTAN\n");
    let encode = |more: &[&str]| dir.run(&[&["tokenizer", "encode", "f.fa", "-t"], more].concat());
    // GG GT TA, then TA AC CC.
    assert_eq!(encode(&["kmer2", "--both-strands"]).success().out, "15 16 17 0\n0 17 6 10\n");
    // GG is CC and GT is AC on the reverse strand.
    assert_eq!(encode(&["kmer2", "--canonical"]).success().out, "10 6 17 0\n");
    let bed = encode(&["kmer4-nonoverlap", "--both-strands", "--format", "bed"]).success().out;
    let [given, other] = [5 + 0b10_10_11_00, 5 + 0b11_00_01_01];
    let lines = ["0\t4\tG\t0\t+", "4\t5\t0\t0\t+", "4\t5\t0\t0\t-", "0\t4\tO\t0\t-"];
    let lines = lines.map(|line| format!("a\t{line}\n")).concat();
    assert_eq!(bed, lines.replace('G', &given.to_string()).replace('O', &other.to_string()));
    encode(&["kmer2", "--both-strands", "--format", "parquet", "--output", "x.parquet"]).success();
    let table = std::fs::read(dir.path("x.parquet")).unwrap();
    assert!(table.windows(4).any(|bytes| bytes == b"a/rc"));
    // K-mers that are too many for a model, and decoded.
    let long = encode(&["kmer12", "--output", "ids"]).success();
    assert!(long.err.contains("2 tokens"), "{}", long.err);
    assert_eq!(dir.run(&["tokenizer", "decode", "-t", "kmer12", "ids"]).success().out, "GGTAN\n");
    dir.run(&["compare", "--tokenizers", "base,kmer12"]).failed(2, &["\"kmer12\"", "use K <= 8"]);
    dir.write("g.fa", genome());
    dir.run(&["tokenizer", "train", "--vocab-size", "30", "--output", "t.json", "g.fa"]).success();
    encode(&["t.json", "--canonical"]).failed(2, &["no canonical k-mers", "--both-strands"]);
    encode(&["kmer6-nonoverlap", "--canonical"]).failed(2, &["same k-mers on both strands", "kmer6)"]);
    // A file without ids for the frame, and an array of offsets that would take the place of what is read.
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path("t.json")).unwrap()).unwrap();
    for name in ["[CLS]", "[SEP]"] {
        file["model"]["vocab"].as_object_mut().unwrap().remove(name);
    }
    file["added_tokens"] = serde_json::json!([]);
    file["post_processor"] = serde_json::Value::Null;
    dir.write("bare.json", file.to_string());
    encode(&["bare.json"]).success();
    // As in the tokenizers crate: without special tokens around a sequence there are only its ids.
    let specials = encode(&["bare.json", "--specials"]).success();
    assert_eq!(specials.out, encode(&["bare.json"]).success().out);
    assert!(specials.err.contains("adds no special tokens"), "{}", specials.err);
    dir.write("y.offsets.npy", FASTA);
    dir.run(&["tokenizer", "encode", "-t", "base", "--format", "npy", "--output", "y", "y.offsets.npy"])
        .failed(2, &["y.offsets.npy"]);
    dir.run(&["tokenizer", "convert", "--output", "w.json", "kmer9-nonoverlap"]).failed(2, &["use K <= 8"]);
}

#[test]
fn formats_of_tokens() {
    let dir = TestDir::new();
    dir.write("f.fa", FASTA);
    let encode = |more: &[&str]| {
        let args = [&["tokenizer", "encode", "--tokenizer", "kmer3-nonoverlap"], more].concat();
        dir.run(&args).success()
    };
    let text = encode(&["f.fa"]);
    // ACG is the seventh 3-mer, T the last 1-mer; special tokens are 0 to 4.
    assert_eq!(text.out.lines().next(), Some("11 88 0 0 11 11 88"));
    assert!(
        text.err.contains("2 records, 23 bases; 4 lower-case letters raised; 1 U read as T; 2 N; 11 tokens"),
        "{}",
        text.err
    );
    assert_eq!(encode(&["f.fa", "--specials"]).out.lines().next(), Some("1 11 88 0 0 11 11 88 2"));
    let bed = encode(&["f.fa", "--format", "bed"]);
    assert_eq!(bed.out.lines().take(3).collect::<Vec<_>>(), ["a\t0\t3\t11", "a\t3\t4\t88", "a\t4\t5\t0"]);
    encode(&["f.fa", "--format", "npy", "--output", "x.npy"]);
    let array = std::fs::read(dir.path("x.npy")).unwrap();
    assert!(array.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<u2', 'fortran_order': False, 'shape': (11,), }"));
    assert_eq!(array.len(), 128 + 2 * 11);
    assert_eq!(array[128..132], [11, 0, 88, 0]);
    let offsets = std::fs::read(dir.path("x.npy.offsets.npy")).unwrap();
    let numbers: Vec<u64> = offsets[128..].chunks(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).collect();
    assert_eq!(numbers, [0, 7, 11]);
}

/// What is in the file is read back in a test of the command's own.
#[test]
fn a_table_of_ids() {
    let dir = TestDir::new();
    dir.write("f.fa", FASTA);
    let encode =
        |more: &[&str]| dir.run(&[&["tokenizer", "encode", "--format", "parquet", "f.fa", "-t"], more].concat());
    encode(&["base", "--output", "x.parquet"]).success();
    let file = std::fs::read(dir.path("x.parquet")).unwrap();
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
    assert!(file.windows(9).any(|bytes| bytes == b"input_ids"));
    // Standard output is allowed, but for a terminal.
    let mut command = dir.command(&["tokenizer", "encode", "--format", "parquet", "f.fa", "-t", "base"]);
    assert_eq!(command.output().unwrap().stdout, file);
}

#[test]
fn converted_tokenizers_give_the_same_ids() {
    let dir = TestDir::new();
    dir.write("g.fa", genome());
    dir.write("f.fa", FASTA);
    let convert = |args: &[&str]| dir.run(&[&["tokenizer", "convert"], args].concat()).success();
    let ids = |tokenizer: &str| dir.run(&["tokenizer", "encode", "-t", tokenizer, "g.fa", "f.fa"]).success().out;
    let bytes = |name: &str| std::fs::read(dir.path(name)).unwrap();
    let train = |size: &str, name: &str| {
        dir.run(&["tokenizer", "train", "--vocab-size", size, "--output", name, "g.fa"]).success();
    };
    train("60", "t.json");
    // One training gives every smaller vocabulary.
    train("30", "s.json");
    convert(&["t.json", "--vocab-size", "30", "--output", "cut.json"]);
    assert_eq!(bytes("cut.json"), bytes("s.json"));
    convert(&["t.json", "--vocab-size", "9", "--output", "letters.json"]);
    assert_eq!(ids("letters.json"), ids("base"));
    // There and back.
    convert(&["t.json", "--to", "vocab-merges", "--output", "pair"]);
    assert!(bytes("pair/merges.txt").starts_with(b"#version: 0.2\n"));
    convert(&["pair", "--output", "back.json"]);
    assert_eq!(bytes("back.json"), bytes("t.json"));
    convert(&["pair/merges.txt", "--vocab-size", "30", "--output", "back.json"]);
    assert_eq!(ids("back.json"), ids("s.json"));
    // Non-overlapping k-mers, encoded by the tokenizers crate.
    for name in ["base", "kmer3-nonoverlap", "kmer6-nonoverlap"] {
        convert(&[name, "--output", "words.json"]);
        assert_eq!(ids("words.json"), ids(name), "{name}");
    }
    let text = convert(&["kmer1", "--to", "text", "--output", "-"]).out;
    assert_eq!(text, "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nA\nC\nG\nT\n");
    let text = convert(&["kmer6", "--to", "text", "--output", "-"]).out;
    assert_eq!(text, convert(&["kmer6-nonoverlap", "--to", "text", "--output", "-"]).out);
    convert(&["t.json", "--to", "text", "--vocab-size", "11", "--output", "t.txt"]);
    assert_eq!(bytes("t.txt").iter().filter(|&&byte| byte == b'\n').count(), 11);
}

#[test]
fn what_cannot_be_converted() {
    let dir = TestDir::new();
    dir.write("g.fa", genome());
    dir.run(&["tokenizer", "train", "--vocab-size", "20", "--output", "t.json", "g.fa"]).success();
    dir.write("bad.json", "[1, 2]");
    dir.write("half/vocab.json", "{}");
    dir.write("no_ids/vocab.json", r#"{"A": "one"}"#);
    dir.write("no_ids/merges.txt", "");
    dir.write("twice/vocab.json", r#"{"A": 0, "C": 0}"#);
    dir.write("twice/merges.txt", "");
    dir.write("absent/vocab.json", r#"{"A": 0, "C": 1, "G": 2, "T": 3}"#);
    dir.write("absent/merges.txt", "#version: 0.2\nA C\n");
    dir.write("three/vocab.json", r#"{"A": 0, "C": 1, "G": 2, "T": 3}"#);
    dir.write("three/merges.txt", "A C G\n");
    dir.write("letters/vocab.json", r#"{"A": 0, "C": 1}"#);
    dir.write("letters/merges.txt", "");
    let convert = |args: &[&str]| dir.run(&[&["tokenizer", "convert", "--output", "new"], args].concat());
    convert(&["kmer6"]).failed(2, &["kmer6", "overlap", "kmer6-nonoverlap"]);
    convert(&["kmer6-nonoverlap", "--to", "vocab-merges"]).failed(2, &["no merges"]);
    convert(&["kmer6-nonoverlap", "--vocab-size", "9"]).failed(2, &["--vocab-size"]);
    convert(&["t.json", "--vocab-size", "21"]).failed(2, &["t.json", "20 entries", "from 9 to 20"]);
    convert(&["t.json", "--vocab-size", "8"]).failed(2, &["from 9 to 20"]);
    convert(&["t.json", "--vocab-size", "-3"]).failed(2, &["positive integer"]);
    convert(&["bpe64"]).failed(2, &["bpe64 must be trained first"]);
    convert(&["nowhere/t.json"]).failed(3, &["nowhere/t.json", "no such file"]);
    convert(&["bad.json"]).failed(3, &["bad.json", "expected an object, found an array"]);
    convert(&["half"]).failed(3, &["half/merges.txt"]);
    convert(&["no_ids"]).failed(3, &["vocab.json", "invalid id of \"A\": \"one\""]);
    convert(&["twice"]).failed(3, &["vocab.json", "same id 0"]);
    convert(&["absent"]).failed(3, &["merges.txt, line 2", "\"AC\" is not in vocab.json"]);
    convert(&["three"]).failed(3, &["merges.txt, line 1", "expected two tokens"]);
    convert(&["letters"]).failed(3, &["letters", "single bases: G, T"]);
    convert(&["t.json", "--to", "merges"]).failed(2, &["huggingface, vocab-merges, text"]);
    let to = |args: &[&str]| dir.run(&[&["tokenizer", "convert", "t.json", "--output"], args].concat());
    to(&["-", "--to", "vocab-merges"]).failed(2, &["two files", "folder"]);
    to(&["half"]).failed(2, &["half is a folder"]);
    to(&["t.json/x/y"]).failed(2, &["t.json/x: t.json is a file, not a folder", "help:"]);
    let all = dir.names();
    assert!(!all.iter().any(|name| name.starts_with("new")), "{all:?}");
}

#[test]
fn standard_input_tables_and_overlapping_kmers() {
    let dir = TestDir::new();
    let mut command = dir.command(&["tokenizer", "encode", "--tokenizer", "kmer4", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"name,sequence\nx,ACGTACNACG\ny,TTTT\n").unwrap();
    let ids = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    dir.write("ids.txt", &ids);
    let back = dir.run(&["tokenizer", "decode", "--tokenizer", "kmer4", "ids.txt"]).success();
    assert_eq!(back.out, "ACGTACNACG\nTTTT\n");
}

#[test]
fn wrong_input_leaves_nothing_behind() {
    let dir = TestDir::new();
    dir.write("g.fa", genome());
    dir.write("bad.fa", ">one\nACGT\n>two\nAC!T\n");
    dir.write("bad.json", "{\"model\"");
    dir.write("ids.txt", "5 6\n5 seven\n");
    dir.write("notes.txt", "nothing here\n");
    let train = |more: &[&str]| dir.run(&[&["tokenizer", "train", "--output", "t.json"], more].concat());
    train(&["--vocab-size", "8", "g.fa"]).failed(2, &["8 is not in 9..=65536"]);
    train(&["--vocab-size", "50000", "g.fa"]).failed(3, &["entries", "smaller vocabulary"]);
    train(&["--vocab-size", "30", "absent.fa"]).failed(3, &["absent.fa", "no such file"]);
    train(&["--vocab-size", "30", "g.fa", "bad.fa"]).failed(3, &["bad.fa", "two", "line 4", "'!'"]);
    train(&["--vocab-size", "30", "notes.txt"]).failed(3, &["notes.txt", "line 1", "expected '>'"]);
    let encode = |more: &[&str]| dir.run(&[&["tokenizer", "encode", "--tokenizer"], more].concat());
    encode(&["bpe64", "g.fa"]).failed(2, &["bpe64 must be trained first", "tokenizer train"]);
    encode(&["mxdna", "g.fa"]).failed(2, &["mxdna is a learned front end"]);
    encode(&["kmr6", "g.fa"]).failed(2, &["did you mean \"kmer6\"?"]);
    encode(&["bad.json", "g.fa"]).failed(3, &["bad.json", "invalid JSON"]);
    encode(&["kmer6", "g.fa", "--format", "npy"]).failed(2, &["--output"]);
    encode(&["kmer6", "g.fa", "--format", "csv"]).failed(2, &["text, npy, bed, parquet"]);
    encode(&[".", "g.fa"]).failed(3, &[". is a folder", "the tokenizer.json in it"]);
    encode(&["nowhere/t.json", "g.fa"]).failed(3, &["nowhere/t.json", "no such file"]);
    encode(&["kmer6", "g.fa", "bad.fa", "--format", "parquet", "--output", "ids"]).failed(3, &["bad.fa", "'!'"]);
    encode(&["kmer6", "g.fa", "--format", "bed", "--specials"]).failed(2, &["--specials"]);
    encode(&["kmer6", "g.fa", "bad.fa", "--output", "ids"]).failed(3, &["bad.fa", "'!'"]);
    // Nothing takes the place of a device.
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        std::os::unix::net::UnixListener::bind(dir.path("socket")).unwrap();
        encode(&["kmer6", "g.fa", "--output", "socket"]).failed(3, &["socket"]);
        assert!(std::fs::metadata(dir.path("socket")).unwrap().file_type().is_socket());
        std::fs::remove_file(dir.path("socket")).unwrap();
    }
    dir.run(&["tokenizer", "decode", "--tokenizer", "kmer6", "ids.txt"]).failed(3, &["ids.txt: line 2", "\"seven\""]);
    assert_eq!(dir.names(), ["bad.fa", "bad.json", "g.fa", "ids.txt", "notes.txt"]);
}

#[test]
fn training_continues_samples_and_counts_both_strands() {
    let dir = TestDir::new();
    dir.write("g.fa", genome());
    dir.write("other.fa", format!(">x\n{}\n", "TTAGGCATTACG".repeat(4_000)));
    let train = |more: &[&str]| dir.run(&[&["tokenizer", "train"], more].concat());
    train(&["--vocab-size", "30", "-o", "small.json", "g.fa"]).success();
    train(&["--vocab-size", "60", "-o", "large.json", "g.fa"]).success();
    train(&["--vocab-size", "60", "-o", "continued.json", "--continue", "small.json", "g.fa"]).success();
    let read = |name: &str| std::fs::read(dir.path(name)).unwrap();
    assert!(read("large.json") == read("continued.json"));
    // Going on with another text keeps every id.
    train(&["--vocab-size", "40", "-o", "mixed.json", "--continue", "small.json", "other.fa"]).success();
    let vocabulary = |name: &str| {
        let file: serde_json::Value = serde_json::from_slice(&read(name)).unwrap();
        file["model"]["vocab"].as_object().unwrap().clone()
    };
    let (small, mixed) = (vocabulary("small.json"), vocabulary("mixed.json"));
    assert!(small.iter().all(|(token, id)| mixed.get(token) == Some(id)) && mixed.len() == 40);
    // On both strands a text and its reverse complement teach the same.
    let other: String = genome()
        .lines()
        .nth(1)
        .unwrap()
        .chars()
        .rev()
        .map(|c| match c {
            'A' => 'T',
            'C' => 'G',
            'G' => 'C',
            _ => 'A',
        })
        .collect();
    dir.write("turned.fa", format!(">one\n{other}\n"));
    let strands = |file: &str| {
        train(&["--vocab-size", "50", "--piece-length", "0", "--both-strands", "-o", "-", file]).success().out
    };
    assert_eq!(strands("g.fa"), strands("turned.fa"));
    let sampled = train(&[
        "--vocab-size",
        "40",
        "-o",
        "w.json",
        "--weights",
        "1,3",
        "--bases",
        "8k",
        "--piece-length",
        "100",
        "g.fa",
        "other.fa",
    ])
    .success();
    assert!(
        sampled.err.contains("g.fa: 2000 of ") && sampled.err.contains("other.fa: 6000 of 48000 bases"),
        "{}",
        sampled.err
    );
    train(&["--vocab-size", "40", "-o", "w.json", "--weights", "1", "g.fa", "other.fa"])
        .failed(2, &["1 weights for 2 files"]);
    train(&["--vocab-size", "40", "-o", "w.json", "--weights", "1,0", "g.fa", "other.fa"])
        .failed(2, &["must be a number > 0"]);
    train(&["--vocab-size", "40", "-o", "w.json", "--bases", "9k", "--piece-length", "0", "g.fa"])
        .failed(2, &["--piece-length"]);
    train(&["--vocab-size", "20", "-o", "w.json", "--continue", "small.json", "g.fa"])
        .failed(3, &["the initial vocabulary already has 30 entries"]);
    train(&["--vocab-size", "60", "-o", "w.json", "--continue", "g.fa", "g.fa"]).failed(3, &["invalid JSON"]);
}

#[test]
fn an_output_never_takes_the_place_of_an_input() {
    let dir = TestDir::new();
    dir.write("g.fa", genome());
    dir.write("f.fa", FASTA);
    let run = |args: &[&str]| dir.run(&[&["tokenizer"], args].concat());
    run(&["train", "--vocab-size", "20", "-o", "t.json", "g.fa"]).success();
    run(&["convert", "t.json", "--to", "vocab-merges", "-o", "pair"]).success();
    let files = ["g.fa", "f.fa", "t.json", "pair/vocab.json", "pair/merges.txt"];
    let read = || files.map(|name| std::fs::read(dir.path(name)).unwrap());
    let before = read();
    let refused = |args: &[&str]| run(args).failed(2, &["is an input, and the output would overwrite it", "--output"]);
    refused(&["encode", "-t", "base", "f.fa", "g.fa", "-o", "g.fa"]);
    refused(&["encode", "-t", "base", "f.fa", "-o", "pair/../f.fa"]);
    refused(&["encode", "-t", "file:t.json", "f.fa", "-o", "t.json"]);
    refused(&["train", "--vocab-size", "20", "g.fa", "-o", "g.fa"]);
    refused(&["convert", "t.json", "--vocab-size", "10", "-o", "t.json"]);
    refused(&["convert", "pair", "--vocab-size", "10", "-o", "pair/vocab.json"]);
    refused(&["convert", "pair/merges.txt", "--to", "vocab-merges", "--vocab-size", "10", "-o", "pair"]);
    assert!(read() == before);
    // A file that is no input may be replaced, and a vocabulary may grow in place.
    run(&["encode", "-t", "base", "f.fa", "-o", "ids"]).success();
    run(&["encode", "-t", "base", "f.fa", "-o", "ids"]).success();
    run(&["train", "--vocab-size", "25", "--continue", "t.json", "-o", "t.json", "g.fa"]).success();
}

#[test]
fn ids_that_are_no_text() {
    let dir = TestDir::new();
    dir.write("ids", b"5 6\n5 \xff\n");
    let decode = dir.run(&["tokenizer", "decode", "-t", "base", "ids"]);
    decode.failed(3, &["ids: line 2: not text (UTF-8)", "help: give lines of ids"]);
}

/// A letter without an id is refused with its position; k-mers must overlap; training continues no file whose settings would be lost.
#[test]
fn what_would_be_lost_is_refused() {
    let dir = TestDir::new();
    dir.write("g.fa", genome());
    dir.write("n.fa", ">one\nACGT\n>two x\nACGNT\n");
    let run = |args: &[&str]| dir.run(&[&["tokenizer"], args].concat());
    run(&["train", "--vocab-size", "20", "-o", "t.json", "g.fa"]).success();
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path("t.json")).unwrap()).unwrap();
    json["model"]["unk_token"] = "[NOPE]".into();
    dir.write("u.json", json.to_string());
    run(&["encode", "-t", "u.json", "n.fa"])
        .failed(3, &["n.fa: record \"two\", base 4: N has no token in u.json", "unk_token"]);
    dir.write("ids", "5 6 7\n");
    run(&["decode", "-t", "kmer3", "ids"]).failed(3, &["ids: line 1: \"7\"", "does not overlap"]);
    json["normalizer"] = serde_json::json!({"type": "Lowercase"});
    dir.write("w.json", json.to_string());
    let again = |file: &str| run(&["train", "--vocab-size", "25", "--continue", file, "-o", "x.json", "g.fa"]);
    again("w.json").failed(3, &["w.json", "A, C, G, T"]);
    dir.write("cut.json", &json.to_string()[..100]);
    again("cut.json").failed(3, &["cut.json", "end of file at line 1", "download it again"]);
    again("t.json").success();
}

#[test]
fn a_tokenizer_on_standard_input() {
    let dir = TestDir::new();
    dir.write("g.fa", genome());
    dir.write("f.fa", FASTA);
    dir.run(&["tokenizer", "train", "--vocab-size", "20", "-o", "t.json", "g.fa"]).success();
    let run = |args: &[&str], bytes: &[u8]| {
        let mut command = dir.command(&[&["tokenizer"], args].concat());
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        // A command that refuses does not read.
        let _ = child.stdin.take().unwrap().write_all(bytes);
        let output = child.wait_with_output().unwrap();
        let text = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let json = std::fs::read(dir.path("t.json")).unwrap();
    let (code, output) = run(&["inspect", "-"], &json);
    let of_file = dir.run(&["tokenizer", "inspect", "t.json"]).success().out;
    assert_eq!(code, Some(0));
    assert!(output.starts_with("standard input\n  20 entries: 5 special, 15 of A, C, G, T\n"), "{output}");
    assert!(output.lines().skip(1).eq(of_file.lines().skip(1)), "{output}{of_file}");
    let (code, output) = run(&["inspect", "-"], b"{\"model\"");
    assert_eq!(code, Some(3));
    assert!(output.contains("standard input") && output.contains("invalid JSON"), "{output}");

    let ids = dir.run(&["tokenizer", "encode", "-t", "t.json", "f.fa"]).success().out;
    assert_eq!(run(&["encode", "-t", "-", "f.fa"], &json), (Some(0), ids.clone()));
    dir.write("ids", &ids);
    let bases = dir.run(&["tokenizer", "decode", "-t", "t.json", "ids"]).success().out;
    assert_eq!(run(&["decode", "-t", "-", "ids"], &json), (Some(0), bases));
    let list = dir.run(&["tokenizer", "convert", "t.json", "--to", "text", "-o", "-"]).success().out;
    assert_eq!(run(&["convert", "-", "--to", "text", "-o", "-"], &json), (Some(0), list));
    let train = ["train", "--vocab-size", "25", "g.fa", "-o", "-", "--continue"];
    let longer = dir.run(&[&["tokenizer"], &train[..], &["t.json"]].concat()).success().out;
    assert_eq!(run(&[&train[..], &["-"]].concat(), &json), (Some(0), longer));
    // One input cannot be two.
    for args in [&["encode", "-t", "-", "f.fa", "-"], &["decode", "-t", "-", "--", "-"][..]] {
        let (code, output) = run(args, &json);
        assert_eq!(code, Some(2));
        assert!(output.contains("cannot both be standard input") && output.contains("help: name a file"), "{output}");
    }
}

#[test]
fn a_figure_never_takes_the_place_of_a_corpus() {
    let dir = TestDir::new();
    dir.write("x.csv", genome());
    let before = std::fs::read(dir.path("x.csv")).unwrap();
    let look = |output: &str| dir.run(&["look", "--corpus", "x.csv", "-t", "base", "-o", output]);
    look("x.svg").failed(2, &["x.csv is an input, and the output would overwrite it"]);
    assert_eq!(std::fs::read(dir.path("x.csv")).unwrap(), before);
    look("y.svg").success();
    // Nor the numbers of an audit.
    std::fs::create_dir(dir.path("out")).unwrap();
    for name in ["audit_all.csv", "audit.csv", "audit_lengths.svg"] {
        let corpus = format!("out/{name}");
        std::fs::copy(dir.path("x.csv"), dir.path(&corpus)).unwrap();
        let audit = dir.run(&["audit", "--corpus", &corpus, "-t", "base", "--bases", "2000", "-o", "out"]);
        audit.failed(2, &[name, "is an input, and the output would overwrite it"]);
        assert_eq!(std::fs::read(dir.path(&corpus)).unwrap(), before);
        std::fs::remove_file(dir.path(&corpus)).unwrap();
    }
}
