//! `tokbench tokenizer`: train, apply, inspect and convert tokenizers; files in, files out.

mod convert;
mod decode;
mod encode;
mod inspect;
mod sample;
mod train;

use std::any::Any;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bpe::HuggingFace;
use experiment::files::Draft;
use tokenize::kmer::Kmer;
use tokenize::{FrontendConfig, Registry, Tokenizer};

use crate::args::{self, TokenizerCommand};
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;

pub(crate) fn run(tokenizers: &Registry, args: &args::Tokenizer) -> Result<u8, Failure> {
    match &args.command {
        TokenizerCommand::Train(args) => train::run(args),
        TokenizerCommand::Encode(args) => encode::run(tokenizers, args),
        TokenizerCommand::Decode(args) => decode::run(tokenizers, args),
        TokenizerCommand::Inspect(args) => inspect::run(tokenizers, args),
        TokenizerCommand::Convert(args) => convert::run(tokenizers, args),
    }
}

/// A tokenizer that needs no training text, and its external ids.
struct Loaded {
    tokenizer: Arc<dyn Tokenizer>,
    /// The tokenizer.json that it was read from, if any.
    file: Option<Arc<HuggingFace>>,
    /// The k-mers, if it is a k-mer tokenizer.
    kmer: Option<Arc<Kmer>>,
    ids: Ids,
}

/// External ids (those of outputs and inputs), indexed by internal id (special ids first, the same for all tokenizers).
#[derive(Clone)]
enum Ids {
    /// The internal ids themselves, and their number.
    Internal(u32),
    /// Those of a tokenizer.json; `None`: a special token that it lacks.
    Listed(Vec<Option<u32>>),
}

impl Ids {
    fn new(listed: &[Option<u32>]) -> Ids {
        if listed.iter().copied().eq((0..listed.len() as u32).map(Some)) {
            Ids::Internal(listed.len() as u32)
        } else {
            Ids::Listed(listed.to_vec())
        }
    }

    fn len(&self) -> usize {
        match self {
            Ids::Internal(count) => *count as usize,
            Ids::Listed(listed) => listed.len(),
        }
    }

    /// The external id of an internal one; `u32::MAX`, which no file has, where there is none (letters without an id are refused
    /// earlier).
    fn external(&self, internal: u32) -> u32 {
        match self {
            Ids::Internal(_) => internal,
            Ids::Listed(listed) => listed[internal as usize].unwrap_or(u32::MAX),
        }
    }

    /// The largest external id.
    fn largest(&self) -> u32 {
        match self {
            Ids::Internal(count) => count.saturating_sub(1),
            Ids::Listed(listed) => listed.iter().copied().flatten().max().unwrap_or_default(),
        }
    }
}

impl Loaded {
    fn of(file: HuggingFace) -> Loaded {
        let file = Arc::new(file);
        Loaded::new(Arc::<HuggingFace>::clone(&file), Some(file), None)
    }

    fn new(tokenizer: Arc<dyn Tokenizer>, file: Option<Arc<HuggingFace>>, kmer: Option<Arc<Kmer>>) -> Loaded {
        let own = || Ids::Internal(tokenizer.vocabulary().len() as u32);
        let ids = file.as_ref().map_or_else(own, |file| Ids::new(file.file_ids()));
        Loaded { tokenizer, file, kmer, ids }
    }
}

/// Loads a tokenizer: a name of the registry, or the path of a tokenizer.json with or without the prefix `file:`; `-` is standard
/// input.
fn open(tokenizers: &Registry, name: &str) -> Result<Loaded, Failure> {
    if is_standard_input(Path::new(name)) {
        return Ok(Loaded::of(HuggingFace::from_json(STANDARD_INPUT.to_owned(), &standard_input()?, STANDARD_INPUT)?));
    }
    if Path::new(name).is_dir() {
        return Err(invalid(format!("{name} is a folder"), "name the tokenizer.json in it"));
    }
    let recipe = tokenizers.parse(name)?;
    if recipe.learned_vocabulary {
        return Err(Failure::new(
            USAGE,
            format!("{} must be trained first", recipe.name),
            "train a BPE with \"tokbench tokenizer train --vocab-size V --output tokenizer.json FILE\", then name that file",
        ));
    }
    if recipe.frontend != FrontendConfig::Lookup {
        return Err(Failure::new(
            USAGE,
            format!(
                "{} is a learned front end: its input is single bases, and its units exist only inside the model",
                recipe.name
            ),
            "use \"base\" for its input, and \"tokbench look\" for the units of a trained model",
        ));
    }
    let tokenizer = recipe.fit(&mut std::iter::empty())?;
    // These two types have faster methods for many sequences.
    let any: Arc<dyn Any + Send + Sync> = Arc::<dyn Tokenizer>::clone(&tokenizer);
    let (file, kmer) = match any.downcast::<HuggingFace>() {
        Ok(file) => (Some(file), None),
        Err(any) => (None, any.downcast::<Kmer>().ok()),
    };
    Ok(Loaded::new(tokenizer, file, kmer))
}

