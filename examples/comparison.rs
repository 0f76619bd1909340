//! A comparison from Rust: two tokenizers on a synthetic genome with two paired seeds (exploratory, without a verdict), executed in this process.
//!
//! ```text
//! cargo run --release --example comparison
//! ```

use std::sync::Arc;

use experiment::Spec;
use pipeline::{Experiment, InProcess, Workspace};
use tokbench::registry;

const QUESTION: &str = "
    tokenizers = ['base', 'kmer6']
    corpus = 'order1'
    seeds = 2
    exploratory = true
    [training]
    bases = 50_000
    [scoring]
    bases = 10_000
";

fn main() -> Result<(), pipeline::Error> {
    let builtin = Arc::new(tokbench::builtin(registry::builtin())?);
    let workspace = Workspace { store: std::env::temp_dir().join("tokbench-example"), builtin, ..Workspace::default() };
    let spec = Spec::from_toml(QUESTION, "question", &workspace.builtin.encoders)?;
    let planned = Experiment::open(spec, &workspace)?.plan()?;
    println!("{}", planned.plan().describe());
    let conclusion = planned.execute(&mut InProcess::new(&workspace), &mut ())?.conclude()?;
    println!("{}\n{}", conclusion.table(false), conclusion.sentence);
    Ok(())
}
