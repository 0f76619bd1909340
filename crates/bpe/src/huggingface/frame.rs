//! What a file's `post_processor` puts around one sequence, or around and between two.
//!
//! Such a thing never looks at what it puts ids around. So the `tokenizers` crate is asked once, with one id that nothing else has in
//! place of each sequence, and what it answers is the answer for all sequences. It is asked only what it does not panic at.

use serde_json::Value;
use tokenizers::{Encoding, Token as HfToken, Tokenizer as HfTokenizer};

use super::ids::Ids;
use crate::vocabulary::Vocabulary;

/// What stands at a place of the input of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An id of the file that the `post_processor` puts there.
    Special {
        /// The id in the file.
        id: u32,
        /// Type id of a BERT: which of two sequences it belongs to.
        type_id: u32,
    },
    /// All ids of a sequence.
    Sequence {
        /// 0: the first one, 1: the second one.
        number: usize,
        /// Type id of a BERT.
        type_id: u32,
    },
}

/// Places around one sequence and around two, or why the file cannot be followed.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) single: Result<Vec<Place>, String>,
    pub(super) pair: Result<Vec<Place>, String>,
}

impl Frames {
    /// Of a file. The reason why it cannot be used, if its `post_processor` drops or repeats the sequence when asked for no specials.
    pub(super) fn new(inner: &HfTokenizer, ids: &Ids, vocabulary: &Vocabulary) -> Result<Frames, String> {
        let bare = ask(inner, 1, false)?;
        if bare.iter().any(|place| matches!(place, Place::Special { .. })) {
            return Err("its \"post_processor\" adds ids where none are asked for".to_owned());
        }
        let silent = |places: Vec<Place>| match places.iter().find_map(|place| strange(place, ids, vocabulary)) {
            Some(reason) => Err(reason),
            None => Ok(places),
        };
        Ok(Frames { single: ask(inner, 1, true).and_then(silent), pair: ask(inner, 2, true).and_then(silent) })
    }
}

/// Why an id that is put around a sequence could not be told from the sequence.
fn strange(place: &Place, ids: &Ids, vocabulary: &Vocabulary) -> Option<String> {
    let Place::Special { id, .. } = *place else { return None };
    let Some(own) = ids.of(id) else {
        return Some(format!("its \"post_processor\" adds the id {id}, which no token of its vocabulary has"));
    };
    let letters = ids.spelling(own, vocabulary);
    let letters = String::from_utf8_lossy(letters);
    (!letters.is_empty()).then(|| {
        format!("its \"post_processor\" adds the id {id}, which stands for the letters {letters:?} of a sequence")
    })
}

/// What a file makes of one or two sequences.
fn ask(inner: &HfTokenizer, sequences: usize, specials: bool) -> Result<Vec<Place>, String> {
    if let Some(processor) = inner.get_post_processor() {
        let value = serde_json::to_value(processor).map_err(|error| error.to_string())?;
        walk(&value, sequences, specials).map_err(|reason| format!("its \"post_processor\" {reason}"))?;
    }
    // No token has such an id; if one had, it would be found twice.
    let stand_in = |number: u32| u32::MAX - number;
    let encoding =
        |number: u32| Encoding::from_tokens(vec![HfToken::new(stand_in(number), String::new(), (0, 0))], number);
    let second = (sequences == 2).then(|| encoding(1));
    let answer = inner.post_process(encoding(0), second, specials).map_err(|error| error.to_string())?;
    let place = |(&id, &type_id): (&u32, &u32)| match (0..sequences).find(|&number| stand_in(number as u32) == id) {
        Some(number) => Place::Sequence { number, type_id },
        None => Place::Special { id, type_id },
    };
    let places: Vec<Place> = answer.get_ids().iter().zip(answer.get_type_ids()).map(place).collect();
    let times = |wanted: usize| {
        places.iter().filter(|place| matches!(place, Place::Sequence { number, .. } if *number == wanted)).count()
    };
    match (0..sequences).find(|&number| times(number) != 1) {
        None => Ok(places),
        Some(number) => Err(format!(
            "its \"post_processor\" has sequence {} {} times, not once",
            ["A", "B"][number.min(1)],
            times(number)
        )),
    }
}

/// Follows a processor of so many encodings as the `tokenizers` crate does; gives how many encodings come out, or what that
/// crate would panic at.
fn walk(processor: &Value, encodings: usize, specials: bool) -> Result<usize, String> {
    let empty = Vec::new();
    let list = |key: &str| processor[key].as_array().unwrap_or(&empty);
    match processor["type"].as_str() {
        Some("Sequence") => list("processors").iter().try_fold(encodings, |now, next| walk(next, now, specials)),
        Some("TemplateProcessing") => {
            let template = match encodings {
                1 => list("single"),
                2 => list("pair"),
                _ => return Err("has a template behind another step that adds ids".to_owned()),
            };
            let mut count = 0;
            for piece in template {
                if let Some(name) = piece["SpecialToken"]["id"].as_str() {
                    let entry = &processor["special_tokens"][name];
                    let length = |key: &str| entry[key].as_array().map(Vec::len);
                    if specials && (length("ids").is_none() || length("ids") != length("tokens")) {
                        return Err(format!("names {name:?}, and its \"special_tokens\" do not say what that is"));
                    }
                    count += usize::from(specials);
                } else if piece["Sequence"]["id"] == "B" && encodings == 1 {
                    return Err("wants a second sequence in the template for one".to_owned());
                } else {
                    count += 1;
                }
            }
            Ok(count)
        }
        _ => Ok(encodings),
    }
}
