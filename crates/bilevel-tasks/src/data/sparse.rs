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

impl FeatureValues {
    /// Of rows of so many columns: with the zeros where these are at most nine of ten, so that products with them are faster,
    /// and the rows do not take much memory.
    pub(crate) fn of(sparse: Sparse, columns: usize) -> Self {
        const STORED: usize = 10;
        /// Numbers of four bytes.
        const MOST: usize = 1 << 26;
        let rows = sparse.starts.len().saturating_sub(1);
        match rows.checked_mul(columns) {
            Some(all) if all <= MOST && all <= sparse.values.len().saturating_mul(STORED) => {
                Self::Dense(sparse.with_zeros(columns).into())
            }
            _ => Self::Sparse(sparse),
        }
    }
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

    /// The numbers of these rows, which have so many columns, that are not zero.
    pub(crate) fn of_dense(values: &[f32], columns: usize, rows: &[usize]) -> Self {
        let mut sparse = Self {
            starts: vec![0],
            ..Self::default()
        };
        for row in rows {
            let row = &values[row * columns..(row + 1) * columns];
            for (column, &value) in (0..).zip(row).filter(|(_, value)| **value != 0.0) {
                sparse.columns.push(column);
                sparse.values.push(value);
            }
            sparse.starts.push(sparse.columns.len());
        }
        sparse
    }

    /// All numbers, row by row.
    pub(crate) fn with_zeros(&self, columns: usize) -> Vec<f32> {
        let rows = self.starts.len().saturating_sub(1);
        let mut dense = vec![0.0; rows * columns];
        for (row, to) in (0..rows).zip(dense.chunks_exact_mut(columns.max(1))) {
            self.write_row(row, to);
        }
        dense
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One number in each row, at another column.
    fn diagonal(rows: usize) -> Sparse {
        Sparse {
            starts: (0..=rows).collect(),
            columns: (0..rows as u32).collect(),
            values: (1..=rows).map(|value| value as f32).collect(),
        }
    }

    #[test]
    fn zeros_are_stored_where_they_are_few() {
        let FeatureValues::Dense(dense) = FeatureValues::of(diagonal(10), 10) else {
            panic!("a tenth is stored");
        };
        let expected = (0..100).map(|place| match place % 11 {
            0 => (place / 11 + 1) as f32,
            _ => 0.0,
        });
        assert!(dense.iter().copied().eq(expected));
        let wide = FeatureValues::of(diagonal(11), 11);
        assert_eq!(wide, FeatureValues::Sparse(diagonal(11)));
        let none = FeatureValues::of(diagonal(0), 11);
        assert_eq!(none, FeatureValues::Dense([].into()));
    }

    #[test]
    fn numbers_that_are_not_zero_are_found_again() {
        let dense = diagonal(5).with_zeros(7);
        let rows = [4, 0];
        assert_eq!(
            Sparse::of_dense(&dense, 7, &rows),
            diagonal(5).select(&rows)
        );
    }
}
