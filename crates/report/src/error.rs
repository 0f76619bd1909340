//! Why records cannot be compared, or a conclusion not be written down. Every message names the offenders; what to do about
//! it is [`Error::remedy`].

use std::path::PathBuf;

/// What can go wrong between records and conclusions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No records.
    #[error("there are no records to compare")]
    Empty,
    /// Records that must agree in something do not.
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
    /// Two different runs claim the same place.
    #[error("{scope}: {subject}, seed {seed}, was run twice with different settings (keys {first} and {second})")]
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
    /// The reference is not among the tokenizers that are ranked.
    #[error("the reference \"{name}\" is not among the tokenizers: {known}")]
    UnknownReference {
        /// Asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A name in the order or among the controls that no record has.
    #[error("\"{name}\" in the {what} is not among the tokenizers: {known}")]
    UnknownName {
        /// `order` or `controls`.
        what: &'static str,
        /// Asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Runs are unfinished, and no seed is complete anywhere.
    #[error("nothing can be compared yet: {why}")]
    NothingComplete {
        /// What is missing where.
        why: String,
    },
    /// A record contradicts itself.
    #[error("record {key} ({subject}, seed {seed}) contradicts itself: {what}")]
    Contradiction {
        /// Short key.
        key: String,
        /// Tokenizer or control.
        subject: String,
        /// Seed.
        seed: u64,
        /// Stored against computed.
        what: String,
    },
    /// Records were scored on different text.
    #[error("{scope}: {left} and {right} were not scored on the same {what}")]
    DifferentText {
        /// Group or task.
        scope: String,
        /// One run.
        left: String,
        /// Another.
        right: String,
        /// `masked bases of <species>, block <n>` or `test rows`.
        what: String,
    },
    /// A statistic refused its input.
    #[error("{scope}: {source}")]
    Statistics {
        /// Where.
        scope: String,
        /// Why.
        source: statistics::Error,
    },
    /// A figure could not be drawn.
    #[error("figure {name}: {reason}")]
    Figure {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Numbers could not be turned into JSON.
    #[error("numbers as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// What a person can do about it. Of a file that cannot be written the system's reason says more: none.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Error::Empty => "run \"tokbench compare\" first: it writes records.jsonl beside its figures",
            Error::Mixed { what, .. } => return Some(apart(what)),
            Error::UnequalSeeds { .. } => {
                "--partial compares the seeds that all tokenizers have; the same \"tokbench compare\" again runs what is missing"
            }
            Error::Duplicate { .. } => {
                "records of one experiment go into one report; tasks of different files need names of their own (name = ... in a \
                 task file)"
            }
            Error::UnknownReference { .. } => "give one of these names with --reference",
            Error::UnknownName { what: "controls", .. } => "give some of these names with --controls",
            Error::UnknownName { .. } => {
                "give some of these names with --tokenizers; with --partial the others count as unfinished"
            }
            Error::NothingComplete { .. } => {
                "run the same \"tokbench compare\" again to finish one seed of every tokenizer, with --retry-failed if runs failed"
            }
            Error::Contradiction { .. } => "the record was changed after it was made: take it out and run it again",
            Error::DifferentText { .. } => {
                "report each by itself: these runs were made by different versions or from different data"
            }
            Error::Figure { .. } | Error::Statistics { .. } | Error::Json(_) => {
                "this is a fault of the program: please report it with the records"
            }
            Error::Write { .. } => return None,
        };
        Some(remedy.to_owned())
    }
}

/// What to do about records that differ in something.
fn apart(what: &str) -> String {
    match what {
        "protocols" => "run the older ones again, or report each protocol by itself".to_owned(),
        "devices" | "number formats" => {
            format!("report the records of each by themselves, or run all on one device: {what} give different results")
        }
        "settings" => "tokenizers are compared under equal settings only: run each of them under the same".to_owned(),
        _ => "report each by itself: a task is compared under equal settings and on the same data only".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_records_has_a_remedy() {
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
