//! The Neumann series.

use super::series::Series;
use super::{LinearOperator, LinearSolver, Solution, System};
use crate::{Result, Scalar};

/// q = s Σ_{j<J} (I − s A)ʲ b ≈ A⁻¹ b (Lorraine, Vicol and Duvenaud, arXiv 1911.02590; with a
/// mini-batch for each factor, it is the solver of stocBiO, arXiv 2010.07962).
///
/// Converges for positive definite A and s < 2 / (largest eigenvalue), by a factor of about
/// 1 − s · (smallest eigenvalue) per term: far slower than
/// [`ConjugateGradient`](super::ConjugateGradient). Use it if each product sees its own
/// mini-batch: the expected sum is then the sum for the mean of A, and the missing terms are the
/// only bias. At a fixed point of gradient descent with step size s, it equals the last J steps of
/// reverse mode.
///
/// | setting | default | range | purpose |
/// |---|---|---|---|
/// | `step_size` | 0.1 | positive | s |
/// | `terms` | 100 | at least 1 | J |
/// | `tolerance` | 1e-6 | none, or in (0, 1) | ‖b − A q‖ / ‖b‖ at which it stops before J; none: always J terms, and the remaining residual is not reported as a failure |
///
/// Cost: one product per term, one more for a warm start. Memory: two vectors. Growing residuals
/// are reported as [`Status::NotContraction`](crate::Status::NotContraction).
///
/// ```
/// use bilevel::linear::{LinearOperator, LinearSolver, Neumann, Structure};
/// struct Twice;
/// impl LinearOperator<f64> for Twice {
///     fn size(&self) -> usize { 1 }
///     fn structure(&self) -> Structure { Structure::Symmetric }
///     fn apply(&mut self, v: &[f64], out: &mut [f64]) -> bilevel::Result<()> { out[0] = 2.0 * v[0]; Ok(()) }
/// }
/// let mut q = [0.0];
/// let solution = Neumann { step_size: 0.25, terms: 3, tolerance: None }.solve(&mut Twice, &[8.0], &mut q)?;
/// // ¼ (1 + ½ + ¼) 8 of the whole 4.
/// assert_eq!((q[0], solution.residual), (3.5, 0.125));
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Neumann {
    /// s.
    pub step_size: f64,
    /// J.
    pub terms: usize,
    /// ‖b − A q‖ / ‖b‖ at which it stops.
    pub tolerance: Option<f64>,
}

impl Default for Neumann {
    fn default() -> Self {
        Self {
            step_size: 0.1,
            terms: 100,
            tolerance: Some(1e-6),
        }
    }
}

impl Neumann {
    fn series(self) -> Series {
        Series {
            step_size: self.step_size,
            terms: self.terms,
            tolerance: self.tolerance,
        }
    }
}

impl<T: Scalar> LinearSolver<T> for Neumann {
    fn name(&self) -> &'static str {
        "the Neumann series"
    }

    fn system(&self) -> System {
        System::InnerHessian
    }

    fn wants_one_matrix(&self) -> bool {
        false
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
