//! BERT-style masking in tokens (`masking.unit = "tokens"`): its laws for every family of tokenizers.

use std::sync::Arc;

use protocol::layout::{Layout, token_masking};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokenize::vocabulary::{CLS, MASK, SEP, SPECIALS, UNK};
use tokenize::{Token, Tokenizer, registry};

const WINDOWS: u64 = 300;

/// Bases with a run of N, which becomes unknown tokens.
fn window(seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text: Vec<u8> = (0..480).map(|_| b"ACGT"[rng.random_range(0..4)]).collect();
    let from = rng.random_range(0..460);
    text[from..from + 20].fill(b'N');
    text
}

fn families() -> Vec<(&'static str, Arc<dyn Tokenizer>)> {
    let text: Vec<u8> = (0..200).flat_map(window).collect();
    ["base", "kmer3", "kmer3-nonoverlap", "bpe64", "unigram64", "mxdna"]
        .into_iter()
        .map(|name| (name, registry::builtin().parse(name).unwrap().fit(&mut text.chunks(4_800)).unwrap()))
        .collect()
}

/// The tokens and the layout of every window.
fn laid_out(tokenizer: &dyn Tokenizer, ratio: f64) -> Vec<(Vec<Token>, Layout)> {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let one = |seed: u64| {
        let mut tokens = Vec::new();
        tokenizer.encode(&window(seed), &mut tokens);
        let layout = token_masking(&tokens, ratio, tokenizer.vocabulary().len(), &mut rng);
        (tokens, layout)
    };
    (0..WINDOWS).map(one).collect()
}

#[test]
fn targets_are_the_true_tokens_and_never_special() {
    for (name, tokenizer) in families() {
        let mut unknown = 0;
        for (tokens, layout) in laid_out(&*tokenizer, 0.15) {
            unknown += tokens.iter().filter(|token| token.id == UNK).count();
            assert_eq!(layout.ids.len(), tokens.len() + 2, "{name}");
            assert_eq!((layout.ids[0], layout.ids[tokens.len() + 1]), (CLS, SEP), "{name}");
            let mut targets = layout.targets.iter().peekable();
            for (index, token) in tokens.iter().enumerate() {
                let seen = layout.ids[index + 1];
                let Some(target) = targets.next_if(|target| target.position == index + 1) else {
                    assert_eq!(seen, token.id, "{name}: unselected tokens stay");
                    continue;
                };
                assert_eq!(target.token, token.id, "{name}: a target is the true token");
                assert!(token.id >= SPECIALS, "{name}: a special token is a target");
                let ordinary = (SPECIALS..tokenizer.vocabulary().len() as u32).contains(&seen);
                assert!(seen == MASK || ordinary, "{name}: {seen} in place of a target");
            }
            assert_eq!(targets.next(), None, "{name}: targets are in the order of the tokens");
            let bases: usize = layout.targets.iter().map(|target| tokenizer.vocabulary().length(target.token)).sum();
            assert_eq!(bases, layout.masked, "{name}");
        }
        assert!(unknown > 0, "{name}: the windows contain no unknown token");
    }
}

#[test]
fn fractions_are_the_published_ones() {
    for (name, tokenizer) in families() {
        for ratio in [0.15, 0.4] {
            let (mut tokens, mut drawn, mut masked, mut kept) = (0_u32, 0_u32, 0_u32, 0_u32);
            for (all, layout) in laid_out(&*tokenizer, ratio) {
                tokens += all.iter().filter(|token| token.id >= SPECIALS).count() as u32;
                drawn += layout.targets.len() as u32;
                masked += layout.targets.iter().filter(|t| layout.ids[t.position] == MASK).count() as u32;
                kept += layout.targets.iter().filter(|t| layout.ids[t.position] == t.token).count() as u32;
            }
            // A random token equals the true one with probability 1 / (number of ordinary tokens).
            let chance = 0.1 / (tokenizer.vocabulary().len() - SPECIALS as usize) as f64;
            for (what, found, of, expected) in [
                ("selected", drawn, tokens, ratio),
                ("masked", masked, drawn, 0.8),
                ("kept", kept, drawn, 0.1 + chance),
                ("random", drawn - masked - kept, drawn, 0.1 - chance),
            ] {
                let fraction = f64::from(found) / f64::from(of);
                let error = (expected * (1.0 - expected) / f64::from(of)).sqrt();
                assert!((fraction - expected).abs() < 4.5 * error, "{name} {ratio}, {what}: {fraction} not {expected}");
            }
        }
    }
}

#[test]
fn random_tokens_are_drawn_from_the_whole_vocabulary() {
    let (_, tokenizer) = families().remove(2);
    let mut seen = vec![0_u32; tokenizer.vocabulary().len()];
    for (_, layout) in laid_out(&*tokenizer, 0.9) {
        for target in &layout.targets {
            let id = layout.ids[target.position];
            if id != MASK && id != target.token {
                seen[id as usize] += 1;
            }
        }
    }
    let (special, ordinary) = seen.split_at(SPECIALS as usize);
    assert!(special.iter().all(|count| *count == 0));
    assert!(ordinary.iter().all(|count| *count > 0), "{ordinary:?}");
}

#[test]
fn equal_seeds_give_equal_masks() {
    let (_, tokenizer) = families().remove(3);
    let mut tokens = Vec::new();
    tokenizer.encode(&window(1), &mut tokens);
    let draw = |seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        token_masking(&tokens, 0.15, tokenizer.vocabulary().len(), &mut rng)
    };
    let (one, same, other) = (draw(4), draw(4), draw(5));
    assert_eq!((&one.ids, &one.targets, one.masked), (&same.ids, &same.targets, same.masked));
    assert_ne!(one.targets, other.targets);
}
