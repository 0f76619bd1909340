//! `tokbench tokenizer inspect`.

use serde_json::json;
use tokenize::Reading;
use tokenize::Registry;
use tokenize::vocabulary::SPECIALS;

use super::{Ready, open};
use crate::args;
use crate::failure::Failure;
use crate::stdout::outln;

/// Longest tokens that are shown.
const SHOWN: usize = 5;

pub(crate) fn run(tokenizers: &Registry, args: &args::InspectTokenizer) -> Result<u8, Failure> {
    let ready = open(tokenizers, &args.tokenizer)?;
    let (tokenizer, vocabulary) = (&ready.tokenizer, ready.tokenizer.vocabulary());
    let (entries, special) = entries(&ready);
    let dna: Vec<u32> = vocabulary.ids().filter(|&id| vocabulary.is_dna(id)).collect();
    let longest = dna.iter().map(|&id| vocabulary.length(id)).max().unwrap_or(0);
    let mut lengths = vec![0u64; longest + 1];
    dna.iter().for_each(|&id| lengths[vocabulary.length(id)] += 1);
    let mut by_length = dna.clone();
    by_length.sort_by_key(|&id| (std::cmp::Reverse(vocabulary.length(id)), id));
    let spelled = |id: u32| String::from_utf8_lossy(vocabulary.bases(id).unwrap_or_default()).into_owned();
    let shown: Vec<(u32, String)> =
        by_length.iter().take(SHOWN).map(|&id| (ready.ids.shown(id), spelled(id))).collect();
    let reading = match tokenizer.reading() {
        Reading::Tiling(Some(k)) => format!("tokens of {k} side by side"),
        Reading::Tiling(None) => "tokens of varying length side by side".to_owned(),
        Reading::Sliding { k, stride } => format!("tokens of {k} that start every {stride}"),
    };
    let engine = ready.file.as_ref().map(|file| match file.engine() {
        None => "the tokenizers crate".to_owned(),
        Some(engine) => match engine.compile() {
            Some((states, bytes)) => format!("automaton of {states} states, {} KiB", bytes >> 10),
            None => "walk over pairs (an automaton would be too large)".to_owned(),
        },
    });
    if args.json {
        let value = json!({
            "name": tokenizer.name(), "entries": entries, "special": special, "dna": dna.len(),
            "reading": reading, "lengths": lengths, "longest": shown, "engine": engine,
        });
        outln!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
        return Ok(0);
    }
    outln!("{}", tokenizer.name());
    let others = match entries - special - dna.len() {
        0 => String::new(),
        others => format!(", {others} others"),
    };
    outln!("  {entries} entries: {special} special, {} of A, C, G, T{others}", dna.len());
    outln!("  {reading}");
    if let Some(engine) = engine {
        outln!("  cut by: {engine}");
    }
    outln!("  bases  entries");
    for (length, &count) in lengths.iter().enumerate().filter(|(_, count)| **count > 0) {
        outln!("  {length:>5}  {count:>7}");
    }
    outln!("  longest:");
    for (id, token) in shown {
        outln!("  {id:>7}  {token}");
    }
    Ok(0)
}

/// Entries that are there, and those of them that are special and no DNA.
fn entries(ready: &Ready) -> (usize, usize) {
    let vocabulary = ready.tokenizer.vocabulary();
    let Some(file) = &ready.file else { return (vocabulary.len(), SPECIALS as usize) };
    let there = (0..).zip(file.file_ids()).filter(|(_, of_file)| of_file.is_some()).map(|(id, _)| id);
    let special = there.clone().filter(|&id| file.is_special(id) && !vocabulary.is_dna(id)).count();
    (there.count(), special)
}
