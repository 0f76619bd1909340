//! The spec of an experiment, from a file and from flags that override its settings.

use experiment::config::{Dtype, Position};
use experiment::{EncoderChoice, Memory, Spec};
use pipeline::Builtin;
use pipeline::workspace::refuse_pipe;
use tokenize::families::file;

use crate::args::{ExperimentArgs, NumberFormat};
use crate::failure::{Failure, USAGE};

/// The spec that file and flags describe, validated.
pub(crate) fn read(builtin: &Builtin, args: &ExperimentArgs) -> Result<Spec, Failure> {
    let mut spec = match &args.spec {
        Some(path) => {
            let text = pipeline::text::read(path)?;
            Spec::from_toml(&text, &path.to_string_lossy(), &builtin.encoders)?
        }
        None => builtin.default_spec()?,
    };
    let own = args.spec.is_none();
    let tokenizers = args.tokenizers.iter().chain(&spec.tokenizers).chain(&args.reference);
    tokenizers.map(|name| file::without_prefix(name)).try_for_each(refuse_pipe)?;
    if !args.tokenizers.is_empty() {
        spec.tokenizers.clone_from(&args.tokenizers);
        // The reference of the file is dropped if it is no longer compared.
        let name = |name: &String| builtin.tokenizers.parse(name).map_or_else(|_| name.clone(), |recipe| recipe.name);
        let named: Vec<String> = args.tokenizers.iter().map(name).collect();
        spec.reference = spec.reference.filter(|reference| named.contains(&name(reference)));
    }
    if let Some(reference) = &args.reference {
        spec.reference = Some(reference.clone());
    }
    if let Some(corpus) = &args.corpus {
        spec.corpus.clone_from(corpus);
        if own {
            spec.name = name_of(corpus);
        }
    }
    if !args.tasks.is_empty() {
        spec.tasks.clone_from(&args.tasks);
    }
    spec.exploratory |= args.exploratory;
    if let Some(seeds) = args.seeds {
        spec.set_seeds(seeds)?;
    } else if own && spec.seeds.len() < spec.default_seeds().len() {
        // The default experiment has too few seeds for many tokenizers.
        spec.seeds.clear();
    }
    if let Some(encoder) = &args.encoder {
        spec.encoder = EncoderChoice::named(encoder);
    }
    if !args.positions.is_empty() {
        spec.positions = args.positions.iter().map(|name| position(name)).collect::<Result<_, _>>()?;
    }
    sizes(args, &mut spec);
    learning_rates(args, &mut spec);
    spec.controls |= args.controls;
    if let Some(device) = &args.device {
        spec.device.clone_from(device);
    }
    if let Some(dtype) = args.dtype {
        spec.dtype = match dtype {
            NumberFormat::F32 => Dtype::F32,
            NumberFormat::Bf16 => Dtype::Bf16,
        };
    }
    spec.validate(&builtin.encoders)?;
    Ok(spec)
}

/// Sizes of training, masking and scoring.
fn sizes(args: &ExperimentArgs, spec: &mut Spec) {
    if let Some(bases) = args.bases {
        spec.training.bases = bases;
    }
    if let Some(window) = args.window {
        spec.training.window = window;
    }
    if let Some(batch) = args.batch {
        spec.training.batch = batch;
    }
    if let Some(span) = args.span {
        spec.masking.span = span;
    }
    if let Some(bases) = args.scoring_bases {
        spec.scoring.bases = usize::try_from(bases).unwrap_or(usize::MAX);
    }
}

/// One learning rate, or a grid of them.
fn learning_rates(args: &ExperimentArgs, spec: &mut Spec) {
    match args.learning_rates.as_slice() {
        [] => {}
        [rate] => {
            spec.training.learning_rate = *rate;
            spec.learning_rates.clear();
        }
        several => spec.learning_rates = several.to_vec(),
    }
}

fn position(name: &str) -> Result<Position, Failure> {
    name.parse().map_err(|error: String| Failure::new(USAGE, error, "use for example alibi-directed"))
}

/// The name of an experiment without a file, from the name or path of its corpus.
fn name_of(corpus: &str) -> String {
    let stem = corpus.rsplit('/').next().unwrap_or(corpus).split('.').next().unwrap_or(corpus);
    let clean: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if clean.is_empty() { "comparison".to_owned() } else { clean }
}

/// The memory that all runs together may use, if it is given or can be found out.
pub(crate) fn memory(args: &ExperimentArgs) -> Option<Memory> {
    args.memory.map(Memory::requested).or_else(Memory::here)
}
