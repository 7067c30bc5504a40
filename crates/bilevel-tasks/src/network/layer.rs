//! Layers of networks as data.

use bilevel_autodiff::Var;
use bilevel_autodiff::graph::Window;

use super::parameter::{Parameter, Role};

/// A layer.
pub(super) enum Layer {
    /// Without a bias if a normalisation follows.
    Conv {
        name: String,
        outputs: usize,
        size: usize,
        window: Window,
        bias: bool,
    },
    BatchNorm {
        name: String,
    },
    Relu,
    MaxPool {
        size: usize,
        window: Window,
    },
    /// The mean over all places.
    Mean,
    Linear {
        name: String,
        outputs: usize,
    },
    /// The sum of two paths; an empty one is the input itself.
    Residual {
        main: Vec<Layer>,
        shortcut: Vec<Layer>,
    },
}

/// Added to variances, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// The shape of one row of a layer's result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    Pictures([usize; 3]),
    Features(usize),
}

impl Shape {
    pub(super) fn features(self) -> usize {
        match self {
            Self::Pictures(shape) => shape.iter().product(),
            Self::Features(features) => features,
        }
    }
}

/// n × features.
pub(super) fn flat(var: Var<'_>) -> Var<'_> {
    match var.shape()[..] {
        [n, ref rest @ ..] if rest.len() > 1 => var.reshape(&[n, rest.iter().product()]),
        _ => var,
    }
}

fn moved(window: &Window, size: usize, length: usize) -> Option<usize> {
    let free = (length + 2 * window.padding[0]).checked_sub(size)?;
    Some(free / window.stride[0] + 1)
}

impl Layer {
    /// Appends its parameters, and returns the shape of its result; None if the pictures are too small.
    pub(super) fn parameters(&self, shape: Shape, to: &mut Vec<Parameter>) -> Option<Shape> {
        let mut add = |name: String, shape: Vec<usize>, role| {
            to.push(Parameter { name, shape, role });
        };
        match self {
            Self::Conv {
                name,
                outputs,
                size,
                window,
                bias,
            } => {
                let Shape::Pictures([rows, columns, channels]) = shape else {
                    return None;
                };
                let kernel = vec![*size, *size, channels, *outputs];
                add(format!("{name}.weight"), kernel, Role::Kernel);
                if *bias {
                    add(format!("{name}.bias"), vec![*outputs], Role::Shift);
                }
                let of = |length| moved(window, *size, length);
                Some(Shape::Pictures([of(rows)?, of(columns)?, *outputs]))
            }
            Self::BatchNorm { name } => {
                let Shape::Pictures([.., channels]) = shape else {
                    return None;
                };
                add(format!("{name}.weight"), vec![channels], Role::Scale);
                add(format!("{name}.bias"), vec![channels], Role::Shift);
                Some(shape)
            }
            Self::Relu => Some(shape),
            Self::MaxPool { size, window } => {
                let Shape::Pictures([rows, columns, channels]) = shape else {
                    return None;
                };
                let of = |length| moved(window, *size, length).filter(|_| length > 0);
                Some(Shape::Pictures([of(rows)?, of(columns)?, channels]))
            }
            Self::Mean => match shape {
                Shape::Pictures([.., channels]) => Some(Shape::Features(channels)),
                Shape::Features(_) => None,
            },
            Self::Linear { name, outputs } => {
                let of = match shape {
                    Shape::Pictures(picture) => Some(picture),
                    Shape::Features(_) => None,
                };
                let matrix = vec![shape.features(), *outputs];
                add(format!("{name}.weight"), matrix, Role::Matrix { of });
                add(format!("{name}.bias"), vec![*outputs], Role::Shift);
                Some(Shape::Features(*outputs))
            }
            Self::Residual { main, shortcut } => {
                let mut path = |layers: &[Self]| {
                    let mut layers = layers.iter();
                    layers.try_fold(shape, |shape, layer| layer.parameters(shape, to))
                };
                let (main, shortcut) = (path(main)?, path(shortcut)?);
                (main == shortcut).then_some(main)
            }
        }
    }

    /// Its result; `parameter` gives the parameter of a name.
    pub(super) fn apply<'t>(&self, a: Var<'t>, parameter: &dyn Fn(&str) -> Var<'t>) -> Var<'t> {
        let get = |name: &str, what: &str| parameter(&format!("{name}.{what}"));
        match self {
            Self::Conv {
                name, window, bias, ..
            } => {
                let result = a.conv(get(name, "weight"), *window);
                match bias {
                    true => result + get(name, "bias"),
                    false => result,
                }
            }
            Self::BatchNorm { name } => {
                a.batch_norm(get(name, "weight"), get(name, "bias"), EPSILON)
            }
            Self::Relu => a.relu(),
            Self::MaxPool { size, window } => a.max_pool([*size; 2], *window),
            Self::Mean => match a.shape()[..] {
                [n, _, _, channels] => a.mean_over(&[1, 2]).reshape(&[n, channels]),
                _ => a,
            },
            Self::Linear { name, .. } => flat(a).matmul(get(name, "weight")) + get(name, "bias"),
            Self::Residual { main, shortcut } => {
                let path = |layers: &[Self]| {
                    let mut layers = layers.iter();
                    layers.try_fold(a, |a, layer| Some(layer.apply(a, parameter)))
                };
                match (path(main), path(shortcut)) {
                    (Some(main), Some(shortcut)) => main + shortcut,
                    _ => a,
                }
            }
        }
    }
}

fn conv(name: impl Into<String>, outputs: usize, size: usize, stride: usize) -> Layer {
    Layer::Conv {
        name: name.into(),
        outputs,
        size,
        window: Window::new(stride, size / 2),
        bias: false,
    }
}

fn batch_norm(name: impl Into<String>) -> Layer {
    Layer::BatchNorm { name: name.into() }
}

pub(super) fn conv4(filters: usize, pooled: bool) -> Vec<Layer> {
    let mut layers = Vec::new();
    for i in 0..4 {
        layers.push(conv(
            format!("conv{i}"),
            filters,
            3,
            if pooled { 1 } else { 2 },
        ));
        layers.push(batch_norm(format!("norm{i}")));
        layers.push(Layer::Relu);
        if pooled {
            layers.push(Layer::MaxPool {
                size: 2,
                window: Window::new(2, 0),
            });
        }
    }
    layers
}

pub(super) fn lenet() -> Vec<Layer> {
    let conv = |name: &str, outputs, padding| Layer::Conv {
        name: name.to_owned(),
        outputs,
        size: 5,
        window: Window::new(1, padding),
        bias: true,
    };
    let pool = || Layer::MaxPool {
        size: 2,
        window: Window::new(2, 0),
    };
    let linear = |name: &str, outputs| Layer::Linear {
        name: name.to_owned(),
        outputs,
    };
    vec![
        conv("conv1", 6, 2),
        Layer::Relu,
        pool(),
        conv("conv2", 16, 0),
        Layer::Relu,
        pool(),
        linear("fc1", 120),
        Layer::Relu,
        linear("fc2", 84),
        Layer::Relu,
    ]
}

pub(super) fn resnet18() -> Vec<Layer> {
    let mut layers = vec![
        conv("conv1", 64, 7, 2),
        batch_norm("bn1"),
        Layer::Relu,
        Layer::MaxPool {
            size: 3,
            window: Window::new(2, 1),
        },
    ];
    let mut inputs = 64;
    for (number, outputs) in [64, 128, 256, 512].into_iter().enumerate() {
        for block in 0..2 {
            let name = format!("layer{}.{block}", number + 1);
            let stride = if number > 0 && block == 0 { 2 } else { 1 };
            let shortcut = match inputs == outputs {
                true => Vec::new(),
                false => vec![
                    conv(format!("{name}.downsample.0"), outputs, 1, stride),
                    batch_norm(format!("{name}.downsample.1")),
                ],
            };
            let main = vec![
                conv(format!("{name}.conv1"), outputs, 3, stride),
                batch_norm(format!("{name}.bn1")),
                Layer::Relu,
                conv(format!("{name}.conv2"), outputs, 3, 1),
                batch_norm(format!("{name}.bn2")),
            ];
            layers.push(Layer::Residual { main, shortcut });
            layers.push(Layer::Relu);
            inputs = outputs;
        }
    }
    layers.push(Layer::Mean);
    layers
}
