//! `randomcut<V>`: the vocabulary and the token lengths of BPE, segmented at random: a control
//! (`docs/protocol.md#baselines-and-controls`).
//!
//! An advantage of BPE over this control is due to the positions of its token boundaries, not to long tokens of varying length. The
//! segmentation is a pure function of the segment of bases: its random numbers are keyed by the BLAKE3 hash of the segment. One of
//! all segmentations into tokens of the vocabulary is drawn with probability proportional to the product of a weight per token
//! length; the weights are fitted so that the lengths are distributed as in BPE on training text.

use std::sync::Arc;

use bpe::HuggingFace;
use bpe::tree::Tree;
use dna::is_base;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::bpe::{bpe_size, settings, train};
use super::subword::{TRAINING_BASES, training_chunks};
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
    help: "control of bpe<V>: the same vocabulary and token lengths, random segmentation",
    examples: &["randomcut512"],
    resolve: |name| Some(resolve(name)),
};

/// Rounds of fitting the weights.
const ROUNDS: usize = 24;
/// Bases of training text to which the weights are fitted, in segments of [`SEGMENT`] bases.
const SAMPLE: usize = 120_000;
/// Bases per segment: long enough that its ends have little influence.
const SEGMENT: usize = 120;
/// Added to both fractions of a length before they are divided.
const SMALL: f64 = 1e-6;
/// Minimum weight of single bases.
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
            "{}; {ROUNDS} rounds on {SAMPLE} bases in stretches of {SEGMENT}, at least {LEAST}, {SMALL} added",
            settings()
        ),
        move |texts| {
            let texts: Vec<&[u8]> = texts.collect();
            let json = train(&for_fit, size, &mut texts.iter().copied())?;
            Ok(Arc::new(RandomCut::fit(for_fit.clone(), &json, &texts)?))
        },
        move |saved| {
            let saved: Saved = serde_json::from_slice(saved).map_err(|error| Error::File {
                path: "learned vocabulary".to_owned(),
                reason: error.to_string(),
                remedy: "remove the file; it is created again".to_owned(),
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

/// Random segmentation with the vocabulary and the token lengths of BPE.
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

    fn fit(name: String, json: &[u8], texts: &[&[u8]]) -> Result<Self, Error> {
        let bpe = HuggingFace::from_json(name.clone(), json, "learned vocabulary")?;
        let longest = bpe.vocabulary().ids().map(|id| bpe.vocabulary().length(id)).max().unwrap_or(1);
        let segments: Vec<&[u8]> = training_chunks(&mut texts.iter().copied(), TRAINING_BASES)
            .iter()
            .flat_map(|chunk| chunk.as_bytes().chunks_exact(SEGMENT))
            .collect();
        let count = (SAMPLE / SEGMENT).min(segments.len());
        if count == 0 {
            return Err(Error::Fit {
                name,
                reason: format!("the training text contains no {SEGMENT} consecutive bases without N"),
                remedy: "use more training text".to_owned(),
            });
        }
        let sample: Vec<&[u8]> = (0..count).map(|i| segments[i * segments.len() / count]).collect();
        let target = lengths(&bpe, &sample, longest);
        let saved = Saved { tokenizer: String::from_utf8_lossy(json).into_owned(), weights: target.clone() };
        let mut tokenizer = RandomCut::new(name, saved)?;
        for _ in 0..ROUNDS {
            let now = lengths(&tokenizer, &sample, longest);
            for ((weight, target), now) in tokenizer.saved.weights.iter_mut().zip(&target).zip(&now) {
                // Iterative scaling. Lengths that BPE does not use keep weight zero, except single bases, so that every text can be
                // segmented.
                *weight *= (target + SMALL) / (now + SMALL);
            }
            tokenizer.saved.weights[0] = tokenizer.saved.weights[0].max(LEAST);
        }
        Ok(tokenizer)
    }

    /// Draws one of all segmentations, with probability proportional to the product of the weights of its token lengths: sums from
    /// the right (in logarithms), then sampling from the left.
    fn encode_segment(&self, bases: &[u8], from: usize, to: usize, out: &mut Vec<Token>) {
        if from == to {
            return;
        }
        let text = &bases[from..to];
        let mut rng = ChaCha8Rng::from_seed(*blake3::hash(text).as_bytes());
        let mut log_weights = vec![f64::NEG_INFINITY; text.len() + 1];
        log_weights[text.len()] = 0.0;
        for start in (0..text.len()).rev() {
            let mut sum = f64::NEG_INFINITY;
            self.candidates(text, start, |_, length, weight| {
                sum = log_add(sum, weight.ln() + log_weights[start + length]);
            });
            log_weights[start] = sum;
        }
        let mut start = 0;
        while start < text.len() {
            let (draw, mut upto, mut chosen) = (rng.random::<f64>(), 0.0, None);
            let mut last = (UNK, 1);
            self.candidates(text, start, |id, length, weight| {
                upto += (weight.ln() + log_weights[start + length] - log_weights[start]).exp();
                last = (id, length);
                if chosen.is_none() && draw < upto {
                    chosen = Some(last);
                }
            });
            // Rounding can leave the sum just below one: then the last candidate is taken.
            let (id, length) = chosen.unwrap_or(last);
            out.push(Token { id, start: (from + start) as u32, end: (from + start + length) as u32 });
            start += length;
        }
    }

    /// Every token that is a prefix of the text at `start`: id, length, weight.
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

/// Fraction of tokens of each length.
fn lengths(tokenizer: &dyn Tokenizer, sample: &[&[u8]], longest: usize) -> Vec<f64> {
    let mut counts = vec![0u64; longest];
    let mut tokens = Vec::new();
    for segment in sample {
        tokenizer.encode(segment, &mut tokens);
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
                self.encode_segment(bases, from, i, out);
                out.push(Token { id: UNK, start: i as u32, end: i as u32 + 1 });
                from = i + 1;
            }
        }
        self.encode_segment(bases, from, bases.len(), out);
    }

    fn random_weight(&self, id: u32) -> Option<f64> {
        let length = self.vocabulary.length(id);
        Some(length.checked_sub(1).and_then(|at| self.saved.weights.get(at)).copied().unwrap_or(0.0))
    }

    fn save(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&self.saved).ok()
    }
}
