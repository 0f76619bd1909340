//! Files that are no text we can read, told by their first bytes, and what makes text of them.

/// What a file is, and what to do with it. `FILE` stands for it, `NEW` for what is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileKind {
    pub(crate) name: &'static str,
    pub(crate) remedy: &'static str,
}

const BZIP2: &str = "unpack it: bzip2 -dc FILE > NEW";
const ZSTD: &str = "unpack it: zstd -dc FILE > NEW";
const XZ: &str = "unpack it: xz -dc FILE > NEW";
const UTF16: &str = "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW (a spreadsheet: save as \"CSV UTF-8\")";
const TABLE: &str = "write its column of sequences as CSV with the header sequence (and label, for a task)";

/// First bytes, and what they mean. The first that fits counts.
const KINDS: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "gzip inside gzip", "unpack it once: gunzip -c FILE > NEW.gz"),
    (b"\x1f\x9d", "a file of compress (.Z)", "unpack it: gzip -dc FILE > NEW"),
    (b"BZh", "bzip2", BZIP2),
    (b"\x28\xb5\x2f\xfd", "Zstandard", ZSTD),
    (b"\xfd7zXZ\0", "xz", XZ),
    (b"\x5d\0\0", "lzma", XZ),
    (b"\x04\x22\x4d\x18", "LZ4", "unpack it: lz4 -dc FILE > NEW"),
    (b"LZIP\x01", "lzip", "unpack it: lzip -dc FILE > NEW"),
    (b"PK\x03\x04", "a zip archive (or a spreadsheet)", "unpack it: unzip FILE; save a spreadsheet as \"CSV UTF-8\""),
    (b"PK\x05\x06", "an empty zip archive", "give the file that should be in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it: 7z x FILE"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it: unrar x FILE"),
    (b"\xff\xfe\0\0", "UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW"),
    (b"\0\0\xfe\xff", "UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW"),
    (b"\xff\xfe", "UTF-16 text", UTF16),
    (b"\xfe\xff", "UTF-16 text", UTF16),
    (b"BAM\x01", "BAM", "write FASTQ or FASTA: samtools fasta FILE > NEW"),
    (b"CRAM\x03", "CRAM", "write FASTQ or FASTA: samtools fasta --reference REF FILE > NEW"),
    (b"@HD\tVN:", "SAM", "write FASTQ or FASTA: samtools fasta FILE > NEW"),
    (b"@SQ\tSN:", "SAM", "write FASTQ or FASTA: samtools fasta FILE > NEW"),
    (b"BCF\x02", "BCF", "it holds variants, not sequence: give the FASTA of the genome"),
    (b"##fileformat=VCF", "VCF", "it holds variants, not sequence: give the FASTA of the genome"),
    (b"##gff-version", "GFF", "it holds places, not sequence: give the FASTA of the genome"),
    (b"LOCUS  ", "GenBank", "write FASTA: any2fasta FILE > NEW, or download the FASTA form"),
    (b"ID   ", "EMBL", "write FASTA: any2fasta FILE > NEW, or download the FASTA form"),
    (b"\x43\x27\x41\x1a", "2bit", "write FASTA: twoBitToFa FILE NEW"),
    (b"\x1a\x41\x27\x43", "2bit", "write FASTA: twoBitToFa FILE NEW"),
    (b"NCBI.sra", "an SRA archive", "write FASTQ: fasterq-dump FILE"),
    (b"PAR1", "Parquet", TABLE),
    (b"ARROW1\0\0", "Arrow", TABLE),
    (b"\x89HDF\r\n\x1a\n", "HDF5", TABLE),
    (b"SQLite format 3\0", "an SQLite database", TABLE),
    (b"\x93NUMPY", "a NumPy array", TABLE),
    (b"%PDF-", "PDF", "give the FASTA, FASTQ or CSV file itself"),
    (b"<!DOCTYPE", "a web page", "the download gave a page in place of the file: fetch the file itself"),
    (b"<!doctype", "a web page", "the download gave a page in place of the file: fetch the file itself"),
    (b"<html", "a web page", "the download gave a page in place of the file: fetch the file itself"),
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file it stands for: git lfs pull"),
];

/// Where a tar archive says that it is one.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// What a file is whose text begins like this; `None` if it may well be text. `unpacked`: it was gzip.
pub(crate) fn of(start: &[u8], unpacked: bool) -> Option<FileKind> {
    if start.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
        let remedy = if unpacked { "unpack it: tar -xzf FILE" } else { "unpack it: tar -xf FILE" };
        return Some(FileKind { name: if unpacked { "a tar archive inside gzip" } else { "a tar archive" }, remedy });
    }
    let known = KINDS.iter().find(|(magic, ..)| start.starts_with(magic));
    // UTF-16 without its mark: every other byte of plain letters is 0.
    let wide = || matches!(start, [0, b' '..=b'~', ..] | [b' '..=b'~', 0, ..]);
    match known {
        Some(&(_, name, remedy)) => Some(FileKind { name, remedy }),
        None => wide().then_some(FileKind { name: "UTF-16 text", remedy: UTF16 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_taken_for_something_else() {
        for text in
            [">a\nACGT\n", "@r\nAC\n+\n!!\n", "@HD\nAC\n+\n!!\n", "sequence,label\nAC,0\n", "id,sequence\n", "", ">"]
        {
            assert_eq!(of(text.as_bytes(), false), None, "{text}");
            assert_eq!(of(text.as_bytes(), true), None, "{text}");
        }
    }

    #[test]
    fn no_kind_hides_another() {
        for (i, (magic, name, _)) in KINDS.iter().enumerate() {
            assert_eq!(of(magic, false).map(|kind| kind.name), Some(*name));
            assert!(KINDS[..i].iter().all(|(earlier, ..)| !magic.starts_with(earlier)), "{name}");
        }
    }
}
