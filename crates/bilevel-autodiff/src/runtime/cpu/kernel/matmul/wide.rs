//! Products with one operand that stays in the second-level cache. It is read in place; a general product packs both
//! operands.

// Loops over registers are unrolled; an index is clearer here than an iterator.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use crate::runtime::cpu::kernel::vector::{Kernel, Lanes};
use crate::runtime::cpu::kernel::vectorised::Vectorised;

/// The fewest columns: from here on, every number of columns splits into pieces of five and six.
pub(super) const LEAST_COLUMNS: usize = 20;

/// The most terms that are summed at once.
const MOST_INNER: usize = 128;

/// Numbers in the rows that are processed together: half of the first-level cache.
const STRIP: usize = 4096;

/// `c[i, j] (+)= Σ_l a[i, l] · b[l, j]`: columns of c are contiguous, and rows or columns of b. The rows of a are
/// packed one strip at a time.
pub(super) struct Wide<T> {
    pub(super) rows: usize,
    pub(super) inner: usize,
    pub(super) columns: usize,
    pub(super) a: *const T,
    pub(super) a_row: isize,
    pub(super) a_column: isize,
    pub(super) b: *const T,
    pub(super) b_row: isize,
    pub(super) b_column: isize,
    pub(super) c: *mut T,
    pub(super) c_column: isize,
    pub(super) add: bool,
}

/// Packed rows, aligned so that no vector crosses a cache line.
#[repr(align(64))]
struct Strip<T>([MaybeUninit<T>; STRIP]);

/// Some packed rows of a: two vectors of them for each of `inner`.
#[derive(Clone, Copy)]
struct Tile<T> {
    start: *const T,
    /// The range summed over: its first index, and its length.
    first: usize,
    inner: usize,
    /// The first row, and the number of rows.
    row: usize,
    live: usize,
}

impl<T: Vectorised> Kernel<T> for Wide<T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        if self.b_column == 1 {
            self.all::<W, true>(lanes);
        } else {
            self.all::<W, false>(lanes);
        }
    }
}

impl<T: Vectorised> Wide<T> {
    /// `SIDE`: rows of b are contiguous; otherwise columns are.
    #[inline(always)]
    fn all<W: Lanes<T>, const SIDE: bool>(&self, lanes: W) {
        let mut memory = Strip([const { MaybeUninit::<T>::uninit() }; STRIP]);
        let packed = memory.0.as_mut_ptr().cast::<T>();
        let tile = 2 * W::COUNT;
        let mut first = 0;
        while first < self.inner {
            let left = self.inner - first;
            let inner = left.div_ceil(left.div_ceil(MOST_INNER));
            let at_once = STRIP / inner / tile * tile;
            let mut row = 0;
            while row < self.rows {
                let height = at_once.min(self.rows - row);
                self.strip::<W, SIDE>(lanes, packed, (first, inner), (row, height));
                row += height;
            }
            first += inner;
        }
    }

    /// Computes some rows of all columns.
    #[inline(always)]
    fn strip<W: Lanes<T>, const SIDE: bool>(
        &self,
        lanes: W,
        packed: *mut T,
        (first, inner): (usize, usize),
        (row, height): (usize, usize),
    ) {
        let tile = 2 * W::COUNT;
        let mut at = 0;
        while at < height {
            let to = packed.wrapping_add(at * inner);
            self.pack::<W>(lanes, (first, inner), (row + at, tile.min(height - at)), to);
            at += tile;
        }
        let mut column = 0;
        while column < self.columns {
            let left = self.columns - column;
            let six = left.div_ceil(left.div_ceil(6)) == 6;
            let mut at = 0;
            while at < height {
                let rows = Tile {
                    start: packed.cast_const().wrapping_add(at * inner),
                    first,
                    inner,
                    row: row + at,
                    live: tile.min(height - at),
                };
                match (six, rows.live > W::COUNT) {
                    (true, true) => self.tile::<W, SIDE, 2, 6>(lanes, rows, column),
                    (true, false) => self.tile::<W, SIDE, 1, 6>(lanes, rows, column),
                    (false, true) => self.tile::<W, SIDE, 2, 5>(lanes, rows, column),
                    (false, false) => self.tile::<W, SIDE, 1, 5>(lanes, rows, column),
                }
                at += tile;
            }
            column += if six { 6 } else { 5 };
        }
    }

