//! A corpus: species, each a list of sequence records, divided into training, validation and test split, all in memory.
//!
//! Specification: `corpus/spec.rs`. Split into blocks: `split.rs`. Windows: `windows.rs`. Generated corpora: `synthetic.rs`.
//!
//! ```
//! use dataset::{Corpus, CorpusSpec, Split, stream};
//! let spec = CorpusSpec::from_toml("name = 'mine'\nsynthetic = { kind = 'markov', order = 1 }").unwrap();
//! let corpus = Corpus::open(&spec, std::path::Path::new("")).unwrap();
//! let window = corpus.sample_window(Split::Train, 252, &mut stream(0, "windows")).unwrap();
//! assert_eq!(window.bases.len(), 252);
//! ```

mod noise;
mod spec;

use crate::error::{Error, Result};
use crate::fasta;
use crate::markov::MarkovChain;
use crate::names::Names;
use crate::regions::Regions;
use crate::species::{Species, SpeciesSpec};
use crate::split::{Block, Split, SplitSpec, assign};
use dna::policy::{Counts, thousands};
pub use noise::Noise;
pub use spec::CorpusSpec;
use std::fmt;
use std::path::Path;

/// A maximal run of adjacent blocks of one record that belong to the same split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) record: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A corpus in memory.
#[derive(Debug, Clone)]
pub struct Corpus {
    name: String,
    hash: String,
    species: Vec<Species>,
    counts: Counts,
    blocks: Vec<Block>,
    /// Training and validation blocks of the species that are held out of training: in no split.
    unused: Vec<Block>,
    /// `[split][species][segment]`
    segments: [Vec<Vec<Segment>>; 3],
    /// By species, if the text was sampled from a known source.
    sources: Vec<MarkovChain>,
}

impl Corpus {
    /// Reads or generates the sequences and splits them.
    ///
    /// # Errors
    /// If the specification is invalid, a file cannot be read, a genome is too small for its blocks, or a split contains only N.
    pub fn open(spec: &CorpusSpec, data_root: &Path) -> Result<Self> {
        spec.check()?;
        let mut counts = Counts::default();
        let (species, source) = match &spec.synthetic {
            Some(synthetic) => {
                let (species, source) = synthetic.generate(&spec.name)?;
                for record in species.iter().flat_map(|species| &species.records) {
                    counts.records += 1;
                    counts.bases += record.bases.len() as u64;
                }
                (species, source)
            }
            None => (read_species(&spec.species, data_root, &mut counts)?, None),
        };
        let mut corpus = Self::split(spec, species, counts, source)?;
        if let Some(noise) = spec.noise {
            corpus.replace_by(noise);
            corpus.name = format!("{}:{}", noise.name(), spec.name);
            corpus.hash = hash(&corpus.species, &spec.split);
        }
        Ok(corpus)
    }

    /// A corpus of one file, with the specification that [`CorpusSpec::from_fasta`] would give. The file is read only once, so
    /// it may be a pipe.
    ///
    /// # Errors
    /// As [`Corpus::open`].
    pub fn from_fasta(path: &Path) -> Result<(CorpusSpec, Self)> {
        let (records, counts) = fasta::read(path)?;
        let spec = CorpusSpec::of_bases(path, counts.bases)?;
        let species = spec.species.iter().zip([records]).map(|(one, records)| one.with(records)).collect();
        let corpus = Self::split(&spec, species, counts, None)?;
        Ok((spec, corpus))
    }

