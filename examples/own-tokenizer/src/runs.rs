//! `runs`: homopolymer runs. A run of the same base is divided into tokens of up to four bases.

use std::sync::Arc;

use tokenize::vocabulary::{SPECIALS, UNK};
use tokenize::{Family, Reading, Recipe, Token, Tokenizer, Vocabulary};

/// The family: everything that the program needs to know about the tokenizer.
pub const KIND: Family = Family {
    stem: "runs",
    pattern: "runs",
    help: "homopolymer runs: one token per run of one base, up to four bases long",
    examples: &["runs"],
    resolve: |name| {
        let plain = name.number.is_none() && name.words.is_empty();
        // For estimates of cost: a token has at least one base, and on random text a run has 4/3 bases on average.
        let recipe = || Recipe { bases_per_token: 1, tokens_per_base: 0.75, ..Recipe::fixed(Arc::new(Runs::new())) };
        plain.then(|| Ok(recipe()))
    },
};

/// Maximum length of a token in bases.
const LONGEST: usize = 4;

#[derive(Debug)]
struct Runs(Vocabulary);

impl Runs {
    fn new() -> Runs {
        // A, AA, AAA, AAAA, C, CC ...: ids follow this order, after the special ids.
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
        // Adjacent tokens of variable length.
        Reading::Tiling(None)
    }

    fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
        out.clear();
        let mut start = 0;
        while start < bases.len() {
            let rest = &bases[start..];
            let (id, length) = match dna::code(rest[0]) {
                Some(base) => {
                    let length = rest.iter().take(LONGEST).take_while(|&&next| next == rest[0]).count();
                    (SPECIALS + (base * LONGEST + length - 1) as u32, length)
                }
                None => (UNK, 1),
            };
            out.push(Token { id, start: start as u32, end: (start + length) as u32 });
            start += length;
        }
    }

    fn may_follow(&self, first: u32, second: u32) -> bool {
        // Tokens are as long as possible: only a token of four bases can be followed by the same base.
        let [first, second] = [first, second].map(|id| self.0.bases(id).unwrap_or_default());
        first.first() != second.first() || first.len() == LONGEST
    }
}
