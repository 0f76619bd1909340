//! [`Audit`]: all measurements of a tokenizer on a text.

use rand::Rng;

use super::composition::Composition;
use super::stability::Stability;
use crate::Token;
use crate::token::{Tokenizer, decode, normalize};

/// Unseen mass above which a text counts as too short for the vocabulary.
const UNSEEN: f64 = 0.1;

/// All measurements of one tokenizer on one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audit {
    /// Token counts and derived statistics.
    pub composition: Composition,
    /// Stability of the tokenization under small changes.
    pub stability: Stability,
    /// Windows that decoding restores (up to [`normalize`]).
    pub round_trips: u64,
    /// Number of windows.
    pub windows: u64,
}

impl Audit {
    /// Measures `tokenizer` on `windows` of A, C, G, T; stability on at most `probes` of them, evenly spaced. Positions and bases
    /// of mutations are drawn from `rng`.
    pub fn of(tokenizer: &dyn Tokenizer, windows: &[impl AsRef<[u8]>], probes: usize, rng: &mut impl Rng) -> Audit {
        let mut audit = Audit { composition: Composition::new(tokenizer), ..Audit::default() };
        let mut tokens: Vec<Token> = Vec::new();
        for window in windows {
            let window = window.as_ref();
            tokenizer.encode(window, &mut tokens);
            audit.composition.add(window.len(), &tokens);
            audit.windows += 1;
            audit.round_trips += u64::from(decode(&tokens, tokenizer.vocabulary()) == normalize(window));
        }
        let probes = probes.min(windows.len());
        for probe in 0..probes {
            audit.stability.add(tokenizer, windows[probe * windows.len() / probes].as_ref(), rng);
        }
        audit
    }

    /// Whether the text is too short for the vocabulary: more than a tenth of further tokens would be distinct from all observed
    /// ones. Values of metrics with [`AuditMetric::low_if_undersampled`](super::AuditMetric::low_if_undersampled) are then too low.
    #[must_use]
    pub fn undersampled(&self) -> bool {
        self.composition.unseen() > UNSEEN
    }

    /// Adds the measurements of the same tokenizer on another text.
    pub fn merge(&mut self, other: &Audit) {
        self.composition.merge(&other.composition);
        self.stability.merge(&other.stability);
        self.round_trips += other.round_trips;
        self.windows += other.windows;
    }
}
