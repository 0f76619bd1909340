//! Notes below a table: how to read it, and which runs failed, collapsed or are suspicious.

use super::grid::{WIDTH, wrap};
use crate::comparison::{Across, Comparison, Dropped, Group};
use protocol::score::{COUNT, FLOOR, LENGTH};
use statistics::text::{count, list, p_value, rough_duration, thousands};
use statistics::{ALPHA, holm, sign_flip};

/// The notes of a group, one paragraph each.
pub(super) fn notes(group: &Group, comparison: &Comparison) -> String {
    let mut notes = Vec::new();
    let seeds: Vec<String> = group.seeds.iter().map(ToString::to_string).collect();
    let resamples = thousands(comparison.options.resamples_for(group.tests.len()) as f64);
    if !group.seeds.is_empty() {
        notes.push(format!(
            "± is the half-width of the 95 % bootstrap interval over seeds and genome blocks ({resamples} resamples); {} ({}), device {}.",
            count(seeds.len(), "seed"),
            seeds.join(" "),
            comparison.device
        ));
    }
    tests(&mut notes, group, comparison);
    families(&mut notes, group);
    scores(&mut notes, group);
    positions(&mut notes, group);
    tuning(&mut notes, group);
    selected_positions(&mut notes, group);
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

/// How bits by position are to be read.
fn positions(notes: &mut Vec<String>, group: &Group) {
    let mut known = group.subjects.iter().filter_map(|s| s.bits.as_ref()).filter(|bits| bits.offsets.len() > 1);
    if known.any(|bits| bits.score.bits(COUNT) + bits.score.bits(LENGTH) > 0.0) {
        notes.push(
            "By position, only fixed lengths can be compared: with variable lengths the first tokens of a span pay for how the rest is cut."
                .into(),
        );
    }
}

/// The position encodings that were selected.
fn selected_positions(notes: &mut Vec<String>, group: &Group) {
    let one = |(position, seeds): &(String, usize)| format!("{position} ({})", count(*seeds, "seed"));
    let of = |(name, counts): &(String, Vec<(String, usize)>)| {
        format!("{name} {}", counts.iter().map(one).collect::<Vec<_>>().join(" and "))
    };
    if !group.positions.is_empty() {
        let all: Vec<String> = group.positions.iter().map(of).collect();
        notes.push(format!(
            "Position encodings selected for each tokenizer and seed on the validation split, each at its own learning rate: {}.",
            all.join("; ")
        ));
    }
}

/// The test, its minimum attainable p-value and its power at this number of seeds.
fn tests(notes: &mut Vec<String>, group: &Group, comparison: &Comparison) {
    if group.tests.is_empty() {
        return;
    }
    if comparison.options.exploratory {
        notes.push("exploratory: no verdict; no difference is called significant, whatever its p-value is.".into());
    }
    let smallest = holm::minimum_attainable_p(group.seeds.len(), group.tests.len());
    let underpowered = if smallest > ALPHA {
        let fewest = holm::minimum_seeds(group.tests.len());
        let fewest =
            fewest.map_or_else(String::new, |fewest| format!(", at least {} are needed", count(fewest, "seed")));
        format!(" (underpowered{fewest})")
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
        "p: {test}, Holm-adjusted for {}. significant: p <= {ALPHA}, and the simultaneous interval (level 1 - {ALPHA} / {}, over seeds \
         and genome blocks) excludes 0. Minimum attainable p: {}{underpowered}. rank-bis.: \
             rank-biserial correlation of the differences over seeds; P(A>B): fraction of seeds at which A is larger, ties half.",
        count(group.tests.len(), "comparison"),
        group.tests.len(),
        p_value(smallest)
    ));
    let detectable: Vec<f64> = group.tests.iter().filter_map(|t| t.detectable).collect();
    if !detectable.is_empty() {
        let worst = detectable.iter().copied().fold(0.0, f64::max);
        let unknown = if group.tests.iter().all(|t| t.text_error.is_some()) {
            ""
        } else {
            "; the text error is not known, so this is over seeds only"
        };
        notes.push(format!(
            "Power 80 % for a difference of {worst:.3} bits per masked base (in the comparison with the largest variance{unknown})."
        ));
    }
}

/// The families of comparisons that are adjusted separately.
fn families(notes: &mut Vec<String>, group: &Group) {
    let tasks = group.tasks.iter().filter(|task| !task.tests.is_empty()).count();
    let families = usize::from(!group.tests.is_empty()) + tasks + usize::from(!group.across.is_empty());
    if families > 1 {
        notes.push(format!(
            "Bits per base, each task, and the tests across tasks are separate families: the error rate of {ALPHA} holds within each of \
             the {families}, not over all of them."
        ));
    }
}

