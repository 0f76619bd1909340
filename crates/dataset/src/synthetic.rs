//! Synthetic corpora: text from a known source, so that scores can be compared with its entropy floor.
//!
//! | `kind` | text | floor |
//! |---|---|---|
//! | `uniform` | independent, uniform bases: a score below 2 bits per base indicates leakage | exact |
//! | `markov` | Markov chain of `order` 0 to 6 | exact |
//! | `variable` | variable-order Markov chain (context tree) up to `order` | exact |
//! | `satellites` | arrays of tandem repeats, one after the other | unknown |
//! | `words` | words of a hidden vocabulary without separators ([`crate::words`]) | unknown |
//! | `rich` | species with planted structure: `repeats`, `coding`, `motifs`, in turn | unknown |
//!
//! ```
//! use dataset::synthetic::{SyntheticKind, SyntheticSpec};
//! let spec = SyntheticSpec { kind: SyntheticKind::Markov, order: 1, bases: 1000, entropy: Some(1.26), ..SyntheticSpec::default() };
//! let (species, source) = spec.generate("mine").unwrap();
//! assert_eq!(species[0].records[0].bases.len(), 1000);
//! assert!((source.unwrap().entropy() - 1.26).abs() < 0.01);
//! ```

use crate::error::{Error, Result};
use crate::fasta::SequenceRecord;
use crate::markov::{LETTERS, MAX_ORDER, MarkovChain, draw};
use crate::species::Species;
use crate::words::{HiddenVocabulary, WORDS};
use dna::reverse_complement;
use dna::stream;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyntheticKind {
    /// Independent, uniform bases.
    Uniform,
    /// A Markov chain with an independent row for each context.
    Markov,
    /// A variable-order Markov chain from a context tree.
    Variable,
    /// Arrays of tandem repeats, as in satellite DNA.
    Satellites,
    /// Words of a hidden vocabulary, one after the other.
    Words,
    /// Text with planted structure.
    Rich,
}

/// Specification of a synthetic corpus, as written in TOML.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyntheticSpec {
    /// Kind of source.
    pub kind: SyntheticKind,
    /// Order of `markov` and `variable`, at most 6.
    pub order: usize,
    /// Bases per species (one record each).
    pub bases: usize,
    /// Number of species: all from one chain, or the three `rich` ones in turn.
    pub species: usize,
    /// Seed of the source and the text.
    pub seed: u64,
    /// Concentration of the Dirichlet distribution of the rows: small values give predictable text.
    pub concentration: f64,
    /// Entropy rate in bits per base to which the chain is adjusted; not adjusted if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// Number of words of `words`, 2 to 1,000.
    #[serde(skip_serializing_if = "is_standard")]
    pub words: usize,
}

/// Whether a number of words is the default and is left out, as before the field existed.
fn is_standard(words: &usize) -> bool {
    *words == WORDS
}

impl Default for SyntheticSpec {
    fn default() -> Self {
        Self {
            kind: SyntheticKind::Markov,
            order: 1,
            bases: 1_250_000,
            species: 1,
            seed: 0,
            concentration: 0.5,
            entropy: None,
            words: WORDS,
        }
    }
}

impl SyntheticSpec {
    fn check(&self, name: &str) -> Result<()> {
        let fault = |message: String, help: &str| {
            Err(Error::Spec { name: format!("corpus '{name}'"), message, help: help.to_owned() })
        };
        if self.order > MAX_ORDER {
            return fault(
                format!("order {} exceeds the maximum of {MAX_ORDER}", self.order),
                "use an order of at most 6, the limit of the exact floor",
            );
        }
        if self.bases == 0 || self.species == 0 {
            return fault("bases and species must be > 0".into(), "set both to at least 1");
        }
        if !(self.concentration.is_finite() && self.concentration > 0.0) {
            return fault(
                format!("concentration must be > 0, got {}", self.concentration),
                "use a positive number, such as 0.5",
            );
        }
        if !(2..=1_000).contains(&self.words) {
            return fault(format!("words must be in [2, 1000], got {}", self.words), "use 2 to 1,000 words");
        }
        if let Some(entropy) = self.entropy.filter(|bits| !(0.05..=2.0).contains(bits)) {
            return fault(format!("entropy must be in [0.05, 2], got {entropy}"), "use 0.05 to 2 bits per base");
        }
        Ok(())
    }

