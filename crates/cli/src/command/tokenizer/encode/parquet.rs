//! Tables of `name` and `input_ids`, one row a sequence, as Parquet files: what Hugging Face `datasets`, pandas and polars read.
//!
//! Only what such a table needs of the format (`parquet-format` 2.x): ids are written as places in a dictionary that holds the
//! whole vocabulary, so a place takes 12 bits where there are 4,096 entries, and nothing else needs to pack them. A part of a
//! table becomes a page of each column; pages are collected to row groups of bounded size.

use super::form::Part;
use crate::command::tokenizer::Output;
use crate::failure::Failure;

/// Ids of a row group, unless one sequence alone has more: what must be in memory to write or read it.
const GROUP: u64 = 1 << 22;
/// Names of a row group, in bytes.
const NAMES: usize = 1 << 24;
/// Most ids of a page; a page may end inside a sequence.
const PAGE: usize = 1 << 20;

/// What begins and ends a file.
const MAGIC: &[u8] = b"PAR1";

// Numbers of the format.
const INT32: i64 = 1;
const BYTE_ARRAY: i64 = 6;
const PLAIN: i64 = 0;
const RLE: i64 = 3;
const RLE_DICTIONARY: i64 = 8;
const OPTIONAL: i64 = 1;
const REPEATED: i64 = 2;
const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;

/// One part of both columns, as pages.
#[derive(Default)]
pub(super) struct Pages {
    names: Vec<u8>,
    ids: Vec<u8>,
}

impl Pages {
    /// Pages of sequences: their names, the number of ids of each, and all ids as places in a dictionary of `entries`.
    pub(super) fn new(names: &[String], lengths: &[u64], places: &[u32], entries: usize) -> Pages {
        let mut pages = Pages::default();
        let mut values = levels(&[(1, names.len())], 1);
        for name in names {
            values.extend((name.len() as u32).to_le_bytes());
            values.extend_from_slice(name.as_bytes());
        }
        data_page(&values, names.len(), PLAIN, &mut pages.names);
        // Pages end at a number of ids, or of sequences where these have none.
        let (mut repeated, mut defined, mut slots, mut from, mut to) = (Vec::new(), Vec::new(), 0, 0, 0);
        for &length in lengths {
            if length == 0 {
                repeated.push((0, 1));
                defined.push((1, 1));
                slots += 1;
            }
            let mut left = length as usize;
            while left > 0 {
                let begins = left == length as usize;
                let here = left.min(PAGE - (to - from));
                repeated.extend([(u8::from(!begins), 1), (1, here - 1)]);
                defined.push((3, here));
                (left, to, slots) = (left - here, to + here, slots + here);
                if to - from == PAGE {
                    pages.page_of_ids(&repeated, &defined, slots, &places[from..to], entries);
                    (from, slots) = (to, 0);
                    repeated.clear();
                    defined.clear();
                }
            }
        }
        if slots > 0 {
            pages.page_of_ids(&repeated, &defined, slots, &places[from..to], entries);
        }
        pages
    }

    fn page_of_ids(
        &mut self,
        repeated: &[(u8, usize)],
        defined: &[(u8, usize)],
        slots: usize,
        places: &[u32],
        entries: usize,
    ) {
        let mut values = levels(repeated, 1);
        values.extend(levels(defined, 2));
        let width = width(entries);
        values.push(width as u8);
        let eights = places.len().div_ceil(8);
        varint(((eights as u64) << 1) | 1, &mut values);
        pack(places, width, eights, &mut values);
        data_page(&values, slots, RLE_DICTIONARY, &mut self.ids);
    }
}

/// Bits of a place among so many.
fn width(entries: usize) -> u32 {
    usize::BITS - entries.saturating_sub(1).leading_zeros()
}

