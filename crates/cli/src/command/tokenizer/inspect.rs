//! `tokbench tokenizer inspect`: the vocabulary of a tokenizer.

use serde_json::json;
use tokenize::Reading;
use tokenize::Registry;
use tokenize::vocabulary::SPECIALS;

use super::loaded::{Loaded, open};
use crate::args;
use crate::failure::Failure;
use crate::stdout::outln;

/// Number of longest tokens that are shown.
const SHOWN: usize = 5;

pub(crate) fn run(tokenizers: &Registry, args: &args::InspectTokenizer) -> Result<u8, Failure> {
    let loaded = open(tokenizers, &args.tokenizer)?;
    let (tokenizer, vocabulary) = (&loaded.tokenizer, loaded.tokenizer.vocabulary());
    let (entries, special) = entries(&loaded);
    let dna: Vec<u32> = vocabulary.ids().filter(|&id| vocabulary.is_dna(id)).collect();
    let longest = dna.iter().map(|&id| vocabulary.length(id)).max().unwrap_or(0);
    let mut lengths = vec![0u64; longest + 1];
    dna.iter().for_each(|&id| lengths[vocabulary.length(id)] += 1);
    let mut by_length = dna.clone();
    by_length.sort_by_key(|&id| (std::cmp::Reverse(vocabulary.length(id)), id));
    let spelled = |id: u32| String::from_utf8_lossy(vocabulary.bases(id).unwrap_or_default()).into_owned();
    let shown: Vec<(u32, String)> =
        by_length.iter().take(SHOWN).map(|&id| (loaded.ids.external(id), spelled(id))).collect();
    let reading = match tokenizer.reading() {
        Reading::Tiling(Some(k)) => format!("adjacent tokens of {k} bases"),
        Reading::Tiling(None) => "adjacent tokens of variable length".to_owned(),
        Reading::Sliding { k, stride } => format!("overlapping tokens of {k} bases, stride {stride}"),
    };
    let engine = loaded.file.as_ref().map(|file| match file.engine() {
        None => "the tokenizers crate".to_owned(),
        Some(engine) => match engine.compile() {
            Some((states, bytes)) => format!("automaton of {states} states, {} KiB", bytes >> 10),
            None => "pairs of tokens (an automaton would be too large)".to_owned(),
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
        outln!("  engine: {engine}");
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

/// The number of entries, and of those that are special tokens without bases.
fn entries(loaded: &Loaded) -> (usize, usize) {
    let vocabulary = loaded.tokenizer.vocabulary();
    let Some(file) = &loaded.file else { return (vocabulary.len(), SPECIALS as usize) };
    let there = (0..).zip(file.file_ids()).filter(|(_, of_file)| of_file.is_some()).map(|(id, _)| id);
    let special = there.clone().filter(|&id| file.is_special(id) && !vocabulary.is_dna(id)).count();
    (there.count(), special)
}
