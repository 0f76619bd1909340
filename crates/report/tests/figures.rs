//! Properties of all figures: deterministic, finite, no overlapping text, CSV equal to the plotted numbers.

use experiment::config::Position;
use protocol::score::{BIAS_ONLY, FLOOR};
use report::example::{Shape, records};
use report::figure::{Draw, Drawn, FIGURES, Figure, FigureKind, Locus, draw_all, files, find, write, write_all};
use report::{Comparison, Options};

fn strings(all: &[&str]) -> Vec<String> {
    all.iter().map(|w| (*w).to_owned()).collect()
}

fn shapes() -> Vec<Shape> {
    let large = Shape {
        tokenizers: strings(&["base", "kmer6", "kmer6-nonoverlap", "bpe512", "bpe4096", "mxdna", "unpooled"]),
        seeds: 3,
        species: strings(&["human", "mouse", "fly", "yeast", "ecoli"]),
        tasks: strings(&["prom_core_all", "prom_300_notata", "tf_human_0", "splice_reconstructed"]),
        ..Shape::default()
    };
    let positions = Shape {
        positions: vec![Position::ALIBI, Position::ALIBI_DIRECTED],
        tasks: strings(&["a", "b", "c", "d", "e"]),
        ..Shape::default()
    };
    let one = Shape { tokenizers: strings(&["base"]), seeds: 1, ..Shape::default() };
    vec![Shape::default(), large, positions, one]
}

fn compare(shape: &Shape) -> Comparison {
    let options = Options {
        order: shape.tokenizers.clone(),
        controls: shape.tokenizers.iter().filter(|n| *n == "unpooled").cloned().collect(),
        resamples: 300,
        ..Options::default()
    };
    Comparison::new(records(shape), options).unwrap()
}

/// Estimated bounding boxes of all text: left, top, right, bottom, in pixels.
fn boxes(svg: &str) -> Vec<([f64; 4], String)> {
    let attribute = |tag: &str, name: &str| {
        tag.split(&format!(" {name}=\"")).nth(1).and_then(|t| t.split('"').next()).unwrap_or("").to_owned()
    };
    let mut all = Vec::new();
    for piece in svg.split("<text").skip(1) {
        let (tag, rest) = piece.split_once('>').unwrap();
        let text = rest.split("</text>").next().unwrap().trim();
        let text = text.replace("&lt;", "<").replace("&amp;", "&");
        let number = |name| attribute(tag, name).parse::<f64>().unwrap() / 10.0;
        let (x, y, size) = (number("x"), number("y"), number("font-size"));
        // Narrower than the estimate of the layout: this is about overlap, not about spacing.
        let wide = text.chars().count() as f64 * size * 0.5;
        let (left, right) = match attribute(tag, "text-anchor").as_str() {
            "start" => (0.0, wide),
            "end" => (-wide, 0.0),
            _ => (-wide / 2.0, wide / 2.0),
        };
        let high = size * 0.45;
        let own = if tag.contains("rotate") {
            [x - high, y - right, x + high, y - left]
        } else {
            [x + left, y - high, x + right, y + high]
        };
        all.push((own, text));
    }
    all
}

fn sound(name: &str, drawn: &Drawn) {
    for bad in ["NaN", "inf", "-9223372036854775808"] {
        assert!(!drawn.svg.contains(bad) && !drawn.csv.contains(bad), "{name} contains {bad}");
    }
    assert!(drawn.svg.starts_with("<svg width=\"900\"") && drawn.svg.trim_end().ends_with("</svg>"), "{name}");
    let high: f64 = drawn.svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let texts = boxes(&drawn.svg);
    assert!(!texts.is_empty());
    for (at, (a, left)) in texts.iter().enumerate() {
        assert!(
            a[0] >= 0.0 && a[1] >= 0.0 && a[2] <= 900.0 && a[3] <= high,
            "{name}: \"{left}\" is outside the figure: {a:?}"
        );
        for (b, right) in &texts[at + 1..] {
            let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
            assert!(apart, "{name}: \"{left}\" overlaps \"{right}\"");
        }
    }
    let fields = drawn.csv.lines().next().unwrap().split(',').count();
    assert!(drawn.csv.lines().count() > 1, "{name} has no numbers");
    assert!(drawn.csv.lines().all(|l| l.split(',').count() == fields), "{name}: ragged CSV");
}

