//! Files as they are found in practice: line ends of old systems, byte order marks, padding, duplicate names, other kinds of files.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use experiment::record::{BlockScore, Outcome};

use crate::dir::{RunOutput, TestDir, gzip, small};

#[test]
fn a_carriage_return_ends_a_line_everywhere() {
    let dir = TestDir::new();
    for (name, text) in [
        ("mac.fa", "\u{feff}>m1 x\rAC\rGT\r>m2\rGG\n>u1\r\nTT\n"),
        ("mac.fq", "@m1\rACGT\r+\r!!!!\r@m2\rGG\r+\r!!\r@u1\nTT\n+\n!!\n"),
        ("mac.csv", "sequence\rACGT\rGG\rTT\r"),
    ] {
        dir.write(name, text);
        dir.write(&format!("{name}.gz"), gzip(text.as_bytes()));
        for file in [name.to_owned(), format!("{name}.gz")] {
            let output = dir.run(&["tokenizer", "encode", "-t", "base", &file, "-o", "ids"]).success();
            assert_eq!(std::fs::read_to_string(dir.path("ids")).unwrap(), "5 6 7 8\n7 7\n8 8\n", "{file}");
            assert!(output.err.contains("3 records, 8 bases"), "{}", output.err);
        }
    }
    // Ids too.
    dir.write("mac.ids", "\u{feff}5 6 7 8\r7 7\r\n\r8 8");
    let back = dir.run(&["tokenizer", "decode", "-t", "base", "mac.ids"]).success();
    assert_eq!(back.out, "ACGT\nGG\n\nTT\n");
}

#[test]
fn padding_after_gzip_is_skipped_and_other_bytes_are_refused() {
    let dir = TestDir::new();
    let packed = gzip(b">a\nACGT\n");
    dir.write("pad.fa.gz", [&packed[..], &[0; 512]].concat());
    assert_eq!(dir.run(&["tokenizer", "encode", "-t", "base", "pad.fa.gz"]).success().out, "5 6 7 8\n");
    dir.write("more.fa.gz", [&packed[..], b"rubbish"].concat());
    let told = ["more.fa.gz: 7 bytes after the end of the gzip stream are not gzip", "gunzip -c FILE > NEW"];
    dir.run(&["tokenizer", "encode", "-t", "base", "more.fa.gz"]).failed(3, &told);
}

#[test]
fn duplicate_and_missing_record_names_are_made_unique() {
    let dir = TestDir::new();
    dir.write("d.fa", ">chr1 x\nAC\n>chr2\nGG\n>chr1 y\nTT\n>\nA\n");
    dir.write("e.fa", ">chr1.2\nC\n");
    let bed = |more: &[&str]| {
        let args =
            [&["tokenizer", "encode", "-t", "kmer2-nonoverlap", "--format", "bed", "d.fa", "e.fa"], more].concat();
        dir.run(&args).success()
    };
    let output = bed(&[]);
    let names: Vec<&str> = output.out.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(names, ["chr1", "chr2", "chr1.2", "record_4", "chr1.2.2"]);
    assert!(output.err.contains("; 2 with the name of an earlier record; 1 without a name;"), "{}", output.err);
    let both = bed(&["--both-strands"]);
    let names: Vec<&str> = both.out.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(
        names,
        ["chr1", "chr1", "chr2", "chr2", "chr1.2", "chr1.2", "record_4", "record_4", "chr1.2.2", "chr1.2.2"]
    );

    let bases = "ACGTTGCATT".repeat(300);
    dir.write("g.fa", format!(">chr1\n{bases}\n>chr1\n{bases}\n>own\nGATTACA{bases}\n"));
    let look = |place: &str| dir.run(&["look", "-t", "base", "--corpus", "g.fa", "--locus", place, "--json"]);
    look("chr1:1-4").failed(2, &["2 records of the corpus g are called \"chr1\"", "--sequence"]);
    look("chr2:1-4").failed(2, &["no record \"chr2\""]);
    assert!(look("own:1-4").success().out.contains("\"GATT\""));
    let planned = dir.run(&["plan", "-t", "base", "--corpus", "g.fa", "--window", "120", "--scoring-bases", "120"]);
    assert!(planned.err.contains("; 1 with the name of an earlier record;"), "{}", planned.err);
}

