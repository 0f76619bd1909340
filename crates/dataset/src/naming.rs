//! Task names for tables given as files: as short as possible, but unique.
//!
//! A table is named after its file name up to the first dot. Tables that would share a name are named after the file name
//! without extension, then with as many parent folders as needed, then with the extension:
//!
//! ```
//! use dataset::naming::distinguish;
//! use std::path::Path;
//! let names = |paths: &[&str]| distinguish(&paths.iter().map(|path| Path::new(*path)).collect::<Vec<_>>(), &[]);
//! assert_eq!(names(&["/d/H3/train.csv"]), ["train"]);
//! assert_eq!(names(&["/d/H3/train.csv", "/d/H4/train.csv"]), ["H3/train", "H4/train"]);
//! assert_eq!(names(&["/d/a.v1.csv", "/d/a.v2.csv", "/d/b.csv"]), ["a.v1", "a.v2", "b"]);
//! ```

use std::collections::BTreeMap;
use std::path::{Component, Path};

/// File extensions that describe the format only.
const ENDINGS: [&str; 8] = [".gz", ".bgz", ".bz2", ".xz", ".zst", ".csv", ".tsv", ".txt"];

/// The file name up to the first dot; `None` if that is empty.
#[must_use]
pub fn stem(path: &Path) -> Option<String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().filter(|stem| !stem.is_empty()).map(str::to_owned)
}

/// A unique name for each path, also different from those in `taken` as far as possible. Names do not depend on the order of
/// `paths`, nor on whether a path is relative or absolute.
#[must_use]
pub fn distinguish(paths: &[&Path], taken: &[&str]) -> Vec<String> {
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

/// Candidate names of a file, shortest first; never empty.
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
        distinguish(&paths.iter().map(|path| Path::new(*path)).collect::<Vec<_>>(), taken)
    }

    #[test]
    fn names_are_as_short_as_possible() {
        assert_eq!(names(&["/d/H3.v1.csv.gz"], &[]), ["H3"]);
        assert_eq!(names(&["/d/H3.v1.csv", "/d/H3.v2.CSV.gz"], &[]), ["H3.v1", "H3.v2"]);
        assert_eq!(names(&["/x/H3/train.csv", "/y/H3/train.csv"], &[]), ["x/H3/train", "y/H3/train"]);
        // Only ambiguous names become longer.
        assert_eq!(
            names(&["/d/H3/train.csv", "/d/H4/train.csv", "/d/tata.csv"], &[]),
            ["H3/train", "H4/train", "tata"]
        );
        assert_eq!(names(&["/d/a.v1.csv", "/e/a.v1.csv", "/d/a.v2.csv"], &[]), ["d/a.v1", "e/a.v1", "a.v2"]);
        assert_eq!(names(&["/d/a.csv", "/d/a.tsv"], &[]), ["a.csv", "a.tsv"]);
        assert_eq!(names(&["/d/../e/./t.csv", "/e/f/t.csv"], &[]), ["e/t", "f/t"]);
        assert_eq!(names(&["/d/.csv"], &[]), ["task"]);
        // A name that is taken.
        assert_eq!(names(&["/d/H3/train.csv"], &["train"]), ["H3/train"]);
        // The same file twice cannot be distinguished; the caller must reject it.
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
            prop_assert_eq!(found, again, "order of the paths");
        }
    }
}
