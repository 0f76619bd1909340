//! What is asked: an experiment unfolds into runs; a run leaves a record. No tensors here.
//!
//! ```text
//! Spec ── Plan::new ──► [Job] ── Scheduler::execute ─► Store: <key>/record.json ── records() ──► [Record]
//! TOML    names resolved  each run once,   one process a run,      checked whenever read         one a line in
//! or flags by a Resolver   in order         failures are data                                     experiments/*.jsonl
//! ```
//!
//! * A [`Spec`] is what a person writes. A [`Run`] is what that means: every default explicit, data named by
//!   content. The hash of a run's canonical JSON is its [`Key`]; what does not change the answer is not in it.
//! * The [`Store`] never trusts what it reads: a damaged file is set aside, said, and made again.
//! * The [`Scheduler`] has runs answered by an [`Executor`]: child processes, or yours. A run that *fails* (its loss
//!   diverged) has a record that says why. A run that ends in any other way, killed or by an error, has none and is taken up
//!   again by the next call.
//!
//! The surprising case: with a grid of learning rates, fine-tuning cannot be named before pretraining is done, since the
//! parent's rate is part of the key. [`Plan::deferred`] counts those runs; [`choose`](rates::choose) a rate and plan again.
//!
//! # Example
//!
//! ```
//! use dataset::CorpusSpec;
//! use experiment::{CorpusInfo, Encoders, Plan, Refusal, Resolver, Scheduler, Spec, Store, TaskInfo, TokenizerInfo};
//! use experiment::{config::Masking, run::DataRef};
//! use mock::Mock;
//!
//! // The program asks the tokenizer registry and looks at the files; here everything is made up.
//! struct Here(Encoders);
//! impl Resolver for Here {
//!     fn encoders(&self) -> &Encoders { &self.0 }
//!     fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal> {
//!         Ok(TokenizerInfo { canonical: name.into(), vocabulary: 9, tokens_per_base: 1.0, tokens_per_span: span, ..Default::default() })
//!     }
//!     fn corpus(&self, name: &str) -> Result<CorpusInfo, Refusal> {
//!         let data = DataRef { name: name.into(), hash: "0".repeat(64) };
//!         let location = CorpusSpec::from_toml(&format!("name = {name:?}")).map_err(|error| error.to_string())?;
//!         Ok(CorpusInfo { data, location, species: 1 })
//!     }
//!     fn task(&self, name: &str) -> Result<TaskInfo, Refusal> { Err(format!("there is no task {name:?}").into()) }
//!     fn check(&self, _: &str, _: &Masking) -> Result<(), Refusal> { Ok(()) }
//! }
//!
//! let here = Here(Encoders::default());
//! let text = "tokenizers = ['base', 'kmer6']\nseeds = 6\ncorpus = 'my.fa'";
//! let spec = Spec::from_toml(text, "question.toml", &here.0)?;
//! let plan = Plan::new(&spec, &here)?;
//! assert_eq!(plan.jobs.len(), 12);
//!
//! let folder = tempfile::tempdir().unwrap();
//! let store = Store::open(folder.path())?;
//! let scheduler = Scheduler::default();
//! let summary = scheduler.execute(&plan.jobs, &store, &mut Mock::default(), &mut |_| {})?;
//! assert_eq!(summary.done.len(), 12);
//! assert_eq!(scheduler.execute(&plan.jobs, &store, &mut Mock::default(), &mut |_| {})?.skipped.len(), 12);
//! assert_eq!(store.records()?.0.len(), 12);
//! # Ok::<(), experiment::Error>(())
//! ```

mod calibrate;
pub mod canonical;
pub mod config;
pub mod cost;
pub mod describe;
pub mod encoder;
pub mod error;
pub mod estimate;
pub mod event;
pub mod executor;
pub mod files;
pub mod info;
pub mod job;
pub mod jsonl;
pub mod local;
pub mod memory;
mod output;
pub mod plan;
mod power;
pub mod rates;
pub mod record;
pub mod resolver;
pub mod run;
pub mod scheduler;
pub mod sources;
pub mod spec;
pub mod store;
mod validate;

pub use encoder::{EncoderChoice, Encoders};
pub use error::{Error, Result};
pub use estimate::Estimate;
pub use event::{Event, Summary};
pub use executor::{Executor, Progress};
pub use info::{CorpusInfo, TaskInfo, TokenizerInfo};
pub use job::Job;
pub use jsonl::{read_jsonl, write_jsonl};
pub use local::Local;
pub use memory::Memory;
pub use plan::Plan;
pub use record::Record;
pub use resolver::{Refusal, Resolver};
pub use run::{Key, Run};
pub use scheduler::Scheduler;
pub use sources::Sources;
pub use spec::Spec;
pub use store::{Found, Store};
