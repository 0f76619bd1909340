//! The two laws of the segmentation prior (`docs/protocol.md#segmentation-prior`), over the registry.
//!
//! 1. In the sequential order a network that outputs zeros pays exactly what the weights of the prior pay, on every span of every text.
//! 2. For any logits the probabilities of all texts of a span sum to one.

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use protocol::candidates::{CandidateSets, Constraint};
use protocol::code_length::{CountCode, token_bits};
use protocol::layout::SegmentedWindow;
use protocol::masking_plan::{self as plan, Span};
use protocol::prior::Place;
use protocol::weights::{ANY_BASE, Weights};
use protocol::{PriorKind, SegmentationPrior};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokenize::{Tokenizer, registry};

const KINDS: [PriorKind; 3] = [PriorKind::Uniform, PriorKind::Order0, PriorKind::Order1];

/// Skewed text.
fn dna(length: usize, seed: u64) -> Vec<u8> {
    common::text(b"AACTTGTA", length, seed)
}

fn fit(name: &str) -> Arc<dyn Tokenizer> {
    let text = dna(300_000, 1);
    registry::builtin().parse(name).expect(name).fit(&mut text.chunks(40_000)).expect(name)
}

fn prior(tokenizer: &dyn Tokenizer, span: usize, kind: PriorKind) -> Arc<SegmentationPrior> {
    Arc::new(SegmentationPrior::new(tokenizer, span, Weights::fit(kind, &[&dna(50_000, 2)])))
}

/// A code of token counts without any observation: the prior's own.
fn counts(tokenizer: &dyn Tokenizer, prior: &SegmentationPrior) -> CountCode {
    if tokenizer.reading().fixed().is_some() {
        return CountCode::fixed_length();
    }
    CountCode::fit(vec![vec![0; prior.span()]; 5], Some(prior))
}

fn base_before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).and_then(|at| dna::code(text[at])).map_or(ANY_BASE, |code| code as u8)
}

/// Bits of each span of a window in the sequential order.
fn bits(
    tokenizer: &dyn Tokenizer,
    prior: &Arc<SegmentationPrior>,
    sets: &mut CandidateSets,
    text: &[u8],
    spans: &[Span],
    logits: &[f32],
) -> Vec<f64> {
    let window = SegmentedWindow::new(tokenizer, text, spans);
    let counts = counts(tokenizer, prior);
    let mut bits: Vec<f64> = window.coded_counts().map(|(left, tokens)| counts.bits(tokens, left)).collect();
    for target in window.sequential_targets() {
        bits[target.span] += token_bits(logits, &target, sets).total();
    }
    bits
}

const FIXED: [&str; 7] = ["base", "kmer3", "kmer6", "kmer6-nonoverlap", "kmer2-nonoverlap", "kmer4-stride2", "mxdna"];
const EXACT: [&str; 3] = ["bpe64", "bpe512", "bpe2048"];

