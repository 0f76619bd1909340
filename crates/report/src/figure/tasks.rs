//! Test score of every tokenizer on every classification task; controls have hollow markers.

use experiment::record::Metric;

use super::dots::{self, Facet, Labels, Name, Row};
use super::drawn::{Drawn, common};
use crate::comparison::{Comparison, Group, TaskComparison};
use crate::error::Error;

/// Draws one panel per group and task.
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
    let axis = &format!("{what} on the test split (higher is better)");
    let subtitle = common(comparison.groups.iter());
    let labels = Labels { title, subtitle: &subtitle, axis, interval: "test rows and seeds", tick: Name::default() };
    dots::draw(&labels, &dots::lines(facets)).map(Some)
}

fn title_of(metric: Metric) -> String {
    let title = metric.title();
    title[..1].to_uppercase() + &title[1..]
}

fn facet(group: &Group, task: &TaskComparison) -> Facet {
    let row = |score: &crate::comparison::TaskScore| {
        let estimate = score.score().cloned()?;
        let known = if score.control { &[][..] } else { &task.seeds[..] };
        let seeds = (0..estimate.seeds.len())
            .map(|at| known.get(at).map_or_else(|| format!("#{at}"), ToString::to_string))
            .collect();
        Some(Row { name: score.name.clone(), index: score.index, control: score.control, estimate, seeds, tick: None })
    };
    // A metric that all tasks share is named at the axis instead.
    let scope = match group.metric() {
        Some(_) => task.name.clone(),
        None => format!("{} ({})", task.name, task.metric.short()),
    };
    Facet {
        group: group.label.clone(),
        scope,
        rows: task.scores.iter().filter_map(row).collect(),
        lines: Vec::new(),
        reference: None,
    }
}
