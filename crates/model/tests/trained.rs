//! A trained model in use: states do not depend on the batch, and masked bases have the probabilities that scoring gives them.

use std::sync::Arc;

use experiment::config::{EncoderConfig, Position};
use model::config::ModelConfig;
use model::network::Model;
use model::predict::Predictor;
use model::score::Scorer;
use model::trained::{FilledBases, MaskedText, Trained};
use protocol::weights::Weights;
use protocol::{Fitted, PriorKind};
use tokenize::registry;

/// Text with some structure, so that BPE learns long tokens.
fn text(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut text: Vec<u8> = Vec::new();
    while text.len() < length {
        text.extend_from_slice([&b"ACGGT"[..], b"TTA", b"GATTACA", b"C"][next() % 4]);
    }
    text.truncate(length);
    text
}

fn trained(name: &str, position: Position) -> Trained {
    let recipe = registry::builtin().parse(name).unwrap();
    let fitted = Fitted::fit(&recipe, &[&text(6000)], 12, Some(PriorKind::Order1)).unwrap();
    let encoder =
        EncoderConfig { hidden: 16, layers: 2, intermediate: 24, init_std: 0.5, position, ..Default::default() };
    let vocabulary = fitted.tokenizer.vocabulary().len();
    let frontend = fitted.frontend.clone();
    let config = ModelConfig { vocabulary, frontend, encoder, classes: None };
    let device = model::device::open("cpu").unwrap();
    Trained::new(&Model::new(&config, 3, &device), fitted, config, &device)
}

#[test]
fn states_do_not_depend_on_the_other_sequences() {
    for name in ["base", "kmer6", "kmer6-nonoverlap", "bpe64", "mxdna", "hnet"] {
        let trained = trained(name, Position::EQUAL_REACH);
        let all = text(900);
        let sequences: Vec<&[u8]> = [0..5, 0..300, 7..60, 100..101, 20..310, 2..299].map(|range| &all[range]).to_vec();
        let together = trained.states(&sequences).unwrap();
        for (sequence, found) in sequences.iter().zip(&together) {
            let alone = &trained.states(&[sequence]).unwrap()[0];
            assert_eq!(alone.tokens, found.tokens);
            let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-5);
            assert!(
                close(alone.cls(), found.cls()) && close(&alone.mean(), &found.mean()),
                "{name} {}",
                sequence.len()
            );
            let (one, other) = (alone.bases(0..sequence.len()), found.bases(0..sequence.len()));
            assert!(close(&one, &other) && one.len() == sequence.len() * 16, "{name}");
            assert!(one.chunks(16).all(|row| row.iter().any(|value| *value != 0.0)), "{name}: a base without a state");
        }
    }
}

/// The probability of a base is proportional to that of its span in scoring: the slow twin scores the window with each of the four bases.
#[test]
fn masked_bases_have_the_probabilities_of_scoring() {
    for name in ["bpe64", "unigram64", "wordpiece64", "randomcut64"] {
        let trained = trained(name, Position::EQUAL_REACH);
        let mut window = text(500)[400..424].to_vec();
        // In a window of two cells, pass 1 of the scoring plan masks bases 12 to 23: the span around base 18.
        let FilledBases { filled: found, refused } = trained.fill_bases(&window, &[18], 1000).unwrap();
        assert!(refused.is_empty());
        let predictor = Predictor::new(trained.model(), trained.device());
        let mut scorer = Scorer::new(predictor, &trained.fitted, 12);
        let weights = b"ACGT".map(|base| {
            window[18] = base;
            (-scorer.window(&window, &[1], false).unwrap().total()).exp2()
        });
        let total: f64 = weights.iter().sum();
        assert_eq!((found.len(), found[0].position), (1, 18));
        for (weight, probability) in weights.iter().zip(found[0].probabilities) {
            assert!((weight / total - probability).abs() < 1e-4, "{name}: {weights:?} {found:?}");
        }
    }
}

/// With single bases it is the softmax of the masked-language-model head plus the prior; without masked neighbours in the span.
#[test]
fn a_masked_base_is_a_masked_token_of_single_bases() {
    let trained = trained("base", Position::ALIBI);
    let sequence = text(60);
    let found = trained.fill_bases(&sequence, &[30], 1000).unwrap().filled;
    let stretches = vec![sequence[..30].to_vec(), sequence[31..].to_vec()];
    let tokens = trained.fill_tokens(&[MaskedText { stretches }], 4).unwrap();
    assert_eq!((tokens[0].len(), tokens[0][0].start), (1, 30));
    for (id, probability) in &tokens[0][0].tokens {
        let base = dna::code(trained.fitted.tokenizer.vocabulary().bases(*id).unwrap()[0]).unwrap() as usize;
        assert!((found[0].probabilities[base] - probability).abs() < 1e-5, "{found:?} {tokens:?}");
    }
}

/// Marginals over several masked bases sum to 1, agree with the joint enumeration, and hidden letters cannot be seen.
#[test]
fn masked_bases_of_every_tokenizer() {
    for name in ["base", "kmer3", "kmer6-nonoverlap", "kmer6-stride3", "bpe64", "unigram64", "mxdna"] {
        let trained = trained(name, Position::EQUAL_REACH);
        let sequence = text(99);
        let masked = [0, 3, 41, 44, 95, 98];
        let FilledBases { filled: found, refused } = trained.fill_bases(&sequence, &masked, 60).unwrap();
        assert!(refused.is_empty(), "{name} {refused:?}");
        assert_eq!(found.iter().map(|filled| filled.position).collect::<Vec<_>>(), masked, "{name}");
        for filled in &found {
            assert!((filled.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{name}");
        }
        let mut hidden = sequence.clone();
        masked.iter().for_each(|&at| hidden[at] = b'N');
        assert_eq!(trained.fill_bases(&hidden, &masked, 60).unwrap().filled, found, "{name}");
    }
    let trained = trained("bpe64", Position::EQUAL_REACH);
    // What cannot be filled is told, and the rest is filled.
    let masked: Vec<usize> = (40..47).chain([80]).collect();
    let FilledBases { filled: found, refused } = trained.fill_bases(&text(100), &masked, 1000).unwrap();
    assert_eq!((found.len(), refused.len()), (1, 7));
    assert_eq!(refused[0], (40, "6 of bases 35 to 46 are masked, and at most 4 can be".to_owned()));
}

#[test]
fn a_published_model_needs_no_training_text() {
    let recipe = registry::builtin().parse("kmer3-nonoverlap").unwrap();
    let fitted = Fitted::without_text(&recipe, 12, Weights::uniform()).unwrap();
    assert!(Arc::strong_count(&fitted.tokenizer) > 0 && fitted.prior.is_some());
    assert!(Fitted::without_text(&registry::builtin().parse("bpe64").unwrap(), 12, Weights::uniform()).is_err());
}
