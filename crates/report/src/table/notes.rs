//! What stands below a table: how to read it, and everything that went wrong.

use super::grid::{WIDTH, wrap};
use crate::comparison::{Across, Comparison, Dropped, Group};
use protocol::score::{COUNT, FLOOR, LENGTH};
use statistics::text::{count, list, p_value, rough_duration, thousands};
use statistics::{ALPHA, holm, sign_flip};

/// The notes of a group, one paragraph each.
pub(super) fn notes(group: &Group, comparison: &Comparison) -> String {
    let mut notes = Vec::new();
    let seeds: Vec<String> = group.seeds.iter().map(ToString::to_string).collect();
    let resamples = thousands(comparison.options.resamples as f64);
    if !group.seeds.is_empty() {
        notes.push(format!(
            "± is the 95 % half-width of a bootstrap over seeds and genome blocks ({resamples} resamples); {} ({}), device {}.",
            count(seeds.len(), "seed"),
            seeds.join(" "),
            comparison.device
        ));
    }
    tests(&mut notes, group);
    scores(&mut notes, group);
    tuning(&mut notes, group);
    failures(&mut notes, "", &group.dropped);
    collapses(&mut notes, group);
    for task in &group.tasks {
        failures(&mut notes, &format!("{}: ", task.name), &task.dropped);
    }
    tasks(&mut notes, group);
    across(&mut notes, group);
    notes.extend(group.remarks.iter().map(|r| format!("WARNING: {r}.")));
    notes.iter().map(|n| wrap(n, WIDTH, "  ")).collect::<Vec<_>>().join("\n")
}

/// Which test was made, and what so many seeds can show.
fn tests(notes: &mut Vec<String>, group: &Group) {
    if group.tests.is_empty() {
        return;
    }
    let smallest = holm::minimum_attainable_p(group.seeds.len(), group.tests.len());
    let never = if smallest > ALPHA {
        let fewest = holm::minimum_seeds(group.tests.len());
        let fewest =
            fewest.map_or_else(String::new, |fewest| format!(", {} would be the fewest", count(fewest, "seed")));
        format!(": never decisive{fewest}")
    } else {
        String::new()
    };
    let test = if group.seeds.len() <= sign_flip::EXACT_PAIRS {
        "exact paired sign-flip test over seeds".to_owned()
    } else {
        let draws = thousands(sign_flip::DRAWS as f64);
        format!("paired sign-flip test over seeds ({draws} random assignments of signs)")
    };
    notes.push(format!(
        "p: {test}, Holm over {}; decisive at 0.05. Smallest reachable here: {}{never}.",
        count(group.tests.len(), "comparison"),
        p_value(smallest)
    ));
    let visible: Vec<f64> = group.tests.iter().filter_map(|t| t.detectable).collect();
    if !visible.is_empty() {
        let worst = visible.iter().copied().fold(0.0, f64::max);
        notes.push(format!(
            "These seeds show a difference of {worst:.3} bits per base with a chance of 80 % (the noisiest pair)."
        ));
    }
}

/// How the scores are to be read.
fn scores(notes: &mut Vec<String>, group: &Group) {
    if group.ranked().filter_map(|s| s.bits.as_ref()).any(|b| b.score.bits(COUNT) + b.score.bits(LENGTH) > 0.0) {
        notes.push(
            "BPE totals are upper bounds: only the canonical cut is scored. \"no pair rule\" is the total if pairs that never occur in a cut \
             were legal. Parts are not comparable between tokenizers; only the total is."
                .into(),
        );
    }
    if group.ranked().any(|s| s.bits.is_some()) {
        let floor = group.ranked().filter_map(|s| s.bits.as_ref()).any(|b| b.score.get(FLOOR).is_some());
        let floor = if floor { " floor is what the known source of the text allows at best." } else { "" };
        notes.push(format!("bias only is the same tokenizer's model without any context.{floor} Controls are shown, never ranked or tested."));
    }
}

/// The search for learning rates.
fn tuning(notes: &mut Vec<String>, group: &Group) {
    if let Some(tuning) = &group.tuning {
        let rates: Vec<String> = tuning.rates.iter().map(f64::to_string).collect();
        let chosen: Vec<String> = tuning.chosen.iter().map(|(name, rate)| format!("{name} {rate}")).collect();
        notes.push(format!(
            "learning rates {} were tried for every tokenizer and chosen on validation text ({}); the {} at other rates took {} \
             more and are not in the times above.",
            list(&rates),
            chosen.join(", "),
            count(tuning.runs, "run"),
            rough_duration(tuning.seconds)
        ));
    }
}

