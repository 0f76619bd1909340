//! Every flag of every command, once: parsing, help and completions derive from it. Those of experiments are in
//! `args/experiment.rs`.

mod experiment;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::failure::{DATA, Failure};
use crate::workspace::file_of;

pub use experiment::{Compare, Plan, Question, Report, Run};

/// Fair comparison of DNA tokenizers in front of one shared DNABERT-2 encoder.
///
/// Every tokenizer gets the same bases, the same hidden bases, the same encoder and paired seeds. The answer is a table,
/// figures and one plain sentence, in bits per base: what the model pays for a base it cannot see, whatever the vocabulary.
#[derive(Debug, Parser)]
#[command(name = "tokbench", version, propagate_version = true, max_term_width = 100)]
pub struct Tokbench {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compare tokenizers: plan, train, score, conclude.
    ///
    /// Without any flag but --tokenizers it compares them on a small synthetic genome whose true entropy is known: no download,
    /// some minutes. Finished runs are kept in the store; the same command again only draws the conclusions.
    Compare(Compare),
    /// Show what `compare` would do: runs, hours, memory, and what the seeds can decide.
    ///
    /// The difference that the seeds show with a chance of 80 % is one with which a given comparison is decisive whatever the
    /// other comparisons show: its exact sign-flip p is at most 0.05 divided by their number. It is in standard deviations of
    /// the paired differences over seeds, and in bits per base where earlier records tell how much those vary.
    Plan(Plan),
    /// Do one run of a plan by its key. `compare` starts one such process per run.
    Run(Run),
    /// Draw table, figures and sentence again from records, without data or model.
    Report(Report),
    /// Show one stretch of DNA as each tokenizer cuts it, aligned under its bases.
    Look(Look),
    /// Measure what tokenizers do to a text, beside what they do to random text. No model is needed.
    ///
    /// Bases per token, use of the vocabulary, lengths, entropy, unigram bits per base, stability on the other strand, after
    /// a shift, a substitution and a deletion, and whether text comes back from its tokens. Each number stands beside the
    /// same on a Markov chain of order 2 with the corpus's frequencies and on independent bases: alone it means little. Where
    /// a text shows too few of the tokens, entropy, unigram bits, Rényi efficiency and types come out too low, whatever the
    /// correction: the table marks them. Memory grows with the vocabulary: 5 GB for kmer12.
    Audit(Audit),
    /// List tokenizers, corpora, tasks, encoders, devices and figures.
    List(List),
    /// Learn tokenizers from sequence files, apply them, and look into them. No model is needed.
    Tokenizer(Tokenizer),
    /// Print a completion script for a shell.
    Completions(Completions),
}

/// The tokenizers that `look` and `audit` apply.
#[derive(Debug, Args)]
pub struct Cutting {
    /// Tokenizers, separated by commas. `tokbench list` shows all.
    #[arg(long, short, value_name = "NAMES", default_value = "base,kmer6,kmer6-nonoverlap,bpe4096")]
    pub tokenizers: Vec<String>,
}

impl Tokbench {
    /// Splits lists of tokenizers at their commas, but not inside the path of a file that is there.
    ///
    /// # Errors
    /// What may have been a path with a comma, and is not there.
    pub(crate) fn with_names(mut self) -> Result<Tokbench, Failure> {
        let lists = match &mut self.command {
            Command::Compare(Compare { question, .. }) | Command::Plan(Plan { question }) => {
                vec![&mut question.tokenizers]
            }
            Command::Report(report) => vec![&mut report.tokenizers, &mut report.controls],
            Command::Look(Look { cutting, .. }) | Command::Audit(Audit { cutting, .. }) => {
                vec![&mut cutting.tokenizers]
            }
            _ => Vec::new(),
        };
        for list in lists {
            let mut all = Vec::new();
            for text in &*list {
                all.extend(names(text)?);
            }
            *list = all;
        }
        Ok(self)
    }
}

/// The names in a list. `a,b/t.json`, with `file:` before it or without, is one name if that file exists, and two if it does not.
fn names(text: &str) -> Result<Vec<String>, Failure> {
    let pieces: Vec<&str> = text.split(',').collect();
    let exists = |name: &str| {
        let path = file_of(name);
        path.exists() && !path.is_dir()
    };
    let mut names = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        let end = (at + 2..=pieces.len()).rev().find(|&end| exists(&pieces[at..end].join(","))).unwrap_or(at + 1);
        let name = pieces[at..end].join(",");
        // What follows reads on as a path does.
        let reads_on = |next: &str| !next.trim_start().starts_with("file:") && next.contains(['/', '.']);
        if (name.trim_start().starts_with("file:") || name.contains('/'))
            && !exists(&name)
            && let Some(next) = pieces.get(end).filter(|next| reads_on(next))
        {
            let path = format!("{},{next}", name.trim_start().trim_start_matches("file:"));
            return Err(Failure::new(
                DATA,
                format!("{path}: no such file; a comma separates names, so this would be {name:?} and {next:?}"),
                "check the path, or give each tokenizer its own --tokenizers",
            ));
        }
        names.push(name);
        at = end;
    }
    Ok(names)
}