    fn split(
        spec: &CorpusSpec,
        species: Vec<Species>,
        mut counts: Counts,
        source: Option<MarkovChain>,
    ) -> Result<Self> {
        let mut blocks = vec![];
        for (index, species) in species.iter().enumerate() {
            // Record names must be unique within a species; different species may both have a "chr1".
            let mut names = Names::default();
            for record in &species.records {
                names.distinct(record.name.clone());
            }
            counts.repeated += names.repeated();
            counts.nameless += names.nameless();
            blocks.extend(assign(&spec.split, index, &species.name, &species.records)?);
        }
        let (blocks, unused): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|block| block.split == Split::Test || !species[block.species].held_out);
        let segments = Split::ALL.map(|split| join(&blocks, species.len(), split));
        let hash = hash(&species, &spec.split);
        let sources = source.map_or_else(Vec::new, |chain| vec![chain; species.len()]);
        let corpus = Self { name: spec.name.clone(), hash, species, counts, blocks, unused, segments, sources };
        corpus.check_letters()?;
        Ok(corpus)
    }

    /// Every non-empty split of every species must contain at least one base that is not N.
    fn check_letters(&self) -> Result<()> {
        for split in Split::ALL {
            for (index, segments) in self.segment_positions(split).iter().enumerate() {
                let mut sequences = segments.iter().map(|segment| self.slice(index, segment));
                if !segments.is_empty() && sequences.all(|bases| bases.iter().all(|&base| base == b'N')) {
                    return Err(self.no_window(index, split, 1, "without N"));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn no_window(&self, species: usize, split: Split, length: usize, quality: &'static str) -> Error {
        let (corpus, species) = (self.name.clone(), self.species[species].name.clone());
        Error::NoWindow { corpus, species, split: split.title(), length, quality }
    }

    /// The name of the specification.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// BLAKE3 (hex) of the normalized sequences, species names, weights, region classes and split specification; paths and record names are
    /// not part of it.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The species, in the order of the specification.
    #[must_use]
    pub fn species(&self) -> &[Species] {
        &self.species
    }

    /// Numbers of records and bases read, and what the base policy changed.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// All blocks of the splits, by species, in genome order; of a species held out of training, those of the test split.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Number of bases in a split, N included.
    #[must_use]
    pub fn bases(&self, split: Split) -> u64 {
        self.blocks.iter().filter(|block| block.split == split).map(|block| block.size() as u64).sum()
    }

    /// The maximal segments of the training split, by species: the text from which vocabularies are learned.
    pub fn training_segments(&self) -> impl Iterator<Item = &[u8]> {
        self.segments(Split::Train)
    }

    /// The maximal segments of a split, by species.
    pub fn segments(&self, split: Split) -> impl Iterator<Item = &[u8]> {
        let species = self.segment_positions(split).iter().enumerate();
        species.flat_map(move |(index, segments)| segments.iter().map(move |segment| self.slice(index, segment)))
    }

    /// The Markov chain that the text of a species was sampled from, if it is known: the code length under its exact posterior is the
    /// entropy floor.
    #[must_use]
    pub fn source_of(&self, species: &str) -> Option<&MarkovChain> {
        let index = self.species.iter().position(|one| one.name == species)?;
        self.sources.get(index)
    }

    /// The species that are trained on, in the order of the specification.
    pub fn trained(&self) -> impl Iterator<Item = &Species> {
        self.species.iter().filter(|species| !species.held_out)
    }

    /// Whether the species with this name is held out of training: it has a test split only.
    #[must_use]
    pub fn is_held_out(&self, species: &str) -> bool {
        self.species.iter().any(|one| one.name == species && one.held_out)
    }

    /// Positions of the segments of a split, `[species][segment]`.
    pub(crate) fn segment_positions(&self, split: Split) -> &[Vec<Segment>] {
        &self.segments[split as usize]
    }

    pub(crate) fn slice(&self, species: usize, segment: &Segment) -> &[u8] {
        &self.species[species].records[segment.record].bases[segment.start..segment.end]
    }
}

impl fmt::Display for Corpus {
    /// One line: name, records and bases read, bases per split.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bases = Split::ALL.map(|split| format!("{} {}", split.title(), thousands(self.bases(split))));
        write!(f, "{}: {}; bases: {}", self.name, self.counts, bases.join(", "))
    }
}

fn read_species(specs: &[SpeciesSpec], data_root: &Path, counts: &mut Counts) -> Result<Vec<Species>> {
    let mut read = |spec: &SpeciesSpec| {
        let mut all = vec![];
        for file in &spec.files {
            let (records, read) = fasta::read(&data_root.join(file))?;
            all.extend(records);
            *counts += read;
        }
        let mut species = spec.with(all);
        if let Some(bed) = &spec.regions {
            species.regions = Some(Regions::read(&data_root.join(bed), &species.records)?);
        }
        Ok(species)
    };
    specs.iter().map(&mut read).collect()
}

/// Joins adjacent blocks of `split` into segments, by species.
fn join(blocks: &[Block], species: usize, split: Split) -> Vec<Vec<Segment>> {
    let mut joined: Vec<Vec<Segment>> = vec![vec![]; species];
    for block in blocks.iter().filter(|block| block.split == split) {
        let segments = &mut joined[block.species];
        match segments.last_mut() {
            Some(last) if last.record == block.record && last.end == block.start => last.end = block.end,
            _ => segments.push(Segment { record: block.record, start: block.start, end: block.end }),
        }
    }
    joined
}

fn hash(species: &[Species], split: &SplitSpec) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"tokbench corpus 1\n");
    // The split specification as JSON, so that equal numbers have equal bytes.
    hasher.update(serde_json::json!(split).to_string().as_bytes());
    for one in species {
        // Length prefixes: no two different corpora give the same byte stream.
        hasher.update(&(one.name.len() as u64).to_le_bytes());
        hasher.update(one.name.as_bytes());
        hasher.update(&one.weight.to_le_bytes());
        if one.held_out {
            hasher.update(b"held out");
        }
        if let Some(regions) = &one.regions {
            regions.hash(&mut hasher);
        }
        hasher.update(&(one.records.len() as u64).to_le_bytes());
        for record in &one.records {
            hasher.update(&(record.bases.len() as u64).to_le_bytes());
            hasher.update(&record.bases);
        }
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::{file, gzip};

    const TEXT: &str = "name = 'x'\nspecies = [{ name = 'e', files = ['a.fa'] }]\nsplit = { block = 50 }\n";

    fn fasta(bases: usize) -> Vec<u8> {
        let text = MarkovChain::uniform().sample(bases, &mut crate::stream(0, "fasta"));
        [b">chr1\n", text.as_slice(), b"\n>chr2\n", &text[..bases / 2], b"\n"].concat()
    }

    #[test]
    fn unknown_keys_are_reported_with_their_line() {
        let error = CorpusSpec::from_toml("name = 'x'\nspecie = []\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("specie"), "{error}");
        let error = CorpusSpec::from_toml("name = 'x'\n[split]\nblok = 1\n").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("blok"), "{error}");
        assert!(CorpusSpec::from_toml("name = 'x'").unwrap().check().is_err());
    }

    #[test]
    fn invalid_specs_are_rejected() {
        for (from, to) in [
            ("block = 50", "valid = 0.6, test = 0.4"),
            ("block = 50", "block = 0"),
            ("files = ['a.fa']", "files = []"),
            ("files = ['a.fa']", "files = ['a.fa'], weight = 0"),
            ("}]", "}, { name = 'e', files = ['b.fa'] }]"),
        ] {
            let spec = CorpusSpec::from_toml(&TEXT.replace(from, to)).unwrap();
            let error = Corpus::open(&spec, Path::new("")).unwrap_err();
            assert!(matches!(error, Error::Spec { .. }) && error.remedy().is_some(), "{to}: {error}");
        }
    }

    #[test]
    fn the_hash_depends_on_content_only() {
        let (folder, path) = file("a.fa", &fasta(1000));
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        let lower = gzip(&fasta(1000).to_ascii_lowercase());
        std::fs::write(folder.path().join("deep/other.gz"), lower).unwrap();
        let spec = CorpusSpec::from_toml(TEXT).unwrap();
        let first = Corpus::open(&spec, folder.path()).unwrap();
        let mut moved = spec.clone();
        moved.species[0].files = vec![folder.path().join("deep/other.gz")];
        assert_eq!(first.hash(), Corpus::open(&moved, Path::new("")).unwrap().hash());
        let same = CorpusSpec::from_toml(&toml::to_string(&spec).unwrap()).unwrap();
        assert_eq!(same, spec);
        for change in [
            |spec: &mut CorpusSpec| spec.split.block = 51,
            |spec: &mut CorpusSpec| spec.species[0].weight = 2.0,
            |spec: &mut CorpusSpec| spec.species[0].name = "f".into(),
            |spec: &mut CorpusSpec| spec.split.valid = 0.2,
        ] {
            let mut other = spec.clone();
            change(&mut other);
            assert_ne!(first.hash(), Corpus::open(&other, folder.path()).unwrap().hash());
        }
        std::fs::write(&path, fasta(1001)).unwrap();
        assert_ne!(first.hash(), Corpus::open(&spec, folder.path()).unwrap().hash());
    }

    #[test]
    fn duplicate_record_names_are_counted() {
        let (_folder, path) = file("a.fa", &[fasta(1000), fasta(1000), b">\nACGT\n".to_vec()].concat());
        let corpus = Corpus::open(&CorpusSpec::from_fasta(&path).unwrap(), Path::new("")).unwrap();
        assert_eq!((corpus.counts().repeated, corpus.counts().nameless), (2, 1));
        assert!(
            corpus.to_string().contains("; 2 with the name of an earlier record; 1 without a name; bases:"),
            "{corpus}"
        );
    }

    #[test]
    fn a_fasta_file_of_any_size_is_a_corpus() {
        for bases in [300, 40_000, 900_000] {
            let (_folder, path) = file("my.genome.fa", &fasta(bases));
            let spec = CorpusSpec::from_fasta(&path).unwrap();
            assert_eq!(spec.name, "my");
            let corpus = Corpus::open(&spec, Path::new("/elsewhere")).unwrap();
            let (same, once) = Corpus::from_fasta(&path).unwrap();
            assert_eq!((&same, once.hash(), once.counts()), (&spec, corpus.hash(), corpus.counts()));
            let total = corpus.bases(Split::Train) + corpus.bases(Split::Valid) + corpus.bases(Split::Test);
            assert_eq!(total, corpus.counts().bases);
            assert!(Split::ALL.iter().all(|split| corpus.bases(*split) > 0));
        }
    }

    #[test]
    fn a_split_of_only_n_is_an_error() {
        let text = format!(">r\n{}\n", "N".repeat(600));
        let (_folder, path) = file("n.fa", text.as_bytes());
        let error = Corpus::open(&CorpusSpec::from_fasta(&path).unwrap(), Path::new("")).unwrap_err();
        assert!(error.to_string().contains("species 'n': the training split has no window of 1 bases without N"));
    }

    #[test]
    fn segments_are_maximal() {
        let (folder, _path) = file("a.fa", &fasta(1000));
        let corpus = Corpus::open(&CorpusSpec::from_toml(TEXT).unwrap(), folder.path()).unwrap();
        for split in Split::ALL {
            assert_eq!(corpus.segments(split).map(|segment| segment.len() as u64).sum::<u64>(), corpus.bases(split));
        }
        assert!(corpus.training_segments().any(|segment| segment.len() > 100), "adjacent blocks are joined");
        assert_eq!(corpus.to_string(), "x: 2 records, 1,500 bases; bases: training 1,200, validation 150, test 150");
    }
}
