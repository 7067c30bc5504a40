//! Elementwise kernels.

use pulp::{Arch, Simd, WithSimd};

use super::frame::Frame;
use super::vectorised::Vectorised;
use crate::graph::{Binary, Compare, Unary};
use crate::runtime::cpu::instruction::{Elementwise, Function, Fused, FusedOperand, FusedOut};
use crate::runtime::cpu::limits::CHUNK;

/// How an operand is walked: the stride along `inner`, and whether the lanes differ.
#[derive(Clone, Copy)]
struct Walked<T> {
    start: *const T,
    inner: isize,
    walks: bool,
}

pub(super) fn run<T: Vectorised>(frame: &Frame<'_, T>, kernel: &Elementwise) {
    let lanes = kernel.lanes.at(frame.rows);
    let mut operands = [Walked {
        start: std::ptr::null(),
        inner: 0,
        walks: false,
    }; 3];
    for (walked, operand) in operands.iter_mut().zip(&kernel.operands) {
        *walked = Walked {
            start: frame.read(operand.at),
            inner: operand.inner.at(frame.rows),
            walks: operand.walks,
        };
    }
    let used = kernel.operands.len();
    Arch::new().dispatch(Kernel {
        function: kernel.function,
        inner: kernel.inner,
        lanes,
        operands,
        used,
        out: frame.write(kernel.out),
    });
}

pub(super) fn run_fused<T: Vectorised>(frame: &Frame<'_, T>, kernel: &Fused) {
    let lanes = kernel.lanes.at(frame.rows);
    if lanes == 0 || kernel.inner == 0 {
        return;
    }
    let arch = Arch::new();
    // As many of `inner` as fill a chunk, or a part of the lanes if there are many.
    let at_once = (CHUNK / lanes).clamp(1, kernel.inner);
    let piece = lanes.min(CHUNK);
    let mut first = 0;
    while first < kernel.inner {
        let inner = at_once.min(kernel.inner - first);
        let mut lane = 0;
        while lane < lanes {
            let width = piece.min(lanes - lane);
            for step in &kernel.steps {
                let mut operands = [Walked {
                    start: std::ptr::null(),
                    inner: 0,
                    walks: false,
                }; 3];
                for (walked, operand) in operands.iter_mut().zip(&step.operands) {
                    *walked = match operand {
                        FusedOperand::Outside(operand) => {
                            let stride = operand.inner.at(frame.rows);
                            let start = stride * first as isize
                                + if operand.walks { lane as isize } else { 0 };
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
                }
                let out = match step.out {
                    FusedOut::Outside(at) => frame.write(at).wrapping_add(first * lanes + lane),
                    FusedOut::Slot(slot) => frame.chunk.wrapping_add(slot * CHUNK),
                };
                arch.dispatch(Kernel {
                    function: step.function,
                    inner,
                    lanes: width,
                    operands,
                    used: step.operands.len(),
                    out,
                });
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
        if self.lanes == 0 {
            return;
        }
        let step = |operand: usize| usize::from(self.operands[operand].walks);
        let (m, a, b) = (step(0), step(1), step(2));
        for i in 0..self.inner {
            // Safety: the plan's guarantee, see `kernel`.
            let out =
                unsafe { std::slice::from_raw_parts_mut(self.out.add(i * self.lanes), self.lanes) };
            let (mask, yes, no) = (self.row(0, i), self.row(1, i), self.row(2, i));
            if (m, a, b) == (1, 1, 0) {
                // Safety: as above.
                let (mask, yes, no) = unsafe {
                    (
                        std::slice::from_raw_parts(mask, self.lanes),
                        std::slice::from_raw_parts(yes, self.lanes),
                        *no,
                    )
                };
                for (out, (&mask, &yes)) in out.iter_mut().zip(mask.iter().zip(yes)) {
                    *out = if mask != T::zero() { yes } else { no };
                }
                continue;
            }
            for (l, out) in out.iter_mut().enumerate() {
                // Safety: as above.
                unsafe {
                    *out = if *mask.add(m * l) != T::zero() {
                        *yes.add(a * l)
                    } else {
                        *no.add(b * l)
                    };
                }
            }
        }
    }
}
