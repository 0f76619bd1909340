//! Visual identity of a tokenizer: its label, and its color, marker and dash pattern.
//!
//! They follow from the name alone, so that a tokenizer looks the same in every figure of every experiment, audit and locus.
//! Well-known names have an entry in [`KNOWN`]. Any other name gets a color by its hash; only if another tokenizer of the same
//! figure has that color already, it gets the next free one.

use std::collections::BTreeMap;

use tokenize::families;

/// A color as red, green and blue (0 to 255).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// Dark grey, for controls without a tokenizer.
const NEUTRAL: Color = Color(110, 110, 110);

/// The palette of Okabe and Ito (2008), yellow darkened because it is hard to see on white; then colors of Tol's muted scheme.
const COLORS: [Color; 12] = [
    Color(0, 114, 178),
    Color(213, 94, 0),
    Color(0, 158, 115),
    Color(204, 121, 167),
    Color(230, 159, 0),
    Color(86, 180, 233),
    Color(0, 0, 0),
    Color(190, 175, 20),
    Color(136, 34, 85),
    Color(51, 34, 136),
    Color(121, 85, 61),
    Color(0, 85, 85),
];

/// Number of shapes of [`Look::outline`].
const SHAPES: usize = 11;

/// Lengths of dash and gap in pixels; None is a solid line.
const DASHES: [Option<(f64, f64)>; 7] = [
    None,
    Some((8.0, 3.0)),
    Some((2.0, 3.0)),
    Some((12.0, 4.0)),
    Some((5.0, 5.0)),
    Some((3.0, 1.5)),
    Some((14.0, 2.0)),
];

/// Well-known names with color and shape. A name that ends in `*` stands for all names with that beginning; the first of them
/// in a figure has the entry.
const KNOWN: &[(&str, usize, usize)] = &[
    ("base", 0, 0),
    ("kmer6", 1, 1),
    ("bpe4096", 2, 2),
    ("mxdna", 3, 3),
    ("kmer6-nonoverlap", 4, 4),
    ("unpooled", 5, 5),
    // Its name in older records.
    ("base-deep", 5, 5),
    ("mxdna-pool-parameters", 11, 4),
    ("mxdna-pool-macs", 9, 7),
    ("hnet", 10, 1),
    ("gbst", 9, 6),
    ("gbst-pool-parameters", 11, 1),
    ("gbst-pool-macs", 9, 2),
    ("merge", 8, 10),
    ("merge-pool-parameters", 11, 0),
    ("merge-pool-macs", 9, 10),
    ("hnet-pool-parameters", 11, 2),
    ("hnet-pool-macs", 9, 5),
    ("randomcut*", 6, 6),
    ("bpe512", 7, 7),
    ("unigram*", 8, 8),
    ("wordpiece*", 9, 9),
    ("dnabert2*", 10, 10),
];

/// Color, marker and dash pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) color: Color,
    shape: usize,
    /// Lengths of dash and gap of its line in pixels; None is a solid line.
    pub(crate) dash: Option<(f64, f64)>,
}

impl Look {
    /// A circle and a solid line of this color, for legends.
    pub(crate) fn plain(color: Color) -> Look {
        Look { color, shape: 0, dash: None }
    }

    fn of(color: usize, shape: usize) -> Look {
        Look { color: COLORS[color], shape, dash: DASHES[color % DASHES.len()] }
    }

    /// Corners of the marker around its center, in pixels; about 12 across.
    pub(crate) fn outline(self) -> Vec<(f64, f64)> {
        let regular = |corners: usize, radius: f64, turn: f64| -> Vec<(f64, f64)> {
            let angle = |i: usize| std::f64::consts::TAU * (i as f64 / corners as f64 + turn);
            (0..corners).map(|i| (radius * angle(i).sin(), -radius * angle(i).cos())).collect()
        };
        match self.shape {
            0 => regular(24, 5.5, 0.0),
            1 => regular(4, 6.8, 0.125),
            2 => regular(3, 7.2, 0.0),
            3 => regular(4, 7.0, 0.0),
            4 => regular(3, 7.2, 0.5),
            5 => regular(5, 6.6, 0.0),
            6 => cross(6.5, 2.2),
            7 => regular(6, 6.2, 0.25),
            8 => regular(3, 7.2, 0.25),
            9 => regular(3, 7.2, 0.75),
            _ => turned(&cross(6.8, 2.2)),
        }
    }
}

