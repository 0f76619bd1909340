//! Weights of tokens by their bases: the text model under the segmentation prior.

use dna::code;
use serde::{Deserialize, Serialize};

/// No base is known on the left, or the weights do not depend on it.
pub const ANY_BASE: u8 = 4;

/// Weights of tokens in the segmentation prior.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PriorKind {
    /// All bases equally likely: 2 bits per base for every tokenizer.
    Uniform,
    /// Bases with their frequencies in the training split.
    Order0,
    /// Bases with the transition probabilities of the training split, the first from the visible base on the left.
    #[default]
    Order1,
}

impl PriorKind {
    /// The name used in TOML and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PriorKind::Uniform => "uniform",
            PriorKind::Order0 => "order0",
            PriorKind::Order1 => "order1",
        }
    }
}

/// Base and transition probabilities. A token weighs the product of the probabilities of its bases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    kind: PriorKind,
    /// Probability of each base.
    bases: [f64; 4],
    /// Probability of each base (column) behind each base (row).
    transitions: [[f64; 4]; 4],
}

impl Weights {
    /// All bases equally likely.
    #[must_use]
    pub fn uniform() -> Weights {
        Weights { kind: PriorKind::Uniform, bases: [0.25; 4], transitions: [[0.25; 4]; 4] }
    }

    /// Frequencies of the bases of `texts` and of their pairs, with one pseudo-count each; other letters interrupt.
    #[must_use]
    pub fn fit(kind: PriorKind, texts: &[&[u8]]) -> Weights {
        if kind == PriorKind::Uniform {
            return Weights::uniform();
        }
        let (mut single, mut pairs) = ([1_u64; 4], [[1_u64; 4]; 4]);
        for text in texts {
            let mut previous = None;
            for base in text.iter().map(|&base| code(base)) {
                if let Some(base) = base {
                    single[base] += 1;
                    if let Some(previous) = previous {
                        let row: &mut [u64; 4] = &mut pairs[previous];
                        row[base] += 1;
                    }
                }
                previous = base;
            }
        }
        let shares = |counts: [u64; 4]| counts.map(|count| count as f64 / counts.iter().sum::<u64>() as f64);
        Weights { kind, bases: shares(single), transitions: pairs.map(shares) }
    }

    /// Whether they are weights at all: finite and not negative, with some base behind each.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let mut rows = std::iter::once(&self.bases).chain(&self.transitions);
        rows.all(|row| row.iter().all(|weight| weight.is_finite() && *weight >= 0.0) && row.iter().sum::<f64>() > 0.0)
    }

    /// Which kind of weights these are.
    #[must_use]
    pub fn kind(&self) -> PriorKind {
        self.kind
    }

    /// `left` where the weights depend on it, else [`ANY_BASE`].
    #[must_use]
    pub fn canonical(&self, left: u8) -> u8 {
        if self.kind == PriorKind::Order1 { left.min(ANY_BASE) } else { ANY_BASE }
    }

    /// Probability of `base` behind base `left`.
    #[must_use]
    pub fn first(&self, left: u8, base: u8) -> f64 {
        let row = if self.kind == PriorKind::Order1 { self.transitions.get(usize::from(left)) } else { None };
        row.unwrap_or(&self.bases)[usize::from(base)]
    }

    /// Probability of the bases of a token behind its first one.
    #[must_use]
    pub fn rest(&self, bases: &[u8]) -> f64 {
        let codes: Vec<u8> = bases.iter().map(|&base| code(base).unwrap_or(0) as u8).collect();
        codes.windows(2).map(|pair| self.first(pair[0], pair[1])).product()
    }

    /// Distribution of the base after `bases` bases behind base `left`: pairs of base and probability.
    #[must_use]
    pub fn after(&self, left: u8, bases: usize) -> Vec<(u8, f64)> {
        let mut now = vec![(self.canonical(left), 1.0)];
        for _ in 0..bases.min(if self.kind == PriorKind::Order1 { bases } else { 0 }) {
            now = (0..4).map(|base| (base, now.iter().map(|&(x, p)| p * self.first(x, base)).sum())).collect();
        }
        now
    }

    /// Code length of `text` behind base `left`, in bits: what a network that outputs zeros pays.
    #[must_use]
    pub fn bits(&self, left: u8, text: &[u8]) -> f64 {
        let mut left = left;
        let mut bits = 0.0;
        for base in text.iter().filter_map(|&base| code(base)) {
            bits -= self.first(left, base as u8).log2();
            left = base as u8;
        }
        bits
    }
}
