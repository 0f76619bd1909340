//! The comparison as plain text for a terminal, at most 110 columns wide, and as CSV.
//!
//! Blocks: the total with its test, the tests with both conditions of the decision rule, components with alternative totals, species, cost, tasks; then notes. Columns are aligned
//! by spaces, without rules, so that the text can be copied into mails and logs.
//!
//! ```
//! let comparison = report::Comparison::new(report::example::records(&Default::default()), Default::default()).unwrap();
//! let text = report::table(&comparison, false);
//! assert!(text.contains("tokenizer") && text.contains("is an upper bound"));
//! assert!(text.lines().all(|line| line.chars().count() <= report::table::WIDTH));
//! ```

mod cells;
pub(crate) mod grid;
mod notes;
mod rows;
mod views;

use experiment::record::Metric;
use protocol::score::{self, COMPONENTS, FLOOR};

use crate::comparison::{Arm, Bits, Comparison, Group, Subject, TaskComparison, Test};
pub(crate) use cells::name;
use cells::{shown, title};
use experiment::Noise;
use grid::Grid;
pub use grid::WIDTH;
pub use rows::csv;
use statistics::decision::Reason;
use statistics::draws::Interval;
use statistics::text::{brief, decimals, p_value, plus_minus, signed, thousands};

/// The table. `color` turns on ANSI bold for headings, the best total and significant differences; the caller knows whether
/// it writes to a terminal.
#[must_use]
pub fn table(comparison: &Comparison, color: bool) -> String {
    let mut blocks = Vec::new();
    for group in &comparison.groups {
        let title =
            if group.label.is_empty() { group.setting.clone() } else { format!("{}: {}", group.label, group.setting) };
        blocks.push(grid::bold(&grid::wrap(&title, WIDTH, ""), color));
        if group.subjects.iter().any(|s| s.bits.is_some()) {
            blocks.push(totals(group).print(color));
            if !group.tests.is_empty() {
                blocks.push(
                    tests("paired differences in bits per masked base, over seeds and genome blocks", &group.tests)
                        .print(color),
                );
            }
            blocks.extend(group.arms.iter().map(|arm| arms(group, arm).print(color)));
            blocks.push(components(group).print(color));
            if group.species.len() + group.held_out.len() > 1 {
                blocks.extend(species(group).iter().map(|g| g.print(color)));
            }
            blocks.extend(views::offsets(group).map(|grid| grid.print(color)));
            blocks.extend(views::regions(group).iter().map(|grid| grid.print(color)));
            blocks.push(cost(group).print(color));
            blocks.extend(views::equal_cost(comparison, group).map(|grid| grid.print(color)));
        }
        if !group.tasks.is_empty() {
            blocks.extend(tasks(group).iter().map(|g| g.print(color)));
            blocks.extend(gains(group).iter().map(|g| g.print(color)));
            for task in group.tasks.iter().filter(|task| !task.tests.is_empty()) {
                let title = format!("paired differences in {} on {}", task.metric.short(), name(&task.name));
                blocks.push(tests(&title, &task.tests).print(color));
            }
        }
        blocks.push(notes::notes(group, comparison));
    }
    blocks.extend(comparison.budgets.iter().map(|budgets| views::by_budget(budgets).print(color)));
    blocks.retain(|b| !b.is_empty());
    blocks.join("\n\n") + "\n"
}

/// The test shown in the row of a subject: the one against the reference.
fn test<'a>(tests: &'a [Test], subject: &str, reference: Option<&str>) -> Option<&'a Test> {
    reference.and_then(|_| tests.iter().find(|t| t.left == subject))
}

/// A noise arm: what each tokenizer pays on noise, and what of its difference is left.
fn arms(group: &Group, arm: &Arm) -> Grid {
    let (text, holds) = match arm.noise {
        Noise::Uniform => ("uniform DNA: toll above 2.0 bits", "about DNA"),
        Noise::Order2 => ("Markov text of order 2: toll above its entropy floor", "beyond order 2"),
    };
    let title = format!("noise arm, {text}; differences after subtracting those on noise");
    let mut grid = Grid::new(&title, &["tokenizer", "total", "toll", "adjusted difference", "p (Holm)", holds]);
    for toll in &arm.tolls {
        let test = arm.tests.iter().find(|t| t.left == toll.name && group.reference.as_ref() == Some(&t.right));
        let reference = if group.reference.as_ref() == Some(&toll.name) { "reference" } else { "-" };
        grid.row(
            vec![
                name(&toll.name),
                plus_minus(toll.total.mean, toll.total.half_width),
                format!("{:+.3}", toll.toll),
                test.map_or(reference.into(), |t| signed(t.difference.mean, t.difference.half_width)),
                test.map_or("-".into(), |t| p_value(t.adjusted)),
                test.map_or("-", |t| if t.holds { "yes" } else { "no" }).into(),
            ],
            &[],
        );
    }
    grid
}