    /// The chain that the text is sampled from; `None` for `satellites`, `words` and `rich`.
    ///
    /// # Errors
    /// [`Error::Spec`] if the order exceeds 6, there are no bases, or a parameter is out of range.
    pub fn source(&self, name: &str) -> Result<Option<MarkovChain>> {
        self.check(name)?;
        let mut rng = stream(self.seed, "synthetic/source");
        let chain = match self.kind {
            SyntheticKind::Uniform => return Ok(Some(MarkovChain::uniform())),
            SyntheticKind::Satellites | SyntheticKind::Words | SyntheticKind::Rich => return Ok(None),
            SyntheticKind::Markov => MarkovChain::random(self.order, self.concentration, &mut rng),
            SyntheticKind::Variable => MarkovChain::variable(self.order, self.concentration, 0.35, &mut rng),
        };
        Ok(Some(self.entropy.map_or(chain.clone(), |bits| chain.with_entropy(bits))))
    }

    /// The species and their source, if it is a chain. `name` is the name of the corpus, for errors only.
    ///
    /// # Errors
    /// As [`Self::source`].
    pub fn generate(&self, name: &str) -> Result<(Vec<Species>, Option<MarkovChain>)> {
        let source = self.source(name)?;
        let species = (0..self.species).map(|i| {
            let mut rng = stream(self.seed, &format!("synthetic/text/{i}"));
            let (kind, bases) = match &source {
                Some(chain) => ("synthetic", chain.sample(self.bases, &mut rng)),
                None if self.kind == SyntheticKind::Satellites => {
                    // All species have the same families.
                    ("satellites", satellites(self.bases, &mut stream(self.seed, "synthetic/source"), &mut rng))
                }
                None if self.kind == SyntheticKind::Words => {
                    ("words", HiddenVocabulary::of_corpus(self.seed, self.words).sample(self.bases, &mut rng).0)
                }
                None => {
                    let (kind, generate) = RICH[i % RICH.len()];
                    let mut bases = generate(self.bases, &mut rng);
                    bases.truncate(self.bases);
                    (kind, bases)
                }
            };
            let turn = if self.kind == SyntheticKind::Rich { i / RICH.len() } else { i };
            let name = if turn == 0 { kind.to_owned() } else { format!("{kind}{}", turn + 1) };
            Species {
                weight: 1.0,
                held_out: false,
                regions: None,
                records: vec![SequenceRecord { name: name.clone(), bases }],
                name,
            }
        });
        Ok((species.collect(), source))
    }
}

type Rng8 = rand_chacha::ChaCha8Rng;

/// Generates at least the given number of bases.
type Generator = fn(usize, &mut Rng8) -> Vec<u8>;

/// The species of `rich` corpora.
const RICH: &[(&str, Generator)] = &[("repeats", repeats), ("coding", coding), ("motifs", motifs)];

/// Background text of a weak order-2 chain, sampled for each species.
fn background(rng: &mut Rng8) -> MarkovChain {
    MarkovChain::random(2, 2.0, rng).with_entropy(1.93)
}

/// Arrays of 100 to 1,100 bases, each of tandem copies of one of eight monomers of 24 bases, with 10 % of their bases substituted. Context
/// tells monomer and phase, so that it predicts a masked span that is shorter than a monomer.
fn satellites(bases: usize, source: &mut Rng8, rng: &mut Rng8) -> Vec<u8> {
    let monomers: Vec<Vec<u8>> = (0..8).map(|_| MarkovChain::uniform().sample(24, source)).collect();
    let mut text = Vec::with_capacity(bases + 1100);
    while text.len() < bases {
        let monomer = &monomers[rng.random_range(0..monomers.len())];
        let (phase, length) = (rng.random_range(0..monomer.len()), rng.random_range(100..=1100));
        let array: Vec<u8> = monomer.iter().copied().cycle().skip(phase).take(length).collect();
        text.extend(mutate(&array, 0.1, rng));
    }
    text.truncate(bases);
    text
}

