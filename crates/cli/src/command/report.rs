//! `tokbench report`: conclusions from records alone.

use std::path::Path;

use experiment::read_jsonl;
use experiment::record::Record;

use crate::args;
use crate::command::compare::colour;
use crate::failure::{DATA, Failure};

pub(crate) fn run(args: &args::Report) -> Result<u8, Failure> {
    let mut records: Vec<Record> = Vec::new();
    for path in &args.records {
        records.extend(read_jsonl(path).map_err(|error| Failure { code: DATA, ..Failure::from(error) })?);
    }
    let options = report::Options {
        order: args.tokenizers.clone(),
        reference: args.reference.clone(),
        controls: args.controls.clone(),
        all_pairs: args.all_pairs,
        ..report::Options::default()
    };
    conclude(records, options, args.output.as_deref(), args.json)?;
    Ok(0)
}

/// Table, sentence, figures.
pub(crate) fn conclude(
    records: Vec<Record>,
    options: report::Options,
    output: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let made_up = experiment::mock::any(&records);
    let comparison = report::Comparison::new(records, options)?;
    let sentence = report::sentence(&comparison);
    let mut files = Vec::new();
    if let Some(folder) = output {
        files = report::write_all(&comparison, folder)?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|error| Failure::file(&path, &error))
        };
        write("table.csv", report::csv(&comparison))?;
        write("table.txt", format!("{}\n{sentence}\n", report::table(&comparison, false)))?;
        let numbers = serde_json::to_string_pretty(&report::numbers(&comparison)).unwrap_or_default();
        write("numbers.json", format!("{numbers}\n"))?;
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&report::numbers(&comparison)).unwrap_or_default());
        return Ok(());
    }
    println!("{}", report::table(&comparison, colour()));
    if made_up {
        println!("THESE RECORDS ARE MADE UP: nothing above means anything.\n");
    }
    println!("{sentence}\n");
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "svg")) {
        println!("figure: {}", file.display());
    }
    Ok(())
}
