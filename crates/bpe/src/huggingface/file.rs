//! Conversion of tokenizer files: `tokenizer.json`, the pair `vocab.json` and `merges.txt`, and lists of tokens.
//!
//! ```
//! use bpe::huggingface::file::File;
//! let file = File::of_kmers(3, "3-mers");
//! let theirs = bpe::huggingface::HuggingFace::from_json("kmers".to_owned(), &file.to_json(), "example").unwrap();
//! let encoding = theirs.inner().encode("ACGTNNAC", false).unwrap();
//! assert_eq!(encoding.get_tokens(), ["ACG", "T", "[UNK]", "[UNK]", "AC"]);
//! ```

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::check::{merge_parts, unmarked};
use super::ids::is_name;
use super::tokenizer::HuggingFace;
use super::write::tokenizer_json;
use crate::error::Error;
use crate::vocabulary::{SPECIAL_NAMES, Vocabulary};

/// The content of a `tokenizer.json` and its origin.
#[derive(Clone, Debug)]
pub struct File {
    value: Value,
    origin: String,
}

/// The first line of a `merges.txt`.
const VERSION: &str = "#version: 0.2";

impl File {
    /// Parses a `tokenizer.json`.
    ///
    /// # Errors
    /// If it has no vocabulary.
    pub fn parse(text: &[u8], origin: &str) -> Result<File, Error> {
        let failed =
            |reason: String| wrong(origin, reason, "use a Hugging Face tokenizer.json (\"version\", \"model\", ...)");
        let value: Value =
            serde_json::from_slice(unmarked(text)).map_err(|error| failed(format!("invalid JSON: {error}")))?;
        let file = File { value, origin: origin.to_owned() };
        if file.tokens().is_empty() {
            return Err(failed("missing vocabulary in the model".to_owned()));
        }
        Ok(file)
    }

    /// Builds a file from `vocab.json` and `merges.txt`. Tokens in brackets (`[UNK]`, `<s>`) are special; the pre-tokenizer splits
    /// at whitespace.
    ///
    /// # Errors
    /// If they are not valid, or do not belong together.
    pub fn from_vocab_merges(vocab: &[u8], merges: &str, origin: &str) -> Result<File, Error> {
        let failed = |file: &str, reason: String| {
            let remedy = "the expected forms are {\"TOKEN\": ID, ...}, and one line \"LEFT RIGHT\" per merge, in order";
            wrong(&format!("{origin}: {file}"), reason, remedy)
        };
        let value: Value = serde_json::from_slice(unmarked(vocab))
            .map_err(|error| failed("vocab.json", format!("invalid JSON: {error}")))?;
        let no_object = || failed("vocab.json", "expected an object of tokens and ids".to_owned());
        let vocabulary = value.as_object().filter(|object| !object.is_empty()).ok_or_else(no_object)?;
        let mut ids = BTreeMap::new();
        for (token, id) in vocabulary {
            let number = id.as_u64().filter(|&id| id <= u64::from(u32::MAX));
            let id = number.ok_or_else(|| failed("vocab.json", format!("invalid id of {token:?}: {id}")))?;
            if let Some(other) = ids.insert(id, token) {
                return Err(failed("vocab.json", format!("{other:?} and {token:?} have the same id {id}")));
            }
        }
        let mut pairs = Vec::new();
        for (number, line) in merges.trim_start_matches('\u{feff}').lines().enumerate() {
            if line.is_empty() || number == 0 && line.starts_with("#version") {
                continue;
            }
            let place = || format!("merges.txt, line {}", number + 1);
            let (left, right) = line
                .split_once(' ')
                .filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '))
                .ok_or_else(|| failed(&place(), format!("expected two tokens, found {line:?}")))?;
            let both = [left, right].concat();
            let absent = [left, right, both.as_str()].into_iter().find(|token| !vocabulary.contains_key(*token));
            if let Some(token) = absent {
                return Err(failed(&place(), format!("{token:?} is not in vocab.json")));
            }
            pairs.push(json!([left, right]));
        }
        let brackets = [("[", "]"), ("<", ">")];
        let bracketed =
            |token: &str| brackets.iter().any(|(open, close)| token.starts_with(open) && token.ends_with(close));
        let special: Vec<(u64, &str)> =
            ids.into_iter().filter(|(_, token)| bracketed(token)).map(|(id, token)| (id, token.as_str())).collect();
        let unknown = special.iter().map(|(_, token)| *token).find(|token| ["[UNK]", "<unk>"].contains(token));
        let model = json!({
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": value, "merges": pairs,
        });
        let mut value = tokenizer_json(&model, &json!({"type": "Whitespace"}), &Value::Null);
        if !special.iter().copied().eq((0..).zip(SPECIAL_NAMES)) {
            let like = value["added_tokens"][0].clone();
            let added = special.iter().map(|(id, token)| {
                let mut entry = like.clone();
                (entry["id"], entry["content"]) = (json!(id), json!(token));
                entry
            });
            value["added_tokens"] = added.collect();
            value["post_processor"] = Value::Null;
        }
        Ok(File { value, origin: origin.to_owned() })
    }

