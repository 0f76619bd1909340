//! No letter is lost: random files through the whole program, compared with a slow and obvious reader.

use crate::dir::{TestDir, gzip};

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// A form of file.
#[derive(Clone, Copy, Debug)]
enum Form {
    Fasta,
    Fastq,
    Csv,
}

/// The base that a letter of a file stands for.
fn meaning(letter: char) -> char {
    match letter.to_ascii_uppercase() {
        'U' => 'T',
        base @ ('A' | 'C' | 'G' | 'T') => base,
        _ => 'N',
    }
}

/// A file, and its sequences.
fn file(form: Form, random: &mut Random) -> (String, Vec<String>) {
    let alphabet = random.of(&["ACGT", "ACGTacgt", "ACGTN", "ACGTNNNNNN", "acgtUuNnRYKMSWBDHVryk"]);
    let letters: Vec<char> = alphabet.chars().collect();
    // Every line has an end of its own, or all have the same one.
    let same = random.of(&["\n", "\r\n", "\r", ""]);
    let end = |random: &mut Random| if same.is_empty() { random.of(&["\n", "\r\n", "\r"]) } else { same };
    let (mut text, mut sequences) = (String::new(), Vec::new());
    if let Form::Csv = form {
        text += "name,sequence";
        text += end(random);
    }
    for number in 0..1 + random.below(6) {
        let wanted = [1, 2, 3, 7, 60, 61, 500][random.below(7)];
        let mut sequence: String = (0..wanted).map(|_| letters[random.below(letters.len())]).collect();
        if matches!(form, Form::Csv) && ["NA", "NAN"].contains(&sequence.to_ascii_uppercase().as_str()) {
            // Marks of a missing value, which a table refuses.
            sequence = "ACGT".to_owned();
        }
        match form {
            Form::Fasta => {
                text += &format!(">r{number} a comment{}", end(random));
                let width = 1 + random.below(70);
                for line in sequence.as_bytes().chunks(width) {
                    text += std::str::from_utf8(line).unwrap();
                    text += end(random);
                }
            }
            Form::Fastq => {
                let quality = "I".repeat(sequence.len());
                for line in [&format!("@r{number}"), &sequence, "+", &quality] {
                    text += line;
                    text += end(random);
                }
            }
            Form::Csv => text += &format!("x{number},{sequence}{}", end(random)),
        }
        sequences.push(sequence.chars().map(meaning).collect());
    }
    if random.below(3) == 0 {
        // A last line without an end.
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
    }
    (text, sequences)
}

fn packed(text: &str, random: &mut Random) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (before, behind) = bytes.split_at(random.below(bytes.len()));
    match random.below(5) {
        0 => bytes.to_vec(),
        1 => ["\u{feff}".as_bytes(), bytes].concat(),
        2 => gzip(bytes),
        3 => [gzip(before), gzip(behind)].concat(),
        _ => [gzip(before), gzip(behind), vec![0; random.below(700)]].concat(),
    }
}

/// What the spans of a BED file spell, record by record, checked to lie end to end from 0.
fn spelled(bed: &str, sequences: &[String], name: impl Fn(usize) -> String) -> Vec<Vec<(usize, usize, u32)>> {
    let mut spans: Vec<Vec<(usize, usize, u32)>> = vec![Vec::new(); sequences.len()];
    for line in bed.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let record = (0..sequences.len()).find(|&number| name(number) == fields[0]).expect("a name of the file");
        let number = |field: usize| fields[field].parse().expect("a number");
        spans[record].push((number(1), number(2), fields[3].parse().expect("an id")));
    }
    for (spans, sequence) in spans.iter().zip(sequences) {
        let mut at = 0;
        for &(start, end, _) in spans {
            assert_eq!(start, at, "{bed}");
            at = end;
        }
        assert_eq!(at, sequence.len(), "{bed}");
    }
    spans
}

#[test]
fn no_letter_is_lost_on_the_way() {
    let mut random = Random(11);
    let dir = TestDir::new();
    let bases: String = (0..3000).map(|_| random.of(&["ACGT", "TTA", "GATTACA", "CG"])).collect();
    dir.write("train.fa", format!(">g\n{bases}\n"));
    dir.run(&["tokenizer", "train", "--vocab-size", "60", "train.fa", "-o", "t.json"]).success();
    for case in 0..60 {
        let form = [Form::Fasta, Form::Fastq, Form::Csv][case % 3];
        let (text, sequences) = file(form, &mut random);
        dir.write("x", packed(&text, &mut random));
        let bases: usize = sequences.iter().map(String::len).sum();
        let name = |number: usize| match form {
            Form::Csv => (number + 1).to_string(),
            _ => format!("r{number}"),
        };
        let what = format!("{form:?} {text:?}");
        // Single nucleotides: the letters themselves.
        let bed = dir.run(&["tokenizer", "encode", "-t", "base", "--format", "bed", "x"]).success();
        for (spans, sequence) in spelled(&bed.out, &sequences, name).iter().zip(&sequences) {
            let letters: String =
                spans.iter().map(|&(.., id)| ['N', '?', '?', '?', '?', 'A', 'C', 'G', 'T'][id as usize]).collect();
            assert_eq!(letters, *sequence, "{what}");
        }
        let counted = bed.err.split(" bases").next().and_then(|text| text.rsplit(' ').next()).unwrap_or_default();
        assert_eq!(counted.replace(',', ""), bases.to_string(), "{what}: {}", bed.err);
        // Longer tokens: places, and back again.
        for tokenizer in ["kmer3-nonoverlap", "t.json"] {
            let bed = dir.run(&["tokenizer", "encode", "-t", tokenizer, "--format", "bed", "x"]).success();
            let spans = spelled(&bed.out, &sequences, name);
            dir.run(&["tokenizer", "encode", "-t", tokenizer, "-o", "ids.txt", "x"]).success();
            let ids = std::fs::read_to_string(dir.path("ids.txt")).unwrap();
            let of_spans: Vec<String> = spans
                .iter()
                .map(|spans| spans.iter().map(|(.., id)| id.to_string()).collect::<Vec<_>>().join(" "))
                .collect();
            assert_eq!(ids.lines().collect::<Vec<_>>(), of_spans, "{tokenizer} {what}");
            dir.run(&["tokenizer", "encode", "-t", tokenizer, "--format", "npy", "-o", "ids.npy", "x"]).success();
            let numbers = |file: &str, width: usize| -> Vec<u64> {
                let bytes = std::fs::read(dir.path(file)).unwrap();
                let little = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
                bytes[128..].chunks(width).map(little).collect()
            };
            let offsets = numbers("ids.npy.offsets.npy", 8);
            let array = numbers("ids.npy", 2);
            let of_array: Vec<String> = offsets
                .windows(2)
                .map(|pair| array[pair[0] as usize..pair[1] as usize].iter().map(u64::to_string).collect::<Vec<_>>())
                .map(|ids| ids.join(" "))
                .collect();
            assert_eq!(of_array, of_spans, "{tokenizer} {what}");
            let back = dir.run(&["tokenizer", "decode", "-t", tokenizer, "ids.txt"]).success();
            assert_eq!(back.out.lines().collect::<Vec<_>>(), sequences, "{tokenizer} {what}");
        }
    }
}
