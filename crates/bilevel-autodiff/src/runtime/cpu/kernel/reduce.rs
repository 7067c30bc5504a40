//! Sums and maxima.

// Loops over registers are unrolled; an index is clearer here than an iterator.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::frame::Frame;
use super::piece::Piece;
use super::vector::{Kernel, Lanes};
use super::vectorised::{Vectorised, vectorised};
use crate::runtime::cpu::instruction::{Reduce, Reduction};
use crate::runtime::cpu::limits::TERMS;
use crate::runtime::cpu::view::Stride;

/// The most axes of a tensor; the trace refuses more.
const MOST: usize = crate::graph::MOST_AXES;

pub(super) fn run<T: Vectorised>(frame: &Frame<'_, T>, kernel: &Reduce, piece: Piece) {
    match kernel.reduction {
        Reduction::Accumulate => vectorised(Totals { frame, kernel }),
        Reduction::Sum | Reduction::SumOfSums if kernel.lane == Stride::ONE => vectorised(Sums {
            frame,
            kernel,
            piece,
        }),
        Reduction::Sum | Reduction::SumOfSums | Reduction::Max => Arch::new().dispatch(EachRow {
            frame,
            kernel,
            piece,
        }),
    }
}

/// Sums that include the rows of the block, added to those of earlier blocks.
struct Totals<'k, 'f, T> {
    frame: &'k Frame<'f, T>,
    kernel: &'k Reduce,
}

impl<T: Vectorised> Kernel<T> for Totals<'_, '_, T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        let Self { frame, kernel } = self;
        let count = kernel.lanes.at(frame.rows);
        let stride = kernel.lane.at(frame.rows);
        let (from, mut to) = (frame.read(kernel.from), frame.write(kernel.to));
        let (kept, axes) = resolve(&kernel.kept, frame.rows);
        let kept = &kept[..axes];
        let (reduced, axes) = resolve(&kernel.reduced, frame.rows);
        let reduced = &reduced[..axes];
        let mut at_kept = Odometer::new(kept);
        while let Some(offset) = at_kept.next(kept) {
            let from = from.wrapping_offset(offset);
            let mut at_reduced = Odometer::new(reduced);
            let mut sum = T::zero();
            while let Some(offset) = at_reduced.next(reduced) {
                // Safety: the plan's guarantee, see `kernel`.
                sum += unsafe { sum_of(lanes, from.wrapping_offset(offset), count, stride) };
            }
            // Safety: as above; in the first block there is nothing to add to.
            unsafe { *to = if frame.first { sum } else { *to + sum } };
            to = to.wrapping_add(1);
        }
    }
}

/// Sums of contiguous lanes.
struct Sums<'k, 'f, T> {
    frame: &'k Frame<'f, T>,
    kernel: &'k Reduce,
    piece: Piece,
}

impl<T: Vectorised> Kernel<T> for Sums<'_, '_, T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        const VECTORS: usize = 4;
        let Self {
            frame,
            kernel,
            piece,
        } = self;
        let count = kernel.lanes.at(frame.rows);
        let (from, to) = (frame.read(kernel.from), frame.write(kernel.to));
        let (kept, axes) = resolve(&kernel.kept, frame.rows);
        let kept = &kept[..axes];
        let (reduced, axes) = resolve(&kernel.reduced, frame.rows);
        let reduced = &reduced[..axes];
        let at_once = match kernel.reduction {
            Reduction::SumOfSums => usize::MAX,
            Reduction::Sum | Reduction::Max | Reduction::Accumulate => TERMS,
        };
        let terms = (reduced, at_once);
        let places = kept.iter().map(|&(count, _)| count).product();
        let (places, part) = part(piece, places, count);
        let mut at_kept = Odometer::new(kept);
        let mut place = 0;
        while let Some(offset) = at_kept.next(kept) {
            let own = place;
            place += 1;
            if !places.contains(&own) {
                continue;
            }
            let (from, to) = (from.wrapping_offset(offset), to.wrapping_add(own * count));
            let mut lane = part.start;
            while lane < part.end {
                let left = part.end - lane;
                let (from, to) = (from.wrapping_add(lane), to.wrapping_add(lane));
                // Safety: the plan's guarantee, see `kernel`.
                unsafe {
                    if left >= VECTORS * W::COUNT {
                        sums_of::<T, W, VECTORS>(lanes, from, W::COUNT, terms, to);
                        lane += VECTORS * W::COUNT;
                    } else {
                        let live = left.min(W::COUNT);
                        sums_of::<T, W, 1>(lanes, from, live, terms, to);
                        lane += live;
                    }
                }
            }
        }
    }
}

