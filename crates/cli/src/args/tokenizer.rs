//! Flags of `tokenizer` and its subcommands.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::values::{count, positive, threads, weight};

/// Arguments of `tokenizer`.
#[derive(Debug, Args)]
pub struct Tokenizer {
    /// The subcommand.
    #[command(subcommand)]
    pub command: TokenizerCommand,
}

/// The subcommands of `tokenizer`.
#[derive(Debug, Subcommand)]
pub enum TokenizerCommand {
    /// Train a byte-pair encoding (BPE) and write it as a Hugging Face tokenizer.json.
    ///
    /// The merges are those that the Hugging Face trainer learns from the same chunks. Training is deterministic, and every smaller
    /// vocabulary is a prefix of a larger one. Memory: 8 to 14 bytes per base at 4,096 entries, 21 at 65,536, up to twice as much
    /// with --both-strands. At most 4.29 billion bases.
    Train(TrainTokenizer),
    /// Encode sequences: token ids as text, NumPy array or Parquet file, token spans as BED.
    ///
    /// Long sequences are divided between threads for k-mers, and for byte-pair encodings once their automaton is built: after 130
    /// thousand bases with 4,096 entries, after 8 million with 32,000. Memory then depends on the longest sequences, 2 to 5 bytes
    /// per base (9 with --both-strands), and not on their tokens. Everything else is encoded undivided, with up to 45 bytes per
    /// base: Unigram and WordPiece models, and, for tokenizer files with special rules for N, the sequence within some thousand
    /// bases of an N. Rows of Parquet files are kept in memory until they are complete.
    Encode(EncodeFiles),
    /// Decode lines of token ids into sequences.
    ///
    /// The unknown token becomes N. A token that stands for a run of letters (one unknown token for several letters, GENA's "-" for a
    /// run of N) is decoded as it is spelled in the tokenizer file: "encode" reports how many letters are lost in this way.
    Decode(DecodeFile),
    /// Show the vocabulary of a tokenizer: its size, token lengths, longest tokens.
    Inspect(InspectTokenizer),
    /// Convert a tokenizer to another file format, or truncate its vocabulary.
    ///
    /// A byte-pair vocabulary is a prefix of every larger one, so that one training gives all smaller ones (--vocab-size).
    /// Non-overlapping k-mers (base, kmer6-nonoverlap) become a tokenizer.json that gives the same ids in Hugging Face tokenizers.
    Convert(ConvertTokenizer),
}

/// Arguments of `tokenizer train`.
#[derive(Debug, Args)]
pub struct TrainTokenizer {
    /// Sequences: FASTA, FASTQ or a table (CSV, TSV) with a column `sequence`, plain or gzip; - is standard input. Sequences are
    /// split at N.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Vocabulary size: 5 special tokens, 4 bases, and the merges (9 to 65536).
    #[arg(long, value_name = "V", value_parser = clap::value_parser!(u32).range(9..=65_536))]
    pub vocab_size: u32,
    /// Chunk length in bases: sequences are split into chunks, and tokens do not cross chunk boundaries. 0: whole sequences.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub piece_length: usize,
    /// Minimum frequency of a pair to be merged.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub min_frequency: u64,
    /// Maximum token length in bases (exclusive, for tokens of at least 3 bases, as in the Hugging Face trainer); 0: no limit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_token_length: usize,
    /// Train on both strands: every chunk and its reverse complement.
    #[arg(long)]
    pub both_strands: bool,
    /// Train on a sample of about N bases (500k, 5M, 1G): evenly spaced chunks of the files, which are read completely.
    #[arg(long, value_name = "N", value_parser = count)]
    pub bases: Option<u64>,
    /// Sampling weights of the files, one per file, separated by commas: 1,1,2. Without --bases, the sample is the
    /// largest with these weights.
    #[arg(long, value_delimiter = ',', value_name = "W", value_parser = weight)]
    pub weights: Vec<f64>,
    /// Continue training from this vocabulary: its tokens keep their ids, and further merges are learned from the files.
    #[arg(long = "continue", value_name = "tokenizer.json", value_hint = ValueHint::FilePath)]
    pub continue_from: Option<PathBuf>,
    /// Output file; - is standard output.
    #[arg(long, short, value_name = "tokenizer.json", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
}

