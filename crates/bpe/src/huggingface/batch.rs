//! Many texts at a time: which of them the engine encodes.

use dna::letters::leading_bases;

use super::tokenizer::HuggingFace;
use crate::engine::Engine;

impl HuggingFace {
    /// The engine, if it gives this text the ids of the `tokenizers` crate; `None`: use [`HuggingFace::encode`]. Accepted texts can
    /// be encoded in one batch, several at a time ([`Engine::encode`], [`Engine::encode_spans`]).
    ///
    /// ```
    /// use bpe::EncodedBatch;
    /// # use bpe::train::{Options, train};
    /// # let options = Options { vocabulary: 10, chunk_length: 0, ..Options::default() };
    /// # let json = bpe::huggingface::to_json(&train([b"ACACACAC".as_slice()], &options, &mut |_| true).unwrap());
    /// let tokenizer = bpe::huggingface::HuggingFace::from_json("mine".to_owned(), &json, "example").unwrap();
    /// assert!(tokenizer.engine_for(b"AC GT").is_none());
    /// let mut batch = EncodedBatch::default();
    /// tokenizer.engine_for(b"ACNGT").unwrap().encode([b"ACNGT".as_slice(), b"AAC"], &mut batch);
    /// assert_eq!(batch.ids(1), [5, 9]);
    /// ```
    #[must_use]
    pub fn engine_for(&self, text: &[u8]) -> Option<&Engine> {
        // The vectorized check is fast, and suffices for most texts.
        let known = leading_bases(text);
        let accepted = self.fast_path.accepts(&text[..known.min(1)]) && self.fast_path.accepts(&text[known..]);
        self.engine.as_ref().filter(|_| accepted)
    }
}
