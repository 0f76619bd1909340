//! The special ids that the `post_processor` of a file adds around one sequence, or around and between two.
//!
//! A post-processor does not depend on the ids of the sequences. The `tokenizers` crate is therefore called once, with a unique id
//! in place of each sequence, and the result applies to all sequences. It is called only in cases in which it does not panic.

use serde_json::Value;
use tokenizers::{Encoding, Token as HfToken, Tokenizer as HfTokenizer};

use super::ids::Ids;
use crate::vocabulary::Vocabulary;

/// An item of the template of a model input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateItem {
    /// A special id that the `post_processor` adds.
    Special {
        /// The id in the file.
        id: u32,
        /// BERT token type id: to which of two sequences it belongs.
        type_id: u32,
    },
    /// The ids of a sequence.
    Sequence {
        /// 0: the first sequence, 1: the second one.
        number: usize,
        /// Type id of a BERT.
        type_id: u32,
    },
}

/// The templates for one sequence and for two, or why the file is not supported.
#[derive(Debug)]
pub(super) struct Templates {
    pub(super) single: Result<Vec<TemplateItem>, String>,
    pub(super) pair: Result<Vec<TemplateItem>, String>,
}

impl Templates {
    /// The templates of a file. The reason why it is not usable, if its `post_processor` drops or repeats the sequence even without
    /// special tokens.
    pub(super) fn new(inner: &HfTokenizer, ids: &Ids, vocabulary: &Vocabulary) -> Result<Templates, String> {
        let bare = probe(inner, 1, false)?;
        if bare.iter().any(|item| matches!(item, TemplateItem::Special { .. })) {
            return Err("its \"post_processor\" adds ids even without special tokens".to_owned());
        }
        let validate = |items: Vec<TemplateItem>| match items.iter().find_map(|item| ambiguous(item, ids, vocabulary)) {
            Some(reason) => Err(reason),
            None => Ok(items),
        };
        Ok(Templates {
            single: probe(inner, 1, true).and_then(validate),
            pair: probe(inner, 2, true).and_then(validate),
        })
    }
}

/// Why an id that is added around a sequence could not be distinguished from the sequence.
fn ambiguous(item: &TemplateItem, ids: &Ids, vocabulary: &Vocabulary) -> Option<String> {
    let TemplateItem::Special { id, .. } = *item else { return None };
    let Some(own) = ids.of(id) else {
        return Some(format!("its \"post_processor\" adds the id {id}, which is not in its vocabulary"));
    };
    let letters = ids.spelling(own, vocabulary);
    let letters = String::from_utf8_lossy(letters);
    (!letters.is_empty())
        .then(|| format!("its \"post_processor\" adds the id {id}, which is the token of the letters {letters:?}"))
}

/// The template of a file for one or two sequences.
fn probe(inner: &HfTokenizer, sequences: usize, specials: bool) -> Result<Vec<TemplateItem>, String> {
    if let Some(processor) = inner.get_post_processor() {
        let value = serde_json::to_value(processor).map_err(|error| error.to_string())?;
        simulate(&value, sequences, specials).map_err(|reason| format!("its \"post_processor\" {reason}"))?;
    }
    // No token has such an id; if one had, it would be found twice.
    let stand_in = |number: u32| u32::MAX - number;
    let encoding =
        |number: u32| Encoding::from_tokens(vec![HfToken::new(stand_in(number), String::new(), (0, 0))], number);
    let second = (sequences == 2).then(|| encoding(1));
    let answer = inner.post_process(encoding(0), second, specials).map_err(|error| error.to_string())?;
    let item = |(&id, &type_id): (&u32, &u32)| match (0..sequences).find(|&number| stand_in(number as u32) == id) {
        Some(number) => TemplateItem::Sequence { number, type_id },
        None => TemplateItem::Special { id, type_id },
    };
    let items: Vec<TemplateItem> = answer.get_ids().iter().zip(answer.get_type_ids()).map(item).collect();
    let times = |wanted: usize| {
        items.iter().filter(|item| matches!(item, TemplateItem::Sequence { number, .. } if *number == wanted)).count()
    };
    match (0..sequences).find(|&number| times(number) != 1) {
        None => Ok(items),
        Some(number) => Err(format!(
            "its \"post_processor\" contains sequence {} {} times, not once",
            ["A", "B"][number.min(1)],
            times(number)
        )),
    }
}

/// Simulates a post-processor with this number of input encodings as the `tokenizers` crate runs it; returns the number of output
/// encodings, or the error in cases in which that crate would panic.
fn simulate(processor: &Value, encodings: usize, specials: bool) -> Result<usize, String> {
    let empty = Vec::new();
    let list = |key: &str| processor[key].as_array().unwrap_or(&empty);
    match processor["type"].as_str() {
        Some("Sequence") => list("processors").iter().try_fold(encodings, |now, next| simulate(next, now, specials)),
        Some("TemplateProcessing") => {
            let template = match encodings {
                1 => list("single"),
                2 => list("pair"),
                _ => return Err("contains a template after another step that adds ids".to_owned()),
            };
            let mut count = 0;
            for element in template {
                if let Some(name) = element["SpecialToken"]["id"].as_str() {
                    let entry = &processor["special_tokens"][name];
                    let length = |key: &str| entry[key].as_array().map(Vec::len);
                    if specials && (length("ids").is_none() || length("ids") != length("tokens")) {
                        return Err(format!("uses {name:?}, which its \"special_tokens\" do not define"));
                    }
                    count += usize::from(specials);
                } else if element["Sequence"]["id"] == "B" && encodings == 1 {
                    return Err("uses a second sequence in the template for one".to_owned());
                } else {
                    count += 1;
                }
            }
            Ok(count)
        }
        _ => Ok(encodings),
    }
}
