//! `tokbench plan`.

use std::sync::Arc;

use pipeline::workspace::refuse_pipes;
use pipeline::{Builtin, Experiment};

use crate::args;
use crate::command::question;
use crate::failure::Failure;
use crate::stdout::{errln, out, outln};
use crate::workspace::workspace;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Plan) -> Result<u8, Failure> {
    let spec = question::spec(builtin, &args.question)?;
    let workspace = workspace(builtin, args.question.data.as_deref(), &args.question.store);
    let mut planned = Experiment::open(spec.clone(), &workspace)?.plan()?;
    for remark in planned.remarks() {
        errln!("{remark}");
    }
    if let Err(failure) = refuse_pipes(&spec) {
        errln!("warning: \"compare\" cannot run this: {}", failure.message);
    }
    if let Err(error) = model::device::open(&spec.device) {
        errln!("warning: \"compare\" cannot run this here: {error}");
    }
    if let Some(memory) = question::memory(&args.question) {
        planned.limit_memory(&memory, false)?;
    }
    if args.question.json {
        outln!("{}", serde_json::to_string_pretty(planned.plan()).unwrap_or_default());
    } else {
        out!("{}", planned.plan().describe());
    }
    Ok(0)
}
