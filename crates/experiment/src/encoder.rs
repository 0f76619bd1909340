//! The built-in encoders, and their selection in a spec.
//!
//! ```
//! use experiment::{EncoderChoice, Encoders};
//! assert_eq!(EncoderChoice::named("tiny").resolve(&Encoders::default()).unwrap().hidden, 64);
//! ```

use std::fmt;

use dataset::suggest::nearest;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::config::EncoderConfig;
use crate::error::{Error, Result};

/// The built-in encoders by name, supplied by the program; the default contains only `tiny`.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoders(Vec<(String, EncoderConfig)>);

impl Default for Encoders {
    fn default() -> Self {
        Encoders(vec![("tiny".to_owned(), EncoderConfig::default())])
    }
}

impl Encoders {
    /// Parses encoders from names and TOML.
    ///
    /// # Errors
    /// If a text is not a valid encoder.
    pub fn from_toml<'a>(list: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Encoders> {
        let read = |(name, text): (&str, &str)| match toml::from_str(text) {
            Ok(encoder) => Ok((name.to_owned(), encoder)),
            Err(e) => Err(Error::invalid("encoder", format!("built-in {name:?}: {}", e.message()), "")),
        };
        list.into_iter().map(read).collect::<Result<_>>().map(Encoders)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A built-in encoder by name.
    ///
    /// # Errors
    /// If the name is unknown; the remedy suggests the most similar name and lists all.
    pub fn get(&self, name: &str) -> Result<&EncoderConfig> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, encoder)| encoder);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::invalid("encoder", format!("unknown encoder {name:?}"), choices(name, &names))
        })
    }
}

/// A built-in encoder with overrides. In TOML: `encoder = "tiny"` or `encoder = { from = "tiny", layers = 4 }`. The position
/// encoding is set by `positions` of the spec.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderChoice {
    /// Name of the built-in encoder.
    pub from: String,
    /// Hyperparameters that differ from it.
    pub overrides: Overrides,
}

/// Hyperparameters that differ from a built-in encoder; fields as in [`EncoderConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// Width of the hidden states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Number of transformer layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Number of attention heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Width of the gated feed-forward block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intermediate: Option<usize>,
    /// Dropout probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Standard deviation of the initial weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_std: Option<f64>,
    /// Epsilon of every LayerNorm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_norm_eps: Option<f64>,
}

impl EncoderChoice {
    /// A built-in encoder without overrides.
    #[must_use]
    pub fn named(name: &str) -> Self {
        EncoderChoice { from: name.to_owned(), overrides: Overrides::default() }
    }

    /// Applies the overrides. The position encoding is that of the built-in encoder.
    ///
    /// # Errors
    /// If the name is unknown.
    pub fn resolve(&self, encoders: &Encoders) -> Result<EncoderConfig> {
        let mut encoder = encoders.get(&self.from)?.clone();
        let Overrides { hidden, layers, heads, intermediate, dropout, init_std, layer_norm_eps } = &self.overrides;
        fn set<T: Copy>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut encoder.hidden, *hidden);
        set(&mut encoder.layers, *layers);
        set(&mut encoder.heads, *heads);
        set(&mut encoder.intermediate, *intermediate);
        set(&mut encoder.dropout, *dropout);
        set(&mut encoder.init_std, *init_std);
        set(&mut encoder.layer_norm_eps, *layer_norm_eps);
        Ok(encoder)
    }
}

/// `did you mean "x"? available: "x", "y"`.
pub(crate) fn choices(word: &str, known: &[&str]) -> String {
    let list = known.iter().map(|k| format!("{k:?}")).collect::<Vec<_>>().join(", ");
    // Ties are broken alphabetically.
    let mut sorted = known.to_vec();
    sorted.sort_unstable();
    match nearest(word, sorted.iter().copied()) {
        Some(k) => format!("did you mean {k:?}? available: {list}"),
        None => format!("available: {list}"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    from: String,
    hidden: Option<usize>,
    layers: Option<usize>,
    heads: Option<usize>,
    intermediate: Option<usize>,
    dropout: Option<f64>,
    init_std: Option<f64>,
    layer_norm_eps: Option<f64>,
}

impl Serialize for EncoderChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.overrides == Overrides::default() {
            return serializer.serialize_str(&self.from);
        }
        #[derive(Serialize)]
        struct Out<'a> {
            from: &'a str,
            #[serde(flatten)]
            overrides: &'a Overrides,
        }
        Out { from: &self.from, overrides: &self.overrides }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EncoderChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;
        impl<'de> Visitor<'de> for Choice {
            type Value = EncoderChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an encoder, or a table such as { from = \"tiny\", layers = 4 }")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<EncoderChoice, E> {
                Ok(EncoderChoice::named(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EncoderChoice, A::Error> {
                let t = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let (hidden, layers, heads, intermediate) = (t.hidden, t.layers, t.heads, t.intermediate);
                let (dropout, init_std, layer_norm_eps) = (t.dropout, t.init_std, t.layer_norm_eps);
                let overrides = Overrides { hidden, layers, heads, intermediate, dropout, init_std, layer_norm_eps };
                Ok(EncoderChoice { from: t.from, overrides })
            }
        }
        deserializer.deserialize_any(Choice)
    }
}
