//! Unigram language models: the segmentation with the highest sum of scores.

use std::cell::RefCell;

use dna::is_base;

use super::native::{ModelParts, NativeModel};
use crate::token::Token;
use crate::tree::Tree;
use crate::vocabulary::UNK;

/// Scores that are multiples of 1 over this have exact sums.
const STEPS: f64 = 65_536.0;

/// The nearest multiple of 2^-16.
fn quantize(score: f64) -> f64 {
    (score * STEPS).round() / STEPS
}

/// The native implementation of a unigram language model.
pub(super) fn native(parts: &ModelParts) -> Option<Box<dyn NativeModel>> {
    let vocabulary = parts.vocabulary;
    let mut scores = vec![0.0; vocabulary.len()];
    for (theirs, entry) in (0..).zip(parts.model["vocab"].as_array()?) {
        scores[*parts.ours.get(&theirs)? as usize] = entry[1].as_f64()?;
    }
    let lengths = (0..vocabulary.len() as u32).map(|id| vocabulary.length(id) as u32).collect();
    let mut dna = vocabulary.ids().filter(|&id| vocabulary.is_dna(id));
    let exact = dna.all(|id| quantize(scores[id as usize]) == scores[id as usize]);
    Some(Box::new(Viterbi { tree: Tree::of_dna(vocabulary), scores, lengths, exact }))
}

/// The segmentation with the highest sum of scores; of equal ones the one whose last token is longest, and so on to the left.
#[derive(Debug)]
struct Viterbi {
    tree: Tree,
    /// By id.
    scores: Vec<f64>,
    lengths: Vec<u32>,
    /// Whether sums of scores are exact.
    exact: bool,
}

/// If sums are not exact, scores that differ by less than this are treated as equal.
const ROUNDING: f64 = 1e-6;

thread_local! {
    /// Score and last token of the best segmentation up to each position.
    static BEST: RefCell<Vec<(f64, u32)>> = RefCell::default();
}

impl Viterbi {
    /// Segments a run of A, C, G, T that starts at `from`; returns the sum of scores.
    fn segment(&self, run: &[u8], from: usize, out: &mut Vec<Token>) -> f64 {
        BEST.with_borrow_mut(|best| {
            best.clear();
            best.resize(run.len() + 1, (0.0, UNK));
            for start in 0..run.len() {
                let before = best[start].0;
                for (id, length) in self.tree.at(&run[start..]) {
                    let total = self.scores[id as usize] + before;
                    let end = &mut best[start + length];
                    if end.1 == UNK || total > end.0 {
                        *end = (total, id);
                    }
                }
            }
            let (first, mut end) = (out.len(), run.len());
            while end > 0 {
                let id = best[end].1;
                let start = end.saturating_sub(self.lengths[id as usize].max(1) as usize);
                out.push(Token { id, start: (from + start) as u32, end: (from + end) as u32 });
                end = start;
            }
            out[first..].reverse();
            best[run.len()].0
        })
    }
}

impl NativeModel for Viterbi {
    fn tokenize(&self, text: &[u8], out: &mut Vec<Token>) {
        let mut from = 0;
        for (i, &base) in text.iter().enumerate() {
            if !is_base(base) {
                self.segment(&text[from..i], from, out);
                out.push(Token { id: UNK, start: i as u32, end: i as u32 + 1 });
                from = i + 1;
            }
        }
        self.segment(&text[from..], from, out);
    }

    fn may_follow(&self, first: u32, second: u32, text: &[u8]) -> bool {
        let mut out = Vec::new();
        let best = self.segment(text, 0, &mut out);
        let own = self.scores[first as usize] + self.scores[second as usize];
        out.iter().map(|token| token.id).eq([first, second]) || (!self.exact && own >= best - ROUNDING)
    }
}
