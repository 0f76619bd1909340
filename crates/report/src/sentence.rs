//! The conclusion of a comparison in plain sentences, derived from its numbers alone.
//!
//! It reports the total only, and always with the training budget, because a short run ranks learning speed
//! (`docs/protocol.md#training-budget`). Significance is stated with its test and its correction.
//!
//! ```
//! let shape = report::example::Shape { tokenizers: vec!["bpe4096".into(), "mxdna".into()], ..Default::default() };
//! let comparison = report::Comparison::new(report::example::records(&shape), Default::default()).unwrap();
//! let sentence = report::sentence(&comparison);
//! assert!(sentence.starts_with("mxdna needs 0.0"));
//! assert!(sentence.contains("fewer bits per masked base than bpe4096 (all 7 seeds agree; significant: sign-flip p and the"));
//! assert!(sentence.ends_with("after training on 0.5 million bases."));
//! ```

use crate::comparison::{AdjustedTest, Comparison, Group, Options, Subject, TaskComparison, Test};
use experiment::Noise;
use statistics::decision::Reason;
use statistics::text::{count, list, p_equals, p_value, plus_minus, signed};
use statistics::{ALPHA, holm, sign_flip};

/// The conclusion: one line per group, preceded by the label of the group where there are several.
#[must_use]
pub fn sentence(comparison: &Comparison) -> String {
    let line = |group: &Group| {
        let text = one(group, &comparison.options);
        if group.label.is_empty() { text } else { format!("{}: {text}", group.label) }
    };
    // Noise arms are part of the line of their text.
    let alone = comparison.groups.iter().all(|group| group.noise.is_some());
    let told = comparison.groups.iter().filter(|group| alone || group.noise.is_none());
    told.map(line).collect::<Vec<_>>().join("\n")
}

