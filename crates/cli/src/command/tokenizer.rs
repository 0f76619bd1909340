//! `tokbench tokenizer`: learn, apply and look into tokenizers; files in, files out.

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
use tokenize::{Frontend, Registry, Tokenizer};

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

/// A tokenizer that needs no training text, and the ids that it shows to the world.
struct Ready {
    tokenizer: Arc<dyn Tokenizer>,
    /// The file it came from, where it did.
    file: Option<Arc<HuggingFace>>,
    /// The words of a fixed number of bases that it cuts into, where it does.
    kmer: Option<Arc<Kmer>>,
    ids: Ids,
}

/// The ids that a tokenizer shows to the world, by ours.
#[derive(Clone)]
enum Ids {
    /// Ours, so many.
    Ours(u32),
    /// Those of a file; `None`: a special id that it lacks.
    Listed(Vec<Option<u32>>),
}

impl Ids {
    fn new(listed: &[Option<u32>]) -> Ids {
        if listed.iter().copied().eq((0..listed.len() as u32).map(Some)) {
            Ids::Ours(listed.len() as u32)
        } else {
            Ids::Listed(listed.to_vec())
        }
    }

    fn len(&self) -> usize {
        match self {
            Ids::Ours(count) => *count as usize,
            Ids::Listed(listed) => listed.len(),
        }
    }

    /// What the world sees of an id of ours. (Letters that have no id are refused before; no id is one that no file has.)
    fn shown(&self, ours: u32) -> u32 {
        match self {
            Ids::Ours(_) => ours,
            Ids::Listed(listed) => listed[ours as usize].unwrap_or(u32::MAX),
        }
    }

    /// The largest one that the world sees.
    fn most(&self) -> u32 {
        match self {
            Ids::Ours(count) => count.saturating_sub(1),
            Ids::Listed(listed) => listed.iter().copied().flatten().max().unwrap_or_default(),
        }
    }
}

impl Ready {
    fn of(file: HuggingFace) -> Ready {
        let file = Arc::new(file);
        Ready::new(Arc::<HuggingFace>::clone(&file), Some(file), None)
    }

    fn new(tokenizer: Arc<dyn Tokenizer>, file: Option<Arc<HuggingFace>>, kmer: Option<Arc<Kmer>>) -> Ready {
        let own = || Ids::Ours(tokenizer.vocabulary().len() as u32);
        let ids = file.as_ref().map_or_else(own, |file| Ids::new(file.file_ids()));
        Ready { tokenizer, file, kmer, ids }
    }
}

/// A name of the registry, or the path of a tokenizer.json with or without `file:` before it; `-`: one on standard input.
fn open(tokenizers: &Registry, name: &str) -> Result<Ready, Failure> {
    if is_standard_input(Path::new(name)) {
        return Ok(Ready::of(HuggingFace::from_json(STANDARD_INPUT.to_owned(), &standard_input()?, STANDARD_INPUT)?));
    }
    if Path::new(name).is_dir() {
        return Err(wrong(format!("{name} is a folder"), "give the tokenizer.json in it"));
    }
    let recipe = tokenizers.parse(name)?;
    if recipe.learned_vocabulary {
        return Err(Failure::new(
            USAGE,
            format!("{} has to be learned from text first", recipe.name),
            "learn a BPE with \"tokbench tokenizer train --vocab-size V --output tokenizer.json FILE\", then give that file",
        ));
    }
    if recipe.frontend != Frontend::Lookup {
        return Err(Failure::new(
            USAGE,
            format!("{} is part of a model: its input is single bases, and its units exist only inside", recipe.name),
            "use \"base\" for its input, and \"tokbench look\" for the units of a trained model",
        ));
    }
    let tokenizer = recipe.fit(&mut std::iter::empty())?;
    // These two have ways of their own to encode many sequences.
    let any: Arc<dyn Any + Send + Sync> = Arc::<dyn Tokenizer>::clone(&tokenizer);
    let (file, kmer) = match any.downcast::<HuggingFace>() {
        Ok(file) => (Some(file), None),
        Err(any) => (None, any.downcast::<Kmer>().ok()),
    };
    Ok(Ready::new(tokenizer, file, kmer))
}

/// What a tokenizer on standard input is called.
const STANDARD_INPUT: &str = "standard input";

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| Failure::file(Path::new(STANDARD_INPUT), &error))?;
    Ok(bytes)
}

/// Refuses inputs of which two stand on standard input: the tokenizer, and what is read with it.
fn one_input<'a>(tokenizer: &'a str, files: impl Iterator<Item = &'a Path>) -> Result<(), Failure> {
    if std::iter::once(Path::new(tokenizer)).chain(files).filter(|path| is_standard_input(path)).count() > 1 {
        let reason = "standard input cannot hold both of two inputs: it can be read only once";
        return Err(Failure::new(USAGE, reason, "name a file for one of them"));
    }
    Ok(())
}

/// Whether a path stands for standard input or output.
fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

fn is_standard_input(path: &Path) -> bool {
    is_standard(path) || ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

/// Also by the names that the system has for it: what it was redirected to is not replaced, but written on.
fn is_standard_output(path: &Path) -> bool {
    is_standard(path) || ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// A file that appears under its name only when it is complete, or standard output.
enum Output {
    Standard(BufWriter<io::Stdout>),
    File { file: BufWriter<Draft>, path: PathBuf },
}

impl Output {
    /// Opens an output; folders that it lies in are made.
    fn create(path: &Path) -> Result<Output, Failure> {
        if is_standard_output(path) {
            return Ok(Output::Standard(BufWriter::with_capacity(1 << 16, io::stdout())));
        }
        if path.is_dir() {
            return Err(Failure::new(USAGE, format!("{} is a folder", path.display()), "name a file with --output"));
        }
        if path.file_name().is_none() {
            return Err(Failure::new(USAGE, format!("{} is no file", path.display()), "name a file"));
        }
        folders::make_for(path)?;
        let file = Draft::create(path).map_err(|error| Failure::file(path, &error))?;
        Ok(Output::File { file: BufWriter::with_capacity(1 << 16, file), path: path.to_owned() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Output::Standard(out) => match out.write_all(bytes) {
                // Whoever reads has heard enough (head, less).
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
                result => result.map_err(|error| Failure::file(Path::new("standard output"), &error)),
            },
            Output::File { file, path } => file.write_all(bytes).map_err(|error| Failure::file(path, &error)),
        }
    }

    /// Gives the file its name.
    fn finish(self) -> Result<(), Failure> {
        Output::finish_all([(self, None)])
    }

    /// Writes each header over the beginning of its file, and gives files that belong together their names.
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

/// Writes what is left, and `header` over the beginning.
fn complete(file: BufWriter<Draft>, header: Option<&[u8]>) -> io::Result<Draft> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(header) = header {
        io::Seek::rewind(&mut file)?;
        file.write_all(header)?;
    }
    Ok(file)
}

/// A failure of data.
fn wrong(message: String, remedy: &str) -> Failure {
    Failure::new(DATA, message, remedy)
}
