//! Scores of a classifier, from pooled predictions (never a mean over batches).

use experiment::record::Metric;

/// Counts of (true, predicted) classes, `[classes * classes]`, row = true class.
#[must_use]
pub fn confusion(labels: &[u32], predicted: &[u32], classes: usize) -> Vec<u64> {
    let mut counts = vec![0; classes * classes];
    for (&label, &guess) in labels.iter().zip(predicted) {
        counts[label as usize * classes + guess as usize] += 1;
    }
    counts
}

/// Matthews' correlation coefficient; for several classes R_K (Gorodkin 2004). 0 where one side has a single class.
#[must_use]
pub fn mcc(labels: &[u32], predicted: &[u32], classes: usize) -> f64 {
    let counts = confusion(labels, predicted, classes);
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
    if spread == 0.0 { 0.0 } else { (correct * total - dot(&truth, &guess)) / spread }
}

/// Mean over classes of the F1 score; a class that is neither there nor predicted counts as 0.
#[must_use]
pub fn macro_f1(labels: &[u32], predicted: &[u32], classes: usize) -> f64 {
    let counts = confusion(labels, predicted, classes);
    let score = |class: usize| {
        let hit = counts[class * classes + class] as f64;
        let truth: u64 = counts[class * classes..(class + 1) * classes].iter().sum();
        let guess: u64 = (0..classes).map(|i| counts[i * classes + class]).sum();
        if truth + guess == 0 { 0.0 } else { 2.0 * hit / (truth + guess) as f64 }
    };
    (0..classes).map(score).sum::<f64>() / classes as f64
}

/// The score by a metric.
#[must_use]
pub fn score(metric: Metric, labels: &[u32], predicted: &[u32], classes: usize) -> f64 {
    match metric {
        Metric::Mcc => mcc(labels, predicted, classes),
        Metric::F1 => macro_f1(labels, predicted, classes),
        Metric::Accuracy => accuracy(labels, predicted),
    }
}

/// Share of rows predicted rightly.
#[must_use]
pub fn accuracy(labels: &[u32], predicted: &[u32]) -> f64 {
    let hits = labels.iter().zip(predicted).filter(|(a, b)| a == b).count();
    hits as f64 / labels.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_examples() {
        // 2 x 2: TP 6, FN 2, FP 1, TN 3: (6*3 - 1*2) / sqrt(7*8*4*5) = 0.478.
        let labels = [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0];
        let guess = [1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0];
        assert!((mcc(&labels, &guess, 2) - 16.0 / 1120f64.sqrt()).abs() < 1e-12);
        assert!((accuracy(&labels, &guess) - 0.75).abs() < 1e-12);
        assert!((macro_f1(&labels, &guess, 2) - (0.8 + 6.0 / 9.0) / 2.0).abs() < 1e-12);
        assert_eq!(mcc(&labels, &[1; 12], 2), 0.0);
        assert!((mcc(&[0, 1, 2], &[0, 1, 2], 3) - 1.0).abs() < 1e-12);
        // No hit of 4, truths 2 1 1, guesses 1 2 1: (0 * 4 - 5) / sqrt((16 - 6)(16 - 6)).
        assert!((mcc(&[0, 1, 2, 0], &[1, 2, 0, 1], 3) + 0.5).abs() < 1e-12);
    }
}