fn totals(group: &Group) -> Grid {
    let mut grid = Grid::new(
        "bits per masked base (lower is better)",
        &["tokenizer", "total", "difference", "p (Holm)", "entropy floor", "runs"],
    );
    let best = group.ranked().filter_map(|s| s.bits.as_ref()).map(|b| b.total.mean).fold(f64::INFINITY, f64::min);
    for (subject, bits) in shown(group) {
        let test = test(&group.tests, &subject.name, group.reference.as_deref());
        let reference = group.reference.as_ref() == Some(&subject.name);
        let total = bits.map_or("-".into(), |b| plus_minus(b.total.mean, b.total.half_width));
        let floor = bits.and_then(|b| b.score.get(FLOOR)).map_or("-".into(), |f| format!("{f:.3}"));
        let difference = match test {
            Some(t) => signed(t.difference.mean, t.difference.half_width),
            None if reference => "reference".into(),
            None => "-".into(),
        };
        let p = test.map_or("-".into(), |t| p_value(t.adjusted));
        let mut problems = Vec::new();
        if subject.failed > 0 {
            problems.push(format!("{} failed", subject.failed));
        }
        if subject.collapsed > 0 {
            problems.push(format!("{} collapsed", subject.collapsed));
        }
        let runs = if problems.is_empty() { "ok".into() } else { problems.join(", ") };
        let winner = !subject.control && bits.is_some_and(|b| b.total.mean <= best);
        let bold = [
            false,
            winner,
            test.is_some_and(|t| t.decisive),
            test.is_some_and(|t| t.decisive),
            false,
            problems.len() > 1,
        ];
        grid.row(vec![title(subject), total, difference, p, floor, runs], &bold);
    }
    for control in &group.markov {
        grid.row(vec![name(&format!("{} (control)", control.name)), format!("{:.3}", control.total)], &[]);
    }
    grid
}

/// The tests of a family with both conditions of the decision rule and the effect sizes.
fn tests(title: &str, tests: &[Test]) -> Grid {
    let columns = ["A - B", "difference", "simultaneous", "p (Holm)", "rank-bis.", "P(A>B)", "significant"];
    let mut grid = Grid::new(title, &columns);
    for test in tests {
        let Interval { low, high } = test.simultaneous;
        let digits = decimals((high - low) / 2.0);
        let minus = |text: String| text.replace('-', "\u{2212}");
        let verdict = match test.reason {
            None => "yes",
            Some(Reason::Exploratory) => "exploratory",
            Some(Reason::Seeds) => "no: seeds",
            Some(Reason::P) => "no: p",
            Some(Reason::Interval) => "no: interval",
        };
        let row = vec![
            name(&format!("{} - {}", test.left, test.right)),
            signed(test.difference.mean, test.difference.half_width),
            minus(format!("{low:+.digits$} to {high:+.digits$}")),
            p_value(test.adjusted),
            minus(format!("{:+.2}", test.rank_biserial)),
            format!("{:.2}", test.superiority),
            verdict.to_owned(),
        ];
        grid.row(row, &[false, test.decisive, test.decisive, test.decisive, false, false, test.decisive]);
    }
    grid
}

fn components(group: &Group) -> Grid {
    let components = shown(group).find_map(|(_, bits)| Some(bits?.score.components())).unwrap_or(COMPONENTS);
    let columns = score::columns(components);
    let headings: Vec<&str> = std::iter::once("tokenizer").chain(columns.iter().map(|(_, heading)| *heading)).collect();
    let mut grid = Grid::new("components of the total, and alternative totals", &headings);
    for (subject, bits) in shown(group) {
        let Some(b) = bits else { continue };
        let cell = |component| b.score.get(component).map_or("-".into(), |v| format!("{v:.3}"));
        let cells = columns.iter().map(|(component, _)| cell(*component));
        grid.row(std::iter::once(title(subject)).chain(cells).collect(), &[]);
    }
    grid
}

