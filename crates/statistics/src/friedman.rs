//! Friedman test for k subjects on N tasks, and the critical difference of Nemenyi (Demšar, "Statistical comparisons of
//! classifiers over multiple data sets", JMLR 7:1-30, 2006).
//!
//! The p-value is exact (permutation distribution of the ranks within tasks, ties included) if it can be computed in
//! [`MAX_STEPS`] steps: without ties for three subjects on 50 tasks, four on 20, five on 9, six on 5. Otherwise it is that of
//! the F statistic of Iman and Davenport, but at least (1 / k!)^(N - 1), the probability that all tasks have the same ranking.
//!
//! Mean ranks depend on the set of compared subjects (Benavoli et al., JMLR 17(5), 2016). The program therefore reports this
//! test only on request, and relies on the Wilcoxon test with Holm's correction.
//!
//! ```
//! let cd = statistics::friedman::critical_difference(4, 14).unwrap();
//! assert!((cd - 1.25).abs() < 0.005); // Demšar's example
//! ```

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor};
use statrs::function::gamma::ln_gamma;

use super::{Error, check, midranks};

/// Critical values q of the two-tailed Nemenyi test at 0.05 for k = 2..=10 subjects: Demšar (2006), Table 5(a).
pub const Q_05: [f64; 9] = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164];

/// Result of the test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Friedman {
    /// Mean rank R_j of each subject over the tasks; rank 1 is the largest value.
    pub ranks: Vec<f64>,
    /// Number of tasks.
    pub tasks: usize,
    /// chi2_F = 12 N / (k (k + 1)) (sum_j R_j^2 - k (k + 1)^2 / 4), without correction for ties, as in Demšar.
    pub chi2: f64,
    /// p-value of `chi2` with k - 1 degrees of freedom.
    pub chi2_p: f64,
    /// F = (N - 1) chi2 / (N (k - 1) - chi2) of Iman and Davenport; `None` if all tasks have the same ranking.
    pub f: Option<f64>,
    /// Exact p-value, or that of `f` with k - 1 and (k - 1) (N - 1) degrees of freedom; always > 0.
    pub p: f64,
    /// True if `p` is exact.
    pub exact: bool,
}

/// Maximum number of steps (state of rank sums times permutation of the next task's ranks) of the exact test: about 0.5 s.
pub const MAX_STEPS: usize = 5_000_000;

/// Tests `values[task][subject]` (larger is better) for equal mean ranks.
///
/// # Errors
/// If there are fewer than two tasks or subjects, rows differ in length, or a value is not finite.
pub fn friedman(values: &[Vec<f64>]) -> Result<Friedman, Error> {
    let (n, k) = (values.len(), values.first().map_or(0, Vec::len));
    if n < 2 || k < 2 || values.iter().any(|row| row.len() != k) {
        return Err(Error::Shape(format!(
            "the Friedman test requires complete data of at least 2 tasks and 2 subjects, got {n} and {k}"
        )));
    }
    let mut ranks = vec![0.0; k];
    let mut doubled = Vec::with_capacity(n);
    for row in values {
        check(row)?;
        let down: Vec<f64> = row.iter().map(|v| -v).collect();
        let row = midranks(&down);
        for (sum, rank) in ranks.iter_mut().zip(&row) {
            *sum += rank / n as f64;
        }
        doubled.push(row.iter().map(|rank| (2.0 * rank).round() as u64).collect());
    }
    let (nf, kf) = (n as f64, k as f64);
    let squares: f64 = ranks.iter().map(|r| r * r).sum();
    let chi2 = (12.0 * nf / (kf * (kf + 1.0)) * (squares - kf * (kf + 1.0).powi(2) / 4.0)).max(0.0);
    let chi2_p = ChiSquared::new(kf - 1.0).map_or(f64::NAN, |d| d.sf(chi2));
    let rest = nf * (kf - 1.0) - chi2;
    let f = (rest > 1e-9 * nf * kf).then(|| (nf - 1.0) * chi2 / rest);
    // Probability that the other tasks are ranked like the first: the exact p-value if they are, without ties.
    let alike = (-(nf - 1.0) * ln_gamma(kf + 1.0)).exp().max(f64::MIN_POSITIVE);
    let approximate =
        |f| FisherSnedecor::new(kf - 1.0, (kf - 1.0) * (nf - 1.0)).map_or(f64::NAN, |d| d.sf(f).max(alike));
    let (p, exact) = match (exact_p(&doubled), f) {
        (Some(p), _) => (p, true),
        (None, Some(f)) => (approximate(f), false),
        (None, None) => (alike, true),
    };
    Ok(Friedman { ranks, tasks: n, chi2, chi2_p, f, p, exact })
}