/// How to read the scores.
fn scores(notes: &mut Vec<String>, group: &Group) {
    let scored = || group.subjects.iter().filter_map(|s| Some((s, s.bits.as_ref()?)));
    let bounds: Vec<String> = scored().filter(|(_, b)| b.is_upper_bound()).map(|(s, _)| s.name.clone()).collect();
    if !bounds.is_empty() {
        let verb = if bounds.len() == 1 { "The total of" } else { "The totals of" };
        let is = if bounds.len() == 1 { "is an upper bound" } else { "are upper bounds" };
        notes.push(format!(
            "{verb} {} {is} on the code length: only the canonical segmentation is scored.",
            list(&bounds)
        ));
    }
    if scored().any(|(_, b)| b.score.bits(COUNT) + b.score.bits(LENGTH) > 0.0) {
        notes.push("Components are not comparable between tokenizers; only the total is.".into());
    }
    if group.ranked().any(|s| s.bits.is_some()) {
        let floor = group.ranked().filter_map(|s| s.bits.as_ref()).any(|b| b.score.get(FLOOR).is_some());
        let floor = if floor {
            " entropy floor: the minimum expected code length, given the known source of the text; parallel floor: the same for the \
             parallel order and the tokens of this tokenizer."
        } else {
            ""
        };
        notes.push(format!(
            "zeros: a network of zeros, the segmentation prior alone. parallel: total if all tokens of a span are predicted at once. context-free: the best \
             model of the tokens that sees nothing of the window; window: composition, the counts of its visible bases.{floor} \
             Controls are shown but never ranked or tested."
        ));
    }
}

/// The learning-rate search.
fn tuning(notes: &mut Vec<String>, group: &Group) {
    if let Some(tuning) = &group.tuning {
        let rates: Vec<String> = tuning.rates.iter().map(f64::to_string).collect();
        let rate = |rates: &Vec<f64>| rates.iter().map(f64::to_string).collect::<Vec<_>>().join(" or ");
        let chosen: Vec<String> = tuning.chosen.iter().map(|(name, rates)| format!("{name} {}", rate(rates))).collect();
        notes.push(format!(
            "Learning rates {} were tried for every tokenizer and selected per seed on the validation split ({}); {} at other rates took {} in \
             addition to the times above.",
            list(&rates),
            chosen.join(", "),
            count(tuning.runs, "run"),
            rough_duration(tuning.seconds)
        ));
        // Of two rates one is always an end.
        let [lowest, _, .., highest] = tuning.rates[..] else { return };
        for (end, rate) in [("lowest", lowest), ("highest", highest)] {
            let at: Vec<String> =
                tuning.chosen.iter().filter(|(_, rates)| *rates == [rate]).map(|(name, _)| name.clone()).collect();
            if !at.is_empty() {
                notes.push(format!(
                    "WARNING: the {end} learning rate of the grid was selected at every seed for {}: a {} one may be better.",
                    list(&at),
                    if end == "lowest" { "lower" } else { "higher" }
                ));
            }
        }
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
    let noun = if seeds.len() == 1 { "Seed" } else { "Seeds" };
    notes.push(format!(
        "{scope}failed: {}. {noun} {} excluded for every tokenizer.",
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
        notes.push(format!("collapsed (included in the means): {}.", list(&all)));
    }
}

fn tasks(notes: &mut Vec<String>, group: &Group) {
    if group.tasks.iter().any(|t| t.scores.iter().any(|s| s.score().is_some())) {
        let star = if group.reference.is_some() {
            " *: significant vs the reference within the task (Holm-adjusted sign-flip p, and the simultaneous interval over seeds and test rows)."
        } else {
            ""
        };
        notes
            .push(format!("tasks: ± is the half-width of the 95 % bootstrap interval over seeds and test rows.{star}"));
    }
    let gains: Vec<usize> =
        group.tasks.iter().flat_map(|t| t.pretraining.iter().map(|gain| gain.seeds.len())).collect();
    if let Some(most) = gains.iter().max() {
        notes.push(format!(
            "pretraining: paired over up to {}; one 95 % interval for each of {}, not adjusted for their number.",
            count(*most, "seed"),
            count(gains.len(), "difference")
        ));
    }
    let families = group.tasks.iter().filter(|t| !t.tests.is_empty()).map(|t| (t.seeds.len(), t.tests.len()));
    if let Some((seeds, tests)) =
        families.max_by(|a, b| holm::minimum_attainable_p(a.0, a.1).total_cmp(&holm::minimum_attainable_p(b.0, b.1)))
    {
        let smallest = holm::minimum_attainable_p(seeds, tests);
        let underpowered = if smallest > ALPHA { " (underpowered)" } else { "" };
        notes.push(format!(
            "within a task ({}, Holm-adjusted for {}), the minimum attainable p is {}{underpowered}.",
            count(seeds, "seed"),
            count(tests, "comparison"),
            p_value(smallest)
        ));
    }
}

/// Tests across tasks.
fn across(notes: &mut Vec<String>, group: &Group) {
    if let Some(across) = group.across.first() {
        // Of the 2^N sign assignments of N tasks, 2 are as extreme as all of one sign: same minimum as for the sign-flip test.
        let (tasks, tests) = (across.test.pairs, group.across.len());
        let smallest = holm::minimum_attainable_p(tasks, tests);
        if smallest > ALPHA {
            notes.push(format!(
                "Wilcoxon signed-rank test across {}: underpowered, the minimum attainable two-sided p is {}, {} Holm-adjusted for {}.",
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
            "across {}, Wilcoxon signed-rank test, Holm-adjusted: {}.",
            count(across.test.pairs, "task"),
            all.join("; ")
        ));
    }
    if let Some(friedman) = &group.friedman {
        let f = friedman.f.map_or("infinite".into(), |f| format!("{f:.2}"));
        notes.push(format!(
            "Friedman test over all tokenizers: chi2 = {:.2}, F = {f}, p {} ({}).",
            friedman.chi2,
            p_value(friedman.p),
            if friedman.exact { "exact" } else { "from F" }
        ));
    }
}
