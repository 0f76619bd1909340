//! Whether a spec means something: every rule with the key that breaks it and what to do.

use std::collections::BTreeSet;

use crate::config::{Encoder, MaskingUnit, Position};
use crate::encoder::{EncoderChoice, Encoders};
use crate::error::{Error, Result};
use crate::spec::{MOST_SEEDS, Spec, too_many};

impl Spec {
    /// Checks everything that can be checked without looking up the name of a tokenizer, corpus or task.
    ///
    /// # Errors
    /// The first rule broken: its key, the cause and a remedy.
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
            let remedy = "name some, e.g. tokenizers = [\"base\", \"kmer6\"]; \"tokbench list\" shows all";
            return Err(Error::invalid("tokenizers", "there is no tokenizer", remedy));
        }
        if self.seeds.is_empty() {
            return Err(Error::invalid("seeds", "there is no seed", "write a number of seeds, e.g. seeds = 7"));
        }
        if self.seeds.len() > MOST_SEEDS {
            return Err(too_many(self.seeds.len() as u64));
        }
        if let Some(seed) = self.seeds.iter().find(|&&s| s > i64::MAX as u64) {
            return Err(Error::invalid("seeds", format!("{seed} is too large"), "use seeds below 2^63"));
        }
        if self.positions.is_empty() {
            let remedy = "write positions = [\"alibi-directed\"]";
            return Err(Error::invalid("positions", "there is no position code", remedy));
        }
        if self.corpus.trim().is_empty() {
            let remedy = "name one, e.g. corpus = \"my.fa\"; \"tokbench list\" shows the known ones";
            return Err(Error::invalid("corpus", "there is no corpus", remedy));
        }
        if self.device.trim().is_empty() {
            return Err(Error::invalid("device", "there is no device", "write device = \"cpu\""));
        }
        let no_double = |key: &str, items: Vec<String>| {
            let mut seen = BTreeSet::new();
            match items.into_iter().find(|item| !seen.insert(item.clone())) {
                Some(item) => Err(Error::invalid(key, format!("{item} is named twice"), "name it once")),
                None => Ok(()),
            }
        };
        no_double("tokenizers", self.tokenizers.iter().map(|t| format!("{t:?}")).collect())?;
        no_double("tasks", self.tasks.iter().map(|t| format!("{t:?}")).collect())?;
        no_double("seeds", self.seeds.iter().map(ToString::to_string).collect())?;
        no_double("positions", self.positions.iter().map(|p| format!("{:?}", p.name())).collect())?;
        no_double("learning_rates", self.learning_rates.iter().map(ToString::to_string).collect())?;
        Ok(())
    }

    fn validate_training(&self) -> Result<()> {
        let t = &self.training;
        count("training.bases", t.bases)?;
        count("training.window", t.window as u64)?;
        count("training.batch", t.batch as u64)?;
        positive("training.learning_rate", t.learning_rate)?;
        for &rate in &self.learning_rates {
            positive("learning_rates", rate)?;
        }
        share("training.warmup", t.warmup)?;
        share("training.beta1", t.beta1)?;
        share("training.beta2", t.beta2)?;
        positive("training.epsilon", t.epsilon)?;
        not_negative("training.weight_decay", t.weight_decay)?;
        positive("training.clip", t.clip)?;
        let step = (t.window * t.batch) as u64;
        if t.bases < step {
            let cause = format!("{} bases are less than one step of {step}", t.bases);
            return Err(Error::invalid("training.bases", cause, format!("give at least {step}")));
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
            let cause = format!("{window} bases hold {cells} cell of {} bases; two are needed", m.span);
            return Err(Error::invalid("training.window", cause, format!("use at least {}", 2 * m.span)));
        }
        if !(m.share.is_finite() && m.share > 0.0 && m.share < 1.0) {
            let cause = format!("{} is not between 0 and 1", m.share);
            return Err(Error::invalid("masking.share", cause, "use 0.15"));
        }
        if m.unit == MaskingUnit::Bases {
            // Training windows may be shorter and so lose a cell.
            for cells in [cells, cells - 1] {
                let drawn = (m.share * cells as f64).round() as usize;
                let most = cells.div_ceil(2);
                if drawn > most {
                    let cause = format!(
                        "{} of {cells} cells are {drawn}, but at most {most} can be drawn without two being adjacent",
                        m.share
                    );
                    let most_share = most as f64 / cells as f64;
                    let remedy = format!("use at most {}", (most_share * 100.0).floor() / 100.0);
                    return Err(Error::invalid("masking.share", cause, remedy));
                }
            }
            if (m.share * (cells - 1) as f64).round() < 1.0 {
                let cause = format!("{} of {} cells rounds to none: nothing would be learned", m.share, cells - 1);
                return Err(Error::invalid("masking.share", cause, "use a larger share or a longer training.window"));
            }
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
            let cause = format!("{} bases are less than one window of {window}", self.scoring.bases);
            return Err(Error::invalid("scoring.bases", cause, format!("use at least {window}")));
        }
        Ok(())
    }

    fn validate_finetuning(&self) -> Result<()> {
        let f = &self.finetuning;
        positive("finetuning.epochs", f.epochs)?;
        count("finetuning.batch", f.batch as u64)?;
        positive("finetuning.learning_rate", f.learning_rate)?;
        share("finetuning.warmup", f.warmup)?;
        not_negative("finetuning.weight_decay", f.weight_decay)?;
        positive("finetuning.clip", f.clip)?;
        count("finetuning.evaluations", f.evaluations as u64)?;
        at_most("finetuning.evaluations", f.evaluations, 10_000, "each one reads the whole dev split")
    }
}

