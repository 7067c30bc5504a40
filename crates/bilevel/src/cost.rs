//! What an estimate costs, known before the first.

use crate::{Oracle, PerOracle, Problem, Scalar};

/// How often each oracle of an objective is called, in expectation: the prediction of what
/// [`Calls`](crate::Calls) counts, with the oracles that use a tape listed separately.
pub type Oracles = PerOracle<f64>;

impl Oracles {
    /// The value and the gradients of the outer objective at the end of training.
    #[must_use]
    pub fn of_seed<T: Scalar>(problem: &Problem<T>) -> Self {
        Self::of([
            (Oracle::Value, 1.0),
            (Oracle::GradY, 1.0),
            (Oracle::GradX, f64::from(problem.outer().depends_on_x())),
        ])
    }

    /// In units of one gradient ∇_y h, see [`Oracle::gradients`].
    #[must_use]
    pub fn gradients(self) -> f64 {
        self.iter()
            .map(|(oracle, calls)| oracle.gradients() * calls)
            .sum()
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