/// Sums of some vectors of lanes; the last vector has `last` lanes.
///
/// # Safety
/// They can be read at all places of `reduced`, and written.
#[inline(always)]
unsafe fn sums_of<T: Vectorised, W: Lanes<T>, const N: usize>(
    lanes: W,
    from: *const T,
    last: usize,
    (reduced, at_once): (&[(usize, isize)], usize),
    to: *mut T,
) {
    let zero = lanes.splat(T::zero());
    let (mut totals, mut sums) = ([zero; N], [zero; N]);
    let mut terms = 0;
    // Safety: required of the caller.
    unsafe {
        let mut at_reduced = Odometer::new(reduced);
        while let Some(offset) = at_reduced.next(reduced) {
            let at = from.wrapping_offset(offset);
            for v in 0..N {
                let at = at.add(v * W::COUNT);
                let term = match v + 1 == N && last < W::COUNT {
                    true => lanes.load_part(at, last),
                    false => lanes.load(at),
                };
                sums[v] = lanes.add(sums[v], term);
            }
            terms += 1;
            if terms == at_once {
                for v in 0..N {
                    totals[v] = lanes.add(totals[v], sums[v]);
                }
                (sums, terms) = ([zero; N], 0);
            }
        }
        for v in 0..N {
            let sum = lanes.add(totals[v], sums[v]);
            let at = to.add(v * W::COUNT);
            match v + 1 == N && last < W::COUNT {
                true => lanes.store_part(at, last, sum),
                false => lanes.store(at, sum),
            }
        }
    }
}

/// Sums of contiguous rows of lanes: those of the r-th [`TERMS`] rows go to the r-th row of `to`.
pub(super) struct RowSums<T> {
    /// The first number of the first row, and the distance between rows.
    pub(super) from: (*const T, usize),
    /// The number of the first row among all rows, and how many there are.
    pub(super) rows: (usize, usize),
    pub(super) lanes: usize,
    /// The first number of the first sum, and the distance between sums.
    pub(super) to: (*mut T, usize),
}

impl<T: Vectorised> Kernel<T> for RowSums<T> {
    #[inline(always)]
    fn run<W: Lanes<T>>(self, lanes: W) {
        const VECTORS: usize = 4;
        let (first, count) = self.rows;
        let mut row = first;
        while row < first + count {
            let next = ((row / TERMS + 1) * TERMS).min(first + count);
            let to = self.to.0.wrapping_add(row / TERMS * self.to.1);
            let from = self.from.0.wrapping_add((row - first) * self.from.1);
            let starts = row % TERMS == 0;
            let rows = (self.from.1, next - row);
            let mut lane = 0;
            while lane < self.lanes {
                let left = self.lanes - lane;
                let (from, to) = (from.wrapping_add(lane), to.wrapping_add(lane));
                // Safety: the plan's guarantee, see `kernel`.
                unsafe {
                    if left >= VECTORS * W::COUNT {
                        add_rows::<T, W, VECTORS>(lanes, from, W::COUNT, rows, (to, starts));
                        lane += VECTORS * W::COUNT;
                    } else {
                        let live = left.min(W::COUNT);
                        add_rows::<T, W, 1>(lanes, from, live, rows, (to, starts));
                        lane += live;
                    }
                }
            }
            row = next;
        }
    }
}

/// Adds some rows, so many numbers apart, to the sums of some vectors of lanes; the last vector has `last` lanes.
///
/// # Safety
/// The rows can be read, the sums read and written.
#[inline(always)]
unsafe fn add_rows<T: Vectorised, W: Lanes<T>, const N: usize>(
    lanes: W,
    from: *const T,
    last: usize,
    (distance, rows): (usize, usize),
    (to, starts): (*mut T, bool),
) {
    let mut sums = [lanes.splat(T::zero()); N];
    let part = last < W::COUNT;
    // Safety: required of the caller.
    unsafe {
        if !starts {
            for v in 0..N {
                let at = to.add(v * W::COUNT);
                sums[v] = match v + 1 == N && part {
                    true => lanes.load_part(at, last),
                    false => lanes.load(at),
                };
            }
        }
        for row in 0..rows {
            for v in 0..N {
                let at = from.add(row * distance + v * W::COUNT);
                let term = match v + 1 == N && part {
                    true => lanes.load_part(at, last),
                    false => lanes.load(at),
                };
                sums[v] = lanes.add(sums[v], term);
            }
        }
        for v in 0..N {
            let at = to.add(v * W::COUNT);
            match v + 1 == N && part {
                true => lanes.store_part(at, last, sums[v]),
                false => lanes.store(at, sums[v]),
            }
        }
    }
}

/// The kept places and the lanes that a piece computes.
fn part(piece: Piece, places: usize, lanes: usize) -> (Range<usize>, Range<usize>) {
    match places >= piece.of {
        true => (piece.of(places, 1), 0..lanes),
        // Two cache lines of single precision.
        false => (0..places, piece.of(lanes, 32)),
    }
}

/// Sums or maxima of each row.
struct EachRow<'k, 'f, T> {
    frame: &'k Frame<'f, T>,
    kernel: &'k Reduce,
    piece: Piece,
}

