//! A two-sided Markov predictor under the same masking plan: a Markov chain fitted on the training split, scored by the exact
//! posterior of a span given all unmasked bases on both sides.

use dataset::{Corpus, MarkovChain, Split};
use experiment::config::Scoring;
use experiment::record::BlockScore;
use protocol::masking_plan as plan;
use protocol::score::{CONTENT, NO_PAIR_RULE, Score};

use crate::error::Error;
use crate::score::block_of;
use crate::watch::Watch;

/// Pseudocount of the back-off from each context to the next shorter one.
const PSEUDOCOUNT: f64 = 4.0;

/// Code length of the predictor per species and block.
///
/// # Errors
/// If the corpus has no scoring windows.
pub fn score(
    corpus: &Corpus,
    order: usize,
    window: usize,
    span: usize,
    scoring: &Scoring,
    watch: &mut Watch<'_>,
) -> Result<Vec<BlockScore>, Error> {
    let chain = MarkovChain::fit(corpus.training_segments(), order, PSEUDOCOUNT);
    let windows = corpus.scoring_windows(Split::Test, window, scoring.bases)?;
    let mut blocks: Vec<BlockScore> = Vec::new();
    for (number, window) in windows.iter().enumerate() {
        watch.report("score", number as u64, windows.len() as u64);
        let (mut bits, mut bases) = (0.0, 0);
        for pass in 0..plan::PASSES {
            let spans: Vec<_> = plan::scoring(&window.bases, span, pass).iter().map(|s| s.start..s.end).collect();
            bases += spans.iter().map(|span| span.len() as u64).sum::<u64>();
            bits += chain.sequential_bits(&window.bases, &spans);
        }
        *block_of(&mut blocks, window) += &Score::of(bases).with(CONTENT, bits).with(NO_PAIR_RULE, bits);
    }
    Ok(blocks)
}
