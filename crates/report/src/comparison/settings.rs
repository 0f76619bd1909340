//! The settings that two runs must share to be compared.
//!
//! [`Settings`] are those of a run with an encoder, without tokenizer, seed and learning rate (selected for each tokenizer). Runs
//! with the same settings are a group; the order of settings is the order of groups.

use std::cmp::Ordering;

use experiment::Noise;
use experiment::config::{Dtype, EncoderConfig, Masking, MaskingUnit, Prefixes, PriorKind, Scoring, Training};
use experiment::record::Record;
use experiment::run::{DataRef, Pretrain, ScoredText, Work};

/// The pretraining settings of a run with an encoder; None for other controls.
pub(super) fn pretraining(record: &Record) -> Option<&Pretrain> {
    match &record.run.work {
        Work::Pretrain(p) => Some(p),
        Work::Finetune(f) => Some(&f.model),
        Work::Control(_) => None,
    }
}

/// Name of the setting of equal compute.
const COMPUTE: &str = "multiply-accumulates of";

/// Value of the position encoding of a group in which it is selected.
const SELECTED: &str = "position encoding selected on validation";

/// Settings of a group.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    corpus: DataRef,
    encoder: EncoderConfig,
    masking: Masking,
    prior: Option<PriorKind>,
    scoring: Scoring,
    training: Training,
    /// The tokenizer whose multiply-accumulates of training all others have, each with a budget in bases of its own.
    compute: Option<String>,
    /// Whether the position encoding is selected for each tokenizer and seed, and not the same for all.
    position_selected: bool,
}

/// One setting, with its value written as in records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Setting {
    /// `corpus`, `encoder` ...
    part: &'static str,
    /// Name within the part.
    name: &'static str,
    /// Value as text.
    value: String,
}

impl Setting {
    /// Text in the label of a group: a name without its key, and no hash.
    fn label(&self) -> Option<String> {
        match (self.part, self.name) {
            ("corpus", "hash") => None,
            ("corpus", "name") | ("encoder", "position") => Some(self.value.clone()),
            ("training", "bases") => {
                let bases = self.value.parse::<f64>().ok().map(statistics::text::magnitude);
                Some(format!("{} bases", bases.as_ref().unwrap_or(&self.value)))
            }
            (_, name) => Some(format!("{} {}", name.replace('_', " "), self.value)),
        }
    }
}

impl Settings {
    /// The settings of a run with an encoder.
    pub(super) fn of(model: &Pretrain) -> Settings {
        // The units of a control are part of its tokenizer.
        let Pretrain { tokenizer: _, corpus, encoder, fixed_units: _, masking, prior, training, scoring } =
            model.clone();
        Settings { corpus, encoder, masking, prior, scoring, training, compute: None, position_selected: false }
    }

    /// The settings of the trials of learning rates.
    pub(super) fn of_trials(&self) -> Settings {
        Settings { scoring: Scoring { bases: 0, ..self.scoring.clone() }, ..self.clone() }
    }

    /// The same settings at the multiply-accumulates of training of a tokenizer, at the budget of these.
    pub(super) fn with_compute_of(&self, tokenizer: &str) -> Settings {
        Settings { compute: Some(tokenizer.to_owned()), ..self.clone() }
    }

    /// The same settings with a position encoding that is selected for each tokenizer and seed.
    pub(super) fn with_selected_position(&self) -> Settings {
        Settings { position_selected: true, ..self.clone() }
    }

    /// The position encoding, unless it is selected.
    pub(super) fn position(&self) -> String {
        if self.position_selected { SELECTED.to_owned() } else { self.encoder.position.name() }
    }

    /// Whether two settings differ in their budgets alone.
    pub(super) fn differ_in_budget(&self, other: &Settings) -> bool {
        let training = Training { bases: other.training.bases, ..self.training.clone() };
        self.training.bases != other.training.bases && Settings { training, ..self.clone() } == *other
    }

    /// The tokenizer whose multiply-accumulates of training all others have.
    pub(super) fn compute(&self) -> Option<&str> {
        self.compute.as_deref()
    }

