//! Validation of a spec: each rule reports the key, the cause and a remedy.

use std::collections::BTreeSet;

use crate::config::{Dtype, EncoderConfig, MaskingUnit, Prefixes};
use crate::encoder::{EncoderChoice, Encoders};
use crate::error::{Error, Result};
use crate::spec::{MAX_SEEDS, Spec, too_many};

impl Spec {
    /// Checks everything that does not require resolving the name of a tokenizer, corpus or task.
    ///
    /// # Errors
    /// The first violated rule, with key, cause and remedy.
    pub fn validate(&self, encoders: &Encoders) -> Result<()> {
        self.validate_lists()?;
        self.validate_training()?;
        self.validate_masking()?;
        self.validate_finetuning()?;
        for &position in &self.positions {
            validate_encoder(&self.encoder(position, encoders)?, &self.encoder)?;
        }
        Ok(())
    }

    fn validate_lists(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            let cause = format!("{:?} cannot be part of a file name", self.name);
            return Err(Error::invalid("name", cause, "use letters, digits, '-' and '_'"));
        }
        if self.tokenizers.is_empty() {
            let remedy = "list some, e.g. tokenizers = [\"base\", \"kmer6\"]; \"tokbench list\" shows all";
            return Err(Error::invalid("tokenizers", "no tokenizers", remedy));
        }
        if self.seeds.len() > MAX_SEEDS {
            return Err(too_many(self.seeds.len() as u64));
        }
        let seeds = if self.seeds.is_empty() { self.default_seeds().len() } else { self.seeds.len() };
        if let Some(planned) = self.seeds_planned.filter(|n| *n == 0 || *n > seeds) {
            let cause = format!("{planned} is not a number of the {seeds} seeds");
            return Err(Error::invalid(
                "seeds_planned",
                cause,
                "use the number of seeds that was fixed first, or omit it",
            ));
        }
        if let Some(seed) = self.seeds.iter().find(|&&s| s > i64::MAX as u64) {
            return Err(Error::invalid("seeds", format!("{seed} is too large"), "use seeds below 2^63"));
        }
        if self.positions.is_empty() {
            let remedy = "set positions = [\"alibi-directed-reach252-bases\"]";
            return Err(Error::invalid("positions", "no position encodings", remedy));
        }
        if self.corpus.trim().is_empty() {
            let remedy = "set one, e.g. corpus = \"my.fa\"; \"tokbench list\" shows the built-in ones";
            return Err(Error::invalid("corpus", "no corpus", remedy));
        }
        if self.device.trim().is_empty() {
            return Err(Error::invalid("device", "no device", "set device = \"cpu\""));
        }
        if self.dtype == Dtype::Bf16 && self.device == "cpu" {
            let cause = "the device cpu computes in f32 alone";
            return Err(Error::invalid(
                "dtype",
                cause,
                "use a device of LibTorch (tch:cpu, tch:cuda), or dtype = \"f32\"",
            ));
        }
        let unique = |key: &str, items: Vec<String>| {
            let mut seen = BTreeSet::new();
            match items.into_iter().find(|item| !seen.insert(item.clone())) {
                Some(item) => Err(Error::invalid(key, format!("duplicate value {item}"), "list it once")),
                None => Ok(()),
            }
        };
        unique("tokenizers", self.tokenizers.iter().map(|t| format!("{t:?}")).collect())?;
        unique("tasks", self.tasks.iter().map(|t| format!("{t:?}")).collect())?;
        unique("seeds", self.seeds.iter().map(ToString::to_string).collect())?;
        unique("positions", self.positions.iter().map(|p| format!("{:?}", p.name())).collect())?;
        unique("noise", self.noise.iter().map(|noise| format!("{:?}", noise.name())).collect())?;
        if !self.budgets.is_sorted_by(|a, b| a < b) {
            let remedy = "e.g. budgets = [1_250_000, 5_000_000]";
            return Err(Error::invalid("budgets", format!("{:?} is not ascending", self.budgets), remedy));
        }
        if let Some(equal) = &self.equal_compute {
            for (key, name) in std::iter::once(("equal_compute.reference", &equal.reference))
                .chain(equal.tokenizers.iter().map(|name| ("equal_compute.tokenizers", name)))
            {
                if !self.tokenizers.contains(name) {
                    let remedy = format!("use some of {}", self.tokenizers.join(", "));
                    return Err(Error::invalid(key, format!("{name:?} is not one of the tokenizers"), remedy));
                }
            }
        }
        unique("learning_rates", self.learning_rates.iter().map(ToString::to_string).collect())?;
        Ok(())
    }

    /// Refuses a comparison that no result can decide, unless it is exploratory.
    pub(crate) fn validate_seeds(&self) -> Result<()> {
        let (seeds, comparisons) = (self.seeds_planned.unwrap_or(self.seeds.len()), self.comparisons());
        let smallest = statistics::holm::minimum_attainable_p(seeds, comparisons);
        if self.exploratory || comparisons == 0 || smallest <= statistics::ALPHA {
            return Ok(());
        }
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let cause = format!(
            "{seeds} seed{} cannot decide {comparisons} comparison{}: the minimum attainable Holm-adjusted p-value is {}",
            plural(seeds),
            plural(comparisons),
            statistics::text::rough_p(smallest)
        );
        let remedy = match self.fewest_seeds() {
            Some(fewest) => {
                format!("use at least {fewest}, or exploratory = true (--exploratory) for results without a verdict")
            }
            None => "compare fewer tokenizers, or use exploratory = true (--exploratory) for results without a verdict"
                .to_owned(),
        };
        Err(Error::invalid("seeds", cause, remedy))
    }

    fn validate_training(&self) -> Result<()> {
        let t = &self.training;
        for &bases in &self.budgets() {
            count(if self.budgets.is_empty() { "training.bases" } else { "budgets" }, bases)?;
        }
        count("training.window", t.window as u64)?;
        count("training.batch", t.batch as u64)?;
        parts("training", t.gradient_accumulation, t.batch)?;
        positive("training.learning_rate", t.learning_rate)?;
        for &rate in &self.learning_rates {
            positive("learning_rates", rate)?;
        }
        fraction("training.warmup", t.warmup)?;
        fraction("training.beta1", t.beta1)?;
        fraction("training.beta2", t.beta2)?;
        positive("training.epsilon", t.epsilon)?;
        not_negative("training.weight_decay", t.weight_decay)?;
        positive("training.clip", t.clip)?;
        let step = (t.window * t.batch) as u64;
        if let Some(bases) = self.budgets().into_iter().find(|&bases| bases < step) {
            let cause = format!("{bases} bases are fewer than one optimizer step ({step})");
            let key = if self.budgets.is_empty() { "training.bases" } else { "budgets" };
            return Err(Error::invalid(key, cause, format!("use at least {step}")));
        }
        Ok(())
    }

    fn validate_masking(&self) -> Result<()> {
        let (m, window) = (&self.masking, self.training.window);
        count("masking.span", m.span as u64)?;
        if !window.is_multiple_of(m.span) {
            let below = window / m.span * m.span;
            let remedy = match below {
                0 => format!("use {}", m.span),
                _ => format!("use {below} or {}", below + m.span),
            };
            let cause = format!("{window} is not a multiple of masking.span = {}", m.span);
            return Err(Error::invalid("training.window", cause, remedy));
        }
        let cells = window / m.span;
        if cells < 2 {
            let cause = format!("{window} bases contain {cells} cell of {} bases; at least 2 are required", m.span);
            return Err(Error::invalid("training.window", cause, format!("use at least {}", 2 * m.span)));
        }
        if !(m.share.is_finite() && m.share > 0.0 && m.share < 1.0) {
            let cause = format!("the mask ratio must be between 0 and 1, got {}", m.share);
            return Err(Error::invalid("masking.share", cause, "use 0.3"));
        }
        if m.unit == MaskingUnit::Bases {
            // Training windows may be shorter and have one cell less.
            for cells in [cells, cells - 1] {
                let drawn = (m.share * cells as f64).round() as usize;
                let most = cells.div_ceil(2);
                if drawn > most {
                    let cause = format!(
                        "a mask ratio of {} selects {drawn} of {cells} cells, but at most {most} non-adjacent cells are possible",
                        m.share
                    );
                    let largest = most as f64 / cells as f64;
                    let remedy = format!("use at most {}", (largest * 100.0).floor() / 100.0);
                    return Err(Error::invalid("masking.share", cause, remedy));
                }
            }
            if (m.share * (cells - 1) as f64).round() < 1.0 {
                let cause =
                    format!("a mask ratio of {} of {} cells rounds to 0: no cell would be masked", m.share, cells - 1);
                return Err(Error::invalid(
                    "masking.share",
                    cause,
                    "use a larger mask ratio or a longer training.window",
                ));
            }
        }
        if m.unit == MaskingUnit::Tokens && m.prefixes != Prefixes::Half {
            let cause = "masking in tokens reveals no prefixes of spans";
            return Err(Error::invalid("masking.prefixes", cause, "remove it, or set masking.unit = \"bases\""));
        }
        count("scoring.curve_points", self.scoring.curve_points as u64)?;
        at_most(
            "scoring.curve_points",
            self.scoring.curve_points,
            40,
            "each point halves the steps of the one after it",
        )?;
        count("scoring.curve_windows", self.scoring.curve_windows as u64)?;
        if self.scoring.bases < window {
            let cause = format!("{} bases are fewer than one window ({window})", self.scoring.bases);
            return Err(Error::invalid("scoring.bases", cause, format!("use at least {window}")));
        }
        Ok(())
    }

    fn validate_finetuning(&self) -> Result<()> {
        let f = &self.finetuning;
        positive("finetuning.epochs", f.epochs)?;
        count("finetuning.batch", f.batch as u64)?;
        parts("finetuning", f.gradient_accumulation, f.batch)?;
        positive("finetuning.learning_rate", f.learning_rate)?;
        fraction("finetuning.warmup", f.warmup)?;
        not_negative("finetuning.weight_decay", f.weight_decay)?;
        positive("finetuning.clip", f.clip)?;
        count("finetuning.evaluations", f.evaluations as u64)?;
        at_most("finetuning.evaluations", f.evaluations, 10_000, "each evaluation uses the whole validation split")
    }
}