fn validate_encoder(e: &Encoder, choice: &EncoderChoice) -> Result<()> {
    for (key, value) in [
        ("encoder.hidden", e.hidden),
        ("encoder.layers", e.layers),
        ("encoder.heads", e.heads),
        ("encoder.intermediate", e.intermediate),
    ] {
        count(key, value as u64)?;
    }
    if !e.hidden.is_multiple_of(e.heads) {
        let cause = format!("{} heads do not divide hidden = {}", e.heads, e.hidden);
        return Err(Error::invalid("encoder.heads", cause, fitting_heads(e)));
    }
    let size = e.hidden / e.heads;
    if !size.is_multiple_of(2) {
        let cause = format!(
            "{} heads of hidden = {} are {size} wide each; rotary positions turn pairs of numbers, so this must be even",
            e.heads, e.hidden
        );
        return Err(Error::invalid("encoder.heads", cause, fitting_heads(e)));
    }
    if e.position == Position::AlibiDirected && !e.heads.is_multiple_of(2) {
        let cause = format!("{} heads (encoder {:?}) cannot be paired: one left, one right", e.heads, choice.from);
        let remedy = "use an even number of heads, or positions = [\"alibi\"]";
        return Err(Error::invalid("encoder.heads", cause, remedy));
    }
    share("encoder.dropout", e.dropout)?;
    positive("encoder.init_std", e.init_std)?;
    positive("encoder.layer_norm_eps", e.layer_norm_eps)
}

/// The numbers of heads that would do.
fn fitting_heads(e: &Encoder) -> String {
    let paired = e.position == Position::AlibiDirected;
    let fits = |h: &usize| e.hidden.is_multiple_of(2 * h) && (!paired || h.is_multiple_of(2));
    let fitting: Vec<String> = (1..=e.hidden.min(64)).filter(fits).map(|h| h.to_string()).collect();
    if fitting.is_empty() {
        return "no number of heads fits: set encoder.hidden to a multiple of 4".to_owned();
    }
    format!("use one of {}", fitting.join(", "))
}

fn at_most(key: &str, value: usize, most: usize, why: &str) -> Result<()> {
    if value > most {
        return Err(Error::invalid(key, format!("{value} is too large: {why}"), format!("use at most {most}")));
    }
    Ok(())
}

fn count(key: &str, value: u64) -> Result<()> {
    if value == 0 {
        return Err(Error::invalid(key, "0 is not positive", "use at least 1"));
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
    Err(Error::invalid(key, format!("{value} is not positive"), "use a number above 0"))
}

fn not_negative(key: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid(key, format!("{value} is negative or no number"), "use 0 or more"))
}

fn share(key: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(key, format!("{value} is not in 0..1"), "use 0 or more, and less than 1"))
}
