//! A model by its name, before the rows are known.

use std::fmt;
use std::str::FromStr;

use bilevel::text::serial;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Model, OnPictures};
use crate::Error;
use crate::data::ImageShape;
use crate::network::Network;

/// The widest hidden layer that is plausible; a wider one is rejected.
const MOST_HIDDEN: usize = 1_000_000;

/// A model by its name: `softmax`, `mlp:H`, or a network on pictures.
///
/// ```
/// use bilevel_tasks::data::ImageShape;
/// use bilevel_tasks::model::ModelChoice;
/// let choice: ModelChoice = "conv4".parse()?;
/// let model = choice.on(Some(ImageShape::grey(28, 28)))?;
/// // 4 kernels with normalisation, and 256 features × 10 classes.
/// assert_eq!(model.y_len(784, 10), 576 + 3 * 36_864 + 8 * 64 + 2_570);
/// assert!(choice.on(None).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ModelChoice {
    /// [`Model::Softmax`].
    #[default]
    Softmax,
    /// [`Model::Mlp`].
    Mlp {
        /// Width of the hidden layer, from 1 to a million.
        hidden: usize,
    },
    /// [`Model::Network`].
    Network(Network),
}

impl ModelChoice {
    /// The model for rows that are pictures of this shape, or no pictures.
    ///
    /// # Errors
    /// A network for rows that are no pictures, or for pictures that are too small for it.
    pub fn on(self, pictures: Option<ImageShape>) -> Result<Model, Error> {
        match (self, pictures) {
            (Self::Softmax, _) => Ok(Model::Softmax),
            (Self::Mlp { hidden }, _) => Ok(Model::Mlp { hidden }),
            (Self::Network(network), Some(shape)) => {
                OnPictures::new(network, shape).map(Model::Network)
            }
            (Self::Network(network), None) => Err(Error::NoPictures {
                network: network.to_string(),
            }),
        }
    }
}

impl From<Model> for ModelChoice {
    fn from(model: Model) -> Self {
        match model {
            Model::Softmax => Self::Softmax,
            Model::Mlp { hidden } => Self::Mlp { hidden },
            Model::Network(network) => Self::Network(network.network()),
        }
    }
}

impl fmt::Display for ModelChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Softmax => formatter.write_str("softmax"),
            Self::Mlp { hidden } => write!(formatter, "mlp:{hidden}"),
            Self::Network(network) => network.fmt(formatter),
        }
    }
}

impl Serialize for ModelChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModelChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::text(deserializer)
    }
}

impl FromStr for ModelChoice {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        let unknown = || bilevel::Error::Unknown {
            what: "model",
            text: text.to_owned(),
            expected: "softmax, mlp:H with H from 1 to 1000000 hidden units, or a network on pictures: conv4, conv4:F, conv4-pool, conv4-pool:F with F from 1 to 4096 filters, lenet or resnet18",
            known: &["softmax", "mlp", "conv4", "conv4-pool", "lenet", "resnet18"],
        };
        match text.split_once(':') {
            None if text == "softmax" => Ok(Self::Softmax),
            Some(("mlp", hidden)) => hidden
                .parse()
                .ok()
                .filter(|hidden| (1..=MOST_HIDDEN).contains(hidden))
                .map(|hidden| Self::Mlp { hidden })
                .ok_or_else(unknown),
            _ => text.parse().map(Self::Network).map_err(|_| unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in ["softmax", "mlp:300", "conv4", "conv4-pool:8", "resnet18"] {
            let choice: ModelChoice = text.parse().unwrap();
            assert_eq!(choice.to_string(), text);
            let model = choice.on(Some(ImageShape::grey(28, 28))).unwrap();
            assert_eq!(ModelChoice::from(model), choice);
        }
        for text in ["mlp", "mlp:0", "mlp:x", "conv5", "softmax:3", "conv4:0"] {
            text.parse::<ModelChoice>().unwrap_err();
        }
    }
}
