//! `randomcut<V>`: BPE's vocabulary and BPE's token lengths, but cut at random: a control (`docs/protocol.md#baselines-and-controls`).
//!
//! What BPE gains over this control is due to *where* it cuts, not to having long tokens of varying length. The cut is a pure
//! function of the stretch of bases: the random numbers are keyed by the BLAKE3 of the stretch. One of all ways to spell the
//! stretch in the vocabulary is drawn, with probability proportional to the product of a weight for each token's length;
//! the weights are fitted so that the lengths come out as BPE's on training text.

use std::sync::Arc;

use bpe::HuggingFace;
use bpe::tree::Tree;
use dna::is_base;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::bpe::{bpe_size, settings, train};
use super::subword::{TRAINING_BASES, training_pieces};
use crate::Token;
use crate::error::Error;
use crate::family::Family;
use crate::name::Name;
use crate::recipe::Recipe;
use crate::token::{Reading, Tokenizer};
use crate::vocabulary::{UNK, Vocabulary};

/// `randomcut<V>`.
pub const RANDOMCUT: Family = Family {
    stem: "randomcut",
    pattern: "randomcut<V>",
    help: "control of bpe<V>: the same vocabulary and token lengths, cut at random",
    examples: &["randomcut512"],
    resolve: |name| Some(resolve(name)),
};

/// Rounds of fitting the weights.
const ROUNDS: usize = 24;
/// Bases of training text used to fit the weights, in stretches of [`STRETCH`].
const SAMPLE: usize = 120_000;
/// Bases per stretch: long enough that ends hardly matter.
const STRETCH: usize = 120;
/// Added to both shares of a length before they are divided.
const SMALL: f64 = 1e-6;
/// Least weight of single bases.
const LEAST: f64 = 1e-9;

