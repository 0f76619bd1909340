//! `hnet` and its controls of equal size: tokenizers of single nucleotides; the layers are in the crate `model`.

use super::learned::{pooled, with_controls};
use crate::error::Error;
use crate::family::Family;
use crate::frontend::{FrontendConfig, HNetConfig};
use crate::name::Name;
use crate::recipe::Recipe;

/// `hnet`.
pub const HNET: Family = Family {
    stem: "hnet",
    pattern: "hnet[N]",
    help: "learned units, pulled towards N bases on average (default 4): dynamic chunking of H-Net, routing from both sides",
    examples: &["hnet", "hnet6"],
    resolve: |name| Some(hnet(name, &name.words)),
};

/// `hnet-pool-parameters` and `hnet-pool-macs`.
pub const HNET_POOL: Family = Family {
    stem: "hnet",
    pattern: "hnet[N]-pool-parameters|macs",
    help: "controls of hnet: fixed pooling to units as long as its own, as many parameters or multiply-accumulates",
    examples: &["hnet-pool-parameters", "hnet-pool-macs"],
    resolve: |name| pooled(name, hnet),
};

/// Largest mean number of bases per unit.
const MOST: u64 = 32;

fn hnet(name: &Name, words: &[(String, Option<u64>)]) -> Result<Recipe, Error> {
    let wrong = |reason: String| Error::Name {
        name: name.written.clone(),
        reason,
        remedy: format!("use \"hnet\", or \"hnet6\" for units of 6 bases on average (2 to {MOST})"),
    };
    if !words.is_empty() {
        return Err(wrong("unknown variant".into()));
    }
    let standard = HNetConfig::default();
    let bases = name.number.unwrap_or(standard.bases as u64);
    if !(2..=MOST).contains(&bases) {
        return Err(wrong(format!("units of {bases} bases on average are not supported")));
    }
    let config = HNetConfig { bases: bases as f64, ..standard.clone() };
    let canonical = if config == standard { "hnet".to_owned() } else { format!("hnet{bases}") };
    Ok(with_controls(canonical, FrontendConfig::HNet(config)))
}
