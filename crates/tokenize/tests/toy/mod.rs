//! A custom tokenizer, as another crate would define it: runs of one base are tokens of up to four bases.

use std::sync::Arc;

use tokenize::vocabulary::{SPECIALS, UNK};
use tokenize::{Family, Reading, Recipe, Token, Tokenizer, Vocabulary};

/// The family, with all that the registry needs.
pub(crate) const RUNS: Family = Family {
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
