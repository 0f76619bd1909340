//! `exec:PROGRAM [ARGS]`: a program in any language as a fixed tokenizer (`docs/adding/tokenizer.md#any-program`).
//!
//! The program answers each line of JSON on its standard input with one line of JSON:
//!
//! ```text
//! {"request": "vocabulary"}                         {"name": "cpg", "vocabulary": ["A", "C", "G", "T", "CG"], "version": "1"}
//! {"request": "encode", "sequences": ["ACGT"]}      {"tokens": [[[0, 0, 1], [4, 1, 3], [3, 3, 4]]]}
//! ```
//!
//! A token is its index in the vocabulary and the bases that it covers, 0-based and half-open. Sequences consist of A, C, G and T only: every
//! other letter is \[UNK\] and separates sequences. Tokens must tile the sequence and spell its bases, and depend on it alone. All this is
//! checked: at the start on a fixed sample, and in every answer.
//!
//! [`Tokenizer::encode`] cannot fail, and a program can. Its failure unwinds with an [`Error`] as the payload, without the message of a
//! panic; the program that called gives it out as an error ([`failure`]).

mod command;
mod process;

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use dna::is_base;
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use serde_json::{Value, json};

use self::command::Command;
pub use self::command::PREFIX;
use self::process::{Process, VARIABLE};
use crate::Token;
use crate::error::Error;
use crate::family::Family;
use crate::recipe::Recipe;
use crate::token::{Reading, Tokenizer};
use crate::vocabulary::{SPECIALS, UNK, Vocabulary};

/// `exec:PROGRAM [ARGS]`.
pub const EXEC: Family = Family {
    stem: "exec",
    pattern: "exec:PROGRAM [ARGS]",
    help: "any program that tokenizes sequences from its standard input (lines of JSON)",
    examples: &[],
    resolve: |_| None,
};

/// Why a second start of a program is refused.
const CHANGED: &str =
    "it answers otherwise when it is started again: does a random number, or the order of a set, enter?";
/// Seed of the sequences on which a program is checked.
const SEED: u64 = 1;
/// Random sequences of the sample, and their longest.
const SAMPLE: (usize, usize) = (64, 400);

/// The command in a name with the prefix `exec:`, if it is one and no canonical name.
#[must_use]
pub fn command_in(name: &str) -> Option<&str> {
    name.trim().strip_prefix(PREFIX).map(str::trim)
}

/// The program's name in the canonical name of such a tokenizer; `None` for other tokenizers.
///
/// ```
/// assert_eq!(tokenize::families::exec::stem_of("exec:cpg@0123456789ab"), Some("cpg"));
/// ```
#[must_use]
pub fn stem_of(canonical: &str) -> Option<&str> {
    Some(canonical.strip_prefix(PREFIX)?.rsplit_once('@')?.0)
}

/// Whether a command and a canonical name are of the same program by its file name, which is the best that is known without starting it.
#[must_use]
pub fn may_be(command: &str, canonical: &str) -> bool {
    let same = |command: Command| command.stems().any(|stem| stem_of(canonical) == Some(stem.as_str()));
    Command::parse(command).is_ok_and(same)
}

/// Kills all running programs. For a process that is about to end at once; otherwise they end with their tokenizers.
pub fn end_all() {
    process::kill_all();
}

/// The error in the payload of an unwinding that a failed program caused.
///
/// # Errors
/// The payload, if it is another one.
pub fn failure(payload: Box<dyn Any + Send>) -> Result<Error, Box<dyn Any + Send>> {
    payload.downcast::<Error>().map(|error| *error)
}

/// Starts the program, asks for its vocabulary and checks it on a sample.
///
/// # Errors
/// If it cannot be started, fails, or breaks the contract; the error has what it wrote to its standard error.
pub fn open(command: &str) -> Result<Recipe, Error> {
    let exec = Exec::open(command)?;
    let (label, location) = (exec.stem.clone(), exec.command.located());
    let (tokens_per_base, bases_per_token) = exec.sizes();
    let recipe = Recipe::fixed(Arc::new(exec));
    Ok(Recipe { label, location: Some(location.into()), tokens_per_base, bases_per_token, ..recipe })
}

/// A program as a tokenizer.
#[derive(Debug)]
pub struct Exec {
    name: String,
    stem: String,
    command: Command,
    described: Described,
    vocabulary: Vocabulary,
    /// Tokens and bases of the sample.
    sample: (usize, usize),
    /// Running programs that wait for a request: one for each thread at most.
    idle: Mutex<Vec<Process>>,
}

/// The answer to the request `vocabulary`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Described {
    name: Option<String>,
    vocabulary: Vec<String>,
    #[serde(default)]
    version: Value,
}

#[derive(Deserialize)]
struct Encoded {
    tokens: Vec<Vec<[u64; 3]>>,
}

