//! Laws of masking and code lengths that hold for every tokenizer of the registry (`docs/protocol.md#laws-kept-by-tests`).

mod common;

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use protocol::candidates::CandidateSets;
use protocol::layout::SegmentedWindow;
use protocol::masking_plan::{self as plan, Span};
use protocol::score::{CONTENT, LENGTH};
use protocol::weights::Weights;
use protocol::{Fitted, PriorKind, SegmentationPrior, code_length};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokenize::Tokenizer;
use tokenize::vocabulary::MASK;
use tokenize::{Recipe, registry};

fn dna(length: usize, seed: u64) -> Vec<u8> {
    common::text(b"ACGT", length, seed)
}

/// Every example of the registry, fitted on the same text.
fn fitted() -> &'static [(Recipe, Arc<dyn Tokenizer>)] {
    static ALL: OnceLock<Vec<(Recipe, Arc<dyn Tokenizer>)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let text = dna(400_000, 1);
        registry::builtin()
            .examples()
            .chain([
                "kmer1",
                "kmer2",
                "kmer4",
                "kmer6-stride2",
                "kmer4-stride2",
                "kmer5",
                "kmer10",
                "bpe64",
                "randomcut64",
            ])
            .map(|name| {
                let recipe = registry::builtin().parse(name).expect(name);
                let tokenizer = recipe.fit(&mut text.chunks(40_000)).expect(name);
                (recipe, tokenizer)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_masked_is_visible_and_every_base_is_coded_once(seed in 0u64..10_000, length in 60usize..260, ratio in 0.1f64..0.35) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let text = dna(length, seed);
        let spans = plan::training(&text, 12, ratio, &mut rng);
        let mut other = text.clone();
        for span in &spans {
            for base in &mut other[span.start..span.end] {
                *base = b"ACGT"[rng.random_range(0..4)];
            }
        }
        for (recipe, tokenizer) in fitted() {
            if recipe.check_span(12).is_err() {
                continue;
            }
            let window = SegmentedWindow::new(&**tokenizer, &text, &spans);
            for layout in [window.training(), window.step(0), window.step(1)] {
                let by_token: usize = layout.targets.iter().map(|t| tokenizer.vocabulary().length(t.token)).sum();
                prop_assert_eq!(by_token, layout.masked, "{}", &recipe.name);
                for target in &layout.targets {
                    prop_assert_eq!(layout.ids[target.position], MASK);
                }
            }
            prop_assert_eq!(window.step(0).masked, spans.len() * 12);
            // The number of masked tokens is coded; the rest of the input must not depend on the masked bases.
            let visible = |text: &[u8]| {
                let mut ids = SegmentedWindow::new(&**tokenizer, text, &spans).step(0).ids;
                if recipe.reading.fixed().is_none() {
                    ids.dedup_by(|a, b| *a == MASK && *b == MASK);
                }
                ids
            };
            prop_assert_eq!(visible(&text), visible(&other), "{}", &recipe.name);
        }
    }
}

#[test]
fn revealed_prefixes_do_not_depend_on_masked_bases() {
    let text = dna(252, 7);
    for (recipe, tokenizer) in fitted().iter().filter(|(recipe, _)| recipe.reading.fixed().is_some()) {
        let Ok(()) = recipe.check_span(12) else {
            continue;
        };
        let k = recipe.reading.fixed().unwrap();
        let spans = plan::scoring(&text, 12, 3);
        for step in 0..12 / k {
            let mut other = text.clone();
            for span in &spans {
                other[span.start + step * k..span.end].fill(b'G');
            }
            let ids = |text: &[u8]| SegmentedWindow::new(&**tokenizer, text, &spans).step(step).ids;
            assert_eq!(ids(&text), ids(&other), "{} step {step}", recipe.name);
        }
    }
}

#[test]
fn overlapping_6_mers_mask_17_positions_per_span() {
    let kmer6 = registry::builtin().parse("kmer6").unwrap().fit(&mut std::iter::empty()).unwrap();
    let layout = SegmentedWindow::new(&*kmer6, &dna(252, 3), &[Span::masked(120, 132)]).step(0);
    assert_eq!(layout.ids.iter().filter(|&&id| id == MASK).count(), 17);
    assert_eq!(layout.targets.len(), 2);
}

/// The rows of logits under which a target can be scored: over the vocabulary, and over the ids of the fixed length alone.
fn rows<'a>(logits: &'a [f32], sets: &CandidateSets) -> Vec<&'a [f32]> {
    let mut rows = vec![logits];
    rows.extend(sets.fixed_range().map(|range| &logits[range]));
    rows
}

/// A row over the ids of the fixed length alone gives the same bits as the row over the vocabulary.
#[test]
fn both_rows_of_logits_give_the_same_bits() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for (recipe, tokenizer) in fitted().iter().filter(|(recipe, _)| recipe.reading.fixed().is_some()) {
        if recipe.check_span(12).is_err() {
            continue;
        }
        let mut sets = CandidateSets::new(Arc::clone(tokenizer), None);
        assert_eq!(sets.fixed_range(), Some(sets.ids()), "{}", recipe.name);
        let text = dna(252, 4);
        let window = SegmentedWindow::new(&**tokenizer, &text, &plan::scoring(&text, 12, 1));
        for scale in [0.0, 1.0, 40.0] {
            let logits: Vec<f32> = (0..sets.vocabulary()).map(|_| (rng.random::<f32>() - 0.5) * scale).collect();
            for target in &window.step(0).targets {
                let [slow, fast] = rows(&logits, &sets)[..] else { panic!("{}: two rows", recipe.name) };
                let (slow, fast) = (
                    code_length::token_bits(slow, target, &mut sets),
                    code_length::token_bits(fast, target, &mut sets),
                );
                {
                    let component = CONTENT;
                    let (slow, fast) = (slow.bits(component), fast.bits(component));
                    assert!((slow - fast).abs() < 1e-12, "{}: {slow} {fast}", recipe.name);
                }
                assert_eq!((slow.get(LENGTH), fast.get(LENGTH)), (Some(0.0), Some(0.0)), "{}", recipe.name);
            }
        }
    }
}