fn cost(group: &Group) -> Grid {
    let columns =
        ["tokenizer", "front end", "encoder", "head", "bases/token", "MACs/base", "passes", "bases/s", "time/run"];
    let mut grid = Grid::new(
        "cost: parameters, multiply-accumulates (MACs), forward passes per scored window, training speed, time",
        &columns,
    );
    for (subject, bits) in shown(group) {
        let Some(Bits { cost: c, .. }) = bits else { continue };
        let row = vec![
            title(subject),
            brief(c.frontend_parameters),
            brief(c.encoder_parameters),
            brief(c.head_parameters),
            format!("{:.2}", c.bases_per_token),
            brief(c.macs_per_base),
            format!("{:.1}", c.passes),
            thousands(c.bases_per_second),
            statistics::text::duration(c.hours),
        ];
        grid.row(row, &[]);
    }
    grid
}

/// Species in rows, tokenizers in columns, split into as many tables as fit the width.
fn species(group: &Group) -> Vec<Grid> {
    let with: Vec<(&Subject, &Bits)> = shown(group).filter_map(|(s, b)| b.map(|b| (s, b))).collect();
    let held_out = group.held_out.iter().map(|s| format!("{} (held out of training)", name(s)));
    let rows: Vec<String> = group.species.iter().map(|s| name(s)).chain(held_out).collect();
    let cells = |at: usize, (_, bits): &(&Subject, &Bits)| {
        bits.scored_species().nth(at).map_or("-".into(), |s| plus_minus(s.total.mean, s.total.half_width))
    };
    let headings: Vec<String> = with.iter().map(|(s, _)| title(s)).collect();
    let body: Vec<_> =
        rows.iter().enumerate().map(|(at, row)| (row.clone(), with.iter().map(|w| cells(at, w)).collect())).collect();
    grid::chunked("bits per masked base, by species", "species", &headings, &body)
}

/// Tasks in rows, tokenizers and controls in columns; separate tables for each metric.
fn tasks(group: &Group) -> Vec<Grid> {
    Metric::ALL.iter().flat_map(|metric| tasks_by(group, *metric)).collect()
}

fn tasks_by(group: &Group, metric: Metric) -> Vec<Grid> {
    let tasks: Vec<_> = group.tasks.iter().filter(|t| t.metric == metric).collect();
    if tasks.is_empty() {
        return Vec::new();
    }
    let cell = |task: &TaskComparison, heading: &String| {
        let Some(score) = task.scores.iter().find(|s| s.name == *heading) else { return "-".to_owned() };
        let Some(shown) = score.score() else { return "failed".to_owned() };
        let star = if task.tests.iter().any(|t| t.left == *heading && t.decisive && group.reference.is_some()) {
            "*"
        } else {
            ""
        };
        let collapsed = if score.collapsed > 0 { format!(" ({} collapsed)", score.collapsed) } else { String::new() };
        format!("{}{star}{collapsed}", plus_minus(shown.mean, shown.half_width))
    };
    let title = format!("tasks: {} on the test split (higher is better)", metric.title());
    by_task(&title, &tasks, tasks.iter().flat_map(|t| &t.scores).map(|score| &score.name), cell)
}

/// Tasks in rows, tokenizers in columns: what pretraining brings, by the metric of each task.
fn gains(group: &Group) -> Vec<Grid> {
    let with: Vec<_> = group.tasks.iter().filter(|task| !task.pretraining.is_empty()).collect();
    let cell = |task: &TaskComparison, heading: &String| {
        let gain = task.pretraining.iter().find(|gain| gain.name == *heading);
        gain.map_or_else(|| "-".to_owned(), |gain| signed(gain.difference.mean, gain.difference.half_width))
    };
    let title = "pretraining: score with it minus score without it, same seeds and test rows";
    by_task(title, &with, with.iter().flat_map(|task| &task.pretraining).map(|gain| &gain.name), cell)
}

