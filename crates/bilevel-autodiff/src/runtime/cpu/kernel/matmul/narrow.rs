//! Products of many rows with few columns. Each element of the large operand is used only a few times, and a general
//! product spends a third of its time packing it. These kernels read it in place.

// Loops over registers are unrolled; an index is clearer here than an iterator.
#![allow(clippy::needless_range_loop)]

use crate::runtime::cpu::kernel::vector::{Kernel, Lanes};
use crate::runtime::cpu::kernel::vectorised::Vectorised;

/// The most columns that are processed together: with two vectors of the large operand, their sums fill the registers.
const AT_ONCE: usize = 6;

/// Numbers of the narrow operand that stay in the first-level cache next to other data.
const STAYING: usize = 4096;

/// Calls the method with the constant C = `$count`, from 1 to 6.
macro_rules! with_count {
    ($count:expr, $self:ident.$method:ident::<$($other:tt),*>($($argument:expr),*)) => {
        match $count {
            1 => $self.$method::<$($other,)* 1>($($argument),*),
            2 => $self.$method::<$($other,)* 2>($($argument),*),
            3 => $self.$method::<$($other,)* 3>($($argument),*),
            4 => $self.$method::<$($other,)* 4>($($argument),*),
            5 => $self.$method::<$($other,)* 5>($($argument),*),
            _ => $self.$method::<$($other,)* 6>($($argument),*),
        }
    };
}

/// How many of the remaining columns to process next, so that all pieces have about the same size.
///
/// Everything from here to the innermost loop is inlined, without closures, so that vector
/// instructions are not calls.
#[inline(always)]
fn next_piece(left: usize) -> usize {
    left.div_ceil(left.div_ceil(AT_ONCE).max(1))
}

/// `c[i, j] (+)= Σ_l a[i, l] · b[l, j]`: rows of a and columns of b are contiguous.
pub(super) struct Dots<T> {
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
    pub(super) a: *const T,
    /// The distance between rows of a; each row is contiguous.
    pub(super) a_row: isize,
    pub(super) b: *const T,
    /// The distance between columns of b; each column is contiguous.
    pub(super) b_column: isize,
    pub(super) c: *mut T,
    pub(super) c_row: isize,
    pub(super) c_column: isize,
    pub(super) add: bool,
}

impl<T: Vectorised> Kernel<T> for Dots<T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        if self.inner * self.columns <= STAYING {
            // All columns stay in the first-level cache: each row is read once.
            let mut row = 0;
            while row < self.rows {
                let mut column = 0;
                while column < self.columns {
                    let count = next_piece(self.columns - column);
                    with_count!(
                        count,
                        self.down::<W>(lanes, (row, (row + 2).min(self.rows)), column)
                    );
                    column += count;
                }
                row += 2;
            }
            return;
        }
        let mut column = 0;
        while column < self.columns {
            let count = next_piece(self.columns - column);
            with_count!(count, self.down::<W>(lanes, (0, self.rows), column));
            column += count;
        }
    }
}

impl<T: Vectorised> Dots<T> {
    /// Some rows and C columns; the columns stay in the first-level cache.
    #[inline(always)]
    fn down<W: Lanes<T>, const C: usize>(
        &self,
        lanes: W,
        (mut row, end): (usize, usize),
        column: usize,
    ) {
        while row + 2 <= end {
            self.tile::<W, 2, C>(lanes, row, column);
            row += 2;
        }
        if row < end {
            self.tile::<W, 1, C>(lanes, row, column);
        }
    }

    #[inline(always)]
    fn tile<W: Lanes<T>, const R: usize, const C: usize>(
        &self,
        lanes: W,
        row: usize,
        column: usize,
    ) {
        let mut a = [self.a; R];
        for i in 0..R {
            a[i] = self.a.wrapping_offset((row + i) as isize * self.a_row);
        }
        let mut b = [self.b; C];
        for j in 0..C {
            b[j] = self
                .b
                .wrapping_offset((column + j) as isize * self.b_column);
        }
        let mut sums = [[lanes.splat(T::zero()); C]; R];
        let whole = self.inner / W::COUNT * W::COUNT;
        let mut l = 0;
        while l < whole {
            // Safety: the plan's guarantee, see `kernel`; a vector from l on is within the row and the column.
            unsafe {
                let mut rows = [lanes.splat(T::zero()); R];
                for i in 0..R {
                    rows[i] = lanes.load(a[i].add(l));
                }
                for j in 0..C {
                    let b = lanes.load(b[j].add(l));
                    for i in 0..R {
                        sums[i][j] = lanes.multiply_add(rows[i], b, sums[i][j]);
                    }
                }
            }
            l += W::COUNT;
        }
        for i in 0..R {
            for j in 0..C {
                let mut sum = lanes.sum(sums[i][j]);
                for l in whole..self.inner {
                    // Safety: as above.
                    unsafe { sum += *a[i].add(l) * *b[j].add(l) };
                }
                let place = (row + i) as isize * self.c_row + (column + j) as isize * self.c_column;
                // Safety: as above.
                unsafe {
                    let c = self.c.offset(place);
                    *c = if self.add { *c + sum } else { sum };
                }
            }
        }
    }
}

