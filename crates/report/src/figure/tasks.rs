//! Test score of every tokenizer on every classification task; controls have hollow markers.

use experiment::record::Metric;
use statistics::text::{count, thousands};

use super::dots::{self, Facet, Labels, Line, Name, Row};
use super::drawn::{Drawn, Head, looks, seed_names};
use super::layout;
use super::words;
use crate::comparison::{Comparison, Group, TaskComparison};
use crate::error::Error;

/// Draws one panel per group and task; all tasks with the same metric have one axis.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let facets: Vec<Facet> = comparison
        .groups
        .iter()
        .flat_map(|g| g.tasks.iter().map(move |t| facet(g, t)))
        .filter(|f| !f.rows.is_empty())
        .collect();
    if facets.is_empty() {
        return Ok(None);
    }
    let mut judged = comparison.groups.iter().flat_map(|g| &g.tasks).map(|t| t.metric);
    let first = judged.next().unwrap_or_default();
    let what = if judged.all(|metric| metric == first) { title_of(first) } else { "Score".to_owned() };
    let labels = Labels {
        head: &Head::of(title, words::tasks(comparison), comparison),
        axis: &format!("{what} on the test split (higher is better)"),
        interval: "test rows and seeds",
        tick: Name::default(),
        notes: &single_seed(comparison),
    };
    dots::draw(&labels, &looks(comparison), &layout::lines(facets)).map(Some)
}

fn title_of(metric: Metric) -> String {
    let title = metric.title();
    title[..1].to_uppercase() + &title[1..]
}

/// Which rows rest on a single seed, among others that do not: their intervals have no variation between seeds.
fn single_seed(comparison: &Comparison) -> Vec<String> {
    let scores = || comparison.groups.iter().flat_map(|g| &g.tasks).flat_map(|t| &t.scores);
    let seeds = |score: &crate::comparison::TaskScore| score.score().map_or(0, |e| e.seeds.len());
    let mut single: Vec<String> = scores().filter(|s| seeds(s) == 1).map(|s| s.name.clone()).collect();
    single.dedup();
    single.sort();
    single.dedup();
    if single.is_empty() || scores().all(|s| seeds(s) < 2) {
        return Vec::new();
    }
    vec![format!("A single run of {}: its interval is over test rows only.", statistics::text::list(&single))]
}

fn facet(group: &Group, task: &TaskComparison) -> Facet {
    let row = |score: &crate::comparison::TaskScore| {
        let estimate = score.score().cloned()?;
        let seeds = seed_names(score.control, &task.seeds, estimate.seeds.len());
        Some(Row { name: score.name.clone(), control: score.control, estimate, seeds, tick: None })
    };
    // A metric that all tasks share is named at the axis instead.
    let metric = if group.metric().is_some() { String::new() } else { format!("{}, ", task.metric.short()) };
    let rows = if task.rows == 1 { count(1, "row") } else { format!("{} rows", thousands(task.rows as f64)) };
    // A Matthews correlation of zero is what guessing gives.
    let chance = Line {
        name: "chance".to_owned(),
        legend: "0: as good as guessing".to_owned(),
        value: 0.0,
        dash: (5.0, 3.0),
        kept: true,
    };
    Facet {
        group: group.label.clone(),
        scope: task.name.clone(),
        detail: format!("{metric}{rows}"),
        scale: task.metric.short().to_owned(),
        rows: task.scores.iter().filter_map(row).collect(),
        lines: if task.metric == Metric::Mcc { vec![chance] } else { Vec::new() },
        reference: None,
    }
}
