//! Region classes of a species from a BED file, such as exons and introns: bits per base are also summed by class.
//!
//! BED (UCSC): tab-separated `chrom`, `start` (from 0), `end` (exclusive), and optionally the name of the class; further columns are
//! ignored. Without the fourth column the class is `region`. Bases in no interval are of class `other`; where intervals overlap, the
//! later line of the file counts, so that a list can go from genes to exons.

use crate::error::{Error, Result};
use crate::fasta::SequenceRecord;
use crate::input;
use dna::policy::thousands;
use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::path::Path;

/// Class of the bases in no interval.
pub const OTHER: &str = "other";
/// Class of intervals without a name.
const REGION: &str = "region";
/// Largest number of classes: a column of names of genes is a mistake.
const MOST: usize = 50;

/// Region classes of one species: the class of every base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    /// Names of the classes; the first is [`OTHER`].
    classes: Vec<String>,
    /// Index of the class of each base, by record.
    records: Vec<Vec<u8>>,
    /// Number of intervals on sequences that the species does not have, and the name of the first of these.
    absent: (u64, String),
}

impl Regions {
    /// Reads a BED file, plain or gzip, for the records of a species.
    ///
    /// # Errors
    /// If a line is not an interval, lies outside its record, or no interval is on a record; if records share a name, or there are more than
    /// 50 classes.
    pub fn read(path: &Path, records: &[SequenceRecord]) -> Result<Self> {
        let mut input = input::open(path)?;
        let wrong = |line: u64, message: String| Error::Bed { path: path.to_owned(), line, message };
        let mut named: HashMap<&str, usize> = HashMap::new();
        for (index, record) in records.iter().enumerate() {
            if named.insert(&record.name, index).is_some() {
                return Err(Error::Spec {
                    name: format!("regions {}", path.display()),
                    message: format!("the sequence files have two records named {:?}", record.name),
                    help: "give each record a unique name, so that intervals belong to one of them".to_owned(),
                });
            }
        }
        let mut regions = Regions {
            classes: vec![OTHER.to_owned()],
            records: records.iter().map(|record| vec![0; record.bases.len()]).collect(),
            absent: (0, String::new()),
        };
        let (mut line, mut text, mut found) = (input.skipped_lines, String::new(), 0);
        loop {
            text.clear();
            let read = input.reader.read_line(&mut text);
            let failed = |error| {
                input.fault.take(path, input.gzip).unwrap_or(Error::Io { path: path.to_owned(), source: error })
            };
            if read.map_err(failed)? == 0 {
                break;
            }
            line += 1;
            let row = text.trim_end();
            let word = row.split_whitespace().next().unwrap_or_default();
            if row.is_empty() || row.starts_with('#') || ["track", "browser"].contains(&word) && !row.contains('\t') {
                continue;
            }
            let interval = Interval::parse(row).map_err(|message| wrong(line, message))?;
            let Some(&record) = named.get(interval.chrom) else {
                regions.absent.0 += 1;
                if regions.absent.0 == 1 {
                    regions.absent.1 = interval.chrom.to_owned();
                }
                continue;
            };
            let bases = &mut regions.records[record];
            if interval.end > bases.len() {
                let message =
                    format!("the interval ends at {}, but {} has {} bases", interval.end, interval.chrom, bases.len());
                return Err(wrong(line, message));
            }
            let known = regions.classes.iter().position(|class| class == interval.class);
            let class = known.unwrap_or_else(|| {
                regions.classes.push(interval.class.to_owned());
                regions.classes.len() - 1
            });
            if class > MOST {
                return Err(wrong(line, format!("more than {MOST} classes (column 4)")));
            }
            bases[interval.start..interval.end].fill(class as u8);
            found += 1;
        }
        if let Some(error) = input.fault.take(path, input.gzip) {
            return Err(error);
        }
        if found == 0 {
            let message = match &regions.absent {
                (0, _) => "the file has no interval".to_owned(),
                (_, name) => format!("no interval is on a record of the species; the first is on {name:?}"),
            };
            return Err(wrong(line, message));
        }
        Ok(regions)
    }

    /// Names of the classes.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Indices in [`Regions::classes`] of `length` bases of a record from `start`.
    #[must_use]
    pub fn of(&self, record: usize, start: usize, length: usize) -> &[u8] {
        &self.records[record][start..start + length]
    }

