//! Training of unigram language models of DNA.
//!
//! The algorithm is that of `UnigramTrainer` of the `tokenizers` crate (SentencePiece, Kudo 2018): start with every repeated
//! substring of up to 16 bases, then alternately fit probabilities by expectation-maximization and prune a quarter of the tokens,
//! those with the smallest loss of likelihood. Sums are in the order of that crate on one thread, so the result equals its result
//! there; on several threads its result varies. Here it is independent of the number of threads and of the order of the text. The
//! cost differs: 7 s of CPU time for 4,096 entries from a million bases, where that crate takes 65 s.
//!
//! # Implementation
//! The lattice of a sentence is a table of tokens by position and length instead of linked nodes.

use rayon::prelude::*;

use super::seeds::{LONGEST, Piece, SEEDS, Sentence, seeds};
use bpe::tree::Tree;

/// Rounds of expectation-maximization between two pruning steps.
const ROUNDS: usize = 2;
/// Fraction of tokens that is kept in each pruning step.
const KEPT: f64 = 0.75;
/// Tokens with a smaller expected count are removed.
const LEAST: f64 = 0.5;
/// Sentences per task, and tasks whose results are kept at a time.
const SENTENCES: usize = 16;
const TASKS: usize = 64;
/// Pruning ends at this many tenths of the requested size.
const TENTHS: usize = 11;

/// Everything except size and text that determines the tokens. (Sums depend on how they are grouped.)
pub(super) fn settings() -> String {
    format!(
        "{SEEDS} seeds of up to {LONGEST} bases, {ROUNDS} rounds, {KEPT} kept down to {TENTHS} tenths, expected {LEAST} times, \
         summed by {SENTENCES} in {TASKS}"
    )
}

/// Trains up to `size - specials` tokens on sentences of A, C, G, T, at least the four bases: bases and score, best first.
pub(crate) fn train(sentences: &[&[u8]], size: usize, specials: usize) -> Vec<(Vec<u8>, f64)> {
    let sentences = distinct(sentences);
    let mut pieces = seeds(&sentences);
    let desired = size * TENTHS / 10;
    loop {
        for _ in 0..ROUNDS {
            let expected = Model::new(&pieces).expected(&sentences);
            pieces = probabilities(&pieces, &expected);
        }
        // One more for the unknown token of the `tokenizers` crate.
        if pieces.len() < desired {
            break;
        }
        let before = pieces.len();
        pieces = prune(&pieces, &sentences, desired);
        if pieces.len() == before {
            break;
        }
    }
    let (mut chosen, others): (Vec<Piece>, Vec<Piece>) = pieces.into_iter().partition(|piece| piece.string.length == 1);
    chosen.sort_by_key(|piece| piece.string.code);
    let left = size.saturating_sub(specials + chosen.len());
    chosen.extend(others.iter().take(left));
    chosen.sort_by(|a, b| b.score.total_cmp(&a.score));
    chosen.iter().map(|piece| (piece.string.bases(), piece.score)).collect()
}

/// Distinct sentences in alphabetical order. Each base is also a sentence, so that all four have an expected count of at least one.
fn distinct<'a>(sentences: &[&'a [u8]]) -> Vec<Sentence<'a>> {
    let mut sorted: Vec<&[u8]> = sentences.iter().copied().filter(|sentence| !sentence.is_empty()).collect();
    sorted.extend(b"ACGT".chunks(1));
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect()
}

/// M step, with the sparse prior of a variational Dirichlet process (SentencePiece after Liang and Klein 2007).
fn probabilities(pieces: &[Piece], expected: &[f64]) -> Vec<Piece> {
    let kept = || pieces.iter().zip(expected).filter(|(_, expected)| **expected >= LEAST);
    let sum = digamma(kept().map(|(_, &expected)| expected).sum());
    kept().map(|(piece, &expected)| Piece { score: digamma(expected) - sum, ..*piece }).collect()
}

fn digamma(mut x: f64) -> f64 {
    let mut result = 0.0;
    while x < 7.0 {
        result -= 1.0 / x;
        x += 1.0;
    }
    x -= 1.0 / 2.0;
    let xx = 1.0 / x;
    let xx2 = xx * xx;
    let xx4 = xx2 * xx2;
    result +=
        x.ln() + (1.0 / 24.0) * xx2 - 7.0 / 960.0 * xx4 + (31.0 / 8064.0) * xx4 * xx2 - (127.0 / 30720.0) * xx4 * xx4;
    result
}