#[test]
fn every_figure_of_every_shape_is_sound_and_deterministic() {
    for shape in shapes() {
        let comparison = compare(&shape);
        for figure in FIGURES {
            let drawn = figure.draw(&comparison).unwrap();
            assert_eq!(drawn, figure.draw(&comparison).unwrap(), "{} differs between two drawings", figure.name);
            if let Some(drawn) = drawn {
                sound(figure.name, &drawn);
            }
        }
    }
}

#[test]
fn the_order_of_records_does_not_matter() {
    let shape = &shapes()[2];
    let options = Options { order: shape.tokenizers.clone(), resamples: 100, ..Options::default() };
    let straight = Comparison::new(records(shape), options.clone()).unwrap();
    let mut reversed = records(shape);
    reversed.reverse();
    let reversed = Comparison::new(reversed, options).unwrap();
    assert_eq!(straight, reversed);
    for figure in FIGURES {
        assert_eq!(figure.draw(&straight).unwrap(), figure.draw(&reversed).unwrap());
    }
}

#[test]
fn figures_are_drawn_only_if_there_is_something_to_show() {
    let drawn = |shape: &Shape| {
        let comparison = compare(shape);
        FIGURES.iter().filter(|f| f.draw(&comparison).unwrap().is_some()).map(|f| f.name).collect::<Vec<_>>()
    };
    let all: Vec<&str> = FIGURES.iter().filter(|f| f.kind() == FigureKind::Comparison).map(|f| f.name).collect();
    assert_eq!(drawn(&shapes()[2]), all);
    assert_eq!(drawn(&Shape::default()), ["bits_per_base", "parts", "curve", "curve_macs", "cost", "lengths"]);
}

#[test]
fn the_csv_contains_exactly_the_plotted_numbers() {
    for shape in shapes() {
        let comparison = compare(&shape);
        let dots = find("bits_per_base").unwrap().draw(&comparison).unwrap().unwrap();
        let rows = |kind: &str| dots.csv.lines().skip(1).filter(|l| l.contains(&format!(",{kind},"))).count();
        // One circle per seed, and one in the legend.
        assert_eq!(dots.svg.matches("<circle").count(), rows("seed") + 1);
        // One polygon per mean, and in the legend one for tokenizers and one for controls.
        let legend = 1 + usize::from(shape.tokenizers.len() == 7);
        assert_eq!(dots.svg.matches("<polygon").count(), rows("mean") + legend);
        let parts = find("parts").unwrap().draw(&comparison).unwrap().unwrap();
        let bars =
            parts.csv.lines().skip(1).filter(|l| {
                [",count,", ",length,", ",content,"].iter().any(|part| l.contains(part)) && !l.ends_with(",0")
            });
        let bars = bars.count();
        assert_eq!(parts.svg.matches("<rect").count(), bars + 3 + 1, "three in the legend, one for the background");
        let lengths = find("lengths").unwrap().draw(&comparison).unwrap().unwrap();
        assert_eq!(lengths.svg.matches("<rect").count(), lengths.csv.lines().count());
        let total = comparison.groups[0].subjects[0].bits.as_ref().unwrap().total.mean;
        assert!(dots.csv.contains(&format!(",base,mean,,{total}\n")));
    }
}

#[test]
fn files_are_complete_and_identical_when_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let comparison = compare(&Shape::default());
    let files = write_all(&comparison, folder.path()).unwrap();
    assert_eq!(files.len(), 12);
    let before: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    assert_eq!(write_all(&comparison, folder.path()).unwrap(), files);
    let after: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    assert_eq!(before, after);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 12, "no temporary file is left");
}

/// The one figure of a locus.
fn only(locus: &Locus<'_>) -> Drawn {
    let mut all = draw_all(FIGURES, locus).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0).1
}

#[test]
fn a_locus_is_sound() {
    let bases = b"ACGTTGCATGACCTGATCGATTTACGGCATCAGCATCGACTACGACTAGCATCAGCAGACATCAGGGATCAC";
    let segmentations = vec![
        ("kmer6".to_owned(), (0..bases.len() - 5).map(|i| i..i + 6).collect()),
        ("bpe4096".to_owned(), (0..bases.len()).step_by(4).map(|i| i..(i + 4).min(bases.len())).collect()),
    ];
    let drawn = only(&Locus { place: "corpus x, bases 101 to 171", first: 101, bases, segmentations: &segmentations });
    sound("locus", &drawn);
    assert_eq!(drawn.csv.lines().count(), 1 + (bases.len() - 5) + bases.len().div_ceil(4));
    for text in ["corpus x, bases 101 to 171", "\n101\n", "kmer6 overlap: they are drawn in 6 staggered rows"] {
        assert!(drawn.svg.contains(text), "{text}");
    }
    let segmentations = vec![("kmer3".to_owned(), vec![0..3, 1..4, 2..5]), ("bpe".to_owned(), vec![0..4, 4..5])];
    assert!(
        only(&Locus { place: "", first: 1, bases: b"ACGTA", segmentations: &segmentations })
            .csv
            .contains("bpe,4,5,A\n")
    );
}