/// Numbers of `width` bits, the lowest bits first, filled up to whole eights of numbers.
fn pack(numbers: &[u32], width: u32, eights: usize, out: &mut Vec<u8>) {
    let end = out.len() + eights * width as usize;
    let (mut bits, mut filled) = (0u64, 0);
    for &number in numbers {
        bits |= u64::from(number) << filled;
        filled += width;
        if filled >= 32 {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= 32;
            filled -= 32;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes());
    out.resize(end, 0);
}

/// Levels, given as runs `(level, times)`, each of `width` bits; their length in front.
fn levels(runs: &[(u8, usize)], width: u32) -> Vec<u8> {
    debug_assert!(runs.iter().all(|run| u32::from(run.0) < 1 << width));
    let mut out = vec![0; 4];
    let mut joined: Vec<(u8, usize)> = Vec::with_capacity(runs.len());
    for &(level, times) in runs.iter().filter(|run| run.1 > 0) {
        match joined.last_mut() {
            Some(last) if last.0 == level => last.1 += times,
            _ => joined.push((level, times)),
        }
    }
    for (level, times) in joined {
        varint((times as u64) << 1, &mut out);
        out.push(level);
    }
    let length = (out.len() - 4) as u32;
    out[..4].copy_from_slice(&length.to_le_bytes());
    out
}

fn data_page(values: &[u8], slots: usize, encoding: i64, out: &mut Vec<u8>) {
    let mut header = Compact::default();
    header.int(1, DATA_PAGE).int(2, values.len() as i64).int(3, values.len() as i64);
    header.open(5).int(1, slots as i64).int(2, encoding).int(3, RLE).int(4, RLE).close();
    out.extend(header.end());
    out.extend_from_slice(values);
}

/// A file as it grows.
pub(super) struct Table {
    output: Output,
    /// The page that holds the vocabulary: the ids that the world sees, by ours.
    dictionary: Vec<u8>,
    written: u64,
    all_rows: u64,
    groups: Compact,
    number: usize,
    /// The row group that grows: its pages, its rows, and the values of its column of lists: ids, and one for each empty list.
    pages: Pages,
    rows: u64,
    slots: u64,
}

impl Table {
    /// Begins a file of ids, of which `ids` are all there are.
    pub(super) fn begin(mut output: Output, ids: &[u32]) -> Result<Table, Failure> {
        let values: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let mut header = Compact::default();
        header.int(1, DICTIONARY_PAGE).int(2, values.len() as i64).int(3, values.len() as i64);
        header.open(7).int(1, ids.len() as i64).int(2, PLAIN).close();
        output.write(MAGIC)?;
        Ok(Table {
            output,
            dictionary: [header.end(), values].concat(),
            written: MAGIC.len() as u64,
            all_rows: 0,
            groups: Compact::default(),
            number: 0,
            pages: Pages::default(),
            rows: 0,
            slots: 0,
        })
    }

    /// Appends sequences.
    pub(super) fn add(&mut self, part: &Part) -> Result<(), Failure> {
        let slots: u64 = part.lengths.iter().map(|&length| length.max(1)).sum();
        if self.slots + slots > GROUP || self.pages.names.len() + part.pages.names.len() > NAMES {
            self.close()?;
        }
        self.pages.names.extend_from_slice(&part.pages.names);
        self.pages.ids.extend_from_slice(&part.pages.ids);
        self.rows += part.lengths.len() as u64;
        self.slots += slots;
        Ok(())
    }

    /// Writes the row group.
    fn close(&mut self) -> Result<(), Failure> {
        if self.rows == 0 {
            return Ok(());
        }
        for bytes in [&self.pages.names, &self.dictionary, &self.pages.ids] {
            self.output.write(bytes)?;
        }
        let names = Chunk { path: &["name"], kind: BYTE_ARRAY, encodings: &[PLAIN, RLE], values: self.rows };
        let ids = Chunk { path: &LIST, kind: INT32, encodings: &[PLAIN, RLE, RLE_DICTIONARY], values: self.slots };
        let sizes = [self.pages.names.len() as u64, (self.dictionary.len() + self.pages.ids.len()) as u64];
        let [first, second] = [self.written, self.written + sizes[0]];
        let groups = &mut self.groups;
        groups.element().list(1, STRUCT, 2);
        names.tell(groups, sizes[0], first, None);
        ids.tell(groups, sizes[1], second + self.dictionary.len() as u64, Some(second));
        let bytes = sizes[0] + sizes[1];
        groups.long(2, bytes).long(3, self.rows).long(6, bytes).close();
        self.written += bytes;
        self.all_rows += self.rows;
        self.number += 1;
        (self.pages, self.rows, self.slots) = (Pages::default(), 0, 0);
        Ok(())
    }

    /// Writes what is left and the footer, and gives the file its name.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.close()?;
        let mut footer = Compact::default();
        footer.int(1, 1).list(2, STRUCT, 5);
        footer.element().text(4, "schema").int(5, 2).close();
        footer.element().int(1, BYTE_ARRAY).int(3, OPTIONAL).text(4, "name").int(6, 0);
        footer.open(10).open(1).close().close().close();
        footer.element().int(3, OPTIONAL).text(4, LIST[0]).int(5, 1).int(6, 3);
        footer.open(10).open(3).close().close().close();
        footer.element().int(3, REPEATED).text(4, LIST[1]).int(5, 1).close();
        footer.element().int(1, INT32).int(3, OPTIONAL).text(4, LIST[2]).close();
        footer.long(3, self.all_rows).list(4, STRUCT, self.number);
        footer.bytes.append(&mut self.groups.bytes);
        footer.text(6, concat!("tokbench version ", env!("CARGO_PKG_VERSION")));
        let footer = footer.end();
        self.output.write(&footer)?;
        self.output.write(&(footer.len() as u32).to_le_bytes())?;
        self.output.write(MAGIC)?;
        self.output.finish(None)
    }
}

