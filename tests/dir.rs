//! A fresh folder, the program run in it, and its output.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use experiment::{Record, read_jsonl};

/// A temporary folder, removed when the value is dropped.
pub(crate) struct TestDir {
    folder: tempfile::TempDir,
}

impl TestDir {
    pub(crate) fn new() -> TestDir {
        TestDir { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        std::fs::write(&path, bytes).expect("writable");
        path
    }

    /// Names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The program, to be run in the folder without the caller's environment variables.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokbench"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["TOKBENCH_DATA", "TOKBENCH_STORE", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> RunOutput {
        RunOutput::new(&self.command(args).output().expect("the program starts"))
    }

    /// The records that `compare` wrote.
    pub(crate) fn records(&self, output: &str) -> Vec<Record> {
        read_jsonl(self.path(output).join("records.jsonl")).expect("records")
    }
}

/// Exit code and output of a command.
#[derive(Debug)]
pub(crate) struct RunOutput {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl RunOutput {
    pub(crate) fn new(output: &Output) -> RunOutput {
        RunOutput {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless the exit code is 0.
    #[track_caller]
    pub(crate) fn success(self) -> RunOutput {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }

    /// Fails unless the exit code is `code` and the error contains all of `words`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        let error = self.err.split("error: ").nth(1).unwrap_or_else(|| panic!("no error in {:?}", self.err));
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
    }
}

/// An experiment that takes seconds: a narrow encoder, few bases.
pub(crate) fn small(tokenizers: &str, corpus: &str, bases: u64, seeds: u64) -> String {
    format!(
        "name = 'small'\ntokenizers = [{tokenizers}]\nseeds = {seeds}\nexploratory = true\ncorpus = '{corpus}'\n\
         encoder = {{ from = 'tiny', hidden = 16, layers = 1, heads = 2, intermediate = 32 }}\n\
         [training]\nbases = {bases}\nwindow = 120\n[masking]\nshare = 0.3\n[scoring]\nbases = 480\ncurve_points = 3\ncurve_windows = 1\n"
    )
}

/// Bytes as one gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of genomes and public tokenizers; only ignored tests need it.
pub(crate) fn data() -> PathBuf {
    let folder = std::env::var_os("TOKBENCH_DATA").map(PathBuf::from).expect("TOKBENCH_DATA names the data");
    let there = folder.join("tokenizers").is_dir() && folder.join("genomes").is_dir();
    assert!(there, "no genomes and public tokenizers in {} (set TOKBENCH_DATA)", folder.display());
    folder
}
