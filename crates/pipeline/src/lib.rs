//! An experiment from specification to conclusion, as a library; the command line is built on it.
//!
//! ```text
//! Spec ── Experiment::open ── plan ──► Planned ── execute ──► Executed ── conclude ──► Conclusion
//!            tokenizers, corpus,        runs with keys,         records,                 table, sentence,
//!            tasks opened once          finished runs           one per run              figures
//! ```
//!
//! * [`Workspace`] has the folders of data and runs.
//! * [`run::run`] executes one run of the store in this process, as every worker does.
//! * [`load::load`] loads the tokenizer and the trained model of a finished run.
//! * [`Error`] has kind, cause and remedy.
//!
//! # Example
//! ```no_run
//! use pipeline::{Experiment, Workspace};
//!
//! let spec = experiment::Spec::from_toml("tokenizers = ['base', 'kmer6']\ncorpus = 'my.fa'\nseeds = 7", "example", &experiment::Encoders::default())?;
//! let mut executor = experiment::Local::new("tokbench", 2);
//! let conclusion =
//!     Experiment::open(spec, &Workspace::default())?.plan()?.execute(&mut executor, &mut ())?.conclude()?;
//! println!("{}", conclusion.sentence);
//! # Ok::<(), pipeline::Error>(())
//! ```

mod builtin;
pub mod conclude;
mod error;
pub mod experiment;
pub mod fitting;
mod follow;
mod in_process;
mod inputs;
pub mod load;
pub mod recorded;
pub mod run;
mod spelling;
pub mod text;
pub mod workspace;

pub use builtin::Builtin;
pub use conclude::Conclusion;
pub use error::{Error, ErrorKind, Result};
pub use experiment::{Executed, Experiment, Observer, Planned};
pub use in_process::InProcess;
pub use load::load;
pub use run::run;
pub use workspace::{OpenCorpus, Workspace};
