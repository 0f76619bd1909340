//! Further views of the same runs: by position in the span, at equal cost of training, and by budget.

use std::collections::BTreeSet;

use statistics::text::{brief, magnitude, plus_minus, signed};

use super::cells::{name, shown, title};
use super::grid::Grid;
use crate::comparison::{Budgets, Comparison, Group, RegionBits};

/// Bits per masked base in each quarter of the span; None where no record has them.
pub(super) fn offsets(group: &Group) -> Option<Grid> {
    let known = || shown(group).filter_map(|(s, bits)| Some((s, &bits?.offsets))).filter(|(_, bits)| bits.len() > 1);
    let span = known().map(|(_, bits)| bits.len()).min()?;
    let parts = span.min(4);
    let part = |at: usize| at * span / parts..(at + 1) * span / parts;
    let named = |at: usize| format!("{} to {}", part(at).start + 1, part(at).end);
    let headings: Vec<String> = (0..parts).map(named).collect();
    let columns: Vec<&str> = std::iter::once("tokenizer").chain(headings.iter().map(String::as_str)).collect();
    let mut grid = Grid::new("bits per masked base by position in the span, sequential order", &columns);
    for (subject, bits) in known() {
        let cells = (0..parts).map(|at| format!("{:.3}", statistics::mean(&bits[part(at)])));
        grid.row(std::iter::once(title(subject)).chain(cells).collect(), &[]);
    }
    Some(grid)
}

/// Bits per masked base by region class, one grid per species with a BED file.
pub(super) fn regions<'a>(group: &'a Group) -> Vec<Grid> {
    let known = || shown(group).filter_map(|(subject, bits)| Some((subject, &bits?.regions)));
    let species: BTreeSet<&str> = known().flat_map(|(_, regions)| regions).map(|r| r.species.as_str()).collect();
    let one = |species: &&str| {
        let of = |regions: &'a [RegionBits]| regions.iter().filter(|r| r.species == *species).collect::<Vec<_>>();
        let classes = known().map(|(_, regions)| of(regions)).max_by_key(Vec::len).unwrap_or_default();
        let named = classes.iter().map(|r| format!("{} ({} bases)", name(&r.class), magnitude(r.bases as f64)));
        let headings: Vec<String> = std::iter::once("tokenizer".to_owned()).chain(named).collect();
        let columns: Vec<&str> = headings.iter().map(String::as_str).collect();
        let heading =
            format!("bits per masked base of {} by region class, sequential order (not tested)", name(species));
        let mut grid = Grid::new(&heading, &columns);
        for (subject, regions) in known() {
            let own = of(regions);
            let cell = |class: &&RegionBits| match own.iter().find(|r| r.class == class.class) {
                Some(r) if r.total.half_width.is_finite() => plus_minus(r.total.mean, r.total.half_width),
                Some(r) => format!("{:.3}", r.total.mean),
                None => "-".to_owned(),
            };
            grid.row(std::iter::once(title(subject)).chain(classes.iter().map(cell)).collect(), &[]);
        }
        grid
    };
    species.iter().map(one).collect()
}

/// Tokenizers at the largest cost that all have reached, from the validation curves.
pub(super) fn equal_cost(comparison: &Comparison, group: &Group) -> Option<Grid> {
    let equal = comparison.equal_cost(group)?;
    let macs = comparison.options.cost.is_empty();
    let unit = if macs { "multiply-accumulates of training" } else { "units of the given cost" };
    let heading = format!("validation bits per masked base at equal cost: {} {unit} (not tested)", brief(equal.cost));
    let per = if macs { "training MACs/base" } else { "cost/base" };
    let columns = ["tokenizer", per, "bases seen", "bits", "crosses reference at bases", "at cost"];
    let mut grid = Grid::new(&heading, &columns);
    for row in &equal.rows {
        let places = |places: &[f64]| {
            let all: Vec<String> = places.iter().map(|place| brief(*place)).collect();
            if all.is_empty() { "-".to_owned() } else { all.join(", ") }
        };
        let bits = if row.bits.is_finite() { format!("{:.3}", row.bits) } else { "-".to_owned() };
        let per = if macs { brief(row.per_base) } else { format!("{}", row.per_base) };
        let cells = vec![
            name(&row.name),
            per,
            brief(row.bases),
            bits,
            places(&row.crossings_in_bases),
            places(&row.crossings_in_cost),
        ];
        grid.row(cells, &[]);
    }
    Some(grid)
}

/// Totals at several budgets, with the change per doubling between them.
pub(super) fn by_budget(budgets: &Budgets) -> Grid {
    let label = if budgets.label.is_empty() { String::new() } else { format!("{}: ", budgets.label) };
    let heading = format!(
        "{label}bits per masked base by training budget in bases; between budgets, change per doubling \u{b1} standard deviation over seeds"
    );
    let mut headings = vec!["tokenizer".to_owned()];
    for (at, budget) in budgets.budgets.iter().enumerate() {
        if at > 0 {
            headings.push("per doubling".to_owned());
        }
        headings.push(magnitude(*budget as f64));
    }
    let columns: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut grid = Grid::new(&heading, &columns);
    for row in &budgets.rows {
        let mut cells = vec![if row.control { name(&format!("{} (control)", row.name)) } else { name(&row.name) }];
        for (at, total) in row.totals.iter().enumerate() {
            if at > 0 {
                cells.push(row.slopes[at - 1].map_or("-".to_owned(), |slope| match slope.deviation {
                    Some(deviation) => signed(slope.mean, deviation),
                    None => format!("{:+.3}", slope.mean),
                }));
            }
            cells.push(total.map_or("-".to_owned(), |total| format!("{total:.3}")));
        }
        grid.row(cells, &[]);
    }
    grid
}
