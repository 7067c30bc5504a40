//! Primitives along some axes, at each place of the other axes in turn.

use std::cmp::Ordering;

use super::frame::{Frame, Indices};
use super::vectorised::Vectorised;
use super::walk::walk;
use crate::graph::{Lines, MOST_AXES};
use crate::runtime::cpu::instruction::LinesKernel;

/// The elements of one place along one or two axes.
#[derive(Clone, Copy)]
struct Part<T> {
    start: *mut T,
    /// Sizes, and strides from one element to the next.
    sizes: [usize; 2],
    strides: [isize; 2],
}

impl<T: Vectorised> Part<T> {
    fn place(self, [i, j]: [usize; 2]) -> *mut T {
        let offset = self.strides[0] * i as isize + self.strides[1] * j as isize;
        self.start.wrapping_offset(offset)
    }

    fn get(self, at: [usize; 2]) -> T {
        debug_assert!(at[0] < self.sizes[0] && at[1] < self.sizes[1]);
        // Safety: the plan's guarantee, see `kernel`.
        unsafe { *self.place(at) }
    }

    fn set(self, at: [usize; 2], value: T) {
        debug_assert!(at[0] < self.sizes[0] && at[1] < self.sizes[1]);
        // Safety: as above; the write goes to this part of the result.
        unsafe { *self.place(at) = value };
    }
}

pub(super) fn run<T: Vectorised>(frame: &Frame<'_, T>, kernel: &LinesKernel) {
    let lanes = kernel.lanes.at(frame.rows);
    let lane = kernel.lane.map(|stride| stride.at(frame.rows));
    let mut axes = [(0_usize, [0_isize; 3]); MOST_AXES];
    for (slot, (count, strides)) in axes.iter_mut().zip(&kernel.outer) {
        *slot = (*count, strides.map(|stride| stride.at(frame.rows)));
    }
    let axes = &axes[..kernel.outer.len().min(MOST_AXES)];
    let part = |start: *mut T, number: usize| {
        let axes = kernel.axes[number].map(|(size, stride)| (size, stride.at(frame.rows)));
        Part {
            start,
            sizes: axes.map(|(size, _)| size),
            strides: axes.map(|(_, stride)| stride),
        }
    };
    let first = part(frame.read(kernel.first).cast_mut(), 0);
    let out = part(frame.write(kernel.out), 2);
    let moved = |part: Part<T>, offset: isize, lane: isize, l: usize| Part {
        start: part.start.wrapping_offset(offset + lane * l as isize),
        ..part
    };
    // The second operand is numbers or indices, depending on the primitive.
    let numbers = || {
        part(
            kernel
                .second
                .map_or(first.start, |at| frame.read(at).cast_mut()),
            1,
        )
    };
    let indices = || kernel.second.map(|at| frame.index(at));
    let stride = kernel.axes[1][0].1.at(frame.rows);
    let scratch = kernel
        .scratch
        .map_or(std::ptr::null_mut(), |at| frame.write(at));
    walk(axes, |[a, b, c]| {
        for l in 0..lanes {
            let (first, out) = (moved(first, a, lane[0], l), moved(out, c, lane[2], l));
            let second = b + lane[1] * l as isize;
            match kernel.function {
                Lines::CumSum { reverse, .. } => cumsum(first, out, reverse),
                Lines::Product { .. } => product(first, out),
                Lines::Softmax { .. } => softmax(first, out),
                Lines::LogSumExp { .. } => log_sum_exp(first, out),
                Lines::Gather { .. } => {
                    if let Some(index) = indices() {
                        gather(first, index, (second, stride), out);
                    }
                }
                Lines::Scatter { .. } => {
                    if let Some(index) = indices() {
                        scatter(first, index, (second, stride), out);
                    }
                }
                Lines::ArgSort { .. } => argsort(first, scratch, out),
                Lines::Cholesky => cholesky(first, out),
                Lines::Solve { transposed } => {
                    solve(first, moved(numbers(), second, 0, 0), out, transposed);
                }
            }
        }
    });
}

fn cumsum<T: Vectorised>(a: Part<T>, out: Part<T>, reverse: bool) {
    let mut sum = T::zero();
    for step in 0..a.sizes[0] {
        let i = if reverse { a.sizes[0] - 1 - step } else { step };
        sum += a.get([i, 0]);
        out.set([i, 0], sum);
    }
}

fn product<T: Vectorised>(a: Part<T>, out: Part<T>) {
    let mut product = T::one();
    for i in 0..a.sizes[0] {
        product *= a.get([i, 0]);
    }
    out.set([0, 0], product);
}

