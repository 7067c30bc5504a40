//! Products of many rows with few columns. Each element of the large operand is used only a few times, and a general
//! product spends a third of its time packing it. These kernels read it in place.

// Loops over registers are unrolled; an index is clearer here than an iterator.
#![allow(clippy::needless_range_loop)]

use crate::runtime::cpu::kernel::vector::{Kernel, Lanes, prefetch};
use crate::runtime::cpu::kernel::vectorised::Vectorised;

/// The most columns that are processed together: with two vectors of the large operand, their sums fill the registers.
const fn at_once(many_registers: bool) -> usize {
    if many_registers { 12 } else { 6 }
}

/// Numbers of the narrow operand that stay in the first-level cache next to other data.
const STAYING: usize = 4096;

/// How many terms of a sum ahead the large operand is fetched where these are far apart.
const AHEAD: isize = 8;

/// Calls the method with the constant C = `$count`, of those that [`next_piece`] gives.
macro_rules! with_count {
    ($count:expr, $self:ident.$method:ident::<$lanes:ident>($($argument:expr),*)) => {
        match $count {
            1 => $self.$method::<$lanes, 1>($($argument),*),
            2 => $self.$method::<$lanes, 2>($($argument),*),
            3 => $self.$method::<$lanes, 3>($($argument),*),
            4 => $self.$method::<$lanes, 4>($($argument),*),
            5 => $self.$method::<$lanes, 5>($($argument),*),
            6 => $self.$method::<$lanes, 6>($($argument),*),
            // Only where registers hold so many.
            8 if $lanes::MANY => $self.$method::<$lanes, 8>($($argument),*),
            10 if $lanes::MANY => $self.$method::<$lanes, 10>($($argument),*),
            _ if $lanes::MANY => $self.$method::<$lanes, 12>($($argument),*),
            _ => {}
        }
    };
}

