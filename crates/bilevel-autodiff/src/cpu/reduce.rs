//! Sums and maxima.

use pulp::{Arch, Simd, WithSimd};

use super::{Frame, Real};
use crate::plan::instruction::{Reduce, Reduction};
use crate::plan::view::Stride;

/// Axes of a tensor at most; the trace refuses more.
const MOST: usize = crate::graph::MOST_AXES;

pub(super) fn run<T: Real>(frame: &Frame<'_, T>, kernel: &Reduce) {
    Arch::new().dispatch(Kernel { frame, kernel });
}

struct Kernel<'k, 'f, T> {
    frame: &'k Frame<'f, T>,
    kernel: &'k Reduce,
}

impl<T: Real> WithSimd for Kernel<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { frame, kernel } = self;
        let lanes = kernel.lanes.at(frame.rows);
        let lane = kernel.lane.at(frame.rows);
        let (from, to) = (frame.read(kernel.from), frame.write(kernel.to));
        let (kept, count) = resolve(&kernel.kept, frame.rows);
        let kept = &kept[..count];
        let (reduced, count) = resolve(&kernel.reduced, frame.rows);
        let reduced = &reduced[..count];
        let mut place = 0;
        let mut at_kept = Odometer::new(kept);
        while let Some(offset) = at_kept.next(kept) {
            let from = from.wrapping_offset(offset);
            let mut at_reduced = Odometer::new(reduced);
            if kernel.reduction == Reduction::Accumulate {
                let mut sum = T::zero();
                while let Some(offset) = at_reduced.next(reduced) {
                    // Safety: the plan's guarantee, see the head of the module.
                    sum += unsafe { sum_of(from.wrapping_offset(offset), lanes, lane) };
                }
                // Safety: as above; in the first block there is nothing to add to.
                unsafe {
                    let to = to.add(place);
                    *to = if frame.first { sum } else { *to + sum };
                }
                place += 1;
                continue;
            }
            // Safety: as above.
            let out = unsafe { std::slice::from_raw_parts_mut(to.add(place), lanes) };
            place += lanes;
            let sums = kernel.reduction == Reduction::Sum;
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

/// All places of some axes, one after the other: without a closure, which would not be compiled for the
/// vectors of the machine.
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

/// A NaN stays one.
#[inline(always)]
fn larger<T: Real>(top: T, a: T) -> T {
    if a > top || a.is_nan() { a } else { top }
}

/// In 32 partial sums, so that several vectors are added side by side.
#[inline(always)]
unsafe fn sum_of<T: Real>(from: *const T, count: usize, stride: isize) -> T {
    const WIDTH: usize = 32;
    let mut sums = [T::zero(); WIDTH];
    if stride == 1 {
        // Safety: the caller's.
        let all = unsafe { std::slice::from_raw_parts(from, count) };
        let (pieces, rest) = all.as_chunks::<WIDTH>();
        for piece in pieces {
            for (sum, &a) in sums.iter_mut().zip(piece) {
                *sum += a;
            }
        }
        for (sum, &a) in sums.iter_mut().zip(rest) {
            *sum += a;
        }
    } else {
        for i in 0..count {
            // Safety: the caller's.
            sums[i % WIDTH] += unsafe { *from.offset(stride * i as isize) };
        }
    }
    let mut width = WIDTH / 2;
    while width > 0 {
        for i in 0..width {
            sums[i] += sums[i + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The axes with their strides in this block, those that continue each other as one.
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
