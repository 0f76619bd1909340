//! Figures: a comparison, an audit or a locus drawn as SVG, each with a CSV of the plotted numbers.
//!
//! [`FIGURES`] lists all figures of every source; `tokbench list`, the tests and [`write_all`] iterate over it. A new figure is
//! one file in `figure/` and one entry in the list. Drawings are identical byte for byte on every machine. A tokenizer has
//! one color and one marker by its name, in all figures; colors are those of Okabe and Ito (2008) first, and markers differ in shape
//! too, so that color alone never carries information. The title of a drawing is its message, from the numbers; the title of the
//! list and the settings are below it.
//!
//! ```
//! let comparison = report::Comparison::new(report::example::records(&Default::default()), Default::default()).unwrap();
//! let drawn = report::figure::find("bits_per_base").unwrap().draw(&comparison).unwrap().unwrap();
//! assert!(drawn.svg.starts_with("<svg") && drawn.csv.starts_with("group,scope,subject,kind,seed,value\n"));
//! // A figure of an audit cannot be drawn from a comparison.
//! assert!(report::figure::find("audit").unwrap().draw(&comparison).unwrap().is_none());
//! ```

mod audit;
mod audit_lengths;
mod bits_per_base;
mod canvas;
mod cost;
mod critical_difference;
mod curve;
mod dots;
mod drawn;
mod facet;
mod layout;
mod lengths;
mod locus;
mod measure;
mod panel;
mod parts;
mod svg;
mod tasks;
mod words;

use std::path::{Path, PathBuf};

use crate::audit::Sheet;
use crate::comparison::Comparison;
use crate::error::Error;
pub use drawn::Drawn;
pub use locus::Locus;

/// What a figure is drawn from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A comparison of runs.
    Comparison(&'a Comparison),
    /// An audit of tokenizers.
    Audit(&'a Sheet),
    /// One locus.
    Locus(&'a Locus<'a>),
}

/// The kinds of [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureKind {
    /// A comparison of runs.
    Comparison,
    /// An audit of tokenizers.
    Audit,
    /// One locus.
    Locus,
}

impl<'a> From<&'a Comparison> for Source<'a> {
    fn from(comparison: &'a Comparison) -> Self {
        Source::Comparison(comparison)
    }
}

impl<'a> From<&'a Sheet> for Source<'a> {
    fn from(audit: &'a Sheet) -> Self {
        Source::Audit(audit)
    }
}

impl<'a> From<&'a Locus<'a>> for Source<'a> {
    fn from(locus: &'a Locus<'a>) -> Self {
        Source::Locus(locus)
    }
}

