//! Models: what is trained on rows of features.

mod softmax;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bilevel::{Objective, Scalar};
use ndarray::LinalgScalar;

use crate::Error;
use crate::data::Dataset;

/// A scalar that the matrix product knows too.
pub trait Real: Scalar + LinalgScalar {}

impl<T: Scalar + LinalgScalar> Real for T {}

/// Rows of features with class labels, in the precision of the model.
#[derive(Clone, Debug)]
pub struct Examples<T> {
    features: Vec<T>,
    columns: usize,
    labels: Vec<u32>,
    classes: usize,
}

impl<T: Real> Examples<T> {
    /// The rows of a data set.
    #[must_use]
    pub fn new(data: &Dataset) -> Self {
        let convert = |&value: &f32| T::from_f64(f64::from(value));
        Self {
            features: data.features().iter().map(convert).collect(),
            columns: data.columns(),
            labels: data.labels().to_vec(),
            classes: data.classes(),
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

    fn row(&self, row: usize) -> &[T] {
        &self.features[row * self.columns..(row + 1) * self.columns]
    }
}

/// How the rows of a loss are weighted and drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LossSettings {
    /// Whether row i is weighted by σ(x_i): then x has one number for each row. Else every
    /// row has weight 1 and x does not enter.
    pub weighted: bool,
    /// Rows of a mini-batch; None for all rows.
    pub batch: Option<usize>,
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
}

impl Model {
    /// How many numbers y has.
    #[must_use]
    pub fn y_len(self, columns: usize, classes: usize) -> usize {
        match self {
            Self::Softmax => (columns + 1) * classes,
        }
    }

    /// Where training starts.
    #[must_use]
    pub fn start<T: Scalar>(self, columns: usize, classes: usize) -> Vec<T> {
        match self {
            Self::Softmax => vec![T::zero(); self.y_len(columns, classes)],
        }
    }

    /// The mean over rows of weight · cross-entropy, as an objective in (x, y); x has
    /// `x_len` numbers, one a row where the rows are weighted.
    ///
    /// # Errors
    /// If there are no rows, a batch is larger than their number, or x is too short.
    pub fn loss<T: Real>(
        self,
        examples: Arc<Examples<T>>,
        settings: LossSettings,
        x_len: usize,
    ) -> Result<Arc<dyn Objective<T>>, Error> {
        match self {
            Self::Softmax => Ok(Arc::new(softmax::SoftmaxLoss::new(
                examples, settings, x_len,
            )?)),
        }
    }

    /// The probability of each class for each row: rows × classes.
    #[must_use]
    pub fn probabilities<T: Real>(self, y: &[T], examples: &Examples<T>) -> Vec<T> {
        match self {
            Self::Softmax => softmax::probabilities(y, examples),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Softmax => "softmax",
        })
    }
}

impl FromStr for Model {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "softmax" => Ok(Self::Softmax),
            _ => Err(Error::Unknown {
                what: "model",
                name: text.to_owned(),
                known: "softmax",
            }),
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
