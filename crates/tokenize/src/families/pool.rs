//! `pool<U>` and `unpooled`: the layers around a learned tokenizer with fixed pooling or none. The layers are in the crate `model`.

use super::kmer::recipe;
use crate::error::Error;
use crate::family::Family;
use crate::frontend::{FrontendConfig, PoolConfig, UnpooledConfig};

/// `pool<U>`.
pub const POOL: Family = Family {
    stem: "pool",
    pattern: "pool<U>",
    help: "fixed pooling of U bases (2 to 32) on single nucleotides, with the layers around a learned tokenizer",
    examples: &["pool6"],
    resolve: |name| {
        let wrong = || Error::Name {
            name: name.written.clone(),
            reason: "fixed pooling has units of 2 to 32 bases and no variants".to_owned(),
            remedy: "use \"pool6\" for units of 6 bases".to_owned(),
        };
        let (Some(bases), []) = (name.number.filter(|bases| (2..=32).contains(bases)), name.words.as_slice()) else {
            return Some(Err(wrong()));
        };
        let config = PoolConfig { bases: bases as f64, ..PoolConfig::default() };
        Some(Ok(recipe(format!("pool{bases}"), FrontendConfig::Pool(config), 1, 1)))
    },
};

/// `unpooled`.
pub const UNPOOLED: Family = Family {
    stem: "unpooled",
    pattern: "unpooled",
    help: "single nucleotides with the layers around a learned tokenizer (nucleotide layer, upsampling decoder), no pooling",
    examples: &["unpooled"],
    resolve: |name| {
        let plain = name.number.is_none() && name.words.is_empty();
        plain.then(|| Ok(recipe("unpooled".to_owned(), FrontendConfig::Unpooled(UnpooledConfig::default()), 1, 1)))
    },
};
