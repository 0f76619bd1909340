//! Windows of a corpus: sampled at random for training, fixed for scoring.

use crate::corpus::Corpus;
use crate::error::Result;
use crate::markov::draw;
use crate::split::{Block, Split};
use rand::{Rng, RngExt};

/// Maximum fraction of N in a training window.
const MAX_N: f64 = 0.1;

/// Maximum number of draws per window; even if 99 % of the windows contain too many N, this fails once in 10^8 windows.
const MAX_DRAWS: usize = 2_000;

/// A training window, borrowed from its corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<'a> {
    /// Index of the species in the corpus.
    pub species: usize,
    /// Index of the record in the species.
    pub record: usize,
    /// First base in the record, from 0.
    pub start: usize,
    /// Bases, `A C G T N`.
    pub bases: &'a [u8],
}

/// A scoring window: `A C G T` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoringWindow {
    /// Name of the species.
    pub species: String,
    /// Whether the species is held out of training.
    pub held_out: bool,
    /// Number of the genome block in the species, the unit that the bootstrap resamples. A block may contain several windows.
    pub block: u32,
    /// Index of the record in the species.
    pub record: usize,
    /// First base in the record, from 0.
    pub start: usize,
    /// Bases, `A C G T`.
    pub bases: Vec<u8>,
}

