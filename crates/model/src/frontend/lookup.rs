//! The front end of fixed tokenizers: an embedding table.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use crate::layers::{Embedding, Init};

/// Embedding table, one vector per id.
#[derive(Module, Debug)]
pub struct Lookup {
    /// `[vocabulary, hidden]`
    pub embedding: Embedding,
    /// Row 0 of DNABERT-2's token types, added to every position: `[hidden]`. `None` unless published weights are loaded.
    pub segment: Option<Param<Tensor<1>>>,
}

impl Lookup {
    /// A table for `vocabulary` ids; parameter `frontend.embedding.weight`.
    #[must_use]
    pub fn new(init: &Init, vocabulary: usize, hidden: usize) -> Lookup {
        Lookup { embedding: Embedding::new(init, "frontend.embedding", vocabulary, hidden), segment: None }
    }

    /// Ids `[batch, positions]` to vectors `[batch, positions, hidden]`.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let rows = self.embedding.forward(ids);
        match &self.segment {
            Some(segment) => rows + segment.val().unsqueeze(),
            None => rows,
        }
    }
}
