//! A custom tokenizer, in which runs of one base are tokens of up to four bases, and its audit on a text.
//!
//! ```text
//! cargo run --release -p tokbench-tokenize --example own
//! ```

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use tokenize::audit::{Audit, METRICS};
use tokenize::vocabulary::{SPECIALS, UNK};
use tokenize::{Family, Reading, Recipe, Token, Tokenizer, Vocabulary, decode, registry};

/// The family, with all that the registry needs.
pub const RUNS: Family = Family {
    stem: "runs",
    pattern: "runs",
    help: "runs of one base, up to four bases long",
    examples: &["runs"],
    resolve: |name| {
        let plain = name.number.is_none() && name.words.is_empty();
        // A masked span can have one token per base; in random text the mean length of a run is 1.3 bases.
        let recipe = || Recipe { bases_per_token: 1, tokens_per_base: 0.75, ..Recipe::fixed(Arc::new(Runs::new())) };
        plain.then(|| Ok(recipe()))
    },
};

/// Longest run that is one token, in bases.
const LONGEST: usize = 4;

#[derive(Debug)]
struct Runs(Vocabulary);

impl Runs {
    fn new() -> Runs {
        let runs = dna::BASES.iter().flat_map(|&base| (1..=LONGEST).map(move |length| vec![base; length]));
        Runs(Vocabulary::new(runs))
    }
}

impl Tokenizer for Runs {
    fn name(&self) -> &str {
        "runs"
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.0
    }

    fn reading(&self) -> Reading {
        // Non-overlapping tokens of variable length.
        Reading::Tiling(None)
    }

    fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
        out.clear();
        let mut start = 0;
        while start < bases.len() {
            let place = dna::code(bases[start]);
            let same = bases[start..].iter().take(LONGEST).take_while(|&&base| base == bases[start]).count();
            let (id, length) = match place {
                Some(place) => (SPECIALS + (place * LONGEST + same - 1) as u32, same),
                None => (UNK, 1),
            };
            out.push(Token { id, start: start as u32, end: (start + length) as u32 });
            start += length;
        }
    }

    fn may_follow(&self, first: u32, second: u32) -> bool {
        // A run is split only after four bases, so a shorter one is never followed by the same base.
        let [a, b] = [first, second].map(|id| self.0.bases(id).unwrap_or_default());
        a.first() != b.first() || a.len() == LONGEST
    }
}

fn main() {
    // A registry with the new family in addition to the built-in ones.
    let registry = registry::builtin().with(RUNS);
    let runs = registry.parse("runs").unwrap().fit(&mut std::iter::empty()).unwrap();
    let mut tokens = Vec::new();
    runs.encode(b"AAAAACGGTTTN", &mut tokens);
    println!("{tokens:?}");
    assert_eq!(decode(&tokens, runs.vocabulary()), b"AAAAACGGTTTN");

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let windows: Vec<Vec<u8>> =
        (0..50).map(|_| (0..1_000).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()).collect();
    let audit = Audit::of(&*runs, &windows, 20, &mut rng);
    for metric in METRICS {
        println!("{:<40} {:.3}", metric.title, (metric.value)(&audit));
    }
}
