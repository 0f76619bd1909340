//! `tokbench tokenizer convert`: tokenizers from one file format to another.

use std::path::{Path, PathBuf};

use bpe::HuggingFace;
use bpe::huggingface::file::File;
use tokenize::Registry;
use tokenize::Tokenizer;
use tokenize::kmer::Kmer;

use super::loaded::open;
use super::output::Output;
use super::standard::is_standard_output;
use crate::args::{self, TokenizerFormat};
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::stdout::errln;
use crate::workspace::file_of;

/// The two files of a byte-pair encoding in the format of GPT-2.
const PAIR: [&str; 2] = ["vocab.json", "merges.txt"];

pub(crate) fn run(tokenizers: &Registry, args: &args::ConvertTokenizer) -> Result<u8, Failure> {
    let folder = args.to == TokenizerFormat::VocabMerges;
    if folder && (is_standard_output(&args.output) || args.output.is_file()) {
        return Err(Failure::new(
            USAGE,
            format!("{} is not a folder, but vocab.json and merges.txt are two files", args.output.display()),
            "name a folder with --output; it is created if needed",
        ));
    }
    // A folder has two input files, anything else one.
    let pair_in = |folder: &Path| PAIR.map(|file| folder.join(file)).to_vec();
    let one = || vec![file_of(&args.input).to_owned()];
    let inputs = pair(Path::new(&args.input)).map_or_else(one, |folder| pair_in(&folder));
    let outputs = if folder { pair_in(&args.output) } else { vec![args.output.clone()] };
    for output in &outputs {
        folders::apart(output, inputs.iter().map(PathBuf::as_path))?;
    }
    let mut file = read(tokenizers, args)?;
    if let Some(entries) = args.vocab_size {
        file = file.first(entries)?;
        HuggingFace::from_json(args.input.clone(), &file.to_json(), &args.input)?;
    }
    let entries = file.tokens().len();
    match args.to {
        TokenizerFormat::HuggingFace => write(&args.output, &file.to_json())?,
        TokenizerFormat::Text => write(&args.output, file.to_lines()?.as_bytes())?,
        TokenizerFormat::VocabMerges => {
            let texts = file.to_vocab_merges()?;
            folders::make(&args.output)?;
            let mut files = PAIR.map(|name| args.output.join(name)).map(|path| Output::create(&path));
            for (file, text) in files.iter_mut().zip(texts) {
                if let Ok(file) = file {
                    file.write(&text)?;
                }
            }
            let [vocab, merges] = files;
            Output::finish_all([(vocab?, None), (merges?, None)])?;
            if !file.keeps_specials() {
                errln!(
                    "note: vocab.json and merges.txt cannot represent its post_processor (special tokens around a sequence)"
                );
            }
        }
    }
    let gap = file.tokens().into_keys().ne(0..entries as u64);
    if args.to == TokenizerFormat::Text && gap {
        errln!("note: ids are not contiguous, so line numbers differ from ids");
    }
    errln!("{entries} entries");
    Ok(0)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut output = Output::create(path)?;
    output.write(bytes)?;
    output.finish()
}

/// Reads the input as the content of a tokenizer.json, and checks that it is a valid one.
fn read(tokenizers: &Registry, args: &args::ConvertTokenizer) -> Result<File, Failure> {
    let name = args.input.as_str();
    if let Some(folder) = pair(Path::new(name)) {
        let [vocab, merges] = PAIR.map(|file| {
            let path = folder.join(file);
            let remedy =
                "a folder must contain vocab.json and merges.txt; for other tokenizers, name the tokenizer.json";
            let read = std::fs::read(&path);
            let bytes = read.map_err(|error| Failure::new(DATA, format!("{}: {error}", path.display()), remedy))?;
            pipeline::text::of(&bytes, &path)
        });
        let file = File::from_vocab_merges(vocab?.as_bytes(), &merges?, name)?;
        HuggingFace::from_json(name.to_owned(), &file.to_json(), name)?;
        return Ok(file);
    }
    let loaded = open(tokenizers, name)?;
    if let Some(kmer) = &loaded.kmer {
        if args.vocab_size.is_some() {
            return Err(Failure::new(
                USAGE,
                format!("{name} contains every k-mer of its length and cannot be truncated"),
                "omit --vocab-size, or choose another K (kmer4-nonoverlap)",
            ));
        }
        // The vocabulary does not depend on whether k-mers overlap.
        return Ok(match kmer.reading().fixed() {
            Some(k) if args.to == TokenizerFormat::Text => Kmer::new(name.to_owned(), k, k).to_file()?,
            _ => kmer.to_file()?,
        });
    }
    let text = loaded.tokenizer.save().unwrap_or_default();
    Ok(File::parse(&text, &file_of(name).to_string_lossy())?)
}

/// The folder of `vocab.json` and `merges.txt`, if `path` is that folder or one of the two files.
fn pair(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let named = path.file_name().is_some_and(|name| PAIR.iter().any(|file| name == *file));
    (named && path.is_file()).then(|| path.parent().unwrap_or(Path::new("")).to_owned())
}
