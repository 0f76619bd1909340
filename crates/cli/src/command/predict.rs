//! `tokbench predict`: a fine-tuned model on sequences.

use std::path::PathBuf;
use std::sync::Arc;

use dataset::TargetKind;
use model::tune::{self, TunedModel};
use pipeline::Builtin;

use super::vectors::{Label, Vectors};
use crate::args;
use crate::command::tokenizer::standard::one_standard_input;
use crate::failure::{Failure, USAGE};
use crate::stdout::errln;

/// Bases that are read together, so that sequences can be grouped by length.
const BATCH: usize = 1 << 18;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Predict) -> Result<u8, Failure> {
    one_standard_input("", args.files.iter().map(PathBuf::as_path))?;
    super::vectors::apart(&args.output, args.files.iter().map(PathBuf::as_path))?;
    if !args.model.join(tune::DESCRIPTION).is_file() {
        let cause = format!("{} has no {}", args.model.display(), tune::DESCRIPTION);
        return Err(Failure::new(USAGE, cause, "name the folder that \"tokbench finetune\" has written"));
    }
    let format = super::vectors::format(args.format, &args.output)?;
    let device = model::device::open(&args.device)?;
    let (model, _) = TunedModel::load(&args.model, &builtin.tokenizers, &device)?;
    let labeled = model.goal.has_classes();
    let mut vectors = Vectors::create(&args.output, format, &model.goal.names, None, labeled)?;
    let (mut batch, mut bases, mut records) = (Vec::new(), 0, dataset::sequences::all(&args.files));
    for record in records.by_ref() {
        let record = record?;
        bases += record.bases.len();
        batch.push(record);
        if bases >= BATCH {
            write(&model, args.reverse_complement, &std::mem::take(&mut batch), &mut vectors)?;
            bases = 0;
        }
    }
    write(&model, args.reverse_complement, &batch, &mut vectors)?;
    let rows = vectors.finish()?;
    errln!("{}; {rows} rows", records.counts());
    Ok(0)
}

fn write(
    model: &TunedModel,
    both: bool,
    records: &[dataset::SequenceRecord],
    vectors: &mut Vectors,
) -> Result<(), Failure> {
    let texts: Vec<&[u8]> = records.iter().map(|record| record.bases.as_slice()).collect();
    let outputs = model.goal.outputs();
    for (record, found) in records.iter().zip(model.predict(&texts, both)?) {
        let bases = record.bases.len();
        // What each row of predictions is about.
        let places: Vec<(usize, usize)> = match model.goal.kind {
            TargetKind::Bases => (0..bases).map(|base| (base, base + 1)).collect(),
            TargetKind::Contacts => {
                (0..bases).flat_map(|one| (one + 1..bases).map(move |other| (one, other + 1))).collect()
            }
            TargetKind::Class | TargetKind::Labels | TargetKind::Numbers => vec![(0, bases)],
        };
        for (row, (start, end)) in found.chunks_exact(outputs).zip(places) {
            let label = model.goal.has_classes().then(|| model.goal.names[model.goal.best(row)].as_str());
            let values: Vec<f32> = row.iter().map(|value| *value as f32).collect();
            vectors.add(&Label { record: &record.name, start, end, label }, &values)?;
        }
    }
    Ok(())
}
