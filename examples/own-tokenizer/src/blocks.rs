//! A learned tokenizer: units of N bases (`blocks6`: 6), each the sum of the states of its bases with softmax weights of a learned score, so that a
//! unit can attend to one of its bases. Where units end is fixed; which base counts is learned.

use model::burn::tensor::{Tensor, activation};
use model::frontend::own::{Parameter, Pooled, Pooling, Start, Weights, members};
use model::frontend::{Unit, framed};
use model::noise::Noise;
use tokenize::families::learned::{pooled, with_controls};
use tokenize::{Error, Family, FrontendConfig, Name, OwnConfig, Recipe};

/// `blocks6`.
pub const KIND: Family = Family {
    stem: "blocks",
    pattern: "blocks[N]",
    help: "learned weights of the bases of units of N bases (default 6)",
    examples: &["blocks6"],
    resolve: |name| Some(recipe(name, &name.words)),
};

/// Its controls, `blocks6-pool-parameters` and `blocks6-pool-macs`.
pub const CONTROLS: Family = Family {
    stem: "blocks",
    pattern: "blocks[N]-pool-parameters|macs",
    help: "controls of blocks: fixed pooling, as many parameters or multiply-accumulates",
    examples: &["blocks6-pool-macs"],
    resolve: |name| pooled(name, recipe),
};

fn recipe(name: &Name, words: &[(String, Option<u64>)]) -> Result<Recipe, Error> {
    let bases = name.number.unwrap_or(6);
    if !words.is_empty() || !(2..=32).contains(&bases) {
        let (reason, remedy) = ("unknown variant".into(), "use \"blocks6\" for units of 6 bases (2 to 32)".into());
        return Err(Error::Name { name: name.written.clone(), reason, remedy });
    }
    let summary = format!("weighted blocks of {bases} bases");
    let config = OwnConfig { pooling: "blocks".into(), settings: vec![bases], nucleotide_layers: 1, summary };
    Ok(with_controls(format!("blocks{bases}"), FrontendConfig::Own(config)))
}

/// The layers.
#[derive(Debug)]
pub struct Blocks;

impl Pooling for Blocks {
    fn parameters(&self, _: &OwnConfig, hidden: usize) -> Vec<Parameter> {
        vec![Parameter { name: "score".into(), shape: [hidden, 1], start: Start::Normal }]
    }

    fn pool(
        &self,
        config: &OwnConfig,
        weights: &Weights<'_>,
        states: Tensor<3>,
        lengths: &[usize],
        _: Option<&Noise>,
    ) -> Pooled {
        let size = config.settings[0] as usize;
        let units = lengths.iter().map(|&length| blocks(length, size)).collect::<Vec<_>>();
        let [batch, positions, hidden] = states.dims();
        let scores = states.clone().reshape([batch * positions, hidden]).matmul(weights.get("score"));
        // Each unit reads its own bases: elsewhere the score is so low that the softmax is 0.
        let members = members(&units, positions, &states.device());
        let scores = scores.reshape([batch, 1, positions]) + (members.clone() - 1.0) * 1e4;
        Pooled { tokens: (activation::softmax(scores, 2) * members).matmul(states), units, auxiliary: None }
    }

    fn macs(&self, _: &OwnConfig, hidden: usize, positions: usize, tokens: usize) -> u64 {
        (positions * hidden + tokens * positions * hidden) as u64
    }
}

/// \[CLS\], blocks of `size` bases from the first base on, \[SEP\].
fn blocks(length: usize, size: usize) -> Vec<Unit> {
    let end = length.saturating_sub(1);
    let block = |start: usize| {
        let bases = size.min(end - start);
        Unit { center: start + bases / 2, start, length: bases }
    };
    framed(length, (1..end).step_by(size).map(block))
}