#[test]
fn an_audit_is_sound() {
    let sheet = report::example::sheet();
    let all = draw_all(FIGURES, &sheet).unwrap();
    assert_eq!(all.iter().map(|(figure, _)| figure.name).collect::<Vec<_>>(), ["audit", "audit_lengths"]);
    for (figure, drawn) in &all {
        sound(figure.name, drawn);
    }
    let drawn = &all[0].1;
    assert!(drawn.csv.starts_with("metric,tokenizer,text,value\n"));
    assert_eq!(drawn.csv.lines().count(), 1 + 9 * sheet.tokenizers.len() * 3);
    assert!(drawn.svg.contains("undefined"));
    let drawn = &all[1].1;
    assert!(drawn.csv.starts_with("tokenizer,species,text,length,share_of_bases\n"));
    assert!(drawn.csv.contains("\nbase,,order 2,1,1\n"));
    // Lengths 1, 1 to 6, and 1 to 11 of all species together; three texts.
    assert_eq!(drawn.csv.lines().count(), 1 + (1 + 6 + 11) * 3);
    assert_eq!(drawn.svg.matches("<rect").count(), 1 + (1 + 6 + 11) + 1);
    for text in ["all species", "of order 2", "independent, equally likely bases"] {
        assert!(drawn.svg.contains(text), "{text}");
    }
    // A single species is named.
    let mut one = sheet.clone();
    one.cells.retain(|cell| cell.species != "human");
    let drawn = find("audit_lengths").unwrap().draw(&one).unwrap().unwrap();
    sound("audit", &drawn);
    assert!(drawn.svg.contains("ecoli") && drawn.csv.contains("\nbase,ecoli,order 2,1,1\n"));
    assert_eq!(drawn.csv.lines().count(), 1 + (1 + 6 + 11) * 3);
}

#[test]
fn paired_differences_are_drawn_as_tested() {
    let comparison = compare(&Shape::default());
    let drawn = find("bits_per_base").unwrap().draw(&comparison).unwrap().unwrap();
    assert!(drawn.svg.contains("paired difference to base") && drawn.svg.contains("\nreference\n"));
    for test in &comparison.groups[0].tests {
        let row = format!(",paired difference to base,{},mean,,{}\n", test.left, test.difference.mean);
        assert!(drawn.csv.contains(&row), "{row}");
    }
    assert!(drawn.svg.contains("entropy floor") && drawn.svg.contains("context-free null"));
    assert!(drawn.csv.contains(",floor,line,") && drawn.csv.contains(",bias only,,"));
    let parts = find("parts").unwrap().draw(&comparison).unwrap().unwrap();
    let bits = comparison.groups[0].subjects[0].bits.as_ref().unwrap();
    let (floor, bias_only) = (bits.score.get(FLOOR).unwrap(), bits.score.bits(BIAS_ONLY));
    for (mark, value) in [("floor", floor), ("bias only", bias_only), ("total", bits.total.mean)] {
        assert!(parts.csv.contains(&format!(",base,{mark},{value}\n")));
    }
}

/// Controls far from the tokenizers do not stretch the axis: they are at its edge, with their value.
#[test]
fn a_far_control_is_written_at_the_edge() {
    let near = compare(&shapes()[1]);
    let mut far = near.clone();
    let control = far.groups[0].subjects.iter_mut().find(|s| s.control).unwrap();
    let bits = control.bits.as_mut().unwrap();
    bits.total.mean += 5.0;
    for curve in bits.curves.iter_mut().flatten() {
        curve.1 += 5.0;
    }
    let value = format!("{:.3}", bits.total.mean);
    for name in ["bits_per_base", "cost"] {
        let drawn = find(name).unwrap().draw(&far).unwrap().unwrap();
        sound(name, &drawn);
        assert!(drawn.svg.contains(&format!("\n{value}")), "{name}");
        assert!(!find(name).unwrap().draw(&near).unwrap().unwrap().svg.contains(&value), "{name}");
    }
    for name in ["curve", "curve_macs"] {
        let drawn = find(name).unwrap().draw(&far).unwrap().unwrap();
        sound(name, &drawn);
        assert!(drawn.svg.contains("\nunpooled (6."), "{name}");
    }
}