/// `c[i, j] (+)= Σ_l a[i, l] · b[l, j]`: columns of a, b and c are contiguous.
pub(super) struct Updates<T> {
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
    pub(super) a: *const T,
    pub(super) a_column: isize,
    pub(super) b: *const T,
    pub(super) b_column: isize,
    pub(super) c: *mut T,
    pub(super) c_column: isize,
    pub(super) add: bool,
}

impl<T: Vectorised> Kernel<T> for Updates<T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        let mut column = 0;
        while column < self.columns {
            let count = next_piece(self.columns - column);
            with_count!(count, self.down::<W>(lanes, column));
            column += count;
        }
    }
}

impl<T: Vectorised> Updates<T> {
    #[inline(always)]
    fn down<W: Lanes<T>, const C: usize>(&self, lanes: W, column: usize) {
        let mut row = 0;
        while row + 2 * W::COUNT <= self.rows {
            self.tile::<W, 2, C>(lanes, row, column);
            row += 2 * W::COUNT;
        }
        if row + W::COUNT <= self.rows {
            self.tile::<W, 1, C>(lanes, row, column);
            row += W::COUNT;
        }
        for i in row..self.rows {
            for j in column..column + C {
                let mut sum = T::zero();
                for l in 0..self.inner {
                    // Safety: the plan's guarantee, see `kernel`.
                    unsafe {
                        let a = *self.a.offset(l as isize * self.a_column).add(i);
                        sum += a * *self.b.offset(j as isize * self.b_column).add(l);
                    }
                }
                // Safety: as above.
                unsafe {
                    let c = self.c.offset(j as isize * self.c_column).add(i);
                    *c = if self.add { *c + sum } else { sum };
                }
            }
        }
    }

    /// V vectors of rows.
    #[inline(always)]
    fn tile<W: Lanes<T>, const V: usize, const C: usize>(
        &self,
        lanes: W,
        row: usize,
        column: usize,
    ) {
        let mut b = [self.b; C];
        for j in 0..C {
            b[j] = self
                .b
                .wrapping_offset((column + j) as isize * self.b_column);
        }
        let mut sums = [[lanes.splat(T::zero()); V]; C];
        let (mut a, mut l) = (self.a.wrapping_add(row), 0);
        while l < self.inner {
            // In fours, so that loop overhead does not take as long as multiplying.
            let fours = l + 4 <= self.inner;
            for u in 0..4 {
                if u > 0 && !fours {
                    break;
                }
                // Safety: the plan's guarantee, see `kernel`; V vectors are within the rows.
                unsafe {
                    let mut rows = [lanes.splat(T::zero()); V];
                    for v in 0..V {
                        rows[v] = lanes.load(a.add(v * W::COUNT));
                    }
                    for j in 0..C {
                        let b = lanes.splat(*b[j].add(u));
                        for v in 0..V {
                            sums[j][v] = lanes.multiply_add(rows[v], b, sums[j][v]);
                        }
                    }
                }
                a = a.wrapping_offset(self.a_column);
            }
            let done = if fours { 4 } else { 1 };
            for j in 0..C {
                b[j] = b[j].wrapping_add(done);
            }
            l += done;
        }
        for (j, sums) in sums.iter().enumerate() {
            let c = self
                .c
                .wrapping_offset((column + j) as isize * self.c_column);
            for (v, &sum) in sums.iter().enumerate() {
                // Safety: as above.
                unsafe {
                    let c = c.add(row + v * W::COUNT);
                    let sum = if self.add {
                        lanes.add(lanes.load(c), sum)
                    } else {
                        sum
                    };
                    lanes.store(c, sum);
                }
            }
        }
    }
}
