//! `tokbench plan`: what an experiment would cost and can decide, without executing it.

use std::sync::Arc;

use pipeline::workspace::refuse_pipes;
use pipeline::{Builtin, Experiment};

use crate::args;
use crate::command::spec;
use crate::failure::Failure;
use crate::stdout::{errln, out, outln};
use crate::workspace::workspace;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Plan) -> Result<u8, Failure> {
    let spec = spec::read(builtin, &args.experiment)?;
    let workspace = workspace(builtin, args.experiment.data.as_deref(), &args.experiment.store);
    let mut planned = Experiment::open(spec.clone(), &workspace)?.plan()?;
    for remark in planned.remarks() {
        errln!("{remark}");
    }
    if let Err(failure) = refuse_pipes(&spec) {
        errln!("warning: \"compare\" cannot execute this experiment: {}", failure.message);
    }
    if let Err(error) = model::device::open(&spec.device) {
        errln!("warning: \"compare\" cannot execute this experiment on this machine: {error}");
    }
    if let Some(memory) = spec::memory(&args.experiment) {
        planned.limit_memory(&memory, false)?;
    }
    if args.experiment.json {
        outln!("{}", serde_json::to_string_pretty(planned.plan()).unwrap_or_default());
    } else {
        out!("{}", planned.plan().describe());
    }
    Ok(0)
}