    /// Non-overlapping k-mers as a `tokenizer.json` that gives the ids of [`Vocabulary::kmers`]: a pattern splits the text into
    /// k-mers, a word-level model lists them. `origin` names the file in errors.
    #[must_use]
    pub fn of_kmers(k: usize, origin: &str) -> File {
        let vocabulary = Vocabulary::kmers(k);
        let special = (0u32..).zip(SPECIAL_NAMES.map(str::to_owned));
        let kmers = vocabulary
            .ids()
            .map(|id| (id, String::from_utf8_lossy(vocabulary.bases(id).unwrap_or_default()).into_owned()));
        let vocab: Map<String, Value> = special.chain(kmers).map(|(id, token)| (token, json!(id))).collect();
        // Letters without a match would stay together, so each of them has a match of its own.
        let pre_tokenizer = json!({
            "type": "Split", "pattern": {"Regex": format!("[ACGT]{{1,{k}}}|[^ACGT]")}, "behavior": "Isolated",
            "invert": false,
        });
        let model = json!({"type": "WordLevel", "vocab": vocab, "unk_token": SPECIAL_NAMES[0]});
        let value = tokenizer_json(&model, &pre_tokenizer, &Value::Null);
        File { value, origin: origin.to_owned() }
    }

    /// Serializes the file as a `tokenizer.json`.
    ///
    /// # Panics
    /// Never: plain data always serializes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.value).expect("plain data")
    }

    /// All tokens by id, including added ones.
    #[must_use]
    pub fn tokens(&self) -> BTreeMap<u64, &str> {
        let vocabulary = &self.value["model"]["vocab"];
        let numbered = vocabulary.as_object().into_iter().flatten();
        let numbered = numbered.filter_map(|(token, id)| Some((id.as_u64()?, token.as_str())));
        // The id of a Unigram token is its index.
        let listed = (0..).zip(vocabulary.as_array().into_iter().flatten());
        let listed = listed.filter_map(|(id, entry)| Some((id, entry[0].as_str()?)));
        let added = self.value["added_tokens"].as_array().into_iter().flatten();
        let added = added.filter_map(|token| Some((token["id"].as_u64()?, token["content"].as_str()?)));
        numbered.chain(listed).chain(added).collect()
    }

    /// A setting that affects tokenization and that vocabulary and merges do not express; `back` is the result of
    /// [`File::from_vocab_merges`] for these.
    fn unrepresented(&self, back: &File) -> Option<String> {
        let [own, other] = [&self.value["model"], &back.value["model"]];
        let unset = |value: &Value| [Value::Null, json!(false), json!("")].contains(value);
        let settings = [
            "unk_token",
            "continuing_subword_prefix",
            "end_of_word_suffix",
            "fuse_unk",
            "byte_fallback",
            "ignore_merges",
        ];
        let differs = |key: &&str| own[*key] != other[*key] && !(unset(&own[*key]) && unset(&other[*key]));
        if let Some(key) = settings.into_iter().find(differs) {
            return Some(format!("\"{key}\": {}", own[key]));
        }
        if !self.value["normalizer"].is_null() {
            return Some("the \"normalizer\"".to_owned());
        }
        // These keep words of letters whole, as the written pre-tokenizer does.
        let pre_tokenizer = &self.value["pre_tokenizer"];
        let whole = match pre_tokenizer["type"].as_str() {
            Some("Whitespace" | "WhitespaceSplit" | "BertPreTokenizer") => true,
            Some("ByteLevel") => pre_tokenizer["add_prefix_space"] == json!(false),
            _ => pre_tokenizer.is_null(),
        };
        if !whole {
            return Some("the \"pre_tokenizer\"".to_owned());
        }
        let added = self.value["added_tokens"].as_array().into_iter().flatten();
        let letters = added.filter_map(|token| token["content"].as_str()).find(|token| !is_name(token));
        letters.map(|token| format!("the added token {token:?}"))
    }

    /// Whether the special ids that its `post_processor` adds are those of the file that [`File::from_vocab_merges`] builds from
    /// its vocabulary and merges.
    #[must_use]
    pub fn keeps_specials(&self) -> bool {
        let own = &self.value["post_processor"];
        let pair = self.pair().and_then(|(vocab, merges)| File::from_vocab_merges(&vocab, &merges, &self.origin));
        own.is_null() || pair.is_ok_and(|back| back.value["post_processor"] == *own)
    }

    /// Both parts of every merge; `None` if the model is not a BPE.
    fn merges(&self) -> Option<Vec<[&str; 2]>> {
        let model = &self.value["model"];
        if model["type"].as_str().is_some_and(|kind| kind != "BPE") {
            return None;
        }
        let version = |merge: &Value| merge.as_str().is_some_and(|text| text.starts_with("#version"));
        let merges = model["merges"].as_array()?.iter().enumerate();
        merges.filter(|(number, merge)| *number > 0 || !version(merge)).map(|(_, merge)| merge_parts(merge)).collect()
    }

    fn no_merges(&self, what: &str, remedy: &str) -> Error {
        Error::Unsuited {
            name: self.origin.clone(),
            reason: format!("it is not a byte-pair encoding, so it has no merges {what}"),
            remedy: remedy.to_owned(),
        }
    }

    /// The tokenizer of its first merges: `entries` tokens with unchanged ids. This equals training with a smaller vocabulary.
    ///
    /// # Errors
    /// If it is not a BPE, has fewer tokens, or has more tokens before its first merge.
    pub fn first(&self, entries: usize) -> Result<File, Error> {
        let merges = self
            .merges()
            .ok_or_else(|| self.no_merges("to remove", "keep its whole vocabulary (omit --vocab-size)"))?;
        // Added tokens do not need merges.
        let added: HashSet<&str> = self.value["added_tokens"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|token| token["content"].as_str())
            .collect();
        let made = merges.iter().map(|pair| pair.concat()).filter(|token| !added.contains(token.as_str()));
        let made: HashSet<String> = made.collect();
        let all = self.tokens();
        let fewest = all.values().filter(|token| !made.contains(**token)).count();
        if !(fewest..=all.len()).contains(&entries) {
            return Err(Error::Unsuited {
                name: self.origin.clone(),
                reason: format!(
                    "a vocabulary of {entries} is not possible: it has {} entries, {fewest} of them before its first merge",
                    all.len()
                ),
                remedy: format!("use a --vocab-size from {fewest} to {}", all.len()),
            });
        }
        // Two merges can create the same token.
        let (mut kept, mut number) = (HashSet::new(), 0);
        for pair in &merges {
            if fewest + kept.len() == entries {
                break;
            }
            let token = pair.concat();
            if made.contains(&token) {
                kept.insert(token);
            }
            number += 1;
        }
        let mut value = self.value.clone();
        value["model"]["merges"] = merges[..number].iter().map(|pair| json!(pair)).collect();
        if let Some(vocabulary) = value["model"]["vocab"].as_object_mut() {
            vocabulary.retain(|token, _| kept.contains(token) || !made.contains(token));
        }
        Ok(File { value, origin: self.origin.clone() })
    }

    /// The contents of `vocab.json` and `merges.txt`, from which [`File::from_vocab_merges`] builds a file that gives sequences of
    /// letters the same ids.
    ///
    /// # Errors
    /// If it is not a BPE that these two files can represent.
    ///
    /// # Panics
    /// Never: plain data always serializes.
    pub fn to_vocab_merges(&self) -> Result<[Vec<u8>; 2], Error> {
        let (vocab, merges) = self.pair()?;
        let failed = |reason: String| wrong(&self.origin, reason, "keep it as a tokenizer.json");
        let back = File::from_vocab_merges(&vocab, &merges, &self.origin)?;
        let read = |file: &File| HuggingFace::from_json(self.origin.clone(), &file.to_json(), &self.origin);
        if read(self)?.refused != read(&back)?.refused {
            return Err(failed("vocab.json and merges.txt cannot represent which letters have no token".to_owned()));
        }
        match self.unrepresented(&back) {
            Some(setting) => Err(failed(format!("vocab.json and merges.txt cannot represent {setting}"))),
            None => Ok([vocab, merges.into_bytes()]),
        }
    }

    /// Vocabulary and merges, whatever the other settings.
    fn pair(&self) -> Result<(Vec<u8>, String), Error> {
        let merges =
            self.merges().ok_or_else(|| self.no_merges("to write", "write it as \"huggingface\" or \"text\""))?;
        let failed = |reason: String| wrong(&self.origin, reason, "keep it as a tokenizer.json");
        let mut text = format!("{VERSION}\n");
        for [left, right] in merges {
            if [left, right].iter().any(|token| token.contains([' ', '\n'])) {
                return Err(failed(format!("merges.txt cannot represent the merge of {left:?} and {right:?}")));
            }
            text.extend([left, " ", right, "\n"]);
        }
        let vocab: Map<String, Value> =
            self.tokens().into_iter().map(|(id, token)| (token.to_owned(), json!(id))).collect();
        Ok((serde_json::to_vec(&vocab).expect("plain data"), text))
    }

    /// One token per line, in order of ids. Line numbers equal ids if these have no gaps.
    ///
    /// # Errors
    /// If a token contains a line break.
    pub fn to_lines(&self) -> Result<String, Error> {
        let tokens = self.tokens();
        if let Some((id, token)) = tokens.iter().find(|(_, token)| token.contains(['\n', '\r'])) {
            let reason = format!("the token {token:?} (id {id}) contains a line break");
            return Err(wrong(&self.origin, reason, "keep it as a tokenizer.json"));
        }
        Ok(tokens.values().flat_map(|token| [*token, "\n"]).collect())
    }
}

fn wrong(path: &str, reason: String, remedy: &str) -> Error {
    Error::File { path: path.to_owned(), reason, remedy: remedy.to_owned() }
}
