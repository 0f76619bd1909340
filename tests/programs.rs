//! Tokenizers that are programs (`exec:`).

use std::process::Command;

use crate::dir::{RunOutput, TestDir, small};

/// `CG` is one token, every other base another; the request `encode` is answered by `encode`.
fn script(vocabulary: &str, encode: &str) -> String {
    format!(
        "while read -r line; do\ncase \"$line\" in\n*vocabulary*) echo '{vocabulary}' ;;\n*) {encode} ;;\nesac\ndone\n"
    )
}

const VOCABULARY: &str = r#"{"name": "cpg", "vocabulary": ["A", "C", "G", "T", "CG"]}"#;

/// Tokens of the sequences of a request, which are every second field between quotation marks from the eighth on.
const ENCODE: &str = r#"printf '%s\n' "$line" | awk -F'"' '{
    out = ""
    for (i = 8; i < NF; i += 2) {
        tokens = ""
        for (at = 0; at < length($i); at += size) {
            size = substr($i, at + 1, 2) == "CG" ? 2 : 1
            id = size == 2 ? 4 : index("ACGT", substr($i, at + 1, 1)) - 1
            tokens = tokens (tokens == "" ? "" : ",") "[" id "," at "," at + size "]"
        }
        out = out (out == "" ? "" : ",") "[" tokens "]"
    }
    print "{\"tokens\":[" out "]}"
}'"#;

const FASTA: &str = ">one\nACGTCGNACCG\n>two\nNNN\n>three\nTTCGA\n";

fn sequences(records: usize) -> String {
    let mut state = 11u64;
    let mut base = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ['A', 'C', 'G', 'T'][(state >> 62) as usize]
    };
    (0..records).map(|number| format!(">r{number}\n{}\n", (0..4000).map(|_| base()).collect::<String>())).collect()
}

#[test]
fn a_program_is_a_tokenizer_of_every_command() {
    let dir = TestDir::new();
    dir.write("cpg.sh", script(VOCABULARY, ENCODE));
    dir.write("f.fa", FASTA);
    dir.write("g.fa", sequences(4));
    let output = dir.run(&["tokenizer", "encode", "-t", "exec:sh cpg.sh", "--format", "bed", "f.fa"]).success();
    let lines: Vec<Vec<&str>> = output.out.lines().map(|line| line.split('\t').take(4).collect()).collect();
    let one: Vec<(&str, &str)> = lines.iter().filter(|line| line[0] == "one").map(|line| (line[1], line[2])).collect();
    assert_eq!(one, [("0", "1"), ("1", "3"), ("3", "4"), ("4", "6"), ("6", "7"), ("7", "8"), ("8", "9"), ("9", "11")]);
    // In an audit and a locus beside another.
    let audit = ["audit", "-t", "base,exec:sh cpg.sh", "--corpus", "g.fa", "--bases", "2k", "--window", "100"];
    assert!(dir.run(&audit).success().out.contains("cpg"));
    let look = ["look", "-t", "base,exec:sh cpg.sh", "--corpus", "g.fa", "--store", "none"];
    assert!(dir.run(&look).success().out.contains("cpg"));
}

#[test]
fn a_program_is_compared_from_another_folder_and_reported_without_it() {
    let dir = TestDir::new();
    dir.write("cpg.sh", script(VOCABULARY, ENCODE));
    dir.write("g.fa", sequences(8));
    // An argument that is the name of a file stays what it is.
    dir.write("CG", "");
    dir.write("other/spec.toml", small("'base', 'exec:@.. sh cpg.sh CG'", "../g.fa", 4000, 1));
    let args = ["compare", "spec.toml", "--store", "../s", "-o", "../out"];
    let output = RunOutput::new(&dir.command(&args).current_dir(dir.path("other")).output().unwrap()).success();
    assert!(output.out.contains("cpg"), "{}", output.out);
    let records = dir.records("out");
    let names: Vec<String> = records.iter().map(|record| format!("{:?}", record.run)).collect();
    assert!(names.iter().any(|run| run.contains("exec:cpg@")), "{names:?}");
    // The records alone are reported, the program is not needed.
    std::fs::remove_file(dir.path("cpg.sh")).unwrap();
    assert!(dir.run(&["report", "out/records.jsonl", "--output", "again"]).success().out.contains("cpg"));
    let with =
        |reference: &str| dir.run(&["report", "out/records.jsonl", "--reference", reference, "--output", "again"]);
    with("cpg").success();
    with("exec:sh typo.sh").failed(2, &["exec:sh typo.sh", "help: name it as in the records: exec:cpg@"]);
}

