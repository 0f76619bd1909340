//! `tokbench plan`.

use std::collections::HashSet;

use experiment::Store;

use crate::args;
use crate::command::question;
use crate::failure::Failure;
use crate::resolve::{self, Data, data_root};
use crate::stdout::{errln, out, outln};

pub(crate) fn run(args: &args::Plan) -> Result<u8, Failure> {
    let spec = question::spec(&args.question)?;
    let data = Data::new(data_root(args.question.data.as_deref()));
    let mut plan = question::plan(&spec, &data)?;
    for remark in data.remarks.take() {
        errln!("{remark}");
    }
    if let Err(failure) = resolve::refuse_pipes(&spec) {
        errln!("warning: \"compare\" cannot run this: {}", failure.message);
    }
    if let Err(error) = model::device::open(&spec.device) {
        errln!("warning: \"compare\" cannot run this here: {error}");
    }
    let mut known = HashSet::new();
    if args.question.store.exists() {
        let records = Store::open(&args.question.store)?.records()?.0;
        plan.calibrate(&records);
        known.extend(records.into_iter().map(|record| record.key));
    }
    data.check_memory(&plan, question::memory(&args.question).as_ref(), |key| known.contains(key))?;
    if args.question.json {
        outln!("{}", serde_json::to_string_pretty(&plan).unwrap_or_default());
    } else {
        out!("{}", plan.describe());
    }
    Ok(0)
}
