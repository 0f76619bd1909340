//! Model inputs: ids of the file with the special ids that its `post_processor` adds.

use super::post_processor::TemplateItem;
use super::tokenizer::HuggingFace;
use crate::error::Error;

impl HuggingFace {
    /// The template of the `post_processor` for one sequence: the `tokenizers` crate gives these ids with `add_special_tokens`.
    /// Without a `post_processor`, the sequence alone.
    ///
    /// # Errors
    /// If the template is not valid: an undefined token, a letter in place of a special token, a dropped or repeated sequence.
    pub fn single(&self) -> Result<&[TemplateItem], Error> {
        self.template(&self.templates.single)
    }

    /// As [`HuggingFace::single`] for two sequences, such as a pair of sentences in BERT.
    ///
    /// # Errors
    /// As [`HuggingFace::single`].
    pub fn pair(&self) -> Result<&[TemplateItem], Error> {
        self.template(&self.templates.pair)
    }

    fn template<'a>(&self, items: &'a Result<Vec<TemplateItem>, String>) -> Result<&'a [TemplateItem], Error> {
        items.as_deref().map_err(|reason| Error::File {
            path: self.name().to_owned(),
            reason: reason.clone(),
            remedy: "omit special ids, or correct its \"post_processor\"".to_owned(),
        })
    }

    /// The model input for one sequence or two: ids of the file, special ones included, each with its token type id. It equals the
    /// output of the `tokenizers` crate with `add_special_tokens`.
    ///
    /// ```
    /// # use bpe::train::{Options, train};
    /// # let options = Options { vocabulary: 10, chunk_length: 0, ..Options::default() };
    /// # let json = bpe::huggingface::to_json(&train([b"ACACACAC".as_slice()], &options, &mut |_| true).unwrap());
    /// let tokenizer = bpe::huggingface::HuggingFace::from_json("mine".to_owned(), &json, "example").unwrap();
    /// assert_eq!(tokenizer.input(b"AAC", None).unwrap(), [(1, 0), (5, 0), (9, 0), (2, 0)]);
    /// assert_eq!(tokenizer.input(b"T", Some(b"G")).unwrap(), [(1, 0), (8, 0), (2, 0), (7, 1), (2, 1)]);
    /// ```
    ///
    /// # Errors
    /// As [`HuggingFace::single`], and if a text contains letters without an id in the file ([`HuggingFace::refusal`]).
    pub fn input(&self, first: &[u8], second: Option<&[u8]>) -> Result<Vec<(u32, u32)>, Error> {
        let items = if second.is_some() { self.pair()? } else { self.single()? };
        let (mut input, mut tokens) = (Vec::new(), Vec::new());
        for item in items {
            let (text, type_id) = match *item {
                TemplateItem::Special { id, type_id } => {
                    input.push((id, type_id));
                    continue;
                }
                TemplateItem::Sequence { number: 0, type_id } => (first, type_id),
                TemplateItem::Sequence { type_id, .. } => (second.unwrap_or_default(), type_id),
            };
            if let Some(refusal) = self.refusal(text) {
                return Err(Error::File {
                    path: self.name().to_owned(),
                    reason: format!(
                        "base {}: {}",
                        refusal.position + 1,
                        refusal.reason.describe(text[refusal.position], "it")
                    ),
                    remedy: refusal.reason.remedy().to_owned(),
                });
            }
            self.encode(text, &mut tokens);
            let theirs = self.file_ids();
            input.extend(tokens.iter().filter_map(|token| Some(((*theirs.get(token.id as usize)?)?, type_id))));
        }
        Ok(input)
    }
}
