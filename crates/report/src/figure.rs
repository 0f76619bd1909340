//! Figures: a comparison, an audit or a locus drawn as SVG, each with the CSV of exactly what is drawn.
//!
//! One list, [`FIGURES`], of everything that is drawn, whatever it is drawn from; `tokbench list`, tests and [`write_all`]
//! iterate over it. Adding a figure = one file in `figure/` and one entry here. Drawings are the same bytes on every machine.
//! Colours are Okabe and Ito's (2008), told apart by shape too.
//!
//! ```
//! let comparison = report::Comparison::new(report::example::records(&Default::default()), Default::default()).unwrap();
//! let drawn = report::figure::find("bits_per_base").unwrap().draw(&comparison).unwrap().unwrap();
//! assert!(drawn.svg.starts_with("<svg") && drawn.csv.starts_with("group,scope,subject,kind,seed,value\n"));
//! // A figure of something else has nothing to show of a comparison.
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
mod lengths;
mod locus;
mod panel;
mod parts;
mod svg;
mod tasks;

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

/// How a figure is drawn; it gets its own title. None: there is nothing to show.
#[derive(Clone, Copy)]
pub enum Draw {
    /// From a comparison.
    Comparison(fn(&Comparison, &'static str) -> Result<Option<Drawn>, Error>),
    /// From an audit.
    Audit(fn(&Sheet, &'static str) -> Result<Option<Drawn>, Error>),
    /// From a locus.
    Locus(fn(&Locus<'_>, &'static str) -> Result<Option<Drawn>, Error>),
}

/// A figure.
#[derive(Clone, Copy)]
pub struct Figure {
    /// Name of the file, without extension.
    pub name: &'static str,
    /// What it shows, for people.
    pub title: &'static str,
    /// How it is drawn, and what from.
    pub draw: Draw,
}

impl Figure {
    /// What it is drawn from.
    #[must_use]
    pub fn kind(&self) -> FigureKind {
        match self.draw {
            Draw::Comparison(_) => FigureKind::Comparison,
            Draw::Audit(_) => FigureKind::Audit,
            Draw::Locus(_) => FigureKind::Locus,
        }
    }

    /// Draws; None if the source is not what this figure is drawn from, or holds nothing for it.
    ///
    /// # Errors
    /// The drawing library refused.
    pub fn draw<'a>(&self, source: impl Into<Source<'a>>) -> Result<Option<Drawn>, Error> {
        match (self.draw, source.into()) {
            (Draw::Comparison(draw), Source::Comparison(comparison)) => draw(comparison, self.title),
            (Draw::Audit(draw), Source::Audit(audit)) => draw(audit, self.title),
            (Draw::Locus(draw), Source::Locus(locus)) => draw(locus, self.title),
            _ => Ok(None),
        }
    }
}

/// All figures.
#[rustfmt::skip]
pub static FIGURES: &[Figure] = &[
    Figure { name: "bits_per_base", title: "Bits per masked base", draw: Draw::Comparison(bits_per_base::draw) },
    Figure { name: "parts", title: "What the bits are paid for", draw: Draw::Comparison(parts::draw) },
    Figure { name: "curve", title: "Validation bits along the run", draw: Draw::Comparison(curve::draw) },
    Figure { name: "tasks", title: "Labelled tasks", draw: Draw::Comparison(tasks::draw) },
    Figure { name: "cost", title: "Quality against cost", draw: Draw::Comparison(cost::draw) },
    Figure { name: "lengths", title: "Token lengths", draw: Draw::Comparison(lengths::draw) },
    Figure { name: "critical_difference", title: "Mean ranks over tasks", draw: Draw::Comparison(critical_difference::draw) },
    Figure { name: "audit", title: "What the cut does to the text", draw: Draw::Audit(audit::draw) },
    Figure { name: "audit_lengths", title: "Token lengths", draw: Draw::Audit(audit_lengths::draw) },
    Figure { name: "locus", title: "One locus, as each tokenizer cuts it", draw: Draw::Locus(locus::draw) },
];

/// A figure by name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|f| f.name == name)
}

/// Names of the files that [`write_all`] may write for a source of this kind.
#[must_use]
pub fn files(kind: FigureKind) -> Vec<String> {
    let figures = FIGURES.iter().filter(|figure| figure.kind() == kind);
    figures.flat_map(|figure| ["svg", "csv"].map(|extension| format!("{}.{extension}", figure.name))).collect()
}

/// Draws every figure of a list that there is something to show of.
///
/// # Errors
/// The drawing library refused.
pub fn draw_all<'f, 'a>(
    figures: &'f [Figure],
    source: impl Into<Source<'a>>,
) -> Result<Vec<(&'f Figure, Drawn)>, Error> {
    let source = source.into();
    let drawn = figures.iter().map(|figure| Ok(figure.draw(source)?.map(|drawn| (figure, drawn))));
    drawn.filter_map(Result::transpose).collect()
}

/// Draws all figures of a source into `folder` (made if missing), `<name>.svg` and `<name>.csv`; returns the files written, in
/// order. Each file is written whole or not at all, so a reader never sees half of one.
///
/// # Errors
/// Drawing failed, or a file could not be written.
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
