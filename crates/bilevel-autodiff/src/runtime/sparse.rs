//! Rows of numbers without their zeros.

use std::ops::Range;
use std::sync::Arc;

use bilevel::Scalar;

/// A matrix of which only the numbers that are not zero are stored, row by row (CSR).
#[derive(Clone, Debug)]
pub struct SparseRows<T> {
    /// Where each row begins in the other lists, and their length.
    starts: Arc<[usize]>,
    /// The column of each number, increasing within a row.
    columns: Arc<[u32]>,
    values: Arc<[T]>,
    width: usize,
}

impl<T: Scalar> SparseRows<T> {
    /// A matrix of `starts.len()` − 1 rows and `width` columns. Row r has the numbers from `starts[r]` to `starts[r + 1]`;
    /// `columns` tells the column of each, which increases within a row. None if the lists do not fit each other.
    pub fn new(
        starts: impl Into<Arc<[usize]>>,
        columns: impl Into<Arc<[u32]>>,
        values: impl Into<Arc<[T]>>,
        width: usize,
    ) -> Option<Self> {
        let (starts, columns, values) = (starts.into(), columns.into(), values.into());
        let fits = starts.first() == Some(&0)
            && starts.is_sorted()
            && starts.last() == Some(&columns.len())
            && columns.len() == values.len()
            && starts.windows(2).all(|row| {
                let row = &columns[row[0]..row[1]];
                row.windows(2).all(|pair| pair[0] < pair[1])
                    && row.last().is_none_or(|&last| (last as usize) < width)
            });
        fits.then_some(Self {
            starts,
            columns,
            values,
            width,
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The columns and numbers of a row.
    pub(crate) fn row(&self, row: usize) -> (&[u32], &[T]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.columns[range.clone()], &self.values[range])
    }

    /// Bytes of the three lists.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.columns) + size_of_val(&*self.values)
    }

    /// How many numbers some rows have that are stored.
    pub(crate) fn stored(&self, rows: Range<usize>) -> usize {
        self.starts[rows.end] - self.starts[rows.start]
    }

    /// How many numbers some rows have that are stored and not zero.
    pub(crate) fn nonzeros(&self, rows: Range<usize>) -> usize {
        let values = &self.values[self.starts[rows.start]..self.starts[rows.end]];
        values.iter().filter(|&&value| value != T::zero()).count()
    }

    /// The columns of some rows as rows.
    pub(crate) fn transposed(&self, rows: Range<usize>) -> Self {
        let (first, end) = (self.starts[rows.start], self.starts[rows.end]);
        let mut starts = vec![0; self.width + 1];
        for &column in &self.columns[first..end] {
            starts[column as usize + 1] += 1;
        }
        for column in 0..self.width {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let (mut places, mut numbers) = (vec![0; end - first], vec![T::zero(); end - first]);
        for (place, row) in (0..).zip(rows.clone()) {
            let (columns, values) = self.row(row);
            for (&column, &value) in columns.iter().zip(values) {
                let at = &mut next[column as usize];
                (places[*at], numbers[*at]) = (place, value);
                *at += 1;
            }
        }
        Self {
            starts: starts.into(),
            columns: places.into(),
            values: numbers.into(),
            width: rows.len(),
        }
    }

    /// Rows with their zeros, each so far behind the one before it.
    pub(crate) fn dense(&self, rows: Range<usize>, stride: usize) -> Vec<T> {
        let mut dense = vec![T::zero(); rows.len() * stride];
        for (row, to) in rows.zip(dense.chunks_exact_mut(stride.max(1))) {
            let (columns, values) = self.row(row);
            for (&column, &value) in columns.iter().zip(values) {
                to[column as usize] = value;
            }
        }
        dense
    }

    /// The matrix of the columns `kept`, which contain all numbers.
    pub(crate) fn of_columns(&self, kept: &[u32]) -> Self {
        let mut new = vec![0; self.width];
        for (&column, number) in kept.iter().zip(0..) {
            new[column as usize] = number;
        }
        Self {
            columns: self
                .columns
                .iter()
                .map(|&column| new[column as usize])
                .collect(),
            starts: self.starts.clone(),
            values: self.values.clone(),
            width: kept.len(),
        }
    }

    /// Which columns have a number.
    pub(crate) fn used(&self) -> Vec<bool> {
        let mut used = vec![false; self.width];
        self.columns
            .iter()
            .for_each(|&column| used[column as usize] = true);
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let rows =
            SparseRows::new(vec![0, 2, 2, 3], vec![0, 3, 1], vec![1.0, 2.0, 3.0], 4).unwrap();
        assert_eq!((rows.rows(), rows.width()), (3, 4));
        assert_eq!(
            rows.dense(0..3, 4),
            [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0]
        );
        assert_eq!(rows.dense(2..3, 5), [0.0, 3.0, 0.0, 0.0, 0.0]);
        assert_eq!(rows.used(), [true, true, false, true]);
        let columns = rows.transposed(1..3);
        assert_eq!((columns.rows(), columns.width()), (4, 2));
        assert_eq!(
            columns.dense(0..4, 2),
            [0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]
        );
        assert_eq!((rows.nonzeros(0..3), rows.nonzeros(1..2)), (3, 0));
        let fewer = rows.of_columns(&[0, 1, 3]);
        assert_eq!(fewer.dense(0..1, 3), [1.0, 0.0, 2.0]);
    }

    #[test]
    fn lists_that_do_not_fit_are_none() {
        let none = |starts: Vec<usize>, columns: Vec<u32>| {
            let values = vec![1.0; columns.len()];
            SparseRows::new(starts, columns, values, 3).is_none()
        };
        assert!(none(vec![], vec![]));
        assert!(none(vec![0, 2], vec![0]));
        assert!(none(vec![0, 2, 1], vec![0, 1]));
        assert!(none(vec![0, 1], vec![3]));
        assert!(none(vec![0, 2], vec![1, 1]));
        assert!(none(vec![1, 2], vec![0, 1]));
        assert!(!none(vec![0, 1, 2], vec![1, 1]));
    }
}
