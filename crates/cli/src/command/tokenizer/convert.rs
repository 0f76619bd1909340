//! `tokbench tokenizer convert`.

use std::path::{Path, PathBuf};

use bpe::HuggingFace;
use bpe::huggingface::file::File;
use tokenize::Registry;
use tokenize::Tokenizer;
use tokenize::kmer::Kmer;

use super::{Output, is_standard_output, open};
use crate::args::{self, TokenizerFormat};
use crate::failure::{DATA, Failure, USAGE};
use crate::folders;
use crate::stdout::errln;
use crate::workspace::file_of;

/// The two files of a byte-pair encoding.
const PAIR: [&str; 2] = ["vocab.json", "merges.txt"];

pub(crate) fn run(tokenizers: &Registry, args: &args::ConvertTokenizer) -> Result<u8, Failure> {
    let folder = args.to == TokenizerFormat::VocabMerges;
    if folder && (is_standard_output(&args.output) || args.output.is_file()) {
        return Err(Failure::new(
            USAGE,
            format!("{} is no folder, and vocab.json and merges.txt are two files", args.output.display()),
            "name a folder with --output; it is made where there is none",
        ));
    }
    // Of a folder two files are read, of a file one.
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
                errln!("note: vocab.json and merges.txt do not hold its post_processor: special ids around a sequence");
            }
        }
    }
    let gap = file.tokens().into_keys().ne(0..entries as u64);
    if args.to == TokenizerFormat::Text && gap {
        errln!("note: ids leave gaps, so lines are not numbered as ids");
    }
    errln!("{entries} entries");
    Ok(0)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut output = Output::create(path)?;
    output.write(bytes)?;
    output.finish()
}

/// The tokenizer that is named, in the form of a tokenizer.json; checked that it is one.
fn read(tokenizers: &Registry, args: &args::ConvertTokenizer) -> Result<File, Failure> {
    let name = args.input.as_str();
    if let Some(folder) = pair(Path::new(name)) {
        let [vocab, merges] = PAIR.map(|file| {
            let path = folder.join(file);
            let remedy = "a folder must hold vocab.json and merges.txt; of other tokenizers give the tokenizer.json";
            let read = std::fs::read(&path);
            let bytes = read.map_err(|error| Failure::new(DATA, format!("{}: {error}", path.display()), remedy))?;
            pipeline::text::of(&bytes, &path)
        });
        let file = File::from_vocab_merges(vocab?.as_bytes(), &merges?, name)?;
        HuggingFace::from_json(name.to_owned(), &file.to_json(), name)?;
        return Ok(file);
    }
    let ready = open(tokenizers, name)?;
    if let Some(kmer) = &ready.kmer {
        if args.vocab_size.is_some() {
            return Err(Failure::new(
                USAGE,
                format!("{name} is every word of its length: there is no first part of it"),
                "leave --vocab-size away, or choose another number of bases (kmer4-nonoverlap)",
            ));
        }
        // A list of words is the same whether they overlap or not.
        return Ok(match kmer.reading().fixed() {
            Some(k) if args.to == TokenizerFormat::Text => Kmer::new(name.to_owned(), k, k).to_file()?,
            _ => kmer.to_file()?,
        });
    }
    let text = ready.tokenizer.save().unwrap_or_default();
    Ok(File::parse(&text, &file_of(name).to_string_lossy())?)
}

/// The folder of `vocab.json` and `merges.txt`, if it or one of them is named.
fn pair(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let named = path.file_name().is_some_and(|name| PAIR.iter().any(|file| name == *file));
    (named && path.is_file()).then(|| path.parent().unwrap_or(Path::new("")).to_owned())
}
