//! The shapes of data: enough to compile a function.

use crate::error::{Error, Result};

/// The names and shapes of the data of a function, and the size of mini-batches.
///
/// [`Data`](super::Data) also has the values. Shapes are enough to know the cost of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shapes {
    pub(super) rows: usize,
    pub(super) batch: Option<usize>,
    pub(super) tensors: Vec<TensorShape>,
    pub(super) labels: Vec<String>,
}

/// One tensor of the data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TensorShape {
    pub(super) name: String,
    /// Including the axis of rows, if it has rows.
    pub(super) shape: Vec<usize>,
    pub(super) by_row: bool,
}

impl TensorShape {
    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The number of elements in a row.
    pub(super) fn width(&self) -> usize {
        self.shape.iter().skip(1).product()
    }
}

impl Shapes {
    /// Data with this number of rows; 0 if there are none.
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self {
            rows,
            batch: None,
            tensors: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// A tensor of shape (rows, `shape`…).
    #[must_use]
    pub fn rows(mut self, name: &str, shape: &[usize]) -> Self {
        let mut all = vec![self.rows];
        all.extend_from_slice(shape);
        self.tensors.push(TensorShape {
            name: name.to_owned(),
            shape: all,
            by_row: true,
        });
        self
    }

    /// Labels: a class number for each row.
    #[must_use]
    pub fn labels(mut self, name: &str) -> Self {
        self.labels.push(name.to_owned());
        self
    }

    /// A tensor without rows.
    #[must_use]
    pub fn whole(mut self, name: &str, shape: &[usize]) -> Self {
        self.tensors.push(TensorShape {
            name: name.to_owned(),
            shape: shape.to_vec(),
            by_row: false,
        });
        self
    }

    /// The size of mini-batches; None for all rows at every step.
    #[must_use]
    pub fn batch(mut self, rows: impl Into<Option<usize>>) -> Self {
        self.batch = rows.into();
        self
    }

    /// The number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// The number of rows of a batch, if it is smaller than all rows.
    pub(super) fn smaller_batch(&self) -> Option<usize> {
        self.batch.filter(|&batch| batch < self.rows)
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.batch {
            Some(batch) if !(1..=self.rows).contains(&batch) => Err(Error::Setting {
                field: "batch",
                range: "at least 1 and at most the number of rows",
                value: format!("{batch} with {} rows", self.rows),
            }),
            _ => Ok(()),
        }
    }
}
