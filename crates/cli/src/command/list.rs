//! `tokbench list`: everything that can be named on the command line, from the registries.

use dataset::policy::thousands;
use model::published::Config;
use pipeline::Builtin;
use serde_json::json;

use crate::args::{self, Listed};
use crate::failure::Failure;
use crate::stdout::outln;

/// Vocabulary and length for which sizes are stated: those of DNABERT-2's model card.
const VOCABULARY: usize = 4096;
const TOKENS: usize = 512;

pub(crate) fn run(builtin: &Builtin, args: &args::List) -> Result<u8, Failure> {
    let catalog = &builtin.catalog;
    let (corpora, tasks): (Vec<_>, Vec<_>) = (catalog.corpora().collect(), catalog.tasks().collect());
    let encoders: Vec<_> = builtin.encoders.names().collect();
    let devices = model::device::available();
    let figures: Vec<_> = report::FIGURES.iter().map(|figure| (figure.name, figure.title)).collect();
    let registry = &builtin.tokenizers;
    if args.json {
        let tokenizers: Vec<_> = registry
            .families()
            .iter()
            .map(|kind| json!({"pattern": kind.pattern, "help": kind.help, "examples": kind.examples}))
            .collect();
        let value = json!({"tokenizers": tokenizers, "corpora": corpora, "tasks": tasks, "encoders": encoders,
            "devices": devices, "figures": figures.iter().map(|(name, _)| name).collect::<Vec<_>>()});
        outln!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
        return Ok(0);
    }
    if let Some(what) = args.what {
        one(builtin, what);
        return Ok(0);
    }
    outln!("tokenizers");
    tokenizers(builtin);
    outln!("\ncorpora (or a FASTA, FASTQ or TOML file)\n  {}", corpora.join("  "));
    outln!("\ntasks (or a CSV or TOML file)");
    for chunk in tasks.chunks(6) {
        outln!("  {}", chunk.join("  "));
    }
    outln!("\nencoders\n  {}", encoders.join("  "));
    outln!("\ndevices of this build on this machine\n  {}", devices.join("  "));
    outln!("\nfigures");
    for (name, title) in figures {
        outln!("  {name:<22} {title}");
    }
    Ok(0)
}

fn tokenizers(builtin: &Builtin) {
    let registry = &builtin.tokenizers;
    for kind in registry.families() {
        outln!("  {:<34} {}", kind.pattern, kind.help);
        if let Some(name) = kind.examples.first()
            && let Ok(recipe) = registry.parse(name)
            && let Some(summary) = recipe.frontend.summary()
        {
            outln!("  {:<34} front end: {summary}", "");
        }
    }
}

/// One list, an entry per line.
fn one(builtin: &Builtin, what: Listed) {
    let lines = |names: &mut dyn Iterator<Item = &str>| names.for_each(|name| outln!("{name}"));
    match what {
        Listed::Tokenizers => tokenizers(builtin),
        Listed::Corpora => lines(&mut builtin.catalog.corpora()),
        Listed::Tasks => lines(&mut builtin.catalog.tasks()),
        Listed::Encoders => encoders(builtin),
        Listed::Devices => lines(&mut model::device::available().into_iter()),
        Listed::Figures => report::FIGURES.iter().for_each(|figure| outln!("{:<22} {}", figure.name, figure.title)),
    }
}

/// Sizes of the encoders, with DNABERT-2's vocabulary.
fn encoders(builtin: &Builtin) {
    outln!(
        "{:<8} {:>6} {:>5} {:>5} {:>12} {:>12} {:>10}",
        "encoder",
        "layers",
        "width",
        "heads",
        "feed-forward",
        "parameters",
        "GMACs"
    );
    for name in builtin.encoders.names() {
        let Ok(encoder) = builtin.encoders.get(name) else { continue };
        let size = Config::of(encoder, VOCABULARY);
        outln!(
            "{name:<8} {:>6} {:>5} {:>5} {:>12} {:>12} {:>10.3}",
            size.layers,
            size.hidden,
            size.heads,
            size.intermediate,
            thousands(size.parameters() as u64),
            size.macs(TOKENS) as f64 / 1e9
        );
    }
    outln!(
        "parameters: embeddings of {VOCABULARY} entries, encoder and masked-language-model head, tied matrices once"
    );
    outln!("GMACs: 10^9 multiply-accumulates of the encoder for one sequence of {TOKENS} tokens");
}
