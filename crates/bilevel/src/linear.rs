//! Linear systems A q = b that are known only through products with A.

mod conjugate_gradient;
mod fixed_point;
mod neumann;
mod series;

pub use conjugate_gradient::ConjugateGradient;
pub use fixed_point::FixedPoint;
pub use neumann::Neumann;

use crate::{Result, Scalar, Status};

/// v ↦ A v for a square matrix A.
pub trait LinearOperator<T: Scalar> {
    /// The number of rows of A.
    fn size(&self) -> usize;

    /// What is known about A.
    fn structure(&self) -> Structure;

    /// `out = A v`.
    ///
    /// # Errors
    /// If an objective fails.
    fn apply(&mut self, v: &[T], out: &mut [T]) -> Result<()>;
}

/// What is known about a matrix before the first product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Structure {
    /// Nothing.
    General,
    /// A = Aᵀ; whether it is definite is not known.
    Symmetric,
}

/// Which system an implicit method hands to a solver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum System {
    /// (∇²_yy g + damping · I) q = ∇_y f.
    InnerHessian,
    /// (I − (∂Φ/∂s)ᵀ) q = ∂f/∂s, with the inner step Φ.
    StepMap,
}

/// Solves A q = b by products with A.
pub trait LinearSolver<T: Scalar>: Send + Sync {
    /// The name for messages.
    fn name(&self) -> &'static str;

    /// The system that it is meant for.
    fn system(&self) -> System;

    /// Whether all products of one solve must use the same matrix; if not, each may use its own
    /// mini-batch.
    fn wants_one_matrix(&self) -> bool;

    /// The largest number of products of one solve; `warm` if it may start from a guess.
    fn max_products(&self, warm: bool) -> usize;

    /// How many vectors of the length of b it needs in addition to b and q.
    fn work_vectors(&self) -> usize;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting out of range.
    fn validate(&self) -> Result<()>;

    /// From the guess in `q` to a solution in `q`. Not reaching the tolerance is a status, not an error.
    ///
    /// # Errors
    /// If a product fails or becomes non-finite, or A is not what the solver needs.
    fn solve(&self, operator: &mut dyn LinearOperator<T>, b: &[T], q: &mut [T])
    -> Result<Solution>;
}

/// How a solve ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Solution {
    /// Products made.
    pub products: usize,
    /// ‖b − A q‖ / ‖b‖, 0 where b is zero.
    pub residual: f64,
    /// Whether the tolerance was reached, and if not, what to do.
    pub status: Status,
}

impl Solution {
    /// Of b = 0.
    fn zero<T: Scalar>(q: &mut [T]) -> Self {
        q.fill(T::zero());
        Self {
            products: 0,
            residual: 0.0,
            status: Status::Good,
        }
    }
}

/// `residual = b − A q`, and how many products that took; a guess that is worse than none is
/// dropped.
fn first_residual<T: Scalar>(
    operator: &mut dyn LinearOperator<T>,
    b: &[T],
    q: &mut [T],
    residual: &mut [T],
) -> Result<usize> {
    use crate::vector::norm;
    residual.copy_from_slice(b);
    if q.iter().all(num_traits::Zero::is_zero) {
        return Ok(0);
    }
    operator.apply(q, residual)?;
    for (residual, &b) in residual.iter_mut().zip(b) {
        *residual = b - *residual;
    }
    let size = norm(residual);
    if size > norm(b) || size.is_nan() {
        q.fill(T::zero());
        residual.copy_from_slice(b);
    }
    Ok(1)
}

fn non_finite() -> crate::Error {
    crate::Error::NonFinite {
        what: crate::Quantity::LinearProduct,
        inner_step: None,
        outer_step: None,
    }
}

/// Checks the tolerance of a solver.
fn require_tolerance(tolerance: f64) -> Result<()> {
    crate::error::require(
        tolerance > 0.0 && tolerance < 1.0,
        "the tolerance of the linear solver",
        "above 0 and below 1",
        tolerance,
    )
}
