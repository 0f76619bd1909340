//! Matthews correlation for any number of classes (R_K of Gorodkin 2004, Computational Biology and Chemistry 28:367;
//! equal to Matthews 1975 for two), macro F1 and accuracy, from one pooled confusion matrix.
//!
//! Used to check records: what they store must follow from the predictions they store.
//!
//! ```
//! let table = statistics::classes::Confusion::new(&[1, 1, 0, 0], &[1, 0, 0, 0], 2).unwrap();
//! assert!((table.mcc() - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
//! ```

use crate::Metric;

use super::Error;

/// Counts `[true class, predicted class]`; weights make it a bootstrap sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<f64>,
}

impl Confusion {
    /// The score by a metric.
    #[must_use]
    pub fn score(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Mcc => self.mcc(),
            Metric::F1 => self.f1(),
            Metric::Accuracy => self.accuracy(),
        }
    }

    /// Counts every row once.
    ///
    /// # Errors
    /// No rows, different lengths, or a class at or above `classes`.
    pub fn new(labels: &[u32], predicted: &[u32], classes: usize) -> Result<Confusion, Error> {
        if labels.is_empty() {
            return Err(Error::Empty);
        }
        if labels.len() != predicted.len() {
            return Err(Error::Shape(format!("{} labels, {} predictions", labels.len(), predicted.len())));
        }
        if let Some(class) = labels.iter().chain(predicted).find(|c| **c as usize >= classes) {
            return Err(Error::Shape(format!("class {class} of {classes} classes")));
        }
        Ok(Confusion::weighted(labels, predicted, classes, |_| 1.0))
    }

    /// Counts row i `weight(i)` times; classes were checked before.
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

    fn truth(&self, class: usize) -> f64 {
        self.counts[class * self.classes..(class + 1) * self.classes].iter().sum()
    }

    fn guess(&self, class: usize) -> f64 {
        self.counts.iter().skip(class).step_by(self.classes).sum()
    }

    fn hit(&self, class: usize) -> f64 {
        self.counts[class * self.classes + class]
    }

    /// R_K = (c s - sum t_k p_k) / sqrt((s^2 - sum p_k^2)(s^2 - sum t_k^2)); 0 where the denominator is.
    #[must_use]
    pub fn mcc(&self) -> f64 {
        let all: f64 = self.counts.iter().sum();
        let (mut hits, mut product, mut truths, mut guesses) = (0.0, 0.0, 0.0, 0.0);
        for class in 0..self.classes {
            let (t, p) = (self.truth(class), self.guess(class));
            hits += self.hit(class);
            product += t * p;
            truths += t * t;
            guesses += p * p;
        }
        let below = (all * all - guesses) * (all * all - truths);
        if below > 0.0 { (hits * all - product) / below.sqrt() } else { 0.0 }
    }

    /// Mean over the classes of 2 hits / (truth + guess); a class that occurs in neither counts as 0.
    #[must_use]
    pub fn f1(&self) -> f64 {
        let one = |class: usize| {
            let both = self.truth(class) + self.guess(class);
            if both > 0.0 { 2.0 * self.hit(class) / both } else { 0.0 }
        };
        (0..self.classes).map(one).sum::<f64>() / self.classes as f64
    }

    /// Share of rows that are right.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        (0..self.classes).map(|class| self.hit(class)).sum::<f64>() / self.counts.iter().sum::<f64>()
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
    fn one_class_only_is_zero_and_errors_are_named() {
        assert_eq!(Confusion::new(&[0, 1, 1], &[1, 1, 1], 2).unwrap().mcc(), 0.0);
        assert_eq!(Confusion::new(&[], &[], 2), Err(Error::Empty));
        assert!(Confusion::new(&[0], &[0, 1], 2).is_err());
        assert!(Confusion::new(&[2], &[0], 2).is_err());
    }

    proptest! {
        /// The twin of two classes is the printed formula; the twin of several is the covariance of one-hot vectors.
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
            let twin = if below > 1e-9 { covariance(&labels, &guesses) / below } else { 0.0 };
            prop_assert!((Confusion::new(&labels, &guesses, 3).unwrap().mcc() - twin).abs() < 1e-9);
        }
    }
}
