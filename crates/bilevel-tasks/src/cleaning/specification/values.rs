//! Values of a specification that are written in a form of their own.

use std::fmt;
use std::str::FromStr;

use bilevel::text::{self, Kind, serial};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cleaning::CleaningSettings;

/// `off`, or a share of the trusted rows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct EarlyStopping(
    /// The share; None is off.
    pub Option<f64>,
);

impl Default for EarlyStopping {
    fn default() -> Self {
        Self(CleaningSettings::default().early_stopping)
    }
}

impl FromStr for EarlyStopping {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        if text == "off" {
            return Ok(Self(None));
        }
        let what = "off, or a share of the trusted rows above 0 and below 1";
        text::number(text, what, |share| share > 0.0 && share < 1.0).map(|share| Self(Some(share)))
    }
}

impl fmt::Display for EarlyStopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(share) => write!(f, "{share}"),
            None => f.write_str("off"),
        }
    }
}

impl Serialize for EarlyStopping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serial::serialize(self, Kind::Any, serializer)
    }
}

impl<'de> Deserialize<'de> for EarlyStopping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::deserialize(deserializer, Kind::Any, str::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["off", "0.2"] {
            assert_eq!(text.parse::<EarlyStopping>().unwrap().to_string(), text);
        }
    }
}
