//! `config.json` of both layouts.

use experiment::config::{Dtype, EncoderConfig, Position};
use serde_json::{Map, Value, json};

use super::Names;

/// Largest value of a size: what a header may claim without being refused.
const MOST: u64 = 1 << 24;

/// Sizes and hyperparameters of a published model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Number of vocabulary entries.
    pub vocabulary: usize,
    /// Number of token types, of which single sequences use the first.
    pub types: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Width of the gated feed-forward block.
    pub intermediate: usize,
    /// Dropout probability.
    pub dropout: f64,
    /// Standard deviation of the initial weights.
    pub init_std: f64,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
    /// Length for which the published code computes its position bias in advance; no limit.
    pub alibi_starting_size: usize,
}

/// Which model a checkpoint is, for `architectures`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    /// The encoder alone.
    Encoder,
    /// With the masked-language-model head.
    MaskedLm,
    /// With a sequence classifier.
    Classifier,
}

impl Config {
    /// The published DNABERT-2 configuration with the sizes of an encoder, for a vocabulary of `vocabulary` entries.
    #[must_use]
    pub fn of(encoder: &EncoderConfig, vocabulary: usize) -> Config {
        Config {
            vocabulary,
            types: 2,
            hidden: encoder.hidden,
            layers: encoder.layers,
            heads: encoder.heads,
            intermediate: encoder.intermediate,
            dropout: encoder.dropout,
            init_std: encoder.init_std,
            layer_norm_eps: encoder.layer_norm_eps,
            alibi_starting_size: 512,
        }
    }

    /// The encoder of these sizes, with symmetric ALiBi over tokens.
    #[must_use]
    pub fn encoder(&self) -> EncoderConfig {
        EncoderConfig {
            hidden: self.hidden,
            layers: self.layers,
            heads: self.heads,
            intermediate: self.intermediate,
            position: Position::ALIBI,
            dropout: self.dropout,
            init_std: self.init_std,
            layer_norm_eps: self.layer_norm_eps,
            dtype: Dtype::F32,
        }
    }

    /// Multiply-accumulates of the encoder for one sequence of `tokens` tokens: matrix products and attention, no head. 62.81 G for 512
    /// tokens of DNABERT-2.
    #[must_use]
    pub fn macs(&self, tokens: usize) -> u64 {
        let Config { hidden: h, intermediate: i, layers, .. } = *self;
        (layers * (tokens * h * (4 * h + 3 * i) + 2 * tokens * tokens * h)) as u64
    }

    /// Reads the configuration of either layout; the defaults are those of DNABERT-2.
    ///
    /// # Errors
    /// A sentence that names the key, if the text is not a configuration, or of another architecture.
    pub fn parse(text: &[u8]) -> Result<Config, String> {
        let json: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let Value::Object(json) = json else { return Err("not a JSON object".to_owned()) };
        let size = |name: &str, default: Option<usize>| size(&json, name, default);
        let number = |names: &[&str], default: f64| -> Result<f64, String> {
            let found = names.iter().find_map(|name| Some((name, json.get(*name)?)));
            let Some((name, value)) = found else { return Ok(default) };
            let number = value.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
            number.ok_or_else(|| format!("{name} is {value}, expected a number"))
        };
        // The original release says "absolute", which its code does not read.
        for (name, known) in [("hidden_act", &["gelu"][..]), ("position_embedding_type", &["alibi", "absolute"])] {
            let other = json.get(name).filter(|value| !value.as_str().is_some_and(|value| known.contains(&value)));
            if let Some(value) = other {
                return Err(format!("{name} is {value}: only DNABERT-2's {} is supported", known[0]));
            }
        }
        if json.get("tie_word_embeddings") == Some(&Value::Bool(false)) {
            return Err("tie_word_embeddings is false: models with an untied output layer are not supported".to_owned());
        }
        if number(&["attention_probs_dropout_prob", "attention_dropout"], 0.0)? != 0.0 {
            return Err("dropout of attention weights is not 0: only DNABERT-2's 0 is supported".to_owned());
        }
        let config = Config {
            vocabulary: size("vocab_size", None)?,
            types: size("type_vocab_size", Some(2))?,
            hidden: size("hidden_size", None)?,
            layers: size("num_hidden_layers", None)?,
            heads: size("num_attention_heads", None)?,
            intermediate: size("intermediate_size", None)?,
            dropout: number(&["hidden_dropout_prob", "hidden_dropout"], 0.1)?,
            init_std: number(&["initializer_range"], 0.02)?,
            layer_norm_eps: number(&["layer_norm_eps"], 1e-12)?,
            alibi_starting_size: size("alibi_starting_size", Some(512))?,
        };
        if !config.hidden.is_multiple_of(config.heads) {
            return Err(format!("hidden_size {} is not a multiple of {} heads", config.hidden, config.heads));
        }
        if config.layers > 1000 {
            return Err(format!("num_hidden_layers is {}, expected at most 1000", config.layers));
        }
        Ok(config)
    }