/// The looks of the tokenizers of one figure.
pub(crate) struct Looks(BTreeMap<String, Look>);

impl Looks {
    /// Assigns looks to all names that occur in a figure; their order does not matter.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Looks {
        let mut stems: Vec<&str> = names.into_iter().map(stem).collect();
        stems.sort_unstable();
        stems.dedup();
        let mut taken: Vec<(usize, usize)> = Vec::new();
        let mut looks = BTreeMap::new();
        let mut unknown = Vec::new();
        for stem in stems {
            match known(stem).filter(|look| !taken.contains(look)) {
                Some(look) => {
                    taken.push(look);
                    looks.insert(stem.to_owned(), Look::of(look.0, look.1));
                }
                None if stem == "cnn" => drop(looks.insert(stem.to_owned(), Look { shape: 7, ..Look::plain(NEUTRAL) })),
                None if stem.starts_with("kmer-logistic") => {
                    looks.insert(stem.to_owned(), Look { shape: 9, ..Look::plain(NEUTRAL) });
                }
                None => unknown.push(stem),
            }
        }
        for stem in unknown {
            let hash = hash(stem);
            let probe = |colors: usize| (hash as usize + colors) % COLORS.len();
            let free = (0..COLORS.len()).map(probe).find(|color| taken.iter().all(|(other, _)| other != color));
            // More tokenizers than colors: the pair of color and shape is still unique for a while.
            let color = free.unwrap_or_else(|| probe(0));
            let shapes = (0..SHAPES).map(|at| ((hash >> 32) as usize + at) % SHAPES);
            let shape = shapes.clone().find(|shape| taken.iter().all(|look| look.1 != *shape));
            let shape = shape.or_else(|| shapes.clone().find(|shape| !taken.contains(&(color, *shape)))).unwrap_or(0);
            taken.push((color, shape));
            looks.insert(stem.to_owned(), Look::of(color, shape));
        }
        Looks(looks)
    }

    /// The look of a name; that of a control without a tokenizer if it was not among the names of the figure.
    pub(crate) fn look(&self, name: &str) -> Look {
        self.0.get(stem(name)).copied().unwrap_or(Look::plain(NEUTRAL))
    }
}

/// The part of a name that decides its look: a tokenizer that is read from a file has the same one whether it is given by its path
/// (`file:a/mine.json`), its canonical name (`file:mine@0123`) or its label (`mine`); and also without pretraining.
fn stem(name: &str) -> &str {
    let name = name.strip_suffix(" (not pretrained)").unwrap_or(name);
    let Some(file) = name.strip_prefix("file:") else { return name };
    let file = file.rsplit('/').next().unwrap_or(file);
    let file = file.split_once('@').map_or(file, |(stem, _)| stem);
    file.strip_suffix(".json").unwrap_or(file)
}

/// Color and shape of a well-known name.
fn known(stem: &str) -> Option<(usize, usize)> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => stem.starts_with(beginning),
        None => stem == pattern,
    };
    KNOWN.iter().find(|(pattern, ..)| fits(pattern)).map(|(_, color, shape)| (*color, *shape))
}

/// FNV-1a, which is the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A cross: length of its arms from the center, and half of their width.
fn cross(far: f64, half: f64) -> Vec<(f64, f64)> {
    vec![
        (-half, -far),
        (half, -far),
        (half, -half),
        (far, -half),
        (far, half),
        (half, half),
        (half, far),
        (-half, far),
        (-half, half),
        (-far, half),
        (-far, -half),
        (-half, -half),
    ]
}

/// An outline turned by an eighth.
fn turned(outline: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let half = std::f64::consts::FRAC_1_SQRT_2;
    outline.iter().map(|(x, y)| (half * (x - y), half * (x + y))).collect()
}