/// Prunes the tokens whose removal reduces the likelihood least: each is assumed to be replaced by its second-best segmentation.
fn prune(pieces: &[Piece], sentences: &[Sentence], desired: usize) -> Vec<Piece> {
    let model = Model::new(pieces);
    let uses = model.uses(sentences);
    let total: f64 = uses.iter().sum();
    let all: f64 = sentences.iter().map(|(_, count)| f64::from(*count)).sum();
    let mut kept = Vec::new();
    let mut candidates: Vec<(f64, Piece)> = Vec::new();
    for ((piece, &uses_here), spelling) in pieces.iter().zip(&uses).zip(model.spellings()) {
        match spelling {
            Spelling::Only => kept.push(*piece),
            Spelling::Other(_) if uses_here == 0.0 => {}
            Spelling::Other(parts) if parts.is_empty() => kept.push(*piece),
            Spelling::Other(parts) => {
                let own = uses_here.ln() - total.ln();
                // The number of all tokens, where the number of parts would be expected: as in SentencePiece and in the
                // `tokenizers` crate.
                let replaced = (total + uses_here * pieces.len() as f64).ln();
                let others: f64 = parts.iter().map(|&part| (uses[part as usize] + uses_here).ln() - replaced).sum();
                candidates.push((uses_here / all * (own - others), *piece));
            }
        }
    }
    let most = desired.max(((pieces.len() + 1) as f64 * KEPT) as usize);
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    // One entry is reserved for the unknown token of the `tokenizers` crate.
    let left = (most - 1).saturating_sub(kept.len());
    kept.extend(candidates.iter().take(left).map(|candidate| candidate.1));
    kept
}

/// The segmentation of a token without itself.
enum Spelling {
    /// There is none.
    Only,
    /// Into these tokens; empty if they score higher than the token itself.
    Other(Vec<u32>),
}

/// No token.
const NONE: u32 = u32::MAX;

struct Model {
    tree: Tree,
    pieces: Vec<Piece>,
}

/// Tables of one sentence, reused for every sentence.
#[derive(Default)]
struct Lattice {
    /// Token by start and length.
    tokens: Vec<[u32; LONGEST]>,
    /// Forward and backward log-sums over all segmentations up to and from a position.
    alpha: Vec<f64>,
    beta: Vec<f64>,
    /// Best score up to the end of each token, and the length of the token before it.
    best: Vec<[(f64, u8); LONGEST]>,
}

impl Model {
    fn new(pieces: &[Piece]) -> Model {
        let tokens: Vec<(u32, Vec<u8>)> = (0..).zip(pieces.iter().map(|piece| piece.string.bases())).collect();
        Model { tree: Tree::new(&tokens), pieces: pieces.to_vec() }
    }

    fn score(&self, token: u32) -> f64 {
        self.pieces[token as usize].score
    }

    fn fill(&self, sentence: &[u8], lattice: &mut Lattice) {
        lattice.tokens.clear();
        lattice.tokens.resize(sentence.len(), [NONE; LONGEST]);
        for (start, row) in lattice.tokens.iter_mut().enumerate() {
            for (token, length) in self.tree.at(&sentence[start..]) {
                row[length - 1] = token;
            }
        }
    }

    /// E step: the expected count of each token.
    fn expected(&self, sentences: &[Sentence]) -> Vec<f64> {
        let mut expected = vec![0.0; self.pieces.len()];
        for group in sentences.chunks(SENTENCES * TASKS) {
            let parts: Vec<Vec<(u32, f64)>> = group
                .par_chunks(SENTENCES)
                .map_init(Lattice::default, |lattice, sentences| {
                    let mut part = Vec::new();
                    sentences.iter().for_each(|&(sentence, count)| self.marginals(sentence, count, lattice, &mut part));
                    part
                })
                .collect();
            // Sequentially: sums must not depend on the number of threads.
            for &(token, share) in parts.iter().flatten() {
                expected[token as usize] += share;
            }
        }
        expected
    }