/// The path of the column of lists.
const LIST: [&str; 3] = ["input_ids", "list", "element"];

/// A column in a row group.
struct Chunk<'a> {
    path: &'a [&'a str],
    kind: i64,
    encodings: &'a [i64],
    values: u64,
}

impl Chunk<'_> {
    fn tell(&self, out: &mut Compact, bytes: u64, data: u64, dictionary: Option<u64>) {
        out.element().long(2, 0).open(3).int(1, self.kind).list(2, I32, self.encodings.len());
        self.encodings.iter().for_each(|&encoding| out.zigzag(encoding));
        out.list(3, BINARY, self.path.len());
        self.path.iter().for_each(|name| out.binary(name));
        out.int(4, 0).long(5, self.values).long(6, bytes).long(7, bytes).long(9, data);
        if let Some(place) = dictionary {
            out.long(11, place);
        }
        out.close().close();
    }
}

// Kinds of fields in Thrift's compact protocol.
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const ARRAY: u8 = 9;
const STRUCT: u8 = 12;

/// Structures in Thrift's compact protocol, in which headers are written. Fields must come in the order of their numbers.
#[derive(Default)]
struct Compact {
    bytes: Vec<u8>,
    /// Number of the last field, for the structure that is open and those around it.
    last: u8,
    around: Vec<u8>,
}

impl Compact {
    fn field(&mut self, number: u8, kind: u8) {
        debug_assert!((1..=15).contains(&(number - self.last)));
        self.bytes.push((number - self.last) << 4 | kind);
        self.last = number;
    }

    fn zigzag(&mut self, value: i64) {
        varint((value << 1 ^ value >> 63) as u64, &mut self.bytes);
    }

