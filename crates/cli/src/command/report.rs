//! `tokbench report`: conclusions from records alone.

use std::path::{Path, PathBuf};

use experiment::Spec;
use experiment::read_jsonl;
use experiment::record::{Outcome, Record};
use experiment::run::Work;

use crate::args;
use crate::failure::{DATA, Failure, SOME_FAILED};
use crate::folders;
use crate::recorded::Recorded;
use crate::stdout::{colour, outln};

pub(crate) fn run(args: &args::Report) -> Result<u8, Failure> {
    let mut records: Vec<Record> = Vec::new();
    for path in &args.records {
        records.extend(published(path)?);
    }
    let recorded = Recorded::new(&records);
    let mut options =
        report::Options { all_pairs: args.all_pairs, partial: args.partial, ..report::Options::default() };
    if let Some(path) = spec_path(args) {
        let text = crate::text::read(&path)?;
        options = of_spec(&Spec::from_toml(&text, &path.to_string_lossy())?, &records, &options)?;
    }
    if !args.tokenizers.is_empty() {
        options.order = recorded.all(&args.tokenizers)?;
    }
    if let Some(reference) = &args.reference {
        options.reference = Some(recorded.one(reference)?);
    }
    if !args.controls.is_empty() {
        options.controls = recorded.all(&args.controls)?;
    }
    let failed = records.iter().all(|record| matches!(record.outcome, Outcome::Failed { .. }));
    conclude(records, options, args.output.as_deref(), args.json)?;
    Ok(if failed { SOME_FAILED } else { 0 })
}

/// The records of a file.
pub(crate) fn published(path: &Path) -> Result<Vec<Record>, Failure> {
    read_jsonl(path).map_err(|error| Failure { code: DATA, ..Failure::from(error) })
}

/// The experiment behind the records: as said, or the file of the same name beside them.
fn spec_path(args: &args::Report) -> Option<PathBuf> {
    let beside = || match args.records.as_slice() {
        [one] => Some(one.with_extension("toml")).filter(|path| path.exists()),
        _ => None,
    };
    args.spec.clone().or_else(beside)
}

/// Order, reference and controls of an experiment. Tokenizers of the records that it does not name are its controls; those
/// that it names and of which there is no record yet keep the name that they have there.
fn of_spec(spec: &Spec, records: &[Record], options: &report::Options) -> Result<report::Options, Failure> {
    let recorded = Recorded::new(records);
    let mut order = Vec::new();
    for name in &spec.tokenizers {
        order.push(recorded.one_or_absent(name)?);
    }
    let mut controls: Vec<String> = Vec::new();
    for record in records {
        if let Work::Pretrain(pretrain) = &record.run.work
            && !order.contains(&pretrain.tokenizer)
            && !controls.contains(&pretrain.tokenizer)
        {
            controls.push(pretrain.tokenizer.clone());
        }
    }
    controls.sort();
    let reference = Some(recorded.one_or_absent(spec.reference())?);
    let order = order.into_iter().chain(controls.iter().cloned()).collect();
    Ok(report::Options { order, reference, controls, ..options.clone() })
}

/// Table, sentence, figures.
pub(crate) fn conclude(
    records: Vec<Record>,
    options: report::Options,
    output: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let comparison = report::Comparison::new(records, options)?;
    let sentence = report::sentence(&comparison);
    let numbers = serde_json::to_string_pretty(&report::numbers(&comparison)).unwrap_or_default();
    let mut files = Vec::new();
    if let Some(folder) = output {
        folders::make(folder)?;
        files = report::write_all(&comparison, folder)?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            experiment::files::write(&path, text).map_err(|error| Failure::file(&path, &error))
        };
        write("table.csv", report::csv(&comparison))?;
        write("table.txt", format!("{}\n{sentence}\n", report::table(&comparison, false)))?;
        write("numbers.json", format!("{numbers}\n"))?;
    }
    if json {
        outln!("{numbers}");
        return Ok(());
    }
    outln!("{}", report::table(&comparison, colour()));
    if comparison.made_up {
        outln!("THESE RECORDS ARE MADE UP: nothing above means anything.\n");
    }
    outln!("{sentence}\n");
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "svg")) {
        outln!("figure: {}", file.display());
    }
    Ok(())
}
