//! The closing sentence: what a comparison says, for a person, with nothing that the numbers do not carry.
//!
//! Only the total is named, and always with the budget, because a short run ranks learning speed (`docs/protocol.md#training-budget`).
//!
//! ```
//! let shape = report::example::Shape { tokenizers: vec!["bpe4096".into(), "mxdna".into()], ..Default::default() };
//! let comparison = report::Comparison::new(report::example::records(&shape), Default::default()).unwrap();
//! let sentence = report::sentence(&comparison);
//! assert!(sentence.starts_with("mxdna needs 0.0"));
//! assert!(sentence.contains("bits per base less than bpe4096 (7 seeds, p = 0.016), at"));
//! assert!(sentence.ends_with("after 0.5 million bases."));
//! ```

use crate::comparison::{Comparison, Group, Options, Subject, Task, Test};
use statistics::text::{count, list, magnitude, p_equals, p_value, plus_minus, signed};
use statistics::{ALPHA, holm};

/// The sentence; one per group, with the group's label in front where there are several.
#[must_use]
pub fn sentence(comparison: &Comparison) -> String {
    let line = |group: &Group| {
        let text = one(group, &comparison.options);
        if group.label.is_empty() { text } else { format!("{}: {text}", group.label) }
    };
    comparison.groups.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn one(group: &Group, options: &Options) -> String {
    if group.tests.is_empty() {
        return without_tests(group, options);
    }
    let test = match best(group) {
        // The reference itself is best: name its closest rival.
        Some(best) if group.reference.as_deref() == Some(best.name.as_str()) || group.reference.is_none() => {
            let rival = group.tests.iter().filter(|t| t.left == best.name || t.right == best.name);
            rival.min_by(|a, b| a.difference.mean.abs().total_cmp(&b.difference.mean.abs())).map(|t| (t, best))
        }
        Some(best) => group.tests.iter().find(|t| t.left == best.name).map(|t| (t, best)),
        None => None,
    };
    let mut text = test.map_or_else(String::new, |(t, best)| verdict(group, t, &best.name, options));
    text.push_str(&format!("; after {} bases.", magnitude(group.budget as f64)));
    if group.tests.len() > 1 {
        text.push(' ');
        text.push_str(&others(group));
    }
    let named: Vec<&str> = test.map_or_else(Vec::new, |(t, _)| vec![t.left.as_str(), t.right.as_str()]);
    text + &caveat(group, &named)
}

/// A warning if one of these has not learned to use context.
fn caveat(group: &Group, names: &[&str]) -> String {
    let flat = |name: &&&str| group.subject(name).and_then(|s| s.bits.as_ref()).is_some_and(|b| !b.uses_context());
    let all: Vec<String> = names.iter().filter(flat).map(|n| (*n).to_owned()).collect();
    match all.len() {
        0 => String::new(),
        1 => format!(" {} is no better than its bias-only model at this budget.", all[0]),
        _ => format!(" {} are no better than their bias-only models at this budget.", list(&all)),
    }
}

/// The ranked tokenizer with the smallest total.
fn best(group: &Group) -> Option<&Subject> {
    let total = |s: &Subject| s.bits.as_ref().map_or(f64::INFINITY, |b| b.total.mean);
    group.ranked().filter(|s| s.bits.is_some()).min_by(|a, b| total(a).total_cmp(&total(b)))
}

/// What one test says, seen from `subject`.
fn verdict(group: &Group, test: &Test, subject: &str, options: &Options) -> String {
    let seeds = group.seeds.len();
    if test.decisive {
        let turned = test.left != subject;
        let other = if turned { &test.left } else { &test.right };
        let difference = if turned { -test.difference.mean } else { test.difference.mean };
        let way = if difference < 0.0 { "less" } else { "more" };
        let size = plus_minus(difference.abs(), test.difference.half_width);
        let speed = speed(group, subject, other).map_or_else(String::new, |s| format!(", at {s} of its speed"));
        return format!(
            "{subject} needs {size} bits per base {way} than {other} ({}, {}){speed}",
            count(seeds, "seed"),
            p_equals(test.adjusted)
        );
    }
    let lead = if group.tests.len() > 1 {
        format!("{} against {} is not decisive", test.left, test.right)
    } else {
        "not decisive".into()
    };
    if test.smallest > ALPHA {
        return format!(
            "{lead}: {} can never be decisive here: the smallest reachable p is {}",
            count(seeds, "seed"),
            p_value(test.smallest)
        );
    }
    match test.needed {
        Some(needed) if needed > seeds => {
            format!(
                "{lead}: you would need about {needed} seeds to see a difference of {} bits per base",
                options.effect
            )
        }
        _ => format!(
            "{lead}: {} bits per base ({}, {}), though {} would show a difference of {}",
            signed(test.difference.mean, test.difference.half_width),
            count(seeds, "seed"),
            p_equals(test.adjusted),
            count(seeds, "seed"),
            options.effect
        ),
    }
}

/// Ratio of training speeds with two digits, where both are known.
fn speed(group: &Group, left: &str, right: &str) -> Option<String> {
    let of =
        |name| group.subject(name).and_then(|s| s.bits.as_ref()).map(|b| b.cost.bases_per_second).filter(|v| *v > 0.0);
    let ratio = of(left)? / of(right)?;
    Some(if ratio >= 10.0 { format!("{ratio:.0}") } else { format!("{ratio:.2}") })
}

/// The rest of the family in one short sentence.
fn others(group: &Group) -> String {
    let decided: Vec<&Test> = group.tests.iter().filter(|t| t.decisive).collect();
    if decided.is_empty() {
        return format!("None of the {} comparisons is decisive.", group.tests.len());
    }
    let pair = |t: &&Test| match group.reference {
        Some(_) => format!("{} ({})", t.left, signed(t.difference.mean, t.difference.half_width)),
        None => format!("{} against {} ({})", t.left, t.right, signed(t.difference.mean, t.difference.half_width)),
    };
    let names: Vec<String> = decided.iter().map(pair).collect();
    let all = if decided.len() == group.tests.len() { "all".to_owned() } else { decided.len().to_string() };
    let family = group.reference.as_ref().map_or_else(String::new, |r| format!(" against {r}"));
    format!("Decisive{family}, {all} of {}: {}.", group.tests.len(), list(&names))
}

/// Nothing to test on bits per base: one tokenizer, no common seed, or tasks only.
fn without_tests(group: &Group, options: &Options) -> String {
    let ranked: Vec<&Subject> = group.ranked().filter(|s| s.bits.is_some()).collect();
    if let [only] = ranked[..]
        && let Some(bits) = &only.bits
    {
        let total = plus_minus(bits.total.mean, bits.total.half_width);
        let (seeds, budget) = (count(group.seeds.len(), "seed"), magnitude(group.budget as f64));
        return format!(
            "{} needs {total} bits per base ({seeds}); after {budget} bases. There is nothing to compare it with.{}",
            only.name,
            caveat(group, &[&only.name])
        );
    }
    if !group.dropped.is_empty() && group.seeds.is_empty() {
        return format!(
            "nothing to conclude: at every seed a run failed, first {} ({}).",
            group.dropped[0].tokenizer, group.dropped[0].reason
        );
    }
    if !group.across.is_empty() {
        return over_tasks(group);
    }
    group
        .tasks
        .iter()
        .find(|task| !task.tests.is_empty())
        .map_or("nothing to compare.".into(), |task| on_a_task(task, options))
}

/// What the tests across tasks say.
fn over_tasks(group: &Group) -> String {
    let metric = group.metric().unwrap_or_default().short();
    let decisive: Vec<String> = group
        .across
        .iter()
        .filter(|a| a.adjusted <= ALPHA)
        .map(|a| format!("{} against {} ({:+.3} {metric}, {})", a.left, a.right, a.difference, p_equals(a.adjusted)))
        .collect();
    let tasks = count(group.tasks.len(), "task");
    let smallest = holm::minimum_attainable_p(group.across[0].test.pairs, group.across.len());
    if smallest > ALPHA {
        format!("not decisive over {tasks}: so few can never be; the smallest reachable p is {}.", p_value(smallest))
    } else if decisive.is_empty() {
        format!("not decisive over {tasks}: no pair of tokenizers differs.")
    } else {
        format!("over {tasks}: {}.", list(&decisive))
    }
}

/// What the first test of a task says.
fn on_a_task(task: &Task, options: &Options) -> String {
    let Some(test) = task.tests.first() else { return "nothing to compare.".into() };
    let metric = task.metric.short();
    if test.decisive {
        let way = if test.difference.mean < 0.0 { "less" } else { "more" };
        let size = plus_minus(test.difference.mean.abs(), test.difference.half_width);
        let (left, right, seeds) = (&test.left, &test.right, count(task.seeds.len(), "seed"));
        return format!(
            "{left} scores {size} {metric} {way} than {right} on {} ({seeds}, {}).",
            task.name,
            p_equals(test.adjusted)
        );
    }
    let (lead, seeds) = (format!("not decisive on {}", task.name), task.seeds.len());
    match test.needed {
        _ if test.smallest > ALPHA => format!(
            "{lead}: {} can never be decisive here: the smallest reachable p is {}.",
            count(seeds, "seed"),
            p_value(test.smallest)
        ),
        Some(needed) if needed > seeds => {
            format!(
                "{lead}: you would need about {needed} seeds to see a difference of {} {metric}.",
                options.task_effect
            )
        }
        Some(_) => format!(
            "{lead}: {} {metric} ({}, {}), though {} would show a difference of {}.",
            signed(test.difference.mean, test.difference.half_width),
            count(seeds, "seed"),
            p_equals(test.adjusted),
            count(seeds, "seed"),
            options.task_effect
        ),
        None => format!("{lead}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Shape, records};

    fn said(shape: &Shape, options: Options) -> String {
        sentence(&Comparison::new(records(shape), options).unwrap())
    }

    fn two() -> Shape {
        Shape { tokenizers: vec!["bpe4096".into(), "mxdna".into()], ..Shape::default() }
    }

    #[test]
    fn decisive() {
        let text = said(&Shape { seeds: 8, ..two() }, Options::default());
        assert_eq!(
            text,
            "mxdna needs 0.032 ± 0.006 bits per base less than bpe4096 (8 seeds, p = 0.0078), at 0.83 of its speed; after 0.5 million bases."
        );
    }

    #[test]
    fn not_decisive() {
        let text = said(&Shape { step: 0.0, noise: 0.012, ..two() }, Options::default());
        assert!(text.starts_with("not decisive: you would need about "), "{text}");
        assert!(text.ends_with(" seeds to see a difference of 0.01 bits per base; after 0.5 million bases."), "{text}");
    }

    #[test]
    fn too_few_seeds() {
        let text = said(&Shape { seeds: 3, ..two() }, Options::default());
        assert_eq!(
            text,
            "not decisive: 3 seeds can never be decisive here: the smallest reachable p is 0.25; after 0.5 million bases."
        );
    }

    #[test]
    fn several() {
        let text = said(&Shape::default(), Options::default());
        assert!(
            text.starts_with("bpe4096 needs 0.0") && text.contains(" less than base (7 seeds, p = 0.031)"),
            "{text}"
        );
        assert!(text.contains("Decisive against base, all of 2: kmer6 (\u{2212}0.0"), "{text}");
        let reversed = said(&Shape::default(), Options { reference: Some("bpe4096".into()), ..Options::default() });
        assert!(reversed.starts_with("bpe4096 needs 0.0") && reversed.contains("less than kmer6"), "{reversed}");
        let pairs = said(&Shape::default(), Options { all_pairs: true, ..Options::default() });
        assert!(pairs.contains("Decisive, all of 3: kmer6 against base (\u{2212}0.0"), "{pairs}");
        let alike = Shape { step: 0.0, noise: 0.012, ..Shape::default() };
        let pairs = said(&alike, Options { all_pairs: true, ..Options::default() });
        assert!(pairs.ends_with("None of the 3 comparisons is decisive."), "{pairs}");
    }

    #[test]
    fn alone_and_grouped() {
        let text = said(&Shape { tokenizers: vec!["base".into()], ..Shape::default() }, Options::default());
        assert!(text.contains("There is nothing to compare it with."), "{text}");
        let positions = vec![experiment::config::Position::Alibi, experiment::config::Position::AlibiDirected];
        let text = said(&Shape { positions, ..two() }, Options::default());
        assert!(text.starts_with("alibi: mxdna needs") && text.contains("\nalibi-directed: mxdna needs"), "{text}");
    }
}
