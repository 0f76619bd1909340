//! The program `tokbench`: the crate `cli` with the configurations and the default experiment of this repository embedded.
//!
//! A new corpus, task or encoder is a file in `configs/` and a line here.

use std::process::ExitCode;

use dataset::Catalog;
use experiment::Encoders;
use pipeline::Builtin;

pub use tokenize::registry::{self, Registry};

macro_rules! configs {
    ($($name:literal => $file:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../configs/", $file, ".toml")))),*]
    };
}

/// Names and descriptions (TOML).
pub type Texts = &'static [(&'static str, &'static str)];

/// Built-in corpora.
pub const CORPORA: Texts = configs! {
    "order1" => "corpus/order1",
    "order2" => "corpus/order2",
    "variable6" => "corpus/variable6",
    "uniform" => "corpus/uniform",
    "satellites" => "corpus/satellites",
    "words" => "corpus/words",
    "rich" => "corpus/rich",
    "four_genomes" => "corpus/four_genomes",
    "five_genomes" => "corpus/five_genomes",
    "six_genomes" => "corpus/six_genomes",
};

/// Built-in tasks. The part of a name after its first slash is an alias.
pub const TASKS: Texts = configs! {
    "gue/prom_core_tata" => "task/gue/prom_core_tata",
    "gue/prom_core_notata" => "task/gue/prom_core_notata",
    "gue/prom_core_all" => "task/gue/prom_core_all",
    "gue/prom_300_tata" => "task/gue/prom_300_tata",
    "gue/mouse/0" => "task/gue/mouse_0",
    "gue/mouse/2" => "task/gue/mouse_2",
    "gue/mouse/3" => "task/gue/mouse_3",
    "gue/mouse/4" => "task/gue/mouse_4",
    "gue/tf/0" => "task/gue/tf_0",
    "gue/tf/1" => "task/gue/tf_1",
    "gue/tf/2" => "task/gue/tf_2",
    "gue/tf/3" => "task/gue/tf_3",
    "gue/tf/4" => "task/gue/tf_4",
    "synthetic/motif" => "task/synthetic/motif",
    "synthetic/periodic" => "task/synthetic/periodic",
    "synthetic/order" => "task/synthetic/order",
};

/// Built-in encoders.
pub const ENCODERS: Texts = configs! {
    "tiny" => "encoder/tiny",
    "small" => "encoder/small",
    "base" => "encoder/base",
};

/// Tokenizers, embedded configurations and the default experiment.
///
/// # Errors
/// If an embedded encoder is invalid, which a test rules out.
pub fn builtin(tokenizers: Registry) -> Result<Builtin, pipeline::Error> {
    let experiment = ("experiments/default.toml", include_str!("../../experiments/default.toml"));
    Ok(Builtin {
        tokenizers,
        catalog: Catalog::new(CORPORA.iter().copied(), TASKS.iter().copied()),
        encoders: Encoders::from_toml(ENCODERS.iter().copied())?,
        experiment: (experiment.0.to_owned(), experiment.1.to_owned()),
    })
}

/// Runs the program with these tokenizers on the arguments of this process. A crate with its own tokenizer needs no more than this
/// (`examples/own-tokenizer`):
///
/// ```no_run
/// # mod my { pub const KIND: tokenize::Family = tokenize::families::kmer::KMER; }
/// use tokbench::registry;
///
/// fn main() -> std::process::ExitCode {
///     tokbench::main(registry::builtin().with(my::KIND))
/// }
/// ```
#[must_use]
pub fn main(tokenizers: Registry) -> ExitCode {
    match builtin(tokenizers) {
        Ok(builtin) => cli::main(builtin),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
