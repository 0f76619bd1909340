//! Tidy CSV: named columns, one observation per row, numbers in full precision, empty fields for values that are not finite.

/// A CSV under construction.
pub(crate) struct Csv(csv::Writer<Vec<u8>>);

impl Csv {
    /// An empty CSV with these comma-separated column names.
    pub(crate) fn new(columns: &str) -> Csv {
        let mut csv = Csv(csv::WriterBuilder::new().flexible(true).from_writer(Vec::new()));
        csv.record(columns.split(','));
        csv
    }

    /// One row: text fields, then numbers.
    pub(crate) fn row(&mut self, fields: &[&str], numbers: &[f64]) {
        let numbers: Vec<String> = numbers.iter().map(|number| written(*number)).collect();
        self.record(fields.iter().copied().chain(numbers.iter().map(String::as_str)));
    }

    fn record<'a>(&mut self, fields: impl Iterator<Item = &'a str>) {
        // Writing to memory cannot fail, and the writer is flexible about row lengths.
        let _ = self.0.write_record(fields);
    }

    /// The text of the file.
    pub(crate) fn text(self) -> String {
        // All fields are UTF-8, so the file is.
        self.0.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

fn written(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_if_needed_and_numbers_have_full_precision() {
        let mut csv = Csv::new("name,value,more");
        csv.row(&["a,b"], &[0.1, f64::NAN]);
        csv.row(&["say \"x\"", ""], &[1e-7]);
        assert_eq!(csv.text(), "name,value,more\n\"a,b\",0.1,\n\"say \"\"x\"\"\",,0.0000001\n");
    }
}
