//! Flags of `tokenizer` and its commands.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::values::{count, positive, share, workforce};

/// Arguments of `tokenizer`.
#[derive(Debug, Args)]
pub struct Tokenizer {
    /// What to do.
    #[command(subcommand)]
    pub command: TokenizerCommand,
}

/// What can be done with tokenizers.
#[derive(Debug, Subcommand)]
pub enum TokenizerCommand {
    /// Learn a byte-pair vocabulary and write it as a Hugging Face tokenizer.json.
    ///
    /// The merges are those that the Hugging Face trainer learns from the same pieces. It is deterministic, and every smaller
    /// vocabulary is the beginning of a larger one. Memory: 8 to 14 bytes a base at 4,096 entries, 21 at 65,536, up to twice as much
    /// with --both-strands; at most 4.29 billion bases.
    Train(TrainTokenizer),
    /// Cut sequences into tokens: ids as text, NumPy array or Parquet file, spans as BED.
    ///
    /// Long sequences are shared between threads with words of a fixed number of bases, and with byte-pair encodings once their
    /// automaton is made: after 130 thousand bases with 4,096 entries, after 8 million with 32,000. Memory is then that of the
    /// longest sequences, 2 to 5 bytes a base (9 with --both-strands), and not of their tokens. All else is cut whole, with up to 45
    /// bytes a base: Unigram and WordPiece models, and with files that do something of their own with N what lies within some
    /// thousand bases of one. Rows of Parquet files are kept until they end.
    Encode(EncodeFiles),
    /// Turn lines of ids back into sequences.
    ///
    /// The id of unknown letters becomes N. What a file joined (one unknown token for a run of letters, GENA's "-" for a run of N) comes
    /// back as it is spelled there: "encode" counts the letters that ids do not tell.
    Decode(DecodeFile),
    /// Show what a tokenizer consists of: vocabulary, token lengths, longest tokens.
    Inspect(InspectTokenizer),
    /// Write a tokenizer in another form, or only the first entries of a learned one.
    ///
    /// A byte-pair vocabulary is the beginning of every larger one: one training gives all smaller ones (--vocab-size). Words side by
    /// side (base, kmer6-nonoverlap) become a tokenizer.json that gives the same ids in Hugging Face tokenizers.
    Convert(ConvertTokenizer),
}

/// Arguments of `tokenizer train`.
#[derive(Debug, Args)]
pub struct TrainTokenizer {
    /// Sequences: FASTA, FASTQ or a table (CSV, TSV) with a column `sequence`, plain or gzip; - is standard input. N splits
    /// sequences.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Entries of the vocabulary: 5 special ids, 4 bases, merges (9 to 65536).
    #[arg(long, value_name = "V", value_parser = clap::value_parser!(u32).range(9..=65_536))]
    pub vocab_size: u32,
    /// Bases per piece: sequences are cut into such pieces, and no token reaches over a border. 0: whole sequences.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub piece_length: usize,
    /// Fewest places of a pair that is merged.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub min_frequency: u64,
    /// Tokens of three bases and more stay shorter than so many bases, as with the Hugging Face trainer; 0: no bound.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_token_length: usize,
    /// Count both strands: every piece and its reverse complement.
    #[arg(long)]
    pub both_strands: bool,
    /// Learn from about so many bases (k, M and G are understood): evenly spaced pieces of the files, which are read whole.
    #[arg(long, value_name = "N", value_parser = count)]
    pub bases: Option<u64>,
    /// Shares of the files in the sample, one number for each file, separated by commas: 1,1,2. Without --bases as much is taken
    /// as the file that is used up first allows.
    #[arg(long, value_delimiter = ',', value_name = "W", value_parser = share)]
    pub weights: Vec<f64>,
    /// Go on from this vocabulary: its tokens keep their ids, further merges are learned from the files.
    #[arg(long = "continue", value_name = "tokenizer.json", value_hint = ValueHint::FilePath)]
    pub continue_from: Option<PathBuf>,
    /// The file to write; - is standard output.
    #[arg(long, short, value_name = "tokenizer.json", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
}

