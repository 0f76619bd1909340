//! Random files against a simple reference reader: equal records, bases and counts for all line endings, lengths, line wraps,
//! compressions and paddings.

use dataset::{Counts, sequences};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use rand::{Rng, RngExt};
use std::io::Write;

/// Expected content of a file.
#[derive(Debug, Default, PartialEq)]
struct Content {
    records: Vec<(String, String)>,
    counts: Counts,
}

impl Content {
    /// Applies the base policy letter by letter.
    fn add(&mut self, name: &str, letters: &[u8]) {
        let mut bases = String::new();
        for &letter in letters {
            let upper = letter.to_ascii_uppercase();
            self.counts.bases += 1;
            self.counts.lower += u64::from(letter != upper);
            self.counts.n += u64::from(upper == b'N');
            self.counts.uracil += u64::from(upper == b'U');
            let plain = b"ACGTU".contains(&upper);
            self.counts.iupac += u64::from(!plain && upper != b'N');
            bases.push(match upper {
                b'U' => 'T',
                _ if plain => char::from(upper),
                _ => 'N',
            });
        }
        self.counts.records += 1;
        self.records.push((name.to_owned(), bases));
    }
}

/// Splits at `\r\n`, `\n` and `\r`.
fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let (mut all, mut line, mut at) = (Vec::new(), Vec::new(), 0);
    while at < text.len() {
        match text[at] {
            b'\r' | b'\n' => {
                at += usize::from(text[at] == b'\r' && text.get(at + 1) == Some(&b'\n'));
                all.push(std::mem::take(&mut line));
            }
            letter => line.push(letter),
        }
        at += 1;
    }
    all.push(line);
    all
}

fn name(header: &[u8]) -> String {
    String::from_utf8(header[1..].to_vec()).unwrap().split_whitespace().next().unwrap_or_default().to_owned()
}

fn fasta(text: &[u8]) -> Content {
    let (mut content, mut open): (Content, Option<(String, Vec<u8>)>) = Default::default();
    for line in lines(text).into_iter().chain([b">".to_vec()]) {
        match (&mut open, line.first()) {
            (_, Some(b'>')) => {
                if let Some((name, letters)) = open.replace((name(&line), Vec::new())) {
                    content.add(&name, &letters);
                }
            }
            (Some((_, letters)), _) => letters.extend(line),
            (None, _) => assert!(line.is_empty()),
        }
    }
    content
}

fn fastq(text: &[u8]) -> Content {
    let mut content = Content::default();
    let lines: Vec<Vec<u8>> = lines(text).into_iter().skip_while(Vec::is_empty).collect();
    for record in lines.chunks(4).filter(|record| record[0].starts_with(b"@") && record.len() == 4) {
        content.add(&name(&record[0]), &record[1]);
    }
    content
}

/// Rows by number; quoted fields may contain anything but quotes.
fn table(text: &[u8], separator: u8) -> Content {
    let (mut rows, mut quoted) = (vec![vec![Vec::new()]], false);
    for &letter in text {
        let row = rows.last_mut().unwrap();
        match letter {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => rows.push(vec![Vec::new()]),
            _ if letter == separator && !quoted => row.push(Vec::new()),
            _ => row.last_mut().unwrap().push(letter),
        }
    }
    rows.retain(|row| row.len() > 1 || !row[0].is_empty());
    let column = rows[0].iter().position(|field| field.eq_ignore_ascii_case(b"sequence")).unwrap();
    let mut content = Content::default();
    for (number, row) in rows.iter().enumerate().skip(1) {
        content.add(&number.to_string(), row[column].trim_ascii());
    }
    content
}

/// A random line ending, with `gaps` sometimes followed by blank lines.
fn end(text: &mut Vec<u8>, gaps: bool, random: &mut impl Rng) {
    loop {
        text.extend([&b"\n"[..], b"\r\n", b"\r"][random.random_range(0..3)]);
        if !gaps || random.random_range(0..8) > 0 {
            return;
        }
    }
}

