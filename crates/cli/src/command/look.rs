//! `tokbench look`: the segmentation of one locus by each tokenizer, aligned under the bases.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use dataset::Corpus;
use dataset::text::excerpt;
use experiment::config::PriorKind;
use pipeline::{Builtin, Workspace};
use serde_json::json;

use crate::args;
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::stdout::{color, errln, out, outln};
use crate::workspace::{apart, workspace};

/// Number of bases shown by default, and at most.
const DEFAULT: usize = 120;
const MOST: usize = 10_000;
/// Masked span of the default experiment; vocabularies do not depend on it.
const SPAN: usize = 12;

pub(crate) fn run(builtin: &Arc<Builtin>, args: &args::Look) -> Result<u8, Failure> {
    if let Some(path) = args.output.as_ref().filter(|path| path.extension().is_none_or(|end| end != "svg")) {
        return Err(Failure::new(
            USAGE,
            format!("{}: figures are written as SVG", path.display()),
            "use a file name ending in .svg",
        ));
    }
    // Checked before anything is computed: the figure can be written.
    if let Some(path) = &args.output {
        folders::make_for(path)?;
    }
    let workspace = workspace(builtin, args.data.as_deref(), &args.store);
    let open = workspace.open_corpus(&args.corpus)?;
    if let Some(path) = &args.output {
        // The numbers of the figure are written beside it.
        let outputs = [path.clone(), path.with_extension("csv")];
        apart(&workspace, &outputs, &args.corpus, &open, &args.selection.tokenizers)?;
    }
    let corpus = &open.corpus;
    let bases = match &args.sequence {
        Some(text) => given(text)?,
        None => locus(corpus, args.locus.as_deref())?,
    };
    let mut segmentations = Vec::new();
    for name in &args.selection.tokenizers {
        segmentations.push((name.clone(), segment(name, &bases, corpus, &workspace)?));
    }
    if args.json {
        let value = json!({"bases": String::from_utf8_lossy(&bases), "cuts": segmentations.iter().map(|(name, spans)| {
            json!({"tokenizer": name, "spans": spans.iter().map(|span| [span.start, span.end]).collect::<Vec<_>>()})
        }).collect::<Vec<_>>()});
        outln!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
    } else {
        out!("{}", aligned(&bases, &segmentations, color()));
    }
    if let Some(path) = &args.output {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_stem().map_or_else(|| "locus".to_owned(), |name| name.to_string_lossy().into_owned());
        let (place, first) = place(corpus, args, bases.len());
        let locus = report::figure::Locus { place: &place, first, bases: &bases, segmentations: &segmentations };
        for (at, (figure, drawn)) in report::figure::draw_all(report::FIGURES, &locus)?.into_iter().enumerate() {
            // The first figure has the requested name, others add their own.
            let name = if at == 0 { name.clone() } else { format!("{name}_{}", figure.name) };
            let files = report::figure::write(&drawn, folder, &name)?;
            errln!("figure: {}", files[0].display());
        }
    }
    Ok(0)
}

/// The bases of `--sequence`.
fn given(text: &str) -> Result<Vec<u8>, Failure> {
    let mut bases = Vec::new();
    dataset::policy::normalize(text.as_bytes(), &mut bases, &mut dataset::Counts::default()).map_err(|_| {
        Failure::new(
            USAGE,
            format!("{text:?} is not a DNA sequence"),
            "use the letters A, C, G, T, U, N and IUPAC codes",
        )
    })?;
    if bases.is_empty() || bases.len() > MOST {
        return Err(Failure::new(
            USAGE,
            format!("cannot show {} bases", bases.len()),
            format!("give 1 to {MOST} bases"),
        ));
    }
    Ok(bases)
}

/// What the figure says of the bases: where they are from, and the coordinate of the first.
fn place(corpus: &Corpus, args: &args::Look, count: usize) -> (String, usize) {
    if args.sequence.is_some() {
        return (format!("{count} given bases"), 1);
    }
    let first_record = || corpus.species().iter().flat_map(|species| &species.records).next();
    let (record, first) = match args.locus.as_deref().and_then(|place| place.rsplit_once(':')) {
        Some((record, range)) => {
            let first = range.split('-').next().and_then(|first| first.replace(',', "").parse::<usize>().ok());
            (record.to_owned(), first.unwrap_or(1))
        }
        None => (first_record().map_or_else(String::new, |record| record.name.clone()), 1),
    };
    let record = if record.is_empty() { "first record".to_owned() } else { record };
    (format!("corpus {}, {record}, bases {first} to {}", corpus.name(), first + count.max(1) - 1), first)
}

