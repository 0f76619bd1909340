//! Metrics of predicted numbers and of predicted probabilities: Pearson and Spearman correlation, mean squared error, area under the ROC
//! curve.
//!
//! ```
//! use statistics::correlation::{auroc, pearson, spearman};
//! assert!((pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]) - 1.0).abs() < 1e-12);
//! assert!((spearman(&[1.0, 2.0, 3.0], &[1.0, 10.0, 100.0]) - 1.0).abs() < 1e-12);
//! assert_eq!(auroc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), Some(0.75));
//! ```

use super::{mean, midranks};

/// Pearson's product-moment correlation; 0 if one of the two is constant.
#[must_use]
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let (center_x, center_y) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        xy += (a - center_x) * (b - center_y);
        xx += (a - center_x).powi(2);
        yy += (b - center_y).powi(2);
    }
    if xx > 0.0 && yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 }
}

/// Spearman's rank correlation: Pearson's correlation of the midranks.
#[must_use]
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    pearson(&midranks(x), &midranks(y))
}

/// Mean squared error; NaN without observations.
#[must_use]
pub fn mean_squared_error(x: &[f64], y: &[f64]) -> f64 {
    mean(&x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).collect::<Vec<_>>())
}

/// Area under the ROC curve: the probability that a random positive has a higher score than a random negative, ties one half (the
/// Mann-Whitney statistic). `None` without positives or without negatives.
#[must_use]
pub fn auroc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let ranks = midranks(scores);
    let positives = positive.iter().filter(|positive| **positive).count();
    let negatives = positive.len() - positives;
    let sum: f64 = ranks.iter().zip(positive).filter(|(_, positive)| **positive).map(|(rank, _)| rank).sum();
    let count = positives as f64;
    (positives > 0 && negatives > 0).then(|| (sum - count * (count + 1.0) / 2.0) / (count * negatives as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SciPy's documentation: `pearsonr([1, 2, 3, 4, 5], [10, 9, 2.5, 6, 4])` is -0.7426; `spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])`
    /// is 0.8208.
    #[test]
    fn published_examples() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert!((pearson(&x, &[10.0, 9.0, 2.5, 6.0, 4.0]) + 0.742_610_657_232_505).abs() < 1e-12);
        assert!((spearman(&x, &[5.0, 6.0, 7.0, 8.0, 7.0]) - 0.820_782_681_668_123_3).abs() < 1e-12);
        assert!((mean_squared_error(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0]) - 0.375).abs() < 1e-12);
    }

    #[test]
    fn degenerate_input() {
        assert_eq!(pearson(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
        assert_eq!(auroc(&[0.5, 0.5], &[true, false]), Some(0.5));
        assert_eq!(auroc(&[0.5], &[true]), None);
    }
}
