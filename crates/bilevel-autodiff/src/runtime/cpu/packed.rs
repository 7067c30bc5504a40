//! Data matrices with many zeros, packed once so that products skip most zeros.
//!
//! A packed matrix is cut into panels of a few lines: rows for A·B, columns for Aᵀ·B. Lines with nonzeros at the same
//! places share a panel, and a panel keeps the places where one of its lines is not zero. The zeros that a panel keeps
//! do not change a sum, so the result does not depend on which lines share a panel. (Except for 0·y with an infinite y,
//! which is 0 where it is left out.)

mod pack;
mod panels;
mod worth;

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bilevel::Scalar;

use super::limits::HEIGHT;
use super::threads::each;
use crate::runtime::matrix::{Matrix, RowNumbers};
use crate::runtime::{Fill, Partition, Prepared};
use pack::Block;
pub(crate) use panels::{Lines, Panels};
pub(crate) use worth::Product;

/// The number of rows from which the fill of the panels is estimated.
const SAMPLE: usize = 320;

/// A data matrix, and its packed forms.
#[derive(Debug)]
pub(crate) struct Packable<T> {
    matrix: Matrix<T>,
    /// Estimated from some of the rows.
    fill: Fill,
    packed: Mutex<Vec<Arc<Packed<T>>>>,
}

/// A matrix packed by blocks of rows. The first thread that multiplies by a block packs it, so all threads pack in the
/// first pass, and each has the blocks it packed nearby.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    matrix: Matrix<T>,
    lines: Lines,
    /// Each block's rows, and its panels.
    blocks: Vec<(Range<usize>, OnceLock<Panels<T>>)>,
}

impl<T: Scalar> Packable<T> {
    /// The matrix, or `None` if its panels would leave nothing out.
    pub(crate) fn of(matrix: &Matrix<T>) -> Option<Self> {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        if rows < HEIGHT || columns < HEIGHT {
            return None;
        }
        let rows = rows.min(SAMPLE);
        let zeros = match matrix.numbers(0..rows) {
            RowNumbers::Dense(numbers) => {
                let sample = numbers.chunks_exact(matrix.stride());
                let zero = |&&value: &&T| value == T::zero();
                sample
                    .map(|row| row[..columns].iter().filter(zero).count())
                    .sum()
            }
            RowNumbers::Sparse(all) => rows * columns - all.nonzeros(0..rows),
        };
        // Panels keep some zeros too.
        if 4 * zeros < rows * columns {
            return None;
        }
        let fill = |lines| {
            let block = Block::new(matrix, 0..rows, lines);
            (block.kept() * HEIGHT) as f64 / (rows * columns) as f64
        };
        let fill = Fill {
            rows: fill(Lines::Rows),
            columns: fill(Lines::Columns),
        };
        (fill.rows.min(fill.columns) < 1.0).then(|| Self {
            matrix: matrix.clone(),
            fill,
            packed: Mutex::default(),
        })
    }

    /// The packed form for these blocks, shared by all programs with the same blocks, however they group them.
    pub(crate) fn packed(&self, lines: Lines, partition: Partition) -> Arc<Packed<T>> {
        // A thread that panicked left no entry half done.
        let mut all = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().find(|known| {
            let blocks = known.blocks.iter().map(|(rows, _)| rows.clone());
            known.lines == lines && blocks.eq(partition.blocks())
        });
        if let Some(packed) = known {
            return packed.clone();
        }
        let packed = Arc::new(Packed {
            matrix: self.matrix.clone(),
            lines,
            blocks: partition
                .blocks()
                .map(|rows| (rows, OnceLock::new()))
                .collect(),
        });
        all.push(packed.clone());
        packed
    }
}

impl<T: Scalar> Prepared for Packable<T> {
    fn fill(&self) -> Fill {
        self.fill
    }
}

impl<T: Scalar> Packed<T> {
    /// The panels of a block.
    pub(crate) fn block(&self, number: usize) -> &Panels<T> {
        let (rows, panels) = &self.blocks[number];
        panels.get_or_init(|| Block::new(&self.matrix, rows.clone(), self.lines).pack())
    }

    /// The bytes of all blocks. Packs those that are not packed yet.
    pub(crate) fn bytes(&self) -> usize {
        each(self.blocks.len(), &|number| {
            self.block(number);
        });
        let bytes = |number| {
            let panels = self.block(number);
            size_of_val(&*panels.lines)
                + size_of_val(&*panels.live)
                + size_of_val(&*panels.ends)
                + size_of_val(&*panels.places)
                + size_of_val(&*panels.values)
        };
        (0..self.blocks.len()).map(bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_with_the_same_blocks_share_what_is_packed() {
        let values: Vec<f64> = (0..1000 * 8)
            .map(|i| f64::from(u8::from(i % 3 == 0)))
            .collect();
        let matrix = Packable::of(&Matrix::shared(values.into(), 8));
        let packed = |lines, group_rows, block_rows| {
            let partition = Partition {
                rows: 1000,
                group_rows,
                block_rows,
            };
            matrix
                .as_ref()
                .map(|matrix| matrix.packed(lines, partition))
        };
        let same = |a: &Option<Arc<Packed<f64>>>, b: &Option<Arc<Packed<f64>>>| matches!((a, b), (Some(a), Some(b)) if Arc::ptr_eq(a, b));
        let first = packed(Lines::Rows, 320, 320);
        assert!(same(&first, &packed(Lines::Rows, 640, 320)));
        assert!(!same(&first, &packed(Lines::Columns, 320, 320)));
        assert!(!same(&first, &packed(Lines::Rows, 320, 160)));
        assert!(!same(&first, &packed(Lines::Rows, 480, 320)));
    }
}
