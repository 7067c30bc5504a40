//! Elementwise kernels.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::frame::Frame;
use super::piece::Piece;
use super::reduce::RowSums;
use super::vectorised::{Vectorised, vectorised};
use crate::graph::{Binary, Compare, Unary};
use crate::runtime::cpu::instruction::{
    Elementwise, Function, Fused, FusedOperand, FusedOut, FusedStep,
};
use crate::runtime::cpu::limits::{CHUNK, TERMS};

/// How an operand is walked: the stride along `inner`, and whether the lanes differ.
#[derive(Clone, Copy)]
struct Walked<T> {
    start: *const T,
    inner: isize,
    walks: bool,
}

/// The part of `inner`, in multiples of `unit`, and of the lanes that a piece computes: pieces differ in `inner` if there
/// is enough of it.
fn part(piece: Piece, inner: usize, lanes: usize, unit: usize) -> (Range<usize>, Range<usize>) {
    let units = inner.div_ceil(unit);
    match units >= piece.of || units > lanes.div_ceil(LANES) {
        true => (piece.of(inner, unit), 0..lanes),
        false => (0..inner, piece.of(lanes, LANES)),
    }
}

/// Lanes are cut at multiples of so many.
const LANES: usize = 64;

pub(super) fn run<T: Vectorised>(frame: &Frame<'_, T>, kernel: &Elementwise, piece: Piece) {
    let all = kernel.lanes.at(frame.rows);
    let (inner, part) = part(piece, kernel.inner, all, 1);
    if part.is_empty() || inner.is_empty() {
        return;
    }
    if part.len() < all && inner.len() > 1 {
        // Pieces of lanes are not contiguous.
        for i in inner {
            run_part(frame, kernel, i..i + 1, part.clone());
        }
    } else {
        run_part(frame, kernel, inner, part);
    }
}

fn run_part<T: Vectorised>(
    frame: &Frame<'_, T>,
    kernel: &Elementwise,
    inner: Range<usize>,
    lanes: Range<usize>,
) {
    let all = kernel.lanes.at(frame.rows);
    let mut operands = [Walked {
        start: std::ptr::null(),
        inner: 0,
        walks: false,
    }; 3];
    for (walked, operand) in operands.iter_mut().zip(&kernel.operands) {
        let stride = operand.inner.at(frame.rows);
        let lane = if operand.walks {
            lanes.start as isize
        } else {
            0
        };
        *walked = Walked {
            start: frame
                .read(operand.at)
                .wrapping_offset(stride * inner.start as isize + lane),
            inner: stride,
            walks: operand.walks,
        };
    }
    let used = kernel.operands.len();
    Arch::new().dispatch(Kernel {
        function: kernel.function,
        inner: inner.len(),
        lanes: lanes.len(),
        operands,
        used,
        out: frame
            .write(kernel.out)
            .wrapping_add(inner.start * all + lanes.start),
    });
}

pub(super) fn run_fused<T: Vectorised>(frame: &Frame<'_, T>, kernel: &Fused, piece: Piece) {
    let lanes = kernel.lanes.at(frame.rows);
    if lanes == 0 || kernel.inner == 0 {
        return;
    }
    let sums = |step: &FusedStep| matches!(step, FusedStep::Sum { .. });
    let unit = match kernel.steps.iter().any(sums) {
        true => TERMS,
        false => 1,
    };
    let (inners, part) = part(piece, kernel.inner, lanes, unit);
    let arch = Arch::new();
    // As many of `inner` as fill a chunk, or a part of the lanes if there are many. Rows of a chunk are contiguous.
    let at_once = match part.len() == lanes {
        true => (CHUNK / lanes).clamp(1, kernel.inner),
        false => 1,
    };
    let most = lanes.min(CHUNK);
    let mut first = inners.start;
    while first < inners.end {
        let inner = at_once.min(inners.end - first);
        let mut lane = part.start;
        while lane < part.end {
            let width = most.min(part.end - lane);
            let walked = |operand: &FusedOperand| match operand {
                FusedOperand::Outside(operand) => {
                    let stride = operand.inner.at(frame.rows);
                    let start =
                        stride * first as isize + if operand.walks { lane as isize } else { 0 };
                    Walked {
                        start: frame.read(operand.at).wrapping_offset(start),
                        inner: stride,
                        walks: operand.walks,
                    }
                }
                FusedOperand::Slot(slot) => Walked {
                    start: frame.chunk.wrapping_add(slot * CHUNK),
                    inner: width as isize,
                    walks: true,
                },
            };
            for step in &kernel.steps {
                match step {
                    FusedStep::Apply {
                        function,
                        operands: of,
                        out,
                    } => {
                        let mut operands = [Walked {
                            start: std::ptr::null(),
                            inner: 0,
                            walks: false,
                        }; 3];
                        for (to, operand) in operands.iter_mut().zip(of) {
                            *to = walked(operand);
                        }
                        let out = match *out {
                            FusedOut::Outside(at) => {
                                frame.write(at).wrapping_add(first * lanes + lane)
                            }
                            FusedOut::Slot(slot) => frame.chunk.wrapping_add(slot * CHUNK),
                        };
                        arch.dispatch(Kernel {
                            function: *function,
                            inner,
                            lanes: width,
                            operands,
                            used: of.len(),
                            out,
                        });
                    }
                    FusedStep::Sum { from, to } => {
                        let from = walked(from);
                        vectorised(RowSums {
                            from: (from.start, from.inner as usize),
                            rows: (first, inner),
                            lanes: width,
                            to: (frame.write(*to).wrapping_add(lane), lanes),
                        });
                    }
                }
            }
            lane += width;
        }
        first += inner;
    }
}

