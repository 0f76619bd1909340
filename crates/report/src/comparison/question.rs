//! What a run asks: everything that two runs must have in common to be compared.
//!
//! A [`Question`] is a run with an encoder without its tokenizer, its seed and its learning rate, which is chosen for each
//! tokenizer. Runs of one question are a group; questions have an order, and so have groups.

use std::cmp::Ordering;

use experiment::config::{EncoderConfig, Masking, MaskingUnit, Scoring, Training};
use experiment::record::Record;
use experiment::run::{DataRef, Pretrain, Work};

/// The pretraining part of a run with an encoder.
pub(super) fn encoder(record: &Record) -> Option<&Pretrain> {
    match &record.run.work {
        Work::Pretrain(p) => Some(p),
        Work::Finetune(f) => Some(&f.model),
        Work::Control(_) => None,
    }
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    corpus: DataRef,
    encoder: EncoderConfig,
    masking: Masking,
    scoring: Scoring,
    training: Training,
}

/// One setting of a question, spelled as records spell it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Setting {
    /// `corpus`, `encoder` ...
    part: &'static str,
    /// Name inside its part.
    name: &'static str,
    /// Its value.
    value: String,
}

impl Setting {
    /// The setting in a label; a name says enough alone, and a hash says nothing to a person.
    fn word(&self) -> Option<String> {
        match (self.part, self.name) {
            ("corpus", "hash") => None,
            ("corpus", "name") | ("encoder", "position") => Some(self.value.clone()),
            (_, name) => Some(format!("{} {}", name.replace('_', " "), self.value)),
        }
    }
}

impl Question {
    /// What a run with an encoder asks.
    pub(super) fn of(model: &Pretrain) -> Question {
        let Pretrain { tokenizer: _, corpus, encoder, masking, training, scoring } = model.clone();
        Question { corpus, encoder, masking, scoring, training }
    }

    /// Every setting, by part and name. The fields are taken apart by name, so that a new setting of runs is missed by no one.
    fn settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        let mut put = |part, settings: &[(&'static str, String)]| {
            all.extend(settings.iter().map(|(name, value)| Setting { part, name, value: value.clone() }));
        };
        let DataRef { name, hash } = &self.corpus;
        put("corpus", &[("hash", hash.clone()), ("name", name.clone())]);
        let EncoderConfig { hidden, layers, heads, intermediate, position, dropout, init_std, layer_norm_eps } =
            &self.encoder;
        put(
            "encoder",
            &[
                ("dropout", spelled(*dropout)),
                ("heads", heads.to_string()),
                ("hidden", hidden.to_string()),
                ("init_std", spelled(*init_std)),
                ("intermediate", intermediate.to_string()),
                ("layer_norm_eps", spelled(*layer_norm_eps)),
                ("layers", layers.to_string()),
                ("position", position.name().to_owned()),
            ],
        );
        let Masking { unit, span, share } = &self.masking;
        let unit = match unit {
            MaskingUnit::Bases => "bases",
            MaskingUnit::Tokens => "tokens",
        };
        put("masking", &[("share", spelled(*share)), ("span", span.to_string()), ("unit", unit.to_owned())]);
        let Scoring { bases, curve_points, curve_windows } = &self.scoring;
        put(
            "scoring",
            &[
                ("bases", bases.to_string()),
                ("curve_points", curve_points.to_string()),
                ("curve_windows", curve_windows.to_string()),
            ],
        );
        // The learning rate is no part of the question: it is chosen for each tokenizer.
        let Training { bases, window, batch, learning_rate: _, warmup, beta1, beta2, epsilon, weight_decay, clip } =
            &self.training;
        put(
            "training",
            &[
                ("bases", bases.to_string()),
                ("batch", batch.to_string()),
                ("beta1", spelled(*beta1)),
                ("beta2", spelled(*beta2)),
                ("clip", spelled(*clip)),
                ("epsilon", spelled(*epsilon)),
                ("warmup", spelled(*warmup)),
                ("weight_decay", spelled(*weight_decay)),
                ("window", window.to_string()),
            ],
        );
        all
    }

