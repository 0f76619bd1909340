//! Total bits per masked base of every tokenizer, one dot per seed, with the entropy floor, the uniform guess and the controls.

use protocol::score::{BIAS_ONLY, FLOOR};

use super::dots::{self, Facet, Labels, Line, Name, Row};
use super::drawn::{Drawn, Head, looks, seed_names};
use super::layout;
use super::words::{self, NULL, UNIFORM, UNIFORM_LEGEND, predictor};
use crate::comparison::{Bits, Comparison, Estimate, Group, SpeciesBits, Subject, Test};
use crate::error::Error;

/// Draws one line of panels per group: the totals and the paired differences to the reference; then one panel per species if
/// there are several, all with one axis. Intervals of totals include variation that all tokenizers share (text, seed) and may
/// overlap although the paired differences, in which it cancels, are significant: hence both.
pub(super) fn draw(comparison: &Comparison, title: &'static str) -> Result<Option<Drawn>, Error> {
    let (mut lines, mut by_species) = (Vec::new(), Vec::new());
    for group in comparison.groups.iter().filter(|g| g.subjects.iter().any(|s| s.bits.is_some())) {
        let several = group.species.len() + group.held_out.len() > 1;
        let whole = match (several, group.held_out.is_empty()) {
            (true, true) => "all species",
            (true, false) => "all species in training",
            (false, _) => "",
        };
        let markov = group.markov.iter().map(|m| (m.name.clone(), Some(m.total)));
        let total =
            facet(group, whole, "total", |b| (b.total.clone(), b.score.bits(BIAS_ONLY), b.score.get(FLOOR)), markov);
        lines.push(std::iter::once(total).chain(differences(group)).collect());
        let mut facets = Vec::new();
        // The species of noise are alike.
        if several && group.noise.is_none() {
            let held_out = group.held_out.iter().map(|species| format!("{species} (held out)"));
            for (at, species) in group.species.iter().cloned().chain(held_out).enumerate() {
                let markov = group
                    .markov
                    .iter()
                    .map(|m| (m.name.clone(), m.species.iter().chain(&m.held_out).nth(at).copied().flatten()));
                let pick = move |b: &Bits| match b.scored_species().nth(at) {
                    Some(SpeciesBits { total, score, .. }) => (total.clone(), score.bits(BIAS_ONLY), score.get(FLOOR)),
                    None => (Estimate::default(), f64::NAN, None),
                };
                facets.push(facet(group, &species, "species", pick, markov));
            }
        }
        by_species.extend(layout::lines(facets));
    }
    lines.extend(by_species);
    if lines.is_empty() {
        return Ok(None);
    }
    let several = lines.iter().flatten().any(|f: &Facet| f.scale == "species");
    let mut notes = words::without_context(comparison);
    if several {
        notes.push("The panels of the species have one axis, so that species can be compared.".to_owned());
    }
    let labels = Labels {
        head: &Head::of(title, words::totals(comparison), comparison),
        axis: "bits per masked base (lower is better)",
        interval: "genome blocks and seeds",
        tick: Name { csv: "bias only", legend: NULL },
        notes: &notes,
    };
    dots::draw(&labels, &looks(comparison), &lines).map(Some)
}

fn facet(
    group: &Group,
    scope: &str,
    scale: &str,
    pick: impl Fn(&Bits) -> (Estimate, f64, Option<f64>),
    markov: impl Iterator<Item = (String, Option<f64>)>,
) -> Facet {
    let row = |subject: &Subject| {
        let (estimate, bias_only, floor) = pick(subject.bits.as_ref()?);
        let seeds = seed_names(subject.control, &group.seeds, estimate.seeds.len());
        let tick = bias_only.is_finite().then_some(bias_only);
        Some((Row { name: subject.name.clone(), control: subject.control, estimate, seeds, tick }, floor))
    };
    let (rows, floors): (Vec<Row>, Vec<Option<f64>>) = group.subjects.iter().filter_map(row).unzip();
    let line = |name: &str, legend: &str, value: f64, dash: (f64, f64)| Line {
        name: name.to_owned(),
        legend: legend.to_owned(),
        value,
        dash,
        // Only the uniform guess may be far away from all tokenizers.
        kept: name != "uniform",
    };
    let mut lines = Vec::new();
    if let Some(floor) = floors.into_iter().flatten().next() {
        lines.push(line("floor", "entropy floor", floor, (9.0, 4.0)));
    }
    lines.push(line("uniform", UNIFORM_LEGEND, UNIFORM, (1000.0, 1.0)));
    let dashes = [(2.0, 3.0), (6.0, 2.0), (1.0, 5.0)];
    for ((name, value), dash) in markov.zip(dashes.into_iter().cycle()) {
        if let Some(value) = value {
            lines.push(line(&name, &predictor(&name), value, dash));
        }
    }
    Facet {
        group: group.label.clone(),
        scope: scope.to_owned(),
        detail: String::new(),
        scale: scale.to_owned(),
        rows,
        lines,
        reference: None,
    }
}

/// Paired differences to the reference, as tested; None if all pairs are tested.
fn differences(group: &Group) -> Option<Facet> {
    let reference = group.reference.clone()?;
    let row = |test: &Test| {
        group.subject(&test.left)?;
        Some(Row {
            name: test.left.clone(),
            control: false,
            estimate: test.difference.clone(),
            seeds: group.seeds.iter().map(ToString::to_string).collect(),
            tick: None,
        })
    };
    let rows: Vec<Row> = group.tests.iter().filter_map(row).collect();
    let name = if reference.chars().count() > 24 { "the reference" } else { &reference };
    let scope = format!("paired difference to {name}");
    let name_of_zero = "no difference".to_owned();
    let zero = Line { name: name_of_zero, legend: String::new(), value: 0.0, dash: (1000.0, 1.0), kept: true };
    (!rows.is_empty()).then(|| Facet {
        group: group.label.clone(),
        scope,
        detail: String::new(),
        scale: "difference".to_owned(),
        rows,
        lines: vec![zero],
        reference: Some(reference),
    })
}
