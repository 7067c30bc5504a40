//! The gradient of the outer objective through training.

mod unrolled;

pub use unrolled::Unrolled;

use crate::objective::Calls;
use crate::{Key, Problem, Result, Scalar};

/// An estimate of d/dx f(x, y_K(x)).
pub trait HyperGradient<T: Scalar>: Send + Sync {
    /// Checks the settings, and that this method makes sense for this problem; called
    /// before a run.
    ///
    /// # Errors
    /// A setting out of range, second derivatives or tapes that are not there, or
    /// [`Error::StructurallyZero`](crate::Error::StructurallyZero).
    fn validate(&self, problem: &Problem<T>) -> Result<()>;

    /// `out` = the hypergradient at `x` (n numbers).
    ///
    /// Draws come from `key` and `outer_step`: the same two give the same bits.
    ///
    /// # Errors
    /// If an objective fails or a number becomes non-finite.
    fn estimate(
        &self,
        problem: &Problem<T>,
        x: &[T],
        key: Key,
        outer_step: usize,
        out: &mut [T],
    ) -> Result<Report<T>>;

    /// Trains at `x` without differentiating: the function whose gradient
    /// [`HyperGradient::estimate`] gives, with the same draws.
    ///
    /// # Errors
    /// As [`HyperGradient::estimate`].
    fn evaluate(
        &self,
        problem: &Problem<T>,
        x: &[T],
        key: Key,
        outer_step: usize,
    ) -> Result<Report<T>>;
}

/// What came with an estimate.
#[derive(Clone, PartialEq, Debug)]
pub struct Report<T> {
    /// f(x, y_K).
    pub value: T,
    /// y_K, m numbers.
    pub y: Vec<T>,
    /// The calls of the inner objective.
    pub inner_calls: Calls,
    /// The calls of the outer objective.
    pub outer_calls: Calls,
}