    /// The settings of this question that another has otherwise.
    pub(super) fn differs_from(&self, other: &Question) -> Vec<Setting> {
        self.settings()
            .into_iter()
            .zip(other.settings())
            .filter(|(own, other)| own != other)
            .map(|(own, _)| own)
            .collect()
    }

    /// What makes this question differ from any of the others, in few words; nothing if nothing does.
    pub(super) fn label<'a>(&self, others: impl IntoIterator<Item = &'a Question>) -> String {
        let mut differing: Vec<Setting> = others.into_iter().flat_map(|other| self.differs_from(other)).collect();
        differing.sort();
        differing.dedup();
        differing.iter().filter_map(Setting::word).collect::<Vec<_>>().join(", ")
    }

    /// Whether a control that was scored like this was scored on the masked bases of this question.
    pub(super) fn scores(&self, corpus: &DataRef, window: usize, span: usize, scoring: &Scoring) -> bool {
        self.corpus == *corpus
            && self.training.window == window
            && self.masking.span == span
            && self.scoring == *scoring
    }

    /// Bases seen in training.
    pub(super) fn budget(&self) -> u64 {
        self.training.bases
    }

    /// The question in one line.
    pub(super) fn line(&self) -> String {
        let masked = match self.masking.unit {
            MaskingUnit::Bases => "",
            MaskingUnit::Tokens => "tokens masked in training, scored in ",
        };
        format!(
            "{}, encoder {} x {}, {}, window {}, {masked}spans of {}, {} bases",
            self.corpus.name,
            self.encoder.layers,
            self.encoder.hidden,
            self.encoder.position.name(),
            self.training.window,
            self.masking.span,
            statistics::text::magnitude(self.training.bases as f64)
        )
    }
}

/// A number as records spell it.
fn spelled(value: f64) -> String {
    serde_json::Value::from(value).to_string()
}

/// Questions stand in the order of their settings as they are spelled, part by part.
impl Ord for Question {
    fn cmp(&self, other: &Question) -> Ordering {
        self.settings().cmp(&other.settings())
    }
}

impl PartialOrd for Question {
    fn partial_cmp(&self, other: &Question) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Question {
    fn eq(&self, other: &Question) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Question {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::model;
    use experiment::config::Position;

    #[test]
    fn tokenizer_and_learning_rate_are_no_part_of_the_question() {
        let base = model("base", Position::Alibi);
        let mut other = model("kmer6", Position::Alibi);
        other.training.learning_rate *= 3.0;
        assert_eq!(Question::of(&base), Question::of(&other));
        assert_eq!(Question::of(&base).label([&Question::of(&other)]), "");
    }

    /// Every field of a run, as records have them: none may be left out of the question.
    #[test]
    fn every_setting_of_a_record_is_a_setting_of_the_question() {
        let model = model("base", Position::AlibiDirected);
        let json = serde_json::to_value(&model).unwrap();
        let mut spelled = Vec::new();
        for (part, fields) in json.as_object().unwrap() {
            for (name, value) in fields.as_object().into_iter().flatten() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                spelled.push((part.clone(), name.clone(), value));
            }
        }
        spelled.retain(|(_, name, _)| name != "learning_rate");
        let own = Question::of(&model).settings();
        let own: Vec<_> = own.into_iter().map(|s| (s.part.to_owned(), s.name.to_owned(), s.value)).collect();
        assert_eq!(own, spelled);
    }

    #[test]
    fn a_label_names_what_differs() {
        let plain = model("base", Position::Alibi);
        let (mut wide, mut other) = (plain.clone(), plain.clone());
        wide.encoder.hidden = 128;
        other.corpus = DataRef { name: "other".into(), hash: "0".repeat(64) };
        let [plain, wide, other] = [&plain, &wide, &other].map(Question::of);
        assert_eq!(plain.label([&plain, &wide]), "hidden 64");
        assert_eq!(wide.label([&plain, &wide, &other]), "synthetic, hidden 128");
        assert_eq!(other.label([&plain, &wide, &other]), "other, hidden 64");
        // As they are spelled: 128 before 64.
        assert!(wide < plain && other < wide);
    }
}
