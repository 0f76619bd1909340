//! The mapping between ids of a file and our ids, and the letters for which an id stands.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use tokenizers::Tokenizer as HfTokenizer;

use crate::vocabulary::{CLS, MASK, PAD, SEP, SPECIALS, UNK, Vocabulary};

/// The mapping between ids of a file and our ids. Every token of the file has one of our ids; our special ids have an id of the
/// file where it has such a token.
#[derive(Debug)]
pub(super) struct Ids {
    /// From ids of the file to our ids.
    pub(super) ours: HashMap<u32, u32>,
    /// Ids of the file by our ids; `None` for special ids that the file lacks.
    theirs: Vec<Option<u32>>,
    /// Our ids of tokens that are special by their name or marked as special in the file.
    special: HashSet<u32>,
    /// Our ids of names, which spell no letter of a sequence.
    names: HashSet<u32>,
    /// Bytes of `byte_fallback` tokens, by our ids.
    bytes: HashMap<u32, u8>,
}

/// The special id of a token name.
fn meaning(token: &str) -> Option<u32> {
    match token {
        "[UNK]" | "<unk>" => Some(UNK),
        "[CLS]" | "<cls>" | "<s>" => Some(CLS),
        "[SEP]" | "<sep>" | "<eos>" | "</s>" => Some(SEP),
        "[PAD]" | "<pad>" => Some(PAD),
        "[MASK]" | "<mask>" => Some(MASK),
        _ => None,
    }
}

/// Whether a token is a name (`[CLS]`, `<s>`), which does not occur in a sequence.
pub(super) fn is_name(token: &str) -> bool {
    let within = |open, close| token.len() > 2 && token.starts_with(open) && token.ends_with(close);
    within('[', ']') || within('<', '>')
}

/// The unknown token of a model, if it is in its vocabulary.
pub(super) fn unknown<'a>(model: &'a Value, kind: &str) -> Option<&'a str> {
    match kind {
        "Unigram" => model["vocab"][usize::try_from(model["unk_id"].as_u64()?).ok()?][0].as_str(),
        _ => model["unk_token"].as_str().filter(|token| model["vocab"].get(token).is_some()),
    }
}

/// The byte of a token such as `<0x4E>`.
fn byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    (digits == format!("{byte:02X}")).then_some(byte)
}

impl Ids {
    /// Assigns our ids to the tokens of a file: the special ids, then all other tokens in the order of their ids. The reason why
    /// not, if two tokens have the same id.
    pub(super) fn new(inner: &HfTokenizer, file: &Value, kind: &str) -> Result<(Ids, Vocabulary), String> {
        let model = &file["model"];
        let mut all: Vec<(u32, String)> = inner.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        all.sort_unstable();
        if let Some(two) = all.windows(2).find(|two| two[0].0 == two[1].0) {
            let (id, one, other) = (two[0].0, &two[0].1, &two[1].1);
            return Err(format!("the tokenizers crate gives {one:?} and {other:?} the same id, {id}"));
        }
        // If several tokens have one meaning, the unknown token of the model has priority, else the first one; the others remain
        // ordinary tokens.
        let unknown = unknown(model, kind);
        let mut theirs: Vec<Option<u32>> = vec![None; SPECIALS as usize];
        for (id, token) in &all {
            let own = Some(token.as_str()) == unknown;
            let meaning = if own { Some(UNK) } else { meaning(token) };
            if let Some(slot) = meaning.map(|meaning| &mut theirs[meaning as usize])
                && (own || slot.is_none())
            {
                *slot = Some(*id);
            }
        }
        let prefix = if kind == "WordPiece" { model["continuing_subword_prefix"].as_str() } else { None };
        let added = file["added_tokens"].as_array().into_iter().flatten();
        let marked: HashSet<&str> = added
            .filter(|token| token["special"] == json!(true))
            .filter_map(|token| token["content"].as_str())
            .collect();
        let fallback = model["byte_fallback"] == json!(true);
        let mut ids = Ids {
            ours: HashMap::with_capacity(all.len()),
            theirs,
            special: HashSet::new(),
            names: (CLS..SPECIALS).collect(),
            bytes: HashMap::new(),
        };
        let mut tokens = Vec::with_capacity(all.len());
        for (id, token) in &all {
            let slot = ids.theirs[..SPECIALS as usize].iter().position(|slot| *slot == Some(*id));
            let own = slot.map_or(SPECIALS + tokens.len() as u32, |slot| slot as u32);
            ids.ours.insert(*id, own);
            if slot.is_some() || meaning(token).is_some() || marked.contains(token.as_str()) {
                ids.special.insert(own);
            }
            if slot.is_none() {
                ids.theirs.push(Some(*id));
                tokens.push(prefix.and_then(|prefix| token.strip_prefix(prefix)).unwrap_or(token));
                match byte(token).filter(|_| fallback) {
                    Some(byte) => drop(ids.bytes.insert(own, byte)),
                    None if is_name(token) => drop(ids.names.insert(own)),
                    None => {}
                }
            }
        }
        Ok((ids, Vocabulary::new(tokens)))
    }

    /// Ids of the file by our ids.
    pub(super) fn theirs(&self) -> &[Option<u32>] {
        &self.theirs
    }

    /// Our id of an id of the file.
    pub(super) fn of(&self, theirs: u32) -> Option<u32> {
        self.ours.get(&theirs).copied()
    }

    /// Whether one of our ids is that of a special token of the file.
    pub(super) fn is_special(&self, own: u32) -> bool {
        self.special.contains(&own)
    }

    /// The byte of a `byte_fallback` token.
    pub(super) fn byte(&self, own: u32) -> Option<u8> {
        self.bytes.get(&own).copied()
    }

    /// The letters for which one of our ids stands: N for unknown, none for names.
    pub(super) fn spelling<'a>(&'a self, own: u32, vocabulary: &'a Vocabulary) -> &'a [u8] {
        match self.bytes.get(&own) {
            Some(byte) => std::slice::from_ref(byte),
            None if own == UNK => b"N",
            None if self.names.contains(&own) => b"",
            None => vocabulary.bases(own).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes() {
        assert!(["[CLS]", "<s>", "</s>", "<|end|>", "<0x4E>"].iter().all(|token| is_name(token)));
        assert!(["", "N", "-", "<", "[]", "<A", "AC"].iter().all(|token| !is_name(token)));
        assert_eq!((byte("<0x4E>"), byte("<0x0A>")), (Some(b'N'), Some(b'\n')));
        assert!(["<0x4e>", "<0xA>", "<0x4E", "0x4E", "<0x100>"].iter().all(|token| byte(token).is_none()));
    }
}