    /// All settings, sorted by part and name. Fields are destructured by name, so that a new field of runs cannot be forgotten.
    fn all(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        let mut put = |part, settings: &[(&'static str, String)]| {
            all.extend(settings.iter().map(|(name, value)| Setting { part, name, value: value.clone() }));
        };
        let DataRef { name, hash } = &self.corpus;
        put("corpus", &[("hash", hash.clone()), ("name", name.clone())]);
        let EncoderConfig {
            hidden,
            layers,
            heads,
            intermediate,
            position: _,
            dropout,
            init_std,
            layer_norm_eps,
            dtype,
        } = &self.encoder;
        if *dtype != Dtype::F32 {
            put("encoder", &[("dtype", dtype.name().to_owned())]);
        }
        put(
            "encoder",
            &[
                ("dropout", number(*dropout)),
                ("heads", heads.to_string()),
                ("hidden", hidden.to_string()),
                ("init_std", number(*init_std)),
                ("intermediate", intermediate.to_string()),
                ("layer_norm_eps", number(*layer_norm_eps)),
                ("layers", layers.to_string()),
                ("position", self.position()),
            ],
        );
        let Masking { unit, span, share, prefixes } = &self.masking;
        let unit = match unit {
            MaskingUnit::Bases => "bases",
            MaskingUnit::Tokens => "tokens",
        };
        if *prefixes != Prefixes::Half {
            put("masking", &[("prefixes", prefixes.name().to_owned())]);
        }
        put("masking", &[("share", number(*share)), ("span", span.to_string()), ("unit", unit.to_owned())]);
        put("prior", &[("weights", self.prior.map_or("none", PriorKind::name).to_owned())]);
        let Scoring { bases, curve_points, curve_windows, last_windows } = &self.scoring;
        put(
            "scoring",
            &[
                ("bases", bases.to_string()),
                ("curve_points", curve_points.to_string()),
                ("curve_windows", curve_windows.to_string()),
            ],
        );
        if *last_windows > 0 {
            put("scoring", &[("last_windows", last_windows.to_string())]);
        }
        // Without the learning rate, which is selected for each tokenizer.
        let Training {
            bases,
            window,
            batch,
            gradient_accumulation,
            learning_rate: _,
            warmup,
            beta1,
            beta2,
            epsilon,
            weight_decay,
            clip,
        } = &self.training;
        if *gradient_accumulation > 1 {
            put("training", &[("gradient_accumulation", gradient_accumulation.to_string())]);
        }
        match &self.compute {
            None => put("training", &[("bases", bases.to_string())]),
            Some(tokenizer) => {
                let budget = statistics::text::magnitude(*bases as f64);
                put("training", &[(COMPUTE, format!("{tokenizer} at {budget} bases"))]);
            }
        }
        put(
            "training",
            &[
                ("batch", batch.to_string()),
                ("beta1", number(*beta1)),
                ("beta2", number(*beta2)),
                ("clip", number(*clip)),
                ("epsilon", number(*epsilon)),
                ("warmup", number(*warmup)),
                ("weight_decay", number(*weight_decay)),
                ("window", window.to_string()),
            ],
        );
        all
    }

    /// The settings that differ from those of another group, with the values of this one.
    pub(super) fn differs_from(&self, other: &Settings) -> Vec<Setting> {
        let other = other.all();
        self.all().into_iter().filter(|own| !other.contains(own)).collect()
    }

    /// The settings that differ from any of the others, as a short label; empty if none does.
    pub(super) fn label<'a>(&self, others: impl IntoIterator<Item = &'a Settings>) -> String {
        self.label_of(others, |_| true)
    }

