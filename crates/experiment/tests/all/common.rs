//! A resolver that accepts every name, and helpers for plans.

use std::fs;
use std::path::Path;

use dataset::{CorpusSpec, TaskSpec};
use experiment::config::{FixedUnits, Masking, Position};
use experiment::rates::Choice;
use experiment::run::{DataRef, Key};
use experiment::{CorpusInfo, Encoders, Job, Plan, Refusal, Resolver, Spec, TaskInfo, TokenizerInfo};
use tokenize::{Equal, Quantity};

pub(crate) struct Known {
    pub(crate) encoders: Encoders,
    pub(crate) chosen: Option<f64>,
    /// Length of the longest row of a task in bases; 0: 300.
    pub(crate) longest: usize,
}

impl Default for Known {
    fn default() -> Self {
        Known { encoders: encoders(), chosen: None, longest: 0 }
    }
}

/// The encoders of the program.
pub(crate) fn encoders() -> Encoders {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/encoder");
    let read = |name| (name, fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap());
    let texts = ["tiny", "small", "base"].map(read);
    Encoders::from_toml(texts.iter().map(|(name, text)| (*name, text.as_str()))).unwrap()
}

pub(crate) fn data(name: &str) -> DataRef {
    DataRef { name: name.to_owned(), hash: name.bytes().map(|b| format!("{b:02x}")).collect() }
}

pub(crate) fn corpus(name: &str) -> CorpusSpec {
    CorpusSpec::from_toml(&format!("name = {name:?}")).unwrap()
}

impl Resolver for Known {
    fn encoders(&self) -> &Encoders {
        &self.encoders
    }

    fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal> {
        let name = &*name.to_lowercase();
        let (canonical, vocabulary, tokens_per_base, tokens_per_span) = match name {
            "kmr6" => {
                let remedy = Some("did you mean \"kmer6\"?".to_owned());
                return Err(Refusal { cause: "unknown tokenizer \"kmr6\"".to_owned(), remedy });
            }
            "kmer6" | "kmer06" => ("kmer6", 4101, 1.0, 2),
            "bpe4096" | "randomcut4096" => (name, 4101, 0.2, 4),
            other => (other, 9, 1.0, span),
        };
        let nucleotide_layers = usize::from(name == "mxdna");
        let location = None;
        let equal = Equal { to: "mxdna".to_owned(), quantity: Quantity::Macs };
        let equal = Some(equal).filter(|_| name == "mxdna-pool-macs");
        let (family, controls) = match name {
            "mxdna" => ("mxdna", vec!["mxdna-pool-macs".to_owned(), "unpooled".to_owned()]),
            "bpe4096" => ("bpe", vec!["randomcut4096".to_owned()]),
            other => (other, Vec::new()),
        };
        let (canonical, family) = (canonical.to_owned(), family.to_owned());
        Ok(TokenizerInfo {
            canonical,
            family,
            controls,
            location,
            vocabulary,
            tokens_per_base,
            tokens_per_span,
            nucleotide_layers,
            equal,
        })
    }

    fn corpus(&self, name: &str) -> Result<CorpusInfo, Refusal> {
        Ok(CorpusInfo { data: data(name), location: corpus(&format!("/here/{name}")), species: 2, held_out: 0 })
    }

    /// `a/b` is the task `b` with different rows; `b again` has the rows of `b` under another name.
    fn task(&self, name: &str) -> Result<TaskInfo, Refusal> {
        let data = DataRef {
            name: name.rsplit('/').next().unwrap_or(name).to_owned(),
            hash: data(name.trim_end_matches(" again")).hash,
        };
        Ok(TaskInfo {
            data,
            location: TaskSpec { name: name.to_owned(), ..TaskSpec::default() },
            rows: 1000,
            held_out: 200,
            bases: 300,
            longest: self.longest.max(300),
        })
    }

    fn check(&self, tokenizer: &str, masking: &Masking) -> Result<(), Refusal> {
        if tokenizer == "kmer5-nonoverlap" && !masking.span.is_multiple_of(5) {
            let cause = format!("\"kmer5-nonoverlap\" does not tile spans of {} bases", masking.span);
            return Err(Refusal { cause, remedy: Some("use masking.span = 10".to_owned()) });
        }
        Ok(())
    }

    fn chosen(&self, _: &Choice) -> Option<f64> {
        self.chosen
    }

    fn fixed_units(&self, _: &Key, _: Quantity) -> Option<FixedUnits> {
        self.chosen.map(|_| FixedUnits { bases: 7.0, inner: 99 })
    }

    fn macs_per_base(&self, tokenizer: &str, _: Position) -> Option<f64> {
        self.chosen.map(|_| if tokenizer == "base" { 6e5 } else { 1.5e5 })
    }
}

pub(crate) fn spec(more: &str) -> Spec {
    let text = format!("corpus = 'toy'\n{more}");
    Spec::from_toml(&text, "test.toml", &encoders()).unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) fn plan(more: &str) -> Plan {
    Plan::new(&spec(more), &Known::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// Two tokenizers, two seeds, one task: eight runs, four of which depend on the other four.
pub(crate) fn jobs() -> Vec<Job> {
    plan("tokenizers = ['base', 'kmer6']\nseeds = 2\nexploratory = true\ntasks = ['enhancers']").jobs
}