    /// Packs two vectors of rows for each of `inner`, one after the other, with zeros for missing rows.
    #[inline(always)]
    fn pack<W: Lanes<T>>(
        &self,
        lanes: W,
        (first, inner): (usize, usize),
        (row, live): (usize, usize),
        to: *mut T,
    ) {
        let tile = 2 * W::COUNT;
        let from = self
            .a
            .wrapping_offset(row as isize * self.a_row + first as isize * self.a_column);
        let whole = live == tile;
        for l in 0..inner {
            let from = from.wrapping_offset(l as isize * self.a_column);
            let to = to.wrapping_add(l * tile);
            // Safety: the plan's guarantee, see `kernel`; a strip has room for `tile` rows of `inner`
            // numbers at every multiple of this size.
            unsafe {
                if whole && self.a_row == 1 {
                    lanes.store(to, lanes.load(from));
                    lanes.store(to.add(W::COUNT), lanes.load(from.add(W::COUNT)));
                    continue;
                }
                if whole {
                    // A loop length that the compiler knows.
                    for i in 0..2 * W::COUNT {
                        to.add(i).write(*from.offset(i as isize * self.a_row));
                    }
                    continue;
                }
                for i in 0..live {
                    to.add(i).write(*from.offset(i as isize * self.a_row));
                }
                for i in live..tile {
                    to.add(i).write(T::zero());
                }
            }
        }
    }

    /// V vectors of rows, C columns.
    #[inline(always)]
    fn tile<W: Lanes<T>, const SIDE: bool, const V: usize, const C: usize>(
        &self,
        lanes: W,
        rows: Tile<T>,
        column: usize,
    ) {
        let start = self
            .b
            .wrapping_offset(rows.first as isize * self.b_row + column as isize * self.b_column);
        let mut b = [start; C];
        for j in 0..C {
            b[j] = start.wrapping_offset(j as isize * if SIDE { 1 } else { self.b_column });
        }
        let mut sums = [[lanes.splat(T::zero()); V]; C];
        let (mut a, mut l) = (rows.start, 0);
        while l < rows.inner {
            // In fours, so that loop overhead does not take as long as multiplying.
            let fours = l + 4 <= rows.inner;
            for u in 0..4 {
                if u > 0 && !fours {
                    break;
                }
                // Safety: the plan's guarantee, see `kernel`; two vectors are packed for each of `inner`.
                unsafe {
                    let mut vectors = [lanes.splat(T::zero()); V];
                    for v in 0..V {
                        vectors[v] = lanes.load(a.add(v * W::COUNT));
                    }
                    for j in 0..C {
                        let b = lanes.splat(*if SIDE { b[0].add(j) } else { b[j].add(u) });
                        for v in 0..V {
                            sums[j][v] = lanes.multiply_add(vectors[v], b, sums[j][v]);
                        }
                    }
                }
                a = a.wrapping_add(2 * W::COUNT);
                if SIDE {
                    b[0] = b[0].wrapping_offset(self.b_row);
                }
            }
            let done = if fours { 4 } else { 1 };
            if !SIDE {
                for j in 0..C {
                    b[j] = b[j].wrapping_add(done);
                }
            }
            l += done;
        }
        let c = self
            .c
            .wrapping_offset(column as isize * self.c_column)
            .wrapping_add(rows.row);
        let whole = rows.live == V * W::COUNT;
        match (whole, self.add || rows.first > 0) {
            (true, false) => {
                for j in 0..C {
                    let c = c.wrapping_offset(j as isize * self.c_column);
                    for v in 0..V {
                        // Safety: as above.
                        unsafe { lanes.store(c.add(v * W::COUNT), sums[j][v]) };
                    }
                }
            }
            (true, true) => {
                for j in 0..C {
                    let c = c.wrapping_offset(j as isize * self.c_column);
                    for v in 0..V {
                        // Safety: as above.
                        unsafe {
                            let c = c.add(v * W::COUNT);
                            lanes.store(c, lanes.add(lanes.load(c), sums[j][v]));
                        }
                    }
                }
            }
            (false, add) => {
                for j in 0..C {
                    let c = c.wrapping_offset(j as isize * self.c_column);
                    for v in 0..V {
                        let live = rows.live.saturating_sub(v * W::COUNT).min(W::COUNT);
                        // Safety: as above; the first `live` numbers of the vector belong to c.
                        unsafe {
                            let c = c.add(v * W::COUNT);
                            let sum = if add {
                                lanes.add(lanes.load_part(c, live), sums[j][v])
                            } else {
                                sums[j][v]
                            };
                            lanes.store_part(c, live, sum);
                        }
                    }
                }
            }
        }
    }
}
