//! `mxdna` and its control `base-deep`: tokenizers of single nucleotides; the layers are in the crate `model`.

use super::kmer::recipe;
use crate::error::Error;
use crate::family::Family;
use crate::frontend::{DeepConfig, FrontendConfig, MxDnaConfig};
use crate::name::Name;
use crate::recipe::Recipe;

/// `mxdna`.
pub const MXDNA: Family = Family {
    stem: "mxdna",
    pattern: "mxdna[-max<L>]",
    help: "learned units of 1 to L bases (default 10): MxDNA's convolution experts on single nucleotides",
    examples: &["mxdna", "mxdna-max6"],
    resolve: |name| Some(mxdna(name)),
};

/// `base-deep`.
pub const BASE_DEEP: Family = Family {
    stem: "base",
    pattern: "base-deep",
    help: "control of mxdna: the same nucleotide layer and upsampling decoder around the encoder, without the module",
    examples: &["base-deep"],
    resolve: |name| match name.words.as_slice() {
        [(word, None)] if word == "deep" && name.number.is_none() => {
            Some(Ok(recipe("base-deep".to_owned(), FrontendConfig::Deep(DeepConfig::default()), 1, 1)))
        }
        _ => None,
    },
};

fn mxdna(name: &Name) -> Result<Recipe, Error> {
    let wrong = |reason: String| Error::Name {
        name: name.written.clone(),
        reason,
        remedy: "use \"mxdna\", or \"mxdna-max6\" for units of 1 to 6 bases (at most 16)".to_owned(),
    };
    if name.number.is_some() {
        return Err(wrong("unexpected number after \"mxdna\"".into()));
    }
    let longest = match name.words.as_slice() {
        [] => 10,
        [(word, Some(longest))] if word == "max" => *longest,
        _ => return Err(wrong("unknown variant".into())),
    };
    if !(1..=16).contains(&longest) {
        return Err(wrong(format!("units of up to {longest} bases are not supported")));
    }
    let canonical = if longest == 10 { "mxdna".to_owned() } else { format!("mxdna-max{longest}") };
    let config = MxDnaConfig { kernel_sizes: (1..=longest as usize).collect(), ..MxDnaConfig::default() };
    let controls = vec!["base-deep".to_owned()];
    Ok(Recipe { controls, ..recipe(canonical, FrontendConfig::MxDna(config), 1, 1) })
}
