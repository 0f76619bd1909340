//! Settings, controls and results in words, for headings, legends and titles of figures.
//!
//! A title is the message of its figure. It is written here from the numbers alone; None where there is no simple one.

use experiment::config::{Position, Slopes};
use statistics::text::count;

use crate::comparison::{Comparison, Group, Subject, TaskComparison};

/// Bits per base of equally likely bases.
pub(super) const UNIFORM: f64 = crate::comparison::UNIFORM;
/// Legend of the line at [`UNIFORM`].
pub(super) const UNIFORM_LEGEND: &str = "2 bits: equally likely bases";
/// Legend of the context-free null.
pub(super) const NULL: &str = "context-free null";

/// A list of settings as in records, in words: `alibi-directed` is `directed ALiBi with steep slopes`.
pub(super) fn setting(text: &str) -> String {
    let one = |part: &str| match part.parse::<Position>() {
        Err(_) if noise(part).is_some() => noise(part).unwrap_or_default(),
        Ok(position) => position_in_words(position),
        Err(_) if part.contains(' ') => part.to_owned(),
        Err(_) => part.replace('_', " "),
    };
    text.split(", ").map(one).collect::<Vec<_>>().join(", ")
}

/// A noise corpus: `uniform:five_genomes` is `uniform noise like five genomes`.
fn noise(part: &str) -> Option<String> {
    let (kind, like) = part.split_once(':').filter(|(_, like)| !like.contains(' '))?;
    let kind = if kind == "order2" { "order-2" } else { kind };
    Some(format!("{kind} noise like {}", like.replace('_', " ")))
}

/// The first words of each setting of a list, where the whole does not fit.
pub(super) fn shortened(settings: &str) -> String {
    let one = |setting: &str| {
        let end = [" with ", " like "].iter().filter_map(|word| setting.find(word)).min();
        setting[..end.unwrap_or(setting.len())].to_owned()
    };
    settings.split(", ").map(one).collect::<Vec<_>>().join(", ")
}

fn position_in_words(Position { directed, slopes, bases }: Position) -> String {
    let kind = if directed { "directed" } else { "symmetric" };
    let slopes = match slopes {
        Slopes::Published => "published slopes".to_owned(),
        Slopes::Steep => "steep slopes".to_owned(),
        Slopes::Reach(reach) => format!("reaches of up to {reach} {}", if bases { "bases" } else { "tokens" }),
    };
    let unit = if bases && !slopes.ends_with("bases") { " per base" } else { "" };
    format!("{kind} ALiBi with {slopes}{unit}")
}

/// A Markov predictor by its name in records.
pub(super) fn predictor(name: &str) -> String {
    match name.strip_prefix("markov") {
        Some("-all") => "Markov predictor, all training text".to_owned(),
        Some("-seen") => "Markov predictor, text seen in training".to_owned(),
        Some(order) if order.parse::<u32>().is_ok() => format!("order-{order} Markov predictor"),
        _ => name.to_owned(),
    }
}

/// The groups on real text with scores: those that a message is about.
pub(super) fn scored(comparison: &Comparison) -> impl Iterator<Item = &Group> {
    comparison.groups.iter().filter(|g| g.noise.is_none() && g.ranked().any(|s| s.bits.is_some()))
}

/// A tokenizer's total in bits per masked base; infinite without scores.
pub(super) fn total(subject: &Subject) -> f64 {
    subject.bits.as_ref().map_or(f64::INFINITY, |bits| bits.total.mean)
}

/// The ranked tokenizer of a group for which a number is least, among those that use context; None for fewer than two tokenizers, or if
/// none uses context.
fn least(group: &Group, number: impl Fn(&Subject) -> f64) -> Option<(&Subject, f64)> {
    let known: Vec<(&Subject, f64)> =
        group.ranked().map(|subject| (subject, number(subject))).filter(|(_, number)| number.is_finite()).collect();
    let uses = |(subject, _): &(&Subject, f64)| subject.bits.as_ref().is_none_or(crate::comparison::Bits::uses_context);
    if known.len() < 2 { None } else { known.into_iter().filter(uses).min_by(|a, b| a.1.total_cmp(&b.1)) }
}

