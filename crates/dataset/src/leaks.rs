//! Leakage between splits: duplicate rows of a task, shared 32-mers of a corpus.
//!
//! Leakage is counted and reported; removal is up to `drop_leaking_dev` of a task.

use crate::corpus::Corpus;
use crate::labeled::Example;
use crate::split::Split;
use dna::policy::thousands;
use dna::{code, reverse_complement};
use rayon::prelude::*;
use std::collections::HashMap;
use std::fmt;

/// Rows of one split that also occur in another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Overlap {
    /// Rows with an identical sequence.
    pub exact: usize,
    /// Further rows whose reverse complement occurs.
    pub reverse: usize,
    /// All rows of the split.
    pub rows: usize,
}

/// Overlap between the splits of a task, and duplicates within the training split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Leaks {
    /// Validation rows that occur in the training split.
    pub dev_in_train: Overlap,
    /// Test rows that occur in the training split.
    pub test_in_train: Overlap,
    /// Test rows that occur in the validation split.
    pub test_in_dev: Overlap,
    /// Training rows whose sequence occurred in an earlier training row.
    pub repeated_in_train: usize,
    /// Distinct training sequences with more than one label.
    pub two_labels_in_train: usize,
}

impl Leaks {
    /// Counts the overlap of three splits.
    #[must_use]
    pub fn between(train: &[Example], dev: &[Example], test: &[Example]) -> Self {
        let (in_train, in_dev) = (labels(train), labels(dev));
        Self {
            dev_in_train: overlap(dev, &in_train),
            test_in_train: overlap(test, &in_train),
            test_in_dev: overlap(test, &in_dev),
            repeated_in_train: train.len() - in_train.len(),
            two_labels_in_train: in_train.values().filter(|label| label.is_none()).count(),
        }
    }

    /// Whether no sequence, or its reverse complement, occurs in two splits.
    #[must_use]
    pub fn splits_are_clean(&self) -> bool {
        [self.dev_in_train, self.test_in_train, self.test_in_dev].iter().all(|one| one.exact + one.reverse == 0)
    }
}

/// The label of each sequence; `None` if it has several.
fn labels(rows: &[Example]) -> HashMap<&[u8], Option<u32>> {
    let mut labels = HashMap::with_capacity(rows.len());
    for row in rows {
        let label = labels.entry(row.sequence.as_slice()).or_insert(Some(row.label));
        if *label != Some(row.label) {
            *label = None;
        }
    }
    labels
}

fn overlap(rows: &[Example], seen: &HashMap<&[u8], Option<u32>>) -> Overlap {
    Overlap::of(rows.iter().map(|row| row.sequence.as_slice()), |sequence| seen.contains_key(sequence))
}

impl Overlap {
    /// Counts the sequences that `seen` knows, themselves or their reverse complements.
    pub fn of<'a>(sequences: impl Iterator<Item = &'a [u8]>, seen: impl Fn(&[u8]) -> bool) -> Overlap {
        let mut overlap = Overlap::default();
        for sequence in sequences {
            overlap.rows += 1;
            if seen(sequence) {
                overlap.exact += 1;
            } else if seen(&reverse_complement(sequence)) {
                overlap.reverse += 1;
            }
        }
        overlap
    }
}

impl fmt::Display for Leaks {
    /// One line; `no sequence occurs in two splits` if there is no overlap.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = [
            ("validation rows occur in the training split", self.dev_in_train),
            ("test rows occur in the training split", self.test_in_train),
            ("test rows occur in the validation split", self.test_in_dev),
        ];
        let mut notes: Vec<String> = vec![];
        for (what, Overlap { exact, reverse, rows }) in pairs.into_iter().filter(|(_, s)| s.exact + s.reverse > 0) {
            let all = exact + reverse;
            notes.push(format!("{all} of {rows} {what} ({exact} exact, {reverse} reverse complement)"));
        }
        if notes.is_empty() {
            notes.push("no sequence occurs in two splits".into());
        }
        if self.repeated_in_train > 0 {
            notes.push(format!("{} duplicate training rows", self.repeated_in_train));
        }
        if self.two_labels_in_train > 0 {
            notes.push(format!("{} training sequences with conflicting labels", self.two_labels_in_train));
        }
        f.write_str(&notes.join("; "))
    }
}

/// Held-out canonical 32-mers (one per position, without N) that occur in the training split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KmerLeaks {
    /// 32-mers of the validation split: number found in the training split, and total.
    pub valid: (u64, u64),
    /// 32-mers of the test split: number found in the training split, and total.
    pub test: (u64, u64),
}

