//! Experiments as data: a specification is expanded into runs, and each run leaves a record. Independent of tensors.
//!
//! ```text
//! Spec ── Plan::new ──► [Job] ── Scheduler::execute ─► Store: <key>/record.json ── records() ──► [Record]
//! TOML     names resolved  each run once,  one process per run,    verified on every read        one per line in
//! or flags by a Resolver   in order        failures are data                                     experiments/*.jsonl
//! ```
//!
//! * A [`Spec`] is written by the user. A [`Run`] is its expansion: every default is explicit, and data is identified by
//!   content. The hash of its canonical JSON is its [`Key`]; settings that do not change the result are not part of it.
//! * The [`Store`] verifies everything it reads: a corrupt file is renamed, reported and recomputed.
//! * The [`Scheduler`] executes runs with an [`Executor`]: child processes, or your own. A run that *fails* (its loss diverged)
//!   has a record with the reason. A run that ends in any other way (killed, error) has no record and is retried by the next
//!   call.
//!
//! With a grid of learning rates, all runs but the trials of the rates have no key before these are finished, because the selected learning
//! rate is part of the key. [`Plan::deferred`] holds them; [`choose`](rates::choose) the rates and plan again.
//!
//! # Example
//!
//! ```
//! use dataset::CorpusSpec;
//! use experiment::{CorpusInfo, Encoders, Plan, Refusal, Resolver, Scheduler, Spec, Store, TaskInfo, TokenizerInfo};
//! use experiment::{config::Masking, run::DataRef};
//! use mock::Mock;
//!
//! // The program resolves names with the tokenizer registry and the files; here everything is simulated.
//! struct Simulated(Encoders);
//! impl Resolver for Simulated {
//!     fn encoders(&self) -> &Encoders { &self.0 }
//!     fn tokenizer(&self, name: &str, span: usize) -> Result<TokenizerInfo, Refusal> {
//!         Ok(TokenizerInfo { canonical: name.into(), vocabulary: 9, tokens_per_base: 1.0, tokens_per_span: span, ..Default::default() })
//!     }
//!     fn corpus(&self, name: &str) -> Result<CorpusInfo, Refusal> {
//!         let data = DataRef { name: name.into(), hash: "0".repeat(64) };
//!         let location = CorpusSpec::from_toml(&format!("name = {name:?}")).map_err(|error| error.to_string())?;
//!         Ok(CorpusInfo { data, location, species: 1, held_out: 0 })
//!     }
//!     fn task(&self, name: &str) -> Result<TaskInfo, Refusal> { Err(format!("unknown task {name:?}").into()) }
//!     fn check(&self, _: &str, _: &Masking) -> Result<(), Refusal> { Ok(()) }
//! }
//!
//! let resolver = Simulated(Encoders::default());
//! let text = "tokenizers = ['base', 'kmer6']\nseeds = 6\ncorpus = 'my.fa'";
//! let spec = Spec::from_toml(text, "experiment.toml", &resolver.0)?;
//! let plan = Plan::new(&spec, &resolver)?;
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
mod position;
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

pub use dataset::Noise;
pub use encoder::{EncoderChoice, Encoders};
pub use error::{Error, Result};
pub use estimate::CostEstimate;
pub use event::{Event, Summary};
pub use executor::{Executor, ProgressLine};
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
