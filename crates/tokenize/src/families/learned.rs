//! What learned tokenizers have in common: a recipe with controls of equal size, and the names of those.

use super::kmer::recipe;
use crate::error::Error;
use crate::frontend::{Equal, FrontendConfig, PoolConfig, Quantity};
use crate::name::Name;
use crate::recipe::Recipe;

/// From a name and some of its words to a recipe.
pub type Resolve = fn(&Name, &[(String, Option<u64>)]) -> Result<Recipe, Error>;

/// The control that a name with the last words `pool-parameters` or `pool-macs` is; the other words name the `learned` tokenizer.
pub fn pooled(name: &Name, learned: Resolve) -> Option<Result<Recipe, Error>> {
    let (last, before) = name.words.split_last()?;
    let (pool, before) = before.split_last()?;
    if *pool != ("pool".to_owned(), None) || last.1.is_some() {
        return None;
    }
    let quantity = [Quantity::Parameters, Quantity::Macs].into_iter().find(|&q| word(q) == last.0)?;
    Some(learned(name, before).map(|learned| control(&learned.name, quantity)))
}

/// A learned tokenizer on single nucleotides with its two controls, fixed pooling with as many parameters and with as many multiply-accumulates.
#[must_use]
pub fn with_controls(canonical: String, frontend: FrontendConfig) -> Recipe {
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