/// Eight repeat families of 80 to 600 bases. Copies make up about 40 % of the text, with 3 to 18 % of their bases
/// substituted; half of them are reverse-complemented, a third are truncated.
fn repeats(bases: usize, rng: &mut Rng8) -> Vec<u8> {
    let chain = background(rng);
    let families: Vec<Vec<u8>> = (0..8).map(|_| chain.sample(rng.random_range(80..=600), rng)).collect();
    let mut text = Vec::with_capacity(bases + 1000);
    while text.len() < bases {
        let gap = rng.random_range(50..=820);
        text.extend(chain.sample(gap, rng));
        let family = &families[rng.random_range(0..families.len())];
        let rate = 0.03 + 0.15 * rng.random::<f64>();
        let mut copy = mutate(family, rate, rng);
        if rng.random_range(0..3u32) == 0 {
            let kept = rng.random_range(40..=copy.len());
            copy.drain(..copy.len() - kept);
        }
        text.extend(if rng.random::<bool>() { reverse_complement(&copy) } else { copy });
    }
    text
}

/// Substitutes each base with probability `rate`.
fn mutate(bases: &[u8], rate: f64, rng: &mut impl Rng) -> Vec<u8> {
    let one = |&base: &u8| {
        if rng.random::<f64>() >= rate {
            return base;
        }
        let others: Vec<u8> = LETTERS.into_iter().filter(|other| *other != base).collect();
        others[rng.random_range(0..3usize)]
    };
    bases.iter().map(one).collect()
}

/// Genes of 60 to 400 codons from ATG to a stop codon with a species-specific codon usage, on either strand, separated by
/// 100 to 500 bases of background.
fn coding(bases: usize, rng: &mut Rng8) -> Vec<u8> {
    let chain = background(rng);
    let stops: [&[u8; 3]; 3] = [b"TAA", b"TAG", b"TGA"];
    let codons: Vec<[u8; 3]> = (0..64usize)
        .map(|i| [LETTERS[i >> 4], LETTERS[i >> 2 & 3], LETTERS[i & 3]])
        .filter(|codon| !stops.contains(&codon))
        .collect();
    // Skewed codon usage: few common codons, many rare ones.
    let usage: Vec<f64> = codons.iter().map(|_| (-1.2 * (1.0 - rng.random::<f64>()).ln()).powi(2) + 0.02).collect();
    let mut text = Vec::with_capacity(bases + 2000);
    while text.len() < bases {
        let gap = rng.random_range(100..=500);
        text.extend(chain.sample(gap, rng));
        let mut gene = b"ATG".to_vec();
        for _ in 0..rng.random_range(60..=400u32) {
            gene.extend(codons[draw(&usage, rng)]);
        }
        gene.extend(stops[rng.random_range(0..3usize)]);
        text.extend(if rng.random::<bool>() { reverse_complement(&gene) } else { gene });
    }
    text
}

