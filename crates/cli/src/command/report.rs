//! `tokbench report`: conclusions from records alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use experiment::Spec;
use experiment::record::{Outcome, Record};
use pipeline::Builtin;
use pipeline::conclude::{self, Conclusion, published};
use pipeline::recorded::Recorded;

use crate::args;
use crate::failure::{Failure, SOME_FAILED, USAGE, code};
use crate::folders;
use crate::stdout::{color, outln};

pub(crate) fn run(builtin: &Builtin, args: &args::Report) -> Result<u8, Failure> {
    let mut records: Vec<Record> = Vec::new();
    for path in &args.records {
        records.extend(published(path)?);
    }
    let options = options(builtin, args, &records)?;
    let failed = records.iter().all(|record| matches!(record.outcome, Outcome::Failed { .. }));
    show(&Conclusion::new(records, options)?, args.output.as_deref(), args.json)?;
    Ok(if failed { code(SOME_FAILED) } else { 0 })
}

/// Order, reference and controls, from the experiment file and from flags.
fn options(builtin: &Builtin, args: &args::Report, records: &[Record]) -> Result<report::Options, Failure> {
    let recorded = Recorded::new(records, &builtin.tokenizers);
    let mut options =
        report::Options { all_pairs: args.all_pairs, partial: args.partial, ..report::Options::default() };
    if let Some(path) = spec_path(args) {
        let text = pipeline::text::read(&path)?;
        let spec = Spec::from_toml(&text, &path.to_string_lossy(), &builtin.encoders)?;
        options = conclude::options(&spec, records, &builtin.tokenizers, &options)?;
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
    options.cost = costs(&recorded, &args.cost)?;
    let without = |name: &&String| !options.cost.is_empty() && !options.cost.contains_key(*name);
    let mut compared = recorded.names().filter(|name| !options.controls.contains(name));
    if let Some(name) = compared.find(without) {
        return Err(Failure::new(
            USAGE,
            format!("--cost has no cost for {name}"),
            "give one for every tokenizer: --cost NAME=COST,NAME=COST",
        ));
    }
    Ok(options)
}

/// The costs of `--cost`, by recorded name.
fn costs(recorded: &Recorded, texts: &[String]) -> Result<BTreeMap<String, f64>, Failure> {
    let mut costs = BTreeMap::new();
    for text in texts.iter().flat_map(|text| text.split(',')) {
        let help = "write NAME=COST, with a number above 0: --cost base=8.1,bpe4096=1.6";
        // The path of a `file:` tokenizer may contain an equals sign.
        let pair = text.rsplit_once('=');
        let cost =
            pair.and_then(|(_, cost)| cost.trim().parse::<f64>().ok()).filter(|cost| *cost > 0.0 && cost.is_finite());
        let (Some((name, _)), Some(cost)) = (pair, cost) else {
            return Err(Failure::new(USAGE, format!("--cost {text:?} is not a cost"), help));
        };
        let name = recorded.one(name.trim())?;
        if !recorded.names().any(|known| *known == name) {
            return Err(Failure::new(USAGE, format!("--cost {text:?}: the records contain no {name}"), help));
        }
        if costs.insert(name.clone(), cost).is_some() {
            return Err(Failure::new(USAGE, format!("--cost has {name} twice"), help));
        }
    }
    Ok(costs)
}

/// The experiment file of the records: the given one, or the file with the same name beside them.
fn spec_path(args: &args::Report) -> Option<PathBuf> {
    let beside = || match args.records.as_slice() {
        [one] => Some(one.with_extension("toml")).filter(|path| path.exists()),
        _ => None,
    };
    args.spec.clone().or_else(beside)
}

/// Prints table and conclusion (or numbers as JSON), and writes the figures.
pub(crate) fn show(conclusion: &Conclusion, output: Option<&Path>, json: bool) -> Result<(), Failure> {
    let mut files = Vec::new();
    if let Some(folder) = output {
        folders::make(folder)?;
        files = conclusion.write(folder)?;
    }
    if json {
        outln!("{}", conclusion.numbers());
        return Ok(());
    }
    outln!("{}", conclusion.table(color()));
    if conclusion.comparison.made_up {
        outln!("SIMULATED RECORDS: none of the numbers above is a measurement.\n");
    }
    outln!("{}\n", conclusion.sentence);
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "svg")) {
        outln!("figure: {}", file.display());
    }
    Ok(())
}