/// Tasks in rows, the names that occur in columns.
fn by_task<'a>(
    title: &str,
    tasks: &[&TaskComparison],
    names: impl Iterator<Item = &'a String>,
    cell: impl Fn(&TaskComparison, &String) -> String,
) -> Vec<Grid> {
    let mut headings: Vec<&String> = Vec::new();
    for name in names {
        if !headings.contains(&name) {
            headings.push(name);
        }
    }
    let body: Vec<_> = tasks.iter().map(|t| (name(&t.name), headings.iter().map(|h| cell(t, h)).collect())).collect();
    let short: Vec<String> = headings.iter().map(|h| name(h)).collect();
    grid::chunked(title, "task", &short, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::comparison::Estimate;
    use crate::example::{Shape, records};

    fn large() -> Shape {
        let tokenizers = [
            "base",
            "kmer6",
            "kmer6-nonoverlap",
            "bpe512",
            "bpe4096",
            "mxdna",
            "unpooled-with-a-name-that-does-not-end",
        ];
        Shape {
            tokenizers: tokenizers.map(String::from).to_vec(),
            seeds: 3,
            species: ["human", "mouse", "fly", "yeast", "ecoli"].map(String::from).to_vec(),
            tasks: ["prom_core_all", "splice_reconstructed"].map(String::from).to_vec(),
            ..Shape::default()
        }
    }

    #[test]
    fn what_pretraining_brings_is_paired_by_seed() {
        let shape = large();
        let comparison = Comparison::new(records(&shape), Options::default()).unwrap();
        let task = &comparison.groups[0].tasks[0];
        let gain = task.pretraining.iter().find(|gain| gain.name == "base").unwrap();
        let score = |name: &str| &task.scores.iter().find(|score| score.name == name).unwrap().score().unwrap().seeds;
        let (with, without) = (score("base"), score("base (not pretrained)"));
        let expected: Vec<f64> = with.iter().zip(without).map(|(with, without)| with - without).collect();
        assert_eq!(gain.difference.seeds, expected);
        let Estimate { mean, low, high, .. } = gain.difference;
        assert!((mean - expected.iter().sum::<f64>() / 3.0).abs() < 1e-12 && low < mean && mean < high, "{gain:?}");
        assert!(mean > 0.05, "{gain:?}");
        assert!(table(&comparison, false).contains("pretraining: score with it minus score without it"));
    }

    #[test]
    fn lines_fit_the_width_and_numbers_are_finite() {
        for shape in [Shape::default(), large()] {
            let text = table(&Comparison::new(records(&shape), Options::default()).unwrap(), false);
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
                assert_eq!(line.trim_end(), line, "trailing spaces");
            }
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
            assert!(!text.contains('\u{1b}'));
        }
    }

    #[test]
    fn first_lines_of_a_small_table() {
        let shape = Shape { tokenizers: vec!["base".into(), "bpe4096".into()], ..Shape::default() };
        let comparison = Comparison::new(records(&shape), Options::default()).unwrap();
        let text = table(&comparison, false);
        let start: Vec<&str> = text.lines().take(6).collect();
        assert_eq!(
            start[0],
            "synthetic, 2-layer encoder of width 64, alibi-directed, 252-base windows, 12-base spans, 0.5 million bases"
        );
        assert_eq!(start[2], "bits per masked base (lower is better)");
        assert_eq!(
            start[3].split_whitespace().collect::<Vec<_>>(),
            ["tokenizer", "total", "difference", "p", "(Holm)", "entropy", "floor", "runs"]
        );
        assert!(start[4].starts_with("base ") && start[4].contains("reference"));
        assert!(start[5].starts_with("bpe4096 ") && start[5].contains("0.016"));
        let test = text.lines().find(|line| line.starts_with("bpe4096 - base ")).unwrap();
        assert!(
            test.ends_with("0.016      \u{2212}1.00    0.00          yes") && test.contains(" to \u{2212}0.0"),
            "{test}"
        );
        assert!(text.contains("markov5 (control)") && text.contains("zeros"));
        let bold = table(&comparison, true);
        assert!(bold.contains("\u{1b}[1m"));
        let plain = bold.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert_eq!(plain, text, "bold must not shift columns");
    }

    #[test]
    fn all_pairs_are_listed() {
        let options = Options { all_pairs: true, ..Options::default() };
        let text = table(&Comparison::new(records(&Shape::default()), options).unwrap(), false);
        assert!(text.contains("kmer6 - base") && text.contains("bpe4096 - kmer6"), "{text}");
    }
}
