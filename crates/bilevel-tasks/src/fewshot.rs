//! Few-shot learning: classify pictures of classes that training has not seen, from a few pictures of each.
//!
//! A task has a support set, which trains y, and a query set, which judges it. In MAML y are all parameters and training
//! starts at x; in hyper-representation y is the linear head, and x are the features, which support and query share.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bilevel::{FixedStart, Layout, Problem, Start, StartFromX};
use bilevel_autodiff::{Bound, Data, Function, Inputs, Real, Var};

use crate::Error;
use crate::network::{Network, Parameter, layout};

/// What the inner problem trains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trained {
    /// All parameters, from the start x: MAML (arXiv 1703.03400).
    All,
    /// The linear head alone, on features with parameters x: hyper-representation (arXiv 1806.04910).
    Head,
}

impl fmt::Display for Trained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Head => "head",
        })
    }
}

impl FromStr for Trained {
    type Err = bilevel::Error;

    fn from_str(text: &str) -> bilevel::Result<Self> {
        match text {
            "all" => Ok(Self::All),
            "head" => Ok(Self::Head),
            _ => Err(bilevel::Error::Unknown {
                what: "part",
                text: text.to_owned(),
                expected: "all or head",
                known: &["all", "head"],
            }),
        }
    }
}

/// Pictures (rows, columns, channels) with class numbers.
#[derive(Clone, Debug)]
pub struct Pictures<T> {
    /// The elements of all pictures, row-major.
    pub elements: Arc<[T]>,
    /// The class of each picture.
    pub labels: Arc<[u32]>,
}

/// The objectives of few-shot tasks of the same shapes: written once, bound to each task.
pub struct Tasks<T> {
    picture: [usize; 3],
    trained: Trained,
    x: Layout,
    y: Layout,
    features: Vec<Parameter>,
    head: Vec<Parameter>,
    loss: Function<T>,
}

/// Both objectives of a task, bound to its pictures.
pub struct Task<T> {
    /// The mean cross-entropy of the support set.
    pub inner: Arc<Bound<T>>,
    /// The mean cross-entropy of the query set.
    pub outer: Arc<Bound<T>>,
}