/// Six pairs of 8-base motifs, each with its own distance (5 to 30 bases, plus or minus 1), about one pair per 150 bases;
/// 5 % of the motif bases are substituted.
fn motifs(bases: usize, rng: &mut Rng8) -> Vec<u8> {
    let chain = background(rng);
    let pairs: Vec<_> = (0..6)
        .map(|_| {
            let uniform = MarkovChain::uniform();
            (uniform.sample(8, rng), uniform.sample(8, rng), rng.random_range(6..=29usize))
        })
        .collect();
    let mut text = Vec::with_capacity(bases + 500);
    while text.len() < bases {
        let gap = rng.random_range(50..=180);
        text.extend(chain.sample(gap, rng));
        let (first, second, distance) = &pairs[rng.random_range(0..pairs.len())];
        text.extend(mutate(first, 0.05, rng));
        let distance = distance + rng.random_range(0..3usize) - 1;
        text.extend(chain.sample(distance, rng));
        text.extend(mutate(second, 0.05, rng));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rich() -> Vec<Species> {
        let spec = SyntheticSpec { kind: SyntheticKind::Rich, species: 4, bases: 200_000, ..SyntheticSpec::default() };
        spec.generate("rich").unwrap().0
    }

    /// Bits per base of a chain of order `order` fitted on the first half and scored on the second.
    fn bits(bases: &[u8], order: usize) -> f64 {
        let (first, second) = bases.split_at(bases.len() / 2);
        let known: Vec<_> = second.iter().copied().map(Some).collect();
        -MarkovChain::fit([first], order, 4.0).log2_probability(&known) / second.len() as f64
    }

    #[test]
    fn the_same_seed_gives_the_same_text() {
        let spec = SyntheticSpec { bases: 500, ..SyntheticSpec::default() };
        assert_eq!(spec.generate("a").unwrap(), spec.generate("b").unwrap());
        let other = SyntheticSpec { seed: 1, ..spec.clone() };
        assert_ne!(spec.generate("a").unwrap().0, other.generate("a").unwrap().0);
    }

    #[test]
    fn several_species_share_the_source() {
        let (species, _) = SyntheticSpec { bases: 500, species: 3, ..SyntheticSpec::default() }.generate("a").unwrap();
        let names: Vec<_> = species.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["synthetic", "synthetic2", "synthetic3"]);
        assert_ne!(species[0].records[0].bases, species[1].records[0].bases);
    }

    #[test]
    fn rich_species_have_their_structure() {
        let species = rich();
        let names: Vec<_> = species.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["repeats", "coding", "motifs", "repeats2"]);
        for species in &species {
            let bases = &species.records[0].bases;
            assert_eq!(bases.len(), 200_000);
            let (short, long) = (bits(bases, 2), bits(bases, 6));
            assert!(short < 1.999 && long < short + 0.05, "{} {short} {long}", species.name);
        }
        // Repeats: recurring 24-mers. Uniform text of this length has almost none.
        let recurring = |bases: &[u8]| {
            let mut kmers: Vec<_> = bases.windows(24).collect();
            kmers.sort_unstable();
            kmers.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64 / bases.len() as f64
        };
        let fractions: Vec<_> = species.iter().map(|s| recurring(&s.records[0].bases)).collect();
        assert!(fractions[0] > 0.015, "{fractions:?}");
        assert!(fractions[0] > 10.0 * fractions[1] && fractions[0] > 10.0 * fractions[2], "{fractions:?}");
        // Coding: equal bases at distance 3 are more frequent than at distance 4.
        let same = |bases: &[u8], lag: usize| {
            bases.iter().zip(&bases[lag..]).filter(|(a, b)| a == b).count() as f64 / bases.len() as f64
        };
        let coding = &species[1].records[0].bases;
        assert!(same(coding, 3) > same(coding, 4) + 0.01 && same(coding, 6) > same(coding, 5) + 0.01);
    }

    #[test]
    fn satellites_repeat_after_24_bases() {
        let spec =
            SyntheticSpec { kind: SyntheticKind::Satellites, species: 2, bases: 100_000, ..SyntheticSpec::default() };
        let (species, source) = spec.generate("x").unwrap();
        assert!(source.is_none());
        let names: Vec<_> = species.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["satellites", "satellites2"]);
        for species in &species {
            let bases = &species.records[0].bases;
            assert_eq!(bases.len(), 100_000);
            let same = |lag: usize| {
                bases.iter().zip(&bases[lag..]).filter(|(a, b)| a == b).count() as f64 / bases.len() as f64
            };
            // 0.9 squared, and the few that are substituted alike; less at the ends of arrays. At another lag, chance.
            assert!((0.76..0.83).contains(&same(24)), "{}", same(24));
            assert!((0.2..0.35).contains(&same(23)), "{}", same(23));
        }
        // Species have the same monomers, another seed has others: a 12-mer without substitutions (0.28 of them) recurs.
        let other = SyntheticSpec { seed: 1, ..spec }.generate("x").unwrap().0;
        let known: std::collections::HashSet<&[u8]> = species[0].records[0].bases.windows(12).collect();
        let shared = |species: &Species| {
            let all = species.records[0].bases.windows(12);
            all.filter(|kmer| known.contains(kmer)).count() as f64 / 100_000.0
        };
        assert!(
            shared(&species[1]) > 0.28 && shared(&other[0]) < 0.05,
            "{} {}",
            shared(&species[1]),
            shared(&other[0])
        );
    }

    #[test]
    fn invalid_specs_are_rejected() {
        for spec in [
            SyntheticSpec { order: 7, ..SyntheticSpec::default() },
            SyntheticSpec { bases: 0, ..SyntheticSpec::default() },
            SyntheticSpec { concentration: 0.0, ..SyntheticSpec::default() },
            SyntheticSpec { entropy: Some(2.5), ..SyntheticSpec::default() },
        ] {
            assert!(matches!(spec.generate("x"), Err(Error::Spec { .. })));
        }
    }
}