fn one(group: &Group, options: &Options) -> String {
    if group.tests.is_empty() {
        return without_tests(group, options);
    }
    let test = match best(group) {
        // The reference itself is best: compare it with the closest of the others.
        Some(best) if group.reference.as_deref() == Some(best.name.as_str()) || group.reference.is_none() => {
            let rivals = group.tests.iter().filter(|t| t.left == best.name || t.right == best.name);
            // The closest of those that use context, if any does.
            let ignores = |t: &Test| {
                let other = if t.left == best.name { &t.right } else { &t.left };
                group.subject(other).and_then(|s| s.bits.as_ref()).is_some_and(|bits| !bits.uses_context())
            };
            let order = |t: &Test| (ignores(t), t.difference.mean.abs());
            let closest = rivals.min_by(|a, b| {
                let (a, b) = (order(a), order(b));
                a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
            closest.map(|t| (t, best))
        }
        Some(best) => group.tests.iter().find(|t| t.left == best.name).map(|t| (t, best)),
        None => None,
    };
    let mut text = test.map_or_else(String::new, |(t, best)| verdict(group, t, &best.name, options));
    let with = if group.compute.is_some() { "with" } else { "on" };
    text.push_str(&format!(", after training {with} {}.", group.budget_text()));
    if group.tests.len() > 1 {
        text.push(' ');
        text.push_str(&family(group));
    }
    text.push_str(&noise(group));
    text + &caveat(group)
}

/// What of the differences is about DNA, by the noise arms.
fn noise(group: &Group) -> String {
    let mut text = String::new();
    for arm in &group.arms {
        let (what, not) = match arm.noise {
            Noise::Uniform => {
                ("About DNA (also significant after subtracting uniform noise)", "No difference is about DNA")
            }
            Noise::Order2 => {
                ("Beyond order 2 (after subtracting Markov text of order 2)", "No difference is beyond order 2")
            }
        };
        let pair = |t: &AdjustedTest| {
            format!("{} vs {} ({})", t.left, t.right, signed(t.difference.mean, t.difference.half_width))
        };
        let holds: Vec<String> = arm.tests.iter().filter(|t| t.holds).map(pair).collect();
        if holds.is_empty() {
            let all: Vec<String> = arm.tests.iter().map(pair).collect();
            text.push_str(&format!(" {not}; after subtracting it: {}.", list(&all)));
        } else {
            text.push_str(&format!(" {what}: {} of {} - {}.", holds.len(), arm.tests.len(), list(&holds)));
        }
    }
    text
}

/// A warning about tokenizers that have not learned to use context.
fn caveat(group: &Group) -> String {
    let ignores = |s: &&Subject| s.bits.as_ref().is_some_and(|bits| !bits.uses_context());
    let all: Vec<String> = group.ranked().filter(ignores).map(|s| s.name.clone()).collect();
    match all.len() {
        0 => String::new(),
        1 => format!(" {} has not learned to use context at this budget and is not ranked.", all[0]),
        _ if all.len() == group.ranked().count() => {
            " No tokenizer has learned to use context at this budget: nothing is ranked.".to_owned()
        }
        _ => format!(" {} have not learned to use context at this budget and are not ranked.", list(&all)),
    }
}

/// The tokenizer with the smallest total among those that have learned to use context, or among all if none has.
fn best(group: &Group) -> Option<&Subject> {
    let total = |s: &Subject| {
        let bits = s.bits.as_ref();
        (bits.is_none_or(|bits| !bits.uses_context()), bits.map_or(f64::INFINITY, |bits| bits.total.mean))
    };
    let order = |a: &&Subject, b: &&Subject| {
        let (a, b) = (total(a), total(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    };
    group.ranked().filter(|s| s.bits.is_some()).min_by(order)
}

/// The two conditions of the decision rule, for one or several comparisons; `units` are genome blocks or test rows.
fn rule(comparisons: usize, units: &str) -> String {
    let (adjusted, interval) =
        if comparisons > 1 { ("Holm-adjusted ", "simultaneous interval") } else { ("", "interval") };
    format!("{adjusted}sign-flip p and the {interval} over seeds and {units}")
}

/// `all 8 seeds agree` if no smaller p-value is attainable, otherwise the p-value.
fn agreement(test: &Test) -> String {
    let seeds = test.difference.seeds.len();
    let all = test.difference.seeds.iter().all(|d| *d > 0.0) || test.difference.seeds.iter().all(|d| *d < 0.0);
    if all && test.p <= sign_flip::minimum_p(seeds) {
        format!("all {} agree", count(seeds, "seed"))
    } else {
        format!("{}, {}", count(seeds, "seed"), p_equals(test.adjusted))
    }
}

/// No number of observations this small can be significant.
fn underpowered(observations: &str, minimum: f64) -> String {
    format!("underpowered: with {observations} the minimum attainable p is {}", p_value(minimum))
}

/// The result of one test as a statement about `subject`.
fn verdict(group: &Group, test: &Test, subject: &str, options: &Options) -> String {
    let seeds = group.seeds.len();
    if test.decisive {
        let turned = test.left != subject;
        let other = if turned { &test.left } else { &test.right };
        let difference = if turned { -test.difference.mean } else { test.difference.mean };
        let direction = if difference < 0.0 { "fewer" } else { "more" };
        let size = plus_minus(difference.abs(), test.difference.half_width);
        // With several comparisons, the sentence on all of them names the rule.
        let how =
            if group.tests.len() > 1 { String::new() } else { format!("; significant: {}", rule(1, "genome blocks")) };
        return format!(
            "{subject} needs {size} {direction} bits per masked base than {other} ({}{how})",
            agreement(test)
        );
    }
    if test.reason == Some(Reason::Exploratory) {
        let difference = signed(test.difference.mean, test.difference.half_width);
        return format!(
            "exploratory: no verdict. {} - {}: {difference} bits per masked base ({})",
            test.left,
            test.right,
            count(seeds, "seed")
        );
    }
    let lead = if group.tests.len() > 1 {
        format!("{} vs {}: not significant", test.left, test.right)
    } else {
        "not significant".into()
    };
    format!("{lead} ({})", not_significant(test, seeds, options.effect, "bits per masked base"))
}

/// Why a difference is not significant: too few seeds for any, too few for the effect of interest, or no such effect.
fn not_significant(test: &Test, seeds: usize, effect: f64, unit: &str) -> String {
    let observed = || {
        let difference = signed(test.difference.mean, test.difference.half_width);
        format!("{difference} {unit}, {}, {}", count(seeds, "seed"), p_equals(test.adjusted))
    };
    let interval = format!(
        "{}, but the simultaneous interval over seeds and text ({}) includes 0",
        observed(),
        format!("{:+.3} to {:+.3}", test.simultaneous.low, test.simultaneous.high).replace('-', "\u{2212}")
    );
    match test.needed {
        _ if test.reason == Some(Reason::Exploratory) => format!("exploratory: no verdict; {}", observed()),
        _ if test.reason == Some(Reason::Interval) => interval,
        _ if test.smallest > ALPHA => underpowered(&count(seeds, "seed"), test.smallest),
        Some(needed) if needed > seeds => {
            format!("power 80 % for a difference of {effect} {unit} needs about {needed} seeds")
        }
        Some(_) => format!("{}; power 80 % or more for a difference of {effect}", observed()),
        None if test.text_error.is_some() => {
            format!("{}; power 80 % for a difference of {effect} needs more text, not only more seeds", observed())
        }
        None => observed(),
    }
}

/// All comparisons of the group in one sentence, with the test and its correction.
fn family(group: &Group) -> String {
    let significant: Vec<&Test> = group.tests.iter().filter(|t| t.decisive).collect();
    let (criterion, all) = (rule(group.tests.len(), "genome blocks"), group.tests.len());
    if group.tests.iter().any(|t| t.reason == Some(Reason::Exploratory)) {
        return format!("None of the {all} comparisons has a verdict.");
    }
    if significant.is_empty() {
        return format!("None of the {all} comparisons is significant ({criterion}).");
    }
    let pair = |t: &&Test| match group.reference {
        Some(_) => format!("{} ({})", t.left, signed(t.difference.mean, t.difference.half_width)),
        None => format!("{} vs {} ({})", t.left, t.right, signed(t.difference.mean, t.difference.half_width)),
    };
    let names: Vec<String> = significant.iter().map(pair).collect();
    let reference = group.reference.as_ref().map_or_else(String::new, |r| format!(" vs {r}"));
    format!("Significant{reference} ({criterion}): {} of {all} - {}.", significant.len(), list(&names))
}

/// The conclusion without tests on bits per base: one tokenizer, no common seed, or tasks only.
fn without_tests(group: &Group, options: &Options) -> String {
    let ranked: Vec<&Subject> = group.ranked().filter(|s| s.bits.is_some()).collect();
    if let [only] = ranked[..]
        && let Some(bits) = &only.bits
    {
        let total = plus_minus(bits.total.mean, bits.total.half_width);
        let (seeds, budget) = (count(group.seeds.len(), "seed"), group.budget_text());
        return format!(
            "{} needs {total} bits per masked base ({seeds}), after training on {budget}. There is no other tokenizer to \
             compare it with.{}",
            only.name,
            caveat(group)
        );
    }
    if !group.dropped.is_empty() && group.seeds.is_empty() {
        return format!(
            "no conclusion: at least one run failed at every seed (first: {}, {}).",
            group.dropped[0].tokenizer, group.dropped[0].reason
        );
    }
    if !group.across.is_empty() {
        return across_tasks(group, options);
    }
    group
        .tasks
        .iter()
        .find(|task| !task.tests.is_empty())
        .map_or("nothing to compare.".into(), |task| on_a_task(task, options))
}

/// The result of the tests across tasks.
fn across_tasks(group: &Group, options: &Options) -> String {
    let metric = group.metric().unwrap_or_default().short();
    let significant: Vec<String> = group
        .across
        .iter()
        .filter(|a| a.adjusted <= ALPHA)
        .map(|a| format!("{} vs {} ({:+.3} {metric}, {})", a.left, a.right, a.difference, p_equals(a.adjusted)))
        .collect();
    let tasks = count(group.tasks.len(), "task");
    let smallest = holm::minimum_attainable_p(group.across[0].test.pairs, group.across.len());
    let criterion = format!("Wilcoxon signed-rank test, Holm-adjusted p <= {ALPHA}");
    if options.exploratory {
        format!("across {tasks}: exploratory, no verdict.")
    } else if smallest > ALPHA {
        format!("across {tasks}: not significant ({}).", underpowered(&tasks, smallest))
    } else if significant.is_empty() {
        format!("across {tasks}: no difference is significant ({criterion}).")
    } else {
        format!("significant across {tasks} ({criterion}): {}.", list(&significant))
    }
}

/// The result of the first test on a task.
fn on_a_task(task: &TaskComparison, options: &Options) -> String {
    let Some(test) = task.tests.first() else { return "nothing to compare.".into() };
    let (metric, seeds) = (task.metric.short(), task.seeds.len());
    if test.decisive {
        let direction = if test.difference.mean < 0.0 { "lower" } else { "higher" };
        let size = plus_minus(test.difference.mean.abs(), test.difference.half_width);
        return format!(
            "{} scores {size} {direction} in {metric} than {} on {} ({}; significant: {}).",
            test.left,
            test.right,
            task.name,
            agreement(test),
            rule(task.tests.len(), "test rows")
        );
    }
    format!("not significant on {} ({}).", task.name, not_significant(test, seeds, options.task_effect, metric))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Shape, records};

    fn conclusion(shape: &Shape, options: Options) -> String {
        sentence(&Comparison::new(records(shape), options).unwrap())
    }

    fn two() -> Shape {
        Shape { tokenizers: vec!["bpe4096".into(), "mxdna".into()], ..Shape::default() }
    }

    #[test]
    fn significant_with_one_comparison() {
        let text = conclusion(&Shape { seeds: 8, ..two() }, Options::default());
        assert_eq!(
            text,
            "mxdna needs 0.032 ± 0.006 fewer bits per masked base than bpe4096 (all 8 seeds agree; significant: sign-flip p and the interval \
             over seeds and genome blocks), after training on 0.5 million bases."
        );
    }

    #[test]
    fn not_significant_names_the_seeds_needed() {
        let text = conclusion(&Shape { step: 0.0, noise: 0.012, ..two() }, Options::default());
        let start = "not significant (power 80 % for a difference of 0.01 bits per masked base needs about ";
        assert!(text.starts_with(start), "{text}");
        assert!(text.ends_with(" seeds), after training on 0.5 million bases."), "{text}");
    }

    #[test]
    fn too_few_seeds_are_underpowered() {
        let text = conclusion(&Shape { seeds: 3, ..two() }, Options::default());
        assert_eq!(
            text,
            "not significant (underpowered: with 3 seeds the minimum attainable p is 0.25), after training on 0.5 million bases."
        );
    }

    #[test]
    fn several_comparisons_are_listed() {
        let text = conclusion(&Shape::default(), Options::default());
        assert!(
            text.starts_with("bpe4096 needs 0.0")
                && text.contains(" fewer bits per masked base than base (all 7 seeds agree)"),
            "{text}"
        );
        let all = "Significant vs base (Holm-adjusted sign-flip p and the simultaneous interval over seeds and genome blocks): 2 of 2 - kmer6 (\u{2212}0.0";
        assert!(text.contains(all), "{text}");
        let reversed =
            conclusion(&Shape::default(), Options { reference: Some("bpe4096".into()), ..Options::default() });
        assert!(reversed.starts_with("bpe4096 needs 0.0") && reversed.contains(" than kmer6"), "{reversed}");
        let pairs = conclusion(&Shape::default(), Options { all_pairs: true, ..Options::default() });
        let all = "interval over seeds and genome blocks): 3 of 3 - kmer6 vs base (\u{2212}0.0";
        assert!(pairs.contains(all), "{pairs}");
        let alike = Shape { step: 0.0, noise: 0.012, ..Shape::default() };
        let pairs = conclusion(&alike, Options { all_pairs: true, ..Options::default() });
        let none = "None of the 3 comparisons is significant (Holm-adjusted sign-flip p and the simultaneous interval over seeds and genome blocks).";
        assert!(pairs.ends_with(none), "{pairs}");
    }

    #[test]
    fn exploratory_experiments_have_no_verdict() {
        let options = Options { exploratory: true, ..Options::default() };
        let text = conclusion(&Shape { seeds: 8, ..two() }, options.clone());
        let start =
            "exploratory: no verdict. mxdna - bpe4096: \u{2212}0.032 ± 0.006 bits per masked base (8 seeds), after";
        assert!(text.starts_with(start), "{text}");
        let text = conclusion(&Shape::default(), options);
        assert!(text.ends_with("None of the 2 comparisons has a verdict."), "{text}");
    }

    #[test]
    fn one_tokenizer_and_several_groups() {
        let text = conclusion(&Shape { tokenizers: vec!["base".into()], ..Shape::default() }, Options::default());
        assert!(text.contains("There is no other tokenizer to compare it with."), "{text}");
        let positions = vec![experiment::config::Position::ALIBI, experiment::config::Position::ALIBI_DIRECTED];
        let text = conclusion(&Shape { positions, ..two() }, Options::default());
        assert!(text.starts_with("alibi: mxdna needs") && text.contains("\nalibi-directed: mxdna needs"), "{text}");
    }
}
