//! Tables of vectors: CSV, NumPy or Parquet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;

use crate::args::VectorFormat;
use crate::command::tokenizer::output::{
    NUMPY_HEADER, Output, OutputWriter, begin_parquet, beside, failed_parquet as failed, numpy_header,
};
use crate::command::tokenizer::standard::is_standard_output;
use crate::failure::{Failure, USAGE};
use crate::folders;

/// Values per row group of a Parquet file.
const GROUP: usize = 1 << 22;

/// What a row is: a stretch of a record.
pub(crate) struct Label<'a> {
    pub(crate) record: &'a str,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The predicted class, in tables with such a column.
    pub(crate) label: Option<&'a str>,
}

/// A table that is being written.
pub(crate) struct Vectors {
    kind: Kind,
    columns: usize,
    rows: u64,
}

enum Kind {
    Csv(Output),
    Arrays { array: Box<Output>, rows: Box<Output>, of_columns: Option<Box<Output>> },
    Parquet(Box<Table>),
}

/// The format of an output: as asked for, or by its extension.
pub(crate) fn format(asked: Option<VectorFormat>, output: &Path) -> Result<VectorFormat, Failure> {
    let extension = output.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let format = asked.unwrap_or(match extension {
        "npy" => VectorFormat::Npy,
        "parquet" => VectorFormat::Parquet,
        _ => VectorFormat::Csv,
    });
    let regular = !is_standard_output(output) && !experiment::files::in_place(output);
    if format == VectorFormat::Csv || regular {
        return Ok(format);
    }
    let cause = format!("{} cannot be written as {format:?}: such a file is completed at its end", output.display());
    Err(Failure::new(USAGE, cause, "name a file with --output, or use --format csv"))
}

/// Names of columns that differ from each other and from those of the rows.
fn distinct(names: &[String]) -> Vec<String> {
    let mut taken: Vec<String> = ["record", "start", "end", "label"].map(str::to_owned).to_vec();
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let free = |number: usize| if number == 1 { name.clone() } else { format!("{name}_{number}") };
        let own = (1..).map(free).find(|own| !taken.contains(own)).unwrap_or_default();
        taken.push(own.clone());
        all.push(own);
    }
    all
}

/// Refuses an output whose files would overwrite an input.
pub(crate) fn apart<'a>(output: &Path, inputs: impl Iterator<Item = &'a Path>) -> Result<(), Failure> {
    let inputs: Vec<&Path> = inputs.collect();
    [output.to_owned(), rows_of(output), columns_of(output)]
        .iter()
        .try_for_each(|file| folders::apart(file, inputs.iter().copied()))
}

/// The file with the names of the columns of a NumPy array.
fn columns_of(path: &Path) -> PathBuf {
    beside(path, ".columns.csv")
}

/// The file with what the rows of a NumPy array are.
fn rows_of(path: &Path) -> PathBuf {
    beside(path, ".rows.csv")
}

/// A field of a CSV file (RFC 4180).
pub(crate) fn csv_field(text: &str) -> String {
    let plain = !text.contains(['"', ',', '\n', '\r']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

impl Vectors {
    /// Begins a table with columns of these names, behind a text column `label` if `labeled`; in Parquet they are one list of the name `list`, if
    /// it is given.
    pub(crate) fn create(
        path: &Path,
        format: VectorFormat,
        names: &[String],
        list: Option<&str>,
        labeled: bool,
    ) -> Result<Vectors, Failure> {
        let (columns, names) = (names.len(), distinct(names));
        let label = if labeled { ",label" } else { "" };
        let mut output = Output::create(path)?;
        let kind = match format {
            VectorFormat::Csv => {
                let fields: Vec<String> = names.iter().map(|name| csv_field(name)).collect();
                output.write(format!("record,start,end{label},{}\n", fields.join(",")).as_bytes())?;
                Kind::Csv(output)
            }
            VectorFormat::Npy => {
                let mut rows = Output::create(&rows_of(path))?;
                rows.write(format!("record,start,end{label}\n").as_bytes())?;
                output.write(&[0; NUMPY_HEADER])?;
                // The components of an embedding have no names.
                let mut of_columns = None;
                if list.is_none() {
                    let lines: String = names.iter().map(|name| csv_field(name) + "\n").collect();
                    let file = of_columns.insert(Box::new(Output::create(&columns_of(path))?));
                    file.write(format!("column\n{lines}").as_bytes())?;
                }
                Kind::Arrays { array: Box::new(output), rows: Box::new(rows), of_columns }
            }
            VectorFormat::Parquet => Kind::Parquet(Box::new(Table::begin(output, &names, list, labeled)?)),
        };
        Ok(Vectors { kind, columns, rows: 0 })
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, label: &Label<'_>, values: &[f32]) -> Result<(), Failure> {
        self.rows += 1;
        let text = || {
            let class = label.label.map_or_else(String::new, |class| format!(",{}", csv_field(class)));
            format!("{},{},{}{class}", csv_field(label.record), label.start, label.end)
        };
        match &mut self.kind {
            Kind::Csv(output) => {
                let mut line = text();
                for value in values {
                    line.push(',');
                    line.push_str(&value.to_string());
                }
                line.push('\n');
                output.write(line.as_bytes())
            }
            Kind::Arrays { array, rows, .. } => {
                rows.write(format!("{}\n", text()).as_bytes())?;
                values.iter().try_for_each(|value| array.write(&value.to_le_bytes()))
            }
            Kind::Parquet(table) => table.add(label, values),
        }
    }

    /// Completes the files and gives them their names. Returns the number of rows.
    pub(crate) fn finish(self) -> Result<u64, Failure> {
        match self.kind {
            Kind::Csv(output) => output.finish()?,
            Kind::Arrays { array, rows, of_columns } => {
                let header = Some(numpy_header("<f4", &format!("({}, {})", self.rows, self.columns)));
                match of_columns {
                    Some(columns) => Output::finish_all([(*array, header), (*rows, None), (*columns, None)])?,
                    None => Output::finish_all([(*array, header), (*rows, None)])?,
                }
            }
            Kind::Parquet(table) => table.finish()?,
        }
        Ok(self.rows)
    }
}

/// A column of numbers; any name is allowed, unlike in the text form of a schema.
fn number(name: &str, kind: PhysicalType) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(name, kind).with_repetition(Repetition::REQUIRED).build()
}

/// A column of text.
fn text(name: &str) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(name, PhysicalType::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::String))
        .build()
}