/// How many of the remaining columns to process next, so that all pieces have about the same size. From 6 on it is even:
/// each size is code of its own.
///
/// Everything from here to the innermost loop is inlined, without closures, so that vector
/// instructions are not calls.
#[inline(always)]
fn next_piece(left: usize, many_registers: bool) -> usize {
    let piece = left.div_ceil(left.div_ceil(at_once(many_registers)).max(1));
    match piece {
        7 | 9 | 11 if left == piece => piece.div_ceil(2),
        7 | 9 | 11 => piece + 1,
        _ => piece,
    }
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
                    let count = next_piece(self.columns - column, W::MANY);
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
            let count = next_piece(self.columns - column, W::MANY);
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
                    // The rows after these.
                    prefetch(
                        a[i].wrapping_add(l)
                            .wrapping_offset(R as isize * self.a_row),
                    );
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
        let rest = self.inner - whole;
        if rest > 0 {
            // Safety: as above, for the rest of the row and the column.
            unsafe {
                let mut rows = [lanes.splat(T::zero()); R];
                for i in 0..R {
                    rows[i] = lanes.load_part(a[i].add(whole), rest);
                }
                for j in 0..C {
                    let b = lanes.load_part(b[j].add(whole), rest);
                    for i in 0..R {
                        sums[i][j] = lanes.multiply_add(rows[i], b, sums[i][j]);
                    }
                }
            }
        }
        for i in 0..R {
            for j in 0..C {
                let sum = lanes.sum(sums[i][j]);
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
            let count = next_piece(self.columns - column, W::MANY);
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
            self.tile::<W, 2, C, false>(lanes, row, column);
            row += 2 * W::COUNT;
        }
        if row + W::COUNT <= self.rows {
            self.tile::<W, 1, C, false>(lanes, row, column);
            row += W::COUNT;
        }
        if row < self.rows {
            self.tile::<W, 1, C, true>(lanes, row, column);
        }
    }

    /// V vectors of rows; with PART, the rows that are left, which are less than one vector.
    #[inline(always)]
    fn tile<W: Lanes<T>, const V: usize, const C: usize, const PART: bool>(
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
        let live = self.rows - row;
        let mut sums = [[lanes.splat(T::zero()); V]; C];
        let (mut a, mut l) = (self.a.wrapping_add(row), 0);
        while l < self.inner {
            // In fours, so that loop overhead does not take as long as multiplying.
            let fours = l + 4 <= self.inner;
            for u in 0..4 {
                if u > 0 && !fours {
                    break;
                }
                // Safety: the plan's guarantee, see `kernel`; V vectors, or the live rows, are within the rows.
                unsafe {
                    let mut rows = [lanes.splat(T::zero()); V];
                    for v in 0..V {
                        let a = a.add(v * W::COUNT);
                        prefetch(a.wrapping_offset(AHEAD * self.a_column));
                        rows[v] = if PART {
                            lanes.load_part(a, live)
                        } else {
                            lanes.load(a)
                        };
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
                    match (PART, self.add) {
                        (true, true) => {
                            let sum = lanes.add(lanes.load_part(c, live), sum);
                            lanes.store_part(c, live, sum);
                        }
                        (true, false) => lanes.store_part(c, live, sum),
                        (false, true) => lanes.store(c, lanes.add(lanes.load(c), sum)),
                        (false, false) => lanes.store(c, sum),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::cpu::kernel::vectorised::vectorised;

    /// A number that no kernel may overwrite.
    const GUARD: f64 = 1e30;

    fn numbers(count: usize, seed: usize) -> Vec<f64> {
        (0..count)
            .map(|i| ((i * 7 + seed * 13) % 11) as f64 - 5.0)
            .collect()
    }

    /// `c[i, j] + Σ_l a[i, l] · b[l, j]` with rows of a and columns of b contiguous, column by column.
    fn expected(
        (rows, inner, columns): (usize, usize, usize),
        a: &[f64],
        b: &[f64],
        start: f64,
    ) -> Vec<f64> {
        let mut c = Vec::new();
        for j in 0..columns {
            for i in 0..rows {
                let terms = (0..inner).map(|l| a[i * inner + l] * b[j * inner + l]);
                c.push(start + terms.sum::<f64>());
            }
        }
        c
    }

    fn of_every_length<T: Vectorised>() {
        let convert =
            |values: &[f64]| -> Vec<T> { values.iter().map(|&v| T::from_f64(v)).collect() };
        for rows in (1..=35).step_by(2).chain([16, 32]) {
            for inner in (1..=35).step_by(3).chain([16, 32]) {
                for (columns, add) in (1..=26).map(|columns| (columns, columns % 3 == 0)) {
                    let (a, b) = (numbers(rows * inner, 1), numbers(inner * columns, 2));
                    let start = if add { 3.0 } else { 0.0 };
                    let expected = expected((rows, inner, columns), &a, &b, start);
                    let across: Vec<f64> = (0..inner * rows)
                        .map(|at| a[at % rows * inner + at / rows])
                        .collect();
                    let (a, across, b) = (convert(&a), convert(&across), convert(&b));
                    let mut c = vec![T::from_f64(if add { 3.0 } else { 9.0 }); rows * columns];
                    c.push(T::from_f64(GUARD));
                    let mut sums = c.clone();
                    vectorised(Dots {
                        rows,
                        inner,
                        columns,
                        a: a.as_ptr(),
                        a_row: inner as isize,
                        b: b.as_ptr(),
                        b_column: inner as isize,
                        c: c.as_mut_ptr(),
                        c_row: 1,
                        c_column: rows as isize,
                        add,
                    });
                    vectorised(Updates {
                        rows,
                        inner,
                        columns,
                        a: across.as_ptr(),
                        a_column: rows as isize,
                        b: b.as_ptr(),
                        b_column: inner as isize,
                        c: sums.as_mut_ptr(),
                        c_column: rows as isize,
                        add,
                    });
                    let mut expected = convert(&expected);
                    expected.push(T::from_f64(GUARD));
                    assert_eq!(c, expected, "dots {rows} {inner} {columns}");
                    assert_eq!(sums, expected, "updates {rows} {inner} {columns}");
                }
            }
        }
    }

    #[test]
    fn lengths_that_are_no_whole_vectors() {
        of_every_length::<f32>();
        of_every_length::<f64>();
    }
}
