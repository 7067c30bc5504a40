//! What an estimate costs, known before the first.

use std::ops::{Add, AddAssign, Mul};

use crate::{Problem, Scalar};

/// How often each oracle of an objective is called, in expectation: the prediction of what
/// [`Calls`](crate::Calls) counts, foreseen.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Oracles {
    /// Values h.
    pub values: f64,
    /// Gradients ∇_y h that leave no tape.
    pub grad_y: f64,
    /// Gradients ∇_x h.
    pub grad_x: f64,
    /// Products ∇²_yy h v with ∇²_xy h v, see [`SecondOrder::pull`](crate::objective::SecondOrder::pull).
    pub pulls: f64,
    /// Products ∇²_yy h dy + ∇²_yx h dx, see [`SecondOrder::push`](crate::objective::SecondOrder::push).
    pub pushes: f64,
    /// Gradients that fill a tape, see [`Taped::linearize`](crate::objective::Taped::linearize).
    pub linearizations: f64,
    /// Products from a tape, see [`Taped::pull_tape`](crate::objective::Taped::pull_tape).
    pub tape_pulls: f64,
}

impl Oracles {
    /// The value and the gradients of the outer objective at the end of training.
    #[must_use]
    pub fn of_seed<T: Scalar>(problem: &Problem<T>) -> Self {
        Self {
            values: 1.0,
            grad_y: 1.0,
            grad_x: f64::from(problem.outer().depends_on_x()),
            ..Self::default()
        }
    }

    /// In units of one gradient ∇_y h, by the usual rule: a value is half a gradient, a product
    /// two, from a tape one. A rule of thumb for choosing between methods; what a given objective
    /// takes is measured or worked out from its programs.
    #[must_use]
    pub fn gradients(self) -> f64 {
        0.5 * self.values
            + self.grad_y
            + self.grad_x
            + self.linearizations
            + self.tape_pulls
            + 2.0 * (self.pulls + self.pushes)
    }
}

impl Add for Oracles {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            values: self.values + other.values,
            grad_y: self.grad_y + other.grad_y,
            grad_x: self.grad_x + other.grad_x,
            pulls: self.pulls + other.pulls,
            pushes: self.pushes + other.pushes,
            linearizations: self.linearizations + other.linearizations,
            tape_pulls: self.tape_pulls + other.tape_pulls,
        }
    }
}

impl AddAssign for Oracles {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul<f64> for Oracles {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        Self {
            values: self.values * times,
            grad_y: self.grad_y * times,
            grad_x: self.grad_x * times,
            pulls: self.pulls * times,
            pushes: self.pushes * times,
            linearizations: self.linearizations * times,
            tape_pulls: self.tape_pulls * times,
        }
    }
}

/// What one estimate of a hypergradient is expected to cost, see
/// [`HyperGradient::cost`](crate::HyperGradient::cost).
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Cost {
    /// Calls of the inner objective.
    pub inner: Oracles,
    /// Calls of the outer objective.
    pub outer: Oracles,
    /// Numbers kept at the peak that grow with the inner steps: states and buffers.
    pub kept_numbers: usize,
    /// Tapes of steps kept at the peak; the objective determines the length of a tape.
    pub kept_tapes: usize,
    /// All other numbers at the peak, including [`Memory`](crate::Memory), but without the
    /// objectives' own work space.
    pub work_numbers: usize,
}

impl Cost {
    /// Of both objectives, in units of one gradient, see [`Oracles::gradients`].
    #[must_use]
    pub fn gradients(&self) -> f64 {
        self.inner.gradients() + self.outer.gradients()
    }
}

/// What an adjoint does with the K steps of a rollout, see
/// [`Adjoint::sweeps`](crate::Adjoint::sweeps).
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Sweeps {
    /// Steps made without a tape, including repetitions.
    pub steps: f64,
    /// Steps that write a tape.
    pub taped_steps: f64,
    /// Steps pulled back.
    pub pulls: f64,
    /// Steps pulled back from a tape.
    pub tape_pulls: f64,
    /// Steps pushed forward, without the step itself.
    pub pushes: f64,
    /// States kept at the peak, not counting the current one and its cotangent.
    pub kept_states: usize,
    /// Tapes kept at the peak.
    pub kept_tapes: usize,
}
