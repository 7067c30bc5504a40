//! Implicit methods by gradient descent.

use bilevel::linear::{ConjugateGradient, LinearSolver};
use bilevel::{GradientDescent, Hyper, Implicit, Scalar};

pub(crate) fn descent<T: Scalar>(step_size: f64) -> GradientDescent<T> {
    GradientDescent {
        step_size: Hyper::Fixed(step_size),
        ..GradientDescent::default()
    }
}

pub(crate) fn implicit<T: Scalar>(
    step_size: f64,
    steps: usize,
    solver: impl LinearSolver<T> + 'static,
) -> Implicit<T> {
    Implicit {
        dynamics: Box::new(descent(step_size)),
        steps,
        solver: Box::new(solver),
        ..Implicit::default()
    }
}

pub(crate) fn cg() -> ConjugateGradient {
    ConjugateGradient {
        tolerance: 1e-11,
        ..ConjugateGradient::default()
    }
}
