//! Interaction with the system: signals, limits, links, long names, pipes, threads that cannot be started.
#![cfg(unix)]

use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::dir::{RunOutput, TestDir, gzip, small};

/// Records of random bases.
fn genome(records: usize) -> String {
    let mut state = 7u64;
    let mut base = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ['A', 'C', 'G', 'T'][(state >> 62) as usize]
    };
    (0..records).map(|number| format!(">r{number}\n{}\n", (0..3000).map(|_| base()).collect::<String>())).collect()
}

/// A file of gzip members with their sizes, as bgzip writes it.
fn bgzf(content: &[u8]) -> Vec<u8> {
    let block = |content: &[u8]| {
        let plain = gzip(content);
        let size = u16::try_from(plain.len() + 8 - 1).unwrap();
        let extra = [&[6, 0, b'B', b'C', 2, 0][..], &size.to_le_bytes()].concat();
        [&plain[..3], &[4], &plain[4..10], &extra, &plain[10..]].concat()
    };
    content.chunks(30_000).chain([&[][..]]).flat_map(block).collect()
}

/// The program under a shell that sets limits first.
fn under(dir: &TestDir, limit: &str, args: &[&str]) -> RunOutput {
    let program = dir.command(args);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]).arg(program.get_program()).args(program.get_args());
    shell.current_dir(dir.path(".")).stdin(Stdio::null());
    RunOutput::new(&shell.output().expect("a shell"))
}

#[test]
fn the_file_behind_a_link_is_written() {
    let dir = TestDir::new();
    dir.write("g.fa", genome(3));
    dir.write("deep/real", "old");
    for (link, args) in [
        ("t.json", &["tokenizer", "train", "--vocab-size", "20", "g.fa", "-o", "t.json"][..]),
        ("ids.txt", &["tokenizer", "encode", "-t", "base", "g.fa", "-o", "ids.txt"]),
        ("ids.npy", &["tokenizer", "encode", "-t", "base", "--format", "npy", "g.fa", "-o", "ids.npy"]),
        ("x.parquet", &["tokenizer", "encode", "-t", "base", "--format", "parquet", "g.fa", "-o", "x.parquet"]),
        ("small.txt", &["tokenizer", "convert", "base", "--to", "text", "-o", "small.txt"]),
        ("figure.svg", &["look", "-t", "base", "--corpus", "g.fa", "-o", "figure.svg"]),
        ("out/audit_all.csv", &["audit", "-t", "base", "--corpus", "g.fa", "--window", "100", "-o", "out"]),
    ] {
        std::fs::create_dir_all(dir.path("out")).unwrap();
        let (path, real) = (dir.path(link), dir.path("deep").join(link.replace('/', "_")));
        std::fs::write(&real, "old").unwrap();
        symlink(&real, &path).unwrap();
        dir.run(args).success();
        assert!(std::fs::symlink_metadata(&path).unwrap().is_symlink(), "{link} is still a link");
        assert_ne!(std::fs::read(&real).unwrap(), b"old", "{link}");
    }
}

#[test]
fn the_longest_names_are_written() {
    let dir = TestDir::new();
    dir.write("n.fa", ">a\nACGT\n");
    let name = "a".repeat(255);
    dir.run(&["tokenizer", "encode", "-t", "base", "n.fa", "-o", &name]).success();
    assert_eq!(std::fs::read_to_string(dir.path(&name)).unwrap(), "5 6 7 8\n");
    let longer = "a".repeat(256);
    dir.run(&["tokenizer", "encode", "-t", "base", "n.fa", "-o", &longer]).failed(3, &["aaaa", "name", "help:"]);
    assert_eq!(dir.names(), [name, "n.fa".to_owned()]);
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let dir = TestDir::new();
    dir.write("g.fa", genome(20));
    for format in ["text", "bed", "npy", "parquet"] {
        let output =
            under(&dir, "ulimit -f 8", &["tokenizer", "encode", "-t", "base", "--format", format, "g.fa", "-o", "ids"]);
        output.failed(3, &["ids", "too large", "ulimit -f"]);
        assert_eq!(dir.names(), ["g.fa"], "{format}");
    }
    let output = under(&dir, "ulimit -f 1", &["tokenizer", "train", "--vocab-size", "200", "g.fa", "-o", "t.json"]);
    output.failed(3, &["t.json", "too large"]);
    assert_eq!(dir.names(), ["g.fa"]);
}