/// Uniform logits give exactly 2 bits per base, in both orders, for every fixed length, both span lengths, any window.
#[test]
fn uniform_logits_give_2_bits_per_base() {
    for span in [12, 24] {
        for name in [
            "base",
            "kmer2",
            "kmer3",
            "kmer4",
            "kmer5",
            "kmer6",
            "kmer7",
            "kmer8",
            "kmer6-stride2",
            "kmer6-stride3",
            "kmer4-stride2",
            "kmer2-nonoverlap",
            "kmer3-nonoverlap",
            "kmer4-nonoverlap",
            "kmer6-nonoverlap",
            "kmer8-nonoverlap",
            "mxdna",
            "unpooled",
        ] {
            let recipe = registry::builtin().parse(name).unwrap();
            let k = recipe.reading.fixed().unwrap();
            if let Err(error) = recipe.check_span(span) {
                assert!(!span.is_multiple_of(k), "{name}");
                assert!(error.remedy().unwrap().contains(&format!("masking.span = {}", span * k / gcd(span, k))));
                continue;
            }
            let tokenizer = recipe.fit(&mut std::iter::empty()).unwrap();
            let mut sets = CandidateSets::new(Arc::clone(&tokenizer), None);
            let logits = vec![0.25; sets.vocabulary()];
            for window in [span * 3, span * 5 + 7, 251] {
                let text = dna(window, 5);
                for row in rows(&logits, &sets) {
                    let (mut sequential, mut parallel, mut bases) = (0.0, 0.0, 0);
                    for pass in 0..plan::PASSES {
                        let spans = plan::scoring(&text, span, pass);
                        let window = SegmentedWindow::new(&*tokenizer, &text, &spans);
                        bases += spans.len() * span;
                        for step in 0..span / k {
                            let layout = window.step(step);
                            for target in &layout.targets {
                                let bits = code_length::token_bits(row, target, &mut sets).total();
                                if step == 0 {
                                    parallel += bits;
                                }
                                if target.order == step {
                                    sequential += bits;
                                }
                            }
                        }
                    }
                    assert_eq!(bases, window / span * span);
                    for total in [sequential, parallel] {
                        let rate = total / bases as f64;
                        assert!((rate - 2.0).abs() < 1e-12, "{name} {span} {window}: {total} over {bases}");
                    }
                }
            }
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The true token is a candidate, whichever prefix is revealed, with a prior and without.
#[test]
fn true_tokens_are_candidates() {
    let text = dna(20_000, 22);
    for (recipe, tokenizer) in fitted().iter().filter(|(recipe, _)| recipe.reading.fixed().is_none()) {
        let prior = Arc::new(SegmentationPrior::new(&**tokenizer, 12, Weights::fit(PriorKind::Order1, &[&text])));
        for prior in [None, Some(prior)] {
            let mut sets = CandidateSets::new(Arc::clone(tokenizer), prior);
            let spans = plan::scoring(&text[..2_400], 12, 2);
            let window = SegmentedWindow::new(&**tokenizer, &text[..2_400], &spans);
            for layout in (0..12).map(|step| window.step(step)) {
                for target in &layout.targets {
                    sets.prepare(target.constraint);
                    let mut candidates = Vec::new();
                    sets.visit(target.constraint, |id, _| candidates.push(id));
                    assert!(candidates.contains(&target.token), "{}: {target:?}", recipe.name);
                    let first = tokenizer.is_word_initial(target.token);
                    assert!(candidates.iter().all(|&id| tokenizer.is_word_initial(id) == first), "{}", recipe.name);
                }
            }
        }
    }
}

#[test]
fn a_fitted_tokenizer_survives_the_store() {
    let text = dna(100_000, 3);
    for name in ["kmer3", "bpe64", "unigram64", "wordpiece64", "randomcut64"] {
        let recipe = registry::builtin().parse(name).unwrap();
        for prior in [None, Some(PriorKind::Uniform), Some(PriorKind::Order1)] {
            let fitted = Fitted::fit(&recipe, &[&text], 12, prior).unwrap();
            let again = Fitted::load(&recipe, &fitted.save(12), 12, prior).unwrap();
            assert_eq!((&fitted.counts, &fitted.context_free), (&again.counts, &again.context_free));
            let (mut a, mut b) = (Vec::new(), Vec::new());
            fitted.tokenizer.encode(&text[..500], &mut a);
            again.tokenizer.encode(&text[..500], &mut b);
            assert_eq!(a, b);
            let repeated = Fitted::fit(&recipe, &[&text], 12, prior).unwrap().save(12);
            assert_eq!(fitted.save(12), repeated, "{name} is not deterministic");
            assert!(Fitted::load(&recipe, &fitted.save(12), 24, prior).is_err());
            assert!(Fitted::load(&recipe, &fitted.save(12), 12, Some(PriorKind::Order0)).is_err());
        }
    }
}
