//! Names of records that tell them apart, and how many do not.
//!
//! A file may hold records of one name, or without a name, and several files that are read together often do. Where names lead
//! back to records (BED, tables), each must be of one record only. The rule: the n-th record of a name is called `NAME.n`, a record
//! without a name `record_N` by its number among all that are read, and where a record before has that name already, the next
//! free number is taken. Names that are given once and stand first never change.
//!
//! ```
//! use dataset::names::Names;
//! let mut names = Names::default();
//! let told: Vec<String> = ["chr1", "chr2", "chr1", "", "chr1", "chr1.2"].map(|name| names.distinct(name.to_owned())).to_vec();
//! assert_eq!(told, ["chr1", "chr2", "chr1.2", "record_4", "chr1.3", "chr1.2.2"]);
//! assert_eq!((names.repeated(), names.nameless()), (3, 1));
//! ```

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// The names that records have got so far: 8 bytes each, as hashes. Of a hundred million names two look alike with a chance of
/// 1 in 4,000; then one of them gets a number that it would not need.
#[derive(Debug, Clone, Default)]
pub struct Names {
    given: HashSet<u64, BuildHasherDefault<Same>>,
    /// Of names that stood before: the last number given.
    last: HashMap<u64, u64, BuildHasherDefault<Same>>,
    records: u64,
    repeated: u64,
    nameless: u64,
}

impl Names {
    /// The name of the next record, which no record before has: its own wherever that is possible.
    pub fn distinct(&mut self, name: String) -> String {
        self.distinct_with(name, "")
    }

    /// As [`Names::distinct`], of a record that is also called by its name with `ending` behind it, which no other is then.
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

    /// Takes a name, and the same with an ending, if both are free.
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

    /// Records whose name a record before had.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Records without a name.
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

/// A hash is its own hash.
#[derive(Debug, Clone, Copy, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Of numbers alone, which come the other way.
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
    fn names_of_both_strands_are_of_one_record() {
        for (given, expected) in
            [(["a", "a/rc"], ["a", "a/rc.2"]), (["a/rc", "a"], ["a/rc", "a.2"]), (["a", "b"], ["a", "b"])]
        {
            let mut names = Names::default();
            assert_eq!(given.map(|name| names.distinct_with(name.to_owned(), "/rc")), expected);
        }
    }

    proptest! {
        /// With names that look like those the rule makes.
        #[test]
        fn all_names_differ_and_first_ones_stay(given in prop::collection::vec("(a|b|record_[1-9])?(\\.[2-4])?(\\.2)?", 0..40)) {
            let mut names = Names::default();
            let told: Vec<String> = given.iter().map(|name| names.distinct(name.clone())).collect();
            prop_assert_eq!(told.iter().collect::<HashSet<_>>().len(), given.len());
            let mut repeated = 0;
            for (i, name) in given.iter().enumerate() {
                let free = !told[..i].contains(name) && !name.is_empty();
                prop_assert_eq!(&told[i] == name, free);
                let own = if name.is_empty() { "record_" } else { name };
                prop_assert!(told[i].starts_with(own));
                repeated += u64::from(!free && !name.is_empty());
            }
            prop_assert_eq!(names.repeated(), repeated);
            prop_assert_eq!(names.nameless() as usize, given.iter().filter(|name| name.is_empty()).count());
        }
    }
}