/// Short names for display. A tokenizer read from a file has the name `file:STEM@HASH`, a program `exec:STEM@HASH`; its label is the stem, unless two stems are
/// equal. A comparison keeps full names, because its numbers are read by programs too.
///
/// ```
/// let names = ["base", "file:dnabert2@0123", "file:a@45", "file:a@67"].map(String::from);
/// assert_eq!(report::labels(&names), ["base", "dnabert2", "file:a@45", "file:a@67"]);
/// ```
#[must_use]
pub fn labels(names: &[String]) -> Vec<String> {
    let stem = |name: &String| families::stem_of(name).unwrap_or(name).to_owned();
    let short: Vec<String> = names.iter().map(stem).collect();
    let only = |label: &String| short.iter().filter(|other| *other == label).count() == 1;
    names.iter().zip(&short).map(|(name, short)| if only(short) { short } else { name }).cloned().collect()
}

/// The order of tokenizers: as requested, then as found; controls last.
pub(crate) fn order(found: Vec<String>, requested: &[String], controls: &[String]) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for name in found {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    let place = |name: &String| requested.iter().position(|other| other == name).unwrap_or(usize::MAX);
    order.sort_by_key(|name| (controls.contains(name), place(name)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_as_requested_then_as_found_with_controls_last() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let found = names(&["c", "a", "c", "x", "b"]);
        assert_eq!(order(found.clone(), &names(&["b", "a"]), &names(&["a"])), names(&["b", "c", "x", "a"]));
        assert_eq!(order(found, &[], &[]), names(&["c", "a", "x", "b"]));
    }

    /// The tokenizers of every committed experiment, and of the committed audit.
    fn committed() -> Vec<Vec<String>> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
        let mut folders = vec![root];
        let mut all = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "jsonl") {
                    let records = experiment::read_jsonl(&path).unwrap();
                    let subjects = records.iter().map(|record| record.run.subject());
                    all.push(subjects.filter(|name| !name.starts_with("markov")).collect());
                }
            }
        }
        let audited = [
            "base",
            "kmer6",
            "kmer6-nonoverlap",
            "bpe512",
            "bpe4096",
            "unigram4096",
            "wordpiece4096",
            "dnabert2_bpe4096",
        ];
        all.push(audited.map(str::to_owned).to_vec());
        all
    }

    #[test]
    fn looks_differ_within_a_figure_and_are_equal_between_figures() {
        let experiments = committed();
        assert!(experiments.len() > 1);
        let mut everywhere: BTreeMap<String, Look> = BTreeMap::new();
        for names in experiments {
            let looks = Looks::of(names.iter().map(String::as_str));
            let mut colors: Vec<(&str, Look)> = Vec::new();
            for name in &names {
                let look = looks.look(name);
                assert_eq!(*everywhere.entry(stem(name).to_owned()).or_insert(look), look, "{name}");
                for (other, of) in colors.iter().filter(|(other, _)| *other != stem(name)) {
                    assert!(of.color != look.color || look.color == NEUTRAL, "{name} and {other} have one color");
                    assert!(of.outline() != look.outline(), "{name} and {other}");
                }
                colors.push((stem(name), look));
            }
        }
    }

    #[test]
    fn a_look_follows_from_the_name_alone() {
        let alone = Looks::of(["kmer5"]).look("kmer5");
        assert_eq!(Looks::of(["base", "bpe4096", "mxdna", "kmer5"]).look("kmer5").color, alone.color);
        let file = |name| Looks::of([name]).look(name);
        assert_eq!(file("file:a/b/mine.json"), file("file:mine@0123456789ab"));
        assert_eq!(file("mine"), file("file:mine@0123456789ab"));
        let looks = Looks::of(["bpe4096", "cnn"]);
        assert_eq!(looks.look("bpe4096 (not pretrained)"), looks.look("bpe4096"));
        assert_eq!(looks.look("cnn").color, NEUTRAL);
    }

    #[test]
    fn many_unknown_names_are_told_apart() {
        let names: Vec<String> = (0..40).map(|at| format!("own{at}")).collect();
        let few = Looks::of(names[..COLORS.len()].iter().map(String::as_str));
        let mut colors: Vec<Color> = names[..COLORS.len()].iter().map(|name| few.look(name).color).collect();
        colors.sort_by_key(|Color(red, green, blue)| (*red, *green, *blue));
        colors.dedup();
        assert_eq!(colors.len(), COLORS.len());
        let looks = Looks::of(names.iter().map(String::as_str));
        for (at, name) in names.iter().enumerate() {
            let look = looks.look(name);
            for other in &names[..at] {
                let of = looks.look(other);
                assert!(of.color != look.color || of.outline() != look.outline(), "{name} and {other}");
            }
        }
    }
}