/// Output formats of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TokenFormat {
    /// One line per sequence, ids separated by spaces.
    Text,
    /// All ids in one NumPy array (FILE, uint16 or uint32), and the offset of each sequence in another (FILE.offsets.npy).
    Npy,
    /// One line per token: sequence name, start (0-based), end (exclusive), id. The n-th record with the same name is called NAME.n,
    /// a record without a name record_N by its number; if that name is taken, the next free number is used.
    Bed,
    /// A Parquet file with one row per sequence: its `name` (made unique as in BED) and its `input_ids`, as Hugging Face datasets
    /// read them.
    Parquet,
}

/// Arguments of `tokenizer encode`.
#[derive(Debug, Args)]
pub struct EncodeFiles {
    /// Sequences: FASTA, FASTQ or a table (CSV, TSV) with a column `sequence`, plain or gzip; - is standard input.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Tokenizer: a name that needs no training (kmer6, base ...), or the path of a tokenizer.json; - is standard input.
    #[arg(long, short, value_name = "NAME|tokenizer.json")]
    pub tokenizer: String,
    /// Output format.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TokenFormat,
    /// Output file; - is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Add special tokens around each sequence (not with bed): CLS and SEP, or those of the post_processor of a
    /// tokenizer.json.
    #[arg(long)]
    pub specials: bool,
    /// Also encode the reverse complement of each sequence, after the sequence itself. BED lines have a strand, and their positions
    /// are those on the forward strand; in Parquet files the name of the reverse complement ends in /rc.
    #[arg(long)]
    pub both_strands: bool,
    /// Use canonical k-mers: a k-mer or its reverse complement, whichever comes first in alphabetical order (stride 1 only: kmer1 to
    /// kmer12). Canonical ids cannot be decoded.
    #[arg(long)]
    pub canonical: bool,
    /// Number of threads [default: all processors].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// Arguments of `tokenizer decode`.
#[derive(Debug, Args)]
pub struct DecodeFile {
    /// Lines of ids separated by spaces, as `tokenizer encode` writes them; - is standard input.
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Tokenizer that produced the ids: a name, or the path of a tokenizer.json; - is standard input.
    #[arg(long, short, value_name = "NAME|tokenizer.json")]
    pub tokenizer: String,
}

/// Arguments of `tokenizer inspect`.
#[derive(Debug, Args)]
pub struct InspectTokenizer {
    /// Tokenizer: a name that needs no training, or the path of a tokenizer.json; - is standard input.
    #[arg(value_name = "NAME|tokenizer.json")]
    pub tokenizer: String,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// File formats of tokenizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TokenizerFormat {
    /// A Hugging Face tokenizer.json.
    #[value(name = "huggingface")]
    HuggingFace,
    /// A folder with vocab.json and merges.txt, as used by GPT-2.
    VocabMerges,
    /// One token per line, in order of ids.
    Text,
}

/// Arguments of `tokenizer convert`.
#[derive(Debug, Args)]
pub struct ConvertTokenizer {
    /// Tokenizer: a tokenizer.json (- is standard input), a folder with vocab.json and merges.txt, or a name that needs no training
    /// (base, kmer6-nonoverlap ...).
    #[arg(value_name = "NAME|tokenizer.json|FOLDER", value_hint = ValueHint::AnyPath)]
    pub input: String,
    /// Output format.
    #[arg(long, value_name = "FORMAT", default_value = "huggingface")]
    pub to: TokenizerFormat,
    /// Vocabulary size to truncate to: special tokens, letters, and the first merges of a byte-pair encoding [default: all].
    #[arg(long, value_name = "V", value_parser = positive, allow_hyphen_values = true)]
    pub vocab_size: Option<usize>,
    /// Output file, - is standard output; with --to vocab-merges the output folder.
    #[arg(long, short, value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    pub output: PathBuf,
}