    fn marginals(&self, sentence: &[u8], count: u32, lattice: &mut Lattice, out: &mut Vec<(u32, f64)>) {
        self.fill(sentence, lattice);
        let Lattice { tokens, alpha, beta, .. } = lattice;
        alpha.clear();
        alpha.push(0.0);
        for end in 1..=sentence.len() {
            let mut sum = None;
            for length in (1..=end.min(LONGEST)).rev() {
                let token = tokens[end - length][length - 1];
                if token != NONE {
                    sum = Some(log_add(sum, self.score(token) + alpha[end - length]));
                }
            }
            alpha.push(sum.unwrap_or(0.0));
        }
        beta.clear();
        beta.resize(sentence.len() + 1, 0.0);
        for (start, row) in tokens.iter().enumerate().rev() {
            let mut sum = None;
            for (token, length) in row.iter().copied().zip(1..).filter(|(token, _)| *token != NONE) {
                sum = Some(log_add(sum, self.score(token) + beta[start + length]));
            }
            beta[start] = sum.unwrap_or(0.0);
        }
        let all = alpha[sentence.len()];
        for (start, row) in tokens.iter().enumerate() {
            for (token, length) in row.iter().copied().zip(1..).filter(|(token, _)| *token != NONE) {
                let share = alpha[start] + self.score(token) + beta[start + length] - all;
                out.push((token, f64::from(count) * share.exp()));
            }
        }
    }

    /// Count of each token in the best segmentations.
    fn uses(&self, sentences: &[Sentence]) -> Vec<f64> {
        let mut uses = vec![0.0; self.pieces.len()];
        for group in sentences.chunks(SENTENCES * TASKS) {
            let parts: Vec<Vec<(u32, f64)>> = group
                .par_chunks(SENTENCES)
                .map_init(Lattice::default, |lattice, sentences| {
                    let mut part = Vec::new();
                    for &(sentence, count) in sentences {
                        self.fill(sentence, lattice);
                        self.best(sentence.len(), lattice, |token| part.push((token, f64::from(count))));
                    }
                    part
                })
                .collect();
            for &(token, count) in parts.iter().flatten() {
                uses[token as usize] += count;
            }
        }
        uses
    }

    /// Visits the tokens of the best segmentation, last first, and returns its score; `None` if there is none. Each token keeps its
    /// own best predecessor, as in the `tokenizers` crate, so that rounding resolves ties in the same way.
    fn best(&self, length: usize, lattice: &mut Lattice, mut visit: impl FnMut(u32)) -> Option<f64> {
        let Lattice { tokens, best, .. } = lattice;
        best.clear();
        best.resize(length, [(0.0, 0); LONGEST]);
        // The best token before a position, for a token of this score that starts there.
        let before = |best: &[[(f64, u8); LONGEST]], position: usize, score: f64| {
            let mut chosen: Option<(f64, u8)> = None;
            for length in (1..=position.min(LONGEST)).rev() {
                if tokens[position - length][length - 1] != NONE {
                    let total = best[position - length][length - 1].0 + score;
                    if chosen.is_none_or(|(most, _)| total > most) {
                        chosen = Some((total, length as u8));
                    }
                }
            }
            chosen
        };
        for start in 0..length {
            for position in 0..LONGEST {
                let token = tokens[start][position];
                if token != NONE {
                    let score = self.score(token);
                    best[start][position] = if start == 0 { (score, 0) } else { before(best, start, score)? };
                }
            }
        }
        let (score, mut last) = before(best, length, 0.0)?;
        let mut end = length;
        while last > 0 {
            let (start, position) = (end - usize::from(last), usize::from(last) - 1);
            visit(tokens[start][position]);
            (end, last) = (start, best[start][position].1);
        }
        Some(score)
    }

    /// The second-best segmentation of each token.
    fn spellings(&self) -> Vec<Spelling> {
        let of = |lattice: &mut Lattice, (token, piece): (usize, &Piece)| {
            let bases = piece.string.bases();
            self.fill(&bases, lattice);
            lattice.tokens[0][bases.len() - 1] = NONE;
            let mut parts = Vec::new();
            match self.best(bases.len(), lattice, |part| parts.push(part)) {
                None => Spelling::Only,
                Some(score) if score > self.score(token as u32) => Spelling::Other(Vec::new()),
                Some(_) => {
                    parts.reverse();
                    Spelling::Other(parts)
                }
            }
        };
        self.pieces.par_iter().enumerate().map_init(Lattice::default, of).collect()
    }
}

