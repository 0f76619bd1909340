//! A tokenizer that this crate knows nothing of, as a stranger's crate would have it: runs of one base become one token of up to four
//! bases.

use std::sync::Arc;

use tokenize::vocabulary::{SPECIALS, UNK};
use tokenize::{Family, Reading, Recipe, Token, Tokenizer, Vocabulary};

/// The family: everything that a registry must know.
pub(crate) const RUNS: Family = Family {
    stem: "runs",
    pattern: "runs",
    help: "runs of one base, up to four bases long",
    examples: &["runs"],
    resolve: |name| {
        let plain = name.number.is_none() && name.words.is_empty();
        // A span of a hundred bases may be a hundred tokens; a run has 1.3 bases in the mean of random text.
        let recipe = || Recipe { bases_per_token: 1, tokens_per_base: 0.75, ..Recipe::fixed(Arc::new(Runs::new())) };
        plain.then(|| Ok(recipe()))
    },
};

/// Longest run that is one token.
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
        // Side by side, of varying length.
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
        // A run is cut as late as possible, so a shorter one is never followed by the same base.
        let [a, b] = [first, second].map(|id| self.0.bases(id).unwrap_or_default());
        a.first() != b.first() || a.len() == LONGEST
    }
}
