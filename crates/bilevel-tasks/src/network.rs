//! Networks on pictures: layers as data, from which follow the parameters, the traced function and the names of the
//! weights.
//!
//! Pictures are (rows, columns, channels).

mod layer;
mod parameter;
mod problem;
mod weights;

use std::fmt;
use std::str::FromStr;

use bilevel::text::serial;
use bilevel::{Key, Layout, Scalar, Stream};
use bilevel_autodiff::Var;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;
pub use layer::Normalisation;
use layer::{Layer, Shape, Walk};
pub use parameter::{Parameter, Role};
pub use problem::WeightsProblem;
pub use weights::Weights;

/// The part of a network that does not depend on the classes: pictures to features.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Network {
    /// Four times convolution 3 × 3, batch normalisation, relu.
    Conv4 {
        /// Channels of each convolution.
        filters: usize,
        /// Whether pictures are halved by a maximum over 2 × 2; otherwise each convolution has stride 2.
        pooled: bool,
    },
    /// `LeNet`-5 with relu and max pooling: two convolutions 5 × 5 and two hidden layers.
    LeNet,
    /// `ResNet`-18 as in torchvision: names, shapes and layers.
    ResNet18,
}

/// What the features of one picture take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkSize {
    /// Multiplications of numbers with parameters of convolutions and linear layers.
    pub multiplications: usize,
    /// Numbers between the layers.
    pub activations: usize,
}

/// The most filters that are plausible.
const MOST_FILTERS: usize = 4096;

impl Network {
    fn layers(self) -> Vec<Layer> {
        match self {
            Self::Conv4 { filters, pooled } => layer::conv4(filters, pooled),
            Self::LeNet => layer::lenet(),
            Self::ResNet18 => layer::resnet18(),
        }
    }

    /// What its layers are on such pictures, and the shape of its result.
    fn walk(self, picture: [usize; 3]) -> Result<(Walk, Shape), Error> {
        let mut walk = Walk::default();
        let mut layers = self.layers().into_iter();
        let last = layers.try_fold(Shape::Pictures(picture), |shape, layer| {
            layer.walk(shape, &mut walk)
        });
        match last {
            Some(last) => Ok((walk, last)),
            None => {
                let [rows, columns, channels] = picture;
                Err(Error::Picture {
                    network: self.to_string(),
                    found: format!("{rows} × {columns} with {channels} channels"),
                })
            }
        }
    }

    /// The parameters of the features, in order, and the number of features.
    ///
    /// # Errors
    /// If the pictures, (rows, columns, channels), are too small.
    pub fn parameters(self, picture: [usize; 3]) -> Result<(Vec<Parameter>, usize), Error> {
        let (walk, last) = self.walk(picture)?;
        Ok((walk.parameters, last.features()))
    }

    /// The parameters of a linear layer from the features to the classes.
    ///
    /// # Errors
    /// As [`Network::parameters`].
    pub fn head(self, picture: [usize; 3], classes: usize) -> Result<Vec<Parameter>, Error> {
        let (_, last) = self.walk(picture)?;
        let linear = Layer::Linear {
            name: self.head_name().to_owned(),
            outputs: classes,
        };
        let mut head = Walk::default();
        linear.walk(last, &mut head);
        Ok(head.parameters)
    }

    /// What the features of one picture take; nothing where pictures are too small.
    #[must_use]
    pub fn size(self, picture: [usize; 3]) -> NetworkSize {
        let walk = self.walk(picture).map(|(walk, _)| walk);
        let walk = walk.unwrap_or_default();
        NetworkSize {
            multiplications: walk.multiplications,
            activations: walk.activations,
        }
    }

    /// The name of the linear layer, as in PyTorch.
    fn head_name(self) -> &'static str {
        match self {
            Self::Conv4 { .. } => "head",
            Self::LeNet => "fc3",
            Self::ResNet18 => "fc",
        }
    }

    /// Features of pictures (n, rows, columns, channels), n × features; `parameter` gives the parameter of a name.
    pub fn features<'t>(
        self,
        pictures: Var<'t>,
        normalisation: Normalisation,
        parameter: &dyn Fn(&str) -> Var<'t>,
    ) -> Var<'t> {
        let layers = self.layers();
        let last = layers.iter().fold(pictures, |pictures, layer| {
            layer.apply(pictures, normalisation, parameter)
        });
        layer::flat(last)
    }

    /// Logits of features, n × classes.
    pub fn logits<'t>(self, features: Var<'t>, parameter: &dyn Fn(&str) -> Var<'t>) -> Var<'t> {
        let name = self.head_name();
        features.matmul(parameter(&format!("{name}.weight"))) + parameter(&format!("{name}.bias"))
    }
}

