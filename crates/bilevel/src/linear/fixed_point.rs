//! Fixed-point iteration on the derivative of the inner step.

use super::series::Series;
use super::{LinearOperator, LinearSolver, Solution, System};
use crate::{Result, Scalar};

/// v ← (∂Φ/∂s)ᵀ v + ∂f/∂s, J times from v = 0: AID-FP (Grazzi et al., arXiv 2006.16218).
///
/// Works for any dynamics, whatever their state, field and projection, because it uses only
/// [`Dynamics::pull_back`](crate::Dynamics::pull_back). It contracts where a step Φ does, at the
/// same rate. With gradient descent of step size s on the inner objective, it is the
/// [`Neumann`](super::Neumann) series of the same s; the faster
/// [`ConjugateGradient`](super::ConjugateGradient) requires a step with a symmetric derivative.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `terms` | 100 | at least 1 | J |
/// | `tolerance` | 1e-6 | none, or in (0, 1) | residual relative to ∂f/∂s at which it stops before J; none: always J terms, and the remaining residual is not reported as a failure |
///
/// Cost: one pull-back of a step per term, one more for a warm start. Memory: two states.
/// Growing residuals are reported as
/// [`Status::NotContraction`](crate::Status::NotContraction), with their mean ratio.
///
/// ```
/// use bilevel::{Implicit, linear::FixedPoint};
/// let method = Implicit::<f64> { solver: Box::new(FixedPoint { terms: 20, ..Default::default() }), ..Default::default() };
/// assert_eq!(method.damping, 0.0);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FixedPoint {
    /// J.
    pub terms: usize,
    /// The relative residual at which it stops.
    pub tolerance: Option<f64>,
}

impl Default for FixedPoint {
    fn default() -> Self {
        Self {
            terms: 100,
            tolerance: Some(1e-6),
        }
    }
}

impl FixedPoint {
    fn series(self) -> Series {
        Series {
            step_size: 1.0,
            terms: self.terms,
            tolerance: self.tolerance,
        }
    }
}

impl<T: Scalar> LinearSolver<T> for FixedPoint {
    fn name(&self) -> &'static str {
        "the fixed-point iteration"
    }

    fn system(&self) -> System {
        System::StepMap
    }

    fn wants_one_matrix(&self) -> bool {
        true
    }

    fn max_products(&self, warm: bool) -> usize {
        self.terms + usize::from(warm)
    }

    fn work_vectors(&self) -> usize {
        2
    }

    fn validate(&self) -> Result<()> {
        self.series().validate()
    }

    fn solve(
        &self,
        operator: &mut dyn LinearOperator<T>,
        b: &[T],
        q: &mut [T],
    ) -> Result<Solution> {
        self.series().sum(operator, b, q)
    }
}