/// A started program, and its answer to the request `vocabulary`, which is the first of every process.
fn started(command: &Command) -> Result<(Process, Described), String> {
    let mut process = Process::start(command)?;
    let described = process.ask(&json!({"request": "vocabulary"}))?;
    Ok((process, described))
}

impl Exec {
    fn open(command: &str) -> Result<Exec, Error> {
        let command = Command::parse(command)?;
        let refuse = |reason: String| refused(&command, reason);
        let (mut process, described) = started(&command).map_err(refuse)?;
        let bad = |process: &mut Process, reason: String| Err(refused(&command, process.with_stderr(reason)));
        if let Some(reason) = wrong_vocabulary(&described.vocabulary) {
            return bad(&mut process, reason);
        }
        let stem = described.name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| command.stem());
        if !stem.chars().all(command::plain) {
            let reason = format!("its name {stem:?} has other characters than letters, digits, \"_\", \"-\" and \".\"");
            return bad(&mut process, reason);
        }
        let mut exec = Exec {
            name: String::new(),
            stem,
            command: command.clone(),
            vocabulary: Vocabulary::new(&described.vocabulary),
            described,
            sample: (0, 0),
            idle: Mutex::default(),
        };
        // What it does with the sample is its identity: another program with the same answers is the same tokenizer.
        let sample = sample();
        let texts: Vec<&[u8]> = sample.iter().map(Vec::as_slice).collect();
        let together = exec.ask(&mut process, &texts).map_err(refuse)?;
        for (text, tokens) in texts.iter().zip(&together).step_by(9) {
            let alone = exec.ask(&mut process, &[text]).map_err(refuse)?;
            if alone.first() != Some(tokens) {
                let text = shown(text);
                return bad(&mut process, format!("it gives other tokens for {text} alone than among other sequences"));
            }
        }
        let mut again = exec.start().map_err(refuse)?;
        if exec.ask(&mut again, &texts).map_err(refuse)? != together {
            return bad(&mut again, CHANGED.to_owned());
        }
        exec.sample = (together.iter().map(Vec::len).sum(), texts.iter().map(|text| text.len()).sum());
        let spans =
            |tokens: &Vec<Token>| -> Vec<[u32; 2]> { tokens.iter().map(|token| [token.id, token.end]).collect() };
        let answers: Vec<_> = together.iter().map(spans).collect();
        let identity = json!([exec.described.vocabulary, exec.described.version, answers]).to_string();
        exec.name = format!("{PREFIX}{}@{}", exec.stem, &blake3::hash(identity.as_bytes()).to_hex()[..12]);
        exec.put_back(process);
        exec.put_back(again);
        Ok(exec)
    }

    fn put_back(&self, process: Process) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }

    /// Starts the program once more.
    fn start(&self) -> Result<Process, String> {
        let (mut process, described) = started(&self.command)?;
        if described == self.described { Ok(process) } else { Err(process.with_stderr(CHANGED.to_owned())) }
    }

    /// Tokens per base, and a lower estimate of the bases per token, from the sample.
    fn sizes(&self) -> (f64, usize) {
        let (tokens, bases) = self.sample;
        (tokens as f64 / bases.max(1) as f64, (bases / tokens.max(1)).max(1))
    }

    /// The tokens of sequences of A, C, G, T.
    fn ask(&self, process: &mut Process, texts: &[&[u8]]) -> Result<Vec<Vec<Token>>, String> {
        let sequences: Vec<&str> = texts.iter().map(|text| std::str::from_utf8(text).unwrap_or_default()).collect();
        let answer: Encoded = process.ask(&json!({"request": "encode", "sequences": sequences}))?;
        let read = || -> Result<Vec<Vec<Token>>, String> {
            if answer.tokens.len() != texts.len() {
                return Err(format!("it gives tokens of {} sequences for {}", answer.tokens.len(), texts.len()));
            }
            texts.iter().zip(&answer.tokens).map(|(text, tokens)| self.checked(text, tokens)).collect()
        };
        read().map_err(|reason| process.with_stderr(reason))
    }

    /// Checks that the tokens tile a sequence and spell its bases.
    fn checked(&self, text: &[u8], tokens: &[[u64; 3]]) -> Result<Vec<Token>, String> {
        let mut out = Vec::with_capacity(tokens.len());
        let mut at = 0;
        for (number, token) in tokens.iter().enumerate() {
            let [index, start, end] = *token;
            let wrong = |reason: String| Err(format!("{}: token {number}, {token:?}, {reason}", shown(text)));
            if start != at as u64 {
                return wrong(format!("starts at {start}, expected {at}: tokens must tile the sequence"));
            }
            let Some(covered) = usize::try_from(end).ok().filter(|&end| end > at).and_then(|end| text.get(at..end))
            else {
                return wrong(format!("ends at {end}, expected more than {at} and at most {}", text.len()));
            };
            let id = u32::try_from(index).ok().and_then(|index| index.checked_add(SPECIALS));
            let Some((id, spelled)) = id.and_then(|id| Some((id, self.vocabulary.bases(id)?))) else {
                return wrong(format!(
                    "is not one of the {} of the vocabulary",
                    self.vocabulary.len() - SPECIALS as usize
                ));
            };
            if spelled != covered {
                return wrong(format!("is {} in the vocabulary, but covers {}", shown(spelled), shown(covered)));
            }
            out.push(Token { id, start: at as u32, end: end as u32 });
            at += covered.len();
        }
        if at == text.len() {
            Ok(out)
        } else {
            Err(format!("{}: its tokens end at {at}, before the sequence", shown(text)))
        }
    }

    /// The tokens of a sequence in which other letters are \[UNK\].
    fn tokens(&self, bases: &[u8], out: &mut Vec<Token>) -> Result<(), String> {
        let stretches: Vec<&[u8]> =
            bases.chunk_by(|a, b| is_base(*a) && is_base(*b)).filter(|stretch| is_base(stretch[0])).collect();
        let found = if stretches.is_empty() {
            Vec::new()
        } else {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut process = idle.map_or_else(|| self.start(), Ok)?;
            // A process that failed is not used again.
            let found = self.ask(&mut process, &stretches)?;
            self.put_back(process);
            found
        };
        let mut found = found.into_iter();
        let mut at = 0;
        for part in bases.chunk_by(|a, b| is_base(*a) && is_base(*b)) {
            if is_base(part[0]) {
                let shift = |token: Token| Token { id: token.id, start: token.start + at, end: token.end + at };
                out.extend(found.next().unwrap_or_default().into_iter().map(shift));
            } else {
                out.push(Token { id: UNK, start: at, end: at + 1 });
            }
            at += part.len() as u32;
        }
        Ok(())
    }
}

