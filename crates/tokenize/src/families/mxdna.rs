//! `mxdna` and its controls of equal size: tokenizers of single nucleotides; the layers are in the crate `model`.

use super::learned::{pooled, with_controls};
use crate::error::Error;
use crate::family::Family;
use crate::frontend::{FrontendConfig, Layout, MxDnaConfig};
use crate::name::Name;
use crate::recipe::Recipe;

/// `mxdna`.
pub const MXDNA: Family = Family {
    stem: "mxdna",
    pattern: "mxdna[-max<L>][-inplace]",
    help: "learned units of 1 to L bases (default 10): MxDNA's convolution experts on single nucleotides, side by side or in place",
    examples: &["mxdna", "mxdna-max6", "mxdna-inplace"],
    resolve: |name| Some(mxdna(name, &name.words)),
};

/// The word of the layout in which tokens stay at the centres of their units.
const IN_PLACE: &str = "inplace";

/// `mxdna-pool-parameters` and `mxdna-pool-macs`.
pub const MXDNA_POOL: Family = Family {
    stem: "mxdna",
    pattern: "mxdna[-max<L>][-inplace]-pool-parameters|macs",
    help: "controls of mxdna: fixed pooling to units as long as its own, as many parameters or multiply-accumulates",
    examples: &["mxdna-pool-parameters", "mxdna-pool-macs"],
    resolve: |name| pooled(name, mxdna),
};

fn mxdna(name: &Name, words: &[(String, Option<u64>)]) -> Result<Recipe, Error> {
    let wrong = |reason: String| {
        Error::Name {
        name: name.written.clone(),
        reason,
        remedy: "use \"mxdna\", \"mxdna-max6\" for units of 1 to 6 bases (at most 16), \"mxdna-inplace\" for the layout of the \
                 released weights, or \"mxdna-max6-inplace\""
            .to_owned(),
    }
    };
    if name.number.is_some() {
        return Err(wrong("unexpected number after \"mxdna\"".into()));
    }
    let (layout, words) = match words.split_last() {
        Some(((word, None), before)) if word == IN_PLACE => (Layout::InPlace, before),
        _ => (Layout::Compact, words),
    };
    let longest = match words {
        [] => 10,
        [(word, Some(longest))] if word == "max" => *longest,
        _ => return Err(wrong("unknown variant".into())),
    };
    if !(1..=16).contains(&longest) {
        return Err(wrong(format!("units of up to {longest} bases are not supported")));
    }
    let mut canonical = if longest == 10 { "mxdna".to_owned() } else { format!("mxdna-max{longest}") };
    if layout == Layout::InPlace {
        canonical = format!("{canonical}-{IN_PLACE}");
    }
    let config = MxDnaConfig { kernel_sizes: (1..=longest as usize).collect(), layout, ..MxDnaConfig::default() };
    Ok(with_controls(canonical, FrontendConfig::MxDna(config)))
}