impl<T: Vectorised> WithSimd for EachRow<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            frame,
            kernel,
            piece,
        } = self;
        let lanes = kernel.lanes.at(frame.rows);
        let lane = kernel.lane.at(frame.rows);
        let (from, to) = (frame.read(kernel.from), frame.write(kernel.to));
        let (kept, count) = resolve(&kernel.kept, frame.rows);
        let kept = &kept[..count];
        let (reduced, count) = resolve(&kernel.reduced, frame.rows);
        let reduced = &reduced[..count];
        let all = lanes;
        let (places, part) = part(piece, kept.iter().map(|&(count, _)| count).product(), all);
        let lanes = part.len();
        let mut place = 0;
        let mut at_kept = Odometer::new(kept);
        while let Some(offset) = at_kept.next(kept) {
            let own = place;
            place += 1;
            if !places.contains(&own) {
                continue;
            }
            let from = from.wrapping_offset(offset + lane * part.start as isize);
            let mut at_reduced = Odometer::new(reduced);
            // Safety: the plan's guarantee, see `kernel`.
            let out =
                unsafe { std::slice::from_raw_parts_mut(to.add(own * all + part.start), lanes) };
            let sums = kernel.reduction != Reduction::Max;
            out.fill(if sums { T::zero() } else { T::neg_infinity() });
            while let Some(offset) = at_reduced.next(reduced) {
                let from = from.wrapping_offset(offset);
                if lane == 1 {
                    // Safety: as above.
                    let from = unsafe { std::slice::from_raw_parts(from, lanes) };
                    if sums {
                        for l in 0..lanes {
                            out[l] += from[l];
                        }
                    } else {
                        for l in 0..lanes {
                            out[l] = larger(out[l], from[l]);
                        }
                    }
                } else {
                    for (l, out) in out.iter_mut().enumerate() {
                        // Safety: as above.
                        let a = unsafe { *from.offset(lane * l as isize) };
                        *out = if sums { *out + a } else { larger(*out, a) };
                    }
                }
            }
        }
    }
}

/// Iterates over all places of some axes, without a closure, which would not be compiled for the vectors of the
/// machine.
struct Odometer {
    left: usize,
    at: [usize; MOST],
    offset: isize,
}

impl Odometer {
    #[inline(always)]
    fn new(axes: &[(usize, isize)]) -> Self {
        Self {
            left: axes.iter().map(|&(count, _)| count).product(),
            at: [0; MOST],
            offset: 0,
        }
    }

    #[inline(always)]
    fn next(&mut self, axes: &[(usize, isize)]) -> Option<isize> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let offset = self.offset;
        for (place, &(count, stride)) in axes.iter().enumerate().rev() {
            self.at[place] += 1;
            self.offset += stride;
            if self.at[place] < count {
                break;
            }
            self.offset -= stride * count as isize;
            self.at[place] = 0;
        }
        Some(offset)
    }
}

/// The maximum; a NaN stays NaN.
#[inline(always)]
fn larger<T: Vectorised>(top: T, a: T) -> T {
    if a > top || a.is_nan() { a } else { top }
}

/// Sums in four vectors of partial sums.
///
/// # Safety
/// `count` numbers, `stride` apart, can be read from `from` on.
#[inline(always)]
unsafe fn sum_of<T: Vectorised, W: Lanes<T>>(
    lanes: W,
    from: *const T,
    count: usize,
    stride: isize,
) -> T {
    const VECTORS: usize = 4;
    let mut total = T::zero();
    let mut i = 0;
    // Safety: required of the caller.
    unsafe {
        if stride == 1 {
            let mut sums = [lanes.splat(T::zero()); VECTORS];
            while i + VECTORS * W::COUNT <= count {
                for v in 0..VECTORS {
                    sums[v] = lanes.add(sums[v], lanes.load(from.add(i + v * W::COUNT)));
                }
                i += VECTORS * W::COUNT;
            }
            let halves = [lanes.add(sums[0], sums[1]), lanes.add(sums[2], sums[3])];
            total = lanes.sum(lanes.add(halves[0], halves[1]));
        }
        while i < count {
            total += *from.offset(stride * i as isize);
            i += 1;
        }
    }
    total
}

/// The axes with their strides in this block; axes that continue each other are merged.
#[inline(always)]
fn resolve(axes: &[(usize, Stride)], rows: usize) -> ([(usize, isize); MOST], usize) {
    let mut resolved = [(1, 0); MOST];
    let mut len = 0;
    for &(count, stride) in axes {
        let stride = stride.at(rows);
        if count == 1 {
            continue;
        }
        if len > 0 && resolved[len - 1].1 == stride * count as isize {
            resolved[len - 1] = (resolved[len - 1].0 * count, stride);
        } else {
            resolved[len] = (count, stride);
            len += 1;
        }
    }
    (resolved, len)
}
