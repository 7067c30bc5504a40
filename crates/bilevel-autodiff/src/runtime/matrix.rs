//! Data matrices. The rows of copies are aligned to cache lines.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bilevel::Scalar;

use super::sparse::SparseRows;

/// Bytes of a cache line, and of the longest vector.
const LINE: usize = 64;

/// A row-major matrix of given numbers, shared by all its readers.
///
/// The rows of a copy start at multiples of 64 bytes, with unused padding between them. A vector that crosses a cache
/// line takes twice as long to load, and in a row that does not start at a cache line, every 64-byte vector does.
#[derive(Clone, Debug)]
pub(crate) struct Matrix<T> {
    numbers: Numbers<T>,
    rows: usize,
    columns: usize,
    /// The distance from one row to the next.
    stride: usize,
}

#[derive(Clone, Debug)]
enum Numbers<T> {
    /// All numbers, and the index of the first row's first.
    Dense { memory: Arc<[T]>, start: usize },
    /// Those that are not zero; all of them once somebody needs them.
    Sparse(Arc<(SparseRows<T>, OnceLock<Vec<T>>)>),
}

/// Numbers of some rows.
pub(crate) enum RowNumbers<'a, T> {
    /// These rows with their padding.
    Dense(&'a [T]),
    /// All rows.
    Sparse(&'a SparseRows<T>),
}

/// The stride of a copy with this number of columns.
pub(crate) fn padded<T>(columns: usize) -> usize {
    columns.next_multiple_of((LINE / size_of::<T>().max(1)).max(1))
}

impl<T: Scalar> Matrix<T> {
    /// These numbers without a copy, in rows of `columns` numbers.
    pub(crate) fn shared(values: Arc<[T]>, columns: usize) -> Self {
        Self {
            rows: values.len().checked_div(columns).unwrap_or(0),
            columns,
            stride: columns,
            numbers: Numbers::Dense {
                memory: values,
                start: 0,
            },
        }
    }

    /// These numbers, without their zeros as long as nobody reads the zeros.
    ///
    /// With its zeros it has the stride of a copy, if columns were left out.
    pub(crate) fn sparse(rows: SparseRows<T>, kept: Option<&[u32]>) -> Self {
        let rows = match kept {
            Some(kept) => rows.of_columns(kept),
            None => rows,
        };
        Self {
            rows: rows.rows(),
            columns: rows.width(),
            stride: match kept {
                Some(kept) => padded::<T>(kept.len()),
                None => rows.width(),
            },
            numbers: Numbers::Sparse(Arc::new((rows, OnceLock::new()))),
        }
    }

    /// Whether the zeros are not stored.
    pub(crate) fn is_sparse(&self) -> bool {
        matches!(self.numbers, Numbers::Sparse(_))
    }

    /// A copy of the columns `kept`, in this order, of a matrix with `columns` columns.
    pub(crate) fn of_columns(values: &[T], columns: usize, kept: &[u32]) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        let stride = padded::<T>(kept.len());
        // The iterator has a known length, so `collect` makes one copy instead of two.
        let len = Self::copied_numbers(rows, kept.len());
        let mut memory: Arc<[T]> = std::iter::repeat_n(T::zero(), len).collect();
        // The memory of an Arc does not move.
        let spare = len - rows * stride;
        let start = memory.as_ptr().align_offset(LINE).min(spare);
        if stride > 0 {
            let to = Arc::make_mut(&mut memory)[start..].chunks_exact_mut(stride);
            for (to, row) in to.zip(values.chunks_exact(columns.max(1))) {
                for (to, &column) in to.iter_mut().zip(kept) {
                    *to = row[column as usize];
                }
            }
        }
        Self {
            numbers: Numbers::Dense { memory, start },
            rows,
            columns: kept.len(),
            stride,
        }
    }

    /// The number of elements of a copy with these rows and columns, padding included.
    pub(crate) fn copied_numbers(rows: usize, columns: usize) -> usize {
        rows * padded::<T>(columns) + LINE / size_of::<T>()
    }

    /// Bytes of what is stored, or will be: the zeros of rows without them too, unless they are `packed`.
    pub(crate) fn bytes(&self, packed: bool) -> usize {
        match &self.numbers {
            Numbers::Dense { memory, .. } => size_of_val(&**memory),
            Numbers::Sparse(sparse) => {
                let zeros = if packed { 0 } else { self.rows * self.stride };
                sparse.0.bytes() + zeros * size_of::<T>()
            }
        }
    }

    /// All rows with their padding: the argument of a program that was compiled for [`Matrix::stride`].
    pub(crate) fn values(&self) -> &[T] {
        match &self.numbers {
            Numbers::Dense { memory, start } => &memory[*start..start + self.rows * self.stride],
            Numbers::Sparse(sparse) => {
                let (rows, dense) = &**sparse;
                dense.get_or_init(|| rows.dense(0..self.rows, self.stride))
            }
        }
    }

    /// The numbers of some rows, as they are stored.
    pub(crate) fn numbers(&self, rows: Range<usize>) -> RowNumbers<'_, T> {
        match &self.numbers {
            Numbers::Sparse(sparse) => RowNumbers::Sparse(&sparse.0),
            Numbers::Dense { .. } => {
                RowNumbers::Dense(&self.values()[rows.start * self.stride..rows.end * self.stride])
            }
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The distance from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_the_kept_columns<T: Scalar>(rows: usize, columns: usize, every: usize) {
        let values: Vec<T> = (0..rows * columns)
            .map(|i| T::from_f64(i as f64 + 1.0))
            .collect();
        let kept: Vec<u32> = (0..columns as u32).step_by(every).collect();
        let matrix = Matrix::of_columns(&values, columns, &kept);
        assert_eq!((matrix.rows(), matrix.columns()), (rows, kept.len()));
        assert_eq!(matrix.stride() * size_of::<T>() % LINE, 0);
        assert_eq!(matrix.values().as_ptr().align_offset(LINE), 0);
        let found: Vec<&[T]> = matrix.values().chunks(matrix.stride()).collect();
        assert_eq!(found.len(), rows);
        for (row, found) in found.iter().enumerate() {
            let expected = kept
                .iter()
                .map(|&column| values[row * columns + column as usize]);
            assert!(expected.eq(found[..kept.len()].iter().copied()));
        }
        let Numbers::Dense { memory, .. } = &matrix.numbers else {
            panic!("a copy is dense");
        };
        assert_eq!(memory.len(), Matrix::<T>::copied_numbers(rows, kept.len()));
        // A clone shares the numbers.
        assert_eq!(matrix.clone().values().as_ptr(), matrix.values().as_ptr());
    }

    #[test]
    fn rows_of_copies_start_with_a_line_of_the_cache() {
        for rows in [1, 2, 33] {
            for columns in [1, 7, 16, 17, 655] {
                for every in [1, 2, 3] {
                    has_the_kept_columns::<f32>(rows, columns, every);
                    has_the_kept_columns::<f64>(rows, columns, every);
                }
            }
        }
        let none = Matrix::<f32>::of_columns(&[], 5, &[0, 1]);
        assert_eq!((none.rows(), none.values().len()), (0, 0));
        let empty = Matrix::<f32>::of_columns(&[0.0; 6], 3, &[]);
        assert_eq!((empty.rows(), empty.values().len()), (2, 0));
    }

    #[test]
    fn what_is_not_copied_is_shared() {
        let values: Arc<[f64]> = (0..6).map(f64::from).collect();
        let matrix = Matrix::shared(values.clone(), 3);
        assert_eq!(
            (matrix.rows(), matrix.columns(), matrix.stride()),
            (2, 3, 3)
        );
        assert_eq!(matrix.values().as_ptr(), values.as_ptr());
    }
}
