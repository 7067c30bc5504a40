//! Products of a packed data matrix, without its zeros, with strips of columns.

// Loops over registers are unrolled; an index is clearer here than an iterator.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use crate::runtime::cpu::kernel::vector::{Kernel, Lanes};
use crate::runtime::cpu::kernel::vectorised::Vectorised;
use crate::runtime::cpu::limits::{HEIGHT, STRIP_VECTORS as VECTORS};
use crate::runtime::cpu::packed::Panels;

/// The columns of the widest strip: two vectors of 64 bytes, of the smaller number type.
const MOST_STRIP: usize = VECTORS * 16;

/// The other operand.
#[derive(Clone, Copy)]
pub(super) enum Other<T> {
    /// Strips that are already packed, one after the other.
    Strips {
        start: *const T,
        /// The distance from one strip to the next.
        len: usize,
    },
    /// A matrix whose strips are packed one at a time.
    Matrix {
        start: *const T,
        rows: usize,
        row: isize,
        column: isize,
    },
}

/// `c[line, j] (+)= Σ_l panels[line, l] · b[l, j]`.
pub(super) struct PackedProduct<'a, T> {
    pub(super) panels: &'a Panels<T>,
    pub(super) lines: usize,
    pub(super) columns: usize,
    pub(super) b: Other<T>,
    pub(super) c: *mut T,
    pub(super) c_row: isize,
    pub(super) c_column: isize,
    pub(super) add: bool,
    /// Memory of one strip: of b if it is not packed, otherwise of c.
    pub(super) strip: *mut T,
}

/// Where the sums of a strip go.
#[derive(Clone, Copy)]
struct Target<T> {
    start: *mut T,
    /// The distance from one line to the next.
    line: isize,
    columns: usize,
    add: bool,
}

impl<T: Vectorised> Kernel<T> for PackedProduct<'_, T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        let width = VECTORS * W::COUNT;
        for strip in 0..self.columns.div_ceil(width) {
            let first = strip * width;
            let columns = width.min(self.columns - first);
            let b = match self.b {
                Other::Strips { start, len } => start.wrapping_add(strip * len),
                Other::Matrix {
                    start,
                    rows,
                    row,
                    column,
                } => {
                    let start = start.wrapping_offset(first as isize * column);
                    self.pack::<W>(start, (row, column), (rows, columns));
                    self.strip.cast_const()
                }
            };
            let to = self.c.wrapping_offset(first as isize * self.c_column);
            // Sums that are not contiguous in c are written once all of them are computed.
            let later = self.c_column != 1 && matches!(self.b, Other::Strips { .. });
            let target = if later {
                Target {
                    start: self.strip,
                    line: width as isize,
                    columns: width,
                    add: false,
                }
            } else {
                Target {
                    start: to,
                    line: self.c_row,
                    columns,
                    add: self.add,
                }
            };
            let mut begin = 0;
            for (panel, &end) in self.panels.ends.iter().enumerate() {
                let end = end as usize;
                self.tile(lanes, (panel, begin..end), b, target);
                begin = end;
            }
            if later {
                self.unpack::<W>(to, columns);
            }
        }
    }
}

impl<T: Vectorised> PackedProduct<'_, T> {
    /// Packs columns into the strip, row by row.
    #[inline(always)]
    fn pack<W: Lanes<T>>(
        &self,
        start: *const T,
        (row, column): (isize, isize),
        (rows, columns): (usize, usize),
    ) {
        let width = VECTORS * W::COUNT;
        let mut places = [start; MOST_STRIP];
        for (j, place) in places.iter_mut().enumerate() {
            // Columns beyond the last one are multiplied too, but not used.
            *place = start.wrapping_offset(j.min(columns - 1) as isize * column);
        }
        for l in 0..rows {
            let to = self.strip.wrapping_add(l * width);
            for j in 0..width {
                // Safety: the plan's guarantee, see `kernel`; a strip has `width` numbers for each row.
                unsafe { to.add(j).write(*places[j].offset(l as isize * row)) };
            }
        }
    }

    /// Writes the strip to columns of c.
    #[inline(always)]
    fn unpack<W: Lanes<T>>(&self, to: *mut T, columns: usize) {
        let width = VECTORS * W::COUNT;
        for j in 0..columns {
            let to = to.wrapping_offset(j as isize * self.c_column);
            let from = self.strip.cast_const().wrapping_add(j);
            // Safety: the plan's guarantee, see `kernel`; a strip has `width` numbers for each line.
            unsafe {
                for line in 0..self.lines {
                    let to = to.offset(line as isize * self.c_row);
                    let sum = *from.add(line * width);
                    *to = if self.add { *to + sum } else { sum };
                }
            }
        }
    }

    /// Multiplies one panel by one strip.
    #[inline(always)]
    fn tile<W: Lanes<T>>(
        &self,
        lanes: W,
        (panel, range): (usize, Range<usize>),
        b: *const T,
        target: Target<T>,
    ) {
        let width = VECTORS * W::COUNT;
        let mut sums = [[lanes.splat(T::zero()); VECTORS]; HEIGHT];
        let values = self.panels.values[range.start * HEIGHT..range.end * HEIGHT].as_ptr();
        for (number, &place) in self.panels.places[range].iter().enumerate() {
            let (a, b) = (
                values.wrapping_add(number * HEIGHT),
                b.wrapping_add(place as usize * width),
            );
            // Safety: a panel has HEIGHT values for each of its places, and a strip has `width` numbers for each
            // possible place.
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
        let live = usize::from(self.panels.live[panel]);
        let whole = target.columns == width;
        for (i, &line) in self.panels.lines[panel][..live].iter().enumerate() {
            let to = target.start.wrapping_offset(line as isize * target.line);
            if whole {
                for v in 0..VECTORS {
                    // Safety: the plan's guarantee: the line belongs to c or to the strip, and has `width` more
                    // columns.
                    unsafe {
                        let to = to.add(v * W::COUNT);
                        let sum = if target.add {
                            lanes.add(lanes.load(to), sums[i][v])
                        } else {
                            sums[i][v]
                        };
                        lanes.store(to, sum);
                    }
                }
                continue;
            }
            let mut all = [T::zero(); MOST_STRIP];
            for v in 0..VECTORS {
                // Safety: a strip has at most MOST_STRIP columns.
                unsafe { lanes.store(all.as_mut_ptr().add(v * W::COUNT), sums[i][v]) };
            }
            for (j, &sum) in all[..target.columns].iter().enumerate() {
                // Safety: as above, for the existing columns. They are contiguous or go to the strip.
                unsafe {
                    let to = to.offset(j as isize * self.c_column);
                    *to = if target.add { *to + sum } else { sum };
                }
            }
        }
    }
}
