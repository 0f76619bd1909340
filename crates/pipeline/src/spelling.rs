//! Diagnosis of names that are neither files nor built in, and of files in the wrong format.

use std::path::Path;

use dataset::Catalog;

use crate::error::{Error, ErrorKind};

/// Extensions of sequence files, tables, configuration files and archives: a name with one of them is a file name.
const EXTENSIONS: [&str; 38] = [
    "fa", "fas", "fasta", "fna", "ffn", "faa", "frn", "fq", "fastq", "csv", "tsv", "tab", "txt", "toml", "json",
    "jsonl", "parquet", "npy", "bed", "bam", "sam", "cram", "vcf", "gff", "gtf", "gb", "gbk", "embl", "2bit", "gz",
    "bgz", "bz2", "xz", "zst", "zip", "tar", "tgz", "xlsx",
];

const TABLES: [&str; 4] = ["csv", "tsv", "tab", "txt"];

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase())
}

/// The error for a name that was not found; `unknown`: the error of the catalog.
pub(crate) fn not_found(what: &str, name: &str, unknown: &dataset::Error, catalog: &Catalog) -> Error {
    let path = Path::new(name);
    if path.is_dir() {
        return folder(what, path);
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
    let known = |extension: String| EXTENSIONS.contains(&extension.as_str());
    if name.starts_with(['.', '/', '~']) || extension(Path::new(name)).is_some_and(known) {
        return true;
    }
    // Names of built-in tasks contain a slash too: "tf/22" resembles one, "data/H3" does not.
    let parts = |name: &str| name.split('/').map(str::to_owned).collect::<Vec<_>>();
    let built_in: Vec<String> = match what {
        "task" => catalog.tasks().flat_map(parts).collect(),
        _ => Vec::new(),
    };
    name.contains(['/', '\\']) && !parts(name).iter().any(|part| built_in.contains(part))
}

/// The error for a folder instead of a file, with candidate files in it.
fn folder(what: &str, path: &Path) -> Error {
    let fits = |path: &Path| {
        // The extension before .gz counts.
        let name = path.to_string_lossy().to_ascii_lowercase();
        let plain = Path::new(name.trim_end_matches(".gz")).to_owned();
        match (what, extension(&plain).as_deref()) {
            (_, Some("toml")) => true,
            ("task", Some(extension)) => TABLES.contains(&extension),
            (_, Some("fa" | "fas" | "fasta" | "fna" | "ffn" | "fq" | "fastq")) => true,
            _ => false,
        }
    };
    let inside = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut found: Vec<String> = inside.filter(|path| fits(path)).map(|path| path.display().to_string()).collect();
    found.sort();
    let example = found.first().map_or_else(String::new, |first| match found.len() {
        1 => format!("; the folder contains {first}"),
        all => format!("; the folder contains {all} candidates, such as {first}"),
    });
    let wanted = match what {
        "task" => "use a table with the columns sequence,label, or a task file (TOML) with train, dev and test",
        _ => "use a FASTA or FASTQ file, or a corpus file (TOML) that lists several",
    };
    Error::new(
        ErrorKind::Data,
        format!("{what} {}: a folder, not a file", path.display()),
        format!("{wanted}{example}"),
    )
}

/// Converts an error of the data; reports a table given as a corpus, and sequences given as a task.
pub(crate) fn wrong_format(error: &dataset::Error) -> Error {
    match error {
        dataset::Error::NotSequences { path, table: false, .. }
            if extension(path).is_some_and(|e| TABLES.contains(&e.as_str())) =>
        {
            Error::new(
                ErrorKind::Data,
                format!("{}: a table, not FASTA or FASTQ", path.display()),
                format!("a table with the columns sequence,label is a task: --task {}", path.display()),
            )
        }
        dataset::Error::MissingColumn { path, found, .. } if found.starts_with(['>', '@']) => Error::new(
            ErrorKind::Data,
            format!("{}: sequences (FASTA or FASTQ), not a table", path.display()),
            format!(
                "a task is a CSV table with the columns sequence,label; sequences for pretraining are a corpus: --corpus {}",
                path.display()
            ),
        ),
        _ => Error { kind: ErrorKind::Data, message: error.to_string(), remedy: error.remedy() },
    }
}
