//! `tokbench audit`: measurements of tokenizers on a text and on random text, without a model.

use std::path::Path;
use std::sync::Arc;

use dataset::{Corpus, MarkovChain, Split, stream};
use pipeline::{Builtin, Workspace};
use rayon::prelude::*;
use report::audit::{Cell, Sheet, Text};
use report::figure::FigureKind;
use serde_json::json;
use tokenize::audit::{Audit, METRICS};
use tokenize::{Recipe, Tokenizer};

use crate::args;
use crate::failure::{Failure, needs_no_model};
use crate::folders;
use crate::progress;
use crate::stdout::{color, errln, out, outln};
use crate::workspace::{apart, workspace};

/// The file with all numbers.
const ALL: &str = "audit_all.csv";

/// Windows of one species: from the corpus, or random.
struct Sample {
    species: String,
    text: Text,
    windows: Vec<Vec<u8>>,
}

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Audit) -> Result<u8, Failure> {
    // Checked before anything is trained: the names are valid, and the results can be written.
    let workspace = workspace(builtin, args.data.as_deref(), Path::new(""));
    let recipes =
        args.selection.tokenizers.iter().map(|name| recipe(&workspace, name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(folder) = &args.output {
        folders::make(folder)?;
    }
    let open = workspace.open_corpus(&args.corpus)?;
    if let Some(folder) = &args.output {
        let names = report::figure::files(FigureKind::Audit).into_iter().chain([ALL.to_owned()]);
        let files: Vec<_> = names.map(|file| folder.join(file)).collect();
        apart(&workspace, &files, &args.corpus, &open, &args.selection.tokenizers)?;
    }
    for remark in open.remarks() {
        errln!("{remark}");
    }
    let corpus = &open.corpus;
    let samples = samples(corpus, args)?;
    let mut tokenizers = Vec::new();
    for recipe in &recipes {
        if recipe.learned_vocabulary {
            errln!("training the vocabulary of {}", recipe.name);
        }
        tokenizers.push(recipe.fit(&mut corpus.training_segments())?);
    }
    let audits = measure(&tokenizers, &samples, args);
    let sheet = sheet(corpus, &recipes, &samples, &audits, args);
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&machine(&sheet)).unwrap_or_default());
    } else {
        out!("{}", report::audit::table(&sheet, color()));
    }
    if let Some(folder) = &args.output {
        let path = folder.join(ALL);
        report::figure::replace(&path, &report::audit::csv(&sheet))?;
        errln!("numbers: {}", path.display());
        for (figure, drawn) in report::figure::draw_all(report::FIGURES, &sheet)? {
            let files = report::figure::write(&drawn, folder, figure.name)?;
            errln!("figure: {}", files[0].display());
        }
    }
    Ok(0)
}

fn recipe(workspace: &Workspace, name: &str) -> Result<Recipe, Failure> {
    let recipe = workspace.recipe(name)?;
    needs_no_model(&recipe, "audit \"base\" for its input; \"tokbench look\" shows the units of a trained model")?;
    Ok(recipe)
}

/// Windows of the test split, and as many of each kind of random text.
fn samples(corpus: &Corpus, args: &args::Audit) -> Result<Vec<Sample>, Failure> {
    let species: Vec<&str> = corpus.species().iter().map(|species| species.name.as_str()).collect();
    let bases = usize::try_from(args.bases).unwrap_or(usize::MAX).saturating_mul(corpus.trained().count());
    let found = corpus.scoring_windows(Split::Test, args.window, bases)?;
    let mut samples = Vec::new();
    for species in species {
        let real: Vec<Vec<u8>> =
            found.iter().filter(|window| window.species == species).map(|window| window.bases.clone()).collect();
        let fitted = MarkovChain::fit(real.iter().map(Vec::as_slice), 2, 1.0);
        let drawn = |source: &MarkovChain, text: Text| {
            let mut rng = stream(args.seed, &format!("audit/{}/{species}", text.name()));
            let windows = real.iter().map(|window| source.sample(window.len(), &mut rng)).collect();
            Sample { species: species.to_owned(), text, windows }
        };
        let random = [drawn(&fitted, Text::Order2), drawn(&MarkovChain::uniform(), Text::Uniform)];
        samples.push(Sample { species: species.to_owned(), text: Text::Real, windows: real });
        samples.extend(random);
    }
    Ok(samples)
}

