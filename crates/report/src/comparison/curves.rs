//! Validation curves at equal bases and at equal cost: interpolated values and crossings.
//!
//! Points are joined as in the figures: straight lines over the logarithm of the cost.

use serde::Serialize;
use statistics::mean;

use super::{Bits, Comparison, Group, Subject};

/// Passes of training in units of forward passes: forward, gradient of the activations, gradient of the weights.
const TRAINING: f64 = 3.0;

/// Validation bits of the tokenizers of a group at equal cost of training. Described, not tested: it rests on few masked bases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EqualCost {
    /// The largest cost that every ranked tokenizer has reached: multiply-accumulates, or the unit of [`super::Options::cost`].
    pub cost: f64,
    /// One row per ranked tokenizer with a curve and a cost.
    pub rows: Vec<AtCost>,
}

/// One tokenizer at equal cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtCost {
    /// Canonical name.
    pub name: String,
    /// Cost of training on one base.
    pub per_base: f64,
    /// Bases seen at the shared cost.
    pub bases: f64,
    /// Validation bits per masked base there, mean over seeds.
    pub bits: f64,
    /// Bases seen at which the curve crosses that of the reference at equal bases.
    pub crossings_in_bases: Vec<f64>,
    /// Costs at which it crosses that of the reference at equal cost.
    pub crossings_in_cost: Vec<f64>,
}

/// A point of a curve: bases seen or cost, and bits per masked base.
pub(crate) type Point = (f64, f64);

/// The mean over the seeds at each number of bases that all seeds have.
pub(crate) fn mean_curve(bits: &Bits) -> Vec<(u64, f64)> {
    let Some(first) = bits.curves.first() else { return Vec::new() };
    let at = |bases: u64| -> Option<f64> {
        let values: Option<Vec<f64>> =
            bits.curves.iter().map(|c| c.iter().find(|p| p.0 == bases).map(|p| p.1)).collect();
        values.map(|values| mean(&values))
    };
    first.iter().filter(|p| p.0 > 0).filter_map(|(bases, _)| at(*bases).map(|v| (*bases, v))).collect()
}

/// The value of a curve at a place within it; None outside.
pub(crate) fn value_at(curve: &[Point], place: f64) -> Option<f64> {
    if let Some(point) = curve.iter().find(|point| point.0 == place) {
        return Some(point.1);
    }
    let pair = curve.windows(2).find(|pair| (pair[0].0..=pair[1].0).contains(&place))?;
    let part = (place.ln() - pair[0].0.ln()) / (pair[1].0.ln() - pair[0].0.ln());
    Some(pair[0].1 + part * (pair[1].1 - pair[0].1))
}

/// The places at which two curves cross, ascending. Touching without a change of order is no crossing.
pub(crate) fn crossings(left: &[Point], right: &[Point]) -> Vec<f64> {
    let mut places: Vec<f64> = left.iter().chain(right).map(|point| point.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let difference = |place: &f64| Some((*place, value_at(left, *place)? - value_at(right, *place)?));
    let known: Vec<Point> = places.iter().filter_map(difference).filter(|point| point.1 != 0.0).collect();
    let changes = known.windows(2).filter(|pair| (pair[0].1 > 0.0) != (pair[1].1 > 0.0));
    changes
        .map(|pair| {
            let part = pair[0].1 / (pair[0].1 - pair[1].1);
            (pair[0].0.ln() + part * (pair[1].0.ln() - pair[0].0.ln())).exp()
        })
        .collect()
}

impl Comparison {
    /// The cost of training a tokenizer on one base: as given in the options, or multiply-accumulates of training. None if it is not known.
    #[must_use]
    pub fn training_cost(&self, subject: &Subject) -> Option<f64> {
        let macs = || Some(TRAINING * subject.bits.as_ref()?.cost.macs_per_base);
        let cost = if self.options.cost.is_empty() { macs() } else { self.options.cost.get(&subject.name).copied() };
        cost.filter(|cost| *cost > 0.0)
    }

    /// The tokenizers of a group at equal cost; None for fewer than two with a curve and a cost.
    #[must_use]
    pub fn equal_cost(&self, group: &Group) -> Option<EqualCost> {
        type Ranked<'a> = (&'a Subject, f64, Vec<Point>);
        let one = |subject| -> Option<Ranked<'_>> {
            let subject: &Subject = subject;
            let curve = mean_curve(subject.bits.as_ref()?);
            let points: Vec<Point> = curve.into_iter().map(|(bases, bits)| (bases as f64, bits)).collect();
            Some((subject, self.training_cost(subject)?, points)).filter(|(_, _, points)| !points.is_empty())
        };
        let ranked: Vec<Ranked<'_>> = group.ranked().filter_map(one).collect();
        let scaled = |points: &[Point], per: f64| points.iter().map(|p| (p.0 * per, p.1)).collect::<Vec<Point>>();
        let end = |(_, per, points): &Ranked<'_>| points.last().map_or(f64::INFINITY, |point| point.0 * per);
        let cost = ranked.iter().map(end).fold(f64::INFINITY, f64::min);
        let reference = ranked.iter().find(|(subject, ..)| Some(&subject.name) == group.reference.as_ref());
        let rows = ranked.iter().map(|(subject, per, points)| {
            let other = reference.filter(|(other, ..)| other.name != subject.name);
            AtCost {
                name: subject.name.clone(),
                per_base: *per,
                bases: cost / per,
                // Before its first point nothing is known of a curve.
                bits: value_at(&scaled(points, *per), cost).unwrap_or(f64::NAN),
                crossings_in_bases: other.map_or_else(Vec::new, |(_, _, theirs)| crossings(points, theirs)),
                crossings_in_cost: other.map_or_else(Vec::new, |(_, their, theirs)| {
                    crossings(&scaled(points, *per), &scaled(theirs, *their))
                }),
            }
        });
        let rows: Vec<AtCost> = rows.collect();
        (rows.len() > 1).then_some(EqualCost { cost, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_straight_over_the_logarithm() {
        let curve = [(1.0, 3.0), (100.0, 1.0), (1000.0, 0.0)];
        assert_eq!(value_at(&curve, 100.0), Some(1.0));
        assert!((value_at(&curve, 10.0).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!((value_at(&curve, 0.5), value_at(&curve, 2000.0)), (None, None));
    }

    #[test]
    fn crossings_are_changes_of_the_order() {
        let flat = [(1.0, 1.0), (10_000.0, 1.0)];
        let falling = [(1.0, 2.0), (100.0, 0.0), (10_000.0, 0.0)];
        let found = crossings(&falling, &flat);
        assert!(found.len() == 1 && (found[0] - 10.0).abs() < 1e-9, "{found:?}");
        assert!(crossings(&flat, &flat).is_empty());
        // It touches at 100 and stays above.
        assert!(crossings(&[(1.0, 2.0), (100.0, 1.0), (10_000.0, 2.0)], &flat).is_empty());
        // Nothing is known where only one of them is.
        assert!(crossings(&[(1.0, 2.0), (2.0, 2.0)], &[(3.0, 1.0), (4.0, 3.0)]).is_empty());
    }
}
