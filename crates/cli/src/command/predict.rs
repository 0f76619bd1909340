//! `tokbench predict`: a fine-tuned model on sequences.

use std::path::PathBuf;
use std::sync::Arc;

use dataset::TargetKind;
use model::tune::{self, TunedModel};
use pipeline::Builtin;

use super::vectors::{Label, Vectors};
use super::windows::{Window, each_batch};
use crate::args;
use crate::command::tokenizer::standard::one_standard_input;
use crate::failure::{Failure, USAGE};
use crate::stdout::errln;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Predict) -> Result<u8, Failure> {
    one_standard_input("", args.files.iter().map(PathBuf::as_path))?;
    super::vectors::apart(&args.output, args.files.iter().map(PathBuf::as_path))?;
    super::windows::check(&args.windows)?;
    let format = super::vectors::format(args.format, &args.output)?;
    let model = load(builtin, args)?;
    if model.goal.kind == TargetKind::Contacts && args.windows.window.is_some() {
        let cause = "contacts of bases in different windows cannot be predicted";
        return Err(Failure::new(USAGE, cause, "omit --window"));
    }
    let labeled = model.goal.has_classes();
    let mut vectors = Vectors::create(&args.output, format, &model.goal.names, None, labeled)?;
    let write = |windows: &[Window]| write(&model, args.reverse_complement, windows, &mut vectors);
    let read = each_batch(&args.files, &args.windows, write)?;
    let rows = vectors.finish()?;
    errln!("{read}; {rows} rows");
    Ok(0)
}

/// The model: of `finetune`, or a published checkpoint with a sequence classifier.
fn load(builtin: &Arc<Builtin>, args: &args::Predict) -> Result<TunedModel, Failure> {
    let remedy =
        "name the folder that \"tokbench finetune\" has written, or a published checkpoint with a sequence classifier";
    if args.model.join(tune::DESCRIPTION).is_file() {
        let device = model::device::open(&args.device)?;
        return Ok(TunedModel::load(&args.model, &builtin.tokenizers, &device)?.0);
    }
    if !args.model.join("config.json").is_file() {
        let cause = format!("{} has neither {} nor config.json", args.model.display(), tune::DESCRIPTION);
        return Err(Failure::new(USAGE, cause, remedy));
    }
    let trained = pipeline::load::published(&args.model, &args.device)?;
    TunedModel::published(&trained).ok_or_else(|| {
        let cause = format!("{} has no sequence classifier", args.model.display());
        Failure::new(USAGE, cause, "fine-tune it first: \"tokbench finetune --model\"")
    })
}

fn write(model: &TunedModel, both: bool, windows: &[Window], vectors: &mut Vectors) -> Result<(), Failure> {
    let texts: Vec<&[u8]> = windows.iter().map(|window| window.bases.as_slice()).collect();
    let outputs = model.goal.outputs();
    for (window, found) in windows.iter().zip(model.predict(&texts, both)?) {
        let bases = window.bases.len();
        // What each row of predictions is about, from the first base of the window.
        let places: Vec<(usize, usize)> = match model.goal.kind {
            TargetKind::Bases => (0..bases).map(|base| (base, base + 1)).collect(),
            TargetKind::Contacts => {
                (0..bases).flat_map(|one| (one + 1..bases).map(move |other| (one, other + 1))).collect()
            }
            TargetKind::Class | TargetKind::Labels | TargetKind::Numbers => vec![(0, bases)],
        };
        let first = window.range.start;
        for (row, (start, end)) in found.chunks_exact(outputs).zip(places) {
            // A base is predicted by the window that sees most around it.
            if model.goal.kind == TargetKind::Bases && !window.inner().contains(&start) {
                continue;
            }
            let label = model.goal.has_classes().then(|| model.goal.names[model.goal.best(row)].as_str());
            let values: Vec<f32> = row.iter().map(|value| *value as f32).collect();
            let label = Label { record: &window.record, start: first + start, end: first + end, label };
            vectors.add(&label, &values)?;
        }
    }
    Ok(())
}