/// Ids with the offsets of another file would be misread without an error.
#[test]
fn arrays_get_their_names_together() {
    let dir = TestDir::new();
    let records: String = (0..8000).map(|number| format!(">r{number}\nA\n")).collect();
    dir.write("many.fa", records);
    dir.write("m.npy", "old ids");
    dir.write("m.npy.offsets.npy", "old offsets");
    // Room for the ids, not for the offsets.
    let args = ["tokenizer", "encode", "-t", "base", "--format", "npy", "many.fa", "-o", "m.npy"];
    under(&dir, "ulimit -f 40", &args).failed(3, &["m.npy.offsets.npy", "too large"]);
    let read = |name: &str| std::fs::read_to_string(dir.path(name)).unwrap();
    assert_eq!((read("m.npy").as_str(), read("m.npy.offsets.npy").as_str()), ("old ids", "old offsets"));
    assert_eq!(dir.names().len(), 3);
}

#[test]
fn what_is_open_is_written_on() {
    let dir = TestDir::new();
    dir.write("s.fa", ">a\nACGT\n");
    let shell = |script: &str| {
        let program = dir.command(&[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(program.get_program()).current_dir(dir.path(".")).stdin(Stdio::null());
        RunOutput::new(&shell.output().expect("a shell")).success()
    };
    let encode = "\"$0\" tokenizer encode -t base s.fa -o";
    for output in ["/dev/stdout", "/dev/fd/1"] {
        assert_eq!(shell(&format!("{encode} {output} | cat")).out, "5 6 7 8\n");
        shell(&format!("(echo HEAD; {encode} {output}; echo TAIL) > f; echo OLD > g; {encode} {output} >> g"));
        assert_eq!(std::fs::read_to_string(dir.path("f")).unwrap(), "HEAD\n5 6 7 8\nTAIL\n");
        assert_eq!(std::fs::read_to_string(dir.path("g")).unwrap(), "OLD\n5 6 7 8\n");
    }
    shell(&format!("mkfifo p; cat p > h & {encode} p; wait; exec 4> i; {encode} /dev/fd/4"));
    assert_eq!(std::fs::read_to_string(dir.path("h")).unwrap(), "5 6 7 8\n");
    assert_eq!(std::fs::read_to_string(dir.path("i")).unwrap(), "5 6 7 8\n");
    let twice = |args: &[&str]| dir.run(args).failed(2, &["cannot both be standard input", "only once"]);
    twice(&["tokenizer", "encode", "-t", "base", "-", "-"]);
    twice(&["tokenizer", "encode", "-t", "/dev/stdin", "-"]);
    twice(&["tokenizer", "train", "--vocab-size", "20", "-", "/dev/stdin", "-o", "t.json"]);
    twice(&["tokenizer", "decode", "-t", "-", "-"]);
}

#[test]
fn what_could_not_be_saved_leaves_nothing() {
    let dir = TestDir::new();
    dir.write("q.toml", small("'kmer4'", "order1", 4_000, 1));
    let output = under(&dir, "ulimit -f 32", &["compare", "q.toml", "--output", "out", "--checkpoint-seconds", "0"]);
    assert_eq!(output.code, 4, "{}", output.err);
    let inside = |folder: std::path::PathBuf| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let runs =
        inside(dir.path(".tokbench")).flat_map(|run| inside(run.path()).chain(inside(run.path().join("checkpoint"))));
    let left: Vec<String> = runs.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(!left.is_empty() && left.iter().all(|name| !name.contains("new-") && !name.contains("tmp-")), "{left:?}");
    dir.run(&["compare", "q.toml", "--output", "out"]).success();
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let dir = TestDir::new();
    let program = dir.command(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" tokenizer encode -t base - -o ids.txt"]).arg(program.get_program());
    shell.current_dir(dir.path(".")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().expect("a shell");
    let began = Instant::now();
    while dir.names().is_empty() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args(["-HUP", &child.id().to_string()]).status().expect("kill");
    child.stdin.take().expect("a pipe").write_all(b">a\nACGT\n").expect("it still reads");
    RunOutput::new(&child.wait_with_output().expect("output")).success();
    assert_eq!(std::fs::read_to_string(dir.path("ids.txt")).unwrap(), "5 6 7 8\n");
}

/// Sends a signal and waits for the end.
fn signalled(mut child: Child, signal: &str) -> RunOutput {
    Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
    let began = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().expect("a child");
            panic!("{signal} was not heeded");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    RunOutput::new(&child.wait_with_output().expect("output"))
}

/// A line of signals of a process, one bit each (Linux).
fn signals(process: &str, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mask = status.lines().find_map(|text| text.strip_prefix(line))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Whether this process, and so its children, were started with a signal ignored (`nohup`, a job in the background of a script).
fn is_ignored(signal: &str) -> bool {
    let number = match signal {
        "-HUP" => 1,
        "-INT" => 2,
        _ => return false,
    };
    signals("self", "SigIgn:").is_some_and(|ignored| ignored & 1 << (number - 1) != 0)
}

/// Waits until a child handles SIGTERM.
fn wait_until_it_listens(child: &Child) {
    let began = Instant::now();
    let listens = || signals(&child.id().to_string(), "SigCgt:").is_none_or(|caught| caught & 1 << 14 != 0);
    while !listens() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
}

#[test]
fn an_interrupt_takes_effect_at_any_moment() {
    let dir = TestDir::new();
    assert!(Command::new("mkfifo").arg(dir.path("t.pipe")).status().expect("mkfifo").success());
    for (signal, args) in [
        // Each waits for standard input, in the middle of its work.
        ("-TERM", &["tokenizer", "encode", "-t", "base", "-", "-o", "ids.txt"][..]),
        ("-INT", &["tokenizer", "encode", "-t", "base", "--format", "npy", "-", "-o", "ids.npy"]),
        ("-TERM", &["tokenizer", "train", "--vocab-size", "20", "-", "-o", "new.json"]),
        ("-HUP", &["tokenizer", "inspect", "-"]),
        ("-TERM", &["tokenizer", "decode", "-t", "kmer3"]),
        // Waits for somebody to write into a pipe.
        ("-TERM", &["plan", "-t", "base", "--corpus", "t.pipe"]),
        ("-INT", &["audit", "-t", "base", "--corpus", "t.pipe"]),
    ] {
        let mut command = dir.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut input = child.stdin.take().expect("a pipe");
        let begin: &[u8] = if args.contains(&"decode") { b"26 27\n" } else { b">a\nACGT\n" };
        input.write_all(begin).expect("a reader");
        // What it writes is begun before anything is read.
        let began = Instant::now();
        while args.contains(&"-o") && dir.names().len() < 2 && began.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        wait_until_it_listens(&child);
        let output = signalled(child, if is_ignored(signal) { "-TERM" } else { signal });
        drop(input);
        assert_eq!(output.code, 130, "{args:?}: {}", output.err);
        assert!(output.err.contains("interrupted"), "{}", output.err);
        assert_eq!(dir.names(), ["t.pipe"], "{args:?}");
    }
}

#[test]
fn an_interrupted_comparison_is_resumed() {
    let dir = TestDir::new();
    dir.write("q.toml", small("'base', 'kmer3'", "order1", 60_000, 2));
    let args = ["compare", "q.toml", "--output", "out", "--checkpoint-seconds", "0"];
    let mut command = dir.command(&args);
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let begun = || {
        std::fs::read_dir(dir.path(".tokbench"))
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .any(|entry| entry.path().join("checkpoint").exists())
    };
    let began = Instant::now();
    while !begun() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = signalled(child, "-TERM");
    assert_eq!(output.code, 130, "{}", output.err);
    assert!(output.err.contains("interrupted; run the same command again to resume"), "{}", output.err);
    dir.run(&args).success();
    let resumed: u32 = dir.records("out").iter().map(|record| record.provenance.resumed).sum();
    assert!(resumed > 0, "what was saved was taken up");
}

#[test]
fn threads_that_cannot_be_started_are_done_without() {
    let dir = TestDir::new();
    dir.write("g.fa", genome(30));
    dir.write("g.fa.gz", gzip(genome(30).as_bytes()));
    dir.write("b.fa.gz", bgzf(genome(30).as_bytes()));
    let args = [
        &["tokenizer", "encode", "-t", "kmer6", "--format", "bed", "g.fa"][..],
        &["tokenizer", "encode", "-t", "kmer6-nonoverlap", "g.fa.gz"],
        &["tokenizer", "encode", "-t", "kmer6-nonoverlap", "b.fa.gz"],
        &["tokenizer", "train", "--vocab-size", "40", "g.fa.gz", "-o", "-"],
        &["audit", "-t", "base,unigram64", "--corpus", "g.fa", "--bases", "2k", "--window", "100"],
        &["look", "-t", "base,bpe64", "--corpus", "g.fa.gz", "--store", "none"],
    ];
    for args in args {
        let expected = dir.run(args).success();
        // More stack for each thread than there are addresses: none can be started.
        let output = dir.command(args).env("RUST_MIN_STACK", (1u64 << 47).to_string()).output().expect("starts");
        let output = RunOutput::new(&output).success();
        assert!(output.err.contains("no thread can be started"), "{args:?}: {}", output.err);
        assert_eq!(output.out, expected.out, "{args:?}");
    }
    // More threads than processors are not started; what comes of it is the same.
    let output = dir.command(args[0]).env("RAYON_NUM_THREADS", "100000").output().expect("starts");
    let output = RunOutput::new(&output).success();
    assert!(output.err.contains("RAYON_NUM_THREADS requests 100000 threads"), "{}", output.err);
    assert_eq!(output.out, dir.run(args[0]).success().out);
}

#[test]
fn tokenizers_from_pipes() {
    let dir = TestDir::new();
    dir.write("n.fa", ">a\nACGTACGT\n");
    dir.run(&["tokenizer", "convert", "kmer2-nonoverlap", "-o", "t.json"]).success();
    let pipe = dir.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let expected = dir.run(&["tokenizer", "encode", "-t", "t.json", "n.fa"]).success().out;
    let json = std::fs::read(dir.path("t.json")).unwrap();
    for spelling in ["pipe", "file:pipe", "./pipe"] {
        for args in [
            &["tokenizer", "encode", "n.fa", "-t", spelling][..],
            &["tokenizer", "inspect", spelling],
            &["tokenizer", "convert", "-o", "-", spelling],
            &["look", "--sequence", "ACGT", "-t", spelling],
            &["audit", "--bases", "1k", "--window", "100", "-t", spelling],
        ] {
            let (path, json) = (pipe.clone(), json.clone());
            let writer = std::thread::spawn(move || std::fs::write(path, json));
            let output = dir.run(args).success();
            writer.join().unwrap().expect("somebody read");
            assert!(!args.contains(&"encode") || output.out == expected, "{}", output.out);
        }
        // Every run of a comparison reads it again.
        dir.run(&["plan", "-t", spelling]).failed(2, &["pipe", "read only once", "save it to a file"]);
        dir.run(&["compare", "-t", &format!("base,{spelling}")])
            .failed(2, &["pipe", "read only once", "save it to a file"]);
    }
}
