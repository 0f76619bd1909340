//! Total bits per masked base of every tokenizer, one dot per seed, with the entropy floor and the controls.

use protocol::score::{BIAS_ONLY, FLOOR};

use super::dots::{self, Facet, Labels, Line, Name, Row};
use super::drawn::{Drawn, common};
use crate::comparison::{Bits, Comparison, Estimate, Group, SpeciesBits, Subject, Test, UNIFORM};
use crate::error::Error;

/// Draws one line of panels per group: the totals and the paired differences to the reference; then one panel per species if
/// there are several. Intervals of totals include variation that all tokenizers share (text, seed) and may overlap although the
/// paired differences, in which it cancels, are significant: hence both.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let mut lines = Vec::new();
    let shown = |g: &&Group| g.subjects.iter().any(|s| s.bits.is_some());
    for group in comparison.groups.iter().filter(shown) {
        let several = group.species.len() > 1;
        let whole = if several { "all species" } else { "" };
        let markov = group.markov.iter().map(|m| (m.name.clone(), Some(m.total)));
        let total = facet(group, whole, |b| (b.total.clone(), b.score.bits(BIAS_ONLY), b.score.get(FLOOR)), markov);
        lines.push(std::iter::once(total).chain(differences(group)).collect());
        let mut facets = Vec::new();
        for (at, species) in group.species.iter().enumerate().filter(|_| several) {
            let markov = group.markov.iter().map(|m| (m.name.clone(), m.species.get(at).copied().flatten()));
            let pick = move |b: &Bits| {
                let SpeciesBits { total, score, .. } = &b.species[at];
                (total.clone(), score.bits(BIAS_ONLY), score.get(FLOOR))
            };
            facets.push(facet(group, species, pick, markov));
        }
        lines.extend(dots::lines(facets));
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let labels = Labels {
        title,
        subtitle: &common(comparison.groups.iter()),
        axis: "bits per masked base (lower is better)",
        interval: "genome blocks and seeds",
        tick: Name { csv: "bias only", legend: "context-free null" },
    };
    dots::draw(&labels, &lines).map(Some)
}

fn facet(
    group: &Group,
    scope: &str,
    pick: impl Fn(&Bits) -> (Estimate, f64, Option<f64>),
    markov: impl Iterator<Item = (String, Option<f64>)>,
) -> Facet {
    let row = |subject: &Subject| {
        let (estimate, bias_only, floor) = pick(subject.bits.as_ref()?);
        let known = if subject.control { &[][..] } else { &group.seeds[..] };
        let seeds = (0..estimate.seeds.len())
            .map(|at| known.get(at).map_or_else(|| format!("#{at}"), ToString::to_string))
            .collect();
        let tick = bias_only.is_finite().then_some(bias_only);
        let row = Row {
            name: subject.name.clone(),
            index: Some(subject.index),
            control: subject.control,
            estimate,
            seeds,
            tick,
        };
        Some((row, floor))
    };
    let (rows, floors): (Vec<Row>, Vec<Option<f64>>) = group.subjects.iter().filter_map(row).unzip();
    let mut lines = Vec::new();
    if let Some(floor) = floors.into_iter().flatten().next() {
        lines.push(Line { name: "floor".into(), legend: "entropy floor".into(), value: floor, dash: (9.0, 4.0) });
    }
    // Without a known floor: what equally likely bases cost, if it is in sight.
    let near = rows.iter().any(|row| row.estimate.high > UNIFORM - 0.1);
    if lines.is_empty() && near {
        let legend = "2 bits: equally likely bases".to_owned();
        lines.push(Line { name: "uniform".into(), legend, value: UNIFORM, dash: (1000.0, 1.0) });
    }
    for (name, value) in markov {
        if let Some(value) = value {
            lines.push(Line { legend: name.clone(), name, value, dash: (2.0, 3.0) });
        }
    }
    Facet { group: group.label.clone(), scope: scope.to_owned(), rows, lines, reference: None }
}

/// Paired differences to the reference, as tested; None if all pairs are tested.
fn differences(group: &Group) -> Option<Facet> {
    let reference = group.reference.clone()?;
    let row = |test: &Test| {
        Some(Row {
            name: test.left.clone(),
            index: Some(group.subject(&test.left)?.index),
            control: false,
            estimate: test.difference.clone(),
            seeds: group.seeds.iter().map(ToString::to_string).collect(),
            tick: None,
        })
    };
    let rows: Vec<Row> = group.tests.iter().filter_map(row).collect();
    let zero = Line { name: "no difference".into(), legend: "no difference".into(), value: 0.0, dash: (1000.0, 1.0) };
    let name = if reference.chars().count() > 24 { "the reference" } else { &reference };
    let scope = format!("paired difference to {name}");
    (!rows.is_empty()).then(|| Facet {
        group: group.label.clone(),
        scope,
        rows,
        lines: vec![zero],
        reference: Some(reference),
    })
}
