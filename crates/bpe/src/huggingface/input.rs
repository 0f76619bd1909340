//! Sequences as a model reads them: ids of the file with what its `post_processor` puts around them.

use super::frame::Place;
use super::tokenizer::HuggingFace;
use crate::error::Error;

impl HuggingFace {
    /// What the file's `post_processor` makes of one sequence: the ids that the `tokenizers` crate gives with
    /// `add_special_tokens`, with the sequence in their midst. Without a `post_processor` that is the sequence alone.
    ///
    /// # Errors
    /// If that cannot be followed: no such token, a letter in place of a special token, a template that drops or repeats the sequence.
    pub fn single(&self) -> Result<&[Place], Error> {
        self.frame(&self.frames.single)
    }

    /// As [`HuggingFace::single`] for two sequences, such as a pair of sentences of a BERT.
    ///
    /// # Errors
    /// As there.
    pub fn pair(&self) -> Result<&[Place], Error> {
        self.frame(&self.frames.pair)
    }

    fn frame<'a>(&self, places: &'a Result<Vec<Place>, String>) -> Result<&'a [Place], Error> {
        places.as_deref().map_err(|reason| Error::File {
            path: self.name().to_owned(),
            reason: reason.clone(),
            remedy: "leave special ids away, or correct its \"post_processor\"".to_owned(),
        })
    }

    /// One sequence or two as a model reads them: ids of the file, special ones included, each with its type id. The same as the
    /// `tokenizers` crate gives with `add_special_tokens`.
    ///
    /// ```
    /// # use bpe::train::{Options, train};
    /// # let options = Options { vocabulary: 10, piece: 0, ..Options::default() };
    /// # let json = bpe::huggingface::to_json(&train([b"ACACACAC".as_slice()], &options, &mut |_| true).unwrap());
    /// let tokenizer = bpe::huggingface::HuggingFace::from_json("mine".to_owned(), &json, "example").unwrap();
    /// assert_eq!(tokenizer.input(b"AAC", None).unwrap(), [(1, 0), (5, 0), (9, 0), (2, 0)]);
    /// assert_eq!(tokenizer.input(b"T", Some(b"G")).unwrap(), [(1, 0), (8, 0), (2, 0), (7, 1), (2, 1)]);
    /// ```
    ///
    /// # Errors
    /// As [`HuggingFace::single`], and for a text with letters that have no id in the file ([`HuggingFace::refusal`]).
    pub fn input(&self, first: &[u8], second: Option<&[u8]>) -> Result<Vec<(u32, u32)>, Error> {
        let places = if second.is_some() { self.pair()? } else { self.single()? };
        let (mut input, mut tokens) = (Vec::new(), Vec::new());
        for place in places {
            let (text, type_id) = match *place {
                Place::Special { id, type_id } => {
                    input.push((id, type_id));
                    continue;
                }
                Place::Sequence { number: 0, type_id } => (first, type_id),
                Place::Sequence { type_id, .. } => (second.unwrap_or_default(), type_id),
            };
            if let Some(refusal) = self.refusal(text) {
                return Err(Error::File {
                    path: self.name().to_owned(),
                    reason: format!("base {}: {}", refusal.place + 1, refusal.why.of(text[refusal.place], "it")),
                    remedy: refusal.why.remedy().to_owned(),
                });
            }
            self.encode(text, &mut tokens);
            let theirs = self.file_ids();
            input.extend(tokens.iter().filter_map(|token| Some(((*theirs.get(token.id as usize)?)?, type_id))));
        }
        Ok(input)
    }
}
