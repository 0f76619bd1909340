//! Names of tables that are given as files: as short as they can be without two being alike.
//!
//! A table is named by its file up to the first dot. Where two would have one name, each of them is named by the file
//! without its ending, then by as many folders as tell them apart, then with its ending:
//!
//! ```
//! use dataset::naming::tell_apart;
//! use std::path::Path;
//! let names = |paths: &[&str]| tell_apart(&paths.iter().map(|path| Path::new(*path)).collect::<Vec<_>>(), &[]);
//! assert_eq!(names(&["/d/H3/train.csv"]), ["train"]);
//! assert_eq!(names(&["/d/H3/train.csv", "/d/H4/train.csv"]), ["H3/train", "H4/train"]);
//! assert_eq!(names(&["/d/a.v1.csv", "/d/a.v2.csv", "/d/b.csv"]), ["a.v1", "a.v2", "b"]);
//! ```

use std::collections::BTreeMap;
use std::path::{Component, Path};

/// Endings that say what a file is, not what is in it.
const ENDINGS: [&str; 8] = [".gz", ".bgz", ".bz2", ".xz", ".zst", ".csv", ".tsv", ".txt"];

/// The name of a file alone: all before its first dot. `None` where nothing stands there.
#[must_use]
pub fn stem(path: &Path) -> Option<String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().filter(|stem| !stem.is_empty()).map(str::to_owned)
}

/// A name for each path: two files never have the same, nor one of `taken` while another is left. The order of `paths` does
/// not matter, and relative paths are named as absolute ones are.
#[must_use]
pub fn tell_apart(paths: &[&Path], taken: &[&str]) -> Vec<String> {
    let choices: Vec<Vec<String>> = paths.iter().map(|path| choices(path)).collect();
    let mut chosen = vec![0; paths.len()];
    loop {
        let mut bearers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, choices) in choices.iter().enumerate() {
            bearers.entry(&choices[chosen[at]]).or_default().push(at);
        }
        let alike = bearers.into_iter().filter(|(name, all)| all.len() > 1 || taken.contains(name));
        let mut moved = false;
        for at in alike.flat_map(|(_, all)| all).collect::<Vec<_>>() {
            if chosen[at] + 1 < choices[at].len() {
                chosen[at] += 1;
                moved = true;
            }
        }
        if !moved {
            return choices.into_iter().zip(chosen).map(|(mut choices, at)| choices.swap_remove(at)).collect();
        }
    }
}

/// The names a file can have, shortest first; never empty.
fn choices(path: &Path) -> Vec<String> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut parts: Vec<String> = Vec::new();
    for component in absolute.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    let file = parts.pop().unwrap_or_default();
    let short = stem(path).unwrap_or_else(|| "task".to_owned());
    let mut long = without_ending(&file).to_owned();
    let mut names = vec![short, long.clone()];
    for folder in parts.iter().rev() {
        long = format!("{folder}/{long}");
        names.push(long.clone());
    }
    names.push(file.clone());
    parts.push(file);
    names.push(parts.join("/"));
    names.retain(|name| !name.is_empty());
    names.dedup();
    names
}

fn without_ending(file: &str) -> &str {
    let mut rest = file;
    while let Some(shorter) = ENDINGS.iter().find_map(|ending| {
        let at = rest.len().checked_sub(ending.len()).filter(|&at| at > 0 && rest.is_char_boundary(at))?;
        rest[at..].eq_ignore_ascii_case(ending).then_some(&rest[..at])
    }) {
        rest = shorter;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(paths: &[&str], taken: &[&str]) -> Vec<String> {
        tell_apart(&paths.iter().map(|path| Path::new(*path)).collect::<Vec<_>>(), taken)
    }

    #[test]
    fn as_much_of_the_path_as_is_needed() {
        assert_eq!(names(&["/d/H3.v1.csv.gz"], &[]), ["H3"]);
        assert_eq!(names(&["/d/H3.v1.csv", "/d/H3.v2.CSV.gz"], &[]), ["H3.v1", "H3.v2"]);
        assert_eq!(names(&["/x/H3/train.csv", "/y/H3/train.csv"], &[]), ["x/H3/train", "y/H3/train"]);
        // Only those that are alike get longer.
        assert_eq!(
            names(&["/d/H3/train.csv", "/d/H4/train.csv", "/d/tata.csv"], &[]),
            ["H3/train", "H4/train", "tata"]
        );
        assert_eq!(names(&["/d/a.v1.csv", "/e/a.v1.csv", "/d/a.v2.csv"], &[]), ["d/a.v1", "e/a.v1", "a.v2"]);
        assert_eq!(names(&["/d/a.csv", "/d/a.tsv"], &[]), ["a.csv", "a.tsv"]);
        assert_eq!(names(&["/d/../e/./t.csv", "/e/f/t.csv"], &[]), ["e/t", "f/t"]);
        assert_eq!(names(&["/d/.csv"], &[]), ["task"]);
        // A name that something else has already.
        assert_eq!(names(&["/d/H3/train.csv"], &["train"]), ["H3/train"]);
        // One file twice cannot be told apart; whoever asked must refuse it.
        assert_eq!(names(&["/d/t.csv", "/d/./t.csv"], &[]), ["d/t.csv", "d/t.csv"]);
    }

    proptest! {
        #[test]
        fn different_files_have_different_names(
            paths in prop::collection::btree_set("(/[ab]{1,2}){0,3}/[ab]{1,2}(\\.v[12])?\\.(csv|tsv|csv\\.gz)", 1..8),
        ) {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let found = names(&paths, &[]);
            let distinct: std::collections::BTreeSet<&String> = found.iter().collect();
            prop_assert_eq!(distinct.len(), found.len(), "{:?}", found);
            let mut backwards = paths.clone();
            backwards.reverse();
            let mut again = names(&backwards, &[]);
            again.reverse();
            prop_assert_eq!(found, again, "the order does not matter");
        }
    }
}
