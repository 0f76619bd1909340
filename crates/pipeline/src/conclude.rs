//! Analysis of records: table, sentence, numbers, figures.

use std::path::{Path, PathBuf};

use experiment::record::Record;
use experiment::run::Work;
use experiment::{Spec, read_jsonl};
use report::{Comparison, Options};
use tokenize::Registry;

use crate::error::{Error, ErrorKind, Result};
use crate::recorded::Recorded;

/// Files that [`Conclusion::write`] writes in addition to the figures.
pub const NUMBERS: [&str; 3] = ["table.csv", "table.txt", "numbers.json"];

/// Reads a file of published records, one JSON object per line.
///
/// # Errors
/// If it cannot be read, or a line is not a valid record.
pub fn published(path: &Path) -> Result<Vec<Record>> {
    read_jsonl(path).map_err(|error| Error { kind: ErrorKind::Data, ..Error::from(error) })
}

/// Order, reference, controls and planned seeds of an experiment, and whether it is exploratory. Tokenizers of the records that
/// the spec does not list are controls; tokenizers of the spec without records keep their names.
///
/// # Errors
/// If the spec lists an invalid tokenizer.
pub fn options(spec: &Spec, records: &[Record], tokenizers: &Registry, options: &Options) -> Result<Options> {
    let recorded = Recorded::new(records, tokenizers);
    let mut order = Vec::new();
    for name in &spec.tokenizers {
        order.push(recorded.one_or_absent(name)?);
    }
    let mut controls: Vec<String> = Vec::new();
    for record in records {
        if let Work::Pretrain(pretrain) = &record.run.work
            && !order.contains(&pretrain.tokenizer)
            && !controls.contains(&pretrain.tokenizer)
        {
            controls.push(pretrain.tokenizer.clone());
        }
    }
    controls.sort();
    let reference = Some(recorded.one_or_absent(spec.reference())?);
    let order = order.into_iter().chain(controls.iter().cloned()).collect();
    let planned =
        spec.seeds_planned.map_or_else(Vec::new, |planned| spec.seeds.iter().take(planned).copied().collect());
    Ok(Options { order, reference, controls, exploratory: spec.exploratory, planned, ..options.clone() })
}

/// The result of an experiment.
#[derive(Debug)]
pub struct Conclusion {
    /// The comparison of the records.
    pub comparison: Comparison,
    /// The result in one sentence.
    pub sentence: String,
}

impl Conclusion {
    /// Analyzes records.
    ///
    /// # Errors
    /// If the records are not comparable: different device kinds or protocols, different seeds, no reference ...
    pub fn new(records: Vec<Record>, options: Options) -> Result<Conclusion> {
        let comparison = Comparison::new(records, options)?;
        let sentence = report::sentence(&comparison);
        Ok(Conclusion { comparison, sentence })
    }

    /// The table as text, with ANSI colors if `color`.
    #[must_use]
    pub fn table(&self, color: bool) -> String {
        report::table(&self.comparison, color)
    }

    /// All numbers with full precision as JSON, as in `numbers.json`.
    #[must_use]
    pub fn numbers(&self) -> String {
        serde_json::to_string_pretty(&report::numbers(&self.comparison)).unwrap_or_default()
    }

    /// Writes figures and numbers to a folder, which is created if needed. Returns the paths of the figures.
    ///
    /// # Errors
    /// If a figure cannot be drawn or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, &error))?;
        let files = report::write_all(&self.comparison, folder)?;
        let texts = [
            report::csv(&self.comparison),
            format!("{}\n{}\n", self.table(false), self.sentence),
            format!("{}\n", self.numbers()),
        ];
        for (name, text) in NUMBERS.iter().zip(texts) {
            let path = folder.join(name);
            experiment::files::write(&path, text).map_err(|error| Error::file(&path, &error))?;
        }
        Ok(files)
    }
}