/// Probability under random permutation of the (doubled) ranks within each task that the sum of squared rank sums is at least
/// the observed one. `None` if that takes more than [`MAX_STEPS`] steps.
///
/// Subjects are exchangeable, so the state is the sorted list of rank sums, of which there are few.
fn exact_p(doubled: &[Vec<u64>]) -> Option<f64> {
    const BITS: usize = 12;
    let k = doubled[0].len();
    // A state is packed into one integer with 12 bits per rank sum.
    if k * BITS > 128 || 2 * k * doubled.len() >= 1 << BITS {
        return None;
    }
    let packed = |sums: &[u64]| sums.iter().fold(0_u128, |all, sum| all << BITS | u128::from(*sum));
    let unpacked = |all: u128| (0..k).rev().map(move |at| (all >> (at * BITS)) as u64 & ((1 << BITS) - 1));
    let squares = |sums: &mut dyn Iterator<Item = u64>| sums.map(|sum| sum * sum).sum::<u64>();
    let observed = squares(&mut (0..k).map(|at| doubled.iter().map(|row| row[at]).sum()));
    let (first, rest) = doubled.split_first()?;
    let mut first = first.clone();
    first.sort_unstable();
    let mut probabilities = BTreeMap::from([(packed(&first), 1.0_f64)]);
    let (mut steps, mut sums) = (0, vec![0; k]);
    for row in rest {
        let orders = permutations(row, (MAX_STEPS - steps) / probabilities.len())?;
        steps += orders.len() * probabilities.len();
        let mut next = BTreeMap::new();
        for (state, probability) in probabilities {
            for order in &orders {
                sums.iter_mut().zip(unpacked(state)).zip(order).for_each(|((to, sum), rank)| *to = sum + rank);
                sums.sort_unstable();
                *next.entry(packed(&sums)).or_default() += probability / orders.len() as f64;
            }
        }
        probabilities = next;
    }
    let extreme = probabilities.into_iter().filter(|(state, _)| squares(&mut unpacked(*state)) >= observed);
    Some(extreme.map(|(_, probability)| probability).sum::<f64>().min(1.0))
}

/// All distinct permutations of `values` in lexicographic order; `None` if there are more than `max`.
fn permutations(values: &[u64], max: usize) -> Option<Vec<Vec<u64>>> {
    let mut order = values.to_vec();
    order.sort_unstable();
    let mut all = Vec::new();
    loop {
        if all.len() == max {
            return None;
        }
        all.push(order.clone());
        // Next permutation: increase the last position that can be increased, minimally, and sort the rest.
        let Some(place) = order.windows(2).rposition(|pair| pair[0] < pair[1]) else { return Some(all) };
        let raise = order.iter().rposition(|value| *value > order[place]).unwrap_or(place);
        order.swap(place, raise);
        order[place + 1..].reverse();
    }
}

