//! Everything that is measured of a tokenizer on a text.

use rand::Rng;

use super::composition::Composition;
use super::stability::Stability;
use crate::Token;
use crate::token::{Tokenizer, decode, normalise};

/// Share of tokens of types not met from which a text counts as too short.
const UNSEEN: f64 = 0.1;

/// Everything that is measured of one tokenizer on one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// What the text consists of.
    pub composition: Composition,
    /// How the cut answers to small changes.
    pub stability: Stability,
    /// Windows that came back unchanged (up to [`normalise`]).
    pub round_trips: u64,
    /// Windows asked.
    pub windows: u64,
}

impl Audit {
    /// Measures `tokenizer` on `windows` of A, C, G, T; stability on at most `probes` of them, evenly spaced. Places and bases of
    /// mutations come from `rng`.
    pub fn of(tokenizer: &dyn Tokenizer, windows: &[impl AsRef<[u8]>], probes: usize, rng: &mut impl Rng) -> Audit {
        let mut audit = Audit { composition: Composition::new(tokenizer), ..Audit::default() };
        let mut tokens: Vec<Token> = Vec::new();
        for window in windows {
            let window = window.as_ref();
            tokenizer.encode(window, &mut tokens);
            audit.composition.add(window.len(), &tokens);
            audit.windows += 1;
            audit.round_trips += u64::from(decode(&tokens, tokenizer.vocabulary()) == normalise(window));
        }
        let probes = probes.min(windows.len());
        for probe in 0..probes {
            audit.stability.add(tokenizer, windows[probe * windows.len() / probes].as_ref(), rng);
        }
        audit
    }

    /// Whether the text is too short for the vocabulary: more than a tenth of further tokens would be of types that it has not
    /// shown. Numbers of a metric that is [`Metric::low_if_undersampled`](super::Metric::low_if_undersampled) are then too low.
    #[must_use]
    pub fn undersampled(&self) -> bool {
        self.composition.unseen() > UNSEEN
    }

    /// Adds what was measured on another text with the same tokenizer.
    pub fn merge(&mut self, other: &Audit) {
        self.composition.merge(&other.composition);
        self.stability.merge(&other.stability);
        self.round_trips += other.round_trips;
        self.windows += other.windows;
    }
}