/// The largest element, and the sum of e to the distances from it, which go to each place.
fn powers<T: Vectorised>(a: Part<T>, mut to: impl FnMut(usize, T)) -> (T, T) {
    let mut top = T::neg_infinity();
    for i in 0..a.sizes[0] {
        let value = a.get([i, 0]);
        if value > top || value.is_nan() {
            top = value;
        }
    }
    let mut sum = T::zero();
    for i in 0..a.sizes[0] {
        let value = a.get([i, 0]);
        // Equal elements are 0 apart, also infinite ones.
        let above = if value == top { T::zero() } else { value - top };
        let power = above.exp();
        to(i, power);
        sum += power;
    }
    (top, sum)
}

fn softmax<T: Vectorised>(a: Part<T>, out: Part<T>) {
    let (_, sum) = powers(a, |i, power| out.set([i, 0], power));
    for i in 0..a.sizes[0] {
        out.set([i, 0], out.get([i, 0]) / sum);
    }
}

fn log_sum_exp<T: Vectorised>(a: Part<T>, out: Part<T>) {
    let (top, sum) = powers(a, |_, _| {});
    out.set([0, 0], sum.ln() + top);
}

fn gather<T: Vectorised>(a: Part<T>, index: Indices<T>, at: (isize, isize), out: Part<T>) {
    for i in 0..out.sizes[0] {
        out.set([i, 0], a.get([chosen(index, at, i), 0]));
    }
}

fn scatter<T: Vectorised>(a: Part<T>, index: Indices<T>, at: (isize, isize), out: Part<T>) {
    for i in 0..out.sizes[0] {
        out.set([i, 0], T::zero());
    }
    for i in 0..a.sizes[0] {
        let to = [chosen(index, at, i), 0];
        out.set(to, out.get(to) + a.get([i, 0]));
    }
}

fn chosen<T: Vectorised>(index: Indices<T>, (start, stride): (isize, isize), i: usize) -> usize {
    // Safety: the plan's guarantee, see `kernel`.
    unsafe { index.at(start + stride * i as isize) }
}

fn argsort<T: Vectorised>(a: Part<T>, scratch: *mut T, out: Part<T>) {
    let count = a.sizes[0];
    if count == 0 {
        return;
    }
    // Safety: the plan's guarantee, see `kernel`: the scratch memory has `count` numbers, each at least
    // as large as an index, and is used for nothing else.
    let order = unsafe { std::slice::from_raw_parts_mut(scratch.cast::<u32>(), count) };
    for (i, slot) in order.iter_mut().enumerate() {
        *slot = i as u32;
    }
    // No two keys are equal, so every sorting method gives the same order.
    order.sort_unstable_by(|&i, &j| {
        let (x, y) = (a.get([i as usize, 0]), a.get([j as usize, 0]));
        let by_number = x.partial_cmp(&y);
        let numbers = by_number.unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()));
        match numbers {
            Ordering::Equal => i.cmp(&j),
            Ordering::Less | Ordering::Greater => numbers,
        }
    });
    for (i, &index) in order.iter().enumerate() {
        out.set([i, 0], T::from_index(index));
    }
}

fn cholesky<T: Vectorised>(a: Part<T>, l: Part<T>) {
    let n = a.sizes[0];
    let mut definite = true;
    for j in 0..n {
        let mut pivot = a.get([j, j]);
        for k in 0..j {
            pivot -= l.get([j, k]) * l.get([j, k]);
            l.set([k, j], T::zero());
        }
        definite &= pivot > T::zero();
        let root = pivot.sqrt();
        l.set([j, j], root);
        for i in j + 1..n {
            let mut rest = a.get([i, j]);
            for k in 0..j {
                rest -= l.get([i, k]) * l.get([j, k]);
            }
            l.set([i, j], rest / root);
        }
    }
    if !definite {
        for i in 0..n {
            for j in 0..=i {
                l.set([i, j], T::nan());
            }
        }
    }
}

fn solve<T: Vectorised>(l: Part<T>, b: Part<T>, x: Part<T>, transposed: bool) {
    let n = l.sizes[0];
    for column in 0..x.sizes[1] {
        for step in 0..n {
            let i = if transposed { n - 1 - step } else { step };
            let mut rest = b.get([i, column]);
            for known in 0..step {
                let k = if transposed { n - 1 - known } else { known };
                let factor = l.get(if transposed { [k, i] } else { [i, k] });
                rest -= factor * x.get([k, column]);
            }
            x.set([i, column], rest / l.get([i, i]));
        }
    }
}
