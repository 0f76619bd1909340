//! `unigram<V>`: a unigram language model, the tokenizer of SentencePiece (Kudo 2018, "Subword regularization", ACL).
//!
//! Every token has a score, the logarithm of its probability, and a stretch of bases is cut into the tokens with the highest
//! sum. Tokens and scores are learned by `unigram/train.rs` with the settings of SentencePiece (tokens of up to 16 bases, a
//! quarter dropped at a time), on pieces of 512 bases. At most 2 million bases are taken: they cost 18 to 25 s of processor time
//! and 0.3 GB, 8 million would cost 120 to 150 s. The saved file is a `tokenizer.json` of the `tokenizers` crate, which gives
//! the same ids; every letter other than A, C, G, T is a word of its own.
//!
//! # Scores are multiples of 2^-16
//! So sums of them are exact, whatever their order, and which of two equal cuts is taken does not depend on what stands
//! before: a pair of tokens that is cut otherwise when it stands alone occurs in no cut at all.

mod seeds;
mod train;

use std::cell::RefCell;

use dna::is_base;
use serde_json::{Value, json};

use crate::error::Error;
use crate::huggingface::{self, Parts, Walk};
use crate::name::Name;
use crate::registry::{Kind, Recipe};
use crate::token::Token;
use crate::tree::Tree;
use crate::vocabulary::{SPECIAL_NAMES, SPECIALS, UNK};

/// `unigram<V>`.
pub const UNIGRAM: Kind = Kind {
    stem: "unigram",
    pattern: "unigram<V>",
    help: "unigram language model (SentencePiece) with V entries (9 to 65536), learned on the training split",
    examples: &["unigram512"],
    resolve: |name| Some(resolve(name)),
};

/// Most bases that a vocabulary is learned on: beyond it, evenly spaced pieces are taken.
pub const TRAINING_BASES: usize = 2_000_000;
/// Scores are multiples of one over this.
const GRAIN: f64 = 65_536.0;

fn resolve(name: &Name) -> Result<Recipe, Error> {
    let size = huggingface::size(name, 9, "5 special ids, 4 bases, longer tokens")?;
    let settings = format!(
        "{TRAINING_BASES} bases in pieces of {}, scores in steps of 1/{GRAIN}; {}",
        huggingface::PIECE,
        train::settings()
    );
    Ok(huggingface::learned(format!("unigram{size}"), &settings, move |name, pieces| learn(name, size, pieces)))
}

/// Learns a vocabulary of `size` entries and gives it as the text of a `tokenizer.json`.
fn learn(name: &str, size: usize, pieces: &mut dyn Iterator<Item = &[u8]>) -> Result<Vec<u8>, Error> {
    let pieces = huggingface::training_pieces(pieces, TRAINING_BASES);
    let sentences: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    let tokens = train::train(&sentences, size, SPECIALS as usize);
    huggingface::enough(name, size, SPECIALS as usize + tokens.len())?;
    let specials = SPECIAL_NAMES.iter().map(|name| json!([name, 0.0]));
    let tokens = tokens.iter().map(|(bases, score)| json!([String::from_utf8_lossy(bases), grain(*score)]));
    let vocabulary: Vec<Value> = specials.chain(tokens).collect();
    let model = json!({"type": "Unigram", "unk_id": UNK, "vocab": vocabulary, "byte_fallback": false});
    Ok(huggingface::to_bytes(&huggingface::tokenizer_json(&model, &huggingface::letters_apart(), &Value::Null)))
}

/// The nearest multiple of 2^-16.
fn grain(score: f64) -> f64 {
    (score * GRAIN).round() / GRAIN
}

/// The walk of a unigram language model.
pub(crate) fn walk(parts: &Parts) -> Option<Box<dyn Walk>> {
    let vocabulary = parts.vocabulary;
    let mut scores = vec![0.0; vocabulary.len()];
    for (theirs, entry) in (0..).zip(parts.model["vocab"].as_array()?) {
        scores[*parts.ours.get(&theirs)? as usize] = entry[1].as_f64()?;
    }
    let lengths = (0..vocabulary.len() as u32).map(|id| vocabulary.length(id) as u32).collect();
    let mut dna = vocabulary.ids().filter(|&id| vocabulary.is_dna(id));
    let exact = dna.all(|id| grain(scores[id as usize]) == scores[id as usize]);
    Some(Box::new(Viterbi { tree: Tree::of_dna(vocabulary), scores, lengths, exact }))
}

/// The cut with the highest sum of scores; of equal ones that whose last token is longest, and so on to the left.
#[derive(Debug)]
struct Viterbi {
    tree: Tree,
    /// By id.
    scores: Vec<f64>,
    lengths: Vec<u32>,
    /// Whether sums of scores are exact.
    exact: bool,
}

/// Sums within this of each other can be taken for equal, or the wrong way round, where they are not exact.
const ROUNDING: f64 = 1e-6;

thread_local! {
    /// The last token of the best cut up to each place, and its score.
    static BEST: RefCell<Vec<(f64, u32)>> = RefCell::default();
}

impl Viterbi {
    /// Cuts a stretch of A, C, G, T that begins at `from`; gives the sum of scores.
    fn stretch(&self, stretch: &[u8], from: usize, out: &mut Vec<Token>) -> f64 {
        BEST.with_borrow_mut(|best| {
            best.clear();
            best.resize(stretch.len() + 1, (0.0, UNK));
            for start in 0..stretch.len() {
                let before = best[start].0;
                for (id, length) in self.tree.at(&stretch[start..]) {
                    let total = self.scores[id as usize] + before;
                    let end = &mut best[start + length];
                    if end.1 == UNK || total > end.0 {
                        *end = (total, id);
                    }
                }
            }
            let (first, mut end) = (out.len(), stretch.len());
            while end > 0 {
                let id = best[end].1;
                let start = end.saturating_sub(self.lengths[id as usize].max(1) as usize);
                out.push(Token { id, start: (from + start) as u32, end: (from + end) as u32 });
                end = start;
            }
            out[first..].reverse();
            best[stretch.len()].0
        })
    }
}

impl Walk for Viterbi {
    fn cut(&self, text: &[u8], out: &mut Vec<Token>) {
        let mut from = 0;
        for (i, &base) in text.iter().enumerate() {
            if !is_base(base) {
                self.stretch(&text[from..i], from, out);
                out.push(Token { id: UNK, start: i as u32, end: i as u32 + 1 });
                from = i + 1;
            }
        }
        self.stretch(&text[from..], from, out);
    }

    fn may_follow(&self, first: u32, second: u32, text: &[u8]) -> bool {
        let mut out = Vec::new();
        let best = self.stretch(text, 0, &mut out);
        let own = self.scores[first as usize] + self.scores[second as usize];
        out.iter().map(|token| token.id).eq([first, second]) || (!self.exact && own >= best - ROUNDING)
    }
}