impl fmt::Display for KmerLeaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |(found, all): (u64, u64)| {
            let percent = 100.0 * found as f64 / (all.max(1)) as f64;
            format!("{percent:.2} % of {}", thousands(all))
        };
        let (valid, test) = (side(self.valid), side(self.test));
        write!(f, "32-mers that occur in the training split, on either strand: validation {valid}, test {test}")
    }
}

impl Corpus {
    /// Looks up every held-out 32-mer in the training split. Uses 8 bytes of memory per training base, and about a second
    /// for 20 million bases.
    #[must_use]
    pub fn leaks(&self) -> KmerLeaks {
        let mut seen: Vec<u64> = self.training_segments().flat_map(kmers).collect();
        seen.par_sort_unstable();
        seen.dedup();
        let found = |split| {
            let segments: Vec<_> = self.segments(split).collect();
            let counts = segments.par_iter().map(|segment| {
                let kmers = kmers(segment);
                let found = kmers.iter().filter(|kmer| seen.binary_search(kmer).is_ok()).count();
                (found as u64, kmers.len() as u64)
            });
            counts.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        KmerLeaks { valid: found(Split::Valid), test: found(Split::Test) }
    }
}

/// 2-bit codes of the canonical 32-mers of a segment: the smaller code of the two strands.
fn kmers(bases: &[u8]) -> Vec<u64> {
    let (mut forward, mut reverse, mut run) = (0u64, 0u64, 0);
    let mut kmers = Vec::with_capacity(bases.len());
    for &base in bases {
        let Some(base) = code(base) else {
            run = 0;
            continue;
        };
        forward = forward << 2 | base as u64;
        reverse = reverse >> 2 | (3 - base as u64) << 62;
        run += 1;
        if run >= 32 {
            kmers.push(forward.min(reverse));
        }
    }
    kmers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Vec<Example> {
        text.split_whitespace()
            .map(|row| {
                let (sequence, label) = row.split_once(',').unwrap();
                Example { sequence: sequence.as_bytes().to_vec(), label: label.parse().unwrap() }
            })
            .collect()
    }

    #[test]
    fn overlap_is_counted() {
        let train = rows("AAC,0 AAC,1 AAG,1 AAG,1 TTA,0");
        let leaks = Leaks::between(&train, &rows("AAC,0 GTT,0 CCC,1"), &rows("GGG,1 TTT,0"));
        assert_eq!(
            leaks.to_string(),
            "2 of 3 validation rows occur in the training split (1 exact, 1 reverse complement); \
             1 of 2 test rows occur in the validation split (0 exact, 1 reverse complement); \
             2 duplicate training rows; 1 training sequences with conflicting labels"
        );
        assert!(!leaks.splits_are_clean());
        let clean = Leaks::between(&train, &rows("ACC,0"), &rows("CAC,0"));
        assert!(clean.to_string().starts_with("no sequence occurs in two splits"));
    }

    proptest! {
        #[test]
        fn canonical_kmers_are_strand_independent(bases in "[ACGTN]{0,50}[ACGT]{32,90}") {
            let mut here = kmers(bases.as_bytes());
            let mut there = kmers(&reverse_complement(bases.as_bytes()));
            here.sort_unstable();
            there.sort_unstable();
            prop_assert_eq!(&here, &there);
            let clean = bases.as_bytes().windows(32).filter(|kmer| !kmer.contains(&b'N')).count();
            prop_assert_eq!(here.len(), clean);
        }
    }

    #[test]
    fn planted_copies_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = crate::stream(0, "leak");
        let chr = |rng: &mut _| crate::MarkovChain::uniform().sample(5000, rng);
        let (first, second) = (chr(&mut rng), chr(&mut rng));
        let records = [first.clone(), reverse_complement(&first), second, chr(&mut rng), chr(&mut rng), first];
        let mut text = String::new();
        for (i, bases) in records.iter().enumerate() {
            text += &format!(">r{i}\n{}\n", String::from_utf8(bases.clone()).unwrap());
        }
        std::fs::write(folder.path().join("a.fa"), text).unwrap();
        let toml = "name = 'x'\nspecies = [{ name = 'a', files = ['a.fa'] }]\nsplit = { by = 'record', valid = 0.2, test = 0.2 }";
        let corpus = Corpus::open(&crate::CorpusSpec::from_toml(toml).unwrap(), folder.path()).unwrap();
        let held: Vec<_> = corpus.blocks().iter().filter(|b| b.split != Split::Train).map(|b| b.record).collect();
        let copies = held.iter().filter(|record| [0, 1, 5].contains(record)).count() as u64;
        let leaks = corpus.leaks();
        assert_eq!(leaks.valid.1 + leaks.test.1, held.len() as u64 * 4969);
        assert_eq!(leaks.valid.0 + leaks.test.0, copies * 4969, "{leaks}");
    }
}