/// Both curves show the same points: multiply-accumulates are three forward passes per base.
#[test]
fn the_curves_have_the_same_points() {
    let comparison = compare(&Shape::default());
    let rows = |name: &str| -> Vec<(String, f64, String)> {
        let csv = find(name).unwrap().draw(&comparison).unwrap().unwrap().csv;
        let fields = |line: &str| {
            let all: Vec<String> = line.split(',').map(str::to_owned).collect();
            (all[1].clone(), all[4].parse::<f64>().unwrap(), all[5].clone())
        };
        csv.lines().skip(1).filter(|line| line.contains(",mean,")).map(fields).collect()
    };
    let (bases, macs) = (rows("curve"), rows("curve_macs"));
    assert!(bases.len() == macs.len() && bases.len() > 3);
    for ((name, bases, bits), (same, macs, again)) in bases.iter().zip(&macs) {
        let cost = &comparison.groups[0].subject(name).unwrap().bits.as_ref().unwrap().cost;
        assert_eq!((name, bits), (same, again));
        assert!((macs / (3.0 * cost.macs_per_base * bases) - 1.0).abs() < 1e-12);
    }
    let svg = find("curve").unwrap().draw(&comparison).unwrap().unwrap().svg;
    assert!(svg.contains("rests on 1,000 masked bases"));
}

/// A new figure is a function and an entry; everything else follows from the list.
#[test]
fn a_new_figure_is_one_entry() {
    fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, report::Error> {
        let groups = comparison.groups.len();
        Ok(Some(Drawn { svg: format!("<svg><title>{title}</title></svg>"), csv: format!("groups\n{groups}\n") }))
    }
    let toy = Figure { name: "toy", title: "A toy", draw: Draw::Comparison(draw) };
    let figures: Vec<Figure> = FIGURES.iter().copied().chain([toy]).collect();
    let drawn = draw_all(&figures, &compare(&Shape::default())).unwrap();
    let (figure, last) = drawn.last().unwrap();
    assert_eq!((figure.name, last.csv.as_str()), ("toy", "groups\n1\n"));
    let folder = tempfile::tempdir().unwrap();
    write(last, folder.path(), figure.name).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("toy.svg")).unwrap(), "<svg><title>A toy</title></svg>");
    // It is no figure of anything else.
    assert!(draw_all(&figures, &report::example::sheet()).unwrap().iter().all(|(figure, _)| figure.name != "toy"));
}

#[test]
fn files_are_those_that_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let written = write_all(&report::example::sheet(), folder.path()).unwrap();
    let names: Vec<String> = written.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, files(FigureKind::Audit));
    assert_eq!(names, ["audit.svg", "audit.csv", "audit_lengths.svg", "audit_lengths.csv"]);
}

/// An audit metric of one's own is one entry: it is in the table, in the file of all numbers and in the figure.
#[test]
fn a_toy_metric_is_one_entry() {
    use tokenize::audit::{Audit, AuditMetric, Block, METRICS, Unit};
    let toy = AuditMetric::new("toy", "a toy", Unit::Decimals(1), |audit| audit.windows as f64 + 0.5)
        .column(Block::Stability, "toys")
        .panel(99, "toys of a text")
        .by_species(99, "toys, by species");
    let mut sheet = report::example::sheet();
    sheet.metrics = METRICS.iter().copied().chain([toy]).collect();
    let audit = Audit { windows: 41, ..Audit::default() };
    for cell in &mut sheet.cells {
        cell.values = sheet.metrics.iter().map(|metric| (metric.value)(&audit)).collect();
    }
    let table = report::audit::table(&sheet, false);
    assert!(table.contains(" toys\n") && table.contains(" 41.5\n") && table.contains("toys, by species"), "{table}");
    assert!(report::audit::csv(&sheet).contains("base,human,uniform,toy,41.5\n"));
    let drawn = find("audit").unwrap().draw(&sheet).unwrap().unwrap();
    assert!(drawn.csv.ends_with("toy,a tokenizer with quite a long name,uniform,41.5\n"), "{}", drawn.csv);
    assert!(drawn.svg.contains("toys of a text"));
    sound("audit", &drawn);
}