    /// The configuration as a layout writes it. The ids of the special tokens are those of the tokenizer: padding is 3.
    pub(super) fn json(&self, names: Names, architecture: Architecture) -> Value {
        let class = match (architecture, names) {
            (Architecture::Encoder, Names::Original) => "BertModel",
            (Architecture::MaskedLm, Names::Original) => "BertForMaskedLM",
            (Architecture::Classifier, Names::Original) => "BertForSequenceClassification",
            (Architecture::Encoder, Names::Multimolecule) => "DnaBert2Model",
            (Architecture::MaskedLm, Names::Multimolecule) => "DnaBert2ForMaskedLM",
            (Architecture::Classifier, Names::Multimolecule) => "DnaBert2ForSequencePrediction",
        };
        let mut json = json!({
            "vocab_size": self.vocabulary,
            "type_vocab_size": self.types,
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.intermediate,
            "hidden_act": "gelu",
            "initializer_range": self.init_std,
            "layer_norm_eps": self.layer_norm_eps,
            "alibi_starting_size": self.alibi_starting_size,
            "max_position_embeddings": self.alibi_starting_size,
            "tie_word_embeddings": true,
            "pad_token_id": 3,
        });
        let more = match names {
            Names::Original => json!({
                "model_type": "bert",
                "architectures": [class],
                "hidden_dropout_prob": self.dropout,
                "attention_probs_dropout_prob": 0.0,
                "classifier_dropout": null,
                "position_embedding_type": "absolute",
            }),
            Names::Multimolecule => json!({
                "model_type": "dnabert2",
                "architectures": [class],
                "hidden_dropout": self.dropout,
                "attention_dropout": 0.0,
                "position_embedding_type": "alibi",
                "bos_token_id": 1,
                "eos_token_id": 2,
                "unk_token_id": 0,
                "mask_token_id": 4,
                "null_token_id": null,
            }),
        };
        if let (Value::Object(json), Value::Object(more)) = (&mut json, more) {
            json.extend(more);
        }
        json
    }
}

fn size(json: &Map<String, Value>, name: &str, default: Option<usize>) -> Result<usize, String> {
    match (json.get(name), default) {
        (None, Some(default)) => Ok(default),
        (None, None) => Err(format!("{name} is missing")),
        (Some(value), _) => {
            let size = value.as_u64().filter(|size| (1..=MOST).contains(size));
            size.map(|size| size as usize)
                .ok_or_else(|| format!("{name} is {value}, expected a number from 1 to {MOST}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dnabert2_has_the_published_size() {
        let encoder =
            EncoderConfig { hidden: 768, layers: 12, heads: 12, intermediate: 3072, ..EncoderConfig::default() };
        let config = Config::of(&encoder, 4096);
        assert_eq!(config.parameters(), 117_074_176);
        assert_eq!(config.macs(512), 57_982_058_496 + 4_831_838_208);
    }

    #[test]
    fn both_layouts_are_read_back() {
        let config = Config {
            vocabulary: 64,
            types: 2,
            hidden: 48,
            layers: 2,
            heads: 12,
            intermediate: 96,
            dropout: 0.0,
            init_std: 0.5,
            layer_norm_eps: 1e-12,
            alibi_starting_size: 128,
        };
        for names in [Names::Original, Names::Multimolecule] {
            assert_eq!(Config::parse(config.json(names, Architecture::MaskedLm).to_string().as_bytes()), Ok(config));
        }
    }

    #[test]
    fn other_architectures_are_refused_by_their_key() {
        let good = json!({"vocab_size": 64, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 12,
            "intermediate_size": 96});
        assert!(Config::parse(good.to_string().as_bytes()).is_ok());
        for (key, value, told) in [
            ("vocab_size", json!(-1), "vocab_size is -1"),
            ("hidden_size", json!(1_u64 << 40), "hidden_size is 1099511627776"),
            ("num_hidden_layers", json!(100_000), "at most 1000"),
            ("num_attention_heads", json!(7), "hidden_size 48 is not a multiple of 7 heads"),
            ("hidden_act", json!("relu"), "hidden_act is \"relu\""),
            ("hidden_act", json!(null), "hidden_act is null"),
            ("tie_word_embeddings", json!(false), "untied"),
            ("attention_dropout", json!(0.1), "dropout of attention"),
            ("layer_norm_eps", json!("small"), "layer_norm_eps is \"small\""),
            ("intermediate_size", Value::Null, "intermediate_size is null"),
        ] {
            let mut wrong = good.clone();
            wrong[key] = value;
            let error = Config::parse(wrong.to_string().as_bytes()).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        assert!(Config::parse(b"[1]").unwrap_err().contains("not a JSON object"));
        assert!(Config::parse(b"{\"vocab_size\": 3}").unwrap_err().contains("hidden_size is missing"));
    }
}
