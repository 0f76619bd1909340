//! Tests of losses, probabilities and metrics.

use super::*;

fn goal(kind: TargetKind, names: &[&str], train: &[Row]) -> Goal {
    Goal::new(kind, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), train)
}

#[test]
fn what_does_not_vary_is_no_collapse() {
    let of = |kind, found: &[f64], truth: Vec<Target>| {
        let train: Vec<Row> = truth.iter().cloned().map(row).collect();
        let found: Vec<Vec<f64>> = found.iter().map(|value| vec![*value]).collect();
        evaluate(&goal(kind, &["x"], &train), &found, &truth.iter().collect::<Vec<_>>()).2
    };
    let labels = |all: [bool; 3]| all.map(|label| Target::Labels(vec![label])).to_vec();
    // A rare label that is predicted for no row, with probabilities that tell rows apart.
    assert!(!of(TargetKind::Labels, &[0.1, 0.3, 0.1], labels([false, true, false])));
    assert!(of(TargetKind::Labels, &[0.2, 0.2, 0.2], labels([false, true, false])));
    assert!(!of(TargetKind::Labels, &[0.9, 0.9, 0.9], labels([true, true, true])));
    let numbers = |all: [f64; 3]| all.map(|number| Target::Numbers(vec![number])).to_vec();
    assert!(of(TargetKind::Numbers, &[2.0, 2.0, 2.0], numbers([1.0, 2.0, 3.0])));
    assert!(!of(TargetKind::Numbers, &[2.0, 2.0, 2.0], numbers([2.0, 2.0, 2.0])));
}

#[test]
fn a_label_that_every_row_has_keeps_its_weight() {
    let device = crate::device::open("cpu").unwrap();
    let train: Vec<Row> =
        [[true, true], [true, false], [true, false]].map(|labels| row(Target::Labels(labels.to_vec()))).to_vec();
    let goal = goal(TargetKind::Labels, &["all", "one"], &train);
    assert_eq!(Loss::new(&goal, &train, true, &device).weights, [1.0, 2.0]);
}

fn row(target: Target) -> Row {
    Row { sequence: b"ACGT".to_vec(), target }
}

/// The loss on the device and that on the host are the same number.
#[test]
fn losses_agree_with_probabilities() {
    let device = crate::device::open("cpu").unwrap();
    for (kind, targets) in [
        (TargetKind::Class, vec![Target::Class(0), Target::Class(2), Target::Class(1)]),
        (
            TargetKind::Labels,
            vec![
                Target::Labels(vec![true, false, true]),
                Target::Labels(vec![false, false, false]),
                Target::Labels(vec![true, true, true]),
            ],
        ),
        (
            TargetKind::Numbers,
            vec![
                Target::Numbers(vec![1.0, -3.0, 0.0]),
                Target::Numbers(vec![2.0, 4.0, 0.0]),
                Target::Numbers(vec![9.0, 5.0, 1.0]),
            ],
        ),
    ] {
        let train: Vec<Row> = targets.iter().cloned().map(row).collect();
        let goal = goal(kind, &["a", "b", "c"], &train);
        let values = [0.5_f32, -1.0, 2.0, 0.1, 0.2, 0.3, -4.0, 1.0, 3.0];
        let outputs = Tensor::<2>::from_data(TensorData::new(values.to_vec(), [3, 3]), &device);
        let targets: Vec<&Target> = targets.iter().collect();
        let loss = Loss::new(&goal, &train, false, &device).mean(outputs, &targets, &[4; 3]).into_scalar::<f32>();
        let mut found: Vec<Vec<f64>> =
            values.chunks(3).map(|row| row.iter().map(|value| f64::from(*value)).collect()).collect();
        found.iter_mut().for_each(|row| goal.activate(row));
        let (expected, ..) = evaluate(&goal, &found, &targets);
        assert!((f64::from(loss) - expected).abs() < 1e-5, "{kind:?} {loss} {expected}");
    }
}

/// Class weights are those of scikit-learn's "balanced": rows / (classes x count).
#[test]
fn class_weights_balance_the_classes() {
    let train: Vec<Row> = [0, 0, 0, 1].map(|class| row(Target::Class(class))).to_vec();
    let goal = goal(TargetKind::Class, &["a", "b"], &train);
    let device = crate::device::open("cpu").unwrap();
    let loss = Loss::new(&goal, &train, true, &device);
    assert_eq!(loss.weights, [4.0 / 6.0, 2.0]);
    // All rows together: half of the loss is of each class.
    let outputs = Tensor::<2>::from_data([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], &device);
    let targets: Vec<&Target> = train.iter().map(|row| &row.target).collect();
    let nats = |wrong: bool| (1.0 + if wrong { 1.0_f64 } else { -1.0 }.exp()).ln();
    let found = f64::from(loss.mean(outputs, &targets, &[4; 4]).into_scalar::<f32>());
    assert!((found - (nats(false) + nats(true)) / 2.0).abs() < 1e-6);
}

#[test]
fn pairs_are_counted_in_order() {
    for bases in 0..9 {
        let all: Vec<usize> =
            (0..bases).flat_map(|one| (one + 1..bases).map(move |other| pair(bases, one, other))).collect();
        assert_eq!(all, (0..all.len()).collect::<Vec<_>>());
        assert!(bases < 2 || bases_of(all.len()) == bases);
    }
    let goal = goal(TargetKind::Contacts, &["contact"], &[]);
    // (0, 1) and (2, 3) are each other's mirror images, (0, 2) and (1, 3) too.
    let mut own = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    goal.average(&mut own, &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    assert_eq!(own, [30.5, 26.0, 16.5, 22.0, 12.5, 8.0]);
    let targets = [Target::Contacts(vec![(0, 3)])];
    let (loss, metrics, collapsed) =
        evaluate(&goal, &[vec![0.1, 0.1, 0.9, 0.1, 0.1, 0.1]], &targets.iter().collect::<Vec<_>>());
    assert!((loss + 0.9_f64.ln()).abs() < 1e-12 && !collapsed);
    assert_eq!((metrics["mcc"], metrics["precision_at_length"]), (1.0, 0.25));
}

#[test]
fn strands_are_averaged() {
    let sequence = goal(TargetKind::Class, &["a", "b"], &[]);
    let mut own = vec![0.2, 0.8];
    sequence.average(&mut own, &[0.4, 0.6]);
    assert!((own[0] - 0.3).abs() < 1e-12);
    // Base by base, from the other end.
    let bases = goal(TargetKind::Bases, &["a", "b"], &[]);
    let mut own = vec![1.0, 0.0, 0.0, 1.0];
    bases.average(&mut own, &[1.0, 0.0, 0.0, 1.0]);
    assert_eq!(own, [0.5, 0.5, 0.5, 0.5]);
}

#[test]
fn equal_predictions_are_a_collapse() {
    let goal = goal(TargetKind::Class, &["a", "b"], &[]);
    let targets = [Target::Class(0), Target::Class(1)];
    let targets: Vec<&Target> = targets.iter().collect();
    assert!(evaluate(&goal, &[vec![0.9, 0.1], vec![0.8, 0.2]], &targets).2);
    let (_, metrics, collapsed) = evaluate(&goal, &[vec![0.9, 0.1], vec![0.2, 0.8]], &targets);
    assert!(!collapsed && metrics["auroc"] == 1.0 && metrics["mcc"] == 1.0);
}