#[test]
fn programs_that_break_the_contract_are_told_with_what_they_wrote() {
    let dir = TestDir::new();
    dir.write("f.fa", FASTA);
    let long = "sleep 30";
    let cases = [
        (
            "crash",
            VOCABULARY,
            "echo wrong turn >&2; exit 3",
            "it ended without an answer (exit status: 3); it wrote to stderr: wrong turn",
        ),
        ("hang", VOCABULARY, long, "no answer in 1 seconds"),
        ("noise", VOCABULARY, "echo hello", "its answer \"hello\" is not JSON"),
        ("refusal", VOCABULARY, r#"echo '{"error": "no such thing"}'"#, "it refuses: no such thing"),
        ("few", VOCABULARY, r#"echo '{"tokens": []}'"#, "it gives tokens of 0 sequences for 148"),
        ("form", VOCABULARY, r#"echo '{"tokens": 1}'"#, "its answer to the request \"encode\" is wrong"),
        ("empty", r#"{"vocabulary": []}"#, ENCODE, "its vocabulary is empty"),
        (
            "lower",
            r#"{"vocabulary": ["a"]}"#,
            ENCODE,
            "entry \"a\" of its vocabulary is not a sequence of A, C, G and T",
        ),
        ("twice", r#"{"vocabulary": ["A", "C", "A"]}"#, ENCODE, "entry \"A\" is twice in its vocabulary"),
        (
            "other",
            r#"{"vocabulary": ["A", "C", "G", "T", "GC"]}"#,
            ENCODE,
            "is \"GC\" in the vocabulary, but covers \"CG\"",
        ),
        ("small", r#"{"vocabulary": ["A", "C", "G", "T"]}"#, ENCODE, "is not one of the 4 of the vocabulary"),
    ];
    for (name, vocabulary, encode, expected) in cases {
        let file = format!("{name}.sh");
        dir.write(&file, script(vocabulary, encode));
        let command = format!("exec:sh {file}");
        let output = dir
            .command(&["tokenizer", "encode", "-t", &command, "f.fa"])
            .env("TOKBENCH_EXEC_TIMEOUT", if encode == long { "1" } else { "20" })
            .output()
            .expect("starts");
        let output = RunOutput::new(&output);
        output.failed(
            3,
            &[
                &format!("{command}: "),
                expected,
                if encode == long { "help: let the program flush" } else { "help: mend the program" },
            ],
        );
    }
    // Another answer at each start.
    let numbered = "while read -r line; do\ncase \"$line\" in\n*vocabulary*) echo '{\"vocabulary\": [\"A\", \"C\", \"G\", \"T\", \"CG\"], \"version\": '$$'}' ;;";
    dir.write("random.sh", format!("{numbered}\n*) {ENCODE} ;;\nesac\ndone\n"));
    dir.run(&["tokenizer", "encode", "-t", "exec:sh random.sh", "f.fa"])
        .failed(3, &["it answers otherwise when it is started again"]);
    for (name, expected) in [
        ("exec:", "names no program"),
        ("exec:sh 'a", "a quotation mark without its pair"),
        ("exec:no-such-program-here", "there is no program \"no-such-program-here\""),
        ("exec:@nowhere sh a.sh", "there is no folder "),
    ] {
        let output = dir.run(&["tokenizer", "encode", "-t", name, "f.fa"]);
        assert!(output.err.contains(expected), "{name}: {}", output.err);
    }
}

/// A program that passes the check at the start and fails later is an error of the command, no panic.
#[test]
fn a_program_that_fails_later_ends_the_command_with_its_message() {
    let dir = TestDir::new();
    let encode = format!("case \"$line\" in *ACGTCG*|*GGGGGCCCCC*) echo lost my table >&2; exit 4;; esac\n{ENCODE}");
    dir.write("late.sh", script(VOCABULARY, &encode));
    dir.write("f.fa", FASTA);
    dir.write("g.fa", format!("{}GGGGGCCCCC\n", sequences(4).trim_end()));
    for args in [
        &["tokenizer", "encode", "-t", "exec:sh late.sh", "f.fa"][..],
        &["audit", "-t", "exec:sh late.sh", "--corpus", "g.fa", "--bases", "16k", "--window", "4010"],
    ] {
        let output = dir.run(args);
        assert!(!output.err.contains("panicked"), "{}", output.err);
        output.failed(3, &["it ended without an answer (exit status: 4); it wrote to stderr: lost my table"]);
    }
}

/// Neither an interrupt nor a limit of time leaves a program behind, nor what it started.
#[test]
#[cfg(target_os = "linux")]
fn no_program_is_left_behind() {
    let dir = TestDir::new();
    dir.write("f.fa", FASTA);
    dir.write("slow.sh", script(VOCABULARY, "sh -c 'sleep 77.125; true'"));
    let running = || {
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let command = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
        processes.filter_map(command).any(|line| String::from_utf8_lossy(&line).contains("77.125"))
    };
    let until = |wanted: bool| {
        for _ in 0..500 {
            if running() == wanted {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("running: {}, expected {wanted}", running());
    };
    let command = |limit: &str| {
        let mut command = dir.command(&["tokenizer", "encode", "-t", "exec:sh slow.sh", "f.fa"]);
        command
            .env("TOKBENCH_EXEC_TIMEOUT", limit)
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null());
        command
    };
    assert!(!command("1").status().unwrap().success());
    until(false);
    let mut child = command("60").spawn().unwrap();
    until(true);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    until(false);
}

#[test]
fn the_python_example_agrees_with_the_documentation() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("no python3: the example in Python is not tried");
        return;
    }
    let dir = TestDir::new();
    dir.write("f.fa", ">x\nACGTATAAATAAACG\n");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/exec_tokenizer.py");
    let lines = std::fs::read_to_string(example).unwrap().lines().count();
    assert!(lines <= 40, "{lines} lines");
    let command = format!("exec:python3 {example} CG TATA AATAAA");
    let output = dir.run(&["tokenizer", "encode", "-t", &command, "--format", "bed", "f.fa"]).success();
    let ends: Vec<&str> = output.out.lines().filter_map(|line| line.split('\t').nth(2)).collect();
    assert_eq!(ends, ["1", "3", "7", "13", "15"], "{}", output.out);
}
