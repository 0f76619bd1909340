//! Figures: a comparison drawn as SVG, each with the CSV of exactly what is drawn.
//!
//! One list, [`FIGURES`]; help, tests and [`write_all`] iterate over it. Adding a figure = one file in `figure/` and one
//! line here. Drawings are the same bytes on every machine. Colours are Okabe and Ito's (2008), told apart by shape too.
//!
//! ```
//! let comparison = report::Comparison::new(report::example::records(&Default::default()), Default::default()).unwrap();
//! let drawn = report::figure::find("bits_per_base").unwrap().draw(&comparison).unwrap().unwrap();
//! assert!(drawn.svg.starts_with("<svg") && drawn.csv.starts_with("group,scope,subject,kind,seed,value\n"));
//! ```

mod audit;
mod audit_lengths;
mod bits_per_base;
mod canvas;
mod cost;
mod critical_difference;
mod curve;
mod dots;
mod lengths;
mod locus;
mod panel;
mod parts;
mod tasks;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::comparison::Comparison;
use crate::error::Error;
pub use audit::audit;
pub use audit_lengths::lengths;
pub use locus::locus;

/// A drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The picture.
    pub svg: String,
    /// The numbers in it, one drawn thing a row.
    pub csv: String,
}

/// A kind of figure.
#[derive(Clone, Copy)]
pub struct Figure {
    /// Name of the file, without extension.
    pub name: &'static str,
    /// What it shows, for people.
    pub title: &'static str,
    draw: fn(&Comparison, &'static str) -> Result<Option<Drawn>, Error>,
}

impl Figure {
    /// Draws; None if the comparison holds nothing for this figure.
    ///
    /// # Errors
    /// The drawing library refused.
    pub fn draw(&self, comparison: &Comparison) -> Result<Option<Drawn>, Error> {
        (self.draw)(comparison, self.title)
    }
}

/// All figures of a comparison.
pub static FIGURES: &[Figure] = &[
    Figure { name: "bits_per_base", title: "Bits per masked base", draw: bits_per_base::draw },
    Figure { name: "parts", title: "What the bits are paid for", draw: parts::draw },
    Figure { name: "curve", title: "Validation bits along the run", draw: curve::draw },
    Figure { name: "tasks", title: "Labelled tasks", draw: tasks::draw },
    Figure { name: "cost", title: "Quality against cost", draw: cost::draw },
    Figure { name: "lengths", title: "Token lengths", draw: lengths::draw },
    Figure { name: "critical_difference", title: "Mean ranks over tasks", draw: critical_difference::draw },
];

/// A figure by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|f| f.name == name)
}

/// Draws all figures into `folder` (made if missing), `<name>.svg` and `<name>.csv`; returns the files written, in order.
/// Each file is written whole or not at all, so a reader never sees half of one.
///
/// # Errors
/// Drawing failed, or a file could not be written.
pub fn write_all(comparison: &Comparison, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    let mut written = Vec::new();
    for figure in FIGURES {
        if let Some(drawn) = figure.draw(comparison)? {
            written.extend(write(&drawn, folder, figure.name)?);
        }
    }
    Ok(written)
}

/// Writes one drawing as `<name>.svg` and `<name>.csv`.
///
/// # Errors
/// A file could not be written.
pub fn write(drawn: &Drawn, folder: &Path, name: &str) -> Result<[PathBuf; 2], Error> {
    let paths = [folder.join(format!("{name}.svg")), folder.join(format!("{name}.csv"))];
    for (path, text) in paths.iter().zip([&drawn.svg, &drawn.csv]) {
        replace(path, text)?;
    }
    Ok(paths)
}

/// Writes a file whole or not at all, see [`experiment::files`].
///
/// # Errors
/// It could not be written.
pub fn replace(path: &Path, text: &str) -> Result<(), Error> {
    experiment::files::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// A CSV in the making.
struct Csv(String);

impl Csv {
    fn new(header: &str) -> Csv {
        Csv(format!("{header}\n"))
    }

    /// One row: text fields, then numbers (nothing for what is not finite).
    fn row(&mut self, fields: &[&str], numbers: &[f64]) {
        let fields = fields.iter().map(|f| crate::table::field(f));
        let numbers = numbers.iter().map(|n| crate::table::number(*n));
        let line = fields.chain(numbers).collect::<Vec<_>>().join(",");
        let _ = writeln!(self.0, "{line}");
    }
}

/// Label of a group in panels: its own, or nothing.
fn heading(group: &str, scope: &str) -> String {
    match (group, scope) {
        ("", scope) => scope.to_owned(),
        (group, "") => group.to_owned(),
        (group, scope) => format!("{group} \u{b7} {scope}"),
    }
}

/// What all drawn groups were asked, in one line: the parts of their settings that are the same.
fn common<'a>(groups: impl Iterator<Item = &'a crate::comparison::Group>) -> String {
    let all: Vec<Vec<&str>> = groups.map(|g| g.setting.split(", ").collect()).collect();
    let shared = |part: &&str| all.iter().all(|other| other.contains(part));
    all.first().map_or_else(String::new, |first| first.iter().copied().filter(shared).collect::<Vec<_>>().join(", "))
}