#[test]
fn tables_that_would_be_misread_are_refused() {
    let dir = TestDir::new();
    let rows = |mark: &str| format!("sequence,label\nACGT,0\n{mark},1\n");
    for (name, text, told) in [
        ("nan.csv", rows("nan"), "nan.csv: record '2', line 3: missing value \"nan\" instead of a sequence"),
        ("na.csv", rows("NA"), "na.csv: record '2', line 3: missing value \"NA\" instead of a sequence"),
        ("none.csv", rows(""), "none.csv: record '2', line 3: empty sequence"),
        ("twice.csv", "sequence,label,Label\nACGT,0,1\n".to_owned(), "twice.csv: line 1: 2 columns are named 'label'"),
    ] {
        dir.write(name, text);
        dir.run(&["plan", "-t", "base", "--corpus", "order1", "--task", name]).failed(3, &[told, "help:"]);
    }
    dir.write("twice.csv", "sequence,Sequence\nACGT,GG\n");
    dir.run(&["tokenizer", "encode", "-t", "base", "twice.csv"]).failed(3, &["2 columns are named 'sequence'"]);
}

#[test]
fn files_of_other_kinds_are_called_by_their_name() {
    let dir = TestDir::new();
    let utf16: Vec<u8> = "\u{feff}sequence,label\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, told) in [
        (b"BZh91AY&SY\x8f\x01".to_vec(), ["unsupported file format: bzip2", "bzip2 -dc FILE > NEW"]),
        (b"\x28\xb5\x2f\xfd\x24\x09".to_vec(), ["unsupported file format: Zstandard", "zstd -dc FILE > NEW"]),
        (gzip(&gzip(b">a\nACGT\n")), ["unsupported file format: gzip inside gzip", "gunzip -c FILE > NEW.gz"]),
        (utf16.clone(), ["unsupported file format: UTF-16 text", "iconv -f UTF-16"]),
    ] {
        dir.write("x", content);
        dir.run(&["tokenizer", "encode", "-t", "base", "x"]).failed(3, &told);
        dir.run(&["plan", "-t", "base", "--corpus", "x"]).failed(3, &told);
        dir.run(&["plan", "-t", "base", "--corpus", "order1", "--task", "./x"]).failed(3, &told);
    }
    dir.write("t.tsv", "id\tsequence\n1\tACGT\n");
    let output = dir.run(&["tokenizer", "encode", "-t", "base", "t.tsv"]).success();
    assert_eq!(output.out, "5 6 7 8\n");
    assert!(output.err.contains("columns separated by tabs"), "{}", output.err);
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_text() {
    let dir = TestDir::new();
    let marked = |text: &str| format!("\u{feff}{text}");
    dir.write("g.fa", format!("\u{feff}>one\n{}\n", "ACGTTGCATTGATTACA".repeat(200)));
    dir.write(
        "corpus.toml",
        marked("name = 'c'\nspecies = [{ name = 's', files = ['g.fa'] }]\nsplit = { block = 300 }\n"),
    );
    dir.write("task.toml", marked("name = 'mine'\n[synthetic]\nkind = 'motif'\nrows = 40\nheld_out = 10\n"));
    dir.write("q.toml", marked(&small("'base'", "corpus.toml", 2_000, 1)));
    dir.run(&["plan", "q.toml", "--task", "task.toml"]).success();
    dir.run(&["look", "-t", "base", "--corpus", "corpus.toml", "--locus", "one:1-5"]).success();
    // Records.
    dir.write("q.toml", small("'base'", "order1", 2_000, 1));
    dir.run(&["compare", "q.toml", "--output", "out"]).success();
    let records = dir.path("out/records.jsonl");
    dir.write("plain.jsonl", std::fs::read(&records).unwrap());
    dir.write("marked.jsonl", marked(&std::fs::read_to_string(&records).unwrap()));
    assert_eq!(dir.run(&["report", "marked.jsonl"]).success().out, dir.run(&["report", "plain.jsonl"]).success().out);
    // A vocabulary and its merges.
    dir.run(&["tokenizer", "train", "--vocab-size", "12", "-o", "t.json", "g.fa"]).success();
    dir.run(&["tokenizer", "convert", "t.json", "--to", "vocab-merges", "-o", "pair"]).success();
    let expected = dir.run(&["tokenizer", "encode", "-t", "t.json", "g.fa"]).success().out;
    for file in ["pair/vocab.json", "pair/merges.txt", "t.json"] {
        dir.write(file, marked(&std::fs::read_to_string(dir.path(file)).unwrap()));
    }
    dir.run(&["tokenizer", "convert", "pair", "-o", "back.json"]).success();
    for file in ["back.json", "t.json"] {
        assert_eq!(dir.run(&["tokenizer", "encode", "-t", file, "g.fa"]).success().out, expected, "{file}");
    }
    // The other mark means another encoding.
    for (name, args) in [
        ("w.toml", &["plan", "w.toml"][..]),
        ("w.toml", &["plan", "-t", "base", "--corpus", "w.toml"]),
        ("w.json", &["tokenizer", "inspect", "w.json"]),
        ("w.jsonl", &["report", "w.jsonl"]),
    ] {
        dir.write(name, "\u{feff}{} name = 'x'".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
        dir.run(args).failed(3, &["unsupported file format: UTF-16 text", "iconv -f UTF-16"]);
    }
}

#[test]
fn control_characters_in_errors_are_escaped() {
    let dir = TestDir::new();
    dir.write("c.fa", format!(">\u{1b}[31m{}\nAC-T\n", "x".repeat(1_000_000)));
    let name = format!("\u{1b}[2J{}\u{7}", "y".repeat(100_000));
    dir.write("h.csv", format!("{},seq\nA,C\n", "z\u{9b}".repeat(50_000)));
    for (args, quoted) in [
        (&["tokenizer", "encode", "-t", "base", "c.fa"][..], "record '\\u{1b}[31mxxx"),
        (&["tokenizer", "encode", "-t", "base", "h.csv"], "found: z\\u{9b}z"),
        (&["look", "--sequence", "ACGT", "-t", &name], "[2Jyyy"),
        (&["plan", "-t", "base", "--corpus", &name], "[2Jyyy"),
        (&["plan", "-t", "base", "--task", &name], "[2Jyyy"),
        (&["plan", "-t", "base", "--bases", &name], "invalid value 'yyy"),
    ] {
        let failed = dir.run(args);
        let shown: String = failed.err.chars().take(300).collect();
        assert!(failed.code > 1 && failed.err.contains(quoted), "{shown:?}");
        assert!(failed.err.len() < 8_000 && !failed.err.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{shown:?}");
    }
}

/// A writer that gives its first byte and waits: what it writes is what it is.
#[test]
fn a_slow_pipe_is_read_as_a_file_is() {
    let dir = TestDir::new();
    let packed = gzip(b">a\nACGT\n");
    for text in [&b"sequence\nACGT\n"[..], b"id\tsequence\n1\tACGT\n", "\u{feff}>a\nACGT\n".as_bytes(), &packed] {
        let mut command = dir.command(&["tokenizer", "encode", "-t", "base", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
        let mut input = child.stdin.take().expect("a pipe");
        for part in [&text[..1], &text[1..3], &text[3..]] {
            input.write_all(part).expect("a reader");
            std::thread::sleep(Duration::from_millis(100));
        }
        drop(input);
        let output = RunOutput::new(&child.wait_with_output().expect("output")).success();
        assert_eq!(output.out, "5 6 7 8\n");
    }
}

/// A BED file divides the same bits: what the classes of a species cost is what the species costs.
#[test]
fn region_classes_are_a_division_of_the_total() {
    let dir = TestDir::new();
    let text = "ACGTTGCATTGATTACACCAGGTTA".repeat(240);
    dir.write("g.fa", format!(">one\n{}\n>two\n{}\n", &text[..3000], &text[3000..]));
    let corpus =
        "name = 'c'\nspecies = [{ name = 's', files = ['g.fa'], regions = 'r.bed' }]\nsplit = { block = 300 }\n";
    dir.write("corpus.toml", corpus);
    dir.write("q.toml", small("'base', 'bpe32'", "corpus.toml", 2_000, 2));
    dir.write("r.bed", "one\t10\t20\ttoo short\none\t40\t3001\n");
    dir.run(&["compare", "q.toml", "--output", "out"])
        .failed(3, &["r.bed: line 2: the interval ends at 3001, but one has 3000"]);
    dir.write(
        "r.bed",
        "#chrom\tstart\tend\tname\none\t0\t1500\tgene\ntwo\t0\t3000\tgene\none\t200\t900\texon\nX\t1\t2\texon\n",
    );
    let output = dir.run(&["compare", "q.toml", "--output", "out"]).success();
    assert!(
        output
            .err
            .contains("s: bases by region class: other 1,500, gene 3,800, exon 700; 1 intervals on other sequences")
    );
    assert!(output.out.contains("bits per masked base of s by region class"), "{}", output.out);
    for record in dir.records("out") {
        let Outcome::Pretrained(done) = record.outcome else { panic!() };
        let blocks: f64 = done.blocks.iter().map(BlockScore::total).sum();
        let regions: f64 = done.regions.iter().map(|region| region.bits).sum();
        assert!((blocks - regions).abs() < 1e-6 * blocks, "{blocks} {regions}");
        let bases: [u64; 2] = [
            done.blocks.iter().map(|block| block.score.bases).sum(),
            done.regions.iter().map(|region| region.bases).sum(),
        ];
        assert_eq!(bases[0], bases[1]);
    }
    assert!(
        std::fs::read_to_string(dir.path("out/table.csv")).unwrap().contains("bits per base by region class,s gene")
    );
}

/// A committed experiment can name a tokenizer of the data folder; a file of the current folder comes first.
#[test]
fn tokenizers_are_found_in_the_data_folder() {
    let dir = TestDir::new();
    dir.write("g.fa", format!(">one\n{}\n", "ACGTTGCATTGATTACA".repeat(200)));
    for (path, entries) in [("data/tokenizers/t.json", "20"), ("tokenizers/t.json", "30")] {
        std::fs::create_dir_all(dir.path(path).parent().unwrap()).unwrap();
        dir.run(&["tokenizer", "train", "--vocab-size", entries, "-o", path, "g.fa"]).success();
    }
    dir.write("q.toml", small("'file:tokenizers/t.json'", "order1", 2_000, 1));
    let key = || {
        let plan = dir.run(&["plan", "q.toml", "--data", "data", "--json"]).success().out;
        let json: serde_json::Value = serde_json::from_str(&plan).unwrap();
        json["jobs"][0]["run"]["work"]["tokenizer"].as_str().unwrap().to_owned()
    };
    let here = key();
    std::fs::remove_dir_all(dir.path("tokenizers")).unwrap();
    let there = key();
    assert!(here != there && there.starts_with("file:t@"), "{here} {there}");
    let audit = ["audit", "-t", "file:tokenizers/t.json", "--corpus", "order1", "--data", "data"];
    dir.run(&audit).success();
    dir.run(&audit[..5]).failed(3, &["tokenizers/t.json"]);
}
