//! The objectives of few-shot tasks.

use std::sync::Arc;

use bilevel::{FixedStart, Key, Layout, Problem, Start, StartFromX};
use bilevel_autodiff::{Bound, Data, Function, Inputs, Real, Var};

use super::trained::Trained;
use crate::Error;
use crate::network::{Network, Normalisation, Parameter, layout, start};

/// Pictures (rows, columns, channels) with class numbers.
#[derive(Clone, Debug)]
pub struct Pictures<T> {
    /// The elements of all pictures, row-major.
    pub elements: Arc<[T]>,
    /// The class of each picture.
    pub labels: Arc<[u32]>,
}

/// How the objectives of few-shot tasks are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskForm {
    /// What a task trains.
    pub trained: Trained,
    /// Whether x has a factor of the inner step size for each parameter that a task trains.
    pub learned_steps: bool,
    /// Whether the features of each set of pictures are scaled to a mean squared norm of 1 before the head, as batch
    /// normalisation scales channels. The curvature of the inner problem is then at most 1/2 (1 with the bias) whatever x
    /// is, so that a step size that fits at the start fits all along.
    pub unit_features: bool,
}

impl TaskForm {
    /// Plain training of this.
    #[must_use]
    pub fn plain(trained: Trained) -> Self {
        Self {
            trained,
            learned_steps: false,
            unit_features: false,
        }
    }
}

/// The objectives of few-shot tasks of the same shapes: written once, bound to each task.
///
/// With learned inner step sizes (per parameter, as Meta-SGD, arXiv 1707.09835, has them per number), y are the changes
/// of the parameters in units of their own: W = x_W + eᵃ·y with y_0 = 0, where a is part of x for each W. A step of gradient
/// descent with step size s on y is one with e²ᵃ·s on W.
pub struct Tasks<T> {
    picture: [usize; 3],
    form: TaskForm,
    x: Layout,
    y: Layout,
    features: Vec<Parameter>,
    head: Vec<Parameter>,
    /// Where training of the head starts, if not at x.
    head_start: Vec<T>,
    loss: Function<T>,
    logits: Function<T>,
    of_features: Function<T>,
}

/// Both objectives of a task, bound to its pictures.
pub struct Task<T> {
    /// The mean cross-entropy of the support set.
    pub inner: Arc<Bound<T>>,
    /// The mean cross-entropy of the query set.
    pub outer: Arc<Bound<T>>,
}

/// The name of the logarithm of the factor of a parameter's step size, before the parameter's name.
pub const LEARNED_STEP: &str = "step of ";

/// Where all features are zero, they stay so.
const TINY: f64 = 1e-12;

/// Learned logarithms of step sizes count so many times: they move as far as parameters do, and have further to go.
const STEP_SCALE: f64 = 5.0;