/// The logarithm of a sum of two numbers that are given by their logarithms.
fn log_add(sum: Option<f64>, y: f64) -> f64 {
    let Some(x) = sum else { return y };
    let (low, high) = if x > y { (y, x) } else { (x, y) };
    if high > low + 50.0 { high } else { high + ((low - high).exp() + 1.0).ln() }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use tokenizers::models::unigram::{Unigram, UnigramTrainer};

    use super::*;

    /// Text with repeats.
    fn text(length: usize, seed: u64) -> Vec<u8> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut text: Vec<u8> = (0..100).map(|_| b"ACGT"[rng.random_range(0..4)]).collect();
        while text.len() < length {
            let from = rng.random_range(0..text.len() - 50);
            match rng.random_range(0..3) {
                0 => text.extend_from_within(from..from + rng.random_range(2..50)),
                _ => text.extend((0..10).map(|_| b"AATTACGTTA"[rng.random_range(0..10)])),
            }
        }
        text
    }

    /// Result of the `tokenizers` crate on one thread.
    fn theirs(sentences: &[&[u8]], size: usize) -> Vec<(String, f64)> {
        let sentences = distinct(sentences);
        let sentences = sentences.iter().map(|(s, n)| (String::from_utf8(s.to_vec()).unwrap(), *n)).collect();
        let specials = crate::vocabulary::SPECIAL_NAMES.map(|token| tokenizers::AddedToken::from(token, true)).to_vec();
        let mut trainer = UnigramTrainer::builder();
        trainer
            .show_progress(false)
            .vocab_size(size as u32)
            .special_tokens(specials)
            .unk_token(Some("[UNK]".to_owned()));
        let trainer = trainer.build().unwrap();
        let mut model = Unigram::default();
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        one.install(|| trainer.do_train(sentences, &mut model)).unwrap();
        model.iter().skip(5).cloned().collect()
    }

    fn ours(sentences: &[&[u8]], size: usize) -> Vec<(String, f64)> {
        let spelled = |(bases, score)| (String::from_utf8(bases).unwrap(), score);
        train(sentences, size, 5).into_iter().map(spelled).collect()
    }

    #[test]
    fn tokens_and_scores_equal_the_tokenizers_crate() {
        for (length, piece, size) in [
            (300, 100, 2_000),
            (3_000, 512, 600),
            (3_000, 512, 197),
            (3_000, 512, 100),
            (3_000, 7, 60),
            (10_000, 512, 11),
            (20_000, 512, 512),
        ] {
            let text = text(length, size as u64);
            let sentences: Vec<&[u8]> = text.chunks(piece).collect();
            assert_eq!(ours(&sentences, size), theirs(&sentences, size), "{length} {piece} {size}");
        }
        let repeats = [b"A".repeat(512), b"AC".repeat(256), b"AAC".repeat(100), b"A".repeat(512)];
        let sentences: Vec<&[u8]> = repeats.iter().map(Vec::as_slice).collect();
        // C, G and T are equally rare: that crate orders them by its hash table.
        let sorted = |mut tokens: Vec<(String, f64)>| {
            tokens.sort_by(|a, b| a.0.cmp(&b.0));
            tokens
        };
        assert_eq!(sorted(ours(&sentences, 20)), sorted(theirs(&sentences, 20)));
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let text = text(30_000, 4);
        let sentences: Vec<&[u8]> = text.chunks(512).collect();
        let mut backwards = sentences.clone();
        backwards.reverse();
        let with = |threads: usize, sentences: &[&[u8]]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| ours(sentences, 300))
        };
        let one = with(1, &sentences);
        assert_eq!(one.len(), 295);
        assert!([2, 3, 8].iter().all(|&threads| with(threads, &sentences) == one));
        assert_eq!(with(2, &backwards), one);
    }

    /// That crate would return all tokens if the bases alone fill the vocabulary.
    #[test]
    fn the_smallest_vocabulary_is_the_bases() {
        let tokens = ours(&[b"ACACACAC"], 9);
        let mut bases: Vec<&str> = tokens.iter().map(|(token, _)| token.as_str()).collect();
        bases.sort_unstable();
        assert_eq!(bases, ["A", "C", "G", "T"]);
        assert_eq!(ours(&[], 4096).len(), 4);
    }
}