/// How tokens are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TokenFormat {
    /// One line a sequence, ids separated by blanks.
    Text,
    /// All ids in one NumPy array (FILE, uint16 or uint32), and where each sequence begins in another (FILE.offsets.npy).
    Npy,
    /// One line a token: sequence, first base (from 0), base behind the last, id. The n-th record of a name is called NAME.n, one
    /// without a name record_N by its number; where that name is taken, the next free number follows.
    Bed,
    /// A Parquet file with one row a sequence: its `name` (told apart as in BED) and its `input_ids`, as Hugging Face datasets read
    /// them.
    Parquet,
}

/// Arguments of `tokenizer encode`.
#[derive(Debug, Args)]
pub struct EncodeFiles {
    /// Sequences: FASTA, FASTQ or a table (CSV, TSV) with a column `sequence`, plain or gzip; - is standard input.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// A tokenizer that needs no learning (kmer6, base ...), or the path of a tokenizer.json; - is standard input.
    #[arg(long, short, value_name = "NAME|tokenizer.json")]
    pub tokenizer: String,
    /// How tokens are written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TokenFormat,
    /// The file to write; - is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// Put the special ids that open and close a sequence around each one (not with bed): CLS and SEP, or whatever the post_processor
    /// of a tokenizer.json puts there.
    #[arg(long)]
    pub specials: bool,
    /// Cut both strands: behind every sequence comes its reverse complement. In BED each token has its strand, and its place is that
    /// on the strand given; in Parquet files the name of the other strand ends in /rc.
    #[arg(long)]
    pub both_strands: bool,
    /// The word or its reverse complement, whichever comes first in the alphabet, so that both strands have the same words: of
    /// words that begin at every base only (kmer1 to kmer12). Such ids cannot be decoded.
    #[arg(long)]
    pub canonical: bool,
    /// Threads [default: all processors].
    #[arg(long, value_name = "N", value_parser = workforce)]
    pub threads: Option<usize>,
}

/// Arguments of `tokenizer decode`.
#[derive(Debug, Args)]
pub struct DecodeFile {
    /// Lines of ids separated by blanks, as `tokenizer encode` writes them; - is standard input.
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// The tokenizer that made the ids: a name, or the path of a tokenizer.json; - is standard input.
    #[arg(long, short, value_name = "NAME|tokenizer.json")]
    pub tokenizer: String,
}

/// Arguments of `tokenizer inspect`.
#[derive(Debug, Args)]
pub struct InspectTokenizer {
    /// A tokenizer that needs no learning, or the path of a tokenizer.json; - is standard input.
    #[arg(value_name = "NAME|tokenizer.json")]
    pub tokenizer: String,
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}

/// The form in which a tokenizer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TokenizerFormat {
    /// A Hugging Face tokenizer.json.
    #[value(name = "huggingface")]
    HuggingFace,
    /// A folder with vocab.json and merges.txt, as GPT-2 has them.
    VocabMerges,
    /// One token a line, in order of ids.
    Text,
}

/// Arguments of `tokenizer convert`.
#[derive(Debug, Args)]
pub struct ConvertTokenizer {
    /// A tokenizer.json (- is standard input), a folder with vocab.json and merges.txt, or a tokenizer that needs no learning
    /// (base, kmer6-nonoverlap ...).
    #[arg(value_name = "NAME|tokenizer.json|FOLDER", value_hint = ValueHint::AnyPath)]
    pub input: String,
    /// The form in which it is written.
    #[arg(long, value_name = "FORMAT", default_value = "huggingface")]
    pub to: TokenizerFormat,
    /// Entries to keep: special ids, letters, and the first merges of a byte-pair vocabulary [default: all].
    #[arg(long, value_name = "V", value_parser = positive, allow_hyphen_values = true)]
    pub vocab_size: Option<usize>,
    /// The file to write, - is standard output; with --to vocab-merges the folder.
    #[arg(long, short, value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    pub output: PathBuf,
}