    /// Adds what determines the sums by class to the hash of a corpus.
    pub(crate) fn hash(&self, hasher: &mut blake3::Hasher) {
        hasher.update(b"regions");
        for class in &self.classes {
            hasher.update(&(class.len() as u64).to_le_bytes());
            hasher.update(class.as_bytes());
        }
        for record in &self.records {
            hasher.update(record);
        }
    }

    /// Bases of each class, and what of the file was not used.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
        for class in self.records.iter().flatten() {
            *counts.entry(*class).or_default() += 1;
        }
        let shares =
            counts.iter().map(|(class, bases)| format!("{} {}", self.classes[*class as usize], thousands(*bases)));
        let mut summary = format!("bases by region class: {}", shares.collect::<Vec<_>>().join(", "));
        if let (number @ 1.., name) = &self.absent {
            summary +=
                &format!("; {} intervals on other sequences are not used (the first on {name})", thousands(*number));
        }
        summary
    }
}

/// One line of a BED file.
#[derive(Debug, PartialEq)]
struct Interval<'a> {
    chrom: &'a str,
    start: usize,
    end: usize,
    class: &'a str,
}

impl<'a> Interval<'a> {
    fn parse(row: &'a str) -> std::result::Result<Interval<'a>, String> {
        let fields: Vec<&str> = row.split('\t').map(str::trim).collect();
        let [chrom, start, end, ref rest @ ..] = fields[..] else {
            return Err(format!("expected chrom, start and end separated by tabs, found {row:?}"));
        };
        let number = |text: &str, what: &str| {
            text.parse::<usize>().map_err(|_| format!("the {what} {text:?} is not a whole number"))
        };
        let (start, end) = (number(start, "start")?, number(end, "end")?);
        if start >= end {
            return Err(format!("the interval {start} to {end} is empty; start counts from 0, end is exclusive"));
        }
        let class = rest.first().copied().filter(|name| !name.is_empty() && *name != ".").unwrap_or(REGION);
        Ok(Interval { chrom, start, end, class })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tests::{file, gzip};

    fn records() -> Vec<SequenceRecord> {
        ["chr1", "chr2"].map(|name| SequenceRecord { name: name.to_owned(), bases: vec![b'A'; 20] }).to_vec()
    }

    fn read(text: &str) -> Result<Regions> {
        let (_folder, path) = file("r.bed", text.as_bytes());
        Regions::read(&path, &records())
    }

    #[test]
    fn later_intervals_lie_over_earlier_ones() {
        let text = "track name=x\n#c\nbrowser position chr1:1-9\nchr1\t2\t12\tgene\t0\t+\nchr1\t4\t6\texon\n\nchr2\t0\t20\nchr9\t0\t5\tgene\nchr9\t7\t8\n";
        let regions = read(text).unwrap();
        assert_eq!(regions.classes(), ["other", "gene", "exon", "region"]);
        assert_eq!(regions.of(0, 0, 14), [0, 0, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(regions.of(1, 3, 2), [3, 3]);
        assert_eq!(
            regions.summary(),
            "bases by region class: other 10, gene 8, exon 2, region 20; 2 intervals on other sequences are not used (the first on chr9)"
        );
        let (_folder, path) = file("r.bed.gz", &gzip(text.as_bytes()));
        assert_eq!(Regions::read(&path, &records()).unwrap(), regions);
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, wanted) in [
            ("chr1\t2\t12\nchr1 2 5\n", "line 2: expected chrom, start and end separated by tabs, found \"chr1 2 5\""),
            ("chr1\t5\t5\n", "line 1: the interval 5 to 5 is empty"),
            ("chr1\t5\tx\n", "line 1: the end \"x\" is not a whole number"),
            ("#x\nchr2\t5\t21\n", "line 2: the interval ends at 21, but chr2 has 20 bases"),
            ("chr3\t5\t21\n", "no interval is on a record of the species; the first is on \"chr3\""),
            ("# nothing\n", "the file has no interval"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
            assert!(error.remedy().is_some());
        }
        let many: String = (0..60).map(|class| format!("chr1\t1\t2\tgene{class}\n")).collect();
        assert!(read(&many).unwrap_err().to_string().contains("line 51: more than 50 classes"));
        let twins = [records(), records()].concat();
        let (_folder, path) = file("r.bed", b"chr1\t1\t2\n");
        assert!(Regions::read(&path, &twins).unwrap_err().to_string().contains("two records named \"chr1\""));
    }
}
