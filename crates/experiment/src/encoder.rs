//! The built-in encoders and how a spec chooses one.
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

use crate::config::Encoder;
use crate::error::{Error, Result};

/// The built-in encoders: names, and what they mean. The program hands them in; by default there is `tiny` alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoders(Vec<(String, Encoder)>);

impl Default for Encoders {
    fn default() -> Self {
        Encoders(vec![("tiny".to_owned(), Encoder::default())])
    }
}

impl Encoders {
    /// Reads encoders from names and TOML.
    ///
    /// # Errors
    /// If a text is no encoder.
    pub fn from_toml<'a>(list: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Encoders> {
        let read = |(name, text): (&str, &str)| match toml::from_str(text) {
            Ok(encoder) => Ok((name.to_owned(), encoder)),
            Err(e) => Err(Error::invalid("encoder", format!("built-in {name:?}: {}", e.message()), "")),
        };
        list.into_iter().map(read).collect::<Result<_>>().map(Encoders)
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A built-in encoder by name.
    ///
    /// # Errors
    /// If there is none of that name; the remedy lists all and suggests the nearest.
    pub fn get(&self, name: &str) -> Result<&Encoder> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, encoder)| encoder);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::invalid("encoder", format!("there is no built-in encoder {name:?}"), choices(name, &names))
        })
    }
}

/// A built-in encoder, with what differs from it. In TOML: `encoder = "tiny"` or
/// `encoder = { from = "tiny", layers = 4 }`. The position code is chosen by the spec's `positions`.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderChoice {
    /// Name of the built-in encoder.
    pub from: String,
    /// What differs.
    pub overrides: Overrides,
}

/// What differs from a built-in encoder; names as in [`Encoder`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// Width of the states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Number of layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Attention heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Width of the gated feed-forward block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intermediate: Option<usize>,
    /// Dropout.
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
    /// A built-in encoder as it is.
    #[must_use]
    pub fn named(name: &str) -> Self {
        EncoderChoice { from: name.to_owned(), overrides: Overrides::default() }
    }

    /// The encoder that is meant, with the position code of the built-in one.
    ///
    /// # Errors
    /// If there is no such built-in encoder.
    pub fn resolve(&self, encoders: &Encoders) -> Result<Encoder> {
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

/// `did you mean "x"? choose among "x", "y"`.
pub(crate) fn choices(word: &str, known: &[&str]) -> String {
    let list = known.iter().map(|k| format!("{k:?}")).collect::<Vec<_>>().join(", ");
    // Of words equally near, the first in the alphabet.
    let mut sorted = known.to_vec();
    sorted.sort_unstable();
    match nearest(word, sorted.iter().copied()) {
        Some(k) => format!("did you mean {k:?}? choose among {list}"),
        None => format!("choose among {list}"),
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