/// The bases of RECORD:FIRST-LAST.
fn locus(corpus: &Corpus, place: Option<&str>) -> Result<Vec<u8>, Failure> {
    let records = || corpus.species().iter().flat_map(|species| &species.records);
    let wrong = |reason: String| {
        let named = records().map(|record| record.name.as_str()).filter(|name| !name.is_empty());
        let known: Vec<String> = named.take(3).map(|name| format!("{}:1-120", excerpt(name))).collect();
        let remedy = match known.as_slice() {
            [] => "its records have no names: give the bases with --sequence".to_owned(),
            known => format!("write RECORD:FIRST-LAST, for example {}", known.join(" or ")),
        };
        Failure::new(USAGE, reason, remedy)
    };
    let Some(place) = place else {
        let record = records().next().ok_or_else(|| wrong("the corpus is empty".to_owned()))?;
        return Ok(record.bases[..record.bases.len().min(DEFAULT)].to_vec());
    };
    let parts = place.rsplit_once(':').and_then(|(name, range)| {
        let (first, last) = range.split_once('-')?;
        Some((name, first.replace(',', "").parse::<usize>().ok()?, last.replace(',', "").parse::<usize>().ok()?))
    });
    let (name, first, last) = parts.ok_or_else(|| wrong(format!("{place:?} is not a locus")))?;
    let mut found = records().filter(|record| record.name == name && !name.is_empty());
    let record = found.next().ok_or_else(|| wrong(format!("no record {name:?} in the corpus {}", corpus.name())))?;
    let others = found.count();
    if others > 0 {
        return Err(Failure::new(
            USAGE,
            format!("{} records of the corpus {} are called {name:?}", others + 1, corpus.name()),
            "give each record a unique name, or give the bases with --sequence",
        ));
    }
    if first == 0 || first > last || last > record.bases.len() || last - first >= MOST {
        return Err(wrong(format!(
            "{first}-{last} is not inside {name} (1 to {}, at most {MOST} bases)",
            record.bases.len()
        )));
    }
    Ok(record.bases[first - 1..last].to_vec())
}

/// The spans of the tokens of one tokenizer.
fn segment(name: &str, bases: &[u8], corpus: &Corpus, workspace: &Workspace) -> Result<Vec<Range<usize>>, Failure> {
    let recipe = workspace.recipe(name)?;
    if recipe.frontend.learns_units() {
        return learned(&recipe.name, bases, corpus, workspace);
    }
    let mut tokens = Vec::new();
    let fitted = if recipe.learned_vocabulary && workspace.store.exists() {
        let say = &mut |text| errln!("{text}");
        pipeline::fitting::fit(&workspace.store()?, &recipe, corpus, SPAN, Some(PriorKind::default()), say)?.tokenizer
    } else {
        recipe.fit(&mut corpus.training_segments())?
    };
    fitted.encode(bases, &mut tokens);
    Ok(tokens.iter().map(|token| token.start as usize..token.end as usize).collect())
}

/// The units of a learned front end, from the weights of a finished run on this corpus.
fn learned(name: &str, bases: &[u8], corpus: &Corpus, workspace: &Workspace) -> Result<Vec<Range<usize>>, Failure> {
    let Some(record) = pipeline::load::find(workspace, name, corpus)? else {
        let (corpus, folder) = (corpus.name(), workspace.store.display());
        return Err(Failure::new(
            DATA,
            format!("{name} learns its segmentation, and there is no finished run of it on {corpus} in {folder}"),
            format!("run \"tokbench compare --tokenizers {name} --corpus ...\" first, or omit {name}"),
        ));
    };
    let loaded = pipeline::load::load_with_corpus(workspace, record, corpus, "cpu")?;
    let (key, seed) = (loaded.record.key.short(), loaded.record.run.seed);
    errln!("{name}: segmentation of run {key} (seed {seed}, {} training bases)", loaded.training_bases());
    loaded.segment(bases)
}

/// Lines of bases and, under them, tokens: adjacent tokens alternate in color or, without color, in upper and lower case.
fn aligned(bases: &[u8], segmentations: &[(String, Vec<Range<usize>>)], color: bool) -> String {
    const WIDE: usize = 80;
    let margin = segmentations.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 2;
    let mut out = String::new();
    for first in (0..bases.len()).step_by(WIDE) {
        let last = (first + WIDE).min(bases.len());
        out += &format!("{:>margin$}{}\n", format!("{} ", first + 1), String::from_utf8_lossy(&bases[first..last]));
        for (name, spans) in segmentations {
            for (line_number, row) in rows(spans).iter().enumerate() {
                let mut line = format!("{:<margin$}", if line_number == 0 { name.as_str() } else { "" });
                let mut at = first;
                let mut any = false;
                for &(number, ref span) in row.iter().filter(|(_, span)| span.end > first && span.start < last) {
                    let (from, to) = (span.start.max(first), span.end.min(last));
                    line += &" ".repeat(from.saturating_sub(at));
                    let text = String::from_utf8_lossy(&bases[from..to]).into_owned();
                    line += &match (color, number % 2) {
                        (true, 0) => format!("\x1b[36m{text}\x1b[0m"),
                        (true, _) => format!("\x1b[33m{text}\x1b[0m"),
                        (false, 0) => text,
                        (false, _) => text.to_ascii_lowercase(),
                    };
                    (at, any) = (to, true);
                }
                if any {
                    out += line.trim_end();
                    out.push('\n');
                }
            }
        }
        out.push('\n');
    }
    out
}

/// Tokens in rows, numbered within each row, so that the tokens of a row do not overlap.
fn rows(spans: &[Range<usize>]) -> Vec<Vec<(usize, Range<usize>)>> {
    let mut rows: Vec<Vec<(usize, Range<usize>)>> = Vec::new();
    for span in spans {
        let free = rows.iter().position(|row| row.last().is_none_or(|(_, last)| last.end <= span.start));
        let row = free.unwrap_or_else(|| {
            rows.push(Vec::new());
            rows.len() - 1
        });
        let number = rows[row].len();
        rows[row].push((number, span.clone()));
    }
    rows
}