impl Corpus {
    /// Samples a window of `length` bases: a species by weight, then a start uniformly over all positions of its `split` where
    /// the window fits into a segment. A window with more than 10 % N is redrawn, including its species.
    ///
    /// # Errors
    /// [`crate::Error::NoWindow`] if no segment is long enough, or if 2,000 draws all contained too many N.
    pub fn sample_window(&self, split: Split, length: usize, rng: &mut impl Rng) -> Result<Window<'_>> {
        let room = |start: usize, end: usize| (end - start + 1).saturating_sub(length.max(1));
        let starts: Vec<usize> = self
            .segment_positions(split)
            .iter()
            .map(|segments| segments.iter().map(|segment| room(segment.start, segment.end)).sum())
            .collect();
        if starts.iter().all(|count| *count == 0) {
            return Err(self.no_window(0, split, length, "(nor has any other species)"));
        }
        let weights: Vec<f64> = self
            .species()
            .iter()
            .zip(&starts)
            .map(|(species, count)| if *count > 0 { species.weight } else { 0.0 })
            .collect();
        let mut species = 0;
        for _ in 0..MAX_DRAWS {
            species = draw(&weights, rng);
            let mut left = rng.random_range(0..starts[species]);
            for segment in &self.segment_positions(split)[species] {
                let room = room(segment.start, segment.end);
                if left >= room {
                    left -= room;
                    continue;
                }
                let start = segment.start + left;
                let bases = &self.species()[species].records[segment.record].bases[start..start + length];
                let unknown = bases.iter().filter(|&&base| base == b'N').count();
                if unknown as f64 <= MAX_N * length as f64 {
                    return Ok(Window { species, record: segment.record, start, bases });
                }
                break;
            }
        }
        Err(self.no_window(species, split, length, "with at most 10 % N"))
    }

    /// The windows on which every run is scored: non-overlapping, without N, each inside one genome block, equally many per
    /// species, evenly spaced over the split. Deterministic.
    ///
    /// Each species gets `total_bases / species / length` windows, rounded down but at least one. If a species has fewer, its
    /// number is used for all. `total_bases` is therefore an upper bound, unless it is less than one window per species.
    ///
    /// A species held out of training has windows of the test split only. It gets as many as the others, and they do not depend on it, so
    /// that `total_bases` bounds the bases of the species that are trained on.
    ///
    /// # Errors
    /// [`crate::Error::NoWindow`] if a species has no such window.
    pub fn scoring_windows(&self, split: Split, length: usize, total_bases: usize) -> Result<Vec<ScoringWindow>> {
        let length = length.max(1);
        let trained = self.trained().count();
        let mut wanted = (total_bases / trained.max(1) / length).max(1);
        let mut found = vec![];
        for (index, species) in self.species().iter().enumerate() {
            if species.held_out && split != Split::Test {
                continue;
            }
            let candidates = self.clean_windows(index, split, length);
            if candidates.is_empty() {
                return Err(self.no_window(index, split, length, "without N"));
            }
            if !species.held_out {
                wanted = wanted.min(candidates.len());
            }
            found.push((species, candidates));
        }
        let mut windows = vec![];
        for (species, candidates) in &found {
            let wanted = wanted.min(candidates.len());
            windows.extend((0..wanted).map(|i| {
                let (block, start) = candidates[(2 * i + 1) * candidates.len() / (2 * wanted)];
                let record = block.record;
                ScoringWindow {
                    species: species.name.clone(),
                    held_out: species.held_out,
                    block: block.number,
                    record,
                    start,
                    bases: species.records[record].bases[start..start + length].to_vec(),
                }
            }));
        }
        Ok(windows)
    }

    /// Names of the region classes of the species of a window, and the index of the class of each of its bases; `None` without a BED file.
    #[must_use]
    pub fn classes_of(&self, window: &ScoringWindow) -> Option<(&[String], &[u8])> {
        let species = self.species().iter().find(|species| species.name == window.species)?;
        let regions = species.regions.as_ref()?;
        Some((regions.classes(), regions.of(window.record, window.start, window.bases.len())))
    }

    /// All candidate scoring windows of one species, block and first base in its record: from the start of each block, as many as fit
    /// between its Ns.
    fn clean_windows(&self, species: usize, split: Split, length: usize) -> Vec<(&Block, usize)> {
        let mut windows = vec![];
        for block in self.blocks().iter().filter(|block| block.species == species && block.split == split) {
            let bases = &self.species()[species].records[block.record].bases[block.start..block.end];
            let mut at = 0;
            while at + length <= bases.len() {
                match bases[at..at + length].iter().rposition(|&base| base == b'N') {
                    Some(unknown) => at += unknown + 1,
                    None => {
                        windows.push((block, block.start + at));
                        at += length;
                    }
                }
            }
        }
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::CorpusSpec;
    use crate::{Error, stream};
    use proptest::prelude::*;
    use std::path::Path;

    /// Two species of three records each, with `unknown` Ns per record.
    fn corpus(seed: u64, unknown: usize) -> (tempfile::TempDir, Corpus) {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = stream(seed, "corpus");
        for name in ["a", "b"] {
            let mut text = String::new();
            for record in 0..3 {
                let length = rng.random_range(400..3000);
                let mut bases = crate::MarkovChain::uniform().sample(length, &mut rng);
                for _ in 0..unknown {
                    let at = rng.random_range(0..length);
                    bases[at] = b'N';
                }
                text += &format!(">r{record}\n{}\n", String::from_utf8(bases).unwrap());
            }
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let text = "name = 'two'\nsplit = { block = 150, valid = 0.2, test = 0.2 }\n\
            species = [{ name = 'a', files = ['a'] }, { name = 'b', files = ['b'], weight = 3.0 }]";
        let corpus = Corpus::open(&CorpusSpec::from_toml(text).unwrap(), folder.path()).unwrap();
        (folder, corpus)
    }

    /// Region classes are looked up by record and start.
    #[test]
    fn scoring_windows_know_where_they_are() {
        let (_folder, corpus) = corpus(5, 7);
        let windows = corpus.scoring_windows(Split::Test, 50, 100_000).unwrap();
        assert!(
            windows.iter().any(|window| window.record == 2) && windows.iter().any(|window| window.start % 150 != 0)
        );
        for window in windows {
            let species = corpus.species().iter().find(|species| species.name == window.species).unwrap();
            assert_eq!(species.records[window.record].bases[window.start..][..50], window.bases);
        }
    }

    #[test]
    fn species_are_sampled_by_weight() {
        let (_folder, corpus) = corpus(1, 0);
        let mut rng = stream(2, "w");
        let drawn =
            (0..4000).filter(|_| corpus.sample_window(Split::Train, 60, &mut rng).unwrap().species == 1).count();
        assert!((2880..3120).contains(&drawn), "{drawn} of 4000, expected 3000");
    }

    #[test]
    fn starts_are_uniform_over_all_valid_positions() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), ">r\nACGTACGTAC\n>s\nACGTACG\n>t\nACG\n").unwrap();
        let text =
            "name = 'x'\nsplit = { by = 'record', valid = 0, test = 0 }\nspecies = [{ name = 'a', files = ['a'] }]";
        let corpus = Corpus::open(&CorpusSpec::from_toml(text).unwrap(), folder.path()).unwrap();
        let mut counts = std::collections::BTreeMap::new();
        let mut rng = stream(0, "w");
        for _ in 0..9000 {
            let window = corpus.sample_window(Split::Train, 5, &mut rng).unwrap();
            *counts.entry((window.record, window.start)).or_insert(0) += 1;
        }
        // 6 starts in r, 3 in s, none in t.
        assert_eq!(counts.len(), 9);
        assert!(counts.values().all(|count| (880..1120).contains(count)), "{counts:?}");
    }

    #[test]
    fn too_long_windows_and_too_many_n_are_errors() {
        let (_folder, corpus) = corpus(1, 0);
        let error = corpus.sample_window(Split::Test, 100_000, &mut stream(0, "w")).unwrap_err();
        assert!(error.to_string().contains("the test split has no window of 100000 bases"), "{error}");
        assert!(matches!(corpus.scoring_windows(Split::Test, 9_999, 1), Err(Error::NoWindow { .. })));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), format!(">r\n{}\n", "ANNNNNNNNN".repeat(100))).unwrap();
        let spec = CorpusSpec::from_fasta(&folder.path().join("a")).unwrap();
        let corpus = Corpus::open(&spec, Path::new("")).unwrap();
        let error = corpus.sample_window(Split::Train, 50, &mut stream(0, "w")).unwrap_err();
        assert!(error.to_string().contains("with at most 10 % N"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn windows_stay_in_their_split(seed: u64, length in 1usize..150, unknown in 0usize..20) {
            let (_folder, corpus) = corpus(seed, unknown);
            for split in Split::ALL {
                let mut rng = stream(seed, "w");
                for _ in 0..20 {
                    let window = corpus.sample_window(split, length, &mut rng).unwrap();
                    prop_assert_eq!(window.bases.len(), length);
                    let end = window.start + length;
                    let record = &corpus.species()[window.species].records[window.record];
                    prop_assert_eq!(window.bases, &record.bases[window.start..end]);
                    let here = corpus.blocks().iter().filter(|b| b.species == window.species && b.record == window.record);
                    for block in here.filter(|block| block.start < end && block.end > window.start) {
                        prop_assert_eq!(block.split, split);
                    }
                    let n = window.bases.iter().filter(|&&base| base == b'N').count();
                    prop_assert!(n * 10 <= length);
                }
            }
        }

        #[test]
        fn scoring_windows_are_without_n_balanced_and_disjoint(seed: u64, length in 1usize..60, total in 1usize..4000, unknown in 0usize..20) {
            let (_folder, corpus) = corpus(seed, unknown);
            for split in Split::ALL {
                let windows = match corpus.scoring_windows(split, length, total) {
                    Ok(windows) => windows,
                    // Rightly so where a species has no stretch of this length without N in its blocks of the split.
                    Err(Error::NoWindow { .. }) => {
                        let has_none = |index: usize| {
                            let mut own = corpus.blocks().iter().filter(|b| b.species == index && b.split == split);
                            own.all(|b| {
                                let bases = &corpus.species()[index].records[b.record].bases[b.start..b.end];
                                bases.split(|&base| base == b'N').all(|stretch| stretch.len() < length)
                            })
                        };
                        prop_assert!((0..corpus.species().len()).any(has_none));
                        continue;
                    }
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                };
                prop_assert!(windows.iter().all(|w| w.bases.len() == length && !w.bases.contains(&b'N')));
                let of = |name: &str| windows.iter().filter(|w| w.species == name).count();
                prop_assert_eq!(of("a"), of("b"));
                prop_assert!(windows.len() * length <= total.max(2 * length));
                for (index, species) in corpus.species().iter().enumerate() {
                    let mut per_block = std::collections::BTreeMap::new();
                    for w in windows.iter().filter(|w| w.species == species.name) {
                        *per_block.entry(w.block).or_insert(0) += length;
                    }
                    for (number, bases) in per_block {
                        let block = corpus.blocks().iter().find(|b| b.species == index && b.number == number).unwrap();
                        prop_assert_eq!(block.split, split);
                        prop_assert!(bases <= block.size());
                    }
                }
            }
        }
    }
}
