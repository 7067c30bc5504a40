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
    Norm {
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

/// Over what channels are normalised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Normalisation {
    /// Each channel over all pictures of a batch (arXiv 1502.03167), with the statistics of this batch: a picture has an
    /// influence on what is said of the others.
    Batch,
    /// Groups of channels over one picture (arXiv 1803.08494): at most eight groups, of equally many channels, eight or
    /// more: the last pictures of a network may have one pixel, and few numbers have no scale of their own.
    Group,
}

impl Normalisation {
    /// Groups of so many channels.
    fn groups(channels: usize) -> usize {
        const LEAST: usize = 8;
        let fits = |groups: &usize| channels.is_multiple_of(*groups) && channels >= LEAST * groups;
        [8, 4, 2].into_iter().find(fits).unwrap_or(1)
    }
}

/// What a walk through layers finds.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) parameters: Vec<Parameter>,
    /// Of one picture.
    pub(super) multiplications: usize,
    /// Numbers between the layers, for one picture.
    pub(super) activations: usize,
}

impl Walk {
    fn add(&mut self, name: String, shape: Vec<usize>, role: Role) {
        self.parameters.push(Parameter { name, shape, role });
    }

    /// A product of the parameter that was added last, at so many places.
    fn multiply(&mut self, places: usize) {
        let last = self.parameters.last().map_or(0, Parameter::len);
        self.multiplications += last * places;
    }
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
    /// Tells the walk what it has, and returns the shape of its result; None if the pictures are too small.
    pub(super) fn walk(&self, shape: Shape, walk: &mut Walk) -> Option<Shape> {
        let result = match self {
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
                let of = |length| moved(window, *size, length);
                let (rows, columns) = (of(rows)?, of(columns)?);
                let kernel = vec![*size, *size, channels, *outputs];
                walk.add(format!("{name}.weight"), kernel, Role::Kernel);
                walk.multiply(rows * columns);
                if *bias {
                    walk.add(format!("{name}.bias"), vec![*outputs], Role::Shift);
                }
                Shape::Pictures([rows, columns, *outputs])
            }
            Self::Norm { name } => {
                let Shape::Pictures([.., channels]) = shape else {
                    return None;
                };
                walk.add(format!("{name}.weight"), vec![channels], Role::Scale);
                walk.add(format!("{name}.bias"), vec![channels], Role::Shift);
                shape
            }
            Self::Relu => shape,
            Self::MaxPool { size, window } => {
                let Shape::Pictures([rows, columns, channels]) = shape else {
                    return None;
                };
                let of = |length| moved(window, *size, length).filter(|_| length > 0);
                Shape::Pictures([of(rows)?, of(columns)?, channels])
            }
            Self::Mean => match shape {
                Shape::Pictures([.., channels]) => Shape::Features(channels),
                Shape::Features(_) => return None,
            },
            Self::Linear { name, outputs } => {
                let of = match shape {
                    Shape::Pictures(picture) => Some(picture),
                    Shape::Features(_) => None,
                };
                let matrix = vec![shape.features(), *outputs];
                walk.add(format!("{name}.weight"), matrix, Role::Matrix { of });
                walk.multiply(1);
                walk.add(format!("{name}.bias"), vec![*outputs], Role::Shift);
                Shape::Features(*outputs)
            }
            Self::Residual { main, shortcut } => {
                let mut path = |layers: &[Self]| {
                    let mut layers = layers.iter();
                    layers.try_fold(shape, |shape, layer| layer.walk(shape, walk))
                };
                let (main, shortcut) = (path(main)?, path(shortcut)?);
                (main == shortcut).then_some(main)?
            }
        };
        walk.activations += result.features();
        Some(result)
    }

    /// Its result; `parameter` gives the parameter of a name.
    pub(super) fn apply<'t>(
        &self,
        a: Var<'t>,
        normalisation: Normalisation,
        parameter: &dyn Fn(&str) -> Var<'t>,
    ) -> Var<'t> {
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
            Self::Norm { name } => {
                let (scale, shift) = (get(name, "weight"), get(name, "bias"));
                match normalisation {
                    Normalisation::Batch => a.batch_norm(scale, shift, EPSILON),
                    Normalisation::Group => {
                        let channels = a.shape().last().copied().unwrap_or(1);
                        a.group_norm(Normalisation::groups(channels), scale, shift, EPSILON)
                    }
                }
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
                    layers.try_fold(a, |a, layer| Some(layer.apply(a, normalisation, parameter)))
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

fn norm(name: impl Into<String>) -> Layer {
    Layer::Norm { name: name.into() }
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
        layers.push(norm(format!("norm{i}")));
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
        norm("bn1"),
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
                    norm(format!("{name}.downsample.1")),
                ],
            };
            let main = vec![
                conv(format!("{name}.conv1"), outputs, 3, stride),
                norm(format!("{name}.bn1")),
                Layer::Relu,
                conv(format!("{name}.conv2"), outputs, 3, 1),
                norm(format!("{name}.bn2")),
            ];
            layers.push(Layer::Residual { main, shortcut });
            layers.push(Layer::Relu);
            inputs = outputs;
        }
    }
    layers.push(Layer::Mean);
    layers
}