impl<T: Real> Tasks<T> {
    /// Tasks of this number of classes, on pictures of (rows, columns, channels); the head starts at zero, unless it
    /// starts at x.
    ///
    /// # Errors
    /// If the pictures are too small for the network.
    pub fn new(
        network: Network,
        picture: [usize; 3],
        classes: usize,
        form: TaskForm,
    ) -> Result<Self, Error> {
        let (features, _) = network.parameters(picture)?;
        let head = network.head(picture, classes)?;
        let (outer, inner) = match form.trained {
            Trained::All => {
                let all = [&features[..], &head[..]].concat();
                (all.clone(), all)
            }
            Trained::Head => (features.clone(), head.clone()),
        };
        let (mut x, y) = (layout(&outer), layout(&inner));
        if form.learned_steps {
            let steps = inner
                .iter()
                .map(|parameter| (format!("{LEARNED_STEP}{}", parameter.name), vec![1]));
            let outer = outer.into_iter().map(|p| (p.name, p.shape));
            x = Layout::new(outer.chain(steps));
        }
        Ok(Self {
            picture,
            form,
            head_start: vec![T::zero(); head.iter().map(Parameter::len).sum()],
            x,
            y,
            features,
            head,
            loss: Function::new(move |v: &Inputs<'_>| {
                let logits = form.logits(network, v);
                logits.cross_entropy(v.labels("labels")).mean()
            }),
            logits: Function::new(move |v: &Inputs<'_>| form.logits(network, v)),
            of_features: Function::new(move |v: &Inputs<'_>| {
                network.features(v.data("pictures"), Normalisation::Batch, &|name| v.x(name))
            }),
        })
    }

    /// The same with another start of the head, where it does not start at x.
    #[must_use]
    pub fn with_head(self, head_start: Vec<T>) -> Self {
        Self { head_start, ..self }
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

    /// The parameters in x; learned step sizes follow them.
    #[must_use]
    pub fn outer_parameters(&self) -> Vec<Parameter> {
        match self.form.trained {
            Trained::All => [&self.features[..], &self.head[..]].concat(),
            Trained::Head => self.features.clone(),
        }
    }

    /// n, the length of x.
    #[must_use]
    pub fn x_len(&self) -> usize {
        self.x.len()
    }

    /// The start of x: parameters as [`start`] draws them, the head at zero, step sizes as they are given.
    #[must_use]
    pub fn start(&self, key: Key) -> Vec<T> {
        let mut x = start(&self.features, key);
        x.resize(self.x.len(), T::zero());
        x
    }

    /// The learned factors of the step sizes at x, with the parameters' names.
    #[must_use]
    pub fn step_factors(&self, x: &[T]) -> Vec<(String, f64)> {
        let parts = self.x.parts().iter();
        parts
            .filter_map(|part| {
                let name = part.name.strip_prefix(LEARNED_STEP)?;
                let factor = (2.0 * STEP_SCALE * x.get(part.start)?.to_double()).exp();
                Some((name.to_owned(), factor))
            })
            .collect()
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

    /// The problem of a task.
    ///
    /// # Errors
    /// If the start of the head has another length.
    pub fn problem(&self, task: &Task<T>) -> Result<Problem<T>, bilevel::Error> {
        let start: Arc<dyn Start<T>> = match (self.form.learned_steps, self.form.trained) {
            (true, _) => Arc::new(FixedStart(vec![T::zero(); self.y.len()])),
            (false, Trained::All) => Arc::new(StartFromX::new(0..self.x.len())),
            (false, Trained::Head) => Arc::new(FixedStart(self.head_start.clone())),
        };
        Problem::from_shared(task.inner.clone(), task.outer.clone(), start)
    }

    /// The logits of pictures at (x, y), pictures × classes.
    ///
    /// # Errors
    /// If the lengths do not fit.
    pub fn logits(&self, x: &[T], y: &[T], pictures: &Arc<[T]>) -> Result<Vec<T>, Error> {
        let data = self.data(pictures);
        self.logits
            .evaluate((&self.x, x), (&self.y, y), data)
            .map_err(|error| Error::Method(error.into()))
    }

    /// The features of pictures at x, pictures × features.
    ///
    /// # Errors
    /// If the lengths do not fit.
    pub fn features_of(&self, x: &[T], pictures: &Arc<[T]>) -> Result<Vec<T>, Error> {
        let layout = layout(&self.features);
        let x = x.get(..layout.len()).unwrap_or(x);
        let none = Layout::new::<String>([]);
        self.of_features
            .evaluate((&layout, x), (&none, &[]), self.data(pictures))
            .map_err(|error| Error::Method(error.into()))
    }

    fn data(&self, pictures: &Arc<[T]>) -> Data<T> {
        let count = pictures.len() / self.picture.iter().product::<usize>().max(1);
        Data::new(count).rows("pictures", Arc::clone(pictures), &self.picture)
    }
}

impl TaskForm {
    /// A parameter of the features.
    fn feature<'t>(self, v: &Inputs<'t>, name: &str) -> Var<'t> {
        match self.trained {
            Trained::All => self.trained(v, name),
            Trained::Head => v.x(name),
        }
    }

    /// A parameter that the inner problem trains.
    fn trained<'t>(self, v: &Inputs<'t>, name: &str) -> Var<'t> {
        if !self.learned_steps {
            return v.y(name);
        }
        let factor = (v.x(&format!("{LEARNED_STEP}{name}")) * STEP_SCALE).exp();
        let change = v.y(name) * factor;
        match self.trained {
            Trained::All => v.x(name) + change,
            Trained::Head => change,
        }
    }

    fn logits<'t>(self, network: Network, v: &Inputs<'t>) -> Var<'t> {
        let mut features = network.features(v.data("pictures"), Normalisation::Batch, &|name| {
            self.feature(v, name)
        });
        if self.unit_features {
            let rows = features.shape().first().copied().unwrap_or(1);
            let mean = features.square().sum_all() * (1.0 / rows.max(1) as f64);
            features = features * (mean + TINY).sqrt().recip();
        }
        network.logits(features, &|name| self.trained(v, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bilevel::{At, Checkpointed, GradientDescent, Hyper, HyperGradient, Memory, Unrolled};

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
        let problem = tasks.problem(&task).unwrap();
        let mut out = vec![0.0; x.len()];
        let at = At::new(&problem, x, Key::from_seed(0));
        let report = method(slots).estimate(&at, &mut Memory::default(), &mut out);
        (report.unwrap().value, out)
    }

    fn tasks(network: &str, trained: Trained, learned_steps: bool) -> Tasks<f64> {
        let form = TaskForm {
            learned_steps,
            ..TaskForm::plain(trained)
        };
        of_form(network, form)
    }

    fn of_form(network: &str, form: TaskForm) -> Tasks<f64> {
        let network = network.parse().unwrap();
        let tasks = Tasks::new(network, [16, 16, 2], 3, form).unwrap();
        let head = start(tasks.head(), Key::from_seed(5));
        tasks.with_head(head)
    }

    #[test]
    fn learned_steps_of_factor_one_are_the_plain_ones() {
        let key = Key::from_seed(4);
        for trained in [Trained::All, Trained::Head] {
            let plain = tasks("conv4:3", trained, false);
            let head = vec![0.0; plain.head_start.len()];
            let plain = plain.with_head(head);
            let learned = tasks("conv4:3", trained, true);
            let x: Vec<f64> = start(&plain.outer_parameters(), key);
            let mut longer = x.clone();
            longer.resize(learned.x_len(), 0.0);
            let (value, gradient) = estimate(&plain, &x, None);
            let (again, of_both) = estimate(&learned, &longer, None);
            assert!((value - again).abs() < 1e-12);
            let apart = bilevel::vector::relative_difference(&gradient, &of_both[..x.len()]);
            assert!(apart < 1e-9, "{trained}: {apart}");
            assert!(of_both[x.len()..].iter().all(|&step| step != 0.0));
            // ln s moves by 10 a: a tenth of ln 2 doubles the steps.
            longer[x.len()..].fill(0.1 * 2.0_f64.ln());
            let factors = learned.step_factors(&longer);
            assert!(
                factors
                    .iter()
                    .all(|(_, factor)| (factor - 2.0).abs() < 1e-12)
            );
        }
    }

    #[test]
    fn hypergradients_are_those_of_differences() {
        for network in ["conv4:3", "conv4-pool:2", "lenet"] {
            for trained in [Trained::All, Trained::Head] {
                let form = TaskForm {
                    trained,
                    learned_steps: network == "conv4:3",
                    unit_features: network != "lenet",
                };
                let tasks = of_form(network, form);
                let mut x: Vec<f64> = start(&tasks.outer_parameters(), Key::from_seed(4));
                x.resize(tasks.x_len(), 0.1);
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