/// The name of a tokenizer that is read from standard input.
const STANDARD_INPUT: &str = "standard input";

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| Failure::file(Path::new(STANDARD_INPUT), &error))?;
    Ok(bytes)
}

/// Refuses two inputs on standard input: the tokenizer, and the files that are read with it.
fn one_standard_input<'a>(tokenizer: &'a str, files: impl Iterator<Item = &'a Path>) -> Result<(), Failure> {
    if std::iter::once(Path::new(tokenizer)).chain(files).filter(|path| is_standard_input(path)).count() > 1 {
        let reason = "two inputs cannot both be standard input: it can be read only once";
        return Err(Failure::new(USAGE, reason, "name a file for one of them"));
    }
    Ok(())
}

/// Whether a path means standard input or output.
fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

fn is_standard_input(path: &Path) -> bool {
    is_standard(path) || ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

/// Also under the names that the system has for it: a file that it was redirected to is appended to, not replaced.
fn is_standard_output(path: &Path) -> bool {
    is_standard(path) || ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// Standard output, or a file that gets its name only when it is complete.
enum Output {
    Standard(BufWriter<io::Stdout>),
    File { file: BufWriter<Draft>, path: PathBuf },
}

impl Output {
    /// Opens an output and creates its folders.
    fn create(path: &Path) -> Result<Output, Failure> {
        if is_standard_output(path) {
            return Ok(Output::Standard(BufWriter::with_capacity(1 << 16, io::stdout())));
        }
        if path.is_dir() {
            return Err(Failure::new(USAGE, format!("{} is a folder", path.display()), "name a file with --output"));
        }
        if path.file_name().is_none() {
            return Err(Failure::new(USAGE, format!("{} is not a file", path.display()), "name a file"));
        }
        folders::make_for(path)?;
        let file = Draft::create(path).map_err(|error| Failure::file(path, &error))?;
        Ok(Output::File { file: BufWriter::with_capacity(1 << 16, file), path: path.to_owned() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Output::Standard(out) => match out.write_all(bytes) {
                // The reader closed the pipe (head, less).
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
                result => result.map_err(|error| Failure::file(Path::new("standard output"), &error)),
            },
            Output::File { file, path } => file.write_all(bytes).map_err(|error| Failure::file(path, &error)),
        }
    }

    /// Completes the file and gives it its name.
    fn finish(self) -> Result<(), Failure> {
        Output::finish_all([(self, None)])
    }

    /// Writes each header over the beginning of its file, and names all files together.
    fn finish_all<const N: usize>(outputs: [(Output, Option<Vec<u8>>); N]) -> Result<(), Failure> {
        let (mut drafts, mut last) = (Vec::new(), PathBuf::new());
        for (output, header) in outputs {
            match output {
                Output::Standard(mut out) => match out.flush() {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                        return Err(Failure::file(Path::new("standard output"), &error));
                    }
                    _ => {}
                },
                Output::File { file, path } => {
                    drafts.push(complete(file, header.as_deref()).map_err(|error| Failure::file(&path, &error))?);
                    last = path;
                }
            }
        }
        experiment::files::finish_all(drafts).map_err(|error| Failure::file(&last, &error))
    }
}

/// Flushes the file, and writes `header` over its beginning.
fn complete(file: BufWriter<Draft>, header: Option<&[u8]>) -> io::Result<Draft> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(header) = header {
        io::Seek::rewind(&mut file)?;
        file.write_all(header)?;
    }
    Ok(file)
}

/// A failure caused by invalid data.
fn invalid(message: String, remedy: &str) -> Failure {
    Failure::new(DATA, message, remedy)
}
