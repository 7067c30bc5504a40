//! Features with or without their zeros.

use std::sync::Arc;

/// Features of rows.
#[derive(Clone, PartialEq, Debug)]
pub enum FeatureValues {
    /// Row by row, shared with what is trained on them.
    Dense(Arc<[f32]>),
    /// Without zeros.
    Sparse(Sparse),
}

/// A matrix without its zeros, row by row.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sparse {
    /// Where each row begins in the other lists, and their length.
    pub starts: Vec<usize>,
    /// The column of each number, increasing within a row.
    pub columns: Vec<u32>,
    /// The numbers.
    pub values: Vec<f32>,
}

impl Sparse {
    /// The columns and numbers of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.columns[range.clone()], &self.values[range])
    }
}

impl Sparse {
    /// The selected rows, in this order.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self {
            starts: vec![0],
            ..Self::default()
        };
        for &row in rows {
            let (columns, values) = self.row(row);
            selected.columns.extend_from_slice(columns);
            selected.values.extend_from_slice(values);
            selected.starts.push(selected.columns.len());
        }
        selected
    }

    /// Adds later rows.
    pub(crate) fn append(&mut self, other: &Self) {
        let before = self.columns.len();
        let starts = other.starts.iter().skip(1);
        self.starts.extend(starts.map(|start| start + before));
        self.columns.extend_from_slice(&other.columns);
        self.values.extend_from_slice(&other.values);
    }

    /// Writes the numbers of a row where they belong, over zeros.
    pub(crate) fn write_row(&self, row: usize, to: &mut [f32]) {
        let (columns, values) = self.row(row);
        for (&column, &value) in columns.iter().zip(values) {
            to[column as usize] = value;
        }
    }
}
