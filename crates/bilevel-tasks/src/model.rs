//! Models: classifiers of rows of features.
//!
//! A model is its logits, traced; losses, gradients and second-order products follow from them.

mod choice;
mod on_pictures;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bilevel::{Key, Layout, Part, Scalar, Stream};
pub use bilevel_autodiff::Real;
use bilevel_autodiff::{Bound, Compiled, Data, Function, Shapes, SparseRows, Var};

use crate::Error;
use crate::data::{Dataset, FeatureValues};
pub use choice::ModelChoice;
pub use on_pictures::OnPictures;

/// Rows of features with class labels, in the precision of the model.
#[derive(Clone, Debug)]
pub struct Examples<T> {
    features: Features<T>,
    columns: usize,
    labels: Arc<[u32]>,
    classes: usize,
}

/// Rows of features, with or without their zeros.
#[derive(Clone, Debug)]
enum Features<T> {
    Dense(Arc<[T]>),
    Sparse(SparseRows<T>),
}

impl<T: Real> Features<T> {
    fn of(data: &Dataset) -> Self {
        let convert = |&value: &f32| T::from_f64(f64::from(value));
        if let FeatureValues::Sparse(sparse) = data.values() {
            let values: Vec<T> = sparse.values.iter().map(convert).collect();
            let (starts, columns) = (sparse.starts.clone(), sparse.columns.clone());
            // Readers make lists that fit; any others are stored with their zeros.
            if let Some(rows) = SparseRows::new(starts, columns, values, data.columns()) {
                return Self::Sparse(rows);
            }
        }
        let features = data.shared_features();
        // In single precision they are shared.
        match (&features as &dyn Any).downcast_ref::<Arc<[T]>>() {
            Some(features) => Self::Dense(Arc::clone(features)),
            None => Self::Dense(features.iter().map(convert).collect()),
        }
    }
}

impl<T: Real> Examples<T> {
    /// The rows of a data set.
    #[must_use]
    pub fn new(data: &Dataset) -> Self {
        Self {
            features: Features::of(data),
            columns: data.columns(),
            labels: data.labels().into(),
            classes: data.classes(),
        }
    }

    /// The features as data of a function, `features`.
    pub(crate) fn data(&self) -> Data<T> {
        let data = Data::new(self.rows());
        match &self.features {
            Features::Dense(values) => data.rows("features", Arc::clone(values), &[self.columns]),
            Features::Sparse(rows) => data.sparse_rows("features", rows.clone()),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Number of features of a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label of each row.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }
}

/// What a loss adds to the mean cross-entropy.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct LossSettings {
    /// Whether row i is weighted by σ(x_i): then x has one number per row. Otherwise every
    /// row has weight 1 and x does not enter.
    pub weighted: bool,
    /// D of D‖y‖²/2, which is added to the mean loss.
    pub weight_decay: f64,
}

/// A classifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Model {
    /// Softmax regression: logits A·W + b, y = (W row by row, inputs × classes; b).
    /// Training starts at zero.
    #[default]
    Softmax,
    /// One hidden layer: logits relu(A·W₁ + b₁)·W₂ + b₂, y = (W₁, inputs × hidden; b₁; W₂, hidden ×
    /// classes; b₂). Training starts at He-normal weights (arXiv 1502.01852) and zero biases.
    Mlp {
        /// Width of the hidden layer, from 1 to a million.
        hidden: usize,
    },
    /// A network on rows that are pictures, with a linear layer on its features. Training starts at He-normal weights.
    Network(OnPictures),
}

impl Model {
    /// The parts of y.
    #[must_use]
    pub fn layout(self, columns: usize, classes: usize) -> Layout {
        match self {
            Self::Softmax => {
                Layout::new([("weight", vec![columns, classes]), ("bias", vec![classes])])
            }
            Self::Mlp { hidden } => Layout::new([
                ("hidden weight", vec![columns, hidden]),
                ("hidden bias", vec![hidden]),
                ("weight", vec![hidden, classes]),
                ("bias", vec![classes]),
            ]),
            Self::Network(network) => network.layout(classes),
        }
    }

    /// The number of parameters: the length of y.
    #[must_use]
    pub fn y_len(self, columns: usize, classes: usize) -> usize {
        self.layout(columns, classes).len()
    }

    /// The start of training: weights drawn from `key` with variance 2 / inputs before a relu, or zero.
    #[must_use]
    pub fn start<T: Scalar>(self, columns: usize, classes: usize, key: Key) -> Vec<T> {
        let layout = self.layout(columns, classes);
        let mut y = vec![T::zero(); layout.len()];
        match self {
            Self::Softmax => return y,
            Self::Network(network) => return network.start(classes, key),
            Self::Mlp { .. } => {}
        }
        let weights = layout.parts().iter().filter(|part| part.shape.len() == 2);
        for (number, part) in weights.enumerate() {
            let scale = (2.0 / part.shape[0] as f64).sqrt();
            let key = key.stream(Stream::Start).fold_in(number as u64);
            let to = &mut y[part.start..part.start + part.len()];
            for (to, normal) in to.iter_mut().zip(key.normals()) {
                *to = T::from_f64(scale * normal);
            }
        }
        y
    }