    fn binary(&mut self, text: &str) {
        varint(text.len() as u64, &mut self.bytes);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn int(&mut self, number: u8, value: i64) -> &mut Compact {
        self.field(number, I32);
        self.zigzag(value);
        self
    }

    fn long(&mut self, number: u8, value: u64) -> &mut Compact {
        self.field(number, I64);
        self.zigzag(value as i64);
        self
    }

    fn text(&mut self, number: u8, text: &str) -> &mut Compact {
        self.field(number, BINARY);
        self.binary(text);
        self
    }

    /// A list whose elements follow.
    fn list(&mut self, number: u8, kind: u8, length: usize) -> &mut Compact {
        self.field(number, ARRAY);
        if length < 15 {
            self.bytes.push((length as u8) << 4 | kind);
        } else {
            self.bytes.push(0xf0 | kind);
            varint(length as u64, &mut self.bytes);
        }
        self
    }

    /// A structure as a field.
    fn open(&mut self, number: u8) -> &mut Compact {
        self.field(number, STRUCT);
        self.element()
    }

    /// A structure as an element of a list.
    fn element(&mut self) -> &mut Compact {
        self.around.push(self.last);
        self.last = 0;
        self
    }

    fn close(&mut self) -> &mut Compact {
        self.bytes.push(0);
        self.last = self.around.pop().unwrap_or_default();
        self
    }

    /// The whole structure.
    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

/// Seven bits a byte, the lowest first.
fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_side_by_side() {
        for entries in [1, 2, 9, 256, 257, 4_096, 65_541, 1 << 20] {
            let width = width(entries);
            assert!(entries <= 1 << width && (entries == 1 || entries > 1 << (width - 1)));
            for length in [0, 1, 7, 8, 9, 31, 64, 1_000] {
                let numbers: Vec<u32> = (0..length).map(|i| (i * 7_919 % entries) as u32).collect();
                let mut out = vec![7];
                let eights = numbers.len().div_ceil(8);
                pack(&numbers, width, eights, &mut out);
                assert_eq!(out.len(), 1 + eights * width as usize);
                let bit = |at: usize| u32::from(out[1 + at / 8] >> (at % 8) & 1);
                let width = width as usize;
                let read = |i: usize| (0..width).fold(0, |number, b| number | bit(i * width + b) << b);
                assert!(numbers.iter().enumerate().all(|(i, &number)| read(i) == number), "{entries} {length}");
            }
        }
    }

    #[test]
    fn runs_of_levels() {
        assert_eq!(levels(&[(0, 1), (1, 0), (0, 1), (1, 200)], 1), [5, 0, 0, 0, 4, 0, 0x90, 3, 1]);
    }

    #[test]
    fn a_page_of_three_sequences() {
        let pages = Pages::new(&["a", "", "bc"].map(str::to_owned), &[3, 0, 2], &[5, 6, 7, 8, 5], 9);
        let levels = [8, 0, 0, 0, 2, 0, 4, 1, 4, 0, 2, 1, 6, 0, 0, 0, 6, 3, 2, 1, 4, 3];
        let header = [0x15, 0, 0x15, 56, 0x15, 56, 0x2c, 0x15, 12, 0x15, 16, 0x15, 6, 0x15, 6, 0, 0];
        // Four bits a place, one run of eight.
        assert_eq!(pages.ids, [&header[..], &levels, &[4, 3, 0x65, 0x87, 0x05, 0]].concat());
        let values = [2, 0, 0, 0, 6, 1, 1, 0, 0, 0, b'a', 0, 0, 0, 0, 2, 0, 0, 0, b'b', b'c'];
        let header = [0x15, 0, 0x15, 42, 0x15, 42, 0x2c, 0x15, 6, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];
        assert_eq!(pages.names, [&header[..], &values].concat());
    }

    #[test]
    fn pages_end_inside_long_sequences() {
        let lengths = [3, 0, PAGE as u64 + 5, 1];
        let places = vec![1; PAGE + 9];
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let pages = Pages::new(&names, &lengths, &places, 9);
        // 20 bytes or so of header, and four bits an id.
        assert!(pages.ids.len() > PAGE / 2 && pages.ids.len() < PAGE / 2 + 200);
    }
}