fn failures(notes: &mut Vec<String>, scope: &str, dropped: &[Dropped]) {
    if dropped.is_empty() {
        return;
    }
    let mut seeds: Vec<u64> = dropped.iter().map(|d| d.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let seeds: Vec<String> = seeds.iter().map(ToString::to_string).collect();
    let why: Vec<String> = dropped.iter().map(|d| format!("{} seed {} ({})", d.tokenizer, d.seed, d.reason)).collect();
    let noun = if seeds.len() == 1 { "seed" } else { "seeds" };
    notes.push(format!(
        "{scope}failed: {}. So {noun} {} left out for every tokenizer.",
        why.join("; "),
        list(&seeds) + if seeds.len() == 1 { " is" } else { " are" }
    ));
}

fn collapses(notes: &mut Vec<String>, group: &Group) {
    let mut all: Vec<String> = group
        .subjects
        .iter()
        .filter(|s| s.collapsed > 0)
        .map(|s| format!("{} ({})", s.name, count(s.collapsed, "run")))
        .collect();
    for (task, score) in
        group.tasks.iter().flat_map(|t| t.scores.iter().map(move |s| (t, s))).filter(|(_, s)| s.collapsed > 0)
    {
        all.push(format!("{} on {} ({})", score.name, task.name, count(score.collapsed, "run")));
    }
    if !all.is_empty() {
        notes.push(format!("collapsed, and counted in the means: {}.", list(&all)));
    }
}

fn tasks(notes: &mut Vec<String>, group: &Group) {
    if group.tasks.iter().any(|t| t.scores.iter().any(|s| s.score().is_some())) {
        let star = if group.reference.is_some() {
            " * decisive against the reference within its task (sign-flip, Holm)."
        } else {
            ""
        };
        notes.push(format!("tasks: ± is the 95 % half-width of a bootstrap over seeds and test rows.{star}"));
    }
    let reach = group.tasks.iter().filter(|t| !t.tests.is_empty()).map(|t| (t.seeds.len(), t.tests.len()));
    if let Some((seeds, tests)) =
        reach.max_by(|a, b| holm::minimum_attainable_p(a.0, a.1).total_cmp(&holm::minimum_attainable_p(b.0, b.1)))
    {
        let smallest = holm::minimum_attainable_p(seeds, tests);
        let never = if smallest > ALPHA { ": never decisive" } else { "" };
        notes.push(format!(
            "within a task ({}, Holm over {}) the smallest reachable p is {}{never}.",
            count(seeds, "seed"),
            count(tests, "comparison"),
            p_value(smallest)
        ));
    }
}

/// Tests across tasks.
fn across(notes: &mut Vec<String>, group: &Group) {
    if let Some(across) = group.across.first() {
        // As few as 2 of the 2^N signs of N tasks are as extreme as all of one sign: the count of the sign-flip test.
        let (tasks, tests) = (across.test.pairs, group.across.len());
        let smallest = holm::minimum_attainable_p(tasks, tests);
        if smallest > ALPHA {
            notes.push(format!(
                "Wilcoxon across {} cannot be decisive: the smallest two-sided p is {}, {} with Holm over {}.",
                count(tasks, "task"),
                p_value(holm::minimum_attainable_p(tasks, 1)),
                p_value(smallest),
                count(tests, "comparison")
            ));
        }
    }
    if let (Some(across), true) = (group.across.first(), group.across.len() < 12) {
        let metric = group.metric().unwrap_or_default().short();
        let one = |a: &Across| {
            format!("{} - {} {:+.3} {metric} (p {})", a.left, a.right, a.difference, p_value(a.adjusted))
                .replace(" -0", " \u{2212}0")
        };
        let all: Vec<String> = group.across.iter().map(one).collect();
        notes.push(format!(
            "across {}, Wilcoxon signed-rank with Holm: {}.",
            count(across.test.pairs, "task"),
            all.join("; ")
        ));
    }
    if let Some(friedman) = &group.friedman {
        let f = friedman.f.map_or("unbounded".into(), |f| format!("{f:.2}"));
        notes.push(format!(
            "Friedman over all tokenizers: chi2 = {:.2}, F = {f}, p {} ({}).",
            friedman.chi2,
            p_value(friedman.p),
            if friedman.exact { "exact" } else { "of F" }
        ));
    }
}
