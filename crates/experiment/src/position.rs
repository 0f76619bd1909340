//! Position encodings by name.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Position encoding of the encoder: attention is biased by minus a slope per head times the distance of query and key (ALiBi). Written as a
/// name: `alibi` or `alibi-directed`, then optionally `-published`, `-steep` or `-reachN` (the slopes), then `-bases` (the unit).
///
/// ```
/// use experiment::config::{Position, Slopes};
/// let position: Position = "alibi-directed-reach252-bases".parse().unwrap();
/// assert_eq!((position.directed, position.slopes, position.bases), (true, Slopes::Reach(252), true));
/// assert_eq!("alibi-directed-steep".parse::<Position>().unwrap().name(), "alibi-directed");
/// assert!("alibi-reach1".parse::<Position>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Pairs of a left-to-right and a right-to-left head, instead of heads that attend to both sides alike.
    pub directed: bool,
    /// The slopes of the heads.
    pub slopes: Slopes,
    /// Whether distances are in bases between the centres of tokens, instead of in tokens.
    pub bases: bool,
}

/// Slopes of the heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slopes {
    /// As published with DNABERT-2 (for 12 heads).
    Published,
    /// 2, 1/2, 1/8 ..., each for two heads.
    Steep,
    /// 2/r for reaches r from 1 to this one in geometric progression, each for one head, or one pair of directed heads: at distance r the bias is
    /// -2, so that attention has fallen to 14 %.
    Reach(u32),
}

impl Position {
    /// Symmetric ALiBi as in DNABERT-2, for parity with published checkpoints.
    pub const ALIBI: Position = Position { directed: false, slopes: Slopes::Published, bases: false };
    /// Directed ALiBi with steep slopes in tokens: the default of protocol 1.
    pub const ALIBI_DIRECTED: Position = Position { directed: true, slopes: Slopes::Steep, bases: false };

    /// Directed ALiBi over distances in bases, with reaches from one base to a window of 252: every tokenizer sees equally far. The default.
    pub const EQUAL_REACH: Position = Position { directed: true, slopes: Slopes::Reach(252), bases: true };

    /// The name used in TOML and in records.
    #[must_use]
    pub fn name(self) -> String {
        self.to_string()
    }

    fn default_slopes(directed: bool) -> Slopes {
        if directed { Slopes::Steep } else { Slopes::Published }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.directed { "alibi-directed" } else { "alibi" })?;
        match self.slopes {
            slopes if slopes == Position::default_slopes(self.directed) => {}
            Slopes::Published => f.write_str("-published")?,
            Slopes::Steep => f.write_str("-steep")?,
            Slopes::Reach(reach) => write!(f, "-reach{reach}")?,
        }
        f.write_str(if self.bases { "-bases" } else { "" })
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(name: &str) -> Result<Position, String> {
        let wrong = || {
            format!(
                "unknown variant `{name}`, expected `alibi` or `alibi-directed` (with -published, -steep or -reachN, and -bases, behind it)"
            )
        };
        let mut words = name.split('-').peekable();
        if words.next() != Some("alibi") {
            return Err(wrong());
        }
        let directed = words.next_if_eq(&"directed").is_some();
        let mut slopes = Position::default_slopes(directed);
        if let Some(word) = words.next_if(|word| *word != "bases") {
            slopes = match word.strip_prefix("reach").map(str::parse::<u32>) {
                Some(Ok(reach @ 2..)) => Slopes::Reach(reach),
                Some(_) => return Err(wrong()),
                None if word == "published" => Slopes::Published,
                None if word == "steep" => Slopes::Steep,
                None => return Err(wrong()),
            };
        }
        let bases = words.next_if_eq(&"bases").is_some();
        if words.next().is_some() { Err(wrong()) } else { Ok(Position { directed, slopes, bases }) }
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
