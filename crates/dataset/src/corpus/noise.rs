//! Noise arms: the shape of a corpus without the structure of its text (`docs/protocol.md#noise-arms`).
//!
//! Every base of every species is replaced; records, blocks, splits and runs of N stay where they are, so that the windows and masked
//! spans are the same as on the original.

use crate::corpus::{Corpus, join};
use crate::markov::MarkovChain;
use crate::split::Split;
use dna::stream;
use serde::{Deserialize, Serialize};

/// Pseudocount of the chain that is fitted to each species.
const PSEUDOCOUNT: f64 = 1.0;

/// Text of a noise arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    /// Independent, equally likely bases: 2 bits per base, whatever is learned.
    Uniform,
    /// A Markov chain of order 2, fitted to the training split of each species.
    Order2,
}

impl Noise {
    /// The name, which is also the prefix of the names of corpora: `uniform:NAME`, `order2:NAME`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Noise::Uniform => "uniform",
            Noise::Order2 => "order2",
        }
    }

    /// Splits the name of a noise corpus into its kind and the name of the original.
    ///
    /// ```
    /// use dataset::Noise;
    /// assert_eq!(Noise::split("order2:five_genomes"), Some((Noise::Order2, "five_genomes")));
    /// assert_eq!(Noise::split("five_genomes"), None);
    /// ```
    #[must_use]
    pub fn split(name: &str) -> Option<(Noise, &str)> {
        let (prefix, rest) = name.split_once(':')?;
        [Noise::Uniform, Noise::Order2].into_iter().find(|noise| noise.name() == prefix).map(|noise| (noise, rest))
    }
}

impl Corpus {
    /// Replaces the bases of all species by text of a noise arm; the sources are then known.
    pub(super) fn replace_by(&mut self, noise: Noise) {
        // The chain of a species held out of training is fitted to the blocks that would be its training split.
        let unused = join(&self.unused, self.species.len(), Split::Train);
        let chains: Vec<MarkovChain> = (0..self.species.len())
            .map(|species| match noise {
                Noise::Uniform => MarkovChain::uniform(),
                Noise::Order2 => {
                    let segments = self.segment_positions(Split::Train)[species].iter().chain(&unused[species]);
                    MarkovChain::fit(segments.map(|segment| self.slice(species, segment)), 2, PSEUDOCOUNT)
                }
            })
            .collect();
        for (species, chain) in self.species.iter_mut().zip(&chains) {
            for (number, record) in species.records.iter_mut().enumerate() {
                let mut rng = stream(0, &format!("noise/{}/{}/{number}", noise.name(), species.name));
                let text = chain.sample(record.bases.len(), &mut rng);
                for (base, other) in record.bases.iter_mut().zip(text) {
                    if *base != b'N' {
                        *base = other;
                    }
                }
            }
        }
        self.sources = chains;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CorpusSpec, input::tests::file};

    #[test]
    fn a_noise_arm_has_the_shape_of_its_original() {
        let chain = MarkovChain::random(3, 0.3, &mut stream(0, "chain"));
        let text = chain.sample(60_000, &mut stream(1, "text"));
        let gap = [b'N'; 700];
        let (folder, path) = file("a.fa", &[b">r\n", &text[..30_000], &gap, &text[30_000..], b"\n"].concat());
        let spec = CorpusSpec::from_fasta(&path).unwrap();
        let original = Corpus::open(&spec, folder.path()).unwrap();
        for noise in [Noise::Uniform, Noise::Order2] {
            let spec = CorpusSpec { noise: Some(noise), ..spec.clone() };
            let corpus = Corpus::open(&spec, folder.path()).unwrap();
            assert_eq!(corpus.name(), format!("{}:a", noise.name()));
            assert_ne!(corpus.hash(), original.hash());
            assert_eq!(corpus.hash(), Corpus::open(&spec, folder.path()).unwrap().hash(), "deterministic");
            assert_eq!(corpus.blocks(), original.blocks());
            let [windows, others] = [&corpus, &original].map(|c| c.scoring_windows(Split::Test, 252, 5_000).unwrap());
            let places = |windows: &[crate::ScoringWindow]| {
                windows.iter().map(|w| (w.species.clone(), w.block)).collect::<Vec<_>>()
            };
            assert_eq!(places(&windows), places(&others));
            let source = corpus.source_of("a").unwrap();
            assert_eq!(source.order(), if noise == Noise::Uniform { 0 } else { 2 });
            let fitted = MarkovChain::fit(corpus.training_segments(), 2, 1.0);
            assert!((fitted.entropy() - source.entropy()).abs() < 0.01, "{} {}", fitted.entropy(), source.entropy());
            assert_eq!(corpus.species()[0].records[0].bases.iter().filter(|&&base| base == b'N').count(), gap.len());
            let of = |order| MarkovChain::fit(original.training_segments(), order, 1.0).entropy();
            assert!(noise == Noise::Uniform || (source.entropy() - of(2)).abs() < 1e-12);
        }
        assert!(original.source_of("a").is_none());
    }
}
