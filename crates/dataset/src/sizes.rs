//! How much text a corpus has by species, and how often a training budget reads it.
//!
//! ```
//! use dataset::{Corpus, CorpusSpec};
//! let text = "name = 'x'\nsynthetic = { kind = 'markov', bases = 1_000_000, species = 2 }";
//! let corpus = Corpus::open(&CorpusSpec::from_toml(text)?, std::path::Path::new(""))?;
//! let sizes = corpus.sizes();
//! assert_eq!(sizes[0].to_string(), "synthetic: 1.00 Mb, 0.80 Mb training");
//! // A model that sees 4 million bases sees half of them from each of the two.
//! assert_eq!(sizes[0].epochs(4_000_000), Some(2.5));
//! # Ok::<(), dataset::Error>(())
//! ```

use crate::corpus::Corpus;
use crate::split::Split;
use std::fmt;

/// The text of one species.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeciesSize {
    /// Name of the species.
    pub species: String,
    /// Bases of all records, N included.
    pub bases: u64,
    /// Bases of all records that are N.
    pub unknown: u64,
    /// Bases of the training split, N included; 0 if the species is held out.
    pub training: u64,
    /// Fraction of the training windows that are sampled from this species; 0 if it is held out.
    pub share: f64,
    /// Whether the species is held out of training.
    pub held_out: bool,
}

impl SpeciesSize {
    /// How often training on `budget` bases reads the training split of this species, on average; `None` without training text.
    #[must_use]
    pub fn epochs(&self, budget: u64) -> Option<f64> {
        (self.training > 0).then(|| budget as f64 * self.share / self.training as f64)
    }
}

impl fmt::Display for SpeciesSize {
    /// `human: 5.01 Mb (0.31 Mb N), 4.00 Mb training`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bases: u64| format!("{:.2} Mb", bases as f64 / 1e6);
        write!(f, "{}: {}", self.species, mb(self.bases))?;
        // Less than this is shown as 0.00 Mb.
        if self.unknown >= 5_000 {
            write!(f, " ({} N)", mb(self.unknown))?;
        }
        if self.held_out {
            f.write_str(", held out of training")
        } else {
            write!(f, ", {} training", mb(self.training))
        }
    }
}

impl Corpus {
    /// The text of every species, in the order of the specification.
    #[must_use]
    pub fn sizes(&self) -> Vec<SpeciesSize> {
        let segments = self.segment_positions(Split::Train);
        let weights = self.species().iter().zip(segments).filter(|(_, segments)| !segments.is_empty());
        let total: f64 = weights.map(|(species, _)| species.weight).sum();
        let sizes = self.species().iter().zip(segments).map(|(species, segments)| {
            let records = || species.records.iter().map(|record| record.bases.as_slice());
            let unknown = |bases: &[u8]| bases.iter().filter(|base| **base == b'N').count() as u64;
            let training: u64 = segments.iter().map(|segment| (segment.end - segment.start) as u64).sum();
            SpeciesSize {
                species: species.name.clone(),
                bases: records().map(|bases| bases.len() as u64).sum(),
                unknown: records().map(unknown).sum(),
                training,
                share: if training > 0 { species.weight / total } else { 0.0 },
                held_out: species.held_out,
            }
        });
        sizes.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CorpusSpec, Noise, stream};

    /// Three species of 50,000 bases; the last is held out of training if `held_out`.
    fn three(folder: &std::path::Path, held_out: bool, noise: Option<Noise>) -> Corpus {
        for (seed, name) in ["a", "b", "c"].iter().enumerate() {
            let chain = crate::MarkovChain::random(2, 0.5, &mut stream(seed as u64, "chain"));
            let text = String::from_utf8(chain.sample(40_000, &mut stream(seed as u64, "text"))).unwrap();
            std::fs::write(folder.join(name), format!(">r\n{text}{}\n", "N".repeat(10_000))).unwrap();
        }
        let spec = format!(
            "name = 'x'\nsplit = {{ block = 1_000 }}\nspecies = [{{ name = 'a', files = ['a'] }},\n\
             {{ name = 'b', files = ['b'], weight = 3.0 }}, {{ name = 'c', files = ['c'], weight = 8.0, held_out = {held_out} }}]"
        );
        Corpus::open(&CorpusSpec { noise, ..CorpusSpec::from_toml(&spec).unwrap() }, folder).unwrap()
    }

    #[test]
    fn a_held_out_species_has_the_same_test_split_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for noise in [None, Some(Noise::Uniform), Some(Noise::Order2)] {
            let [all, corpus] = [false, true].map(|held_out| three(folder.path(), held_out, noise));
            assert!(corpus.is_held_out("c") && !corpus.is_held_out("a") && !corpus.is_held_out("other"));
            assert!(!all.is_held_out("c"));
            assert_ne!(all.hash(), corpus.hash());
            assert!(all.species().iter().zip(corpus.species()).all(|(left, right)| left.records == right.records));
            // The budget is that of the trained species: two there, three here.
            let [test, every] = [(&corpus, 2), (&all, 3)].map(|(corpus, species)| {
                let windows = corpus.scoring_windows(Split::Test, 252, species * 2_000).unwrap();
                assert!(windows.iter().all(|window| window.held_out == corpus.is_held_out(&window.species)));
                windows.into_iter().map(|window| (window.species, window.block, window.bases)).collect::<Vec<_>>()
            });
            assert!(test == every && test.iter().any(|window| window.0 == "c"));
            let validation = corpus.scoring_windows(Split::Valid, 252, 6_000).unwrap();
            assert!(validation.iter().all(|window| window.species != "c"));
            assert!(validation.iter().any(|window| window.species == "b"));
            for split in [Split::Train, Split::Valid] {
                let bases = |corpus: &Corpus| corpus.segments(split).map(<[u8]>::len).sum::<usize>();
                assert_eq!(bases(&corpus) * 3, bases(&all) * 2);
                assert_eq!(corpus.bases(split) as usize, bases(&corpus));
                let mut rng = stream(1, "w");
                assert!((0..300).all(|_| corpus.sample_window(split, 100, &mut rng).unwrap().species != 2));
            }
        }
    }

    #[test]
    fn impossible_specifications_are_refused() {
        let text = "name = 'x'\nspecies = [{ name = 'a', files = ['a'], held_out = true }]";
        let open =
            |text: &str| Corpus::open(&CorpusSpec::from_toml(text).unwrap(), std::path::Path::new("")).unwrap_err();
        assert_eq!(open(text).to_string(), "corpus 'x': every species is held out of training");
        let text = "name = 'x'\nsplit = { test = 0 }\nspecies = [{ name = 'a', files = ['a'] }, { name = 'b', files = ['b'], held_out = true }]";
        let error = open(text);
        assert_eq!(error.to_string(), "corpus 'x': a held-out species needs a test split");
        assert!(error.remedy().is_some());
    }

    #[test]
    fn shares_and_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let sizes = three(folder.path(), true, None).sizes();
        assert_eq!(sizes.iter().map(|size| size.share).collect::<Vec<_>>(), [0.25, 0.75, 0.0]);
        assert_eq!(sizes[1].to_string(), "b: 0.05 Mb (0.01 Mb N), 0.04 Mb training");
        assert_eq!(sizes[2].to_string(), "c: 0.05 Mb (0.01 Mb N), held out of training");
        assert_eq!((sizes[1].training, sizes[1].epochs(160_000), sizes[2].epochs(1)), (40_000, Some(3.0), None));
    }
}
