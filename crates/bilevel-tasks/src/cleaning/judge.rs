//! Who judges the labels: a method of learned weights, a detector, or the best of the detectors.

use std::fmt;
use std::str::FromStr;

use bilevel::catalogue::{MethodChoice, Settings};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::detector::names;

/// Who judges the labels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Judge {
    /// The detector that does best on trusted rows whose labels are replaced; learned weights stand beside it.
    #[default]
    Auto,
    /// The detector of this name.
    Detector(&'static str),
    /// Learned weights.
    Weights,
}

const AUTO: &str = "auto";

impl Judge {
    /// The one with this name, unless learned weights are meant.
    fn named(text: &str) -> Option<Self> {
        if text == AUTO {
            return Some(Self::Auto);
        }
        let mut detectors = names();
        detectors.find(|name| *name == text).map(Self::Detector)
    }

    /// The names of all that are no methods of learned weights.
    pub fn names() -> impl Iterator<Item = &'static str> {
        std::iter::once(AUTO).chain(names())
    }

    /// The name, if learned weights are not meant.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Auto => Some(AUTO),
            Self::Detector(name) => Some(name),
            Self::Weights => None,
        }
    }

    /// Whether weights are learned.
    #[must_use]
    pub fn learns_weights(self) -> bool {
        !matches!(self, Self::Detector(_))
    }
}

/// Who judges the labels, and the settings of learned weights.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MethodSpecification {
    /// Who judges.
    pub judge: Judge,
    /// How weights are learned, also where they stand beside the detectors.
    pub weights: Settings,
}

/// The value of `method`: a name.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct JudgeChoice(
    /// Who judges.
    pub Judge,
    /// The method of learned weights, if it is one.
    pub Option<MethodChoice>,
);

impl FromStr for JudgeChoice {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        if let Some(judge) = Judge::named(text) {
            return Ok(Self(judge, None));
        }
        text.parse()
            .map(|method| Self(Judge::Weights, Some(method)))
            .map_err(|mut error| {
                if let bilevel::Error::Expected { known, .. } = &mut error {
                    known.extend(Judge::names());
                }
                error
            })
    }
}

impl fmt::Display for JudgeChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.name(), &self.1) {
            (Some(name), _) => formatter.write_str(name),
            (None, Some(method)) => method.fmt(formatter),
            (None, None) => Ok(()),
        }
    }
}

impl Serialize for MethodSpecification {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(name) = self.judge.name() else {
            return self.weights.serialize(serializer);
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("method", name)?;
        if self.judge.learns_weights() {
            let weights = Settings {
                method: None,
                ..self.weights.clone()
            };
            weights.serialize_entries(&mut map)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for MethodSpecification {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut judge = None;
        let weights = Settings::deserialize_with(deserializer, |text| {
            judge = Judge::named(text);
            judge.is_some()
        })?;
        let weighted = weights.method.map(|_| Judge::Weights);
        Ok(Self {
            judge: judge.or(weighted).unwrap_or_default(),
            weights,
        })
    }
}
