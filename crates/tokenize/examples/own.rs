//! A tokenizer of one's own: runs of one base become one token of up to four bases. Then what it does to a text.
//!
//! To see it in tables and figures put the type into a file of `src` and a line into `registry::KINDS`.
//!
//! ```text
//! cargo run --release -p tokbench-tokenize --example own
//! ```

use rand::{RngExt, SeedableRng};
use tokenize::audit::{Audit, METRICS};
use tokenize::vocabulary::{SPECIALS, UNK};
use tokenize::{Reading, Token, Tokenizer, Vocabulary, decode};

/// Longest run that is one token.
const LONGEST: usize = 4;

#[derive(Debug)]
struct Runs(Vocabulary);

impl Runs {
    fn new() -> Runs {
        let runs = b"ACGT".iter().flat_map(|&base| (1..=LONGEST).map(move |length| vec![base; length]));
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
            let place = b"ACGT".iter().position(|&base| base == bases[start]);
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

fn main() {
    let runs = Runs::new();
    let mut tokens = Vec::new();
    runs.encode(b"AAAAACGGTTTN", &mut tokens);
    println!("{tokens:?}");
    assert_eq!(decode(&tokens, runs.vocabulary()), b"AAAAACGGTTTN");

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let windows: Vec<Vec<u8>> =
        (0..50).map(|_| (0..1_000).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()).collect();
    let audit = Audit::of(&runs, &windows, 20, &mut rng);
    for metric in METRICS {
        println!("{:<40} {:.3}", metric.title, (metric.value)(&audit));
    }
}