struct Kernel<T> {
    function: Function,
    inner: usize,
    lanes: usize,
    operands: [Walked<T>; 3],
    used: usize,
    out: *mut T,
}

impl<T: Vectorised> WithSimd for Kernel<T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let in_one_piece = |operand: &Walked<T>| {
            operand.walks && (self.inner == 1 || operand.inner == self.lanes as isize)
        };
        if self.operands[..self.used].iter().all(in_one_piece) {
            self.lanes *= self.inner;
            self.inner = 1;
        }
        if S::IS_SCALAR {
            self.dispatch::<false>();
        } else {
            self.dispatch::<true>();
        }
    }
}

impl<T: Vectorised> Kernel<T> {
    #[inline(always)]
    fn dispatch<const FUSED: bool>(&self) {
        let (zero, one) = (T::zero(), T::one());
        let mask = |holds: bool| if holds { one } else { zero };
        match self.function {
            Function::Unary(unary) => match unary {
                Unary::Neg => self.unary(
                    #[inline(always)]
                    |a| -a,
                ),
                Unary::Exp => self.unary(T::exponential::<FUSED>),
                Unary::Ln => self.unary(T::ln),
                Unary::Sqrt => self.unary(T::sqrt),
                Unary::Recip => self.unary(
                    #[inline(always)]
                    |a| one / a,
                ),
                Unary::Tanh => self.unary(T::tanh),
                Unary::Sigmoid => self.unary(
                    #[inline(always)]
                    |a| one / (one + (-a).exponential::<FUSED>()),
                ),
                Unary::SechSquared => self.unary(
                    #[inline(always)]
                    |a| {
                        let power = (-(a.abs() + a.abs())).exponential::<FUSED>();
                        let sum = one + power;
                        (power + power) * ((one + one) / (sum * sum))
                    },
                ),
                Unary::Softplus => self.unary(
                    #[inline(always)]
                    |a| a.max(zero) + (-a.abs()).exp().ln_1p(),
                ),
                // A NaN stays NaN.
                Unary::Relu => self.unary(
                    #[inline(always)]
                    |a| if a < zero { zero } else { a },
                ),
                Unary::Abs => self.unary(T::abs),
                Unary::Sign => self.unary(
                    #[inline(always)]
                    |a| {
                        if a > zero {
                            one
                        } else if a < zero {
                            -one
                        } else {
                            // Zero or NaN.
                            a
                        }
                    },
                ),
                Unary::Sin => self.unary(T::sin),
                Unary::Erf => self.unary(|a| T::from_f64(libm::erf(a.to_double()))),
                Unary::Erfc => self.unary(|a| T::from_f64(libm::erfc(a.to_double()))),
                Unary::Log1p => self.unary(T::ln_1p),
                Unary::Expm1 => self.unary(T::exp_m1),
                Unary::Cos => self.unary(T::cos),
            },
            Function::Binary(binary) => match binary {
                Binary::Add => self.binary(
                    #[inline(always)]
                    |a, b| a + b,
                ),
                Binary::Sub => self.binary(
                    #[inline(always)]
                    |a, b| a - b,
                ),
                Binary::Above => self.binary(
                    #[inline(always)]
                    |a, b| if a == b { zero } else { a - b },
                ),
                Binary::Mul => self.binary(
                    #[inline(always)]
                    |a, b| a * b,
                ),
                Binary::Div => self.binary(
                    #[inline(always)]
                    |a, b| a / b,
                ),
                Binary::Pow => self.binary(T::powf),
                Binary::Atan2 => self.binary(T::atan2),
                // A NaN stays NaN.
                Binary::Max => self.binary(
                    #[inline(always)]
                    |a, b| if b <= a || a.is_nan() { a } else { b },
                ),
                Binary::Min => self.binary(
                    #[inline(always)]
                    |a, b| if a <= b || a.is_nan() { a } else { b },
                ),
            },
            Function::Compare(compare) => match compare {
                Compare::Equal => self.binary(
                    #[inline(always)]
                    |a, b| mask(a == b),
                ),
                Compare::Less => self.binary(
                    #[inline(always)]
                    |a, b| mask(a < b),
                ),
                Compare::LessEqual => self.binary(
                    #[inline(always)]
                    |a, b| mask(a <= b),
                ),
            },
            Function::Select => self.select(),
        }
    }

