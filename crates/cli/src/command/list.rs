//! `tokbench list`: everything that can be named on the command line, from the registries.

use pipeline::Builtin;
use serde_json::json;

use crate::args;
use crate::failure::Failure;
use crate::stdout::outln;

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
    outln!("tokenizers");
    for kind in registry.families() {
        outln!("  {:<34} {}", kind.pattern, kind.help);
        if let Some(name) = kind.examples.first()
            && let Ok(recipe) = registry.parse(name)
            && let Some(summary) = recipe.frontend.summary()
        {
            outln!("  {:<34} front end: {summary}", "");
        }
    }
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