/// Critical difference of mean ranks in the Nemenyi test at 0.05: q sqrt(k (k + 1) / (6 N)).
///
/// # Errors
/// If `subjects` is not in 2..=10, or there are no tasks.
pub fn critical_difference(subjects: usize, tasks: usize) -> Result<f64, Error> {
    let q = subjects.checked_sub(2).and_then(|at| Q_05.get(at));
    match (q, tasks) {
        (Some(q), 1..) => Ok(q * ((subjects * (subjects + 1)) as f64 / (6 * tasks) as f64).sqrt()),
        _ => Err(Error::OutOfTable(format!(
            "no critical difference for {subjects} subjects on {tasks} tasks (tabulated for 2 to 10 subjects)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Demšar (2006), Table 6: AUC of C4.5, +m, +cf, +m+cf. "voting" has 0.975 twice but ranks 2 and 3; the rounded digits are
    /// restored here.
    const TABLE_6: [[f64; 4]; 14] = [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.9749],
        [0.957, 0.978, 0.946, 0.970],
    ];

    #[test]
    fn demsar_2006_table_6() {
        let rows: Vec<Vec<f64>> = TABLE_6.iter().map(|r| r.to_vec()).collect();
        let test = friedman(&rows).unwrap();
        for (rank, printed) in test.ranks.iter().zip([3.143, 2.000, 2.893, 1.964]) {
            assert!((rank - printed).abs() < 0.0006, "{rank} {printed}");
        }
        assert!((test.chi2 - 9.28).abs() < 0.01, "{}", test.chi2);
        assert!((test.f.unwrap() - 3.69).abs() < 0.01);
        // F(3, 39) = 3.69 gives 0.020, because it ignores the ties. 200,000 random permutations of these ranks in an independent
        // script gave 0.0136.
        assert!(test.exact && (test.p - 0.0136).abs() < 0.0006, "{}", test.p);
        assert!((critical_difference(4, 14).unwrap() - 1.25).abs() < 0.005);
    }

    /// Siegel (1956), "Nonparametric Statistics", Table N: exact p-values of chi2 for k = 3 and 4, as printed (2 or 3 digits).
    #[test]
    fn published_exact_tables() {
        for (k, n, chi2, printed) in [
            (3, 2, 4.0, 0.167),
            (3, 3, 6.0, 0.028),
            (3, 3, 4.667, 0.194),
            (3, 4, 8.0, 0.0046),
            (3, 4, 6.5, 0.042),
            (3, 5, 6.4, 0.039),
            (3, 6, 7.0, 0.029),
            (3, 8, 6.25, 0.047),
            (4, 2, 6.0, 0.042),
            (4, 3, 7.4, 0.033),
            (4, 3, 9.0, 0.0017),
            (4, 4, 7.8, 0.036),
        ] {
            // Any ranks with this chi2 have the same p-value; draw until some are found.
            let mut rng = crate::stream("tables", 0);
            let found = (0..1_000_000).find_map(|_| {
                let rows: Vec<Vec<f64>> = (0..n).map(|_| shuffled(k, &mut rng)).collect();
                let test = friedman(&rows).unwrap_or_else(|e| panic!("{e}"));
                ((test.chi2 - chi2).abs() < 0.001).then_some(test)
            });
            let test = found.unwrap_or_else(|| panic!("no ranks with chi2 {chi2}"));
            assert!(test.exact && (test.p / printed - 1.0).abs() < 0.025, "{k} {n} {chi2}: {} not {printed}", test.p);
        }
        let all = friedman(&vec![vec![1.0, 2.0, 3.0]; 3]).unwrap();
        assert!((all.p - 1.0 / 36.0).abs() < 1e-12);
    }

    fn shuffled(k: usize, rng: &mut rand_chacha::ChaCha8Rng) -> Vec<f64> {
        let mut row: Vec<f64> = (0..k).map(|v| v as f64).collect();
        (1..k).rev().for_each(|at| row.swap(at, crate::below(rng, at + 1)));
        row
    }

    /// The sizes in the module documentation.
    #[test]
    fn documented_sizes_are_exact() {
        for (k, n) in [(3, 50), (4, 20), (5, 9), (6, 5)] {
            let mut rng = crate::stream("sizes", 0);
            let rows: Vec<Vec<f64>> = (0..n).map(|_| shuffled(k, &mut rng)).collect();
            let test = friedman(&rows).unwrap();
            assert!(test.exact, "{k} subjects, {n} tasks");
            // The F approximation is close for these sizes.
            let f = test.f.map(|f| FisherSnedecor::new(k as f64 - 1.0, ((k - 1) * (n - 1)) as f64).unwrap().sf(f));
            assert!((f.unwrap() - test.p).abs() < 0.03, "{k} {n}: {f:?} {}", test.p);
        }
    }

    proptest! {
        /// Reference implementation: enumerates all permutations of all tasks, ties included.
        #[test]
        fn equals_enumeration(rows in prop::collection::vec(prop::collection::vec(0_u8..3, 3), 2..5)) {
            let values: Vec<Vec<f64>> = rows.iter().map(|r| r.iter().map(|v| f64::from(*v)).collect()).collect();
            let ranks: Vec<Vec<f64>> =
                values.iter().map(|r| midranks(&r.iter().map(|v| -v).collect::<Vec<_>>())).collect();
            let squares = |orders: &[[usize; 3]]| -> f64 {
                let sum = |at: usize| ranks.iter().zip(orders).map(|(r, o)| r[o[at]]).sum::<f64>();
                (0..3).map(|at| sum(at).powi(2)).sum()
            };
            const ALL: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
            let observed = squares(&vec![ALL[0]; rows.len()]);
            let all = 6_usize.pow(rows.len() as u32);
            let reach = |code: usize| {
                let orders: Vec<[usize; 3]> = (0..rows.len()).map(|at| ALL[code / 6_usize.pow(at as u32) % 6]).collect();
                squares(&orders) >= observed - 1e-9
            };
            let expected = (0..all).filter(|code| reach(*code)).count() as f64 / all as f64;
            prop_assert!((friedman(&values).unwrap().p - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn unanimous_rankings_and_invalid_shapes() {
        let test = friedman(&[vec![3.0, 2.0, 1.0], vec![9.0, 5.0, 0.0]]).unwrap();
        assert_eq!((test.ranks, test.f, test.exact), (vec![1.0, 2.0, 3.0], None, true));
        assert!((test.p - 1.0 / 6.0).abs() < 1e-12);
        // Too many permutations to enumerate, and so many tasks that a product would underflow.
        for (n, k) in [(28, 8), (400, 10), (5000, 3)] {
            let test = friedman(&vec![(0..k).map(f64::from).collect(); n]).unwrap();
            assert!(test.p > 0.0 && test.p < 1e-100 && test.exact, "{n} {k}: {}", test.p);
        }
        // All but one task agree: F is finite, but p must not be smaller than for full agreement.
        let mut rows: Vec<Vec<f64>> = vec![(0..8).map(f64::from).collect(); 28];
        rows[3].swap(0, 1);
        let test = friedman(&rows).unwrap();
        assert!(!test.exact && test.p > 0.0 && test.f.is_some(), "{}", test.p);
        assert!(friedman(&[vec![1.0, 2.0]]).is_err());
        assert!(friedman(&[vec![1.0, 2.0], vec![1.0]]).is_err());
        assert!(
            critical_difference(11, 5).is_err()
                && critical_difference(1, 5).is_err()
                && critical_difference(3, 0).is_err()
        );
    }
}