impl Tokenizer for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn reading(&self) -> Reading {
        Reading::Tiling(None)
    }

    fn encode(&self, bases: &[u8], out: &mut Vec<Token>) {
        out.clear();
        if let Err(reason) = self.tokens(bases, out) {
            std::panic::resume_unwind(Box::new(refused(&self.command, reason)));
        }
    }

    /// The command that starts it.
    fn save(&self) -> Option<Vec<u8>> {
        Some(self.command.located().into_bytes())
    }
}

fn refused(command: &Command, reason: String) -> Error {
    let remedy = if reason.starts_with("there is no program") {
        "check the name; a script in this folder is \"./NAME\", or \"python3 NAME\" with its interpreter".to_owned()
    } else if reason.contains("cannot be started") {
        "make it executable (chmod +x), or name its interpreter: \"exec:python3 NAME\"".to_owned()
    } else if reason.starts_with("no answer in") {
        format!("let the program flush its standard output after each answer, or set {VARIABLE} to more seconds")
    } else if reason.starts_with(VARIABLE) || reason.starts_with("there is no folder") {
        "change it".to_owned()
    } else {
        "mend the program; docs/adding/tokenizer.md describes what it must answer".to_owned()
    };
    Error::File { path: command.shown(), reason, remedy }
}

fn wrong_vocabulary(entries: &[String]) -> Option<String> {
    if entries.is_empty() {
        return Some("its vocabulary is empty".to_owned());
    }
    let dna = |entry: &&String| !entry.is_empty() && entry.bytes().all(is_base);
    if let Some(entry) = entries.iter().find(|entry| !dna(entry)) {
        return Some(format!("entry {entry:?} of its vocabulary is not a sequence of A, C, G and T"));
    }
    let mut sorted: Vec<&String> = entries.iter().collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]);
    twice.map(|pair| format!("entry {:?} is twice in its vocabulary", pair[0]))
}

/// A sequence in a message: quoted, its beginning if it is long.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    if text.len() <= 40 { format!("{text:?}") } else { format!("\"{}...\" ({} bases)", &text[..32], text.len()) }
}

/// The sequences on which a program is checked: all of up to three bases, random ones, repeats.
fn sample() -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let base = |code: u32| b"ACGT"[code as usize % 4];
    let short =
        (1..=3).flat_map(|k| (0..4_u32.pow(k)).map(move |code| (0..k).map(|at| base(code >> (2 * at))).collect()));
    let mut sample: Vec<Vec<u8>> = short.collect();
    for number in 0..SAMPLE.0 {
        let length = 1 + rng.next_u32() as usize % SAMPLE.1;
        // Every fourth is a repeat of up to six bases.
        let period = if number % 4 == 3 { 1 + rng.next_u32() as usize % 6 } else { length };
        let unit: Vec<u8> = (0..period).map(|_| base(rng.next_u32() >> 7)).collect();
        sample.push(unit.iter().copied().cycle().take(length).collect());
    }
    sample
}
