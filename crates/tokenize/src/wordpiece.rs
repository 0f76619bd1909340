//! `wordpiece<V>`: WordPiece, the tokenizer of BERT (Schuster and Nakajima 2012, "Japanese and Korean voice search", ICASSP;
//! Devlin et al. 2019).
//!
//! A word is cut from left to right, each time into the longest token that begins its rest. Tokens that continue a word are
//! entries of their own, written with `##` before them: the same bases can stand in the vocabulary twice. A word here is a
//! whole stretch of A, C, G, T, and every other letter is a word by itself.
//!
//! The vocabulary is learned by the `tokenizers` crate's `WordPieceTrainer`, which is byte-pair merging with that prefix, on
//! pieces of 512 bases (8 million bases and 4,096 entries: 9 s of processor time and 0.7 GB). A piece has one first token and
//! many that continue it, so nearly all merges make the latter: 22 of these 4,096 entries begin a word.
//!
//! The saved file is a `tokenizer.json` of that crate, which gives the same ids; but it looks for the longest token by
//! trying the whole rest of the word first, so its time grows with more than the square of the length (1,000 bases take 0.012 s,
//! 4,000 take 0.37 s). Here a prefix tree is walked: ten million bases take 0.1 s.

use serde_json::{Value, json};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::{AddedToken, Model, Trainer};

use crate::error::Error;
use crate::huggingface::{self, Parts, Walk};
use crate::name::Name;
use crate::registry::{Kind, Recipe};
use crate::token::Token;
use crate::tree::Tree;
use crate::vocabulary::{SPECIAL_NAMES, UNK};

/// `wordpiece<V>`.
pub const WORDPIECE: Kind = Kind {
    stem: "wordpiece",
    pattern: "wordpiece<V>",
    help: "WordPiece (BERT) with V entries (13 to 65536), learned on the training split",
    examples: &["wordpiece512"],
    resolve: |name| Some(resolve(name)),
};

/// Before tokens that continue a word.
const PREFIX: &str = "##";
/// What comes before all merges. Named to the trainer in this order: otherwise it numbers them as its hash tables lie.
const ALPHABET: [&str; 8] = ["A", "C", "G", "T", "##A", "##C", "##G", "##T"];
/// Who learns.
const TRAINER: &str = "tokenizers 0.23.2";
/// A pair that stands at fewer places is not merged.
const FREQUENCY: u64 = 2;
/// The `tokenizers` crate makes longer words unknown.
const LONGEST_WORD: u32 = u32::MAX;

fn resolve(name: &Name) -> Result<Recipe, Error> {
    let size = huggingface::size(name, 13, "5 special ids, 4 bases that begin a word, 4 that continue it, merges")?;
    let settings = format!(
        "{} bases in pieces of {}, {TRAINER}, pairs from {FREQUENCY} places on, {PREFIX} before what continues",
        huggingface::TRAINING_BASES,
        huggingface::PIECE
    );
    Ok(huggingface::learned(format!("wordpiece{size}"), &settings, move |name, pieces| learn(name, size, pieces)))
}

/// Learns a vocabulary of `size` entries and gives it as the text of a `tokenizer.json`.
fn learn(name: &str, size: usize, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let failed = |error: tokenizers::Error| Error::Fit {
        name: name.to_owned(),
        reason: error.to_string(),
        remedy: "give other training text".to_owned(),
    };
    let first = SPECIAL_NAMES.iter().chain(&ALPHABET).map(|token| AddedToken::from(*token, true)).collect();
    let trainer = WordPieceTrainer::builder()
        .show_progress(false)
        .min_frequency(FREQUENCY)
        .vocab_size(size)
        .special_tokens(first);
    let mut trainer = trainer.continuing_subword_prefix(PREFIX.to_owned()).build();
    let pieces = huggingface::training_pieces(pieces, huggingface::TRAINING_BASES);
    trainer.feed(pieces.iter(), |piece| Ok(vec![piece.to_owned()])).map_err(failed)?;
    let mut model = WordPiece::default();
    trainer.train(&mut model).map_err(failed)?;
    let mut tokens: Vec<(u32, String)> = model.get_vocab().into_iter().map(|(token, id)| (id, token)).collect();
    tokens.sort_unstable();
    huggingface::enough(name, size, tokens.len())?;
    let vocabulary: serde_json::Map<String, Value> = tokens.into_iter().map(|(id, token)| (token, json!(id))).collect();
    let model = json!({
        "type": "WordPiece", "unk_token": SPECIAL_NAMES[UNK as usize], "continuing_subword_prefix": PREFIX,
        "max_input_chars_per_word": LONGEST_WORD, "vocab": vocabulary,
    });
    let decoder = json!({"type": "WordPiece", "prefix": PREFIX, "cleanup": false});
    Ok(huggingface::to_bytes(&huggingface::tokenizer_json(&model, &huggingface::letters_apart(), &decoder)))
}

/// The walk of a WordPiece model.
pub(crate) fn walk(parts: &Parts) -> Option<Box<dyn Walk>> {
    let prefix = parts.model["continuing_subword_prefix"].as_str()?;
    let mut first = vec![None; parts.vocabulary.len()];
    let (mut begin, mut continuing) = (Vec::new(), Vec::new());
    for (token, id) in parts.model["vocab"].as_object()? {
        let id = *parts.ours.get(&u32::try_from(id.as_u64()?).ok()?)?;
        let Some(bases) = parts.vocabulary.bases(id) else { continue };
        if !prefix.is_empty() {
            first[id as usize] = Some(!token.starts_with(prefix));
        }
        if prefix.is_empty() || !token.starts_with(prefix) {
            begin.push((id, bases));
        }
        if token.starts_with(prefix) {
            continuing.push((id, bases));
        }
    }
    Some(Box::new(Greedy { begin: Tree::new(&begin), continuing: Tree::new(&continuing), first }))
}

/// The longest token first, from left to right.
#[derive(Debug)]
struct Greedy {
    /// Tokens that begin a word, and tokens that continue one.
    begin: Tree,
    continuing: Tree,
    /// By id: whether a token begins a word; `None`: it does both.
    first: Vec<Option<bool>>,
}

impl Greedy {
    /// The longest token at the beginning of a text.
    fn longest(&self, text: &[u8], first: bool) -> Option<(u32, usize)> {
        let tree = if first { &self.begin } else { &self.continuing };
        tree.at(text).last()
    }
}

impl Walk for Greedy {
    fn cut(&self, text: &[u8], out: &mut Vec<Token>) {
        let (mut start, mut first) = (0, true);
        while start < text.len() {
            // A letter without a token is a word of its own.
            let found = self.longest(&text[start..], first);
            let (id, length) = found.unwrap_or((UNK, 1));
            out.push(Token { id, start: start as u32, end: (start + length) as u32 });
            start += length;
            first = found.is_none();
        }
    }

    fn may_follow(&self, first: u32, second: u32, text: &[u8]) -> bool {
        let begins = self.first[first as usize] != Some(false);
        let cut = self.longest(text, begins).filter(|(id, _)| *id == first);
        cut.is_some_and(|(_, length)| self.longest(&text[length..], false) == Some((second, text.len() - length)))
    }

    fn stands_first(&self, id: u32) -> Option<bool> {
        self.first.get(id as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    /// What is learned is kept by the name of who learned it.
    #[test]
    fn the_trainer_is_the_one_that_is_used() {
        let (name, version) = super::TRAINER.split_once(' ').unwrap();
        let workspace = include_str!("../../../Cargo.toml");
        assert!(workspace.contains(&format!("{name} = {{ version = \"={version}\"")), "{name} {version}");
    }
}
