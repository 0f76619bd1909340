//! Mean ranks across tasks with the critical difference of the Nemenyi test (Demšar 2006, section 3.2.4): tokenizers joined by a
//! bar do not differ significantly. Drawn if Friedman's test was computed and the critical value is tabulated.

use super::canvas::{Anchor, GREY, INK, SMALL, TEXT, WIDE, sheet, under};
use super::drawn::{Drawn, Head, heading, looks};
use crate::comparison::Comparison;
use crate::error::Error;
use crate::tidy::Csv;
use statistics::friedman::critical_difference;

/// Draws one axis per group.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let mut csv = Csv::new("group,subject,mean_rank,critical_difference");
    let mut axes = Vec::new();
    for group in &comparison.groups {
        let Some(friedman) = &group.friedman else { continue };
        let Ok(cd) = critical_difference(friedman.ranks.len(), friedman.tasks) else { continue };
        let mut ranked: Vec<(f64, &str)> =
            group.tasked().zip(&friedman.ranks).map(|(s, rank)| (*rank, s.name.as_str())).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranked.iter().for_each(|(rank, name)| csv.row(&[&group.label, name], &[*rank, cd]));
        axes.push((group, friedman, cd, ranked));
    }
    if axes.is_empty() {
        return Ok(None);
    }
    let high = |n: usize| 120.0 + 24.0 * n.div_ceil(2) as f64 + 8.0 * n as f64;
    let head = Head::of(title, None, comparison);
    let looks = looks(comparison);
    let first = under(&head) + 4.0;
    let size = (WIDE, first + axes.iter().map(|a| high(a.3.len())).sum::<f64>());
    let svg = sheet(&head, size, |canvas| {
        let mut top = first;
        for (group, friedman, cd, ranked) in &axes {
            let k = ranked.len();
            let (left, right, axis) = (230.0, WIDE - 230.0, top + 66.0);
            let x = |rank: f64| left + (rank - 1.0) / (k - 1) as f64 * (right - left);
            let f = friedman.f.map_or("infinite".into(), |f| format!("{f:.2}"));
            let head = format!(
                "{} tasks, Friedman test: F = {f}, p {}",
                friedman.tasks,
                statistics::text::p_value(friedman.p)
            );
            canvas.text((24.0, top), &heading(&group.label, &head), TEXT, INK, Anchor::Left);
            canvas.line((left, axis), (right, axis), INK, 1.2);
            for rank in 1..=k {
                canvas.line((x(rank as f64), axis - 5.0), (x(rank as f64), axis), INK, 1.0);
                canvas.text((x(rank as f64), axis - 14.0), &rank.to_string(), SMALL, INK, Anchor::Middle);
            }
            let end = (x(1.0 + cd)).min(WIDE - 30.0);
            canvas.line((left, axis - 32.0), (end, axis - 32.0), GREY, 2.0);
            canvas.text((end + 8.0, axis - 32.0), &format!("critical difference {cd:.2}"), SMALL, INK, Anchor::Left);
            let bars = cliques(&ranked.iter().map(|r| r.0).collect::<Vec<_>>(), *cd);
            for (row, (from, to)) in bars.iter().enumerate() {
                let y = axis + 10.0 + 8.0 * row as f64;
                canvas.line((x(ranked[*from].0) - 4.0, y), (x(ranked[*to].0) + 4.0, y), INK, 3.0);
            }
            let names = axis + 24.0 + 8.0 * bars.len() as f64;
            for (at, (rank, name)) in ranked.iter().enumerate() {
                let before = at < k.div_ceil(2);
                let y = names + 24.0 * if before { at } else { k - 1 - at } as f64;
                let edge = if before { left - 14.0 } else { right + 14.0 };
                canvas.path(&[(x(*rank), axis), (x(*rank), y), (edge, y)], looks.look(name).color, 1.0, 1.6, None);
                let (anchor, shift) = if before { (Anchor::Right, -6.0) } else { (Anchor::Left, 6.0) };
                canvas.text((edge + shift, y), &format!("{name} ({rank:.2})"), TEXT, INK, anchor);
            }
            top += high(k);
        }
    })?;
    Ok(Some(Drawn { svg, csv: csv.text() }))
}

/// Maximal runs of at least two sorted ranks that lie within the critical difference.
fn cliques(ranks: &[f64], cd: f64) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for from in 0..ranks.len() {
        let to = (from..ranks.len()).take_while(|to| ranks[*to] - ranks[from] < cd).last().unwrap_or(from);
        if to > from && found.last().is_none_or(|last| to > last.1) {
            found.push((from, to));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Demšar's Figure 1(a) logic: ranks and a critical difference give two overlapping groups.
    #[test]
    fn cliques_are_maximal() {
        assert_eq!(cliques(&[1.0, 2.0, 3.0, 4.5], 1.25), vec![(0, 1), (1, 2)]);
        assert_eq!(cliques(&[1.0, 1.2, 1.3], 1.0), vec![(0, 2)]);
        assert!(cliques(&[1.0, 3.0], 1.0).is_empty());
    }
}