/// One text for all groups, if they have the same.
fn agreed(comparison: &Comparison, text: impl Fn(&Group) -> Option<String>) -> Option<String> {
    let mut texts = scored(comparison).map(text);
    let first = texts.next()??;
    texts.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// For each group on real text, the tokenizers that have not learned to use context.
pub(super) fn without_context(comparison: &Comparison) -> Vec<String> {
    let groups = comparison.groups.iter().filter(|group| group.noise.is_none());
    let note = |group: &Group| {
        let learned = |subject: &&Subject| subject.bits.as_ref().is_none_or(crate::comparison::Bits::uses_context);
        let names: Vec<&str> = group.subjects.iter().filter(|s| !learned(s)).map(|s| s.name.as_str()).collect();
        let place = setting(&group.label);
        let place = if place.is_empty() { place } else { format!(" ({place})") };
        let said = "Not below the best null, so not learned to use context at this budget";
        (!names.is_empty()).then(|| format!("{said}{place}: {}.", names.join(", ")))
    };
    groups.filter_map(note).collect()
}

/// The result of the comparison of totals.
pub(super) fn totals(comparison: &Comparison) -> Option<String> {
    agreed(comparison, verdict).or_else(|| {
        let mut best: Vec<&str> =
            scored(comparison).map(|g| Some(least(g, total)?.0.name.as_str())).collect::<Option<_>>()?;
        best.sort_unstable();
        best.dedup();
        (best.len() > 1).then(|| "The best tokenizer depends on the setting".to_owned())
    })
}

fn verdict(group: &Group) -> Option<String> {
    let (best, _) = least(group, total)?;
    let name = &best.name;
    let learned = |s: &Subject| s.bits.as_ref().is_some_and(crate::comparison::Bits::uses_context);
    if !group.ranked().any(learned) {
        return Some("No tokenizer has learned to use context at this budget".to_owned());
    }
    if !learned(best) {
        return Some(format!("{name} has the fewest bits, but has not learned to use context"));
    }
    let own: Vec<_> = group.tests.iter().filter(|t| t.left == *name || t.right == *name).collect();
    if own.is_empty() {
        return None;
    }
    let decided = own.iter().filter(|test| test.decisive).count();
    Some(match own.as_slice() {
        [test] if group.reference.as_ref().is_some_and(|reference| reference != name) => {
            let size = test.difference.mean.abs();
            let arm = group.arms.first();
            let beyond =
                arm.and_then(|arm| Some((arm, arm.tests.iter().find(|t| t.left == *name && t.right == test.right)?)));
            if test.decisive {
                match beyond {
                    Some((arm, adjusted)) if adjusted.holds => format!(
                        "{name} needs {size:.3} fewer bits than {}, {:.3} beyond {} noise",
                        test.right,
                        adjusted.difference.mean.abs(),
                        arm.noise.name()
                    ),
                    Some((arm, _)) => format!(
                        "{name} needs {size:.3} fewer bits than {}, but not beyond {} noise",
                        test.right,
                        arm.noise.name()
                    ),
                    None => format!("{name} needs {size:.3} fewer bits per masked base than {}", test.right),
                }
            } else {
                format!("{name} has the fewest bits, but not significantly fewer than {}", test.right)
            }
        }
        all if decided == all.len() => format!("{name} needs the fewest bits per masked base"),
        all => format!("{name} has the fewest bits; {decided} of {} differences to it are significant", all.len()),
    })
}

/// How much the cuts cost.
pub(super) fn cuts(comparison: &Comparison) -> Option<String> {
    use protocol::score::{COUNT, LENGTH};
    let group = scored(comparison).next().filter(|_| scored(comparison).count() == 1)?;
    let spent = |s: &Subject| s.bits.as_ref().map_or(0.0, |b| b.score.bits(COUNT) + b.score.bits(LENGTH));
    let most = group.ranked().max_by(|a, b| spent(a).total_cmp(&spent(b))).filter(|s| spent(s) > 0.0)?;
    Some(format!("{} spends {:.2} of its {:.2} bits on where its tokens end", most.name, spent(most), total(most)))
}

/// Which tokenizer is least at the end of the curves; `end` gives its value there.
pub(super) fn curves(comparison: &Comparison, at: &str, end: impl Fn(&Group, &Subject) -> f64) -> Option<String> {
    agreed(comparison, |group| {
        let (best, _) = least(group, |s| end(group, s))?;
        let all = group.ranked().filter_map(|s| s.bits.as_ref()).all(crate::comparison::Bits::uses_context);
        Some(if all {
            format!("{} has the fewest validation bits at equal {at}", best.name)
        } else {
            format!("Of those that use context, {} is best at equal {at}", best.name)
        })
    })
}

/// Which tokenizer is cheapest, and which best.
pub(super) fn costs(comparison: &Comparison) -> Option<String> {
    agreed(comparison, |group| {
        let (best, _) = least(group, total)?;
        let macs = |s: &Subject| s.bits.as_ref().map_or(f64::INFINITY, |b| b.cost.macs_per_base);
        let cheapest = group.ranked().filter(|s| macs(s).is_finite()).min_by(|a, b| macs(a).total_cmp(&macs(b)))?;
        if cheapest.name == best.name {
            return Some(format!("{} is cheapest per base and needs the fewest bits", best.name));
        }
        let ratio = macs(best) / macs(cheapest);
        Some(format!(
            "{} needs the fewest bits, at {ratio:.1} times the operations per base of {}",
            best.name, cheapest.name
        ))
    })
}

/// Which tokenizer is ahead on most tasks, and whether a control is ahead of all; of a single one, what pretraining brings.
pub(super) fn tasks(comparison: &Comparison) -> Option<String> {
    let group = comparison.groups.iter().find(|g| !g.tasks.is_empty())?;
    if comparison.groups.iter().filter(|g| !g.tasks.is_empty()).count() > 1 {
        return None;
    }
    let best_of = |task: &TaskComparison, control: bool| {
        let scores = task.scores.iter().filter(|s| s.control == control);
        scores.filter_map(|s| Some((s.name.clone(), s.score()?.mean))).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    if group.tasked().count() < 2 {
        return gained(&group.tasks);
    }
    let winners: Vec<String> =
        group.tasks.iter().filter_map(|task| best_of(task, false)).map(|(name, _)| name).collect();
    let won = |name: &str| winners.iter().filter(|winner| *winner == name).count();
    let best = group.ranked().max_by_key(|s| (won(&s.name), std::cmp::Reverse(s.index)))?;
    let tests = group.tasks.iter().flat_map(|t| &t.tests);
    let (all, decided) = (tests.clone().count(), tests.filter(|t| t.decisive).count());
    let mut message = format!("{} is ahead on {} of {} tasks", best.name, won(&best.name), group.tasks.len());
    match (all, decided) {
        (0, _) => {}
        (_, 0) => message += "; no difference is significant",
        _ => message += &format!("; {decided} of {all} tests are significant"),
    }
    let behind = |task: &&TaskComparison| match (best_of(task, true), best_of(task, false)) {
        (Some(control), Some(best)) => control.1 > best.1,
        _ => false,
    };
    match group.tasks.iter().filter(behind).count() {
        0 => {}
        number => message += &format!("; a control is ahead of all on {number}"),
    }
    Some(message)
}

/// On how many tasks the interval of what pretraining brings is above 0, and below.
fn gained(tasks: &[TaskComparison]) -> Option<String> {
    let gains = || tasks.iter().flat_map(|task| &task.pretraining);
    let name = &gains().next()?.name;
    let (all, above) = (gains().count(), gains().filter(|gain| gain.difference.low > 0.0).count());
    let below = gains().filter(|gain| gain.difference.high < 0.0).count();
    let loss = if below > 0 { format!(", a loss on {below}") } else { String::new() };
    Some(format!(
        "Pretraining of {name} brings a gain beyond its 95 % interval on {above} of {}{loss}",
        count(all, "task")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::Options;
    use crate::example::{Shape, records};
    use experiment::record::Outcome;
    use protocol::score::BIAS_ONLY;

    #[test]
    fn a_single_tokenizer_is_ahead_of_nobody() {
        let shape = |tokenizers: &[&str]| Shape {
            tokenizers: tokenizers.iter().map(|name| (*name).to_owned()).collect(),
            tasks: vec!["a".to_owned(), "b".to_owned()],
            ..Shape::default()
        };
        let message = |names: &[&str]| tasks(&Comparison::new(records(&shape(names)), Options::default()).unwrap());
        assert_eq!(
            message(&["base"]).unwrap(),
            "Pretraining of base brings a gain beyond its 95 % interval on 2 of 2 tasks"
        );
        assert!(message(&["base", "kmer6"]).unwrap().contains(" is ahead on "));
    }

    #[test]
    fn settings_are_words() {
        assert_eq!(
            setting("five_genomes, alibi, hidden 64"),
            "five genomes, symmetric ALiBi with published slopes, hidden 64"
        );
        let reach = "directed ALiBi with reaches of up to 252 bases";
        assert_eq!(setting("alibi-directed-reach252-bases"), reach);
        assert_eq!(setting(""), "");
        let noise = setting("uniform:five_genomes");
        assert_eq!((noise.as_str(), shortened(&noise).as_str()), ("uniform noise like five genomes", "uniform noise"));
        assert_eq!(shortened(&setting("uniform:five_genomes, 5 million bases")), "uniform noise, 5 million bases");
        assert_eq!(predictor("markov5"), "order-5 Markov predictor");
    }

    #[test]
    fn who_has_not_learned_to_use_context_is_named() {
        let mut records = records(&Shape::default());
        for record in records.iter_mut().filter(|record| record.run.subject() == "base") {
            let Outcome::Pretrained(done) = &mut record.outcome else { continue };
            done.blocks.iter_mut().for_each(|block| block.score.set(BIAS_ONLY, 0.5 * block.score.bases as f64));
        }
        let options = Options { resamples: 300, ..Options::default() };
        let said = without_context(&Comparison::new(records, options).unwrap());
        assert_eq!(said, ["Not below the best null, so not learned to use context at this budget: base."]);
    }

    #[test]
    fn a_message_states_what_was_tested() {
        let compare = |shape: &Shape, reference: Option<&str>| {
            let reference = reference.map(str::to_owned);
            Comparison::new(records(shape), Options { reference, resamples: 300, ..Options::default() }).unwrap()
        };
        let best = compare(&Shape::default(), Some("bpe4096"));
        assert_eq!(totals(&best).unwrap(), "bpe4096 needs the fewest bits per masked base");
        let said = totals(&compare(&Shape::default(), Some("base"))).unwrap();
        assert!(
            said.starts_with("bpe4096 needs 0.0") && said.ends_with("fewer bits per masked base than base"),
            "{said}"
        );
        let few = compare(&Shape { seeds: 3, ..Shape::default() }, Some("base"));
        assert_eq!(totals(&few).unwrap(), "bpe4096 has the fewest bits, but not significantly fewer than base");
        let one = compare(&Shape { tokenizers: vec!["base".into()], ..Shape::default() }, None);
        assert_eq!(totals(&one), None);
    }
}