/// Arguments of `look`.
#[derive(Debug, Args)]
pub struct Look {
    /// What cuts.
    #[command(flatten)]
    pub cutting: Cutting,
    /// The bases to look at, typed out.
    #[arg(long, value_name = "BASES", conflicts_with = "locus")]
    pub sequence: Option<String>,
    /// Corpus that vocabularies are learned on and that a locus is taken from.
    #[arg(long, value_name = "NAME|FILE", default_value = "order1")]
    pub corpus: String,
    /// A place in the corpus: RECORD:FIRST-LAST, counted from 1 [default: the first 120 bases of the first record].
    #[arg(long, value_name = "RECORD:FIRST-LAST")]
    pub locus: Option<String>,
    /// Take learned cuts (mxdna) from the first finished run in this store.
    #[arg(long, env = "TOKBENCH_STORE", value_name = "DIR", default_value = ".tokbench")]
    pub store: PathBuf,
    /// Also write the figure as SVG (and its CSV beside it).
    #[arg(long, short, value_name = "FILE.svg", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Folder of the data that names refer to.
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// What cuts.
    #[command(flatten)]
    pub cutting: Cutting,
    /// Corpus: vocabularies are learned on its training split, its test split is measured. A name from `tokbench list`, a
    /// corpus file (TOML), or a FASTA or FASTQ file (plain or gzip).
    #[arg(long, value_name = "NAME|FILE", default_value = "rich")]
    pub corpus: String,
    /// Bases measured of each species, at most (k and M are understood). All take as many as the smallest one has.
    #[arg(long, value_name = "N", value_parser = count, default_value = "200k")]
    pub bases: u64,
    /// Bases of a window. Windows are cut one by one.
    #[arg(long, value_name = "N", value_parser = positive, default_value = "1000")]
    pub window: usize,
    /// Windows of each species in which shifts, substitutions and deletions are tried.
    #[arg(long, value_name = "N", value_parser = positive, default_value = "100")]
    pub probes: usize,
    /// Seed of the random texts and of the mutations.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Folder for the figures and for all numbers as CSV; without it only the table is printed.
    #[arg(long, short, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Folder of the data that names refer to.
    #[arg(long, env = "TOKBENCH_DATA", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct List {
    /// Machine-readable answer on stdout.
    #[arg(long)]
    pub json: bool,
}

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

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// A time between checkpoints.
fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.0..=1e6).contains(&number) { Ok(number) } else { Err("must be between 0 and 1000000".to_owned()) }
}

/// A share of a sample.
fn share(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim().parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("must be a number above 0".to_owned()) }
}

/// A number of workers or threads.
fn workforce(text: &str) -> Result<usize, String> {
    positive(text)
        .ok()
        .filter(|&number| number <= 1024)
        .ok_or_else(|| "must be a whole number from 1 to 1024".to_owned())
}

/// A whole number above zero.
fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "must be a whole number from 1".to_owned())
}

/// A count with an optional k, M or G.
fn count(text: &str) -> Result<u64, String> {
    let clean = text.replace('_', "");
    let (digits, factor) = match clean.chars().last() {
        Some('k' | 'K') => (&clean[..clean.len() - 1], 1e3),
        Some('m' | 'M') => (&clean[..clean.len() - 1], 1e6),
        Some('g' | 'G') => (&clean[..clean.len() - 1], 1e9),
        _ => (clean.as_str(), 1.0),
    };
    let number: f64 = digits.parse().map_err(|_| "not a number such as 500000, 500k or 5M".to_owned())?;
    let value = number * factor;
    if !(1.0..=1e15).contains(&value) {
        return Err("must be between 1 and 10^15".to_owned());
    }
    Ok(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent() {
        Tokbench::command().debug_assert();
    }

    #[test]
    fn a_comma_separates_names_unless_a_file_has_it_in_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a,b");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("t,1.json"), "").unwrap();
        let file = format!("file:{}/t,1.json", inside.display());
        let found = |text: &str| names(text).unwrap();
        assert_eq!(found(&format!("base,{file},kmer6")), ["base".to_owned(), file, "kmer6".to_owned()]);
        let bare = format!("{}/t,1.json", inside.display());
        assert_eq!(found(&format!("{bare},kmer6")), [bare, "kmer6".to_owned()]);
        assert_eq!(found("base,kmer6"), ["base", "kmer6"]);
        assert_eq!(found("file:nowhere.json,base"), ["file:nowhere.json", "base"]);
        assert_eq!(found(""), [""]);
        let failure = names("file:no,where/t.json,base").unwrap_err();
        assert!(failure.message.starts_with("no,where/t.json: no such file; a comma separates names"), "{failure:?}");
        assert!(names("a/b,c/t.json").unwrap_err().message.starts_with("a/b,c/t.json: no such file"));
    }

    #[test]
    fn counts() {
        assert_eq!(count("500k"), Ok(500_000));
        assert_eq!(count("1.5M"), Ok(1_500_000));
        assert_eq!(count("1_000"), Ok(1000));
        assert!(count("many").is_err() && count("0").is_err() && count("-3").is_err());
    }
}
