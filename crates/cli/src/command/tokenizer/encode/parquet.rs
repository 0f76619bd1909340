//! Parquet files with the columns `name` and `input_ids`, one row per sequence, as read by Hugging Face `datasets`, pandas and polars.

use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::formatter::Formatted;
use crate::command::tokenizer::loaded::Ids;
use crate::command::tokenizer::output::{Output, OutputWriter, begin_parquet, failed_parquet as failed};
use crate::failure::{Failure, invalid};

/// Ids per row group, unless a single sequence has more: what must be in memory to write or read the group.
const GROUP: usize = 1 << 22;
/// Maximum number of sequences per row group.
const ROWS: usize = 1 << 18;

const SCHEMA: &str = "message sequences {
    REQUIRED BYTE_ARRAY name (UTF8);
    REQUIRED GROUP input_ids (LIST) { REPEATED GROUP list { REQUIRED INT32 element; } }
}";

/// A Parquet file that is being written.
pub(super) struct Table {
    writer: SerializedFileWriter<OutputWriter>,
    names: Vec<ByteArray>,
    ids: Vec<i32>,
    /// Repetition and definition levels, for every id and every sequence without ids: 0 at the first id of a row, and 1 where there
    /// is an id.
    repeated: Vec<i16>,
    defined: Vec<i16>,
    /// Number of ids of the incomplete row.
    open: usize,
}

impl Table {
    /// Begins a file.
    pub(super) fn begin(output: Output, ids: &Ids) -> Result<Table, Failure> {
        let schema = parse_message_type(SCHEMA).map_err(|error| failed(&error))?;
        let writer = begin_parquet(output, schema)?;
        if i32::try_from(ids.largest()).is_err() {
            let remedy = "write text or NumPy arrays";
            return Err(invalid("an id of this tokenizer does not fit into 31 bits".to_owned(), remedy));
        }
        Ok(Table { writer, names: vec![], ids: vec![], repeated: vec![], defined: vec![], open: 0 })
    }

    /// Adds chunks. A row is complete with its last chunk.
    pub(super) fn add(&mut self, formatted: &Formatted) -> Result<(), Failure> {
        let (mut from, mut names) = (0, formatted.names.iter());
        for &(length, is_last) in &formatted.lengths {
            let own = &formatted.ids[from..from + length as usize];
            from += own.len();
            // No id has more than 31 bits.
            self.ids.extend(own.iter().map(|&id| id as i32));
            self.repeated.extend((0..own.len()).map(|number| i16::from(number + self.open > 0)));
            self.defined.extend(std::iter::repeat_n(1, own.len()));
            self.open += own.len();
            if !is_last {
                continue;
            }
            if self.open == 0 {
                self.repeated.push(0);
                self.defined.push(0);
            }
            self.open = 0;
            self.names.push(names.next().map_or("", String::as_str).into());
            if self.ids.len() >= GROUP || self.names.len() >= ROWS {
                self.group().map_err(|error| failed(&error))?;
            }
        }
        Ok(())
    }

    /// Writes the collected rows as a row group.
    fn group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            column.typed::<ByteArrayType>().write_batch(&self.names, None, None)?;
            column.close()?;
        }
        if let Some(mut column) = group.next_column()? {
            column.typed::<Int32Type>().write_batch(&self.ids, Some(&self.defined), Some(&self.repeated))?;
            column.close()?;
        }
        group.close()?;
        self.names.clear();
        self.ids.clear();
        self.repeated.clear();
        self.defined.clear();
        Ok(())
    }

    /// Completes the file and gives it its name.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        if !self.names.is_empty() {
            self.group().map_err(|error| failed(&error))?;
        }
        self.writer.into_inner().map_err(|error| failed(&error))?.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;

    #[test]
    fn written_rows_are_read_back() {
        let folder = std::env::temp_dir().join(format!("tokbench-parquet-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path: &Path = &folder.join("x.parquet");
        let mut table = Table::begin(Output::create(path).unwrap(), &Ids::Internal(31)).unwrap();
        let names = ["a", "", "long name"].map(str::to_owned).to_vec();
        let lengths = vec![(3, true), (0, true), (1, true)];
        let formatted = Formatted { names, ids: vec![10, 20, 30, 30], lengths, ..Formatted::default() };
        table.add(&formatted).unwrap();
        table.group().unwrap();
        table.add(&formatted).unwrap();
        // A long sequence comes in chunks.
        table
            .add(&Formatted { ids: vec![10, 20], lengths: vec![(1, false), (1, false)], ..Formatted::default() })
            .unwrap();
        let names = vec!["parts".to_owned()];
        table.add(&Formatted { names, ids: vec![30], lengths: vec![(1, true)], ..Formatted::default() }).unwrap();
        table.finish().unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        let rows: Vec<(String, Vec<i32>)> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| {
                let row = row.unwrap();
                let ids = row.get_list(1).unwrap().elements().iter().map(|field| match field {
                    parquet::record::Field::Int(id) => *id,
                    other => panic!("{other}"),
                });
                (row.get_string(0).unwrap().clone(), ids.collect())
            })
            .collect();
        let expected = [("a", vec![10, 20, 30]), ("", vec![]), ("long name", vec![30])];
        let expected: Vec<_> = expected.into_iter().map(|(name, ids)| (name.to_owned(), ids)).collect();
        let chunked = vec![("parts".to_owned(), vec![10, 20, 30])];
        assert_eq!(rows, [expected.clone(), expected, chunked].concat());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
