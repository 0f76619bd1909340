//! `merge` and its controls of equal size: tokenizers of single nucleotides; the layers are in the crate `model`.

use super::learned::{pooled, with_controls};
use crate::error::Error;
use crate::family::Family;
use crate::frontend::{FrontendConfig, MergeConfig};
use crate::name::Name;
use crate::recipe::Recipe;

/// `merge`.
pub const MERGE: Family = Family {
    stem: "merge",
    pattern: "merge[N]",
    help: "learned units, one for N bases (default 4): similar neighbours are merged in windows of 16 bases, as in MergeDNA",
    examples: &["merge", "merge6"],
    resolve: |name| Some(merge(name, &name.words)),
};

/// `merge-pool-parameters` and `merge-pool-macs`.
pub const MERGE_POOL: Family = Family {
    stem: "merge",
    pattern: "merge[N]-pool-parameters|macs",
    help: "controls of merge: fixed pooling to units as long as its own, as many parameters or multiply-accumulates",
    examples: &["merge-pool-parameters", "merge-pool-macs"],
    resolve: |name| pooled(name, merge),
};

/// Most bases per unit: half a window.
const MOST: u64 = 8;

fn merge(name: &Name, words: &[(String, Option<u64>)]) -> Result<Recipe, Error> {
    let wrong = |reason: String| Error::Name {
        name: name.written.clone(),
        reason,
        remedy: format!("use \"merge\", or \"merge6\" for one unit for 6 bases (2 to {MOST})"),
    };
    if !words.is_empty() {
        return Err(wrong("unknown variant".into()));
    }
    let standard = MergeConfig::default();
    let bases = name.number.unwrap_or(standard.bases as u64);
    if !(2..=MOST).contains(&bases) {
        return Err(wrong(format!("units of {bases} bases are not supported")));
    }
    let config = MergeConfig { bases: bases as usize, ..standard.clone() };
    let canonical = if config == standard { "merge".to_owned() } else { format!("merge{bases}") };
    Ok(with_controls(canonical, FrontendConfig::Merge(config)))
}
