//! The comparison as tidy CSV: one number per row.
//!
//! Columns: `group, subject, control, measure, scope, seed, value, low, high`. `scope` is a species or task, empty for
//! the whole; `seed` is empty for means; `low` and `high` are the ends of the 95 % interval where there is one, or of the
//! simultaneous interval in rows of that name. Rows of a test have the subject `A - B`.

use experiment::record::Metric;

use crate::comparison::{Comparison, Estimate, Group, Test};
use crate::tidy::Csv;
use statistics::draws::Interval;

/// Every number of the comparison.
#[must_use]
pub fn csv(comparison: &Comparison) -> String {
    let mut csv = Csv::new("group,subject,control,measure,scope,seed,value,low,high");
    for group in &comparison.groups {
        let mut writer = Writer { group: &group.label, csv: &mut csv };
        bits(&mut writer, group);
        for task in &group.tasks {
            for score in &task.scores {
                let (Some(shown), Some(mcc)) = (score.score(), &score.mcc) else { continue };
                let seeds: &[u64] = if score.control { &[] } else { &task.seeds };
                for metric in Metric::ALL {
                    let value = match metric {
                        _ if metric == task.metric => {
                            writer.estimate(&score.name, score.control, metric.name(), &task.name, shown, seeds);
                            continue;
                        }
                        Metric::Mcc => mcc.mean,
                        Metric::F1 => score.f1,
                        Metric::Accuracy => score.accuracy,
                    };
                    writer.plain(&score.name, score.control, metric.name(), &task.name, value);
                }
                writer.plain(&score.name, score.control, "collapsed", &task.name, score.collapsed as f64);
                writer.plain(&score.name, score.control, "failed", &task.name, score.failed as f64);
            }
            for gain in &task.pretraining {
                let measure = format!("{} gained by pretraining", task.metric.name());
                writer.estimate(&gain.name, false, &measure, &task.name, &gain.difference, &gain.seeds);
            }
            writer.tests(task.metric.name(), &task.name, &task.tests, &task.seeds);
        }
        for across in &group.across {
            let pair = format!("{} - {}", across.left, across.right);
            let measure = format!("{} difference across tasks", group.metric().unwrap_or_default().name());
            writer.plain(&pair, false, &measure, "", across.difference);
            writer.plain(&pair, false, "wilcoxon p (holm)", "", across.adjusted);
        }
    }
    csv.text()
}

fn bits(writer: &mut Writer<'_>, group: &Group) {
    for subject in &group.subjects {
        let (name, control) = (&subject.name, subject.control);
        writer.plain(name, control, "collapsed", "", subject.collapsed as f64);
        writer.plain(name, control, "failed", "", subject.failed as f64);
        let Some(b) = &subject.bits else { continue };
        let seeds: &[u64] = if control { &[] } else { &group.seeds };
        writer.estimate(name, control, "bits per base", "", &b.total, seeds);
        for s in b.scored_species() {
            writer.estimate(name, control, "bits per base", &s.species, &s.total, seeds);
            for (component, mean) in s.score.iter().filter(|(component, _)| component.by_species) {
                writer.plain(name, control, component.title, &s.species, mean.unwrap_or(f64::NAN));
            }
        }
        for region in &b.regions {
            let scope = format!("{} {}", region.species, region.class);
            writer.estimate(name, control, "bits per base by region class", &scope, &region.total, seeds);
        }
        for (offset, bits) in b.offsets.iter().enumerate() {
            writer.plain(name, control, "bits per base by position in the span", &(offset + 1).to_string(), *bits);
        }
        for (component, mean) in b.score.iter() {
            writer.plain(name, control, component.title, "", mean.unwrap_or(f64::NAN));
        }
        let plain = [
            ("front end parameters", b.cost.frontend_parameters),
            ("encoder parameters", b.cost.encoder_parameters),
            ("head parameters", b.cost.head_parameters),
            ("bases per token", b.cost.bases_per_token),
            ("MACs per base", b.cost.macs_per_base),
            ("passes", b.cost.passes),
            ("bases per second", b.cost.bases_per_second),
            ("hours", b.cost.hours),
            ("peak MiB", b.cost.peak_mib),
        ];
        for (measure, value) in plain {
            writer.plain(name, control, measure, "", value);
        }
    }
    for control in &group.markov {
        writer.plain(&control.name, true, "bits per base", "", control.total);
        let held_out = group.held_out.iter().zip(&control.held_out);
        for (species, value) in group.species.iter().zip(&control.species).chain(held_out) {
            writer.plain(&control.name, true, "bits per base", species, value.unwrap_or(f64::NAN));
        }
    }
    writer.tests("bits per base", "", &group.tests, &group.seeds);
}

