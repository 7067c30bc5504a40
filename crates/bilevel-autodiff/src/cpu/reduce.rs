//! Sums and maxima.

use pulp::{Arch, Simd, WithSimd};

use super::{Frame, Real, walk};
use crate::plan::instruction::{Reduce, Reduction};
use crate::plan::view::Stride;

/// Axes of any tensor that is met without allocation.
const MOST: usize = 8;

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
        let (mut kept, mut reduced) = ([(0, [0]); MOST], [(0, [0]); MOST]);
        let kept = resolve(&kernel.kept, frame.rows, &mut kept);
        let reduced = resolve(&kernel.reduced, frame.rows, &mut reduced);
        let mut place = 0;
        walk(&kept, |[offset]| {
            let from = from.wrapping_offset(offset);
            if kernel.reduction == Reduction::Accumulate {
                let mut sum = T::zero();
                walk(&reduced, |[offset]| {
                    // Safety: the plan's guarantee, see the head of the module.
                    sum += unsafe { sum_of(from.wrapping_offset(offset), lanes, lane) };
                });
                // Safety: as above.
                unsafe { *to.add(place) += sum };
                place += 1;
                return;
            }
            // Safety: as above.
            let out = unsafe { std::slice::from_raw_parts_mut(to.add(place), lanes) };
            place += lanes;
            let sums = kernel.reduction == Reduction::Sum;
            out.fill(if sums { T::zero() } else { T::neg_infinity() });
            walk(&reduced, |[offset]| {
                let from = from.wrapping_offset(offset);
                if lane == 1 {
                    // Safety: as above.
                    let from = unsafe { std::slice::from_raw_parts(from, lanes) };
                    if sums {
                        for (out, &a) in out.iter_mut().zip(from) {
                            *out += a;
                        }
                    } else {
                        for (out, &a) in out.iter_mut().zip(from) {
                            *out = larger(*out, a);
                        }
                    }
                } else {
                    for (l, out) in out.iter_mut().enumerate() {
                        // Safety: as above.
                        let a = unsafe { *from.offset(lane * l as isize) };
                        *out = if sums { *out + a } else { larger(*out, a) };
                    }
                }
            });
        });
    }
}

/// A NaN stays one.
#[inline(always)]
fn larger<T: Real>(top: T, a: T) -> T {
    if a > top || a.is_nan() { a } else { top }
}

/// In eight partial sums, so that they are added side by side.
#[inline(always)]
unsafe fn sum_of<T: Real>(from: *const T, count: usize, stride: isize) -> T {
    const WIDTH: usize = 8;
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
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

enum Axes<'a> {
    Few(&'a [(usize, [isize; 1])]),
    Many(Vec<(usize, [isize; 1])>),
}

impl std::ops::Deref for Axes<'_> {
    type Target = [(usize, [isize; 1])];

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Few(axes) => axes,
            Self::Many(axes) => axes,
        }
    }
}

fn resolve<'a>(
    axes: &[(usize, Stride)],
    rows: usize,
    few: &'a mut [(usize, [isize; 1]); MOST],
) -> Axes<'a> {
    let resolved = axes
        .iter()
        .map(|&(count, stride)| (count, [stride.at(rows)]));
    if axes.len() > MOST {
        return Axes::Many(resolved.collect());
    }
    for (slot, axis) in few.iter_mut().zip(resolved) {
        *slot = axis;
    }
    Axes::Few(&few[..axes.len()])
}