/// The function that draws a figure, given its source and its title; it returns None if there is nothing to show.
#[derive(Clone, Copy)]
pub enum Draw {
    /// From a comparison.
    Comparison(fn(&Comparison, &'static str) -> Result<Option<Drawn>, Error>),
    /// From an audit.
    Audit(fn(&Sheet, &'static str) -> Result<Option<Drawn>, Error>),
    /// From a locus.
    Locus(fn(&Locus<'_>, &'static str) -> Result<Option<Drawn>, Error>),
}

/// A figure: an entry of [`FIGURES`].
#[derive(Clone, Copy)]
pub struct Figure {
    /// File name without extension.
    pub name: &'static str,
    /// Title, drawn above the figure.
    pub title: &'static str,
    /// Its source and the function that draws it.
    pub draw: Draw,
}

impl Figure {
    /// The kind of source it is drawn from.
    #[must_use]
    pub fn kind(&self) -> FigureKind {
        match self.draw {
            Draw::Comparison(_) => FigureKind::Comparison,
            Draw::Audit(_) => FigureKind::Audit,
            Draw::Locus(_) => FigureKind::Locus,
        }
    }

    /// Draws the figure; None if the source is of another kind or has nothing to show.
    ///
    /// # Errors
    /// If the drawing library reports an error.
    pub fn draw<'a>(&self, source: impl Into<Source<'a>>) -> Result<Option<Drawn>, Error> {
        match (self.draw, source.into()) {
            (Draw::Comparison(draw), Source::Comparison(comparison)) => draw(comparison, self.title),
            (Draw::Audit(draw), Source::Audit(audit)) => draw(audit, self.title),
            (Draw::Locus(draw), Source::Locus(locus)) => draw(locus, self.title),
            _ => Ok(None),
        }
    }
}

/// All figures, in the order of `tokbench list`.
#[rustfmt::skip]
pub static FIGURES: &[Figure] = &[
    Figure { name: "bits_per_base", title: "Bits per masked base", draw: Draw::Comparison(bits_per_base::draw) },
    Figure { name: "parts", title: "Components of the code length", draw: Draw::Comparison(parts::draw) },
    Figure { name: "curve", title: "Validation score during training", draw: Draw::Comparison(curve::draw) },
    Figure { name: "curve_macs", title: "Validation score by the operations of training", draw: Draw::Comparison(curve::draw_macs) },
    Figure { name: "tasks", title: "Classification tasks", draw: Draw::Comparison(tasks::draw) },
    Figure { name: "cost", title: "Code length versus cost", draw: Draw::Comparison(cost::draw) },
    Figure { name: "lengths", title: "Token length distribution", draw: Draw::Comparison(lengths::draw) },
    Figure { name: "critical_difference", title: "Mean ranks across tasks (1 is best)", draw: Draw::Comparison(critical_difference::draw) },
    Figure { name: "audit", title: "Properties of the tokenizers", draw: Draw::Audit(audit::draw) },
    Figure { name: "audit_lengths", title: "Token length distribution on the corpus and on random text", draw: Draw::Audit(audit_lengths::draw) },
    Figure { name: "locus", title: "Segmentation of one locus by each tokenizer", draw: Draw::Locus(locus::draw) },
];

/// A figure by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|f| f.name == name)
}

/// Names of the files that [`write_all`] can write for a source of this kind.
#[must_use]
pub fn files(kind: FigureKind) -> Vec<String> {
    let figures = FIGURES.iter().filter(|figure| figure.kind() == kind);
    figures.flat_map(|figure| ["svg", "csv"].map(|extension| format!("{}.{extension}", figure.name))).collect()
}

/// Draws every figure of a list for which the source has something to show.
///
/// # Errors
/// If the drawing library reports an error.
pub fn draw_all<'f, 'a>(
    figures: &'f [Figure],
    source: impl Into<Source<'a>>,
) -> Result<Vec<(&'f Figure, Drawn)>, Error> {
    let source = source.into();
    let drawn = figures.iter().map(|figure| Ok(figure.draw(source)?.map(|drawn| (figure, drawn))));
    drawn.filter_map(Result::transpose).collect()
}

/// Draws all figures of a source into `folder` (created if missing) as `<name>.svg` and `<name>.csv`; returns the paths in order.
/// Writes are atomic: no file is ever incomplete.
///
/// # Errors
/// If a figure cannot be drawn or a file cannot be written.
pub fn write_all<'a>(source: impl Into<Source<'a>>, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    let mut written = Vec::new();
    for (figure, drawn) in draw_all(FIGURES, source)? {
        written.extend(write(&drawn, folder, figure.name)?);
    }
    Ok(written)
}

/// Writes one drawing as `<name>.svg` and `<name>.csv`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(drawn: &Drawn, folder: &Path, name: &str) -> Result<[PathBuf; 2], Error> {
    let paths = [folder.join(format!("{name}.svg")), folder.join(format!("{name}.csv"))];
    for (path, text) in paths.iter().zip([&drawn.svg, &drawn.csv]) {
        replace(path, text)?;
    }
    Ok(paths)
}

/// Writes a file atomically, see [`experiment::files`].
///
/// # Errors
/// If the file cannot be written.
pub fn replace(path: &Path, text: &str) -> Result<(), Error> {
    experiment::files::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}
