//! Unique names for sequence records.
//!
//! Records of one or several files may share a name or have none, but names must identify records in outputs (BED, tables).
//! The n-th record of a name is renamed to `NAME.n`, a record without a name to `record_N` (N: its number among all records
//! read). If that name is taken, the next free number is used. The first record of a name keeps it.
//!
//! ```
//! use dataset::names::Names;
//! let mut names = Names::default();
//! let unique: Vec<String> = ["chr1", "chr2", "chr1", "", "chr1", "chr1.2"].map(|name| names.distinct(name.to_owned())).to_vec();
//! assert_eq!(unique, ["chr1", "chr2", "chr1.2", "record_4", "chr1.3", "chr1.2.2"]);
//! assert_eq!((names.repeated(), names.nameless()), (3, 1));
//! ```

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// The names assigned so far, as 8-byte hashes. Among 10^8 names the probability of a collision is about 1 in 4,000; it only
/// adds an unnecessary number to one name.
#[derive(Debug, Clone, Default)]
pub struct Names {
    given: HashSet<u64, BuildHasherDefault<Same>>,
    /// The last number given to each repeated name.
    last: HashMap<u64, u64, BuildHasherDefault<Same>>,
    records: u64,
    repeated: u64,
    nameless: u64,
}

impl Names {
    /// A unique name for the next record: its own name, if it is not taken.
    pub fn distinct(&mut self, name: String) -> String {
        self.distinct_with(name, "")
    }

    /// As [`Names::distinct`], and also reserves the name followed by `ending` (the reverse complement of the record).
    pub fn distinct_with(&mut self, name: String, ending: &str) -> String {
        self.records += 1;
        let name = if name.is_empty() {
            self.nameless += 1;
            let name = format!("record_{}", self.records);
            if self.take(&name, ending) {
                return name;
            }
            name
        } else {
            if self.take(&name, ending) {
                return name;
            }
            self.repeated += 1;
            name
        };
        let mut last = self.last.get(&hash(&name)).copied().unwrap_or(1);
        loop {
            last += 1;
            let numbered = format!("{name}.{last}");
            if self.take(&numbered, ending) {
                self.last.insert(hash(&name), last);
                return numbered;
            }
        }
    }

    /// Reserves a name, and the name with the ending, if both are free.
    fn take(&mut self, name: &str, ending: &str) -> bool {
        if ending.is_empty() {
            return self.given.insert(hash(name));
        }
        let both = [hash(name), hash(&format!("{name}{ending}"))];
        let free = both.iter().all(|name| !self.given.contains(name));
        if free {
            self.given.extend(both);
        }
        free
    }

    /// Number of records with the name of an earlier record.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Number of records without a name.
    #[must_use]
    pub fn nameless(&self) -> u64 {
        self.nameless
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Identity hasher: the keys are hashes already.
#[derive(Debug, Clone, Copy, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not reached: u64 keys use `write_u64`.
        self.0 = bytes.iter().fold(self.0, |all, &byte| all << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_both_strands_are_unique() {
        for (given, expected) in
            [(["a", "a/rc"], ["a", "a/rc.2"]), (["a/rc", "a"], ["a/rc", "a.2"]), (["a", "b"], ["a", "b"])]
        {
            let mut names = Names::default();
            assert_eq!(given.map(|name| names.distinct_with(name.to_owned(), "/rc")), expected);
        }
    }

    proptest! {
        /// Includes names that look like generated ones.
        #[test]
        fn names_are_unique_and_first_ones_are_kept(given in prop::collection::vec("(a|b|record_[1-9])?(\\.[2-4])?(\\.2)?", 0..40)) {
            let mut names = Names::default();
            let unique: Vec<String> = given.iter().map(|name| names.distinct(name.clone())).collect();
            prop_assert_eq!(unique.iter().collect::<HashSet<_>>().len(), given.len());
            let mut repeated = 0;
            for (i, name) in given.iter().enumerate() {
                let free = !unique[..i].contains(name) && !name.is_empty();
                prop_assert_eq!(&unique[i] == name, free);
                let own = if name.is_empty() { "record_" } else { name };
                prop_assert!(unique[i].starts_with(own));
                repeated += u64::from(!free && !name.is_empty());
            }
            prop_assert_eq!(names.repeated(), repeated);
            prop_assert_eq!(names.nameless() as usize, given.iter().filter(|name| name.is_empty()).count());
        }
    }
}
