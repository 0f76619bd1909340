//! Classification metrics from a confusion matrix: Matthews correlation coefficient for any number of classes (R_K of Gorodkin,
//! Computational Biology and Chemistry 28:367, 2004; for two classes that of Matthews 1975), macro F1 and accuracy.
//!
//! Also used to verify that the metrics of a record follow from its predictions.
//!
//! ```
//! let table = statistics::classes::Confusion::new(&[1, 1, 0, 0], &[1, 0, 0, 0], 2).unwrap();
//! assert!((table.mcc() - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
//! ```

use crate::Metric;

use super::Error;

/// Confusion matrix: counts by true and predicted class, weighted in a bootstrap resample.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<f64>,
}

impl Confusion {
    /// The value of a metric.
    #[must_use]
    pub fn score(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Mcc => self.mcc(),
            Metric::F1 => self.f1(),
            Metric::Accuracy => self.accuracy(),
        }
    }

    /// The confusion matrix of labels and predictions.
    ///
    /// # Errors
    /// If there are no rows, lengths differ, or a class is not below `classes`.
    pub fn new(labels: &[u32], predicted: &[u32], classes: usize) -> Result<Confusion, Error> {
        if labels.is_empty() {
            return Err(Error::Empty);
        }
        if labels.len() != predicted.len() {
            return Err(Error::Shape(format!("{} labels, {} predictions", labels.len(), predicted.len())));
        }
        if let Some(class) = labels.iter().chain(predicted).find(|c| **c as usize >= classes) {
            return Err(Error::Shape(format!("class {class} is not below the number of classes, {classes}")));
        }
        Ok(Confusion::weighted(labels, predicted, classes, |_| 1.0))
    }

    /// The confusion matrix with weight `weight(i)` for row i; classes must be valid.
    pub(crate) fn weighted(
        labels: &[u32],
        predicted: &[u32],
        classes: usize,
        weight: impl Fn(usize) -> f64,
    ) -> Confusion {
        let mut counts = vec![0.0; classes * classes];
        for (row, (label, guess)) in labels.iter().zip(predicted).enumerate() {
            counts[*label as usize * classes + *guess as usize] += weight(row);
        }
        Confusion { classes, counts }
    }

    fn true_count(&self, class: usize) -> f64 {
        self.counts[class * self.classes..(class + 1) * self.classes].iter().sum()
    }

    fn predicted_count(&self, class: usize) -> f64 {
        self.counts.iter().skip(class).step_by(self.classes).sum()
    }

    fn correct_count(&self, class: usize) -> f64 {
        self.counts[class * self.classes + class]
    }

    /// R_K = (c s - sum_k t_k p_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2)), where s is the number of rows, c the number of
    /// correct predictions, and t_k and p_k the numbers of rows with true and predicted class k; 0 if the denominator is 0.
    #[must_use]
    pub fn mcc(&self) -> f64 {
        let all: f64 = self.counts.iter().sum();
        let (mut hits, mut product, mut truths, mut guesses) = (0.0, 0.0, 0.0, 0.0);
        for class in 0..self.classes {
            let (t, p) = (self.true_count(class), self.predicted_count(class));
            hits += self.correct_count(class);
            product += t * p;
            truths += t * t;
            guesses += p * p;
        }
        let below = (all * all - guesses) * (all * all - truths);
        if below > 0.0 { (hits * all - product) / below.sqrt() } else { 0.0 }
    }

    /// Macro F1: the mean over classes of 2 TP / (2 TP + FP + FN); 0 for a class that neither occurs nor is predicted.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let one = |class: usize| {
            let both = self.true_count(class) + self.predicted_count(class);
            if both > 0.0 { 2.0 * self.correct_count(class) / both } else { 0.0 }
        };
        (0..self.classes).map(one).sum::<f64>() / self.classes as f64
    }

    /// Fraction of correct predictions.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        (0..self.classes).map(|class| self.correct_count(class)).sum::<f64>() / self.counts.iter().sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// scikit-learn's documentation of `matthews_corrcoef`: y_true = [+1, +1, +1, -1], y_pred = [+1, -1, +1, +1] -> -0.33.
    #[test]
    fn published_examples() {
        let table = Confusion::new(&[1, 1, 1, 0], &[1, 0, 1, 1], 2).unwrap();
        assert!((table.mcc() + 1.0 / 3.0).abs() < 1e-12);
        // f1_score documentation: [0, 1, 2, 0, 1, 2] against [0, 2, 1, 0, 0, 1], macro 0.26...
        let table = Confusion::new(&[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1], 3).unwrap();
        assert!((table.f1() - 0.266_666_666_666).abs() < 1e-9);
        assert!((table.accuracy() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn degenerate_and_invalid_input() {
        assert_eq!(Confusion::new(&[0, 1, 1], &[1, 1, 1], 2).unwrap().mcc(), 0.0);
        assert_eq!(Confusion::new(&[], &[], 2), Err(Error::Empty));
        assert!(Confusion::new(&[0], &[0, 1], 2).is_err());
        assert!(Confusion::new(&[2], &[0], 2).is_err());
    }

    #[test]
    fn worked_examples() {
        let table = |labels: &[u32], guesses: &[u32], classes| Confusion::new(labels, guesses, classes).unwrap();
        // 2 x 2: TP 6, FN 2, FP 1, TN 3: (6*3 - 1*2) / sqrt(7*8*4*5) = 0.478.
        let labels = [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0];
        let guess = [1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0];
        assert!((table(&labels, &guess, 2).mcc() - 16.0 / 1120f64.sqrt()).abs() < 1e-12);
        assert!((table(&labels, &guess, 2).accuracy() - 0.75).abs() < 1e-12);
        assert!((table(&labels, &guess, 2).f1() - (0.8 + 6.0 / 9.0) / 2.0).abs() < 1e-12);
        assert_eq!(table(&labels, &[1; 12], 2).mcc(), 0.0);
        assert!((table(&[0, 1, 2], &[0, 1, 2], 3).mcc() - 1.0).abs() < 1e-12);
        // 0 of 4 correct, true counts 2 1 1, predicted counts 1 2 1: (0 * 4 - 5) / sqrt((16 - 6)(16 - 6)).
        assert!((table(&[0, 1, 2, 0], &[1, 2, 0, 1], 3).mcc() + 0.5).abs() < 1e-12);
    }

    /// Metrics from integer counts, as in records of earlier versions.
    fn from_counts(labels: &[u32], predicted: &[u32], classes: usize) -> [f64; 3] {
        let mut counts = vec![0_u64; classes * classes];
        for (&label, &guess) in labels.iter().zip(predicted) {
            counts[label as usize * classes + guess as usize] += 1;
        }
        let (mut correct, mut total) = (0.0, 0.0);
        let (mut truth, mut guess) = (vec![0.0; classes], vec![0.0; classes]);
        for i in 0..classes {
            for j in 0..classes {
                let count = counts[i * classes + j] as f64;
                total += count;
                truth[i] += count;
                guess[j] += count;
                if i == j {
                    correct += count;
                }
            }
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let spread = ((total * total - dot(&guess, &guess)) * (total * total - dot(&truth, &truth))).sqrt();
        let mcc = if spread == 0.0 { 0.0 } else { (correct * total - dot(&truth, &guess)) / spread };
        let f1 = |class: usize| {
            let hit = counts[class * classes + class] as f64;
            let truth: u64 = counts[class * classes..(class + 1) * classes].iter().sum();
            let guess: u64 = (0..classes).map(|i| counts[i * classes + class]).sum();
            if truth + guess == 0 { 0.0 } else { 2.0 * hit / (truth + guess) as f64 }
        };
        let f1 = (0..classes).map(f1).sum::<f64>() / classes as f64;
        let hits = labels.iter().zip(predicted).filter(|(a, b)| a == b).count();
        [mcc, f1, hits as f64 / labels.len().max(1) as f64]
    }

    proptest! {
        /// Bit-identical for any confusion matrix.
        #[test]
        fn equals_integer_counts(classes in 1_u32..6, rows in prop::collection::vec((0_u32..6, 0_u32..6), 1..400)) {
            let (labels, guesses): (Vec<u32>, Vec<u32>) =
                rows.iter().map(|(label, guess)| (label % classes, guess % classes)).unzip();
            let table = Confusion::new(&labels, &guesses, classes as usize).unwrap();
            let found = [table.mcc(), table.f1(), table.accuracy()].map(f64::to_bits);
            prop_assert_eq!(found, from_counts(&labels, &guesses, classes as usize).map(f64::to_bits));
        }

        /// Reference implementation: correlation of one-hot vectors (Gorodkin 2004).
        #[test]
        fn equals_covariance(rows in prop::collection::vec((0_u32..3, 0_u32..3), 2..40)) {
            let (labels, guesses): (Vec<u32>, Vec<u32>) = rows.iter().copied().unzip();
            let n = rows.len() as f64;
            let covariance = |a: &[u32], b: &[u32]| -> f64 {
                (0..3).map(|k| {
                    let hot = |x: u32| f64::from(u8::from(x == k));
                    let (ma, mb) = (a.iter().map(|x| hot(*x)).sum::<f64>() / n, b.iter().map(|x| hot(*x)).sum::<f64>() / n);
                    a.iter().zip(b).map(|(x, y)| (hot(*x) - ma) * (hot(*y) - mb)).sum::<f64>()
                }).sum()
            };
            let below = (covariance(&labels, &labels) * covariance(&guesses, &guesses)).sqrt();
            let expected = if below > 1e-9 { covariance(&labels, &guesses) / below } else { 0.0 };
            prop_assert!((Confusion::new(&labels, &guesses, 3).unwrap().mcc() - expected).abs() < 1e-9);
        }
    }
}
