//! Products of a packed matrix of data, of which the zeros are left out, with strips of columns.

// Loops over registers, which are unrolled: an index says more than an iterator.
#![allow(clippy::needless_range_loop)]

use super::narrow::Kernel;
use crate::cpu::Real;
use crate::cpu::vector::Lanes;
use crate::sparse::{HEIGHT, Panels};

/// Vectors of a strip.
const VECTORS: usize = 2;

/// Numbers of the longest strip: of two vectors of 64 bytes, for the smaller type of number.
const MOST_STRIP: usize = VECTORS * 16;

/// How many columns a strip has on this machine.
pub(super) struct Strip<'a>(pub(super) &'a mut usize);

impl<T: Real> Kernel<T> for Strip<'_> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, _: W) {
        *self.0 = VECTORS * W::COUNT;
    }
}

/// Where the other operand is.
#[derive(Clone, Copy)]
pub(super) enum Other<T> {
    /// Strips that are packed already, one after the other.
    Strips {
        start: *const T,
        /// From one strip to the next.
        strip: usize,
    },
    /// A matrix whose strips are packed one at a time.
    Matrix {
        start: *const T,
        rows: usize,
        row: isize,
        column: isize,
        /// Memory of one strip.
        strip: *mut T,
    },
}

/// `c[line, j] (+)= Σ_l panels[line, l] · b[l, j]`.
pub(super) struct Sparse<'a, T> {
    pub(super) panels: &'a Panels<T>,
    pub(super) b: Other<T>,
    pub(super) columns: usize,
    pub(super) c: *mut T,
    pub(super) c_row: isize,
    pub(super) c_column: isize,
    pub(super) add: bool,
}

impl<T: Real> Kernel<T> for Sparse<'_, T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        let width = VECTORS * W::COUNT;
        for strip in 0..self.columns.div_ceil(width) {
            let first = strip * width;
            let live = width.min(self.columns - first);
            let b = match self.b {
                Other::Strips { start, strip: len } => start.wrapping_add(strip * len),
                Other::Matrix { strip, .. } => {
                    self.pack(first, live, width);
                    strip.cast_const()
                }
            };
            let mut begin = 0;
            for (panel, &end) in self.panels.ends.iter().enumerate() {
                let end = end as usize;
                self.tile(lanes, (panel, begin..end), b, first, live);
                begin = end;
            }
        }
    }
}

impl<T: Real> Sparse<'_, T> {
    /// Packs `live` columns from `first` on into the strip, row by row.
    #[inline(always)]
    fn pack(&self, first: usize, live: usize, width: usize) {
        let Other::Matrix {
            start,
            rows,
            row,
            column,
            strip,
        } = self.b
        else {
            return;
        };
        for j in 0..width {
            let from = start.wrapping_offset((first + j) as isize * column);
            for l in 0..rows {
                let to = strip.wrapping_add(l * width + j);
                // Safety: the plan's guarantee, see the head of the module; a strip has `width` numbers for
                // each row.
                unsafe {
                    to.write(if j < live {
                        from.offset(l as isize * row).read()
                    } else {
                        T::zero()
                    });
                }
            }
        }
    }

    /// One panel, one strip.
    #[inline(always)]
    fn tile<W: Lanes<T>>(
        &self,
        lanes: W,
        (panel, range): (usize, std::ops::Range<usize>),
        b: *const T,
        first: usize,
        live: usize,
    ) {
        let width = VECTORS * W::COUNT;
        let mut sums = [[lanes.splat(T::zero()); VECTORS]; HEIGHT];
        let values = self.panels.values[range.start * HEIGHT..range.end * HEIGHT].as_ptr();
        for (number, &place) in self.panels.places[range].iter().enumerate() {
            let (a, b) = (
                values.wrapping_add(number * HEIGHT),
                b.wrapping_add(place as usize * width),
            );
            // Safety: a panel has HEIGHT values for each of its places, and a strip `width` numbers for each place
            // that there can be.
            unsafe {
                let mut vectors = [lanes.splat(T::zero()); VECTORS];
                for v in 0..VECTORS {
                    vectors[v] = lanes.load(b.add(v * W::COUNT));
                }
                for i in 0..HEIGHT {
                    let a = lanes.splat(*a.add(i));
                    for v in 0..VECTORS {
                        sums[i][v] = lanes.multiply_add(a, vectors[v], sums[i][v]);
                    }
                }
            }
        }
        let to = self.c.wrapping_offset(first as isize * self.c_column);
        let lines = &self.panels.lines[panel][..usize::from(self.panels.live[panel])];
        if self.c_column == 1 && live == width {
            for (i, &line) in lines.iter().enumerate() {
                let to = to.wrapping_offset(line as isize * self.c_row);
                for v in 0..VECTORS {
                    // Safety: the plan's guarantee: the line is one of c, and `width` columns are left.
                    unsafe {
                        let to = to.add(v * W::COUNT);
                        let sum = if self.add {
                            lanes.add(lanes.load(to), sums[i][v])
                        } else {
                            sums[i][v]
                        };
                        lanes.store(to, sum);
                    }
                }
            }
            return;
        }
        let mut all = [[T::zero(); MOST_STRIP]; HEIGHT];
        for i in 0..HEIGHT {
            for v in 0..VECTORS {
                // Safety: a strip is at most MOST_STRIP numbers.
                unsafe { lanes.store(all[i].as_mut_ptr().add(v * W::COUNT), sums[i][v]) };
            }
        }
        for j in 0..live {
            let to = to.wrapping_offset(j as isize * self.c_column);
            for (sums, &line) in all.iter().zip(lines) {
                // Safety: as above.
                unsafe {
                    let to = to.offset(line as isize * self.c_row);
                    *to = if self.add { *to + sums[j] } else { sums[j] };
                }
            }
        }
    }
}