    /// The logits of rows of features, rows × classes.
    fn logits<'t>(self, features: Var<'t>, y: &dyn Fn(&str) -> Var<'t>) -> Var<'t> {
        let last = match self {
            Self::Softmax => features,
            Self::Mlp { .. } => (features.matmul(y("hidden weight")) + y("hidden bias")).relu(),
            Self::Network(network) => return network.logits(features, y),
        };
        last.matmul(y("weight")) + y("bias")
    }

    /// The mean over rows of weight · cross-entropy, as a function of x, y and any rows: see [`Loss::bind`].
    #[must_use]
    pub fn loss<T: Real>(self, settings: LossSettings) -> Loss<T> {
        // The names are independent of the sizes.
        let parts = self.layout(1, 1).parts().to_vec();
        let function = Function::new(move |v| {
            let logits = self.logits(v.data("features"), &|part| v.y(part));
            let mut losses = logits.cross_entropy(v.labels("labels"));
            if settings.weighted {
                losses = v.x_rows("x").sigmoid() * losses;
            }
            decayed(losses.mean(), &parts, settings.weight_decay, &|part| {
                v.y(part)
            })
        });
        Loss {
            model: self,
            weighted: settings.weighted,
            function,
        }
    }

    /// The mean over rows of Σ_c t_c · (−ln p_c): x has the targets t of each row, rows × classes. A one is a label,
    /// several are a soft label, zeros leave the row out: the same rows serve many trainings.
    ///
    /// # Errors
    /// If there are no rows.
    pub fn soft_loss<T: Real>(
        self,
        examples: &Examples<T>,
        weight_decay: f64,
    ) -> Result<Arc<Bound<T>>, Error> {
        if examples.rows() == 0 {
            return Err(Error::NoRows);
        }
        let parts = self.layout(1, 1).parts().to_vec();
        let function = Function::new(move |v| {
            let logits = self.logits(v.data("features"), &|part| v.y(part));
            let surprise = logits.log_sum_exp(1) - logits;
            let losses = (v.x_rows("targets") * surprise).sum(&[1]);
            decayed(losses.mean(), &parts, weight_decay, &|part| v.y(part))
        });
        let x = Layout::new([("targets", vec![examples.rows(), examples.classes])]);
        self.bound(
            &function,
            &x,
            (examples.columns, examples.classes),
            examples.data(),
        )
    }

    /// The mean over rows of −ln Σ_c p_c · T(c, given label), the likelihood of labels that were confused as T says: x has
    /// T, by its logits: part `confusion`, given × true, T(c, ·) = softmax of column c.
    ///
    /// # Errors
    /// If there are no rows.
    pub fn confused_loss<T: Real>(
        self,
        examples: &Examples<T>,
        weight_decay: f64,
    ) -> Result<Arc<Bound<T>>, Error> {
        if examples.rows() == 0 {
            return Err(Error::NoRows);
        }
        let parts = self.layout(1, 1).parts().to_vec();
        let function = Function::new(move |v| {
            let logits = self.logits(v.data("features"), &|part| v.y(part));
            let confusion = v.x("confusion");
            // ln T of each row's given label: rows × true.
            let likelihood = v.data("given").matmul(confusion - confusion.log_sum_exp(0));
            let losses = logits.log_sum_exp(1) - (logits + likelihood).log_sum_exp(1);
            decayed(losses.mean(), &parts, weight_decay, &|part| v.y(part))
        });
        let classes = examples.classes;
        let mut given = vec![T::zero(); examples.rows() * classes];
        for (row, &label) in given.chunks_exact_mut(classes).zip(examples.labels()) {
            row[label as usize] = T::one();
        }
        let x = Layout::new([("confusion", vec![classes, classes])]);
        let given: Arc<[T]> = given.into();
        let data = examples.data().rows("given", given, &[classes]);
        self.bound(&function, &x, (examples.columns, classes), data)
    }

    /// A function of x and of this model's parameters, on these data.
    fn bound<T: Real>(
        self,
        function: &Function<T>,
        x: &Layout,
        (columns, classes): (usize, usize),
        data: Data<T>,
    ) -> Result<Arc<Bound<T>>, Error> {
        let bound = function.bind(x, &self.layout(columns, classes), data);
        bound
            .map(Arc::new)
            .map_err(|error| Error::Method(error.into()))
    }

    /// The probability of each class for each row, as a function of y and any rows.
    #[must_use]
    pub fn probabilities<T: Real>(self) -> Probabilities<T> {
        Probabilities {
            model: self,
            function: Function::new(move |v| {
                let logits = self.logits(v.data("features"), &|part| v.y(part));
                logits.softmax(1)
            }),
        }
    }
}