fn letters(random: &mut impl Rng) -> Vec<u8> {
    let alphabet =
        [&b"ACGT"[..], b"acgtACGT", b"ACGTN", b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv"][random.random_range(0..4)];
    let most = match random.random_range(0..40) {
        0 => 300_000,
        1..3 => 40_000,
        3..20 => 1_000,
        _ => 60,
    };
    (0..random.random_range(4..=most)).map(|_| alphabet[random.random_range(0..alphabet.len())]).collect()
}

/// A random file, and its expected content.
fn random_text(random: &mut impl Rng) -> (Vec<u8>, Content) {
    let (mut text, kind) = (Vec::new(), random.random_range(0..5));
    if random.random() {
        text.extend("\u{feff}".as_bytes());
    }
    let marked = text.len();
    if random.random() {
        end(&mut text, true, random);
    }
    let separator = b",\t;"[random.random_range(0..3)];
    if kind == 4 {
        text.extend([&b"note"[..], &[separator], b"Sequence", &[separator], b"x"].concat());
        end(&mut text, true, random);
    }
    for number in 0..random.random_range(1..12) {
        let letters = letters(random);
        let header = format!("r{number}{}", [" words, of; any\tkind", "", "\t"][random.random_range(0..3)]);
        match kind {
            0..2 => {
                text.extend([b">", header.as_bytes()].concat());
                end(&mut text, true, random);
                for line in letters.chunks(random.random_range(1..200)) {
                    text.extend(line);
                    end(&mut text, true, random);
                }
            }
            2..4 => {
                // Quality lines of '@' look like headers.
                for line in
                    [[b"@", header.as_bytes()].concat(), letters.clone(), b"+".to_vec(), vec![b'@'; letters.len()]]
                {
                    text.extend(line);
                    end(&mut text, false, random);
                }
            }
            _ => {
                let note = ["\"a\r\nb,c;d\te\"", "\"\r\"", "n", ""][random.random_range(0..4)];
                text.extend([note.as_bytes(), &[separator], b" ", &letters, &[separator], b"1"].concat());
                end(&mut text, true, random);
            }
        }
    }
    // The last line may lack its line ending.
    if kind != 4 && random.random() {
        let length = text.trim_ascii_end().len();
        text.truncate(length);
    }
    let content = match kind {
        0..2 => fasta(&text[marked..]),
        2..4 => fastq(&text[marked..]),
        _ => table(&text[marked..], separator),
    };
    (text, content)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A BGZF block: a gzip member with its size in its header.
fn block(content: &[u8]) -> Vec<u8> {
    let plain = gzip(content);
    let size = u16::try_from(plain.len() + 8 - 1).unwrap();
    let extra = [&[6, 0, b'B', b'C', 2, 0][..], &size.to_le_bytes()].concat();
    [&plain[..3], &[4], &plain[4..10], &extra, &plain[10..]].concat()
}

fn packed(text: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let most = random.random_range(1..60_000).min(text.len().div_ceil(4).max(10));
    let mut file = match random.random_range(0..4) {
        0 => return text.to_vec(),
        1 => gzip(text),
        2 => text.chunks(most).flat_map(gzip).collect(),
        _ => text.chunks(most).chain([&[][..]]).flat_map(block).collect(),
    };
    if random.random() {
        file.resize(file.len() + random.random_range(1..2_000), 0);
    }
    file
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_files_agree_with_the_reference_reader(seed: u64) {
        let mut random = dataset::stream(seed, "files");
        let (text, mut expected) = random_text(&mut random);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, packed(&text, &mut random)).unwrap();
        let mut reader = sequences::open(&path).unwrap();
        let records: Vec<(String, String)> = reader
            .by_ref()
            .map(|record| record.map(|record| (record.name, String::from_utf8(record.bases).unwrap())))
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert!(records == expected.records, "records differ: {} and {}", records.len(), expected.records.len());
        let counts = *reader.counts();
        (expected.counts.tabs, expected.counts.semicolons) = (counts.tabs, counts.semicolons);
        prop_assert_eq!(counts, expected.counts);
        if text.trim_ascii_start().starts_with(b">") {
            let (records, counts) = dataset::fasta::read(&path).unwrap();
            prop_assert_eq!((records.len(), counts), (expected.records.len(), expected.counts));
        }
    }
}