fn resolve(name: &Name) -> Result<Recipe, Error> {
    let size = bpe_size(name)?;
    let canonical = format!("randomcut{size}");
    let (for_fit, for_load) = (canonical.clone(), canonical.clone());
    Ok(Recipe::learned(
        canonical,
        Reading::Tiling(None),
        size,
        &format!(
            "{}; {ROUNDS} rounds on {SAMPLE} bases in stretches of {STRETCH}, at least {LEAST}, {SMALL} added",
            settings()
        ),
        move |pieces| {
            let pieces: Vec<&[u8]> = pieces.collect();
            let json = train(&for_fit, size, &mut pieces.iter().copied())?;
            Ok(Arc::new(RandomCut::fit(for_fit.clone(), &json, &pieces)?))
        },
        move |saved| {
            let saved: Saved = serde_json::from_slice(saved).map_err(|error| Error::File {
                path: "learned vocabulary".to_owned(),
                reason: error.to_string(),
                remedy: "remove it; it is learned again".to_owned(),
            })?;
            Ok(Arc::new(RandomCut::new(for_load.clone(), saved)?))
        },
    ))
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Saved {
    tokenizer: String,
    /// Weight of each token length, index 0 = one base.
    weights: Vec<f64>,
}

/// A random cut with BPE's vocabulary and lengths.
#[derive(Debug)]
pub struct RandomCut {
    name: String,
    saved: Saved,
    vocabulary: Vocabulary,
    tree: Tree,
}

impl RandomCut {
    fn new(name: String, saved: Saved) -> Result<Self, Error> {
        let bpe = HuggingFace::from_json(name.clone(), saved.tokenizer.as_bytes(), "learned vocabulary")?;
        let vocabulary = bpe.vocabulary().clone();
        let tree = Tree::of_dna(&vocabulary);
        Ok(RandomCut { name, saved, vocabulary, tree })
    }

    fn fit(name: String, json: &[u8], pieces: &[&[u8]]) -> Result<Self, Error> {
        let bpe = HuggingFace::from_json(name.clone(), json, "learned vocabulary")?;
        let longest = bpe.vocabulary().ids().map(|id| bpe.vocabulary().length(id)).max().unwrap_or(1);
        let stretches: Vec<&[u8]> = training_pieces(&mut pieces.iter().copied(), TRAINING_BASES)
            .iter()
            .flat_map(|piece| piece.as_bytes().chunks_exact(STRETCH))
            .collect();
        let count = (SAMPLE / STRETCH).min(stretches.len());
        if count == 0 {
            return Err(Error::Fit {
                name,
                reason: format!("no stretch of {STRETCH} bases without N in the training text"),
                remedy: "give more text".to_owned(),
            });
        }
        let sample: Vec<&[u8]> = (0..count).map(|i| stretches[i * stretches.len() / count]).collect();
        let target = lengths(&bpe, &sample, longest);
        let saved = Saved { tokenizer: String::from_utf8_lossy(json).into_owned(), weights: target.clone() };
        let mut cut = RandomCut::new(name, saved)?;
        for _ in 0..ROUNDS {
            let now = lengths(&cut, &sample, longest);
            for ((weight, target), now) in cut.saved.weights.iter_mut().zip(&target).zip(&now) {
                // Iterative scaling; lengths that BPE does not use stay at zero, except single bases: the way out.
                *weight *= (target + SMALL) / (now + SMALL);
            }
            cut.saved.weights[0] = cut.saved.weights[0].max(LEAST);
        }
        Ok(cut)
    }

    /// Draws one of all ways to spell a stretch, with probability proportional to the product of the weights of its tokens'
    /// lengths: sums from the right (in logarithms), then a draw from the left.
    fn stretch(&self, bases: &[u8], from: usize, to: usize, out: &mut Vec<Token>) {
        if from == to {
            return;
        }
        let text = &bases[from..to];
        let mut rng = ChaCha8Rng::from_seed(*blake3::hash(text).as_bytes());
        let mut ways = vec![f64::NEG_INFINITY; text.len() + 1];
        ways[text.len()] = 0.0;
        for start in (0..text.len()).rev() {
            let mut sum = f64::NEG_INFINITY;
            self.candidates(text, start, |_, length, weight| sum = log_add(sum, weight.ln() + ways[start + length]));
            ways[start] = sum;
        }
        let mut start = 0;
        while start < text.len() {
            let (draw, mut upto, mut chosen) = (rng.random::<f64>(), 0.0, None);
            let mut last = (UNK, 1);
            self.candidates(text, start, |id, length, weight| {
                upto += (weight.ln() + ways[start + length] - ways[start]).exp();
                last = (id, length);
                if chosen.is_none() && draw < upto {
                    chosen = Some(last);
                }
            });
            // Rounding can leave the sum just under one: then the last candidate.
            let (id, length) = chosen.unwrap_or(last);
            out.push(Token { id, start: (from + start) as u32, end: (from + start + length) as u32 });
            start += length;
        }
    }

    /// Every token that spells the text at `start`: id, bases, weight.
    fn candidates(&self, text: &[u8], start: usize, mut visit: impl FnMut(u32, usize, f64)) {
        for (id, length) in self.tree.at(&text[start..]) {
            let weight = self.saved.weights.get(length - 1).copied().unwrap_or(0.0);
            if weight > 0.0 {
                visit(id, length, weight);
            }
        }
    }
}

fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// Share of tokens of each length.
fn lengths(tokenizer: &dyn Tokenizer, sample: &[&[u8]], longest: usize) -> Vec<f64> {
    let mut counts = vec![0u64; longest];
    let mut tokens = Vec::new();
    for stretch in sample {
        tokenizer.encode(stretch, &mut tokens);
        for token in &tokens {
            counts[(token.end - token.start) as usize - 1] += 1;
        }
    }
    let total: u64 = counts.iter().sum();
    counts.iter().map(|&count| count as f64 / total.max(1) as f64).collect()
}

impl Tokenizer for RandomCut {
    fn name(&self) -> &str {
        &self.name
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn reading(&self) -> Reading {
        Reading::Tiling(None)
    }

    fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
        out.clear();
        let mut from = 0;
        for (i, &base) in bases.iter().enumerate() {
            if !is_base(base) {
                self.stretch(bases, from, i, out);
                out.push(Token { id: UNK, start: i as u32, end: i as u32 + 1 });
                from = i + 1;
            }
        }
        self.stretch(bases, from, bases.len(), out);
    }

    fn save(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&self.saved).ok()
    }
}