fn validate_encoder(e: &EncoderConfig, choice: &EncoderChoice) -> Result<()> {
    for (key, value) in [
        ("encoder.hidden", e.hidden),
        ("encoder.layers", e.layers),
        ("encoder.heads", e.heads),
        ("encoder.intermediate", e.intermediate),
    ] {
        count(key, value as u64)?;
    }
    if !e.hidden.is_multiple_of(e.heads) {
        let cause = format!("hidden = {} is not divisible by {} heads", e.hidden, e.heads);
        return Err(Error::invalid("encoder.heads", cause, fitting_heads(e)));
    }
    let size = e.hidden / e.heads;
    if !size.is_multiple_of(2) {
        let cause = format!(
            "hidden = {} with {} heads gives a head dimension of {size}; rotary position embedding requires an even one",
            e.hidden, e.heads
        );
        return Err(Error::invalid("encoder.heads", cause, fitting_heads(e)));
    }
    if e.position.directed && !e.heads.is_multiple_of(2) {
        let cause =
            format!("directed ALiBi requires an even number of heads, got {} (encoder {:?})", e.heads, choice.from);
        let remedy = "use an even number of heads, or positions = [\"alibi\"]";
        return Err(Error::invalid("encoder.heads", cause, remedy));
    }
    fraction("encoder.dropout", e.dropout)?;
    positive("encoder.init_std", e.init_std)?;
    positive("encoder.layer_norm_eps", e.layer_norm_eps)
}

