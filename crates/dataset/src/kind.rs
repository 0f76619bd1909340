//! Unsupported file formats, detected from their first bytes, and how to convert them.

/// An unsupported format, and how to convert it (`FILE`: the input, `NEW`: the result).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileKind {
    pub(crate) name: &'static str,
    pub(crate) remedy: &'static str,
}

const BZIP2: &str = "decompress it: bzip2 -dc FILE > NEW";
const ZSTD: &str = "decompress it: zstd -dc FILE > NEW";
const XZ: &str = "decompress it: xz -dc FILE > NEW";
const UTF16: &str = "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW (spreadsheet: save as \"CSV UTF-8\")";
const TABLE: &str = "export the sequences as CSV with the header sequence (and label, for a task)";

/// Magic bytes, name and conversion; the first match counts.
const KINDS: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "gzip inside gzip", "decompress it once: gunzip -c FILE > NEW.gz"),
    (b"\x1f\x9d", "a file of compress (.Z)", "decompress it: gzip -dc FILE > NEW"),
    (b"BZh", "bzip2", BZIP2),
    (b"\x28\xb5\x2f\xfd", "Zstandard", ZSTD),
    (b"\xfd7zXZ\0", "xz", XZ),
    (b"\x5d\0\0", "lzma", XZ),
    (b"\x04\x22\x4d\x18", "LZ4", "decompress it: lz4 -dc FILE > NEW"),
    (b"LZIP\x01", "lzip", "decompress it: lzip -dc FILE > NEW"),
    (b"PK\x03\x04", "a zip archive (or a spreadsheet)", "extract it: unzip FILE; save a spreadsheet as \"CSV UTF-8\""),
    (b"PK\x05\x06", "an empty zip archive", "use the file that should be in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "extract it: 7z x FILE"),
    (b"Rar!\x1a\x07", "a RAR archive", "extract it: unrar x FILE"),
    (b"\xff\xfe\0\0", "UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW"),
    (b"\0\0\xfe\xff", "UTF-32 text", "convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW"),
    (b"\xff\xfe", "UTF-16 text", UTF16),
    (b"\xfe\xff", "UTF-16 text", UTF16),
    (b"BAM\x01", "BAM", "convert it: samtools fasta FILE > NEW"),
    (b"CRAM\x03", "CRAM", "convert it: samtools fasta --reference REF FILE > NEW"),
    (b"@HD\tVN:", "SAM", "convert it: samtools fasta FILE > NEW"),
    (b"@SQ\tSN:", "SAM", "convert it: samtools fasta FILE > NEW"),
    (b"BCF\x02", "BCF", "it contains variants, not sequences: use the FASTA of the genome"),
    (b"##fileformat=VCF", "VCF", "it contains variants, not sequences: use the FASTA of the genome"),
    (b"##gff-version", "GFF", "it contains annotations, not sequences: use the FASTA of the genome"),
    (b"LOCUS  ", "GenBank", "convert it: any2fasta FILE > NEW, or download the FASTA version"),
    (b"ID   ", "EMBL", "convert it: any2fasta FILE > NEW, or download the FASTA version"),
    (b"\x43\x27\x41\x1a", "2bit", "convert it: twoBitToFa FILE NEW"),
    (b"\x1a\x41\x27\x43", "2bit", "convert it: twoBitToFa FILE NEW"),
    (b"NCBI.sra", "an SRA archive", "convert it: fasterq-dump FILE"),
    (b"PAR1", "Parquet", TABLE),
    (b"ARROW1\0\0", "Arrow", TABLE),
    (b"\x89HDF\r\n\x1a\n", "HDF5", TABLE),
    (b"SQLite format 3\0", "an SQLite database", TABLE),
    (b"\x93NUMPY", "a NumPy array", TABLE),
    (b"%PDF-", "PDF", "use the FASTA, FASTQ or CSV file itself"),
    (b"<!DOCTYPE", "a web page", "the server sent a web page instead of the file: download the file itself"),
    (b"<!doctype", "a web page", "the server sent a web page instead of the file: download the file itself"),
    (b"<html", "a web page", "the server sent a web page instead of the file: download the file itself"),
    (b"version https://git-lfs", "a Git LFS pointer", "fetch the file that it points to: git lfs pull"),
];

/// Offset and magic bytes of a tar archive.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// The unsupported format of a file that starts with `start`; `None` if it may be text. `unpacked`: the file was gzip.
pub(crate) fn of(start: &[u8], unpacked: bool) -> Option<FileKind> {
    if start.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
        let remedy = if unpacked { "extract it: tar -xzf FILE" } else { "extract it: tar -xf FILE" };
        return Some(FileKind { name: if unpacked { "a tar archive inside gzip" } else { "a tar archive" }, remedy });
    }
    let known = KINDS.iter().find(|(magic, ..)| start.starts_with(magic));
    // UTF-16 without byte order mark: every other byte of ASCII text is 0.
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
    fn supported_text_is_not_rejected() {
        for text in
            [">a\nACGT\n", "@r\nAC\n+\n!!\n", "@HD\nAC\n+\n!!\n", "sequence,label\nAC,0\n", "id,sequence\n", "", ">"]
        {
            assert_eq!(of(text.as_bytes(), false), None, "{text}");
            assert_eq!(of(text.as_bytes(), true), None, "{text}");
        }
    }

    #[test]
    fn no_format_shadows_another() {
        for (i, (magic, name, _)) in KINDS.iter().enumerate() {
            assert_eq!(of(magic, false).map(|kind| kind.name), Some(*name));
            assert!(KINDS[..i].iter().all(|(earlier, ..)| !magic.starts_with(earlier)), "{name}");
        }
    }
}