/// One audit for each tokenizer and sample, in this order.
fn measure(tokenizers: &[Arc<dyn Tokenizer>], samples: &[Sample], args: &args::Audit) -> Vec<Vec<Audit>> {
    let jobs: Vec<(usize, usize)> =
        (0..tokenizers.len()).flat_map(|at| (0..samples.len()).map(move |sample| (at, sample))).collect();
    let bar = progress::bar(jobs.len() as u64, "{wide_bar} {pos}/{len}");
    let audits: Vec<Audit> = jobs
        .par_iter()
        .map(|&(at, number)| {
            let (tokenizer, sample) = (&*tokenizers[at], &samples[number]);
            // The same mutations for every tokenizer.
            let mut rng = stream(args.seed, &format!("audit/mutations/{}/{}", sample.text.name(), sample.species));
            let audit = Audit::of(tokenizer, &sample.windows, args.probes, &mut rng);
            bar.inc(1);
            audit
        })
        .collect();
    bar.finish_and_clear();
    audits.chunks(samples.len().max(1)).map(<[Audit]>::to_vec).collect()
}

fn sheet(corpus: &Corpus, recipes: &[Recipe], samples: &[Sample], audits: &[Vec<Audit>], args: &args::Audit) -> Sheet {
    let mut cells = Vec::new();
    for (tokenizer, audits) in audits.iter().enumerate() {
        let mut put = |species: &str, text: Text, audit: &Audit| {
            cells.push(Cell {
                tokenizer,
                species: species.to_owned(),
                text,
                values: METRICS.iter().map(|metric| (metric.value)(audit)).collect(),
                lengths: audit.composition.lengths.clone(),
                undersampled: audit.undersampled(),
            });
        };
        for text in Text::ALL {
            let mut all: Option<Audit> = None;
            for (sample, audit) in samples.iter().zip(audits).filter(|(sample, _)| sample.text == text) {
                put(&sample.species, text, audit);
                match &mut all {
                    Some(all) => all.merge(audit),
                    None => all = Some(audit.clone()),
                }
            }
            if let Some(all) = &all {
                put("", text, all);
            }
        }
    }
    let windows = samples.first().map_or(0, |sample| sample.windows.len());
    let probes = args.probes.min(windows);
    let names = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    Sheet {
        setting: format!(
            "{}, test split, {} of {} bases per species; mutations tested in {probes} of them",
            corpus.name(),
            names(windows, "window"),
            args.window
        ),
        tokenizers: report::labels(&recipes.iter().map(|recipe| recipe.name.clone()).collect::<Vec<_>>()),
        metrics: METRICS.to_vec(),
        cells,
    }
}

fn machine(sheet: &Sheet) -> serde_json::Value {
    let cells: Vec<_> = sheet
        .cells
        .iter()
        .map(|cell| {
            let values: serde_json::Map<String, serde_json::Value> = sheet
                .metrics
                .iter()
                .zip(&cell.values)
                .map(|(metric, value)| (metric.name.to_owned(), json!(value)))
                .collect();
            json!({"tokenizer": sheet.tokenizers[cell.tokenizer], "species": cell.species, "text": cell.text.name(),
                   "values": values, "lengths": cell.lengths})
        })
        .collect();
    let metrics: Vec<_> =
        sheet.metrics.iter().map(|metric| json!({"name": metric.name, "title": metric.title})).collect();
    json!({"setting": sheet.setting, "metrics": metrics, "cells": cells})
}
