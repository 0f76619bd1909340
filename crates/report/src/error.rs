//! Errors of comparisons and their output. Every message names the runs or files concerned; [`Error::remedy`] says what to do.

use std::path::PathBuf;

/// Errors of comparisons, figures and tables.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The list of records is empty.
    #[error("no records to compare")]
    Empty,
    /// Records differ in a property that must be the same for all.
    #[error("records of different {what} cannot be compared: {offenders}")]
    Mixed {
        /// What differs: `devices`, `protocols`, `number formats`, `fine-tuning settings of <task>` ...
        what: String,
        /// Each value with the runs that have it.
        offenders: String,
    },
    /// Tokenizers were run with different seeds.
    #[error("unequal seeds in {scope}: {offenders}")]
    UnequalSeeds {
        /// Group and task.
        scope: String,
        /// Which tokenizer lacks which seeds.
        offenders: String,
    },
    /// Two different runs have the same tokenizer, seed and group or task.
    #[error("{scope}: two runs of {subject}, seed {seed}, with different settings (keys {first} and {second})")]
    Duplicate {
        /// Group and task.
        scope: String,
        /// Tokenizer.
        subject: String,
        /// Seed.
        seed: u64,
        /// Key of the first.
        first: String,
        /// Key of the second.
        second: String,
    },
    /// The reference is not one of the ranked tokenizers.
    #[error("the reference \"{name}\" is not among the tokenizers: {known}")]
    UnknownReference {
        /// The requested name.
        name: String,
        /// The available tokenizers.
        known: String,
    },
    /// A name in the order or the controls is not in the records.
    #[error("\"{name}\" in the {what} is not among the tokenizers: {known}")]
    UnknownName {
        /// `order` or `controls`.
        what: &'static str,
        /// The requested name.
        name: String,
        /// The available tokenizers.
        known: String,
    },
    /// Runs are unfinished, and no seed is complete in any group.
    #[error("no complete seeds to compare yet: {why}")]
    NothingComplete {
        /// The missing runs.
        why: String,
    },
    /// A record is inconsistent.
    #[error("record {key} ({subject}, seed {seed}) is inconsistent: {what}")]
    Contradiction {
        /// Short key.
        key: String,
        /// Tokenizer or control.
        subject: String,
        /// Seed.
        seed: u64,
        /// Stored and computed value.
        what: String,
    },
    /// Two runs of a comparison were scored on different text.
    #[error("{scope}: {left} and {right} were scored on different {what}")]
    DifferentText {
        /// Group or task.
        scope: String,
        /// First run.
        left: String,
        /// Second run.
        right: String,
        /// `masked bases of <species>, block <n>` or `test rows`.
        what: String,
    },
    /// A statistic cannot be computed.
    #[error("{scope}: {source}")]
    Statistics {
        /// Group or task.
        scope: String,
        /// The reason.
        source: statistics::Error,
    },
    /// A figure could not be drawn.
    #[error("figure {name}: {reason}")]
    Figure {
        /// Its name.
        name: String,
        /// The reason.
        reason: String,
    },
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Numbers cannot be serialized as JSON.
    #[error("cannot serialize the numbers as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// What the user can do, printed as `help:`. None if the message of the operating system is sufficient.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Error::Empty => "run \"tokbench compare\" first: it writes records.jsonl next to the figures",
            Error::Mixed { what, .. } => return Some(separate(what)),
            Error::UnequalSeeds { .. } => {
                "use --partial to compare the seeds that all tokenizers have, or repeat \"tokbench compare\" to compute the missing runs"
            }
            Error::Duplicate { .. } => {
                "report one experiment at a time; give tasks from different files different names (name = ... in the task file)"
            }
            Error::UnknownReference { .. } => "pass one of these names with --reference",
            Error::UnknownName { what: "controls", .. } => "pass only these names with --controls",
            Error::UnknownName { .. } => {
                "pass only these names with --tokenizers, or use --partial to treat the others as unfinished"
            }
            Error::NothingComplete { .. } => {
                "repeat the \"tokbench compare\" command to finish at least one seed of every tokenizer; add --retry-failed if runs failed"
            }
            Error::Contradiction { .. } => "the record was edited after the run: remove it and run it again",
            Error::DifferentText { .. } => {
                "report them separately: these runs were computed by different versions or from different data"
            }
            Error::Figure { .. } | Error::Statistics { .. } | Error::Json(_) => {
                "this is a bug: please report it together with the records"
            }
            Error::Write { .. } => return None,
        };
        Some(remedy.to_owned())
    }
}

/// Remedy for records that differ in `what`.
fn separate(what: &str) -> String {
    match what {
        "protocols" => "repeat the runs of the older protocol, or report each protocol separately".to_owned(),
        "engines" => {
            "repeat at least one run of each engine with the program that executes the other, or report them separately"
                .to_owned()
        }
        "devices" | "number formats" => {
            format!(
                "report the records of each separately, or compute all runs on one device: results differ between {what}"
            )
        }
        "settings" => "run all tokenizers with the same settings: only such runs are compared".to_owned(),
        _ => "report them separately: runs of a task are compared only with the same settings and data".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_about_records_have_a_remedy() {
        let text = String::new;
        let all = [
            Error::Empty,
            Error::Mixed { what: "devices".into(), offenders: text() },
            Error::Mixed { what: "metrics of a".into(), offenders: text() },
            Error::UnequalSeeds { scope: text(), offenders: text() },
            Error::NothingComplete { why: text() },
            Error::UnknownName { what: "order", name: text(), known: text() },
            Error::UnknownName { what: "controls", name: text(), known: text() },
        ];
        let remedies: Vec<String> = all.iter().map(|error| error.remedy().unwrap()).collect();
        for (at, flag) in [(3, "--partial"), (4, "--retry-failed"), (5, "--tokenizers"), (6, "--controls")] {
            assert!(remedies[at].contains(flag), "{}", remedies[at]);
        }
    }
}