    /// As [`Settings::label`], without the budget.
    pub(super) fn label_without_budget<'a>(&self, others: impl IntoIterator<Item = &'a Settings>) -> String {
        let budget = |setting: &Setting| setting.part == "training" && ["bases", COMPUTE].contains(&setting.name);
        self.label_of(others, |setting| !budget(setting))
    }

    fn label_of<'a>(
        &self,
        others: impl IntoIterator<Item = &'a Settings>,
        wanted: impl Fn(&Setting) -> bool,
    ) -> String {
        let mut differing: Vec<Setting> = others.into_iter().flat_map(|other| self.differs_from(other)).collect();
        differing.retain(wanted);
        differing.sort();
        differing.dedup();
        differing.iter().filter_map(Setting::label).collect::<Vec<_>>().join(", ")
    }

    /// Whether a control was scored on the masked bases of the group.
    pub(super) fn scores(&self, text: ScoredText) -> bool {
        self.corpus == *text.corpus
            && self.training.window == text.window
            && self.masking.span == text.span
            && self.scoring == *text.scoring
    }

    /// The noise of the corpus, if it is that of a noise arm.
    pub(super) fn noise(&self) -> Option<Noise> {
        Noise::split(&self.corpus.name).map(|(noise, _)| noise)
    }

    /// The noise of the corpus, if these settings are those of a noise arm of `original`.
    pub(super) fn noise_of(&self, original: &Settings) -> Option<Noise> {
        let (noise, name) = Noise::split(&self.corpus.name)?;
        let same = Settings { corpus: original.corpus.clone(), ..self.clone() };
        (name == original.corpus.name && same == *original).then_some(noise)
    }

    /// Training budget in bases.
    pub(super) fn budget(&self) -> u64 {
        self.training.bases
    }

    /// The settings in one line.
    pub(super) fn line(&self) -> String {
        let masked = match self.masking.unit {
            MaskingUnit::Bases => "",
            MaskingUnit::Tokens => "tokens masked in training, scored in ",
        };
        let budget = format!("{} bases", statistics::text::magnitude(self.training.bases as f64));
        let budget = match &self.compute {
            None => budget,
            Some(tokenizer) => format!("multiply-accumulates of {tokenizer} at {budget}"),
        };
        format!(
            "{}, {}-layer encoder of width {}, {}, {}-base windows, {masked}{}-base spans, {budget}",
            self.corpus.name,
            self.encoder.layers,
            self.encoder.hidden,
            self.position(),
            self.training.window,
            self.masking.span,
        )
    }
}

/// A number as written in records.
fn number(value: f64) -> String {
    serde_json::Value::from(value).to_string()
}

/// The order of settings is that of their values as text, part by part.
impl Ord for Settings {
    fn cmp(&self, other: &Settings) -> Ordering {
        self.all().cmp(&other.all())
    }
}

impl PartialOrd for Settings {
    fn partial_cmp(&self, other: &Settings) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Settings {
    fn eq(&self, other: &Settings) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Settings {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::model;
    use experiment::config::Position;

    #[test]
    fn settings_exclude_tokenizer_and_learning_rate() {
        let base = model("base", Position::ALIBI);
        let mut other = model("kmer6", Position::ALIBI);
        other.training.learning_rate *= 3.0;
        assert_eq!(Settings::of(&base), Settings::of(&other));
        assert_eq!(Settings::of(&base).label([&Settings::of(&other)]), "");
    }

    /// Every field of a run, as written in records, must be one of the settings.
    #[test]
    fn settings_include_every_field_of_a_record() {
        let model = model("base", Position::ALIBI_DIRECTED);
        let json = serde_json::to_value(&model).unwrap();
        let mut written = Vec::new();
        for (part, fields) in json.as_object().unwrap() {
            for (name, value) in fields.as_object().into_iter().flatten() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                written.push((part.clone(), name.clone(), value));
            }
        }
        written.retain(|(_, name, _)| name != "learning_rate");
        let own: Vec<_> = Settings::of(&model).all().into_iter().filter(|s| s.part != "prior").collect();
        let own: Vec<_> = own.into_iter().map(|s| (s.part.to_owned(), s.name.to_owned(), s.value)).collect();
        assert_eq!(own, written);
    }

    #[test]
    fn a_label_names_what_differs() {
        let plain = model("base", Position::ALIBI);
        let (mut wide, mut other) = (plain.clone(), plain.clone());
        wide.encoder.hidden = 128;
        other.corpus = DataRef { name: "other".into(), hash: "0".repeat(64) };
        let [plain, wide, other] = [&plain, &wide, &other].map(Settings::of);
        assert_eq!(plain.label([&plain, &wide]), "hidden 64");
        assert_eq!(wide.label([&plain, &wide, &other]), "synthetic, hidden 128");
        assert_eq!(other.label([&plain, &wide, &other]), "other, hidden 64");
        // In the order of text: 128 before 64.
        assert!(wide < plain && other < wide);
    }
}