/// Law 1: a network of zeros pays the weights' own code length; 2 bits per base under the uniform prior.
#[test]
fn zeros_pay_what_the_weights_pay() {
    for span in [12, 24] {
        for name in FIXED.iter().chain(&EXACT) {
            let tokenizer = fit(name);
            for kind in KINDS {
                let prior = prior(&*tokenizer, span, kind);
                assert!(prior.is_exact(), "{name} {kind:?}: {}", prior.total());
                let mut sets = CandidateSets::new(Arc::clone(&tokenizer), Some(Arc::clone(&prior)));
                let zeros = vec![0.0; sets.vocabulary()];
                for (text, seed) in
                    [(dna(span * 40, 5), 5), (b"ACGT".repeat(span * 10), 0), (vec![b'A'; span * 9 + 7], 1)]
                {
                    for pass in [0, 3] {
                        let spans = plan::scoring(&text, span, pass);
                        let found = bits(&*tokenizer, &prior, &mut sets, &text, &spans, &zeros);
                        for (span, bits) in spans.iter().zip(found) {
                            let wanted =
                                prior.weights().bits(base_before(&text, span.start), &text[span.start..span.end]);
                            assert!((bits - wanted).abs() < 1e-9, "{name} {kind:?} text {seed}: {bits}, not {wanted}");
                            if kind == PriorKind::Uniform {
                                assert!((bits / (span.end - span.start) as f64 - 2.0).abs() < 1e-10, "{name}: {bits}");
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Law 2 by enumeration: all 4^6 texts of a span, random logits.
#[test]
fn probabilities_of_all_texts_sum_to_one() {
    let span = 6;
    for name in FIXED.iter().chain(&EXACT).chain(&["wordpiece512", "randomcut512", "unigram512"]) {
        let tokenizer = fit(name);
        if registry::builtin().parse(name).unwrap().check_span(span).is_err() {
            continue;
        }
        for kind in KINDS {
            let prior = prior(&*tokenizer, span, kind);
            let mut sets = CandidateSets::new(Arc::clone(&tokenizer), Some(Arc::clone(&prior)));
            let mut rng = ChaCha8Rng::seed_from_u64(4);
            let logits: Vec<f32> = (0..sets.vocabulary()).map(|_| rng.random::<f32>() * 3.0).collect();
            let all: f64 = (0..1usize << (2 * span))
                .map(|code| {
                    let text: Vec<u8> =
                        std::iter::once(b'G').chain((0..span).map(|i| b"ACGT"[code >> (2 * i) & 3])).collect();
                    let plan = [Span::masked(1, span + 1)];
                    (-bits(&*tokenizer, &prior, &mut sets, &text, &plan, &logits)[0]).exp2()
                })
                .sum();
            match prior.is_exact() {
                true => assert!((all - 1.0).abs() < 1e-9, "{name} {kind:?}: {all}"),
                false => assert!(all <= 1.0 + 1e-9, "{name} {kind:?}: {all}"),
            }
        }
    }
}

/// Law 2 for spans of 12 and 24 bases, by dynamic programming, with logits that depend on the previous token and on the number of tokens left.
#[test]
fn probabilities_of_longer_spans_sum_to_one() {
    for (name, span) in [("bpe64", 12), ("bpe512", 12), ("bpe512", 24), ("bpe2048", 12)] {
        let tokenizer = fit(name);
        for kind in KINDS {
            let prior = prior(&*tokenizer, span, kind);
            let mut sets = CandidateSets::new(Arc::clone(&tokenizer), Some(Arc::clone(&prior)));
            let logit = |previous: Option<u32>, tokens: usize, id: u32| {
                let mixed =
                    (u64::from(previous.map_or(77, |p| p + 100)) * 0x9E37_79B9 + u64::from(id) * 31 + tokens as u64)
                        .wrapping_mul(0xBF58_476D_1CE4_E5B9);
                (mixed >> 40) as f64 / f64::from(1 << 24) * 3.0
            };
            // Behind a token the candidates depend on its class, its last base and what is left, so masses of equal states are added.
            let code = counts(&*tokenizer, &prior);
            let mut total = 0.0;
            for tokens in 1..=span {
                let mut states: HashMap<(Option<u32>, usize), f64> = HashMap::new();
                let mass = (-code.bits(tokens, 2)).exp2();
                if mass == 0.0 {
                    continue;
                }
                states.insert((None, span), mass);
                for step in 0..tokens {
                    let mut next: HashMap<(Option<u32>, usize), f64> = HashMap::new();
                    for ((previous, bases), mass) in states {
                        let left = previous.map_or(2, |id| {
                            base_before(tokenizer.vocabulary().bases(id).unwrap(), tokenizer.vocabulary().length(id))
                        });
                        let place = Place {
                            bases: bases as u16,
                            tokens: (tokens - step) as u16,
                            index: 0,
                            left,
                            start: step == 0,
                        };
                        let constraint =
                            Constraint { place: Some(place), ..Constraint::new(bases, tokens - step, previous) };
                        sets.prepare(constraint);
                        let mut candidates = Vec::new();
                        sets.visit(constraint, |id, log| {
                            candidates.push((id, (log + logit(previous, tokens - step, id)).exp()));
                        });
                        let sum: f64 = candidates.iter().map(|c| c.1).sum();
                        assert!(
                            sum > 0.0,
                            "{name}: a dead end behind {previous:?}, {bases} bases, {} tokens",
                            tokens - step
                        );
                        for (id, weight) in candidates {
                            let left = bases - tokenizer.vocabulary().length(id);
                            let last = step + 1 == tokens;
                            assert_eq!(last, left == 0, "{name}");
                            *next.entry((Some(id), left)).or_default() += mass * weight / sum;
                        }
                    }
                    states = next;
                }
                total += states.values().sum::<f64>();
            }
            assert!((total - 1.0).abs() < 1e-9, "{name} {span} {kind:?}: {total}");
        }
    }
}

/// Families whose pair rule is not complete are told apart by their sum.
#[test]
fn families_that_are_only_bounded_are_told_by_their_sum() {
    for (name, exact) in [("bpe512", true), ("kmer6", true), ("unigram512", false), ("randomcut512", false)] {
        let tokenizer = fit(name);
        let prior = prior(&*tokenizer, 12, PriorKind::Uniform);
        assert_eq!(prior.is_exact(), exact, "{name}: {}", prior.total());
        println!("{name}: {}", prior.total());
    }
    let wordpiece = prior(&*fit("wordpiece512"), 12, PriorKind::Uniform).total();
    assert!((wordpiece - 1.0).abs() < 0.01, "{wordpiece}");
}

/// The number of token sequences against enumeration of all texts: every canonical segmentation passes the rule.
#[test]
fn counts_equal_enumeration() {
    for name in EXACT {
        let tokenizer = fit(name);
        let prior = prior(&*tokenizer, 8, PriorKind::Uniform);
        for bases in 1..=8 {
            let mut seen = vec![0u32; bases];
            let mut tokens = Vec::new();
            for code in 0..1usize << (2 * bases) {
                let text: Vec<u8> = (0..bases).map(|i| b"ACGT"[code >> (2 * i) & 3]).collect();
                tokenizer.encode(&text, &mut tokens);
                seen[tokens.len() - 1] += 1;
                assert!(tokens.windows(2).all(|pair| prior.followers(pair[0].id).contains(&pair[1].id)), "{name}");
            }
            let counted: Vec<f64> = prior.counts(bases, ANY_BASE).iter().map(|n| n * 4f64.powi(bases as i32)).collect();
            assert_eq!(counted, seen.iter().map(|&n| f64::from(n)).collect::<Vec<_>>(), "{name} {bases}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The prior of a later masked token at the start of a span equals enumeration over all texts.
    #[test]
    fn later_tokens_equal_enumeration(tokens in 2usize..5, index in 1usize..4, left in 0u8..5) {
        prop_assume!(index < tokens);
        let (bases, tokenizer) = (6, fit("bpe64"));
        for kind in KINDS {
            let prior = prior(&*tokenizer, bases, kind);
            let mut wanted = vec![0.0; tokenizer.vocabulary().len()];
            let mut found = Vec::new();
            for code in 0..1usize << (2 * bases) {
                let text: Vec<u8> = (0..bases).map(|i| b"ACGT"[code >> (2 * i) & 3]).collect();
                tokenizer.encode(&text, &mut found);
                if found.len() == tokens {
                    wanted[found[index].id as usize] += (-prior.weights().bits(left, &text)).exp2();
                }
            }
            let place = Place { bases: bases as u16, tokens: tokens as u16, index: index as u16, left, start: true };
            let row = prior.row(place);
            for (id, (log, wanted)) in row.iter().zip(&wanted).enumerate() {
                prop_assert!((log.exp() - wanted).abs() < 1e-12, "{:?} {}: {} {}", kind, id, log.exp(), wanted);
            }
        }
    }
}
