//! Whether a packed product is faster than a dense one. This depends on its shape, the fill of its panels and the
//! length of the machine's vectors, never on timing, so that a machine always gives the same bits.

use crate::runtime::cpu::limits::{MOST_COLUMNS, STRIP_VECTORS};

/// A product of packed lines with a matrix of `columns` columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    /// The fraction of its numbers that the panels keep.
    pub(crate) fill: f64,
    pub(crate) columns: usize,
    /// Numbers in a vector, and bytes of one number.
    pub(crate) lanes: usize,
    pub(crate) size: usize,
}

impl Product {
    /// Whether it is faster than the dense product: its strips of whole vectors may do at most `break_even` of the
    /// dense work.
    pub(crate) fn is_worth_it(self) -> bool {
        let strip = (STRIP_VECTORS * self.lanes).max(1);
        let work = self.fill * self.columns.next_multiple_of(strip) as f64;
        work <= self.break_even() * self.columns as f64
    }

    /// The fraction of the dense work that a packed product does in the time of the whole dense product.
    ///
    /// Vectors of up to 32 bytes: measured on an AVX2 machine. A wide dense product runs at the machine's peak; a panel
    /// reads two vectors of the strip for its eight multiplications, at places that it has to look up. A narrow dense
    /// product waits for memory, so there a panel only has to do less work.
    ///
    /// Vectors of 64 bytes: a dense kernel does twice the work per instruction, and its rows start at cache lines. So
    /// does a panel, but the strip that it reads is twice as long (84 kB instead of 42 kB in f32 for the 655 nonempty
    /// columns of MNIST), comes from the second-level cache, and needs 128 bytes per place. The width of that cache
    /// allows about 1.4 times the work in the same time instead of twice, so the break-even falls by 1.4 / 2. Measured
    /// on one AVX-512 machine with two cores: 5 000 rows of MNIST, softmax, K = 100, reverse, take 376 ms with empty
    /// columns left out and products packed by the break-even of 32 bytes, and 270 ms with neither.
    fn break_even(self) -> f64 {
        let (narrow, long) = (self.columns <= MOST_COLUMNS, self.lanes * self.size > 32);
        match (narrow, long) {
            (true, false) => 1.0,
            (false, false) | (true, true) => 0.7,
            (false, true) => 0.5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest fill that is worth it, in percent.
    fn most(columns: usize, lanes: usize, size: usize) -> Option<u32> {
        (0..=100).rev().find(|&percent| {
            let fill = f64::from(percent) / 100.0;
            Product {
                fill,
                columns,
                lanes,
                size,
            }
            .is_worth_it()
        })
    }

    #[test]
    fn the_break_even_follows_the_vectors() {
        // Strips of 16 columns in f32 and of 8 in f64.
        assert_eq!(most(10, 8, 4), Some(62));
        assert_eq!(most(16, 8, 4), Some(100));
        assert_eq!(most(304, 8, 4), Some(70));
        assert_eq!(most(304, 4, 8), Some(70));
        // Strips of 32 columns in f32 and of 16 in f64.
        assert_eq!(most(10, 16, 4), Some(21));
        assert_eq!(most(32, 16, 4), Some(70));
        assert_eq!(most(320, 16, 4), Some(50));
        assert_eq!(most(320, 8, 8), Some(50));
    }
}
