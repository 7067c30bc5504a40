//! The shapes of data: all that a function has to know of them to be compiled.

use crate::error::{Error, Result};

/// The names and shapes of the data of a function, and how their rows are drawn.
///
/// [`Data`](super::Data) has the values too. Shapes alone are enough to know what a function costs.
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
    /// With the axis of rows, where it has rows.
    pub(super) shape: Vec<usize>,
    pub(super) by_row: bool,
}

impl TensorShape {
    /// How many numbers it has.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Numbers of a row.
    pub(super) fn width(&self) -> usize {
        self.shape.iter().skip(1).product()
    }
}

impl Shapes {
    /// Data of so many rows; 0 where there are none.
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

    /// A class for each row.
    #[must_use]
    pub fn labels(mut self, name: &str) -> Self {
        self.labels.push(name.to_owned());
        self
    }

    /// A tensor that belongs to no row.
    #[must_use]
    pub fn whole(mut self, name: &str, shape: &[usize]) -> Self {
        self.tensors.push(TensorShape {
            name: name.to_owned(),
            shape: shape.to_vec(),
            by_row: false,
        });
        self
    }

    /// Rows of a mini-batch; None for all rows at every step.
    #[must_use]
    pub fn batch(mut self, rows: impl Into<Option<usize>>) -> Self {
        self.batch = rows.into();
        self
    }

    /// How many rows there are.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// The rows of a batch that is smaller than all rows.
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