/// A loss with D‖y‖²/2 added.
fn decayed<'t>(
    mut loss: Var<'t>,
    parts: &[Part],
    weight_decay: f64,
    y: &dyn Fn(&str) -> Var<'t>,
) -> Var<'t> {
    if weight_decay > 0.0 {
        for part in parts {
            loss = loss + y(&part.name).square().sum_all() * (weight_decay / 2.0);
        }
    }
    loss
}

/// The loss of a model, written once and bound to any rows: [`Model::loss`].
pub struct Loss<T> {
    model: Model,
    weighted: bool,
    function: Function<T>,
}

impl<T: Real> Loss<T> {
    /// The objective in (x, y) on these rows; x has `x_len` numbers, one per row if the rows are weighted. With a
    /// `batch`, each step sees that many of them.
    ///
    /// # Errors
    /// If there are no rows, a batch is larger than their number, or x has another length.
    pub fn bind(
        &self,
        examples: &Examples<T>,
        batch: Option<usize>,
        x_len: usize,
    ) -> Result<Arc<Bound<T>>, Error> {
        self.expect(examples.rows(), batch, x_len)?;
        let data = examples
            .data()
            .labels("labels", Arc::clone(&examples.labels))
            .batch(batch);
        let sizes = (examples.columns, examples.classes);
        let x = Layout::vector("x", x_len);
        self.model.bound(&self.function, &x, sizes, data)
    }

    /// The same for a number of rows without data, to predict the cost.
    ///
    /// # Errors
    /// As [`Loss::bind`].
    pub fn compile(
        &self,
        (rows, columns, classes): (usize, usize, usize),
        batch: Option<usize>,
        x_len: usize,
    ) -> Result<Arc<Compiled<T>>, Error> {
        self.expect(rows, batch, x_len)?;
        let layout = self.model.layout(columns, classes);
        let shapes = Shapes::new(rows)
            .rows("features", &[columns])
            .labels("labels")
            .batch(batch);
        self.function
            .compile(&Layout::vector("x", x_len), &layout, &shapes)
            .map_err(|error| Error::Method(error.into()))
    }

    fn expect(&self, rows: usize, batch: Option<usize>, x_len: usize) -> Result<(), Error> {
        if let Some(batch) = batch {
            bilevel::check_batch("batch", batch, rows)?;
        }
        if rows == 0 {
            return Err(Error::NoRows);
        }
        if self.weighted && x_len != rows {
            return Err(Error::Length {
                what: "numbers of x",
                expected: rows,
                found: x_len,
            });
        }
        Ok(())
    }
}

/// The probabilities of a model, written once for any rows: [`Model::probabilities`].
pub struct Probabilities<T> {
    model: Model,
    function: Function<T>,
}

impl<T: Real> Probabilities<T> {
    /// The probability of each class for each row at y: rows × classes.
    ///
    /// # Errors
    /// If y has another length than the model.
    pub fn of(&self, y: &[T], examples: &Examples<T>) -> Result<Vec<T>, Error> {
        let layout = self.model.layout(examples.columns, examples.classes);
        let data = examples.data();
        let none = Layout::new::<String>([]);
        self.function
            .evaluate((&none, &[]), (&layout, y), data)
            .map_err(|error| Error::Method(error.into()))
    }
}

impl Model {
    /// About how many multiplications the logits of a row of so many numbers take, to predict times: with fewer than 16
    /// columns on the other side of a product, reading the row takes no less time.
    #[must_use]
    pub fn multiplications(self, numbers: usize, classes: usize) -> usize {
        const LEAST: usize = 16;
        match self {
            Self::Softmax => numbers.saturating_mul(classes.max(LEAST)),
            Self::Mlp { hidden } => numbers.saturating_mul(hidden.max(LEAST)),
            Self::Network(network) => network.multiplications(),
        }
    }

    /// How many multiplications the logits of a row of so many columns take: a parameter of a layer is used once, that of
    /// a convolution at each place.
    pub(crate) fn products(self, columns: usize, classes: usize) -> usize {
        match self {
            Self::Softmax | Self::Mlp { .. } => self.y_len(columns, classes),
            Self::Network(network) => network.multiplications(),
        }
    }

    /// Numbers between the layers, for each row.
    pub(crate) fn activations(self) -> usize {
        match self {
            Self::Softmax => 0,
            Self::Mlp { hidden } => hidden,
            Self::Network(network) => network.activations(),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Softmax => formatter.write_str("softmax"),
            Self::Mlp { hidden } => write!(formatter, "mlp:{hidden}"),
            Self::Network(network) => network.network().fmt(formatter),
        }
    }
}

/// The class of largest probability of each row; the first of several.
#[must_use]
pub fn predictions<T: Scalar>(probabilities: &[T], classes: usize) -> Vec<u32> {
    probabilities
        .chunks_exact(classes.max(1))
        .map(|row| {
            let mut best = 0;
            for (class, &p) in row.iter().enumerate() {
                if p > row[best] {
                    best = class;
                }
            }
            best as u32
        })
        .collect()
}