impl<T: Real> Tasks<T> {
    /// Tasks of this number of classes, on pictures of (rows, columns, channels).
    ///
    /// # Errors
    /// If the pictures are too small for the network.
    pub fn new(
        network: Network,
        picture: [usize; 3],
        classes: usize,
        trained: Trained,
    ) -> Result<Self, Error> {
        let (features, _) = network.parameters(picture)?;
        let head = network.head(picture, classes)?;
        let (x, y) = match trained {
            Trained::All => {
                let all = [&features[..], &head[..]].concat();
                (layout(&all), layout(&all))
            }
            Trained::Head => (layout(&features), layout(&head)),
        };
        let loss = Function::new(move |v: &Inputs<'_>| loss(network, trained, v));
        Ok(Self {
            picture,
            trained,
            x,
            y,
            features,
            head,
            loss,
        })
    }

    /// The parameters of the features.
    #[must_use]
    pub fn features(&self) -> &[Parameter] {
        &self.features
    }

    /// The parameters of the head.
    #[must_use]
    pub fn head(&self) -> &[Parameter] {
        &self.head
    }

    /// The parameters in x.
    #[must_use]
    pub fn outer_parameters(&self) -> Vec<Parameter> {
        match self.trained {
            Trained::All => [&self.features[..], &self.head[..]].concat(),
            Trained::Head => self.features.clone(),
        }
    }

    /// The objectives on these pictures.
    ///
    /// # Errors
    /// If the numbers of elements or labels do not fit.
    pub fn bind(&self, support: &Pictures<T>, query: &Pictures<T>) -> Result<Task<T>, Error> {
        let bound = |pictures: &Pictures<T>| {
            let data = Data::new(pictures.labels.len())
                .rows("pictures", Arc::clone(&pictures.elements), &self.picture)
                .labels("labels", Arc::clone(&pictures.labels));
            let bound = self.loss.bind(&self.x, &self.y, data);
            bound
                .map(Arc::new)
                .map_err(|error| Error::Method(error.into()))
        };
        Ok(Task {
            inner: bound(support)?,
            outer: bound(query)?,
        })
    }

    /// The problem of a task. `head` is where training of the head starts, if it does not start at x.
    ///
    /// # Errors
    /// If the head has another length.
    pub fn problem(&self, task: &Task<T>, head: &[T]) -> Result<Problem<T>, bilevel::Error> {
        let start: Arc<dyn Start<T>> = match self.trained {
            Trained::All => Arc::new(StartFromX::new(0..self.x.len())),
            Trained::Head => Arc::new(FixedStart(head.to_vec())),
        };
        Problem::from_shared(task.inner.clone(), task.outer.clone(), start)
    }
}

/// The mean cross-entropy of pictures.
fn loss<'t>(network: Network, trained: Trained, v: &Inputs<'t>) -> Var<'t> {
    let of_features = |name: &str| match trained {
        Trained::All => v.y(name),
        Trained::Head => v.x(name),
    };
    let features = network.features(v.data("pictures"), &of_features);
    let logits = network.logits(features, &|name| v.y(name));
    logits.cross_entropy(v.labels("labels")).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bilevel::{At, Checkpointed, GradientDescent, Hyper, HyperGradient, Key, Memory, Unrolled};

    fn pictures(count: usize, classes: usize, seed: usize) -> Pictures<f64> {
        let of = |i: usize| ((i * 7919 + seed * 104_729) as f64 * 0.618).sin();
        Pictures {
            elements: (0..count * 16 * 16 * 2).map(of).collect(),
            labels: (0..count).map(|i| (i % classes) as u32).collect(),
        }
    }

    fn method(slots: Option<usize>) -> Unrolled<f64> {
        let mut method = Unrolled {
            dynamics: Box::new(GradientDescent {
                // Larger steps kill all relus of LeNet, and leave it exactly where they bend.
                step_size: Hyper::Fixed(0.01),
                ..GradientDescent::default()
            }),
            steps: 3,
            ..Unrolled::default()
        };
        if let Some(slots) = slots {
            method.adjoint = Box::new(Checkpointed { slots });
        }
        method
    }

    /// The value of f and the hypergradient at x.
    fn estimate(tasks: &Tasks<f64>, x: &[f64], slots: Option<usize>) -> (f64, Vec<f64>) {
        let task = tasks.bind(&pictures(6, 3, 1), &pictures(9, 3, 2)).unwrap();
        let head: Vec<f64> = crate::network::start(tasks.head(), Key::from_seed(5));
        let problem = tasks.problem(&task, &head).unwrap();
        let mut out = vec![0.0; x.len()];
        let at = At::new(&problem, x, Key::from_seed(0));
        let report = method(slots).estimate(&at, &mut Memory::default(), &mut out);
        (report.unwrap().value, out)
    }

    #[test]
    fn hypergradients_are_those_of_differences() {
        for network in ["conv4:3", "conv4-pool:2", "lenet"] {
            for trained in [Trained::All, Trained::Head] {
                let network = network.parse().unwrap();
                let tasks = Tasks::new(network, [16, 16, 2], 3, trained).unwrap();
                let parameters = tasks.outer_parameters();
                let x: Vec<f64> = crate::network::start(&parameters, Key::from_seed(4));
                let (_, gradient) = estimate(&tasks, &x, None);
                let (_, again) = estimate(&tasks, &x, Some(2));
                assert_eq!(gradient, again, "checkpoints change no bit");
                let direction: Vec<f64> = (0..x.len()).map(|i| (i as f64).cos()).collect();
                let moved = |by: f64| {
                    let x: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + by * d).collect();
                    estimate(&tasks, &x, None).0
                };
                let step = 1e-6;
                let difference = (moved(step) - moved(-step)) / (2.0 * step);
                let along: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
                assert!(
                    (along - difference).abs() < 1e-6 * (1.0 + difference.abs()),
                    "{network} {trained}: {along} and {difference}"
                );
            }
        }
    }
}