    #[inline(always)]
    fn row(&self, operand: usize, i: usize) -> *const T {
        let walked = &self.operands[operand];
        walked.start.wrapping_offset(walked.inner * i as isize)
    }

    #[inline(always)]
    fn unary(&self, f: impl Fn(T) -> T) {
        for i in 0..self.inner {
            // Safety: the plan's guarantee, see `kernel`.
            let out =
                unsafe { std::slice::from_raw_parts_mut(self.out.add(i * self.lanes), self.lanes) };
            let a = self.row(0, i);
            if self.operands[0].walks {
                // Safety: as above.
                let a = unsafe { std::slice::from_raw_parts(a, self.lanes) };
                for (out, &a) in out.iter_mut().zip(a) {
                    *out = f(a);
                }
            } else if self.lanes > 0 {
                // Safety: as above.
                out.fill(f(unsafe { *a }));
            }
        }
    }

    #[inline(always)]
    fn binary(&self, f: impl Fn(T, T) -> T) {
        if self.lanes == 0 {
            return;
        }
        let walks = (self.operands[0].walks, self.operands[1].walks);
        for i in 0..self.inner {
            // Safety: the plan's guarantee, see `kernel`.
            let out =
                unsafe { std::slice::from_raw_parts_mut(self.out.add(i * self.lanes), self.lanes) };
            let (a, b) = (self.row(0, i), self.row(1, i));
            // Safety: as above; one number is read where an operand does not walk.
            unsafe {
                match walks {
                    (true, true) => {
                        let a = std::slice::from_raw_parts(a, self.lanes);
                        let b = std::slice::from_raw_parts(b, self.lanes);
                        for (out, (&a, &b)) in out.iter_mut().zip(a.iter().zip(b)) {
                            *out = f(a, b);
                        }
                    }
                    (true, false) => {
                        let (a, b) = (std::slice::from_raw_parts(a, self.lanes), *b);
                        for (out, &a) in out.iter_mut().zip(a) {
                            *out = f(a, b);
                        }
                    }
                    (false, true) => {
                        let (a, b) = (*a, std::slice::from_raw_parts(b, self.lanes));
                        for (out, &b) in out.iter_mut().zip(b) {
                            *out = f(a, b);
                        }
                    }
                    (false, false) => out.fill(f(*a, *b)),
                }
            }
        }
    }

    #[inline(always)]
    fn select(&self) {
        let walks = [0, 1, 2].map(|operand| self.operands[operand].walks);
        match walks {
            [true, true, true] => self.select_with::<true, true, true>(),
            [true, true, false] => self.select_with::<true, true, false>(),
            [true, false, true] => self.select_with::<true, false, true>(),
            [true, false, false] => self.select_with::<true, false, false>(),
            [false, true, true] => self.select_with::<false, true, true>(),
            [false, true, false] => self.select_with::<false, true, false>(),
            [false, false, true] => self.select_with::<false, false, true>(),
            [false, false, false] => self.select_with::<false, false, false>(),
        }
    }

    /// Whether the mask and both values walk is known, so that the loop has no branches.
    #[inline(always)]
    fn select_with<const M: bool, const A: bool, const B: bool>(&self) {
        if self.lanes == 0 {
            return;
        }
        for i in 0..self.inner {
            let (mask, yes, no) = (self.row(0, i), self.row(1, i), self.row(2, i));
            // Safety: the plan's guarantee, see `kernel`; one number is read where an operand does not walk.
            unsafe {
                let out = std::slice::from_raw_parts_mut(self.out.add(i * self.lanes), self.lanes);
                let slice = |walks: bool, start: *const T| {
                    std::slice::from_raw_parts(start, if walks { self.lanes } else { 1 })
                };
                let (mask, yes, no) = (slice(M, mask), slice(A, yes), slice(B, no));
                for (l, out) in out.iter_mut().enumerate() {
                    let at = |walks: bool| if walks { l } else { 0 };
                    let (a, b) = (yes[at(A)], no[at(B)]);
                    *out = if mask[at(M)] == T::zero() { b } else { a };
                }
            }
        }
    }
}
