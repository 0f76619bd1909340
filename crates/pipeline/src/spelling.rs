//! What a person meant by a name that is neither a file nor built in, or by a file of another kind.

use std::path::Path;

use dataset::Catalog;

use crate::error::{Error, ErrorKind};

/// Endings of sequences, tables, descriptions and archives: a name that has one is the name of a file.
const ENDINGS: [&str; 38] = [
    "fa", "fas", "fasta", "fna", "ffn", "faa", "frn", "fq", "fastq", "csv", "tsv", "tab", "txt", "toml", "json",
    "jsonl", "parquet", "npy", "bed", "bam", "sam", "cram", "vcf", "gff", "gtf", "gb", "gbk", "embl", "2bit", "gz",
    "bgz", "bz2", "xz", "zst", "zip", "tar", "tgz", "xlsx",
];

const TABLES: [&str; 4] = ["csv", "tsv", "tab", "txt"];

fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase())
}

/// Why nothing was found under a name; `unknown` is what the built-in names say.
pub(crate) fn nothing_there(what: &str, name: &str, unknown: &dataset::Error, catalog: &Catalog) -> Error {
    let path = Path::new(name);
    if path.is_dir() {
        return a_folder(what, path);
    }
    if looks_like_path(what, name, catalog) {
        return Error::new(
            ErrorKind::Data,
            format!("{what} file {name}: no such file"),
            "check the path; \"tokbench list\" shows built-in names",
        );
    }
    Error { kind: ErrorKind::Usage, message: unknown.to_string(), remedy: unknown.remedy() }
}

fn looks_like_path(what: &str, name: &str, catalog: &Catalog) -> bool {
    let known = |ending: String| ENDINGS.contains(&ending.as_str());
    if name.starts_with(['.', '/', '~']) || ending(Path::new(name)).is_some_and(known) {
        return true;
    }
    // Built-in tasks have names with a slash too: "tf/22" is one of these, "data/H3" is not.
    let parts = |name: &str| name.split('/').map(str::to_owned).collect::<Vec<_>>();
    let built_in: Vec<String> = match what {
        "task" => catalog.tasks().flat_map(parts).collect(),
        _ => Vec::new(),
    };
    name.contains(['/', '\\']) && !parts(name).iter().any(|part| built_in.contains(part))
}

/// A folder in the place of a file: what it holds that could have been meant.
fn a_folder(what: &str, folder: &Path) -> Error {
    let fits = |path: &Path| {
        // What is packed is looked at by the ending below.
        let name = path.to_string_lossy().to_ascii_lowercase();
        let plain = Path::new(name.trim_end_matches(".gz")).to_owned();
        match (what, ending(&plain).as_deref()) {
            (_, Some("toml")) => true,
            ("task", Some(ending)) => TABLES.contains(&ending),
            (_, Some("fa" | "fas" | "fasta" | "fna" | "ffn" | "fq" | "fastq")) => true,
            _ => false,
        }
    };
    let inside = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut found: Vec<String> = inside.filter(|path| fits(path)).map(|path| path.display().to_string()).collect();
    found.sort();
    let example = found.first().map_or_else(String::new, |first| match found.len() {
        1 => format!("; in it lies {first}"),
        all => format!("; in it lie {all} that could be meant, such as {first}"),
    });
    let wanted = match what {
        "task" => {
            "give one table with the columns sequence,label, or a task file (TOML) that names train, dev and test"
        }
        _ => "give one FASTA or FASTQ file, or a corpus file (TOML) that lists several",
    };
    Error::new(
        ErrorKind::Data,
        format!("{what} {}: a folder, not a file", folder.display()),
        format!("{wanted}{example}"),
    )
}

/// A refusal of data; a table in the place of a corpus and sequences in the place of a task are called what they are.
pub(crate) fn another_kind(error: &dataset::Error) -> Error {
    match error {
        dataset::Error::NotSequences { path, table: false, .. }
            if ending(path).is_some_and(|e| TABLES.contains(&e.as_str())) =>
        {
            Error::new(
                ErrorKind::Data,
                format!("{}: a table, not FASTA or FASTQ", path.display()),
                format!("a table of sequence,label is a task: --task {}", path.display()),
            )
        }
        dataset::Error::MissingColumn { path, found, .. } if found.starts_with(['>', '@']) => Error::new(
            ErrorKind::Data,
            format!("{}: sequences (FASTA or FASTQ), not a table", path.display()),
            format!(
                "a task is a CSV with the columns sequence,label; sequences to pretrain on are a corpus: --corpus {}",
                path.display()
            ),
        ),
        _ => Error { kind: ErrorKind::Data, message: error.to_string(), remedy: error.remedy() },
    }
}
