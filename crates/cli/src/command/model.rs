//! `tokbench model`: checkpoints in and out.

use std::path::Path;

use dataset::policy::thousands;
use model::published::{Checkpoint, Names};

use crate::args::{self, ModelCommand, TensorNames};
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::stdout::outln;

pub(crate) fn run(args: &args::Model) -> Result<u8, Failure> {
    match &args.command {
        ModelCommand::Convert(args) => convert(args),
    }
}

fn convert(args: &args::ConvertModel) -> Result<u8, Failure> {
    let remedy = "a checkpoint is a folder with config.json and model.safetensors or pytorch_model.bin, under the names of the original release \
                  of DNABERT-2 or of multimolecule";
    let refused = |error: model::weights::Error| Failure::new(DATA, in_folder(&error, &args.input), remedy);
    if !args.input.is_dir() {
        return Err(Failure::new(DATA, format!("{} is not a folder", args.input.display()), remedy));
    }
    if args.output.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        let cause = format!("{} is not empty", args.output.display());
        return Err(Failure::new(
            USAGE,
            cause,
            "name a new folder, so that no file of another checkpoint remains in it",
        ));
    }
    let checkpoint = Checkpoint::read(&args.input).map_err(refused)?;
    folders::make(&args.output)?;
    let names = match args.names {
        TensorNames::Original => Names::Original,
        TensorNames::Multimolecule => Names::Multimolecule,
    };
    let written = checkpoint.write(&args.output, names);
    let files = written.map_err(|error| Failure::new(DATA, error.to_string(), "name another folder"))?;
    outln!("read: {}, names of {}", args.input.display(), checkpoint.names.title());
    outln!(
        "{} parameters, {} masked-language-model head, {} tokenizer",
        thousands(checkpoint.parameters() as u64),
        if checkpoint.has_head() { "with" } else { "without" },
        if checkpoint.has_tokenizer() { "with" } else { "without" }
    );
    outln!("written: {}, names of {}: {}", args.output.display(), names.title(), files.join(", "));
    Ok(0)
}

/// Errors about tensors do not name the file.
fn in_folder(error: &model::weights::Error, folder: &Path) -> String {
    match error {
        model::weights::Error::File { .. } => error.to_string(),
        _ => format!("{}: {error}", folder.display()),
    }
}