struct Writer<'a> {
    group: &'a str,
    csv: &'a mut Csv,
}

impl Writer<'_> {
    fn line(&mut self, subject: &str, control: bool, measure: &str, scope: &str, seed: &str, values: [f64; 3]) {
        if values[0].is_finite() {
            let control = control.to_string();
            self.csv.row(&[self.group, subject, &control, measure, scope, seed], &values);
        }
    }

    fn plain(&mut self, subject: &str, control: bool, measure: &str, scope: &str, value: f64) {
        self.line(subject, control, measure, scope, "", [value, f64::NAN, f64::NAN]);
    }

    /// Mean and interval, then the seeds; seeds of a control are numbered in order, because they need not be those of the comparison.
    fn estimate(&mut self, subject: &str, control: bool, measure: &str, scope: &str, e: &Estimate, seeds: &[u64]) {
        self.line(subject, control, measure, scope, "", [e.mean, e.low, e.high]);
        for (at, value) in e.seeds.iter().enumerate() {
            let seed = seeds.get(at).map_or_else(|| format!("#{at}"), ToString::to_string);
            self.line(subject, control, measure, scope, &seed, [*value, f64::NAN, f64::NAN]);
        }
    }

    fn tests(&mut self, measure: &str, scope: &str, tests: &[Test], seeds: &[u64]) {
        for test in tests {
            let pair = format!("{} - {}", test.left, test.right);
            self.estimate(&pair, false, &format!("{measure} difference"), scope, &test.difference, seeds);
            self.plain(&pair, false, &format!("{measure} p"), scope, test.p);
            self.plain(&pair, false, &format!("{measure} p (holm)"), scope, test.adjusted);
            let Interval { low, high } = test.simultaneous;
            let simultaneous = format!("{measure} difference (simultaneous)");
            self.line(&pair, false, &simultaneous, scope, "", [test.difference.mean, low, high]);
            self.plain(&pair, false, &format!("{measure} text error"), scope, test.text_error.unwrap_or(f64::NAN));
            self.plain(&pair, false, &format!("{measure} rank-biserial"), scope, test.rank_biserial);
            self.plain(&pair, false, &format!("{measure} P(A > B)"), scope, test.superiority);
            self.plain(&pair, false, &format!("{measure} significant"), scope, f64::from(u8::from(test.decisive)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Shape, records};

    #[test]
    fn rows_have_nine_fields_and_finite_numbers() {
        let shape = Shape { tasks: vec!["a,b".into(), "c".into()], ..Shape::default() };
        let comparison = Comparison::new(records(&shape), crate::Options::default()).unwrap();
        let text = csv(&comparison);
        for line in text.lines().filter(|l| !l.contains('"')) {
            assert_eq!(line.split(',').count(), 9, "{line}");
            assert!(!line.contains("NaN"));
        }
        let total = comparison.groups[0].subjects[0].bits.as_ref().unwrap().total.mean;
        assert!(text.contains(&format!(",base,false,bits per base,,,{total},")));
        assert!(text.contains("\"a,b\""));
        let test = &comparison.groups[0].tests[0];
        for row in [
            format!(
                "difference (simultaneous),,,{},{},{}",
                test.difference.mean, test.simultaneous.low, test.simultaneous.high
            ),
            "kmer6 - base,false,bits per base rank-biserial,,,-1,,".into(),
            "kmer6 - base,false,bits per base P(A > B),,,0,,".into(),
            "kmer6 - base,false,bits per base significant,,,1,,".into(),
            format!("bits per base text error,,,{},,", test.text_error.unwrap()),
        ] {
            assert!(text.contains(&row), "{row} is not in\n{text}");
        }
    }
}
