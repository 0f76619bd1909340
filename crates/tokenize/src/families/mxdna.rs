//! `mxdna` and its controls of equal size: tokenizers of single nucleotides; the layers are in the crate `model`.

use super::kmer::recipe;
use crate::error::Error;
use crate::family::Family;
use crate::frontend::{Equal, FrontendConfig, Layout, MxDnaConfig, PoolConfig, Quantity};
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

/// From a name and some of its words to a recipe.
type Resolve = fn(&Name, &[(String, Option<u64>)]) -> Result<Recipe, Error>;

/// The control that a name with the last words `pool-parameters` or `pool-macs` is; the other words name the `learned` tokenizer.
pub(super) fn pooled(name: &Name, learned: Resolve) -> Option<Result<Recipe, Error>> {
    let (last, before) = name.words.split_last()?;
    let (pool, before) = before.split_last()?;
    if *pool != ("pool".to_owned(), None) || last.1.is_some() {
        return None;
    }
    let quantity = [Quantity::Parameters, Quantity::Macs].into_iter().find(|&q| word(q) == last.0)?;
    Some(learned(name, before).map(|learned| control(&learned.name, quantity)))
}

/// A learned tokenizer with its two controls.
pub(super) fn with_controls(canonical: String, frontend: FrontendConfig) -> Recipe {
    let controls = [Quantity::Parameters, Quantity::Macs].map(|quantity| control_name(&canonical, quantity)).to_vec();
    Recipe { controls, ..recipe(canonical, frontend, 1, 1) }
}

fn word(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Parameters => "parameters",
        Quantity::Macs => "macs",
    }
}

/// The control of a learned tokenizer in which a quantity is equal.
fn control(to: &str, quantity: Quantity) -> Recipe {
    let equal = Some(Equal { to: to.to_owned(), quantity });
    let config = PoolConfig { equal, ..PoolConfig::default() };
    recipe(control_name(to, quantity), FrontendConfig::Pool(config), 1, 1)
}

fn control_name(to: &str, quantity: Quantity) -> String {
    format!("{to}-pool-{}", word(quantity))
}

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
