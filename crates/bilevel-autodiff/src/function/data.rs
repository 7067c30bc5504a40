//! The data that a function is bound to.

use std::sync::Arc;

use super::shapes::Shapes;
use crate::error::{Error, Result};
use crate::real::Real;
use crate::runtime::sparse::SparseRows;

/// The data of a function: tensors with a row for each sample, labels of the rows, and tensors
/// without rows. Mini-batches select rows of the first two. Values are shared, not copied.
#[derive(Clone, Debug)]
pub struct Data<T> {
    pub(super) shapes: Shapes,
    /// The values of each tensor.
    pub(super) tensors: Vec<Tensor<T>>,
    pub(super) labels: Vec<Arc<[u32]>>,
}

/// The values of a tensor.
#[derive(Clone, Debug)]
pub(super) enum Tensor<T> {
    /// All of them, row-major.
    Dense(Arc<[T]>),
    /// Those of a matrix that are not zero.
    Sparse(SparseRows<T>),
}

impl<T: Real> Tensor<T> {
    fn len(&self) -> usize {
        match self {
            Self::Dense(values) => values.len(),
            Self::Sparse(rows) => rows.rows().saturating_mul(rows.width()),
        }
    }
}

impl<T: Real> Data<T> {
    /// Data with this number of rows; 0 if there are none.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self {
            shapes: Shapes::new(rows),
            tensors: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// No data.
    #[must_use]
    pub fn none() -> Self {
        Self::new(0)
    }

    /// A tensor of shape (rows, `shape`…), row-major.
    #[must_use]
    pub fn rows(mut self, name: &str, values: impl Into<Arc<[T]>>, shape: &[usize]) -> Self {
        self.shapes = self.shapes.rows(name, shape);
        self.tensors.push(Tensor::Dense(values.into()));
        self
    }

    /// The same for a matrix without its zeros, of shape (rows, width). It is stored with its zeros only where something
    /// other than a product with all rows reads it: see [`Function::bind`](super::Function::bind).
    #[must_use]
    pub fn sparse_rows(mut self, name: &str, rows: SparseRows<T>) -> Self {
        self.shapes = self.shapes.rows(name, &[rows.width()]);
        self.tensors.push(Tensor::Sparse(rows));
        self
    }

    /// Labels: a class number for each row.
    #[must_use]
    pub fn labels(mut self, name: &str, labels: impl Into<Arc<[u32]>>) -> Self {
        self.shapes = self.shapes.labels(name);
        self.labels.push(labels.into());
        self
    }

    /// A tensor without rows.
    #[must_use]
    pub fn whole(mut self, name: &str, values: impl Into<Arc<[T]>>, shape: &[usize]) -> Self {
        self.shapes = self.shapes.whole(name, shape);
        self.tensors.push(Tensor::Dense(values.into()));
        self
    }

    /// The size of mini-batches, whose rows a [`Draw`](bilevel::Draw) selects; None for all rows at every step.
    #[must_use]
    pub fn batch(mut self, rows: impl Into<Option<usize>>) -> Self {
        self.shapes = self.shapes.batch(rows);
        self
    }

    /// The number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.shapes.rows
    }

    /// Only the shapes.
    #[must_use]
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// Fails unless the values have the lengths of the shapes.
    pub(super) fn check(&self) -> Result<()> {
        self.shapes.check()?;
        let tensors = self
            .shapes
            .tensors
            .iter()
            .zip(&self.tensors)
            .map(|(shape, values)| (&shape.name, shape.len(), values.len()));
        let labels = self
            .shapes
            .labels
            .iter()
            .zip(&self.labels)
            .map(|(name, labels)| (name, self.shapes.rows, labels.len()));
        for (name, expected, found) in tensors.chain(labels) {
            if expected != found {
                return Err(Error::Length {
                    what: format!("the data {name:?}"),
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}
