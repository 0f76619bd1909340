//! `gbst` and its controls of equal size: tokenizers of single nucleotides; the layers are in the crate `model`.

use super::learned::{pooled, with_controls};
use crate::error::Error;
use crate::family::Family;
use crate::frontend::{FrontendConfig, GbstConfig};
use crate::name::Name;
use crate::recipe::Recipe;

/// `gbst`.
pub const GBST: Family = Family {
    stem: "gbst",
    pattern: "gbst[N]",
    help: "soft blocks of 1 to 4 bases, one unit for N bases (default 4): GBST of Charformer",
    examples: &["gbst", "gbst6"],
    resolve: |name| Some(gbst(name, &name.words)),
};

/// `gbst-pool-parameters` and `gbst-pool-macs`.
pub const GBST_POOL: Family = Family {
    stem: "gbst",
    pattern: "gbst[N]-pool-parameters|macs",
    help: "controls of gbst: fixed pooling to units as long as its own, as many parameters or multiply-accumulates",
    examples: &["gbst-pool-parameters", "gbst-pool-macs"],
    resolve: |name| pooled(name, gbst),
};

/// Most bases per unit.
const MOST: u64 = 32;

fn gbst(name: &Name, words: &[(String, Option<u64>)]) -> Result<Recipe, Error> {
    let wrong = |reason: String| Error::Name {
        name: name.written.clone(),
        reason,
        remedy: format!("use \"gbst\", or \"gbst6\" for one unit for 6 bases (2 to {MOST})"),
    };
    if !words.is_empty() {
        return Err(wrong("unknown variant".into()));
    }
    let standard = GbstConfig::default();
    let bases = name.number.unwrap_or(standard.bases as u64);
    if !(2..=MOST).contains(&bases) {
        return Err(wrong(format!("units of {bases} bases are not supported")));
    }
    let config = GbstConfig { bases: bases as usize, ..standard.clone() };
    let canonical = if config == standard { "gbst".to_owned() } else { format!("gbst{bases}") };
    Ok(with_controls(canonical, FrontendConfig::Gbst(config)))
}
