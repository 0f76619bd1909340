//! What held-out data share with training: duplicates between the splits of a task, 32-mers between those of a corpus.
//!
//! Nothing is removed here (see `drop_leaking_dev` of a task); it is counted and said.

use crate::corpus::Corpus;
use crate::labelled::Example;
use crate::split::Split;
use dna::policy::thousands;
use dna::{code, reverse_complement};
use rayon::prelude::*;
use std::collections::HashMap;
use std::fmt;

/// Rows of one split that another one holds too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shared {
    /// Rows with the same sequence.
    pub exact: usize,
    /// Rows, not counted as exact, whose reverse complement is there.
    pub reverse: usize,
    /// Rows of the split looked at.
    pub rows: usize,
}

/// What the splits of a task share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Leaks {
    /// Dev rows that are in train.
    pub dev_in_train: Shared,
    /// Test rows that are in train.
    pub test_in_train: Shared,
    /// Test rows that are in dev.
    pub test_in_dev: Shared,
    /// Train rows whose sequence came before in train.
    pub repeated_in_train: usize,
    /// Distinct train sequences that carry more than one label.
    pub two_labels_in_train: usize,
}

impl Leaks {
    /// Counts them.
    #[must_use]
    pub fn between(train: &[Example], dev: &[Example], test: &[Example]) -> Self {
        let (in_train, in_dev) = (labels(train), labels(dev));
        Self {
            dev_in_train: shared(dev, &in_train),
            test_in_train: shared(test, &in_train),
            test_in_dev: shared(test, &in_dev),
            repeated_in_train: train.len() - in_train.len(),
            two_labels_in_train: in_train.values().filter(|label| label.is_none()).count(),
        }
    }

    /// Whether no split holds a row of another.
    #[must_use]
    pub fn splits_are_clean(&self) -> bool {
        [self.dev_in_train, self.test_in_train, self.test_in_dev].iter().all(|one| one.exact + one.reverse == 0)
    }
}

/// The label of each sequence; `None` where it has several.
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

fn shared(rows: &[Example], seen: &HashMap<&[u8], Option<u32>>) -> Shared {
    let mut shared = Shared { rows: rows.len(), ..Shared::default() };
    for row in rows {
        if seen.contains_key(row.sequence.as_slice()) {
            shared.exact += 1;
        } else if seen.contains_key(reverse_complement(&row.sequence).as_slice()) {
            shared.reverse += 1;
        }
    }
    shared
}

impl fmt::Display for Leaks {
    /// One sentence; `no row of one split is in another` where that is so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = [
            ("dev rows are in train", self.dev_in_train),
            ("test rows are in train", self.test_in_train),
            ("test rows are in dev", self.test_in_dev),
        ];
        let mut notes: Vec<String> = vec![];
        for (what, Shared { exact, reverse, rows }) in pairs.into_iter().filter(|(_, s)| s.exact + s.reverse > 0) {
            let all = exact + reverse;
            notes.push(format!("{all} of {rows} {what} ({exact} exact, {reverse} reverse complement)"));
        }
        if notes.is_empty() {
            notes.push("no row of one split is in another".into());
        }
        if self.repeated_in_train > 0 {
            notes.push(format!("{} train rows repeat an earlier one", self.repeated_in_train));
        }
        if self.two_labels_in_train > 0 {
            notes.push(format!("{} train sequences carry two labels", self.two_labels_in_train));
        }
        f.write_str(&notes.join("; "))
    }
}

/// Share of held-out canonical 32-mers (by position, those with N left out) that occur in training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KmerLeaks {
    /// 32-mers of valid: found in train, and all.
    pub valid: (u64, u64),
    /// 32-mers of test: found in train, and all.
    pub test: (u64, u64),
}

impl fmt::Display for KmerLeaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |(found, all): (u64, u64)| {
            let percent = 100.0 * found as f64 / (all.max(1)) as f64;
            format!("{percent:.2} % of {} 32-mers", thousands(all))
        };
        write!(f, "also in train, on either strand: {} of valid, {} of test", side(self.valid), side(self.test))
    }
}

impl Corpus {
    /// Looks every held-out 32-mer up in training. Takes 8 bytes of memory per training base while it runs, and about
    /// a second for 20 million bases.
    #[must_use]
    pub fn leaks(&self) -> KmerLeaks {
        let mut seen: Vec<u64> = self.training_pieces().flat_map(kmers).collect();
        seen.par_sort_unstable();
        seen.dedup();
        let found = |split| {
            let pieces: Vec<_> = self.pieces(split).collect();
            let counts = pieces.par_iter().map(|piece| {
                let words = kmers(piece);
                let found = words.iter().filter(|word| seen.binary_search(word).is_ok()).count();
                (found as u64, words.len() as u64)
            });
            counts.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        KmerLeaks { valid: found(Split::Valid), test: found(Split::Test) }
    }
}

/// The canonical 32-mers of a piece: 2 bits a base, the smaller of the two strands.
fn kmers(bases: &[u8]) -> Vec<u64> {
    let (mut forward, mut reverse, mut run) = (0u64, 0u64, 0);
    let mut words = Vec::with_capacity(bases.len());
    for &base in bases {
        let Some(base) = code(base) else {
            run = 0;
            continue;
        };
        forward = forward << 2 | base as u64;
        reverse = reverse >> 2 | (3 - base as u64) << 62;
        run += 1;
        if run >= 32 {
            words.push(forward.min(reverse));
        }
    }
    words
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
    fn leaks_are_counted_and_said() {
        let train = rows("AAC,0 AAC,1 AAG,1 AAG,1 TTA,0");
        let leaks = Leaks::between(&train, &rows("AAC,0 GTT,0 CCC,1"), &rows("GGG,1 TTT,0"));
        assert_eq!(
            leaks.to_string(),
            "2 of 3 dev rows are in train (1 exact, 1 reverse complement); \
             1 of 2 test rows are in dev (0 exact, 1 reverse complement); \
             2 train rows repeat an earlier one; 1 train sequences carry two labels"
        );
        assert!(!leaks.splits_are_clean());
        let clean = Leaks::between(&train, &rows("ACC,0"), &rows("CAC,0"));
        assert!(clean.to_string().starts_with("no row of one split is in another"));
    }

    proptest! {
        #[test]
        fn kmers_do_not_know_the_strand(bases in "[ACGTN]{0,50}[ACGT]{32,90}") {
            let mut here = kmers(bases.as_bytes());
            let mut there = kmers(&reverse_complement(bases.as_bytes()));
            here.sort_unstable();
            there.sort_unstable();
            prop_assert_eq!(&here, &there);
            let clean = bases.as_bytes().windows(32).filter(|word| !word.contains(&b'N')).count();
            prop_assert_eq!(here.len(), clean);
        }
    }

    #[test]
    fn a_planted_copy_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = crate::stream(0, "leak");
        let chr = |rng: &mut _| crate::Markov::uniform().sample(5000, rng);
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