/// Remedy with the valid numbers of heads.
fn fitting_heads(e: &EncoderConfig) -> String {
    let paired = e.position.directed;
    let fits = |h: &usize| e.hidden.is_multiple_of(2 * h) && (!paired || h.is_multiple_of(2));
    let fitting: Vec<String> = (1..=e.hidden.min(64)).filter(fits).map(|h| h.to_string()).collect();
    if fitting.is_empty() {
        return "no number of heads is valid; set encoder.hidden to a multiple of 4".to_owned();
    }
    format!("use one of {}", fitting.join(", "))
}

fn at_most(key: &str, value: usize, most: usize, why: &str) -> Result<()> {
    if value > most {
        return Err(Error::invalid(key, format!("{value} is too large: {why}"), format!("use at most {most}")));
    }
    Ok(())
}

/// Gradient accumulation divides a batch into parts of at least one item.
fn parts(section: &str, parts: usize, batch: usize) -> Result<()> {
    let key = format!("{section}.gradient_accumulation");
    count(&key, parts as u64)?;
    at_most(&key, parts, batch, &format!("a batch has {batch} (see {section}.batch)"))
}

fn count(key: &str, value: u64) -> Result<()> {
    if value == 0 {
        return Err(Error::invalid(key, "must be > 0, got 0", "use at least 1"));
    }
    if value > i64::MAX as u64 {
        return Err(Error::invalid(key, format!("{value} is too large"), "use less than 2^63"));
    }
    Ok(())
}

fn positive(key: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::invalid(key, format!("must be > 0, got {value}"), "use a positive number"))
}

fn not_negative(key: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid(key, format!("must be >= 0, got {value}"), "use 0 or a positive number"))
}

fn fraction(key: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(key, format!("must be in [0, 1), got {value}"), "use a value >= 0 and < 1"))
}