/// The layout of parameters.
#[must_use]
pub fn layout(parameters: &[Parameter]) -> Layout {
    Layout::new(parameters.iter().map(|p| (p.name.clone(), p.shape.clone())))
}

/// The start of training: kernels and matrices drawn with variance 2 / inputs (arXiv 1502.01852), scales 1, all else 0.
#[must_use]
pub fn start<T: Scalar>(parameters: &[Parameter], key: Key) -> Vec<T> {
    let mut all = Vec::new();
    for (number, parameter) in parameters.iter().enumerate() {
        let count = parameter.len();
        match parameter.role {
            Role::Scale => all.resize(all.len() + count, T::one()),
            Role::Shift => all.resize(all.len() + count, T::zero()),
            Role::Kernel | Role::Matrix { .. } => {
                let deviation = (2.0 / parameter.inputs() as f64).sqrt();
                let key = key.stream(Stream::Start).fold_in(number as u64);
                let drawn = key.normals().take(count);
                all.extend(drawn.map(|normal| T::from_f64(deviation * normal)));
            }
        }
    }
    all
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conv4 {
                filters: 64,
                pooled: false,
            } => f.write_str("conv4"),
            Self::Conv4 {
                filters: 32,
                pooled: true,
            } => f.write_str("conv4-pool"),
            Self::Conv4 { filters, pooled } => {
                let pooled = if *pooled { "-pool" } else { "" };
                write!(f, "conv4{pooled}:{filters}")
            }
            Self::LeNet => f.write_str("lenet"),
            Self::ResNet18 => f.write_str("resnet18"),
        }
    }
}

impl FromStr for Network {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        let unknown = || bilevel::Error::Unknown {
            what: "network",
            text: text.to_owned(),
            expected: "conv4, conv4:F, conv4-pool or conv4-pool:F with F from 1 to 4096 filters, lenet or resnet18",
            known: &["conv4", "conv4-pool", "lenet", "resnet18"],
        };
        let (name, filters) = match text.split_once(':') {
            Some((name, filters)) => (name, Some(filters)),
            None => (text, None),
        };
        let conv4 = |default, pooled| {
            let filters = filters.map_or(Some(default), |filters| filters.parse().ok());
            filters
                .filter(|filters| (1..=MOST_FILTERS).contains(filters))
                .map(|filters| Self::Conv4 { filters, pooled })
                .ok_or_else(unknown)
        };
        match (name, filters) {
            ("conv4", _) => conv4(64, false),
            ("conv4-pool", _) => conv4(32, true),
            ("lenet", None) => Ok(Self::LeNet),
            ("resnet18", None) => Ok(Self::ResNet18),
            _ => Err(unknown()),
        }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serial::text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in [
            "conv4",
            "conv4:32",
            "conv4-pool",
            "conv4-pool:64",
            "lenet",
            "resnet18",
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), text);
        }
        for text in ["conv4:0", "conv4:x", "conv5", "lenet:3", "", "conv4:99999"] {
            text.parse::<Network>().unwrap_err();
        }
    }

    #[test]
    fn numbers_of_parameters_are_those_of_pytorch() {
        let count = |network: Network, picture, classes| {
            let (features, width) = network.parameters(picture).unwrap();
            let head = network.head(picture, classes).unwrap();
            let all = features
                .iter()
                .chain(&head)
                .map(Parameter::len)
                .sum::<usize>();
            (width, all)
        };
        // 4 kernels, 4 × 2 × 64 of normalisation, 256 × 5 + 5.
        let conv4 = 64 * 9 + 3 * 64 * 64 * 9 + 8 * 64 + 5 * 257;
        assert_eq!(
            count("conv4".parse().unwrap(), [28, 28, 1], 5),
            (256, conv4)
        );
        assert_eq!(count(Network::LeNet, [28, 28, 1], 10), (84, 61_706));
        assert_eq!(
            count(Network::ResNet18, [84, 84, 3], 1000),
            (512, 11_689_512)
        );
        assert_eq!(count("conv4-pool".parse().unwrap(), [84, 84, 3], 5).0, 800);
    }
}