/// A Parquet file that is being written.
struct Table {
    writer: SerializedFileWriter<OutputWriter>,
    list: bool,
    columns: usize,
    records: Vec<ByteArray>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    labels: Option<Vec<ByteArray>>,
    values: Vec<f32>,
}

impl Table {
    fn begin(output: Output, names: &[String], list: Option<&str>, labeled: bool) -> Result<Table, Failure> {
        let mut fields = vec![text("record"), number("start", PhysicalType::INT64), number("end", PhysicalType::INT64)];
        fields.extend(labeled.then(|| text("label")));
        match list {
            Some(name) => {
                let schema = format!(
                    "message rows {{ REQUIRED GROUP {name} (LIST) {{ REPEATED GROUP list {{ REQUIRED FLOAT element; }} }} }}"
                );
                let schema = parse_message_type(&schema).map_err(|error| failed(&error))?;
                fields.extend(schema.get_fields().iter().map(|field| Ok(field.as_ref().clone())));
            }
            None => fields.extend(names.iter().map(|name| number(name, PhysicalType::FLOAT))),
        }
        let fields = fields.into_iter().map(|field| field.map(Arc::new)).collect::<Result<Vec<_>, _>>();
        let schema = fields.and_then(|fields| Type::group_type_builder("rows").with_fields(fields).build());
        let schema = schema.map_err(|error| failed(&error))?;
        let writer = begin_parquet(output, schema)?;
        let (records, starts, ends, values) = (vec![], vec![], vec![], vec![]);
        let labels = labeled.then(Vec::new);
        Ok(Table { writer, list: list.is_some(), columns: names.len(), records, starts, ends, labels, values })
    }

    fn add(&mut self, label: &Label<'_>, values: &[f32]) -> Result<(), Failure> {
        self.records.push(label.record.into());
        self.starts.push(label.start as i64);
        self.ends.push(label.end as i64);
        if let Some(labels) = &mut self.labels {
            labels.push(label.label.unwrap_or_default().into());
        }
        self.values.extend_from_slice(values);
        if self.values.len() >= GROUP { self.group().map_err(|error| failed(&error)) } else { Ok(()) }
    }

    fn group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            column.typed::<ByteArrayType>().write_batch(&self.records, None, None)?;
            column.close()?;
        }
        for places in [&self.starts, &self.ends] {
            if let Some(mut column) = group.next_column()? {
                column.typed::<Int64Type>().write_batch(places, None, None)?;
                column.close()?;
            }
        }
        if let Some(labels) = &mut self.labels
            && let Some(mut column) = group.next_column()?
        {
            column.typed::<ByteArrayType>().write_batch(labels, None, None)?;
            column.close()?;
            labels.clear();
        }
        let mut number = 0;
        while let Some(mut column) = group.next_column()? {
            let floats = column.typed::<FloatType>();
            if self.list {
                let defined = vec![1; self.values.len()];
                let repeated: Vec<i16> =
                    (0..self.values.len()).map(|at| i16::from(!at.is_multiple_of(self.columns))).collect();
                floats.write_batch(&self.values, Some(&defined), Some(&repeated))?;
            } else {
                let own: Vec<f32> = self.values.iter().skip(number).step_by(self.columns).copied().collect();
                floats.write_batch(&own, None, None)?;
            }
            column.close()?;
            number += 1;
        }
        group.close()?;
        self.records.clear();
        self.starts.clear();
        self.ends.clear();
        self.values.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        if !self.records.is_empty() {
            self.group().map_err(|error| failed(&error))?;
        }
        self.writer.into_inner().map_err(|error| failed(&error))?.0.finish()
    }
}
